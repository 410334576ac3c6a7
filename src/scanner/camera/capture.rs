//! The one door to a camera's device: opens it, sets it, and takes the newest picture out of its buffers.

use super::mjpeg;
use super::pixels::Layout;
use super::{CameraError, Frame, FrameSource, PixelFormat, Pixels, Settings, Tally};
use linuxvideo::controls::Cid;
use linuxvideo::format::{PixFormat, PixelFormat as Fourcc};
use linuxvideo::stream::{ReadBufferView, ReadStream};
use linuxvideo::{BufType, CapabilityFlags, Device, VideoCaptureDevice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most formats of a camera that are looked at.
const OFFERED_MAX: usize = 64;

/// The most pictures that are skipped before one is taken. A device has no more buffers than 64.
const SKIPPED_MAX: usize = 64;

/// The largest packed picture, in bytes.
const PACKED_BYTES_MAX: usize = 64 << 20;

/// `V4L2_EXPOSURE_MANUAL`, of the control `V4L2_CID_EXPOSURE_AUTO`.
const EXPOSURE_MANUAL: i32 = 1;

/// Of the control `V4L2_CID_FOCUS_AUTO`.
const FOCUS_BY_HAND: i32 = 0;

/// A camera that sends.
pub struct Camera {
    path: PathBuf,
    stream: ReadStream,
    /// The same open file, to be asked while a buffer of the stream is in hand.
    ready: OwnedFd,
    sends: Sends,
    tally: Tally,
    unset: Vec<CameraError>,
}

/// What its buffers hold.
#[derive(Debug, Clone, Copy)]
enum Sends {
    Gray(Layout),
    Packed,
}

/// What became of the picture in a buffer.
enum Buffer {
    Taken,
    /// A newer one is there.
    Skipped,
    Damaged,
}

impl Camera {
    /// Opens the device, sets it as far as it can be set, and lets it send. Of the formats that the settings allow the first that
    /// the camera has is asked for; what its driver then gives is taken if it is one that is read here.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, CameraError> {
        let mut device = Device::open(path).map_err(|source| refused(path, source))?;
        let capabilities = device.capabilities().map_err(|source| refused(path, source))?;
        let needed = CapabilityFlags::VIDEO_CAPTURE | CapabilityFlags::STREAMING;
        if !capabilities.device_capabilities().contains(needed) {
            return Err(CameraError::NoPictures { path: path.to_owned() });
        }
        let wanted = choose(path, &device, settings)?;
        let unset = set(path, &mut device, settings);
        let asked = PixFormat::new(settings.width, settings.height, wanted);
        let device = device.video_capture(asked).map_err(|source| not_started(path, source))?;
        let sends = what_comes(path, &device, settings)?;
        let stream = device.into_stream().map_err(|source| not_started(path, source))?;
        let ready =
            stream.as_fd().try_clone_to_owned().map_err(|source| not_started(path, source))?;
        Ok(Self { path: path.to_owned(), stream, ready, sends, tally: Tally::default(), unset })
    }

    /// In pixels; nothing where the pictures themselves say it.
    pub const fn size(&self) -> Option<[u32; 2]> {
        match self.sends {
            Sends::Gray(layout) => Some(layout.size()),
            Sends::Packed => None,
        }
    }

    fn is_ready(&self, wait: Duration) -> Result<bool, CameraError> {
        is_ready(&self.ready, wait)
            .map_err(|source| CameraError::Gone { path: self.path.clone(), source })
    }

    /// Takes one buffer out of the queue, lets its picture be looked at, and puts it back.
    fn dequeue(
        &mut self,
        look: impl FnOnce(&ReadBufferView<'_>, &OwnedFd) -> io::Result<Buffer>,
    ) -> Result<Buffer, CameraError> {
        let Self { path, stream, ready, tally, .. } = self;
        let became = stream
            .dequeue(|view| look(&view, ready))
            .map_err(|source| CameraError::Gone { path: path.clone(), source })?;
        tally.captured += 1;
        match became {
            Buffer::Taken => {}
            Buffer::Skipped => tally.skipped += 1,
            Buffer::Damaged => tally.damaged += 1,
        }
        Ok(became)
    }
}

impl FrameSource for Camera {
    fn newest(&mut self, frame: &mut Frame, wait: Duration) -> Result<bool, CameraError> {
        if !self.is_ready(wait)? {
            return Ok(false);
        }
        let sends = self.sends;
        for _picture in 0..SKIPPED_MAX {
            let became = self.dequeue(|view, ready| {
                if is_ready(ready, Duration::ZERO)? {
                    return Ok(Buffer::Skipped);
                }
                let is_whole = !view.is_error() && copy(sends, view, frame);
                Ok(if is_whole { Buffer::Taken } else { Buffer::Damaged })
            })?;
            match became {
                Buffer::Taken => return Ok(true),
                Buffer::Damaged => return Ok(false),
                Buffer::Skipped => {}
            }
        }
        Ok(false)
    }

    fn skip(&mut self) -> Result<(), CameraError> {
        for _picture in 0..SKIPPED_MAX {
            if !self.is_ready(Duration::ZERO)? {
                break;
            }
            self.dequeue(|_view, _ready| Ok(Buffer::Skipped))?;
        }
        Ok(())
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn unset(&self) -> &[CameraError] {
        &self.unset
    }
}

impl fmt::Debug for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Camera")
            .field("path", &self.path)
            .field("sends", &self.sends)
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}

/// The allowed format to ask for.
fn choose(path: &Path, device: &Device, settings: &Settings) -> Result<Fourcc, CameraError> {
    let offered: Vec<Fourcc> = device
        .formats(BufType::VIDEO_CAPTURE)
        .take(OFFERED_MAX)
        .map_while(Result::ok)
        .map(|format| format.pixel_format())
        .collect();
    settings
        .formats
        .iter()
        .find_map(|format| offered.iter().find(|fourcc| is_named(*format, **fourcc)))
        .copied()
        .ok_or_else(|| format_error(path, &offered, &settings.formats))
}

/// Whether these four characters name the format. What a camera calls `JPEG` is the same with its tables.
fn is_named(format: PixelFormat, fourcc: Fourcc) -> bool {
    match format {
        PixelFormat::Grey => fourcc.as_fourcc() == *b"GREY",
        PixelFormat::Nv12 => fourcc.as_fourcc() == *b"NV12",
        PixelFormat::Yuyv => fourcc == Fourcc::YUYV,
        PixelFormat::Mjpeg => fourcc == Fourcc::MJPG || fourcc == Fourcc::JPEG,
    }
}

/// Sets by hand what is to be set by hand. What could not be set.
fn set(path: &Path, device: &mut Device, settings: &Settings) -> Vec<CameraError> {
    let controls = [
        (
            "exposure",
            settings.exposure,
            Cid::EXPOSURE_AUTO,
            EXPOSURE_MANUAL,
            Cid::EXPOSURE_ABSOLUTE,
        ),
        ("focus", settings.focus, Cid::FOCUS_AUTO, FOCUS_BY_HAND, Cid::FOCUS_ABSOLUTE),
    ];
    let mut unset = Vec::new();
    for (control, value, auto, by_hand, absolute) in controls {
        let Some(value) = value else { continue };
        // Some cameras have no automatic to switch off: what counts is whether the value is taken.
        drop(device.write_control_raw(auto, by_hand));
        if let Err(source) = device.write_control_raw(absolute, value) {
            unset.push(CameraError::Control { path: path.to_owned(), control, value, source });
        }
    }
    unset
}

/// What the driver made of what it was asked for.
fn what_comes(
    path: &Path,
    device: &VideoCaptureDevice,
    settings: &Settings,
) -> Result<Sends, CameraError> {
    let given = device.format();
    let (fourcc, width, height) = (given.pixel_format(), given.width(), given.height());
    let format = PixelFormat::ALL
        .into_iter()
        .find(|format| is_named(*format, fourcc))
        .ok_or_else(|| format_error(path, &[fourcc], &settings.formats))?;
    if format == PixelFormat::Mjpeg {
        // Each picture says its own size, and is refused by it.
        return Ok(Sends::Packed);
    }
    Layout::new(format, [width, height], given.bytes_per_line())
        .map(Sends::Gray)
        .ok_or_else(|| CameraError::Size { path: path.to_owned(), width, height })
}

/// Whether the frame is a whole picture now.
fn copy(sends: Sends, bytes: &[u8], frame: &mut Frame) -> bool {
    match sends {
        Sends::Gray(layout) => {
            let [width, height] = layout.size();
            frame.pixels = Pixels::Gray { width, height };
            layout.gray(bytes, &mut frame.bytes)
        }
        Sends::Packed => {
            frame.pixels = Pixels::Packed;
            let is_picture = (1..=PACKED_BYTES_MAX).contains(&bytes.len());
            if is_picture {
                mjpeg::complete(bytes, &mut frame.bytes);
            }
            is_picture
        }
    }
}

/// Whether a picture waits, or an error that taking it out will tell.
fn is_ready(fd: &OwnedFd, wait: Duration) -> io::Result<bool> {
    let wait = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    match poll(&mut fds, Some(&wait)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [told] = fds.map(|fd| fd.revents());
    if told.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
        // A buffer may never come any more, so none is waited for.
        return Err(Errno::NODEV.into());
    }
    Ok(told.contains(PollFlags::IN))
}

fn format_error(path: &Path, offered: &[Fourcc], wanted: &[PixelFormat]) -> CameraError {
    let offered: Vec<_> = offered.iter().map(ToString::to_string).collect();
    let wanted: Vec<_> = wanted.iter().map(|format| format.name()).collect();
    CameraError::Format {
        path: path.to_owned(),
        offered: offered.join(", "),
        wanted: wanted.join(", "),
    }
}

fn refused(path: &Path, source: io::Error) -> CameraError {
    let path = path.to_owned();
    match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => CameraError::Absent { path, source },
        Some(Errno::ACCESS | Errno::PERM) => CameraError::Permission { path, source },
        Some(Errno::BUSY) => CameraError::Busy { path, source },
        Some(Errno::NOTTY | Errno::ISDIR) => CameraError::NoPictures { path },
        _ => CameraError::Open { path, source },
    }
}

