//! Scenes under a camera, picture by picture, and what is seen of them.

mod scenery;

use super::*;
use crate::decode::image::Corners;
use crate::scan::{Named, Payload, Symbology};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Between two looks.
const STEP: Duration = Duration::from_millis(50);

/// A symbol: its first letter says what it is and where it stands, the rest what it says. `C` and `D` are bar codes beside each
/// other, `M` is an Intelligent Mail bar code, `Q` a QR code.
fn found(text: &str) -> Found {
    let (symbology, row) = match text.as_bytes()[0] {
        b'C' => (Symbology::Code128, 0.0),
        b'D' => (Symbology::Code128, 100.0),
        b'M' => (Symbology::Imb, 200.0),
        _ => (Symbology::Qr, 300.0),
    };
    found_at(symbology, text, [50.0, row])
}

fn found_at(symbology: Symbology, payload: &str, [x, y]: [f32; 2]) -> Found {
    let corners: Corners = [[x, y], [x + 200.0, y], [x + 200.0, y + 40.0], [x, y + 40.0]];
    let symbol = Symbol {
        symbology: Named::One(symbology),
        identifier: None,
        length: u32::try_from(payload.len()).unwrap(),
        payload: Payload(payload.into()),
        repaired: false,
    };
    Found { symbol, corners }
}

fn text(symbol: &Symbol) -> String {
    String::from_utf8(symbol.payload.0.clone()).unwrap()
}

/// A camera of whose looks a test says what is read.
struct Camera {
    sightings: Sightings,
    now: Duration,
}

impl Camera {
    fn new() -> Self {
        Self { sightings: Sightings::new(NonZeroU8::new(3).unwrap()), now: Duration::ZERO }
    }

    fn look(&mut self, symbols: &str, scene: Scene) -> Option<String> {
        self.now += STEP;
        let found: Vec<_> = symbols.split_whitespace().map(found).collect();
        let face = self.sightings.looked(&found, scene, self.now)?;
        Some(face.iter().map(text).collect::<Vec<_>>().join(" "))
    }

    /// The faces that come of so many looks, all at changed scenes.
    fn sees(&mut self, n: usize, symbols: &str) -> Vec<String> {
        (0..n).filter_map(|_| self.look(symbols, Scene::Changed)).collect()
    }

    /// A still scene of which every picture shows this, looked at as long as that is asked for: faces, and how many looks.
    fn rests(&mut self, pictures: usize, symbols: &str) -> (Vec<String>, usize) {
        let (mut faces, mut n_looks) = (Vec::new(), 0);
        for picture in 0..pictures {
            let scene = if picture == 0 { Scene::Changed } else { Scene::Still };
            if scene == Scene::Still && self.sightings.is_settled() {
                self.now += STEP;
                self.sightings.unchanged(self.now);
            } else {
                n_looks += 1;
                faces.extend(self.look(symbols, scene));
            }
        }
        (faces, n_looks)
    }
}

const NONE: [&str; 0] = [];

#[test]
fn a_symbol_is_accepted_with_the_third_equal_reading() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(2, "C1"), NONE);
    assert_eq!(camera.sees(1, ""), NONE);
    assert_eq!(camera.sees(1, "C1"), ["C1"]);
}

#[test]
fn another_reading_at_the_same_place_begins_anew() {
    let mut camera = Camera::new();
    for _round in 0..20 {
        assert_eq!(camera.sees(2, "C1"), NONE);
        assert_eq!(camera.sees(1, "C7"), NONE);
    }
    assert_eq!(camera.sees(3, "C1"), ["C1"]);
}

#[test]
fn an_envelope_is_one_scan_while_it_is_in_view() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(200, "C1"), ["C1"]);
    for _hand in 0..20 {
        assert_eq!(camera.sees(17, ""), NONE, "less than a second");
        assert_eq!(camera.sees(4, "C1"), NONE);
        assert_eq!(camera.sees(1, "C2"), NONE, "misread");
    }
}

#[test]
fn shown_again_after_it_had_left_it_is_another_scan() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(3, "C1"), ["C1"]);
    assert_eq!(camera.sees(25, ""), NONE);
    assert_eq!(camera.sees(20, "C1"), ["C1"]);
}

#[test]
fn few_pictures_do_not_make_an_envelope_leave() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(3, "C1"), ["C1"]);
    camera.now += Duration::from_mins(1);
    assert_eq!(camera.sees(4, "C1"), NONE);
}

#[test]
fn the_next_envelope_over_the_former_is_accepted_at_once() {
    let mut camera = Camera::new();
    for n in 0..50 {
        assert_eq!(camera.sees(3, &format!("C{n}")), [format!("C{n}")]);
    }
}

