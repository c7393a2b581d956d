//! Named columns: their expressions in the kernel's types, and what their values mean.

use core::fmt;

use kwalk_progs::Version;

use crate::expr::Expr;

/// A column that a target has under a name of its own.
#[derive(Debug, Clone, Copy)]
pub struct NamedColumn {
    /// Its name.
    pub name: &'static str,
    /// Whether the column is shown if a selection names no columns.
    pub default: bool,
    /// How a value is shown.
    pub show: Show,
    /// The expression, or the alternatives for different kernels.
    pub source: Source,
    /// The unit of the values, in plain English: `bytes`, `ns`, `threads`; empty for texts, names, ids and flags.
    pub unit: &'static str,
    /// What the value says about an object, as a fragment of a sentence.
    pub meaning: &'static str,
    /// The first kernel that has the column, if the target is older.
    pub since: Option<Version>,
}

/// How a named column is computed.
#[derive(Clone, Copy)]
pub enum Source {
    /// Field paths, from the target's object or from a context argument. The first that the kernel's types have counts.
    Paths(&'static [&'static str]),
    /// Expressions. The first that can be planned for the kernel counts.
    Exprs(&'static [fn() -> Expr]),
    /// A number of a process or thread: a field with the kernel's own number, and an expression for the number in the pid
    /// namespace of who reads the rows, if that is another one.
    Pid(&'static str, fn() -> Expr),
}

/// Displays what a user would write to get the same value.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Paths(paths) => f.write_str(paths.first().unwrap_or(&"")),
            Source::Exprs(exprs) => exprs.first().map_or(Ok(()), |expr| expr().fmt(f)),
            Source::Pid(path, _) => f.write_str(path),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a value is shown, if its type alone does not say so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Show {
    /// As the type says.
    #[default]
    Plain,
    /// In hexadecimal.
    Hex,
    /// In octal.
    Octal,
    /// Nanoseconds.
    Nanoseconds,
    /// Nanoseconds since boot, suspension included (`CLOCK_BOOTTIME`): shown as a date in UTC
    /// ([`Schema::booted`](crate::Schema::booted)).
    BootTime,
    /// A set of 64 bits, in 16 hexadecimal digits, as /proc/PID/status shows capabilities.
    Bits64,
    /// Bytes.
    Bytes,
    /// A device number, as stat(2) gives it: shown as `major:minor` ([`device`]).
    Device,
    /// A number as the character that has its code.
    Char,
    /// A number as its name in this table.
    Names(Numbers),
}

/// The major and the minor number of a device number, as stat(2) gives it.
///
/// ```
/// assert_eq!(kwalk_query::device(0x801), (8, 1));
/// assert_eq!(kwalk_query::device(0x10_0002), (0, 258));
/// ```
pub const fn device(st_dev: u64) -> (u64, u64) {
    (st_dev >> 8 & 0xfff, st_dev & 0xff | st_dev >> 12 & 0xf_ff00)
}

/// Names for numbers that no enum of the kernel's types names.
pub type Numbers = &'static [(i128, &'static str)];

impl Show {
    /// The unit of numbers that are shown this way; empty if this does not tell.
    pub const fn unit(&self) -> &'static str {
        match self {
            Show::Nanoseconds => "ns",
            Show::Bytes => "bytes",
            Show::Plain
            | Show::Hex
            | Show::Octal
            | Show::BootTime
            | Show::Bits64
            | Show::Device
            | Show::Char
            | Show::Names(_) => "",
        }
    }

    /// Parses what a user writes for a number that is shown this way: a duration (`1.5s`, `12m03s`, `2d`), a size (`4096`,
    /// `64K`, `1.5GiB`), a device (`8:1`) or bits (`00000000a80425fb`). `None` if the text is none, or if numbers are shown
    /// as they are, or as dates, which depend on when the kernel was booted.
    ///
    /// ```
    /// use kwalk_query::Show;
    /// assert_eq!(Show::Nanoseconds.parse("1.5s"), Some(1_500_000_000));
    /// assert_eq!(Show::Nanoseconds.parse("12m03s"), Some(723_000_000_000));
    /// assert_eq!(Show::Nanoseconds.parse("3s12m"), None);
    /// assert_eq!(Show::Bytes.parse("64K"), Some(65_536));
    /// assert_eq!(Show::Device.parse("8:1"), Some(8 << 8 | 1));
    /// assert_eq!(Show::Bits64.parse("00000000a80425fb"), Some(0xa804_25fb));
    /// assert_eq!(Show::Plain.parse("1"), None);
    /// ```
    pub fn parse(&self, text: &str) -> Option<i128> {
        match self {
            // Several numbers can have one name: the planner looks names up itself.
            Show::Names(_) => None,
            Show::Nanoseconds => duration(text),
            Show::Bytes => scaled(text, SIZES),
            Show::Device => {
                let (major, minor) = text.split_once(':')?;
                let (major, minor) = (major.parse::<u16>().ok()?, minor.parse::<u32>().ok()?);
                (major < 1 << 12 && minor < 1 << 20).then(|| {
                    i128::from(minor & !0xff) << 12 | i128::from(major) << 8 | i128::from(minor & 0xff)
                })
            }
            Show::Bits64 => {
                let digits = text.strip_prefix("0x").unwrap_or(text);
                let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                u64::from_str_radix(digits, 16).ok().filter(|_| is_number).map(i128::from)
            }
            Show::Char => match text.as_bytes() {
                [one] => Some((*one).into()),
                _ => None,
            },
            Show::Plain | Show::Hex | Show::Octal | Show::BootTime => None,
        }
    }

    /// Describes the form that [`Show::parse`] accepts, for errors.
    pub(crate) fn needs(&self) -> &'static str {
        match self {
            Show::Names(_) => "one of its names",
            Show::Nanoseconds => "a duration, such as '1.5s', '10m' or '2d'",
            Show::Bytes => "a size, such as '64K' or '1.5G'",
            Show::BootTime => "a date, such as '2026-11-29 19:00:00' or '2026-11-29T19:00:00.000Z'",
            Show::Bits64 => "bits in hexadecimal, such as '00000000a80425fb'",
            Show::Device => "a device, such as '8:1'",
            Show::Char => "one character",
            Show::Plain | Show::Hex | Show::Octal => "a number",
        }
    }
}

