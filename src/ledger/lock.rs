//! One writer, always: the lock beside the ledger, through which every command finds the daemon that holds it.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Its owner writes it, its group reads it.
const MODE: u32 = 0o640;

/// More than a process id and a path take.
const LOCK_BYTES_MAX: u64 = 8_192;

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The lock's file cannot be used.
    #[error("cannot use the lock {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Somebody writes this ledger now.
    #[error("the ledger is in use by process {}", .0.pid)]
    Held(Holder),
}

/// Who holds the lock, as they wrote it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Where it takes commands, if it does.
    pub socket: Option<PathBuf>,
}

/// The lock, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of the ledger at `ledger`. The group may read who holds it, whatever the umask, for its members may give
    /// commands over the holder's socket.
    pub fn take(ledger: &Path) -> Result<Self, LockError> {
        let path = lock_path(ledger);
        let at = |source| LockError::File { path: path.clone(), source };
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(MODE)
            .open(&path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(Self::holder(ledger).map_or_else(|| at(error), LockError::Held));
            }
            Err(error) => return Err(at(error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held(read(&mut file).map_err(at)?));
            }
            Err(TryLockError::Error(source)) => return Err(at(source)),
        }
        let mut lock = Self { file };
        // A lock that another user made stays theirs.
        if lock.file.set_permissions(Permissions::from_mode(MODE)).is_err() {
            tracing::debug!("The lock's mode stays as it is.");
        }
        lock.write("").map_err(at)?;
        Ok(lock)
    }

    /// Who says there that they hold the lock of the ledger at `ledger`: perhaps somebody who was killed since.
    pub fn holder(ledger: &Path) -> Option<Holder> {
        let mut file = File::open(lock_path(ledger)).ok()?;
        read(&mut file).ok().filter(|holder| holder.pid != 0)
    }

    /// Says in the lock where commands are taken.
    pub fn announce(&mut self, socket: &Path) -> io::Result<()> {
        self.write(&socket.display().to_string())
    }

    fn write(&mut self, socket: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(format!("{}\n{socket}\n", std::process::id()).as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What is written there holds as long as the lock does.
        if self.file.set_len(0).is_err() {
            tracing::debug!("The lock's file could not be emptied.");
        }
    }
}

fn lock_path(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn read(file: &mut File) -> io::Result<Holder> {
    let mut text = String::new();
    file.rewind()?;
    file.take(LOCK_BYTES_MAX).read_to_string(&mut text)?;
    let mut lines = text.lines();
    let pid = lines.next().and_then(|pid| pid.parse().ok()).unwrap_or(0);
    let socket = lines.next().filter(|socket| !socket.is_empty()).map(PathBuf::from);
    Ok(Holder { pid, socket })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_learns_who_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger.sqlite");
        let socket = dir.path().join("control.sock");
        let holder = || match Lock::take(&ledger) {
            Err(LockError::Held(holder)) => holder,
            other => panic!("taken twice: {other:?}"),
        };
        let pid = std::process::id();
        let mut first = Lock::take(&ledger).unwrap();
        assert_eq!(holder(), Holder { pid, socket: None });
        first.announce(&socket).unwrap();
        assert_eq!(holder(), Holder { pid, socket: Some(socket) });
        assert_eq!(Lock::holder(&ledger), Some(holder()));
        drop(first);
        assert_eq!(Lock::holder(&ledger), None);
        drop(Lock::take(&ledger).unwrap());
    }
}
