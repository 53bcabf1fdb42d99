//! `replacements`: values that are copied from one object into others.

use crate::{
    data::kustomization::{REPLACEMENT, Shape},
    resolve::kustomize::{
        layer::Layer,
        load::Loader,
        path::{self, Make},
        resource::{Gvk, Id, Resource},
        select::labels_match,
        shape,
        value::{Outcome, is_empty, is_string, refusal, refusal_of, text},
    },
    scalar::{self, Dialect, Scalar, Style, Tag, Value},
    tree::{Kind, Node, Origin, Via},
};

/// Runs the entries of `replacements`; in a layer that is open a source may stand where we cannot
/// see.
pub(super) fn all(loader: &Loader<'_>, entries: &[Node], layer: &mut Layer) {
    let mut list = Vec::new();
    for entry in entries {
        list.extend(layer.change(read(loader, entry), |_| true).into_iter().flatten());
    }
    for entry in &list {
        let replaced = replace(entry, layer);
        layer.told(replaced);
    }
}

/// The replacements that an entry holds or names the file of.
fn read(loader: &Loader<'_>, entry: &Node) -> Outcome<Vec<Node>> {
    let Some(path) = shape::text(entry, "path") else { return Ok(vec![entry.clone()]) };
    if entry.get("source").is_some() || entry.get("targets").is_some() {
        return Err(refusal(&path.origin, "this replacement has a path and more"));
    }
    let file = loader.value(path)?;
    let shape = match file.kind {
        Kind::List(_) => &Shape::List(&REPLACEMENT),
        _ => &REPLACEMENT,
    };
    let decoded = shape::decode(&file, shape, false)?;
    Ok(decoded.map_or_else(Vec::new, |it| match it.as_list() {
        Some(items) => items.to_vec(),
        None => vec![it],
    }))
}

fn replace(entry: &Node, layer: &mut Layer) -> Outcome<()> {
    let Some(targets) = entry.get("targets") else {
        return Err(refusal(&entry.origin, "a replacement needs targets"));
    };
    let value = match (entry.get("source"), entry.get("sourceValue")) {
        (Some(source), None) => value_of(source, &layer.resources, layer.open.is_some()),
        (None, Some(value)) => Ok(value.clone()),
        _ => return Err(refusal(&entry.origin, "a replacement needs one source")),
    };
    // Without the value its targets are unknown.
    let value = value.unwrap_or_else(|problem| {
        let unknown = Node::unknown_value(&*problem.message, &entry.origin);
        layer.tell([*problem]);
        unknown
    });
    for target in targets.items() {
        let Some(select) = target.get("select") else {
            return Err(refusal(&target.origin, "a target needs to select something"));
        };
        let selector = id_of(select);
        for resource in &mut layer.resources {
            if !labels_match(select, resource)? || rejected(target, resource)? {
                continue;
            }
            if resource.all_ids().any(|id| id.selected(&selector)) {
                resource.attempt(|it| copy(&mut it.node, &value, target));
            }
        }
    }
    Ok(())
}

