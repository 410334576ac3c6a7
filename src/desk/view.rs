//! What is on the board as a page tells it: in words of one language, with the reason first and what to do then.

use super::board::{Board, Seen, Works};
use super::words::Words;
use crate::clock::{Micros, Zone};
use crate::coded::Coded;
use crate::config::Run;
use crate::control::roster::Standing;
use crate::ledger::{BY_HAND, Who};
use crate::reason::Reason;
use crate::scan::{Fill, Tone, Verdict};
use axum::body::Bytes;
use serde::Serialize;
use std::time::Duration;

/// A change that is so much older than its hold-back should be with the relay.
const PATIENCE: Duration = Duration::from_mins(5);

/// What the ledger says of a scan, and the key of its words.
const DETAILS: [(&str, &str); 17] = [
    ("codes of two elections", "detail.two_elections"),
    ("codes of two ballots", "detail.two_ballots"),
    ("several open ballots of this voter", "detail.several_open"),
    ("matches no envelope format", "detail.no_format"),
    ("longer than a frame may be", "detail.overlong"),
    ("no symbol found", "detail.no_symbol"),
    ("a command sheet of another version: print a new one", "detail.sheet_version"),
    ("a damaged command code: scan it again, or print a new sheet", "detail.sheet_damaged"),
    ("a command sheet of another station", "detail.sheet_of_another"),
    ("no code that this station printed: it is damaged or made up", "detail.sheet_made_up"),
    ("a command sheet that is not good any more: print a new one", "detail.sheet_stale"),
    ("a damaged badge: scan it again", "detail.badge_damaged"),
    ("no operator has this badge", "detail.badge_of_nobody"),
    ("several codes at once: cover all but one", "detail.several_codes"),
    ("nobody has signed in at this scanner", "detail.nobody_here"),
    ("a supervisor is called", "detail.supervisor_called"),
    ("scan on", "detail.scan_on"),
];

/// The same where something varies: what stands before and after it.
const DETAILS_AROUND: [(&str, &str, &str); 6] = [
    ("the check of ", " fails", "detail.check"),
    ("was due ", "", "detail.was_due"),
    ("was to be cured until ", "", "detail.was_to_be_cured"),
    ("by ", "", "detail.by_format"),
    ("", ": not this office's ballot mail", "detail.not_ballot_mail"),
    ("", ": the capture is no id", "detail.no_id"),
];

/// What stays the same for all that is told.
#[derive(Debug, Clone)]
pub(super) struct Tell {
    pub(super) zone: Zone,
    pub(super) station: String,
    pub(super) run: Run,
    /// How long a change is held back from the relay; none where nothing is forwarded.
    pub(super) hold_back: Option<Duration>,
    pub(super) marks_nothing: bool,
}

/// A scan.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ScanView {
    pub(super) number: u64,
    pub(super) verdict: &'static str,
    /// `good`, `notice`, `bad`, `alarm`, `command` or `found`: colour, shape and tone.
    pub(super) tone: &'static str,
    /// Three words.
    pub(super) says: String,
    /// Why, as far as more is to be said.
    pub(super) why: Option<String>,
    /// What to do.
    pub(super) todo: Option<String>,
    pub(super) ballot: Option<String>,
    pub(super) scanner: String,
    /// Batch and position.
    pub(super) place: Option<String>,
    pub(super) time: String,
    /// What it said that names no ballot.
    pub(super) text: Option<String>,
}

/// Something that somebody should see to.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Trouble {
    /// `alarm` or `warning`.
    pub(super) level: &'static str,
    pub(super) says: String,
}

/// The station as it stands.
#[derive(Debug, Clone, Serialize)]
pub(super) struct StateView {
    pub(super) practice: bool,
    pub(super) day: String,
    pub(super) day_scans: i64,
    pub(super) day_good: i64,
    pub(super) day_notice: i64,
    pub(super) day_bad: i64,
    pub(super) batch: Option<String>,
    pub(super) batch_scans: i64,
    /// What its scans do, and how its envelopes came.
    pub(super) batch_about: Option<String>,
    pub(super) troubles: Vec<Trouble>,
    /// What is not with the relay, in a sentence.
    pub(super) unsent: String,
}

