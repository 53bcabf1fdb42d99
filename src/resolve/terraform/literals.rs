//! The texts between the sequences of a template, as HCL prints them.
//!
//! `hclsyntax/scan_tokens.rl` makes a token of every line of literal text; in
//! `hclsyntax/parser_template.go`, `parseTemplateParts` has a `~` trim the one token beside it, and
//! `flushHeredocTemplateParts` takes the indentation of `<<-` away from what is left.

use std::collections::BTreeMap;

use hcl_edit::{
    Span as _,
    template::{Directive, Element, Strip, Template},
};

use crate::{
    resolve::gotemplate::MarkedText,
    source::{self, FileId, Sources, Span},
};

/// How a template is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TemplateNotation {
    /// In quotes, where a literal is one token, whatever it escapes.
    Quoted,
    /// In a file or a heredoc.
    Lines,
    /// In a heredoc with `<<-`.
    Indented,
}

/// The literal texts of a template and of those in its directives, by where they start in the file.
#[derive(Debug, Default)]
pub(super) struct TemplateLiterals {
    texts: BTreeMap<usize, MarkedText>,
    /// Whether a sequence trims what is beside it.
    pub(super) trims: bool,
    /// Whether they stand in quotes.
    pub(super) is_quoted: bool,
    /// Whether what is not known is a hole in what is printed; otherwise nothing is printed.
    pub(super) with_holes: bool,
}

/// A token of a template.
enum TemplateToken {
    /// A text, and where the literal that it is of starts.
    Text(usize, MarkedText),
    /// `${…}` or `%{…}`
    Sequence(Strip),
}

impl TemplateLiterals {
    pub(super) fn new(
        sources: &Sources,
        file: FileId,
        template: &Template,
        notation: TemplateNotation,
    ) -> Self {
        let mut tokens = Vec::new();
        collect(sources, file, template, notation, &mut tokens);
        let trims = trim(&mut tokens);
        if notation == TemplateNotation::Indented {
            dedent(&mut tokens);
        }
        let mut texts = BTreeMap::<usize, MarkedText>::new();
        for token in tokens {
            if let TemplateToken::Text(start, text) = token {
                texts.entry(start).or_default().push(&text);
            }
        }
        let is_quoted = notation == TemplateNotation::Quoted;
        Self { texts, trims, is_quoted, with_holes: false }
    }

    /// What is printed of a literal.
    pub(super) fn text(&self, literal: &Element) -> Option<&MarkedText> {
        self.texts.get(&literal.span()?.start)
    }
}

/// The tokens of a template, one after another, whatever they are in.
fn collect(
    sources: &Sources,
    file: FileId,
    template: &Template,
    notation: TemplateNotation,
    into: &mut Vec<TemplateToken>,
) {
    for element in template {
        match element {
            Element::Literal(it) => {
                let range = element.span().unwrap_or_default();
                if notation == TemplateNotation::Quoted {
                    let mut text = MarkedText::default();
                    text.push_made(it.as_str());
                    into.push(TemplateToken::Text(range.start, text));
                    continue;
                }
                let written = sources.text(file).get(range.clone()).unwrap_or_default();
                for (at, line) in source::lines(written) {
                    into.push(TemplateToken::Text(
                        range.start,
                        unescaped(line, file, range.start + at),
                    ));
                }
            }
            Element::Interpolation(it) => into.push(TemplateToken::Sequence(it.strip)),
            Element::Directive(it) => match &**it {
                Directive::If(it) => {
                    into.push(TemplateToken::Sequence(it.if_expr.strip));
                    collect(sources, file, &it.if_expr.template, notation, into);
                    if let Some(other) = &it.else_expr {
                        into.push(TemplateToken::Sequence(other.strip));
                        collect(sources, file, &other.template, notation, into);
                    }
                    into.push(TemplateToken::Sequence(it.endif_expr.strip));
                }
                Directive::For(it) => {
                    into.push(TemplateToken::Sequence(it.for_expr.strip));
                    collect(sources, file, &it.for_expr.template, notation, into);
                    into.push(TemplateToken::Sequence(it.endfor_expr.strip));
                }
            },
        }
    }
}

