//! Why a device that is there cannot be opened, and what to do: who may open it, and who has it.

use super::plugged::{Machine, Plugged};
use super::profile::{Transport, UsbId};
use crate::event::printable;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The service's user, and its group that the rules give scanners to.
pub const GROUP: &str = "ballot-intake";

/// The rules' file, and where udev looks for it.
const RULES: &str = "60-ballot-intake.rules";
const RULES_FOLDERS: [&str; 3] = ["etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d"];

/// What is read of the rules, or of the list of groups, in bytes.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Processes, and files of each, that are looked at for the one that has a device.
const PROCESSES_MAX: usize = 4_096;
const FILES_MAX: usize = 256;

/// Programs that are named.
const HOLDERS_MAX: usize = 4;

/// Who may read and write a group's device.
const GROUP_MAY: u32 = 0o060;

/// Who may open a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The name of its group, or its number.
    pub group: String,
    /// The permission bits.
    pub mode: u32,
    group_id: u32,
    user_id: u32,
}

/// Who a device must be open to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The user's number; 0 may open anything.
    pub user: u32,
    /// The numbers of its groups.
    pub groups: Vec<u32>,
}

impl Access {
    /// Whether the reader may read and write it, as far as the file system knows.
    pub fn admits(&self, reader: &Reader) -> bool {
        let bits = if reader.user == self.user_id {
            self.mode >> 6
        } else if reader.groups.contains(&self.group_id) {
            self.mode >> 3
        } else {
            self.mode
        };
        reader.user == 0 || bits & 0o6 == 0o6
    }
}

impl Machine {
    /// Who may open what lies at a path; nothing if it is not there.
    pub fn access(&self, node: &Path) -> Option<Access> {
        let found = fs::metadata(node).ok()?;
        let group = self.group_name(found.gid()).unwrap_or_else(|| found.gid().to_string());
        let mode = found.mode() & 0o7777;
        Some(Access { group, mode, group_id: found.gid(), user_id: found.uid() })
    }

    /// The service: the user of that name, or whoever asks where there is none.
    pub fn service(&self) -> Reader {
        let of_service = || {
            let users = self.text("etc/passwd").ok()?;
            let mut fields = users
                .lines()
                .map(|line| line.split(':'))
                .find_map(|mut fields| (fields.next()? == GROUP).then_some(fields))?;
            let user = fields.nth(1)?.parse().ok()?;
            let group = fields.next()?.parse().ok()?;
            Some(Reader { user, groups: self.groups_of(GROUP, group) })
        };
        of_service().unwrap_or_else(|| {
            let groups = rustix::process::getgroups().unwrap_or_default();
            let groups = groups.into_iter().chain([rustix::process::getegid()]);
            Reader {
                user: rustix::process::geteuid().as_raw(),
                groups: groups.map(rustix::process::Gid::as_raw).collect(),
            }
        })
    }

    /// What to do so that the service may open a device.
    pub fn permit(&self, transport: Transport, id: Option<UsbId>, access: &Access) -> String {
        if access.group == GROUP && access.mode & GROUP_MAY == GROUP_MAY {
            let allow = device_allow(transport);
            return format!(
                "its group is that of the service, so run it as user {GROUP}; its unit needs {allow}"
            );
        }
        let Some(id) = id else {
            let group = &access.group;
            return format!(
                "write SupplementaryGroups={group} and DeviceAllow=char-ttyS rw with `systemctl edit ballot-intake`"
            );
        };
        let again = "then plug it in again";
        match self.rules() {
            None => format!("install {RULES} into /usr/lib/udev/rules.d, {again}"),
            Some(rules) if gives(&rules, transport, id) => {
                format!("{RULES} gives it to the group {GROUP}: plug it in again")
            }
            Some(_) => {
                let rule = rule(transport, id);
                format!(
                    "{RULES} does not know it; write into /etc/udev/rules.d/61-ballot-intake.rules, {again}: {rule}"
                )
            }
        }
    }

    /// The programs that have a device open, as far as this process may know: their names and numbers.
    pub fn holder(&self, node: &Path) -> Option<String> {
        let node = fs::canonicalize(node).ok()?;
        let processes = fs::read_dir(self.path("proc")).ok()?.take(PROCESSES_MAX);
        let named = processes.filter_map(|entry| {
            let folder = entry.ok()?.path();
            let pid: u32 = folder.file_name()?.to_str()?.parse().ok()?;
            if pid == std::process::id() || !has_open(&folder, &node) {
                return None;
            }
            let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
            Some(format!("{} (process {pid})", printable(name.trim())))
        });
        let holders: Vec<_> = named.take(HOLDERS_MAX).collect();
        (!holders.is_empty()).then(|| holders.join(" or "))
    }

