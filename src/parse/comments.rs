//! Comments, wherever the notation allows them: in YAML, in YAML that a block scalar holds, and on
//! lines of their own in everything else.

use granit_parser::{Event, Parser, ScalarStyle};

use crate::{
    parse::{offsets_of, yaml},
    scalar::Style,
    source::{FileId, Span, lines},
    tree::Origin,
};

/// Blocks inside blocks are looked into down to here.
const MAX_DEPTH: usize = 4;

/// The places of the comments of a file, from `#` to the end of the line, in order.
///
/// In text that is not YAML, or not any more after some point, a comment is a line that starts with
/// `#`.
pub(crate) fn comments(text: &str, file: FileId, is_yaml: bool) -> Vec<Span> {
    let mut ranges = Vec::new();
    if is_yaml {
        let mark = if text.starts_with('\u{feff}') { 3 } else { 0 };
        in_yaml(&text[mark..], file, MAX_DEPTH, &mut |start, end| {
            ranges.push((start + mark, end + mark));
        });
    } else {
        own_lines(text, &mut |start, end| ranges.push((start, end)));
    }
    ranges.sort_unstable();
    ranges.dedup();
    ranges.into_iter().map(|(start, end)| Span::new(file, start..end)).collect()
}

/// What is no comment in YAML because the quotes end behind it, `'15s # why'`, and holds `mark`: from `#`
/// to the end of the line, or the quote. A text that starts so is none that somebody wrote behind a value.
pub(crate) fn in_quotes(text: &str, file: FileId, mark: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let bare = text.trim_start_matches('\u{feff}');
    let skipped = text.len() - bare.len();
    let mut parser = Parser::new_from_str(bare);
    while let Some(Ok((event, span))) = parser.next_event() {
        if matches!(event, Event::StreamEnd) {
            break;
        }
        let Event::Scalar(_, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, ..) = event
        else {
            continue;
        };
        let (Some(start), Some(end)) = (span.start.byte_offset(), span.end.byte_offset()) else {
            continue;
        };
        let Some(inner) = text.get(start + skipped + 1..(end + skipped).saturating_sub(1)) else {
            continue;
        };
        let Some((before, rest)) = inner.split_once(mark) else { continue };
        let before = before.trim_end();
        let value = before.trim_end_matches('#');
        if value.len() < before.len() && value.ends_with([' ', '\t']) && !value.trim().is_empty() {
            let rest = rest.find('\n').map_or(inner.len(), |it| inner.len() - rest.len() + it);
            let at = start + skipped + 1;
            found.push(Span::new(file, at + value.len()..at + rest));
        }
    }
    found
}

fn in_yaml(text: &str, file: FileId, depth: usize, found: &mut dyn FnMut(usize, usize)) {
    let mut parser = Parser::new_from_str(text);
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((event, span))) => {
                let start = span.start.byte_offset().unwrap_or(0);
                let end = span.end.byte_offset().unwrap_or(start);
                match event {
                    Event::Comment(..) => found(start, end),
                    Event::Scalar(inner, ScalarStyle::Literal, ..) if depth > 0 => {
                        in_block(text, (start, end), &inner, file, depth, found);
                    }
                    _ => {}
                }
            }
            Some(Err(_)) => {
                own_lines(text, found);
                if !matches!(parser.proceed_next_document(), Ok(true)) {
                    break;
                }
            }
        }
    }
}

/// The comments in a literal block that covers `range` of `text` and reads as `inner`.
fn in_block(
    text: &str,
    (start, end): (usize, usize),
    inner: &str,
    file: FileId,
    depth: usize,
    found: &mut dyn FnMut(usize, usize),
) {
    let Some(source) = text.get(start..end) else { return };
    let whole = Span::new(file, start..end);
    let offsets = offsets_of(source, whole.start, inner, Style::Literal);
    if matches!(offsets, yaml::Offsets::Whole) {
        return;
    }
    let place = yaml::ScalarPlace::new(Origin::written(whole), offsets);
    in_yaml(inner, file, depth - 1, &mut |start, end| {
        if let Some(span) = place.span(start, end) {
            found(span.start as usize, span.end as usize);
        }
    });
}

fn own_lines(text: &str, found: &mut dyn FnMut(usize, usize)) {
    for (at, line) in lines(text) {
        let bare = line.trim();
        if bare.starts_with('#') {
            let start = at + (line.len() - line.trim_start().len());
            found(start, start + bare.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Sources, tests::unindented};

    fn found(text: &str, is_yaml: bool) -> Vec<String> {
        let sources = Sources::in_memory([("a", unindented(text))]);
        let file = sources.find("a").expect("it is there");
        let spans = comments(sources.text(file), file, is_yaml);
        spans.into_iter().map(|it| sources.slice(it).to_owned()).collect()
    }

    #[test]
    fn strings_hold_no_comments() {
        let text = r#"
            a: 'x # 1' # 2
            # 3
            b: "y
              # 4
              z" # 5
            c: x#6
        "#;
        assert_eq!(found(text, true), ["# 2", "# 3", "# 5"]);
        assert_eq!(found(&text.replace('\n', "\r\n"), true), ["# 2", "# 3", "# 5"]);
    }

    #[test]
    fn what_stands_behind_a_value_in_its_quotes() {
        let text = unindented(
            r#"
            a: 'x # M 1' # M 2
            b: "y # M 3"
            c: ['# M 4', "z#M 5", x # M 6
            ]
            d: |
              '5 # M 7'
            e: "6 # M 8
              # more"
        "#,
        );
        for text in [text.clone(), format!("\u{feff}{text}")] {
            let sources = Sources::in_memory([("a", text)]);
            let file = sources.find("a").expect("it is there");
            let spans = in_quotes(sources.text(file), file, "M");
            let found: Vec<_> = spans.into_iter().map(|it| sources.slice(it)).collect();
            assert_eq!(found, ["# M 1", "# M 3", "# M 8"]);
        }
    }

    #[test]
    fn blocks_hold_what_they_hold() {
        let text = "
            a: |
              # 1
              b: 1 # 2
              c: 'x # 3'
              d: |
                # 4
                e
            # 5
        ";
        assert_eq!(found(text, true), ["# 1", "# 2", "# 4", "# 5"]);
        let marked = format!("\u{feff}{}", unindented(text));
        assert_eq!(found(&marked, true), ["# 1", "# 2", "# 4", "# 5"]);
    }

    #[test]
    fn env_files_have_lines() {
        let text = "
            # 1
            A=b # no
              # 2
        ";
        assert_eq!(found(text, false), ["# 1", "# 2"]);
    }

    #[test]
    fn what_is_no_yaml_any_more_has_lines() {
        let text = "
            # 1
            a: [
            # 2
            b: }
            ---
            c: 1 # 3
        ";
        assert_eq!(found(text, true), ["# 1", "# 2", "# 3"]);
    }
}
