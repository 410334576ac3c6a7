//! The office's pages: reminders that take two people and never go beyond their count, people, alarms, counties apart.

use crate::browser::{Browser, PASSWORD, hire_all, put_ballot, serve_pages};
use crate::on_both;
use crate::rig::{COUNTY, ELECTION, NOON, World, number};
use ballot_relay::alarm::{Alarm, raise};
use ballot_relay::bulk::{self, Aim, Release};
use ballot_relay::clock::Clock as _;
use ballot_relay::news::Channel;
use ballot_relay::office::{Newcomer, hire};
use ballot_relay::params;
use ballot_relay::suppress::suppress;
use ballot_relay::voter::{FirstOrNext, VoterId, add_contact, confirm};
use ballot_relay::web::Role;
use std::time::Duration;

fn aim() -> Aim {
    Aim {
        county: COUNTY.to_owned(),
        election: ELECTION.to_owned(),
        statuses: vec!["mailed".to_owned()],
    }
}

/// So many voters with a text number each, whose ballots were mailed.
fn voters(world: &World, numbers: std::ops::Range<usize>) {
    let now = world.clock.now();
    for n in numbers {
        let id = format!("{n:05}");
        world.voter(
            &id,
            &[(Channel::Text, &number(n)), (Channel::Email, &format!("v{n}@example.org"))],
        );
        world.write(move |tx| put_ballot(tx, &id, "mailed", now));
    }
}

fn counted(world: &World) -> i64 {
    world.write(|tx| bulk::count(tx, &aim()))
}

fn drafted(world: &World) -> String {
    let now = world.clock.now();
    world.write(move |tx| bulk::draft(tx, &aim(), ("cleo", now.plus(Duration::from_hours(9))), now))
}

fn released(world: &World, id: &str, by: &'static str) -> Release {
    let (id, now) = (id.to_owned(), world.clock.now());
    world.write(move |tx| bulk::release(tx, &id, by, now))
}

/// One piece; whether there may be more.
fn write_out(world: &World) -> bool {
    let now = world.clock.now();
    world.write(move |tx| bulk::write_out(tx, now))
}

fn state(world: &World, id: &str) -> String {
    let id = id.to_owned();
    let bulk = world.write(move |tx| bulk::find(tx, &id)).unwrap();
    format!("{} {}", bulk.state, bulk.why.unwrap_or_default())
}

const REMINDERS: &str = "SELECT COUNT(*) FROM notice WHERE kind = 'reminder'";

