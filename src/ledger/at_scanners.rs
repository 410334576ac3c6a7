//! Who works at which scanner, and the hand count that is being scanned there.
//!
//! This is remembered as long as the ledger is open: after a restart, or after a commit that failed, everybody signs in anew and
//! a half count begins anew. What was done stands in events.

use super::fact::{Person, Role, Who};
use crate::sheet::Place;
use std::collections::HashMap;
use std::time::Duration;

/// Nothing was scanned for so long: whoever had signed in is gone.
const IDLE_MAX: Duration = Duration::from_mins(30);

/// The digits of a hand count are scanned within so long.
const COUNT_MAX: Duration = Duration::from_mins(5);

/// The user of the operating system in whose name a scanner acts.
const STATION: &str = "station";

/// An operator who is signed in at a scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInAt {
    /// The scanner's configured name.
    pub scanner: String,
    /// The operator.
    pub operator: String,
    /// What they may do.
    pub role: Role,
}

/// All scanners that anybody has signed in at, by their configured names.
#[derive(Debug, Default)]
pub(super) struct AtScanners(HashMap<String, AtScanner>);

#[derive(Debug, Default)]
struct AtScanner {
    operator: Option<(String, Role)>,
    seen: Duration,
    count: Option<HandCount>,
}

#[derive(Debug)]
struct HandCount {
    batch: u32,
    begun: Duration,
    digits: [Option<u8>; Place::ALL.len()],
}

impl AtScanners {
    /// Something was scanned there: whoever is signed in stays so, unless that was too long ago.
    pub(super) fn seen(&mut self, scanner: &str, now: Duration) -> Option<&(String, Role)> {
        let at = self.0.get_mut(scanner)?;
        if now.saturating_sub(at.seen) >= IDLE_MAX {
            *at = AtScanner::default();
        }
        at.seen = now;
        at.operator.as_ref()
    }

    /// An operator works there from here on.
    pub(super) fn sign_in(&mut self, scanner: &str, operator: (String, Role), now: Duration) {
        let at = AtScanner { operator: Some(operator), seen: now, count: None };
        self.0.insert(scanner.to_owned(), at);
    }

    /// Nobody does; who did.
    pub(super) fn sign_out(&mut self, scanner: &str) -> Option<String> {
        self.0.remove(scanner)?.operator.map(|(name, _)| name)
    }

    /// Everybody who is signed in somewhere at that moment, by the scanners' names.
    pub(super) fn all(&self, now: Duration) -> Vec<SignedInAt> {
        let is_there = |at: &AtScanner| now.saturating_sub(at.seen) < IDLE_MAX;
        let signed_in = |(scanner, at): (&String, &AtScanner)| {
            let (operator, role) = at.operator.clone().filter(|_| is_there(at))?;
            Some(SignedInAt { scanner: scanner.clone(), operator, role })
        };
        let mut all: Vec<_> = self.0.iter().filter_map(signed_in).collect();
        all.sort_by(|one, other| one.scanner.cmp(&other.scanner));
        all
    }

    /// A digit of the hand count of that batch.
    pub(super) fn digit(&mut self, scanner: &str, batch: u32, digit: (Place, u8), now: Duration) {
        let at = self.0.entry(scanner.to_owned()).or_default();
        at.seen = now;
        let kept = at.count.take().filter(|count| count.is_of(batch, now));
        let mut count = kept.unwrap_or(HandCount { batch, begun: now, digits: Default::default() });
        let place = Place::ALL.into_iter().position(|place| place == digit.0);
        if let Some(kept) = place.and_then(|place| count.digits.get_mut(place)) {
            *kept = Some(digit.1);
        }
        at.count = Some(count);
    }

    /// The hand count of that batch, if all of it was scanned. It is asked for once.
    pub(super) fn take_count(&mut self, scanner: &str, batch: u32, now: Duration) -> Option<u32> {
        let count = self.0.get_mut(scanner)?.count.take()?;
        let mut digits = count.digits.iter();
        digits
            .try_fold(0, |sum, digit| Some(sum * 10 + u32::from((*digit)?)))
            .filter(|_whole| count.is_of(batch, now))
    }

    /// Something else was scanned in between: what was counted may not be all.
    pub(super) fn forget_count(&mut self, scanner: &str) {
        if let Some(at) = self.0.get_mut(scanner) {
            at.count = None;
        }
    }
}

impl HandCount {
    fn is_of(&self, batch: u32, now: Duration) -> bool {
        self.batch == batch && now.saturating_sub(self.begun) < COUNT_MAX
    }
}

/// Who asks at a scanner: the operator who signed in there, or else the station.
pub(super) fn person(operator: Option<&(String, Role)>) -> Person {
    match operator {
        Some((name, role)) => Person {
            who: Who { by: name.clone(), os_user: Some(STATION.to_owned()) },
            role: Some(*role),
        },
        None => Person { who: Who::station(), role: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn whoever_scans_nothing_for_half_an_hour_is_gone() {
        let mut at = AtScanners::default();
        let mary = ("mary".to_owned(), Role::Clerk);
        at.sign_in("left", mary.clone(), MINUTE);
        assert_eq!(at.seen("left", MINUTE * 30), Some(&mary));
        assert_eq!(at.seen("left", MINUTE * 59), Some(&mary));
        assert_eq!(at.seen("right", MINUTE * 59), None);
        let there = SignedInAt {
            scanner: "left".to_owned(),
            operator: "mary".to_owned(),
            role: Role::Clerk,
        };
        assert_eq!((at.all(MINUTE * 88), at.all(MINUTE * 89)), (vec![there], Vec::new()));
        assert_eq!(at.seen("left", MINUTE * 89), None);
        assert_eq!(at.sign_out("left"), None);
    }

    #[test]
    fn a_count_is_whole_of_one_batch_and_asked_for_once() {
        let mut at = AtScanners::default();
        let scan = |at: &mut AtScanners, batch, digits: &[(Place, u8)]| {
            for digit in digits {
                at.digit("left", batch, *digit, MINUTE);
            }
        };
        let (hundreds, tens, ones) = (Place::Hundreds, Place::Tens, Place::Ones);
        scan(&mut at, 1, &[(ones, 7), (hundreds, 1), (tens, 2), (tens, 3)]);
        assert_eq!(at.take_count("left", 1, MINUTE), Some(137));
        assert_eq!(at.take_count("left", 1, MINUTE), None);
        scan(&mut at, 1, &[(hundreds, 0), (tens, 0)]);
        assert_eq!(at.take_count("left", 1, MINUTE), None);
        scan(&mut at, 1, &[(hundreds, 0), (tens, 0)]);
        scan(&mut at, 2, &[(ones, 4)]);
        assert_eq!(at.take_count("left", 2, MINUTE), None);
        scan(&mut at, 1, &[(hundreds, 0), (tens, 0), (ones, 4)]);
        assert_eq!(at.take_count("left", 2, MINUTE), None);
        scan(&mut at, 1, &[(hundreds, 0), (tens, 0), (ones, 4)]);
        at.forget_count("left");
        assert_eq!(at.take_count("left", 1, MINUTE), None);
        scan(&mut at, 1, &[(hundreds, 0), (tens, 0), (ones, 4)]);
        assert_eq!(at.take_count("left", 1, MINUTE * 6), None);
    }
}
