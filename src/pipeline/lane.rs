//! One scanner's lane: from its symbols to scans on their way to the ledger, and from verdicts to what it is told.
//!
//! The lane owns everything that is remembered of its scanner. It moves no bytes itself and knows no transport. Answers leave
//! in the order of what they answer, and a scanner has no more in flight than its profile allows: a lane without room is not
//! fed, which holds the scanner back.

use crate::clock::Clock;
use crate::config::Stop;
use crate::control::roster::Entry;
use crate::dedupe::{Delivery, Met, Repeats};
use crate::envelope::Formats;
use crate::event::LogEvent;
use crate::ledger::{Change, Ledger, Request, Uncounted, Unsent};
use crate::scan::{Fill, Judged, Method, Scan, ScanId, ScannerId, Symbol, Then, Tone, Verdict};
use crate::scanner::dialog::Say;
use crate::scanner::framing::Framed;
use crate::scanner::profile::{Answers, WaitsForAnswer};
use crate::scanner::recording::Recorder;
use crate::scanner::speaker::Speaker;
use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::sync::mpsc;

/// Answers that wait for a scanner to take them; more are dropped, and their scans are as if they were not answered.
const ANSWERS_MAX: usize = 64 * 1024;

/// What a lane is made of.
#[derive(Debug, Clone)]
pub struct LaneSettings {
    /// The scanner's number.
    pub scanner: ScannerId,
    /// Its configured name.
    pub name: Arc<str>,
    /// How its scans come about.
    pub method: Method,
    /// What it can be told; the station sounds what it cannot.
    pub answers: Answers,
    /// The station's own tones.
    pub speaker: Option<Speaker>,
    /// Whether it scans on without an answer.
    pub waits_for_answer: WaitsForAnswer,
    /// Whether what it sends while it waits says that it waits no longer.
    pub patience: Patience,
    /// How many of its scans may wait for their verdicts.
    pub in_flight_max: NonZeroU16,
    /// How long the same payload is the same scan.
    pub repeat_window: Duration,
    /// After what it is locked.
    pub stop: Stop,
}

/// How a scanner that waits for its answer waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// It gives up after a while and scans on.
    Ends,
    /// It is a recording that is played: it sends what it has, and waits.
    Endless,
}

/// What is owed to the scanner: the answer to a scan, or to something that has its tone already.
#[derive(Debug, Clone, Copy)]
struct Due {
    scan: Option<ScanId>,
    tone: Option<Tone>,
    to: To,
    locks: Locks,
}

/// Whether a scanner that stops on bad answers stops on this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Locks {
    /// As it is configured.
    Yes,
    /// It was heard before, and somebody asked to hear it again.
    No,
}

/// Whom an answer reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// The scanner that asked.
    Scanner,
    /// Nobody: the line it was asked on is gone. On the next one it would be taken for the answer to something else.
    Nobody,
}

impl Due {
    /// To be told once that scan has its verdict.
    const fn after(scan: ScanId) -> Self {
        Self { scan: Some(scan), tone: None, to: To::Scanner, locks: Locks::Yes }
    }

    /// To be told in its turn.
    const fn with(tone: Tone) -> Self {
        Self { scan: None, tone: Some(tone), to: To::Scanner, locks: Locks::Yes }
    }
}

/// What the scanner is to be told next, and of which scan it is the answer.
#[derive(Debug, Clone, Copy)]
struct Answer {
    scan: Option<ScanId>,
    say: Say,
}

/// Whether the scanner is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Locked {
    No,
    Yes,
}

/// One scanner's lane.
#[derive(Debug)]
pub struct Lane {
    settings: LaneSettings,
    formats: Arc<Formats>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    entry: Entry,
    recorder: Option<Box<Recorder>>,
    verdicts: mpsc::Sender<Judged>,
    repeats: Repeats,
    changes: broadcast::Receiver<Change>,
    next: ScanId,
    due: VecDeque<Due>,
    /// A scan that found the ledger's queue full.
    waiting: Option<Box<Request>>,
    uncounted: Uncounted,
    answers: VecDeque<Answer>,
    /// What the scanner is being told.
    speaking: Option<Answer>,
    locked: Locked,
    /// The tone of its last scan that was no command.
    last_tone: Option<Tone>,
}

