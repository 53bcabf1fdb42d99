//! Flux: Kustomization trees, `postBuild` substitution, HelmReleases.

mod artifact;
mod edits;
pub(crate) mod envsubst;
mod release;
mod store;
mod substitute;
mod tree;
mod values;
mod variables;

use crate::{
    resolve::{context::Context, environment::Environment, layout::Layout},
    tree::Node,
};

/// Resolves everything that the Flux Kustomizations `roots` make one cluster run, but for what
/// HelmReleases install: see [`releases`].
///
/// A root may be a `FluxInstance`; one for an entry directory of the configuration is made up. With
/// `layout`, and to judge only, Kustomizations that reach nothing of our concern are left out.
pub(crate) fn resolve(
    context: &Context<'_>,
    layout: Option<&Layout<'_>>,
    roots: &[Node],
    environment: &mut Environment,
) {
    tree::resolve(context, layout, roots, environment);
}

/// Turns the HelmReleases among the environment's objects into releases and what they render.
pub(crate) fn releases(context: &Context<'_>, environment: &mut Environment) {
    release::resolve(context, environment);
}

#[cfg(test)]
/// What `postBuild` makes of `objects` when `kustomization` builds them and `objects` also hold its
/// sources of variables.
///
/// # Errors
/// What fails the whole Kustomization.
pub(crate) fn post_build(
    context: &Context<'_>,
    kustomization: &Node,
    objects: &[Node],
    problems: &mut Vec<crate::problem::Problem>,
) -> Result<Vec<Node>, crate::problem::Problem> {
    let mut store = store::Store::default();
    store.add(objects);
    let Some(variables) = variables::gather(kustomization, &store)? else {
        return Ok(objects.to_vec());
    };
    let substituted =
        objects.iter().map(|it| substitute::substitute(context, it, &variables, problems));
    substituted.collect()
}
