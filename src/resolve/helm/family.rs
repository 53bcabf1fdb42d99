//! Which of the charts that are called metrics-server one is.

use semver::Version;

use crate::{
    data::{
        Family,
        charts::{self, ValueKey},
        version::{self, Constraint},
    },
    nearest::nearest,
    tree::Node,
};

/// The family of a chart, by the repository that it comes from, else by its version and by the
/// values that are given to it; `None` for a chart that is not known or that nothing tells apart.
///
/// `chart` is its name, or a path or OCI reference that ends with it. `repository` is a URL.
pub(crate) fn family(
    chart: &str,
    repository: Option<&str>,
    version: Option<&str>,
    values: &Node,
) -> Option<Family> {
    let chart = chart.trim_end_matches('/');
    let chart = chart.strip_suffix(".tgz").unwrap_or(chart);
    let (place, name) = chart.rsplit_once('/').unwrap_or(("", chart));
    if name != "metrics-server" && !is_archive(name) {
        return None;
    }
    let repository = repository.unwrap_or_default().trim_end_matches('/');
    let place = format!("{repository}/{place}");
    if place.contains("kubernetes-sigs") {
        return Some(Family::KubernetesSigs);
    }
    if [
        "charts.bitnami.com",
        "bitnamicharts",
        "github.com/bitnami",
        "githubusercontent.com/bitnami",
    ]
    .iter()
    .any(|it| place.contains(it))
        || place == "/bitnami"
    {
        return Some(Family::Bitnami);
    }
    if [Family::Stable.repository(), "kubernetes-charts.storage.googleapis.com"]
        .iter()
        .any(|it| place.contains(it))
        || place == "/stable"
    {
        return Some(Family::Stable);
    }
    by_version(version).or_else(|| by_values(values))
}

/// `metrics-server-3.12.2`, as an archive is called.
fn is_archive(name: &str) -> bool {
    name.strip_prefix("metrics-server-").is_some_and(|it| version::lenient(it).is_some())
}

/// Mirrors keep the versions of what they mirror. A version that one family alone has tells which; a
/// range, or a version that none has, is taken for what is newest there.
fn by_version(text: Option<&str>) -> Option<Family> {
    let constraint = Constraint::parse(text?)?;
    if let Some(exact) = constraint.exact() {
        let mut having = Family::ALL
            .into_iter()
            .filter(|family| charts::chart(*family).app_version(exact).is_some());
        match (having.next(), having.next()) {
            (Some(one), None) => return Some(one),
            (Some(_), Some(_)) => return None,
            (None, _) => {}
        }
    }
    let holds = |major, minor| constraint.holds(&Version::new(major, minor, 99));
    let major = |major| {
        (0..40).any(|minor| holds(major, minor)) || {
            constraint.exact().is_some_and(|it| it.major == major)
        }
    };
    match (major(2), major(3), (4..9).any(major)) {
        (true, false, false) => Some(Family::Stable),
        (false, true, false) => {
            let first = constraint.exact().is_none_or(|it| *it >= Version::new(3, 5, 0));
            first.then_some(Family::KubernetesSigs)
        }
        (false, false, true) if (5..8).any(major) => Some(Family::Bitnami),
        _ => None,
    }
}

/// Keys that only one family has.
fn by_values(values: &Node) -> Option<Family> {
    let has = |paths: &[&str]| paths.iter().any(|path| values.at(path).is_some());
    let bitnami = has(&[
        "extraArgs",
        "containerPorts",
        "securePort",
        "image.registry",
        "resourcesPreset",
        "pdb",
        "containerSecurityContext",
    ]);
    let sigs = has(&[
        "defaultArgs",
        "addonResizer",
        "metrics.enabled",
        "containerPort",
        "apiService.caBundle",
        "tls",
        "tmpVolume",
    ]);
    let repository = values.str_at("image.repository").unwrap_or_default();
    match (bitnami, sigs) {
        (true, false) => Some(Family::Bitnami),
        (false, true) => Some(Family::KubernetesSigs),
        (false, false) if repository.contains("bitnami") => Some(Family::Bitnami),
        (false, false) if repository.ends_with("metrics-server/metrics-server") => {
            Some(Family::KubernetesSigs)
        }
        _ => None,
    }
}

