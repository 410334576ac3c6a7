//! What is wrong with a configuration: positions, messages, and the name that was probably meant.

use serde::Serialize;
use std::fmt::Write as _;
use std::ops::Range;

/// How far a misspelt name may be from a known one: one slip in three characters, and at least one.
const CHARACTERS_PER_SLIP: usize = 3;
/// Longer names are compared with nothing; no key of ours has as many characters.
const NAME_CHARACTERS_MAX: usize = 64;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was written and what would do.
    pub message: String,
}

/// Everything that is wrong, in the order of the file; at least one fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {} fault(s)", .0.len())]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// The faults in the order of the file.
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }

    /// One line a fault: `FILE:LINE:COLUMN: message`.
    pub fn render(&self, file: &str) -> String {
        let mut text = String::new();
        for Fault { line, column, message } in &self.0 {
            // Writing to a `String` cannot fail.
            if writeln!(text, "{file}:{line}:{column}: {message}").is_err() {
                break;
            }
        }
        text
    }
}

/// Collects faults while a text is read.
#[derive(Debug)]
pub(super) struct Sink<'t> {
    text: &'t str,
    found: Vec<Found>,
}

/// A fault and which bytes of the text it is about; none when it is about what is not there.
#[derive(Debug)]
struct Found {
    fault: Fault,
    place: Option<Range<usize>>,
}

impl<'t> Sink<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// The text that is read.
    pub(super) const fn text(&self) -> &'t str {
        self.text
    }

    /// How many faults were noted.
    pub(super) const fn len(&self) -> usize {
        self.found.len()
    }

    /// Notes a fault of what stands at `place`.
    pub(super) fn fault(&mut self, place: Range<usize>, message: String) {
        let (line, column) = position(self.text, place.start);
        self.found.push(Found { fault: Fault { line, column, message }, place: Some(place) });
    }

    /// Notes a fault of something as a whole, at the byte `offset` where it begins.
    pub(super) fn fault_of_whole(&mut self, offset: usize, message: String) {
        let (line, column) = position(self.text, offset);
        self.found.push(Found { fault: Fault { line, column, message }, place: None });
    }

    /// Keeps the faults whose place is `trusted`; those of something as a whole are not, when a part was not understood.
    pub(super) fn keep(&mut self, trusted: impl Fn(&Range<usize>) -> bool) {
        self.found.retain(|found| found.place.as_ref().is_some_and(&trusted));
    }

    /// What was found, in the order of the file; nothing when there was none.
    pub(super) fn into_faults(self) -> Option<Faults> {
        let mut faults: Vec<_> = self.found.into_iter().map(|found| found.fault).collect();
        faults.sort();
        (!faults.is_empty()).then_some(Faults(faults))
    }
}

/// Line and column, both from 1, of the byte `offset`.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let offset = text.floor_char_boundary(offset);
    let (before, _) = text.split_at(offset);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let (above, line) = before.split_at(line_start);
    (above.matches('\n').count() + 1, line.chars().count() + 1)
}

/// The known name that was probably meant: the one with the fewest slips, else one that begins as it is written.
pub(super) fn nearest<'a, Names>(written: &str, known: Names) -> Option<&'a str>
where
    Names: IntoIterator<Item = &'a str> + Clone,
{
    let lower = written.to_lowercase();
    let written: Vec<char> = lower.chars().take(NAME_CHARACTERS_MAX + 1).collect();
    if written.len() > NAME_CHARACTERS_MAX {
        return None;
    }
    let slips_max = (written.len() / CHARACTERS_PER_SLIP).max(1);
    let by_slips = known
        .clone()
        .into_iter()
        .map(|name| (slips(&written, &name.chars().collect::<Vec<_>>()), name))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, name)| name);
    let is_beginning =
        |name: &&str| written.len() >= CHARACTERS_PER_SLIP && name.starts_with(&lower);
    by_slips.or_else(|| known.into_iter().find(is_beginning))
}

/// How many characters were left out, added, replaced or swapped with their neighbor (optimal string alignment).
fn slips(written: &[char], known: &[char]) -> usize {
    let mut two_above: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=known.len()).collect();
    let mut before = None;
    for (row, &w) in written.iter().enumerate() {
        let mut cells = vec![row + 1];
        for (column, &k) in known.iter().enumerate() {
            let at =
                |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&above, column) + usize::from(w != k);
            let mut best = replaced.min(at(&above, column + 1) + 1).min(at(&cells, column) + 1);
            let left = column.checked_sub(1).and_then(|left| known.get(left).map(|c| (left, *c)));
            if let Some((left, known_before)) = left
                && before == Some(k)
                && known_before == w
            {
                best = best.min(at(&two_above, left) + 1);
            }
            cells.push(best);
        }
        two_above = std::mem::replace(&mut above, cells);
        before = Some(w);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters_from_one() {
        let text = "a\n\u{e9}\u{e9}x\n";
        for (offset, place) in [(0, (1, 1)), (2, (2, 1)), (6, (2, 3)), (8, (3, 1)), (99, (3, 1))] {
            assert_eq!(position(text, offset), place, "{offset}");
        }
    }

    #[test]
    fn slips_are_counted() {
        for (written, known, count) in [
            ("", "", 0),
            ("page", "page", 0),
            ("repeat_windw", "repeat_window", 1),
            ("mdoe", "mode", 1),
            ("stationn", "station", 1),
            ("abc", "", 3),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(slips(&chars(written), &chars(known)), count, "{written} {known}");
        }
    }

    #[test]
    fn only_a_near_name_is_meant() {
        let known = ["id", "mode", "page", "repeat_window"];
        for (written, meant) in [
            ("ID", Some("id")),
            ("mdoe", Some("mode")),
            ("repeatwindow", Some("repeat_window")),
            ("repeat", Some("repeat_window")),
            ("color", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
        assert_eq!(nearest(&"x".repeat(1_000_000), known), None);
    }
}
