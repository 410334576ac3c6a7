//! What went wrong at others, tried here: each is refused or held, with its reason (California 2020 and 2025, San Bernardino, Mesa
//! County, Luzerne County).

use crate::on_both;
use crate::rig::{COUNTY, NOON, event, eventually, written};
use crate::sink::Manners;
use ballot_relay::config::Config;
use ballot_relay::intake::{Taken, files};
use ballot_relay::news::Channel;
use ballot_relay::stand_in::Settings;
use ballot_relay::template::Templates;
use relay_wire::Status::{Accepted, Mailed, Received};
use std::fmt::Write as _;
use std::time::Duration;

on_both! {
    /// "Your ballot was mailed", sent early because a field held a future date.
    fn a_date_in_the_future_is_no_event(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        assert_eq!(world.take(&event("1", Mailed, 1, "2026-10-21T12:00:00-06:00")), Taken::Future);
        let file = "ballot,voter,election,mailed\nb1,1,202611,2026-10-21\nb2,2,202611,2026-10-19\n\
                    b3,3,202612,2026-10-19\nb4,4,202611,soon\n,5,202611,\n";
        let report = files::ballots(&world.relay, (COUNTY, None), file.as_bytes()).unwrap();
        let why: Vec<_> = report.refusals.iter().map(|(line, why)| format!("{line} {why}")).collect();
        assert_eq!(
            why,
            [
                "2 mailed is in the future",
                "4 its election is not configured",
                "5 mailed is no date",
                "6 ballot or voter is empty"
            ]
        );
        assert_eq!(world.notices(), Vec::<String>::new());
        assert_eq!(world.count("SELECT COUNT(*) FROM alarm WHERE kind = 'future_date'"), 1);
        // Read again on the day, it is news; and then no more.
        world.clock.set(crate::rig::at("2026-10-21T09:00:00-06:00"));
        for changed in [1, 0] {
            let report = files::ballots(&world.relay, (COUNTY, None), file.as_bytes()).unwrap();
            assert_eq!((report.rows, report.changed, report.refused), (5, changed, 3));
        }
        assert_eq!(world.notices(), ["mailed owed"]);
    }

    /// "By 8 pm on.": a message with a hole in it.
    fn nothing_is_sent_with_a_hole_in_it(rig) {
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        world.write(|tx| tx.run("UPDATE voter SET first_name = ' '", &[]));
        world.take(&event("1", Received, 1, NOON));
        world.settled();
        assert_eq!(world.notices(), ["received owed"]);
        let why = world.rows("SELECT why FROM notice")[0].text(0).unwrap();
        assert_eq!(why, "the field first_name is empty");
        assert_eq!(world.count("SELECT COUNT(*) FROM alarm WHERE kind = 'template'"), 1);
        assert_eq!(world.accepted(), []);
        // What waits is sent when that is put right; what nobody puts right is the office's in the end.
        world.write(|tx| tx.run("UPDATE voter SET first_name = 'Ana'", &[]));
        world.clock.advance(Duration::from_mins(11));
        eventually("a text", || world.notices() == ["received delivered"]);
        world.write(|tx| tx.run("UPDATE voter SET first_name = ' '", &[]));
        world.take(&event("1", Accepted, 2, NOON));
        world.settled();
        world.clock.set(crate::rig::at("2026-10-23T11:55:00-06:00"));
        world.settled();
        assert_eq!(world.notices(), ["received delivered", "accepted owed"]);
        // Seventy-two hours are over within its next ten minutes.
        world.clock.set(crate::rig::at("2026-10-23T12:06:00-06:00"));
        world.settled();
        assert_eq!(world.notices(), ["received delivered", "accepted ours"]);
        assert_eq!(world.accepted().len(), 1);
    }

    /// A confidential voter is told nothing, and is nobody when somebody asks.
    fn a_confidential_voter_is_never_notified(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        world.take(&event("1", Mailed, 1, NOON));
        let file = "voter,first_name,last_name,birth_date,zip,confidential\n1,Ana,Diaz,1980-02-29,80302,yes\n";
        let report = files::voters(&world.relay, COUNTY, file.as_bytes()).unwrap();
        assert_eq!((report.changed, report.refused), (1, 0));
        world.take(&event("1", Received, 2, NOON));
        assert_eq!(world.notices(), ["mailed withdrawn"]);
        assert_eq!(world.count("SELECT COUNT(*) FROM contact"), 0);
        let found = world.write(|tx| {
            let keys = "identity of 1";
            ballot_relay::voter::find(tx, keys)
        });
        assert_eq!(found, None);
        let names = world.rows("SELECT first_name, last_name, identity FROM voter");
        assert_eq!(names[0].text(0).unwrap() + &names[0].text(1).unwrap() + &names[0].text(2).unwrap(), "");
    }

    /// One row in another encoding, or with a NUL in it, is refused by itself; the rest of the file is taken.
    fn a_row_that_is_no_text_is_refused_alone(rig) {
        let world = rig.quiet(NOON);
        let mut file = b"voter,first_name,last_name,birth_date,zip\n1,Ana,Diaz,1980-02-29,80302\n".to_vec();
        file.extend(b"2,Jos\xe9,Diaz,1980-02-29,80302\n3,A\0a,Diaz,1980-02-29,80302\n");
        for n in 4..=700 {
            file.extend(format!("{n},Ana,Diaz {n},1980-02-29,80302\n").bytes());
        }
        let report = files::voters(&world.relay, COUNTY, file.as_slice()).unwrap();
        assert_eq!((report.rows, report.changed, report.refused), (700, 698, 2));
        assert_eq!(report.refusals, [(3, "it is not UTF-8"), (4, "it holds a NUL")]);
        let scans = b"80204,89\xff,10/19/2026 09:00:00,80204123456,00778123456000000001\n\
                      80204,893,10/19/2026 09:00:00,80204123456,00778123456000000001\n";
        let report = files::postal_file(&world.relay, &scans[..]).unwrap();
        assert_eq!((report.rows, report.refusals), (2, vec![(1, "it is not UTF-8")]));
    }

    /// A file's own time of a status is when it happened; without one it is known from the import on.
    fn a_status_of_a_file_happened_when_the_file_says(rig) {
        let world = rig.quiet(NOON);
        let file = "ballot,voter,election,status,mailed,happened\nb1,1,202611,received,2026-10-10,2026-10-19T09:00:00-06:00\n\
                    b2,2,202611,received,2026-10-10,\nb3,3,202611,received,2026-10-10,2026-10-21\n\
                    b4,4,202611,mailed,2026-10-10,2026-10-19\nb5,5,202611,received,,yesterday\n";
        let report = files::ballots(&world.relay, (COUNTY, None), file.as_bytes()).unwrap();
        assert_eq!(report.refusals, [(4, "happened is in the future"), (6, "happened is no date")]);
        let since = world.rows("SELECT happened_at FROM ballot ORDER BY ballot");
        let since: Vec<_> = since.iter().map(|row| row.at(0).unwrap()).collect();
        let expected = ["2026-10-19T09:00:00-06:00", NOON, "2026-10-10T00:00:00-06:00"];
        assert_eq!(since, expected.map(crate::rig::at));
    }

    /// A file said by mistake that somebody voted in person: only a row that says so takes it back, and not what came later.
    fn a_file_takes_back_that_somebody_voted_in_person(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        let take = |row: &str| {
            let file = format!("ballot,voter,election,status,reason,mailed\nb1,1,202611,{row}\n");
            let report = files::ballots(&world.relay, (COUNTY, None), file.as_bytes()).unwrap();
            assert_eq!(report.refused, 0, "{report:?}");
            let status = world.rows("SELECT status FROM ballot")[0].text(0).unwrap();
            (report.changed, status, world.count("SELECT COUNT(*) FROM in_person"))
        };
        let mailed = |changed| (changed, "mailed".to_owned(), 0);
        let voided = |changed| (changed, "voided".to_owned(), 1);
        assert_eq!(take("mailed,,2026-10-10"), mailed(1));
        assert_eq!(take("voided,voted_in_person,"), voided(1));
        assert_eq!(take("mailed,,2026-10-10"), voided(0), "an older file takes nothing back");
        assert_eq!(take("mailed,not_in_person,2026-10-10"), mailed(1));
        assert_eq!(take("mailed,not_in_person,2026-10-10"), mailed(0));
        world.take(&event("1", Received, 1, NOON));
        assert_eq!(take("mailed,not_in_person,2026-10-10"), (0, "received".to_owned(), 0));
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE kind = 'received' AND state = 'owed'"), 1);
    }

    /// Counties mark it as they like: `X`, `T`, `ACP`. Whatever is no plain "no" keeps the voter secret.
    fn a_mark_that_nobody_knows_makes_a_voter_confidential(rig) {
        let world = rig.quiet(NOON);
        let marks = ["X", "T", "ACP", "Yes", "1", "?", "", "no", "N", "FALSE", "f", "0"];
        let mut file = "voter,first_name,last_name,birth_date,zip,confidential\n".to_owned();
        for (n, mark) in marks.iter().enumerate() {
            writeln!(file, "{n:02},Ana,Diaz {n},1980-02-29,80302,{mark}").unwrap();
        }
        let report = files::voters(&world.relay, COUNTY, file.as_bytes()).unwrap();
        assert_eq!((report.changed, report.refused), (12, 0));
        let rows = world.rows("SELECT voter FROM voter WHERE confidential = 1 AND last_name = '' ORDER BY voter");
        let secret: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
        assert_eq!(secret, ["00", "01", "02", "03", "04", "05"]);
    }
}

