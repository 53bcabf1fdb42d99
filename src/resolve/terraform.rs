//! What Terraform and OpenTofu install: `helm_release`, manifests, Applications, and modules that
//! make such, as far as their arguments are written in the code.
//!
//! A root module is an environment. What a variable of a root module holds is decided outside of
//! the code (`-var`, `TF_VAR_…`, variable files), so it is unknown unless a file says it that
//! Terraform always reads; a child module has what its caller passes. What is computed is unknown,
//! but for operators and functions.

mod addons;
pub(crate) mod arguments;
mod calls;
mod code;
mod elsewhere;
pub(crate) mod evaluate;
mod functions;
mod iterate;
mod literals;
mod module;
mod objects;
mod operators;
mod release;
mod terragrunt;
mod text;
mod variants;

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::{Span as _, structure::Block};
pub(crate) use module::{Module, head, label};

use self::{
    calls::{Code, Instance, MAX_INSTANCES},
    evaluate::{TerraformScope, Work, written},
    module::{is_code, modules},
    terragrunt::TerragruntUnit,
};
use crate::{
    problem::Problem,
    resolve::{
        bounds::Held,
        context::Context,
        environment::{EntryKind, Environment, Object, Release, Unit},
        install::{Caller, Discovery},
        layout::Layout,
        names::environment_dir,
    },
    source::{self, FileId, Relevance, Sources},
    tree::{Node, Origin, Reason},
};

/// The directories of modules that name one of these charts of the repository.
fn installing<'a, 'c>(
    sources: &'a Sources,
    layout: &Layout<'_>,
    charts: impl Iterator<Item = &'c str>,
) -> BTreeSet<&'a str> {
    let names: Vec<String> = charts.map(|it| format!("/{}\"", source::file_name(it))).collect();
    if names.is_empty() {
        return BTreeSet::new();
    }
    let code =
        code_in(sources, layout).filter(|(_, it)| sources[*it].relevance == Relevance::Plumbing);
    let names = |file: FileId| names.iter().any(|it| sources.text(file).contains(&**it));
    code.filter(|(_, file)| names(*file)).map(|(path, _)| source::parent(path)).collect()
}

/// The files of code, by every path that Terraform, which follows symbolic links, may come to them.
fn code_in<'a>(
    sources: &'a Sources,
    layout: &Layout<'_>,
) -> impl Iterator<Item = (&'a str, FileId)> {
    let own = sources.iter().map(|(file, it)| (it.path.as_str(), file));
    let all = own.chain(sources.linked_files());
    all.filter(|(path, file)| is_code(path) && !layout.is_excluded(*file))
}

/// The directories of code that is there for others: all of it lies, by symbolic links, in another
/// directory that has code of its own.
fn lent(sources: &Sources) -> BTreeSet<&str> {
    let mut borrowers: BTreeMap<FileId, BTreeSet<&str>> = BTreeMap::new();
    for (path, file) in sources.linked_files().filter(|(path, _)| is_code(path)) {
        borrowers.entry(file).or_default().insert(source::parent(path));
    }
    let is_own = |path: &str, file: FileId| is_code(path) && sources[file].path == path;
    let has_own = |dir: &str| sources.seen_in(dir).iter().any(|(path, it)| is_own(path, *it));
    let is_lent = |dir: &str| {
        let mut own = sources.seen_in(dir).into_iter().filter(|(path, it)| is_own(path, *it));
        let by = |(_, file): (String, FileId)| borrowers.get(&file).cloned().unwrap_or_default();
        let first = own.next().map(by).unwrap_or_default();
        let all = own.map(by).fold(first, |all, it| &all & &it);
        all.into_iter().any(|it| it != dir && has_own(it))
    };
    let dirs: BTreeSet<&str> =
        borrowers.keys().map(|it| source::parent(&sources[*it].path)).collect();
    dirs.into_iter().filter(|it| is_lent(it)).collect()
}

