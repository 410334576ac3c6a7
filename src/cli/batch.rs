//! `ballot-intake batch`: opens, closes and shows batches.

use super::ask::{have_done, open_reader, unexpected};
use super::people;
use super::place::Place;
use super::report::text;
use super::{Common, Exit, Failure, print_json};
use crate::ballot::{Mode, ReceivedBy};
use crate::clock::{Micros, Zone};
use crate::config::Config;
use crate::control::batch::{BatchAnswer, BatchCommand as Asked};
use crate::control::{Answer, Command};
use crate::event::chain;
use crate::ledger::{BatchStory, Closing, Contents, NewBatch, OpenBatch};
use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::io::{self, Write as _};

/// Scans of a batch that are shown one by one.
const SCANS_MAX: usize = 100_000;

/// What is done with batches.
#[derive(Debug, Subcommand)]
pub(super) enum BatchCommand {
    /// Open a batch: every scan goes to it until it is closed.
    Open(Open),
    /// List every batch.
    List,
    /// Show one batch with its scans.
    Show {
        /// Its name, <station>-<n>, or its number.
        batch: String,
    },
    /// Close a batch: what was counted by hand is what was scanned, or say why not.
    Close {
        /// Its name, <station>-<n>, or its number.
        batch: String,
        /// Envelopes counted by hand.
        #[arg(long, value_name = "N")]
        counted: u32,
        /// Why that is not what was scanned.
        #[arg(long, value_name = "TEXT")]
        explain: Option<String>,
    },
    /// Take back all that a closed batch's scans moved; takes two operators.
    Reverse {
        /// Its name, <station>-<n>, or its number.
        batch: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// The second operator, who confirms there and then; needs --operator.
        #[arg(long, value_name = "NAME")]
        confirmed_by: Option<String>,
    },
}

/// What is said of a batch that is opened.
#[derive(Debug, Args)]
pub(super) struct Open {
    /// What its scans do: receive, accept, `needs_attention`, undeliverable or lookup; else what the station is configured for.
    #[arg(long, value_name = "MODE", value_parser = mode)]
    mode: Option<Mode>,
    /// How its envelopes came: mail, `drop_box`, `in_person` or other.
    #[arg(long, value_name = "WAY", default_value = ReceivedBy::Mail.name(), value_parser = received_by)]
    received_by: ReceivedBy,
    /// When they came, where that was earlier: RFC 3339, or the facility's local YYYY-MM-DDTHH:MM. Takes a supervisor.
    #[arg(long, value_name = "TIME", requires = "reason")]
    received_at: Option<String>,
    /// Why that was earlier.
    #[arg(long, value_name = "TEXT", requires = "received_at")]
    reason: Option<String>,
    /// All were postmarked in time, so the later deadline of such envelopes holds.
    #[arg(long)]
    postmarked: bool,
    /// In mode `needs_attention`: what the voters must do.
    #[arg(long, value_name = "REASON")]
    attention: Option<String>,
    /// The drop box or the mail tray.
    #[arg(long, value_name = "TEXT")]
    place: Option<String>,
    /// The number of a seal; once for each.
    #[arg(long = "seal", value_name = "N")]
    seals: Vec<String>,
    /// Warn from so many scans on, 0 for never; else as the station is configured.
    #[arg(long, value_name = "N")]
    cap: Option<u32>,
}

fn mode(text: &str) -> Result<Mode, String> {
    Mode::from_name(text).ok_or_else(|| format!("one of {}", Mode::ALL.map(Mode::name).join(", ")))
}

fn received_by(text: &str) -> Result<ReceivedBy, String> {
    ReceivedBy::from_name(text)
        .ok_or_else(|| format!("one of {}", ReceivedBy::ALL.map(ReceivedBy::name).join(", ")))
}

