//! Hints: what the user can do about an error of the library.

use kwalk::asm::HelperId;
use kwalk::progs::{self, Parameters, kfunc};
use kwalk::select::{self, Bound, FUNCTIONS, Kind, Reason, Syntax};
use kwalk::sys::{self, Caps, ENOTSUPP};
use kwalk::{Error, Fault, MapError, PinError, ProcessError, Rejection, text};

/// How to enable calls of kfuncs.
const NO_JIT: &str = "as root: sysctl net.core.bpf_jit_enable=1, if the kernel was built with a JIT";

/// The hint for an error, if there is one.
pub(crate) fn hint(error: &Error) -> Option<String> {
    let hint = match error {
        Error::Sys(error) => return call(error),
        Error::Program(error) => return program(error),
        Error::Select(error) => return selection(error),
        Error::Rejected(rejection) => return rejected(rejection),
        Error::NoKfunc { name } => return Some(function(name)),
        Error::Scope { target, takes } => {
            return Some(match options(*takes) {
                "" => format!("{target} is always walked as a whole"),
                options => format!("give it {options}"),
            });
        }
        Error::NoParameters { target, since: (major, minor), .. } => {
            let before = match target.as_str() {
                "cgroup" => "walk them all, and pick them by their level",
                _ => "`kwalk cat` filters in the program, outside of pid namespaces",
            };
            return Some(format!("Linux {major}.{minor} is the first that can; before, {before}"));
        }
        Error::Map { reason: MapError::None { near }, .. } if !near.is_empty() => return did_you_mean(near),
        Error::Map { reason: MapError::Several { ids }, .. } => {
            let ids: Vec<_> = ids.iter().map(|id| format!("id:{id}")).collect();
            return Some(format!("name it by its id: {}", ids.join(", ")));
        }
        Error::Map { .. } => "a map is named as id:N, name:NAME or the path where it is pinned",
        Error::MapType { .. } => {
            "bpf_map_elem walks hashes and arrays, sockmap walks sockmaps and sockhashes, bpf_sk_storage_map walks \
             sk_storages"
        }
        Error::Sleepable { .. } => {
            "programs that read the memory of processes sleep; task, task_file, task_vma, ksym, cgroup, kmem_cache and \
             dmabuf take such programs"
        }
        Error::NotA { needs: "a cgroup", .. } => {
            "`grep cgroup /proc/self/mounts` shows where cgroups are mounted"
        }
        Error::NotA { path, needs } if path.as_os_str() == "/proc" && needs.contains("first") => {
            "in another pid namespace processes have other numbers than the kernel's: read arguments outside of it"
        }
        Error::NotA { path, .. } if path.as_os_str() == "/proc" => {
            "the arguments of processes are read from there: mount -t proc proc /proc"
        }
        Error::Process { number, reason: ProcessError::Thread } => {
            return Some(format!("for this thread alone, use --tid {number}"));
        }
        Error::Pin { reason: PinError::NotBpffs, .. } => {
            "choose a path below a bpffs, such as /sys/fs/bpf; if none is mounted: mount -t bpf bpf /sys/fs/bpf"
        }
        Error::Pin { path, reason: PinError::Exists } if path.is_dir() => {
            "choose another path, or remove it with rm -r (`kwalk preload` leaves a directory of mode 000 if it is \
             killed); for what it has pinned, there is `kwalk preload --replace`"
        }
        Error::Pin { reason: PinError::Exists, .. } => {
            "choose another path, remove what is there, or use --replace to give that link the new program"
        }
        Error::Pin { reason: PinError::Dot, .. } => {
            "bpffs reserves names with a dot for the kernel, and for `kwalk preload`; choose a name without one"
        }
        Error::Pin { reason: PinError::Directory, .. } => "to remove a directory of pins: rm -r",
        Error::Open { path, source }
            if source.raw_os_error() == Some(libc::EACCES) && path.starts_with("/proc") =>
        {
            "to inspect a process of another user requires CAP_SYS_PTRACE, and every capability that the process has"
        }
        Error::Open { source, .. } if source.raw_os_error() == Some(libc::EACCES) => {
            "only root can read a pin until its mode is changed; the directories above it must be accessible, too"
        }
        Error::Hidden { .. } => "it takes CAP_PERFMON, and kernel.kptr_restrict to be 0, or 1 and CAP_SYSLOG",
        Error::Read { source, .. } if source.raw_os_error() == Some(libc::E2BIG) => {
            "one object's output is larger than the kernel's buffer of 8 pages"
        }
        Error::Read { source, .. } if source.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            "a walk of cgroups can't go on beyond the kernel's buffer of 8 pages: show less of them, or fewer"
        }
        _ => return None,
    };
    Some(hint.into())
}

