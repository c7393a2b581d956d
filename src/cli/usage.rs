//! Messages for command lines that can't be parsed.

use std::error::Error as _;
use std::fmt;
use std::ops::RangeInclusive;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::hints;
use crate::message::say;

/// Prints the error to stderr in the form of all failures, and returns the exit status for a mistake in the arguments.
pub(crate) fn report(error: &clap::Error) -> ExitCode {
    say(format_args!("kwalk: {}", message(error)));
    for hint in hints(error) {
        say(format_args!("hint: {hint}"));
    }
    ExitCode::from(2)
}

/// What failed and why.
fn message(error: &clap::Error) -> String {
    let get = |kind| error.get(kind).map(ContextValue::to_string).unwrap_or_default();
    let (argument, value) = (get(ContextKind::InvalidArg), get(ContextKind::InvalidValue));
    let named = named(&argument);
    match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            format!("{named}: there is no such option here")
        }
        ErrorKind::UnknownArgument => format!("{named}: nothing more is expected here"),
        ErrorKind::MissingRequiredArgument => match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(missing)) if missing.len() > 1 => {
                format!("arguments {}: they are missing", quoted(missing))
            }
            _ => format!("{named}: it is missing"),
        },
        ErrorKind::MissingSubcommand => "command or target: it is missing".into(),
        ErrorKind::InvalidValue if value.is_empty() => format!("{named}: it needs a value"),
        ErrorKind::InvalidValue => format!("invalid value '{value}' for '{argument}'"),
        ErrorKind::ValueValidation => match error.source() {
            Some(why) => format!("invalid value '{value}' for '{argument}': {why}"),
            None => format!("invalid value '{value}' for '{argument}'"),
        },
        ErrorKind::TooManyValues => format!("{named}: it takes no value such as '{value}'"),
        ErrorKind::ArgumentConflict => match error.get(ContextKind::PriorArg) {
            Some(ContextValue::String(prior)) if *prior == argument => {
                format!("{named}: it can be given once only")
            }
            Some(ContextValue::String(prior)) => format!("{named}: it can't be used with '{prior}'"),
            Some(ContextValue::Strings(prior)) => format!("{named}: it can't be used with {}", quoted(prior)),
            _ => format!("{named}: it can't be used with the others"),
        },
        ErrorKind::InvalidUtf8 => "arguments: one of them is not valid UTF-8".into(),
        _ => "arguments: they can't be understood".into(),
    }
}

/// Hints, one per line.
fn hints(error: &clap::Error) -> Vec<String> {
    let of_library = error.source().and_then(|source| source.downcast_ref()).and_then(hints::hint);
    let possible = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => {
            Some(format!("it can be {}", values.join(", ")))
        }
        _ => None,
    };
    let near = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let near = near.into_iter().find_map(|kind| Some(format!("did you mean {}?", error.get(kind)?)));
    let usage = error.get(ContextKind::Usage).map(|usage| {
        let usage = usage.to_string();
        format!("usage: {}", usage.trim_start_matches("Usage: ").trim_end())
    });
    [of_library, possible, near, usage].into_iter().flatten().collect()
}

fn named(argument: &str) -> String {
    let what = if argument.starts_with('-') { "option" } else { "argument" };
    format!("{what} '{argument}'")
}

fn quoted(arguments: &[String]) -> String {
    let quoted: Vec<_> = arguments.iter().map(|argument| format!("'{argument}'")).collect();
    quoted.join(", ")
}

/// An argument is not a number in this range.
#[derive(Debug)]
pub(crate) struct NotInRange(RangeInclusive<u64>);

impl fmt::Display for NotInRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is not a number from {} to {}", self.0.start(), self.0.end())
    }
}

impl std::error::Error for NotInRange {}

/// Parses a pid or tid.
pub(crate) fn process(text: &str) -> Result<u32, NotInRange> {
    in_range(text, 1..=u32::MAX.into())
}

/// Parses a 32-bit number.
pub(crate) fn u32(text: &str) -> Result<u32, NotInRange> {
    in_range(text, 0..=u32::MAX.into())
}

