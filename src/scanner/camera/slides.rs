//! A camera that is played: whatever picture lies in a file, again and again, as one that stands still sends it.

use super::{CameraError, Frame, FrameSource, Pixels, Tally};
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// Between two pictures.
const PICTURE_EVERY: Duration = Duration::from_millis(20);

/// A file that is put in its place by renaming, or no picture while there is none.
#[derive(Debug)]
pub struct Slides {
    path: PathBuf,
    tally: Tally,
}

impl Slides {
    /// Shows what lies at `path`.
    pub const fn at(path: PathBuf) -> Self {
        Self { path, tally: Tally { captured: 0, skipped: 0, damaged: 0 } }
    }
}

impl FrameSource for Slides {
    fn newest(&mut self, frame: &mut Frame, wait: Duration) -> Result<bool, CameraError> {
        thread::park_timeout(PICTURE_EVERY.min(wait));
        // That there is none is a camera, too: one that is in the dark.
        self.tally.captured += 1;
        let Ok(bytes) = fs::read(&self.path) else { return Ok(false) };
        frame.pixels = Pixels::Packed;
        frame.bytes = bytes;
        Ok(true)
    }

    fn skip(&mut self) -> Result<(), CameraError> {
        Ok(())
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}
