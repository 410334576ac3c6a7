//! Joins the packets of a read, and knows those that were sent twice.
//!
//! Packets have no numbers. What a packet is can only be told from the last one, and from time: the next part of a read
//! follows our acknowledgement at once, a part sent again follows the first try within two response time-outs, and a new
//! read cannot come before the scanner gave the last one up. Where these do not tell for sure, the read is spoiled: it is a
//! no-read, never a wrong or a half one. One case cannot be told: two parts in a row are alike, and the second is lost
//! without a trace. Each is 250 bytes long, more than the code of any envelope.

use super::code_type::symbology;
use super::packet::Packet;
use crate::scan::{Named, Payload, Symbol, SymbologyIdentifier};
use crate::scanner::framing::Framed;
use std::num::NonZeroU16;
use std::time::Duration;

/// Within this of our acknowledgement the next part of a read has come for the first time. It is less than one response
/// time-out (2 s): if the acknowledgement was lost and the read given up, a new one comes after that.
const PROMPT: Duration = Duration::from_millis(1500);

/// Within this the next part has come when it had to be sent again. It is less than two time-outs, after which a new read has
/// come when that had to be sent again.
const REST: Duration = Duration::from_millis(3500);

/// Longer than any scanner sends a packet again: twice, after 9.9 s each.
const RETRIES: Duration = Duration::from_secs(21);

/// Length of a symbology identifier.
const IDENTIFIER_BYTES: usize = 3;

/// What became of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was new; perhaps it ended a read.
    New(Option<Framed>),
    /// It was here before.
    Repeat,
}

/// The reads of one scanner.
#[derive(Debug)]
pub(super) struct Joiner {
    bytes_max: NonZeroU16,
    /// The read whose last packet has not come. One that was told as a no-read stays for `RETRIES`, so that its rest, should
    /// it come, is no read of its own.
    partial: Option<Partial>,
    /// The last packet taken, and when it or its repeat came.
    last: Option<(Packet, Duration)>,
    /// When something was damaged since that packet.
    damaged_at: Option<Duration>,
    /// Until when a part may be one that was sent for want of an answer as we asked for it once more: that request makes a scanner
    /// give the read up if it was sent for the last time.
    crossed_until: Duration,
    /// Until when an acknowledgement too many may be under way, which the scanner takes for that of its next packet.
    doubtful_until: Duration,
    /// Whether the beginning of the next read may be lost.
    is_beginning_lost: bool,
}

/// A read, as far as it has come.
#[derive(Debug)]
struct Partial {
    code_type: u8,
    /// At most `bytes_max` and the bytes of an identifier.
    text: Vec<u8>,
    /// How many bytes there were, buffered or not.
    length: u32,
    /// How many CR and LF they end with.
    n_ends: u32,
    trust: Trust,
    last_at: Duration,
    /// Whether it may have been given up as its last part came: what comes next may be another read.
    is_perhaps_over: bool,
}

/// Whether a read is what its packets say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// So far.
    Sound,
    /// A part may be missing, or another's.
    Spoiled,
    /// The same, and it was told as a no-read.
    Told,
}

impl Joiner {
    pub(super) fn new(bytes_max: NonZeroU16) -> Self {
        Self {
            bytes_max,
            partial: None,
            last: None,
            damaged_at: None,
            crossed_until: Duration::ZERO,
            doubtful_until: Duration::ZERO,
            is_beginning_lost: false,
        }
    }

    /// Takes the packet of a read.
    pub(super) fn take(&mut self, packet: Packet, now: Duration) -> Taken {
        self.forget_old(now);
        if let Some((last, at)) = &mut self.last
            && packet.repeats(last)
        {
            *at = now;
            self.repeated(now);
            return Taken::Repeat;
        }
        self.join(&packet, now);
        self.damaged_at = None;
        let is_whole = !packet.continues();
        self.last = Some((packet, now));
        Taken::New(if is_whole { self.finish() } else { None })
    }

    /// A packet that was sent again was acknowledged: perhaps as it was given up.
    pub(super) fn acknowledged_late(&mut self, now: Duration) {
        self.doubtful_until = self.doubtful_until.max(now + PROMPT);
    }

    /// A repeat came sooner than one can that was sent for want of an acknowledgement: the station was late, or the scanner
    /// is not as we know them.
    pub(super) fn hurried(&mut self, now: Duration) {
        self.doubtful_until = now + RETRIES;
    }

    /// Something came that is no packet, perhaps the next part. The first time it is sure to be, if it comes at once.
    pub(super) fn damaged(&mut self, now: Duration) {
        let is_doubtful = now < self.doubtful_until;
        match &mut self.partial {
            Some(partial) => {
                let is_late = partial.last_at + PROMPT <= now;
                if is_late || is_doubtful || self.damaged_at.is_some() {
                    partial.spoil();
                }
            }
            None => self.is_beginning_lost |= is_doubtful,
        }
        if self.damaged_at.is_some() {
            self.crossed_until = now + PROMPT;
        }
        self.damaged_at = Some(now);
    }

