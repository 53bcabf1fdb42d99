//! Entries that lead out of the repository.

use crate::{
    resolve::kustomize::{
        layer::Layer,
        load::Loader,
        value::{Outcome, text},
    },
    tree::Node,
};

/// Adds what is known of the remote `entry`.
///
/// # Errors
/// An object that is there already.
pub(super) fn include(loader: &Loader<'_>, entry: &Node, layer: &mut Layer) -> Outcome<()> {
    let _ = loader;
    layer.unresolved(&entry.origin, format!("{} is not in the repository", text(Some(entry))));
    Ok(())
}
