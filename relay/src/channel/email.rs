//! The one door to lettre: e-mail to the county's own mail server.
//!
//! A message has a `Message-ID` that is its notice's, so that a mailbox that got it twice can tell; a return path that is its attempt's, so
//! that a bounce names it; and one-click unsubscribe (RFC 8058), which the signature covers. It is not known whether the server took a
//! message only while its last line is on the way: all before that is certainly not sent.

use super::{Class, Message, Outcome, Trouble};
use crate::config::{self, Config, Security};
use crate::key::{Keys, Purpose};
use lettre::Address;
use lettre::address::AddressError;
use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm,
    DkimSigningKey, DkimSigningKeyError,
};
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message as Mail};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as From, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

/// Messages on one connection.
const MESSAGES_MAX: u32 = 100;
/// The headers that the signature covers: those that RFC 8058 asks for among them.
const SIGNED: [&str; 11] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Reply-To",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Auto-Submitted",
];

/// Writes e-mails and hands them over. Clones share what they know, not their connections.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    email: config::Email,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    dkim: Option<DkimConfig>,
    hello: ClientId,
    public_url: String,
    keys: Keys,
    call_timeout: Duration,
}

/// Why e-mail cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The sender or the address for answers is none.
    #[error("from or reply_to is no address")]
    Sender(#[source] AddressError),
    /// The signing key is none.
    #[error("the DKIM key is no RSA key in PKCS#1 PEM")]
    Key(#[source] DkimSigningKeyError),
}

/// Why a message cannot be written.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("the address cannot be written")]
    Address(#[source] AddressError),
    #[error("the message cannot be written")]
    Mail(#[source] lettre::error::Error),
}

impl Mailer {
    /// Reads addresses and key.
    pub fn new(config: &Config, email: &config::Email) -> Result<Self, MailerError> {
        let mailbox = |text: &str| text.parse().map_err(MailerError::Sender);
        let dkim = match &email.dkim {
            None => None,
            Some(dkim) => {
                let key = DkimSigningKey::new(&dkim.key, DkimSigningAlgorithm::Rsa)
                    .map_err(MailerError::Key)?;
                let relaxed = DkimCanonicalization {
                    header: DkimCanonicalizationType::Relaxed,
                    body: DkimCanonicalizationType::Relaxed,
                };
                let headers = SIGNED.map(HeaderName::new_from_ascii_str).to_vec();
                let (selector, domain) = (dkim.selector.clone(), dkim.domain.clone());
                Some(DkimConfig::new(selector, domain, key, headers, relaxed))
            }
        };
        Ok(Self(Arc::new(Inner {
            from: mailbox(&email.from)?,
            reply_to: email.reply_to.as_deref().map(mailbox).transpose()?,
            dkim,
            hello: ClientId::Domain(email.return_domain.clone()),
            public_url: config.public_url.clone(),
            keys: config.keys.clone(),
            call_timeout: config.sending.call_timeout,
            email: email.clone(),
        })))
    }

    /// A line of its own.
    pub fn line(&self) -> Line {
        Line { mailer: self.clone(), open: None, n_sent: 0 }
    }

    /// The return path of an attempt: `bounce+<attempt>.<tag>@...`.
    fn return_path(&self, attempt: &str) -> Result<Address, AddressError> {
        let attempt = attempt.replace('-', "");
        let tag = self.0.keys.address_tag(Purpose::Bounce, &attempt);
        Address::new(format!("bounce+{attempt}.{tag}"), &self.0.email.return_domain)
    }

    fn write(&self, message: &Message) -> Result<(Address, Vec<u8>), WriteError> {
        let Inner { email, from, reply_to, dkim, public_url, keys, .. } = &*self.0;
        let to: Address = message.address.parse().map_err(WriteError::Address)?;
        let seconds = u64::try_from(message.at.seconds()).unwrap_or(0);
        let mut builder = Mail::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(message.said.subject.clone())
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .message_id(Some(format!("<{}@{}>", message.notice, email.return_domain)))
            .header(MIME_VERSION_1_0)
            .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN);
        if let Some(reply_to) = reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        if !message.kind.is_answer() {
            let tag = keys.tag(Purpose::Unsubscribe, &message.notice);
            let link = format!("<{public_url}/unsubscribe/{}/{tag}>", message.notice);
            builder = builder.raw_header(header("List-Unsubscribe", link)).raw_header(header(
                "List-Unsubscribe-Post",
                "List-Unsubscribe=One-Click".to_owned(),
            ));
        }
        let mut mail = builder.body(message.said.body.clone()).map_err(WriteError::Mail)?;
        if let Some(dkim) = dkim {
            mail.sign(dkim);
        }
        Ok((to, mail.formatted()))
    }
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The attempt of a bounce's recipient, if the address is one of our return paths: `bounce+<attempt>.<tag>@...`.
pub(crate) fn bounced_attempt(keys: &Keys, recipient: &str) -> Option<String> {
    let (mailbox, _) = recipient.trim_matches(['<', '>', ' ']).rsplit_once('@')?;
    let (attempt, tag) = mailbox
        .to_lowercase()
        .strip_prefix("bounce+")?
        .split_once('.')
        .map(|(attempt, tag)| (attempt.to_owned(), tag.to_owned()))?;
    if !keys.verify_address(Purpose::Bounce, &attempt, &tag) {
        return None;
    }
    uuid::Uuid::parse_str(&attempt).ok().map(|id| id.to_string())
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("email", &self.0.email).finish_non_exhaustive()
    }
}

/// One connection, opened when it is needed.
pub struct Line {
    mailer: Mailer,
    open: Option<AsyncSmtpConnection>,
    n_sent: u32,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("n_sent", &self.n_sent).finish_non_exhaustive()
    }
}

