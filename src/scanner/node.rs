//! A device node, or a socket in its place, as a line: one read is one report, some whole key events, or one packet.
//!
//! No keystroke of a scanner may reach a console, so an input device is grabbed as it is opened, and kept. The kernel queues for each
//! opener what comes from then on and nothing of before: what a device sent in the moment of opening is read like the rest, and
//! may be the end of a scan that began before. To doubt it is for the dialog.

use super::door;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An open node.
#[derive(Debug)]
pub struct Node {
    fd: AsyncFd<OwnedFd>,
}

impl Node {
    /// Opens an input device and keeps what it types from everybody else; within a runtime, and off its threads.
    pub(super) fn open_keyboard(path: &Path) -> io::Result<Self> {
        let fd = match open(path, OFlags::RDWR) {
            Err(Errno::ACCESS | Errno::PERM) => open(path, OFlags::RDONLY)?,
            opened => opened?,
        };
        door::grab(&fd)?;
        Self::new(fd)
    }

    /// Opens a HID device and sends it a feature report, its id first, unless that is empty; within a runtime, and off its
    /// threads.
    pub(super) fn open_hid(path: &Path, feature: &[u8]) -> io::Result<Self> {
        let fd = open(path, OFlags::RDWR)?;
        if !feature.is_empty()
            && let Err(error) = door::set_feature(&fd, feature)
        {
            // One of that maker that is in the mode already may have no such report; its pipe stalls, which changes nothing.
            if error.raw_os_error() != Some(libc::EPIPE) {
                return Err(error);
            }
            tracing::debug!(path = %path.display(), "A scanner has no feature report.");
        }
        Self::new(fd)
    }

    /// Connects to a socket of packets, as a scanner that is played.
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let kind = SocketType::SEQPACKET;
        let fd = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
        rustix::net::connect(&fd, &SocketAddrUnix::new(path)?)?;
        Self::new(fd)
    }

    /// What connected to a socket of packets.
    pub(super) fn accepted(fd: OwnedFd) -> io::Result<Self> {
        Self::new(fd)
    }

    fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd: door::awaited(fd)? })
    }
}

fn open(path: &Path, access: OFlags) -> Result<OwnedFd, Errno> {
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::open(path, flags, Mode::empty())
}

impl AsyncRead for Node {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.fd.poll_read_ready(cx))?;
            let read = |fd: &AsyncFd<OwnedFd>| {
                Ok(rustix::io::read(fd.get_ref(), buffer.initialize_unfilled())?)
            };
            match ready.try_io(read) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(read) => {
                    buffer.advance(read?);
                    return Poll::Ready(Ok(()));
                }
                Err(_not_ready) => {}
            }
        }
    }
}

impl AsyncWrite for Node {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.fd.poll_write_ready(cx))?;
            match ready.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), bytes)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(written) => return Poll::Ready(written),
                Err(_not_ready) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{RecvFlags, SendFlags};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// A node, and the scanner at its other end.
    fn pair() -> (Node, OwnedFd) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let kind = SocketType::SEQPACKET;
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None).unwrap();
        (Node::new(ours).unwrap(), theirs)
    }

    fn send(scanner: &OwnedFd, report: &[u8]) {
        assert_eq!(rustix::net::send(scanner, report, SendFlags::empty()), Ok(report.len()));
    }

    #[tokio::test]
    async fn one_read_is_one_report() {
        let (mut node, scanner) = pair();
        send(&scanner, b"first");
        send(&scanner, b"second");
        let mut buffer = [0; 64];
        assert_eq!(node.read(&mut buffer).await.unwrap(), 5);
        assert_eq!(node.read(&mut buffer).await.unwrap(), 6);
        assert_eq!(&buffer[..6], b"second");
        drop(scanner);
        assert_eq!(node.read(&mut buffer).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn reports_are_written_whole_and_in_order() {
        let (mut node, scanner) = pair();
        assert_eq!(node.write(b"first").await.unwrap(), 5);
        assert_eq!(node.write(b"second").await.unwrap(), 6);
        let mut buffer = [0; 64];
        for expected in [&b"first"[..], b"second"] {
            let (n, _) = rustix::net::recv(&scanner, &mut buffer, RecvFlags::empty()).unwrap();
            assert_eq!(&buffer[..n], expected);
        }
        drop(scanner);
        assert_eq!(node.write(b"third").await.unwrap_err().raw_os_error(), Some(libc::EPIPE));
    }

    #[tokio::test]
    async fn a_recording_is_played_over_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scanner");
        let gone = Node::connect(&path).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None);
        let listener = listener.unwrap();
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        let mut node = Node::connect(&path).unwrap();
        let scanner = rustix::net::accept(&listener).unwrap();
        send(&scanner, b"played");
        assert_eq!(node.read(&mut [0; 64]).await.unwrap(), 6);
    }

    #[tokio::test]
    async fn what_is_no_input_device_is_not_grabbed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Node::open_keyboard(file.path()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
        let error = Node::open_hid(file.path(), &[1]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
    }
}