/// The values for a metrics-server chart in a file that nothing names, and the chart's family.
///
/// They are the whole file or, for a chart that depends on metrics-server's, what stands at a key
/// named after it. They pass a flag that only metrics-server has, or name its image; where the
/// file's path tells of it, it is enough that as many as `keys` are those of its chart.
pub(crate) fn recognize_values(root: &Node, keys: Option<usize>) -> Option<(&Node, Family)> {
    let map = root.as_map()?;
    if map.get("apiVersion").is_some() || map.get("kind").is_some() {
        return None;
    }
    let nested = map.iter().filter(|(key, _)| is_name(key)).map(|(_, entry)| &entry.value);
    let candidates: Vec<&Node> = [root].into_iter().chain(nested).collect();
    if let Some(values) = candidates.iter().find(|it| speaks_of_it(it)) {
        return Some((values, by_values(values).unwrap_or(Family::KubernetesSigs)));
    }
    candidates.into_iter().find_map(|values| Some((values, by_keys(values, keys?)?)))
}

/// The top-level values that no chart but metrics-server's has.
const ITS_OWN: &[&str] = &["addonResizer", "apiService", "defaultArgs"];

/// The family whose chart has the keys of `values`: as many as `wanted`, or one that only it has.
fn by_keys(values: &Node, wanted: usize) -> Option<Family> {
    let map = values.as_map()?;
    let known = Family::ALL.map(|family| {
        let keys = charts::chart(family).newest_keys();
        let Some(ValueKey::Map(keys)) = keys.as_deref() else { return (0, family) };
        // Where one is enough, one that is misspelt is.
        let meant = |key: &str| wanted == 1 && nearest(key, keys.keys().map(|it| &**it)).is_some();
        let has = |key: &str| key != "global" && (keys.contains_key(key) || meant(key));
        (map.iter().filter(|(key, _)| has(key)).count(), family)
    });
    // The first of those that have most.
    let (count, family) = known.into_iter().rev().max_by_key(|(count, _)| *count)?;
    let enough = count >= wanted || map.iter().any(|(key, _)| ITS_OWN.contains(&key));
    enough.then(|| by_values(values).unwrap_or(family))
}

/// A key under which values for metrics-server's chart stand, dependency or alias.
fn is_name(key: &str) -> bool {
    matches!(key, "metrics-server" | "metricsServer" | "metrics_server" | "metricsserver")
}

fn speaks_of_it(values: &Node) -> bool {
    let image = values.str_at("image.repository").unwrap_or_default();
    let image = image.rsplit('/').next().unwrap_or_default();
    let lists = ["args", "defaultArgs", "extraArgs"].iter().filter_map(|key| values.get(key));
    matches!(image, "metrics-server" | "metrics-server-amd64")
        || lists.into_iter().any(|list| {
            let items = list.items().iter().filter_map(|item| item.as_scalar());
            let keys = list.entries().map(|(key, _)| key);
            items.map(|item| &*item.text).any(|item| item.strip_prefix("--").is_some_and(is_flag))
                || keys.into_iter().any(is_flag)
        })
}

