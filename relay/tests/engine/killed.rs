//! `kill -9` of the relay, of its database and of the provider, again and again, also exactly between the provider's accepting and our
//! commit: no notice is lost, nobody is texted or called twice, and an e-mail comes at most once more, under the same `Message-ID`.
//!
//! This is the test that the reference notifier lacks (it sends again what a dead worker had handed over).

use crate::on_both;
use crate::rig::{
    ACCOUNT, Accepted, COUNTY, Deadline, ELECTION, Rig, accepted, client, enrolled, event,
    eventually, free, number, pause, say, written, zone_of_day,
};
use crate::sink::{Mail, Manners, Sink};
use ballot_relay::clock::{Clock as _, SystemClock};
use ballot_relay::config::Config;
use ballot_relay::news::{Channel, Kind};
use ballot_relay::stand_in::Settings;
use ballot_relay::store::Store;
use ballot_relay::template::segments;
use ballot_relay::voter::{Enrolment, VoterId};
use relay_wire::{CONTENT_TYPE, HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, Secret, Status};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Voters by channel.
const TEXTS: usize = 900;
const CALLS: usize = 300;
const EMAILS: usize = 900;
/// From one voter to the next: all channels are at work at every kill.
const STRIDE: usize = 1_009;
/// Kills, each of one of the three.
const KILLS: u32 = 14;
/// Between two kills, at most.
const BETWEEN_MS_MAX: u64 = 900;

on_both! {
    /// See above.
    fn nothing_is_lost_and_nothing_comes_twice(rig) {
        let mut scene = Scene::set(rig, 400.0);
        scene.deliver_while_killing();
        let told = scene.wait_for_the_end();
        scene.judge(&told);
        // Else the kills missed what they are for.
        assert!(scene.doubtful() > 0, "no outcome was ever unknown");
    }
}

/// Two relays share one database: none is lost, none comes twice, together they keep to the provider's rate, and when one is killed the other
/// goes on with what it left.
#[test]
fn two_relays_share_one_database() {
    const RATE: f64 = 120.0;
    let mut scene = Scene::set(Rig::postgres(), RATE);
    let own = |address| format!("listen = '{address}'");
    let mut config = scene.rig.config(Some(&scene.provider), Some(scene.sink.address));
    for address in [scene.rig.pages, scene.rig.stations] {
        config = config.replace(&own(address), &own(free()));
    }
    written(scene.rig.folder.path(), "second.toml", &config);
    scene.second = Some(scene.run_relay("second.toml"));
    let url = format!("http://{}/events", scene.rig.stations);
    scene.runtime.block_on(deliver(url, scene.rig.secret.clone()));
    kill(scene.relay.take());
    let told = scene.wait_for_the_end();
    scene.judge(&told);
    // Full when it began, the bucket let through no more than it held and what filled it up since.
    let texts = told.accepted.iter().filter(|one| one.kind == "text");
    let n_segments: u32 = texts.clone().map(|one| segments(&one.body)).sum();
    let times = texts.map(|one| one.created);
    let micros = times.clone().max().unwrap() - times.min().unwrap();
    let floor = Duration::from_secs_f64((f64::from(n_segments) - RATE) / RATE);
    say(&format!("{n_segments} segments in {micros} us, at least {floor:?}"));
    assert!(Duration::from_micros(micros.unsigned_abs()) > floor.mul_f64(0.9));
}

struct Scene {
    rig: Rig,
    runtime: Runtime,
    sink: Sink,
    mails: Vec<Mail>,
    provider: String,
    store: Option<Store>,
    stand_in: Option<Child>,
    relay: Option<Child>,
    second: Option<Child>,
    random: u64,
}

/// What was sent in the end.
struct Told {
    accepted: Vec<Accepted>,
}

impl Scene {
    fn set(mut rig: Rig, per_second: f64) -> Self {
        "call_timeout = '1s'\nsettle_after = '2500ms'\nretry_after = '50ms'\nask_after = '1s'\n"
            .clone_into(&mut rig.sending);
        rig.per_second = per_second;
        // A day and a night in which anything may be sent.
        rig.timezone = zone_of_day();
        let sink = Sink::start(Manners { delay: Duration::from_millis(30), ..Manners::default() });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let random = getrandom::u64().unwrap();
        say(&format!("seed {random}"));
        let mut scene = Self {
            rig,
            runtime,
            sink,
            mails: Vec::new(),
            provider: String::new(),
            store: None,
            stand_in: None,
            relay: None,
            second: None,
            random,
        };
        scene.start_stand_in();
        let config = scene.rig.config(Some(&scene.provider), Some(scene.sink.address));
        written(scene.rig.folder.path(), "relay.toml", &config);
        scene.sign_up(&config);
        scene.start_relay();
        scene
    }

