//! A ballot's story in plain words of one language: one sentence for each event.

use super::refusal::Why;
use super::view::{self, detail, said};
use super::words::Words;
use crate::ballot::Status;
use crate::ledger::{BY_HAND, BallotStory, Chapter, Proposal, TwoPersonAct, VoterChange, Who};
use crate::scan::Verdict;

/// An event of the story.
pub(super) fn sentence(chapter: &Chapter, story: &BallotStory, words: Words<'_>) -> String {
    let who = people(chapter, words);
    let status = |status: Option<Status>| status.map_or_else(String::new, |s| named(s, words));
    let (from, to) = (status(chapter.from), status(chapter.to));
    let verdict = chapter.verdict.map_or("", Verdict::name);
    let says = words.of(&format!("verdict.{verdict}.says")).to_owned();
    let corrected = chapter.corrects.as_ref().and_then(|id| {
        story.history.iter().find(|earlier| earlier.id == *id).map(|earlier| earlier.at.as_str())
    });
    let of = chapter.proposal.as_ref().map(|it| proposal(it, words)).unwrap_or_default();
    let values = [
        ("by", chapter.by.as_str()),
        ("who", &who),
        ("batch", chapter.batch.as_deref().unwrap_or("?")),
        ("from", &from),
        ("to", &to),
        ("verdict", &says),
        ("of", if chapter.what == "declined" { &of } else { corrected.unwrap_or_default() }),
    ];
    let mut text = words.with(key(chapter, corrected), &values);
    if let Some(why) = &chapter.reason {
        // A scan's is the ledger's; of others it is what a person or a file said.
        let why = if chapter.what == "scanned" { detail(why, words) } else { said(why, words) };
        text.push_str(&words.with("story.because", &[("why", &why)]));
    }
    text.push('.');
    if let Some(VoterChange { before, after }) = &chapter.voter {
        text.push(' ');
        text.push_str(&words.with("story.voter", &[("before", before), ("after", after)]));
    }
    if let Some(told) = chapter.relay.and_then(|state| words.find(&format!("story.relay.{state}")))
    {
        text.push(' ');
        text.push_str(told);
    }
    text
}

/// Which sentence tells it.
fn key(chapter: &Chapter, corrected: Option<&str>) -> &'static str {
    match (chapter.what, chapter.to, corrected) {
        ("issued", ..) => "story.issued",
        ("imported", None, _) => "story.named",
        // What the file says, and what an event of its own did because of that.
        ("imported", Some(_), _) if chapter.from.is_none() => "story.named_as",
        ("imported", Some(_), _) => "story.imported",
        ("scanned", to, _) if chapter.by == BY_HAND => {
            if to.is_some() {
                "story.typed"
            } else {
                "story.typed_answered"
            }
        }
        ("scanned", Some(_), _) => "story.scanned",
        ("scanned", None, _) => "story.answered",
        ("undone", ..) => "story.undone",
        ("reversed", ..) => "story.reversed",
        ("declined", ..) => "story.declined",
        (_, _, Some(_)) => "story.corrected",
        _ => "story.set",
    }
}

/// Who did it, and who confirmed it.
fn people(chapter: &Chapter, words: Words<'_>) -> String {
    let who = Who { by: chapter.by.clone(), os_user: chapter.os_user.clone() };
    let by = view::who(&who, words);
    match &chapter.confirmed_by {
        Some(second) => words.with("story.two", &[("by", &by), ("second", second)]),
        None => by,
    }
}

fn named(status: Status, words: Words<'_>) -> String {
    words.of(&format!("status.{}", status.name())).to_owned()
}

/// A proposal as a sentence.
pub(super) fn proposal(proposal: &Proposal, words: Words<'_>) -> String {
    let number = proposal.proposal.to_string();
    let who = view::who(&proposal.who, words);
    let common = [("n", number.as_str()), ("who", &who), ("at", &proposal.at)];
    let mut text = match &proposal.what {
        TwoPersonAct::SetBallot { ballot, from, to, reason, .. } => {
            let (from, to) = (named(*from, words), named(*to, words));
            let why = said(reason, words);
            let own = [("ballot", ballot.as_str()), ("from", &from), ("to", &to), ("why", &why)];
            words.with("story.proposed_set", &[&common[..], &own].concat())
        }
        TwoPersonAct::ReverseBatch { batch, reason } => {
            let batch = proposal.batch_name.clone().unwrap_or_else(|| batch.to_string());
            let why = said(reason, words);
            let own = [("batch", batch.as_str()), ("why", &why)];
            words.with("story.proposed_reverse", &[&common[..], &own].concat())
        }
    };
    if let TwoPersonAct::SetBallot { beside: Some(other), .. } = &proposal.what {
        text.push(' ');
        text.push_str(&words.with("story.beside", &[("ballot", other.as_str())]));
    }
    if let Some(why) = &proposal.void_because {
        let why = Why { why: why.clone(), coded: proposal.void_coded.clone() };
        text.push(' ');
        text.push_str(&words.with("story.void", &[("why", &why.told(words))]));
    }
    text
}
