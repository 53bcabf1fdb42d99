//! Go's `fmt.Sprintf` and `fmt.Sprint` (`fmt/print.go`, `fmt/format.go`), of values that may be unknown.
//!
//! Verbs and flags that charts do not use make the text unknown.

use super::{GoData, GoValue, MarkedText};
use crate::{scalar, tree::Reason};

/// Wider is not written out.
const MAX_WIDTH: usize = 10_000;

/// What stands between the percent sign and the verb.
struct Directive {
    left: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

impl Directive {
    /// The directive that `text` begins with, its verb, and what follows.
    fn read(text: &str) -> Option<(Self, char, &str)> {
        let bare = text.trim_start_matches(['-', '0']);
        let flags = &text[..text.len() - bare.len()];
        let (width, mut rest) = digits(bare)?;
        let mut precision = None;
        if let Some(after) = rest.strip_prefix('.') {
            let (digits, after) = digits(after)?;
            (precision, rest) = (Some(digits), after);
        }
        let verb = rest.chars().next()?;
        let (left, zero) = (flags.contains('-'), flags.contains('0'));
        let directive = Self { left, zero: zero && !left, width, precision };
        Some((directive, verb, &rest[verb.len_utf8()..]))
    }

    fn value(&self, value: &GoValue, verb: char) -> Option<MarkedText> {
        let made = |text: String| MarkedText::value(text, &value.origin);
        let (width, precision) = (if self.zero { self.width } else { 0 }, self.precision);
        let text = match (&value.data, verb) {
            (GoData::Unknown(why), _) => return Some(MarkedText::unknown(why, &value.origin)),
            (GoData::Object(_), 's' | 'v') => value.printed(true),
            (GoData::Nil, 's' | 'd' | 't' | 'q' | 'f') => {
                return Some(made(format!("%!{verb}(<nil>)")));
            }
            (GoData::Int(it) | GoData::Int64(it), 'd' | 'v') if precision.is_none() => {
                made(format!("{it:0width$}"))
            }
            (GoData::Float(it), 'f') if it.is_finite() => {
                made(format!("{it:0width$.places$}", places = precision.unwrap_or(6)))
            }
            (GoData::Text(text), 's' | 'v' | 'q') if !self.zero => {
                let is_plain = self.width == 0 && precision.is_none() && verb != 'q';
                if let Some(why) = text.unknown_part().filter(|_| !is_plain) {
                    return Some(MarkedText::unknown(why, &value.origin));
                }
                let end = precision.and_then(|it| text.as_str().char_indices().nth(it));
                let part = text.part(0..end.map_or(text.len(), |it| it.0));
                if verb == 'q' { part.made(quoted(part.as_str())) } else { part }
            }
            _ if self.zero || precision.is_some() => return None,
            (_, 'T') => made(value.type_name().to_owned()),
            (GoData::List(_) | GoData::Map(_), 'v') if self.width == 0 => value.printed(true),
            (GoData::List(_) | GoData::Map(_) | GoData::Object(_), _)
            | (GoData::Int(_) | GoData::Int64(_), 'q') => return None,
            (GoData::Float(it), 'g') => made(scalar::printed_float(*it)),
            (_, 'v') | (GoData::Bool(_), 't') => value.printed(true),
            // A verb that is not for such a value.
            (_, 's' | 'd' | 't' | 'q') => {
                let mut text = made(format!("%!{verb}({}=", value.type_name()));
                text.push(&self.value(value, 'v')?);
                text.push_made(")");
                return Some(text);
            }
            _ => return None,
        };
        Some(self.padded(&text))
    }

    fn padded(&self, text: &MarkedText) -> MarkedText {
        let length = text.as_str().chars().count();
        let fill = MarkedText::made_of(&" ".repeat(self.width.saturating_sub(length)));
        let (first, last) = if self.left { (text, &fill) } else { (&fill, text) };
        let mut padded = first.clone();
        padded.push(last);
        padded
    }
}

/// The number that `text` begins with, zero where there is none, and what follows.
fn digits(text: &str) -> Option<(usize, &str)> {
    let rest = text.trim_start_matches(|it: char| it.is_ascii_digit());
    let digits = &text[..text.len() - rest.len()];
    let number = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    (number <= MAX_WIDTH).then_some((number, rest))
}

/// # Errors
/// It is not known what Go prints.
pub(super) fn printf(format: &MarkedText, values: &[GoValue]) -> Result<MarkedText, Reason> {
    let odd = || Reason::from("this form of `printf` is not evaluated");
    let text = format.as_str();
    let (mut out, mut at) = (MarkedText::default(), 0);
    let mut values = values.iter();
    while let Some(start) = text[at..].find('%').map(|it| it + at) {
        out.push_part(format, at..start);
        let (directive, verb, rest) = Directive::read(&text[start + 1..]).ok_or_else(odd)?;
        at = text.len() - rest.len();
        match verb {
            '%' => out.push_made("%"),
            _ => match values.next() {
                Some(value) => out.push(&directive.value(value, verb).ok_or_else(odd)?),
                None => out.push_made(&format!("%!{verb}(MISSING)")),
            },
        }
    }
    out.push_part(format, at..text.len());
    if values.next().is_some() { Err(odd()) } else { Ok(out) }
}

/// `%q`
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for it in text.chars() {
        let code = u32::from(it);
        match it {
            '"' | '\\' => quoted.extend(['\\', it]),
            '\u{7}'..='\u{d}' => quoted.extend(['\\', char::from(b"abtnvfr"[code as usize - 7])]),
            '\0'..='\u{1f}' | '\u{7f}' => quoted.push_str(&format!("\\x{code:02x}")),
            // What nobody sees: spaces, marks of direction, private use.
            '\u{80}'..='\u{a0}'
            | '\u{ad}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{3000}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{feff}' => quoted.push_str(&format!("\\u{code:04x}")),
            it => quoted.push(it),
        }
    }
    quoted.push('"');
    quoted
}

/// Go's `Sprint`: spaces between two operands neither of which is a text.
pub(super) fn print(values: &[GoValue]) -> MarkedText {
    let mut text = MarkedText::default();
    let mut last_text = true;
    for (index, value) in values.iter().enumerate() {
        let is_text = matches!(value.data, GoData::Text(_));
        if index > 0 && !last_text && !is_text {
            text.push_made(" ");
        }
        text.push(&value.printed(true));
        last_text = is_text;
    }
    text
}
