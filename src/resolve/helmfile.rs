//! Helmfile, as far as its files are YAML with simple expressions in them.
//!
//! Environment values, which `bases`, root `values` and `environments` give, fill templates; what
//! else templates use is unknown. The reference is Helmfile 1.7.

mod release;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    problem::Problem,
    resolve::{
        context::Context,
        environment::{EntryKind, Environment},
        helm,
        install::{self, Discovery},
        layout::Layout,
        names,
        template::{self, Hole, TemplateScope},
    },
    scalar::Scalar,
    source::{self, FileId, Relevance, Text},
    tree::{Map, Node, Origin, Reason},
};

/// How deep `helmfiles` may refer to each other.
const MAX_DEPTH: usize = 8;

/// How many files one environment may read.
const MAX_FILES: usize = 1_000;

/// The environment that Helmfile takes when none is named.
const DEFAULT: &str = "default";

/// The environments of Helmfiles that install charts which concern us.
pub(crate) fn environments(context: &Context<'_>, layout: &Layout<'_>) -> Discovery {
    let mut found = Discovery::default();
    let sources = context.sources;
    let files: Vec<FileId> = sources
        .iter()
        .filter(|(file, it)| is_helmfile(&it.path) && !layout.is_template_dir(*file))
        .map(|(file, _)| file)
        .collect();
    for file in first(context, &files) {
        if layout.is_excluded(file) {
            continue;
        }
        for name in names(context, file) {
            let mut run = HelmfileRun::new(context, &name);
            let nothing = Node::new(Map::default(), Origin::start_of(file));
            run.state(file, &nothing);
            let matters = |file: &FileId| sources[*file].relevance == Relevance::Subject;
            if !run.read.iter().any(matters) {
                found.unread.extend(run.environment.problems.into_iter().map(|it| it.at));
                continue;
            }
            found.reached.files.extend(&run.read);
            let place = names::environment_of(&sources[file].path);
            run.environment.name = match place {
                Some(place) if name == DEFAULT => place.to_owned(),
                Some(place) => format!("{place}/{name}"),
                None => name,
            };
            found.environments.push(run.environment);
        }
    }
    found
}

/// The files that are read for themselves: what another one includes is read with its values. Of those
/// that include each other it is the first.
fn first(context: &Context<'_>, files: &[FileId]) -> Vec<FileId> {
    let includes = |file: &FileId| -> Vec<FileId> {
        let parts = parts(context, *file, None).into_iter().flatten();
        parts.flat_map(|it| children(context, *file, &it)).map(|it| it.file).collect()
    };
    let edges: BTreeMap<FileId, Vec<FileId>> = files.iter().map(|it| (*it, includes(it))).collect();
    let inner: BTreeSet<FileId> = edges.values().flatten().copied().collect();
    let outer = files.iter().filter(|it| !inner.contains(it));
    let (mut first, mut reached) = (Vec::new(), BTreeSet::new());
    for file in outer.chain(files) {
        if reached.contains(file) {
            continue;
        }
        first.push(*file);
        let mut open = vec![*file];
        while let Some(file) = open.pop() {
            if reached.insert(file) {
                open.extend(edges.get(&file).into_iter().flatten());
            }
        }
    }
    first
}

fn is_helmfile(path: &str) -> bool {
    let name = source::file_name(path);
    let name = name.strip_suffix(".gotmpl").unwrap_or(name);
    let yaml = matches!(source::extension(name), "yaml" | "yml");
    let stem = name.split('.').next().unwrap_or_default();
    yaml && (stem == "helmfile" || source::file_name(source::parent(path)) == "helmfile.d")
}

/// The names of the environments that a Helmfile has.
fn names(context: &Context<'_>, file: FileId) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut open = vec![file];
    let mut seen = BTreeSet::new();
    while let Some(file) = open.pop() {
        if !seen.insert(file) {
            continue;
        }
        for part in parts(context, file, None).unwrap_or_default() {
            for (name, _) in part.get("environments").into_iter().flat_map(Node::entries) {
                if !names.iter().any(|it| it == name) {
                    names.push(name.to_owned());
                }
            }
            open.extend(bases(context, file, &part));
        }
    }
    if names.is_empty() {
        names.push(DEFAULT.to_owned());
    }
    names
}

