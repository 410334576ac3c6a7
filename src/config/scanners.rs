//! The `[[scanner]]` tables: which scanners there are, and how each is reached.

use super::fault::Sink;
use super::read::{Key, Misfit, Section, Sections, Table, Times, hint};
use super::value;
use super::{ConfigWorld, Link, ProfileLookup, ScannerConfig, Stop};
use crate::scanner::profile::{Profile, Protocol, Transport};
use std::net::{IpAddr, SocketAddr};

/// Most scanners of one station: each has a thread and a queue of its own.
const SCANNERS_MAX: usize = 64;

pub(super) static SCANNER: Table = Table {
    name: "scanner",
    times: Times::Many,
    keys: &[
        Key { name: "name", example: "\"left\"" },
        Key { name: "profile", example: "\"generic-serial\"" },
        Key { name: "path", example: "\"/dev/serial/by-id/usb-...\"" },
        Key { name: "connect", example: "\"192.0.2.7:51236\"" },
        Key { name: "listen", example: "\"127.0.0.1:51236\"" },
        Key { name: "allow", example: "[\"192.0.2.7\"]" },
        Key { name: "stop_on", example: "\"bad\"" },
    ],
};

/// The scanners in the order in which they are written.
pub(super) fn read(
    sections: &Sections<'_, '_>,
    world: &ConfigWorld<'_>,
    sink: &mut Sink<'_>,
) -> Vec<ScannerConfig> {
    let mut names: Vec<String> = Vec::new();
    let mut scanners: Vec<ScannerConfig> = Vec::new();
    let tables = sections.many(&SCANNER, sink);
    if let Some(extra) = tables.get(SCANNERS_MAX) {
        extra.fault(sink, &format!("more than {SCANNERS_MAX} scanners"));
    }
    for section in tables {
        let name = section.own_label(&mut names, sink);
        let profile = section.require(sink, "profile", |text| profile(text, world));
        let Some((profile_name, profile)) = profile else {
            // Every key may be right for the profile that was meant, but what each holds is judged.
            values_of_no_profile(&section, sink);
            continue;
        };
        let stop = stop(&section, &profile, sink);
        let link = link(&section, &profile, sink);
        let (Some(name), Some((link, key))) = (name, link) else { continue };
        let scanner = ScannerConfig { name, profile_name, profile, link, stop };
        if let Some(what) = scanners.iter().find_map(|other| collision(other, &scanner)) {
            section.fault_at(sink, key, &what);
        }
        scanners.push(scanner);
    }
    scanners
}

fn profile(text: &str, world: &ConfigWorld<'_>) -> Result<(String, Profile), Misfit> {
    match (world.profile)(text) {
        ProfileLookup::Found(profile) => Ok((text.to_owned(), *profile)),
        ProfileLookup::Broken(why) => {
            Err(Misfit::new(format!("that profile cannot be used: {why}")))
        }
        ProfileLookup::Unknown { known } => {
            let hint = hint(text, known.iter().map(String::as_str), "there are");
            Err(Misfit::new(format!("unknown profile; {hint}")))
        }
    }
}

fn stop(section: &Section<'_, '_>, profile: &Profile, sink: &mut Sink<'_>) -> Stop {
    let stop = section.read(sink, "stop_on", stop_on).unwrap_or(Stop::Never);
    if stop == Stop::OnBad && profile.lock.is_none() {
        let what = "nothing that is known of this model keeps it from scanning";
        section.fault_at(sink, "stop_on", what);
    }
    stop
}

fn stop_on(text: &str) -> Result<Stop, Misfit> {
    value::one_of(text, &["bad", "never"], |text| match text {
        "bad" => Some(Stop::OnBad),
        "never" => Some(Stop::Never),
        _ => None,
    })
}