    /// Everybody signs up.
    fn sign_up(&mut self, config: &str) {
        let config = Config::parse(config).unwrap();
        let store = Store::open(&config.store, 2).unwrap();
        let now = SystemClock.now();
        let zone = self.rig.timezone;
        store
            .write_now(move |tx| {
                let enrolment = Enrolment {
                    language: "en".to_owned(),
                    timezone: zone.to_owned(),
                    from_minute: 0,
                    until_minute: 24 * 60,
                    kinds: Kind::CHOICES.to_vec(),
                };
                for n in 0..TEXTS + CALLS + EMAILS {
                    let voter = VoterId { county: COUNTY.to_owned(), voter: n.to_string() };
                    enrolled(tx, &voter, &[address(n)], &enrolment, now)?;
                }
                Ok(())
            })
            .unwrap();
        self.store = Some(store);
    }

    fn start_stand_in(&mut self) {
        let settings = Settings {
            answer_delay_ms: 60,
            callback_lose_percent: 20,
            callback_repeats: 1,
            callback_reorder: true,
            ..Settings::default()
        };
        let dir = self.rig.folder.path();
        let settings = written(dir, "settings.json", &serde_json::to_string(&settings).unwrap());
        let listen = self.provider.strip_prefix("http://").unwrap_or("127.0.0.1:0").to_owned();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ballot-relay"))
            .args(["stand-in", "--account", ACCOUNT, "--listen", &listen])
            .arg("--token-file")
            .arg(dir.join("token"))
            .arg("--log")
            .arg(dir.join("stand-in.jsonl"))
            .arg("--settings")
            .arg(settings)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let line = first_line(&mut child);
        self.provider = line.strip_prefix("listening on ").unwrap().to_owned();
        self.stand_in = Some(child);
    }

    fn start_relay(&mut self) {
        self.relay = Some(self.run_relay("relay.toml"));
    }

    /// A relay that is ready, with that configuration.
    fn run_relay(&self, config: &str) -> Child {
        let dir = self.rig.folder.path();
        let deadline = Deadline::new();
        loop {
            let log = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(dir.join("relay.log"))
                .unwrap();
            let mut child = Command::new(env!("CARGO_BIN_EXE_ballot-relay"))
                .arg("run")
                .arg("--config")
                .arg(dir.join(config))
                .env("RUST_LOG", "warn")
                .stdout(Stdio::piped())
                .stderr(log)
                .spawn()
                .unwrap();
            if first_line(&mut child).starts_with("ready") {
                return child;
            }
            child.wait().unwrap();
            deadline.check("a relay that starts");
        }
    }

    /// Sends all events as a station does, again until each is taken, and kills meanwhile.
    fn deliver_while_killing(&mut self) {
        let url = format!("http://{}/events", self.rig.stations);
        let sender = self.runtime.spawn(deliver(url, self.rig.secret.clone()));
        for n in 0..KILLS {
            let wait = self.dice(BETWEEN_MS_MAX);
            pause(Duration::from_millis(150 + wait));
            match (n + u32::try_from(self.dice(2)).unwrap()) % 4 {
                0 | 2 => self.kill_relay(),
                1 => {
                    kill(self.stand_in.take());
                    pause(Duration::from_millis(100));
                    self.start_stand_in();
                }
                _ if self.rig.cluster.is_some() => {
                    let cluster = self.rig.cluster.as_mut().unwrap();
                    cluster.kill();
                    cluster.restart();
                }
                _ => self.kill_relay(),
            }
            self.mails.extend(self.sink.take());
        }
        self.runtime.block_on(sender).unwrap();
    }

    /// Kills the relay right after the provider took something that it answers only in 60 ms, if it takes something soon.
    fn kill_relay(&mut self) {
        let before = self.n_accepted();
        for _ in 0..50 {
            if self.n_accepted() > before {
                break;
            }
            pause(Duration::from_millis(2));
        }
        kill(self.relay.take());
        self.start_relay();
    }

    fn n_accepted(&self) -> usize {
        let log = std::fs::read_to_string(self.rig.path("stand-in.jsonl")).unwrap();
        log.matches("\"accepted\"").count()
    }

    fn dice(&mut self, sides: u64) -> u64 {
        // Knuth's multiplier: the seed above says how the dice fell.
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % sides
    }

