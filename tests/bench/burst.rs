//! How many scans a second the ledger takes when they never stop, beside a bare loop that only inserts the same rows.
//!
//! `cargo bench --bench burst`, with `-- --dir DIR` for another disk and `-- --quick` for a tenth. Against 200,000 issued ballots
//! four scanners hand the ledger's queue one scan of each ballot as fast as their credit of 256 verdicts lets them: once in the
//! order of the file, and once, on a ledger of its own, in the order in which the mail brings envelopes, which is none.
//!
//! The peer is one loop over a fresh database of the same schema, with a write-ahead log and `synchronous=FULL`, that inserts the
//! rows which those scans left (event, ballot, outbox) with prepared statements in transactions of 100: it looks nothing
//! up, makes no JSON and hashes nothing. Ten rounds of ours and the peer's take turns. Rows: three for each scan.

#[path = "support/ballots.rs"]
mod ballots;
#[path = "support/place.rs"]
mod place;

use anyhow::{Context as _, ensure};
use ballot_intake::clock::{Clock, SystemClock};
use ballot_intake::ledger::{Ledger, Request};
use ballot_intake::scan::{
    Capture, CodeKind, Direction, Face, Method, Scan, ScanId, ScannerId, Symbol, Verdict,
};
use place::Place;
use rusqlite::{Connection, types::Value};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc;

/// Ballots that are issued, and scans.
const SCANS: usize = 200_000;

/// Scanners, and how many scans each may have in flight.
const LANES: usize = 4;
const IN_FLIGHT: usize = 256;

/// Turns of each side.
const ROUNDS: usize = 10;

/// Events in a transaction of the peer's.
const TRANSACTION: usize = 100;

/// Rows that a scan leaves: event, ballot, outbox.
const ROWS: usize = 3;

fn main() -> anyhow::Result<()> {
    let place = Place::make("burst: rows a second, against a loop that inserts the same rows")?;
    let scans = place.count(SCANS);
    measure(&place, "in the file's order", &(0..scans).collect::<Vec<_>>())?;
    let place = Place::make("the same again, in another order")?;
    measure(&place, "as the mail brings them", &ballots::as_they_come(scans).collect::<Vec<_>>())
}

