//! Plays what a scanner sends into a pseudo terminal, and hears what it is answered.

use crate::scan::Tone;
use crate::scanner::framing::Framer;
use crate::scanner::profile::{Answers, Profile};
use crate::scanner::pty::Pty;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// How long an answer may take: longer than any commit.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Bytes read at a time.
const READ_BYTES: usize = 256;

/// Why the session cannot be played on.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    /// The line is gone.
    #[error("the scanner's line is gone")]
    Line(#[source] io::Error),
    /// A picture cannot be shown.
    #[error("cannot show {path}")]
    Picture {
        /// Its file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// No answer came in time.
    #[error("a scan was not answered within {} seconds", ANSWER_MAX.as_secs())]
    NoAnswer,
    /// What came is no answer of the profile.
    #[error("{0:#04x} came, which begins no answer")]
    NotAnAnswer(u8),
}

/// The scanner's side of a line.
#[derive(Debug)]
pub(super) struct Player {
    pty: Pty,
    /// What the daemon makes of the same bytes.
    framer: Framer,
    answers: Answers,
    heard: Vec<u8>,
}

impl Player {
    /// Plays a scanner of that model.
    pub(super) fn new(pty: Pty, profile: &Profile) -> Self {
        let framing = profile.framing().cloned().unwrap_or_default();
        let (framer, answers) = (Framer::new(framing), profile.answers.clone());
        Self { pty, framer, answers, heard: Vec::new() }
    }

    /// The line, when nothing more is played.
    pub(super) fn into_pty(self) -> Pty {
        self.pty
    }

    /// Sends bytes; how many frames ended with them.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<usize, PlayError> {
        self.pty.write_all(bytes).await.map_err(PlayError::Line)?;
        let mut frames = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (taken, whole) = self.framer.push(rest);
            frames += usize::from(whole.is_some());
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(frames)
    }

    /// The next answer.
    pub(super) async fn answer(&mut self) -> Result<Tone, PlayError> {
        let hear = async {
            loop {
                if let Some(tone) = self.take_answer()? {
                    return Ok(tone);
                }
                let mut buffer = [0; READ_BYTES];
                let n = self.pty.read(&mut buffer).await.map_err(PlayError::Line)?;
                self.heard.extend(buffer.iter().take(n));
            }
        };
        timeout(ANSWER_MAX, hear).await.unwrap_or(Err(PlayError::NoAnswer))
    }

    fn take_answer(&mut self) -> Result<Option<Tone>, PlayError> {
        for tone in [Tone::Good, Tone::Notice, Tone::Bad, Tone::Fault] {
            let answer = self.answers.bytes(tone);
            if !answer.is_empty() && self.heard.starts_with(answer) {
                self.heard.drain(..answer.len());
                return Ok(Some(tone));
            }
        }
        // A longer answer may have come in part.
        match self.heard.first() {
            Some(byte) if !self.begins_an_answer() => Err(PlayError::NotAnAnswer(*byte)),
            _ => Ok(None),
        }
    }

    fn begins_an_answer(&self) -> bool {
        [Tone::Good, Tone::Notice, Tone::Bad, Tone::Fault]
            .into_iter()
            .any(|tone| self.answers.bytes(tone).starts_with(&self.heard))
    }
}
