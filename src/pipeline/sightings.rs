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
mod tests;
