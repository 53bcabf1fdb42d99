use indexmap::IndexMap;

use crate::{
    finding::{Change, Findings, Severity},
    model::{Cluster, RemovedApiVersion},
    tree::Via,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    // A chart's version or a URL may bring several objects.
    let mut places: IndexMap<_, Vec<&RemovedApiVersion>> = IndexMap::new();
    for it in &cluster.removed_api_versions {
        places.entry((it.origin.written_at(), &it.api_version)).or_default().push(it);
    }
    let kubernetes = cluster.kubernetes.known();
    for objects in places.into_values() {
        let Some(first) = objects.first() else { continue };
        let (api, by) = (&first.api_version, &first.by);
        if kubernetes.is_some_and(|(version, _)| version < by) {
            continue;
        }
        let mut kinds: Vec<&str> = objects.iter().map(|it| &*it.kind).collect();
        kinds.dedup();
        let (is, kinds) = (if objects.len() == 1 { "is" } else { "are" }, kinds.join(" and "));
        let finding = findings
            .at(
                &first.origin,
                &format!("{kinds} {}", first.name),
                format!(
                    "{kinds} {is} of {api}, which Kubernetes removed in {}.{}",
                    by.major, by.minor
                ),
            )
            .help(match (first.origin.last().via, first.instead) {
                (Via::ChartDefault, _) => {
                    "use a newer version of the chart, or the chart of kubernetes-sigs".to_owned()
                }
                (Via::UpstreamManifest, Some("policy/v1")) => {
                    "use high-availability-1.21+.yaml, of v0.6.3 or newer".to_owned()
                }
                (Via::UpstreamManifest, _) => "use the manifests of a newer release".to_owned(),
                (_, Some(api)) => format!("write apiVersion: {api}"),
                (_, None) => "remove it: there is no such kind any more".to_owned(),
            });
        if let Some(instead) = first.instead
            && objects.iter().all(|it| it.means_the_same)
        {
            let (settings, change) =
                (["removed_api_version"], Change::value(&first.origin, instead));
            // Kubernetes has `policy/v1` since 1.21 only; the others are older than what is in use.
            match kubernetes.is_some() || instead != "policy/v1" {
                true => finding.safe_fix(&settings, [change]),
                false => finding.unsafe_fix(&settings, [change]),
            };
        }
        match kubernetes {
            Some((version, at)) => {
                let version = format!("Kubernetes is {}.{} here", version.major, version.minor);
                finding.also(at, version);
            }
            None => _ = finding.at_most(Severity::Warning),
        }
    }
}
