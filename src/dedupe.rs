//! Repeats: the same payload as a scanner's last scan, shortly after it was last seen, is that scan and no other.
//!
//! State is per scanner and owned by whoever drives it; nothing is shared. Envelopes that two scanners see are told apart by
//! the ledger, in the order of its commits. A repeat joins only a scan whose verdict is pending or committed: after the alarm
//! the same envelope is scanned anew.

use crate::ballot::BallotId;
use crate::scan::{ScanId, Symbol, Tone};
use crate::sheet;
use std::time::Duration;

/// What a scanner's last scan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// Its verdict is on its way.
    Pending,
    /// It was answered so.
    To(Tone),
}

#[derive(Debug)]
struct Last {
    id: ScanId,
    ballot: Option<BallotId>,
    symbols: Vec<Symbol>,
    seen: Duration,
    came: Came,
    delivery: Delivery,
}

/// Whether the answer reached the scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It did, or the scanner gets none.
    Delivered,
    /// It has not, so far.
    Undelivered,
}

/// What a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// A scan of its own.
    New,
    /// A repeat of that scan, whose verdict is on its way.
    Pending(ScanId),
    /// A repeat of a scan that was answered with this tone.
    Answered(Tone, Delivery),
}

/// A scanner's last scan.
#[derive(Debug)]
pub struct Repeats {
    window: Duration,
    last: Option<Last>,
}

impl Repeats {
    /// Repeats within `window` of when the payload was last seen. Zero: there are none.
    pub const fn new(window: Duration) -> Self {
        Self { window, last: None }
    }

    /// What a read of these symbols is at `now`, of a clock that never goes back. A new one is the last scan from here on, under
    /// `id`.
    pub fn meet(&mut self, symbols: &[Symbol], id: ScanId, now: Duration) -> Met {
        if let Some(last) = &mut self.last
            && now.saturating_sub(last.seen) < self.window
            && is_same(&last.symbols, symbols)
        {
            last.seen = now;
            return match last.came {
                Came::Pending => Met::Pending(last.id),
                Came::To(tone) => Met::Answered(tone, last.delivery),
            };
        }
        self.last = Some(Last {
            id,
            ballot: None,
            symbols: symbols.to_vec(),
            seen: now,
            came: Came::Pending,
            delivery: Delivery::Undelivered,
        });
        Met::New
    }

    /// The scan got its verdict. After the alarm there is no last scan.
    pub fn judged(&mut self, id: ScanId, tone: Tone) {
        if self.last.as_ref().is_some_and(|last| last.id == id) {
            match tone {
                Tone::Fault => self.last = None,
                tone => self.last.iter_mut().for_each(|last| last.came = Came::To(tone)),
            }
        }
    }

    /// The scan named this ballot.
    pub fn named(&mut self, id: ScanId, ballot: Option<&BallotId>) {
        if let Some(last) = self.last.as_mut().filter(|last| last.id == id) {
            last.ballot = ballot.cloned();
        }
    }

    /// Somebody changed what that scan did, or what scans do: seen again, its envelope is judged anew. While its verdict is on its way
    /// the change was before it. The code of a command may have been what changed it, and is no envelope.
    pub fn changed(&mut self, ballot: Option<&BallotId>) {
        self.last.take_if(|last| {
            let is_code = last.symbols.iter().any(|symbol| sheet::has_form(&symbol.payload.0));
            let is_meant = ballot.is_none() || last.ballot.as_ref() == ballot;
            last.came != Came::Pending && !is_code && is_meant
        });
    }

    /// The scan's answer reached the scanner.
    pub fn delivered(&mut self, id: ScanId) {
        if let Some(last) = self.last.as_mut().filter(|last| last.id == id) {
            last.delivery = Delivery::Delivered;
        }
    }
}

