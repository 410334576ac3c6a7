//! Drives one scanner that speaks over a line: opens it, feeds its lane, sends its answers, and opens it again when it is gone.

use super::judging::settle;
use super::lane::Lane;
use super::shutdown::Shutdown;
use crate::control::roster::Acknowledgments;
use crate::event::often::Often;
use crate::event::{LogEvent, chain};
use crate::scan::Judged;
use crate::scanner::dialog::Dialog;
use crate::scanner::framing::Framed;
use crate::scanner::hotplug::Hotplug;
use crate::scanner::line::{Line, Moved, OpenError, Opened, Opener};
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

/// Between two attempts to open a line that is away, unless the kernel tells of a new device before: a scanner that is plugged in
/// again is back well within two seconds.
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
    pub(crate) dialog: Box<dyn Dialog>,
    pub(crate) opener: Opener,
    pub(crate) hotplug: Hotplug,
    pub(crate) acknowledged: Acknowledgments,
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
                    self.cut_off();
                    self.dialog.reset();
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

    /// What had begun as the line was gone is counted as if the scanner had fallen silent.
    fn cut_off(&mut self) {
        if let Some(at) = self.dialog.deadline()
            && let Some(framed) = self.dialog.expired(at)
        {
            self.framed(framed);
        }
    }

    /// Opens the line; verdicts that come meanwhile are taken. Nothing when the daemon stops.
    async fn open(&mut self, shutdown: &mut Shutdown) -> Option<Result<Opened, OpenError>> {
        let Self { lane, verdicts, opener, acknowledged, settled, .. } = self;
        let opening = open(opener, settled);
        tokio::pin!(opening);
        loop {
            tokio::select! {
                biased;
                () = shutdown.requested() => return None,
                opened = &mut opening => return Some(opened),
                Some(judged) = verdicts.recv() => judged_away(lane, &judged),
                Some(()) = acknowledged.recv() => lane.acknowledge(),
                () = sleep(PUSH_AGAIN), if lane.is_waiting() => lane.push(),
            }
        }
    }

    fn opened(&mut self, told: &mut Told) {
        self.lane.entry().opened(self.opener.place());
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
        self.lane.entry().away(self.opener.place(), why.to_owned());
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
                Some(()) = self.acknowledged.recv() => self.lane.acknowledge(),
                () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => self.lane.push(),
                () = self.hotplug.changed() => return false,
                () = &mut again => return false,
            }
        }
    }

    async fn session(&mut self, line: Line, shutdown: &mut Shutdown) -> End {
        let mut session = Session::new(line);
        let mut stalled = false;
        self.lane.opened();
        loop {
            self.feed(&mut session);
            self.talk(&mut session);
            self.say_stalled(&mut stalled);
            // One that waits for its answer is listened to even so: it may wait no longer.
            let reads = session.unread.is_empty() && (self.lane.has_room() || self.lane.waits());
            let incoming = if reads { &mut session.buffer[..] } else { &mut [] };
            let outgoing = outgoing(&*self.dialog, session.hears);
            let has_work = reads || !outgoing.is_empty();
            let expires = self.dialog.deadline().filter(|_| reads).map(|at| session.since + at);
            let outcome = tokio::select! {
                biased;
                () = shutdown.requested() => {
                    self.drain(&mut session).await;
                    return End::Stopped;
                }
                Some(()) = self.acknowledged.recv() => {
                    self.lane.acknowledge();
                    continue;
                }
                // Before verdicts: what has come may say that one of them is awaited no longer.
                moved = session.line.moved(incoming, outgoing), if has_work => moved,
                Some(judged) = self.verdicts.recv() => {
                    self.lane.judged(&judged);
                    continue;
                }
                () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => {
                    self.lane.push();
                    continue;
                }
                () = sleep_until(expires.unwrap_or(session.since)), if expires.is_some() => {
                    self.expired(session.now());
                    continue;
                }
            };
            match outcome {
                Ok(Moved::In(n)) => self.came(&mut session, n),
                Ok(Moved::Out(n)) => self.sent(n, session.now()),
                Ok(Moved::Deaf) => self.deaf(&mut session),
                Err(_) => {
                    if session.line.may_be_half_closed() {
                        // It may have sent its last and wait for the answers.
                        self.drain(&mut session).await;
                    }
                    self.scan_rest(&mut session, shutdown).await;
                    return End::Gone;
                }
            }
        }
    }

    /// So many bytes came.
    fn came(&mut self, session: &mut Session, n: usize) {
        session.unread = 0..n;
        self.lane.heard(session.rest().unwrap_or_default());
    }

    /// The scanner takes nothing any more.
    fn deaf(&self, session: &mut Session) {
        session.hears = Hears::No;
        self.warn_of_answers("A scanner takes no answers; what it sends is read.");
    }

    fn warn_of_answers(&self, what: &str) {
        tracing::warn!(
            event = LogEvent::AnswersStalled.name(),
            scanner = self.lane.name(),
            "{what}"
        );
    }

    /// Hands the lane what was read, as far as it has room. What the scanner does not take any more is not kept for it.
    fn feed(&mut self, session: &mut Session) {
        let now = session.now();
        while self.lane.has_room()
            && let Some(bytes) = session.rest()
        {
            let (consumed, framed) = self.dialog.push(bytes, now);
            session.unread.start += consumed;
            if let Some(framed) = framed {
                self.framed(framed);
            }
        }
        // What ends a symbol may come late; more than that is another one.
        let is_more = |bytes: &[u8]| !bytes.iter().all(u8::is_ascii_control);
        if self.lane.waits() && !self.lane.has_room() && session.rest().is_some_and(is_more) {
            self.lane.moved_on();
        }
    }

    fn framed(&mut self, framed: Framed) {
        if framed == Framed::NoRead {
            tracing::warn!(
                event = LogEvent::NoRead.name(),
                scanner = self.lane.name(),
                "A scanner sent a half or doubtful read; it was dropped."
            );
        }
        self.lane.framed(framed);
    }

    /// Says what is due, one thing after the other has left.
    fn talk(&mut self, session: &mut Session) {
        if session.hears == Hears::No {
            self.lane.gone();
            return;
        }
        while self.dialog.is_idle() {
            if self.lane.is_speaking() && self.dialog.gave_up() {
                self.lane.unheard();
                if session.unheard.may_say(Instant::now()) {
                    self.warn_of_answers("A scanner does not acknowledge what it is told.");
                }
            }
            let Some(say) = self.lane.next_answer() else { return };
            self.dialog.say(say, session.now());
        }
    }

    fn sent(&mut self, n: usize, now: Duration) {
        self.lane.told(self.dialog.outgoing().get(..n).unwrap_or_default());
        self.dialog.sent(n, now);
    }

    fn expired(&mut self, now: Duration) {
        if let Some(framed) = self.dialog.expired(now) {
            self.framed(framed);
        }
    }

    fn say_stalled(&self, stalled: &mut bool) {
        let now = self.lane.is_stalled();
        if now && !*stalled {
            self.warn_of_answers("A scanner does not take its answers.");
        }
        *stalled = now;
    }

    /// Nothing more is read. What was read gets its verdict, and the scanner its answers as far as it takes them.
    async fn drain(&mut self, session: &mut Session) {
        let drained = async {
            loop {
                self.feed(session);
                self.talk(session);
                let outgoing = outgoing(&*self.dialog, session.hears);
                let awaits = session.hears == Hears::Yes && !self.dialog.is_idle();
                let is_said = outgoing.is_empty() && !awaits && session.rest().is_none();
                if is_said && self.lane.is_settled() {
                    return;
                }
                // Only for what acknowledges what is said; a symbol that comes with it is taken, too.
                let reads = awaits && outgoing.is_empty() && session.unread.is_empty();
                let incoming = if reads { &mut session.buffer[..] } else { &mut [] };
                let has_work = reads || !outgoing.is_empty();
                let expires = self.dialog.deadline().filter(|_| reads).map(|at| session.since + at);
                tokio::select! {
                    biased;
                    Some(judged) = self.verdicts.recv() => self.lane.judged(&judged),
                    moved = session.line.moved(incoming, outgoing), if has_work => match moved {
                        Ok(Moved::Out(n)) => self.sent(n, session.now()),
                        Ok(Moved::In(n)) => self.came(session, n),
                        Ok(Moved::Deaf) | Err(_) => session.hears = Hears::No,
                    },
                    () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => self.lane.push(),
                    () = sleep_until(expires.unwrap_or(session.since)), if expires.is_some() => {
                        self.expired(session.now());
                    }
                }
            }
        };
        if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
            session.line.discard();
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
        session.hears = Hears::No;
        loop {
            self.feed(session);
            self.talk(session);
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
    since: Instant,
    buffer: [u8; READ_BYTES],
    unread: Range<usize>,
    hears: Hears,
    /// How often lately it was told that what is said is not acknowledged.
    unheard: Often,
}

/// Whether the scanner takes what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hears {
    Yes,
    No,
}

impl Session {
    fn new(line: Line) -> Self {
        let (since, buffer) = (Instant::now(), [0; READ_BYTES]);
        let (hears, unheard) = (Hears::Yes, Often::new(since));
        Self { line, since, buffer, unread: 0..0, hears, unheard }
    }

    /// How long the line has been open: the dialog's time.
    fn now(&self) -> Duration {
        self.since.elapsed()
    }

    /// What was read and not yet fed.
    fn rest(&self) -> Option<&[u8]> {
        self.buffer.get(self.unread.clone()).filter(|bytes| !bytes.is_empty())
    }
}

/// What is to be sent to a scanner that takes it.
fn outgoing(dialog: &dyn Dialog, hears: Hears) -> &[u8] {
    match hears {
        Hears::Yes => dialog.outgoing(),
        Hears::No => &[],
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
