use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        // No proxy is put into pods on the host's network.
        if server.host_network.value() != Some(&false) {
            continue;
        }
        let Some(mesh) = &server.mesh else { continue };
        let name = mesh.name;
        let message = format!(
            "{name}'s proxy in the pods refuses the API server, which is no member of the mesh"
        );
        let finding = findings.at(&mesh.strict.or(&server.anchor), &server.subject(), message);
        finding.also(&mesh.injected, "the proxy is put into the pods").help(match name {
            "Istio" => "keep the proxy out: label the pods sidecar.istio.io/inject: \"false\"",
            _ => "keep the proxy out: annotate the pods linkerd.io/inject: disabled",
        });
    }
}
