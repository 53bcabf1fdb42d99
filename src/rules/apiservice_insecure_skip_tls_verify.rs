use crate::{finding::Findings, model::Cluster};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for service in cluster.api_services.iter().filter(|it| !it.foreign) {
        let Some((true, origin)) = service.insecure_skip_tls_verify.known() else { continue };
        let finding = findings.at(
            &origin.or(&service.anchor),
            &service.name,
            "metrics-server's serving certificate is not verified",
        );
        // Who has to set up an authority first keeps upstream's default.
        let Some(cert_manager) = &cluster.cert_manager else {
            finding
                .pedantic()
                .help("give the APIService a caBundle, then set insecureSkipTLSVerify to false");
            continue;
        };
        finding.variant("cert-manager").also(cert_manager, "cert-manager could issue one").help(
            "let cert-manager issue the certificate (chart 3.13.0 and newer: tls.type: cert-manager) and \
             inject the caBundle, then set insecureSkipTLSVerify to false",
        );
    }
}
