//! What it costs a camera to see that nothing has changed, beside the plain difference of every eighth row.
//!
//! `cargo bench --bench unchanged`, with `-- --quick` for a tenth. Pictures of 2464 x 1648 pixels with noise of standard deviation 2
//! take turns out of more memory than a processor keeps near, as a camera's do. The peer sums up the absolute differences of
//! every eighth row and decides nothing. Both take turns on the same pictures; processor time of the thread, medians.

#[path = "support/figures.rs"]
mod figures;
#[path = "support/place.rs"]
#[expect(dead_code, reason = "nothing is written")]
mod place;

use anyhow::ensure;
use ballot_intake::decode::unchanged::{ROW_STEP, Unchanged};
use figures::Times;
use place::Place;
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Duration;

const WIDTH: usize = 2464;
const HEIGHT: usize = 1648;

/// Pictures that take turns: 64 MiB of them.
const PICTURES: usize = 16;

/// Comparisons on each side.
const ROUNDS: usize = 2_000;

fn main() -> anyhow::Result<()> {
    let place = Place::make("unchanged: a picture that shows what the last one showed")?;
    let pictures = pictures();
    let reference = pictures.first().cloned().unwrap_or_default();
    let mut unchanged = Unchanged::new();
    ensure!(!unchanged.is_same(&reference, WIDTH), "the first picture has changed");
    let (mut ours, mut peer) = (Times::default(), Times::default());
    let mut same = 0_usize;
    for round in 0..place.count(ROUNDS) {
        let turn = |by: usize| pictures.iter().cycle().nth(round % PICTURES + by);
        let (Some(ours_next), Some(peers_next)) = (turn(0), turn(PICTURES / 2)) else { break };
        peer.add(timed(|| {
            black_box(differences(&reference, peers_next));
        }));
        ours.add(timed(|| same += usize::from(unchanged.is_same(ours_next, WIDTH))));
    }
    ensure!(same * 100 >= ours.len() * 95, "only {same} of {} are the same", ours.len());
    figures::print_head();
    figures::print_ratio("an unchanged picture of 4 megapixels", 1.3, &ours, &peer);
    Ok(())
}

/// The sum of the absolute differences of every eighth row.
fn differences(ours: &[u8], theirs: &[u8]) -> u64 {
    let rows = ours.chunks_exact(WIDTH).zip(theirs.chunks_exact(WIDTH)).step_by(ROW_STEP);
    let sums = rows.map(|(ours, theirs)| {
        ours.iter().zip(theirs).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>()
    });
    sums.map(u64::from).sum()
}

/// Dark bars on paper, the same at each, with noise of its own: a sum of four even distributions.
fn pictures() -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    let mut noisy = |shade: u8| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let [.., a, b, c, d] = state.to_le_bytes().map(|byte| byte % 7);
        (shade + a + b + c + d).saturating_sub(12)
    };
    let bar = |at: usize| if at / 7 % 13 < 4 { 60 } else { 200 };
    (0..PICTURES).map(|_| (0..WIDTH * HEIGHT).map(|at| noisy(bar(at))).collect()).collect()
}

/// The processor time that this thread takes for it.
fn timed(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
        seconds + Duration::from_nanos(time.tv_nsec.unsigned_abs())
    };
    let started = now();
    work();
    now().saturating_sub(started)
}
