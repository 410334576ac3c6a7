//! Measures beside the tables: the floor, pictures that did not change, two threads, and pictures of nobody's good will.

use crate::decoders::Decoder;
use crate::floor;
use crate::measure::{quantile, timed};
use crate::pictures::Gallery;
use ballot_intake::clock::{Clock, SystemClock};
use ballot_intake::decode::image::Picture;
use ballot_intake::decode::unchanged::Unchanged;
use ballot_intake::decode::{Decoders, Given, Job, Looker};
use ballot_intake::scan::Symbology;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// How long an answer of a decoder's thread is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// Pictures for one count of worker threads, at least: the first and the last of them have a thread for themselves.
const THREADED_MIN: usize = 120;

/// Faces without a symbol: against one structure-tensor pass, against zxing-cpp, and unchanged.
pub(crate) fn print_floor(gallery: &Gallery, repeats: usize) {
    let of = |run: &mut dyn FnMut(&Picture) -> f64| {
        let times: Vec<f64> = gallery.pictures.iter().map(|shown| run(&shown.picture)).collect();
        quantile(&times, 0.5)
    };
    let tensor = of(&mut |picture| timed(repeats * 3, || floor::tensor(picture)).0);
    let difference = of(&mut |picture| {
        let other = picture.clone();
        // Other rows each time, as ours does, or they would lie in the cache.
        let mut first = 0;
        let next = || {
            first += 3;
            floor::difference(picture, &other, first)
        };
        timed(repeats * 3, next).0
    });
    let mut looker = Looker::default();
    let [bars, all, cpp] = [Decoder::OursBars, Decoder::Ours, Decoder::CppBars]
        .map(|decoder| of(&mut |picture| timed(repeats, || decoder.read(&mut looker, picture)).0));
    println!("\n### {}: against the floor\n", gallery.name);
    println!("| what | median ms | to the tensor pass | to zxing-cpp 1D |");
    println!("| --- | ---: | ---: | ---: |");
    for (what, ms) in [
        ("structure tensor, every 4th row", tensor),
        ("ours, 1D", bars),
        ("ours, six + IMb", all),
        ("zxing-cpp, 1D, defaults", cpp),
    ] {
        println!("| {what} | {ms:.2} | {:.2} | {:.2} |", ms / tensor, ms / cpp);
    }
    let unchanged = of(&mut |picture| timed_unchanged(picture, repeats * 3));
    println!(
        "\nUnchanged: difference of every 8th row {difference:.3} ms, ours {unchanged:.3} ms, ratio {:.2}.",
        unchanged / difference
    );
}

/// The time it takes ours to see that a picture is the one before, in milliseconds; not a number when it does not see it.
fn timed_unchanged(picture: &Picture, repeats: usize) -> f64 {
    let width = usize::try_from(picture.width()).unwrap_or(0);
    let mut unchanged = Unchanged::new();
    let is_new = !unchanged.is_same(picture.luma(), width);
    let other = picture.clone();
    let (ms, is_same) = timed(repeats, || unchanged.is_same(other.luma(), width));
    if is_new && is_same { ms } else { f64::NAN }
}

/// Pictures a second with one worker thread and with two.
pub(crate) fn print_threads(gallery: &Gallery, rounds: usize) {
    let packed: Vec<Vec<u8>> = gallery.pictures.iter().map(|shown| pgm(&shown.picture)).collect();
    let [one, two] = [NonZeroUsize::MIN, NonZeroUsize::MIN.saturating_add(1)]
        .map(|workers| pictures_a_second(workers, &packed, rounds));
    println!(
        "\nWorker threads, {}: one {one:.1} pictures a second, two {two:.1}: {:.2} times.",
        gallery.name,
        two / one
    );
}

fn pictures_a_second(workers: NonZeroUsize, packed: &[Vec<u8>], rounds: usize) -> f64 {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let decoders = match Decoders::start(workers, Symbology::ALL.to_vec(), &clock) {
        Ok(decoders) => decoders,
        Err(error) => {
            eprintln!("{error}");
            return f64::NAN;
        }
    };
    let many = (packed.len() * rounds).max(THREADED_MIN);
    let (reply, replies) = crossbeam_channel::bounded(many);
    let started = clock.elapsed();
    for (number, bytes) in (0..).zip(packed.iter().cycle().take(many)) {
        let given = Given::Packed(bytes.clone());
        if let Err(error) = decoders.submit(Job { given, reply: reply.clone(), number }) {
            eprintln!("{error}");
        }
    }
    let answers = (0..many).map_while(|_| replies.recv_timeout(PATIENCE).ok()).count();
    answers as f64 / (clock.elapsed() - started).as_secs_f64()
}

/// The picture as a PGM file: next to no time to unpack.
fn pgm(picture: &Picture) -> Vec<u8> {
    let mut packed = format!("P5 {} {} 255\n", picture.width(), picture.height()).into_bytes();
    packed.extend_from_slice(picture.luma());
    packed
}

/// Pictures of any size and of nothing in particular.
pub(crate) fn print_hostile() {
    println!("\n### Pictures of nobody's good will\n");
    println!("| picture | ours, six + IMb: ms | reads | zxing-cpp six: ms |");
    println!("| --- | ---: | ---: | ---: |");
    let mut looker = Looker::default();
    for (name, picture) in hostile() {
        let (ours, read) = timed(1, || Decoder::Ours.read(&mut looker, &picture));
        let (cpp, _) = timed(1, || Decoder::Cpp.read(&mut looker, &picture));
        println!("| {name} | {ours:.2} | {} | {cpp:.2} |", read.len());
    }
}

fn hostile() -> Vec<(String, Picture)> {
    type Shade = fn(u32, u32) -> u8;
    let shades: [(&str, Shade); 6] = [
        ("black", |_, _| 0),
        ("white", |_, _| 255),
        ("noise", |x, y| snow(x ^ y.wrapping_mul(0x9E37_79B1))),
        ("stripes", |x, _| if x / 2 % 2 == 0 { 0 } else { 255 }),
        ("slanted stripes", |x, y| if (x + y / 3) / 3 % 2 == 0 { 0 } else { 255 }),
        ("checks", |x, y| if (x / 3 + y / 3) % 2 == 0 { 0 } else { 255 }),
    ];
    let sizes = [(1, 1), (20_000, 1), (1, 20_000), (4_000, 3_000)];
    sizes
        .into_iter()
        .flat_map(|size| shades.into_iter().map(move |shade| (size, shade)))
        .filter_map(|((width, height), (name, shade))| {
            let luma = (0..height).flat_map(|y| (0..width).map(move |x| shade(x, y))).collect();
            let picture = Picture::from_luma(width, height, luma).ok()?;
            Some((format!("{width}x{height} {name}"), picture))
        })
        .collect()
}

/// A hash: the same gray snow at every run.
const fn snow(at: u32) -> u8 {
    let mixed = (at ^ (at >> 15)).wrapping_mul(0x85EB_CA77);
    let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xC2B2_AE3D);
    mixed.to_be_bytes()[0]
}
