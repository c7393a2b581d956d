//! Evaluates conditions on complete rows, in the three values of SQL: true, false, and `None` for unknown.

use kwalk_query::{Choice, Operand, Row, Test, Texts, Value};

/// The value of a condition for a complete row.
pub(super) fn holds(test: &Test, row: &Row<'_>) -> Option<bool> {
    value(test, row, true)
}

/// The value of a condition for a row in which nothing is filled in yet, if that can't change it.
pub(super) fn decided(test: &Test, row: &Row<'_>) -> Option<bool> {
    value(test, row, false)
}

/// The 64 bits of a number; `None` for NULL.
pub(super) fn chosen(choice: &Choice, row: &Row<'_>) -> Option<[u8; 8]> {
    let arm = choice.arms.iter().find(|(condition, _)| holds(condition, row) == Some(true));
    let column = arm.map(|(_, column)| *column).or(choice.otherwise)?;
    match row.get(column) {
        Value::Int(value) => Some(value.to_ne_bytes()),
        Value::Uint(value) => Some(value.to_ne_bytes()),
        Value::Bool(value) => Some(u64::from(value).to_ne_bytes()),
        Value::Enum { value, .. } => Some((value as i64).to_ne_bytes()),
        _ => None,
    }
}

/// The value of a condition. If the row is not `complete`, what looks at its texts can be anything, which is `None` too.
fn value(test: &Test, row: &Row<'_>, complete: bool) -> Option<bool> {
    let value = |test: &Test| value(test, row, complete);
    match test {
        Test::Known(value) => *value,
        Test::Column(column) => match row.get(*column) {
            Value::Int(value) => Some(value != 0),
            Value::Uint(value) => Some(value != 0),
            _ => None,
        },
        Test::Compare(..) | Test::Like(..) | Test::IsNull(_) if !complete => None,
        Test::Compare(op, left, right) => {
            let (left, right) = (text(left, row)?, text(right, row)?);
            Some(op.holds(left.joined().cmp(right.joined())))
        }
        Test::Like(of, pattern) => Some(matches(text(of, row)?.joined(), pattern)),
        Test::IsNull(column) => Some(row.get(*column) == Value::Null),
        Test::IsUnknown(of) => match value(of) {
            None if !complete => None,
            of => Some(of.is_none()),
        },
        Test::Is(truth, of) => match value(of) {
            None if !complete => None,
            of => Some(of == Some(*truth)),
        },
        Test::Not(of) => value(of).map(|value| !value),
        Test::And(all) => decided_by(false, all.iter().map(value)),
        Test::Or(any) => decided_by(true, any.iter().map(value)),
        Test::Case(arms, otherwise) => {
            for (condition, then) in arms {
                match value(condition) {
                    Some(true) => return value(then),
                    None if !complete => return None,
                    _ => {}
                }
            }
            value(otherwise)
        }
    }
}

/// AND or OR: a single term with the value `decisive` decides; else it is unknown if one term is.
fn decided_by(decisive: bool, terms: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(!decisive);
    for term in terms {
        match term {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

/// A text as a list of one, or a list; `None` for NULL.
fn text<'a>(operand: &'a Operand, row: &Row<'a>) -> Option<Texts<'a>> {
    match operand {
        Operand::Literal(text) => Some(Texts::new(text)),
        Operand::Column(column) => match row.get(*column) {
            Value::Text(text) => Some(Texts::new(text)),
            Value::Texts(texts) => Some(texts),
            _ => None,
        },
    }
}

/// Whether a text matches a pattern in which `%` stands for any bytes and `_` for any one byte.
fn matches(text: impl Iterator<Item = u8> + Clone, pattern: &[u8]) -> bool {
    let (mut text, mut at) = (text, 0);
    // Where to go on if a byte does not match: behind the last `%`, one byte further in the text than the last time.
    let mut again = None;
    loop {
        let rest = text.clone();
        match (text.next(), pattern.get(at)) {
            (_, Some(b'%')) => {
                at += 1;
                text = rest.clone();
                again = Some((at, rest));
            }
            (None, expected) => return expected.is_none(),
            (Some(byte), Some(expected)) if *expected == b'_' || *expected == byte => at += 1,
            _ => {
                let Some((start, from)) = &mut again else { return false };
                from.next();
                (at, text) = (*start, from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by trying every possibility.
    fn tried(text: &[u8], pattern: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'%', rest @ ..] => (0..=text.len()).any(|at| tried(&text[at..], rest)),
            [expected, rest @ ..] => {
                text.first().is_some_and(|byte| *expected == b'_' || expected == byte)
                    && tried(&text[1..], rest)
            }
        }
    }

    proptest! {
        #[test]
        fn patterns_match_as_if_tried(text in "[ab]{0,12}", pattern in "[ab%_]{0,8}") {
            let wanted = tried(text.as_bytes(), pattern.as_bytes());
            prop_assert_eq!(matches(text.bytes(), pattern.as_bytes()), wanted, "{} {}", text, pattern);
        }
    }

    #[test]
    fn a_long_text_takes_no_long_time() {
        let text = [vec![b'a'; 1 << 20], vec![b'b']].concat();
        assert!(matches(text.iter().copied(), b"%aaaaab"));
        assert!(!matches(text.iter().copied(), b"%aaaaac%"));
        assert!(matches(text.iter().copied(), b"a%a%a%b"));
    }
}
