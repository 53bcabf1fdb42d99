//! Directories of Terraform's code: their blocks, and what their variables are given in files.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hcl_edit::{
    Span as _,
    expr::Expression,
    structure::{Attribute, Block, BlockLabel, Body},
};

use super::{
    arguments::Arguments,
    code,
    evaluate::{TerraformScope, Work, written},
};
use crate::{
    problem::{Problem, ProblemKind},
    source::{self, FileId, Sources},
    tree::Node,
};

/// One directory of `.tf` files.
#[derive(Debug)]
pub(crate) struct Module {
    pub(super) dir: String,
    pub(crate) files: Vec<(FileId, Arc<Body>)>,
    pub(super) problems: Vec<Problem>,
}

impl Module {
    /// The code in `dir`.
    pub(crate) fn new(sources: &Sources, dir: &str) -> Self {
        let mut module = Self { dir: dir.to_owned(), files: Vec::new(), problems: Vec::new() };
        for (_, file) in sources.seen_in(dir).into_iter().filter(|(path, _)| is_code(path)) {
            match code::of_file(sources, file) {
                Ok(body) => module.files.push((file, body)),
                Err(error) => {
                    let at = code::place(sources.text(file), &error);
                    let at = written(file, Some(at..at));
                    let message = format!("it is not HCL: {}", error.message());
                    module.problems.push(Problem::new(ProblemKind::Syntax, &at, message));
                }
            }
        }
        module
    }

    pub(super) fn blocks<'m>(
        &'m self,
        ident: &'m str,
    ) -> impl Iterator<Item = (FileId, &'m Block)> {
        self.files
            .iter()
            .flat_map(move |(file, body)| body.get_blocks(ident).map(move |it| (*file, it)))
    }

    /// The directory of the module that `block` calls, if it is one of this repository.
    pub(super) fn called(&self, block: &Block) -> Option<String> {
        let path = block.body.get_attribute("source")?.value.as_str()?;
        source::join(&self.dir, Some(path).filter(|it| it.starts_with('.'))?)
    }

    /// The expression of `local.name`.
    pub(super) fn local(&self, name: &str) -> Option<(FileId, &Expression)> {
        self.blocks("locals")
            .find_map(|(file, block)| Some((file, &block.body.get_attribute(name)?.value)))
    }

    /// The block of `var.name`.
    pub(super) fn variable(&self, name: &str) -> Option<(FileId, &Block)> {
        self.blocks("variable").find(|(_, it)| label(it, 0) == Some(name))
    }

    /// The default of `var.name`.
    pub(super) fn default(&self, name: &str) -> Option<(FileId, &Expression)> {
        let (file, block) = self.variable(name)?;
        Some((file, &block.body.get_attribute("default")?.value))
    }

    /// What files of variables that Terraform always reads give this module's variables.
    pub(crate) fn variables(&self, sources: &Sources) -> BTreeMap<String, Node> {
        let mut all = BTreeMap::new();
        let files = sources.seen_in(&self.dir);
        for end in ["terraform.tfvars", ".auto.tfvars"] {
            for (_, file) in files.iter().filter(|(path, _)| path.ends_with(end)) {
                all.extend(self.given_in(sources, *file));
            }
        }
        all
    }

    /// What a file of variables gives them.
    pub(super) fn given_in(&self, sources: &Sources, file: FileId) -> BTreeMap<String, Node> {
        let Ok(body) = code::of_file(sources, file) else { return BTreeMap::new() };
        let (work, arguments) = (Work::default(), Arguments::default());
        let scope = TerraformScope::new(sources, self, &self.dir, &arguments, &work);
        let value = |it: &Attribute| (it.key.as_str().to_owned(), scope.value(file, &it.value, 0));
        body.attributes().map(value).collect()
    }
}

/// The modules in `dirs`, and those of the repository that they call: one that installs any chart
/// need not name ours.
pub(super) fn modules(sources: &Sources, dirs: BTreeSet<&str>) -> BTreeMap<String, Module> {
    let mut open: Vec<String> = dirs.into_iter().map(ToOwned::to_owned).collect();
    let mut modules = BTreeMap::new();
    while let Some(dir) = open.pop() {
        if modules.contains_key(&dir) {
            continue;
        }
        let module = Module::new(sources, &dir);
        open.extend(module.blocks("module").filter_map(|(_, block)| module.called(block)));
        modules.insert(dir, module);
    }
    modules
}

pub(super) fn is_code(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extension == "tf")
}

pub(crate) fn label(block: &Block, index: usize) -> Option<&str> {
    block.labels.get(index).map(BlockLabel::as_str)
}

/// Where the type and the labels of `block` are.
pub(crate) fn head(file: FileId, block: &Block) -> crate::tree::Origin {
    let start = block.ident.span().unwrap_or_default();
    let end = block.labels.last().and_then(hcl_edit::Span::span).map_or(start.end, |it| it.end);
    written(file, Some(start.start..end))
}
