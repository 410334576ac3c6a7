//! A row of a mail ballot file, as every layout comes to it: its canonical form, the form in which it travels, and what it says
//! that the ledger does not know.

use crate::ballot::{BallotId, ElectionId, IdError, Status, VoterId, import_moves};
use crate::clock::Micros;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Between two fields of a row that travels, and after the last: a control character, which no field holds, and which JSON
/// leaves as it is.
const END: char = '\u{7f}';

/// Between two codes, and between a code's kind and itself.
const WITHIN: char = '\u{80}';

/// The kind of code by which a row that travels says that it was refused: no code of a ballot has a kind without a name.
const REFUSED: &str = "";

/// One row of a mail ballot file; its canonical form is RFC 8785 JSON of this, with its ballot.
///
/// What a file does not say is no news: it takes nothing away from what the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRow {
    /// The election.
    pub election: ElectionId,
    /// The ballot. None: the voter's one ballot; where the voter has none, a ballot with the voter's id is issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ballot: Option<BallotId>,
    /// Whose it is.
    pub voter: VoterId,
    /// The 15 digits of mailer id and serial of its mail piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imb: Option<String>,
    /// Other codes that name it, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub codes: BTreeMap<String, String>,
    /// The ballot style.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<String>,
    /// Where it stands by the file.
    pub status: Status,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was mailed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailed: Option<Micros>,
    /// When it came back, by the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Micros>,
    /// Its own deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_until: Option<Micros>,
}

/// A row with its fields in the order of RFC 8785, so that it is canonical as it is written. Integers and strings look the same
/// in all JSON of ours.
#[derive(Serialize)]
struct Canonical<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ballot: Option<&'a BallotId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    codes: &'a BTreeMap<String, String>,
    election: &'a ElectionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    imb: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mailed: Option<Micros>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_until: Option<Micros>,
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<Micros>,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    style: Option<&'a str>,
    voter: &'a VoterId,
}

impl ImportRow {
    /// A row that was refused before it came to the ledger: the ledger is to know no more than that the file names this ballot, or
    /// ballots of this voter. None where it names neither.
    pub fn refused(
        election: ElectionId,
        ballot: Option<BallotId>,
        voter: Option<VoterId>,
    ) -> Option<Self> {
        let of_ballot = || ballot.as_ref().and_then(|ballot| VoterId::new(ballot.as_str()).ok());
        Some(Self {
            election,
            voter: voter.or_else(of_ballot)?,
            ballot,
            imb: None,
            codes: BTreeMap::from([(REFUSED.to_owned(), String::new())]),
            style: None,
            status: Status::Issued,
            reason: None,
            mailed: None,
            returned: None,
            receive_until: None,
        })
    }

    /// Whether it is one that was refused before it came to the ledger.
    pub fn is_refused(&self) -> bool {
        self.codes.contains_key(REFUSED)
    }

    /// RFC 8785 JSON. Kinds of codes are ASCII, so a map in order is in the order of RFC 8785.
    pub(in crate::ledger) fn canonical(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Canonical {
            ballot: self.ballot.as_ref(),
            codes: &self.codes,
            election: &self.election,
            imb: self.imb.as_deref(),
            mailed: self.mailed,
            reason: self.reason.as_deref(),
            receive_until: self.receive_until,
            returned: self.returned,
            status: self.status,
            style: self.style.as_deref(),
            voter: &self.voter,
        })
    }

    /// The ballot's id as text; empty for none.
    pub(in crate::ledger) fn ballot_id(&self) -> &str {
        self.ballot.as_ref().map_or("", BallotId::as_str)
    }

    /// How the ballot stands by this row, when it stood as in `current`. A status that the ballot has passed is old news.
    pub(in crate::ledger) fn upon(&self, current: &Self) -> Self {
        let moves = import_moves(current.status, self.status);
        let from = if moves { self } else { current };
        let said = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
        let mut codes = current.codes.clone();
        codes.extend(self.codes.clone());
        Self {
            election: current.election.clone(),
            ballot: current.ballot.clone(),
            voter: self.voter.clone(),
            imb: said(&self.imb, &current.imb),
            codes,
            style: said(&self.style, &current.style),
            status: from.status,
            reason: from.reason.clone(),
            mailed: self.mailed.or(current.mailed),
            returned: self.returned.or(current.returned),
            receive_until: self.receive_until.or(current.receive_until),
        }
    }

    /// Whether [`ImportRow::upon`] would leave `current` as it is.
    pub(in crate::ledger) fn is_no_news(&self, current: &Self) -> bool {
        fn adds_nothing<T: PartialEq>(new: Option<&T>, old: Option<&T>) -> bool {
            new.is_none() || new == old
        }
        !import_moves(current.status, self.status)
            && self.voter == current.voter
            && adds_nothing(self.imb.as_ref(), current.imb.as_ref())
            && adds_nothing(self.style.as_ref(), current.style.as_ref())
            && adds_nothing(self.mailed.as_ref(), current.mailed.as_ref())
            && adds_nothing(self.returned.as_ref(), current.returned.as_ref())
            && adds_nothing(self.receive_until.as_ref(), current.receive_until.as_ref())
            && self.codes.iter().all(|(kind, code)| current.codes.get(kind) == Some(code))
    }

    /// Codes other than the ballot's id, with their kinds.
    pub(in crate::ledger) fn codes(&self) -> impl Iterator<Item = (&str, &str)> {
        let imb = self.imb.as_deref().map(|imb| ("imb", imb));
        let others = self.codes.iter().map(|(kind, code)| (kind.as_str(), code.as_str()));
        [("voter", self.voter.as_str())].into_iter().chain(imb).chain(others)
    }

    /// Writes the row as it travels: its fields, each with its end.
    pub fn pack(&self, to: &mut String) {
        let time = |at: Option<Micros>| at.map_or(Cow::Borrowed(""), |at| at.0.to_string().into());
        let mut codes = String::new();
        for (kind, code) in &self.codes {
            for part in [kind, code] {
                codes.push_str(part);
                codes.push(WITHIN);
            }
        }
        let text = |text: &Option<String>| text.as_deref().map_or("", |text| text).to_owned();
        let fields: [Cow<'_, str>; FIELDS] = [
            self.election.as_str().into(),
            self.ballot_id().into(),
            self.voter.as_str().into(),
            self.imb.as_deref().unwrap_or_default().into(),
            codes.into(),
            self.style.as_deref().unwrap_or_default().into(),
            self.status.name().into(),
            text(&self.reason).into(),
            time(self.mailed),
            time(self.returned),
            time(self.receive_until),
        ];
        for field in fields {
            to.push_str(&field);
            to.push(END);
        }
    }

    /// Reads what [`ImportRow::pack`] wrote, one row after the other.
    pub fn unpack_all(text: &str) -> Result<Vec<Self>, NotPacked> {
        let mut fields = text.split_terminator(END);
        let mut rows = Vec::new();
        while let Some(election) = fields.next() {
            rows.push(Self::unpack(election, &mut fields)?);
        }
        Ok(rows)
    }

    fn unpack(
        election: &str,
        fields: &mut std::str::SplitTerminator<'_, char>,
    ) -> Result<Self, NotPacked> {
        let mut next = || fields.next().ok_or(NotPacked::Short);
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let time = |text: &str| match text {
            "" => Ok(None),
            text => text.parse().map(|at| Some(Micros(at))).map_err(|_no_number| NotPacked::Field),
        };
        Ok(Self {
            election: ElectionId::new(election).map_err(NotPacked::Id)?,
            ballot: match next()? {
                "" => None,
                ballot => Some(BallotId::new(ballot).map_err(NotPacked::Id)?),
            },
            voter: VoterId::new(next()?).map_err(NotPacked::Id)?,
            imb: text(next()?),
            codes: codes(next()?)?,
            style: text(next()?),
            status: Status::from_name(next()?).ok_or(NotPacked::Field)?,
            reason: text(next()?),
            mailed: time(next()?)?,
            returned: time(next()?)?,
            receive_until: time(next()?)?,
        })
    }
}

