//! Env files, read exactly as kustomize's generators read them (`kyaml`'s `kv.go`).
//!
//! No quotes are removed, nothing is expanded, there are no comments after a value, and `export`
//! becomes part of the key: what the shell would do does not matter.

use crate::source::{self, FileId, Span};

/// One `KEY=value` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variable<'a> {
    /// Everything before the first `=`, spaces at its end included.
    pub key: &'a str,
    /// Where the key is.
    pub key_span: Span,
    /// Everything after the first `=`.
    pub value: &'a str,
    /// Where the value is; empty right after the `=` for an empty one.
    pub value_span: Span,
}

/// A line longer than this ends the reading, silently, as Go's `bufio.Scanner` does.
const MAX_LINE: usize = 64 * 1024;

/// The variables of `text`, in order.
pub(crate) fn parse(text: &str, file: FileId) -> impl Iterator<Item = Variable<'_>> {
    let mark = '\u{feff}';
    let (offset, text) = match text.strip_prefix(mark) {
        Some(rest) => (mark.len_utf8(), rest),
        None => (0, text),
    };
    source::lines(text)
        .take_while(|(_, line)| line.len() <= MAX_LINE)
        .filter_map(move |(at, line)| variable(line, offset + at, file))
}

/// What YAML reads of a value that is filled in alone: up to a comment behind it, with its quotes.
pub(crate) fn before_comment(value: &str) -> &str {
    let blank = value.len() - value.trim_start().len();
    let inner = &value[blank..];
    let closing = inner.chars().next().filter(|it| matches!(it, '"' | '\'')).and_then(|quote| {
        let end = inner[1..].find(quote)? + 2;
        let rest = &inner[end..];
        let is_comment = rest.trim_start().starts_with('#') && rest.starts_with([' ', '\t']);
        (is_comment || rest.trim().is_empty()).then_some(blank + end)
    });
    let comment = [" #", "\t#"].into_iter().filter_map(|it| value.find(it)).min();
    match (closing, comment) {
        (Some(end), _) => &value[..end],
        (None, Some(at)) if !value[..at].trim().is_empty() => value[..at].trim_end(),
        _ => value,
    }
}

fn variable(line: &str, at: usize, file: FileId) -> Option<Variable<'_>> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let bare = line.trim_start();
    if bare.is_empty() || bare.starts_with('#') {
        return None;
    }
    let start = at + (line.len() - bare.len());
    let (key, value) = bare.split_once('=').unwrap_or((bare, ""));
    let end = start + bare.len();
    Some(Variable {
        key,
        key_span: Span::new(file, start..start + key.len()),
        value,
        value_span: Span::new(file, end - value.len()..end),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn as_kustomize_reads_it() {
        let text = "\u{feff}A=1\r\n  # no\n\n B = \"x\" # y \nexport C=3\nD\nE=a=b";
        let sources = Sources::in_memory([("x.env", text)]);
        let file = sources.find("x.env").expect("it is there");
        let got: Vec<_> = parse(text, file).collect();
        let pairs: Vec<_> = got.iter().map(|it| (it.key, it.value)).collect();
        assert_eq!(
            pairs,
            [("A", "1"), ("B ", " \"x\" # y "), ("export C", "3"), ("D", ""), ("E", "a=b")]
        );
        for it in &got {
            assert_eq!(sources.slice(it.key_span), it.key);
            assert_eq!(sources.slice(it.value_span), it.value);
        }
    }

    #[test]
    fn a_comment_behind_a_value_is_what_yaml_takes_for_one() {
        for (value, before) in [
            ("5s # why", "5s"),
            ("5s\t# why # not", "5s"),
            ("5s  ", "5s  "),
            ("5s#x", "5s#x"),
            ("# x", "# x"),
            (" # x", " # x"),
            ("\"a # b\"", "\"a # b\""),
            ("\"a\" # b \"c\"", "\"a\""),
            ("'a'\t# b", "'a'"),
            ("'a' b # c", "'a' b"),
            ("'a # b", "'a"),
            ("\"a\"#b", "\"a\"#b"),
            ("'a'  ", "'a'"),
            ("\"", "\""),
            ("", ""),
        ] {
            assert_eq!(before_comment(value), before, "{value:?}");
        }
    }
}
