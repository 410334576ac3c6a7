//! `ballot-intake export`: the ledger to a file for others, or to standard output.

use super::place::Place;
use super::{Common, Exit, Failure, ask, care, print_json};
use crate::ledger::{Export, ExportError, Exported, Reader};
use anyhow::{Context as _, anyhow};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What is written at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// Exports `what` to `out`, else to standard output.
pub(super) fn export(
    place: &Place,
    common: &Common,
    what: Export,
    out: Option<&Path>,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let reader = ask::open_reader(&config)?;
    if let Some(path) = out {
        care::refuse_own(&config, common, path)?;
    }
    if let (Some(election), true) = (&common.election, what != Export::Nist1500101Documentation) {
        ask::must_know(&reader, election, Exit::NoInput)?;
    }
    // Ballots are those of one election; everything else is the station's.
    let election = match what {
        Export::Ballots | Export::BallottraxStatus => Some(ask::election(&config, common)?),
        _ => common.election.clone().or(config.election.map(|election| election.id)),
    };
    let now = place.clock.now();
    let mut write =
        |to: &mut dyn io::Write| reader_writes(&reader, what, election.as_ref(), now, to);
    let exported = match out {
        None => {
            let exported = write(&mut BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock()))?;
            say_left_out(&mut io::stderr().lock(), &exported)?;
            exported
        }
        Some(path) => {
            let exported = to_file(path, &mut write)?;
            say(common, path, &exported)?;
            exported
        }
    };
    // What the file lacks that it should have is no success.
    Ok(if exported.formulas == 0 { Exit::Done } else { Exit::No })
}

fn reader_writes(
    reader: &Reader,
    what: Export,
    election: Option<&crate::ballot::ElectionId>,
    now: crate::clock::Micros,
    to: &mut dyn io::Write,
) -> Result<Exported, Failure> {
    reader.export(what, election, now, to).map_err(|error| {
        // On standard output there is nobody to tell more; a file has its own words.
        let exit = if matches!(error, ExportError::Write(_)) { Exit::Away } else { Exit::Ledger };
        Failure::new(exit, error)
    })
}

/// Writes beside the file, and puts it in place when it is whole and synced: nobody finds half a file under its name.
pub(super) fn to_file<T>(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn io::Write) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let beside = beside(path)?;
    let cannot = |source: io::Error| {
        let error = anyhow!(source).context(format!("cannot write {}", path.display()));
        Failure { exit: Exit::Ledger, error }
    };
    let file = make(&beside).map_err(cannot)?;
    let mut to = BufWriter::with_capacity(BUFFER_BYTES, file);
    let written = write(&mut to).and_then(|written| {
        let file = to.into_inner().map_err(|error| cannot(error.into_error()))?;
        file.sync_all().and_then(|()| std::fs::rename(&beside, path)).map_err(cannot)?;
        Ok(written)
    });
    written.map_err(|failure| {
        // What is left of it is of no use; that it may stay there does not hide why it failed.
        drop(std::fs::remove_file(&beside));
        let error = failure.error.context(format!("cannot make {}", path.display()));
        Failure { exit: Exit::Ledger, error }
    })
}

/// Only the ledger's own people may read it.
fn make(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(path)
}

fn beside(path: &Path) -> Result<PathBuf, Failure> {
    let name = path
        .file_name()
        .with_context(|| format!("{} names no file", path.display()))
        .map_err(|error| Failure { exit: Exit::Usage, error })?;
    let mut beside = name.to_owned();
    beside.push(".part");
    Ok(path.with_file_name(beside))
}

fn say(common: &Common, path: &Path, exported: &Exported) -> Result<(), Failure> {
    let Exported { rows, left_out, formulas, formula_ids } = exported;
    if common.json {
        let file = path.display().to_string();
        return print_json(&serde_json::json!({
            "file": file, "rows": rows, "left_out": left_out, "formulas": formulas, "formula_ids": formula_ids,
        }));
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {rows} rows", path.display())?;
    say_left_out(&mut out, exported)
}

fn say_left_out(out: &mut dyn io::Write, exported: &Exported) -> Result<(), Failure> {
    let Exported { left_out, formulas, formula_ids, .. } = exported;
    if *left_out > 0 {
        writeln!(out, "{left_out} voided ballots are left out: the file has no word for them")?;
    }
    if *formulas > 0 {
        writeln!(
            out,
            "{formulas} ballots are left out: a spreadsheet could take the ids of their voters for formulas"
        )?;
        for id in formula_ids {
            writeln!(out, "{id:?}")?;
        }
        if u64::try_from(formula_ids.len()).is_ok_and(|told| told < *formulas) {
            writeln!(out, "...")?;
        }
    }
    Ok(())
}
