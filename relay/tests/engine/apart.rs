//! Relay and stations apart for three days, then together: everything arrives, in order, and a replay of it all changes nothing.

use crate::on_both;
use crate::rig::{at, event, eventually, number};
use crate::sink::Manners;
use ballot_relay::clock::{Clock as _, Micros};
use ballot_relay::intake::Taken;
use ballot_relay::news::Channel;
use ballot_relay::stand_in::Settings;
use relay_wire::ChangeEvent;
use relay_wire::Status::{Accepted, Mailed, Received};
use std::time::Duration;

const START: &str = "2026-10-17T09:00:00-06:00";
const VOTERS: usize = 25;

on_both! {
    /// See above.
    fn after_three_days_everything_arrives_in_order(rig) {
        let world = rig.whole(START, Settings::default(), Manners::default());
        for n in 0..VOTERS {
            world.voter(&n.to_string(), &[(Channel::Text, &number(n))]);
        }
        // The station goes on for three days and nobody hears of it; then all comes at once, day by day of each ballot.
        let events: Vec<ChangeEvent> = (0..VOTERS).flat_map(three_days).collect();
        world.clock.advance(Duration::from_hours(72));
        for event in &events {
            assert_eq!(world.take(event), Taken::Applied);
            world.settled();
            world.clock.advance(Duration::from_secs(1));
        }
        check_texts(&world);
        let before = state(&world);
        for event in events.iter().rev() {
            assert_eq!(world.take(event), Taken::Repeat);
        }
        world.settled();
        check_texts(&world);
        assert_eq!(state(&world), before);
    }

    /// The second text waits for another one on its way to that number; the third comes when that has ended, and does not overtake.
    fn no_news_overtakes_what_waits_for_its_number(rig) {
        let world = rig.whole(START, Settings::default(), Manners::default());
        world.voter("0", &[(Channel::Text, &number(0))]);
        let [mailed, received, accepted] = <[ChangeEvent; 3]>::try_from(today(0)).unwrap();
        world.take(&mailed);
        eventually("the first text", || world.notices() == ["mailed delivered"]);
        let now = world.clock.now();
        world.write(move |tx| {
            tx.run(
                "INSERT INTO attempt (id, notice, number, channel, address, account, sender, state, segments,
                 started_at) VALUES ('another', 'another', 1, 'text', $1, '', '', 'calling', 1, $2)",
                ballot_relay::params![number(0), now],
            )
        });
        world.take(&received);
        eventually("one that waits", || world.count("SELECT COUNT(*) FROM notice WHERE why = 'address'") == 1);
        world.write(|tx| tx.run("UPDATE attempt SET state = 'accepted' WHERE id = 'another'", &[]));
        world.take(&accepted);
        eventually("all three", || {
            world.settled();
            world.clock.advance(Duration::from_secs(1));
            world.accepted().len() == 3
        });
        let mut told = world.accepted();
        told.sort_by_key(|one| one.created);
        for (text, word) in told.iter().zip(["was mailed", "we received", "accepted"]) {
            assert!(text.body.contains(word), "{}", text.body);
        }
    }
}

/// All on one morning.
fn today(n: usize) -> Vec<ChangeEvent> {
    [(Mailed, 1), (Received, 2), (Accepted, 3)]
        .map(|(status, sequence)| event(&n.to_string(), status, sequence, START))
        .to_vec()
}

fn three_days(n: usize) -> Vec<ChangeEvent> {
    let day = |days: u64| at(START).plus(Duration::from_hours(24 * days)).rfc3339();
    [(Mailed, 1), (Received, 2), (Accepted, 3)]
        .map(|(status, sequence)| event(&n.to_string(), status, sequence, &day(sequence - 1)))
        .to_vec()
}

/// Each voter got three texts, in the order of what happened, each with the day on which it happened.
fn check_texts(world: &crate::rig::World) {
    let mut accepted = world.accepted();
    accepted.sort_by_key(|one| one.created);
    assert_eq!(accepted.len(), VOTERS * 3);
    for n in 0..VOTERS {
        let texts: Vec<_> = accepted.iter().filter(|one| one.to == number(n)).collect();
        let days = [
            "mailed October 17, 2026",
            "envelope for the General Election October 18, 2026",
            "accepted October 19, 2026",
        ];
        assert_eq!(texts.len(), days.len());
        for (text, day) in texts.iter().zip(days) {
            assert!(text.body.contains(day), "{}", text.body);
            assert!(Micros(text.created) >= at(START).plus(Duration::from_hours(72)));
        }
    }
    assert!(world.clock.now() >= at(START).plus(Duration::from_hours(72)));
}

fn state(world: &crate::rig::World) -> Vec<ballot_relay::store::Row> {
    let mut rows =
        world.rows("SELECT id, state, tries FROM event, (SELECT 0 AS tries) t ORDER BY id");
    rows.extend(world.rows("SELECT ballot, status, happened_at FROM ballot ORDER BY ballot"));
    rows.extend(world.rows("SELECT id, cause, kind FROM notice ORDER BY id"));
    rows.extend(world.rows("SELECT id, notice, number FROM attempt ORDER BY id"));
    rows
}
