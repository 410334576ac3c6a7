//! `/undo`: the last scan that changed something, taken back. It is shown first, and only the scan that was shown is taken back;
//! where that takes two people, both sign there and then.

use super::act::answered;
use super::page::Frame;
use super::refusal::Refusal;
use super::visit::{Outcome, Visit};
use crate::control::{Answer, Command};
use crate::ledger::{Reader, Undoable};
use askama::Template;
use serde::Serialize;

#[derive(Template)]
#[template(path = "undo.html")]
struct Undo<'v> {
    frame: Frame<'v>,
    last: Option<&'v Undoable>,
}

#[derive(Debug, Serialize)]
struct Last {
    last: Option<Undoable>,
}

/// `GET /undo` and `GET /api/v1/undo`.
pub(super) async fn page(visit: Visit) -> Outcome {
    let last = visit.read(Reader::undoable).await?;
    if visit.is_api() {
        return Visit::json(&Last { last });
    }
    visit.page(&Undo { frame: visit.frame("title.undo"), last: last.as_ref() })
}

/// `POST /undo` and `POST /api/v1/undo`.
pub(super) async fn take_back(mut visit: Visit) -> Outcome {
    let done = take_back_as(&mut visit).await;
    answered(visit, done, "/undo", |visit| Box::pin(page(visit))).await
}

async fn take_back_as(visit: &mut Visit) -> Result<Answer, Refusal> {
    // A page never takes back what it did not show.
    let of = visit.field("of").map(str::to_owned);
    if of.is_none() && !visit.is_api() {
        return Err(Refusal::Malformed("no_scan"));
    }
    visit.command(Command::Undo { of }).await
}
