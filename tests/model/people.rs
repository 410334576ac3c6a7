//! The people of a model's station: two supervisors, who do everything.

use crate::station::Station;
use ballot_intake::ledger::{
    Done, NewOperator, NotDone, Party, PeopleRequest, Person, Proof, Request, Role, Secret, Who,
};

/// The supervisor who asks.
pub(crate) fn sue() -> Person {
    operator("sue", Role::Supervisor)
}

fn operator(name: &str, role: Role) -> Person {
    let who = Who { by: name.to_owned(), os_user: Some("intake".to_owned()) };
    Person { who, role: Some(role) }
}

/// Adds them.
pub(crate) fn staff(station: &Station) {
    let add = |operator: &str, role, by| {
        let proof = Proof::PasswordHash(Secret::new("hash".to_owned()));
        let new = NewOperator { operator: operator.to_owned(), role, proof };
        let add = |reply| Request::People(PeopleRequest::Add { new, by, reply });
        station.ledger().ask(add).unwrap().unwrap();
    };
    add("root", Role::Administrator, Person::os_user("intake".to_owned()));
    for name in ["sue", "sam"] {
        add(name, Role::Supervisor, operator("root", Role::Administrator));
    }
}

/// Both of them reverse a batch: how many ballots stand again where they stood; none when it is not reversed.
pub(crate) fn reverse(station: &Station, batch: u32) -> Option<u32> {
    let party = Party { by: sue(), second: Some(operator("sam", Role::Supervisor)) };
    let reason = "wrong pile".to_owned();
    let reverse =
        |reply| Request::People(PeopleRequest::ReverseBatch { batch, reason, party, reply });
    match station.ledger().ask(reverse).unwrap() {
        Ok(Done::Reversed(reversed)) => Some(reversed.moved),
        Err(NotDone::Batch(_)) => None,
        other => panic!("{other:?}"),
    }
}
