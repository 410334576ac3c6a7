//! Any bytes out of a camera's buffer: `cargo fuzz run --fuzz-dir tests/fuzz camera fixtures/fuzz/camera`.

#![no_main]

#[path = "../camera.rs"]
mod camera;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    camera::pictures(bytes);
});
