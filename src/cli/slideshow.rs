//! Plays recorded pictures: lays each before the daemon's camera, or into its folder, and hears its verdict.

use super::player::{ANSWER_MAX, PlayError};
use crate::ledger::Told;
use crate::scan::Judged;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tokio::sync::broadcast;
use tokio::time::timeout;

/// Where pictures are laid.
#[derive(Debug)]
pub(super) enum Slideshow {
    /// Before a camera, which sees the one that lies there.
    Camera(PathBuf),
    /// Into a folder, which takes one after the other.
    Folder(PathBuf),
}

impl Slideshow {
    /// Shows the picture in `file`, the `n`th.
    pub(super) fn show(&self, n: u64, file: &Path) -> Result<(), PlayError> {
        let at = |source| PlayError::Picture { path: file.to_owned(), source };
        let place = match self {
            Self::Camera(place) => place.clone(),
            Self::Folder(folder) => {
                let extension = file.extension().unwrap_or_default();
                folder.join(format!("{n:06}")).with_extension(extension)
            }
        };
        let beside = place.with_extension("part");
        fs::copy(file, &beside).map_err(at)?;
        fs::rename(&beside, &place).map_err(at)
    }

    /// What the daemon says of the picture.
    pub(super) async fn verdict(feed: &mut broadcast::Receiver<Told>) -> Result<Judged, PlayError> {
        let told = async {
            loop {
                match feed.recv().await {
                    Ok(Told::Judged { judged, .. }) => return Ok(judged),
                    Ok(Told::Ledger { .. }) => {}
                    Err(error) => return Err(PlayError::Line(io::Error::other(error))),
                }
            }
        };
        timeout(ANSWER_MAX, told).await.unwrap_or(Err(PlayError::NoAnswer))
    }
}
