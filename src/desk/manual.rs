//! `/manual`: an envelope whose symbol is torn, by the number that is printed on it. Nothing is recorded before the clerk has seen
//! which ballot the number names and has typed it again; who looked a number up is kept with the session until then.

use super::act::needed;
use super::board::Seen;
use super::page::Frame;
use super::refusal::Refusal;
use super::signin;
use super::view::{ScanView, Tell};
use super::visit::{Outcome, Visit};
use crate::control::manual::{ManualCommand, Marked};
use crate::control::{Answer, Command};
use crate::ledger::{BY_HAND, LookedUp};
use crate::scan::Fill;
use askama::Template;

#[derive(Template)]
#[template(path = "manual.html")]
struct Manual<'v> {
    frame: Frame<'v>,
    /// The ballot that the number names, which is to be confirmed.
    found: Option<&'v LookedUp>,
    /// What came of the number before.
    marked: Option<ScanView>,
}

fn shown(visit: &Visit, found: Option<&LookedUp>, marked: Option<ScanView>) -> Outcome {
    visit.page(&Manual { frame: visit.frame("title.manual"), found, marked })
}

/// `GET /manual`.
pub(super) fn form(visit: &Visit) -> Outcome {
    shown(visit, None, None)
}

/// `POST /manual`: the first form looks the number up, the second one confirms it.
pub(super) async fn entered(mut visit: Visit) -> Outcome {
    let outcome = match visit.field("act") {
        Some("confirm") => confirmed(&mut visit).await.map(|view| shown(&visit, None, Some(view))),
        _ => looked_up(&mut visit).await.and_then(|found| with_session(&visit, &found)),
    };
    match outcome {
        Ok(page) => page,
        Err(why @ (Refusal::Rules(_) | Refusal::Malformed(_))) => {
            visit.refused = Some(why);
            form(&visit)
        }
        Err(why) => Err(why),
    }
}

fn with_session(visit: &Visit, found: &LookedUp) -> Result<Outcome, Refusal> {
    let cookie = signin::put_by(visit)?;
    Ok(shown(visit, Some(found), None).map(|page| signin::with_cookie(page, cookie)))
}

/// `POST /api/v1/manual/look-up`.
pub(super) async fn look_up(mut visit: Visit) -> Outcome {
    let found = looked_up(&mut visit).await?;
    let cookie = signin::put_by(&visit)?;
    Ok(signin::with_cookie(Visit::json(&found)?, cookie))
}

/// `POST /api/v1/manual/confirm`.
pub(super) async fn confirm(mut visit: Visit) -> Outcome {
    Visit::json(&confirmed(&mut visit).await?)
}

async fn looked_up(visit: &mut Visit) -> Result<LookedUp, Refusal> {
    // Whatever comes of it, what was looked up before is not confirmed any more.
    drop(signin::take_up(visit));
    let number = needed(visit, "number", "number_missing")?;
    let (number, again) = (number.to_owned(), visit.field("again").map(str::to_owned));
    match visit.command(Command::Manual(ManualCommand::LookUp { number, again })).await? {
        Answer::LookedUp(found) => Ok(found),
        _ => Err(Refusal::Malformed("no_look_up")),
    }
}

async fn confirmed(visit: &mut Visit) -> Result<ScanView, Refusal> {
    let number = needed(visit, "number", "number_missing")?;
    let number = number.to_owned();
    if let Some(guests) = signin::take_up(visit) {
        visit.visitor.guests = guests;
    }
    match visit.command(Command::Manual(ManualCommand::Confirm { number })).await? {
        Answer::Marked(marked) => Ok(view(visit, marked)),
        _ => Err(Refusal::Malformed("no_look_up")),
    }
}

/// What came of it, as of a scan.
fn view(visit: &Visit, marked: Marked) -> ScanView {
    let Marked { verdict, ballot, reason, earlier, batch, position, .. } = marked;
    let seen = Seen {
        number: 0,
        at: visit.now(),
        scanner: BY_HAND.to_owned(),
        verdict,
        ballot: ballot.map(|ballot| ballot.to_string()),
        reason,
        earlier,
        batch,
        position,
        fill: Fill::Room,
        text: None,
    };
    Tell::of(visit.settings()).scan(&seen, visit.words())
}
