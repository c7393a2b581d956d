//! Parses SQL text to expressions, with the grammar of the crate `sqlparser` (generic dialect).
//!
//! SQL that no program in the kernel can do is refused, with carets below it. The precedences are, from the tightest:
//! `* / %`, `+ -`, `&`, `^ << >>`, `|`, comparisons with `IN` and `BETWEEN`, `LIKE`, `IS`, `NOT`, `AND`, `OR`.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use kwalk_progs::Span;
use sqlparser::ast::{
    self, AccessExpr, BinaryOperator, CaseWhen, Expr as Sql, Ident, Spanned, Subscript, UnaryOperator,
    Value as Literal,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, TokenizerError, Word};

use crate::error::{Error, Reason, Syntax};
use crate::expr::{Arithmetic, Compare, Expr, Node};
use crate::function::FUNCTIONS;
use crate::order::Key;
use crate::select::Column;

/// The maximal number of words, numbers and signs in a text.
const TOKENS_MAX: usize = 20_000;
/// The maximal number of operators in an expression. A chain of operators becomes a tree as deep as the chain is long,
/// which the parser drops recursively.
const OPERATORS_MAX: usize = 500;
/// The maximal depth of a tree for recursion in this module, which takes more stack than dropping.
const DEPTH_MAX: usize = 100;
/// The maximal depth of recursion in the parser.
const PARSER_DEPTH_MAX: usize = 50;

/// Parses a condition, or any other expression, to its end.
///
/// ```
/// use kwalk_query::{field, sql};
///
/// let condition = sql::expression("comm like 'ssh%' and flags & 0x40 <> 0")?;
/// assert_eq!(condition, field("comm").like("ssh%").and((field("flags") & 0x40).ne(0)));
///
/// let error = sql::expression("tgid = (select 1)").unwrap_err();
/// assert_eq!(error.to_string(), "a subquery can't be done in the kernel\n  tgid = (select 1)\n          ^^^^^^^^");
/// # Ok::<(), kwalk_query::Error>(())
/// ```
///
/// # Errors
///
/// What is wrong with the text, and where.
pub fn expression(text: &str) -> Result<Expr, Error> {
    let mut source = Source::new(text)?;
    let expr = source.expr()?;
    match source.parser.peek_token_ref().token {
        Token::EOF => Ok(expr),
        _ => Err(source.expected("the end")),
    }
}

/// Parses a list of columns, each `EXPR` or `EXPR AS NAME`, to its end.
///
/// # Errors
///
/// What is wrong with the text, and where.
pub fn columns(text: &str) -> Result<Vec<Column>, Error> {
    let mut source = Source::new(text)?;
    let mut columns = Vec::new();
    loop {
        let mut column = Column::from(source.expr()?);
        if source.parser.parse_keyword(Keyword::AS) {
            match source.parser.peek_token_ref().token.clone() {
                Token::Word(word) => column = column.named(word.value),
                _ => return Err(source.expected("a name")),
            }
            source.parser.advance_token();
        }
        columns.push(column);
        match source.parser.peek_token_ref().token {
            Token::Comma => source.parser.advance_token(),
            Token::EOF => return Ok(columns),
            _ => return Err(source.expected("a comma, AS or the end")),
        }
    }
}

/// Parses a list of what rows are ordered by, each `EXPR`, `EXPR ASC` or `EXPR DESC`, to its end.
///
/// # Errors
///
/// What is wrong with the text, and where.
pub fn keys(text: &str) -> Result<Vec<Key>, Error> {
    let mut source = Source::new(text)?;
    let mut keys = Vec::new();
    loop {
        let key = Key::from(source.expr()?);
        let direction = source.parser.parse_one_of_keywords(&[Keyword::ASC, Keyword::DESC]);
        keys.push(if direction == Some(Keyword::DESC) { key.descending() } else { key });
        match source.parser.peek_token_ref().token {
            Token::Comma => source.parser.advance_token(),
            Token::EOF => return Ok(keys),
            _ => return Err(source.expected("a comma, ASC, DESC or the end")),
        }
    }
}

struct Source {
    text: Arc<str>,
    parser: Parser<'static>,
    /// The number of operators in the expression; for a list, the maximum over its expressions.
    operators: usize,
    /// Whether the text is ASCII, so that characters are bytes.
    is_ascii: bool,
}

