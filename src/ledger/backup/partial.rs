//! A file on its way to its name: written under another one in the same folder, synced, and only then renamed.

use super::{BackupError, sync_folder, with_end};
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What the unfinished file's name ends with.
const END: &str = ".partial";

/// SQLite's companions of a file.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Bytes 18 and 19 of a database say that it has a write-ahead log (2) or none (1): <https://www.sqlite.org/fileformat2.html>, 1.3.3.
const FORMAT_AT: u64 = 18;
const NO_WAL: [u8; 2] = [1, 1];

/// A file that has not its name yet. It is removed when it is dropped before that.
#[derive(Debug)]
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    to: PathBuf,
    is_finished: bool,
}

impl Partial {
    /// Begins the file that will be called `to`, whose path is absolute, in place of one that was never finished.
    pub(super) fn begin(to: &Path, mode: u32) -> Result<Self, BackupError> {
        let path = with_end(to, END);
        let at = |source| BackupError::File { path: path.clone(), source };
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(mode)
            .open(&path);
        let file = open.map_err(at)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Underway { path }),
            Err(TryLockError::Error(source)) => return Err(at(source)),
        }
        // Whoever had the lock before may have renamed the file meanwhile: it is no longer ours to write.
        let (ours, there) = (file.metadata().map_err(at)?, fs::metadata(&path));
        if !there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Err(BackupError::Underway { path });
        }
        let half = Self { file, path: path.clone(), to: to.to_owned(), is_finished: false };
        half.empty().map_err(at)?;
        half.file.set_permissions(Permissions::from_mode(mode)).map_err(at)?;
        Ok(half)
    }

    /// The name it has so far.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins it anew.
    pub(super) fn empty(&self) -> io::Result<()> {
        for companion in COMPANIONS {
            remove(&with_end(&self.path, companion))?;
        }
        self.file.set_len(0)
    }

    /// Makes what was written so far durable, so that nobody's sync ever has much of it to write.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// A database that was copied from one with a write-ahead log has none: it is one file, also on a disk that cannot be
    /// written.
    pub(super) fn be_one_file(&self) -> io::Result<()> {
        self.file.write_all_at(&NO_WAL, FORMAT_AT)
    }

    /// Makes it durable and gives it its name.
    pub(super) fn finish(mut self) -> Result<(), BackupError> {
        let give = || -> io::Result<()> {
            self.file.sync_all()?;
            fs::rename(&self.path, &self.to)?;
            sync_folder(self.to.parent().unwrap_or(Path::new("/")))
        };
        give().map_err(|source| BackupError::File { path: self.to.clone(), source })?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        // Whoever begins it anew clears away what cannot be removed now.
        for end in COMPANIONS.into_iter().chain([""]) {
            if remove(&with_end(&self.path, end)).is_err() {
                tracing::debug!("An unfinished copy could not be removed.");
            }
        }
    }
}

/// Removes a file, if there is one.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
