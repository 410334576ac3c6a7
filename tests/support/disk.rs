//! A disk that fails, or holds still, when it is told to: a library that is preloaded under the daemon.

use super::eventually;
use super::station::Station;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The disk of a station's daemons.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Puts it under the daemons that the station starts from here on.
    pub(crate) fn under(station: &mut Station) -> Self {
        let folder = station.path("disk");
        fs::create_dir(&folder).unwrap();
        let library = station.path("failing_disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/failing_disk.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&library)
            .args([source, "-ldl"])
            .status();
        assert!(compiled.unwrap().success());
        let told: OsString = folder.clone().into_os_string();
        station.environment =
            vec![("LD_PRELOAD", library.into_os_string()), ("FAILING_DISK", told)];
        Self { folder }
    }

    /// Has it do what `failing_disk.c` says of that name.
    pub(crate) fn tell(&self, name: &str) {
        fs::write(self.folder.join(name), "").unwrap();
    }

    /// It does so no more.
    pub(crate) fn mend(&self, name: &str) {
        fs::remove_file(self.folder.join(name)).unwrap();
    }

    /// Whether it did so, and does no more.
    pub(crate) fn is_used_up(&self, name: &str) -> bool {
        !self.folder.join(name).exists()
    }

    /// Waits until a sync is held.
    #[track_caller]
    pub(crate) fn holds(&self) {
        eventually("a sync that is held", || self.folder.join("sync.waits").exists());
    }
}
