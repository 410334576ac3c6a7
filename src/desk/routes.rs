//! The table of all routes: what is asked how, by whom, and who answers. The router is made of it, and so are the tests' lists.

use super::act::{SECOND_OPERATOR, SECOND_SECRET};
use super::fields::{Field, Kind, may, must};
use super::refusal::Refusal;
use super::visit::{Outcome, Visit};
use super::{
    Shared, assets, ballots, batches, clerk, day, events, gate, manual, openapi, printing, proof,
    records, signin, station, undo,
};
use crate::ledger::Role;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::{MethodFilter, on};
use std::future::ready;
use std::pin::Pin;

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Looks and changes nothing; HEAD is the same without the body.
    Get,
    /// May change something: a form, or JSON under `/api/`.
    Post,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches the station.
    Anyone,
    /// Whoever is at this machine; from others, who signed in.
    Looker,
    /// Who signed in with this role or more, an auditor being the least; without operators, whoever is at this machine.
    Role(Role),
}

pub(super) type Answering = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One route.
pub struct Route {
    /// How it is asked.
    pub method: Method,
    /// Its path, `{name}` for what varies.
    pub path: &'static str,
    /// Who may ask.
    pub access: Access,
    /// Who answers.
    pub(super) handler: fn(Visit) -> Answering,
    /// What its query may hold.
    pub(super) query: &'static [Field],
    /// What its form or its object holds.
    pub(super) fields: &'static [Field],
    /// The name of the schema of what the API answers.
    pub(super) answer: &'static str,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, path, access, .. } = self;
        write!(f, "{method:?} {path} for {access:?}")
    }
}

impl Route {
    /// Whether it answers in JSON.
    pub fn is_api(&self) -> bool {
        self.path.starts_with("/api/")
    }

    /// Whether a path is one of its.
    fn fits(&self, path: &str) -> bool {
        let (mut own, mut others) = (self.path.split('/'), path.split('/'));
        loop {
            match (own.next(), others.next()) {
                (None, None) => return true,
                (Some(own), Some(other)) if own == other || own.starts_with('{') => {}
                _ => return false,
            }
        }
    }

    const fn asks(self, query: &'static [Field]) -> Self {
        Self { query, ..self }
    }

    const fn takes(self, fields: &'static [Field]) -> Self {
        Self { fields, ..self }
    }

    const fn gives(self, answer: &'static str) -> Self {
        Self { answer, ..self }
    }
}

const fn route(
    method: Method,
    path: &'static str,
    access: Access,
    handler: fn(Visit) -> Answering,
) -> Route {
    Route { method, path, access, handler, query: &[], fields: &[], answer: "" }
}

const fn get(path: &'static str, access: Access, handler: fn(Visit) -> Answering) -> Route {
    route(Method::Get, path, access, handler)
}

const fn post(path: &'static str, access: Access, handler: fn(Visit) -> Answering) -> Route {
    route(Method::Post, path, access, handler)
}

const READS: Access = Access::Role(Role::Auditor);
const CLERK: Access = Access::Role(Role::Clerk);
const SUPERVISOR: Access = Access::Role(Role::Supervisor);
const ADMINISTRATOR: Access = Access::Role(Role::Administrator);

const BEFORE: &[Field] = &[may("before", Kind::Count)];
const AFTER: &[Field] = &[may("after", Kind::Count)];
const ELECTION: &[Field] = &[may("election", Kind::Text)];

