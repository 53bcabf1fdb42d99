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
        if lists.len() == 2 && in_one_item(first) && in_one_item(last) {
            finding.unsafe_fix(
                &["kubelet_preferred_address_types"],
                [Change::part(&first.origin, *had, *wanted), Change::remove(&last.origin)],
            );
        }
    }
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
