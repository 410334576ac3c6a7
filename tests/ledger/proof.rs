//! The ledger shows its own tampering, and is derived anew from its events to what it was.

use crate::station::{HOLD_BACK, Station, row};
use ballot_intake::ballot::Status;
use ballot_intake::delivery::Answer;
use ballot_intake::ledger::{ImportRow, Party, Person, Request, Verified, Who, rebuild, verify};
use ballot_intake::scan::Verdict;
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// A day with a bit of everything: the station is closed and kept for its folder.
fn day() -> Station {
    let mut station = Station::with(|settings| settings.announce_imports = vec![Status::Voided]);
    station.import(&(1..=6).map(row).collect::<Vec<_>>());
    for n in [1, 2, 3, 99] {
        station.scan_ballot("left", n);
    }
    let undo = |reply| Request::Undo { who: Who::os_user("clerk".to_owned()), reply };
    station.ledger().ask(undo).unwrap().unwrap();
    station.pass(HOLD_BACK);
    let claimed = station.claim();
    station.settle(claimed[0].seq, Answer::Delivered);
    station.settle(claimed[1].seq, Answer::ChangeRefused { why: "422".to_owned() });
    let styled = ImportRow { style: Some("7".to_owned()), voter: row(40).voter, ..row(4) };
    let restyled = ImportRow { style: Some("8".to_owned()), ..styled.clone() };
    station.import(&[ImportRow { status: Status::Voided, ..row(5) }, styled, row(7)]);
    station.import(&[restyled]);
    station.begin_import();
    station.scan_ballot("right", 4);
    station.close();
    station
}

