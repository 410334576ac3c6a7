//! Intelligent Mail codes of issued ballots, spoiled at random but the same in every run, and what comes of reading them.

use ballot_intake::imb::{self, BARS, Bar, HalfBars, Mark, Solved};

/// Ballots that are issued: the serial numbers from 0 on of one mailer, every one, which is the list that a wrong number hits most
/// easily. What is not of the piece, as the routing code, is not looked at.
const ISSUED: u64 = 250_000;

const MAILER: &str = "901234567";

/// Bars that are spoiled, at most.
const FLIPPED_MAX: u64 = 5;

/// What happens to the bars of a code.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spoiled {
    /// 1 to 5 bars are misread, and nothing tells which.
    Misread,
    /// 1 to 5 bars are misread, and all of them are known to be doubtful.
    Doubtful,
    /// 1 to 5 bars are misread, every other of them is known to be doubtful, and up to two good ones are held to be.
    Mixed,
    /// A bar is missed, and in every other code one of the others is misread.
    Missing,
    /// There is a bar too many, and in every other code one of the others is misread.
    Surplus,
}

/// How many codes were read how.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Right, with nothing filled in.
    pub(crate) clean: usize,
    /// Right, repaired.
    pub(crate) repaired: usize,
    /// Refused: no code, more than one, or too much doubt.
    pub(crate) refused: [usize; 3],
    /// Wrong, and no ballot that was issued, so it is refused, too.
    pub(crate) not_issued: usize,
    /// Of these, with nothing filled in.
    pub(crate) not_issued_clean: usize,
    /// Wrong, and another ballot that was issued. The one thing that must not be.
    pub(crate) accepted_wrong: usize,
}

/// Spoils that many codes and reads them.
pub(crate) fn spoil(how: Spoiled, codes: usize) -> Tally {
    let mut random = Random(0x0049_4d62 + how as u64);
    let mut tally = Tally::default();
    for _ in 0..codes {
        let serial = random.below(ISSUED);
        let tracking = format!("00777{MAILER}{serial:06}");
        let bars = imb::encode(&tracking, "80301123401").expect("digits of a ballot");
        let seen = seen(how, bars.map(HalfBars::from), &mut random);
        tally.add(&tracking, &imb::solve(&seen));
    }
    tally
}

impl Tally {
    /// How many codes of the number are refused.
    pub(crate) fn n_refused(&self) -> usize {
        self.refused.iter().sum::<usize>() + self.not_issued
    }

    fn add(&mut self, tracking: &str, solved: &Solved) {
        let solution = match solved {
            Solved::Code(solution) => solution,
            Solved::Nothing => return self.refused[0] += 1,
            Solved::Ambiguous => return self.refused[1] += 1,
            Solved::TooDoubtful => return self.refused[2] += 1,
        };
        let is_right = solution.digits.split() == (tracking, "80301123401");
        match (is_right, solution.is_repaired()) {
            (true, false) => self.clean += 1,
            (true, true) => self.repaired += 1,
            (false, _) if is_issued(solution.digits.as_str()) => self.accepted_wrong += 1,
            (false, is_repaired) => {
                self.not_issued += 1;
                self.not_issued_clean += usize::from(!is_repaired);
            }
        }
    }
}

fn is_issued(digits: &str) -> bool {
    let fields = imb::fields(digits).expect("digits of a code");
    fields.mailer_id == MAILER && fields.serial.parse::<u64>().is_ok_and(|serial| serial < ISSUED)
}

fn seen(how: Spoiled, mut bars: [HalfBars; BARS], random: &mut Random) -> Vec<HalfBars> {
    let n_flipped = match how {
        Spoiled::Misread | Spoiled::Doubtful | Spoiled::Mixed => 1 + random.below(FLIPPED_MAX),
        Spoiled::Missing | Spoiled::Surplus => random.below(2),
    };
    let n_good = if matches!(how, Spoiled::Mixed) { random.below(3) } else { 0 };
    let mut touched = [false; BARS];
    for n in 0..n_flipped + n_good {
        let bar = untouched(&mut touched, random);
        let is_known = match how {
            Spoiled::Misread | Spoiled::Missing | Spoiled::Surplus => false,
            Spoiled::Doubtful => true,
            Spoiled::Mixed => n >= n_flipped || n % 2 == 0,
        };
        bars[bar] = if is_known { HalfBars::DOUBTFUL } else { another(bars[bar], random) };
    }
    let mut seen = bars.to_vec();
    match how {
        Spoiled::Missing => drop(seen.remove(random.index(BARS))),
        Spoiled::Surplus => seen.insert(random.index(BARS + 1), any_bar(random)),
        Spoiled::Misread | Spoiled::Doubtful | Spoiled::Mixed => {}
    }
    seen
}

fn untouched(touched: &mut [bool; BARS], random: &mut Random) -> usize {
    loop {
        let bar = random.index(BARS);
        if !std::mem::replace(&mut touched[bar], true) {
            return bar;
        }
    }
}

fn another(bar: HalfBars, random: &mut Random) -> HalfBars {
    loop {
        let other = any_bar(random);
        if other != bar {
            return other;
        }
    }
}

fn any_bar(random: &mut Random) -> HalfBars {
    let bars = [Bar::Tracker, Bar::Ascender, Bar::Descender, Bar::Full];
    HalfBars::from(bars[random.index(bars.len())])
}

/// How many rows of noise, of which the first `n_doubtful` marks are in doubt, pass for a code.
pub(crate) fn noise_that_passes(n_doubtful: usize, rows: usize) -> usize {
    let mut random = Random(n_doubtful as u64);
    let passes = |_: &usize| {
        let noise: [HalfBars; BARS] = std::array::from_fn(|bar| {
            let mut noise = any_bar(&mut random);
            if 2 * bar < n_doubtful {
                noise.ascender = Mark::Doubtful;
            }
            if 2 * bar + 1 < n_doubtful {
                noise.descender = Mark::Doubtful;
            }
            noise
        });
        imb::solve(&noise) != Solved::Nothing
    };
    (0..rows).filter(passes).count()
}

/// `SplitMix64`: the same numbers in every run.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or(0)
    }
}
