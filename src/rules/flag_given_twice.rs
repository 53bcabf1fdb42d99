use std::collections::BTreeMap;

use crate::{
    data::flags::{self, FlagKind},
    finding::Findings,
    model::{Arg, Argument, Cluster, MetricsServer},
    tree::Via,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        // What nobody can tell may be the one that counts.
        let untold = |it: &Argument<'_>| matches!(it, Argument::Untold(_));
        if server.arguments().iter().any(untold) {
            continue;
        }
        for (name, passed) in passed(server) {
            let [.., (overruled, first), (value, last)] = &*passed else { continue };
            // A chart's own flags are there to be overruled.
            if overruled == value || first.origin.last().via == Via::ChartDefault {
                continue;
            }
            findings
                .at(
                    &first.origin.or(&server.anchor),
                    &format!("{} --{name}", server.subject()),
                    format!("--{name} is given twice: it is {value}, not {overruled}"),
                )
                .also(&last.origin, "this one counts")
                .help("remove one of the two");
        }
    }
}

/// The flags of which the last one counts, each with what it is given and where.
fn passed(server: &MetricsServer) -> BTreeMap<&str, Vec<(&str, &Arg)>> {
    let mut passed: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for argument in server.arguments() {
        let Argument::Flag { name, value, arg } = argument else { continue };
        let kind = flags::kind(name);
        let value = match (kind, value) {
            (None | Some(FlagKind::List), _) => continue,
            (_, Some((value, at))) if at.unknown.is_none() => value,
            (Some(FlagKind::Boolean), None) => "true",
            _ => continue,
        };
        passed.entry(name).or_default().push((value, arg));
    }
    passed
}
