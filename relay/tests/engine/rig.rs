//! A relay in a temporary folder: its keys, its configuration, its database, its providers and its voters.

use crate::cluster::Cluster;
use crate::sink::{Manners, Sink};
use ballot_relay::channel::Channels;
use ballot_relay::clock::{Clock, ManualClock, Micros, SystemClock};
use ballot_relay::config::Config;
use ballot_relay::intake;
use ballot_relay::key::Keys;
use ballot_relay::news::{Channel, Kind};
use ballot_relay::relay::Relay;
use ballot_relay::serve::{self, Door};
use ballot_relay::stand_in::{Options, PostBox, Settings, StandIn};
use ballot_relay::store::{Row, Tx};
use ballot_relay::voter::{self, Enrolment, FirstOrNext, Voter, VoterId};
use ballot_relay::{params, work};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use relay_wire::{
    CONTENT_TYPE, ChangeEvent, HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, Method, Secret,
    Status,
};
use serde::Deserialize;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How long a test waits for what must come; only a failing test waits so long.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

pub(crate) const COUNTY: &str = "boulder";
pub(crate) const ELECTION: &str = "202611";
pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000000";
pub(crate) const TOKEN: &str = "a token that signs";
/// Where the channels of a relay that sends nothing would lead.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);
/// A Tuesday's noon in Denver.
pub(crate) const NOON: &str = "2026-10-20T12:00:00-06:00";

/// A deadline on the clock of the machine.
#[derive(Debug)]
pub(crate) struct Deadline(Micros);

impl Deadline {
    pub(crate) fn new() -> Self {
        Self(SystemClock.now().plus(DEADLINE))
    }

    #[track_caller]
    pub(crate) fn check(&self, what: &str) {
        assert!(SystemClock.now() < self.0, "{what} did not come");
    }
}

/// Waits until the level is reached.
#[track_caller]
pub(crate) fn eventually(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Deadline::new();
    while !reached() {
        deadline.check(what);
        pause(LOOK_AGAIN);
    }
}

/// Lets others run.
pub(crate) fn pause(while_: Duration) {
    crossbeam_channel::after(while_).recv().unwrap();
}

pub(crate) fn at(text: &str) -> Micros {
    Micros::parse_rfc3339(text).unwrap()
}

/// One test, on each of the databases.
#[macro_export]
macro_rules! on_both {
    ($($(#[$doc:meta])* fn $name:ident($rig:ident) $body:block)*) => {
        $($(#[$doc])* mod $name {
            use super::*;

            fn check($rig: $crate::rig::Rig) $body

            #[test]
            fn sqlite() {
                check($crate::rig::Rig::sqlite());
            }

            #[test]
            fn postgres() {
                check($crate::rig::Rig::postgres());
            }
        })*
    };
}

/// A folder with all that a relay needs.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) folder: TempDir,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) pages: SocketAddr,
    pub(crate) stations: SocketAddr,
    pub(crate) secret: Secret,
    /// Lines of the configuration that a test adds or overrides.
    pub(crate) sending: String,
    pub(crate) per_second: f64,
    /// Keys of `[pages]` and of `[stations]`, and whole tables.
    pub(crate) pages_more: String,
    pub(crate) stations_more: String,
    pub(crate) more: String,
    /// Channels that are not configured.
    pub(crate) without: &'static [&'static str],
    pub(crate) timezone: &'static str,
    /// A folder of the county's own words.
    pub(crate) words: Option<std::path::PathBuf>,
}

impl Rig {
    pub(crate) fn sqlite() -> Self {
        Self::new(None)
    }

    pub(crate) fn postgres() -> Self {
        Self::new(Some(Cluster::start()))
    }

