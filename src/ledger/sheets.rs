//! Command sheets: the codes that a station prints, and how all earlier ones are made stale.

use super::apply::SHEETS;
use super::book::{Book, WriteError};
use super::fact::{Fact, Person};
use super::operators::NotAllowed;
use super::tally::{self, Scope};
use super::writer::{Desk, Reply, Taken};
use crate::clock::Micros;
use crate::sheet::{self, Order};
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

/// Asks for the codes.
#[derive(Debug)]
pub struct SheetRequest {
    /// What becomes of earlier sheets.
    pub renewal: Renewal,
    /// Who asks.
    pub person: Person,
    /// The codes.
    pub reply: Reply<Result<SheetCodes, NotAllowed>>,
}

impl SheetRequest {
    /// Does it, within the open transaction.
    pub(super) fn take(self, now: Micros, desk: &mut Desk<'_>) -> Taken {
        let Self { renewal, person, reply } = self;
        desk.with(reply, |book| book.sheet_codes(now, renewal, &person))
    }
}

impl Book {
    fn sheet_codes(
        &mut self,
        now: Micros,
        renewal: Renewal,
        person: &Person,
    ) -> Result<Result<SheetCodes, NotAllowed>, WriteError> {
        if let Err(why) = self.may_still(&person.who)? {
            return Ok(Err(why));
        }
        let mut generation = self.sheet_generation()?;
        if renewal == Renewal::Renew {
            if let Err(why) = self.supervises(person)? {
                return Ok(Err(why));
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

    /// The generation of the sheets that are good: one more than were made stale.
    pub(super) fn sheet_generation(&mut self) -> rusqlite::Result<u32> {
        self.tally.flush(&self.conn)?;
        let renewed = tally::read(&self.conn, &Scope::Counted)?.get(SHEETS).copied().unwrap_or(0);
        Ok(u32::try_from(renewed).unwrap_or(u32::MAX).saturating_add(1))
    }
}