/// Fields of a row that travels.
const FIELDS: usize = 11;

/// Why a text is no row that travels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPacked {
    /// Fields are missing.
    #[error("a row has too few fields")]
    Short,
    /// An id is none.
    #[error("a row has an id that is none")]
    Id(#[source] IdError),
    /// Another field is none of ours.
    #[error("a row has a field that is none")]
    Field,
}

fn codes(text: &str) -> Result<BTreeMap<String, String>, NotPacked> {
    let mut parts = text.split_terminator(WITHIN);
    let mut codes = BTreeMap::new();
    while let Some(kind) = parts.next() {
        let code = parts.next().ok_or(NotPacked::Short)?;
        codes.insert(kind.to_owned(), code.to_owned());
    }
    Ok(codes)
}

/// Rows as they travel in a command: as one text, for one object a row takes five times as long to read.
pub(crate) mod packed {
    use super::ImportRow;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(rows: &[ImportRow], to: S) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        for row in rows {
            row.pack(&mut text);
        }
        to.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<ImportRow>, D::Error> {
        let text = String::deserialize(from)?;
        ImportRow::unpack_all(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows() -> impl Strategy<Value = ImportRow> {
        let text = || proptest::option::of("[ -~\u{e9}\u{2028}]{1,20}");
        let time = || proptest::option::of(-(1_i64 << 53)..1 << 53);
        let codes = proptest::collection::btree_map("[a-z_]{1,8}", "[!-~]{1,12}", 0..3);
        let ids = ("[!-~]{1,64}", proptest::option::of("[!-~]{1,64}"), "[!-~]{1,64}");
        let rest = (0_i64..8, time(), time(), time());
        (ids, codes, (text(), text(), text()), rest).prop_map(
            |((election, ballot, voter), codes, (imb, style, reason), (status, a, b, c))| {
                ImportRow {
                    election: ElectionId::new(&election).unwrap(),
                    ballot: ballot.map(|ballot| BallotId::new(&ballot).unwrap()),
                    voter: VoterId::new(&voter).unwrap(),
                    imb,
                    codes,
                    style,
                    status: Status::from_number(status).unwrap(),
                    reason,
                    mailed: a.map(Micros),
                    returned: b.map(Micros),
                    receive_until: c.map(Micros),
                }
            },
        )
    }

    proptest! {
        #[test]
        fn a_row_is_canonical_as_it_is_written(row in rows()) {
            prop_assert_eq!(row.canonical().unwrap(), serde_json_canonicalizer::to_string(&row).unwrap());
        }

        #[test]
        fn rows_travel_as_they_are(rows in proptest::collection::vec(rows(), 0..4)) {
            let mut text = String::new();
            for row in &rows {
                row.pack(&mut text);
            }
            prop_assert_eq!(ImportRow::unpack_all(&text), Ok(rows));
        }

        #[test]
        fn no_news_is_what_leaves_a_ballot_as_it_is(row in rows(), current in rows()) {
            prop_assert_eq!(row.is_no_news(&current), row.upon(&current) == current);
            let after = row.upon(&current);
            prop_assert!(row.is_no_news(&after), "a second time says nothing new");
        }
    }
}
