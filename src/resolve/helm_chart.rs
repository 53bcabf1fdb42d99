//! `HelmChart` and `HelmChartConfig` of k3s and RKE2.

use crate::resolve::{Context, Environment};

/// Turns the `HelmChart`s among the environment's objects into releases and what they render.
pub fn releases(context: &Context<'_>, environment: &mut Environment) {
    let _ = (context, environment);
}
