//! `demo`: the whole system at work, without hardware or root, in a folder that goes when it ends.
//!
//! What runs is the real daemon with a real configuration. Around it stand a pseudo terminal into which a recorded session is
//! played, a folder into which pictures of envelopes are put, and a relay on the loopback interface that checks signatures.

mod office;
mod rig;
mod show;

use super::loopback::{CHECKPOINT, Receipt};
use super::place::Place;
use super::scratch::Scratch;
use super::stand::Stand;
use super::{Common, Exit, Failure, ask, proof};
use crate::config::{Config, Page};
use crate::ledger::Told;
use crate::pipeline::Shutdown;
use crate::scan::Tone;
use anyhow::anyhow;
use rig::{PICTURES, Rig, Work};
use show::{Screen, Seen, Tones};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// How long all may take to be scanned, read and delivered.
const SETTLED_MAX: Duration = Duration::from_secs(50);

/// Between two looks whether it is.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The pages of the demonstration: at this machine, on a port that is free.
const PAGE: Page = Page::Listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));

/// A relay that runs elsewhere.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) url: String,
    pub(super) secret: PathBuf,
}

/// When the demonstration ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// When everything is settled.
    Settled,
    /// When somebody stops it.
    Stopped,
}

/// `ballot-intake demo`.
pub(super) fn demo(
    place: &Place,
    common: &Common,
    relay: Option<Outside>,
    until: Until,
) -> Result<Exit, Failure> {
    super::run::log_from("warn");
    if common.config.is_some() || common.ledger.is_some() || common.election.is_some() {
        let error =
            anyhow!("the demonstration has a configuration, a ledger and an election of its own");
        return Err(Failure::new(Exit::Usage, error));
    }
    let shutdown = super::run::on_signal().map_err(|e| Failure::new(Exit::Away, e))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Away, e))?;
    let scratch = Scratch::make(&place.temp_dir)?;
    let rig = Rig::set_up(place, &scratch, relay, &runtime)?;
    let outcome = runtime.block_on(run(place, &scratch, rig, until, shutdown));
    // Whoever still draws or delivers ends before the folder goes.
    drop(runtime);
    outcome
}

async fn run(
    place: &Place,
    scratch: &Scratch,
    rig: Rig,
    until: Until,
    shutdown: Shutdown,
) -> Result<Exit, Failure> {
    let screen = Screen::new(rig.expected.total());
    rig.introduce(&screen)?;
    let (common, config) = (rig.common.clone(), place.config(&rig.common)?);
    let own_dir = scratch.path().to_owned();
    let mut served = place.config(&common)?;
    served.station.page = PAGE;
    // The workstation's own is the station's.
    served.station.speaker = None;
    let (stand, ready) = Stand::start(served, Arc::clone(&place.clock), own_dir).await?;
    let (expected, folder) = (rig.expected, rig.folder.clone());
    let (relay, port) = (rig.relay_url.clone(), rig.port());
    if let Some(page) = &ready.page {
        screen.say(&format!("the clerk's page: {page}"))?;
    }
    let Work { heard, receipts } = rig.start(place, &shutdown);
    let mut watch = Watch {
        place,
        common,
        config,
        expected,
        folder,
        relay,
        screen,
        seen: Seen::default(),
        feed: ready.feed,
        heard,
        receipts,
    };
    let outcome = watch.attend(until, shutdown, &port).await;
    stand.stop().await?;
    outcome
}

/// How the first part ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Settled,
    Late,
    Stopped,
}

/// Something happened.
enum News {
    Told(Told),
    Missed(u64),
    Gone,
    Heard(Tone),
    Receipt(Receipt),
}

/// Whoever looks on.
struct Watch<'a> {
    place: &'a Place,
    common: Common,
    config: Config,
    expected: Tones,
    folder: PathBuf,
    relay: Option<String>,
    screen: Screen,
    seen: Seen,
    feed: broadcast::Receiver<Told>,
    heard: mpsc::Receiver<Tone>,
    receipts: mpsc::Receiver<Receipt>,
}

/// Changes for the relay.
#[derive(Debug, Clone, Copy, Default)]
struct Changes {
    delivered: u64,
    /// Held back, owed or set aside.
    kept: u64,
}

