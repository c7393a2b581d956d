//! The command `kwalk`: arguments in, calls to the library out.

mod doctor;
mod elsewhere;
mod explain;
mod fields;
mod hints;
mod insns;
mod list;
mod message;
mod output;
mod progress;
mod rows;
mod scope;
mod terminal;
mod text;
mod types;
mod usage;
mod walk;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use insns::Source;
use kwalk::MapName;
use kwalk::asm::Endian;
use message::say;
use types::Types;
use walk::Walk;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Walks the objects of the running kernel.
#[derive(Parser)]
#[command(
    name = "kwalk",
    version,
    disable_help_subcommand = true,
    override_usage = "kwalk <TARGET | COMMAND> [OPTIONS]"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// Options of all commands.
#[derive(Args)]
struct Common {
    /// Show the verifier's log if it rejects a program
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(flatten)]
    types: Types,
}

#[derive(Subcommand)]
enum Command {
    /// Run a text program, or read a pinned one
    Cat {
        /// A text program (see `kwalk programs`), or the path of a pinned iterator
        program: OsString,
        #[command(flatten)]
        filter: Filter,
    },
    /// Pin a text program in bpffs, where `cat` reads it
    ///
    /// The pin outlives this process, until it is unpinned or the machine restarts. Only root can read it
    /// unless its mode is changed; other readers also need a bpffs that they can traverse.
    Pin {
        /// A text program (see `kwalk programs`)
        program: String,
        /// The path of the new pin: a name without a dot, in a bpffs
        path: PathBuf,
        #[command(flatten)]
        filter: Filter,
        /// Replace the program of the link that is pinned there, which stays readable meanwhile
        #[arg(long, conflicts_with_all = ["pid", "tid"])]
        replace: bool,
    },
    /// Remove pinned iterators
    Unpin {
        /// The paths they are pinned at
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Pin maps.debug and progs.debug, as the kernel's preload module does
    Preload {
        /// The directory to make for them, in a bpffs
        #[arg(long, default_value = "/sys/fs/bpf/kwalk")]
        dir: PathBuf,
        /// Replace the programs of the links that are pinned there, which stay readable meanwhile
        #[arg(long)]
        replace: bool,
        /// Mount a bpffs at /sys/fs/bpf if there is none
        #[arg(long)]
        mount: bool,
    },
    /// List the targets that this kernel can walk
    Targets,
    /// List what can be selected from a target: its columns, derived roots and functions, and fields with their offsets,
    /// sizes and types
    ///
    /// OFFSET and SIZE are in bytes, or in bytes:bits for bitfields. An offset counts from the start of the object that
    /// the nearest pointer above points to. Members of anonymous structs and unions belong to what
    /// surrounds them, and an array is shown by its element `[0]`.
    Fields {
        /// A target (see `kwalk targets`)
        target: String,
        /// What to begin with, as -f names it: a path from a context argument, a derived root or the object that is
        /// walked, such as real_parent.cred or tcp_sock.snd_cwnd; or a named column, whose names are listed, if it has
        /// some, and its field [default: all context arguments]
        path: Option<String>,
        /// The number of levels to list below it
        #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true, value_parser = usage::u32)]
        depth: u32,
        /// bpf_map_elem: the map whose keys and values to list, too; id:N, name:NAME or the path where it is pinned
        #[arg(long, value_name = "WHAT", value_parser = OsStringValueParser::new().try_map(MapName::new))]
        map: Option<MapName>,
    },
    /// List the text programs
    Programs,
    /// List the iterator links that live in this kernel
    Links,
    /// Disassemble a text program, a loaded program, or raw instruction bytes
    #[command(group = clap::ArgGroup::new("source").required(true))]
    Dis {
        /// A text program (see `kwalk programs`), as it is written for this kernel
        #[arg(group = "source")]
        program: Option<String>,
        /// The id of a loaded program, which is shown as the kernel has rewritten it
        #[arg(long, value_name = "N", group = "source", value_parser = usage::u32)]
        prog_id: Option<u32>,
        /// A file of instruction bytes, or - for stdin
        #[arg(long, group = "source")]
        file: Option<PathBuf>,
        /// The file's instructions are for a big-endian machine
        #[arg(long, conflicts_with_all = ["program", "prog_id"])]
        big_endian: bool,
    },
    /// Assemble text to raw instruction bytes
    Asm {
        /// A file of instructions, one a line, as `dis` prints them; or - for stdin
        file: PathBuf,
        /// The file to write [default: stdout]
        #[arg(short, long)]
        out: Option<PathBuf>,
        /// Assemble for a big-endian machine
        #[arg(long)]
        big_endian: bool,
    },
    /// Check what this kernel, the process's privileges and the mounts allow
    Doctor,
}

/// The filters of a text program.
#[derive(Args)]
struct Filter {
    /// Only tasks with this command name, of at most 15 bytes
    comm: Option<OsString>,
    /// Only this process
    #[arg(long, value_name = "N", conflicts_with = "tid", allow_negative_numbers = true, value_parser = usage::process)]
    pid: Option<u32>,
    /// Only this thread
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = usage::process)]
    tid: Option<u32>,
}

