//! How many nodes an environment has.

use std::collections::BTreeMap;

use crate::{
    config::EnvironmentConfig,
    model::{ClusterId, Count, Fact},
    placeholder::has_placeholder,
    tree::{Node, Origin, Reason},
};

/// A group of nodes.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    /// Which cluster it belongs to, as in [`Kubelet::cluster`](crate::model::Kubelet::cluster).
    pub cluster: ClusterId,
    /// How many nodes it has.
    pub nodes: Fact<Count>,
    /// How many pods each may run, where that is stated.
    pub pods_per_node: Option<(u64, Origin)>,
}

/// How many nodes there are and how many pods each runs: what the configuration file says, else
/// what `pools` add up to.
pub(crate) fn count(
    pools: &[Pool],
    config: Option<&EnvironmentConfig>,
) -> (Fact<Count>, Fact<Count>) {
    let configured = |setting: Option<&(u64, Origin)>| {
        setting.map(|(count, origin)| Fact::Known(Count::exactly(*count), origin.clone()))
    };
    let nodes = configured(config.and_then(|it| it.nodes.as_ref()));
    let pods = configured(config.and_then(|it| it.pods_per_node.as_ref()));
    (nodes.unwrap_or_else(|| of_cluster(pools)), pods.unwrap_or_else(|| per_node(pools)))
}

/// The size of the one cluster that `pools` belong to; absent when there are none.
fn of_cluster(pools: &[Pool]) -> Fact<Count> {
    let mut clusters: BTreeMap<&ClusterId, Vec<&Fact<Count>>> = BTreeMap::new();
    for pool in pools {
        clusters.entry(&pool.cluster).or_default().push(&pool.nodes);
    }
    match clusters.len() {
        0 => Fact::Absent(None),
        1 => sum(clusters.into_values().flatten()),
        more => Fact::Unknown(format!("{more} clusters are defined here").into(), None),
    }
}

/// The sum of intervals; a pool of unknown size leaves only the lower bound.
///
/// The origin is that of the largest known pool, which is what decides the sum.
fn sum<'a>(counts: impl Iterator<Item = &'a Fact<Count>>) -> Fact<Count> {
    let mut total = Count::exactly(0);
    let mut largest: Option<(Count, &Origin)> = None;
    let mut unknown: Option<(Reason, Option<Origin>)> = None;
    for count in counts {
        match count {
            Fact::Known(count, origin) => {
                total.min += count.min;
                total.max = total.max.zip(count.max).map(|(a, b)| a + b);
                if largest
                    .is_none_or(|(it, _)| it.max.unwrap_or(it.min) < count.max.unwrap_or(count.min))
                {
                    largest = Some((*count, origin));
                }
            }
            told => {
                let Some((why, at)) = told.untold() else { continue };
                total.max = None;
                unknown.get_or_insert((why.clone(), at.cloned()));
            }
        }
    }
    match (largest, unknown) {
        (Some((_, origin)), _) => Fact::Known(total, origin.clone()),
        (None, Some((why, at))) => Fact::Unknown(why, at),
        (None, None) => Fact::Absent(None),
    }
}

/// The largest number of pods that any node may run.
fn per_node(pools: &[Pool]) -> Fact<Count> {
    let stated = pools.iter().filter_map(|it| it.pods_per_node.as_ref());
    match stated.max_by_key(|(count, _)| *count) {
        Some((count, origin)) => Fact::Known(Count { min: 0, max: Some(*count) }, origin.clone()),
        None => Fact::Absent(None),
    }
}

impl Pool {
    /// A pool of `nodes`.
    pub(super) fn new(cluster: &ClusterId, nodes: Fact<Count>) -> Self {
        Self { cluster: cluster.clone(), nodes, pods_per_node: None }
    }
}

/// What a number says, written as one or as a text; a template is unknown.
pub(super) fn stated(node: &Node) -> Fact<Count> {
    let text = node.as_scalar().map(|it| it.text.trim());
    match (text.and_then(|it| it.parse().ok()), node.unknown()) {
        (Some(count), _) => Fact::Known(Count::exactly(count), node.origin.clone()),
        (None, Some(why)) => Fact::Unknown(why.clone(), Some(node.origin.clone())),
        (None, None) => {
            let template = text.is_some_and(has_placeholder);
            let why = if template { "a template fills it in" } else { "it is not a whole number" };
            Fact::Unknown(why.into(), Some(node.origin.clone()))
        }
    }
}