    fn wait_for_the_end(&mut self) -> Told {
        let store = self.store.clone().unwrap();
        let mut mails = std::mem::take(&mut self.mails);
        let wanted = i64::try_from(TEXTS + CALLS + EMAILS).unwrap();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("an end of every notice", || {
                mails.extend(self.sink.take());
                let ended = store.read_now(|tx| {
                    tx.count(
                        "SELECT COUNT(*) FROM notice WHERE state = 'delivered'
                         OR (channel = 'email' AND state IN ('sent', 'unconfirmed'))",
                        &[],
                    )
                });
                ended.is_ok_and(|ended| ended == wanted)
            });
        }));
        if let Err(failed) = ended {
            let states = store.read_now(|tx| {
                tx.rows(
                    "SELECT channel || ' ' || state || ' ' || COALESCE(why, ''), COUNT(*) FROM notice
                     GROUP BY channel || ' ' || state || ' ' || COALESCE(why, '')",
                    &[],
                )
            });
            say(&format!("{states:#?}"));
            std::panic::resume_unwind(failed);
        }
        self.mails = mails;
        Told { accepted: accepted(&self.runtime, &self.provider) }
    }

    fn judge(&self, told: &Told) {
        let mut texts: BTreeMap<String, usize> = BTreeMap::new();
        for one in &told.accepted {
            *texts.entry(format!("{} {}", one.kind, one.to)).or_default() += 1;
        }
        let mut mails: BTreeMap<&str, Vec<Option<String>>> = BTreeMap::new();
        for mail in &self.mails {
            mails.entry(&mail.to).or_default().push(mail.header("Message-ID"));
        }
        let unconfirmed = self.unconfirmed();
        let mut n_again = 0;
        for n in 0..TEXTS + CALLS + EMAILS {
            let (channel, address) = address(n);
            let n_told = match channel {
                Channel::Text => texts.get(&format!("text {address}")).copied().unwrap_or(0),
                Channel::Voice => texts.get(&format!("call {address}")).copied().unwrap_or(0),
                Channel::Email => {
                    let ids = mails.get(address.as_str()).cloned().unwrap_or_default();
                    assert!(
                        ids.iter().all(|id| *id == ids[0] && id.is_some()),
                        "{address}: {ids:?}"
                    );
                    assert!(ids.len() <= 2, "{address} got {} e-mails", ids.len());
                    n_again += usize::from(ids.len() == 2);
                    // Neither time is known to have arrived: the office is told, nothing is lost quietly.
                    usize::from(!ids.is_empty() || unconfirmed.contains(&address))
                }
            };
            assert_eq!(n_told, 1, "{channel} to {address}");
        }
        let (resolved, n_doubtful) = (self.resolved(), self.doubtful());
        say(&format!(
            "{} notices: {resolved:?} attempts, {n_doubtful} taken that nobody had answered, \
             {n_again} e-mails twice, {} unconfirmed",
            TEXTS + CALLS + EMAILS,
            unconfirmed.len()
        ));
    }

    fn unconfirmed(&self) -> Vec<String> {
        let rows =
            self.store.as_ref().unwrap().read_now(|tx| {
                tx.rows("SELECT address FROM notice WHERE state = 'unconfirmed'", &[])
            });
        rows.unwrap().iter().map(|row| row.text(0).unwrap()).collect()
    }

    /// Texts and calls that the provider had taken while we died, and that were found out later.
    fn doubtful(&self) -> i64 {
        let counted = self.store.as_ref().unwrap().read_now(|tx| {
            tx.count(
                "SELECT COUNT(*) FROM attempt WHERE state = 'accepted' AND channel <> 'email'
                 AND ended_at - started_at > 1000000",
                &[],
            )
        });
        counted.unwrap()
    }

    /// Attempts by state.
    fn resolved(&self) -> Vec<(String, i64)> {
        let rows = self.store.as_ref().unwrap().read_now(|tx| {
            tx.rows(
                "SELECT channel || ' ' || state, COUNT(*) FROM attempt GROUP BY channel, state",
                &[],
            )
        });
        rows.unwrap().iter().map(|row| (row.text(0).unwrap(), row.int(1).unwrap())).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        kill(self.relay.take());
        kill(self.second.take());
        kill(self.stand_in.take());
    }
}

/// Where a voter is told, and by which channel.
fn address(n: usize) -> (Channel, String) {
    match n {
        _ if n < TEXTS => (Channel::Text, number(n)),
        _ if n < TEXTS + CALLS => (Channel::Voice, number(n)),
        _ => (Channel::Email, format!("voter{n}@example.org")),
    }
}

pub(crate) fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    // The pipe stays open: a program that says more must not die of it.
    let mut reader = BufReader::new(child.stdout.as_mut().unwrap());
    reader.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

pub(crate) fn kill(child: Option<Child>) {
    if let Some(mut child) = child {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Delivers every event until it is taken, a few at a time, as stations' outboxes do.
async fn deliver(url: String, secret: Secret) {
    let client = client();
    let total = TEXTS + CALLS + EMAILS;
    for n in (0..total).map(|n| n * STRIDE % total) {
        let now = SystemClock.now();
        let event = event(&n.to_string(), Status::Received, 1, &now.rfc3339());
        assert_eq!(event.election, ELECTION);
        let body = event.to_body();
        loop {
            let seconds = SystemClock.now().seconds();
            let sent = client
                .post(&url)
                .header("content-type", CONTENT_TYPE)
                .header(HEADER_ID, &event.id)
                .header(HEADER_TIMESTAMP, seconds)
                .header(HEADER_SIGNATURE, secret.sign(&event.id, seconds, body.as_bytes()))
                .body(body.clone())
                .send()
                .await;
            match sent {
                Ok(answer) if answer.status().is_success() => break,
                Ok(answer) => assert!(answer.status().is_server_error(), "{}", answer.status()),
                // The relay is being killed.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }
}
