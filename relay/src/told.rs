//! The one way an error's chain is printed, and the closed list of what the relay logs.
//!
//! Levels say what a person must do: `WARN`, nothing is lost and it mends itself; `ERROR`, somebody must come. No log line holds a
//! voter's name, address, number, birth date or ballot: ids of our own rows, counts and codes only.

use std::error::Error;

/// The error and all its causes, on one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The text with everything that could steer a terminal or a log escaped, cut at 200 characters.
pub fn printable(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}
