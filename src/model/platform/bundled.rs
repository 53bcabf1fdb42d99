//! A metrics-server that a platform or an installer brings along.

use crate::{
    model::{Fact, MetricsServer, MetricsServerFacts},
    tree::{Origin, Via, Why},
};

/// The one that `platform` brings along, as `anchor` says; nothing else is known of it.
///
/// A carrier then fills in what its settings imply.
pub(super) fn metrics_server(platform: &str, namespace: &str, anchor: &Origin) -> MetricsServer {
    let why: Why = format!("{platform} decides").into();
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
        facts: MetricsServerFacts::unknown(&why, anchor),
    }
}

/// A value that the platform chooses because of what stands at `anchor`.
pub(super) fn implied<T>(value: T, anchor: &Origin) -> Fact<T> {
    Fact::Known(value, origin(anchor))
}

/// The origin of what a platform or program does because of what stands at `anchor`.
pub(super) fn origin(anchor: &Origin) -> Origin {
    Origin::at(Via::PlatformDefault, anchor.written_at())
}
