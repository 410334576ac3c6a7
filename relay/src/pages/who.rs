//! Who somebody says they are: name, birth date and ZIP code, as they are registered.

use crate::voter;
use crate::web::{Limit, Refusal, Visit, one_more};
use std::time::Duration;

/// Looks and codes asked for from one address: a library has one address for many voters.
const FROM_ONE: Limit = Limit { name: "ask", n_max: 60, within: Duration::from_mins(10) };

/// Looks and codes asked for about one name and ZIP code, which many know: a birth date is not found by trying.
const NAMED: Limit = Limit { name: "named", n_max: 20, within: Duration::from_hours(1) };

/// A birth date that is one.
const A_DAY: &str = "2000-01-01";

/// What is looked up a voter by, if it is whole; else the keys of what is wrong.
pub(super) fn identity(visit: &Visit) -> Result<String, Vec<&'static str>> {
    let field = |name: &str| visit.field(name).unwrap_or_default();
    let names = (field("first"), field("last"));
    let (birth, zip) = (field("birth"), field("zip"));
    let of = |names, birth, zip| voter::identity(visit.site.keys(), names, birth, zip);
    if let Some(identity) = of(names, birth, zip) {
        return Ok(identity);
    }
    // Each by itself beside what is right.
    let (a_name, a_zip) = (("a", "a"), "00000");
    let mut wrong = Vec::new();
    for (found, key) in [
        (of(names, A_DAY, a_zip), "signin.wrong_name"),
        (of(a_name, birth, a_zip), "signin.wrong_birth"),
        (of(a_name, A_DAY, zip), "signin.wrong_zip"),
    ] {
        if found.is_none() {
            wrong.push(key);
        }
    }
    Err(wrong)
}

/// Refuses whoever asks too often, from one address, about one name and ZIP code, or about one identity.
pub(super) async fn within_limits(
    visit: &Visit,
    (limit, identity): (Limit, &str),
) -> Result<(), Refusal> {
    let (keys, now) = (visit.site.keys().clone(), visit.now());
    let field = |name: &str| visit.field(name).unwrap_or_default();
    // Without the birth date: the same for all of them.
    let named = voter::identity(&keys, (field("first"), field("last")), A_DAY, field("zip"));
    let (from, named) = (visit.from.to_string(), named.unwrap_or_default());
    let identity = identity.to_owned();
    let admitted = visit.write(move |tx| {
        one_more(tx, &keys, &[(FROM_ONE, &from), (NAMED, &named), (limit, &identity)], now)
    });
    if admitted.await? { Ok(()) } else { Err(Refusal::TooOften) }
}
