//! The care of the ledger: backups beside scanning, the second record of events, the way back, and old ledgers.
#![cfg(test)]

#[path = "care/backups.rs"]
mod backups;
#[path = "care/events.rs"]
mod events;
#[path = "care/office.rs"]
mod office;
#[path = "care/restores.rs"]
mod restores;
mod support;
#[path = "care/versions.rs"]
mod versions;
