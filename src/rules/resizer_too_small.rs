use crate::{
    finding::Findings,
    model::{Cluster, MI, Memory, Resizer},
};

/// What a few nodes use up: with 35 MiB metrics-server was killed on three nodes
/// (kubernetes-sigs/metrics-server#1302, kubespray#8010).
const LEAST: u64 = 100 * MI;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let nodes = cluster.nodes.value().map(|it| it.max.unwrap_or(it.min).max(it.min));
    for server in &cluster.metrics_servers {
        let Some(resizer) = &server.resizer else { continue };
        let Some(count) = reckoned(resizer, nodes) else { continue };
        let (Some((base, at)), Some((extra, _))) = (resizer.base.known(), resizer.per_node.known())
        else {
            continue;
        };
        let bytes = extra.bytes.saturating_mul(count).saturating_add(base.bytes);
        if bytes >= LEAST {
            continue;
        }
        let given = Memory::mebibytes(bytes / MI);
        let message = format!(
            "the resizer limits metrics-server to {given} ({base} and {extra} for each of {count} \
             nodes): a few nodes need nearly as much"
        );
        let place = resizer.asked.as_ref().unwrap_or(at).or(&server.anchor);
        findings
            .at(&place, &server.subject(), message)
            .help("let it start at 200Mi: memory 0Mi, extra memory 2Mi, minClusterSize 100");
    }
}

/// For how many nodes it reckons, as `nanny/estimator.go` of the addon-resizer does.
fn reckoned(resizer: &Resizer, nodes: Option<u64>) -> Option<u64> {
    if resizer.smallest.is_absent() {
        return nodes;
    }
    let mut count = resizer.smallest.value().and_then(|it| u64::try_from(*it).ok())?;
    while count > 1 && count < nodes.unwrap_or(0) {
        count = count.saturating_add(count / 2);
    }
    Some(count)
}
