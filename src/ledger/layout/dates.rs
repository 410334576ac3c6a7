//! The forms in which files write dates: what a form says of a text, and which instant that is where the facility stands.

use crate::clock::{Micros, Zone};
use std::fmt;

/// Longest form, in bytes.
pub(super) const FORM_BYTES_MAX: usize = 32;

/// Days that are kept with their instants: more than a mail ballot file has, and a power of two.
const DAYS_KEPT: usize = 128;

/// As many bytes as `YYYY-MM-DD` has.
const DAY_BYTES: usize = 10;

/// The first two-digit year that is one of the last century (POSIX `strptime`, `%y`).
const PIVOT: u16 = 69;

/// How a date may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// With time and offset.
    Rfc3339,
    /// Digits and names of months in their places.
    Pattern {
        /// As the layout spells it.
        spelt: String,
        parts: Vec<Part>,
    },
}

/// What stands in one place of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `YYYY`
    Year,
    /// `YY`
    ShortYear,
    /// `MM`, or `M` for one digit or two.
    Month(Width),
    /// `MON`: the first three letters of an English name.
    MonthName,
    /// `DD`, or `D`.
    Day(Width),
    /// `hh`, or `h`, of 24 hours.
    Hour(Width),
    /// `mm`
    Minute,
    /// `ss`
    Second,
    /// Itself.
    Sign(u8),
}

/// How many digits a number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// Two.
    Two,
    /// One or two.
    Any,
}

/// Why a text is no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    #[error("it has more than {FORM_BYTES_MAX} bytes")]
    TooLong,
    #[error(
        "it holds {0:?}, which is none of YYYY, YY, MM, M, MON, DD, D, hh, h, mm, ss and signs"
    )]
    Character(char),
    #[error("it needs a year, a month and a day, each once")]
    NoDay,
    #[error("a time has hh or h, mm and perhaps ss, each once")]
    NoTime,
    #[error("M, D and h have one digit or two, so a sign must follow")]
    Open,
}

/// A day that there is, perhaps with a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    year: u16,
    month: u8,
    day: u8,
    /// Hour, minute and second.
    time: Option<[u8; 3]>,
}

/// Which instant of a day is meant where only the day is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hour {
    /// 00:00:00
    First,
    /// 23:59:59
    Last,
}

/// The instants of days that were asked for: a file has few days and many rows.
#[derive(Debug)]
pub(super) struct Days {
    zone: Zone,
    kept: Vec<(u32, Micros)>,
}

impl Form {
    /// The form that is spelt so.
    pub(super) fn new(spelt: &str) -> Result<Self, FormError> {
        if spelt == "RFC 3339" {
            return Ok(Self::Rfc3339);
        }
        if spelt.len() > FORM_BYTES_MAX {
            return Err(FormError::TooLong);
        }
        let parts = parts(spelt)?;
        let count = |is: fn(&Part) -> bool| parts.iter().filter(|part| is(part)).count();
        let of_a_day = [
            count(|part| matches!(part, Part::Year | Part::ShortYear)),
            count(|part| matches!(part, Part::Month(_) | Part::MonthName)),
            count(|part| matches!(part, Part::Day(_))),
        ];
        if of_a_day != [1, 1, 1] {
            return Err(FormError::NoDay);
        }
        let of_a_time = [
            count(|part| matches!(part, Part::Hour(_))),
            count(|part| matches!(part, Part::Minute)),
            count(|part| matches!(part, Part::Second)),
        ];
        if !matches!(of_a_time, [0, 0, 0] | [1, 1, 0 | 1]) {
            return Err(FormError::NoTime);
        }
        let is_open = |pair: &[Part]| match pair {
            [Part::Month(Width::Any) | Part::Day(Width::Any) | Part::Hour(Width::Any), next] => {
                !matches!(next, Part::Sign(_) | Part::MonthName)
            }
            _ => false,
        };
        if parts.windows(2).any(is_open) {
            return Err(FormError::Open);
        }
        Ok(Self::Pattern { spelt: spelt.to_owned(), parts })
    }

