//! Where in objects kustomize's transformers write: field specifications and their defaults.

use std::sync::{Arc, LazyLock};

use crate::{
    data::{
        self,
        kustomization::{FIELD_SPEC, Shape},
    },
    resolve::kustomize::{
        path::split_unescaped,
        resource::Gvk,
        shape,
        value::{Outcome, is_null, refusal, refusal_of, text, text_at, too_deep},
    },
    scalar::Scalar,
    tree::{Kind, MAX_DEPTH, Map, Node, Origin},
};

/// A path into objects of a kind; empty parts of the kind match all (`types.FieldSpec`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldSpec {
    pub(super) gvk: Gvk,
    /// Separated by `/`.
    pub(super) path: String,
    /// The same in parts: it is gone along for each object.
    parts: Vec<String>,
    /// Whether what is missing is made.
    pub(super) create: bool,
}

/// What is made at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeafKind {
    Scalar,
    Map,
}

/// Where the transformers write; bases pass theirs on to their overlays.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rules {
    pub(super) name_prefix: Vec<FieldSpec>,
    pub(super) name_suffix: Vec<FieldSpec>,
    pub(super) namespace: Vec<FieldSpec>,
    pub(super) common_labels: Vec<FieldSpec>,
    pub(super) labels: Vec<FieldSpec>,
    pub(super) template_labels: Vec<FieldSpec>,
    pub(super) common_annotations: Vec<FieldSpec>,
    pub(super) variables: Vec<FieldSpec>,
    pub(super) images: Vec<FieldSpec>,
    pub(super) replicas: Vec<FieldSpec>,
    pub(super) references: Vec<Reference>,
}

/// The fields that hold names of objects of a kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reference {
    pub(super) target: Gvk,
    pub(super) fields: Vec<FieldSpec>,
}

impl FieldSpec {
    /// Any object's `path`.
    pub(super) fn everywhere(path: &str, create: bool) -> Self {
        Self::of(Gvk::default(), path.to_owned(), create)
    }

    fn of(gvk: Gvk, path: String, create: bool) -> Self {
        let parts = split_unescaped(&path, '/');
        Self { gvk, path, parts, create }
    }

    /// Of the fields of `types.FieldSpec`.
    pub(super) fn new(node: &Node) -> Self {
        let path = text(node.get("path")).to_owned();
        Self::of(Gvk::selector(node), path, shape::flag(node, "create"))
    }

    /// Whether `test` holds for a node at the path in `object`, whatever its kind.
    pub(super) fn any(&self, object: &Node, test: &mut dyn FnMut(&Node) -> bool) -> bool {
        any(object, &self.parts, test)
    }

    /// Calls `write` with every node at the path in `object`, if it is of the kind.
    ///
    /// With a `leaf`, what is missing is made first when the specification says so.
    ///
    /// # Errors
    /// Those of `write`, and a scalar in the middle of the path.
    pub(super) fn visit(
        &self,
        object: &mut Node,
        leaf: Option<LeafKind>,
        write: &mut dyn FnMut(&mut Node) -> Outcome<()>,
    ) -> Outcome<()> {
        if !self.gvk.selects(text_at(object, "apiVersion"), text_at(object, "kind")) {
            return Ok(());
        }
        self.visit_any(object, leaf, write)
    }

    /// [`FieldSpec::visit`], whatever the object's kind.
    ///
    /// # Errors
    /// The same.
    pub(super) fn visit_any(
        &self,
        object: &mut Node,
        leaf: Option<LeafKind>,
        write: &mut dyn FnMut(&mut Node) -> Outcome<()>,
    ) -> Outcome<()> {
        let leaf = leaf.filter(|_| self.create);
        visit(object, &self.parts, leaf, write)
    }
}

fn any(node: &Node, path: &[String], test: &mut dyn FnMut(&Node) -> bool) -> bool {
    let Some((part, rest)) = path.split_first() else { return test(node) };
    let name = part.strip_suffix("[]").unwrap_or(part);
    match &node.kind {
        Kind::List(items) => items.iter().any(|it| any(it, path, test)),
        // There are no wildcards, which the visit says.
        Kind::Map(map) => name == "*" || map.get(name).is_some_and(|it| any(it, rest, test)),
        // What is wrong there is found when it is visited.
        Kind::Scalar(_) => !is_null(node),
        Kind::Unknown(_) => false,
    }
}

