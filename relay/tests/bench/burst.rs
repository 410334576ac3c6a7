//! How long a burst of news takes from the stations' door to the provider, beside what the provider's own limit allows at best.
//!
//! `cargo bench -p ballot-relay`, with `-- --long` for a state: 1,000,000 subscribers and 200,000 changes, which takes about 25
//! minutes. The relay and the provider's stand-in are processes of their own; the stand-in refuses what is beyond its limit (429). The
//! floor is the changes divided by that limit: no relay can be faster. It goes from the first event that is posted, signed, to the
//! last text that the provider took. Memory is the relay's peak (`VmHWM`). Once on SQLite, once on PostgreSQL.
#![expect(dead_code, reason = "the rig is the tests'")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that fails says where"
)]

#[path = "../engine/cluster.rs"]
mod cluster;
#[path = "../engine/rig.rs"]
mod rig;
#[path = "../engine/sink.rs"]
mod sink;

use ballot_relay::clock::{Clock as _, SystemClock};
use ballot_relay::config::Config;
use ballot_relay::news::{Channel, Kind};
use ballot_relay::stand_in::Settings;
use ballot_relay::store::Store;
use ballot_relay::voter::{Enrolment, VoterId};
use relay_wire::{CONTENT_TYPE, HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, Status};
use rig::{ACCOUNT, COUNTY, DEADLINE, Rig, client, enrolled, event, number, pause, written};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Connections that post events.
const STATIONS: usize = 8;
/// What the relay is told of the provider's limit: a little less, so that nothing is refused.
const MODESTY: f64 = 0.97;
/// Subscribers in one transaction.
const CHUNK: usize = 1_000;

#[derive(Debug, Clone, Copy)]
struct Size {
    subscribers: usize,
    changes: usize,
    /// Texts a second.
    limit: u32,
}

const USUAL: Size = Size { subscribers: 20_000, changes: 3_000, limit: 300 };
const LONG: Size = Size { subscribers: 1_000_000, changes: 200_000, limit: 400 };

fn main() {
    let is_long = std::env::args().any(|argument| argument == "--long");
    let size = if is_long { LONG } else { USUAL };
    let only =
        std::env::args().find_map(|argument| argument.strip_prefix("--on=").map(str::to_owned));
    for (name, rig) in [("sqlite", Rig::sqlite as fn() -> Rig), ("postgres", Rig::postgres)] {
        if only.as_deref().is_none_or(|only| only == name) {
            measure(name, rig(), size);
        }
    }
}

fn measure(name: &str, mut rig: Rig, size: Size) {
    "retry_after = '250ms'\n".clone_into(&mut rig.sending);
    rig.per_second = f64::from(size.limit) * MODESTY;
    let (stand_in, url) = stand_in(&rig, size);
    let text = rig.config(Some(&url), None).replace("at_once = 24", "at_once = 32");
    written(rig.folder.path(), "relay.toml", &text);
    let config = Config::parse(&text).unwrap();
    let store = Store::open(&config.store, 2).unwrap();
    sign_up(&store, size.subscribers);
    let relay = Running::start(&rig);
    let began = SystemClock.now();
    let taken = post(&rig, size);
    let intake = SystemClock.now().since(began);
    let mut last = 0;
    let handed = loop {
        let n_handed = store
            .read_now(|tx| tx.count("SELECT COUNT(*) FROM notice WHERE handed_at IS NOT NULL", &[]))
            .unwrap();
        if n_handed == i64::try_from(size.changes).unwrap() {
            break SystemClock.now().since(began);
        }
        assert!(
            n_handed > last || SystemClock.now().since(began) < DEADLINE * 10,
            "the burst stands still at {n_handed}"
        );
        last = n_handed;
        pause(Duration::from_millis(200));
    };
    let floor = Duration::from_secs_f64(
        f64::from(u32::try_from(size.changes).unwrap()) / f64::from(size.limit),
    );
    println!(
        "{name}: {} subscribers, {taken} changes, limit {}/s: taken in {:.1} s, handed over in {:.1} s, floor {:.1} s, \
         {:.2} times the floor; the relay's peak {} MB",
        size.subscribers,
        size.limit,
        intake.as_secs_f64(),
        handed.as_secs_f64(),
        floor.as_secs_f64(),
        handed.as_secs_f64() / floor.as_secs_f64(),
        relay.peak_mb(),
    );
    drop(relay);
    drop(Running(stand_in));
}

fn stand_in(rig: &Rig, size: Size) -> (Child, String) {
    let settings =
        Settings { rate_per_second: size.limit, answer_delay_ms: 20, ..Settings::default() };
    let dir = rig.folder.path();
    let settings = written(dir, "settings.json", &serde_json::to_string(&settings).unwrap());
    let mut child = Command::new(env!("CARGO_BIN_EXE_ballot-relay"))
        .args(["stand-in", "--account", ACCOUNT])
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
    (child, line.strip_prefix("listening on ").unwrap().to_owned())
}

/// A process that goes when this does.
#[derive(Debug)]
struct Running(Child);

impl Running {
    fn start(rig: &Rig) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ballot-relay"))
            .arg("run")
            .arg("--config")
            .arg(rig.path("relay.toml"))
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        assert!(first_line(&mut child).starts_with("ready"));
        Self(child)
    }

    /// The most memory that it had.
    fn peak_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

fn sign_up(store: &Store, subscribers: usize) {
    let now = SystemClock.now();
    for first in (0..subscribers).step_by(CHUNK) {
        store
            .write_now(move |tx| {
                let enrolment = Enrolment {
                    language: "en".to_owned(),
                    timezone: rig::zone_of_day().to_owned(),
                    from_minute: 0,
                    until_minute: 24 * 60,
                    kinds: Kind::CHOICES.to_vec(),
                };
                for n in first..(first + CHUNK).min(subscribers) {
                    let voter = VoterId { county: COUNTY.to_owned(), voter: n.to_string() };
                    enrolled(tx, &voter, &[(Channel::Text, number(n))], &enrolment, now)?;
                }
                Ok(())
            })
            .unwrap();
    }
}

/// Posts the changes as stations do, each signed; how many were taken.
fn post(rig: &Rig, size: Size) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (next, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let url = format!("http://{}/events", rig.stations);
    runtime.block_on(async {
        let mut stations = JoinSet::new();
        for _ in 0..STATIONS {
            let (next, taken) = (Arc::clone(&next), Arc::clone(&taken));
            let (client, url, secret) = (client(), url.clone(), rig.secret.clone());
            stations.spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= size.changes {
                        return;
                    }
                    // Spread over all subscribers.
                    let voter = n * (size.subscribers / size.changes).max(1);
                    let now = SystemClock.now();
                    let event = event(&voter.to_string(), Status::Mailed, 1, &now.rfc3339());
                    let (body, seconds) = (event.to_body(), now.seconds());
                    let answer = client
                        .post(&url)
                        .header("content-type", CONTENT_TYPE)
                        .header(HEADER_ID, &event.id)
                        .header(HEADER_TIMESTAMP, seconds)
                        .header(HEADER_SIGNATURE, secret.sign(&event.id, seconds, body.as_bytes()))
                        .body(body)
                        .send()
                        .await
                        .unwrap();
                    assert!(answer.status().is_success(), "{}", answer.status());
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while let Some(ended) = stations.join_next().await {
            ended.unwrap();
        }
    });
    taken.load(Ordering::Relaxed)
}
