//! What the crates may know of each other, and where `unsafe` may stand.

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The crates of this workspace that a manifest names among its dependencies.
fn siblings(manifest: &str) -> Vec<String> {
    let text = read_to_string(root().join(manifest)).unwrap();
    let mut section = "";
    let mut names = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]" && line.starts_with("kwalk") {
            names.push(line.split(['.', ' ', '=']).next().unwrap().into());
        }
    }
    names.sort();
    names
}

#[test]
fn the_arrows_between_the_crates_point_one_way() {
    let none: [&str; 0] = [];
    assert_eq!(siblings("asm/Cargo.toml"), none);
    assert_eq!(siblings("btf/Cargo.toml"), none);
    assert_eq!(siblings("progs/Cargo.toml"), ["kwalk-asm", "kwalk-btf"]);
    assert_eq!(siblings("Cargo.toml"), ["kwalk-asm", "kwalk-btf", "kwalk-progs"]);
}

/// The Rust files below a directory.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn no_code_is_unsafe_but_that_of_the_system_calls() {
    let sources: Vec<_> =
        ["asm", "btf", "progs", "src", "tests"].iter().flat_map(|dir| sources(&root().join(dir))).collect();
    assert!(sources.len() > 40, "{sources:?}");
    for path in sources {
        let place = path.strip_prefix(root()).unwrap();
        if place.starts_with("src/sys") || place.ends_with("tests/architecture.rs") {
            continue;
        }
        let text = read_to_string(&path).unwrap();
        for (line, number) in text.lines().zip(1..) {
            let code = line.split("//").next().unwrap();
            let allowed = place == Path::new("src/lib.rs") && code == "#[allow(unsafe_code)]";
            assert!(!code.contains("unsafe") || allowed, "{}:{number}: {line}", place.display());
        }
    }
}

/// What the crates are licensed under that are compiled for these features.
fn licences(features: &[&str]) -> Vec<(String, String)> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["tree", "--locked", "--edges=normal,build", "--prefix=none", "--format={p}|{l}"]);
    let output = cargo.args(features).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let mut found: Vec<_> = tree
        .lines()
        .filter_map(|line| line.trim_end_matches(" (*)").split_once('|'))
        .map(|(package, licence)| (package.split(' ').next().unwrap().into(), licence.into()))
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn every_dependency_may_be_had_under_a_free_licence() {
    // MIT is our own, and who embeds what is under Apache-2.0 alone owes it no more than its notice.
    let free = |licence: &str| {
        let any =
            |licence: &str| licence.split([' ', '/']).any(|one| matches!(one, "MIT" | "(MIT" | "Apache-2.0"));
        any(licence) && !licence.contains("GPL")
    };
    for features in [&["--no-default-features"][..], &[], &["--all-features"]] {
        let found = licences(features);
        assert!(found.len() > 10 && found.iter().all(|(_, licence)| free(licence)), "{found:?}");
    }
}

#[test]
fn printing_knows_nothing_of_the_kernel() {
    for path in sources(&root().join("src/print")) {
        let text = read_to_string(&path).unwrap();
        assert!(!text.contains("crate::sys") && !text.contains("super::super"), "{}", path.display());
    }
}
