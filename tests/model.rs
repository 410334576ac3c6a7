//! The ledger against a small model of it: whatever happens in whatever order, both say the same, and the proof holds.
#![cfg(test)]

#[path = "model/flows.rs"]
mod flows;
#[path = "model/people.rs"]
mod people;
#[path = "model/reference.rs"]
mod reference;
#[path = "support/own_ledger.rs"]
#[expect(dead_code, reason = "each test binary uses a part")]
mod station;

use ballot_intake::ballot::{Mode, Status};
use ballot_intake::clock::{Clock as _, Micros};
use ballot_intake::delivery::Answer;
use ballot_intake::ledger::{
    BatchRequest, Closing, Counts, Done, ImportRow, NewBatch, Party, Request, SetRequest, rebuild,
};
use flows::Flows;
use people::sue;
use proptest::prelude::*;
use reference::{Model, State, Stop, earlier};
use station::{NOON, Station, row};
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

/// The ledger, and what the relay has in hand of it.
struct Both {
    station: Station,
    model: Model,
    in_flight: Vec<(i64, u32, u32)>,
    flows: Flows,
}

impl Both {
    /// With three ballots that were mailed.
    fn begin() -> Self {
        let station = Station::with(|settings| {
            settings.announce_imports = vec![Status::Voided];
            settings.receive_until = Some(RECEIVE_UNTIL);
            settings.postmarked_receive_until = Some(POSTMARKED_UNTIL);
            settings.cure_until = Some(CURE_UNTIL);
        });
        people::staff(&station);
        let (model, flows) = (Model::default(), Flows::default());
        let mut both = Self { station, model, in_flight: Vec::new(), flows };
        both.act(&Action::Import((1..=3).map(|n| (n, Line::Mailed)).collect()));
        both
    }

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
                let told = (judged.verdict, (judged.batch, judged.position));
                assert_eq!(told, self.model.scan(now, *scanner, *ballot));
            }
            Action::Import(lines) => self.import(now, lines),
            Action::Set { ballot, status } => {
                let request = SetRequest {
                    election: row(*ballot).election,
                    ballot: row(*ballot).ballot.unwrap(),
                    status: *status,
                    reason: "by hand".to_owned(),
                    from: None,
                    party: Party::of(sue()),
                };
                let set = self.station.ledger().ask(|reply| Request::Set(request, reply)).unwrap();
                let is_set = matches!(set, Ok(Done::Moved(_)));
                assert_eq!(is_set, self.model.set(now, *ballot, *status), "{set:?}");
            }
            Action::Undo => {
                let who = sue().who;
                let undo = |reply| Request::Undo { who, of: None, reply };
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
                let who = sue().who;
                let retry = |reply| Request::Retry { who, reply };
                assert_eq!(self.station.ledger().ask(retry).unwrap().unwrap(), self.model.retry());
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
        let open = |reply| Request::Batch(BatchRequest::Open { wanted, person: sue(), reply });
        let opened = self.station.ledger().ask(open).unwrap();
        assert_eq!(opened.is_ok(), self.model.open(now, pile), "{opened:?}");
    }

    fn close(&mut self, counted: Counted) {
        let (batch, envelopes) = self.model.last_batch().unwrap_or((1, 0));
        let explanation = (counted == Counted::Explained).then(|| "torn".to_owned());
        let by_hand = envelopes + u32::from(counted != Counted::Right);
        let closing = Closing { batch, counted: by_hand, explanation };
        let close = |reply| Request::Batch(BatchRequest::Close { closing, person: sue(), reply });
        let closed = self.station.ledger().ask(close).unwrap();
        assert_eq!(closed.is_ok(), self.model.close(counted), "{closed:?}");
        if let Ok(closed) = closed {
            assert_eq!(closed.envelopes, envelopes);
        }
    }

    fn reverse(&mut self, now: Micros, which: u32) {
        let batch = which % (u32::try_from(self.model.batches.len()).unwrap() + 2);
        assert_eq!(people::reverse(&self.station, batch), self.model.reverse(now, batch));
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
        let mut both = Both::begin();
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

/// An import between a crash and the clerk's next try: the scan is judged anew and answered, and the one after the crash is not.
#[test]
fn what_is_judged_anew_after_a_crash_was_answered() {
    let mut both = Both::begin();
    for action in [
        Action::Scan { scanner: 0, ballot: 5 },
        Action::Scan { scanner: 0, ballot: 1 },
        Action::Crash,
        Action::Import(vec![(1, Line::Mailed)]),
        Action::Scan { scanner: 0, ballot: 5 },
        Action::Reopen,
        Action::Scan { scanner: 0, ballot: 5 },
    ] {
        both.act(&action);
    }
    both.compare();
}