/// Whether `text` is a flag that no other program has, perhaps with its value.
fn is_flag(text: &str) -> bool {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    matches!(
        name,
        "kubelet-insecure-tls"
            | "kubelet-preferred-address-types"
            | "kubelet-use-node-status-port"
            | "kubelet-request-timeout"
            | "metric-resolution"
            | "deprecated-kubelet-completely-insecure"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        data::charts,
        tree::{Origin, Via},
    };

    #[test]
    fn by_where_it_comes_from() {
        let nothing = charts::from_json(&json!({}), &Origin::at(Via::Written, None));
        let of = |chart, repository, version| family(chart, repository, version, &nothing);
        let sigs = Some(Family::KubernetesSigs);
        let url = Some("https://kubernetes-sigs.github.io/metrics-server/");
        assert_eq!(of("metrics-server", url, None), sigs);
        assert_eq!(of("metrics-server", Some("oci://ghcr.io/me/mirror"), Some("3.12.2")), sigs);
        assert_eq!(
            of("oci://x.io/kubernetes-sigs.github.io/metrics-server/metrics-server", None, None),
            sigs
        );
        assert_eq!(of("metrics-server", Some("https://example.com"), Some("3.12.x")), sigs);
        assert_eq!(of("oci://example.com/kubernetes-sigs/metrics-server", None, None), sigs);
        assert_eq!(of("metrics-server", Some("https://example.com"), None), None);
        assert_eq!(of("metrics-server", Some("https://example.com"), Some(">=3.12.0")), None);
        assert_eq!(of("metrics-server", Some("https://example.com"), Some("3.3.0")), None);
        let bitnami = Some(Family::Bitnami);
        assert_eq!(of("bitnami/metrics-server", None, None), bitnami);
        assert_eq!(of("metrics-server", Some("https://charts.bitnami.com/bitnami"), None), bitnami);
        assert_eq!(
            of("oci://registry-1.docker.io/bitnamicharts/metrics-server", None, None),
            bitnami
        );
        assert_eq!(of("metrics-server", Some("https://example.com"), Some("~6.2")), bitnami);
        assert_eq!(of("metrics-server", Some("https://example.com"), Some("3.1.0")), bitnami);
        let stable = Some(Family::Stable);
        assert_eq!(of("metrics-server", Some("https://example.com"), Some("2.10.0")), stable);
        // Both families have this one.
        assert_eq!(of("metrics-server", Some("https://example.com"), Some("2.1.1")), None);
        assert_eq!(of("stable/metrics-server", None, None), stable);
        assert_eq!(of("metrics-server", Some("https://charts.helm.sh/stable"), None), stable);
        assert_eq!(of("rke2-metrics-server", Some("https://rke2-charts.rancher.io"), None), None);
        assert_eq!(of("prometheus", url, None), None);
    }

    #[test]
    fn values_files_are_known_by_what_they_say() {
        let of = |values: serde_json::Value| {
            let root = charts::from_json(&values, &Origin::at(Via::Written, None));
            recognize_values(&root, None).map(|(values, family)| (values.to_json(), family))
        };
        let values = json!({"args": ["--kubelet-insecure-tls"], "replicas": 2});
        let sigs = Family::KubernetesSigs;
        assert_eq!(of(values.clone()), Some((values.clone(), sigs)));
        assert_eq!(of(json!({"metrics-server": values, "redis": {}})), Some((values, sigs)));
        let map = json!({"extraArgs": {"kubelet-insecure-tls": true}});
        assert_eq!(of(map.clone()), Some((map, Family::Bitnami)));
        let image = json!({"image": {"repository": "mirror.io/x/metrics-server"}});
        assert_eq!(of(image.clone()), Some((image, sigs)));

        assert_eq!(of(json!({"args": ["--v=2"], "replicas": 2})), None);
        assert_eq!(of(json!({"image": {"repository": "prometheus/node-exporter"}})), None);
        assert_eq!(of(json!({"metrics-server": {"enabled": true}})), None);
        assert_eq!(of(json!({"apiVersion": "v1", "args": ["--kubelet-insecure-tls"]})), None);
        assert_eq!(of(json!(["--kubelet-insecure-tls"])), None);
    }

    #[test]
    fn values_files_are_known_by_their_keys_where_their_path_says_so() {
        let by = |keys: usize, values: serde_json::Value| {
            let root = charts::from_json(&values, &Origin::at(Via::Written, None));
            recognize_values(&root, Some(keys)).map(|(values, family)| (values.to_json(), family))
        };
        let of = |values| by(2, values);
        let sigs = Family::KubernetesSigs;
        let values = json!({"replicas": 2, "podDisruptionBudget": {"minAvailabel": 1}});
        assert_eq!(of(values.clone()), Some((values.clone(), sigs)));
        let nested = json!({"metrics-server": values, "namespace": "kube-system"});
        assert_eq!(of(nested), Some((values, sigs)));
        let own = json!({"apiService": {"create": true}});
        assert_eq!(of(own.clone()), Some((own, sigs)));
        let bitnami = json!({"resourcesPreset": "nano", "pdb": {"create": false}});
        assert_eq!(of(bitnami.clone()), Some((bitnami, Family::Bitnami)));

        assert_eq!(of(json!({"resources": {"limits": {"memory": "64Mi"}}})), None);
        assert_eq!(of(json!({"name": "metrics-server", "version": "3.12.2", "global": {}})), None);
        assert_eq!(of(json!({"kind": "x", "replicas": 2, "resources": {}})), None);

        let one = json!({"resources": {"limits": {"memory": "64Mi"}}});
        assert_eq!(by(1, one.clone()), Some((one, sigs)));
        let misspelt = json!({"arg": ["--v=2"]});
        assert_eq!(by(1, misspelt.clone()), Some((misspelt, sigs)));
        assert_eq!(by(1, json!({"name": "metrics-server", "version": "3.12.2"})), None);
    }

    #[test]
    fn by_the_values_that_it_takes() {
        let of = |values| {
            let values = charts::from_json(&values, &Origin::at(Via::Written, None));
            family("metrics-server", None, None, &values)
        };
        assert_eq!(of(json!({"defaultArgs": []})), Some(Family::KubernetesSigs));
        assert_eq!(of(json!({"extraArgs": ["--v=2"]})), Some(Family::Bitnami));
        assert_eq!(of(json!({"replicas": 2})), None);
        assert_eq!(of(json!({"defaultArgs": [], "extraArgs": []})), None);
    }
}
