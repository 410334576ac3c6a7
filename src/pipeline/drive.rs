//! Drives one line scanner: opens its line, feeds its lane, writes its answers, and opens it again when it is gone.

use super::lane::Lane;
use super::often::Often;
use super::shutdown::Shutdown;
use crate::event::{LogEvent, chain};
use crate::scan::Judged;
use crate::scanner::framing::Framer;
use crate::scanner::line::{Line, Moved, OpenError, Opened, Opener};
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

/// Between two attempts to open a line that is away: a scanner that is plugged in again is back well within two seconds.
const REOPEN: Duration = Duration::from_millis(500);

/// Between two attempts to hand the ledger what found its queue full.
const PUSH_AGAIN: Duration = Duration::from_millis(1);

/// How long verdicts and answers are waited for when the daemon stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Bytes read at a time.
const READ_BYTES: usize = 4_096;

/// How a session with an open line ended.
enum End {
    Gone,
    Stopped,
}

/// What the log was told of the line, and how often lately.
struct Told {
    line: Option<Is>,
    lost: Often,
    turned_away: Often,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Open,
    Away,
}

impl Told {
    fn new() -> Self {
        let now = Instant::now();
        Self { line: None, lost: Often::new(now), turned_away: Often::new(now) }
    }
}

/// A scanner and all that drives it.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) lane: Lane,
    pub(crate) verdicts: mpsc::Receiver<Judged>,
    pub(crate) framer: Framer,
    pub(crate) silence: Duration,
    pub(crate) opener: Opener,
    /// Told once the line was opened or reported away.
    pub(crate) settled: Option<oneshot::Sender<()>>,
}

impl Driver {
    /// Runs until the daemon stops; then every scan that was read is answered.
    pub(crate) async fn run(mut self, mut shutdown: Shutdown) {
        let mut told = Told::new();
        while let Some(opened) = self.open(&mut shutdown).await {
            match opened {
                Ok(Opened::Line(line)) => {
                    self.opened(&mut told);
                    let end = self.session(line, &mut shutdown).await;
                    self.framer.reset();
                    self.lane.gone();
                    match end {
                        End::Stopped => return,
                        End::Gone => self.lost("the line was closed", &mut told),
                    }
                }
                Ok(Opened::TurnedAway(address)) => {
                    self.turned_away(address, &mut told);
                    // The scanner may wait behind any number of strangers.
                    continue;
                }
                Err(error) => self.lost(&chain(&error), &mut told),
            }
            settle(&mut self.settled);
            if self.wait_away(&mut shutdown).await {
                break;
            }
        }
        self.drain_away().await;
    }

    /// Opens the line; verdicts that come meanwhile are taken. Nothing when the daemon stops.
    async fn open(&mut self, shutdown: &mut Shutdown) -> Option<Result<Opened, OpenError>> {
        let Self { lane, verdicts, opener, settled, .. } = self;
        let opening = open(opener, settled);
        tokio::pin!(opening);
        loop {
            tokio::select! {
                biased;
                () = shutdown.requested() => return None,
                opened = &mut opening => return Some(opened),
                Some(judged) = verdicts.recv() => judged_away(lane, &judged),
                () = sleep(PUSH_AGAIN), if lane.is_waiting() => lane.push(),
            }
        }
    }

    fn opened(&mut self, told: &mut Told) {
        if told.line != Some(Is::Open) {
            told.line = Some(Is::Open);
            tracing::info!(
                event = LogEvent::ScannerOpened.name(),
                scanner = self.lane.name(),
                place = self.opener.place(),
                "A scanner is open."
            );
        }
        settle(&mut self.settled);
    }

    /// Says once that the scanner is away; of one that comes and goes, only so often. One that stays away is tried again, and
    /// said to be away then.
    fn lost(&self, why: &str, told: &mut Told) {
        if told.line != Some(Is::Away) && told.lost.may_say(Instant::now()) {
            told.line = Some(Is::Away);
            tracing::warn!(
                event = LogEvent::ScannerLost.name(),
                scanner = self.lane.name(),
                place = self.opener.place(),
                why,
                "A scanner cannot be reached; it is tried again until it is back."
            );
        }
    }

    fn turned_away(&self, address: IpAddr, told: &mut Told) {
        if told.turned_away.may_say(Instant::now()) {
            tracing::warn!(
                event = LogEvent::ConnectionRefused.name(),
                scanner = self.lane.name(),
                %address,
                "A connection was turned away."
            );
        }
    }

    /// Waits to open the line again; verdicts that come meanwhile are taken. Whether the daemon stops.
    async fn wait_away(&mut self, shutdown: &mut Shutdown) -> bool {
        let again = sleep(REOPEN);
        tokio::pin!(again);
        loop {
            tokio::select! {
                biased;
                () = shutdown.requested() => return true,
                Some(judged) = self.verdicts.recv() => judged_away(&mut self.lane, &judged),
                () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => self.lane.push(),
                () = &mut again => return false,
            }
        }
    }