    fn group_name(&self, id: u32) -> Option<String> {
        let groups = self.text("etc/group").ok()?;
        groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
        })
    }

    fn groups_of(&self, user: &str, own: u32) -> Vec<u32> {
        let groups = self.text("etc/group").unwrap_or_default();
        let others = groups.lines().filter_map(|line| {
            let mut fields = line.split(':').skip(2);
            let id = fields.next()?.parse().ok()?;
            fields.next()?.split(',').any(|member| member == user).then_some(id)
        });
        std::iter::once(own).chain(others).collect()
    }

    /// The installed rules, those of the administrator among them.
    fn rules(&self) -> Option<String> {
        let files = RULES_FOLDERS.map(|folder| self.text(Path::new(folder).join(RULES)).ok());
        let installed = files.into_iter().flatten().next()?;
        let own = self.text("etc/udev/rules.d/61-ballot-intake.rules").unwrap_or_default();
        Some(installed + "\n" + &own)
    }

    fn text(&self, below: impl AsRef<Path>) -> io::Result<String> {
        let mut text = String::new();
        File::open(self.path(below))?.take(TEXT_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    }
}

/// The udev rule that gives a model to the service's group, as the head of the rules' file has it for each kind.
fn rule(transport: Transport, UsbId { vendor, product }: UsbId) -> String {
    let subsystem = subsystem(transport);
    let (kernel, more) = match transport {
        Transport::Keyboard => (" KERNEL==\"event*\",", ", ENV{LIBINPUT_IGNORE_DEVICE}=\"1\""),
        Transport::Camera => (" KERNEL==\"video*\",", ""),
        // ModemManager would send modem commands to it.
        Transport::Serial => ("", ", ENV{ID_MM_PORT_IGNORE}=\"1\""),
        Transport::HidPos | Transport::Tcp | Transport::Folder => ("", ""),
    };
    format!(
        "SUBSYSTEM==\"{subsystem}\",{kernel} ATTRS{{idVendor}}==\"{vendor:04x}\", \
         ATTRS{{idProduct}}==\"{product:04x}\", GROUP=\"{GROUP}\", MODE=\"0660\"{more}"
    )
}

const fn subsystem(transport: Transport) -> &'static str {
    match transport {
        Transport::Keyboard => "input",
        Transport::HidPos => "hidraw",
        Transport::Camera => "video4linux",
        Transport::Serial | Transport::Tcp | Transport::Folder => "tty",
    }
}

const fn device_allow(transport: Transport) -> &'static str {
    match transport {
        Transport::Keyboard => "DeviceAllow=char-input rw",
        Transport::HidPos => "DeviceAllow=char-hidraw rw",
        Transport::Camera => "DeviceAllow=char-video4linux rw",
        Transport::Serial | Transport::Tcp | Transport::Folder => {
            "DeviceAllow=char-ttyACM rw, or char-ttyUSB or char-ttyS for such a port"
        }
    }
}

/// Whether a line of the rules gives the model to the group: one that names the subsystem, or stands between the jump that all
/// others take and its label.
fn gives(rules: &str, transport: Transport, id: UsbId) -> bool {
    let vendor = format!("{:04x}", id.vendor);
    let product = format!("{:04x}", id.product);
    let subsystem = subsystem(transport);
    let is = |line: &str, key: &str, value: &str| {
        let rest = line.split_once(key).and_then(|(_, rest)| rest.strip_prefix('"'));
        let listed = rest.and_then(|rest| rest.split('"').next());
        listed.map(|listed| listed.split('|').any(|each| each == value))
    };
    let mut is_ours = true;
    rules.lines().filter(|line| !line.trim_start().starts_with('#')).any(|line| {
        if line.trim_start().starts_with("LABEL=") {
            is_ours = true;
        } else if line.contains("GOTO=") {
            is_ours = is(line, "SUBSYSTEM!=", subsystem).unwrap_or(is_ours);
        }
        is_ours
            && line.contains(&format!("GROUP=\"{GROUP}\""))
            && is(line, "{idVendor}==", &vendor) == Some(true)
            && is(line, "{idProduct}==", &product) != Some(false)
            && is(line, "SUBSYSTEM==", subsystem) != Some(false)
    })
}

fn has_open(folder: &Path, node: &Path) -> bool {
    let Ok(files) = fs::read_dir(folder.join("fd")) else { return false };
    files
        .take(FILES_MAX)
        .filter_map(Result::ok)
        .any(|file| fs::read_link(file.path()).is_ok_and(|target| target == node))
}

impl Plugged {
    /// Whether who has it open has it alone: what types is read by many, until one of them claims it.
    pub const fn is_exclusive(&self) -> bool {
        matches!(self.transport, Transport::Serial | Transport::Camera)
    }