/// Why a condition could not be decided.
pub(crate) fn bound(bound: Bound) -> &'static str {
    match bound {
        Bound::Path => {
            "a path has more than 4,095 bytes, or more levels than a program can follow on this kernel"
        }
        Bound::Arguments => {
            "a process has more than 4,097 bytes of arguments, of which argv() has the first; cmdline has them all"
        }
        Bound::Search => {
            "a text has more than 2,000 bytes, of which a program can search no more on this kernel"
        }
        Bound::Beginning => "a text has 255 bytes or more, of which a program looks at the first",
        _ => "a text is longer than a program can look at",
    }
}

/// The options of the command line for a target's parameters.
pub(crate) fn options(parameters: Parameters) -> &'static str {
    match parameters {
        Parameters::None => "",
        Parameters::Task => "[--pid N | --tid N]",
        Parameters::Map => "--map WHAT",
        Parameters::Cgroup => "[--cgroup PATH] [--order self|pre|post|up|children]",
        Parameters::Net => "[--netns PATH|PID|all]",
    }
}

fn did_you_mean(near: &[String]) -> Option<String> {
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(", ")))
}

/// The hint for a kfunc that the kernel lacks.
fn function(name: &str) -> String {
    let since = kfunc::since(name)
        .map(|(major, minor)| format!("Linux {major}.{minor} is the first that may have it; else "));
    let since = since.unwrap_or_default();
    format!(
        "{since}it may be that of a module which is not loaded, or of an option that the kernel was built without"
    )
}

fn program(error: &progs::Error) -> Option<String> {
    use progs::Error::{Comm, NoJit, NoProgram, NoTarget};
    match error {
        NoProgram { near, .. } | NoTarget { near, .. } if !near.is_empty() => did_you_mean(near),
        NoProgram { .. } => {
            let names: Vec<_> = text::PROGRAMS.iter().map(|program| program.name).collect();
            Some(format!("the programs are {}; the path of a pinned one has a slash", names.join(", ")))
        }
        NoJit { .. } => Some(NO_JIT.into()),
        NoTarget { .. } => Some("`kwalk targets` lists what this kernel can walk".into()),
        Comm { .. } => Some("a command name has 1 to 15 bytes, as /proc/PID/comm shows it".into()),
        _ => None,
    }
}

fn selection(error: &select::Error) -> Option<String> {
    let hint = match &*error.reason {
        Reason::Function { near, .. } if near.is_empty() => {
            let names: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
            return Some(format!("the functions are {}", names.join(", ")));
        }
        Reason::Name { near, .. } | Reason::Function { near, .. } | Reason::Literal { near, .. } => {
            return did_you_mean(near);
        }
        Reason::Syntax(Syntax::Number(text))
            if !text.starts_with("0x") && text.ends_with(char::is_alphabetic) =>
        {
            return Some(format!("sizes and durations are written in quotes: '{text}'"));
        }
        Reason::TooComplex => "select more than you need, and filter what comes out",
        Reason::Kind { is: Kind::Text, needs: "a number", what }
            if what.trim_matches('\'').starts_with(|first: char| first.is_ascii_digit()) =>
        {
            "numbers are written without quotes"
        }
        Reason::Kind { is: Kind::Pointer, what, needs: "a condition" } => {
            return Some(format!("for \"is there one\", write {what} IS NOT NULL"));
        }
        Reason::Kind { is: Kind::Pointer, what, needs: "a number" | "a text" } => {
            return Some(format!("name a field behind it, {what}.FIELD; or test {what} IS NULL"));
        }
        Reason::Kind { is: Kind::Struct, what, .. } => {
            return Some(format!("name one of its fields: {what}.FIELD"));
        }
        Reason::Kind { is: Kind::Array, what, .. } => {
            return Some(format!("name one of its elements: {what}[0]"));
        }
        Reason::Unsupported(what) if what.starts_with("a comparison of two") => {
            "select both, and compare what comes out"
        }
        Reason::Unsupported(what) if what.starts_with("argv()") => {
            "take cmdline(), which is read from /proc, or take it from the target task"
        }
        Reason::Unsupported(what) if what.ends_with("read from /proc") => {
            "select it, and compute with what comes out"
        }
        Reason::NoJit { .. } => NO_JIT,
        Reason::Since { what: "tgid" | "pid" | "ppid", .. } => {
            "it can't tell the numbers of this pid namespace; task.tgid and task.pid are those of the initial one"
        }
        Reason::Null => "write IS NULL or IS NOT NULL",
        Reason::NullPointer { what } => return Some(format!("write {what} IS NULL or IS NOT NULL")),
        Reason::TextLength { max: 15, .. } => {
            "the kernel cuts such names to 15 bytes: compare with the beginning, as in LIKE 'systemd-journa%'"
        }
        Reason::Kind { is: Kind::List, what, .. } => {
            let member = what.strip_prefix("value").unwrap_or_default();
            return Some(format!("name one CPU's: value[0]{member}"));
        }
        Reason::PerCpu { .. } => "show a number right behind the pointer, such as percpu_counter.counters[0]",
        Reason::Percent => "combine two patterns: x LIKE 'a%' AND x LIKE '%b'",
        Reason::SameName(_) => "give one another name: EXPR AS NAME",
        Reason::NoDefaults(_) => "name the fields to show",
        _ => return None,
    };
    Some(hint.into())
}