/// Words of a place that the county does not have, or fields that no notice of the kind has, stop the relay from starting.
#[test]
fn a_template_with_a_field_that_is_not_there_is_refused_at_load() {
    let rig = crate::rig::Rig::sqlite();
    let folder = rig.path("words");
    std::fs::create_dir(&folder).unwrap();
    let long = format!("[notices.received]\ntext = '{}'\n", "\u{1f5f3}".repeat(900));
    for (text, expected) in [
        (
            "[notices.received]\ntext = 'Vote at {{ polling_place }}.'\n",
            "there is no field \"polling_place\"",
        ),
        ("[notices.received]\ntext = '{{ first_name'\n", "received.text"),
        ("[notices.received]\nsubject = \"a\\nb\"\n", "more than one line"),
        ("[notices.received]\ntext = ' '\n", "empty part"),
        ("[notices.recieved]\nsubject = 'a'\nemail = 'a'\ntext = 'a'\nvoice = 'a'\n", "is no kind"),
        ("[reasons]\nother = \n", "words"),
        ("[reasons]\nother = ''\n", "reasons.other is missing"),
        ("[statuses]\nreceived = ' '\n", "statuses.received is missing"),
        (&long, "longer than 24 segments"),
    ] {
        written(&folder, "en.toml", text);
        let config = rig.config(None, None).replace(
            "phone = '303-555-0100'",
            &format!("phone = '303-555-0100'\ntemplates = '{}'", folder.display()),
        );
        let faults = Templates::load(&Config::parse(&config).unwrap()).unwrap_err();
        assert!(faults.to_string().contains(expected), "{text}: {faults}");
    }
}

