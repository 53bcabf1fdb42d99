//! Which objects a patch is for.

use regex::Regex;

use crate::{
    resolve::kustomize::{
        resource::{Id, Resource},
        shape,
        value::{Outcome, refusal, text},
    },
    tree::{Node, Reason},
};

/// A patch's target: a pattern for each part of an object's name, and label selectors.
pub(super) struct Selector {
    group: Option<NamePattern>,
    version: Option<NamePattern>,
    kind: Option<NamePattern>,
    name: Option<NamePattern>,
    namespace: Option<NamePattern>,
    labels: Option<Requirements>,
    annotations: Option<Requirements>,
}

impl Selector {
    /// Reads the fields of `types.Selector`.
    ///
    /// # Errors
    /// The pattern or selector that cannot be read.
    pub(super) fn new(node: &Node) -> Outcome<Self> {
        let pattern = |field: &str| -> Outcome<Option<NamePattern>> {
            let Some(pattern) = shape::text(node, field) else { return Ok(None) };
            let read = NamePattern::new(text(Some(pattern)));
            read.map(Some).ok_or_else(|| refusal(&pattern.origin, "this pattern cannot be read"))
        };
        let requirements = |field: &str| -> Outcome<Option<Requirements>> {
            shape::text(node, field).map(Requirements::new).transpose()
        };
        Ok(Self {
            group: pattern("group")?,
            version: pattern("version")?,
            kind: pattern("kind")?,
            name: pattern("name")?,
            namespace: pattern("namespace")?,
            labels: requirements("labelSelector")?,
            annotations: requirements("annotationSelector")?,
        })
    }

    /// The targets among `resources`. Name and namespace may also be the original ones.
    ///
    /// Of labels or annotations in a list kustomize takes every other item for a key, and refuses them
    /// when the last one has no value.
    pub(super) fn targets<'r>(
        &self,
        resources: &'r mut [Resource],
    ) -> impl Iterator<Item = &'r mut Resource> {
        let odd = |list: &&Node| list.items().len() % 2 == 1;
        let paths = ["metadata.labels", "metadata.annotations"];
        resources.iter_mut().filter(|it| self.names(it)).filter_map(move |it| {
            it.attempt(|it| match paths.iter().filter_map(|path| it.node.at(path)).find(odd) {
                Some(list) => Err(refusal(&list.origin, "kustomize expects a mapping here")),
                None => Ok(()),
            });
            Some(it).filter(|it| self.is_labelled(it))
        })
    }

    /// Whether `resource` is a target.
    pub(super) fn matches(&self, resource: &Resource) -> bool {
        self.names(resource) && self.is_labelled(resource)
    }

    fn names(&self, resource: &Resource) -> bool {
        let (now, first) = (resource.id(), resource.original());
        (fits(self.namespace.as_ref(), first.space()) || fits(self.namespace.as_ref(), now.space()))
            && (fits(self.name.as_ref(), &first.name)
                || fits(self.name.as_ref(), &now.name)
                || resource.unknown_name().is_some())
            && fits(self.group.as_ref(), &now.gvk.group)
            && fits(self.version.as_ref(), &now.gvk.version)
            && fits(self.kind.as_ref(), &now.gvk.kind)
    }

    /// Why nobody knows whether `resource`, which is otherwise a target, is one.
    pub(super) fn unsure(&self, resource: &Resource) -> Option<Reason> {
        resource.unknown_name().filter(|_| self.name.is_some()).cloned()
    }

    /// Whether it is for what is called `id`, as the targets of replacements are: all of it at once.
    pub(super) fn selects(&self, id: &Id) -> bool {
        fits(self.group.as_ref(), &id.gvk.group)
            && fits(self.version.as_ref(), &id.gvk.version)
            && fits(self.kind.as_ref(), &id.gvk.kind)
            && fits(self.name.as_ref(), &id.name)
            && fits(self.namespace.as_ref(), &id.namespace)
    }

    /// Whether it takes `resource` out of a replacement's targets.
    pub(super) fn rejects(&self, resource: &Resource) -> bool {
        let by_label = self.labels.is_some() || self.annotations.is_some();
        let by_id = [&self.group, &self.version, &self.kind, &self.name, &self.namespace];
        (by_label && self.is_labelled(resource))
            || (by_id.iter().any(|it| it.is_some())
                && resource.all_ids().any(|id| self.selects(&id)))
    }

    /// Whether labels and annotations of `resource` fit.
    pub(super) fn is_labelled(&self, resource: &Resource) -> bool {
        matches(self.labels.as_ref(), resource, "metadata.labels")
            && matches(self.annotations.as_ref(), resource, "metadata.annotations")
    }
}

fn fits(pattern: Option<&NamePattern>, text: &str) -> bool {
    pattern.is_none_or(|it| it.is_match(text))
}

