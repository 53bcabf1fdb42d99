//! Go's `fmt.Sprintf` and `fmt.Sprint` (`fmt/print.go`, `fmt/format.go`), of values that may be unknown.

use std::fmt::Write as _;

use super::{GoData, GoValue, MarkedText, encode::hex};
use crate::scalar;

/// What stands between the percent sign and the verb.
#[derive(Default)]
struct Directive {
    /// `-`, `+`, `#`, a space and `0`.
    flags: String,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Wider is not written out.
const MAX_WIDTH: usize = 10_000;

pub(super) fn printf(format: &MarkedText, values: &[GoValue]) -> MarkedText {
    let text = format.as_str();
    let mut out = MarkedText::default();
    let (mut at, mut next, mut reordered) = (0, 0, false);
    let index = |it: &str| it.parse::<usize>().ok()?.checked_sub(1);
    while let Some(start) = text[at..].find('%').map(|it| it + at) {
        out.push_part(format, at..start);
        let mut rest = text[start + 1..].chars();
        let mut how = Directive::default();
        // Whether it names a value that is not there.
        let mut is_bad = false;
        let verb = loop {
            match rest.next() {
                Some('0') if how.width.is_some() || how.precision.is_some() => how.digit(0),
                Some(flag @ ('-' | '+' | '#' | ' ' | '0')) => how.flags.push(flag),
                Some('.') => how.precision = Some(0),
                Some('[') => {
                    let all = rest.as_str();
                    let (number, after) = all.split_once(']').unwrap_or(("", all));
                    match index(number).filter(|it| *it < values.len()) {
                        Some(it) => next = it,
                        None => is_bad = true,
                    }
                    rest = after.chars();
                    reordered = true;
                }
                Some('*') => {
                    let size = match values.get(next).map(|it| &it.data) {
                        Some(GoData::Int(it)) => *it,
                        _ => i64::MAX,
                    };
                    how.flags.push_str(if size < 0 { "-" } else { "" });
                    *how.place() = usize::try_from(size.unsigned_abs()).ok();
                    next = (next + 1).min(values.len());
                }
                Some(it @ '1'..='9') => how.digit(it as usize - '0' as usize),
                verb => break verb,
            }
        };
        at = text.len() - rest.as_str().len();
        // For `%v` it would name the fields of a struct.
        how.flags.retain(|it| it != '+' || verb != Some('v'));
        match (verb, values.get(next)) {
            (None, _) => out.push_made("%!(NOVERB)"),
            (Some('%'), _) => out.push_made("%"),
            (Some(verb), _) if is_bad => out.push_made(&format!("%!{verb}(BADINDEX)")),
            (Some(verb), None) => out.push_made(&format!("%!{verb}(MISSING)")),
            (Some(verb), Some(value)) => {
                next += 1;
                out.push(&how.value(value, verb));
            }
        }
    }
    out.push_part(format, at..text.len());
    if next < values.len() && !reordered {
        let extra = values[next..].iter().map(|it| match it.data {
            GoData::Nil => MarkedText::value("<nil>", &it.origin),
            _ => {
                let mut text = MarkedText::value(format!("{}=", it.type_name()), &it.origin);
                text.push(&it.printed(true));
                text
            }
        });
        out.push_made("%!(EXTRA ");
        out.push(&MarkedText::joined(extra, &MarkedText::made_of(", ")));
        out.push_made(")");
    }
    out
}

impl Directive {
    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag) && (flag != '0' || !self.flags.contains('-'))
    }

    /// What the digits are that are read now.
    fn place(&mut self) -> &mut Option<usize> {
        if self.precision.is_some() { &mut self.precision } else { &mut self.width }
    }

    fn digit(&mut self, digit: usize) {
        let place = self.place();
        *place = Some(place.unwrap_or(0).saturating_mul(10).saturating_add(digit));
    }

    fn value(&self, value: &GoValue, verb: char) -> MarkedText {
        let made =
            |text: String| self.padded(&MarkedText::value(text, &value.origin), self.has('0'));
        let wide = |it: Option<usize>| it.is_some_and(|it| it > MAX_WIDTH);
        // What nobody writes into a manifest.
        let is_odd =
            self.has('#') || "wp".contains(verb) || wide(self.width) || wide(self.precision);
        match (&value.data, verb) {
            (GoData::Unknown(why), _) => MarkedText::unknown(why, &value.origin),
            (GoData::Object(_), 'v' | 's') => value.printed(true),
            (GoData::Object(_), _) => odd(value),
            (_, _) if is_odd => odd(value),
            (_, 'T') => made(value.type_name().to_owned()),
            (GoData::Nil, 'v') => made("<nil>".to_owned()),
            (GoData::Nil, _) => MarkedText::value(format!("%!{verb}(<nil>)"), &value.origin),
            (GoData::Bool(it), 't' | 'v') => made(it.to_string()),
            (GoData::Int(it) | GoData::Int64(it), _) => self.integer(value, *it, verb),
            (GoData::Float(it), _) => self.float(value, *it, verb),
            (GoData::Text(text), 's' | 'v' | 'q' | 'x' | 'X') => self.text(value, text, verb),
            (GoData::List(items), _) => {
                value.in_brackets("[", items.iter().map(|it| self.inner(it, verb)))
            }
            (GoData::Map(map), _) => {
                let map = map.borrow();
                if let Some(why) = &map.open {
                    return MarkedText::unknown(why, &value.origin);
                }
                let entries = map.sorted().into_iter().map(|key| {
                    let mut text = self.value(&GoValue::string(&*key, &value.origin), verb);
                    text.push_made(":");
                    text.push(&self.inner(&map.entries[&key].1, verb));
                    text
                });
                value.in_brackets("map[", entries)
            }
            _ => self.bad(value, verb),
        }
    }

    /// What stands in a list or a map.
    fn inner(&self, value: &GoValue, verb: char) -> MarkedText {
        match value.data {
            GoData::Nil => MarkedText::value("<nil>", &value.origin),
            _ => self.value(value, verb),
        }
    }

    /// A verb that is not for such a value.
    fn bad(&self, value: &GoValue, verb: char) -> MarkedText {
        let start = format!("%!{verb}({}=", value.type_name());
        let mut text = MarkedText::value(start, &value.origin);
        text.push(&self.value(value, 'v'));
        text.push_made(")");
        text
    }

    fn padded(&self, text: &MarkedText, zero: bool) -> MarkedText {
        let length = text.as_str().chars().count();
        let fill = self.width.unwrap_or(0).saturating_sub(length);
        let fill = if zero { "0" } else { " " }.repeat(fill);
        let mut padded = MarkedText::default();
        if !self.has('-') {
            padded.push_made(&fill);
        }
        padded.push(text);
        if self.has('-') {
            padded.push_made(&fill);
        }
        padded
    }

    fn text(&self, value: &GoValue, text: &MarkedText, verb: char) -> MarkedText {
        let is_plain = self.width.is_none() && self.precision.is_none() && "sv".contains(verb);
        if let Some(why) = text.unknown_part().filter(|_| !is_plain) {
            return MarkedText::unknown(why, &value.origin);
        }
        let end = self.precision.and_then(|it| text.as_str().char_indices().nth(it));
        let part = text.part(0..end.map_or(text.len(), |it| it.0));
        let part = match verb {
            's' | 'v' => part,
            _ if self.has('+') || self.has(' ') || (verb != 'q' && self.precision.is_some()) => {
                return odd(value);
            }
            'q' => part.made(quoted(part.as_str())),
            'x' => part.made(hex(part.as_str().as_bytes(), "")),
            _ => part.made(hex(part.as_str().as_bytes(), "").to_uppercase()),
        };
        self.padded(&part, self.has('0'))
    }

    fn integer(&self, value: &GoValue, it: i64, verb: char) -> MarkedText {
        let char = || u32::try_from(it).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
        let made = |text: String| MarkedText::value(text, &value.origin);
        let size = it.unsigned_abs();
        let digits = match verb {
            'v' | 'd' => size.to_string(),
            'b' => format!("{size:b}"),
            'o' | 'O' => format!("{size:o}"),
            'x' => format!("{size:x}"),
            'X' => format!("{size:X}"),
            'c' => return self.padded(&made(char().to_string()), self.has('0')),
            'q' if self.has('+') && !char().is_ascii() => return odd(value),
            'q' => {
                let quoted = quoted(&char().to_string());
                let inner = quoted[1..quoted.len() - 1].replace("\\\"", "\"");
                let inner = if inner == "'" { "\\'" } else { &inner };
                return self.padded(&made(format!("'{inner}'")), self.has('0'));
            }
            'U' => return self.padded(&made(format!("U+{it:04X}")), false),
            _ => return self.bad(value, verb),
        };
        let sign = match it {
            ..0 => "-",
            _ if self.has('+') => "+",
            _ if self.has(' ') => " ",
            _ => "",
        };
        let least = match (self.precision, self.width) {
            (Some(0), _) if it == 0 => return self.padded(&made(String::new()), false),
            (Some(precision), _) => precision,
            (None, Some(width)) if self.has('0') => width.saturating_sub(sign.len()),
            _ => 0,
        };
        let prefix = if verb == 'O' { "0o" } else { "" };
        self.padded(&made(format!("{sign}{prefix}{digits:0>least$}")), false)
    }

    fn float(&self, value: &GoValue, it: f64, verb: char) -> MarkedText {
        let size = it.abs();
        let digits = match (verb, self.precision) {
            _ if !it.is_finite() => return odd(value),
            ('v' | 'g', None) => scalar::printed_float(size),
            ('G', None) => scalar::printed_float(size).to_uppercase(),
            ('v' | 'g', Some(precision)) => general(size, precision.max(1)),
            ('G', Some(precision)) => general(size, precision.max(1)).to_uppercase(),
            ('f' | 'F', precision) => format!("{size:.*}", precision.unwrap_or(6)),
            ('e', precision) => exponential(size, precision.unwrap_or(6)),
            ('E', precision) => exponential(size, precision.unwrap_or(6)).to_uppercase(),
            ('b' | 'x' | 'X', _) => return odd(value),
            _ => return self.bad(value, verb),
        };
        let sign = match it.is_sign_negative() {
            true => "-",
            false if self.has('+') => "+",
            false if self.has(' ') => " ",
            false => "",
        };
        // Zeros come behind the sign.
        let least =
            if self.has('0') { self.width.unwrap_or(0).saturating_sub(sign.len()) } else { 0 };
        let text = format!("{sign}{digits:0>least$}");
        self.padded(&MarkedText::value(text, &value.origin), false)
    }
}

