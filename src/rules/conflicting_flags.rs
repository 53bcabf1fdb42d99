use semver::Version;

use crate::{
    finding::Findings,
    model::{Cluster, Fact, MetricsServer},
    tree::Origin,
};

/// What `KubeletClientOptions.Validate` of `cmd/metrics-server/app/options/kubelet_client.go` refuses,
/// since 0.4.0.
pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let checks = server.versions.first().is_some_and(|it| *it >= Version::new(0, 4, 0));
        if !checks {
            continue;
        }
        let on = |fact: &Fact<bool>| fact.known().and_then(|(on, at)| on.then(|| at.clone()));
        let path = |fact: &Fact<String>| {
            fact.known().and_then(|(path, at)| (!path.is_empty()).then(|| at.clone()))
        };
        let insecure = ("--kubelet-insecure-tls", on(&server.kubelet_insecure_tls));
        let authority =
            ("--kubelet-certificate-authority", path(&server.kubelet_certificate_authority));
        let certificate =
            ("--kubelet-client-certificate", path(&server.kubelet_client_certificate));
        let key = ("--kubelet-client-key", path(&server.kubelet_client_key));
        let plain =
            ("--deprecated-kubelet-completely-insecure", on(&server.kubelet_completely_insecure));
        both(
            server,
            &authority,
            &insecure,
            "remove --kubelet-insecure-tls: the authority verifies what it can sign",
            findings,
        );
        for other in [&insecure, &authority, &certificate, &key] {
            both(
                server,
                &plain,
                other,
                "remove --deprecated-kubelet-completely-insecure",
                findings,
            );
        }
        let (its_key, its_certificate) =
            (&server.kubelet_client_key, &server.kubelet_client_certificate);
        let pairs = [(&certificate, &key, its_key), (&key, &certificate, its_certificate)];
        for ((name, at), (missing, _), partner) in pairs {
            let Some(at) = at.as_ref().filter(|_| partner.is_absent()) else { continue };
            findings
                .at(
                    &at.or(&server.anchor),
                    &format!("{} {name}", server.subject()),
                    format!("{name} is passed without {missing}: metrics-server does not start"),
                )
                .variant("alone")
                .help(format!("pass {missing} too, or neither"));
        }
    }
}

/// Reports two flags of which metrics-server takes one.
fn both(
    server: &MetricsServer,
    (one, at): &(&str, Option<Origin>),
    (other, there): &(&str, Option<Origin>),
    help: &str,
    findings: &mut Findings,
) {
    let (Some(at), Some(there)) = (at, there) else { return };
    let message = format!("{other} is passed with {one}: metrics-server does not start");
    findings
        .at(&there.or(&server.anchor), &format!("{} {one} {other}", server.subject()), message)
        .variant("both")
        .also(at, *one)
        .help(help);
}
