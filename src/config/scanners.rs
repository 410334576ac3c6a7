//! The `[[scanner]]` tables: which scanners there are, and how each is reached.

use super::fault::Sink;
use super::read::{Key, Misfit, Section, Sections, Table, Times, hint};
use super::value;
use super::{ConfigWorld, Link, ProfileLookup, ScannerConfig, Stop};
use crate::scanner::plugged::{Selector, Which};
use crate::scanner::profile::{Profile, Transport};
use std::net::{IpAddr, SocketAddr};

/// Most scanners of one station: each has a thread and a queue of its own.
const SCANNERS_MAX: usize = 64;
/// Longest serial number, in bytes: a USB descriptor has 126 characters.
const SERIAL_BYTES_MAX: usize = 126;
/// USB has 5 hubs at most between the computer and a device, and no port has a number of more digits.
const PORT_LEVELS_MAX: usize = 6;
const PORT_DIGITS_MAX: usize = 3;

pub(super) static SCANNER: Table = Table {
    name: "scanner",
    times: Times::Many,
    keys: &[
        Key { name: "name", example: "\"left\"" },
        Key { name: "profile", example: "\"generic-serial\"" },
        Key { name: "path", example: "\"/dev/serial/by-id/usb-...\"" },
        Key { name: "serial", example: "\"S1\"" },
        Key { name: "port", example: "\"1-2.3\"" },
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
        let what = "its profile has no commands that lock it";
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
    section.read(sink, "serial", serial_number);
    section.read(sink, "port", usb_port);
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
    match profile.transport {
        Transport::Serial | Transport::Keyboard | Transport::HidPos | Transport::Camera => {
            let why = "a device of this machine has `path`, `serial` or `port`";
            refuse(section, sink, &["connect", "listen", "allow"], why);
            device_link(section, profile, sink)
        }
        Transport::Tcp => {
            let why = "a TCP scanner has `connect` or `listen`";
            refuse(section, sink, &["path", "serial", "port"], why);
            tcp_link(section, sink)
        }
        Transport::Folder => {
            let others = ["serial", "port", "connect", "listen", "allow"];
            refuse(section, sink, &others, "a folder has a `path`");
            section.missing_such_as(sink, "path", "path = \"/srv/ballot-pictures\"");
            let path = section.read(sink, "path", value::path)?;
            Some((Link::Folder { path }, "path"))
        }
    }
}

/// A device is the one at its path, or the one that fits what the profile and the table say.
fn device_link(
    section: &Section<'_, '_>,
    profile: &Profile,
    sink: &mut Sink<'_>,
) -> Option<(Link, &'static str)> {
    let path = section.read(sink, "path", value::path);
    let serial = section.read(sink, "serial", serial_number);
    let port = section.read(sink, "port", usb_port);
    if section.has("path") {
        refuse(section, sink, &["serial", "port"], "`path` names the device already");
        return Some((Link::Device { which: Which::Path(path?) }, "path"));
    }
    let key = ["serial", "port"].into_iter().find(|key| section.has(key));
    // A point-of-sale device is a scanner whoever made it.
    let is_told = !profile.usb.is_empty() || profile.transport == Transport::HidPos;
    if !is_told && key.is_none() {
        let such_as = match profile.transport {
            Transport::Keyboard => "path = \"/dev/input/by-id/usb-...-event-kbd\"",
            Transport::Camera => "path = \"/dev/v4l/by-id/usb-...-video-index0\"",
            _ => "path = \"/dev/serial/by-id/usb-...\"",
        };
        section.missing_such_as(
            sink,
            "path",
            &format!("{such_as}; or give its `serial` or `port`"),
        );
        return None;
    }
    let is_lost =
        (serial.is_none() && section.has("serial")) || (port.is_none() && section.has("port"));
    let selector = Selector { ids: profile.usb.clone(), serial, port };
    (!is_lost).then_some((Link::Device { which: Which::Fits(selector) }, key.unwrap_or("path")))
}

fn serial_number(text: &str) -> Result<String, Misfit> {
    let is_printable = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if text.trim() != text || text.is_empty() || text.len() > SERIAL_BYTES_MAX || !is_printable {
        return Err(Misfit::new("not a serial number as `ballot-intake devices` tells it"));
    }
    Ok(text.to_owned())
}

/// A bus, and the ports from there on: `1-2.3` is port 3 of the hub in port 2 of bus 1.
fn usb_port(text: &str) -> Result<String, Misfit> {
    let is_number = |text: &str| {
        (1..=PORT_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    match text.split_once('-') {
        Some((bus, ports))
            if is_number(bus)
                && ports.split('.').all(is_number)
                && ports.split('.').count() <= PORT_LEVELS_MAX =>
        {
            Ok(text.to_owned())
        }
        _ => Err(Misfit::new("not a USB port such as 1-2.3, as `ballot-intake devices` tells it")),
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
    match (&first.link, &second.link) {
        (Link::Device { .. }, Link::Device { .. }) if may_be_same(first, second) => Some(format!(
            "scanner `{name}` could be the same device; give each its `serial`, `port` or `path`"
        )),
        (Link::Device { which: Which::Path(a) }, Link::Device { which: Which::Path(b) })
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

/// Whether the device of one could be taken for that of the other.
fn may_be_same(first: &ScannerConfig, second: &ScannerConfig) -> bool {
    // One that is found by its path is of its profile's model; of a general profile nobody knows.
    let by_path = |scanner: &ScannerConfig, selector: &Selector| {
        let model = Selector { ids: scanner.profile.usb.clone(), ..Selector::default() };
        !model.ids.is_empty() && selector.includes(&model)
    };
    let is_met = match (&first.link, &second.link) {
        (Link::Device { which: Which::Fits(a) }, Link::Device { which: Which::Fits(b) }) => {
            a.includes(b) || b.includes(a)
        }
        (Link::Device { which: Which::Path(_) }, Link::Device { which: Which::Fits(b) }) => {
            by_path(first, b)
        }
        (Link::Device { which: Which::Fits(a) }, Link::Device { which: Which::Path(_) }) => {
            by_path(second, a)
        }
        _ => false,
    };
    is_met && first.profile.transport == second.profile.transport
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
    use std::path::Path;

    /// A profile of our own rules for a transport, without USB ids.
    fn general(transport: &str) -> ProfileLookup {
        let text = format!(
            "name = 'general'\nmaker = 'any'\nmodel = 'any'\nverified = 'definition'\n\
             transport = '{transport}'\n{}",
            if transport == "keyboard" { "[keyboard]\nlayout = 'us'\n" } else { "" }
        );
        ProfileLookup::Found(Box::new(Profile::parse(&text).unwrap()))
    }

    /// A scanner whose maker publishes its USB ids.
    fn found_by_usb(name: &str) -> ProfileLookup {
        if ["keyboard", "hid_pos", "camera"].contains(&name) {
            return general(name);
        }
        match ProfileLookup::built_in("generic-serial") {
            ProfileLookup::Found(mut profile) if name == "usb-scanner" => {
                profile.usb = vec![IDS];
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

    const IDS: UsbId = UsbId { vendor: 0x0c2e, product: 0x0b6a };

    fn fits(serial: Option<&str>, port: Option<&str>) -> Link {
        let [serial, port] = [serial, port].map(|mark| mark.map(str::to_owned));
        Link::Device { which: Which::Fits(Selector { ids: vec![IDS], serial, port }) }
    }

    #[test]
    fn a_scanner_with_usb_ids_is_found_without_a_path() {
        assert_eq!(read(LEFT), Ok(vec![fits(None, None)]));
        let path = Link::Device { which: Which::Path("/dev/ttyACM0".into()) };
        assert_eq!(read(&format!("{LEFT}path = '/dev/ttyACM0'\n")), Ok(vec![path]));
    }

    #[test]
    fn like_scanners_are_told_apart_by_what_is_written() {
        for (left, right, links) in [
            ("serial = 'S1'", "serial = 'S 2'", [fits(Some("S1"), None), fits(Some("S 2"), None)]),
            (
                "port = '1-2.3'",
                "port = '1-2'",
                [fits(None, Some("1-2.3")), fits(None, Some("1-2"))],
            ),
        ] {
            let text = format!("{LEFT}{left}\n{RIGHT}{right}\n");
            assert_eq!(read(&text), Ok(links.to_vec()), "{text}");
        }
    }

    #[test]
    fn every_device_is_found_the_same_way() {
        let is = |ids: &[UsbId], serial: Option<&str>| Link::Device {
            which: Which::Fits(Selector {
                ids: ids.to_vec(),
                serial: serial.map(str::to_owned),
                port: None,
            }),
        };
        for transport in ["keyboard", "hid_pos", "camera"] {
            let table = format!("[[scanner]]\nname = 'a'\nprofile = '{transport}'\n");
            assert_eq!(read(&format!("{table}serial = 'S1'")), Ok(vec![is(&[], Some("S1"))]));
            let path = Link::Device { which: Which::Path("/dev/input/by-id/x".into()) };
            assert_eq!(read(&format!("{table}path = '/dev/input/by-id/x'")), Ok(vec![path]));
            let relative = read(&format!("{table}path = 'event3'")).unwrap_err();
            assert!(relative.contains("not an absolute path"), "{relative}");
            // A point-of-sale device is a scanner whoever made it; the others could be anything.
            let alone = read(&table);
            if transport == "hid_pos" {
                assert_eq!(alone, Ok(vec![is(&[], None)]));
            } else {
                assert!(alone.unwrap_err().contains("the key `path` is missing"), "{transport}");
            }
        }
        // One device is read in one way, so what is read in another is another.
        let keyboard = "[[scanner]]\nname = 'a'\nprofile = 'keyboard'\nserial = 'S1'\n";
        let serial = "[[scanner]]\nname = 'b'\nprofile = 'usb-scanner'\nserial = 'S1'\n";
        assert!(read(&format!("{keyboard}{serial}")).is_ok());
    }

    #[test]
    fn scanners_that_could_be_one_device_are_refused() {
        let same =
            "scanner `left` could be the same device; give each its `serial`, `port` or `path`\n";
        for (left, right, place) in [
            ("", "", "c:5:1: [[scanner]]: "),
            ("serial = 'S1'", "", "c:5:1: [[scanner]]: "),
            ("path = '/dev/ttyACM0'", "", "c:5:1: [[scanner]]: "),
            ("", "path = '/dev/ttyACM0'", "c:8:8: [[scanner]] path = '/dev/ttyACM0': "),
            ("port = '1-2'\nserial = 'S1'", "port = '1-2'", "c:9:8: [[scanner]] port = '1-2': "),
            ("serial = 'S1'", "serial = 'S1'", "c:8:10: [[scanner]] serial = 'S1': "),
        ] {
            let text = format!("{LEFT}{left}\n{RIGHT}{right}\n");
            assert_eq!(read(&text), Err(format!("{place}{same}")), "{text}");
        }
    }

    #[test]
    fn a_serial_number_and_a_port_are_as_usb_has_them() {
        for text in ["S1", "a b", &"9".repeat(SERIAL_BYTES_MAX)] {
            assert_eq!(serial_number(text), Ok(text.to_owned()));
        }
        for text in ["", " ", "a ", "\u{e9}", "a\n", &"9".repeat(SERIAL_BYTES_MAX + 1)] {
            assert!(serial_number(text).is_err(), "{text:?}");
        }
        for text in ["1-1", "10-2.13", "1-1.2.3.4.5.6"] {
            assert_eq!(usb_port(text), Ok(text.to_owned()));
        }
        for text in
            ["", "1", "1-", "-1", "1-2.", "1-2..3", "usb1", "1-1:1.0", "1-1.2.3.4.5.6.7", "1-1000"]
        {
            assert!(usb_port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_scanner_that_nothing_locks_cannot_stop() {
        let stop = format!("{LEFT}stop_on = 'bad'\n");
        let fault = "c:4:11: [[scanner]] stop_on = 'bad': \
                     its profile has no commands that lock it\n";
        assert_eq!(read(&stop), Err(fault.to_owned()));
        assert_eq!(read(&stop.replace("bad", "never")), Ok(vec![fits(None, None)]));
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