    fn new(cluster: Option<Cluster>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = format!("whsec_{}", STANDARD.encode([7; 32]));
        for (name, text) in [
            ("key", Keys::generate().unwrap()),
            ("token", TOKEN.to_owned()),
            ("secret", secret.clone()),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self {
            folder,
            cluster,
            pages: free(),
            stations: free(),
            secret: Secret::parse(&secret).unwrap(),
            sending: "call_timeout = '2s'\nsettle_after = '3s'\nretry_after = '50ms'\nask_after = '300ms'\n"
                .to_owned(),
            per_second: 5_000.0,
            pages_more: String::new(),
            stations_more: String::new(),
            more: String::new(),
            without: &[],
            timezone: "America/Denver",
            words: None,
        }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn store_url(&self) -> String {
        match &self.cluster {
            None => format!("sqlite:{}", self.path("relay.sqlite").display()),
            Some(cluster) => cluster.url(),
        }
    }

    /// The configuration, with the providers there are.
    pub(crate) fn config(&self, provider: Option<&str>, mail: Option<SocketAddr>) -> String {
        let dir = self.folder.path().display();
        let (url, speed, zone) = (self.store_url(), self.per_second, self.timezone);
        let mut text = format!(
            "[relay]\npublic_url = 'http://{}'\nkey_file = '{dir}/key'\n[store]\nurl = '{url}'\n\
             [pages]\nlisten = '{}'\n{}\n[stations]\nlisten = '{}'\n{}\n\
             [[county]]\nid = '{COUNTY}'\nname = 'Boulder County'\ntimezone = '{zone}'\nphone = '303-555-0100'\n\
             [[election]]\ncounty = '{COUNTY}'\nid = '{ELECTION}'\nreceive_until = '2026-11-03T19:00'\n\
             cure_until = '2026-11-11T23:59'\nname = {{ en = 'General Election', es = 'Elecciones Generales' }}\n\
             [[station]]\ncounty = '{COUNTY}'\nfacility = 'boulder'\nstation = '*'\nsecret_files = ['{dir}/secret']\n\
             [sending]\nper_address_hour = 1000\n{}\n",
            self.pages,
            self.pages,
            self.pages_more,
            self.stations,
            self.stations_more,
            self.sending,
        );
        if let Some(words) = &self.words {
            let phone = "phone = '303-555-0100'\n";
            text = text.replace(phone, &format!("{phone}templates = '{}'\n", words.display()));
        }
        text.push_str(&self.more);
        let is_there = |channel| !self.without.contains(&channel);
        for channel in ["text", "voice"].into_iter().filter(|channel| is_there(*channel)) {
            if let Some(provider) = provider {
                let table = format!(
                    "[{channel}]\napi_url = '{provider}'\naccount = '{ACCOUNT}'\ntoken_file = '{dir}/token'\n\
                     from = '+13035550199'\nper_second = {speed:?}\nat_once = 24\n"
                );
                text.push_str(&table);
            }
        }
        if let Some(mail) = mail.filter(|_| is_there("email")) {
            let table = format!(
                "[email]\nserver = '{mail}'\nsecurity = 'none'\nfrom = 'Boulder County <no-reply@example.org>'\n\
                 return_domain = 'bounce.example.org'\nper_second = {speed:?}\nat_once = 16\n"
            );
            text.push_str(&table);
        }
        text
    }

    /// A relay that sends nothing, though its channels are configured: for what is taken and owed.
    pub(crate) fn quiet(&self, now: &str) -> World {
        World::open(self, now, None)
    }

    /// A relay with a stand-in and a mail server beside it.
    pub(crate) fn whole(&self, now: &str, settings: Settings, manners: Manners) -> World {
        World::open(self, now, Some((settings, manners)))
    }
}

/// A port that is free now, and stays it: below those that the kernel gives to connections, and another test process begins
/// elsewhere.
pub(crate) fn free() -> SocketAddr {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = std::process::id().wrapping_mul(64) + ASKED.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + u16::try_from(n % 22_000).unwrap();
        if let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
}

/// A relay within the test's own process.
pub(crate) struct World {
    pub(crate) relay: Arc<Relay>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) runtime: Runtime,
    pub(crate) sink: Option<Sink>,
    pub(crate) provider: Option<String>,
    stop: Option<watch::Sender<bool>>,
    running: Option<tokio::task::JoinHandle<()>>,
    doors: Vec<tokio::task::JoinHandle<()>>,
    /// A restart takes it anew.
    pub(crate) config: Config,
}

/// A text or a call that the stand-in accepted.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) sid: String,
    pub(crate) kind: String,
    pub(crate) to: String,
    pub(crate) body: String,
    pub(crate) created: i64,
    pub(crate) is_reply: bool,
}

