//! Flux: Kustomization trees, `postBuild` substitution, HelmReleases.

pub mod envsubst;
mod store;
mod substitute;
mod variables;

use crate::{
    problem::Problem,
    resolve::{Context, Environment},
    tree::Node,
};
use store::Store;

/// Resolves everything that the Flux Kustomization `root` makes a cluster run.
///
/// `root` is a Kustomization object; one for an entry directory of the configuration is made up.
pub fn resolve(context: &Context<'_>, root: &Node, environment: &mut Environment) {
    let _ = (context, root, environment);
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
    let _ = (context, environment);
}