impl Line {
    pub(super) async fn hand_over(&mut self, message: &Message) -> Outcome {
        let (to, mail) = match self.mailer.write(message) {
            Ok(written) => written,
            Err(error) => {
                tracing::warn!(attempt = message.attempt, error = %error, "An e-mail was not written.");
                return Outcome::Refused { code: "address".to_owned(), class: Class::BadAddress };
            }
        };
        let Ok(return_path) = self.mailer.return_path(&message.attempt) else {
            return Outcome::Refused { code: "return_domain".to_owned(), class: Class::Ours };
        };
        let limit = self.mailer.0.call_timeout;
        // All before the message itself is certainly not sent, however it ends.
        let mut connection = match timeout(limit / 2, self.ready(return_path, to)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(stopped)) => return stopped,
            Err(_late) => return not_sent("timeout", Trouble::Way),
        };
        match timeout(limit / 2, connection.message(&mail)).await {
            Ok(Ok(_taken)) => {
                self.n_sent += 1;
                if self.n_sent < MESSAGES_MAX {
                    self.open = Some(connection);
                }
                Outcome::Accepted { provider_id: message.notice.clone(), status: "sent".to_owned() }
            }
            // A reply is a reply: the server did not take it.
            Ok(Err(error)) if error.is_transient() || error.is_permanent() => {
                judged(&error, Stage::Message)
            }
            Ok(Err(_broken)) => Outcome::Unknown { why: "broken".to_owned() },
            Err(_late) => Outcome::Unknown { why: "timeout".to_owned() },
        }
    }

    /// A connection on which the server waits for the message itself.
    async fn ready(
        &mut self,
        return_path: Address,
        to: Address,
    ) -> Result<AsyncSmtpConnection, Outcome> {
        let mut kept = self.open.take();
        if let Some(open) = &mut kept
            && !open.test_connected().await
        {
            kept = None;
        }
        let mut connection = if let Some(open) = kept {
            open
        } else {
            self.n_sent = 0;
            self.connect().await.map_err(|error| judged(&error, Stage::Connect))?
        };
        let from = From::new(Some(return_path), vec![]);
        connection.command(from).await.map_err(|error| judged(&error, Stage::Connect))?;
        if let Err(error) = connection.command(Rcpt::new(to, vec![])).await {
            connection.abort().await;
            return Err(judged(&error, Stage::Recipient));
        }
        // The server took sender and recipient: a refusal now is about this message.
        if let Err(error) = connection.command(Data).await {
            connection.abort().await;
            return Err(judged(&error, Stage::Message));
        }
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let Inner { email, hello, call_timeout, .. } = &*self.mailer.0;
        let tls = |wanted: bool| {
            wanted.then(|| TlsParameters::new_rustls(email.host.clone())).transpose()
        };
        let server = (email.host.as_str(), email.port);
        let wrapped = tls(email.security == Security::Wrapped)?;
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(*call_timeout), hello, wrapped, None)
                .await?;
        if let Some(tls) = tls(email.security == Security::Required)? {
            connection.starttls(tls, hello).await?;
        }
        if let Some((user, password)) = &email.credentials {
            let credentials = Credentials::new(user.clone(), password.clone());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }
}

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connect,
    Recipient,
    Message,
}

