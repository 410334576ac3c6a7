//! The configuration: text in, and out comes one that can work, or everything that is wrong with it.
//!
//! Nothing here opens a file or a port: what exists only on the machine (a scanner's port, a secret) may come and go while the
//! daemon runs, so its absence is no fault of the configuration. `deploy/config.toml` documents every key.

mod envelopes;
mod fault;
mod read;
mod reasons;
mod scanners;
mod syntax;
mod value;

use crate::ballot::{ElectionId, Mode, Status};
use crate::clock::{CivilError, Micros, TimeOfDay, Zone};
use crate::envelope::Format;
use crate::scanner::plugged::Which;
use crate::scanner::profile::Profile;
use fault::Sink;
use read::{Key, Misfit, Section, Sections, Table, Times};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

pub use fault::{Fault, Faults};
pub use reasons::Reasons;

/// The documented configuration, every key with its default: what a package installs.
pub const DOCUMENTED: &str = include_str!("../deploy/config.toml");

/// Longest configuration that is read, in bytes.
pub const CONFIG_BYTES_MAX: usize = 1 << 20;
/// Longest window in which a scanner's same payload is a repeat: an envelope scanned a minute later is news.
pub const REPEAT_WINDOW_MAX: Duration = Duration::from_mins(1);
/// Most scans that a batch may hold before the clerk is warned; nobody counts more by hand.
pub const BATCH_CAP_MAX: u32 = 1_000_000;
/// Most nightly backups that are kept.
pub const BACKUP_KEEP_MAX: u32 = 1_000;
/// Longest time for which a change is held back from the relay.
pub const HOLD_BACK_MAX: Duration = Duration::from_hours(24);

/// A configuration that can work.
#[derive(Debug)]
pub struct Config {
    /// The building.
    pub facility: Facility,
    /// This workstation.
    pub station: Station,
    /// The election whose envelopes are scanned; without one no ballot is marked.
    pub election: Option<Election>,
    /// The ledger.
    pub ledger: LedgerConfig,
    /// The envelope formats, in the order in which they are tried; without one no ballot is marked.
    pub envelopes: Vec<Format>,
    /// The scanners; no two have a name or a port in common.
    pub scanners: Vec<ScannerConfig>,
    /// Where changes are sent; without it nothing is forwarded.
    pub relay: Option<RelayConfig>,
    /// The county's own codes of reasons.
    pub reasons: Reasons,
    /// By what the pages prove who they are; none where they are served without TLS.
    pub tls: Option<Tls>,
    /// Whether what is scanned counts; never written in a configuration.
    pub run: Run,
}

/// The building in which the stations stand.
#[derive(Debug, Clone)]
pub struct Facility {
    /// 1 to 32 of `A-Z a-z 0-9 . _ -`: it stands in addresses.
    pub id: String,
    /// In which deadlines are written and reports are read.
    pub timezone: Zone,
    /// Its IANA name.
    pub timezone_name: String,
}

/// The workstation with its scanners.
#[derive(Debug, Clone)]
pub struct Station {
    /// 1 to 32 of `A-Z a-z 0-9 . _ -`: it stands in addresses and before the numbers of batches.
    pub id: String,
    /// Of a batch that names none.
    pub mode: Mode,
    /// The pages for clerk and supervisor.
    pub page: Page,
    /// The device that sounds tones for scanners that cannot.
    pub speaker: Option<PathBuf>,
    /// Scans of a batch from which on the clerk is warned, where its opening says nothing else; 0 for no bound.
    pub batch_cap: u32,
    /// How long after its last sight a scanner's same payload is a repeat; at most [`REPEAT_WINDOW_MAX`].
    pub repeat_window: Duration,
}

/// Where the pages are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Nowhere.
    Off,
    /// There; on an address that only this machine reaches, unless there is [`Tls`].
    Listen(SocketAddr),
}

/// By what the pages prove which station they are, and keep what is read and typed there to themselves; or the station itself to its relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate and those that it stands on, PEM.
    pub certificate_file: PathBuf,
    /// Its private key, PEM.
    pub key_file: PathBuf,
}

