//! A station in a temporary folder: its configuration, its ledger, and the commands that are run on it.

use super::daemon::Daemon;
use super::ledger::Look;
use super::pty::Pty;
use ballot_intake::ballot::{BallotId, ElectionId, Status, VoterId};
use ballot_intake::clock::SystemClock;
use ballot_intake::config::{Config, ConfigWorld, ProfileLookup};
use ballot_intake::control::{Answer, Command as Asked, Desk};
use ballot_intake::daemon::ledger_settings;
use ballot_intake::ledger::{Compared, ImportRow, ImportedFile};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// Rows staged at a time.
const PIECE: u32 = 1_000;

const BASE: &str = r"
[facility]
id = 'boulder'
timezone = 'America/Denver'
[station]
id = 'intake-1'
page = 'off'
repeat_window = '60s'
[election]
id = '202611'
[[envelope]]
name = 'county'
symbologies = ['code128']
pattern = '^(?<election>\d{6})(?<ballot>\d{9})(?<check>\d)$'
check = 'luhn'
names = 'ballot'
";

/// A station.
#[derive(Debug)]
pub(crate) struct Station {
    dir: TempDir,
    /// Set in the environment of its daemons.
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

impl Station {
    /// A station with more in its configuration.
    pub(crate) fn new(more: &str) -> Self {
        Self::with(&format!("{BASE}{more}"))
    }

    /// A station with one generic serial scanner for each name.
    pub(crate) fn with_scanners(names: &[&str], more: &str) -> Self {
        let station = Self::new("");
        let scanners: String = names.iter().map(|name| station.scanner(name)).collect();
        station.configure(&format!("{BASE}{more}{scanners}"));
        station
    }

    /// A station with no more than this in its configuration, and its ledger.
    pub(crate) fn with(config: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("intake").tempdir().unwrap();
        for folder in ["state", "tty"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let station = Self { dir, environment: Vec::new() };
        station.configure(config);
        station
    }

    /// Replaces the configuration.
    pub(crate) fn configure(&self, config: &str) {
        let ledger = self.ledger();
        let text = format!("{config}\n[ledger]\npath = '{}'\n", ledger.display());
        fs::write(self.config(), text).unwrap();
    }

    /// Adds to the configuration.
    pub(crate) fn add(&self, more: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        fs::write(self.config(), format!("{text}\n{more}")).unwrap();
    }

    fn scanner(&self, name: &str) -> String {
        let path = self.tty(name);
        format!(
            "[[scanner]]\nname = '{name}'\nprofile = 'generic-serial'\npath = '{}'\n",
            path.display()
        )
    }

    /// A file beside the state folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the scanner's port is.
    pub(crate) fn tty(&self, scanner: &str) -> PathBuf {
        self.path("tty").join(scanner)
    }

    /// The configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    /// The state folder: all that the daemon writes but its log.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// The ledger.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.state().join("ledger.sqlite")
    }

    /// Plugs a scanner in.
    pub(crate) fn plug(&self, scanner: &str) -> Pty {
        Pty::open(&self.tty(scanner))
    }

    /// Issues the ballots 0 to `n` - 1, all mailed; no daemon runs.
    pub(crate) fn import(&self, n: u32) {
        let text = fs::read_to_string(self.config()).unwrap();
        let state = self.state();
        let world = ConfigWorld { state_dir: &state, profile: &ProfileLookup::built_in };
        let config = Config::parse(&text, &world).unwrap_or_else(|f| panic!("{}", f.render("c")));
        let clock = Arc::new(SystemClock::new());
        let mut desk = Desk::find(ledger_settings(&config), clock).unwrap();
        let begun = desk.ask(Asked::ImportBegin {}).unwrap();
        let Answer::ImportBegun { import } = begun else { panic!("{begun:?}") };
        for from in (0..n).step_by(PIECE as usize) {
            let rows = (from..n.min(from + PIECE)).map(row).collect();
            let staged = desk.ask(Asked::ImportRows { import, rows }).unwrap();
            assert_eq!(staged, Answer::ImportCompared(Compared::default()));
        }
        let file = ImportedFile {
            file: "ballots.csv".to_owned(),
            sha256: "0".repeat(64),
            layout: "generic".to_owned(),
            refused: 0,
            by: "clerk".to_owned(),
            os_user: None,
        };
        let done = desk.ask(Asked::ImportCommit { import, file }).unwrap();
        assert!(matches!(&done, Answer::ImportDone(counts) if counts.issued == u64::from(n)));
        desk.close();
    }

    /// Starts the daemon and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    /// The same, with more arguments.
    #[track_caller]
    pub(crate) fn start_with(&self, arguments: &[&str]) -> Daemon {
        let mut daemon = self.spawn_with(arguments);
        daemon.ready();
        daemon
    }

    /// Starts the daemon.
    pub(crate) fn spawn(&self) -> Daemon {
        self.spawn_with(&[])
    }

    fn spawn_with(&self, arguments: &[&str]) -> Daemon {
        let mut command = self.command(&[&["run"], arguments].concat());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Daemon::spawn(command, &self.log_path())
    }

    /// What the daemons logged so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8(fs::read(self.log_path()).unwrap_or_default()).unwrap()
    }

    /// How often an event stands in the log.
    pub(crate) fn logged(&self, event: &str) -> usize {
        self.log().matches(&format!("event=\"{event}\"")).count()
    }

    fn log_path(&self) -> PathBuf {
        self.path("daemon.log")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ballot-intake"));
        command.args(arguments).arg("--config").arg(self.config()).env_remove("RUST_LOG");
        command
    }

    /// Runs a command.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command with this text on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that needs no line may end before it is written.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    }

    /// Adds an operator whose password is `<name>-password`; `root` first, who adds the others.
    #[track_caller]
    pub(crate) fn add_operator(&self, name: &str, role: &str) {
        let own = format!("{name}-password\n");
        let add = ["operators", "add", name, "--role", role];
        let output = match name {
            "root" => self.run_with(&add, &own),
            _ => self.run_with(
                &[&add[..], &["--operator", "root"]].concat(),
                &format!("root-password\n{own}"),
            ),
        };
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }

    /// Runs a command with `--json`; its lines.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(&[arguments, &["--json"]].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The report.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        self.json(&["report"]).remove(0)
    }

    /// Proves the ledger.
    #[track_caller]
    pub(crate) fn verify(&self) {
        let output = self.run(&["ledger", "verify"]);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
    }

    /// A look into the ledger.
    pub(crate) fn look(&self) -> Look {
        Look::open(&self.ledger())
    }
}

fn row(ballot: u32) -> ImportRow {
    ImportRow {
        election: ElectionId::new("202611").unwrap(),
        ballot: Some(BallotId::new(&format!("{ballot:09}")).unwrap()),
        voter: VoterId::new(&format!("V{ballot:08}")).unwrap(),
        imb: None,
        codes: BTreeMap::new(),
        style: None,
        status: Status::Mailed,
        reason: None,
        mailed: None,
        returned: None,
        receive_until: None,
    }
}

/// Every file below.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
