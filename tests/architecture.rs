//! What the crates and their modules may know of each other, and where `unsafe` may stand.

mod modules;

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Need, Test, root, test};

/// The sources, which a guest of `cargo vm` does not have.
const SOURCES: &[Need] = &[Need::That("the sources", || root().join("Cargo.toml").exists())];
const CARGO: &[Need] = &[SOURCES[0], Need::Tool("cargo")];

pub fn tests() -> Vec<Test> {
    vec![
        test("the_arrows_between_the_crates_point_one_way", SOURCES, the_arrows_between_the_crates),
        test("the_modules_of_kwalk_progs_form_no_circle", SOURCES, || modules::form_no_circle("progs/src")),
        test("the_modules_of_kwalk_query_form_no_circle", SOURCES, || {
            modules::form_no_circle("progs/query/src");
        }),
        test("no_code_is_unsafe_but_that_of_the_system_calls", SOURCES, no_code_is_unsafe),
        test("every_dependency_may_be_had_under_a_free_licence", CARGO, every_dependency_is_free),
        test("printing_knows_nothing_of_the_kernel", SOURCES, printing_knows_nothing_of_the_kernel),
    ]
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

fn the_arrows_between_the_crates() {
    let none: [&str; 0] = [];
    assert_eq!(siblings("asm/Cargo.toml"), none);
    assert_eq!(siblings("btf/Cargo.toml"), none);
    assert_eq!(siblings("progs/Cargo.toml"), ["kwalk-asm", "kwalk-btf"]);
    assert_eq!(siblings("progs/query/Cargo.toml"), ["kwalk-asm", "kwalk-btf", "kwalk-progs"]);
    assert_eq!(siblings("Cargo.toml"), ["kwalk-asm", "kwalk-btf", "kwalk-progs", "kwalk-query"]);
    assert_eq!(siblings("src/cli/Cargo.toml"), ["kwalk"]);
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
    found.sort();
    found
}

fn no_code_is_unsafe() {
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

/// What the crates are licensed under that are compiled for a package with these features.
fn licences(arguments: &[&str]) -> Vec<(String, String)> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["tree", "--locked", "--edges=normal,build", "--prefix=none", "--format={p}|{l}"]);
    let output = cargo.args(arguments).current_dir(root()).output().unwrap();
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

fn every_dependency_is_free() {
    // MIT is our own, and who embeds what is under Apache-2.0 alone owes it no more than its notice.
    let free = |licence: &str| {
        let any =
            |licence: &str| licence.split([' ', '/']).any(|one| matches!(one, "MIT" | "(MIT" | "Apache-2.0"));
        any(licence) && !licence.contains("GPL")
    };
    for arguments in [
        &["--package=kwalk", "--no-default-features"][..],
        &["--package=kwalk"],
        &["--package=kwalk", "--all-features"],
        &["--package=kwalk-cli"],
    ] {
        let found = licences(arguments);
        assert!(found.len() > 10 && found.iter().all(|(_, licence)| free(licence)), "{found:?}");
    }
}

fn printing_knows_nothing_of_the_kernel() {
    for path in sources(&root().join("src/print")) {
        let text = read_to_string(&path).unwrap();
        assert!(!text.contains("crate::sys") && !text.contains("super::super"), "{}", path.display());
    }
}
