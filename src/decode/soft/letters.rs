//! What may stand in a symbol: the characters of each symbology as widths, and where their edges come to lie.
#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "elements are counted, far below 2^24, and chosen by one bit"
)]

use crate::decode::patterns::{CODE_39, CODE_128, CODE_128_STOP, ITF};

/// An element's width: so many modules, and so many wide ones.
type Width = [u8; 2];

/// Where ink begins or ends: the sign is 1 from paper to ink and -1 from ink to paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    /// Modules before it, and wide elements before it.
    pub(super) at: [f32; 2],
    pub(super) sign: f32,
}

impl Edge {
    /// In modules from the symbol's first edge.
    pub(super) fn modules(&self, ratio: f32) -> f32 {
        self.at[0] + self.at[1] * ratio
    }
}

/// The characters of one symbology, all equally wide, and what opens and closes a symbol.
#[derive(Debug)]
pub(super) struct Letters {
    pub(super) all: Vec<Vec<Width>>,
    pub(super) head: Vec<Width>,
    pub(super) tail: Vec<Width>,
    /// How wide a character is.
    pub(super) slot: [f32; 2],
}

impl Letters {
    /// Start, data and check characters by value; the stop character closes.
    pub(super) fn code_128() -> Self {
        let plain = |widths: &[u8]| widths.iter().map(|width| [*width, 0]).collect::<Vec<_>>();
        Self {
            all: CODE_128.iter().map(|widths| plain(widths)).collect(),
            head: Vec::new(),
            tail: plain(&CODE_128_STOP),
            slot: [11.0, 0.0],
        }
    }

    /// The 43 data characters in the order of the table, each with the space behind it; the asterisk opens and closes.
    pub(super) fn code_39() -> Self {
        let widths =
            |wide: u16| (0..9).rev().map(move |bit| ELEMENTS[usize::from(wide >> bit & 1)]);
        let spaced = |wide| widths(wide).chain([NARROW]).collect::<Vec<_>>();
        let [characters @ .., (_, star)] = CODE_39;
        Self {
            all: characters.iter().map(|(_, wide)| spaced(*wide)).collect(),
            head: spaced(star),
            tail: widths(star).collect(),
            slot: [7.0, 3.0],
        }
    }

    /// All pairs of digits by value.
    pub(super) fn itf() -> Self {
        let pair = |value: usize| {
            let [bars, spaces] = [value / 10, value % 10].map(|digit| ITF.get(digit).copied());
            let both = [bars.unwrap_or_default(), spaces.unwrap_or_default()];
            (0..5)
                .rev()
                .flat_map(|bit| both.map(|wide| ELEMENTS[usize::from(wide >> bit & 1)]))
                .collect::<Vec<_>>()
        };
        Self {
            all: (0..100).map(pair).collect(),
            head: vec![NARROW; 4],
            tail: vec![WIDE, NARROW, NARROW],
            slot: [6.0, 4.0],
        }
    }

    /// The width of a symbol of so many characters.
    pub(super) fn total(&self, slots: usize) -> [f32; 2] {
        let [head, tail] = [span(&self.head), span(&self.tail)];
        [0, 1].map(|side| head[side] + self.slot[side] * slots as f32 + tail[side])
    }

    /// The edges of a symbol with these characters.
    pub(super) fn edges(&self, text: &[usize]) -> Vec<Edge> {
        let letters = text.iter().filter_map(|letter| self.all.get(*letter)).flatten();
        edges(self.head.iter().chain(letters).chain(&self.tail).copied(), [0.0; 2])
    }

    /// The edges of what opens it, with this character if nothing else does, and of what closes a symbol this wide.
    pub(super) fn ends(&self, first: Option<usize>, total: [f32; 2]) -> (Vec<Edge>, Vec<Edge>) {
        let first = first.and_then(|letter| self.all.get(letter)).into_iter().flatten();
        let head = edges(self.head.iter().chain(first).copied(), [0.0; 2]);
        let tail = span(&self.tail);
        let from = [total[0] - tail[0], total[1] - tail[1]];
        (head, edges(self.tail.iter().copied(), from))
    }
}

const NARROW: Width = [1, 0];
const WIDE: Width = [0, 1];
/// By a bit of the tables.
const ELEMENTS: [Width; 2] = [NARROW, WIDE];

/// How wide these elements are together.
pub(super) fn span(widths: &[Width]) -> [f32; 2] {
    widths.iter().fold([0.0; 2], |[narrow, wide], width| {
        [narrow + f32::from(width[0]), wide + f32::from(width[1])]
    })
}

/// The edges of elements that begin with a bar; a space at the end has no edge behind it.
pub(super) fn edges(widths: impl Iterator<Item = Width>, from: [f32; 2]) -> Vec<Edge> {
    let mut edges = Vec::new();
    let (mut at, mut sign) = (from, 1.0);
    for width in widths {
        edges.push(Edge { at, sign });
        at = [at[0] + f32::from(width[0]), at[1] + f32::from(width[1])];
        sign = -sign;
    }
    if sign < 0.0 {
        edges.push(Edge { at, sign });
    }
    edges
}
