//! The daemon on a thread of its own, for commands that have it run by themselves.

use super::run::exit_of;
use super::{Exit, Failure};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{self, DaemonError, Ready, World};
use crate::pipeline::{Shutdown, Stopper};
use anyhow::anyhow;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// A running daemon. Whoever has it must stop it, or it works on after this is dropped until it has drained.
#[derive(Debug)]
pub(super) struct Stand {
    stopper: Stopper,
    thread: JoinHandle<Result<(), DaemonError>>,
}

impl Stand {
    /// Starts it, and waits until every scanner was opened or reported away. `own_dir` takes its socket.
    pub(super) async fn start(
        config: Config,
        clock: Arc<dyn Clock>,
        own_dir: PathBuf,
    ) -> Result<(Self, Ready), Failure> {
        let (ready, is_ready) = oneshot::channel();
        let (stopper, shutdown) = Shutdown::channel();
        let world = World {
            clock,
            runtime_dir: Some(own_dir),
            credentials_dir: None,
            record: None,
            on_ready: Box::new(|now| {
                if ready.send(now).is_err() {
                    tracing::debug!("Nobody waits for the daemon any more.");
                }
            }),
        };
        let thread = thread::Builder::new()
            .name("scan-daemon".to_owned())
            .spawn(move || daemon::run(config, world, shutdown))
            .map_err(|e| Failure::new(Exit::Away, e))?;
        let stand = Self { stopper, thread };
        if let Ok(ready) = is_ready.await {
            return Ok((stand, ready));
        }
        stand.stop().await?;
        Err(Failure::new(Exit::Away, anyhow!("the daemon stopped before it was ready")))
    }

    /// Has it drain, and waits until it is gone. The runtime goes on meanwhile.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        let Self { stopper, thread } = self;
        stopper.stop();
        let ended = spawn_blocking(move || thread.join()).await;
        match ended.map_err(|e| Failure::new(Exit::Away, e))? {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::new(exit_of(&error), error)),
            Err(_panic) => Err(Failure::new(Exit::Away, anyhow!("the daemon's thread panicked"))),
        }
    }
}
