//! From files to environments: what each cluster would run, every value with its origin.

pub(crate) mod argocd;
pub(crate) mod context;
pub(crate) mod environment;
mod environments;
pub(crate) mod fleet;
pub(crate) mod flux;
pub(crate) mod helm;
pub(crate) mod helm_chart;
pub(crate) mod helm_chart_proxy;
pub(crate) mod helmfile;
pub(crate) mod install;
mod installers;
pub(crate) mod kustomize;
pub(crate) mod layout;
pub(crate) mod names;
pub(crate) mod template;
pub(crate) mod terraform;
mod values_file;

pub(crate) use environments::resolve;