impl World {
    fn open(rig: &Rig, now: &str, providers: Option<(Settings, Manners)>) -> Self {
        let clock = Arc::new(ManualClock::new(at(now)));
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (mut provider, mut sink, mut doors) = (None, None, Vec::new());
        if let Some((settings, manners)) = providers {
            let options = Options {
                account: ACCOUNT.to_owned(),
                token: TOKEN.to_owned(),
                log: rig.path("stand-in.jsonl"),
                inbound: Some(format!("http://{}/provider/inbound", rig.pages)),
                settings,
            };
            let address = "127.0.0.1:0".parse().unwrap();
            let stand_in = runtime
                .block_on(StandIn::bind(address, options, Arc::clone(&shared), PostBox::default()))
                .unwrap();
            provider = Some(stand_in.url());
            doors.push(runtime.spawn(stand_in.serve(std::future::pending())));
            sink = Some(Sink::start(manners));
        }
        let mail = sink.as_ref().map_or(NOWHERE, |sink: &Sink| sink.address);
        let nowhere = format!("http://{NOWHERE}");
        let api = provider.as_deref().unwrap_or(&nowhere);
        let config = Config::parse(&rig.config(Some(api), Some(mail))).unwrap();
        let relay = Relay::open(config.clone(), shared).unwrap();
        let mut world = Self {
            relay,
            clock,
            runtime,
            sink,
            provider,
            stop: None,
            running: None,
            doors,
            config,
        };
        if world.provider.is_some() {
            world.open_doors();
            world.start();
        }
        world
    }

    /// Serves pages and stations of the relay.
    pub(crate) fn open_doors(&mut self) {
        let (pages, stations) = self.runtime.block_on(async {
            let pages = Door::open(&self.relay.config.pages).await.unwrap();
            (pages, Door::open(&self.relay.config.stations).await.unwrap())
        });
        let routers = (serve::pages(&self.relay), serve::stations(&self.relay));
        self.doors.push(self.runtime.spawn(pages.serve(routers.0, std::future::pending())));
        self.doors.push(self.runtime.spawn(stations.serve(routers.1, std::future::pending())));
    }

    /// Starts the workers.
    pub(crate) fn start(&mut self) {
        let (stop, stopping) = watch::channel(false);
        let channels = Channels::new(&self.relay.config).unwrap();
        self.running =
            Some(self.runtime.spawn(work::run(Arc::clone(&self.relay), channels, stopping)));
        self.stop = Some(stop);
    }

    /// Stops the workers, and waits until they have.
    pub(crate) fn stop(&mut self) {
        if let (Some(stop), Some(running)) = (self.stop.take(), self.running.take()) {
            stop.send_replace(true);
            self.runtime.block_on(running).unwrap();
        }
    }

