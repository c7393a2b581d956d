//! The command `kwalk`; see the crate's documentation for the library behind it.

use std::process::ExitCode;

fn main() -> ExitCode {
    kwalk::cli::main()
}
