//! Go's `fmt.Sprintf` and `fmt.Sprint` (`fmt/print.go`, `fmt/format.go`), of values that may be unknown.
//!
//! Verbs and flags that charts do not use make the text unknown.

use std::sync::Arc;

use super::{GoData, GoValue, MarkedText};
use crate::{scalar, tree::Reason};

/// Wider is not written out.
const MAX_WIDTH: usize = 10_000;

/// What stands between the percent sign and the verb.
struct Directive {
    is_left: bool,
    has_zeros: bool,
    width: usize,
    precision: Option<usize>,
}

impl Directive {
    /// The directive that `text` begins with, its verb, if it has one, and what follows.
    fn read(text: &str) -> Option<(Self, Option<char>, &str)> {
        let bare = text.trim_start_matches(['-', '0']);
        let flags = &text[..text.len() - bare.len()];
        let (width, mut rest) = digits(bare)?;
        let mut precision = None;
        if let Some(after) = rest.strip_prefix('.') {
            let (digits, after) = digits(after)?;
            (precision, rest) = (Some(digits), after);
        }
        let verb = rest.chars().next();
        if verb.is_some_and(|it| !it.is_ascii_alphabetic() && it != '%') {
            return None;
        }
        let is_left = flags.contains('-');
        let has_zeros = flags.contains('0') && !is_left;
        let directive = Self { is_left, has_zeros, width, precision };
        Some((directive, verb, &rest[usize::from(verb.is_some())..]))
    }

    /// What `verb` makes of `value`; nothing where that is not evaluated.
    fn value(&self, value: &GoValue, verb: char) -> Option<MarkedText> {
        let made = |text: String| MarkedText::value(text, &value.origin);
        let text = match &value.data {
            GoData::Unknown(why) => return Some(MarkedText::unknown(why, &value.origin)),
            _ if verb == 'T' && self.precision.is_none() => made(value.type_name().to_owned()),
            _ if verb == 'p' || verb == 'T' => return None,
            GoData::Nil if verb == 'v' => made("<nil>".to_owned()),
            GoData::Nil => return Some(made(format!("%!{verb}(<nil>)"))),
            GoData::Bool(_) if matches!(verb, 't' | 'v') => value.printed(true),
            GoData::Int(it) | GoData::Int64(it) => match verb {
                'v' | 'd' | 'x' | 'X' => {
                    let plain = Self { has_zeros: false, ..*self };
                    return Some(plain.padded(&made(self.integer(*it, verb))));
                }
                'b' | 'c' | 'o' | 'O' | 'q' | 'U' => return None,
                _ => return self.wrong(value, verb),
            },
            GoData::Float(it) => match verb {
                'v' | 'f' | 'g' => {
                    let number = self.float(*it, verb)?;
                    let sign = usize::from(number.starts_with('-'));
                    let zeros = if self.has_zeros { self.width } else { 0 };
                    let zeros = "0".repeat(zeros.saturating_sub(number.len()));
                    made(format!("{}{zeros}{}", &number[..sign], &number[sign..]))
                }
                'b' | 'e' | 'E' | 'F' | 'G' | 'x' | 'X' => return None,
                _ => return self.wrong(value, verb),
            },
            GoData::Text(text) if matches!(verb, 's' | 'v' | 'q' | 'x' | 'X') => {
                let is_plain = self.width == 0 && self.precision.is_none();
                if let Some(why) =
                    text.unknown_part().filter(|_| !is_plain || !matches!(verb, 's' | 'v'))
                {
                    return Some(MarkedText::unknown(why, &value.origin));
                }
                let end = self.precision.and_then(|it| text.as_str().char_indices().nth(it));
                let part = text.part(0..end.map_or(text.len(), |it| it.0));
                match verb {
                    's' | 'v' => part,
                    'q' => part.made(quoted(part.as_str())),
                    _ if self.precision.is_some() => return None,
                    'x' => part.made(hex(part.as_str().as_bytes())),
                    _ => part.made(hex(part.as_str().as_bytes()).to_uppercase()),
                }
            }
            GoData::List(_) if value.disorder().is_some() => return Some(value.printed(true)),
            // What stands in it is printed by the same verb.
            GoData::List(items) => {
                let all: Option<Vec<_>> = items.iter().map(|it| self.inner(it, verb)).collect();
                return Some(value.in_brackets("[", all?));
            }
            GoData::Map(map) if map.borrow().open.is_some() => return Some(value.printed(true)),
            GoData::Map(map) => {
                let map = map.borrow();
                let entry = |key: Arc<str>| {
                    let mut entry = self.value(&GoValue::string(&*key, &value.origin), verb)?;
                    entry.push_made(":");
                    entry.push(&self.inner(&map.entries[&key].1, verb)?);
                    Some(entry)
                };
                let all: Option<Vec<_>> = map.sorted().into_iter().map(entry).collect();
                return Some(value.in_brackets("map[", all?));
            }
            GoData::Object(object) if object.is_open() => {
                return self.value(&value.clone().opened(), verb);
            }
            GoData::Object(_) if matches!(verb, 's' | 'v') => value.printed(true),
            GoData::Object(_) => return None,
            GoData::Bool(_) | GoData::Text(_) => return self.wrong(value, verb),
        };
        Some(self.padded(&text))
    }

