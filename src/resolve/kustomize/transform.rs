//! kustomize's own transformers: namespace, names, labels, annotations, replicas and images.

use regex::Regex;

use indexmap::IndexMap;

use crate::{
    placeholder,
    resolve::kustomize::{
        fieldspec::{FieldSpec, LeafKind},
        resource::{Gvk, Id, Resource, metadata},
        shape,
        value::{
            Outcome, overwrite, refusal, refusal_of, string, text, text_at, unfilled, written_key,
        },
    },
    scalar::Tag,
    tree::{Kind, Map, Node, Origin, Reason, Via},
};

/// How a namespace is set (`filters/namespace`).
pub(super) struct Namespace<'a> {
    /// The namespace.
    pub(super) to: &'a Node,
    /// Where else it goes.
    pub(super) fields: &'a [FieldSpec],
    /// Whether objects that have one keep it.
    pub(super) unset_only: bool,
    /// Which subjects of role bindings get it.
    pub(super) subjects: Subjects,
}

/// Which subjects of role bindings get a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subjects {
    /// Those that are called `default`.
    Default,
    /// All service accounts.
    Accounts,
    /// None.
    None,
}

impl Namespace<'_> {
    /// Sets the namespace of `resources`, of which two must not become one.
    pub(super) fn apply(&self, resources: &mut [Resource]) {
        for resource in resources.iter_mut() {
            if !resource.is_gone() && !resource.inflated {
                resource.remember();
                resource.attempt(|it| self.transform(&mut it.node));
            }
        }
        let mut seen: IndexMap<Id, usize> = IndexMap::with_capacity(resources.len());
        for at in 0..resources.len() {
            let (before, rest) = resources.split_at_mut(at);
            let [resource, ..] = rest else { continue };
            let id = resource.id();
            let first = *seen.entry(id.clone().effective()).or_insert(at);
            let Some(first) = before.get_mut(first) else { continue };
            let id = id.describe();
            let message = format!("two objects become {id} in this namespace");
            let problem = refusal_of(id, &self.to.origin, message);
            let problem = problem.also(first.anchor(), "one").also(resource.anchor(), "the other");
            first.meet(resource, problem);
            resource.node.kind = Map::default().into();
        }
    }

    fn transform(&self, object: &mut Node) -> Outcome<()> {
        let gvk = Gvk::new(text_at(object, "apiVersion"), text_at(object, "kind"));
        let mut write = |node: &mut Node| self.write(node);
        if !gvk.cluster_scoped() {
            let spec = FieldSpec::everywhere("metadata/namespace", true);
            spec.visit(object, Some(LeafKind::Scalar), &mut write)?;
        }
        let binding = matches!(gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
        if binding {
            self.subjects(object)?;
        }
        for field in self.fields {
            let name = field.path == "metadata/name" && text_at(object, "apiVersion") != "v1";
            let subjects = field.path == "subjects/namespace"
                && matches!(field.gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
            if field.path == "metadata/namespace" || name || (binding && subjects) {
                continue;
            }
            field.visit(object, Some(LeafKind::Scalar), &mut write)?;
        }
        Ok(())
    }

    fn write(&self, node: &mut Node) -> Outcome<()> {
        if node.as_scalar().is_none() && node.unknown().is_none() {
            return Err(refusal(&node.origin, "a namespace cannot be written over this"));
        }
        if !self.unset_only || text(Some(node)).is_empty() {
            overwrite(node, text(Some(self.to)), Some(Tag::Implied), &self.to.origin);
        }
        Ok(())
    }

    fn subjects(&self, object: &mut Node) -> Outcome<()> {
        let (key, value) = match self.subjects {
            Subjects::None => return Ok(()),
            Subjects::Default => ("name", "default"),
            Subjects::Accounts => ("kind", "ServiceAccount"),
        };
        let Some(map) = object.as_map_mut() else { return Ok(()) };
        let Some(subjects) = map.get_mut("subjects").and_then(Node::as_list_mut) else {
            return Ok(());
        };
        for subject in subjects {
            if text(subject.get(key)) != value {
                continue;
            }
            let spec = FieldSpec::everywhere("namespace", true);
            spec.visit(subject, Some(LeafKind::Scalar), &mut |node| self.write(node))?;
        }
        Ok(())
    }
}

/// Which end of names something is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Prefix,
    Suffix,
}