    /// Whether the service may open it, and what to do if not: nothing where it may.
    pub fn denied(&self, machine: &Machine, reader: &Reader) -> Option<String> {
        let access = machine.access(&self.node)?;
        (!access.admits(reader)).then(|| {
            let todo = machine.permit(self.transport, self.id, &access);
            format!("no permission (group {}, mode {:04o}); {todo}", access.group, access.mode)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::made_up::MadeUp;

    const SCANNER: UsbId = UsbId { vendor: 0x05e0, product: 0x1701 };

    fn access(group: &str, mode: u32) -> Access {
        Access { group: group.to_owned(), mode, group_id: 20, user_id: 0 }
    }

    #[test]
    fn a_device_admits_its_user_its_group_or_everybody() {
        let reader = |user, group| Reader { user, groups: vec![1, group] };
        for (mode, user, group, expected) in [
            (0o660, 7, 20, true),
            (0o660, 7, 21, false),
            (0o640, 7, 20, false),
            (0o666, 7, 21, true),
            (0o606, 7, 20, false),
            (0o000, 0, 21, true),
        ] {
            let found = access("dialout", mode).admits(&reader(user, group));
            assert_eq!(found, expected, "{mode:o} {user} {group}");
        }
        let own = Access { user_id: 7, ..access("dialout", 0o600) };
        assert!(own.admits(&reader(7, 21)));
    }

    #[test]
    fn the_service_is_the_user_of_its_name() {
        let made_up = MadeUp::new();
        assert_eq!(made_up.machine().service().user, rustix::process::geteuid().as_raw());
        made_up
            .file("etc/passwd", "root:x:0:0::/:/bin/sh\nballot-intake:x:990:991::/:/bin/false\n");
        made_up.file("etc/group", "dialout:x:20:clerk,ballot-intake\nvideo:x:44:\nbroken\n");
        let expected = Reader { user: 990, groups: vec![991, 20] };
        assert_eq!(made_up.machine().service(), expected);
    }

    #[test]
    fn what_to_do_depends_on_the_rules() {
        let made_up = MadeUp::new();
        let todo =
            |transport, id, group| made_up.machine().permit(transport, id, &access(group, 0o660));
        let serial = || todo(Transport::Serial, Some(SCANNER), "dialout");
        assert!(serial().starts_with("install 60-ballot-intake.rules"), "{}", serial());
        made_up.file(
            "usr/lib/udev/rules.d/60-ballot-intake.rules",
            include_str!("../../deploy/60-ballot-intake.rules"),
        );
        assert!(serial().ends_with("plug it in again"), "{}", serial());
        let unknown = UsbId { vendor: 0x2745, product: 0x300a };
        let missing = || todo(Transport::HidPos, Some(unknown), "root");
        let rule = rule(Transport::HidPos, unknown);
        assert!(missing().ends_with(&rule), "{}", missing());
        // The same model as a serial port is known.
        let known = todo(Transport::Serial, Some(unknown), "dialout");
        assert!(known.starts_with("60-ballot-intake.rules gives it"), "{known}");
        made_up.file("etc/udev/rules.d/61-ballot-intake.rules", &rule);
        assert!(missing().starts_with("60-ballot-intake.rules gives it"), "{}", missing());
        let built_in = todo(Transport::Serial, None, "dialout");
        assert!(built_in.contains("SupplementaryGroups=dialout"), "{built_in}");
        let ours = todo(Transport::Serial, Some(SCANNER), GROUP);
        assert!(ours.contains("DeviceAllow="), "{ours}");
    }

    #[test]
    fn a_rule_is_as_the_rules_file_says() {
        let rules = include_str!("../../deploy/60-ballot-intake.rules");
        let id = UsbId { vendor: 0x1234, product: 0x5678 };
        for transport in
            [Transport::Serial, Transport::Keyboard, Transport::HidPos, Transport::Camera]
        {
            let rule = rule(transport, id);
            assert!(rules.contains(&format!("#   {rule}\n")), "{rule}");
            assert!(gives(&rule, transport, id) && !gives(rules, transport, id), "{rule}");
        }
    }

    #[test]
    fn a_rule_gives_what_it_names() {
        for (rules, expected) in [
            ("ATTRS{idVendor}==\"05e0\", GROUP=\"ballot-intake\"", true),
            ("SUBSYSTEM==\"tty\", ATTRS{idVendor}==\"0c2e|05e0\", GROUP=\"ballot-intake\"", true),
            ("SUBSYSTEM==\"input\", ATTRS{idVendor}==\"05e0\", GROUP=\"ballot-intake\"", false),
            (
                "ATTRS{idVendor}==\"05e0\", ATTRS{idProduct}==\"0001\", GROUP=\"ballot-intake\"",
                false,
            ),
            ("ATTRS{idVendor}==\"05e0\", GROUP=\"dialout\"", false),
            ("#ATTRS{idVendor}==\"05e0\", GROUP=\"ballot-intake\"", false),
            ("", false),
        ] {
            assert_eq!(gives(rules, Transport::Serial, SCANNER), expected, "{rules}");
        }
    }
}
