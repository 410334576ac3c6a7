//! Drives one folder of pictures: each is decoded, judged, and moved to where its fate belongs.
//!
//! So that every decoder has work, up to one picture more than there are decoders is in hand: at most 64 MiB packed each. They are
//! judged in the order in which the folder gave them out, one at a time, each after the one before it has its verdict and lies
//! where it belongs; what was decoded ahead is forgotten when the daemon stops or the ledger did not answer, and is given out again.

use super::judging::{judge, pause, settle};
use super::lane::Lane;
use crate::clock::Clock;
use crate::decode::image::PICTURE_BYTES_MAX;
use crate::decode::{Decoded, Decoders, Given, Job};
use crate::event::{LogEvent, chain};
use crate::scan::{Judged, Symbol, Tone};
use crate::scanner::folder::{Contents, Fate, Folder, FolderError, Waiting};
use crossbeam_channel::{Receiver, bounded};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Between two looks at a folder with nothing new in it, or at one that is away.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Before a picture whose scan was answered with the alarm is scanned anew.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// Between two attempts to move a picture away that could not be moved.
const MOVE_AGAIN: Duration = Duration::from_secs(1);

/// A folder and all that drives it; on a thread of its own.
#[derive(Debug)]
pub(crate) struct PictureDriver {
    pub(crate) path: PathBuf,
    pub(crate) lane: Lane,
    pub(crate) verdicts: mpsc::Receiver<Judged>,
    pub(crate) decoders: Arc<Decoders>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Closes when the daemon stops.
    pub(crate) stop: Receiver<()>,
    pub(crate) settled: Option<oneshot::Sender<()>>,
}

/// A picture in hand, and what will tell its symbols.
struct Ahead {
    picture: Waiting,
    decoded: Result<Receiver<Decoded>, String>,
}

/// What a picture came to.
enum Came {
    To(Fate),
    /// Not known to be in the ledger: it stays where it is.
    Fault,
}

impl PictureDriver {
    /// Runs until the daemon stops; the picture in hand is finished.
    pub(crate) fn run(mut self) {
        let mut away = false;
        loop {
            let outcome = Folder::open(&self.path, PICTURE_BYTES_MAX).and_then(|folder| {
                away = false;
                settle(&mut self.settled);
                self.say_opened();
                self.watch(folder)
            });
            match outcome {
                Ok(()) => return,
                Err(error) if !std::mem::replace(&mut away, true) => self.say_lost(&error),
                Err(_) => {}
            }
            settle(&mut self.settled);
            if self.pause(LOOK_AGAIN) {
                return;
            }
        }
    }

    fn say_opened(&self) {
        self.lane.entry().opened(self.path.display().to_string());
        tracing::info!(
            event = LogEvent::ScannerOpened.name(),
            scanner = self.lane.name(),
            "A folder is open."
        );
    }

    fn say_lost(&self, error: &FolderError) {
        self.lane.entry().away(self.path.display().to_string(), chain(error));
        tracing::warn!(
            event = LogEvent::ScannerLost.name(),
            scanner = self.lane.name(),
            error = chain(error),
            "A folder cannot be used; it is tried again until it can."
        );
    }

    /// Waits; whether the daemon stops.
    fn pause(&self, while_: Duration) -> bool {
        pause(&self.stop, while_)
    }

    fn watch(&mut self, mut folder: Folder) -> Result<(), FolderError> {
        let mut ahead = VecDeque::new();
        loop {
            self.take_ahead(&mut folder, &mut ahead)?;
            let Some(Ahead { picture, decoded }) = ahead.pop_front() else {
                if self.pause(LOOK_AGAIN) {
                    return Ok(());
                }
                continue;
            };
            match self.picture(&picture, decoded) {
                Came::To(fate) => {
                    if self.put_away(&mut folder, &picture, fate) {
                        return Ok(());
                    }
                }
                Came::Fault if self.pause(AFTER_FAULT) => return Ok(()),
                Came::Fault => {
                    // Opened anew, the folder gives it out again, and after it those that were taken ahead.
                    ahead.clear();
                    folder = Folder::open(&self.path, PICTURE_BYTES_MAX)?;
                }
            }
            if self.pause(Duration::ZERO) {
                return Ok(());
            }
        }
    }

    /// Hands settled pictures to the decoders until each has one and another waits.
    fn take_ahead(
        &self,
        folder: &mut Folder,
        ahead: &mut VecDeque<Ahead>,
    ) -> Result<(), FolderError> {
        while ahead.len() <= self.decoders.workers() {
            let Some((picture, contents)) = folder.next(self.clock.elapsed())? else { break };
            ahead.push_back(Ahead { picture, decoded: self.submit(contents) });
        }
        Ok(())
    }

    fn submit(&self, contents: Contents) -> Result<Receiver<Decoded>, String> {
        let bytes = match contents {
            Contents::Bytes(bytes) => bytes,
            Contents::TooBig(n) => {
                return Err(format!("it has {n} bytes, more than {PICTURE_BYTES_MAX}"));
            }
            Contents::Unreadable(error) => return Err(chain(&error)),
        };
        let (reply, decoded) = bounded(1);
        let given = Given::Packed(bytes);
        self.decoders.submit(Job { given, reply, number: 0 }).map_err(|e| chain(&e))?;
        Ok(decoded)
    }

    /// Moves a picture away, however long that takes: while it lies there it would be scanned again and again. Whether the
    /// daemon stops.
    fn put_away(&self, folder: &mut Folder, picture: &Waiting, fate: Fate) -> bool {
        let mut away = false;
        while let Err(error) = folder.finish(picture, fate) {
            if !std::mem::replace(&mut away, true) {
                self.say_lost(&error);
            }
            if self.pause(MOVE_AGAIN) {
                return true;
            }
            if let Err(error) = folder.mend() {
                tracing::debug!(error = chain(&error), "The folder is still away.");
            }
        }
        if away {
            self.say_opened();
        }
        false
    }

    fn picture(&mut self, picture: &Waiting, decoded: Result<Receiver<Decoded>, String>) -> Came {
        let (symbols, unread) = match decoded.and_then(|decoded| symbols_of(&decoded)) {
            Ok(symbols) => (symbols, false),
            Err(why) => {
                tracing::warn!(
                    event = LogEvent::PictureFailed.name(),
                    scanner = self.lane.name(),
                    picture = crate::event::printable(&picture.path.display().to_string()),
                    why,
                    "A picture could not be read."
                );
                (Vec::new(), true)
            }
        };
        match judge(symbols, &mut self.lane, &mut self.verdicts, &self.stop).tone() {
            Tone::Fault => Came::Fault,
            Tone::Good | Tone::Own | Tone::Notice if !unread => Came::To(Fate::Done),
            Tone::Good | Tone::Own | Tone::Notice | Tone::Bad => Came::To(Fate::Failed),
        }
    }
}

/// Waits until the picture is decoded.
fn symbols_of(decoded: &Receiver<Decoded>) -> Result<Vec<Symbol>, String> {
    let decoded = decoded.recv().map_err(|e| chain(&e))?;
    let found = decoded.outcome.map_err(|e| chain(&e))?;
    Ok(found.into_iter().map(|found| found.symbol).collect())
}
