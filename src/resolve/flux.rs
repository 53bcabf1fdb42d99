//! Flux: Kustomization trees, `postBuild` substitution, HelmReleases.

pub mod envsubst;

use crate::{
    resolve::{Context, Environment},
    tree::Node,
};

/// Resolves everything that the Flux Kustomization `root` makes a cluster run.
///
/// `root` is a Kustomization object; one for an entry directory of the configuration is made up.
pub fn resolve(context: &Context<'_>, root: &Node, environment: &mut Environment) {
    let _ = (context, root, environment);
}

/// Turns the HelmReleases among the environment's objects into releases and what they render.
pub fn releases(context: &Context<'_>, environment: &mut Environment) {
    let _ = (context, environment);
}
