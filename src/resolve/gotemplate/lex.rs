//! From the text of a Go template to the tokens of its actions.
//!
//! As `text/template/parse/lex.go` of Go 1.24 cuts it; what would be an error there is one here.

use std::ops::Range;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TemplatePiece {
    /// Text that is printed as it is.
    Text(Range<usize>),
    /// What stands between `{{` and `}}`, and its tokens.
    Action(Range<usize>, Tokens),
}

/// A token of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GoToken {
    /// `.name`
    Field(String),
    /// `$` or `$name`
    Variable(String),
    /// A keyword, a function, `true`, `false`, `nil`.
    Word(String),
    /// A text in either kind of quotes, decoded.
    Text(String),
    /// A number or a character, as it is written.
    Number(String),
    /// `.`
    Dot,
    /// `|`, `(`, `)`, `,`, `=` or `:=`.
    Mark(&'static str),
    /// White space, which separates operands.
    Space,
}

/// Tokens, each with where it stands.
pub(super) type Tokens = Vec<(GoToken, Range<usize>)>;

/// What is wrong, and where.
pub(super) type LexError = (String, Range<usize>);

/// The pieces of `text`: what is printed as it is, and the actions between.
///
/// # Errors
/// Go refuses it.
pub(super) fn pieces(text: &str) -> Result<Vec<TemplatePiece>, LexError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    loop {
        let Some(start) = text[at..].find("{{").map(|it| it + at) else {
            push_text(&mut pieces, at..text.len());
            return Ok(pieces);
        };
        let mut inner = start + 2;
        let mut before = at..start;
        if is_trim(&text[inner..]) {
            before.end = before.start + text[before.clone()].trim_end_matches(is_space).len();
            inner += 2;
        }
        push_text(&mut pieces, before);
        let rest = &text[inner..];
        let trims = inner > start + 2;
        let comment = if trims { rest.trim_start_matches(is_space) } else { rest };
        let (tokens, end) = if comment.starts_with("/*") {
            let end = comment.find("*/").ok_or_else(|| unclosed("comment", start, text))?;
            (None, text.len() - comment.len() + end + 2)
        } else {
            let (tokens, end) = tokens(text, inner, start)?;
            (Some(tokens), end)
        };
        let rest = &text[end..];
        let blank = rest.len() - rest.trim_start_matches(is_space).len();
        let close = &rest[blank..];
        if close.starts_with("-}}") && blank > 0 {
            at = end + blank + 3;
            pieces.extend(tokens.map(|it| TemplatePiece::Action(start..at, it)));
            at += text[at..].len() - text[at..].trim_start_matches(is_space).len();
        } else if close.starts_with("}}") {
            at = end + blank + 2;
            pieces.extend(tokens.map(|it| TemplatePiece::Action(start..at, it)));
        } else {
            return Err(unclosed("action", start, text));
        }
    }
}

fn push_text(pieces: &mut Vec<TemplatePiece>, range: Range<usize>) {
    if !range.is_empty() {
        pieces.push(TemplatePiece::Text(range));
    }
}

fn is_trim(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|it| it.starts_with(is_space))
}

fn is_space(it: char) -> bool {
    matches!(it, ' ' | '\t' | '\r' | '\n')
}

fn unclosed(what: &str, start: usize, text: &str) -> LexError {
    let end = text[start..].find('\n').map_or(text.len(), |it| start + it);
    (format!("the {what} is not closed"), start..end)
}

/// The tokens from `at` to the end of the action, which is where its `}}`, or ` -}}`, begins.
fn tokens(text: &str, mut at: usize, start: usize) -> Result<(Tokens, usize), LexError> {
    let mut tokens = Vec::new();
    loop {
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else { return Err(unclosed("action", start, text)) };
        let blank = rest.len() - rest.trim_start_matches(is_space).len();
        if rest.starts_with("}}") || (blank > 0 && rest[blank..].starts_with("-}}")) {
            return Ok((tokens, at));
        }
        let (token, length) = if blank > 0 {
            (GoToken::Space, blank)
        } else if let Some(token) = mark(rest) {
            token
        } else {
            match first {
                '"' => quoted(rest).ok_or_else(|| unclosed("text", at, text))?,
                '`' => {
                    let end = rest[1..].find('`').ok_or_else(|| unclosed("text", at, text))?;
                    (GoToken::Text(rest[1..=end].to_owned()), end + 2)
                }
                '\'' => {
                    let mut escaped = false;
                    let end = rest[1..].find(|it| {
                        let closes = it == '\'' && !escaped;
                        escaped = it == '\\' && !escaped;
                        closes
                    });
                    let end = end.ok_or_else(|| unclosed("text", at, text))?;
                    (GoToken::Number(rest[..end + 2].to_owned()), end + 2)
                }
                '$' => {
                    let length = 1 + word(&rest[1..]);
                    (GoToken::Variable(rest[..length].to_owned()), length)
                }
                '.' if !rest[1..].starts_with(|it: char| it.is_ascii_digit()) => {
                    match word(&rest[1..]) {
                        0 => (GoToken::Dot, 1),
                        length => (GoToken::Field(rest[1..=length].to_owned()), length + 1),
                    }
                }
                '0'..='9' | '+' | '-' | '.' => {
                    let part = |it: char| it.is_ascii_alphanumeric() || "._+-".contains(it);
                    let length = rest.len() - rest.trim_start_matches(part).len();
                    (GoToken::Number(rest[..length].to_owned()), length)
                }
                it if it.is_alphabetic() || it == '_' => {
                    let length = word(rest);
                    (GoToken::Word(rest[..length].to_owned()), length)
                }
                it => {
                    let message = format!("`{it}` does not belong into an action");
                    return Err((message, at..at + it.len_utf8()));
                }
            }
        };
        tokens.push((token, at..at + length));
        at += length;
    }
}

fn mark(text: &str) -> Option<(GoToken, usize)> {
    let marks = [":=", "|", "(", ")", ",", "="];
    marks.into_iter().find(|it| text.starts_with(it)).map(|it| (GoToken::Mark(it), it.len()))
}

fn word(text: &str) -> usize {
    let part = |it: char| it.is_alphanumeric() || it == '_';
    text.len() - text.trim_start_matches(part).len()
}

/// A Go text in double quotes, decoded, and how long it is in the template.
fn quoted(text: &str) -> Option<(GoToken, usize)> {
    let mut decoded = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, it)) = chars.next() {
        match it {
            '"' => return Some((GoToken::Text(decoded), at + 1)),
            '\n' => return None,
            '\\' => {
                let (_, escape) = chars.next()?;
                let digits = |count: usize, radix: u32, chars: &mut dyn Iterator<Item = char>| {
                    let text: String = chars.take(count).collect();
                    char::from_u32(u32::from_str_radix(&text, radix).ok()?)
                };
                let mut rest = chars.by_ref().map(|(_, it)| it);
                decoded.push(match escape {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'v' => '\u{b}',
                    '\\' | '"' | '\'' => escape,
                    'x' => digits(2, 16, &mut rest)?,
                    'u' => digits(4, 16, &mut rest)?,
                    'U' => digits(8, 16, &mut rest)?,
                    '0'..='7' => {
                        let mut all = std::iter::once(escape).chain(rest);
                        digits(3, 8, &mut all)?
                    }
                    _ => return None,
                });
            }
            it => decoded.push(it),
        }
    }
    None
}
