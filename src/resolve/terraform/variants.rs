//! Files of variables, one for each environment of a root module.

use std::collections::{BTreeMap, BTreeSet};

use super::module::{Module, is_code};
use crate::{
    data::words::{DEVELOPMENT, EXAMPLES, LASTING, TESTS},
    source::{self, FileId, Sources},
    tree::Node,
};

/// What files of variables are called that all environments have, one word or the whole name.
const SHARED: &[&str] =
    &["all", "base", "common", "default", "defaults", "general", "global", "shared", "terraform"];

/// A file of variables that Terraform reads only where it is told to.
struct VariableFile<'s> {
    /// Its directory, from the module's on: nothing, or `/envs`.
    dir: &'s str,
    /// Its name without the extension.
    stem: &'s str,
    /// What it gives the module's variables.
    given: BTreeMap<String, Node>,
}

/// Who gives a variable, by where they are and its name.
type Givers<'s> = BTreeMap<(&'s str, &'s str), BTreeSet<&'s str>>;

impl VariableFile<'_> {
    /// Whether `it` is one of several in `dir` that give a variable of this file.
    fn is_one_of(&self, by: &Givers<'_>, dir: &str, it: &str) -> bool {
        let mut givers = self.given.keys().filter_map(|name| by.get(&(dir, name)));
        givers.any(|all| all.len() > 1 && all.contains(it))
    }
}

impl Module {
    /// What is given in the files of variables that are an environment's, by what that is called.
    ///
    /// Files that say the same of it (`prod.tfvars` in two directories) are one environment's. Of
    /// those beside each other, or in directories beside each other, that give the same variable,
    /// nobody passes two: each is an environment of its own, whatever it is called.
    pub(super) fn variants(&self, sources: &Sources) -> Vec<(String, BTreeMap<String, Node>)> {
        let files = sources.below(&self.dir).filter_map(|it| self.variable_file(sources, it));
        let files: Vec<VariableFile<'_>> = files.collect();
        // Who gives a variable: files in a directory, and directories in one.
        let (mut stems, mut dirs) = (Givers::new(), Givers::new());
        for file in &files {
            for name in file.given.keys() {
                if !SHARED.contains(&file.stem) {
                    stems.entry((file.dir, name)).or_default().insert(file.stem);
                }
                if !SHARED.contains(&source::file_name(file.dir)) {
                    let above = source::parent(file.dir);
                    dirs.entry((above, name)).or_default().insert(file.dir);
                }
            }
        }
        let divided: BTreeSet<&str> = files
            .iter()
            .filter(|it| it.is_one_of(&stems, it.dir, it.stem))
            .map(|it| it.dir)
            .collect();
        let mut all: Vec<(String, BTreeMap<String, Node>)> = Vec::new();
        for file in &files {
            let above = source::file_name(file.dir);
            let alone = file.is_one_of(&stems, file.dir, file.stem);
            let apart =
                !file.dir.is_empty() && file.is_one_of(&dirs, source::parent(file.dir), file.dir);
            let dir = Some(above).filter(|_| apart || is_stage(above));
            let name = match (dir, alone, is_stage(file.stem)) {
                (Some(dir), true, is_said) if !(is_said && file.stem.contains(dir)) => {
                    format!("{dir}/{}", file.stem)
                }
                (Some(dir), false, true) if apart && !file.stem.contains(dir) => {
                    format!("{dir}/{}", file.stem)
                }
                (_, true, _) | (_, _, true) => file.stem.to_owned(),
                (Some(dir), false, false) if !divided.contains(file.dir) => dir.to_owned(),
                _ => continue,
            };
            let known = all.iter_mut().find(|it| it.0 == name);
            match known {
                Some((_, given)) if !given.keys().any(|it| file.given.contains_key(it)) => {
                    given.extend(file.given.clone());
                }
                Some(_) => {
                    let inner = format!("{}/{}", file.dir, file.stem);
                    all.push((inner.trim_start_matches('/').to_owned(), file.given.clone()));
                }
                None => all.push((name, file.given.clone())),
            }
        }
        all
    }

    /// `file`, if it gives this module variables where Terraform is told to read it.
    fn variable_file<'s>(&self, sources: &'s Sources, file: FileId) -> Option<VariableFile<'s>> {
        let path = &*sources[file].path;
        let stem = source::file_name(path).strip_suffix(".tfvars")?;
        let dir = source::parent(path).strip_prefix(&*self.dir)?;
        let inner = path.strip_prefix(&*self.dir)?;
        let for_readers = has_word(inner, EXAMPLES);
        let is_read = dir.is_empty() && stem == "terraform";
        if for_readers || is_read || source::extension(stem) == "auto" {
            return None;
        }
        let mut given = self.given_in(sources, file);
        given.retain(|name, _| self.variable(name).is_some());
        if given.is_empty() || self.is_of_another(sources, source::parent(path)) {
            return None;
        }
        Some(VariableFile { dir, stem, given })
    }

    /// Whether a directory below this one's is a module's, or in one's.
    fn is_of_another(&self, sources: &Sources, mut dir: &str) -> bool {
        while dir.len() > self.dir.len() {
            if sources.seen_in(dir).iter().any(|(path, _)| is_code(path)) {
                return true;
            }
            dir = source::parent(dir);
        }
        false
    }
}

/// Whether a name says which environment is meant.
fn is_stage(name: &str) -> bool {
    [LASTING, DEVELOPMENT, TESTS].iter().any(|list| has_word(name, list))
}

fn has_word(name: &str, list: &[&str]) -> bool {
    name.split(|it: char| !it.is_alphanumeric()).any(|it| list.contains(&it))
}
