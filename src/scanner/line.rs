//! A scanner's line: bytes to and from a serial port or a TCP connection.
//!
//! A port that is gone does not say so on Linux: it reads as zero bytes for ever. Zero bytes are the end of the line here, for
//! all transports, and whoever drives it opens it again.

use super::profile::{DataBits, Flow, Line as LineSettings, Parity, StopBits, UsbId};
use std::fs;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_serial::{ClearBuffer, SerialPort as _, SerialPortBuilderExt as _, SerialStream};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A silent TCP peer is asked for a sign of life after this, and given up after three times this.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Where Linux lists its terminals.
const TTYS: &str = "/sys/class/tty";

/// Folders looked at from a terminal's device up to its USB device.
const USB_LEVELS_MAX: usize = 4;

/// Why a line is not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The port is not there, or is not ours to open.
    #[error("cannot open the port {path}")]
    Port {
        /// The port.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: tokio_serial::Error,
    },
    /// None of these is plugged in as a serial port.
    #[error("no serial port of a USB device {ids} is plugged in")]
    NotPluggedIn {
        /// The ids, `vendor:product`.
        ids: String,
    },
    /// The scanner does not answer.
    #[error("cannot connect to {address}")]
    Connect {
        /// The scanner.
        address: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// Where a scanner is found.
#[derive(Debug, Clone)]
pub enum Place {
    /// A serial port by its path.
    Serial {
        /// The path, best one under `/dev/serial/by-id`.
        path: PathBuf,
        /// How it talks.
        settings: LineSettings,
    },
    /// A serial port by what its USB device says it is; of several the first in the order of their names.
    Usb {
        /// Any of these.
        ids: Vec<UsbId>,
        /// How it talks.
        settings: LineSettings,
    },
    /// A scanner that is connected to.
    Connect {
        /// Host and port.
        address: String,
    },
    /// A scanner that connects.
    Listen {
        /// The address listened on.
        address: SocketAddr,
        /// Who may connect; everybody who can reach a loopback address, if nobody is named.
        allow: Vec<IpAddr>,
    },
}

/// An open line.
#[derive(Debug)]
pub enum Line {
    /// A serial port in raw mode.
    Serial(SerialStream),
    /// A connection.
    Tcp(TcpStream),
}

/// What went over a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// So many bytes came, at least one.
    In(usize),
    /// So many were taken, at least one.
    Out(usize),
    /// It takes no more. What it has sent may still come.
    Deaf,
}

/// What opens lines of one place, again and again.
#[derive(Debug)]
pub struct Opener {
    place: Place,
    listener: Option<TcpListener>,
    leftovers: Leftovers,
}

/// What to do with bytes that wait on a port as it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leftovers {
    /// They were sent while no daemon ran, or to one that was killed. Nobody answered, so the envelope is scanned again, and
    /// both answers would be taken for the answer to that and to what follows it.
    Drop,
    /// They were sent by a scanner that was just plugged in.
    Read,
}

/// What came of opening.
#[derive(Debug)]
pub enum Opened {
    /// A line.
    Line(Line),
    /// Somebody connected who is not allowed, and was turned away.
    TurnedAway(IpAddr),
}

impl Opener {
    /// Opens nothing yet.
    pub const fn new(place: Place) -> Self {
        Self { place, listener: None, leftovers: Leftovers::Drop }
    }

    /// Where it opens lines, for people.
    pub fn place(&self) -> String {
        match &self.place {
            Place::Serial { path, .. } => path.display().to_string(),
            Place::Usb { ids, .. } => spelled(ids),
            Place::Connect { address } => address.clone(),
            Place::Listen { address, .. } => self.listening().unwrap_or(*address).to_string(),
        }
    }

