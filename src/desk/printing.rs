//! `/labels`: command sheets, badges and test envelopes, drawn as `ballot-intake labels` draws them.
//!
//! A sheet or a badge is as good as a key: it is answered once, to whoever asked by a form, and is in no log, no event and no
//! cache. That all earlier sheets become stale is asked about first.

use super::act::needed;
use super::page::Frame;
use super::refusal::{Refusal, answer};
use super::visit::{Outcome, Visit};
use crate::control::{Answer, Command};
use crate::decode::image::DrawError;
use crate::labels::{self, Printed};
use crate::ledger::{Renewal, Role, Secret, SheetCodes};
use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use std::sync::Arc;

/// Test envelopes that are drawn at a time.
const ENVELOPES_MAX: usize = 500;

/// Random bytes of a badge.
const BADGE_BYTES: usize = 16;

/// Whether the page asks if all earlier sheets shall become stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    What,
    WhetherToRenew,
}

#[derive(Template)]
#[template(path = "labels.html")]
struct Labels<'v> {
    frame: Frame<'v>,
    asks: Asks,
    roles: [&'static str; Role::ALL.len()],
}

impl Labels<'_> {
    fn asks_whether(&self) -> bool {
        self.asks == Asks::WhetherToRenew
    }
}

fn shown(visit: &Visit, asks: Asks) -> Outcome {
    let title = match asks {
        Asks::What => "title.labels",
        Asks::WhetherToRenew => "title.renew",
    };
    visit.page(&Labels { frame: visit.frame(title), asks, roles: Role::ALL.map(Role::name) })
}

/// `GET /labels`.
pub(super) fn page(visit: &Visit) -> Outcome {
    shown(visit, Asks::What)
}

/// `GET /labels/renew`.
pub(super) fn renew_page(visit: &Visit) -> Outcome {
    shown(visit, Asks::WhetherToRenew)
}

/// `POST /labels/commands`.
pub(super) async fn commands(mut visit: Visit) -> Outcome {
    let drawn = sheet(&mut visit, Renewal::Keep).await;
    answered(visit, drawn, Asks::What)
}

/// `POST /labels/renew`.
pub(super) async fn renew(mut visit: Visit) -> Outcome {
    let drawn = match visit.field("sure") {
        Some(_) => sheet(&mut visit, Renewal::Renew).await,
        None => Err(Refusal::Malformed("not_sure")),
    };
    answered(visit, drawn, Asks::WhetherToRenew)
}

/// `POST /labels/badge`: a new operator, whose badge is on paper and nowhere else.
pub(super) async fn badge(mut visit: Visit) -> Outcome {
    let drawn = new_badge(&mut visit).await;
    answered(visit, drawn, Asks::What)
}

/// `POST /labels/envelopes`.
pub(super) async fn envelopes(visit: Visit) -> Outcome {
    let drawn = test_envelopes(&visit).await;
    answered(visit, drawn, Asks::What)
}

/// `POST /api/v1/sheets`: the codes, for a program that prints them itself.
pub(super) async fn codes(mut visit: Visit) -> Outcome {
    Visit::json(&asked(&mut visit, Renewal::Keep).await?)
}

/// `POST /api/v1/sheets/renew`.
pub(super) async fn renewed_codes(mut visit: Visit) -> Outcome {
    Visit::json(&asked(&mut visit, Renewal::Renew).await?)
}

async fn asked(visit: &mut Visit, renewal: Renewal) -> Result<SheetCodes, Refusal> {
    match visit.command(Command::Sheet { renewal }).await? {
        Answer::Sheet(codes) => Ok(codes),
        _ => Err(Refusal::Malformed("no_sheets")),
    }
}

async fn sheet(visit: &mut Visit, renewal: Renewal) -> Result<Printed, Refusal> {
    let codes = asked(visit, renewal).await?;
    let (mode, symbologies) = (visit.settings().mode, visit.settings().symbologies.clone());
    drawn(visit, move || labels::commands(&codes, mode, &symbologies)).await
}

async fn new_badge(visit: &mut Visit) -> Result<Printed, Refusal> {
    let operator = needed(visit, "operator", "operator_missing")?.to_owned();
    let role = needed(visit, "role", "role_missing")?;
    let role = Role::from_name(role).ok_or(Refusal::Malformed("no_role"))?;
    let mut random = [0; BADGE_BYTES];
    getrandom::fill(&mut random).map_err(|error| Refusal::Failed(error.to_string()))?;
    let (name, secret) = (operator.clone(), Secret::badge(random));
    let (code, symbologies) = (secret.clone(), visit.settings().symbologies.clone());
    // Drawn first: an operator whose badge is on no paper could never sign in.
    let badge = drawn(visit, move || labels::badge(&name, &code, &symbologies)).await?;
    visit.command(Command::OperatorAdd { operator, role, secret }).await.map(|_added| badge)
}

async fn test_envelopes(visit: &Visit) -> Result<Printed, Refusal> {
    let payloads = visit.lines("payloads");
    if payloads.is_empty() || payloads.len() > ENVELOPES_MAX {
        return Err(Refusal::Malformed("payloads"));
    }
    let settings = visit.settings();
    let (formats, symbologies) = (Arc::clone(&settings.formats), settings.symbologies.clone());
    drawn(visit, move || labels::envelopes(&formats, &payloads, &symbologies)).await
}

/// Draws on a thread that may take its time.
async fn drawn(
    visit: &Visit,
    draw: impl FnOnce() -> Result<Printed, DrawError> + Send + 'static,
) -> Result<Printed, Refusal> {
    // What cannot be drawn is what somebody typed: its error may hold it, and is not told on.
    let cannot = |_why| Refusal::Malformed("no_symbol");
    visit.desk.beside(draw).await?.map_err(cannot)
}

/// The file, to look at or to keep; else the page once more with what was refused.
fn answered(mut visit: Visit, drawn: Result<Printed, Refusal>, asks: Asks) -> Outcome {
    match drawn {
        Ok(Printed { file, .. }) => {
            let mut response = answer(StatusCode::OK, "application/pdf", file);
            let disposition = match visit.field("as") {
                Some("file") => "attachment; filename=\"labels.pdf\"",
                _ => "inline; filename=\"labels.pdf\"",
            };
            let disposition = HeaderValue::from_static(disposition);
            response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
            Ok(response)
        }
        Err(why @ (Refusal::Rules(_) | Refusal::Malformed(_))) => {
            visit.refused = Some(why);
            shown(&visit, asks)
        }
        Err(why) => Err(why),
    }
}
