//! What a rule's page holds: front matter, prose, and examples that are the rule's tests.
//!
//! The format is described, for those who write pages, in `rules/README.md`.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Check, Rule};
use crate::finding::Severity;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Who can read or forge metrics.
    Security,
    /// Whether metrics are there when they are needed.
    Availability,
    /// Whether the configuration means what it seems to mean.
    Correctness,
    /// Whether this program could see what it needs to judge.
    Input,
}

impl Category {
    /// The name in front matter and in machine-readable output.
    pub fn id(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Availability => "availability",
            Self::Correctness => "correctness",
            Self::Input => "input",
        }
    }
}

/// The part of a page between its `---` lines.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FrontMatter {
    severity: String,
    category: Category,
    since: String,
    #[serde(default)]
    security_severity: Option<f64>,
    #[serde(default)]
    references: Vec<String>,
}

/// A small repository in a page, and what its rule finds there.
#[derive(Debug)]
pub struct Example {
    /// Its heading.
    pub title: String,
    /// Its files, without the comments that say what is expected.
    pub files: Vec<ExampleFile>,
    /// What is found, and nothing else.
    pub expected: BTreeSet<Expected>,
}

/// A file of an example.
#[derive(Debug)]
pub struct ExampleFile {
    /// Where it is in its repository.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// One label of a finding, in the form in which examples and findings are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expected {
    /// The file.
    pub path: String,
    /// From 1.
    pub line: u32,
    /// The first character, from 1, and the one after the last on the same line.
    pub columns: (u32, u32),
    /// Whether it is where to edit.
    pub primary: bool,
    /// `error: what is wrong` when it is primary, else what the place has to do with it.
    pub text: String,
}

/// The rule that `page` describes.
///
/// # Errors
/// What is wrong with the page, with its file name.
pub(super) fn parse(
    id: &'static str,
    page: &'static str,
    check: Option<Check>,
) -> Result<Rule, String> {
    let wrong = |what: &str| format!("rules/{id}.md: {what}");
    let (head, body) = page
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .ok_or_else(|| wrong("no front matter between lines of `---`"))?;
    let head: FrontMatter =
        serde_yaml::from_str(head).map_err(|error| wrong(&error.to_string()))?;
    let severity = Severity::parse(&head.severity)
        .ok_or_else(|| wrong("severity is none of error, warning, note"))?;
    let (title, page) = body
        .trim_start()
        .strip_prefix("# ")
        .and_then(|rest| rest.split_once('\n'))
        .ok_or_else(|| wrong("no `# ` heading after the front matter"))?;
    let page = page.trim();
    let first_example = sections(page).find(|(_, section)| section.contains(FILE));
    let text = first_example.map_or(page, |(start, _)| &page[..start]).trim_end();
    if sections(page).any(|(start, section)| start > text.len() && !section.contains(FILE)) {
        return Err(wrong("a section without files after the first example"));
    }
    let summary = text.split("\n\n").next().unwrap_or_default();
    if summary.is_empty() || summary.starts_with('#') {
        return Err(wrong("no paragraph under the heading"));
    }
    Ok(Rule {
        id,
        title,
        summary: summary.split_whitespace().collect::<Vec<_>>().join(" "),
        text,
        page,
        severity,
        category: head.category,
        since: head.since,
        security_severity: head.security_severity,
        references: head.references,
        check,
    })
}

/// What makes a fenced block a file of an example.
const FILE: &str = " file=";

/// The `## ` sections of a page: where each starts, and its text.
fn sections(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let starts = page.match_indices("\n## ").map(|(at, _)| at + 1);
    let ends = page.match_indices("\n## ").map(|(at, _)| at + 1).skip(1).chain([page.len()]);
    starts.zip(ends).map(|(start, end)| (start, &page[start..end]))
}

/// The examples of a page.
pub fn examples(page: &str) -> Vec<Example> {
    sections(page).filter(|(_, text)| text.contains(FILE)).map(|(_, text)| example(text)).collect()
}

fn example(section: &str) -> Example {
    let mut lines = section.lines();
    let title = lines.next().unwrap_or_default().trim_start_matches("## ").to_owned();
    let mut example = Example { title, files: Vec::new(), expected: BTreeSet::new() };
    while let Some(line) = lines.next() {
        let Some(path) = line.strip_prefix("```").and_then(|info| info.split_once(FILE)) else {
            continue;
        };
        let path = path.1.trim().to_owned();
        let mut text = String::new();
        let mut number = 0;
        for line in lines.by_ref().take_while(|line| !line.starts_with("```")) {
            if let Some(expected) = expectation(&path, number, line) {
                example.expected.insert(expected);
            } else {
                text.push_str(line);
                text.push('\n');
                number += 1;
            }
        }
        example.files.push(ExampleFile { path, text });
    }
    example
}

/// `#   ^^^^ text` under a value: what is expected of it.
fn expectation(path: &str, line: u32, text: &str) -> Option<Expected> {
    let note = text.strip_prefix('#')?.trim_start();
    let mark = note.chars().next().filter(|mark| matches!(mark, '^' | '~'))?;
    let label = note.trim_start_matches(mark);
    let start = u32::try_from(text.len() - note.len() + 1).ok()?;
    let width = u32::try_from(note.len() - label.len()).ok()?;
    Some(Expected {
        path: path.to_owned(),
        line,
        columns: (start, start + width),
        primary: mark == '^',
        text: label.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "---
severity: warning
category: security
since: 0.1.0
---
# Something is wrong

It is
really wrong.

## What to do

```yaml
right: true
```

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

    #[test]
    fn a_page_has_prose_and_examples() {
        let rule = parse("x", PAGE, None).unwrap();
        assert_eq!(rule.title, "Something is wrong");
        assert_eq!(rule.summary, "It is really wrong.");
        assert!(rule.text.ends_with("```yaml\nright: true\n```"), "{}", rule.text);
        let examples = examples(rule.page);
        let [wrong, right] = &examples[..] else { panic!("{examples:?}") };
        assert_eq!(wrong.files[0].text, "wrong: true\nalso: 1\n");
        assert_eq!(wrong.files[1].path, "c.env");
        let expected = |line, columns, primary, text: &str| Expected {
            path: "a/b.yaml".into(),
            line,
            columns,
            primary,
            text: text.into(),
        };
        let all = [
            expected(1, (8, 12), true, "warning: it is wrong"),
            expected(2, (7, 8), false, "because of this"),
        ];
        assert_eq!(wrong.expected, all.into());
        assert!(right.expected.is_empty());
    }

    #[test]
    fn a_page_says_what_is_wrong_with_it() {
        let error = |from, to| {
            let page: &'static str = PAGE.replace(from, to).leak();
            parse("x", page, None).unwrap_err()
        };
        assert_eq!(error("---\n", ""), "rules/x.md: no front matter between lines of `---`");
        assert!(error("since", "sinse").contains("unknown field `sinse`"));
        assert!(error("severity: warning", "severity: bad").contains("severity is none of"));
        assert!(error("# Something", "Something").contains("no `# ` heading"));
        assert!(
            error("## Right\n\n```yaml file=a.yaml", "## Right\n\n```yaml").contains("a section")
        );
    }
}