/// Whether what is scanned counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Run {
    /// It does.
    #[default]
    Real,
    /// It is practice: another ledger, and nothing is forwarded.
    Practice,
}

/// The election whose envelopes are scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Election {
    /// As the county numbers it.
    pub id: ElectionId,
    /// Its day, `YYYY-MM-DD`, for files that name an election by its day.
    pub day: Option<String>,
    /// Until when ballots that have no deadline of their own may come in.
    pub receive_until: Option<Micros>,
    /// Until when those may that were postmarked in time.
    pub postmarked_receive_until: Option<Micros>,
    /// Until when a voter may cure what a ballot lacks.
    pub cure_until: Option<Micros>,
}

impl Election {
    /// An election whose ballots may come in at any time.
    pub const fn without_deadlines(id: ElectionId) -> Self {
        Self {
            id,
            day: None,
            receive_until: None,
            postmarked_receive_until: None,
            cure_until: None,
        }
    }
}

/// Where the ledger lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerConfig {
    /// The database.
    pub path: PathBuf,
    /// The private key that signs checkpoints; made at the first start.
    pub signing_key_file: PathBuf,
    /// Where the nightly backups go; none are made without it.
    pub backup_dir: Option<PathBuf>,
    /// When they are made, in the facility's local time.
    pub backup_at: TimeOfDay,
    /// How many of them are kept.
    pub backup_keep: NonZeroU32,
    /// Where every event is written a second time; nowhere without it.
    pub log_dir: Option<PathBuf>,
    /// Nothing is written about the key, so it goes where the ledger goes.
    is_key_beside: bool,
}

impl LedgerConfig {
    /// Puts the ledger elsewhere, and its key with it unless the configuration says where that is.
    pub fn move_to(&mut self, path: PathBuf) {
        if self.is_key_beside {
            self.signing_key_file = path.with_file_name(KEY);
        }
        self.path = path;
    }
}

impl Config {
    /// Has all that follows be thrown away: a ledger and a key in that folder, and nothing that the station has beside its own
    /// (backups, log of events, relay, speaker, pages).
    pub fn play_in(&mut self, folder: &Path) {
        self.ledger.path = folder.join("ledger.sqlite");
        self.ledger.signing_key_file = folder.join(KEY);
        (self.ledger.backup_dir, self.ledger.log_dir) = (None, None);
        (self.relay, self.station.speaker, self.tls) = (None, None, None);
        self.station.page = Page::Off;
    }

    /// Has all that follows be practice: a ledger and a key of its own beside the real ones, no copies of it, and no relay.
    pub fn practise(&mut self) {
        let ledger = &mut self.ledger;
        ledger.path = ledger.path.with_extension("practice.sqlite");
        ledger.signing_key_file = ledger.signing_key_file.with_extension("practice.key");
        (ledger.backup_dir, ledger.log_dir) = (None, None);
        self.relay = None;
        self.run = Run::Practice;
    }
}

/// One scanner.
#[derive(Debug, Clone)]
pub struct ScannerConfig {
    /// What the clerk and the ledger call it; 1 to 64 visible ASCII characters.
    pub name: String,
    /// The name of its model's profile.
    pub profile_name: String,
    /// The facts of its model.
    pub profile: Profile,
    /// How it is reached.
    pub link: Link,
    /// After what it is locked.
    pub stop: Stop,
}

/// After what a scanner is locked, so that it scans nothing until somebody acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Never.
    Never,
    /// After a bad answer, and after the alarm.
    OnBad,
}