fn open(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

/// Every row of every table, zeros of the counts left out.
fn tables(path: &Path) -> Vec<Vec<Value>> {
    let conn = open(path);
    let mut all = Vec::new();
    for table in ["event", "ballot", "import", "import_change", "batch", "outbox", "tally"] {
        let only = match table {
            "tally" => "WHERE n <> 0 AND scope NOT LIKE 'staged/%'",
            "import" => "WHERE seq IS NOT NULL",
            _ => "",
        };
        let mut rows =
            conn.prepare(&format!("SELECT * FROM {table} {only} ORDER BY 1, 2")).unwrap();
        let columns = rows.column_count();
        let read = rows.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
        all.extend(read.unwrap().map(Result::<Vec<Value>, _>::unwrap));
    }
    all
}

/// Every hash follows from the one before it and from the body, and every body is RFC 8785 JSON: the description, run anew.
fn chain_holds(path: &Path) -> Result<i64, i64> {
    let conn = open(path);
    let mut events = conn.prepare("SELECT seq, body, hash FROM event ORDER BY seq").unwrap();
    let mut rows = events.query([]).unwrap();
    let (mut hash, mut seq) = ([0_u8; 32].to_vec(), 0);
    while let Some(row) = rows.next().unwrap() {
        let (found, body, stored): (i64, String, Vec<u8>) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        let canonical = serde_json_canonicalizer::to_string(&value).unwrap();
        hash = Sha256::digest([hash, canonical.into_bytes()].concat()).to_vec();
        if found != seq + 1 || hash != stored || value["v"] != 1 {
            return Err(seq + 1);
        }
        seq = found;
    }
    Ok(seq)
}

#[test]
fn the_chain_holds_as_it_is_described() {
    let station = day();
    let verified = verify(&station.path()).unwrap();
    assert_eq!(chain_holds(&station.path()), Ok(verified.events));
    assert_eq!((verified.ok, verified.fault), (true, None));
}

/// What `verify` finds first, once `sql` was done to the ledger.
fn tampered(station: &Station, sql: &str) -> Verified {
    let conn = open(&station.path());
    conn.execute_batch(&format!("SAVEPOINT tampering; {sql}; RELEASE tampering")).unwrap();
    verify(&station.path()).unwrap()
}

#[test]
fn a_changed_byte_is_found_in_its_row() {
    let station = day();
    let events = verify(&station.path()).unwrap().events;
    let write = |seq: i64, body: &str, hash: &[u8]| {
        let sql = "UPDATE event SET body = ?, hash = ? WHERE seq = ?";
        open(&station.path()).execute(sql, rusqlite::params![body, hash, seq]).unwrap();
    };
    for seq in 1..=events {
        let (body, hash): (String, [u8; 32]) = open(&station.path())
            .query_row("SELECT body, hash FROM event WHERE seq = ?", [seq], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        let mut other_hash = hash;
        other_hash[31] ^= 1;
        let other_body = body.replace("\"v\":1", "\"v\":2");
        for (body, hash) in [(&body, other_hash), (&other_body, hash)] {
            write(seq, body, &hash);
            let found = verify(&station.path()).unwrap();
            assert_eq!((found.ok, found.events), (false, seq - 1), "{body}");
            assert_eq!(found.fault.unwrap().seq, Some(seq), "{body}");
        }
        write(seq, &body, &hash);
    }
    assert!(verify(&station.path()).unwrap().ok);
}

#[test]
fn every_change_by_hand_is_found_and_named() {
    let last = "(SELECT max(seq) FROM event)";
    let swap = "UPDATE event SET seq = -4 WHERE seq = 4; UPDATE event SET seq = 4 WHERE seq = 5; \
                UPDATE event SET seq = 5 WHERE seq = -4";
    for (sql, seq, what) in [
        (swap, Some(4), "row 4"),
        ("DELETE FROM event WHERE seq = 3", Some(3), "row 3 is missing"),
        ("DELETE FROM event WHERE seq = 1", Some(1), "row 1 is missing"),
        (&format!("DELETE FROM event WHERE seq = {last}"), None, "table"),
        (
            &format!(
                "INSERT INTO event SELECT {last} + 1, body, hash, NULL FROM event WHERE seq = 3"
            ),
            Some(0),
            "",
        ),
        (
            "INSERT INTO event SELECT -1, body, hash, NULL FROM event WHERE seq = 3",
            None,
            "table event",
        ),
        ("UPDATE event SET ballot_prev = 1 WHERE seq = 4", None, "table event"),
        ("UPDATE ballot SET status = 2 WHERE key = 6", None, "table ballot"),
        ("UPDATE ballot SET status = 99 WHERE key = 6", None, "table ballot"),
        ("UPDATE ballot SET sent = sent + 1 WHERE key = 1", None, "table ballot"),
        ("UPDATE ballot SET voter = 'V77' WHERE key = 6", Some(2), "import 1"),
        ("UPDATE ballot SET voter = '' WHERE key = 6", Some(2), "none of the ledger's"),
        ("UPDATE ballot SET voter = 'V77' WHERE key = 4", None, "table ballot"),
        ("UPDATE ballot SET issued_status = 2 WHERE key = 6", Some(2), "import 1"),
        ("DELETE FROM ballot WHERE key = 6", Some(2), "import 1"),
        (
            "INSERT INTO ballot (election, ballot, voter, issued_status, since, status) \
             VALUES ('202611', '000000077', 'V77', 1, 77, 1)",
            None,
            "table ballot",
        ),
        ("UPDATE import SET seq = NULL WHERE number = 1", None, "table import"),
        ("DELETE FROM import WHERE number = 1", None, "table import"),
        (
            "UPDATE import SET applied = 0; UPDATE ballot SET status = 2 WHERE key = 6",
            None,
            "table ballot",
        ),
        ("UPDATE import_change SET row = replace(row, '\"7\"', '\"9\"')", Some(0), "import 2"),
        ("DELETE FROM import_change", Some(0), "import"),
        ("UPDATE batch SET mode = 'accept'", None, "table batch"),
        ("UPDATE outbox SET state = 3 WHERE state = 2", None, "table outbox"),
        ("UPDATE outbox SET body = replace(body, 'received', 'accepted')", None, "table outbox"),
        ("DELETE FROM outbox WHERE state = 0", None, "table outbox"),
        ("UPDATE tally SET n = n + 1 WHERE scope LIKE 'batch/%'", None, "table tally"),
        ("DELETE FROM tally WHERE scope = 'outbox'", None, "table tally"),
    ] {
        let found = tampered(&day(), sql);
        assert!(!found.ok, "{sql}");
        let fault = found.fault.unwrap();
        assert!(fault.what.contains(what), "{sql}: {fault:?}");
        // Where the row is not known beforehand it is named all the same.
        let named =
            if seq == Some(0) { fault.seq.filter(|seq| *seq > 1).map(|_| 0) } else { fault.seq };
        assert_eq!(named, seq, "{sql}: {fault:?}");
    }
}

#[test]
fn a_rebuilt_ledger_is_the_same_in_every_table() {
    let station = day();
    let before = tables(&station.path());
    let rebuilt = rebuild(&station.settings).unwrap();
    assert_eq!(rebuilt, verify(&station.path()).unwrap());
    assert_eq!(tables(&station.path()), before);
}

#[test]
fn a_rebuild_repairs_what_derives_from_events() {
    for sql in [
        "UPDATE ballot SET status = 0, reason = 'x', sent = 9, owed_seq = 0, last_seq = 0, status_seq = 0",
        "UPDATE ballot SET voter = 'V77', style = 'x' WHERE key = 4",
        "INSERT INTO ballot (election, ballot, voter, issued_status, since, status) \
         VALUES ('202611', '000000077', 'V77', 1, 77, 1)",
        "UPDATE import SET seq = NULL",
        "DELETE FROM import",
        "DELETE FROM batch",
        "UPDATE outbox SET state = 0, sequence = 9, prev = 0, body = 'x'",
        "DELETE FROM tally WHERE scope <> 'working'",
        "UPDATE tally SET n = n + 5 WHERE scope <> 'working'",
        "UPDATE event SET ballot_prev = 1",
    ] {
        let station = day();
        let before = tables(&station.path());
        assert!(!tampered(&station, sql).ok, "{sql}");
        rebuild(&station.settings).unwrap();
        assert!(verify(&station.path()).unwrap().ok, "{sql}");
        assert_eq!(tables(&station.path()), before, "{sql}");
    }
}

/// What an import has yet to announce was once taken for done, and the ballots that it voids were received.
#[test]
fn a_rebuild_forgets_nothing_that_an_import_has_yet_to_do() {
    const BALLOTS: u32 = 4_000;
    let mut station = Station::with(|settings| settings.announce_imports = vec![Status::Voided]);
    station.import(&(1..=BALLOTS).map(row).collect::<Vec<_>>());
    let voided = |n| ImportRow { status: Status::Voided, ..row(n) };
    station.import(&(1..=BALLOTS).map(voided).collect::<Vec<_>>());
    station.close();
    let to_do = "SELECT count(*) FROM import_change WHERE done = 0";
    let left: u32 = open(&station.path()).query_row(to_do, [], |row| row.get(0)).unwrap();
    assert!(left > 0, "the import is not under way any more");
    rebuild(&station.settings).unwrap();
    assert!(station.verify().ok);
    station.reopen();
    assert_eq!(station.scan_ballot("left", BALLOTS).verdict, Verdict::Voided);
    station.begin_import();
    let report = station.report();
    assert_eq!((report.ballots["voided"], report.outbox["held"]), (4_000, 4_000));
    assert!(station.verify().ok);
}

#[test]
fn a_broken_chain_is_not_rebuilt() {
    let station = day();
    tampered(&station, "UPDATE event SET body = replace(body, 'left', 'lift') WHERE seq = 5");
    let error = rebuild(&station.settings).unwrap_err();
    assert!(error.to_string().contains("row 5"), "{error}");
}

#[test]
fn verify_holds_beside_a_running_ledger() {
    let station = Station::default();
    station.import(&(1..=300).map(row).collect::<Vec<_>>());
    for n in 1..=300 {
        station.scan_ballot("left", n);
        if n % 50 == 0 {
            let verified = station.verify();
            assert_eq!((verified.ok, verified.fault), (true, None));
            assert!(verified.events > i64::from(n));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in a reason or a name, a body is what RFC 8785 makes of it.
    #[test]
    fn every_body_is_canonical(
        reason in "[^\\s\\p{C}]\\PC{0,100}", by in any::<String>(), of_file in "\\PC{0,20}",
    ) {
        let mut station = Station::default();
        station.import(&[ImportRow { reason: Some(of_file), ..row(1) }]);
        let request = ballot_intake::ledger::SetRequest {
            election: row(1).election,
            ballot: row(1).ballot.unwrap(),
            status: Status::Received,
            reason,
            party: Party::of(Person::os_user(by)),
        };
        let set = station.ledger().ask(|reply| Request::Set(request, reply)).unwrap();
        prop_assert!(set.is_ok());
        station.close();
        prop_assert!(chain_holds(&station.path()).is_ok());
    }
}
