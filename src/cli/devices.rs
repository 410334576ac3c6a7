//! `devices`: everything that could be a scanner, who reads it, and why not: with what to do and to write.
//!
//! Nothing is opened, for that would disturb a scanner at work. How those are that a daemon reads, it says itself.

mod draft;

use super::place::Place;
use super::{Common, Exit, Failure, print_json};
use crate::clock::{Micros, Zone};
use crate::config::{Config, Link, ScannerConfig};
use crate::control::roster::{ScannerState, Standing};
use crate::control::{Answer, Command, Desk};
use crate::event::chain;
use crate::scanner::access::Reader;
use crate::scanner::plugged::{Machine, Plugged, Which};
use crate::scanner::profile::{Profile, Transport};
use draft::Draft;
use serde::Serialize;
use std::io;
use std::path::PathBuf;

/// How the daemon itself is named among those who have a device.
const SERVICE: &str = "ballot-intake (process ";

/// `ballot-intake devices`.
pub(super) fn devices(place: &Place, common: &Common) -> Result<Exit, Failure> {
    // A configuration with a fault is no reason not to list what it should say.
    let (config, exit) = match place.config(common) {
        Ok(config) => (Some(config), Exit::Done),
        Err(Failure { exit, error }) => {
            super::complain(&chain(&*error));
            (None, exit)
        }
    };
    let states = config.as_ref().and_then(states);
    let machine = Machine::this();
    let known = Place::profiles(common).usable();
    let scanners = config.as_ref().map_or(&[][..], |config| &config.scanners);
    let zone = config.as_ref().map_or_else(Zone::utc, |config| config.facility.timezone.clone());
    let look = Look { machine: &machine, scanners, profiles: &known, states: states.as_deref() };
    for row in look.rows(&zone) {
        if common.json { print_json(&row)? } else { row.print(&mut io::stdout().lock())? }
    }
    Ok(exit)
}

/// How the daemon's scanners are; nothing where none runs.
fn states(config: &Config) -> Option<Vec<ScannerState>> {
    match Desk::of_daemon(&config.ledger.path)?.ask(Command::Scanners {}) {
        Ok(Answer::Scanners { scanners }) => Some(scanners),
        Ok(_) | Err(_) => None,
    }
}

/// What is looked at.
struct Look<'a> {
    machine: &'a Machine,
    scanners: &'a [ScannerConfig],
    profiles: &'a [Profile],
    states: Option<&'a [ScannerState]>,
}

/// A device, a configured scanner, or both.
#[derive(Debug, Default, Serialize)]
struct Row {
    transport: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<PathBuf>,
    /// Where a scanner is that is no device of this machine, or that is not plugged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usb: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<String>,
    /// The profiles that know its USB ids.
    profiles: Vec<String>,
    /// The scanner that it is configured as.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanner: Option<String>,
    /// That scanner's profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// How the daemon has it; nothing where none runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Standing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_scan: Option<String>,
    /// Whether it is locked until somebody acknowledges.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_locked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scans: Option<u64>,
    /// Why it is not read.
    why: Vec<String>,
    /// A profile to start from.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_file: Option<Draft>,
    /// What to add to the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<String>,
}

