//! What stands around the daemon in the demonstration: the clerk, the camera and the relay.

use super::office;
use super::show::{Screen, Tones};
use super::{Outside, Shutdown};
use crate::cli::ask::{Import, import_into};
use crate::cli::import::Run;
use crate::cli::loopback::{Loopback, Receipt};
use crate::cli::place::Place;
use crate::cli::player::{PlayError, Player};
use crate::cli::scratch::Scratch;
use crate::cli::{Common, Exit, Failure, complain};
use crate::event::chain;
use crate::ledger::Counts;
use crate::scan::Tone;
use crate::scanner::profile::Profile;
use crate::scanner::pty::{Pty, PtyError};
use crate::scanner::recording::{Expect, Recording, Step};
use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use relay_wire::Secret;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// The clerk's scanner, by its name in the configuration.
const CLERK: &str = "clerk";

/// The folder of pictures, by its name in the configuration.
pub(super) const PICTURES: &str = "pictures";

/// A clerk takes about a second for an envelope; so much faster is the demonstration.
const SPEED: u32 = 20;

/// Answers and receipts that wait to be counted.
const WAITING_MAX: usize = 1_024;

/// Bytes carried between two lines at a time.
const CARRY_BYTES: usize = 1_024;

/// All of it, before it works.
pub(super) struct Rig {
    /// The arguments by which commands find the running demonstration.
    pub(super) common: Common,
    /// What the clerk hears in the end.
    pub(super) expected: Tones,
    /// Where pictures are put.
    pub(super) folder: PathBuf,
    /// The relay, if it runs elsewhere.
    pub(super) relay_url: Option<String>,
    recording: Recording,
    player: Player,
    /// A line on which anybody may scan.
    yours: Pty,
    loopback: Option<Inside>,
    issued: Counts,
}

/// What comes of the work.
pub(super) struct Work {
    /// The answers that the clerk hears.
    pub(super) heard: mpsc::Receiver<Tone>,
    /// What the loopback relay took.
    pub(super) receipts: mpsc::Receiver<Receipt>,
}

impl Rig {
    pub(super) fn set_up(
        place: &Place,
        scratch: &Scratch,
        relay: Option<Outside>,
        runtime: &Runtime,
    ) -> Result<Self, Failure> {
        let away = |error: anyhow::Error| Failure::new(Exit::Away, error);
        let recording = Recording::parse(office::SESSION)
            .context("the recorded session is none")
            .map_err(away)?;
        let (line, yours) = {
            let _entered = runtime.enter();
            lines().map_err(|e| Failure::new(Exit::Away, e))?
        };
        let folder = scratch.folder(PICTURES)?;
        let relay_url = relay.as_ref().map(|outside| outside.url.clone());
        let (loopback, relay) = if let Some(outside) = relay {
            (None, outside)
        } else {
            let (loopback, here) = Inside::open(scratch, runtime)?;
            (Some(loopback), here)
        };
        let text = config_text(scratch, line.path(), &folder, &relay)?;
        let file = scratch.file("config.toml", &text)?;
        let common = Common {
            config: Some(file),
            ledger: None,
            election: None,
            operator: None,
            json: false,
            practice: false,
        };
        let config = place.config(&common)?;
        let file = scratch.file("ballots.csv", &office::mail_ballot_file())?;
        let wanted = Import { file: &file, layout: "generic", run: Run::Real, lists: None };
        let issued = import_into(place, &config, &common, wanted, &mut io::sink())?;
        let profile = Profile::built_in("generic-serial").unwrap_or_default();
        let profile = Profile::parse(profile).map_err(|e| Failure::new(Exit::Config, e))?;
        let mut expected = Tones::default();
        let tones = recording.steps.iter().filter_map(|step| step.expect?.tone());
        tones.for_each(|tone| expected.add(tone));
        Ok(Self {
            common,
            expected,
            folder,
            relay_url,
            recording,
            player: Player::new(line, &profile),
            yours,
            loopback,
            issued,
        })
    }

    /// The line on which anybody may scan.
    pub(super) fn port(&self) -> String {
        self.yours.path().display().to_string()
    }

    pub(super) fn introduce(&self, screen: &Screen) -> Result<(), Failure> {
        let relay = self.relay_url.as_deref().unwrap_or("on the loopback interface");
        screen.say(&format!(
            "A made-up election office: {} ballots issued, {} of them voided; a scanner on a pseudo terminal,\n\
             a folder of pictures, a relay {relay}. A clerk scans, {SPEED} times as fast as people do.",
            self.issued.rows, self.issued.voided
        ))?;
        Ok(())
    }

