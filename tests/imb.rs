//! The Intelligent Mail codec against the Postal Service's own cases, against digits of any kind, and against spoiled bars.
#![cfg(test)]

#[path = "support/imb.rs"]
mod spoiled;

use ballot_intake::imb::{
    self, BARS, Bar, Bars, DOUBTFUL_MAX, Digits, HalfBars, Mark, Solved, Turn,
};
use proptest::prelude::*;
use spoiled::Spoiled;
use std::collections::BTreeMap;

/// Codes that are spoiled in each way; the promise is about so many.
const CODES: usize = 100_000;

/// Rows of noise.
const NOISE: usize = 20_000;

/// Codes with a bar missing or too many: each is 130 readings.
const CODES_MISCOUNTED: usize = 500;

/// One line of the Postal Service's file.
struct Case<'a> {
    number: &'a str,
    tracking: &'a str,
    routing: &'a str,
    letters: &'a str,
    error: u8,
}

/// Every case; the lines of the file end in two carriage returns and a line feed.
fn cases() -> impl Iterator<Item = Case<'static>> {
    include_str!("../fixtures/imb/uspsIMbEncoderTestCases.csv").lines().map(|line| {
        let mut cells = line.splitn(6, ',');
        let mut cell = || cells.next().unwrap();
        Case {
            number: cell(),
            tracking: cell(),
            routing: cell(),
            letters: cell(),
            error: cell().parse().unwrap(),
        }
    })
}

fn letters(bars: &Bars) -> String {
    bars.iter().map(Bar::to_string).collect()
}

