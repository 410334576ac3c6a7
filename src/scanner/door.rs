//! The one door to the kernel for what has no safe words: two requests of input devices, and waiting for a file.

use std::ffi::{c_int, c_ulong};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use tokio::io::unix::AsyncFd;

/// `_IOW('E', 0x90, int)`: an input device gives its events to this opener alone.
const EVIOCGRAB: c_ulong = 0x4004_4590;

/// `_IOC(_IOC_READ | _IOC_WRITE, 'H', 0x06, 0)`, to which the length is added.
const HIDIOCSFEATURE: c_ulong = 0xc000_4806;

/// Where a request holds the length of its argument, and how long one may be.
const LENGTH_SHIFT: u32 = 16;
const LENGTH_MAX: usize = (1 << 14) - 1;

/// The file with what wakes those who wait for it; within a runtime.
pub(super) fn awaited(file: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(unsafe_code, reason = "a safe constructor cannot know who owns the descriptor")]
    // SAFETY: an owned descriptor is open and always the same, and goes with the `AsyncFd` that owns it.
    let registered = unsafe { AsyncFd::register(file) };
    registered.map_err(io::Error::from)
}

/// From now on no console, window or other program sees what the device types. It ends with the file.
pub(super) fn grab(device: impl AsFd) -> io::Result<()> {
    let fd = device.as_fd().as_raw_fd();
    let on: c_int = 1;
    #[expect(unsafe_code, reason = "the argument is a number, so the kernel follows no pointer")]
    // SAFETY: the descriptor is borrowed for the call, and EVIOCGRAB takes its argument by value.
    let outcome = unsafe { libc::ioctl(fd, EVIOCGRAB, on) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a feature report, its id first, to a HID device; waits until it has it.
pub(super) fn set_feature(device: impl AsFd, report: &[u8]) -> io::Result<()> {
    let fd = device.as_fd().as_raw_fd();
    let length = c_ulong::try_from(report.len()).unwrap_or(c_ulong::MAX);
    if report.len() > LENGTH_MAX {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // A copy that may be written to: the request's direction allows it, though the kernel does not.
    let mut report = report.to_vec();
    #[expect(
        unsafe_code,
        reason = "the kernel is handed a buffer of exactly the length it is told"
    )]
    // SAFETY: the descriptor is borrowed for the call, and the buffer is ours and as long as the request says.
    let outcome =
        unsafe { libc::ioctl(fd, HIDIOCSFEATURE | (length << LENGTH_SHIFT), report.as_mut_ptr()) };
    if outcome >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_such_device_says_so() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(grab(&file).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(set_feature(&file, &[1, 2]).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        let long = vec![0; LENGTH_MAX + 1];
        assert_eq!(set_feature(&file, &long).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