/// The environments of root modules that install charts which concern us.
pub(crate) fn environments(context: &Context<'_>, layout: &Layout<'_>) -> Discovery {
    let dirs = |least: Relevance| -> BTreeSet<&str> {
        let code = code_in(context.sources, layout);
        let code = code.filter(|(_, it)| context.sources[*it].relevance >= least);
        code.map(|(path, _)| source::parent(path)).collect()
    };
    // What installs any charts need not name ours: a list does.
    let mut lists: BTreeMap<String, Problem> = BTreeMap::new();
    // What calls a module need not name our subject.
    let code = Code::new(context.sources, modules(context.sources, dirs(Relevance::Plumbing)));
    for module in code.modules.values() {
        let listed = module.listed(context.sources, &code);
        lists.extend(listed.map(|it| (module.dir.clone(), it)));
    }
    let mut subjects = dirs(Relevance::Subject);
    subjects.extend(lists.keys().map(|it| &**it));
    subjects.extend(installing(context.sources, layout, layout.own_charts().into_iter()));
    let subjects = modules(context.sources, subjects);
    // What these charts deploy decides whether they concern us.
    let charts = layout.deploying_charts().iter().map(String::as_str);
    let charts = charts.chain(layout.scaling_charts());
    let deploying = installing(context.sources, layout, charts);
    let mut deploying = modules(context.sources, deploying);
    deploying.retain(|dir, _| !subjects.contains_key(dir));
    let mut roots = Roots {
        context,
        lists,
        environments: BTreeMap::new(),
        aliased: BTreeMap::new(),
        found: Discovery::default(),
        held: Held::default(),
    };
    let lent = lent(context.sources);
    for module in subjects.values().chain(deploying.values()) {
        if !lent.contains(&*module.dir) || code.is_called(module) {
            roots.add(module, &code);
        }
    }
    for unit in code.units.iter().filter(|it| !layout.is_excluded(it.file)) {
        roots.unit(unit);
    }
    let is_read = |file| code.units.iter().any(|it| it.file == file && it.is_read(&code));
    for (file, problem) in elsewhere::inputs(context.sources, is_read) {
        if !layout.is_excluded(file) {
            let root = source::parent(&context.sources[file].path);
            let name = environment_dir(root);
            roots.environment(&name, &problem.at).problems.push(problem);
        }
    }
    let Roots { environments, aliased, mut found, .. } = roots;
    // Nobody can tell for which of the clusters that a root module connects to its code is.
    for callers in found.called.values_mut() {
        let more: Vec<_> = callers.iter().filter_map(|it| aliased.get(it)).flatten().collect();
        callers.extend(more.into_iter().cloned());
    }
    let speaks =
        |file: &FileId| !deploying.contains_key(source::parent(&context.sources[*file].path));
    let is_ours = |it: &Node| {
        let file = it.origin.written_at().map(|it| it.file);
        file.is_some_and(|it| context.sources[it].relevance == Relevance::Subject)
    };
    let values_are_ours = |it: &Release| it.values.walk().any(is_ours);
    let is_about_it = |it: &Environment| {
        it.files.is_empty()
            || it.files.iter().any(speaks)
            || it.releases.iter().any(values_are_ours)
    };
    found.environments.extend(environments.into_values().map(|mut it| {
        it.aside = !is_about_it(&it);
        it
    }));
    found
}

/// The environments that are found, by their names.
struct Roots<'a> {
    context: &'a Context<'a>,
    /// What modules may install of our concern from lists, by their directories.
    lists: BTreeMap<String, Problem>,
    environments: BTreeMap<String, Environment>,
    /// Root modules, and what they are in the environments of providers' aliases.
    aliased: BTreeMap<Caller, BTreeSet<Caller>>,
    found: Discovery,
    held: Held,
}

/// A block that installs something.
struct Installing<'m> {
    file: FileId,
    block: &'m Block,
}

/// What is made of a block in one instance of its module.
struct Made {
    /// The name of its environment.
    environment: String,
    body: Node,
    /// Why nobody can tell whether it is installed at all, if so.
    perhaps: Option<Reason>,
}

