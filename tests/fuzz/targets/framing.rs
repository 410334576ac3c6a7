//! Any bytes on a scanner's line: `cargo fuzz run --fuzz-dir tests/fuzz framing fixtures/fuzz/framing`.

#![no_main]

#[path = "../framing.rs"]
mod framing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    framing::framed(bytes);
});
