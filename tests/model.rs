//! The ledger against a small model of it: whatever happens in whatever order, both say the same, and the proof holds.
#![cfg(test)]

#[path = "model/flows.rs"]
mod flows;
#[path = "support/own_ledger.rs"]
#[expect(dead_code, reason = "each test binary uses a part")]
mod station;

use ballot_intake::ballot::{Mode, Move, SetMove, Status, import_moves, scan_move, set_move};
use ballot_intake::clock::{Clock as _, Micros, Zone};
use ballot_intake::delivery::Answer;
use ballot_intake::ledger::{
    BatchRequest, Closing, Counts, ImportRow, NewBatch, Party, Person, Request, Role, SetRequest,
    Who, rebuild,
};
use ballot_intake::scan::Verdict;
use flows::{Flows, Standing};
use proptest::prelude::*;
use station::{HOLD_BACK, NOON, Station, row};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Ballots that a file may issue; scans go a little beyond.
const BALLOTS: u32 = 4;

const SCANNERS: [&str; 2] = ["left", "right"];

/// Deadlines that a run may pass, and come back behind.
const RECEIVE_UNTIL: Micros = Micros(NOON.0 + 900_000_000);
const CURE_UNTIL: Micros = Micros(NOON.0 + 1_200_000_000);
const POSTMARKED_UNTIL: Micros = Micros(NOON.0 + 1_800_000_000);

#[derive(Debug, Clone)]
enum Action {
    Scan { scanner: usize, ballot: u32 },
    Import(Vec<(u32, Line)>),
    Set { ballot: u32, status: Status },
    Undo,
    Pass { minutes: u64 },
    ClockBack { hours: i64 },
    Claim,
    Settle { which: usize, answer: Answer },
    Retry,
    Open(Pile),
    Close { counted: Counted },
    Reverse { which: u32 },
    Reopen,
    Crash,
}

/// A batch that is opened.
#[derive(Debug, Clone, Copy)]
struct Pile {
    mode: Mode,
    /// Hours before it is opened at which its envelopes were received.
    earlier: Option<i64>,
    postmarked: bool,
}

/// What is said of the count when a batch is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Right,
    Wrong,
    Explained,
}

/// What a line of a file says of its ballot.
#[derive(Debug, Clone, Copy)]
enum Line {
    Mailed,
    Styled,
    Voided,
}

