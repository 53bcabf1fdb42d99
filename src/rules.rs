//! stub
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
    /// x
    pub title: &'static str,
    /// x
    pub summary: String,
    /// x
    pub text: &'static str,
    /// x
    pub page: &'static str,
    /// x
    pub severity: Severity,
    /// x
    pub category: Category,
    /// x
    pub since: String,
    /// x
    pub security_severity: Option<f64>,
    /// x
    pub references: Vec<String>,
}
/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Who can read or forge metrics.
    Security,
    /// Whether metrics are there when they are needed.
    Availability,
}
impl Category {
    /// x
    pub fn id(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Availability => "availability",
        }
    }
}
/// x
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
/// x
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}
/// x
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
