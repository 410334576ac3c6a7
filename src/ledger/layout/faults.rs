//! What is wrong with the text of a layout: positions and messages, all of them at once.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LayoutFault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was written and what would do.
    pub message: String,
}

/// Everything that is wrong, in the order of the text; at least one fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the layout has {} fault(s), first {}", .0.len(), First(.0))]
pub struct LayoutFaults(Vec<LayoutFault>);

/// Collects faults while a text is read.
#[derive(Debug)]
pub(super) struct Sink<'t> {
    text: &'t str,
    found: Vec<LayoutFault>,
}

struct First<'a>(&'a [LayoutFault]);

impl LayoutFaults {
    /// The faults in the order of the text.
    pub fn as_slice(&self) -> &[LayoutFault] {
        &self.0
    }
}

impl fmt::Display for First<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.first().map_or(Ok(()), |LayoutFault { line, column, message }| {
            write!(f, "{line}:{column}: {message}")
        })
    }
}

impl<'t> Sink<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Notes a fault at the byte `offset`.
    pub(super) fn fault(&mut self, offset: usize, message: impl Into<String>) {
        let (before, _) = self.text.split_at(self.text.floor_char_boundary(offset));
        let line = before.rsplit('\n').next().unwrap_or(before);
        self.found.push(LayoutFault {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            message: message.into(),
        });
    }

    /// Keeps the first fault of every line: a parser that goes on after an error finds what follows from it.
    pub(super) fn keep_first_of_lines(&mut self) {
        self.found.sort();
        self.found.dedup_by_key(|fault| fault.line);
    }

    /// What was found; nothing when there was none.
    pub(super) fn into_faults(mut self) -> Option<LayoutFaults> {
        self.found.sort();
        (!self.found.is_empty()).then_some(LayoutFaults(self.found))
    }
}
