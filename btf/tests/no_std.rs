//! The crate works where there is no std: it compiles with a compiler that has none.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a command prints on its standard output.
fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The libraries that come with the compiler, without std, in a directory as the compiler wants it.
fn libraries(host: &str) -> PathBuf {
    let all = stdout(Command::new("rustc").args(["--print", "target-libdir"]));
    let sysroot = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_std");
    let some = sysroot.join("lib/rustlib").join(host).join("lib");
    // Another compiler may have left its own.
    let _ = fs::remove_dir_all(&some);
    fs::create_dir_all(&some).unwrap();
    for library in fs::read_dir(all.trim()).unwrap() {
        let library = library.unwrap();
        let name = library.file_name().into_string().unwrap();
        if ["libcore-", "liballoc-", "libcompiler_builtins-"].iter().any(|wanted| name.starts_with(wanted)) {
            symlink(library.path(), some.join(name)).unwrap();
        }
    }
    sysroot
}

#[test]
fn it_compiles_where_there_is_no_std() {
    let version = stdout(Command::new("rustc").arg("-vV"));
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let sysroot = libraries(host);
    let build = |package: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        // With a target, the flags are not for what runs while it is built: macros of its dependencies.
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args([
            "check",
            "--quiet",
            "--offline",
            "--lib",
            "--no-default-features",
        ]);
        // Beside this build's own, where these macros are built already.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        cargo.args(["--package", package, "--target", host, "--target-dir"]).arg(target);
        cargo.env("RUSTFLAGS", format!("--sysroot={}", sysroot.display())).output().unwrap()
    };
    let output = build("kwalk-btf");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // And what needs std does not.
    let output = build("kwalk");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("can't find crate for `std`"), "{said}");
}
