//! A folder as a scanner: a document camera or a copier puts pictures into it, one after the other.
//!
//! A picture is taken when it is settled: its size, time and inode are what they were at a look at least [`SETTLE`] before, and
//! still are after it was read. When its scan is answered it moves to `done/` or `failed/` inside the folder, so that what is in
//! the folder is what is not done: after a crash the pictures in hand are read again, and of one that was judged already the ledger
//! says `already_received`.
//! Nothing in those two is ever overwritten. Several may be in hand at once; who takes them judges them in the order in which they
//! were given out, so that a crash leaves those of which nothing is known and no gap among those that are done.
//!
//! Names that start with `.` or end in `.part` or `.tmp` are somebody's unfinished work and are left alone, and so are
//! sub-folders, symbolic links, pipes and devices: only plain files are opened, and no link is followed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a file must have stood unchanged before it is read.
pub const SETTLE: Duration = Duration::from_millis(200);

/// How many names of the folder are held in memory: the first in name order.
pub const LISTING_MAX: usize = 1024;

/// How many pictures may be handed out and not finished.
pub const IN_HAND_MAX: usize = 64;

/// How many files of one name `done/` or `failed/` may hold.
pub const SAME_NAME_MAX: u32 = 100_000;

const DONE: &str = "done";
const FAILED: &str = "failed";

/// Why the folder does not work as a scanner.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// `done/` or `failed/` cannot be made.
    #[error("folder {} cannot be made", .path.display())]
    Make {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The folder is gone, or is none, or may not be read.
    #[error("folder {} cannot be listed", .path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A picture that is done with cannot be moved away. It stays in hand: this folder does not give it out again.
    #[error("picture {} cannot be moved to {}", .from.display(), .to.display())]
    Move {
        /// The picture.
        from: PathBuf,
        /// Where it should be.
        to: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A picture was moved, but the system does not say that this is on disk. It stays in hand.
    #[error("folder {} cannot be synced", .path.display())]
    Sync {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There are [`SAME_NAME_MAX`] of that name.
    #[error("{} has {SAME_NAME_MAX} files named like {}", .folder.display(), .name.display())]
    Names {
        /// `done/` or `failed/`.
        folder: PathBuf,
        /// The picture's name.
        name: OsString,
    },
}

/// A settled picture, in hand until it is finished.
#[derive(Debug)]
pub struct Waiting {
    name: OsString,
    stamp: Stamp,
    /// Where it lies.
    pub path: PathBuf,
}

/// What a settled file holds.
#[derive(Debug)]
pub enum Contents {
    /// All of its bytes.
    Bytes(Vec<u8>),
    /// It has so many bytes, more than a picture may have, and was not read.
    TooBig(u64),
    /// It cannot be read; others can.
    Unreadable(io::Error),
}

/// What became of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its scan was answered with a good tone or a notice: it moves to `done/`.
    Done,
    /// It cannot be looked at, or its scan was answered bad: somebody should look at it, so it moves to `failed/`.
    Failed,
}

/// A folder that pictures are put into.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    bytes_max: usize,
    /// The names of the last listing that were not handed out, with what was seen of each.
    listed: BTreeMap<OsString, Option<Look>>,
    in_hand: BTreeSet<OsString>,
}

/// What a file was at a look.
#[derive(Debug, Clone, Copy)]
struct Look {
    stamp: Stamp,
    since: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    seconds: i64,
    nanos: i64,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            bytes: metadata.size(),
            seconds: metadata.mtime(),
            nanos: metadata.mtime_nsec(),
        }
    }
}

impl Folder {
    /// Opens a folder and makes `done/` and `failed/` in it. Files of more than `bytes_max` bytes are not read.
    pub fn open(path: &Path, bytes_max: usize) -> Result<Self, FolderError> {
        make_inner(path)?;
        fs::read_dir(path).map_err(|source| FolderError::List { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            bytes_max,
            listed: BTreeMap::new(),
            in_hand: BTreeSet::new(),
        })
    }

    /// The next settled picture in name order, or nothing when none is settled yet or [`IN_HAND_MAX`] are in hand. `now` is
    /// monotonic. The folder is listed anew when nothing of the last listing is settled.
    pub fn next(&mut self, now: Duration) -> Result<Option<(Waiting, Contents)>, FolderError> {
        if self.in_hand.len() >= IN_HAND_MAX {
            return Ok(None);
        }
        if let Some(waiting) = self.next_listed(now) {
            return Ok(Some(waiting));
        }
        self.list()?;
        Ok(self.next_listed(now))
    }

    /// Makes `done/` and `failed/` where somebody took them away. What is in hand stays so.
    pub fn mend(&self) -> Result<(), FolderError> {
        make_inner(&self.path)
    }