impl Source {
    fn new(text: &str) -> Result<Source, Error> {
        let parser = Parser::new(&GenericDialect).with_recursion_limit(PARSER_DEPTH_MAX);
        let mut source = Source { text: text.into(), parser, operators: 0, is_ascii: text.is_ascii() };
        let tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location();
        let tokens = tokens.map_err(|error| source.unreadable(&error))?;
        let tokens = without_redundant_parentheses(with_whole_numbers(tokens));
        let all = tokens.len();
        source.operators = most_operators(tokens.iter().map(|token| &token.token));
        if all > TOKENS_MAX || source.operators > OPERATORS_MAX {
            return Err(Error::new(Reason::TooComplex, None));
        }
        source.parser = source.parser.with_tokens_with_locations(tokens);
        Ok(source)
    }

    fn expr(&mut self) -> Result<Expr, Error> {
        let parsed = self.parser.parse_expr();
        parsed.map_err(|error| self.unexpected(&error)).and_then(|sql| self.lower(&sql, 0))
    }

    /// The byte offset of a location. The parser counts lines and characters from 1.
    fn offset(&self, place: Location) -> usize {
        let before = place.line.saturating_sub(1) as usize;
        let start: usize = self.text.split_inclusive('\n').take(before).map(str::len).sum();
        let line = self.text.get(start..).unwrap_or_default();
        let column = place.column.saturating_sub(1) as usize;
        // Without this, a list of thousands of items in one line would take quadratic time.
        if self.is_ascii {
            return start + column.min(line.len());
        }
        start + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
    }

    fn span(&self, of: sqlparser::tokenizer::Span) -> Option<Span> {
        (of != sqlparser::tokenizer::Span::empty())
            .then(|| self.closed(self.offset(of.start), self.offset(of.end)))
    }

    /// A span, extended to the brackets that match those in it: the parser leaves out the outer ones.
    fn closed(&self, mut start: usize, mut end: usize) -> Span {
        let part = self.text.get(start..end).unwrap_or_default();
        // The brackets that are opened or closed in it without a partner.
        let (mut opened, mut closed) = (Vec::new(), Vec::new());
        for sign in part.chars() {
            match sign {
                '(' => opened.push(')'),
                '[' => opened.push(']'),
                ')' | ']' if opened.last() == Some(&sign) => drop(opened.pop()),
                ')' => closed.push('('),
                ']' => closed.push('['),
                _ => {}
            }
        }
        for sign in opened.into_iter().rev() {
            let rest = self.text.get(end..).unwrap_or_default();
            let trimmed = rest.trim_start();
            end += if trimmed.starts_with(sign) { rest.len() - trimmed.len() + 1 } else { 0 };
        }
        for sign in closed {
            let before = self.text.get(..start).unwrap_or_default().trim_end();
            start = if before.ends_with(sign) { before.len() - 1 } else { start };
        }
        Span::new(&self.text, start..end)
    }

    /// The span of a token. The end of the text has no location of its own.
    fn token(&self, token: &TokenWithSpan) -> Span {
        match token.token {
            Token::EOF => Span::new(&self.text, self.text.len()..self.text.len()),
            _ => Span::new(&self.text, self.offset(token.span.start)..self.offset(token.span.end)),
        }
    }

    fn expected(&self, what: &'static str) -> Error {
        let span = self.token(self.parser.peek_token_ref());
        let reason = Reason::Syntax(Syntax::Expected(what));
        self.number_with_unit(&span).unwrap_or_else(|| Error::new(reason, Some(span)))
    }

    /// The error for a number such as `10M`, where the parser can't go on with the word right behind the digits.
    fn number_with_unit(&self, word: &Span) -> Option<Error> {
        let range = word.range();
        let before = self.text.get(..range.start).unwrap_or_default();
        let digits = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let is_word = word.excerpt().starts_with(char::is_alphabetic);
        if !is_word
            || digits.len() == before.len()
            || digits.ends_with(|c: char| c.is_alphanumeric() || c == '_')
        {
            return None;
        }
        let span = Span::new(&self.text, digits.len()..range.end);
        Some(Error::new(Reason::Syntax(Syntax::Number(span.excerpt().into())), Some(span)))
    }