fn measure(place: &Place, order: &str, numbers: &[usize]) -> anyhow::Result<()> {
    let scans = numbers.len();
    let settings = ballots::settings(place.dir())?;
    ballots::issue(settings.clone(), scans)?;
    let ledger_path = settings.path.clone();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (ledger, thread) = Ledger::start(settings, Arc::clone(&clock), LANES * IN_FLIGHT)?;
    let mut peer = Peer::new(&place.dir().join("peer.sqlite"))?;
    let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
    let mut last = newest_event(&ledger_path)?;
    let mut shares = Vec::new();
    for round in numbers.chunks(scans / ROUNDS) {
        let ours_now = burst(&ledger, &*clock, round)?;
        let rows = Rows::after(&ledger_path, last)?;
        ensure!(rows.changes() == round.len(), "a scan left no rows");
        last = newest_event(&ledger_path)?;
        let start = clock.elapsed();
        peer.insert(&rows)?;
        let theirs_now = clock.elapsed().saturating_sub(start);
        shares.push(theirs_now.as_secs_f64() / ours_now.as_secs_f64());
        ours += ours_now;
        theirs += theirs_now;
    }
    drop(ledger);
    ensure!(thread.join().is_ok(), "the ledger's thread panicked");
    shares.sort_by(f64::total_cmp);
    tell(order, scans, (ours, theirs), &shares)
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell(
    order: &str,
    scans: usize,
    times: (Duration, Duration),
    shares: &[f64],
) -> anyhow::Result<()> {
    let rows = f64::from(u32::try_from(scans * ROWS)?);
    let (ours, theirs) = (rows / times.0.as_secs_f64(), rows / times.1.as_secs_f64());
    let median = shares.get(shares.len() / 2).context("no rounds")?;
    let (low, high) = shares.first().zip(shares.last()).context("no rounds")?;
    println!(
        "{:<28} {:>9} {:>9} {:>8} {:>7} {:>6}",
        "rows a second", "ours", "peer", "n", "ratio", "limit"
    );
    println!(
        "{:<28} {ours:>9.0} {theirs:>9.0} {:>8} {median:>6.2}x {:>5}x",
        order,
        scans * ROWS,
        0.6
    );
    println!(
        "{} rounds, ratio {low:.2} to {high:.2}; the ratio is the median round's",
        shares.len()
    );
    Ok(())
}

/// All scans through the ledger's queue; how long that took.
fn burst(ledger: &Ledger, clock: &dyn Clock, numbers: &[usize]) -> anyhow::Result<Duration> {
    let lanes: Vec<Vec<Box<Scan>>> = (0..LANES)
        .map(|lane| {
            let own = numbers.iter().skip(lane).step_by(LANES);
            own.map(|number| Box::new(scan(lane, *number, clock))).collect()
        })
        .collect();
    let start = clock.elapsed();
    thread::scope(|scope| {
        let running: Vec<_> = lanes
            .into_iter()
            .map(|scans| {
                thread::Builder::new().spawn_scoped(scope, move || run_lane(ledger, scans))
            })
            .collect::<Result<_, _>>()?;
        for lane in running {
            lane.join().map_err(|_panic| anyhow::anyhow!("a lane panicked"))??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    Ok(clock.elapsed().saturating_sub(start))
}

#[expect(
    clippy::vec_box,
    reason = "the queue takes boxes; making them is the lane's work, done before the clock runs"
)]
fn run_lane(ledger: &Ledger, scans: Vec<Box<Scan>>) -> anyhow::Result<()> {
    let (verdicts, mut judged) = mpsc::channel(IN_FLIGHT);
    let mut scans = scans.into_iter();
    let mut in_flight = 0;
    loop {
        for scan in scans.by_ref().take(IN_FLIGHT - in_flight) {
            let request = Request::Scan { scan, verdicts: verdicts.clone() };
            ledger.send(request).context("the ledger's thread has ended")?;
            in_flight += 1;
        }
        if in_flight == 0 {
            return Ok(());
        }
        let mut answered = Vec::new();
        in_flight -= judged.blocking_recv_many(&mut answered, IN_FLIGHT);
        let wrong = answered.iter().find(|judged| judged.verdict != Verdict::Received);
        ensure!(wrong.is_none(), "a scan was judged otherwise: {wrong:?}");
    }
}

fn scan(lane: usize, number: usize, clock: &dyn Clock) -> Scan {
    let code = ballots::ballot(number);
    let payload = format!("{}{code}0", ballots::ELECTION);
    let name = format!("scanner-{lane}");
    let direction = Direction::Return;
    Scan {
        id: ScanId(0),
        scanner: ScannerId(0),
        scanner_name: name.into(),
        at: clock.now(),
        method: Method::Scanner,
        face: Face::Names(vec![Capture {
            format: "county".into(),
            names: CodeKind::Ballot,
            code,
            direction,
        }]),
        symbols: vec![Symbol::untold(payload.as_bytes())],
    }
}

/// Rows of the ledger, as they stand there.
struct Rows {
    rows: Vec<(Vec<Value>, Option<Changed>)>,
}

/// What an event changed: the row of its ballot, and the one for the relay.
type Changed = (Vec<Value>, Vec<Value>);

impl Rows {
    /// The rows of the events after `last`.
    fn after(ledger: &Path, last: i64) -> anyhow::Result<Self> {
        let conn = Connection::open(ledger)?;
        let mut events = conn
            .prepare("SELECT seq, body, hash, ballot_prev FROM event WHERE seq > ? ORDER BY seq")?;
        let mut ballot = conn.prepare(
            "SELECT ballot.* FROM outbox JOIN ballot ON key = outbox.ballot WHERE seq = ?",
        )?;
        let mut outbox = conn.prepare("SELECT * FROM outbox WHERE seq = ?")?;
        let mut rows = Vec::new();
        let mut found = events.query([last])?;
        while let Some(event) = found.next()? {
            let seq: i64 = event.get(0)?;
            let event = values(event)?;
            let change = one(&mut ballot, seq)?.zip(one(&mut outbox, seq)?);
            rows.push((event, change));
        }
        Ok(Self { rows })
    }

    fn changes(&self) -> usize {
        self.rows.iter().filter(|(_, change)| change.is_some()).count()
    }
}

fn newest_event(ledger: &Path) -> anyhow::Result<i64> {
    let conn = Connection::open(ledger)?;
    Ok(conn.query_row("SELECT max(seq) FROM event", [], |row| row.get(0))?)
}

fn one(statement: &mut rusqlite::Statement<'_>, seq: i64) -> rusqlite::Result<Option<Vec<Value>>> {
    let mut rows = statement.query([seq])?;
    rows.next()?.map(values).transpose()
}

fn values(row: &rusqlite::Row<'_>) -> rusqlite::Result<Vec<Value>> {
    (0..row.as_ref().column_count()).map(|column| row.get(column)).collect()
}

/// The bare loop.
struct Peer {
    conn: Connection,
}

impl Peer {
    fn new(path: &Path) -> anyhow::Result<Self> {
        let conn = Connection::open(path)?;
        let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        ensure!(mode == "wal", "the peer has no write-ahead log");
        conn.execute_batch("PRAGMA synchronous = FULL")?;
        conn.execute_batch(include_str!("../../src/ledger/schema/v1.sql"))?;
        Ok(Self { conn })
    }

    fn insert(&mut self, rows: &Rows) -> anyhow::Result<()> {
        for piece in rows.rows.chunks(TRANSACTION) {
            let tx = self.conn.transaction()?;
            {
                let mut event = tx.prepare_cached("INSERT INTO event VALUES (?, ?, ?, ?)")?;
                let mut ballot = tx.prepare_cached(
                    "INSERT INTO ballot VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )?;
                let mut outbox =
                    tx.prepare_cached("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
                for (row, change) in piece {
                    event.execute(rusqlite::params_from_iter(row))?;
                    if let Some((row, owed)) = change {
                        ballot.execute(rusqlite::params_from_iter(row))?;
                        outbox.execute(rusqlite::params_from_iter(owed))?;
                    }
                }
            }
            tx.commit()?;
        }
        Ok(())
    }
}
