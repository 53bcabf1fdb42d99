//! `helmCharts`: charts that kustomize inflates.

use crate::{
    resolve::kustomize::{
        file::Kustomization,
        layer::Layer,
        load::Loader,
        value::{Outcome, refusal, text},
    },
    tree::Node,
};

/// The objects of the chart that `entry` names.
///
/// # Errors
/// When charts may not be inflated.
pub(super) fn inflate(
    loader: &Loader<'_>,
    kustomization: &Kustomization,
    entry: &Node,
    layer: &mut Layer,
) -> Outcome<Vec<Node>> {
    let _ = kustomization;
    if !loader.options.helm {
        let mut problem =
            refusal(&entry.origin, "kustomize inflates charts only with --enable-helm");
        problem.help = Some("build with --enable-helm, which Flux does not".into());
        return Err(problem);
    }
    let name = text(entry.get("name"));
    layer.unresolved(&entry.origin, format!("what the chart {name} renders is not known"));
    Ok(Vec::new())
}