/// A line that starts at `start` of a file, with `${` for what is written `$${`.
fn unescaped(line: &str, file: FileId, start: usize) -> MarkedText {
    let (mut text, mut from) = (MarkedText::default(), 0);
    let mut add = |from: usize, to: usize| {
        let part = line.get(from..to).unwrap_or_default();
        text.push(&MarkedText::written(part, Span::new(file, start + from..start + to)));
    };
    for (at, _) in line.match_indices(['$', '%']) {
        let escape = line.get(at..).unwrap_or_default();
        if escape.starts_with("$${") || escape.starts_with("%%{") {
            add(from, at);
            from = at + 1;
        }
    }
    add(from, line.len());
    text
}

/// Trims the text beside each sequence that says so; whether any does.
fn trim(tokens: &mut [TemplateToken]) -> bool {
    let mut trims = false;
    for index in 0..tokens.len() {
        let TemplateToken::Sequence(strip) = tokens[index] else { continue };
        trims |= strip.strip_start() || strip.strip_end();
        if strip.strip_end()
            && let Some(TemplateToken::Text(_, text)) = tokens.get_mut(index + 1)
        {
            *text = text.part_of(text.as_str().trim_start());
        }
        if strip.strip_start()
            && let Some(TemplateToken::Text(_, text)) =
                index.checked_sub(1).and_then(|it| tokens.get_mut(it))
        {
            *text = text.part_of(text.as_str().trim_end());
        }
    }
    trims
}

/// Takes away the indentation that all lines have in common. What was trimmed has none, and what
/// follows a line break that was trimmed away starts no line.
fn dedent(tokens: &mut [TemplateToken]) {
    let (mut least, mut starts_line) = (usize::MAX, true);
    let mut lines: Vec<&mut MarkedText> = Vec::new();
    for token in tokens {
        let started = std::mem::replace(&mut starts_line, false);
        let TemplateToken::Text(_, text) = token else {
            least = if started { 0 } else { least };
            continue;
        };
        starts_line = text.as_str().ends_with('\n');
        let is_blank = starts_line && text.as_str().trim_start().is_empty();
        if started && !is_blank {
            let spaces = text.as_str().chars().take_while(|it| it.is_whitespace()).count();
            least = least.min(spaces);
            lines.push(text);
        }
    }
    for text in lines {
        let indented = text.as_str().char_indices().nth(least);
        let start = indented.map_or(text.as_str().len(), |(at, _)| at);
        *text = text.part_of(text.as_str().get(start..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use hcl_edit::{expr::Expression, parser};

    use super::*;

    /// What is left of the texts of a heredoc.
    fn left(heredoc: &str) -> String {
        let text = format!("a = {heredoc}\n");
        let body = parser::parse_body(&text).expect("HCL");
        let sources = Sources::in_memory([("a.tf", &*text)]);
        let file = sources.find("a.tf").expect("a file");
        let value = &body.get_attribute("a").expect("an attribute").value;
        let Expression::HeredocTemplate(it) = value else { panic!("a heredoc") };
        let notation = it.indent().map_or(TemplateNotation::Lines, |_| TemplateNotation::Indented);
        let literals = TemplateLiterals::new(&sources, file, &it.template, notation);
        literals.texts.values().map(MarkedText::as_str).collect()
    }

    /// As Terraform 1.11 prints them.
    #[test]
    fn texts_are_trimmed_by_the_line_and_indentation_goes_afterwards() {
        let loops =
            "<<-E\n    a:\n    %{ for x in y ~}\n      - ${x}\n    %{ endfor ~}\n    b: $${c}\n  E";
        assert_eq!(left(loops), "a:\n      - \n    b: ${c}\n");
        let trimmed = "<<-E\n    a: ${b ~}   \n      c\n    d:   ${~ b}\n    \n    ${~ b}\n  E";
        assert_eq!(left(trimmed), "    a:       c\n    d:\n    \n\n");
        assert_eq!(left("<<E\n  a\n%{ if b ~}\n  c\n\n%{~ endif }\nE"), "  a\n  c\n\n");
        assert_eq!(left("<<-E\n    a\n\n      b ${c}\n  E"), "a\n\n  b \n");
    }
}
