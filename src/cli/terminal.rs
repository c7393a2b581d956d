//! What there is to know of the terminal that output goes to, if it goes to one.

use std::env::{var, var_os};
use std::io::{self, IsTerminal};

use terminal_size::terminal_size_of;

use kwalk::print::table::Screen;

/// What stdout is shown on.
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

/// Whether somebody waits in front of stderr who does not see rows come; none do before the end, if they are `kept`.
pub(crate) fn is_watched(kept: bool) -> bool {
    io::stderr().is_terminal() && (kept || !io::stdout().is_terminal())
}
