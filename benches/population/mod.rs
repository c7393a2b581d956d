//! Populations for a kernel to be asked about: threads, processes, open files, sockets, elements of a map. Each lives in
//! other processes for as long as the value that stands for it, or as this process, however that ends.
//!
//! Most of these are this binary again, so its `main` begins with [`helper`].

mod held;
mod numbers;

use std::env::current_exe;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use kwalk::sys::{ElemFlags, MapCreate, MapFd, MapType, MapUpdateElem, bpf};

pub(crate) use held::helper;
use numbers::Numbers;

/// What some thousands of can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Threads that sleep.
    Threads,
    /// Processes that wait for a pipe, of one thread each.
    Processes,
    /// Open files.
    Files,
    /// TCP sockets that are connected, on the loopback device, those of an odd number with one that listens.
    Sockets,
}

/// A population.
pub(crate) struct Population {
    helpers: Vec<Child>,
    /// Given back when nobody uses them any more.
    _numbers: Option<Numbers>,
}

impl Population {
    /// Makes so many, and returns when they are there.
    ///
    /// # Errors
    ///
    /// Why they can't be had here.
    pub(crate) fn new(kind: Kind, count: usize) -> Result<Population, String> {
        // A task's number is above those that are taken, and not every one is free.
        let numbers = match kind {
            Kind::Threads | Kind::Processes => Numbers::at_least(count + count / 4 + 10_000)?,
            Kind::Files | Kind::Sockets => None,
        };
        let mut population = Population { helpers: Vec::new(), _numbers: numbers };
        let most = match kind {
            // The kernel takes 65,530 mappings in a process, of which a thread has four.
            Kind::Threads => 10_000,
            Kind::Processes => usize::MAX,
            Kind::Files | Kind::Sockets => held::files_max()?,
        };
        let mut rest = count;
        while rest > 0 {
            let some = rest.min(most);
            let (mut command, lines) = match kind {
                Kind::Processes => processes(some),
                _ => (held::command(kind, some), 1),
            };
            population.start(&mut command, lines).map_err(|why| format!("{count} {kind:?}: {why}"))?;
            rest -= some;
        }
        Ok(population)
    }

    /// Starts a helper, and waits until it has said so many times that all is there.
    fn start(&mut self, command: &mut Command, lines: usize) -> Result<(), String> {
        // Of its own group: what ends this process from the keyboard ends it through the pipe.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let stdout = child.stdout.take();
        self.helpers.push(child);
        let mut said = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
        for _ in 0..lines {
            match said.next() {
                Some(Ok(line)) if line == held::READY => {}
                Some(Ok(line)) => return Err(line),
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("a helper is gone".into()),
            }
        }
        Ok(())
    }
}

impl Drop for Population {
    fn drop(&mut self) {
        // All at once: they end when their standard input does.
        for helper in &mut self.helpers {
            helper.stdin = None;
        }
        for helper in &mut self.helpers {
            let _ = helper.wait();
        }
    }
}

/// A shell that is so many processes, and how often it says that some of them are there. They are forks of one another that
/// read from one pipe, in groups: a shell remembers all that it has started, and hands that memory down.
fn processes(count: usize) -> (Command, usize) {
    const GROUP: usize = 50;
    const SCRIPT: &str = r#"
        leaf() { read -r _; }
        group() {
            trap 'echo "the shell could not fork"' EXIT
            i=1
            while [ "$i" -lt "$1" ]; do leaf <&3 >/dev/null & i=$((i + 1)); done
            echo ready
            leaf <&3
            wait
            trap - EXIT
        }
        exec 3<&0
        rest=$(($1 - 1))
        while [ "$rest" -gt 0 ]; do
            some=$((rest < $2 ? rest : $2))
            group "$some" &
            rest=$((rest - some))
        done
        leaf
        wait
    "#;
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "sh"]).args([count, GROUP].map(|number| number.to_string()));
    (command, (count - 1).div_ceil(GROUP))
}

/// A hash with so many elements, of which keys have 4 bytes and values 8.
///
/// # Errors
///
/// Why the kernel refuses.
pub(crate) fn elements(count: u32) -> Result<MapFd, String> {
    let fill = || {
        let map = bpf(MapCreate::new(MapType::HASH, 4, 8, count))?;
        for key in 0..count {
            let value = u64::from(key).to_ne_bytes();
            let flags = ElemFlags::empty();
            bpf(MapUpdateElem { map: &map, key: &key.to_ne_bytes(), value: &value, flags })?;
        }
        Ok(map)
    };
    fill().map_err(|error: kwalk::sys::Error| format!("{count} elements: {error}"))
}
