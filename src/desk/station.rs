//! The station's own: its scanners, what it owes the relay, its operators, and what waits for a second one.

use super::act::{answered, needed, second};
use super::page::Frame;
use super::refusal::Refusal;
use super::story;
use super::visit::{Outcome, Visit};
use crate::control::roster::{ScannerState, Standing};
use crate::control::{Answer, Command};
use crate::ledger::{Decision, OperatorEntry, OutboxPage, Proposal, Reader, Role};
use askama::Template;
use serde::Serialize;

/// Changes on a page.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "scanners.html")]
struct Scanners<'v> {
    frame: Frame<'v>,
    list: &'v ScannerList,
}

/// How a scanner is, with its time as people read it.
#[derive(Debug, Serialize)]
struct Scanner {
    #[serde(rename = "scanner")]
    name: String,
    state: Standing,
    locked: bool,
    place: Option<String>,
    why: Option<String>,
    /// Local time with offset.
    last_scan: Option<String>,
    /// Scans since the daemon began.
    scans: u64,
    /// Who is signed in there by their badge.
    operator: Option<String>,
}

impl Scanner {
    const fn state(&self) -> &'static str {
        match self.state {
            Standing::Starting => "starting",
            Standing::Open => "open",
            Standing::Away => "away",
        }
    }
}

#[derive(Debug, Serialize)]
struct ScannerList {
    scanners: Vec<Scanner>,
    /// Whether it is known who is signed in there.
    knows_operators: bool,
}

/// `GET /scanners` and `GET /api/v1/scanners`.
pub(super) async fn scanners(visit: Visit) -> Outcome {
    let known = visit.desk.within.signed_in_at_scanners().await;
    let (knows_operators, there) = (known.is_some(), known.unwrap_or_default());
    let operator =
        |name: &str| there.iter().find(|at| at.scanner == name).map(|at| at.operator.clone());
    let scanner = |state: ScannerState| Scanner {
        operator: operator(&state.scanner),
        name: state.scanner,
        state: state.state,
        locked: state.is_locked,
        place: state.place,
        why: state.why,
        last_scan: state.last_scan.map(|at| visit.time(at)),
        scans: state.scans,
    };
    let scanners = visit.desk.within.scanners.states().into_iter().map(scanner).collect();
    let list = ScannerList { scanners, knows_operators };
    if visit.is_api() {
        return Visit::json(&list);
    }
    visit.page(&Scanners { frame: visit.frame("title.scanners"), list: &list })
}

/// `POST /scanners/acknowledge` and the same of the API.
pub(super) async fn acknowledge(mut visit: Visit) -> Outcome {
    let scanner = visit.field("scanner").map(str::to_owned);
    let done = visit.command(Command::Acknowledge { scanner }).await;
    answered(visit, done, "/scanners", |visit| Box::pin(scanners(visit))).await
}

#[derive(Template)]
#[template(path = "outbox.html")]
struct Outbox<'v> {
    frame: Frame<'v>,
    page: &'v OutboxPage,
    has_relay: bool,
}

/// `GET /outbox` and `GET /api/v1/outbox`.
pub(super) async fn outbox(visit: Visit) -> Outcome {
    let after = visit.row("after", 0)?;
    let page = visit.read(move |reader| reader.outbox_page(after, PAGE)).await?;
    if visit.is_api() {
        return Visit::json(&page);
    }
    let has_relay = visit.settings().hold_back.is_some();
    visit.page(&Outbox { frame: visit.frame("title.outbox"), page: &page, has_relay })
}

/// `POST /outbox/retry` and the same of the API.
pub(super) async fn retry(mut visit: Visit) -> Outcome {
    let done = visit.command(Command::OutboxRetry {}).await;
    answered(visit, done, "/outbox", |visit| Box::pin(outbox(visit))).await
}

/// `POST /outbox/{n}/drop` and the same of the API.
pub(super) async fn give_up(mut visit: Visit) -> Outcome {
    let change = visit.param("n")?.parse().map_err(|_none| Refusal::NotFound)?;
    let done = match needed(&visit, "reason", "reason_missing").map(str::to_owned) {
        Ok(reason) => visit.command(Command::OutboxDrop { change, reason }).await,
        Err(why) => Err(why),
    };
    answered(visit, done, "/outbox", |visit| Box::pin(outbox(visit))).await
}

