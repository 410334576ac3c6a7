//! What the clerk's page shows at any moment, kept by one task from what happens at the station, and the frames that tell pages of it.
//!
//! A scan comes by the ledger's feed, after its commit, and is on the board and in a frame at once; only in a burst do scans share
//! frames. Scanners are looked at twice a second; the ledger is read beside, every few seconds and when people changed something: its
//! scans at the begin alone, and where the feed was lost. A reading during which somebody scanned does not know for sure which scans
//! are in it: its counts are left aside, and the ledger is read again.

use super::view::{News, Tell};
use super::words::{Lang, Lexicon};
use super::{Sessions, Settings};
use crate::clock::{Clock, Micros};
use crate::control::Within;
use crate::control::roster::{Roster, ScannerState};
use crate::event::{LogEvent, chain, legible};
use crate::ledger::{Change, Now, OpenNow, ReadError, Reader, Role, ScanNow, Told};
use crate::scan::{Earlier, Fill, Judged, Symbol, Then, Verdict};
use axum::body::Bytes;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// Scans that are shown.
pub(super) const SCANS_SHOWN: usize = 10;

/// Between two looks at the scanners.
const LOOK: Duration = Duration::from_millis(500);

/// Shortest between two frames: a clerk's eye, and a page that paints 25 times a second, see no more.
const BETWEEN_FRAMES: Duration = Duration::from_millis(40);

/// Looks until the ledger is read again.
const LOOKS_A_READING: u32 = 10;

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Operator {
    name: String,
    role: Role,
}

/// What is known of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Counts those that were seen.
    pub(super) number: u64,
    pub(super) at: Micros,
    pub(super) scanner: String,
    pub(super) verdict: Verdict,
    pub(super) ballot: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) earlier: Option<Earlier>,
    pub(super) batch: u32,
    pub(super) position: i64,
    pub(super) fill: Fill,
    /// What it said that names no ballot: of the last scan only, and nowhere else.
    pub(super) text: Option<String>,
}

/// What the clerk's page shows.
#[derive(Debug, Clone)]
pub(super) struct Board {
    pub(super) now: Now,
    /// The last scans, the newest first.
    pub(super) scans: VecDeque<Seen>,
    pub(super) scanners: Vec<ScannerState>,
    /// Whether the ledger can be written.
    pub(super) writing: Works,
    /// Whether it can be read.
    pub(super) reading: Works,
    /// When it was last looked at.
    pub(super) at: Micros,
    operators: Vec<Operator>,
    had_operators: bool,
    /// When this daemon began to look: no two daemons of a station have the same.
    pub(super) began: Micros,
    /// Scans that were seen, and up to which of them they were read from the ledger, which has no faults.
    seen: u64,
    before: u64,
}

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Works {
    Fine,
    Not,
}

impl Board {
    /// Whether the newest scan shown is the last one that this daemon judged: what is read from the ledger may lack a fault.
    pub(super) fn has_verdict(&self) -> bool {
        self.scans.front().is_some_and(|seen| seen.number > self.before)
    }

    /// Whether there ever was an operator.
    pub(super) const fn has_operators(&self) -> bool {
        self.had_operators
    }

    /// Whether somebody of that name may sign in.
    pub(super) fn is_operator(&self, name: &str) -> bool {
        self.operators.iter().any(|operator| operator.name == name)
    }

    fn scan(&mut self, mut seen: Seen, station: &str) {
        self.seen += 1;
        seen.number = self.seen;
        if let Some(last) = self.scans.front_mut() {
            last.text = None;
        }
        if seen.position > 0 {
            *self.now.scans.entry(seen.verdict.name()).or_default() += 1;
            match &mut self.now.batch {
                Some(batch) if batch.number == seen.batch => batch.scans = seen.position,
                other => *other = Some(begun(&seen, station)),
            }
        }
        self.scans.push_front(seen);
        self.scans.truncate(SCANS_SHOWN);
    }
}

