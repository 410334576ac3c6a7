//! Hands one message to one provider, and says what became of it as far as is known.
//!
//! No provider here has an idempotency key: what was handed over twice is sent twice. So every failure is told apart by one question:
//! may the provider have taken it? Only where it certainly did not is [`Outcome::NotSent`] or [`Outcome::Refused`]; all else is
//! [`Outcome::Unknown`], and nothing is sent again before that is resolved.

pub(crate) mod code;
pub(crate) mod email;
pub(crate) mod provider;

use crate::clock::Micros;
use crate::config::Config;
use crate::news::{Channel, Kind};
use crate::template::Said;
use std::time::Duration;

pub use code::Class;

/// The name of the bucket that a number or a mail server empties.
pub(crate) fn bucket(channel: Channel, sender: &str) -> String {
    format!("{channel}:{sender}")
}

/// One message to one address: a committed attempt.
#[derive(Clone)]
pub struct Message {
    /// The attempt.
    pub attempt: String,
    /// Its notice; also the stable part of an e-mail's `Message-ID`.
    pub notice: String,
    /// The kind of news.
    pub kind: Kind,
    /// The channel.
    pub channel: Channel,
    /// Where to.
    pub address: String,
    /// In which language.
    pub language: String,
    /// What is said.
    pub said: Said,
    /// How long the provider may hold it back.
    pub valid_for: Duration,
    /// When it was written.
    pub at: Micros,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The rest is the voter's.
        f.debug_struct("Message").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

/// What became of a call of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken, under the provider's id.
    Accepted {
        /// The provider's id.
        provider_id: String,
        /// Its first word.
        status: String,
    },
    /// The provider certainly did not take it; it may be tried again.
    NotSent {
        /// A code of ours or of the provider.
        why: String,
        /// When the provider would like to be asked again.
        after: Option<Duration>,
        /// Whether it is about the account or the connection, and so about every message.
        of: Trouble,
    },
    /// The provider said no to this message.
    Refused {
        /// Its code.
        code: String,
        /// Who must act.
        class: Class,
    },
    /// It may have been taken or not.
    Unknown {
        /// A code of ours.
        why: String,
    },
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// This message.
    Message,
    /// The way to the provider, or its load: it passes.
    Way,
    /// The account: somebody must come.
    Account,
}

/// The channels that are configured.
#[derive(Debug, Clone)]
pub struct Channels {
    /// E-mail.
    pub email: Option<email::Mailer>,
    /// Texts.
    pub text: Option<provider::Provider>,
    /// Calls.
    pub voice: Option<provider::Provider>,
}

/// Why a channel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// E-mail.
    #[error("e-mail cannot be set up")]
    Email(#[source] email::MailerError),
    /// The client of the provider cannot be made.
    #[error("the provider's client cannot be set up")]
    Client(#[source] reqwest::Error),
}

impl Channels {
    /// Sets up what is configured.
    pub fn new(config: &Config) -> Result<Self, ChannelError> {
        let provider = |of: &Option<crate::config::Provider>, channel| {
            of.as_ref()
                .map(|provider| provider::Provider::new(config, provider, channel))
                .transpose()
                .map_err(ChannelError::Client)
        };
        let email = config.email.as_ref().map(|email| email::Mailer::new(config, email));
        Ok(Self {
            email: email.transpose().map_err(ChannelError::Email)?,
            text: provider(&config.text, Channel::Text)?,
            voice: provider(&config.voice, Channel::Voice)?,
        })
    }
}

/// One line to a provider: calls follow one another on it.
#[derive(Debug)]
pub enum Line {
    /// An SMTP connection.
    Email(Box<email::Line>),
    /// The provider's API.
    Provider(provider::Provider),
}

impl Line {
    /// Hands the message over.
    pub async fn hand_over(&mut self, message: &Message) -> Outcome {
        match self {
            Self::Email(line) => line.hand_over(message).await,
            Self::Provider(provider) => provider.create(message).await,
        }
    }
}
