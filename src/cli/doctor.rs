//! `kwalk doctor`: what this kernel, these privileges and these mounts allow.

use std::process::ExitCode;

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use nix::sys::utsname::uname;

use crate::message::Failure;
use crate::output::print;
use crate::types::{Opened, Types};
use kwalk::btf::Btf;
use kwalk::progs::{Kernel, available};
use kwalk::sys::Caps;
use kwalk::text::{self, Options, TextProgram};
use kwalk::{Error, Loaded, Scope};

/// The result of one check.
struct Finding {
    verdict: Verdict,
    what: String,
    why: String,
    hint: Option<String>,
}

/// How good the result is.
#[derive(PartialEq)]
enum Verdict {
    Good,
    /// Some things don't work.
    Limited,
    /// No target can be walked.
    Bad,
}

impl Finding {
    fn good(what: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Good, what: what.into(), why: why.into(), hint: None }
    }

    fn limited(what: impl Into<String>, why: impl Into<String>, hint: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Limited, what: what.into(), why: why.into(), hint: Some(hint.into()) }
    }

    fn failed(verdict: Verdict, what: impl Into<String>, failure: &Failure) -> Finding {
        let (why, hint) = failure.message();
        Finding { verdict, what: what.into(), why, hint }
    }
}

/// Prints a line for each finding. The exit status is 1 if no target can be walked.
pub(crate) fn doctor(from: &Types) -> Result<ExitCode, Failure> {
    let mut findings = vec![kernel(), capabilities()];
    match from.open() {
        Ok(opened) => findings.extend(types(&opened)),
        Err(failure) => findings.push(Finding::failed(Verdict::Bad, "types", &failure)),
    }
    findings.push(bpffs());

    let mut out = String::new();
    for Finding { verdict, what, why, hint } in &findings {
        let verdict = match verdict {
            Verdict::Good => "ok",
            Verdict::Limited => "limited",
            Verdict::Bad => "failed",
        };
        out += &format!("{verdict:<8} {what}: {why}\n");
        if let Some(hint) = hint {
            out += &format!("         hint: {hint}\n");
        }
    }
    print(out.as_bytes())?;
    let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(ExitCode::from(u8::from(bad)))
}

fn kernel() -> Finding {
    match uname() {
        Ok(name) => Finding::good(
            "kernel",
            format!("{} {}", name.release().to_string_lossy(), name.machine().to_string_lossy()),
        ),
        Err(errno) => Finding::limited("kernel", errno.desc(), "uname(2) is denied here"),
    }
}

fn capabilities() -> Finding {
    let needed = Caps::BPF | Caps::PERFMON;
    match Caps::effective() {
        Ok(caps) => {
            let missing = needed.missing_from(caps);
            if missing.is_empty() {
                Finding::good("privileges", format!("{needed} are there"))
            } else {
                Finding::limited(
                    "privileges",
                    format!("{missing} missing: programs can't be loaded, pinned ones can be read"),
                    "run as root, or with these capabilities",
                )
            }
        }
        Err(error) => Finding::limited("privileges", error.to_string(), "capget(2) is denied here"),
    }
}

/// Checks what the kernel's types offer, and whether the text programs load: real programs use more of the kernel than
/// a minimal test program would.
fn types(opened: &Opened) -> Vec<Finding> {
    let listed =
        Btf::new(opened.bytes()).and_then(|btf| Ok((available(&btf)?.len(), btf.type_count()?, btf)));
    let (targets, types, btf) = match listed {
        Ok(listed) => listed,
        Err(error) => return vec![Finding::failed(Verdict::Bad, "types", &error.into())],
    };
    let bytes = opened.bytes().len();
    let kernel = kwalk::kernel(&btf);
    let mut findings =
        vec![Finding::good("types", format!("{types} in {bytes} bytes of BTF, {targets} targets to walk"))];
    if !kernel.has_jit {
        findings.push(Finding::limited(
            "jit",
            "it is off: the kernel refuses programs that call its functions",
            "as root: sysctl net.core.bpf_jit_enable=1",
        ));
    }
    let tried: Vec<_> =
        text::PROGRAMS.iter().map(|program| (program.name, try_program(program, &kernel))).collect();
    let none = tried.iter().all(|(_, tried)| tried.is_err());
    findings.extend(tried.into_iter().map(|(name, tried)| match tried {
        Ok(()) => Finding::good(format!("program {name}"), "it loads and attaches"),
        Err(error) => {
            let verdict = if none { Verdict::Bad } else { Verdict::Limited };
            Finding::failed(verdict, format!("program {name}"), &error.into())
        }
    }));
    findings
}

fn try_program(program: &TextProgram, kernel: &Kernel<'_>) -> Result<(), Error> {
    Loaded::load(&program.write(kernel, &Options::default())?)?.attach(&Scope::All)?;
    Ok(())
}

fn bpffs() -> Finding {
    const PATH: &str = "/sys/fs/bpf";
    const HINT: &str = "to pin programs: mount -t bpf bpf /sys/fs/bpf, or `kwalk preload --mount`";
    match statfs(PATH) {
        Ok(stat) if stat.filesystem_type() == BPF_FS_MAGIC => {
            Finding::good("bpffs", format!("mounted at {PATH}"))
        }
        Ok(_) => Finding::limited("bpffs", format!("none is mounted at {PATH}"), HINT),
        Err(errno) => Finding::limited("bpffs", format!("{PATH}: {}", errno.desc()), HINT),
    }
}
