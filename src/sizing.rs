//! How much memory metrics-server needs.
//!
//! The guidance is the section "Scaling" of metrics-server's README: 200 MiB up to 100 nodes and
//! 2 MiB for each node after that, with up to 70 pods on a node; "the same approach" is allowed to
//! go lower for smaller clusters. The lower bound is what it was measured to use: upstream's
//! scalability tests (kubernetes-sigs/metrics-server#916) saw 165 MiB for 7,000 pods with 0.6.0.

use semver::Version;

use crate::model::{Cluster, Count, MI, Memory};

/// How many pods a node may run for the guidance to hold.
const GUIDED_PODS_PER_NODE: u64 = 70;

/// What scalability tests run on a node, and what is assumed when nobody says otherwise.
const USUAL_PODS_PER_NODE: u64 = 30;

/// A limit of at most this many bytes is too low for any cluster: a few nodes use 35 to 37 MiB.
pub(crate) const SMALLEST: u64 = 40 * MI;

/// The memory that metrics-server is documented to need for `nodes` nodes, with `pods` on each
/// when that is known.
pub(crate) fn guidance(nodes: u64, pods: Option<u64>) -> Memory {
    let density = pods.unwrap_or(0).max(GUIDED_PODS_PER_NODE);
    let count = (2 * u128::from(nodes))
        .saturating_mul(u128::from(density))
        .div_ceil(u128::from(GUIDED_PODS_PER_NODE))
        .min(u128::from(u64::MAX / MI));
    Memory::mebibytes(u64::try_from(count).unwrap_or(u64::MAX / MI))
}

/// What the memory that is requested and the limit of it must come to for the smallest and the largest
/// size that `cluster` may have, where anything is known of that: what a fix writes is no less.
pub(crate) fn needed(cluster: &Cluster) -> Option<MemoryNeeds> {
    let nodes = cluster.nodes.value()?;
    let pods = cluster.pods_per_node.value().map(|pods| pods.min);
    let of = |nodes| guidance(nodes, pods);
    Some(MemoryNeeds { request: of(nodes.min), limit: of(most(*nodes)) })
}

/// The least memory that is documented to suffice.
#[derive(Debug, Clone)]
pub(crate) struct MemoryNeeds {
    /// What is certainly needed.
    pub request: Memory,
    /// What may be needed.
    pub limit: Memory,
}

/// The size that a limit must be enough for.
pub(crate) fn most(nodes: Count) -> u64 {
    nodes.max.unwrap_or(nodes.min).max(nodes.min)
}

/// The thousandths of a core that metrics-server is documented to request for `nodes` nodes.
pub(crate) fn cpu(nodes: u64) -> u64 {
    100_u64.saturating_add(nodes.saturating_sub(100))
}

/// The bytes without which metrics-server of that version runs out of memory.
pub(crate) fn least(nodes: u64, pods: Option<u64>, version: Option<&Version>) -> u64 {
    // Before 0.6.0 it read the kubelets' whole summaries, at more than twice the cost per pod.
    let old = version.is_some_and(|version| *version < Version::new(0, 6, 0));
    let per_pod = if old { 44 * 1024 } else { 20 * 1024 };
    let pods = nodes.saturating_mul(pods.unwrap_or(USUAL_PODS_PER_NODE));
    (30 * MI).saturating_add(pods.saturating_mul(per_pod))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guidance_is_upstreams() {
        let mebibytes = |nodes, pods| guidance(nodes, pods).bytes / MI;
        assert_eq!(mebibytes(100, None), 200);
        assert_eq!(mebibytes(225, None), 450);
        assert_eq!(mebibytes(5000, Some(30)), 10_000);
        assert_eq!(mebibytes(100, Some(140)), 400);
        assert_eq!([50, 100, 250].map(cpu), [100, 100, 250]);
        assert_eq!(guidance(u64::MAX, Some(u64::MAX)).bytes, u64::MAX / MI * MI);
    }

    #[test]
    fn the_lower_bound_is_what_was_measured() {
        // 7,000 pods in 165 MiB, rounded to whole kibibytes a pod.
        assert_eq!(least(100, Some(70), None) / MI, 166);
        assert!(least(100, Some(70), Some(&Version::new(0, 5, 2))) > 2 * 160 * MI);
        assert!(least(u64::MAX, None, None) > 0);
    }
}
