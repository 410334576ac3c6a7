//! Where this process finds its configuration and keeps its state: the only reader of the environment.

use super::layouts::Layouts;
use super::profiles::Profiles;
use super::{Common, Exit, Failure};
use crate::clock::{Clock, SystemClock};
use crate::config::{CONFIG_BYTES_MAX, Config, ConfigWorld, Faults};
use std::env;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration that is taken when none is named.
const CONFIG: &str = "/etc/ballot-intake/config.toml";

/// What the process finds around it.
#[derive(Debug)]
pub(super) struct Place {
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    /// Where the ledger is kept unless the configuration says otherwise.
    state_dir: PathBuf,
    /// systemd's directory for sockets.
    pub(super) runtime_dir: Option<PathBuf>,
    /// systemd's directory for secrets.
    pub(super) credentials_dir: Option<PathBuf>,
    /// Where what does not outlive the process is kept.
    pub(super) temp_dir: PathBuf,
}

/// A configuration that was read but has faults.
#[derive(Debug, thiserror::Error)]
#[error("{}", .faults.render(.file).trim_end())]
pub(super) struct Faulty {
    file: String,
    /// Everything that is wrong in it.
    pub(super) faults: Faults,
}

/// A file that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", .path.display())]
struct Unread {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Place {
    pub(super) fn of_this_process() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            state_dir: state_dir(),
            runtime_dir: first_dir("RUNTIME_DIRECTORY"),
            credentials_dir: first_dir("CREDENTIALS_DIRECTORY"),
            temp_dir: env::temp_dir(),
        }
    }

    /// The configuration for a command, with the ledger that its arguments name.
    pub(super) fn config(&self, common: &Common) -> Result<Config, Failure> {
        let file = common.config.clone().or_else(default_config);
        let mut config = self.config_in(file.as_deref(), Exit::Config)?;
        if let Some(ledger) = &common.ledger {
            config.ledger.move_to(absolute(ledger)?);
        }
        if common.practice {
            config.practise();
        }
        Ok(config)
    }

    /// The configuration in `file`, or the defaults. Faults end with `exit`.
    pub(super) fn config_in(&self, file: Option<&Path>, exit: Exit) -> Result<Config, Failure> {
        let profiles = Profiles::beside(file);
        let profile = |name: &str| profiles.find(name);
        let world = ConfigWorld { state_dir: &self.state_dir, profile: &profile };
        let Some(file) = file else { return Ok(Config::default_for(&world)) };
        let bytes = read_bounded(file).map_err(|source| {
            Failure::new(Exit::NoInput, Unread { path: file.to_owned(), source })
        })?;
        Config::parse_bytes(&bytes, &world).map_err(|faults| {
            Failure::new(exit, Faulty { file: file.display().to_string(), faults })
        })
    }

    /// The scanner profiles that go with the configuration.
    pub(super) fn profiles(common: &Common) -> Profiles {
        let file = common.config.clone().or_else(default_config);
        Profiles::beside(file.as_deref())
    }

    /// The layouts of mail ballot files that go with the configuration.
    pub(super) fn layouts(common: &Common) -> Layouts {
        let file = common.config.clone().or_else(default_config);
        Layouts::beside(file.as_deref())
    }

    /// Makes the folder of a ledger that is yet to be made, for its owner only.
    pub(super) fn make_ledger_dir(ledger: &Path) -> Result<(), Failure> {
        let Some(dir) = ledger.parent() else { return Ok(()) };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|source| Failure::new(Exit::Ledger, Unmade { path: dir.to_owned(), source }))
    }
}

/// A folder that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the folder {}", .path.display())]
struct Unmade {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The configuration that is taken when none is named, if it is there.
pub(super) fn default_config() -> Option<PathBuf> {
    // One that is there but may not be looked at is no reason to take the defaults: reading it says what is wrong.
    Some(PathBuf::from(CONFIG)).filter(|file| !matches!(file.try_exists(), Ok(false)))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|source| Failure::new(Exit::NoInput, Unread { path: path.to_owned(), source }))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than may be shows that there is too much.
    let limit = u64::try_from(CONFIG_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// systemd's, else the XDG base directory specification's.
fn state_dir() -> PathBuf {
    let xdg = || env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    first_dir("STATE_DIRECTORY").unwrap_or_else(|| {
        xdg().or_else(home).unwrap_or_else(|| PathBuf::from("/var/lib")).join("ballot-intake")
    })
}

/// The first of the directories that systemd lists in a variable.
fn first_dir(variable: &str) -> Option<PathBuf> {
    let dirs = env::var_os(variable)?;
    env::split_paths(&dirs).next().filter(|dir| dir.is_absolute())
}
