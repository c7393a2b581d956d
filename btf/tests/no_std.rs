//! The crate works where there is no std: a program without it builds and runs.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// A workspace of its own, outside the source tree: in a workspace, the profile would be that of the tests, and std's
/// way to panic.
const MANIFEST: &str = r#"
[package]
name = "no-std-btf"
version = "0.0.0"
edition = "2024"

[[bin]]
name = "no-std-btf"
path = "program.rs"

[dependencies]
kwalk-btf = { path = "@" }

[profile.dev]
panic = "abort"

[workspace]
"#;

#[test]
fn a_program_without_std_reads_and_writes_types() {
    let btf = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_std_btf");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("Cargo.toml"), MANIFEST.replace('@', btf.to_str().unwrap())).unwrap();
    fs::write(dir.join("program.rs"), include_str!("no_std/program.rs")).unwrap();
    // The same versions as everywhere, which are here already.
    if let Ok(lock) = fs::read(btf.join("../Cargo.lock")) {
        fs::write(dir.join("Cargo.lock"), lock).unwrap();
    }

    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(&dir).args(["build", "--quiet", "--offline", "--target-dir", "target"]);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let status = Command::new(dir.join("target/debug/no-std-btf")).status().unwrap();
    assert!(status.success(), "{status}");
}