/// What a number says, or `default` because of what stands at `anchor`.
pub(super) fn stated_or(node: Option<&Node>, default: u64, anchor: &Origin) -> Fact<Count> {
    let given = node.filter(|it| !it.is_null());
    given.map_or_else(|| Fact::implied(Count::exactly(default), anchor), stated)
}

/// That many nodes, as `origin` says.
pub(super) fn exactly(count: usize, origin: &Origin) -> Fact<Count> {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    Fact::Known(Count::exactly(count), origin.clone())
}

/// A node for each item of `list`, which a template may leave out or repeat.
pub(super) fn length(list: &Node) -> Fact<Count> {
    let items = list.items().iter();
    let written = items.clone().filter(|it| it.unknown().is_none()).count();
    match exactly(written, &list.origin) {
        Fact::Known(count, origin) if written < items.len() => {
            Fact::Known(Count { max: None, ..count }, origin)
        }
        all => all,
    }
}

/// Any number of nodes, as something decides that is not in the repository.
pub(super) fn unbounded(anchor: &Origin) -> Fact<Count> {
    Fact::implied(Count { min: 0, max: None }, anchor)
}

/// How many pods a node may run.
pub(super) fn pods(node: Option<&Node>) -> Option<(u64, Origin)> {
    let node = node?;
    Some((u64::try_from(node.as_int()?).ok()?, node.origin.clone()))
}

/// From one number to another; `None` when neither is there.
pub(super) fn between(min: Option<&Node>, max: Option<&Node>) -> Option<Fact<Count>> {
    let given = |node: Option<&Node>| node.filter(|it| !it.is_null()).map(stated);
    let (min, max) = (given(min), given(max));
    let min_count = min.as_ref().and_then(Fact::value).map_or(0, |it| it.min);
    let max_count = max.as_ref().and_then(Fact::value).and_then(|it| it.max);
    match (min, max) {
        (None, None) => None,
        (Some(unknown @ Fact::Unknown(..)), None | Some(Fact::Unknown(..)))
        | (None, Some(unknown @ Fact::Unknown(..))) => Some(unknown),
        (_, Some(Fact::Known(_, origin))) | (Some(Fact::Known(_, origin)), _) => {
            Some(Fact::Known(Count { min: min_count, max: max_count }, origin))
        }
        (min, max) => min.or(max),
    }
}

impl Count {
    /// This many, no more and no fewer.
    pub(crate) fn exactly(count: u64) -> Self {
        Self { min: count, max: Some(count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Via;
    use crate::{
        scalar::Dialect,
        tests::{fixture, with},
    };

    fn pool(tool: &'static str, nodes: Fact<Count>) -> Pool {
        Pool::new(&ClusterId::only(tool), nodes)
    }

    fn known(min: u64, max: Option<u64>) -> Fact<Count> {
        Fact::Known(Count { min, max }, Origin::at(Via::Written, None))
    }

    #[test]
    fn intervals_add_up() {
        let nodes = |pools: &[Pool]| count(pools, None).0;
        let unknown = || Fact::Unknown("a variable".into(), None);
        assert!(nodes(&[]).is_absent());
        assert_eq!(
            nodes(&[pool("a", known(3, Some(3))), pool("a", known(2, Some(10)))]).value(),
            Some(&Count { min: 5, max: Some(13) })
        );
        assert_eq!(
            nodes(&[pool("a", known(3, Some(3))), pool("a", unknown())]).value(),
            Some(&Count { min: 3, max: None })
        );
        assert!(nodes(&[pool("a", unknown())]).is_unknown());
        assert!(nodes(&[pool("a", known(1, None)), pool("b", known(1, None))]).is_unknown());
    }

    #[test]
    fn what_a_template_decides_is_no_number() {
        let text = "\
//- talos/talconfig.yaml.j2
clusterName: a
nodes:
  - hostname: first
    controlPlane: true
  #% for it in nodes %#
  - hostname: \"#{ it }#\"
  #% endfor %#
//- kind.yaml
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
";
        let lists = with(&fixture(text), |context| {
            let all = context
                .sources
                .iter()
                .flat_map(|(file, _)| context.sources.documents(file, Dialect::Sigs).roots());
            all.map(|it| length(it.get("nodes").unwrap_or(it)).value().copied()).collect::<Vec<_>>()
        });
        let expected = [(1, Some(1)), (1, None)].map(|(min, max)| Some(Count { min, max }));
        assert_eq!(lists, expected);
    }
}