impl Line {
    /// Ballots 1 and 2 are of one voter.
    fn row(self, n: u32) -> ImportRow {
        let plain = ImportRow { voter: row(n.max(2)).voter, ..row(n) };
        match self {
            Self::Mailed => plain,
            Self::Styled => ImportRow { style: Some("7".to_owned()), ..plain },
            Self::Voided => ImportRow { status: Status::Voided, ..plain },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    Owed,
    SetAside,
    Delivered,
    Withdrawn,
}

#[derive(Debug)]
struct Change {
    ballot: u32,
    previous: Status,
    status: Status,
    state: State,
    due: Micros,
    sequence: u32,
    in_flight: bool,
}

#[derive(Debug)]
struct Ballot {
    status: Status,
    style: Option<String>,
    /// The change that set its status, where the relay is owed that one.
    last: Option<usize>,
    sent: u32,
}

/// A scan that moved a ballot and was not taken back.
#[derive(Debug, Clone, Copy)]
struct Moving {
    ballot: u32,
    from: Status,
    change: usize,
    batch: u32,
}

/// Which ballot in which purpose, what was said of it, and how it was left.
type Scanned = (u32, Purpose, Verdict, Left);

/// A batch by hand; none for the running ones.
type Purpose = Option<u32>;

/// Which ballot, and whether it was issued: before that nobody knows its envelope again.
type Envelope = (u32, bool);

/// A batch.
#[derive(Debug, Clone)]
struct Batch {
    /// Of a running one, its day.
    day: Option<String>,
    mode: Mode,
    received_at: Option<Micros>,
    deadline: Micros,
    /// What its scans were taken for, and the changes that they made.
    scans: Vec<(Envelope, Option<usize>)>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Closed,
    Reversed,
}

/// How a scan left its ballot: while that holds, its verdict holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Unknown, after so many imports.
    Unknown(usize),
    /// Moved by this change.
    Moved(Option<usize>),
    /// Where it stood.
    At(Status),
}

/// What the ledger should know.
#[derive(Debug, Default)]
struct Model {
    ballots: BTreeMap<u32, Ballot>,
    changes: Vec<Change>,
    moving: Vec<Moving>,
    /// Every scan that has a row, by scanner.
    scans: BTreeMap<usize, Vec<Scanned>>,
    /// Those since the last clean stop, and of them those that may not have been answered.
    since_stop: BTreeMap<usize, Vec<Scanned>>,
    unanswered: BTreeMap<usize, Vec<Scanned>>,
    repeats: i64,
    imports: usize,
    /// Numbered from 1.
    batches: Vec<Batch>,
    /// Scans that were taken back, by the change that they had made.
    taken_back: Vec<usize>,
    /// The last number of each ballot that the relay took.
    relay: BTreeMap<u32, u32>,
}

impl Model {
    /// The verdict, the batch and the position there; none of a repeat.
    fn scan(&mut self, now: Micros, scanner: usize, n: u32) -> (Verdict, Option<(u32, usize)>) {
        let batch = self.batch(now);
        let purpose = self.batches[batch].day.is_none().then_some(u32::try_from(batch).unwrap());
        let mut unanswered = self.unanswered.remove(&scanner).unwrap_or_default();
        if let Some(position) =
            unanswered.iter().position(|(other, for_, ..)| (*other, *for_) == (n, purpose))
        {
            let (.., verdict, left) = unanswered.drain(..=position).next_back().unwrap();
            self.unanswered.insert(scanner, unanswered);
            if left == self.left(n, verdict) {
                self.repeats += 1;
                return (verdict, None);
            }
        }
        let verdict = self.judge(now, n, batch);
        let left = self.left(n, verdict);
        let answer = (n, purpose, verdict, left);
        self.scans.entry(scanner).or_default().push(answer);
        self.since_stop.entry(scanner).or_default().push(answer);
        let change = if let Left::Moved(change) = left { change } else { None };
        let scans = &mut self.batches[batch].scans;
        scans.push(((n, verdict != Verdict::NotIssued), change));
        (verdict, Some((u32::try_from(batch).unwrap() + 1, scans.len())))
    }

    /// Where the batch is that a scan goes to.
    fn batch(&mut self, now: Micros) -> usize {
        let day = Some(denver().date(now));
        let is_open =
            |batch: &Batch, day: &Option<String>| batch.stage == Stage::Open && batch.day == *day;
        if let Some(by_hand) = self.batches.iter().position(|batch| is_open(batch, &None)) {
            return by_hand;
        }
        let running = self.batches.iter().rposition(|batch| is_open(batch, &day));
        running.unwrap_or_else(|| {
            self.batches.push(Batch {
                day,
                mode: Mode::Receive,
                received_at: None,
                deadline: RECEIVE_UNTIL,
                scans: Vec::new(),
                stage: Stage::Open,
            });
            self.batches.len() - 1
        })
    }

    fn left(&self, n: u32, verdict: Verdict) -> Left {
        match verdict {
            Verdict::NotIssued => Left::Unknown(self.imports),
            Verdict::Received | Verdict::Accepted => Left::Moved(self.ballots[&n].last),
            _ => Left::At(self.ballots[&n].status),
        }
    }

    fn judge(&mut self, now: Micros, n: u32, batch: usize) -> Verdict {
        let Some(from) = self.ballots.get(&n).map(|ballot| ballot.status) else {
            return Verdict::NotIssued;
        };
        let Batch { mode, received_at, deadline, .. } = self.batches[batch];
        let received_at = received_at.unwrap_or(now);
        let other = BTreeMap::from([(1, 2), (2, 1)]).get(&n).and_then(|n| self.ballots.get(n));
        let other = other.map(|other| other.status);
        let to = match scan_move(mode, from) {
            Move::To(to) => to,
            Move::Voided => return Verdict::Voided,
            Move::Already => return Verdict::AlreadyReceived,
            Move::Refused => return Verdict::Refused,
            Move::Look => return Verdict::Found,
        };
        let verdict = match to {
            Status::Received if received_at > deadline => return Verdict::Late,
            Status::Received if other.is_some_and(|other| other != Status::Voided) => {
                return Verdict::Held;
            }
            Status::Received => Verdict::Received,
            _ if from == Status::NeedsAttention && received_at > CURE_UNTIL => {
                return Verdict::Late;
            }
            _ if other.is_some_and(|other| other.is_in() && other != Status::Rejected) => {
                return Verdict::Held;
            }
            _ => Verdict::Accepted,
        };
        self.moves(now, n, from, to);
        let batch = u32::try_from(batch).unwrap();
        self.moving.push(Moving { ballot: n, from, change: self.changes.len() - 1, batch });
        verdict
    }

