//! How many tasks a machine can number.

use std::fs::{File, read_to_string};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::fcntl::{Flock, FlockArg};

const PATH: &str = "/proc/sys/kernel/pid_max";

/// That it can number so many more, for as long as this value lives.
pub(crate) struct Numbers {
    /// What sets it back, when its standard input ends: then this process, too, may have ended, however that was.
    keeper: Child,
    /// One at a time: else one would set back what the other has set. The keeper holds it, too.
    _lock: Flock<File>,
}

impl Numbers {
    /// Raises the number if need be.
    ///
    /// # Errors
    ///
    /// Why that can't be done.
    pub(crate) fn at_least(count: usize) -> Result<Option<Numbers>, String> {
        let most = || -> Option<usize> { read_to_string(PATH).ok()?.trim().parse().ok() };
        if most().is_some_and(|most| most >= count) {
            return Ok(None);
        }
        let failed = |error: &dyn std::fmt::Display| format!("{PATH} can't be raised to {count}: {error}");
        let file = File::options().write(true).open(PATH).map_err(|error| failed(&error))?;
        let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| failed(&errno))?;
        let most = most().ok_or_else(|| failed(&"it is no number"))?;
        let keeper = Command::new("sh")
            .args([
                "-c",
                r#"trap '' HUP INT QUIT TERM; read -r _; echo "$1" >"$2""#,
                "sh",
                &most.to_string(),
                PATH,
            ])
            .stdin(Stdio::piped())
            // The lock: numbers are written from a file's beginning on, which this one no longer is at.
            .stdout(lock.try_clone().map_err(|error| failed(&error))?)
            .process_group(0)
            .spawn()
            .map_err(|error| failed(&error))?;
        let numbers = Numbers { keeper, _lock: lock };
        let mut file: &File = &numbers._lock;
        file.write_all(count.to_string().as_bytes()).map_err(|error| failed(&error))?;
        Ok(Some(numbers))
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        self.keeper.stdin = None;
        let _ = self.keeper.wait();
    }
}
