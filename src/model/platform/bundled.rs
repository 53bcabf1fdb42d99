//! A metrics-server that a platform or an installer brings along.

use crate::{
    model::{Fact, MetricsServer},
    tree::{Origin, Via, Why},
};

/// The one that `platform` brings along, as `anchor` says; nothing else is known of it.
///
/// A carrier then fills in what its settings imply.
pub(super) fn metrics_server(platform: &str, namespace: &str, anchor: &Origin) -> MetricsServer {
    let why: Why = format!("{platform} decides").into();
    macro_rules! unknown {
        ($($name:ident)*) => {
            MetricsServer {
                name: "metrics-server".into(),
                namespace: namespace.into(),
                via: "bundled",
                chart: None,
                anchor: anchor.clone(),
                managed: true,
                suspended: false,
                resizer: None,
                versions: Vec::new(),
                $($name: Fact::Unknown(why.clone(), Some(anchor.clone()))),*
            }
        };
    }
    unknown![
        kind image image_tag args kubelet_insecure_tls kubelet_certificate_authority
        kubelet_preferred_address_types kubelet_use_node_status_port kubelet_request_timeout
        metric_resolution secure_port container_port host_network replicas strategy_type
        strategy_max_unavailable strategy_max_surge pdb_min_available pdb_max_unavailable
        priority_class cpu_request cpu_limit memory_request memory_limit tls_cert_file
        api_service_insecure_skip_tls_verify api_service_ca_bundle
    ]
}

/// A value that the platform chooses because of what stands at `anchor`.
pub(super) fn implied<T>(value: T, anchor: &Origin) -> Fact<T> {
    Fact::Known(value, origin(anchor))
}

/// The origin of what a platform or program does because of what stands at `anchor`.
pub(super) fn origin(anchor: &Origin) -> Origin {
    Origin::at(Via::PlatformDefault, anchor.written_at())
}
