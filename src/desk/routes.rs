//! The table of all routes: what is asked how, by whom, and who answers. The router is made of it, and so are the tests' lists.

use super::refusal::Refusal;
use super::visit::{Outcome, Visit};
use super::{Shared, assets, clerk, events, gate, signin};
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

type Answering = Pin<Box<dyn Future<Output = Outcome> + Send>>;

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
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, path, access, .. } = self;
        write!(f, "{method:?} {path} for {access:?}")
    }
}

const fn get(path: &'static str, access: Access, handler: fn(Visit) -> Answering) -> Route {
    Route { method: Method::Get, path, access, handler }
}

const fn post(path: &'static str, access: Access, handler: fn(Visit) -> Answering) -> Route {
    Route { method: Method::Post, path, access, handler }
}

/// What a handler that waits for nothing says; one that waits is put into `Box::pin`.
fn done(outcome: Outcome) -> Answering {
    Box::pin(ready(outcome))
}

/// Every route.
pub static ROUTES: &[Route] = &[
    get("/", Access::Looker, |visit| done(clerk::page(&visit))),
    get("/events", Access::Looker, |visit| done(events::stream(&visit))),
    get("/signin", Access::Anyone, |visit| done(signin::form(&visit))),
    post("/signin", Access::Anyone, |visit| Box::pin(signin::sign_in(visit))),
    post("/signout", Access::Anyone, |visit| done(signin::sign_out(&visit))),
    post("/language", Access::Anyone, |visit| done(signin::language(&visit))),
    get("/api/v1/now", Access::Role(Role::Auditor), |visit| done(clerk::now(&visit))),
    get("/assets/{name}", Access::Anyone, |visit| done(assets::asset(&visit))),
];

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
