//! Reads tables of strings, numbers and lists of strings by hand, so that every fault is found and none hides another.

use super::fault::{Sink, nearest};
use super::value::{self, is_private};
use crate::event::printable;
use std::ops::{Range, RangeInclusive};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// How much of what was written a message repeats, in characters.
const WRITTEN_CHARACTERS_MAX: usize = 60;

/// A key that may be written, and a value that would do.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// The right side as it would stand in the file.
    pub(super) example: &'static str,
}

/// How often a table may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// `[name]`
    Once,
    /// `[[name]]`
    Many,
}

/// A table that may be written.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) times: Times,
    pub(super) keys: &'static [Key],
}

impl Table {
    /// The table as its header is written.
    pub(super) fn header(&self) -> String {
        match self.times {
            Times::Once => format!("[{}]", self.name),
            Times::Many => format!("[[{}]]", self.name),
        }
    }

    /// The key that is written, or was probably meant.
    fn meant(&self, written: &str) -> Option<&'static str> {
        nearest(written, self.keys.iter().map(|key| key.name))
    }
}

/// Why a value does not do, and what would; it completes "`key = value`: ...".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit(pub(super) String);

impl Misfit {
    /// A fault whose message is `text`.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// One table of the file.
#[derive(Debug)]
pub(super) struct Section<'a, 'i> {
    table: &'static Table,
    /// Nothing when the table was not written, so that defaults hold.
    entries: Option<&'a DeTable<'i>>,
    /// Byte offset of its header.
    offset: usize,
}

/// Finds the tables of a file and refuses all others.
pub(super) struct Sections<'a, 'i> {
    root: &'a DeTable<'i>,
}

impl<'a, 'i> Sections<'a, 'i> {
    /// Refuses what is no known table.
    pub(super) fn new(
        root: &'a DeTable<'i>,
        known: &[&'static Table],
        sink: &mut Sink<'_>,
    ) -> Self {
        for (key, value) in root {
            if !known.iter().any(|table| table.name == key.get_ref().as_ref()) {
                sink.fault(key.span(), unknown_table(key.get_ref(), value.get_ref(), known));
            }
        }
        Self { root }
    }

    /// The table that is written at most once; without entries when it is not written.
    pub(super) fn once(&self, table: &'static Table, sink: &mut Sink<'_>) -> Section<'a, 'i> {
        self.optional(table, sink).unwrap_or(Section { table, entries: None, offset: 0 })
    }

    /// The table that is written at most once, if it is.
    pub(super) fn optional(
        &self,
        table: &'static Table,
        sink: &mut Sink<'_>,
    ) -> Option<Section<'a, 'i>> {
        let (key, value) = self.root.get_key_value(table.name)?;
        let DeValue::Table(entries) = value.get_ref() else {
            sink.fault_of_whole(key.span().start, wrong_table(table));
            return None;
        };
        Some(Section::new(table, entries, value.span(), sink))
    }

    /// The words of a table whose keys are the file's own, each with what its string stands for.
    pub(super) fn words<T>(
        &self,
        table: &'static Table,
        sink: &mut Sink<'_>,
        parse: impl Fn(&str, &str) -> Result<T, Misfit>,
    ) -> Vec<(String, T)> {
        let Some((key, value)) = self.root.get_key_value(table.name) else { return Vec::new() };
        let DeValue::Table(entries) = value.get_ref() else {
            sink.fault_of_whole(key.span().start, wrong_table(table));
            return Vec::new();
        };
        let mut words = Vec::new();
        for (key, value) in entries {
            let word = key.get_ref().as_ref();
            let made = match value.get_ref().as_str() {
                None => Err(Misfit::new(format!("{}, not a string", type_name(value.get_ref())))),
                Some(text) => parse(word, text),
            };
            match made {
                Ok(made) => words.push((word.to_owned(), made)),
                Err(Misfit(what)) => {
                    let shown = printable(word);
                    sink.fault(value.span(), format!("{} {shown}: {what}", table.header()));
                }
            }
        }
        words
    }

    /// The tables of an array, in their order.
    pub(super) fn many(&self, table: &'static Table, sink: &mut Sink<'_>) -> Vec<Section<'a, 'i>> {
        let Some((key, value)) = self.root.get_key_value(table.name) else {
            return Vec::new();
        };
        let DeValue::Array(elements) = value.get_ref() else {
            sink.fault_of_whole(key.span().start, wrong_table(table));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for element in elements {
            match element.get_ref() {
                DeValue::Table(entries) => {
                    sections.push(Section::new(table, entries, element.span(), sink));
                }
                _ => sink.fault_of_whole(element.span().start, wrong_table(table)),
            }
        }
        sections
    }
}

impl<'a, 'i> Section<'a, 'i> {
    /// Refuses the keys that the table does not have.
    fn new(
        table: &'static Table,
        entries: &'a DeTable<'i>,
        span: Range<usize>,
        sink: &mut Sink<'_>,
    ) -> Self {
        for key in entries.keys() {
            if !table.keys.iter().any(|known| known.name == key.get_ref().as_ref()) {
                sink.fault(key.span(), unknown_key(key.get_ref(), table));
            }
        }
        Self { table, entries: Some(entries), offset: span.start }
    }

    /// Whether the key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Notes a fault about the table as a whole.
    pub(super) fn fault(&self, sink: &mut Sink<'_>, what: &str) {
        sink.fault_of_whole(self.offset, format!("{}: {what}", self.table.header()));
    }

    /// Notes a fault at the value of `key`, or at the table where it is not written.
    pub(super) fn fault_at(&self, sink: &mut Sink<'_>, key: &str, what: &str) {
        match self.entry(key) {
            Some(value) => {
                let message = self.about(sink, key, value.span(), what);
                sink.fault(value.span(), message);
            }
            None => self.fault(sink, what),
        }
    }

    /// The string of `key`, made into what it stands for; nothing when it is not written or does not do.
    pub(super) fn read<T>(
        &self,
        sink: &mut Sink<'_>,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Misfit>,
    ) -> Option<T> {
        let value = self.entry(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(sink, key, value);
            return None;
        };
        match parse(text) {
            Ok(made) => Some(made),
            Err(Misfit(what)) => {
                self.fault_at(sink, key, &what);
                None
            }
        }
    }

    /// The whole number of `key`, if it lies within `range`; nothing when it is not written or does not do.
    pub(super) fn read_number(
        &self,
        sink: &mut Sink<'_>,
        key: &str,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        let value = self.entry(key)?;
        let DeValue::Integer(written) = value.get_ref() else {
            self.wrong_type(sink, key, value);
            return None;
        };
        let number = u32::from_str_radix(written.as_str(), written.radix()).ok();
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.fault_at(
                sink,
                key,
                &format!("not a whole number from {} to {}", range.start(), range.end()),
            );
        }
        number
    }

    /// The truth value of `key`; nothing when it is not written or is none.
    pub(super) fn read_truth(&self, sink: &mut Sink<'_>, key: &str) -> Option<bool> {
        let value = self.entry(key)?;
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            self.wrong_type(sink, key, value);
        }
        truth
    }

