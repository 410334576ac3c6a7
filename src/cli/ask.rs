//! Commands that ask the ledger, or have the daemon change it.

use super::import::{ImportError, ImportRequest, Progress, Run};
use super::layouts::NoLayout;
use super::people::{self, Signers};
use super::place::Place;
use super::read::Output;
use super::{Common, Exit, Failure, print_json};
use crate::ballot::{BallotId, ElectionId, Status};
use crate::clock::Zone;
use crate::config::{Config, Election};
use crate::control::{Answer, Command, ControlError, Desk};
use crate::daemon::ledger_settings;
use crate::event::printable;
use crate::ledger::{
    BallotStory, Counts, Lock, LockError, OutboxEntry, ReadError, Reader, Rules, SchemaError,
    TakenBack,
};
use anyhow::anyhow;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

/// Digits of an election's id that spells a day.
const DAY_DIGITS: usize = 8;

/// What `ballot set` is asked for.
pub(super) struct Wanted {
    pub(super) ballot: BallotId,
    pub(super) status: Status,
    pub(super) reason: String,
    pub(super) confirmed_by: Option<String>,
}

/// What `import` is asked for.
#[derive(Clone, Copy)]
pub(super) struct Import<'a> {
    pub(super) file: &'a Path,
    pub(super) layout: &'a str,
    pub(super) run: Run,
    /// Where lists go; else beside the file.
    pub(super) lists: Option<&'a Path>,
}

/// `ballot-intake import`.
pub(super) fn import(place: &Place, common: &Common, wanted: Import<'_>) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    Place::make_ledger_dir(&config.ledger.path)?;
    import_into(place, &config, common, wanted, &mut io::stdout()).map(|_| Exit::Done)
}

/// Imports a file into the configured ledger, and answers on `out`.
pub(super) fn import_into(
    place: &Place,
    config: &Config,
    common: &Common,
    wanted: Import<'_>,
    out: &mut dyn io::Write,
) -> Result<Counts, Failure> {
    let layout = Place::layouts(common).find(wanted.layout);
    let layout = layout.map_err(|error| {
        let exit = match &error {
            NoLayout::Unknown { .. } => Exit::Usage,
            NoLayout::Broken(_) => Exit::Config,
        };
        Failure::new(exit, error)
    })?;
    let election = config.election.as_ref();
    let rules = Rules {
        election: election.map(|election| election.id.clone()),
        election_day: election.and_then(|election| day_of(election, &config.facility.timezone)),
        named: common.election.clone(),
        codes: config.envelopes.iter().map(|format| format.names().name().to_owned()).collect(),
        zone: config.facility.timezone.clone(),
        now: place.clock.now(),
    };
    let mut err = io::stderr();
    let request = ImportRequest {
        file: wanted.file,
        layout: &layout,
        rules,
        run: wanted.run,
        lists: wanted.lists,
        folder: Path::new("."),
        output: if common.json { Output::Json } else { Output::Text },
        progress: if err.is_terminal() { Progress::Bar } else { Progress::Lines },
        clock: &*place.clock,
    };
    let signings = Signers::of(common).read()?;
    let mut desk = find_desk(place, config)?;
    let imported = people::sign_in(&mut desk, signings)
        .map(|()| super::import::import(&mut desk, &request, out, &mut err));
    desk.close();
    imported?.map(|imported| imported.counts).map_err(|error| {
        let exit = match &error {
            ImportError::Open { .. } => Exit::NoInput,
            ImportError::Layout { .. } => Exit::No,
            ImportError::Control(_) | ImportError::Busy => Exit::Away,
            ImportError::List { .. }
            | ImportError::Sort(_)
            | ImportError::Ledger(_)
            | ImportError::Out(_) => Exit::Ledger,
        };
        Failure::new(exit, error)
    })
}

/// The election's day: the one that is configured, else the one that its id spells, else that of its deadline.
fn day_of(election: &Election, zone: &Zone) -> Option<String> {
    let digits = election.id.as_str().bytes().filter(u8::is_ascii_digit).count();
    let of_deadline = || election.receive_until.filter(|_| digits != DAY_DIGITS);
    election.day.clone().or_else(|| of_deadline().map(|until| zone.date(until)))
}

