//! State files: their parts and bases, and what these say together.

use std::{collections::BTreeSet, ops::Range, rc::Rc};

use super::{DEFAULT, HelmfileRun, render::HelmfileTemplate};
use crate::{
    data::subject::is_named_in,
    problem::Problem,
    resolve::{context::Context, gotemplate::TemplateWork, helm, install},
    scalar::{Scalar, Style},
    source::{self, FileId, Span, Text, pattern::PathPattern},
    tree::{Entry, Kind, Map, Node, Origin, Reason},
};

/// What the parts and bases of a state file say together (`ReleaseSetSpec`).
pub(super) struct State {
    /// The file.
    pub file: FileId,
    /// The directory of the file: paths in its bases are relative to it, too.
    pub dir: String,
    /// The fields, those of all parts and bases.
    pub spec: Node,
    /// The values of the environment.
    pub values: StateValues,
}

/// The values of an environment: root `values` stay below those of the environment, whichever comes
/// first.
#[derive(Clone)]
pub(super) struct StateValues {
    /// Root `values`.
    pub defaults: Node,
    /// Those of the environment, and what an including file passes: `.Environment.Values`.
    pub own: Node,
}

impl StateValues {
    pub(super) fn none(at: &Origin) -> Self {
        let nothing = Node::new(Map::default(), at.clone());
        Self { defaults: nothing.clone(), own: nothing }
    }

    /// `.Values`
    pub(super) fn all(&self) -> Node {
        helm::merge(&self.defaults, &self.own)
    }
}

/// Which releases are picked: those that any of the selectors matches.
#[derive(Debug, Clone, Default)]
pub(super) struct Selectors(Vec<Node>);

impl Selectors {
    /// Whether a release with these labels is picked, or why that cannot be told.
    pub(super) fn pick(&self, labels: &Node) -> Result<bool, Reason> {
        let mut unsure = None;
        for selector in &self.0 {
            match matches(selector, labels) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(why) => unsure = Some(why),
            }
        }
        unsure.map_or(Ok(self.0.is_empty()), Err)
    }
}

/// Whether `labels` have all that `selector` says: `tier=a,name!=b`.
fn matches(selector: &Node, labels: &Node) -> Result<bool, Reason> {
    let Some(scalar) = selector.as_scalar() else {
        let why = selector.unknown().cloned();
        return why.map_or(Ok(false), Err);
    };
    let mut unsure = None;
    for term in scalar.text.split(',') {
        let Some((key, value)) = term.split_once('=') else { return Ok(false) };
        let (key, not) = key.strip_suffix('!').map_or((key, false), |key| (key, true));
        let label = labels.get(key);
        if let Some(why) = label.and_then(Node::unknown) {
            unsure = Some(why.clone());
        } else if label.and_then(Node::as_scalar).is_some_and(|it| &*it.text == value) == not {
            return Ok(false);
        }
    }
    unsure.map_or(Ok(true), Err)
}

/// A file that `helmfiles` names.
pub(super) struct Child {
    pub file: FileId,
    /// The list of values that are passed to it.
    pub values: Option<Node>,
    /// Its own selectors, unless it has those of the file that names it.
    pub selectors: Option<Selectors>,
    /// Where it is named.
    pub at: Origin,
}

/// The files that `helmfiles` of `spec` names, as seen from `dir`.
pub(super) fn children(context: &Context<'_>, dir: &str, spec: &Node) -> Vec<Child> {
    let mut all = Vec::new();
    for item in spec.items_at("helmfiles") {
        let Some(path) = item.as_str().or_else(|| item.str_at("path")) else { continue };
        let own = item.get("selectors").filter(|it| !it.is_null());
        let selectors = own.map(|it| Selectors(it.items().to_vec()));
        all.extend(files(context, dir, path).into_iter().map(|file| Child {
            file,
            values: item.get("values").filter(|it| !it.items().is_empty()).cloned(),
            selectors: selectors.clone(),
            at: item.origin.clone(),
        }));
    }
    all
}

