//! A relay that misbehaves on demand, for the tests: real HTTP on the loopback interface, on a thread of its own, so that tests
//! may be synchronous. Signatures are judged by the `standardwebhooks` crate, which is not ours.

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use standardwebhooks::Webhook;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc as replies;
use std::thread;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// The secret that attempts must be signed with.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How long a test waits for what must come; only a failing test waits so long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// What the relay does with an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// Takes it: 204.
    Ok,
    /// Answers with this status.
    Refuse(u16),
    /// Answers this id with this status and takes all others.
    RefuseOne(String, u16),
    /// Answers 429 and asks for so many seconds.
    RetryAfter(u64),
    /// Never answers.
    Hang,
    /// Takes it, then closes the connection without an answer.
    CloseAfterAccept,
    /// Answers 307, to itself.
    Redirect,
}

/// One attempt, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// `webhook-id`.
    pub(crate) id: String,
    /// `webhook-timestamp`.
    pub(crate) timestamp: String,
    /// Why the signature is none; nothing when it is one.
    pub(crate) forgery: Option<String>,
    /// The body.
    pub(crate) body: String,
    /// How the relay behaved then.
    pub(crate) behavior: Behavior,
    /// Whether the relay took it, whatever the sender heard of that.
    pub(crate) accepted: bool,
}

/// The relay; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    behavior: watch::Sender<Behavior>,
    attempts: watch::Receiver<Vec<Attempt>>,
    commands: Option<mpsc::Sender<Order>>,
    runtime: Handle,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Down,
    Up,
}

#[derive(Debug)]
struct Order {
    command: Command,
    done: replies::SyncSender<()>,
}

impl Relay {
    /// Starts a relay on a free port.
    pub(crate) fn start(behavior: Behavior) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let reserved = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = reserved.local_addr().unwrap();
        let (behavior, behavior_rx) = watch::channel(behavior);
        let (attempts_tx, attempts) = watch::channel(Vec::new());
        let (commands, commands_rx) = mpsc::channel(1);
        let handle = runtime.handle().clone();
        let desk = Desk { address, behavior: behavior_rx, attempts: attempts_tx };
        let listener = opened(address, &runtime);
        let thread = thread::Builder::new()
            .name("test-relay".to_owned())
            .spawn(move || {
                runtime.block_on(serve(listener, desk, commands_rx));
                // Held as long as the relay lives, so that no one else is given the port while the relay is down.
                drop(reserved);
            })
            .unwrap();
        let commands = Some(commands);
        Self { address, behavior, attempts, commands, runtime: handle, thread: Some(thread) }
    }

    /// Where it takes events.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    /// From now on it does this.
    pub(crate) fn behave(&self, behavior: Behavior) {
        self.behavior.send_replace(behavior);
    }

    /// Closes the port and every connection; connecting is refused.
    pub(crate) fn down(&self) {
        self.command(Command::Down);
    }

    /// Opens the same port again.
    pub(crate) fn up(&self) {
        self.command(Command::Up);
    }

    /// All attempts so far.
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.borrow().clone()
    }

    /// Those that it took.
    pub(crate) fn accepted(&self) -> Vec<Attempt> {
        accepted(&self.attempts())
    }

    /// Waits until the attempts fit; not to be called within a runtime.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, fits: impl Fn(&[Attempt]) -> bool) -> Vec<Attempt> {
        let mut attempts = self.attempts.clone();
        let waited = self.runtime.block_on(async {
            let waiting = attempts.wait_for(|attempts| fits(attempts));
            tokio::time::timeout(DEADLINE, waiting).await.map(|seen| seen.unwrap().clone())
        });
        waited.unwrap_or_else(|_| panic!("{what} did not come: {:#?}", self.attempts()))
    }

    fn command(&self, command: Command) {
        let (done, wait) = replies::sync_channel(1);
        let commands = self.commands.as_ref().unwrap();
        commands.try_send(Order { command, done }).unwrap();
        wait.recv_timeout(DEADLINE).unwrap();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || thread::panicking(), "the test's relay failed");
        }
    }
}

/// Those of the attempts that the relay took.
pub(crate) fn accepted(attempts: &[Attempt]) -> Vec<Attempt> {
    attempts.iter().filter(|attempt| attempt.accepted).cloned().collect()
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

fn opened(address: SocketAddr, runtime: &Runtime) -> TcpListener {
    runtime.block_on(async { listening(address) })
}

fn listening(address: SocketAddr) -> TcpListener {
    bound(address).listen(128).unwrap()
}

#[derive(Clone)]
struct Desk {
    address: SocketAddr,
    behavior: watch::Receiver<Behavior>,
    attempts: watch::Sender<Vec<Attempt>>,
}

async fn serve(listener: TcpListener, desk: Desk, mut commands: mpsc::Receiver<Order>) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                None => return,
                Some(Order { command: Command::Down, done }) => {
                    listener = None;
                    connections.shutdown().await;
                    done.send(()).unwrap();
                }
                Some(Order { command: Command::Up, done }) => {
                    listener.get_or_insert_with(|| listening(desk.address));
                    done.send(()).unwrap();
                }
            },
            stream = accept(listener.as_ref()) => {
                connections.spawn(converse(stream, desk.clone()));
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    match listener {
        Some(listener) => listener.accept().await.unwrap().0,
        None => std::future::pending().await,
    }
}

async fn converse(stream: TcpStream, desk: Desk) {
    let service = service_fn(|request| answer(request, desk.clone()));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // How a connection ends is the test's doing: the attempts tell what came over it.
    drop(connection.await);
}

async fn answer(request: Request<Incoming>, desk: Desk) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let behavior = desk.behavior.borrow().clone();
    let id = header(&head.headers, "webhook-id");
    let accepted = match &behavior {
        Behavior::Ok | Behavior::CloseAfterAccept => true,
        Behavior::RefuseOne(refused, _) => *refused != id,
        Behavior::Refuse(_) | Behavior::RetryAfter(_) | Behavior::Hang | Behavior::Redirect => {
            false
        }
    };
    let forgery = Webhook::new(SECRET).unwrap().verify(&body, &head.headers).err();
    let attempt = Attempt {
        id,
        timestamp: header(&head.headers, "webhook-timestamp"),
        forgery: forgery.map(|error| error.to_string()),
        body: String::from_utf8(body.to_vec()).map_err(io::Error::other)?,
        behavior: behavior.clone(),
        accepted,
    };
    desk.attempts.send_modify(|attempts| attempts.push(attempt));
    match behavior {
        Behavior::Ok => Ok(response(204)),
        Behavior::RefuseOne(..) if accepted => Ok(response(204)),
        Behavior::Refuse(status) | Behavior::RefuseOne(_, status) => Ok(response(status)),
        Behavior::RetryAfter(seconds) => {
            let mut response = response(429);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            Ok(response)
        }
        Behavior::Hang => std::future::pending().await,
        Behavior::CloseAfterAccept => Err(io::Error::other("it closes without an answer")),
        Behavior::Redirect => {
            let mut response = response(307);
            response.headers_mut().insert(LOCATION, HeaderValue::from_static("/elsewhere"));
            Ok(response)
        }
    }
}

fn response(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}
