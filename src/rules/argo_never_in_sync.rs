use crate::{
    finding::{Findings, Severity},
    model::Cluster,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for chart in &cluster.charts {
        for drift in &chart.drifts {
            let subject = format!("{}/{} {}", chart.namespace, chart.name, drift.kind);
            let (kind, field) = (drift.kind, drift.field);
            if drift.makes_anew {
                findings
                    .at(
                        &drift.origin,
                        &subject,
                        "the chart makes a new certificate whenever Argo CD renders it: the pods keep \
                         another than the APIService has",
                    )
                    .variant("certificate")
                    .help("use tls.type: cert-manager, or existingSecret");
                continue;
            }
            let (variant, why) = match (kind, field) {
                ("Deployment", _) => ("resizer", "the addon-resizer sets"),
                (_, "spec.insecureSkipTLSVerify") => {
                    ("false", "Kubernetes leaves out what is false in")
                }
                _ => ("null", "Kubernetes leaves out the null in"),
            };
            let newer = match variant {
                "resizer" => "",
                _ if kind == "Issuer" => "use chart 3.14.0 or newer, or ",
                _ => "use chart 3.13.1 or newer, or ",
            };
            findings
                .at(
                    &drift.origin,
                    &subject,
                    format!("{why} {field} of the {kind}: the Application is never in sync"),
                )
                .variant(variant)
                .at_most(Severity::Note)
                .help(format!("{newer}list the {kind} in ignoreDifferences of the Application"));
        }
    }
}
