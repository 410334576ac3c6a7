//! What every form and every act of the API share: the second person, and what is answered in the end.

use super::fields::{Field, Kind, may};
use super::refusal::Refusal;
use super::routes::Answering;
use super::visit::{Outcome, Visit};
use super::words::Words;
use crate::control::batch::BatchAnswer;
use crate::control::{Answer, Command, Hand};
use crate::ledger::{LeftAlone, Moved, Reversed};

/// The second person's fields.
pub(super) const SECOND_OPERATOR: Field = may("second_operator", Kind::Text);
pub(super) const SECOND_SECRET: Field = may("second_secret", Kind::Secret);

/// Whoever confirms what follows, there and then; nobody where no password and no badge was given.
pub(super) async fn second(visit: &mut Visit) -> Result<(), Refusal> {
    let Some(secret) = visit.secret("second_secret") else {
        return match visit.field("second_operator") {
            Some(_) => Err(Refusal::Malformed("second_secret")),
            None => Ok(()),
        };
    };
    let operator = visit.field("second_operator").filter(|_| !secret.is_badge()).map(str::to_owned);
    visit.command(Command::SignIn { operator, secret, hand: Hand::Second }).await.map(drop)
}

/// A field that must be there.
pub(super) fn needed<'v>(
    visit: &'v Visit,
    name: &str,
    says: &'static str,
) -> Result<&'v str, Refusal> {
    visit.field(name).ok_or(Refusal::Malformed(says))
}

/// Why something is done: a county's own code as the name of the reason that it means, any other text as it is.
pub(super) fn reason(visit: &Visit) -> Result<String, Refusal> {
    let text = needed(visit, "reason", "reason_missing")?;
    Ok(visit.settings().reasons.name_of(text))
}

/// The key of what was done, for the page that follows.
const fn done_key(answer: &Answer) -> &'static str {
    match answer {
        Answer::Moved(moved) if moved.scan.is_some() => "taken_back",
        Answer::Moved(_) => "moved",
        Answer::Proposed { .. } => "proposed",
        Answer::Declined { .. } => "declined",
        Answer::Reversed(_) => "reversed",
        Answer::Dropped(_) => "dropped",
        Answer::OperatorAdded { .. } => "operator_added",
        Answer::OperatorDisabled { .. } => "operator_disabled",
        Answer::Batch(BatchAnswer::Opened(_)) => "opened",
        Answer::Batch(BatchAnswer::Closed(_)) => "closed",
        Answer::Retried { .. } => "retried",
        Answer::Checkpointed(_) => "checkpointed",
        Answer::Acknowledged { .. } => "acknowledged",
        _ => "done",
    }
}

/// What else is to be said of what was done, in sentences.
pub(super) fn told(answer: &Answer, words: Words<'_>) -> Vec<String> {
    match answer {
        Answer::Moved(Moved { beside: Some(other), .. }) => {
            vec![words.with("told.beside", &[("ballot", other.as_str())])]
        }
        Answer::Reversed(Reversed { moved, left, left_alone, .. }) => {
            let (moved, left) = (moved.to_string(), left.to_string());
            let alone = |LeftAlone { ballot, status, .. }: &LeftAlone| {
                let status = words.of(&format!("status.{}", status.name())).to_owned();
                let values = [("ballot", ballot.as_str()), ("status", &status)];
                words.with("told.left_alone", &values)
            };
            let sum = words.with("told.reversed", &[("moved", &moved), ("left", &left)]);
            [sum].into_iter().chain(left_alone.iter().map(alone)).collect()
        }
        _ => Vec::new(),
    }
}

/// What came of an act: as JSON; else the page at `place` that says so, or the form once more with what was refused.
pub(super) async fn answered(
    mut visit: Visit,
    done: Result<Answer, Refusal>,
    place: &str,
    again: fn(Visit) -> Answering,
) -> Outcome {
    match done {
        Ok(answer) if visit.is_api() => Visit::json(&answer),
        Ok(answer) => {
            let address = format!("{place}?done={}", done_key(&answer));
            let led = Visit::see_other(&address);
            if let Some(session) = &visit.visitor.session {
                visit.desk.sessions.tell(session, address, answer);
            }
            led
        }
        Err(why @ (Refusal::Rules(_) | Refusal::Malformed(_))) if !visit.is_api() => {
            visit.refused = Some(why);
            again(visit).await
        }
        Err(why) => Err(why),
    }
}
