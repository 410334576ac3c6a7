//! Signing in and adding operators: what takes a password's hash, and so is not done on the ledger's thread.

use super::password::{self, PasswordError};
use super::{Answer, Command, failed, refused};
use crate::coded::{Coded, Refuses, coded};
use crate::event::LogEvent;
use crate::ledger::{
    Act, Challenge, Claim, Ledger, NewOperator, NotKnown, Party, PeopleRequest, Person, Proof,
    Refusal, Renewal, Request, Role, Secret, Typed, Who,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The code of having tried too often to sign in.
pub const SIGN_IN_LOCKED: &str = "sign_in_locked";

/// As whom somebody signs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hand {
    /// Who asks for what follows.
    #[default]
    First,
    /// Who confirms it there and then.
    Second,
}

/// Those on the other side: a user of the operating system, and whoever signed in.
#[derive(Debug, Clone)]
pub struct Guests {
    os_user: String,
    pub(super) party: Party,
    /// The number that was looked up last, and may be confirmed.
    pub(super) looked_up: Option<(String, Typed)>,
}

impl Guests {
    /// A user of the operating system, or a place that people ask from.
    pub fn os_user(name: String) -> Self {
        let party = Party::of(Person::os_user(name.clone()));
        Self { os_user: name, party, looked_up: None }
    }

    /// Somebody whose token reads as an auditor, and changes nothing.
    pub fn reader(operator: String, place: String) -> Self {
        let who = Who { by: operator, os_user: Some(place.clone()) };
        let party = Party::of(Person { who, role: Some(Role::Auditor) });
        Self { os_user: place, party, looked_up: None }
    }

    /// Whoever was to confirm asks for what follows, where somebody was.
    pub fn second_comes_first(&mut self) {
        if let Some(second) = self.party.second.take() {
            self.party.by = second;
        }
    }

    /// Lets somebody in who proved who they are.
    pub(crate) fn admit(&mut self, person: Person, hand: Hand) {
        match hand {
            Hand::First => self.party.by = person,
            Hand::Second => self.party.second = Some(person),
        }
    }

    /// Who asks, and who confirms.
    pub const fn party(&self) -> &Party {
        &self.party
    }

    /// The operator who asks, and their role, once one signed in.
    pub fn operator(&self) -> Option<(&str, Role)> {
        let Person { who, role } = &self.party.by;
        role.map(|role| (who.by.as_str(), role))
    }
}

/// A command that takes its time.
#[derive(Debug, Clone)]
pub(super) enum Slow {
    /// Sign in.
    SignIn { operator: Option<String>, secret: Secret, hand: Hand },
    /// Add an operator.
    Add { operator: String, role: Role, secret: Secret },
}

/// Carries it out and waits on this thread, which must not be a runtime's.
pub(super) fn carry_out(ledger: &Ledger, slow: Slow, guests: &mut Guests) -> Answer {
    let answer = match slow {
        Slow::SignIn { operator, secret, hand } => {
            let claim = Claim { operator, badge: Some(secret.clone()).filter(Secret::is_badge) };
            sign_in(ledger, claim, &secret, guests).map(|signed| match signed {
                Ok((operator, role)) => {
                    let who = Who { by: operator.clone(), os_user: Some(guests.os_user.clone()) };
                    let person = Person { who, role: Some(role) };
                    guests.admit(person, hand);
                    Answer::SignedIn { operator, role }
                }
                Err(why) => refused(&why),
            })
        }
        Slow::Add { operator, role, secret } => {
            add(ledger, operator, role, &secret, guests.party.by.clone())
        }
    };
    answer.unwrap_or_else(|NotKnown| failed())
}

impl Command {
    /// What it is called where it is written down that it was refused. What reads, and pieces of an import, are not; signing in says
    /// more of itself.
    pub(super) const fn noted(&self) -> Option<&'static str> {
        Some(match self {
            Self::BallotSet { .. } => "ballot_set",
            Self::Batch(_) => "batch",
            Self::OperatorAdd { .. } => "operator_add",
            Self::OperatorDisable { .. } => "operator_disable",
            Self::OperatorTokens { .. } => "operator_tokens",
            Self::BatchReverse { .. } => "batch_reverse",
            Self::Decide { .. } => "decide",
            Self::OutboxDrop { .. } => "outbox_drop",
            Self::Undo { .. } => "undo",
            Self::OutboxRetry {} => "outbox_retry",
            Self::LedgerCheckpoint {} => "ledger_checkpoint",
            Self::ImportBegin {} => "import",
            Self::Sheet { .. } => "sheet",
            Self::Manual(_) => "manual",
            Self::Acknowledge { .. } => "acknowledge",
            Self::SignIn { .. }
            | Self::ImportRows { .. }
            | Self::ImportRepeats { .. }
            | Self::ImportCompare { .. }
            | Self::ImportIndex { .. }
            | Self::ImportUnnamed { .. }
            | Self::ImportCommit { .. }
            | Self::ImportAbandon { .. }
            | Self::Scanners {} => return None,
        })
    }

    /// What was done, and of what, where the ledger has no event of its own for it.
    pub(super) fn leaves_no_event(&self) -> Option<(&'static str, Option<String>)> {
        match self {
            Self::Sheet { renewal: Renewal::Keep, .. } => Some(("print_sheets", None)),
            Self::Acknowledge { scanner } => Some(("acknowledge", scanner.clone())),
            _ => None,
        }
    }
}

