//! The camera: what it makes of a sheet under uneven light, out of focus, with a noisy sensor.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "pixels are reached by ranges of the picture, texels by places clamped to the sheet"
)]

use super::dice::Dice;
use super::lens::Lens;
use super::sheet::{Point, Sheet};

/// Numbers of the normal distribution that noise is taken from.
const NOISES: usize = 1 << 14;

/// The side of the tile of paper grain.
const GRAIN: usize = 256;

/// A spot where the lamp is mirrored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glare {
    pub(super) at: Point,
    pub(super) radius: f32,
}

/// Light and sensor.
#[derive(Debug, Clone)]
pub(super) struct Exposure {
    /// Standard deviation of the blur, in pixels.
    pub(super) blur_px: f32,
    /// Standard deviation of the noise, in shades of 256.
    pub(super) noise: f32,
    /// What the darkest corner has of the light, and the direction of that corner.
    pub(super) dim: f32,
    pub(super) dim_deg: f32,
    pub(super) glares: Vec<Glare>,
}

impl Exposure {
    /// Takes the picture.
    pub(super) fn take(&self, sheet: &Sheet, lens: &Lens, dice: &mut Dice) -> Vec<u8> {
        let width = lens.size[0] as usize;
        let mut luma = sampled(sheet, lens);
        if self.dim < 1.0 {
            self.light(&mut luma, width, dice);
        }
        self.glares.iter().for_each(|glare| mirror(&mut luma, width, glare));
        if self.blur_px > 0.0 {
            blur(&mut luma, width, self.blur_px);
        }
        let mut noises = Noises::new(self.noise, dice);
        luma.into_iter().map(|luma| (luma + noises.next() + 0.5) as u8).collect()
    }

    fn light(&self, luma: &mut [f32], width: usize, dice: &mut Dice) {
        let height = luma.len() / width.max(1);
        let (half_width, half_height) = (width as f32 / 2.0, height as f32 / 2.0);
        let (sine, cosine) = self.dim_deg.to_radians().sin_cos();
        let grain = grain(dice);
        for (y, row) in luma.chunks_exact_mut(width).enumerate() {
            let down = y as f32 / half_height - 1.0;
            for (x, luma) in row.iter_mut().enumerate() {
                let across = x as f32 / half_width - 1.0;
                let toward = (across * cosine + down * sine).mul_add(0.35, 0.5);
                let vignette = (across * across + down * down) * 0.25;
                let share =
                    1.0 - (1.0 - self.dim) * (toward * 0.7 + vignette * 0.6).clamp(0.0, 1.0);
                *luma = (*luma + grain[(y % GRAIN) * GRAIN + x % GRAIN]) * share;
            }
        }
    }
}

/// Each pixel is what the sheet has on average under it.
fn sampled(sheet: &Sheet, lens: &Lens) -> Vec<f32> {
    let [width, height] = lens.size.map(|side| side as usize);
    let texel = |x: usize, y: usize| {
        let [u, v] = lens.paper([x as f32, y as f32]);
        [(u - sheet.origin[0]) * sheet.scale, (v - sheet.origin[1]) * sheet.scale]
    };
    let corners = |y: usize| -> Vec<Point> { (0..=width).map(|x| texel(x, y)).collect() };
    let mut luma = Vec::with_capacity(width * height);
    let mut above = corners(0);
    for y in 0..height {
        let below = corners(y + 1);
        luma.extend((0..width).map(|x| average(sheet, above[x], above[x + 1], below[x])));
        above = below;
    }
    luma
}

/// The mean of as many places between three corners of a pixel as it has texels.
fn average(sheet: &Sheet, corner: Point, right: Point, below: Point) -> f32 {
    let samples = (sheet.scale as usize).max(1);
    let step = 1.0 / samples as f32;
    let across = [(right[0] - corner[0]) * step, (right[1] - corner[1]) * step];
    let down = [(below[0] - corner[0]) * step, (below[1] - corner[1]) * step];
    let mut sum = 0.0;
    for row in 0..samples {
        for column in 0..samples {
            let (row, column) = (row as f32 + 0.5, column as f32 + 0.5);
            sum += sample(
                sheet,
                corner[0] + across[0] * column + down[0] * row - 0.5,
                corner[1] + across[1] * column + down[1] * row - 0.5,
            );
        }
    }
    sum * step * step
}

fn sample(sheet: &Sheet, x: f32, y: f32) -> f32 {
    let x = x.clamp(0.0, (sheet.width - 2) as f32);
    let y = y.clamp(0.0, (sheet.height - 2) as f32);
    // In range, so 32 bits do, which are a quicker cast.
    let (column, row) = (x as i32, y as i32);
    let (across, down) = (x - column as f32, y - row as f32);
    let at = row as usize * sheet.width + column as usize;
    let between = |at: usize| {
        let [left, right] = [sheet.luma[at], sheet.luma[at + 1]].map(f32::from);
        left + (right - left) * across
    };
    let (above, below) = (between(at), between(at + sheet.width));
    above + (below - above) * down
}

