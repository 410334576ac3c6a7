//! The ledger shows its own tampering, and is derived anew from its events to what it was.

use crate::station::{Station, row, set};
use ballot_intake::ballot::Status;
use ballot_intake::delivery::{Answer, Unwitnessed};
use ballot_intake::ledger::{
    Against, Held, ImportRow, ProofRequest, PublicKey, Request, Verified, rebuild, verify,
    verify_against,
};
use ballot_intake::scan::Verdict;
use proptest::prelude::*;
use relay_wire::CheckpointEvent;
use rusqlite::Connection;
use rusqlite::types::Value;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::Duration;

/// A day with a bit of everything: the station is closed and kept for its folder.
fn day() -> Station {
    let mut station = Station::corrected(6);
    let styled = ImportRow { style: Some("7".to_owned()), voter: row(40).voter, ..row(4) };
    let restyled = ImportRow { style: Some("8".to_owned()), ..styled.clone() };
    station.import(&[ImportRow { status: Status::Voided, ..row(5) }, styled, row(7)]);
    station.import(&[restyled]);
    station.begin_import();
    station.checkpoint();
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
    for table in [
        "event",
        "ballot",
        "import",
        "import_change",
        "batch",
        "exception",
        "operator",
        "proposal",
        "checkpoint",
        "outbox",
        "tally",
    ] {
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

/// The ledger so changed is not good, and what is found names that.
#[track_caller]
fn found(sql: &str, seq: Option<i64>, what: &str) {
    let found = tampered(&day(), sql);
    assert!(!found.ok, "{sql}");
    let fault = found.fault.unwrap();
    assert!(fault.what.contains(what), "{sql}: {fault:?}");
    // Where the row is not known beforehand it is named all the same.
    let named =
        if seq == Some(0) { fault.seq.filter(|seq| *seq > 1).map(|_| 0) } else { fault.seq };
    assert_eq!(named, seq, "{sql}: {fault:?}");
}

#[test]
fn every_change_of_the_chain_by_hand_is_found_and_named() {
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
    ] {
        found(sql, seq, what);
    }
}

#[test]
fn every_change_by_hand_is_found_and_named() {
    for (sql, seq, what) in [
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
        ("UPDATE import_change SET before = replace(before, 'V4', 'V5')", Some(0), "import"),
        ("UPDATE ballot SET since = 3 WHERE key = 6", Some(2), "import 1"),
    ] {
        found(sql, seq, what);
    }
}

#[test]
fn every_change_of_what_derives_from_events_is_found_and_named() {
    for (sql, what) in [
        ("UPDATE batch SET mode = 'accept'", "table batch"),
        ("UPDATE batch SET closed = 3", "table batch"),
        ("DELETE FROM exception", "table exception"),
        ("UPDATE exception SET verdict = 'held'", "table exception"),
        (
            "INSERT INTO operator (name, seq, role) VALUES ('eve', 1, 'supervisor')",
            "table operator",
        ),
        ("INSERT INTO proposal (seq) VALUES (3)", "table proposal"),
        ("UPDATE checkpoint SET witnessed = 5", "table checkpoint"),
        ("DELETE FROM checkpoint", "table checkpoint"),
        ("CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM outbox; END", "trigger t"),
        ("CREATE TABLE t (x)", "table t"),
        ("DROP INDEX exception_ballot", "index exception_ballot"),
        ("CREATE VIEW v AS SELECT 1", "view v"),
        ("UPDATE outbox SET state = 3 WHERE state = 2", "table outbox"),
        ("UPDATE outbox SET body = replace(body, 'received', 'accepted')", "table outbox"),
        ("DELETE FROM outbox WHERE state = 0", "table outbox"),
        ("UPDATE tally SET n = n + 1 WHERE scope LIKE 'batch/%'", "table tally"),
        ("DELETE FROM tally WHERE scope = 'ballot_outbox'", "table tally"),
    ] {
        found(sql, None, what);
    }
}

#[test]
fn a_rebuilt_ledger_is_the_same_in_every_table() {
    let station = day();
    let before = tables(&station.path());
    let rebuilt = rebuild(&station.settings).unwrap();
    assert_eq!((rebuilt.verified, rebuilt.differed), (verify(&station.path()).unwrap(), vec![]));
    assert_eq!(tables(&station.path()), before);
}

#[test]
fn a_rebuild_says_what_differed_and_repairs_it() {
    for (sql, table, rows) in [
        (
            "UPDATE ballot SET status = 0, reason = 'x', sent = 9, owed_seq = 0, last_seq = 0, status_seq = 0",
            "ballot",
            7,
        ),
        ("UPDATE ballot SET voter = 'V77', style = 'x' WHERE key = 4", "ballot", 1),
        (
            "INSERT INTO ballot (election, ballot, voter, issued_status, since, status) \
             VALUES ('202611', '000000077', 'V77', 1, 77, 1)",
            "ballot",
            1,
        ),
        ("UPDATE import SET seq = NULL", "import", 3),
        ("DELETE FROM import", "import", 3),
        ("DELETE FROM code WHERE kind = 'voter'", "code", 7),
        ("UPDATE code SET code = 'x' || code WHERE kind = 'voter' AND ballot = 1", "code", 2),
        ("DELETE FROM batch", "batch", 1),
        ("DELETE FROM exception", "exception", 1),
        ("DELETE FROM checkpoint", "checkpoint", 1),
        ("UPDATE checkpoint SET witnessed = 3", "checkpoint", 1),
        ("UPDATE outbox SET state = 0, sequence = 9, prev = 0, body = 'x'", "outbox", 5),
        ("DELETE FROM tally WHERE scope = 'ballot_outbox' AND name = 'set_aside'", "tally", 1),
        (
            "UPDATE tally SET n = n + 5 WHERE scope = 'batch/4294967294' AND name = 'received'",
            "tally",
            1,
        ),
        ("UPDATE event SET ballot_prev = 1 WHERE seq = 4", "event", 1),
    ] {
        let station = day();
        let before = tables(&station.path());
        assert!(!tampered(&station, sql).ok, "{sql}");
        let rebuilt = rebuild(&station.settings).unwrap();
        let differed: Vec<_> = rebuilt.differed.iter().map(|d| (d.table, d.rows)).collect();
        assert!(differed.contains(&(table, rows)), "{sql}: {differed:?}");
        assert!(verify(&station.path()).unwrap().ok, "{sql}");
        assert_eq!(tables(&station.path()), before, "{sql}");
        assert_eq!(rebuild(&station.settings).unwrap().differed, [], "{sql}");
    }
}

/// A voter who is missing there would have two ballots received.
#[test]
fn voters_of_several_ballots_are_held_against_the_codes() {
    for sql in [
        "DELETE FROM voter_of_several",
        "UPDATE voter_of_several SET voter = 'V77'",
        "INSERT INTO voter_of_several SELECT election, voter FROM ballot WHERE key = 1",
        "INSERT INTO voter_of_several VALUES ('202611', 'V77')",
    ] {
        let mut station = Station::default();
        station.import(&(1..=3).map(row).collect::<Vec<_>>());
        station.import(&[ImportRow { voter: row(2).voter, ..row(4) }]);
        station.close();
        assert!(verify(&station.path()).unwrap().ok);
        let fault = tampered(&station, sql).fault.unwrap().what;
        assert!(fault.contains("table voter_of_several"), "{sql}: {fault}");
        let differed = rebuild(&station.settings).unwrap().differed;
        assert!(differed.iter().any(|differed| differed.table == "voter_of_several"), "{sql}");
        assert!(verify(&station.path()).unwrap().ok, "{sql}");
        station.reopen();
        assert_eq!(station.scan_ballot("left", 4).verdict, Verdict::Held);
        assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received);
    }
}