    /// Ends the relay and opens it again from its database.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let doors = self.doors.split_off(1.min(self.doors.len()));
        for door in doors {
            door.abort();
            drop(self.runtime.block_on(door));
        }
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        self.relay = Relay::open(self.config.clone(), clock).unwrap();
        self.open_doors();
        self.start();
    }

    /// Writes.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        job: impl FnMut(&mut Tx<'_>) -> Result<T, ballot_relay::store::StoreError> + Send + 'static,
    ) -> T {
        self.relay.store.write_now(job).unwrap()
    }

    /// The rows of a query.
    pub(crate) fn rows(&self, sql: &'static str) -> Vec<Row> {
        self.relay.store.read_now(move |tx| tx.rows(sql, &[])).unwrap()
    }

    pub(crate) fn count(&self, sql: &'static str) -> i64 {
        self.relay.store.read_now(move |tx| tx.count(sql, &[])).unwrap()
    }

    /// Notices as `kind state`, oldest first.
    pub(crate) fn notices(&self) -> Vec<String> {
        let rows = self.rows("SELECT kind, state FROM notice ORDER BY id");
        rows.iter()
            .map(|row| format!("{} {}", row.text(0).unwrap(), row.text(1).unwrap()))
            .collect()
    }

    /// A voter who signed up, with confirmed contacts, the first of them first.
    pub(crate) fn voter(&self, id: &str, contacts: &[(Channel, &str)]) -> VoterId {
        self.voter_of(
            id,
            contacts,
            Enrolment {
                language: "en".to_owned(),
                timezone: "America/Denver".to_owned(),
                from_minute: 8 * 60,
                until_minute: 21 * 60,
                kinds: Kind::CHOICES.to_vec(),
            },
        )
    }

    pub(crate) fn voter_of(
        &self,
        id: &str,
        contacts: &[(Channel, &str)],
        enrolment: Enrolment,
    ) -> VoterId {
        let voter = VoterId { county: COUNTY.to_owned(), voter: id.to_owned() };
        let contacts: Vec<_> =
            contacts.iter().map(|(channel, address)| (*channel, (*address).to_owned())).collect();
        let (made, now) = (voter.clone(), self.clock.now());
        self.write(move |tx| enrolled(tx, &made, &contacts, &enrolment, now));
        voter
    }

    /// A station's event, taken as the door takes it.
    pub(crate) fn take(&self, event: &ChangeEvent) -> intake::Taken {
        let (relay, event, now) = (Arc::clone(&self.relay), event.clone(), self.clock.now());
        let taken = self.write(move |tx| {
            intake::take(tx, &relay.config, COUNTY, (&event, &event.to_body()), now)
        });
        self.relay.owed.notify_waiters();
        taken
    }

    /// What the stand-in accepted.
    pub(crate) fn accepted(&self) -> Vec<Accepted> {
        accepted(&self.runtime, self.provider.as_deref().unwrap())
    }

    pub(crate) fn settings(&self, settings: &Settings) {
        let url = format!("{}/control/settings", self.provider.as_deref().unwrap());
        let request = async || client().post(url).json(settings).send().await;
        assert!(self.runtime.block_on(request()).unwrap().status().is_success());
    }

    /// Somebody texts the relay.
    pub(crate) fn text_from(&self, from: &str, body: &str) {
        let url = format!("{}/control/inbound", self.provider.as_deref().unwrap());
        let form = [("from", from), ("to", "+13035550199"), ("body", body)];
        let request = async || client().post(url).form(&form).send().await;
        let answer = self.runtime.block_on(request()).unwrap();
        assert!(
            answer.status().is_success() || answer.status().is_redirection(),
            "{}",
            answer.status()
        );
    }

    /// Somebody presses a key during a call.
    pub(crate) fn press(&self, sid: &str, digits: &str) {
        let url = format!("{}/control/press", self.provider.as_deref().unwrap());
        let form = [("sid", sid), ("digits", digits)];
        let request = async || client().post(url).form(&form).send().await;
        let answer = self.runtime.block_on(request()).unwrap();
        assert!(
            answer.status().is_success() || answer.status().is_redirection(),
            "{}",
            answer.status()
        );
    }

    /// Waits until nothing is due any more, by the clock that the test owns.
    pub(crate) fn settled(&self) {
        let (store, clock) = (self.relay.store.clone(), Arc::clone(&self.clock));
        eventually("what is owed being sent", || {
            self.relay.owed.notify_waiters();
            let now = clock.now();
            let open = store.read_now(move |tx| {
                tx.count(
                    "SELECT COUNT(*) FROM notice WHERE state = 'calling' OR (state = 'owed' AND next_at <= $1)",
                    params![now],
                )
            });
            open.unwrap() == 0
        });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
        for door in self.doors.drain(..) {
            door.abort();
        }
    }
}

