//! A folder for what does not outlive the command.

use super::{Exit, Failure};
use crate::event::chain;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A new folder for its owner only; it goes with its contents when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

/// Something in the folder, or it itself, cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make {}", .path.display())]
struct Unmade {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Scratch {
    /// Makes a folder in `parent`.
    pub(super) fn make(parent: &Path) -> Result<Self, Failure> {
        // The number of a process comes again, and one that was killed may have left its folder.
        let random = getrandom::u64().unwrap_or_default();
        let name = format!("ballot-intake-{}-{random:016x}", std::process::id());
        let path = parent.join(name);
        DirBuilder::new().mode(0o700).create(&path).map_err(|e| unmade(&path, e))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder in it.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        fs::create_dir(&path).map_err(|e| unmade(&path, e))?;
        Ok(path)
    }

    /// Makes a file in it.
    pub(super) fn file(&self, name: &str, contents: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(contents.as_bytes()))
            .map_err(|e| unmade(&path, e))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(
                path = %self.path.display(),
                error = chain(&error),
                "A temporary folder could not be removed."
            );
        }
    }
}

fn unmade(path: &Path, source: io::Error) -> Failure {
    Failure::new(Exit::Away, Unmade { path: path.to_owned(), source })
}
