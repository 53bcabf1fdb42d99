//! Scalars as they are written, and what they mean, which depends on who reads it.
//!
//! go-yaml v2 (Kubernetes, Helm) and v3 (kustomize) differ in booleans and dates. The tables are
//! those of `resolve.go` in `go-yaml/yaml` at `v2.4.0` and `v3.0.1`.

use std::{ops::Range, sync::Arc};

/// A scalar as it is written. What it means depends on who reads it: see [`value`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// The text after YAML's own unescaping and folding.
    pub text: Arc<str>,
    /// How it is written.
    pub style: Style,
    /// Its explicit tag, if any.
    pub tag: Option<Tag>,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes: its text decides its type.
    Plain,
    /// In `'single quotes'`.
    SingleQuoted,
    /// In `"double quotes"`.
    DoubleQuoted,
    /// A block after `|`.
    Literal,
    /// A block after `>`.
    Folded,
}

impl Style {
    /// Whether it is in quotes, in which anything is a text.
    pub(crate) fn is_quoted(self) -> bool {
        matches!(self, Self::SingleQuoted | Self::DoubleQuoted)
    }
}

/// An explicit tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// `!!str`
    Str,
    /// `!!int`
    Int,
    /// `!!float`
    Float,
    /// `!!bool`
    Bool,
    /// `!!null`
    Null,
    /// `!!binary`, which is decoded where it is read.
    Binary,
    /// `!!timestamp`
    Timestamp,
    /// `!!merge`
    Merge,
    /// Any other.
    Other,
    /// No tag is written: a node of go-yaml knows without quotes that it is a string, and they come
    /// when it is printed.
    Implied,
}

/// A scalar's meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// `null`, `~` or nothing at all.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number in the range of `i64` or `u64`.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(&'a str),
}

/// How a reader of YAML types plain scalars and treats repeated and merged keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    /// `sigs.k8s.io/yaml`, which is go-yaml v2: YAML 1.1. Kubernetes itself, Helm values,
    /// kustomization files, JSON 6902 patches. A repeated key's last value wins.
    Sigs,
    /// kyaml, which is go-yaml v3: what kustomize reads resources and strategic-merge patches with.
    /// A repeated key is an error.
    Kyaml,
}

impl Scalar {
    /// Text that reads as text, whatever it looks like.
    pub(crate) fn string(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), style: Style::DoubleQuoted, tag: None }
    }

    /// Text without quotes, whose type its own look decides.
    pub(crate) fn plain(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), style: Style::Plain, tag: None }
    }

    /// An explicit null.
    pub(crate) fn null() -> Self {
        Self::plain("null")
    }
}

/// As `sigs.k8s.io/yaml` reads it.
pub(crate) fn sigs(scalar: &Scalar) -> Value<'_> {
    value(scalar, Dialect::Sigs)
}

/// As `dialect` reads it.
pub(crate) fn value(scalar: &Scalar, dialect: Dialect) -> Value<'_> {
    let text = &*scalar.text;
    match (scalar.tag, scalar.style) {
        (Some(Tag::Str | Tag::Binary | Tag::Other | Tag::Implied), _) => Value::Str(text),
        (None, Style::Plain) | (Some(_), _) => plain(text, dialect),
        (None, _) => Value::Str(text),
    }
}

/// The meaning of `text` without quotes and tag.
pub(crate) fn plain(text: &str, dialect: Dialect) -> Value<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if dialect == Dialect::Sigs {
        match text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Value::Bool(true),
            "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Value::Bool(false),
            _ => {}
        }
    }
    number(text).unwrap_or(Value::Str(text))
}