    /// Converts an error of the parser, which is a message. It ends with the location of the token that the parser
    /// can't go on with, as [`Location`] displays it, unless that is the end of the text. The parser itself may have
    /// gone back to an earlier token by then.
    fn unexpected(&self, error: &ParserError) -> Error {
        let message = match error {
            ParserError::RecursionLimitExceeded => return Error::new(Reason::TooComplex, None),
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        };
        let mut tokens = (0..).map(|nth| self.parser.token_at(nth));
        let token = tokens
            .find(|found| found.token == Token::EOF || message.ends_with(&found.span.start.to_string()));
        let span = token.map(|token| self.token(token));
        if let Some(error) = span.as_ref().and_then(|span| self.number_with_unit(span)) {
            return error;
        }
        let syntax = match span.as_ref().map_or("", Span::excerpt) {
            "" => Syntax::End,
            text => Syntax::Unexpected(text.into()),
        };
        Error::new(Reason::Syntax(syntax), span)
    }

    fn unreadable(&self, error: &TokenizerError) -> Error {
        let at = self.offset(error.location);
        let rest = self.text.get(at..).unwrap_or_default();
        let syntax = match rest.chars().next() {
            None => Syntax::End,
            Some('\'' | '"' | '`') => Syntax::OpenQuote,
            Some(_) => Syntax::Unreadable,
        };
        Error::new(Reason::Syntax(syntax), Some(Span::new(&self.text, at..self.text.len())))
    }