/// Overlong payloads are cut, so two of them are never known to be the same.
fn is_same(ours: &[Symbol], theirs: &[Symbol]) -> bool {
    !ours.is_empty() && ours == theirs && !ours.iter().any(Symbol::is_overlong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(2);

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    fn met(repeats: &mut Repeats, payload: &[u8], id: u64, at: f64) -> Met {
        repeats.meet(&[Symbol::untold(payload)], ScanId(id), seconds(at))
    }

    #[test]
    fn a_repeat_inside_the_window_is_one_scan() {
        let mut repeats = Repeats::new(WINDOW);
        assert_eq!(met(&mut repeats, b"1", 1, 0.0), Met::New);
        assert_eq!(met(&mut repeats, b"1", 2, 1.9), Met::Pending(ScanId(1)));
        repeats.judged(ScanId(1), Tone::Good);
        assert_eq!(
            met(&mut repeats, b"1", 2, 3.8),
            Met::Answered(Tone::Good, Delivery::Undelivered)
        );
        repeats.delivered(ScanId(1));
        assert_eq!(met(&mut repeats, b"1", 2, 5.7), Met::Answered(Tone::Good, Delivery::Delivered));
        assert_eq!(met(&mut repeats, b"1", 2, 7.7), Met::New);
    }

    #[test]
    fn another_payload_between_makes_it_a_scan_of_its_own() {
        let mut repeats = Repeats::new(WINDOW);
        assert_eq!(met(&mut repeats, b"1", 1, 0.0), Met::New);
        assert_eq!(met(&mut repeats, b"2", 2, 0.1), Met::New);
        assert_eq!(met(&mut repeats, b"1", 3, 0.2), Met::New);
    }

    #[test]
    fn nothing_joins_a_scan_that_was_answered_with_the_alarm() {
        let mut repeats = Repeats::new(WINDOW);
        assert_eq!(met(&mut repeats, b"1", 1, 0.0), Met::New);
        repeats.judged(ScanId(1), Tone::Fault);
        assert_eq!(met(&mut repeats, b"1", 2, 0.1), Met::New);
    }

    #[test]
    fn a_late_verdict_of_an_earlier_scan_changes_nothing() {
        let mut repeats = Repeats::new(WINDOW);
        assert_eq!(met(&mut repeats, b"1", 1, 0.0), Met::New);
        assert_eq!(met(&mut repeats, b"2", 2, 0.1), Met::New);
        repeats.judged(ScanId(1), Tone::Fault);
        assert_eq!(met(&mut repeats, b"2", 3, 0.2), Met::Pending(ScanId(2)));
    }

    #[test]
    fn what_was_changed_by_hand_is_judged_anew() {
        let (ballot, other) = (BallotId::new("1").unwrap(), BallotId::new("2").unwrap());
        let mut repeats = Repeats::new(WINDOW);
        met(&mut repeats, b"1", 1, 0.0);
        repeats.changed(None);
        assert_eq!(met(&mut repeats, b"1", 2, 0.1), Met::Pending(ScanId(1)));
        repeats.judged(ScanId(1), Tone::Good);
        repeats.named(ScanId(1), Some(&ballot));
        repeats.changed(Some(&other));
        assert!(matches!(met(&mut repeats, b"1", 2, 0.2), Met::Answered(Tone::Good, _)));
        repeats.changed(Some(&ballot));
        assert_eq!(met(&mut repeats, b"1", 2, 0.3), Met::New);
        repeats.judged(ScanId(2), Tone::Good);
        repeats.changed(None);
        assert_eq!(met(&mut repeats, b"1", 3, 0.4), Met::New);
    }

    #[test]
    fn a_picture_without_a_symbol_repeats_nothing() {
        let mut repeats = Repeats::new(WINDOW);
        assert_eq!(repeats.meet(&[], ScanId(1), seconds(0.0)), Met::New);
        assert_eq!(repeats.meet(&[], ScanId(2), seconds(0.1)), Met::New);
    }

    #[test]
    fn without_a_window_there_are_no_repeats() {
        let mut repeats = Repeats::new(Duration::ZERO);
        assert_eq!(met(&mut repeats, b"1", 1, 0.0), Met::New);
        assert_eq!(met(&mut repeats, b"1", 2, 0.0), Met::New);
    }
}