const OPENING: &[Field] = &[
    may("mode", Kind::One(&["receive", "accept", "needs_attention", "undeliverable", "lookup"])),
    may("received_by", Kind::One(&["mail", "drop_box", "in_person", "other"])),
    may("received_at", Kind::Text),
    may("reason", Kind::Text),
    may("postmarked", Kind::Flag),
    may("attention", Kind::Text),
    may("place", Kind::Text),
    may("seals", Kind::Texts),
    may("cap", Kind::Count),
];
const CLOSING: &[Field] = &[must("counted", Kind::Count), may("explanation", Kind::Text)];
const REASON: &[Field] = &[must("reason", Kind::Text)];
const REVERSING: &[Field] = &[must("reason", Kind::Text), SECOND_OPERATOR, SECOND_SECRET];
const STATUS: Kind = Kind::One(&[
    "issued",
    "mailed",
    "received",
    "accepted",
    "needs_attention",
    "rejected",
    "undeliverable",
    "voided",
]);
const SETTING: &[Field] = &[
    must("status", STATUS),
    must("reason", Kind::Text),
    may("from", STATUS),
    SECOND_OPERATOR,
    SECOND_SECRET,
];
const CONFIRMING: &[Field] = &[SECOND_OPERATOR, SECOND_SECRET];
const ADDING: &[Field] = &[
    must("operator", Kind::Text),
    must("role", Kind::One(&["auditor", "clerk", "supervisor", "administrator"])),
    must("secret", Kind::Secret),
];
const OPERATOR: &[Field] = &[must("operator", Kind::Text)];
const SIGNING: &[Field] = &[may("operator", Kind::Text), must("secret", Kind::Secret)];
const NUMBER: &[Field] = &[must("number", Kind::Text)];
const NUMBERS: &[Field] = &[must("number", Kind::Text), may("again", Kind::Text)];
const UNDOING: &[Field] = &[may("of", Kind::Text)];
const RENEWING: &[Field] = &[may("generation", Kind::Count)];
const SCANNER: &[Field] = &[may("scanner", Kind::Text)];

/// What a handler that waits for nothing says; one that waits is put into `Box::pin`.
pub(super) fn done(outcome: Outcome) -> Answering {
    Box::pin(ready(outcome))
}

