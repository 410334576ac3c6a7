//! The commands of `ballot-intake`: arguments to a command, its outcome to text and an exit code.

pub mod faces;
pub mod import;
pub mod loopback;
pub mod read;

mod annotate;
mod ask;
mod batch;
mod care;
mod deck;
mod demo;
mod devices;
mod export;
mod labels;
mod layouts;
mod machine;
mod manual;
mod people;
mod place;
mod player;
mod profiles;
mod proof;
mod replay;
mod report;
mod run;
mod scratch;
mod site;
mod slideshow;
mod stand;
mod story;

use crate::ballot::{BallotId, ElectionId, Status};
use crate::daemon::Record;
use crate::event::chain;
use crate::ledger::backup::{Loss, Over, Wanted};
use crate::ledger::{After, Decision, Export, PublicKey, Role};
use crate::scanner::recording::Payloads;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Pictures that `read` reads at the same time, unless it is told otherwise.
const JOBS: NonZeroUsize = NonZeroUsize::MIN;

/// The most that it reads at the same time.
const JOBS_MAX: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Exceptions on a page, unless it is told otherwise.
const EXCEPTIONS: usize = 100;

/// The most on a page.
const EXCEPTIONS_MAX: usize = 10_000;

/// How a command ended; the numbers are those of `sysexits.h` where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The answer is no: tampering, faults in the configuration, nothing found, not allowed.
    No = 1,
    /// The arguments are none of ours.
    Usage = 64,
    /// No such input.
    NoInput = 66,
    /// A service is away: a daemon that does not answer, a ledger that another command has.
    Away = 69,
    /// The ledger cannot be read or written.
    Ledger = 74,
    /// The configuration cannot work.
    Config = 78,
}

/// Reads returned ballot envelopes, marks ballots received in a local ledger, and tells the notification relay.
#[derive(Debug, Parser)]
#[command(name = "ballot-intake", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed")]
struct Common {
    /// The configuration; else /etc/ballot-intake/config.toml if there is one, else the defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The ledger; else the configured one.
    #[arg(long, global = true, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// The election; else the configured one.
    #[arg(long, global = true, value_name = "ID", value_parser = ElectionId::new)]
    election: Option<ElectionId>,
    /// Who signs in, of commands that change something: the password or badge is asked for, or is a line of standard input.
    #[arg(long, global = true, value_name = "NAME")]
    operator: Option<String>,
    /// Practice: a ledger of its own beside the real one, and nothing is forwarded.
    #[arg(long, global = true)]
    practice: bool,
    /// Answer in JSON: one object, or one a line where there are many.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: read scanners, mark ballots, forward changes, until SIGTERM.
    Run {
        /// Record into this folder what each scanner on a line sends and gets; payloads as lengths and HMACs only.
        #[arg(long, value_name = "DIR")]
        record: Option<PathBuf>,
        /// Record every byte, payloads too: what `replay` plays as it was. Keep such a recording as safe as ballots.
        #[arg(long, requires = "record")]
        record_payloads: bool,
    },
    /// Show the whole system at work, without hardware or root.
    Demo {
        /// End when all is scanned, read and delivered; else it works on until Ctrl-C.
        #[arg(long)]
        once: bool,
        /// Send the changes to this relay; else to one that lives as long as the demonstration.
        #[arg(long, requires = "secret", value_name = "URL")]
        relay: Option<String>,
        /// The file with that relay's secret.
        #[arg(long, requires = "relay", value_name = "FILE")]
        secret: Option<PathBuf>,
    },
    /// Check a configuration: all faults at once, with line and column.
    CheckConfig {
        /// The file; else the one that `run` would take.
        file: Option<PathBuf>,
    },
    /// Take in a mail ballot file: one event decides, and a second time changes nothing.
    Import {
        /// The file.
        file: PathBuf,
        /// How it is laid out: ballottrax-status, ce-068, generic, nc-absentee, vr-systems, or a file of the folder `layouts`
        /// beside the configuration.
        #[arg(long, value_name = "NAME")]
        layout: String,
        /// Only say what would become of its rows.
        #[arg(long)]
        dry_run: bool,
        /// The folder of its lists; else they go beside the file, or into the current directory where that cannot be.
        #[arg(long, value_name = "DIR")]
        lists: Option<PathBuf>,
    },
    /// Look at one ballot, or set where it stands.
    #[command(subcommand)]
    Ballot(BallotCommand),
    /// Open, close and look at batches of envelopes.
    #[command(subcommand)]
    Batch(batch::BatchCommand),
    /// Who may sign in.
    #[command(subcommand)]
    Operators(OperatorsCommand),
    /// What waits for a second operator.
    #[command(subcommand)]
    Proposals(ProposalsCommand),
    /// Take back the station's last scan that changed something.
    Undo,
    /// List every device that could be a scanner, and why one is not read: with the lines to write for it.
    Devices {
        /// Print udev's rules for all profiles instead, with the site's own: for /etc/udev/rules.d/60-ballot-intake.rules.
        #[arg(long)]
        udev_rules: bool,
    },
    /// Unlock scanners that stopped on a bad answer.
    Acknowledge {
        /// Which one; else all of them.
        scanner: Option<String>,
    },
    /// Count ballots, scans, batches and what the relay is owed; or say all of one day, of one batch, of what is out of order.
    Report(ReportArguments),
    /// Write the ledger to a file for others, or to standard output.
    #[command(subcommand)]
    Export(ExportCommand),
    /// Prove the ledger, or derive it anew.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// What the relay is owed.
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// Read symbols from pictures, without a ledger.
    Read {
        /// Pictures, or folders of them.
        #[arg(required = true, value_name = "IMAGE")]
        images: Vec<PathBuf>,
        /// Draw what was found: a PNG file for one picture, a folder of them for several.
        #[arg(long, value_name = "OUT")]
        annotate: Option<PathBuf>,
        /// Read so many pictures at the same time; they are told in their order.
        #[arg(long, value_name = "N", default_value_t = JOBS, value_parser = jobs)]
        jobs: NonZeroUsize,
    },
    /// Record an envelope whose symbol is torn, by the number that is printed on it: shows its ballot, and marks it when you say yes.
    Receive {
        /// What the symbol would have said; spaces in it mean nothing.
        number: String,
        /// The number once more, where it has no check digit.
        #[arg(long, value_name = "NUMBER")]
        again: Option<String>,
    },
    /// Print command sheets, badges and test envelopes as PDF.
    #[command(subcommand)]
    Labels(labels::LabelsCommand),
    /// Play recorded scanner sessions through the whole pipeline, each on a ledger of its own.
    Replay {
        /// The recordings: one JSON object a line.
        #[arg(required = true, value_name = "RECORDING")]
        recordings: Vec<PathBuf>,
        /// The mail ballot file, of the generic layout; else no ballot is issued.
        #[arg(long, value_name = "FILE")]
        ballots: Option<PathBuf>,
        /// Keep the recorded times; else a step is sent as soon as the one before it is answered.
        #[arg(long)]
        pace: bool,
    },
}