/// The request that writes down what was done.
pub(super) fn note_act(what: &str, of: Option<String>, who: Who) -> Request {
    Request::People(PeopleRequest::Acted(Act { what: what.to_owned(), of, who }))
}

/// The request that writes a refusal down.
pub(super) fn note(what: &str, why: &str, who: Who) -> Request {
    let refusal = Refusal { what: what.to_owned(), why: why.to_owned(), left_out: 0, who };
    Request::People(PeopleRequest::Refused(refusal))
}

/// Why nobody signed in.
#[derive(Debug, thiserror::Error)]
enum NotSignedIn {
    #[error("the name, or the password or badge, is not an operator's")]
    Wrong,
    #[error("too many failures to sign in: nobody can as that operator for {} minutes", minutes(.0))]
    Locked(Duration),
}

impl Refuses for NotSignedIn {
    fn coded(&self) -> Coded {
        match self {
            Self::Wrong => coded("sign_in_wrong", &[]),
            Self::Locked(left) => coded(SIGN_IN_LOCKED, &[("minutes", &minutes(left))]),
        }
    }
}

fn minutes(left: &Duration) -> u64 {
    left.as_secs().div_ceil(60)
}

/// Who it is. A claim that cannot be true takes as long as one whose password is wrong.
fn sign_in(
    ledger: &Ledger,
    claim: Claim,
    secret: &Secret,
    guests: &Guests,
) -> Result<Result<(String, Role), NotSignedIn>, NotKnown> {
    let challenge =
        ledger.ask(|reply| Request::People(PeopleRequest::Challenge { claim, reply }))?;
    let (named, why) = match challenge {
        Challenge::Proven { operator, role } => return Ok(Ok((operator, role))),
        Challenge::Password { operator, hash } => {
            if password::is_of(secret, Some(&hash))
                && let Some(role) = still(ledger, operator.clone())?
            {
                return Ok(Ok((operator, role)));
            }
            (Some(operator), NotSignedIn::Wrong)
        }
        Challenge::Locked { operator, left } => {
            password::is_of(secret, None);
            (Some(operator), NotSignedIn::Locked(left))
        }
        Challenge::Nobody { operator } => {
            password::is_of(secret, None);
            (operator, NotSignedIn::Wrong)
        }
    };
    tracing::warn!(
        event = LogEvent::SignInRefused.name(),
        operator = named.as_ref().map_or_else(|| "none".to_owned(), |name| format!("{name:?}")),
        os_user = guests.os_user,
        why = %why,
        "Somebody could not sign in."
    );
    let said = match &named {
        Some(name) => format!("as {name}: {why}"),
        None => why.to_string(),
    };
    ledger.send(note("sign_in", &said, guests.party.by.who.clone())).ok_or(NotKnown)?;
    Ok(Err(why))
}

/// The role of an operator who knew the password, if they still are one.
fn still(ledger: &Ledger, operator: String) -> Result<Option<Role>, NotKnown> {
    ledger.ask(|reply| Request::People(PeopleRequest::SignedIn { operator, reply }))
}

fn add(
    ledger: &Ledger,
    operator: String,
    role: Role,
    secret: &Secret,
    by: Person,
) -> Result<Answer, NotKnown> {
    let proof = if secret.is_badge() {
        Ok(Proof::Badge(secret.clone()))
    } else {
        password::hash(secret).map(Proof::PasswordHash)
    };
    let proof = match proof {
        Ok(proof) => proof,
        Err(PasswordError::Length(why)) => return Ok(refused(&why)),
        Err(why) => return Ok(Answer::Failed { why: crate::event::chain(&why) }),
    };
    let new = NewOperator { operator: operator.clone(), role, proof };
    let added = ledger.ask(|reply| Request::People(PeopleRequest::Add { new, by, reply }))?;
    Ok(match added {
        Ok(()) => Answer::OperatorAdded { operator, role },
        Err(why) => refused(&why),
    })
}
