use crate::{
    finding::{Change, Findings, NewSubject, Severity},
    model::{Cluster, Fact},
};

/// What an APIService says of the metrics-server that it leads to.
const SETTINGS: [&str; 3] =
    ["api_service_insecure_skip_tls_verify", "api_service_port", "api_service_target"];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    if cluster.assumed || !cluster.metrics_api.is_absent() {
        return;
    }
    for server in &cluster.metrics_servers {
        if let Fact::Absent(Some(by)) = &cluster.metrics_api {
            let message = "nothing registers the Metrics API: this deletes the APIService \
                v1beta1.metrics.k8s.io";
            let finding = findings.at(&by.or(&server.anchor), &server.subject(), message);
            // What serves it instead may be in another repository.
            finding
                .variant("deleted")
                .at_most(Severity::Warning)
                .help("leave the APIService there");
            continue;
        }
        let mut charts = cluster.charts.iter();
        let chart = charts.find(|it| it.anchor.written_at() == server.anchor.written_at());
        let create = chart.map(|it| &it.creates_api_service);
        let message =
            "nothing registers the Metrics API: no APIService v1beta1.metrics.k8s.io is in sight";
        let written = create.and_then(|it| it.origin());
        let at = written.unwrap_or(&server.anchor).or(&server.anchor);
        let finding = findings.at(&at, &server.subject(), message);
        if chart.is_some() {
            finding.help("set apiService.create to true");
            if let Some((false, at)) =
                create.and_then(|it| it.known()).filter(|(_, it)| !it.is_default())
            {
                let change = Change::value(at, "true");
                finding.safe_fix(&SETTINGS, [change]).brings(NewSubject::ApiService);
            } else if server.via == "helm-release" {
                // In `spec`, from the version of the chart in `spec.chart.spec`.
                let change = Change::beside(&server.anchor, 3, "values.apiService.create", true);
                finding.unsafe_fix(&SETTINGS, [change]).brings(NewSubject::ApiService);
            }
        } else {
            finding
                .variant("manifest")
                .at_most(Severity::Warning)
                .help("add the APIService of upstream's components.yaml");
        }
    }
}
