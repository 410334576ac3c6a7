//! Pictures that nobody should send: of any size, of any pattern, damaged in every format. Nothing panics, nothing hangs, and
//! nothing is read where nothing stands.
#![cfg(test)]

#[path = "bench/support/patterns.rs"]
mod patterns;

use ballot_intake::decode::find;
use ballot_intake::decode::image::{PIXELS_MAX, Picture, PictureError, draw_symbol};
use ballot_intake::scan::Symbology;
use image::{
    DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, Rgba, RgbaImage,
    codecs::gif::GifEncoder,
};
use std::fs;
use std::io::Cursor;
use std::path::Path;

const PAYLOAD: &str = "2026110000000011";

/// Files of each format that are damaged in so many ways.
const FLIPS: u64 = 60;
const CUTS: usize = 25;

#[track_caller]
fn assert_nothing_is_read(name: &str, picture: &Picture) {
    let found = find(picture, &Symbology::ALL).unwrap();
    assert!(found.is_empty(), "{name}: {found:?}");
}

fn of(width: u32, height: u32, shade: impl Fn(u32, u32) -> u8) -> Picture {
    patterns::picture(width, height, shade).unwrap()
}

fn symbol() -> Picture {
    draw_symbol(Symbology::Code128, PAYLOAD, 2).unwrap()
}

#[test]
fn no_size_is_too_small_or_too_long() {
    let edges = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33];
    let sizes = edges.iter().flat_map(|width| edges.map(|height| (*width, height)));
    let long = [(20_000, 1), (1, 20_000), (20_000, 2), (3, 20_000), (32_768, 1), (1, 32_768)];
    for (width, height) in sizes.chain(long) {
        for (name, shade) in patterns::small() {
            let name = format!("{name} of {width} x {height}");
            assert_nothing_is_read(&name, &of(width, height, shade));
        }
    }
}

#[test]
fn nothing_is_read_on_upright_and_lying_stripes() {
    for period in 2..=12 {
        let upright = of(2_000, 1_500, |x, _| patterns::stripe(x, period));
        assert_nothing_is_read(&format!("upright stripes of {period} px"), &upright);
        let lying = of(2_000, 1_500, |_, y| patterns::stripe(y, period));
        assert_nothing_is_read(&format!("lying stripes of {period} px"), &lying);
    }
}

#[test]
fn nothing_is_read_on_slanted_stripes() {
    for period in 2..=12 {
        let rising = of(2_000, 1_500, |x, y| patterns::stripe(x + y, period));
        assert_nothing_is_read(&format!("rising stripes of {period} px"), &rising);
        let falling = of(2_000, 1_500, |x, y| patterns::stripe(x + 3_000 - y, period));
        assert_nothing_is_read(&format!("falling stripes of {period} px"), &falling);
    }
}

#[test]
fn nothing_is_read_on_any_pattern() {
    for (name, shade) in patterns::large() {
        assert_nothing_is_read(name, &of(2_000, 1_500, shade));
    }
}

/// The benchmark `hostile` looks at every pattern in this size.
#[test]
fn nothing_is_read_on_12_megapixels_of_noise() {
    let noise = patterns::large().into_iter().filter(|(name, _)| name.ends_with("noise"));
    assert_eq!(
        noise.map(|(name, shade)| assert_nothing_is_read(name, &of(4_000, 3_000, shade))).count(),
        2
    );
}

