//! Standard output, where everything is written but messages.

use std::io::{self, Write};
use std::process::ExitCode;

use nix::unistd::write;

use crate::message::Failure;
use kwalk::sys::stdout_was_closed;

/// Standard output, without a buffer.
///
/// `std`'s own takes for written what is lost: what goes to a descriptor that was closed, or that is open for reading.
pub(crate) struct Stdout(());

/// Standard output.
///
/// # Errors
///
/// That of a write, if it was closed when the process started.
pub(crate) fn stdout() -> Result<Stdout, Failure> {
    match stdout_was_closed() {
        true => Err(Failure::output(io::Error::from_raw_os_error(libc::EBADF))),
        false => Ok(Stdout(())),
    }
}

/// Writes all that a command prints.
pub(crate) fn print(bytes: &[u8]) -> Result<ExitCode, Failure> {
    stdout()?.write_all(bytes).map_err(Failure::output)?;
    Ok(ExitCode::SUCCESS)
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(write(io::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
