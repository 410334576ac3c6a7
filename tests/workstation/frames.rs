//! Writes pictures of envelopes as a camera sends them, for the workstation's camera to show: a file of gray pixels for each ballot.

use anyhow::{Context as _, bail};
use ballot_intake::cli::faces::{Camera, Mark, Print, photograph};
use ballot_intake::envelope::Check;
use ballot_intake::scan::Symbology;
use std::fs;
use std::path::Path;

/// A camera above the table: 0.24 mm a pixel is a bar of 15 mil in 2.4 pixels or so.
const SIZE: [u16; 2] = [1920, 1080];
const PPI: f32 = 160.0;
const MODULE_PX: f32 = 2.4;
const TURN_DEG_MAX: f32 = 6.0;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, first, count] = arguments.as_slice() else {
        bail!("usage: frames FOLDER FIRST_BALLOT COUNT")
    };
    let (first, count): (u32, u32) = (first.parse()?, count.parse()?);
    for n in 0..count {
        let ballot = first + n;
        let path = Path::new(folder).join(format!("{ballot:09}.gray"));
        fs::write(path, frame(ballot).with_context(|| format!("ballot {ballot}"))?)?;
    }
    Ok(())
}

/// The face of the ballot's envelope, lying as a clerk drops it.
fn frame(ballot: u32) -> anyhow::Result<Vec<u8>> {
    let body = format!("202611{ballot:09}");
    let check = Check::Luhn.characters(&body).context("digits have a check digit")?;
    let mark = Mark::Symbol(Symbology::Code128, body + &check);
    let turned = f32::from(u16::try_from(ballot * 37 % 100)?) / 50.0 - 1.0;
    let camera = Camera {
        turn_deg: turned * TURN_DEG_MAX,
        blur_px: 0.5,
        noise: 3.0,
        ..Camera::above(SIZE, PPI)
    };
    let face = photograph(&[Print { mark, module_px: MODULE_PX }], &camera, ballot.into())?;
    if face.truths.len() != 1 {
        bail!("the symbol has no room on the picture");
    }
    Ok(face.picture.into_memory())
}
