//! What is only read: exceptions, imports, and whether everything adds up.

use super::page::Frame;
use super::refusal::Refusal;
use super::visit::{Outcome, Visit};
use crate::ballot::{ElectionId, Status};
use crate::ledger::{After, Exceptions, Flow, ImportPage, ImportSheet, Reconciliation};
use askama::Template;
use serde::Serialize;
use std::collections::BTreeMap;

/// Lines on a page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "exceptions.html")]
struct Work<'v> {
    frame: Frame<'v>,
    page: &'v Exceptions,
}

/// `GET /exceptions` and `GET /api/v1/exceptions`.
pub(super) async fn exceptions(visit: Visit) -> Outcome {
    let after = visit.query("after").map_or(Some(After::START), After::parse);
    let after = after.ok_or(Refusal::Malformed("no_page"))?;
    let now = visit.now();
    let page = visit.read(move |reader| reader.exceptions(after, PAGE, now)).await?;
    if visit.is_api() {
        return Visit::json(&page);
    }
    visit.page(&Work { frame: visit.frame("title.exceptions"), page: &page })
}

#[derive(Template)]
#[template(path = "imports.html")]
struct Imports<'v> {
    frame: Frame<'v>,
    page: &'v ImportPage,
}

#[derive(Template)]
#[template(path = "import.html")]
struct Import<'v> {
    frame: Frame<'v>,
    sheet: &'v ImportSheet,
}

/// `GET /imports` and `GET /api/v1/imports`.
pub(super) async fn imports(visit: Visit) -> Outcome {
    let before = visit.row("before", i64::MAX)?;
    let page = visit.read(move |reader| reader.import_page(before, PAGE)).await?;
    if visit.is_api() {
        return Visit::json(&page);
    }
    visit.page(&Imports { frame: visit.frame("title.imports"), page: &page })
}

/// `GET /imports/{n}` and `GET /api/v1/imports/{n}`.
pub(super) async fn import(visit: Visit) -> Outcome {
    let number = visit.param("n")?.parse().map_err(|_none| Refusal::NotFound)?;
    let after = visit.row("after", 0)?;
    let sheet = visit.read(move |reader| reader.import_sheet(number, after, PAGE)).await?;
    let sheet = sheet.ok_or(Refusal::NotFound)?;
    if visit.is_api() {
        return Visit::json(&sheet);
    }
    visit.page(&Import { frame: visit.frame("title.import"), sheet: &sheet })
}

/// Whether everything adds up, with what goes on paper.
#[derive(Debug, Serialize)]
struct Account {
    #[serde(flatten)]
    report: Reconciliation,
    checkpoint: Option<String>,
}

impl Account {
    fn flows(&self) -> Vec<&Flow> {
        self.report.moves.iter().chain([&self.report.taken_in]).collect()
    }

    /// A count by its name; none is zero.
    fn of(counts: &BTreeMap<&'static str, i64>, name: &str) -> i64 {
        counts.get(name).copied().unwrap_or(0)
    }
}

#[derive(Template)]
#[template(path = "reconciliation.html")]
struct Reconciled<'v> {
    frame: Frame<'v>,
    /// None where no election is configured or named.
    account: Option<&'v Account>,
    /// The open ones.
    statuses: Vec<&'static str>,
    means: [&'static str; 4],
}

/// `GET /reconciliation`, `GET /reconciliation/print` and `GET /api/v1/reconciliation`.
pub(super) async fn reconciliation(visit: Visit) -> Outcome {
    let named = visit.query("election").map(ElectionId::new).transpose();
    let named = named.map_err(|_none| Refusal::Malformed("no_election"))?;
    let (election, now) = (named.or_else(|| visit.settings().election.clone()), visit.now());
    let account = match election {
        None => None,
        Some(election) => Some(
            visit
                .read(move |reader| {
                    let report = reader.reconciliation(&election, now)?;
                    Ok(Account { report, checkpoint: reader.checkpoint_on_paper()? })
                })
                .await?,
        ),
    };
    if visit.is_api() {
        return Visit::json(&account.ok_or(Refusal::NotFound)?);
    }
    visit.page(&Reconciled {
        frame: visit.frame("title.reconciliation"),
        account: account.as_ref(),
        statuses: Status::ALL.into_iter().filter(|s| s.is_open()).map(Status::name).collect(),
        means: ["scans", "undone", "by_hand", "imports"],
    })
}
