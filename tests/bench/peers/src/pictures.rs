//! What is measured on: generated faces, and folders of pictures with what they say beside them.

use ballot_intake::cli::faces::Truth;
use ballot_intake::cli::faces::sets::{FORMATS, Format, Imb, Set, shot};
use ballot_intake::decode::image::Picture;
use ballot_intake::scan::Symbology;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The Postal Service's cases, from the root of the repository.
const IMB_CASES: &str = "fixtures/imb/uspsIMbEncoderTestCases.csv";

/// How many of them faces carry.
const IMBS: usize = 400;

/// How the names of pictures end.
const KINDS: [&str; 5] = ["png", "jpg", "jpeg", "gif", "pgm"];

/// A picture and what is on it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) name: String,
    pub(crate) picture: Picture,
    pub(crate) truths: Vec<Truth>,
    /// What befell it.
    pub(crate) harms: Vec<&'static str>,
}

/// Pictures that make a table.
#[derive(Debug)]
pub(crate) struct Gallery {
    pub(crate) name: String,
    pub(crate) pictures: Vec<Shown>,
}

/// The digits and bars that faces carry; none where the Postal Service's file is missing.
pub(crate) fn imbs(root: &Path) -> Vec<(String, String)> {
    let cases = fs::read_to_string(root.join(IMB_CASES)).unwrap_or_default();
    cases
        .lines()
        .filter_map(|line| match line.trim_end().split(',').collect::<Vec<_>>()[..] {
            [_, tracking, routing, bars, "00", ..] => {
                Some((format!("{tracking}{routing}"), bars.to_owned()))
            }
            _ => None,
        })
        .take(IMBS)
        .collect()
}

/// Some generated faces of a set.
pub(crate) fn generated(
    set: Set,
    format: Format,
    numbers: impl Iterator<Item = u16>,
    imbs: &[Imb<'_>],
) -> Gallery {
    let [width, height] = format.size;
    let name = format!("{} {width}x{height}", set.name());
    let pictures = numbers
        .filter_map(|number| {
            let shot = shot(set, format, number, imbs)
                .inspect_err(|error| eprintln!("{name} {number}: {error}"))
                .ok()?;
            let harms = shot.camera.harms.iter().map(|harm| harm.name()).collect();
            let (picture, truths) = (shot.face.picture, shot.face.truths);
            Some(Shown { name: format!("{number:03}"), picture, truths, harms })
        })
        .collect();
    Gallery { name, pictures }
}

/// Writes the generated sets as PNG, with the truth beside each as JSON.
pub(crate) fn write(folder: &Path, many: u16, imbs: &[Imb<'_>]) -> io::Result<()> {
    for set in [Set::Normal, Set::Harder, Set::NoCode, Set::Imb] {
        for format in FORMATS {
            let [width, height] = format.size;
            let folder = folder.join(set.name()).join(format!("{width}x{height}"));
            fs::create_dir_all(&folder)?;
            for number in 0..many {
                let shot = shot(set, format, number, imbs).map_err(io::Error::other)?;
                let png = shot.face.picture.to_png().map_err(io::Error::other)?;
                fs::write(folder.join(format!("{number:03}.png")), png)?;
                let truths: Vec<_> = shot.face.truths.iter().map(json).collect();
                let camera = &shot.camera;
                let harms: Vec<_> = camera.harms.iter().map(|harm| harm.name()).collect();
                let told = serde_json::json!({
                    "truth": truths, "turn_deg": camera.turn_deg, "blur_px": camera.blur_px,
                    "noise": camera.noise, "tilt": camera.tilt, "curl": camera.curl,
                    "dim": camera.dim, "harms": harms,
                });
                fs::write(folder.join(format!("{number:03}.json")), format!("{told:#}\n"))?;
            }
        }
    }
    Ok(())
}

fn json(truth: &Truth) -> serde_json::Value {
    serde_json::json!({
        "symbology": truth.symbology.name(), "payload": truth.payload, "corners": truth.corners,
    })
}

/// The pictures of a folder. What each says stands beside it as `.txt` or `.bin`; without, nothing may be read on it.
pub(crate) fn folder(path: &Path) -> io::Result<Gallery> {
    let name =
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut paths: Vec<PathBuf> = fs::read_dir(path)?
        .collect::<Result<Vec<_>, _>>()?
        .iter()
        .map(fs::DirEntry::path)
        .collect();
    paths.sort();
    paths.retain(|path| {
        path.extension().is_some_and(|end| KINDS.iter().any(|kind| end.eq_ignore_ascii_case(kind)))
    });
    let pictures = paths.iter().filter_map(|path| shown(path, symbology(&name))).collect();
    Ok(Gallery { name, pictures })
}

fn shown(path: &Path, symbology: Symbology) -> Option<Shown> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let picture = fs::read(path).ok().and_then(|bytes| {
        Picture::load(&bytes).inspect_err(|error| eprintln!("{name}: {error}")).ok()
    })?;
    let text = fs::read_to_string(path.with_extension("txt")).ok();
    let bytes = || fs::read(path.with_extension("bin")).ok();
    // A binary payload is compared as the text that its bytes make in Latin-1.
    let latin = || bytes().map(|bytes| bytes.iter().map(|byte| char::from(*byte)).collect());
    let truths = text
        .or_else(latin)
        .map(|payload| Truth { symbology, payload, corners: [[0.0; 2]; 4] })
        .into_iter()
        .collect();
    Some(Shown { name, picture, truths, harms: Vec::new() })
}

/// The symbology that a folder is named after; an Intelligent Mail bar code without such a name.
fn symbology(folder: &str) -> Symbology {
    let named = |symbology: &&Symbology| {
        folder.replace("qrcode", "qr").starts_with(&symbology.name().replace(['_', '-'], ""))
    };
    Symbology::ALL.iter().find(named).copied().unwrap_or(Symbology::Imb)
}