/// A regular expression for the whole of a name. Nearly all are names themselves, and to build one takes
/// longer than all that a patch does.
enum NamePattern {
    /// A name, whose dots stand for any character.
    Name(String),
    /// `.*`
    Any,
    Pattern(Regex),
}

impl NamePattern {
    /// What `pattern` says, if it is one.
    fn new(pattern: &str) -> Option<Self> {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '/' | '.');
        match pattern {
            ".*" => Some(Self::Any),
            name if name.chars().all(is_plain) => Some(Self::Name(name.to_owned())),
            _ => Regex::new(&format!("^(?:{pattern})$")).ok().map(Self::Pattern),
        }
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Name(name) => {
                let is_same = |(one, other)| one == other || one == '.' && other != '\n';
                name.chars().count() == text.chars().count()
                    && name.chars().zip(text.chars()).all(is_same)
            }
            Self::Any => !text.contains('\n'),
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }
}

fn matches(requirements: Option<&Requirements>, resource: &Resource, path: &str) -> bool {
    let holds = |all: &Requirements| {
        all.0.iter().all(|it| {
            let value = resource.node.at(path).and_then(|map| map.get(&it.key));
            it.holds(value.map(|value| text(Some(value))))
        })
    };
    requirements.is_none_or(holds)
}

/// A Kubernetes label selector (`apimachinery/pkg/labels/selector.go`).
struct Requirements(Vec<Requirement>);

struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

enum Operator {
    In,
    NotIn,
    Exists,
    NotExists,
    Greater,
    Less,
}

impl Requirements {
    fn new(node: &Node) -> Outcome<Self> {
        let refuse = || refusal(&node.origin, "this label selector cannot be read");
        let text = text(Some(node));
        let mut requirements = Vec::new();
        for part in split(text).ok_or_else(refuse)? {
            requirements.push(Requirement::new(part.trim()).ok_or_else(refuse)?);
        }
        Ok(Self(requirements))
    }
}

/// The parts between commas that stand outside parentheses.
fn split(text: &str) -> Option<Vec<&str>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let mut parts = Vec::new();
    let (mut start, mut open) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' if open => return None,
            b'(' => open = true,
            b')' if !open => return None,
            b')' => open = false,
            b',' if !open => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!open).then_some(parts)
}

impl Requirement {
    fn new(text: &str) -> Option<Self> {
        let new = |key: &str, operator, values: Vec<String>| {
            let key = key.trim();
            let fine = !key.is_empty()
                && key.chars().all(|it| it.is_ascii_alphanumeric() || "-_./".contains(it))
                && values.iter().all(|value| {
                    value.chars().all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it))
                });
            fine.then(|| Self { key: key.to_owned(), operator, values })
        };
        let one = |value: &str| vec![value.trim().to_owned()];
        if let Some(set) = text.strip_suffix(')') {
            let (head, values) = set.split_once('(')?;
            let values = values.split(',').map(|it| it.trim().to_owned()).collect();
            let (key, word) = head.trim().rsplit_once([' ', '\t'])?;
            return match word {
                "in" => new(key, Operator::In, values),
                "notin" => new(key, Operator::NotIn, values),
                _ => None,
            };
        }
        if let Some((key, value)) = text.split_once("!=") {
            return new(key, Operator::NotIn, one(value));
        }
        if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            return new(key, Operator::In, one(value));
        }
        for (sign, operator) in [('>', Operator::Greater), ('<', Operator::Less)] {
            if let Some((key, value)) = text.split_once(sign) {
                value.trim().parse::<i64>().ok()?;
                return new(key, operator, one(value));
            }
        }
        match text.strip_prefix('!') {
            Some(key) => new(key, Operator::NotExists, Vec::new()),
            None => new(text, Operator::Exists, Vec::new()),
        }
    }

    fn holds(&self, value: Option<&str>) -> bool {
        let listed = || value.is_some_and(|value| self.values.iter().any(|it| it == value));
        let number = |text: &str| text.parse::<i64>().ok();
        let wanted = || self.values.first().and_then(|it| number(it));
        match self.operator {
            Operator::In => listed(),
            Operator::NotIn => !listed(),
            Operator::Exists => value.is_some(),
            Operator::NotExists => value.is_none(),
            Operator::Greater => value.and_then(number).zip(wanted()).is_some_and(|(a, b)| a > b),
            Operator::Less => value.and_then(number).zip(wanted()).is_some_and(|(a, b)| a < b),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_match_as_patterns_do(
            pattern in "[abé.*_/^$(|)-]{0,6}",
            text in "[abé./\n-]{0,5}",
        ) {
            let regex = Regex::new(&format!("^(?:{pattern})$")).ok();
            let name = NamePattern::new(&pattern);
            prop_assert_eq!(name.is_some(), regex.is_some());
            if let (Some(name), Some(regex)) = (name, regex) {
                prop_assert_eq!(name.is_match(&text), regex.is_match(&text));
            }
        }
    }
}