impl Lane {
    /// A lane, and where its verdicts come back.
    pub fn new(
        settings: LaneSettings,
        formats: Arc<Formats>,
        ledger: Ledger,
        clock: Arc<dyn Clock>,
        entry: Entry,
    ) -> (Self, mpsc::Receiver<Judged>) {
        let (verdicts, verdicts_rx) = mpsc::channel(settings.in_flight_max.get().into());
        let lane = Self {
            repeats: Repeats::new(settings.repeat_window),
            changes: ledger.changes(),
            settings,
            formats,
            ledger,
            clock,
            entry,
            recorder: None,
            verdicts,
            next: ScanId(0),
            due: VecDeque::new(),
            waiting: None,
            uncounted: Uncounted::default(),
            answers: VecDeque::new(),
            speaking: None,
            locked: Locked::No,
            last_tone: None,
        };
        (lane, verdicts_rx)
    }

    /// The scanner's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Has all that is said recorded from here on.
    pub fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(Box::new(recorder));
    }

    /// The scanner sent this.
    pub fn heard(&mut self, bytes: &[u8]) {
        self.recorder.iter_mut().for_each(|recorder| recorder.heard(bytes));
    }

    /// The scanner was sent this.
    pub fn told(&mut self, bytes: &[u8]) {
        self.recorder.iter_mut().for_each(|recorder| recorder.told(bytes));
    }

    /// How its scans come about.
    pub fn method(&self) -> Method {
        self.settings.method
    }

    /// Its line of the station's roster.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Whether it may be fed.
    pub fn has_room(&self) -> bool {
        self.waiting.is_none() && self.due.len() < usize::from(self.settings.in_flight_max.get())
    }

    /// Whether every scan has its verdict and the ledger was told everything.
    pub fn is_settled(&self) -> bool {
        self.due.is_empty() && self.waiting.is_none() && self.uncounted == Uncounted::default()
    }

    /// Whether something waits for room in the ledger's queue, so that [`Lane::push`] is to be called again.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some() || self.uncounted != Uncounted::default()
    }

    /// What the framer made of the scanner's bytes.
    pub fn framed(&mut self, framed: Framed) {
        match framed {
            Framed::Symbol(symbol) => {
                self.recorder.iter_mut().for_each(|recorder| recorder.read(&symbol));
                self.face(vec![symbol]);
            }
            Framed::NoRead => {
                self.recorder.iter_mut().for_each(|recorder| recorder.no_read_came());
                self.uncounted.no_reads = self.uncounted.no_reads.saturating_add(1);
                self.due.push_back(Due::with(Tone::Bad));
                self.send_answers();
                self.push();
            }
        }
    }

    /// The symbols of one face: a scan, or a repeat of the last one.
    pub fn face(&mut self, symbols: Vec<Symbol>) -> Met {
        self.take_changes();
        let met = self.repeats.meet(&symbols, self.next, self.clock.elapsed());
        match met {
            Met::New => self.scan(symbols),
            Met::Pending(scan) => {
                if self.waits() || !self.is_promised(scan) {
                    self.due.push_back(Due::after(scan));
                }
                self.repeat();
            }
            Met::Answered(tone, delivery) => {
                if self.waits() || delivery == Delivery::Undelivered {
                    self.due.push_back(Due::with(tone));
                    self.send_answers();
                }
                self.repeat();
            }
        }
        met
    }

    /// What people changed since the last face.
    fn take_changes(&mut self) {
        loop {
            match self.changes.try_recv() {
                Ok(Change::Ballot(ballot)) => self.repeats.changed(Some(&ballot)),
                Ok(Change::Batch | Change::Operators) => {}
                Ok(Change::Mode) | Err(TryRecvError::Lagged(_)) => self.repeats.changed(None),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// Whether the scan's own answer is on its way to the scanner that asked.
    fn is_promised(&self, scan: ScanId) -> bool {
        self.due.iter().any(|due| due.scan == Some(scan) && due.to == To::Scanner)
    }

    fn repeat(&mut self) {
        self.recorder.iter_mut().for_each(|recorder| recorder.repeat_came());
        self.uncounted.repeats = self.uncounted.repeats.saturating_add(1);
        self.push();
    }

    fn scan(&mut self, symbols: Vec<Symbol>) {
        let id = self.next;
        self.next = ScanId(id.0 + 1);
        let scan = Scan {
            id,
            scanner: self.settings.scanner,
            scanner_name: Arc::clone(&self.settings.name),
            at: self.clock.now(),
            method: self.settings.method,
            face: self.formats.face(&symbols),
            symbols,
        };
        self.entry.scanned(scan.at);
        self.due.push_back(Due::after(id));
        let verdicts = self.verdicts.clone();
        self.waiting = Some(Box::new(Request::Scan { scan: Box::new(scan), verdicts }));
        self.push();
    }

    /// Hands the ledger what waits for it, as far as its queue has room. A ledger that is closed is the alarm.
    pub fn push(&mut self) {
        if let Some(request) = self.waiting.take() {
            match self.ledger.try_send(*request) {
                Ok(()) => {}
                Err(Unsent::Full(request)) => self.waiting = Some(request),
                Err(Unsent::Closed) => self.closed(),
            }
        }
        if self.waiting.is_none() && self.uncounted != Uncounted::default() {
            let uncounted = std::mem::take(&mut self.uncounted);
            if let Err(Unsent::Full(_)) = self.ledger.try_send(Request::Count(uncounted)) {
                self.uncounted = uncounted;
            }
        }
    }

    fn closed(&mut self) {
        let unanswered: Vec<ScanId> =
            self.due.iter().filter(|due| due.tone.is_none()).filter_map(|due| due.scan).collect();
        for scan in unanswered {
            self.judged(&Judged::fault(scan));
        }
    }

    /// A verdict came back.
    pub fn judged(&mut self, judged: &Judged) {
        let (tone, locks) = self.tone_of(judged);
        self.recorder.iter_mut().for_each(|recorder| recorder.scan_came(judged.id.0, tone));
        self.repeats.judged(judged.id, tone);
        self.repeats.named(judged.id, judged.ballot.as_ref());
        for due in self.due.iter_mut().filter(|due| due.scan == Some(judged.id)) {
            (due.tone, due.locks) = (Some(tone), locks);
        }
        self.send_answers();
        if judged.fill == Fill::Full {
            self.warn_of_full_batch(judged);
        }
    }

    /// The tone of a verdict; of the command to sound the last one again, that.
    fn tone_of(&mut self, judged: &Judged) -> (Tone, Locks) {
        let tone = judged.verdict.tone();
        if judged.then == Then::RepeatTone {
            return (self.last_tone.unwrap_or(tone), Locks::No);
        }
        if !matches!(judged.verdict, Verdict::Command | Verdict::Fault) {
            self.last_tone = Some(tone);
        }
        (tone, Locks::Yes)
    }

    /// The scan that filled the batch has its own answer, and the scanner hears nothing else: a second answer would be taken for that
    /// to the next scan. So it is the station that warns.
    fn warn_of_full_batch(&self, judged: &Judged) {
        tracing::warn!(
            event = LogEvent::BatchFull.name(),
            scanner = self.name(),
            batch = judged.batch,
            scans = judged.position,
            "The batch is full."
        );
        self.sound(Tone::Notice);
    }

    fn send_answers(&mut self) {
        while let Some(Due { scan, tone: Some(tone), to, locks }) = self.due.front().copied() {
            self.due.pop_front();
            if to == To::Scanner && self.answers.len() < ANSWERS_MAX {
                self.answers.push_back(Answer { scan, say: Say::Tone(tone) });
            }
            if to == To::Nobody || self.settings.answers.bytes(tone).is_empty() {
                self.sound(tone);
            }
            let is_bad = matches!(tone, Tone::Bad | Tone::Fault) && locks == Locks::Yes;
            if self.settings.stop == Stop::OnBad && is_bad {
                self.lock(Locked::Yes);
                self.say_last(Say::Lock);
            }
        }
    }

    fn sound(&self, tone: Tone) {
        if let Some(speaker) = &self.settings.speaker {
            speaker.play(tone);
        }
    }

    /// After all that is to be said, once.
    fn say_last(&mut self, say: Say) {
        if self.answers.back().is_none_or(|last| last.say != say) {
            self.answers.push_back(Answer { scan: None, say });
        }
    }

    /// A scanner that waits for its answer sent the beginning of another symbol: it has given up. What it was to be told goes
    /// nowhere, or it would take it for the answer to this one.
    pub fn moved_on(&mut self) {
        if self.waits() && self.settings.patience == Patience::Ends {
            self.sound_instead(None);
            for due in &mut self.due {
                due.to = To::Nobody;
            }
        }
    }

    /// Tones that the scanner would take for the answer to something else go nowhere; the station sounds the worst of them, `first`
    /// and those that wait.
    fn sound_instead(&mut self, first: Option<Say>) {
        let waiting = self.answers.iter().map(|answer| answer.say);
        let worst = waiting.chain(first).filter_map(Say::tone).max();
        self.answers.retain(|answer| answer.say.tone().is_none());
        if let Some(tone) = worst {
            self.sound(tone);
        }
    }

    /// Whether it scans nothing until it has its answer, or gives up.
    pub fn waits(&self) -> bool {
        self.settings.waits_for_answer == WaitsForAnswer::Yes
    }

    /// Takes what the scanner is to be told next. It was told what was taken before.
    pub fn next_answer(&mut self) -> Option<Say> {
        if let Some(Answer { scan: Some(scan), .. }) = self.speaking.take() {
            self.repeats.delivered(scan);
        }
        self.speaking = self.answers.pop_front();
        self.speaking.map(|answer| answer.say)
    }

    /// The scanner did not take what it was told; nor does it get what is to be told of other scans: later it would take that for the
    /// answer to another.
    pub fn unheard(&mut self) {
        let unheard = self.speaking.take().map(|answer| answer.say);
        self.sound_instead(unheard);
    }

    /// Whether what was taken is being told.
    pub fn is_speaking(&self) -> bool {
        self.speaking.is_some()
    }

    /// Whether answers are dropped because the scanner does not take them.
    pub fn is_stalled(&self) -> bool {
        self.answers.len() >= ANSWERS_MAX
    }

    /// Whether the scanner is locked until somebody acknowledges.
    pub fn is_locked(&self) -> bool {
        self.locked == Locked::Yes
    }

    /// Somebody has seen what was bad: the scanner may scan again, also one that was locked before this daemon began.
    pub fn acknowledge(&mut self) {
        if self.settings.stop == Stop::OnBad {
            self.lock(Locked::No);
            self.say_last(Say::Unlock);
        }
    }

    fn lock(&mut self, locked: Locked) {
        self.locked = locked;
        match locked {
            Locked::Yes => self.entry.locked(),
            Locked::No => self.entry.unlocked(),
        }
    }

    /// The scanner is there again, and if it lost power it is locked no more. One that is locked from before this daemon stays so.
    pub fn opened(&mut self) {
        if self.is_locked() {
            self.say_last(Say::Lock);
        }
    }

    /// The scanner is gone: what it was to be told goes nowhere, but that it may scan again. Whether it kept its power nobody knows.
    pub fn gone(&mut self) {
        self.speaking = None;
        self.answers.retain(|answer| answer.say == Say::Unlock);
        for due in &mut self.due {
            due.to = To::Nobody;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ballot::Mode;
    use crate::clock::{SystemClock, Zone};
    use crate::control::roster::Roster;
    use crate::ledger::Settings;

    /// A lane of a scanner that waits, and gives up; its ledger is never asked for a verdict.
    fn lane(stop: Stop) -> (tempfile::TempDir, Lane) {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            path: dir.path().join("ledger.sqlite"),
            key_file: dir.path().join("signing.key"),
            facility: "boulder".to_owned(),
            station: "intake-1".to_owned(),
            zone: Zone::utc(),
            election: None,
            receive_until: None,
            postmarked_receive_until: None,
            cure_until: None,
            mode: Mode::Receive,
            hold_back: Duration::ZERO,
            announce_imports: Vec::new(),
            batch_cap: 0,
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let (ledger, _thread) = Ledger::start(settings, Arc::clone(&clock), 16).unwrap();
        let settings = LaneSettings {
            scanner: ScannerId(0),
            name: "left".into(),
            method: Method::Scanner,
            answers: Answers { good: vec![6], notice: vec![7], bad: vec![21], fault: vec![24] },
            speaker: None,
            waits_for_answer: WaitsForAnswer::Yes,
            patience: Patience::Ends,
            in_flight_max: NonZeroU16::MIN,
            repeat_window: Duration::from_mins(1),
            stop,
        };
        let (entry, _acknowledged) = Roster::default().enter("left");
        let formats = Arc::new(Formats::new(None, Vec::new()));
        (dir, Lane::new(settings, formats, ledger, clock, entry).0)
    }

    const ALARM: Option<Say> = Some(Say::Tone(Tone::Fault));

    fn scan(lane: &mut Lane, payload: &[u8]) {
        lane.framed(Framed::Symbol(Symbol::untold(payload)));
    }

    #[test]
    fn an_answer_that_leaves_slowly_takes_no_other_with_it() {
        let (_dir, mut lane) = lane(Stop::Never);
        scan(&mut lane, b"1");
        lane.judged(&Judged::fault(ScanId(0)));
        assert_eq!(lane.next_answer(), ALARM);
        // It is still on its way when the scanner gives up, and scans twice more.
        scan(&mut lane, b"2");
        lane.moved_on();
        lane.judged(&Judged::fault(ScanId(1)));
        scan(&mut lane, b"3");
        lane.judged(&Judged::fault(ScanId(2)));
        assert!(lane.is_speaking());
        // The second's answer went nowhere; the third's is said.
        assert_eq!(lane.next_answer(), ALARM);
        assert_eq!(lane.next_answer(), None);
        assert!(!lane.is_speaking());
    }

    #[test]
    fn what_was_acknowledged_while_a_scanner_was_away_is_said_when_it_is_back() {
        let (_dir, mut lane) = lane(Stop::OnBad);
        scan(&mut lane, b"1");
        lane.judged(&Judged::fault(ScanId(0)));
        assert_eq!([lane.next_answer(), lane.next_answer()], [ALARM, Some(Say::Lock)]);
        lane.gone();
        lane.acknowledge();
        lane.gone();
        lane.opened();
        assert_eq!([lane.next_answer(), lane.next_answer()], [Some(Say::Unlock), None]);
    }

    #[test]
    fn a_tone_that_is_asked_for_again_locks_nothing() {
        let (_dir, mut lane) = lane(Stop::OnBad);
        let judged = |scan, verdict, then| Judged { verdict, then, ..Judged::fault(ScanId(scan)) };
        scan(&mut lane, b"1");
        lane.judged(&judged(0, Verdict::Unreadable, Then::Nothing));
        let bad = Some(Say::Tone(Tone::Bad));
        assert_eq!([lane.next_answer(), lane.next_answer()], [bad, Some(Say::Lock)]);
        lane.acknowledge();
        assert_eq!(lane.next_answer(), Some(Say::Unlock));
        scan(&mut lane, b"2");
        lane.judged(&judged(1, Verdict::Command, Then::RepeatTone));
        assert_eq!([lane.next_answer(), lane.next_answer()], [bad, None]);
        assert!(!lane.is_locked());
    }

    #[test]
    fn what_is_not_acknowledged_is_dropped_with_the_tones_behind_it() {
        let (_dir, mut lane) = lane(Stop::OnBad);
        scan(&mut lane, b"1");
        lane.judged(&Judged::fault(ScanId(0)));
        assert_eq!(lane.next_answer(), ALARM);
        lane.unheard();
        assert!(!lane.is_speaking());
        assert_eq!([lane.next_answer(), lane.next_answer()], [Some(Say::Lock), None]);
    }
}
