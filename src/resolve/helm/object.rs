//! Objects in the making, and whether a template makes them at all.

use serde_json::json;

use crate::{
    resolve::helm::template::{Field, Fields, Rendering, Scope, truth},
    tree::{Map, Node, Origin, Why},
};

/// A condition of a template, and where the value that decides it comes from.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) is: Result<bool, Why>,
    pub(super) at: Origin,
}

impl Condition {
    /// `{{ if and .Values.a .Values.b }}`
    pub(super) fn all(scope: &Scope<'_>, paths: &[&str]) -> Rendering<Self> {
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
                let mut objects = make().unwrap_or_default();
                for object in &mut objects {
                    self.hide(object, why);
                }
                Ok(objects)
            }
        }
    }

    fn hide(&self, object: &mut Node, why: &Why) {
        for (key, entry) in object.as_map_mut().into_iter().flat_map(Map::iter_mut) {
            if !matches!(key, "apiVersion" | "kind" | "metadata") {
                entry.value = Node::unknown_value(why.clone(), &self.at);
            }
        }
    }
}

/// A Kubernetes object in the making.
pub(super) struct Object {
    fields: Fields,
    metadata: Fields,
    labels: Fields,
    rest: Vec<(&'static str, Field)>,
}

impl Object {
    pub(super) fn new(scope: &Scope<'_>, api: &str, kind: &str, name: Node) -> Self {
        let fields = Fields::new(&scope.release.anchor)
            .set("apiVersion", scope.own(api))
            .set("kind", scope.own(kind));
        let metadata = Fields::new(&scope.own).set("name", name);
        Self { fields, metadata, labels: Fields::new(&scope.own), rest: Vec::new() }
    }

    /// The same with a field of its metadata.
    #[must_use]
    pub(super) fn metadata(mut self, key: &str, field: impl Into<Field>) -> Self {
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
    pub(super) fn set(mut self, key: &'static str, field: impl Into<Field>) -> Self {
        self.rest.push((key, field.into()));
        self
    }

    /// The same as a binding of `subject` to the role of that kind and name.
    #[must_use]
    pub(super) fn binds(self, scope: &Scope<'_>, subject: Node, kind: &str, role: Node) -> Self {
        let reference = Fields::new(&scope.own)
            .set("apiGroup", scope.own("rbac.authorization.k8s.io"))
            .set("kind", scope.own(kind))
            .set("name", role);
        self.set("roleRef", reference.node())
            .set("subjects", Node::new(vec![subject], scope.own.clone()))
    }

    /// The same as the role, alike in all charts, that lets everybody who may view a namespace read
    /// the Metrics API.
    #[must_use]
    pub(super) fn aggregates_metrics(self, scope: &Scope<'_>) -> Self {
        let mut labels = json!({});
        for role in ["admin", "edit", "view"] {
            labels[format!("rbac.authorization.k8s.io/aggregate-to-{role}")] = "true".into();
        }
        let rules = json!([{"apiGroups": ["metrics.k8s.io"], "resources": ["pods", "nodes"],
            "verbs": ["get", "list", "watch"]}]);
        self.labels(&scope.own(labels)).set("rules", scope.own(rules))
    }

    pub(super) fn node(self) -> Node {
        let labels = self.labels.node();
        let metadata = match labels.as_map() {
            Some(map) if map.is_empty() => self.metadata,
            _ => self.metadata.set("labels", labels),
        };
        let fields = self.fields.set("metadata", metadata.node());
        self.rest.into_iter().fold(fields, |fields, (key, field)| fields.set(key, field)).node()
    }
}
