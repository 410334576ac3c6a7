//! What is in a camera's view: from the symbols of one picture after the other to faces, each once while it lies there.
//!
//! A symbol counts once it was read equally on so many pictures; a different reading at its place begins anew. The symbols that were
//! read interleaved make one face, for a picture often gives one of an envelope's two codes. A face is one scan while it stays in
//! view, a hand over it or a blur between: it has left when none of its symbols was read for [`GONE_AFTER`] and on [`GONE_LOOKS`]
//! pictures, or when another took its place.
//!
//! What is read beside a face that was accepted is another envelope if its symbology is one of that face's, or if it lies where
//! one of them lay: it is accepted when it was read so many times without them, as when a clerk lays one envelope over the other; and,
//! if both are still read after [`GONE_AFTER`], together with them, which the ledger calls ambiguous. Another symbology beside it
//! may be a code of the same envelope that was too blurred before: it is a face of its own only once that face has left, or where
//! nothing of that face was read any more when it came.
//!
//! Nothing that was read so often goes without being judged: what was read interleaved with the face in view is judged together with
//! it, once both were read for [`GONE_AFTER`], or when either goes, or another takes its place. Of one envelope that is one notice
//! more, that it was received already. Judged alone, a code that contradicts the other would receive a second ballot, and two
//! envelopes that are not judged apart are at least refused. Two readings at one place, though, are not two envelopes: of
//! those that go soon the one that was not accepted was a misread.
//!
//! No clock and no picture is in here.

use crate::decode::image::{Found, SYMBOLS_MAX};
use crate::scan::Symbol;
use std::num::NonZeroU8;
use std::time::Duration;

/// How long nothing of a face is read before it has left the view. Shorter than any clerk shows two envelopes with the same
/// code, longer than a hand takes across one.
pub(crate) const GONE_AFTER: Duration = Duration::from_secs(1);

/// On how many pictures it was not read then, at least: pictures may be few.
pub(crate) const GONE_LOOKS: u32 = 6;

/// So often a scene that does not change is looked at without getting further. More than [`GONE_LOOKS`].
pub(crate) const STILL_LOOKS: u32 = 8;

/// How many pictures back it is known on which of them a symbol was read.
const HISTORY: u32 = u128::BITS;

/// More equal readings are never asked for.
const READINGS_MAX: u32 = 64;

/// Symbols that are kept in mind; beyond that, the one that was not read for the longest time is forgotten.
const CANDIDATES_MAX: usize = 2 * SYMBOLS_MAX;

const _: () = assert!(STILL_LOOKS > GONE_LOOKS && GONE_LOOKS < HISTORY && READINGS_MAX < HISTORY);

/// How a picture differs from the one that was looked at before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    /// It shows something else.
    Changed,
    /// It differs by noise only.
    Still,
}

/// What a camera saw lately.
#[derive(Debug)]
pub(crate) struct Sightings {
    /// Equal readings that make a symbol.
    readings: u32,
    /// In the order in which they were first read.
    candidates: Vec<Candidate>,
    /// The symbols of the face that was accepted last and is in view.
    view: Vec<Symbol>,
    /// Whether the face in view was two envelopes.
    is_divided: bool,
    /// Looks at a still scene that told nothing new, one after the other.
    idle: u32,
}

/// A symbol that was read.
#[derive(Debug)]
struct Candidate {
    /// As it was read last.
    found: Found,
    /// On which of the last pictures it was read; the lowest bit is the last one.
    history: u128,
    first: Duration,
    last: Duration,
    /// On how many pictures it waited for those that are read with it.
    waited: u32,
}

impl Sightings {
    /// Nothing is in view. So many equal readings make a symbol, at most 64.
    pub(crate) fn new(readings: NonZeroU8) -> Self {
        Self {
            readings: u32::from(readings.get()).min(READINGS_MAX),
            candidates: Vec::new(),
            view: Vec::new(),
            is_divided: false,
            idle: 0,
        }
    }

