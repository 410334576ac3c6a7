//! Pictures in, symbols out: the one door to `image`, which unpacks pictures, and to `rxing`, which reads and writes symbols.
//!
//! Both take whatever a scanner's folder holds, so both run inside `catch_unwind` and inside bounds: a picture has at most
//! [`PICTURE_BYTES_MAX`] bytes packed and [`PIXELS_MAX`] pixels, and is refused by its header before anything is unpacked.
//! `rxing` is built without the symbologies that no envelope carries; its `MaxiCode` reader loops for ever on narrow pictures.

pub(super) mod matrix;

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader,
};
use rxing::common::BitMatrix;
use rxing::{
    BarcodeFormat, DecodeHints, EncodeHints, MultiFormatWriter, RXingResult,
    RXingResultMetadataType, RXingResultMetadataValue, Writer as _,
};

use self::matrix::Sheet;
use super::gray::Gray;
pub use super::quad::Corners;
use super::quad::{is_inside, is_same_place, middle, whiten};
use crate::scan::{Named, Payload, Symbol, Symbology, SymbologyIdentifier};

/// The most bytes a packed picture may have: 64 MiB.
pub const PICTURE_BYTES_MAX: usize = 64 << 20;

/// The most pixels a picture may have: what the largest document cameras give. One byte each while symbols are looked for.
pub const PIXELS_MAX: u64 = 50_000_000;

/// The longest side a picture may have, in pixels.
pub const SIDE_MAX: u32 = 32_768;

/// The most bytes a picture may take while it is unpacked, in its own colors: 256 MiB, four bytes a pixel and some more.
pub const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// What one picture takes at most from the first byte to the last symbol: 768 MiB. The most that was met are 537 MiB, for a
/// progressive JPEG of 50 million pixels in four colors.
pub const MEMORY_BYTES_MAX: usize = 768 << 20;

/// The most symbols that are looked for on one picture. An envelope carries two or three.
pub const SYMBOLS_MAX: usize = 16;

/// The lengths an Interleaved 2 of 5 payload may have; longer than the last is allowed too. Shorter ones are read out of
/// anything striped.
const ITF_LENGTHS: [u32; 5] = [6, 8, 10, 12, 14];

/// The most memory that is kept from one picture to the next: 48 MiB, the colors of 16 million pixels.
pub const MEMORY_KEPT_MAX: usize = 48 << 20;

/// Pixels that are turned gray at a time.
const GRAY_PIECE: usize = 1024;

/// White around a drawn symbol, in modules: what Code 128 and Interleaved 2 of 5 ask for, and more than the others do.
const QUIET_MODULES: usize = 10;

/// The height of drawn bars, in modules.
const BAR_MODULES: usize = 50;

/// Why a picture gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It is larger than [`PICTURE_BYTES_MAX`].
    #[error("picture has {0} bytes, more than {PICTURE_BYTES_MAX}")]
    Bytes(usize),
    /// Its first bytes are those of no format that is read.
    #[error("not a PNG, JPEG, TIFF, PNM or GIF picture")]
    Format,
    /// It has no pixels, too many, or too long a side.
    #[error(
        "picture of {width} x {height} pixels, outside 1 to {SIDE_MAX} a side and {PIXELS_MAX} in all"
    )]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// It would take more than [`UNPACKED_BYTES_MAX`].
    #[error("picture takes {0} bytes unpacked, more than {UNPACKED_BYTES_MAX}")]
    Unpacked(u64),
    /// It is cut short or damaged, or of a kind of its format that is not read.
    #[error("picture cannot be unpacked")]
    Damaged(#[source] ImageError),
    /// The pixels handed over are not as many as the sides say.
    #[error("{pixels} pixels do not make a picture of {width} x {height}")]
    Luma {
        /// How many there were.
        pixels: usize,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// The unpacking or reading library panicked: a fault of its own, met on this picture.
    #[error("reading the picture panicked")]
    Panicked,
    /// It could not be packed as PNG.
    #[error("picture cannot be packed as PNG")]
    Packing(#[source] ImageError),
}

/// Why a symbol was not drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// Nothing here writes that symbology.
    #[error("{0} symbols are not drawn")]
    Symbology(Symbology),
    /// The symbology has no room or no characters for the payload.
    #[error("the payload cannot be written as {symbology}")]
    Payload {
        /// The symbology.
        symbology: Symbology,
        /// What the writer says.
        #[source]
        source: rxing::Exceptions,
    },
    /// The writing library panicked.
    #[error("writing the payload as {0} panicked")]
    Panicked(Symbology),
    /// The symbol makes no picture.
    #[error("the drawn symbol is no picture")]
    Picture(#[source] PictureError),
}

/// A picture in shades of gray, as it was stored: the orientation that a camera may note beside it is not applied.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    luma: Vec<u8>,
    width: u32,
    height: u32,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} x {})", self.width, self.height)
    }
}

