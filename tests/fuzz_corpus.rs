//! Replays the inputs that fuzzing keeps, so that what it once found stays found.
#![cfg(test)]

#[path = "fuzz/envelope.rs"]
mod envelope;
#[path = "fuzz/framing.rs"]
mod framing;
#[path = "fuzz/imb.rs"]
mod imb;

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

#[test]
fn every_line_gives_the_frames_that_its_name_says() {
    let files = corpus("framing");
    assert!(files.len() >= 20, "only {} files", files.len());
    for (name, bytes) in files {
        let n_symbols = framing::framed(&bytes).len();
        let expected = name.rsplit('-').next().and_then(|count| count.parse().ok());
        assert_eq!(Some(n_symbols), expected, "{name}");
    }
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
