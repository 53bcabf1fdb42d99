//! The marks of a template: what they are, and what they open and close.

use std::{collections::BTreeMap, ops::Range};

use super::MAX_HOLES;
use crate::placeholder::{CONTROL, Placeholder};

/// A part of a template that is not what it makes.
#[derive(Debug, Clone)]
pub(super) struct Mark<'a> {
    pub(super) range: Range<usize>,
    pub(super) kind: MarkKind,
    pub(super) notation: Placeholder,
    /// What a control mark opens or closes, as it is written: `if`, of `endif` too; empty where one
    /// word closes all.
    pub(super) word: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// Something stands in its place, such as a file that is included.
    Hole,
    /// Says what of the text there is, and how often.
    Control(Turn),
    Comment,
}

/// What a control mark says of the text after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It may be there or not: `if`, `for`.
    Opens,
    /// It is there instead of what is before it: `else`.
    Turns,
    /// It is there again whatever is before it: `end`.
    Closes,
    /// It may be there or not if its end follows, else nothing new.
    Perhaps,
    /// Nothing new.
    Stays,
}

/// The marks of `text` in order; unless `commented`, those that stand in no comment of YAML.
pub(super) fn marks(text: &str, dollar: bool, commented: bool) -> Vec<Mark<'_>> {
    let mut openings = vec![
        Placeholder::HashBraces,
        Placeholder::HashStatement,
        Placeholder::HashComment,
        Placeholder::Braces,
        Placeholder::Statement,
        Placeholder::Erb,
        Placeholder::Brackets,
        Placeholder::Comment,
        Placeholder::Directive,
        Placeholder::Dollar,
    ];
    openings.retain(|it| match it {
        Placeholder::Dollar => dollar && text.contains(it.closing()),
        Placeholder::HashComment => text.contains("}#") || text.contains("%#"),
        _ => text.contains(it.closing()),
    });
    let mut marks = Vec::new();
    // Where the line starts, up to where that is known, and where the rest starts.
    let (mut line, mut seen, mut next) = (0, 0, 0);
    let mut comment = None;
    for (start, _) in text.match_indices(['{', '<', '[', '%', '$', '#']) {
        if start < next {
            continue;
        }
        if marks.len() > MAX_HOLES {
            break;
        }
        let rest = &text[start..];
        let Some(notation) = openings.iter().find(|it| rest.starts_with(it.opening())) else {
            continue;
        };
        let inner = notation.opening().len();
        let most = (inner..=rest.len().min(MAX_MARK)).rev().find(|it| rest.is_char_boundary(*it));
        let inside = rest.get(inner..most.unwrap_or(inner)).and_then(|it| notation.inside(it));
        let Some(inside) = inside else { continue };
        line = text[seen..start].rfind('\n').map_or(line, |it| seen + it + 1);
        seen = start;
        let before = || &text[line.max(next)..start];
        let is_comment = || before().trim_start().starts_with('#') || before().contains(" #");
        if !commented && (comment == Some(line) || is_comment()) {
            comment = Some(line);
            continue;
        }
        next = start + inner + inside.len() + notation.closing().len();
        let (kind, word) = kind(*notation, inside);
        marks.push(Mark { range: start..next, kind, notation: *notation, word });
    }
    // How many ends of each word follow that nothing opens yet.
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for mark in marks.iter_mut().rev() {
        let count = ends.entry(mark.word).or_default();
        match mark.kind {
            MarkKind::Control(Turn::Closes) => *count += 1,
            MarkKind::Control(Turn::Perhaps) => {
                let turn = if *count > 0 { Turn::Opens } else { Turn::Stays };
                *count = count.saturating_sub(1);
                // One of a `switch`, which has no end of its own.
                let turn =
                    if mark.word == "case" && turn != Turn::Opens { Turn::Turns } else { turn };
                mark.kind = MarkKind::Control(turn);
            }
            _ => {}
        }
    }
    marks
}

/// A longer mark is none.
const MAX_MARK: usize = 4_000;

