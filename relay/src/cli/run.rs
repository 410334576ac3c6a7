//! `ballot-relay run`: opens the doors, starts the workers, stops when it is asked to.

use super::{Failure, say};
use crate::channel::Channels;
use crate::relay::Relay;
use crate::serve::{self, Door};
use crate::told::chain;
use crate::web::{self, Site};
use crate::work;
use crate::{office, pages};
use axum::Router;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Runs until `SIGTERM` or `SIGINT`.
pub(super) fn run(relay: &Arc<Relay>) -> Result<(), Failure> {
    for note in relay.config.notes() {
        tracing::warn!("note: {note}");
    }
    runtime()?.block_on(async {
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(async move {
            asked_to_stop().await;
            stop.send_replace(true);
        });
        serve_until(relay, stopping).await
    })
}

/// What everything runs on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(69, chain(&error)))
}

/// Runs until `stopping` says so.
pub(crate) async fn serve_until(
    relay: &Arc<Relay>,
    stopping: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let open = async |listener| {
        Door::open(listener).await.map_err(|error| Failure::new(69, chain(&error)))
    };
    let door = open(&relay.config.pages).await?;
    let faces = faces(relay)?;
    let stations = open(&relay.config.stations).await?;
    let channels = Channels::new(&relay.config).map_err(|error| Failure::new(78, chain(&error)))?;
    say(&format!("ready pages {} stations {}", door.address, stations.address))?;
    tokio::join!(
        door.serve(serve::pages(relay).merge(faces), stopped(stopping.clone())),
        stations.serve(serve::stations(relay), stopped(stopping.clone())),
        work::run(Arc::clone(relay), channels, stopping),
    );
    Ok(())
}

/// What voters and the office see.
fn faces(relay: &Arc<Relay>) -> Result<Router, Failure> {
    let site = Site::new(Arc::clone(relay)).map_err(|error| Failure::new(78, chain(&error)))?;
    Ok(web::router(&site, &[pages::ROUTES, office::ROUTES]))
}

/// Completes when the stop is asked for, or nobody can ask any more.
pub(crate) async fn stopped(mut stopping: watch::Receiver<bool>) {
    if stopping.wait_for(|is_asked| *is_asked).await.is_err() {
        tracing::debug!("Nobody can ask for a stop any more.");
    }
}

/// Completes on `SIGTERM` or `SIGINT`.
pub(super) async fn asked_to_stop() {
    let (Ok(mut term), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}
