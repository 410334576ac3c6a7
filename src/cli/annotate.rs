//! Draws what `read` found onto the picture: each symbol in its frame, and what it says.
//!
//! The picture is gray and of its own size. A frame is drawn in the color of its symbology, the symbol's own top edge three times
//! as thick; above it stands the symbology and the payload, cut off at the picture's edge. What is drawn stands on the
//! picture already, so an annotated picture is to be kept as the picture is.

mod font;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Cursor};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _, ImageError};

use crate::decode::image::{Corners, Found, Picture};
use crate::scan::{Named, Symbology};

/// A frame is as thick as one pixel in so many of the picture's longer side, and one more.
const SIDE_OF_LINE: u32 = 700;

/// A dot of a letter is as large as one pixel in so many of the picture's longer side, and one more.
const SIDE_OF_DOT: u32 = 600;

/// The longest text beside a frame, in characters.
const CHARACTERS_MAX: usize = 80;

/// How many files of one name the folder gets.
const SAME_NAME_MAX: u32 = 100_000;

const WHITE: [u8; 3] = [255; 3];

/// Why a picture was not annotated.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnnotateError {
    /// The folder cannot be made.
    #[error("folder {} cannot be made", .path.display())]
    Make {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The annotated picture would take the place of a picture that is read.
    #[error("{} is a picture that is read", .0.display())]
    Input(PathBuf),
    /// It cannot be packed as PNG.
    #[error("the annotated picture cannot be packed")]
    Packing(#[source] ImageError),
    /// The file cannot be written.
    #[error("{} cannot be written", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// How many pictures there are to annotate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pictures {
    /// One that was named.
    One,
    /// Several, or a folder of them.
    Many,
}

/// Where annotated pictures go.
#[derive(Debug)]
pub(super) struct Album {
    out: PathBuf,
    kind: Kind,
    names: HashSet<OsString>,
    /// Device and inode of each picture that is read: none of them is written over.
    inputs: HashSet<(u64, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

impl Album {
    /// A file for one picture, unless there is a folder of that name; a folder for many, made if it is not there.
    pub(super) fn open(out: &Path, pictures: Pictures) -> Result<Self, AnnotateError> {
        let is_folder = out.is_dir();
        if pictures == Pictures::Many && !is_folder {
            fs::create_dir(out)
                .map_err(|source| AnnotateError::Make { path: out.to_owned(), source })?;
        }
        let kind = if is_folder || pictures == Pictures::Many { Kind::Folder } else { Kind::File };
        Ok(Self { out: out.to_owned(), kind, names: HashSet::new(), inputs: HashSet::new() })
    }

    /// Where the annotated picture of this one goes: in a folder under its name as a PNG, with `-2`, `-3` and so on where two have
    /// the same. Every picture that is read is to be named before the first is drawn.
    pub(super) fn place(&mut self, input: &Path) -> PathBuf {
        self.inputs.extend(identity(input));
        if self.kind == Kind::File {
            return self.out.clone();
        }
        let stem = input.file_stem().unwrap_or(input.as_os_str());
        let name = (1..=SAME_NAME_MAX)
            .map(|number| {
                let mut name = stem.to_owned();
                if number > 1 {
                    name.push(format!("-{number}"));
                }
                name.push(".png");
                name
            })
            .find(|name| !self.names.contains(name))
            .unwrap_or_else(|| OsString::from("last.png"));
        self.names.insert(name.clone());
        self.out.join(name)
    }

    /// Writes the picture with what was found on it to its place.
    pub(super) fn draw(
        &self,
        to: &Path,
        picture: &Picture,
        found: &[Found],
    ) -> Result<(), AnnotateError> {
        if identity(to).is_some_and(|identity| self.inputs.contains(&identity)) {
            return Err(AnnotateError::Input(to.to_owned()));
        }
        let png = annotated(picture, found).packed().map_err(AnnotateError::Packing)?;
        fs::write(to, png).map_err(|source| AnnotateError::Write { path: to.to_owned(), source })
    }
}

/// The file behind a name, links followed.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn annotated(picture: &Picture, found: &[Found]) -> Canvas {
    let mut canvas = Canvas::of(picture);
    for found in found {
        canvas.frame(&found.corners, color_of(found.symbol.symbology));
    }
    for found in found {
        let symbol = &found.symbol;
        let name = match symbol.symbology {
            Named::One(symbology) => symbology.name(),
            Named::Untold | Named::Foreign => "symbol",
        };
        let text = format!("{name} {}", String::from_utf8_lossy(&symbol.payload.0));
        canvas.label(&text, &found.corners, color_of(symbol.symbology));
    }
    canvas
}

/// Dark enough for white letters, and told apart by people who see few colors (after Okabe and Ito).
const fn color_of(symbology: Named) -> [u8; 3] {
    match symbology {
        Named::One(Symbology::Code128) => [0, 114, 178],
        Named::One(Symbology::Code39) => [0, 140, 105],
        Named::One(Symbology::Itf) => [200, 80, 0],
        Named::One(Symbology::Pdf417) => [170, 70, 130],
        Named::One(Symbology::Qr) => [120, 60, 190],
        Named::One(Symbology::DataMatrix) => [150, 100, 0],
        Named::One(Symbology::Imb) => [200, 0, 50],
        Named::Untold | Named::Foreign => [60, 60, 60],
    }
}

/// A picture in colors that is drawn on; what falls beside it is not drawn.
struct Canvas {
    colors: Vec<u8>,
    width: u32,
    height: u32,
}

impl Canvas {
    fn of(picture: &Picture) -> Self {
        let colors = picture.luma().iter().flat_map(|shade| [*shade; 3]).collect();
        Self { colors, width: picture.width(), height: picture.height() }
    }

    fn packed(&self) -> Result<Vec<u8>, ImageError> {
        let mut png = Cursor::new(Vec::new());
        PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Up).write_image(
            &self.colors,
            self.width,
            self.height,
            ExtendedColorType::Rgb8,
        )?;
        Ok(png.into_inner())
    }

    /// One pixel in so many of the longer side, and one more.
    fn one_in(&self, side: u32) -> i64 {
        i64::from(self.width.max(self.height) / side) + 1
    }

    /// The four edges; the first, from the symbol's own top left to its top right, is the thickest.
    fn frame(&mut self, corners: &Corners, color: [u8; 3]) {
        let [a, b, c, d] = corners.map(|corner| self.at(corner));
        let thick = self.one_in(SIDE_OF_LINE);
        for (from, to, thick) in [(b, c, thick), (c, d, thick), (d, a, thick), (a, b, 3 * thick)] {
            self.line(from, to, thick, color);
        }
    }

    /// The pixel of a point. One that is far off comes as near as one picture's size.
    fn at(&self, [x, y]: [f32; 2]) -> [i64; 2] {
        #[expect(clippy::cast_possible_truncation, reason = "a saturating cast, bounded after it")]
        let [x, y] = [x.round() as i64, y.round() as i64];
        let [width, height] = [i64::from(self.width), i64::from(self.height)];
        [x.clamp(-width, 2 * width), y.clamp(-height, 2 * height)]
    }

    /// Squares along the line, one for each pixel of its longer extent: at most three sides of the picture.
    fn line(&mut self, from: [i64; 2], to: [i64; 2], thick: i64, color: [u8; 3]) {
        let [dx, dy] = [to[0] - from[0], to[1] - from[1]];
        let steps = dx.abs().max(dy.abs()).max(1);
        for step in 0..=steps {
            let at = [from[0] + dx * step / steps, from[1] + dy * step / steps];
            self.fill(at.map(|at| at - thick / 2), [thick; 2], color);
        }
    }

    /// A text in white on the color, above the frame, or below it where there is no room.
    fn label(&mut self, text: &str, corners: &Corners, color: [u8; 3]) {
        let dot = self.one_in(SIDE_OF_DOT);
        let [columns, rows] = [font::COLUMNS, font::ROWS].map(|n| i64::try_from(n).unwrap_or(0));
        let characters: Vec<char> = text.chars().take(CHARACTERS_MAX).collect();
        let n_characters = i64::try_from(characters.len()).unwrap_or(0);
        let size = [(n_characters * (columns + 1) + 1) * dot, (rows + 2) * dot];
        let corners = corners.map(|corner| self.at(corner));
        let left = corners.iter().map(|[x, _]| *x).min().unwrap_or(0);
        let top = corners.iter().map(|[_, y]| *y).min().unwrap_or(0);
        let bottom = corners.iter().map(|[_, y]| *y).max().unwrap_or(0);
        let gap = 2 * self.one_in(SIDE_OF_LINE);
        let above = top - gap - size[1];
        let y = if above >= 0 { above } else { bottom + gap };
        let [width, height] = [i64::from(self.width), i64::from(self.height)];
        let at = [left.min(width - size[0]).max(0), y.min(height - size[1]).max(0)];
        self.fill(at, size, color);
        for (place, character) in (0..).zip(characters) {
            let at = [at[0] + (place * (columns + 1) + 1) * dot, at[1] + dot];
            self.letter(character, at, dot);
        }
    }

    fn letter(&mut self, character: char, [left, top]: [i64; 2], dot: i64) {
        for (x, column) in (0..).zip(font::columns(character)) {
            for y in 0..i64::try_from(font::ROWS).unwrap_or(0) {
                if column >> y & 1 == 1 {
                    self.fill([left + x * dot, top + y * dot], [dot; 2], WHITE);
                }
            }
        }
    }

    /// A rectangle, as far as it is on the picture.
    fn fill(&mut self, [left, top]: [i64; 2], size: [i64; 2], color: [u8; 3]) {
        let inside =
            |at: i64, side: u32| usize::try_from(at.clamp(0, i64::from(side))).unwrap_or(0);
        let [x_from, x_to] = [left, left + size[0]].map(|x| inside(x, self.width));
        let [y_from, y_to] = [top, top + size[1]].map(|y| inside(y, self.height));
        let row_bytes = 3 * usize::try_from(self.width).unwrap_or(0).max(1);
        let rows = self.colors.chunks_exact_mut(row_bytes).take(y_to).skip(y_from);
        for row in rows {
            for pixel in row.as_chunks_mut::<3>().0.iter_mut().take(x_to).skip(x_from) {
                *pixel = color;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Symbol;

    fn found(corners: Corners) -> Found {
        let mut symbol = Symbol::untold(b"202611\x1b[2J\xff");
        symbol.symbology = Named::One(Symbology::Imb);
        Found { symbol, corners }
    }

    fn white(width: u32, height: u32) -> Picture {
        let luma = vec![255; usize::try_from(width * height).unwrap()];
        Picture::from_luma(width, height, luma).unwrap()
    }

    fn pixel(canvas: &Canvas, x: usize, y: usize) -> [u8; 3] {
        let at = 3 * (y * usize::try_from(canvas.width).unwrap() + x);
        canvas.colors[at..at + 3].try_into().unwrap()
    }

    #[test]
    fn a_symbol_gets_a_frame_that_is_thickest_at_its_own_top() {
        let color = color_of(Named::One(Symbology::Imb));
        // Upside down: its own top edge is the lower one.
        let corners = [[250.0, 150.0], [50.0, 150.0], [50.0, 100.0], [250.0, 100.0]];
        let canvas = annotated(&white(300, 200), &[found(corners)]);
        let thick = |y: usize| (y - 2..y + 10).filter(|y| pixel(&canvas, 150, *y) == color).count();
        assert_eq!((thick(150), thick(100)), (3, 1));
        assert_eq!(pixel(&canvas, 50, 125), color);
        assert_eq!(pixel(&canvas, 150, 125), WHITE);
        assert_eq!(pixel(&canvas, 50, 89), color, "the label stands above");
    }

    #[test]
    fn what_lies_beside_the_picture_is_not_drawn() {
        let corners =
            [[-1e30, f32::NAN], [f32::INFINITY, -5.0], [400.0, 1e9], [f32::NEG_INFINITY, 7.0]];
        for (width, height) in [(1, 1), (300, 1), (1, 300), (40, 30)] {
            let canvas = annotated(&white(width, height), &[found(corners), found([[0.0; 2]; 4])]);
            let packed = Picture::load(&canvas.packed().unwrap()).unwrap();
            assert_eq!((packed.width(), packed.height()), (width, height));
        }
    }

    #[test]
    fn no_link_leads_to_a_picture_that_is_read() {
        let place = tempfile::tempdir().unwrap();
        let inside = |name: &str| place.path().join(name);
        fs::write(inside("a.png"), "picture").unwrap();
        std::os::unix::fs::symlink(inside("a.png"), inside("link.png")).unwrap();
        fs::hard_link(inside("a.png"), inside("hard.png")).unwrap();
        for out in ["a.png", "link.png", "hard.png"] {
            let mut album = Album::open(&inside(out), Pictures::One).unwrap();
            let to = album.place(&inside("a.png"));
            let refused = album.draw(&to, &white(9, 9), &[]).unwrap_err();
            assert!(matches!(refused, AnnotateError::Input(_)), "{refused:?}");
        }
        assert_eq!(fs::read(inside("a.png")).unwrap(), b"picture");
    }
}