fn visit(
    node: &mut Node,
    path: &[String],
    leaf: Option<LeafKind>,
    write: &mut dyn FnMut(&mut Node) -> Outcome<()>,
) -> Outcome<()> {
    let Some((part, rest)) = path.split_first() else { return write(node) };
    if path.len() > MAX_DEPTH {
        return Err(too_deep(&node.origin));
    }
    if is_null(node) {
        return Ok(());
    }
    let origin = node.origin.clone();
    match &mut node.kind {
        Kind::Unknown(_) => Ok(()),
        Kind::Scalar(_) => Err(refusal(
            &origin,
            format!("kustomize expects a mapping here, to write {part} in it"),
        )),
        Kind::List(items) => {
            if !items.iter().any(|it| reaches(it, path, leaf)) {
                return Ok(());
            }
            let items = Arc::make_mut(items);
            items.iter_mut().try_for_each(|item| visit(item, path, leaf, write))
        }
        Kind::Map(map) => {
            let (name, list) = match part.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (part.as_str(), false),
            };
            if matches!(name, "" | "*") {
                let message = format!("a field specification has the part `{name}`");
                return Err(refusal_of(name, &origin, message));
            }
            let made: Kind = match leaf {
                Some(LeafKind::Scalar) if rest.is_empty() => Scalar::plain("").into(),
                _ => Map::default().into(),
            };
            let creates = leaf.is_some() && !list;
            if list && map.get(name).is_some_and(is_null) {
                Arc::make_mut(map).set(name, Node::new(Vec::new(), origin));
                return Ok(());
            }
            match map.get(name) {
                None if !creates => return Ok(()),
                Some(child) if !creates && !rest.is_empty() && is_null(child) => return Ok(()),
                Some(child) if !rest.is_empty() && !list && !reaches(child, rest, leaf) => {
                    return Ok(());
                }
                _ => {}
            }
            let map = Arc::make_mut(map);
            if creates && map.get(name).is_none_or(is_null) {
                map.set(name, Node::new(made, origin));
            }
            map.get_mut(name).map_or(Ok(()), |child| visit(child, rest, leaf, write))
        }
    }
}

/// Whether a visit could change something below `node`: what it cannot change stays shared.
fn reaches(node: &Node, path: &[String], leaf: Option<LeafKind>) -> bool {
    let Some((part, rest)) = path.split_first() else { return true };
    let name = part.strip_suffix("[]").unwrap_or(part);
    match &node.kind {
        Kind::Unknown(_) => false,
        // An error is found by the visit.
        Kind::Scalar(_) => !is_null(node),
        Kind::List(items) => items.iter().any(|it| reaches(it, path, leaf)),
        Kind::Map(map) => match map.get(name) {
            Some(child) if is_null(child) && name != part => true,
            Some(child) => leaf.is_some() || reaches(child, rest, leaf),
            None => leaf.is_some() || name.is_empty(),
        },
    }
}

impl Rules {
    /// What kustomize comes with (`konfig/builtinpluginconsts`).
    pub(super) fn builtin() -> Arc<Self> {
        static BUILTIN: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(defaults()));
        BUILTIN.clone()
    }

    /// Adds what a base or a component came to. Most have the built-in rules and nothing else.
    ///
    /// # Errors
    /// As [`Rules::merge`].
    pub(super) fn join(rules: &mut Arc<Self>, other: &Arc<Self>, at: &Origin) -> Outcome<()> {
        if **rules == Self::default() {
            *rules = other.clone();
        } else if !Arc::ptr_eq(rules, other) {
            Arc::make_mut(rules).merge(other, at)?;
        }
        Ok(())
    }

    /// Adds those of `other` that are not there yet, and sorts (`TransformerConfig.Merge`).
    ///
    /// So a specification for one kind takes the place of the wildcard with its path once it has
    /// been merged twice: what is sorted before the wildcard is there first.
    ///
    /// # Errors
    /// As [`add`]; `at` is what brings `other` in.
    pub(super) fn merge(&mut self, other: &Self, at: &Origin) -> Outcome<()> {
        for ((_, to), (_, from)) in self.lists().into_iter().zip(other.clone().lists()) {
            add(to, from, at)?;
        }
        for reference in &other.references {
            match self.references.iter_mut().find(|it| it.target == reference.target) {
                Some(known) => add(&mut known.fields, &reference.fields, at)?,
                None => self.references.push(reference.clone()),
            }
        }
        self.sort();
        Ok(())
    }

    fn sort(&mut self) {
        for (_, list) in self.lists() {
            list.sort_by_cached_key(|it| it.gvk.order());
        }
        self.references.sort_by_cached_key(|it| it.target.order());
    }

    /// Of a file that `configurations` names (`builtinconfig.TransformerConfig`).
    ///
    /// # Errors
    /// A wrong type, or a field that kustomize does not know.
    pub(super) fn decode(node: &Node) -> Outcome<Self> {
        let node = shape::decode(node, &CONFIGURATION, true)?.unwrap_or_else(|| node.clone());
        let specs = |node: &Node, name: &str| -> Vec<FieldSpec> {
            shape::items(node, name).iter().map(FieldSpec::new).collect()
        };
        let references = shape::items(&node, "nameReference")
            .iter()
            .map(|it| Reference { target: Gvk::selector(it), fields: specs(it, "fieldSpecs") });
        let mut rules = Self { references: references.collect(), ..Self::default() };
        for (name, list) in rules.lists() {
            *list = specs(&node, name);
        }
        rules.sort();
        Ok(rules)
    }

    /// The lists, by the names that kustomize has for them.
    fn lists(&mut self) -> [(&'static str, &mut Vec<FieldSpec>); 10] {
        [
            ("namePrefix", &mut self.name_prefix),
            ("nameSuffix", &mut self.name_suffix),
            ("namespace", &mut self.namespace),
            ("commonLabels", &mut self.common_labels),
            ("labels", &mut self.labels),
            ("templateLabels", &mut self.template_labels),
            ("commonAnnotations", &mut self.common_annotations),
            ("varReference", &mut self.variables),
            ("images", &mut self.images),
            ("replicas", &mut self.replicas),
        ]
    }
}

