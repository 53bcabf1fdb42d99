//! Patches: which kind each is, and what it is for.

use crate::{
    parse::{self, Documents},
    placeholder,
    problem::Problem,
    resolve::environment::Deleted,
    resolve::kustomize::{
        blur,
        budget::{BuildBudget, Room},
        json,
        layer::Layer,
        load::Loader,
        merge::merge,
        resource::{Id, Index, Resource, all_objects, metadata},
        select::Selector,
        shape,
        value::{Outcome, is_empty, refusal, refusal_of, text, text_at, unresolved},
    },
    scalar::Dialect,
    tree::{Map, Node, Origin, Reason},
};

/// A patch that is ready to run.
pub(super) enum Patch {
    /// Objects to merge into others.
    Merge(Vec<Node>),
    Json(json::JsonPatch),
}

/// An entry of `patches` or `patchesJson6902`.
pub(super) struct PatchEntry {
    patch: Patch,
    /// The entry in the kustomization file.
    at: Origin,
    target: Option<Selector>,
    allow_name_change: bool,
    allow_kind_change: bool,
}

/// A text that holds patches, parsed both ways.
struct PatchSource {
    merge: Documents,
    json: Documents,
    text: String,
    whole: Origin,
    /// That it is a template, whose patches are more than what is read, or others.
    template: Option<Problem>,
}

impl PatchSource {
    /// A text, or what another tool writes as a tree.
    fn inline(loader: &Loader<'_>, node: &Node) -> Self {
        let sources = loader.context.sources;
        Self {
            merge: parse::embedded(sources, node, Dialect::Kyaml),
            json: parse::embedded(sources, node, Dialect::Sigs),
            text: text(Some(node)).trim().to_owned(),
            whole: node.origin.clone(),
            template: placeholder::is_template(text(Some(node))).then(|| {
                let why = "this patch is a template, which is not evaluated";
                Problem::unresolved(&node.origin, why)
            }),
        }
    }

    fn file(loader: &Loader<'_>, path: &Node) -> Outcome<Self> {
        let sources = loader.context.sources;
        let file = loader.file(path)?;
        loader.readable(file, &path.origin)?;
        Ok(Self {
            merge: sources.documents(file, Dialect::Kyaml).clone(),
            json: sources.documents(file, Dialect::Sigs).clone(),
            text: sources.text(file).to_owned(),
            whole: Origin::start_of(file),
            template: loader.template(path),
        })
    }

    /// The objects to merge.
    ///
    /// # Errors
    /// What is none; a template of which nothing can be read may hold any.
    fn objects(&self) -> Outcome<Vec<Node>> {
        match (all_objects(&self.merge, &self.whole), &self.template) {
            (Ok(objects), Some(template)) if objects.is_empty() => Err(template.clone().into()),
            (Err(problem), Some(template)) if problem.is_refusal() => Err(template.clone().into()),
            (objects, _) => objects,
        }
    }
}