/// The voters are looked through a piece at a time.
#[test]
fn a_voter_of_one_ballot_is_found_behind_a_thousand_of_several() {
    let mut station = Station::default();
    station.import(&(1..=1_001).map(row).collect::<Vec<_>>());
    let second = |n| ImportRow { voter: row(n).voter, ..row(n + 2_000) };
    station.import(&(1..=1_001).map(second).collect::<Vec<_>>());
    station.close();
    assert!(verify(&station.path()).unwrap().ok);
    let sql = "INSERT INTO voter_of_several VALUES ('202611', 'ZZ')";
    let fault = tampered(&station, sql).fault.unwrap().what;
    assert!(fault.contains("voter ZZ differs"), "{fault}");
}

/// A voter who was given another ballot's by mistake, and then the right one, has one again.
#[test]
fn a_voter_whose_second_ballot_was_another_voters_has_one() {
    let station = Station::default();
    station.import(&[row(1), row(2)]);
    station.import(&[ImportRow { voter: row(1).voter, ..row(2) }]);
    let held = "SELECT count(*) FROM voter_of_several";
    let count = || open(&station.path()).query_row(held, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 1);
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Held);
    station.import(&[row(2)]);
    assert_eq!(station.scan_ballot("left", 2).verdict, Verdict::Received);
    assert_eq!(count(), 0);
    assert!(station.verify().ok);
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

/// A signed day without a second import; closed.
fn signed_day() -> Station {
    let mut station = Station::default();
    station.import(&(1..=6).map(row).collect::<Vec<_>>());
    for n in 1..=4 {
        station.scan_ballot("left", n);
    }
    station.checkpoint();
    station.scan_ballot("left", 5);
    station.close();
    station
}