/// `ballot-intake ballot show`.
pub(super) fn ballot_show(
    place: &Place,
    common: &Common,
    ballot: Option<&str>,
    voter: Option<&str>,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let election = election(&config, common)?;
    let reader = open_reader(&config)?;
    let stories = match (ballot, voter) {
        (Some(ballot), _) => {
            reader.ballot(election.as_str(), ballot).map(|story| story.into_iter().collect())
        }
        (None, Some(voter)) => reader.voter(election.as_str(), voter),
        (None, None) => Ok(Vec::new()),
    };
    let stories: Vec<BallotStory> = stories.map_err(|e| Failure::new(Exit::Ledger, e))?;
    if stories.is_empty() {
        return Err(Failure::new(Exit::No, anyhow!("no such ballot in election {election}")));
    }
    for story in &stories {
        if common.json {
            print_json(story)?;
        } else {
            super::story::tell(&mut io::stdout().lock(), story)?;
        }
    }
    Ok(Exit::Done)
}

/// `ballot-intake ballot set`.
pub(super) fn ballot_set(place: &Place, common: &Common, wanted: Wanted) -> Result<Exit, Failure> {
    let Wanted { ballot, status, reason, confirmed_by } = wanted;
    let config = place.config(common)?;
    let election = election(&config, common)?;
    let reason = config.reasons.name_of(&reason);
    let signers = Signers { confirmed_by, ..Signers::of(common) };
    let command = Command::BallotSet { election, ballot, status, reason, from: None };
    let answer = have_done_by(place, &config, &signers, command)?;
    people::say_first(&config, &answer)?;
    people::say_decided(common, answer)
}

/// `ballot-intake undo`.
pub(super) fn undo(place: &Place, common: &Common) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    match have_done(place, common, &config, Command::Undo { of: None })? {
        Answer::Moved(moved) if !common.json => {
            write!(io::stdout().lock(), "took the last scan back: ")?;
            let scan = moved.scan.clone();
            people::say_decided(common, Answer::Moved(moved))?;
            scan.map_or(Ok(()), |scan| say_taken_back(&scan)).map(|()| Exit::Done)
        }
        answer => people::say_decided(common, answer),
    }
}

/// Which scan it was, and whether that is another one than whoever typed it may have meant.
fn say_taken_back(scan: &TakenBack) -> Result<(), Failure> {
    let TakenBack { at, scanner, later } = scan;
    let mut out = io::stdout().lock();
    writeln!(out, "it was scanned at {} on {at}", printable(scanner))?;
    if *later > 0 {
        writeln!(
            out,
            "CHECK THE BALLOT'S NUMBER: {later} later scans changed nothing, so this is not the newest; \
             `ballot-intake ballot set` puts it back"
        )?;
    }
    Ok(())
}

/// `ballot-intake acknowledge`.
pub(super) fn acknowledge(
    place: &Place,
    common: &Common,
    scanner: Option<String>,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let Some(mut daemon) = Desk::of_daemon(&config.ledger.path) else {
        return Err(Failure::new(Exit::Away, anyhow!("no daemon runs on this ledger")));
    };
    let answer = daemon.ask(Command::Acknowledge { scanner });
    match answer.map_err(|e| Failure::new(Exit::Away, e))? {
        Answer::Acknowledged { n } if common.json => {
            print_json(&serde_json::json!({ "acknowledged": n }))?;
        }
        Answer::Acknowledged { n } => writeln!(io::stdout().lock(), "{n} scanners were locked")?,
        Answer::Refused { why, .. } => return Err(Failure::new(Exit::No, anyhow!(why))),
        other => return Err(unexpected(&other)),
    }
    Ok(Exit::Done)
}

/// `ballot-intake outbox retry`.
pub(super) fn outbox_retry(place: &Place, common: &Common) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    match have_done(place, common, &config, Command::OutboxRetry {})? {
        Answer::Retried { n } if common.json => print_json(&serde_json::json!({ "retried": n }))?,
        Answer::Retried { n } => {
            writeln!(io::stdout().lock(), "{n} changes are owed again; the relay is asked now")?;
        }
        Answer::Refused { why, .. } => return Err(Failure::new(Exit::No, anyhow!(why))),
        other => return Err(unexpected(&other)),
    }
    Ok(Exit::Done)
}

/// `ballot-intake outbox list`.
pub(super) fn outbox_list(place: &Place, common: &Common) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let reader = open_reader(&config)?;
    let mut printed = Ok(());
    let mut each = |entry: OutboxEntry| {
        if printed.is_ok() {
            printed = print_entry(common, &entry);
        }
    };
    reader.outbox(&mut each).map_err(|e| Failure::new(Exit::Ledger, e))?;
    printed.map(|()| Exit::Done)
}

