use crate::{finding::Findings, model::Cluster};

const SECOND: i128 = 1_000_000_000;

/// What pulling the image, starting and a first probe may take.
const START: i128 = 60 * SECOND;

/// metrics-server is ready when it has read twice, the first time as it starts (`runScrape` of
/// `pkg/server/server.go`, `metrics-server#1031`). Of a release that does not even wait that long
/// `metric-resolution-too-large` speaks.
pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let (Some((timeout, waits)), Some((resolution, reads))) =
            (server.release_timeout.known(), server.metric_resolution.known())
        else {
            continue;
        };
        let rounds = 2 * resolution.nanos;
        if resolution.nanos <= 0 || timeout.nanos <= rounds || timeout.nanos >= rounds + START {
            continue;
        }
        let at = if waits.written_at().is_some() { waits } else { reads };
        let finding = findings.at(
            &at.or(&server.anchor),
            &server.subject(),
            format!(
                "Flux waits {timeout}, and metrics-server is ready after two rounds of {resolution}: \
                 little time is left to pull the image and start"
            ),
        );
        finding.help("set a longer timeout, or a lower --metric-resolution");
        if at == waits {
            finding.also(reads, format!("metrics-server reads every {resolution}"));
        }
    }
}
