//! The worst that a picture can do: the time of 12 megapixels of any pattern, and the memory of the largest pictures.
//!
//! `cargo bench --bench hostile`. Each pattern is looked at for every symbology; processor time of the thread, the least of
//! three. Memory is the peak (`VmHWM` of proc(5)) of a process of its own that unpacks one picture and looks at it: the packed picture
//! is in it. With `-- --quick` each pattern is looked at once.

#[path = "support/patterns.rs"]
#[expect(dead_code, reason = "some patterns are for the tests")]
mod patterns;
#[path = "support/place.rs"]
mod place;

use anyhow::{Context as _, ensure};
use ballot_intake::decode::find;
use ballot_intake::decode::image::{MEMORY_BYTES_MAX, PIXELS_MAX, Picture};
use ballot_intake::scan::Symbology;
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};
use place::Place;
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What a look at 12 megapixels may take.
const LIMIT: Duration = Duration::from_millis(250);

/// What one picture may take, in MiB.
const LIMIT_MIB: usize = MEMORY_BYTES_MAX >> 20;

/// Looks at each pattern, of which the fastest counts.
const ROUNDS: usize = 30;

/// Set for the process whose memory is told: the picture that it looks at.
const CHILD: &str = "BALLOT_INTAKE_BENCH_PICTURE";

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn main() -> anyhow::Result<()> {
    if let Some(path) = std::env::var_os(CHILD) {
        return child(Path::new(&path));
    }
    let place = Place::make("hostile: pictures without a symbol")?;
    println!("{:<28} {:>8} {:>8}", "12 megapixels", "ms", "limit");
    for (name, shade) in patterns::large() {
        let picture = patterns::picture(4_000, 3_000, shade)?;
        let looks = (0..(place.count(ROUNDS) / 10).max(1)).map(|_| look(&picture));
        let took = looks.collect::<anyhow::Result<Vec<_>>>()?.into_iter().min().unwrap_or_default();
        println!("{name:<28} {:>8.1} {:>8}", took.as_secs_f64() * 1e3, LIMIT.as_millis());
    }
    println!("{:<28} {:>8} {:>8}", "peak memory", "MiB", "limit");
    for (name, picture, format) in largest() {
        let path = place.dir().join("picture");
        picture.save_with_format(&path, format)?;
        drop(picture);
        println!("{name:<28} {:>8} {LIMIT_MIB:>8}", peak_mib(&path)?);
    }
    Ok(())
}

/// The processor time of one look.
fn look(picture: &Picture) -> anyhow::Result<Duration> {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
        seconds + Duration::from_nanos(time.tv_nsec.unsigned_abs())
    };
    let started = now();
    let found = find(picture, &Symbology::ALL)?;
    let took = now().saturating_sub(started);
    ensure!(found.is_empty(), "{found:?}");
    Ok(took)
}

/// How a picture is called, and its format.
type Large = (&'static str, DynamicImage, ImageFormat);

/// As many pixels, and as many bytes a pixel, as are unpacked.
#[expect(clippy::cast_possible_truncation, reason = "the low bits of a place make the pattern")]
fn largest() -> impl Iterator<Item = Large> {
    let side = PIXELS_MAX.isqrt() as u32;
    let makers: [fn(u32) -> Large; 4] = [
        |side| {
            let gray = ImageBuffer::from_fn(side, side, |x, y| Luma([(x ^ y) as u8]));
            ("gray PNG", DynamicImage::ImageLuma8(gray), ImageFormat::Png)
        },
        |side| {
            let rgb =
                ImageBuffer::from_fn(side, side, |x, y| Rgb([(x ^ y) as u8, x as u8, y as u8]));
            ("RGB JPEG", DynamicImage::ImageRgb8(rgb), ImageFormat::Jpeg)
        },
        |side| {
            let rgb = ImageBuffer::from_pixel(side, side, Rgb([200, 190, 180]));
            ("RGB PNG", DynamicImage::ImageRgb8(rgb), ImageFormat::Png)
        },
        |side| {
            let side = side / 10 * 8;
            let rgba = ImageBuffer::from_pixel(side, side, Rgba([50_000, 40_000, 30_000, 60_000]));
            ("16-bit RGBA PNG", DynamicImage::ImageRgba16(rgba), ImageFormat::Png)
        },
    ];
    makers.into_iter().map(move |make| make(side))
}

/// The peak of a process that looks at the picture.
fn peak_mib(picture: &Path) -> anyhow::Result<String> {
    let child = Command::new(std::env::current_exe()?).env(CHILD, picture).output()?;
    ensure!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    Ok(String::from_utf8(child.stdout)?.trim().to_owned())
}

#[expect(clippy::print_stdout, reason = "whoever started it reads this")]
fn child(path: &Path) -> anyhow::Result<()> {
    let said = match Picture::load(&fs::read(path)?) {
        Ok(picture) => find(&picture, &Symbology::ALL).map(|_found| ""),
        Err(refused) => Err(refused),
    };
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: usize = peak.trim().trim_end_matches(" kB").parse()?;
    let refused = said.err().map(|error| format!(" ({error})")).unwrap_or_default();
    println!("{}{refused}", kib / 1024);
    Ok(())
}