    /// What was found on the next picture. A face that is accepted by it: its symbols, always in the same order.
    pub(crate) fn looked(
        &mut self,
        found: &[Found],
        scene: Scene,
        now: Duration,
    ) -> Option<Vec<Symbol>> {
        let since = self.since_view();
        let late = self.late(since, now).map(|face| self.accept(face));
        self.leave(since, now);
        for candidate in &mut self.candidates {
            candidate.history <<= 1;
        }
        let mut gets_further = scene == Scene::Changed;
        for found in found {
            gets_further |= self.read(found, now);
        }
        self.begin_anew(found);
        self.idle = if gets_further { 0 } else { self.idle.saturating_add(1) };
        late.or_else(|| self.next_face()).or_else(|| self.beside())
    }

    /// The picture differs from the last one that was looked at by noise only: what was read there is still there.
    pub(crate) fn unchanged(&mut self, now: Duration) {
        for candidate in self.candidates.iter_mut().filter(|candidate| candidate.is_read()) {
            candidate.last = now;
        }
        let since = self.since_view();
        // What is still to be judged waits for the next look.
        if self.late(since, now).is_none() {
            self.leave(since, now);
        }
    }

    /// Whether looking at a still scene once more would tell nothing.
    pub(crate) fn is_settled(&self) -> bool {
        let since = self.since_view();
        let is_known = |candidate: &Candidate| candidate.is_read() && self.is_in_view(candidate);
        let is_idle =
            self.idle >= STILL_LOOKS && !self.candidates.iter().any(|c| self.is_owed(c, since));
        is_idle || (!self.view.is_empty() && self.candidates.iter().all(is_known))
    }

    /// The face that was accepted last is not known to be in the ledger: it is to be accepted once more.
    pub(crate) fn forget(&mut self) {
        let view = std::mem::take(&mut self.view);
        self.candidates.retain(|c| !view.iter().any(|symbol| is_same(symbol, c.symbol())));
        self.is_divided = false;
        self.idle = 0;
    }

    /// The face that was accepted last names two ballots. Where two of its symbols are of one symbology it was two envelopes, and
    /// what remains when one has left is a face of its own; one envelope with two codes stays refused while any of it is read.
    pub(crate) fn divide(&mut self) {
        self.is_divided = self.view.iter().enumerate().any(|(n, one)| {
            self.view.iter().skip(n + 1).any(|other| one.symbology == other.symbology)
        });
    }

    /// What goes, or is left behind by the face in view, and would not be judged by itself: together with that face.
    fn late(&self, since: u128, now: Duration) -> Option<Vec<Symbol>> {
        let stays = |c: &Candidate| self.is_in_view(c) && !c.is_gone(now);
        let is_left = !self.candidates.iter().any(stays);
        self.with_view(|c| {
            self.is_owed(c, since) && !self.is_ready(c, since) && (is_left || c.is_gone(now))
        })
    }

    /// Forgets what has left and was judged, or not read often enough for that.
    fn leave(&mut self, since: u128, now: Duration) {
        let forgotten = |c: &Candidate| c.is_gone(now) && !self.is_owed(c, since);
        let forgotten: Vec<_> = self.candidates.iter().map(forgotten).collect();
        let mut forgotten = forgotten.into_iter();
        self.candidates.retain(|_| !forgotten.next().unwrap_or_default());
        let is_there =
            |symbol: &Symbol| self.candidates.iter().any(|c| is_same(c.symbol(), symbol));
        let n_there = self.view.iter().filter(|symbol| is_there(symbol)).count();
        if n_there == self.view.len() {
            return;
        }
        if self.is_divided {
            self.forget();
        } else if n_there == 0 {
            self.view.clear();
            self.idle = 0;
            // What was read beside it left with it, unless it is read on.
            self.candidates.retain_mut(|candidate| {
                candidate.history &= since;
                candidate.history != 0
            });
        }
    }

    /// The pictures since the face in view was read; all where there is none.
    fn since_view(&self) -> u128 {
        let in_view = self.candidates.iter().filter(|candidate| self.is_in_view(candidate));
        in_view.map(Candidate::unread).min().map_or(u128::MAX, lowest)
    }