    /// Moves a picture to where its fate belongs, under its own name or, where that is taken, with `-2`, `-3` and so on before
    /// the extension, and has the folders synced. A picture that somebody took away is finished too.
    pub fn finish(&mut self, waiting: &Waiting, fate: Fate) -> Result<(), FolderError> {
        let folder = self.path.join(match fate {
            Fate::Done => DONE,
            Fate::Failed => FAILED,
        });
        if look(&waiting.path).is_some_and(|now| now != waiting.stamp) {
            // The sender wrote its next picture over this one: that one was not read yet, so it stays.
            self.in_hand.remove(&waiting.name);
            return Ok(());
        }
        let to = reserved(&folder, &waiting.name, &waiting.path)?;
        if let Err(source) = fs::rename(&waiting.path, &to) {
            drop(fs::remove_file(&to));
            if source.kind() != ErrorKind::NotFound {
                return Err(FolderError::Move { from: waiting.path.clone(), to, source });
            }
        } else if look(&to) != Some(waiting.stamp) {
            // The same, at this very moment: it goes back.
            let back = reserved(&self.path, &waiting.name, &to)?;
            fs::rename(&to, &back).map_err(|source| FolderError::Move {
                from: to,
                to: back,
                source,
            })?;
        }
        for synced in [&folder, &self.path] {
            File::open(synced)
                .and_then(|folder| folder.sync_all())
                .map_err(|source| FolderError::Sync { path: synced.clone(), source })?;
        }
        self.in_hand.remove(&waiting.name);
        Ok(())
    }

    fn next_listed(&mut self, now: Duration) -> Option<(Waiting, Contents)> {
        let names: Vec<OsString> = self.listed.keys().cloned().collect();
        names.into_iter().find_map(|name| self.take(name, now))
    }

    /// Hands the file out if it is settled. What is gone or is no plain file leaves the listing.
    fn take(&mut self, name: OsString, now: Duration) -> Option<(Waiting, Contents)> {
        let path = self.path.join(&name);
        let Some(stamp) = look(&path) else {
            self.listed.remove(&name);
            return None;
        };
        let seen = self.listed.get(&name).copied().flatten().filter(|seen| seen.stamp == stamp);
        let Some(seen) = seen else {
            self.listed.insert(name, Some(Look { stamp, since: now }));
            return None;
        };
        if now.saturating_sub(seen.since) < SETTLE {
            return None;
        }
        let contents = if usize::try_from(stamp.bytes).is_ok_and(|bytes| bytes <= self.bytes_max) {
            match read(&path, stamp, self.bytes_max) {
                Ok(Some(bytes)) => Contents::Bytes(bytes),
                Ok(None) => {
                    // It changed after all: it has to settle anew.
                    self.listed.insert(name, None);
                    return None;
                }
                Err(source) => Contents::Unreadable(source),
            }
        } else {
            Contents::TooBig(stamp.bytes)
        };
        self.listed.remove(&name);
        self.in_hand.insert(name.clone());
        Some((Waiting { name, stamp, path }, contents))
    }

    /// Reads the names anew; of those that were known, what was seen of them stays.
    fn list(&mut self) -> Result<(), FolderError> {
        let lost = |source| FolderError::List { path: self.path.clone(), source };
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.path).map_err(lost)? {
            let entry = entry.map_err(lost)?;
            let name = entry.file_name();
            let is_plain = entry.file_type().is_ok_and(|kind| kind.is_file());
            if is_plain && is_for_us(&name) && !self.in_hand.contains(&name) {
                names.insert(name);
            }
            if names.len() > LISTING_MAX {
                names.pop_last();
            }
        }
        let mut before = std::mem::take(&mut self.listed);
        self.listed = names
            .into_iter()
            .map(|name| {
                let seen = before.remove(&name).flatten();
                (name, seen)
            })
            .collect();
        Ok(())
    }
}

fn make_inner(path: &Path) -> Result<(), FolderError> {
    for inner in [DONE, FAILED] {
        let path = path.join(inner);
        match fs::create_dir(&path) {
            Ok(()) => {}
            Err(source) if source.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(source) => return Err(FolderError::Make { path, source }),
        }
    }
    Ok(())
}

fn is_for_us(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    let is_unfinished =
        bytes.starts_with(b".") || bytes.ends_with(b".part") || bytes.ends_with(b".tmp");
    !is_unfinished
}

/// What a plain file is now; nothing for whatever else stands there.
fn look(path: &Path) -> Option<Stamp> {
    let metadata = fs::symlink_metadata(path).ok()?;
    metadata.is_file().then(|| Stamp::of(&metadata))
}

