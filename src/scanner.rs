//! Scanners: what is known of each model, how their bytes become symbols, and where the bytes come from.

pub mod folder;
pub mod framing;
pub mod line;
pub mod profile;
pub mod pty;
pub mod recording;
