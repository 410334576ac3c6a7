//! Cells of separated values that a spreadsheet must not take for formulas: which those are, and how they are written.

/// What a spreadsheet takes for the start of a formula, or passes over before one (OWASP, "CSV Injection"; ASVS 5.0, 1.2.10 has
/// the null character). Some take the full-width forms of the four signs for the signs.
const STARTS: [char; 12] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// What makes text of a formula.
const GUARD: char = '\'';

/// Writes a row of CSV (RFC 4180, lines ending in CR LF), of which no cell is a formula.
pub fn write_csv_row(line: &mut String, cells: &[&str]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            line.push(',');
        }
        write(line, cell);
    }
    line.push_str("\r\n");
}

/// Every cell with something in it is quoted, so that none ends early.
fn write(line: &mut String, cell: &str) {
    if cell.is_empty() {
        return;
    }
    line.push('"');
    if is_formula(cell) {
        line.push(GUARD);
    }
    for character in cell.chars() {
        if character == '"' {
            line.push('"');
        }
        line.push(character);
    }
    line.push('"');
}

/// The cell behind the sign that [`bare`] takes away again, where it needs one.
pub(super) fn guarded(cell: &[u8]) -> Vec<u8> {
    let mut guarded = Vec::with_capacity(cell.len() + 1);
    if needs_guard(cell) {
        guarded.push(b'\'');
    }
    guarded.extend_from_slice(cell);
    guarded
}

/// The cell as it was before it was [`guarded`].
pub(super) fn bare(cell: &[u8]) -> &[u8] {
    match cell.split_first() {
        Some((b'\'', bare)) if needs_guard(bare) => bare,
        _ => cell,
    }
}

/// What looks guarded already is guarded once more, so that one guard can always be taken away.
fn needs_guard(cell: &[u8]) -> bool {
    is_formula(String::from_utf8_lossy(cell).trim_start_matches(GUARD))
}

/// Whether a spreadsheet could take a text for a formula.
pub(super) fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches(' ').starts_with(STARTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cell_is_no_formula_and_ends_where_it_ends() {
        for (cell, expected) in [
            ("000000001", "\"000000001\""),
            ("", ""),
            ("=1+1", "\"'=1+1\""),
            (" =1+1", "\"' =1+1\""),
            ("-2", "\"'-2\""),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("@a,b", "\"'@a,b\""),
            ("\u{ff1d}1+1", "\"'\u{ff1d}1+1\""),
            ("\t=1", "\"'\t=1\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("1=1", "\"1=1\""),
        ] {
            let mut line = String::new();
            write_csv_row(&mut line, &["x", cell]);
            assert_eq!(line, format!("\"x\",{expected}\r\n"));
        }
    }

    #[test]
    fn no_start_of_a_formula_is_let_through() {
        for start in STARTS {
            for cell in [format!("{start}1+1"), format!("  {start}1+1")] {
                let mut line = String::new();
                write_csv_row(&mut line, &[&cell]);
                assert_eq!(line, format!("\"'{cell}\"\r\n"));
            }
        }
    }

    #[test]
    fn what_needs_no_guard_has_none() {
        for cell in ["", "1 TEST ST", "'", "'tis", "O'HARA", "' "] {
            assert_eq!(guarded(cell.as_bytes()), cell.as_bytes());
            assert_eq!(bare(cell.as_bytes()), cell.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn a_guard_is_taken_away_again(cell in "[' =+a\u{ff1d}]{0,6}") {
            let guarded = guarded(cell.as_bytes());
            prop_assert!(!is_formula(&String::from_utf8_lossy(&guarded)));
            prop_assert_eq!(bare(&guarded), cell.as_bytes());
        }
    }
}