impl Roots<'_> {
    fn environment(&mut self, name: &str, origin: &Origin) -> &mut Environment {
        let made = || Environment::new(name, EntryKind::Other, origin.clone());
        self.environments.entry(name.to_owned()).or_insert_with(made)
    }

    /// Adds what `module` installs wherever it is called.
    fn add(&mut self, module: &Module, code: &Code) {
        let sources = self.context.sources;
        let kinds = ["resource", "data", "module"];
        let blocks = kinds.into_iter().flat_map(|it| module.blocks(it));
        let all = blocks.map(|(file, block)| Installing { file, block });
        let all: Vec<Installing<'_>> = all.filter(Installing::is_read).collect();
        let work = Work::default();
        let instances = code.instances(sources, module, 0, &work);
        let callers = instances.iter().map(|it| it.caller(&it.name));
        self.found.called.entry(module.dir.clone()).or_default().extend(callers);
        // What nothing makes an instance of defines nothing either.
        if instances.is_empty() {
            self.found.reached.files.extend(module.files.iter().map(|(file, _)| *file));
            return;
        }
        let mut problems = module.problems.clone();
        if let (true, Some((file, _))) = (instances.len() >= MAX_INSTANCES, module.files.first()) {
            let why = format!("only the first {MAX_INSTANCES} uses of this module are looked at");
            problems.push(Problem::unresolved(&Origin::start_of(*file), why).hiding_all());
        }
        // The objects that were understood, by where the names of their blocks are.
        let mut understood: BTreeSet<(FileId, usize)> = BTreeSet::new();
        let mut names: BTreeSet<String> = BTreeSet::new();
        for instance in &instances {
            let scope =
                TerraformScope::new(sources, module, &instance.root, &instance.arguments, &work);
            for it in &all {
                for made in it.made(&scope, instance) {
                    // An add-on of a cluster is read with the cluster.
                    if it.is_add_on() {
                        if made.body.get("addon_name").is_some_and(|it| it.unknown().is_some()) {
                            problems.extend(self.lists.remove(&module.dir));
                        }
                        // A cluster that has the add-on is none of another root module's.
                        if has_add_on(&made.body) {
                            self.environment(&made.environment, &made.body.origin);
                            names.insert(made.environment);
                        }
                        continue;
                    }
                    if made.environment != instance.name {
                        let alias = instance.caller(&made.environment);
                        self.aliased
                            .entry(instance.caller(&instance.name))
                            .or_default()
                            .insert(alias);
                    }
                    names.insert(made.environment.clone());
                    if it.is_object() {
                        understood.extend(self.object(&scope, &made, it).map(|()| it.start()));
                    } else {
                        if made.body.get("chart").is_some_and(|it| it.unknown().is_some()) {
                            problems.extend(self.lists.remove(&module.dir));
                        }
                        let at = written(it.file, it.block.ident.span());
                        let last = label(it.block, it.block.labels.len().saturating_sub(1));
                        self.release(&scope, &made, last.unwrap_or_default(), &at);
                    }
                }
            }
        }
        problems.extend(module.elsewhere(sources, &understood));
        self.found.reached.files.extend(work.read.take());
        let installs = |it: &Installing<'_>| !it.is_object() && !it.is_add_on();
        let is_nothing = !all.iter().any(installs) && understood.is_empty();
        if is_nothing && names.is_empty() && problems.is_empty() {
            return;
        }
        for instance in &instances {
            if let Some(first) = problems.first() {
                let environment = self.environment(&instance.name, &first.at);
                environment.problems.extend(problems.iter().cloned());
                names.insert(instance.name.clone());
            }
        }
        // What is of no concern makes no environment: what else the code says is not read then.
        names.retain(|it| self.environments.contains_key(it));
        if names.is_empty() {
            return;
        }
        // The code may say more of the cluster than what it installs.
        for (_, environment) in self.environments.iter_mut().filter(|(it, _)| names.contains(*it)) {
            environment.files.extend(module.files.iter().map(|(file, _)| *file));
            environment.files.sort();
            environment.files.dedup();
        }
        self.found.reached.files.extend(module.files.iter().map(|(file, _)| *file));
    }

    /// Adds what a known module from elsewhere installs that Terragrunt calls.
    fn unit(&mut self, unit: &TerragruntUnit) {
        let source =
            unit.source.as_str().filter(|it| unit.called.is_none() && addons::is_known(it));
        let Some(source) = source else { return };
        let work = Work::default();
        let instance = unit.instance(self.context.sources, &work);
        let body = unit.arguments(&instance);
        let Some((body, perhaps)) = addons::release(source, &body) else { return };
        let (module, root) = (unit.module(), &instance.root);
        let scope =
            TerraformScope::new(self.context.sources, module, root, &instance.arguments, &work);
        let made = Made { environment: instance.name.clone(), body, perhaps };
        self.release(&scope, &made, "metrics-server", &unit.source.origin);
        self.found.reached.files.extend(work.read.take());
    }

    fn release(&mut self, scope: &TerraformScope<'_>, made: &Made, otherwise: &str, at: &Origin) {
        if self.held.is_full() {
            self.environment(&made.environment, at).problems.push(Held::problem(at));
            return;
        }
        let (mut release, problems) = release::release(scope, &made.body, otherwise, at);
        // Whether it is installed at all is decided elsewhere.
        release.suspended = made.perhaps.is_some();
        let context = self.context;
        let environment = self.environment(&made.environment, &release.anchor);
        let start = environment.begin();
        let unit = Unit::of("helm_release", &release.namespace, &release.name).release();
        environment.problems.extend(problems);
        environment.install(context, release);
        environment.end(start, unit);
        if let Some(environment) = self.environments.get(&made.environment) {
            self.held.add_since(environment, start);
        }
    }

    /// Adds the objects that a block applies, if they may concern us; nothing where nobody can tell
    /// which.
    fn object(
        &mut self,
        scope: &TerraformScope<'_>,
        made: &Made,
        it: &Installing<'_>,
    ) -> Option<()> {
        let (nodes, problem) = objects::objects(scope, label(it.block, 0)?, &made.body)?;
        for node in nodes {
            let object = Object { suspended: made.perhaps.is_some(), ..Object::new(node) };
            if objects::concerns(&object) {
                let anchor = object.anchor();
                self.environment(&made.environment, &anchor).objects.push(object);
            }
        }
        if let Some(problem) = problem {
            self.environment(&made.environment, &problem.at).problems.push(problem);
        }
        Some(())
    }
}