impl Picture {
    /// Unpacks a PNG, JPEG, TIFF, PNM or GIF picture, told by its first bytes. What is transparent is white; of several
    /// frames the first counts.
    pub fn load(bytes: &[u8]) -> Result<Self, PictureError> {
        Self::load_into(Vec::new(), bytes)
    }

    /// The same, into the memory of an earlier picture ([`Picture::into_memory`]); what is in it does not matter.
    pub fn load_into(memory: Vec<u8>, bytes: &[u8]) -> Result<Self, PictureError> {
        if bytes.len() > PICTURE_BYTES_MAX {
            return Err(PictureError::Bytes(bytes.len()));
        }
        catch_unwind(|| unpack(memory, bytes)).unwrap_or(Err(PictureError::Panicked))
    }

    /// A picture of these pixels, row by row from the top: 0 is black, 255 white.
    pub fn from_luma(width: u32, height: u32, luma: Vec<u8>) -> Result<Self, PictureError> {
        check_size(width, height)?;
        if u64::try_from(luma.len()) != Ok(u64::from(width) * u64::from(height)) {
            return Err(PictureError::Luma { pixels: luma.len(), width, height });
        }
        Ok(Self { luma, width, height })
    }

    /// In pixels, at least 1.
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// In pixels, at least 1.
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// The pixels, row by row from the top: 0 is black, 255 white.
    pub fn luma(&self) -> &[u8] {
        &self.luma
    }

    /// Its memory, for the next picture; none where it is more than [`MEMORY_KEPT_MAX`].
    pub fn into_memory(self) -> Vec<u8> {
        if self.luma.capacity() > MEMORY_KEPT_MAX { Vec::new() } else { self.luma }
    }

    /// The picture as a PNG file.
    pub fn to_png(&self) -> Result<Vec<u8>, PictureError> {
        let (width, height, luma) = (self.width, self.height, self.luma.clone());
        let pixels = luma.len();
        let gray = GrayImage::from_raw(width, height, luma).ok_or(PictureError::Luma {
            pixels,
            width,
            height,
        })?;
        let mut png = Cursor::new(Vec::new());
        gray.write_to(&mut png, ImageFormat::Png).map_err(PictureError::Packing)?;
        Ok(png.into_inner())
    }
}

/// A symbol and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What it says.
    pub symbol: Symbol,
    /// Where it is.
    pub corners: Corners,
}

impl Found {
    /// Whether it is the same symbol, found twice.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.symbol.symbology == other.symbol.symbology
            && self.symbol.payload == other.symbol.payload
            && is_same_place(&self.corners, &other.corners)
    }

    /// Whether the middle of one lies on the other: both cannot be there at the same time.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        is_inside(&self.corners, middle(&other.corners))
            || is_inside(&other.corners, middle(&self.corners))
    }
}

/// Draws one symbol, black on white with its quiet zone, `module_px` pixels for its narrowest bar.
pub fn draw_symbol(
    symbology: Symbology,
    payload: &str,
    module_px: u8,
) -> Result<Picture, DrawError> {
    let format = format_of(symbology).ok_or(DrawError::Symbology(symbology))?;
    let hints = EncodeHints { Margin: Some("0".to_owned()), ..EncodeHints::default() };
    let modules = catch_unwind(AssertUnwindSafe(|| {
        MultiFormatWriter.encode_with_hints(payload, &format, 1, 1, &hints)
    }))
    .map_err(|_panic| DrawError::Panicked(symbology))?
    .map_err(|source| DrawError::Payload { symbology, source })?;
    let rows = if is_bars(symbology) { BAR_MODULES } else { wide(modules.getHeight()) };
    enlarge(&modules, rows, usize::from(module_px.max(1))).map_err(DrawError::Picture)
}