/// What a page is told.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// Which daemon tells it, at the begin of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    daemon: Option<i64>,
    /// Whether the newest scan is this daemon's last verdict, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_verdict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scan: Option<ScanView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scans: Option<Vec<ScanView>>,
    state: StateView,
}

/// What happened, before it is put into words.
pub(super) struct News<'b> {
    pub(super) board: &'b Board,
    /// The scan that just came.
    pub(super) scan: Option<&'b Seen>,
    pub(super) tell: &'b Tell,
}

impl ScanView {
    /// What stands for its tone where there is no colour.
    pub(super) fn mark(&self) -> &'static str {
        match self.tone {
            "good" => "\u{25cf}",
            "notice" | "found" => "\u{25b2}",
            _ => "\u{25a0}",
        }
    }
}

impl News<'_> {
    /// As an event of a stream of server-sent events.
    pub(super) fn as_sent(&self, words: Words<'_>) -> Bytes {
        let scan = self.scan.map(|seen| self.tell.scan(seen, words));
        let (name, number) = match &scan {
            Some(scan) => ("scan", scan.number),
            None => ("state", 0),
        };
        let state = self.tell.state(self.board, words);
        sent(name, number, &Told { daemon: None, has_verdict: None, scan, scans: None, state })
    }
}

/// An event of a stream of server-sent events. JSON has no line end.
fn sent(name: &str, number: u64, told: &Told) -> Bytes {
    let text = serde_json::to_string(told).unwrap_or_default();
    let id = if number > 0 { format!("id: {number}\n") } else { String::new() };
    format!("{id}event: {name}\ndata: {text}\n\n").into()
}

/// The tone of a verdict on the page.
pub(super) const fn tone_of(verdict: Verdict) -> &'static str {
    match (verdict, verdict.tone()) {
        (Verdict::Found, _) => "found",
        (_, Tone::Own) => "command",
        (_, Tone::Good) => "good",
        (_, Tone::Notice) => "notice",
        (_, Tone::Bad) => "bad",
        (_, Tone::Fault) => "alarm",
    }
}

impl Tell {
    /// All that a page shows, for the begin of a stream: a page that heard another daemon before must not take this one's list for a
    /// verdict.
    pub(super) fn hello(&self, board: &Board, words: Words<'_>) -> Bytes {
        let (daemon, has_verdict) = (Some(board.began.0), Some(board.has_verdict()));
        sent("hello", 0, &Told { daemon, has_verdict, ..self.all(board, words) })
    }

    /// All that a page shows.
    pub(super) fn all(&self, board: &Board, words: Words<'_>) -> Told {
        let scans = board.scans.iter().map(|seen| self.scan(seen, words)).collect();
        let state = self.state(board, words);
        Told { daemon: None, has_verdict: None, scan: None, scans: Some(scans), state }
    }

    /// A scan in words.
    pub(super) fn scan(&self, seen: &Seen, words: Words<'_>) -> ScanView {
        let verdict = seen.verdict.name();
        let place = (seen.position > 0)
            .then(|| format!("{}-{} \u{b7} {}", self.station, seen.batch, seen.position));
        ScanView {
            number: seen.number,
            verdict,
            tone: tone_of(seen.verdict),
            says: words.of(&format!("verdict.{verdict}.says")).to_owned(),
            why: self.why(seen, words),
            todo: todo(seen, words),
            ballot: seen.ballot.clone(),
            scanner: scanner(&seen.scanner, words),
            place,
            time: self.zone.date_time(seen.at),
            text: seen.text.clone(),
        }
    }

    fn why(&self, seen: &Seen, words: Words<'_>) -> Option<String> {
        let detail = seen.reason.as_deref().map(|reason| detail(reason, words));
        let earlier = seen.earlier.as_ref().map(|earlier| {
            let (at, by) = (self.zone.date_time(earlier.at), earlier.by.as_str());
            match earlier.batch {
                Some(batch) => {
                    let batch = format!("{}-{batch}", self.station);
                    words
                        .with("detail.earlier_batch", &[("at", &at), ("by", by), ("batch", &batch)])
                }
                None => words.with("detail.earlier", &[("at", &at), ("by", by)]),
            }
        });
        let said: Vec<_> = detail.into_iter().chain(earlier).collect();
        (!said.is_empty()).then(|| said.join(" \u{b7} "))
    }

