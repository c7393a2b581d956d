//! Evaluates conditions on complete rows, in the three values of SQL: true, false, and `None` for unknown.

use kwalk_query::{Operand, Row, Test, Texts, Value};

/// The value of a condition for a row.
pub(super) fn holds(test: &Test, row: &Row<'_>) -> Option<bool> {
    match test {
        Test::Known(value) => *value,
        Test::Column(column) => match row.get(*column) {
            Value::Int(value) => Some(value != 0),
            Value::Uint(value) => Some(value != 0),
            _ => None,
        },
        Test::Compare(op, left, right) => {
            let (left, right) = (text(left, row)?, text(right, row)?);
            Some(op.holds(left.joined().cmp(right.joined())))
        }
        Test::Like(of, pattern) => Some(matches(text(of, row)?.joined(), pattern)),
        Test::IsNull(column) => Some(row.get(*column) == Value::Null),
        Test::IsUnknown(of) => Some(holds(of, row).is_none()),
        Test::Is(truth, of) => Some(holds(of, row) == Some(*truth)),
        Test::Not(of) => holds(of, row).map(|value| !value),
        Test::And(all) => decided_by(false, all, row),
        Test::Or(any) => decided_by(true, any, row),
        Test::Case(arms, otherwise) => {
            let arm = arms.iter().find(|(condition, _)| holds(condition, row) == Some(true));
            holds(arm.map_or(otherwise, |(_, value)| value), row)
        }
    }
}

/// AND or OR: a single term with the value `decisive` decides; else it is unknown if one term is.
fn decided_by(decisive: bool, terms: &[Test], row: &Row<'_>) -> Option<bool> {
    let mut result = Some(!decisive);
    for term in terms {
        match holds(term, row) {
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
