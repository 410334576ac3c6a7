//! Reads pictures with ours, with zxing-cpp and with rxing, in one run, and prints what each read and how long it took.
//!
//! Times are those of one thread on a core; each picture is unpacked beforehand. A text that is not on the picture is wrong.

mod decoders;
mod floor;
mod limits;
mod measure;
mod misses;
mod pictures;

use ballot_intake::cli::faces::sets::{FORMATS, Imb, Set};
use pictures::Gallery;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str =
    "decode [--quick] [--set NAME]... [--pictures DIR]... [--misses DIR] [--write DIR]";

/// From one number to the next when not all are drawn: no turn, blur or noise is left out.
const STRIDE: u16 = 7;

/// Faces of a set, and of the set without symbols; with `--quick`.
const FACES: [u16; 2] = [60, 12];
const BARE_FACES: [u16; 2] = [13, 5];

/// What was asked for.
#[derive(Debug, Default)]
struct Asked {
    is_quick: bool,
    sets: Vec<String>,
    pictures: Vec<PathBuf>,
    misses: Option<PathBuf>,
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(asked) = asked(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    // A panic inside rxing is a miss; its text is no figure.
    std::panic::set_hook(Box::new(|_| {}));
    match run(&asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Option<Asked> {
    let mut asked = Asked::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => asked.is_quick = true,
            "--set" => asked.sets.push(arguments.next()?),
            "--pictures" => asked.pictures.push(arguments.next()?.into()),
            "--misses" => asked.misses = Some(arguments.next()?.into()),
            "--write" => asked.write = Some(arguments.next()?.into()),
            _ => return None,
        }
    }
    Some(asked)
}

fn run(asked: &Asked) -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let owned = pictures::imbs(&root);
    let imbs: Vec<Imb<'_>> =
        owned.iter().map(|(digits, bars)| (digits.as_str(), bars.as_str())).collect();
    let quick = usize::from(asked.is_quick);
    if let Some(folder) = &asked.write {
        return pictures::write(folder, FACES[quick], &imbs);
    }
    let repeats = if asked.is_quick { 1 } else { 3 };
    let wants = |set: Set| match &asked.sets[..] {
        [] => asked.pictures.is_empty(),
        sets => sets.iter().any(|name| name == set.name()),
    };
    for set in
        [Set::Normal, Set::Harder, Set::Imb, Set::NoCode].into_iter().filter(|set| wants(*set))
    {
        let many = if set == Set::NoCode { BARE_FACES[quick] } else { FACES[quick] };
        for format in FORMATS {
            let numbers =
                (0..many).map(|at| if asked.is_quick { at * STRIDE % FACES[0] } else { at });
            let gallery = pictures::generated(set, format, numbers, &imbs);
            tell(&gallery, asked, repeats)?;
            match set {
                Set::NoCode => limits::print_floor(&gallery, repeats),
                Set::Normal => limits::print_threads(&gallery, repeats),
                Set::Harder | Set::Imb => {}
            }
        }
    }
    for folder in &asked.pictures {
        tell(&pictures::folder(folder)?, asked, repeats)?;
    }
    if asked.sets.is_empty() && asked.pictures.is_empty() {
        limits::print_hostile();
    }
    Ok(())
}

fn tell(gallery: &Gallery, asked: &Asked, repeats: usize) -> std::io::Result<()> {
    let looks = measure::looks(gallery, repeats);
    measure::print_table(gallery, &looks);
    if gallery.pictures.iter().any(|shown| !shown.harms.is_empty()) {
        measure::print_harms(gallery, &looks);
    }
    match &asked.misses {
        Some(folder) => misses::write(folder, gallery, &looks),
        None => Ok(()),
    }
}
