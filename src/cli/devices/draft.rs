//! Writes the profile and the `[[scanner]]` table that a device lacks, for a person to complete.

use crate::config::ScannerConfig;
use crate::scanner::plugged::{Plugged, distinction};
use crate::scanner::profile::{Profile, Transport, UsbId};
use serde::Serialize;
use std::path::Path;

/// Where a county's own profiles lie.
const PROFILES: &str = "/etc/ballot-intake/scanners";

/// Longest name that is made up for a profile, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Longest serial number that a configuration may hold, in bytes.
const SERIAL_BYTES_MAX: usize = 126;

/// A profile that has to be completed.
#[derive(Debug, Serialize)]
pub(super) struct Draft {
    /// Where it belongs.
    pub(super) path: String,
    /// What stands in it.
    pub(super) text: String,
}

impl Draft {
    /// A profile for a device that no profile knows.
    pub(super) fn of(device: &Plugged, id: UsbId) -> Self {
        let name = name(device, id);
        let known = |text: &Option<String>| quoted(text.as_deref().unwrap_or("unknown"));
        let transport = device.transport.name();
        let text = format!(
            "name = {}\nmaker = {}\nmodel = {}\ntransport = {transport:?}\n\
             # What it was read from, so that others can look it up.\n\
             verified = \"documentation\"\nsources = [\"its manual, page\"]\n\
             {}\n[[usb]]\nvendor = {:#06x}\nproduct = {:#06x}\n",
            quoted(&name),
            known(&device.maker),
            known(&device.product),
            particular(device.transport),
            id.vendor,
            id.product,
        );
        Self { path: Path::new(PROFILES).join(name + ".toml").display().to_string(), text }
    }
}

/// A table for a device. `profile` is one that knows it; `like` are all devices of its model.
pub(super) fn table(
    device: &Plugged,
    profile: Option<&Profile>,
    like: &[Plugged],
    scanners: &[ScannerConfig],
) -> String {
    let is_free = |name: &String| scanners.iter().all(|scanner| scanner.name != *name);
    let scanner = (1..=scanners.len().saturating_add(1))
        .map(|number| format!("scanner-{number}"))
        .find(is_free)
        .unwrap_or_else(|| "scanner".to_owned());
    // A profile that is for all of a maker's ports is not found by this one's ids.
    let is_found =
        profile.is_none_or(|profile| device.id.is_some_and(|id| profile.usb.contains(&id)));
    let named = profile.map(|profile| profile.name.clone());
    let named = named.or_else(|| device.id.map(|id| name(device, id)));
    let profile = named.unwrap_or_else(|| general(device.transport).to_owned());
    let is_model_used = scanners.iter().any(|scanner| {
        scanner.profile.transport == device.transport
            && device.id.is_some_and(|id| scanner.profile.usb.contains(&id))
    });
    let is_alone = is_found && device.id.is_some() && like.len() == 1 && !is_model_used;
    let mark = if is_alone { None } else { Some(marked(device, like)) };
    let mark = mark.unwrap_or_default();
    format!("[[scanner]]\nname = {}\nprofile = {}\n{mark}", quoted(&scanner), quoted(&profile))
}

/// The line that tells a device from its like.
pub(super) fn mark(device: &Plugged, like: &[Plugged]) -> Option<String> {
    (like.len() > 1).then(|| marked(device, like))
}

fn marked(device: &Plugged, like: &[Plugged]) -> String {
    let is_plain = |serial: &&String| {
        serial.chars().all(|c| c == ' ' || c.is_ascii_graphic()) && serial.len() <= SERIAL_BYTES_MAX
    };
    let serial = device.serial.as_ref().filter(is_plain);
    match (distinction(like), serial, &device.port) {
        ("serial", Some(serial), _) => format!("serial = {}\n", quoted(serial)),
        ("serial" | "port", _, Some(port)) => format!("port = {}\n", quoted(port)),
        _ => {
            let path = device.link.as_ref().unwrap_or(&device.node);
            format!("path = {}\n", quoted(&path.display().to_string()))
        }
    }
}

/// The profile of our own rules for a device that has no USB ids.
const fn general(transport: Transport) -> &'static str {
    match transport {
        Transport::Keyboard => "generic-keyboard",
        Transport::HidPos => "generic-hid-pos",
        Transport::Camera => "generic-camera",
        Transport::Serial | Transport::Tcp | Transport::Folder => "generic-serial",
    }
}

/// What stands in a profile that is particular to the transport.
const fn particular(transport: Transport) -> &'static str {
    match transport {
        Transport::Serial => {
            "in_flight_max = 256\n\n[serial]\nbaud = 9600\n\n[framing]\nterminators = [0x0d, 0x0a]\n\n\
             # What makes it beep, as bytes; without them the station's own tones tell.\n\
             #[answers]\n#good = [0x06]\n#bad = [0x15]\n"
        }
        Transport::Keyboard => {
            "in_flight_max = 256\n\n[keyboard]\nlayout = \"us\"\n\n[framing]\nterminators = [0x0d, 0x0a]\n"
        }
        Transport::HidPos | Transport::Tcp => "in_flight_max = 256\n",
        Transport::Camera | Transport::Folder => "in_flight_max = 16\n",
    }
}

