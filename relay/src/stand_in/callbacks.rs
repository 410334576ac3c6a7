//! What becomes of what was accepted, told to whoever asked to hear it; and what the relay is asked when a text comes in.

use super::Options;
use super::book::{Book, Entry, Kind};
use super::settings::{End, Settings};
use super::sign::{HEADER, signature};
use crate::web::encoded;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Callbacks on their way at a time.
const CALLBACKS_MAX: usize = 32;

/// For whoever is called back to answer, as the real provider waits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest answer that is looked at.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Calls back.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    client: reqwest::Client,
    options: Arc<Options>,
    book: Arc<watch::Sender<Book>>,
    room: Arc<Semaphore>,
}

/// Why nothing can be heard of whoever was called.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("cannot be reached")]
    Away(#[source] reqwest::Error),
    #[error("answered {0}")]
    Refused(u16),
    #[error("the answer is too long")]
    TooLong,
}

impl Caller {
    pub(super) fn new(
        options: &Arc<Options>,
        book: Arc<watch::Sender<Book>>,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().build()?;
        let room = Arc::new(Semaphore::new(CALLBACKS_MAX));
        Ok(Self { client, options: Arc::clone(options), book, room })
    }

    /// Goes on with everything that has not come to its end.
    pub(super) fn go_on(&self) {
        let unfinished: Vec<_> = {
            let book = self.book.borrow();
            book.newest_first(None)
                .filter(|entry| !is_final(entry, &book.settings))
                .cloned()
                .collect()
        };
        for entry in unfinished {
            self.see_through(entry);
        }
    }

    /// Takes something that was accepted to its end, in a task of its own.
    pub(super) fn see_through(&self, entry: Entry) {
        let caller = self.clone();
        drop(tokio::spawn(async move { caller.follow(entry).await }));
    }

    async fn follow(self, entry: Entry) {
        let settings = self.book.borrow().settings.clone();
        let mut told = Vec::new();
        for (status, error_code) in ahead(&entry, &settings) {
            tokio::time::sleep(Duration::from_millis(settings.callback_delay_ms)).await;
            let mut written = Ok(());
            self.book.send_modify(|book| written = book.became(&entry.sid, &status, error_code));
            if let Err(error) = written {
                tracing::error!(%error, "A status of the stand-in could not be written.");
                return;
            }
            if !settings.callbacks {
                continue;
            }
            if settings.callback_reorder {
                told.insert(0, (status, error_code));
            } else {
                self.tell(&entry, &status, error_code, &settings).await;
            }
        }
        for (status, error_code) in told {
            self.tell(&entry, &status, error_code, &settings).await;
        }
    }

    async fn tell(
        &self,
        entry: &Entry,
        status: &str,
        error_code: Option<u32>,
        settings: &Settings,
    ) {
        let Some(url) = &entry.callback else { return };
        // Of a call only its end is told, unless more was asked for.
        if entry.kind == Kind::Call && !is_last(entry.kind, status) {
            return;
        }
        let fields = self.status_fields(entry, status, error_code);
        for _ in 0..=settings.callback_repeats {
            let is_lost =
                getrandom::u32().unwrap_or_default() % 100 < settings.callback_lose_percent.into();
            if is_lost {
                continue;
            }
            if let Err(error) = self.post(url, &fields).await {
                tracing::debug!(%error, "A callback of the stand-in was not taken.");
            }
        }
    }

    fn status_fields(
        &self,
        entry: &Entry,
        status: &str,
        error_code: Option<u32>,
    ) -> Vec<(String, String)> {
        let sid = entry.sid.as_str();
        let named: &[(&str, &str)] = match entry.kind {
            Kind::Text => &[
                ("MessageSid", sid),
                ("SmsSid", sid),
                ("MessageStatus", status),
                ("SmsStatus", status),
            ],
            Kind::Call => &[("CallSid", sid), ("CallStatus", status), ("AnsweredBy", "human")],
        };
        let common = [
            ("AccountSid", self.options.account.as_str()),
            ("ApiVersion", "2010-04-01"),
            ("From", &entry.from),
            ("To", &entry.to),
        ];
        let mut fields = owned(named.iter().chain(&common));
        fields.extend(error_code.map(|code| ("ErrorCode".to_owned(), code.to_string())));
        fields
    }

    /// Posts a signed form; what is answered.
    pub(super) async fn post(
        &self,
        url: &str,
        fields: &[(String, String)],
    ) -> Result<String, PostError> {
        let _room = self.room.acquire().await;
        let body = form(fields);
        let mut response = self
            .client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header(HEADER, signature(&self.options.token, url, fields))
            .body(body)
            .send()
            .await
            .map_err(PostError::Away)?;
        if !response.status().is_success() {
            return Err(PostError::Refused(response.status().as_u16()));
        }
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(PostError::Away)? {
            text.extend_from_slice(&piece);
            if text.len() > ANSWER_BYTES_MAX {
                return Err(PostError::TooLong);
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Pairs that live longer.
pub(super) fn owned<'p>(
    pairs: impl IntoIterator<Item = &'p (&'p str, &'p str)>,
) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Fields as a form has them.
fn form(fields: &[(String, String)]) -> String {
    let pairs: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

/// The statuses that are still to come.
fn ahead(entry: &Entry, settings: &Settings) -> Vec<(String, Option<u32>)> {
    let way = entry.kind.way();
    let end = settings.ends.get(&entry.to);
    let mut steps: Vec<(String, Option<u32>)> =
        way.iter().map(|status| ((*status).to_owned(), None)).collect();
    if let Some(End { status, error_code }) = end {
        let last = way.iter().position(|known| known == status).unwrap_or(way.len() - 1);
        steps.truncate(last);
        steps.push((status.clone(), *error_code));
    }
    let passed = steps.iter().position(|(status, _)| *status == entry.status);
    steps.split_off(passed.map_or(0, |place| place + 1))
}

fn is_final(entry: &Entry, settings: &Settings) -> bool {
    is_last(entry.kind, &entry.status) || ahead(entry, settings).is_empty()
}

fn is_last(kind: Kind, status: &str) -> bool {
    let ends: &[&str] = match kind {
        Kind::Text => &["delivered", "undelivered", "failed"],
        Kind::Call => &["completed", "busy", "no-answer", "failed", "canceled"],
    };
    ends.contains(&status)
}
