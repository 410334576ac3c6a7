//! Two counties in one relay: each with its words, its stations and its office; and a language that a county adds by a file.

use crate::browser::{Browser, PASSWORD, serve_pages};
use crate::on_both;
use crate::rig::{
    COUNTY, ELECTION, NOON, Rig, World, enrolled, event, eventually, number, send_event, written,
};
use crate::sink::Manners;
use ballot_relay::alarm::{Alarm, raise};
use ballot_relay::bulk::{self, Aim};
use ballot_relay::clock::Clock as _;
use ballot_relay::news::{Channel, Kind};
use ballot_relay::office::{Newcomer, hire};
use ballot_relay::stand_in::Settings;
use ballot_relay::voter::{Enrolment, VoterId};
use ballot_relay::web::Role;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use relay_wire::Status::Received;
use relay_wire::{ChangeEvent, Secret};
use std::time::Duration;

/// The other county's words: of one notice its own, and a language that is not built in.
const OWN_WORDS: &str = "[notices.received]\ntext = 'Mesa says: {{ first_name }}, it is here ({{ election }}, {{ happened }}).'\n";

on_both! {
    /// The same ballot number in two counties: each station speaks of its own county's, in that county's words.
    fn each_county_has_its_own_words_and_stations(rig) {
        let mut rig = rig;
        let secret = two(&mut rig);
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        voter(&world, COUNTY, "en", 1);
        voter(&world, "mesa", "en", 2);
        voter(&world, "mesa", "vi", 3);
        assert_eq!(post(&world, &rig, "mesa", (&rig.secret, "7")), 401, "with the other county's secret");
        assert_eq!(post(&world, &rig, "boulder", (&secret, "7")), 401);
        for (facility, secret, voter) in
            [("boulder", &rig.secret, "1"), ("mesa", &secret, "2"), ("mesa", &secret, "3"), ("mesa", &secret, "1")]
        {
            assert_eq!(post(&world, &rig, facility, (secret, voter)), 200, "{facility} {voter}");
        }
        eventually("three texts", || world.accepted().len() == 3);
        let said = |n: usize| {
            let accepted = world.accepted();
            accepted.iter().find(|text| text.to == number(n)).unwrap().body.clone()
        };
        assert!(said(1).starts_with("Boulder County Elections: Ana"), "{}", said(1));
        assert!(said(2).starts_with("Mesa says: Ana, it is here (Mesa Election,"), "{}", said(2));
        assert!(said(3).starts_with("Mesa County xin chao"), "{}", said(3));
        assert_eq!(world.count("SELECT COUNT(*) FROM ballot WHERE ballot = 'b1'"), 2);
    }

    /// Somebody of one county's office sees and does nothing of another's.
    fn an_office_sees_its_own_county_alone(rig) {
        let mut rig = rig;
        two(&mut rig);
        let world = rig.quiet(NOON);
        serve_pages(&world);
        voter(&world, COUNTY, "en", 1);
        voter(&world, "mesa", "en", 2);
        let now = world.clock.now();
        for (name, county) in [("olga", "mesa"), ("sue", COUNTY)] {
            let newcomer = Newcomer::new(&world.relay.config, (name, county, Role::Supervisor), PASSWORD).unwrap();
            assert!(world.write(move |tx| hire(tx, &newcomer, now)));
        }
        world.take(&event("1", Received, 1, NOON));
        let (bulk, alarm) = world.write(move |tx| {
            let aim = Aim { county: COUNTY.to_owned(), election: ELECTION.to_owned(), statuses: vec!["mailed".to_owned()] };
            let bulk = bulk::draft(tx, &aim, ("sue", now.plus(Duration::from_hours(9))), now)?;
            raise(tx, Alarm { county: COUNTY, kind: "not_me", subject: "of boulder", what: "Look." }, now)?;
            Ok((bulk, tx.row("SELECT id FROM alarm", &[])?.unwrap().text(0)?))
        });
        let (mut olga, mut sue) = (Browser::new(&world), Browser::new(&world));
        assert_eq!(olga.sign_in_office("olga", PASSWORD).location, "/office");
        assert_eq!(sue.sign_in_office("sue", PASSWORD).location, "/office");
        for (page, told) in [
            ("/office/notices", "/office/voters/boulder/1"),
            ("/office/unreached", "Diaz 9"),
            ("/office/voters?q=1", "Diaz 1"),
            ("/office/bulks", "boulder"),
            ("/office/alarms", "of boulder"),
            ("/office/people", "sue"),
        ] {
            let body = olga.get(page).body;
            let own = body.replace("<bdi>olga</bdi>", "");
            assert!(!own.contains(told), "{page}: {body}");
        }
        assert!(sue.get("/office/notices").body.contains("/office/voters/boulder/1"));
        assert!(sue.get("/office/alarms").body.contains("of boulder"));
        for page in ["/office/voters/boulder/1", &format!("/office/bulks/{bulk}")] {
            assert_eq!((olga.get(page).status, sue.get(page).status), (404, 200), "{page}");
        }
        let about = [("about", "boulder/202611"), ("status", "mailed")];
        let newcomer = [("name", "eve"), ("role", "clerk"), ("county", COUNTY), ("password", PASSWORD)];
        for (act, fields) in [
            ("/office/voters/boulder/1/forget", &[][..]),
            (format!("/office/bulks/{bulk}/release").as_str(), &[]),
            (format!("/office/bulks/{bulk}/stop").as_str(), &[]),
            (format!("/office/bulks/{bulk}/take-back").as_str(), &[]),
            (format!("/office/alarms/{alarm}/close").as_str(), &[]),
            ("/office/people/sue/disable", &[]),
            ("/office/bulks", &about[..]),
            ("/office/people", &newcomer[..]),
        ] {
            assert_eq!(olga.post(("/office/voters", act), fields).status, 404, "{act}");
        }
        assert_eq!(world.count("SELECT COUNT(*) FROM contact"), 2);
        assert_eq!(world.count("SELECT COUNT(*) FROM alarm WHERE closed_at IS NULL"), 1);
        assert_eq!(world.count("SELECT COUNT(*) FROM bulk WHERE state = 'draft'"), 1);
    }
}

