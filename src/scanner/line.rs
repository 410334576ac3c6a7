//! A scanner's line: bytes to and from a serial port, a device node or a TCP connection.
//!
//! A port that is gone does not say so on Linux: it reads as zero bytes for ever. Zero bytes are the end of the line here, for
//! all transports, and whoever drives it opens it again.

use super::node::Node;
use super::plugged::{FindError, Machine, Which};
use super::profile::{DataBits, Flow, Line as LineSettings, Parity, StopBits, Transport};
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

/// A TCP peer that takes none of what it was sent is given up after this. Nobody asks it for a sign of life meanwhile, and without
/// a limit Linux sends an answer again and again for a quarter of an hour.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// What the library for serial ports makes of `EPERM`, which is what a service gets whose `DeviceAllow=` does not name a device.
const NOT_PERMITTED: &str = "Operation not permitted";

/// Why a line is not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Which device is meant cannot be told, or it is not plugged in.
    #[error(transparent)]
    Find(FindError),
    /// Nothing is at the path.
    #[error("{path} is not plugged in")]
    Gone {
        /// The path.
        path: PathBuf,
    },
    /// Something else is at the path.
    #[error("{path} is a {is} device, and the profile is for a {wanted} one")]
    Kind {
        /// The path.
        path: PathBuf,
        /// How it is read.
        is: &'static str,
        /// How the profile's scanners are read.
        wanted: &'static str,
    },
    /// It is not ours to open.
    #[error("no permission to open {path} (group {group}, mode {mode:04o}); {todo}")]
    Denied {
        /// The path.
        path: PathBuf,
        /// Its group.
        group: String,
        /// Its permission bits.
        mode: u32,
        /// What to do.
        todo: String,
    },
    /// Another program has it for itself.
    #[error("{path} is claimed by {holder}")]
    Claimed {
        /// The path.
        path: PathBuf,
        /// The program, as far as it is known.
        holder: String,
    },
    /// The operating system does not open it.
    #[error("cannot open {path}")]
    Device {
        /// The path.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
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
    /// A device of this machine.
    Device {
        /// Which.
        which: Which,
        /// How it is talked to.
        kind: Kind,
    },
    /// A Unix socket of packets, each of which is what one read of a scanner returns: a recording that is played.
    Socket {
        /// Its path.
        path: PathBuf,
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

/// How a device is talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// As a serial port.
    Serial(LineSettings),
    /// As an input device that types.
    Keyboard,
    /// As a HID device of the point-of-sale usage tables.
    HidPos {
        /// The feature report that it is sent as it is opened, its id first; empty for none.
        feature: Vec<u8>,
    },
}

/// An open line.
#[derive(Debug)]
pub enum Line {
    /// A serial port in raw mode.
    Serial(SerialStream),
    /// A device node, or a socket of packets.
    Node(Node),
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
    machine: Machine,
    listener: Option<TcpListener>,
    leftovers: Leftovers,
    /// Where it was found the last time.
    found: Option<PathBuf>,
    /// Who had it the last time. To find out takes a look at every process, which is not done twice a second.
    holder: Option<String>,
}

/// What to do with bytes that wait on a serial port as it is opened. No other device has any from before.
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
    pub fn new(place: Place) -> Self {
        Self::on(Machine::this(), place)
    }

    fn on(machine: Machine, place: Place) -> Self {
        let leftovers = Leftovers::Drop;
        Self { place, machine, listener: None, leftovers, found: None, holder: None }
    }

    /// Where it opens lines, for people.
    pub fn place(&self) -> String {
        match &self.place {
            Place::Device { which, .. } => match (which, &self.found) {
                (Which::Fits(_), Some(node)) => format!("{} ({which})", node.display()),
                _ => which.to_string(),
            },
            Place::Socket { path } => path.display().to_string(),
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
            Place::Connect { address } => connect(address).await.map(Opened::Line),
            Place::Listen { address, allow } => {
                let at = |source| OpenError::Listen { address: *address, source };
                let Some(listener) = &self.listener else {
                    return Err(at(io::ErrorKind::NotConnected.into()));
                };
                accept(listener, allow).await.map_err(at)
            }
            Place::Socket { path } => Node::connect(path)
                .map(|node| Opened::Line(Line::Node(node)))
                .map_err(|source| OpenError::Device { path: path.clone(), source }),
            Place::Device { which, kind } => {
                let attempt = Attempt {
                    machine: self.machine.clone(),
                    which: which.clone(),
                    kind: kind.clone(),
                    leftovers,
                    holder: self.holder.take(),
                };
                let joined = tokio::task::spawn_blocking(|| attempt.make()).await;
                let (holder, opened) = joined.map_err(|fault| OpenError::Device {
                    path: which.to_string().into(),
                    source: io::Error::other(fault),
                })?;
                self.holder = holder;
                let (path, line) = opened?;
                self.found = Some(path);
                Ok(Opened::Line(line))
            }
        }
    }
}

