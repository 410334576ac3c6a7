//! The ledger's thread: it alone writes. All that waits shares one transaction and one sync; answers leave after the commit.
//!
//! When a commit fails it is *not known* whether its rows are there. Every scan in it is answered with the alarm, the
//! connection is dropped without a clean close, and the ledger is opened anew, which writes and syncs its log once more on
//! a new file handle. The same envelope scanned again gets the verdict that it would have had.
//! Until the ledger can be opened every scan is answered with the alarm.

mod people;
mod request;

pub use people::PeopleRequest;
pub use request::{NotKnown, Reply, Request, Uncounted, Unsent};

use super::book::{Book, OpenError, Settings, WriteError};
use super::judge::{ManualRequest, NotMarked, REPEATS};
use super::operators::{Attempts, Refusals};
use super::tally::Scope;
use super::unanswered::Unanswered;
use crate::ballot::BallotId;
use crate::clock::{Clock, Micros};
use crate::delivery::Delivery;
use crate::event::{LogEvent, chain};
use crate::scan::{Judged, Scan, Symbol, Then, Tone};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError};
use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::{Notify, broadcast, mpsc, oneshot};

/// Requests that may wait for the thread beside the scans, which are bounded by what scanners may have in flight.
const REQUESTS_MAX: usize = 64;

/// Transactions with no pause between them, after which an import gets its turn all the same.
const BUSY_MAX: u32 = 16;

/// Requests that share a transaction.
const GROUP_MAX: usize = 256;

/// How many verdicts a slow listener to the feed may lag behind before it misses some.
const FEED_MAX: usize = 1_024;

/// How many changes by hand a listener may lag behind before it must take everything for changed.
const CHANGES_MAX: usize = 64;

/// The write-ahead log is copied into the ledger when it has grown to this.
const WAL_PAGES_MAX: i64 = 4_096;

/// The same while an import is under way.
const IMPORT_PAGES_MAX: i64 = 512;
/// When a reader kept it from being copied whole, that is tried again after so many more: as soon as all of it is copied while
/// nobody reads, it begins anew.
const WAL_PAGES_AGAIN: i64 = 256;

/// With nothing to do for this long, the write-ahead log is copied into the ledger.
const IDLE: Duration = Duration::from_millis(250);

/// The longest the thread waits for a request before it looks at the clock again.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// The shortest time between two attempts to open a ledger that is away.
const REOPEN_MIN: Duration = Duration::from_millis(200);

/// The wall clock was set, and did not only drift, when between two transactions it went on by so much more than time.
const CLOCK_SET_MIN: Duration = Duration::from_secs(2);

/// The name under which half frames are counted.
pub(super) const NO_READS: &str = "no_reads";

/// What happens at the station, for whoever looks on.
#[derive(Debug, Clone)]
pub enum Told {
    /// A scan got its verdict.
    Judged {
        /// The scanner's name.
        scanner: Arc<str>,
        /// The verdict.
        judged: Judged,
        /// The symbols, for the page until the next scan, and for nothing else.
        symbols: Arc<[Symbol]>,
    },
    /// The ledger cannot be written, or can be again.
    Ledger {
        /// Whether it can.
        writable: bool,
    },
}

/// What people changed, for whoever has in mind how it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This ballot was moved by hand.
    Ballot(BallotId),
    /// A batch whose scans do not do what the station's usually do was opened or closed.
    Mode,
    /// A batch was opened or closed.
    Batch,
    /// An operator was added or disabled.
    Operators,
}

/// The way to the ledger's thread.
#[derive(Debug, Clone)]
pub struct Ledger {
    requests: Sender<Request>,
    feed: broadcast::Sender<Told>,
    changes: broadcast::Sender<Change>,
    news: News,
}

/// What the forwarder waits for.
#[derive(Debug, Clone, Default)]
pub struct News {
    /// Something may have become owed.
    pub owed: Arc<Notify>,
    /// Somebody wants the relay to be asked now.
    pub retry: Arc<Notify>,
    /// There is a new checkpoint, for the relay.
    pub checkpointed: Arc<Notify>,
    /// There is a new checkpoint, for the log on a second path.
    pub logged: Arc<Notify>,
    /// Somebody scanned the code that has scanners scan on.
    pub acknowledged: Arc<Notify>,
}

