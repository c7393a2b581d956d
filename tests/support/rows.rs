//! Rows as tests look at them.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses its own part of it")]

use kwalk::btf::Btf;
use kwalk::select::{Plan, Rows, Select, Value};
use kwalk::{Error, KernelBtf};

/// A selection of these fields, planned for the running kernel, and its rows as `open` opens them.
pub fn opened<const N: usize>(
    target: &str,
    fields: [&str; N],
    open: impl FnOnce(Plan, &Btf<'_>) -> Result<Rows, Error>,
) -> Result<Rows, Error> {
    let kernel = KernelBtf::open()?;
    let btf = Btf::new(kernel.bytes())?;
    open(Select::new(target).fields(fields).plan(&btf)?, &btf)
}

/// What `row` makes of each of the rows.
pub fn all<T>(mut rows: Rows, row: impl Fn(&[Value<'_>]) -> T) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    while let Some(values) = rows.next_row()? {
        all.push(row(&values.values().collect::<Vec<_>>()));
    }
    Ok(all)
}

#[track_caller]
pub fn number(value: &Value<'_>) -> u64 {
    match *value {
        Value::Int(value) => value.try_into().expect("no negative number"),
        Value::Uint(value) => value,
        ref other => panic!("{other:?} is no number"),
    }
}

#[track_caller]
pub fn text(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => panic!("{other:?} is no text"),
    }
}