impl End {
    /// kustomize's name of the transformer that adds there.
    pub(super) fn transformer(self) -> &'static str {
        match self {
            Self::Prefix => "PrefixTransformer",
            Self::Suffix => "SuffixTransformer",
        }
    }
}

/// Adds `affix` to the names of `resources` (`PrefixTransformer`, `SuffixTransformer`).
pub(super) fn rename(resources: &mut [Resource], affix: &Node, end: End, fields: &[FieldSpec]) {
    let added = text(Some(affix));
    if added.is_empty() {
        return;
    }
    for resource in resources {
        let original = resource.original().gvk;
        let kept = matches!(original.kind.as_str(), "CustomResourceDefinition" | "Namespace")
            || (original.kind == "APIService" && original.group == "apiregistration.k8s.io");
        if kept {
            continue;
        }
        for field in fields {
            if !original.selected(&field.gvk) {
                continue;
            }
            if field.path == "metadata/name" {
                match end {
                    End::Prefix => resource.prefixes.push(added.into()),
                    End::Suffix => resource.suffixes.push(added.into()),
                }
                resource.remember();
            }
            let mut write = |node: &mut Node| {
                let name = match end {
                    End::Prefix => format!("{added}{}", text(Some(node))),
                    End::Suffix => format!("{}{added}", text(Some(node))),
                };
                overwrite(node, name, None, &affix.origin);
                Ok(())
            };
            resource.attempt(|it| field.visit(&mut it.node, Some(LeafKind::Scalar), &mut write));
        }
    }
}

/// Writes the entries of the mapping `pairs` at every path: labels and annotations.
pub(super) fn label(resources: &mut [Resource], pairs: &Node, fields: &[FieldSpec]) {
    if pairs.entries().next().is_none() {
        return;
    }
    for resource in resources {
        for field in fields {
            let mut write = |node: &mut Node| {
                if node.unknown().is_some() {
                    return Ok(());
                }
                if node.as_map().is_none() {
                    return Err(refusal(&node.origin, "kustomize expects a mapping here"));
                }
                for (key, entry) in pairs.entries() {
                    // What is there already keeps its notation.
                    if node.get(key).is_none() {
                        written_key(key, &entry.value.origin)?;
                    }
                    set_string(node, key, &entry.value);
                }
                Ok(())
            };
            resource.attempt(|it| field.visit(&mut it.node, Some(LeafKind::Map), &mut write));
        }
    }
}

/// Sets `key` of a mapping to the text of `value`; an old value's notation stays.
pub(super) fn set_string(node: &mut Node, key: &str, value: &Node) {
    let Some(map) = node.as_map_mut() else { return };
    match map.get_mut(key).filter(|it| it.as_scalar().is_some()) {
        Some(old) => overwrite(old, text(Some(value)), Some(Tag::Implied), &value.origin),
        None => map.set(key, string(text(Some(value)), value.origin.clone())),
    }
}

/// Sets replica counts (`ReplicaCountTransformer`); `replica` is one entry of `replicas`.
///
/// # Errors
/// When nothing has that name, unless it might stand where we cannot see (`open`).
pub(super) fn scale(
    resources: &mut [Resource],
    replica: &Node,
    fields: &[FieldSpec],
    open: bool,
) -> Outcome<()> {
    let name = text(replica.get("name"));
    let count = shape::number(replica, "count");
    let origin = replica.get("count").map_or(&replica.origin, |it| &it.origin);
    let mut found = false;
    for resource in resources.iter_mut() {
        let ids: Vec<Id> = resource.all_ids().filter(|id| id.name == name).collect();
        for field in fields {
            if !ids.iter().any(|id| id.gvk.selected(&field.gvk)) {
                continue;
            }
            found = true;
            let mut write = |node: &mut Node| {
                if node.as_scalar().is_none() && node.unknown().is_none() {
                    return Err(refusal(&node.origin, "a replica count cannot be written here"));
                }
                overwrite(node, count.to_string(), None, origin);
                Ok(())
            };
            resource.attempt(|it| field.visit(&mut it.node, Some(LeafKind::Scalar), &mut write));
        }
    }
    if found || open {
        return Ok(());
    }
    let at = replica.get("name").map_or(&replica.origin, |it| &it.origin);
    Err(refusal(at, format!("nothing that has replicas is called {name}")))
}

