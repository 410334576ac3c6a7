//! The start and stop patterns of PDF417 (ISO/IEC 15438, 5.3.2): the same in every row, so an average over many rows shows them
//! through noise and blur.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "pixel loops: every index is clamped to the profile first, which has less than 2^24 pixels"
)]

/// The narrowest module in pixels.
const MODULE_MIN: f32 = 1.2;

/// The widest: at 600 dots an inch, 15 mil are 9.
const MODULE_MAX: f32 = 10.0;

/// An edge that is looked at has at least this share of the profile's range, over two pixels.
const EDGE_SHARE_MIN: f32 = 0.2;

/// How well a start pattern must correlate: its whole, and the narrow bars alone. A stop pattern stands where its start says,
/// so less will do.
const START_MIN: [f32; 2] = [0.72, 0.45];
const STOP_MIN: [f32; 2] = [0.60, 0.30];

/// How much of a module's light a neighbor gets, on a sharp and on a blurred picture.
const BLURS: [f32; 2] = [0.0, 0.18];

/// How many ends of the wide bar are tried for one beginning.
const ENDS_MAX: usize = 2;

/// A pattern: the white module before it, and its bars and spaces; 1 is dark.
struct Pattern {
    modules: &'static [f32],
    /// The modules of its first bar.
    wide: f32,
    /// How well its whole and its narrow bars must correlate.
    least: [f32; 2],
}

const START: Pattern = Pattern {
    modules: &[
        0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0,
    ],
    wide: 8.0,
    least: START_MIN,
};

const STOP: Pattern = Pattern {
    modules: &[
        0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0,
        1.0, 0.0,
    ],
    wide: 7.0,
    least: STOP_MIN,
};

/// Where a pattern begins on a profile, and how wide its modules are, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Guard {
    pub(super) x: f32,
    pub(super) module: f32,
    pub(super) score: f32,
}

/// The start pattern that stands out most on a profile: gray levels averaged along the bars.
pub(super) fn start(profile: &[f32]) -> Option<Guard> {
    search(profile, &START, 0.0, MODULE_MIN..f32::INFINITY)
}

/// The stop pattern that belongs to that start.
pub(super) fn stop(profile: &[f32], start: &Guard) -> Option<Guard> {
    // Start, two row indicators and at least one column of codewords stand before it.
    let from = start.x + 4.0 * 17.0 * start.module * 0.94;
    search(profile, &STOP, from, start.module * 0.88..start.module * 1.14)
}

/// How much of its contrast a bar of one module keeps between spaces of one module: 1 when sharp, 0 when blurred away.
pub(super) fn sharpness(profile: &[f32], start: &Guard) -> f32 {
    let at = |module: f32| between(profile, start.x + (module + 0.5) * start.module);
    let (dark, light) = (f32::midpoint(at(3.0), at(4.0)), at(15.0));
    let narrow = f32::midpoint(at(10.0), at(12.0)) - (at(9.0) + at(11.0) + at(13.0)) / 3.0;
    (narrow / (light - dark).max(1.0)).clamp(0.0, 1.0)
}

fn search(
    profile: &[f32],
    pattern: &Pattern,
    from: f32,
    modules: std::ops::Range<f32>,
) -> Option<Guard> {
    let (low, high) = profile
        .iter()
        .fold((f32::MAX, f32::MIN), |(low, high), level| (low.min(*level), high.max(*level)));
    let limit = (high - low) * EDGE_SHARE_MIN;
    let mut best: Option<Guard> = None;
    for begin in edges(profile, from as usize, limit, 1.0) {
        let nearest = (begin + pattern.wide * MODULE_MIN) as usize;
        let farthest = (begin + pattern.wide * MODULE_MAX) as usize;
        let near = &profile[..farthest.min(profile.len())];
        for end in edges(near, nearest, limit, -1.0).take(ENDS_MAX) {
            let module = (end - begin) / pattern.wide;
            if !modules.contains(&module) {
                continue;
            }
            let Some(guard) = fitted(profile, pattern, begin, module) else { continue };
            if best.is_none_or(|best| best.score < guard.score) {
                best = Some(guard);
            }
        }
    }
    best
}

