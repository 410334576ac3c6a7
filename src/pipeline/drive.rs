//! Drives one line scanner: opens its line, feeds its lane, writes its answers, and opens it again when it is gone.

use super::lane::Lane;
use super::shutdown::Shutdown;
use crate::event::{LogEvent, chain};
use crate::scan::Judged;
use crate::scanner::framing::Framer;
use crate::scanner::line::{Line, OpenError, Opened, Opener};
use std::io;
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
        let mut away = false;
        loop {
            let opened = tokio::select! {
                biased;
                () = shutdown.requested() => break,
                opened = Self::open(&mut self.opener, &mut self.settled) => opened,
            };
            match opened {
                Ok(Opened::Line(line)) => {
                    away = false;
                    self.opened();
                    let end = self.session(line, &mut shutdown).await;
                    self.framer.reset();
                    self.lane.gone();
                    match end {
                        End::Stopped => return,
                        End::Gone => self.lost("the line was closed", &mut away),
                    }
                }
                Ok(Opened::TurnedAway(address)) => tracing::warn!(
                    event = LogEvent::ConnectionRefused.name(),
                    scanner = self.lane.name(),
                    %address,
                    "A connection was turned away."
                ),
                Err(error) => self.lost(&chain(&error), &mut away),
            }
            self.settle_ready();
            if self.wait_away(&mut shutdown).await {
                break;
            }
        }
        self.drain(None).await;
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

    fn settle_ready(&mut self) {
        settle(&mut self.settled);
    }

    fn opened(&mut self) {
        tracing::info!(
            event = LogEvent::ScannerOpened.name(),
            scanner = self.lane.name(),
            place = self.opener.place(),
            "A scanner is open."
        );
        self.settle_ready();
    }

    /// Says once that the scanner is away.
    fn lost(&self, why: &str, away: &mut bool) {
        if !std::mem::replace(away, true) {
            tracing::warn!(
                event = LogEvent::ScannerLost.name(),
                scanner = self.lane.name(),
                place = self.opener.place(),
                why,
                "A scanner cannot be reached; it is tried again until it is back."
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
                Some(judged) = self.verdicts.recv() => self.judged_away(&judged),
                () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => self.lane.push(),
                () = &mut again => return false,
            }
        }
    }

    fn judged_away(&mut self, judged: &Judged) {
        self.lane.judged(judged);
        self.lane.gone();
    }

    async fn session(&mut self, mut line: Line, shutdown: &mut Shutdown) -> End {
        let mut buffer = [0; READ_BYTES];
        let mut unread = 0..0;
        let mut quiet_since = Instant::now();
        let mut stalled = false;
        loop {
            self.feed(&buffer, &mut unread);
            self.say_stalled(&mut stalled);
            let reads = unread.is_empty() && self.lane.has_room();
            let writes = !self.lane.outgoing().is_empty();
            let moved = tokio::select! {
                biased;
                () = shutdown.requested() => {
                    self.drain(Some(line)).await;
                    return End::Stopped;
                }
                Some(judged) = self.verdicts.recv() => {
                    self.lane.judged(&judged);
                    self.write(&mut line)
                }
                read = line.readable(), if reads => read.and_then(|()| {
                    let read = read_line(&mut line, &mut buffer)?;
                    if !read.is_empty() {
                        quiet_since = Instant::now();
                        unread = read;
                    }
                    Ok(())
                }),
                written = line.writable(), if writes => written.and_then(|()| self.write(&mut line)),
                () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => {
                    self.lane.push();
                    Ok(())
                }
                () = sleep_until(quiet_since + self.silence), if reads && self.framer.is_partial() => {
                    self.silence();
                    Ok(())
                }
            };
            if moved.is_err() {
                return End::Gone;
            }
        }
    }

    fn feed(&mut self, buffer: &[u8], unread: &mut Range<usize>) {
        while self.lane.has_room()
            && let Some(bytes) = buffer.get(unread.clone()).filter(|bytes| !bytes.is_empty())
        {
            let (consumed, framed) = self.framer.push(bytes);
            unread.start += consumed;
            if let Some(framed) = framed {
                self.lane.framed(framed);
            }
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

    /// Writes what the line takes.
    fn write(&mut self, line: &mut Line) -> io::Result<()> {
        while !self.lane.outgoing().is_empty() {
            match line.try_write(self.lane.outgoing()) {
                Ok(n) => self.lane.sent(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Nothing more is read. What was read gets its verdict, and the scanner its answers if its line is still there.
    async fn drain(&mut self, mut line: Option<Line>) {
        let drained = async {
            while !self.lane.is_settled() {
                tokio::select! {
                    biased;
                    Some(judged) = self.verdicts.recv() => self.lane.judged(&judged),
                    () = sleep(PUSH_AGAIN), if self.lane.is_waiting() => self.lane.push(),
                }
            }
            while let Some(line) = line.as_mut().filter(|_| !self.lane.outgoing().is_empty()) {
                if line.writable().await.is_err() || self.write(line).is_err() {
                    break;
                }
            }
        };
        if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
            tracing::warn!(
                event = LogEvent::AnswersStalled.name(),
                scanner = self.lane.name(),
                "The daemon stops; a scanner did not get all of its answers."
            );
        }
    }
}

fn settle(settled: &mut Option<oneshot::Sender<()>>) {
    if let Some(settled) = settled.take()
        && settled.send(()).is_err()
    {
        tracing::debug!("Nobody waits for the scanners any more.");
    }
}

/// Reads what is there; an error when the line is gone.
fn read_line(line: &mut Line, buffer: &mut [u8]) -> io::Result<Range<usize>> {
    match line.try_read(buffer) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(n) => Ok(0..n),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0..0),
        Err(e) => Err(e),
    }
}
