//! What a blurred edge looks like, from a table.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "the index is clamped to the table"
)]

/// Entries for one standard deviation.
const STEPS: f32 = 64.0;

/// Beyond so many standard deviations an edge is done.
pub(super) const REACH: f32 = 4.0;

const ENTRIES: usize = 2 * (REACH * STEPS) as usize + 2;

/// The normal distribution and its density.
#[derive(Debug)]
pub(super) struct Blur {
    table: Vec<[f32; 2]>,
}

impl Blur {
    pub(super) fn new() -> Self {
        let mut sum = 0.0_f64;
        let density = |at: f64| (-at * at / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let step = 1.0 / f64::from(STEPS);
        let table = (0..ENTRIES)
            .map(|entry| {
                let at = entry as f64 * step - f64::from(REACH);
                let entry = [sum as f32, density(at) as f32];
                // Simpson's rule over one step.
                sum += step / 6.0
                    * (density(at) + 4.0 * density(at + step / 2.0) + density(at + step));
                entry
            })
            .collect();
        Self { table }
    }

    /// How much of an edge at 0 is seen so many standard deviations behind it, and how steep it is there.
    pub(super) fn edge(&self, at: f32) -> [f32; 2] {
        if at >= REACH {
            return [1.0, 0.0];
        }
        if at > -REACH {
            let place = (at + REACH) * STEPS;
            let entry = (place as usize).min(ENTRIES - 2);
            let share = place - entry as f32;
            let [low, high] = [self.table[entry], self.table[entry + 1]];
            return [low[0] + (high[0] - low[0]) * share, low[1] + (high[1] - low[1]) * share];
        }
        [0.0; 2]
    }
}
