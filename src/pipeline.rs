//! The stages, joined: what a scanner delivers becomes a scan, the ledger judges it, and the answer goes back.
//!
//! Everything that flows is bounded by credit: a scanner has at most its profile's `in_flight_max` scans waiting for their
//! verdicts, and the ledger's queue has room for all of them. A scanner without credit is not read, which holds it back. There
//! is no lock in this code; crossbeam's bounded queue is lock-free while neither side waits, and a side that waits parks
//! behind the queue's own mutex.

mod cameras;
mod drive;
mod judging;
mod lane;
mod outbox;
mod pictures;
mod shutdown;
mod sightings;

pub use lane::{Lane, LaneSettings, Patience};
pub use outbox::{LedgerCheckpoints, LedgerOutbox};
pub use shutdown::{Shutdown, Stopper};

pub(crate) use cameras::{CameraDriver, OpenCamera};
pub(crate) use drive::Driver;
pub(crate) use pictures::PictureDriver;
