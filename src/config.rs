//! The configuration file, `.metrics-server-lint.yaml`, with the place of every setting.

use semver::Version;

use crate::{finding::Severity, tree::Origin};

/// The file's name at the root of a repository.
pub const FILE: &str = ".metrics-server-lint.yaml";

/// What the configuration file says.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `environments`, in order; the first that matches an environment counts.
    pub environments: Vec<EnvironmentConfig>,
    /// `rules`: id, severity (`None` is off), and where it says so.
    pub rules: Vec<(String, Option<Severity>, Origin)>,
    /// `exclude`: globs of paths in which nothing is reported and from which nothing starts.
    pub exclude: Vec<String>,
}

/// `environments.<name>`
#[derive(Debug, Clone)]
pub struct EnvironmentConfig {
    /// The name; the environment's own name when `entry` is set.
    pub name: String,
    /// `match`: globs over environment names and entry paths. None means the name itself, as a whole
    /// environment name or as the last directory of one.
    pub globs: Vec<String>,
    /// `entry`: a directory that a Flux Kustomization outside the repository points at.
    pub entry: Option<(String, Origin)>,
    /// `nodes`
    pub nodes: Option<(u64, Origin)>,
    /// `pods-per-node`
    pub pods_per_node: Option<(u64, Origin)>,
    /// `kubernetes`: the version, `1.31` as `1.31.0`.
    pub kubernetes: Option<(Version, Origin)>,
    /// `local`
    pub local: Option<(bool, Origin)>,
    /// Where the name is.
    pub origin: Origin,
}
