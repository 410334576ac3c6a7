//! The ledger through its public face: verdicts, changes on their way to the relay, imports, and the proof of all of it.
#![cfg(test)]

#[path = "ledger/proof.rs"]
mod proof;
#[path = "support/station.rs"]
mod station;
