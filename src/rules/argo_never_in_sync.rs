use crate::{
    finding::{Findings, Severity},
    model::{Cluster, DriftCause},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for chart in &cluster.charts {
        for drift in &chart.drifts {
            let subject = format!("{}/{} {}", chart.namespace, chart.name, drift.kind);
            let (kind, field) = (drift.kind, drift.field);
            let (variant, why) = match drift.cause {
                DriftCause::MadeAnew => {
                    findings
                        .at(
                            &drift.origin,
                            &subject,
                            "the chart makes a new certificate whenever Argo CD renders it: the \
                             pods keep another than the APIService has",
                        )
                        .variant("certificate")
                        .help("use tls.type: cert-manager, or existingSecret");
                    continue;
                }
                DriftCause::Null => ("null", "Kubernetes leaves out the null in"),
                DriftCause::False => ("false", "Kubernetes leaves out what is false in"),
                DriftCause::Resized => ("resizer", "the addon-resizer sets"),
            };
            let newer = drift.fixed_in.map(|it| format!("use chart {it} or newer, or "));
            let newer = newer.unwrap_or_default();
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
