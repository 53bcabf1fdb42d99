//! `helm_release` of Terraform and OpenTofu, as far as values are written literally.
//!
//! A root module is an environment. What a variable of a root module holds is decided outside of
//! the code (`-var`, `TF_VAR_…`, variable files), so it is unknown; a child module has what its
//! caller passes. What is computed is unknown, but for the operators and functions of `operators`.

mod code;
mod elsewhere;
pub(crate) mod evaluate;
mod operators;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

pub(crate) use code::parse;
use hcl_edit::{
    Span as _,
    expr::Expression,
    structure::{Block, Body},
};

use crate::{
    problem::{Problem, ProblemKind},
    resolve::{
        context::Context,
        environment::{EntryKind, Environment, Release, Unit},
        helm,
        install::{self, Discovery},
        layout::Layout,
        names::environment_dir,
        terraform::evaluate::{TerraformScope, written},
    },
    scalar::Scalar,
    source::{self, FileId, Relevance, Sources},
    tree::{Kind, Map, Node, Origin, Reason},
};

/// How deep modules may call modules.
const MAX_DEPTH: usize = 8;

/// How many root modules may have one module.
const MAX_INSTANCES: usize = 500;

/// One directory of `.tf` files.
#[derive(Debug)]
pub(crate) struct Module {
    dir: String,
    pub(crate) files: Vec<(FileId, Body)>,
    problems: Vec<Problem>,
}

/// A module as one root module has it.
struct Instance {
    root: String,
    /// What the caller passes; `None` for a root module.
    arguments: Option<BTreeMap<String, Node>>,
}

/// The environments of root modules that install charts which concern us.
pub(crate) fn environments(context: &Context<'_>, layout: &Layout<'_>) -> Discovery {
    let mut found = Discovery::default();
    let dirs = |least: Relevance| -> BTreeSet<&str> {
        let code = context.sources.iter().filter(|(file, it)| {
            it.relevance >= least && is_code(&it.path) && !layout.is_excluded(*file)
        });
        code.map(|(_, it)| source::parent(&it.path)).collect()
    };
    // What installs any charts need not name ours: a list does.
    let mut lists: BTreeMap<String, Problem> = BTreeMap::new();
    let all = modules(context, dirs(Relevance::Plumbing));
    for module in all.values() {
        let listed = module.listed(context.sources, &all);
        lists.extend(listed.map(|it| (module.dir.clone(), it)));
    }
    let mut subjects = dirs(Relevance::Subject);
    subjects.extend(lists.keys().map(|it| &**it));
    let modules = modules(context, subjects);
    let mut environments: BTreeMap<String, Environment> = BTreeMap::new();
    for module in modules.values() {
        let mut installs: Vec<(FileId, &Block)> = module.blocks("resource").collect();
        installs.retain(|(_, block)| label(block, 0) == Some("helm_release"));
        let mut problems = module.elsewhere(context.sources);
        problems.extend(module.problems.iter().cloned());
        if installs.is_empty() && problems.is_empty() {
            continue;
        }
        found.reached.files.extend(module.files.iter().map(|(file, _)| *file));
        for instance in instances(context, &modules, module, 0, &mut found.reached.files) {
            let work = Cell::new(evaluate::MAX_WORK);
            let scope = TerraformScope {
                sources: context.sources,
                module,
                root: &instance.root,
                arguments: instance.arguments.as_ref(),
                work: &work,
                as_written: false,
            };
            for (file, block) in &installs {
                let chart = block.body.get_attribute("chart");
                if chart.is_some_and(|it| scope.value(*file, &it.value, 0).unknown().is_some()) {
                    problems.extend(lists.remove(&module.dir));
                }
                let Some((release, problems)) = release(&scope, *file, block, &mut found) else {
                    continue;
                };
                let environment = environment(&mut environments, &instance.root, &release.anchor);
                let start = environment.begin();
                let unit = Unit::of("helm_release", &release.namespace, &release.name).release();
                environment.problems.extend(problems);
                environment.install(context, release);
                environment.end(start, unit);
            }
            if let Some(first) = problems.first() {
                let environment = environment(&mut environments, &instance.root, &first.at);
                environment.problems.extend(problems.iter().cloned());
            }
            // The code may say more of the cluster than what it installs.
            if let Some(environment) = environments.get_mut(&instance.root) {
                environment.files.extend(module.files.iter().map(|(file, _)| *file));
                environment.files.sort();
                environment.files.dedup();
            }
        }
    }
    for (file, problem) in elsewhere::inputs(context.sources) {
        if !layout.is_excluded(file) {
            let root = source::parent(&context.sources[file].path);
            environment(&mut environments, root, &problem.at).problems.push(problem);
        }
    }
    found.environments.extend(environments.into_values());
    found
}

