//! A language's words as they are written, and what becomes of words that come from outside.

use crate::news::Kind;
use relay_wire::Status;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Longest name that a message shows.
const NAME_CHARACTERS_MAX: usize = 60;
/// Characters of the alphabet of GSM 03.38 that count once.
const GSM: &str = "@\u{a3}$\u{a5}\u{e8}\u{e9}\u{f9}\u{ec}\u{f2}\u{c7}\n\u{d8}\u{f8}\r\u{c5}\u{e5}\u{394}_\u{3a6}\u{393}\u{39b}\
    \u{3a9}\u{3a0}\u{3a8}\u{3a3}\u{398}\u{39e}\u{c6}\u{e6}\u{df}\u{c9} !\"#\u{a4}%&'()*+,-./0123456789:;<=>?\u{a1}\
    ABCDEFGHIJKLMNOPQRSTUVWXYZ\u{c4}\u{d6}\u{d1}\u{dc}\u{a7}\u{bf}abcdefghijklmnopqrstuvwxyz\u{e4}\u{f6}\u{f1}\u{fc}\u{e0}";
/// And those that count twice.
const GSM_TWICE: &str = "^{}\\[~]|\u{20ac}";

/// One language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Language {
    pub(super) dates: Dates,
    pub(super) reasons: BTreeMap<String, String>,
    pub(super) statuses: BTreeMap<String, String>,
    pub(super) footer: Footer,
    pub(super) keys: Keys,
    pub(super) notices: BTreeMap<String, Notice>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dates {
    pub(super) months: Vec<String>,
    pub(super) halves: Vec<String>,
    pub(super) moment: String,
    pub(super) day: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Footer {
    pub(super) email: String,
}

/// What keys do during a call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    pub(super) call: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notice {
    pub(super) subject: String,
    pub(super) email: String,
    pub(super) text: String,
    pub(super) voice: String,
}

impl Language {
    /// What is missing, or stands where it cannot.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for kind in Kind::ALL {
            match self.notices.get(kind.name()) {
                None => faults.push(format!("notices.{kind} is missing")),
                Some(notice) if notice.subject.contains(['\n', '\r']) => {
                    faults.push(format!("notices.{kind}.subject has more than one line"));
                }
                Some(notice) => {
                    let parts = [&notice.subject, &notice.email, &notice.text, &notice.voice];
                    if parts.iter().any(|part| part.trim().is_empty()) {
                        faults.push(format!("notices.{kind} has an empty part"));
                    }
                }
            }
        }
        for name in self.notices.keys().filter(|name| Kind::from_name(name).is_none()) {
            faults.push(format!("notices.{name} is no kind of notice"));
        }
        if self.keys.call.trim().is_empty() {
            faults.push("keys.call is empty".to_owned());
        }
        if self.dates.months.len() != 12 || self.dates.halves.len() != 2 {
            faults.push("dates has 12 months and 2 halves".to_owned());
        }
        if self.reasons.get("other").is_none_or(|text| text.trim().is_empty()) {
            faults.push("reasons.other is missing".to_owned());
        }
        let of_the_post = ["on_its_way", "on_its_way_back"];
        for status in Status::ALL.iter().map(|status| status.name()).chain(of_the_post) {
            if self.status(status).trim().is_empty() {
                faults.push(format!("statuses.{status} is missing"));
            }
        }
        faults
    }

    /// The reason in words. What stands in no list is "other": an operator's own text is not sent.
    pub(super) fn reason(&self, code: &str) -> String {
        let known = self.reasons.get(code).or_else(|| self.reasons.get("other"));
        known.cloned().unwrap_or_default()
    }

    /// The status in words; empty when it is none.
    pub(super) fn status(&self, status: &str) -> String {
        self.statuses.get(status).cloned().unwrap_or_default()
    }
}

/// Without what cannot be seen: control characters, zero-width ones and those that turn the reading direction.
pub(super) fn cleaned(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| {
            !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{ad}' | '\u{3164}' | '\u{e0000}'..='\u{e007f}')
        })
        .take(NAME_CHARACTERS_MAX)
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// With nothing in it that a mail program or a phone makes a link of.
pub(super) fn unlinked(text: &str) -> String {
    let mut unlinked = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ':' | '/' | '@' | '<' | '>' => unlinked.push(' '),
            '.' if rest.peek().is_some_and(|next| next.is_alphanumeric()) => {
                unlinked.push_str(". ");
            }
            c => unlinked.push(c),
        }
    }
    unlinked.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Segments of a text message: 160 characters of GSM's alphabet or 153 of several, else 70 or 67 UTF-16 units.
pub fn segments(text: &str) -> u32 {
    let septets: Option<usize> = text
        .chars()
        .map(|c| match c {
            _ if GSM.contains(c) => Some(1),
            _ if GSM_TWICE.contains(c) => Some(2),
            _ => None,
        })
        .sum();
    let (units, alone, joined) = match septets {
        Some(septets) => (septets, 160, 153),
        None => (text.encode_utf16().count(), 70, 67),
    };
    let segments = if units <= alone { 1 } else { units.div_ceil(joined) };
    u32::try_from(segments).unwrap_or(u32::MAX)
}

/// What a provider speaks (TwiML): twice, with a pause, since the first words are lost on an answering machine. A key that is pressed
/// meanwhile goes to `keys_url`.
pub fn spoken(text: &str, language: &str, keys_url: Option<&str>) -> String {
    let escaped = escaped(text);
    let voice = match language {
        "es" => "es-US",
        "en" => "en-US",
        other => other,
    };
    let say = format!("<Say language=\"{voice}\">{escaped}</Say>");
    let twice = format!("<Pause length=\"1\"/>{say}<Pause length=\"1\"/>{say}");
    match keys_url {
        None => format!("<Response>{twice}</Response>"),
        Some(url) => format!(
            "<Response><Gather numDigits=\"1\" action=\"{}\">{twice}</Gather></Response>",
            self::escaped(url)
        ),
    }
}

/// As XML has it.
pub fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_steers_nothing_and_links_to_nothing() {
        for (name, expected) in [
            ("Ana Mar\u{ed}a", "Ana Mar\u{ed}a"),
            ("J. R. O'Neil-Diaz", "J. R. O'Neil-Diaz"),
            ("Ana\r\nBcc: x@example.org", "Ana Bcc x example. org"),
            ("http://evil.example/x", "http evil. example x"),
            ("\u{202e}anA\u{200b}", "anA"),
        ] {
            assert_eq!(unlinked(&cleaned(name)), expected);
        }
    }

    #[test]
    fn segments_are_counted_as_carriers_count_them() {
        for (text, expected) in [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("[".repeat(80), 1),
            ("[".repeat(81), 2),
            ("\u{f1}".repeat(160), 1),
            ("\u{ed}".repeat(70), 1),
            ("\u{ed}".repeat(71), 2),
            ("\u{1f5f3}".repeat(35), 1),
        ] {
            assert_eq!(segments(&text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_spoken_is_no_markup() {
        let spoken = spoken("<Dial>&\"", "es", Some("http://a/?b&c"));
        assert!(!spoken.contains("<Dial>"), "{spoken}");
        assert!(spoken.contains("&lt;Dial&gt;&amp;&quot;"), "{spoken}");
        assert!(spoken.contains("es-US"), "{spoken}");
        assert!(spoken.contains("action=\"http://a/?b&amp;c\""), "{spoken}");
    }
}
