//! `ballot-relay demo`: the whole relay at work with a made-up county, in a folder that goes when it ends.
//!
//! What runs is the real relay with a real configuration. Around it stand a provider of texts and calls and a mail server that keep
//! everything to themselves. It is fed by the daemon's own demonstration, `ballot-intake demo --relay URL --secret FILE`: started
//! here where the program lies beside this one, or named with `--intake`, else in another terminal by the line that is printed. One
//! daemon feeds it: a second would be another ledger under the first one's name, and is refused. So it works on, to be scanned at.

mod county;
mod scratch;

use super::run::{asked_to_stop, runtime, serve_until};
use super::{Failure, say};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::intake::files;
use crate::office::{Newcomer, hire};
use crate::relay::Relay;
use crate::stand_in::{Options, PostBox, Settings, StandIn};
use crate::store::{StoreError, Tx};
use crate::told::chain;
use crate::web::Role;
use clap::Args;
use scratch::Scratch;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The account at the provider that stands in.
const ACCOUNT: &str = "ACdec0de00000000000000000000000000";

/// The number that sends.
const SENDER: &str = "+13035550000";

/// People of the made-up office, all with one password: nobody else reaches these pages.
const PEOPLE: [(&str, Role); 3] =
    [("sue", Role::Supervisor), ("sam", Role::Supervisor), ("cleo", Role::Clerk)];
const PASSWORD: &str = "correct horse battery";

/// How long everything may take to be taken in and sent.
const SETTLED_MAX: Duration = Duration::from_mins(3);

/// Between two looks whether it is.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What the daemon's demonstration writes behind the command that scans an envelope.
const SCANS: &str = "scan an envelope";

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// Ends when everything is settled, with 0 where it is as it should be.
    #[arg(long)]
    once: bool,
    /// The daemon's program; by default the one beside this one.
    #[arg(long, value_name = "FILE")]
    intake: Option<PathBuf>,
}

/// `ballot-relay demo`.
pub(super) fn demo(arguments: &DemoArguments) -> Result<(), Failure> {
    let scratch = Scratch::make().map_err(|error| Failure::new(69, error.to_string()))?;
    let runtime = runtime()?;
    let rig = Rig::set_up(&scratch, &runtime)?;
    let until = if arguments.once { Until::Settled } else { Until::Stopped };
    let feeder = rig.feed(arguments.intake.as_deref(), until)?;
    if until == Until::Settled && feeder.is_none() {
        let text = "there is no ballot-intake beside this program: build it (cargo build), or name it with --intake";
        return Err(Failure::new(66, text));
    }
    runtime.block_on(rig.run(feeder, until))
}

/// When the demonstration ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// When everything is settled.
    Settled,
    /// When somebody stops it.
    Stopped,
}

/// Everything that stands around.
struct Rig {
    relay: Arc<Relay>,
    stand_in: StandIn,
    stand_in_url: String,
    mail: PostBox,
    events_url: String,
    secret_file: PathBuf,
    daemon_log: PathBuf,
    daemon_dir: PathBuf,
}

impl Rig {
    fn set_up(scratch: &Scratch, runtime: &Runtime) -> Result<Self, Failure> {
        let away = |error: &dyn std::error::Error| Failure::new(69, error.to_string());
        let [pages, stations] = [free_port()?, free_port()?];
        let token = crate::key::token().map_err(|error| away(&error))?;
        let write = |name: &str, text: &str| scratch.file(name, text).map_err(|error| away(&error));
        let (mail, log) = (PostBox::default(), scratch.path().join("stand-in.jsonl"));
        let smtp = runtime.block_on(mail.open()).map_err(|error| away(&error))?;
        let options = Options {
            account: ACCOUNT.to_owned(),
            token: token.clone(),
            log,
            inbound: Some(format!("http://{pages}/provider/inbound")),
            settings: Settings { callback_delay_ms: 150, ..Settings::default() },
        };
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let stand_in = StandIn::bind(here, options, Arc::new(SystemClock), mail.clone());
        let stand_in =
            runtime.block_on(stand_in).map_err(|error| Failure::new(69, chain(&error)))?;
        let stand_in_url = stand_in.url();
        let key = crate::key::Keys::generate().map_err(|error| away(&error))?;
        let files = county::Files {
            key: write("key", &key)?,
            secret: write("relay.secret", &format!("whsec_{}\n", key.trim()))?,
            token: write("token", &token)?,
            store: scratch.path().join("relay.sqlite"),
        };
        let places = county::Places { pages, stations, smtp, provider: &stand_in_url };
        let config = county::config(&files, &places, (ACCOUNT, SENDER));
        let config =
            Config::parse(&config).map_err(|faults| Failure::new(78, faults.0.join("\n")))?;
        let relay = Relay::open(config, Arc::new(SystemClock))
            .map_err(|error| Failure::new(69, chain(&error)))?;
        furnish(&relay)?;
        Ok(Self {
            relay,
            stand_in,
            stand_in_url,
            mail,
            events_url: format!("http://{stations}/events"),
            secret_file: files.secret,
            daemon_log: scratch.path().join("ballot-intake.log"),
            daemon_dir: scratch.path().to_owned(),
        })
    }

