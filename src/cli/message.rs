//! Why a command ends before its work is done, and how that is said.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;

use crate::hints;
use crate::types::Unusable;
use kwalk::btf::Reason;
use kwalk::print::Escape;
use kwalk::{Error, btf, progs};

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library says why.
    Library(Error),
    /// The output could not be written.
    Output(io::Error),
    /// Something else: what failed and why.
    Other(String),
    /// What the user typed makes no sense; and what would.
    Usage(String, String),
    /// The file that was to have the kernel's types is of no use.
    Types {
        /// The file, and how it was named.
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

    /// A first word that is neither a command nor one of the `targets` of this kernel.
    pub(crate) fn unknown(word: &str, targets: &[&str]) -> Failure {
        let command = crate::Cli::command();
        let commands = command.get_subcommands().map(|command| command.get_name());
        // The name of a command is in many a word.
        let commands = commands.filter(|name| 2 * name.len() > word.len());
        let near = btf::near(word, commands.chain(targets.iter().copied()));
        let hint = match near.is_empty() {
            true => "`kwalk --help` lists the commands, `kwalk targets` what this kernel can walk".into(),
            false => format!("did you mean {}?", near.join(", ")),
        };
        Failure::usage_hint(format!("{word}: there is no such command or target"), hint)
    }

    /// Says it on stderr, in the form `kwalk: what failed: why` and `hint: what to do`, and gives the exit status: 1, or
    /// 2 for wrong usage; before that, if it is to be verbose, what the verifier said. A reader that has gone is no failure.
    pub(crate) fn report(self, verbose: bool) -> ExitCode {
        if matches!(&self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        let (message, hint) = self.message();
        if let (true, Failure::Library(Error::Rejected(rejection))) = (verbose, &self) {
            let _ = Escape::new(io::stderr()).write_all(rejection.log.as_bytes());
        }
        say(format_args!("kwalk: {message}"));
        if let Some(hint) = hint {
            say(format_args!("hint: {hint}"));
        }
        ExitCode::from(if self.is_usage() { 2 } else { 1 })
    }

    /// What failed and why, and what to do about it.
    pub(crate) fn message(&self) -> (String, Option<String>) {
        match self {
            Failure::Output(error) => (format!("standard output: {error}"), None),
            Failure::Library(error) => (error.to_string(), hints::hint(error)),
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
            Failure::Library(_) | Failure::Output(_) | Failure::Other(_) | Failure::Types { .. } => false,
        }
    }
}

/// Writes a line to stderr, in which names of the kernel's may stand. Nobody can be told if that fails.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let mut out = Escape::new(io::stderr().lock());
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.finish());
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Library(error.into())
    }
}