/// The modules in `dirs`, and those of the repository that they call: one that installs any chart
/// need not name ours.
fn modules(context: &Context<'_>, dirs: BTreeSet<&str>) -> BTreeMap<String, Module> {
    let mut open: Vec<String> = dirs.into_iter().map(ToOwned::to_owned).collect();
    let mut modules = BTreeMap::new();
    while let Some(dir) = open.pop() {
        if modules.contains_key(&dir) {
            continue;
        }
        let module = Module::new(context.sources, &dir);
        open.extend(module.blocks("module").filter_map(|(_, block)| module.called(block)));
        modules.insert(dir, module);
    }
    modules
}

fn environment<'e>(
    environments: &'e mut BTreeMap<String, Environment>,
    root: &str,
    origin: &Origin,
) -> &'e mut Environment {
    let name = environment_dir(root);
    environments
        .entry(root.to_owned())
        .or_insert_with(|| Environment::new(name, EntryKind::Other, origin.clone()))
}

/// A module as each of its callers has it, or as a root.
fn instances(
    context: &Context<'_>,
    modules: &BTreeMap<String, Module>,
    module: &Module,
    depth: usize,
    read: &mut BTreeSet<FileId>,
) -> Vec<Instance> {
    let mut all = Vec::new();
    let work = Cell::new(evaluate::MAX_WORK);
    for caller in modules.values() {
        for (file, block) in caller.blocks("module") {
            if caller.called(block).as_deref() != Some(&module.dir)
                || depth >= MAX_DEPTH
                || all.len() >= MAX_INSTANCES
            {
                continue;
            }
            for instance in instances(context, modules, caller, depth + 1, read) {
                let scope = TerraformScope {
                    sources: context.sources,
                    module: caller,
                    root: &instance.root,
                    arguments: instance.arguments.as_ref(),
                    work: &work,
                    as_written: false,
                };
                let passed = block
                    .body
                    .attributes()
                    .map(|it| (it.key.as_str().to_owned(), scope.passed(file, &it.value, read)));
                let arguments = passed.collect();
                all.push(Instance { root: instance.root.clone(), arguments: Some(arguments) });
            }
        }
    }
    if all.is_empty() {
        all.push(Instance { root: module.dir.clone(), arguments: None });
    }
    all
}

impl Module {
    /// The code in `dir`.
    pub(crate) fn new(sources: &Sources, dir: &str) -> Self {
        let mut module = Self { dir: dir.to_owned(), files: Vec::new(), problems: Vec::new() };
        for file in sources.below(dir) {
            let path = &sources[file].path;
            if source::parent(path) != dir || !is_code(path) {
                continue;
            }
            match parse(sources.text(file)) {
                Ok(body) => module.files.push((file, body)),
                Err(error) => {
                    let at = error.location().offset();
                    let at = written(file, Some(at..at));
                    let message = format!("it is not HCL: {}", error.message());
                    module.problems.push(Problem::new(ProblemKind::Syntax, &at, message));
                }
            }
        }
        module
    }

