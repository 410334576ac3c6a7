//! Turns a file into a configuration that cannot be wrong, or into everything that is wrong with it at once.
//!
//! `deploy/relay.toml` documents every key with its default. Secrets stand in files of their own (`*_file`), never in this one.

mod written;

use crate::key::Keys;
use crate::news::Channel;
use crate::store::StoreUrl;
use jiff::civil;
use jiff::tz::TimeZone;
use relay_wire::Secret;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The languages that are built in; the first is spoken where nothing else is known.
pub const LANGUAGES: [&str; 2] = ["en", "es"];

/// The relay's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// As voters and providers see the pages, without a slash at its end.
    pub public_url: String,
    /// The relay's keys.
    pub keys: Keys,
    /// The database.
    pub store: StoreUrl,
    /// Transactions that run beside one another.
    pub connections: usize,
    /// Pages, provider callbacks.
    pub pages: Listener,
    /// Events of stations and of the Postal Service.
    pub stations: Listener,
    /// The counties, by id.
    pub counties: BTreeMap<String, County>,
    /// Who may send events.
    pub senders: Vec<Sender>,
    /// The Postal Service's push, if there is one.
    pub postal: Option<Postal>,
    /// The channels.
    pub email: Option<Email>,
    /// Text messages.
    pub text: Option<Provider>,
    /// Phone calls.
    pub voice: Option<Provider>,
    /// Times and limits of sending.
    pub sending: Sending,
}

/// Where connections are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Address and port; port 0 is any free one.
    pub listen: SocketAddr,
    /// Certificate and key, for TLS.
    pub tls: Option<Tls>,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpAddr>,
}

/// Files for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The file with the certificate and what stands between it and its authority.
    pub certificate: PathBuf,
    /// The file with its key.
    pub key: PathBuf,
    /// Whoever connects must show a certificate of one of these authorities.
    pub client_authority: Option<PathBuf>,
}

/// One county.
#[derive(Debug, Clone)]
pub struct County {
    /// Its id, as stations' keys and files name it.
    pub id: String,
    /// Its name, as voters read it.
    pub name: String,
    /// Its time zone's name.
    pub timezone: String,
    /// Its office's phone number, as voters read it.
    pub phone: String,
    /// The languages it speaks; the first where nothing else is known.
    pub languages: Vec<String>,
    /// Its own templates, in place of the built-in ones.
    pub templates: Option<PathBuf>,
    /// Nobody is texted or called before this minute of the day, whatever they chose.
    pub contact_from: u32,
    /// Nor after this one.
    pub contact_until: u32,
    /// Its elections, by id.
    pub elections: BTreeMap<String, Election>,
}

impl County {
    /// Its time zone.
    pub fn zone(&self) -> TimeZone {
        TimeZone::get(&self.timezone).unwrap_or(TimeZone::UTC)
    }
}

/// One election of a county.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Election {
    /// Its name by language.
    pub name: BTreeMap<String, String>,
    /// Until when ballots are received, local time.
    pub receive_until: civil::DateTime,
    /// Until when a voter can put an envelope right, local time.
    pub cure_until: Option<civil::DateTime>,
}

/// A station that may send events, or all of a facility.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Whose ballots it speaks of.
    pub county: String,
    /// Its facility.
    pub facility: String,
    /// Its own id, or `*`.
    pub station: String,
    /// The secrets that it may sign with: several while one replaces another.
    pub secrets: Vec<Secret>,
}

/// The Postal Service's push of Informed Visibility.
#[derive(Clone)]
pub struct Postal {
    /// HTTP Basic user.
    pub user: String,
    /// And password.
    pub password: String,
    /// What an operation code means; the rest is kept and means nothing.
    pub operations: BTreeMap<String, Way>,
}

impl fmt::Debug for Postal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postal").field("operations", &self.operations).finish_non_exhaustive()
    }
}

/// What a postal scan tells of a ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is in the mail.
    Moving,
    /// Nothing: the container was seen, not the piece.
    Assumed,
}

/// How encrypted a connection to the mail server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (port 465).
    Wrapped,
    /// `STARTTLS`, or nothing is sent (port 587).
    Required,
    /// None: a server on this machine.
    None,
}

/// E-mail.
#[derive(Clone)]
pub struct Email {
    /// The server's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
    /// User and password, where it asks for them.
    pub credentials: Option<(String, String)>,
    /// The sender, as `Name <address>`.
    pub from: String,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// The domain of return paths and message ids.
    pub return_domain: String,
    /// What it may take.
    pub rate: Rate,
    /// The signature, where the county's own server makes none.
    pub dkim: Option<Dkim>,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email").field("host", &self.host).finish_non_exhaustive()
    }
}

