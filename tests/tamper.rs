//! No change of a small ledger's file leaves `verify` saying good while anything in it reads differently.
//!
//! What is read is all content that `verify` answers for: every table, by the table and by each index, each row by its key, and
//! what the report and each ballot's story say. Working columns, which no event speaks of, are left out; the header of
//! `src/ledger/verify.rs` names them. A change that reads the same needs no answer, so `verify` is asked about the others only.
#![cfg(test)]

#[path = "support/own_ledger.rs"]
#[expect(dead_code, reason = "each test binary uses a part")]
mod station;

use ballot_intake::ballot::Status;
use ballot_intake::clock::Zone;
use ballot_intake::delivery::{Answer, Unwitnessed};
use ballot_intake::ledger::{
    Against, BatchRequest, Closing, Decision, Done, Held, ImportRow, NewBatch, NewOperator, Party,
    PeopleRequest, Person, Proof, ProofRequest, Reader, Reply, Request, Role, Secret, SetRequest,
    VerifyError, Who, verify, verify_against,
};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use station::{HOLD_BACK, NOON, Station, folder, row, set};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Everything that is content. Numbers of ballots and of rows of an import are handles: their order counts, and what they join.
const CONTENT: &[&str] = &[
    "SELECT seq, body, hash, ballot_prev FROM event ORDER BY seq",
    "SELECT election, ballot, voter, imb, style, issued_status, issued_reason, mailed, receive_until, since, status, \
     reason, status_seq, last_seq, owed_seq, sent, codes, returned FROM ballot NOT INDEXED ORDER BY key",
    "SELECT number, seq FROM import WHERE seq IS NOT NULL ORDER BY number",
    "SELECT import, row, before FROM import_change NOT INDEXED ORDER BY n",
    "SELECT * FROM batch NOT INDEXED ORDER BY number",
    "SELECT seq, verdict, batch, waits FROM exception NOT INDEXED ORDER BY seq",
    "SELECT * FROM operator NOT INDEXED ORDER BY rowid",
    "SELECT * FROM proposal NOT INDEXED ORDER BY seq",
    "SELECT * FROM checkpoint NOT INDEXED ORDER BY seq",
    "SELECT seq, prev, state, sequence, body FROM outbox NOT INDEXED ORDER BY seq",
    "SELECT * FROM tally WHERE n <> 0 AND scope <> 'working' ORDER BY scope, name",
    "SELECT election, ballot FROM ballot INDEXED BY ballot_id ORDER BY election, ballot",
    "SELECT code.election, kind, code, ballot.ballot FROM code LEFT JOIN ballot ON key = code.ballot ORDER BY 1, 2, 3, 4",
    "SELECT * FROM voter_of_several ORDER BY election, voter",
    "SELECT import FROM import_change INDEXED BY import_change_ballot ORDER BY ballot, import",
    "SELECT number FROM batch INDEXED BY batch_open WHERE closed IS NULL ORDER BY number",
    "SELECT seq FROM exception INDEXED BY exception_ballot WHERE ballot IS NOT NULL ORDER BY ballot",
    "SELECT number FROM batch INDEXED BY batch_different WHERE difference <> 0 ORDER BY closed",
    "SELECT seq FROM exception INDEXED BY exception_waits ORDER BY waits, seq",
    "SELECT seq FROM exception INDEXED BY exception_batch ORDER BY batch, seq",
    "SELECT name FROM operator ORDER BY name",
    "SELECT name FROM operator INDEXED BY operator_badge WHERE badge IS NOT NULL AND disabled IS NULL ORDER BY badge",
    "SELECT seq, state FROM outbox INDEXED BY outbox_pending WHERE state < 3 ORDER BY state",
    "SELECT seq FROM proposal INDEXED BY proposal_open WHERE decided IS NULL ORDER BY seq",
    "SELECT seq FROM checkpoint INDEXED BY checkpoint_unwitnessed WHERE witnessed IS NULL ORDER BY seq",
    "SELECT outbox.seq, election, ballot.ballot FROM outbox LEFT JOIN ballot ON key = outbox.ballot ORDER BY 1",
    "SELECT exception.seq, election, ballot.ballot FROM exception LEFT JOIN ballot ON key = exception.ballot ORDER BY 1",
    "SELECT import, election, ballot.ballot FROM import_change LEFT JOIN ballot ON key = import_change.ballot ORDER BY 2, 3",
    "WITH RECURSIVE by(n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM by WHERE n < 90) \
     SELECT n, (SELECT hash FROM event WHERE seq = n), (SELECT body FROM event WHERE seq = n), \
     (SELECT state FROM outbox WHERE seq = n), (SELECT seq FROM import WHERE number = n), \
     (SELECT note FROM checkpoint WHERE seq = n), (SELECT day FROM batch WHERE number = n) FROM by",
    "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name",
    "SELECT user_version FROM pragma_user_version",
];

