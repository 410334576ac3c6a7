//! Lists the profiles beside it, so that a new scanner model is one file: its name is the profile's.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Where they lie, from the package's root.
const FOLDER: &str = "scanners";

fn main() -> io::Result<()> {
    writeln!(io::stdout(), "cargo::rerun-if-changed={FOLDER}")?;
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(FOLDER)? {
        let path = entry?.path();
        if path.extension() != Some(OsStr::new("toml")) {
            continue;
        }
        let name = path.file_stem().and_then(OsStr::to_str);
        names.push(name.ok_or(io::ErrorKind::InvalidFilename)?.to_owned());
    }
    names.sort();
    let list = names.iter().map(|name| {
        let path = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{FOLDER}/{name}.toml\")");
        format!("    ({name:?}, include_str!({path})),\n")
    });
    let list = format!("&[\n{}]\n", list.collect::<String>());
    let out_dir = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(Path::new(&out_dir).join("profiles.rs"), list)
}