/// How a scanner is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// A device of this machine: a serial port, a device that types, a HID device or a camera.
    Device {
        /// Which.
        which: Which,
    },
    /// The scanner listens.
    Connect {
        /// Host and port.
        address: String,
    },
    /// The scanner connects to the station.
    Listen {
        /// Where the station listens.
        address: SocketAddr,
        /// Who may connect; nothing means everybody on this machine, and stands only beside a loopback address.
        allow: Option<Vec<IpAddr>>,
    },
    /// A recording is played; never written in a configuration.
    Played {
        /// A socket of packets, or of a camera the file with the picture that it sees.
        socket: PathBuf,
    },
    /// Pictures are put into a folder.
    Folder {
        /// The folder.
        path: PathBuf,
    },
}

/// Where changes of status are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayConfig {
    /// `https`, or `http` to this machine.
    pub url: String,
    /// Where the shared secret lies.
    pub secret_file: SecretSource,
    /// How long a change waits for its correction; at most [`HOLD_BACK_MAX`].
    pub hold_back: Duration,
    /// The statuses that are sent when an import brings them.
    pub announce_imports: Vec<Status>,
    /// Whether it gets the ledger's checkpoints.
    pub witness: bool,
    /// What this station shows to a relay that asks who it is (mutual TLS).
    pub client: Option<Tls>,
}

/// Where a secret lies. It never stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In this file.
    Path(PathBuf),
    /// In the credential that systemd hands over under this name (`LoadCredential=`).
    Credential(String),
}

/// Finds the scanner profile of a name.
pub type FindProfile<'a> = dyn Fn(&str) -> ProfileLookup + 'a;

/// What a configuration depends on besides its text.
#[derive(Clone, Copy)]
pub struct ConfigWorld<'a> {
    /// Where the ledger and its key lie when nothing else is written.
    pub state_dir: &'a Path,
    /// Finds the scanner profile of a name.
    pub profile: &'a FindProfile<'a>,
}

impl fmt::Debug for ConfigWorld<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigWorld").field("state_dir", &self.state_dir).finish_non_exhaustive()
    }
}

/// What is found under a profile's name.
#[derive(Debug, Clone)]
pub enum ProfileLookup {
    /// The profile.
    Found(Box<Profile>),
    /// Something that is no profile, and why.
    Broken(String),
    /// Nothing.
    Unknown {
        /// The names there are.
        known: Vec<String>,
    },
}

impl ProfileLookup {
    /// Looks among the profiles that are compiled in.
    pub fn built_in(name: &str) -> Self {
        match Profile::built_in(name).map(Profile::parse) {
            Some(Ok(profile)) => Self::Found(Box::new(profile)),
            Some(Err(error)) => Self::Broken(crate::event::chain(&error)),
            None => Self::Unknown { known: Profile::names().map(str::to_owned).collect() },
        }
    }
}

impl Config {
    /// Reads a configuration as it lies on disk.
    pub fn parse_bytes(bytes: &[u8], world: &ConfigWorld<'_>) -> Result<Self, Faults> {
        let text = String::from_utf8_lossy(bytes);
        let mut sink = Sink::new(&text);
        let mut offset = 0;
        for chunk in bytes.utf8_chunks() {
            offset += chunk.valid().len();
            if let Some(byte) = chunk.invalid().first() {
                let message = format!("the byte {byte:#04x} is not UTF-8; save the file as UTF-8");
                sink.fault_of_whole(offset, message);
                offset += char::REPLACEMENT_CHARACTER.len_utf8();
            }
        }
        match sink.into_faults() {
            Some(faults) => Err(faults),
            None => Self::parse(&text, world),
        }
    }

    /// Reads a configuration: one that can work, or all its faults at once.
    pub fn parse(text: &str, world: &ConfigWorld<'_>) -> Result<Self, Faults> {
        let mut sink = Sink::new(text);
        let config = if text.len() > CONFIG_BYTES_MAX {
            sink.fault_of_whole(CONFIG_BYTES_MAX, format!("longer than {CONFIG_BYTES_MAX} bytes"));
            Self::default_for(world)
        } else {
            let (root, errors) = DeTable::parse_recoverable(text);
            let config = Self::read(root.get_ref(), world, &mut sink);
            syntax::judge(&errors, &mut sink);
            config
        };
        sink.into_faults().map_or(Ok(config), Err)
    }

