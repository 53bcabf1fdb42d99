use super::is_one;
use crate::{
    finding::Findings,
    model::{ApiService, Cluster, MetricsServer},
    tree::Origin,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    if !is_one(cluster) {
        return;
    }
    let (bundled, own): (Vec<_>, Vec<_>) =
        cluster.metrics_servers.iter().filter(|it| !it.suspended).partition(|it| it.managed);
    if let Some(bundled) = bundled.first() {
        let platform = bundled.platform.as_deref().unwrap_or("the platform");
        for server in own {
            findings
                .at(
                    &server.anchor,
                    &server.subject(),
                    format!(
                        "metrics-server is installed beside the one that {platform} brings along"
                    ),
                )
                .also(&bundled.anchor, format!("{platform}, which brings one along"))
                .help("remove one of them: both claim the APIService v1beta1.metrics.k8s.io");
        }
    } else if cluster.together && !cluster.assumed && !check_own(&own, findings) {
        check_api_services(cluster, &own, findings);
    }
}

/// Reports each metrics-server after the first that somebody else installs; whether there is one.
fn check_own(own: &[&MetricsServer], findings: &mut Findings) -> bool {
    let Some((first, others)) = own.split_first() else { return false };
    let is_other = |it: &&&MetricsServer| {
        it.subject() != first.subject() || it.chart.is_some() != first.chart.is_some()
    };
    let others: Vec<_> = others.iter().filter(is_other).collect();
    for server in &others {
        findings
            .at(
                &server.anchor,
                &server.subject(),
                format!("a second metrics-server is installed beside {}", first.subject()),
            )
            .variant("own")
            .also(&first.anchor, "the first one")
            .help("remove one of them: both claim the APIService v1beta1.metrics.k8s.io");
    }
    !others.is_empty()
}

/// Reports an APIService that another program, or another release, claims as well.
fn check_api_services(cluster: &Cluster, own: &[&MetricsServer], findings: &mut Findings) {
    let claim = |it: &ApiService| {
        let release = it.release.as_ref().and_then(Origin::written_at);
        (release, it.service.value().cloned())
    };
    let (foreign, ours): (Vec<_>, Vec<_>) = cluster.api_services.iter().partition(|it| it.foreign);
    if let (Some(other), Some(server)) = (foreign.first(), own.first()) {
        // A metrics-server that does not register itself leaves the API to the other program.
        let Some(first) = ours.first() else { return };
        let by = other.service.value().map_or("prometheus-adapter", |it| it.as_str());
        findings
            .at(
                &other.anchor,
                &other.name,
                format!("{by} claims the Metrics API, which {} serves", server.subject()),
            )
            .variant("other")
            .also(&first.anchor, "metrics-server's APIService")
            .help("let one of them serve it: prometheus-adapter without rules for resources");
        return;
    }
    let Some((first, others)) = ours.split_first() else { return };
    for service in others.iter().filter(|it| it.name == first.name && claim(it) != claim(first)) {
        findings
            .at(
                &service.release.as_ref().unwrap_or(&service.anchor).or(&service.anchor),
                &service.name,
                format!("the APIService {} is defined twice in this environment", service.name),
            )
            .variant("registration")
            .also(first.release.as_ref().unwrap_or(&first.anchor), "the other definition")
            .help("remove one of them (in values: apiService.create: false)");
    }
}
