//! Reports for people: aligned text, every time with date, time and offset.

use crate::ballot::Status;
use crate::event::printable;
use crate::ledger::{
    BatchReport, BatchReversal, BatchSheet, BatchStory, DayReport, Exception, Exceptions, Flow,
    NamedScans, Reconciliation, Report, Who,
};
use std::io;

/// Batches that the whole report shows, the newest; `--json` has all.
const BATCHES_SHOWN: usize = 20;

/// The width of names of statuses and verdicts.
const NAME: usize = 18;

/// The width of counts.
const COUNT: usize = 12;

/// The whole ledger in counts.
pub(in crate::cli) fn whole(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    let election = report.election.as_deref().unwrap_or("(none)");
    writeln!(out, "election {election}, as of {}", report.as_of)?;
    let lines = [
        ("ballots", list(report.ballots.iter().map(|(name, n)| (*name, *n)))),
        ("scans", list(report.scans.iter().map(|(name, n)| (*name, *n)))),
        ("outbox", list(report.outbox.iter().map(|(name, n)| (*name, *n)))),
    ];
    for (what, counts) in lines {
        writeln!(out, "{what:8} {counts}")?;
    }
    writeln!(out, "repeats  {}, half frames {}", report.repeats, report.no_reads)?;
    let hidden = report.batches.len().saturating_sub(BATCHES_SHOWN);
    if hidden > 0 {
        writeln!(out, "batches  {hidden} older ones: report --batch N")?;
    }
    for batch in report.batches.iter().skip(hidden) {
        writeln!(out, "batch    {}", batch_line(batch))?;
    }
    Ok(())
}

fn batch_line(batch: &BatchReport) -> String {
    let BatchReport { batch: name, mode, received_by, opened, closed, reversed, scans, .. } = batch;
    let closed = closed.as_ref().map(|at| format!(", closed {at}")).unwrap_or_default();
    let reversed = if *reversed { ", reversed" } else { "" };
    let scans = list(scans.iter().map(|(name, n)| (name.as_str(), *n)));
    format!("{name} ({mode}, by {received_by}), opened {opened}{closed}{reversed}: {scans}")
}

/// One local day.
pub(super) fn day(out: &mut dyn io::Write, report: &DayReport) -> io::Result<()> {
    writeln!(out, "{}: {} to {}, as of {}", report.day, report.from, report.until, report.as_of)?;
    counts(out, "scans", report.scans.iter().map(|(name, n)| (*name, *n)))?;
    for hour in &report.hours {
        let scans = list(hour.scans.iter().map(|(name, n)| (name.as_str(), *n)));
        writeln!(out, "hour     {}  {scans}", hour.hour)?;
    }
    let named = [("scanner", &report.scanners), ("batch", &report.batches)];
    for (what, all) in named {
        for NamedScans { name, scans } in all {
            let scans = list(scans.iter().map(|(name, n)| (name.as_str(), *n)));
            writeln!(out, "{what:8} {}  {scans}", printable(name))?;
        }
    }
    Ok(())
}

/// One batch, with what somebody has to look at in it.
pub(super) fn batch(out: &mut dyn io::Write, report: &BatchSheet) -> io::Result<()> {
    let BatchSheet { story: told, exceptions, checkpoint, as_of } = report;
    story(out, told)?;
    let checkpoint = checkpoint.clone().unwrap_or_default();
    named(out, &[("checkpoint", checkpoint), ("as of", as_of.clone())])?;
    exceptions.iter().try_for_each(|exception| exception_line(out, exception))
}

