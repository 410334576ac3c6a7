//! A camera (V4L2): the newest picture, in gray.
//!
//! A camera gives pictures whether anybody looks or not. What waits is therefore let go of as soon as something newer is there, and
//! is counted; no picture is ever queued. `capture` is the one door to the device, `pixels` makes gray of what it sends.

mod capture;
mod mjpeg;
mod pixels;
mod slides;

pub use capture::Camera;
pub use mjpeg::complete as complete_jpeg;
pub use pixels::{Layout, PIXELS_MAX, SIDE_MAX};
pub use slides::Slides;

use super::plugged::{FindError, Machine, Which};
use super::profile::Transport;
use serde::Deserialize;
use std::fmt;
use std::io;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Duration;

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

impl PixelFormat {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Grey, Self::Nv12, Self::Yuyv, Self::Mjpeg];

    /// The name in a profile.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grey => "grey",
            Self::Nv12 => "nv12",
            Self::Yuyv => "yuyv",
            Self::Mjpeg => "mjpeg",
        }
    }
}

/// A picture as it came, without its colors. Its memory is used again.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the bytes are.
    pub pixels: Pixels,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What a frame's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// One byte a pixel, row by row from the top, 0 black to 255 white, and no byte between the rows.
    Gray {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// A picture file, such as a JPEG.
    Packed,
}

impl Default for Frame {
    /// No picture yet.
    fn default() -> Self {
        Self { pixels: Pixels::Packed, bytes: Vec::new() }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({:?}, {} bytes)", self.pixels, self.bytes.len())
    }
}

/// What came from a camera since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pictures in all.
    pub captured: u64,
    /// Those that nobody looked at, because newer ones came.
    pub skipped: u64,
    /// Those that the camera itself says are damaged, and short ones.
    pub damaged: u64,
}

/// Where pictures come from: a camera, or what a test shows.
pub trait FrameSource: fmt::Debug {
    /// Waits for a picture, and takes the newest that is there; older ones are skipped. Whether there was one; none does not mean
    /// that the whole time has passed.
    fn newest(&mut self, frame: &mut Frame, wait: Duration) -> Result<bool, CameraError>;

    /// Skips every picture that waits, so that the next one is new.
    fn skip(&mut self) -> Result<(), CameraError>;

    /// What came so far.
    fn tally(&self) -> Tally;

    /// What the camera would not be set to. It works without.
    fn unset(&self) -> &[CameraError] {
        &[]
    }
}

/// Why a camera gives no pictures, or not such as are asked for.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// It is not plugged in, or several are.
    #[error(transparent)]
    Find(FindError),
    /// It is not plugged in.
    #[error("there is no camera {path}")]
    Absent {
        /// Where it would be.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// This user may not open it.
    #[error("no permission to open the camera {path}")]
    Permission {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another program shows its pictures.
    #[error("the camera {path} is in use by another program")]
    Busy {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is something else, or the part of a camera that gives no pictures.
    #[error("{path} is not a device that gives pictures")]
    NoPictures {
        /// Where it is.
        path: PathBuf,
    },
    /// It cannot be opened for another reason.
    #[error("cannot open the camera {path}")]
    Open {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Its pixels come in none of the ways that are read here and that the profile allows.
    #[error("the camera {path} sends pixels as {offered}, of which none is {wanted}")]
    Format {
        /// Where it is.
        path: PathBuf,
        /// The formats it has, by their four characters.
        offered: String,
        /// The formats that would do.
        wanted: String,
    },
    /// Its pictures are empty or too large.
    #[error(
        "the camera {path} gives pictures of {width} x {height} pixels, outside 1 to {SIDE_MAX} a side \
         and {PIXELS_MAX} in all"
    )]
    Size {
        /// Where it is.
        path: PathBuf,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// It does not begin to send.
    #[error("the camera {path} does not start")]
    Start {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It has no such setting, or not that value.
    #[error("the {control} of the camera {path} cannot be set to {value}")]
    Control {
        /// Where it is.
        path: PathBuf,
        /// `exposure` or `focus`.
        control: &'static str,
        /// What it should have been.
        value: i32,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It was unplugged, or its driver gave up.
    #[error("the camera {path} is gone")]
    Gone {
        /// Where it was.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is there and sends nothing.
    #[error("no picture has come for {} s", .0.as_secs())]
    Silent(Duration),
    /// It is there, and all that it sends is damaged.
    #[error("no picture that can be read has come for {} s", .0.as_secs())]
    Unreadable(Duration),
}

/// Opens the camera that is meant, wherever it is by now.
pub fn open(
    machine: &Machine,
    which: &Which,
    settings: &Settings,
) -> Result<Box<dyn FrameSource>, CameraError> {
    let path = match which {
        Which::Path(path) => path.clone(),
        Which::Fits(selector) => {
            machine.find(Transport::Camera, selector).map_err(CameraError::Find)?.node
        }
    };
    Ok(Box::new(Camera::open(&path, settings)?))
}

impl Default for Settings {
    /// 1080p, uncompressed where the camera can.
    fn default() -> Self {
        Self {
            width: 1920,
            height: 1080,
            formats: PixelFormat::ALL.to_vec(),
            exposure: None,
            focus: None,
            readings: NonZeroU8::new(3).unwrap_or(NonZeroU8::MIN),
        }
    }
}