/// Signs a voter up within a transaction.
pub(crate) fn enrolled(
    tx: &mut Tx<'_>,
    id: &VoterId,
    contacts: &[(Channel, String)],
    enrolment: &Enrolment,
    now: Micros,
) -> Result<(), ballot_relay::store::StoreError> {
    let voter = Voter {
        id: id.clone(),
        first_name: "Ana".to_owned(),
        last_name: format!("Diaz {}", id.voter),
        identity: format!("identity of {}", id.voter),
        is_confidential: false,
    };
    voter::put(tx, &voter, now)?;
    voter::enrol(tx, id, enrolment, now)?;
    for (idx, (channel, address)) in contacts.iter().enumerate() {
        let first = if idx == 0 { FirstOrNext::First } else { FirstOrNext::Next };
        let contact = voter::add_contact(tx, id, (*channel, address), first, now)?;
        voter::confirm(tx, &contact, ("page", "yes"), now)?;
    }
    Ok(())
}

/// An event of the first station.
pub(crate) fn event(voter: &str, status: Status, sequence: u64, time: &str) -> ChangeEvent {
    ChangeEvent {
        id: format!("{voter}-{sequence}"),
        facility: "boulder".to_owned(),
        station: "intake-1".to_owned(),
        time: time.to_owned(),
        election: ELECTION.to_owned(),
        ballot: format!("b{voter}"),
        voter: voter.to_owned(),
        status,
        previous: Status::Mailed,
        reason: None,
        sequence,
        method: Method::Scanner,
        corrects: None,
    }
}

/// Sends an event's body to the stations' door, signed now; the status of the answer.
pub(crate) fn send_event(
    world: &World,
    rig: &Rig,
    secret: &Secret,
    (id, body): (&str, String),
) -> u16 {
    let seconds = world.clock.now().seconds();
    let request = async || {
        client()
            .post(format!("http://{}/events", rig.stations))
            .header("content-type", CONTENT_TYPE)
            .header(HEADER_ID, id)
            .header(HEADER_TIMESTAMP, seconds)
            .header(HEADER_SIGNATURE, secret.sign(id, seconds, body.as_bytes()))
            .body(body)
            .send()
            .await
    };
    world.runtime.block_on(request()).unwrap().status().as_u16()
}

/// A client that finds loopback only.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

pub(crate) fn accepted(runtime: &Runtime, provider: &str) -> Vec<Accepted> {
    let url = format!("{provider}/control/accepted");
    runtime.block_on(async { client().get(url).send().await.unwrap().json().await.unwrap() })
}

/// Says a figure; `cargo test -- --nocapture` shows it.
pub(crate) fn say(figure: &str) {
    std::io::stdout().write_all(format!("{figure}\n").as_bytes()).unwrap();
}

/// The number of a voter.
pub(crate) fn number(n: usize) -> String {
    format!("+1303{:07}", 2_000_000 + n)
}

pub(crate) fn written(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    file
}

/// A zone in which it is about noon now, so that the quiet hours of the night do not hold the test up.
pub(crate) fn zone_of_day() -> &'static str {
    const ZONES: [(&str, i64); 4] = [
        ("America/Denver", -7),
        ("Pacific/Auckland", 12),
        ("Asia/Kolkata", 5),
        ("Atlantic/Azores", -1),
    ];
    let hour = SystemClock.now().seconds().rem_euclid(86_400) / 3_600;
    let day = |offset: i64| (hour + offset).rem_euclid(24);
    ZONES.iter().min_by_key(|(_, offset)| (day(*offset) - 13).abs()).unwrap().0
}
