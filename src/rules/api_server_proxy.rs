use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for proxy in &cluster.proxies {
        let (variable, at) = &proxy.variable;
        let finding = findings.at(
            proxy.exceptions.as_ref().unwrap_or(at),
            &format!("api server {variable}"),
            format!(
                "the API server asks metrics-server through a proxy: NO_PROXY lacks the services' \
                 network {}",
                proxy.services
            ),
        );
        if proxy.exceptions.is_some() {
            finding.also(at, "the proxy");
        }
        finding.help(format!("add {} to NO_PROXY", proxy.services));
    }
}
