//! When the relay is asked: at full width while it is up, one probe at a time while it is away, not at all once it is gone.
//!
//! Nothing is ever given up: an outage ends with the first answer to a probe, however long it was. Time and randomness are
//! arguments.

use crate::clock::Micros;
use crate::delivery::Answer;
use std::time::Duration;

/// How many attempts are in hand at once while the relay is up.
pub(super) const CONCURRENT: usize = 8;
/// No probe comes sooner than this after the last, whatever the dice say.
const RETRY_MIN: Duration = Duration::from_millis(100);
/// The first probe of an outage comes within this; each later bound is twice the one before.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Probes of a long outage come at least this often: a voter must not wait long once the relay is back.
const RETRY_MAX: Duration = Duration::from_mins(5);
/// The longest that the relay may ask us to wait. A day would be a mistake, and hide one.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

const _: () = assert!(RETRY_MIN.as_millis() < RETRY_FIRST.as_millis());
const _: () = assert!(RETRY_MAX.as_millis() < RETRY_AFTER_MAX.as_millis());

/// Due without waiting, because a person asked for it.
const AT_ONCE: Duration = Duration::ZERO;

/// Where the relay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    /// It takes changes, as far as we know.
    #[default]
    Up,
    /// It takes none.
    Away {
        /// Since when.
        since: Micros,
        /// How many times it was found so.
        attempt: u32,
    },
    /// It said that it is gone for good.
    Gone,
}

/// When an answer came, and the dice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The wall clock, for the record.
    pub(super) now: Micros,
    /// Time since the schedule began, for waiting.
    pub(super) at: Duration,
    /// Evenly drawn from all that fit.
    pub(super) draw: u64,
}

/// What an answer changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// An outage began.
    Away,
    /// One ended, which began then.
    Back {
        /// When it began.
        since: Micros,
    },
    /// The relay said goodbye.
    Gone,
}

/// The state of the relay and the next probe.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    state: State,
    /// While away: when the next probe may start.
    due: Duration,
    /// While away: whether the probe is out. Other answers are of attempts that began before the outage.
    probing: bool,
}

impl Schedule {
    /// How many attempts may start now, with so many in hand. A probe is alone: those from before the outage come back first.
    pub(super) const fn room(&self, in_hand: usize, at: Duration) -> usize {
        match self.state {
            State::Up => CONCURRENT.saturating_sub(in_hand),
            State::Away { .. } if in_hand == 0 && at.as_nanos() >= self.due.as_nanos() => 1,
            State::Away { .. } | State::Gone => 0,
        }
    }

    /// When the next probe may start, if one is to come.
    pub(super) const fn due(&self) -> Option<Duration> {
        match self.state {
            State::Away { .. } => Some(self.due),
            State::Up | State::Gone => None,
        }
    }

    /// An attempt starts; while away it is the probe.
    pub(super) const fn started(&mut self) {
        if let State::Away { .. } = self.state {
            self.probing = true;
            self.due = Duration::MAX;
        }
    }

    /// Somebody wants the relay to be asked now, even if it is gone. If a probe is out, the next follows it at once.
    pub(super) const fn retry(&mut self, now: Micros) {
        if let State::Gone = self.state {
            self.state = State::Away { since: now, attempt: 0 };
            self.probing = false;
        }
        self.due = AT_ONCE;
    }

    /// Takes an answer.
    pub(super) fn answered(&mut self, answer: &Answer, moment: Moment) -> Option<Turn> {
        let is_probe = std::mem::take(&mut self.probing);
        match (self.state, answer) {
            (State::Gone, _) | (State::Up, Answer::Delivered | Answer::ChangeRefused { .. }) => {
                None
            }
            (State::Up | State::Away { .. }, Answer::RelayGone { .. }) => {
                self.state = State::Gone;
                Some(Turn::Gone)
            }
            (State::Up, Answer::RelayAway { retry_after, .. }) => {
                self.due = Duration::MAX;
                self.wait(1, *retry_after, moment);
                self.state = State::Away { since: moment.now, attempt: 1 };
                Some(Turn::Away)
            }
            (State::Away { since, attempt }, Answer::RelayAway { retry_after, .. }) if is_probe => {
                let attempt = attempt.saturating_add(1);
                self.wait(attempt, *retry_after, moment);
                self.state = State::Away { since, attempt };
                (attempt == 1).then_some(Turn::Away)
            }
            (State::Away { since, .. }, Answer::Delivered | Answer::ChangeRefused { .. })
                if is_probe =>
            {
                self.state = State::Up;
                Some(Turn::Back { since })
            }
            (State::Away { .. }, Answer::RelayAway { retry_after, .. }) => {
                if self.due != AT_ONCE {
                    self.due = self.due.max(moment.at + bounded(*retry_after));
                }
                None
            }
            (State::Away { .. }, Answer::Delivered | Answer::ChangeRefused { .. }) => None,
        }
    }

    fn wait(&mut self, attempt: u32, retry_after: Option<Duration>, moment: Moment) {
        if self.due != AT_ONCE {
            self.due = moment.at + jittered(attempt, moment.draw).max(bounded(retry_after));
        }
    }
}

fn bounded(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or_default().min(RETRY_AFTER_MAX)
}