/// Whether an add-on of EKS, or a module with some, is metrics-server's.
fn has_add_on(body: &Node) -> bool {
    let add_ons = ["addons", "cluster_addons"].iter().filter_map(|it| body.get(it));
    body.str_at("addon_name") == Some("metrics-server")
        || add_ons.into_iter().any(|it| it.get("metrics-server").is_some())
}

impl Installing<'_> {
    /// Where the module is from, if it is one.
    fn source(&self) -> Option<&str> {
        let source = self.block.body.get_attribute("source")?.value.as_str();
        source.filter(|_| self.block.ident.as_str() == "module")
    }

    /// Whether it is an object, not a release of a chart.
    fn is_object(&self) -> bool {
        label(self.block, 0).is_some_and(objects::is_read) && self.source().is_none()
    }

    fn is_read(&self) -> bool {
        match self.block.ident.as_str() {
            "module" => self.source().is_some_and(addons::is_known) || self.is_add_on(),
            _ => {
                let release = label(self.block, 0) == Some("helm_release");
                release || self.is_object() || self.is_add_on()
            }
        }
    }

    /// Whether it is an add-on of EKS, or a module that has them.
    fn is_add_on(&self) -> bool {
        match self.source() {
            Some(source) => source.contains("terraform-aws-modules/eks/aws"),
            None => label(self.block, 0) == Some("aws_eks_addon"),
        }
    }

    fn start(&self) -> (FileId, usize) {
        (self.file, self.block.ident.span().unwrap_or_default().start)
    }

    /// What it comes to in `instance` of its module: as many as it is repeated.
    fn made(&self, scope: &TerraformScope<'_>, instance: &Instance) -> Vec<Made> {
        let environment = instance.environment(scope.sources, self.file, &self.block.body);
        let repeated = scope.instances(self.file, &self.block.body).into_iter();
        let made = repeated.filter_map(|(names, perhaps)| {
            let body = scope.with(names, |scope| scope.identified(self.file, self.block));
            let (body, why) = match self.source() {
                Some(source) if !self.is_add_on() => addons::release(source, &body)?,
                _ => (body, None),
            };
            let perhaps = perhaps.or(why).or_else(|| instance.perhaps.clone());
            Some(Made { environment: environment.clone(), body, perhaps })
        });
        made.collect()
    }
}
