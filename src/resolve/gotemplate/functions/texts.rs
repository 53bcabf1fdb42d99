//! Functions of texts. What is a part of an argument keeps that argument's place.

use std::{collections::BTreeSet, ops::Range, sync::LazyLock};

use regex::{Captures, Regex};

use super::{
    super::{eval::bound, text::MAX_TEXT},
    Evaluated, FunctionCall, GoValue,
    Look::{Inside, Passes, Prints},
    MarkedText, Row,
    Run::{Call, NotEvaluated, Part, Test, Text},
    printf::{print, printf, quoted},
};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Row] = &[
    // What no chart was seen to call is not evaluated.
    ("abbrev wrap", "is", Inside, NotEvaluated),
    ("abbrevboth", "iis", Inside, NotEvaluated),
    ("initials shuffle swapcase", "s", Inside, NotEvaluated),
    ("camelcase", "s", Inside, Text(camel)),
    ("wrapWith", "iss", Inside, NotEvaluated),
    ("cat", "a*", Prints, Call(|it| spaced(it, |it| !it.is_nil()))),
    ("contains", "ss", Inside, Test(|text, it| text.contains(it))),
    ("hasPrefix", "ss", Inside, Test(|text, it| text.starts_with(it))),
    ("hasSuffix", "ss", Inside, Test(|text, it| text.ends_with(it))),
    ("hello", "", Inside, Call(|it| it.string("Hello!"))),
    // See `Execution::called`.
    ("include tpl", "sa", Passes, NotEvaluated),
    ("indent", "is", Prints, Call(|it| it.marked(indented(it)?))),
    ("nindent", "is", Prints, Call(|it| {
        let mut text = MarkedText::made_of("\n");
        text.push(&indented(it)?);
        it.marked(text)
    })),
    ("nospace", "s", Inside, Text(|it| it.chars().filter(|it| !it.is_whitespace()).collect())),
    ("kebabcase", "s", Inside, Text(|it| delimited(it, '-'))),
    ("snakecase", "s", Inside, Text(|it| delimited(it, '_'))),
    ("lower", "s", Inside, Text(|it| it.chars().map(lower).collect())),
    ("upper", "s", Inside, Text(|it| it.chars().map(upper).collect())),
    ("title", "s", Inside, Text(|it| capitalized(it, upper))),
    ("untitle", "s", Inside, Text(|it| capitalized(it, lower))),
    ("plural", "ssi", Inside, Call(|it| it.value(usize::from(it.int(2)? != 1)).cloned())),
    ("print", "a*", Prints, Call(|it| it.marked(print(&it.values)))),
    ("printf", "sa*", Prints, Call(formatted)),
    ("println", "a*", Prints, Call(|it| {
        let line = spaced(it, |_| true)?;
        it.marked(print(&[line, GoValue::string("\n", it.at)]))
    })),
    ("quote", "a*", Prints, Call(|it| in_quotes(it, "\""))),
    ("squote", "a*", Prints, Call(|it| in_quotes(it, "'"))),
    ("regexFind mustRegexFind", "ss", Inside, Call(|it| {
        let text = it.text(1)?;
        let found = pattern(it)?.find(text.as_str()).map_or(0..0, |it| it.range());
        it.marked(text.part(found))
    })),
    ("regexFindAll mustRegexFindAll", "ssi", Inside, Call(|it| {
        let (pattern, text, count) = (pattern(it)?, it.text(1)?, count(it)?);
        let found = pattern.find_iter(text.as_str()).take(count);
        it.texts_or_nil(found.map(|it| text.part_of(it.as_str())))
    })),
    ("regexMatch", "ss", Inside, Call(|it| match pattern(it) {
        Ok(pattern) => it.bool(pattern.is_match(it.str(1)?)),
        Err(error) if error.bound => Err(error),
        // A pattern that is none matches nothing.
        Err(_) => it.bool(false),
    })),
    ("mustRegexMatch", "ss", Inside, Call(|it| it.bool(pattern(it)?.is_match(it.str(1)?)))),
    ("regexQuoteMeta", "s", Inside, Text(|it| {
        let escape = |it: char| if r"\.+*?()|[]{}^$".contains(it) { format!("\\{it}") } else { it.into() };
        it.chars().map(escape).collect()
    })),
    ("regexReplaceAll mustRegexReplaceAll", "sss", Inside, Call(|it| replaced(it, false))),
    ("regexReplaceAllLiteral mustRegexReplaceAllLiteral", "sss", Inside, Call(|it| replaced(it, true))),
    ("regexSplit mustRegexSplit", "ssi", Inside, Call(split_by_pattern)),
    ("repeat", "is", Inside, Call(repeated)),
    ("replace", "sss", Inside, Call(|it| {
        it.marked(it.text(2)?.replaced(it.str(0)?, it.text(1)?))
    })),
    ("substr", "iis", Inside, Call(substring)),
    ("toString", "a", Prints, Call(|it| it.marked(it.value(0)?.printed(true)))),
    ("trim", "s", Prints, Call(trimmed)),
    ("trimAll trimall", "ss", Inside, Part(|text, set| {
        let set: BTreeSet<char> = set.chars().collect();
        text.trim_matches(|it| set.contains(&it))
    })),
    ("trimPrefix", "ss", Inside, Part(|text, it| text.strip_prefix(it).unwrap_or(text))),
    ("trimSuffix", "ss", Inside, Part(|text, it| text.strip_suffix(it).unwrap_or(text))),
    ("trunc", "is", Inside, Call(truncated)),
];

