//! Commands that bring something in, or say how things stand.

use super::{Failure, say};
use crate::callback::bounce;
use crate::intake::files::{self, FileError, Report};
use crate::relay::Relay;
use crate::store::{StoreError, Tx};
use crate::told::chain;
use clap::Subcommand;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which file.
#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// The voter file: `voter,first_name,last_name,birth_date,zip[,confidential]`; any word but a plain no makes confidential.
    Voters {
        /// CSV with a header; `-` is standard input.
        file: PathBuf,
        /// The county's id.
        #[arg(long)]
        county: String,
    },
    /// The mail ballot file: `ballot,voter[,election,status,reason,mailed,happened,imb,imb_out]`.
    Ballots {
        /// CSV with a header; `-` is standard input.
        file: PathBuf,
        /// The county's id.
        #[arg(long)]
        county: String,
        /// Of rows that name none.
        #[arg(long)]
        election: Option<String>,
    },
    /// The Postal Service's legacy file of scans.
    Postal {
        /// CSV without a header; `-` is standard input.
        file: PathBuf,
    },
}

/// Takes a file and says what became of its rows.
pub(super) fn import(relay: &Arc<Relay>, import: Import) -> Result<(), Failure> {
    let report = match import {
        Import::Voters { file, county } => files::voters(relay, &county, open(&file)?),
        Import::Ballots { file, county, election } => {
            files::ballots(relay, (&county, election.as_deref()), open(&file)?)
        }
        Import::Postal { file } => files::postal_file(relay, open(&file)?),
    };
    let Report { rows, changed, refused, refusals } = report.map_err(|error| {
        let code = if matches!(error, FileError::Store(_)) { 69 } else { 1 };
        Failure::new(code, chain(&error))
    })?;
    let refusals: Vec<_> =
        refusals.iter().map(|(line, why)| json!({"line": line, "why": why})).collect();
    say(&json!({"rows": rows, "changed": changed, "refused": refused, "refusals": refusals})
        .to_string())
}

/// The file; or what is piped in, for one that the relay's own user may not open.
fn open(file: &Path) -> Result<Box<dyn Read>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let opened = File::open(file)
        .map_err(|error| Failure::new(66, format!("cannot read {}: {error}", file.display())))?;
    Ok(Box::new(opened))
}

/// Takes a bounce from standard input. What is none, or came to no address of ours, changes nothing and is no failure: the mail
/// server would only send it back.
pub(super) fn bounce(relay: &Arc<Relay>, recipient: String) -> Result<(), Failure> {
    let found = bounce::read(io::stdin().lock())
        .map_err(|error| Failure::new(66, format!("cannot read the message: {error}")))?;
    let Some(found) = found else { return say("no bounce") };
    let (shared, now) = (Arc::clone(relay), relay.clock.now());
    let taken = relay
        .store
        .write_now(move |tx| bounce::take(tx, &shared.config, (&recipient, &found), now));
    let taken = taken.map_err(|error| Failure::new(75, chain(&error)))?;
    say(if taken { "taken" } else { "nothing of ours" })
}

/// Counts, as JSON.
pub(super) fn report(relay: &Arc<Relay>) -> Result<(), Failure> {
    let counted = relay.store.read_now(|tx| {
        Ok(json!({
            "voters": tx.count("SELECT COUNT(*) FROM voter", &[])?,
            "enrolled": tx.count("SELECT COUNT(*) FROM enrolment WHERE ended_at IS NULL", &[])?,
            "ballots": by(tx, "SELECT status, COUNT(*) FROM ballot GROUP BY status")?,
            "notices": by(tx, "SELECT state, COUNT(*) FROM notice GROUP BY state")?,
            "events": by(tx, "SELECT state, COUNT(*) FROM event GROUP BY state")?,
            "alarms": by(tx, "SELECT kind, COUNT(*) FROM alarm WHERE closed_at IS NULL GROUP BY kind")?,
        }))
    });
    say(&counted.map_err(|error| Failure::new(69, chain(&error)))?.to_string())
}

fn by(tx: &mut Tx<'_>, sql: &str) -> Result<Map<String, Value>, StoreError> {
    tx.rows(sql, &[])?.iter().map(|row| Ok((row.text(0)?, row.int(1)?.into()))).collect()
}
