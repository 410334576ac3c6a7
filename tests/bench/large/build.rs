//! A ledger with millions of ballots and scans, written table by table in the order of its keys.
//!
//! Its schema, its first event and its key are the program's own; what follows is one import, and batches of [`BATCH`] scans,
//! each opened, scanned, released to the relay, delivered and closed.

use crate::ballots::{ELECTION, as_they_come, ballot, settings};
use anyhow::{Context as _, ensure};
use ballot_intake::ballot::{BallotId, ElectionId, Status, VoterId};
use ballot_intake::clock::{Micros, SystemClock};
use ballot_intake::ledger::{ImportRow, Ledger, Reply, Request};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Scans of a batch.
const BATCH: usize = 100;

/// The first scan: 2026-10-15T08:00 in Denver; a scan a second, as four clerks do.
const START: i64 = 1_792_072_800_000_000;
const APART: i64 = 1_000_000;

/// Rows of a transaction.
const TRANSACTION: usize = 100_000;

/// How large it is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) ballots: usize,
    pub(crate) scans: usize,
}

/// Writes it into that folder; ballots that were not scanned.
pub(crate) fn ledger(dir: &Path, size: Size) -> anyhow::Result<Vec<usize>> {
    let settings = settings(dir)?;
    let path = settings.path.clone();
    let (ledger, thread) = Ledger::start(settings, Arc::new(SystemClock::new()), 1)?;
    // The first transaction begins the chain.
    let import = ledger.ask(|reply: Reply<_>| Request::ImportBegin(reply))?;
    ensure!(import == Ok(1), "the ledger is not new");
    drop(ledger);
    ensure!(thread.join().is_ok(), "the ledger's thread panicked");
    let conn = Connection::open(&path)?;
    conn.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA cache_size = -65536;",
    )?;
    let mut build = Build::on(&conn)?;
    build.import(size)?;
    let order: Vec<usize> = as_they_come(size.ballots).collect();
    let (scanned, unscanned) =
        order.split_at_checked(size.scans).context("more scans than ballots")?;
    let mut seqs = vec![0_u32; size.ballots];
    build.scans(scanned, &mut seqs)?;
    build.ballots(&seqs)?;
    build.counts(size)?;
    drop(build);
    // The daemon sets its own; the file goes back to a write-ahead log then.
    drop(conn);
    Ok(unscanned.to_vec())
}

/// The ledger in the making.
struct Build<'a> {
    conn: &'a Connection,
    seq: i64,
    hash: [u8; 32],
    batches: usize,
    at: BTreeMap<String, i64>,
}