    async fn session(&mut self, line: Line, shutdown: &mut Shutdown) -> End {
        let mut session = Session::new(line);
        let mut quiet_since = Instant::now();
        let mut stalled = false;
        loop {
            self.feed(&mut session);
            self.say_stalled(&mut stalled);
            let reads = session.unread.is_empty() && self.lane.has_room();
            let incoming = if reads { &mut session.buffer[..] } else { &mut [] };
            let outgoing = self.lane.outgoing();
            let has_work = reads || !outgoing.is_empty();
            let outcome = tokio::select! {
                biased;
                () = shutdown.requested() => {
                    self.drain(&mut session).await;
                    return End::Stopped;
                }
                Some(judged) = self.verdicts.recv() => {
                    self.lane.judged(&judged);
                    continue;
                }
                moved = session.line.moved(incoming, outgoing), if has_work => moved,
                () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => {
                    self.lane.push();
                    continue;
                }
                () = sleep_until(quiet_since + self.silence), if reads && self.framer.is_partial() => {
                    self.silence();
                    continue;
                }
            };
            match outcome {
                Ok(Moved::In(n)) => {
                    quiet_since = Instant::now();
                    session.unread = 0..n;
                }
                Ok(Moved::Out(n)) => self.lane.sent(n),
                Ok(Moved::Deaf) => session.is_deaf = true,
                Err(_) => {
                    // It may have sent its last and wait for the answers.
                    self.drain(&mut session).await;
                    self.scan_rest(&mut session, shutdown).await;
                    return End::Gone;
                }
            }
        }
    }

    /// Hands the lane what was read, as far as it has room. What the scanner does not take any more is not kept for it.
    fn feed(&mut self, session: &mut Session) {
        while self.lane.has_room()
            && let Some(bytes) = session.rest()
        {
            let (consumed, framed) = self.framer.push(bytes);
            session.unread.start += consumed;
            if let Some(framed) = framed {
                self.lane.framed(framed);
            }
        }
        if session.is_deaf {
            self.lane.gone();
        }
    }

    fn silence(&mut self) {
        if let Some(framed) = self.framer.silence() {
            tracing::warn!(
                event = LogEvent::NoRead.name(),
                scanner = self.lane.name(),
                "A scanner sent half a frame and fell silent."
            );
            self.lane.framed(framed);
        }
    }

    fn say_stalled(&self, stalled: &mut bool) {
        let now = self.lane.is_stalled();
        if now && !*stalled {
            tracing::warn!(
                event = LogEvent::AnswersStalled.name(),
                scanner = self.lane.name(),
                "A scanner does not take its answers."
            );
        }
        *stalled = now;
    }

    /// Nothing more is read. What was read gets its verdict, and the scanner its answers as far as it takes them.
    async fn drain(&mut self, session: &mut Session) {
        let drained = async {
            loop {
                self.feed(session);
                let outgoing = self.lane.outgoing();
                let is_sent = outgoing.is_empty() && session.rest().is_none();
                if is_sent && self.lane.is_settled() {
                    return;
                }
                tokio::select! {
                    biased;
                    Some(judged) = self.verdicts.recv() => self.lane.judged(&judged),
                    moved = session.line.moved(&mut [], outgoing), if !outgoing.is_empty() => match moved {
                        Ok(Moved::Out(n)) => self.lane.sent(n),
                        Ok(Moved::In(_) | Moved::Deaf) | Err(_) => session.is_deaf = true,
                    },
                    () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => self.lane.push(),
                }
            }
        };
        if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
            tracing::warn!(
                event = LogEvent::AnswersStalled.name(),
                scanner = self.lane.name(),
                unscanned = session.unread.len(),
                "A scanner is gone, or the daemon stops; not all of its answers were sent."
            );
        }
    }

    /// The line is gone and the ledger is slow: what was read becomes scans all the same, unless the daemon stops.
    async fn scan_rest(&mut self, session: &mut Session, shutdown: &mut Shutdown) {
        session.is_deaf = true;
        loop {
            self.feed(session);
            if session.rest().is_none() {
                return;
            }
            tokio::select! {
                biased;
                () = shutdown.requested() => return,
                Some(judged) = self.verdicts.recv() => self.lane.judged(&judged),
                () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => self.lane.push(),
            }
        }
    }

    /// The same without a line.
    async fn drain_away(&mut self) {
        let settled = async {
            while !self.lane.is_settled() {
                tokio::select! {
                    biased;
                    Some(judged) = self.verdicts.recv() => judged_away(&mut self.lane, &judged),
                    () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => self.lane.push(),
                }
            }
        };
        if tokio::time::timeout(DRAIN_MAX, settled).await.is_err() {
            tracing::warn!(
                event = LogEvent::AnswersStalled.name(),
                scanner = self.lane.name(),
                "The daemon stops; not every scan of a scanner that is away has its verdict."
            );
        }
    }
}

/// An open line, and what was read from it.
struct Session {
    line: Line,
    buffer: [u8; READ_BYTES],
    unread: Range<usize>,
    is_deaf: bool,
}

impl Session {
    const fn new(line: Line) -> Self {
        Self { line, buffer: [0; READ_BYTES], unread: 0..0, is_deaf: false }
    }

    /// What was read and not yet fed.
    fn rest(&self) -> Option<&[u8]> {
        self.buffer.get(self.unread.clone()).filter(|bytes| !bytes.is_empty())
    }
}

/// A listening scanner is settled as soon as it listens; nobody knows when it will be connected to.
async fn open(
    opener: &mut Opener,
    settled: &mut Option<oneshot::Sender<()>>,
) -> Result<Opened, OpenError> {
    opener.listen().await?;
    if opener.listening().is_some() {
        settle(settled);
    }
    opener.open().await
}

fn judged_away(lane: &mut Lane, judged: &Judged) {
    lane.judged(judged);
    lane.gone();
}

fn settle(settled: &mut Option<oneshot::Sender<()>>) {
    if let Some(settled) = settled.take()
        && settled.send(()).is_err()
    {
        tracing::debug!("Nobody waits for the scanners any more.");
    }
}
