//! A camera (V4L2): the newest picture, in gray.

use serde::Deserialize;
use std::num::NonZeroU8;

/// What is particular to a camera.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Pixels across that are asked for; the camera gives what is nearest.
    pub width: u32,
    /// Pixels down that are asked for.
    pub height: u32,
    /// How the pixels may come, best first.
    pub formats: Vec<PixelFormat>,
    /// Exposure time in units of 100 us, set by hand; nothing leaves it to the camera.
    pub exposure: Option<i32>,
    /// Focus, in the camera's own units, set by hand; nothing leaves it to the camera.
    pub focus: Option<i32>,
    /// Equal readings after which a symbol is taken for what it says.
    pub readings: NonZeroU8,
}

/// How a camera sends its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelFormat {
    /// Gray, a byte a pixel.
    Grey,
    /// YUV 4:2:0, its gray plane first.
    Nv12,
    /// YUV 4:2:2, gray in every other byte.
    Yuyv,
    /// JPEG pictures one after the other.
    Mjpeg,
}

impl Default for Settings {
    /// 1080p, uncompressed where the camera can.
    fn default() -> Self {
        Self {
            width: 1920,
            height: 1080,
            formats: vec![
                PixelFormat::Grey,
                PixelFormat::Nv12,
                PixelFormat::Yuyv,
                PixelFormat::Mjpeg,
            ],
            exposure: None,
            focus: None,
            readings: NonZeroU8::new(3).unwrap_or(NonZeroU8::MIN),
        }
    }
}
