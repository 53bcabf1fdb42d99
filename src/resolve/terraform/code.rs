//! HCL as Terraform takes it.

use std::{ops::Range, sync::Arc};

use hcl_edit::{
    Span as _,
    expr::{Expression, ObjectKey, Traversal, TraversalOperator},
    parser::{self, Error},
    structure::Body,
};

use crate::source::{self, FileId, KeptByFile, Sources};

/// The code in `file`, which is kept: a module is read for what it installs and for the cluster that it
/// makes.
///
/// # Errors
/// As [`parse`].
pub(super) fn of_file(sources: &Sources, file: FileId) -> Result<Arc<Body>, Error> {
    let kept = sources.keep(|_| KeptByFile::<Arc<Body>>::default());
    if let Some(known) = kept.get(&file) {
        return Ok(known);
    }
    let text = sources.text(file);
    let body = Arc::new(parse(text)?);
    kept.put(file, text.len(), &body);
    Ok(body)
}

/// How often keys of objects may be repeated in a file.
const MAX_REPEATED: usize = 104;

/// The code in `text`, every span of which is one of `text`.
///
/// The parser refuses an object that has a key twice; of two entries Terraform takes the later one
/// (hashicorp/terraform#28727). So the parser is shown another key of the same length in the place
/// of each that is repeated: their names have to be read in `text`, see [`name`].
///
/// It also takes the end of an empty heredoc for its text when another one with the same delimiter
/// follows, so it is shown an empty string instead.
///
/// # Errors
/// What is no HCL, or has too many such keys.
fn parse(text: &str) -> Result<Body, Error> {
    let mut shown = text.to_owned();
    for empty in empty_heredocs(text) {
        let string = format!("{:<1$}", "\"\"", empty.len());
        shown.replace_range(empty, &string);
    }
    let first = match parser::parse_body(&shown) {
        Ok(body) => return Ok(body),
        Err(error) => error,
    };
    let letters = ('A'..='Z').chain('a'..='z').cycle().take(MAX_REPEATED);
    let mut error = first.clone();
    for letter in letters {
        let Some(repeated) = repeated(text, &error) else { break };
        let another = format!("{letter}{:_<1$}", "", repeated.len() - 1);
        shown.replace_range(repeated, &another);
        match parser::parse_body(&shown) {
            Ok(body) => return Ok(body),
            Err(next) => error = next,
        }
    }
    // What is wrong besides is told in the words of the code as it is.
    Err(first)
}

/// Where `text` is no code: the parser counts bytes, and may stop within a character.
pub(super) fn place(text: &str, error: &Error) -> usize {
    text.floor_char_boundary(error.location().offset())
}

/// Where heredocs without a line are, from their `<<` to their second delimiter.
fn empty_heredocs(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(usize, &str, bool)> = None;
    for (at, line) in source::lines(text) {
        let line = line.trim_end();
        if let Some((start, delimiter, is_first)) = open {
            let rest = line.trim_start().strip_prefix(delimiter);
            let ends = rest.is_some_and(|it| !it.starts_with(is_name));
            if ends && is_first {
                let indent = line.len() - line.trim_start().len();
                found.push(start..at + indent + delimiter.len());
            }
            open = if ends { None } else { Some((start, delimiter, false)) };
        } else if let Some((before, delimiter)) = line.rsplit_once("<<") {
            let delimiter = delimiter.strip_prefix('-').unwrap_or(delimiter);
            let is_comment = before.contains('#') || before.contains("//");
            if !delimiter.is_empty() && delimiter.chars().all(is_name) && !is_comment {
                open = Some((at + before.len(), delimiter, true));
            }
        }
    }
    found
}

/// Where the name of the repeated key is that the parser refuses.
fn repeated(text: &str, error: &Error) -> Option<Range<usize>> {
    if !error.message().contains("redefined object key") {
        return None;
    }
    let start = error.location().offset();
    let rest = text.get(start..)?;
    let (start, name) = match rest.strip_prefix('"') {
        Some(rest) => (start + 1, rest.split('"').next()?),
        None => (start, rest.split(|it: char| !is_name(it)).next()?),
    };
    // A name with a template or an escape in it is longer than it looks.
    (!name.is_empty() && !name.contains(['$', '%', '\\'])).then(|| start..start + name.len())
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '-')
}

/// Where the literal key of an object's entry with `value` is: the parser keeps no place of it.
pub(super) fn key_before(text: &str, value: &Expression) -> Option<Range<usize>> {
    let before = text.get(..value.span()?.start)?.trim_end().strip_suffix(['=', ':'])?.trim_end();
    let start = match before.strip_suffix('"') {
        Some(name) => name.rfind('"')?,
        None => before.trim_end_matches(is_name).len(),
    };
    Some(start..before.len())
}

/// The name of a literal key, which is written as `text`.
pub(super) fn name<'k>(key: &'k ObjectKey, text: &'k str) -> &'k str {
    match key {
        ObjectKey::Ident(it) if text.is_empty() => it.as_str(),
        ObjectKey::Expression(Expression::String(it)) if text.contains('\\') => it.value(),
        _ => text.trim_matches('"'),
    }
}

/// The name of `local.name`, without anything after it.
pub(super) fn local_name(traversal: &Traversal) -> Option<&str> {
    let local = matches!(&traversal.expr, Expression::Variable(it) if it.as_str() == "local");
    match traversal.operators.first().map(hcl_edit::Decorated::value) {
        Some(TraversalOperator::GetAttr(name)) if local && traversal.operators.len() == 1 => {
            Some(name.as_str())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, place};

    #[test]
    fn a_mistake_is_between_characters() {
        let text = "module ω";
        let error = parse(text).expect_err("it has no body");
        assert!(!text.is_char_boundary(error.location().offset()), "the parser tells it by itself");
        assert_eq!(place(text, &error), 7);
    }

    #[test]
    fn an_empty_heredoc_ends_before_another_of_the_same_name() {
        let text = "a = x ? y : <<EOT\n  EOT\nb = (z ? <<-EOT\nkey: value\nEOT\n  : \"\")\n";
        let body = parse(text).unwrap();
        assert_eq!(body.attributes().count(), 2);
        let inside = "a = <<-EOT\n  cat <<EOF\n  EOF\nEOT\n";
        assert_eq!(parse(inside).unwrap().to_string(), inside, "what a heredoc holds is text");
    }

    #[test]
    fn a_key_may_be_repeated_but_no_attribute() {
        for text in [
            "a = { b = 1, b = 2, c = 3, b = 4 }",
            "a = { \"b.c\" = 1\n \"b.c\" = 2 }",
            "a = { x = { y = 1, y = 2 }, x = { y = 3 } }",
            "a = [{ A = 1, A = 2, B = 3 }]",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in ["a = 1\na = 2", "a = { b = 1, b = 2", "a = { \"${b}\" = 1, \"${b}\" = 2 }"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let many: Vec<_> = (0..60).map(|it| format!("k = {it}")).collect();
        assert!(parse(&format!("a = {{ {} }}", many.join(", "))).is_err(), "bounded");
    }
}
