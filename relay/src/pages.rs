//! The voters' pages: sign up and sign in, where a ballot stands, how and when to be told, and what stands behind the links of
//! messages.
//!
//! # Who is who
//!
//! A voter says name, birth date and ZIP code as they are registered, and where a code may be sent. Whoever never showed to be at a
//! contact gets the code there; whoever did gets it only at one of those, so that nobody takes over somebody else's notices by
//! knowing their birth date. Entering a code shows it, also before a text's YES. A voter who lost them all calls the office. What is answered is the same for a voter, for nobody and
//! for a confidential voter, and it is answered before anybody is looked for: neither words nor time tell whom the file holds.
//!
//! Where a ballot stands can be looked up by the three facts alone, as in every state's service: a confidential voter, an unknown
//! one and one who votes in person all have *no current mail ballot status*.

mod ballots;
mod code;
mod contacts;
mod links;
mod preferences;
mod who;

use crate::web::{Access, Frame, Outcome, Route, Visit, done, end, get, link, post, with_session};
use askama::Template;

const ANYONE: Access = Access::Anyone;
const VOTER: Access = Access::Voter;

/// Every route of the voters' pages.
pub static ROUTES: &[Route] = &[
    get("/", ANYONE, |visit| done(home(&visit))),
    get("/signin", ANYONE, |visit| done(code::ask(&visit))),
    post("/signin", ANYONE, |visit| Box::pin(code::send(visit))),
    get("/code", ANYONE, |visit| done(code::form(&visit))),
    post("/code", ANYONE, |visit| Box::pin(code::enter(visit))),
    post("/signout", VOTER, |visit| Box::pin(sign_out(visit))),
    get("/status", ANYONE, |visit| done(ballots::ask(&visit))),
    post("/status", ANYONE, |visit| Box::pin(ballots::status(visit))),
    get("/me", VOTER, |visit| Box::pin(ballots::me(visit))),
    post("/me/not-me", VOTER, |visit| Box::pin(links::not_me_here(visit))),
    get("/me/contacts", VOTER, |visit| Box::pin(contacts::list(visit))),
    post("/me/contacts", VOTER, |visit| Box::pin(contacts::add(visit))),
    post("/me/contacts/{id}/confirm", VOTER, |visit| Box::pin(contacts::confirm(visit))),
    post("/me/contacts/{id}/order", VOTER, |visit| Box::pin(contacts::order(visit))),
    post("/me/contacts/{id}/remove", VOTER, |visit| Box::pin(contacts::remove(visit))),
    post("/me/end", VOTER, |visit| Box::pin(contacts::end(visit))),
    post("/me/resume", VOTER, |visit| Box::pin(contacts::resume(visit))),
    get("/me/preferences", VOTER, |visit| Box::pin(preferences::form(visit))),
    post("/me/preferences", VOTER, |visit| Box::pin(preferences::save(visit))),
    get("/not-me/{id}/{tag}", ANYONE, |visit| done(links::not_me_form(&visit))),
    link("/not-me/{id}/{tag}", |visit| Box::pin(links::not_me(visit))),
    get("/unsubscribe/{id}/{tag}", ANYONE, |visit| done(links::unsubscribe_form(&visit))),
    link("/unsubscribe/{id}/{tag}", |visit| Box::pin(links::unsubscribe(visit))),
];

/// The first page.
#[derive(Template)]
#[template(path = "home.html")]
struct Home<'v> {
    frame: Frame<'v>,
}

/// `GET /`.
fn home(visit: &Visit) -> Outcome {
    visit.page(&Home { frame: visit.frame("title.home") })
}

/// `POST /signout`.
async fn sign_out(visit: Visit) -> Outcome {
    let token = visit.token().to_owned();
    visit.write(move |tx| end(tx, &token)).await?;
    Ok(with_session(&visit, Visit::see_other("/")?, None))
}
