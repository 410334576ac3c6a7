//! What is forged, replayed, too long or meant to steer something: refused, or taken for the text that it is.

use crate::on_both;
use crate::rig::{
    ACCOUNT, COUNTY, NOON, Rig, TOKEN, World, client, event, eventually, number, send_event,
};
use crate::sink::Manners;
use ballot_relay::clock::Clock as _;
use ballot_relay::key::Purpose;
use ballot_relay::news::Channel;
use ballot_relay::stand_in::Settings;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use relay_wire::Status::Received;
use relay_wire::{
    CONTENT_TYPE, CheckpointEvent, HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, Secret,
};
use sha1::Sha1;
use std::time::Duration;

on_both! {
    /// Only a station's own signature, of now, opens the door of events.
    fn an_event_that_is_not_signed_by_its_station_is_refused(rig) {
        let world = doors(&rig);
        let good = event("1", Received, 1, NOON);
        let body = good.to_body();
        let now = world.clock.now().seconds();
        let other = Secret::parse(&format!("whsec_{}", STANDARD.encode([8; 32]))).unwrap();
        let stranger = body.replace("/facility/boulder/", "/facility/mesa/");
        let long = body.replace("\"voter\":\"1\"", &format!("\"voter\":\"{}\"", "1".repeat(70_000)));
        let broken = body.replace("\"sequence\":1", "\"sequence\":0");
        let future = event("1", Received, 1, "2027-01-01T00:00:00Z").to_body();
        for (secret, seconds, id, kind, body, expected) in [
            (&other, now, "1-1", CONTENT_TYPE, &body, 401),
            (&rig.secret, now - 301, "1-1", CONTENT_TYPE, &body, 401),
            (&rig.secret, now + 301, "1-1", CONTENT_TYPE, &body, 401),
            (&rig.secret, now, "1-1", CONTENT_TYPE, &stranger, 401),
            (&rig.secret, now, "1-2", CONTENT_TYPE, &body, 400),
            (&rig.secret, now, "1-1", "application/json", &body, 415),
            (&rig.secret, now, "1-1", CONTENT_TYPE, &long, 413),
            (&rig.secret, now, "1-1", CONTENT_TYPE, &broken, 400),
            (&other, now, "1-1", CONTENT_TYPE, &broken, 401),
            (&rig.secret, now, "1-1", CONTENT_TYPE, &future, 422),
            (&rig.secret, now, "1-1", CONTENT_TYPE, &body, 200),
            (&rig.secret, now, "1-1", CONTENT_TYPE, &body, 200),
        ] {
            let request = async || {
 client()
                .post(format!("http://{}/events", rig.stations))
                .header("content-type", kind)
                .header(HEADER_ID, id)
                .header(HEADER_TIMESTAMP, seconds)
                .header(HEADER_SIGNATURE, secret.sign(id, seconds, body.as_bytes()))
                .body(body.clone())
                .send()
                .await
            };
            let status = world.runtime.block_on(request()).unwrap().status();
            assert_eq!(status.as_u16(), expected, "{}", body.chars().take(120).collect::<String>());
        }
        assert_eq!(world.count("SELECT COUNT(*) FROM event"), 1);
    }

    /// A station speaks for its own ledger: another's checkpoint is refused, and no database sees a NUL.
    fn a_checkpoint_is_of_its_own_station(rig) {
        let world = doors(&rig);
        let checkpoint = |id: &str, origin: &str, note: &str| CheckpointEvent {
            id: id.to_owned(),
            facility: "boulder".to_owned(),
            station: "intake-1".to_owned(),
            time: NOON.to_owned(),
            origin: origin.to_owned(),
            seq: 9,
            hash: "0".repeat(64),
            note: note.to_owned(),
        };
        let mut nul = event("1", Received, 1, NOON);
        nul.reason = Some("a\0b".to_owned());
        for (id, body, expected) in [
            ("c1", checkpoint("c1", "ballot-intake/boulder/intake-2", "a note").to_body(), 422),
            ("c2", checkpoint("c2", "ballot-intake/mesa/intake-1", "a note").to_body(), 422),
            ("c3", checkpoint("c3", "ballot-intake/boulder/intake-1", "a\0note").to_body(), 400),
            ("c4", checkpoint("c4", "ballot-intake/boulder/intake-1", "a note").to_body(), 200),
            ("1-1", nul.to_body(), 400),
        ] {
            assert_eq!(send_event(&world, &rig, &rig.secret, (id, body)), expected, "{id}");
        }
        let kept = world.rows("SELECT origin FROM checkpoint");
        let kept: Vec<_> = kept.iter().map(|row| row.text(0).unwrap()).collect();
        assert_eq!(kept, ["ballot-intake/boulder/intake-1"]);
    }

    /// A callback is believed when the provider signed it; played again, it changes nothing.
    fn a_callback_that_is_not_the_providers_is_refused(rig) {
        let settings = Settings { callbacks: false, ..Settings::default() };
        let world = rig.whole(NOON, settings, Manners::default());
        world.voter("1", &[(Channel::Text, &number(1))]);
        world.take(&event("1", Received, 1, NOON));
        world.settled();
        let row = &world.rows("SELECT id, provider_id FROM attempt")[0];
        let (attempt, sid) = (row.text(0).unwrap(), row.text(1).unwrap());
        let tag = world.relay.config.keys.tag(Purpose::Receipt, &attempt);
        let path = format!("/provider/status/{attempt}/{tag}");
        let form = |status: &str, account: &str| {
            [("MessageSid", sid.as_str()), ("MessageStatus", status), ("AccountSid", account), ("ErrorCode", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec()
        };
        let failed = form("failed", ACCOUNT);
        let long = [form("failed", ACCOUNT), vec![("More".to_owned(), "x".repeat(70_000))]].concat();
        let other_path = format!("/provider/status/{attempt}/{}", "A".repeat(22));
        for (path, form, token, expected) in [
            (&path, &failed, "another token", 403),
            (&path, &form("failed", "AC1"), TOKEN, 403),
            (&other_path, &failed, TOKEN, 403),
            (&path, &long, TOKEN, 413),
            (&path, &form("delivered", ACCOUNT), TOKEN, 204),
            (&path, &form("delivered", ACCOUNT), TOKEN, 204),
            (&path, &failed, TOKEN, 204),
            (&path, &form("queued", ACCOUNT), TOKEN, 204),
        ] {
            assert_eq!(post(&world, &rig, path, form, token), expected, "{form:?}");
        }
        assert_eq!(world.notices(), ["received delivered"]);
        assert_eq!(world.count("SELECT COUNT(*) FROM receipt"), 3);
        // A text that comes in twice is heard once, a forged one never.
        let inbound = |id: &str, body: &str| {
            [("MessageSid", id), ("From", &number(1)), ("Body", body), ("AccountSid", ACCOUNT)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec()
        };
        let place = "/provider/inbound".to_owned();
        assert_eq!(post(&world, &rig, &place, &inbound("SM1", "STOP"), "another token"), 403);
        assert_eq!(world.count("SELECT COUNT(*) FROM suppression"), 0);
        for (id, body) in [("SM1", "STOP"), ("SM2", "START"), ("SM1", "STOP")] {
            assert_eq!(post(&world, &rig, &place, &inbound(id, body), TOKEN), 200);
        }
        assert_eq!(world.count("SELECT COUNT(*) FROM suppression"), 0);
    }

    /// Names steer neither headers nor templates.
    fn a_name_is_only_a_name(rig) {
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        world.voter("1", &[(Channel::Email, "ana@example.org")]);
        world.write(|tx| {
            tx.run(
                "UPDATE voter SET first_name = $1, last_name = $2",
                ballot_relay::params!["Ana\r\nBcc: x@example.org\r\n\r\n", "{{ phone }} http://evil.example"],
            )
        });
        world.take(&event("1", Received, 1, NOON));
        let mut mails = Vec::new();
        eventually("an e-mail", || {
            mails.extend(world.sink.as_ref().unwrap().take());
            !mails.is_empty()
        });
        let mail = &mails[0];
        assert_eq!(mail.header("Bcc"), None);
        let text = mail.text.replace("=\n", "");
        assert!(text.contains("Ana Bcc x example. org {{ phone }} http evil. example"), "{text}");
        world.settled();
        assert_eq!(world.notices(), ["received sent"]);
    }

    /// A station of one county says nothing about another county's voters.
    fn a_station_speaks_of_its_own_countys_voters_only(rig) {
        let world = rig.quiet(NOON);
        let voter = world.voter("1", &[(Channel::Text, &number(1))]);
        assert_eq!(voter.county, COUNTY);
        let relay = std::sync::Arc::clone(&world.relay);
        let (event, now) = (event("1", Received, 1, NOON), world.clock.now());
        world.write(move |tx| {
            ballot_relay::intake::take(tx, &relay.config, "mesa", (&event, &event.to_body()), now)
        });
        assert_eq!(world.notices(), Vec::<String>::new());
    }
}

/// What is refused stands in the log with its reason, and with nobody's data.
#[test]
fn what_is_forged_is_logged() {
    let (tx, lines) = crossbeam_channel::bounded(1_000);
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::WARN)
        .with_writer(move || Line(tx.clone()))
        .finish();
    // For all threads of this process; whatever other tests log beside it does no harm.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let rig = Rig::sqlite();
    let world = doors(&rig);
    let event = event("1", Received, 1, NOON);
    let other = Secret::parse(&format!("whsec_{}", STANDARD.encode([8; 32]))).unwrap();
    assert_eq!(send_event(&world, &rig, &other, (&event.id, event.to_body())), 401);
    let inbound = [
        ("MessageSid", "SM1"),
        ("From", "+13035550177"),
        ("Body", "STOP"),
        ("AccountSid", ACCOUNT),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(post(&world, &rig, "/provider/inbound", &inbound, "another token"), 403);
    let logged: String = lines.try_iter().collect();
    for line in [
        "A signature was refused.",
        "Something that was sent was refused. status=401 why=\"not signed by that station\"",
        "A callback was refused: it is not signed by the provider.",
    ] {
        assert!(logged.contains(line), "{line}: {logged}");
    }
    assert!(!logged.contains("3035550177") && !logged.contains("b1"), "{logged}");
}

/// Where a line of the log goes.
struct Line(crossbeam_channel::Sender<String>);

impl std::io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Lines of other tests may be too many.
        drop(self.0.try_send(String::from_utf8_lossy(bytes).into_owned()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn doors(rig: &Rig) -> World {
    let mut world = rig.quiet(NOON);
    world.open_doors();
    world.clock.advance(Duration::from_secs(1));
    world
}

/// Posts a form, signed as the provider signs.
fn post(world: &World, rig: &Rig, path: &str, form: &[(String, String)], token: &str) -> u16 {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    let mut fields = form.to_vec();
    fields.sort();
    mac.update(format!("http://{}{path}", rig.pages).as_bytes());
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    let request = async || {
        client()
            .post(format!("http://{}{path}", rig.pages))
            .header("X-Twilio-Signature", STANDARD.encode(mac.finalize().into_bytes()))
            .form(form)
            .send()
            .await
    };
    world.runtime.block_on(request()).unwrap().status().as_u16()
}