    fn inner(&self, value: &GoValue, verb: char) -> Option<MarkedText> {
        if value.is_nil() { Some(value.printed(true)) } else { self.value(value, verb) }
    }

    /// A verb that is not for such a value.
    fn wrong(&self, value: &GoValue, verb: char) -> Option<MarkedText> {
        let start = format!("%!{verb}({}=", value.type_name());
        let mut text = MarkedText::value(start, &value.origin);
        text.push(&self.value(value, 'v')?);
        text.push_made(")");
        Some(text)
    }

    /// `fmtInteger`
    fn integer(&self, number: i64, verb: char) -> String {
        let size = number.unsigned_abs();
        let digits = match verb {
            'x' => format!("{size:x}"),
            'X' => format!("{size:X}"),
            _ => size.to_string(),
        };
        let sign = if number < 0 { "-" } else { "" };
        let least = match self.precision {
            Some(0) if number == 0 => return String::new(),
            Some(least) => least,
            None if self.has_zeros => self.width.saturating_sub(sign.len()),
            None => 0,
        };
        format!("{sign}{}{digits}", "0".repeat(least.saturating_sub(digits.len())))
    }

    /// `fmtFloat`
    fn float(&self, number: f64, verb: char) -> Option<String> {
        if !number.is_finite() {
            return None;
        }
        Some(match (verb, self.precision) {
            ('f', precision) => format!("{number:.*}", precision.unwrap_or(6)),
            (_, None) => scalar::printed_float(number),
            (_, Some(precision)) => {
                let last = precision.max(1) - 1;
                let text = format!("{number:.last$e}");
                let (digits, exponent) = text.split_once('e')?;
                let at: i32 = exponent.parse().ok()?;
                let bare = |it: &str| match it.contains('.') {
                    true => it.trim_end_matches('0').trim_end_matches('.').to_owned(),
                    false => it.to_owned(),
                };
                match usize::try_from(i64::try_from(last).ok()? - i64::from(at)) {
                    Ok(places) if at >= -4 => bare(&format!("{number:.places$}")),
                    _ => {
                        let sign = if at < 0 { '-' } else { '+' };
                        format!("{}e{sign}{:02}", bare(digits), at.abs())
                    }
                }
            }
        })
    }

    /// `pad`: with zeros on the left only.
    fn padded(&self, text: &MarkedText) -> MarkedText {
        let length = text.as_str().chars().count();
        let with = if self.has_zeros { "0" } else { " " };
        let fill = MarkedText::made_of(&with.repeat(self.width.saturating_sub(length)));
        let (first, last) = if self.is_left { (text, &fill) } else { (&fill, text) };
        let mut padded = first.clone();
        padded.push(last);
        padded
    }
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
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
        let Some(verb) = verb else {
            out.push_made("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push_made("%");
            continue;
        }
        match values.next() {
            Some(value) => out.push(&directive.value(value, verb).ok_or_else(odd)?),
            None => out.push_made(&format!("%!{verb}(MISSING)")),
        }
    }
    out.push_part(format, at..text.len());
    let rest = values.as_slice();
    if !rest.is_empty() {
        let one = |it: &GoValue| {
            let mut text = MarkedText::default();
            if !it.is_nil() {
                text.push_made(&format!("{}=", it.type_name()));
            }
            text.push(&it.printed(true));
            text
        };
        out.push_made("%!(EXTRA ");
        out.push(&MarkedText::joined(rest.iter().map(one), &MarkedText::made_of(", ")));
        out.push_made(")");
    }
    Ok(out)
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
