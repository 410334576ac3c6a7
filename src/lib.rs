//! What stands between a returned ballot envelope and the voter who is told "received".

// Words: values and pure rules.
pub mod ballot;
pub mod clock;
pub mod delivery;
pub mod event;
pub mod imb;
pub mod scan;

pub mod ledger;
// Stages: none imports another.
pub mod envelope;
pub mod scanner;
