use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    // One that is given a certificate may have it from an authority that the API server knows.
    let signs = cluster.metrics_servers.iter().filter(|it| !it.managed);
    let mut signs = signs.map(|it| it.args.value().is_some() && it.tls_cert_file.is_absent());
    if !signs.next().is_some_and(|first| first && signs.all(|it| it)) {
        return;
    }
    for service in cluster.api_services.iter().filter(|it| !it.foreign) {
        let Some((false, origin)) = service.insecure_skip_tls_verify.known() else { continue };
        if service.service.value().is_none() || !service.authority.is_absent() {
            continue;
        }
        findings
            .at(
                &origin.or(&service.anchor),
                &service.name,
                "the API server has no authority to verify metrics-server's certificate with: \
                 the Metrics API stays unavailable",
            )
            .help(
                "have cert-manager issue a certificate (chart 3.13.0 and newer: tls.type: \
                 cert-manager) and inject the caBundle, or set insecureSkipTLSVerify to true",
            );
    }
}
