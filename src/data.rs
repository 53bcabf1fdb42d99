//! Facts that change with versions of other projects, kept as data files rather than as code.
//!
//! People write tables as YAML; the program has them as JSON, which it reads in a tenth of the time, at
//! each start. `UPDATE=1 cargo test` writes one from the other.

pub(crate) mod charts;
pub(crate) mod flags;
pub(crate) mod groups;
pub(crate) mod kinds;
pub(crate) mod kustomization;
pub(crate) mod public;
pub(crate) mod subject;
pub(crate) mod upstream;
pub(crate) mod version;
pub(crate) mod words;

/// The values, versions and behaviours of the charts, in the order of [`Family`].
pub(crate) const CHARTS: [&str; 3] = [
    include_str!("data/charts/kubernetes-sigs.json"),
    include_str!("data/charts/bitnami.json"),
    include_str!("data/charts/stable.json"),
];

/// The fields that kustomize's transformers change.
pub(crate) const FIELDS: &str = include_str!("data/kustomize/fields.txt");

/// The keys by which kustomize merges lists.
pub(crate) const MERGE_KEYS: &str = include_str!("data/kustomize/merge-keys.txt");

/// The manifests that metrics-server releases.
pub(crate) const MANIFESTS: &str = include_str!("data/manifests/metrics-server.yaml");

/// The charts whose values we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `kubernetes-sigs/metrics-server`, 3.5.0 and newer.
    KubernetesSigs,
    /// `bitnami/metrics-server`, 0.0.1 to 7.4.13.
    Bitnami,
    /// `stable/metrics-server`, 0.0.2 to 2.11.4.
    Stable,
}

/// Whether the URL `address` is of `place`, a host with or without a path. A mirror may have the address of
/// what it mirrors in its own path.
pub(crate) fn leads_to(address: &str, place: &str) -> bool {
    let bare = address.split_once("://").map_or(address, |(_, bare)| bare);
    bare.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Family {
    /// Every one, the one that most people install first.
    pub(crate) const ALL: [Self; 3] = [Self::KubernetesSigs, Self::Bitnami, Self::Stable];

    /// The repository that it is published in, besides which there are mirrors; of `Stable` the
    /// archive, which changes no more.
    pub(crate) fn repository(self) -> &'static str {
        match self {
            Self::KubernetesSigs => "kubernetes-sigs.github.io/metrics-server",
            Self::Bitnami => "charts.bitnami.com/bitnami",
            Self::Stable => "charts.helm.sh/stable",
        }
    }
}