fn values_of_no_profile(section: &Section<'_, '_>, sink: &mut Sink<'_>) {
    section.read(sink, "path", value::path);
    section.read(sink, "connect", value::host_and_port);
    section.read(sink, "listen", value::socket);
    section.read_list(sink, "allow", value::ip);
    section.read(sink, "stop_on", stop_on);
}

/// The link, and the key that decides where it leads.
fn link(
    section: &Section<'_, '_>,
    profile: &Profile,
    sink: &mut Sink<'_>,
) -> Option<(Link, &'static str)> {
    if matches!(profile.protocol, Protocol::Ssi { .. }) {
        section.fault_at(sink, "profile", "there is no driver for Zebra SSI");
        return None;
    }
    match profile.transport {
        Transport::Keyboard | Transport::HidPos | Transport::Camera => {
            let what = format!("there is no driver for {}", profile.transport.name());
            section.fault_at(sink, "profile", &what);
            None
        }
        Transport::Serial => {
            refuse(section, sink, &["connect", "listen", "allow"], "a serial scanner has a `path`");
            if profile.usb.is_empty() {
                section.missing(sink, "path");
            }
            let path = section.read(sink, "path", value::path);
            let is_lost = path.is_none() && (section.has("path") || profile.usb.is_empty());
            (!is_lost).then_some((Link::Serial { path }, "path"))
        }
        Transport::Tcp => {
            refuse(section, sink, &["path"], "a TCP scanner has `connect` or `listen`");
            tcp_link(section, sink)
        }
        Transport::Folder => {
            refuse(section, sink, &["connect", "listen", "allow"], "a folder has a `path`");
            let path = section.require(sink, "path", value::path)?;
            Some((Link::Folder { path }, "path"))
        }
    }
}

fn tcp_link(section: &Section<'_, '_>, sink: &mut Sink<'_>) -> Option<(Link, &'static str)> {
    let connect = section.read(sink, "connect", value::host_and_port);
    let listen = section.read(sink, "listen", value::socket);
    let allow = section.read_list(sink, "allow", value::ip);
    match (section.has("connect"), section.has("listen")) {
        (true, true) => {
            section.fault_at(sink, "listen", "beside `connect`; one of the two");
            None
        }
        (false, false) => {
            section.fault(sink, "a TCP scanner needs `connect` or `listen`");
            None
        }
        (true, false) => {
            refuse(section, sink, &["allow"], "only with `listen`");
            Some((Link::Connect { address: connect? }, "connect"))
        }
        (false, true) => {
            let address = listen?;
            judge_allow(section, address, allow.as_deref(), sink);
            Some((Link::Listen { address, allow }, "listen"))
        }
    }
}

fn judge_allow(
    section: &Section<'_, '_>,
    address: SocketAddr,
    allow: Option<&[IpAddr]>,
    sink: &mut Sink<'_>,
) {
    if section.has("allow") {
        if allow.is_some_and(<[IpAddr]>::is_empty) {
            section.fault_at(sink, "allow", "nobody could connect; name at least one address");
        }
    } else if !address.ip().is_loopback() {
        let what = "whoever reaches it could mark ballots; name those who may in `allow`";
        section.fault_at(sink, "listen", what);
    }
}

fn refuse(section: &Section<'_, '_>, sink: &mut Sink<'_>, keys: &[&str], why: &str) {
    for key in keys {
        if section.has(key) {
            section.fault_at(sink, key, &format!("not here; {why}"));
        }
    }
}

/// Why the two cannot both be opened.
fn collision(first: &ScannerConfig, second: &ScannerConfig) -> Option<String> {
    let name = &first.name;
    let profile = &first.profile_name;
    match (&first.link, &second.link) {
        (Link::Serial { path: None }, Link::Serial { path: None })
            if first.profile_name == second.profile_name =>
        {
            Some(format!("scanner `{name}` is `{profile}` too; each needs its `path`"))
        }
        (Link::Serial { path: Some(a) }, Link::Serial { path: Some(b) })
        | (Link::Folder { path: a }, Link::Folder { path: b })
            if a == b =>
        {
            Some(format!("scanner `{name}` has it already"))
        }
        (Link::Connect { address: a }, Link::Connect { address: b }) if a == b => {
            Some(format!("scanner `{name}` has it already"))
        }
        (Link::Listen { address: a, .. }, Link::Listen { address: b, .. })
            if listen_in_each_others_way(*a, *b) =>
        {
            Some(format!("scanner `{name}` listens there already"))
        }
        _ => None,
    }
}

