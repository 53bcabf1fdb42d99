//! Patterns for scripts and code, whose names and spaces are of ASCII.

use regex::Regex;

/// The pattern, with `\w`, `\d`, `\s`, `\S` and `\b` for ASCII: the program is often called for a few
/// files, and to build the classes of Unicode takes longer than to look through them.
pub(crate) fn pattern(text: &str) -> Option<Regex> {
    let mut pattern = String::with_capacity(2 * text.len());
    let mut is_in_class = false;
    let mut chars = text.chars();
    while let Some(it) = chars.next() {
        match it {
            '[' if !is_in_class => is_in_class = true,
            ']' => is_in_class = false,
            _ => {}
        }
        if it != '\\' {
            pattern.push(it);
            continue;
        }
        let escaped = chars.next()?;
        let of_class = match escaped {
            'w' => "0-9A-Za-z_",
            'd' => "0-9",
            's' => r"\t\n\x0B\x0C\r ",
            _ => "",
        };
        match (escaped, is_in_class) {
            ('S', false) => pattern.push_str(r"[^\t\n\x0B\x0C\r ]"),
            ('b', false) => pattern.push_str(r"(?-u:\b)"),
            _ if of_class.is_empty() => pattern.extend(['\\', escaped]),
            (_, true) => pattern.push_str(of_class),
            (_, false) => pattern.extend(["[", of_class, "]"]),
        }
    }
    Regex::new(&pattern).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_ascii() {
        let is_match = |text: &str, of: &str| pattern(text).is_some_and(|it| it.is_match(of));
        for (text, of) in [
            (r"^\w+$", "a_9"),
            (r"^[\w.-]+$", "a.b-c"),
            (r"^\S+\s\d$", "x\u{b}4"),
            (r"\bx\b", "(x)"),
            (r"^[^\s\]]\]$", "a]"),
            (r"^\[\$$", "[$"),
        ] {
            assert!(is_match(text, of), "{text} {of}");
        }
        for (text, of) in [(r"\w", "ä"), (r"\s", "\u{a0}"), (r"[\d]", "٣"), (r"\bx\b", "x_")] {
            assert!(!is_match(text, of), "{text} {of}");
        }
        assert!(pattern("(").is_none());
    }
}
