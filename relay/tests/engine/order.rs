//! What is taken: each ballot's events in their order, once, and what follows from each.

use crate::on_both;
use crate::rig::{NOON, event};
use ballot_relay::intake::Taken;
use ballot_relay::news::{Channel, VOTED_IN_PERSON};
use relay_wire::Status::{self, Accepted, Mailed, Received, Voided};

on_both! {
    /// A gap is noticed and waited for; what waited is applied with what was missing.
    fn a_ballots_events_are_applied_in_their_order(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        let of = |status, sequence| event("1", status, sequence, NOON);
        assert_eq!(world.take(&of(Accepted, 3)), Taken::Waiting);
        assert_eq!(world.take(&of(Received, 2)), Taken::Waiting);
        assert_eq!(world.notices(), Vec::<String>::new());
        assert_eq!(world.take(&of(Mailed, 1)), Taken::Applied);
        assert_eq!(world.notices(), ["mailed owed", "received owed", "accepted owed"]);
        assert_eq!(world.count("SELECT COUNT(*) FROM event WHERE state = 'applied'"), 3);
        let ballot = &world.rows("SELECT status FROM ballot")[0];
        assert_eq!(ballot.text(0).unwrap(), "accepted");
    }

    /// The same event again is a repeat; another one under its id or its number is refused.
    fn an_event_is_taken_once(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Email, "ana@example.org")]);
        let first = event("1", Received, 1, NOON);
        assert_eq!(world.take(&first), Taken::Applied);
        assert_eq!(world.take(&first), Taken::Repeat);
        let mut same_id = first.clone();
        same_id.status = Accepted;
        assert_eq!(world.take(&same_id), Taken::Conflict);
        let mut same_number = first.clone();
        "other".clone_into(&mut same_number.id);
        assert_eq!(world.take(&same_number), Taken::Conflict);
        assert_eq!(world.notices(), ["received owed"]);
    }

    /// A correction before anything was sent leaves nothing to be said; it is never announced.
    fn what_is_corrected_before_it_is_sent_is_never_announced(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        world.take(&event("1", Mailed, 1, NOON));
        world.write(|tx| tx.run("UPDATE notice SET state = 'delivered'", &[]));
        world.take(&event("1", Received, 2, NOON));
        world.take(&corrected(Mailed, 3));
        assert_eq!(world.notices(), ["mailed delivered", "received withdrawn"]);
    }

    /// After it was sent, whoever heard it hears that it was wrong.
    fn what_was_sent_gets_a_correction(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101"), (Channel::Email, "ana@example.org")]);
        world.take(&event("1", Received, 1, NOON));
        world.write(|tx| tx.run("UPDATE notice SET state = 'delivered'", &[]));
        world.voter("2", &[(Channel::Text, "+13035550102")]);
        let mut correction = corrected(Mailed, 2);
        correction.corrects = Some("1-1".to_owned());
        world.take(&correction);
        assert_eq!(world.notices(), ["received delivered", "correction owed"]);
        let fields = world.rows("SELECT fields FROM notice WHERE kind = 'correction'")[0].text(0).unwrap();
        assert_eq!(fields, r#"{"earlier":"received","status":"mailed"}"#);
    }

    /// Who voted in person hears nothing more about mail, and what was owed is withdrawn.
    fn nothing_is_said_about_mail_to_who_voted_in_person(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        world.take(&event("1", Mailed, 1, NOON));
        let mut voided = event("1", Voided, 2, NOON);
        voided.reason = Some(VOTED_IN_PERSON.to_owned());
        assert_eq!(world.take(&voided), Taken::Applied);
        assert_eq!(world.take(&event("1", Received, 3, NOON)), Taken::Applied);
        assert_eq!(world.notices(), ["mailed withdrawn"]);
    }

    /// Another station's news of a later time was first: it is known all the same that the voter voted in person.
    fn who_voted_in_person_is_known_however_late_it_is_said(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        world.take(&event("1", Received, 1, "2026-10-20T11:00:00-06:00"));
        assert_eq!(world.take(&in_person("other", "2026-10-20T10:00:00-06:00")), Taken::Applied);
        assert_eq!(world.count("SELECT COUNT(*) FROM in_person"), 1);
        world.take(&event("1", Accepted, 2, "2026-10-20T11:30:00-06:00"));
        assert_eq!(world.notices(), ["received withdrawn"]);
    }

    /// It was a mistake: the voter hears of the mail ballot again, unless another source says so too.
    fn a_correction_takes_back_that_somebody_voted_in_person(rig) {
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        world.take(&event("1", Mailed, 1, NOON));
        let mut voided = event("1", Voided, 2, NOON);
        voided.reason = Some(VOTED_IN_PERSON.to_owned());
        world.take(&voided);
        world.take(&corrected(Mailed, 3));
        assert_eq!(world.count("SELECT COUNT(*) FROM in_person"), 0);
        world.take(&event("1", Received, 4, NOON));
        let notices = world.notices();
        assert_eq!(notices.last().map(String::as_str), Some("received owed"), "{notices:?}");
        // Two say it and one takes it back.
        world.take(&in_person("other", "2026-10-20T10:00:00-06:00"));
        let mut voided = event("1", Voided, 5, NOON);
        voided.reason = Some(VOTED_IN_PERSON.to_owned());
        world.take(&voided);
        world.take(&corrected(Received, 6));
        assert_eq!(world.count("SELECT COUNT(*) FROM in_person"), 1);
    }

    /// Two stations count for themselves; the later happening counts.
    fn of_two_stations_the_later_happening_counts(rig) {
        let world = rig.quiet(NOON);
        let mut late = event("1", Accepted, 1, "2026-10-20T11:00:00-06:00");
        "intake-2".clone_into(&mut late.station);
        "other".clone_into(&mut late.id);
        assert_eq!(world.take(&late), Taken::Applied);
        assert_eq!(world.take(&event("1", Received, 1, "2026-10-20T10:00:00-06:00")), Taken::Applied);
        let ballot = &world.rows("SELECT status FROM ballot")[0];
        assert_eq!(ballot.text(0).unwrap(), "accepted");
        assert_eq!(world.count("SELECT COUNT(*) FROM event WHERE state = 'stale'"), 1);
    }
}

/// A poll place's word, of another station.
fn in_person(id: &str, time: &str) -> relay_wire::ChangeEvent {
    let mut voided = event("1", Voided, 1, time);
    voided.reason = Some(VOTED_IN_PERSON.to_owned());
    id.clone_into(&mut voided.id);
    "intake-2".clone_into(&mut voided.station);
    voided
}

fn corrected(status: Status, sequence: u64) -> relay_wire::ChangeEvent {
    let mut correction = event("1", status, sequence, NOON);
    correction.corrects = Some(format!("1-{}", sequence - 1));
    correction
}