impl PatchEntry {
    /// Reads an entry of `patches`.
    ///
    /// # Errors
    /// What is no patch.
    pub(super) fn new(loader: &Loader<'_>, entry: &Node) -> Outcome<Self> {
        let empty = |it: &Node| it.as_scalar().is_some_and(|it| it.text.trim().is_empty());
        let inline = entry.get("patch").filter(|it| !empty(it));
        let source = match (inline, shape::text(entry, "path")) {
            (Some(inline), None) => PatchSource::inline(loader, inline),
            (None, Some(file)) => PatchSource::file(loader, file)?,
            (None, None) => return Err(refusal(&entry.origin, "this has neither patch nor path")),
            (Some(_), Some(file)) => {
                return Err(refusal(&file.origin, "this has both patch and path"));
            }
        };
        let as_merge = source.objects();
        let as_json = json::decode(&source.json, &source.text);
        // What is empty is a patch of either kind and changes nothing.
        let patch = match (as_merge, as_json) {
            (Ok(objects), _) => Patch::Merge(objects),
            // A template of which nothing is left is no empty patch.
            (Err(problem), Some(operations))
                if source.template.is_some() && operations.is_empty() =>
            {
                return Err(problem);
            }
            (Err(_), Some(operations)) => Patch::Json(operations),
            (Err(problem), None) => {
                let why = inline.and_then(Node::unknown).cloned();
                let message = "this is no patch: what starts with `[` has to be JSON";
                return Err(match why {
                    Some(why) => unresolved(&entry.origin, why),
                    None if source.text.starts_with('[') => refusal(&source.whole, message),
                    None => problem,
                });
            }
        };
        let target = entry.get("target");
        if let (Some(target), Patch::Merge(objects)) = (target, &patch)
            && let [_, second, ..] = &objects[..]
        {
            let message = "a patch with several objects cannot have a target";
            let problem = refusal(&target.origin, message);
            return Err(problem.also(&second.origin, "the second object").into());
        }
        let patch = match patch {
            Patch::Merge(patches) if target.is_some() => {
                Patch::Merge(patches.iter().map(with_strings).collect::<Outcome<_>>()?)
            }
            patch => patch,
        };
        let option = |name: &str| entry.get("options").is_some_and(|it| shape::flag(it, name));
        Ok(Self {
            patch,
            at: entry.origin.clone(),
            target: target.map(Selector::new).transpose()?,
            allow_name_change: option("allowNameChange"),
            allow_kind_change: option("allowKindChange"),
        })
    }

    /// Reads an entry of `patchesJson6902`, whose inline patch is called `inline`.
    ///
    /// # Errors
    /// What is no JSON 6902 patch, and a target without a name.
    pub(super) fn json(loader: &Loader<'_>, entry: &Node, inline: &str) -> Outcome<Self> {
        let Some(target) = entry.get("target") else {
            return Err(refusal(&entry.origin, "this patch has no target"));
        };
        if shape::text(target, "name").is_none() {
            return Err(refusal(&target.origin, "the target of this patch has no name"));
        }
        let source = match (shape::text(entry, inline), shape::text(entry, "path")) {
            (Some(patch), None) => PatchSource::inline(loader, patch),
            (None, Some(path)) => PatchSource::file(loader, path)?,
            (None, None) => return Err(refusal(&entry.origin, "this patch is empty")),
            (Some(_), Some(path)) => {
                return Err(refusal(&path.origin, "this has both a patch and a path"));
            }
        };
        let Some(patch) = json::decode(&source.json, &source.text) else {
            let refused = || refusal(&source.whole, "this is not a JSON 6902 patch");
            return Err(source.template.map_or_else(refused, Box::new));
        };
        if patch.is_empty() {
            // `PatchJson6902Transformer` of kustomize; `patches` takes it.
            let refused = || refusal(&source.whole, "this JSON 6902 patch has no operation");
            return Err(source.template.map_or_else(refused, Box::new));
        }
        Ok(Self {
            patch: Patch::Json(patch),
            at: entry.origin.clone(),
            target: Some(Selector::new(target)?),
            allow_name_change: false,
            allow_kind_change: false,
        })
    }

