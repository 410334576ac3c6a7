//! What people type. Exit codes: 0 done, 1 the answer is no, 64 usage, 66 no such input, 69 the database is away, 78 configuration.

mod demo;
mod files;
mod operator;
mod run;
mod stand_in;

use crate::channel::Channels;
use crate::clock::SystemClock;
use crate::config::{Config, ConfigError};
use crate::relay::{Relay, RelayError};
use crate::serve::acceptor;
use crate::template::Templates;
use crate::told::chain;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// Where the configuration lies when nobody says.
const CONFIG: &str = "/etc/ballot-relay/relay.toml";

/// Tells voters where their mail ballot stands.
#[derive(Debug, Parser)]
#[command(name = "ballot-relay", version)]
struct Arguments {
    /// The configuration.
    #[arg(long, global = true, default_value = CONFIG, value_name = "FILE")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Takes events, serves the pages, tells voters. Prints `ready` and the addresses when all doors are open.
    Run,
    /// Everything that is wrong with the configuration, at once.
    CheckConfig,
    /// A new key file's text, for `[relay] key_file`.
    Key,
    /// Reads a file of the county's.
    #[command(subcommand)]
    Import(files::Import),
    /// Takes a bounce from standard input; the mail server pipes it, with the address that it came to.
    Bounce {
        /// The envelope's recipient.
        recipient: String,
    },
    /// How many ballots, notices and alarms there are, by state, as JSON.
    Report,
    /// The whole relay at work with a made-up county: prints where to click.
    Demo(demo::DemoArguments),
    /// People of the office.
    #[command(subcommand)]
    Operator(operator::Operator),
    /// A provider of texts and calls that keeps everything to itself: for tests and for trying out.
    StandIn(stand_in::StandInArguments),
}

/// Why a command was not carried out, and how it ends.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// Runs the command.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_failure = error.use_stderr();
            if error.print().is_err() || is_failure {
                return ExitCode::from(64);
            }
            return ExitCode::SUCCESS;
        }
    };
    log();
    match carry_out(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            if writeln!(io::stderr(), "{text}").is_err() {
                tracing::debug!("Nobody reads what went wrong.");
            }
            ExitCode::from(code)
        }
    }
}

fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    if subscriber.try_init().is_err() {
        tracing::debug!("Somebody else set up the log.");
    }
}

fn carry_out(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Run => run::run(&open(&arguments.config)?),
        Command::CheckConfig => check(&config(&arguments.config)?),
        Command::Import(import) => files::import(&open(&arguments.config)?, import),
        Command::Bounce { recipient } => files::bounce(&open(&arguments.config)?, recipient),
        Command::Report => files::report(&open(&arguments.config)?),
        Command::Key => {
            let key = crate::key::Keys::generate()
                .map_err(|error| Failure::new(69, error.to_string()))?;
            say(key.trim_end())
        }
        Command::Operator(operator) => operator::carry_out(operator, &arguments.config),
        Command::Demo(arguments) => demo::demo(&arguments),
        Command::StandIn(arguments) => stand_in::run(arguments),
    }
}

/// Prints a line.
pub(crate) fn say(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}").map_err(|error| Failure::new(1, error.to_string()))
}

fn config(file: &std::path::Path) -> Result<Config, Failure> {
    Config::load(file).map_err(|error| match &error {
        ConfigError::Read(..) => Failure::new(66, chain(&error)),
        ConfigError::Faults(faults) => {
            let lines: Vec<_> =
                faults.0.iter().map(|fault| format!("{}: {fault}", file.display())).collect();
            Failure::new(78, lines.join("\n"))
        }
    })
}

/// Everything that would keep the relay from starting: its words, its channels with their keys and addresses, its certificates.
/// What it lacks and starts without is a note.
fn check(config: &Config) -> Result<(), Failure> {
    let mut faults = match Templates::load(config) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.0,
    };
    if let Err(error) = Channels::new(config) {
        faults.push(chain(&error));
    }
    for (table, listener) in [("pages", &config.pages), ("stations", &config.stations)] {
        if let Some(Err(error)) = listener.tls.as_ref().map(acceptor) {
            faults.push(format!("{table}: {}", chain(&error)));
        }
    }
    for note in config.notes() {
        say(&format!("note: {note}"))?;
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(78, faults.join("\n"))) }
}

/// The relay of the configuration, with the machine's clock.
pub(crate) fn open(file: &std::path::Path) -> Result<Arc<Relay>, Failure> {
    Relay::open(config(file)?, Arc::new(SystemClock)).map_err(|error| match error {
        RelayError::Words(_) => Failure::new(78, chain(&error)),
        RelayError::Store(_) => Failure::new(69, chain(&error)),
    })
}
