//! Times, and how they are told: medians and 99th percentiles, ours beside the peer's of the same run.

use std::time::Duration;

/// The times of one side.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// One more.
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// How many.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The time that `share` of them, 0 to 1, do not exceed, in microseconds.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a place in a list of thousands"
        )]
        let place = (share * (sorted.len().saturating_sub(1)) as f64).round() as usize;
        sorted.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    }

    /// The middle one, in microseconds.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// One line of the table: ours, the peer's, and how many times as long ours takes.
#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
pub(crate) fn print_ratio(figure: &str, limit: f64, ours: &Times, peer: &Times) {
    println!(
        "{figure:<36} {:>8.0} {:>8.0} {:>8.0} {:>8.0} {:>6} {:>6.2}x {:>5.1}x",
        ours.median(),
        ours.quantile(0.99),
        peer.median(),
        peer.quantile(0.99),
        ours.len(),
        ours.median() / peer.median(),
        limit
    );
}

/// The table's head.
#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
pub(crate) fn print_head() {
    println!(
        "{:<36} {:>8} {:>8} {:>8} {:>8} {:>6} {:>7} {:>6}",
        "microseconds", "median", "p99", "peer", "p99", "n", "ratio", "limit"
    );
}
