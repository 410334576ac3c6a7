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
use crate::ledger::{Reader, Renewal, Role, Secret, SheetCodes};
use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use std::sync::Arc;

/// Test envelopes that are drawn at a time.
const ENVELOPES_MAX: usize = 500;

/// Random bytes of a badge.
const BADGE_BYTES: usize = 16;

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    What,
    /// If all earlier sheets shall become stale.
    WhetherToRenew,
}

#[derive(Template)]
#[template(path = "labels.html")]
struct Labels<'v> {
    frame: Frame<'v>,
    /// The printing that would become stale, where the page asks whether.
    renews: Option<u32>,
    roles: [&'static str; Role::ALL.len()],
}

async fn shown(visit: &Visit, asks: Asks) -> Outcome {
    let (title, renews) = match asks {
        Asks::What => ("title.labels", None),
        Asks::WhetherToRenew => ("title.renew", Some(visit.read(Reader::sheet_generation).await?)),
    };
    visit.page(&Labels { frame: visit.frame(title), renews, roles: Role::ALL.map(Role::name) })
}

/// `GET /labels`.
pub(super) async fn page(visit: Visit) -> Outcome {
    shown(&visit, Asks::What).await
}

/// `GET /labels/renew`.
pub(super) async fn renew_page(visit: Visit) -> Outcome {
    shown(&visit, Asks::WhetherToRenew).await
}

/// `POST /labels/commands`.
pub(super) async fn commands(mut visit: Visit) -> Outcome {
    let drawn = sheet(&mut visit, Renewal::Keep).await;
    answered(visit, drawn, Asks::What).await
}

/// `POST /labels/renew`: of the printing that the page showed and no other, so that a second press leaves what the first one
/// printed good.
pub(super) async fn renew(mut visit: Visit) -> Outcome {
    let drawn = match (visit.field("sure"), visit.field("generation")) {
        (Some(_), Some(_)) => sheet(&mut visit, Renewal::Renew).await,
        (Some(_), None) => Err(Refusal::Malformed("no_generation")),
        (None, _) => Err(Refusal::Malformed("not_sure")),
    };
    answered(visit, drawn, Asks::WhetherToRenew).await
}

/// `POST /labels/badge`: a new operator, whose badge is on paper and nowhere else.
pub(super) async fn badge(mut visit: Visit) -> Outcome {
    let drawn = new_badge(&mut visit).await;
    answered(visit, drawn, Asks::What).await
}

/// `POST /labels/envelopes`.
pub(super) async fn envelopes(visit: Visit) -> Outcome {
    let drawn = test_envelopes(&visit).await;
    answered(visit, drawn, Asks::What).await
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
    let of = visit.field("generation").map(str::parse).transpose();
    let of = of.map_err(|_no| Refusal::Malformed("no_generation"))?;
    match visit.command(Command::Sheet { renewal, of }).await? {
        Answer::Sheet(codes) => Ok(codes),
        _ => Err(Refusal::Malformed("no_sheets")),
    }
}

async fn sheet(visit: &mut Visit, renewal: Renewal) -> Result<Printed, Refusal> {
    let codes = asked(visit, renewal).await?;
    let (mode, print) = (visit.settings().mode, visit.settings().print.clone());
    drawn(visit, move || labels::commands(&codes, mode, &print)).await
}

async fn new_badge(visit: &mut Visit) -> Result<Printed, Refusal> {
    let operator = needed(visit, "operator", "operator_missing")?.to_owned();
    let role = needed(visit, "role", "role_missing")?;
    let role = Role::from_name(role).ok_or(Refusal::Malformed("no_role"))?;
    let mut random = [0; BADGE_BYTES];
    getrandom::fill(&mut random).map_err(|error| Refusal::Failed(error.to_string()))?;
    let (name, secret) = (operator.clone(), Secret::badge(random));
    let (code, print) = (secret.clone(), visit.settings().print.clone());
    // Drawn first: an operator whose badge is on no paper could never sign in.
    let badge = drawn(visit, move || labels::badge(&name, &code, &print)).await?;
    visit.command(Command::OperatorAdd { operator, role, secret }).await.map(|_added| badge)
}

async fn test_envelopes(visit: &Visit) -> Result<Printed, Refusal> {
    let payloads = visit.lines("payloads");
    if payloads.is_empty() || payloads.len() > ENVELOPES_MAX {
        return Err(Refusal::Malformed("payloads"));
    }
    let settings = visit.settings();
    let (formats, print) = (Arc::clone(&settings.formats), settings.print.clone());
    drawn(visit, move || labels::envelopes(&formats, &payloads, &print)).await
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
async fn answered(mut visit: Visit, drawn: Result<Printed, Refusal>, asks: Asks) -> Outcome {
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
            shown(&visit, asks).await
        }
        Err(why) => Err(why),
    }
}
