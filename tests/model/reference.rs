//! The model: what the ledger should know, by rules alone.

use super::{CURE_UNTIL, Counted, Line, POSTMARKED_UNTIL, Pile, RECEIVE_UNTIL};
use crate::flows::Standing;
use crate::station::HOLD_BACK;
use ballot_intake::ballot::{Mode, Move, SetMove, Status, import_moves, scan_move, set_move};
use ballot_intake::clock::{Micros, Zone};
use ballot_intake::delivery::Answer;
use ballot_intake::ledger::{Counts, ImportRow};
use ballot_intake::scan::Verdict;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Held,
    Owed,
    SetAside,
    Delivered,
    Withdrawn,
}

#[derive(Debug)]
pub(crate) struct Change {
    ballot: u32,
    previous: Status,
    status: Status,
    state: State,
    due: Micros,
    sequence: u32,
    in_flight: bool,
}

#[derive(Debug)]
pub(crate) struct Ballot {
    pub(crate) status: Status,
    style: Option<String>,
    /// The change that set its status, where the relay is owed that one.
    last: Option<usize>,
    sent: u32,
    /// What moved it, but for imports that announce nothing.
    steps: Vec<Step>,
    /// The last of those, unless an import moved it since.
    top: Option<usize>,
}

/// A move of a ballot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    from: Status,
    to: Status,
    /// The step that this one says was wrong.
    corrects: Option<usize>,
}

impl Ballot {
    pub(crate) fn new(status: Status, style: Option<String>) -> Self {
        Self { status, style, last: None, sent: 0, steps: Vec::new(), top: None }
    }

    /// The step by which it stands where it stands: one that put it back leaves it to the one before what was wrong.
    pub(crate) fn stands_by(&self) -> Option<usize> {
        let mut top = self.top?;
        while let Some(wrong) = self.steps[top].corrects {
            let to = self.steps[top].to;
            let before = wrong.checked_sub(1).filter(|_| self.steps[wrong].from == to);
            match before.filter(|before| self.steps[*before].to == to) {
                Some(before) => top = before,
                None => break,
            }
        }
        Some(top)
    }
}

/// A scan that moved a ballot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moving {
    ballot: u32,
    from: Status,
    change: usize,
    /// Of the ballot's steps.
    step: usize,
    batch: u32,
}

/// Which ballot in which purpose, what was said of it, its place, and how it was left.
pub(crate) type Scanned = (u32, Purpose, Verdict, Place, Left);

/// The batch, and the position there.
pub(crate) type Place = (u32, i64);

/// A batch by hand; none for the running ones.
pub(crate) type Purpose = Option<u32>;

/// Which ballot, and whether it was issued: before that nobody knows its envelope again.
pub(crate) type Envelope = (u32, bool);

/// A batch.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
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
pub(crate) enum Stage {
    Open,
    Closed,
    Reversed,
}

/// How a scan left its ballot: while that holds, its verdict holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Unknown, after so many imports.
    Unknown(usize),
    /// Moved by this change.
    Moved(Option<usize>),
    /// Where it stood.
    At(Status),
}

/// What the ledger should know.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) ballots: BTreeMap<u32, Ballot>,
    pub(crate) changes: Vec<Change>,
    pub(crate) moving: Vec<Moving>,
    /// Which of those an event says were wrong, by their changes.
    pub(crate) corrected: Vec<usize>,
    /// Every scan that has a row, by scanner.
    pub(crate) scans: BTreeMap<usize, Vec<Scanned>>,
    /// Those since the last clean stop, and of them those that may not have been answered.
    pub(crate) since_stop: BTreeMap<usize, Vec<Scanned>>,
    pub(crate) unanswered: BTreeMap<usize, Vec<Scanned>>,
    pub(crate) repeats: i64,
    pub(crate) imports: usize,
    /// Numbered from 1.
    pub(crate) batches: Vec<Batch>,
    /// Scans that were taken back, by the change that they had made.
    pub(crate) taken_back: Vec<usize>,
    /// The last number of each ballot that the relay took.
    pub(crate) relay: BTreeMap<u32, u32>,
}

