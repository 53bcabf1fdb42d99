//! The variables of one `postBuild`.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::{controller::Controller, envsubst, store::Store};
use crate::{
    problem::Problem,
    resolve::environment::{DefinedVariable, Unit},
    tree::{Kind, Node, Origin, Reason, Via},
};

/// So many definitions of variables does one environment have, each as often as a Kustomization reads it:
/// they may all read the same large ConfigMaps.
const MOST_DEFINED: usize = 300_000;

/// What `postBuild` substitutes.
#[derive(Debug, Default, Clone)]
pub(super) struct Variables {
    /// Scalars, or what is unknown and why.
    pub(super) known: IndexMap<String, Node>,
    /// Why a variable that is not known may be defined all the same.
    pub(super) open: Option<Reason>,
    /// Sources that are not in the repository, as the problems that they are once an expression
    /// asks for a variable that they may define.
    pub(super) unsure: Vec<Problem>,
    /// Sources that are there under another name: the whole Kustomization fails, unless they are
    /// optional.
    pub(super) misnamed: Vec<Problem>,
    /// Every definition, in the order in which they are read.
    pub(super) defined: Vec<DefinedVariable>,
    /// Where a variable would be defined, each with what is there.
    pub(super) searched: Vec<(Origin, String)>,
    /// What applies the result.
    pub(super) controller: Controller,
    /// Whether expressions are replaced even when there are no variables.
    always: bool,
}

/// Reads the `postBuild` of the Flux Kustomization `object`, when others have read so many definitions;
/// `None` when it substitutes nothing.
///
/// Later `substituteFrom` entries win over earlier ones and `substitute` over all, line breaks go
/// (`kustomize_varsub.go` in `fluxcd/pkg`).
///
/// # Errors
/// A name that no variable can have, which fails the whole Kustomization.
pub(super) fn gather(
    object: &Node,
    store: &Store,
    controller: &Controller,
    defined: usize,
) -> Result<Option<Variables>, Problem> {
    let Some(post_build) = object.at("spec.postBuild").filter(|it| !it.is_null()) else {
        return Ok(None);
    };
    let mut variables = Variables {
        controller: controller.clone(),
        always: post_build.str_at("substituteStrategy") == Some("Always"),
        ..Variables::default()
    };
    if let Some(why) = post_build.unknown() {
        variables.forget(why.clone());
    }
    if let Some(from) = post_build.get("substituteFrom") {
        if let Some(why) = from.unknown() {
            variables.forget(why.clone());
        }
        let namespace = object.object_namespace();
        for reference in last_of_each(from.items()) {
            if defined + variables.defined.len() > MOST_DEFINED {
                variables.end_at(&reference.origin);
                break;
            }
            variables.add_source(reference, namespace, store);
        }
    }
    if let Some(inline) = post_build.get("substitute") {
        if let Some(why) = inline.unknown() {
            variables.forget(why.clone());
        }
        for (name, entry) in inline.entries() {
            variables.set(name, &entry.value, &Unit::of_object(object).id);
        }
        variables.searched.push((inline.origin.clone(), "variables are defined here".into()));
    }
    variables.override_earlier();
    if let Some((name, value)) = variables.known.iter().find(|(name, _)| !envsubst::is_name(name)) {
        let message = format!("`{name}` cannot be the name of a variable");
        return Err(Problem::refused(&value.origin, message)
            .about(name.as_str())
            .also(&post_build.origin, "this substitutes it, and fails")
            .help("use letters, digits and underscores only, and no digit first"));
    }
    let nothing = variables.known.is_empty()
        && variables.open.is_none()
        && variables.misnamed.is_empty()
        && !variables.always;
    Ok((!nothing).then_some(variables))
}

/// The ConfigMaps and Secrets that the `postBuild` of `object` needs: kind and name.
pub(super) fn sources(object: &Node) -> impl Iterator<Item = (&str, &str)> {
    let from = object.items_at("spec.postBuild.substituteFrom").iter();
    let mut known = BTreeSet::new();
    from.filter_map(|reference| Some((reference.str_at("kind")?, reference.str_at("name")?)))
        .filter(move |source| known.insert(*source))
}

