//! From the text of a Go template to the tokens of its actions.
//!
//! As `text/template/parse/lex.go` of Go 1.24 cuts it; what would be an error there is one here.

use std::ops::Range;

use super::{GoError, MarkedText};
use crate::tree::Origin;

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
    /// The same, when it is not UTF-8.
    Bytes,
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
#[derive(Debug)]
pub(super) struct LexError {
    message: String,
    at: Range<usize>,
    /// Whether it is our bound rather than what Go would say.
    bound: bool,
}

impl LexError {
    pub(super) fn new(message: impl Into<String>, at: Range<usize>) -> Self {
        Self { message: message.into(), at, bound: false }
    }

    pub(super) fn bound(message: &str, at: Range<usize>) -> Self {
        Self { bound: true, ..Self::new(message, at) }
    }

    /// As what ends the template `text`, which stands at `at` where it is not written itself.
    pub(super) fn error(self, text: &MarkedText, at: &Origin) -> GoError {
        let at = text.origin_of(self.at).unwrap_or_else(|| at.clone());
        let message = format!("the template is none: {}", self.message);
        GoError { bound: self.bound, ..GoError::new(message, &at) }
    }
}

pub(super) fn refused<T>(message: impl Into<String>, at: Range<usize>) -> Result<T, LexError> {
    Err(LexError::new(message, at))
}

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
        if tokens.is_none() && blank > usize::from(close.starts_with("-}}")) {
            return Err(unclosed("comment", start, text));
        }
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
    LexError::new(format!("the {what} is not closed"), start..end)
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
                    return refused(message, at..at + it.len_utf8());
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
    let mut decoded = Vec::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, it)) = chars.next() {
        match it {
            '"' => {
                let token = String::from_utf8(decoded).map_or(GoToken::Bytes, GoToken::Text);
                return Some((token, at + 1));
            }
            '\n' => return None,
            '\\' => match unescaped(chars.next()?.1, &mut chars.by_ref().map(|(_, it)| it))? {
                Unescaped::Byte(byte) => decoded.push(byte),
                Unescaped::Char(it) => decoded.extend(it.to_string().bytes()),
            },
            it => decoded.extend(it.to_string().bytes()),
        }
    }
    None
}

/// What a backslash and what follows it stand for.
pub(super) enum Unescaped {
    Byte(u8),
    Char(char),
}

/// What stands for `\` and `first`, of which `rest` is all that follows.
pub(super) fn unescaped(first: char, rest: &mut dyn Iterator<Item = char>) -> Option<Unescaped> {
    let mut digits = |first: &str, count: usize, radix: u32| {
        let text: String = first.chars().chain(rest.take(count)).collect();
        u32::from_str_radix(&text, radix).ok()
    };
    Some(Unescaped::Char(match first {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'v' => '\u{b}',
        '\\' | '"' | '\'' => first,
        'x' => return Some(Unescaped::Byte(u8::try_from(digits("", 2, 16)?).ok()?)),
        '0'..='7' => {
            let byte = digits(first.encode_utf8(&mut [0; 4]), 2, 8)?;
            return Some(Unescaped::Byte(u8::try_from(byte).ok()?));
        }
        'u' => char::from_u32(digits("", 4, 16)?)?,
        'U' => char::from_u32(digits("", 8, 16)?)?,
        _ => return None,
    }))
}
