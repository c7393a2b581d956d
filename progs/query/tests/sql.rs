//! SQL is parsed to the right expressions; any other text gives an error with a span in it.

#![cfg(feature = "sql")]

use kwalk_query::{Arithmetic, Compare, Expr, FUNCTIONS, Key, Node, Reason, Syntax, case, field, sql};
use proptest::prelude::*;
use proptest::sample::select;

#[test]
fn texts_are_the_expressions_that_they_say() {
    let f = field;
    let cases = [
        ("tgid = 1", f("tgid").eq(1)),
        ("tgid<>0x1F", f("tgid").ne(31)),
        ("tgid != 1", f("tgid").ne(1)),
        ("flags & 0o17 = 0O777", (f("flags") & 15).eq(511)),
        ("(((tgid))) >= -5", f("tgid").ge(-5)),
        ("-9223372036854775808 = - a", Expr::from(i64::MIN).eq(-f("a"))),
        ("a = 18446744073709551615", f("a").eq(u64::MAX)),
        ("a = true", f("a").eq(true)),
        ("a + b * c - 1 = 0", (f("a") + f("b") * f("c") - 1).eq(0)),
        ("a & 1 << 2 = 0", ((f("a") & 1) << 2).eq(0)),
        ("a & (1 << 2) = 0", (f("a") & (Expr::from(1) << 2)).eq(0)),
        ("a | b ^ c", f("a") | (f("b") ^ f("c"))),
        ("~a >> 3 % 2", (f("a") ^ -1) >> (Expr::from(3) % 2)),
        ("a = 1 and b = 2 or not c = 3", f("a").eq(1).and(f("b").eq(2)).or(f("c").eq(3).not())),
        ("a = 1 or b = 2 and c = 3", f("a").eq(1).or(f("b").eq(2).and(f("c").eq(3)))),
        ("a in (1, 2)", f("a").is_in([1, 2])),
        ("a not in (1)", f("a").is_in([1]).not()),
        ("a between 1 and 2 and b", f("a").between(1, 2).and(f("b"))),
        ("a not between 1 and 2", f("a").between(1, 2).not()),
        ("c LIKE 'it''s%'", f("c").like("it's%")),
        ("c not like '_'", f("c").like("_").not()),
        ("a.b is null", f("a.b").is_null()),
        ("a is not null", f("a").is_not_null()),
        ("(a = 1) is unknown", f("a").eq(1).is_null()),
        ("(a = 1) is not true", f("a").eq(1).is_true().not()),
        ("files.fd_array[3].f_pos = 0", f("files.fd_array[3].f_pos").eq(0)),
        ("a[0] = 0 -- and that is all", f("a[0]").eq(0)),
        ("\"type\" = \"select\"", f("type").eq(f("select"))),
    ];
    for (text, wanted) in cases {
        assert_eq!(sql::expression(text), Ok(wanted), "{text}");
    }
}

#[test]
fn columns_have_the_names_that_they_are_given() {
    let columns = sql::columns("tgid, a + 1 AS more, (b) as \"odd name\"").unwrap();
    let wanted = [field("tgid").into(), from(field("a") + 1, "more"), from(field("b"), "odd name")];
    assert_eq!(columns, wanted);

    fn from(expr: Expr, name: &str) -> kwalk_query::Column {
        kwalk_query::Column::from(expr).named(name)
    }
}

#[test]
fn spans_are_where_things_stand() {
    let text = "comm = 'ü' and\n  -5 < x.y[2]";
    let error = sql::expression(&format!("{text} + f(1)")).unwrap_err();
    assert_eq!(error.span.unwrap().excerpt(), "f(1)");
    let inner = sql::expression("a < (b + (c)) * ((d) - f( g [ 1 ] ) )").unwrap_err();
    assert_eq!(inner.span.unwrap().excerpt(), "f( g [ 1 ] )");
    let parsed = sql::expression(text).unwrap();
    assert_eq!(parsed.span().unwrap().excerpt(), "comm = 'ü' and\n  -5 < x.y[2]");
}

/// What a column is called that has no other name, and what stands before its parts.
#[test]
fn spans_begin_with_operators() {
    for text in [
        "~pid",
        "- pid",
        "-(pid)",
        "-((a + b))",
        "- -pid",
        "~(-pid)",
        "-pid + 1",
        "~ a.b[3] << 1",
        "(-8) / 3",
        "(~a) + (-b)",
        "-case when -a > 1 then b end",
        "1 - nullif(-(a), 3)",
        "not a = 1",
        "not(-a between 1 and 2)",
        "not not (a)",
    ] {
        assert_eq!(sql::expression(text).unwrap().span().unwrap().excerpt(), text);
    }
    // Where they are not beside each other, there is no such place.
    assert!(sql::expression("-/* what */a").unwrap().span().is_none());
    let columns = sql::columns("-a, (-b) * 2").unwrap();
    assert_eq!(columns, [(-field("a")).into(), (-field("b") * 2).into()]);
}