/// One attempt to open a device. Each of its steps may take as long as the device or the machine likes, and no other scanner waits
/// for it: it is made off the runtime's threads. If nobody waits for it any more, what it opened is closed.
struct Attempt {
    machine: Machine,
    which: Which,
    kind: Kind,
    leftovers: Leftovers,
    /// Who had it the last time.
    holder: Option<String>,
}

impl Attempt {
    /// Who has it now if another program does, and where the line is, with the line; within a runtime.
    fn make(mut self) -> (Option<String>, Result<(PathBuf, Line), OpenError>) {
        let opened = self.open();
        (self.holder, opened)
    }

    fn open(&mut self) -> Result<(PathBuf, Line), OpenError> {
        let Self { machine, which, kind, leftovers, holder } = self;
        let path = locate(machine, which, kind.transport())?;
        let opened = open_device(&path, kind, *leftovers);
        if !opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy) {
            *holder = None;
        }
        match opened {
            Ok(line) => Ok((path, line)),
            Err(source) => Err(why(machine, &path, kind.transport(), source, holder)),
        }
    }
}

impl Kind {
    const fn transport(&self) -> Transport {
        match self {
            Self::Serial(_) => Transport::Serial,
            Self::Keyboard => Transport::Keyboard,
            Self::HidPos { .. } => Transport::HidPos,
        }
    }
}

/// The path of the device that is meant.
fn locate(machine: &Machine, which: &Which, wanted: Transport) -> Result<PathBuf, OpenError> {
    match which {
        Which::Fits(selector) => {
            machine.find(wanted, selector).map(|device| device.node).map_err(OpenError::Find)
        }
        Which::Path(path) => match machine.transport_of(path) {
            Some(is) if is != wanted => {
                let (is, wanted) = (is.name(), wanted.name());
                Err(OpenError::Kind { path: path.clone(), is, wanted })
            }
            _ => Ok(path.clone()),
        },
    }
}

fn open_device(path: &Path, kind: &Kind, leftovers: Leftovers) -> io::Result<Line> {
    match kind {
        Kind::Serial(settings) => serial(path, *settings, leftovers).map(Line::Serial),
        Kind::Keyboard => Node::open_keyboard(path).map(Line::Node),
        Kind::HidPos { feature } => Node::open_hid(path, feature).map(Line::Node),
    }
}

/// Why a device that was looked for is not open.
fn why(
    machine: &Machine,
    path: &Path,
    transport: Transport,
    source: io::Error,
    holder: &mut Option<String>,
) -> OpenError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => OpenError::Gone { path },
        io::ErrorKind::ResourceBusy => {
            let unknown = || "another program".to_owned();
            let holder =
                holder.get_or_insert_with(|| machine.holder(&path).unwrap_or_else(unknown)).clone();
            OpenError::Claimed { path, holder }
        }
        io::ErrorKind::PermissionDenied => match machine.access(&path) {
            Some(access) => {
                let id = machine.plugged_at(transport, &path).and_then(|device| device.id);
                let todo = machine.permit(transport, id, &access);
                OpenError::Denied { path, group: access.group, mode: access.mode, todo }
            }
            None => OpenError::Device { path, source },
        },
        _ => OpenError::Device { path, source },
    }
}

fn serial(path: &Path, settings: LineSettings, leftovers: Leftovers) -> io::Result<SerialStream> {
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
        Ok(port)
    };
    open().map_err(plain)
}

/// What the operating system said before the library for serial ports put it into words.
fn plain(error: tokio_serial::Error) -> io::Error {
    let kind = match error.kind {
        // It stands for a port that another program has for itself.
        tokio_serial::ErrorKind::NoDevice => io::ErrorKind::ResourceBusy,
        tokio_serial::ErrorKind::Io(kind) => kind,
        tokio_serial::ErrorKind::Unknown if error.description == NOT_PERMITTED => {
            io::ErrorKind::PermissionDenied
        }
        tokio_serial::ErrorKind::Unknown | tokio_serial::ErrorKind::InvalidInput => {
            io::ErrorKind::Other
        }
    };
    io::Error::new(kind, error.description)
}