/// A DKIM key.
#[derive(Clone)]
pub struct Dkim {
    /// The signing domain.
    pub domain: String,
    /// Its selector.
    pub selector: String,
    /// The RSA key, PKCS#1 PEM.
    pub key: String,
}

impl fmt::Debug for Dkim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dkim").field("selector", &self.selector).finish_non_exhaustive()
    }
}

/// A Twilio-compatible provider of texts or calls.
#[derive(Clone)]
pub struct Provider {
    /// Its API, without a slash at its end: what stands before `/2010-04-01`.
    pub api_url: String,
    /// The account.
    pub account: String,
    /// Its token, which also signs callbacks.
    pub token: String,
    /// The number that sends.
    pub from: String,
    /// What it may take.
    pub rate: Rate,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("api_url", &self.api_url).finish_non_exhaustive()
    }
}

/// What a sender may take, in segments (one for an e-mail or a call).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Thousandths of a segment a second.
    pub milli_per_second: i64,
    /// Segments a day (a carrier's cap), if there is one.
    pub per_day: Option<u32>,
    /// Calls of the provider at once.
    pub at_once: usize,
}

/// Times and limits of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// Longest call of a provider.
    pub call_timeout: Duration,
    /// How long after it began a call whose outcome is not known is looked into: by then the provider lists what it took.
    pub settle_after: Duration,
    /// After the first failure that may pass; doubled each time.
    pub retry_after: Duration,
    /// And never longer.
    pub retry_after_max: Duration,
    /// How long a receipt is waited for before the provider is asked; then twelve times, then 288 times as long.
    pub ask_after: Duration,
    /// How long until there is no hope of a receipt.
    pub give_up_after: Duration,
    /// How long a notice is worth sending.
    pub news_lasts: Duration,
    /// Messages to one address an hour.
    pub per_address_hour: u32,
}

/// Everything that is wrong with a configuration, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {} fault(s)", .0.len())]
pub struct Faults(pub Vec<String>);

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] io::Error),
    /// It makes no sense.
    #[error(transparent)]
    Faults(#[from] Faults),
}

impl Config {
    /// Reads a file and the secrets that it names.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(file).map_err(|error| ConfigError::Read(file.to_owned(), error))?;
        Ok(Self::parse(&text)?)
    }

    /// Reads a text and the secrets that it names.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let file: written::File = match toml::from_str(text) {
            Ok(file) => file,
            // It shows line, column and the line itself; no secret stands in this file.
            Err(error) => return Err(Faults(vec![error.to_string()])),
        };
        let mut sink = Sink(Vec::new());
        let config = sink.config(file);
        match config {
            Some(config) if sink.0.is_empty() => Ok(config),
            _ => Err(Faults(sink.0)),
        }
    }

    /// Whether messages can go that way.
    pub const fn has(&self, channel: Channel) -> bool {
        match channel {
            Channel::Email => self.email.is_some(),
            Channel::Text => self.text.is_some(),
            Channel::Voice => self.voice.is_some(),
        }
    }

    /// What is not there and need not be, and what does not come of it.
    pub fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        if self.senders.is_empty() {
            notes.push("there is no [[station]]: no scan of an envelope will be taken");
        }
        if !Channel::ALL.iter().any(|channel| self.has(*channel)) {
            notes.push("there is no [email], [text] or [voice]: nobody can sign up or be told");
        }
        notes
    }

    /// The county, if it is configured.
    pub fn county(&self, id: &str) -> Option<&County> {
        self.counties.get(id)
    }
}

/// Collects faults.
struct Sink(Vec<String>);

impl Sink {
    fn fault(&mut self, key: &str, what: &str) {
        self.0.push(format!("{key}: {what}"));
    }

    /// The value, or a fault and nothing.
    fn some<T>(&mut self, value: Option<T>, key: &str, what: &str) -> Option<T> {
        if value.is_none() {
            self.fault(key, what);
        }
        value
    }

    /// What stands in a secret's file.
    fn secret(&mut self, file: &Path, key: &str) -> Option<String> {
        match fs::read_to_string(file) {
            Ok(text) => Some(text),
            Err(error) => {
                self.fault(key, &unreadable(file, &error));
                None
            }
        }
    }

