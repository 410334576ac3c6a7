//! Whom news reaches when the first contact cannot be used: the next one, whatever stands against the first and whenever it came.

use crate::on_both;
use crate::rig::{NOON, Rig, World, event, eventually, number};
use crate::sink::Manners;
use ballot_relay::clock::Clock as _;
use ballot_relay::news::Channel;
use ballot_relay::stand_in::Settings;
use ballot_relay::suppress::suppress;
use ballot_relay::voter::{VoterId, contacts, set_off};
use relay_wire::Status::{Accepted, Received};
use std::collections::BTreeMap;
use std::time::Duration;

/// After the county's hours in Denver.
const NIGHT: &str = "2026-10-20T22:00:00-06:00";
const EMAIL: &str = "ana@example.org";

on_both! {
    /// Parked or turned off before anything happened: all later news goes to the next contact.
    fn news_goes_to_the_next_contact_when_the_first_is_off(rig) {
        for state in ["parked", "off"] {
            let world = rig.quiet(NOON);
            let voter = scene(&world, state);
            world.write(move |tx| {
                let first = contacts(tx, &voter)?.remove(0);
                set_off(tx, &first.id, (state, "test"), ballot_relay::clock::Micros(0))
            });
            world.take(&event(state, Received, 1, NOON));
            assert_eq!(at_channels(&world, state), ["email owed"]);
        }
    }

    /// A block on the number alone counts as well.
    fn news_goes_to_the_next_contact_when_the_first_is_blocked(rig) {
        let world = rig.quiet(NOON);
        scene(&world, "1");
        world.write(|tx| {
            let sql = "INSERT INTO suppression (channel, address, why, since) VALUES ('text', $1, 'stop', 0)";
            tx.run(sql, ballot_relay::params![number(0)])
        });
        world.take(&event("1", Received, 1, NOON));
        assert_eq!(at_channels(&world, "1"), ["email owed"]);
    }

    /// A first contact that can be used keeps the next one silent.
    fn the_next_contact_hears_nothing_while_the_first_does(rig) {
        let world = rig.quiet(NOON);
        scene(&world, "1");
        world.take(&event("1", Received, 1, NOON));
        assert_eq!(at_channels(&world, "1"), ["text owed"]);
    }

    /// STOP comes while the text waits for the morning.
    fn what_waits_goes_to_the_next_contact_after_a_stop(rig) {
        let world = rig.quiet(NIGHT);
        scene(&world, "1");
        world.take(&event("1", Received, 1, NIGHT));
        let now = world.clock.now();
        world.write(move |tx| suppress(tx, (Channel::Text, &number(0)), "stop", now));
        assert_eq!(at_channels(&world, "1"), ["text opted_out", "email owed"]);
    }

    /// The hours of texts come too late for it: an e-mail does not.
    fn what_the_hours_make_too_late_goes_to_the_next_contact(rig) {
        let mut rig: Rig = rig;
        rig.sending.push_str("news_lasts = '2h'\n");
        let world = rig.whole(NIGHT, Settings::default(), Manners::default());
        scene(&world, "1");
        world.take(&event("1", Received, 1, NIGHT));
        eventually("an e-mail", || at_channels(&world, "1") == ["text too_late", "email sent"]);
    }

    /// The channel of the first contact is configured no more: the next contact hears it, and the office of the rest.
    fn what_is_owed_on_no_channel_goes_to_the_next_contact(rig) {
        let mut world = rig.whole(NIGHT, Settings::default(), Manners::default());
        scene(&world, "1");
        world.take(&event("1", Received, 1, NIGHT));
        world.settled();
        world.config.text = None;
        world.restart();
        world.clock.advance(Duration::from_hours(11));
        eventually("an e-mail", || at_channels(&world, "1") == ["text ours", "email sent"]);
        assert_eq!(world.count("SELECT COUNT(*) FROM alarm WHERE subject = 'text not configured'"), 1);
    }

    /// Two news wait for one number, and the first of them finds that it is dead.
    fn what_waits_for_a_dead_number_goes_to_the_next_contact(rig) {
        let settings = Settings { refused: BTreeMap::from([(number(0), 21_614)]), ..Settings::default() };
        let world = rig.whole(NIGHT, settings, Manners::default());
        scene(&world, "1");
        world.take(&event("1", Received, 1, NIGHT));
        world.take(&event("1", Accepted, 2, NIGHT));
        world.settled();
        world.clock.advance(Duration::from_hours(11));
        world.settled();
        eventually("both e-mails", || {
            world.clock.advance(Duration::from_secs(3));
            world.relay.owed.notify_waiters();
            world.count("SELECT COUNT(*) FROM notice WHERE channel = 'email' AND state = 'sent'") == 2
        });
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE state = 'bad_address'"), 2);
    }
}

/// A voter with a number first and an e-mail address next.
fn scene(world: &World, id: &str) -> VoterId {
    world.voter(id, &[(Channel::Text, &number(0)), (Channel::Email, EMAIL)])
}

/// A voter's notices as `channel state`, oldest first.
fn at_channels(world: &World, voter: &str) -> Vec<String> {
    let rows = world.rows("SELECT voter, channel, state FROM notice ORDER BY id");
    rows.iter()
        .filter(|row| row.text(0).unwrap() == voter)
        .map(|row| format!("{} {}", row.text(1).unwrap(), row.text(2).unwrap()))
        .collect()
}
