//! Holds the shape of the code: who may import whom, one door to each foreign library, and tests that can fail.
//!
//! The rules work on text: comments and literals are blanked first, so that only code counts. A rule is a function from a file to
//! what is wrong in it; each has its own tests on small strings.
#![cfg(test)]

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/rules.rs"]
mod rules;

use code::Source;
use std::fs;
use std::path::Path;

/// What is walked. Fixtures are what they are.
const FOLDERS: [&str; 6] = ["src", "tests", "relay", "deploy", "scanners", ".ci"];

/// Folders that tools make.
const NOT_OURS: [&str; 3] = ["target", "node_modules", ".schemathesis"];

/// Every file of ours that is text, with its path from the root of the repository.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in FOLDERS.map(|folder| root.join(folder)).into_iter().filter(|path| path.exists()) {
        collect(&folder, root, &mut sources);
    }
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "nothing was found");
    sources
}

fn collect(folder: &Path, root: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !NOT_OURS.iter().any(|name| path.ends_with(name)) {
                collect(&path, root, sources);
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root).unwrap().to_str().unwrap();
            sources.push(Source::new(path, &text));
        }
    }
}

#[track_caller]
fn check(rule: rules::Rule) {
    let wrong: Vec<_> = sources().iter().flat_map(rule).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn modules_import_only_downward() {
    check(rules::direction);
}

#[test]
fn each_foreign_library_has_one_door() {
    check(rules::doors);
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    check(rules::opening);
}

#[test]
fn source_is_ascii() {
    check(rules::ascii);
}

#[test]
fn no_file_is_too_long() {
    check(rules::length);
}

#[test]
fn what_is_to_do_stands_elsewhere() {
    check(rules::marks);
}

#[test]
fn every_test_can_fail_and_none_waits_on_time() {
    check(rules::honest_tests);
}
