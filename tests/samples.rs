//! Pictures that others made: how many of each set are read, that none is misread, and that hostile ones are survived.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use ballot_intake::decode::find;
use ballot_intake::decode::image::{Picture, PictureError, draw_symbol};
use ballot_intake::scan::Symbology;

/// A folder of `fixtures` with pictures and what each says. No picture of it may be misread.
///
/// `must_decode` is a floor, for one set is not read the same at every run: rxing, which corrects the codewords of a PDF417, tries
/// doubtful ones in the order of a hash map. Of `pdf417-1`, 06 is read nearly always.
struct Set {
    name: &'static str,
    pictures: usize,
    must_decode: usize,
}

const SETS: [Set; 8] = [
    Set { name: "symbols/code128-1", pictures: 7, must_decode: 7 },
    Set { name: "symbols/code39-1", pictures: 4, must_decode: 4 },
    Set { name: "symbols/code39-2", pictures: 2, must_decode: 2 },
    Set { name: "symbols/datamatrix-1", pictures: 23, must_decode: 23 },
    Set { name: "symbols/itf-1", pictures: 14, must_decode: 14 },
    Set { name: "symbols/pdf417-1", pictures: 12, must_decode: 11 },
    Set { name: "symbols/qrcode-1", pictures: 6, must_decode: 6 },
    Set { name: "imb/pictures", pictures: 3, must_decode: 3 },
];

const FALSE_POSITIVES: (&str, usize) = ("symbols/falsepositives-2", 8);

/// Lengths at which a packed picture is cut: the headers byte by byte, the rest in steps.
const CUT_STEP: usize = 37;

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(fixtures(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn pictures(set: &str) -> Vec<PathBuf> {
    let mut pictures = files(set);
    pictures.retain(|path| path.extension().is_some_and(|end| end == "png" || end == "gif"));
    pictures
}

/// What is read on a picture when every symbology is looked for.
fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let picture = Picture::load(&fs::read(path).unwrap()).unwrap();
    let found = find(&picture, &Symbology::ALL).unwrap();
    found.into_iter().map(|found| found.symbol.payload.0).collect()
}

/// What the symbol says, by the file beside the picture: `.bin` where it is no text.
fn truth(path: &Path) -> Vec<u8> {
    fs::read(path.with_extension("txt"))
        .or_else(|_no_text| fs::read(path.with_extension("bin")))
        .unwrap()
}

#[test]
fn the_sets_are_read_and_nothing_is_misread() {
    for Set { name, pictures: all, must_decode } in SETS {
        let pictures = pictures(name);
        assert_eq!(pictures.len(), all, "{name}");
        let mut decoded = 0;
        for path in pictures {
            let expected = truth(&path);
            let read = payloads(&path);
            let misread: Vec<_> = read.iter().filter(|payload| **payload != expected).collect();
            assert!(misread.is_empty(), "{}: {misread:?}", path.display());
            assert!(read.len() <= 1, "{}: found {} times", path.display(), read.len());
            decoded += read.len();
        }
        assert!(decoded >= must_decode, "{name}: {decoded} of {all}");
    }
}

#[test]
fn nothing_is_read_where_there_is_no_symbol() {
    let (set, all) = FALSE_POSITIVES;
    let pictures = pictures(set);
    assert_eq!(pictures.len(), all);
    for path in pictures {
        assert_eq!(payloads(&path), [[0; 0]; 0], "{}", path.display());
    }
}

#[test]
fn the_fuzz_corpus_is_survived() {
    let corpus = files("fuzz/picture");
    assert!(corpus.len() >= 25, "only {} files", corpus.len());
    for path in corpus {
        let outcome = Picture::load(&fs::read(&path).unwrap())
            .and_then(|picture| find(&picture, &Symbology::ALL));
        assert!(!matches!(outcome, Err(PictureError::Panicked)), "{}", path.display());
    }
}

/// Cameras note beside the pixels which way they were held; corners are in the pixels as they are stored.
#[test]
fn every_format_is_unpacked_as_it_is_stored() {
    let sizes = ["datamatrix.pgm", "small.gif", "small.tiff", "one-pixel.png", "turned.jpg"]
        .map(|name| Picture::load(&fs::read(fixtures("fuzz/picture").join(name)).unwrap()).unwrap())
        .map(|picture| (picture.width(), picture.height()));
    assert_eq!(sizes, [(30, 30), (1, 1), (4, 4), (1, 1), (310, 140)]);
    assert_eq!(payloads(&fixtures("fuzz/picture").join("turned.jpg")), [b"20261100000001"]);
}

#[test]
fn bombs_are_refused_by_their_headers() {
    let bombs = files("fuzz/picture").into_iter().filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("bomb"))
    });
    let mut refused = 0;
    for path in bombs {
        let error = Picture::load(&fs::read(&path).unwrap()).unwrap_err();
        let is_by_size = match &error {
            PictureError::Size { .. } | PictureError::Unpacked(_) => true,
            // The library's own limit on a side.
            PictureError::Damaged(source) => source.to_string().contains("limit"),
            _ => false,
        };
        assert!(is_by_size, "{}: {error:?}", path.display());
        refused += 1;
    }
    assert_eq!(refused, 7);
}

#[test]
fn a_picture_cut_anywhere_is_refused_or_read() {
    let png = draw_symbol(Symbology::Qr, "202611000000001", 2).unwrap().to_png().unwrap();
    let lengths = (0..100).chain((100..png.len()).step_by(CUT_STEP));
    for length in lengths.filter(|length| *length < png.len()) {
        let outcome = Picture::load(&png[..length]);
        assert!(!matches!(outcome, Err(PictureError::Panicked)), "cut at {length}");
        if let Ok(picture) = outcome {
            find(&picture, &[Symbology::Qr]).unwrap();
        }
    }
}

#[test]
fn a_picture_with_one_damaged_byte_is_refused_or_read() {
    let pgm = fs::read(fixtures("fuzz/picture/datamatrix.pgm")).unwrap();
    for at in 0..pgm.len().min(64) {
        let mut damaged = pgm.clone();
        damaged[at] ^= 0x55;
        let outcome =
            Picture::load(&damaged).and_then(|picture| find(&picture, &[Symbology::DataMatrix]));
        assert!(!matches!(outcome, Err(PictureError::Panicked)), "byte {at}");
    }
}
