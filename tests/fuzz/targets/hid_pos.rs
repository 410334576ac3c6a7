//! Any reports of a HID point-of-sale scanner: `cargo fuzz run --fuzz-dir tests/fuzz hid_pos fixtures/fuzz/hid_pos`.

#![no_main]

#[path = "../hid_pos.rs"]
mod hid_pos;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hid_pos::reported(bytes);
});
