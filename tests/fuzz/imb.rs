//! What must hold of the Intelligent Mail codec for any bars; the fuzz target and the replay of its corpus share it.

use ballot_intake::imb::{self, BARS, Bar, Count, HalfBars, Mark, Solved, Turn};

/// What the bars are: T, A, D and F are clear, `?` is doubtful, and any other byte is two marks.
pub(crate) fn solved(bars: &[u8]) -> Solved {
    let seen: Vec<_> = bars.iter().map(|byte| half_bars(*byte)).collect();
    let solved = imb::solve(&seen);
    if let Solved::Code(solution) = &solved {
        let (tracking, routing) = solution.digits.split();
        let printed = imb::encode(tracking, routing).unwrap();
        assert_eq!(imb::decode(&printed), Ok(solution.digits));
        if solution.count == Count::Whole {
            let upright = solution.turn == Turn::Upright;
            let shown = if upright { printed } else { imb::turned(&printed) };
            assert!(imb::agrees(&shown, &<[_; BARS]>::try_from(seen).unwrap()));
        }
    }
    if let Some(clear) = str::from_utf8(bars).ok().and_then(imb::bars_of_letters) {
        let decoded = imb::decode_either_way(&clear).ok();
        let found = match &solved {
            Solved::Code(solution) => Some((solution.digits, solution.turn)),
            _ => None,
        };
        assert_eq!(decoded, found);
    }
    solved
}

fn half_bars(byte: u8) -> HalfBars {
    const MARKS: [Mark; 3] = [Mark::Present, Mark::Absent, Mark::Doubtful];
    match Bar::of_letter(char::from(byte)) {
        Some(bar) => HalfBars::from(bar),
        None if byte == b'?' => HalfBars::DOUBTFUL,
        None => HalfBars {
            ascender: MARKS[usize::from(byte) % 3],
            descender: MARKS[usize::from(byte) / 3 % 3],
        },
    }
}