/// Tables, with the key of their rows.
const TABLES: [(&str, &str); 12] = [
    ("event", "seq"),
    ("ballot", "key"),
    ("import", "number"),
    ("import_change", "n"),
    ("batch", "number"),
    ("exception", "seq"),
    ("operator", "name"),
    ("proposal", "seq"),
    ("checkpoint", "seq"),
    ("outbox", "seq"),
    ("tally", "scope"),
    ("voter_of_several", "voter"),
];

/// The bytes of a page: small ones leave little room that holds nothing.
const PAGE: u32 = 512;

/// Bytes of the write-ahead log that are passed over between two changes of a quick run.
const WAL_STRIDE: usize = 601;

/// Bits of a byte that are flipped, one after the other.
fn bits(at: usize) -> Vec<u8> {
    if is_long() { (0..8).collect() } else { vec![u8::try_from(at * 5 % 8).unwrap()] }
}

fn is_long() -> bool {
    std::env::var_os("BALLOT_INTAKE_LONG").is_some()
}

/// A day with a bit of everything.
fn day() -> Station {
    let station = Station::corrected(7);
    station.scan_ballot("left", 2);
    station.checkpoint();
    let came_back = set(6, Status::Undeliverable, "it came back", "supervisor");
    station.ledger().ask(|reply| Request::Set(came_back, reply)).unwrap().unwrap();
    station.pass(HOLD_BACK);
    for change in station.claim() {
        station.settle(change.seq, Answer::Delivered);
    }
    let ask = |reply| Request::Proof(ProofRequest::Unwitnessed(reply));
    let Unwitnessed::Send(newest) = station.ledger().ask(ask).unwrap() else {
        panic!("owed still")
    };
    let witnessed = |reply| Request::Proof(ProofRequest::Witnessed { seq: newest.seq, reply });
    station.ledger().ask(witnessed).unwrap();
    let styled = ImportRow { style: Some("7".to_owned()), voter: row(40).voter, ..row(4) };
    station.import(&[ImportRow { status: Status::Voided, ..row(5) }, styled, row(8)]);
    station.begin_import();
    by_two(&station);
    station.scan_ballot("right", 4);
    station.checkpoint();
    station.scan_ballot("right", 6);
    station
}

/// Operators come and go; a batch is opened, counted wrong with an explanation, and reversed by two of them; another is open;
/// one proposal is declined and one waits.
fn by_two(station: &Station) {
    let os_user = Person::os_user("intake".to_owned());
    add(station, "root", Role::Administrator, os_user.clone());
    for name in ["sue", "sam", "lea"] {
        add(station, name, Role::Supervisor, operator("root", Role::Administrator));
    }
    people(station, |reply| PeopleRequest::Disable {
        operator: "lea".to_owned(),
        by: operator("root", Role::Administrator),
        reply,
    })
    .unwrap();
    let reason = || "in the wrong mode".to_owned();
    let wanted = || NewBatch { place: Some("box 4".to_owned()), ..NewBatch::default() };
    let open = |person| {
        let open = |reply| BatchRequest::Open { wanted: wanted(), person, reply };
        station.ledger().ask(|reply| Request::Batch(open(reply))).unwrap().unwrap()
    };
    open(os_user.clone());
    station.scan_ballot("left", 7);
    let closing = Closing { batch: 2, counted: 2, explanation: Some("one was empty".to_owned()) };
    let close = |reply| BatchRequest::Close { closing, person: os_user.clone(), reply };
    station.ledger().ask(|reply| Request::Batch(close(reply))).unwrap().unwrap();
    let reversal = |second| {
        let party = Party { by: operator("sue", Role::Supervisor), second };
        people(station, |reply| PeopleRequest::ReverseBatch {
            batch: 2,
            reason: reason(),
            party,
            reply,
        })
    };
    let Ok(Done::Proposed(proposal)) = reversal(None) else { panic!("nobody confirmed it") };
    people(station, |reply| PeopleRequest::Decide {
        proposal,
        decision: Decision::Declined,
        by: operator("sam", Role::Supervisor),
        reply,
    })
    .unwrap();
    let done = reversal(Some(operator("sam", Role::Supervisor)));
    assert!(matches!(done, Ok(Done::Reversed(_))), "{done:?}");
    let party = Party::of(operator("sue", Role::Supervisor));
    let again = SetRequest { party, ..set(5, Status::Mailed, "voided by mistake", "sue") };
    let proposed = station.ledger().ask(|reply| Request::Set(again, reply)).unwrap();
    assert!(matches!(proposed, Ok(Done::Proposed(_))), "{proposed:?}");
    open(os_user);
}

