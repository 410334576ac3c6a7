//! An envelope's number that somebody types where its symbol is torn: looked up first, and recorded when that was confirmed.
//!
//! The number is what the symbol would have said, as it is printed beside it. Its check digit must hold; where a format has none, it
//! is typed twice. Only the number that was looked up last, by the same person in the same session, can be confirmed, once.

use super::people::Guests;
use super::{Answer, Asked, read, refused};
use crate::ballot::{BallotId, Status};
use crate::coded::{Coded, Refuses, coded};
use crate::envelope::Formats;
use crate::ledger::{LookedUp, ManualRequest, NotMarked, Request, Typed};
use crate::scan::{Capture, Earlier, Face, Judged, Symbol, Verdict};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Longest number, in bytes: more than any is that people can type.
const NUMBER_BYTES_MAX: usize = 128;

/// What is done with a typed number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum ManualCommand {
    /// Say which ballot it is; nothing changes.
    LookUp {
        /// The number; spaces in it mean nothing.
        number: String,
        /// The number once more, where it has no check digit.
        #[serde(default)]
        again: Option<String>,
    },
    /// Record what was looked up.
    Confirm {
        /// The same number.
        number: String,
    },
}

/// What a confirmed number came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// The verdict, as of a scan.
    pub verdict: Verdict,
    /// The ballot.
    pub ballot: Option<BallotId>,
    /// Where it stands now.
    pub status: Option<Status>,
    /// Why, in words.
    pub reason: Option<String>,
    /// Of a ballot that stands there already: when, where and in which batch that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// The number of its batch.
    pub batch: u32,
    /// Its position there, from 1.
    pub position: i64,
}

/// Why a number names nothing that could be looked up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NoNumber {
    #[error("this is no number of an envelope: {0}")]
    Unreadable(String),
    #[error("this is an envelope of another election, by {0}")]
    WrongElection(String),
    #[error("this is the code of a command or a badge, which is scanned and not typed")]
    Command,
    #[error("this number has no check digit: type it twice")]
    Once,
    #[error("the two numbers differ: type both again")]
    Differ,
    #[error(
        "look the number up first: only the last one that was looked up can be confirmed, and once"
    )]
    NotLookedUp,
}

impl Refuses for NoNumber {
    fn coded(&self) -> Coded {
        match self {
            Self::Unreadable(why) => coded("number_unreadable", &[("why", why)]),
            Self::WrongElection(format) => coded("number_of_another", &[("format", format)]),
            Self::Command => coded("number_is_command", &[]),
            Self::Once => coded("number_once", &[]),
            Self::Differ => coded("numbers_differ", &[]),
            Self::NotLookedUp => coded("number_not_looked_up", &[]),
        }
    }
}

impl ManualCommand {
    /// What it asks of the ledger, whose answer goes to `reply`.
    pub(super) fn asked(
        self,
        guests: &mut Guests,
        formats: &Formats,
        reply: oneshot::Sender<Answer>,
    ) -> Asked {
        let person = guests.party.by.clone();
        let looked_up = guests.looked_up.take();
        let request = match self {
            Self::LookUp { number, again } => {
                let (number, again) = (plain(&number), again.as_deref().map(plain));
                let typed = match typed(&number, again.as_deref(), formats) {
                    Ok(typed) => typed,
                    Err(why) => return Asked::Refused(refused(&why)),
                };
                guests.looked_up = Some((number, typed.clone()));
                let reply = read(reply, |found: Result<LookedUp, _>| {
                    found.map_or_else(|why: NotMarked| refused(&why), Answer::LookedUp)
                });
                ManualRequest::LookUp { typed, person, reply }
            }
            Self::Confirm { number } => match looked_up {
                Some((known, typed)) if known == plain(&number) => {
                    let reply = read(reply, |done: Result<Judged, _>| {
                        done.map_or_else(|why: NotMarked| refused(&why), marked)
                    });
                    ManualRequest::Mark { typed, person, reply }
                }
                _ => return Asked::Refused(refused(&NoNumber::NotLookedUp)),
            },
        };
        Asked::Ledger(Request::Manual(request))
    }
}

fn marked(judged: Judged) -> Answer {
    let Judged { verdict, ballot, status, reason, earlier, batch, position, .. } = judged;
    Answer::Marked(Marked { verdict, ballot, status, reason, earlier, batch, position })
}

/// Without the spaces by which people group digits.
fn plain(number: &str) -> String {
    number.chars().filter(|c| !c.is_ascii_whitespace()).collect()
}

fn typed(number: &str, again: Option<&str>, formats: &Formats) -> Result<Typed, NoNumber> {
    if number.is_empty() || number.len() > NUMBER_BYTES_MAX {
        let why = format!("it has 1 to {NUMBER_BYTES_MAX} characters");
        return Err(NoNumber::Unreadable(why));
    }
    if again.is_some_and(|again| again != number) {
        return Err(NoNumber::Differ);
    }
    let symbol = Symbol::untold(number.as_bytes());
    let captures: Vec<Capture> = match formats.face(std::slice::from_ref(&symbol)) {
        Face::Names(captures) => captures,
        Face::WrongElection(format) => return Err(NoNumber::WrongElection(format.to_string())),
        Face::Unreadable(why) => return Err(NoNumber::Unreadable(why.to_string())),
        Face::Command(_) | Face::Commands | Face::CommandBeside => return Err(NoNumber::Command),
        Face::Mixed => return Err(NoNumber::Unreadable("it names two elections".to_owned())),
    };
    if again.is_none() && !formats.are_checked(&captures) {
        return Err(NoNumber::Once);
    }
    Ok(Typed { symbol, captures })
}