/// Adds the specifications that are not there yet (`FsSlice.MergeAll`): for one that matches the
/// kind of an entry that is there, and has its path, that entry stands.
///
/// # Errors
/// Two that disagree about whether what is missing is made; `at` is what brings the second one in.
pub(super) fn add(to: &mut Vec<FieldSpec>, specs: &[FieldSpec], at: &Origin) -> Outcome<()> {
    for spec in specs {
        match to.iter().find(|it| it.path == spec.path && it.gvk.selected(&spec.gvk)) {
            Some(known) if known.create != spec.create => {
                let message = format!("two rules for {} disagree about create", spec.path);
                return Err(refusal_of(spec.path.clone(), at, message));
            }
            Some(_) => {}
            None => to.push(spec.clone()),
        }
    }
    Ok(())
}

/// The rules in `data/kustomize/fields.txt`.
fn defaults() -> Rules {
    let mut rules = Rules::default();
    let text = data::FIELDS;
    for section in text.split("\n\n").skip(1) {
        let mut lines = section.lines();
        let head: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let specs: Vec<FieldSpec> = lines.flat_map(default_specs).collect();
        match head[..] {
            ["=", list] => {
                if let Some((_, known)) = rules.lists().into_iter().find(|it| it.0 == list) {
                    *known = specs;
                }
            }
            [">", kind, group, version] => {
                let target = Gvk { group: part(group), version: part(version), kind: kind.into() };
                rules.references.push(Reference { target, fields: specs });
            }
            _ => {}
        }
    }
    rules.common_labels.extend(rules.template_labels.iter().cloned());
    rules.sort();
    rules
}

/// A part of a line; `*` is any.
fn part(text: &str) -> String {
    if text == "*" { String::new() } else { text.to_owned() }
}

/// The specifications that a line stands for.
fn default_specs(line: &'static str) -> Vec<FieldSpec> {
    const ALL: &str = "Pod,PodTemplate,Deployment,ReplicaSet,DaemonSet,StatefulSet,Job,CronJob";
    const ACCOUNT: &str = "Pod,StatefulSet,Deployment,ReplicationController,CronJob,Job,DaemonSet";
    const RUN: &str = "CronJob,DaemonSet,Deployment,Job,Pod,ReplicaSet,StatefulSet";
    let words: Vec<&str> = line.split(' ').collect();
    let [create, kinds, group, version, path] = words[..] else { return Vec::new() };
    let kinds = match kinds {
        "@all" => ALL,
        "@account" => ACCOUNT,
        "@run" => RUN,
        kinds => kinds,
    };
    let spec = |kind: &str| {
        let pod = match kind {
            "Pod" => "spec",
            "PodTemplate" => "template/spec",
            "CronJob" => "spec/jobTemplate/spec/template/spec",
            _ => "spec/template/spec",
        };
        let gvk = Gvk { group: part(group), version: part(version), kind: part(kind) };
        FieldSpec::of(gvk, path.replace('$', pod), create == "+")
    };
    kinds.split(',').map(spec).collect()
}

const FIELD_SPECS: Shape = Shape::List(&FIELD_SPEC);

const CONFIGURATION: Shape = Shape::Fields(&[
    (&["namePrefix", "nameSuffix", "namespace", "images", "replicas"], FIELD_SPECS),
    (&["commonLabels", "labels", "templateLabels"], FIELD_SPECS),
    (&["commonAnnotations", "varReference"], FIELD_SPECS),
    (
        &["nameReference"],
        Shape::List(&Shape::Fields(&[
            (&["group", "version", "kind"], Shape::Text),
            (&["fieldSpecs"], FIELD_SPECS),
        ])),
    ),
]);