    fn lower(&self, sql: &Sql, depth: usize) -> Result<Expr, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::new(Reason::TooComplex, None));
        }
        let span = self.place(sql);
        let lower = |sql: &Sql| self.lower(sql, depth + 1);
        let boxed = |sql: &Sql| lower(sql).map(Box::new);
        let refuse = |what| Err(Error::new(Reason::Unsupported(what), self.or_all(span.clone())));
        let negate = |negated: bool, node: Node| match negated {
            true => Node::Not(Box::new(self.spanned(node, span.clone()))),
            false => node,
        };
        // What an operator stands before, and where the two are.
        let unary = |sql: &Sql, operator| {
            let of = lower(sql)?;
            let span = self.with_operator(operator, of.span.as_ref());
            Ok::<_, Error>((of, span))
        };
        let node = match sql {
            Sql::Nested(inner) => return self.lower(inner, depth),
            Sql::Identifier(_) | Sql::CompoundIdentifier(_) | Sql::CompoundFieldAccess { .. } => {
                match path(sql) {
                    Some(path) => Node::Name(path),
                    None => return refuse("this index"),
                }
            }
            Sql::Value(value) => match &value.value {
                Literal::SingleQuotedString(text) => Node::Text(text.clone().into()),
                Literal::Boolean(value) => Node::Int((*value).into()),
                Literal::Null => return Err(Error::new(Reason::Null, span)),
                Literal::Number(digits, false) => self.number(digits, 10, span.clone())?,
                // The parser does not distinguish 0xff from X'ff', which is a text with these bytes.
                Literal::HexStringLiteral(digits) if self.begins(&span, "0x") => {
                    self.number(digits, 16, span.clone())?
                }
                Literal::HexStringLiteral(digits) => match bytes(digits) {
                    Some(bytes) => Node::Text(bytes),
                    None => return refuse("a literal of this kind"),
                },
                _ => return refuse("a literal of this kind"),
            },
            Sql::UnaryOp { op: UnaryOperator::Minus, expr } => {
                let (of, span) = unary(expr, "-")?;
                return Ok(Expr { span, ..-of });
            }
            Sql::UnaryOp { op: UnaryOperator::Plus, expr } => return lower(expr),
            Sql::UnaryOp { op: UnaryOperator::BitwiseNot, expr } => {
                let (of, span) = unary(expr, "~")?;
                return Ok(Expr { span, ..of ^ -1 });
            }
            Sql::UnaryOp { op: UnaryOperator::Not, expr } => {
                let (of, span) = unary(expr, "NOT")?;
                return Ok(Expr { span, ..of.not() });
            }
            Sql::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } => {
                let all = chain(sql, op).into_iter().map(lower).collect::<Result<_, _>>()?;
                if *op == BinaryOperator::And { Node::And(all) } else { Node::Or(all) }
            }
            Sql::BinaryOp { left, op, right } => match operator(op) {
                Some(Operator::Compare(op)) => Node::Compare(op, boxed(left)?, boxed(right)?),
                Some(Operator::Arithmetic(op)) => Node::Arithmetic(op, boxed(left)?, boxed(right)?),
                None => return refuse("this operator"),
            },
            Sql::IsNull(of) | Sql::IsUnknown(of) => Node::IsNull(boxed(of)?),
            Sql::IsNotNull(of) | Sql::IsNotUnknown(of) => negate(true, Node::IsNull(boxed(of)?)),
            Sql::IsTrue(of) => Node::Is(true, boxed(of)?),
            Sql::IsFalse(of) => Node::Is(false, boxed(of)?),
            Sql::IsNotTrue(of) => negate(true, Node::Is(true, boxed(of)?)),
            Sql::IsNotFalse(of) => negate(true, Node::Is(false, boxed(of)?)),
            Sql::InList { expr, list, negated } => {
                let list = list.iter().map(lower).collect::<Result<_, _>>()?;
                negate(*negated, Node::In(boxed(expr)?, list))
            }
            Sql::Between { expr, negated, low, high } => {
                negate(*negated, Node::Between(boxed(expr)?, boxed(low)?, boxed(high)?))
            }
            Sql::Like { expr, negated, pattern, escape_char: None, any: false } => {
                negate(*negated, Node::Like(boxed(expr)?, boxed(pattern)?))
            }
            Sql::Like { .. } => return refuse("LIKE with ESCAPE or ANY"),
            Sql::ILike { .. } => return refuse("ILIKE"),
            Sql::Function(function) => self.call(function, &span, depth)?,
            Sql::Subquery(_) | Sql::InSubquery { .. } | Sql::Exists { .. } => return refuse("a subquery"),
            Sql::Case { operand, conditions, else_result, .. } => {
                let operand = operand.as_deref().map(lower).transpose()?;
                let arm = |arm: &CaseWhen| {
                    let condition = lower(&arm.condition)?;
                    let condition = match &operand {
                        Some(operand) => operand.clone().eq(condition),
                        None => condition,
                    };
                    Ok::<_, Error>((condition, lower(&arm.result)?))
                };
                let arms = conditions.iter().map(arm).collect::<Result<_, _>>()?;
                // ELSE NULL is the same as no ELSE.
                let otherwise = else_result.as_deref().filter(|value| !is_null(value));
                Node::Case { arms, otherwise: otherwise.map(boxed).transpose()? }
            }
            Sql::Cast { .. } | Sql::Convert { .. } => return refuse("a cast"),
            Sql::Tuple(_) => return refuse("a list of values"),
            Sql::Wildcard(_) | Sql::QualifiedWildcard(..) => return refuse("*"),
            _ => return refuse("this"),
        };
        Ok(self.spanned(node, span))
    }

    /// An expression that is at a place, which for the parser does not begin with an operator that its first part begins
    /// with.
    fn spanned(&self, node: Node, span: Option<Span>) -> Expr {
        let expr = Expr { node, span: None };
        let first =
            expr.children().first().and_then(|first| first.span.as_ref()).map(|first| first.range().start);
        let span = span.map(|span| match first {
            Some(first) if first < span.range().start => self.closed(first, span.range().end),
            _ => span,
        });
        Expr { span, ..expr }
    }

    /// Lowers a call: a name and arguments, without anything else that SQL allows in calls.
    fn call(&self, call: &ast::Function, span: &Option<Span>, depth: usize) -> Result<Node, Error> {
        let fail = |reason| Error::new(reason, self.or_all(span.clone()));
        let name = call.name.to_string();
        let Some(known) = FUNCTIONS.iter().find(|known| known.name.eq_ignore_ascii_case(&name)) else {
            let near = kwalk_btf::near(&name, FUNCTIONS.iter().map(|known| known.name));
            return Err(fail(Reason::Function { name, near }));
        };
        let ast::FunctionArguments::List(list) = &call.args else {
            return Err(fail(Reason::Arguments(known)));
        };
        let plain = call.over.is_none()
            && call.filter.is_none()
            && call.null_treatment.is_none()
            && call.within_group.is_empty()
            && list.duplicate_treatment.is_none()
            && list.clauses.is_empty();
        if !plain || list.args.len() != known.arguments.len() {
            return Err(fail(Reason::Arguments(known)));
        }
        let arguments = list.args.iter().map(|argument| match argument {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(sql)) => self.lower(sql, depth + 1),
            _ => Err(fail(Reason::Arguments(known))),
        });
        Ok(Node::Call(known.function, arguments.collect::<Result<_, _>>()?))
    }

    /// The span of an expression. The parser computes it recursively, so deep trees get spans only for names and
    /// literals.
    fn place(&self, sql: &Sql) -> Option<Span> {
        if self.operators <= DEPTH_MAX {
            return self.span(sql.span());
        }
        match sql {
            Sql::Identifier(_) | Sql::CompoundIdentifier(_) | Sql::Value(_) => self.span(sql.span()),
            _ => None,
        }
    }

    /// The whole text, if the parser gives no span.
    fn or_all(&self, span: Option<Span>) -> Option<Span> {
        span.or_else(|| Some(Span::new(&self.text, 0..self.text.len())))
    }

    fn begins(&self, span: &Option<Span>, with: &str) -> bool {
        span.as_ref().is_some_and(|span| span.excerpt().starts_with(with))
    }

    /// Where an operator is together with what it stands before: the parser leaves the operator out, and brackets.
    fn with_operator(&self, operator: &str, operand: Option<&Span>) -> Option<Span> {
        let Range { mut start, mut end } = operand?.range();
        loop {
            let before = self.text.get(..start)?.trim_end();
            let at = before.len().checked_sub(operator.len())?;
            if before.get(at..)?.eq_ignore_ascii_case(operator) {
                return Some(Span::new(&self.text, at..end));
            }
            let rest = self.text.get(end..)?;
            let behind = rest.trim_start().strip_prefix(')')?;
            start = before.strip_suffix('(')?.len();
            end += rest.len() - behind.len();
        }
    }

    fn number(&self, digits: &str, radix: u32, span: Option<Span>) -> Result<Node, Error> {
        if digits.contains(['.', 'e', 'E']) && radix == 10 {
            return Err(Error::new(Reason::Unsupported("a number with a fraction or an exponent"), span));
        }
        // Larger numbers are refused when they are planned, with the range of what they are compared with.
        let value = u64::from_str_radix(digits, radix).map(i128::from);
        value.map(Node::Int).map_err(|_| {
            let text = span.as_ref().map_or(digits, Span::excerpt);
            Error::new(Reason::Syntax(Syntax::Number(text.into())), span.clone())
        })
    }
}

