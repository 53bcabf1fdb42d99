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
            strvals::{self, Assignment, KeyStep},
        },
    },
    scalar::Dialect,
    source::FileId,
    tree::{self, Kind, Map, Node, Origin, Reason, Via},
};

/// The merged values of the HelmRelease `node`, a mapping or unknown.
///
/// # Errors
/// What makes Flux refuse the release.
pub(super) fn user(
    context: &Context<'_>,
    store: &Store,
    node: &Node,
    problems: &mut Vec<Problem>,
) -> Result<Node, Problem> {
    let spec = node.get("spec").unwrap_or(node);
    let nothing = || Node::new(Map::default(), spec.origin.clone());
    let mut inline = spec.get("values").filter(|it| !it.is_null()).cloned().unwrap_or_else(nothing);
    let namespace = node.object_namespace();
    let mut result = nothing();
    let references = match spec.look("valuesFrom") {
        Ok(references) => references.map(Node::items).unwrap_or_default(),
        Err((why, origin)) => {
            result = Node::unknown_value(why, &origin);
            &[]
        }
    };
    for reference in references {
        let Some(value) = referred(reference, namespace, store, problems)? else { continue };
        match reference.get("targetPath").filter(|it| it.as_str() != Some("")) {
            None => result = helm::merge(&result, &layer(context, reference, &value)?),
            Some(target) => {
                let before = std::mem::replace(&mut result, nothing());
                result = helm::merge(&before, &inline);
                for it in assignments(reference, target, &value)? {
                    let mut written = strvals::assign(&mut result, &it.path, it.value.clone());
                    if is_shared(&it.path, &before, &inline) {
                        written = written.and(strvals::assign(&mut inline, &it.path, it.value));
                    }
                    written.map_err(|message| Problem::refused(&target.origin, message))?;
                }
            }
        }
    }
    Ok(helm::merge(&result, &inline))
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
    reference: &Node,
    namespace: &str,
    store: &Store,
    problems: &mut Vec<Problem>,
) -> Result<Option<Node>, Problem> {
    let kind = reference.str_at("kind").unwrap_or_default();
    let optional = reference.is_true_at("optional");
    let key = reference.str_at("valuesKey").unwrap_or("values.yaml");
    let origin = reference.get("name").map_or(&reference.origin, |it| &it.origin);
    let unknown = |why: Reason| Ok(Some(Node::unknown_value(why, &reference.origin)));
    let Some(name) = reference.str_at("name") else {
        let why = reference.get("name").and_then(|it| it.unknown().cloned());
        return unknown(why.unwrap_or_else(|| "a reference to values has no name".into()));
    };
    if !matches!(kind, "ConfigMap" | "Secret") {
        return Err(Problem::refused(
            &reference.origin,
            "values come from a ConfigMap or a Secret only",
        ));
    }
    let Some(data) = store.data(kind, namespace, name) else {
        let why = format!("the {kind} `{namespace}/{name}` is not in the repository");
        if let Some(problem) = store.hashed(kind, namespace, name, origin) {
            problems.push(Problem { tolerated: optional, ..problem });
            return if optional { Ok(None) } else { unknown(why.into()) };
        }
        let message = format!("{why}; the values in it are unknown");
        let cause = format!("{kind} {namespace}/{name}");
        problems.push(Problem::unresolved(origin, message).about(cause));
        return unknown(why.into());
    };
    match (data.entries.get(key), data.open) {
        (Some(value), _) => Ok(Some(value.clone())),
        (None, Some(why)) => unknown(why),
        (None, None) if optional => Ok(None),
        (None, None) => {
            let at = reference.get("valuesKey").map_or(origin, |it| &it.origin);
            Err(Problem::refused(at, format!("the {kind} `{name}` has no key `{key}`")))
        }
    }
}

/// A whole document of values. Of several, Helm 3 reads the first and Helm 4 merges all; only that
/// on which both agree is known.
fn layer(context: &Context<'_>, reference: &Node, value: &Node) -> Result<Node, Problem> {
    if value.unknown().is_some() {
        return Ok(value.clone());
    }
    let documents = parse::embedded(context.sources, value, Dialect::Sigs);
    let mut values = helm::layer(&documents, &value.origin)?;
    if let [first, _, ..] = &documents.list[..] {
        let first =
            helm::layer(&Documents { list: vec![first.clone()], template: None }, &value.origin)?;
        let why = "Helm 3 reads only the first of several documents of values, Helm 4 all".into();
        values = tree::join(&values, &first, &why);
    }
    Ok(values.through(Via::Values, reference.origin.written_at()))
}

/// What a reference with a `targetPath` sets: the notation of `--set`, unless the value is in quotes
/// or is to be taken literally.
fn assignments(reference: &Node, target: &Node, value: &Node) -> Result<Vec<Assignment>, Problem> {
    let Some(path) = target.as_str() else {
        let why = target.unknown().cloned();
        return Err(Problem::refused(&target.origin, why.as_deref().unwrap_or("this is no path")));
    };
    let origin = value.origin.through(Via::Values, target.origin.written_at());
    let refused = |message: String| Problem::refused(&target.origin, message);
    let literal = reference.is_true_at("literal");
    let Some(text) = value.as_str().filter(|_| !literal) else {
        let mut assignments =
            strvals::parse(&format!("{path}=x"), true, &origin).map_err(refused)?;
        for assignment in &mut assignments {
            assignment.value.kind = value.kind.clone();
        }
        return Ok(assignments);
    };
    let quoted = |quote: char| text.starts_with(quote) && text.ends_with(quote);
    let strings = quoted('\'') || quoted('"');
    let text = if strings { text.trim_matches(['\'', '"']) } else { text };
    strvals::parse(&format!("{path}={text}"), strings, &origin).map_err(refused)
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