/// The documents of a file, its expressions filled from `params`, or unknown without.
fn parts(context: &Context<'_>, file: FileId, params: Option<&Node>) -> Result<Vec<Node>, Reason> {
    let Text::Utf8(text) = context.sources.load(file) else {
        return Err("it cannot be read as text".into());
    };
    template::fill_file(context.sources, file, &holes(context, text, params)?)
}

fn holes(context: &Context<'_>, text: &str, params: Option<&Node>) -> Result<Vec<Hole>, Reason> {
    match params {
        Some(params) => TemplateScope {
            sources: context.sources,
            params: params.clone(),
            go: true,
            strict: true,
        }
        .holes(text),
        None => template::go_holes(text, |it| Err(format!("`{it}` is not evaluated").into())),
    }
}

/// The files that `bases` names.
fn bases(context: &Context<'_>, file: FileId, part: &Node) -> Vec<FileId> {
    part.items_at("bases").iter().filter_map(|it| locate(context, file, it.as_str()?)).collect()
}

/// The file at `path` as the Helmfile `file` names it.
fn locate(context: &Context<'_>, file: FileId, path: &str) -> Option<FileId> {
    let dir = source::parent(&context.sources[file].path);
    context.sources.find_from(dir, path)
}

/// A file that `helmfiles` names.
struct Child {
    file: FileId,
    /// The values that are passed to it.
    values: Option<Node>,
    /// Where it is named.
    at: Origin,
}

/// The files that `helmfiles` names.
fn children(context: &Context<'_>, file: FileId, part: &Node) -> Vec<Child> {
    let dir = source::parent(&context.sources[file].path);
    let mut all = Vec::new();
    for item in part.items_at("helmfiles") {
        let path = item.as_str().or_else(|| item.str_at("path"));
        let Some(path) = path.and_then(|path| source::join(dir, path)) else { continue };
        let child =
            |file| Child { file, values: item.get("values").cloned(), at: item.origin.clone() };
        if let Some(file) = context.sources.find(&path) {
            all.push(child(file));
            continue;
        }
        let inside = install::pattern(&format!("{path}/*"));
        let pattern = install::pattern(&path).filter(|_| path.contains('*')).or(inside);
        for (file, it) in context.sources.iter() {
            let yaml = it.path.contains(".yaml") || it.path.contains(".yml");
            if yaml && pattern.as_ref().is_some_and(|pattern| pattern.is_match(&it.path)) {
                all.push(child(file));
            }
        }
    }
    all
}

/// One environment of one Helmfile and what it includes.
struct HelmfileRun<'a> {
    context: &'a Context<'a>,
    name: String,
    environment: Environment,
    read: BTreeSet<FileId>,
    /// The files whose `helmfiles` are being read.
    open: Vec<FileId>,
    /// How many files may still be read, so that what doubles on every level ends.
    left: usize,
}

/// What the parts of a file say together.
struct State {
    values: Node,
    repositories: BTreeMap<String, Node>,
    templates: Option<Node>,
    /// Releases with the file that each stands in.
    releases: Vec<(FileId, Node)>,
    children: Vec<Child>,
}

impl<'a> HelmfileRun<'a> {
    fn new(context: &'a Context<'a>, name: &str) -> Self {
        let origin = Origin::at(crate::tree::Via::Written, None);
        Self {
            context,
            name: name.to_owned(),
            environment: Environment::new(name, EntryKind::Other, origin),
            read: BTreeSet::new(),
            open: Vec::new(),
            left: MAX_FILES,
        }
    }

    /// Resolves `file` and what it includes, whose environment values start with `passed`.
    fn state(&mut self, file: FileId, passed: &Node) {
        let mut state = State {
            values: Node::new(Map::default(), passed.origin.clone()),
            repositories: BTreeMap::new(),
            templates: None,
            releases: Vec::new(),
            children: Vec::new(),
        };
        self.collect(file, passed, &mut state, false);
        if self.environment.entry.origin.written_at().is_none() {
            self.environment.entry.origin = Origin::start_of(file);
        }
        for (file, release) in std::mem::take(&mut state.releases) {
            self.release(file, &release, &state);
        }
        self.open.push(file);
        for child in std::mem::take(&mut state.children) {
            if self.open.contains(&child.file) {
                self.refused(&child.at, "this Helmfile includes itself");
            } else if self.open.len() <= MAX_DEPTH {
                let values = child.values.map(|it| self.layers(file, &it, &state.values));
                let nothing = Node::new(Map::default(), passed.origin.clone());
                self.state(child.file, &values.unwrap_or(nothing));
            }
        }
        self.open.pop();
    }