/// Makes the replica counts unknown that `replica`, which cannot be read, may set.
pub(super) fn unscale(
    resources: &mut [Resource],
    replica: &Node,
    fields: &[FieldSpec],
    why: &Reason,
) {
    let origin = replica.get("count").map_or(&replica.origin, |it| &it.origin);
    let name = replica.str_at("name").filter(|it| !placeholder::has_hole(it));
    for resource in resources {
        let is_named = |id: &Id| name.is_none_or(|it| id.name == it);
        let ids: Vec<Id> = resource.all_ids().filter(is_named).collect();
        let scaled = fields.iter().filter(|it| ids.iter().any(|id| id.gvk.selected(&it.gvk)));
        for field in scaled {
            let mut write = |node: &mut Node| {
                *node = Node::unknown_value(why.clone(), origin);
                Ok(())
            };
            resource.attempt(|it| field.visit(&mut it.node, Some(LeafKind::Scalar), &mut write));
        }
    }
}

/// Sets images (`ImageTagTransformer`); `image` is one entry of `images`.
///
/// # Errors
/// A name that is no pattern.
pub(super) fn retag(
    resources: &mut [Resource],
    image: &Node,
    fields: &[FieldSpec],
    perhaps: Option<Reason>,
) -> Outcome<()> {
    let image = Image::new(image)?;
    let image = Image { perhaps: perhaps.or_else(|| image.perhaps.clone()), ..image };
    for resource in resources {
        if resource.kind() == "CustomResourceDefinition" || resource.is_gone() {
            continue;
        }
        resource.attempt(|resource| {
            if image.occurs(&resource.node)? {
                image.anywhere(&mut resource.node)?;
            }
            for field in fields {
                field.visit(&mut resource.node, None, &mut |node| image.write(node))?;
            }
            Ok(())
        });
    }
    Ok(())
}

struct Image<'a> {
    /// The entry of `images`.
    entry: &'a Node,
    pattern: Regex,
    origin: &'a Origin,
    /// Why it is not known whether the entry is there.
    perhaps: Option<Reason>,
}

impl<'a> Image<'a> {
    fn new(image: &'a Node) -> Outcome<Self> {
        let field = |name: &str| text(image.get(name));
        let pattern =
            format!("^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$", field("name"));
        // What is yet to be filled in may be any image.
        let hole = image.get("name").and_then(|it| match it.unknown() {
            Some(why) => Some(why.clone()),
            None => placeholder::has_hole(text(Some(it))).then(|| unfilled(text(Some(it))).into()),
        });
        let pattern = if hole.is_some() { ".*" } else { &*pattern };
        let pattern = Regex::new(pattern)
            .map_err(|_| refusal(&image.origin, "the image's name is not a pattern"))?;
        let origin = ["newTag", "digest", "tagSuffix", "newName"]
            .iter()
            .find_map(|it| shape::text(image, it))
            .map_or(&image.origin, |it| &it.origin);
        Ok(Self { entry: image, pattern, origin, perhaps: hole })
    }

    fn write(&self, node: &mut Node) -> Outcome<()> {
        let old = match (node.unknown(), node.as_scalar()) {
            (Some(_), _) => match self.retagged(node) {
                Some(repository) => repository.into(),
                None => return Ok(()),
            },
            (None, Some(scalar)) => scalar.text.clone(),
            (None, None) => return Err(refusal(&node.origin, "this image is not a scalar")),
        };
        if !self.pattern.is_match(&old) {
            return Ok(());
        }
        let was = node.origin.clone();
        let stays = |part: &str| (!part.is_empty()).then(|| Node::new(part, was.of(part)));
        let new = |field: &str| {
            let new = self.entry.get(field)?;
            if let Some(why) = new.unknown() {
                return Some(Node::unknown_value(why.clone(), &new.origin));
            }
            let new = Some(new).filter(|it| !text(Some(it)).is_empty())?;
            Some(Node::new(text(Some(new)), new.origin.over(Via::Transformed, &was)))
        };
        let (name, tag, digest) = split(&old);
        let (tag, digest) = match (new("newTag"), new("digest"), new("tagSuffix")) {
            (None, None, None) => (stays(tag), stays(digest)),
            (None, None, Some(suffix)) => {
                let suffixed = format!("{tag}{}", text(Some(&suffix)));
                let origin = suffix.origin.clone();
                let parts = stays(tag).into_iter().chain([suffix]).map(|part| ("", part));
                (Some(Node::new(suffixed, origin.joined(parts))), None)
            }
            (tag, digest, _) => (tag, digest),
        };
        let mut image = String::new();
        let mut parts = Vec::new();
        let name = new("newName").or_else(|| stays(name));
        for (what, sign, part) in
            [("repository", "", name), ("tag", ":", tag), ("digest", "@", digest)]
        {
            let Some(part) = part else { continue };
            image.extend([sign, text(Some(&part))]);
            parts.push((what, part));
        }
        if let Some(why) = &self.perhaps {
            let written = |part: &Node| was.of(text(Some(part))) == part.origin;
            let parts = parts.into_iter().map(|(what, part)| match written(&part) {
                true => (what, part),
                false => (what, Node::unknown_value(why.clone(), &part.origin)),
            });
            *node = Node::unknown_value(why.clone(), &was.joined(parts));
            return Ok(());
        }
        let same = image == *old;
        overwrite(node, image, None, self.origin);
        if !same {
            node.origin = node.origin.joined(parts);
        }
        Ok(())
    }

