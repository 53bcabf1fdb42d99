use semver::Version;

use crate::{
    finding::{Change, Findings, Severity},
    model::{Cluster, Duration, Fact, MetricsServer},
    tree::Origin,
};

/// `metric-resolution should be a time duration at least 10s`, since 0.5.0
/// (`cmd/metrics-server/app/options/options.go`).
const LEAST: u32 = 10;

/// `--kubelet-request-timeout` unless it is passed.
const DEFAULT_TIMEOUT: u32 = 10;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some((resolution, origin)) = server.metric_resolution.known() else { continue };
        let at = origin.or(&server.anchor);
        let oldest = server.versions.first();
        if *resolution < Duration::seconds(LEAST) {
            below_the_least(server, oldest, resolution, &at, findings);
        } else if oldest.is_some_and(|version| *version >= Version::new(0, 7, 0)) {
            below_the_timeout(server, resolution, &at, findings);
        }
    }
}

fn below_the_least(
    server: &MetricsServer,
    oldest: Option<&Version>,
    resolution: &Duration,
    at: &Origin,
    findings: &mut Findings,
) {
    let fatal = oldest.map(|version| *version >= Version::new(0, 5, 0));
    let (variant, consequence) = match fatal {
        Some(true) => ("fatal", "metrics-server does not start with less than 10s"),
        Some(false) => {
            ("useless", "kubelets measure every 10s at most, and metrics-server 0.5.0 refuses it")
        }
        None => {
            ("unknown-version", "metrics-server 0.5.0 and newer do not start with less than 10s")
        }
    };
    let finding = findings
        .at(at, &server.subject(), format!("--metric-resolution={resolution}: {consequence}"))
        .variant(variant)
        .help("set --metric-resolution=15s")
        .safe_fix(&["metric_resolution"], [Change::part(at, resolution.to_string(), "15s")]);
    if fatal != Some(true) {
        finding.at_most(Severity::Warning);
    }
}

/// Since 0.7.0: `metric-resolution should be larger than kubelet-request-timeout`, where nine
/// tenths of the resolution count.
fn below_the_timeout(
    server: &MetricsServer,
    resolution: &Duration,
    at: &Origin,
    findings: &mut Findings,
) {
    let default = Duration::seconds(DEFAULT_TIMEOUT);
    let (timeout, timeout_at) = match &server.kubelet_request_timeout {
        Fact::Known(timeout, origin) => (timeout, Some(origin)),
        Fact::Absent(by) => (&default, by.as_ref()),
        Fact::Unknown(..) | Fact::Invalid { .. } => return,
    };
    let most = resolution.nanos * 9 / 10;
    if most >= timeout.nanos {
        return;
    }
    let most = seconds(most);
    let written = timeout_at.filter(|origin| !origin.is_default());
    let (variant, default) = match written {
        None => ("default-timeout", ", its default"),
        Some(_) => ("timeout", ""),
    };
    let finding = findings
        .at(
            at,
            &server.subject(),
            format!(
                "--metric-resolution={resolution} allows --kubelet-request-timeout at most {most}, \
                 but it is {timeout}{default}: metrics-server does not start"
            ),
        )
        .variant(variant)
        .weigh([u64::try_from(timeout.nanos).unwrap_or_default()])
        .help(format!("set --metric-resolution=15s, or --kubelet-request-timeout={most} or less"));
    if let Some(origin) = written {
        finding.also(origin, format!("the timeout, of which at most {most} fits"));
    }
}

/// That many nanoseconds as whole milliseconds, written as Go reads them.
fn seconds(nanos: i128) -> String {
    let millis = nanos / 1_000_000;
    if millis % 1000 == 0 { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}
