//! The daemon and a relay that misbehaves: every change arrives but one that is set aside, each ballot's in order, under one id.
#![cfg(test)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use support::daemon::Daemon;
use support::pty::Pty;
use support::relay::{Attempt, Behavior, Relay, SECRET, accepted};
use support::station::Station;
use support::{GOOD, eventually, frames, payload};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// A station, its scanner, its daemon and its relay.
struct Setup {
    station: Station,
    scanner: Pty,
    relay: Relay,
    daemon: Daemon,
}

impl Setup {
    fn new(behavior: Behavior, hold_back: &str) -> Self {
        let relay = Relay::start(behavior);
        let station = Station::with_scanners(&["left"], "");
        let secret = station.path("secret");
        fs::write(&secret, SECRET).unwrap();
        station.add(&format!(
            "[relay]\nurl = '{}'\nsecret_file = '{}'\nhold_back = '{hold_back}'",
            relay.url(),
            secret.display()
        ));
        station.import(1_000);
        let scanner = station.plug("left");
        let daemon = station.start();
        Self { station, scanner, relay, daemon }
    }

    #[track_caller]
    fn scan(&self, ballot: u32) {
        assert_eq!(self.scanner.ask(payload(ballot).as_bytes()), GOOD);
    }

    /// A second change of a ballot.
    #[track_caller]
    fn set(&self, ballot: u32, status: &str) {
        let ballot = format!("{ballot:09}");
        self.station.json(&["ballot", "set", &ballot, status, "--reason", "by hand"]);
    }

    #[track_caller]
    fn retry(&self) {
        self.station.json(&["outbox", "retry"]);
    }

    /// Waits until the relay has taken so many changes.
    #[track_caller]
    fn until_accepted(&self, n: usize) -> Vec<Attempt> {
        let attempts = self.relay.until("the changes", |all| by_id(&accepted(all)).len() >= n);
        eventually("the end of the outbox", || self.station.look().pending() == 0);
        attempts
    }

    /// Stops everything and checks what holds at every end.
    #[track_caller]
    fn finish(self) -> Vec<Attempt> {
        self.daemon.stop();
        self.station.verify();
        let attempts = self.relay.attempts();
        check(&attempts);
        attempts
    }
}

fn by_id(attempts: &[Attempt]) -> BTreeMap<&str, Vec<&Attempt>> {
    let mut ids: BTreeMap<&str, Vec<&Attempt>> = BTreeMap::new();
    for attempt in attempts {
        ids.entry(&attempt.id).or_default().push(attempt);
    }
    ids
}

/// A field of a change's `data`.
fn told(attempt: &Attempt, field: &str) -> serde_json::Value {
    let body: serde_json::Value = serde_json::from_str(&attempt.body).unwrap();
    body["data"][field].clone()
}

/// Signatures hold, an id has one body, and each ballot's changes were taken in order and numbered without a gap.
#[track_caller]
fn check(attempts: &[Attempt]) {
    for (id, attempts) in by_id(attempts) {
        assert!(attempts.iter().all(|a| a.forgery.is_none()), "{id}: {attempts:#?}");
        assert!(attempts.iter().all(|a| a.body == attempts[0].body), "{id}: {attempts:#?}");
    }
    let mut ballots: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for attempt in accepted(attempts) {
        let numbers = ballots.entry(told(&attempt, "ballot").to_string()).or_default();
        numbers.push(told(&attempt, "sequence").as_u64().unwrap());
    }
    for (ballot, mut numbers) in ballots {
        numbers.dedup();
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "ballot {ballot}");
    }
}

#[test]
fn every_change_arrives_whatever_the_relay_answers_meanwhile() {
    let setup = Setup::new(Behavior::Ok, "0s");
    let away = [
        Behavior::Refuse(500),
        Behavior::Refuse(401),
        Behavior::Refuse(404),
        Behavior::RetryAfter(3_600),
        Behavior::CloseAfterAccept,
        Behavior::Redirect,
    ];
    for (n, behavior) in (1..).zip(away) {
        setup.relay.behave(behavior.clone());
        let before = setup.relay.attempts().len();
        for ballot in [3 * n, 3 * n + 1] {
            setup.scan(ballot);
            setup.set(ballot, "needs_attention");
        }
        setup.relay.until("an attempt", |attempts| attempts.len() > before);
        setup.relay.behave(Behavior::Ok);
        setup.retry();
        setup.until_accepted(4 * usize::try_from(n).unwrap());
    }
    let attempts = setup.finish();
    assert_eq!(by_id(&attempts).len(), 24);
}