/// Ids of counties stand in patterns and addresses: they are plain.
#[test]
fn a_countys_id_is_plain() {
    let rig = crate::rig::Rig::sqlite();
    let whole = rig.config(None, None);
    for (id, is_plain) in [
        ("west-2", true),
        ("b_ulder", false),
        ("%", false),
        ("*", false),
        ("Boulder", false),
        ("a/b", false),
    ] {
        let config = whole.replace("'boulder'", &format!("'{id}'"));
        let faults =
            Config::parse(&config).err().map(|faults| faults.0.join("\n")).unwrap_or_default();
        assert_eq!(faults.is_empty(), is_plain, "{id}: {faults}");
        assert!(is_plain || faults.contains("lower case letters"), "{id}: {faults}");
    }
}

/// "Received and will be counted" was read as "never counted": no word of ours says that anything is, or will be, counted.
#[test]
fn no_word_says_more_than_is_known() {
    let words = ["../../src/template/en.toml", "../../src/template/es.toml"];
    let texts =
        [include_str!("../../src/template/en.toml"), include_str!("../../src/template/es.toml")];
    for (file, text) in words.iter().zip(texts) {
        let said = text.split_once("[dates]").unwrap().1.to_lowercase();
        for word in ["counted", "will be", "contad", "contar", "polling"] {
            assert!(!said.contains(word), "{file} says {word:?}");
        }
    }
}