/// Adds a second county to the configuration; its stations' secret.
fn two(rig: &mut Rig) -> Secret {
    let folder = rig.path("mesa");
    std::fs::create_dir(&folder).unwrap();
    written(&folder, "en.toml", OWN_WORDS);
    let spanish = include_str!("../../src/template/es.toml");
    let greeting =
        spanish.replace("text = \"Elecciones de {{ county }}:", "text = \"{{ county }} xin chao");
    assert_ne!(spanish, greeting);
    written(&folder, "vi.toml", &greeting);
    let secret = format!("whsec_{}", STANDARD.encode([9; 32]));
    written(rig.folder.path(), "mesa-secret", &secret);
    rig.more = format!(
        "[[county]]\nid = 'mesa'\nname = 'Mesa County'\ntimezone = 'America/Denver'\nphone = '970-555-0100'\n\
         languages = ['en', 'vi']\ntemplates = '{}'\n\
         [[election]]\ncounty = 'mesa'\nid = '{ELECTION}'\nreceive_until = '2026-11-03T19:00'\n\
         name = {{ en = 'Mesa Election', vi = 'Bau cu Mesa' }}\n\
         [[station]]\ncounty = 'mesa'\nfacility = 'mesa'\nstation = '*'\nsecret_files = ['{}']\n",
        folder.display(),
        rig.path("mesa-secret").display(),
    );
    Secret::parse(&secret).unwrap()
}

/// A voter of a county, with a number.
fn voter(world: &World, county: &str, language: &str, n: usize) {
    let id = VoterId { county: county.to_owned(), voter: n.to_string() };
    let enrolment = Enrolment {
        language: language.to_owned(),
        timezone: "America/Denver".to_owned(),
        from_minute: 8 * 60,
        until_minute: 21 * 60,
        kinds: Kind::CHOICES.to_vec(),
    };
    let (contacts, now) = ([(Channel::Text, number(n))], world.clock.now());
    world.write(move |tx| enrolled(tx, &id, &contacts, &enrolment, now));
}

/// A facility's event of a voter's ballot; the status of the answer.
fn post(world: &World, rig: &Rig, facility: &str, (secret, voter): (&Secret, &str)) -> u16 {
    let known = event(voter, Received, 1, NOON);
    let id = format!("{facility}-{voter}");
    let event = ChangeEvent { id, facility: facility.to_owned(), ..known };
    send_event(world, rig, secret, (&event.id, event.to_body()))
}