/// What was said of a batch from its opening to its end, and its scans in counts.
pub(in crate::cli) fn story(out: &mut dyn io::Write, story: &BatchStory) -> io::Result<()> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let postmarked = if story.postmarked { "all in time" } else { "" };
    let scanned = "as each was scanned".to_owned();
    named(
        out,
        &[
            ("batch", story.batch.clone()),
            ("mode", story.mode.name().to_owned()),
            ("day", text(&story.day)),
            ("received by", story.received_by.clone()),
            ("received at", story.received_at.clone().unwrap_or(scanned)),
            ("why earlier", text(&story.reason)),
            ("postmarked", postmarked.to_owned()),
            ("voters must", text(&story.attention)),
            ("place", text(&story.place)),
            ("seals", story.seals.join(", ")),
            ("cap", story.cap.map(|cap| cap.to_string()).unwrap_or_default()),
            ("opened", story.opened.clone()),
            ("opened by", story.opener().unwrap_or_else(|| Who::station().in_words())),
        ],
    )?;
    match &story.closed {
        None if story.opener().is_none() => named(
            out,
            &[("closed", "no: it takes the day's scans while no other batch is open".to_owned())],
        )?,
        None => named(out, &[("closed", "no: it takes scans".to_owned())])?,
        Some(closed) => named(
            out,
            &[
                ("closed", closed.at.clone()),
                ("closed by", closed.who.in_words()),
                ("counted", closed.counted.to_string()),
                ("scanned", format!("{} envelopes that were not taken back", closed.envelopes)),
                ("difference", format!("{:+}", closed.difference)),
                ("explanation", text(&closed.explanation)),
            ],
        )?,
    }
    if let Some(BatchReversal { at, who, confirmed_by, reason }) = &story.reversed {
        let by = format!("{}, confirmed by {confirmed_by}", who.in_words());
        named(out, &[("REVERSED", at.clone()), ("by", by), ("because", reason.clone())])?;
    }
    counts(out, "scans", story.scans.iter().map(|(name, n)| (*name, *n)))
}

/// A line for each that is not empty.
fn named(out: &mut dyn io::Write, lines: &[(&str, String)]) -> io::Result<()> {
    for (what, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{what:12} {}", printable(value))?;
    }
    Ok(())
}

/// What somebody has to look at.
pub(super) fn exceptions(out: &mut dyn io::Write, report: &Exceptions) -> io::Result<()> {
    writeln!(out, "exceptions, as of {}", report.as_of)?;
    report.exceptions.iter().try_for_each(|exception| exception_line(out, exception))?;
    match &report.next {
        Some(next) => writeln!(out, "more: --after {next}"),
        None => Ok(()),
    }
}

fn exception_line(out: &mut dyn io::Write, exception: &Exception) -> io::Result<()> {
    let Exception { what, at, scanner, batch, ballot, reason, difference, settled, .. } = exception;
    let state = match (settled, what.as_str()) {
        (_, "to_pull") => "PULL",
        (Some(false), _) => "OPEN",
        (Some(true), _) => "settled",
        (None, _) => "",
    };
    let what = match what.as_str() {
        "already_received" => "already_received (a second envelope?)",
        what => what,
    };
    let ballot = ballot.as_ref().map(|ballot| format!(", ballot {ballot}")).unwrap_or_default();
    let scanner = scanner.as_ref().map(|name| format!(", scanner {}", printable(name)));
    let difference = difference.map(|n| format!(" of {n:+} by hand")).unwrap_or_default();
    let why = reason.as_ref().map(|why| format!(": {}", printable(why))).unwrap_or_default();
    let scanner = scanner.unwrap_or_default();
    writeln!(out, "{state:8}{at}  {what}{difference}{ballot}, batch {batch}{scanner}{why}")
}