/// The places where the profile falls (`sign` 1) or rises (-1) most steeply.
fn edges(profile: &[f32], from: usize, limit: f32, sign: f32) -> impl Iterator<Item = f32> {
    let slope = move |i: usize| sign * (profile[i - 1] - profile[i + 1]);
    (from.max(2)..profile.len().saturating_sub(2)).filter_map(move |i| {
        let [before, here, after] = [slope(i - 1), slope(i), slope(i + 1)];
        (here > limit && here > before && here >= after).then(|| {
            let bend = 2.0 * here - before - after;
            i as f32 + if bend > 0.0 { (after - before) / (2.0 * bend) } else { 0.0 }
        })
    })
}

/// The pattern moved and stretched a little to where it correlates most.
fn fitted(profile: &[f32], pattern: &Pattern, begin: f32, module: f32) -> Option<Guard> {
    const ROUGHLY: f32 = 0.12;
    // On a sharp picture many places are as good: only what is better counts.
    const BETTER: f32 = 1e-3;
    let [whole_min, narrow_min] = pattern.least;
    let x = begin + 0.5;
    let whole = |x: f32, module: f32, blur: f32| {
        correlation(profile, pattern.modules, [x - module, module, blur])
    };
    let blur = BLURS
        .into_iter()
        .max_by(|one, other| whole(x, module, *one).total_cmp(&whole(x, module, *other)))?;
    if whole(x, module, blur) < whole_min - ROUGHLY {
        return None;
    }
    let mut best = Guard { x, module, score: whole(x, module, blur) };
    for stretch in -4..=4_i8 {
        let module = module * (1.0 + 0.02 * f32::from(stretch));
        for shift in -2..=2_i8 {
            let x = x + 0.15 * module * f32::from(shift);
            let score = whole(x, module, blur);
            if score > best.score + BETTER {
                best = Guard { x, module, score };
            }
        }
    }
    let after = best.x + pattern.wide * best.module;
    let modules = &pattern.modules[pattern.wide as usize + 1..];
    let narrow = correlation(profile, modules, [after, best.module, blur]);
    (best.score > whole_min && narrow > narrow_min)
        .then(|| Guard { score: f32::midpoint(best.score, narrow), ..best })
}

/// How well the profile from `x` on is the modules: 1 when it is.
fn correlation(profile: &[f32], modules: &[f32], [x, module, blur]: [f32; 3]) -> f32 {
    let (mut sum, mut squares, mut dark, mut dark_squares, mut product) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let last = modules.len() - 1;
    for (i, is_dark) in modules.iter().enumerate() {
        let level = -between(profile, x + (i as f32 + 0.5) * module);
        let around = modules[i.saturating_sub(1)] + modules[(i + 1).min(last)];
        let is_dark = is_dark * (1.0 - 2.0 * blur) + around * blur;
        sum += level;
        squares += level * level;
        dark += is_dark;
        dark_squares += is_dark * is_dark;
        product += level * is_dark;
    }
    let n = modules.len() as f32;
    let (of_level, of_dark) = (squares - sum * sum / n, dark_squares - dark * dark / n);
    (product - sum * dark / n) / (of_level * of_dark).max(1e-3).sqrt()
}

/// The profile at a place, whose first pixel reaches from 0 to 1.
fn between(profile: &[f32], x: f32) -> f32 {
    let x = (x - 0.5).clamp(0.0, (profile.len() - 1) as f32);
    let left = x as usize;
    let right = (left + 1).min(profile.len() - 1);
    profile[left] + (profile[right] - profile[left]) * (x - left as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern of modules of three pixels on white paper, from pixel 40 on.
    fn profile(modules: &[f32]) -> Vec<f32> {
        let mut profile = vec![220.0; 40];
        profile.extend(modules.iter().flat_map(|dark| [220.0 - 180.0 * dark; 3]));
        profile.resize(profile.len() + 40, 220.0);
        profile
    }

    #[test]
    fn a_start_pattern_is_found_where_its_first_bar_begins() {
        let guard = start(&profile(&START.modules[1..])).unwrap();
        assert!((guard.x - 40.0).abs() < 1.0, "{guard:?}");
        assert!((guard.module - 3.0).abs() < 0.1, "{guard:?}");
    }

    #[test]
    fn a_stop_pattern_and_bars_alike_are_no_start() {
        assert_eq!(start(&profile(&STOP.modules[1..])), None);
        assert_eq!(start(&profile(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0])), None);
        assert_eq!(start(&profile(&[])), None);
    }
}