#[derive(Debug, Subcommand)]
enum BallotCommand {
    /// Show a ballot's whole story.
    Show {
        /// The ballot.
        #[arg(required_unless_present = "voter")]
        ballot: Option<String>,
        /// All ballots of this voter instead.
        #[arg(long, conflicts_with = "ballot")]
        voter: Option<String>,
    },
    /// Set a ballot by hand.
    Set {
        /// The ballot.
        #[arg(value_parser = BallotId::new)]
        ballot: BallotId,
        /// Where it shall stand: received, accepted, `needs_attention`, rejected, undeliverable, voided, mailed, issued.
        #[arg(value_parser = status)]
        status: Status,
        /// Why: a code of the configuration's [reasons], one of the reasons that they name, or other words.
        #[arg(long)]
        reason: String,
        /// The second operator, who confirms there and then what takes two; needs --operator.
        #[arg(long, value_name = "NAME")]
        confirmed_by: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum OperatorsCommand {
    /// Add an operator; the first is an administrator, and adds the others.
    Add {
        /// Their name, under which they sign in.
        name: String,
        /// What they may do: auditor, clerk, supervisor, administrator.
        #[arg(long, value_parser = role)]
        role: Role,
        /// Make them a badge instead of asking for a password: its code is printed once.
        #[arg(long)]
        badge: bool,
    },
    /// Let an operator do nothing any more. The name is not used again.
    Disable {
        /// Their name.
        name: String,
    },
    /// List all operators.
    List,
    /// Make a token with which an operator's own programs read the API of the pages as an auditor: it is printed once.
    Token {
        /// Their name.
        name: String,
        /// End all tokens of theirs instead.
        #[arg(long)]
        revoke: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ProposalsCommand {
    /// List what waits for a second operator.
    List,
    /// Have it done.
    Confirm {
        /// The proposal's number.
        proposal: i64,
    },
    /// Leave it undone for good.
    Decline {
        /// The proposal's number.
        proposal: i64,
    },
}

#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
#[derive(Debug, Args)]
struct ReportArguments {
    /// What was scanned on this local day: by hour, scanner and batch.
    #[arg(long, value_name = "YYYY-MM-DD", group = "part")]
    day: Option<String>,
    /// One batch, whole.
    #[arg(long, value_name = "BATCH", group = "part")]
    batch: Option<String>,
    /// What somebody has to look at: what waits for a supervisor first.
    #[arg(long, group = "part")]
    exceptions: bool,
    /// Whether everything adds up, to the last ballot.
    #[arg(long, group = "part")]
    reconciliation: bool,
    /// At most so many exceptions.
    #[arg(long, value_name = "N", requires = "exceptions", default_value_t = EXCEPTIONS, value_parser = exceptions)]
    limit: usize,
    /// Go on where the page before ended, as it said.
    #[arg(long, value_name = "NEXT", requires = "exceptions", value_parser = after)]
    after: Option<After>,
}

#[derive(Debug, Subcommand)]
enum ExportCommand {
    /// A table as CSV, safe to open in a spreadsheet.
    Csv {
        /// Which one.
        #[arg(long, value_enum, default_value_t = Sheet::Ballots)]
        what: Sheet,
        #[command(flatten)]
        to: ExportTo,
    },
    /// Where ballots stand, as VR Systems' status file for `BallotTrax`. Voided ballots are left out.
    BallottraxStatus {
        #[command(flatten)]
        to: ExportTo,
    },
    /// Every event, as NIST SP 1500-101 has election event logs.
    #[command(name = "nist-1500-101")]
    Nist1500101 {
        /// What the log's types and ids mean, instead of the log.
        #[arg(long)]
        documentation: bool,
        #[command(flatten)]
        to: ExportTo,
    },
}

#[derive(Debug, Args)]
struct ExportTo {
    /// The file, written beside itself and put in place when it is whole; else standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A table of `export csv`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Sheet {
    /// Ballots of the election, and where they stand.
    Ballots,
    /// Scans, with their verdicts.
    Scans,
    /// Batches, with their counts.
    Batches,
    /// What somebody has to look at.
    Exceptions,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Check every row of the chain and everything that derives from it.
    Verify {
        /// The station's public key, 64 hexadecimal digits; else the one in the ledger's first row.
        #[arg(long, value_name = "PUBLIC_KEY", value_parser = public_key)]
        key: Option<PublicKey>,
        /// A checkpoint that was kept elsewhere: its file, or what stands on paper. Nothing before it may be changed or cut.
        #[arg(long = "checkpoint", value_name = "FILE|PAPER")]
        checkpoints: Vec<String>,
    },
    /// Sign the last row, to be kept elsewhere: prints the signed note, and what to write on paper.
    Checkpoint {
        /// Write the note into this file, and print what to write on paper only.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Derive every table from the chain anew, and say what differed; the daemon must not run.
    Rebuild,
    /// Copy the ledger, beside a running daemon, and prove the copy.
    Backup {
        /// The file to make; an earlier backup of this ledger is replaced.
        file: PathBuf,
        /// Replace whatever has the name, but for the ledger itself.
        #[arg(long)]
        force: bool,
    },
    /// Put a backup in place of the ledger, which is kept beside; the daemon must not run.
    Restore {
        /// The backup.
        file: PathBuf,
        /// Go beyond the backup with the log of events in this folder, up to the first import that it lacks.
        #[arg(long, value_name = "DIR")]
        log: Option<PathBuf>,
        /// Give up so many events of the ledger in place, which the backup lacks; `unknown` where that ledger is damaged, so
        /// that nobody can tell how many.
        #[arg(long, value_name = "N|unknown", value_parser = Loss::parse)]
        lose_events: Option<Loss>,
    },
    /// Tell until when the ledger must be kept, election by election; nothing is ever deleted.
    Retention,
}

#[derive(Debug, Subcommand)]
enum OutboxCommand {
    /// List the changes that are not yet with the relay.
    List,
    /// Owe again what was set aside, and ask the relay at once.
    Retry,
    /// Give up a change that the relay refused: it never gets that one, and what waits behind it goes on.
    Drop {
        /// The change's number, as `outbox list` shows it.
        change: i64,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

fn exceptions(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| (1..=EXCEPTIONS_MAX).contains(n))
        .ok_or_else(|| format!("a number from 1 to {EXCEPTIONS_MAX}"))
}

fn after(text: &str) -> Result<After, String> {
    After::parse(text).ok_or_else(|| "what the page before said".to_owned())
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_hex(text).ok_or_else(|| "64 hexadecimal digits of an Ed25519 key".to_owned())
}

fn status(text: &str) -> Result<Status, String> {
    Status::from_name(text)
        .ok_or_else(|| format!("one of {}", Status::ALL.map(Status::name).join(", ")))
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| format!("one of {}", Role::ALL.map(Role::name).join(", ")))
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .ok()
        .filter(|jobs| *jobs <= JOBS_MAX)
        .ok_or_else(|| format!("a number from 1 to {JOBS_MAX}"))
}

/// A command that failed: what to say, and the exit code.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }
}

impl From<io::Error> for Failure {
    /// Standard output is gone; there is nobody to tell more.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Done, Unheard);
        }
        Self::new(Exit::Away, error)
    }
}

/// Whoever took the answer has heard enough of it, as `head` does.
#[derive(Debug, thiserror::Error)]
#[error("nobody takes the answer any more")]
struct Unheard;

/// Runs the command that the arguments name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(help) => return usage(&help),
    };
    let exit = match dispatch(arguments) {
        Ok(exit) => exit,
        Err(Failure { exit, error }) if error.is::<Unheard>() => exit,
        Err(Failure { exit, error }) => {
            complain(&chain(&*error));
            exit
        }
    };
    ExitCode::from(exit as u8)
}

