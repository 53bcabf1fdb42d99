//! Flux: Kustomization trees, `postBuild` substitution, HelmReleases.

mod artifact;
mod edits;
pub mod envsubst;
mod release;
mod store;
mod substitute;
#[cfg(test)]
mod tests;
mod tree;
mod values;
mod variables;

use crate::{
    problem::Problem,
    resolve::{Context, Environment},
    tree::Node,
};
use store::Store;

/// Resolves everything that the Flux Kustomizations `roots` make one cluster run.
///
/// One for an entry directory of the configuration is made up; for a `FluxInstance` it is what
/// [`entry`] says.
pub fn resolve(context: &Context<'_>, roots: &[Node], environment: &mut Environment) {
    tree::resolve(context, roots, environment);
    releases(context, environment);
}

/// The Flux Kustomization that an object is or, for a `FluxInstance`, makes.
pub fn entry(node: &Node) -> Option<Node> {
    tree::kustomization(node)
}

/// What `postBuild` makes of `objects` when `kustomization` builds them and `objects` also hold its
/// sources of variables.
///
/// # Errors
/// What fails the whole Kustomization.
pub fn post_build(
    context: &Context<'_>,
    kustomization: &Node,
    objects: &[Node],
    problems: &mut Vec<Problem>,
) -> Result<Vec<Node>, Problem> {
    let mut store = Store::default();
    store.add(objects);
    let Some(variables) = variables::gather(kustomization, &store, problems)? else {
        return Ok(objects.to_vec());
    };
    let substituted =
        objects.iter().map(|it| substitute::substitute(context, it, &variables, problems));
    substituted.collect()
}

/// Turns the HelmReleases among the environment's objects into releases and what they render.
pub fn releases(context: &Context<'_>, environment: &mut Environment) {
    release::resolve(context, environment);
}
