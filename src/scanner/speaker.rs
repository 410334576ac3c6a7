//! The station's own tones, for scanners that cannot sound good and bad on command: the workstation's built-in speaker.
//!
//! The kernel has it as an input device that takes sounds (`pcspkr`, `EV_SND` of `input-event-codes.h`), so no sound system has to
//! run, and nobody has to be logged in.

use crate::event::{LogEvent, chain};
use crate::scan::Tone;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Tones that wait while one sounds. More are not played: at an envelope a second, none waits.
const TONES_WAITING_MAX: usize = 4;

/// `EV_SND`, and its code `SND_TONE`, whose value is a frequency in hertz; 0 is silence.
const EV_SND: u16 = 0x12;
const SND_TONE: u16 = 0x02;

/// A sound: its frequency in hertz, and how many milliseconds it lasts.
type Sound = (u16, u16);

/// High and short; three quick steps up; twice in the middle; low and long; up and down again and again.
const fn sounds(tone: Tone) -> &'static [Sound] {
    match tone {
        Tone::Good => &[(1_760, 90)],
        Tone::Own => &[(988, 60), (1_175, 60), (1_397, 60)],
        Tone::Notice => &[(880, 110), (0, 70), (880, 110)],
        Tone::Bad => &[(220, 600)],
        Tone::Fault => {
            &[(1_400, 150), (700, 150), (1_400, 150), (700, 150), (1_400, 150), (700, 150)]
        }
    }
}

/// Plays tones, one after the other.
#[derive(Debug, Clone)]
pub struct Speaker {
    tones: Sender<Tone>,
    /// Those that wait.
    waiting: Receiver<Tone>,
}

impl Speaker {
    /// Plays on that device, on a thread of its own. A device that is not there is silent, and tried again with the next tone.
    pub fn start(device: PathBuf) -> io::Result<Self> {
        let (tones, tones_rx) = bounded(TONES_WAITING_MAX);
        let waiting = tones_rx.clone();
        thread::Builder::new()
            .name("scan-speaker".to_owned())
            .spawn(move || play_all(&device, &tones_rx))?;
        Ok(Self { tones, waiting })
    }

    /// Plays a tone soon. One that says stop takes the place of those that wait.
    pub fn play(&self, tone: Tone) {
        let Err(full) = self.tones.try_send(tone) else { return };
        if matches!(tone, Tone::Bad | Tone::Fault) {
            let n_dropped = self.waiting.try_iter().count();
            tracing::debug!(n_dropped, "Tones gave way to one that says stop.");
            if self.tones.try_send(full.into_inner()).is_err() {
                tracing::debug!("Another such tone took its place.");
            }
        }
    }
}

fn play_all(device: &Path, tones: &Receiver<Tone>) {
    let mut is_told = false;
    for tone in tones {
        let played = OpenOptions::new().write(true).open(device).and_then(|mut device| {
            let played = play(&mut device, tone);
            sound(&mut device, 0).and(played)
        });
        match played {
            Ok(()) => is_told = false,
            Err(error) if !std::mem::replace(&mut is_told, true) => tracing::warn!(
                event = LogEvent::SpeakerAway.name(),
                device = %device.display(),
                error = chain(&error),
                "The station's speaker cannot be used."
            ),
            Err(_) => {}
        }
    }
}

fn play(device: &mut File, tone: Tone) -> io::Result<()> {
    for (hertz, millis) in sounds(tone) {
        sound(device, *hertz)?;
        thread::park_timeout(Duration::from_millis((*millis).into()));
    }
    Ok(())
}

/// Begins a sound, or silence; the empty report after it lets others who read the device see it.
fn sound(device: &mut File, hertz: u16) -> io::Result<()> {
    device.write_all(&[event(EV_SND, SND_TONE, hertz), event(0, 0, 0)].concat())
}

/// The kernel's `input_event`: it ends with type, code and value; the time before them is the kernel's own.
fn event(kind: u16, code: u16, value: u16) -> Vec<u8> {
    let told = [&kind.to_ne_bytes()[..], &code.to_ne_bytes(), &i32::from(value).to_ne_bytes()];
    let told = told.concat();
    let mut event = vec![0; size_of::<libc::input_event>().saturating_sub(told.len())];
    event.extend(told);
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was played into a file, by frequency.
    fn played(tones: &[Tone]) -> Vec<i32> {
        let file = tempfile::NamedTempFile::new().unwrap();
        for tone in tones {
            let mut device = OpenOptions::new().append(true).open(file.path()).unwrap();
            play(&mut device, *tone).unwrap();
            sound(&mut device, 0).unwrap();
        }
        let bytes = std::fs::read(file.path()).unwrap();
        let events = bytes.chunks_exact(size_of::<libc::input_event>());
        assert!(events.remainder().is_empty());
        events
            .filter_map(|event| {
                let told = &event[event.len() - 8..];
                let word = |at: usize| u16::from_ne_bytes(told[at..at + 2].try_into().unwrap());
                let is_sound = (word(0), word(2)) == (EV_SND, SND_TONE);
                assert!(is_sound || told == [0; 8], "{told:?}");
                is_sound.then(|| i32::from_ne_bytes(told[4..].try_into().unwrap()))
            })
            .collect()
    }

    #[test]
    fn every_tone_is_its_own_and_ends_in_silence() {
        let tones = [Tone::Good, Tone::Own, Tone::Notice, Tone::Bad, Tone::Fault]
            .map(|tone| played(&[tone]));
        for (n, tone) in tones.iter().enumerate() {
            assert_eq!(tone.last(), Some(&0));
            assert!(tones.iter().skip(n + 1).all(|other| other != tone), "{tone:?}");
        }
    }

    #[test]
    fn a_speaker_that_is_not_there_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let speaker = Speaker::start(folder.path().join("none")).unwrap();
        for _ in 0..100 {
            speaker.play(Tone::Good);
        }
    }
}
