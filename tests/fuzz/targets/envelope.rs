//! Any payload on an envelope: `cargo fuzz run --fuzz-dir tests/fuzz envelope fixtures/fuzz/envelope`.

#![no_main]

#[path = "../envelope.rs"]
mod envelope;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| {
    envelope::faces(payload);
});