    /// The station in words.
    pub(super) fn state(&self, board: &Board, words: Words<'_>) -> StateView {
        let now = &board.now;
        let of_tone = |tone: &str| {
            let is_of = |name: &str| Verdict::from_name(name).is_some_and(|v| tone_of(v) == tone);
            now.scans.iter().filter(|(name, _)| is_of(name)).map(|(_, n)| n).sum()
        };
        StateView {
            practice: self.run == Run::Practice,
            day: now.day.clone(),
            day_scans: now.scans.values().sum(),
            day_good: of_tone("good"),
            day_notice: of_tone("notice"),
            day_bad: of_tone("bad"),
            batch: now.batch.as_ref().map(|batch| batch.batch.clone()),
            batch_scans: now.batch.as_ref().map_or(0, |batch| batch.scans),
            batch_about: now.batch.as_ref().filter(|batch| !batch.mode.is_empty()).map(|batch| {
                let mode = words.of(&format!("mode.{}", batch.mode)).to_owned();
                let by = words.of(&format!("received_by.{}", batch.received_by)).to_owned();
                format!("{mode} \u{b7} {by}")
            }),
            troubles: self.troubles(board, words),
            unsent: self.unsent(board, words),
        }
    }

    fn troubles(&self, board: &Board, words: Words<'_>) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let mut add = |level, says: String| troubles.push(Trouble { level, says });
        if board.writing == Works::Not {
            add("alarm", words.of("trouble.ledger").to_owned());
        }
        if board.reading == Works::Not {
            add("alarm", words.of("trouble.reading").to_owned());
        }
        for scanner in &board.scanners {
            let name = [("name", scanner.scanner.as_str())];
            if scanner.state == Standing::Away {
                add("alarm", words.with("trouble.scanner", &name));
            }
            if let Some(at) = scanner.called {
                let (at, name) = (self.zone.date_time(at), &*scanner.scanner);
                let values = [("name", name), ("at", &at)];
                add("warning", words.with("trouble.called", &values));
            }
            if scanner.is_locked {
                add("warning", words.with("trouble.locked", &name));
            }
        }
        if self.marks_nothing {
            add("warning", words.of("trouble.marks_nothing").to_owned());
        }
        let set_aside = board.now.outbox.get("set_aside").copied().unwrap_or(0);
        if set_aside > 0 {
            add("warning", words.with("trouble.set_aside", &[("n", &set_aside.to_string())]));
        }
        if let (Some(hold_back), Some(oldest)) = (self.hold_back, board.now.oldest)
            && board.at.since(oldest) > hold_back.saturating_add(PATIENCE)
        {
            let age = age(board.at, oldest, words);
            add("warning", words.with("trouble.relay", &[("age", &age)]));
        }
        troubles
    }

    fn unsent(&self, board: &Board, words: Words<'_>) -> String {
        if self.hold_back.is_none() {
            return words.of("unsent.no_relay").to_owned();
        }
        match board.now.oldest {
            None => words.of("unsent.none").to_owned(),
            Some(oldest) => {
                let n: i64 = board.now.outbox.values().sum();
                let age = age(board.at, oldest, words);
                words.with("unsent.some", &[("n", &n.to_string()), ("age", &age)])
            }
        }
    }
}

/// What to do about a scan.
fn todo(seen: &Seen, words: Words<'_>) -> Option<String> {
    let own = words.find(&format!("verdict.{}.todo", seen.verdict.name())).unwrap_or_default();
    let full = if seen.fill == Fill::Full { words.of("verdict.batch_full") } else { "" };
    let said: Vec<_> = [own, full].into_iter().filter(|text| !text.is_empty()).collect();
    (!said.is_empty()).then(|| said.join(" "))
}

/// A scanner's name; of a number that was typed, that it was.
pub(super) fn scanner(name: &str, words: Words<'_>) -> String {
    if name == BY_HAND { words.of("scanner.by_hand").to_owned() } else { name.to_owned() }
}

/// Who it was: nobody takes a user of the operating system for the operator of that name.
pub(super) fn who(who: &Who, words: Words<'_>) -> String {
    let by = ("by", who.by.as_str());
    match &who.os_user {
        Some(user) => words.with("who.signed_in", &[by, ("user", user)]),
        None if *who == Who::station() => words.of("who.station").to_owned(),
        None => words.with("who.user", &[by]),
    }
}

