//! A scanner that types: input events of the kernel to symbols.
//!
//! What holds here, whatever is on the line:
//! - A scan is its characters as typed, or it is a no-read. A key or a combination that means no character makes the whole scan
//!   one: it is never shortened.
//! - Events tell when others are missing: a key that is released without having been pressed, or pressed twice. From there on, and
//!   likewise from where the kernel says that it dropped some, nothing is believed until the scanner has been silent: what is typed
//!   may be the end of a scan, and which modifiers are down, and whether Caps Lock is on, is unknown. Each end of a scan until then
//!   is a no-read, and so is the silence if nothing ended: even between two scans, a whole one may have been dropped.
//! - A line that was just opened is in the same doubt, since what was typed before went elsewhere. No stamp tells how long that was
//!   ago: the first has none before it. So it is the driver that tells, of the silence or of anything typed before it was told; and
//!   as it reads what is there before it calls a silence one, being held up makes no half scan a whole one. If nothing is typed in
//!   that time, nothing is said.
//! - Silence is silence for the driver's clock and for the kernel's, which stamps each event as it comes. A station that is held
//!   up hears nothing for a while, and what it then reads is no new scan.
//! - Repetitions that the kernel makes of a held key are no characters, and no sound either.
//! - Memory is bounded: one frame, one half event, one bit a key.
//!
//! How scanners type what has no key: Ctrl with a letter or sign (`Ctrl ]` is GS), or its code on the keypad while Alt is held (Alt
//! 029). The latter's byte is the code itself, whatever code page it was meant in.
//!
//! Nothing is ever sent to such a scanner.

mod de;
mod event;
mod fr;
mod keys;
mod map;
mod us;

use super::dialog::Dialog;
use super::framing::{Framed, Framer, Framing};
use event::{Cutter, Event, Kind};
use keys::{Keys, Stroke};
use map::Map;
use serde::Deserialize;
use std::time::Duration;

/// Which character a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// ANSI INCITS 154 as in the United States: what scanners are shipped with.
    Us,
    /// QWERTZ as in Germany.
    De,
    /// AZERTY as in France.
    Fr,
}

impl Layout {
    fn map(self) -> &'static Map {
        match self {
            Self::Us => &us::US,
            Self::De => &de::DE,
            Self::Fr => &fr::FR,
        }
    }
}

/// The dialog with a scanner that types.
#[derive(Debug)]
pub struct Keyboard {
    layout: Layout,
    terminators: Vec<u8>,
    silence: Duration,
    cutter: Cutter,
    keys: Keys,
    framer: Framer,
    trust: Trust,
    last: Option<Moment>,
    before: Before,
}

/// Whether what is typed can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// It can.
    Whole,
    /// Not to the end of this scan.
    Broken,
    /// Not until the scanner has been silent; whether a no-read is owed for what was typed.
    Lost { is_owed: bool },
}

/// What was before the next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The opening of the line, and not even a silence since.
    Opening,
    /// Another event.
    Event,
    /// What the driver told was a silence.
    Silence,
}

/// When something was heard.
#[derive(Debug, Clone, Copy)]
struct Moment {
    now: Duration,
    stamp: Duration,
}

/// What lies between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    Silence,
    /// Silence on the kernel's clock only: two scans that were read at once, or one and a clock that was set.
    Unsure,
}

impl Keyboard {
    /// Starts as the line is opened.
    pub fn new(layout: Layout, framing: Framing) -> Self {
        Self {
            layout,
            terminators: framing.terminators.clone(),
            silence: framing.silence,
            cutter: Cutter::default(),
            keys: Keys::new(layout.map()),
            framer: Framer::new(framing),
            trust: Trust::Lost { is_owed: false },
            last: None,
            before: Before::Opening,
        }
    }

    fn hear(&mut self, event: Event, now: Duration) -> Option<Framed> {
        let moment = Moment { now, stamp: event.stamp };
        match event.kind {
            Kind::Press(code) => {
                let dropped = self.after_gap(moment);
                let stroke = self.keys.press(code);
                dropped.or(self.take(stroke))
            }
            Kind::Release(code) => {
                let dropped = self.after_gap(moment);
                let stroke = self.keys.release(code);
                dropped.or(self.take(stroke))
            }
            Kind::Dropped => {
                let dropped = self.after_gap(moment);
                self.lose(Trust::Lost { is_owed: true });
                dropped
            }
            Kind::Repeat(code) => match self.keys.repeat(code) {
                Stroke::Nothing => None,
                stroke => {
                    let dropped = self.after_gap(moment);
                    dropped.or(self.take(stroke))
                }
            },
            Kind::Other => None,
        }
    }

