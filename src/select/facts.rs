//! Gathers the facts about the running kernel that only plans of questions depend on.

use std::fs::metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use kwalk_progs::Kernel;
use nix::time::{ClockId, clock_gettime};

use crate::error::Error;
use crate::facts::{has_initial_pids, is_in_namespace, read};

/// Adds them to what is known of the kernel.
pub(crate) fn gather(kernel: &mut Kernel<'_>) {
    kernel.possible_cpus = possible_cpus().ok().and_then(|(count, end)| (count == end).then_some(count));
    kernel.booted = booted();
    kernel.has_initial_pids = has_initial_pids();
    // PROC_CGROUP_INIT_INO (include/linux/proc_ns.h)
    kernel.has_initial_cgroups = is_in_namespace("cgroup", 0xEFFF_FFFB);
}

/// The number of CPUs that the kernel keeps values for, and the number behind the last of them; the two are equal unless
/// their numbers have gaps.
pub(crate) fn possible_cpus() -> Result<(u32, u32), Error> {
    const PATH: &str = "/sys/devices/system/cpu/possible";
    let mut buf = [0; 256];
    let list = read(PATH, &mut buf).map_err(|source| Error::open(PATH.as_ref(), source))?;
    cpus(list).ok_or_else(|| Error::open(PATH.as_ref(), ErrorKind::InvalidData.into()))
}

/// How many numbers a list such as `0-3,8` has, and the number behind the last.
fn cpus(list: &str) -> Option<(u32, u32)> {
    let (mut count, mut end) = (0_u32, 0);
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first: u32 = first.parse().ok()?;
        end = last.parse::<u32>().ok()?.checked_add(1)?;
        count = count.checked_add(end.checked_sub(first).filter(|count| *count > 0)?)?;
    }
    Some((count, end))
}

/// The time of day at which `CLOCK_BOOTTIME` was 0, in nanoseconds since 1970-01-01 UTC. It changes only when somebody
/// sets the clock: NTP adjusts both clocks alike.
fn booted() -> Option<i64> {
    let now = |clock| {
        let now = clock_gettime(clock).ok()?;
        now.tv_sec().checked_mul(1_000_000_000)?.checked_add(now.tv_nsec())
    };
    // Between two readings time passes. The coarse clocks stand still until the next tick, so that their difference is
    // exact; and the other two differ only by the time that the machine was suspended.
    let slept = || {
        let (monotonic, boot) = (now(ClockId::CLOCK_MONOTONIC)?, now(ClockId::CLOCK_BOOTTIME)?);
        Some(boot - monotonic)
    };
    let slept = (0..4).filter_map(|_| slept()).min()?;
    let slept = if (0..SUSPENDED_MIN).contains(&slept) { 0 } else { slept };
    let booted = (0..8).find_map(|_| {
        let monotonic = now(ClockId::CLOCK_MONOTONIC_COARSE)?;
        let real = now(ClockId::CLOCK_REALTIME_COARSE)?;
        (now(ClockId::CLOCK_MONOTONIC_COARSE)? == monotonic).then(|| real - monotonic - slept)
    });
    Some(booted? + time_namespace())
}

/// What this process's time namespace adds to `CLOCK_BOOTTIME`, in nanoseconds: objects of the kernel have the times of the
/// first namespace.
fn time_namespace() -> i64 {
    // PROC_TIME_INIT_INO (include/linux/proc_ns.h)
    if metadata("/proc/self/ns/time").is_ok_and(|file| file.ino() != 0xEFFF_FFFA) {
        let offsets = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
        let mut numbers = offsets
            .lines()
            .find_map(|line| line.strip_prefix("boottime"))
            .unwrap_or_default()
            .split_whitespace()
            .map(str::parse::<i64>);
        if let (Some(Ok(seconds)), Some(Ok(nanos))) = (numbers.next(), numbers.next()) {
            return seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        }
    }
    0
}

/// The shortest time for which a machine can have been suspended, in nanoseconds; more than two readings of a clock
/// take.
const SUSPENDED_MIN: i64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_counted() {
        let counted = ["0", "0-1", "0-3,8", "0,2-4,9", "1-2"].map(cpus);
        assert_eq!(counted, [(1, 1), (2, 2), (5, 9), (5, 10), (2, 3)].map(Some));
        assert_eq!(["", "3-0", "0-", "0-4294967295"].map(cpus), [None; 4]);
    }

    #[test]
    fn the_time_of_boot_is_that_of_proc() {
        let stat = std::fs::read_to_string("/proc/stat").unwrap();
        let btime: i64 = stat.lines().find_map(|line| line.strip_prefix("btime ")).unwrap().parse().unwrap();
        let booted = booted().unwrap();
        assert!((booted / 1_000_000_000 - btime).abs() <= 1, "{booted} {btime}");
        // Read twice, it is the same.
        assert_eq!(super::booted(), Some(booted));
    }
}
