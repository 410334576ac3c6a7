//! Scanners: what is known of each model, how their bytes become symbols, and where the bytes come from.

pub mod camera;
pub mod dialog;
pub mod folder;
pub mod framing;
pub mod hid_pos;
pub mod keyboard;
pub mod line;
pub mod profile;
pub mod pty;
pub mod recording;
pub mod speaker;
pub mod text;
