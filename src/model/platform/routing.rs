//! API servers of kubeadm, and whether they ask each replica behind the Metrics API by itself.

use crate::{
    model::{
        ApiServer, Fact,
        platform::{self, Input, Platform},
    },
    tree::{Node, Reason},
};

/// The flag of kube-apiserver; false by default.
const FLAG: &str = "enable-aggregator-routing";

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    for document in input.kind("kubeadm.k8s.io", "ClusterConfiguration") {
        platform.api_servers.push(ApiServer {
            aggregator_routing: routing(document.node),
            anchor: platform::anchor(document.node),
        });
    }
}

/// The flag in `apiServer.extraArgs`: a map, since v1beta4 a list of names and values.
fn routing(node: &Node) -> Fact<bool> {
    let args = match node.look("apiServer.extraArgs") {
        Err((why, at)) => return Fact::Unknown(why, Some(at)),
        Ok(None) => return Fact::Absent(None),
        Ok(Some(args)) => args,
    };
    let untold = args.as_map().and_then(|it| it.open.clone());
    let items = args.items();
    let untold =
        untold.or_else(|| items.iter().find_map(|it| it.look("name").err()).map(|it| it.0));
    let listed = items.iter().rfind(|it| it.str_at("name") == Some(FLAG));
    let Some(value) = args.get(FLAG).or_else(|| listed?.get("value")) else {
        return match untold {
            Some(why) => Fact::Unknown(why, Some(args.origin.clone())),
            None => Fact::Absent(None),
        };
    };
    match value.as_scalar().map(|it| it.text.to_string()).as_deref() {
        Some("true") => Fact::Known(true, value.origin.clone()),
        Some("false") => Fact::Known(false, value.origin.clone()),
        _ => Fact::Unknown(Reason::from("it is no boolean"), Some(value.origin.clone())),
    }
}
