//! Envelope faces as a camera sees them, with the truth at hand: what is on a face is read where it is, and nothing else is.
#![cfg(test)]

use ballot_intake::cli::faces::sets::{Format, Imb, Set, Shot, shot};
use ballot_intake::cli::faces::{Camera, Face, Mark, Print, Truth, photograph};
use ballot_intake::decode::Looker;
use ballot_intake::decode::image::{Corners, Found, Picture};
use ballot_intake::imb;
use ballot_intake::scan::{Named, Symbology};

/// A small camera as near as that of the benchmark: a part of an envelope.
const NEAR: Format = Format { size: [900, 560], ppi: 183.0 };

/// Faces of a set, and from one number to the next: all turns, blurs and noises among them. The benchmark has the numbers from 0 on.
const FACES: u16 = 15;
const BARE_FACES: u16 = 6;
const FIRST: u16 = 5_010;
const STEP: u16 = 7;

/// How far a corner may lie from where it is.
const CORNER_PX: f32 = 4.0;

const BARS: [Symbology; 3] = [Symbology::Code128, Symbology::Code39, Symbology::Itf];

const IMBS: [(&str, &str); 4] = [
    ("00777901234567000001", "80301"),
    ("00777123456000000001", "803012200"),
    ("00715901234567000001", "80301123401"),
    ("44999000000123456789", ""),
];

/// Digits and bars of the Intelligent Mail bar codes that faces carry.
fn imbs() -> Vec<(String, String)> {
    let letters = |tracking, routing| {
        imb::encode(tracking, routing).unwrap().iter().map(imb::Bar::to_string).collect()
    };
    IMBS.iter()
        .map(|(tracking, routing)| (format!("{tracking}{routing}"), letters(tracking, routing)))
        .collect()
}

fn shots(set: Set, many: u16) -> impl Iterator<Item = (u16, Shot)> {
    let imbs = imbs();
    (0..many).map(move |at| {
        let number = FIRST + at * STEP;
        let imbs: Vec<Imb<'_>> =
            imbs.iter().map(|(digits, bars)| (digits.as_str(), bars.as_str())).collect();
        (number, shot(set, NEAR, number, &imbs).unwrap())
    })
}

fn says(found: &Found, truth: &Truth) -> bool {
    found.symbol.symbology == Named::One(truth.symbology)
        && found.symbol.payload.0 == truth.payload.as_bytes()
}

/// What is read on a face. Every symbol must stand there, and be read once.
#[track_caller]
fn read(looker: &mut Looker, face: &Face, name: &str) -> Vec<Found> {
    let found = looker.look(&face.picture, &Symbology::ALL).unwrap();
    for one in &found {
        let n_truths = face.truths.iter().filter(|truth| says(one, truth)).count();
        let payload = one.symbol.payload.0.escape_ascii();
        assert_eq!(n_truths, 1, "{name} does not say {payload}: {one:?}");
        let n_found =
            found.iter().filter(|other| other.symbol.payload == one.symbol.payload).count();
        assert_eq!(n_found, 1, "{name} says it so often: {payload}");
    }
    found
}

/// How many symbols of these symbologies are on the faces, and the names of those that are missed.
fn missed(set: Set, many: u16, wanted: &[Symbology]) -> (usize, Vec<String>) {
    let mut looker = Looker::default();
    let (mut all, mut missed) = (0, Vec::new());
    for (number, Shot { face, camera }) in shots(set, many) {
        let found = read(&mut looker, &face, &format!("{} {number}", set.name()));
        for truth in face.truths.iter().filter(|truth| wanted.contains(&truth.symbology)) {
            all += 1;
            if !found.iter().any(|found| says(found, truth)) {
                missed.push(format!("{} {number}: {truth:?}, {camera:?}", set.name()));
            }
        }
    }
    (all, missed)
}

#[test]
fn every_bar_code_on_a_face_is_read_and_nothing_else() {
    let (all, missed) = missed(Set::Normal, FACES, &BARS);
    assert!(all >= 15, "only {all}");
    assert!(missed.is_empty(), "{} of {all}: {missed:#?}", missed.len());
}

#[test]
fn every_intelligent_mail_bar_code_on_a_face_is_read_and_nothing_else() {
    let (all, missed) = missed(Set::Imb, FACES, &[Symbology::Imb]);
    assert!(all >= 10, "only {all}");
    assert!(missed.is_empty(), "{} of {all}: {missed:#?}", missed.len());
}