fn formatted(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let format = call.value(0)?;
    if let Some(why) = format.unknown_part() {
        return Ok(GoValue::unknown(why, &format.origin));
    }
    match printf(call.text(0)?, &call.values[1..]) {
        Ok(text) => call.marked(text),
        Err(why) => Ok(GoValue::unknown(why, call.at)),
    }
}

fn spaced(call: &FunctionCall<'_>, f: fn(&GoValue) -> bool) -> Evaluated<GoValue> {
    let texts = call.values.iter().filter(|it| f(it)).map(|it| it.printed(true));
    call.marked(MarkedText::joined(texts, &MarkedText::made_of(" ")))
}

fn indented(call: &FunctionCall<'_>) -> Evaluated<MarkedText> {
    if let 0.. = call.int(0)? {
        return Ok(call.value(1)?.printed(true).indented(call.size(0)?.min(10_000)));
    }
    call.fail("the width is negative")
}

/// A text of which a part is unknown keeps what is known around that part.
fn trimmed(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let text = call.value(0)?.printed(true);
    call.marked(text.part_of(text.as_str().trim()))
}

fn repeated(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (count, one) = (call.int(0)?, call.text(1)?);
    if count < 0 {
        return call.fail("the count is negative");
    }
    let mut all = MarkedText::default();
    for _ in (0..count).take_while(|_| one.len() > 0) {
        all.push(one);
        if all.is_cut {
            break;
        }
    }
    call.marked(all)
}

/// The regular expression that is the first argument.
fn pattern(call: &FunctionCall<'_>) -> Evaluated<Regex> {
    let mut pattern = regex::RegexBuilder::new(&of_go(call.str(0)?));
    pattern.size_limit(1 << 18).build().or_else(|error| match error {
        regex::Error::CompiledTooBig(_) => bound("the pattern is too large", call.at),
        _ => call.fail("the pattern is none"),
    })
}

/// How many are wanted, all of them where that is negative.
fn count(call: &FunctionCall<'_>) -> Evaluated<usize> {
    call.int(2).map(|it| usize::try_from(it).unwrap_or(usize::MAX))
}

fn replaced(call: &FunctionCall<'_>, literal: bool) -> Evaluated<GoValue> {
    let (pattern, text, new) = (pattern(call)?, call.text(1)?, call.str(2)?);
    let dollars = if literal { 0 } else { new.matches('$').count() };
    if dollars * text.len() + new.len() > MAX_TEXT {
        return bound("the text is too long", call.at);
    }
    call.marked(text.with(pattern.captures_iter(text.as_str()).map(|found| {
        let part = found.get_match().range();
        let mut by = String::new();
        match literal {
            true => by.push_str(new),
            // Go takes the longest name after a dollar sign, as this crate does.
            false => found.expand(new, &mut by),
        }
        (part.clone(), text.part(part).made(by))
    })))
}