fn rejected(rejection: &Rejection) -> Option<String> {
    let selected = rejection.fragment.is_some();
    let hint = match rejection.fault() {
        _ if selected && rejection.is_too_large() => {
            "a shorter condition, or fewer columns: select more than you need, and filter what comes out"
        }
        Some(Fault::Helper(id)) => return Some(helper(id)),
        // The hints of `fault` are for authors of programs, not for users of selections.
        Some(Fault::NoJit) => NO_JIT,
        _ if selected => {
            "leave it out: that it is rejected is a defect of kwalk, or a limit of this kernel that kwalk does not know"
        }
        fault => self::fault(fault?)?,
    };
    Some(hint.into())
}

fn helper(id: HelperId) -> String {
    match id.known() {
        Some(known) => {
            let (name, (major, minor)) = (known.name(), known.since());
            format!("{name} was added in Linux {major}.{minor}, and not for every type of program")
        }
        None => format!("no kernel has a helper of number {}", id.0),
    }
}

/// The hint for the author of a program.
fn fault(fault: Fault) -> Option<&'static str> {
    Some(match fault {
        Fault::MaybeNull => "it may be NULL here: jump away if it is, before it is used",
        Fault::NoAddress => {
            "this is a number to the verifier, not an address: it was never a pointer, or lost its type in arithmetic"
        }
        Fault::UnwrittenRegister => {
            "nothing was written to this register on some path to here; calls clobber r1 to r5"
        }
        Fault::UnwrittenStack => "the stack is read where nothing was written",
        Fault::ReadOnly => "memory of the kernel is read-only to this program",
        Fault::Context => "an argument of the context is loaded with all its 8 bytes, at its own offset",
        Fault::ReturnValue => "an iterator returns 0 to go on, or 1 to be called again for the object",
        Fault::BeyondStruct => {
            "to the verifier, a pointer points to one object, not to an array: bpf_probe_read_kernel can read further"
        }
        Fault::KernelFunction => "programs of this type may not call it",
        Fault::NoJit => NO_JIT,
        Fault::Untrusted => {
            "this pointer was reached through another: only arguments of the walk are trusted"
        }
        Fault::Unreleased => "what was acquired has to be released on every path to the exit",
        Fault::Endless => "a loop needs a bound that the verifier can see",
        Fault::Loop => "this kernel allows no loops, or not without CAP_BPF",
        Fault::TooLarge => "fewer instructions or fewer paths: the verifier follows 1,000,000 at most",
        Fault::TooComplex => "fewer branches one after another: the verifier remembers 8,192",
        _ => return None,
    })
}

fn call(error: &sys::Error) -> Option<String> {
    match error.since() {
        Some((major, minor)) => {
            Some(format!("this kernel has no {}: it was added in Linux {major}.{minor}", error.call()))
        }
        None => errno(error.call(), error.errno()),
    }
}