fn dispatch(Arguments { command, common }: Arguments) -> Result<Exit, Failure> {
    let place = place::Place::of_this_process();
    match command {
        Command::Run { record, record_payloads: keeps } => {
            let payloads = if keeps { Payloads::Kept } else { Payloads::Hashed };
            run::run(&place, &common, record.map(|folder| Record { folder, payloads }))
        }
        Command::Demo { once, relay, secret } => {
            let relay = relay.zip(secret).map(|(url, secret)| demo::Outside { url, secret });
            let until = if once { demo::Until::Settled } else { demo::Until::Stopped };
            demo::demo(&place, &common, relay, until)
        }
        Command::CheckConfig { file } => run::check_config(&place, file, &common),
        Command::Import { file, layout, dry_run, lists } => {
            let run = if dry_run { import::Run::Dry } else { import::Run::Real };
            let (file, lists) = (&*file, lists.as_deref());
            ask::import(&place, &common, ask::Import { file, layout: &layout, run, lists })
        }
        Command::Ballot(BallotCommand::Show { ballot, voter }) => {
            ask::ballot_show(&place, &common, ballot.as_deref(), voter.as_deref())
        }
        Command::Ballot(BallotCommand::Set { ballot, status, reason, confirmed_by }) => {
            let wanted = ask::Wanted { ballot, status, reason, confirmed_by };
            ask::ballot_set(&place, &common, wanted)
        }
        Command::Batch(command) => batch::batch(&place, &common, command),
        Command::Operators(command) => operators(&place, &common, command),
        Command::Proposals(command) => proposals(&place, &common, &command),
        Command::Undo => ask::undo(&place, &common),
        Command::Receive { number, again } => {
            manual::receive(&place, &common, manual::Number { number, again })
        }
        Command::Labels(command) => labels::labels(&place, &common, command),
        Command::Devices { udev_rules: true } => profiles::udev_rules(&common),
        Command::Devices { udev_rules: false } => devices::devices(&place, &common),
        Command::Acknowledge { scanner } => ask::acknowledge(&place, &common, scanner),
        Command::Report(wanted) => report::report(&place, &common, &wanted.into()),
        Command::Export(wanted) => {
            let (what, out) = wanted.parts();
            export::export(&place, &common, what, out.as_deref())
        }
        Command::Ledger(command) => of_ledger(&place, &common, command),
        Command::Outbox(OutboxCommand::List) => ask::outbox_list(&place, &common),
        Command::Outbox(OutboxCommand::Retry) => ask::outbox_retry(&place, &common),
        Command::Outbox(OutboxCommand::Drop { change, reason }) => {
            people::outbox_drop(&place, &common, change, reason)
        }
        Command::Replay { recordings, ballots, pace: is_paced } => {
            let when = if is_paced { replay::Pace::Recorded } else { replay::Pace::Answers };
            let wanted = replay::Wanted { recordings, ballots, pace: when };
            replay::replay(&place, &common, &wanted)
        }
        Command::Read { images, annotate, jobs } => {
            run::read(&place, &common, &run::Pictures { images, annotate, jobs })
        }
    }
}