impl Watch<'_> {
    async fn attend(
        &mut self,
        until: Until,
        mut shutdown: Shutdown,
        port: &str,
    ) -> Result<Exit, Failure> {
        let end = self.until_settled(&mut shutdown).await?;
        let lacking = self.conclude(end)?;
        if until == Until::Stopped && end != End::Stopped {
            self.explain(port)?;
            self.follow(&mut shutdown).await?;
        }
        let is_done = lacking.is_empty() || (until, end) == (Until::Stopped, End::Stopped);
        Ok(if is_done { Exit::Done } else { Exit::No })
    }

    async fn until_settled(&mut self, shutdown: &mut Shutdown) -> Result<End, Failure> {
        let deadline = Instant::now() + SETTLED_MAX;
        let mut look = interval(LOOK_AGAIN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.requested() => return Ok(End::Stopped),
                () = sleep_until(deadline) => return Ok(End::Late),
                news = next(&mut self.feed, &mut self.heard, &mut self.receipts) => {
                    self.take(news, Tone::Notice)?;
                }
                _ = look.tick() => {
                    let changes = self.changes()?;
                    self.seen.delivered = changes.delivered;
                    if self.lacking(changes)?.is_empty() {
                        return Ok(End::Settled);
                    }
                }
            }
        }
    }

    /// After the session everything is shown.
    async fn follow(&mut self, shutdown: &mut Shutdown) -> Result<(), Failure> {
        loop {
            tokio::select! {
                () = shutdown.requested() => return Ok(()),
                news = next(&mut self.feed, &mut self.heard, &mut self.receipts) => {
                    self.take(news, Tone::Good)?;
                }
            }
        }
    }

    /// Counts what happened, and shows the clerk's verdicts from this tone on.
    fn take(&mut self, news: News, from: Tone) -> Result<(), Failure> {
        match news {
            News::Told(Told::Judged { scanner, judged, .. }) => {
                let tone = judged.verdict.tone();
                let is_picture = &*scanner == PICTURES;
                if is_picture {
                    self.seen.pictures += 1;
                } else {
                    self.seen.scans.add(tone);
                }
                if is_picture || from == Tone::Good || tone != Tone::Good {
                    self.screen.verdict(&scanner, &judged)?;
                }
                if from != Tone::Good {
                    self.screen.progress(&self.seen)?;
                }
            }
            News::Told(Told::Ledger { writable }) => {
                let can = if writable { "can be written again" } else { "cannot be written" };
                self.screen.say(&format!("the ledger {can}"))?;
            }
            News::Missed(n) => self.seen.missed += n,
            News::Gone => return Err(Failure::new(Exit::Away, anyhow!("the daemon is gone"))),
            News::Heard(tone) => self.seen.heard.add(tone),
            News::Receipt(receipt) => {
                let is_change = receipt.event_type != CHECKPOINT;
                self.seen.receipts += u64::from(is_change && !receipt.repeat);
                self.screen.receipt(&receipt, &self.seen)?;
            }
        }
        Ok(())
    }

    fn changes(&self) -> Result<Changes, Failure> {
        let election = self.config.election.as_ref().map(|election| &election.id);
        let report = ask::open_reader(&self.config)?
            .report(election, self.place.clock.now())
            .map_err(|e| Failure::new(Exit::Ledger, e))?;
        let n = |state: &str| {
            u64::try_from(report.outbox.get(state).copied().unwrap_or(0)).unwrap_or(0)
        };
        Ok(Changes { delivered: n("delivered"), kept: n("held") + n("owed") + n("set_aside") })
    }

    /// What is not as it should be in the end; while the demonstration goes on, not yet.
    fn lacking(&self, changes: Changes) -> Result<Vec<String>, Failure> {
        let Self { expected, seen, .. } = self;
        let pictures = u64::try_from(office::PICTURES.len()).unwrap_or(u64::MAX);
        let mut lacking = Vec::new();
        if seen.scans != *expected {
            lacking.push(format!("the scans came to {}, not {expected}", seen.scans));
        }
        if seen.heard != seen.scans {
            lacking.push(format!("the ledger says {}, the clerk heard {}", seen.scans, seen.heard));
        }
        if seen.pictures != pictures {
            lacking.push(format!("{} of {pictures} pictures have a verdict", seen.pictures));
        }
        let moved = self.moved()?;
        if moved != pictures {
            lacking.push(format!("{moved} of {pictures} pictures were moved"));
        }
        if changes.kept > 0 {
            lacking.push(format!("{} changes are not with the relay", changes.kept));
        }
        if self.relay.is_none() && seen.receipts != changes.delivered {
            let (receipts, delivered) = (seen.receipts, changes.delivered);
            lacking.push(format!("{delivered} changes were delivered, {receipts} were taken"));
        }
        if seen.missed > 0 {
            lacking.push(format!("{} news came too fast to be seen", seen.missed));
        }
        Ok(lacking)
    }

    /// Pictures that the daemon is done with.
    fn moved(&self) -> Result<u64, Failure> {
        let mut n = 0;
        for folder in ["done", "failed"].map(|name| self.folder.join(name)) {
            match fs::read_dir(&folder) {
                Ok(entries) => n += u64::try_from(entries.count()).unwrap_or(u64::MAX),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(Failure::new(Exit::Away, e)),
            }
        }
        Ok(n)
    }

    /// The report, the proof and the numbers; what is lacking.
    fn conclude(&mut self, end: End) -> Result<Vec<String>, Failure> {
        let changes = self.changes()?;
        let mut lacking = self.lacking(changes)?;
        self.screen.say("")?;
        super::report::report(self.place, &self.common, &super::report::Wanted::default())?;
        if proof::verify(self.place, &self.common, None, &[])? != Exit::Done {
            lacking.push("the ledger does not hold".to_owned());
        }
        let pictures = self.seen.pictures;
        let relay = match &self.relay {
            Some(url) => format!("taken by the relay at {url}"),
            None if lacking.is_empty() => "taken by the relay, signatures all good".to_owned(),
            None => "taken by the relay".to_owned(),
        };
        let scans = self.seen.scans.total() + pictures;
        self.screen.say(&format!(
            "{scans} scans, {pictures} pictures, {} changes {relay}",
            changes.delivered
        ))?;
        let said = match end {
            End::Settled => None,
            End::Late => Some(format!("not settled within {} seconds", SETTLED_MAX.as_secs())),
            End::Stopped => Some("stopped before everything was settled".to_owned()),
        };
        for text in said.iter().chain(&lacking) {
            self.screen.say(&format!("lacking: {text}"))?;
        }
        if end == End::Settled {
            self.screen.say(
                "To look further run `ballot-intake demo` without --once: it works on, to be asked and scanned at.",
            )?;
        }
        Ok(lacking)
    }

    /// What can be done while it works on.
    fn explain(&self, port: &str) -> Result<(), Failure> {
        let config = self.common.config.clone().unwrap_or_default();
        let config = config.display();
        let (scan, folder) = (office::payload(250), self.folder.display());
        self.screen.say(&format!(
            "The daemon works on until Ctrl-C. From another terminal:\n  \
               printf '{scan}\\r' > {port}          scan an envelope\n  \
               cp PICTURE.png {folder}/          put a picture\n  \
               ballot-intake report --config {config}\n  \
               ballot-intake ballot show {} --config {config}\n  \
               ballot-intake undo --config {config}\n  \
               ballot-intake ledger checkpoint --config {config}\n  \
               ballot-intake ledger verify --config {config}",
            office::ballot(0)
        ))?;
        Ok(())
    }
}

/// What happens next. Cancel safe.
async fn next(
    feed: &mut broadcast::Receiver<Told>,
    heard: &mut mpsc::Receiver<Tone>,
    receipts: &mut mpsc::Receiver<Receipt>,
) -> News {
    tokio::select! {
        told = feed.recv() => match told {
            Ok(told) => News::Told(told),
            Err(RecvError::Lagged(n)) => News::Missed(n),
            Err(RecvError::Closed) => News::Gone,
        },
        Some(tone) = heard.recv() => News::Heard(tone),
        Some(receipt) = receipts.recv() => News::Receipt(receipt),
    }
}
