//! `ballot-intake report`: the whole ledger, a day, a batch, what is out of order, and whether everything adds up.

pub(super) mod text;

use super::place::Place;
use super::{Common, Exit, Failure, ask, batch, care, print_json};
use crate::ledger::{After, ReadError};
use anyhow::anyhow;
use serde::Serialize;
use std::io;

/// What is to be reported.
#[derive(Debug, Default)]
pub(super) enum Wanted {
    /// The whole ledger, in counts.
    #[default]
    Whole,
    /// A local day.
    Day(String),
    /// A batch: its number, or `<station>-<n>`.
    Batch(String),
    /// A page of exceptions.
    Exceptions {
        /// Where it begins.
        after: After,
        /// How long it may be.
        limit: usize,
    },
    /// Whether everything adds up.
    Reconciliation,
}

/// Reports.
pub(super) fn report(place: &Place, common: &Common, wanted: &Wanted) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let reader = ask::open_reader(&config)?;
    let now = place.clock.now();
    let read = |error: ReadError| Failure::new(Exit::Ledger, error);
    if let (Some(election), Wanted::Whole | Wanted::Reconciliation) = (&common.election, wanted) {
        ask::must_know(&reader, election, Exit::No)?;
    }
    match wanted {
        Wanted::Whole => {
            let election = common.election.as_ref().or(config.election.as_ref().map(|e| &e.id));
            let report = reader.report(election, now).map_err(read)?;
            care::with_report(place, &config, common, &report)?;
        }
        Wanted::Day(day) => {
            let report = reader.day(day, now).map_err(read)?;
            let no_date =
                || Failure::new(Exit::Usage, anyhow!("{day} is no date such as 2026-11-03"));
            say(common, &report.ok_or_else(no_date)?, text::day)?;
        }
        Wanted::Batch(batch) => {
            let number = batch::number(&config, batch)?;
            let report = reader.batch_sheet(number, now).map_err(read)?;
            say(common, &report.ok_or_else(|| batch::none(&config, number))?, text::batch)?;
        }
        Wanted::Exceptions { after, limit } => {
            say(common, &reader.exceptions(*after, *limit, now).map_err(read)?, text::exceptions)?;
        }
        Wanted::Reconciliation => {
            let election = ask::election(&config, common)?;
            let report = reader.reconciliation(&election, now).map_err(read)?;
            say(common, &report, text::reconciliation)?;
            if !report.balanced {
                return Ok(Exit::No);
            }
        }
    }
    Ok(Exit::Done)
}

fn say<T: Serialize>(
    common: &Common,
    report: &T,
    text: fn(&mut dyn io::Write, &T) -> io::Result<()>,
) -> Result<(), Failure> {
    if common.json {
        return print_json(report);
    }
    text(&mut io::stdout().lock(), report)?;
    Ok(())
}