fn operators(
    place: &place::Place,
    common: &Common,
    command: OperatorsCommand,
) -> Result<Exit, Failure> {
    match command {
        OperatorsCommand::Add { name, role, badge: true } => people::operators_add(
            place,
            common,
            people::New { name, role, with: people::With::Badge },
        ),
        OperatorsCommand::Add { name, role, badge: false } => {
            let with = people::With::Password;
            people::operators_add(place, common, people::New { name, role, with })
        }
        OperatorsCommand::Disable { name } => people::operators_disable(place, common, name),
        OperatorsCommand::List => people::operators_list(place, common),
        OperatorsCommand::Token { name, revoke: false } => {
            people::operators_token(place, common, &name)
        }
        OperatorsCommand::Token { name, revoke: true } => {
            people::operators_revoke(place, common, &name)
        }
    }
}

fn proposals(
    place: &place::Place,
    common: &Common,
    command: &ProposalsCommand,
) -> Result<Exit, Failure> {
    match command {
        ProposalsCommand::List => people::proposals_list(place, common),
        ProposalsCommand::Confirm { proposal } => {
            people::decide(place, common, *proposal, Decision::Confirmed)
        }
        ProposalsCommand::Decline { proposal } => {
            people::decide(place, common, *proposal, Decision::Declined)
        }
    }
}

