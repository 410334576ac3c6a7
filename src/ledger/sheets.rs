//! Command sheets: the codes that a station prints, and how all earlier ones are made stale.

use super::apply::SHEETS;
use super::book::{Book, WriteError};
use super::fact::{Fact, Person};
use super::operators::NotAllowed;
use super::report::{ReadError, Reader};
use super::tally::{self, Scope};
use super::writer::{Desk, Reply, Taken};
use crate::clock::Micros;
use crate::sheet::{self, Order};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// What becomes of the sheets that were printed before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renewal {
    /// They stay good.
    #[default]
    Keep,
    /// They are stale from here on. Takes a supervisor as soon as there are operators.
    Renew,
}

/// The codes of a station.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SheetCodes {
    /// `[station] id`.
    pub station: String,
    /// Which printing.
    pub generation: u32,
    /// One for every order there is.
    pub codes: Vec<SheetCode>,
}

/// What is printed for one order. Whoever can read it can do it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SheetCode {
    /// What it does.
    pub order: Order,
    /// What its symbol says.
    pub payload: String,
}

impl std::fmt::Debug for SheetCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SheetCode({})", self.order)
    }
}

/// Why there are no codes. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSheet {
    /// Whoever asks may not.
    #[error(transparent)]
    People(NotAllowed),
    /// The sheets that were to become stale are, and others are good.
    #[error("the sheets were renewed since: printing {0} is what is good now")]
    RenewedSince(u32),
}

/// Asks for the codes.
#[derive(Debug)]
pub struct SheetRequest {
    /// What becomes of earlier sheets.
    pub renewal: Renewal,
    /// The generation that shall become stale, where whoever asks was shown one.
    pub of: Option<u32>,
    /// Who asks.
    pub person: Person,
    /// The codes.
    pub reply: Reply<Result<SheetCodes, NoSheet>>,
}

impl SheetRequest {
    /// Does it, within the open transaction.
    pub(super) fn take(self, now: Micros, desk: &mut Desk<'_>) -> Taken {
        let Self { renewal, of, person, reply } = self;
        desk.with(reply, |book| book.sheet_codes(now, (renewal, of), &person))
    }
}

impl Book {
    fn sheet_codes(
        &mut self,
        now: Micros,
        (renewal, of): (Renewal, Option<u32>),
        person: &Person,
    ) -> Result<Result<SheetCodes, NoSheet>, WriteError> {
        if let Err(why) = self.may_still(&person.who)? {
            return Ok(Err(NoSheet::People(why)));
        }
        let mut generation = self.sheet_generation()?;
        if renewal == Renewal::Renew {
            if let Err(why) = self.supervises(person)? {
                return Ok(Err(NoSheet::People(why)));
            }
            if of.is_some_and(|of| of != generation) {
                return Ok(Err(NoSheet::RenewedSince(generation)));
            }
            generation = generation.saturating_add(1);
            self.append(now, Fact::SheetsRenewed { generation, who: person.who.clone() }, None)?;
        }
        let tag = self.key.sheet_tag();
        let code = |order| {
            let sealed = sheet::sealed(&tag, generation, order);
            SheetCode { order, payload: format!("{sealed}:{}", self.key.seal(&sealed)) }
        };
        let codes = Order::all().map(code).collect();
        Ok(Ok(SheetCodes { station: self.settings.station.clone(), generation, codes }))
    }

    /// The generation of the sheets that are good.
    pub(super) fn sheet_generation(&mut self) -> rusqlite::Result<u32> {
        self.tally.flush(&self.conn)?;
        generation(&self.conn)
    }
}

impl Reader {
    /// The generation of the sheets that are good.
    pub fn sheet_generation(&self) -> Result<u32, ReadError> {
        self.snapshot(|| generation(&self.conn))
    }
}

/// The generation that is good: one more than were made stale.
fn generation(conn: &Connection) -> rusqlite::Result<u32> {
    let renewed = tally::read(conn, &Scope::Counted)?.get(SHEETS).copied().unwrap_or(0);
    Ok(u32::try_from(renewed).unwrap_or(u32::MAX).saturating_add(1))
}