/// A batch that is known by its scan only.
fn begun(seen: &Seen, station: &str) -> OpenNow {
    OpenNow {
        number: seen.batch,
        batch: format!("{station}-{}", seen.batch),
        mode: String::new(),
        received_by: String::new(),
        scans: seen.position,
        by_hand: false,
    }
}

/// An event for pages, as it is sent, in each language.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    texts: [Bytes; Lang::ALL.len()],
}

impl Frame {
    /// What came before, and then this.
    fn after(self, earlier: Option<Self>) -> Self {
        let Some(earlier) = earlier else { return self };
        let mut before = earlier.texts.into_iter();
        Self {
            texts: self.texts.map(|text| {
                before.next().map_or_else(Bytes::new, |first| [first, text].concat().into())
            }),
        }
    }

    fn of(news: &News<'_>, lexicon: &Lexicon) -> Self {
        Self { texts: Lang::ALL.map(|lang| news.as_sent(lexicon.words(lang))) }
    }

    /// As it is sent in that language.
    pub(super) fn text(&self, lang: Lang) -> Bytes {
        let [en, es] = &self.texts;
        match lang {
            Lang::En => en.clone(),
            Lang::Es => es.clone(),
        }
    }
}

/// Where the board stands, and where its frames go.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) board: watch::Sender<Board>,
    pub(super) frames: broadcast::Sender<Frame>,
    pub(super) lexicon: Lexicon,
}

/// What is read from the ledger.
#[derive(Debug)]
struct Reading {
    now: Now,
    operators: Vec<Operator>,
    had_operators: bool,
    /// The last scans, where they were asked for.
    scans: Option<Vec<ScanNow>>,
}

/// Whether the last scans are read, too: looking back for them may pass over an import's thousands of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scans {
    Wanted,
    Known,
}

/// Where it is read from.
#[derive(Debug, Clone)]
struct Source {
    ledger: PathBuf,
    zone: crate::clock::Zone,
    clock: Arc<dyn Clock>,
}

impl Source {
    fn read(&self, scans: Scans) -> Result<Reading, ReadError> {
        let reader = Reader::open(&self.ledger, self.zone.clone())?;
        let all = reader.operators()?;
        let may = all.iter().filter(|entry| entry.disabled.is_none());
        let operator = |entry: &crate::ledger::OperatorEntry| Operator {
            name: entry.operator.clone(),
            role: entry.role,
        };
        Ok(Reading {
            now: reader.now(self.clock.now())?,
            operators: may.map(operator).collect(),
            had_operators: !all.is_empty(),
            scans: match scans {
                Scans::Wanted => Some(reader.last_scans(SCANS_SHOWN)?),
                Scans::Known => None,
            },
        })
    }
}

/// Whoever keeps the board.
#[derive(Debug)]
pub(super) struct Looker {
    feed: broadcast::Receiver<Told>,
    changes: broadcast::Receiver<Change>,
    roster: Roster,
    source: Source,
    board: Board,
    tell: Tell,
    /// Whether somebody scanned since the reading began.
    is_doubtful: bool,
    /// Looks until the next reading.
    looks: u32,
    /// What pages are told next, and from when on.
    waiting: Option<Frame>,
    next_frame: Instant,
}

/// Of what news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Scan,
    Standing,
}

/// Something happened.
enum Heard {
    Told(Result<Told, RecvError>),
    Changed(Result<Change, RecvError>),
    Read(Result<Reading, String>),
    Look,
    /// What waits may be told.
    Due,
    Stop,
}