    /// Counts a reading. Whether it was not the first one of its symbol, and not of the face in view.
    fn read(&mut self, found: &Found, now: Duration) -> bool {
        let known = self.candidates.iter_mut().find(|c| is_same(c.symbol(), &found.symbol));
        if let Some(candidate) = known {
            // One reading that was not repaired is worth the others.
            let repaired = candidate.found.symbol.repaired && found.symbol.repaired;
            candidate.found = found.clone();
            candidate.found.symbol.repaired = repaired;
            candidate.history |= 1;
            candidate.last = now;
            return !self.view.iter().any(|symbol| is_same(symbol, &found.symbol));
        }
        if self.candidates.len() >= CANDIDATES_MAX {
            let since = self.since_view();
            let by = |c: &Candidate| (!self.is_owed(c, since), c.unread());
            let longest = self.candidates.iter().enumerate().max_by_key(|(_, c)| by(c));
            if let Some((longest, _)) = longest {
                self.candidates.remove(longest);
            }
        }
        let (found, waited) = (found.clone(), 0);
        self.candidates.push(Candidate { found, history: 1, first: now, last: now, waited });
        false
    }

    /// What was not yet read often enough, and of which something else was read in its place, begins anew.
    fn begin_anew(&mut self, found: &[Found]) {
        let readings = self.readings;
        self.candidates.retain(|candidate| {
            candidate.is_read()
                || candidate.history.count_ones() >= readings
                || !found.iter().any(|other| candidate.found.covers(other))
        });
    }

    /// A face that was read often enough since nothing of the one in view was.
    fn next_face(&mut self) -> Option<Vec<Symbol>> {
        let since = self.since_view();
        let at = self.first_ready(since)?;
        let first = self.candidates.get(at)?;
        let joins = |c: &Candidate| {
            let together = (c.history & first.history).count_ones();
            c.is_interleaved(first) && (!excludes(c, first) || together >= self.readings)
        };
        let may_come = |c: &Candidate| {
            !self.is_ready(c, since)
                && !self.is_in_view(c)
                && c.unread() < self.readings
                && joins(c)
        };
        if first.waited < 2 * self.readings && self.candidates.iter().any(may_come) {
            self.candidates.get_mut(at)?.waited += 1;
            return None;
        }
        let began = first.oldest();
        let stays = |c: &Candidate| c.unread() <= began && c.history & since != 0;
        if let Some(face) = self.with_view(|c| self.is_owed(c, since) && !stays(c)) {
            return Some(self.accept(face));
        }
        let members = self.candidates.iter().filter(|c| self.is_ready(c, since) && joins(c));
        let face = in_order(members.map(|c| c.symbol().clone()).collect());
        self.candidates.retain(stays);
        Some(self.accept(face))
    }

    /// Of which candidate the next face is. What takes the place of the face in view comes after what came and went between them.
    fn first_ready(&self, since: u128) -> Option<usize> {
        let at = self
            .candidates
            .iter()
            .position(|c| self.is_ready(c, since) && (self.view.is_empty() || self.is_rival(c)))?;
        let next = self.candidates.get(at)?;
        let is_between = |c: &Candidate| {
            let was_beside =
                |viewed: &Candidate| self.is_in_view(viewed) && viewed.is_interleaved(c);
            self.is_ready(c, since)
                && c.unread() > next.oldest()
                && !self.candidates.iter().any(was_beside)
        };
        self.candidates.iter().position(is_between).or(Some(at))
    }

    /// What is read beside the face in view, and both of them for long enough.
    fn beside(&mut self) -> Option<Vec<Symbol>> {
        let in_view = |candidate: &&Candidate| self.is_in_view(candidate);
        let (view, others): (Vec<_>, Vec<_>) = self.candidates.iter().partition(in_view);
        let is_long = |c: &Candidate| {
            self.is_often(c)
                && !self.is_in_view(c)
                && view.iter().any(|viewed| viewed.is_long_beside(c))
        };
        let beside: Vec<_> = others.into_iter().filter(|c| is_long(c)).collect();
        let face = if beside.iter().any(|candidate| self.is_rival(candidate)) {
            // Of two envelopes only what lies there: which of them a code belongs to that is covered is not known.
            let remains =
                view.iter().filter(|viewed| beside.iter().any(|c| viewed.is_long_beside(c)));
            in_order(beside.iter().chain(remains).map(|c| c.symbol().clone()).collect())
        } else {
            self.with_view(is_long)?
        };
        Some(self.accept(face))
    }

