//! What the Intelligent Mail codec costs, and what it makes of spoiled bars.
//!
//! `cargo bench --bench imb`, with `-- --quick` for a tenth. The codes are the valid ones of the Postal Service's own cases. Times
//! are the shortest of several rounds through all of them, by code; the limit is what is promised for encoding and decoding one.

#[path = "../support/imb.rs"]
#[expect(clippy::expect_used, clippy::indexing_slicing, reason = "it is a test's, too")]
mod spoiled;

use anyhow::Context as _;
use ballot_intake::clock::{Clock as _, SystemClock};
use ballot_intake::imb::{self, Bars, DOUBTFUL_MAX, HalfBars};
use clap::Parser as _;
use spoiled::Spoiled;
use std::hint::black_box;
use std::path::PathBuf;

/// Codes that are spoiled in each way.
const CODES: usize = 100_000;

/// Rows of noise with as much doubt as is bearable.
const NOISE: usize = 4_000_000;

/// Rounds of each time.
const ROUNDS: usize = 50;

/// What is promised for encoding and decoding.
const LIMIT_NS: f64 = 2_000.0;

/// How to run it.
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Of no use here: nothing is written.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A tenth of it.
    #[arg(long)]
    quick: bool,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Tracking code, routing code and bars.
type Case<'a> = (&'a str, &'a str, Bars);

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let tenth = if arguments.quick { 10 } else { 1 };
    let cases = cases()?;
    tell_times(&cases);
    let flipped = [Spoiled::Misread, Spoiled::Doubtful, Spoiled::Mixed];
    for how in flipped.into_iter().chain([Spoiled::Missing, Spoiled::Surplus]) {
        tell_spoiled(how, CODES / tenth);
    }
    tell_noise(NOISE / tenth);
    Ok(())
}

fn cases() -> anyhow::Result<Vec<Case<'static>>> {
    let lines = include_str!("../../fixtures/imb/uspsIMbEncoderTestCases.csv").lines();
    let mut cases = Vec::new();
    for line in lines {
        let cells: Vec<_> = line.split(',').collect();
        if let [_, tracking, routing, letters, "00", ..] = cells.as_slice() {
            let bars = imb::bars_of_letters(letters).context("a case without bars")?;
            cases.push((*tracking, *routing, bars));
        }
    }
    Ok(cases)
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell_times(cases: &[Case<'_>]) {
    let encode = time(cases, |(tracking, routing, _)| {
        black_box(imb::encode(black_box(tracking), black_box(routing))).is_ok()
    });
    let decode = time(cases, |(_, _, bars)| black_box(imb::decode(black_box(bars))).is_ok());
    println!("imb: {} codes, ns a code", cases.len());
    println!("encode {encode:.0}, decode {decode:.0}");
    let both = encode + decode;
    println!("encode and decode {both:.0}, {:.2} of the limit of {LIMIT_NS:.0}", both / LIMIT_NS);
    let solve = |spoil: fn(&Bars) -> Vec<HalfBars>| {
        let seen: Vec<_> = cases.iter().take(500).map(|(.., bars)| spoil(bars)).collect();
        time(&seen, |seen| black_box(imb::solve(black_box(seen))) == imb::Solved::TooDoubtful)
    };
    let clear = solve(|bars| bars.map(HalfBars::from).into());
    let doubtful = solve(|bars| {
        let mut seen = bars.map(HalfBars::from).to_vec();
        seen.iter_mut().step_by(13).for_each(|bar| *bar = HalfBars::DOUBTFUL);
        seen
    });
    let missing = solve(|bars| bars.iter().skip(1).map(|bar| HalfBars::from(*bar)).collect());
    println!("solve: clear {clear:.0}, 5 of 65 bars doubtful {doubtful:.0}, 64 bars {missing:.0}");
}

/// Nanoseconds for one, in the shortest round.
fn time<T>(all: &[T], one: impl Fn(&T) -> bool) -> f64 {
    let clock = SystemClock::new();
    let round = |_| {
        let start = clock.elapsed();
        black_box(all.iter().filter(|each| one(each)).count());
        clock.elapsed().saturating_sub(start).as_secs_f64()
    };
    let shortest = (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min);
    shortest * 1e9 / per(all.len())
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell_spoiled(how: Spoiled, codes: usize) {
    let tally = spoiled::spoil(how, codes);
    let percent = |n: usize| 100.0 * per(n) / per(codes);
    println!(
        "{codes} codes, {how:?}: right {:.3} %, repaired {:.3} %, refused {:.3} %; another ballot {}, not issued {}, {} of them clean",
        percent(tally.clean),
        percent(tally.repaired),
        percent(tally.n_refused()),
        tally.accepted_wrong,
        tally.not_issued,
        tally.not_issued_clean,
    );
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell_noise(rows: usize) {
    let n_passed = spoiled::noise_that_passes(DOUBTFUL_MAX, rows);
    println!(
        "{n_passed} of {rows} rows of noise with {DOUBTFUL_MAX} marks in doubt pass: {:.1e}, expected 7.6e-6",
        per(n_passed) / per(rows)
    );
}

#[expect(clippy::cast_precision_loss, reason = "a count of millions")]
const fn per(n: usize) -> f64 {
    n as f64
}
