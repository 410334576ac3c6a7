//! A site's own facts: the TOML files of a folder beside the configuration in use, within bounds.

use serde::Serialize;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Most files that are looked at.
pub(super) const FILES_MAX: usize = 256;

/// Longest file, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Where a site's own files lie.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// Nothing where no configuration is in use.
    folder: Option<PathBuf>,
}

/// A file that is not what it should be.
#[derive(Debug, Serialize)]
pub(super) struct Broken {
    file: String,
    line: usize,
    column: usize,
    message: String,
}

impl Site {
    /// The folder of that name beside the configuration.
    pub(super) fn beside(config: Option<&Path>, folder: &str) -> Self {
        Self { folder: config.map(|file| file.with_file_name(folder)) }
    }

    /// The file of that name, whether it is there or not; nothing where the name would lead elsewhere.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let folder = self.folder.as_ref().filter(|_| is_plain)?;
        Some(folder.join(format!("{name}.toml")))
    }

    /// The files in the order of their names.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, Broken> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let unread = |error: io::Error| Broken::whole(folder, format!("cannot be read: {error}"));
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unread(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(unread)?.path();
            if path.extension() != Some(OsStr::new("toml")) {
                continue;
            }
            if files.len() == FILES_MAX {
                let what = folder.file_name().unwrap_or_default().to_string_lossy();
                return Err(Broken::whole(folder, format!("more than {FILES_MAX} {what}")));
            }
            files.push(path);
        }
        files.sort();
        Ok(files)
    }
}

impl Broken {
    /// A file that is wrong as a whole.
    pub(super) fn whole(path: &Path, message: String) -> Self {
        Self::at(path, (1, 1), message)
    }

    /// A file that is wrong at that line and column.
    pub(super) fn at(path: &Path, (line, column): (usize, usize), message: String) -> Self {
        Self { file: path.display().to_string(), line, column, message }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message } = self;
        write!(f, "{file}:{line}:{column}: {message}")
    }
}

/// The name that a file has before its ending.
pub(super) fn stem(file: &Path) -> Option<&str> {
    file.file_stem().and_then(OsStr::to_str)
}

/// The text of a file; nothing where there is no such file.
pub(super) fn read(file: &Path) -> Result<Option<String>, Broken> {
    match read_bounded(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Broken::whole(file, format!("cannot be read: {error}"))),
    }
}

fn read_bounded(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    // One byte more than may be shows that there is too much.
    File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("longer than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