    /// The day that the text says, if it is of this form and there is such a day.
    fn civil(&self, text: &str) -> Option<Civil> {
        let Self::Pattern { parts, .. } = self else { return None };
        let mut rest = text.as_bytes();
        let (mut year, mut month, mut day) = (0, 0, 0);
        let mut time = None;
        for part in parts {
            match *part {
                Part::Year => year = number(&mut rest, 4)?,
                Part::ShortYear => {
                    let short = number(&mut rest, 2)?;
                    year = short + if short < PIVOT { 2000 } else { 1900 };
                }
                Part::Month(width) => month = width.number(&mut rest)?,
                Part::MonthName => month = month_of(&mut rest)?,
                Part::Day(width) => day = width.number(&mut rest)?,
                Part::Hour(width) => time = Some([width.number(&mut rest)?, 0, 0]),
                Part::Minute => time.as_mut()?[1] = Width::Two.number(&mut rest)?,
                Part::Second => time.as_mut()?[2] = Width::Two.number(&mut rest)?,
                Part::Sign(sign) => rest = rest.strip_prefix(&[sign])?,
            }
        }
        let is_there = (1..=days_of(year, month)).contains(&day)
            && time.is_none_or(|[hour, minute, second]| hour < 24 && minute < 60 && second < 60);
        (rest.is_empty() && is_there).then_some(Civil { year, month, day, time })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rfc3339 => f.write_str("RFC 3339"),
            Self::Pattern { spelt, .. } => f.write_str(spelt),
        }
    }
}

impl fmt::Display for Civil {
    /// The day: `2026-11-03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, .. } = self;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl Civil {
    /// Whether an election's id spells this day or its month, whatever signs and letters stand between.
    pub(super) fn is_spelt_in(self, id: &str) -> bool {
        let Self { year, month, day, .. } = self;
        let digits: String = id.chars().filter(char::is_ascii_digit).collect();
        [
            format!("{year:04}{month:02}{day:02}"),
            format!("{month:02}{day:02}{year:04}"),
            format!("{year:04}{month:02}"),
        ]
        .contains(&digits)
    }
}

impl Days {
    pub(super) fn new(zone: Zone) -> Self {
        Self { zone, kept: vec![(0, Micros(0)); DAYS_KEPT] }
    }

    /// The instant that the text says in the first form that it has.
    pub(super) fn instant(&mut self, forms: &[Form], text: &str, hour: Hour) -> Option<Micros> {
        forms.iter().find_map(|form| match form {
            // A day alone is none, and to be told so at length takes time.
            Form::Rfc3339 if text.len() <= DAY_BYTES => None,
            Form::Rfc3339 => Micros::parse_rfc3339(text),
            Form::Pattern { .. } => form.civil(text).and_then(|civil| self.place(civil, hour)),
        })
    }

    /// The local date of an instant.
    pub(super) fn date(&self, at: Micros) -> String {
        self.zone.date(at)
    }

    fn place(&mut self, civil: Civil, hour: Hour) -> Option<Micros> {
        let Civil { year, month, day, time } = civil;
        if let Some([hour, minute, second]) = time {
            return self.zone.instant(&format!("{civil}T{hour:02}:{minute:02}:{second:02}")).ok();
        }
        let days = (u32::from(year) * 16 + u32::from(month)) * 32 + u32::from(day);
        let key = days * 2 + u32::from(hour == Hour::Last);
        let kept = usize::try_from(key).ok().and_then(|key| self.kept.get_mut(key % DAYS_KEPT))?;
        if kept.0 != key {
            let of_day = if hour == Hour::First { "00:00:00" } else { "23:59:59" };
            *kept = (key, self.zone.instant(&format!("{civil}T{of_day}")).ok()?);
        }
        Some(kept.1)
    }
}

/// The day that the text says in the first form that it has.
pub(super) fn day(forms: &[Form], text: &str) -> Option<Civil> {
    forms.iter().find_map(|form| form.civil(text))
}