/// The state files at `path`, a file, a directory or a pattern of both.
fn files(context: &Context<'_>, dir: &str, path: &str) -> Vec<FileId> {
    let sources = context.sources;
    let Some(path) = source::join(dir, path) else { return Vec::new() };
    if let Some(file) = sources.find(&path) {
        return vec![file];
    }
    let is_state = |path: &str| {
        let name = source::file_name(path);
        let name = name.strip_suffix(".gotmpl").unwrap_or(name);
        name.rsplit_once('.').is_some_and(|(_, it)| it.starts_with('y') && it.ends_with("ml"))
    };
    let inside = |dir: &str| -> Vec<FileId> {
        let states = sources.seen_in(dir).into_iter().filter(|(path, _)| is_state(path));
        states.map(|(_, file)| file).collect()
    };
    let Some(pattern) = PathPattern::new(&path).filter(|_| path.contains(['*', '?', '['])) else {
        return inside(&path);
    };
    let mut found: Vec<FileId> =
        pattern.files(sources).filter(|it| is_state(&sources[*it].path)).collect();
    found.extend(pattern.directories(sources).flat_map(inside));
    found
}

/// The parts of a state file: each is rendered with what those before it say.
fn parts(text: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, mark) in text.match_indices("\n---") {
        let rest = &text[at + mark.len()..];
        let Some(end) = ["\n", "\r\n"].iter().find(|it| rest.starts_with(**it)) else { continue };
        if at + 1 >= start {
            parts.push(start..at + 1);
            start = at + mark.len() + end.len();
        }
    }
    parts.push(start..text.len());
    parts
}

/// The text of each part of a file, as a string that is written there.
fn texts(context: &Context<'_>, file: FileId) -> Result<Vec<Node>, Reason> {
    let Text::Utf8(text) = context.sources.load(file) else {
        return Err("it cannot be read as text".into());
    };
    let part = |range: Range<usize>| {
        let text = &text[range.clone()];
        let scalar = Scalar { text: text.into(), style: Style::Literal, tag: None };
        Node::new(scalar, Origin::written(Span::new(file, range)))
    };
    Ok(parts(text).into_iter().map(part).collect())
}

/// What the parts of a file say, whatever the environment is.
pub(super) fn outline(context: &Context<'_>, file: FileId, work: &Rc<TemplateWork>) -> Vec<Node> {
    let dir = source::parent(&context.sources[file].path);
    let texts = texts(context, file).unwrap_or_default();
    texts
        .iter()
        .flat_map(|it| HelmfileTemplate::outline(context, dir, work).yaml(it).unwrap_or_default())
        .collect()
}

/// The names of the environments that a Helmfile has.
pub(super) fn names(context: &Context<'_>, file: FileId, work: &Rc<TemplateWork>) -> Vec<String> {
    let dir = source::parent(&context.sources[file].path);
    let mut names: Vec<String> = Vec::new();
    let mut open = vec![file];
    let mut seen = BTreeSet::new();
    while let Some(file) = open.pop() {
        if !seen.insert(file) {
            continue;
        }
        for part in outline(context, file, work) {
            for (name, _) in part.get("environments").into_iter().flat_map(Node::entries) {
                if !names.iter().any(|it| it == name) {
                    names.push(name.to_owned());
                }
            }
            let bases = part.items_at("bases").iter().filter_map(Node::as_str);
            open.extend(bases.filter_map(|it| context.sources.find_from(dir, it)));
        }
    }
    if names.is_empty() {
        names = named_by_files(context, file);
    }
    if names.is_empty() {
        names.push(DEFAULT.to_owned());
    }
    names
}

