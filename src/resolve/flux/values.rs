//! The values that a HelmRelease gives to its chart: `valuesFrom` in order, then `values`.
//!
//! As `ChartValuesFromReferences` in `fluxcd/pkg/chartutil` does it, what it shares included: a
//! value with a `targetPath` is written into a map that may be part of `values` itself, so that
//! whether it wins over `values` depends on what was there before.

use super::store::Store;
use crate::{
    parse::{self, Documents},
    problem::Problem,
    resolve::{
        context::Context,
        helm::{
            self,
            strvals::{self, Assignment, KeyStep, Notation},
        },
        install,
    },
    scalar::Dialect,
    source::FileId,
    tree::{self, Kind, Map, Node, Origin, Reason, Via},
};

/// The merged values of the HelmRelease `node`, a mapping or unknown. What Flux refuses of
/// `valuesFrom` is unknown and among `problems`; what `values` set over it is known.
pub(super) fn user(
    context: &Context<'_>,
    store: &Store,
    node: &Node,
    problems: &mut Vec<Problem>,
) -> Node {
    let spec = node.get("spec").unwrap_or(node);
    let nothing = || Node::new(Map::default(), spec.origin.clone());
    let written = spec.get("values").filter(|it| !it.is_null());
    let (taken, ignored): (Option<&Node>, _) = match written {
        Some(it) if it.as_map().is_none() && it.unknown().is_none() => (None, written),
        _ => (written, None),
    };
    // `GetValues` of `fluxcd/helm-controller` drops the error.
    problems.extend(ignored.map(|it| {
        let message = "Flux ignores `values` that are not a mapping";
        Problem { tolerated: true, ..Problem::wrong_type(&it.origin, message) }
    }));
    let mut inline = taken.cloned().unwrap_or_else(nothing);
    let namespace = node.object_namespace();
    let mut result = nothing();
    let references = match spec.look("valuesFrom") {
        Ok(references) => references.map(Node::items).unwrap_or_default(),
        Err((why, origin)) => {
            result = Node::unknown_value(why, &origin);
            &[]
        }
    };
    let (references, unread) = install::layers(references, problems);
    result = unread.unwrap_or(result);
    for reference in references {
        let Some(value) = referred(context, reference, namespace, store, problems) else {
            continue;
        };
        let Some(target) = reference.get("targetPath").filter(|it| it.as_str() != Some("")) else {
            result = helm::merge(&result, &layer(context, reference, &value, problems));
            continue;
        };
        if let Some(why) = target.unknown() {
            problems.push(Problem::unresolved(&target.origin, why.clone()));
            return Node::unknown_value(why.clone(), &target.origin);
        }
        let before = std::mem::replace(&mut result, nothing());
        result = helm::merge(&before, &inline);
        let assignments = assignments(reference, target, &value).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        for it in assignments {
            let set = |values: &mut Node, problems: &mut Vec<Problem>| {
                let Err(message) = strvals::assign(values, &it.path, it.value.clone()) else {
                    return;
                };
                let unknown = Node::unknown_value(&*message, &target.origin);
                // A key of a mapping takes any value.
                let _ = strvals::assign(values, &it.path[..1], unknown);
                problems.push(Problem::refused(&target.origin, message));
            };
            set(&mut result, problems);
            if is_shared(&it.path, &before, &inline) {
                set(&mut inline, &mut Vec::new());
            }
        }
    }
    helm::merge(&result, &inline)
}

/// The values that a whole file holds.
///
/// # Errors
/// What Helm refuses.
pub(super) fn file(context: &Context<'_>, file: FileId, at: &Origin) -> Result<Node, Problem> {
    let documents = context.sources.documents(file, Dialect::Sigs);
    Ok(helm::layer(documents, at)?.through(Via::Values, at.written_at()))
}