/// A picture in every format that is read.
fn packed() -> Vec<(&'static str, Vec<u8>)> {
    let symbol = symbol();
    let gray =
        GrayImage::from_raw(symbol.width(), symbol.height(), symbol.luma().to_vec()).unwrap();
    let gray = DynamicImage::ImageLuma8(gray);
    let written = |picture: &DynamicImage, format| {
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, format).unwrap();
        file.into_inner()
    };
    let rgb = DynamicImage::ImageRgb8(gray.to_rgb8());
    let deep = DynamicImage::ImageLuma16(gray.to_luma16());
    let rgba = DynamicImage::ImageRgba8(gray.to_rgba8());
    let deep_rgba = DynamicImage::ImageRgba16(gray.to_rgba16());
    vec![
        ("gray PNG", written(&gray, ImageFormat::Png)),
        ("RGB PNG", written(&rgb, ImageFormat::Png)),
        ("16-bit PNG", written(&deep, ImageFormat::Png)),
        ("PNG with alpha", written(&rgba, ImageFormat::Png)),
        ("16-bit PNG with alpha", written(&deep_rgba, ImageFormat::Png)),
        ("gray JPEG", written(&gray, ImageFormat::Jpeg)),
        ("RGB JPEG", written(&rgb, ImageFormat::Jpeg)),
        ("gray TIFF", written(&gray, ImageFormat::Tiff)),
        ("16-bit TIFF", written(&deep, ImageFormat::Tiff)),
        ("TIFF with alpha", written(&rgba, ImageFormat::Tiff)),
        ("PGM", written(&gray, ImageFormat::Pnm)),
        ("PPM", written(&rgb, ImageFormat::Pnm)),
        ("GIF", written(&rgba, ImageFormat::Gif)),
        ("two-frame GIF", gif_of(&[gray.to_rgba8(), RgbaImage::new(9, 9)])),
        ("1-bit TIFF", one_bit_tiff(&symbol)),
        ("two-page TIFF", with_a_second_page(one_bit_tiff(&symbol))),
        ("PBM", pbm(&symbol)),
        ("plain PGM", plain_pgm(&symbol)),
    ]
}

/// A symbol where it stands is read in every format, so that the damage below is to pictures that are.
#[test]
fn a_symbol_is_read_in_every_format() {
    for (name, bytes) in packed() {
        let picture = Picture::load(&bytes).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let found = find(&picture, &[Symbology::Code128]).unwrap();
        let payloads: Vec<_> = found.iter().map(|found| &found.symbol.payload.0[..]).collect();
        assert_eq!(payloads, [PAYLOAD.as_bytes()], "{name}");
    }
}

/// Whatever is left of a damaged picture says what stood on it, or nothing.
#[track_caller]
fn assert_honest(name: &str, bytes: &[u8]) {
    match Picture::load(bytes) {
        Ok(picture) if picture.luma().len() < 500_000 => {
            for found in find(&picture, &[Symbology::Code128, Symbology::Qr]).unwrap() {
                assert_eq!(found.symbol.payload.0, PAYLOAD.as_bytes(), "{name}");
            }
        }
        Ok(_) => {}
        Err(error) => {
            assert!(!matches!(error, PictureError::Panicked), "{name}: unpacking panicked");
        }
    }
}

#[test]
fn files_cut_short_are_refused_or_honest() {
    for (name, bytes) in packed() {
        let cuts = (0..CUTS).map(|cut| bytes.len() * cut / CUTS);
        for cut in cuts.chain((0..40).filter(|cut| *cut < bytes.len())) {
            assert_honest(&format!("{name} cut to {cut}"), &bytes[..cut]);
        }
    }
}

#[test]
fn files_with_flipped_bits_are_refused_or_honest() {
    let mut dice = patterns::Dice(5);
    for (name, bytes) in packed() {
        for flip in 0..FLIPS {
            let mut damaged = bytes.clone();
            for _bit in 0..=dice.below(4) {
                // Every second one in the headers, where most of the harm is done.
                let reach = if flip % 2 == 0 { bytes.len().min(100) } else { bytes.len() };
                damaged[dice.below(reach)] ^= 1 << dice.below(8);
            }
            assert_honest(&format!("{name}, flip {flip}"), &damaged);
        }
    }
}

#[test]
fn pictures_that_other_programs_write_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz/picture");
    for name in ["cmyk.jpg", "progressive.jpg", "one-bit.tiff", "two-pages.tiff", "animated.gif"] {
        let picture = Picture::load(&fs::read(folder.join(name)).unwrap()).unwrap();
        let found = find(&picture, &[Symbology::Code128]).unwrap();
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].symbol.payload.0, PAYLOAD.as_bytes(), "{name}");
    }
}

