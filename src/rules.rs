//! The rules. A placeholder for the list and the pages, which replace this whole file.
use crate::{
    finding::{Finding, Findings, Severity},
    model::Cluster,
    problem::Problem,
};
use std::sync::LazyLock;
/// What a rule's function looks like.
pub type Check = fn(&Cluster, &mut Findings);
/// One rule, as its page describes it.
#[derive(Debug)]
pub struct Rule {
    /// The page's name, which is what people write to configure or suppress it.
    pub id: &'static str,
    /// See the pages.
    pub title: &'static str,
    /// See the pages.
    pub summary: String,
    /// See the pages.
    pub text: &'static str,
    /// See the pages.
    pub page: &'static str,
    /// See the pages.
    pub severity: Severity,
    /// See the pages.
    pub category: Category,
    /// See the pages.
    pub since: String,
    /// See the pages.
    pub security_severity: Option<f64>,
    /// See the pages.
    pub references: Vec<String>,
}
/// See the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Who can read or forge metrics.
    Security,
    /// Whether metrics are there when they are needed.
    Availability,
}
impl Category {
    /// See the pages.
    pub fn id(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Availability => "availability",
        }
    }
}
/// See the pages.
pub static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    [
        ("kubelet-insecure-tls", Severity::Warning),
        ("memory-limit-too-low", Severity::Error),
        ("syntax", Severity::Error),
        ("unresolved", Severity::Note),
        ("unused-suppression", Severity::Note),
    ]
    .into_iter()
    .map(|(id, severity)| Rule {
        id,
        title: "A title",
        summary: "A summary".into(),
        text: "text",
        page: "page",
        severity,
        category: Category::Availability,
        since: "0.1.0".into(),
        security_severity: None,
        references: vec![],
    })
    .collect()
});
/// See the pages.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}
/// See the pages.
pub fn problems(problems: &[Problem], environment: Option<&str>) -> Vec<Finding> {
    problems
        .iter()
        .flat_map(|problem| {
            let mut f = Findings::of(problem.kind.rule(), Severity::Error, environment);
            f.at(&problem.at, &problem.message, &problem.message);
            f.into_vec()
        })
        .collect()
}
