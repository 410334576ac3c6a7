//! Plays a recording into a socket that the daemon takes for a scanner's line, and counts its answers.

use super::player::{ANSWER_MAX, PlayError};
use crate::scan::Tone;
use crate::scanner::dialog::Dialog;
use crate::scanner::framing::Framed;
use crate::scanner::line::{Line, Moved};
use crate::scanner::played::{Listener, Played};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The most that one read of a line returns: no more is sent together. Whole input events fit.
const SENT_BYTES_MAX: usize = 4_080;

/// A recorded scanner's side of its line.
#[derive(Debug)]
pub(super) struct Deck {
    listener: Listener,
    line: Option<Line>,
    /// What the daemon makes of the same bytes.
    dialog: Box<dyn Dialog>,
    since: Instant,
    /// When bytes were last sent.
    sent_at: Duration,
}

/// What ended with bytes that were sent; each is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// A symbol.
    Symbol,
    /// What is dropped and answered bad.
    NoRead,
}

impl Deck {
    /// Listens at `path` for the daemon, and plays what that dialog understands.
    pub(super) fn listen(path: &Path, dialog: Box<dyn Dialog>) -> io::Result<Self> {
        let dialog: Box<dyn Dialog> = Box::new(Played::new(dialog));
        let listener = Listener::bind(path)?;
        Ok(Self { listener, line: None, dialog, since: Instant::now(), sent_at: Duration::ZERO })
    }

    /// Sends bytes; what ended with them.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<Vec<Ended>, PlayError> {
        let mut ended = Vec::new();
        for packet in bytes.chunks(SENT_BYTES_MAX) {
            let line = self.line().await?;
            let mut rest = packet;
            while !rest.is_empty() {
                match line.moved(&mut [], rest).await.map_err(PlayError::Line)? {
                    Moved::Out(n) => rest = rest.get(n..).unwrap_or_default(),
                    Moved::In(_) | Moved::Deaf => {
                        return Err(PlayError::Line(io::ErrorKind::BrokenPipe.into()));
                    }
                }
            }
            self.sent_at = self.since.elapsed();
            let mut rest = packet;
            while !rest.is_empty() {
                let (taken, framed) = self.dialog.push(rest, self.sent_at);
                ended.extend(framed.map(|framed| match framed {
                    Framed::Symbol(_) => Ended::Symbol,
                    Framed::NoRead => Ended::NoRead,
                }));
                rest = rest.get(taken..).unwrap_or_default();
            }
        }
        Ok(ended)
    }

    /// How long the daemon waits for the rest of what has begun; nothing when nothing has.
    pub(super) fn silence(&self) -> Option<Duration> {
        Some(self.dialog.deadline()?.saturating_sub(self.sent_at))
    }

    /// Nothing is sent for so long that the daemon drops what has begun; whether it answers that.
    pub(super) fn falls_silent(&mut self) -> bool {
        let Some(deadline) = self.dialog.deadline() else { return false };
        self.dialog.expired(deadline).is_some()
    }

    /// The next answer.
    pub(super) async fn answer(&mut self) -> Result<Tone, PlayError> {
        timeout(ANSWER_MAX, self.hear()).await.unwrap_or(Err(PlayError::NoAnswer))
    }

    async fn hear(&mut self) -> Result<Tone, PlayError> {
        let mut byte = [0; 1];
        let line = self.line().await?;
        loop {
            if let Moved::In(_) = line.moved(&mut byte, &[]).await.map_err(PlayError::Line)? {
                let [byte] = byte;
                return Played::tone(byte).ok_or(PlayError::NotAnAnswer(byte));
            }
        }
    }

    async fn line(&mut self) -> Result<&mut Line, PlayError> {
        match &mut self.line {
            Some(line) => Ok(line),
            none => Ok(none.insert(self.listener.accept().await.map_err(PlayError::Line)?)),
        }
    }
}