fn print_entry(common: &Common, entry: &OutboxEntry) -> Result<(), Failure> {
    if common.json {
        return print_json(entry);
    }
    let error = entry.last_error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    writeln!(
        io::stdout().lock(),
        "{} {}/{} {} {} since {}, {} attempts{error}",
        entry.seq,
        entry.election,
        entry.ballot,
        entry.status,
        entry.state,
        entry.at,
        entry.attempts
    )?;
    Ok(())
}

/// The ledger's lock, for a command that no daemon may run beside.
pub(super) fn take_lock(config: &Config) -> Result<Lock, Failure> {
    Lock::take(&config.ledger.path).map_err(|error| {
        let exit = if matches!(error, LockError::Held(_)) { Exit::Away } else { Exit::Ledger };
        Failure::new(exit, error)
    })
}

/// Has the daemon, or this process, carry a command out, asked by the operator whom the arguments name.
pub(super) fn have_done(
    place: &Place,
    common: &Common,
    config: &Config,
    command: Command,
) -> Result<Answer, Failure> {
    have_done_by(place, config, &Signers::of(common), command)
}

/// The same, for these operators.
pub(super) fn have_done_by(
    place: &Place,
    config: &Config,
    signers: &Signers,
    command: Command,
) -> Result<Answer, Failure> {
    must_exist(&config.ledger.path)?;
    // People type slowly: neither the ledger's lock nor the daemon waits for them.
    let signings = signers.read()?;
    let mut desk = find_desk(place, config)?;
    let answer = people::sign_in(&mut desk, signings)
        .and_then(|()| desk.ask(command).map_err(control_failure));
    desk.close();
    match answer? {
        Answer::Failed { why } => Err(Failure::new(Exit::Ledger, anyhow!(why))),
        answer => Ok(answer),
    }
}

/// Whoever carries commands out.
pub(super) fn find_desk(place: &Place, config: &Config) -> Result<Desk, Failure> {
    let clock = std::sync::Arc::clone(&place.clock);
    Desk::find(ledger_settings(config), clock).map_err(control_failure)
}

/// The exit code of a command that found nobody to carry it out.
pub(super) fn control_failure(error: ControlError) -> Failure {
    let exit = match &error {
        ControlError::Lock(LockError::Held(_)) | ControlError::Daemon { .. } => Exit::Away,
        ControlError::Lock(LockError::File { .. }) | ControlError::Ledger(_) => Exit::Ledger,
    };
    Failure::new(exit, error)
}

pub(super) fn unexpected(answer: &Answer) -> Failure {
    Failure::new(Exit::Away, anyhow!("the daemon answered {answer:?}"))
}

pub(super) fn must_exist(ledger: &Path) -> Result<(), Failure> {
    if ledger.exists() {
        return Ok(());
    }
    Err(Failure::new(Exit::NoInput, anyhow!("there is no ledger {}", ledger.display())))
}

/// The election that the arguments name, else the configured one.
pub(super) fn election(config: &Config, common: &Common) -> Result<ElectionId, Failure> {
    let configured = config.election.as_ref().map(|election| election.id.clone());
    common.election.clone().or(configured).ok_or_else(|| {
        Failure::new(Exit::Usage, anyhow!("no election is configured: name one with --election"))
    })
}

/// Ends with `exit` where the ledger has no ballot of an election that the arguments name: zeros would look like an answer.
pub(super) fn must_know(reader: &Reader, election: &ElectionId, exit: Exit) -> Result<(), Failure> {
    if reader.knows(election).map_err(|e| Failure::new(Exit::Ledger, e))? {
        return Ok(());
    }
    Err(Failure::new(exit, anyhow!("the ledger has no ballot of election {election}")))
}

/// The ledger, opened to read beside a running daemon.
pub(super) fn open_reader(config: &Config) -> Result<Reader, Failure> {
    must_exist(&config.ledger.path)?;
    Reader::open(&config.ledger.path, config.facility.timezone.clone()).map_err(|error| {
        let exit = match &error {
            ReadError::Open(SchemaError::Empty { .. }) => Exit::NoInput,
            _ => Exit::Ledger,
        };
        Failure::new(exit, error)
    })
}