    /// Whether the batch was opened.
    fn open(&mut self, now: Micros, pile: Pile) -> bool {
        if self.batches.iter().any(|batch| batch.day.is_none() && batch.stage == Stage::Open) {
            return false;
        }
        self.batches.push(Batch {
            day: None,
            mode: pile.mode,
            received_at: pile.earlier.map(|hours| earlier(now, hours)),
            deadline: if pile.postmarked { POSTMARKED_UNTIL } else { RECEIVE_UNTIL },
            scans: Vec::new(),
            stage: Stage::Open,
        });
        true
    }

    /// The last batch that was opened, and how many envelopes are in it.
    fn last_batch(&self) -> Option<(u32, u32)> {
        let batch = self.batches.last()?;
        let stays = |(_, change): &&(Envelope, Option<usize>)| {
            change.is_none_or(|change| !self.taken_back.contains(&change))
        };
        let envelopes: BTreeSet<_> =
            batch.scans.iter().filter(stays).map(|(envelope, _)| envelope).collect();
        Some((u32::try_from(self.batches.len()).unwrap(), u32::try_from(envelopes.len()).unwrap()))
    }

    /// Whether the batch was closed.
    fn close(&mut self, counted: Counted) -> bool {
        let Some(batch) = self.batches.last_mut() else { return false };
        let closes = batch.stage == Stage::Open && counted != Counted::Wrong;
        if closes {
            batch.stage = Stage::Closed;
        }
        closes
    }

    /// How many ballots stand again where they stood; none when it is not reversed.
    fn reverse(&mut self, now: Micros, batch: u32) -> Option<u32> {
        let batch = batch.checked_sub(1)?;
        let reversed = self.batches.get_mut(batch as usize)?;
        if reversed.stage != Stage::Closed {
            return None;
        }
        reversed.stage = Stage::Reversed;
        let mut n = 0;
        for moving in self.moving.clone().into_iter().filter(|moving| moving.batch == batch) {
            if self.ballots[&moving.ballot].last == Some(moving.change) {
                self.corrects(now, moving.ballot, moving.from);
                n += 1;
            }
        }
        Some(n)
    }

    /// The ballot stands at `to`, and the relay, which believes it at `previous`, is owed the difference.
    fn moves(&mut self, now: Micros, ballot: u32, previous: Status, to: Status) {
        let stands = self.ballots.get_mut(&ballot).unwrap();
        stands.status = to;
        stands.last = (previous != to).then_some(self.changes.len());
        if previous != to {
            let due = now.plus(HOLD_BACK);
            let (state, sequence, in_flight) = (State::Held, 0, false);
            let change = Change { ballot, previous, status: to, state, due, sequence, in_flight };
            self.changes.push(change);
        }
    }

    /// A move that says that the last change was wrong.
    fn corrects(&mut self, now: Micros, n: u32, to: Status) {
        let ballot = &self.ballots[&n];
        let (mut previous, last) = (ballot.status, ballot.last);
        self.moving.retain(|moving| Some(moving.change) != last);
        if let Some(change) = last.map(|last| &mut self.changes[last])
            && change.state == State::Held
        {
            change.state = State::Withdrawn;
            previous = change.previous;
        }
        self.moves(now, n, previous, to);
    }

    fn set(&mut self, now: Micros, n: u32, to: Status) -> bool {
        let Some(from) = self.ballots.get(&n).map(|ballot| ballot.status) else { return false };
        match set_move(from, to) {
            SetMove::Same | SetMove::TakesTwo => return false,
            SetMove::Forward => self.moves(now, n, from, to),
            SetMove::Correction => self.corrects(now, n, to),
        }
        true
    }

