//! The commands of `ballot-intake`.

pub mod faces;
pub mod loopback;
pub mod read;
