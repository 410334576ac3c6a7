//! Where a row of bars at equal pitch may run: a few lines across a region settle that most regions hold none.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "pixel loops: a line has at most SAMPLES_MAX samples, and extremes are indices into it"
)]

use super::super::gray::Gray;
use super::super::locate::Region;
use super::{Point, plus, times};

/// Lines across a region are so many, as long as they stand no closer and no farther apart than so many pixels. The closest is
/// less than the shortest bars that can be read are high; the farthest, less than bars that are joined with print.
const LINES_WANTED: f32 = 10.0;
const SPACING_MIN: f32 = 2.5;
const SPACING_MAX: f32 = 6.0;

/// The most lines that are laid across one region.
const LINES_MAX: f32 = 48.0;

/// The most samples of one line.
const SAMPLES_MAX: usize = 1024;

/// A region that is less than so many times longer than high is looked at with what is beside it, up to so many pixels.
const ASPECT_MIN: f32 = 4.0;
const LONGER_MAX: f32 = 192.0;

/// No row of bars is higher, in pixels: 0.23 in at 600 to the inch and a tile more. What is higher is joined with other print.
const ROW_HEIGHT_MAX: f32 = 160.0;

/// Shorter lines have no run, in pixels.
const LENGTH_MIN: f32 = 40.0;

/// Higher regions have larger bars: samples are a pixel apart up to this height in pixels, and then farther, up to so many.
const COARSE_HEIGHT: f32 = 80.0;
const STRIDE_MAX: f32 = 2.0;

/// Each sample is the mean of so many pixels along the bars, against noise.
const ALONG: [f32; 2] = [-0.7, 0.7];

/// Bars stand out from the paper by at least so many gray levels.
const SWING_MIN: i32 = 10 * ALONG.len() as i32;

/// So many bars in a row at equal pitch begin a symbol. Print and other symbologies hardly ever have more than eight.
const BARS_MIN: usize = 10;

/// So many begin one when more are found on a line turned by one of these angles, in radians: slanted bars, curled paper.
const BARS_HINT: usize = 5;
const TILTS: [f32; 4] = [-0.14, 0.14, -0.28, 0.28];

/// A line with so many is not bettered by another one.
const BARS_ENOUGH: usize = 32;

/// The pitch may change by this share, and by so many samples, from bar to bar.
const PITCH_SHARE: f32 = 0.2;
const PITCH_SLACK: f32 = 0.7;

/// How wide a bar may be, as shares of the pitch: 0.015 to 0.025 in of 0.0416 to 0.050 in, and ink or light that spread.
const WIDTHS: std::ops::Range<f32> = 0.15..0.85;

/// The middle of a run of bars at equal pitch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seed {
    pub(super) at: Point,
    /// From bar to bar, in pixels.
    pub(super) step: Point,
}

/// Looks for runs; its buffers are used again.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// Sums of [`ALONG`] pixels.
    samples: Vec<i32>,
    extremes: Vec<usize>,
}

/// A line of samples.
#[derive(Debug, Clone, Copy)]
struct Line {
    center: Point,
    /// Its direction, of length 1.
    across: Point,
    /// In pixels.
    length: f32,
    /// From sample to sample, in pixels.
    stride: f32,
}

impl Line {
    fn place(&self, sample: f32) -> Point {
        plus(self.center, times(self.across, sample * self.stride - self.length / 2.0))
    }

    /// A line of the same direction around a run on this one, long enough for [`BARS_ENOUGH`].
    fn around(&self, run: Run) -> Self {
        let length = run.pitch() * self.stride * BARS_ENOUGH as f32;
        let center = self.place(f32::midpoint(run.first, run.last));
        Self { center, length: length.max(LENGTH_MIN), ..*self }
    }
}

/// Bars at equal pitch on one line, in samples.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    bars: usize,
    first: f32,
    last: f32,
}

impl Run {
    fn pitch(self) -> f32 {
        (self.last - self.first) / (self.bars.max(2) - 1) as f32
    }
}

impl Seeds {
    /// The longest run on lines across the region.
    pub(super) fn find(&mut self, gray: Gray<'_>, region: &Region) -> Option<Seed> {
        let spacing = (region.height / LINES_WANTED).clamp(SPACING_MIN, SPACING_MAX);
        let count = (region.height / spacing).clamp(1.0, LINES_MAX).floor();
        let spacing = region.height / count;
        // A row of large bars may be taken apart into several regions, each too short for a run.
        let longer = (region.height * ASPECT_MIN - region.length).clamp(0.0, LONGER_MAX);
        let is_row = region.height < ROW_HEIGHT_MAX;
        let length = region.length + if is_row { longer } else { 0.0 };
        if length < LENGTH_MIN {
            return None;
        }
        let coarse = (region.height / COARSE_HEIGHT).clamp(1.0, STRIDE_MAX);
        let stride = (length / SAMPLES_MAX as f32).max(coarse);
        let mut best = Run::default();
        let mut best_line = Line { center: region.center, across: region.across, length, stride };
        for i in 0..count as usize {
            // From the middle outward: regions are made around bars.
            let place = i.div_ceil(2) as f32 * spacing;
            let along = if i % 2 == 0 { place } else { -place };
            let line = Line { center: region.at(0.0, along), ..best_line };
            let run = self.longest(gray, &line);
            if run.bars > best.bars {
                (best, best_line) = (run, line);
                if run.bars >= BARS_ENOUGH {
                    break;
                }
            }
        }
        if (BARS_HINT..BARS_MIN).contains(&best.bars) {
            (best, best_line) = self.tilted(gray, &best_line.around(best));
        }
        (best.bars >= BARS_MIN).then(|| Seed {
            at: best_line.place(f32::midpoint(best.first, best.last)),
            step: times(best_line.across, best.pitch() * best_line.stride),
        })
    }