    fn undo(&mut self, now: Micros) -> bool {
        let Some(moving) = self.moving.last().copied() else { return false };
        if self.ballots[&moving.ballot].last != Some(moving.change) {
            return false;
        }
        self.corrects(now, moving.ballot, moving.from);
        self.taken_back.push(moving.change);
        true
    }

    fn import(&mut self, now: Micros, lines: &[(u32, Line)]) -> Counts {
        self.imports += 1;
        let mut counts = Counts::default();
        let mut seen = Vec::new();
        for (n, line) in lines {
            counts.rows += 1;
            if seen.contains(n) {
                counts.refused += 1;
                continue;
            }
            seen.push(*n);
            *self.import_row(now, *n, &line.row(*n), &mut counts) += 1;
        }
        counts
    }

    fn import_row<'a>(
        &mut self,
        now: Micros,
        n: u32,
        row: &ImportRow,
        counts: &'a mut Counts,
    ) -> &'a mut u64 {
        let voids = row.status == Status::Voided;
        let Some(ballot) = self.ballots.get_mut(&n) else {
            let status = if voids { Status::Issued } else { row.status };
            let style = row.style.clone();
            self.ballots.insert(n, Ballot { status, style, last: None, sent: 0 });
            if voids {
                self.moves(now, n, status, Status::Voided);
            }
            return if voids { &mut counts.voided } else { &mut counts.issued };
        };
        let (from, moves) = (ballot.status, import_moves(ballot.status, row.status));
        if voids && from != Status::Voided && !moves {
            return &mut counts.refused;
        }
        // What the line does not say is no news.
        let style = row.style.clone().or_else(|| ballot.style.clone());
        if !moves && ballot.style == style {
            return &mut counts.unchanged;
        }
        ballot.style = style;
        match (moves, voids) {
            (true, true) => self.moves(now, n, from, Status::Voided),
            (true, false) => (ballot.status, ballot.last) = (row.status, None),
            (false, _) => {}
        }
        if moves && voids { &mut counts.voided } else { &mut counts.updated }
    }

    /// What every transaction ends with.
    fn release(&mut self, now: Micros) {
        let latest = now.plus(HOLD_BACK);
        let held = || self.changes.iter().filter(|change| change.state == State::Held);
        if held().next().is_some_and(|change| change.due > latest) {
            self.changes.iter_mut().for_each(|change| change.due = change.due.min(latest));
        }
        for change in self.changes.iter_mut().filter(|change| change.state == State::Held) {
            if change.due > now {
                break;
            }
            let ballot = self.ballots.get_mut(&change.ballot).unwrap();
            ballot.sent += 1;
            (change.state, change.sequence) = (State::Owed, ballot.sent);
        }
    }

    /// What the relay is to be told now: of each ballot the first that is not settled, if it is owed.
    fn claim(&mut self) -> Vec<(u32, Status, u32)> {
        let mut blocked = Vec::new();
        let mut claimed = Vec::new();
        for change in &mut self.changes {
            if matches!(change.state, State::Delivered | State::Withdrawn) {
                continue;
            }
            if change.state == State::Owed && !change.in_flight && !blocked.contains(&change.ballot)
            {
                change.in_flight = true;
                claimed.push((change.ballot, change.status, change.sequence));
            }
            blocked.push(change.ballot);
        }
        claimed
    }

    fn settle(&mut self, n: u32, sequence: u32, answer: &Answer) {
        let found = |change: &&mut Change| change.ballot == n && change.sequence == sequence;
        let change = self.changes.iter_mut().find(found).unwrap();
        change.in_flight = false;
        match answer {
            Answer::Delivered => {
                change.state = State::Delivered;
                let before = self.relay.insert(n, sequence).unwrap_or(0);
                assert_eq!(sequence, before + 1, "the relay sees ballot {n} out of order");
            }
            Answer::ChangeRefused { .. } => change.state = State::SetAside,
            _ => {}
        }
    }

    fn retry(&mut self) -> usize {
        let aside = self.changes.iter_mut().filter(|change| change.state == State::SetAside);
        aside.map(|change| change.state = State::Owed).count()
    }

    /// After a clean stop everything was answered; after a crash nothing is known of what came since the last one.
    fn restart(&mut self, stop: Stop) {
        if stop == Stop::Clean {
            self.since_stop.clear();
        }
        self.unanswered = self.since_stop.clone();
        self.changes.iter_mut().for_each(|change| change.in_flight = false);
    }

    fn standing(&self) -> Standing {
        self.ballots.iter().map(|(n, ballot)| (*n, ballot.status)).collect()
    }

    /// Ballots that are out although an envelope of theirs was held or late, by status.
    fn waiting(&self) -> BTreeMap<&'static str, i64> {
        let mut held = BTreeMap::from([("issued", 0), ("mailed", 0), ("undeliverable", 0)]);
        for (n, ballot) in &self.ballots {
            let scans = self.scans.values().flatten();
            let mut of_this = scans.filter(|(m, ..)| m == n);
            let is_held = of_this.any(|(_, _, verdict, _)| verdict.is_decided_later());
            if let Some(count) = held.get_mut(ballot.status.name()).filter(|_| is_held) {
                *count += 1;
            }
        }
        held
    }

    fn count(&self, state: State) -> i64 {
        let n = self.changes.iter().filter(|change| change.state == state).count();
        i64::try_from(n).unwrap()
    }
}