/// The tokens with `0o17` and `000001ff` each as one number, which the tokenizer takes for a number and a word behind it,
/// or for a number with an exponent.
fn with_whole_numbers(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let word = match &token.token {
            Token::Word(Word { value, quote_style: None, .. }) => Some(value.as_str()),
            _ => None,
        };
        let before = joined.last_mut().filter(|before| before.span.end == token.span.start);
        if let (Some(TokenWithSpan { token: Token::Number(digits, false), span }), Some(word)) =
            (before, word)
        {
            let octal = word.strip_prefix(['o', 'O']).filter(|_| digits == "0");
            let value = match octal {
                Some(word) => u64::from_str_radix(word, 8).ok().map(|value| value.to_string()),
                None => hexadecimal(&format!("{digits}{word}")),
            };
            if let Some(value) = value {
                *digits = value;
                span.end = token.span.end;
                continue;
            }
        }
        joined.push(token);
    }
    for token in &mut joined {
        if let Token::Number(digits, false) = &mut token.token
            && let Some(value) = hexadecimal(digits)
        {
            *digits = value;
        }
    }
    joined
}

/// The decimal digits of a number with zeros before its hexadecimal digits, of which some are letters. What it is beside is
/// known only later ([`Planner::with_zero`](crate::planner::Planner::with_zero)).
fn hexadecimal(digits: &str) -> Option<String> {
    let has_letters = digits.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_hexadecimal = digits.starts_with("00") && has_letters;
    let value = u64::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal);
    value.map(|value| value.to_string())
}