/// Every route: the pages, and the same in JSON.
pub static ROUTES: &[Route] = &[
    get("/", Access::Looker, |visit| done(clerk::page(&visit))),
    get("/events", Access::Looker, |visit| done(events::stream(&visit))),
    get("/signin", Access::Anyone, |visit| done(signin::form(&visit))),
    post("/signin", Access::Anyone, |visit| Box::pin(signin::sign_in(visit))),
    post("/signout", Access::Anyone, |visit| Box::pin(signin::sign_out(visit))),
    post("/language", Access::Anyone, |visit| done(signin::language(&visit))),
    get("/assets/{name}", Access::Anyone, |visit| done(assets::asset(&visit))),
    get("/manual", READS, |visit| done(manual::form(&visit))),
    post("/manual", CLERK, |visit| Box::pin(manual::entered(visit))),
    get("/undo", READS, |visit| Box::pin(undo::page(visit))),
    post("/undo", CLERK, |visit| Box::pin(undo::take_back(visit))),
    get("/day", READS, |visit| Box::pin(day::day(visit))),
    get("/day/print", READS, |visit| Box::pin(day::day(visit))),
    get("/batches", READS, |visit| Box::pin(batches::list(visit))),
    post("/batches", CLERK, |visit| Box::pin(batches::open(visit))),
    get("/batches/{n}", READS, |visit| Box::pin(batches::one(visit))),
    get("/batches/{n}/print", READS, |visit| Box::pin(batches::one(visit))),
    post("/batches/{n}/close", CLERK, |visit| Box::pin(batches::close(visit))),
    post("/batches/{n}/reverse", SUPERVISOR, |visit| Box::pin(batches::reverse(visit))),
    get("/exceptions", READS, |visit| Box::pin(records::exceptions(visit))),
    get("/ballots", READS, |visit| Box::pin(ballots::search(visit))),
    get("/ballots/{election}/{ballot}", READS, |visit| Box::pin(ballots::one(visit))),
    post("/ballots/{election}/{ballot}/set", SUPERVISOR, |visit| Box::pin(ballots::set(visit))),
    get("/imports", READS, |visit| Box::pin(records::imports(visit))),
    get("/imports/{n}", READS, |visit| Box::pin(records::import(visit))),
    get("/reconciliation", READS, |visit| Box::pin(records::reconciliation(visit))),
    get("/reconciliation/print", READS, |visit| Box::pin(records::reconciliation(visit))),
    get("/proof", READS, |visit| Box::pin(proof::page(visit))),
    post("/proof/verify", READS, |visit| done(proof::begin(&visit))),
    post("/proof/checkpoint", SUPERVISOR, |visit| Box::pin(proof::checkpoint(visit))),
    get("/scanners", READS, |visit| Box::pin(station::scanners(visit))),
    post("/scanners/acknowledge", CLERK, |visit| Box::pin(station::acknowledge(visit))),
    get("/outbox", READS, |visit| Box::pin(station::outbox(visit))),
    post("/outbox/retry", CLERK, |visit| Box::pin(station::retry(visit))),
    post("/outbox/{n}/drop", SUPERVISOR, |visit| Box::pin(station::give_up(visit))),
    get("/operators", READS, |visit| Box::pin(station::operators(visit))),
    post("/operators", ADMINISTRATOR, |visit| Box::pin(station::add_operator(visit))),
    post("/operators/disable", ADMINISTRATOR, |visit| Box::pin(station::disable_operator(visit))),
    get("/proposals", READS, |visit| Box::pin(station::proposals(visit))),
    post("/proposals/{n}/confirm", SUPERVISOR, |visit| Box::pin(station::confirm(visit))),
    post("/proposals/{n}/decline", SUPERVISOR, |visit| Box::pin(station::decline(visit))),
    get("/labels", READS, |visit| Box::pin(printing::page(visit))),
    get("/labels/renew", READS, |visit| Box::pin(printing::renew_page(visit))),
    post("/labels/commands", CLERK, |visit| Box::pin(printing::commands(visit))),
    post("/labels/renew", SUPERVISOR, |visit| Box::pin(printing::renew(visit))),
    post("/labels/badge", ADMINISTRATOR, |visit| Box::pin(printing::badge(visit))),
    post("/labels/envelopes", CLERK, |visit| Box::pin(printing::envelopes(visit))),
    get("/api/v1/openapi.json", Access::Anyone, |_visit| done(openapi::document()))
        .gives("OpenApi"),
    get("/api/v1/session", Access::Anyone, |visit| done(signin::session(&visit))).gives("Session"),
    post("/api/v1/session", Access::Anyone, |visit| Box::pin(signin::sign_in(visit)))
        .takes(SIGNING)
        .gives("Session"),
    post("/api/v1/session/end", Access::Anyone, |visit| Box::pin(signin::sign_out(visit)))
        .gives("Session"),
    get("/api/v1/now", READS, |visit| done(clerk::now(&visit))).gives("Now"),
    post("/api/v1/manual/look-up", CLERK, |visit| Box::pin(manual::look_up(visit)))
        .takes(NUMBERS)
        .gives("LookedUp"),
    post("/api/v1/manual/confirm", CLERK, |visit| Box::pin(manual::confirm(visit)))
        .takes(NUMBER)
        .gives("ScanView"),
    get("/api/v1/undo", READS, |visit| Box::pin(undo::page(visit))).gives("Undo"),
    post("/api/v1/undo", CLERK, |visit| Box::pin(undo::take_back(visit)))
        .takes(UNDOING)
        .gives("Answer"),
    post("/api/v1/sheets", CLERK, |visit| Box::pin(printing::codes(visit))).gives("Sheet"),
    post("/api/v1/sheets/renew", SUPERVISOR, |visit| Box::pin(printing::renewed_codes(visit)))
        .takes(RENEWING)
        .gives("Sheet"),
    get("/api/v1/proof/checkpoint", READS, |visit| Box::pin(proof::newest(visit)))
        .gives("CheckpointEntry"),
    get("/api/v1/day", READS, |visit| Box::pin(day::day(visit)))
        .asks(&[may("day", Kind::Text)])
        .gives("Day"),
    get("/api/v1/batches", READS, |visit| Box::pin(batches::list(visit)))
        .asks(BEFORE)
        .gives("BatchPage"),
    post("/api/v1/batches", CLERK, |visit| Box::pin(batches::open(visit)))
        .takes(OPENING)
        .gives("Answer"),
    get("/api/v1/batches/{n}", READS, |visit| Box::pin(batches::one(visit))).gives("Batch"),
    post("/api/v1/batches/{n}/close", CLERK, |visit| Box::pin(batches::close(visit)))
        .takes(CLOSING)
        .gives("Answer"),
    post("/api/v1/batches/{n}/reverse", SUPERVISOR, |visit| Box::pin(batches::reverse(visit)))
        .takes(REVERSING)
        .gives("Answer"),
    get("/api/v1/exceptions", READS, |visit| Box::pin(records::exceptions(visit)))
        .asks(&[may("after", Kind::Text)])
        .gives("Exceptions"),
    get("/api/v1/ballots", READS, |visit| Box::pin(ballots::search(visit)))
        .asks(&[may("number", Kind::Text), may("election", Kind::Text)])
        .gives("Found"),
    get("/api/v1/ballots/{election}/{ballot}", READS, |visit| Box::pin(ballots::one(visit)))
        .gives("Ballot"),
    post("/api/v1/ballots/{election}/{ballot}/set", SUPERVISOR, |visit| {
        Box::pin(ballots::set(visit))
    })
    .takes(SETTING)
    .gives("Answer"),
    get("/api/v1/imports", READS, |visit| Box::pin(records::imports(visit)))
        .asks(BEFORE)
        .gives("ImportPage"),
    get("/api/v1/imports/{n}", READS, |visit| Box::pin(records::import(visit)))
        .asks(AFTER)
        .gives("Import"),
    get("/api/v1/reconciliation", READS, |visit| Box::pin(records::reconciliation(visit)))
        .asks(ELECTION)
        .gives("Reconciliation"),
    get("/api/v1/proof", READS, |visit| Box::pin(proof::page(visit))).asks(BEFORE).gives("Proofs"),
    post("/api/v1/proof/verify", READS, |visit| done(proof::begin(&visit))).gives("Proving"),
    post("/api/v1/proof/checkpoint", SUPERVISOR, |visit| Box::pin(proof::checkpoint(visit)))
        .gives("Answer"),
    get("/api/v1/scanners", READS, |visit| Box::pin(station::scanners(visit))).gives("Scanners"),
    post("/api/v1/scanners/acknowledge", CLERK, |visit| Box::pin(station::acknowledge(visit)))
        .takes(SCANNER)
        .gives("Answer"),
    get("/api/v1/outbox", READS, |visit| Box::pin(station::outbox(visit)))
        .asks(AFTER)
        .gives("OutboxPage"),
    post("/api/v1/outbox/retry", CLERK, |visit| Box::pin(station::retry(visit))).gives("Answer"),
    post("/api/v1/outbox/{n}/drop", SUPERVISOR, |visit| Box::pin(station::give_up(visit)))
        .takes(REASON)
        .gives("Answer"),
    get("/api/v1/operators", READS, |visit| Box::pin(station::operators(visit))).gives("Operators"),
    post("/api/v1/operators", ADMINISTRATOR, |visit| Box::pin(station::add_operator(visit)))
        .takes(ADDING)
        .gives("Answer"),
    post("/api/v1/operators/disable", ADMINISTRATOR, |visit| {
        Box::pin(station::disable_operator(visit))
    })
    .takes(OPERATOR)
    .gives("Answer"),
    get("/api/v1/proposals", READS, |visit| Box::pin(station::proposals(visit))).gives("Proposals"),
    post("/api/v1/proposals/{n}/confirm", SUPERVISOR, |visit| Box::pin(station::confirm(visit)))
        .takes(CONFIRMING)
        .gives("Answer"),
    post("/api/v1/proposals/{n}/decline", SUPERVISOR, |visit| Box::pin(station::decline(visit)))
        .gives("Answer"),
];