    /// The configuration that holds when nothing is written.
    pub fn default_for(world: &ConfigWorld<'_>) -> Self {
        Self::read(&DeTable::new(), world, &mut Sink::new(""))
    }

    fn read(root: &DeTable<'_>, world: &ConfigWorld<'_>, sink: &mut Sink<'_>) -> Self {
        let sections = Sections::new(root, &TABLES, sink);
        let facility = facility(&sections.once(&FACILITY, sink), sink);
        let station_section = sections.once(&STATION, sink);
        let config = Self {
            station: station(&station_section, sink),
            election: sections
                .optional(&ELECTION, sink)
                .and_then(|section| election(&section, &facility.timezone, sink)),
            ledger: ledger(&sections.once(&LEDGER, sink), world.state_dir, sink),
            envelopes: envelopes::read(&sections, sink),
            scanners: scanners::read(&sections, world, sink),
            relay: sections.optional(&RELAY, sink).and_then(|section| relay(&section, sink)),
            reasons: reasons::read(&sections, sink),
            tls: tls(&sections.once(&PAGE_TABLE, sink), PAGE_TLS, sink),
            run: Run::Real,
            facility,
        };
        judge_page(&config, &station_section, sink);
        config
    }
}

static TABLES: [&Table; 9] = [
    &FACILITY,
    &STATION,
    &PAGE_TABLE,
    &ELECTION,
    &LEDGER,
    &envelopes::ENVELOPE,
    &scanners::SCANNER,
    &RELAY,
    &reasons::REASONS,
];

static FACILITY: Table = Table {
    name: "facility",
    times: Times::Once,
    keys: &[
        Key { name: "id", example: "\"county\"" },
        Key { name: "timezone", example: "\"America/Denver\"" },
    ],
};

static STATION: Table = Table {
    name: "station",
    times: Times::Once,
    keys: &[
        Key { name: "id", example: "\"intake-1\"" },
        Key { name: "mode", example: "\"receive\"" },
        Key { name: "batch_cap", example: "100" },
        Key { name: "page", example: "\"127.0.0.1:8760\"" },
        Key { name: "repeat_window", example: "\"2s\"" },
        Key { name: "speaker", example: "\"/dev/input/by-path/platform-pcspkr-event-spkr\"" },
    ],
};

static PAGE_TABLE: Table = Table {
    name: "page",
    times: Times::Once,
    keys: &[
        Key { name: "tls_certificate_file", example: "\"/etc/ballot-intake/page.crt\"" },
        Key { name: "tls_key_file", example: "\"/etc/ballot-intake/page.key\"" },
    ],
};

/// The keys of a certificate and its own key: of the pages, and of the station before its relay.
const PAGE_TLS: [&str; 2] = ["tls_certificate_file", "tls_key_file"];
const RELAY_TLS: [&str; 2] = ["client_certificate_file", "client_key_file"];

static ELECTION: Table = Table {
    name: "election",
    times: Times::Once,
    keys: &[
        Key { name: "id", example: "\"202611\"" },
        Key { name: "day", example: "\"2026-11-03\"" },
        Key { name: "receive_until", example: "\"2026-11-03T19:00\"" },
        Key { name: "postmarked_receive_until", example: "\"2026-11-10T19:00\"" },
        Key { name: "cure_until", example: "\"2026-11-12T23:59\"" },
    ],
};

static LEDGER: Table = Table {
    name: "ledger",
    times: Times::Once,
    keys: &[
        Key { name: "path", example: "\"/var/lib/ballot-intake/ledger.sqlite\"" },
        Key { name: "signing_key_file", example: "\"/var/lib/ballot-intake/signing.key\"" },
        Key { name: "backup_dir", example: "\"/srv/ballot-backups\"" },
        Key { name: "backup_at", example: "\"02:30\"" },
        Key { name: "backup_keep", example: "14" },
        Key { name: "log_dir", example: "\"/srv/ballot-log\"" },
    ],
};