/// The text that a reference brings in, or why it is unknown; nothing when it may be missing.
fn referred(
    context: &Context<'_>,
    reference: &Node,
    namespace: &str,
    store: &Store,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    let kind = reference.str_at("kind").unwrap_or_default();
    let optional = reference.is_true_at("optional");
    let key = reference.str_at("valuesKey").unwrap_or("values.yaml");
    let origin = reference.get("name").map_or(&reference.origin, |it| &it.origin);
    let unknown = |why: Reason| Some(Node::unknown_value(why, &reference.origin));
    let refused = |at: &Origin, why: String, problems: &mut Vec<Problem>| {
        problems.push(Problem::refused(at, why.as_str()));
        unknown(why.into())
    };
    let Some(name) = reference.str_at("name") else {
        let why = reference.get("name").and_then(|it| it.unknown().cloned());
        return unknown(why.unwrap_or_else(|| "a reference to values has no name".into()));
    };
    if !matches!(kind, "ConfigMap" | "Secret") {
        let why = "values come from a ConfigMap or a Secret only".to_owned();
        return refused(&reference.origin, why, problems);
    }
    let Some(data) = store.data(kind, namespace, name) else {
        let why = format!("the {kind} `{namespace}/{name}` is not in the repository");
        if let Some(problem) = store.hashed(kind, namespace, name, origin) {
            problems.push(Problem { tolerated: optional, ..problem });
            return if optional { None } else { unknown(why.into()) };
        }
        let message = format!("{why}; the values in it are unknown");
        let cause = format!("{kind} {namespace}/{name}");
        problems.push(Problem::unresolved(origin, message).about(cause));
        return unknown(why.into());
    };
    let mut untold = |why: &Reason, at: &Origin| {
        let cause = format!("{kind} {namespace}/{}", store.lasting(kind, namespace, name));
        problems.push(Problem::unresolved(at, why.clone()).about(cause));
    };
    match (data.entries.get(key), data.open) {
        (Some(value), _) => {
            // Where a part of it is known, each setting says why it is not.
            let is_hidden = || {
                let documents = parse::embedded(context.sources, value, Dialect::Sigs);
                documents.roots().all(|it| it.unknown().is_some())
            };
            if let Some(why) = value.unknown().filter(|_| is_hidden()) {
                untold(why, &value.origin);
            }
            Some(value.clone())
        }
        (None, Some(why)) => {
            untold(&why, origin);
            unknown(why)
        }
        (None, None) if optional => None,
        (None, None) => {
            let at = reference.get("valuesKey").map_or(origin, |it| &it.origin);
            refused(at, format!("the {kind} `{name}` has no key `{key}`"), problems)
        }
    }
}

/// A whole document of values. Of several, Helm 3 reads the first and Helm 4 merges all; only that
/// on which both agree is known.
fn layer(
    context: &Context<'_>,
    reference: &Node,
    value: &Node,
    problems: &mut Vec<Problem>,
) -> Node {
    let documents = parse::embedded(context.sources, value, Dialect::Sigs);
    let of = |documents: &Documents| helm::layer(documents, &value.origin);
    let mut values = of(&documents);
    if let [first, _, ..] = &documents.list[..]
        && let Ok(all) = &values
    {
        let why = "Helm 3 reads only the first of several documents of values, Helm 4 all".into();
        let first = Documents { list: vec![first.clone()], template: None };
        values = of(&first).map(|it| tree::join(all, &it, &why));
    }
    install::layer(values, &reference.origin, problems)
}

/// What a reference with a `targetPath` sets: the notation of `--set`, unless the value is in quotes
/// or is to be taken literally.
fn assignments(reference: &Node, target: &Node, value: &Node) -> Result<Vec<Assignment>, Problem> {
    let Some(path) = target.as_str() else {
        return Err(Problem::refused(&target.origin, "targetPath is no path"));
    };
    let origin = value.origin.through(Via::Values, target.origin.written_at());
    let refused = |message: String| Problem::refused(&target.origin, message);
    let literal = reference.is_true_at("literal");
    let Some(text) = value.as_str().filter(|_| !literal) else {
        let mut assignments =
            strvals::parse(&format!("{path}=x"), Notation::Strings, &origin).map_err(refused)?;
        for assignment in &mut assignments {
            assignment.value.kind = value.kind.clone();
        }
        return Ok(assignments);
    };
    let quoted = |quote: char| text.starts_with(quote) && text.ends_with(quote);
    let strings = quoted('\'') || quoted('"');
    let text = if strings { text.trim_matches(['\'', '"']) } else { text };
    strvals::parse(&format!("{path}={text}"), Notation::of(strings), &origin).map_err(refused)
}

/// Whether a value at `path` is written into a map or list that `inline` has itself: merging copies
/// only the maps that both sides have.
fn is_shared(path: &[KeyStep], before: &Node, inline: &Node) -> bool {
    let (mut before, mut inline) = (Some(before), inline);
    for (step, next) in path.iter().zip(path.iter().skip(1)) {
        let (theirs, own) = match step {
            KeyStep::Key(key) => (before.and_then(|it| it.get(key)), inline.get(key)),
            KeyStep::Index(index) => (None, inline.items().get(*index)),
        };
        match (own.map(|it| &it.kind), next) {
            (Some(Kind::Map(_)), _) if theirs.is_none_or(|it| it.as_map().is_none()) => {
                return true;
            }
            (Some(Kind::List(items)), KeyStep::Index(index)) if *index < items.len() => {
                return true;
            }
            (Some(_), _) => {}
            (None, _) => return false,
        }
        before = theirs;
        inline = own.unwrap_or(inline);
    }
    false
}