fn operator(name: &str, role: Role) -> Person {
    let who = Who { by: name.to_owned(), os_user: Some("intake".to_owned()) };
    Person { who, role: Some(role) }
}

fn add(station: &Station, name: &str, role: Role, by: Person) {
    let proof = if name == "sam" {
        Proof::Badge(Secret::badge([7; 16]))
    } else {
        Proof::PasswordHash(Secret::new(format!("hash of {name}")))
    };
    let new = NewOperator { operator: name.to_owned(), role, proof };
    people(station, |reply| PeopleRequest::Add { new, by, reply }).unwrap();
}

fn people<T: Send + 'static>(
    station: &Station,
    request: impl FnOnce(Reply<T>) -> PeopleRequest,
) -> T {
    station.ledger().ask(|reply| Request::People(request(reply))).unwrap()
}

/// A changed copy of a ledger, in memory where there is such a place.
struct Copy {
    dir: TempDir,
    original: Vec<u8>,
    reads: Vec<String>,
    told: Vec<String>,
}

impl Copy {
    /// Of a ledger that was closed as it should be, written anew in small pages.
    fn compact(station: &Station) -> Self {
        let dir = folder();
        let path = dir.path().join("ledger.sqlite");
        let conn = Connection::open(station.path()).unwrap();
        conn.execute_batch(&format!("PRAGMA page_size = {PAGE}")).unwrap();
        conn.execute("VACUUM INTO ?", [path.to_str().unwrap()]).unwrap();
        Self::of(dir)
    }

    fn of(dir: TempDir) -> Self {
        let path = dir.path().join("ledger.sqlite");
        let (reads, told) = (read(&path).unwrap(), told(&path));
        assert!(verify(&path).unwrap().ok);
        Self { original: fs::read(&path).unwrap(), reads, told, dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("ledger.sqlite")
    }

    /// Changes nothing any more.
    fn restore(&self) {
        fs::write(self.path(), &self.original).unwrap();
        for beside in ["ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.sqlite-journal"] {
            drop(fs::remove_file(self.dir.path().join(beside)));
        }
    }

    /// What is wrong with `verify`'s answer to the changed copy, if anything is.
    fn hole(&self) -> Option<String> {
        let found = read(&self.path());
        let is_same = found.as_ref().is_ok_and(|found| *found == self.reads);
        if is_same && told(&self.path()) == self.told {
            return None;
        }
        match verify(&self.path()) {
            Ok(verified) if verified.ok => Some(differs(&self.reads, found)),
            Ok(verified) => is_named(&verified.fault.unwrap().what),
            Err(VerifyError::Open(error)) => is_named(&error.to_string()),
            Err(error) => is_named(&error.to_string()),
        }
    }
}

/// What is found names a row, a table, the schema or the file.
fn is_named(what: &str) -> Option<String> {
    let names = ["row ", "table ", "schema", "import ", "file", "ledger.sqlite", "checkpoint"];
    (!names.iter().any(|name| what.contains(name))).then(|| format!("nothing is named: {what}"))
}

fn differs(reads: &[String], found: rusqlite::Result<Vec<String>>) -> String {
    match found {
        Err(error) => format!("good, but: {error}"),
        Ok(found) => {
            let different = reads.iter().zip(&found).find(|(one, other)| one != other);
            format!("good, but: {different:?}, {} and {} rows", reads.len(), found.len())
        }
    }
}

/// All content, as text.
fn read(path: &Path) -> rusqlite::Result<Vec<String>> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut all = Vec::new();
    for sql in CONTENT {
        rows(&conn, sql, &mut all)?;
    }
    Ok(all)
}