/// Whether everything adds up.
pub(super) fn reconciliation(out: &mut dyn io::Write, report: &Reconciliation) -> io::Result<()> {
    writeln!(out, "reconciliation of election {}, as of {}", report.election, report.as_of)?;
    writeln!(out)?;
    writeln!(out, "{:NAME$}{:>COUNT$}", "issued", report.issued)?;
    for status in Status::ALL.map(Status::name) {
        let n = report.ballots.get(status).copied().unwrap_or(0);
        let waiting: Vec<String> = report
            .waiting
            .iter()
            .filter_map(|(verdict, of)| of.get(status).map(|n| (verdict, *n)))
            .filter(|(_, n)| *n != 0)
            .map(|(verdict, n)| format!("{n} {verdict}"))
            .collect();
        let waiting = if waiting.is_empty() {
            String::new()
        } else {
            format!("  of them {}", waiting.join(", "))
        };
        writeln!(out, "  {status:16}{n:>COUNT$}{waiting}")?;
    }
    let says = balance(report.issued == report.sum);
    writeln!(out, "{:NAME$}{:>COUNT$}  {says}", "sum", report.sum)?;
    flows(out, report)?;
    let (scans, days) = (report.scans.sum, report.scans.days.len());
    writeln!(out)?;
    writeln!(
        out,
        "{:NAME$}{scans:>COUNT$}  on {days} days of batches: {}",
        "scans",
        balance(report.scans.balanced)
    )?;
    counts(out, "  of them", report.scans.verdicts.iter().map(|(name, n)| (*name, *n)))?;
    for day in &report.scans.days {
        let verdicts = list(day.verdicts.iter().map(|(name, n)| (name.as_str(), *n)));
        writeln!(out, "  {} {:13}{:>COUNT$}  {verdicts}", day.day, day.batch, day.scans)?;
    }
    let counted = &report.hand_counts;
    writeln!(out)?;
    writeln!(
        out,
        "{:NAME$}{:>COUNT$}  {} {} open",
        "closed batches",
        counted.batches,
        counted.open,
        if counted.open == 1 { "is" } else { "are" }
    )?;
    writeln!(out, "{:NAME$}{:>COUNT$}", "counted by hand", counted.counted)?;
    writeln!(out, "{:NAME$}{:>COUNT$}", "scanned in them", counted.envelopes)?;
    writeln!(
        out,
        "{:NAME$}{:>+COUNT$}  in {} batches: report --exceptions",
        "difference", counted.difference, counted.different
    )?;
    writeln!(out)?;
    let end =
        if report.balanced { "everything adds up" } else { "NOT BALANCED: run ledger verify" };
    writeln!(out, "{end}")
}

/// What moved ballots: in one line what came less what left, by each means.
fn flows(out: &mut dyn io::Write, report: &Reconciliation) -> io::Result<()> {
    writeln!(out)?;
    let heads = ["issued", "by scans", "taken back", "by hand", "by imports", "= now"];
    let heads: String = heads.map(|head| format!("{head:>COUNT$}")).concat();
    writeln!(out, "{:NAME$}{heads}", "came less left")?;
    for flow in report.moves.iter().chain([&report.taken_in]) {
        writeln!(out, "  {}", flow_line(flow))?;
    }
    Ok(())
}

fn flow_line(flow: &Flow) -> String {
    let net = |means: &str| {
        let of =
            |side: &std::collections::BTreeMap<&str, i64>| side.get(means).copied().unwrap_or(0);
        of(&flow.came) - of(&flow.left)
    };
    let nets: String = ["scans", "undone", "by_hand", "imports"]
        .map(|means| format!("{:>+COUNT$}", net(means)))
        .concat();
    let name = if flow.status == "taken_in" { "in the building" } else { flow.status };
    format!(
        "{name:16}{:>COUNT$}{nets}{:>COUNT$}  {}",
        flow.issued,
        flow.now,
        balance(flow.balanced)
    )
}

#[expect(clippy::fn_params_excessive_bools, reason = "it says in words what a report says in JSON")]
const fn balance(holds: bool) -> &'static str {
    if holds { "balanced" } else { "NOT BALANCED" }
}

fn counts(
    out: &mut dyn io::Write,
    what: &str,
    counts: impl Iterator<Item = (&'static str, i64)>,
) -> io::Result<()> {
    writeln!(out, "{what:8} {}", list(counts))
}

/// Counts that are not zero, in words.
fn list<N: std::fmt::Display>(counts: impl Iterator<Item = (N, i64)>) -> String {
    let named: Vec<_> =
        counts.filter(|(_, n)| *n != 0).map(|(name, n)| format!("{name} {n}")).collect();
    if named.is_empty() { "none".to_owned() } else { named.join(", ") }
}
