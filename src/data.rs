//! Facts that change with versions of other projects, kept as data files rather than as code.

pub mod charts;
pub mod flags;
pub mod groups;
pub mod kinds;
pub mod kustomization;
pub mod version;

/// The charts whose values we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `kubernetes-sigs/metrics-server`, 3.5.0 and newer.
    KubernetesSigs,
    /// `bitnami/metrics-server`, 5 to 7.
    Bitnami,
    /// `stable/metrics-server`, 2.x.
    Stable,
}