/// A refusal in the words of a language; none where it has none. What the ledger has names for is told by its words.
pub(super) fn refused(coded: &Coded, words: Words<'_>) -> Option<String> {
    let key = format!("refused.{}", coded.code);
    words.find(&key)?;
    let told = |(name, value): (&String, &String)| {
        let table = match name.as_str() {
            "role" | "has" | "needs" => "role",
            "status" => "status",
            "state" => "relay",
            "why" => return (name.clone(), detail(value, words)),
            _ => return (name.clone(), value.clone()),
        };
        let word = words.find(&format!("{table}.{value}")).unwrap_or(value);
        (name.clone(), word.to_owned())
    };
    let values: Vec<(String, String)> = coded.values.iter().map(told).collect();
    let values: Vec<_> = values.iter().map(|(name, value)| (&**name, &**value)).collect();
    Some(words.with(&key, &values))
}

/// What a person or a file says: a reason that is known in the language's own words, anything else as it was written.
pub(super) fn said(reason: &str, words: Words<'_>) -> String {
    let known = Reason::from_name(reason).and_then(|_| words.find(&format!("reason.{reason}")));
    known.unwrap_or(reason).to_owned()
}

/// What the ledger says of a scan, in the language's own words as far as there are some.
pub(super) fn detail(reason: &str, words: Words<'_>) -> String {
    if Reason::from_name(reason).is_some() {
        return words.of(&format!("reason.{reason}")).to_owned();
    }
    if let Some(text) = words.find(&format!("status.{reason}")) {
        return text.to_owned();
    }
    if let Some((_, key)) = DETAILS.iter().find(|(text, _)| *text == reason) {
        return words.of(key).to_owned();
    }
    let around = DETAILS_AROUND.iter().find_map(|(before, after, key)| {
        let inner = reason.strip_prefix(before)?.strip_suffix(after)?;
        Some(words.with(key, &[("x", inner)]))
    });
    if let Some(text) = around {
        return text;
    }
    if let Some((from, mode)) = reason.split_once(" does not allow ") {
        let (from, mode) = (format!("status.{from}"), format!("mode.{mode}"));
        let values = [("from", words.of(&from)), ("mode", words.of(&mode))];
        return words.with("detail.not_allowed", &values);
    }
    let other =
        reason.strip_prefix("ballot ").and_then(|rest| rest.split_once(" of this voter is "));
    if let Some((ballot, status)) = other {
        let status = format!("status.{status}");
        return words.with("detail.another", &[("ballot", ballot), ("status", words.of(&status))]);
    }
    reason.to_owned()
}

/// How long ago something was.
fn age(now: Micros, then: Micros, words: Words<'_>) -> String {
    let minutes = now.since(then).as_secs() / 60;
    let (days, hours, rest) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    let (days, hours, rest) = (days.to_string(), hours.to_string(), rest.to_string());
    let values = [("d", days.as_str()), ("h", hours.as_str()), ("m", rest.as_str())];
    let key = match minutes {
        0..60 => "age.minutes",
        60..1_440 => "age.hours",
        _ => "age.days",
    };
    words.with(key, &values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::words::{Lang, Lexicon};

    /// The ledger's own words for it are English.
    #[test]
    fn who_it_was_is_said_in_english_as_the_command_line_says_it() {
        let lexicon = Lexicon::built_in().unwrap();
        let kim =
            |user: Option<&str>| Who { by: "kim".to_owned(), os_user: user.map(str::to_owned) };
        for one in [Who::station(), kim(None), kim(Some("page"))] {
            assert_eq!(who(&one, lexicon.words(Lang::En)), one.in_words());
            assert_ne!(who(&one, lexicon.words(Lang::Es)), one.in_words());
        }
    }

    #[test]
    fn what_is_known_of_the_ledgers_words_has_words_in_every_language() {
        let lexicon = Lexicon::built_in().unwrap();
        let keys = DETAILS.iter().map(|(_, key)| key);
        for key in keys.chain(DETAILS_AROUND.iter().map(|(_, _, key)| key)) {
            for lang in Lang::ALL {
                assert!(lexicon.words(lang).find(key).is_some(), "{key} in {}", lang.name());
            }
        }
        let spanish = lexicon.words(Lang::Es);
        for (said, _) in DETAILS {
            assert_ne!(detail(said, spanish), said);
        }
    }
}
