//! `ballot-intake batch`: opens, closes and shows batches.

use super::ask::{have_done, open_reader, unexpected};
use super::people;
use super::place::Place;
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

/// The number of a batch of this station.
fn number(config: &Config, batch: &str) -> Result<u32, Failure> {
    let own = format!("{}-", config.station.id);
    let number = batch.strip_prefix(&own).unwrap_or(batch);
    number.parse().map_err(|_none| {
        let id = &config.station.id;
        Failure::new(Exit::Usage, anyhow!("{batch} is no batch of station {id}, such as {id}-1"))
    })
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
        Answer::Refused { why } => return Err(Failure::new(Exit::No, anyhow!(why))),
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
        Answer::Refused { why } => return Err(Failure::new(Exit::No, anyhow!(why))),
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
    let contents = reader.batch(number).map_err(|e| Failure::new(Exit::Ledger, e))?;
    let Some(contents) = contents else {
        let id = &config.station.id;
        return Err(Failure::new(Exit::No, anyhow!("there is no batch {id}-{number}")));
    };
    if common.json {
        print_json(&contents)?;
    } else {
        print_contents(&contents)?;
    }
    Ok(Exit::Done)
}

fn print_story(story: &BatchStory) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let scans: Vec<_> = story.scans.iter().map(|(name, n)| format!("{name} {n}")).collect();
    let scans = if scans.is_empty() { "no scan".to_owned() } else { scans.join(", ") };
    let counted = match (story.envelopes, story.counted) {
        (Some(envelopes), Some(counted)) => {
            format!("; {envelopes} envelopes scanned, {counted} counted")
        }
        _ => String::new(),
    };
    writeln!(
        out,
        "{} {} {} by {}, opened {}: {scans}{counted}",
        story.batch,
        story.state,
        story.mode.name(),
        story.received_by,
        story.opened
    )?;
    Ok(())
}

fn print_contents(contents: &Contents) -> Result<(), Failure> {
    let Contents { story, envelopes_now, scanned } = contents;
    print_story(story)?;
    let mut out = io::stdout().lock();
    let seals = story.seals.join(", ");
    let cap = story.cap.map(|cap| cap.to_string());
    let postmarked = story.postmarked.then(|| "in time".to_owned());
    let seals = Some(seals).filter(|seals| !seals.is_empty());
    for (what, told) in [
        ("opened by", &story.opened_by),
        ("received at", &story.received_at),
        ("because", &story.reason),
        ("postmarked", &postmarked),
        ("voters are told", &story.attention),
        ("place", &story.place),
        ("seals", &seals),
        ("full at", &cap),
        ("closed", &story.closed),
        ("closed by", &story.closed_by),
        ("explained", &story.explanation),
        ("reversed", &story.reversed),
        ("proposed by", &story.reversed_by),
        ("confirmed by", &story.confirmed_by),
        ("because", &story.reversal_reason),
    ] {
        if let Some(told) = told {
            writeln!(out, "  {what} {told}")?;
        }
    }
    writeln!(out, "  different envelopes: {envelopes_now}")?;
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
    Ok(())
}