fn earlier(now: Micros, hours: i64) -> Micros {
    Micros(now.0 - hours * 3_600_000_000)
}

fn denver() -> Zone {
    Zone::named("America/Denver").unwrap()
}

/// How a run of the ledger ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Clean,
    Crash,
}

/// The ledger, and what the relay has in hand of it.
struct Both {
    station: Station,
    model: Model,
    in_flight: Vec<(i64, u32, u32)>,
    flows: Flows,
}

impl Both {
    fn act(&mut self, action: &Action) {
        let before = self.model.standing();
        self.do_both(action);
        let means = match action {
            Action::Scan { .. } => "scans",
            Action::Import(_) => "imports",
            Action::Set { .. } | Action::Reverse { .. } => "by_hand",
            _ => "undone",
        };
        self.flows.note(means, &before, &self.model.standing());
    }

    fn do_both(&mut self, action: &Action) {
        let now = self.station.clock.now();
        match action {
            Action::Scan { scanner, ballot } => {
                let judged = self.station.scan_ballot(SCANNERS[*scanner], *ballot);
                let place = (judged.batch, usize::try_from(judged.position).unwrap());
                let (verdict, expected) = self.model.scan(now, *scanner, *ballot);
                assert_eq!(judged.verdict, verdict);
                assert_eq!(Some(place).filter(|(_, position)| *position > 0), expected);
            }
            Action::Import(lines) => self.import(now, lines),
            Action::Set { ballot, status } => {
                let request = SetRequest {
                    election: row(*ballot).election,
                    ballot: row(*ballot).ballot.unwrap(),
                    status: *status,
                    reason: "by hand".to_owned(),
                    party: Party::of(Person::os_user("supervisor".to_owned())),
                };
                let set = self.station.ledger().ask(|reply| Request::Set(request, reply)).unwrap();
                assert_eq!(set.is_ok(), self.model.set(now, *ballot, *status), "{set:?}");
            }
            Action::Undo => {
                let who = Who::os_user("clerk".to_owned());
                let undo = |reply| Request::Undo { who, reply };
                let undone = self.station.ledger().ask(undo).unwrap();
                assert_eq!(undone.is_ok(), self.model.undo(now), "{undone:?}");
            }
            Action::Pass { minutes } => self.station.pass(Duration::from_secs(60 * minutes)),
            Action::ClockBack { hours } => {
                self.station.clock.set(Micros(now.0 - hours * 3_600_000_000));
                self.station.pass(Duration::ZERO);
            }
            Action::Claim => self.claim(now),
            Action::Settle { which, answer } => self.settle(*which, answer),
            Action::Retry => {
                let who = Who::os_user("supervisor".to_owned());
                let retry = |reply| Request::Retry { who, reply };
                assert_eq!(self.station.ledger().ask(retry).unwrap(), self.model.retry());
            }
            Action::Open(pile) => self.open(now, *pile),
            Action::Close { counted } => self.close(*counted),
            Action::Reverse { which } => self.reverse(now, *which),
            Action::Reopen => self.restart(Stop::Clean),
            Action::Crash => self.restart(Stop::Crash),
        }
        self.model.release(self.station.clock.now());
    }