#[test]
fn an_envelope_pushed_over_another_is_not_taken_for_one_with_it() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(40, "C1"), ["C1"]);
    assert_eq!(camera.sees(8, "C1 D2"), NONE);
    assert_eq!(camera.sees(40, "D2"), ["D2"]);
}

#[test]
fn two_envelopes_side_by_side_are_one_face_and_each_its_own_when_they_part() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(40, "C1"), ["C1"]);
    assert_eq!(camera.sees(100, "C1 D2"), ["C1 D2"]);
    camera.sightings.divide();
    assert_eq!(camera.sees(100, "C1 D2"), NONE);
    assert_eq!(camera.sees(100, "D2"), ["D2"]);
    assert_eq!(camera.sees(100, "C1"), ["C1"]);
}

#[test]
fn two_envelopes_laid_down_together_are_one_face() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(100, "C1 D2"), ["C1 D2"]);
    camera.sightings.divide();
    let (faces, _) = camera.rests(100, "C1");
    assert_eq!(faces, ["C1"]);
}

#[test]
fn an_envelope_whose_codes_disagree_is_not_divided() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(10, "C1 M2"), ["C1 M2"]);
    camera.sightings.divide();
    assert_eq!(camera.sees(100, "C1"), NONE);
    assert_eq!(camera.sees(100, "M2"), NONE);
}

#[test]
fn a_face_waits_for_its_second_code() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(2, "C1"), NONE);
    assert_eq!(camera.sees(1, "C1 M1"), NONE);
    assert_eq!(camera.sees(1, "C1"), NONE);
    assert_eq!(camera.sees(20, "M1"), ["C1 M1"]);
}

#[test]
fn a_second_code_that_does_not_come_again_is_not_waited_for_long() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(2, "C1"), NONE);
    assert_eq!(camera.sees(1, "C1 M1"), NONE);
    assert_eq!(camera.sees(3, "C1"), ["C1"]);
}

#[test]
fn a_code_that_is_read_late_is_judged_once_with_the_other() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(100, "C1"), ["C1"]);
    let mut faces = Vec::new();
    for _round in 0..30 {
        faces.extend(camera.sees(2, "M1"));
        faces.extend(camera.sees(1, "C1"));
    }
    assert_eq!(faces, ["C1 M1"]);
    assert_eq!(camera.sees(100, "M1"), NONE, "a hand lies on the other");
    assert_eq!(camera.sees(100, "C1"), NONE);
    assert_eq!(camera.rests(100, "C1 M1").0, NONE);
}

/// A clerk may put an envelope of another kind beside one that lies there, and take either or both away, or lay the next one:
/// whatever was read so often has to be judged.
#[test]
fn what_was_read_beside_a_face_is_judged_however_it_ends() {
    for (looks, then, expected) in [
        (40, "C1 M2", &["C1 M2"][..]),
        (10, "C1", &["C1 M2"]),
        (10, "", &["C1 M2"]),
        (10, "M2", &["M2"]),
        (10, "C3", &["C1 M2", "C3"]),
        (10, "Q3", &["C1 M2", "Q3"]),
        (40, "C3", &["C1 M2", "C3"]),
    ] {
        let mut camera = Camera::new();
        assert_eq!(camera.sees(40, "C1"), ["C1"]);
        let mut faces = camera.sees(looks, "C1 M2");
        faces.extend(camera.sees(60, then));
        assert_eq!(faces, expected, "{looks} looks, then {then:?}");
    }
    let mut camera = Camera::new();
    assert_eq!(camera.sees(40, "C1"), ["C1"]);
    assert_eq!(camera.sees(10, "C1 M2"), NONE);
    assert_eq!(camera.rests(100, "C1").0, ["C1 M2"], "on a still table");
}

#[test]
fn an_envelope_that_was_there_for_a_moment_between_two_of_another_kind_is_accepted() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(40, "C1"), ["C1"]);
    assert_eq!(camera.sees(10, "M2"), NONE);
    assert_eq!(camera.sees(40, "C3"), ["M2", "C3"]);
    assert_eq!(camera.sees(5, "M4"), NONE);
    assert_eq!(camera.sees(5, "Q5"), NONE);
    assert_eq!(camera.sees(80, "C6"), ["M4", "Q5", "C6"]);
}

#[test]
fn a_second_envelope_that_is_only_shown_beside_the_first_is_not_lost() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(40, "C1"), ["C1"]);
    assert_eq!(camera.sees(10, "C1 D2"), NONE);
    assert_eq!(camera.sees(40, "C1"), ["C1 D2"]);
}

#[test]
fn a_misread_where_the_face_in_view_lies_is_forgotten() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(40, "C1"), ["C1"]);
    for _misread in 0..4 {
        assert_eq!(camera.sees(1, "C7"), NONE);
        assert_eq!(camera.sees(1, "C1"), NONE);
    }
    assert_eq!(camera.sees(100, "C1"), NONE);
}

