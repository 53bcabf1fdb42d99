//! Go's `fmt.Sprintf` and `fmt.Sprint` (`fmt/print.go`, `fmt/format.go`), of values that may be unknown.
//!
//! Verbs and flags that charts do not use make the text unknown.

use std::sync::Arc;

use super::{GoData, GoValue, MarkedText};
use crate::{scalar, tree::Reason};

/// Wider is not written out.
const MAX_WIDTH: usize = 10_000;

/// What stands between the percent sign and the verb.
#[derive(Default)]
struct Directive {
    flags: String,
    width: usize,
    precision: Option<usize>,
    /// Which argument it is for, counted from one, if it says so.
    index: Option<usize>,
}

impl Directive {
    /// The directive that `text` begins with, its verb, if it has one, and what follows. A `*` takes the
    /// next of `values`.
    fn read<'t>(
        text: &'t str,
        values: &mut FormatArguments<'_>,
    ) -> Option<(Self, Option<char>, &'t str)> {
        let bare = text.trim_start_matches(['-', '+', '#', ' ', '0']);
        let mut flags = text[..text.len() - bare.len()].to_owned();
        let (width, mut rest) = match bare.strip_prefix('*') {
            Some(rest) => match values.next()?.data {
                GoData::Int(width) => {
                    flags.extend((width < 0).then_some('-'));
                    (usize::try_from(width.unsigned_abs()).ok()?, rest)
                }
                _ => return None,
            },
            None => digits(bare)?,
        };
        let mut precision = None;
        if let Some(after) = rest.strip_prefix('.') {
            let (digits, after) = digits(after)?;
            (precision, rest) = (Some(digits), after);
        }
        let mut index = None;
        if let Some(after) = rest.strip_prefix('[') {
            let (number, after) = digits(after)?;
            (index, rest) = (Some(number), after.strip_prefix(']')?);
        }
        let verb = rest.chars().next();
        if verb == Some('v') {
            // `%+v` names the fields of structs.
            flags.retain(|it| it != '+');
        }
        let rest = &rest[verb.map_or(0, char::len_utf8)..];
        let directive = Self { flags, width, precision, index };
        (width <= MAX_WIDTH).then_some((directive, verb, rest))
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// What `verb` makes of `value`; nothing where that is not evaluated.
    fn value(&self, value: &GoValue, verb: char) -> Option<MarkedText> {
        let made = |text: String| MarkedText::value(text, &value.origin);
        let text = match &value.data {
            GoData::Unknown(why) => return Some(MarkedText::unknown(why, &value.origin)),
            _ if verb == 'T' && self.precision.is_none() => made(value.type_name().to_owned()),
            _ if verb == 'p' || verb == 'T' => return None,
            _ if verb == 'v' && self.has('#') => match (&*self.flags, self.width, self.precision) {
                ("#", 0, None) => return syntax(value),
                _ => return None,
            },
            GoData::Nil if verb == 'v' => made("<nil>".to_owned()),
            GoData::Nil => return Some(made(format!("%!{verb}(<nil>)"))),
            GoData::Bool(_) if matches!(verb, 't' | 'v') => value.printed(true),
            GoData::Int(it) | GoData::Int64(it) => match verb {
                'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' => {
                    let plain = Self { flags: self.flags.replace('0', ""), ..*self };
                    return Some(plain.padded(&made(self.integer(*it, verb))));
                }
                'c' | 'q' | 'U' if self.flags.is_empty() && self.precision.is_none() => {
                    let code = u32::try_from(*it).ok()?;
                    let it = char::from_u32(code)?;
                    made(match verb {
                        'c' => it.to_string(),
                        'U' => format!("U+{code:04X}"),
                        _ if it.is_ascii_graphic() && !matches!(it, '\'' | '\\') => {
                            format!("'{it}'")
                        }
                        _ => return None,
                    })
                }
                'c' | 'q' | 'U' => return None,
                _ => return self.wrong(value, verb),
            },
            GoData::Float(it) => match verb {
                'v' | 'f' | 'F' | 'e' | 'E' | 'g' | 'G' => {
                    let number = self.float(*it, verb)?;
                    let sign = usize::from(number.starts_with(['-', '+', ' ']));
                    let zeros = match self.has('0') && !self.has('-') {
                        true => "0".repeat(self.width.saturating_sub(number.len())),
                        false => String::new(),
                    };
                    made(format!("{}{zeros}{}", &number[..sign], &number[sign..]))
                }
                'b' | 'x' | 'X' => return None,
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
                    _ if self.has('#') || self.has('+') || self.has(' ') => return None,
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
        if self.has('#') {
            return None;
        }
        let start = format!("%!{verb}({}=", value.type_name());
        let mut text = MarkedText::value(start, &value.origin);
        text.push(&self.value(value, 'v')?);
        text.push_made(")");
        Some(text)
    }

    /// The sign of a number that is not negative.
    fn sign(&self) -> &'static str {
        match (self.has('+'), self.has(' ')) {
            (true, _) => "+",
            (false, true) => " ",
            (false, false) => "",
        }
    }

    /// `fmtInteger`
    fn integer(&self, number: i64, verb: char) -> String {
        let size = number.unsigned_abs();
        let (digits, prefix) = match verb {
            'b' => (format!("{size:b}"), "0b"),
            'o' => (format!("{size:o}"), "0"),
            'O' => (format!("{size:o}"), ""),
            'x' => (format!("{size:x}"), "0x"),
            'X' => (format!("{size:X}"), "0X"),
            _ => (size.to_string(), ""),
        };
        let sign = if number < 0 { "-" } else { self.sign() };
        let least = match self.precision {
            Some(0) if number == 0 => return String::new(),
            Some(least) => least,
            None if self.has('0') && !self.has('-') => self.width.saturating_sub(sign.len()),
            None => 0,
        };
        let digits = "0".repeat(least.saturating_sub(digits.len())) + &digits;
        let prefix = match verb {
            'O' => "0o",
            'o' if digits.starts_with('0') => "",
            _ if self.has('#') => prefix,
            _ => "",
        };
        format!("{sign}{prefix}{digits}")
    }

    /// `fmtFloat`, without what `#` does.
    fn float(&self, number: f64, verb: char) -> Option<String> {
        if !number.is_finite() || self.has('#') {
            return None;
        }
        let exponential = |places: usize| {
            let text = format!("{number:.places$e}");
            let (digits, exponent) = text.split_once('e')?;
            let exponent: i32 = exponent.parse().ok()?;
            let sign = if exponent < 0 { '-' } else { '+' };
            Some((digits.to_owned(), exponent, format!("e{sign}{:02}", exponent.abs())))
        };
        let text = match (verb, self.precision) {
            ('f' | 'F', precision) => format!("{number:.*}", precision.unwrap_or(6)),
            ('e' | 'E', precision) => {
                let (digits, _, exponent) = exponential(precision.unwrap_or(6))?;
                digits + &exponent
            }
            (_, None) => scalar::printed_float(number),
            (_, Some(precision)) => {
                let precision = precision.max(1);
                let (digits, at, exponent) = exponential(precision - 1)?;
                let places = usize::try_from(i64::try_from(precision).ok()? - 1 - i64::from(at));
                let bare = |it: String| match it.contains('.') {
                    true => it.trim_end_matches('0').trim_end_matches('.').to_owned(),
                    false => it,
                };
                match places {
                    Ok(places) if at >= -4 => bare(format!("{number:.places$}")),
                    _ => bare(digits) + &exponent,
                }
            }
        };
        let text = if verb.is_uppercase() { text.to_uppercase() } else { text };
        let sign = if text.starts_with('-') { "" } else { self.sign() };
        Some(format!("{sign}{text}"))
    }

    /// `pad`: with zeros on the left only.
    fn padded(&self, text: &MarkedText) -> MarkedText {
        let length = text.as_str().chars().count();
        let is_left = self.has('-');
        let with = if self.has('0') && !is_left { "0" } else { " " };
        let fill = MarkedText::made_of(&with.repeat(self.width.saturating_sub(length)));
        let (first, last) = if is_left { (text, &fill) } else { (&fill, text) };
        let mut padded = first.clone();
        padded.push(last);
        padded
    }
}

/// `%#v`: a value as Go has it in a program.
fn syntax(value: &GoValue) -> Option<MarkedText> {
    let joined = |parts: Option<Vec<MarkedText>>| {
        let mut text = MarkedText::value(format!("{}{{", value.type_name()), &value.origin);
        text.push(&MarkedText::joined(parts?, &MarkedText::made_of(", ")));
        text.push_made("}");
        Some(text)
    };
    let inner = |it: &GoValue| match it.is_nil() {
        true => Some(MarkedText::made_of("interface {}(nil)")),
        false => syntax(it),
    };
    if let Some(why) = value.unknown_part() {
        return Some(MarkedText::unknown(&why, &value.origin));
    }
    match &value.data {
        GoData::Text(text) => Some(text.made(quoted(text.as_str()))),
        GoData::List(items) if items.is_nil => None,
        GoData::List(items) => joined(items.iter().map(inner).collect()),
        GoData::Map(map) if map.borrow().is_nil => None,
        GoData::Map(map) => {
            let map = map.borrow();
            let entry = |key: Arc<str>| {
                let (_, value) = &map.entries[&key];
                let mut entry = MarkedText::value(quoted(&key) + ":", &value.origin);
                entry.push(&inner(value)?);
                Some(entry)
            };
            joined(map.sorted().into_iter().map(entry).collect())
        }
        GoData::Object(_) => None,
        _ => Some(value.printed(true)),
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

/// The arguments of a format, and which is next.
struct FormatArguments<'v> {
    values: &'v [GoValue],
    next: usize,
    /// Whether a directive named one: then nobody misses those that are left.
    reordered: bool,
}

impl<'v> FormatArguments<'v> {
    fn next(&mut self) -> Option<&'v GoValue> {
        self.next += 1;
        self.values.get(self.next - 1)
    }
}

/// # Errors
/// It is not known what Go prints.
pub(super) fn printf(format: &MarkedText, values: &[GoValue]) -> Result<MarkedText, Reason> {
    let odd = || Reason::from("this form of `printf` is not evaluated");
    let text = format.as_str();
    let (mut out, mut at) = (MarkedText::default(), 0);
    let mut values = FormatArguments { values, next: 0, reordered: false };
    while let Some(start) = text[at..].find('%').map(|it| it + at) {
        out.push_part(format, at..start);
        let (directive, verb, rest) =
            Directive::read(&text[start + 1..], &mut values).ok_or_else(odd)?;
        at = text.len() - rest.len();
        let Some(verb) = verb else {
            out.push_made("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push_made("%");
            continue;
        }
        if let Some(index) = directive.index {
            values.reordered = true;
            values.next = index.wrapping_sub(1);
            if values.next >= values.values.len() {
                return Err(odd());
            }
        }
        match values.next() {
            Some(value) => out.push(&directive.value(value, verb).ok_or_else(odd)?),
            None => out.push_made(&format!("%!{verb}(MISSING)")),
        }
    }
    out.push_part(format, at..text.len());
    if let Some(rest @ [_, ..]) = values.values.get(values.next..)
        && !values.reordered
    {
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