    fn import(&mut self, now: Micros, lines: &[(u32, Line)]) {
        let rows: Vec<_> = lines.iter().map(|(n, line)| line.row(*n)).collect();
        assert_eq!(self.station.import(&rows), self.model.import(now, lines));
        // The next one begins when this one is applied.
        let import = self.station.begin_import();
        let abandon = |reply| Request::ImportAbandon { import, refused: 0, reply };
        assert_eq!(self.station.ledger().ask(abandon).unwrap(), Ok(Counts::default()));
    }

    fn open(&mut self, now: Micros, pile: Pile) {
        let wanted = NewBatch {
            mode: Some(pile.mode),
            received_at: pile.earlier.map(|hours| earlier(now, hours)),
            reason: Some("drop box".to_owned()),
            postmarked: pile.postmarked,
            ..NewBatch::default()
        };
        let who = Who::os_user("supervisor".to_owned());
        let person = Person { who, role: Some(Role::Supervisor) };
        let open = |reply| Request::Batch(BatchRequest::Open { wanted, person, reply });
        let opened = self.station.ledger().ask(open).unwrap();
        assert_eq!(opened.is_ok(), self.model.open(now, pile), "{opened:?}");
    }

    fn close(&mut self, counted: Counted) {
        let (batch, envelopes) = self.model.last_batch().unwrap_or((1, 0));
        let explanation = (counted == Counted::Explained).then(|| "torn".to_owned());
        let by_hand = envelopes + u32::from(counted != Counted::Right);
        let closing = Closing { batch, counted: by_hand, explanation };
        let person = Person::os_user("clerk".to_owned());
        let close = |reply| Request::Batch(BatchRequest::Close { closing, person, reply });
        let closed = self.station.ledger().ask(close).unwrap();
        assert_eq!(closed.is_ok(), self.model.close(counted), "{closed:?}");
        if let Ok(closed) = closed {
            assert_eq!(closed.envelopes, envelopes);
        }
    }

    fn reverse(&mut self, now: Micros, which: u32) {
        let batch = which % (u32::try_from(self.model.batches.len()).unwrap() + 2);
        let reverse = |reply| {
            Request::Batch(BatchRequest::Reverse {
                batch,
                reason: "wrong pile".to_owned(),
                who: Who::os_user("supervisor".to_owned()),
                confirmed_by: "second".to_owned(),
                reply,
            })
        };
        let reversed = self.station.ledger().ask(reverse).unwrap();
        let moved = reversed.ok().map(|reversed| reversed.moved);
        assert_eq!(moved, self.model.reverse(now, batch));
    }

    fn claim(&mut self, now: Micros) {
        self.model.release(now);
        let mut claimed = Vec::new();
        for delivery in self.station.claim() {
            let body: serde_json::Value = serde_json::from_str(&delivery.body).unwrap();
            let told = &body["data"];
            let ballot = told["ballot"].as_str().unwrap().parse().unwrap();
            let sequence = u32::try_from(told["sequence"].as_u64().unwrap()).unwrap();
            let status = Status::from_name(told["status"].as_str().unwrap()).unwrap();
            claimed.push((ballot, status, sequence));
            self.in_flight.push((delivery.seq, ballot, sequence));
        }
        claimed.sort_unstable();
        let mut expected = self.model.claim();
        expected.sort_unstable();
        assert_eq!(claimed, expected);
    }

    fn settle(&mut self, which: usize, answer: &Answer) {
        if self.in_flight.is_empty() {
            return;
        }
        let which = which % self.in_flight.len();
        let (seq, ballot, sequence) = self.in_flight.swap_remove(which);
        self.station.settle(seq, answer.clone());
        self.model.settle(ballot, sequence, answer);
    }

    fn restart(&mut self, stop: Stop) {
        match stop {
            Stop::Clean => self.station.reopen(),
            Stop::Crash => self.station.crash(),
        }
        self.station.pass(Duration::ZERO);
        self.in_flight.clear();
        self.model.restart(stop);
    }