/// `ballot-intake batch`.
pub(super) fn batch(
    place: &Place,
    common: &Common,
    command: BatchCommand,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    match command {
        BatchCommand::Open(wanted) => open(place, &config, common, wanted),
        BatchCommand::List => list(&config, common),
        BatchCommand::Show { batch } => show(&config, common, number(&config, &batch)?),
        BatchCommand::Close { batch, counted, explain: explanation } => {
            let batch = number(&config, &batch)?;
            close(place, &config, common, Closing { batch, counted, explanation })
        }
        BatchCommand::Reverse { batch, reason, confirmed_by } => {
            let batch = number(&config, &batch)?;
            let wanted = people::Reversal { batch, reason, confirmed_by };
            people::batch_reverse(place, &config, common, wanted)
        }
    }
}

/// The number of a batch of this station: `<station>-<n>`, or `<n>`.
pub(super) fn number(config: &Config, batch: &str) -> Result<u32, Failure> {
    let own = format!("{}-", config.station.id);
    let number = batch.strip_prefix(&own).unwrap_or(batch);
    number.parse().map_err(|_none| {
        let id = &config.station.id;
        Failure::new(Exit::Usage, anyhow!("{batch} is no batch of station {id}, such as {id}-1"))
    })
}

/// There is no such batch.
pub(super) fn none(config: &Config, number: u32) -> Failure {
    Failure::new(Exit::No, anyhow!("there is no batch {}-{number}", config.station.id))
}

/// What `batch open --json` says.
#[derive(Serialize)]
struct Opened<'a> {
    #[serde(flatten)]
    open: &'a OpenBatch,
    received_by: ReceivedBy,
    received_at: Option<String>,
    postmarked: bool,
    attention: Option<&'a str>,
    place: Option<&'a str>,
    seals: &'a [String],
    cap: Option<u32>,
}

fn open(place: &Place, config: &Config, common: &Common, wanted: Open) -> Result<Exit, Failure> {
    let zone = &config.facility.timezone;
    let received_at = wanted.received_at.as_deref().map(|text| instant(zone, text)).transpose()?;
    let later = config.election.as_ref().and_then(|election| election.postmarked_receive_until);
    if wanted.postmarked && later.is_none() {
        let error = anyhow!(
            "--postmarked would change nothing: the configuration has no [election] postmarked_receive_until"
        );
        return Err(Failure::new(Exit::No, error));
    }
    let wanted = NewBatch {
        mode: wanted.mode,
        received_by: wanted.received_by,
        received_at,
        reason: wanted.reason,
        postmarked: wanted.postmarked,
        attention: wanted.attention,
        place: wanted.place,
        seals: wanted.seals,
        cap: Some(wanted.cap.unwrap_or(config.station.batch_cap)).filter(|cap| *cap > 0),
    };
    match have_done(place, common, config, Command::Batch(Asked::Open(wanted.clone())))? {
        Answer::Batch(BatchAnswer::Opened(open)) if common.json => print_json(&Opened {
            open: &open,
            received_by: wanted.received_by,
            received_at: received_at.map(|at| zone.date_time(at)),
            postmarked: wanted.postmarked,
            attention: wanted.attention.as_deref(),
            place: wanted.place.as_deref(),
            seals: &wanted.seals,
            cap: wanted.cap,
        })?,
        Answer::Batch(BatchAnswer::Opened(open)) => {
            writeln!(io::stdout().lock(), "{}", open.batch)?;
        }
        Answer::Refused { why, .. } => return Err(Failure::new(Exit::No, anyhow!(why))),
        other => return Err(unexpected(&other)),
    }
    Ok(Exit::Done)
}

fn instant(zone: &Zone, text: &str) -> Result<Micros, Failure> {
    let instant = Micros::parse_rfc3339(text).map_or_else(|| zone.exact(text), Ok);
    instant.map_err(|error| {
        Failure::new(Exit::Usage, anyhow!("--received-at {text}: {}", chain(&error)))
    })
}