impl Look<'_> {
    /// Every device, then every scanner that is none of them.
    fn rows(&self, zone: &Zone) -> Vec<Row> {
        let devices = self.machine.plugged();
        let reader = self.machine.service();
        let mut rows: Vec<Row> =
            devices.iter().map(|device| self.device(device, &devices, &reader, zone)).collect();
        let is_elsewhere = |scanner: &&ScannerConfig| {
            !devices.iter().any(|device| self.is_read_as(device, scanner))
        };
        rows.extend(self.scanners.iter().filter(is_elsewhere).map(|s| self.elsewhere(s, zone)));
        rows
    }

    fn device(&self, device: &Plugged, all: &[Plugged], reader: &Reader, zone: &Zone) -> Row {
        let mut row = Row::of_device(device);
        let fits = |profile: &&Profile| {
            profile.transport == device.transport
                && device.id.is_some_and(|id| {
                    profile.usb.contains(&id) || profile.usb_vendors.contains(&id.vendor)
                })
        };
        let known: Vec<&Profile> = self.profiles.iter().filter(fits).collect();
        row.profiles = known.iter().map(|profile| profile.name.clone()).collect();
        let like: Vec<Plugged> =
            all.iter().filter(|other| other.is_like(device)).cloned().collect();
        if let Some(scanner) = self.scanners.iter().find(|s| self.is_read_as(device, s)) {
            row.scanner_is(scanner);
            self.judge(&mut row, scanner, zone);
            if let Link::Device { which: Which::Fits(selector) } = &scanner.link
                && let Err(error) = self.machine.find(device.transport, selector)
            {
                row.says(error.to_string());
                row.config = draft::mark(device, &like);
            }
        } else {
            row.unused(device, &known);
            let profile = known.first().copied();
            row.config = Some(draft::table(device, profile, &like, self.scanners));
        }
        if row.state != Some(Standing::Open) {
            self.hindrances(&mut row, device, reader);
        }
        row
    }

    /// Why it would not open. A daemon that has tried it may have said so already.
    fn hindrances(&self, row: &mut Row, device: &Plugged, reader: &Reader) {
        let denied = device.denied(self.machine, reader);
        let holders = self.machine.holder(&device.node).filter(|_| device.is_exclusive());
        // A daemon that hears nothing of a camera has it open itself.
        let is_other = |holder: &&str| row.state.is_none() || !holder.starts_with(SERVICE);
        let holders: Vec<_> =
            holders.iter().flat_map(|all| all.split(" or ")).filter(is_other).collect();
        let claimed = (!holders.is_empty()).then(|| format!("claimed by {}", holders.join(" or ")));
        let subject = |why: &str| why.strip_prefix("no permission ").unwrap_or(why).to_owned();
        for why in [denied, claimed].into_iter().flatten() {
            if !row.why.iter().any(|said| said.contains(&subject(&why))) {
                row.why.push(why);
            }
        }
    }

    /// A scanner that is not plugged in, or no device of this machine.
    fn elsewhere(&self, scanner: &ScannerConfig, zone: &Zone) -> Row {
        let mut row = Row { transport: scanner.profile.transport.name(), ..Row::default() };
        row.scanner_is(scanner);
        row.place = Some(match &scanner.link {
            Link::Device { which } => which.to_string(),
            Link::Connect { address } => address.clone(),
            Link::Listen { address, .. } => address.to_string(),
            Link::Folder { path: at } | Link::Played { socket: at } => at.display().to_string(),
        });
        self.judge(&mut row, scanner, zone);
        if let Link::Device { which } = &scanner.link
            && row.state != Some(Standing::Open)
            && row.why.is_empty()
        {
            row.says(match which {
                Which::Fits(selector) => self
                    .machine
                    .find(scanner.profile.transport, selector)
                    .map_or_else(|error| error.to_string(), |device| device.marks()),
                Which::Path(path) => format!("{} is not plugged in", path.display()),
            });
        }
        row
    }

    fn is_read_as(&self, device: &Plugged, scanner: &ScannerConfig) -> bool {
        scanner.profile.transport == device.transport
            && match &scanner.link {
                Link::Device { which: Which::Path(path) } => {
                    self.machine.plugged_at(device.transport, path).as_ref() == Some(device)
                }
                Link::Device { which: Which::Fits(selector) } => selector.fits(device),
                Link::Connect { .. }
                | Link::Listen { .. }
                | Link::Folder { .. }
                | Link::Played { .. } => false,
            }
    }

    /// What the daemon says of a scanner.
    fn judge(&self, row: &mut Row, scanner: &ScannerConfig, zone: &Zone) {
        let mut states = self.states.unwrap_or_default().iter();
        let Some(state) = states.find(|state| state.scanner == scanner.name) else { return };
        row.state = Some(state.state);
        row.scans = Some(state.scans);
        row.is_locked = Some(state.is_locked);
        row.last_scan = state.last_scan.map(|at: Micros| zone.date_time(at));
        if state.is_locked {
            row.says("it is locked until somebody runs `ballot-intake acknowledge`".to_owned());
        }
        if let Some(why) = &state.why {
            row.says(why.clone());
        }
    }
}

impl Row {
    fn of_device(device: &Plugged) -> Self {
        let device = device.clone();
        Self {
            transport: device.transport.name(),
            node: Some(device.node),
            link: device.link,
            usb: device.id.map(|id| id.to_string()),
            maker: device.maker,
            product: device.product,
            serial: device.serial,
            port: device.port,
            ..Self::default()
        }
    }

