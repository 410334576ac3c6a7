//! The `[[envelope]]` tables: how a payload spells an envelope.

use super::fault::Sink;
use super::read::{Key, Misfit, Section, Sections, Table, Times};
use super::value;
use crate::envelope::{Check, Format, FormatSpec};
use crate::event::chain;
use crate::scan::{CodeKind, Symbology};

pub(super) static ENVELOPE: Table = Table {
    name: "envelope",
    times: Times::Many,
    keys: &[
        Key { name: "name", example: "\"county\"" },
        Key { name: "symbologies", example: "[\"code128\", \"code39\"]" },
        Key { name: "pattern", example: r"'^(?<ballot>\d{9})$'" },
        Key { name: "check", example: "\"luhn\"" },
        Key { name: "names", example: "\"ballot\"" },
        Key { name: "return_service_types", example: "[\"777\"]" },
        Key { name: "outbound_service_types", example: "[\"715\"]" },
        Key { name: "mailer_ids", example: "[\"901234567\"]" },
    ],
};

/// The formats in the order in which they are tried.
pub(super) fn read(sections: &Sections<'_, '_>, sink: &mut Sink<'_>) -> Vec<Format> {
    let mut names: Vec<String> = Vec::new();
    let mut formats = Vec::new();
    for section in sections.many(&ENVELOPE, sink) {
        let faults_before = sink.len();
        let Some(spec) = spec(&section, &mut names, sink) else { continue };
        if sink.len() > faults_before {
            // With a part left out, what is judged here would not be what was meant.
            continue;
        }
        match Format::new(spec) {
            Ok(format) => formats.push(format),
            Err(error) => section.fault_at(sink, "pattern", &in_one_line(&chain(&error))),
        }
    }
    formats
}

fn spec(
    section: &Section<'_, '_>,
    taken: &mut Vec<String>,
    sink: &mut Sink<'_>,
) -> Option<FormatSpec> {
    let name = section.own_label(taken, sink);
    section.missing(sink, "symbologies");
    let symbologies = section.read_list(sink, "symbologies", symbology);
    if symbologies.as_ref().is_some_and(Vec::is_empty) {
        section.fault_at(
            sink,
            "symbologies",
            "without a symbology nothing matches; name at least one",
        );
    }
    let pattern = section.read(sink, "pattern", pattern);
    let check = section.read(sink, "check", check);
    let names = section.read(sink, "names", kind);
    let return_types = section.read_list(sink, "return_service_types", value::service_type);
    let outbound_types = section.read_list(sink, "outbound_service_types", value::service_type);
    let mailer_ids = section.read_list(sink, "mailer_ids", value::mailer_id);
    Some(FormatSpec {
        name: name?,
        symbologies: symbologies?,
        pattern,
        check: check.unwrap_or(Check::None),
        names: names.unwrap_or(CodeKind::Ballot),
        return_service_types: return_types.unwrap_or_default(),
        outbound_service_types: outbound_types.unwrap_or_default(),
        mailer_ids: mailer_ids.unwrap_or_default(),
    })
}

/// An error of a regular expression draws a picture; a fault is one line.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Only that it is a regular expression; which groups it must have is the format's to judge.
fn pattern(text: &str) -> Result<String, Misfit> {
    match regex::bytes::Regex::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let why = error.to_string();
            let last_line = why.lines().last().unwrap_or_default().trim();
            let why = last_line.strip_prefix("error: ").unwrap_or(last_line);
            Err(Misfit::new(format!("no regular expression: {why}")))
        }
    }
}

fn symbology(text: &str) -> Result<Symbology, Misfit> {
    value::one_of(text, &Symbology::ALL.map(Symbology::name), Symbology::from_name)
}

fn check(text: &str) -> Result<Check, Misfit> {
    value::one_of(text, &Check::ALL.map(Check::name), Check::from_name)
}

/// Columns of a mail ballot file that are no codes, and groups of a pattern that mean something else.
const NO_CODES: [&str; 8] =
    ["check", "election", "mailed", "reason", "receive_until", "returned", "status", "style"];

/// Longest name of a column.
const COLUMN_BYTES_MAX: usize = 64;

/// One of our own kinds, or the column that has the code.
fn kind(text: &str) -> Result<CodeKind, Misfit> {
    let is_column = text.len() <= COLUMN_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_column && !NO_CODES.contains(&text) {
        return Ok(CodeKind::from_name(text));
    }
    Err(Misfit::new(
        "write ballot, imb, voter, or the column of the mail ballot file that has the code"
            .to_owned(),
    ))
}
