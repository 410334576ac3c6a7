//! `ballot-intake labels`: command sheets, badges and test envelopes, as PDF files for any printer.

use super::ask::{have_done, unexpected};
use super::place::Place;
use super::{Common, Exit, Failure, people, print_json};
use crate::config::{Config, Run};
use crate::control::{Answer, Command, Hand};
use crate::decode::image::DrawError;
use crate::envelope::Formats;
use crate::labels::{self, PRINTED, Print, Printed, Purpose, pdf};
use crate::ledger::Renewal;
use crate::scan::Symbology;
use anyhow::anyhow;
use clap::{Args, Subcommand};
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Payloads that are printed at a time.
const ENVELOPES_MAX: usize = 10_000;

/// What is printed.
#[derive(Debug, Subcommand)]
pub(super) enum LabelsCommand {
    /// Command sheets of this station: a clerk scans what is to be done. Whoever has a sheet can use it.
    Commands {
        #[command(flatten)]
        to: To,
        /// Make all earlier sheets of this station stale; takes a supervisor as soon as there are operators.
        #[arg(long)]
        renew: bool,
    },
    /// A badge whose code was just made by `operators add --badge`: it is asked for, or a line of standard input.
    Badge {
        /// Whose it is.
        name: String,
        #[command(flatten)]
        to: To,
    },
    /// Envelopes for tests: a label for each payload, with what this station reads in it.
    Envelopes {
        /// What the symbols say.
        #[arg(required = true, value_name = "PAYLOAD")]
        payloads: Vec<String>,
        #[command(flatten)]
        to: To,
    },
}

/// Where it goes, and how.
#[derive(Debug, Args)]
pub(super) struct To {
    /// The PDF file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print this symbology, once for each: code128, datamatrix or qr; else those of them that the envelope formats name, else code128.
    #[arg(long = "symbology", value_name = "NAME", value_parser = symbology)]
    symbologies: Vec<Symbology>,
}

fn symbology(text: &str) -> Result<Symbology, String> {
    let found = Symbology::from_name(text).filter(|symbology| PRINTED.contains(symbology));
    found.ok_or_else(|| format!("one of {}", PRINTED.map(Symbology::name).join(", ")))
}

impl To {
    fn print(&self, config: &Config) -> Print {
        let symbologies = match self.symbologies.as_slice() {
            [] => labels::symbologies(&config.envelopes),
            named => named.to_vec(),
        };
        Print { symbologies, purpose: purpose(config.run) }
    }
}

const fn purpose(run: Run) -> Purpose {
    match run {
        Run::Real => Purpose::Work,
        Run::Practice => Purpose::Practice,
    }
}

/// `ballot-intake labels`.
pub(super) fn labels(
    place: &Place,
    common: &Common,
    command: LabelsCommand,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    match command {
        LabelsCommand::Commands { to, renew } => {
            let renewal = if renew { Renewal::Renew } else { Renewal::Keep };
            let command = Command::Sheet { renewal, of: None };
            let codes = match have_done(place, common, &config, command)? {
                Answer::Sheet(codes) => codes,
                Answer::Refused { why, .. } => return Err(Failure::new(Exit::No, anyhow!(why))),
                other => return Err(unexpected(&other)),
            };
            let mode = config.station.mode;
            write(common, &to, labels::commands(&codes, mode, &to.print(&config)))
        }
        LabelsCommand::Badge { name, to } => {
            let code = people::read_badge(&name)?;
            // A badge on paper that nobody can sign in with is found out at the first shift.
            let sign_in =
                Command::SignIn { operator: None, secret: code.clone(), hand: Hand::First };
            match have_done(place, common, &config, sign_in)? {
                Answer::SignedIn { operator, .. } if operator == name => {}
                _ => {
                    let why = anyhow!("this is not the badge of {name}: nothing was printed");
                    return Err(Failure::new(Exit::No, why));
                }
            }
            write(common, &to, labels::badge(&name, &code, &to.print(&config)))
        }
        LabelsCommand::Envelopes { payloads, to } => envelopes(common, config, &payloads, &to),
    }
}

fn envelopes(
    common: &Common,
    config: Config,
    payloads: &[String],
    to: &To,
) -> Result<Exit, Failure> {
    if payloads.len() > ENVELOPES_MAX {
        let why = anyhow!("at most {ENVELOPES_MAX} payloads at a time");
        return Err(Failure::new(Exit::Usage, why));
    }
    let print = to.print(&config);
    let election = config.election.as_ref().map(|election| &election.id);
    let formats = Formats::new(election, config.envelopes);
    write(common, to, labels::envelopes(&formats, payloads, &print))
}

fn write(common: &Common, to: &To, drawn: Result<Printed, DrawError>) -> Result<Exit, Failure> {
    let Printed { file, pages, labels } = drawn.map_err(|e| Failure::new(Exit::No, e))?;
    let out = to.out.display();
    pdf::write(&to.out, &file).map_err(|error| {
        let why = anyhow::Error::new(error).context(format!("cannot write {out}"));
        Failure::new(Exit::Ledger, why)
    })?;
    if common.json {
        let file = out.to_string();
        print_json(&serde_json::json!({ "file": file, "pages": pages, "labels": labels }))?;
    } else {
        writeln!(io::stdout().lock(), "{labels} labels on {pages} pages: {out}")?;
    }
    Ok(Exit::Done)
}
