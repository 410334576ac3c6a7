//! Bar codes from scan lines: lines that agree are one symbol, lines that do not are none.
//!
//! Code 39 and Interleaved 2 of 5 have no check of their own, and a Code 128 check lets one misread in a hundred pass. So a
//! text counts only when [`AGREEING_MIN`] lines across the same bars say it, and where the lines of one place say different
//! things, only when one text outvotes the rest [`OUTVOTES`] to one.

use super::quad::{Bounds, Corners};
use crate::scan::{Symbology, SymbologyIdentifier};

/// Lines that must say the same before a text is believed.
const AGREEING_MIN: usize = 2;

/// How many lines a text needs for each line that says something else at the same place.
const OUTVOTES: usize = 3;

/// Lines whose ends differ by more than this share of their length are not across the same bars.
const DRIFT_SHARE: f32 = 0.1;

/// The widest gap between two lines of one symbol, as a share of their length: a scratch, a crease, a pen stroke.
const GAP_SHARE: f32 = 0.25;

/// One line across a picture on which a text was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) symbology: Symbology,
    pub(super) identifier: Option<SymbologyIdentifier>,
    pub(super) text: String,
    /// Where the symbol starts on the line; right of `end` when it stands on its head.
    pub(super) start: f32,
    pub(super) end: f32,
    pub(super) y: f32,
}

/// A symbol that enough lines agree on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bars {
    pub(super) symbology: Symbology,
    pub(super) identifier: Option<SymbologyIdentifier>,
    pub(super) text: String,
    pub(super) corners: Corners,
}

/// The symbols that lines, given from top to bottom, agree on.
pub(super) fn agreed(lines: Vec<Line>) -> Vec<Bars> {
    let groups = grouped(lines);
    let corners: Vec<Corners> = groups.iter().map(Group::corners).collect();
    let is_outvoted = |group: &Group, at: &Corners| {
        let against: usize = groups
            .iter()
            .zip(&corners)
            .filter(|(other, place)| {
                !other.says_the_same(group) && Bounds::of(at).overlaps(Bounds::of(place))
            })
            .map(|(other, _)| other.lines)
            .sum();
        group.lines < against * OUTVOTES
    };
    groups
        .iter()
        .zip(&corners)
        .filter(|(group, at)| group.lines >= AGREEING_MIN && !is_outvoted(group, at))
        .map(|(group, at)| Bars {
            symbology: group.first.symbology,
            identifier: group.first.identifier,
            text: group.first.text.clone(),
            corners: *at,
        })
        .collect()
}

/// Lines across the same bars that say the same.
struct Group {
    first: Line,
    last: Line,
    lines: usize,
}

impl Group {
    fn says_the_same(&self, other: &Self) -> bool {
        self.first.symbology == other.first.symbology && self.first.text == other.first.text
    }

    fn takes(&self, line: &Line) -> bool {
        let length = (line.end - line.start).abs();
        let below = line.y - self.last.y;
        // Slanted bars move along by at most as much as the line moves down.
        let drift = length * DRIFT_SHARE + below;
        self.last.symbology == line.symbology
            && self.last.text == line.text
            && (self.last.start < self.last.end) == (line.start < line.end)
            && below <= length * GAP_SHARE
            && (self.last.start - line.start).abs() <= drift
            && (self.last.end - line.end).abs() <= drift
    }

    fn corners(&self) -> Corners {
        let (top, bottom) = (&self.first, &self.last);
        if top.start < top.end {
            let below = bottom.y + 1.0;
            [[top.start, top.y], [top.end, top.y], [bottom.end, below], [bottom.start, below]]
        } else {
            // On its head: its own top left is the picture's bottom right.
            let below = bottom.y + 1.0;
            [[bottom.start, below], [bottom.end, below], [top.end, top.y], [top.start, top.y]]
        }
    }
}

fn grouped(lines: Vec<Line>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for line in lines {
        match groups.iter_mut().rev().find(|group| group.takes(&line)) {
            Some(group) => {
                group.last = line;
                group.lines += 1;
            }
            None => groups.push(Group { first: line.clone(), last: line, lines: 1 }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, y: f32, [start, end]: [f32; 2]) -> Line {
        let symbology = Symbology::Itf;
        Line { symbology, identifier: None, text: text.to_owned(), start, end, y }
    }

    fn run(text: &str, rows: std::ops::Range<u16>, ends: [f32; 2]) -> Vec<Line> {
        rows.map(|y| line(text, f32::from(y), ends)).collect()
    }

    fn texts(lines: Vec<Line>) -> Vec<String> {
        agreed(lines).into_iter().map(|bars| bars.text).collect()
    }

    #[test]
    fn one_line_is_not_believed() {
        assert_eq!(texts(run("12", 0..1, [10.0, 90.0])), [""; 0]);
        assert_eq!(texts(run("12", 0..2, [10.0, 90.0])), ["12"]);
    }

    #[test]
    fn lines_that_disagree_are_no_symbol_unless_outvoted() {
        let mixed = |cut: u16| {
            let mut lines = run("1234", 0..12, [10.0, 90.0]);
            lines.extend(run("12", 12..12 + cut, [10.0, 80.0]));
            lines.extend(run("1234", 12 + cut..13 + cut, [10.0, 90.0]));
            texts(lines)
        };
        assert_eq!(mixed(2), ["1234"]);
        assert_eq!(mixed(5), [""; 0]);
    }

    #[test]
    fn the_same_text_at_two_places_is_two_symbols() {
        let mut lines = run("12", 0..9, [10.0, 90.0]);
        lines.extend(run("12", 100..109, [10.0, 90.0]));
        assert_eq!(texts(lines), ["12", "12"]);
    }

    #[test]
    fn symbols_close_together_do_not_vote_on_each_other() {
        let mut lines = run("12", 0..9, [10.0, 90.0]);
        lines.extend(run("34", 12..21, [10.0, 90.0]));
        assert_eq!(texts(lines), ["12", "34"]);
    }

    #[test]
    fn corners_run_clockwise_from_the_symbol_s_own_top_left() {
        let corners = |ends| agreed(run("12", 5..15, ends)).first().map(|bars| bars.corners);
        assert_eq!(
            corners([10.0, 90.0]),
            Some([[10.0, 5.0], [90.0, 5.0], [90.0, 15.0], [10.0, 15.0]])
        );
        assert_eq!(
            corners([90.0, 10.0]),
            Some([[90.0, 15.0], [10.0, 15.0], [10.0, 5.0], [90.0, 5.0]])
        );
    }
}