    /// As [`Section::read`], and a fault when it is not written.
    pub(super) fn require<T>(
        &self,
        sink: &mut Sink<'_>,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Misfit>,
    ) -> Option<T> {
        self.missing(sink, key);
        self.read(sink, key, parse)
    }

    /// The `name` that no table before this one of its kind has; it joins those that are `taken`.
    pub(super) fn own_label(&self, taken: &mut Vec<String>, sink: &mut Sink<'_>) -> Option<String> {
        let name = self.require(sink, "name", value::label)?;
        if taken.contains(&name) {
            self.fault_at(sink, "name", "another has this name already; each needs its own");
        }
        taken.push(name.clone());
        Some(name)
    }

    /// The strings of the list of `key`, each made into what it stands for and none twice; nothing when it is not written.
    pub(super) fn read_list<T: PartialEq>(
        &self,
        sink: &mut Sink<'_>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Misfit>,
    ) -> Option<Vec<T>> {
        let value = self.entry(key)?;
        let Some(elements) = value.get_ref().as_array() else {
            self.wrong_type(sink, key, value);
            return None;
        };
        let mut list = Vec::new();
        for element in elements {
            let made = match element.get_ref().as_str().map(&parse) {
                None => Err(Misfit::new(format!("{}, not a string", type_name(element.get_ref())))),
                Some(Ok(made)) if list.contains(&made) => {
                    Err(Misfit::new("it stands there twice; once is enough"))
                }
                Some(made) => made,
            };
            match made {
                Ok(made) => list.push(made),
                Err(Misfit(what)) => {
                    let message = self.about(sink, key, element.span(), &what);
                    sink.fault(element.span(), message);
                }
            }
        }
        Some(list)
    }