fn rows(conn: &Connection, sql: &str, all: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    all.push(sql.to_owned());
    while let Some(row) = rows.next()? {
        let cells: rusqlite::Result<Vec<String>> = (0..columns)
            .map(|column| {
                row.get_ref(column).map(|cell| match cell {
                    ValueRef::Text(bytes) => format!("'{}'", bytes.escape_ascii()),
                    other => format!("{other:?}"),
                })
            })
            .collect();
        all.push(cells?.join(" "));
    }
    Ok(())
}

/// What people are told.
fn told(path: &Path) -> Vec<String> {
    let reader = match Reader::open(path, Zone::utc()) {
        Ok(reader) => reader,
        Err(error) => return vec![error.to_string()],
    };
    let report = reader.report(Some(&row(1).election), NOON).map(|report| {
        // Repeats and half frames have no row of their own.
        ballot_intake::ledger::Report { repeats: 0, no_reads: 0, ..report }
    });
    let mut told = vec![format!("{report:?}")];
    for n in 0..9 {
        told.push(format!("{:?}", reader.ballot("202611", row(n).ballot.unwrap().as_str())));
        told.push(format!("{:?}", reader.voter("202611", row(n).voter.as_str())));
    }
    told
}

#[track_caller]
fn none(holes: &[String], tried: usize) {
    assert!(tried > 100, "{tried} changes are few");
    assert!(holes.is_empty(), "{} of {tried}: {:#?}", holes.len(), &holes[..holes.len().min(10)]);
}