/// Runs the command that this process was started as.
fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let word = first_word(&args);
    // A walk's arguments are parsed by a parser of their own: building that of all commands takes longer than the walk.
    if word.is_some_and(|word| !Command::has_subcommand(word)) {
        return match Walk::try_parse_from(&args) {
            Ok(walk) => walk::walk(&walk).unwrap_or_else(|failure| failure.report(walk.common.verbose)),
            Err(error) => not_parsed(&error, true),
        };
    }
    let Cli { command, common: Common { verbose, types } } = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, word.is_some()),
    };
    let done = match command {
        Command::Cat { program, filter } => text::cat(&types, &program, &filter),
        Command::Pin { program, path, filter, replace } => {
            text::pin(&types, &program, &path, &filter, replace)
        }
        Command::Unpin { paths } => text::unpin(&paths),
        Command::Preload { dir, replace, mount } => text::preload(&types, &dir, replace, mount),
        Command::Targets => list::targets(&types),
        Command::Fields { target, path, depth, map } => {
            fields::fields(&types, &target, path.as_deref(), depth, map.as_ref())
        }
        Command::Programs => list::programs(),
        Command::Links => list::links(),
        Command::Dis { program, prog_id, file, big_endian } => {
            let source = match (&program, prog_id, &file) {
                (Some(program), ..) => Source::Program(program),
                (None, Some(id), _) => Source::Id(id),
                (None, None, file) => {
                    Source::File(file.as_deref().unwrap_or("-".as_ref()), endian(big_endian))
                }
            };
            insns::dis(&types, &source)
        }
        Command::Asm { file, out, big_endian } => insns::asm(&file, out.as_deref(), endian(big_endian)),
        Command::Doctor => doctor::doctor(&types),
    };
    match done {
        Ok(status) => status,
        Err(failure) => failure.report(verbose),
    }
}

fn endian(big: bool) -> Endian {
    if big { Endian::Big } else { Endian::Little }
}

/// The first argument that is not an option: a command or a target.
fn first_word(args: &[OsString]) -> Option<&str> {
    let mut args = args.iter().skip(1).map(|arg| arg.to_str().unwrap_or("?"));
    while let Some(arg) = args.next() {
        match arg {
            // The next argument is its value.
            "--btf" => drop(args.next()),
            _ if arg.starts_with('-') => {}
            word => return Some(word),
        }
    }
    None
}

/// Prints help to stdout if it was requested; any other error is reported as a mistake in the arguments.
fn not_parsed(error: &clap::Error, of_one: bool) -> ExitCode {
    let help = || match of_one {
        true => error.to_string(),
        false => format!("{error}\nOptions of a walk:\n{}", walk::options()),
    };
    match error.kind() {
        ErrorKind::DisplayHelp => print(&help()),
        ErrorKind::DisplayVersion => print(&error.to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            say(format_args!("{}", help().trim_end()));
            ExitCode::from(2)
        }
        _ => usage::report(error),
    }
}

fn print(text: &str) -> ExitCode {
    output::print(text.as_bytes()).unwrap_or_else(|failure| failure.report(false))
}
