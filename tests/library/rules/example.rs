//! The examples of a rule's page, and the marks in them.
//!
//! The format is described, for those who write pages, in `rules/README.md`.

use std::collections::{BTreeMap, BTreeSet};

/// A small repository in a page.
#[derive(Debug, Default)]
pub(super) struct Example {
    /// Its heading.
    pub(super) title: String,
    /// Its files, path and text, without the marks.
    pub(super) files: Vec<(String, String)>,
    /// What is expected to be found, and nothing else.
    pub(super) marks: BTreeSet<Mark>,
}

/// One label of a finding, as a comment line under it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// The file.
    pub(super) path: String,
    /// From 1.
    pub(super) line: u32,
    /// The first character, and the one after the last on the same line. The first column of a
    /// mark is its `#`: what starts there is marked from the second column on.
    pub(super) columns: (u32, u32),
    /// Whether it is where to edit.
    pub(super) primary: bool,
    /// `error: what is wrong` when it is primary, else what the place has to do with it.
    pub(super) text: String,
}

impl Mark {
    /// `#   ^^^^ text` under line `line` of `path`.
    fn read(path: &str, line: u32, text: &str) -> Option<Self> {
        let note = text.strip_prefix('#')?.trim_start();
        let mark = note.chars().next().filter(|mark| matches!(mark, '^' | '~'))?;
        let label = note.trim_start_matches(mark);
        let start = u32::try_from(text.len() - note.len() + 1).ok()?;
        let width = u32::try_from(note.len() - label.len()).ok()?;
        Some(Self {
            path: path.to_owned(),
            line,
            columns: (start, start + width),
            primary: mark == '^',
            text: label.trim().to_owned(),
        })
    }

    fn written(&self) -> String {
        let (start, end) = self.columns;
        let blanks = " ".repeat(start.saturating_sub(2) as usize);
        let mark = if self.primary { "^" } else { "~" };
        let line = format!("#{blanks}{} {}", mark.repeat((end - start) as usize), self.text);
        line.trim_end().to_owned()
    }

    /// Whether this mark of a page stands for `found`: a text that ends in `…` is how it starts.
    pub(super) fn fits(&self, found: &Self) -> bool {
        let whole = Self { text: found.text.clone(), ..self.clone() };
        let starts = |start: &str| found.text.starts_with(start);
        whole == *found
            && (self.text == found.text || self.text.strip_suffix('…').is_some_and(starts))
    }
}