impl<'a> Build<'a> {
    fn on(conn: &'a Connection) -> anyhow::Result<Self> {
        let (seq, hash) =
            conn.query_row("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        Ok(Self { conn, seq, hash, batches: 0, at: BTreeMap::new() })
    }

    /// Appends an event; its row number.
    fn append(&mut self, body: &str) -> anyhow::Result<i64> {
        self.hash = Sha256::new().chain_update(self.hash).chain_update(body).finalize().into();
        self.seq += 1;
        self.conn
            .prepare_cached("INSERT INTO event (seq, body, hash) VALUES (?, ?, ?)")?
            .execute(params![self.seq, body, self.hash])?;
        Ok(self.seq)
    }

    fn append_json(&mut self, at: i64, mut fact: Value) -> anyhow::Result<i64> {
        let fields = fact.as_object_mut().context("a fact is an object")?;
        fields.insert("v".to_owned(), 1.into());
        fields.insert("at".to_owned(), at.into());
        fields.insert("id".to_owned(), id(self.seq).into());
        self.append(&serde_json_canonicalizer::to_string(&fact)?)
    }

    fn import(&mut self, size: Size) -> anyhow::Result<()> {
        let mut digest = Sha256::new();
        for number in 0..size.ballots {
            digest.update(serde_json_canonicalizer::to_string(&row(number)?)?);
            digest.update("\n");
        }
        let n = size.ballots;
        let seq = self.append_json(
            START,
            json!({
                "kind": "imported", "import": 1, "file": "ballots.csv", "file_sha256": "0".repeat(64),
                "layout": "bench", "by": "supervisor", "issued_sha256": hex(&digest.finalize()),
                "changed_sha256": hex(&Sha256::new().finalize()), "announces": [],
                "counts": {"rows": n, "issued": n, "updated": 0, "unchanged": 0, "voided": 0, "refused": 0},
            }),
        )?;
        self.conn.execute("UPDATE import SET seq = ?, applied = 1 WHERE number = 1", [seq])?;
        Ok(())
    }

    fn scans(&mut self, numbers: &[usize], seqs: &mut [u32]) -> anyhow::Result<()> {
        let mut done = 0_i64;
        for (group, piece) in numbers.chunks(TRANSACTION).enumerate() {
            self.conn.execute_batch("BEGIN")?;
            for (place, batch) in piece.chunks(BATCH).enumerate() {
                let number = group * TRANSACTION / BATCH + place + 1;
                self.batch(number, START + done * APART, batch, seqs)?;
                done += i64::try_from(batch.len())?;
            }
            self.conn.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    fn batch(
        &mut self,
        number: usize,
        start: i64,
        numbers: &[usize],
        seqs: &mut [u32],
    ) -> anyhow::Result<()> {
        let who = "clerk";
        let opened = json!({"kind": "batch_opened", "batch": number, "mode": "receive", "received_by": "mail", "by": who});
        let opened = self.append_json(start, opened)?;
        let mut of = Vec::new();
        for (place, ballot) in numbers.iter().enumerate() {
            let at = start + i64::try_from(place)? * APART;
            let seq = self.append(&scan(&id(self.seq), at, number, *ballot))?;
            *seqs.get_mut(*ballot).context("no such ballot")? = u32::try_from(seq)?;
            let scope = format!("at/{:011}/{number}/left", at / 900_000_000);
            *self.at.entry(scope).or_default() += 1;
            of.push((seq, i64::try_from(*ballot)? + 1));
        }
        let end = start + i64::try_from(numbers.len())? * APART;
        let changes: Vec<_> = of.iter().map(|(seq, _)| json!({"of": seq, "sequence": 1})).collect();
        self.append_json(end, json!({"kind": "released", "changes": changes}))?;
        let delivered: Vec<_> = of.iter().map(|(seq, _)| *seq).collect();
        self.append_json(end, json!({"kind": "delivered", "of": delivered}))?;
        let n = numbers.len();
        let closed = json!({"kind": "batch_closed", "batch": number, "counted": n, "envelopes": n, "by": who});
        let closed = self.append_json(end, closed)?;
        self.conn
            .prepare_cached(
                "INSERT INTO batch (number, seq, mode, received_by, closed, difference) \
                 VALUES (?, ?, 'receive', 'mail', ?, 0)",
            )?
            .execute(params![i64::try_from(number)?, opened, closed])?;
        let mut outbox = self.conn.prepare_cached(
            "INSERT INTO outbox (seq, ballot, prev, state, sequence, due) VALUES (?, ?, 0, 3, 1, ?)",
        )?;
        for (seq, key) in of {
            outbox.execute(params![seq, key, end])?;
        }
        self.batches += 1;
        Ok(())
    }

    /// Indexes come last: keys, ids and voters all stand in one order.
    fn ballots(&self, seqs: &[u32]) -> anyhow::Result<()> {
        let indexes: Vec<(String, String)> = self
            .conn
            .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'ballot' AND sql NOT NULL")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (name, _) in &indexes {
            self.conn.execute_batch(&format!("DROP INDEX {name}"))?;
        }
        for (group, piece) in seqs.chunks(TRANSACTION).enumerate() {
            self.conn.execute_batch("BEGIN")?;
            for (place, seq) in piece.iter().enumerate() {
                self.ballot(group * TRANSACTION + place, i64::from(*seq))?;
            }
            self.conn.execute_batch("COMMIT")?;
        }
        for (_, sql) in &indexes {
            self.conn.execute_batch(sql)?;
        }
        self.conn.execute_batch(
            "INSERT INTO code SELECT election, 'voter', voter, key FROM ballot ORDER BY election, voter, key",
        )?;
        Ok(())
    }

    fn ballot(&self, number: usize, seq: i64) -> anyhow::Result<()> {
        let row = row(number)?;
        let status = if seq == 0 { Status::Mailed } else { Status::Received };
        self.conn
            .prepare_cached(
                "INSERT INTO ballot (key, election, ballot, voter, style, issued_status, since, status, \
                 status_seq, last_seq, owed_seq, sent) VALUES (?1, ?2, ?3, ?4, ?5, 1, 1, ?6, ?7, ?7, ?7, ?8)",
            )?
            .execute(params![
                i64::try_from(number)? + 1,
                row.election.as_str(),
                row.ballot.as_ref().map(BallotId::as_str),
                row.voter.as_str(),
                row.style,
                status.number(),
                seq,
                i64::from(seq != 0),
            ])?;
        Ok(())
    }

    fn counts(&self, size: Size) -> anyhow::Result<()> {
        let (ballots, scans) = (i64::try_from(size.ballots)?, i64::try_from(size.scans)?);
        let mut insert =
            self.conn.prepare("INSERT INTO tally (scope, name, n) VALUES (?, ?, ?)")?;
        self.conn.execute_batch("BEGIN")?;
        let mut count = |scope: String, name: &str, n: i64| insert.execute(params![scope, name, n]);
        count(format!("ballots/{ELECTION}"), "mailed", ballots - scans)?;
        count(format!("ballots/{ELECTION}"), "received", scans)?;
        count(format!("ballot_issued/{ELECTION}"), "mailed", ballots)?;
        count(format!("ballot_moves/scan/mailed/{ELECTION}"), "received", scans)?;
        count("ballot_outbox".to_owned(), "delivered", scans)?;
        for (name, n) in
            [("batches", i64::try_from(self.batches)?), ("counted", scans), ("envelopes", scans)]
        {
            count("counted".to_owned(), name, n)?;
        }
        for number in 0..size.scans.div_ceil(BATCH) {
            let n = BATCH.min(size.scans - number * BATCH);
            let newest_first = u32::MAX - u32::try_from(number + 1)?;
            count(format!("batch/{newest_first:010}"), "received", i64::try_from(n)?)?;
        }
        for (scope, n) in &self.at {
            count(scope.clone(), "received", *n)?;
        }
        self.conn.execute_batch("COMMIT")?;
        Ok(())
    }
}

/// The body of a scan, its fields in the order of RFC 8785.
fn scan(id: &str, at: i64, batch: usize, number: usize) -> String {
    let ballot = ballot(number);
    format!(
        "{{\"at\":{at},\"ballot\":\"{ballot}\",\"batch\":{batch},\"code\":\"{ballot}\",\"election\":\"{ELECTION}\",\
         \"format\":\"county\",\"from\":\"mailed\",\"id\":\"{id}\",\"kind\":\"scan\",\"length\":16,\
         \"method\":\"scanner\",\"scanner\":\"left\",\"symbology\":\"code128\",\"to\":\"received\",\"v\":1,\
         \"verdict\":\"received\"}}"
    )
}

fn id(seq: i64) -> String {
    format!("0199e3f0-0000-7000-8000-{:012x}", seq + 1)
}

fn row(number: usize) -> anyhow::Result<ImportRow> {
    Ok(ImportRow {
        election: ElectionId::new(ELECTION)?,
        ballot: Some(BallotId::new(&ballot(number))?),
        voter: VoterId::new(&format!("6{number:08}"))?,
        imb: None,
        codes: BTreeMap::new(),
        style: Some(format!("{}", number % 50)),
        status: Status::Mailed,
        reason: None,
        mailed: None::<Micros>,
        returned: None,
        receive_until: None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
