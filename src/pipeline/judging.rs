//! What drivers share: to wait, to say that they are ready, and to have a face judged.

use super::lane::Lane;
use crate::dedupe::Met;
use crate::scan::{Judged, Symbol, Tone, Verdict};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Between two attempts to hand the ledger what found its queue full.
const PUSH_AGAIN: Duration = Duration::from_millis(1);

/// What the ledger says of a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was a scan.
    Verdict(Verdict),
    /// It was a repeat of a scan that was answered so.
    Repeat(Tone),
}

impl Heard {
    /// How it was answered.
    pub(super) const fn tone(self) -> Tone {
        match self {
            Self::Verdict(verdict) => verdict.tone(),
            Self::Repeat(tone) => tone,
        }
    }
}

/// Waits; whether the daemon stops, which closes `stop`.
pub(super) fn pause(stop: &Receiver<()>, while_: Duration) -> bool {
    matches!(stop.recv_timeout(while_), Err(RecvTimeoutError::Disconnected))
}

/// Tells whoever waits, once, that the scanner was opened or reported away.
pub(super) fn settle(settled: &mut Option<oneshot::Sender<()>>) {
    if let Some(settled) = settled.take()
        && settled.send(()).is_err()
    {
        tracing::debug!("Nobody waits for the scanners any more.");
    }
}

/// Has a face judged, and waits until it is. The scan before it has its verdict: a camera or a folder has one at a time.
pub(super) fn judge(
    symbols: Vec<Symbol>,
    lane: &mut Lane,
    verdicts: &mut mpsc::Receiver<Judged>,
    stop: &Receiver<()>,
) -> Heard {
    let met = lane.face(symbols);
    while lane.is_waiting() {
        // While the daemon stops the ledger still takes what was scanned.
        wait(stop, PUSH_AGAIN);
        lane.push();
    }
    match met {
        Met::Answered(tone, _) => Heard::Repeat(tone),
        Met::Pending(_) => Heard::Verdict(Verdict::Fault),
        Met::New if lane.is_settled() => Heard::Verdict(Verdict::Fault),
        Met::New => Heard::Verdict(verdicts.blocking_recv().map_or(Verdict::Fault, |judged| {
            lane.judged(&judged);
            lane.gone();
            judged.verdict
        })),
    }
}

/// Waits, whether the daemon stops or not.
fn wait(stop: &Receiver<()>, while_: Duration) {
    if pause(stop, while_) {
        // What says that it stops says so at once.
        std::thread::park_timeout(while_);
    }
}