fn number(text: &str) -> Option<Value<'static>> {
    let first = *text.as_bytes().first()?;
    if first == b'.' {
        return float(text);
    }
    if !matches!(first, b'+' | b'-' | b'0'..=b'9') {
        return None;
    }
    let bare = if text.contains('_') { &text.replace('_', "") } else { text };
    integer(bare).map(Value::Int).or_else(|| float(bare))
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    let range =
        if negative || text.starts_with('+') { i128::from(i64::MAX) } else { i128::from(u64::MAX) };
    (i128::from(i64::MIN)..=range).contains(&value).then_some(value)
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`, in the range of a float64.
fn float(text: &str) -> Option<Value<'static>> {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
        }
        None => (rest, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let shaped = digits(whole)
        && digits(part)
        && !(whole.is_empty() && part.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent));
    let value: f64 = if shaped { text.parse().ok()? } else { return None };
    value.is_finite().then_some(Value::Float(value))
}

/// What kustomize writes for a scalar that it read: the same meaning to every dialect.
///
/// A string that go-yaml v2 would take for something else gets quotes; a date becomes a timestamp,
/// as kyaml's way through JSON makes it.
pub(crate) fn canonical(scalar: &Scalar) -> Scalar {
    let typed = |text: String| Scalar { text: text.into(), style: Style::Plain, tag: None };
    match value(scalar, Dialect::Kyaml) {
        Value::Null if scalar.style == Style::Plain && scalar.tag.is_none() => scalar.clone(),
        Value::Null => typed("null".into()),
        Value::Bool(it) => typed(it.to_string()),
        Value::Int(it) => typed(it.to_string()),
        Value::Float(_) => Scalar { tag: None, style: Style::Plain, ..scalar.clone() },
        Value::Str(text) => {
            let text = match (scalar.style, scalar.tag) {
                (Style::Plain, None) | (_, Some(Tag::Timestamp)) => timestamp(text),
                _ => None,
            };
            let text = text.or_else(|| refolded(scalar));
            let text = text.map_or_else(|| scalar.text.clone(), Into::into);
            let ambiguous = scalar.style == Style::Plain
                && !matches!(plain(&text, Dialect::Sigs), Value::Str(_));
            let style = if ambiguous { Style::DoubleQuoted } else { scalar.style };
            Scalar { text, style, tag: None }
        }
    }
}

/// What go-yaml v3 reads after it wrote a folded block, when that is another text.
///
/// Its `yaml_emitter_write_folded_scalar` writes an additional break after a line that does not start
/// with a blank, unless the first line of all does; the next reader takes it away only where two such
/// lines meet. A text that no block can hold (`block_allowed`) is written in quotes instead.
fn refolded(scalar: &Scalar) -> Option<String> {
    let text = &*scalar.text;
    let blank = |line: &str| line.starts_with([' ', '\t']);
    let allowed = |it| is_printable(it) && !matches!(it, '\u{2028}' | '\u{2029}');
    let fits = text.chars().all(|it| it == '\t' || allowed(it))
        && !text.ends_with(' ')
        && !text.contains(" \n");
    let start = text.trim_start_matches('\n');
    if scalar.style != Style::Folded || !fits || start.is_empty() {
        return None;
    }
    let doubles = !blank(start);
    let (content, end) = start.split_at(start.trim_end_matches('\n').len());
    let mut folded = text[..text.len() - start.len()].to_owned();
    let mut breaks = 0;
    let mut last = "";
    for line in content.split('\n') {
        if line.is_empty() {
            breaks += 1;
            continue;
        }
        if !last.is_empty() {
            let written = breaks + 1 + usize::from(doubles && !blank(last));
            match written {
                1 if !blank(last) && !blank(line) => folded.push(' '),
                _ if !blank(last) && !blank(line) => folded.push_str(&"\n".repeat(written - 1)),
                _ => folded.push_str(&"\n".repeat(written)),
            }
        }
        folded.push_str(line);
        (last, breaks) = (line, 0);
    }
    folded.push_str(end);
    if end.len() > 1 && doubles && !blank(last) {
        folded.push('\n');
    }
    Some(folded)
}

/// Whether go-yaml, v2 or v3, writes `char` as it is: `is_printable` in `yamlprivateh.go`, which leaves
/// out tabs and everything beyond the basic plane.
pub(crate) fn is_printable(char: char) -> bool {
    matches!(char, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && char != '\u{feff}'
}

/// Whether go-yaml, v2 or v3, takes `text` without quotes for a date.
pub(crate) fn is_timestamp(text: &str) -> bool {
    timestamp(text).is_some()
}

/// RFC 3339 of what go-yaml v3 takes for a date: `2001-1-2`, optionally with a time.
fn timestamp(text: &str) -> Option<String> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((text.as_bytes()[at], &text[at + 1..]))),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let mut part = |min: usize, max: usize| -> Option<u32> {
        let part = parts.next()?;
        let shaped =
            (min..=max).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_digit());
        if shaped { part.parse().ok() } else { None }
    };
    let (year, month, day) = (part(4, 4)?, part(1, 2)?, part(1, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=days).contains(&day) {
        return None;
    }
    let Some((separator, time)) = time else {
        return Some(format!("{year:04}-{month:02}-{day:02}T00:00:00Z"));
    };
    let (clock, zone) = match separator {
        b' ' => (time, "Z"),
        _ => time.split_at(time.find(['Z', '+', '-'])?),
    };
    let (clock, fraction) = clock.split_once('.').map_or((clock, ""), |(clock, it)| (clock, it));
    let fields: Vec<u32> = clock
        .split(':')
        .map(|it| if (1..=2).contains(&it.len()) { it.parse().ok() } else { None })
        .collect::<Option<_>>()?;
    let [hour @ 0..24, minute @ 0..60, second @ 0..60] = fields[..] else { return None };
    if !fraction.bytes().all(|it| it.is_ascii_digit()) || fraction.len() > 9 {
        return None;
    }
    if zone != "Z" && !(zone.len() == 6 && zone.as_bytes()[3] == b':') {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    let zone = if zone == "+00:00" { "Z" } else { zone };
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{dot}{fraction}{zone}"
    ))
}

/// The text of a key as a JSON key: what `sigs.k8s.io/yaml` makes of a key that is not a string.
pub(crate) fn key(scalar: &Scalar, dialect: Dialect) -> String {
    match (dialect, value(scalar, dialect)) {
        (Dialect::Sigs, Value::Bool(it)) => it.to_string(),
        (Dialect::Sigs, Value::Int(it)) => it.to_string(),
        (Dialect::Sigs, Value::Float(it)) => it.to_string(),
        _ => scalar.text.to_string(),
    }
}

/// Go's `%v` of a `float64`: with an exponent from 10⁶ on and below 10⁻⁴.
pub(crate) fn printed_float(value: f64) -> String {
    go_float(value, -4..6)
}

/// A number in Go's JSON: with an exponent from 10²¹ on and below 10⁻⁶.
pub(crate) fn json_float(value: f64) -> String {
    go_float(value, -6..21)
}

/// A number as Go's `strconv.FormatFloat` writes it: the shortest digits, with an exponent outside
/// of `exponents`.
pub(crate) fn go_float(value: f64, exponents: Range<i32>) -> String {
    match value {
        f64::INFINITY => return "+Inf".to_owned(),
        f64::NEG_INFINITY => return "-Inf".to_owned(),
        _ if value.is_nan() => return "NaN".to_owned(),
        _ => {}
    }
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponents.contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_1_1() {
        let sigs = |text| plain(text, Dialect::Sigs);
        assert_eq!(sigs("yes"), Value::Bool(true));
        assert_eq!(sigs("n"), Value::Bool(false));
        assert_eq!(sigs("0644"), Value::Int(420));
        assert_eq!(sigs("0o644"), Value::Int(420));
        assert_eq!(sigs("08"), Value::Float(8.0));
        assert_eq!(sigs("0b101"), Value::Int(5));
        assert_eq!(sigs("1_000"), Value::Int(1000));
        assert_eq!(sigs("+1"), Value::Int(1));
        assert_eq!(sigs(".5"), Value::Float(0.5));
        assert_eq!(sigs("5."), Value::Float(5.0));
        assert_eq!(sigs("1:30"), Value::Str("1:30"));
        assert_eq!(sigs("1e400"), Value::Str("1e400"));
        assert_eq!(sigs("1e3"), Value::Float(1000.0));
        assert_eq!(sigs("-"), Value::Str("-"));
        assert_eq!(sigs("0x"), Value::Str("0x"));
        assert_eq!(sigs("18446744073709551615"), Value::Int(i128::from(u64::MAX)));
        assert_eq!(sigs("."), Value::Str("."));
    }

    #[test]
    fn kyaml_keeps_yes_a_string_and_writes_it_so() {
        assert_eq!(plain("yes", Dialect::Kyaml), Value::Str("yes"));
        let written = canonical(&Scalar::plain("yes"));
        assert_eq!(sigs(&written), Value::Str("yes"));
        assert_eq!(&*canonical(&Scalar::plain("0o17")).text, "15");
        assert_eq!(&*canonical(&Scalar::plain("2001-1-2")).text, "2001-01-02T00:00:00Z");
        assert_eq!(&*canonical(&Scalar::plain("2001-13-2")).text, "2001-13-2");
        assert_eq!(
            &*canonical(&Scalar::plain("2001-12-14t21:59:43.10-05:00")).text,
            "2001-12-14T21:59:43.1-05:00"
        );
    }

    #[test]
    fn floats_as_go_prints_them() {
        for (value, go, json) in [
            (1.0, "1", "1"),
            (10250.0, "10250", "10250"),
            (1_000_000.0, "1e+06", "1000000"),
            (1_234_567.0, "1.234567e+06", "1234567"),
            (0.7, "0.7", "0.7"),
            (0.000_01, "1e-05", "0.00001"),
            (-2.5, "-2.5", "-2.5"),
            (1e21, "1e+21", "1e+21"),
        ] {
            assert_eq!(printed_float(value), go);
            assert_eq!(json_float(value), json);
        }
    }
}
