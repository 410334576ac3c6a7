//! E-mail over TLS: the server proves who it is before the relay says a password or a word of a voter.

use crate::doors::{authority, certificate};
use crate::killed::{first_line, kill};
use crate::rig::{Rig, event, eventually, written};
use ballot_relay::clock::{Clock as _, SystemClock};
use ballot_relay::news::Channel;
use crossbeam_channel::{Receiver, Sender, bounded};
use relay_wire::Status::Received;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// `AUTH PLAIN` of the user `relay` with the password `a password of mail`.
const LOGIN: &str = "AUTH PLAIN AHJlbGF5AGEgcGFzc3dvcmQgb2YgbWFpbA==";

/// What the server saw.
#[derive(Debug, PartialEq, Eq)]
enum Saw {
    /// A line of the client before TLS.
    Clear(String),
    /// TLS was not begun: the client did not like the certificate.
    NoTls,
    /// A message, after a login over TLS.
    Mail(String),
}

/// A server whose authority nobody knows gets no login and no message; a known one gets both, over TLS alone.
#[test]
fn a_mail_server_proves_who_it_is_before_it_is_told_anything() {
    let mut rig = Rig::sqlite();
    let dir = rig.folder.path().to_owned();
    authority(&dir);
    certificate(&dir, "server");
    let (address, saw) = start(&dir);
    written(&dir, "mail.password", "a password of mail");
    rig.without = &["email"];
    rig.more = format!(
        "[email]\nserver = 'localhost:{}'\nuser = 'relay'\npassword_file = '{}/mail.password'\n\
         from = 'Boulder County <no-reply@example.org>'\nreturn_domain = 'bounce.example.org'\n",
        address.port(),
        dir.display()
    );
    let now = SystemClock.now().rfc3339();
    let world = rig.quiet(&now);
    world.voter("1", &[(Channel::Email, "ana@example.org")]);
    world.take(&event("1", Received, 1, &now));
    drop(world);
    written(&dir, "relay.toml", &rig.config(None, None));
    std::fs::create_dir(dir.join("other")).unwrap();
    authority(&dir.join("other"));
    let mut seen = Vec::new();
    for (known, expected) in [("other/ca.crt", Saw::NoTls), ("ca.crt", Saw::Mail("1.0".to_owned()))]
    {
        let _relay = Relay::run(&dir, known);
        eventually("a connection", || {
            seen.extend(saw.try_iter());
            seen.contains(&expected)
        });
    }
    let clear: Vec<_> = seen.iter().filter(|one| matches!(one, Saw::Clear(_))).collect();
    let (hello, tls) = ("EHLO bounce.example.org".to_owned(), "STARTTLS".to_owned());
    assert!(
        clear.iter().all(|one| [Saw::Clear(hello.clone()), Saw::Clear(tls.clone())].contains(one)),
        "{clear:?}"
    );
}

/// A relay of its own process; it is killed when this goes.
struct Relay(Option<Child>);

impl Relay {
    fn run(dir: &Path, known: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ballot-relay"))
            .arg("run")
            .arg("--config")
            .arg(dir.join("relay.toml"))
            .env("SSL_CERT_FILE", dir.join(known))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let line = first_line(&mut child);
        let relay = Self(Some(child));
        assert!(line.starts_with("ready"), "{line}");
        relay
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        kill(self.0.take());
    }
}

fn start(dir: &Path) -> (SocketAddr, Receiver<Saw>) {
    let chain = vec![CertificateDer::from_pem_file(dir.join("server.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (config, (tx, saw)) = (Arc::new(config), bounded(10_000));
    let serve = move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away leaves a broken line.
            if let Err(error) = converse(&stream, &config, &tx) {
                tracing::debug!(%error, "A line broke.");
            }
        }
    };
    thread::Builder::new().name("tls-sink".to_owned()).spawn(serve).unwrap();
    (address, saw)
}

/// In the clear until `STARTTLS`, and no more than that.
fn converse(stream: &TcpStream, config: &Arc<ServerConfig>, tx: &Sender<Saw>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    { stream }.write_all(b"220 sink\r\n")?;
    loop {
        let line = line(&mut reader)?;
        tx.send(Saw::Clear(line.clone())).map_err(io::Error::other)?;
        match line.get(..4).unwrap_or_default() {
            "EHLO" => { stream }.write_all(b"250-sink\r\n250 STARTTLS\r\n")?,
            "STAR" => break,
            _ => { stream }.write_all(b"530 5.7.0 first STARTTLS\r\n")?,
        }
    }
    { stream }.write_all(b"220 go on\r\n")?;
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let secured = secured(BufReader::new(StreamOwned::new(connection, stream.try_clone()?)), tx);
    if secured.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::InvalidData) {
        tx.send(Saw::NoTls).map_err(io::Error::other)?;
    }
    secured
}

fn secured<S: Read + Write>(mut stream: BufReader<S>, tx: &Sender<Saw>) -> io::Result<()> {
    let mut is_known = false;
    loop {
        let said = line(&mut stream)?;
        let mut answer = |text: &str| {
            stream.get_mut().write_all(format!("{text}\r\n").as_bytes())?;
            stream.get_mut().flush()
        };
        match said.get(..4).unwrap_or_default() {
            "EHLO" => answer("250-sink\r\n250 AUTH PLAIN")?,
            "AUTH" if said == LOGIN => {
                is_known = true;
                answer("235 2.7.0 welcome")?;
            }
            "DATA" if is_known => {
                answer("354 go on")?;
                let mut version = String::new();
                loop {
                    let line = line(&mut stream)?;
                    if let Some(value) = line.strip_prefix("MIME-Version: ") {
                        value.clone_into(&mut version);
                    }
                    if line == "." {
                        break;
                    }
                }
                tx.send(Saw::Mail(version)).map_err(io::Error::other)?;
                stream.get_mut().write_all(b"250 taken\r\n")?;
                stream.get_mut().flush()?;
            }
            _ if is_known => answer("250 OK")?,
            _ => answer("530 5.7.0 who are you")?,
        }
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