/// Parses a 64-bit number.
pub(crate) fn u64(text: &str) -> Result<u64, NotInRange> {
    in_range(text, 0..=u64::MAX)
}

fn in_range<T: TryFrom<u64>>(text: &str, range: RangeInclusive<u64>) -> Result<T, NotInRange> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.and_then(|number| T::try_from(number).ok()).ok_or(NotInRange(range))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Cli;
    use crate::walk::Walk;

    #[track_caller]
    fn said(parsed: Result<impl Sized, clap::Error>) -> (String, String) {
        let error = parsed.err().unwrap();
        (message(&error), hints(&error).join("\n"))
    }

    /// The message, and the start of the hints.
    #[test]
    fn each_kind_has_its_words() {
        let numbers = "it is not a number from 1 to 4294967295";
        for (args, wanted, hint) in [
            ("--frobnicate", "option '--frobnicate': there is no such option here", "usage: kwalk <TARGET"),
            (
                "--verbos",
                "option '--verbos': there is no such option here",
                "did you mean --verbose?\nusage: ",
            ),
            ("targets extra", "argument 'extra': nothing more is expected here", "usage: kwalk targets"),
            ("cat", "argument '<PROGRAM>': it is missing", "usage: kwalk cat <PROGRAM> [COMM]"),
            ("pin", "arguments '<PROGRAM>', '<PATH>': they are missing", "usage: kwalk pin <PROGRAM> <PATH>"),
            ("-v", "command or target: it is missing", "usage: kwalk <TARGET | COMMAND> [OPTIONS]"),
            ("cat stacks --pid", "option '--pid <N>': it needs a value", ""),
            ("cat stacks --pid 0", &format!("invalid value '0' for '--pid <N>': {numbers}"), ""),
            ("cat stacks --pid=x", &format!("invalid value 'x' for '--pid <N>': {numbers}"), ""),
            (
                "fields task --depth -1",
                "invalid value '-1' for '--depth <N>': it is not a number from 0 to 4294967295",
                "",
            ),
            (
                "cat stacks --pid 1 --tid 1",
                "option '--pid <N>': it can't be used with '--tid <N>'",
                "usage: kwalk cat",
            ),
        ] {
            let args = ["kwalk"].into_iter().chain(args.split(' '));
            let (message, hints) = said(Cli::try_parse_from(args));
            assert_eq!(message, wanted);
            assert!(hints.starts_with(hint) && hints.is_empty() == hint.is_empty(), "{wanted}: {hints}");
        }
        for (args, wanted, hint) in [
            (
                "-o jso",
                "invalid value 'jso' for '--format <FORMAT>'",
                "it can be table, ndjson, json, csv, raw\n",
            ),
            (
                "-f a -f b",
                "option '--fields <LIST>': it can be given once only",
                "usage: kwalk TARGET [OPTIONS]",
            ),
            (
                "--count -f a --sort b",
                "option '--count': it can't be used with '--fields <LIST>', '--sort <LIST>'",
                "usage: ",
            ),
            ("--count=5", "option '--count': it takes no value such as '5'", "usage: "),
            (
                "--limit 18446744073709551616",
                "invalid value '18446744073709551616' for '--limit <N>': it is not a number from 0 to \
                 18446744073709551615",
                "",
            ),
            (
                "--map id:x",
                "invalid value 'id:x' for '--map <WHAT>': map id:x: an id is a number from 1 on",
                "a map is named as id:N",
            ),
        ] {
            let args = ["kwalk", "task"].into_iter().chain(args.split(' '));
            let (message, hints) = said(Walk::try_parse_from(args));
            assert_eq!(message, wanted);
            assert!(hints.starts_with(hint) && hints.is_empty() == hint.is_empty(), "{wanted}: {hints}");
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let args = ["kwalk".into(), "fields".into(), std::ffi::OsString::from_vec(vec![0xff])];
        assert_eq!(said(Cli::try_parse_from(args)).0, "arguments: one of them is not valid UTF-8");
    }
}