/// A name of a profile: `symbol-bar-code-scanner`, or the USB ids where a device names nothing.
fn name(device: &Plugged, id: UsbId) -> String {
    let said = [&device.maker, &device.product].into_iter().flatten();
    let plain: String = said
        .flat_map(|text| text.chars().chain([' ']))
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' })
        .collect();
    let mut name = String::new();
    for word in plain.split_whitespace() {
        let longer = if name.is_empty() { word.to_owned() } else { format!("{name}-{word}") };
        if longer.len() > NAME_BYTES_MAX {
            break;
        }
        name = longer;
    }
    if name.is_empty() { format!("scanner-{:04x}-{:04x}", id.vendor, id.product) } else { name }
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]))
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::profile::Profile;

    const ID: UsbId = UsbId { vendor: 0x2745, product: 0x300a };

    fn device(transport: Transport) -> Plugged {
        Plugged {
            transport,
            node: "/dev/ttyACM0".into(),
            link: None,
            id: Some(ID),
            serial: Some("S1".to_owned()),
            maker: Some("Unitech \"A/S\"".to_owned()),
            product: Some("TS100\\u{1b}".to_owned()),
            port: Some("1-2".to_owned()),
            interface: None,
        }
    }

    #[test]
    fn a_draft_is_a_profile_for_the_device() {
        for transport in
            [Transport::Serial, Transport::Keyboard, Transport::HidPos, Transport::Camera]
        {
            let draft = Draft::of(&device(transport), ID);
            assert_eq!(draft.path, "/etc/ballot-intake/scanners/unitech-a-s-ts100-u-1b.toml");
            let profile = Profile::parse(&draft.text).unwrap();
            assert_eq!((profile.transport, profile.usb), (transport, vec![ID]));
            let like = Profile::parse(Profile::built_in(general(transport)).unwrap()).unwrap();
            assert_eq!(profile.in_flight_max, like.in_flight_max, "{transport:?}");
            assert_eq!(
                (profile.name.as_str(), profile.maker.as_str()),
                ("unitech-a-s-ts100-u-1b", "Unitech \"A/S\"")
            );
        }
    }

    #[test]
    fn a_device_that_names_nothing_is_named_by_its_ids() {
        let device = Plugged {
            maker: None,
            product: Some("\u{fffd}".repeat(9)),
            ..device(Transport::Serial)
        };
        assert_eq!(name(&device, ID), "scanner-2745-300a");
        let long = Plugged { product: Some("word ".repeat(40)), ..device };
        assert!(name(&long, ID).len() <= NAME_BYTES_MAX);
    }

    /// A profile that knows the device's ids.
    fn ts100() -> Profile {
        let profile = Profile::parse(Profile::built_in("generic-serial").unwrap()).unwrap();
        Profile { name: "ts100".to_owned(), usb: vec![ID], ..profile }
    }

    #[test]
    fn a_table_says_as_much_as_tells_the_device_apart() {
        let one = device(Transport::Serial);
        let two = Plugged { serial: Some("S2".to_owned()), ..one.clone() };
        let same = Plugged { port: Some("1-3".to_owned()), ..one.clone() };
        let odd = Plugged { serial: Some("S\u{fffd}".to_owned()), ..one.clone() };
        let none = Plugged { serial: None, port: None, ..one.clone() };
        let built_in = Plugged { id: None, ..none.clone() };
        let profile = ts100();
        let model = "[[scanner]]\nname = \"scanner-1\"\nprofile = \"ts100\"\n";
        for (device, like, mark) in [
            (&one, vec![&one], ""),
            (&two, vec![&one, &two], "serial = \"S2\"\n"),
            (&same, vec![&one, &same], "port = \"1-3\"\n"),
            (&odd, vec![&one, &odd], "port = \"1-2\"\n"),
            (&none, vec![&one, &none], "path = \"/dev/ttyACM0\"\n"),
            (&built_in, vec![&built_in], "path = \"/dev/ttyACM0\"\n"),
        ] {
            let like: Vec<Plugged> = like.into_iter().cloned().collect();
            assert_eq!(table(device, Some(&profile), &like, &[]), format!("{model}{mark}"));
        }
    }

    #[test]
    fn a_profile_that_does_not_know_the_ids_does_not_find_the_device() {
        let one = device(Transport::Serial);
        let profile = Profile { usb: Vec::new(), ..ts100() };
        let table = table(&one, Some(&profile), std::slice::from_ref(&one), &[]);
        assert!(table.contains("\nserial = "), "{table}");
    }
}
