//! What the commands do.

pub mod loopback;
