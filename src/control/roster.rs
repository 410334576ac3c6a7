//! The station's scanners while the daemon runs: how each of them is, and what somebody has acknowledged.

use crate::clock::Micros;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

/// Acknowledgments that wait for a scanner's driver: one is as good as many.
const WAITING_MAX: usize = 1;

/// How a scanner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It has not been tried yet.
    Starting,
    /// It is open.
    Open,
    /// It cannot be reached.
    Away,
}

/// What is known of one scanner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannerState {
    /// Its configured name.
    pub scanner: String,
    /// How it is.
    pub state: Standing,
    /// Whether it is locked until somebody acknowledges.
    pub is_locked: bool,
    /// Where it is, or was looked for.
    pub place: Option<String>,
    /// Why it cannot be reached.
    pub why: Option<String>,
    /// When its last scan was read.
    pub last_scan: Option<Micros>,
    /// Scans since the daemon began; repeats are none.
    pub scans: u64,
    /// Since when a supervisor is called there; none once somebody acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called: Option<Micros>,
}

/// One scanner's line of the roster, kept by its driver.
#[derive(Debug)]
pub struct Entry {
    state: watch::Sender<ScannerState>,
}

/// Tells a driver that somebody has acknowledged what was bad.
pub type Acknowledgments = mpsc::Receiver<()>;

/// All scanners of the station.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    lines: Vec<Line>,
}

#[derive(Debug, Clone)]
struct Line {
    state: watch::Receiver<ScannerState>,
    acknowledge: mpsc::Sender<()>,
    called: watch::Sender<Option<Micros>>,
}

impl Line {
    fn state(&self) -> ScannerState {
        ScannerState { called: *self.called.borrow(), ..self.state.borrow().clone() }
    }
}

impl Roster {
    /// Enters a scanner.
    pub fn enter(&mut self, scanner: &str) -> (Entry, Acknowledgments) {
        let (state, state_rx) = watch::channel(ScannerState {
            scanner: scanner.to_owned(),
            state: Standing::Starting,
            is_locked: false,
            place: None,
            why: None,
            last_scan: None,
            scans: 0,
            called: None,
        });
        let (acknowledge, acknowledged) = mpsc::channel(WAITING_MAX);
        let called = watch::Sender::new(None);
        self.lines.push(Line { state: state_rx, acknowledge, called });
        (Entry { state }, acknowledged)
    }

    /// How each scanner is, in the order of the configuration.
    pub fn states(&self) -> Vec<ScannerState> {
        self.lines.iter().map(Line::state).collect()
    }

    /// A supervisor is called at the scanner of that name: it stands so until somebody acknowledges.
    pub fn call(&self, scanner: &str, at: Micros) {
        for line in self.lines.iter().filter(|line| line.state.borrow().scanner == scanner) {
            line.called.send_if_modified(|called| {
                let is_news = called.is_none();
                called.get_or_insert(at);
                is_news
            });
        }
    }

    /// Has the scanner of that name, or all, scan on; how many were locked. Nothing when there is no such scanner. One that is not
    /// known to be locked is told, too: it may be from before this daemon.
    pub fn acknowledge(&self, scanner: Option<&str>) -> Option<usize> {
        let is_asked =
            |line: &&Line| scanner.is_none_or(|scanner| line.state.borrow().scanner == scanner);
        self.lines.iter().find(is_asked)?;
        let mut n_locked = 0;
        for line in self.lines.iter().filter(is_asked) {
            n_locked += usize::from(line.state.borrow().is_locked);
            line.called.send_replace(None);
            if line.acknowledge.try_send(()).is_err() {
                tracing::debug!("An acknowledgment waits already.");
            }
        }
        Some(n_locked)
    }
}

impl Entry {
    /// It is open there.
    pub fn opened(&self, place: String) {
        self.state.send_modify(|state| {
            (state.state, state.place, state.why) = (Standing::Open, Some(place), None);
        });
    }

    /// It cannot be reached there.
    pub fn away(&self, place: String, why: String) {
        self.state.send_modify(|state| {
            (state.state, state.place, state.why) = (Standing::Away, Some(place), Some(why));
        });
    }

    /// A scan was read.
    pub fn scanned(&self, at: Micros) {
        self.state.send_modify(|state| {
            state.last_scan = Some(at);
            state.scans = state.scans.saturating_add(1);
        });
    }

    /// It scans nothing until somebody acknowledges.
    pub fn locked(&self) {
        self.state.send_modify(|state| state.is_locked = true);
    }

    /// It may scan again.
    pub fn unlocked(&self) {
        self.state.send_modify(|state| state.is_locked = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scanner_has_its_line_and_the_locked_are_unlocked() {
        let mut roster = Roster::default();
        let (left, mut left_acknowledged) = roster.enter("left");
        let (right, mut right_acknowledged) = roster.enter("right");
        left.opened("/dev/ttyACM0".to_owned());
        left.scanned(Micros(7));
        right.away("/dev/ttyACM1".to_owned(), "not plugged in".to_owned());
        right.locked();
        let states = roster.states();
        assert_eq!((states[0].state, states[0].scans), (Standing::Open, 1));
        assert_eq!(states[0].last_scan, Some(Micros(7)));
        assert_eq!((states[1].state, states[1].is_locked), (Standing::Away, true));
        assert_eq!(states[1].why.as_deref(), Some("not plugged in"));

        for scanner in ["left", "right", "middle"] {
            roster.call(scanner, Micros(8));
        }
        let called = |roster: &Roster| -> Vec<_> {
            roster.states().iter().map(|state| state.called).collect()
        };
        assert_eq!(roster.acknowledge(Some("middle")), None);
        assert_eq!(called(&roster.clone()), [Some(Micros(8)); 2]);
        assert_eq!(roster.acknowledge(Some("left")), Some(0));
        assert_eq!(called(&roster), [None, Some(Micros(8))]);
        assert_eq!(roster.acknowledge(None), Some(1));
        assert_eq!(roster.acknowledge(None), Some(1));
        assert!(left_acknowledged.try_recv().is_ok());
        assert!(right_acknowledged.try_recv().is_ok());
        assert!(right_acknowledged.try_recv().is_err());
    }
}
