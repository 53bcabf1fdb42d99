use crate::{
    finding::{Change, Findings},
    model::{Cluster, Duration},
    tree::{Origin, Via},
};

/// The interval of upstream's manifests up to 0.4, and the program's own default.
const USUAL: u32 = 60;

/// What is older than this tells an autoscaler little.
const MOST: u32 = 300;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some((resolution, origin)) = server.metric_resolution.known() else { continue };
        let by_default = origin.last().via == Via::FlagDefault;
        let at =
            if by_default { server.lacks("metric-resolution") } else { origin.or(&server.anchor) };
        let change = match by_default {
            true => server.args.origin().and_then(|it| Change::item(it, "--metric-resolution=15s")),
            false => Change::part(origin, resolution.to_string(), "15s"),
        };
        let mended = ["metric_resolution"];
        // The second of two rounds starts one resolution after the first; metrics-server is ready
        // when it has both.
        let waits = server.release_timeout.known();
        let too_short = |(timeout, _): &(&Duration, &Origin)| 2 * resolution.nanos >= timeout.nanos;
        if let Some((timeout, waits_at)) = waits.filter(too_short) {
            let message = format!(
                "--metric-resolution={resolution}: metrics-server is ready after two rounds, and \
                 the release waits {timeout} for it"
            );
            let mends = 2 * Duration::seconds(15).nanos < timeout.nanos;
            let help = match mends {
                true => "set --metric-resolution=15s, or give the release more time",
                false => "give the release more time",
            };
            findings
                .at(&at, &server.subject(), message)
                .variant("release")
                .help(help)
                .unsafe_fix(&mended, [change.filter(|_| mends)])
                .also(waits_at, format!("the release waits {timeout}"));
        } else if *resolution > Duration::seconds(MOST) {
            let message = format!(
                "--metric-resolution={resolution}: autoscalers act on metrics that are as old as that"
            );
            findings
                .at(&at, &server.subject(), message)
                .variant("old")
                .help("set --metric-resolution=15s")
                .unsafe_fix(&mended, [change]);
        } else if by_default || *resolution > Duration::seconds(USUAL) {
            let why = if by_default { " without --metric-resolution" } else { "" };
            findings
                .at(&at, &server.subject(), format!("metrics are up to {resolution} old{why}"))
                .variant("usual")
                .help("set --metric-resolution=15s, as upstream does")
                .unsafe_fix(&mended, [change])
                .pedantic();
        }
    }
}
