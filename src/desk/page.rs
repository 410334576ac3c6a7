//! What stands around every page, and the page that says why there is none.

use super::Shared;
use super::refusal::{Refusal, answer};
use super::visit::Visit;
use super::words::{Lang, Words};
use crate::config::Run;
use askama::Template;
use axum::body::Body;
use axum::http::{Response, StatusCode};

/// What stands around every page.
#[derive(Debug, Clone)]
pub(super) struct Frame<'v> {
    desk: &'v Shared,
    words: Words<'v>,
    /// The key of the page's title.
    pub(super) title: &'v str,
    /// What the page's forms carry.
    pub(super) csrf: &'v str,
    /// The operator who signed in, and the key of their role.
    pub(super) operator: Option<(&'v str, String)>,
    /// Where the page is.
    pub(super) target: &'v str,
}

impl<'v> Frame<'v> {
    pub(super) fn new(visit: &'v Visit, title: &'v str) -> Self {
        let operator = visit.visitor.guests.operator();
        Self {
            desk: &visit.desk,
            words: visit.words(),
            title,
            csrf: &visit.visitor.csrf,
            operator: operator.map(|(name, role)| (name, format!("role.{}", role.name()))),
            target: &visit.target,
        }
    }

    /// The text of a key.
    pub(super) fn t<'k>(&self, key: &'k str) -> &'k str
    where
        'v: 'k,
    {
        self.words.of(key)
    }

    /// The text of a key with one thing in it.
    #[expect(dead_code, reason = "pages that are yet to come use it")]
    pub(super) fn with(&self, key: &str, name: &str, value: &str) -> String {
        self.words.with(key, &[(name, value)])
    }

    /// The address of a style, a script or a picture.
    pub(super) fn asset(&self, name: &str) -> String {
        self.desk.assets.address(name)
    }

    pub(super) const fn lang(&self) -> &'static str {
        self.words.lang.name()
    }

    pub(super) fn station(&self) -> &str {
        &self.desk.settings.station
    }

    pub(super) fn facility(&self) -> &str {
        &self.desk.settings.facility
    }

    pub(super) fn is_practice(&self) -> bool {
        self.desk.settings.run == Run::Practice
    }

    /// Whether there is anybody who could sign in.
    pub(super) fn has_operators(&self) -> bool {
        self.desk.board.borrow().has_operators()
    }
}

/// Why there is no page.
#[derive(Template)]
#[template(path = "message.html")]
struct Message<'v> {
    frame: Frame<'v>,
    says: &'v str,
    detail: Option<&'v str>,
}

/// The page that says why there is none.
pub(super) fn message(desk: &Shared, lang: Lang, refusal: &Refusal) -> Response<Body> {
    let words = desk.lexicon.words(lang);
    let key = format!("refusal.{}", refusal.name());
    let frame =
        Frame { desk, words, title: "title.refused", csrf: "", operator: None, target: "/" };
    let page = Message { frame, says: words.of(&key), detail: refusal.detail() };
    match page.render() {
        Ok(text) => answer(refusal.status(), "text/html; charset=utf-8", text),
        Err(_unrendered) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", ""),
    }
}
