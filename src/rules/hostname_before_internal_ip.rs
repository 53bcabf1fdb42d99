use super::invalid_flag_value::ADDRESS_TYPES;
use crate::{
    finding::{Change, Findings, Severity},
    model::Cluster,
};

/// The address types that are names.
const NAMES: [&str; 3] = ["Hostname", "InternalDNS", "ExternalDNS"];

/// Platforms on which the names of nodes resolve inside of pods, since the cloud's DNS has them.
const NAMED: [&str; 2] = ["EKS", "kOps"];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in cluster.metrics_servers.iter().filter(|it| !it.managed) {
        let Some((types, origin)) = server.kubelet_preferred_address_types.known() else {
            continue;
        };
        let known: Vec<&str> = types.split(',').filter(|it| ADDRESS_TYPES.contains(it)).collect();
        let internal = known.iter().position(|it| *it == "InternalIP");
        let name = known.iter().position(|it| NAMES.contains(it));
        let (variant, message) = match (internal, name) {
            (None, None) if known.is_empty() => continue,
            (None, None) => (
                "external",
                "metrics-server reaches nodes by their external addresses alone".to_owned(),
            ),
            (Some(internal), Some(name)) if name > internal => continue,
            (Some(_), None) => continue,
            (_, Some(name)) => {
                let name = known[name];
                let message =
                    format!("nodes are asked by {name} first, which the pod has to resolve");
                ("name", message)
            }
        };
        let by_default = origin.is_default();
        // Of several flags the first list decides what comes first.
        let decides = origin.of_item(known[0]);
        let finding = findings
            .at(&decides.or(&server.anchor), &server.subject(), message)
            .variant(variant)
            .help(match by_default {
                true => "pass --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
                false => "put InternalIP first",
            });
        if by_default {
            finding.note("the program's own order is Hostname,InternalDNS,InternalIP");
        }
        // The names may resolve, or a certificate may hold nothing else.
        let named = cluster.platform.as_ref().is_some_and(|it| NAMED.contains(&it.name));
        if by_default || named || server.kubelet_certificate_authority.value().is_some() {
            finding.at_most(Severity::Note);
        } else {
            let others = types.split(',').filter(|it| *it != "InternalIP");
            let order: Vec<&str> = ["InternalIP"].into_iter().chain(others).collect();
            let change = Change::part(origin, &**types, order.join(","));
            finding.unsafe_fix(&["kubelet_preferred_address_types"], [change]);
        }
        if let Some((evidence, at)) = &cluster.local {
            finding.also(at, evidence).expected_locally();
        }
    }
}