fn not_started(path: &Path, source: io::Error) -> CameraError {
    match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::BUSY) => CameraError::Busy { path: path.to_owned(), source },
        Some(Errno::NODEV) => CameraError::Gone { path: path.to_owned(), source },
        _ => CameraError::Start { path: path.to_owned(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: &Path| Camera::open(path, &Settings::default()).unwrap_err();
        let absent = open(&dir.path().join("video9"));
        assert!(matches!(absent, CameraError::Absent { .. }), "{absent:?}");
        for path in [Path::new("/dev/null"), dir.path()] {
            let other = open(path);
            assert!(matches!(other, CameraError::NoPictures { .. }), "{other:?}");
        }
    }

    #[test]
    fn errors_are_told_apart_by_what_is_to_be_done() {
        let path = Path::new("/dev/video0");
        let error = |errno: Errno| io::Error::from(errno);
        let cases = [
            (refused(path, error(Errno::ACCESS)), "no permission to open the camera /dev/video0"),
            (
                refused(path, error(Errno::BUSY)),
                "the camera /dev/video0 is in use by another program",
            ),
            (refused(path, error(Errno::IO)), "cannot open the camera /dev/video0"),
            (
                not_started(path, error(Errno::BUSY)),
                "the camera /dev/video0 is in use by another program",
            ),
            (not_started(path, error(Errno::NODEV)), "the camera /dev/video0 is gone"),
            (not_started(path, error(Errno::INVAL)), "the camera /dev/video0 does not start"),
            (
                format_error(path, &[Fourcc::BGR3], &[PixelFormat::Grey, PixelFormat::Yuyv]),
                "the camera /dev/video0 sends pixels as BGR3, of which none is grey, yuyv",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_packed_picture_is_taken_as_it_is_unless_it_is_empty() {
        let mut frame = Frame::default();
        assert!(copy(Sends::Packed, b"jpeg", &mut frame));
        assert_eq!((frame.pixels, frame.bytes.as_slice()), (Pixels::Packed, &b"jpeg"[..]));
        assert!(!copy(Sends::Packed, b"", &mut frame));
        let layout = Layout::new(PixelFormat::Yuyv, [2, 1], 4).unwrap();
        assert!(copy(Sends::Gray(layout), &[1, 9, 2, 9], &mut frame));
        assert_eq!(frame.pixels, Pixels::Gray { width: 2, height: 1 });
        assert_eq!(frame.bytes, [1, 2]);
    }
}
