//! The udev rules that give scanners to the daemon's group, made from profiles.
//!
//! `deploy/60-ballot-intake.rules` is made from those that are built in.

use super::{Profile, Transport};
use std::collections::{BTreeMap, BTreeSet};

const HEADER: &str = r#"# Gives scanners to the daemon's group, by the USB ids of the profiles in scanners/, from which this file is made. The package's own
# lies in /usr/lib/udev/rules.d; for one with a site's profiles, which then takes its place:
#   ballot-intake devices --udev-rules >/etc/udev/rules.d/60-ballot-intake.rules
#
# A scanner that no profile names by its ids, as the generic ones do not, needs one line in
# /etc/udev/rules.d/61-ballot-intake.rules, with its vendor and product as lsusb tells them:
#   SUBSYSTEM=="tty", ATTRS{idVendor}=="1234", ATTRS{idProduct}=="5678", GROUP="ballot-intake", MODE="0660", ENV{ID_MM_PORT_IGNORE}="1"
#   SUBSYSTEM=="input", KERNEL=="event*", ATTRS{idVendor}=="1234", ATTRS{idProduct}=="5678", GROUP="ballot-intake", MODE="0660", ENV{LIBINPUT_IGNORE_DEVICE}="1"
#   SUBSYSTEM=="hidraw", ATTRS{idVendor}=="1234", ATTRS{idProduct}=="5678", GROUP="ballot-intake", MODE="0660"
#   SUBSYSTEM=="video4linux", KERNEL=="video*", ATTRS{idVendor}=="1234", ATTRS{idProduct}=="5678", GROUP="ballot-intake", MODE="0660"
#
# A scanner that types is a keyboard to everybody. While the daemon has it, it has it alone, and nothing is typed anywhere else;
# LIBINPUT_IGNORE_DEVICE keeps what it types before and after from windows, too. A text console still shows that. For a
# scanner that is to type into other programs, copy this file to /etc/udev/rules.d and take its line out.
ACTION=="remove", GOTO="ballot_intake_end"
"#;

/// The name is that of the kernel's driver (drivers/input/misc/pcspkr.c).
const SPEAKER: &str = r#"# The workstation's built-in speaker, for scanners that have no tones.
SUBSYSTEM=="input", KERNEL=="event*", ATTRS{name}=="PC Speaker", GROUP="ballot-intake", MODE="0660"
"#;

/// What a kind of device is called by udev, and what its rules do.
struct Door {
    transport: Transport,
    what: &'static str,
    /// Matches the device.
    device: &'static str,
    does: &'static str,
}

const DOORS: [Door; 4] = [
    Door {
        transport: Transport::Serial,
        what: "Serial ports. Their stable names under /dev/serial/by-id are systemd's own (60-serial.rules).",
        device: r#"SUBSYSTEM!="tty""#,
        does: r#"GROUP="ballot-intake", MODE="0660""#,
    },
    Door {
        transport: Transport::Keyboard,
        what: "Scanners that type.",
        device: r#"SUBSYSTEM!="input""#,
        does: r#"KERNEL=="event*", GROUP="ballot-intake", MODE="0660", ENV{LIBINPUT_IGNORE_DEVICE}="1""#,
    },
    Door {
        transport: Transport::HidPos,
        what: "HID point of sale.",
        device: r#"SUBSYSTEM!="hidraw""#,
        does: r#"GROUP="ballot-intake", MODE="0660""#,
    },
    Door {
        transport: Transport::Camera,
        what: "Cameras.",
        device: r#"SUBSYSTEM!="video4linux""#,
        does: r#"KERNEL=="video*", GROUP="ballot-intake", MODE="0660""#,
    },
];

/// What one rule gives.
struct Given<'a> {
    /// The profiles it is for.
    names: Vec<&'a str>,
    vendor: u16,
    /// Any of these products; of none, whatever that maker makes.
    products: BTreeSet<u16>,
}

/// The rules for those profiles.
pub fn rules(profiles: &[Profile]) -> String {
    let mut lines = vec![HEADER.to_owned(), SPEAKER.to_owned()];
    lines.extend(kept_from_the_modem_manager(profiles));
    for door in DOORS {
        lines.extend(door.rules(&given(profiles, door.transport)));
    }
    lines.push("LABEL=\"ballot_intake_end\"\n".to_owned());
    lines.join("\n")
}

fn kept_from_the_modem_manager(profiles: &[Profile]) -> Vec<String> {
    let given = given(profiles, Transport::Serial);
    if given.is_empty() {
        return Vec::new();
    }
    let vendors = any_of(given.iter().map(|given| given.vendor).collect());
    vec![
        "# ModemManager would send modem commands to a scanner's port.".to_owned(),
        format!(
            "SUBSYSTEM==\"usb\", ENV{{DEVTYPE}}==\"usb_device\", ATTR{{idVendor}}==\"{vendors}\", ENV{{ID_MM_DEVICE_IGNORE}}=\"1\"\n"
        ),
    ]
}

/// What is given for the profiles of a transport, in the order of makers.
fn given(profiles: &[Profile], transport: Transport) -> Vec<Given<'_>> {
    let mut makers: BTreeMap<u16, Vec<&Profile>> = BTreeMap::new();
    for profile in profiles.iter().filter(|profile| profile.transport == transport) {
        let ids = profile.usb.iter().map(|id| id.vendor);
        let vendors: BTreeSet<u16> = ids.chain(profile.usb_vendors.iter().copied()).collect();
        for vendor in vendors {
            makers.entry(vendor).or_default().push(profile);
        }
    }
    makers.into_iter().flat_map(|(vendor, profiles)| of_maker(vendor, &profiles)).collect()
}