/// Exponential backoff with full jitter: evenly from [`RETRY_MIN`] to a bound that doubles up to [`RETRY_MAX`], so that many
/// stations do not fall upon a relay that comes back all at once.
fn jittered(attempt: u32, draw: u64) -> Duration {
    let doublings = attempt.saturating_sub(1);
    let bound = RETRY_FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(RETRY_MAX);
    let spread = u64::try_from(bound.saturating_sub(RETRY_MIN).as_millis()).unwrap_or(u64::MAX - 1);
    RETRY_MIN + Duration::from_millis(draw % (spread + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: u64 = u64::MAX;

    fn moment(at: Duration) -> Moment {
        Moment { now: Micros(7), at, draw: 0 }
    }

    fn away(retry_after: Option<u64>) -> Answer {
        let retry_after = retry_after.map(Duration::from_secs);
        Answer::RelayAway { why: "500".to_owned(), retry_after }
    }

    fn refused() -> Answer {
        Answer::ChangeRefused { why: "422".to_owned() }
    }

    fn gone() -> Answer {
        Answer::RelayGone { why: "410".to_owned() }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A schedule that found the relay away at second 100.
    fn in_outage() -> Schedule {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.answered(&away(None), moment(seconds(100))), Some(Turn::Away));
        schedule
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        for (attempt, spread) in [(1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 300), (99, 300)]
        {
            let spread =
                u64::try_from(seconds(spread).saturating_sub(RETRY_MIN).as_millis()).unwrap();
            assert_eq!(jittered(attempt, 0), RETRY_MIN);
            assert_eq!(jittered(attempt, spread), RETRY_MIN + Duration::from_millis(spread));
            assert_eq!(jittered(attempt, spread + 1), RETRY_MIN);
        }
        assert!(jittered(u32::MAX, LAST) <= RETRY_MAX);
    }

    #[test]
    fn a_relay_that_is_up_has_room_for_eight() {
        let schedule = Schedule::default();
        for (in_hand, room) in [(0, 8), (5, 3), (8, 0), (9, 0)] {
            assert_eq!(schedule.room(in_hand, Duration::ZERO), room);
        }
        assert_eq!(schedule.due(), None);
    }

    #[test]
    fn an_outage_is_one_probe_at_a_time() {
        let mut schedule = in_outage();
        let due = schedule.due().unwrap();
        assert_eq!(due, seconds(100) + RETRY_MIN);
        assert_eq!(schedule.room(0, seconds(100) + RETRY_MIN / 2), 0);
        assert_eq!(schedule.room(1, due), 0, "an attempt from before the outage is still out");
        assert_eq!(schedule.room(0, due), 1);
        schedule.started();
        assert_eq!(schedule.room(1, seconds(9_000)), 0);
        assert_eq!(schedule.answered(&away(None), moment(seconds(101))), None);
        assert_eq!(schedule.state, State::Away { since: Micros(7), attempt: 2 });
    }

    #[test]
    fn the_first_answer_to_a_probe_ends_the_outage() {
        for answer in [Answer::Delivered, refused()] {
            let mut schedule = in_outage();
            schedule.started();
            let turn = schedule.answered(&answer, moment(seconds(200)));
            assert_eq!(turn, Some(Turn::Back { since: Micros(7) }));
            assert_eq!(schedule.room(0, seconds(200)), CONCURRENT);
        }
    }

    #[test]
    fn answers_from_before_the_outage_do_not_end_or_lengthen_it() {
        for answer in [Answer::Delivered, refused(), away(None)] {
            let mut schedule = in_outage();
            let (state, due) = (schedule.state, schedule.due());
            assert_eq!(schedule.answered(&answer, moment(seconds(100))), None);
            assert_eq!((schedule.state, schedule.due()), (state, due));
        }
    }

    #[test]
    fn the_relay_may_ask_for_up_to_an_hour() {
        for (asked, waited) in [(0, RETRY_MIN), (90, seconds(90)), (86_400, RETRY_AFTER_MAX)] {
            let mut schedule = Schedule::default();
            assert_eq!(schedule.answered(&away(Some(asked)), moment(seconds(5))), Some(Turn::Away));
            assert_eq!(schedule.due(), Some(seconds(5) + waited));
        }
        let mut schedule = in_outage();
        assert_eq!(schedule.answered(&away(Some(60)), moment(seconds(101))), None);
        assert_eq!(schedule.due(), Some(seconds(161)), "asked by one from before the outage");
    }

    #[test]
    fn a_relay_that_is_gone_is_asked_only_when_a_person_wants_it() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.answered(&gone(), moment(seconds(1))), Some(Turn::Gone));
        assert_eq!(schedule.answered(&Answer::Delivered, moment(seconds(1))), None);
        assert_eq!((schedule.room(0, Duration::MAX), schedule.due()), (0, None));
        schedule.retry(Micros(9));
        assert_eq!(schedule.room(0, seconds(2)), 1);
        schedule.started();
        assert_eq!(schedule.answered(&gone(), moment(seconds(2))), Some(Turn::Gone));
        schedule.retry(Micros(11));
        schedule.started();
        assert_eq!(schedule.answered(&away(None), moment(seconds(3))), Some(Turn::Away));
    }

    #[test]
    fn a_retry_during_a_probe_is_not_forgotten() {
        let mut schedule = in_outage();
        schedule.retry(Micros(8));
        assert_eq!(schedule.room(0, seconds(100)), 1);
        schedule.started();
        schedule.retry(Micros(8));
        assert_eq!(schedule.answered(&away(Some(600)), moment(seconds(120))), None);
        assert_eq!(schedule.room(0, seconds(120)), 1);
        schedule.started();
        assert_eq!(schedule.answered(&away(None), moment(seconds(140))), None);
        assert_eq!(schedule.room(0, seconds(140)), 0, "a retry is one probe");
    }
}
