//! `ledger checkpoint`, `ledger verify` and `ledger rebuild`: signing the ledger, and proving that nobody changed it.

use super::ask::{have_done, must_exist, take_lock, unexpected};
use super::export::to_file;
use super::place::Place;
use super::{Common, Exit, Failure, care, print_json};
use crate::config::Config;
use crate::control::{Answer, Command};
use crate::daemon::ledger_settings;
use crate::ledger::{Against, Held, HeldError, PublicKey, Rebuilt, Verified, VerifyError};
use anyhow::anyhow;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// Longest checkpoint file, in bytes.
const CHECKPOINT_BYTES_MAX: u64 = 64 * 1024;

/// `ballot-intake ledger checkpoint`. The note alone goes to standard output, so that a redirection is a checkpoint's file.
pub(super) fn checkpoint(
    place: &Place,
    common: &Common,
    out: Option<&Path>,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    if let Some(path) = out {
        care::refuse_own(&config, common, path)?;
    }
    let made = match have_done(place, common, &config, Command::LedgerCheckpoint {})? {
        Answer::Checkpointed(made) => made,
        Answer::Refused { why, .. } => return Err(Failure::new(Exit::No, anyhow!(why))),
        other => return Err(unexpected(&other)),
    };
    if let Some(path) = out {
        to_file(path, &mut |to| Ok(to.write_all(made.note.as_bytes())?))?;
    }
    if common.json {
        print_json(&made)?;
    } else if out.is_some() {
        writeln!(io::stdout().lock(), "{}", made.paper)?;
        writeln!(io::stderr().lock(), "public key: {}", made.key)?;
    } else {
        write!(io::stdout().lock(), "{}", made.note)?;
        writeln!(io::stderr().lock(), "on paper: {}", made.paper)?;
        writeln!(io::stderr().lock(), "public key: {}", made.key)?;
    }
    Ok(Exit::Done)
}

/// `ballot-intake ledger verify`.
pub(super) fn verify(
    place: &Place,
    common: &Common,
    key: Option<PublicKey>,
    checkpoints: &[String],
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let held = checkpoints.iter().map(|text| read_held(text)).collect::<Result<_, _>>()?;
    let verified = crate::ledger::verify_against(&config.ledger.path, &Against { key, held })
        .map_err(|e| not_verified(&config, e))?;
    say_verified(common, &verified)?;
    Ok(if verified.ok { Exit::Done } else { Exit::No })
}

/// A checkpoint by its file, else by what stands on paper.
fn read_held(text: &str) -> Result<Held, Failure> {
    let path = Path::new(text);
    let refused = |exit, error: HeldError| {
        Failure::new(exit, anyhow!(error).context(format!("{text} is no checkpoint")))
    };
    let mut note = String::new();
    match File::open(path) {
        Ok(file) => {
            file.take(CHECKPOINT_BYTES_MAX).read_to_string(&mut note).map_err(|error| {
                Failure::new(Exit::NoInput, anyhow!(error).context(format!("cannot read {text}")))
            })?;
            Held::parse(&note).map_err(|error| refused(Exit::No, error))
        }
        Err(error) => Held::parse(text).map_err(|why| {
            if error.kind() == io::ErrorKind::NotFound && text.contains(char::is_whitespace) {
                refused(Exit::Usage, why)
            } else {
                Failure::new(Exit::NoInput, anyhow!(error).context(format!("cannot read {text}")))
            }
        }),
    }
}

/// `ballot-intake ledger rebuild`.
pub(super) fn rebuild(place: &Place, common: &Common) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    must_exist(&config.ledger.path)?;
    let lock = take_lock(&config)?;
    let rebuilt = crate::ledger::rebuild(&ledger_settings(&config));
    drop(lock);
    match rebuilt {
        Ok(rebuilt) => say_rebuilt(common, &rebuilt).map(|()| Exit::Done),
        Err(error @ VerifyError::Broken { .. }) => Err(Failure::new(Exit::No, error)),
        Err(error) => Err(not_verified(&config, error)),
    }
}

fn say_rebuilt(common: &Common, rebuilt: &Rebuilt) -> Result<(), Failure> {
    if common.json {
        return print_json(rebuilt);
    }
    let mut out = io::stdout().lock();
    for differed in &rebuilt.differed {
        let rows = if differed.rows == 1 { "row" } else { "rows" };
        writeln!(out, "table {}: {} {rows} differed", differed.table, differed.rows)?;
    }
    if rebuilt.differed.is_empty() {
        writeln!(out, "every table was as the events have it")?;
    }
    drop(out);
    say_verified(common, &rebuilt.verified)
}

fn say_verified(common: &Common, verified: &Verified) -> Result<(), Failure> {
    if common.json {
        return print_json(verified);
    }
    let mut out = io::stdout().lock();
    if let Some(fault) = &verified.fault {
        writeln!(out, "{}; {} events before it hold", fault.what, verified.events)?;
    } else {
        writeln!(out, "{} events hold; the last is {}", verified.events, verified.head)?;
    }
    if let Some(key) = &verified.key {
        writeln!(out, "it is of the station with the public key {key}")?;
    }
    if let Some(newest) = &verified.checkpoint {
        writeln!(
            out,
            "the newest checkpoint in it is {}; {} events follow the row that it covers",
            newest.paper, newest.follow
        )?;
    }
    if let Some(tail) = &verified.tail {
        writeln!(
            out,
            "a cut tail is found back to row {}, by the last checkpoint that {}; {} events follow it",
            tail.seq, tail.held, tail.follow
        )?;
    } else {
        writeln!(out, "no checkpoint is known to be held elsewhere: a cut tail is not found")?;
    }
    Ok(())
}

fn not_verified(config: &Config, error: VerifyError) -> Failure {
    let exit =
        if fs::exists(&config.ledger.path).unwrap_or(true) { Exit::Ledger } else { Exit::NoInput };
    Failure::new(exit, error)
}