#[test]
fn headers_that_claim_too_much_are_refused() {
    let headers = [
        format!("P5 {PIXELS_MAX} 1 255\n"),
        "P6 7072 7072 255\n".to_owned(),
        "P4 32768 32768\n".to_owned(),
        "P2 4294967295 4294967295 65535\n".to_owned(),
        "P7\nWIDTH 7000\nHEIGHT 7000\nDEPTH 4\nMAXVAL 65535\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
            .to_owned(),
    ];
    for header in headers {
        let refused = Picture::load(header.as_bytes()).unwrap_err();
        assert!(!matches!(refused, PictureError::Panicked), "{header}: {refused:?}");
    }
}

fn gif_of(frames: &[RgbaImage]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = GifEncoder::new(&mut file);
    for frame in frames {
        let colors = image::ExtendedColorType::Rgba8;
        encoder.encode(frame.as_raw(), frame.width(), frame.height(), colors).unwrap();
    }
    drop(encoder);
    file
}

/// The rows in bits, the first pixel in the highest; black is 1.
fn bits(picture: &Picture) -> Vec<u8> {
    let rows = picture.luma().chunks(picture.width() as usize);
    let byte = |pixels: &[u8]| {
        (0..8).fold(0, |byte, at| byte << 1 | u8::from(pixels.get(at).is_some_and(|p| *p < 128)))
    };
    rows.flat_map(|row| row.chunks(8).map(byte)).collect()
}

fn pbm(picture: &Picture) -> Vec<u8> {
    let header = format!("P4\n{} {}\n", picture.width(), picture.height());
    [header.into_bytes(), bits(picture)].concat()
}

fn plain_pgm(picture: &Picture) -> Vec<u8> {
    let header = format!("P2\n# plain\n{} {}\n255\n", picture.width(), picture.height());
    let shades: Vec<_> = picture.luma().iter().map(u8::to_string).collect();
    (header + &shades.join("\n")).into_bytes()
}

/// TIFF 6.0, a bilevel image in one uncompressed strip, white is 0.
fn one_bit_tiff(picture: &Picture) -> Vec<u8> {
    let strip = bits(picture);
    let (long, short) = (4_u16, 3_u16);
    let entries = [
        (256_u16, long, picture.width()),
        (257, long, picture.height()),
        (258, short, 1),
        (259, short, 1),
        (262, short, 0),
        (273, long, 8),
        (277, short, 1),
        (278, long, picture.height()),
        (279, long, u32::try_from(strip.len()).unwrap()),
    ];
    let directory = 8 + u32::try_from(strip.len()).unwrap();
    let mut file = [b"II*\0".as_slice(), &directory.to_le_bytes(), &strip].concat();
    file.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
    for (tag, kind, value) in entries {
        file.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        file.extend([1_u32.to_le_bytes(), value.to_le_bytes()].concat());
    }
    file.extend(0_u32.to_le_bytes());
    file
}

/// The same directory once more, as the second page.
fn with_a_second_page(mut file: Vec<u8>) -> Vec<u8> {
    let at = file.len() - (2 + 9 * 12 + 4);
    let page = file[at..].to_vec();
    let second = u32::try_from(file.len()).unwrap();
    let link = file.len() - 4;
    file[link..].copy_from_slice(&second.to_le_bytes());
    file.extend(page);
    file
}

#[test]
fn sixteen_bits_and_transparency_come_as_shades_on_paper() {
    let deep = ImageBuffer::<Luma<u16>, _>::from_fn(4, 4, |x, _| {
        Luma([u16::try_from(x * 0x5555).unwrap()])
    });
    let clear = RgbaImage::from_fn(4, 4, |x, _| Rgba([0, 0, 0, u8::try_from(x * 85).unwrap()]));
    let cases = [
        (DynamicImage::ImageLuma16(deep), [0, 85, 170, 255]),
        (DynamicImage::ImageRgba8(clear), [255, 170, 85, 0]),
    ];
    for (picture, shades) in cases {
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        let loaded = Picture::load(&png.into_inner()).unwrap();
        assert_eq!(loaded.luma()[..4], shades);
    }
}
