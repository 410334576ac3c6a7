//! What is asked how, by whom, and who answers; the router is made of such tables alone.

use super::Site;
use super::refusal::Refusal;
use super::visit::{Outcome, Role, Visit};
use super::{assets, gate};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::{MethodFilter, on};
use std::future::ready;
use std::pin::Pin;

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Looks and changes nothing.
    Get,
    /// May change something.
    Post,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches the relay.
    Anyone,
    /// Whoever has the link, which no other page's form can make up: a form without a token, as RFC 8058 has it.
    Link,
    /// A voter who signed in.
    Voter,
    /// Somebody of the office with this role or more.
    Office(Role),
}

/// What a handler gives.
pub type Answering = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One route.
pub struct Route {
    /// How it is asked.
    pub method: Method,
    /// Its path, `{name}` for what varies.
    pub path: &'static str,
    /// Who may ask.
    pub access: Access,
    /// Who answers.
    pub handler: fn(Visit) -> Answering,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, path, access, .. } = self;
        write!(f, "{method:?} {path} for {access:?}")
    }
}

/// A page.
pub const fn get(path: &'static str, access: Access, handler: fn(Visit) -> Answering) -> Route {
    Route { method: Method::Get, path, access, handler }
}

/// A form.
pub const fn post(path: &'static str, access: Access, handler: fn(Visit) -> Answering) -> Route {
    Route { method: Method::Post, path, access, handler }
}

/// A form that stands behind a link.
pub const fn link(path: &'static str, handler: fn(Visit) -> Answering) -> Route {
    post(path, Access::Link, handler)
}

/// What a handler that waits for nothing says; one that waits is put into `Box::pin`.
pub fn done(outcome: Outcome) -> Answering {
    Box::pin(ready(outcome))
}

static OWN: &[Route] = &[
    get("/assets/{name}", Access::Anyone, |visit| done(assets::asset(&visit))),
    post("/language", Access::Anyone, |visit| done(gate::language(&visit))),
];

/// Answers these routes, and refuses all others.
pub fn router(site: &Site, tables: &[&'static [Route]]) -> Router {
    let mut router = Router::new();
    for route in OWN.iter().chain(tables.iter().copied().flatten()) {
        let own = site.clone();
        let filter = match route.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        let handler = move |request: Request<Body>| gate::enter(own.clone(), route, request);
        router = router.route(route.path, on(filter, handler));
    }
    let (nowhere, otherwise) = (site.clone(), site.clone());
    router
        .fallback(move |request: Request<Body>| {
            let answer = gate::strand(&nowhere, &request, &Refusal::NotFound);
            async move { answer }
        })
        .method_not_allowed_fallback(move |request: Request<Body>| {
            let answer = gate::strand(&otherwise, &request, &Refusal::WrongMethod);
            async move { answer }
        })
}