fn unpack(memory: Vec<u8>, bytes: &[u8]) -> Result<Picture, PictureError> {
    let format = image::guess_format(bytes).map_err(|_unknown| PictureError::Format)?;
    let mut limits = image::Limits::no_limits();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(UNPACKED_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|source| match source {
        ImageError::Unsupported(_) => PictureError::Format,
        source => PictureError::Damaged(source),
    })?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    if decoder.total_bytes() > UNPACKED_BYTES_MAX {
        return Err(PictureError::Unpacked(decoder.total_bytes()));
    }
    let luma = match decoder.color_type() {
        ColorType::L8 => pixels(memory, decoder)?,
        ColorType::Rgb8 => {
            let mut pixels = pixels(memory, decoder)?;
            gray_in_place(&mut pixels);
            pixels
        }
        _ => gray(DynamicImage::from_decoder(decoder).map_err(PictureError::Damaged)?),
    };
    Picture::from_luma(width, height, luma)
}

/// What the decoder unpacks, as it is.
fn pixels(mut memory: Vec<u8>, decoder: impl ImageDecoder) -> Result<Vec<u8>, PictureError> {
    let bytes = decoder.total_bytes();
    memory.resize(usize::try_from(bytes).map_err(|_too_many| PictureError::Unpacked(bytes))?, 0);
    decoder.read_image(&mut memory).map_err(PictureError::Damaged)?;
    Ok(memory)
}

/// Red, green and blue to the luma that JPEG stores (ITU-T T.871), in 256ths; what is left over at the end is cut off.
fn gray_in_place(pixels: &mut Vec<u8>) {
    let n_pixels = pixels.len() / 3;
    let mut piece = [0; GRAY_PIECE];
    for from in (0..n_pixels).step_by(GRAY_PIECE) {
        let n = GRAY_PIECE.min(n_pixels - from);
        let colors = pixels.get(3 * from..3 * (from + n)).unwrap_or_default();
        for (luma, color) in piece.iter_mut().zip(colors.as_chunks::<3>().0) {
            let [red, green, blue] = color.map(u16::from);
            // The weights make 256, so the sum is below 2^16.
            [_, *luma] = ((77 * red + 150 * green + 29 * blue + 128) >> 8).to_be_bytes();
        }
        let (Some(to), Some(luma)) = (pixels.get_mut(from..from + n), piece.get(..n)) else {
            return;
        };
        to.copy_from_slice(luma);
    }
    pixels.truncate(n_pixels);
}

fn check_size(width: u32, height: u32) -> Result<(), PictureError> {
    let is_sized = (1..=SIDE_MAX).contains(&width)
        && (1..=SIDE_MAX).contains(&height)
        && u64::from(width) * u64::from(height) <= PIXELS_MAX;
    if is_sized { Ok(()) } else { Err(PictureError::Size { width, height }) }
}

/// Shades of gray; what is transparent shows white paper.
fn gray(colors: DynamicImage) -> Vec<u8> {
    if !colors.color().has_alpha() {
        return colors.into_luma8().into_raw();
    }
    let pairs = colors.into_luma_alpha8().into_raw();
    pairs.chunks_exact(2).map(|pair| on_paper(pair.first(), pair.last())).collect()
}

