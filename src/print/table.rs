//! Tables for people: aligned columns under a heading, no wider than the terminal. Two texts that differ look different.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};

use kwalk_query::{ColumnInfo, DateTime, List, Row, Schema, Show, Stack, Texts, Type, device};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape::{Special, add_escaped};
use super::format::{Format, Numbers, Symbols, Visitor, visit};
use super::number::{self, Duration, Size};

/// The number of spaces between two columns.
const GAP: usize = 2;
/// The minimal width of a text that is cut.
const CUT_MIN: usize = 6;

/// The terminal on which a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Screen {
    /// The width of a line, in characters; `None` if it is unlimited.
    pub width: Option<usize>,
    /// Whether it can show colours, and should.
    pub colour: bool,
}

/// A column: its heading, and how its cells are aligned.
#[derive(Debug, Clone)]
pub struct Column {
    heading: String,
    /// Whether cells are aligned to the right.
    right: bool,
    /// Whether cells may be cut if there is too little room.
    cut: bool,
    width: usize,
}

impl Column {
    /// A column of texts, aligned to the left.
    pub fn text(heading: &str) -> Column {
        let mut escaped = Vec::new();
        add_escaped(heading.as_bytes(), &mut escaped);
        let heading = String::from_utf8_lossy(&escaped).into_owned();
        Column { width: heading.width(), heading, right: false, cut: true }
    }

    /// A column of numbers, aligned to the right and never cut.
    pub fn number(heading: &str) -> Column {
        Column { right: true, cut: false, ..Column::text(heading) }
    }
}

/// A table: its columns and cells.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    /// The texts of the cells, row by row.
    texts: Vec<u8>,
    /// For each cell, the end of its text and its width.
    cells: Vec<(usize, usize)>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: Vec<Column>) -> Table {
        Table { columns, texts: Vec::new(), cells: Vec::new() }
    }

    /// Adds the next cell of the row, or the first one of the next row. Control characters, what nobody sees and
    /// backslashes are escaped.
    pub fn cell(&mut self, text: &str) {
        self.add(|out| add_escaped(text.as_bytes(), out));
    }

    /// Adds a cell with what `write` appends: UTF-8 that is escaped.
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.texts.len();
        write(&mut self.texts);
        let text = self.texts.get(start..).unwrap_or_default();
        // Most cells are ASCII without control characters.
        let width =
            if text.is_ascii() { text.len() } else { std::str::from_utf8(text).unwrap_or_default().width() };
        let column = self.cells.len().checked_rem(self.columns.len()).unwrap_or(0);
        if let Some(column) = self.columns.get_mut(column) {
            column.width = column.width.max(width);
        }
        self.cells.push((self.texts.len(), width));
    }

    /// Appends the table to `out`.
    pub fn write(&self, screen: Screen, out: &mut Vec<u8>) {
        let widths = self.fitted(screen.width);
        let mut line = Line { out, widths: &widths, columns: &self.columns, end: screen.width };
        line.out.extend_from_slice(if screen.colour { b"\x1b[1m" } else { b"" });
        line.write(self.columns.iter().map(|column| (column.heading.as_str(), column.heading.width())));
        line.out.extend_from_slice(if screen.colour { b"\x1b[0m" } else { b"" });
        line.out.push(b'\n');
        let mut start = 0;
        for row in self.cells.chunks(self.columns.len().max(1)) {
            line.write(row.iter().map(|(end, width)| {
                let text = self.texts.get(start..*end).unwrap_or_default();
                start = *end;
                (std::str::from_utf8(text).unwrap_or_default(), *width)
            }));
            line.out.push(b'\n');
        }
    }

    /// The widths of the columns. If there is too little room, the widest texts are cut to a common width.
    fn fitted(&self, room: Option<usize>) -> Vec<usize> {
        let widths = || self.columns.iter().map(|column| column.width);
        let gaps = GAP * self.columns.len().saturating_sub(1);
        let Some(room) = room.filter(|room| widths().sum::<usize>() + gaps > *room) else {
            return widths().collect();
        };
        let capped = |cap: usize| {
            let fit = move |column: &Column| if column.cut { column.width.min(cap) } else { column.width };
            self.columns.iter().map(fit)
        };
        let (mut least, mut most) = (CUT_MIN, widths().max().unwrap_or(0).max(CUT_MIN));
        while least < most {
            let cap = (least + most).div_ceil(2);
            if capped(cap).sum::<usize>() + gaps <= room { least = cap } else { most = cap - 1 }
        }
        let mut fitted: Vec<_> = capped(least).collect();
        // The rest of the room goes to the first columns that can use it.
        let mut left = room.saturating_sub(fitted.iter().sum::<usize>() + gaps);
        for (width, column) in fitted.iter_mut().zip(&self.columns) {
            let more = left.min(column.width - *width);
            *width += more;
            left -= more;
        }
        fitted
    }
}

