//! `generators`, `transformers` and `validators`: kustomize's own, configured in files.

use crate::{
    resolve::kustomize::{
        generate::Generated,
        layer::Layer,
        load::Loader,
        value::{Outcome, text},
    },
    tree::Node,
};

/// What the generators that `entries` configure make.
pub(super) fn generators(
    _loader: &Loader<'_>,
    entries: &[Node],
    layer: &mut Layer,
) -> Outcome<Vec<Generated>> {
    for entry in entries {
        layer.unresolved(
            &entry.origin,
            format!("what {} generates is not known", text(Some(entry))),
        );
    }
    Ok(Vec::new())
}

/// Runs the transformers that `entries` configure.
pub(super) fn transformers(
    _loader: &Loader<'_>,
    entries: &[Node],
    layer: &mut Layer,
) -> Outcome<()> {
    for entry in entries {
        layer.unresolved(&entry.origin, format!("what {} changes is not known", text(Some(entry))));
    }
    Ok(())
}

/// Runs the validators that `entries` configure.
pub(super) fn validators(_loader: &Loader<'_>, entries: &[Node], layer: &mut Layer) -> Outcome<()> {
    for entry in entries {
        layer.unresolved(&entry.origin, format!("what {} refuses is not known", text(Some(entry))));
    }
    Ok(())
}
