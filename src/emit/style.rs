//! How go-yaml v2 writes a string: `stringv` in `encode.go`, `yaml_emitter_analyze_scalar` and
//! `yaml_emitter_select_scalar_style` in `emitterc.go`.

use crate::scalar::{self, Dialect, Value};

/// A notation of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EmitStyle {
    Plain,
    Single,
    Double,
    Literal,
}

/// How the string `text` is written, as a value or as a key of one line.
pub(super) fn scalar_style(text: &str, key: bool) -> EmitStyle {
    let wanted = if text.contains('\n') {
        EmitStyle::Literal
    } else if reads_as_string(text) {
        EmitStyle::Plain
    } else {
        EmitStyle::Double
    };
    let shape = Look::of(text);
    match wanted {
        EmitStyle::Literal if key || !shape.block => EmitStyle::Double,
        EmitStyle::Plain if !shape.plain && shape.single => EmitStyle::Single,
        EmitStyle::Plain if !shape.plain => EmitStyle::Double,
        wanted => wanted,
    }
}

/// Whether `text` without quotes is a string to go-yaml v2, and was one to YAML 1.1 readers that
/// know numbers to the base of 60.
fn reads_as_string(text: &str) -> bool {
    matches!(scalar::plain(text, Dialect::Sigs), Value::Str(_))
        && !scalar::is_timestamp(text)
        && !is_base_60(text)
}

/// `^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$`
fn is_base_60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit() || it == b'_');
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let sixty = |part: &str| match part.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
        _ => false,
    };
    first.starts_with(|it: char| it.is_ascii_digit())
        && digits(first)
        && digits(fraction)
        && whole.contains(':')
        && parts.all(sixty)
}

/// The styles that a text allows in block context.
struct Look {
    plain: bool,
    single: bool,
    block: bool,
}

impl Look {
    fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self { plain: true, single: true, block: false };
        }
        let mut indicator = text.starts_with("---") || text.starts_with("...");
        let mut special = false;
        let mut breaks = false;
        let (mut break_space, mut space_break) = (false, false);
        let mut before = None;
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            let blank_after = chars.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            let blank_before =
                before.is_none_or(|it: char| matches!(it, ' ' | '\t') || is_break(it));
            indicator |= match char {
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`' => before.is_none(),
                '?' | '-' => before.is_none() && blank_after,
                ':' => blank_after,
                '#' => blank_before,
                _ => false,
            };
            special |= !scalar::is_printable(char);
            breaks |= is_break(char);
            break_space |= char == ' ' && before.is_some_and(is_break);
            space_break |= is_break(char) && before == Some(' ');
            before = Some(char);
        }
        let trailing_space = text.ends_with(' ');
        let odd = space_break || special;
        let edges = text.starts_with(' ') || trailing_space;
        Self {
            plain: !(indicator || edges || breaks || break_space || odd),
            single: !(break_space || odd),
            block: !(trailing_space || odd),
        }
    }
}

/// A line break to YAML 1.1.
pub(super) fn is_break(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The escape that stands for `char` in double quotes, if it needs one.
pub(super) fn escape(char: char) -> Option<String> {
    let short = match char {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ if scalar::is_printable(char) => return None,
        _ => {
            let code = u32::from(char);
            return Some(match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            });
        }
    };
    Some(format!("\\{short}"))
}
