//! Gray out of the bytes that a camera sends: its formats carry the luma apart, so nothing is computed.

use super::PixelFormat;

/// The longest side a picture may have, in pixels.
pub const SIDE_MAX: u32 = 32_768;

/// The most pixels a picture may have.
pub const PIXELS_MAX: u64 = 50_000_000;

/// Where the gray pixels lie in what a camera sends for one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    width: u32,
    height: u32,
    /// Bytes from the start of one row to the start of the next.
    stride: usize,
    step: Step,
}

/// From one gray pixel to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Every,
    EveryOther,
}

impl Layout {
    /// Rows of a format that is not packed, `stride` bytes apart; a camera that says less than a row has puts them side by side.
    /// None for sides that make no picture, and for JPEG.
    pub fn new(format: PixelFormat, [width, height]: [u32; 2], stride: u32) -> Option<Self> {
        let step = match format {
            PixelFormat::Grey | PixelFormat::Nv12 => Step::Every,
            PixelFormat::Yuyv => Step::EveryOther,
            PixelFormat::Mjpeg => return None,
        };
        let is_picture = (1..=SIDE_MAX).contains(&width)
            && (1..=SIDE_MAX).contains(&height)
            && u64::from(width) * u64::from(height) <= PIXELS_MAX;
        let row = usize::try_from(width).ok()? * step.bytes();
        let stride = usize::try_from(stride).ok()?.max(row);
        is_picture.then_some(Self { width, height, stride, step })
    }

    /// In pixels.
    pub const fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }

    /// Copies the gray pixels over what was in `luma`. Whether there were as many rows as there should be.
    pub fn gray(&self, bytes: &[u8], luma: &mut Vec<u8>) -> bool {
        luma.clear();
        let (Ok(width), Ok(height)) = (usize::try_from(self.width), usize::try_from(self.height))
        else {
            return false;
        };
        let row = width * self.step.bytes();
        luma.reserve(width * height);
        // The last row may end where its pixels do.
        for row in bytes.chunks(self.stride).take(height).map_while(|padded| padded.get(..row)) {
            match self.step {
                Step::Every => luma.extend_from_slice(row),
                Step::EveryOther => {
                    luma.extend(row.as_chunks::<2>().0.iter().map(|[luma, _color]| *luma));
                }
            }
        }
        luma.len() == width * height
    }
}

impl Step {
    const fn bytes(self) -> usize {
        match self {
            Self::Every => 1,
            Self::EveryOther => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(format: PixelFormat, stride: u32, bytes: &[u8], expected: &[u8]) {
        let layout = Layout::new(format, [2, 3], stride).unwrap();
        let mut luma = vec![77; 100];
        assert!(layout.gray(bytes, &mut luma));
        assert_eq!(luma, expected, "{format:?}, {stride}");
    }

    #[test]
    fn gray_is_taken_row_by_row_without_what_pads_them() {
        let gray = [1, 2, 3, 4, 5, 6];
        check(PixelFormat::Grey, 2, &gray, &gray);
        check(PixelFormat::Grey, 3, &[1, 2, 0, 3, 4, 0, 5, 6, 0], &gray);
        check(PixelFormat::Nv12, 2, &[1, 2, 3, 4, 5, 6, 128, 128, 128, 128], &gray);
        check(PixelFormat::Nv12, 4, &[1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0, 128, 128], &gray);
        let yuyv = [1, 128, 2, 127, 3, 128, 4, 127, 5, 128, 6, 127];
        check(PixelFormat::Yuyv, 4, &yuyv, &gray);
        check(PixelFormat::Yuyv, 5, &[1, 8, 2, 8, 0, 3, 8, 4, 8, 0, 5, 8, 6, 8], &gray);
    }

    #[test]
    fn a_stride_that_is_too_small_is_none() {
        check(PixelFormat::Grey, 0, &[1, 2, 3, 4, 5, 6], &[1, 2, 3, 4, 5, 6]);
        check(PixelFormat::Yuyv, 2, &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0], &[1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_picture_without_all_its_rows_is_none() {
        let layout = Layout::new(PixelFormat::Grey, [2, 3], 3).unwrap();
        let whole = [9; 8];
        assert!(layout.gray(&whole, &mut Vec::new()));
        for n in 0..whole.len() {
            assert!(!layout.gray(&whole[..n], &mut Vec::new()), "{n}");
        }
    }

    #[test]
    fn sides_that_make_no_picture_are_refused() {
        for size in [[0, 5], [5, 0], [SIDE_MAX + 1, 1], [1, SIDE_MAX + 1], [20_000, 20_000]] {
            assert_eq!(Layout::new(PixelFormat::Grey, size, 0), None, "{size:?}");
        }
        assert_eq!(Layout::new(PixelFormat::Mjpeg, [640, 480], 0), None);
        assert!(Layout::new(PixelFormat::Yuyv, [SIDE_MAX, 1], 0).is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_whole_picture_or_none(
            bytes in prop::collection::vec(any::<u8>(), 0..4_000),
            size in [0_u32..70, 0_u32..70],
            stride in 0_u32..300,
            format in prop::sample::select(&PixelFormat::ALL[..]),
        ) {
            if let Some(layout) = Layout::new(format, size, stride) {
                let mut luma = Vec::new();
                let is_whole = layout.gray(&bytes, &mut luma);
                let [width, height] = size.map(|side| side as usize);
                let step = if format == PixelFormat::Yuyv { 2 } else { 1 };
                let stride = (stride as usize).max(width * step);
                prop_assert_eq!(is_whole, bytes.len() >= stride * (height - 1) + width * step);
                for (i, pixel) in luma.iter().enumerate() {
                    prop_assert_eq!(*pixel, bytes[i / width * stride + i % width * step]);
                }
            }
        }
    }
}