const DURATIONS: &[(&str, i128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

const SIZES: &[(&str, i128)] = &[
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KB", 1 << 10),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MB", 1 << 20),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GB", 1 << 30),
    ("GiB", 1 << 30),
    ("T", 1 << 40),
    ("TB", 1 << 40),
    ("TiB", 1 << 40),
];

/// Parses a duration: numbers with their units, one after the other, each unit smaller than the one before.
fn duration(text: &str) -> Option<i128> {
    let (mut rest, mut sum, mut last) = (text.trim(), 0_i128, i128::MAX);
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let behind = rest.get(number..)?;
        let unit = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (one, more) = rest.split_at_checked(number + unit)?;
        let scale = scaled(&format!("1{}", behind.get(..unit)?), DURATIONS)?;
        if scale >= last {
            return None;
        }
        sum = sum.checked_add(scaled(one, DURATIONS)?)?;
        (rest, last) = (more, scale);
    }
    (last < i128::MAX).then_some(sum)
}

/// Parses a number, perhaps with a fraction, and its unit.
fn scaled(text: &str, units: &[(&str, i128)]) -> Option<i128> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let unit = unit.trim_start();
    let (_, scale) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let digits = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok() };
    let below = i128::from(digits(fraction)?) * scale / 10_i128.pow(fraction.len() as u32);
    i128::from(digits(whole)?).checked_mul(*scale)?.checked_add(below)
}

/// Declares a target's table of columns.
///
/// A row has the name, whether the column is shown by default, how it is shown, its expression, and its meaning. The
/// expression is a field path, several paths for different kernels (in brackets), or [`Expr`]s (in braces); the first
/// that the kernel has counts. In parentheses, it is a [`Source::Pid`]. After it comes the unit, for numbers that are shown plainly; at the end, the first
/// kernel that has the column, if the target is older.
macro_rules! columns {
    ($($name:ident, $default:ident, $show:expr, $source:tt $(in $unit:literal)?, $meaning:literal $(since $since:tt)?;)*) => {
        &[$($crate::columns::NamedColumn {
            name: stringify!($name),
            default: $crate::columns::columns!(@$default),
            show: $show,
            source: $crate::columns::columns!(@source $source),
            unit: $crate::columns::columns!(@unit $show $(, $unit)?),
            meaning: $meaning,
            since: $crate::columns::columns!(@since $($since)?),
        }),*]
    };
    (@since) => { None };
    (@since $since:tt) => { Some($since) };
    (@default) => { true };
    (@more) => { false };
    (@unit $show:expr) => { $show.unit() };
    (@unit $show:expr, $unit:literal) => { $unit };
    (@source [$($path:literal)|+]) => { $crate::columns::Source::Paths(&[$($path),+]) };
    (@source {$($expr:expr);+}) => { $crate::columns::Source::Exprs(&[$(|| $expr),+]) };
    (@source ($path:literal, $expr:expr)) => { $crate::columns::Source::Pid($path, || $expr) };
    (@source $path:literal) => { $crate::columns::Source::Paths(&[$path]) };
}
pub(crate) use columns;
