//! Functions of texts. What is a part of an argument keeps that argument's place.

use std::ops::Range;

use super::{
    super::{eval::bound, text::MAX_TEXT},
    Evaluated, FunctionCall, GoData, GoValue,
    Look::{Inside, Prints},
    MarkedText, Row,
    Run::{Call, NotEvaluated, Part, Test, Text},
    printf::{print, printf, quoted},
};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Row] = &[
    ("abbrev", "is", Inside, Call(|it| abbreviated(it, 0, it.int(0)?))),
    ("abbrevboth", "iis", Inside, Call(|it| abbreviated(it, it.int(0)?, it.int(1)?))),
    ("camelcase", "s", Inside, Text(camel)),
    ("cat", "a*", Prints, Call(|it| spaced(it, |it| !it.is_nil()))),
    ("contains", "ss", Inside, Test(|text, it| text.contains(it))),
    ("hasPrefix", "ss", Inside, Test(|text, it| text.starts_with(it))),
    ("hasSuffix", "ss", Inside, Test(|text, it| text.ends_with(it))),
    ("hello", "", Inside, Call(|it| it.string("Hello!"))),
    ("indent", "is", Prints, Call(|it| it.marked(indented(it)?))),
    ("nindent", "is", Prints, Call(|it| {
        let mut text = MarkedText::made_of("\n");
        text.push(&indented(it)?);
        it.marked(text)
    })),
    // These cut characters into bytes.
    ("initials", "s", Inside, Call(|it| of_ascii(it, |text| {
        text.split_whitespace().filter_map(|it| it.chars().next()).collect()
    }))),
    ("nospace", "s", Inside, Text(|it| it.chars().filter(|it| !it.is_whitespace()).collect())),
    ("kebabcase", "s", Inside, Text(|it| delimited(it, '-'))),
    ("snakecase", "s", Inside, Text(|it| delimited(it, '_'))),
    ("lower", "s", Inside, Text(|it| it.chars().map(lower).collect())),
    ("upper", "s", Inside, Text(|it| it.chars().map(upper).collect())),
    ("swapcase", "s", Inside, Text(|it| {
        it.chars().map(|it| if it.is_uppercase() { lower(it) } else { upper(it) }).collect()
    })),
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
        let (text, pattern) = (it.text(1)?, pattern(it)?);
        let found = pattern.find_iter(text.as_str()).take(count(it)?);
        it.texts(found.map(|it| text.part(it.range())))
    })),
    ("regexMatch", "ss", Inside, Call(|it| match pattern(it) {
        Ok(pattern) => it.bool(pattern.is_match(it.str(1)?)),
        Err(error) if error.bound => Err(error),
        // A pattern that is none matches nothing.
        Err(_) => it.bool(false),
    })),
    ("mustRegexMatch", "ss", Inside, Call(|it| it.bool(pattern(it)?.is_match(it.str(1)?)))),
    ("regexQuoteMeta", "s", Inside, Text(escaped)),
    ("regexReplaceAll mustRegexReplaceAll", "sss", Inside, Call(|it| replaced(it, false))),
    ("regexReplaceAllLiteral mustRegexReplaceAllLiteral", "sss", Inside, Call(|it| replaced(it, true))),
    ("regexSplit mustRegexSplit", "ssi", Inside, Call(split_by_pattern)),
    ("repeat", "is", Inside, Call(repeated)),
    ("replace", "sss", Inside, Call(|it| {
        it.marked(it.text(2)?.replaced(it.str(0)?, it.text(1)?, usize::MAX))
    })),
    ("shuffle", "s", Inside, NotEvaluated),
    ("substr", "iis", Inside, Call(substring)),
    ("toString", "a", Prints, Call(|it| it.marked(it.value(0)?.printed(true)))),
    ("trim", "s", Prints, Call(trimmed)),
    ("trimAll trimall", "ss", Inside, Part(|text, set| text.trim_matches(|it| set.contains(it)))),
    ("trimPrefix", "ss", Inside, Part(|text, it| text.strip_prefix(it).unwrap_or(text))),
    ("trimSuffix", "ss", Inside, Part(|text, it| text.strip_suffix(it).unwrap_or(text))),
    ("trunc", "is", Inside, Call(truncated)),
    ("wrap", "is", Inside, Call(|it| wrapped(it, "\n", it.str(1)?, false))),
    ("wrapWith", "iss", Inside, Call(|it| wrapped(it, it.str(1)?, it.str(2)?, true))),
];

