//! What an object takes where there are more of them, in time and in memory: if it is the same, walks and the command are
//! as good for a large machine as for a small one.

use std::fs::read_to_string;
use std::path::Path;
use std::process::{Command, Stdio};

use kwalk::btf::Btf;
use kwalk::progs::Kernel;
use kwalk::sys::MapFd;
use kwalk::{Error, KernelBtf, Scope, kernel};
use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::{pipe, read, write};

use crate::Table;
use crate::cold::{command, race};
use crate::population::{self, Kind, Population};
use crate::programs::{self, Attached};
use crate::race::{Course, Row, Unit, alone};
use crate::tools::tool;

/// So many tasks; the first is what the others are compared with.
const SIZES: [usize; 3] = [100, 5_000, 50_000];

const ELEMENTS: u32 = 1_000_000;

const FORMATS: [&str; 3] = ["ndjson", "csv", "raw"];

pub(crate) fn races(table: &mut Table) {
    let Some(types) = table.has("growth", KernelBtf::open()) else { return };
    let btf = Btf::new(types.bytes()).expect("the kernel's types");
    let kernel = kernel(&btf);
    let built = crate::built(table);
    let kwalk = built.map(|built| &*built.kwalk);
    for (kind, what) in [(Kind::Threads, "threads"), (Kind::Processes, "processes")] {
        if let Err(why) = of_tasks(table, &kernel, kwalk, kind, what) {
            table.left_out.push(format!("growth of {what}: {why}"));
        }
    }
    if let Err(why) = of_elements(table, &kernel) {
        table.left_out.push(format!("growth of maps: {why}"));
    }
}

fn of_tasks(
    table: &mut Table,
    kernel: &Kernel<'_>,
    kwalk: Option<&Path>,
    kind: Kind,
    what: &str,
) -> Result<(), String> {
    let failed = |error: Error| error.to_string();
    let rows = Attached::rows(kernel, &programs::tasks(), &Scope::All, None).map_err(failed)?;
    let mut first: Option<(f64, Vec<i64>)> = None;
    for size in SIZES {
        let missing = size.saturating_sub(programs::tasks_there(kernel).map_err(failed)?);
        let _population = Population::new(kind, missing)?;
        let each = alone(|| rows.walk()).as_secs_f64() * 1e6 / rows.walk().rows as f64;
        // The same program prints both.
        let peaks = match kwalk {
            Some(kwalk) if kind == Kind::Threads => {
                FORMATS.iter().map(|format| peak(kwalk, format)).collect()
            }
            _ => Vec::new(),
        };
        let Some((few, least)) = &first else {
            first = Some((each, peaks));
            continue;
        };
        table.add(Row::less(&format!("a row of {size} {what}"), "µs", each, *few, "of 100"));
        if size != SIZES[SIZES.len() - 1] {
            continue;
        }
        for ((format, many), few) in FORMATS.iter().zip(peaks).zip(least) {
            let what = format!("`kwalk task -o {format}`, memory for {size} {what}");
            table.add(Row::less(&what, "kB", many as f64, *few as f64, "for 100"));
        }
        if let (Some(kwalk), Kind::Threads) = (kwalk, kind) {
            printing(table, kwalk, size);
        }
    }
    Ok(())
}

/// Rows in a second, of whole commands.
fn printing(table: &mut Table, kwalk: &Path, size: usize) {
    let args = |format| ["task", "-f", "tgid,pid,comm", "-o", format];
    let Some(ps) = table.has("ps", tool("ps")) else { return };
    for format in FORMATS {
        let what = format!("{size} threads: `kwalk task -f tgid,pid,comm -o {format}`");
        let course = Course::new(what, Unit::Rate("rows", size), "ps");
        race(table, course, command(kwalk, &args(format)), command(&ps, &["-eLo", "tgid,pid,comm"]));
    }
}

fn of_elements(table: &mut Table, kernel: &Kernel<'_>) -> Result<(), String> {
    let failed = |error: Error| error.to_string();
    let each = |map: &MapFd| -> Result<f64, String> {
        let told = Scope::Map(map);
        let rows = Attached::rows(kernel, &programs::elements(), &told, Some(map)).map_err(failed)?;
        Ok(alone(|| rows.walk()).as_secs_f64() * 1e6 / rows.walk().rows as f64)
    };
    let few = each(&population::elements(1_000)?)?;
    let many = each(&population::elements(ELEMENTS)?)?;
    table.add(Row::less(&format!("a row of {ELEMENTS} elements of a map"), "µs", many, few, "of 1,000"));
    Ok(())
}

/// The most memory that the command has while it prints tasks, in kB. It has a pipe that holds a page, and that is full
/// from the beginning: so it is looked at when it sleeps for want of room, and has its end still to write at the last time.
fn peak(kwalk: &Path, format: &str) -> i64 {
    const PAGE: usize = 4096;
    let (reader, writer) = pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(PAGE as i32)).expect("a small pipe");
    write(&writer, &[0; PAGE]).expect("it takes a page");
    let mut command = Command::new(kwalk);
    command.args(["task", "-o", format]).stdin(Stdio::null()).stdout(writer);
    let mut child = command.spawn().expect("it starts");
    // It has the other end as well.
    drop(command);
    let path = format!("/proc/{}/status", child.id());
    let (mut most, mut buffer) = (0, [0; PAGE]);
    loop {
        let status = read_to_string(&path).expect("it is not waited for yet");
        let line = |name| status.lines().find_map(|line| line.strip_prefix(name));
        if line("State:").is_some_and(|state| !state.trim().starts_with(['S', 'Z'])) {
            continue;
        }
        let peak = line("VmHWM:").and_then(|peak| peak.strip_suffix("kB")?.trim().parse().ok());
        most = peak.unwrap_or(0).max(most);
        if read(&reader, &mut buffer).expect("a pipe can be read") == 0 {
            break;
        }
    }
    assert!(child.wait().expect("it ends").success());
    most
}
