//! The crate works where there is no std: a crate without it builds, and what it does with it is right.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A workspace of its own, outside the source tree: in a workspace, the profile would be that of the tests, and std's
/// way to panic.
const MANIFEST: &str = r#"
[package]
name = "no-std"
version = "0.0.0"
edition = "2024"

[lib]
path = "lib.rs"

[[bin]]
name = "check"
path = "check.rs"

[features]
alone = []
tag = ["kwalk-asm/tag"]

[dependencies]
kwalk-asm = { path = "@" }

[profile.dev]
panic = "abort"

[workspace]
"#;

const CHECK: &str = "fn main() { assert!(no_std::check()) }";

#[test]
fn a_crate_without_std_assembles() {
    let asm = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_std");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("Cargo.toml"), MANIFEST.replace('@', asm.to_str().unwrap())).unwrap();
    fs::write(dir.join("lib.rs"), include_str!("no_std/lib.rs")).unwrap();
    fs::write(dir.join("check.rs"), CHECK).unwrap();
    // The same versions as everywhere, which are here already.
    if let Ok(lock) = fs::read(asm.join("../Cargo.lock")) {
        fs::write(dir.join("Cargo.lock"), lock).unwrap();
    }

    let tag = if cfg!(feature = "tag") { "tag," } else { "" };
    let cargo = |args: &[&str], features: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(&dir).args(args).args(["--quiet", "--offline", "--target-dir", "target"]);
        cargo.arg(format!("--features={tag}{features}")).output().unwrap()
    };
    let succeeds = |Output { status, stderr, .. }: Output| {
        assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
    };
    succeeds(cargo(&["build", "--lib"], "alone"));
    succeeds(cargo(&["run"], ""));
}
