//! What every resolver reads.

use crate::{config::Config, resolve::kustomize, source::Sources};

/// What every resolver reads.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The files.
    pub sources: &'a Sources,
    /// The configuration.
    pub config: &'a Config,
    /// Kustomize layers that were built already.
    pub layers: kustomize::Layers,
    /// What the environments are resolved for.
    pub purpose: Purpose,
}

impl<'a> Context<'a> {
    /// Nothing is built yet.
    pub(crate) fn new(sources: &'a Sources, config: &'a Config, purpose: Purpose) -> Self {
        Self { sources, config, layers: kustomize::Layers::default(), purpose }
    }
}

/// What environments are resolved for, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Purpose {
    /// To judge them. What cannot matter may be left out, and a variable that nothing defines
    /// makes the value unknown.
    #[default]
    Judge,
    /// To print every object, as the lenient one of Flux's two modes would apply it: a variable
    /// that nothing defines is the empty string.
    Render,
}