impl Model {
    pub(crate) fn scan(&mut self, now: Micros, scanner: usize, n: u32) -> (Verdict, Place) {
        let batch = self.batch(now);
        let purpose = self.batches[batch].day.is_none().then_some(u32::try_from(batch).unwrap());
        let mut unanswered = self.unanswered.remove(&scanner).unwrap_or_default();
        if let Some(position) =
            unanswered.iter().position(|(other, for_, ..)| (*other, *for_) == (n, purpose))
        {
            let (.., verdict, place, left) = unanswered.drain(..=position).next_back().unwrap();
            self.unanswered.insert(scanner, unanswered);
            if left == self.left(n, verdict) {
                self.repeats += 1;
                return (verdict, place);
            }
        }
        let verdict = self.judge(now, n, batch);
        let left = self.left(n, verdict);
        let change = if let Left::Moved(change) = left { change } else { None };
        let scans = &mut self.batches[batch].scans;
        scans.push(((n, verdict != Verdict::NotIssued), change));
        let place = (u32::try_from(batch).unwrap() + 1, i64::try_from(scans.len()).unwrap());
        let answer = (n, purpose, verdict, place, left);
        self.scans.entry(scanner).or_default().push(answer);
        self.since_stop.entry(scanner).or_default().push(answer);
        (verdict, place)
    }