/// Whether the target's `reject` takes the object out.
fn rejected(target: &Node, resource: &Resource) -> Outcome<bool> {
    for reject in shape::items(target, "reject") {
        let by_label = ["labelSelector", "annotationSelector"]
            .iter()
            .any(|field| shape::text(reject, field).is_some());
        if by_label && labels_match(reject, resource)? {
            return Ok(true);
        }
        let selector = id_of(reject);
        if selector != Id::default() && resource.all_ids().any(|id| id.selected(&selector)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn id_of(node: &Node) -> Id {
    Id {
        gvk: Gvk::selector(node),
        name: text(node.get("name")).to_owned(),
        namespace: text(node.get("namespace")).to_owned(),
    }
}

fn value_of(source: &Node, resources: &[Resource], open: bool) -> Outcome<Node> {
    let selector = id_of(source);
    let mut found = resources.iter().filter(|it| it.all_ids().any(|id| id.selected(&selector)));
    let (first, second) = (found.next(), found.next());
    let (Some(first), None) = (first, second) else {
        if first.is_none() && open {
            let why = "the source of a replacement may lie outside the repository";
            return Ok(Node::unknown_value(why, &source.origin));
        }
        let what = if first.is_none() { "nothing is" } else { "several objects are" };
        return Err(refusal_of(what, &source.origin, format!("{what} selected by this source")));
    };
    let field = shape::text(source, "fieldPath");
    let path = field.map_or("metadata.name", |it| text(Some(it)));
    let at = field.map_or(&source.origin, |it| &it.origin);
    let value = path::lookup(&first.node, &path::split(path), at)?
        .filter(|it| !is_empty(it))
        .ok_or_else(|| refusal_of(path, at, format!("the source has no {path}")))?;
    let Some((delimiter, index)) = delimiter(source) else { return Ok(value.clone()) };
    if value.unknown().is_some() {
        return Ok(value.clone());
    }
    let Some(scalar) = value.as_scalar() else {
        return Err(refusal(at, "only a scalar can be split"));
    };
    let part = usize::try_from(index).ok().and_then(|at| scalar.text.split(delimiter).nth(at));
    let part =
        part.ok_or_else(|| refusal_of("part", at, format!("the source has no part {index}")))?;
    let scalar = Scalar { text: part.into(), ..scalar.clone() };
    Ok(Node::new(scalar, value.origin.clone()))
}

fn delimiter(node: &Node) -> Option<(&str, i64)> {
    let options = node.get("options")?;
    let delimiter = shape::text(options, "delimiter")?;
    Some((text(Some(delimiter)), shape::number(options, "index")))
}

fn copy(object: &mut Node, value: &Node, target: &Node) -> Outcome<()> {
    let default = [Node::new("metadata.name", target.origin.clone())];
    let paths = match shape::items(target, "fieldPaths") {
        [] => &default[..],
        paths => paths,
    };
    let create = target.get("options").is_some_and(|it| shape::flag(it, "create"));
    for field in paths {
        let path = text(Some(field));
        let make = create.then(|| Make::like(value));
        let at = &field.origin;
        let mut write = |node: &mut Node| set(node, value, target, at);
        let count = path::visit(object, &path::split(path), make, at, &mut write)?;
        if count == 0 {
            return Err(refusal_of(path, at, format!("the target has no {path}")));
        }
    }
    Ok(())
}

/// Writes the value over one target field.
fn set(node: &mut Node, value: &Node, target: &Node, at: &Origin) -> Outcome<()> {
    let mut origin = value.origin.through(Via::Replaced, at.written_at());
    if value.unknown().is_some() {
        *node = Node::new(value.kind.clone(), origin);
        return Ok(());
    }
    let mut new = text(Some(value)).to_owned();
    if let Some((delimiter, index)) = delimiter(target) {
        let Some(old) = node.as_scalar() else {
            return Err(refusal(at, "only a scalar can be split"));
        };
        let pieces: Vec<&str> = old.text.split(delimiter).collect();
        let (before, after) = match usize::try_from(index) {
            Err(_) => (&pieces[..0], &pieces[..]),
            Ok(index) => {
                let before = index.min(pieces.len());
                (&pieces[..before], &pieces[pieces.len().min(before + 1)..])
            }
        };
        let stays = |pieces: &[&str]| {
            let text = pieces.join(delimiter);
            let origin = node.origin.of(&text);
            (!pieces.is_empty()).then(|| Node::new(text, origin))
        };
        let given = Node::new(new, origin.clone());
        let parts = [stays(before), Some(given), stays(after)].into_iter().flatten();
        let parts: Vec<Node> = parts.collect();
        let texts: Vec<&str> = parts.iter().map(|it| text(Some(it))).collect();
        new = texts.join(delimiter);
        origin = origin.joined(parts.into_iter().map(|it| ("", it)));
    }
    let Some(old) = node.as_scalar() else {
        *node = Node::new(value.kind.clone(), origin);
        return Ok(());
    };
    // Only the text is copied: what was a string stays one, what was a number must be one again.
    let tag = if is_string(node) && old.style == Style::Plain { Some(Tag::Str) } else { old.tag };
    let before = scalar::value(old, Dialect::Kyaml);
    let after = scalar::plain(&new, Dialect::Kyaml);
    let fits = match before {
        Value::Int(_) => matches!(after, Value::Int(_)),
        Value::Float(_) => matches!(after, Value::Int(_) | Value::Float(_)),
        Value::Bool(_) => matches!(after, Value::Bool(_)),
        Value::Null | Value::Str(_) => true,
    };
    if !fits {
        let message = format!("`{new}` cannot stand where {} stood", old.text);
        return Err(refusal_of(new, at, message));
    }
    *node = Node::new(Scalar { text: new.into(), style: old.style, tag }, origin);
    Ok(())
}