impl Looker {
    /// Listens from here on, and reads the ledger once.
    pub(super) fn new(
        within: &Within,
        settings: &Settings,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ReadError> {
        let (feed, changes) = (within.ledger.feed(), within.ledger.changes());
        let source = Source {
            ledger: settings.ledger.clone(),
            zone: settings.zone.clone(),
            clock: Arc::clone(clock),
        };
        let Reading { now, operators, had_operators, scans } = source.read(Scans::Wanted)?;
        let scans = scans.unwrap_or_default();
        let seen = u64::try_from(scans.len()).unwrap_or_default();
        let board = Board {
            now,
            scans: numbered(scans, seen),
            scanners: within.scanners.states(),
            writing: Works::Fine,
            reading: Works::Fine,
            at: clock.now(),
            operators,
            had_operators,
            began: clock.now(),
            seen,
            before: seen,
        };
        let tell = Tell {
            zone: settings.zone.clone(),
            station: settings.station.clone(),
            run: settings.run,
            hold_back: settings.hold_back,
            marks_nothing: settings.marks_nothing,
        };
        let roster = within.scanners.clone();
        Ok(Self {
            feed,
            changes,
            roster,
            source,
            board,
            tell,
            is_doubtful: false,
            looks: 0,
            waiting: None,
            next_frame: Instant::now(),
        })
    }

    /// Whether the next reading has to bring the scans.
    fn scans(&self) -> Scans {
        if self.board.scans.is_empty() { Scans::Wanted } else { Scans::Known }
    }

    pub(super) const fn board(&self) -> &Board {
        &self.board
    }

    /// Keeps the board until the stop is asked for.
    pub(super) async fn look(
        mut self,
        standing: Standing,
        sessions: Sessions,
        mut stopped: watch::Receiver<()>,
    ) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reading: Option<JoinHandle<Result<Reading, String>>> = None;
        loop {
            if self.looks == 0 && reading.is_none() {
                self.looks = LOOKS_A_READING;
                self.is_doubtful = false;
                let (source, scans) = (self.source.clone(), self.scans());
                reading = Some(spawn_blocking(move || source.read(scans).map_err(|e| chain(&e))));
            }
            let heard = tokio::select! {
                biased;
                _ = stopped.changed() => Heard::Stop,
                () = sleep_until(self.next_frame), if self.waiting.is_some() => Heard::Due,
                told = self.feed.recv() => Heard::Told(told),
                change = self.changes.recv() => Heard::Changed(change),
                read = finished(&mut reading) => Heard::Read(read),
                _ = ticks.tick() => Heard::Look,
            };
            match heard {
                Heard::Told(Ok(told)) => self.take(told, &standing),
                Heard::Told(Err(RecvError::Lagged(_))) => {
                    // They are read instead.
                    self.board.scans.clear();
                    self.looks = 0;
                }
                Heard::Changed(Ok(Change::Ballot(_) | Change::Mode)) => {}
                Heard::Changed(Ok(_) | Err(RecvError::Lagged(_))) => self.looks = 0,
                Heard::Read(read) => self.take_reading(read, &standing, &sessions),
                Heard::Look => self.look_round(&standing),
                Heard::Due => self.send(&standing),
                Heard::Stop
                | Heard::Told(Err(RecvError::Closed))
                | Heard::Changed(Err(RecvError::Closed)) => return,
            }
        }
    }

    fn take(&mut self, told: Told, standing: &Standing) {
        match told {
            Told::Judged { scanner, judged, symbols } => {
                self.is_doubtful = true;
                if judged.then == Then::CallSupervisor {
                    self.roster.call(&scanner, self.source.clock.now());
                }
                let seen = seen(self.source.clock.now(), &scanner, judged, &symbols);
                self.board.scan(seen, &self.tell.station);
                self.board.at = self.source.clock.now();
                self.publish(standing, Of::Scan);
            }
            Told::Ledger { writable } => {
                self.board.writing = if writable { Works::Fine } else { Works::Not };
                self.publish(standing, Of::Standing);
            }
        }
    }

