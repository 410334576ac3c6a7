//! Whom news reaches when the first contact cannot be used: the next one, whatever stands against the first and whenever it came.

use crate::on_both;
use crate::rig::{NOON, Rig, World, event, eventually, number};
use crate::sink::Manners;
use ballot_relay::clock::Clock as _;
use ballot_relay::intake::Taken;
use ballot_relay::news::{Channel, VOTED_IN_PERSON};
use ballot_relay::receipt::{Word, word};
use ballot_relay::stand_in::Settings;
use ballot_relay::suppress::suppress;
use ballot_relay::voter::{VoterId, contacts, set_off};
use relay_wire::ChangeEvent;
use relay_wire::Status::{Accepted, Mailed, Received, Voided};
use std::collections::BTreeMap;
use std::sync::Arc;
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

    /// A busy line, a refusal for the load, a text that was not listed: each is owed again, after it was corrected or the voter voted in
    /// person. It is not said then.
    fn what_was_overtaken_on_its_way_is_not_sent_again(rig) {
        let world = rig.whole(NIGHT, Settings::default(), Manners::default());
        for n in 0..2 {
            world.voter(&n.to_string(), &[(Channel::Voice, &number(n))]);
            world.take(&event(&n.to_string(), Received, 1, NIGHT));
        }
        world.settled();
        world.write(|tx| tx.run("UPDATE notice SET state = 'sent'", &[]));
        for overtaking in overtaking() {
            assert_eq!(world.take(&overtaking), Taken::Applied);
        }
        let now = world.clock.now();
        world.write(move |tx| {
            let sql = "UPDATE notice SET state = 'owed', next_at = $1 WHERE kind = 'received'";
            tx.run(sql, ballot_relay::params![now])
        });
        world.settled();
        world.clock.advance(Duration::from_hours(11));
        eventually("the correction", || {
            world.relay.owed.notify_waiters();
            world.notices() == ["received withdrawn", "received withdrawn", "correction delivered"]
        });
        assert_eq!(world.accepted().len(), 1);
        let whys = world.rows("SELECT why FROM notice WHERE kind = 'received' ORDER BY voter");
        assert_eq!(whys.iter().map(|row| row.text(0).unwrap()).collect::<Vec<_>>(), ["corrected", "voted_in_person"]);
    }

    /// The first contact fails only after that: the next one is not told of it.
    fn what_was_overtaken_is_told_to_no_next_contact(rig) {
        let world = rig.quiet(NOON);
        for n in 0..2 {
            scene(&world, &n.to_string());
            world.take(&event(&n.to_string(), Received, 1, NOON));
        }
        handed_over(&world);
        for overtaking in overtaking() {
            world.take(&overtaking);
        }
        for attempt in attempts(&world) {
            let (relay, now) = (Arc::clone(&world.relay), world.clock.now());
            world.write(move |tx| word(tx, &relay.config, &attempt, UNREACHABLE, now));
        }
        assert_eq!(at_channels(&world, "0"), ["text try_later", "text owed"]);
        assert_eq!(at_channels(&world, "1"), ["text try_later"]);
    }
}

/// A phone that is off.
const UNREACHABLE: Word<'static> =
    Word { provider_id: "SM0", status: "undelivered", code: "30003" };

/// A correction of the first voter's news; the second one voted in person.
fn overtaking() -> [ChangeEvent; 2] {
    let mut correction = event("0", Mailed, 2, NOON);
    correction.corrects = Some("0-1".to_owned());
    let mut voided = event("1", Voided, 2, NOON);
    voided.reason = Some(VOTED_IN_PERSON.to_owned());
    [correction, voided]
}

/// All that is owed was handed over, and no word of it came.
fn handed_over(world: &World) {
    world.write(|tx| {
        tx.run(
            "INSERT INTO attempt (id, notice, number, channel, address, account, sender, state, segments, started_at)
             SELECT id, id, 1, channel, address, '', '', 'accepted', 1, created_at FROM notice WHERE state = 'owed'",
            &[],
        )?;
        tx.run("UPDATE notice SET state = 'sent' WHERE state = 'owed'", &[])
    });
}

/// Attempts, oldest first.
fn attempts(world: &World) -> Vec<String> {
    world
        .rows("SELECT id FROM attempt ORDER BY id")
        .iter()
        .map(|row| row.text(0).unwrap())
        .collect()
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