fn on_paper(luma: Option<&u8>, alpha: Option<&u8>) -> u8 {
    let [luma, alpha] = [luma, alpha].map(|part| u16::from(part.copied().unwrap_or(u8::MAX)));
    u8::try_from((luma * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
}

/// Looks for two-dimensional symbols with rxing's own detectors, on the picture as a whole: what a last resort costs. Those with the
/// strongest error correction come first, and what was found is painted over before the next search.
///
/// One thing differs from run to run: rxing tries doubtful PDF417 codewords in the order of a hash map, so a damaged PDF417 may be
/// read at one look and not at the next.
pub(super) fn look_whole(gray: Gray<'_>, wanted: &[Symbology]) -> Vec<Found> {
    let mut luma = Cow::Borrowed(gray.luma());
    let mut found: Vec<Found> = Vec::new();
    for symbology in [Symbology::Qr, Symbology::DataMatrix, Symbology::Pdf417] {
        while wanted.contains(&symbology) && found.len() < SYMBOLS_MAX {
            let sheet = Sheet { luma: &luma, width: gray.width(), height: gray.height() };
            let Some(next) = matrix::read(sheet, symbology) else { break };
            whiten(luma.to_mut(), gray.width(), &next.corners);
            if found.iter().any(|known| known.is_same(&next)) {
                // Painting it over did not hide it: another round would find it again.
                break;
            }
            found.push(next);
        }
    }
    found
}

/// The point of the picture that lay at `[x, y]` after it was turned counterclockwise.
const fn turned_back([x, y]: [f32; 2], degrees: i32, [right, bottom]: [f32; 2]) -> [f32; 2] {
    match degrees {
        90 => [right - y, x],
        180 => [right - x, bottom - y],
        270 => [y, bottom - x],
        _ => [x, y],
    }
}

fn hints(symbology: Symbology) -> Option<DecodeHints> {
    Some(DecodeHints {
        PossibleFormats: Some(HashSet::from([format_of(symbology)?])),
        TryHarder: Some(true),
        AllowedLengths: Some(ITF_LENGTHS.to_vec()),
        ..DecodeHints::default()
    })
}

/// The symbology identifier that the reader told; every one of rxing's does.
fn identifier(read: &RXingResult) -> Option<SymbologyIdentifier> {
    let told = read.getRXingResultMetadata().get(&RXingResultMetadataType::SYMBOLOGY_IDENTIFIER)?;
    match told {
        RXingResultMetadataValue::SymbologyIdentifier(text) => match text.as_bytes() {
            [b']', code, modifier] => SymbologyIdentifier::new(*code, *modifier),
            _ => None,
        },
        _ => None,
    }
}

fn symbol(symbology: Symbology, identifier: Option<SymbologyIdentifier>, text: &str) -> Symbol {
    let payload = payload(text);
    Symbol {
        symbology: Named::One(symbology),
        identifier,
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        payload: Payload(payload),
        repaired: false,
    }
}

/// The bytes of the text. Binary payloads come from rxing as text too, one character for each byte (ISO/IEC 8859-1, the default
/// of PDF417 and Data Matrix); what gives them away is the control characters that no text holds.
fn payload(text: &str) -> Vec<u8> {
    if !text.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c)) {
        return text.as_bytes().to_vec();
    }
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.unwrap_or_else(|_not_bytes| text.as_bytes().to_vec())
}

const fn format_of(symbology: Symbology) -> Option<BarcodeFormat> {
    match symbology {
        Symbology::Code128 => Some(BarcodeFormat::CODE_128),
        Symbology::Code39 => Some(BarcodeFormat::CODE_39),
        Symbology::Itf => Some(BarcodeFormat::ITF),
        Symbology::Pdf417 => Some(BarcodeFormat::PDF_417),
        Symbology::Qr => Some(BarcodeFormat::QR_CODE),
        Symbology::DataMatrix => Some(BarcodeFormat::DATA_MATRIX),
        Symbology::Imb => None,
    }
}

const fn is_bars(symbology: Symbology) -> bool {
    matches!(symbology, Symbology::Code128 | Symbology::Code39 | Symbology::Itf)
}

/// Every module as `px` pixels square, with the quiet zone around; of bars, their one row as often as asked.
fn enlarge(modules: &BitMatrix, rows: usize, px: usize) -> Result<Picture, PictureError> {
    let columns = wide(modules.getWidth());
    let (width, height) = ((columns + 2 * QUIET_MODULES) * px, (rows + 2 * QUIET_MODULES) * px);
    let last_row = modules.getHeight().saturating_sub(1);
    let is_black = |x: usize, y: usize| {
        let column = (x / px).checked_sub(QUIET_MODULES).filter(|column| *column < columns);
        let row = (y / px).checked_sub(QUIET_MODULES).filter(|row| *row < rows);
        column
            .zip(row)
            .is_some_and(|(column, row)| modules.get(narrow(column), narrow(row).min(last_row)))
    };
    let luma = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .map(|(x, y)| if is_black(x, y) { 0 } else { u8::MAX })
        .collect();
    Picture::from_luma(narrow(width), narrow(height), luma)
}

fn wide(side: u32) -> usize {
    usize::try_from(side).unwrap_or(usize::MAX)
}

fn narrow(side: usize) -> u32 {
    u32::try_from(side).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "no side has 2^24 pixels")]
