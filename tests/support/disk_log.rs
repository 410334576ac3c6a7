//! What a disk was asked to do, as `recording_disk.c` wrote it down, and what it may hold after a power cut at any moment of it.
//!
//! The model is the worst that a disk may do: what was synced is there; of what was written since, any subset of its sectors, in
//! any order, torn between sectors; a file is as long as at any of those writes; a file that was made, renamed or removed since
//! its folder was synced may stand as before. A sync that failed promises nothing, and neither does the next one that
//! succeeds, but for what was written anew meanwhile.

use super::Dice;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What a disk writes as a whole or not at all.
const SECTOR: usize = 512;

/// The file that SQLite maps and makes anew after a power cut.
const SHARED_MEMORY: &str = "ledger.sqlite-shm";

/// What a file is called that was removed and is still open.
const REMOVED: &str = "deleted";

/// A call, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// What was asked.
    pub(crate) op: String,
    /// The file, within the folder; `.` is the folder.
    pub(crate) name: String,
    /// The file handle.
    pub(crate) fd: i32,
    at: usize,
    bytes: Vec<u8>,
    /// 0 when it was done.
    pub(crate) errno: i32,
}

impl Record {
    /// Reads the records of a log; how many of its bytes they take.
    pub(crate) fn parse(log: &[u8]) -> (Vec<Self>, usize) {
        let mut records = Vec::new();
        let mut from = 0;
        while let Some(end) = log[from..].iter().position(|byte| *byte == b'\n') {
            let line = std::str::from_utf8(&log[from..from + end]).unwrap();
            let fields: Vec<&str> = line.split(' ').collect();
            let [op, name, fd, at, length, errno] = fields[..] else { panic!("{line}") };
            let length: usize = length.parse().unwrap();
            let data = from + end + 1;
            let Some(bytes) = log.get(data..data + length) else { break };
            records.push(Self {
                op: op.to_owned(),
                name: name.to_owned(),
                fd: fd.parse().unwrap(),
                at: at.parse().unwrap(),
                bytes: bytes.to_vec(),
                errno: errno.parse().unwrap(),
            });
            from = data + length;
        }
        (records, from)
    }

    /// The line that marks a moment in a log.
    pub(crate) fn mark(text: &str) -> Vec<u8> {
        format!("mark - -1 0 {} 0\n{text}", text.len()).into_bytes()
    }

    /// What a mark says.
    pub(crate) fn marked(&self) -> Option<&str> {
        (self.op == "mark").then(|| std::str::from_utf8(&self.bytes).unwrap())
    }

    /// Whether it is a sync that the caller may rely on.
    pub(crate) fn is_sync(&self) -> bool {
        self.op == "sync" && self.errno == 0
    }
}

/// What may have become of a sector since it was last surely written, each with the record that wrote it.
type Versions = BTreeMap<usize, Vec<(usize, Vec<u8>)>>;

#[derive(Debug, Default, Clone)]
struct Content {
    /// What a program reads.
    current: Vec<u8>,
    /// What is surely on the disk.
    durable: Vec<u8>,
    pending: Versions,
    /// Of syncs that failed.
    doubtful: Versions,
    /// The lengths since the last sync.
    lengths: Vec<(usize, usize)>,
}

impl Content {
    fn write(&mut self, seq: usize, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if end > self.current.len() {
            self.current.resize(end, 0);
            self.lengths.push((seq, end));
        }
        self.current[at..end].copy_from_slice(bytes);
        for sector in at / SECTOR..end.div_ceil(SECTOR) {
            let version = (seq, slice(&self.current, sector));
            self.pending.entry(sector).or_default().push(version);
        }
    }

    fn truncate(&mut self, seq: usize, length: usize) {
        self.current.resize(length, 0);
        self.lengths.push((seq, length));
    }

    fn sync(&mut self) {
        let shortest = self.lengths.iter().map(|(_, length)| *length).min();
        self.durable.truncate(shortest.unwrap_or(usize::MAX));
        self.durable.resize(self.current.len(), 0);
        for sector in std::mem::take(&mut self.pending).into_keys() {
            put(&mut self.durable, sector, &slice(&self.current, sector));
            self.doubtful.remove(&sector);
        }
        self.lengths.clear();
    }

    fn fail_to_sync(&mut self) {
        for (sector, versions) in std::mem::take(&mut self.pending) {
            self.doubtful.entry(sector).or_default().extend(versions);
        }
    }

    /// What a disk may hold of it.
    fn after_a_cut(&self, survives: Survives, dice: &mut Dice) -> Vec<u8> {
        let lengths: Vec<(usize, usize)> =
            std::iter::once((0, self.durable.len())).chain(self.lengths.iter().copied()).collect();
        let mut found = self.durable.clone();
        let length = survives.choose(&lengths, dice);
        found.resize(length, 0);
        let sectors: BTreeSet<usize> =
            self.pending.keys().chain(self.doubtful.keys()).copied().collect();
        for sector in sectors {
            let mut versions = vec![(0, slice(&self.durable, sector))];
            for known in [&self.doubtful, &self.pending] {
                versions.extend(known.get(&sector).into_iter().flatten().cloned());
            }
            put(&mut found, sector, &survives.choose(&versions, dice));
        }
        found
    }
}

fn slice(content: &[u8], sector: usize) -> Vec<u8> {
    let from = (sector * SECTOR).min(content.len());
    content[from..(from + SECTOR).min(content.len())].to_vec()
}

