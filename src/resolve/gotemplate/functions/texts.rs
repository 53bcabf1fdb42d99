//! Functions of texts. What is a part of an argument keeps that argument's place.

use std::ops::Range;

use super::{
    super::eval::bound, Called, Evaluated, FunctionCall, GoData, GoValue, MarkedText, encode::hex,
    to_float, to_int,
};

/// Those that print their arguments, unknown ones too.
pub(super) fn lenient(call: &FunctionCall<'_>) -> Called {
    let first = call.values.first();
    // A text of which a part is unknown keeps what is known around that part.
    let text = first.and_then(|it| match &it.data {
        GoData::Text(text) => Some(text),
        _ => None,
    });
    Some(match (call.name, text) {
        ("print", _) => call.marked(print(&call.values)),
        ("println", _) => {
            let mut text = spaced(&call.values);
            text.push_made("\n");
            call.marked(text)
        }
        ("printf", Some(format)) if format.unknown_part().is_none() => {
            call.marked(printf(format, &call.values[1..]))
        }
        ("quote" | "squote", _) => quoted(call),
        ("toString", _) => match first.map(|it| &it.data) {
            Some(GoData::Nil) => call.string("<nil>"),
            Some(_) => call.marked(call.values[0].printed(true)),
            None => return None,
        },
        ("cat", _) => {
            let some = call.values.iter().filter(|it| !matches!(it.data, GoData::Nil));
            let mut text = MarkedText::default();
            for (index, value) in some.enumerate() {
                if index > 0 {
                    text.push_made(" ");
                }
                text.push(&value.printed(true));
            }
            call.marked(text)
        }
        ("indent" | "nindent", _) => match (call.value(0).map(to_int), call.values.get(1)) {
            (Ok(..0), _) => call.fail("the width is negative"),
            (Ok(width), Some(value)) => {
                let text = match &value.data {
                    GoData::Unknown(why) => MarkedText::unknown(why, &value.origin),
                    GoData::Text(text) => MarkedText::clone(text),
                    _ => {
                        return Some(
                            call.text(1).and_then(|it| call.marked(MarkedText::clone(it))),
                        );
                    }
                };
                let width = usize::try_from(width).unwrap_or(0).min(10_000);
                let mut indented = MarkedText::default();
                if call.name == "nindent" {
                    indented.push_made("\n");
                }
                indented.push(&text.indented(width));
                call.marked(indented)
            }
            _ => return None,
        },
        ("trim", Some(text)) => call.marked(text.part_of(text.as_str().trim())),
        _ => return None,
    })
}

/// Those that need to know their arguments.
pub(super) fn strict(call: &FunctionCall<'_>) -> Called {
    of_text(call).or_else(|| of_pattern(call))
}

fn of_text(call: &FunctionCall<'_>) -> Called {
    // The argument that a pipe passes comes last.
    let last = call.values.len().checked_sub(1)?;
    let part = |f: for<'t> fn(&'t str, &str) -> &'t str| -> Evaluated<GoValue> {
        let argument = if last == 0 { "" } else { call.str(0)? };
        let text = call.text(last)?;
        call.marked(text.part_of(f(text.as_str(), argument)))
    };
    let whole = |f: &dyn Fn(&str) -> String| -> Evaluated<GoValue> {
        let text = call.text(last)?;
        call.marked(text.made(f(text.as_str())))
    };
    let test = |f: fn(&str, &str) -> bool| -> Evaluated<GoValue> {
        call.bool(f(call.str(1)?, call.str(0)?))
    };
    Some(match call.name {
        "trimSuffix" => part(|text, it| text.strip_suffix(it).unwrap_or(text)),
        "trimPrefix" => part(|text, it| text.strip_prefix(it).unwrap_or(text)),
        "trimAll" | "trimall" => part(|text, set| text.trim_matches(|it| set.contains(it))),
        "trunc" => truncated(call),
        "substr" => substring(call),
        "lower" => whole(&|it| it.to_lowercase()),
        "upper" => whole(&|it| it.to_uppercase()),
        "title" => whole(&|it| capitalized(it, char::to_uppercase)),
        "untitle" => whole(&|it| capitalized(it, char::to_lowercase)),
        "swapcase" => whole(&|it| {
            it.chars()
                .map(|it| match it {
                    it if it.is_uppercase() => it.to_lowercase().to_string(),
                    it => it.to_uppercase().to_string(),
                })
                .collect()
        }),
        // These cut characters into bytes.
        "nospace" | "initials" if call.str(last).is_ok_and(|it| !it.is_ascii()) => {
            Ok(GoValue::unknown(format!("`{}` of such a text", call.name), call.at))
        }
        "plural" => call.int(2).map(|it| call.values[usize::from(it != 1)].clone()),
        "nospace" => whole(&|it| it.chars().filter(|it| !it.is_whitespace()).collect()),
        "camelcase" => whole(&camel),
        "snakecase" => whole(&|it| delimited(it, '_')),
        "kebabcase" => whole(&|it| delimited(it, '-')),
        "initials" => {
            whole(&|it| it.split_whitespace().filter_map(|it| it.chars().next()).collect())
        }
        "contains" => test(|text, it| text.contains(it)),
        "hasPrefix" => test(|text, it| text.starts_with(it)),
        "hasSuffix" => test(|text, it| text.ends_with(it)),
        "replace" => (|| {
            let (old, new, all) = (call.str(0)?, call.text(1)?, call.text(2)?);
            call.marked(all.replaced(old, new, usize::MAX))
        })(),
        "repeat" if call.int(0).is_ok_and(|it| it < 0) => call.fail("the count is negative"),
        "repeat" => (|| {
            let (count, one) = (call.size(0)?, call.text(1)?);
            let mut all = MarkedText::default();
            for _ in 0..count {
                all.push(one);
                if all.is_cut || one.len() == 0 {
                    break;
                }
            }
            call.marked(all)
        })(),
        _ => return None,
    })
}

