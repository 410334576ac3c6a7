//! The made-up county of the demonstration: its voters are those of the daemon's own demonstration, whose clerk scans the first
//! 195 of its 300 ballots.

use crate::clock::Micros;
use crate::news::{Channel, Kind};
use crate::store::{StoreError, Tx};
use crate::voter::{self, Enrolment, FirstOrNext, VoterId};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The county's id.
pub(super) const ID: &str = "demo";

/// Its election.
pub(super) const ELECTION: &str = "202611";

/// The mail ballot file that the daemon's demonstration imports.
const BALLOTS: &str = include_str!("../../../../fixtures/sessions/office.csv");

/// Voters of that file: the last two ballots are one voter's.
pub(super) const VOTERS: u32 = 299;

/// The first voter's number, and from each to the next.
const FIRST: u32 = 5_000_000;
const STEP: u32 = 13;

/// Whoever tries the demonstration out is this voter, whose ballot is scanned by the line that the daemon's demonstration prints.
const VISITORS: u32 = 250;
/// Name, birth date, ZIP code and an address.
pub(super) const VISITOR: (&str, &str, &str, &str) =
    ("Ana Diaz", "1980-02-29", "80302", "ana.diaz@example.org");

/// Nothing may be known of this one.
const CONFIDENTIAL: u32 = 251;

const FIRST_NAMES: [&str; 12] = [
    "Mary", "James", "Luis", "Rosa", "Anh", "Omar", "Ruth", "Peter", "Carmen", "Sofia", "Noah",
    "Grace",
];
const LAST_NAMES: [&str; 11] = [
    "Miller", "Garcia", "Nguyen", "Smith", "Lopez", "Haddad", "Olsen", "Baker", "Castro", "Reyes",
    "Young",
];

/// Where the relay's secrets and its database lie.
pub(super) struct Files {
    pub(super) key: PathBuf,
    pub(super) secret: PathBuf,
    pub(super) token: PathBuf,
    pub(super) store: PathBuf,
}

/// Where everything listens.
pub(super) struct Places<'a> {
    pub(super) pages: SocketAddr,
    pub(super) stations: SocketAddr,
    pub(super) smtp: SocketAddr,
    pub(super) provider: &'a str,
}

/// A path as TOML has it: as JSON does.
fn quoted(path: &std::path::Path) -> String {
    serde_json::Value::from(path.display().to_string()).to_string()
}

/// The configuration. A demonstration has no quiet hours: it may be night.
pub(super) fn config(files: &Files, places: &Places<'_>, (account, from): (&str, &str)) -> String {
    let Places { pages, stations, smtp, provider } = places;
    let [key, secret, token] = [&files.key, &files.secret, &files.token].map(|path| quoted(path));
    let store = quoted(&PathBuf::from(format!("sqlite:{}", files.store.display())));
    let sender = format!(
        "api_url = \"{provider}\"\naccount = \"{account}\"\ntoken_file = {token}\nfrom = \"{from}\"\nper_second = 50.0\n"
    );
    format!(
        "[relay]\npublic_url = \"http://{pages}\"\nkey_file = {key}\n[store]\nurl = {store}\n\
         [pages]\nlisten = \"{pages}\"\n[stations]\nlisten = \"{stations}\"\n\
         [[county]]\nid = \"{ID}\"\nname = \"Demo County\"\ntimezone = \"America/Denver\"\nphone = \"303-555-0199\"\n\
         contact_from = \"00:00\"\ncontact_until = \"24:00\"\n\
         [[election]]\ncounty = \"{ID}\"\nid = \"{ELECTION}\"\nreceive_until = \"2030-11-05T19:00\"\n\
         name = {{ en = \"November election\", es = \"elecci\u{f3}n de noviembre\" }}\n\
         [[station]]\ncounty = \"{ID}\"\nfacility = \"demo-county\"\nstation = \"*\"\nsecret_files = [{secret}]\n\
         [email]\nserver = \"{smtp}\"\nsecurity = \"none\"\nfrom = \"Demo County Elections <ballots@demo.example>\"\n\
         return_domain = \"bounces.demo.example\"\nper_second = 200.0\n\
         [text]\n{sender}[voice]\n{sender}"
    )
}