async fn accept(listener: &TcpListener, allow: &[IpAddr]) -> io::Result<Opened> {
    let (stream, peer) = listener.accept().await?;
    if !allow.is_empty() && !allow.contains(&peer.ip().to_canonical()) {
        return Ok(Opened::TurnedAway(peer.ip()));
    }
    keep_alive(&stream)?;
    Ok(Opened::Line(Line::Tcp(stream)))
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
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_keepalive(&keep_alive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    stream.set_nodelay(true)
}

impl Line {
    /// Whether one that sends no more may still take its answers.
    pub const fn may_be_half_closed(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// Drops what the scanner did not take: closing a serial port waits for it, half a minute by default (`closing_wait`).
    pub fn discard(&self) {
        if let Self::Serial(port) = self
            && let Err(error) = port.clear(ClearBuffer::Output)
        {
            tracing::debug!(error = crate::event::chain(&error), "A port cannot be emptied.");
        }
    }

    /// Moves bytes one way: `outgoing` to the scanner, or what it sent into `incoming`, whichever goes first. Either may be
    /// empty, and is then left alone. Cancel safe.
    ///
    /// Readiness is asked for together with the bytes: tokio-serial's `readable` and `try_read` apart never notice that a port
    /// has been emptied, and are ready for ever.
    pub async fn moved(&mut self, incoming: &mut [u8], outgoing: &[u8]) -> io::Result<Moved> {
        poll_fn(|cx| match self {
            Self::Serial(port) => Pin::new(port).poll_moved(cx, incoming, outgoing),
            Self::Node(node) => Pin::new(node).poll_moved(cx, incoming, outgoing),
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
impl PollMoved for Node {}
impl PollMoved for TcpStream {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::chain;
    use crate::scanner::made_up::{LETTERS, MadeUp, Usb};
    use crate::scanner::plugged::Selector;
    use crate::scanner::profile::{Profile, UsbId};
    use crate::scanner::pty::Pty;

    const SCANNER: UsbId = UsbId { vendor: 0x05e0, product: 0x1701 };
    const ONE: Usb<'_> = Usb { port: "1-1", id: SCANNER, serial: "S1" };

    fn serial_kind() -> Kind {
        let profile = Profile::parse(Profile::built_in("generic-serial").unwrap()).unwrap();
        Kind::Serial(profile.line.unwrap())
    }

    fn opener(made_up: &MadeUp, which: Which, kind: Kind) -> Opener {
        Opener::on(made_up.machine(), Place::Device { which, kind })
    }

    /// Why it does not open, with the made-up machine's folder left out.
    async fn refused(made_up: &MadeUp, opener: &mut Opener) -> String {
        chain(&opener.open().await.unwrap_err()).replace(made_up.path("").to_str().unwrap(), "/")
    }

    #[tokio::test]
    async fn a_device_is_opened_once_it_is_plugged_in() {
        let made_up = MadeUp::new();
        let fits = Selector { ids: vec![SCANNER], ..Selector::default() };
        let mut opener = opener(&made_up, Which::Fits(fits), serial_kind());
        let absent = "no serial device 05e0:1701 is plugged in";
        assert_eq!(refused(&made_up, &mut opener).await, absent);
        assert_eq!(opener.place(), "05e0:1701");
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        let pty = Pty::open().unwrap();
        std::fs::remove_file(made_up.path("dev/ttyACM0")).unwrap();
        made_up.link("dev/ttyACM0", pty.path());
        assert!(matches!(opener.open().await.unwrap(), Opened::Line(Line::Serial(_))));
        let node = made_up.path("dev/ttyACM0");
        assert_eq!(opener.place(), format!("{} (05e0:1701)", node.display()));
    }

    /// What the machine does not tell at once, it tells a thread that nobody else waits for.
    #[tokio::test]
    async fn a_machine_that_is_slow_to_tell_keeps_nobody_waiting() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        let pty = Pty::open().unwrap();
        std::fs::remove_file(made_up.path("dev/ttyACM0")).unwrap();
        made_up.link("dev/ttyACM0", pty.path());
        let maker = made_up.path(made_up.usb(ONE).join("manufacturer"));
        std::fs::remove_file(&maker).unwrap();
        let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, &maker, fifo, mode, 0).unwrap();
        let fits = Selector { ids: vec![SCANNER], ..Selector::default() };
        let mut opener = opener(&made_up, Which::Fits(fits), serial_kind());
        let told = async {
            let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
            while rustix::fs::open(&maker, flags, rustix::fs::Mode::empty()).is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = opener.open() => panic!("it was not told yet"),
            () = told => {}
        }
        // What that attempt still opens, it closes.
        std::fs::remove_file(&maker).unwrap();
        std::fs::write(&maker, "Symbol").unwrap();
        let line = loop {
            match opener.open().await {
                Err(OpenError::Claimed { .. }) => {}
                other => break other,
            }
        };
        assert!(matches!(line.unwrap(), Opened::Line(Line::Serial(_))));
    }

    #[tokio::test]
    async fn a_path_of_another_kind_is_not_opened() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        made_up.keyboard("event3", Usb { port: "1-2", ..ONE }, 0, LETTERS);
        for (path, kind, expected) in [
            (
                "dev/ttyACM0",
                Kind::Keyboard,
                "is a serial device, and the profile is for a keyboard one",
            ),
            (
                "dev/input/event3",
                serial_kind(),
                "is a keyboard device, and the profile is for a serial one",
            ),
            ("dev/ttyACM7", serial_kind(), "is not plugged in"),
        ] {
            let mut opener = opener(&made_up, Which::Path(made_up.path(path)), kind);
            assert_eq!(refused(&made_up, &mut opener).await, format!("/{path} {expected}"));
        }
    }

    #[test]
    fn who_has_a_device_and_what_to_do_is_told() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        let node = made_up.path("dev/ttyACM0");
        made_up.file("proc/4000000/comm", "modem\u{1b}\n");
        made_up.link("proc/4000000/fd/3", &node);
        let mut holder = None;
        let mut told = |kind: io::ErrorKind| {
            let why = why(&made_up.machine(), &node, Transport::Serial, kind.into(), &mut holder);
            chain(&why).replace(made_up.path("").to_str().unwrap(), "/")
        };
        let claimed = "/dev/ttyACM0 is claimed by modem\\u{1b} (process 4000000)";
        assert_eq!(told(io::ErrorKind::ResourceBusy), claimed);
        std::fs::remove_file(made_up.path("proc/4000000/fd/3")).unwrap();
        assert_eq!(told(io::ErrorKind::ResourceBusy), claimed);
        let denied = told(io::ErrorKind::PermissionDenied);
        assert!(denied.starts_with("no permission to open /dev/ttyACM0 (group "), "{denied}");
        let todo =
            "; install 60-ballot-intake.rules into /usr/lib/udev/rules.d, then plug it in again";
        assert!(denied.ends_with(todo), "{denied}");
        assert_eq!(told(io::ErrorKind::TimedOut), "cannot open /dev/ttyACM0: timed out");
    }

    #[tokio::test]
    async fn what_a_serial_port_says_is_told_apart() {
        let pty = Pty::open().unwrap();
        let Kind::Serial(settings) = serial_kind() else { panic!("no serial port") };
        let open = |path: &Path| serial(path, settings, Leftovers::Drop).map_err(|e| e.kind());
        // The clerk's own lock is in the way, and not that of a process.
        let first = open(pty.path()).unwrap();
        assert_eq!(open(pty.path()).unwrap_err(), io::ErrorKind::ResourceBusy);
        drop(first);
        assert!(open(pty.path()).is_ok());
        let none = pty.path().with_file_name("none");
        assert_eq!(open(&none).unwrap_err(), io::ErrorKind::NotFound);
        let not_permitted =
            tokio_serial::Error::new(tokio_serial::ErrorKind::Unknown, NOT_PERMITTED);
        assert_eq!(plain(not_permitted).kind(), io::ErrorKind::PermissionDenied);
    }

    #[tokio::test]
    async fn a_peer_that_dies_is_found_out_whether_it_is_owed_an_answer_or_not() {
        let scanner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = scanner.local_addr().unwrap();
        let mut connects = Opener::new(Place::Connect { address: address.to_string() });
        let listen = Place::Listen { address: "127.0.0.1:0".parse().unwrap(), allow: Vec::new() };
        let mut listens = Opener::new(listen);
        listens.listen().await.unwrap();
        let peer = TcpStream::connect(listens.listening().unwrap()).await.unwrap();
        for opener in [&mut connects, &mut listens] {
            let Opened::Line(Line::Tcp(stream)) = opener.open().await.unwrap() else {
                panic!("no connection")
            };
            let socket = socket2::SockRef::from(&stream);
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_MAX));
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEP_ALIVE);
        }
        drop(peer);
    }

    #[tokio::test]
    async fn packets_move_both_ways() {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scanner");
        let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None);
        let listener = listener.unwrap();
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        let mut opener = Opener::new(Place::Socket { path });
        let Opened::Line(mut line) = opener.open().await.unwrap() else { panic!("turned away") };
        let scanner = rustix::net::accept(&listener).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(rustix::io::write(&scanner, b"report"), Ok(6));
        assert_eq!(line.moved(&mut buffer, b"answer").await.unwrap(), Moved::Out(6));
        assert_eq!(line.moved(&mut buffer, b"").await.unwrap(), Moved::In(6));
        assert_eq!(rustix::io::read(&scanner, &mut buffer), Ok(6));
        drop(scanner);
        assert_eq!(line.moved(&mut [], b"answer").await.unwrap(), Moved::Deaf);
        let gone = line.moved(&mut buffer, b"").await.unwrap_err();
        assert!(matches!(
            gone.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
        ));
    }
}
