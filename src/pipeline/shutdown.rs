//! The request to stop: one end of a channel, and everybody sees when it closes.

use tokio::sync::watch;

/// Held by whoever may ask to stop; dropping it asks.
#[derive(Debug)]
pub struct Stopper(watch::Sender<()>);

/// Seen by whoever must stop.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<()>);

impl Shutdown {
    /// A request that has not been made.
    pub fn channel() -> (Stopper, Self) {
        let (tx, rx) = watch::channel(());
        (Stopper(tx), Self(rx))
    }

    /// Returns once the stop is asked for. Cancel safe.
    pub async fn requested(&mut self) {
        while self.0.changed().await.is_ok() {}
    }

    /// Whether it is asked for.
    pub fn is_requested(&self) -> bool {
        self.0.has_changed().is_err()
    }
}

impl Stopper {
    /// Asks to stop.
    pub fn stop(self) {
        drop(self.0);
    }
}
