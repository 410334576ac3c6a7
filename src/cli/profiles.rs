//! A site's own scanner profiles: the TOML files of the folder `scanners` beside the configuration in use.
//!
//! A file adds a profile, or overrides the built-in one of its name. It is read when a scanner asks for it, so that a broken one
//! stops nobody else; `check-config` reads them all.

use super::place::Place;
use super::site::{self, Broken, Site, stem};
use super::{Common, Exit, Failure};
use crate::config::ProfileLookup;
use crate::event::chain;
use crate::scanner::profile::{Profile, ProfileError, udev};
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;

/// The folder beside the configuration.
const FOLDER: &str = "scanners";

/// Where a site's own profiles lie.
#[derive(Debug, Clone)]
pub(super) struct Profiles {
    site: Site,
}

/// `ballot-intake devices --udev-rules`.
pub(super) fn udev_rules(common: &Common) -> Result<Exit, Failure> {
    let profiles = Place::profiles(common);
    let broken = profiles.broken();
    if !broken.is_empty() {
        // Without its profile a scanner would lose its rule.
        for broken in broken {
            super::complain(&broken.to_string());
        }
        return Ok(Exit::No);
    }
    io::stdout().lock().write_all(udev::rules(&profiles.usable()).as_bytes())?;
    Ok(Exit::Done)
}

impl Profiles {
    /// Those that go with that configuration.
    pub(super) fn beside(config: Option<&Path>) -> Self {
        Self { site: Site::beside(config, FOLDER) }
    }

    /// The site's own profile of that name, else the built-in one.
    pub(super) fn find(&self, name: &str) -> ProfileLookup {
        match self.site.file(name).map(|file| read(&file)) {
            Some(Ok(Some(profile))) => ProfileLookup::Found(Box::new(profile)),
            Some(Err(broken)) => ProfileLookup::Broken(broken.to_string()),
            Some(Ok(None)) | None => match ProfileLookup::built_in(name) {
                ProfileLookup::Unknown { mut known } => {
                    let files = self.site.files().unwrap_or_default();
                    known.extend(files.iter().filter_map(|file| stem(file)).map(str::to_owned));
                    ProfileLookup::Unknown { known }
                }
                found => found,
            },
        }
    }

    /// Every profile that can be used, in the order of their names.
    pub(super) fn usable(&self) -> Vec<Profile> {
        let files = self.site.files().unwrap_or_default();
        let own = files.iter().filter_map(|file| stem(file)).map(str::to_owned);
        let names: BTreeSet<String> = own.chain(Profile::names().map(str::to_owned)).collect();
        let usable = |name: String| match self.find(&name) {
            ProfileLookup::Found(profile) => Some(*profile),
            ProfileLookup::Broken(_) | ProfileLookup::Unknown { .. } => None,
        };
        names.into_iter().filter_map(usable).collect()
    }

    /// Every file that is no profile, in the order of their names.
    pub(super) fn broken(&self) -> Vec<Broken> {
        match self.site.files() {
            Ok(files) => files.iter().filter_map(|file| read(file).err()).collect(),
            Err(broken) => vec![broken],
        }
    }
}

