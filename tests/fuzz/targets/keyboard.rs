//! Any bytes of an input device: `cargo fuzz run --fuzz-dir tests/fuzz keyboard fixtures/fuzz/keyboard`.

#![no_main]

#[path = "../keyboard.rs"]
mod keyboard;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyboard::typed(bytes);
});