fn parts(spelt: &str) -> Result<Vec<Part>, FormError> {
    const WORDS: [(&str, Part); 11] = [
        ("YYYY", Part::Year),
        ("YY", Part::ShortYear),
        ("MON", Part::MonthName),
        ("MM", Part::Month(Width::Two)),
        ("M", Part::Month(Width::Any)),
        ("DD", Part::Day(Width::Two)),
        ("D", Part::Day(Width::Any)),
        ("hh", Part::Hour(Width::Two)),
        ("h", Part::Hour(Width::Any)),
        ("mm", Part::Minute),
        ("ss", Part::Second),
    ];
    let mut rest = spelt;
    let mut parts = Vec::new();
    while let Some(first) = rest.chars().next() {
        let word = WORDS.iter().find_map(|(word, part)| Some((rest.strip_prefix(word)?, *part)));
        let sign = || {
            let sign = u8::try_from(first).ok().filter(|sign| is_sign(*sign))?;
            Some((rest.strip_prefix(first)?, Part::Sign(sign)))
        };
        let (after, part) = word.or_else(sign).ok_or(FormError::Character(first))?;
        parts.push(part);
        rest = after;
    }
    Ok(parts)
}

/// What may stand between numbers; `T` is the sign between date and time in ISO 8601.
const fn is_sign(byte: u8) -> bool {
    byte.is_ascii_punctuation() || matches!(byte, b' ' | b'T')
}

impl Width {
    fn number(self, rest: &mut &[u8]) -> Option<u8> {
        let is_short = self == Self::Any && !matches!(rest, [_, b'0'..=b'9', ..]);
        let digits = if is_short { 1 } else { 2 };
        number(rest, digits).and_then(|number| u8::try_from(number).ok())
    }
}

/// The number of so many digits, at most four, which are taken away.
fn number(rest: &mut &[u8], digits: usize) -> Option<u16> {
    let (number, after) = rest.split_at_checked(digits)?;
    *rest = after;
    number.iter().try_fold(0_u16, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + u16::from(byte - b'0'))
    })
}

fn month_of(rest: &mut &[u8]) -> Option<u8> {
    const NAMES: [&[u8]; 12] = [
        b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV",
        b"DEC",
    ];
    let (name, after) = rest.split_at_checked(3)?;
    *rest = after;
    let place = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
    u8::try_from(place + 1).ok()
}