/// What a mark is, and the word that it opens or closes.
fn kind(notation: Placeholder, inside: &str) -> (MarkKind, &str) {
    let inner = inside.trim_matches(['-', '~', '+']).trim();
    let word = first_word(inner);
    let (turn, word) = match notation {
        Placeholder::Comment | Placeholder::HashComment => return (MarkKind::Comment, word),
        Placeholder::Erb if inner.starts_with('#') => return (MarkKind::Comment, word),
        Placeholder::Erb if !inner.starts_with('=') => of_code(word, inner),
        Placeholder::Statement | Placeholder::HashStatement | Placeholder::Directive
            if word != "include" =>
        {
            of_statement(word, inner)
        }
        Placeholder::Braces | Placeholder::Brackets if inner.starts_with("/*") => {
            return (MarkKind::Comment, word);
        }
        Placeholder::Braces | Placeholder::Brackets => {
            let assigns = inner.starts_with('$') && inner.contains('=');
            let handlebars = inner.starts_with(['#', '/', '^', '!']);
            if !CONTROL.contains(&word) && !assigns && !handlebars {
                return (MarkKind::Hole, word);
            }
            of_action(word, inner)
        }
        _ => return (MarkKind::Hole, word),
    };
    (MarkKind::Control(turn), word)
}

fn first_word(code: &str) -> &str {
    code.split(|it: char| !it.is_alphanumeric() && it != '_').next().unwrap_or_default()
}

/// A statement of Jinja and its like (Liquid, Twig, Nunjucks, Tornado), or a directive of Terraform.
fn of_statement<'a>(word: &'a str, inner: &str) -> (Turn, &'a str) {
    let turn = match word {
        "else" | "elif" | "elsif" | "elseif" | "when" | "default" | "empty" | "except"
        | "finally" => Turn::Turns,
        // What these hold is there in any case.
        "raw" | "verbatim" | "with" | "autoescape" => Turn::Stays,
        "set" if inner.contains('=') => Turn::Stays,
        // The last three are Tornado's, which closes all by the same word.
        "if" | "for" | "block" | "macro" | "call" | "filter" | "set" | "apply" | "try"
        | "while" => Turn::Opens,
        _ => match word.strip_prefix("end") {
            Some(opened) => return (Turn::Closes, opened.trim_start_matches('_')),
            None => Turn::Perhaps,
        },
    };
    (turn, word)
}

/// An action of Go's templates or of Handlebars.
fn of_action<'a>(word: &'a str, inner: &'a str) -> (Turn, &'a str) {
    let name = || {
        let marks = ['#', '^', '/', '>', '*', '<', '$', ' '];
        inner.trim_start_matches(marks).split_whitespace().next().unwrap_or_default()
    };
    match (word, inner.chars().next()) {
        ("else", _) => (Turn::Turns, word),
        ("if" | "range" | "with" | "define" | "block", _) => (Turn::Opens, word),
        ("end", _) => (Turn::Closes, ""),
        (_, Some('/')) => (Turn::Closes, name()),
        (_, Some('^')) if inner.len() == 1 => (Turn::Turns, word),
        (_, Some('#' | '^')) => (Turn::Opens, name()),
        _ => (Turn::Stays, word),
    }
}

/// Code of Ruby, or of a language with braces.
fn of_code<'a>(word: &'a str, inner: &str) -> (Turn, &'a str) {
    const OPENS: [&str; 7] = ["if", "unless", "case", "while", "until", "for", "begin"];
    let block = inner.rsplit_once('|').map_or(inner, |(before, after)| {
        let takes = before.rsplit_once('|').filter(|_| after.is_empty());
        takes.map_or(inner, |(before, _)| before)
    });
    let assigned = || inner.split_once(" = ").map(|(_, it)| first_word(it.trim_start()));
    let turn = match word {
        "else" | "elsif" | "when" | "in" | "rescue" | "ensure" => Turn::Turns,
        "end" => return (Turn::Closes, ""),
        // It has its end in it: `if x then y end`.
        _ if inner.split_whitespace().next_back() == Some("end") => Turn::Stays,
        _ if inner.starts_with('}') && inner.ends_with('{') => Turn::Turns,
        _ if inner.starts_with('}') => return (Turn::Closes, ""),
        _ if OPENS.contains(&word) || assigned().is_some_and(|it| OPENS.contains(&it)) => {
            Turn::Opens
        }
        _ if block.trim_end().ends_with(" do") || block.trim_end().ends_with('{') => Turn::Opens,
        _ => Turn::Stays,
    };
    (turn, word)
}
