//! Failures of commands, and how they are reported.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;

use crate::hints;
use crate::types::Unusable;
use kwalk::btf::Reason;
use kwalk::print::Escape;
use kwalk::select::Bound;
use kwalk::{Error, btf, progs};

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of the library.
    Library(Error),
    /// An error of the library, with a hint that depends on the machine.
    Hinted(Box<Error>, String),
    /// The output could not be written.
    Output(io::Error),
    /// Conditions could not be decided for so many objects, at one of these bounds.
    Undecided { count: u64, bounds: Vec<Bound> },
    /// Any other failure: what failed and why.
    Other(String),
    /// A mistake in the arguments, and a hint.
    Usage(String, String),
    /// The file with the kernel's types can't be used.
    Types {
        /// The file, with the option or variable that names it.
        file: String,
        /// What is wrong with it.
        reason: Box<Unusable>,
    },
}

impl Failure {
    pub(crate) fn output(error: io::Error) -> Failure {
        Failure::Output(error)
    }

    pub(crate) fn failed(what: impl fmt::Display, why: impl fmt::Display) -> Failure {
        Failure::Other(format!("{what}: {why}"))
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::usage_hint(message, "see `kwalk --help`")
    }

    pub(crate) fn usage_hint(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::Usage(message.into(), hint.into())
    }

    /// The failure for a first argument that is neither a command nor one of `targets`, which this kernel has.
    pub(crate) fn unknown(word: &str, targets: &[&str]) -> Failure {
        let command = crate::Cli::command();
        let commands = command.get_subcommands().map(|command| command.get_name());
        // The names of short commands are similar to many words.
        let commands = commands.filter(|name| 2 * name.len() > word.len());
        let near = btf::near(word, commands.chain(targets.iter().copied()));
        let hint = match near.is_empty() {
            true => "`kwalk --help` lists the commands, `kwalk targets` what this kernel can walk".into(),
            false => format!("did you mean {}?", near.join(", ")),
        };
        Failure::usage_hint(format!("{word}: there is no such command or target"), hint)
    }

    /// Prints the failure to stderr, as `kwalk: what failed: why` and `hint: what to do`. With `verbose`, the
    /// verifier's log comes first. Returns the exit status: 2 for a mistake in the arguments, 0 if the reader of stdout
    /// has closed it, else 1.
    pub(crate) fn report(self, verbose: bool) -> ExitCode {
        if matches!(&self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        let (message, hint) = self.message();
        if let (true, Failure::Library(Error::Rejected(rejection))) = (verbose, &self) {
            let _ = Escape::message(io::stderr()).write_all(rejection.log.as_bytes());
        }
        say(format_args!("kwalk: {message}"));
        if let Some(hint) = hint {
            say(format_args!("hint: {hint}"));
        }
        ExitCode::from(if self.is_usage() { 2 } else { 1 })
    }

    /// What failed and why, and a hint.
    pub(crate) fn message(&self) -> (String, Option<String>) {
        match self {
            Failure::Output(error) => (format!("standard output: {error}"), None),
            Failure::Library(error) => (error.to_string(), hints::hint(error)),
            Failure::Hinted(error, hint) => (error.to_string(), Some(hint.clone())),
            Failure::Undecided { count, bounds } => (undecided(*count, bounds), None),
            Failure::Other(message) => (message.clone(), None),
            Failure::Usage(message, hint) => (message.clone(), Some(hint.clone())),
            Failure::Types { file, reason } => (format!("{file}: {reason}"), Some(reason.hint().into())),
        }
    }

    fn is_usage(&self) -> bool {
        use progs::Error::{Comm, NoComm, NoProgram, NoTarget};
        match self {
            Failure::Usage(..) => true,
            Failure::Library(
                Error::Program(NoProgram { .. } | NoComm { .. } | Comm { .. } | NoTarget { since: None, .. })
                | Error::Select(_)
                | Error::Btf(btf::Error::Path { reason: Reason::Syntax, .. })
                | Error::Scope { .. },
            ) => true,
            Failure::Library(Error::Rejected(rejection)) => rejection.is_too_large(),
            Failure::Library(_)
            | Failure::Hinted(..)
            | Failure::Output(_)
            | Failure::Undecided { .. }
            | Failure::Other(_)
            | Failure::Types { .. } => false,
        }
    }
}

fn undecided(count: u64, bounds: &[Bound]) -> String {
    let objects = if count == 1 { "object" } else { "objects" };
    let why: Vec<_> = bounds.iter().map(|bound| hints::bound(*bound)).collect();
    format!("the condition: {count} {objects} could not be decided: {}", why.join(", or "))
}

/// Writes a line to stderr, with control characters escaped: it can have names from the kernel. A failure to write is
/// ignored, because nothing can be done about it.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let mut out = Escape::message(io::stderr().lock());
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.finish());
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Library(error.into())
    }
}
