//! What stands between a returned ballot envelope and the voter who is told "received".

// Words: values and pure rules.
pub mod ballot;
pub mod clock;
pub mod delivery;
pub mod event;
pub mod imb;
pub mod scan;

// Stages, in the order of the flow: none imports another.
pub mod scanner;

pub mod decode;

pub mod envelope;

pub mod dedupe;

pub mod ledger;

pub mod forward;

// What the stages are told.
pub mod config;

pub mod control;

// The stages, joined.
pub mod pipeline;

pub mod daemon;

// The edge.
pub mod cli;
