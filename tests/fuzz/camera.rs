//! What must hold of a camera's buffer for any bytes; the fuzz target and the replay of its corpus share it.

use ballot_intake::scanner::camera::{Layout, PixelFormat, complete_jpeg};

/// Two sides and a stride, each in two bytes.
const LAYOUT_BYTES: usize = 6;

/// How many of the formats the bytes, which begin with two sides and a stride, are a whole picture in.
pub(crate) fn pictures(bytes: &[u8]) -> usize {
    let mut file = Vec::new();
    complete_jpeg(bytes, &mut file);
    assert!(file.len() >= bytes.len());
    let Some((layout, buffer)) = bytes.split_first_chunk::<LAYOUT_BYTES>() else { return 0 };
    let [width, height, stride] =
        [0, 2, 4].map(|at| u32::from(u16::from_le_bytes([layout[at], layout[at + 1]])));
    let mut luma = file;
    let is_whole = |format: &PixelFormat| {
        let Some(layout) = Layout::new(*format, [width, height], stride) else { return false };
        let is_whole = layout.gray(buffer, &mut luma);
        assert!(!is_whole || luma.len() == (width * height) as usize);
        is_whole
    };
    PixelFormat::ALL.into_iter().filter(is_whole).count()
}