    /// What the time since the last event means for what was typed before it.
    fn after_gap(&mut self, moment: Moment) -> Option<Framed> {
        let before = std::mem::replace(&mut self.before, Before::Event);
        let last = self.last.replace(moment);
        if before == Before::Opening {
            self.lose(Trust::Lost { is_owed: true });
            return None;
        }
        let last = last?;
        match last.gap(moment, self.silence) {
            Gap::Silence => return self.fall_silent(),
            // The driver heard silence where the scanner typed on.
            Gap::None if before == Before::Silence => self.lose(Trust::Lost { is_owed: false }),
            Gap::Unsure if self.is_pending() => self.lose(Trust::Lost { is_owed: true }),
            Gap::None | Gap::Unsure => {}
        }
        None
    }

    fn take(&mut self, stroke: Stroke) -> Option<Framed> {
        match stroke {
            Stroke::Nothing => None,
            Stroke::Typed(byte) => self.typed(byte),
            Stroke::Held(byte) => {
                // What may be a letter with a Ctrl key that was released unseen must not end a scan early.
                if self.terminators.contains(&byte) {
                    self.mistrust();
                }
                self.typed(byte)
            }
            Stroke::Meaningless(byte) => {
                self.mistrust();
                byte.and_then(|byte| self.typed(byte))
            }
            Stroke::Missing(byte) => {
                if !matches!(self.trust, Trust::Lost { .. }) {
                    self.lose(Trust::Lost { is_owed: true });
                }
                byte.and_then(|byte| self.typed(byte))
            }
        }
    }

    fn typed(&mut self, byte: u8) -> Option<Framed> {
        let is_end = self.terminators.contains(&byte);
        match self.trust {
            Trust::Whole => return self.framer.push(&[byte]).1,
            Trust::Broken if is_end => self.trust = Trust::Whole,
            Trust::Lost { is_owed: true } if is_end => self.trust = Trust::Lost { is_owed: false },
            Trust::Lost { is_owed: false } if is_end => return None,
            Trust::Lost { .. } => {
                self.trust = Trust::Lost { is_owed: true };
                return None;
            }
            Trust::Broken => return None,
        }
        Some(Framed::NoRead)
    }

    fn mistrust(&mut self) {
        self.framer.reset();
        self.trust = match self.trust {
            Trust::Whole | Trust::Broken => Trust::Broken,
            Trust::Lost { .. } => Trust::Lost { is_owed: true },
        };
    }

    fn lose(&mut self, trust: Trust) {
        self.framer.reset();
        self.keys.lose();
        self.trust = trust;
    }

    /// The scanner has been silent: what it had begun is dropped, and all is known again.
    fn fall_silent(&mut self) -> Option<Framed> {
        let is_owed = self.is_pending();
        self.framer.reset();
        self.cutter.reset();
        if matches!(std::mem::replace(&mut self.trust, Trust::Whole), Trust::Lost { .. }) {
            self.keys.recover();
        } else {
            self.keys.rest();
        }
        is_owed.then_some(Framed::NoRead)
    }

    /// Whether silence would drop something.
    fn is_pending(&self) -> bool {
        self.framer.is_partial()
            || self.keys.is_mid_character()
            || self.cutter.is_half()
            || matches!(self.trust, Trust::Broken | Trust::Lost { is_owed: true })
    }
}

impl Dialog for Keyboard {
    fn push(&mut self, bytes: &[u8], now: Duration) -> (usize, Option<Framed>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (taken, event) = self.cutter.take(rest);
            rest = rest.get(taken..).unwrap_or_default();
            let framed = event.and_then(|event| self.hear(event, now));
            if framed.is_some() {
                return (bytes.len().saturating_sub(rest.len()), framed);
            }
        }
        if self.cutter.is_half() {
            let stamp = self.last.map_or(Duration::ZERO, |last| last.stamp);
            self.last = Some(Moment { now, stamp });
        }
        (bytes.len(), None)
    }

    fn deadline(&self) -> Option<Duration> {
        let heard_at = match self.last.filter(|_| self.is_pending()) {
            Some(last) => last.now,
            None if self.before == Before::Opening => Duration::ZERO,
            None => return None,
        };
        Some(heard_at.saturating_add(self.silence))
    }

    fn expired(&mut self, now: Duration) -> Option<Framed> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.before = Before::Silence;
        self.fall_silent()
    }

    fn reset(&mut self) {
        self.cutter.reset();
        self.keys = Keys::new(self.layout.map());
        self.framer.reset();
        self.trust = Trust::Lost { is_owed: false };
        self.last = None;
        self.before = Before::Opening;
    }
}

impl Moment {
    fn gap(self, next: Self, silence: Duration) -> Gap {
        let is_silence_now = next.now.saturating_sub(self.now) >= silence;
        // Equal stamps tell nothing, since all events of a report have the same; nor do those of a clock that was set back.
        let by_stamp = next.stamp.checked_sub(self.stamp).filter(|gap| !gap.is_zero());
        let is_silence_by_stamp = by_stamp.map_or(is_silence_now, |gap| gap >= silence);
        match (is_silence_now, is_silence_by_stamp) {
            (true, true) => Gap::Silence,
            (false, true) => Gap::Unsure,
            (_, false) => Gap::None,
        }
    }
}