on_both! {
    /// It is counted exactly: not who stopped, ended, votes in person, returned it, or does not want reminders.
    fn a_reminder_goes_to_whom_it_was_counted_for(rig) {
        let world = rig.quiet(NOON);
        voters(&world, 0..20);
        let now = world.clock.now();
        world.write(move |tx| {
            suppress(tx, (Channel::Text, &number(0)), "stop", now)?;
            suppress(tx, (Channel::Email, "v0@example.org"), "unsubscribed", now)?;
            suppress(tx, (Channel::Text, &number(7)), "stop", now)?;
            for sql in [
                "UPDATE enrolment SET ended_at = 1 WHERE voter = '00001'",
                "INSERT INTO in_person (county, election, voter, cause, since) VALUES ('boulder', '202611', '00002', 'test', 1)",
                "UPDATE ballot SET status = 'received' WHERE voter = '00003'",
                "UPDATE enrolment SET kinds = 'mailed' WHERE voter = '00004'",
                "UPDATE voter SET confidential = 1 WHERE voter = '00005'",
                "UPDATE contact SET state = 'parked' WHERE voter = '00006'",
            ] {
                tx.run(sql, &[])?;
            }
            Ok(())
        });
        assert_eq!(counted(&world), 13);
        let id = drafted(&world);
        assert_eq!(released(&world, &id, "cleo"), Release::SamePerson);
        assert_eq!(released(&world, &id, "sue"), Release::Running);
        assert_eq!(released(&world, &id, "sue"), Release::NoDraft);
        while write_out(&world) {}
        assert_eq!(world.count(REMINDERS), 13);
        assert_eq!(state(&world, &id), "done ");
        let sql = "SELECT COUNT(*) FROM notice WHERE voter IN ('00000', '00001', '00002', '00003', '00004', '00005', '00006')";
        assert_eq!(world.count(sql), 0);
        // Who stopped the texts alone is reminded where they can be reached next.
        let sql = "SELECT COUNT(*) FROM notice WHERE voter = '00007' AND channel = 'email'";
        assert_eq!((world.count(sql), world.count("SELECT COUNT(*) FROM notice WHERE channel = 'email'")), (1, 1));
    }

    /// More than were counted are never reminded: not at the release, and not while it is written out.
    fn a_reminder_never_goes_beyond_its_count(rig) {
        let world = rig.quiet(NOON);
        voters(&world, 0..10);
        let id = drafted(&world);
        voters(&world, 10..12);
        assert_eq!(released(&world, &id, "sue"), Release::Grew(12));
        assert_eq!(state(&world, &id), "refused grew");
        while write_out(&world) {}
        assert_eq!(world.count(REMINDERS), 0);
        let id = drafted(&world);
        assert_eq!(released(&world, &id, "sue"), Release::Running);
        voters(&world, 12..20);
        while write_out(&world) {}
        assert_eq!(state(&world, &id), "stopped beyond_target");
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE kind = 'reminder' AND state = 'owed'"), 0);
        assert_eq!(world.count("SELECT COUNT(*) FROM alarm WHERE kind = 'bulk'"), 1);
    }

    /// A voter with two ballots adds a number between the pieces: it was not counted, and the reminder stops.
    fn a_contact_that_was_added_meanwhile_is_not_reminded(rig) {
        let world = rig.quiet(NOON);
        voters(&world, 0..501);
        let now = world.clock.now();
        // Its second ballot is the first of the next piece.
        world.write(move |tx| {
            tx.run("DELETE FROM ballot WHERE voter = '00500'", params![])?;
            tx.run(
                "INSERT INTO ballot (county, election, ballot, voter, status, happened_at, changed_at, event)
                 VALUES ($1, $2, 'z', '00000', 'mailed', $3, $3, 'x')",
                params![COUNTY, ELECTION, now],
            )
        });
        let id = drafted(&world);
        assert_eq!(released(&world, &id, "sue"), Release::Running);
        assert!(write_out(&world));
        assert_eq!(world.count(REMINDERS), 500);
        world.write(move |tx| {
            let id = VoterId { county: COUNTY.to_owned(), voter: "00000".to_owned() };
            let contact = add_contact(tx, &id, (Channel::Text, &number(999)), FirstOrNext::First, now)?;
            confirm(tx, &contact, ("reply", "YES"), now)
        });
        while write_out(&world) {}
        assert_eq!(state(&world, &id), "stopped beyond_target");
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE state = 'owed'"), 0);
    }

    /// It is written out in pieces, a crash between them loses and repeats nothing, and a stop holds at once.
    fn a_reminder_goes_on_after_a_crash_and_stops_at_once(rig) {
        let mut world = rig.quiet(NOON);
        voters(&world, 0..501);
        let id = drafted(&world);
        assert_eq!(released(&world, &id, "sue"), Release::Running);
        assert!(write_out(&world));
        assert_eq!(world.count(REMINDERS), 500);
        world = {
            drop(world);
            rig.quiet(NOON)
        };
        while write_out(&world) {}
        assert_eq!(world.count(REMINDERS), 501);
        assert_eq!(world.count("SELECT COUNT(DISTINCT contact) FROM notice"), 501);
        let now = world.clock.now();
        world.write(|tx| tx.run("UPDATE notice SET state = 'sent' WHERE voter = '00007'", params![]));
        assert!(world.write(move |tx| bulk::stop(tx, &id, "sue", now)));
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE state = 'withdrawn'"), 500);
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE state = 'sent'"), 1);
    }

    /// A reminder that was wrong is taken back: by two people, from whoever got it and from nobody else.
    fn a_reminder_is_taken_back_from_whoever_got_it(rig) {
        let world = rig.quiet(NOON);
        voters(&world, 0..9);
        let id = drafted(&world);
        assert_eq!(released(&world, &id, "sue"), Release::Running);
        while write_out(&world) {}
        world.write(|tx| tx.run("UPDATE notice SET state = 'sent' WHERE voter < '00004'", params![]));
        let (now, of) = (world.clock.now(), id.clone());
        assert!(world.write(move |tx| bulk::stop(tx, &of, "sue", now)));
        let taken = world.write(move |tx| {
            let reminder = bulk::find(tx, &id)?.unwrap();
            bulk::take_back(tx, &reminder, ("cleo", now.plus(Duration::from_hours(9))), now)
        });
        let taken = taken.unwrap();
        assert_eq!(released(&world, &taken, "cleo"), Release::SamePerson);
        assert_eq!(released(&world, &taken, "sue"), Release::Running);
        while write_out(&world) {}
        assert_eq!(state(&world, &taken), "done ");
        let told = world.rows("SELECT voter FROM notice WHERE kind = 'retraction' AND state = 'owed' ORDER BY voter");
        let told: Vec<_> = told.iter().map(|row| row.text(0).unwrap()).collect();
        assert_eq!(told, ["00000", "00001", "00002", "00003"]);
    }

    /// Somebody whose access ended is out at once, and somebody of another county sees nothing of this one.
    fn people_see_their_county_and_leave_at_once(rig) {
        let world = rig.quiet(NOON);
        hire_all(&world);
        serve_pages(&world);
        world.voter("1", &[(Channel::Email, "ana@example.org")]);
        let (mut sue, mut cleo) = (Browser::new(&world), Browser::new(&world));
        assert_eq!(sue.sign_in_office("sue", PASSWORD).location, "/office");
        assert_eq!(cleo.sign_in_office("cleo", PASSWORD).location, "/office");
        let found = cleo.get("/office/voters/boulder/1");
        assert!(found.body.contains("Diaz 1") && !found.body.contains("ana@example.org"), "{}", found.body);
        assert_eq!(cleo.get("/office/voters/mesa/1").status, 404);
        assert_eq!(sue.post(("/office/people", "/office/people/sue/disable"), &[]).status, 409, "oneself");
        assert_eq!(sue.post(("/office/people", "/office/people/cleo/disable"), &[]).status, 303);
        assert_eq!(cleo.get("/office").location, "/office/signin");
        assert_eq!(cleo.sign_in_office("cleo", PASSWORD).status, 403);
        let fields = [("name", "sue"), ("role", "clerk"), ("county", COUNTY), ("password", PASSWORD)];
        assert_eq!(sue.post(("/office/people", "/office/people"), &fields).status, 409, "a name once");
        let fields = [("name", "eve"), ("role", "clerk"), ("county", "*"), ("password", PASSWORD)];
        assert_eq!(sue.post(("/office/people", "/office/people"), &fields).status, 404, "beyond the own county");
        let fields = [("name", "eve"), ("role", "clerk"), ("county", COUNTY), ("password", "short")];
        assert_eq!(sue.post(("/office/people", "/office/people"), &fields).status, 409, "a short password");
        assert_eq!(world.count("SELECT COUNT(*) FROM act WHERE what = 'dismissed' AND operator = 'sue'"), 1);
        assert_eq!(world.count("SELECT COUNT(*) FROM act WHERE what = 'hired'"), 0, "nobody was let in");
    }

    /// Who became confidential after something was sent stands in no list of notices.
    fn notices_of_a_confidential_voter_are_not_listed(rig) {
        let world = rig.quiet(NOON);
        voters(&world, 0..2);
        hire_all(&world);
        serve_pages(&world);
        let id = drafted(&world);
        assert_eq!(released(&world, &id, "sue"), Release::Running);
        while write_out(&world) {}
        world.write(|tx| tx.run("UPDATE voter SET confidential = 1 WHERE voter = '00001'", params![]));
        let mut ada = Browser::new(&world);
        assert_eq!(ada.sign_in_office("ada", PASSWORD).location, "/office");
        let listed = ada.get("/office/notices?state=owed").body;
        assert!(listed.contains("00000") && !listed.contains("00001"), "{listed}");
    }

    /// However the database sorts texts: the list begins with the newest, and goes on where it ended.
    fn notices_are_listed_in_any_collation(rig) {
        let world = rig.quiet(NOON);
        if rig.cluster.is_some() {
            world.write(|tx| {
                tx.run("ALTER TABLE notice ALTER COLUMN id TYPE TEXT COLLATE \"en-US-x-icu\"", params![])
            });
        }
        voters(&world, 0..3);
        hire_all(&world);
        serve_pages(&world);
        let id = drafted(&world);
        assert_eq!(released(&world, &id, "sue"), Release::Running);
        while write_out(&world) {}
        let mut ada = Browser::new(&world);
        assert_eq!(ada.sign_in_office("ada", PASSWORD).location, "/office");
        let listed = ada.get("/office/notices?state=owed").body;
        assert!(["00000", "00001", "00002"].iter().all(|voter| listed.contains(voter)), "{listed}");
        let newest = world.rows("SELECT MAX(id) FROM notice")[0].text(0).unwrap();
        let listed = ada.get(&format!("/office/notices?state=owed&before={newest}")).body;
        assert!(listed.contains("00001") && !listed.contains("00002"), "{listed}");
    }

    /// What is wrong with a channel is every county's, and whoever of the office comes first closes it.
    fn an_alarm_of_all_counties_is_seen_in_each(rig) {
        let world = rig.quiet(NOON);
        hire_all(&world);
        serve_pages(&world);
        let now = world.clock.now();
        world.write(move |tx| {
            for (county, subject) in [("*", "the account"), ("mesa", "of mesa")] {
                raise(tx, Alarm { county, kind: "channel", subject, what: "Look at it." }, now)?;
            }
            Ok(())
        });
        let mut cleo = Browser::new(&world);
        assert_eq!(cleo.sign_in_office("cleo", PASSWORD).location, "/office");
        let listed = cleo.get("/office/alarms").body;
        assert!(listed.contains("the account") && !listed.contains("of mesa"), "{listed}");
        assert!(cleo.get("/office").body.contains("<a href=\"/office/alarms\">1</a>"));
        for (subject, expected) in [("the account", 303), ("of mesa", 404)] {
            let rows = world.rows("SELECT id, subject FROM alarm");
            let row = rows.iter().find(|row| row.text(1).unwrap() == subject).unwrap();
            let close = format!("/office/alarms/{}/close", row.text(0).unwrap());
            assert_eq!(cleo.post(("/office/voters", &close), &[]).status, expected);
        }
        assert_eq!(world.count("SELECT COUNT(*) FROM alarm WHERE closed_by = 'cleo'"), 1);
    }

    /// A long list says how long it is, and goes on where its part ends.
    fn a_list_says_how_long_it_is(rig) {
        let world = rig.quiet(NOON);
        hire_all(&world);
        serve_pages(&world);
        voters(&world, 0..60);
        let now = world.clock.now();
        world.write(move |tx| {
            tx.run("UPDATE contact SET state = 'parked'", params![])?;
            tx.run("UPDATE voter SET last_name = 'Diaz'", params![])?;
            for n in 0..60 {
                let subject = format!("ballot {n}");
                raise(tx, Alarm { county: COUNTY, kind: "not_me", subject: &subject, what: "Look." }, now)?;
            }
            Ok(())
        });
        let mut ada = Browser::new(&world);
        assert_eq!(ada.sign_in_office("ada", PASSWORD).location, "/office");
        for (page, more) in [
            ("/office/unreached", "/office/unreached?from=50"),
            ("/office/voters?q=diaz", "/office/voters?q=diaz&from=50"),
            ("/office/alarms", "/office/alarms?from=50"),
        ] {
            let first = ada.get(page).body;
            assert!(first.contains("1\u{2013}50 of 60"), "{first}");
            let link = more.replace('&', "&#38;");
            assert!(first.contains(&format!("href=\"{link}\"")), "{first}");
            let last = ada.get(more).body;
            assert!(last.contains("51\u{2013}60 of 60") && !last.contains("The next ones"), "{last}");
            assert_eq!(last.matches("<th scope=\"row\">").count(), 10, "{last}");
        }
    }

    /// A voter who lost everything is helped by a supervisor: contacts go, and sessions with them.
    fn a_voters_contacts_are_removed_by_a_supervisor(rig) {
        let world = rig.quiet(NOON);
        serve_pages(&world);
        let now = world.clock.now();
        let everywhere = Newcomer::new(&world.relay.config, ("root", "*", Role::Supervisor), PASSWORD).unwrap();
        assert!(world.write(move |tx| hire(tx, &everywhere, now)));
        let id = world.voter("1", &[(Channel::Email, "ana@example.org"), (Channel::Text, "+13035550100")]);
        world.write(move |tx| {
            let sql = "INSERT INTO one_time_code (id, county, voter, channel, address, purpose, created_at, expires_at, tries)
                       VALUES ('c', $1, $2, 'email', 'ana@example.org', 'signin', $3, $4, 0)";
            tx.run(sql, params![&id.county, &id.voter, now, now.plus(Duration::from_mins(10))])
        });
        let mut root = Browser::new(&world);
        assert_eq!(root.sign_in_office("root", PASSWORD).location, "/office");
        let (page, act) = ("/office/voters/boulder/1", "/office/voters/boulder/1/forget");
        assert_eq!(root.post((page, act), &[]).status, 303);
        assert_eq!(world.count("SELECT COUNT(*) FROM contact"), 0);
        assert_eq!(world.count("SELECT COUNT(*) FROM one_time_code"), 0);
        assert_eq!(world.count("SELECT COUNT(*) FROM consent WHERE ended_how = 'removed'"), 2);
        assert_eq!(world.count("SELECT COUNT(*) FROM act WHERE what = 'forgot_contacts'"), 1);
    }
}
