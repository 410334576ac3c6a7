//! What every part of a running relay shares: pages, intake, workers.

use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Store, StoreError};
use crate::template::{Templates, WordFaults};
use std::sync::Arc;
use tokio::sync::Notify;

/// A relay: its configuration, its database, its clock.
#[derive(Debug)]
pub struct Relay {
    /// What it was told.
    pub config: Config,
    /// Its database.
    pub store: Store,
    /// What it says.
    pub templates: Templates,
    /// What tells it the time.
    pub clock: Arc<dyn Clock>,
    /// Wakes the workers: something is owed. They look by themselves, too.
    pub owed: Notify,
}

/// Why there is no relay.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Its words do not do.
    #[error("the relay has no words")]
    Words(#[source] WordFaults),
    /// Its database cannot be had.
    #[error("the relay has no database")]
    Store(#[source] StoreError),
}

impl Relay {
    /// Reads the words and opens the database.
    pub fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Arc<Self>, RelayError> {
        let templates = Templates::load(&config).map_err(RelayError::Words)?;
        let store = Store::open(&config.store, config.connections).map_err(RelayError::Store)?;
        Ok(Arc::new(Self { config, store, templates, clock, owed: Notify::new() }))
    }
}
