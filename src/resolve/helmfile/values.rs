//! Layers of values: maps, files and templates of files, and what is encrypted.

use super::{
    HelmfileRun,
    render::HelmfileTemplate,
    state::{State, StateValues},
};
use crate::{
    parse,
    problem::Problem,
    resolve::{helm, install},
    scalar::Dialect,
    source::{self, FileId, Text, pattern::PathPattern},
    tree::{Kind, Map, Node, Origin, Reason, Via},
};

/// Why values are unknown that are encrypted as a whole.
pub(super) const ENCRYPTED: &str = "values may come from encrypted files";

/// Where files of values are looked for, and what is rendered with.
pub(super) struct LayersFrom<'t> {
    /// The directory that their paths are relative to.
    pub dir: &'t str,
    /// `missingFileHandler`
    pub missing: Option<&'t Node>,
    /// What those are rendered with that are templates.
    pub template: &'t HelmfileTemplate<'t>,
}

impl HelmfileRun<'_> {
    /// What `entry` of `environments` says, where `before` is known already.
    pub(super) fn environment_values(
        &mut self,
        dir: &str,
        entry: &Node,
        before: &StateValues,
    ) -> Node {
        if entry.unknown().is_some() {
            return entry.clone();
        }
        let missing = entry.get("missingFileHandler");
        let nothing = || Node::new(Map::default(), entry.origin.clone());
        let list = entry.get("values").filter(|it| !it.is_null());
        let values =
            list.map_or_else(nothing, |list| self.state_layers(dir, list, missing, before));
        let Some(secrets) = entry.get("secrets").filter(|it| !it.is_null()) else { return values };
        helm::merge(&values, &self.decrypted(dir, secrets, missing))
    }

    /// A list of values of a state, which see no `.Values`.
    pub(super) fn state_layers(
        &mut self,
        dir: &str,
        list: &Node,
        missing: Option<&Node>,
        before: &StateValues,
    ) -> Node {
        let template = self.state_template(dir, before).without_values();
        self.layers(list, &LayersFrom { dir, missing, template: &template })
    }

    /// The values that `helmfiles` of `state` passes.
    pub(super) fn passed(&mut self, state: &State, list: &Node) -> Node {
        let nothing = StateValues::none(&list.origin);
        self.state_layers(&state.dir, list, None, &nothing)
    }

    /// A list of paths and inline maps, merged in order.
    pub(super) fn layers(&mut self, list: &Node, from: &LayersFrom<'_>) -> Node {
        if list.unknown().is_some() {
            return list.clone();
        }
        let (items, unread) = install::layers(list.items(), &mut self.environment.problems);
        let mut values = unread.unwrap_or_else(|| Node::new(Map::default(), list.origin.clone()));
        for item in items {
            let layer = match &item.kind {
                Kind::Unknown(why) if item.if_there().is_none_or(|it| it.as_map().is_none()) => {
                    self.unresolved(&item.origin, why);
                    item.clone()
                }
                Kind::Map(_) | Kind::Unknown(_) => item.clone(),
                _ => self.file(item, from),
            };
            values = helm::merge(&values, &layer);
        }
        values
    }

    /// The files at `path`, a pattern or not; none where a missing one is passed over.
    ///
    /// # Errors
    /// Nobody can tell which, which is noted.
    pub(super) fn find(
        &mut self,
        path: &Node,
        from: &LayersFrom<'_>,
    ) -> Result<Vec<FileId>, Reason> {
        let sources = self.context.sources;
        let text = match (path.unknown(), path.as_scalar()) {
            (Some(why), _) => {
                self.unresolved(&path.origin, why);
                return Err(why.clone());
            }
            (None, scalar) => scalar.map_or("", |it| &*it.text),
        };
        let place = source::join(from.dir, text);
        let found = match place.as_deref() {
            Some(place) if text.contains(['*', '?', '[']) => {
                PathPattern::new(place).into_iter().flat_map(|it| it.seen_files(sources)).collect()
            }
            Some(place) => sources.find(place).into_iter().collect(),
            None => Vec::new(),
        };
        if !found.is_empty() {
            return Ok(found);
        }
        let is_elsewhere = text.contains("://");
        let is_passed_over = from.missing.and_then(Node::as_str).is_some_and(|it| it != "Error");
        let may_be_there = place.is_some_and(|it| sources.is_ignored(&it));
        if is_passed_over && !is_elsewhere && !may_be_there {
            return Ok(found);
        }
        let message = match is_elsewhere {
            true => format!("`{text}` is not in the repository"),
            false => format!("`{text}` does not exist in the repository"),
        };
        self.unresolved(&path.origin, &message);
        Err(message.into())
    }

    /// The values in the files at a path.
    fn file(&mut self, path: &Node, from: &LayersFrom<'_>) -> Node {
        let files = match self.find(path, from) {
            Ok(files) => files,
            Err(why) => return Node::unknown_value(why, &path.origin),
        };
        let mut values = Node::new(Map::default(), path.origin.clone());
        for file in files {
            let layer = self.values_in(file, path, from.template);
            values = helm::merge(&values, &layer);
        }
        values
    }

    fn values_in(&mut self, file: FileId, item: &Node, template: &HelmfileTemplate<'_>) -> Node {
        let context = self.context;
        let path = &context.sources[file].path;
        self.read.borrow_mut().insert(file);
        let result = if source::extension(path) == "hcl" {
            let why = format!("`{path}` is HCL, which is not read");
            Err(Problem::unresolved(&item.origin, why))
        } else if path.ends_with("gotmpl") {
            let documents = self.rendered_file(file, template);
            let nothing = Node::new(Map::default(), Origin::start_of(file));
            let merged = |it: Vec<Node>| it.iter().fold(nothing, |all, it| helm::merge(&all, it));
            documents.map(merged).map_err(|why| Problem::unresolved(&item.origin, &*why))
        } else {
            install::read_values(context.sources, file, &item.origin)
        };
        if let Err(problem) = &result
            && self.environment.problems.contains(problem)
        {
            return Node::unknown_value(problem.message.clone(), &item.origin);
        }
        install::layer(result, &item.origin, &mut self.environment.problems)
    }

    /// The documents of a file, which is rendered if it is a template.
    pub(super) fn rendered_file(
        &mut self,
        file: FileId,
        template: &HelmfileTemplate<'_>,
    ) -> Result<Vec<Node>, Reason> {
        let sources = self.context.sources;
        let path = &sources[file].path;
        if path.ends_with("gotmpl") {
            return match sources.load(file) {
                Text::Utf8(_) => {
                    template.within(source::parent(path)).yaml(&parse::whole(sources, file))
                }
                Text::Skipped(skip) => Err(format!("`{path}` {skip}").into()),
            };
        }
        let documents = sources.documents(file, Dialect::Sigs);
        match documents.error() {
            Some(error) => Err(format!("`{path}` is not YAML: {}", error.message).into()),
            None => Ok(documents.roots().cloned().collect()),
        }
    }

    /// What is encrypted, as far as its keys and what is not encrypted tell it.
    pub(super) fn decrypted(&mut self, dir: &str, secrets: &Node, missing: Option<&Node>) -> Node {
        let context = self.context;
        let unknown = || Node::unknown_value(ENCRYPTED, &secrets.origin);
        if secrets.unknown().is_some() {
            return unknown();
        }
        let mut values = Node::new(Map::default(), secrets.origin.clone());
        for item in secrets.items() {
            let place = item.as_str().and_then(|it| source::join(dir, it));
            let file = place.as_deref().and_then(|it| context.sources.find(it));
            let is_passed_over = missing.and_then(Node::as_str).is_some_and(|it| it != "Error");
            let layer = match (&item.kind, file) {
                (Kind::Map(_), _) => revealed(item),
                (_, Some(file)) => {
                    self.read.borrow_mut().insert(file);
                    let documents = context.sources.documents(file, Dialect::Sigs);
                    let root = documents.roots().next().and_then(revealed);
                    root.map(|it| it.through(Via::Values, item.origin.written_at()))
                }
                (Kind::Scalar(_), None) if is_passed_over => {
                    let is_there = place.is_none_or(|it| context.sources.is_ignored(&it));
                    (!is_there).then(|| Node::new(Map::default(), item.origin.clone()))
                }
                _ => None,
            };
            values = helm::merge(&values, &layer.unwrap_or_else(unknown));
        }
        values
    }
}

/// What SOPS leaves to be seen of an encrypted map: keys, and what it did not encrypt.
fn revealed(node: &Node) -> Option<Node> {
    if !parse::is_sops(node) {
        return None;
    }
    let mut node = node.rewrite(&mut |it| {
        let is_secret = it.as_scalar()?.text.starts_with("ENC[");
        is_secret.then(|| Node::unknown_value("it is encrypted with SOPS", &it.origin))
    });
    node.as_map_mut()?.remove("sops");
    Some(node)
}

/// `values` without what `vals` takes from elsewhere.
pub(super) fn without_references(values: &Node) -> Node {
    values.rewrite(&mut |it| {
        let text = &it.as_scalar()?.text;
        let is_reference = text.contains("ref+") && text.contains("://");
        is_reference.then(|| Node::unknown_value("`vals` takes it from elsewhere", &it.origin))
    })
}
