//! `/`: what the clerk sees from two metres away. It shows and takes nothing: there is no field that could lose the focus.

use super::page::Frame;
use super::view::{ScanView, StateView, Tell};
use super::visit::{Outcome, Visit};
use askama::Template;

#[derive(Template)]
#[template(path = "clerk.html")]
struct Clerk<'v> {
    frame: Frame<'v>,
    /// The last verdict, if this daemon gave one.
    last: Option<ScanView>,
    scans: Vec<ScanView>,
    state: StateView,
}

impl Clerk<'_> {
    fn tone(&self) -> &'static str {
        self.last.as_ref().map_or("idle", |last| last.tone)
    }
}

/// `GET /`.
pub(super) fn page(visit: &Visit) -> Outcome {
    let (tell, words) = (Tell::of(visit.settings()), visit.words());
    let board = visit.desk.board.borrow().clone();
    let scans: Vec<_> = board.scans.iter().map(|seen| tell.scan(seen, words)).collect();
    let page = Clerk {
        frame: visit.frame("title.clerk"),
        last: scans.first().filter(|_| board.has_verdict()).cloned(),
        scans,
        state: tell.state(&board, words),
    };
    visit.page(&page)
}

/// `GET /api/v1/now`: the same as JSON.
pub(super) fn now(visit: &Visit) -> Outcome {
    let told = Tell::of(visit.settings()).all(&visit.desk.board.borrow(), visit.words());
    Visit::json(&told)
}