    /// The face in view and what belongs to it as one; nothing where nothing does.
    fn with_view(&self, belongs: impl Fn(&Candidate) -> bool) -> Option<Vec<Symbol>> {
        let late: Vec<_> = self.candidates.iter().filter(|c| belongs(c)).collect();
        (!late.is_empty()).then(|| {
            let late = late.into_iter().map(|candidate| candidate.symbol().clone());
            in_order(self.view.iter().cloned().chain(late).collect())
        })
    }

    fn accept(&mut self, face: Vec<Symbol>) -> Vec<Symbol> {
        self.view.clone_from(&face);
        self.is_divided = false;
        face
    }

    fn is_in_view(&self, candidate: &Candidate) -> bool {
        self.view.iter().any(|symbol| is_same(symbol, candidate.symbol()))
    }

    /// Whether it was read often enough.
    const fn is_often(&self, candidate: &Candidate) -> bool {
        candidate.history.count_ones() >= self.readings
    }

    /// Whether it is to be a face of its own: read often enough since nothing of the one in view was.
    fn is_ready(&self, candidate: &Candidate, since: u128) -> bool {
        !self.is_in_view(candidate) && (candidate.history & since).count_ones() >= self.readings
    }

    /// Whether it is to be judged before it is forgotten.
    fn is_owed(&self, candidate: &Candidate, since: u128) -> bool {
        let is_elsewhere = || !self.is_in_view(candidate) && !self.is_in_place(candidate);
        self.is_ready(candidate, since) || (self.is_often(candidate) && is_elsewhere())
    }

    /// Whether it cannot be a part of the face in view that was not read before.
    fn is_rival(&self, candidate: &Candidate) -> bool {
        let symbology = candidate.symbol().symbology;
        self.view.iter().any(|symbol| symbol.symbology == symbology) || self.is_in_place(candidate)
    }

    /// Whether it lies where something of the face in view lies or lay.
    fn is_in_place(&self, candidate: &Candidate) -> bool {
        let mut viewed = self.candidates.iter().filter(|c| self.is_in_view(c));
        viewed.any(|viewed| viewed.found.covers(&candidate.found))
    }
}

impl Candidate {
    const fn symbol(&self) -> &Symbol {
        &self.found.symbol
    }

    /// Whether it was read on the last picture.
    const fn is_read(&self) -> bool {
        self.history & 1 == 1
    }

    /// On how many pictures it was not read since it was.
    const fn unread(&self) -> u32 {
        self.history.trailing_zeros()
    }

    /// How many pictures ago it was read first, as far as is known.
    const fn oldest(&self) -> u32 {
        (HISTORY - 1).saturating_sub(self.history.leading_zeros())
    }

    fn is_gone(&self, now: Duration) -> bool {
        now.saturating_sub(self.last) >= GONE_AFTER && self.unread() >= GONE_LOOKS
    }

    /// Whether both were there for long.
    fn is_long_beside(&self, other: &Self) -> bool {
        let end = self.last.min(other.last);
        end.saturating_sub(self.first.max(other.first)) >= GONE_AFTER
    }

    /// Whether each was read when the other was there: neither was read for the last time before the other was for the first.
    const fn is_interleaved(&self, other: &Self) -> bool {
        self.unread() <= other.oldest() && other.unread() <= self.oldest()
    }
}

/// Whether two symbols are not of one envelope unless they are read together.
fn excludes(one: &Candidate, other: &Candidate) -> bool {
    !is_same(one.symbol(), other.symbol())
        && (one.symbol().symbology == other.symbol().symbology || one.found.covers(&other.found))
}

/// The same symbol; one reading may have been repaired and the other not.
fn is_same(one: &Symbol, other: &Symbol) -> bool {
    one.payload == other.payload
        && one.symbology == other.symbology
        && one.identifier == other.identifier
        && one.length == other.length
}

/// The order does not depend on where the symbols lie, so that the same face is the same scan.
fn in_order(mut face: Vec<Symbol>) -> Vec<Symbol> {
    face.sort_by(|one, other| {
        let by = |symbol: &Symbol| symbol.symbology.name();
        by(one).cmp(by(other)).then_with(|| one.payload.0.cmp(&other.payload.0))
    });
    face
}

/// So many of the lowest bits.
const fn lowest(n: u32) -> u128 {
    if n >= HISTORY { u128::MAX } else { (1 << n) - 1 }
}

#[cfg(test)]
mod tests {
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
}