/// The ledger as somebody left it who has no key but knows how everything else is made: from row `seq` on every hash is
/// computed anew, and what derives from the events too.
fn forged(station: &Station, seq: i64, sql: &str) {
    let conn = open(&station.path());
    conn.execute_batch(sql).unwrap();
    let mut last: i64 = conn.query_row("SELECT max(seq) FROM event", [], |row| row.get(0)).unwrap();
    // A checkpoint's event over a row that was changed cannot be forged.
    let signed = "SELECT min(seq) FROM event WHERE seq > ? AND body ->> 'kind' = 'checkpointed'";
    let signed: Option<i64> = conn.query_row(signed, [seq], |row| row.get(0)).unwrap();
    if let Some(signed) = signed {
        conn.execute("DELETE FROM event WHERE seq >= ?", [signed]).unwrap();
        last = signed - 1;
    }
    for row in seq..=last {
        let before = conn.query_row("SELECT hash FROM event WHERE seq = ?", [row - 1], |row| {
            row.get::<_, Vec<u8>>(0)
        });
        let body: String = conn
            .query_row("SELECT body FROM event WHERE seq = ?", [row], |row| row.get(0))
            .unwrap();
        let hash = Sha256::digest([before.unwrap_or(vec![0; 32]), body.into_bytes()].concat());
        conn.execute(
            "UPDATE event SET hash = ? WHERE seq = ?",
            rusqlite::params![hash.as_slice(), row],
        )
        .unwrap();
    }
    drop(conn);
    rebuild(&station.settings).unwrap();
    let fault = verify(&station.path()).unwrap().fault;
    assert_eq!(fault, None, "the forgery shows by itself");
}

fn against(station: &Station, held: &[&str]) -> Verified {
    let held = held.iter().map(|text| Held::parse(text).unwrap()).collect();
    verify_against(&station.path(), &Against { key: None, held }).unwrap()
}

