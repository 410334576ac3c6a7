//! What stands around every page, and the page that says why there is none.

use super::refusal::{Refusal, answer};
use super::routes::{Access, ROUTES};
use super::view::{self, detail, said, scanner};
use super::visit::Visit;
use super::words::{Lang, Words};
use super::{Shared, act};
use crate::config::Run;
use crate::control::roster::ScannerState;
use crate::ledger::{BatchStory, Exception, IN_NO_BATCH, Mover, Pulled, Who};
use crate::reason::Reason;
use askama::Template;
use axum::body::Body;
use axum::http::{Response, StatusCode};

/// The pages in the order of their links.
const LINKS: [(&str, &str); 15] = [
    ("/", "title.clerk"),
    ("/manual", "title.manual"),
    ("/undo", "title.undo"),
    ("/day", "title.day"),
    ("/batches", "title.batches"),
    ("/exceptions", "title.exceptions"),
    ("/ballots", "title.ballots"),
    ("/imports", "title.imports"),
    ("/reconciliation", "title.reconciliation"),
    ("/outbox", "title.outbox"),
    ("/scanners", "title.scanners"),
    ("/proof", "title.proof"),
    ("/proposals", "title.proposals"),
    ("/labels", "title.labels"),
    ("/operators", "title.operators"),
];