/// Fibers and dust of paper: smoothed snow, the same again every [`GRAIN`] pixels.
fn grain(dice: &mut Dice) -> Vec<f32> {
    let snow: Vec<f32> = (0..GRAIN * GRAIN).map(|_| dice.normal()).collect();
    let around = |at: usize| {
        let (x, y) = (at % GRAIN, at / GRAIN);
        let near = [(0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (1, 2)];
        near.iter().map(|(dx, dy)| snow[(y + dy) % GRAIN * GRAIN + (x + dx) % GRAIN]).sum::<f32>()
    };
    (0..GRAIN * GRAIN).map(|at| around(at) * 0.5).collect()
}

fn mirror(luma: &mut [f32], width: usize, glare: &Glare) {
    let reach = glare.radius * 2.5;
    let height = luma.len() / width.max(1);
    let rows = (glare.at[1] - reach).max(0.0) as usize
        ..((glare.at[1] + reach).max(0.0) as usize).min(height);
    let columns = (glare.at[0] - reach).max(0.0) as usize
        ..((glare.at[0] + reach).max(0.0) as usize).min(width);
    for y in rows {
        for x in columns.clone() {
            let away =
                (x as f32 - glare.at[0]).hypot((y as f32 - glare.at[1]) * 1.4) / glare.radius;
            let light = 520.0 * (-2.0 * away * away).exp();
            luma[y * width + x] = (luma[y * width + x] + light).min(255.0);
        }
    }
}

/// Gaussian blur, along the rows and then along the columns.
fn blur(luma: &mut [f32], width: usize, sigma: f32) {
    let radius = (sigma * 3.0).ceil() as usize;
    let weights: Vec<f32> = (0..=2 * radius)
        .map(|at| {
            let away = (at as f32 - radius as f32) / sigma;
            (-away * away / 2.0).exp()
        })
        .collect();
    let sum: f32 = weights.iter().sum();
    let weights: Vec<f32> = weights.iter().map(|weight| weight / sum).collect();
    let height = luma.len() / width.max(1);
    let mut padded = vec![0.0_f32; width + 2 * radius];
    for row in luma.chunks_exact_mut(width) {
        padded[..radius].fill(row[0]);
        padded[radius..radius + width].copy_from_slice(row);
        padded[radius + width..].fill(row[width - 1]);
        row.fill(0.0);
        for (at, weight) in weights.iter().enumerate() {
            row.iter_mut().zip(&padded[at..]).for_each(|(sum, luma)| *sum += luma * weight);
        }
    }
    let source = luma.to_vec();
    for (y, row) in luma.chunks_exact_mut(width).enumerate() {
        row.fill(0.0);
        for (at, weight) in weights.iter().enumerate() {
            let from = (y + at).saturating_sub(radius).min(height - 1);
            let above = &source[from * width..(from + 1) * width];
            row.iter_mut().zip(above).for_each(|(sum, luma)| *sum += luma * weight);
        }
    }
}

/// Noise out of a table, at random places of it.
#[derive(Debug)]
struct Noises {
    table: Vec<f32>,
    state: u64,
}

impl Noises {
    fn new(sigma: f32, dice: &mut Dice) -> Self {
        let table = (0..NOISES).map(|_| dice.normal() * sigma).collect();
        Self { table, state: dice.next() | 1 }
    }

    /// The next one (xorshift).
    fn next(&mut self) -> f32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.table[(self.state >> 20) as usize % NOISES]
    }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::{Ink, Rect};
    use super::*;

    const LENS: Lens =
        Lens { size: [64.0, 48.0], turn_deg: 0.0, tilt: [0.0; 2], curl: 0.0, middle: [0.0; 2] };

    fn taken(blur_px: f32, noise: f32) -> Vec<f32> {
        let mut sheet = Sheet::new(LENS.view(), 3.0, 150);
        sheet.fill(Rect::sized([0.0, -40.0], [40.0, 80.0]), Ink::solid(100));
        let exposure = Exposure { blur_px, noise, dim: 1.0, dim_deg: 0.0, glares: Vec::new() };
        let luma = exposure.take(&sheet, &LENS, &mut Dice::new(1));
        luma.into_iter().map(f32::from).collect()
    }

    #[test]
    fn an_edge_stands_where_the_sheet_has_it() {
        let luma = taken(0.0, 0.0);
        assert_eq!((luma[31], luma[32]), (150.0, 100.0));
    }

    #[test]
    fn blur_is_as_wide_as_it_is_told() {
        for sigma in [0.7_f32, 1.2, 2.0] {
            let luma = taken(sigma, 0.0);
            let row = &luma[10 * 64..11 * 64];
            // The derivative of a blurred edge is the blur.
            let steps: Vec<(f32, f32)> = (0..63_u8)
                .map(|at| (f32::from(at) - 31.0, row[usize::from(at)] - row[usize::from(at) + 1]))
                .collect();
            let all: f32 = steps.iter().map(|(_, step)| step).sum();
            let spread: f32 = steps.iter().map(|(at, step)| at * at * step).sum();
            let found = (spread / all).sqrt();
            assert!((found - sigma).abs() < 0.12, "{found} is not {sigma}");
        }
    }

    #[test]
    fn noise_is_as_strong_as_it_is_told() {
        for sigma in [2.0_f32, 8.0, 16.0] {
            let noise: Vec<f32> =
                taken(0.0, sigma).iter().zip(taken(0.0, 0.0)).map(|(a, b)| a - b).collect();
            let square: f32 = noise.iter().map(|noise| noise * noise).sum();
            let found = (square / noise.len() as f32).sqrt();
            assert!((found / sigma - 1.0).abs() < 0.07, "{found} is not {sigma}");
        }
    }
}