    /// Starts the daemon's demonstration, where its program is to be had. What it leaves behind goes with our own folder.
    fn feed(&self, named: Option<&Path>, until: Until) -> Result<Option<Guarded>, Failure> {
        let beside = || Some(std::env::current_exe().ok()?.parent()?.join("ballot-intake"));
        let Some(program) = named.map(Path::to_owned).or_else(beside).filter(|path| path.is_file())
        else {
            return Ok(None);
        };
        let log = File::create(&self.daemon_log).and_then(|log| Ok((log.try_clone()?, log)));
        let (log, errors) = log.map_err(|error| Failure::new(69, error.to_string()))?;
        let mut daemon = Command::new(&program);
        daemon.args(["demo", "--relay", &self.events_url, "--secret"]).arg(&self.secret_file);
        match until {
            Until::Settled => daemon.arg("--once").stdout(log),
            Until::Stopped => daemon.stdout(Stdio::piped()),
        };
        daemon
            .env("TMPDIR", &self.daemon_dir)
            .stdin(Stdio::null())
            .stderr(errors)
            .spawn()
            .map(|child| Some(Guarded(child)))
            .map_err(|error| Failure::new(66, format!("cannot run {}: {error}", program.display())))
    }

    fn explain(&self, feeder: Option<&Guarded>) -> Result<(), Failure> {
        let Self { relay, stand_in_url, events_url, secret_file, .. } = self;
        let (pages, secret) = (&relay.config.public_url, secret_file.display());
        let (name, birth, zip, email) = county::VISITOR;
        let feeding = if feeder.is_some() {
            "ballot-intake's own demonstration feeds it: a clerk scans envelopes, then you can."
                .to_owned()
        } else {
            format!(
                "Feed it from another terminal, with the daemon's own demonstration:\n    \
                 cargo run --release -- demo --relay {events_url} --secret {secret}"
            )
        };
        say(&format!(
            "{} voters, most of them signed up.\n\
             the voters' pages   {pages}/\n    sign up as {name}, born {birth}, ZIP {zip}, with {email}\n\
             the office's pages  {pages}/office\n    sue, sam (supervisors) or cleo (clerk), with the password {PASSWORD}\n\
             texts, calls, mail  {stand_in_url}/\n    everything that would have left this machine, codes too: answer YES, STOP or HELP there\n\
             {feeding}",
            county::VOTERS
        ))
    }

    async fn run(self, feeder: Option<Guarded>, until: Until) -> Result<(), Failure> {
        self.explain(feeder.as_ref())?;
        let (stop, stopping) = watch::channel(false);
        let (relay, mail) = (Arc::clone(&self.relay), self.mail.clone());
        let stand_in = self.stand_in.serve(super::run::stopped(stopping.clone()));
        let watched = async {
            let outcome = match until {
                Until::Settled => until_settled(&relay, &mail, feeder).await,
                Until::Stopped => {
                    let fed = async {
                        if let Some(feeder) = feeder {
                            pass_on(feeder, &self.daemon_log).await?;
                        }
                        std::future::pending().await
                    };
                    tokio::select! {
                        () = asked_to_stop() => Ok(()),
                        outcome = fed => outcome,
                    }
                }
            };
            stop.send_replace(true);
            outcome
        };
        let (served, (), outcome) = tokio::join!(serve_until(&relay, stopping), stand_in, watched);
        served.and(outcome)
    }
}

/// A port of the loopback interface that is free now.
fn free_port() -> Result<SocketAddr, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Failure::new(69, error.to_string()))
}

