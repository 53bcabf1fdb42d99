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
    /// Whether environments are left out that hold nothing but autoscalers at which nothing can be
    /// found.
    pub spares: bool,
}

impl<'a> Context<'a> {
    /// Nothing is built yet.
    pub(crate) fn new(sources: &'a Sources, config: &'a Config, purpose: Purpose) -> Self {
        Self { sources, config, layers: kustomize::Layers::default(), purpose, spares: false }
    }
}

/// What environments are resolved for, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Purpose {
    /// To judge them. What cannot matter may be left out, and of an object that the real tool refuses
    /// what does not depend on the reason is kept.
    #[default]
    Judge,
    /// To print every object that the real tool would apply.
    Render,
}
