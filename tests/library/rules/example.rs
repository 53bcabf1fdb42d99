//! The examples of a rule's page, and the marks in them.
//!
//! The format is described, for those who write pages, in `rules/README.md`.

use std::collections::{BTreeMap, BTreeSet};

/// What a page says above the files that `--fix` makes of an example, and above those that take
/// `--unsafe-fixes`.
const AFTER: [&str; 2] = ["After `check --fix`:", "After `check --fix --unsafe-fixes`:"];

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

/// What an example comes to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What is found.
    pub(super) marks: BTreeSet<Mark>,
    /// The files that the rule's fixes change, path and text, as they are then.
    pub(super) fixed: Vec<(String, String)>,
    /// Whether a person has to look at one of the fixes.
    pub(super) is_unsafe: bool,
}

/// A line of a page.
enum Line<'a> {
    /// Outside of the files.
    Prose,
    /// The heading of a section.
    Title(&'a str),
    /// The fence before a file with that path, after the name of its language.
    Open(&'a str, &'a str),
    /// The fence after a file.
    Close,
    /// A line of a file.
    Code,
    /// Under a line of a file.
    Mark(Mark),
    /// Of a file as a fix leaves it, or of the words above it.
    Fixed,
}

/// The lines of `page`, each with what it is.
fn lines(page: &str) -> Vec<(&str, Line<'_>)> {
    let mut file: Option<(&str, u32)> = None;
    let mut is_fixed = false;
    let mut lines = Vec::new();
    for text in page.lines() {
        let named = |name| text.strip_prefix("```").and_then(|it| it.split_once(name));
        let line = if is_fixed {
            is_fixed = !text.starts_with("```");
            Line::Fixed
        } else if let Some((path, number)) = &mut file {
            if text.starts_with("```") {
                file = None;
                Line::Close
            } else if let Some(mark) = Mark::read(path, *number, text) {
                Line::Mark(mark)
            } else {
                *number += 1;
                Line::Code
            }
        } else if let Some((language, path)) = named(" file=") {
            file = Some((path, 0));
            Line::Open(language, path)
        } else if AFTER.contains(&text) || named(" fixed=").is_some() {
            is_fixed = !AFTER.contains(&text);
            // The empty line above belongs to it.
            if let Some(("", above @ Line::Prose)) = lines.last_mut() {
                *above = Line::Fixed;
            }
            Line::Fixed
        } else {
            text.strip_prefix("## ").map_or(Line::Prose, Line::Title)
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
            Line::Open(_, path) => section.files.push((path.to_owned(), String::new())),
            Line::Code => section.files.last_mut().unwrap().1 += &format!("{text}\n"),
            Line::Mark(mark) => drop(section.marks.insert(mark)),
            Line::Title(_) | Line::Close | Line::Fixed | Line::Prose => {}
        }
    }
    sections.retain(|it| !it.files.is_empty());
    sections
}

/// `page` as it should be: with the marks and the fixed files of what its examples come to, by their
/// titles. A mark that fits stays as it is written.
pub(super) fn renewed(page: &str, mut found: BTreeMap<String, Outcome>) -> String {
    let lines = lines(page);
    let mut renewed = String::new();
    let mut outcome = Outcome::default();
    let (mut path, mut number) = ("", 0);
    let mut languages = BTreeMap::new();
    for (index, (text, line)) in lines.iter().enumerate() {
        let rest = &mut outcome.marks;
        if let Line::Mark(mark) = line {
            if let Some(fitting) = rest.iter().find(|it| mark.fits(it)).cloned() {
                rest.remove(&fitting);
                renewed.extend([text, "\n"]);
            }
            continue;
        }
        // The marks of the line before come first; those after the last line, at the end.
        let is_last = matches!(line, Line::Close);
        for mark in rest.extract_if(.., |it| it.path == path && (it.line == number || is_last)) {
            renewed.extend([&*mark.written(), "\n"]);
        }
        match line {
            Line::Title(title) => outcome = found.remove(*title).unwrap_or_default(),
            Line::Open(language, opened) => {
                (path, number) = (opened, 0);
                languages.insert(opened.to_string(), *language);
            }
            Line::Close => path = "",
            Line::Code => number += 1,
            Line::Fixed => continue,
            Line::Mark(_) | Line::Prose => {}
        }
        renewed.extend([text, "\n"]);
        let mut after = lines[index + 1..].iter().map(|(_, it)| it);
        let next = after.find(|it| matches!(it, Line::Open(..) | Line::Title(_)));
        if is_last && !matches!(next, Some(Line::Open(..))) && !outcome.fixed.is_empty() {
            renewed.extend(["\n", AFTER[usize::from(outcome.is_unsafe)], "\n"]);
            for (path, text) in &outcome.fixed {
                renewed += &format!("\n```{} fixed={path}\n{text}```\n", languages[path]);
            }
        }
    }
    renewed
}