#[test]
fn nothing_is_read_wrong_on_faces_that_are_hard_to_read() {
    let (all, missed) = missed(Set::Harder, FACES, &BARS);
    assert!(all >= 15, "only {all}");
    assert!(missed.len() * 2 <= all, "{} of {all}: {missed:#?}", missed.len());
}

#[test]
fn nothing_is_read_on_a_face_without_a_symbol() {
    let (all, _) = missed(Set::NoCode, BARE_FACES, &Symbology::ALL);
    assert_eq!(all, 0);
}

fn distance([ax, ay]: [f32; 2], [bx, by]: [f32; 2]) -> f32 {
    (ax - bx).hypot(ay - by)
}

/// Corners in the symbol's own order: a frame that is right but turned is far off.
fn farthest(found: &Corners, truth: &Corners) -> f32 {
    found.iter().zip(truth).map(|(a, b)| distance(*a, *b)).fold(0.0, f32::max)
}

#[test]
fn corners_are_the_symbols_own_at_any_turn() {
    let imbs = imbs();
    let marks = [
        (Mark::Symbol(Symbology::Code128, "2026110000000011".to_owned()), 2.4),
        (Mark::Symbol(Symbology::Code39, "B-20261101".to_owned()), 2.0),
        (Mark::Symbol(Symbology::Itf, "20261100000019".to_owned()), 2.4),
        (Mark::Symbol(Symbology::Pdf417, "20261100000011".to_owned()), 3.1),
        (Mark::Symbol(Symbology::Qr, "20261100000011".to_owned()), 3.1),
        (Mark::Symbol(Symbology::DataMatrix, "20261100000011".to_owned()), 3.1),
        (Mark::Imb { digits: imbs[0].0.clone(), bars: imbs[0].1.clone() }, 8.3),
    ];
    let mut looker = Looker::default();
    for (mark, module_px) in marks {
        for turn_deg in [0.0, 15.0, 90.0, 180.0] {
            let camera = Camera { turn_deg, noise: 2.0, ..Camera::above([620, 620], 183.0) };
            let print = Print { mark: mark.clone(), module_px };
            let face = photograph(&[print], &camera, 1).unwrap();
            let name = format!("{mark:?} at {turn_deg}");
            let found = read(&mut looker, &face, &name);
            assert_eq!((found.len(), face.truths.len()), (1, 1), "{name}");
            let off = farthest(&found[0].corners, &face.truths[0].corners);
            assert!(
                off <= CORNER_PX,
                "{name}: {off} px, {:?} {:?}",
                found[0].corners,
                face.truths[0].corners
            );
        }
    }
}

/// Interleaved 2 of 5 has pairs of digits that look like its end: cut off there, it was read as a shorter number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "corners are on a picture of 640 x 480"
)]
#[test]
fn a_bar_code_cut_by_the_edge_of_the_picture_is_not_a_shorter_number() {
    let mut looker = Looker::default();
    for (payload, seed) in [("6572673198", 1), ("7985590084", 50), ("152766621996", 149)] {
        let camera = Camera { noise: 2.0, ..Camera::above([640, 480], 183.0) };
        let mark = Mark::Symbol(Symbology::Itf, payload.to_owned());
        let face = photograph(&[Print { mark, module_px: 2.4 }], &camera, seed).unwrap();
        let [left, right] =
            [face.truths[0].corners[0][0], face.truths[0].corners[1][0]].map(|x| x as u32);
        for cut in (left + 30..right).step_by(2) {
            let luma = face
                .picture
                .luma()
                .chunks(640)
                .flat_map(|row| &row[..cut as usize])
                .copied()
                .collect();
            let picture = Picture::from_luma(cut, 480, luma).unwrap();
            let found = looker.look(&picture, &[Symbology::Itf]).unwrap();
            for one in found {
                let said = one.symbol.payload.0.escape_ascii().to_string();
                assert_eq!(said, payload, "cut at {cut} of {left} to {right}");
            }
        }
    }
}

/// A glare hid the last digits of an Interleaved 2 of 5 and let bars stand that end a symbol: it was read without them.
#[test]
fn what_glare_hides_makes_no_shorter_number() {
    let imbs = imbs();
    let imbs: Vec<Imb<'_>> =
        imbs.iter().map(|(digits, bars)| (digits.as_str(), bars.as_str())).collect();
    let face = shot(Set::Harder, NEAR, 6_000, &imbs).unwrap().face;
    assert!(face.truths.iter().any(|truth| truth.payload == "14582684643262"));
    read(&mut Looker::default(), &face, "glare");
}
