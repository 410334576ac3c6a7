//! `/batches`: the list, one batch with its story, and opening, closing and reversing.

use super::act::{answered, needed, reason, second};
use super::page::Frame;
use super::refusal::{Refusal, Why};
use super::visit::{Outcome, Visit};
use crate::ballot::{Mode, ReceivedBy};
use crate::clock::Micros;
use crate::coded::coded;
use crate::control::batch::BatchCommand;
use crate::control::{Answer, Command};
use crate::ledger::{BatchPage, BatchSheet, Closing, NewBatch, ReadError, Reader};
use crate::reason::Reason;
use askama::Template;
use serde::Serialize;

/// Batches on a page.
const PAGE: usize = 50;

/// Scans of a batch that are shown one by one.
const SCANS_MAX: usize = 500;

#[derive(Template)]
#[template(path = "batches.html")]
struct List<'v> {
    frame: Frame<'v>,
    page: &'v BatchPage,
    modes: [&'static str; Mode::ALL.len()],
    ways: [&'static str; ReceivedBy::ALL.len()],
    reasons: [&'static str; Reason::ALL.len()],
}

#[derive(Template)]
#[template(path = "batch.html")]
struct One<'v> {
    frame: Frame<'v>,
    number: u32,
    whole: &'v Whole,
}

/// One batch with its scans.
#[derive(Debug, Serialize)]
struct Whole {
    #[serde(flatten)]
    sheet: BatchSheet,
    /// Different envelopes that were scanned and not taken back, as things stand.
    envelopes_now: u32,
    scanned: Vec<crate::ledger::BatchScan>,
    /// Scans after those.
    left_out: usize,
}

/// `GET /batches` and `GET /api/v1/batches`.
pub(super) async fn list(visit: Visit) -> Outcome {
    let before = visit.row("before", i64::MAX)?;
    let page = visit.read(move |reader| reader.batch_page(before, PAGE)).await?;
    if visit.is_api() {
        return Visit::json(&page);
    }
    visit.page(&List {
        frame: visit.frame("title.batches"),
        page: &page,
        modes: Mode::ALL.map(Mode::name),
        ways: ReceivedBy::ALL.map(ReceivedBy::name),
        reasons: Reason::ALL.map(Reason::name),
    })
}

fn whole(reader: &Reader, number: u32, now: Micros) -> Result<Option<Whole>, ReadError> {
    let Some(sheet) = reader.batch_sheet(number, now)? else { return Ok(None) };
    let contents = reader.batch(number, SCANS_MAX)?;
    Ok(contents.map(|contents| Whole {
        sheet,
        envelopes_now: contents.envelopes_now,
        scanned: contents.scanned,
        left_out: contents.left_out,
    }))
}

/// `GET /batches/{n}`, `GET /batches/{n}/print` and `GET /api/v1/batches/{n}`.
pub(super) async fn one(visit: Visit) -> Outcome {
    let (number, now) = (number(&visit)?, visit.now());
    let whole = visit.read(move |reader| whole(reader, number, now)).await?;
    let whole = whole.ok_or(Refusal::NotFound)?;
    if visit.is_api() {
        return Visit::json(&whole);
    }
    visit.page(&One { frame: visit.frame("title.batch"), number, whole: &whole })
}

/// The batch's number: `<n>`, or `<station>-<n>`.
fn number(visit: &Visit) -> Result<u32, Refusal> {
    let text = visit.param("n")?;
    let own = format!("{}-", visit.settings().station);
    text.strip_prefix(&own).unwrap_or(text).parse().map_err(|_none| Refusal::NotFound)
}

/// `POST /batches` and `POST /api/v1/batches`.
pub(super) async fn open(mut visit: Visit) -> Outcome {
    let done = open_as(&mut visit).await;
    answered(visit, done, "/batches", |visit| Box::pin(list(visit))).await
}

async fn open_as(visit: &mut Visit) -> Result<Answer, Refusal> {
    let text = |name| visit.field(name).map(str::to_owned);
    let none = |what| move |()| Refusal::Malformed(what);
    let mode = visit.field("mode").map(|name| Mode::from_name(name).ok_or(()));
    let way = visit.field("received_by").map(|name| ReceivedBy::from_name(name).ok_or(()));
    let cap = match visit.field("cap") {
        None => visit.settings().batch_cap,
        Some(cap) => cap.parse().map_err(|_no| Refusal::Malformed("cap"))?,
    };
    let wanted = NewBatch {
        mode: mode.transpose().map_err(none("no_mode"))?,
        received_by: way.transpose().map_err(none("no_way"))?.unwrap_or_default(),
        received_at: visit.field("received_at").map(|text| instant(visit, text)).transpose()?,
        reason: text("reason"),
        postmarked: visit.field("postmarked").is_some(),
        attention: text("attention"),
        place: text("place"),
        seals: visit.lines("seals"),
        cap: Some(cap).filter(|cap| *cap > 0),
    };
    visit.command(Command::Batch(BatchCommand::Open(wanted))).await
}

fn instant(visit: &Visit, text: &str) -> Result<Micros, Refusal> {
    let zone = &visit.settings().zone;
    let instant = Micros::parse_rfc3339(text).map_or_else(|| zone.exact(text), Ok);
    instant.map_err(|error| {
        let why = format!("{text}: {}", crate::event::chain(&error));
        Refusal::Rules(Why { why, coded: Some(coded("no_time", &[("text", &text)])) })
    })
}

/// `POST /batches/{n}/close` and the same of the API.
pub(super) async fn close(mut visit: Visit) -> Outcome {
    let batch = number(&visit)?;
    let done = close_as(&mut visit, batch).await;
    answered(visit, done, &format!("/batches/{batch}"), |visit| Box::pin(one(visit))).await
}

async fn close_as(visit: &mut Visit, batch: u32) -> Result<Answer, Refusal> {
    let counted = needed(visit, "counted", "counted_missing")?;
    let counted = counted.parse().map_err(|_no| Refusal::Malformed("count"))?;
    let explanation = visit.field("explanation").map(str::to_owned);
    let closing = Closing { batch, counted, explanation };
    visit.command(Command::Batch(BatchCommand::Close(closing))).await
}

/// `POST /batches/{n}/reverse` and the same of the API.
pub(super) async fn reverse(mut visit: Visit) -> Outcome {
    let batch = number(&visit)?;
    let done = reverse_as(&mut visit, batch).await;
    answered(visit, done, &format!("/batches/{batch}"), |visit| Box::pin(one(visit))).await
}

async fn reverse_as(visit: &mut Visit, batch: u32) -> Result<Answer, Refusal> {
    let reason = reason(visit)?;
    second(visit).await?;
    visit.command(Command::BatchReverse { batch, reason }).await
}
