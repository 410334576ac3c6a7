//! Operators: who may sign in, how they prove it, and how often that may be tried.
//!
//! A password is kept as the Argon2id hash that the control layer made of it, a badge's code as its HMAC under the station's key.
//! Neither is ever in an event, an answer or a log as it was typed.

use super::book::{Book, WriteError};
use super::fact::{Act, Fact, OperatorAdded, Person, Refusal, Role, TokenAct, Who};
use super::report::{ReadError, Reader};
use super::rows;
use super::writer::Change;
use crate::clock::Micros;
use crate::sheet::{BADGE_DIGITS, BADGE_PREFIX, base32, is_base32};
use rusqlite::OptionalExtension as _;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// Longest name of an operator, in bytes.
pub(super) const OPERATOR_BYTES_MAX: usize = 64;

/// Longest reason that a person gives, in bytes.
pub(super) const REASON_BYTES_MAX: usize = 500;

/// Failed attempts to sign in as an operator, after which nobody may for a while.
const FAILURES_MAX: u32 = 5;

/// That while, from the last attempt that was looked at; and how long a failed attempt is remembered.
const FAILURES_WINDOW: Duration = Duration::from_mins(10);

/// A password or the code of a badge, or what is kept of one: it is shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps it from being shown.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// What was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The code of a badge with these random bits.
    pub fn badge(random: [u8; 16]) -> Self {
        Self(format!("{BADGE_PREFIX}{}", base32(u128::from_be_bytes(random), BADGE_DIGITS)))
    }

    /// Whether this has the form of a badge's code. No password has.
    pub fn is_badge(&self) -> bool {
        let code = self.0.strip_prefix(BADGE_PREFIX);
        code.is_some_and(|code| code.len() == BADGE_DIGITS && is_base32(code))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

/// By what an operator is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The Argon2id hash of a password, in the PHC string format.
    PasswordHash(Secret),
    /// The code of a badge.
    Badge(Secret),
}

/// An operator to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOperator {
    /// Their name.
    pub operator: String,
    /// What they may do.
    pub role: Role,
    /// By what they are known again.
    pub proof: Proof,
}

/// Who somebody says they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// An operator's name; a badge says it, too.
    pub operator: Option<String>,
    /// The code of the badge that they hold; else they know a password.
    pub badge: Option<Secret>,
}

/// What a claim comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// There were too many failures: nothing is looked at for so long.
    Locked {
        /// The operator who was named.
        operator: String,
        /// How long.
        left: Duration,
    },
    /// The badge proves it.
    Proven {
        /// The operator.
        operator: String,
        /// Their role.
        role: Role,
    },
    /// Whoever knows the password of this hash is that operator.
    Password {
        /// The operator.
        operator: String,
        /// The hash.
        hash: Secret,
    },
    /// It cannot be true.
    Nobody {
        /// The operator who was named, if there is one: a name that is none may be a password in the wrong place.
        operator: Option<String>,
    },
}

