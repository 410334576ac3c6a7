//! Any bytes on an SSI scanner's line: `cargo fuzz run --fuzz-dir tests/fuzz ssi fixtures/fuzz/ssi`.

#![no_main]

#[path = "../ssi.rs"]
mod ssi;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    ssi::told(bytes);
});