fn number(n: u32) -> String {
    (FIRST + STEP * n).to_string()
}

fn pick(names: &[&'static str], n: u32) -> &'static str {
    let place = usize::try_from(n).unwrap_or(0) % names.len().max(1);
    names.get(place).copied().unwrap_or("Kim")
}

/// The voter file.
pub(super) fn voter_file() -> String {
    let mut text = "voter,first_name,last_name,birth_date,zip,confidential\n".to_owned();
    for n in 0..VOTERS {
        let (first, last) = (pick(&FIRST_NAMES, n), pick(&LAST_NAMES, n));
        let line = match n {
            VISITORS => {
                let (name, birth, zip, _) = VISITOR;
                let (first, last) = name.split_once(' ').unwrap_or((name, name));
                format!("{first},{last},{birth},{zip},")
            }
            CONFIDENTIAL => format!("{first},{last},1970-01-01,80302,yes"),
            _ => format!(
                "{first},{last},19{}-{:02}-{:02},8030{},",
                40 + n % 60,
                n % 12 + 1,
                n % 28 + 1,
                n % 10
            ),
        };
        if writeln!(text, "{},{line}", number(n)).is_err() {
            text.clear();
        }
    }
    text
}

/// The mail ballot file; the ballots were mailed three days ago.
pub(super) fn mail_ballot_file(now: Micros) -> String {
    let mailed = now.minus(Duration::from_hours(72)).rfc3339();
    let mut lines = BALLOTS.lines();
    let head = lines.next().unwrap_or_default();
    let mut text = format!("{head},mailed\n");
    for line in lines {
        text.push_str(line);
        text.push(',');
        text.push_str(if line.contains(",mailed,") { &mailed } else { "" });
        text.push('\n');
    }
    text
}

/// Signs up most voters: by e-mail, text or phone in turn, one in five in Spanish. Whoever tries it out signs up by hand.
pub(super) fn enrol(tx: &mut Tx<'_>, now: Micros) -> Result<(), StoreError> {
    for n in (0..200).chain(252..VOTERS) {
        let id = VoterId { county: ID.to_owned(), voter: number(n) };
        let language = if n.is_multiple_of(5) { "es" } else { "en" };
        let wanted = Enrolment {
            language: language.to_owned(),
            timezone: "America/Denver".to_owned(),
            from_minute: 0,
            until_minute: 24 * 60,
            kinds: Kind::CHOICES.to_vec(),
        };
        if !voter::enrol(tx, &id, &wanted, now)? {
            continue;
        }
        let phone = format!("+1303555{:04}", 1_000 + n);
        let email = format!("voter{n}@example.org");
        let places: &[(Channel, &str)] = match n % 4 {
            0 => &[(Channel::Email, &email)],
            1 => &[(Channel::Text, &phone)],
            2 => &[(Channel::Voice, &phone)],
            _ => &[(Channel::Email, &email), (Channel::Text, &phone)],
        };
        for place in places {
            let contact = voter::add_contact(tx, &id, *place, FirstOrNext::First, now)?;
            voter::confirm(tx, &contact, ("demo", "made up"), now)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ballot_is_of_a_voter_of_the_file() {
        let voters = voter_file();
        let ballots = BALLOTS.lines().skip(1);
        let known = |line: &str| {
            let voter = line.split(',').nth(1).unwrap();
            voters.lines().any(|line| line.starts_with(&format!("{voter},")))
        };
        assert_eq!(voters.lines().count(), 300);
        assert!(ballots.clone().all(known));
        assert_eq!(ballots.count(), 300);
    }
}
