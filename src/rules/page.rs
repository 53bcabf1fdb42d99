//! What a rule's page holds: front matter and prose, before the examples that are the rule's tests.
//!
//! The format is described, for those who write pages, in `rules/README.md`.

use serde::Deserialize;

use super::{Check, Rule};
use crate::finding::Severity;

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
    if head.confidence == Confidence::Low && !head.pedantic {
        return Err(wrong("of low confidence, so it has to be pedantic"));
    }
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
        severity,
        category: head.category,
        confidence: head.confidence,
        pedantic: head.pedantic,
        aliases: head.aliases,
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
        let rule = parse("x", PAGE, None).unwrap();
        assert_eq!(rule.title, "Something is wrong");
        assert_eq!(rule.summary, "It is really wrong.");
        assert!(rule.text.ends_with("```yaml\nright: true\n```"), "{}", rule.text);
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
        assert!(error("confidence: high", "confidence: low").contains("has to be pedantic"));
        assert!(error("# Something", "Something").contains("no `# ` heading"));
        assert!(
            error("## Right\n\n```yaml file=a.yaml", "## Right\n\n```yaml").contains("a section")
        );
    }
}