/// Writes the lines one after the other.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    widths: &'a [usize],
    columns: &'a [Column],
    /// The maximal width of a line.
    end: Option<usize>,
}

impl Line<'_> {
    /// Writes the cells of a line, each with its width.
    fn write<'t>(&mut self, cells: impl Iterator<Item = (&'t str, usize)>) {
        let (start, mut at) = (self.out.len(), 0);
        for (nth, (((text, width), room), column)) in cells.zip(self.widths).zip(self.columns).enumerate() {
            let gap = if nth > 0 { GAP } else { 0 };
            let left = room.saturating_sub(width);
            self.pad(gap + if column.right { left } else { 0 });
            cut(text, width, *room, self.out);
            at += gap + room;
            // The last cell is not padded.
            let is_last = nth + 1 == self.columns.len();
            self.pad(if column.right || is_last { 0 } else { left });
        }
        if self.end.is_some_and(|end| at > end) {
            // Even with its texts cut, the table is too wide: what is beyond the edge is not shown.
            let line = self.out.split_off(start);
            let line = std::str::from_utf8(&line).unwrap_or_default().trim_end();
            cut(line, line.width(), self.end.unwrap_or(0), self.out);
        }
        while self.out.len() > start && self.out.last() == Some(&b' ') {
            self.out.pop();
        }
    }

    fn pad(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, b' ');
    }
}

/// Appends a text, or as much of it as fits with a mark that more follows.
fn cut(text: &str, width: usize, room: usize, out: &mut Vec<u8>) {
    if width <= room {
        return out.extend_from_slice(text.as_bytes());
    }
    let mut left = room.saturating_sub(1);
    for char in text.chars() {
        let width = char.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }
    out.extend_from_slice("…".as_bytes());
    out.resize(out.len() + left, b' ');
}

/// The format table: rows are kept until the end.
pub struct Rows {
    table: Table,
    /// How each column is shown.
    shows: Vec<(Show, Numbers)>,
    symbols: Symbols,
    screen: Screen,
}

impl Rows {
    /// The format for rows of this schema. Headings are the names in capitals, or expressions unchanged.
    pub fn new(schema: &Schema, screen: Screen) -> Rows {
        Rows {
            table: Table::new(schema.columns().iter().map(column).collect()),
            shows: schema.columns().iter().map(|column| column.show).zip(Numbers::of(schema)).collect(),
            symbols: Box::new(number::hex),
            screen,
        }
    }
}

fn column(column: &ColumnInfo) -> Column {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.[]".contains(c);
    let heading = match column.name.chars().all(is_plain) {
        true => &column.name.to_ascii_uppercase(),
        false => &column.name,
    };
    match column.ty {
        Type::Text
        | Type::Enum { .. }
        | Type::Bool
        | Type::Ip
        | Type::Stack
        | Type::Bytes
        | Type::Texts
        | Type::List { .. } => Column::text(heading),
        Type::Int { .. } | Type::Pointer | Type::Float => Column::number(heading),
    }
}

impl Format for Rows {
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    fn symbolise(&mut self, symbols: Symbols) {
        self.symbols = symbols;
    }

    fn row(&mut self, row: &Row<'_>, _out: &mut Vec<u8>) {
        let Rows { table, shows, symbols, .. } = self;
        for (value, (show, numbers)) in row.values().zip(shows) {
            table.add(|out| visit(value, *numbers, &mut Cell { show: *show, symbols, out }));
        }
    }

    fn broken_off(&mut self, out: &mut Vec<u8>) {
        self.end(out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.table.write(self.screen, out);
    }
}

/// Appends a value in a form for people.
struct Cell<'a> {
    show: Show,
    symbols: &'a Symbols,
    out: &'a mut Vec<u8>,
}