    fn blocks<'m>(&'m self, ident: &'m str) -> impl Iterator<Item = (FileId, &'m Block)> {
        self.files
            .iter()
            .flat_map(move |(file, body)| body.get_blocks(ident).map(move |it| (*file, it)))
    }

    /// The directory of the module that `block` calls, if it is one of this repository.
    fn called(&self, block: &Block) -> Option<String> {
        let path = block.body.get_attribute("source")?.value.as_str()?;
        source::join(&self.dir, Some(path).filter(|it| it.starts_with('.'))?)
    }

    /// The expression of `local.name`.
    fn local(&self, name: &str) -> Option<(FileId, &Expression)> {
        self.blocks("locals")
            .find_map(|(file, block)| Some((file, &block.body.get_attribute(name)?.value)))
    }

    /// The default of `var.name`.
    fn default(&self, name: &str) -> Option<(FileId, &Expression)> {
        let (file, block) = self.blocks("variable").find(|(_, it)| label(it, 0) == Some(name))?;
        Some((file, &block.body.get_attribute("default")?.value))
    }
}

fn is_code(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extension == "tf")
}

pub(crate) fn label(block: &Block, index: usize) -> Option<&str> {
    block.labels.get(index).map(hcl_edit::structure::BlockLabel::as_str)
}

/// The release of a `helm_release` resource; `None` when it certainly installs nothing.
fn release(
    scope: &TerraformScope<'_>,
    file: FileId,
    block: &Block,
    found: &mut Discovery,
) -> Option<(Release, Vec<Problem>)> {
    let get = |name: &str| block.body.get_attribute(name).map(|it| scope.value(file, &it.value, 0));
    let text = |node: &Option<Node>| node.as_ref().and_then(Node::as_str).map(ToOwned::to_owned);
    let count = get("count");
    if count.as_ref().and_then(Node::as_int) == Some(0) {
        return None;
    }
    let (name, chart, repository) = (get("name"), get("chart"), get("repository"));
    let at = written(file, block.ident.span());
    let chart_node = chart.unwrap_or_else(|| Node::unknown_value("no chart is named", &at));
    let chart = chart_node.as_str().unwrap_or_default();
    let directory = match scope.path(chart) {
        Some(dir) if is_path(chart) => Some(dir),
        _ => None,
    };
    let version = get("version").filter(|it| !it.is_null() && it.as_str() != Some(""));
    let mut problems = Vec::new();
    let values = values(scope, file, &block.body, &at, &mut problems, found);
    let mut release = install::ChartReference {
        name: chart,
        repository: repository.as_ref(),
        directory: directory.as_deref(),
        version,
    }
    .release(
        "terraform",
        text(&name).unwrap_or_else(|| label(block, 1).unwrap_or_default().to_owned()),
        &text(&get("namespace")).unwrap_or_default(),
        values,
        &chart_node.origin,
    );
    // Whether it is installed at all is decided elsewhere.
    release.suspended = count.is_some_and(|it| it.as_int().is_none())
        || block.body.get_attribute("for_each").is_some();
    Some((release, problems))
}

/// Whether a chart is a directory of the repository: the provider says so of what starts with `.`.
fn is_path(chart: &str) -> bool {
    chart.starts_with('.') || chart.starts_with(evaluate::MODULE)
}

/// `values` in order, then `set`, `set_list` and `set_sensitive`, blocks or lists.
fn values(
    scope: &TerraformScope<'_>,
    file: FileId,
    body: &Body,
    at: &Origin,
    problems: &mut Vec<Problem>,
    found: &mut Discovery,
) -> Node {
    let mut values = Node::new(Map::default(), at.clone());
    if let Some(attribute) = body.get_attribute("values") {
        match scope.layers(file, &attribute.value, 0, &mut found.reached.files) {
            Ok(layers) => {
                for layer in layers {
                    if let Some(why) = layer.unknown() {
                        problems.push(Problem::unresolved(&layer.origin, &**why));
                    }
                    values = helm::merge(&values, &layer);
                }
            }
            Err(why) => {
                let at = written(file, attribute.value.span());
                problems.push(Problem::unresolved(&at, &*why));
                values = Node::unknown_value(why, &at);
            }
        }
    }
    for kind in ["set", "set_list", "set_sensitive"] {
        for setting in settings(scope, file, body, kind) {
            problems.extend(setting.apply(&mut values).err());
        }
    }
    values
}