    /// The address that is listened on, once it is: a port 0 has become a real one.
    pub fn listening(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Begins to listen, where the scanner is the one to connect. Nothing to do elsewhere.
    pub async fn listen(&mut self) -> Result<(), OpenError> {
        if let (Place::Listen { address, .. }, None) = (&self.place, &self.listener) {
            let bound = TcpListener::bind(address).await;
            self.listener =
                Some(bound.map_err(|source| OpenError::Listen { address: *address, source })?);
        }
        Ok(())
    }

    /// Opens a line; waits for a connection where the scanner is the one to connect. Cancel safe.
    pub async fn open(&mut self) -> Result<Opened, OpenError> {
        self.listen().await?;
        let leftovers = std::mem::replace(&mut self.leftovers, Leftovers::Read);
        match &self.place {
            Place::Serial { path, settings } => {
                serial(path, *settings, leftovers).map(Opened::Line)
            }
            Place::Usb { ids, settings } => {
                let path = plugged_in(Path::new(TTYS), ids)
                    .ok_or_else(|| OpenError::NotPluggedIn { ids: spelled(ids) })?;
                serial(&path, *settings, leftovers).map(Opened::Line)
            }
            Place::Connect { address } => connect(address).await.map(Opened::Line),
            Place::Listen { address, allow } => {
                let at = |source| OpenError::Listen { address: *address, source };
                let Some(listener) = &self.listener else {
                    return Err(at(io::ErrorKind::NotConnected.into()));
                };
                let (stream, peer) = listener.accept().await.map_err(at)?;
                if !allow.is_empty() && !allow.contains(&peer.ip().to_canonical()) {
                    return Ok(Opened::TurnedAway(peer.ip()));
                }
                keep_alive(&stream).map_err(at)?;
                Ok(Opened::Line(Line::Tcp(stream)))
            }
        }
    }
}

fn spelled(ids: &[UsbId]) -> String {
    let each = |id: &UsbId| format!("{:04x}:{:04x}", id.vendor, id.product);
    ids.iter().map(each).collect::<Vec<_>>().join(", ")
}

/// The port of the first terminal below `ttys` whose USB device has one of these ids. The device is the nearest folder above
/// the terminal's that has ids: a USB serial adapter has its port and its interface between.
fn plugged_in(ttys: &Path, ids: &[UsbId]) -> Option<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(ttys)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .filter(|name| is_of(&ttys.join(name).join("device"), ids))
        .collect();
    names.sort();
    names.first().map(|name| Path::new("/dev").join(name))
}

fn is_of(device: &Path, ids: &[UsbId]) -> bool {
    let Ok(device) = fs::canonicalize(device) else { return false };
    let id = |dir: &Path, name: &str| {
        let text = fs::read_to_string(dir.join(name)).ok()?;
        u16::from_str_radix(text.trim(), 16).ok()
    };
    device
        .ancestors()
        .take(USB_LEVELS_MAX)
        .find_map(|dir| {
            Some(UsbId { vendor: id(dir, "idVendor")?, product: id(dir, "idProduct")? })
        })
        .is_some_and(|found| ids.contains(&found))
}

fn serial(path: &Path, settings: LineSettings, leftovers: Leftovers) -> Result<Line, OpenError> {
    let parity = match settings.parity {
        Parity::None => tokio_serial::Parity::None,
        Parity::Even => tokio_serial::Parity::Even,
        Parity::Odd => tokio_serial::Parity::Odd,
    };
    let data_bits = match settings.data_bits {
        DataBits::Seven => tokio_serial::DataBits::Seven,
        DataBits::Eight => tokio_serial::DataBits::Eight,
    };
    let stop_bits = match settings.stop_bits {
        StopBits::One => tokio_serial::StopBits::One,
        StopBits::Two => tokio_serial::StopBits::Two,
    };
    let flow = match settings.flow {
        Flow::None => tokio_serial::FlowControl::None,
        Flow::Hardware => tokio_serial::FlowControl::Hardware,
        Flow::Software => tokio_serial::FlowControl::Software,
    };
    let open = || {
        let port = tokio_serial::new(path.to_string_lossy(), settings.baud)
            .parity(parity)
            .data_bits(data_bits)
            .stop_bits(stop_bits)
            .flow_control(flow)
            .open_native_async()?;
        if leftovers == Leftovers::Drop {
            port.clear(ClearBuffer::Input)?;
        }
        Ok(Line::Serial(port))
    };
    open().map_err(|source| OpenError::Port { path: path.to_owned(), source })
}