/// Why somebody may not do that. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// It takes an operator, and nobody signed in.
    #[error("this takes an operator of the role {}: sign in with --operator NAME", .0.name())]
    SignIn(Role),
    /// The operator has another role.
    #[error("{operator} has the role {}; this takes {}", .has.name(), .needs.name())]
    Role {
        /// Who.
        operator: String,
        /// What they are.
        has: Role,
        /// What it takes.
        needs: Role,
    },
    /// The operator was disabled since they signed in.
    #[error("operator {0:?} was disabled")]
    Disabled(String),
    /// There is nobody to sign in yet.
    #[error(
        "this takes two operators, and there are none yet: `ballot-intake operators add NAME --role administrator` \
         adds the first, who then adds two supervisors"
    )]
    NoOperators,
    /// Nobody confirms what they proposed.
    #[error("{0:?} proposed it: another operator must confirm it")]
    SamePerson(String),
    /// Somebody who may do nothing any more proposed it.
    #[error("{0:?}, who proposed it, was disabled: propose it anew")]
    ProposerDisabled(String),
    /// The reason is none.
    #[error("a reason is 1 to {REASON_BYTES_MAX} bytes of text without control characters")]
    Reason,
    /// The name is none.
    #[error(
        "an operator's name is 1 to {OPERATOR_BYTES_MAX} bytes of letters, digits and punctuation, with single spaces between \
         them at most"
    )]
    Name,
    /// The name is, or was, somebody's.
    #[error("there is or was an operator {0:?}: no name is used twice")]
    NameTaken(String),
    /// The badge is somebody's, or none.
    #[error("this is no new badge")]
    Badge,
    /// Somebody must be able to add others.
    #[error("the first operator is an administrator: add one with --role administrator")]
    FirstIsAdministrator,
    /// There is nobody of that name.
    #[error("there is no operator {0:?}")]
    NoOperator(String),
    /// Nobody could add operators any more.
    #[error("{0:?} is the last administrator: add another one first")]
    LastAdministrator(String),
}

/// An operator, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperatorEntry {
    /// Their name.
    pub operator: String,
    /// What they may do.
    pub role: Role,
    /// `password` or `badge`.
    pub proof: &'static str,
    /// When they were added, in local time with offset.
    pub added: String,
    /// Who added them.
    pub added_by: String,
    /// When they were disabled; null while they may sign in.
    pub disabled: Option<String>,
    /// Who disabled them.
    pub disabled_by: Option<String>,
}

/// An operator as the table has them.
struct Operator {
    name: String,
    role: Role,
    password: Option<String>,
    badge: Option<String>,
    is_disabled: bool,
}

impl Book {
    /// Whether anybody ever was added.
    pub(super) fn has_operators(&self) -> rusqlite::Result<bool> {
        self.conn.prepare_cached("SELECT 1 FROM operator")?.exists([])
    }

    /// Whether that person signed in, may still, and has that role.
    pub(super) fn allowed(
        &self,
        person: &Person,
        needs: Role,
    ) -> rusqlite::Result<Result<(), NotAllowed>> {
        let name = &person.who.by;
        if person.role.is_none() {
            return Ok(Err(NotAllowed::SignIn(needs)));
        }
        Ok(match self.operator(name)?.filter(|operator| !operator.is_disabled) {
            None => Err(NotAllowed::Disabled(name.clone())),
            Some(Operator { role: has, .. }) if has < needs => {
                Err(NotAllowed::Role { operator: name.clone(), has, needs })
            }
            Some(_) => Ok(()),
        })
    }

    /// Whether somebody who signed in may still do anything: operators keep their role, but may be disabled while they are at it.
    pub(super) fn may_still(&self, who: &Who) -> rusqlite::Result<Result<(), NotAllowed>> {
        let is_gone = who.os_user.is_some() && self.is_disabled(&who.by)?;
        Ok(if is_gone { Err(NotAllowed::Disabled(who.by.clone())) } else { Ok(()) })
    }

    /// Whether that person may do what takes a supervisor as soon as there are operators, and anybody before.
    pub(super) fn supervises(&self, person: &Person) -> rusqlite::Result<Result<(), NotAllowed>> {
        if person.role.is_some() || self.has_operators()? {
            return self.allowed(person, Role::Supervisor);
        }
        Ok(Ok(()))
    }

