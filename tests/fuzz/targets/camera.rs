//! Any bytes out of a camera's buffer: `cargo fuzz run --fuzz-dir tests/fuzz camera`.

#![no_main]

use ballot_intake::scanner::camera::{Layout, PixelFormat, complete_jpeg};

/// Two sides and a stride, each in two bytes.
const LAYOUT_BYTES: usize = 6;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut file = Vec::new();
    complete_jpeg(bytes, &mut file);
    assert!(file.len() >= bytes.len());
    let Some((layout, buffer)) = bytes.split_first_chunk::<LAYOUT_BYTES>() else { return };
    let [width, height, stride] =
        [0, 2, 4].map(|at| u32::from(u16::from_le_bytes([layout[at], layout[at + 1]])));
    for format in PixelFormat::ALL {
        if let Some(layout) = Layout::new(format, [width, height], stride) {
            let is_whole = layout.gray(buffer, &mut file);
            assert!(!is_whole || file.len() == (width * height) as usize);
        }
    }
});