    fn config(&mut self, file: written::File) -> Option<Config> {
        let public_url = file.relay.public_url.trim_end_matches('/').to_owned();
        if !public_url.starts_with("https://") && !public_url.starts_with("http://") {
            self.fault(
                "relay.public_url",
                "write it as voters see it: https://ballots.example.gov",
            );
        }
        let keys = self.keys(&file.relay.key_file);
        let store = self.store_url(&file.store);
        let pages = self.listener(file.pages, "pages");
        let stations = self.listener(file.stations, "stations");
        let counties = self.counties(file.county, file.election);
        let senders = self.senders(file.station, &counties);
        let postal = file.postal.map(|postal| self.postal(postal));
        let email = file.email.map(|email| self.email(email));
        let text = file.text.map(|text| self.provider(text, "text"));
        let voice = file.voice.map(|voice| self.provider(voice, "voice"));
        let sending = self.sending(&file.sending);
        Some(Config {
            public_url,
            keys: keys?,
            store: store?,
            connections: file.store.connections.unwrap_or(4).clamp(2, 64),
            pages: pages?,
            stations: stations?,
            counties,
            senders,
            postal: optional(postal)?,
            email: optional(email)?,
            text: optional(text)?,
            voice: optional(voice)?,
            sending,
        })
    }

    fn keys(&mut self, file: &Path) -> Option<Keys> {
        let text = self.secret(file, "relay.key_file")?;
        match Keys::parse(&text) {
            Ok(keys) => Some(keys),
            Err(error) => {
                self.fault("relay.key_file", &error.to_string());
                None
            }
        }
    }

    fn store_url(&mut self, store: &written::Store) -> Option<StoreUrl> {
        let text = match &store.url_file {
            Some(file) => self.secret(file, "store.url_file")?,
            None => store.url.clone(),
        };
        let url = StoreUrl::parse(text.trim());
        self.some(url, "store.url", "neither sqlite:FILE nor postgres://USER@HOST/NAME")
    }

    fn listener(&mut self, listener: written::Listener, key: &str) -> Option<Listener> {
        let what = "listen is no address and port, such as 127.0.0.1:8770";
        let listen = self.some(listener.listen.parse().ok(), key, what)?;
        let tls = match (listener.certificate_file, listener.certificate_key_file) {
            (Some(certificate_file), Some(key_file)) => Some(Tls {
                certificate: certificate_file,
                key: key_file,
                client_authority: listener.client_authority_file,
            }),
            (None, None) if listener.client_authority_file.is_none() => None,
            _ => {
                self.fault(key, "certificate_file and certificate_key_file go together");
                None
            }
        };
        Some(Listener { listen, tls, proxies: listener.proxies })
    }

    fn counties(
        &mut self,
        written: Vec<written::County>,
        elections: Vec<written::Election>,
    ) -> BTreeMap<String, County> {
        let mut counties = BTreeMap::new();
        for county in written {
            let key = format!("county {:?}", county.id);
            if let Some(county) = self.county(county, &key)
                && counties.insert(county.id.clone(), county).is_some()
            {
                self.fault(&key, "it stands there twice");
            }
        }
        if counties.is_empty() && self.0.is_empty() {
            self.fault("county", "there is none");
        }
        for election in elections {
            let key = format!("election {:?}", election.id);
            let Some(county) = counties.get_mut(&election.county) else {
                self.fault(&key, "its county stands nowhere");
                continue;
            };
            let languages: Vec<_> = county.languages.clone();
            if let Some(made) = self.election(&election, &languages, &key)
                && county.elections.insert(election.id, made).is_some()
            {
                self.fault(&key, "it stands there twice");
            }
        }
        counties
    }

    fn county(&mut self, county: written::County, key: &str) -> Option<County> {
        if county.id.is_empty() || county.name.is_empty() || county.phone.is_empty() {
            self.fault(key, "id, name and phone cannot be empty");
        }
        // Queries look for ids by pattern, and files and addresses hold them.
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !county.id.bytes().all(is_plain) {
            self.fault(key, "an id has lower case letters, digits and hyphens: boulder");
        }
        if TimeZone::get(&county.timezone).is_err() {
            self.fault(key, "timezone is none, such as America/Denver");
        }
        let languages = if county.languages.is_empty() {
            LANGUAGES.map(str::to_owned).to_vec()
        } else {
            county.languages
        };
        let from = self.minute(county.contact_from.as_deref().unwrap_or("08:00"), key);
        let until = self.minute(county.contact_until.as_deref().unwrap_or("21:00"), key);
        let (contact_from, contact_until) = (from?, until?);
        if contact_from >= contact_until {
            self.fault(key, "contact_from must be before contact_until");
        }
        Some(County {
            id: county.id,
            name: county.name,
            timezone: county.timezone,
            phone: county.phone,
            languages,
            templates: county.templates,
            contact_from,
            contact_until,
            elections: BTreeMap::new(),
        })
    }