#[test]
fn what_waits_is_not_forgotten_with_a_face_that_was_not_committed() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(40, "C1"), ["C1"]);
    assert_eq!(camera.sees(10, "M2"), NONE);
    camera.sightings.forget();
    assert_eq!(camera.sees(3, ""), ["M2"]);
}

#[test]
fn an_envelope_of_another_kind_is_accepted_once_the_former_has_left() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(10, "C1"), ["C1"]);
    assert_eq!(camera.sees(2, "C1 Q2"), NONE);
    assert_eq!(camera.sees(19, "Q2"), NONE);
    assert_eq!(camera.sees(100, "Q2"), ["Q2"]);
}

#[test]
fn an_envelope_of_another_kind_just_where_the_former_was_is_accepted_at_once() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(10, "C1"), ["C1"]);
    let over = found_at(Symbology::Qr, "Q2", [120.0, 10.0]);
    let mut face = None;
    for _look in 0..3 {
        camera.now += STEP;
        face = camera.sightings.looked(std::slice::from_ref(&over), Scene::Changed, camera.now);
    }
    assert_eq!(face, Some(vec![over.symbol]));
}

#[test]
fn a_still_scene_is_looked_at_until_it_is_accepted_and_then_no_more() {
    let mut camera = Camera::new();
    assert_eq!(camera.rests(1_000, "C1"), (vec!["C1".to_owned()], 3));
    let (faces, n_looks) = camera.rests(1_000, "");
    assert_eq!(faces, NONE);
    assert!((1..=20).contains(&n_looks), "{n_looks}");
    assert_eq!(camera.rests(1_000, "C1"), (vec!["C1".to_owned()], 3));
}

#[test]
fn a_still_scene_that_cannot_be_read_is_given_up() {
    let mut camera = Camera::new();
    assert_eq!(camera.rests(1_000, ""), (Vec::new(), 9));
}

#[test]
fn what_was_not_committed_is_accepted_once_more() {
    let mut camera = Camera::new();
    assert_eq!(camera.sees(10, "C1"), ["C1"]);
    camera.sightings.forget();
    assert_eq!(camera.sees(10, "C1"), ["C1"]);
}

#[test]
fn one_reading_that_was_not_repaired_is_enough() {
    for (repairs, expected) in [([true; 3], true), ([true, false, true], false)] {
        let mut camera = Camera::new();
        let mut face = None;
        for repaired in repairs {
            camera.now += STEP;
            let mut imb = found("M1");
            imb.symbol.repaired = repaired;
            face = camera.sightings.looked(&[imb], Scene::Changed, camera.now);
        }
        assert_eq!(face.unwrap()[0].repaired, expected);
    }
}

#[test]
fn what_is_kept_in_mind_is_bounded() {
    let mut camera = Camera::new();
    for n in 0..1_000 {
        let here = [f32::from(u16::try_from(n).unwrap()) * 300.0, 0.0];
        let noise = found_at(Symbology::Code39, &n.to_string(), here);
        assert_eq!(camera.sightings.looked(&[noise], Scene::Changed, camera.now), None);
        assert!(camera.sightings.candidates.len() <= CANDIDATES_MAX);
    }
}

proptest! {
    /// Nobody shows this, but nothing may come of it that was not there.
    #[test]
    fn any_readings_give_only_what_was_read_often_enough(
        looks in prop::collection::vec(
            (prop::collection::vec((0_usize..4, 0_u8..4), 0..5), 0_u64..600, any::<bool>()),
            0..200,
        ),
        n in 1_u8..8,
    ) {
        let mut sightings = Sightings::new(NonZeroU8::new(n).unwrap());
        let mut readings: BTreeMap<String, u32> = BTreeMap::new();
        let mut now = Duration::ZERO;
        for (symbols, ms, is_same) in looks {
            now += Duration::from_millis(ms);
            if is_same {
                sightings.unchanged(now);
                continue;
            }
            let symbols: BTreeSet<_> = symbols
                .into_iter()
                .map(|(place, says)| format!("{}{says}", ["C", "D", "M", "Q"][place]))
                .collect();
            for symbol in &symbols {
                *readings.entry(symbol.clone()).or_default() += 1;
            }
            let found: Vec<_> = symbols.iter().map(|symbol| found(symbol)).collect();
            if let Some(face) = sightings.looked(&found, Scene::Changed, now) {
                prop_assert!(!face.is_empty());
                for symbol in &face {
                    prop_assert!(readings[&text(symbol)] >= u32::from(n));
                }
            }
            prop_assert!(sightings.candidates.len() <= CANDIDATES_MAX);
        }
    }
}