/// The names that files have where a Helmfile takes those of the environment that it is run for:
/// `envs/{{ .Environment.Name }}.yaml` below an environment of that name.
fn named_by_files(context: &Context<'_>, file: FileId) -> Vec<String> {
    const NAME: &str = "{{ .Environment.Name }}";
    let sources = context.sources;
    let dir = source::parent(&sources[file].path);
    let text = sources.text(file);
    let is_key = |it: &str| it.trim().trim_matches(['"', '\'']) == format!("{NAME}:");
    if !text.lines().any(is_key) {
        return Vec::new();
    }
    let paths = text.lines().filter_map(|it| it.trim().strip_prefix("- "));
    let mut names = Vec::new();
    for path in paths.map(|it| it.trim().trim_matches(['"', '\''])) {
        let Some((before, after)) = path.split_once(NAME) else { continue };
        let Some(before) = source::join(dir, &format!("{before}x")) else { continue };
        let before = before.strip_suffix('x').unwrap_or_default();
        let stems = sources.below(source::parent(before)).filter_map(|it| {
            let name = sources[it].path.strip_prefix(before)?.strip_suffix(after)?;
            (!name.is_empty() && !name.contains('/')).then(|| name.to_owned())
        });
        names.extend(stems);
    }
    names.sort();
    names.dedup();
    names
}

/// Which of two values stays, and what becomes of two lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Merging {
    /// Bases and the file that names them: the first, lists one after the other.
    Bases,
    /// The parts of a file: the last.
    Parts,
    /// A release over the templates that it inherits: the last, lists one after the other.
    Inherit,
}

/// `later` merged into `earlier`, two structures with the same fields, as mergo does it.
pub(super) fn merged(earlier: &Node, later: &Node, how: Merging) -> Node {
    let Some(mut map) = earlier.as_map().cloned() else { return later.clone() };
    for (key, entry) in later.entries() {
        let new = &entry.value;
        let value = match map.get(key).filter(|it| !is_zero(it)) {
            None => new.clone(),
            Some(old) if is_zero(new) => old.clone(),
            Some(old) => both(old, new, how),
        };
        map.insert(key, Entry { key: entry.key, value });
    }
    let open = later.as_map().and_then(|it| it.open.clone());
    map.open = map.open.or(open);
    Node::new(map, later.origin.clone())
}

fn both(old: &Node, new: &Node, how: Merging) -> Node {
    let first = how == Merging::Bases;
    match (&old.kind, &new.kind) {
        (Kind::List(items), Kind::List(more)) if how != Merging::Parts => {
            let all: Vec<Node> = items.iter().chain(more.iter()).cloned().collect();
            Node::new(all, new.origin.clone())
        }
        (Kind::Map(map), Kind::Map(more)) => {
            let (below, above) = if first { (more, map) } else { (map, more) };
            let mut all = Map::clone(below);
            all.extend(above);
            all.open = map.open.clone().or_else(|| more.open.clone());
            Node::new(all, new.origin.clone())
        }
        _ if first => old.clone(),
        _ => new.clone(),
    }
}

/// What Go would leave out, since the field has it anyway.
fn is_zero(node: &Node) -> bool {
    match &node.kind {
        Kind::List(items) => items.is_empty(),
        Kind::Map(map) => map.is_empty() && map.open.is_none(),
        Kind::Scalar(_) => install::is_blank(node),
        Kind::Unknown(_) => false,
    }
}