    fn minute(&mut self, text: &str, key: &str) -> Option<u32> {
        self.some(minute_of_day(text), key, "a time of the day is written 08:00")
    }

    fn election(
        &mut self,
        election: &written::Election,
        languages: &[String],
        key: &str,
    ) -> Option<Election> {
        for language in languages {
            if election.name.get(language).is_none_or(|name| name.trim().is_empty()) {
                self.fault(key, &format!("it has no name in {language:?}"));
            }
        }
        let what = "a local time is written 2026-11-03T19:00";
        let receive_until = self.some(election.receive_until.parse().ok(), key, what)?;
        let cure_until = match &election.cure_until {
            Some(text) => Some(self.some(text.parse().ok(), key, what)?),
            None => None,
        };
        Some(Election { name: election.name.clone(), receive_until, cure_until })
    }

    fn senders(
        &mut self,
        stations: Vec<written::Station>,
        counties: &BTreeMap<String, County>,
    ) -> Vec<Sender> {
        let mut senders = Vec::new();
        for station in stations {
            let key = format!("station {}/{}", station.facility, station.id);
            if !counties.contains_key(&station.county) {
                self.fault(&key, "its county stands nowhere");
            }
            if station.secret_files.is_empty() {
                self.fault(&key, "it has no secret");
            }
            let mut secrets = Vec::new();
            for file in &station.secret_files {
                let Some(text) = self.secret(file, &key) else { continue };
                match Secret::parse(&text) {
                    Ok(secret) => secrets.push(secret),
                    Err(error) => self.fault(&key, &format!("{}: {error}", file.display())),
                }
            }
            let written::Station { county, facility, id: station, .. } = station;
            senders.push(Sender { county, facility, station, secrets });
        }
        senders
    }

    fn postal(&mut self, postal: written::Postal) -> Option<Postal> {
        let password = self.secret(&postal.password_file, "postal.password_file")?;
        let mut operations = BTreeMap::new();
        for (code, meaning) in postal.operations {
            let way = match meaning.as_str() {
                "moving" => Way::Moving,
                "assumed" => Way::Assumed,
                _ => {
                    self.fault("postal.operations", &format!("{code} is moving or assumed"));
                    continue;
                }
            };
            operations.insert(code, way);
        }
        Some(Postal { user: postal.user, password: password.trim().to_owned(), operations })
    }

    fn email(&mut self, email: written::Email) -> Option<Email> {
        let server = email.server.rsplit_once(':').and_then(|(host, port)| {
            Some((host.to_owned(), port.parse().ok()?)).filter(|(host, _)| !host.is_empty())
        });
        let server = self.some(server, "email.server", "not HOST:PORT");
        let security = match email.security.as_deref() {
            None | Some("required") => Some(Security::Required),
            Some("wrapped") => Some(Security::Wrapped),
            Some("none") => Some(Security::None),
            Some(_) => None,
        };
        let security = self.some(security, "email.security", "one of required, wrapped and none");
        let credentials = match (email.user, email.password_file) {
            (Some(user), Some(file)) => {
                let password = self.secret(&file, "email.password_file")?;
                Some((user, password.trim().to_owned()))
            }
            (None, None) => None,
            _ => {
                self.fault("email.user", "user and password_file go together");
                None
            }
        };
        let dkim = match email.dkim {
            Some(dkim) => Some(Dkim {
                key: self.secret(&dkim.key_file, "email.dkim.key_file")?,
                domain: dkim.domain,
                selector: dkim.selector,
            }),
            None => None,
        };
        let rate = self.rate(email.per_second, None, email.at_once, "email.per_second");
        let (host, port) = server?;
        Some(Email {
            host,
            port,
            security: security?,
            credentials,
            from: email.from,
            reply_to: email.reply_to,
            return_domain: email.return_domain,
            rate: rate?,
            dkim,
        })
    }

    fn provider(&mut self, provider: written::Provider, key: &str) -> Option<Provider> {
        let api_url = provider.api_url.trim_end_matches('/').to_owned();
        if !api_url.starts_with("https://") && !api_url.starts_with("http://") {
            self.fault(key, "api_url is no URL");
        }
        if !provider.from.starts_with('+') {
            self.fault(key, "from is no number such as +13035550100");
        }
        let token = self.secret(&provider.token_file, &format!("{key}.token_file"));
        let (speed, day) = (provider.per_second, provider.per_day);
        let rate = self.rate(speed, day, provider.at_once, &format!("{key}.per_second"));
        Some(Provider {
            api_url,
            account: provider.account,
            token: token?.trim().to_owned(),
            from: provider.from,
            rate: rate?,
        })
    }

