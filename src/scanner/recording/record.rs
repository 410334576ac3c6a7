//! Writes recordings while the daemon runs, on threads of their own: a slow disk holds back no scan.

use crate::clock::Clock;
use crate::event::LogEvent;
use crate::scan::{Symbol, Tone};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossbeam_channel::{Receiver, Sender, bounded};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Lines that wait for the disk; more are lost, and the log says how many.
const LINES_WAITING_MAX: usize = 4_096;

/// Bytes of an HMAC that are written: enough to tell a day's payloads apart.
const HMAC_BYTES: usize = 16;

/// Whether a recording holds what was scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payloads {
    /// Lengths and HMACs only.
    Hashed,
    /// Every byte that was sent: ballots, and driver's licenses that were scanned by mistake.
    Kept,
}

/// Why nothing is recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be made, or is there already.
    #[error("cannot record to {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The operating system gives no thread, or no random bytes.
    #[error("cannot begin to record")]
    Start(#[source] io::Error),
}

/// Records one scanner's session.
#[derive(Debug)]
pub struct Recorder {
    payloads: Payloads,
    clock: Arc<dyn Clock>,
    began: Duration,
    mac: Hmac<Sha256>,
    lines: Option<Sender<String>>,
    writer: Option<JoinHandle<()>>,
    lost: u64,
}

impl Recorder {
    /// Begins a recording of a scanner of that name and profile, in a new file of `folder` that names the scanner and the time.
    pub fn start(
        folder: &Path,
        scanner: &str,
        profile: &str,
        payloads: Payloads,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, RecordError> {
        let at = |path: &Path, source| RecordError::File { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| at(folder, e))?;
        let began = clock.now().rfc3339();
        let stem: String =
            scanner.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        let path = folder.join(format!("{stem}-{}.jsonl", began.replace(':', "")));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|source| at(&path, source))?;
        let mut key = [0; 64];
        getrandom::fill(&mut key).map_err(|e| RecordError::Start(io::Error::other(e)))?;
        let (lines, lines_rx) = bounded(LINES_WAITING_MAX);
        let writer = thread::Builder::new()
            .name("scan-record".to_owned())
            .spawn(move || write(file, &path, &lines_rx))
            .map_err(RecordError::Start)?;
        let mut recorder = Self {
            payloads,
            clock: Arc::clone(clock),
            began: clock.elapsed(),
            mac: Hmac::<Sha256>::new(&key.into()),
            lines: Some(lines),
            writer: Some(writer),
            lost: 0,
        };
        recorder.line(&json!({ "profile": profile, "scanner": scanner, "began": began }));
        Ok(recorder)
    }

    /// The scanner sent this.
    pub fn heard(&mut self, bytes: &[u8]) {
        if self.payloads == Payloads::Kept {
            self.bytes(["in", "in_base64"], bytes);
        }
    }

    /// The scanner was sent this.
    pub fn told(&mut self, bytes: &[u8]) {
        self.bytes(["out", "out_base64"], bytes);
    }

    /// What the scanner sent was this symbol.
    pub fn read(&mut self, symbol: &Symbol) {
        if self.payloads == Payloads::Hashed {
            let mut mac = self.mac.clone();
            mac.update(&symbol.payload.0);
            let digest = mac.finalize().into_bytes();
            let hmac = digest
                .iter()
                .take(HMAC_BYTES)
                .fold(String::new(), |hmac, byte| hmac + &format!("{byte:02x}"));
            let identifier = symbol.identifier.map(|identifier| identifier.to_string());
            let length = symbol.payload.0.len();
            let read = json!({ "identifier": identifier, "length": length, "hmac": hmac });
            self.timed([("read", read)]);
        }
    }

    /// A scan came to this tone.
    pub fn scan_came(&mut self, scan: u64, tone: Tone) {
        self.timed([("scan", scan.into()), ("came", json!(tone.at_scanner()))]);
    }

    /// A read was a repeat.
    pub fn repeat_came(&mut self) {
        self.timed([("came", "repeat".into())]);
    }

    /// What was sent was dropped.
    pub fn no_read_came(&mut self) {
        self.timed([("came", "no_read".into())]);
    }

