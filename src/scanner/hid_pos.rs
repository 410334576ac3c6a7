//! A HID point-of-sale scanner (usage page 0x8C): input reports to symbols.
//!
//! What holds here, whatever is on the line:
//! - A scan is all the bytes of its reports, or it is a no-read. A report that is not as its layout says makes the whole scan one,
//!   and what it says of others that follow is no more believed than the rest: until one says that it is the last, or the scanner is
//!   silent, what comes may be of the same scan.
//! - A scan whose last report does not come is dropped when the scanner falls silent, and is a no-read; never joined with the next.
//! - The first read of a line that was just opened is a no-read, unless the scanner was silent before: others may have read its
//!   first reports, or the scanner may have kept its last one for whoever comes. Nothing in a report says that it is the first of
//!   its scan, so even one that says it is the last is not believed. The next is, as the reports say where a scan ends.
//! - No more than `frame_bytes_max` bytes are ever buffered. A longer scan is one symbol, cut off at the bound, with its true length.
//!
//! One read of a hidraw device is one report, its id first. The kernel keeps 64 of them and says nothing when it drops the next.
//!
//! The driver reads what is there before it calls a silence one: reports have no time of their own.
//!
//! Nothing is sent to such a scanner in the dialog.

mod codes;
mod report;

use super::dialog::Dialog;
use super::framing::Framed;
use crate::scan::{Named, Payload, Symbol, SymbologyIdentifier};
use report::{More, Prefix, Report};
use serde::Deserialize;
use std::num::NonZeroU16;
use std::time::Duration;

/// Which many scanners send after each symbol, as over a serial line; here it is no part of the payload.
const CR: u8 = b'\r';

/// What is particular to a HID point-of-sale scanner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A feature report, its id first, that is sent as the device is opened; empty for none.
    pub feature: Vec<u8>,
    /// Whether its reports have a symbology identifier.
    pub reports: Reports,
    /// Which maker's symbology letters a report has.
    pub code_ids: CodeIds,
}

/// What a report begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reports {
    /// A symbology identifier, either directly after the length or one byte later.
    #[default]
    Identified,
    /// The payload itself.
    Bare,
}

/// Whose letters for symbologies are read where no symbology identifier is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeIds {
    /// Nobody's.
    #[default]
    None,
    /// Honeywell's: `j` Code 128, `M` Intelligent Mail.
    Honeywell,
}

/// The dialog with one scanner.
#[derive(Debug)]
pub struct HidPos {
    reports: Reports,
    code_ids: CodeIds,
    frame_bytes_max: NonZeroU16,
    silence: Duration,
    state: State,
    /// When the last report came, or the line was opened.
    heard_at: Duration,
}

/// What was heard of a scan that has not ended.
#[derive(Debug)]
enum State {
    /// Nothing since the line was opened, not even a silence.
    JustOpen,
    /// Nothing.
    Between,
    /// So much.
    Partial(Partial),
    /// Something that cannot be believed.
    Spoiled,
}

#[derive(Debug)]
struct Partial {
    prefix: Prefix,
    /// The maker's letter; 0 for none.
    code_id: u8,
    /// At most `frame_bytes_max` bytes.
    payload: Payload,
    /// How many bytes there were, buffered or not.
    length: u32,
    last: u8,
}

impl HidPos {
    /// Starts as the line is opened.
    pub fn new(settings: &Settings, frame_bytes_max: NonZeroU16, silence: Duration) -> Self {
        Self {
            reports: settings.reports,
            code_ids: settings.code_ids,
            frame_bytes_max,
            silence,
            state: State::JustOpen,
            heard_at: Duration::ZERO,
        }
    }

    /// Takes a report; nothing for one that is not as it should be, which says nothing of what follows either.
    fn hear(&mut self, report: Option<Report<'_>>) -> Option<Framed> {
        let before = std::mem::replace(&mut self.state, State::Spoiled);
        let report = report?;
        let state = match before {
            State::Between => self.begun(&report),
            State::Partial(partial) => self.joined(partial, &report),
            State::JustOpen | State::Spoiled => State::Spoiled,
        };
        if report.more == More::Yes {
            self.state = state;
            return None;
        }
        self.state = State::Between;
        match state {
            State::Partial(partial) => partial.into_symbol(self.code_ids).map(Framed::Symbol),
            State::JustOpen | State::Between | State::Spoiled => Some(Framed::NoRead),
        }
    }

    fn begun(&self, report: &Report<'_>) -> State {
        if report.payload.is_empty() && report.more == More::Yes {
            return State::Spoiled;
        }
        let mut partial = Partial {
            prefix: report.prefix,
            code_id: report.code_id,
            payload: Payload::default(),
            length: 0,
            last: 0,
        };
        partial.add(report.payload, self.frame_bytes_max);
        State::Partial(partial)
    }

    /// All reports of a scan are of the same symbol. A letter that stands in some only says what it says.
    fn joined(&self, mut partial: Partial, report: &Report<'_>) -> State {
        let is_same = [0, report.code_id].contains(&partial.code_id) || report.code_id == 0;
        let is_contradiction = self.code_ids != CodeIds::None && !is_same;
        let is_empty = report.payload.is_empty() && report.more == More::Yes;
        if partial.prefix != report.prefix || is_contradiction || is_empty {
            return State::Spoiled;
        }
        partial.code_id |= report.code_id;
        partial.add(report.payload, self.frame_bytes_max);
        State::Partial(partial)
    }

    fn fall_silent(&mut self) -> Option<Framed> {
        let state = std::mem::replace(&mut self.state, State::Between);
        matches!(state, State::Partial(_) | State::Spoiled).then_some(Framed::NoRead)
    }
}

impl Dialog for HidPos {
    fn push(&mut self, bytes: &[u8], now: Duration) -> (usize, Option<Framed>) {
        if bytes.is_empty() {
            return (0, None);
        }
        // Nobody was told of the silence in time; whether it was one, or the station was held up, is unknown.
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.state = State::Spoiled;
        }
        self.heard_at = now;
        (bytes.len(), self.hear(Report::parse(bytes, self.reports)))
    }

    fn deadline(&self) -> Option<Duration> {
        let is_between = matches!(self.state, State::Between);
        (!is_between).then(|| self.heard_at.saturating_add(self.silence))
    }

    fn expired(&mut self, now: Duration) -> Option<Framed> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.fall_silent()
    }

    fn reset(&mut self) {
        self.state = State::JustOpen;
        self.heard_at = Duration::ZERO;
    }
}

impl Partial {
    fn add(&mut self, bytes: &[u8], frame_bytes_max: NonZeroU16) {
        let max = usize::from(frame_bytes_max.get());
        let room = max.saturating_sub(self.payload.0.len());
        self.payload.0.extend(bytes.iter().take(room));
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.length = self.length.saturating_add(length);
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// The scan has ended; an empty one is none.
    fn into_symbol(mut self, code_ids: CodeIds) -> Option<Symbol> {
        if self.length > 0 && self.last == CR {
            self.length = self.length.saturating_sub(1);
            self.payload.0.truncate(usize::try_from(self.length).unwrap_or(usize::MAX));
        }
        let identifier = self.prefix.identifier();
        let untold = identifier.map_or(Named::Untold, SymbologyIdentifier::symbology);
        (self.length > 0).then(|| Symbol {
            symbology: codes::symbology(code_ids, self.code_id).unwrap_or(untold),
            identifier,
            payload: self.payload,
            length: self.length,
            repaired: false,
        })
    }
}