/// What is wrong with the page at `path`, which holds `page` and should hold `renewed`.
pub(super) fn differences(path: &str, page: &str, renewed: &str) -> String {
    let diff = similar::TextDiff::from_lines(page, renewed);
    let unified = diff.unified_diff().context_radius(1).header(path, "as it should be").to_string();
    unified.lines().flat_map(|it| [it.trim_end(), "\n"]).collect()
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

    fn renewed_with(page: &str, marks: &[Mark], fixed: &[(&str, &str)]) -> String {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        let outcome = Outcome {
            marks: marks.iter().cloned().collect(),
            fixed: fixed.iter().map(owned).collect(),
            is_unsafe: true,
        };
        renewed(page, [("Wrong".to_owned(), outcome)].into())
    }

    #[test]
    fn marks_are_renewed() {
        let renewed = |page: &str, marks: &[Mark]| renewed_with(page, marks, &[]);
        let one = mark(1, (8, 12), true, "warning: it is wrong");
        let also = mark(2, (7, 8), false, "because of this");
        assert_eq!(renewed(PAGE, &[one.clone(), also.clone()]), PAGE);
        let unmarked = PAGE.replace("#      ^^^^ warning: it is wrong\n", "");
        assert_eq!(renewed(&unmarked, &[one.clone(), also.clone()]), PAGE);
        // How a text starts is enough; another text, or another place, is not.
        let short = PAGE.replace("it is wrong", "it is…");
        assert_eq!(renewed(&short, &[one, also.clone()]), short);
        let other = mark(1, (2, 6), true, "error: it is bad");
        assert_snapshot!(differences("x.md", PAGE, &renewed(PAGE, &[other, also])), @"
        --- x.md
        +++ as it should be
        @@ -6,3 +6,3 @@
         wrong: true
        -#      ^^^^ warning: it is wrong
        +#^^^^ error: it is bad
         also: 1
        ");
    }

    #[test]
    fn fixed_files_are_renewed() {
        let marks = [
            mark(1, (8, 12), true, "warning: it is wrong"),
            mark(2, (7, 8), false, "because of this"),
        ];
        let renewed = |page: &str, fixed: &[(&str, &str)]| renewed_with(page, &marks, fixed);
        let fixed = renewed(PAGE, &[("a/b.yaml", "wrong: false\n"), ("c.env", "A=2\n")]);
        assert_snapshot!(differences("x.md", PAGE, &fixed), @"
        --- x.md
        +++ as it should be
        @@ -15,2 +15,12 @@

        +After `check --fix --unsafe-fixes`:
        +
        +```yaml fixed=a/b.yaml
        +wrong: false
        +```
        +
        +```env fixed=c.env
        +A=2
        +```
        +
         ## Right
        ");
        // They are no files of the example, and what is not so goes.
        assert_eq!(format!("{:?}", examples(&fixed)), format!("{:?}", examples(PAGE)));
        assert_eq!(renewed(&fixed, &[("a/b.yaml", "wrong: false\n"), ("c.env", "A=2\n")]), fixed);
        assert_eq!(renewed(&fixed, &[]), PAGE);
        let other = renewed(&fixed, &[("a/b.yaml", "wrong: 0\n")]);
        assert_snapshot!(differences("x.md", &fixed, &other), @"
        --- x.md
        +++ as it should be
        @@ -18,7 +18,3 @@
         ```yaml fixed=a/b.yaml
        -wrong: false
        -```
        -
        -```env fixed=c.env
        -A=2
        +wrong: 0
         ```
        ");
    }
}