    /// Applies the patch. What it cannot be applied to is unknown then.
    pub(super) fn apply(&self, layer: &mut Layer, index: &mut Option<Index>) {
        let options = (self.allow_name_change, self.allow_kind_change);
        if options != (false, false) || matches!(self.patch, Patch::Json(_)) {
            // These change what objects are called.
            *index = None;
        }
        match (&self.patch, &self.target) {
            (Patch::Merge(patches), None) => {
                for patch in patches {
                    apply_by_id(layer, index, patch, options);
                    if options != (false, false) {
                        *index = None;
                    }
                }
            }
            (Patch::Merge(patches), Some(target)) => {
                // An empty patch looks at nothing.
                let resources = if patches.is_empty() { &mut [] } else { &mut layer.resources[..] };
                for resource in target.targets(resources) {
                    for patch in patches {
                        let unsure = target.unsure(resource);
                        attempt_merge(resource, patch, options, unsure, &mut layer.budget);
                    }
                }
            }
            (Patch::Json(_), None) => {
                let needs = refusal(&self.at, "a JSON 6902 patch needs a target");
                layer.change::<()>(Err(needs), |_| true);
            }
            (Patch::Json(patch), Some(target)) => {
                for resource in target.targets(&mut layer.resources) {
                    let unsure = target.unsure(resource);
                    let is_sure = unsure.is_none();
                    resource.attempt_if(unsure, |resource| {
                        layer.budget.change(&resource.node, &self.at)?;
                        let room = Room::of(&resource.node, &mut layer.budget);
                        let (patched, refused) = patch.apply(&resource.node, room)?;
                        check(&patched, &self.at)?;
                        resource.remember();
                        match refused {
                            None => resource.node = patched,
                            Some(it) if !is_sure => return Err(it),
                            Some(it) => resource.attempt_or(|node, _| *node = patched, |_| Err(it)),
                        }
                        Ok(())
                    });
                }
            }
        }
    }
}

/// What the `target` of a patch that cannot be read selects: without one, anything.
pub(super) fn selected(entry: &Node) -> impl Fn(&Resource) -> bool {
    let target = entry.get("target").and_then(|it| Selector::new(it).ok());
    move |resource| target.as_ref().is_none_or(|it| it.matches(resource))
}

/// What is left must still be an object.
fn check(object: &Node, at: &Origin) -> Outcome<()> {
    if is_empty(object) || !text_at(object, "kind").is_empty() {
        return Ok(());
    }
    Err(refusal(at, "after this patch the object has no kind"))
}

/// The objects of the entries of `patchesStrategicMerge`: inline YAML or a path. Any object of
/// `layer` may be what one that is neither is for.
pub(super) fn strategic(loader: &Loader<'_>, entries: &[Node], layer: &mut Layer) -> Vec<Node> {
    let patch = |entry: &Node| {
        let inline = PatchSource::inline(loader, entry);
        match inline.objects() {
            Ok(found) => Ok(found),
            Err(_) => {
                let source = PatchSource::file(loader, entry)?;
                source.objects()
            }
        }
    };
    let patches: Vec<_> = entries.iter().map(patch).collect();
    let are_empty = patches.iter().all(|it| it.as_ref().is_ok_and(Vec::is_empty));
    if let Some(first) = entries.first().filter(|_| are_empty) {
        layer.tell([*refusal(&first.origin, "these patches are empty")]);
    }
    let patches = patches.into_iter().map(|it| it?.iter().map(with_strings).collect());
    let patches: Vec<Outcome<Vec<Node>>> = patches.collect();
    patches.into_iter().filter_map(|it| layer.change(it, |_| true)).flatten().collect()
}

/// The patch with labels and annotations that are strings: kustomize sets them again where patches
/// are merged into selected objects (`CopyMergeMetaDataFieldsFrom`), so that a null is a text there.
fn with_strings(patch: &Node) -> Outcome<Node> {
    let mut patch = Resource::new(patch.clone());
    patch.stringify("labels")?;
    patch.stringify("annotations")?;
    Ok(patch.node)
}