    /// Writes down that somebody was refused.
    pub(super) fn note_refusal(
        &mut self,
        now: Micros,
        refusal: Option<Refusal>,
    ) -> Result<(), WriteError> {
        match refusal {
            Some(refusal) => self.append(now, Fact::Refused(refusal), None).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Writes down what somebody did.
    pub(super) fn note_act(&mut self, now: Micros, act: Act) -> Result<(), WriteError> {
        self.append(now, Fact::Acted(act), None).map(|_| ())
    }

    /// Adds an operator; whoever may use the ledger adds the first.
    pub(super) fn add_operator(
        &mut self,
        now: Micros,
        new: NewOperator,
        by: &Person,
    ) -> Result<Result<(), NotAllowed>, WriteError> {
        let NewOperator { operator, role, proof } = new;
        if !is_name(&operator) {
            return Ok(Err(NotAllowed::Name));
        }
        if self.has_operators()? {
            if let Err(why) = self.allowed(by, Role::Administrator)? {
                return Ok(Err(why));
            }
        } else if role != Role::Administrator {
            return Ok(Err(NotAllowed::FirstIsAdministrator));
        }
        if self.operator(&operator)?.is_some() {
            return Ok(Err(NotAllowed::NameTaken(operator)));
        }
        let (password, badge) = match proof {
            Proof::PasswordHash(hash) => (Some(hash.0), None),
            Proof::Badge(code) if !code.is_badge() => return Ok(Err(NotAllowed::Badge)),
            Proof::Badge(code) => (None, Some(self.key.mac(code.0.as_bytes()))),
        };
        if let Some(badge) = &badge
            && self.of_badge(badge)?.is_some()
        {
            return Ok(Err(NotAllowed::Badge));
        }
        let added = OperatorAdded { operator, role, password, badge, who: by.who.clone() };
        self.append(now, Fact::OperatorAdded(added), None)?;
        self.changes.push(Change::Operators);
        Ok(Ok(()))
    }

    /// An operator may do nothing any more.
    pub(super) fn disable_operator(
        &mut self,
        now: Micros,
        operator: String,
        by: &Person,
    ) -> Result<Result<(), NotAllowed>, WriteError> {
        if let Err(why) = self.allowed(by, Role::Administrator)? {
            return Ok(Err(why));
        }
        let Some(found) = self.operator(&operator)? else {
            return Ok(Err(NotAllowed::NoOperator(operator)));
        };
        if found.is_disabled {
            return Ok(Err(NotAllowed::Disabled(operator)));
        }
        if found.role == Role::Administrator && self.administrators()? < 2 {
            return Ok(Err(NotAllowed::LastAdministrator(operator)));
        }
        self.append(now, Fact::OperatorDisabled { operator, who: by.who.clone() }, None)?;
        self.changes.push(Change::Operators);
        Ok(Ok(()))
    }

    /// Writes down what is done about an operator's tokens, of which nothing is in the ledger.
    pub(super) fn note_tokens(
        &mut self,
        now: Micros,
        operator: String,
        act: TokenAct,
        by: &Person,
    ) -> Result<Result<(), NotAllowed>, WriteError> {
        if let Err(why) = self.may_still(&by.who)? {
            return Ok(Err(why));
        }
        let found = self.operator(&operator)?;
        let is_enough = |found: &Operator| act != TokenAct::Made || !found.is_disabled;
        if !found.is_some_and(|found| is_enough(&found)) {
            return Ok(Err(NotAllowed::NoOperator(operator)));
        }
        self.append(now, Fact::Tokens { operator, act, who: by.who.clone() }, None)?;
        Ok(Ok(()))
    }

    /// What a claim comes to. Every one that could be true counts as a failure until it was proven, so that many at once gain
    /// nobody an attempt.
    pub(super) fn challenge(
        &self,
        claim: &Claim,
        attempts: &mut Attempts,
        now: Duration,
    ) -> rusqlite::Result<Challenge> {
        let named = match &claim.operator {
            Some(name) => self.operator(name)?.filter(|operator| !operator.is_disabled),
            None => None,
        };
        if let Some(operator) = &named
            && let Some(left) = attempts.count(&operator.name, now)
        {
            return Ok(Challenge::Locked { operator: operator.name.clone(), left });
        }
        let holder = match &claim.badge {
            Some(code) => self.of_badge(&self.key.mac(code.0.as_bytes()))?,
            None => None,
        };
        Ok(match (named, holder) {
            (named, Some(Operator { name, role, .. }))
                if claim.operator.is_none() || named.as_ref().is_some_and(|o| o.name == name) =>
            {
                attempts.forget(&name);
                Challenge::Proven { operator: name, role }
            }
            (Some(Operator { name, password: Some(hash), .. }), None) if claim.badge.is_none() => {
                Challenge::Password { operator: name, hash: Secret(hash) }
            }
            (named, _) => Challenge::Nobody { operator: named.map(|operator| operator.name) },
        })
    }

    /// The role of an operator who knew the password, if they still are one.
    pub(super) fn signed_in(
        &self,
        name: &str,
        attempts: &mut Attempts,
    ) -> rusqlite::Result<Option<Role>> {
        attempts.forget(name);
        let operator = self.operator(name)?.filter(|operator| !operator.is_disabled);
        Ok(operator.map(|operator| operator.role))
    }

    pub(super) fn is_disabled(&self, name: &str) -> rusqlite::Result<bool> {
        Ok(self.operator(name)?.is_none_or(|operator| operator.is_disabled))
    }

    fn operator(&self, name: &str) -> rusqlite::Result<Option<Operator>> {
        self.conn
            .prepare_cached(
                "SELECT name, role, password, badge, disabled FROM operator WHERE name = ?",
            )?
            .query_row([name], Operator::read)
            .optional()
    }

    /// The operator who holds the badge of that MAC.
    fn of_badge(&self, mac: &str) -> rusqlite::Result<Option<Operator>> {
        self.conn
            .prepare_cached(
                "SELECT name, role, password, badge, disabled FROM operator WHERE badge = ? AND disabled IS NULL",
            )?
            .query_row([mac], Operator::read)
            .optional()
    }

    /// Who holds that badge, and what they may do.
    pub(super) fn holder(&self, badge: &Secret) -> rusqlite::Result<Option<(String, Role)>> {
        let holder = self.of_badge(&self.key.mac(badge.0.as_bytes()))?;
        Ok(holder.map(|operator| (operator.name, operator.role)))
    }

    fn administrators(&self) -> rusqlite::Result<i64> {
        self.conn
            .prepare_cached("SELECT count(*) FROM operator WHERE role = ? AND disabled IS NULL")?
            .query_row([Role::Administrator.name()], |row| row.get(0))
    }
}

impl Operator {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let role = Role::from_name(row.get_ref(1)?.as_str()?);
        Ok(Self {
            name: row.get(0)?,
            role: role.ok_or_else(|| rows::foreign(1, "no role"))?,
            password: row.get(2)?,
            badge: row.get(3)?,
            is_disabled: row.get::<_, Option<i64>>(4)?.is_some(),
        })
    }
}

impl Reader {
    /// Every operator, in the order in which they were added.
    pub fn operators(&self) -> Result<Vec<OperatorEntry>, ReadError> {
        self.snapshot(|| {
            let mut operators = self.conn.prepare(
                "SELECT name, role, password, badge, disabled, seq FROM operator ORDER BY seq",
            )?;
            let mut rows = operators.query([])?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                entries.push(self.operator_entry(row)?);
            }
            Ok(entries)
        })
    }

