//! Ids of the relay's own rows: `UUIDv7`, so that they sort by when they were made and nobody can guess one.

use crate::clock::Micros;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Builder;

/// Bits of an id that count within its millisecond (RFC 9562, section 6.2, method 1).
const COUNTER_BITS: u32 = 12;
/// The last id's millisecond and count. What this process makes sorts in the order in which it was made, whatever the clock does:
/// notices are sent in that order.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A new id.
pub fn new_id(now: Micros) -> String {
    let millis = u64::try_from(now.0.div_euclid(1_000)).unwrap_or(0);
    let first = millis << COUNTER_BITS;
    let next = |last: u64| Some(first.max(last.saturating_add(1)));
    // It never refuses.
    let (Ok(last) | Err(last)) = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    let own = first.max(last.saturating_add(1));
    let mut random = [0; 10];
    if getrandom::fill(&mut random).is_err() {
        // Ids of this process differ all the same; the process tells them from others'.
        let own_process = std::process::id().to_be_bytes();
        for (byte, from) in random.iter_mut().skip(2).zip(own_process) {
            *byte = from;
        }
    }
    let [_, _, .., high, low] = own.to_be_bytes();
    let [count_high, count_low, ..] = &mut random;
    (*count_high, *count_low) = (high & 0x0f, low);
    Builder::from_unix_timestamp_millis(own >> COUNTER_BITS, &random).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_when_they_were_made() {
        let (early, late) = (new_id(Micros(1_000_000)), new_id(Micros(2_000_000)));
        assert!(early < late, "{early} {late}");
        let ids: Vec<_> = (0..5_000).map(|_| new_id(Micros(0))).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
    }
}