/// A text as part of a path.
pub(super) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

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
    visit: Option<&'v Visit>,
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
            visit: Some(visit),
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
    pub(super) fn with(&self, key: &str, name: &str, value: &str) -> String {
        self.words.with(key, &[(name, value)])
    }

    /// The word of a name within a table of words; the name itself where there is none.
    pub(super) fn word(&self, table: &str, name: &str) -> String {
        self.words.find(&format!("{table}.{name}")).unwrap_or(name).to_owned()
    }

    /// The names of the reasons that are offered where somebody says why.
    #[expect(clippy::unused_self, reason = "templates have the frame")]
    pub(super) fn reasons(&self) -> [&'static str; Reason::ALL.len()] {
        Reason::ALL.map(Reason::name)
    }

    /// What a person or a file says.
    pub(super) fn said(&self, reason: &str) -> String {
        said(reason, self.words)
    }

    /// What the ledger says of a scan, in the language's own words as far as there are some.
    pub(super) fn detail(&self, said: &str) -> String {
        detail(said, self.words)
    }

    /// Why an exception is one.
    pub(super) fn exception(&self, exception: &Exception) -> Option<String> {
        match &exception.pulled {
            Some(Pulled { status, reason, by }) => {
                let (key, by) = match by {
                    Mover::File(file) => ("exceptions.by_file", file.clone()),
                    Mover::Person(who) => ("exceptions.by_person", self.who(who)),
                };
                let because =
                    |why: &String| self.words.with("story.because", &[("why", &self.said(why))]);
                let because = reason.as_ref().map(because).unwrap_or_default();
                let status = self.word("status", status.name());
                let values = [("status", &*status), ("because", &*because), ("by", &*by)];
                Some(self.words.with(key, &values))
            }
            // What somebody wrote when the batch was closed.
            None if exception.difference.is_some() => exception.reason.clone(),
            None => exception.reason.as_deref().map(|why| self.detail(why)),
        }
    }

    /// Whether that names a batch.
    #[expect(clippy::unused_self, reason = "templates have the frame")]
    pub(super) fn is_batch(&self, name: &str) -> bool {
        name != IN_NO_BATCH
    }

    /// A batch's name, or what stands for none.
    pub(super) fn batch(&self, name: &str) -> String {
        let name = if name == IN_NO_BATCH { self.t("w.no_batch") } else { name };
        name.to_owned()
    }

    /// Who it was.
    pub(super) fn who(&self, who: &Who) -> String {
        view::who(who, self.words)
    }

    /// Who opened a batch; none where the station did.
    pub(super) fn opener(&self, story: &BatchStory) -> Option<String> {
        let (by, os_user) = (story.opened_by.clone()?, story.opened_os_user.clone());
        Some(self.who(&Who { by, os_user }))
    }

    /// A scanner's name, or what stands for one.
    pub(super) fn scanner(&self, name: &str) -> String {
        scanner(name, self.words)
    }

    /// A text as part of an address.
    #[expect(clippy::unused_self, reason = "templates have the frame")]
    pub(super) fn encoded(&self, text: &str) -> String {
        encoded(text)
    }

    /// Where a ballot's page is.
    #[expect(clippy::unused_self, reason = "templates have the frame")]
    pub(super) fn ballot(&self, election: &str, ballot: &str) -> String {
        super::ballots::place(election, ballot)
    }

    /// What was typed into a form that is shown once more; no password.
    pub(super) fn typed(&self, name: &str) -> &'v str {
        let refused = self.visit.filter(|visit| visit.refused.is_some());
        refused.and_then(|visit| visit.field(name)).unwrap_or_default()
    }

    /// Why a form is shown once more.
    pub(super) fn refused(&self) -> Option<String> {
        self.visit?.refused.as_ref()?.detail(self.words)
    }

    /// What was done before the page was led to.
    pub(super) fn done(&self) -> Option<&str> {
        let done = self.visit?.query("done")?;
        self.words.find(&format!("done.{done}"))
    }

    /// What else is to be said of that.
    pub(super) fn told(&self) -> Vec<String> {
        let told = self.visit.and_then(|visit| {
            let session = visit.visitor.session.as_ref()?;
            visit.desk.sessions.told(session, &visit.target)
        });
        told.map(|answer| act::told(&answer, self.words)).unwrap_or_default()
    }

    /// The scanners at which a supervisor is called, and since when.
    pub(super) fn calls(&self) -> Vec<(String, String)> {
        let zone = &self.desk.settings.zone;
        let call = |state: ScannerState| Some((state.scanner, zone.date_time(state.called?)));
        self.desk.within.scanners.states().into_iter().filter_map(call).collect()
    }

    /// Whether the page is to be printed and signed.
    pub(super) fn is_print(&self) -> bool {
        self.visit.is_some_and(|visit| visit.route.path.ends_with("/print"))
    }

    /// When the page was made, in local time with offset.
    pub(super) fn made(&self) -> String {
        self.visit.map(|visit| visit.time(visit.now())).unwrap_or_default()
    }

    /// The pages that the visitor may open: where, and the key of its name.
    pub(super) fn links(&self) -> Vec<(&'static str, &'static str)> {
        let may = |access: Access| match (access, self.visit) {
            (Access::Role(role), Some(visit)) => {
                visit.visitor.guests.party().by.may(role)
                    || (self.operator.is_none() && !self.has_operators())
            }
            (Access::Role(_), None) => false,
            _ => true,
        };
        let is_open =
            |path: &str| ROUTES.iter().any(|route| route.path == path && may(route.access));
        LINKS.into_iter().filter(|(path, _)| is_open(path)).collect()
    }

    /// Whether the visitor may do what takes that role.
    pub(super) fn may(&self, role: &str) -> bool {
        let role = crate::ledger::Role::from_name(role);
        let is_free = self.operator.is_none() && !self.has_operators();
        let by = self.visit.map(|visit| &visit.visitor.guests.party().by);
        is_free || role.zip(by).is_some_and(|(role, by)| by.may(role))
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
    detail: Option<String>,
}

/// The page that says why there is none.
pub(super) fn message(desk: &Shared, lang: Lang, refusal: &Refusal) -> Response<Body> {
    let words = desk.lexicon.words(lang);
    let key = format!("refusal.{}", refusal.name());
    let frame = Frame {
        desk,
        words,
        title: "title.refused",
        csrf: "",
        operator: None,
        target: "/",
        visit: None,
    };
    let page = Message { frame, says: words.of(&key), detail: refusal.detail(words) };
    match page.render() {
        Ok(text) => answer(refusal.status(), "text/html; charset=utf-8", text),
        Err(_unrendered) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", ""),
    }
}
