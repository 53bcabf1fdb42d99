//! `HelmChartProxy` of the Cluster API add-on provider for Helm.

use crate::resolve::{Context, Environment};

/// Turns the `HelmChartProxy`s among the environment's objects into releases and what they render.
pub fn releases(context: &Context<'_>, environment: &mut Environment) {
    let _ = (context, environment);
}
