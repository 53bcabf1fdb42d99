//! From files to environments: what each cluster would run, every value with its origin.

mod argocd;
pub(crate) mod bounds;
mod cluster_resource_set;
pub(crate) mod command;
mod config_data;
pub(crate) mod context;
pub(crate) mod environment;
pub(crate) mod environments;
mod fleet;
pub(crate) mod flux;
pub(crate) mod gotemplate;
pub(crate) mod helm;
mod helm_chart;
mod helm_chart_proxy;
mod helmfile;
mod install;
mod installers;
pub(crate) mod kustomize;
pub(crate) mod layout;
pub(crate) mod names;
mod prepared;
pub(crate) mod script;
mod scripts;
mod shell;
pub(crate) mod template;
pub(crate) mod terraform;
mod values_file;
mod ytt;

pub(crate) use environments::{resolve, resolve_for};