    /// Reads the parts of `file`, a base or not, each with the values that the parts before it give.
    fn collect(&mut self, file: FileId, passed: &Node, state: &mut State, is_base: bool) {
        let Some(left) = self.left.checked_sub(1) else { return };
        self.left = left;
        self.read.insert(file);
        let count = match parts(self.context, file, None) {
            Ok(parts) => parts.len(),
            Err(why) => return self.unread(file, &why),
        };
        for index in 0..count {
            let params = self.params(&state.values);
            let part = match parts(self.context, file, Some(&params)) {
                Ok(parts) => parts.into_iter().nth(index),
                Err(why) => return self.unread(file, &why),
            };
            let Some(part) = part else { continue };
            match part.get("bases").filter(|it| is_base && !it.items().is_empty()) {
                // `ParseAndLoad` of `pkg/state/create.go`.
                Some(bases) => self.refused(&bases.origin, "a base has no bases of its own"),
                None => {
                    for base in bases(self.context, file, &part) {
                        self.collect(base, passed, state, true);
                    }
                }
            }
            self.environment_values(file, &part, state);
            // What an including file passes beats what the file itself says.
            state.values = helm::merge(&state.values, passed);
            for item in part.items_at("repositories") {
                if let (Some(name), Some(url)) = (item.str_at("name"), item.get("url")) {
                    let oci = item.is_true_at("oci").then(|| url.as_str()).flatten();
                    let oci = oci.map(|it| Node::new(format!("oci://{it}"), url.origin.clone()));
                    let url = oci.unwrap_or_else(|| url.clone());
                    state.repositories.insert(name.to_owned(), url);
                }
            }
            if let Some(templates) = part.get("templates") {
                state.templates = Some(match &state.templates {
                    Some(old) => helm::merge(old, templates),
                    None => templates.clone(),
                });
            }
            state.releases.extend(part.items_at("releases").iter().map(|it| (file, it.clone())));
            state.children.extend(children(self.context, file, &part));
        }
    }

    /// Root `values`, then those of the environment.
    fn environment_values(&mut self, file: FileId, part: &Node, state: &mut State) {
        let entry = part.get("environments").and_then(|it| it.as_map()?.entry(&self.name));
        let own = entry.map(|it| &it.value);
        if let Some(entry) = entry
            && self.environment.entry.origin.written_at().is_none()
        {
            let at = entry.key.map_or_else(|| entry.value.origin.clone(), Origin::written);
            self.environment.entry.origin = at;
        }
        let lists = [part.get("values"), own.and_then(|it| it.get("values"))];
        for list in lists.into_iter().flatten() {
            let layer = self.layers(file, list, &state.values);
            state.values = helm::merge(&state.values, &layer);
        }
        let why = "the environment's values may come from encrypted files";
        install::hide(&mut state.values, own.and_then(|it| it.get("secrets")), why);
    }

    /// What expressions may refer to.
    fn params(&self, values: &Node) -> Node {
        let name = Node::new(Scalar::string(&*self.name), self.environment.entry.origin.clone());
        let environment = [("Name", name), ("Values", values.clone())];
        let params = [
            ("Values", values.clone()),
            ("StateValues", values.clone()),
            ("Environment", Node::new(environment, values.origin.clone())),
        ];
        Node::new(params, values.origin.clone())
    }

    /// Says, once, that Helmfile ends with an error at `at`.
    fn refused(&mut self, at: &Origin, why: &str) {
        let problem = Problem::refused(at, why);
        if !self.environment.problems.contains(&problem) {
            self.environment.problems.push(problem);
        }
    }

    /// Notes that nothing of `file` is read.
    fn unread(&mut self, file: FileId, why: &str) {
        let problem = Problem::unresolved(&Origin::start_of(file), why);
        self.environment.problems.push(problem.hiding_objects());
    }

    fn unresolved(&mut self, at: &Origin, why: &str) {
        self.environment.problems.push(Problem::unresolved(at, why));
    }
}