/// Reads the county's files, signs voters up, and lets the office's people in.
fn furnish(relay: &Arc<Relay>) -> Result<(), Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::new(69, chain(error));
    files::voters(relay, county::ID, county::voter_file().as_bytes())
        .map_err(|error| failed(&error))?;
    let now = relay.clock.now();
    relay.store.write_now(move |tx| county::enrol(tx, now)).map_err(|error| failed(&error))?;
    files::ballots(
        relay,
        (county::ID, Some(county::ELECTION)),
        county::mail_ballot_file(now).as_bytes(),
    )
    .map_err(|error| failed(&error))?;
    for (name, role) in PEOPLE {
        let newcomer = Newcomer::new(&relay.config, (name, county::ID, role), PASSWORD)
            .map_err(|error| failed(&error))?;
        let hired = relay.store.write_now(move |tx| hire(tx, &newcomer, now));
        hired.map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Where everything stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Standing {
    events: i64,
    /// Owed, being handed over, or not known; of texts and calls, without a receipt.
    open: i64,
    emails: i64,
    /// Texts and calls that were confirmed.
    confirmed: i64,
    lost: i64,
}

impl Standing {
    fn read(tx: &mut Tx<'_>) -> Result<Self, StoreError> {
        let mut n = |sql: &str| tx.count(sql, &[]);
        Ok(Self {
            events: n("SELECT COUNT(*) FROM event")?,
            open: n(
                "SELECT COUNT(*) FROM notice WHERE state IN ('owed', 'calling', 'unknown', 'try_later') \
                 OR (state = 'sent' AND channel <> 'email')",
            )?,
            emails: n("SELECT COUNT(*) FROM notice WHERE state = 'sent' AND channel = 'email'")?,
            confirmed: n("SELECT COUNT(*) FROM notice WHERE state = 'delivered'")?,
            lost: n(
                "SELECT COUNT(*) FROM notice WHERE state IN ('bad_address', 'ours', 'too_late', 'unconfirmed')",
            )?,
        })
    }
}

/// Prints the command that scans an envelope, once the daemon's demonstration has; then reads on until it ends.
async fn pass_on(mut feeder: Guarded, log: &Path) -> Result<(), Failure> {
    let away = |error: io::Error| Failure::new(69, error.to_string());
    let Some(said) = feeder.0.stdout.take() else { return Ok(()) };
    let said = pipe::Receiver::from_owned_fd(OwnedFd::from(said)).map_err(away)?;
    let mut lines = BufReader::new(said).lines();
    while let Some(line) = lines.next_line().await.map_err(away)? {
        if let Some(command) = scan_command(&line) {
            let (name, ..) = county::VISITOR;
            say(&format!(
                "The clerk is done. Scan the envelope of {name} from another terminal:\n    {command}"
            ))?;
        }
    }
    let why = fs::read_to_string(log).unwrap_or_default();
    say(&format!("The daemon's demonstration has ended: nothing is scanned any more.\n{why}"))
}

/// The command of the line that tells how to scan.
fn scan_command(line: &str) -> Option<&str> {
    line.trim().strip_suffix(SCANS).map(str::trim_end)
}

/// Waits until the daemon is done and everything was told; says what came of it.
async fn until_settled(
    relay: &Arc<Relay>,
    mail: &PostBox,
    mut feeder: Option<Guarded>,
) -> Result<(), Failure> {
    let deadline = Instant::now() + SETTLED_MAX;
    let mut look = interval(LOOK_AGAIN);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let ended = match &mut feeder {
            Some(Guarded(child)) => {
                child.try_wait().map_err(|error| Failure::new(69, error.to_string()))?
            }
            None => None,
        };
        let standing = relay.store.read(Standing::read).await;
        let standing = standing.map_err(|error| Failure::new(69, chain(&error)))?;
        if let Some(status) = ended.filter(|_| standing.open == 0) {
            return conclude(standing, mail.newest_first().len(), status);
        }
        if Instant::now() > deadline {
            return Err(Failure::new(1, format!("not settled in time: {standing:?}")));
        }
    }
}

/// The daemon's demonstration, which ends with this one.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // One that has ended already needs nothing.
        if matches!(self.0.try_wait(), Ok(None))
            && (self.0.kill().is_err() || self.0.wait().is_err())
        {
            tracing::warn!("The daemon's demonstration could not be ended.");
        }
    }
}

fn conclude(standing: Standing, letters: usize, daemon: ExitStatus) -> Result<(), Failure> {
    let Standing { events, emails, confirmed, lost, .. } = standing;
    say(&format!(
        "{events} events taken, {emails} e-mails handed over, {confirmed} texts and calls confirmed, {lost} lost"
    ))?;
    let mut lacking = Vec::new();
    if !daemon.success() {
        lacking.push("the daemon's demonstration did not succeed".to_owned());
    }
    if events == 0 || emails == 0 || confirmed == 0 {
        lacking.push("something came to nothing".to_owned());
    }
    if lost > 0 {
        lacking.push(format!("{lost} notices were lost"));
    }
    if i64::try_from(letters) != Ok(emails) {
        lacking.push(format!("{letters} e-mails came, not {emails}"));
    }
    if lacking.is_empty() { Ok(()) } else { Err(Failure::new(1, lacking.join("\n"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_scans_is_found_among_what_the_daemon_says() {
        for (line, expected) in [
            (
                r"  printf '2026110000000017\r' > /dev/pts/4          scan an envelope",
                Some(r"printf '2026110000000017\r' > /dev/pts/4"),
            ),
            ("  cp PICTURE.png /tmp/pictures/          put a picture", None),
            ("A clerk scans, 20 times as fast as people do.", None),
        ] {
            assert_eq!(scan_command(line), expected, "{line}");
        }
        assert!(include_str!("../../../src/cli/demo.rs").contains(&format!("          {SCANS}")));
    }
}