/// Flips each byte of this part of the file, of so many.
fn flip_each(part: usize, of: usize) {
    let mut station = day();
    station.close();
    let copy = Copy::compact(&station);
    let file = OpenOptions::new().write(true).open(copy.path()).unwrap();
    let (mut holes, mut tried) = (Vec::new(), 0);
    let length = copy.original.len().div_ceil(of);
    for (at, byte) in copy.original.iter().enumerate().skip(part * length).take(length) {
        for bit in bits(at) {
            tried += 1;
            file.write_all_at(&[byte ^ 1 << bit], at as u64).unwrap();
            holes.extend(copy.hole().map(|hole| format!("byte {at}, bit {bit}: {hole}")));
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
    none(&holes, tried);
}

#[test]
fn every_flipped_byte_is_found_or_reads_the_same_in_the_first_eighth() {
    flip_each(0, 8);
}

#[test]
fn every_flipped_byte_is_found_or_reads_the_same_in_the_second_eighth() {
    flip_each(1, 8);
}

#[test]
fn every_flipped_byte_is_found_or_reads_the_same_in_the_third_eighth() {
    flip_each(2, 8);
}

#[test]
fn every_flipped_byte_is_found_or_reads_the_same_in_the_fourth_eighth() {
    flip_each(3, 8);
}

#[test]
fn every_flipped_byte_is_found_or_reads_the_same_in_the_fifth_eighth() {
    flip_each(4, 8);
}

#[test]
fn every_flipped_byte_is_found_or_reads_the_same_in_the_sixth_eighth() {
    flip_each(5, 8);
}

#[test]
fn every_flipped_byte_is_found_or_reads_the_same_in_the_seventh_eighth() {
    flip_each(6, 8);
}

#[test]
fn every_flipped_byte_is_found_or_reads_the_same_in_the_last_eighth() {
    flip_each(7, 8);
}

/// A log that ends early is as if the tail were cut, which a checkpoint that is held elsewhere shows.
#[test]
fn every_flipped_byte_of_the_log_is_found_by_a_checkpoint() {
    let station = day();
    let dir = folder();
    let reading = Connection::open(station.path()).unwrap();
    reading.execute_batch("BEGIN; SELECT count(*) FROM import").unwrap();
    for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
        fs::copy(station.dir.path().join(name), dir.path().join(name)).unwrap();
    }
    drop(reading);
    let (path, log) = (dir.path().join("ledger.sqlite"), dir.path().join("ledger.sqlite-wal"));
    let reads = read(&path).unwrap();
    let held = Held::parse(&paper_of_the_head(&path)).unwrap();
    let against = Against { key: None, held: vec![held] };
    assert!(verify_against(&path, &against).unwrap().ok);
    let original = fs::read(&log).unwrap();
    let file = OpenOptions::new().write(true).open(&log).unwrap();
    let (mut holes, mut tried) = (Vec::new(), 0);
    for at in (0..original.len()).step_by(if is_long() { 1 } else { WAL_STRIDE }) {
        tried += 1;
        file.write_all_at(&[original[at] ^ 1 << (at % 8)], at as u64).unwrap();
        let found = read(&path);
        if !found.as_ref().is_ok_and(|found| *found == reads)
            && verify_against(&path, &against).is_ok_and(|verified| verified.ok)
        {
            holes.push(format!("byte {at}: {}", differs(&reads, found)));
        }
        file.write_all_at(&original[at..=at], at as u64).unwrap();
    }
    assert_eq!(fs::read(&log).unwrap(), original, "looking on wrote to the log");
    none(&holes, tried);
}

/// A checkpoint's answer for the last row, as it would stand on paper.
fn paper_of_the_head(path: &Path) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let (seq, hash): (i64, [u8; 32]) = conn
        .query_row("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let bit = |n: usize| usize::from(hash[n / 8] >> (7 - n % 8) & 1);
    let letter = |n: usize| (0..5).fold(0, |value, place| value * 2 + bit(5 * n + place));
    let letters: String = (0..16).map(|n| char::from(LETTERS[letter(n)])).collect();
    format!("{seq} {letters}")
}

/// Each row of each table deleted, doubled, swapped with the next, and each of its cells changed.
fn edits(conn: &Connection) -> Vec<String> {
    let mut edits = Vec::new();
    for (table, key) in TABLES {
        let mut columns =
            conn.prepare(&format!("SELECT name FROM pragma_table_info('{table}')")).unwrap();
        let columns: Vec<String> =
            columns.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let which = if table == "tally" {
            "quote(scope) || ' AND name = ' || quote(name)".to_owned()
        } else {
            format!("quote({key})")
        };
        let mut keys = conn.prepare(&format!("SELECT {which} FROM {table} ORDER BY 1")).unwrap();
        let keys: Vec<String> =
            keys.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for (n, of) in keys.iter().enumerate() {
            let only = format!("WHERE {key} = {of}");
            edits.push(format!("DELETE FROM {table} {only}"));
            let others = columns.iter().map(String::as_str).filter(|c| *c != key);
            let others: Vec<&str> = others.collect();
            let other_key = if key == "scope" || key == "name" { "'other'" } else { "900" };
            edits.push(format!(
                "INSERT INTO {table} ({key}, {0}) SELECT {other_key}, {0} FROM {table} {only}",
                others.join(", ")
            ));
            if let Some(next) = keys.get(n + 1).filter(|_| table != "tally" && table != "operator")
            {
                edits.push(format!(
                    "UPDATE {table} SET {key} = -7 {only}; UPDATE {table} SET {key} = {of} WHERE {key} = {next}; \
                     UPDATE {table} SET {key} = {next} WHERE {key} = -7"
                ));
            }
            for column in &columns {
                for value in [
                    format!(
                        "CASE typeof({column}) WHEN 'integer' THEN {column} + 1 WHEN 'text' THEN {column} || 'x' \
                             WHEN 'blob' THEN zeroblob(32) END"
                    ),
                    "NULL".to_owned(),
                    "1".to_owned(),
                    "'x'".to_owned(),
                ] {
                    edits.push(format!("UPDATE {table} SET {column} = {value} {only}"));
                }
            }
        }
    }
    edits
}

#[test]
fn every_row_and_cell_that_is_changed_by_hand_is_found() {
    let mut station = day();
    station.close();
    let copy = Copy::compact(&station);
    let conn = Connection::open(copy.path()).unwrap();
    let edits = edits(&conn);
    drop(conn);
    let (mut holes, mut tried) = (Vec::new(), 0);
    for sql in edits {
        let conn = Connection::open(copy.path()).unwrap();
        // What the schema forbids is no change.
        let is_done = conn.execute_batch(&sql).is_ok();
        drop(conn);
        if is_done {
            tried += 1;
            holes.extend(copy.hole().map(|hole| format!("{sql}: {hole}")));
        }
        copy.restore();
    }
    none(&holes, tried);
}

fn by_python(path: &Path, checkpoint: Option<&str>) -> (Option<i32>, String) {
    by_python_in(path, checkpoint, None)
}

/// The same where programs are looked for in that folder only.
fn by_python_in(
    path: &Path,
    checkpoint: Option<&str>,
    programs: Option<&Path>,
) -> (Option<i32>, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_ledger.py");
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let python = String::from_utf8(python.unwrap().stdout).unwrap();
    let mut command = Command::new(python.trim());
    command.arg(script).arg(path).args(checkpoint);
    if let Some(programs) = programs {
        command.env("PATH", programs);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), said)
}