fn close(
    place: &Place,
    config: &Config,
    common: &Common,
    closing: Closing,
) -> Result<Exit, Failure> {
    match have_done(place, common, config, Command::Batch(Asked::Close(closing)))? {
        Answer::Batch(BatchAnswer::Closed(closed)) if common.json => print_json(&closed)?,
        Answer::Batch(BatchAnswer::Closed(closed)) => {
            let because = closed.explanation.map(|why| format!(" ({why})")).unwrap_or_default();
            writeln!(
                io::stdout().lock(),
                "batch {} is closed: {} envelopes scanned, {} counted{because}",
                closed.batch,
                closed.envelopes,
                closed.counted
            )?;
        }
        Answer::Refused { why, .. } => return Err(Failure::new(Exit::No, anyhow!(why))),
        other => return Err(unexpected(&other)),
    }
    Ok(Exit::Done)
}

fn list(config: &Config, common: &Common) -> Result<Exit, Failure> {
    let reader = open_reader(config)?;
    let stories = reader.batch_list().map_err(|e| Failure::new(Exit::Ledger, e))?;
    for story in &stories {
        if common.json { print_json(story)? } else { print_story(story)? }
    }
    Ok(Exit::Done)
}

fn show(config: &Config, common: &Common, number: u32) -> Result<Exit, Failure> {
    let reader = open_reader(config)?;
    let contents = reader.batch(number, SCANS_MAX).map_err(|e| Failure::new(Exit::Ledger, e))?;
    let contents = contents.ok_or_else(|| none(config, number))?;
    if common.json {
        print_json(&contents)?;
    } else {
        print_contents(&mut io::stdout().lock(), &contents)?;
    }
    Ok(Exit::Done)
}

fn print_story(story: &BatchStory) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let scans = story.scans.iter().filter(|(_, n)| **n != 0);
    let scans: Vec<_> = scans.map(|(name, n)| format!("{name} {n}")).collect();
    let scans = if scans.is_empty() { "no scan".to_owned() } else { scans.join(", ") };
    let counted = story.closed.as_ref().map(|closed| {
        format!("; {} envelopes scanned, {} counted", closed.envelopes, closed.counted)
    });
    writeln!(
        out,
        "{} {} {} by {}, opened {}: {scans}{}",
        story.batch,
        story.state,
        story.mode.name(),
        story.received_by,
        story.opened,
        counted.unwrap_or_default()
    )?;
    Ok(())
}

fn print_contents(out: &mut dyn io::Write, contents: &Contents) -> io::Result<()> {
    let Contents { story, envelopes_now, scanned, left_out } = contents;
    text::story(out, story)?;
    writeln!(out, "different envelopes: {envelopes_now}")?;
    for scan in scanned {
        let ballot = scan.ballot.as_ref().map(|id| format!(" ballot {id}")).unwrap_or_default();
        let reason = scan.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        let counts = match scan.counts_as {
            "envelope" => "",
            "again" => ", scanned before",
            _ => ", taken back",
        };
        writeln!(
            out,
            "  {:>5} {} {}: {}{ballot}{reason}{counts}",
            scan.position, scan.at, scan.scanner, scan.verdict
        )?;
    }
    if *left_out > 0 {
        writeln!(out, "  and {left_out} more: export csv --what scans")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn scans_that_are_left_out_are_told() {
        let story = BatchStory {
            batch: "intake-1-1".to_owned(),
            state: "open",
            mode: Mode::Receive,
            day: None,
            received_by: "mail".to_owned(),
            received_at: None,
            reason: None,
            postmarked: false,
            attention: None,
            place: None,
            seals: Vec::new(),
            cap: None,
            opened: "2026-11-02T12:00:00-07:00".to_owned(),
            opened_by: Some("mary".to_owned()),
            opened_os_user: None,
            closed: None,
            reversed: None,
            scans: BTreeMap::new(),
        };
        let contents = Contents { story, envelopes_now: 3, scanned: Vec::new(), left_out: 3 };
        let mut out = Vec::new();
        print_contents(&mut out, &contents).unwrap();
        let told = String::from_utf8(out).unwrap();
        assert!(told.ends_with("\n  and 3 more: export csv --what scans\n"), "{told}");
        assert!(told.contains("\nopened by    user mary\n"), "{told}");
    }
}