/// The days of a month in the Gregorian calendar; none where there is no such month.
const fn days_of(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn forms(spelt: &[&str]) -> Vec<Form> {
        spelt.iter().map(|spelt| Form::new(spelt).unwrap()).collect()
    }

    #[track_caller]
    fn check(form: &str, text: &str, expected: Option<&str>) {
        let told = day(&forms(&[form]), text).map(|day| day.to_string());
        assert_eq!(told.as_deref(), expected, "{form} {text:?}");
    }

    #[test]
    fn a_form_takes_what_it_spells() {
        for (form, text, expected) in [
            ("YYYY-MM-DD", "2026-10-09", Some("2026-10-09")),
            ("YYYY-MM-DD", "2026-1-9", None),
            ("YYYY-MM-DD", "2026-10-09 ", None),
            ("YYYY-MM-DD", "+026-10-09", None),
            ("M/D/YYYY", "1/9/2026", Some("2026-01-09")),
            ("M/D/YYYY", "01/09/2026", Some("2026-01-09")),
            ("M/D/YYYY", "011/9/2026", None),
            ("MM/DD/YYYY", "1/9/2026", None),
            ("MM/DD/YYYY", "11/06/0202", Some("0202-11-06")),
            ("DD-MON-YY", "05-NOV-09", Some("2009-11-05")),
            ("D-MON-YY", "5-nov-68", Some("2068-11-05")),
            ("DD-MON-YY", "05-Nov-69", Some("1969-11-05")),
            ("DD-MON-YY", "05-NOW-09", None),
            ("DD-MON-YY", "05-NO", None),
            ("YYYYMMDD", "20261103", Some("2026-11-03")),
            ("M/D/YYYY h:mm", "11/3/2026 7:05", Some("2026-11-03")),
            ("M/D/YYYY h:mm", "11/3/2026 24:00", None),
            ("YYYY-MM-DDThh:mm:ss", "2026-11-03T19:00:60", None),
        ] {
            check(form, text, expected);
        }
    }

    #[test]
    fn there_is_such_a_day() {
        for (text, is_there) in [
            ("2026-02-28", true),
            ("2026-02-29", false),
            ("2028-02-29", true),
            ("2100-02-29", false),
            ("2000-02-29", true),
            ("2026-04-31", false),
            ("2026-00-01", false),
            ("2026-13-01", false),
            ("2026-01-00", false),
            ("2026-12-31", true),
        ] {
            check("YYYY-MM-DD", text, is_there.then_some(text));
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for (spelt, expected) in [
            ("", FormError::NoDay),
            ("MM/DD", FormError::NoDay),
            ("MM/DD/YYYY YY", FormError::NoDay),
            ("MM/DD/YYYY hh", FormError::NoTime),
            ("MM/DD/YYYY mm:ss", FormError::NoTime),
            ("YYYYMD", FormError::Open),
            ("MM/DD/jjjj", FormError::Character('j')),
            ("MM/DD/YYYY\t", FormError::Character('\t')),
            ("MM/DD/YYYY\u{e9}", FormError::Character('\u{e9}')),
            ("MM/DD/YYYY                        ", FormError::TooLong),
        ] {
            assert_eq!(Form::new(spelt).unwrap_err(), expected, "{spelt:?}");
        }
    }

    #[test]
    fn a_day_is_placed_where_the_facility_stands() {
        let mut days = Days::new(Zone::named("America/Denver").unwrap());
        let forms = forms(&["RFC 3339", "YYYY-MM-DD", "YYYY-MM-DD hh:mm"]);
        for _again in 0..2 {
            for (text, hour, expected) in [
                ("2026-11-01", Hour::First, "2026-11-01T06:00:00.000000Z"),
                ("2026-11-01", Hour::Last, "2026-11-02T06:59:59.000000Z"),
                ("2026-11-03 19:00", Hour::First, "2026-11-04T02:00:00.000000Z"),
                ("2026-11-03T19:00:00-05:00", Hour::First, "2026-11-04T00:00:00.000000Z"),
            ] {
                let instant = days.instant(&forms, text, hour).unwrap();
                assert_eq!(instant.rfc3339(), expected);
            }
        }
    }

    #[test]
    fn an_election_is_known_by_its_day() {
        let day = day(&forms(&["MM/DD/YYYY"]), "11/03/2026").unwrap();
        for id in ["2026-11-03", "20261103", "202611", "11/03/2026", "G2026-11-03"] {
            assert!(day.is_spelt_in(id), "{id}");
        }
        for id in ["202605", "2026", "G26", "20261104", "1202611"] {
            assert!(!day.is_spelt_in(id), "{id}");
        }
    }

    proptest! {
        #[test]
        fn days_that_are_kept_are_those_that_are_placed(days in prop::collection::vec(0_u16..2_000, 1..400)) {
            let zone = Zone::named("America/Denver").unwrap();
            let mut kept = Days::new(zone.clone());
            let forms = forms(&["YYYY-MM-DD"]);
            for n in days {
                let text = format!("{}-{:02}-{:02}", 2024 + n / 336, n / 28 % 12 + 1, n % 28 + 1);
                let expected = zone.instant(&format!("{text}T23:59:59")).unwrap();
                prop_assert_eq!(kept.instant(&forms, &text, Hour::Last), Some(expected));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", form in "[YMDONhms/ -]{0,34}") {
            if let Ok(form) = Form::new(&form) {
                let told = day(&[form], &text);
                prop_assert!(told.is_none_or(|day| days_of(day.year, day.month) >= day.day));
            }
        }
    }
}
