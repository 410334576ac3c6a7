//! A mail server that keeps what it is given, for the demonstration: SMTP without more (RFC 5321), on the loopback interface.

use mail_parser::{HeaderValue, MessageParser};
use serde::Serialize;
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// Letters that are kept; the oldest make way.
const LETTERS_MAX: usize = 1_000;

/// Longest letter, in bytes.
const LETTER_BYTES_MAX: usize = 1 << 20;

/// Longest line, in bytes.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Connections at a time.
const CONNECTIONS_MAX: usize = 32;

/// For the next line.
const LINE_TIMEOUT: Duration = Duration::from_mins(1);

/// A letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// Whom the envelope names as the sender.
    pub return_path: String,
    /// Whom the envelope is for.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its plain text.
    pub text: String,
    /// `Message-ID`.
    pub message_id: String,
    /// Where a POST ends it.
    pub unsubscribe: Option<String>,
}

impl Mail {
    fn read(return_path: &str, to: &str, bytes: &[u8]) -> Self {
        let parsed = MessageParser::default().parse(bytes);
        let message = parsed.as_ref();
        let unsubscribe = message.and_then(|message| match message.header("List-Unsubscribe") {
            Some(HeaderValue::Address(address)) => {
                address.first().and_then(|address| address.address()).map(str::to_owned)
            }
            Some(HeaderValue::Text(text)) => Some(text.to_string()),
            _ => None,
        });
        Self {
            return_path: return_path.to_owned(),
            to: to.to_owned(),
            subject: message.and_then(|message| message.subject()).unwrap_or_default().to_owned(),
            text: message.and_then(|message| message.body_text(0)).unwrap_or_default().into_owned(),
            message_id: message
                .and_then(|message| message.message_id())
                .unwrap_or_default()
                .to_owned(),
            unsubscribe,
        }
    }

    /// What can be clicked in it.
    pub fn links(&self) -> Vec<&str> {
        let words = self.text.split_whitespace();
        words.filter(|word| word.starts_with("http://") || word.starts_with("https://")).collect()
    }
}

/// All letters; clones are the same.
#[derive(Debug, Clone)]
pub struct PostBox(Arc<watch::Sender<VecDeque<Mail>>>);

impl Default for PostBox {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(VecDeque::new())))
    }
}

impl PostBox {
    /// What came, the newest first.
    pub fn newest_first(&self) -> Vec<Mail> {
        self.0.borrow().iter().rev().cloned().collect()
    }

    fn keep(&self, letter: Mail) {
        self.0.send_modify(|letters| {
            if letters.len() >= LETTERS_MAX {
                letters.pop_front();
            }
            letters.push_back(letter);
        });
    }

    /// Takes a free port of the loopback interface, and mail on it for as long as the runtime lasts.
    pub async fn open(&self) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let own = self.clone();
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        drop(tokio::spawn(async move {
            while let Ok(place) = Arc::clone(&room).acquire_owned().await {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let own = own.clone();
                drop(tokio::spawn(async move {
                    if let Err(error) = own.converse(stream).await {
                        tracing::debug!(%error, "A mail connection ended early.");
                    }
                    drop(place);
                }));
            }
        }));
        Ok(address)
    }

    async fn converse(&self, stream: TcpStream) -> io::Result<()> {
        let mut line = BufReader::new(stream);
        line.write_all(b"220 stand-in ESMTP\r\n").await?;
        let (mut sender, mut recipients) = (String::new(), Vec::new());
        while let Some(said) = next_line(&mut line).await? {
            let said = String::from_utf8_lossy(&said).trim_end().to_owned();
            let verb = said.get(..4).unwrap_or(&said).to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" => "250-stand-in\r\n250-8BITMIME\r\n250 SMTPUTF8",
                "HELO" | "NOOP" => "250 OK",
                "MAIL" => {
                    sender = address_in(&said);
                    recipients.clear();
                    "250 OK"
                }
                "RCPT" => {
                    recipients.push(address_in(&said));
                    "250 OK"
                }
                "RSET" => {
                    recipients.clear();
                    "250 OK"
                }
                "DATA" if recipients.is_empty() => "503 Nobody to give it to",
                "DATA" => {
                    line.write_all(b"354 Go on\r\n").await?;
                    let Some(letter) = letter(&mut line).await? else { return Ok(()) };
                    for to in recipients.drain(..) {
                        self.keep(Mail::read(&sender, &to, &letter));
                    }
                    "250 Kept"
                }
                "QUIT" => {
                    return line.write_all(b"221 Goodbye\r\n").await;
                }
                _ => "502 Not known here",
            };
            line.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}

/// What stands between the angle brackets.
fn address_in(said: &str) -> String {
    let inner = said.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(address, _)| address.to_owned()).unwrap_or_default()
}

/// The next line with its end; none once there is no more.
async fn next_line(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut limited = stream.take(LINE_BYTES_MAX);
    let n = timeout(LINE_TIMEOUT, limited.read_until(b'\n', &mut bytes)).await??;
    Ok((n > 0 && bytes.ends_with(b"\n")).then_some(bytes))
}

/// The lines up to the one with a dot alone; none where it is too long or breaks off.
async fn letter(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut letter = Vec::new();
    while let Some(line) = next_line(stream).await? {
        if line == b".\r\n" {
            return Ok(Some(letter));
        }
        letter.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        if letter.len() > LETTER_BYTES_MAX {
            return Ok(None);
        }
    }
    Ok(None)
}
