use crate::{
    finding::{Change, Findings, Severity},
    model::{Authority, Cluster},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for service in cluster.api_services.iter().filter(|it| !it.foreign) {
        let Some((true, skip)) = service.insecure_skip_tls_verify.known() else { continue };
        let Some((authority, by)) = service.authority.known() else { continue };
        let message = match authority {
            Authority::Bundle => {
                "the API server refuses a caBundle beside insecureSkipTLSVerify: true"
            }
            Authority::Helm => {
                "the API server refuses the caBundle that Helm makes beside insecureSkipTLSVerify: true"
            }
            Authority::Injected => {
                "the API server refuses the caBundle that is injected beside insecureSkipTLSVerify: true"
            }
        };
        // A default is mended where the value is that it does not go with.
        let (at, other, label) = match skip.written_at() {
            Some(_) => (skip, by, "the caBundle"),
            None => (by, skip, "insecureSkipTLSVerify is true"),
        };
        let finding = findings.at(&at.or(&service.anchor), &service.name, message).help(
            "set insecureSkipTLSVerify to false (in values: apiService.insecureSkipTLSVerify)",
        );
        finding.also(other, label);
        let settings = ["api_service_insecure_skip_tls_verify", "insecure_skip_tls_verify"];
        // In the values of the chart, from where the caBundle is told.
        let levels_and_path = match authority {
            Authority::Helm => (2, "apiService.insecureSkipTLSVerify"),
            Authority::Injected => (2, "insecureSkipTLSVerify"),
            Authority::Bundle => (1, "insecureSkipTLSVerify"),
        };
        match (skip.is_default(), levels_and_path) {
            // It works without being verified, and may do so no more.
            (false, _) if *authority == Authority::Injected => {
                finding.unsafe_fix(&settings, [Change::value(skip, "false")])
            }
            (false, _) => finding.safe_fix(&settings, [Change::value(skip, "false")]),
            (true, (levels, path)) => {
                finding.unsafe_fix(&settings, [Change::beside(by, levels, path, false)])
            }
        };
        if *authority == Authority::Injected {
            // The APIService works, without being verified.
            finding.variant("injected").at_most(Severity::Warning);
        }
    }
}
