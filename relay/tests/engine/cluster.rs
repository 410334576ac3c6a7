//! A PostgreSQL server of a test's own: a temporary folder, a Unix socket, no network.

use crate::rig::{Deadline, eventually};
use ballot_relay::store::{Store, StoreUrl};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Settings that a test's data do not need to outlive a power cut.
const SETTINGS: [&str; 7] = [
    "fsync=off",
    "full_page_writes=off",
    "listen_addresses=",
    "max_connections=60",
    "shared_buffers=32MB",
    "max_wal_size=4GB",
    "autovacuum_naptime=5s",
];

/// A running server; it is stopped when this goes.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: TempDir,
    server: Option<Child>,
}

impl Cluster {
    /// Makes one and starts it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("relay-pg-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let files = folder.path().join("data");
        fs::create_dir(&files).unwrap();
        own(&files);
        own(folder.path());
        let made = as_nobody(&program("initdb"))
            .args([
                "--auth=trust",
                "--username=postgres",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&files)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        let mut cluster = Self { folder, server: None };
        cluster.restart();
        cluster
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres:///postgres?host={socket}&user=postgres")
    }

    /// Kills the server and all that it runs, as a power cut of the process would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Starts the server, and waits until it answers.
    pub(crate) fn restart(&mut self) {
        let files = self.folder.path().join("data");
        let deadline = Deadline::new();
        loop {
            let mut command = as_nobody(&program("postgres"));
            command.arg("-D").arg(&files).arg("-k").arg(self.folder.path());
            for setting in SETTINGS {
                command.args(["-c", setting]);
            }
            let log = fs::File::create(self.folder.path().join("log")).unwrap();
            command.stdout(Stdio::null()).stderr(log);
            self.server = Some(command.spawn().unwrap());
            if self.answers() {
                return;
            }
            // What the killed one ran still holds its memory: the server says so and ends.
            self.kill();
            deadline.check("a PostgreSQL server");
        }
    }

    fn answers(&mut self) -> bool {
        let url = StoreUrl::parse(&self.url()).unwrap();
        let mut is_open = false;
        eventually("an answer of PostgreSQL", || {
            is_open = Store::open(&url, 2).is_ok();
            let ended = self.server.as_mut().unwrap().try_wait().unwrap().is_some();
            is_open || ended
        });
        is_open
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The newest server's program.
fn program(name: &str) -> PathBuf {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed")
        .map(|version| version.unwrap().path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    versions.sort();
    versions.pop().expect("PostgreSQL's programs are installed")
}

/// PostgreSQL does not run as root. It goes when the test does, however that goes.
fn as_nobody(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT", "--"])
        .arg(program)
        .process_group(0);
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn own(folder: &Path) {
    if !is_root() {
        return;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).unwrap();
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    chown(folder, fields.next(), fields.next()).unwrap();
    let mode = if folder.ends_with("data") { 0o700 } else { 0o755 };
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}
