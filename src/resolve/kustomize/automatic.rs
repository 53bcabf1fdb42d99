//! The kustomization that Flux makes for a directory that has none.

use crate::{
    resolve::kustomize::{
        file::{self, Kustomization},
        load::Loader,
        value::Outcome,
    },
    source::{FileId, extension, rendered},
    tree::{Map, Node, Origin},
};

/// A kustomization for a directory that has none, as Flux makes it: every manifest below, and every
/// directory with a kustomization of its own.
///
/// # Errors
/// Two kustomization files in one directory.
pub(super) fn kustomization(
    loader: &Loader<'_>,
    at: &Origin,
    edits: Option<&Node>,
) -> Outcome<Kustomization> {
    let sources = loader.context.sources;
    let mut entries: Vec<Node> = Vec::new();
    let mut inside: Option<String> = None;
    for file in sources.below(&loader.dir) {
        let path = sources[file].path.clone();
        if !loader.is_there(&path) {
            continue;
        }
        if inside.as_ref().is_some_and(|dir| path.starts_with(dir.as_str())) {
            continue;
        }
        if let Some((dir, found)) = nearest_kustomization(loader, &path, at)? {
            entries.push(made_entry(loader, &dir, found));
            inside = Some(format!("{dir}/"));
        } else if matches!(extension(rendered(&path)), "yaml" | "yml") {
            entries.push(made_entry(loader, &path, file));
        }
    }
    let mut fields = Map::default();
    fields.set("resources", Node::new(entries, at.clone()));
    file::decode(&Node::new(fields, at.clone()), edits, loader.dir.to_string(), at, true)
}

/// The outermost directory below the loader's that holds `path` and has a kustomization file.
fn nearest_kustomization(
    loader: &Loader<'_>,
    path: &str,
    at: &Origin,
) -> Outcome<Option<(String, FileId)>> {
    let start = if loader.dir.is_empty() { 0 } else { loader.dir.len() + 1 };
    for (end, _) in path.match_indices('/').filter(|(end, _)| *end > start) {
        let dir = &path[..end];
        if let Some(file) = loader.is_kustomization(dir, at)? {
            return Ok(Some((dir.to_owned(), file)));
        }
    }
    Ok(None)
}

/// An entry that stands for `path`, at the start of `file`.
fn made_entry(loader: &Loader<'_>, path: &str, file: FileId) -> Node {
    let start = if loader.dir.is_empty() { 0 } else { loader.dir.len() + 1 };
    let origin = Origin::start_of(file);
    Node::new(path.get(start..).unwrap_or(path), origin)
}