/// One entry of `set`.
struct Setting {
    name: Node,
    value: Node,
    kind: Node,
}

/// The entries of `kind`: a block each, or a list of objects.
fn settings(scope: &TerraformScope<'_>, file: FileId, body: &Body, kind: &str) -> Vec<Setting> {
    let mut entries: Vec<Node> =
        body.get_blocks(kind).map(|block| scope.block(file, block)).collect();
    if let Some(attribute) = body.get_attribute(kind) {
        let list = scope.value(file, &attribute.value, 0);
        entries.extend_from_slice(list.items());
        entries.extend(list.unknown().map(|_| list.clone()));
    }
    let mut all: Vec<Setting> = entries.iter().map(Setting::new).collect();
    // A dynamic block may or may not set what it names.
    for block in body.get_blocks("dynamic").filter(|it| label(it, 0) == Some(kind)) {
        let at = written(file, block.ident.span());
        let why = "whether it is set is decided elsewhere";
        let content = block.body.get_blocks("content").next();
        let name = content.and_then(|it| scope.block(file, it).get("name").cloned());
        all.push(Setting {
            name: name.unwrap_or_else(|| Node::unknown_value(why, &at)),
            value: Node::unknown_value(why, &at),
            kind: Node::new(Scalar::null(), at),
        });
    }
    all
}

impl Setting {
    fn new(entry: &Node) -> Self {
        let at = &entry.origin;
        // One that may be there or not.
        if let (Some(why), Some(there)) = (entry.unknown(), entry.if_there()) {
            let setting = Self::new(&there);
            return Self { value: setting.value.perhaps(why.clone(), false), ..setting };
        }
        let get = |key: &str| entry.get(key).cloned();
        let nothing = || Node::new(Scalar::null(), at.clone());
        let nameless = || Node::unknown_value("it has no name", at);
        let unknown = || entry.unknown().map(|_| entry.clone());
        Self {
            name: get("name").or_else(unknown).unwrap_or_else(nameless),
            value: get("value").unwrap_or_else(nothing),
            kind: get("type").unwrap_or_else(nothing),
        }
    }

    fn apply(&self, values: &mut Node) -> Result<(), Problem> {
        let Some(name) = self.name.as_str() else {
            // It may set anything.
            let why: Reason = "a name that is set is not known".into();
            *values = helm::merge(values, &Node::unknown_value(why, &self.name.origin));
            return Ok(());
        };
        let strings = self.kind.as_str() == Some("string");
        let value = match (&self.value.kind, self.kind.as_str()) {
            (_, Some("literal")) => Node::unknown_value("it is read as JSON", &self.value.origin),
            // `set_list`, and the text of what is no string.
            (Kind::List(items), _) => {
                let item = |it: &Node| {
                    let text = it.as_scalar().map(|it| Scalar::plain(&*it.text));
                    text.map_or_else(|| it.clone(), |text| Node::new(text, it.origin.clone()))
                };
                let texts = items.iter().map(|item| item.as_scalar().map(|it| it.text.to_string()));
                let text = match texts.collect::<Option<Vec<_>>>() {
                    Some(texts) => Kind::from(format!("{{{}}}", texts.join(","))),
                    None => items.iter().map(item).collect::<Vec<_>>().into(),
                };
                Node::new(text, self.value.origin.clone())
            }
            _ => self.value.clone(),
        };
        install::set(values, name, &value, strings)
    }
}
