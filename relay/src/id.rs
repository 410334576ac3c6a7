//! Ids of the relay's own rows: `UUIDv7`, so that they sort by when they were made and nobody can guess one.

use crate::clock::Micros;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Builder;

/// Ids made by this process; it tells ids apart even where no random bytes are to be had.
static MADE: AtomicU64 = AtomicU64::new(0);

/// A new id.
pub fn new_id(now: Micros) -> String {
    let mut random = [0; 10];
    if getrandom::fill(&mut random).is_err() {
        let n_made = MADE.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let own = std::process::id().to_be_bytes();
        for (byte, from) in random.iter_mut().zip(own.into_iter().skip(2).chain(n_made)) {
            *byte = from;
        }
    }
    let millis = u64::try_from(now.0.div_euclid(1_000)).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_when_they_were_made() {
        let (early, late) = (new_id(Micros(1_000_000)), new_id(Micros(2_000_000)));
        assert!(early < late, "{early} {late}");
        assert_ne!(new_id(Micros(0)), new_id(Micros(0)));
    }
}
