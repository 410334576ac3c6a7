//! What providers say: late, twice, in any order, or never; and what is done when they say no.

use crate::on_both;
use crate::rig::{ACCOUNT, COUNTY, NOON, TOKEN, World, at, client, event, eventually, number};
use crate::sink::Manners;
use ballot_relay::callback::bounce::{self, Bounce};
use ballot_relay::channel::Channels;
use ballot_relay::clock::Clock as _;
use ballot_relay::news::Channel;
use ballot_relay::notice;
use ballot_relay::receipt::{Word, word};
use ballot_relay::stand_in::{End, Settings};
use ballot_relay::suppress::{self, Reply};
use ballot_relay::voter::{self, FirstOrNext, VoterId};
use relay_wire::Status::{Accepted, Received};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const VOTERS: usize = 30;

on_both! {
    /// Callbacks are delayed, repeated and reordered, and a third is lost: the final statuses are right all the same.
    fn final_statuses_are_right_however_callbacks_come(rig) {
        let ends = BTreeMap::from([
            (number(0), End { status: "undelivered".to_owned(), error_code: Some(30_005) }),
            (number(1), End { status: "undelivered".to_owned(), error_code: Some(30_003) }),
            (number(2), End { status: "failed".to_owned(), error_code: Some(30_007) }),
        ]);
        let settings = Settings {
            callback_delay_ms: 30,
            callback_repeats: 2,
            callback_reorder: true,
            callback_lose_percent: 34,
            ends,
            ..Settings::default()
        };
        let world = rig.whole(NOON, settings, Manners::default());
        for n in 0..VOTERS {
            world.voter(&n.to_string(), &[(Channel::Text, &number(n))]);
            world.take(&event(&n.to_string(), Received, 1, NOON));
        }
        eventually("a final status of every text", || {
            // What was lost is asked for, when its time has come.
            world.clock.advance(Duration::from_millis(200));
            world.relay.owed.notify_waiters();
            world.count("SELECT COUNT(*) FROM notice WHERE state IN ('owed', 'calling', 'unknown', 'sent')") == 0
        });
        let rows = world.rows("SELECT voter, state FROM notice");
        let of = |voter: &str| {
            let row = rows.iter().find(|row| row.text(0).unwrap() == voter).unwrap();
            row.text(1).unwrap()
        };
        assert_eq!((of("0").as_str(), of("1").as_str(), of("2").as_str()), ("bad_address", "try_later", "ours"));
        assert!((3..VOTERS).all(|n| of(&n.to_string()) == "delivered"));
        assert_eq!(world.accepted().len(), VOTERS);
        // A dead number is parked, and the office hears of what is ours.
        assert_eq!(world.count("SELECT COUNT(*) FROM contact WHERE state = 'parked'"), 1);
        assert_eq!(world.count("SELECT COUNT(*) FROM alarm WHERE kind = 'channel'"), 1);
    }

    /// No receipt comes in three days: unconfirmed. The late callback corrects it.
    fn a_late_receipt_corrects_a_time_out(rig) {
        let settings = Settings { callback_delay_ms: 2_000, ..Settings::default() };
        let world = rig.whole(NOON, settings, Manners::default());
        world.voter("0", &[(Channel::Text, &number(0))]);
        world.take(&event("0", Received, 1, NOON));
        world.settled();
        world.clock.advance(Duration::from_hours(73));
        eventually("a time-out", || world.notices() == ["received unconfirmed"]);
        eventually("the late receipt", || world.notices() == ["received delivered"]);
        assert_eq!(world.count("SELECT timed_out FROM notice"), 1);
    }

    /// A phone that nobody answers is called three times in all, twenty minutes apart; a call that failed is not made again.
    fn a_call_that_nobody_answers_is_made_again(rig) {
        let end = |status: &str| End { status: status.to_owned(), error_code: None };
        let ends = BTreeMap::from([(number(0), end("no-answer")), (number(1), end("busy")), (number(2), end("failed"))]);
        let settings = Settings { ends, ..Settings::default() };
        let world = rig.whole(NOON, settings, Manners::default());
        for n in 0..3 {
            world.voter(&n.to_string(), &[(Channel::Voice, &number(n))]);
            world.take(&event(&n.to_string(), Received, 1, NOON));
        }
        for n_calls in [3, 5, 7] {
            eventually("calls that ended", || {
                world.relay.owed.notify_waiters();
                world.count("SELECT COUNT(*) FROM receipt") == n_calls
            });
            world.clock.advance(Duration::from_mins(21));
        }
        world.settled();
        assert_eq!(world.notices(), ["received try_later", "received try_later", "received ours"]);
        let called = |n| world.accepted().iter().filter(|one| one.to == number(n)).count();
        assert_eq!([0, 1, 2].map(called), [3, 3, 1]);
    }

    /// The provider's queue, or the carrier's day, is full: the text goes later, the other one on the carrier's next day.
    fn a_text_that_there_is_no_room_for_goes_later(rig) {
        let end = |code| End { status: "failed".to_owned(), error_code: Some(code) };
        let ends = BTreeMap::from([(number(0), end(30_001)), (number(1), end(30_023))]);
        let world = rig.whole(NOON, Settings { ends, ..Settings::default() }, Manners::default());
        for n in 0..2 {
            world.voter(&n.to_string(), &[(Channel::Text, &number(n))]);
            world.take(&event(&n.to_string(), Received, 1, NOON));
        }
        eventually("two refusals", || world.count("SELECT COUNT(*) FROM notice WHERE tries = 1") == 2);
        assert_eq!(world.notices(), ["received owed", "received owed"]);
        let next = world.rows("SELECT next_at FROM notice ORDER BY voter");
        let times = ["2026-10-20T12:20:00-06:00", "2026-10-21T00:00:00-07:00"].map(at);
        assert_eq!([0, 1].map(|n: usize| next[n].at(0).unwrap()), times);
        assert_eq!(world.count("SELECT COUNT(*) FROM alarm WHERE subject = '30023'"), 1);
        world.settings(&Settings::default());
        world.clock.set(at("2026-10-21T09:00:00-06:00"));
        eventually("both texts", || {
            world.relay.owed.notify_waiters();
            world.notices() == ["received delivered", "received delivered"]
        });
        assert_eq!(world.accepted().len(), 4);
    }

    /// The number is not registered, which a callback says: its texts wait, and none is spent.
    fn a_number_that_is_refused_later_rests(rig) {
        let ends = BTreeMap::from([(number(0), End { status: "failed".to_owned(), error_code: Some(30_034) })]);
        let world = rig.whole(NOON, Settings { ends, ..Settings::default() }, Manners::default());
        world.voter("0", &[(Channel::Text, &number(0))]);
        world.voter("1", &[(Channel::Text, &number(1))]);
        world.take(&event("0", Received, 1, NOON));
        eventually("an alarm", || world.count("SELECT COUNT(*) FROM alarm WHERE subject = '30034'") == 1);
        world.settings(&Settings::default());
        world.take(&event("1", Received, 1, NOON));
        assert_eq!(world.accepted().len(), 1);
        assert_eq!(world.notices(), ["received owed", "received owed"]);
        world.clock.advance(Duration::from_mins(11));
        eventually("both texts", || {
            world.relay.owed.notify_waiters();
            world.notices() == ["received delivered", "received delivered"]
        });
        let late = at("2026-10-20T12:10:00-06:00").0;
        let mut told: Vec<_> = world.accepted().into_iter().map(|one| (one.to, one.created >= late)).collect();
        told.sort();
        assert_eq!(told, [(number(0), false), (number(0), true), (number(1), true)]);
    }

    /// There is no such account at that address: nothing is spent, the office is told, and all is sent when it is put right.
    fn a_provider_that_is_not_found_loses_nothing(rig) {
        let mut world = rig.whole(NOON, Settings::default(), Manners::default());
        let url = world.config.text.as_ref().unwrap().api_url.clone();
        world.config.text.as_mut().unwrap().api_url = format!("{url}/elsewhere");
        world.restart();
        world.voter("0", &[(Channel::Text, &number(0))]);
        world.take(&event("0", Received, 1, NOON));
        eventually("an alarm", || world.count("SELECT COUNT(*) FROM alarm WHERE subject = '404'") == 1);
        assert_eq!(world.notices(), ["received owed"]);
        world.config.text.as_mut().unwrap().api_url = url;
        world.restart();
        eventually("a text", || world.notices() == ["received delivered"]);
        assert_eq!(world.accepted().len(), 1);
    }

    /// The first contact is dead: the next one hears it, once.
    fn the_next_contact_hears_what_the_first_cannot(rig) {
        let settings = Settings { refused: BTreeMap::from([(number(0), 21_614)]), ..Settings::default() };
        let world = rig.whole(NOON, settings, Manners::default());
        world.voter("0", &[(Channel::Text, &number(0)), (Channel::Email, "ana@example.org")]);
        world.take(&event("0", Received, 1, NOON));
        let sink = world.sink.as_ref().unwrap();
        let mut mails = Vec::new();
        eventually("an e-mail", || {
            mails.extend(sink.take());
            !mails.is_empty()
        });
        world.settled();
        assert_eq!(world.notices(), ["received bad_address", "received sent"]);
        let mail = &mails[0];
        assert!(mail.header("List-Unsubscribe").unwrap().contains("/unsubscribe/"), "{}", mail.text);
        assert_eq!(mail.header("List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
        assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
        assert_eq!(mail.header("MIME-Version").as_deref(), Some("1.0"));
        // It bounces: the address is parked; a forged bounce, and the same one again, change nothing.
        let failed = Bounce { action: "failed".to_owned(), status: "5.1.1".to_owned() };
        for (recipient, expected) in [
            ("bounce+00000000000000000000000000000000.00000000000000000000@x.org".to_owned(), false),
            (mail.return_path.clone(), true),
            (mail.return_path.clone(), false),
        ] {
            let (relay, now, failed) = (Arc::clone(&world.relay), world.clock.now(), failed.clone());
            let taken = world.write(move |tx| {
                bounce::take(tx, &relay.config, (&recipient, &failed), now)
            });
            assert_eq!(taken, expected);
        }
        assert_eq!(world.notices(), ["received bad_address", "received bad_address"]);
    }

    /// It was not listed when it was asked for, but its callback comes before the text is sent once more: it is not.
    fn a_late_word_of_an_unlisted_text_holds_it_back(rig) {
        for (status, notice) in [("queued", "received sent"), ("sent", "received sent"), ("delivered", "received delivered")] {
            let world = rig.quiet(NOON);
            world.write(|tx| {
                tx.run("DELETE FROM notice", &[])?;
                tx.run("DELETE FROM attempt", &[])
            });
            world.voter(status, &[(Channel::Text, &number(0))]);
            world.take(&event(status, Received, 1, NOON));
            let (relay, now) = (Arc::clone(&world.relay), world.clock.now());
            world.write(move |tx| {
                tx.run(
                    "INSERT INTO attempt (id, notice, number, channel, address, account, sender, state, segments,
                     started_at) SELECT id, id, 1, channel, address, '', '', 'absent', 1, created_at FROM notice",
                    &[],
                )?;
                let id = tx.rows("SELECT id FROM attempt", &[])?[0].text(0)?;
                word(tx, &relay.config, &id, Word { provider_id: status, status, code: "" }, now)
            });
            assert_eq!(world.notices(), [notice]);
            assert_eq!(world.count("SELECT COUNT(*) FROM alarm WHERE subject = 'late listing'"), 1);
        }
    }

    /// Only what says that there is no such mailbox parks it: a full one, or a server that refuses us, does not.
    fn a_bounce_says_who_must_act(rig) {
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        for (n, (status, state, contact)) in [
            ("5.1.1", "bad_address", "parked"),
            ("5.1.8", "ours", "confirmed"),
            ("5.2.2", "try_later", "confirmed"),
            ("5.7.26", "ours", "confirmed"),
            ("4.4.7", "try_later", "confirmed"),
        ]
        .into_iter()
        .enumerate()
        {
            let address = format!("{n}@example.org");
            world.voter(&n.to_string(), &[(Channel::Email, &address)]);
            world.take(&event(&n.to_string(), Received, 1, NOON));
            let mut mails = Vec::new();
            eventually("an e-mail", || {
                mails.extend(world.sink.as_ref().unwrap().take());
                !mails.is_empty()
            });
            world.settled();
            let (relay, now) = (Arc::clone(&world.relay), world.clock.now());
            let (recipient, failed) =
                (mails[0].return_path.clone(), Bounce { action: "failed".to_owned(), status: status.to_owned() });
            assert!(world.write(move |tx| bounce::take(tx, &relay.config, (&recipient, &failed), now)));
            let rows = world.rows("SELECT n.address, n.state, c.state FROM notice n JOIN contact c ON c.id = n.contact");
            let row = rows.iter().find(|row| row.text(0).unwrap() == address).unwrap();
            assert_eq!((row.text(1).unwrap().as_str(), row.text(2).unwrap().as_str()), (state, contact), "{status}");
        }
    }

    /// A bare 550 may be about us, and what is said to `DATA` is about the message: neither parks the address, nor stops the channel.
    fn a_mail_servers_refusal_says_who_must_act(rig) {
        let manners = Manners {
            recipient: &[
                ("0@example.org", "550 no"),
                ("1@example.org", "550 5.7.1 no"),
                ("2@example.org", "550 5.1.1 nobody"),
            ],
            message: &[("3@example.org", "554 5.6.0 no")],
            ..Manners::default()
        };
        let world = rig.whole(NOON, Settings::default(), manners);
        for n in 0..5 {
            world.voter(&n.to_string(), &[(Channel::Email, &format!("{n}@example.org"))]);
            world.take(&event(&n.to_string(), Received, 1, NOON));
        }
        world.settled();
        let rows = world.rows(
            "SELECT n.state, c.state FROM notice n JOIN contact c ON c.id = n.contact ORDER BY n.voter",
        );
        let states: Vec<_> = rows.iter().map(|row| (row.text(0).unwrap(), row.text(1).unwrap())).collect();
        let ours = ("ours".to_owned(), "confirmed".to_owned());
        let dead = ("bad_address".to_owned(), "parked".to_owned());
        let well = ("sent".to_owned(), "confirmed".to_owned());
        assert_eq!(states, [ours.clone(), ours.clone(), dead, ours, well]);
    }

    /// Another process, whose clock is ahead, filled the bucket: it does not fill up twice for the same time.
    fn a_bucket_never_goes_back_in_time(rig) {
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        let ahead = world.clock.now().plus(Duration::from_mins(1));
        world.write(move |tx| {
            tx.run(
                "INSERT INTO bucket (name, tokens, filled_at) VALUES ('text:+13035550199', 50000, $1)",
                ballot_relay::params![ahead],
            )
        });
        world.voter("0", &[(Channel::Text, &number(0))]);
        world.take(&event("0", Received, 1, NOON));
        world.settled();
        assert_eq!(world.accepted().len(), 1);
        assert_eq!(world.count("SELECT filled_at FROM bucket"), ahead.0);
    }

    /// The longest text goes out where the number may send one segment a second.
    fn the_longest_text_fits_into_the_slowest_bucket(rig) {
        let mut rig: crate::rig::Rig = rig;
        rig.per_second = 1.0;
        let folder = rig.path("words");
        std::fs::create_dir(&folder).unwrap();
        let words = format!("[notices.received]\ntext = '{}'\n", "\u{e1}".repeat(1_600));
        crate::rig::written(&folder, "en.toml", &words);
        rig.words = Some(folder);
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        world.voter("0", &[(Channel::Text, &number(0))]);
        world.take(&event("0", Received, 1, NOON));
        world.settled();
        assert_eq!(world.accepted().len(), 1);
    }

    /// The provider takes a text and never answers, answers 500 after it took it, or before: each text is sent once.
    fn a_text_whose_answer_is_missing_is_not_sent_twice(rig) {
        let settings = Settings {
            stall_every: 5,
            fail_after_every: 7,
            fail_before_every: 3,
            callbacks: false,
            ..Settings::default()
        };
        let world = rig.whole(NOON, settings, Manners::default());
        for n in 0..VOTERS {
            world.voter(&n.to_string(), &[(Channel::Text, &number(n))]);
            world.take(&event(&n.to_string(), Received, 1, NOON));
        }
        eventually("a delivery of every text", || {
            world.clock.advance(Duration::from_millis(100));
            world.relay.owed.notify_waiters();
            world.count("SELECT COUNT(*) FROM notice WHERE state = 'delivered'") == 30
        });
        let mut told: Vec<_> = world.accepted().into_iter().map(|one| one.to).collect();
        told.sort();
        assert_eq!(told, (0..VOTERS).map(number).collect::<Vec<_>>());
        assert!(world.count("SELECT COUNT(*) FROM attempt WHERE state = 'absent'") > 0);
    }

    /// The number that sends is configured anew while an outcome is not known: it is looked for under the old one.
    fn an_unknown_text_is_looked_for_under_the_number_that_sent_it(rig) {
        let mut world = rig.whole(NOON, Settings::default(), Manners::default());
        unanswered(&world);
        "+13035550142".clone_into(&mut world.config.text.as_mut().unwrap().from);
        world.restart();
        eventually("a delivery", || {
            world.clock.advance(Duration::from_millis(200));
            world.notices() == ["received delivered"]
        });
        assert_eq!(world.accepted().len(), 1);
    }

    /// Another account cannot say what became of it: it is not sent again, the office hears of it, and in the end it is unconfirmed.
    fn what_nobody_can_say_is_told_to_the_office(rig) {
        let mut world = rig.whole(NOON, Settings::default(), Manners::default());
        unanswered(&world);
        "AC11111111111111111111111111111111".clone_into(&mut world.config.text.as_mut().unwrap().account);
        world.restart();
        eventually("an alarm", || {
            world.clock.advance(Duration::from_secs(1));
            world.count("SELECT COUNT(*) FROM alarm WHERE subject = 'text unknown'") == 1
        });
        assert_eq!(world.notices(), ["received unknown"]);
        world.clock.advance(Duration::from_hours(72));
        eventually("an end", || world.notices() == ["received unconfirmed"]);
        assert_eq!(world.accepted().len(), 1);
    }

    /// A call of somebody else's to the same number, by the same account, is not ours: ours is made.
    fn a_foreign_call_is_not_adopted(rig) {
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        world.voter("0", &[(Channel::Voice, &number(0))]);
        let url = format!("{}/2010-04-01/Accounts/{ACCOUNT}/Calls.json", world.provider.as_deref().unwrap());
        let form = [("To", number(0)), ("From", "+13035550142".to_owned()), ("Twiml", "<Response/>".to_owned())];
        let request = client().post(url).basic_auth(ACCOUNT, Some(TOKEN)).form(&form);
        let answer = world.runtime.block_on(async { request.send().await.unwrap() });
        assert_eq!(answer.status().as_u16(), 201);
        // The provider is away for a moment: whether it took our call is not known.
        world.settings(&Settings { fail_before_every: 1, ..Settings::default() });
        world.take(&event("0", Received, 1, NOON));
        eventually("a call without an answer", || {
            world.count("SELECT COUNT(*) FROM attempt WHERE state = 'unknown'") == 1
        });
        world.settings(&Settings::default());
        world.clock.advance(Duration::from_secs(10));
        eventually("a call that was answered", || world.notices() == ["received delivered"]);
        assert_eq!(world.accepted().len(), 2);
    }

    /// What was created long before an attempt, or long after it, is none of its.
    fn a_list_shows_what_was_created_about_then(rig) {
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        world.voter("0", &[(Channel::Voice, &number(0))]);
        world.take(&event("0", Received, 1, NOON));
        eventually("a call that was answered", || world.notices() == ["received delivered"]);
        let voice = Channels::new(&world.relay.config).unwrap().voice.unwrap();
        let now = world.clock.now();
        for (started_at, n) in [
            (now, 1),
            (now.minus(Duration::from_mins(30)), 0),
            (now.plus(Duration::from_mins(30)), 0),
        ] {
            let listed = world.runtime.block_on(voice.list(&number(0), "+13035550199", started_at)).unwrap();
            assert_eq!(listed.len(), n);
        }
    }

    /// "This wasn't me", as it stands on the page and in messages, is an alarm when it is texted.
    fn a_text_that_it_was_not_the_voter_raises_an_alarm(rig) {
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        world.voter("0", &[(Channel::Text, &number(0))]);
        world.take(&event("0", Received, 1, NOON));
        eventually("a text", || world.notices() == ["received delivered"]);
        world.text_from(&number(0), "This wasn\u{2019}t me!");
        eventually("an alarm", || world.count("SELECT COUNT(*) FROM alarm WHERE kind = 'not_me'") == 1);
    }

    /// 429, then a wrong token: nothing is lost, the office is told, and all is sent when it is well again.
    fn a_provider_that_refuses_everything_loses_nothing(rig) {
        let settings = Settings { rate_per_second: 1, ..Settings::default() };
        let world = rig.whole(NOON, settings, Manners::default());
        for n in 0..5 {
            world.voter(&n.to_string(), &[(Channel::Text, &number(n))]);
            world.take(&event(&n.to_string(), Received, 1, NOON));
        }
        eventually("a text that got through", || !world.accepted().is_empty());
        world.settings(&Settings::default());
        eventually("all texts", || {
            // One that is refused late is due later.
            world.clock.advance(Duration::from_millis(100));
            world.relay.owed.notify_waiters();
            world.accepted().len() == 5
        });
    }

    /// Who is called can end the calls, and say that it was not them, by a key.
    fn a_key_ends_the_calls(rig) {
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        world.voter("0", &[(Channel::Voice, &number(0))]);
        world.take(&event("0", Received, 1, NOON));
        eventually("a call that was answered", || world.notices() == ["received delivered"]);
        let sid = world.accepted()[0].sid.clone();
        for (key, alarms, stopped) in [("5", 0, 0), ("7", 1, 0), ("7", 1, 0), ("9", 1, 1)] {
            world.press(&sid, key);
            eventually("what a key does", || {
                world.count("SELECT COUNT(*) FROM alarm WHERE kind = 'not_me'") == alarms
                    && world.count("SELECT COUNT(*) FROM suppression WHERE channel = 'voice'") == stopped
            });
        }
        world.take(&event("0", Accepted, 2, NOON));
        world.settled();
        assert_eq!(world.notices(), ["received delivered"]);
        // A voter who wants the calls again is called with a code; somebody else's wish calls nobody.
        let (now, stranger) = (world.clock.now(), world.voter("1", &[]));
        let own = VoterId { voter: "0".to_owned(), ..stranger.clone() };
        world.write(move |tx| {
            let place = (Channel::Voice, number(0));
            let place = (place.0, place.1.as_str());
            voter::add_contact(tx, &own, place, FirstOrNext::First, now)?;
            notice::owe_code(tx, "00000000000000000001", &own, place, "en", now)?;
            notice::owe_code(tx, "00000000000000000002", &stranger, place, "en", now)
        });
        eventually("a call with the code", || {
            world.clock.advance(Duration::from_secs(1));
            world.relay.owed.notify_waiters();
            world.count("SELECT COUNT(*) FROM notice WHERE kind = 'code' AND state IN ('delivered', 'opted_out')") == 2
        });
        let called = world.rows("SELECT voter FROM notice WHERE kind = 'code' AND state = 'delivered'");
        assert_eq!(called.iter().map(|row| row.text(0).unwrap()).collect::<Vec<_>>(), ["0"]);
        world.write(|tx| suppress::want_again(tx, (Channel::Voice, &number(0))));
        assert_eq!(world.count("SELECT COUNT(*) FROM suppression"), 0);
        // Unsubscribed from texts: YES, to the question that the voter asked for, wants them again.
        world.write(move |tx| {
            let place = (Channel::Text, number(0));
            let place = (place.0, place.1.as_str());
            suppress::suppress(tx, place, "unsubscribed", now)?;
            suppress::hear(tx, ("SM1", place.1), Reply::Yes, now)
        });
        assert_eq!(world.count("SELECT COUNT(*) FROM suppression"), 1, "nobody was asked");
        world.write(move |tx| {
            let own = VoterId { county: COUNTY.to_owned(), voter: "0".to_owned() };
            let number = number(0);
            voter::add_contact(tx, &own, (Channel::Text, &number), FirstOrNext::First, now)?;
            suppress::hear(tx, ("SM2", &number), Reply::Yes, now)
        });
        assert_eq!(world.count("SELECT COUNT(*) FROM suppression"), 0);
    }
}

/// A text that the provider took, and answered 500: its outcome is not known.
fn unanswered(world: &World) {
    world.settings(&Settings { fail_after_every: 1, callbacks: false, ..Settings::default() });
    world.voter("0", &[(Channel::Text, &number(0))]);
    world.take(&event("0", Received, 1, NOON));
    eventually("a text without an answer", || {
        world.count("SELECT COUNT(*) FROM attempt WHERE state = 'unknown'") == 1
    });
    world.settings(&Settings::default());
}
