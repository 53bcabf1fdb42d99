use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for service in cluster.api_services.iter().filter(|it| !it.foreign) {
        let Some((true, origin)) = service.insecure_skip_tls_verify.known() else { continue };
        findings
            .at(
                &origin.or(&service.anchor),
                &service.name,
                "the API server does not verify metrics-server's certificate, as is the upstream default",
            )
            .pedantic()
            .help(
                "give the APIService a caBundle, or let cert-manager inject one, \
                 and set insecureSkipTLSVerify to false",
            );
    }
}