static RELAY: Table = Table {
    name: "relay",
    times: Times::Once,
    keys: &[
        Key { name: "url", example: "\"https://relay.example.gov/events\"" },
        Key { name: "secret_file", example: "\"/etc/ballot-intake/relay.secret\"" },
        Key { name: "hold_back", example: "\"10m\"" },
        Key { name: "announce_imports", example: "[\"voided\"]" },
        Key { name: "witness", example: "true" },
        Key { name: "client_certificate_file", example: "\"/etc/ballot-intake/relay.crt\"" },
        Key { name: "client_key_file", example: "\"/etc/ballot-intake/relay.key\"" },
    ],
};

const FACILITY_ID: &str = "county";
const TIMEZONE: &str = "UTC";
const STATION_ID: &str = "intake-1";
const PAGE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8760);
/// The key's name beside the ledger.
const KEY: &str = "signing.key";
/// Where udev has the speaker that most workstations have built in.
const SPEAKER: &str = "/dev/input/by-path/platform-pcspkr-event-spkr";
/// Scans of a batch from which on the clerk is warned.
const BATCH_CAP: u32 = 100;
const REPEAT_WINDOW: Duration = Duration::from_secs(2);
/// After most time changes, and long before anybody scans.
const BACKUP_AT: TimeOfDay = TimeOfDay::new(2, 30);
const BACKUP_KEEP: NonZeroU32 = NonZeroU32::new(14).unwrap();
/// How long a change waits for its correction where nothing else is configured.
pub const HOLD_BACK: Duration = Duration::from_mins(10);

fn facility(section: &Section<'_, '_>, sink: &mut Sink<'_>) -> Facility {
    let id = section.read(sink, "id", value::name);
    let zone = section.read(sink, "timezone", |text| {
        let zone = Zone::named(text).ok_or_else(|| {
            Misfit::new("no time zone of the IANA database; such as America/Denver")
        })?;
        Ok((zone, text.to_owned()))
    });
    let (timezone, timezone_name) = zone.unwrap_or((Zone::utc(), TIMEZONE.to_owned()));
    Facility { id: id.unwrap_or_else(|| FACILITY_ID.to_owned()), timezone, timezone_name }
}

fn station(section: &Section<'_, '_>, sink: &mut Sink<'_>) -> Station {
    let id = section.read(sink, "id", value::name);
    let mode = section.read(sink, "mode", |text| {
        value::one_of(text, &Mode::ALL.map(Mode::name), Mode::from_name)
    });
    let page = section.read(sink, "page", page);
    let window =
        section.read(sink, "repeat_window", |text| value::duration(text, REPEAT_WINDOW_MAX));
    let speaker = section.read(sink, "speaker", speaker);
    let batch_cap = section.read_number(sink, "batch_cap", 0..=BATCH_CAP_MAX);
    Station {
        speaker: speaker.unwrap_or_else(|| Some(PathBuf::from(SPEAKER))),
        id: id.unwrap_or_else(|| STATION_ID.to_owned()),
        mode: mode.unwrap_or(Mode::Receive),
        batch_cap: batch_cap.unwrap_or(BATCH_CAP),
        page: page.unwrap_or(Page::Listen(PAGE)),
        repeat_window: window.unwrap_or(REPEAT_WINDOW),
    }
}

fn speaker(text: &str) -> Result<Option<PathBuf>, Misfit> {
    if text == "off" { Ok(None) } else { value::path(text).map(Some) }
}

fn page(text: &str) -> Result<Page, Misfit> {
    if text == "off" {
        return Ok(Page::Off);
    }
    let address = value::socket(text)
        .map_err(|Misfit(what)| Misfit::new(format!("{what}; or \"off\" for no page")))?;
    Ok(Page::Listen(address))
}