/// Applies a strategic merge patch to the one object that it names; of a layer that is open that may
/// stand where we cannot see.
pub(super) fn apply_by_id(
    layer: &mut Layer,
    index: &mut Option<Index>,
    patch: &Node,
    options: (bool, bool),
) {
    let (resources, budget) = (&mut layer.resources, &mut layer.budget);
    let named = Resource::new(patch.clone());
    let id = named.id();
    let index = index.get_or_insert_with(|| Index::new(resources));
    let mut found = index.find(id.clone()).to_vec();
    found.retain(|at| resources.get(*at).is_some_and(|it| !it.is_gone()));
    let alike = |it: &Id| it.gvk == id.gvk && it.space() == id.space();
    let may_be = |it: &Resource| it.unknown_name().is_some() && alike(&it.id());
    match found[..] {
        [at] => {
            if let Some(resource) = resources.get_mut(at) {
                attempt_merge(resource, patch, options, None, budget);
            }
        }
        [] if resources.iter().any(&may_be) => {
            for resource in resources.iter_mut().filter(|it| may_be(it)) {
                let unsure = resource.unknown_name().cloned();
                attempt_merge(resource, patch, options, unsure, budget);
            }
        }
        [] if layer.open.is_some() => {}
        [] => {
            let message = format!("there is no {} to patch", id.describe());
            let mut problem = refusal(named.anchor(), message);
            // An object of that kind and name that differs otherwise may be what is meant.
            let near = |it: &Resource| it.kind() == named.kind() && it.name() == named.name();
            problem.help = resources.iter().find(|it| near(it)).map(|it| {
                let version = text_at(&it.node, "apiVersion");
                format!("there is {} of {version}", it.id().describe()).into()
            });
            problem.unseen.changes = true;
            let why = problem.message.clone();
            for resource in resources.iter_mut().filter(|it| near(it)) {
                resource.lose(&why, |node, why| blur::like(node, patch, why));
            }
            layer.tell([*problem]);
        }
        _ => {
            let message = format!("several objects are called {}", id.describe());
            let problem = refusal_of("several", named.anchor(), message);
            let why = problem.message.clone();
            for at in found {
                resources[at].lose(&why, |node, why| blur::like(node, patch, why));
            }
            layer.tell([*problem]);
        }
    }
}

/// Applies a strategic merge patch, unless nobody knows whether it is for this object; what it would
/// change is unknown where that is refused.
fn attempt_merge(
    resource: &mut Resource,
    patch: &Node,
    options: (bool, bool),
    unsure: Option<Reason>,
    budget: &mut BuildBudget,
) {
    let change = |it: &mut Resource| {
        budget.change(&it.node, &patch.origin)?;
        budget.make(patch, &patch.origin)?;
        apply_merge(it, patch, options)
    };
    match unsure {
        Some(_) => resource.attempt_if(unsure, change),
        None => resource.attempt_or(|node, why| blur::like(node, patch, why), change),
    }
}

/// Applies a strategic merge patch. Name, kind and namespace stay unless the patch may change them.
fn apply_merge(
    resource: &mut Resource,
    patch: &Node,
    (allow_name, allow_kind): (bool, bool),
) -> Outcome<()> {
    if allow_name || allow_kind {
        resource.remember();
    }
    let before = resource.node.clone();
    let mut patch = patch.clone();
    // The patch takes the object's version, and its own kind only if it may change it.
    if let Some(map) = patch.as_map_mut() {
        keep(map, &before, "apiVersion");
    }
    let Some(mut merged) = merge(&before, &patch)? else {
        resource.node = Node::new(Map::default(), before.origin.clone());
        let by = patch.get("$patch").map_or(&patch.origin, |it| &it.origin).clone();
        resource.deleted = Some(Box::new(Deleted { node: before, by }));
        return Ok(());
    };
    if let Some(map) = merged.as_map_mut()
        && !allow_kind
    {
        keep(map, &before, "kind");
    }
    let old = before.get("metadata");
    if let (Some(new), Some(old)) = (metadata(&mut merged), old) {
        if !allow_name {
            keep(new, old, "name");
        }
        keep(new, old, "namespace");
    }
    resource.node = merged;
    Ok(())
}

/// Gives `key` back what it was.
fn keep(map: &mut Map, before: &Node, key: &str) {
    match before.as_map().and_then(|it| it.entry(key)) {
        Some(entry) => {
            map.insert(key, entry.clone());
        }
        None => {
            map.remove(key);
        }
    }
}