fn split_by_pattern(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (pattern, text, count) = (pattern(call)?, call.text(1)?, count(call)?);
    if pattern.is_match("") {
        return Ok(GoValue::unknown("a pattern that separates what is empty", call.at));
    }
    call.texts(pattern.splitn(text.as_str(), count).map(|it| text.part_of(it)))
}

/// A pattern as Go reads it: classes and words are of ASCII, and in brackets nothing is an operator but `-`.
fn of_go(pattern: &str) -> String {
    static PARTS: LazyLock<Option<[Regex; 2]>> = LazyLock::new(|| {
        let parts = r"(?s)\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|\\.|.";
        let inner = r"(?s)(?<class>\[:\^?\w+:\]|\\[dws])(?<dash>-?)|\\.|.";
        Some([Regex::new(parts).ok()?, Regex::new(inner).ok()?])
    });
    let Some([parts, inner]) = &*PARTS else { return pattern.to_owned() };
    let ascii = |class: &str| {
        class.replace(r"\d", "0-9").replace(r"\w", "0-9A-Za-z_").replace(r"\s", r"\t\n\f\r ")
    };
    let read = parts.replace_all(pattern, |part: &Captures<'_>| {
        let Some(body) = part[0].strip_prefix('[').and_then(|it| it.strip_suffix(']')) else {
            return match &part[0] {
                class @ (r"\d" | r"\w" | r"\s") => format!("[{}]", ascii(class)),
                r"\b" => r"(?-u:\b)".to_owned(),
                other => other.to_owned(),
            };
        };
        let (not, body) = body.strip_prefix('^').map_or(("", body), |it| ("^", it));
        let body = inner.replace_all(body, |part: &Captures<'_>| match part.name("class") {
            Some(class) => ascii(class.as_str()) + &part["dash"].replace('-', r"\-"),
            None if matches!(&part[0], "[" | "]" | "&" | "~") => format!("\\{}", &part[0]),
            None => part[0].to_owned(),
        });
        format!("[{not}{body}]")
    });
    read.into_owned()
}

/// `trunc`, which counts bytes.
fn truncated(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (count, text) = (call.int(0)?, call.text(1)?);
    let keep = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX).min(text.len());
    cut(call, text, if count < 0 { text.len() - keep..text.len() } else { 0..keep })
}

/// Sprig's `substring`, which refuses what Go refuses of a slice.
fn substring(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (start, end, text) = (call.int(0)?, call.int(1)?, call.text(2)?);
    let size = |it: i64| usize::try_from(it).ok();
    let range = match (size(start), size(end)) {
        (None, Some(end)) => Some(0..end),
        (None, None) => None,
        (Some(start), Some(end)) if end <= text.len() => Some(start..end),
        (Some(start), _) => Some(start..text.len()),
    };
    match range.filter(|it| it.start <= it.end && it.end <= text.len()) {
        Some(range) => cut(call, text, range),
        None => call.fail("the bounds are not in the text"),
    }
}

fn cut(call: &FunctionCall<'_>, text: &MarkedText, part: Range<usize>) -> Evaluated<GoValue> {
    match text.as_str().get(part.clone()) {
        Some(_) => call.marked(text.part(part)),
        None => Ok(GoValue::unknown("a part of a character", &call.origin(0))),
    }
}

/// `quote` and `squote`: every argument but nil, with spaces between.
fn in_quotes(call: &FunctionCall<'_>, mark: &str) -> Evaluated<GoValue> {
    let one = |value: &GoValue| {
        let text = value.printed(true);
        let escaped = match mark {
            "\"" => quoted(text.as_str()),
            _ => format!("'{}'", text.as_str()),
        };
        if escaped.len() != text.len() + 2 {
            return match text.unknown_part() {
                Some(why) => MarkedText::unknown(why, &value.origin),
                None => text.made(escaped),
            };
        }
        let mut quoted = MarkedText::value(mark, &value.origin);
        quoted.push(&text);
        quoted.push(&MarkedText::value(mark, &value.origin));
        quoted
    };
    let texts = call.values.iter().filter(|it| !it.is_nil()).map(one);
    call.marked(MarkedText::joined(texts, &MarkedText::made_of(" ")))
}

