//! What stands behind the links of messages: "this wasn't me", and the end of messages to an address. A GET shows a button and
//! changes nothing, for mail scanners follow links; the POST acts, without cookie or token, as RFC 8058 has it.

use crate::alarm::{Alarm, raise};
use crate::key::Purpose;
use crate::news::Channel;
use crate::params;
use crate::store::{StoreError, Tx};
use crate::suppress;
use crate::voter::VoterId;
use crate::web::{Frame, Outcome, Refusal, Visit};
use askama::Template;

/// The keys of a page's words.
#[derive(Debug, Clone, Copy)]
struct Words {
    title: &'static str,
    lead: &'static str,
    ask: Option<&'static str>,
    button: &'static str,
    done: &'static str,
}

const NOT_ME: Words = Words {
    title: "title.not_me",
    lead: "not_me.lead",
    ask: Some("not_me.ask"),
    button: "not_me.button",
    done: "not_me.done",
};

const UNSUBSCRIBE: Words = Words {
    title: "title.unsubscribe",
    lead: "unsubscribe.lead",
    ask: None,
    button: "unsubscribe.button",
    done: "unsubscribe.done",
};

#[derive(Template)]
#[template(path = "link.html")]
struct Link<'v> {
    frame: Frame<'v>,
    words: Words,
    said: Said,
}

/// Whether the button was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Asked,
    Done,
}

/// Whose link it is: the notice, if the link is one of ours.
fn notice(visit: &Visit, purpose: Purpose) -> Result<String, Refusal> {
    let (id, tag) = (visit.param("id")?, visit.param("tag")?);
    if visit.site.keys().verify(purpose, id, tag) {
        Ok(id.to_owned())
    } else {
        Err(Refusal::NotFound)
    }
}

fn page(visit: &Visit, words: Words, said: Said) -> Outcome {
    visit.page(&Link { frame: visit.frame(words.title), words, said })
}

/// `GET /not-me/{id}/{tag}`.
pub(super) fn not_me_form(visit: &Visit) -> Outcome {
    notice(visit, Purpose::NotMe)?;
    page(visit, NOT_ME, Said::Asked)
}

/// `POST /not-me/{id}/{tag}`.
pub(super) async fn not_me(visit: Visit) -> Outcome {
    let (notice, now) = (notice(&visit, Purpose::NotMe)?, visit.now());
    visit
        .write(move |tx| {
            let found = "SELECT county, voter FROM notice WHERE id = $1";
            let Some(row) = tx.row(found, params![&notice])? else { return Ok(()) };
            let id = VoterId { county: row.text(0)?, voter: row.text(1)? };
            say_not_me(tx, &id, now)
        })
        .await?;
    page(&visit, NOT_ME, Said::Done)
}

/// `POST /me/not-me`.
pub(super) async fn not_me_here(visit: Visit) -> Outcome {
    let (id, now) = (visit.voter()?, visit.now());
    visit.write(move |tx| say_not_me(tx, &id, now)).await?;
    Visit::see_other("/me?done=reported")
}

/// The office must look: somebody may have this voter's ballot.
fn say_not_me(tx: &mut Tx<'_>, id: &VoterId, now: crate::clock::Micros) -> Result<(), StoreError> {
    let alarm = Alarm {
        county: &id.county,
        kind: "not_me",
        subject: &id.voter,
        what: "A voter says that they did not return this ballot. Set the envelope aside and call the voter.",
    };
    raise(tx, alarm, now)
}

/// `GET /unsubscribe/{id}/{tag}`.
pub(super) fn unsubscribe_form(visit: &Visit) -> Outcome {
    notice(visit, Purpose::Unsubscribe)?;
    page(visit, UNSUBSCRIBE, Said::Asked)
}

/// `POST /unsubscribe/{id}/{tag}`.
pub(super) async fn unsubscribe(visit: Visit) -> Outcome {
    let (notice, now) = (notice(&visit, Purpose::Unsubscribe)?, visit.now());
    visit
        .write(move |tx| {
            let found = "SELECT channel, address FROM notice WHERE id = $1";
            let Some(row) = tx.row(found, params![&notice])? else { return Ok(()) };
            let channel = Channel::from_name(&row.text(0)?).ok_or(StoreError::Column(0))?;
            suppress::suppress(tx, (channel, &row.text(1)?), "unsubscribed", now)
        })
        .await?;
    page(&visit, UNSUBSCRIBE, Said::Done)
}
