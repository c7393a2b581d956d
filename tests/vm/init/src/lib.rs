//! What `cargo vm` and the first process of its guests say to each other: a plan on the way in, events on the way out.
//!
//! Events have a line to themselves, to which no output of a command goes: no output can be taken for one.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Where the guest finds its plan.
pub const PLAN: &str = "/plan";

/// What a guest is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The devices that lead to the host.
    pub lines: Lines,
    /// The directory that all commands run in.
    pub dir: OsString,
    /// What stands in their environment.
    pub env: Vec<(OsString, OsString)>,
    /// The commands, each with its arguments, one after another.
    pub commands: Vec<Vec<OsString>>,
}

/// The devices that lead to the host, beside the kernel's console.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// Where commands' stdout goes.
    pub stdout: OsString,
    /// Where their stderr goes.
    pub stderr: OsString,
    /// Where events go.
    pub events: OsString,
}

impl Plan {
    /// The plan as bytes: words that end in NUL, as those of a command line do, and lists that say how long they are.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut word = |word: &[u8]| {
            bytes.extend(word);
            bytes.push(0);
        };
        let Lines { stdout, stderr, events } = &self.lines;
        for path in [stdout, stderr, events, &self.dir] {
            word(path.as_bytes());
        }
        word(self.env.len().to_string().as_bytes());
        for (name, value) in &self.env {
            word(name.as_bytes());
            word(value.as_bytes());
        }
        word(self.commands.len().to_string().as_bytes());
        for command in &self.commands {
            word(command.len().to_string().as_bytes());
            command.iter().for_each(|argument| word(argument.as_bytes()));
        }
        bytes
    }

    /// Reads what [`Plan::encode`] wrote; none of anything else.
    pub fn decode(bytes: &[u8]) -> Option<Plan> {
        let mut words = bytes.strip_suffix(b"\0")?.split(|byte| *byte == 0);
        let mut word = || Some(OsString::from_vec(words.next()?.to_vec()));
        let number = |word: OsString| word.to_str()?.parse::<usize>().ok();
        let lines = Lines { stdout: word()?, stderr: word()?, events: word()? };
        let dir = word()?;
        let env = (0..number(word()?)?).map(|_| Some((word()?, word()?))).collect::<Option<_>>()?;
        let mut commands = Vec::new();
        for _ in 0..number(word()?)? {
            commands.push((0..number(word()?)?).map(|_| word()).collect::<Option<_>>()?);
        }
        words.next().is_none().then_some(Plan { lines, dir, env, commands })
    }
}

/// What a guest says of itself, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is up: the kernel's release, and whether the kernel describes its types.
    Up {
        /// `uname -r`
        release: String,
        /// Whether there is BTF.
        btf: bool,
    },
    /// A command has ended.
    Ended {
        /// How.
        end: End,
        /// How many bytes it wrote to stdout, all of which have been sent.
        stdout: u64,
        /// The same of stderr.
        stderr: u64,
        /// How many milliseconds it took, by the guest's clock.
        millis: u64,
    },
    /// Something kept the guest from doing what it was told.
    Failed(String),
    /// All commands have ended.
    Done,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this exit status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Status(status) => write!(f, "status {status}"),
            End::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Up { release, btf } => write!(f, "up {btf} {release}"),
            Event::Ended { end, stdout, stderr, millis } => {
                write!(f, "ended {end} {stdout} {stderr} {millis}")
            }
            Event::Failed(why) => write!(f, "failed {}", why.escape_debug()),
            Event::Done => write!(f, "done"),
        }
    }
}

impl Event {
    /// Reads a line; none of one that is no event.
    pub fn parse(line: &str) -> Option<Event> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "up" => {
                let (btf, release) = rest.split_once(' ')?;
                Some(Event::Up { release: release.into(), btf: btf.parse().ok()? })
            }
            "ended" => {
                let mut words = rest.split(' ');
                let end = match (words.next()?, words.next()?.parse().ok()?) {
                    ("status", status) => End::Status(status),
                    ("signal", signal) => End::Signal(signal),
                    _ => return None,
                };
                let mut number = || words.next()?.parse().ok();
                let (stdout, stderr, millis) = (number()?, number()?, number()?);
                words.next().is_none().then_some(Event::Ended { end, stdout, stderr, millis })
            }
            "failed" => Some(Event::Failed(rest.into())),
            "done" if rest.is_empty() => Some(Event::Done),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let words = |words: &[&[u8]]| words.iter().map(|word| OsString::from_vec(word.to_vec())).collect();
        let plan = Plan {
            lines: Lines { stdout: "/dev/1".into(), stderr: "/dev/2".into(), events: "/dev/3".into() },
            dir: "/a b".into(),
            env: vec![("PATH".into(), "/bin".into()), ("EMPTY".into(), "".into())],
            commands: vec![words(&[b"kwalk", b"cat", b"", b"\xff\n 7"]), words(&[]), words(&[b""])],
        };
        let bytes = plan.encode();
        assert_eq!(Plan::decode(&bytes), Some(plan));
        assert_eq!(Plan::decode(&Plan::default().encode()), Some(Plan::default()));
        for len in 0..bytes.len() {
            assert_eq!(Plan::decode(&bytes[..len]), None, "{len} bytes of it");
        }
        assert_eq!(Plan::decode(&[&bytes[..], b"more\0"].concat()), None);
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        for event in [
            Event::Up { release: "6.1.0-50 with spaces".into(), btf: true },
            Event::Ended { end: End::Status(2), stdout: 0, stderr: u64::MAX, millis: 3 },
            Event::Ended { end: End::Signal(9), stdout: 1, stderr: 2, millis: 0 },
            Event::Failed("no memory".into()),
            Event::Done,
        ] {
            assert_eq!(Event::parse(&event.to_string()), Some(event));
        }
        let two_lines = Event::Failed("a\ndone".into()).to_string();
        assert_eq!(two_lines, "failed a\\ndone");
        for line in [
            "",
            "done x",
            "ended",
            "ended status 0 1 2",
            "ended status x 1 2 3",
            "ended status 0 1 2 3 4",
            "up 6.1",
        ] {
            assert_eq!(Event::parse(line), None, "{line:?}");
        }
    }
}
