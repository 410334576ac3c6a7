//! Commands that take care of the ledger: its copies, the way back, and how long it must be kept.

use super::place::{Place, default_config};
use super::{Common, Exit, Failure, ask, print_json};
use crate::config::{Config, SecretSource};
use crate::daemon::{care_plan, ledger_settings};
use crate::ledger::backup::{
    self, BackupError, Care, EventLogError, Kept, Over, RestoreError, Restored, Stop, Wanted,
};
use crate::ledger::{Report, SchemaError, VerifyError};
use serde::Serialize;
use std::io::{self, Write as _};
use std::path::Path;

/// `ballot-intake ledger backup`.
pub(super) fn backup(
    place: &Place,
    common: &Common,
    file: &Path,
    over: Over,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    ask::must_exist(&config.ledger.path)?;
    refuse_own(&config, common, file)?;
    let made = backup::backup(&config.ledger.path, file, over, &Stop::never())
        .map_err(|error| Failure::new(exit_of(&error), error))?;
    if common.json {
        print_json(&made)?;
    } else {
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{}: {} events hold; the last is {}",
            made.path.display(),
            made.events,
            made.head
        )?;
        writeln!(out, "sha256 {}, {} bytes", made.sha256, made.bytes)?;
    }
    Ok(Exit::Done)
}

/// `ballot-intake ledger restore`.
pub(super) fn restore(
    place: &Place,
    common: &Common,
    wanted: &Wanted<'_>,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    ask::must_exist(wanted.backup)?;
    Place::make_ledger_dir(&config.ledger.path)?;
    let lock = ask::take_lock(&config)?;
    let restored = backup::restore(&ledger_settings(&config), wanted);
    drop(lock);
    let restored = restored.map_err(|error| {
        say_log(place, &config, wanted, &error);
        Failure::new(exit_of_restore(&error), error)
    })?;
    if common.json {
        print_json(&restored)?;
    } else {
        print_restored(&config, &restored)?;
    }
    Ok(Exit::Done)
}

/// Where the configured log of events goes beyond the backup, that is better than to give events up.
fn say_log(place: &Place, config: &Config, wanted: &Wanted<'_>, error: &RestoreError) {
    let (RestoreError::Worse { events, .. }, None) = (error, wanted.log) else { return };
    let (care, now) = (care_plan(config), place.clock.now());
    if let (Some(folder), Some(log)) = (&care.log_dir, backup::state(&care, now).log)
        && log.events > *events
    {
        super::complain(&format!(
            "the log of events goes on to row {}: --log {} takes them from there",
            log.events,
            folder.display()
        ));
    }
}

fn print_restored(config: &Config, restored: &Restored) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let Restored { path, events, head, from_log, gap, lost, kept, has_key } = restored;
    writeln!(out, "{}: {events} events hold; the last is {head}", path.display())?;
    if *from_log > 0 {
        writeln!(out, "{from_log} of them came from the log of events")?;
    }
    if let Some(gap) = gap {
        writeln!(
            out,
            "the log proves the chain up to row {} ({}), but rows from {} on were not applied: {}",
            gap.to, gap.head, gap.from, gap.why
        )?;
        writeln!(out, "import the file again, and scan again what was scanned after it")?;
    }
    if let Some(kept) = kept {
        let lacks = match lost {
            Some(lost) => format!("with {lost} events that this one lacks"),
            None => "which could not be read".to_owned(),
        };
        writeln!(out, "the ledger before it is {}, {lacks}", kept.display())?;
    }
    if !has_key {
        let key = config.ledger.signing_key_file.display();
        writeln!(
            out,
            "the station's key {key} is not there: put it back before the daemon starts"
        )?;
    }
    Ok(())
}