/// The tokens without white space and without redundant parentheses, which would count against the parser's limit of
/// depth.
fn without_redundant_parentheses(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut tokens = tokens;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let (mut open, mut redundant) = (Vec::new(), vec![false; tokens.len()]);
    // The last closed pair of parentheses.
    let mut inner = None;
    for (at, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => open.push(at),
            Token::RParen => {
                let Some(start) = open.pop() else { continue };
                if inner == Some((start + 1, at.saturating_sub(1))) {
                    for one in [start, at] {
                        redundant.get_mut(one).into_iter().for_each(|redundant| *redundant = true);
                    }
                }
                inner = Some((start, at));
            }
            _ => {}
        }
    }
    let mut redundant = redundant.into_iter();
    tokens.retain(|_| !redundant.next().unwrap_or(false));
    tokens
}

/// The maximal number of operators in an expression of a list. Commas in brackets do not separate expressions.
fn most_operators<'t>(tokens: impl Iterator<Item = &'t Token>) -> usize {
    let (mut most, mut here, mut depth) = (0, 0_usize, 0_usize);
    for token in tokens {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            _ => {}
        }
        match token {
            Token::Comma if depth == 0 => here = 0,
            Token::Word(word) if word.keyword == Keyword::NoKeyword => {}
            Token::Number(..) | Token::HexStringLiteral(_) | Token::SingleQuotedString(_) => {}
            Token::Comma | Token::Period | Token::Whitespace(_) => {}
            _ => here += 1,
        }
        most = most.max(here);
    }
    most
}

enum Operator {
    Compare(Compare),
    Arithmetic(Arithmetic),
}

fn operator(op: &BinaryOperator) -> Option<Operator> {
    use Operator::{Arithmetic as A, Compare as C};
    Some(match op {
        BinaryOperator::Eq => C(Compare::Eq),
        BinaryOperator::NotEq => C(Compare::Ne),
        BinaryOperator::Lt => C(Compare::Lt),
        BinaryOperator::LtEq => C(Compare::Le),
        BinaryOperator::Gt => C(Compare::Gt),
        BinaryOperator::GtEq => C(Compare::Ge),
        BinaryOperator::Plus => A(Arithmetic::Add),
        BinaryOperator::Minus => A(Arithmetic::Sub),
        BinaryOperator::Multiply => A(Arithmetic::Mul),
        BinaryOperator::Divide => A(Arithmetic::Div),
        BinaryOperator::Modulo => A(Arithmetic::Rem),
        BinaryOperator::BitwiseAnd => A(Arithmetic::And),
        BinaryOperator::BitwiseOr => A(Arithmetic::Or),
        BinaryOperator::BitwiseXor => A(Arithmetic::Xor),
        BinaryOperator::PGBitwiseShiftLeft => A(Arithmetic::Shl),
        BinaryOperator::PGBitwiseShiftRight => A(Arithmetic::Shr),
        _ => return None,
    })
}

/// Decodes pairs of hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pair = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect()
}

fn is_null(sql: &Sql) -> bool {
    matches!(sql, Sql::Value(value) if value.value == Literal::Null)
}

/// The terms of `a AND b AND c`, which the parser nests to the left.
fn chain<'s>(sql: &'s Sql, wanted: &BinaryOperator) -> Vec<&'s Sql> {
    let (mut terms, mut rest) = (Vec::new(), sql);
    while let Sql::BinaryOp { left, op, right } = rest {
        if op != wanted {
            break;
        }
        terms.push(&**right);
        rest = left;
    }
    terms.push(rest);
    terms.reverse();
    terms
}

/// Converts `a`, `a.b` or `a.b[3].c` to a path.
fn path(sql: &Sql) -> Option<String> {
    let dotted = |idents: &[Ident]| {
        let names: Vec<_> = idents.iter().map(|ident| ident.value.as_str()).collect();
        names.join(".")
    };
    match sql {
        Sql::Identifier(ident) => Some(ident.value.clone()),
        Sql::CompoundIdentifier(idents) => Some(dotted(idents)),
        Sql::CompoundFieldAccess { root, access_chain } => {
            let mut whole = path(root)?;
            for access in access_chain {
                match access {
                    AccessExpr::Dot(name) => {
                        whole.push('.');
                        whole.push_str(&path(name)?);
                    }
                    AccessExpr::Subscript(Subscript::Index { index: Sql::Value(index) }) => {
                        let Literal::Number(digits, false) = &index.value else { return None };
                        whole.push_str(&format!("[{digits}]"));
                    }
                    AccessExpr::Subscript(_) => return None,
                }
            }
            Some(whole)
        }
        _ => None,
    }
}
