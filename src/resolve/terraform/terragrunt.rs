//! `terragrunt.hcl`: the modules that Terragrunt calls, and what it passes to them.

use std::collections::BTreeMap;

use super::{
    addons,
    arguments::Arguments,
    calls::{Code, Instance},
    code,
    evaluate::{TerraformScope, Work, written},
    module::Module,
};
use crate::{
    resolve::names::{environment_dir, environment_of},
    source::{self, FileId, Sources},
    tree::{Entry, Map, Node, Origin},
};

/// A `terragrunt.hcl` that calls a module.
#[derive(Debug)]
pub(super) struct TerragruntUnit {
    pub(super) file: FileId,
    /// The file, as the only one of a module.
    module: Module,
    /// Where the module that it calls is from.
    pub(super) source: Node,
    /// The directory of the module that it calls, if that is one of the repository.
    pub(super) called: Option<String>,
}

/// Those of the repository.
pub(super) fn units(sources: &Sources) -> Vec<TerragruntUnit> {
    let files = sources.iter().filter(|(_, it)| source::extension(&it.path) == "hcl");
    files.filter_map(|(file, _)| TerragruntUnit::new(sources, file)).collect()
}

impl TerragruntUnit {
    fn new(sources: &Sources, file: FileId) -> Option<Self> {
        let dir = source::parent(&sources[file].path);
        let body = code::of_file(sources, file).ok()?;
        let block = body.get_blocks("terraform").next()?;
        let attribute = &block.body.get_attribute("source")?.value;
        let text = attribute.as_str()?;
        // Two slashes stand before what is in a copy of all that is above.
        let path = text.split('?').next().unwrap_or_default().replace("//", "/");
        let called = Some(&*path).filter(|it| it.starts_with('.'));
        let called = called.and_then(|it| source::join(dir, it));
        let source = Node::new(text, written(file, hcl_edit::Span::span(attribute)));
        let files = vec![(file, body)];
        let module = Module::of(dir, files, Vec::new());
        Some(Self { file, module, source, called })
    }

    /// Whether what it passes is understood.
    pub(super) fn is_read(&self, code: &Code) -> bool {
        match &self.called {
            Some(dir) => code.modules.contains_key(dir),
            None => self.source.as_str().is_some_and(addons::is_known),
        }
    }

    /// The module that it calls as it calls it.
    pub(super) fn instance(&self, sources: &Sources, work: &Work) -> Instance {
        let (none, dir) = (Arguments::default(), &self.module.dir);
        let scope = TerraformScope::new(sources, &self.module, dir, &none, work);
        let mut given = BTreeMap::new();
        let mut defaults = true;
        for (file, body) in &self.module.files {
            // What it includes passes more.
            defaults &= body.get_blocks("include").next().is_none();
            if let Some(inputs) = body.get_attribute("inputs") {
                let inputs = scope.value(*file, &inputs.value, 0);
                defaults &= inputs.as_map().is_some_and(|it| it.open.is_none());
                let inputs = inputs.entries();
                given.extend(inputs.map(|(name, it)| (name.to_owned(), it.value.clone())));
            }
        }
        let path = format!("{dir}/terragrunt.hcl");
        Instance {
            root: dir.clone(),
            name: environment_of(&path).map_or_else(|| environment_dir(dir), ToOwned::to_owned),
            arguments: Arguments::new(given, defaults),
            providers: BTreeMap::new(),
            perhaps: None,
        }
    }

    /// The module's directory, with its one file.
    pub(super) fn module(&self) -> &Module {
        &self.module
    }

    /// What `instance` of it passes, as the arguments of a block that calls the module.
    pub(super) fn arguments(&self, instance: &Instance) -> Node {
        let mut map = Map::default();
        for (name, value) in &instance.arguments.given {
            map.insert(&**name, Entry { key: None, value: value.clone() });
        }
        if !instance.arguments.defaults {
            map.open = Some("what else is passed is not known".into());
        }
        map.set("source", self.source.clone());
        Node::new(map, Origin::start_of(self.file))
    }
}