/// The hint for an error number of a system call.
fn errno(call: &str, errno: i32) -> Option<String> {
    let by_id = ["_GET_NEXT_ID", "_GET_FD_BY_ID"].iter().any(|end| call.ends_with(end));
    let hint = match (call, errno) {
        ("BPF_PROG_LOAD", libc::EPERM) => return Some(need(Caps::BPF | Caps::PERFMON)),
        ("BPF_PROG_LOAD", libc::EACCES) => "the verifier rejected the program; its log says where and why",
        ("BPF_PROG_LOAD", libc::E2BIG) => {
            "the program has more instructions, or more paths, than the verifier goes through"
        }
        ("BPF_PROG_LOAD", libc::ENOSPC) => "the verifier's log needs a larger buffer",
        ("BPF_PROG_LOAD", ENOTSUPP) => "this kernel or machine can't run this kind of program",
        ("BPF_LINK_CREATE", libc::EBADF) => "this target walks the elements of a map: name the map",
        ("BPF_LINK_CREATE", libc::E2BIG) => {
            "this kernel is too old for this parameter: links accept maps since Linux 5.9, tasks and cgroups since 6.1"
        }
        ("BPF_LINK_UPDATE", libc::EINVAL) => "a link's programs must all be iterators of the same target",
        ("BPF_LINK_UPDATE", libc::EPERM) => {
            "the link has another program than expected: somebody else updated it"
        }
        ("BPF_MAP_UPDATE_ELEM" | "BPF_MAP_DELETE_ELEM", libc::EPERM) => {
            "the map is frozen, or was opened read-only"
        }
        ("BPF_MAP_UPDATE_ELEM" | "BPF_MAP_DELETE_ELEM", libc::E2BIG) => {
            "the map is full, or the index too large"
        }
        ("BPF_OBJ_PIN", libc::EPERM) => {
            "objects are pinned in a bpffs (mount -t bpf bpf /sys/fs/bpf), and under names without a dot"
        }
        ("BPF_OBJ_PIN", libc::EEXIST) => "something has that name already: remove it, or choose another",
        ("BPF_OBJ_PIN", libc::ENOENT) => "the directory must exist",
        ("BPF_OBJ_GET", libc::EACCES) => {
            "it is no pinned program, map or link, or this user may not read and write it"
        }
        ("setns", libc::EPERM) => return Some(need(Caps::SYS_ADMIN)),
        (_, libc::EPERM) if by_id => return Some(need(Caps::SYS_ADMIN)),
        ("open", libc::ENOENT) => {
            "the kernel needs CONFIG_DEBUG_INFO_BTF (since Linux 5.4), and /sys must be mounted"
        }
        (_, libc::EPERM) => return Some(need(Caps::BPF)),
        (_, libc::E2BIG) => "this kernel is too old for one of the parameters",
        (_, libc::ENOSYS) => "the kernel has no bpf(2) (CONFIG_BPF_SYSCALL), or a seccomp filter hides it",
        (_, libc::EMFILE) => "this process has too many open files (ulimit -n)",
        (_, libc::ENFILE) => "the system has too many open files (sysctl fs.file-max)",
        (_, libc::ENOMEM) => "the kernel is out of memory, or a cgroup's limit is reached",
        _ => return None,
    };
    Some(hint.into())
}

/// Names the missing capabilities; or, if none is missing, other causes of a denied permission.
fn need(caps: Caps) -> String {
    lacking(caps, |caps| Caps::effective().map_or(caps, |effective| caps.missing_from(effective)))
}

