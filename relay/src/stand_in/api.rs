//! The provider's own interface: texts and calls are created, listed and fetched.

use super::Shared;
use super::book::{Entry, Kind};
use crate::hours::instant;
use crate::web::encoded;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest text, in characters.
const TEXT_CHARS_MAX: usize = 1_600;

/// Longest `TwiML` of a call, in characters.
const TWIML_CHARS_MAX: usize = 4_000;

/// Entries of a page of a list.
const PAGE_SIZE: usize = 50;
const PAGE_SIZE_MAX: usize = 1_000;

/// Longer than any client waits.
const NEVER: Duration = Duration::from_hours(1);

type Fields = Vec<(String, String)>;

/// A refusal as the API has them: its status, its code and its words.
pub(super) type Problem = (StatusCode, u32, &'static str);

const BAD: StatusCode = StatusCode::BAD_REQUEST;
const AWAY: Problem = (StatusCode::INTERNAL_SERVER_ERROR, 20_500, "Internal server error");

pub(super) async fn create_text(
    shared: State<Shared>,
    account: Path<String>,
    headers: HeaderMap,
    form: Form<Fields>,
) -> Response {
    create(&shared, &account, &headers, &form, Kind::Text).await
}

pub(super) async fn create_call(
    shared: State<Shared>,
    account: Path<String>,
    headers: HeaderMap,
    form: Form<Fields>,
) -> Response {
    create(&shared, &account, &headers, &form, Kind::Call).await
}

pub(super) async fn list_texts(
    shared: State<Shared>,
    account: Path<String>,
    headers: HeaderMap,
    query: Query<Fields>,
) -> Response {
    list(&shared, &account, &headers, &query, Kind::Text)
}

pub(super) async fn list_calls(
    shared: State<Shared>,
    account: Path<String>,
    headers: HeaderMap,
    query: Query<Fields>,
) -> Response {
    list(&shared, &account, &headers, &query, Kind::Call)
}

pub(super) async fn fetch(
    State(shared): State<Shared>,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = admitted(&shared, &account, &headers) {
        return problem(refused);
    }
    let sid = name.strip_suffix(".json").unwrap_or(&name);
    let found = shared.book.borrow().find(sid).map(|entry| resource(&shared, entry));
    match found {
        Some(found) => answer(StatusCode::OK, &found),
        None => problem((StatusCode::NOT_FOUND, 20_404, "The requested resource was not found")),
    }
}

async fn create(
    shared: &Shared,
    account: &str,
    headers: &HeaderMap,
    form: &Fields,
    kind: Kind,
) -> Response {
    if let Err(refused) = admitted(shared, account, headers) {
        return problem(refused);
    }
    let entry = match entry_of(shared, form, kind) {
        Ok(entry) => entry,
        Err(refused) => return problem(refused),
    };
    let mut outcome = Err(AWAY);
    shared.book.send_modify(|book| {
        book.n_asked += 1;
        let (settings, n) = (&book.settings, book.n_asked);
        outcome = if is_nth(n, settings.fail_before_every) {
            Err(AWAY)
        } else if let Some(code) = settings.refused.get(&entry.to) {
            Err((BAD, *code, "The 'To' number is refused"))
        } else if book.is_blocked(&entry.to) && kind == Kind::Text {
            Err((BAD, 21_610, "Attempt to send to unsubscribed recipient"))
        } else {
            book.accept(entry.clone()).map(|()| (book.settings.clone(), book.n_accepted)).map_err(
                |error| {
                    tracing::error!(%error, "The stand-in could not write what it was asked for.");
                    AWAY
                },
            )
        };
    });
    let (settings, n) = match outcome {
        Ok(accepted) => accepted,
        Err(refused) => return problem(refused),
    };
    if settings.die_after > 0 && n >= settings.die_after {
        std::process::abort();
    }
    let answered = resource(shared, &entry);
    shared.caller.see_through(entry);
    if is_nth(n, settings.stall_every) {
        tokio::time::sleep(NEVER).await;
    }
    tokio::time::sleep(Duration::from_millis(settings.answer_delay_ms)).await;
    if is_nth(n, settings.fail_after_every) {
        return problem(AWAY);
    }
    answer(StatusCode::CREATED, &answered)
}

const fn is_nth(n: u64, every: u64) -> bool {
    every > 0 && n.is_multiple_of(every)
}

/// Whether it is the account, and not too often.
fn admitted(shared: &Shared, account: &str, headers: &HeaderMap) -> Result<(), Problem> {
    let own = format!("{}:{}", shared.options.account, shared.options.token);
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Basic "));
    if given != Some(STANDARD.encode(own).as_str()) || account != shared.options.account {
        return Err((StatusCode::UNAUTHORIZED, 20_003, "Authenticate"));
    }
    let mut may = true;
    let second = shared.clock.now().seconds();
    shared.book.send_modify(|book| may = book.pace.admits(second, book.settings.rate_per_second));
    if may { Ok(()) } else { Err((StatusCode::TOO_MANY_REQUESTS, 20_429, "Too many requests")) }
}

fn entry_of(shared: &Shared, form: &Fields, kind: Kind) -> Result<Entry, Problem> {
    let field = |name: &str| {
        let found = form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    };
    let to = field("To").ok_or((BAD, 21_604, "A 'To' phone number is required"))?;
    let from = field("From").or_else(|| field("MessagingServiceSid"));
    let from = from.ok_or((BAD, 21_603, "A 'From' phone number is required"))?;
    let is_number = to.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if !is_number {
        return Err((BAD, 21_211, "The 'To' number is not a valid phone number"));
    }
    let (body, longest) = match kind {
        Kind::Text => {
            (field("Body").ok_or((BAD, 21_602, "Message body is required"))?, TEXT_CHARS_MAX)
        }
        Kind::Call => {
            (field("Twiml").ok_or((BAD, 21_205, "A Url or Twiml is required"))?, TWIML_CHARS_MAX)
        }
    };
    if body.chars().count() > longest {
        return Err((BAD, 21_617, "The body is too long"));
    }
    Ok(Entry {
        sid: new_sid(kind),
        kind,
        from: from.to_owned(),
        to: to.to_owned(),
        body: body.to_owned(),
        created: now(shared),
        status: "queued".to_owned(),
        error_code: None,
        callback: field("StatusCallback").map(str::to_owned),
        is_reply: false,
    })
}

/// A name that nothing else has.
pub(super) fn new_sid(kind: Kind) -> String {
    let [a, b] = [(); 2].map(|()| getrandom::u64().unwrap_or_default());
    format!("{}{a:016x}{b:016x}", kind.prefix())
}

/// Now, by the stand-in's clock.
pub(super) fn now(shared: &Shared) -> i64 {
    let ahead = shared.book.borrow().settings.clock_ahead_s.saturating_mul(1_000_000);
    shared.clock.now().0.saturating_add(ahead)
}

#[expect(clippy::significant_drop_tightening, reason = "what is told is of one moment")]
fn list(
    shared: &Shared,
    account: &str,
    headers: &HeaderMap,
    query: &Fields,
    kind: Kind,
) -> Response {
    if let Err(refused) = admitted(shared, account, headers) {
        return problem(refused);
    }
    let value =
        |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let number = |name: &str, otherwise: usize| {
        value(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (size, page) = (number("PageSize", PAGE_SIZE).clamp(1, PAGE_SIZE_MAX), number("Page", 0));
    let date = match kind {
        Kind::Text => "DateSent",
        Kind::Call => "StartTime",
    };
    let bound = |end: &str| value(&format!("{date}{end}")).map(|text| moment(text).ok_or(()));
    let bounds = [bound(""), bound("<"), bound(">")];
    if bounds.contains(&Some(Err(()))) {
        return problem((BAD, 20_001, "Invalid date"));
    }
    let [on, until, from] = bounds.map(|bound| bound.and_then(Result::ok));
    let fits = |entry: &&Entry| {
        entry.kind == kind
            && value("From").is_none_or(|from| entry.from == from)
            && on.is_none_or(|(first, last)| (first..=last).contains(&entry.created))
            && until.is_none_or(|(_, last)| entry.created <= last)
            && from.is_none_or(|(first, _)| entry.created >= first)
    };
    let mut entries: Vec<_> = {
        let book = shared.book.borrow();
        let found = book.newest_first(value("To")).filter(fits).skip(page.saturating_mul(size));
        found.take(size + 1).map(|entry| resource(shared, entry)).collect()
    };
    let has_more = entries.len() > size;
    entries.truncate(size);
    let (name, path) = match kind {
        Kind::Text => ("messages", "Messages"),
        Kind::Call => ("calls", "Calls"),
    };
    let next = has_more.then(|| next_page(shared, path, query, (size, page + 1)));
    answer(
        StatusCode::OK,
        &json!({name: entries, "page": page, "page_size": size, "next_page_uri": next}),
    )
}

fn next_page(shared: &Shared, path: &str, query: &Fields, (size, page): (usize, usize)) -> String {
    let kept = query.iter().filter(|(name, _)| name != "Page" && name != "PageSize");
    let mut kept: Vec<_> =
        kept.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    kept.push(format!("PageSize={size}&Page={page}"));
    let kept = kept.join("&");
    format!("/2010-04-01/Accounts/{}/{path}.json?{kept}", shared.options.account)
}

/// The first and the last microsecond of a day, or of an instant.
fn moment(text: &str) -> Option<(i64, i64)> {
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        let midnight = day.to_datetime(jiff::civil::Time::midnight());
        let first = instant(midnight, &jiff::tz::TimeZone::UTC)?.0;
        return Some((first, first + 86_400_000_000 - 1));
    }
    let at = text.parse::<Timestamp>().ok()?.as_microsecond();
    Some((at, at))
}

/// An entry as the API has it.
fn resource(shared: &Shared, entry: &Entry) -> Value {
    let at = Timestamp::from_microsecond(entry.created).ok();
    let at = at.and_then(|at| rfc2822::DateTimePrinter::new().timestamp_to_string(&at).ok());
    let account = &shared.options.account;
    let folder = match entry.kind {
        Kind::Text => "Messages",
        Kind::Call => "Calls",
    };
    let uri = format!("/2010-04-01/Accounts/{account}/{folder}/{}.json", entry.sid);
    let direction = if entry.is_reply { "outbound-reply" } else { "outbound-api" };
    let sent = (entry.status != "queued").then_some(&at);
    match entry.kind {
        Kind::Text => json!({
            "sid": entry.sid, "account_sid": account, "from": entry.from, "to": entry.to, "body": entry.body,
            "status": entry.status, "error_code": entry.error_code, "error_message": null, "date_created": at,
            "date_updated": at, "date_sent": sent, "direction": direction, "num_segments": "1", "price": null, "uri": uri,
        }),
        Kind::Call => json!({
            "sid": entry.sid, "account_sid": account, "from": entry.from, "to": entry.to, "status": entry.status,
            "date_created": at, "date_updated": at, "start_time": sent, "direction": direction, "answered_by": null,
            "price": null, "uri": uri,
        }),
    }
}

fn answer(status: StatusCode, value: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (status, headers, value.to_string()).into_response()
}

fn problem((status, code, message): Problem) -> Response {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    answer(
        status,
        &json!({"code": code, "message": message, "more_info": more, "status": status.as_u16()}),
    )
}
