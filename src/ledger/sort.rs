//! Sorting more than memory may hold: runs in a file that has no name, and a merge of them.
//!
//! - In memory stand the records of one run, or a block of each run while they are merged.
//! - The file is gone with the process, however that ends.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Memory for blocks of all runs together, while they are merged.
const BLOCKS_BYTES: usize = 8 * 1024 * 1024;

/// The shortest block that is worth a read of its own, and the longest that is worth its memory.
const BLOCK_BYTES_MIN: usize = 4 * 1024;
const BLOCK_BYTES_MAX: usize = 128 * 1024;

/// Runs that are merged at a time: with blocks of the shortest length they take 32 MiB.
const RUNS_MAX: usize = 8_192;

/// Names that are tried for the file.
const NAMES_MAX: u32 = 1_000;

/// Bytes before a record: the lengths of its key and of its value.
const HEAD_BYTES: usize = 8;

/// What is yet to be sorted.
#[derive(Debug)]
pub struct Sorter {
    folders: Vec<PathBuf>,
    run_bytes: usize,
    bytes: Vec<u8>,
    /// Where each record of the run in memory begins.
    starts: Vec<u32>,
    file: Option<File>,
    /// Where each run ends in the file.
    ends: Vec<u64>,
}

/// Records in the order of their keys, and those of one key in the order in which they came.
#[derive(Debug)]
pub struct Sorted {
    source: Source,
}

/// A record.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// What it is sorted by.
    pub key: Vec<u8>,
    /// The rest.
    pub value: Vec<u8>,
}

/// The next record of a run: its key, which run, its value.
type Head = (Vec<u8>, usize, Vec<u8>);

#[derive(Debug)]
enum Source {
    Memory { bytes: Vec<u8>, starts: std::vec::IntoIter<u32> },
    Runs { file: File, runs: Vec<Run>, next: BinaryHeap<Reverse<Head>> },
}

impl Sorter {
    /// Sorts in runs of so many bytes; the file is made in the first of the folders that takes one.
    pub fn new(folders: Vec<PathBuf>, run_bytes: usize) -> Self {
        let (bytes, starts) = (Vec::new(), Vec::new());
        Self { folders, run_bytes, bytes, starts, file: None, ends: Vec::new() }
    }

    /// Takes a record.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let length = HEAD_BYTES + key.len() + value.len();
        let is_full = self.bytes.len() + length + 4 * self.starts.len() > self.run_bytes;
        if is_full && !self.starts.is_empty() {
            self.end_run()?;
        }
        let too_long = |_| io::Error::from(io::ErrorKind::FileTooLarge);
        self.starts.push(u32::try_from(self.bytes.len()).map_err(too_long)?);
        for part in [key, value] {
            let length = u32::try_from(part.len()).map_err(too_long)?;
            self.bytes.extend_from_slice(&length.to_le_bytes());
        }
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    /// All of them, sorted.
    pub fn sorted(mut self) -> io::Result<Sorted> {
        if self.ends.is_empty() {
            self.sort_run();
            let (bytes, starts) = (self.bytes, self.starts.into_iter());
            return Ok(Sorted { source: Source::Memory { bytes, starts } });
        }
        self.end_run()?;
        // What the run had in memory makes room for the blocks.
        self.bytes = Vec::new();
        self.starts = Vec::new();
        let Some(file) = self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let block = BLOCKS_BYTES / self.ends.len();
        let block = block.clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
        let mut runs = Vec::with_capacity(self.ends.len());
        let mut next = BinaryHeap::with_capacity(self.ends.len());
        let mut start = 0;
        for (number, end) in self.ends.into_iter().enumerate() {
            let mut run = Run { at: start, end, block, bytes: Vec::new(), read: 0 };
            if let Some(Record { key, value }) = run.next(&file)? {
                next.push(Reverse((key, number, value)));
            }
            runs.push(run);
            start = end;
        }
        Ok(Sorted { source: Source::Runs { file, runs, next } })
    }

    fn sort_run(&mut self) {
        let bytes = &self.bytes;
        self.starts
            .sort_unstable_by(|a, b| key_at(bytes, *a).cmp(key_at(bytes, *b)).then(a.cmp(b)));
    }

    fn end_run(&mut self) -> io::Result<()> {
        if self.ends.len() == RUNS_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.sort_run();
        let file = match self.file.take() {
            Some(file) => file,
            None => without_name(&self.folders)?,
        };
        let mut at = self.ends.last().copied().unwrap_or(0);
        let mut block = Vec::with_capacity(BLOCK_BYTES_MAX);
        for start in &self.starts {
            block.extend_from_slice(record_at(&self.bytes, *start));
            if block.len() >= BLOCK_BYTES_MAX {
                file.write_all_at(&block, at)?;
                at += length_of(&block);
                block.clear();
            }
        }
        file.write_all_at(&block, at)?;
        self.ends.push(at + length_of(&block));
        self.file = Some(file);
        self.bytes.clear();
        self.starts.clear();
        Ok(())
    }
}

