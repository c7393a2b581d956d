//! Properties of the terminal, if output goes to one.

use std::env::{var, var_os};
use std::io::{self, IsTerminal};

use terminal_size::terminal_size_of;

use kwalk::print::table::Screen;

/// The terminal that stdout goes to.
pub(crate) fn screen() -> Screen {
    if !io::stdout().is_terminal() {
        return Screen::default();
    }
    let columns = var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    let width = columns.or_else(|| Some(usize::from(terminal_size_of(io::stdout())?.0.0)));
    let refused = var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = var_os("TERM").is_none_or(|term| term == "dumb");
    Screen { width, colour: !refused && !dumb }
}

/// Whether somebody is watching stderr who does not see the rows: they are not on the terminal, or `kept` until the
/// end.
pub(crate) fn is_watched(kept: bool) -> bool {
    io::stderr().is_terminal() && (kept || !io::stdout().is_terminal())
}
