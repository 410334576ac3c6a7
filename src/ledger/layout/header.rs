//! The header row of a file: where the columns of a layout stand in it, looked up once.

use super::encoding::Encoding;
use super::records::Fields;
use super::refused::OWN_COLUMNS;
use super::{Layout, LayoutError};
use crate::event::printable;
use std::collections::BTreeSet;

/// The header row.
#[derive(Debug, Clone)]
pub struct Header {
    fields: Fields,
    /// The names, trimmed and in lower case.
    names: Vec<String>,
    /// Where each column stands, from 0: nothing where it is not there, several places where it is of several parts.
    places: [Vec<usize>; Column::ALL.len()],
    /// The kinds of further codes, and where they stand.
    codes: Vec<(String, usize)>,
    /// Names without a meaning, as they may be shown.
    unknown: Vec<String>,
    pub(super) delimiter: u8,
    pub(super) encoding: Encoding,
}

/// A column that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Ballot,
    Voter,
    Election,
    /// The day of the election, where a file says that instead.
    ElectionDate,
    Imb,
    Style,
    Status,
    Reason,
    /// When the voter asked for it.
    Requested,
    Mailed,
    Returned,
    /// When the voter voted in person, which voids the ballot.
    VotedInPerson,
    ReceiveUntil,
}

impl Column {
    pub(super) const ALL: [Self; 13] = [
        Self::Ballot,
        Self::Voter,
        Self::Election,
        Self::ElectionDate,
        Self::Imb,
        Self::Style,
        Self::Status,
        Self::Reason,
        Self::Requested,
        Self::Mailed,
        Self::Returned,
        Self::VotedInPerson,
        Self::ReceiveUntil,
    ];

    /// Those that are days or times.
    pub(super) const TIMES: [Self; 6] = [
        Self::ElectionDate,
        Self::Requested,
        Self::Mailed,
        Self::Returned,
        Self::VotedInPerson,
        Self::ReceiveUntil,
    ];

    /// The name in layouts and in reasons.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ballot => "ballot",
            Self::Voter => "voter",
            Self::Election => "election",
            Self::ElectionDate => "election_date",
            Self::Imb => "imb",
            Self::Style => "style",
            Self::Status => "status",
            Self::Reason => "reason",
            Self::Requested => "requested",
            Self::Mailed => "mailed",
            Self::Returned => "returned",
            Self::VotedInPerson => "voted_in_person",
            Self::ReceiveUntil => "receive_until",
        }
    }

    /// The column of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Whether it may be of several columns of the file.
    pub(super) const fn is_of_parts(self) -> bool {
        matches!(self, Self::Ballot | Self::Status | Self::Reason)
    }
}

impl Header {
    /// Finds the layout's columns, and those of the kinds of `codes`.
    pub(super) fn of(
        fields: Fields,
        layout: &Layout,
        delimiter: u8,
        codes: &[String],
    ) -> Result<Self, LayoutError> {
        let spelt = fields.iter().map(|name| layout.encoding.decode(name));
        let names: Vec<String> = spelt.map(|name| name.trim().to_ascii_lowercase()).collect();
        let keys: Vec<String> = names.iter().map(|name| key(name)).collect();
        check_twice(&names, &keys)?;
        let mut header = Self {
            fields,
            names,
            places: Column::ALL.map(|column| places(layout, column, &keys)),
            codes: Vec::new(),
            unknown: Vec::new(),
            delimiter,
            encoding: layout.encoding,
        };
        for column in Column::ALL.into_iter().filter(|column| layout.requires(*column)) {
            if header.places(column).is_empty() {
                let column = layout.first_missing(column, &keys);
                return Err(LayoutError::Missing { column, separated: layout.separated() });
            }
        }
        header.codes = code_places(layout, codes, &keys);
        header.unknown = header.find_unknown(layout, &keys);
        Ok(header)
    }

    /// The names of columns that mean nothing in this layout.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// How many columns there are.
    pub(super) const fn len(&self) -> usize {
        self.names.len()
    }

    /// Where the column stands.
    pub(super) fn places(&self, column: Column) -> &[usize] {
        self.places.get(column as usize).map_or(&[], Vec::as_slice)
    }

    /// The kinds of further codes, and where they stand.
    pub(super) fn codes(&self) -> &[(String, usize)] {
        &self.codes
    }

    /// Whether the column at `at` means something.
    pub(super) fn is_known(&self, at: usize) -> bool {
        self.places.iter().any(|places| places.contains(&at))
            || self.codes.iter().any(|(_, place)| *place == at)
    }

    /// The name of the column at `at`, from 0, as it may be shown.
    pub(super) fn name(&self, at: usize) -> String {
        self.names.get(at).map_or_else(String::new, |name| printable(name))
    }

    /// The names, trimmed and in lower case.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) const fn fields(&self) -> &Fields {
        &self.fields
    }

    fn find_unknown(&self, layout: &Layout, keys: &[String]) -> Vec<String> {
        let ignored: BTreeSet<String> = layout.ignored.iter().map(|name| key(name)).collect();
        let means_nothing = |(at, name): &(usize, &String)| {
            !name.is_empty()
                && !self.is_known(*at)
                && !ignored.contains(*name)
                && !OWN_COLUMNS.contains(&name.as_str())
        };
        let unknown = keys.iter().enumerate().filter(means_nothing);
        unknown.map(|(at, _)| self.name(at)).collect()
    }
}

/// How a name is compared: exports of one system differ in case, and in spaces for underscores.
pub(super) fn key(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace(' ', "_")
}

fn check_twice(names: &[String], keys: &[String]) -> Result<(), LayoutError> {
    let mut seen = BTreeSet::new();
    for (name, key) in names.iter().zip(keys) {
        // Spreadsheets leave columns without a name behind.
        if !key.is_empty() && !seen.insert(key) {
            return Err(LayoutError::Twice(printable(name)));
        }
    }
    Ok(())
}

/// Where the parts of the first spelling stand that is there as a whole.
fn places(layout: &Layout, column: Column, keys: &[String]) -> Vec<usize> {
    let place = |part: &String| keys.iter().position(|name| *name == key(part));
    let whole = |parts: &Vec<String>| parts.iter().map(place).collect::<Option<Vec<_>>>();
    layout.spellings(column).iter().find_map(whole).unwrap_or_default()
}

/// The layout's own codes, then the columns that are called as a kind of code: one may name the ballot as well.
fn code_places(layout: &Layout, kinds: &[String], keys: &[String]) -> Vec<(String, usize)> {
    let place = |name: &String| keys.iter().position(|known| *known == key(name));
    // `ballot`, `voter` and `imb` are what an envelope may name, too, and have columns of their own.
    let is_other =
        |kind: &&String| Column::from_name(kind).is_none() && !layout.codes.contains_key(*kind);
    let named = kinds.iter().filter(is_other).map(|kind| (kind, kind));
    let all = layout.codes.iter().chain(named);
    all.filter_map(|(kind, name)| Some((kind.clone(), place(name)?))).collect()
}