    /// The longest run on lines through the middle of a short one, turned: the row may not run straight across the bars.
    fn tilted(&mut self, gray: Gray<'_>, line: &Line) -> (Run, Line) {
        let mut best = (Run::default(), *line);
        for tilt in TILTS {
            let [x, y] = line.across;
            let (sin, cos) = tilt.sin_cos();
            let across = [x * cos - y * sin, x * sin + y * cos];
            let line = Line { across, ..*line };
            let run = self.longest(gray, &line);
            if run.bars > best.0.bars {
                best = (run, line);
            }
        }
        best
    }

    /// The longest run on a line.
    fn longest(&mut self, gray: Gray<'_>, line: &Line) -> Run {
        let count = ((line.length / line.stride) as usize).min(SAMPLES_MAX);
        let step = times(line.across, line.stride);
        let start = line.place(0.0);
        self.samples.clear();
        self.samples.resize(count, 0);
        for beside in ALONG {
            let along = [-line.across[1] * beside, line.across[0] * beside];
            add(gray, plus(start, along), step, &mut self.samples);
        }
        self.mark_extremes();
        self.longest_run()
    }

    /// Lightest and darkest samples in turn, the lightest first, each apart from the next by the line's swing.
    fn mark_extremes(&mut self) {
        self.extremes.clear();
        let count = self.samples.len().max(1) as i32;
        let mean = self.samples.iter().sum::<i32>() / count;
        let spread = self.samples.iter().map(|sample| (sample - mean).abs()).sum::<i32>() / count;
        let swing = spread.max(SWING_MIN);
        let (mut lightest, mut darkest) = ((0, i32::MIN), (0, 0));
        let mut is_falling = false;
        for (i, sample) in self.samples.iter().enumerate() {
            if is_falling {
                if *sample < darkest.1 {
                    darkest = (i, *sample);
                } else if *sample > darkest.1 + swing {
                    self.extremes.push(darkest.0);
                    (is_falling, lightest) = (false, (i, *sample));
                }
            } else if *sample > lightest.1 {
                lightest = (i, *sample);
            } else if *sample < lightest.1 - swing {
                self.extremes.push(lightest.0);
                (is_falling, darkest) = (true, (i, *sample));
            }
        }
        if !is_falling && self.extremes.len().is_multiple_of(2) {
            self.extremes.push(lightest.0);
        }
    }

    fn longest_run(&self) -> Run {
        let (mut best, mut run) = (Run::default(), Run::default());
        let mut pitch = 0.0;
        let mut before = f32::NEG_INFINITY;
        for window in self.extremes.windows(3).step_by(2) {
            let [from, to] = self.edges([window[0], window[1], window[2]]);
            let (center, width) = (f32::midpoint(from, to), to - from);
            let step = center - before;
            before = center;
            let goes_on = run.bars > 0
                && (run.bars == 1 || (step - pitch).abs() < pitch * PITCH_SHARE + PITCH_SLACK)
                && WIDTHS.contains(&(width / step));
            if goes_on {
                pitch = if run.bars == 1 { step } else { pitch + (step - pitch) * 0.3 };
                run = Run { bars: run.bars + 1, last: center, ..run };
                if run.bars > best.bars {
                    best = run;
                }
            } else if run.bars > 1 && WIDTHS.contains(&(width / step)) {
                // The bar before this one may begin the next run.
                pitch = step;
                run = Run { bars: 2, first: center - step, last: center };
            } else {
                run = Run { bars: 1, first: center, last: center };
            }
        }
        best
    }

    /// Where the line falls and rises through the middle between a dark sample and the light ones beside it.
    fn edges(&self, [left, dark, right]: [usize; 3]) -> [f32; 2] {
        let at = |i: usize| self.samples[i] as f32;
        let (mut from, mut to) = (dark, dark);
        let [falling, rising] = [left, right].map(|light| f32::midpoint(at(light), at(dark)));
        while from > left && at(from) < falling {
            from -= 1;
        }
        while to < right && at(to) < rising {
            to += 1;
        }
        let between = |low: usize, high: usize, level: f32| {
            let rise = at(high) - at(low);
            if rise > 0.0 { ((level - at(low)) / rise).clamp(0.0, 1.0) } else { 0.5 }
        };
        let outward = between(from + usize::from(from < dark), from, falling);
        let inward = between(to - usize::from(to > dark), to, rising);
        [from as f32 + 1.0 - outward, to as f32 - 1.0 + inward]
    }
}

/// The bits of a place below the pixel.
const FRACTION: u32 = 16;

/// Adds the pixels on a line to the samples; those off the picture are those of its edge.
fn add(gray: Gray<'_>, start: Point, step: Point, samples: &mut [i32]) {
    let fixed = |part: f32| (part * (1 << FRACTION) as f32) as i64;
    let [dx, dy] = step.map(fixed);
    let [mut x, mut y] = start.map(|part| fixed(part + 0.5));
    let (right, bottom) = (gray.width() as i64 - 1, gray.height() as i64 - 1);
    for sample in samples {
        let row = gray.row((y >> FRACTION).clamp(0, bottom) as usize);
        *sample += i32::from(row[(x >> FRACTION).clamp(0, right) as usize]);
        (x, y) = (x + dx, y + dy);
    }
}