impl Sorted {
    /// The next record.
    pub fn take_next(&mut self) -> io::Result<Option<Record>> {
        match &mut self.source {
            Source::Memory { bytes, starts } => Ok(starts.next().map(|start| {
                let (key, value) = parts(record_at(bytes, start));
                Record { key: key.to_vec(), value: value.to_vec() }
            })),
            Source::Runs { file, runs, next } => {
                let Some(Reverse((key, number, value))) = next.pop() else { return Ok(None) };
                let more = runs.get_mut(number).map(|run| run.next(file)).transpose()?.flatten();
                if let Some(Record { key, value }) = more {
                    next.push(Reverse((key, number, value)));
                }
                Ok(Some(Record { key, value }))
            }
        }
    }
}

/// A run while it is merged.
#[derive(Debug)]
struct Run {
    at: u64,
    end: u64,
    block: usize,
    bytes: Vec<u8>,
    read: usize,
}

impl Run {
    fn next(&mut self, file: &File) -> io::Result<Option<Record>> {
        if !self.has(file, HEAD_BYTES)? {
            return Ok(None);
        }
        let (key, value) = lengths(self.bytes.get(self.read..).unwrap_or_default());
        let length = HEAD_BYTES + key + value;
        if !self.has(file, length)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let record = self.bytes.get(self.read..self.read + length).unwrap_or_default();
        let (key, value) = parts(record);
        let record = Record { key: key.to_vec(), value: value.to_vec() };
        self.read += length;
        Ok(Some(record))
    }

    /// Whether so many bytes are there to be read; reads a block if need be.
    fn has(&mut self, file: &File, wanted: usize) -> io::Result<bool> {
        if self.bytes.len() - self.read >= wanted {
            return Ok(true);
        }
        self.bytes.drain(..self.read);
        self.read = 0;
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let more = left.min(self.block.max(wanted));
        let had = self.bytes.len();
        self.bytes.resize(had + more, 0);
        file.read_exact_at(self.bytes.get_mut(had..).unwrap_or_default(), self.at)?;
        self.at += u64::try_from(more).unwrap_or(u64::MAX);
        Ok(self.bytes.len() >= wanted)
    }
}

/// A file in the first of these folders that takes one: for its owner only, and without a name, so that it goes when it is closed.
pub(super) fn without_name(folders: &[PathBuf]) -> io::Result<File> {
    let mut refused = io::Error::from(io::ErrorKind::NotFound);
    for folder in folders {
        match in_folder(folder) {
            Ok(file) => return Ok(file),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn in_folder(folder: &Path) -> io::Result<File> {
    for number in 0..NAMES_MAX {
        let path = folder.join(format!(".ballot-intake-{}-{number}", std::process::id()));
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
            Ok(file) => return std::fs::remove_file(&path).map(|()| file),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The lengths of key and value of the record that begins there.
fn lengths(bytes: &[u8]) -> (usize, usize) {
    let length = |at: usize| {
        let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, |bytes| usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(0))
    };
    (length(0), length(4))
}

fn record_at(bytes: &[u8], start: u32) -> &[u8] {
    let bytes = bytes.get(usize::try_from(start).unwrap_or(usize::MAX)..).unwrap_or_default();
    let (key, value) = lengths(bytes);
    bytes.get(..HEAD_BYTES + key + value).unwrap_or_default()
}

fn key_at(bytes: &[u8], start: u32) -> &[u8] {
    parts(record_at(bytes, start)).0
}

fn parts(record: &[u8]) -> (&[u8], &[u8]) {
    let key = lengths(record).0;
    record.get(HEAD_BYTES..).unwrap_or_default().split_at_checked(key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(records: &[(Vec<u8>, Vec<u8>)], run_bytes: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(vec![folder.path().to_owned()], run_bytes);
        for (key, value) in records {
            sorter.push(key, value).unwrap();
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "the file has a name");
        let mut records = sorter.sorted().unwrap();
        let mut all = Vec::new();
        while let Some(Record { key, value }) = records.take_next().unwrap() {
            all.push((key, value));
        }
        all
    }

    proptest! {
        #[test]
        fn any_number_of_runs_comes_to_what_one_sort_does(
            records in proptest::collection::vec(("[ab]{0,3}", "[a-z]{0,300}"), 0..200), run_bytes in 1_usize..10_000
        ) {
            let records: Vec<_> =
                records.into_iter().map(|(k, v)| (k.into_bytes(), v.into_bytes())).collect();
            let mut expected = records.clone();
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(sorted(&records, run_bytes), expected);
        }
    }

    #[test]
    fn a_record_longer_than_a_block_is_read_whole() {
        let long = vec![7; 3 * BLOCK_BYTES_MAX];
        let records = [(b"b".to_vec(), long.clone()), (b"a".to_vec(), long)];
        let [b, a] = records.clone();
        assert_eq!(sorted(&records, 1), [a, b]);
    }

    #[test]
    fn a_folder_that_takes_no_file_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let folders = ["/proc/self".into(), folder.path().to_owned()];
        assert!(without_name(&folders[..1]).is_err());
        assert!(without_name(&folders).is_ok());
    }
}