    fn scanner_is(&mut self, scanner: &ScannerConfig) {
        self.scanner = Some(scanner.name.clone());
        self.profile = Some(scanner.profile_name.clone());
    }

    /// Says it once.
    fn says(&mut self, why: String) {
        if !self.why.contains(&why) {
            self.why.push(why);
        }
    }

    fn unused(&mut self, device: &Plugged, known: &[&Profile]) {
        self.says(match (device.id, known.is_empty()) {
            (Some(id), true) => format!("no profile knows {id}: write one, and a table"),
            _ => "no [[scanner]] table names it".to_owned(),
        });
        if device.transport == Transport::Keyboard && known.is_empty() {
            self.says("a clerk's own keyboard looks the same, and would type no more".to_owned());
        }
        self.profile_file = device.id.filter(|_| known.is_empty()).map(|id| Draft::of(device, id));
    }

    fn print(&self, out: &mut impl io::Write) -> io::Result<()> {
        let at = self.link.as_ref().or(self.node.as_ref()).map(|path| path.display().to_string());
        let at = at.as_ref().or(self.place.as_ref());
        write!(out, "{} {}", self.transport, at.map_or("", String::as_str))?;
        let node = self.link.as_ref().and(self.node.as_ref()).and_then(|node| node.file_name());
        if let Some(node) = node {
            write!(out, " ({})", node.to_string_lossy())?;
        }
        for mark in [&self.usb, &self.maker, &self.product].into_iter().flatten() {
            write!(out, " {mark}")?;
        }
        for (what, mark) in [("serial number", &self.serial), ("USB port", &self.port)] {
            if let Some(mark) = mark {
                write!(out, ", {what} {mark}")?;
            }
        }
        match (&self.scanner, &self.profile) {
            (Some(scanner), Some(profile)) => write!(out, ": scanner {scanner} ({profile})")?,
            _ => write!(out, ": not used")?,
        }
        if let Some(state) = self.state {
            let state = match state {
                Standing::Starting => "starting",
                Standing::Open => "open",
                Standing::Away => "away",
            };
            write!(out, ", {state}, {} scans", self.scans.unwrap_or_default())?;
        }
        if let Some(at) = &self.last_scan {
            write!(out, ", the last at {at}")?;
        }
        writeln!(out)?;
        if self.scanner.is_none() && !self.profiles.is_empty() {
            writeln!(out, "  profiles: {}", self.profiles.join(", "))?;
        }
        for why in &self.why {
            writeln!(out, "  {why}")?;
        }
        if let Some(draft) = &self.profile_file {
            writeln!(out, "  a profile to start from, {}:", draft.path)?;
            indented(out, &draft.text)?;
        }
        if let Some(config) = &self.config {
            writeln!(out, "  in the configuration:")?;
            indented(out, config)?;
        }
        Ok(())
    }
}

