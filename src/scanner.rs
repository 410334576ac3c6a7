//! Scanners: what is known of each model, and how their bytes become symbols.

pub mod framing;
pub mod profile;
