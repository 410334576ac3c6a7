//! Any bytes as a picture: they are refused or looked at, within bounds, and nothing panics.

#![no_main]

use ballot_intake::decode::find;
use ballot_intake::decode::image::{Picture, PictureError};
use ballot_intake::scan::Symbology;
use libfuzzer_sys::fuzz_target;

/// Larger pictures only make the fuzzer slow.
const PIXELS_MAX: usize = 300_000;

fuzz_target!(|bytes: &[u8]| {
    match Picture::load(bytes) {
        Ok(picture) if picture.luma().len() <= PIXELS_MAX => {
            find(&picture, &Symbology::ALL).expect("nothing panics");
        }
        Ok(_) => {}
        Err(error) => assert!(!matches!(error, PictureError::Panicked), "unpacking panicked"),
    }
});
