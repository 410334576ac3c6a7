//! The tables of a ledger as CSV: ballots, scans, batches, exceptions.

use super::sheet::Sheet;
use super::{ExportError, Exported, PAGE_ROWS, Record, Standing};
use crate::ballot::{ElectionId, Status};
use crate::clock::Micros;
use crate::ledger::batches::{self, BatchCount, BatchStory};
use crate::ledger::fact::{Fact, ScanFact};
use crate::ledger::report::{After, Exception, Reader};
use crate::scan::Verdict;
use std::io;

/// Every ballot of the election.
pub(super) fn ballots(
    reader: &Reader,
    election: Option<&ElectionId>,
    out: &mut dyn io::Write,
) -> Result<Exported, ExportError> {
    let header = [
        "election",
        "ballot",
        "voter",
        "status",
        "reason",
        "since",
        "returned",
        "mailed",
        "receive_until",
        "style",
        "imb",
    ];
    let mut sheet = Sheet::begin(&header, out)?;
    let time = |at: Option<Micros>| at.map(|at| reader.zone.date_time(at)).unwrap_or_default();
    reader.each_ballot(election, &mut |standing| {
        let Standing { election, ballot, voter, imb, style, status, reason, .. } = &standing;
        sheet.row(&[
            election,
            ballot,
            voter,
            status.name(),
            text(reason.as_ref()),
            &time(standing.since),
            &time(standing.returned),
            &time(standing.mailed),
            &time(standing.receive_until),
            text(style.as_ref()),
            text(imb.as_ref()),
        ])
    })?;
    Ok(Exported { rows: sheet.rows(), ..Exported::default() })
}

/// Every scan.
pub(super) fn scans(reader: &Reader, out: &mut dyn io::Write) -> Result<Exported, ExportError> {
    let header = [
        "seq",
        "id",
        "at",
        "verdict",
        "scanner",
        "method",
        "batch",
        "symbology",
        "format",
        "election",
        "ballot",
        "code",
        "from",
        "to",
        "reason",
        "repaired",
        "command",
        "by",
    ];
    let mut sheet = Sheet::begin(&header, out)?;
    let station = station(reader)?;
    reader.each_event(&mut |Record { seq, event, .. }| {
        let Fact::Scan(scan) = &event.fact else { return Ok(()) };
        let ScanFact { verdict, scanner, symbology, format, code, reason, .. } = scan;
        let status = |status: Option<Status>| status.map_or("", Status::name);
        sheet.row(&[
            &seq.to_string(),
            &event.id,
            &reader.zone.date_time(event.at),
            verdict.name(),
            scanner,
            scan.method.name(),
            &batches::name(&station, scan.batch),
            symbology,
            text(format.as_ref()),
            scan.election.as_ref().map_or("", ElectionId::as_str),
            scan.ballot.as_ref().map_or("", |ballot| ballot.as_str()),
            text(code.as_ref()),
            status(scan.from),
            status(scan.to),
            text(reason.as_ref()),
            if scan.repaired { "yes" } else { "no" },
            text(scan.command.as_ref()),
            text(scan.by.as_ref()),
        ])
    })?;
    Ok(Exported { rows: sheet.rows(), ..Exported::default() })
}

/// Every batch, with its scans by verdict.
pub(super) fn batches(reader: &Reader, out: &mut dyn io::Write) -> Result<Exported, ExportError> {
    let mut header = vec![
        "batch",
        "day",
        "mode",
        "received_by",
        "received_at",
        "reason",
        "place",
        "seals",
        "opened",
        "opened_by",
        "closed",
        "closed_by",
        "counted",
        "envelopes",
        "counted_not_scanned",
        "scanned_not_counted",
        "explanation",
        "reversed",
        "reversed_by",
        "confirmed_by",
        "reversed_why",
        "scans",
    ];
    header.extend(Verdict::ALL.map(Verdict::name));
    let mut sheet = Sheet::begin(&header, out)?;
    let newest = reader.number("SELECT coalesce(max(number), 0) FROM batch")?;
    for number in 1..=u32::try_from(newest).unwrap_or(u32::MAX) {
        let story = reader.snapshot(|| reader.batch_story(number)).map_err(ExportError::Read)?;
        let Some(story) = story else { continue };
        let cells = batch_cells(story);
        sheet.row(&cells.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    Ok(Exported { rows: sheet.rows(), ..Exported::default() })
}

/// Every exception, those that wait first.
pub(super) fn exceptions(
    reader: &Reader,
    as_of: Micros,
    out: &mut dyn io::Write,
) -> Result<Exported, ExportError> {
    let header = [
        "seq",
        "id",
        "what",
        "at",
        "scanner",
        "batch",
        "election",
        "ballot",
        "reason",
        "counted_not_scanned",
        "scanned_not_counted",
        "settled",
    ];
    let mut sheet = Sheet::begin(&header, out)?;
    let mut after = Some(After::START);
    while let Some(from) = after {
        let limit = usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX);
        let page = reader.exceptions(from, limit, as_of).map_err(ExportError::Read)?;
        for exception in &page.exceptions {
            let Exception { seq, id, what, at, scanner, batch, election, ballot, reason, .. } =
                exception;
            let [missing, surplus] = exception.difference.map_or_else(Default::default, sides);
            sheet.row(&[
                &seq.to_string(),
                id,
                what,
                at,
                text(scanner.as_ref()),
                batch,
                text(election.as_ref()),
                text(ballot.as_ref()),
                text(reason.as_ref()),
                &missing,
                &surplus,
                exception.settled.map_or("", |settled| if settled { "yes" } else { "no" }),
            ])?;
        }
        after = page.next.as_deref().and_then(After::parse);
    }
    Ok(Exported { rows: sheet.rows(), ..Exported::default() })
}

fn batch_cells(story: BatchStory) -> Vec<String> {
    let opener = story.opener().unwrap_or_default();
    let mut cells = vec![
        story.batch,
        story.day.unwrap_or_default(),
        story.mode.name().to_owned(),
        story.received_by,
        story.received_at.unwrap_or_default(),
        story.reason.unwrap_or_default(),
        story.place.unwrap_or_default(),
        story.seals.join(" "),
        story.opened,
        opener,
    ];
    cells.extend(story.closed.map_or_else(Default::default, closing_cells));
    cells.extend(story.reversed.map_or_else(Default::default, |reversed| {
        [reversed.at, reversed.who.in_words(), reversed.confirmed_by, reversed.reason]
    }));
    cells.push(story.scans.values().sum::<i64>().to_string());
    let of = |verdict: Verdict| story.scans.get(verdict.name()).copied().unwrap_or(0);
    cells.extend(Verdict::ALL.map(|verdict| of(verdict).to_string()));
    cells
}

fn closing_cells(closed: BatchCount) -> [String; 7] {
    let [missing, surplus] = sides(closed.difference);
    let (counted, envelopes) = (closed.counted.to_string(), closed.envelopes.to_string());
    let explanation = closed.explanation.unwrap_or_default();
    [closed.at, closed.who.in_words(), counted, envelopes, missing, surplus, explanation]
}

/// A difference without a sign, which a spreadsheet could take for the start of a formula: too few scanned, too many scanned.
fn sides(difference: i64) -> [String; 2] {
    [difference.max(0).to_string(), difference.min(0).unsigned_abs().to_string()]
}

fn station(reader: &Reader) -> Result<String, ExportError> {
    reader.snapshot(|| reader.station()).map_err(ExportError::Read)
}

fn text(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}