fn not_sent(why: &str, of: Trouble) -> Outcome {
    Outcome::NotSent { why: why.to_owned(), after: None, of }
}

/// What a reply before the end of a message means.
fn judged(error: &Error, stage: Stage) -> Outcome {
    let Some(code) = error.status() else { return not_sent("connect", Trouble::Way) };
    let enhanced = error.source().and_then(|reply| enhanced(&reply.to_string()));
    let code = enhanced.unwrap_or_else(|| code.to_string());
    if error.is_transient() {
        let of = if stage == Stage::Connect { Trouble::Way } else { Trouble::Message };
        return not_sent(&code, of);
    }
    match stage {
        // The server refuses us, not the voter's address.
        Stage::Connect => not_sent(&code, Trouble::Account),
        // 550 alone may be about the mailbox, or about us: it parks nothing.
        Stage::Recipient => Outcome::Refused { class: refused(&code), code },
        Stage::Message => Outcome::Refused { code, class: Class::Ours },
    }
}

/// Who must act on a recipient's final refusal, by its status of RFC 3463. 5.1.7 and 5.1.8 are about the sender's address, which is ours.
pub(crate) fn refused(status: &str) -> Class {
    if matches!(status, "5.1.7" | "5.1.8") {
        Class::Ours
    } else if status.starts_with("5.1.") {
        Class::BadAddress
    } else if status.starts_with("5.2.") {
        Class::TryLater
    } else {
        Class::Ours
    }
}

/// The status of RFC 3463 in a reply: `5.1.1`.
fn enhanced(reply: &str) -> Option<String> {
    reply
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .find(|word| {
            let parts: Vec<_> = word.split('.').collect();
            parts.len() == 3
                && matches!(parts.first(), Some(&("4" | "5")))
                && parts.iter().all(|part| (1..=3).contains(&part.len()))
        })
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_path_leads_back_to_its_attempt_and_to_nothing_else() {
        let keys = Keys::parse(&Keys::generate().unwrap()).unwrap();
        let attempt = "0190f8a2-7b64-7c3e-9d53-1f0a5c2e7b11";
        let plain = attempt.replace('-', "");
        let tag = keys.address_tag(Purpose::Bounce, &plain);
        let address = format!("<Bounce+{}.{tag}@example.org>", plain.to_uppercase());
        assert_eq!(bounced_attempt(&keys, &address).as_deref(), Some(attempt));
        let mailbox = format!("bounce+{plain}.{tag}");
        assert!(mailbox.len() <= 64, "{}", mailbox.len());
        for forged in [
            format!("bounce+{plain}.00000000000000000000@example.org"),
            format!("bounce+{plain}@example.org"),
            format!("{plain}.{tag}@example.org"),
            String::new(),
        ] {
            assert_eq!(bounced_attempt(&keys, &forged), None, "{forged}");
        }
    }

    #[test]
    fn the_enhanced_status_is_found_in_a_reply() {
        for (reply, expected) in [
            ("550 5.1.1 <a@b>: Recipient address rejected", Some("5.1.1")),
            ("permanent error (550): 5.7.26 no", Some("5.7.26")),
            ("192.0.2.1 said no", None),
            ("", None),
        ] {
            assert_eq!(enhanced(reply).as_deref(), expected, "{reply}");
        }
    }
}
