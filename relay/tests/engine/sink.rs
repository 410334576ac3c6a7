//! A mail server that keeps what it took, and takes its time to say so.

use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// E-mails that are kept.
const MAILS_MAX: usize = 100_000;

/// An e-mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) return_path: String,
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Mail {
    /// A header's value, unfolded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self
            .text
            .split("\n\n")
            .next()
            .unwrap_or_default()
            .replace("\n ", " ")
            .replace("\n\t", " ");
        let prefix = format!("{}:", name.to_lowercase());
        head.lines()
            .find(|line| line.to_lowercase().starts_with(&prefix))
            .and_then(|line| Some(line.get(prefix.len()..)?.trim().to_owned()))
    }
}

/// What goes wrong at the server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manners {
    /// Between taking a message and saying so.
    pub(crate) delay: Duration,
    /// The answers to `RCPT` of some recipients, in place of `250`.
    pub(crate) recipient: &'static [(&'static str, &'static str)],
    /// The answers to `DATA` of a message to them, in place of `354`; then no message comes.
    pub(crate) message: &'static [(&'static str, &'static str)],
}

fn answer_to(to: &str, answers: &[(&'static str, &'static str)]) -> Option<&'static str> {
    answers.iter().find(|(address, _)| *address == to).map(|(_, answer)| *answer)
}

/// The server.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    taken: Receiver<Mail>,
}

impl Sink {
    pub(crate) fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tx, taken) = bounded(MAILS_MAX);
        named("sink", move || {
            for stream in listener.incoming().flatten() {
                let (tx, manners) = (tx.clone(), manners.clone());
                named("sink-line", move || {
                    // A client that was killed leaves a broken line.
                    if let Err(error) = converse(&stream, &tx, &manners) {
                        tracing::debug!(%error, "A line broke.");
                    }
                });
            }
        });
        Self { address, taken }
    }

    /// What came since the last look.
    pub(crate) fn take(&self) -> Vec<Mail> {
        self.taken.try_iter().collect()
    }
}

fn named(name: &str, body: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.to_owned()).spawn(body).unwrap();
}

fn converse(stream: &TcpStream, tx: &Sender<Mail>, manners: &Manners) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let say = |text: &str| { stream }.write_all(format!("{text}\r\n").as_bytes());
    say("220 sink")?;
    let (mut return_path, mut to) = (String::new(), String::new());
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let address = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        match line.get(..4).unwrap_or_default().to_uppercase().as_str() {
            "EHLO" => say("250-sink\r\n250 8BITMIME")?,
            "MAIL" => {
                return_path = address();
                say("250 OK")?;
            }
            "RCPT" => {
                to = address();
                say(answer_to(&to, manners.recipient).unwrap_or("250 OK"))?;
            }
            "DATA" => {
                if let Some(refusal) = answer_to(&to, manners.message) {
                    say(refusal)?;
                    continue;
                }
                say("354 go on")?;
                let text = message(&mut reader)?;
                let mail = Mail { return_path: return_path.clone(), to: to.clone(), text };
                tx.send(mail).map_err(io::Error::other)?;
                if crossbeam_channel::after(manners.delay).recv().is_err() {
                    return Ok(());
                }
                say("250 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 OK")?,
        }
    }
}

/// The message up to its last line; a line that broke off before is none.
fn message(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end_matches(['\r', '\n']) {
            "." => return Ok(text),
            rest => {
                text.push_str(rest.strip_prefix('.').unwrap_or(rest));
                text.push('\n');
            }
        }
    }
}
