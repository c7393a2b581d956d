//! What is missing or wrong is said in one message, with what to do about it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A machine with these programs alone, each a shell script, and with nothing built or fetched yet.
struct Machine {
    bin: TempDir,
    target: TempDir,
}

impl Machine {
    fn with(programs: &[(&str, &str)]) -> Machine {
        let machine = Machine { bin: TempDir::new().unwrap(), target: TempDir::new().unwrap() };
        for (name, script) in programs {
            let path = machine.bin.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        machine
    }

    /// Puts an image into the cache, with what is said of it.
    fn cached(&self, image: &[u8], about: &str) -> std::path::PathBuf {
        let dir = self.target.path().join("vm/kernels").join(std::env::consts::ARCH).join("6.1");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("vmlinuz"), image).unwrap();
        fs::write(dir.join("about"), about).unwrap();
        dir
    }

    /// What it says on stderr of a command that fails, and its status.
    #[track_caller]
    fn fails(&self, args: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vm"));
        command.args(args).env("PATH", self.bin.path()).env("CARGO_TARGET_DIR", self.target.path());
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

const QEMU: (&str, &str) = ("qemu-system-x86_64", "exit 0");

#[test]
fn an_unknown_kernel() {
    for args in [&["run", "6.13", "targets"][..], &["test", "6.13"], &["btf", "6.13"]] {
        let (status, said) = Machine::with(&[QEMU]).fails(args);
        let expected = "vm: kernel 6.13: no such kernel is known\n\
            hint: known are 5.10, 6.1, 6.12, 6.x, 7.x; any other: --kernel VMLINUZ\n";
        assert_eq!((status, &*said), (2, expected));
    }
}

#[test]
fn wrong_usage() {
    let machine = Machine::with(&[QEMU]);
    for args in [&[][..], &["frobnicate"], &["run"], &["test", "--kernel"], &["test", "6.1", "--kernel", "x"]]
    {
        assert_eq!(machine.fails(args).0, 2, "{args:?}");
    }
}

#[test]
fn no_qemu() {
    let own = ["run", "--kernel", "/dev/null", "targets"];
    for args in [&["run", "6.1", "targets"][..], &["test"], &["btf"], &own] {
        let (status, said) = Machine::with(&[]).fails(args);
        let expected = "vm: qemu-system-x86_64: there is no such program here\n\
            hint: install it, such as with: apt-get install qemu-system-x86\n";
        assert_eq!((status, &*said), (1, expected));
    }
}

#[test]
fn an_unknown_architecture() {
    let (status, said) = Machine::with(&[QEMU]).fails(&["test", "--arch", "vax"]);
    let expected =
        "vm: architecture vax: there are no guests of this name\nhint: known are amd64, arm64, s390x\n";
    assert_eq!((status, &*said), (2, expected));
}

#[test]
fn what_another_architecture_takes() {
    const GUESTS: (&str, &str) = ("qemu-system-s390x", "exit 0");
    const LINKER: (&str, &str) = ("s390x-linux-gnu-gcc", "exit 0");
    const RUSTC: (&str, &str) = ("rustc", "echo /no/such/dir");
    for (programs, message, hint) in [
        (
            &[QEMU][..],
            "qemu-system-s390x: there is no such program here",
            "install it, such as with: apt-get install qemu-system-misc",
        ),
        (
            &[GUESTS],
            "s390x-linux-gnu-gcc: there is no such program here",
            "install it, such as with: apt-get install gcc-s390x-linux-gnu libc6-dev-s390x-cross",
        ),
        (
            &[GUESTS, LINKER, RUSTC],
            "rustc: Rust's library for s390x-unknown-linux-gnu is not installed",
            "install it with: rustup target add s390x-unknown-linux-gnu",
        ),
    ] {
        for args in [&["run", "--arch", "s390x", "7.x", "targets"][..], &["test", "--arch", "s390x"]] {
            let (status, said) = Machine::with(programs).fails(args);
            assert_eq!((status, said), (1, format!("vm: {message}\nhint: {hint}\n")));
        }
    }
}

#[test]
fn no_apt() {
    let (status, said) = Machine::with(&[QEMU]).fails(&["run", "6.1", "targets"]);
    let expected = "vm: apt-get: there is no such program here\n\
        hint: kernels come as Debian's packages, through apt; without it, give an image of your own: --kernel VMLINUZ\n";
    assert_eq!((status, &*said), (1, expected));
}

#[test]
fn no_mirror() {
    let other = ("apt-get", "echo https://packages.example.org/linux/debian stable");
    let (status, said) = Machine::with(&[QEMU, other]).fails(&["run", "6.1", "targets"]);
    assert!(said.starts_with("vm: apt: it is told of no mirror of Debian's archive\nhint: "), "{said}");
    assert_eq!(status, 1);
}

#[test]
fn what_apt_refuses() {
    let apt = |why| {
        format!(
            "case $* in indextargets*) echo http://example.org/debian/ main;; *) echo '{why}' >&2; exit 100;; esac"
        )
    };
    for (why, message, hint) in [
        ("E: The repository is not signed.", "The repository is not signed.", ""),
        (
            "E: Write error - write (28: No space left on device)",
            "Write error - write (28: No space left on device)",
            "CARGO_TARGET_DIR",
        ),
    ] {
        let (status, said) = Machine::with(&[QEMU, ("apt-get", &apt(why))]).fails(&["run", "6.1", "targets"]);
        let mut lines = said.lines();
        assert_eq!((status, lines.next()), (1, Some(&*format!("vm: apt-get: {message}"))));
        let hinted = lines.next().unwrap_or_default();
        assert_eq!(hinted.starts_with("hint: ") && hinted.contains(hint), !hint.is_empty(), "{said}");
    }
}

/// A mirror may list packages that it has not got: the next older one is then asked for.
#[test]
fn packages_that_are_listed_alone() {
    let get = "case $* in indextargets*) echo http://example.org/debian/ main;;
        *download*) echo 'E: Failed to fetch it  404  Not Found' >&2; exit 100;; esac";
    let cache = "case $* in *pkgnames*image*) echo linux-image-6.1.0-9-cloud-amd64; echo linux-image-6.1.0-50-cloud-amd64;;
        *show*) echo Version: 6.1.1-1;; esac";
    let (status, said) =
        Machine::with(&[QEMU, ("apt-get", get), ("apt-cache", cache)]).fails(&["run", "6.1", "targets"]);
    let expected = "vm: fetching linux-image-6.1.0-50-cloud-amd64 6.1.1-1\n\
        vm: kernel 6.1: apt-get: Failed to fetch it  404  Not Found\n\
        vm: fetching linux-image-6.1.0-9-cloud-amd64 6.1.1-1\n\
        vm: kernel 6.1: apt-get: Failed to fetch it  404  Not Found\n\
        vm: apt-get: Failed to fetch it  404  Not Found\n";
    assert_eq!((status, &*said), (1, expected));
}

#[test]
fn a_truncated_cache() {
    // The hash is that of an empty file.
    let about = "a-package\n6.1.1-1\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
    for (image, about) in [(&b"some bytes"[..], about), (b"", ""), (b"", "a-package\n6.1.1-1\n")] {
        let machine = Machine::with(&[QEMU]);
        let dir = machine.cached(image, about);
        let (status, said) = machine.fails(&["run", "6.1", "targets"]);
        let expected = format!(
            "vm: kernel 6.1: {0}/vmlinuz is not what was put there\n\
            hint: remove it, and it is fetched again: rm -r {0}\n",
            dir.display()
        );
        assert_eq!((status, said), (1, expected));
    }
}

#[test]
fn no_image() {
    let missing = Path::new("/no/such/vmlinuz");
    for args in
        [&["run", "--kernel", "/no/such/vmlinuz", "targets"][..], &["test", "--kernel", "/no/such/vmlinuz"]]
    {
        let (status, said) = Machine::with(&[QEMU]).fails(args);
        assert_eq!(said, format!("vm: {}: No such file or directory (os error 2)\n", missing.display()));
        assert_eq!(status, 1);
    }
}
