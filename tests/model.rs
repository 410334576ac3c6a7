//! The ledger against a small model of it: whatever happens in whatever order, both say the same, and the proof holds.
#![cfg(test)]

#[path = "support/own_ledger.rs"]
mod station;

use ballot_intake::ballot::{Mode, Move, SetMove, Status, import_moves, scan_move, set_move};
use ballot_intake::clock::{Clock as _, Micros};
use ballot_intake::delivery::Answer;
use ballot_intake::ledger::{Counts, ImportRow, Request, SetRequest, Who, rebuild};
use ballot_intake::scan::Verdict;
use proptest::prelude::*;
use station::{HOLD_BACK, Station, row};
use std::collections::BTreeMap;
use std::time::Duration;

/// Ballots that a file may issue; scans go a little beyond.
const BALLOTS: u32 = 4;

const SCANNERS: [&str; 2] = ["left", "right"];

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
    Reopen,
    Crash,
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
}

/// Which ballot, what was said of it, and how it was left.
type Scanned = (u32, Verdict, Left);

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
    /// Those that may not have been answered.
    /// Those since the last clean stop.
    since_stop: BTreeMap<usize, Vec<Scanned>>,
    unanswered: BTreeMap<usize, Vec<Scanned>>,
    repeats: i64,
    imports: usize,
    /// The last number of each ballot that the relay took.
    relay: BTreeMap<u32, u32>,
}

impl Model {
    fn scan(&mut self, now: Micros, scanner: usize, n: u32) -> Verdict {
        let mut unanswered = self.unanswered.remove(&scanner).unwrap_or_default();
        if let Some(position) = unanswered.iter().position(|(other, ..)| *other == n) {
            let (_, verdict, left) = unanswered.drain(..=position).next_back().unwrap();
            self.unanswered.insert(scanner, unanswered);
            if left == self.left(n, verdict) {
                self.repeats += 1;
                return verdict;
            }
        }
        let verdict = self.judge(now, n);
        let answer = (n, verdict, self.left(n, verdict));
        self.scans.entry(scanner).or_default().push(answer);
        self.since_stop.entry(scanner).or_default().push(answer);
        verdict
    }

    fn left(&self, n: u32, verdict: Verdict) -> Left {
        match verdict {
            Verdict::NotIssued => Left::Unknown(self.imports),
            Verdict::Received => Left::Moved(self.ballots[&n].last),
            _ => Left::At(self.ballots[&n].status),
        }
    }

    fn judge(&mut self, now: Micros, n: u32) -> Verdict {
        let Some(from) = self.ballots.get(&n).map(|ballot| ballot.status) else {
            return Verdict::NotIssued;
        };
        let other = BTreeMap::from([(1, 2), (2, 1)]).get(&n).and_then(|n| self.ballots.get(n));
        match scan_move(Mode::Receive, from) {
            Move::Voided => Verdict::Voided,
            Move::To(_) if other.is_some_and(|other| other.status != Status::Voided) => {
                Verdict::Held
            }
            Move::To(to) => {
                self.moves(now, n, from, to);
                self.moving.push(Moving { ballot: n, from, change: self.changes.len() - 1 });
                Verdict::Received
            }
            _ => Verdict::AlreadyReceived,
        }
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
        let style = row.style.clone();
        let Some(ballot) = self.ballots.get_mut(&n) else {
            let status = if voids { Status::Issued } else { row.status };
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

    fn count(&self, state: State) -> i64 {
        let n = self.changes.iter().filter(|change| change.state == state).count();
        i64::try_from(n).unwrap()
    }
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
}

impl Both {
    fn act(&mut self, action: &Action) {
        let now = self.station.clock.now();
        match action {
            Action::Scan { scanner, ballot } => {
                let verdict = self.station.scan_ballot(SCANNERS[*scanner], *ballot).verdict;
                assert_eq!(verdict, self.model.scan(now, *scanner, *ballot));
            }
            Action::Import(lines) => self.import(now, lines),
            Action::Set { ballot, status } => {
                let request = SetRequest {
                    election: row(*ballot).election,
                    ballot: row(*ballot).ballot,
                    status: *status,
                    reason: "by hand".to_owned(),
                    who: Who::os_user("supervisor".to_owned()),
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
        let station = Station::with(|settings| settings.announce_imports = vec![Status::Voided]);
        let mut both = Both { station, model: Model::default(), in_flight: Vec::new() };
        both.act(&Action::Import((1..=3).map(|n| (n, Line::Mailed)).collect()));
        for action in &actions {
            both.act(action);
        }
        both.compare();
        both.station.close();
        rebuild(&both.station.settings).unwrap();
        both.compare();
    }
}