fn put(content: &mut [u8], sector: usize, bytes: &[u8]) {
    let from = (sector * SECTOR).min(content.len());
    let n = bytes.len().min(content.len() - from);
    content[from..from + n].copy_from_slice(&bytes[..n]);
}

/// Which of the writes that were not synced a power cut leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Survives {
    /// None.
    Nothing,
    /// All.
    Everything,
    /// Of every sector the last version, so often of a hundred times; else any.
    Often(u64),
    /// Those up to this record, the last of them torn.
    Until(usize),
    /// Those from this record on, and none before.
    From(usize),
}

impl Survives {
    /// One of all of them, for a moment of the log after the first record given.
    pub(crate) fn any(dice: &mut Dice, first: usize, last: usize) -> Self {
        let span = u64::try_from(last - first).unwrap() + 1;
        let mut record = || first + usize::try_from(dice.below(span)).unwrap();
        let record = record();
        match dice.below(8) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 => Self::Often(97),
            3 => Self::Often(50),
            4 => Self::Often(3),
            5 | 6 => Self::Until(record),
            _ => Self::From(record),
        }
    }

    /// One of these versions, of which the first is the one that was there before.
    fn choose<T: Clone>(self, versions: &[(usize, T)], dice: &mut Dice) -> T {
        let up_to = |record: usize| versions.iter().rev().find(|(seq, _)| *seq <= record);
        let last = &versions[versions.len() - 1];
        let chosen = match self {
            Self::Nothing => None,
            Self::Everything => Some(last),
            Self::Often(percent) if dice.below(100) < percent => Some(last),
            Self::Often(_) => {
                versions.get(usize::try_from(dice.below(versions.len() as u64)).unwrap())
            }
            Self::Until(record) if dice.below(2) == 0 => up_to(record),
            Self::Until(record) => up_to(record.saturating_sub(1)),
            Self::From(record) => Some(last).filter(|(seq, _)| *seq >= record),
        };
        chosen.unwrap_or(&versions[0]).1.clone()
    }
}

/// Whether the disk does what it says when it is told to sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syncs {
    /// It does.
    Honest,
    /// It says so and does nothing.
    Lying,
}

/// A name, and the file that it came to stand for, if any.
type Renaming = Vec<(String, Option<usize>)>;

/// A disk that does what the records say, up to where it was driven.
#[derive(Debug)]
pub(crate) struct Replay {
    syncs: Syncs,
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    renamings: Vec<Renaming>,
    seq: usize,
}

impl Replay {
    /// An empty folder.
    pub(crate) fn new(syncs: Syncs) -> Self {
        Self {
            syncs,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            renamings: Vec::new(),
            seq: 0,
        }
    }

    /// The next record is done.
    pub(crate) fn take(&mut self, record: &Record) {
        self.seq += 1;
        let seq = self.seq;
        if record.name == REMOVED {
            return;
        }
        match (record.op.as_str(), record.errno) {
            ("sync", errno) => self.sync(&record.name, errno),
            (_, 1..) => {}
            ("create", _) => {
                self.files.push(Content::default());
                self.rename(vec![(record.name.clone(), Some(self.files.len() - 1))]);
            }
            ("unlink", _) => self.rename(vec![(record.name.clone(), None)]),
            ("rename", _) => {
                let to = String::from_utf8(record.bytes.clone()).unwrap();
                let file = self.names[&record.name];
                self.rename(vec![(record.name.clone(), None), (to, Some(file))]);
            }
            ("write", _) => self.file(record).write(seq, record.at, &record.bytes),
            ("truncate", _) => self.file(record).truncate(seq, record.at),
            _ => {}
        }
    }

    fn file(&mut self, record: &Record) -> &mut Content {
        &mut self.files[self.names[&record.name]]
    }

    fn rename(&mut self, renaming: Renaming) {
        for (name, file) in &renaming {
            match file {
                Some(file) => self.names.insert(name.clone(), *file),
                None => self.names.remove(name),
            };
        }
        self.renamings.push(renaming);
    }

    fn sync(&mut self, name: &str, errno: i32) {
        if self.syncs == Syncs::Lying {
            return;
        }
        match (name, errno) {
            (".", 0) => {
                self.durable_names = self.names.clone();
                self.renamings.clear();
            }
            (".", _) => {}
            (_, 0) => self.files[self.names[name]].sync(),
            (_, _) => self.files[self.names[name]].fail_to_sync(),
        }
    }

    /// Writes into an empty folder what the disk may hold when the power goes now.
    pub(crate) fn cut(&self, survives: Survives, dice: &mut Dice, folder: &Path) {
        let mut names = self.durable_names.clone();
        for renaming in &self.renamings {
            let kept = match survives {
                Survives::Nothing => false,
                Survives::Everything | Survives::Until(_) => true,
                Survives::Often(_) | Survives::From(_) => dice.below(2) == 0,
            };
            for (name, file) in renaming.iter().filter(|_| kept) {
                match file {
                    Some(file) => names.insert(name.clone(), *file),
                    None => names.remove(name),
                };
            }
        }
        for (name, file) in names.into_iter().filter(|(name, _)| name != SHARED_MEMORY) {
            let content = self.files[file].after_a_cut(survives, dice);
            fs::write(folder.join(name), content).unwrap();
        }
    }
}