    /// Sets everybody to work.
    pub(super) fn start(self, place: &Place, shutdown: &Shutdown) -> Work {
        let (heard_tx, heard) = mpsc::channel(WAITING_MAX);
        let (receipts_tx, receipts) = mpsc::channel(WAITING_MAX);
        if let Some(Inside { relay, secret }) = self.loopback {
            let clock = Arc::clone(&place.clock);
            tokio::spawn(async move {
                let served = relay.serve(secret, clock, receipts_tx, std::future::pending()).await;
                if let Err(error) = served {
                    complain(&chain(&error));
                }
            });
        }
        let (player, yours, steps) = (self.player, self.yours, self.recording.steps);
        tokio::spawn(async move {
            if let Err(error) = clerk(player, yours, &steps, heard_tx).await {
                complain(&chain(&error));
            }
        });
        let (folder, shutdown) = (self.folder, shutdown.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = camera(&folder, &shutdown) {
                complain(&chain(&*error));
            }
        });
        Work { heard, receipts }
    }
}

fn lines() -> Result<(Pty, Pty), PtyError> {
    Ok((Pty::open()?, Pty::open()?))
}

/// A relay of the demonstration's own.
struct Inside {
    relay: Loopback,
    secret: Secret,
}

impl Inside {
    /// Opens it, and says where it is.
    fn open(scratch: &Scratch, runtime: &Runtime) -> Result<(Self, Outside), Failure> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|e| Failure::new(Exit::Away, anyhow!(e)))?;
        let text = format!("whsec_{}", STANDARD.encode(bytes));
        let secret = Secret::parse(&text).map_err(|e| Failure::new(Exit::Away, e))?;
        let relay = runtime.block_on(Loopback::bind()).map_err(|e| Failure::new(Exit::Away, e))?;
        let here = Outside { url: relay.url(), secret: scratch.file("relay.secret", &text)? };
        Ok((Self { relay, secret }, here))
    }
}

/// The office's configuration, on this scratch folder and these lines.
fn config_text(
    scratch: &Scratch,
    line: &Path,
    folder: &Path,
    relay: &Outside,
) -> Result<String, Failure> {
    let secret = std::path::absolute(&relay.secret)?;
    let ledger = scratch.path().join("ledger.sqlite");
    let key = scratch.path().join("signing.key");
    let quoted = |path: &Path| quoted(&path.to_string_lossy());
    Ok(format!(
        "{}\n[ledger]\npath = {}\nsigning_key_file = {}\n\n\
         [[scanner]]\nname = \"{CLERK}\"\nprofile = \"generic-serial\"\npath = {}\n\n\
         [[scanner]]\nname = \"{PICTURES}\"\nprofile = \"folder\"\npath = {}\n\n\
         [relay]\nurl = {}\nsecret_file = {}\nhold_back = \"0s\"\n",
        office::CONFIG,
        quoted(&ledger),
        quoted(&key),
        quoted(line),
        quoted(folder),
        self::quoted(&relay.url),
        quoted(&secret)
    ))
}

/// As a TOML basic string, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Scans the whole session, waiting for each answer as a clerk does; then carries what is scanned on the other line.
async fn clerk(
    mut player: Player,
    yours: Pty,
    steps: &[Step],
    heard: mpsc::Sender<Tone>,
) -> Result<(), PlayError> {
    let started = Instant::now();
    for step in steps {
        sleep_until(started + step.at / SPEED).await;
        let frames = player.send(&step.bytes).await?;
        // A repeat is silent.
        let answers = if step.expect == Some(Expect::Repeat) { 0 } else { frames };
        for _answer in 0..answers {
            let tone = player.answer().await?;
            if heard.send(tone).await.is_err() {
                return Ok(());
            }
        }
    }
    carry(player.into_pty(), yours).await.map_err(PlayError::Line)
}

async fn carry(mut line: Pty, mut yours: Pty) -> io::Result<()> {
    let (mut scanned, mut answered) = ([0; CARRY_BYTES], [0; CARRY_BYTES]);
    loop {
        tokio::select! {
            n = yours.read(&mut scanned) => {
                line.write_all(scanned.get(..n?).unwrap_or_default()).await?;
            }
            n = line.read(&mut answered) => {
                yours.write_lossy(answered.get(..n?).unwrap_or_default())?;
            }
        }
    }
}

/// Puts the pictures into the folder, one after the other, until the demonstration stops.
fn camera(folder: &Path, shutdown: &Shutdown) -> anyhow::Result<()> {
    for (n, symbols) in (1..).zip(office::PICTURES) {
        if shutdown.is_requested() {
            return Ok(());
        }
        let picture = office::picture(n, symbols).context("a picture cannot be drawn")?;
        let (unfinished, name) = (format!(".{n}.png"), format!("envelope-{n}.png"));
        fs::write(folder.join(&unfinished), picture).context("a picture cannot be written")?;
        fs::rename(folder.join(unfinished), folder.join(name))
            .context("a picture cannot be put")?;
    }
    Ok(())
}