/// `ballot-intake ledger retention`.
pub(super) fn retention(place: &Place, common: &Common) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    ask::must_exist(&config.ledger.path)?;
    if let Some(election) = &common.election {
        ask::must_know(&ask::open_reader(&config)?, election, Exit::No)?;
    }
    let deadline = config.election.as_ref().and_then(|e| Some((e.id.clone(), e.receive_until?)));
    let deadlines: Vec<_> = deadline.into_iter().collect();
    let kept = backup::retention(&config.ledger.path, &config.facility.timezone, &deadlines)
        .map_err(|error| Failure::new(Exit::Ledger, error))?;
    let is_wanted = |kept: &Kept| match &common.election {
        Some(election) => kept.election == election.as_str(),
        None => true,
    };
    for kept in kept.into_iter().filter(is_wanted) {
        if common.json {
            print_json(&kept)?;
            continue;
        }
        writeln!(
            io::stdout().lock(),
            "election {}: keep the ledger until {} if it was a federal election (22 months after {}, 52 U.S.C. 20701), \
             until {} if it was one of Colorado's (25 months, C.R.S. 1-7-802)",
            kept.election,
            kept.federal,
            kept.counted_from,
            kept.colorado
        )?;
    }
    Ok(Exit::Done)
}

/// The report, and how well the ledger is taken care of.
#[derive(Serialize)]
struct WithCare<'a> {
    #[serde(flatten)]
    report: &'a Report,
    care: Care,
}

/// Says a report, and how well the ledger is taken care of.
pub(super) fn with_report(
    place: &Place,
    config: &Config,
    common: &Common,
    report: &Report,
) -> Result<(), Failure> {
    let care = backup::state(&care_plan(config), place.clock.now());
    if common.json {
        return print_json(&WithCare { report, care });
    }
    let mut out = io::stdout().lock();
    super::report::text::whole(&mut out, report)?;
    match care.backup {
        Some(last) => {
            writeln!(
                out,
                "backup   {}: {} events, {}",
                last.made,
                last.events,
                last.path.display()
            )?;
        }
        None => writeln!(out, "backup   none")?,
    }
    if let Some(log) = care.log {
        writeln!(out, "log      {} events, {}", log.events, log.path.display())?;
    }
    Ok(())
}

/// Refuses to write where the ledger stands, or what belongs to it: its companions, the lock, the key, the configuration, and what
/// that names (the relay's secret, certificates and keys of the pages and for the relay).
pub(super) fn refuse_own(config: &Config, common: &Common, to: &Path) -> Result<(), Failure> {
    let file = common.config.clone().or_else(default_config);
    let secret = config.relay.as_ref().and_then(|relay| match &relay.secret_file {
        SecretSource::Path(path) => Some(&**path),
        SecretSource::Credential(_) => None,
    });
    let for_relay = config.relay.iter().filter_map(|relay| relay.client.as_ref());
    let certified = config.tls.iter().chain(for_relay);
    let certified = certified.flat_map(|tls| [&*tls.certificate_file, &*tls.key_file]);
    let others: Vec<&Path> = file
        .as_deref()
        .into_iter()
        .chain([&*config.ledger.signing_key_file])
        .chain(secret)
        .chain(certified)
        .collect();
    backup::refuse_own(&config.ledger.path, &others, to)
        .map_err(|error| Failure::new(exit_of(&error), error))
}

const fn exit_of(error: &BackupError) -> Exit {
    match error {
        BackupError::Itself { .. } | BackupError::Other { .. } | BackupError::Faulty { .. } => {
            Exit::No
        }
        BackupError::Outrun { .. } | BackupError::Underway { .. } | BackupError::Stopped => {
            Exit::Away
        }
        BackupError::Open(error) | BackupError::Verify(VerifyError::Open(error)) => {
            exit_of_open(error)
        }
        BackupError::Read { .. }
        | BackupError::Copy { .. }
        | BackupError::File { .. }
        | BackupError::Verify(_) => Exit::Ledger,
    }
}

const fn exit_of_open(error: &SchemaError) -> Exit {
    match error {
        SchemaError::Empty { .. } => Exit::NoInput,
        _ => Exit::Ledger,
    }
}

const fn exit_of_restore(error: &RestoreError) -> Exit {
    match error {
        // Something that is no ledger, or a newer one.
        RestoreError::Open(_)
        | RestoreError::Worse { .. }
        | RestoreError::Miscounted { .. }
        | RestoreError::Log(EventLogError::Diverged { .. }) => Exit::No,
        RestoreError::Backup(error) => exit_of(error),
        RestoreError::Busy { .. } => Exit::Away,
        RestoreError::Log(_)
        | RestoreError::Renew { .. }
        | RestoreError::Settle { .. }
        | RestoreError::Look { .. }
        | RestoreError::Key(_)
        | RestoreError::SetAside { .. } => Exit::Ledger,
    }
}
