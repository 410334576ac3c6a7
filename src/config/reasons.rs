//! The table `[reasons]`: a county's own codes for why a ballot stands where it stands.

use super::fault::Sink;
use super::read::{Misfit, Sections, Table, Times};
use super::value;
use crate::reason::Reason;
use std::collections::BTreeMap;

pub(super) static REASONS: Table = Table { name: "reasons", times: Times::Once, keys: &[] };

/// A county's own codes, and the reason that each means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons(BTreeMap<String, Reason>);

impl Reasons {
    /// The name of the reason that a code means; any other text is its own.
    pub fn name_of(&self, text: &str) -> String {
        self.0.get(text).map_or(text, |reason| reason.name()).to_owned()
    }
}

pub(super) fn read(sections: &Sections<'_, '_>, sink: &mut Sink<'_>) -> Reasons {
    let names = Reason::ALL.map(Reason::name);
    let parse = |code: &str, text: &str| {
        if code.is_empty() || code.chars().any(char::is_control) {
            return Err(Misfit::new("a code is text without control characters"));
        }
        let reason = value::one_of(text, &names, Reason::from_name)?;
        match Reason::from_name(code) {
            Some(own) if own != reason => {
                Err(Misfit::new("the code is the name of another reason"))
            }
            _ => Ok(reason),
        }
    };
    Reasons(sections.words(&REASONS, sink, parse).into_iter().collect())
}
