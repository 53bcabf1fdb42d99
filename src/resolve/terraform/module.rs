//! Directories of Terraform's code: their blocks, and what their variables are given in files.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hcl_edit::{
    Span as _,
    expr::Expression,
    structure::{Attribute, Block, BlockLabel, Body, Structure},
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
    /// Where the blocks of each type are, in the order of the files.
    blocks: BTreeMap<String, Vec<BlockPlace>>,
    variables: BTreeMap<String, BlockPlace>,
    /// The blocks that have these.
    locals: BTreeMap<String, BlockPlace>,
}

/// A file of a module, and a structure of its body: both as numbers.
pub(super) type BlockPlace = (usize, usize);

impl Module {
    /// The code in `dir`.
    pub(crate) fn new(sources: &Sources, dir: &str) -> Self {
        let (mut files, mut problems) = (Vec::new(), Vec::new());
        for (_, file) in sources.seen_in(dir).into_iter().filter(|(path, _)| is_code(path)) {
            match code::of_file(sources, file) {
                Ok(body) => files.push((file, body)),
                Err(error) => {
                    let at = code::place(sources.text(file), &error);
                    let at = written(file, Some(at..at));
                    let message = format!("it is not HCL: {}", error.message());
                    problems.push(Problem::new(ProblemKind::Syntax, &at, message));
                }
            }
        }
        Self::of(dir, files, problems)
    }

    /// The same of code that was read. Where its blocks are is noted, since each reference looks for one.
    pub(super) fn of(dir: &str, files: Vec<(FileId, Arc<Body>)>, problems: Vec<Problem>) -> Self {
        let (mut blocks, mut variables, mut locals) =
            (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new(), BTreeMap::new());
        for (number, (_, body)) in files.iter().enumerate() {
            for (index, structure) in body.iter().enumerate() {
                let Structure::Block(block) = structure else { continue };
                let (place, ident) = ((number, index), block.ident.as_str());
                blocks.entry(ident.to_owned()).or_default().push(place);
                if let ("variable", Some(name)) = (ident, label(block, 0)) {
                    variables.entry(name.to_owned()).or_insert(place);
                }
                for local in block.body.attributes().filter(|_| ident == "locals") {
                    locals.entry(local.key.as_str().to_owned()).or_insert(place);
                }
            }
        }
        Self { dir: dir.to_owned(), files, problems, blocks, variables, locals }
    }

    pub(super) fn block(&self, (number, index): BlockPlace) -> Option<(FileId, &Block)> {
        let (file, body) = self.files.get(number)?;
        Some((*file, body.get(index)?.as_block()?))
    }

    pub(super) fn blocks(&self, ident: &str) -> impl Iterator<Item = (FileId, &Block)> {
        let places = self.blocks.get(ident).into_iter().flatten();
        places.filter_map(|it| self.block(*it))
    }

    /// Its blocks that call modules of this repository, and the directories of these.
    pub(super) fn calls(&self) -> impl Iterator<Item = (BlockPlace, String)> {
        let places = self.blocks.get("module").into_iter().flatten();
        places.filter_map(|it| Some((*it, self.called(self.block(*it)?.1)?)))
    }

    /// The directory of the module that `block` calls, if it is one of this repository.
    pub(super) fn called(&self, block: &Block) -> Option<String> {
        let path = block.body.get_attribute("source")?.value.as_str()?;
        source::join(&self.dir, Some(path).filter(|it| it.starts_with('.'))?)
    }

    /// The expression of `local.name`.
    pub(super) fn local(&self, name: &str) -> Option<(FileId, &Expression)> {
        let (file, block) = self.block(*self.locals.get(name)?)?;
        Some((file, &block.body.get_attribute(name)?.value))
    }

    /// The block of `var.name`.
    pub(super) fn variable(&self, name: &str) -> Option<(FileId, &Block)> {
        self.block(*self.variables.get(name)?)
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
        open.extend(module.calls().map(|(_, called)| called));
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
