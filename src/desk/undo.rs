//! `/undo`: the last scan that changed something, taken back. It is shown first, and only the scan that was shown is taken back;
//! where that takes two people, both sign there and then.

use super::act::answered;
use super::page::Frame;
use super::refusal::Refusal;
use super::view::refused;
use super::visit::{Outcome, Visit};
use crate::control::{Answer, Command};
use crate::ledger::{Reader, Undoable};
use askama::Template;
use serde::Serialize;

#[derive(Template)]
#[template(path = "undo.html")]
struct Undo<'v> {
    frame: Frame<'v>,
    /// Whether the scan is shown, with what takes it back. It is not on a page that says what came of an earlier press: a second
    /// one there would take back what nobody looked at.
    shows: bool,
    last: Option<&'v Undoable>,
    /// Why nobody can take it back.
    refused: Option<String>,
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
    let why = last.as_ref().and_then(|last| last.refused.as_ref());
    visit.page(&Undo {
        frame: visit.frame("title.undo"),
        shows: visit.refused.is_none() && visit.query("done").is_none(),
        last: last.as_ref(),
        refused: why.and_then(|why| refused(why, visit.words())),
    })
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
