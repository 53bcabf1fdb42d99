use crate::{
    finding::{Change, Findings},
    model::{Arg, Argument, Cluster, MetricsServer},
    tree::Via,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        // What nobody can tell may be one more list.
        let Some(effective) = server.kubelet_preferred_address_types.value() else { continue };
        let lists = lists(server);
        let ([(had, first), ..], [.., (wanted, last)]) = (&*lists, &*lists) else { continue };
        let starts = |(index, it): (usize, &str)| effective.split(',').nth(index) == Some(it);
        if lists.len() < 2 || unique(wanted).into_iter().enumerate().all(starts) {
            continue;
        }
        let by_chart = first.origin.last().via == Via::ChartDefault;
        let finding = findings
            .at(
                &last.origin.or(&server.anchor),
                &server.subject(),
                format!(
                    "a second --kubelet-preferred-address-types appends to the first: the order is {effective}"
                ),
            )
            .also(&first.origin, if by_chart { "the chart's own list" } else { "the first list" })
            .help(match by_chart {
                true => "set the order in defaultArgs instead of args, beside the other flags that are there",
                false => "pass one list",
            });
        let in_one_item = |it: &Arg| it.text.starts_with("--kubelet-preferred-address-types=");
        let first_becomes = match by_chart {
            // What the chart passes is repeated, since a list replaces all of it.
            true => Change::beside(&last.origin, 2, "defaultArgs", defaults(server, first, wanted)),
            false => Change::part(&first.origin, *had, *wanted),
        };
        if lists.len() == 2 && in_one_item(first) && in_one_item(last) {
            finding.unsafe_fix(
                &["kubelet_preferred_address_types"],
                [first_becomes, Change::remove(&last.origin)],
            );
        }
    }
}

/// The `defaultArgs` of kubernetes-sigs' chart, with `wanted` in place of the list in `first`.
fn defaults(server: &MetricsServer, first: &Arg, wanted: &str) -> Vec<String> {
    let args = server.args.value().into_iter().flatten();
    // The chart makes the port of a value of its own.
    let args = args.filter(|it| {
        it.origin.last().via == Via::ChartDefault && !it.text.starts_with("--secure-port=")
    });
    let replaced = |it: &Arg| match it == first {
        true => format!("--kubelet-preferred-address-types={wanted}"),
        false => it.text.clone(),
    };
    args.map(replaced).collect()
}

/// The lists that are passed, in order.
fn lists(server: &MetricsServer) -> Vec<(&str, &Arg)> {
    let list = |passed| match passed {
        Argument::Flag { name: "kubelet-preferred-address-types", value, .. } => value,
        _ => None,
    };
    server.arguments().into_iter().filter_map(list).collect()
}

/// The types of a list, each where it comes first.
fn unique(list: &str) -> Vec<&str> {
    let mut types = Vec::new();
    for one in list.split(',').filter(|it| !it.is_empty()) {
        if !types.contains(&one) {
            types.push(one);
        }
    }
    types
}