/// As Go maps letters: none becomes two.
fn upper(it: char) -> char {
    let mut upper = it.to_uppercase();
    upper.next().filter(|_| upper.next().is_none()).unwrap_or(it)
}

fn lower(it: char) -> char {
    let mut lower = it.to_lowercase();
    lower.next().filter(|_| lower.next().is_none()).unwrap_or(it)
}

/// Each word with its first letter changed.
fn capitalized(text: &str, f: fn(char) -> char) -> String {
    let mut start = true;
    let change = |it: char| {
        let changed = if start && it.is_alphabetic() { f(it) } else { it };
        start = !(it.is_alphanumeric() || it == '_');
        changed
    };
    text.chars().map(change).collect()
}

fn is_connector(it: char) -> bool {
    matches!(it, '_' | '-') || it.is_whitespace()
}

/// `xstrings.ToPascalCase`
fn camel(text: &str) -> String {
    let bare = text.trim_start_matches(is_connector);
    let mut result = text[..text.len() - bare.len()].to_owned();
    let mut chars = bare.chars();
    let Some(first) = chars.next() else { return result };
    let (mut last, mut is_upper) = (upper(first), first.is_uppercase());
    for it in chars {
        let mut next = it;
        if is_connector(it) && is_connector(last) {
            result.push(last);
            continue;
        }
        if is_connector(last) {
            is_upper = it.is_uppercase();
            next = upper(it);
        } else {
            is_upper &= it.is_uppercase();
            next = if is_upper { lower(next) } else { next };
            result.push(last);
        }
        last = next;
    }
    result.push(last);
    result
}

/// `xstrings.ToSnakeCase` and `ToKebabCase`. Digits belong to the word before them, unless small letters
/// follow: then they begin one, in which there may be more of either.
fn delimited(text: &str, delimiter: char) -> String {
    let mut result = String::new();
    let mut before: Option<char> = None;
    let mut begins_with_digits = false;
    let mut chars = text.chars().peekable();
    let digits_from =
        |at: &str| at.trim_start_matches(|it: char| it.is_ascii_digit()).chars().next();
    let mut at = 0;
    while let Some(it) = chars.next() {
        let next_is_lower = chars.peek().is_some_and(|it| it.is_lowercase());
        if it.is_ascii_digit()
            && !begins_with_digits
            && !before.is_some_and(|it| it.is_ascii_digit())
        {
            begins_with_digits = digits_from(&text[at..]).is_some_and(char::is_lowercase);
            if begins_with_digits && before.is_some_and(char::is_alphabetic) {
                result.push(delimiter);
            }
        }
        begins_with_digits &= it.is_ascii_digit() || it.is_lowercase();
        at += it.len_utf8();
        let starts = it.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && next_is_lower)
            });
        if is_connector(it) || starts && !result.ends_with(delimiter) {
            result.push(delimiter);
        }
        if !is_connector(it) {
            result.push(lower(it));
        }
        before = Some(it);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_xstrings() {
        for (text, expected) in [
            ("FirstName9a", "first-name-9a"),
            ("firstName99a", "first-name-99a"),
            ("FirstName9A", "first-name9-a"),
            ("HTTPServer", "http-server"),
            ("a9B9", "a9-b9"),
            ("a  b", "a--b"),
            ("A1", "a1"),
            ("1A", "1-a"),
            ("aB1c2D", "a-b-1c2-d"),
        ] {
            assert_eq!(delimited(text, '-'), expected);
        }
    }

    #[test]
    fn patterns_are_those_of_go() {
        for (pattern, yes, no) in [
            (r"^[\w-\.]+$", "a-b.c", "a b"),
            (r"^[[:alpha:]-z]+$", "a-z", "1"),
            (r"^[a[&~]+$", "[&~", "]"),
            (r"^[]a]$", "]", "b"),
            (r"^[^]a]$", "b", "]"),
            (r"^\d\s\w$", "1 a", "1 é"),
            (r"^\.\[\]$", ".[]", "a[]"),
            (r"\bé", "aé", "é"),
        ] {
            let read = regex::Regex::new(&of_go(pattern)).expect(pattern);
            assert!(read.is_match(yes) && !read.is_match(no), "{pattern} as {read}");
        }
    }
}