impl Visitor for Cell<'_> {
    fn null(&mut self) {
        self.out.push(b'-');
    }

    fn int(&mut self, value: i64) {
        match (u64::try_from(value), self.show) {
            // The result of a computation is signed, even if it is never negative.
            (Ok(value), _) => self.uint(value),
            // Hexadecimal shows the bits, not the sign.
            (Err(_), Show::Hex) => number::hex(value as u64, self.out),
            (Err(_), _) => number::decimal(value, self.out),
        }
    }

    fn uint(&mut self, value: u64) {
        let out = &mut *self.out;
        // Writing to a vector never fails.
        match self.show {
            Show::Hex => number::hex(value, out),
            Show::Nanoseconds => drop(write!(out, "{}", Duration(value))),
            Show::Bytes => drop(write!(out, "{}", Size(value))),
            Show::Octal if value > 0 => drop(write!(out, "0{value:o}")),
            Show::Device => {
                let (major, minor) = device(value);
                let _ = write!(out, "{major}:{minor}");
            }
            // Only of a kernel of which it is not known when it was booted.
            Show::BootTime => drop(write!(out, "{}", Duration(value))),
            // Characters have the type text, and numbers with names the type enum; bits have a method of their own.
            Show::Plain | Show::Octal | Show::Bits64 | Show::Char | Show::Names(_) => {
                number::decimal(value, out);
            }
        }
    }

    fn bool(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"yes" } else { b"no" });
    }

    /// What an empty cell or NULL could be mistaken for is escaped: `-`, and spaces at either end.
    fn text(&mut self, text: &[u8]) {
        let spaces = text.len() - text.trim_ascii_start().len();
        let (first, rest) = text.split_at(if text == b"-" { 1 } else { spaces });
        let (middle, last) = rest.split_at(rest.trim_ascii_end().len());
        // Writing to a vector never fails.
        let _ = Special::Bytes(first).write(self.out);
        add_escaped(middle, self.out);
        let _ = Special::Bytes(last).write(self.out);
    }

    fn nameless(&mut self, value: i128) {
        number::decimal(value, self.out);
    }

    fn pointer(&mut self, address: u64) {
        number::hex(address, self.out);
    }

    fn ip(&mut self, address: IpAddr) {
        number::ip(address, self.out);
    }

    fn link_local(&mut self, address: Ipv6Addr, device: u32) {
        number::link_local(address, device, self.out);
    }

    fn stack(&mut self, stack: Stack<'_>) {
        number::stack(stack, self.symbols, b" ", self.out);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        number::bytes(bytes, self.out);
    }

    fn float(&mut self, value: f64) {
        number::float(value, self.out);
    }

    fn texts(&mut self, texts: Texts<'_>) {
        self.text(&texts.joined().collect::<Vec<_>>());
    }

    fn list(&mut self, list: List<'_>) {
        for (nth, value) in list.values().enumerate() {
            if nth > 0 {
                self.out.push(b' ');
            }
            visit(value, Numbers::Plain, self);
        }
    }

    fn date(&mut self, date: DateTime) {
        number::date(date, self.out);
    }

    fn bits(&mut self, bits: u64) {
        number::bits(bits, self.out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(columns: &[Column], cells: &[&str], width: usize) -> String {
        let mut table = Table::new(columns.to_vec());
        cells.iter().for_each(|cell| table.cell(cell));
        let mut out = Vec::new();
        table.write(Screen { width: Some(width), colour: false }, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_stand_below_their_headings() {
        let columns = [Column::number("PID"), Column::text("NAME"), Column::text("PATH")];
        let cells = ["1", "init", "/sbin/init", "12345", "a\nb\x1b", "", "7", "名前", "x"];
        assert_eq!(
            shown(&columns, &cells, 80),
            "  PID  NAME        PATH\n    1  init        /sbin/init\n12345  a\\x0ab\\x1b\n    7  名前        x\n"
        );
    }

    #[test]
    fn texts_look_like_nothing_else() {
        let shown = |text: &[u8]| {
            let mut out = Vec::new();
            Cell { show: Show::Plain, symbols: &(Box::new(number::hex) as Symbols), out: &mut out }
                .text(text);
            String::from_utf8(out).unwrap()
        };
        for (text, wanted) in [
            ("-", r"\x2d"),
            ("-a", "-a"),
            (" a  b ", r"\x20a  b\x20"),
            ("  ", r"\x20\x20"),
            ("", ""),
            ("\\", r"\\"),
            ("\u{200b}", r"\xe2\x80\x8b"),
        ] {
            assert_eq!(shown(text.as_bytes()), wanted);
        }
        assert_eq!(shown(b" \xff"), r"\x20\xff");
    }

    #[test]
    fn what_is_too_wide_is_cut_and_marked() {
        let columns = [Column::number("PID"), Column::text("SHORT"), Column::text("LONG")];
        let cells = ["12345", "abcdefgh", "0123456789012345678901234567890123456789"];
        assert_eq!(shown(&columns, &cells, 30), "  PID  SHORT     LONG\n12345  abcdefgh  012345678901…\n");
        assert_eq!(shown(&columns, &cells, 22), "  PID  SHORT    LONG\n12345  abcdef…  01234…\n");
        assert_eq!(shown(&columns, &cells, 10), "  PID  SH…\n12345  ab…\n");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_screen(
            cells in prop::collection::vec("[a-z 名é\\x1b\u{301}]{0,30}", 0..30),
            width in 1..60usize,
        ) {
            let columns = [Column::number("N"), Column::text("a"), Column::text("名前名前"), Column::number("M"), Column::text("")];
            let cells: Vec<_> = cells.iter().map(String::as_str).collect();
            for line in shown(&columns, &cells, width).lines() {
                prop_assert!(line.width() <= width, "{line:?}");
            }
        }
    }
}