    fn take_reading(
        &mut self,
        read: Result<Reading, String>,
        standing: &Standing,
        sessions: &Sessions,
    ) {
        self.board.at = self.source.clock.now();
        let reading = match read {
            Ok(reading) => reading,
            Err(error) => {
                if self.board.reading == Works::Fine {
                    tracing::error!(
                        event = LogEvent::PagesFailed.name(),
                        error,
                        "The pages cannot read the ledger."
                    );
                }
                self.board.reading = Works::Not;
                return self.publish(standing, Of::Standing);
            }
        };
        self.board.reading = Works::Fine;
        (self.board.operators, self.board.had_operators) =
            (reading.operators, reading.had_operators);
        let operators = &self.board.operators;
        sessions.keep(|name, role| operators.iter().any(|o| o.name == name && o.role == role));
        if self.is_doubtful && self.board.now.day == reading.now.day {
            self.board.now.outbox = reading.now.outbox;
            self.board.now.oldest = reading.now.oldest;
            self.looks = self.looks.min(1);
        } else {
            self.board.now = reading.now;
            match reading.scans {
                Some(scans) if self.board.scans.is_empty() => {
                    self.board.seen += u64::try_from(scans.len()).unwrap_or_default();
                    self.board.scans = numbered(scans, self.board.seen);
                    self.board.before = self.board.seen;
                }
                // The feed was lost while this reading was on its way.
                None if self.board.scans.is_empty() => self.looks = 0,
                _ => {}
            }
        }
        self.publish(standing, Of::Standing);
    }

    fn look_round(&mut self, standing: &Standing) {
        self.looks = self.looks.saturating_sub(1);
        let scanners = self.roster.states();
        let stands = |of: &[ScannerState]| -> Vec<_> {
            of.iter().map(|s| (s.state, s.is_locked, s.why.clone(), s.called)).collect()
        };
        let is_news = stands(&scanners) != stands(&self.board.scanners);
        self.board.scanners = scanners;
        if is_news {
            self.publish(standing, Of::Standing);
        }
    }

    /// Tells pages how the board stands, with the newest scan where it is that. The first news goes at once, what comes soon after it
    /// in one frame: a burst of scans does not wake every page for each.
    fn publish(&mut self, standing: &Standing, of: Of) {
        standing.board.send_replace(self.board.clone());
        if standing.frames.receiver_count() == 0 {
            self.waiting = None;
            return;
        }
        let scan = self.board.scans.front().filter(|_| of == Of::Scan);
        let news = News { board: &self.board, scan, tell: &self.tell };
        let frame = Frame::of(&news, &standing.lexicon);
        self.waiting = Some(frame.after(self.waiting.take()));
        if Instant::now() >= self.next_frame {
            self.send(standing);
        }
    }

    fn send(&mut self, standing: &Standing) {
        if let Some(frame) = self.waiting.take() {
            // Whoever listened may just have gone.
            let _told = standing.frames.send(frame);
            self.next_frame = Instant::now() + BETWEEN_FRAMES;
        }
    }
}

async fn finished(
    reading: &mut Option<JoinHandle<Result<Reading, String>>>,
) -> Result<Reading, String> {
    let Some(task) = reading else { return std::future::pending().await };
    let read = task.await;
    *reading = None;
    read.unwrap_or_else(|panicked| Err(chain(&panicked)))
}

fn numbered(scans: Vec<ScanNow>, newest: u64) -> VecDeque<Seen> {
    let numbers = (0..=newest).rev();
    let seen = |(scan, number): (ScanNow, u64)| Seen {
        number,
        at: scan.at,
        scanner: scan.scanner,
        verdict: scan.verdict,
        ballot: scan.ballot.map(|ballot| ballot.to_string()),
        reason: scan.reason,
        earlier: None,
        batch: scan.batch,
        position: scan.position,
        fill: Fill::Room,
        text: None,
    };
    scans.into_iter().zip(numbers).map(seen).collect()
}

fn seen(at: Micros, scanner: &str, judged: Judged, symbols: &[Symbol]) -> Seen {
    let text = match judged.ballot {
        Some(_) => None,
        None => symbols.first().map(|symbol| legible(&String::from_utf8_lossy(&symbol.payload.0))),
    };
    Seen {
        number: 0,
        at,
        scanner: scanner.to_owned(),
        verdict: judged.verdict,
        ballot: judged.ballot.map(|ballot| ballot.to_string()),
        reason: judged.reason,
        earlier: judged.earlier,
        batch: judged.batch,
        position: judged.position,
        fill: judged.fill,
        text,
    }
}