async fn connect(address: &str) -> Result<Line, OpenError> {
    let connected = match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(connected) => connected,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    connected
        .and_then(|stream| keep_alive(&stream).map(|()| Line::Tcp(stream)))
        .map_err(|source| OpenError::Connect { address: address.to_owned(), source })
}

fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let keep_alive = socket2::TcpKeepalive::new()
        .with_time(KEEP_ALIVE)
        .with_interval(KEEP_ALIVE)
        .with_retries(2);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keep_alive)?;
    stream.set_nodelay(true)
}

impl Line {
    /// Moves bytes one way: `outgoing` to the scanner, or what it sent into `incoming`, whichever goes first. Either may be
    /// empty, and is then left alone. Cancel safe.
    ///
    /// Readiness is asked for together with the bytes: tokio-serial's `readable` and `try_read` apart never notice that a port
    /// has been emptied, and are ready for ever.
    pub async fn moved(&mut self, incoming: &mut [u8], outgoing: &[u8]) -> io::Result<Moved> {
        poll_fn(|cx| match self {
            Self::Serial(port) => Pin::new(port).poll_moved(cx, incoming, outgoing),
            Self::Tcp(stream) => Pin::new(stream).poll_moved(cx, incoming, outgoing),
        })
        .await
    }
}

trait PollMoved: AsyncRead + AsyncWrite {
    /// Answers go first: they are few, and what waits for them scans on.
    fn poll_moved(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        incoming: &mut [u8],
        outgoing: &[u8],
    ) -> Poll<io::Result<Moved>> {
        if !outgoing.is_empty() {
            match self.as_mut().poll_write(cx, outgoing) {
                Poll::Ready(Ok(n @ 1..)) => return Poll::Ready(Ok(Moved::Out(n))),
                Poll::Ready(_) => return Poll::Ready(Ok(Moved::Deaf)),
                Poll::Pending => {}
            }
        }
        if !incoming.is_empty() {
            let mut buffer = ReadBuf::new(incoming);
            return match self.poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()))
                }
                Poll::Ready(Ok(())) => Poll::Ready(Ok(Moved::In(buffer.filled().len()))),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            };
        }
        Poll::Pending
    }
}

impl PollMoved for SerialStream {}
impl PollMoved for TcpStream {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const SCANNER: UsbId = UsbId { vendor: 0x05e0, product: 0x1701 };

    /// A terminal whose device lies so many folders below its USB device, as Linux has them.
    fn tty(root: &Path, name: &str, below: &str, id: UsbId) {
        let usb = root.join("devices").join(name);
        let device = usb.join(below);
        fs::create_dir_all(&device).unwrap();
        fs::write(usb.join("idVendor"), format!("{:04x}\n", id.vendor)).unwrap();
        fs::write(usb.join("idProduct"), format!("{:04x}\n", id.product)).unwrap();
        fs::create_dir_all(root.join("tty").join(name)).unwrap();
        symlink(device, root.join("tty").join(name).join("device")).unwrap();
    }

    #[test]
    fn a_port_is_found_by_what_its_usb_device_says_it_is() {
        let root = tempfile::tempdir().unwrap();
        let ttys = root.path().join("tty");
        assert_eq!(plugged_in(&ttys, &[SCANNER]), None);
        tty(root.path(), "ttyACM0", "1-1:1.0", UsbId { vendor: 0x1d6b, product: 2 });
        fs::create_dir(ttys.join("console")).unwrap();
        assert_eq!(plugged_in(&ttys, &[SCANNER]), None);
        tty(root.path(), "ttyUSB3", "1-2:1.0/ttyUSB3", SCANNER);
        assert_eq!(plugged_in(&ttys, &[SCANNER]), Some("/dev/ttyUSB3".into()));
        tty(root.path(), "ttyACM1", "1-3:1.0", SCANNER);
        assert_eq!(plugged_in(&ttys, &[SCANNER]), Some("/dev/ttyACM1".into()));
    }
}