/// Any tree, even one that can't be planned: all trees that an engine can build must be displayed and parsed.
fn exprs() -> impl Strategy<Value = Expr> {
    let names = select(vec![
        "tgid",
        "real_parent.comm",
        "fd[3].f_pos",
        "end",
        "Case",
        "select.from",
        "a b",
        "é\"",
        "null",
    ]);
    let leaf = prop_oneof![
        names.prop_map(field),
        any::<i64>().prop_map(Expr::from),
        any::<u64>().prop_map(Expr::from),
        "[a-z%_' \\\\\n]{0,6}".prop_map(Expr::from),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| Node::Text(bytes).into()),
    ];
    leaf.prop_recursive(4, 24, 3, |of| {
        let list = |of: &BoxedStrategy<Expr>| prop::collection::vec(of.clone(), 2..4);
        let of = of.boxed();
        let (a, b, c) = (|| of.clone(), || of.clone(), || of.clone());
        let boxed = |expr: Expr| Box::new(expr);
        let compare =
            select(vec![Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge]);
        let arithmetic = select(vec![
            Arithmetic::Add,
            Arithmetic::Sub,
            Arithmetic::Mul,
            Arithmetic::Div,
            Arithmetic::Rem,
            Arithmetic::And,
            Arithmetic::Or,
            Arithmetic::Xor,
            Arithmetic::Shl,
            Arithmetic::Shr,
        ]);
        let called = select(FUNCTIONS.to_vec());
        prop_oneof![
            a().prop_map(move |of| Node::Neg(boxed(of)).into()),
            (arithmetic, a(), b())
                .prop_map(move |(op, l, r)| Node::Arithmetic(op, boxed(l), boxed(r)).into()),
            (compare, a(), b()).prop_map(move |(op, l, r)| Node::Compare(op, boxed(l), boxed(r)).into()),
            list(&of).prop_map(|all| Node::And(all).into()),
            list(&of).prop_map(|any| Node::Or(any).into()),
            a().prop_map(move |of| Node::Not(boxed(of)).into()),
            a().prop_map(move |of| Node::IsNull(boxed(of)).into()),
            (any::<bool>(), a()).prop_map(move |(truth, of)| Node::Is(truth, boxed(of)).into()),
            (a(), list(&of)).prop_map(move |(of, list)| Node::In(boxed(of), list).into()),
            (a(), b(), c()).prop_map(move |(of, l, h)| Node::Between(boxed(of), boxed(l), boxed(h)).into()),
            (a(), b()).prop_map(move |(of, pattern)| Node::Like(boxed(of), boxed(pattern)).into()),
            (called, a()).prop_map(|(function, of)| {
                Node::Call(function.function, vec![of; function.arguments.len()]).into()
            }),
            (a(), b(), prop::option::of(c())).prop_map(move |(condition, value, otherwise)| {
                Node::Case { arms: vec![(condition, value)], otherwise: otherwise.map(boxed) }.into()
            }),
        ]
    })
}

