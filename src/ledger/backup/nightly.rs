//! The backups of every night: their names, when one is due, and which are kept.

use super::{BackupError, Over, Stop};
use crate::clock::{Micros, TimeOfDay, Zone};
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// What a backup's name ends with.
const END: &str = ".sqlite";

/// The nightly backups of a station.
#[derive(Debug, Clone)]
pub struct Nightly {
    /// Where they go.
    pub folder: PathBuf,
    /// When one is made, in `zone`.
    pub at: TimeOfDay,
    /// How many are kept.
    pub keep: NonZeroU32,
    /// The facility's time zone.
    pub zone: Zone,
    /// `[facility] id`.
    pub facility: String,
    /// `[station] id`.
    pub station: String,
}

impl Nightly {
    /// Whether a night has come since the last backup, of `made`. One that was made later than now was made before somebody
    /// set the clock back.
    pub(super) fn is_due(&self, made: Option<Micros>, now: Micros) -> bool {
        let Some(due) = self.zone.last(self.at, now) else { return false };
        made.is_none_or(|made| made < due || made > now)
    }

    /// Makes one, and removes those that are too many.
    pub(super) fn make(
        &self,
        ledger: &Path,
        now: Micros,
        stop: &Stop,
    ) -> Result<super::Backup, BackupError> {
        let path = self.folder.join(self.name(now));
        // A name of this second is that of a backup of ours.
        let made = super::backup(ledger, &path, Over::Anything, stop)?;
        self.prune(&path)
            .map_err(|source| BackupError::File { path: self.folder.clone(), source })?;
        Ok(made)
    }

    /// The backups there are, oldest first.
    pub(super) fn list(&self) -> io::Result<Vec<(Micros, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if let Some(made) = entry.file_name().to_str().and_then(|name| self.made(name)) {
                found.push((made, entry.path()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Removes the oldest until no more than are kept are there, but never `newest`.
    fn prune(&self, newest: &Path) -> io::Result<()> {
        let found = self.list()?;
        let too_many =
            found.len().saturating_sub(usize::try_from(self.keep.get()).unwrap_or(usize::MAX));
        for (_, path) in found.iter().filter(|(_, path)| path != newest).take(too_many) {
            super::partial::remove(path)?;
        }
        Ok(())
    }

    /// `<facility>-<station>-20261103T093000Z.sqlite`: in UTC, for a night may have an hour twice.
    fn name(&self, now: Micros) -> String {
        let time: String =
            now.rfc3339().chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
        format!("{}-{}-{time}Z{END}", self.facility, self.station)
    }

    /// When the backup of that name was made, if it is one of this station.
    fn made(&self, name: &str) -> Option<Micros> {
        let rest = name.strip_prefix(self.facility.as_str())?.strip_prefix('-')?;
        let rest = rest.strip_prefix(self.station.as_str())?.strip_prefix('-')?;
        let (date, time) = rest.strip_suffix(END)?.strip_suffix('Z')?.split_once('T')?;
        let part = |text: &str, from: usize, to: usize| text.get(from..to).map(str::to_owned);
        let spelt = format!(
            "{}-{}-{}T{}:{}:{}Z",
            part(date, 0, 4)?,
            part(date, 4, 6)?,
            part(date, 6, 8)?,
            part(time, 0, 2)?,
            part(time, 2, 4)?,
            part(time, 4, 6)?,
        );
        // Written again it must be the same, or it is a name that looks like one of ours only.
        Micros::parse_rfc3339(&spelt).filter(|made| self.name(*made) == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn nightly(folder: &Path) -> Nightly {
        Nightly {
            folder: folder.to_owned(),
            at: TimeOfDay::new(1, 30),
            keep: NonZeroU32::new(3).unwrap(),
            zone: Zone::named("America/Denver").unwrap(),
            facility: "boulder".to_owned(),
            station: "intake-1".to_owned(),
        }
    }

    #[test]
    fn a_night_has_one_backup_whatever_the_clock_does() {
        let nightly = nightly(Path::new("/"));
        let at = |text: &str| nightly.zone.instant(text).unwrap();
        let hour = Duration::from_hours(1);
        // 01:30 comes twice, and is once.
        let first = at("2026-11-01T01:30");
        assert!(nightly.is_due(Some(at("2026-10-31T01:31")), first));
        assert!(!nightly.is_due(Some(first), first.plus(hour)));
        // In spring 01:30 is there, and 02:30 is not.
        let skipped = Nightly { at: TimeOfDay::new(2, 30), ..nightly.clone() };
        assert!(!skipped.is_due(Some(at("2027-03-13T02:31")), at("2027-03-14T01:59")));
        assert!(skipped.is_due(Some(at("2027-03-13T02:31")), at("2027-03-14T03:30")));
        assert!(!skipped.is_due(Some(at("2027-03-14T03:30")), at("2027-03-14T04:30")));
        // A night that was missed, and one that was never.
        assert!(nightly.is_due(Some(at("2026-11-01T01:30")), at("2026-11-05T14:00")));
        assert!(nightly.is_due(None, at("2026-11-05T14:00")));
        // Somebody set the clock back.
        assert!(nightly.is_due(Some(at("2026-11-09T01:30")), at("2026-11-05T14:00")));
    }

    #[test]
    fn only_what_has_the_name_of_a_backup_of_the_station_is_one() {
        let nightly = nightly(Path::new("/"));
        let made = nightly.zone.instant("2026-11-03T02:30").unwrap();
        assert_eq!(nightly.name(made), "boulder-intake-1-20261103T093000Z.sqlite");
        assert_eq!(nightly.made(&nightly.name(made)), Some(made));
        for name in [
            "boulder-intake-1-20261103T093000Z.sqlite.partial",
            "boulder-intake-12-20261103T093000Z.sqlite",
            "boulder-intake-1-2-20261103T093000Z.sqlite",
            "boulder-intake-1-20261103T093000.sqlite",
            "boulder-intake-1-20261103T0930001Z.sqlite",
            "boulder-intake-1-20261303T093000Z.sqlite",
            "ledger.sqlite",
        ] {
            assert_eq!(nightly.made(name), None, "{name}");
        }
    }

    #[test]
    fn the_oldest_go_and_the_newest_good_one_never() {
        let dir = tempfile::tempdir().unwrap();
        let nightly = nightly(dir.path());
        let first = nightly.zone.instant("2026-11-03T02:30").unwrap();
        let path = |n| dir.path().join(nightly.name(first.plus(Duration::from_hours(n))));
        for n in 0..5 {
            fs::write(path(n), "").unwrap();
        }
        fs::write(dir.path().join("notes"), "").unwrap();
        // The clock was set back before the newest good one was made.
        nightly.prune(&path(0)).unwrap();
        let left: Vec<_> = nightly.list().unwrap().into_iter().map(|(_, path)| path).collect();
        assert_eq!(left, [path(0), path(3), path(4)]);
        assert!(dir.path().join("notes").exists());
    }
}