/// One rule for all of a maker's products where a profile says so, else one for the products of each profile.
fn of_maker<'a>(vendor: u16, profiles: &[&'a Profile]) -> Vec<Given<'a>> {
    if profiles.iter().any(|profile| profile.usb_vendors.contains(&vendor)) {
        let names = profiles.iter().map(|profile| &*profile.name).collect();
        return vec![Given { names, vendor, products: BTreeSet::new() }];
    }
    let each = profiles.iter().map(|profile| {
        let ids = profile.usb.iter().filter(|id| id.vendor == vendor);
        Given { names: vec![&profile.name], vendor, products: ids.map(|id| id.product).collect() }
    });
    each.collect()
}

/// As udev writes alternatives.
fn any_of(ids: BTreeSet<u16>) -> String {
    ids.into_iter().map(|id| format!("{id:04x}")).collect::<Vec<_>>().join("|")
}

impl Door {
    fn rules(&self, given: &[Given<'_>]) -> Vec<String> {
        let Self { what, device, does, transport } = self;
        if given.is_empty() {
            return Vec::new();
        }
        let end = format!("ballot_intake_not_{}", transport.name());
        let mut lines = vec![format!("# {what}"), format!("{device}, GOTO=\"{end}\"")];
        for Given { names, vendor, products } in given {
            let products = any_of(products.clone());
            let products = match &*products {
                "" => String::new(),
                products => format!(", ATTRS{{idProduct}}==\"{products}\""),
            };
            lines.push(format!("# {}", names.join(", ")));
            lines.push(format!(
                "SUBSYSTEMS==\"usb\", ATTRS{{idVendor}}==\"{vendor:04x}\"{products}, {does}"
            ));
        }
        lines.push(format!("LABEL=\"{end}\"\n"));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str, transport: &str, usb: &str) -> Profile {
        let text = format!(
            "name = '{name}'\nmaker = 'A'\nmodel = 'B'\ntransport = '{transport}'\nverified = 'vm'\n\
             sources = ['C']\n{usb}"
        );
        Profile::parse(&text).unwrap()
    }

    /// What stands after the header.
    fn made(profiles: &[Profile]) -> Vec<String> {
        let rules = rules(profiles);
        let (_, made) = rules.split_once(SPEAKER).unwrap();
        made.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn nobody_is_given_anything_without_ids() {
        let none =
            [profile("a", "keyboard", ""), profile("b", "serial", ""), profile("c", "tcp", "")];
        assert_eq!(made(&none), [r#"LABEL="ballot_intake_end""#]);
    }

    #[test]
    fn a_keyboard_is_given_by_its_product_and_kept_from_desktops() {
        let usb = "usb = [{ vendor = 0x05e0, product = 0x1200 }, { vendor = 0x05e0, product = 9 }]";
        let rule = r#"SUBSYSTEMS=="usb", ATTRS{idVendor}=="05e0", ATTRS{idProduct}=="0009|1200", KERNEL=="event*", GROUP="ballot-intake", MODE="0660", ENV{LIBINPUT_IGNORE_DEVICE}="1""#;
        assert_eq!(
            made(&[profile("a", "keyboard", usb)]),
            [
                "# Scanners that type.",
                r#"SUBSYSTEM!="input", GOTO="ballot_intake_not_keyboard""#,
                "# a",
                rule,
                r#"LABEL="ballot_intake_not_keyboard""#,
                r#"LABEL="ballot_intake_end""#,
            ]
        );
    }

    #[test]
    fn serial_ports_are_given_by_product_or_by_maker_and_kept_from_the_modem_manager() {
        let product = profile("a", "serial", "usb = [{ vendor = 0x1fbb, product = 0x3850 }]");
        let maker = profile("b", "serial", "usb_vendors = [0x0c2e]");
        let covered = profile("c", "serial", "usb = [{ vendor = 0x0c2e, product = 1 }]");
        let made = made(&[product, maker, covered]);
        assert!(made[1].contains(r#"=="0c2e|1fbb", ENV{ID_MM_DEVICE_IGNORE}="1""#), "{}", made[1]);
        let given = r#"GROUP="ballot-intake", MODE="0660""#;
        assert_eq!(
            made[4..8],
            [
                "# b, c".to_owned(),
                format!(r#"SUBSYSTEMS=="usb", ATTRS{{idVendor}}=="0c2e", {given}"#),
                "# a".to_owned(),
                format!(
                    r#"SUBSYSTEMS=="usb", ATTRS{{idVendor}}=="1fbb", ATTRS{{idProduct}}=="3850", {given}"#
                ),
            ]
        );
    }

    #[test]
    fn a_camera_and_a_point_of_sale_scanner_are_given_by_their_own_nodes() {
        let usb = "usb = [{ vendor = 1, product = 2 }]";
        let made = made(&[profile("a", "camera", usb), profile("b", "hid_pos", usb)]);
        for line in [
            r#"SUBSYSTEM!="hidraw", GOTO="ballot_intake_not_hid_pos""#,
            r#"SUBSYSTEM!="video4linux", GOTO="ballot_intake_not_camera""#,
        ] {
            assert!(made.iter().any(|found| found == line), "{line} is not in {made:#?}");
        }
    }
}
