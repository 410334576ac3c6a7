//! Replays the inputs that fuzzing keeps, so that what it once found stays found.
#![cfg(test)]

#[path = "fuzz/camera.rs"]
mod camera;
#[path = "fuzz/envelope.rs"]
mod envelope;
#[path = "fuzz/framing.rs"]
mod framing;
#[path = "fuzz/hid_pos.rs"]
mod hid_pos;
#[path = "fuzz/imb.rs"]
mod imb;
#[path = "fuzz/keyboard.rs"]
mod keyboard;
#[path = "fuzz/ssi.rs"]
mod ssi;

use ballot_intake::imb::Solved;
use ballot_intake::scan::Face;
use std::path::Path;

/// A name and its bytes.
type File = (String, Vec<u8>);

fn corpus(target: &str) -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// Each file's bytes give as many symbols as the end of its name says.
#[track_caller]
fn check_counts(target: &str, count: impl Fn(&[u8]) -> usize) {
    let files = corpus(target);
    assert!(files.len() >= 20, "only {} files", files.len());
    for (name, bytes) in files {
        let expected = name.rsplit('-').next().and_then(|count| count.parse().ok());
        assert_eq!(Some(count(&bytes)), expected, "{name}");
    }
}

#[test]
fn every_buffer_is_a_picture_in_so_many_formats() {
    check_counts("camera", camera::pictures);
}

#[test]
fn every_line_gives_the_frames_that_its_name_says() {
    check_counts("framing", |bytes| framing::framed(bytes).len());
}

#[test]
fn every_report_stream_gives_the_symbols_that_its_name_says() {
    check_counts("hid_pos", |bytes| hid_pos::reported(bytes).len());
}

/// The files have the events of a 64-bit kernel on a little-endian machine.
#[test]
#[cfg(all(target_pointer_width = "64", target_endian = "little"))]
fn every_key_stream_gives_the_symbols_that_its_name_says() {
    check_counts("keyboard", |bytes| keyboard::typed(bytes).len());
}

#[test]
fn every_ssi_line_gives_the_symbols_that_its_name_says() {
    check_counts("ssi", |bytes| ssi::told(bytes).len());
}

#[test]
fn only_the_payloads_that_are_named_so_name_a_ballot() {
    let files = corpus("envelope");
    assert!(files.len() >= 20, "only {} files", files.len());
    for (name, payload) in files {
        let face = envelope::faces(&payload);
        assert_eq!(matches!(face, Face::Names(_)), name.starts_with("names-"), "{name}: {face:?}");
    }
}

#[test]
fn bars_are_what_their_name_says() {
    let files = corpus("imb");
    assert!(files.len() >= 10, "only {} files", files.len());
    for (name, bars) in files {
        let word = match imb::solved(&bars) {
            Solved::Code(solution) if solution.is_repaired() => "repaired",
            Solved::Code(_) => "code",
            Solved::Nothing => "nothing",
            Solved::Ambiguous => "ambiguous",
            Solved::TooDoubtful => "doubtful",
        };
        assert_eq!(name.split('-').next(), Some(word), "{name}");
    }
}
