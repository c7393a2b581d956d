//! What a literal means beside the value that it is compared with: a date beside a time since boot, a number with a
//! leading 0 beside one that is shown in octal, or as bits in hexadecimal; and which texts an array can't have.

use alloc::string::String;
use alloc::vec::Vec;

use kwalk_progs::Span;

use crate::columns::Show;
use crate::date;
use crate::error::{Error, Reason};
use crate::expr::{Compare, Expr};
use crate::ir::{Condition, Number, Text, TextKind};
use crate::planner::Planner;

impl Planner<'_> {
    /// Compares a time since boot, cut to the milliseconds in which it is shown, with a date.
    pub(crate) fn date(
        &self,
        op: Compare,
        number: &Number,
        text: &[u8],
        literal: &Expr,
    ) -> Result<Condition, Error> {
        let fail = |reason| Err(Error::new(reason, literal.span.clone()));
        let text = String::from_utf8_lossy(text);
        let Some(date) = date::parse(&text) else {
            let needs = Show::BootTime.needs();
            return fail(Reason::Literal { text: text.into(), needs, near: Vec::new() });
        };
        let Some(booted) = self.names.kernel.booted else {
            return fail(Reason::Unsupported("a date, as it is not known when this kernel was booted,"));
        };
        // The millisecond of the date, as times since boot.
        let first = date - date.rem_euclid(date::PRECISION) - i128::from(booted);
        let next = first + date::PRECISION;
        let is_whole = date % date::PRECISION == 0;
        let is = |op, bound| Condition::compared(op, number.clone(), Number::constant(bound));
        Ok(match op {
            Compare::Eq | Compare::Ne if !is_whole => {
                return fail(Reason::Literal {
                    text: text.into(),
                    needs: "a date of at most 3 digits of a second, as times are shown",
                    near: Vec::new(),
                });
            }
            Compare::Eq => Condition::merged(vec![is(Compare::Ge, first), is(Compare::Lt, next)], true),
            Compare::Ne => Condition::merged(vec![is(Compare::Lt, first), is(Compare::Ge, next)], false),
            Compare::Lt if is_whole => is(Compare::Lt, first),
            Compare::Ge if is_whole => is(Compare::Ge, first),
            Compare::Lt | Compare::Le => is(Compare::Lt, next),
            Compare::Gt | Compare::Ge => is(Compare::Ge, next),
        })
    }

    /// A literal with a leading 0 as the number that it is beside a column that is shown with leading zeros.
    pub(crate) fn with_zero(&self, literal: &Expr) -> Result<Option<i128>, Error> {
        let text = literal.span.as_ref().map_or("", Span::excerpt);
        let has_zero = text.len() > 1 && text.starts_with('0');
        if !has_zero || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let (radix, needs) = match self.zeros {
            Show::Octal => (8, "an octal number, as a leading 0 says beside a column that is shown in octal"),
            Show::Bits64 => {
                (16, "64 bits in hexadecimal, as a leading 0 says beside a column that is shown so")
            }
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => return Ok(None),
            _ => (10, "a number: hexadecimal digits follow 0x"),
        };
        u64::from_str_radix(text, radix).map(|value| Some(value.into())).map_err(|_| {
            Error::new(Reason::Literal { text: text.into(), needs, near: Vec::new() }, literal.span.clone())
        })
    }

    /// Refuses a text that an array can never have. The kernel's own end with a NUL; an array in a map's element need not.
    pub(crate) fn fits_text(&self, text: &Text, len: usize) -> Result<(), Reason> {
        let room = text.place.field.size as usize;
        let max = if self.names.is_in_element(&text.place) { room } else { room.saturating_sub(1) };
        match text.kind {
            TextKind::Array if len > max => Err(Reason::TextLength { len, max }),
            _ => Ok(()),
        }
    }
}