/// The entries of `substituteFrom` without those that a later one repeats, which takes the place of all
/// that they say.
fn last_of_each(entries: &[Node]) -> Vec<&Node> {
    let mut known = BTreeSet::new();
    let mut last = Vec::new();
    for entry in entries.iter().rev() {
        let source = entry.str_at("kind").zip(entry.str_at("name"));
        if source.is_none_or(|it| known.insert((it, entry.is_true_at("optional")))) {
            last.push(entry);
        }
    }
    last.reverse();
    last
}

impl Variables {
    /// From here on every variable may have another value.
    fn forget(&mut self, why: Reason) {
        for value in self.known.values_mut() {
            value.kind = Kind::Unknown(why.clone());
        }
        self.open = Some(why);
    }

    /// Whether one of `names` may have a value that the repository does not say.
    pub(super) fn is_unsure_of<'a>(&self, mut names: impl Iterator<Item = &'a String>) -> bool {
        names.any(|name| self.known.get(name).is_none_or(|it| it.unknown().is_some()))
    }

    fn set(&mut self, name: &str, value: &Node, source: &str) {
        let mut value = Node { origin: value.origin.without(Via::Generated), ..value.clone() };
        if value.unknown().is_none() && value.as_str().is_none() {
            value.kind = Kind::Unknown(format!("the variable `{name}` is not text").into());
        }
        let mut shown = value.clone();
        if source.starts_with("Secret ") {
            shown.kind = Kind::Unknown("it is secret".into());
        }
        self.defined.push(DefinedVariable {
            name: name.to_owned(),
            value: shown,
            source: source.to_owned(),
            overridden: None,
            used: None,
        });
        self.known.insert(name.to_owned(), value);
    }

    /// Notes of each definition which other one of its name is used.
    fn override_earlier(&mut self) {
        let mut last: BTreeMap<String, Node> = BTreeMap::new();
        for variable in self.defined.iter_mut().rev() {
            match last.get(&variable.name) {
                Some(used) => variable.overridden = Some(used.clone()),
                None => {
                    last.insert(variable.name.clone(), variable.value.clone());
                }
            }
        }
    }

    /// Nothing from `at` on is read.
    fn end_at(&mut self, at: &Origin) {
        let message = format!(
            "more than {MOST_DEFINED} variables are read before this: what it defines is not known"
        );
        self.forget(message.as_str().into());
        self.unsure.push(Problem::unresolved(at, message).about("too many variables before it"));
    }

    fn add_source(&mut self, reference: &Node, namespace: &str, store: &Store) {
        let (Some(kind), Some(name_node)) = (reference.str_at("kind"), reference.get("name"))
        else {
            return;
        };
        if !matches!(kind, "ConfigMap" | "Secret") {
            return;
        }
        let Some(name) = name_node.as_str() else {
            let why = name_node.unknown().cloned();
            return self.forget(why.unwrap_or_else(|| "a source of variables has no name".into()));
        };
        let optional = reference.is_true_at("optional");
        let Some(data) = store.data(kind, namespace, name) else {
            let why: Reason =
                format!("the {kind} `{namespace}/{name}` is not in the repository").into();
            if let Some(problem) = store.hashed(kind, namespace, name, &name_node.origin) {
                self.misnamed.push(Problem { tolerated: optional, ..problem });
                if !optional {
                    self.forget(why);
                }
                return;
            }
            let message = format!("{why}; the variables that it defines are unknown");
            let problem = Problem::unresolved(&name_node.origin, message);
            self.unsure.push(problem.about(format!("{kind} {namespace}/{name}")));
            if optional {
                self.open.get_or_insert(why);
            } else {
                self.forget(why);
            }
            return;
        };
        self.searched.push((name_node.origin.clone(), format!("the {kind} `{name}` is searched")));
        if let Some(why) = data.open {
            self.forget(why);
        }
        let source = format!("{kind} {namespace}/{name}");
        let mut files = IndexMap::new();
        for (key, value) in &data.entries {
            self.set(key, value, &source);
            if let Some(span) = value.origin.written_at() {
                let last = files.entry(span.file).or_insert(span);
                *last = (*last).max(span);
            }
        }
        let places = files.into_values().map(|span| {
            (Origin::written(span), format!("variables of the {kind} `{name}` are defined here"))
        });
        self.searched.extend(places);
    }
}
