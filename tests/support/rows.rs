//! Rows as tests look at them.

use kwalk::select::{Rows, Select, Value, Walk};
use kwalk::{Error, Scope};

use super::running;

/// The rows of a question about the running kernel.
pub fn walked<'a>(select: &Select, scope: Scope<'a>) -> Result<Rows<'a>, Error> {
    Walk::plan(select, &running(), scope)?.prepare()?.into_rows()
}

/// The rows of a target's objects with these fields.
pub fn opened<'a, const N: usize>(
    target: &str,
    fields: [&str; N],
    scope: Scope<'a>,
) -> Result<Rows<'a>, Error> {
    walked(&Select::new(target).fields(fields), scope)
}

/// How many objects a question picks.
pub fn counted(select: &Select, scope: Scope<'_>) -> Result<u64, Error> {
    Walk::plan_count(select, &running(), scope)?.prepare()?.count()
}

/// What `row` makes of each of the rows.
pub fn all<T>(mut rows: Rows<'_>, row: impl Fn(&[Value<'_>]) -> T) -> Result<Vec<T>, Error> {
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
