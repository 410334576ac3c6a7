//! Two transactions beside one another: on PostgreSQL neither sees what the other has not committed.

use crate::on_both;
use crate::rig::{COUNTY, NOON, World, event, number, pause};
use ballot_relay::clock::Clock as _;
use ballot_relay::intake;
use ballot_relay::news::Channel;
use ballot_relay::receipt::{Word, word};
use ballot_relay::store::{StoreError, Tx};
use crossbeam_channel::bounded;
use relay_wire::ChangeEvent;
use relay_wire::Status::{Mailed, Received};
use std::sync::Arc;
use std::time::Duration;

/// How long the second one is given to end or to wait for the first.
const MEANWHILE: Duration = Duration::from_millis(500);

on_both! {
    /// Two stations have the first news of a ballot: the one that happened later counts, whichever is committed last.
    fn of_two_first_news_of_a_ballot_the_later_happening_counts(rig) {
        let world = rig.quiet(NOON);
        let received = event("1", Received, 1, "2026-10-20T11:00:00-06:00");
        let mut mailed = event("1", Mailed, 1, "2026-10-20T10:00:00-06:00");
        "other".clone_into(&mut mailed.id);
        "intake-2".clone_into(&mut mailed.station);
        beside(&world, taking(&world, received), taking(&world, mailed));
        assert_eq!(world.rows("SELECT status FROM ballot")[0].text(0).unwrap(), "received");
        assert_eq!(world.count("SELECT COUNT(*) FROM event WHERE state = 'stale'"), 1);
    }

    /// Both first contacts fail at once: the next one is told, once.
    fn the_next_contact_hears_what_two_first_ones_cannot_at_once(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, &number(1)), (Channel::Voice, &number(1)), (Channel::Email, "ana@example.org")]);
        world.write(|tx| tx.run("UPDATE contact SET first = 1 WHERE channel = 'voice'", &[]));
        world.take(&event("1", Received, 1, NOON));
        world.write(|tx| {
            tx.run(
                "INSERT INTO attempt (id, notice, number, channel, address, account, sender, state, segments,
                 started_at) SELECT channel, id, 1, channel, address, '', '', 'accepted', 1, created_at FROM notice",
                &[],
            )?;
            tx.run("UPDATE notice SET state = 'sent'", &[])
        });
        beside(&world, failing(&world, "text"), failing(&world, "voice"));
        let told = world.rows("SELECT channel, state FROM notice ORDER BY channel");
        let told: Vec<_> = told.iter().map(|row| (row.text(0).unwrap(), row.text(1).unwrap())).collect();
        let expected = [("email", "owed"), ("text", "bad_address"), ("voice", "bad_address")];
        assert_eq!(told, expected.map(|(channel, state)| (channel.to_owned(), state.to_owned())));
    }
}

/// An event, as the stations' door takes it.
fn taking(
    world: &World,
    event: ChangeEvent,
) -> impl FnMut(&mut Tx<'_>) -> Result<(), StoreError> + Send + 'static {
    let (relay, now) = (Arc::clone(&world.relay), world.clock.now());
    move |tx| intake::take(tx, &relay.config, COUNTY, (&event, &event.to_body()), now).map(drop)
}

/// A word that there is no such number.
fn failing(
    world: &World,
    attempt: &'static str,
) -> impl FnMut(&mut Tx<'_>) -> Result<(), StoreError> + Send + 'static {
    let (relay, now) = (Arc::clone(&world.relay), world.clock.now());
    move |tx| {
        let dead = Word { provider_id: attempt, status: "failed", code: "30005" };
        word(tx, &relay.config, attempt, dead, now).map(drop)
    }
}

/// The second begins when the first has done its part, and the first commits when the second has ended or waits for it.
fn beside(
    world: &World,
    mut first: impl FnMut(&mut Tx<'_>) -> Result<(), StoreError> + Send + 'static,
    second: impl FnMut(&mut Tx<'_>) -> Result<(), StoreError> + Send + 'static,
) {
    let ((done_tx, done), (go, go_rx)) = (bounded(8), bounded::<()>(8));
    let (one, two) = (world.relay.store.clone(), world.relay.store.clone());
    let one = world.runtime.spawn(async move {
        let held = move |tx: &mut Tx<'_>| {
            first(tx)?;
            done_tx.send(()).unwrap();
            go_rx.recv().unwrap();
            Ok(())
        };
        one.write(held).await
    });
    done.recv().unwrap();
    let two = world.runtime.spawn(async move { two.write(second).await });
    for _ in 0..MEANWHILE.as_millis() / 10 {
        if two.is_finished() {
            break;
        }
        pause(Duration::from_millis(10));
    }
    // Should the first be run again, it finds a second word.
    go.send(()).unwrap();
    go.send(()).unwrap();
    world.runtime.block_on(one).unwrap().unwrap();
    world.runtime.block_on(two).unwrap().unwrap();
}