#[test]
fn a_relay_that_hangs_or_is_down_loses_nothing_and_all_goes_out_once_it_is_back() {
    let setup = Setup::new(Behavior::Hang, "0s");
    setup.scan(1);
    setup.relay.until("an attempt", |attempts| attempts.len() == 1);
    // The hanging connection breaks: that ends the attempt before its time.
    setup.relay.down();
    let line = frames(2..500);
    setup.scanner.exchange(&line, 498, support::pty::Manner::ReadAsYouWrite);
    eventually("an attempt that is refused", || {
        let listed = setup.station.json(&["outbox", "list"]);
        listed.iter().filter(|entry| !entry["last_error"].is_null()).count() >= 1
    });
    setup.relay.behave(Behavior::Ok);
    setup.relay.up();
    setup.retry();
    setup.until_accepted(499);
    let attempts = setup.finish();
    assert_eq!(by_id(&attempts).len(), 499);
}

#[test]
fn one_refused_change_waits_for_a_supervisor_with_its_ballots_later_ones() {
    let setup = Setup::new(Behavior::Refuse(503), "0s");
    setup.scan(1);
    setup.set(1, "needs_attention");
    setup.scan(2);
    setup.relay.until("an attempt", |attempts| !attempts.is_empty());
    let listed = setup.station.json(&["outbox", "list"]);
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(listed[0]["ballot"], "000000001");
    setup.relay.behave(Behavior::RefuseOne(id.clone(), 422));
    setup.retry();
    eventually("the change is set aside", || {
        let listed = setup.station.json(&["outbox", "list"]);
        listed.len() == 2 && listed[0]["state"] == "set_aside"
    });
    let listed = setup.station.json(&["outbox", "list"]);
    assert_eq!((&listed[0]["id"], &listed[1]["state"]), (&id.clone().into(), &"owed".into()));
    assert_eq!(setup.station.report()["outbox"]["set_aside"], 1);
    let taken = accepted(&setup.relay.attempts());
    assert!(taken.iter().all(|attempt| told(attempt, "ballot") == "000000002"), "{taken:#?}");
    setup.relay.behave(Behavior::Ok);
    setup.retry();
    setup.until_accepted(3);
    let attempts = setup.finish();
    assert!(by_id(&attempts)[id.as_str()].len() >= 3);
}

#[test]
fn what_is_undone_within_the_hold_back_is_never_sent() {
    let setup = Setup::new(Behavior::Ok, "10m");
    setup.scan(1);
    let undone = setup.station.json(&["undo"]);
    assert_eq!((&undone[0]["status"], &undone[0]["withdrawn"]), (&"mailed".into(), &true.into()));
    let outbox = setup.station.report()["outbox"].clone();
    assert_eq!(
        (&outbox["withdrawn"], &outbox["held"], &outbox["owed"]),
        (&1.into(), &0.into(), &0.into())
    );
    assert_eq!(setup.station.run(&["undo"]).status.code(), Some(1));
    assert_eq!(setup.finish(), []);
}

#[test]
fn what_is_undone_after_it_was_sent_is_corrected() {
    let setup = Setup::new(Behavior::Ok, "0s");
    setup.scan(1);
    setup.until_accepted(1);
    let undone = setup.station.json(&["undo"]);
    assert_eq!(undone[0]["withdrawn"], false);
    setup.until_accepted(2);
    let attempts = setup.finish();
    let [first, second] = attempts.as_slice() else { panic!("{attempts:#?}") };
    assert_eq!(told(second, "corrects"), first.id.as_str());
    assert_eq!(
        (told(second, "status"), told(second, "previous")),
        ("mailed".into(), "received".into())
    );
    assert_eq!(told(second, "sequence"), 2);
}