    fn operator_entry(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<OperatorEntry> {
        let operator = Operator::read(row)?;
        let (added, added_by) = self.act_of(row.get(5)?)?;
        let (disabled, disabled_by) = match row.get::<_, Option<i64>>(4)? {
            Some(seq) => {
                let (at, by) = self.act_of(seq)?;
                (Some(at), Some(by))
            }
            None => (None, None),
        };
        Ok(OperatorEntry {
            proof: if operator.badge.is_some() { "badge" } else { "password" },
            operator: operator.name,
            role: operator.role,
            added,
            added_by,
            disabled,
            disabled_by,
        })
    }

    /// When the event of that row happened, and who did it.
    fn act_of(&self, seq: i64) -> rusqlite::Result<(String, String)> {
        let event = rows::event(&self.conn, seq)?;
        let by = match event.fact {
            Fact::OperatorAdded(OperatorAdded { who, .. }) | Fact::OperatorDisabled { who, .. } => {
                who
            }
            _ => Who::station(),
        };
        Ok((self.zone.date_time(event.at), by.by))
    }
}

/// Failed attempts to sign in, by the names of operators. They are remembered as long as the process lives: a restart forgets them.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<String, Failures>);

#[derive(Debug)]
struct Failures {
    n: u32,
    last: Duration,
}

impl Attempts {
    /// Counts one more; how long there may be none, if there were too many.
    fn count(&mut self, name: &str, now: Duration) -> Option<Duration> {
        let failures =
            self.0.entry(name.to_owned()).or_insert_with(|| Failures { n: 0, last: now });
        let since = now.saturating_sub(failures.last);
        if since >= FAILURES_WINDOW {
            failures.n = 0;
        }
        if failures.n >= FAILURES_MAX {
            // An attempt that is not looked at must not keep the operator out for longer.
            return Some(FAILURES_WINDOW.saturating_sub(since));
        }
        *failures = Failures { n: failures.n + 1, last: now };
        None
    }

    fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }
}

/// Refusals of operators, and as many of others, that get an event in a minute; whoever asks again and again fills the ledger with no
/// more.
pub(super) const REFUSALS_MAX: u32 = 20;

/// That minute.
const REFUSALS_WINDOW: Duration = Duration::from_mins(1);

/// Longest word of why somebody was refused, in bytes.
const WHY_BYTES_MAX: usize = 300;

/// The refusals of the last minute. Whoever signed in as nobody does not crowd out what operators were refused.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    of_operators: Lately,
    of_others: Lately,
}

#[derive(Debug, Default)]
struct Lately {
    since: Duration,
    n: u32,
    left_out: u32,
}

impl Refusals {
    /// The refusal as it is written down; none when there were too many.
    pub(super) fn take(&mut self, refusal: Refusal, now: Duration) -> Option<Refusal> {
        let is_operator = refusal.who.os_user.is_some();
        if is_operator { &mut self.of_operators } else { &mut self.of_others }.take(refusal, now)
    }
}

impl Lately {
    fn take(&mut self, refusal: Refusal, now: Duration) -> Option<Refusal> {
        if now.saturating_sub(self.since) >= REFUSALS_WINDOW {
            (self.since, self.n) = (now, 0);
        }
        if self.n >= REFUSALS_MAX {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.n += 1;
        let left_out = std::mem::take(&mut self.left_out);
        let why = refusal.why.chars().filter(|c| !c.is_control());
        let mut length = 0;
        let why = why.take_while(|c| {
            length += c.len_utf8();
            length <= WHY_BYTES_MAX
        });
        Some(Refusal { why: why.collect(), left_out, ..refusal })
    }
}

/// Checks what somebody gave as a reason.
pub(super) fn checked_reason(reason: &str) -> Result<(), NotAllowed> {
    let is_text = !reason.trim().is_empty() && !reason.chars().any(char::is_control);
    if is_text && reason.len() <= REASON_BYTES_MAX { Ok(()) } else { Err(NotAllowed::Reason) }
}

/// Whether an operator may be called that: it is printed, and compared letter by letter.
fn is_name(name: &str) -> bool {
    let is_visible = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() || c == '\u{2019}';
    !name.is_empty()
        && name.len() <= OPERATOR_BYTES_MAX
        && name.split(' ').all(|word| !word.is_empty() && word.chars().all(is_visible))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_can_be_seen() {
        for name in ["a", "Mary O'Brien", "Zo\u{eb} \"Z\" Doe-Roe", "M. O\u{2019}Neil", "<b>;--"] {
            assert!(is_name(name), "{name}");
        }
        let long = "x".repeat(65);
        for name in [
            "",
            " ",
            " a",
            "a ",
            "a  b",
            "a\tb",
            "a\n",
            "\u{1b}[2J",
            "a\u{202e}b",
            "a\u{200b}",
            &long,
        ] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn a_badge_has_its_own_form_and_is_not_shown() {
        let badge = Secret::badge([0xff; 16]);
        assert_eq!(badge.as_str(), "BIB-7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        assert!(badge.is_badge() && Secret::badge([0; 16]).is_badge());
        assert_ne!(Secret::badge([1; 16]), Secret::badge([2; 16]));
        for other in ["BIB-7ZZ", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "BIB-OZZZZZZZZZZZZZZZZZZZZZZZZZ", ""]
        {
            assert!(!Secret::new(other.to_owned()).is_badge(), "{other}");
        }
        assert_eq!(format!("{badge:?}"), "Secret(not shown)");
    }

    #[test]
    fn five_failures_lock_a_name_for_a_while_and_others_not() {
        let mut attempts = Attempts::default();
        let second = Duration::from_secs(1);
        for n in 0..5 {
            assert_eq!(attempts.count("mary", second * n), None);
        }
        assert_eq!(attempts.count("mary", second * 4), Some(FAILURES_WINDOW));
        assert_eq!(attempts.count("mary", second * 5), FAILURES_WINDOW.checked_sub(second));
        assert_eq!(attempts.count("ann", second * 5), None);
        assert_eq!(attempts.count("mary", FAILURES_WINDOW + second * 4), None);
        attempts.forget("ann");
        assert_eq!(attempts.0.len(), 1);
    }

    #[test]
    fn failures_are_forgotten_after_a_while() {
        let mut attempts = Attempts::default();
        for n in 0..20 {
            assert_eq!(attempts.count("mary", FAILURES_WINDOW * n), None);
        }
    }

    #[test]
    fn refusals_without_end_fill_no_ledger() {
        let mut refusals = Refusals::default();
        let refusal = |why: &str| Refusal {
            what: "undo".to_owned(),
            why: why.to_owned(),
            left_out: 0,
            who: Who::os_user("kim".to_owned()),
        };
        let mut taken = |at| refusals.take(refusal("no\u{1b}[2J"), at);
        let written = (0..1_000).filter_map(|ms| taken(Duration::from_millis(ms))).count();
        assert_eq!(written, 20);
        let next = taken(REFUSALS_WINDOW * 2).unwrap();
        assert_eq!((next.left_out, next.why.as_str()), (980, "no[2J"));
        let long = refusals.take(refusal(&"\u{e4}".repeat(400)), REFUSALS_WINDOW * 2).unwrap();
        assert_eq!((long.left_out, long.why.len()), (0, WHY_BYTES_MAX));
    }

    /// Whoever fails to sign in again and again hid what a clerk tried.
    #[test]
    fn whoever_is_nobody_leaves_room_for_what_operators_are_refused() {
        let mut refusals = Refusals::default();
        let mut of = |who: Who| {
            let (what, why) = ("sign_in".to_owned(), "no".to_owned());
            refusals.take(Refusal { what, why, left_out: 0, who }, Duration::ZERO)
        };
        let stranger = || Who::os_user("page at 10.0.0.9".to_owned());
        let clerk = || Who { by: "kim".to_owned(), os_user: Some("page".to_owned()) };
        assert_eq!((0..100).filter_map(|_| of(stranger())).count(), 20);
        assert_eq!(of(clerk()).unwrap().left_out, 0);
        assert_eq!((0..100).filter_map(|_| of(clerk())).count(), 19);
        assert_eq!(of(stranger()), None);
    }

    #[test]
    fn a_reason_is_text() {
        assert_eq!(checked_reason("found under the table"), Ok(()));
        for reason in ["", "  ", "a\nb", "\u{1b}[2J", &"x".repeat(501)] {
            assert_eq!(checked_reason(reason), Err(NotAllowed::Reason), "{reason:?}");
        }
    }
}
