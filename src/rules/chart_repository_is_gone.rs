use crate::{
    data::{Family, leads_to},
    finding::{Findings, Severity},
    model::Cluster,
};

/// Where the charts of `helm/charts` were until November 2020: Helm itself refuses these
/// (`pkg/cmd/repo_add.go`).
const GONE: [&str; 2] = [
    "kubernetes-charts.storage.googleapis.com",
    "kubernetes-charts-incubator.storage.googleapis.com",
];

const HELP: &str = "use https://kubernetes-sigs.github.io/metrics-server/, whose values are others";

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let archive = Family::Stable.repository();
    for chart in &cluster.charts {
        let Some((address, at)) = chart.facts.chart_repository.known() else { continue };
        let subject = format!("{}/{}", chart.namespace, chart.name);
        let at = at.or(&chart.anchor);
        if let Some(gone) = GONE.iter().find(|it| leads_to(address, it)) {
            let message =
                format!("{gone} is gone since November 2020: the chart cannot be fetched");
            findings.at(&at, &subject, message).help(HELP);
        } else if leads_to(address, archive) {
            let message =
                format!("{archive} is an archive: its last metrics-server is 0.3.6, of 2019");
            findings
                .at(&at, &subject, message)
                .variant("archive")
                .at_most(Severity::Warning)
                .help(HELP);
        }
    }
}
