//! The stations' door: certificates of both sides, keys that replace one another, and the Postal Service's scans.

use crate::on_both;
use crate::rig::{COUNTY, NOON, Rig, World, client, event, free, written};
use ballot_relay::clock::Clock as _;
use ballot_relay::intake::files;
use ballot_relay::news::Channel;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use relay_wire::Status::{Mailed, Received};
use relay_wire::{CONTENT_TYPE, HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, Secret};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

/// While one secret replaces another both sign; then the old one no more.
#[test]
fn secrets_replace_one_another() {
    let mut rig = Rig::sqlite();
    let new = format!("whsec_{}", STANDARD.encode([9; 32]));
    written(rig.folder.path(), "new", &new);
    let new = Secret::parse(&new).unwrap();
    let dir = rig.folder.path().display().to_string();
    rig.more = format!(
        "[[station]]\ncounty = '{COUNTY}'\nfacility = 'boulder'\nstation = 'intake-1'\n\
         secret_files = ['{dir}/secret', '{dir}/new']\n"
    );
    let mut world = rig.quiet(NOON);
    world.open_doors();
    let url = format!("http://{}/events", rig.stations);
    assert_eq!(post(&world, &client(), &url, (&rig.secret, 1)), Some(200));
    assert_eq!(post(&world, &client(), &url, (&new, 2)), Some(200));
    drop(world);
    rig.more = rig.more.replace(&format!("'{dir}/secret', "), "");
    let mut world = rig.quiet(NOON);
    world.open_doors();
    assert_eq!(post(&world, &client(), &url, (&rig.secret, 3)), Some(401));
    assert_eq!(post(&world, &client(), &url, (&new, 3)), Some(200));
}