impl Ledger {
    /// Opens the ledger and starts its thread. `scans_max` is what all scanners together may have in flight. The thread ends,
    /// and the ledger is closed, when the last [`Ledger`] is dropped.
    pub fn start(
        settings: Settings,
        clock: Arc<dyn Clock>,
        scans_max: usize,
    ) -> Result<(Self, thread::JoinHandle<()>), StartError> {
        let book = Book::open(settings.clone(), None).map_err(StartError::Open)?;
        book.look_over(&*clock);
        let (requests, inbox) = crossbeam_channel::bounded(scans_max.saturating_add(REQUESTS_MAX));
        let feed = broadcast::Sender::new(FEED_MAX);
        let changes = broadcast::Sender::new(CHANGES_MAX);
        let news = News::default();
        let clock_seen = (clock.now(), clock.elapsed());
        let writer = Writer {
            inbox,
            settings,
            clock,
            clock_seen,
            book: Some(book),
            tried: None,
            outage: Outage::Unsaid,
            lost: Unanswered::default(),
            answered_to: None,
            in_flight: HashSet::new(),
            attempts: Attempts::default(),
            refusals: Refusals::default(),
            busy: 0,
            feed: feed.clone(),
            changes: changes.clone(),
            news: news.clone(),
        };
        let thread = thread::Builder::new()
            .name("scan-ledger".to_owned())
            .spawn(move || writer.run())
            .map_err(StartError::Thread)?;
        Ok((Self { requests, feed, changes, news }, thread))
    }

    /// Sends a request; blocks while the thread has more than it can take. `None` when the thread has ended.
    pub fn send(&self, request: Request) -> Option<()> {
        self.requests.send(request).ok()
    }

    /// Sends a request unless that would block.
    pub fn try_send(&self, request: Request) -> Result<(), Unsent> {
        self.requests.try_send(request).map_err(|unsent| match unsent {
            TrySendError::Full(request) => Unsent::Full(Box::new(request)),
            TrySendError::Disconnected(_) => Unsent::Closed,
        })
    }

    /// Asks, and waits for the answer on this thread; never from within a runtime.
    pub fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, NotKnown> {
        let (reply, answer) = oneshot::channel();
        self.send(request(Reply::to(reply))).ok_or(NotKnown)?;
        answer.blocking_recv().unwrap_or(Err(NotKnown))
    }

    /// What happens at the station from here on.
    pub fn feed(&self) -> broadcast::Receiver<Told> {
        self.feed.subscribe()
    }

    /// What people change from here on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// What the forwarder waits for.
    pub fn news(&self) -> News {
        self.news.clone()
    }
}

/// Why the ledger's thread was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The ledger cannot be opened.
    #[error(transparent)]
    Open(OpenError),
    /// The operating system gave no thread.
    #[error("cannot start the ledger's thread")]
    Thread(#[source] io::Error),
}

/// What became of a number that somebody typed.
type Marked = Result<Judged, NotMarked>;

/// An answer that waits for the commit.
pub(super) enum Waiting {
    Scan { scan: Box<Scan>, verdicts: mpsc::Sender<Judged>, judged: Option<Judged> },
    Typed { scan: Box<Scan>, marked: Option<Marked>, reply: Reply<Marked> },
    Claim { max: usize, reply: oneshot::Sender<Vec<Delivery>> },
    Other(Box<dyn FnOnce(Outcome) + Send>),
}

/// What became of a request: its answer in either case, and why the transaction is lost if it is.
pub(super) type Taken = (Waiting, Result<(), WriteError>);

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Durable,
    NotKnown,
}

/// What a transaction has for the forwarder.
enum Fresh {
    Nothing,
    Owed,
    Retry,
}

/// Whether the log has it that the ledger is away. It is tried five times a second, and said once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    Unsaid,
    Said,
}

struct Writer {
    inbox: Receiver<Request>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    /// The wall clock and the time at the last transaction.
    clock_seen: (Micros, Duration),
    /// `None` while the ledger is away.
    book: Option<Book>,
    /// When opening it anew was last tried.
    tried: Option<Duration>,
    outage: Outage,
    /// What the book that was dropped knew to be unanswered.
    lost: Unanswered,
    /// The last row that was answered, once one was.
    answered_to: Option<i64>,
    /// Changes that the forwarder has in hand.
    in_flight: HashSet<i64>,
    /// Failed attempts to sign in.
    attempts: Attempts,
    /// What was refused lately.
    refusals: Refusals,
    /// Transactions since the last pause.
    busy: u32,
    feed: broadcast::Sender<Told>,
    changes: broadcast::Sender<Change>,
    news: News,
}