impl HelmfileRun<'_> {
    /// Reads a state file, what is passed to it over its own values. Nothing where it has no
    /// environment of that name, which Helmfile passes over.
    pub(super) fn load(&mut self, file: FileId, passed: Option<&Node>) -> Option<State> {
        let dir = source::parent(&self.context.sources[file].path).to_owned();
        let state = self.read_state(file, &dir, None, passed)?;
        let is_default = self.name == DEFAULT;
        let environments = state.spec.get("environments").filter(|it| !is_zero(it));
        let of = |all: &Node, name: &str| match (all.unknown(), all.as_map()) {
            (None, Some(map)) => map.get(name).is_some() || map.open.is_some(),
            _ => true,
        };
        match environments.map(|it| of(it, &self.name)) {
            Some(false) if !is_default => None,
            None if !is_default && passed.is_none() => None,
            _ => Some(state),
        }
    }

    /// Reads the parts of `file`, each with the values that those before it give. Without a
    /// `context` it is a file of its own, else a base.
    fn read_state(
        &mut self,
        file: FileId,
        dir: &str,
        outer: Option<&StateValues>,
        passed: Option<&Node>,
    ) -> Option<State> {
        self.left = self.left.checked_sub(1)?;
        self.read.borrow_mut().insert(file);
        let texts = match texts(self.context, file) {
            Ok(texts) => texts,
            Err(why) => {
                self.unread(file, &why);
                return None;
            }
        };
        let start = Origin::start_of(file);
        let mut spec = Node::new(Map::default(), start.clone());
        let mut values = outer.cloned().unwrap_or_else(|| StateValues::none(&start));
        for text in &texts {
            if let Some(passed) = passed {
                values.own = helm::merge(&values.own, passed);
            }
            let part = match self.part(text, dir, &values, passed) {
                Ok(part) => part,
                Err(why) => {
                    self.unread(file, &why);
                    return None;
                }
            };
            let part = self.with_bases(part, dir, outer.is_some(), &values);
            self.add_values(&mut values, dir, &part);
            spec = merged(&spec, &part, Merging::Parts);
        }
        Some(State { file, dir: dir.to_owned(), spec, values })
    }

    /// What a part says, rendered with `values` and with those that the part itself gives.
    fn part(
        &mut self,
        text: &Node,
        dir: &str,
        values: &StateValues,
        passed: Option<&Node>,
    ) -> Result<Node, Reason> {
        let mut values = values.clone();
        let scope = self.state_template(dir, &values);
        if let Some(first) = scope.first_pass(text) {
            self.add_values(&mut values, dir, &first);
            if let Some(passed) = passed {
                values.own = helm::merge(&values.own, passed);
            }
        }
        let scope = self.state_template(dir, &values);
        let documents = scope.yaml(text)?;
        let nothing = Node::new(Map::default(), text.origin.clone());
        Ok(documents.iter().fold(nothing, |all, it| merged(&all, it, Merging::Bases)))
    }

    /// `part` over the bases that it names.
    fn with_bases(&mut self, part: Node, dir: &str, is_base: bool, values: &StateValues) -> Node {
        let Some(bases) = part.get("bases").filter(|it| !is_zero(it)) else { return part };
        if is_base {
            // `ParseAndLoad` of `pkg/state/create.go`.
            self.refused(&bases.origin, "a base has no bases of its own");
            return part;
        }
        let mut all: Option<Node> = None;
        for base in bases.items() {
            let path = base.as_str().unwrap_or_default();
            let Some(file) = self.context.sources.find_from(dir, path) else {
                let why = match base.unknown() {
                    Some(why) => why.to_string(),
                    None => format!("`{path}` is not in the repository"),
                };
                let problem = Problem::unresolved(&base.origin, why).hiding_objects();
                let named = Some(path).filter(|it| is_named_in(it));
                self.problem(problem.about(named.unwrap_or_default()));
                continue;
            };
            let Some(base) = self.read_state(file, dir, Some(values), None) else { continue };
            all = Some(match all {
                Some(all) => merged(&all, &base.spec, Merging::Bases),
                None => base.spec,
            });
        }
        all.map_or_else(|| part.clone(), |all| merged(&all, &part, Merging::Bases))
    }

    /// Adds the root `values` of a part, and those that it gives the environment.
    fn add_values(&mut self, values: &mut StateValues, dir: &str, part: &Node) {
        let entry = part.get("environments").and_then(|it| it.as_map()?.entry(&self.name));
        if let Some(entry) = entry
            && self.environment.entry.origin.written_at().is_none()
        {
            self.environment.entry.origin = entry.origin();
        }
        let own = entry.map(|it| &it.value);
        let before = values.clone();
        if let Some(own) = own {
            let layer = self.environment_values(dir, own, &before);
            values.own = helm::merge(&values.own, &layer);
        }
        if let Some(list) = part.get("values") {
            let layer = self.state_layers(dir, list, None, &before);
            values.defaults = helm::merge(&values.defaults, &layer);
        }
    }
}
