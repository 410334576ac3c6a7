//! A ballot's whole story in plain words: one sentence for each event.

use super::people::in_words;
use crate::ballot::Status;
use crate::ledger::{BallotStory, Chapter, Proposal, TwoPersonAct, VoterChange, Who};
use crate::scan::Verdict;
use std::io;

/// Tells the story, and what is proposed.
pub(super) fn tell(out: &mut impl io::Write, story: &BallotStory) -> io::Result<()> {
    let because = because(story.reason.as_deref());
    writeln!(
        out,
        "ballot {} of voter {} in election {}: {}{because}",
        story.ballot, story.voter, story.election, story.status
    )?;
    for (kind, code) in &story.codes {
        writeln!(out, "  {kind} {code}")?;
    }
    for chapter in &story.history {
        writeln!(out, "  {}: {}", chapter.at, sentence(chapter, story))?;
    }
    for proposal in &story.proposals {
        writeln!(out, "  {}.", in_words(proposal))?;
    }
    Ok(())
}

fn sentence(chapter: &Chapter, story: &BallotStory) -> String {
    let what = match chapter.what {
        "issued" => format!("The file {} issued it{}", chapter.by, as_status(chapter.to)),
        "imported" if chapter.from.is_none() => {
            format!("The file {} names it{}{}", chapter.by, as_status(chapter.to), voter(chapter))
        }
        "imported" => format!("An import moved it {}", from_to(chapter)),
        "scanned" => return scanned(chapter),
        "undone" => format!(
            "{} took the scan back{}, which moved it {}",
            people(chapter),
            corrected(chapter, story),
            from_to(chapter)
        ),
        "reversed" => format!(
            "{} reversed batch {}, which moved it {}",
            people(chapter),
            chapter.batch.as_deref().unwrap_or("?"),
            from_to(chapter)
        ),
        "declined" => format!("{} declined {}", people(chapter), declined(chapter)),
        _ => {
            format!("{} set it {}{}", people(chapter), from_to(chapter), corrected(chapter, story))
        }
    };
    format!("{what}{}.{}", because(chapter.reason.as_deref()), told(chapter))
}

fn scanned(chapter: &Chapter) -> String {
    let place = match &chapter.batch {
        Some(batch) => format!("Scanned at {} in batch {batch}", chapter.by),
        None => format!("Scanned at {}", chapter.by),
    };
    let because = because(chapter.reason.as_deref());
    let came = match (chapter.to, chapter.verdict) {
        (Some(_), _) => format!("moved {}", from_to(chapter)),
        (None, Some(Verdict::Found)) => "only looked up".to_owned(),
        (None, Some(verdict)) => format!("answered {verdict}; nothing changed"),
        (None, None) => "nothing changed".to_owned(),
    };
    format!("{place}: {came}{because}.{}", told(chapter))
}

/// Who did it, and who confirmed it.
fn people(chapter: &Chapter) -> String {
    let who = Who { by: chapter.by.clone(), os_user: chapter.os_user.clone() };
    let mut text = who.in_words();
    // An operator's name stays as it is written.
    if who.os_user.is_none()
        && let Some(first) = text.get_mut(..1)
    {
        first.make_ascii_uppercase();
    }
    match &chapter.confirmed_by {
        Some(second) => format!("{text}, confirmed by {second},"),
        None => text,
    }
}

/// What was proposed.
fn declined(chapter: &Chapter) -> String {
    match &chapter.proposal {
        Some(Proposal {
            proposal,
            who,
            what: TwoPersonAct::SetBallot { from, to, reason, .. },
            ..
        }) => {
            format!("proposal {proposal} of {}: from {from} to {to} ({reason})", who.by)
        }
        _ => "a proposal".to_owned(),
    }
}

/// Whose it was, where it became another voter's.
fn voter(chapter: &Chapter) -> String {
    let change = chapter.voter.as_ref();
    change
        .map(|VoterChange { before, after }| {
            format!(", and makes it voter {after}'s; it was voter {before}'s")
        })
        .unwrap_or_default()
}

fn as_status(to: Option<Status>) -> String {
    to.map(|to| format!(" as {to}")).unwrap_or_default()
}

fn from_to(chapter: &Chapter) -> String {
    match (chapter.from, chapter.to) {
        (Some(from), Some(to)) => format!("from {from} to {to}"),
        (None, Some(to)) => format!("to {to}"),
        (_, None) => "nowhere".to_owned(),
    }
}

/// Which event it says was wrong, by its time.
fn corrected(chapter: &Chapter, story: &BallotStory) -> String {
    let of = chapter.corrects.as_ref().and_then(|id| {
        story.history.iter().find(|earlier| earlier.id == *id).map(|earlier| &earlier.at)
    });
    match of {
        Some(at) if chapter.what == "undone" => format!(" of {at}"),
        Some(at) => format!(", as what was done at {at} was wrong"),
        None => String::new(),
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|why| format!(" ({why})")).unwrap_or_default()
}

/// What the relay was told of it.
fn told(chapter: &Chapter) -> &'static str {
    match chapter.relay {
        Some("held") => " The relay is not told yet.",
        Some("owed") => " The relay is being told.",
        Some("set_aside") => " The relay refused to hear it; a supervisor must look.",
        Some("delivered") => " The relay was told.",
        Some("withdrawn") => " It was corrected before the relay was told, and never is.",
        Some("dropped") => " The relay refused to hear it, and is never told.",
        _ => "",
    }
}
