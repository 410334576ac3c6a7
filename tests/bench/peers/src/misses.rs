//! Pictures of what was read and of what was missed.

use crate::decoders::Decoder;
use crate::measure::Looks;
use crate::pictures::{Gallery, Shown};
use ballot_intake::decode::image::Corners;
use image::{Rgb, RgbImage};
use std::fs;
use std::io;
use std::path::Path;

const READ: Rgb<u8> = Rgb([0, 170, 0]);
const MISSED: Rgb<u8> = Rgb([230, 0, 0]);

/// Writes the pictures on which ours missed a symbol or read a wrong text, with a frame around each symbol, and says what was
/// missed.
pub(crate) fn write(folder: &Path, gallery: &Gallery, looks: &Looks) -> io::Result<()> {
    let Some((_, looks)) = looks.iter().find(|(decoder, _)| *decoder == Decoder::Ours) else {
        return Ok(());
    };
    let folder = folder.join(gallery.name.replace(' ', "-"));
    fs::create_dir_all(&folder)?;
    for (shown, look) in gallery.pictures.iter().zip(looks) {
        if look.wrong.is_empty() && look.read.iter().all(|is_read| *is_read) {
            continue;
        }
        let mut annotated = colored(shown);
        for (truth, is_read) in shown.truths.iter().zip(&look.read) {
            frame(&mut annotated, &truth.corners, if *is_read { READ } else { MISSED });
            if !is_read {
                let (name, harms) = (&shown.name, shown.harms.join(", "));
                println!("- missed, {name} ({harms}): {} `{}`", truth.symbology, truth.payload);
            }
        }
        let name = shown.name.replace('.', "-");
        annotated.save(folder.join(format!("{name}.png"))).map_err(io::Error::other)?;
    }
    Ok(())
}

fn colored(shown: &Shown) -> RgbImage {
    let picture = &shown.picture;
    let width = usize::try_from(picture.width()).unwrap_or(1);
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        Rgb([picture.luma()[y as usize * width + x as usize]; 3])
    })
}

fn frame(picture: &mut RgbImage, corners: &Corners, color: Rgb<u8>) {
    for (from, to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let steps = dx.abs().max(dy.abs()).ceil().max(1.0);
        for step in 0..=steps as u32 {
            let share = step as f32 / steps;
            let (x, y) = ((from[0] + dx * share) as u32, (from[1] + dy * share) as u32);
            for (x, y) in [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)] {
                if x < picture.width() && y < picture.height() {
                    picture.put_pixel(x, y, color);
                }
            }
        }
    }
}