    /// The repository of an image that is not known, where that part is, and this says another tag.
    fn retagged(&self, image: &Node) -> Option<String> {
        ["newTag", "digest"].iter().find_map(|it| shape::text(self.entry, it))?;
        let parts = image.origin.parts();
        let (_, repository) = parts.iter().find(|(name, _)| *name == "repository")?;
        Some(repository.as_scalar()?.text.to_string())
    }

    /// Whether a list of containers anywhere in `node` has such an image.
    fn occurs(&self, node: &Node) -> Outcome<bool> {
        let mut found = false;
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            stack.extend(node.items());
            for (key, entry) in node.entries() {
                stack.push(&entry.value);
                if !is_containers(key) {
                    continue;
                }
                for item in entry.value.items() {
                    match &item.kind {
                        Kind::Map(map) => match map.get("image") {
                            Some(image) if image.as_scalar().is_some() => {
                                found |= self.pattern.is_match(text(Some(image)));
                            }
                            Some(image) if image.unknown().is_none() => {
                                return Err(refusal(&image.origin, "this image is not a scalar"));
                            }
                            _ => {}
                        },
                        Kind::Scalar(_) if item.is_null() => {}
                        Kind::Unknown(_) => {}
                        _ => {
                            return Err(refusal(
                                &item.origin,
                                "kustomize takes this list for containers, but this item is not \
                                 a mapping",
                            ));
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// Writes to every list of containers in `node`. Depth is bounded by the parser.
    fn anywhere(&self, node: &mut Node) -> Outcome<()> {
        if !self.occurs(node)? {
            return Ok(());
        }
        if let Some(items) = node.as_list_mut() {
            return items.iter_mut().try_for_each(|item| self.anywhere(item));
        }
        let Some(map) = node.as_map_mut() else { return Ok(()) };
        for (key, entry) in map.iter_mut() {
            self.anywhere(&mut entry.value)?;
            if !is_containers(key) {
                continue;
            }
            let Some(items) = entry.value.as_list_mut() else { continue };
            for image in items.iter_mut().filter_map(|it| it.as_map_mut()?.get_mut("image")) {
                self.write(image)?;
            }
        }
        Ok(())
    }
}

fn is_containers(key: &str) -> bool {
    matches!(key, "containers" | "initContainers")
}

/// Name, tag and digest of an image (`image.Split`).
fn split(image: &str) -> (&str, &str, &str) {
    let start = image.find('/').unwrap_or(0);
    let find = |sign| image[start..].find(sign).map(|at| at + start);
    match (find(':'), find('@')) {
        (None, None) => (image, "", ""),
        (Some(tag), Some(digest)) if tag < digest => {
            (&image[..tag], &image[tag + 1..digest], &image[digest + 1..])
        }
        (_, Some(digest)) => (&image[..digest], "", &image[digest + 1..]),
        (Some(tag), None) => (&image[..tag], &image[tag + 1..], ""),
    }
}

/// Sets a name that a transformer makes.
pub(super) fn set_name(resource: &mut Resource, name: String, origin: &Origin) {
    let Some(metadata) = metadata(&mut resource.node) else { return };
    match metadata.get_mut("name") {
        Some(old) => overwrite(old, name, None, origin),
        None => metadata.set("name", string(name, origin.through(Via::Transformed, None))),
    }
}