    /// Whatever can be asked of both.
    fn compare(&self) {
        let report = self.station.report();
        let counts = [
            ("held", State::Held),
            ("owed", State::Owed),
            ("set_aside", State::SetAside),
            ("delivered", State::Delivered),
            ("withdrawn", State::Withdrawn),
        ];
        for (name, state) in counts {
            assert_eq!(report.outbox[name], self.model.count(state), "{name}");
        }
        let scans: usize = self.model.scans.values().map(Vec::len).sum();
        assert_eq!(report.scans.values().sum::<i64>(), i64::try_from(scans).unwrap());
        assert_eq!(report.repeats, self.model.repeats);
        for (n, ballot) in &self.model.ballots {
            assert_eq!(self.station.status(*n), ballot.status, "ballot {n}");
        }
        let election = row(1).election;
        let reconciled = self.station.reader().reconciliation(&election, Micros(0)).unwrap();
        self.flows.check(&reconciled, &self.model.standing());
        let waiting =
            |status| reconciled.waiting["held"][status] + reconciled.waiting["late"][status];
        for (status, n) in self.model.waiting() {
            assert_eq!(waiting(status), n, "{status}");
        }
        assert_eq!(reconciled.scans.sum, i64::try_from(scans).unwrap());
        let verified = self.station.verify();
        assert_eq!(verified.fault, None);
    }
}

fn action() -> impl Strategy<Value = Action> {
    let ballot = || 1..=BALLOTS + 1;
    let line = prop_oneof![Just(Line::Mailed), Just(Line::Styled), Just(Line::Voided)];
    // Statuses that a ballot can leave again are met more often.
    let back_and_forth =
        proptest::sample::select(vec![Status::Mailed, Status::NeedsAttention, Status::Received]);
    let status =
        prop_oneof![3 => back_and_forth, 1 => proptest::sample::select(Status::ALL.to_vec())];
    let mode = proptest::sample::select(vec![Mode::Receive, Mode::Accept, Mode::Lookup]);
    let pile = (mode, prop::option::of(0_i64..30), any::<bool>())
        .prop_map(|(mode, earlier, postmarked)| Pile { mode, earlier, postmarked });
    let counted =
        proptest::sample::select(vec![Counted::Right, Counted::Wrong, Counted::Explained]);
    let answer = prop_oneof![
        4 => Just(Answer::Delivered),
        1 => Just(Answer::RelayAway { why: "503".to_owned(), retry_after: None }),
        1 => Just(Answer::ChangeRefused { why: "422".to_owned() }),
    ];
    prop_oneof![
        10 => (0..SCANNERS.len(), ballot()).prop_map(|(scanner, ballot)| Action::Scan { scanner, ballot }),
        3 => prop::collection::vec((1..=BALLOTS, line), 1..6).prop_map(Action::Import),
        6 => (ballot(), status).prop_map(|(ballot, status)| Action::Set { ballot, status }),
        3 => Just(Action::Undo),
        4 => (0_u64..20).prop_map(|minutes| Action::Pass { minutes }),
        1 => (1_i64..30).prop_map(|hours| Action::ClockBack { hours }),
        4 => Just(Action::Claim),
        6 => (0_usize..8, answer).prop_map(|(which, answer)| Action::Settle { which, answer }),
        1 => Just(Action::Retry),
        3 => pile.prop_map(Action::Open),
        4 => counted.prop_map(|counted| Action::Close { counted }),
        2 => (0_u32..6).prop_map(|which| Action::Reverse { which }),
        1 => Just(Action::Reopen),
        1 => Just(Action::Crash),
    ]
}

fn cases() -> u32 {
    if std::env::var_os("BALLOT_INTAKE_LONG").is_some() { 20_000 } else { 256 }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn the_ledger_does_what_its_model_does(actions in prop::collection::vec(action(), 1..40)) {
        let station = Station::with(|settings| {
            settings.announce_imports = vec![Status::Voided];
            settings.receive_until = Some(RECEIVE_UNTIL);
            settings.postmarked_receive_until = Some(POSTMARKED_UNTIL);
            settings.cure_until = Some(CURE_UNTIL);
        });
        let mut both = Both {
            station,
            model: Model::default(),
            in_flight: Vec::new(),
            flows: Flows::default(),
        };
        both.act(&Action::Import((1..=3).map(|n| (n, Line::Mailed)).collect()));
        for action in &actions {
            both.act(action);
        }
        both.compare();
        both.station.checkpoint();
        both.station.close();
        rebuild(&both.station.settings).unwrap();
        both.compare();
    }
}