const fn real(at: usize) -> f32 {
    at as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::find;

    const SAMPLES: [(Symbology, &str); 6] = [
        (Symbology::Code128, "2026110000000011"),
        (Symbology::Code39, "ABC-123456"),
        (Symbology::Itf, "1234567890123456"),
        (Symbology::Pdf417, "202611 000000001 1"),
        (Symbology::Qr, "https://vote.example/b/000000001"),
        (Symbology::DataMatrix, "202611000000001"),
    ];

    /// The quiet zone of the drawn samples: the first corner stands at its end.
    const QUIET_PX: f32 = 30.0;

    fn turned(picture: &Picture) -> Picture {
        let (width, height) = (picture.width(), picture.height());
        let turned = (0..width).rev().flat_map(|x| (0..height).map(move |y| (x, y)));
        let luma = turned.map(|(x, y)| picture.luma()[wide(y) * wide(width) + wide(x)]).collect();
        Picture::from_luma(height, width, luma).unwrap()
    }

    fn texts(found: &[Found]) -> Vec<String> {
        found.iter().map(|f| String::from_utf8(f.symbol.payload.0.clone()).unwrap()).collect()
    }

    fn luma(width: u32, height: u32, shade: impl Fn(u32) -> u8) -> Picture {
        Picture::from_luma(width, height, (0..width * height).map(shade).collect()).unwrap()
    }

    /// A hash: the same gray snow at every run.
    fn snow(at: u32) -> u8 {
        let mixed = at.wrapping_mul(0x9E37_79B1) ^ (at >> 7).wrapping_mul(0x85EB_CA77);
        mixed.wrapping_mul(0xC2B2_AE3D).to_be_bytes()[0]
    }

    #[test]
    fn every_symbology_is_found_whichever_way_it_lies() {
        for (symbology, payload) in SAMPLES {
            let mut picture = draw_symbol(symbology, payload, 3).unwrap();
            for quarter in 0..4 {
                let found = find(&picture, &Symbology::ALL).unwrap();
                assert_eq!(texts(&found), [payload], "{symbology} turned {quarter} times");
                assert_eq!(found[0].symbol.symbology, Named::One(symbology));
                // Turned counterclockwise, the symbol's own top left wanders down the left side first.
                let (right, bottom) = (real(wide(picture.width())), real(wide(picture.height())));
                let expected = [
                    [QUIET_PX, QUIET_PX],
                    [QUIET_PX, bottom - QUIET_PX],
                    [right - QUIET_PX, bottom - QUIET_PX],
                    [right - QUIET_PX, QUIET_PX],
                ][quarter];
                let [x, y] = found[0].corners[0];
                assert!(
                    (x - expected[0]).abs() < 3.0 && (y - expected[1]).abs() < 3.0,
                    "{symbology} turned {quarter} times: {x}, {y} is not {expected:?}"
                );
                picture = turned(&picture);
            }
        }
    }

    #[test]
    fn only_what_is_wanted_is_found() {
        for (symbology, payload) in SAMPLES {
            let picture = draw_symbol(symbology, payload, 2).unwrap();
            let others: Vec<_> = Symbology::ALL.into_iter().filter(|s| *s != symbology).collect();
            assert_eq!(texts(&find(&picture, &others).unwrap()), [""; 0], "{symbology}");
        }
    }

    #[test]
    fn identifiers_are_those_of_the_standard() {
        let identifiers = SAMPLES.map(|(symbology, payload)| {
            let picture = draw_symbol(symbology, payload, 3).unwrap();
            find(&picture, &[symbology]).unwrap()[0].symbol.identifier.unwrap().to_string()
        });
        assert_eq!(identifiers, ["]C0", "]A0", "]I0", "]L0", "]Q1", "]d1"]);
    }

    #[test]
    fn one_symbol_above_the_other_are_two() {
        let above = draw_symbol(Symbology::Code128, "2026110000000011", 2).unwrap();
        let below = draw_symbol(Symbology::Code128, "2026110000000029", 2).unwrap();
        let both = [above.luma(), below.luma()].concat();
        let face = Picture::from_luma(above.width(), above.height() * 2, both).unwrap();
        let found = find(&face, &Symbology::ALL).unwrap();
        assert_eq!(texts(&found), ["2026110000000011", "2026110000000029"]);
    }

    /// rxing reads the numbers that a line across slanted Interleaved 2 of 5 bars leaves through the upper edge as shorter
    /// numbers, many of them on neighboring lines; measured before the look at the quiet zone: 15 wrong ones on 56 pictures.
    #[test]
    fn slanted_digits_are_not_cut_short() {
        let payload = "04243531921481";
        let upright = draw_symbol(Symbology::Itf, payload, 3).unwrap();
        for slope in [5, 6, 7, 8] {
            let found = find(&slanted(&upright, slope), &[Symbology::Itf]).unwrap();
            assert_eq!(texts(&found), [payload], "1 in {slope}");
        }
    }

    /// The picture with each column moved down by one pixel in `slope`: the quiet zone above and below widened to hold it.
    fn slanted(upright: &Picture, slope: u32) -> Picture {
        let (width, height) = (upright.width(), upright.height() + upright.width() / slope);
        let shade = |at: u32| {
            let (x, y) = (at % width, at / width);
            let row = y.checked_sub(x / slope).filter(|row| *row < upright.height());
            row.map_or(u8::MAX, |row| upright.luma()[wide(row * width + x)])
        };
        luma(width, height, shade)
    }

    #[test]
    fn pictures_without_a_symbol_are_answered_with_none() {
        let odd = [(1, 1), (20_000, 1), (1, 20_000), (2, 3), (39, 41), (300, 200)];
        for (width, height) in odd {
            for shade in [|_| 0, |_| u8::MAX, snow, |at| if at % 2 == 0 { 0 } else { u8::MAX }] {
                let found = find(&luma(width, height, shade), &Symbology::ALL).unwrap();
                assert_eq!(texts(&found), [""; 0], "{width} x {height}");
            }
        }
    }

    #[test]
    fn what_is_transparent_is_white_paper() {
        assert_eq!(on_paper(Some(&0), Some(&0)), 255);
        assert_eq!(on_paper(Some(&0), Some(&255)), 0);
        assert_eq!(on_paper(Some(&0), Some(&128)), 127);
    }

    #[test]
    fn colors_are_as_gray_as_jpeg_has_them() {
        for (color, shade) in [([0; 3], 0), ([255; 3], 255), ([90; 3], 90), ([255, 0, 0], 77)] {
            let mut pixels = color.repeat(GRAY_PIECE + 5);
            gray_in_place(&mut pixels);
            assert_eq!(pixels, vec![shade; GRAY_PIECE + 5], "{color:?}");
        }
    }

    #[test]
    fn the_memory_of_an_earlier_picture_is_used_again() {
        let png = luma(31, 17, snow).to_png().unwrap();
        let memory = luma(50, 50, |_| 9).into_memory();
        let at = memory.as_ptr();
        let picture = Picture::load_into(memory, &png).unwrap();
        assert_eq!(picture, Picture::load(&png).unwrap());
        assert_eq!(picture.luma().as_ptr(), at);
    }

    #[test]
    fn binary_payloads_are_their_bytes_and_text_is_utf_8() {
        assert_eq!(payload("\u{3}\u{9f}\u{ff}"), [0x03, 0x9f, 0xff]);
        assert_eq!(payload("\u{f3}1"), "\u{f3}1".as_bytes());
    }

    #[test]
    fn a_picture_says_what_is_wrong_with_it() {
        let png = luma(8, 8, |_| 0).to_png().unwrap();
        let cases = [
            (b"".as_slice(), "not a PNG, JPEG, TIFF, PNM or GIF picture"),
            (b"%PDF-1.7", "not a PNG, JPEG, TIFF, PNM or GIF picture"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "not a PNG, JPEG, TIFF, PNM or GIF picture"),
            (&png[..png.len() / 2], "picture cannot be unpacked"),
            (b"P5 30000 30000 255\n", "outside 1 to 32768 a side and 50000000 in all"),
        ];
        for (bytes, says) in cases {
            let error = Picture::load(bytes).unwrap_err().to_string();
            assert!(error.contains(says), "{error:?} does not say {says:?}");
        }
        let error = Picture::load(&vec![0; PICTURE_BYTES_MAX + 1]).unwrap_err();
        assert!(matches!(error, PictureError::Bytes(bytes) if bytes == PICTURE_BYTES_MAX + 1));
    }

    #[test]
    fn a_png_is_the_picture_that_was_packed() {
        let picture = luma(31, 17, snow);
        assert_eq!(Picture::load(&picture.to_png().unwrap()).unwrap(), picture);
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let error = draw_symbol(Symbology::Imb, "1", 2).unwrap_err();
        assert_eq!(error.to_string(), "imb symbols are not drawn");
        let error = draw_symbol(Symbology::Itf, "123", 2).unwrap_err();
        assert_eq!(error.to_string(), "the payload cannot be written as itf");
    }
}