    fn rate(
        &mut self,
        per_second: Option<f64>,
        per_day: Option<u32>,
        at_once: Option<usize>,
        key: &str,
    ) -> Option<Rate> {
        let per_second = per_second.unwrap_or(3.0);
        if !(0.001..=100_000.0).contains(&per_second) {
            self.fault(key, "outside 0.001 to 100000");
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "its range was checked above")]
        let milli_per_second = (per_second * 1_000.0) as i64;
        Some(Rate { milli_per_second, per_day, at_once: at_once.unwrap_or(16).clamp(1, 512) })
    }

    fn sending(&mut self, sending: &written::Sending) -> Sending {
        let mut time = |text: &Option<String>, key: &str, default: Duration| match text {
            None => default,
            Some(text) => duration(text).unwrap_or_else(|| {
                self.fault(&format!("sending.{key}"), "a time is written 10s, 5m or 72h");
                default
            }),
        };
        let made = Sending {
            call_timeout: time(&sending.call_timeout, "call_timeout", Duration::from_secs(20)),
            settle_after: time(&sending.settle_after, "settle_after", Duration::from_mins(2)),
            retry_after: time(&sending.retry_after, "retry_after", Duration::from_secs(15)),
            retry_after_max: time(
                &sending.retry_after_max,
                "retry_after_max",
                Duration::from_mins(30),
            ),
            ask_after: time(&sending.ask_after, "ask_after", Duration::from_mins(5)),
            give_up_after: time(&sending.give_up_after, "give_up_after", Duration::from_hours(72)),
            news_lasts: time(&sending.news_lasts, "news_lasts", Duration::from_hours(72)),
            per_address_hour: sending.per_address_hour.unwrap_or(20).max(1),
        };
        if made.settle_after <= made.call_timeout {
            let what =
                "it must be longer than call_timeout: a call must be over before it is looked into";
            self.fault("sending.settle_after", what);
        }
        made
    }
}

/// That a secret cannot be read, and what helps where it is somebody else's.
fn unreadable(file: &Path, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; in /etc/ballot-relay `systemd-tmpfiles --create` puts owner and mode right"
        }
        _ => "",
    };
    format!("cannot read {}: {error}{hint}", file.display())
}

/// `Some(None)` where nothing was written, nothing where it was and did not do.
#[expect(clippy::option_option, reason = "what is not written differs from what does not do")]
fn optional<T>(made: Option<Option<T>>) -> Option<Option<T>> {
    match made {
        None => Some(None),
        Some(None) => None,
        Some(Some(made)) => Some(Some(made)),
    }
}

/// Reads `10s`, `5m`, `72h`.
fn duration(text: &str) -> Option<Duration> {
    let signed: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(signed).ok().filter(|duration| !duration.is_zero())
}

/// Reads `08:00`; `24:00` is the end of the day.
pub fn minute_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= 24 * 60).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expected) in [
            ("08:00", Some(480)),
            ("24:00", Some(1_440)),
            ("24:01", None),
            ("8:00", None),
            ("08:60", None),
            ("", None),
        ] {
            assert_eq!(minute_of_day(text), expected, "{text}");
        }
        assert_eq!(duration("5m"), Some(Duration::from_mins(5)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("soon"), None);
        assert_eq!(duration("0s"), None);
    }

    #[test]
    fn a_secret_of_somebody_elses_comes_with_what_helps() {
        for (kind, is_hinted) in
            [(io::ErrorKind::PermissionDenied, true), (io::ErrorKind::NotFound, false)]
        {
            let told = unreadable(Path::new("/etc/ballot-relay/key"), &kind.into());
            assert!(told.starts_with("cannot read /etc/ballot-relay/key: "), "{told}");
            assert_eq!(told.contains("`systemd-tmpfiles --create`"), is_hinted, "{told}");
        }
    }

    #[test]
    fn all_faults_come_at_once() {
        let faults = Config::parse(
            "[store]\nurl = 'mysql:x'\n[pages]\nlisten = 'here'\n[stations]\nlisten = '127.0.0.1:0'\n",
        )
        .unwrap_err();
        for key in ["relay.public_url", "relay.key_file", "store.url", "pages"] {
            assert!(faults.0.iter().any(|fault| fault.starts_with(key)), "{key}: {faults:?}");
        }
        assert!(Config::parse("[stor]\n").unwrap_err().0[0].contains("stor"));
    }
}