impl Writer {
    fn run(mut self) {
        loop {
            match self.inbox.recv_timeout(self.patience()) {
                Ok(request) if self.busy < BUSY_MAX => self.group(request),
                Ok(request) => {
                    self.group(request);
                    self.idle();
                }
                Err(RecvTimeoutError::Timeout) => self.idle(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
    }

    fn close(&mut self) {
        let Some(book) = &mut self.book else { return };
        let closed = book.close().map_err(|error| chain(&error));
        if let Err(error) = closed.and_then(|()| checkpoint(book).map_err(|error| chain(&error))) {
            // The next start takes the last scans for unanswered, which is the safe way round.
            tracing::warn!(
                event = LogEvent::CommitFailed.name(),
                error,
                "The ledger was not closed as it should be."
            );
        }
    }

    /// How long to wait for a request before there is something else to do.
    fn patience(&self) -> Duration {
        let Some(book) = &self.book else { return REOPEN_MIN };
        if book.import_waits() {
            return Duration::ZERO;
        }
        let now = self.clock.now();
        if book.is_due(now) {
            return Duration::ZERO;
        }
        let due = book.next_due.map(|due| due.since(now));
        let wait = due.unwrap_or(WAIT_MAX).min(WAIT_MAX);
        if book.wal_pages > 0 { wait.min(IDLE) } else { wait }
    }

    /// Nothing is asked: changes are released, an import rolls forward, the write-ahead log is emptied.
    fn idle(&mut self) {
        self.busy = 0;
        if self.book.is_none() {
            self.reopen();
            return;
        }
        let now = self.clock.now();
        if self.book.as_ref().is_some_and(|book| has_work(book, now)) {
            self.transact(Vec::new());
            self.checkpoint_if_long();
        } else {
            self.checkpoint();
        }
    }

    /// Copies the write-ahead log into the ledger. When that fails, the files must be opened anew: a sync that is tried again on
    /// the same handle says that it is done, and is not.
    fn checkpoint(&mut self) {
        let Some(book) = &mut self.book else { return };
        if let Err(error) = checkpoint(book) {
            tracing::warn!(
                event = LogEvent::CommitFailed.name(),
                error = chain(&error),
                "A checkpoint failed."
            );
            self.start_over(None);
        }
    }

    /// The request and all that wait behind it, up to a bound, in one transaction.
    fn group(&mut self, first: Request) {
        let mut requests = vec![first];
        while requests.len() < GROUP_MAX {
            match self.inbox.try_recv() {
                Ok(request) => requests.push(request),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        if self.book.is_none() {
            self.reopen();
        }
        self.busy += 1;
        self.transact(requests);
        self.checkpoint_if_long();
    }

    /// An import writes fast: its log is emptied in small portions, for a scan waits for each.
    fn checkpoint_if_long(&mut self) {
        let max = |book: &Book| match (book.staging, book.applying) {
            (None, None) => WAL_PAGES_MAX,
            _ => IMPORT_PAGES_MAX,
        };
        if self.book.as_ref().is_some_and(|book| book.wal_pages > max(book)) {
            self.checkpoint();
        }
    }

    /// One transaction over the requests and what has become due; with no request, over a piece of an import, too.
    fn transact(&mut self, requests: Vec<Request>) {
        let mut waiting = Vec::with_capacity(requests.len());
        match self.attempt(requests, &mut waiting) {
            Ok(news) => {
                for answer in waiting {
                    self.answer(answer, Outcome::Durable);
                }
                match news {
                    Fresh::Nothing => {}
                    Fresh::Owed => self.news.owed.notify_one(),
                    Fresh::Retry => self.news.retry.notify_one(),
                }
            }
            Err(error) => {
                for answer in waiting {
                    self.answer(answer, Outcome::NotKnown);
                }
                self.start_over(error.as_ref());
            }
        }
    }

    fn start_over(&mut self, error: Option<&WriteError>) {
        if let Some(error) = error {
            tracing::error!(
                event = LogEvent::CommitFailed.name(),
                error = chain(error),
                "A commit failed; its scans are answered with the alarm."
            );
        }
        self.drop_book();
        self.reopen();
    }

    /// Does all of it and commits; what is new for the forwarder. Whatever is asked gets its place in `waiting`,
    /// so that it is answered in either case. The error is none while the ledger is away, which was said before.
    fn attempt(
        &mut self,
        requests: Vec<Request>,
        waiting: &mut Vec<Waiting>,
    ) -> Result<Fresh, Option<WriteError>> {
        let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
        let set_forward = self.clock_set_forward(now, elapsed);
        let idle = requests.is_empty();
        let mut failed = match &mut self.book {
            Some(book) => book
                .begin(now)
                .and_then(|()| book.hold_longer(set_forward))
                .and_then(|()| book.checkpoint_daily(now))
                .err()
                .map(Some),
            None => Some(None),
        };
        let (mut retry, mut dropped) = (false, false);
        for request in requests {
            retry |= matches!(request, Request::Retry { .. });
            dropped |= matches!(request, Request::People(PeopleRequest::Drop { .. }));
            let book = self.book.as_mut().filter(|_| failed.is_none());
            let mut desk = Desk {
                book,
                in_flight: &mut self.in_flight,
                attempts: &mut self.attempts,
                refusals: &mut self.refusals,
                clock: &*self.clock,
            };
            match desk.take(request) {
                (answer, Ok(())) => waiting.push(answer),
                (answer, Err(error)) => {
                    waiting.push(answer);
                    failed = Some(Some(error));
                }
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let Some(book) = &mut self.book else { return Err(None) };
        let mut finish = || {
            let released = book.is_due(now) && book.release(now)?;
            if idle {
                book.import_step()?;
            }
            book.commit()?;
            Ok(released)
        };
        let released = finish().map_err(Some)?;
        if book.checkpoints.take_fresh() {
            self.news.checkpointed.notify_one();
            self.news.logged.notify_one();
        }
        for change in book.changes.drain(..) {
            // Whoever looks on is told; with nobody there that is all right.
            let _told = self.changes.send(change);
        }
        book.unanswered.settled();
        self.clock_seen = (now, elapsed);
        self.answered_to = Some(book.head.seq);
        Ok(match (retry, released || dropped) {
            (true, _) => Fresh::Retry,
            (false, true) => Fresh::Owed,
            (false, false) => Fresh::Nothing,
        })
    }

    /// How far somebody set the wall clock forward since the last transaction.
    fn clock_set_forward(&self, now: Micros, elapsed: Duration) -> Duration {
        let (then, passed) = (self.clock_seen.0, elapsed.saturating_sub(self.clock_seen.1));
        let by = now.since(then).saturating_sub(passed);
        if by < CLOCK_SET_MIN { Duration::ZERO } else { by }
    }

    fn answer(&mut self, answer: Waiting, outcome: Outcome) {
        match answer {
            Waiting::Claim { max, reply } => {
                if outcome == Outcome::Durable {
                    self.claim(max, reply);
                }
            }
            Waiting::Other(answer) => answer(outcome),
            Waiting::Typed { scan, marked, reply } => {
                let marked = marked.filter(|_| outcome == Outcome::Durable);
                if let Some(Ok(judged)) = &marked {
                    self.tell_judged(&scan, judged);
                }
                (reply.0)(marked.ok_or(NotKnown));
            }
            Waiting::Scan { scan, verdicts, judged } => {
                let judged = judged
                    .filter(|_| outcome == Outcome::Durable)
                    .unwrap_or_else(|| Judged::fault(scan.id));
                self.obey(&scan, &judged);
                // Whoever looks on knows it before the scanner is answered, so that an answer without news is a repeat's.
                self.tell_judged(&scan, &judged);
                // The scanner may be gone by now; then the answer has nowhere to go and is known to be undelivered.
                if verdicts.try_send(judged).is_err() {
                    tracing::debug!(
                        scanner = &*scan.scanner_name,
                        "A verdict found its scanner gone."
                    );
                }
            }
        }
    }

    /// What a command has others do, now that it is durable.
    fn obey(&self, scan: &Scan, judged: &Judged) {
        match judged.then {
            Then::Unlock => self.news.acknowledged.notify_one(),
            Then::CallSupervisor => tracing::warn!(
                event = LogEvent::SupervisorCalled.name(),
                scanner = &*scan.scanner_name,
                "A supervisor is called."
            ),
            Then::Nothing | Then::RepeatTone => {}
        }
        if scan.face.is_secret() && judged.verdict.tone() == Tone::Bad {
            tracing::warn!(
                event = LogEvent::SheetRefused.name(),
                scanner = &*scan.scanner_name,
                why = judged.reason.as_deref().unwrap_or_default(),
                "A command's code was refused."
            );
        }
    }

    /// What may be a secret is shown nowhere.
    fn tell_judged(&self, scan: &Scan, judged: &Judged) {
        if self.feed.receiver_count() == 0 {
            return;
        }
        let symbols =
            if scan.face.is_secret() { [].into() } else { scan.symbols.as_slice().into() };
        let (scanner, judged) = (Arc::clone(&scan.scanner_name), judged.clone());
        self.tell(Told::Judged { scanner, judged, symbols });
    }

    /// Hands out what is owed by what is durable, for it cannot be taken back from the relay.
    fn claim(&mut self, max: usize, reply: oneshot::Sender<Vec<Delivery>>) {
        let Some(book) = &self.book else { return };
        match book.claim(max, &self.in_flight) {
            Ok(deliveries) => {
                let seqs: Vec<i64> = deliveries.iter().map(|delivery| delivery.seq).collect();
                if reply.send(deliveries).is_ok() {
                    self.in_flight.extend(seqs);
                }
            }
            Err(error) => self.start_over(Some(&error.into())),
        }
    }

    fn tell(&self, told: Told) {
        // Nobody may be looking on, which is no error.
        drop(self.feed.send(told));
    }

    fn drop_book(&mut self) {
        if let Some(book) = self.book.take() {
            self.lost = std::mem::take(&mut self.lost).and(book.unanswered);
            self.tell(Told::Ledger { writable: false });
        }
    }

    /// Opens the ledger anew. What a failed commit left there is made durable before anything is answered by it.
    fn reopen(&mut self) {
        let now = self.clock.elapsed();
        if self.tried.is_some_and(|tried| now.saturating_sub(tried) < REOPEN_MIN) {
            return;
        }
        self.tried = Some(now);
        match self.open_anew() {
            Ok(book) => self.take_up(book),
            Err(error) => {
                if std::mem::replace(&mut self.outage, Outage::Said) == Outage::Unsaid {
                    tracing::error!(
                        event = LogEvent::LedgerAway.name(),
                        error = chain(&error),
                        "The ledger cannot be opened; every scan is answered with the alarm."
                    );
                }
            }
        }
    }

    fn open_anew(&self) -> Result<Book, OpenError> {
        let mut book = Book::open(self.settings.clone(), self.answered_to)?;
        // A full disk can be read. It would be found full again by the next scan, and by what the relay has answered meanwhile.
        book.try_writing()?;
        Ok(book)
    }

    fn take_up(&mut self, mut book: Book) {
        book.unanswered = std::mem::take(&mut book.unanswered).and(std::mem::take(&mut self.lost));
        self.book = Some(book);
        self.outage = Outage::Unsaid;
        tracing::warn!(
            event = LogEvent::LedgerReopened.name(),
            "The ledger was opened anew after a failed commit."
        );
        self.tell(Told::Ledger { writable: true });
        // Whoever asked meanwhile was told that nothing is owed.
        self.news.owed.notify_one();
    }
}

/// Whether there is something to do that nobody asked for.
fn has_work(book: &Book, now: Micros) -> bool {
    book.is_due(now) || book.import_waits() || book.is_day_over(now)
}

fn checkpoint(book: &mut Book) -> rusqlite::Result<()> {
    let was_full = std::mem::take(&mut book.wal_pages) > WAL_PAGES_MAX;
    let is_whole = book.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
    })?;
    if was_full && !is_whole {
        book.wal_pages = WAL_PAGES_MAX - WAL_PAGES_AGAIN;
    }
    Ok(())
}

/// One request within the open transaction. Without a book the transaction is lost, and everything is only answered.
pub(super) struct Desk<'a> {
    book: Option<&'a mut Book>,
    in_flight: &'a mut HashSet<i64>,
    attempts: &'a mut Attempts,
    refusals: &'a mut Refusals,
    clock: &'a dyn Clock,
}

impl Desk<'_> {
    pub(super) fn now(&self) -> Micros {
        self.clock.now()
    }

    fn take(&mut self, request: Request) -> Taken {
        let now = self.now();
        match request {
            Request::Scan { scan, verdicts } => self.scan(scan, verdicts),
            Request::Count(uncounted) => self.count(uncounted),
            Request::Claim { max, reply } => (Waiting::Claim { max, reply }, Ok(())),
            Request::Settle { settled, reply } => {
                for (seq, _) in &settled {
                    self.in_flight.remove(seq);
                }
                let done = self.book.as_mut().map_or(Ok(()), |book| book.settle(now, &settled));
                (when_durable(reply), done)
            }
            Request::Set(request, reply) => self.with(reply, |book| book.set(now, &request)),
            Request::Undo { who, of, reply } => {
                self.with(reply, |book| book.undo(now, who, of.as_deref()))
            }
            Request::Retry { who, reply } => self.with(reply, |book| book.retry(now, who)),
            Request::People(request) => self.people(request),
            Request::ImportBegin(reply) => self.with(reply, Book::import_begin),
            Request::ImportRows { import, rows, reply } => {
                self.with(reply, |book| book.import_stage(import, rows))
            }
            Request::ImportRepeats { import, repeats, reply } => {
                self.with(reply, |book| Ok(book.import_repeats(import, repeats)))
            }
            Request::ImportCompare { import, rows, reply } => {
                self.with(reply, |book| book.import_compare(import, rows))
            }
            Request::ImportIndex { import, reply } => {
                self.with(reply, |book| book.import_index(import))
            }
            Request::ImportUnnamed { import, election, reply } => {
                self.with(reply, |book| book.import_unnamed(import, election))
            }
            Request::ImportCommit { import, file, reply } => {
                self.with(reply, |book| book.import_commit(now, import, &file))
            }
            Request::ImportAbandon { import, refused, reply } => {
                self.with(reply, |book| Ok(book.import_abandon(import, refused)))
            }
            Request::Batch(request) => request.take(now, self),
            Request::Sheet(request) => request.take(now, self),
            Request::Manual(request) => self.typed(request),
            Request::Proof(request) => request.take(self),
            Request::Probe(reply) => (when_durable(reply), Ok(())),
        }
    }

    fn scan(&mut self, scan: Box<Scan>, verdicts: mpsc::Sender<Judged>) -> Taken {
        let now = self.clock.elapsed();
        match self.book.as_mut().map(|book| book.scan(&scan, now)) {
            Some(Ok(judged)) => (Waiting::Scan { scan, verdicts, judged: Some(judged) }, Ok(())),
            Some(Err(error)) => (Waiting::Scan { scan, verdicts, judged: None }, Err(error)),
            None => (Waiting::Scan { scan, verdicts, judged: None }, Ok(())),
        }
    }

    fn typed(&mut self, request: ManualRequest) -> Taken {
        match request {
            ManualRequest::LookUp { typed, person, reply } => {
                self.with(reply, |book| book.look_up_typed(&typed, &person))
            }
            ManualRequest::Mark { typed, person, reply } => {
                let scan = Box::new(typed.scan(self.now()));
                let (marked, done) =
                    match self.book.as_mut().map(|book| book.mark_typed(&scan, &typed, &person)) {
                        Some(Ok(marked)) => (Some(marked), Ok(())),
                        Some(Err(error)) => (None, Err(error)),
                        None => (None, Ok(())),
                    };
                (Waiting::Typed { scan, marked, reply }, done)
            }
        }
    }

    fn count(&mut self, uncounted: Uncounted) -> Taken {
        if let Some(book) = &mut self.book {
            book.tally.add(Scope::Working, REPEATS, i64::from(uncounted.repeats));
            book.tally.add(Scope::Working, NO_READS, i64::from(uncounted.no_reads));
        }
        (Waiting::Other(Box::new(|_| ())), Ok(()))
    }

    /// Acts on the ledger; what came of it is answered once it is durable.
    pub(super) fn with<T: Send + 'static>(
        &mut self,
        reply: Reply<T>,
        act: impl FnOnce(&mut Book) -> Result<T, WriteError>,
    ) -> Taken {
        with(self.book.as_deref_mut(), reply, act)
    }
}

/// Does it, and answers after the commit.
fn with<T: Send + 'static>(
    book: Option<&mut Book>,
    reply: Reply<T>,
    act: impl FnOnce(&mut Book) -> Result<T, WriteError>,
) -> (Waiting, Result<(), WriteError>) {
    let (value, done) = match book.map(act) {
        Some(Ok(value)) => (Some(value), Ok(())),
        Some(Err(error)) => (None, Err(error)),
        None => (None, Ok(())),
    };
    let answer = move |outcome| {
        (reply.0)(value.filter(|_| outcome == Outcome::Durable).ok_or(NotKnown));
    };
    (Waiting::Other(Box::new(answer)), done)
}

/// Answered when the transaction is durable; else the asker finds the reply dropped.
fn when_durable(reply: oneshot::Sender<()>) -> Waiting {
    Waiting::Other(Box::new(move |outcome| {
        // Whoever asked may be gone.
        if outcome == Outcome::Durable && reply.send(()).is_err() {
            tracing::debug!("Nobody waits for an answer any more.");
        }
    }))
}
