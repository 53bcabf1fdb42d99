use std::fmt::Display;

use crate::{
    finding::{Change, Findings},
    model::{Cluster, Fact, Memory, MetricsServer},
    sizing,
    tree::Via,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    let needed = sizing::needed(cluster).map(|it| it.limit);
    for server in &cluster.metrics_servers {
        let (request, limit) = (&server.memory_request, &server.memory_limit);
        // Of an amount without its unit is said what it lacks.
        if !limit.known().is_some_and(|(it, _)| it.lacks_unit()) {
            // Where the cluster needs more, `memory-limit-too-low` writes that.
            let suffices = |it: &Memory| needed.as_ref().is_none_or(|needed| it >= needed);
            compare("memory", request, limit, (|it| it.bytes, &suffices), server, findings);
        }
        let (request, limit) = (&server.cpu_request, &server.cpu_limit);
        compare("CPU", request, limit, (|it| it.millis, &|_| true), server, findings);
    }
}

/// Whether as much as that is enough.
type Suffices<'a, T> = &'a dyn Fn(&T) -> bool;

fn compare<T: Display>(
    resource: &str,
    request: &Fact<T>,
    limit: &Fact<T>,
    (amount, suffices): (fn(&T) -> u64, Suffices<'_, T>),
    server: &MetricsServer,
    findings: &mut Findings,
) {
    let (Some((request, requested)), Some((limit, limited))) = (request.known(), limit.known())
    else {
        return;
    };
    let missing = amount(request).saturating_sub(amount(limit));
    if missing == 0 {
        return;
    }
    let (variant, whose) = match requested.last().via {
        Via::ChartDefault => ("chart-default", " that is the chart's default"),
        _ => ("", ""),
    };
    // A person edits what a person wrote; the limit when both are somebody's.
    let (at, label, other, other_label) = match limited.is_default() {
        true => (requested, "the request", limited, format!("the limit is {limit}")),
        false => (limited, "the limit", requested, format!("the request is {request}")),
    };
    let finding = findings
        .at(
            &at.or(&server.anchor),
            &format!("{} {resource}", server.subject()),
            format!("the {resource} limit of {limit} is below the request of {request}{whose}"),
        )
        .variant(variant)
        .weigh([missing])
        .label(label)
        .also(other, other_label)
        .help(format!("raise the limit to {request} or lower the request to {limit}"));
    let settings = match resource {
        "memory" => ["memory_limit", "memory_request"],
        _ => ["cpu_limit", "cpu_request"],
    };
    // What nobody asked for gives way; else what was asked for is granted.
    let gives_way = requested.is_default();
    if !suffices(if gives_way { limit } else { request }) {
        return;
    }
    let change = match gives_way {
        true => {
            let path = format!("requests.{}", resource.to_lowercase());
            Change::beside(limited, 2, &path, limit.to_string())
        }
        false => Change::value(limited, request.to_string()),
    };
    finding.unsafe_fix(&settings, [change]);
}