/// A line of a page.
enum Line<'a> {
    /// Outside of the files.
    Prose,
    /// The heading of a section.
    Title(&'a str),
    /// The fence before a file with that path.
    Open(&'a str),
    /// The fence after a file.
    Close,
    /// A line of a file.
    Code,
    /// Under a line of a file.
    Mark(Mark),
}

/// The lines of `page`, each with what it is.
fn lines(page: &str) -> Vec<(&str, Line<'_>)> {
    let mut file: Option<(&str, u32)> = None;
    let mut lines = Vec::new();
    for text in page.lines() {
        let line = match &mut file {
            Some(_) if text.starts_with("```") => {
                file = None;
                Line::Close
            }
            Some((path, number)) => match Mark::read(path, *number, text) {
                Some(mark) => Line::Mark(mark),
                None => {
                    *number += 1;
                    Line::Code
                }
            },
            None => {
                let info = text.strip_prefix("```").and_then(|it| it.split_once(" file="));
                file = info.map(|(_, path)| (path.trim(), 0));
                match (file, text.strip_prefix("## ")) {
                    (Some((path, _)), _) => Line::Open(path),
                    (None, Some(title)) => Line::Title(title),
                    (None, None) => Line::Prose,
                }
            }
        };
        lines.push((text, line));
    }
    lines
}

/// The examples of `page`: its sections that have files.
pub(super) fn examples(page: &str) -> Vec<Example> {
    let mut sections: Vec<Example> = Vec::new();
    for (text, line) in lines(page) {
        if let Line::Title(title) = line {
            sections.push(Example { title: title.to_owned(), ..Example::default() });
        }
        let Some(section) = sections.last_mut() else { continue };
        match line {
            Line::Open(path) => section.files.push((path.to_owned(), String::new())),
            Line::Code => section.files.last_mut().unwrap().1 += &format!("{text}\n"),
            Line::Mark(mark) => drop(section.marks.insert(mark)),
            Line::Title(_) | Line::Close | Line::Prose => {}
        }
    }
    sections.retain(|it| !it.files.is_empty());
    sections
}

/// A page and the page that it should be, line by line.
#[derive(Debug, Default)]
pub(super) struct Renewed {
    /// Each line after `-` when it should not be there, after `+` when it should, else after a blank.
    lines: Vec<(char, String)>,
}

impl Renewed {
    /// `page` with the marks that `found` are, by the title of their example. A mark that fits stays
    /// as it is written.
    pub(super) fn of(page: &str, mut found: BTreeMap<String, BTreeSet<Mark>>) -> Self {
        let mut renewed = Self::default();
        let mut rest = BTreeSet::new();
        let (mut path, mut number) = ("", 0);
        for (text, line) in lines(page) {
            if let Line::Mark(mark) = &line {
                let fitting = rest.iter().find(|it| mark.fits(it)).cloned();
                let sign = if fitting.is_some_and(|it| rest.remove(&it)) { ' ' } else { '-' };
                renewed.lines.push((sign, text.to_owned()));
                continue;
            }
            // The marks of the line before come first; those after the last line, at the end.
            let is_last = matches!(line, Line::Close);
            let due = |it: &&Mark| it.path == path && (it.line == number || is_last);
            let due: Vec<Mark> = rest.iter().filter(due).cloned().collect();
            for mark in due {
                rest.remove(&mark);
                renewed.lines.push(('+', mark.written()));
            }
            match line {
                Line::Title(title) => rest = found.remove(title).unwrap_or_default(),
                Line::Open(opened) => (path, number) = (opened, 0),
                Line::Close => path = "",
                Line::Code => number += 1,
                Line::Mark(_) | Line::Prose => {}
            }
            renewed.lines.push((' ', text.to_owned()));
        }
        renewed
    }

    /// The page as it should be.
    pub(super) fn text(&self) -> String {
        let kept = self.lines.iter().filter(|(sign, _)| *sign != '-');
        kept.flat_map(|(_, line)| [line, "\n"]).collect()
    }

    /// What is wrong with the page at `path`: the lines that differ, after the lines that they mark.
    pub(super) fn differences(&self, path: &str) -> String {
        let mut told = String::new();
        let (mut number, mut last) = (0, None);
        let mut marked = "";
        for (index, (sign, line)) in self.lines.iter().enumerate() {
            number += u32::from(*sign != '+');
            if *sign == ' ' {
                let is_mark = Mark::read("", 0, line).is_some();
                marked = if is_mark { marked } else { line };
                continue;
            }
            if last.is_none_or(|last| last + 1 != index) {
                told += &format!("\n{path}:{number}\n  {marked}\n");
            }
            told += &format!("{sign} {line}\n");
            last = Some(index);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::tests::common::fixture::files;

    const PAGE: &str = "\
# Something is wrong

## Wrong

```yaml file=a/b.yaml
wrong: true
#      ^^^^ warning: it is wrong
also: 1
#     ~ because of this
```

```env file=c.env
A=1
```

## Right

```yaml file=a.yaml
right: true
```
";

    fn mark(line: u32, columns: (u32, u32), primary: bool, text: &str) -> Mark {
        Mark { path: "a/b.yaml".into(), line, columns, primary, text: text.into() }
    }

    #[test]
    fn an_example_is_files_with_marks() {
        let examples = examples(PAGE);
        let [wrong, right] = &examples[..] else { panic!("{examples:?}") };
        assert_eq!(wrong.title, "Wrong");
        let without_marks = "
            //- a/b.yaml
            wrong: true
            also: 1
            //- c.env
            A=1
        ";
        assert_eq!(wrong.files, files(&[], without_marks));
        let marks = [
            mark(1, (8, 12), true, "warning: it is wrong"),
            mark(2, (7, 8), false, "because of this"),
        ];
        assert_eq!(wrong.marks, marks.into());
        assert!(right.marks.is_empty());
    }

    #[test]
    fn marks_are_renewed() {
        let renewed = |page: &str, marks: &[Mark]| {
            let found = [("Wrong".to_owned(), marks.iter().cloned().collect())];
            Renewed::of(page, found.into())
        };
        let one = mark(1, (8, 12), true, "warning: it is wrong");
        let also = mark(2, (7, 8), false, "because of this");
        assert_eq!(renewed(PAGE, &[one.clone(), also.clone()]).text(), PAGE);
        let unmarked = PAGE.replace("#      ^^^^ warning: it is wrong\n", "");
        assert_eq!(renewed(&unmarked, &[one.clone(), also.clone()]).text(), PAGE);
        // How a text starts is enough; another text, or another place, is not.
        let short = PAGE.replace("it is wrong", "it is…");
        assert_eq!(renewed(&short, &[one, also.clone()]).text(), short);
        let other = mark(1, (2, 6), true, "error: it is bad");
        assert_snapshot!(renewed(PAGE, &[other, also]).differences("x.md"), @"

        x.md:7
          wrong: true
        - #      ^^^^ warning: it is wrong
        + #^^^^ error: it is bad
        ");
    }
}
