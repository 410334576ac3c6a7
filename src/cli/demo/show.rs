//! What the demonstration shows while it runs: verdicts, receipts and a line of progress.

use crate::cli::loopback::{CHECKPOINT, Receipt};
use crate::event::printable;
use crate::scan::{Judged, Tone};
use std::io::{self, IsTerminal as _, Stdout, Write as _};

/// Receipts that are shown; the others are counted.
const RECEIPTS_SHOWN: u64 = 3;

/// Where no line can be rewritten there is a line of progress after so many scans.
const PROGRESS_EVERY: u64 = 50;

/// How many of each tone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tones {
    pub(super) good: u64,
    pub(super) notice: u64,
    pub(super) bad: u64,
    pub(super) fault: u64,
}

impl Tones {
    pub(super) const fn add(&mut self, tone: Tone) {
        match tone {
            Tone::Good => self.good += 1,
            Tone::Own | Tone::Notice => self.notice += 1,
            Tone::Bad => self.bad += 1,
            Tone::Fault => self.fault += 1,
        }
    }

    pub(super) const fn total(self) -> u64 {
        self.good + self.notice + self.bad + self.fault
    }
}

impl std::fmt::Display for Tones {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { good, notice, bad, fault } = self;
        write!(f, "good {good}, notice {notice}, bad {bad}")?;
        if *fault > 0 { write!(f, ", fault {fault}") } else { Ok(()) }
    }
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The clerk's scans, by the ledger.
    pub(super) scans: Tones,
    /// The answers that the clerk heard.
    pub(super) heard: Tones,
    /// Pictures with a verdict.
    pub(super) pictures: u64,
    /// Changes that the relay took, by the ledger.
    pub(super) delivered: u64,
    /// Events that the loopback relay took, each once.
    pub(super) receipts: u64,
    /// News that came too fast to be shown.
    pub(super) missed: u64,
}

/// Standard output, as a terminal or not.
#[derive(Debug)]
pub(super) struct Screen {
    out: Stdout,
    is_terminal: bool,
    /// Scans that are yet to come in the session.
    expected: u64,
}

impl Screen {
    pub(super) fn new(expected: u64) -> Self {
        let out = io::stdout();
        Self { is_terminal: out.is_terminal(), out, expected }
    }

    /// A line that stays.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        let wipe = if self.is_terminal { "\r\x1b[2K" } else { "" };
        writeln!(self.out.lock(), "{wipe}{text}")
    }

    /// A verdict; while the session goes on, those that change nothing.
    pub(super) fn verdict(&self, scanner: &str, judged: &Judged) -> io::Result<()> {
        let tone = judged.verdict.tone();
        let ballot = judged.ballot.as_ref().map(|ballot| format!(" {ballot}")).unwrap_or_default();
        let reason = judged.reason.as_deref().map(|reason| format!(" ({})", printable(reason)));
        let (on, off) = if self.is_terminal { (color(tone), "\x1b[0m") } else { ("", "") };
        let reason = reason.unwrap_or_default();
        self.say(&format!("  {scanner:8} {on}{}{off}{ballot}{reason}", judged.verdict))
    }

    /// What the relay took, at first.
    pub(super) fn receipt(&self, receipt: &Receipt, seen: &Seen) -> io::Result<()> {
        if receipt.event_type == CHECKPOINT {
            let (origin, row) = (printable(&receipt.subject), receipt.sequence);
            return self.say(&format!("  relay    keeps a checkpoint of {origin}: row {row}"));
        }
        if seen.receipts > RECEIPTS_SHOWN {
            return Ok(());
        }
        let more = if seen.receipts == RECEIPTS_SHOWN { " (more are counted)" } else { "" };
        let (kind, subject) = (printable(&receipt.event_type), printable(&receipt.subject));
        self.say(&format!("  relay    took {kind} of {subject}, number {}{more}", receipt.sequence))
    }

    /// How far it is; on a terminal always in the same line.
    pub(super) fn progress(&self, seen: &Seen) -> io::Result<()> {
        let scans = seen.scans.total();
        let text = format!(
            "{scans} of {} scans ({}), {} pictures, {} changes with the relay",
            self.expected, seen.scans, seen.pictures, seen.delivered
        );
        if self.is_terminal {
            let mut out = self.out.lock();
            write!(out, "\r\x1b[2K{text}")?;
            out.flush()
        } else if scans > 0 && scans.is_multiple_of(PROGRESS_EVERY) {
            self.say(&text)
        } else {
            Ok(())
        }
    }
}

const fn color(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "\x1b[32m",
        Tone::Own | Tone::Notice => "\x1b[33m",
        Tone::Bad => "\x1b[31m",
        Tone::Fault => "\x1b[1;31m",
    }
}
