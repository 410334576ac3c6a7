//! Wakes whoever waits for a device as soon as one comes, goes, or may be opened.
//!
//! What is told is that something changed, not what: whoever is woken looks again. So it does not matter if the kernel drops
//! events, or if many come at once. Where the kernel cannot tell, nobody is woken, and looks again every now and then as always.

use super::door;
use crate::event::chain;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::sleep;

/// Where nodes and udev's links to them come and go, below `/dev`. Folders that are not there yet are watched once they are.
const FOLDERS: [&str; 7] =
    ["", "input", "input/by-id", "serial", "serial/by-id", "v4l", "v4l/by-id"];

/// A device that is plugged in makes a dozen changes in a row, and one look is enough.
const PAUSE: Duration = Duration::from_millis(50);

/// Bytes of events read at a time; what they say is of no interest.
const EVENT_BYTES: usize = 4_096;

/// Reads in a row: more events than the kernel's queue holds by default (16,384).
const READS_MAX: usize = 512;

/// Tells that something changed since it was last asked.
#[derive(Debug, Clone)]
pub struct Hotplug {
    changes: watch::Receiver<u64>,
}

impl Hotplug {
    /// Watches this machine's devices; within a runtime.
    pub fn start() -> Self {
        Self::watch("/dev")
    }

    /// Watches a folder of devices, as long as somebody wants to know.
    fn watch(dev: impl Into<PathBuf>) -> Self {
        let dev = dev.into();
        let (teller, changes) = watch::channel(0);
        match Watcher::new(dev) {
            Ok(watcher) => {
                drop(tokio::spawn(watcher.run(teller)));
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "The kernel does not tell of new devices.");
            }
        }
        Self { changes }
    }

    /// Returns once something changed; at once if it did since the last time. Cancel safe.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

struct Watcher {
    dev: PathBuf,
    events: AsyncFd<OwnedFd>,
}

impl Watcher {
    fn new(dev: PathBuf) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let watcher = Self { dev, events: door::awaited(events)? };
        watcher.watch_all();
        Ok(watcher)
    }

    async fn run(self, teller: watch::Sender<u64>) {
        loop {
            tokio::select! {
                () = teller.closed() => return,
                drained = self.drain() => if let Err(error) = drained {
                    tracing::debug!(error = chain(&error), "The kernel tells no more of new devices.");
                    return;
                },
            }
            sleep(PAUSE).await;
            // Folders that came are watched before anybody looks into them, so that nothing comes unseen in between.
            self.watch_all();
            teller.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// Waits for an event, and takes all there are.
    async fn drain(&self) -> io::Result<()> {
        let mut ready = self.events.readable().await?;
        let mut dropped = [0; EVENT_BYTES];
        for _ in 0..READS_MAX {
            let read =
                |events: &AsyncFd<OwnedFd>| Ok(rustix::io::read(events.get_ref(), &mut dropped)?);
            match ready.try_io(read) {
                Ok(Ok(_)) => {}
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_none_left) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Watches every folder that is there. One that is watched already stays so; one that was removed is no longer.
    fn watch_all(&self) {
        for folder in FOLDERS {
            let folder = self.dev.join(folder);
            if let Err(error) = self.watch(&folder)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::debug!(
                    error = chain(&error),
                    folder = %folder.display(),
                    "A folder of devices is not watched."
                );
            }
        }
    }

    fn watch(&self, folder: &Path) -> io::Result<()> {
        let changes = WatchFlags::CREATE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        inotify::add_watch(self.events.get_ref(), folder, changes)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::fs::symlink;
    use std::pin::pin;
    use std::task::Poll;

    /// Whether it tells of a change now.
    async fn is_told(hotplug: &mut Hotplug) -> bool {
        let mut changed = pin!(hotplug.changed());
        std::future::poll_fn(|cx| Poll::Ready(changed.as_mut().poll(cx).is_ready())).await
    }

    #[tokio::test]
    async fn nodes_that_come_go_and_may_be_opened_are_told() {
        let dev = tempfile::tempdir().unwrap();
        let mut hotplug = Hotplug::watch(dev.path());
        assert!(!is_told(&mut hotplug).await);
        let node = dev.path().join("ttyACM0");
        fs::write(&node, "").unwrap();
        hotplug.changed().await;
        fs::set_permissions(&node, fs::Permissions::from_mode(0o660)).unwrap();
        hotplug.changed().await;
        fs::remove_file(&node).unwrap();
        hotplug.changed().await;
    }

    #[tokio::test]
    async fn folders_that_come_later_are_watched_too() {
        let dev = tempfile::tempdir().unwrap();
        let mut hotplug = Hotplug::watch(dev.path());
        let folder = dev.path().join("input/by-id");
        for _ in 0..2 {
            fs::create_dir(dev.path().join("input")).unwrap();
            hotplug.changed().await;
            fs::create_dir(&folder).unwrap();
            hotplug.changed().await;
            symlink("../event3", folder.join("usb-event-kbd")).unwrap();
            hotplug.changed().await;
            fs::remove_dir_all(dev.path().join("input")).unwrap();
            hotplug.changed().await;
        }
    }

    #[tokio::test]
    async fn everybody_is_told_and_a_burst_once() {
        let dev = tempfile::tempdir().unwrap();
        let mut first = Hotplug::watch(dev.path());
        let mut second = first.clone();
        for n in 0..1_000 {
            fs::write(dev.path().join(format!("tty{n}")), "").unwrap();
        }
        first.changed().await;
        second.changed().await;
        assert!(!is_told(&mut first).await && !is_told(&mut second).await);
    }

    #[tokio::test]
    async fn where_nothing_can_be_watched_nobody_is_told() {
        let dev = tempfile::tempdir().unwrap();
        let mut hotplug = Hotplug::watch(dev.path().join("none"));
        assert!(!is_told(&mut hotplug).await);
        let (teller, changes) = watch::channel(0);
        drop(teller);
        assert!(!is_told(&mut Hotplug { changes }).await);
    }
}
