use semver::Version;

use crate::{
    data::flags,
    finding::{Change, Findings},
    model::{Arg, Cluster, MetricsServer},
    nearest::{nearest, only_one_edit_away},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        for arg in server.args.value().into_iter().flatten() {
            // After this, everything is an argument, and metrics-server ignores those.
            if arg.text == "--" {
                break;
            }
            // `image-differs-from-chart` says what there is to say of the chart's own.
            if arg.origin.is_default() && server.differs_from_chart().is_some() {
                continue;
            }
            check_arg(server, arg, findings);
        }
    }
}

fn check_arg(server: &MetricsServer, arg: &Arg, findings: &mut Findings) {
    let (Some(flag), Some(newest)) = (arg.text.strip_prefix("--"), server.versions.last()) else {
        return;
    };
    let name = flag.split('=').next().unwrap_or(flag);
    // One that nobody can tell is there may never reach the program, and a script may fill in `$X`,
    // `@X@` or `%X%`. Kubernetes leaves a `$(X)` as it is that no variable defines.
    let word = name.split(' ').next().unwrap_or(name).replace("$(", "");
    if arg.perhaps || word.contains(['$', '@', '%']) {
        return;
    }
    let refused = |version| flags::accepts(version, name) == Some(false);
    if name.is_empty() || name == "help" || !server.versions.iter().all(refused) {
        return;
    }
    let at = arg.origin.or(&server.anchor);
    let subject = format!("{} --{name}", server.subject());
    let message = format!("metrics-server {newest} has no flag --{name}, and does not start");
    let finding = findings.at(&at, &subject, message);
    finding.weigh([newest.major, newest.minor, newest.patch]);
    let runs = flags::runs(name);
    // Both words in one item of the list are one flag to the program.
    if let Some((start, value)) = name.split_once(' ') {
        finding.help(format!("write --{start}={}", value.trim()));
        let gap = name[start.len()..].trim_end_matches(value.trim());
        let (old, new) = (format!("{start}{gap}"), format!("{start}="));
        finding.safe_fix(&[name, start], [Change::part(&arg.origin, old, new)]);
    } else if let Some(run) = runs.iter().find(|run| run.first > *newest) {
        finding.help(format!("remove it, or use metrics-server {} or newer", run.first));
    } else if let Some(last) = runs.last().and_then(|run| run.last.as_ref()) {
        finding.help(format!("remove it: {last} was the last version that had it"));
        finding.safe_fix(&[name], [Change::remove(&arg.origin)]);
    } else if let Some(near) = nearest(name, flags::names().filter(|it| has(newest, it))) {
        finding.help(format!("write --{near} if that is what is meant"));
        let is_sure = only_one_edit_away(name, flags::names().filter(|it| has(newest, it)));
        // Verification is not taken away by a guess.
        if is_sure == Some(near) && near != "kubelet-insecure-tls" {
            finding.unsafe_fix(&[name, near], [Change::part(&arg.origin, name, near)]);
        }
    } else {
        finding.help("remove it");
    }
}

fn has(version: &Version, flag: &str) -> bool {
    flags::accepts(version, flag) == Some(true)
}
