use crate::{
    finding::Findings,
    model::{ApiServer, Cluster},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let lacks = |it: &ApiServer| {
        it.aggregator_routing.is_absent() || it.aggregator_routing.value() == Some(&false)
    };
    let [api_server] = cluster.api_servers.as_slice() else { return };
    if !lacks(api_server) {
        return;
    }
    for server in &cluster.metrics_servers {
        let Some((replicas, at)) = server.replicas.known().filter(|(it, _)| **it > 1) else {
            continue;
        };
        let flag = api_server.aggregator_routing.origin().unwrap_or(&api_server.anchor);
        findings
            .at(
                &at.or(&server.anchor),
                &server.subject(),
                format!("of {replicas} replicas one is asked: the API server does not share requests out"),
            )
            .also(flag, "the API server is configured here")
            .help("start kube-apiserver with --enable-aggregator-routing=true");
    }
}
