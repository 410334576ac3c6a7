//! Scanners: what is known of each model, how their bytes become symbols, and where the bytes come from.

pub mod access;
pub mod camera;
pub mod dialog;
pub mod folder;
pub mod framing;
pub mod hid_pos;
pub mod hotplug;
pub mod keyboard;
pub mod line;
pub mod played;
pub mod plugged;
pub mod profile;
pub mod pty;
pub mod recording;
pub mod speaker;
pub mod ssi;
pub mod text;

mod door;
mod node;
mod point_of_sale;

#[cfg(test)]
pub(crate) mod made_up;
