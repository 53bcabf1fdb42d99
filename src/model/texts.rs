//! Fields that take texts and no other scalars, and what else is written there.

use std::collections::BTreeSet;

use crate::{
    model::workload,
    placeholder::has_placeholder,
    resolve::environment::{Environment, Object},
    source::{Sources, Span},
    tree::{Node, Origin, Via},
};

/// A scalar that is no text where Kubernetes takes nothing else: labels, annotations and selectors are
/// `map[string]string`, the fields of `EnvVar` and `Toleration` of `k8s.io/api/core/v1` strings.
#[derive(Debug, Clone)]
pub(crate) struct NotText {
    /// The field, as short as it is clear: `nodeSelector.dedicated`, `env[GOMAXPROCS].value`.
    pub path: String,
    /// What is written.
    pub text: String,
    /// How it comes to be no text.
    pub cause: NotTextCause,
    /// Where it is written.
    pub origin: Origin,
}

/// How something comes to be no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTextCause {
    /// It is written without quotes.
    Plain,
    /// Flux substitutes it, without the quotes around it.
    Substituted,
    /// What sets it reads it as more than a text, as `--set` does.
    Set,
}

/// Those of what `object` runs and of what is installed with it.
pub(super) fn not_texts(
    sources: &Sources,
    environment: &Environment,
    object: &Object,
) -> Vec<NotText> {
    let mut found = Search { sources, seen: BTreeSet::new(), found: Vec::new() };
    found.workload(&object.node);
    let others = environment.objects.iter().filter(|it| {
        object.release.is_some() && it.release == object.release && !std::ptr::eq(*it, object)
    });
    for other in others {
        found.metadata(&other.node);
        if other.kind() == "Service" {
            found.map("selector", other.node.at("spec.selector"));
        }
    }
    found.found
}

struct Search<'s> {
    sources: &'s Sources,
    /// One value may stand in several places.
    seen: BTreeSet<(Option<Span>, String)>,
    found: Vec<NotText>,
}

impl Search<'_> {
    fn workload(&mut self, node: &Node) {
        self.metadata(node);
        self.map("matchLabels", node.at("spec.selector.matchLabels"));
        if let Some(template) = node.at(&workload::in_pods(node, "metadata")) {
            self.map("labels", template.get("labels"));
            self.map("annotations", template.get("annotations"));
        }
        let Some(pod) = node.at(&workload::in_pods(node, "spec")) else { return };
        self.map("nodeSelector", pod.get("nodeSelector"));
        for (at, toleration) in pod.items_at("tolerations").iter().enumerate() {
            for field in ["key", "operator", "value", "effect"] {
                self.scalar(|| format!("tolerations[{at}].{field}"), toleration.get(field));
            }
        }
        for container in ["initContainers", "containers"].iter().flat_map(|it| pod.items_at(it)) {
            for variable in container.items_at("env") {
                let name = variable.str_at("name").unwrap_or_default();
                self.scalar(|| format!("env[{name}].value"), variable.get("value"));
            }
        }
    }

    fn metadata(&mut self, node: &Node) {
        for field in ["labels", "annotations"] {
            self.map(field, node.get("metadata").and_then(|it| it.get(field)));
        }
    }

    fn map(&mut self, called: &str, map: Option<&Node>) {
        for (key, entry) in map.into_iter().flat_map(Node::entries) {
            self.scalar(|| format!("{called}.{key}"), Some(&entry.value));
        }
    }

    fn scalar(&mut self, path: impl FnOnce() -> String, node: Option<&Node>) {
        let Some(node) = node.filter(|it| !it.is_null() && it.as_str().is_none()) else { return };
        let Some(scalar) = node.as_scalar().filter(|it| !has_placeholder(&it.text)) else { return };
        let text = scalar.text.to_string();
        let written = node.origin.written_at();
        if !self.seen.insert((written, text.clone())) {
            return;
        }
        let is_quoted = |it: Span| self.sources.slice(it).starts_with(['"', '\'']);
        let cause = if node.origin.steps().any(|it| it.via == Via::Substituted) {
            NotTextCause::Substituted
        } else if written.is_some_and(is_quoted) {
            NotTextCause::Set
        } else {
            NotTextCause::Plain
        };
        self.found.push(NotText { path: path(), text, cause, origin: node.origin.clone() });
    }
}