/// Whether two addresses cannot both be listened on. Port 0 is any free one.
pub(super) fn listen_in_each_others_way(a: SocketAddr, b: SocketAddr) -> bool {
    let is_same = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && is_same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::scanner::profile::UsbId;
    use std::path::{Path, PathBuf};

    /// A scanner whose maker publishes its USB ids.
    fn found_by_usb(name: &str) -> ProfileLookup {
        match ProfileLookup::built_in("generic-serial") {
            ProfileLookup::Found(mut profile) if name == "usb-scanner" => {
                profile.usb = vec![UsbId { vendor: 0x0c2e, product: 0x0b6a }];
                ProfileLookup::Found(profile)
            }
            _ => ProfileLookup::Broken("no such thing".to_owned()),
        }
    }

    fn read(text: &str) -> Result<Vec<Link>, String> {
        let world = ConfigWorld { state_dir: Path::new("/state"), profile: &found_by_usb };
        let config = Config::parse(text, &world).map_err(|faults| faults.render("c"))?;
        Ok(config.scanners.into_iter().map(|scanner| scanner.link).collect())
    }

    const LEFT: &str = "[[scanner]]\nname = 'left'\nprofile = 'usb-scanner'\n";
    const RIGHT: &str = "[[scanner]]\nname = 'right'\nprofile = 'usb-scanner'\n";

    #[test]
    fn a_scanner_with_usb_ids_is_found_without_a_path() {
        assert_eq!(read(LEFT), Ok(vec![Link::Serial { path: None }]));
        let path = Some(PathBuf::from("/dev/ttyACM0"));
        assert_eq!(
            read(&format!("{LEFT}path = '/dev/ttyACM0'\n{RIGHT}")),
            Ok(vec![Link::Serial { path }, Link::Serial { path: None }])
        );
    }

    #[test]
    fn which_of_two_like_scanners_is_which_is_written() {
        let fault =
            "c:4:1: [[scanner]]: scanner `left` is `usb-scanner` too; each needs its `path`\n";
        assert_eq!(read(&format!("{LEFT}{RIGHT}")), Err(fault.to_owned()));
    }

    #[test]
    fn a_scanner_that_nothing_locks_cannot_stop() {
        let stop = format!("{LEFT}stop_on = 'bad'\n");
        let fault = "c:4:11: [[scanner]] stop_on = 'bad': \
                     nothing that is known of this model keeps it from scanning\n";
        assert_eq!(read(&stop), Err(fault.to_owned()));
        assert_eq!(read(&stop.replace("bad", "never")), Ok(vec![Link::Serial { path: None }]));
    }

    #[test]
    fn a_broken_profile_says_why() {
        let fault =
            "c:3:11: [[scanner]] profile = 'x': that profile cannot be used: no such thing\n";
        assert_eq!(read("[[scanner]]\nname = 'a'\nprofile = 'x'\n"), Err(fault.to_owned()));
    }

    #[test]
    fn a_station_has_a_bounded_number_of_scanners() {
        let text = (0..=SCANNERS_MAX).fold(String::new(), |text, n| {
            text + &format!("[[scanner]]\nname = '{n}'\nprofile = 'usb-scanner'\npath = '/{n}'\n")
        });
        let line = 4 * SCANNERS_MAX + 1;
        assert_eq!(read(&text), Err(format!("c:{line}:1: [[scanner]]: more than 64 scanners\n")));
    }
}
