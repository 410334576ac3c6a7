//! "This wasn't me": heard whatever it answers, and beside a STOP.

use crate::on_both;
use crate::rig::{COUNTY, NOON, World, event, number};
use ballot_relay::clock::Clock as _;
use ballot_relay::news::Channel;
use ballot_relay::params;
use ballot_relay::suppress::{self, Reply};
use relay_wire::Status::{Accepted, Mailed};
use std::time::Duration;

on_both! {
    /// Any news of a ballot can be answered so; each ballot of which the number heard lately is looked at.
    fn any_news_can_be_answered_with_not_me(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, &number(1))]);
        world.take(&event("1", Mailed, 1, NOON));
        handed_over(&world);
        hear(&world, "SM1", "Not me");
        assert_eq!(alarms(&world), ["boulder 202611/b1"]);
        // Long ago is another election.
        close_all(&world);
        world.clock.advance(Duration::from_hours(61 * 24));
        hear(&world, "SM2", "No fui yo");
        assert_eq!(alarms(&world), ["boulder 1"]);
    }

    /// A reminder, or nothing at all, was told there: the office is to call the voters whose number it is.
    fn not_me_without_a_ballot_is_about_the_voters_there(rig) {
        let world = rig.quiet(NOON);
        for voter in ["1", "2"] {
            world.voter(voter, &[(Channel::Text, &number(1))]);
        }
        world.voter("3", &[(Channel::Text, &number(3))]);
        hear(&world, "SM1", "This wasn't me");
        assert_eq!(alarms(&world), ["boulder 1", "boulder 2"]);
        assert_eq!(world.count("SELECT COUNT(*) FROM suppression"), 0);
    }

    /// Both halves of such an answer are heard.
    fn not_me_and_stop_are_both_heard(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, &number(1))]);
        world.take(&event("1", Accepted, 1, NOON));
        handed_over(&world);
        hear(&world, "SM1", "Not me, STOP");
        assert_eq!(alarms(&world), ["boulder 202611/b1"]);
        assert_eq!(world.count("SELECT COUNT(*) FROM suppression WHERE why = 'stop'"), 1);
        assert_eq!(world.count("SELECT COUNT(*) FROM contact WHERE state = 'off'"), 1);
    }
}

/// Somebody texts from the first number.
fn hear(world: &World, id: &'static str, text: &str) {
    let (reply, now) = (Reply::of(text), world.clock.now());
    world.write(move |tx| suppress::hear(tx, (id, &number(1)), reply, now).map(drop));
}

/// What is owed was taken by the provider.
fn handed_over(world: &World) {
    let now = world.clock.now();
    world.write(move |tx| {
        tx.run("UPDATE notice SET state = 'sent', handed_at = $1", params![now]).map(drop)
    });
}

fn close_all(world: &World) {
    world.write(|tx| tx.run("UPDATE alarm SET closed_at = 1", &[]).map(drop));
}

/// Open alarms of this kind as `county subject`.
fn alarms(world: &World) -> Vec<String> {
    let rows = world.rows(
        "SELECT county || ' ' || subject FROM alarm WHERE kind = 'not_me' AND closed_at IS NULL ORDER BY subject",
    );
    let alarms: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    assert!(alarms.iter().all(|alarm| alarm.starts_with(COUNTY)));
    alarms
}
