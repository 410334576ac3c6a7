//! A reminder for 100,000 that went to nearly everybody: here it goes to whom it was counted for, after a second person's release, and
//! stops when somebody says so.

use crate::browser::put_ballot;
use crate::on_both;
use crate::rig::{COUNTY, ELECTION, NOON, World, event, eventually, number};
use crate::sink::Manners;
use ballot_relay::bulk::{self, Aim, Release};
use ballot_relay::clock::Clock as _;
use ballot_relay::news::Channel;
use ballot_relay::stand_in::Settings;
use relay_wire::Status::{Mailed, Received};
use std::collections::BTreeMap;
use std::time::Duration;

const VOTERS: usize = 12;

on_both! {
    /// Only those whose ballot is not back, as many as were counted, released by somebody else.
    fn a_reminder_goes_to_whom_it_was_counted_for(rig) {
        let world = scene(&rig);
        let id = draft(&world);
        let release = |by: &'static str| {
            let (id, now) = (id.clone(), world.clock.now());
            world.write(move |tx| bulk::release(tx, &id, by, now))
        };
        assert_eq!(release("ana"), Release::SamePerson);
        assert_eq!(release("ben"), Release::Running);
        assert_eq!(release("ben"), Release::NoDraft);
        eventually("all reminders", || {
            // On a busy machine a call may take too long, and its outcome is looked for later.
            world.clock.advance(Duration::from_millis(100));
            world.relay.owed.notify_waiters();
            world.count("SELECT COUNT(*) FROM notice WHERE kind = 'reminder' AND state IN ('sent', 'delivered')") == 6
        });
        let texts = world.accepted();
        let reminded: Vec<_> = texts.iter().filter(|one| one.body.contains("do not have your ballot")).collect();
        assert_eq!(reminded.len(), 6);
        assert!(reminded.iter().all(|one| one.body.contains("by November 3, 2026, 7:00 PM")));
    }

    /// More subscribers since it was counted: it is refused as a whole.
    fn a_reminder_that_would_go_to_more_is_refused(rig) {
        let world = scene(&rig);
        let id = draft(&world);
        world.voter("new", &[(Channel::Text, &number(99))]);
        world.take(&event("new", Mailed, 1, NOON));
        let now = world.clock.now();
        let released = world.write(move |tx| bulk::release(tx, &id, "ben", now));
        assert_eq!(released, Release::Grew(7));
        world.settled();
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE kind = 'reminder'"), 0);
    }

    /// A counted contact is dead: no other one, which was not counted, is reminded instead.
    fn a_reminder_goes_to_no_contact_that_was_not_counted(rig) {
        let settings = Settings { refused: BTreeMap::from([(number(0), 21_614)]), ..Settings::default() };
        let world = rig.whole(NOON, settings, Manners::default());
        for n in 0..2 {
            let mail = format!("v{n}@example.org");
            world.voter(&n.to_string(), &[(Channel::Text, &number(n)), (Channel::Email, &mail)]);
            let now = world.clock.now();
            world.write(move |tx| put_ballot(tx, &n.to_string(), "mailed", now));
        }
        let (id, now) = (draft(&world), world.clock.now());
        assert_eq!(world.write(move |tx| bulk::release(tx, &id, "ben", now)), Release::Running);
        eventually("the reminders", || {
            world.relay.owed.notify_waiters();
            world.count("SELECT COUNT(*) FROM notice WHERE state IN ('bad_address', 'delivered')") == 2
        });
        world.settled();
        assert_eq!(world.count("SELECT COUNT(*) FROM notice"), 2);
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE channel = 'email'"), 0);
    }

    /// Stopped at night, while it waits for the morning: nobody gets it.
    fn a_reminder_that_is_stopped_goes_to_nobody(rig) {
        let world = scene(&rig);
        world.clock.advance(Duration::from_hours(10));
        let id = draft(&world);
        let (stopped, now) = (id.clone(), world.clock.now());
        world.write(move |tx| bulk::release(tx, &id, "ben", now));
        eventually("reminders that wait", || {
            world.relay.owed.notify_waiters();
            world.count("SELECT COUNT(*) FROM notice WHERE kind = 'reminder' AND state = 'owed'") == 6
        });
        assert!(world.write(move |tx| bulk::stop(tx, &stopped, "ana", now)));
        world.clock.advance(Duration::from_hours(12));
        world.settled();
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE kind = 'reminder' AND state = 'withdrawn'"), 6);
        assert!(world.accepted().iter().all(|one| !one.body.contains("do not have your ballot")));
    }

    /// A ballot comes back while its reminder waits for the morning: that voter is not reminded, the others are.
    fn a_reminder_is_not_sent_once_the_ballot_is_back(rig) {
        let world = scene(&rig);
        world.clock.advance(Duration::from_hours(10));
        let id = draft(&world);
        let now = world.clock.now();
        world.write(move |tx| bulk::release(tx, &id, "ben", now));
        eventually("reminders that wait", || {
            world.relay.owed.notify_waiters();
            world.count("SELECT COUNT(*) FROM notice WHERE kind = 'reminder' AND state = 'owed'") == 6
        });
        world.write(|tx| tx.run("UPDATE ballot SET status = 'received' WHERE voter = '1'", &[]));
        world.clock.advance(Duration::from_hours(12));
        world.settled();
        let sent = world.accepted().into_iter().filter(|one| one.body.contains("do not have your ballot"));
        let mut sent: Vec<_> = sent.map(|one| one.to).collect();
        sent.sort();
        assert_eq!(sent, [3, 5, 7, 9, 11].map(number));
        let row = &world.rows("SELECT state, why FROM notice WHERE kind = 'reminder' AND voter = '1'")[0];
        assert_eq!((row.text(0).unwrap().as_str(), row.text(1).unwrap().as_str()), ("withdrawn", "ballot"));
    }
}

/// Half of the voters' ballots are back.
fn scene(rig: &crate::rig::Rig) -> World {
    let world = rig.whole(NOON, Settings::default(), Manners::default());
    for n in 0..VOTERS {
        world.voter(&n.to_string(), &[(Channel::Text, &number(n))]);
        world.take(&event(&n.to_string(), Mailed, 1, NOON));
        if n % 2 == 0 {
            world.take(&event(&n.to_string(), Received, 2, NOON));
        }
    }
    eventually("the news", || {
        // No lease ends while a call is made.
        world.settled();
        world.clock.advance(Duration::from_secs(1));
        world.count("SELECT COUNT(*) FROM notice WHERE state IN ('owed', 'calling', 'unknown')")
            == 0
    });
    world
}

fn draft(world: &World) -> String {
    let now = world.clock.now();
    world.write(move |tx| {
        let aim = Aim {
            county: COUNTY.to_owned(),
            election: ELECTION.to_owned(),
            statuses: vec!["mailed".to_owned()],
        };
        bulk::draft(tx, &aim, ("ana", now.plus(Duration::from_hours(72))), now)
    })
}
