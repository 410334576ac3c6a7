//! A browser's side of the pages: HTTP by hand over a plain connection or TLS, with one visitor's cookies.

use super::station::Station;
use super::{DEADLINE, eventually};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// What a form is sent as.
const FORM: &str = "application/x-www-form-urlencoded";

/// A connection of either kind.
trait Line: Read + Write + Send {}
impl<T: Read + Write + Send> Line for T {}

/// A visitor.
pub(crate) struct Web {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    /// Cookies by name.
    pub(crate) cookies: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// The token that the page's forms carry.
    #[track_caller]
    pub(crate) fn csrf(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

/// A stream of server-sent events.
pub(crate) struct Stream {
    line: BufReader<Box<dyn Line>>,
    pub(crate) head: Reply,
}

impl Stream {
    /// The next event that is no beat: its name and its value; none once the stream has ended.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<(String, serde_json::Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            // A stream that is cut is one that has ended.
            if !matches!(self.line.read_line(&mut line), Ok(n) if n > 0) {
                return None;
            }
            if let Some(event) = line.strip_prefix("event: ") {
                event.trim_end().clone_into(&mut name);
            }
            if let Some(text) = line.strip_prefix("data: ")
                && name != "beat"
            {
                return Some((name, serde_json::from_str(text).unwrap()));
            }
        }
    }

    /// The next scan.
    #[track_caller]
    pub(crate) fn scan(&mut self) -> serde_json::Value {
        loop {
            let (name, told) = self.next().unwrap();
            if name == "scan" {
                return told;
            }
        }
    }
}

impl Web {
    /// Somebody at the station's machine.
    #[track_caller]
    pub(crate) fn at(station: &Station) -> Self {
        let address = address(station);
        Self { address, tls: None, cookies: Vec::new() }
    }

    /// Somebody who comes by TLS and knows this certificate.
    #[track_caller]
    pub(crate) fn by_tls(station: &Station, certificate: &std::path::Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let address = SocketAddr::from(([127, 0, 0, 1], address(station).port()));
        Self { address, tls: Some(Arc::new(config)), cookies: Vec::new() }
    }

    /// Where a request is addressed to.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.host())
    }

    /// A connection that has said nothing.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// The page, if the connection was not closed for another one's sake.
    pub(crate) fn connect_and_get(&self, path: &str) -> Option<Reply> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        let host = self.host();
        let text = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let mut line = text.as_bytes();
        (!text.is_empty()).then(|| head(&mut line))
    }

    fn line(&self) -> Box<dyn Line> {
        let stream = self.connect();
        let Some(config) = &self.tls else { return Box::new(stream) };
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::clone(config), name).unwrap();
        Box::new(StreamOwned::new(client, stream))
    }

    /// Sends a request as it is, and reads the answer up to its end.
    #[track_caller]
    pub(crate) fn raw(&self, text: &str) -> Reply {
        let mut line = self.line();
        line.write_all(text.as_bytes()).unwrap();
        let mut line = BufReader::new(line);
        let mut reply = head(&mut line);
        let mut body = Vec::new();
        // A server that says `close` by TLS may close without a word.
        drop(line.read_to_end(&mut body));
        reply.body = String::from_utf8(body).unwrap();
        reply
    }

    fn cookie_line(&self) -> String {
        let pairs: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        if pairs.is_empty() { String::new() } else { format!("cookie: {}\r\n", pairs.join("; ")) }
    }

    /// A request with more header lines.
    #[track_caller]
    pub(crate) fn ask(&mut self, first: &str, more: &str, body: &str) -> Reply {
        let (host, cookies, length) = (self.host(), self.cookie_line(), body.len());
        let reply = self.raw(&format!(
            "{first} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{cookies}{more}content-length: {length}\r\n\r\n{body}"
        ));
        for (_, value) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, rest) = value.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value));
            }
        }
        reply
    }

    /// Looks at a page.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.ask(&format!("GET {path}"), "", "")
    }

    /// Sends a form as a browser does from a page that was just looked at.
    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let csrf = self.get("/signin").csrf();
        let fields: Vec<_> = fields.iter().chain(&[("csrf", csrf.as_str())]).copied().collect();
        let more = format!(
            "content-type: {FORM}\r\norigin: {}\r\nsec-fetch-site: same-origin\r\n",
            self.origin()
        );
        self.ask(&format!("POST {path}"), &more, &form(&fields))
    }

    /// Signs in.
    #[track_caller]
    pub(crate) fn sign_in(&mut self, operator: &str, secret: &str) -> Reply {
        self.post("/signin", &[("operator", operator), ("secret", secret)])
    }

    /// Opens the stream of events.
    #[track_caller]
    pub(crate) fn stream(&self) -> Stream {
        let mut line = self.line();
        let (host, cookies) = (self.host(), self.cookie_line());
        let text = format!("GET /events HTTP/1.1\r\nhost: {host}\r\n{cookies}\r\n");
        line.write_all(text.as_bytes()).unwrap();
        let mut line = BufReader::new(line);
        let head = head(&mut line);
        Stream { line, head }
    }
}

/// The fields as a form has them.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap();
    let encoded = |text: &str| -> String {
        text.bytes().flat_map(|byte| ['%', digit(byte >> 4), digit(byte & 15)]).collect()
    };
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join("&")
}

fn head(line: &mut impl std::io::BufRead) -> Reply {
    let mut status = String::new();
    line.read_line(&mut status).unwrap();
    let code = status.split(' ').nth(1).map(|code| code.parse().unwrap());
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        line.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Reply { status: code.unwrap_or(0), headers, body: String::new() }
}

/// Where the newest daemon of the station serves its pages.
#[track_caller]
fn address(station: &Station) -> SocketAddr {
    let mut found = None;
    eventually("the address of the pages", || {
        let log = station.log();
        let url = log.rsplit_once("url=\"").and_then(|(_, rest)| rest.split('"').next());
        let place = url.and_then(|url| url.split("//").nth(1));
        found = place.and_then(|place| place.trim_end_matches('/').parse().ok());
        found.is_some()
    });
    found.unwrap()
}

/// Lets this process have as many connections as the system does.
pub(crate) fn allow_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}