    fn bytes(&mut self, [text_key, base64_key]: [&'static str; 2], bytes: &[u8]) {
        match str::from_utf8(bytes) {
            Ok(text) => self.timed([(text_key, text.into())]),
            Err(_) => self.timed([(base64_key, STANDARD.encode(bytes).into())]),
        }
    }

    fn timed<const N: usize>(&mut self, fields: [(&'static str, Value); N]) {
        let at = self.clock.elapsed().saturating_sub(self.began);
        if at > super::SESSION_MAX {
            // Nobody could read it with this line.
            self.lost = self.lost.saturating_add(1);
            self.lines = None;
            return;
        }
        let ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value));
        let line: Map<String, Value> =
            std::iter::once(("ms".to_owned(), ms.into())).chain(fields).collect();
        self.line(&Value::Object(line));
    }

    fn line(&mut self, line: &Value) {
        let sent =
            self.lines.as_ref().is_some_and(|lines| lines.try_send(line.to_string()).is_ok());
        if !sent {
            self.lost = self.lost.saturating_add(1);
        }
    }
}

impl Drop for Recorder {
    /// Waits until all of it is written.
    fn drop(&mut self) {
        if self.lost > 0 {
            tracing::warn!(
                event = LogEvent::RecordingCut.name(),
                lost = self.lost,
                "A recording lacks lines."
            );
        }
        self.lines = None;
        if let Some(writer) = self.writer.take() {
            // A thread that panicked has said so.
            drop(writer.join());
        }
    }
}

/// Writes lines until there are no more, or the recording is as long as one may be.
fn write(file: File, path: &Path, lines: &Receiver<String>) {
    if let Err(error) = write_all(file, lines) {
        tracing::warn!(
            event = LogEvent::RecordingCut.name(),
            path = %path.display(),
            error = crate::event::chain(&error),
            "A recording ends."
        );
    }
}

fn write_all(file: File, lines: &Receiver<String>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    let mut room = super::RECORDING_BYTES_MAX;
    while let Ok(line) = lines.recv() {
        room = room
            .checked_sub(line.len() + 1)
            .ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        writeln!(file, "{line}")?;
        if lines.is_empty() {
            file.flush()?;
        }
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::super::{Came, Recording};
    use super::*;
    use crate::clock::{ManualClock, Micros};
    use std::collections::BTreeMap;

    fn recorded(payloads: Payloads) -> (String, Recording) {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Micros(0)));
        let start = || Recorder::start(folder.path(), "left/1", "generic-serial", payloads, &clock);
        let mut recorder = start().unwrap();
        let error = start().unwrap_err();
        assert!(matches!(error, RecordError::File { .. }), "{error:?}");
        recorder.heard(b"17\r");
        recorder.read(&Symbol::untold(b"17"));
        recorder.heard(b"\xff\r");
        recorder.told(b"\x06");
        recorder.told(b"\xd0");
        recorder.scan_came(0, Tone::Good);
        recorder.repeat_came();
        recorder.no_read_came();
        drop(recorder);
        let path = folder.path().join("left-1-1970-01-01T000000.000000Z.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        let recording = Recording::parse(text.as_bytes()).unwrap();
        (text, recording)
    }

    #[test]
    fn what_was_kept_is_read_back() {
        let (text, recording) = recorded(Payloads::Kept);
        assert_eq!(recording.profile.as_deref(), Some("generic-serial"), "{text}");
        let bytes: Vec<&[u8]> = recording.steps.iter().map(|step| &*step.bytes).collect();
        assert_eq!(bytes, [&b"17\r"[..], b"\xff\r"]);
        let scans = BTreeMap::from([(0, Tone::Good)]);
        assert_eq!(recording.came, Came { scans, repeats: 1, no_reads: 1 });
        assert!(text.contains(r#""out":"\u0006""#) && text.contains(r#""out_base64":"0A==""#));
    }

    #[test]
    fn no_payload_is_in_a_recording_that_nobody_asked_to_hold_them() {
        let (text, recording) = recorded(Payloads::Hashed);
        assert!(!text.contains("17\\r") && !text.contains(r#""in""#), "{text}");
        assert_eq!(recording.steps.len(), 1);
        assert_eq!(recording.steps[0].bytes.len(), 3);
        // What nothing is left of cannot be played.
        assert_eq!((recording.came.repeats, recording.came.no_reads), (1, 0));
    }
}