impl From<ReportArguments> for report::Wanted {
    fn from(arguments: ReportArguments) -> Self {
        let ReportArguments { day, batch, exceptions, reconciliation, limit, after } = arguments;
        match (day, batch) {
            (Some(day), _) => Self::Day(day),
            (None, Some(batch)) => Self::Batch(batch),
            (None, None) if exceptions => {
                Self::Exceptions { after: after.unwrap_or(After::START), limit }
            }
            (None, None) if reconciliation => Self::Reconciliation,
            (None, None) => Self::Whole,
        }
    }
}

impl ExportCommand {
    /// What is exported, and where it goes.
    fn parts(self) -> (Export, Option<PathBuf>) {
        match self {
            Self::Csv { what, to } => {
                let what = match what {
                    Sheet::Ballots => Export::Ballots,
                    Sheet::Scans => Export::Scans,
                    Sheet::Batches => Export::Batches,
                    Sheet::Exceptions => Export::Exceptions,
                };
                (what, to.out)
            }
            Self::BallottraxStatus { to } => (Export::BallottraxStatus, to.out),
            Self::Nist1500101 { documentation: true, to } => {
                (Export::Nist1500101Documentation, to.out)
            }
            Self::Nist1500101 { documentation: false, to } => (Export::Nist1500101, to.out),
        }
    }
}

fn of_ledger(
    place: &place::Place,
    common: &Common,
    command: LedgerCommand,
) -> Result<Exit, Failure> {
    match command {
        LedgerCommand::Verify { key, checkpoints } => {
            proof::verify(place, common, key, &checkpoints)
        }
        LedgerCommand::Checkpoint { out } => proof::checkpoint(place, common, out.as_deref()),
        LedgerCommand::Rebuild => proof::rebuild(place, common),
        LedgerCommand::Backup { file, force } => {
            let over = if force { Over::Anything } else { Over::Earlier };
            care::backup(place, common, &file, over)
        }
        LedgerCommand::Restore { file, log, lose_events } => {
            let wanted = Wanted { backup: &file, log: log.as_deref(), lose_events };
            care::restore(place, common, &wanted)
        }
        LedgerCommand::Retention => care::retention(place, common),
    }
}

/// Help and the version are an answer; anything else is a usage error.
fn usage(help: &clap::Error) -> ExitCode {
    let exit = if help.use_stderr() { Exit::Usage } else { Exit::Done };
    // A closed terminal is nobody to complain to.
    drop(help.print());
    ExitCode::from(exit as u8)
}

fn complain(text: &str) {
    // The same.
    drop(writeln!(io::stderr().lock(), "ballot-intake: {text}"));
}

/// Writes an object as one line of JSON.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|e| Failure::new(Exit::Ledger, e))?;
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}