/// A name is quoted if it is a word of the grammar that can't be a name otherwise.
#[test]
fn words_of_the_grammar_are_names() {
    let mut wrong = Vec::new();
    for word in sqlparser::keywords::ALL_KEYWORDS {
        let word = word.to_ascii_lowercase();
        for expr in [
            field(&*word),
            case([(field(&*word).gt(1), field(&*word))]).or_else(field(&*word)),
            field(&*word).like("a").and(field(&*word).is_null()),
        ] {
            let text = expr.to_string();
            if sql::expression(&text).ok() != Some(expr) {
                wrong.push(word.clone());
            }
        }
    }
    wrong.dedup();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn redundant_parentheses_say_nothing() {
    let many = |text: &str| format!("{}{text}{}", "(".repeat(400), ")".repeat(400));
    let plain = sql::expression("a + b > 1 and c like 'x%'").unwrap();
    let text = format!("{} and {}", many(&format!("{} + {} > 1", many("a"), many("b"))), many("c like 'x%'"));
    assert_eq!(sql::expression(&text), Ok(plain));
    // Parentheses that are not redundant stay.
    assert_eq!(sql::expression("((a + b) * (c))"), Ok((field("a") + field("b")) * field("c")));
    for text in ["((a)", "(a))", "()", "(())", "ip(((a, b)))"] {
        assert!(sql::expression(text).is_err(), "{text}");
    }
}

#[test]
fn orders_are_the_keys_that_they_say() {
    let key = |expr: Expr| Key::from(expr);
    let cases = [
        ("a", vec![key(field("a"))]),
        ("a desc, b ASC , c.d[1]", vec![key(field("a")).descending(), key(field("b")), key(field("c.d[1]"))]),
        ("a + b desc", vec![key(field("a") + field("b")).descending()]),
        ("-a", vec![key(-field("a"))]),
    ];
    for (text, keys) in cases {
        assert_eq!(sql::keys(text), Ok(keys), "{text}");
    }
    let wanted = "a comma, ASC, DESC or the end";
    for text in ["a desc desc", "a nulls first", "a b", "a desc b", "a as b"] {
        let error = sql::keys(text).unwrap_err();
        assert_eq!(*error.reason, Reason::Syntax(Syntax::Expected(wanted)), "{text}");
    }
    // By itself, `desc` is a name.
    for text in ["", "a,", "a desc,"] {
        assert!(sql::keys(text).is_err(), "{text}");
    }
}

/// The reason of an error, and the part of the text at fault.
#[test]
fn a_syntax_error_is_at_its_token() {
    let unexpected = |text: &str| Syntax::Unexpected(text.into());
    let cases = [
        ("", Syntax::End, ""),
        ("pid = ", Syntax::End, ""),
        ("(pid = 1", Syntax::End, ""),
        ("pid /* x", Syntax::End, ""),
        // The parser tries alternatives here, and goes back.
        ("cast(pid as", Syntax::End, ""),
        ("pid = )", unexpected(")"), ")"),
        ("pid in ( )", unexpected(")"), ")"),
        ("pid = = 1", unexpected("="), "="),
        ("pid in 1", unexpected("1"), "1"),
        ("pid between 1 or 2", unexpected("or"), "or"),
        ("pid is 'x'", unexpected("'x'"), "'x'"),
        ("é = 1 and\n\té <> ,", unexpected(","), ","),
        // Column 1 is not column 10.
        ("(((((((((= 1)))))))))", unexpected("="), "="),
        ("pid = 'a' and comm = 'b", Syntax::OpenQuote, "'b"),
        ("pid = \"x", Syntax::OpenQuote, "\"x"),
        ("comm = e'a", Syntax::Unreadable, "e'a"),
        ("pid = 0x", Syntax::Number("0x".into()), "0x"),
        ("pid = 99999999999999999999", Syntax::Number("99999999999999999999".into()), "99999999999999999999"),
        ("comm like 'a' junk", Syntax::Expected("the end"), "junk"),
        ("pid = 1)", Syntax::Expected("the end"), ")"),
    ];
    for (text, syntax, marked) in cases {
        let error = sql::expression(text).unwrap_err();
        assert_eq!(*error.reason, Reason::Syntax(syntax), "{text}");
        assert_eq!(error.span.unwrap().excerpt(), marked, "{text}");
    }
    let error = sql::expression("a = 1 and b = = 2").unwrap_err();
    assert_eq!(error.span.unwrap().range(), 14..15);
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(expr in exprs()) {
        let text = expr.to_string();
        prop_assert_eq!(sql::expression(&text).map_err(|error| error.to_string()), Ok(expr), "{}", text);
    }

    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        for error in [sql::expression(&text).err(), sql::columns(&text).err(), sql::keys(&text).err()].into_iter().flatten() {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_words_have_an_answer(words in prop::collection::vec(select(WORDS.to_vec()), 0..40)) {
        let text = words.join(" ");
        for error in [sql::expression(&text).err(), sql::columns(&text).err(), sql::keys(&text).err()].into_iter().flatten() {
            prop_assert!(!error.to_string().is_empty());
            prop_assert!(error.span.is_some() || *error.reason == Reason::TooComplex, "{}", error);
        }
    }
}

const WORDS: &[&str] = &[
    "tgid", "comm", ".", "(", ")", "[", "]", "1", "0x", "0xff", "'a'", "'", "%", "+", "-", "--", "/", "*",
    "<<", ">>", "&", "|", "^", "~", "=", "<>", "<", "and", "or", "not", "is", "null", "true", "in",
    "between", "like", "escape", "as", ",", "case", "when", "then", "end", "cast", "select", "from",
    "exists", "interval", "::", "int", "::", "||", "{", "}", "$1", "?", "@", "\"x\"", "array", "struct",
    "over", "desc", "asc", "nulls", ";", "\n", "ü",
];