fn lacking(caps: Caps, missing: impl Fn(Caps) -> Caps) -> String {
    if missing(caps).is_empty() {
        return "the capabilities are there: a locked-memory limit (ulimit -l; kernels before 5.11), a user namespace, \
                seccomp, lockdown or another security module denies it"
            .into();
    }
    // A process that lacks the capability for the program's maps also needs the one for the program.
    let load = Caps::BPF | Caps::PERFMON;
    let missing = missing(if caps.intersects(load) { load } else { caps });
    let instead = if missing.contains(Caps::SYS_ADMIN) { "" } else { ", or CAP_SYS_ADMIN" };
    format!("{missing} missing{instead}: run it as root, outside of containers and user namespaces")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_s_own_words_come_before_the_general_ones() {
        let hint = |call, number| errno(call, number).unwrap_or_default();
        assert!(hint("BPF_PROG_LOAD", libc::E2BIG).contains("verifier"));
        assert!(hint("BPF_LINK_CREATE", libc::E2BIG).contains("too old"));
        assert!(hint("BPF_LINK_CREATE", libc::EBADF).contains("name the map"));
        assert!(hint("BPF_LINK_UPDATE", libc::EPERM).contains("another program"));
        assert!(hint("BPF_LINK_UPDATE", libc::EINVAL).contains("same target"));
        assert!(hint("BPF_MAP_UPDATE_ELEM", libc::E2BIG).contains("full"));
        assert!(hint("BPF_OBJ_PIN", libc::EPERM).contains("bpffs"));
        assert!(hint("open", libc::ENOENT).contains("CONFIG_DEBUG_INFO_BTF"));
        assert!(hint("BPF_MAP_CREATE", libc::EMFILE).contains("ulimit -n"));
        assert!(hint("BPF_MAP_CREATE", libc::E2BIG).contains("parameters"));
        assert_eq!(errno("BPF_PROG_LOAD", libc::EINTR), None);
    }

    #[test]
    fn missing_capabilities_are_named() {
        let load = Caps::BPF | Caps::PERFMON;
        let with = |needed: Caps, has: Caps| lacking(needed, |needed| needed.missing_from(has));
        let none = "CAP_PERFMON and CAP_BPF missing, or CAP_SYS_ADMIN: run it as root";
        assert!(with(load, Caps::empty()).starts_with(none));
        // Maps require the first, and the program that is loaded after them the second.
        assert!(with(Caps::BPF, Caps::empty()).starts_with(none));
        assert!(with(load, Caps::BPF).starts_with("CAP_PERFMON missing, or CAP_SYS_ADMIN: "));
        assert!(with(Caps::SYS_ADMIN, load).starts_with("CAP_SYS_ADMIN missing: run it as root"));
        for (needed, has) in [(load, Caps::SYS_ADMIN), (Caps::BPF, Caps::BPF), (load, load)] {
            assert!(with(needed, has).starts_with("the capabilities are there: "));
        }
    }

    #[test]
    fn what_a_target_takes_is_in_options() {
        let scope = |takes| hint(&Error::Scope { target: "x".into(), takes });
        assert_eq!(scope(progs::Parameters::Task).unwrap(), "give it [--pid N | --tid N]");
        assert_eq!(scope(progs::Parameters::Map).unwrap(), "give it --map WHAT");
        assert_eq!(scope(progs::Parameters::None).unwrap(), "x is always walked as a whole");
        let since = |target: &str| {
            let what = "the children of a cgroup";
            hint(&Error::NoParameters { target: target.into(), what, since: (7, 0) }).unwrap()
        };
        assert!(since("cgroup").starts_with("Linux 7.0 is the first that can; before, walk them all"));
        assert!(since("task").starts_with("Linux 7.0 is the first that can; before, `kwalk cat` "));
    }

    #[test]
    fn maps_are_named_by_what_is_known_of_them() {
        let map = |reason| hint(&Error::Map { map: "x".into(), reason }).unwrap();
        assert_eq!(map(MapError::Several { ids: vec![3, 5] }), "name it by its id: id:3, id:5");
        assert_eq!(map(MapError::None { near: vec!["name:y".into()] }), "did you mean name:y?");
        for reason in [MapError::NoId, MapError::NoName, MapError::None { near: vec![] }] {
            assert!(map(reason).contains("id:N, name:NAME"));
        }
    }

    #[test]
    fn functions_of_the_kernel_are_dated() {
        assert!(
            function("bpf_rdonly_cast")
                .starts_with("Linux 6.2 is the first that may have it; else it may be")
        );
        assert!(function("nobody_has_this").starts_with("it may be that of a module which is not loaded"));
    }

    #[test]
    fn a_rejection_has_words_for_who_writes_and_for_who_selects() {
        let rejection = |reason: &str, number| Rejection {
            program: "x",
            errno: number,
            reason: reason.into(),
            at: None,
            fragment: None,
            log: String::new(),
        };
        let words = |reason, number| rejected(&rejection(reason, number)).unwrap_or_default();
        assert!(words("R7 invalid mem access 'trusted_ptr_or_null_'", libc::EACCES).contains("NULL"));
        assert!(words("At program exit the register R0 has smin=2", libc::EINVAL).contains("0 to go on"));
        assert!(words("", libc::E2BIG).contains("1,000,000"));
        assert_eq!(
            words("", libc::EFAULT),
            words("The sequence of 8193 jumps is too complex.", libc::EFAULT)
        );
        assert_eq!(words("verifier internal error", libc::EFAULT), "");
        assert_eq!(words("unreachable insn 2", libc::EINVAL), "");
        let fragment = progs::Fragment { role: progs::Role::Condition, text: "a".into(), span: None };
        let selected = |reason, number| {
            rejected(&Rejection { fragment: Some(fragment.clone()), ..rejection(reason, number) })
        };
        assert!(selected("BPF program is too large", libc::E2BIG).unwrap().contains("shorter condition"));
        assert!(selected("R7 invalid mem access 'scalar'", libc::EACCES).unwrap().contains("defect"));
        assert_eq!(helper(HelperId(9999)), "no kernel has a helper of number 9999");
        assert!(helper(HelperId(9)).starts_with("bpf_skb_store_bytes was added in Linux 4.1"));
    }
}