/// The page on which the form stands that is sent to that path: the nearest one above it.
pub(super) fn page_of(path: &str) -> &str {
    let is_page =
        |path: &str| ROUTES.iter().any(|route| route.method == Method::Get && route.fits(path));
    let mut above = path;
    while !is_page(above) {
        match above.rsplit_once('/') {
            Some((shorter, _)) => above = shorter,
            None => return "/",
        }
    }
    above
}

/// The router of the table, and of nothing else.
pub(super) fn service(desk: Shared) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let filter = match route.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        let desk = desk.clone();
        let enter = move |request: Request<Body>| gate::enter(desk.clone(), route, request);
        router = router.route(route.path, on(filter, enter));
    }
    let stranded = |desk: Shared, refusal: Refusal| {
        move |request: Request<Body>| ready(gate::strand(desk.clone(), request, &refusal))
    };
    router
        .fallback(stranded(desk.clone(), Refusal::NotFound))
        .method_not_allowed_fallback(stranded(desk, Refusal::WrongMethod))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_stands_on_the_nearest_page_above_it() {
        for (path, page) in [
            ("/batches/3/close", "/batches/3"),
            ("/ballots/202611/000000001/set", "/ballots/202611/000000001"),
            ("/proposals/7/confirm", "/proposals"),
            ("/outbox/retry", "/outbox"),
            ("/labels/renew", "/labels/renew"),
            ("/labels/badge", "/labels"),
            ("/undo", "/undo"),
            ("/language", "/"),
        ] {
            assert_eq!(page_of(path), page);
        }
        let forms = ROUTES.iter().filter(|route| route.method == Method::Post && !route.is_api());
        for route in forms {
            assert!(!page_of(route.path).starts_with("/api"), "{route:?}");
        }
    }
}