    /// Notes a fault when `key` is not written, nor meant by a misspelt one, which has its own fault.
    pub(super) fn missing(&self, sink: &mut Sink<'_>, key: &str) {
        self.missing_such_as(sink, key, &format!("{key} = {}", self.example(key)));
    }

    /// The same, with another example.
    pub(super) fn missing_such_as(&self, sink: &mut Sink<'_>, key: &str, such_as: &str) {
        let mut written = self.entries.into_iter().flat_map(DeTable::keys);
        let is_meant = |written: &Spanned<DeString<'_>>| {
            self.table.meant(written.get_ref()).is_some_and(|meant| meant == key)
        };
        if !written.any(is_meant) {
            self.fault(sink, &format!("the key `{key}` is missing; such as {such_as}"));
        }
    }

    fn entry(&self, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        debug_assert!(self.table.keys.iter().any(|known| known.name == key), "{key}");
        self.entries?.get(key)
    }

    fn example(&self, key: &str) -> &'static str {
        self.table.keys.iter().find(|known| known.name == key).map_or("", |known| known.example)
    }

    fn wrong_type(&self, sink: &mut Sink<'_>, key: &str, value: &Spanned<DeValue<'_>>) {
        let example = self.example(key);
        let wanted = match example.chars().next() {
            Some('[') => "a list of strings",
            Some('0'..='9') => "a whole number",
            Some('"') => "a string",
            _ => "true or false",
        };
        let what = format!("{}, not {wanted}; such as {example}", type_name(value.get_ref()));
        self.fault_at(sink, key, &what);
    }

    fn about(&self, sink: &Sink<'_>, key: &str, written: Range<usize>, what: &str) -> String {
        let written = sink.text().get(written).unwrap_or_default();
        let shown = if is_private(written) { "(not shown)".to_owned() } else { shortened(written) };
        format!("{} {key} = {shown}: {what}", self.table.header())
    }
}

/// `; did you mean X?` when a known name is near, else what there is.
pub(super) fn hint<'a, Names>(written: &str, known: Names, what_there_is: &str) -> String
where
    Names: IntoIterator<Item = &'a str> + Clone,
{
    if let Some(name) = nearest(written, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    let names: Vec<_> = known.into_iter().collect();
    format!("{what_there_is} {}", names.join(", "))
}

/// What was written, without line ends and cut at a bound. Quotes stay as they are, for they are the file's own.
fn shortened(written: &str) -> String {
    let plain: String = written.chars().take(WRITTEN_CHARACTERS_MAX).map(unsteering).collect();
    if written.chars().nth(WRITTEN_CHARACTERS_MAX).is_some() { plain + "..." } else { plain }
}

/// A character that steers a terminal becomes a question mark.
fn unsteering(c: char) -> char {
    if c.is_control() { '?' } else { c }
}

fn unknown_table(name: &str, value: &DeValue<'_>, known: &[&'static Table]) -> String {
    let names = known.iter().map(|table| table.name);
    let is_table = match value {
        DeValue::Table(_) => true,
        DeValue::Array(elements) => elements.iter().any(|element| element.get_ref().is_table()),
        _ => false,
    };
    let shown = printable(name);
    if !is_table {
        let owner = known.iter().find(|table| table.keys.iter().any(|key| key.name == name));
        let place = owner.map_or_else(
            || "every key stands in a table".to_owned(),
            |table| format!("it belongs in {}", table.header()),
        );
        return format!("unknown key `{shown}` before the first table; {place}");
    }
    let near = nearest(name, names).and_then(|near| known.iter().find(|table| table.name == near));
    if let Some(table) = near {
        return format!("unknown table [{shown}]; did you mean {}?", table.header());
    }
    let headers: Vec<_> = known.iter().map(|table| table.header()).collect();
    format!("unknown table [{shown}]; there are {}", headers.join(", "))
}

fn unknown_key(name: &str, table: &Table) -> String {
    let known = table.keys.iter().map(|key| key.name);
    let hint = hint(name, known, "there are");
    format!("unknown key `{}` in {}; {hint}", printable(name), table.header())
}

fn wrong_table(table: &Table) -> String {
    match table.times {
        Times::Once => format!("`{}` is one table; its header is {}", table.name, table.header()),
        Times::Many => {
            format!("there may be many `{}`; the header of each is {}", table.name, table.header())
        }
    }
}

const fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date without quotes",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
