//! The voters of whom an import takes a ballot in, each with that ballot: a file of hash tables, for there may be millions.
//!
//! A table that is half full stays as it is and one of twice its size follows, so that no row ever waits until all are moved.
//! Two voters may have one hash: whoever asks looks at the ballot.

use super::super::sort::without_name;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// Places in the first table.
const PLACES_FIRST: u64 = 1 << 16;

/// Bytes of a place: hash and ballot.
const PLACE_BYTES: u64 = 16;

/// Places read at a time.
const RUN: usize = 8;

/// The voters.
#[derive(Debug, Default)]
pub(super) struct Voters {
    file: Option<File>,
    hasher: RandomState,
    tables: Vec<Table>,
}

/// A part of the file.
#[derive(Debug, Clone, Copy)]
struct Table {
    at: u64,
    /// A power of two.
    places: u64,
    used: u64,
}

impl Voters {
    /// Ballots that may be this voter's, by key.
    pub(super) fn ballots(&self, election: &str, voter: &str) -> io::Result<Vec<i64>> {
        let hash = self.hash(election, voter);
        let mut ballots = Vec::new();
        let Some(file) = &self.file else { return Ok(ballots) };
        for table in &self.tables {
            table.probe(file, hash, |found, ballot| {
                if found == hash {
                    ballots.push(ballot);
                }
            })?;
        }
        Ok(ballots)
    }

    /// This voter's ballot is taken in.
    pub(super) fn add(
        &mut self,
        election: &str,
        voter: &str,
        ballot: i64,
        folders: &[PathBuf],
    ) -> io::Result<()> {
        let hash = self.hash(election, voter);
        if self.file.is_none() {
            self.file = Some(without_name(folders)?);
        }
        if self.tables.last().is_none_or(|table| table.used * 2 >= table.places) {
            let last = self.tables.last();
            let at = last.map_or(0, |table| table.at + table.places * PLACE_BYTES);
            let places = last.map_or(PLACES_FIRST, |table| table.places * 2);
            self.tables.push(Table { at, places, used: 0 });
        }
        let (Some(file), Some(table)) = (&self.file, self.tables.last_mut()) else { return Ok(()) };
        let free = table.probe(file, hash, |_, _| {})?;
        let mut place = [0; 16];
        let (first, second) = place.split_at_mut(8);
        first.copy_from_slice(&hash.to_le_bytes());
        second.copy_from_slice(&ballot.to_le_bytes());
        file.write_all_at(&place, table.offset(free))?;
        table.used += 1;
        Ok(())
    }

    /// Never 0, which is a free place.
    fn hash(&self, election: &str, voter: &str) -> u64 {
        self.hasher.hash_one((election, voter)).max(1)
    }
}

impl Table {
    /// Shows each place from that of `hash` to the first free one, which it returns.
    fn probe(&self, file: &File, hash: u64, mut each: impl FnMut(u64, i64)) -> io::Result<u64> {
        let mut place = hash % self.places;
        let mut bytes = [0; RUN * 16];
        // No table is more than half full, so a free place comes.
        for _ in 0..=self.places {
            let run = usize::try_from(self.places - place).unwrap_or(RUN).min(RUN);
            let bytes = bytes.get_mut(..run * 16).unwrap_or_default();
            read_sparse(file, bytes, self.offset(place))?;
            for found in bytes.chunks_exact(16) {
                let (hash, ballot) = found.split_at(8);
                let hash = u64::from_le_bytes(hash.try_into().unwrap_or_default());
                if hash == 0 {
                    return Ok(place);
                }
                each(hash, i64::from_le_bytes(ballot.try_into().unwrap_or_default()));
                place += 1;
            }
            place %= self.places;
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    const fn offset(&self, place: u64) -> u64 {
        self.at + place * PLACE_BYTES
    }
}

/// What was never written is zeros, behind the end of the file too.
fn read_sparse(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    let mut read = 0;
    while read < bytes.len() {
        let offset = at + u64::try_from(read).unwrap_or(u64::MAX);
        let rest = bytes.get_mut(read..).unwrap_or_default();
        match file.read_at(rest, offset) {
            Ok(0) => {
                rest.fill(0);
                return Ok(());
            }
            Ok(n) => read += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_voter_is_found_again_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        let mut voters = Voters::default();
        let count = 3 * i64::try_from(PLACES_FIRST).unwrap();
        for n in 0..count {
            voters.add("202611", &format!("V{}", n / 2), n, &folders).unwrap();
        }
        assert!(voters.tables.len() > 2);
        for n in (0..count).step_by(997) {
            let found = voters.ballots("202611", &format!("V{}", n / 2)).unwrap();
            assert!(found.contains(&n) && found.contains(&(n ^ 1)), "{n}");
        }
        assert_eq!(voters.ballots("202611", "V-1").unwrap(), Vec::<i64>::new());
    }
}
