//! A refusal as every language can tell it: a code, and what varies in its words. In English it is the error's own sentence, too.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Display;

/// Which refusal it is, and what varies in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coded {
    /// The key of its words.
    pub code: String,
    /// What varies, by the names that the words have for it: a `role`, a `status` and the like by the names that the ledger has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

/// An error that somebody is refused with.
pub trait Refuses: std::error::Error {
    /// Which it is.
    fn coded(&self) -> Coded;
}

/// A code with what varies. A test finds every code that has no words.
pub fn coded(code: &str, values: &[(&str, &dyn Display)]) -> Coded {
    let value = |(name, value): &(&str, &dyn Display)| ((*name).to_owned(), value.to_string());
    Coded { code: code.to_owned(), values: values.iter().map(value).collect() }
}