#[test]
fn a_checkpoint_shows_what_was_cut_or_rewritten_behind_it() {
    for (sql, from, what) in [
        ("", 2, None),
        ("UPDATE event SET body = replace(body, 'left', 'lift') WHERE seq = 5", 5, Some("row ")),
        (
            "DELETE FROM event WHERE seq > 6",
            6,
            Some("cut: it ends at row 6; the checkpoint covers row "),
        ),
    ] {
        let station = signed_day();
        let (of, note): (i64, String) = open(&station.path())
            .query_row("SELECT of, note FROM checkpoint", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        let paper = verify(&station.path()).unwrap().checkpoint.unwrap().paper;
        if !sql.is_empty() {
            forged(&station, from, sql);
        }
        for held in [&note, &paper] {
            let found = against(&station, &[held]);
            let fault = found.fault.map(|fault| fault.what);
            assert_eq!(found.ok, what.is_none(), "{sql}: {fault:?}");
            assert!(
                what.is_none_or(|what| fault.as_ref().is_some_and(|fault| fault.starts_with(what))),
                "{sql}: {fault:?}"
            );
            if what.is_none() {
                let tail = found.tail.unwrap();
                assert_eq!((tail.seq, tail.held), (of, "you hold"));
                assert_eq!(tail.follow, found.events - of);
            }
        }
    }
}

#[test]
fn a_checkpoint_of_another_ledger_proves_nothing_of_this_one() {
    let (ours, mut theirs) = (day(), Station::default());
    let note = theirs.checkpoint().note;
    theirs.close();
    let fault = against(&ours, &[&note]).fault.unwrap().what;
    assert_eq!(fault, "the checkpoint is not signed by the station's key");
    let other = Station::with(|settings| settings.station = "intake-2".to_owned());
    let fault = against(&ours, &[&other.checkpoint().note]).fault.unwrap().what;
    assert!(fault.contains("is of ballot-intake/boulder/intake-2, not of"), "{fault}");
}

#[test]
fn a_ledger_of_another_key_is_told_by_the_key() {
    let station = day();
    let first: String = open(&station.path())
        .query_row("SELECT body ->> 'public_key' FROM event WHERE seq = 1", [], |row| row.get(0))
        .unwrap();
    let by_key = |digits: &str| {
        let key = PublicKey::from_hex(digits);
        assert!(key.is_some(), "{digits}");
        verify_against(&station.path(), &Against { key, held: Vec::new() }).unwrap()
    };
    assert!(by_key(&first).ok);
    let stranger = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let fault = by_key(stranger).fault.unwrap();
    assert_eq!(fault.seq, Some(1));
    assert!(fault.what.contains(&first), "{}", fault.what);
}

/// Whoever has no key can append to the chain, but not a checkpoint.
#[test]
fn a_checkpoint_that_the_station_did_not_sign_is_found() {
    let station = day();
    let conn = open(&station.path());
    let (seq, body): (i64, String) = conn
        .query_row(
            "SELECT seq, body FROM event WHERE body ->> 'kind' = 'checkpointed'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let before: Vec<u8> = conn
        .query_row("SELECT hash FROM event WHERE seq = ?", [seq - 1], |row| row.get(0))
        .unwrap();
    for (old, new) in [("\\n\\n", "\\nmore\\n\\n"), ("boulder", "denver"), ("\"of\":", "\"of\":1")]
    {
        let forged = body.replace(old, new);
        assert_ne!(forged, body);
        let hash = Sha256::digest([before.clone(), forged.clone().into_bytes()].concat());
        conn.execute(
            "UPDATE event SET body = ?, hash = ? WHERE seq = ?",
            rusqlite::params![forged, hash.as_slice(), seq],
        )
        .unwrap();
        let fault = verify(&station.path()).unwrap().fault.unwrap();
        assert_eq!(fault.seq, Some(seq), "{old}: {fault:?}");
        assert!(fault.what.contains("is not signed over row"), "{fault:?}");
    }
}

/// The reasons of the checkpoints in the ledger, in order.
fn reasons(station: &Station) -> Vec<String> {
    let conn = open(&station.path());
    let mut events = conn
        .prepare("SELECT body ->> 'why' FROM event WHERE body ->> 'kind' = 'checkpointed'")
        .unwrap();
    let read = events.query_map([], |row| row.get(0)).unwrap();
    read.map(Result::unwrap).collect()
}

#[test]
fn a_day_with_events_ends_with_a_checkpoint_and_one_without_does_not() {
    let mut station = Station::default();
    station.import(&[row(1)]);
    station.pass(Duration::from_hours(11));
    assert_eq!(reasons(&station), [""; 0], "it is the same day in Denver");
    station.pass(Duration::from_hours(2));
    assert_eq!(reasons(&station), ["daily"]);
    for _ in 0..3 {
        station.pass(Duration::from_hours(24));
    }
    assert_eq!(reasons(&station), ["daily"], "nothing has happened since");
    station.scan_ballot("left", 1);
    station.close();
    station.clock.advance(Duration::from_hours(24));
    station.reopen();
    station.pass(Duration::ZERO);
    assert_eq!(reasons(&station), ["daily", "daily"], "the last one was older than a day");
    assert!(station.verify().ok);
}

#[test]
fn asking_twice_signs_once() {
    let station = Station::default();
    station.import(&[row(1)]);
    let first = station.checkpoint();
    assert_eq!((first.clone(), reasons(&station).len()), (station.checkpoint(), 1));
    station.scan_ballot("left", 1);
    assert!(station.checkpoint().seq > first.seq);
}

fn unwitnessed(station: &Station) -> Unwitnessed {
    station.ledger().ask(|reply| Request::Proof(ProofRequest::Unwitnessed(reply))).unwrap()
}

#[test]
fn the_relay_witnesses_the_newest_checkpoint_after_all_changes() {
    let station = Station::with(|settings| settings.hold_back = Duration::ZERO);
    station.import(&[row(1)]);
    assert_eq!(unwitnessed(&station), Unwitnessed::Nothing);
    station.checkpoint();
    station.scan_ballot("left", 1);
    let newest = station.checkpoint();
    station.pass(Duration::ZERO);
    assert_eq!(unwitnessed(&station), Unwitnessed::Later, "a change is owed");
    let change = station.claim().remove(0);
    station.settle(change.seq, Answer::Delivered);
    let Unwitnessed::Send(delivery) = unwitnessed(&station) else { panic!("nothing is sent") };
    let event = CheckpointEvent::parse(delivery.body.as_bytes()).unwrap();
    assert_eq!((event.note, event.id), (newest.note, delivery.id.clone()));
    assert_eq!(i64::try_from(event.seq), Ok(newest.seq));
    let seq = delivery.seq;
    station.ledger().ask(|reply| Request::Proof(ProofRequest::Witnessed { seq, reply })).unwrap();
    assert_eq!(unwitnessed(&station), Unwitnessed::Nothing);
    let verified = station.verify();
    assert!(verified.ok, "{:?}", verified.fault);
    let tail = verified.tail.unwrap();
    assert_eq!((tail.seq, tail.held), (newest.seq, "the relay keeps"));
    let kept: i64 = open(&station.path())
        .query_row("SELECT count(*) FROM checkpoint WHERE witnessed IS NOT NULL", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(kept, 2, "the older one is covered, too");
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
        let request = set(1, Status::Received, &reason, &by);
        let set = station.ledger().ask(|reply| Request::Set(request, reply)).unwrap();
        prop_assert!(set.is_ok());
        station.close();
        prop_assert!(chain_holds(&station.path()).is_ok());
    }
}