/// The chain and the checkpoints are what their description says to somebody who has read nothing else.
#[test]
fn the_verifier_that_shares_nothing_agrees() {
    let mut station = day();
    let checkpoint = station.checkpoint();
    station.close();
    let copy = Copy::compact(&station);
    let note = copy.dir.path().join("checkpoint");
    fs::write(&note, &checkpoint.note).unwrap();
    let note = note.to_str().unwrap();
    let agree = |checkpoint: Option<&str>, text: Option<&str>| {
        let held = text.map(|text| Held::parse(text).unwrap()).into_iter().collect();
        let ours = verify_against(&copy.path(), &Against { key: None, held }).unwrap();
        let (code, said) = by_python(&copy.path(), checkpoint);
        let chain_holds = ours.fault.as_ref().is_none_or(|fault| fault.what.starts_with("table"));
        assert_eq!(code, Some(i32::from(!chain_holds)), "{said}: {:?}", ours.fault);
        chain_holds
    };
    let all = || {
        [
            agree(None, None),
            agree(Some(note), Some(&checkpoint.note)),
            agree(Some(&checkpoint.paper), Some(&checkpoint.paper)),
        ]
    };
    assert_eq!(all(), [true; 3]);
    let seq = checkpoint.seq;
    for (sql, expected) in [
        (format!("DELETE FROM event WHERE seq >= {seq}"), [true, false, false]),
        (
            "UPDATE event SET body = replace(body, 'left', 'lift') WHERE seq = 5".to_owned(),
            [false; 3],
        ),
        ("DELETE FROM event WHERE seq = 5".to_owned(), [false; 3]),
        ("UPDATE event SET hash = zeroblob(32) WHERE seq = 5".to_owned(), [false; 3]),
    ] {
        Connection::open(copy.path()).unwrap().execute_batch(&sql).unwrap();
        assert_eq!(all(), expected, "{sql}");
        copy.restore();
    }
}

/// What the verifier once took for good, or passed over.
#[test]
fn the_verifier_that_shares_nothing_says_what_it_cannot_hold_a_ledger_against() {
    let mut station = day();
    let checkpoint = station.checkpoint();
    station.close();
    let letters = checkpoint.paper.split_once(' ').unwrap().1;
    for seq in ["0", "-1", "9999"] {
        let (code, said) = by_python(&station.path(), Some(&format!("{seq} {letters}")));
        assert_eq!(code, Some(1), "{seq}: {said}");
        assert!(said.contains(&format!("covers row {seq}\n")), "{said}");
    }
    let folder = folder();
    let note = folder.path().join("checkpoint");
    let by_note = |text: &str, path: Option<&Path>| {
        fs::write(&note, text).unwrap();
        let (code, said) = by_python_in(&station.path(), Some(note.to_str().unwrap()), path);
        (code.unwrap(), said.trim().to_owned())
    };
    let foreign = checkpoint.note.replacen("ballot-intake/boulder", "ballot-intake/denver", 2);
    let of =
        "the checkpoint is of ballot-intake/denver/intake-1, not of ballot-intake/boulder/intake-1";
    assert_eq!(by_note(&foreign, None), (1, of.to_owned()));
    let end = checkpoint.note.trim_end().len();
    let mut forged = checkpoint.note.clone().into_bytes();
    forged[end - 10] = if forged[end - 10] == b'A' { b'B' } else { b'A' };
    let unsigned = (1, "the checkpoint is not signed by the station's key".to_owned());
    assert_eq!(by_note(&String::from_utf8(forged).unwrap(), None), unsigned);
    assert_eq!(by_note(&checkpoint.note, None).0, 0);
    let (code, said) = by_note(&checkpoint.note, Some(folder.path()));
    assert_eq!((code, said.contains("no openssl")), (2, true), "{said}");
}
