//! Objects in the making, and whether a template makes them at all.

use crate::{
    resolve::helm::template::{Fields, HelmScope, Rendering, TemplateField, truth},
    tree::{Entry, Map, Node, Origin, Reason},
};

/// A condition of a template, and where the value that decides it comes from.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) is: Result<bool, Reason>,
    pub(super) at: Origin,
}

impl Condition {
    /// `{{ if and .Values.a .Values.b }}`
    pub(super) fn all(scope: &HelmScope<'_>, paths: &[&str]) -> Rendering<Self> {
        let mut all = Self { is: Ok(true), at: scope.own.clone() };
        for path in paths {
            let node = scope.get(path)?;
            all = all.and(Self { is: truth(&node), at: node.origin });
        }
        Ok(all)
    }

    /// Whether both hold; what is false decides, even next to what nobody can tell.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        match (&self.is, &other.is) {
            (Ok(false), _) => self,
            (_, Ok(false)) => other,
            (Err(_), _) => self,
            _ => other,
        }
    }

    #[must_use]
    pub(super) fn negated(self) -> Self {
        Self { is: self.is.map(|is| !is), ..self }
    }

    /// `node` if it holds; unknown if nobody can tell.
    pub(super) fn then(&self, node: impl FnOnce() -> Node) -> Option<Node> {
        match &self.is {
            Ok(true) => Some(node()),
            Ok(false) => None,
            Err(why) => Some(Node::unknown_value(why.clone(), &self.at)),
        }
    }

    /// The objects that `make` makes, if it holds. If nobody can tell, they are there but nothing in
    /// them is known; what Helm would refuse is not there, or nothing else would be either.
    pub(super) fn made(&self, make: impl FnOnce() -> Rendering<Vec<Node>>) -> Rendering<Vec<Node>> {
        match &self.is {
            Ok(true) => make(),
            Ok(false) => Ok(Vec::new()),
            Err(why) => {
                let objects = make().unwrap_or_default();
                Ok(objects.iter().map(|it| identity_only(it, why, Some(&self.at))).collect())
            }
        }
    }
}

/// An object of which only what it is, is known; `at` is what decides the rest, if anything does.
pub(crate) fn identity_only(object: &Node, why: &Reason, at: Option<&Origin>) -> Node {
    let mut object = object.clone();
    for (key, Entry { value, .. }) in object.as_map_mut().into_iter().flat_map(Map::iter_mut) {
        if !matches!(key, "apiVersion" | "kind" | "metadata") {
            *value = Node::unknown_value(why.clone(), at.unwrap_or(&value.origin));
        }
    }
    object
}

/// A Kubernetes object in the making.
pub(super) struct ChartObject {
    fields: Fields,
    metadata: Fields,
    labels: Fields,
}

impl ChartObject {
    pub(super) fn new(scope: &HelmScope<'_>, api: &str, kind: &str, name: Node) -> Self {
        let fields = Fields::of(scope).at(&scope.release.anchor).set("apiVersion", api);
        let metadata = Fields::of(scope).set("name", name);
        Self { fields: fields.set("kind", kind), metadata, labels: Fields::of(scope) }
    }

    /// The same with a field of its metadata.
    #[must_use]
    pub(super) fn metadata(mut self, key: &str, field: impl Into<TemplateField>) -> Self {
        self.metadata = self.metadata.set(key, field);
        self
    }

    /// The same with more labels.
    #[must_use]
    pub(super) fn labels(mut self, labels: &Node) -> Self {
        self.labels = self.labels.all(labels);
        self
    }

    /// The same with a field next to its metadata.
    #[must_use]
    pub(super) fn set(mut self, key: &str, field: impl Into<TemplateField>) -> Self {
        self.fields = self.fields.set(key, field);
        self
    }

    pub(super) fn node(self) -> Node {
        let labels = self.labels.node();
        let metadata = match labels.as_map() {
            Some(map) if map.is_empty() => self.metadata,
            _ => self.metadata.set("labels", labels),
        };
        self.fields.set("metadata", metadata).node()
    }
}
