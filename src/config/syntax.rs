//! Faults of the TOML itself, and which other faults they make doubtful.
//!
//! The parser goes on after an error, so that all come at once; but what it then reads may not be what was meant. A fault that an
//! error may have caused is not told: it comes back, if it was one, when the error is mended.

use super::fault::{Sink, position};
use std::collections::BTreeSet;
use toml::de::Error;

/// Notes the first syntax error of every line.
pub(super) fn judge(errors: &[Error], sink: &mut Sink<'_>) {
    if errors.is_empty() {
        return;
    }
    let text = sink.text();
    let offsets: Vec<usize> =
        errors.iter().map(|error| error.span().map_or(text.len(), |span| span.start)).collect();
    let broken: BTreeSet<usize> = offsets.iter().map(|offset| position(text, *offset).0).collect();
    let astray = lines_astray(text, &broken);
    sink.keep(|place| {
        let (line, _) = position(text, place.start);
        let is_hit = offsets.iter().any(|offset| (place.start..=place.end).contains(offset));
        !is_hit && !broken.contains(&line) && !astray.contains(&line)
    });
    let mut in_order: Vec<_> = offsets.iter().zip(errors).collect();
    in_order.sort_by_key(|(offset, _)| **offset);
    let mut told = BTreeSet::new();
    for (offset, error) in in_order {
        if told.insert(position(text, *offset).0) {
            sink.fault(*offset..*offset, format!("not TOML: {}", error.message()));
        }
    }
}

/// The lines from a broken header to the next header: nobody knows in which table they stand.
fn lines_astray(text: &str, broken: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut astray = BTreeSet::new();
    let mut is_astray = false;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        let is_header = line.starts_with('[') || (line.ends_with(']') && !line.contains('='));
        if is_header {
            is_astray = broken.contains(&number);
        }
        if is_astray {
            astray.insert(number);
        }
    }
    astray
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_after_a_broken_header_belong_to_no_table() {
        let text = "[a]\nx = 1\n[b\ny = 2\nz = []\n[c]\nw = 3\nd]\nv = 4\n";
        let astray: Vec<_> = lines_astray(text, &BTreeSet::from([3, 8])).into_iter().collect();
        assert_eq!(astray, [3, 4, 5, 8, 9]);
    }
}
