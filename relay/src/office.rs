//! The office's pages: who signed up, what is sent and what is not, reminders that take two people, one voter's history, alarms,
//! and who may do what.
//!
//! An auditor looks; a clerk prepares reminders and closes alarms; a supervisor releases what somebody else prepared, stops it,
//! removes a voter's contacts, and lets people in. Everything that changes something is written down in `act` with its person.
//! Somebody of one county sees that county only. Confidential voters are on no page. Addresses and numbers are shown masked: the
//! office tells a voter's contacts apart, and nobody reads them off a screen.

mod alarms;
mod bulks;
mod desk;
mod people;
mod signin;
mod voters;

pub use people::{Newcomer, PeopleError, hire};

use crate::clock::Micros;
use crate::id::new_id;
use crate::params;
use crate::store::{StoreError, Tx};
use crate::web::{Access, Frame, Refusal, Role, Route, Visit, done, get, post};

const LOOKS: Access = Access::Office(Role::Auditor);
const CLERK: Access = Access::Office(Role::Clerk);
const SUPERVISOR: Access = Access::Office(Role::Supervisor);

/// Every route of the office's pages.
pub static ROUTES: &[Route] = &[
    get("/office/signin", Access::Anyone, |visit| done(signin::form(&visit))),
    post("/office/signin", Access::Anyone, |visit| Box::pin(signin::sign_in(visit))),
    post("/office/signout", LOOKS, |visit| Box::pin(signin::sign_out(visit))),
    get("/office", LOOKS, |visit| Box::pin(desk::overview(visit))),
    get("/office/notices", LOOKS, |visit| Box::pin(desk::notices(visit))),
    get("/office/unreached", LOOKS, |visit| Box::pin(desk::unreached(visit))),
    get("/office/voters", LOOKS, |visit| Box::pin(voters::search(visit))),
    get("/office/voters/{county}/{voter}", LOOKS, |visit| Box::pin(voters::one(visit))),
    post("/office/voters/{county}/{voter}/forget", SUPERVISOR, |visit| {
        Box::pin(voters::forget(visit))
    }),
    get("/office/bulks", LOOKS, |visit| Box::pin(bulks::list(visit))),
    post("/office/bulks", CLERK, |visit| Box::pin(bulks::draft(visit))),
    get("/office/bulks/{id}", LOOKS, |visit| Box::pin(bulks::one(visit))),
    post("/office/bulks/{id}/release", SUPERVISOR, |visit| Box::pin(bulks::release(visit))),
    post("/office/bulks/{id}/stop", CLERK, |visit| Box::pin(bulks::stop(visit))),
    post("/office/bulks/{id}/take-back", CLERK, |visit| Box::pin(bulks::take_back(visit))),
    get("/office/alarms", LOOKS, |visit| Box::pin(alarms::list(visit))),
    post("/office/alarms/{id}/close", CLERK, |visit| Box::pin(alarms::close(visit))),
    get("/office/people", LOOKS, |visit| Box::pin(people::list(visit))),
    post("/office/people", SUPERVISOR, |visit| Box::pin(people::add(visit))),
    post("/office/people/{name}/disable", SUPERVISOR, |visit| Box::pin(people::disable(visit))),
];

/// Rows of a list.
const ROWS_MAX: i64 = 50;

/// A part of a list, and how long the whole list is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// The page and what was asked of it, up to where `from=` follows.
    path: String,
    from: i64,
    shown: i64,
    total: i64,
}

impl Part {
    /// Where the part that was asked for begins.
    fn from(visit: &Visit) -> i64 {
        let from = visit.query("from").and_then(|from| from.parse().ok());
        from.filter(|from| *from >= 0).unwrap_or(0)
    }

    /// The part that begins there.
    fn new(path: String, from: i64, (shown, total): (usize, i64)) -> Self {
        Self { path, from, shown: i64::try_from(shown).unwrap_or(0), total }
    }

    /// Whether there is more than is shown.
    const fn is_part(&self) -> bool {
        self.total > self.shown
    }

    /// The first and the last that are shown, of how many.
    fn says(&self, frame: &Frame<'_>) -> String {
        let shown = format!("{}\u{2013}{}", self.from + 1, self.from + self.shown);
        frame.with_two("office.part", ("shown", &shown), ("n", &self.total.to_string()))
    }

    /// Where the list goes on.
    fn next(&self) -> Option<String> {
        let next = self.from + self.shown;
        (self.shown > 0 && next < self.total).then(|| format!("{}from={next}", self.path))
    }
}

/// Alarms of the counties that somebody may see (`$1`), and those of all counties together: a channel is everybody's.
const SEEN_ALARMS: &str = "(county LIKE $1 OR county = '*')";

/// The county that somebody may see, `%` for all of them: a pattern for `LIKE`, whose own signs no county's id has.
fn counties(visit: &Visit) -> Result<String, Refusal> {
    let (county, _) = visit.operator()?;
    Ok(if county == "*" { "%".to_owned() } else { county })
}

/// Whether somebody may see that county.
fn sees(visit: &Visit, county: &str) -> Result<(), Refusal> {
    let (own, _) = visit.operator()?;
    if own == "*" || own == county { Ok(()) } else { Err(Refusal::NotFound) }
}

/// Writes down who did what.
fn acted(
    tx: &mut Tx<'_>,
    (county, operator): (&str, &str),
    (what, subject): (&str, &str),
    now: Micros,
) -> Result<(), StoreError> {
    tx.run(
        "INSERT INTO act (id, county, operator, what, subject, at) VALUES ($1, $2, $3, $4, $5, $6)",
        params![new_id(now), county, operator, what, subject, now],
    )?;
    Ok(())
}

/// An address of which enough is seen to tell it from another, and no more.
fn masked(address: &str) -> String {
    if let Some((mailbox, host)) = address.split_once('@') {
        let first: String = mailbox.chars().take(1).collect();
        return format!("{first}\u{2026}@{host}");
    }
    let n = address.chars().count();
    let last: String = address.chars().skip(n.saturating_sub(4)).collect();
    format!("\u{2026}{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_apart_and_not_read() {
        assert_eq!(masked("ana.diaz@example.org"), "a\u{2026}@example.org");
        assert_eq!(masked("+13035550100"), "\u{2026}0100");
        assert_eq!(masked(""), "\u{2026}");
    }
}