/// The profile of a file; nothing where there is no such file.
fn read(file: &Path) -> Result<Option<Profile>, Broken> {
    let Some(text) = site::read(file)? else { return Ok(None) };
    let profile = Profile::parse(&text).map_err(|error| {
        let (line, column) = error.place(&text);
        let message = match &error {
            // The parser's own text draws the line, which is in the file.
            ProfileError::Malformed(error) => error.message().to_owned(),
            error => chain(error),
        };
        Broken::at(file, (line, column), message)
    })?;
    if stem(file) == Some(&profile.name) {
        return Ok(Some(profile));
    }
    Err(Broken::whole(file, format!("it is named {}, unlike its file", profile.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::profile::Transport;
    use std::fs;

    const OWN: &str = "name = 'own'\nmaker = 'A'\nmodel = 'B'\ntransport = 'serial'\nverified = 'vm'\n\
                       sources = ['C']\n";

    struct County(tempfile::TempDir);

    impl County {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join(FOLDER)).unwrap();
            for (name, text) in files {
                fs::write(dir.path().join(FOLDER).join(name), text).unwrap();
            }
            Self(dir)
        }

        fn profiles(&self) -> Profiles {
            Profiles::beside(Some(&self.0.path().join("config.toml")))
        }

        /// What is wrong with the files, each without its folder.
        fn broken(&self) -> Vec<String> {
            let folder = format!("{}/", self.0.path().join(FOLDER).display());
            self.profiles().broken().iter().map(|b| b.to_string().replace(&folder, "")).collect()
        }
    }

    fn found(profiles: &Profiles, name: &str) -> Profile {
        match profiles.find(name) {
            ProfileLookup::Found(profile) => *profile,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_file_adds_a_profile_or_overrides_one() {
        let folder = OWN.replace("'own'", "'folder'");
        let site = County::new(&[("own.toml", OWN), ("folder.toml", &folder), ("notes.txt", "x")]);
        let profiles = site.profiles();
        assert_eq!(found(&profiles, "own").maker, "A");
        assert_eq!(found(&profiles, "folder").transport, Transport::Serial);
        assert_eq!(found(&profiles, "generic-tcp").transport, Transport::Tcp);
        let ProfileLookup::Unknown { known } = profiles.find("owm") else { panic!("found") };
        assert!(known.iter().any(|name| name == "own"), "{known:?}");
        assert_eq!(site.broken(), [""; 0]);
    }

    #[test]
    fn without_a_configuration_or_a_folder_there_are_the_built_in_profiles() {
        let dir = tempfile::tempdir().unwrap();
        for profiles in
            [Profiles::beside(None), Profiles::beside(Some(&dir.path().join("config.toml")))]
        {
            assert_eq!(found(&profiles, "folder").transport, Transport::Folder);
            assert!(profiles.broken().is_empty());
        }
    }

    #[test]
    fn a_broken_file_says_where_and_stops_no_other() {
        let baud = format!("{OWN}[serial]\nbaud = 0\n");
        let long = format!("{OWN}# {}", "x".repeat(64 << 10));
        let site = County::new(&[
            ("a.toml", "name = "),
            ("b.toml", OWN),
            ("c.toml", &long),
            ("d.toml", "\u{fffd}"),
            ("own.toml", &baud),
        ]);
        let broken = site.broken();
        assert_eq!(broken.len(), 5, "{broken:#?}");
        assert!(broken[0].starts_with("a.toml:1:8: "), "{}", broken[0]);
        assert!(broken.iter().all(|line| !line.contains('\n')), "{broken:#?}");
        assert_eq!(broken[1], "b.toml:1:1: it is named own, unlike its file");
        assert_eq!(broken[2], "c.toml:1:1: cannot be read: longer than 65536 bytes");
        assert_eq!(broken[4], "own.toml:8:1: baud is 0, outside 300..=921600");
        let ProfileLookup::Broken(why) = site.profiles().find("own") else { panic!("found") };
        assert!(why.ends_with("own.toml:8:1: baud is 0, outside 300..=921600"), "{why}");
        assert_eq!(found(&site.profiles(), "generic-serial").name, "generic-serial");
    }

    #[test]
    fn a_folder_has_a_bounded_number_of_profiles() {
        let site = County::new(&[]);
        for n in 0..=site::FILES_MAX {
            fs::write(site.0.path().join(FOLDER).join(format!("{n}.toml")), "").unwrap();
        }
        let broken = site.profiles().broken();
        assert_eq!(broken.len(), 1);
        assert!(broken[0].to_string().contains("more than 256"), "{}", broken[0]);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let site = County::new(&[]);
        fs::write(site.0.path().join("own.toml"), OWN).unwrap();
        for name in ["../own", "../scanners/../own", ".", ""] {
            let lookup = site.profiles().find(name);
            assert!(matches!(lookup, ProfileLookup::Unknown { .. }), "{name}: {lookup:?}");
        }
    }
}
