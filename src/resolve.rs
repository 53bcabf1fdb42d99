//! From files to environments: what each cluster would run, every value with its origin.

pub mod argocd;
pub mod context;
pub mod environment;
mod environments;
pub mod fleet;
pub mod flux;
pub mod helm;
pub mod helm_chart;
pub mod helm_chart_proxy;
pub mod helmfile;
pub mod install;
mod installers;
pub mod kustomize;
pub mod layout;
pub mod names;
pub mod template;
pub mod terraform;
mod values_file;

pub use environments::resolve;