/// Functions of regular expressions.
fn of_pattern(call: &FunctionCall<'_>) -> Called {
    let pattern = |index: usize| {
        let mut pattern = regex::RegexBuilder::new(&of_go(call.str(index)?));
        pattern.size_limit(1 << 18).build().or_else(|error| match error {
            regex::Error::CompiledTooBig(_) => bound("the pattern is too large", call.at),
            _ => call.fail("the pattern is none"),
        })
    };
    Some(match call.name {
        "mustRegexMatch" => (|| call.bool(pattern(0)?.is_match(call.str(1)?)))(),
        // A pattern that is none matches nothing.
        "regexMatch" => call.str(1).and_then(|text| match pattern(0) {
            Ok(pattern) => call.bool(pattern.is_match(text)),
            Err(error) if error.bound => Err(error),
            Err(_) => call.bool(false),
        }),
        "regexFind" => (|| {
            let text = call.text(1)?;
            let found = pattern(0)?.find(text.as_str()).map(|it| it.range()).unwrap_or(0..0);
            call.marked(text.part(found))
        })(),
        "regexFindAll" => (|| {
            let (text, count) = (call.text(1)?, call.int(2)?);
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let pattern = pattern(0)?;
            let found = pattern.find_iter(text.as_str()).take(count);
            let found = found.map(|it| GoValue::text(text.part(it.range()), call.at)).collect();
            Ok(GoValue::list(found, &call.source()))
        })(),
        "regexReplaceAll" | "regexReplaceAllLiteral" => (|| {
            let (pattern, text, new) = (pattern(0)?, call.text(1)?, call.str(2)?);
            let (mut all, mut at) = (MarkedText::default(), 0);
            for found in pattern.captures_iter(text.as_str()) {
                let Some(range) = found.get(0).map(|it| it.range()) else { continue };
                let mut by = String::new();
                match call.name {
                    // Go takes the longest name after a dollar sign, as this crate does.
                    "regexReplaceAll" => found.expand(new, &mut by),
                    _ => by.push_str(new),
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
        })(),
        "regexSplit" => (|| {
            let (pattern, text, count) = (pattern(0)?, call.text(1)?, call.int(2)?);
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let parts = pattern.splitn(text.as_str(), count);
            let parts = parts.map(|it| GoValue::text(text.part_of(it), call.at)).collect();
            Ok(GoValue::list(parts, &call.source()))
        })(),
        "regexQuoteMeta" => call.str(0).and_then(|it| call.string(escaped(it))),
        _ => return None,
    })
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

fn substring(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let (start, end, text) = (call.int(0)?, call.int(1)?, call.text(2)?);
    let end = usize::try_from(end).unwrap_or(usize::MAX).min(text.len());
    let start = usize::try_from(start).unwrap_or(0);
    if start > end {
        return call.fail("the bounds are not in the text");
    }
    cut(call, text, start..end)
}

fn cut(call: &FunctionCall<'_>, text: &MarkedText, part: Range<usize>) -> Evaluated<GoValue> {
    match text.as_str().get(part.clone()) {
        Some(_) => call.marked(text.part(part)),
        None => Ok(GoValue::unknown("a part of a character", &call.origin(0))),
    }
}

/// `quote` and `squote`: every argument but nil, with spaces between.
fn quoted(call: &FunctionCall<'_>) -> Evaluated<GoValue> {
    let mark = if call.name == "quote" { "\"" } else { "'" };
    let mut all = MarkedText::default();
    for value in call.values.iter().filter(|it| !matches!(it.data, GoData::Nil)) {
        if all.len() > 0 {
            all.push_made(" ");
        }
        let text = value.printed(true);
        let escaped = match mark {
            "\"" => go_quoted(text.as_str()),
            _ => format!("'{}'", text.as_str()),
        };
        if escaped.len() == text.len() + 2 {
            let mut quoted = MarkedText::value(mark, &value.origin);
            quoted.push(&text);
            quoted.push(&MarkedText::value(mark, &value.origin));
            all.push(&quoted);
        } else {
            match text.unknown_part() {
                Some(why) => all.push(&MarkedText::unknown(why, &value.origin)),
                None => all.push(&text.made(escaped)),
            }
        }
    }
    call.marked(all)
}

/// Go's `%q`.
pub(super) fn go_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for it in text.chars() {
        match it {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            it if (it as u32) < 0x20 || it as u32 == 0x7f => {
                quoted.push_str(&format!("\\x{:02x}", it as u32));
            }
            // What nobody sees: spaces, marks of direction, private use.
            '\u{80}'..='\u{a0}'
            | '\u{ad}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{3000}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{feff}' => quoted.push_str(&format!("\\u{:04x}", it as u32)),
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

fn spaced(values: &[GoValue]) -> MarkedText {
    let mut text = MarkedText::default();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push_made(" ");
        }
        text.push(&value.printed(true));
    }
    text
}

/// Go's `Sprintf`.
fn printf(format: &MarkedText, values: &[GoValue]) -> MarkedText {
    let text = format.as_str();
    let mut out = MarkedText::default();
    let (mut at, mut next) = (0, 0);
    while let Some(start) = text[at..].find('%').map(|it| it + at) {
        out.push_part(format, at..start);
        let rest = &text[start + 1..];
        let flags = rest.len() - rest.trim_start_matches(['+', '-', '#', ' ', '0']).len();
        let width = rest[flags..].len()
            - rest[flags..].trim_start_matches(|it: char| it.is_ascii_digit() || it == '.').len();
        let Some(verb) = rest[flags + width..].chars().next() else {
            out.push_made("%!(NOVERB)");
            at = text.len();
            break;
        };
        at = start + 1 + flags + width + verb.len_utf8();
        if verb == '%' {
            out.push_made("%");
            continue;
        }
        let Some(value) = values.get(next) else {
            out.push_made(&format!("%!{verb}(MISSING)"));
            continue;
        };
        next += 1;
        // Indexes, widths that are arguments, and verbs that nobody writes into a manifest.
        let is_odd = !"vsqdxXobctfFgT".contains(verb) || rest[..flags].contains(['#', ' ']);
        if is_odd {
            let why = "this verb of `printf` is not evaluated".into();
            out.push(&MarkedText::unknown(&why, &value.origin));
            continue;
        }
        let formatted = formatted(value, verb, &rest[..flags], &rest[flags..flags + width]);
        out.push(&formatted);
    }
    out.push_part(format, at..text.len());
    if next < values.len() {
        let extra: Vec<String> = values[next..]
            .iter()
            .map(|it| format!("{}={}", it.type_name(), it.printed(true).as_str()))
            .collect();
        out.push_made(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

/// One operand of `printf`.
fn formatted(value: &GoValue, verb: char, flags: &str, width: &str) -> MarkedText {
    if let GoData::Unknown(why) = &value.data {
        return MarkedText::unknown(why, &value.origin);
    }
    // A verb is for what is in a list or a map.
    if !matches!(verb, 'v' | 'T')
        && let GoData::List(items) = &value.data
    {
        let mut all = MarkedText::value("[", &value.origin);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                all.push_made(" ");
            }
            all.push(&formatted(item, verb, flags, width));
        }
        all.push_made("]");
        return all;
    }
    let wrong = || {
        let printed = value.printed(true);
        match &value.data {
            GoData::Nil => MarkedText::value(format!("%!{verb}(<nil>)"), &value.origin),
            _ => printed.made(format!("%!{verb}({}={})", value.type_name(), printed.as_str())),
        }
    };
    let (width, precision) = match width.split_once('.') {
        Some((width, precision)) => (width, precision.parse::<usize>().ok().or(Some(0))),
        None => (width, None),
    };
    let made = |text: String| MarkedText::value(text, &value.origin);
    let text = match (verb, &value.data) {
        ('v', _) | ('s', GoData::Map(_)) | ('g', GoData::Float(_)) if !flags.contains('#') => {
            value.printed(true)
        }
        ('s', GoData::Text(text)) => match precision {
            Some(count) => {
                let end = text.as_str().char_indices().nth(count).map_or(text.len(), |it| it.0);
                text.part(0..end)
            }
            None => MarkedText::clone(text),
        },
        ('q', GoData::Text(text)) => text.made(go_quoted(text.as_str())),
        ('d', GoData::Int(it) | GoData::Int64(it)) => {
            let sign = if flags.contains('+') { "+" } else { "" };
            made(if *it >= 0 { format!("{sign}{it}") } else { it.to_string() })
        }

        ('x', GoData::Text(text)) => text.made(hex(text.as_str().as_bytes())),

        ('x' | 'X' | 'o' | 'b', GoData::Int(it) | GoData::Int64(it)) => {
            let (sign, it) = (if *it < 0 { "-" } else { "" }, it.unsigned_abs());
            made(match verb {
                'x' => format!("{sign}{it:x}"),
                'X' => format!("{sign}{it:X}"),
                'o' => format!("{sign}{it:o}"),
                _ => format!("{sign}{it:b}"),
            })
        }
        ('c', GoData::Int(it) | GoData::Int64(it)) => {
            made(u32::try_from(*it).ok().and_then(char::from_u32).unwrap_or(' ').to_string())
        }
        ('t', GoData::Bool(it)) => made(it.to_string()),
        ('f' | 'F', GoData::Float(_)) => {
            made(format!("{:.*}", precision.unwrap_or(6).min(1000), to_float(value)))
        }
        ('T', _) => made(value.type_name().to_owned()),
        _ => wrong(),
    };
    let (width, length) = (width.parse().unwrap_or(0_usize), text.as_str().chars().count());
    if length >= width || width > 10_000 {
        return text;
    }
    let fill = width - length;
    let mut padded = MarkedText::default();
    if flags.contains('-') {
        padded.push(&text);
        padded.push_made(&" ".repeat(fill));
    } else {
        let zero = flags.contains('0') && !matches!(value.data, GoData::Text(_));
        // Zeros come behind the sign.
        let sign = usize::from(zero && text.as_str().starts_with(['-', '+']));
        padded.push_part(&text, 0..sign);
        padded.push_made(&if zero { "0" } else { " " }.repeat(fill));
        padded.push_part(&text, sign..text.len());
    }
    padded
}

/// Each word with its first letter changed.
fn capitalized<I: Iterator<Item = char>>(text: &str, f: fn(char) -> I) -> String {
    let mut start = true;
    let mut result = String::new();
    for it in text.chars() {
        if start && it.is_alphabetic() {
            result.extend(f(it));
        } else {
            result.push(it);
        }
        start = !(it.is_alphanumeric() || it == '_');
    }
    result
}

/// `xstrings.ToCamelCase`, which begins with a capital.
fn camel(text: &str) -> String {
    let bare = text.trim_start_matches('_');
    let mut result = text[..text.len() - bare.len()].to_owned();
    let mut up = true;
    for it in bare.chars() {
        if matches!(it, '_' | '-' | ' ') {
            up = true;
        } else if up {
            result.extend(it.to_uppercase());
            up = false;
        } else {
            result.push(it);
        }
    }
    result
}

/// `xstrings.ToSnakeCase` and `ToKebabCase`.
fn delimited(text: &str, delimiter: char) -> String {
    let mut result = String::new();
    let mut before: Option<char> = None;
    let chars: Vec<char> = text.chars().collect();
    for (index, it) in chars.iter().copied().enumerate() {
        if matches!(it, '_' | '-' | ' ') {
            if !result.ends_with(delimiter) {
                result.push(delimiter);
            }
        } else {
            let next_is_lower = chars.get(index + 1).is_some_and(|it| it.is_lowercase());
            let starts = it.is_uppercase()
                && before.is_some_and(|before| {
                    before.is_lowercase()
                        || before.is_ascii_digit()
                        || (before.is_uppercase() && next_is_lower)
                });
            if starts && !result.ends_with(delimiter) {
                result.push(delimiter);
            }
            result.extend(it.to_lowercase());
        }
        before = Some(it);
    }
    result
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