fn indented(out: &mut impl io::Write, text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "    {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigWorld, ProfileLookup};
    use crate::scanner::made_up::{LETTERS, MadeUp, Usb};
    use crate::scanner::profile::UsbId;
    use std::path::Path;

    const KNOWN: UsbId = UsbId { vendor: 0x05e0, product: 0x1701 };
    const ONE: Usb<'_> = Usb { port: "1-1", id: KNOWN, serial: "S1" };
    const TWO: Usb<'_> = Usb { port: "1-2", id: KNOWN, serial: "S2" };
    const LEFT: &str = "[[scanner]]\nname = 'left'\nprofile = 'known'\n";

    fn known() -> Profile {
        let text = Profile::built_in("generic-serial").unwrap();
        let profile = Profile::parse(text).unwrap();
        Profile { name: "known".to_owned(), usb: vec![KNOWN], ..profile }
    }

    fn lookup(name: &str) -> ProfileLookup {
        match name {
            "known" => ProfileLookup::Found(Box::new(known())),
            other => ProfileLookup::built_in(other),
        }
    }

    /// What is told of a machine, with the made-up folder left out.
    #[track_caller]
    fn check(made_up: &MadeUp, config: &str, states: Option<&[ScannerState]>, expected: &[&str]) {
        let world = ConfigWorld { state_dir: Path::new("/state"), profile: &lookup };
        let config = Config::parse(config, &world).unwrap();
        let machine = made_up.machine();
        let (scanners, profiles) = (&config.scanners[..], &[known()][..]);
        let look = Look { machine: &machine, scanners, profiles, states };
        let mut text = Vec::new();
        for row in look.rows(&Zone::utc()) {
            row.print(&mut text).unwrap();
        }
        let text = String::from_utf8(text).unwrap();
        let text = text.replace(made_up.path("").to_str().unwrap(), "/");
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    fn state(state: Standing, why: Option<&str>) -> [ScannerState; 1] {
        state_of("left", state, why)
    }

    fn state_of(scanner: &str, state: Standing, why: Option<&str>) -> [ScannerState; 1] {
        [ScannerState {
            scanner: scanner.to_owned(),
            state,
            is_locked: false,
            place: None,
            why: why.map(str::to_owned),
            last_scan: (state == Standing::Open).then_some(Micros(0)),
            scans: 12,
            called: None,
        }]
    }

    #[test]
    fn a_scanner_is_told_as_the_daemon_has_it() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        made_up.link("dev/serial/by-id/usb-S1", "../../ttyACM0");
        let device = "serial /dev/serial/by-id/usb-S1 (ttyACM0) 05e0:1701 Symbol Bar Code Scanner, \
            serial number S1, USB port 1-1: scanner left (known)";
        check(&made_up, LEFT, None, &[device]);
        let open = format!("{device}, open, 12 scans, the last at 1970-01-01T00:00:00+00:00");
        check(&made_up, LEFT, Some(&state(Standing::Open, None)), &[&open]);
        let away = format!("{device}, away, 12 scans");
        let why = state(Standing::Away, Some("it is claimed by a modem"));
        check(&made_up, LEFT, Some(&why), &[&away, "  it is claimed by a modem"]);
        check(
            &made_up,
            &format!("{LEFT}path = '{}'", made_up.path("dev/ttyACM0").display()),
            None,
            &[device],
        );
    }

    #[test]
    fn a_known_model_without_a_table_gets_one() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        let expected = [
            "serial /dev/ttyACM0 05e0:1701 Symbol Bar Code Scanner, serial number S1, USB port 1-1: not used",
            "  profiles: known",
            "  no [[scanner]] table names it",
            "  in the configuration:",
            "    [[scanner]]",
            "    name = \"scanner-1\"",
            "    profile = \"known\"",
        ];
        check(&made_up, "", None, &expected);
    }

    #[test]
    fn of_two_equal_models_each_is_told_its_mark() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        made_up.tty("ttyACM1", TWO, "1-2:1.0");
        let device = |n, serial, port| {
            format!(
                "serial /dev/ttyACM{n} 05e0:1701 Symbol Bar Code Scanner, serial number {serial}, \
             USB port {port}: scanner left (known)"
            )
        };
        let why = "  more than one serial device 05e0:1701 is plugged in; `serial` tells them apart: \
            /dev/ttyACM0 (serial number S1, USB port 1-1); /dev/ttyACM1 (serial number S2, USB port 1-2)";
        let expected = [
            &device(0, "S1", "1-1"),
            why,
            "  in the configuration:",
            "    serial = \"S1\"",
            &device(1, "S2", "1-2"),
            why,
            "  in the configuration:",
            "    serial = \"S2\"",
        ];
        check(&made_up, LEFT, None, &expected);
    }

    #[test]
    fn an_unknown_keyboard_gets_a_profile_and_a_warning() {
        let made_up = MadeUp::new();
        let unknown = UsbId { vendor: 0x2745, product: 0x300a };
        made_up.keyboard("event3", Usb { id: unknown, ..ONE }, 0, LETTERS);
        let world = made_up.machine();
        let look = Look { machine: &world, scanners: &[], profiles: &[known()], states: None };
        let row = look.rows(&Zone::utc()).remove(0);
        let why = [
            "no profile knows 2745:300a: write one, and a table",
            "a clerk's own keyboard looks the same, and would type no more",
        ];
        assert_eq!(row.why, why);
        let profile = Profile::parse(&row.profile_file.unwrap().text).unwrap();
        assert_eq!((profile.transport, profile.usb), (Transport::Keyboard, vec![unknown]));
        let table = "[[scanner]]\nname = \"scanner-1\"\nprofile = \"symbol-bar-code-scanner\"\n";
        assert_eq!(row.config.as_deref(), Some(table));
    }

    #[test]
    fn what_the_service_may_not_open_or_others_have_is_told() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        made_up.file("etc/passwd", "ballot-intake:x:4000000:4000001::/:/bin/false\n");
        made_up.file("proc/4000000/comm", "ModemManager\n");
        made_up.link("proc/4000000/fd/9", made_up.path("dev/ttyACM0"));
        let machine = made_up.machine();
        let scanners = [];
        let look =
            Look { machine: &machine, scanners: &scanners, profiles: &[known()], states: None };
        let row = look.rows(&Zone::utc()).remove(0);
        assert_eq!(row.why[0], "no [[scanner]] table names it");
        assert!(row.why[1].starts_with("no permission (group "), "{:?}", row.why);
        assert_eq!(row.why[2], "claimed by ModemManager (process 4000000)");
    }

    #[test]
    fn a_camera_that_is_away_is_told_why_though_a_daemon_runs() {
        let text = "name = 'desk'\nprofile = 'generic-camera'\n";
        for (holder, is_told) in [("guvcview", true), ("ballot-intake", false)] {
            let made_up = MadeUp::new();
            made_up.video("video0", ONE, 0);
            made_up.file("etc/passwd", "ballot-intake:x:4000000:4000001::/:/bin/false\n");
            made_up.file("proc/4000000/comm", format!("{holder}\n"));
            made_up.link("proc/4000000/fd/9", made_up.path("dev/video0"));
            let path = made_up.path("dev/video0");
            let text = format!("[[scanner]]\n{text}path = '{}'\n", path.display());
            let world = ConfigWorld { state_dir: Path::new("/state"), profile: &lookup };
            let scanners = Config::parse(&text, &world).unwrap().scanners;
            let machine = made_up.machine();
            let why = |state: Standing, why: &str| {
                let [state] = state_of("desk", state, Some(why));
                let states = Some(std::slice::from_ref(&state));
                let look = Look { machine: &machine, scanners: &scanners, profiles: &[], states };
                look.rows(&Zone::utc()).remove(0).why
            };
            let told = why(Standing::Away, "the camera is in use by another program");
            assert_eq!(told[0], "the camera is in use by another program");
            assert!(told[1].starts_with("no permission (group "), "{told:?}");
            assert!(told[1].contains("60-ballot-intake.rules"), "{told:?}");
            let claimed = format!("claimed by {holder} (process 4000000)");
            assert_eq!(told.get(2), Some(&claimed).filter(|_| is_told));
            // Once is enough.
            let said = format!(
                "{}, and {claimed}",
                told[1].replacen("permission", "permission to open it", 1)
            );
            assert_eq!(why(Standing::Away, &said), [said]);
            assert_eq!(why(Standing::Open, "it is open"), ["it is open"]);
        }
    }

    #[test]
    fn scanners_that_are_no_device_here_are_told_too() {
        let tcp =
            "[[scanner]]\nname = 'gate'\nprofile = 'generic-tcp'\nconnect = '192.0.2.7:51236'\n";
        let path = "[[scanner]]\nname = 'r'\nprofile = 'generic-serial'\npath = '/dev/no-such'\n";
        let expected = [
            "serial 05e0:1701: scanner left (known)",
            "  no serial device 05e0:1701 is plugged in",
            "tcp 192.0.2.7:51236: scanner gate (generic-tcp)",
            "serial /dev/no-such: scanner r (generic-serial)",
            "  /dev/no-such is not plugged in",
        ];
        check(&MadeUp::new(), &format!("{LEFT}{tcp}{path}"), None, &expected);
    }

    #[test]
    fn as_json_a_row_has_what_it_has() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        let machine = made_up.machine();
        let look = Look { machine: &machine, scanners: &[], profiles: &[], states: None };
        let row = serde_json::to_value(&look.rows(&Zone::utc())[0]).unwrap();
        assert_eq!((&row["usb"], &row["port"]), (&"05e0:1701".into(), &"1-1".into()));
        assert!(row["profile_file"]["text"].is_string() && row.get("state").is_none());
    }
}