fn odd(value: &GoValue) -> MarkedText {
    MarkedText::unknown(&"this verb of `printf` is not evaluated".into(), &value.origin)
}

/// `%e`
fn exponential(it: f64, precision: usize) -> String {
    let text = format!("{it:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |it| ('-', it));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// `%g` of that many digits.
fn general(it: f64, precision: usize) -> String {
    let text = exponential(it, precision - 1);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = if digits.contains('.') { digits.trim_end_matches('0') } else { digits };
    let digits = digits.trim_end_matches('.');
    let count = digits.len() - usize::from(digits.contains('.'));
    let place: i64 = exponent.parse().unwrap_or(0);
    let size = |it: usize| i64::try_from(it).unwrap_or(i64::MAX);
    let most = if precision > count && size(count) > place { count } else { precision };
    if place < -4 || place >= size(most) {
        return format!("{digits}e{exponent}");
    }
    let behind = usize::try_from((size(count) - 1 - place).max(0)).unwrap_or(0);
    format!("{it:.behind$}")
}

/// `%q`
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for it in text.chars() {
        let code = u32::from(it);
        match it {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{7f}' => drop(write!(quoted, "\\x{code:02x}")),
            // What nobody sees: spaces, marks of direction, private use.
            '\u{80}'..='\u{a0}'
            | '\u{ad}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{3000}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{feff}' => drop(write!(quoted, "\\u{code:04x}")),
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
