//! A recorded scanner that is played: it speaks as its profile says, over a socket of packets, and is answered a byte a scan.

use super::dialog::{Dialog, Say};
use super::door;
use super::framing::Framed;
use super::line::Line;
use super::node::Node;
use crate::scan::Tone;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Where the daemon connects to be played to.
#[derive(Debug)]
pub struct Listener {
    socket: AsyncFd<OwnedFd>,
}

impl Listener {
    /// Listens on a new socket at `path`; within a runtime.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let kind = SocketType::SEQPACKET;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, FLAGS, None)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        rustix::net::listen(&socket, 1)?;
        Ok(Self { socket: door::awaited(socket)? })
    }

    /// Waits for the daemon. What is sent in one piece, it reads in one. Cancel safe.
    pub async fn accept(&self) -> io::Result<Line> {
        loop {
            let mut ready = self.socket.readable().await?;
            match rustix::net::accept_with(self.socket.get_ref(), FLAGS) {
                Ok(accepted) => return Node::accepted(accepted).map(Line::Node),
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

/// A recorded scanner: what it says is understood by its own dialog. Its own answers would not reach what is only a recording;
/// whoever plays it counts these instead.
#[derive(Debug)]
pub struct Played {
    inner: Box<dyn Dialog>,
    now: Duration,
    outgoing: Option<u8>,
}

impl Played {
    /// The tone that a byte stands for.
    pub const fn tone(byte: u8) -> Option<Tone> {
        match byte {
            b'+' => Some(Tone::Good),
            b'=' => Some(Tone::Notice),
            b'-' => Some(Tone::Bad),
            b'!' => Some(Tone::Fault),
            _ => None,
        }
    }

    /// Understands what that dialog does.
    pub fn new(inner: Box<dyn Dialog>) -> Self {
        let mut played = Self { inner, now: Duration::ZERO, outgoing: None };
        played.begin();
        played
    }

    /// The byte that stands for a tone.
    const fn byte(tone: Tone) -> u8 {
        match tone {
            Tone::Good => b'+',
            Tone::Own | Tone::Notice => b'=',
            Tone::Bad => b'-',
            Tone::Fault => b'!',
        }
    }
}

impl Played {
    /// A recording begins between two scans: the line it was made of had been opened, and silent, before.
    fn begin(&mut self) {
        if let Some(silence) = self.inner.deadline() {
            let framed = self.inner.expired(silence);
            debug_assert_eq!(framed, None, "nothing was sent that could be dropped");
            self.drop_replies();
        }
    }

    /// Nobody hears what a protocol itself replies.
    fn drop_replies(&mut self) {
        while !self.inner.outgoing().is_empty() {
            let n = self.inner.outgoing().len();
            self.inner.sent(n, self.now);
        }
    }
}

impl Dialog for Played {
    fn push(&mut self, bytes: &[u8], now: Duration) -> (usize, Option<Framed>) {
        self.now = now;
        let pushed = self.inner.push(bytes, now);
        self.drop_replies();
        pushed
    }

    fn deadline(&self) -> Option<Duration> {
        self.inner.deadline()
    }

    fn expired(&mut self, now: Duration) -> Option<Framed> {
        let framed = self.inner.expired(now);
        self.drop_replies();
        framed
    }

    fn say(&mut self, say: Say, _now: Duration) {
        if let Say::Tone(tone) = say {
            self.outgoing = Some(Self::byte(tone));
        }
    }

    fn outgoing(&self) -> &[u8] {
        self.outgoing.as_slice()
    }

    fn sent(&mut self, n: usize, _now: Duration) {
        if n > 0 {
            self.outgoing = None;
        }
    }

    fn is_idle(&self) -> bool {
        self.outgoing.is_none()
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.outgoing = None;
        self.begin();
    }
}
