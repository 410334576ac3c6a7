//! Any bars, clear and doubtful: `cargo fuzz run --fuzz-dir tests/fuzz imb fixtures/fuzz/imb`.

#![no_main]

#[path = "../imb.rs"]
mod imb;

libfuzzer_sys::fuzz_target!(|bars: &[u8]| {
    imb::solved(bars);
});
