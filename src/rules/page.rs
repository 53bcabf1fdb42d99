//! What a rule's page holds: front matter and prose, before the examples that are the rule's tests.
//!
//! The format is described, for those who write pages, in `rules/README.md`.

use memchr::memmem;
use serde::Deserialize;

use crate::finding::Severity;

/// One rule, as its page describes it.
#[derive(Debug)]
pub(crate) struct RulePage {
    /// The heading: what is wrong, as a sentence without its full stop.
    pub title: &'static str,
    /// The first paragraph, on one line.
    pub summary: String,
    /// Everything between the heading and the examples, as Markdown.
    pub text: &'static str,
    /// How bad it is unless the configuration says otherwise; a finding can be less bad.
    pub severity: Severity,
    /// What it is about.
    pub category: Category,
    /// How sure it can be.
    pub confidence: Confidence,
    /// Whether nobody has to mend what it finds, so that it is for those who ask for it.
    pub pedantic: bool,
    /// What the rule was called before, which people may still write.
    pub aliases: Vec<String>,
    /// The version of this program that it came with.
    pub since: String,
    /// For rules about security, how bad it is from 0.1 to 10.0, as code scanning sites rank it.
    pub security_severity: Option<f64>,
    /// Where to read more.
    pub references: Vec<String>,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Category {
    /// Who can read or forge metrics.
    Security,
    /// Whether metrics are there when they are needed.
    Availability,
    /// Whether the configuration means what it seems to mean.
    Correctness,
    /// What metrics cost, and how late they are.
    Performance,
    /// Whether this program could see what it needs to judge.
    Input,
}

/// How sure a rule can be that what it reports has to be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Confidence {
    /// Right as often as not: what else is deployed decides, or taste.
    Low,
    /// What the repository does not show may make it right.
    Medium,
    /// The code that refuses or ignores it says so.
    High,
}

impl Confidence {
    /// The name in front matter and in machine-readable output.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Category {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Security, Self::Availability, Self::Correctness, Self::Performance, Self::Input];

    /// The name in front matter and in machine-readable output.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Availability => "availability",
            Self::Correctness => "correctness",
            Self::Performance => "performance",
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
    confidence: Confidence,
    #[serde(default)]
    pedantic: bool,
    #[serde(default)]
    aliases: Vec<String>,
    since: String,
    #[serde(default)]
    security_severity: Option<f64>,
    #[serde(default)]
    references: Vec<String>,
}

impl RulePage {
    /// Of a page that cannot be read. That fails the tests; it must not take the rule away from users.
    pub(super) fn unreadable() -> Self {
        Self {
            title: "",
            summary: String::new(),
            text: "",
            severity: Severity::Warning,
            category: Category::Correctness,
            confidence: Confidence::Medium,
            pedantic: false,
            aliases: Vec::new(),
            since: String::new(),
            security_severity: None,
            references: Vec::new(),
        }
    }
}

/// What `page` says of the rule `id`.
///
/// # Errors
/// What is wrong with the page, with its file name.
pub(super) fn parse(id: &str, page: &'static str) -> Result<RulePage, String> {
    let wrong = |what: &str| format!("rules/{id}.md: {what}");
    let (head, body) = page
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .ok_or_else(|| wrong("no front matter between lines of `---`"))?;
    let head: FrontMatter =
        serde_yaml::from_str(head).map_err(|error| wrong(&error.to_string()))?;
    let severity = Severity::parse(&head.severity)
        .ok_or_else(|| wrong("severity is none of error, warning, note"))?;
    if head.confidence == Confidence::Low && !head.pedantic {
        return Err(wrong("of low confidence, so it has to be pedantic"));
    }
    let (title, page) = body
        .trim_start()
        .strip_prefix("# ")
        .and_then(|rest| rest.split_once('\n'))
        .ok_or_else(|| wrong("no `# ` heading after the front matter"))?;
    let page = page.trim();
    let first_example = sections(page).find(|(_, section)| has_file(section));
    let text = first_example.map_or(page, |(start, _)| &page[..start]).trim_end();
    if sections(page).any(|(start, section)| start > text.len() && !has_file(section)) {
        return Err(wrong("a section without files after the first example"));
    }
    let summary = text.split("\n\n").next().unwrap_or_default();
    if summary.is_empty() || summary.starts_with('#') {
        return Err(wrong("no paragraph under the heading"));
    }
    Ok(RulePage {
        title,
        summary: summary.split_whitespace().collect::<Vec<_>>().join(" "),
        text,
        severity,
        category: head.category,
        confidence: head.confidence,
        pedantic: head.pedantic,
        aliases: head.aliases,
        since: head.since,
        security_severity: head.security_severity,
        references: head.references,
    })
}

/// What makes a fenced block a file of an example.
const FILE: &str = " file=";

fn has_file(section: &str) -> bool {
    memmem::find(section.as_bytes(), FILE.as_bytes()).is_some()
}

/// The `## ` sections of a page: where each starts, and its text.
fn sections(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let starts = || memmem::find_iter(page.as_bytes(), "\n## ").map(|at| at + 1);
    let ends = starts().skip(1).chain([page.len()]);
    starts().zip(ends).map(|(start, end)| (start, &page[start..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "---
severity: warning
category: security
confidence: high
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

```yaml file=a.yaml
wrong: true
```

## Right

```yaml file=a.yaml
right: true
```
";

    #[test]
    fn a_page_has_a_title_and_prose() {
        let rule = parse("x", PAGE).unwrap();
        assert_eq!(rule.title, "Something is wrong");
        assert_eq!(rule.summary, "It is really wrong.");
        assert!(rule.text.ends_with("```yaml\nright: true\n```"), "{}", rule.text);
    }

    #[test]
    fn a_page_says_what_is_wrong_with_it() {
        let error = |from, to| {
            let page: &'static str = PAGE.replace(from, to).leak();
            parse("x", page).unwrap_err()
        };
        assert_eq!(error("---\n", ""), "rules/x.md: no front matter between lines of `---`");
        assert!(error("since", "sinse").contains("unknown field `sinse`"));
        assert!(error("severity: warning", "severity: bad").contains("severity is none of"));
        assert!(error("confidence: high", "confidence: low").contains("has to be pedantic"));
        assert!(error("# Something", "Something").contains("no `# ` heading"));
        assert!(
            error("## Right\n\n```yaml file=a.yaml", "## Right\n\n```yaml").contains("a section")
        );
    }
}