    /// Where the batch is that a scan goes to.
    pub(crate) fn batch(&mut self, now: Micros) -> usize {
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

    pub(crate) fn left(&self, n: u32, verdict: Verdict) -> Left {
        match verdict {
            Verdict::NotIssued => Left::Unknown(self.imports),
            Verdict::Received | Verdict::Accepted => Left::Moved(self.ballots[&n].last),
            _ => Left::At(self.ballots[&n].status),
        }
    }

    pub(crate) fn judge(&mut self, now: Micros, n: u32, batch: usize) -> Verdict {
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
        let (change, step) = (self.changes.len() - 1, self.ballots[&n].steps.len() - 1);
        self.moving.push(Moving { ballot: n, from, change, step, batch });
        verdict
    }

    /// Whether the batch was opened.
    pub(crate) fn open(&mut self, now: Micros, pile: Pile) -> bool {
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
    pub(crate) fn last_batch(&self) -> Option<(u32, u32)> {
        let batch = self.batches.last()?;
        let stays = |(_, change): &&(Envelope, Option<usize>)| {
            change.is_none_or(|change| !self.taken_back.contains(&change))
        };
        let envelopes: BTreeSet<_> =
            batch.scans.iter().filter(stays).map(|(envelope, _)| envelope).collect();
        Some((u32::try_from(self.batches.len()).unwrap(), u32::try_from(envelopes.len()).unwrap()))
    }

    /// Whether the batch was closed.
    pub(crate) fn close(&mut self, counted: Counted) -> bool {
        let Some(batch) = self.batches.last_mut() else { return false };
        let closes = batch.stage == Stage::Open && counted != Counted::Wrong;
        if closes {
            batch.stage = Stage::Closed;
        }
        closes
    }

    /// How many ballots stand again where they stood; none when it is not reversed.
    pub(crate) fn reverse(&mut self, now: Micros, batch: u32) -> Option<u32> {
        let batch = batch.checked_sub(1)?;
        let reversed = self.batches.get_mut(batch as usize)?;
        if reversed.stage != Stage::Closed {
            return None;
        }
        reversed.stage = Stage::Reversed;
        let mut n = 0;
        for moving in self.moving.clone().into_iter().rev().filter(|moving| moving.batch == batch) {
            if self.ballots[&moving.ballot].stands_by() == Some(moving.step) {
                self.takes_back(now, moving);
                n += 1;
            }
        }
        Some(n)
    }

    /// The ballot stands at `to`, and the relay, which believes it at `previous`, is owed the difference.
    pub(crate) fn moves(&mut self, now: Micros, ballot: u32, previous: Status, to: Status) {
        let stands = self.ballots.get_mut(&ballot).unwrap();
        stands.top = Some(stands.steps.len());
        stands.steps.push(Step { from: stands.status, to, corrects: None });
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
    pub(crate) fn corrects(&mut self, now: Micros, n: u32, to: Status) {
        let Ballot { last, top, .. } = self.ballots[&n];
        self.corrects_this(now, n, to, (last, top));
    }

    /// A move that says that this scan was wrong.
    pub(crate) fn takes_back(&mut self, now: Micros, moving: Moving) {
        let wrong = (Some(moving.change), Some(moving.step));
        self.corrects_this(now, moving.ballot, moving.from, wrong);
    }

    pub(crate) fn corrects_this(
        &mut self,
        now: Micros,
        n: u32,
        to: Status,
        (last, step): (Option<usize>, Option<usize>),
    ) {
        let mut previous = self.ballots[&n].status;
        self.corrected.extend(last);
        if let Some(change) = last.map(|last| &mut self.changes[last])
            && change.state == State::Held
        {
            change.state = State::Withdrawn;
            previous = change.previous;
        }
        self.moves(now, n, previous, to);
        let moved = self.ballots.get_mut(&n).unwrap().steps.last_mut().unwrap();
        moved.corrects = step;
    }

    pub(crate) fn set(&mut self, now: Micros, n: u32, to: Status) -> bool {
        let Some(from) = self.ballots.get(&n).map(|ballot| ballot.status) else { return false };
        match set_move(from, to) {
            SetMove::Same | SetMove::TakesTwo => return false,
            SetMove::Forward => self.moves(now, n, from, to),
            SetMove::Correction => self.corrects(now, n, to),
        }
        true
    }

    pub(crate) fn undo(&mut self, now: Micros) -> bool {
        let stays = |moving: &&Moving| !self.corrected.contains(&moving.change);
        let Some(moving) = self.moving.iter().rfind(stays).copied() else { return false };
        let ballot = &self.ballots[&moving.ballot];
        let takes_two = set_move(ballot.status, moving.from) == SetMove::TakesTwo;
        if ballot.stands_by() != Some(moving.step)
            || self.batches[moving.batch as usize].stage != Stage::Open
            || (takes_two && self.changes[moving.change].state != State::Held)
        {
            return false;
        }
        self.takes_back(now, moving);
        self.taken_back.push(moving.change);
        true
    }

    pub(crate) fn import(&mut self, now: Micros, lines: &[(u32, Line)]) -> Counts {
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

    pub(crate) fn import_row<'a>(
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
            self.ballots.insert(n, Ballot::new(status, style));
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
            (true, false) => {
                (ballot.status, ballot.last, ballot.top) = (row.status, None, None);
            }
            (false, _) => {}
        }
        if moves && voids { &mut counts.voided } else { &mut counts.updated }
    }

    /// What every transaction ends with.
    pub(crate) fn release(&mut self, now: Micros) {
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
    pub(crate) fn claim(&mut self) -> Vec<(u32, Status, u32)> {
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

    pub(crate) fn settle(&mut self, n: u32, sequence: u32, answer: &Answer) {
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

    pub(crate) fn retry(&mut self) -> usize {
        let aside = self.changes.iter_mut().filter(|change| change.state == State::SetAside);
        aside.map(|change| change.state = State::Owed).count()
    }

    /// After a clean stop everything was answered, but for what a crash left and its scanner was not heard since; after a crash
    /// nothing is known of what came since the last one.
    pub(crate) fn restart(&mut self, stop: Stop) {
        if stop == Stop::Clean {
            self.since_stop.clone_from(&self.unanswered);
        }
        self.unanswered = self.since_stop.clone();
        self.changes.iter_mut().for_each(|change| change.in_flight = false);
    }

    pub(crate) fn standing(&self) -> Standing {
        self.ballots.iter().map(|(n, ballot)| (*n, ballot.status)).collect()
    }

    /// Ballots that are out although an envelope of theirs was held or late, by status.
    pub(crate) fn waiting(&self) -> BTreeMap<&'static str, i64> {
        let mut held = BTreeMap::from([("issued", 0), ("mailed", 0), ("undeliverable", 0)]);
        for (n, ballot) in &self.ballots {
            let scans = self.scans.values().flatten();
            let mut of_this = scans.filter(|(m, ..)| m == n);
            let is_held = of_this.any(|(_, _, verdict, ..)| verdict.is_decided_later());
            if let Some(count) = held.get_mut(ballot.status.name()).filter(|_| is_held) {
                *count += 1;
            }
        }
        held
    }

    pub(crate) fn count(&self, state: State) -> i64 {
        let n = self.changes.iter().filter(|change| change.state == state).count();
        i64::try_from(n).unwrap()
    }
}

pub(crate) fn earlier(now: Micros, hours: i64) -> Micros {
    Micros(now.0 - hours * 3_600_000_000)
}

pub(crate) fn denver() -> Zone {
    Zone::named("America/Denver").unwrap()
}

/// How a run of the ledger ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Clean,
    Crash,
}