#[derive(Template)]
#[template(path = "operators.html")]
struct Operators<'v> {
    frame: Frame<'v>,
    entries: &'v [OperatorEntry],
    roles: [&'static str; Role::ALL.len()],
}

#[derive(Debug, Serialize)]
struct OperatorList {
    operators: Vec<OperatorEntry>,
}

/// `GET /operators` and `GET /api/v1/operators`.
pub(super) async fn operators(visit: Visit) -> Outcome {
    let operators = visit.read(Reader::operators).await?;
    if visit.is_api() {
        return Visit::json(&OperatorList { operators });
    }
    visit.page(&Operators {
        frame: visit.frame("title.operators"),
        entries: &operators,
        roles: Role::ALL.map(Role::name),
    })
}

/// `POST /operators` and the same of the API.
pub(super) async fn add_operator(mut visit: Visit) -> Outcome {
    let done = add_as(&mut visit).await;
    answered(visit, done, "/operators", |visit| Box::pin(operators(visit))).await
}

async fn add_as(visit: &mut Visit) -> Result<Answer, Refusal> {
    let operator = needed(visit, "operator", "operator_missing")?.to_owned();
    let role = needed(visit, "role", "role_missing")?;
    let role = Role::from_name(role).ok_or(Refusal::Malformed("no_role"))?;
    let secret = visit.secret("secret").ok_or(Refusal::Malformed("secret_missing"))?;
    if visit.secret("secret_again").is_some_and(|again| again != secret) {
        return Err(Refusal::Malformed("passwords_differ"));
    }
    visit.command(Command::OperatorAdd { operator, role, secret }).await
}

/// `POST /operators/disable` and the same of the API.
pub(super) async fn disable_operator(mut visit: Visit) -> Outcome {
    let done = disable_as(&mut visit).await;
    answered(visit, done, "/operators", |visit| Box::pin(operators(visit))).await
}

async fn disable_as(visit: &mut Visit) -> Result<Answer, Refusal> {
    let operator = needed(visit, "operator", "operator_missing")?.to_owned();
    // It is for good: whoever presses a button beside a name is asked first.
    if visit.field("sure").is_none() && !visit.is_api() {
        return Err(Refusal::Malformed("not_sure_of_operator"));
    }
    visit.command(Command::OperatorDisable { operator }).await
}

#[derive(Template)]
#[template(path = "proposals.html")]
struct Proposals<'v> {
    frame: Frame<'v>,
    /// The number, the sentence, and whether it can still be confirmed.
    proposals: Vec<(i64, String, bool)>,
}

#[derive(Debug, Serialize)]
struct ProposalList {
    proposals: Vec<Proposal>,
}

/// `GET /proposals` and `GET /api/v1/proposals`.
pub(super) async fn proposals(visit: Visit) -> Outcome {
    let proposals = visit.read(Reader::proposals).await?;
    if visit.is_api() {
        return Visit::json(&ProposalList { proposals });
    }
    let words = visit.words();
    let told = |it: &Proposal| (it.proposal, story::proposal(it, words), it.void_because.is_none());
    visit.page(&Proposals {
        frame: visit.frame("title.proposals"),
        proposals: proposals.iter().map(told).collect(),
    })
}

/// `POST /proposals/{n}/confirm` and the same of the API. Whoever proposed it may have another confirm it there and then.
pub(super) async fn confirm(mut visit: Visit) -> Outcome {
    let proposal = visit.param("n")?.parse().map_err(|_none| Refusal::NotFound)?;
    let done = confirm_as(&mut visit, proposal).await;
    answered(visit, done, "/proposals", |visit| Box::pin(proposals(visit))).await
}

async fn confirm_as(visit: &mut Visit, proposal: i64) -> Result<Answer, Refusal> {
    second(visit).await?;
    visit.visitor.guests.second_comes_first();
    visit.command(Command::Decide { proposal, decision: Decision::Confirmed }).await
}

/// `POST /proposals/{n}/decline` and the same of the API.
pub(super) async fn decline(mut visit: Visit) -> Outcome {
    let proposal = visit.param("n")?.parse().map_err(|_none| Refusal::NotFound)?;
    let done = visit.command(Command::Decide { proposal, decision: Decision::Declined }).await;
    answered(visit, done, "/proposals", |visit| Box::pin(proposals(visit))).await
}
