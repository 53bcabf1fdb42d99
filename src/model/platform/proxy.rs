//! API servers of kubeadm that are given a proxy: they ask for the Metrics API at the address of a
//! service, which the proxy does not know (metrics-server's issue 543).

use std::net::Ipv4Addr;

use crate::{
    model::{
        Proxy,
        platform::{Input, Platform},
    },
    placeholder::has_placeholder,
    tree::Node,
};

/// kubeadm's default for `networking.serviceSubnet`.
const SERVICES: &str = "10.96.0.0/12";

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    for document in input.kind("kubeadm.k8s.io", "ClusterConfiguration") {
        platform.proxies.extend(proxy(document.node));
    }
}

/// The proxy of a `ClusterConfiguration`, if it is certain to be asked for services.
fn proxy(node: &Node) -> Option<Proxy> {
    let env = node.look("apiServer.extraEnvs").ok()??.as_list()?;
    let variable = |name: &str| {
        let named = |it: &&Node| it.str_at("name").is_some_and(|it| it.eq_ignore_ascii_case(name));
        env.iter().rfind(named)
    };
    let https = variable("HTTPS_PROXY")?;
    let value = https.get("value")?;
    value.as_str().filter(|it| !it.is_empty())?;
    let services = match node.look("networking.serviceSubnet").ok()? {
        Some(subnet) => subnet.as_str()?,
        None => SERVICES,
    };
    // Of two families, the first is that of metrics-server's service.
    let wanted = Network::parse(services.split(',').next()?.trim())?;
    let without = variable("NO_PROXY");
    if let Some(without) = without {
        let text = without.str_at("value")?;
        let mut parts = text.split(',').map(str::trim);
        if has_placeholder(text)
            || parts.any(|it| it == "*" || Network::parse(it).is_some_and(|it| it.holds(&wanted)))
        {
            return None;
        }
    }
    Some(Proxy {
        variable: (https.str_at("name")?.to_owned(), value.origin.clone()),
        services: services.to_owned(),
        exceptions: without.and_then(|it| it.get("value")).map(|it| it.origin.clone()),
    })
}

/// A network of IPv4 addresses.
struct Network {
    address: u32,
    length: u32,
}

impl Network {
    /// `10.96.0.0/12`
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address: Ipv4Addr = address.parse().ok()?;
        let length = length.parse().ok().filter(|it| *it <= u32::BITS)?;
        Some(Self { address: address.into(), length })
    }

    /// Whether all of `other` lies in it.
    fn holds(&self, other: &Self) -> bool {
        let net = |address: u32| address.checked_shr(u32::BITS - self.length).unwrap_or(0);
        self.length <= other.length && net(self.address) == net(other.address)
    }
}