/// With mutual TLS nobody without a certificate of the authority gets as far as a request.
#[test]
fn a_station_without_a_certificate_does_not_come_in() {
    let mut rig = Rig::sqlite();
    let dir = rig.folder.path().to_owned();
    authority(&dir);
    for name in ["server", "station"] {
        certificate(&dir, name);
    }
    rig.stations_more = format!(
        "certificate_file = '{0}/server.crt'\ncertificate_key_file = '{0}/server.key'\n\
         client_authority_file = '{0}/ca.crt'\n",
        dir.display()
    );
    postal(&mut rig, "");
    let mut world = rig.quiet(NOON);
    world.open_doors();
    let url = format!("https://localhost:{}/events", rig.stations.port());
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    let builder = || {
        reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .tls_certs_only([reqwest::Certificate::from_pem(&read("ca.crt")).unwrap()])
    };
    let stranger = builder().build().unwrap();
    assert_eq!(post(&world, &stranger, &url, (&rig.secret, 1)), None);
    let pem = [read("station.crt"), read("station.key")].concat();
    let station = builder().identity(reqwest::Identity::from_pem(&pem).unwrap()).build().unwrap();
    assert_eq!(post(&world, &station, &url, (&rig.secret, 1)), Some(200));
    assert_eq!(world.count("SELECT COUNT(*) FROM event"), 1);
    // The Postal Service has no certificate of the county's.
    assert_eq!(push_at(&world, rig.pages, r#"{"events":[]}"#, "usps:wrong"), 401);
    assert_eq!(push_at(&world, rig.pages, r#"{"events":[]}"#, "usps:secret"), 200);
}

/// Whoever has no password sends megabytes to nobody: it is answered before the body comes.
#[test]
fn a_push_is_not_read_before_its_password() {
    let mut rig = Rig::sqlite();
    for (is_configured, expected) in [(false, "404"), (true, "401")] {
        if is_configured {
            postal(&mut rig, "");
        }
        let mut world = rig.quiet(NOON);
        world.open_doors();
        let mut stream = TcpStream::connect(rig.stations).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head = "POST /iv-mtr HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic eDp5\r\ncontent-length: 8000000\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(std::str::from_utf8(&answer).unwrap(), format!("HTTP/1.1 {expected}"));
    }
}

on_both! {
    /// A scan is news once; repeats, assumed scans, unknown codes and unknown pieces are none, nor is one that comes late.
    fn the_postal_services_scans_are_news_once(rig) {
        let mut rig = rig;
        postal(&mut rig, "'893' = 'moving', '873' = 'assumed'");
        let mut world = rig.quiet(NOON);
        world.open_doors();
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        let file = "ballot,voter,election,mailed,imb,imb_out\nb1,1,202611,2026-10-17,00778123456000000001,00715123456000000002\n";
        files::ballots(&world.relay, (COUNTY, None), file.as_bytes()).unwrap();
        let scan = |service: &str, serial: &str, code: &str, day: &str| {
            format!(
                r#"{{"imbTrackingCode":"00{service}123456{serial}","scanEventCode":"{code}","scanDatetime":"2026-10-{day}T08:00:00"}}"#
            )
        };
        let out = scan("715", "000000002", "893", "18");
        for (events, user, expected) in [
            (vec![out.clone()], "usps:wrong", 401),
            (vec![], "usps:secret", 200),
            (vec![scan("715", "000000002", "873", "17"), scan("715", "000000002", "111", "17")], "usps:secret", 200),
            (vec![out.clone(), out.clone()], "usps:secret", 200),
            (vec![out], "usps:secret", 200),
            (vec![scan("778", "000000009", "893", "19")], "usps:secret", 200),
            (vec![scan("778", "000000001", "893", "19"), scan("778", "000000001", "893", "20")], "usps:secret", 200),
            (vec![scan("715", "000000002", "893", "19")], "usps:secret", 200),
        ] {
            assert_eq!(push(&world, &rig, &format!(r#"{{"events":[{}]}}"#, events.join(",")), user), expected);
        }
        assert_eq!(push(&world, &rig, "no JSON", "usps:secret"), 400);
        assert_eq!(world.notices(), ["mailed owed", "on_its_way owed", "on_its_way_back owed"]);
        world.take(&event("1", Received, 1, NOON));
        // The legacy file tells the same scans again, and one more.
        let legacy = "80204,893,10/18/2026 08:00:00,80204123456,00715123456000000002\n\
                      80204,893,10/20/2026 09:00:00,80204123456,00778123456000000001\nnonsense\n";
        let report = files::postal_file(&world.relay, legacy.as_bytes()).unwrap();
        assert_eq!((report.rows, report.changed, report.refused), (3, 0, 1));
        assert_eq!(world.notices().len(), 4);
        let behind = world.take(&event("1", Mailed, 2, "2026-10-17T00:00:00-06:00"));
        assert_eq!(behind, ballot_relay::intake::Taken::Applied);
    }
}

on_both! {
    /// A facility east of the county writes its own time, and a scan can come before the ballot file: neither is lost.
    fn a_scan_that_cannot_be_placed_yet_is_not_lost(rig) {
        let mut rig = rig;
        postal(&mut rig, "'893' = 'moving'");
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        // It is noon in Denver, and two o'clock where the scanner stands.
        let scans = "10001,893,10/20/2026 14:00:00,80204123456,00778123456000000001\n\
                     10001,893,10/21/2026 14:00:00,80204123456,00715123456000000002\n";
        let changed = || {
            let report = files::postal_file(&world.relay, scans.as_bytes()).unwrap();
            (report.rows, report.changed, report.refused)
        };
        assert_eq!(changed(), (2, 0, 0), "before the ballot file");
        let file = "ballot,voter,election,mailed,imb,imb_out\nb1,1,202611,2026-10-17,00778123456000000001,00715123456000000002\n";
        files::ballots(&world.relay, (COUNTY, None), file.as_bytes()).unwrap();
        assert_eq!(world.notices(), ["mailed owed", "on_its_way_back owed"], "placed by the file itself");
        assert_eq!(changed(), (2, 0, 0), "told again");
        assert_eq!(world.notices(), ["mailed owed", "on_its_way_back owed"]);
        let outcomes = world.rows("SELECT outcome FROM postal_scan ORDER BY outcome");
        let outcomes: Vec<_> = outcomes.iter().map(|row| row.text(0).unwrap()).collect();
        assert_eq!(outcomes, ["applied", "future"]);
        // Nothing that was told happens after it was.
        let since = world.rows("SELECT happened_at FROM ballot")[0].at(0).unwrap();
        assert_eq!(since, world.clock.now());
    }
}

on_both! {
    /// A file names a piece by its whole code or by mailer id and serial number; another code is refused, not passed over.
    fn a_code_that_names_no_piece_is_refused(rig) {
        let mut rig = rig;
        postal(&mut rig, "'893' = 'moving'");
        let world = rig.quiet(NOON);
        world.voter("1", &[(Channel::Text, "+13035550101")]);
        let file = "ballot,voter,election,mailed,imb\nb1,1,202611,2026-10-17,123456000000001\n\
                    b2,2,202611,2026-10-17,12345600000001\nb3,3,202611,2026-10-17,ADTF\n";
        let report = files::ballots(&world.relay, (COUNTY, None), file.as_bytes()).unwrap();
        let lines: Vec<_> = report.refusals.iter().map(|(line, _)| *line).collect();
        assert_eq!((report.changed, lines), (1, vec![3, 4]));
        assert!(report.refusals[0].1.starts_with("imb or imb_out is none"), "{report:?}");
        let scan = "80204,893,10/19/2026 09:00:00,80204123456,00778123456000000001\n";
        let report = files::postal_file(&world.relay, scan.as_bytes()).unwrap();
        assert_eq!((report.changed, world.notices()), (1, vec!["mailed owed".to_owned(), "on_its_way_back owed".to_owned()]));
    }
}

/// The Postal Service's push is configured.
fn postal(rig: &mut Rig, operations: &str) {
    written(rig.folder.path(), "usps", "secret");
    rig.more = format!(
        "[postal]\nuser = 'usps'\npassword_file = '{}/usps'\noperations = {{ {operations} }}\n",
        rig.folder.path().display()
    );
}

/// The status of the answer, if there was one.
fn post(
    world: &World,
    client: &reqwest::Client,
    url: &str,
    (secret, n): (&Secret, u64),
) -> Option<u16> {
    let event = event(&n.to_string(), Received, 1, NOON);
    let (body, seconds) = (event.to_body(), world.clock.now().seconds());
    let request = async || {
        client
            .post(url)
            .header("content-type", CONTENT_TYPE)
            .header(HEADER_ID, &event.id)
            .header(HEADER_TIMESTAMP, seconds)
            .header(HEADER_SIGNATURE, secret.sign(&event.id, seconds, body.as_bytes()))
            .body(body.clone())
            .send()
            .await
    };
    world.runtime.block_on(request()).ok().map(|answer| answer.status().as_u16())
}

fn push(world: &World, rig: &Rig, body: &str, user: &str) -> u16 {
    push_at(world, rig.stations, body, user)
}

fn push_at(world: &World, door: SocketAddr, body: &str, user: &str) -> u16 {
    let request = async || {
        client()
            .post(format!("http://{door}/iv-mtr"))
            .header("authorization", format!("Basic {}", STANDARD.encode(user)))
            .body(body.to_owned())
            .send()
            .await
    };
    world.runtime.block_on(request()).unwrap().status().as_u16()
}

/// A database on another machine is reached over TLS, and only where its certificate's authority is known.
#[test]
fn a_postgres_server_is_known_by_its_certificate() {
    let mut rig = Rig::postgres();
    let dir = rig.folder.path().to_owned();
    authority(&dir);
    certificate(&dir, "server");
    let port = free().port();
    rig.cluster.as_mut().unwrap().serve_tls(&dir, port);
    let reports = |ssl_mode: &str, authority: &str| {
        let url = format!("postgres://postgres@localhost:{port}/postgres?sslmode={ssl_mode}");
        let config = rig.config(None, None).replace(&rig.store_url(), &url);
        let done = Command::new(env!("CARGO_BIN_EXE_ballot-relay"))
            .arg("--config")
            .arg(written(&dir, "relay.toml", &config))
            .arg("report")
            .env("SSL_CERT_FILE", dir.join(authority))
            .output()
            .unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    assert_eq!(reports("require", "ca.crt"), (true, String::new()));
    // The server itself takes nothing else than TLS.
    assert!(!reports("disable", "ca.crt").0);
    authority(&dir);
    let (is_reached, why) = reports("require", "ca.crt");
    assert!(!is_reached && why.contains("certificate"), "{why}");
}

fn openssl(folder: &std::path::Path, arguments: &str) {
    let done = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .expect("openssl is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

pub(crate) fn authority(folder: &std::path::Path) {
    openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=authority",
    );
}

pub(crate) fn certificate(folder: &std::path::Path, name: &str) {
    written(folder, "names", "subjectAltName=DNS:localhost\n");
    openssl(
        folder,
        &format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ),
    );
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile names -out {name}.crt"
        ),
    );
}