/// The file's bytes, if it is the file of that stamp before and after reading.
fn read(path: &Path, stamp: Stamp, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    // Somebody may put a link or a pipe in its place after the look: neither is followed, neither blocks.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let is_same = |file: &File| -> io::Result<bool> {
        let metadata = file.metadata()?;
        Ok(metadata.is_file() && Stamp::of(&metadata) == stamp)
    };
    if !is_same(&file)? {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    (&file).take(limit).read_to_end(&mut bytes)?;
    Ok((is_same(&file)? && bytes.len() <= bytes_max).then_some(bytes))
}

/// A free name in the folder, held by an empty file that the picture then takes the place of.
fn reserved(folder: &Path, name: &OsStr, from: &Path) -> Result<PathBuf, FolderError> {
    for number in 1..=SAME_NAME_MAX {
        let to = folder.join(numbered(name, number));
        match OpenOptions::new().write(true).create_new(true).open(&to) {
            Ok(_held) => return Ok(to),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(FolderError::Move { from: from.to_owned(), to, source }),
        }
    }
    Err(FolderError::Names { folder: folder.to_owned(), name: name.to_owned() })
}

/// `face.png`, `face-2.png`, `face-3.png`.
fn numbered(name: &OsStr, number: u32) -> OsString {
    if number == 1 {
        return name.to_owned();
    }
    let path = Path::new(name);
    let mut numbered = path.file_stem().unwrap_or(name).to_owned();
    numbered.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        numbered.push(".");
        numbered.push(extension);
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const BYTES_MAX: usize = 100;

    fn folder() -> (TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path(), BYTES_MAX).unwrap();
        (place, folder)
    }

    fn put(place: &TempDir, name: &str, bytes: &[u8]) {
        fs::write(place.path().join(name), bytes).unwrap();
    }

    /// Every picture that is handed out when nothing changes any more, with its bytes.
    fn settled(folder: &mut Folder, now: &mut Duration) -> Vec<(Waiting, Contents)> {
        let first = folder.next(*now).unwrap();
        *now += SETTLE;
        let rest = std::iter::from_fn(|| folder.next(*now).unwrap());
        first.into_iter().chain(rest).collect()
    }

    fn names(waiting: &[(Waiting, Contents)]) -> Vec<&str> {
        waiting.iter().map(|(waiting, _)| waiting.name.to_str().unwrap()).collect()
    }

    fn inside(place: &TempDir, inner: &str) -> Vec<String> {
        let entries = fs::read_dir(place.path().join(inner)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn settled_pictures_come_whole_and_in_name_order() {
        let (place, mut folder) = folder();
        for name in ["b.png", "a.png", "c.png"] {
            put(&place, name, name.as_bytes());
        }
        let waiting = settled(&mut folder, &mut Duration::default());
        assert_eq!(names(&waiting), ["a.png", "b.png", "c.png"]);
        assert!(matches!(&waiting[0].1, Contents::Bytes(bytes) if bytes == b"a.png"));
    }

    #[test]
    fn a_picture_that_still_grows_is_not_taken() {
        let (place, mut folder) = folder();
        let mut now = Duration::ZERO;
        for bytes in [b"1".as_slice(), b"12", b"123"] {
            put(&place, "a.png", bytes);
            assert!(folder.next(now).unwrap().is_none());
            now += SETTLE;
        }
        let almost = now.saturating_sub(Duration::from_millis(1));
        assert!(folder.next(almost).unwrap().is_none());
        let (_, contents) = folder.next(now).unwrap().unwrap();
        assert!(matches!(contents, Contents::Bytes(bytes) if bytes == b"123"));
    }

    #[test]
    fn what_is_not_a_finished_plain_file_is_left_alone() {
        let (place, mut folder) = folder();
        for name in [".hidden.png", "a.png.part", "b.tmp"] {
            put(&place, name, b"x");
        }
        fs::create_dir(place.path().join("inner")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.path().join("link.png")).unwrap();
        std::os::unix::net::UnixListener::bind(place.path().join("socket")).unwrap();
        assert_eq!(names(&settled(&mut folder, &mut Duration::default())), [""; 0]);
        assert_eq!(inside(&place, "").len(), 8);
    }

    #[test]
    fn a_picture_in_hand_is_not_handed_out_again() {
        let (place, mut folder) = folder();
        put(&place, "a.png", b"x");
        let mut now = Duration::ZERO;
        let in_hand = settled(&mut folder, &mut now);
        assert_eq!(names(&settled(&mut folder, &mut now)), [""; 0]);
        folder.finish(&in_hand[0].0, Fate::Done).unwrap();
        put(&place, "a.png", b"another of the same name");
        assert_eq!(names(&settled(&mut folder, &mut now)), ["a.png"]);
    }

    /// A camera that writes every picture under one name: what it wrote while the last was in hand is not moved away unread.
    #[test]
    fn a_picture_written_over_one_in_hand_is_read() {
        let (place, mut folder) = folder();
        let mut now = Duration::ZERO;
        put(&place, "scan.png", b"first");
        let first = settled(&mut folder, &mut now);
        put(&place, "scan.png", b"second");
        folder.finish(&first[0].0, Fate::Done).unwrap();
        let second = settled(&mut folder, &mut now);
        assert!(matches!(&second[0].1, Contents::Bytes(bytes) if bytes == b"second"));
        assert_eq!(inside(&place, DONE), [""; 0]);
    }

    #[test]
    fn a_picture_that_was_taken_away_is_finished() {
        let (place, mut folder) = folder();
        put(&place, "a.png", b"x");
        let waiting = settled(&mut folder, &mut Duration::default());
        fs::remove_file(&waiting[0].0.path).unwrap();
        folder.finish(&waiting[0].0, Fate::Done).unwrap();
        assert_eq!((inside(&place, DONE).len(), folder.in_hand.len()), (0, 0));
    }

    #[test]
    fn finished_pictures_move_and_overwrite_nothing() {
        let (place, mut folder) = folder();
        let mut now = Duration::ZERO;
        for bytes in [b"first".as_slice(), b"second", b"third"] {
            put(&place, "face.png", bytes);
            let waiting = settled(&mut folder, &mut now);
            folder.finish(&waiting[0].0, Fate::Done).unwrap();
        }
        put(&place, "bad", b"x");
        let waiting = settled(&mut folder, &mut now);
        folder.finish(&waiting[0].0, Fate::Failed).unwrap();
        assert_eq!(inside(&place, DONE), ["face-2.png", "face-3.png", "face.png"]);
        assert_eq!(fs::read(place.path().join("done/face.png")).unwrap(), b"first");
        assert_eq!(fs::read(place.path().join("done/face-3.png")).unwrap(), b"third");
        assert_eq!(inside(&place, FAILED), ["bad"]);
        assert_eq!(inside(&place, ""), [DONE, FAILED]);
    }

    #[test]
    fn too_big_a_file_is_told_and_not_read() {
        let (place, mut folder) = folder();
        put(&place, "big.png", &[0; BYTES_MAX + 1]);
        put(&place, "full.png", &[0; BYTES_MAX]);
        let waiting = settled(&mut folder, &mut Duration::default());
        assert!(matches!(waiting[0].1, Contents::TooBig(bytes) if bytes == 101));
        assert!(matches!(&waiting[1].1, Contents::Bytes(bytes) if bytes.len() == 100));
    }

    #[test]
    fn more_files_than_the_listing_holds_come_in_turns() {
        let (place, mut folder) = folder();
        for number in 0..LISTING_MAX + 3 {
            put(&place, &format!("{number:05}"), b"x");
        }
        let (mut now, mut taken) = (Duration::ZERO, 0);
        loop {
            let waiting = settled(&mut folder, &mut now);
            assert!(folder.listed.len() <= LISTING_MAX && waiting.len() <= IN_HAND_MAX);
            if waiting.is_empty() {
                break;
            }
            taken += waiting.len();
            for (waiting, _) in &waiting {
                folder.finish(waiting, Fate::Done).unwrap();
            }
        }
        assert_eq!(taken, LISTING_MAX + 3);
    }

    #[test]
    fn mending_makes_what_was_taken_away_and_gives_nothing_out_twice() {
        let (place, mut folder) = folder();
        put(&place, "a.png", b"x");
        let mut now = Duration::ZERO;
        let in_hand = settled(&mut folder, &mut now);
        fs::remove_dir(place.path().join(DONE)).unwrap();
        let unmoved = folder.finish(&in_hand[0].0, Fate::Done).unwrap_err();
        assert!(matches!(unmoved, FolderError::Move { .. }), "{unmoved:?}");
        folder.mend().unwrap();
        assert_eq!(names(&settled(&mut folder, &mut now)), [""; 0]);
        folder.finish(&in_hand[0].0, Fate::Done).unwrap();
        assert_eq!(inside(&place, DONE), ["a.png"]);
    }

    #[test]
    fn a_folder_that_vanished_is_lost() {
        let (place, mut folder) = folder();
        put(&place, "a.png", b"x");
        let waiting = settled(&mut folder, &mut Duration::default());
        let path = place.path().to_owned();
        place.close().unwrap();
        let lost = folder.next(Duration::ZERO).unwrap_err();
        assert_eq!(lost.to_string(), format!("folder {} cannot be listed", path.display()));
        let unmoved = folder.finish(&waiting[0].0, Fate::Done).unwrap_err();
        assert!(matches!(unmoved, FolderError::Move { .. }), "{unmoved:?}");
        let unopened = Folder::open(&path, BYTES_MAX).unwrap_err();
        assert!(matches!(unopened, FolderError::Make { .. }), "{unopened:?}");
    }
}