    /// Whether the rest of a read is waited for.
    pub(super) fn is_amid(&self) -> bool {
        self.deadline().is_some()
    }

    /// When the rest of a read is waited for no longer.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let waiting = self.partial.as_ref().filter(|partial| partial.trust != Trust::Told);
        waiting.map(|partial| partial.last_at + REST)
    }

    /// The deadline has passed.
    pub(super) fn expired(&mut self, now: Duration) -> Option<Framed> {
        let is_over = self.deadline().is_some_and(|at| at <= now);
        let partial = self.partial.as_mut().filter(|_| is_over)?;
        partial.trust = Trust::Told;
        Some(Framed::NoRead)
    }

    /// Forgets all.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.bytes_max);
    }

    fn forget_old(&mut self, now: Duration) {
        self.last.take_if(|(_, at)| *at + RETRIES <= now);
        self.partial
            .take_if(|partial| partial.trust == Trust::Told && partial.last_at + RETRIES <= now);
        self.is_beginning_lost &= now < self.doubtful_until;
    }

    /// The last packet came again. Had the next one the same content, and was it damaged, it looks like this, too.
    fn repeated(&mut self, now: Duration) {
        if let Some(partial) = &mut self.partial {
            if self.damaged_at.is_some() {
                partial.spoil();
            }
            partial.last_at = now;
        }
        self.damaged_at = None;
    }

    fn join(&mut self, packet: &Packet, now: Duration) {
        let (code_type, text) = packet.data.split_first().unwrap_or((&0, &[]));
        let is_next = self.is_next(packet, now);
        let partial = self.partial.get_or_insert_with(|| Partial::new(*code_type, now));
        let is_beginning_lost = std::mem::take(&mut self.is_beginning_lost);
        if is_beginning_lost || !is_next || partial.code_type != *code_type {
            partial.spoil();
        }
        partial.is_perhaps_over = packet.is_retransmitted() && now < self.crossed_until;
        partial.last_at = now;
        partial.extend(text, usize::from(self.bytes_max.get()) + IDENTIFIER_BYTES);
    }

    /// Whether a packet is sure to be the next one of the read that has begun.
    fn is_next(&self, packet: &Packet, now: Duration) -> bool {
        let Some(partial) = &self.partial else { return true };
        if partial.is_perhaps_over {
            return false;
        }
        match (self.damaged_at, packet.is_retransmitted()) {
            (None, false) => now < partial.last_at + PROMPT,
            (None, true) => now < partial.last_at + REST,
            // What was damaged was this, and it was asked for. A new one would mean that it was given up.
            (Some(at), is_retransmitted) => is_retransmitted && now < at + PROMPT,
        }
    }

    fn finish(&mut self) -> Option<Framed> {
        let partial = self.partial.take()?;
        if partial.trust != Trust::Sound {
            return Some(Framed::NoRead);
        }
        partial.into_symbol(usize::from(self.bytes_max.get())).map(Framed::Symbol)
    }
}

impl Partial {
    fn new(code_type: u8, now: Duration) -> Self {
        Self {
            code_type,
            text: Vec::new(),
            length: 0,
            n_ends: 0,
            trust: Trust::Sound,
            last_at: now,
            is_perhaps_over: false,
        }
    }

    fn spoil(&mut self) {
        if self.trust == Trust::Sound {
            self.trust = Trust::Spoiled;
        }
    }

    fn extend(&mut self, text: &[u8], buffered_max: usize) {
        for byte in text {
            self.length = self.length.saturating_add(1);
            self.n_ends = if b"\r\n".contains(byte) { self.n_ends.saturating_add(1) } else { 0 };
            if self.text.len() < buffered_max {
                self.text.push(*byte);
            }
        }
    }

    /// The read without its suffix and its identifier; an empty one is none.
    fn into_symbol(self, bytes_max: usize) -> Option<Symbol> {
        let (symbology, identifier) = self.symbology();
        let mut text = self.text;
        let mut length = self.length.saturating_sub(self.n_ends);
        if identifier.is_some() {
            text.drain(..IDENTIFIER_BYTES);
            length = length.saturating_sub(3);
        }
        text.truncate(bytes_max.min(usize::try_from(length).unwrap_or(usize::MAX)));
        (length > 0).then_some(Symbol {
            symbology,
            identifier,
            payload: Payload(text),
            length,
            repaired: false,
        })
    }

    /// The symbology, and the identifier if there is one: it must not gainsay the code type, or it is payload.
    fn symbology(&self) -> (Named, Option<SymbologyIdentifier>) {
        let told = symbology(self.code_type);
        let Some([b']', code, modifier]) = self.text.first_chunk() else { return (told, None) };
        let Some(identifier) = SymbologyIdentifier::new(*code, *modifier) else {
            return (told, None);
        };
        match (told, identifier.symbology()) {
            (Named::Untold, other) => (other, Some(identifier)),
            (_, Named::Untold) => (told, Some(identifier)),
            (_, other) if other == told => (told, Some(identifier)),
            _ => (told, None),
        }
    }
}
