//! `/ballots`: finds a ballot by a number of its own, of its voter or of its envelope, tells its story, and sets it.

use super::act::{answered, needed, reason, second};
use super::page::Frame;
use super::refusal::Refusal;
use super::story;
use super::visit::{Outcome, Visit};
use crate::ballot::{BallotId, ElectionId, Status};
use crate::control::{Answer, Command};
use crate::ledger::{BallotStory, Reader};
use crate::scan::{Face, Symbol};
use askama::Template;
use serde::Serialize;

/// Longest number that is looked for, in bytes.
const NUMBER_BYTES_MAX: usize = 256;

#[derive(Template)]
#[template(path = "ballots.html")]
struct Search<'v> {
    frame: Frame<'v>,
    number: &'v str,
    election: &'v str,
    found: &'v [BallotStory],
}

/// What was found.
#[derive(Debug, Serialize)]
struct Found {
    ballots: Vec<BallotStory>,
}

#[derive(Template)]
#[template(path = "ballot.html")]
struct One<'v> {
    frame: Frame<'v>,
    story: &'v BallotStory,
    /// Each event with its time, in words.
    told: Vec<(&'v str, String)>,
    proposed: Vec<(i64, String)>,
    /// The voter's other ballots.
    others: Vec<BallotStory>,
    statuses: [Status; Status::ALL.len()],
}

/// `GET /ballots` and `GET /api/v1/ballots`.
pub(super) async fn search(visit: Visit) -> Outcome {
    let number = visit.query("number").unwrap_or_default().trim().to_owned();
    if number.len() > NUMBER_BYTES_MAX {
        return Err(Refusal::Malformed("number_length"));
    }
    let own = visit.settings().election.as_ref().map_or("", ElectionId::as_str);
    let election = visit.query("election").unwrap_or(own).trim().to_owned();
    let captures = match visit.settings().formats.face(&[Symbol::untold(number.as_bytes())]) {
        Face::Names(captures) => captures,
        _ => Vec::new(),
    };
    let ballots = if number.is_empty() || election.is_empty() {
        Vec::new()
    } else {
        let (election, number) = (election.clone(), number.clone());
        visit.read(move |reader| reader.find(&election, &number, &captures)).await?
    };
    if visit.is_api() {
        return Visit::json(&Found { ballots });
    }
    if let [only] = ballots.as_slice() {
        return Visit::see_other(&place(&only.election, &only.ballot));
    }
    visit.page(&Search {
        frame: visit.frame("title.ballots"),
        number: &number,
        election: &election,
        found: &ballots,
    })
}

/// Where a ballot's page is.
pub(super) fn place(election: &str, ballot: &str) -> String {
    let (election, ballot) = (super::page::encoded(election), super::page::encoded(ballot));
    format!("/ballots/{election}/{ballot}")
}

/// `GET /ballots/{election}/{ballot}` and the same of the API.
pub(super) async fn one(visit: Visit) -> Outcome {
    let (election, ballot) =
        (visit.param("election")?.to_owned(), visit.param("ballot")?.to_owned());
    let read = move |reader: &Reader| {
        let Some(story) = reader.ballot(&election, &ballot)? else { return Ok(None) };
        let mut others = reader.voter(&election, &story.voter)?;
        others.retain(|other| other.ballot != story.ballot);
        Ok(Some((story, others)))
    };
    let (story, others) = visit.read(read).await?.ok_or(Refusal::NotFound)?;
    if visit.is_api() {
        return Visit::json(&story);
    }
    let words = visit.words();
    let told = |chapter| story::sentence(chapter, &story, words);
    let proposed = |proposal| story::proposal(proposal, words);
    visit.page(&One {
        frame: visit.frame("title.ballot"),
        told: story.history.iter().map(|chapter| (chapter.at.as_str(), told(chapter))).collect(),
        proposed: story.proposals.iter().map(|p| (p.proposal, proposed(p))).collect(),
        story: &story,
        others,
        statuses: Status::ALL,
    })
}

/// `POST /ballots/{election}/{ballot}/set` and the same of the API.
pub(super) async fn set(mut visit: Visit) -> Outcome {
    let place = place(visit.param("election")?, visit.param("ballot")?);
    let done = set_as(&mut visit).await;
    answered(visit, done, &place, |visit| Box::pin(one(visit))).await
}

async fn set_as(visit: &mut Visit) -> Result<Answer, Refusal> {
    let election = ElectionId::new(visit.param("election")?).map_err(|_none| Refusal::NotFound)?;
    let ballot = BallotId::new(visit.param("ballot")?).map_err(|_none| Refusal::NotFound)?;
    let status = needed(visit, "status", "status_missing")?;
    let status = Status::from_name(status).ok_or(Refusal::Malformed("no_status"))?;
    let reason = reason(visit)?;
    let shown = |name| Status::from_name(name).ok_or(Refusal::Malformed("no_status"));
    let from = visit.field("from").map(shown).transpose()?;
    second(visit).await?;
    visit.command(Command::BallotSet { election, ballot, status, reason, from }).await
}