fn formatted(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    match &call.value(0)?.data {
        GoData::Text(format) if format.unknown_part().is_none() => {
            call.marked(printf(format, &call.values[1..]))
        }
        _ => Ok(call.as_unknown()),
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

fn of_ascii(call: &FunctionCall<'_>, f: fn(&str) -> String) -> Evaluated<GoValue> {
    match call.text(0)? {
        text if text.as_str().is_ascii() => call.marked(text.made(f(text.as_str()))),
        _ => Ok(GoValue::unknown(format!("`{}` of such a text", call.name), call.at)),
    }
}

fn repeated(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (count, one) = (call.int(0)?, call.text(1)?);
    let mut all = MarkedText::default();
    if count < 0 {
        return call.fail("the count is negative");
    }
    for _ in 0..count {
        all.push(one);
        if all.is_cut || one.len() == 0 {
            break;
        }
    }
    call.marked(all)
}

/// The regular expression that is the first argument.
fn pattern(call: &FunctionCall<'_>) -> Evaluated<regex::Regex> {
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
    let (mut all, mut at) = (MarkedText::default(), 0);
    let dollars = new.matches('$').count();
    for found in pattern.captures_iter(text.as_str()) {
        let Some(range) = found.get(0).map(|it| it.range()) else { continue };
        let mut by = String::new();
        // Go takes the longest name after a dollar sign, as this crate does.
        if literal {
            by.push_str(new);
        } else {
            let most = (dollars * range.len()).saturating_add(new.len());
            if most > MAX_TEXT {
                return bound("the text is too long", call.at);
            }
            found.expand(new, &mut by);
        }
        all.push_part(text, at..range.start);
        all.push(&text.part(range.clone()).made(by));
        at = range.end;
        if all.is_cut {
            break;
        }
    }
    all.push_part(text, at..text.len());
    call.marked(all)
}

/// As `regexp.Split`: what is empty at the start separates nothing.
fn split_by_pattern(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (pattern, text, count) = (pattern(call)?, call.text(1)?, count(call)?);
    let (mut parts, mut at, mut end) = (Vec::new(), 0, 0);
    if count == 0 {
        return call.texts(parts);
    }
    for found in pattern.find_iter(text.as_str()) {
        if parts.len() + 1 >= count {
            break;
        }
        end = found.start();
        if found.end() > 0 {
            parts.push(text.part(at..end));
        }
        at = found.end();
    }
    if end != text.len() || text.len() == 0 {
        parts.push(text.part(at..text.len()));
    }
    call.texts(parts)
}

fn escaped(text: &str) -> String {
    let escape = |it: char| {
        let is_meta = "\\.+*?()|[]{}^$".contains(it);
        is_meta.then_some('\\').into_iter().chain([it])
    };
    text.chars().flat_map(escape).collect()
}

/// A pattern as Go reads it: classes are of ASCII, and in brackets nothing is an operator but `-`.
fn of_go(pattern: &str) -> String {
    let mut read = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    // Whether brackets are open, and whether what stood last in them is a class.
    let (mut inside, mut class) = (false, false);
    while let Some(char) = chars.next() {
        let was_class = std::mem::take(&mut class);
        match (char, inside) {
            ('\\', _) => {
                let escaped = chars.next().unwrap_or('\\');
                let ascii = match escaped {
                    'd' => "0-9",
                    'w' => "0-9A-Za-z_",
                    's' => r"\t\n\f\r ",
                    _ => {
                        read.extend(['\\', escaped]);
                        continue;
                    }
                };
                class = true;
                read.push_str(&if inside { ascii.to_owned() } else { format!("[{ascii}]") });
            }
            ('[', false) => {
                inside = true;
                read.push('[');
                read.extend(chars.next_if_eq(&'^'));
                if chars.next_if_eq(&']').is_some() {
                    read.push_str(r"\]");
                }
            }
            ('[', true) if chars.peek() == Some(&':') => {
                read.push('[');
                for char in chars.by_ref() {
                    read.push(char);
                    if char == ']' {
                        break;
                    }
                }
                class = true;
            }
            (']', true) => {
                inside = false;
                read.push(']');
            }
            ('-', true) if was_class => read.push_str(r"\-"),
            ('[' | '&' | '~', true) => read.extend(['\\', char]),
            _ => read.push(char),
        }
    }
    read
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

/// `xstrings.ToSnakeCase` and `ToKebabCase`.
fn delimited(text: &str, delimiter: char) -> String {
    let mut result = String::new();
    let mut before: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(it) = chars.next() {
        let next_is_lower = chars.peek().is_some_and(|it| it.is_lowercase());
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

/// `goutils.AbbreviateFull`, which counts bytes.
fn abbreviated(call: &FunctionCall<'_>, offset: i64, width: i64) -> Evaluated<GoValue> {
    const MARK: &str = "...";
    let text = call.text(call.values.len() - 1)?;
    let (length, least) = (text.len(), if offset > 0 { 7 } else { 4 });
    let width = usize::try_from(width).unwrap_or(0);
    if width < least || length <= width {
        return call.marked(MarkedText::clone(text));
    }
    if !text.as_str().is_ascii() {
        return Ok(GoValue::unknown("a part of a character", &call.source()));
    }
    let kept = width - MARK.len();
    let offset = usize::try_from(offset).unwrap_or(0).min(length - kept);
    let mut result = MarkedText::default();
    if offset <= 4 {
        result.push_part(text, 0..kept);
        result.push_made(MARK);
    } else {
        result.push_made(MARK);
        let is_cut = offset + kept < length;
        let (start, end) = match is_cut {
            true => (offset, offset + kept.saturating_sub(MARK.len())),
            false => (length - kept, length),
        };
        result.push_part(text, start..end);
        result.push_made(if is_cut { MARK } else { "" });
    }
    call.marked(result)
}

/// `goutils.WrapCustom`, which counts bytes; `long` words are cut as well.
fn wrapped(call: &FunctionCall<'_>, end: &str, text: &str, long: bool) -> Evaluated<GoValue> {
    let width = call.size(0)?.max(1);
    if !text.is_ascii() {
        return Ok(GoValue::unknown("a part of a character", &call.source()));
    }
    let end = if end.is_empty() { "\n" } else { end };
    let (mut result, mut rest) = (String::new(), text);
    while rest.len() > width && result.len() <= MAX_TEXT {
        if let Some(after) = rest.strip_prefix(' ') {
            rest = after;
            continue;
        }
        let space = rest[..=width].rfind(' ');
        let beyond = || if long { None } else { rest[width..].find(' ') };
        let space = space.or_else(|| Some(beyond()? + width));
        let (line, after) = match space {
            Some(space) => (&rest[..space], &rest[space + 1..]),
            None if long => rest.split_at(width),
            None => break,
        };
        result.push_str(line);
        result.push_str(end);
        rest = after;
    }
    result.push_str(rest);
    call.marked(call.text(call.values.len() - 1)?.made(result))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            let read = regex::Regex::new(&of_go(pattern)).expect(pattern);
            assert!(read.is_match(yes) && !read.is_match(no), "{pattern} as {read}");
        }
    }
}