#[test]
fn an_outage_outlives_the_daemon() {
    let Setup { station, scanner, relay, daemon } = Setup::new(Behavior::Refuse(503), "0s");
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    relay.until("an attempt", |attempts| !attempts.is_empty());
    daemon.stop();
    let before = relay.attempts().len();
    let daemon = station.start();
    relay.until("an attempt of the next daemon", |attempts| attempts.len() > before);
    daemon.kill9();
    relay.behave(Behavior::Ok);
    let daemon = station.start();
    let setup = Setup { station, scanner, relay, daemon };
    setup.scan(2);
    setup.until_accepted(2);
    let attempts = setup.finish();
    assert_eq!(by_id(&attempts).len(), 2);
}

/// With mutual TLS the relay hears a station that shows its certificate, and no other.
#[test]
fn a_relay_that_asks_for_a_certificate_is_shown_the_stations() {
    let relay = Relay::start(Behavior::Ok);
    let mut station = Station::with_scanners(&["left"], "");
    let (authority, secret) = (station.path("ca.crt"), station.path("secret"));
    let folder = authority.parent().unwrap().to_owned();
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    certificates(&folder);
    let url = relay.url();
    let place = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/events"));
    let door = asking_door(&folder, place.unwrap().parse().unwrap());
    station.environment.push(("SSL_CERT_FILE", authority.into_os_string()));
    station.add(&format!(
        "[relay]\nurl = 'https://localhost:{}/events'\nsecret_file = '{}'\nhold_back = '0s'",
        door.port(),
        secret.display()
    ));
    station.import(10);
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    eventually("an attempt without a certificate", || {
        station.json(&["outbox", "list"]).iter().any(|entry| !entry["last_error"].is_null())
    });
    daemon.stop();
    assert_eq!(relay.attempts(), []);
    let without = fs::read_to_string(station.config()).unwrap();
    let shows = |key: &str| {
        let files = format!(
            "client_certificate_file = '{0}/station.crt'\nclient_key_file = '{0}/{key}'",
            folder.display()
        );
        fs::write(station.config(), format!("{without}\n{files}\n")).unwrap();
        let checked = station.run(&["check-config"]);
        let said = [checked.stdout, checked.stderr].concat();
        (checked.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    for (key, what) in
        [("relay.key", "cannot be set up"), ("ca.crt", "is none"), ("gone", "not there")]
    {
        let (code, said) = shows(key);
        assert!(code == Some(1) && said.contains(what), "{key}: {code:?} {said}");
    }
    let (code, said) = shows("station.key");
    assert_eq!(code, Some(0), "{said}");
    let daemon = station.start();
    relay.until("the change", |attempts| accepted(attempts).len() == 1);
    daemon.stop();
    check(&relay.attempts());
}

fn openssl(folder: &Path, arguments: &str) {
    let arguments = arguments.split(' ');
    let done = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// An authority, and the certificates of a relay and of a station by it.
fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        folder,
        &format!("req -x509 {key} -keyout ca.key -out ca.crt -days 30 -subj /CN=authority"),
    );
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    for name in ["relay", "station"] {
        openssl(folder, &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile names -out {name}.crt"
            ),
        );
    }
}

/// Opens a door before the relay, with TLS, that lets in whoever has a certificate of the authority.
fn asking_door(folder: &Path, relay: SocketAddr) -> SocketAddr {
    let certificate = |name: &str| CertificateDer::from_pem_file(folder.join(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca.crt")).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![certificate("relay.crt")],
            PrivateKeyDer::from_pem_file(folder.join("relay.key")).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who shows none is not let in.
                let Ok(mut guest) = acceptor.accept(stream).await else { return };
                let mut relay = tokio::net::TcpStream::connect(relay).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut guest, &mut relay).await);
            });
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::Builder::new()
        .name("asking-door".to_owned())
        .spawn(move || runtime.block_on(serve))
        .unwrap();
    address
}
