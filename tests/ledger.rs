//! The ledger through its public face: verdicts, changes on their way to the relay, imports, and the proof of all of it.
#![cfg(test)]

#[path = "ledger/batches.rs"]
mod batches;
#[path = "ledger/changes.rs"]
mod changes;
#[path = "ledger/corrections.rs"]
mod corrections;
#[path = "ledger/imports.rs"]
mod imports;
#[path = "ledger/people.rs"]
mod people;
#[path = "ledger/plans.rs"]
mod plans;
#[path = "ledger/proof.rs"]
mod proof;
#[path = "ledger/reports.rs"]
mod reports;
#[path = "ledger/restarts.rs"]
mod restarts;
#[path = "support/own_ledger.rs"]
mod station;
#[path = "ledger/verdicts.rs"]
mod verdicts;
