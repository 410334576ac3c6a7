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
    /// Of TCP, and in the name of the socket.
    port: u16,
    more: Vec<&'static str>,
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
        give(&files, 0o700);
        give(folder.path(), 0o755);
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
        let mut cluster = Self { folder, server: None, port: 5432, more: Vec::new() };
        cluster.restart();
        cluster
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres:///postgres?host={socket}&port={}&user=postgres", self.port)
    }

    /// Starts it anew with a port of the loopback that it serves over TLS alone, as `server.crt` and `server.key` of that folder.
    pub(crate) fn serve_tls(&mut self, folder: &Path, port: u16) {
        self.kill();
        let files = self.folder.path().join("data");
        for name in ["server.crt", "server.key"] {
            fs::copy(folder.join(name), files.join(name)).unwrap();
            give(&files.join(name), 0o600);
        }
        fs::write(
            files.join("pg_hba.conf"),
            "local all all trust\nhostssl all all 127.0.0.1/32 trust\n",
        )
        .unwrap();
        self.port = port;
        self.more = vec!["listen_addresses=127.0.0.1", "ssl=on"];
        self.restart();
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
            for setting in SETTINGS.iter().chain(&self.more) {
                command.args(["-c", setting]);
            }
            command.arg("-p").arg(self.port.to_string());
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

/// To the user that the server runs as.
fn give(path: &Path, mode: u32) {
    if is_root() {
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let line = users.lines().find(|line| line.starts_with("postgres:")).unwrap();
        let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
        chown(path, fields.next(), fields.next()).unwrap();
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
