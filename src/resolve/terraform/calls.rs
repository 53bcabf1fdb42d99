//! Modules as their callers have them: other modules, Terragrunt, and whoever runs Terraform with a
//! file of variables.

use std::collections::BTreeMap;

use hcl_edit::{
    Span as _,
    expr::{Expression, ObjectKey},
    structure::{Block, Body},
};

use super::{
    arguments::Arguments,
    evaluate::{TerraformScope, Work},
    module::{BlockPlace, Module},
    terragrunt::{self, TerragruntUnit},
};
use crate::{
    resolve::{environment::UNNAMED, install::Caller, names::environment_dir},
    source::{FileId, Sources, Span},
    tree::{Node, Reason},
};

/// How deep modules may call modules.
const MAX_DEPTH: usize = 8;

/// How many root modules may have one module.
pub(super) const MAX_INSTANCES: usize = 500;

/// The code of a repository.
#[derive(Debug)]
pub(super) struct Code {
    /// The modules, by their directories.
    pub(super) modules: BTreeMap<String, Module>,
    /// What Terragrunt calls modules with.
    pub(super) units: Vec<TerragruntUnit>,
    /// The directories of modules, and the blocks that call them there, by what these call.
    callers: BTreeMap<String, Vec<(String, BlockPlace)>>,
}

/// A module as one root module has it.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    /// The directory of the root module.
    pub(super) root: String,
    /// The name of the environment of what is in none of a provider's aliases.
    pub(super) name: String,
    pub(super) arguments: Arguments,
    /// The root module's providers, by what they are called in this module: `helm`, `helm.blue`.
    pub(super) providers: BTreeMap<String, String>,
    /// Why nobody can tell whether there is such a module, if so.
    pub(super) perhaps: Option<Reason>,
}

impl Code {
    /// `modules`, and what calls them.
    pub(super) fn new(sources: &Sources, modules: BTreeMap<String, Module>) -> Self {
        let mut callers: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for caller in modules.values() {
            for (place, called) in caller.calls() {
                callers.entry(called).or_default().push((caller.dir.clone(), place));
            }
        }
        Self { modules, units: terragrunt::units(sources), callers }
    }

    /// The modules and their blocks that call the one in `dir`.
    pub(super) fn callers(&self, dir: &str) -> impl Iterator<Item = (&Module, FileId, &Block)> {
        let all = self.callers.get(dir).into_iter().flatten();
        all.filter_map(|(caller, place)| {
            let caller = self.modules.get(caller)?;
            let (file, block) = caller.block(*place)?;
            Some((caller, file, block))
        })
    }

    /// Whether anything calls `module`.
    pub(super) fn is_called(&self, module: &Module) -> bool {
        self.units.iter().any(|it| it.called.as_ref() == Some(&module.dir))
            || self.callers.contains_key(&module.dir)
    }

    /// A module as each of its callers has it, or as a root.
    pub(super) fn instances(
        &self,
        sources: &Sources,
        module: &Module,
        depth: usize,
        work: &Work,
    ) -> Vec<Instance> {
        let units = self.units.iter().filter(|it| it.called.as_ref() == Some(&module.dir));
        let mut all: Vec<Instance> = units.map(|it| it.instance(sources, work)).collect();
        let mut called = !all.is_empty();
        for (caller, file, block) in self.callers(&module.dir).filter(|_| depth < MAX_DEPTH) {
            called = true;
            for instance in self.instances(sources, caller, depth + 1, work) {
                all.extend(instance.calls(sources, caller, file, block, work));
            }
            all.truncate(MAX_INSTANCES);
        }
        if called { all } else { module.roots(sources) }
    }
}

impl Module {
    /// This module as whoever runs Terraform in its directory has it: once for each file of variables
    /// that is an environment's.
    fn roots(&self, sources: &Sources) -> Vec<Instance> {
        let given = self.variables(sources);
        let root = |variant: &str, given: BTreeMap<String, Node>| Instance {
            root: self.dir.clone(),
            name: named(&self.dir, variant),
            arguments: Arguments::new(given, false),
            providers: BTreeMap::new(),
            perhaps: None,
        };
        let variant = |(variant, its): (String, BTreeMap<String, Node>)| {
            root(&variant, given.clone().into_iter().chain(its).collect())
        };
        let mut all: Vec<Instance> = self.variants(sources).into_iter().map(variant).collect();
        if all.is_empty() {
            all.push(root("", given));
        }
        all
    }
}

/// What the environment of the root module in `dir` is called, one of several if it has a `variant`.
fn named(dir: &str, variant: &str) -> String {
    match (dir, variant) {
        (_, "") => environment_dir(dir),
        ("", _) => variant.to_owned(),
        _ => format!("{}/{variant}", environment_dir(dir)),
    }
}

impl Instance {
    /// Its root module, as the one that makes `environment`.
    pub(super) fn caller(&self, environment: &str) -> Caller {
        Caller { environment: environment.to_owned(), dir: self.root.clone() }
    }

    /// The modules that `block` of this module, `caller`, calls.
    fn calls(
        &self,
        sources: &Sources,
        caller: &Module,
        file: FileId,
        block: &Block,
        work: &Work,
    ) -> Vec<Self> {
        let scope = TerraformScope::new(sources, caller, &self.root, &self.arguments, work);
        let repeated = scope.instances(file, &block.body).into_iter();
        let calls = repeated.map(|(names, perhaps)| {
            let body = scope.with(names, |scope| scope.block(file, block));
            let given = body.entries().map(|(name, it)| (name.to_owned(), it.value.clone()));
            Self {
                root: self.root.clone(),
                name: self.name.clone(),
                arguments: Arguments::new(given.collect(), true),
                providers: self.passed(sources, file, block),
                perhaps: perhaps.or_else(|| self.perhaps.clone()),
            }
        });
        calls.collect()
    }

    /// The providers of a module that this one calls.
    fn passed(&self, sources: &Sources, file: FileId, block: &Block) -> BTreeMap<String, String> {
        let passed = block.body.get_attribute("providers").map(|it| &it.value);
        let Some(Expression::Object(object)) = passed else { return self.providers.clone() };
        let text = |it: &Expression| {
            let span = it.span().map(|it| Span::new(file, it));
            span.map_or("", |it| sources.slice(it)).trim().to_owned()
        };
        let entries = object.iter().map(|(key, value)| {
            let inner = match key {
                ObjectKey::Ident(it) => it.as_str().to_owned(),
                ObjectKey::Expression(it) => text(it),
            };
            let outer = text(value.expr());
            let outer = self.providers.get(&outer).cloned().unwrap_or(outer);
            (inner, outer)
        });
        entries.collect()
    }

    /// The environment that a block of this module installs in: each of a provider's aliases is for
    /// another cluster.
    pub(super) fn environment(&self, sources: &Sources, file: FileId, body: &Body) -> String {
        let named = body.get_attribute("provider").and_then(|it| it.value.span());
        let named = named.map_or("helm", |it| sources.slice(Span::new(file, it)).trim());
        let outer = self.providers.get(named).map_or(named, String::as_str);
        match outer.split_once('.') {
            None => self.name.clone(),
            Some((_, alias)) if self.name == UNNAMED => alias.to_owned(),
            Some((_, alias)) => format!("{}/{alias}", self.name),
        }
    }
}
