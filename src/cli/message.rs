//! Why a command ends before its work is done, and how that is said.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::print::Escape;
use crate::{Error, progs};

/// Why a command could not do its work.
#[derive(Debug)]
pub(super) enum Failure {
    /// The library says why.
    Library(Error),
    /// The output could not be written.
    Output(io::Error),
    /// Something else: what failed and why.
    Other(String),
    /// What the user typed makes no sense.
    Usage(String),
}

impl Failure {
    pub(super) fn output(error: io::Error) -> Failure {
        Failure::Output(error)
    }

    pub(super) fn failed(what: impl fmt::Display, why: impl fmt::Display) -> Failure {
        Failure::Other(format!("{what}: {why}"))
    }

    pub(super) fn usage(message: impl Into<String>) -> Failure {
        Failure::Usage(message.into())
    }

    /// Says it on stderr, in the form `kwalk: what failed: why` and `hint: what to do`, and gives the exit status: 1, or
    /// 2 for wrong usage; before that, if it is to be verbose, what the verifier said. A reader that has gone is no failure.
    pub(super) fn report(self, verbose: bool) -> ExitCode {
        let (message, hint) = match &self {
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Failure::Output(error) => (format!("standard output: {error}"), None),
            Failure::Library(error) => (error.to_string(), error.hint()),
            Failure::Other(message) => (message.clone(), None),
            Failure::Usage(message) => (message.clone(), Some("see `kwalk --help`".into())),
        };
        if let (true, Failure::Library(Error::Rejected(rejection))) = (verbose, &self) {
            let _ = Escape::new(io::stderr()).write_all(rejection.log.as_bytes());
        }
        say(format_args!("kwalk: {message}"));
        if let Some(hint) = hint {
            say(format_args!("hint: {hint}"));
        }
        ExitCode::from(if self.is_usage() { 2 } else { 1 })
    }

    fn is_usage(&self) -> bool {
        use progs::Error::{Comm, NoComm, NoProgram};
        match self {
            Failure::Usage(_) => true,
            Failure::Library(
                Error::Program(NoProgram { .. } | NoComm { .. } | Comm { .. }) | Error::Parameters { .. },
            ) => true,
            Failure::Library(_) | Failure::Output(_) | Failure::Other(_) => false,
        }
    }
}

/// Writes a line to stderr. Nobody can be told if that fails.
pub(super) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Library(error.into())
    }
}