fn solution(seen: &[HalfBars]) -> (Digits, Turn) {
    match imb::solve(seen) {
        Solved::Code(solution) => (solution.digits, solution.turn),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_case_of_the_postal_service_both_ways() {
    let mut n_cases = BTreeMap::new();
    for case in cases() {
        let encoded = imb::encode(case.tracking, case.routing);
        let error = encoded.as_ref().map_or_else(imb::EncodeError::number, |_| 0);
        assert_eq!(error, case.error, "case {}: {encoded:?}", case.number);
        *n_cases.entry(error).or_insert(0) += 1;
        let Ok(bars) = encoded else { continue };
        assert_eq!(letters(&bars), case.letters, "case {}", case.number);
        let bars = imb::bars_of_letters(case.letters).unwrap();
        let digits = imb::decode(&bars).unwrap();
        assert_eq!(digits.split(), (case.tracking, case.routing), "case {}", case.number);
        assert_eq!(imb::decode_either_way(&bars), Ok((digits, Turn::Upright)));
        let turned = imb::turned(&bars);
        assert!(imb::decode(&turned).is_err(), "case {}", case.number);
        assert_eq!(imb::decode_either_way(&turned), Ok((digits, Turn::UpsideDown)));
    }
    let expected = [(0, 8_128), (9, 125), (10, 18), (11, 1_629), (12, 89), (13, 11)];
    assert_eq!(n_cases, BTreeMap::from(expected));
}

#[test]
fn every_valid_case_is_solved_as_it_is_decoded() {
    for case in cases().filter(|case| case.error == 0) {
        let bars = imb::bars_of_letters(case.letters).unwrap();
        let (digits, turn) = solution(&bars.map(HalfBars::from));
        assert_eq!((digits.split(), turn), ((case.tracking, case.routing), Turn::Upright));
        let (digits, turn) = solution(&imb::turned(&bars).map(HalfBars::from));
        assert_eq!((digits.split(), turn), ((case.tracking, case.routing), Turn::UpsideDown));
    }
}

/// Made by another encoder, `ReportLab`'s.
#[test]
fn codes_of_ballots_are_those_of_another_encoder() {
    for (tracking, routing, expected) in [
        (
            "00777901234567000001",
            "80301",
            "DDTFTTFDTTDFAFATATFFATTFTDTTTTAFAFTADFDATTTAFFDDFADTAAFDFAFTDFFDT",
        ),
        (
            "00777123456000000001",
            "803012200",
            "AADATFADTDFFFDDDFFATFAFTTAFTDAADADAFDFAAAFDFADTADFFDFFADTDDAFATDD",
        ),
        (
            "00715901234567000001",
            "80301123401",
            "TFFTFDTDAAFATFDAFAFDDAFDTFTFAAFDADDDADDTFAFATFTDFTDADFTDFTDAFATDF",
        ),
    ] {
        assert_eq!(letters(&imb::encode(tracking, routing).unwrap()), expected, "{tracking}");
    }
}

#[track_caller]
fn check(how: Spoiled, codes: usize, percent_repaired_min: usize) {
    let tally = spoiled::spoil(how, codes);
    assert_eq!(tally.accepted_wrong, 0, "{tally:?}");
    assert_eq!(tally.clean + tally.repaired + tally.n_refused(), codes, "{tally:?}");
    assert!(tally.repaired * 100 >= codes * percent_repaired_min, "{tally:?}");
}

#[test]
fn misread_bars_are_never_another_ballot() {
    check(Spoiled::Misread, CODES, 0);
}

#[test]
fn doubtful_bars_are_filled_and_never_another_ballot() {
    check(Spoiled::Doubtful, CODES, 99);
}

#[test]
fn bars_half_of_which_are_known_to_be_doubtful_are_never_another_ballot() {
    check(Spoiled::Mixed, CODES, 0);
}

#[test]
fn a_missing_bar_is_never_another_ballot() {
    check(Spoiled::Missing, CODES_MISCOUNTED, 45);
}

#[test]
fn a_bar_too_many_is_never_another_ballot() {
    check(Spoiled::Surplus, CODES_MISCOUNTED, 45);
}

/// One in 1.3e8 of clear noise, and 7.6e-6 of noise with as much doubt as is bearable, are expected to pass: 0.15 of these.
#[test]
fn noise_is_no_code() {
    assert_eq!(spoiled::noise_that_passes(0, NOISE), 0);
    let n_passed = spoiled::noise_that_passes(DOUBTFUL_MAX, NOISE);
    assert!(n_passed <= 3, "{n_passed} of {NOISE}");
}

prop_compose! {
    /// The digits of a code.
    fn digits()(
        tracking in "[0-9][0-4][0-9]{18}",
        routing in "([0-9]{5}|[0-9]{9}|[0-9]{11})?",
    ) -> (String, String) {
        (tracking, routing)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_digits_come_back((tracking, routing) in digits()) {
        let bars = imb::encode(&tracking, &routing).unwrap();
        let digits = imb::decode(&bars).unwrap();
        prop_assert_eq!(digits.split(), (tracking.as_str(), routing.as_str()));
        prop_assert_eq!(imb::encode(&tracking, &routing), Ok(bars));
        prop_assert_eq!(imb::decode_either_way(&imb::turned(&bars)), Ok((digits, Turn::UpsideDown)));
        prop_assert_eq!(imb::fields(digits.as_str()).unwrap().routing, routing);
    }

    #[test]
    fn what_is_encoded_has_fields_and_what_is_not_has_none(
        tracking in "[0-9A]{19,21}", routing in "[0-9]{0,12}"
    ) {
        let is_encoded = imb::encode(&tracking, &routing).is_ok();
        let has_fields = imb::fields(&format!("{tracking}{routing}")).is_ok();
        prop_assert!(!is_encoded || has_fields);
        prop_assert!(tracking.len() != 20 || is_encoded == has_fields);
    }

    #[test]
    fn marks_in_doubt_never_make_another_code(
        (tracking, routing) in digits(),
        halves in prop::collection::vec((0..BARS, any::<bool>()), 0..=DOUBTFUL_MAX),
        turn in prop::sample::select(vec![Turn::Upright, Turn::UpsideDown]),
    ) {
        let bars = imb::encode(&tracking, &routing).unwrap();
        let bars = if turn == Turn::Upright { bars } else { imb::turned(&bars) };
        let mut seen = bars.map(HalfBars::from);
        for (bar, is_ascender) in halves {
            let bar = &mut seen[bar];
            *(if is_ascender { &mut bar.ascender } else { &mut bar.descender }) = Mark::Doubtful;
        }
        prop_assert!(imb::agrees(&bars, &seen));
        match imb::solve(&seen) {
            Solved::Code(solution) => {
                let expected = (tracking.as_str(), routing.as_str());
                prop_assert_eq!((solution.digits.split(), solution.turn), (expected, turn));
            }
            Solved::Ambiguous => {}
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn a_bar_missed_or_seen_twice_never_makes_another_code(
        (tracking, routing) in digits(), at in 0..BARS, is_missed in any::<bool>()
    ) {
        let bars = imb::encode(&tracking, &routing).unwrap();
        let mut seen = bars.map(HalfBars::from).to_vec();
        let bar = seen.remove(at);
        if !is_missed {
            seen.insert(at, bar);
            seen.insert(at, bar);
        }
        match imb::solve(&seen) {
            Solved::Code(solution) => {
                let expected = (tracking.as_str(), routing.as_str());
                prop_assert_eq!(solution.digits.split(), expected);
                prop_assert!(solution.is_repaired());
            }
            other => prop_assert_eq!(other, Solved::Ambiguous),
        }
    }
}
