//! `/proof`: the ledger's checkpoints, one made now, and the whole ledger proved on demand.
//!
//! A proof reads the whole ledger and may take minutes: one runs at a time, on a thread of its own, and the page tells how it came out.

use super::act::answered;
use super::page::Frame;
use super::refusal::Refusal;
use super::visit::{Outcome, Visit};
use crate::control::Command;
use crate::event::chain;
use crate::ledger::{CheckpointPage, Verified, verify};
use askama::Template;
use serde::Serialize;

/// Checkpoints on a page.
const PAGE: usize = 50;

/// The last proof, and how far it is.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Proving {
    /// None since the daemon began.
    #[default]
    None,
    /// One runs.
    Running {
        /// Since when, in local time with offset.
        since: String,
    },
    /// One is done.
    Done {
        /// Since when.
        since: String,
        /// When it was done.
        at: String,
        /// What was found.
        verified: Verified,
    },
    /// One came to no end.
    Failed {
        /// Since when.
        since: String,
        /// When it was given up.
        at: String,
        /// Why.
        why: String,
    },
}

/// The proof, and checkpoints.
#[derive(Debug, Serialize)]
struct Proofs {
    proof: Proving,
    #[serde(flatten)]
    page: CheckpointPage,
}

#[derive(Template)]
#[template(path = "proof.html")]
struct ProofPage<'v> {
    frame: Frame<'v>,
    proofs: &'v Proofs,
}

/// `GET /proof` and `GET /api/v1/proof`.
pub(super) async fn page(visit: Visit) -> Outcome {
    let before = visit.row("before", i64::MAX)?;
    let page = visit.read(move |reader| reader.checkpoints(before, PAGE)).await?;
    let proofs = Proofs { proof: visit.desk.proving.borrow().clone(), page };
    if visit.is_api() {
        return Visit::json(&proofs);
    }
    visit.page(&ProofPage { frame: visit.frame("title.proof"), proofs: &proofs })
}

/// `POST /proof/checkpoint` and the same of the API.
pub(super) async fn checkpoint(mut visit: Visit) -> Outcome {
    let done = visit.command(Command::LedgerCheckpoint {}).await;
    answered(visit, done, "/proof", |visit| Box::pin(page(visit))).await
}

/// `POST /proof/verify` and the same of the API: begins, unless one runs already.
pub(super) fn begin(visit: &Visit) -> Outcome {
    let since = visit.time(visit.now());
    let running = Proving::Running { since: since.clone() };
    let begins = visit.desk.proving.send_if_modified(|proving| {
        let begins = !matches!(proving, Proving::Running { .. });
        if begins {
            *proving = running;
        }
        begins
    });
    if begins {
        let desk = visit.desk.clone();
        // It ends by itself, or with the daemon.
        drop(tokio::task::spawn_blocking(move || {
            let outcome = verify(&desk.settings.ledger);
            let at = desk.settings.zone.date_time(desk.clock.now());
            desk.proving.send_replace(match outcome {
                Ok(verified) => Proving::Done { since, at, verified },
                Err(why) => Proving::Failed { since, at, why: chain(&why) },
            });
        }));
    }
    if visit.is_api() {
        return Visit::json(&*visit.desk.proving.borrow());
    }
    Visit::see_other("/proof?done=proving")
}

/// `GET /api/v1/proof/checkpoint`: the newest, as the note that others keep.
pub(super) async fn newest(visit: Visit) -> Outcome {
    let page = visit.read(|reader| reader.checkpoints(i64::MAX, 1)).await?;
    Visit::json(page.checkpoints.first().ok_or(Refusal::NotFound)?)
}
