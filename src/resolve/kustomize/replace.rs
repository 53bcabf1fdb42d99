//! `replacements`: values that are copied from one object into others.

use crate::{
    data::kustomization::{REPLACEMENT, Shape},
    parse,
    problem::Problem,
    resolve::kustomize::{
        blur,
        budget::Room,
        layer::Layer,
        load::Loader,
        path::{self, Make},
        resource::{Gvk, Id, Resource},
        select::Selector,
        shape,
        value::{Outcome, go_json, is_empty, is_null, is_string, refusal, refusal_of, text},
    },
    scalar::{self, Dialect, Scalar, Style, Tag, Value},
    source::Sources,
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
        if !layer.admits_change(0, &entry.origin) {
            break;
        }
        let replaced = replace(loader.context.sources, entry, layer);
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

fn replace(sources: &Sources, entry: &Node, layer: &mut Layer) -> Outcome<()> {
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
        let unknown = Node::unknown_value(problem.message.clone(), &entry.origin);
        layer.tell([*problem]);
        unknown
    });
    let mut problems = Vec::new();
    for target in targets.items() {
        let Some(select) = target.get("select") else {
            return Err(refusal(&target.origin, "a target needs to select something"));
        };
        let select = Selector::new(select)?;
        let reject = shape::items(target, "reject").iter().map(Selector::new);
        let reject = reject.collect::<Outcome<Vec<_>>>()?;
        if !layer.admits_change(0, &target.origin) {
            break;
        }
        for resource in &mut layer.resources {
            let selected = select.is_labelled(resource)
                && !reject.iter().any(|it| it.rejects(resource))
                && resource.all_ids().any(|id| select.selects(&id));
            if let (true, Err(problem)) = (selected, layer.budget.may_change(&target.origin)) {
                // To say of each field what it may have been would take as long.
                resource.give_up(&problem);
            } else if selected {
                let blur = |node: &mut Node, why: &_| {
                    let paths = shape::items(target, "fieldPaths").iter();
                    paths.for_each(|it| blur::at(node, &path::split(text(Some(it))), why));
                };
                resource.attempt_or(blur, |it| {
                    layer.budget.change(&it.node, &target.origin)?;
                    let room = Room::of(&it.node, &mut layer.budget);
                    problems.extend(copy(sources, &mut it.node, &value, target, room)?);
                    Ok(())
                });
            }
        }
    }
    layer.tell(problems);
    Ok(())
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
        .filter(|it| !is_empty(it) || is_string(it))
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

/// What cannot be told of the result is a problem of the repository.
fn copy(
    sources: &Sources,
    object: &mut Node,
    value: &Node,
    target: &Node,
    mut room: Room<'_>,
) -> Outcome<Vec<Problem>> {
    let mut problems = Vec::new();
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
        // Once for all that is written there, which is one text.
        room.take(value, at)?;
        let keys = path::split(path);
        room.admits(value, keys.len(), at)?;
        let inside = Inside { sources, value, make, at };
        if let Some(unresolved) = inside.copy(object, &keys) {
            problems.extend(unresolved);
            continue;
        }
        let mut write = |node: &mut Node| {
            room.take(value, at)?;
            set(node, value, target, at)
        };
        let count = path::visit(object, &keys, make, at, &mut write)?;
        if count == 0 {
            return Err(refusal_of(path, at, format!("the target has no {path}")));
        }
    }
    Ok(problems)
}

/// A value that goes into YAML or JSON which an object holds as text; options do not count there.
struct Inside<'a> {
    sources: &'a Sources,
    value: &'a Node,
    make: Option<Make>,
    at: &'a Origin,
}

impl Inside<'_> {
    /// Copies the value to `path`, unless that leads into no such text; gives what cannot be told.
    fn copy(&self, object: &mut Node, path: &[String]) -> Option<Vec<Problem>> {
        let holder = |end: &usize| {
            let found = path::lookup(object, &path[..*end], self.at).ok().flatten();
            found.filter(|it| it.as_scalar().is_some() && !is_null(it))
        };
        let end = (1..path.len()).find(|end| holder(end).is_some())?;
        let holder = holder(&end)?.clone();
        let documents = parse::embedded(self.sources, &holder, Dialect::Kyaml);
        let mut root = documents.list.first()?.root.as_ref().ok()?.clone();
        let origin = self.value.origin.through(Via::Replaced, self.at.written_at());
        let mut fails = false;
        let mut write = |node: &mut Node| {
            let kind = match (&node.kind, &self.value.kind) {
                (Kind::Scalar(old), Kind::Scalar(new)) => {
                    fails |= !fits(old, &new.text);
                    Scalar { text: new.text.clone(), ..old.clone() }.into()
                }
                (_, kind) => kind.clone(),
            };
            *node = Node::new(kind, origin.clone());
            Ok(())
        };
        let count = path::visit(&mut root, &path[end..], self.make, self.at, &mut write).ok()?;
        if count == 0 {
            return None;
        }
        if fails {
            // kustomize then writes to a copy that nobody looks at.
            return Some(Vec::new());
        }
        let before = text(Some(&holder));
        let pretty = before.contains('\n') && before.contains("  ");
        let json = go_json(&root, pretty).filter(|_| before.trim_start().starts_with(['{', '[']));
        let mut problems = Vec::new();
        let kind: Kind = match (json, self.value.unknown()) {
            (Some(json), None) => {
                Scalar { text: json.into(), ..holder.as_scalar()?.clone() }.into()
            }
            (_, Some(why)) => Kind::Unknown(why.clone()),
            (None, None) => {
                let why = "how kustomize writes YAML inside text again is not known";
                problems.push(Problem::unresolved(self.at, why));
                Kind::Unknown(why.into())
            }
        };
        let origin =
            holder.origin.joined([("", holder.clone()), ("", Node::new(kind.clone(), origin))]);
        let mut first = Some(Node::new(kind, origin));
        let mut write = |node: &mut Node| {
            if node == &holder
                && let Some(new) = first.take()
            {
                *node = new;
            }
            Ok(())
        };
        path::visit(object, &path[..end], None, self.at, &mut write).ok()?;
        Some(problems)
    }
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
    let implied = is_string(node) && old.style == Style::Plain;
    let tag = old.tag.or(implied.then_some(Tag::Implied));
    if !fits(old, &new) {
        let message = format!("`{new}` cannot stand where {} stood", old.text);
        return Err(refusal_of(new, at, message));
    }
    *node = Node::new(Scalar { text: new.into(), style: old.style, tag }, origin);
    Ok(())
}

/// Whether the text `new` is of the type that the scalar has.
fn fits(old: &Scalar, new: &str) -> bool {
    let after = scalar::plain(new, Dialect::Kyaml);
    match scalar::value(old, Dialect::Kyaml) {
        Value::Int(_) => matches!(after, Value::Int(_)),
        Value::Float(_) => matches!(after, Value::Int(_) | Value::Float(_)),
        Value::Bool(_) => matches!(after, Value::Bool(_)),
        Value::Null | Value::Str(_) => true,
    }
}