fn tls(section: &Section<'_, '_>, keys: [&'static str; 2], sink: &mut Sink<'_>) -> Option<Tls> {
    if keys.into_iter().any(|key| section.has(key)) {
        for key in keys {
            section.missing(sink, key);
        }
    }
    let [certificate_file, key_file] = keys.map(|key| section.read(sink, key, value::path));
    Some(Tls { certificate_file: certificate_file?, key_file: key_file? })
}

fn election(section: &Section<'_, '_>, zone: &Zone, sink: &mut Sink<'_>) -> Option<Election> {
    let id = section.require(sink, "id", |text| {
        ElectionId::new(text).map_err(|error| Misfit::new(error.to_string()))
    });
    let day = section.read(sink, "day", |text| match zone.exact(&format!("{text}T12:00")) {
        Ok(_) => Ok(text.to_owned()),
        Err(_no_day) => Err(Misfit::new("not a day, such as 2026-11-03")),
    });
    let mut time = |key| section.read(sink, key, |text| local_time(zone, text));
    let receive_until = time("receive_until");
    let postmarked_receive_until = time("postmarked_receive_until");
    let cure_until = time("cure_until");
    Some(Election { id: id?, day, receive_until, postmarked_receive_until, cure_until })
}

fn local_time(zone: &Zone, text: &str) -> Result<Micros, Misfit> {
    zone.exact(text).map_err(|error| match error {
        CivilError::Twice { .. } | CivilError::Skipped { .. } => {
            Misfit::new(format!("{error}; give another time"))
        }
        CivilError::Form(_) | CivilError::Place(_) | CivilError::Shape => {
            Misfit::new("not a local time of the facility, such as 2026-11-03T19:00")
        }
    })
}

fn ledger(section: &Section<'_, '_>, state_dir: &Path, sink: &mut Sink<'_>) -> LedgerConfig {
    let path = section.read(sink, "path", value::path);
    let path = path.unwrap_or_else(|| state_dir.join("ledger.sqlite"));
    let key = section.read(sink, "signing_key_file", value::path);
    let is_key_beside = key.is_none();
    let signing_key_file = key.unwrap_or_else(|| path.with_file_name(KEY));
    let at = section.read(sink, "backup_at", |text| {
        TimeOfDay::parse(text).ok_or_else(|| Misfit::new("not a time of day, such as 02:30"))
    });
    let keep = section.read_number(sink, "backup_keep", 1..=BACKUP_KEEP_MAX);
    let ledger = LedgerConfig {
        path,
        signing_key_file,
        backup_dir: section.read(sink, "backup_dir", value::path),
        backup_at: at.unwrap_or(BACKUP_AT),
        backup_keep: keep.and_then(NonZeroU32::new).unwrap_or(BACKUP_KEEP),
        log_dir: section.read(sink, "log_dir", value::path),
        is_key_beside,
    };
    if ledger.path == ledger.signing_key_file {
        section.fault_at(sink, "signing_key_file", "the ledger itself; the key needs its own file");
    }
    ledger
}

fn relay(section: &Section<'_, '_>, sink: &mut Sink<'_>) -> Option<RelayConfig> {
    let url = section.require(sink, "url", value::relay_url);
    let secret_file = section.require(sink, "secret_file", value::secret_source);
    let hold_back = section.read(sink, "hold_back", |text| value::duration(text, HOLD_BACK_MAX));
    let announce_imports = section.read_list(sink, "announce_imports", |text| {
        value::one_of(text, &Status::ALL.map(Status::name), Status::from_name)
    });
    let client = tls(section, RELAY_TLS, sink);
    if client.is_some() && url.as_ref().is_some_and(|url| !url.starts_with("https")) {
        section.fault_at(sink, "client_certificate_file", "nobody asks for it without https");
    }
    Some(RelayConfig {
        url: url?,
        secret_file: secret_file?,
        hold_back: hold_back.unwrap_or(HOLD_BACK),
        announce_imports: announce_imports.unwrap_or_else(|| vec![Status::Voided]),
        witness: section.read_truth(sink, "witness").unwrap_or(true),
        client,
    })
}

/// Others reach the page by TLS only, and it and a scanner cannot listen on one port.
fn judge_page(config: &Config, section: &Section<'_, '_>, sink: &mut Sink<'_>) {
    let Page::Listen(page) = config.station.page else { return };
    if !page.ip().is_loopback() && config.tls.is_none() {
        let what = "other machines reach it there, which takes [page] tls_certificate_file and tls_key_file; \
                    or 127.0.0.1 or [::1], for this machine only";
        section.fault_at(sink, "page", what);
    }
    let rival = config.scanners.iter().find(|scanner| match scanner.link {
        Link::Listen { address, .. } => scanners::listen_in_each_others_way(page, address),
        _ => false,
    });
    if let Some(ScannerConfig { name, .. }) = rival {
        let what =
            format!("scanner `{name}` listens there; give the page another port, or \"off\"");
        section.fault_at(sink, "page", &what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> ConfigWorld<'static> {
        ConfigWorld { state_dir: Path::new("/state"), profile: &ProfileLookup::built_in }
    }

    /// The documented file with its examples made part of it.
    fn uncommented() -> String {
        let is_example =
            |line: &str| line.starts_with(|c: char| c == '[' || c.is_ascii_lowercase());
        DOCUMENTED
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| is_example(rest)).unwrap_or(line))
            .fold(String::new(), |text, line| text + line + "\n")
    }

    #[test]
    fn the_documented_file_says_the_defaults() {
        let documented = Config::parse(DOCUMENTED, &world()).unwrap();
        let default = Config::default_for(&world());
        assert_eq!(format!("{documented:#?}"), format!("{default:#?}"));
    }

    #[test]
    fn the_examples_of_the_documented_file_work_together() {
        let config = match Config::parse(&uncommented(), &world()) {
            Ok(config) => config,
            Err(faults) => panic!("{}", faults.render("config.toml")),
        };
        assert_eq!((config.envelopes.len(), config.scanners.len()), (2, 6));
        assert!(config.election.is_some());
        let relay = config.relay.unwrap();
        assert_eq!((relay.hold_back, relay.announce_imports), (HOLD_BACK, vec![Status::Voided]));
        assert!(relay.witness);
    }

    #[test]
    fn practice_and_a_replay_have_nothing_that_is_the_station_s() {
        for (practises, name) in [(true, "ledger.practice.sqlite"), (false, "ledger.sqlite")] {
            let mut config = Config::parse(&uncommented(), &world()).unwrap();
            let real = config.ledger.clone();
            assert!(real.backup_dir.is_some() && real.log_dir.is_some() && config.relay.is_some());
            if practises {
                config.practise();
            } else {
                config.play_in(Path::new("/scratch"));
            }
            let own = config.ledger;
            assert_eq!(own.path.file_name().unwrap(), name);
            assert!(own.path != real.path && own.signing_key_file != real.signing_key_file);
            assert_eq!((own.backup_dir, own.log_dir, config.relay), (None, None, None));
        }
    }

    #[test]
    fn every_key_is_documented() {
        let text = uncommented();
        let (root, errors) = DeTable::parse_recoverable(&text);
        assert!(errors.is_empty(), "{errors:?}");
        for table in TABLES {
            let written: Vec<_> = match root.get_ref().get(table.name).map(toml::Spanned::get_ref) {
                Some(toml::de::DeValue::Table(entries)) => vec![entries],
                Some(toml::de::DeValue::Array(elements)) => {
                    elements.iter().filter_map(|element| element.get_ref().as_table()).collect()
                }
                _ => Vec::new(),
            };
            for key in table.keys {
                assert!(
                    written.iter().any(|entries| entries.contains_key(key.name)),
                    "{} {} is not documented",
                    table.header(),
                    key.name
                );
            }
        }
    }

    #[test]
    fn an_example_in_a_message_is_toml() {
        for key in TABLES.iter().flat_map(|table| table.keys) {
            let line = format!("{} = {}", key.name, key.example);
            assert!(DeTable::parse(&line).is_ok(), "{line}");
        }
    }
}
