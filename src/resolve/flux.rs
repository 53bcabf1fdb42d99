//! Flux: Kustomization trees, `postBuild` substitution, HelmReleases.

mod artifact;
mod cluster;
mod controller;
mod dependency;
mod edits;
pub(crate) mod envsubst;
mod release;
mod store;
mod substitute;
mod tree;
mod values;
mod variables;

pub(crate) use release::releases;
pub(crate) use tree::resolve;

#[cfg(test)]
use crate::{
    problem::Problem,
    resolve::context::{Context, Purpose},
    tree::Node,
};

/// What `postBuild` makes of `objects` when `kustomization` builds them and `objects` also hold its
/// sources of variables.
///
/// # Errors
/// What fails the whole Kustomization.
#[cfg(test)]
pub(crate) fn post_build(
    context: &Context<'_>,
    kustomization: &Node,
    objects: &[Node],
    problems: &mut Vec<Problem>,
) -> Result<Vec<Node>, Problem> {
    let mut store = store::Store::default();
    store.add(objects);
    let controller = match context.purpose {
        Purpose::Judge => controller::Controller::default(),
        Purpose::Render => controller::Controller::lenient(),
    };
    let Some(variables) = variables::gather(kustomization, &store, &controller, 0)? else {
        return Ok(objects.to_vec());
    };
    let mut room = substitute::MAX_SUBSTITUTED;
    let substituted = objects
        .iter()
        .map(|it| substitute::substitute(context, it, &variables, &mut room, problems));
    substituted.collect()
}
