//! API versions that Kubernetes removed, of the objects of metrics-server and of approvers.

use semver::Version;

use crate::{
    data::subject::is_named_in,
    model::{RemovedApiVersion, workload},
    resolve::environment::{Environment, Object},
    tree::Node,
};

/// API version, kinds (all, if none is named), the release of Kubernetes that removed it, and what
/// took its place. <https://kubernetes.io/docs/reference/using-api/deprecation-guide/>
const REMOVED: &[(&str, &[&str], u64, Option<&str>)] = &[
    ("apiregistration.k8s.io/v1beta1", &[], 22, Some("apiregistration.k8s.io/v1")),
    ("apps/v1beta1", &[], 16, Some("apps/v1")),
    ("apps/v1beta2", &[], 16, Some("apps/v1")),
    ("autoscaling/v2beta1", &[], 25, Some("autoscaling/v2")),
    ("autoscaling/v2beta2", &[], 26, Some("autoscaling/v2")),
    ("batch/v1beta1", &["CronJob"], 25, Some("batch/v1")),
    ("extensions/v1beta1", &["Deployment", "DaemonSet", "ReplicaSet"], 16, Some("apps/v1")),
    ("extensions/v1beta1", &["NetworkPolicy"], 16, Some("networking.k8s.io/v1")),
    ("extensions/v1beta1", &["PodSecurityPolicy"], 16, None),
    ("policy/v1beta1", &["PodDisruptionBudget"], 25, Some("policy/v1")),
    ("policy/v1beta1", &["PodSecurityPolicy"], 25, None),
    ("rbac.authorization.k8s.io/v1beta1", &[], 22, Some("rbac.authorization.k8s.io/v1")),
];

/// The objects in `environment` that newer clusters refuse.
pub(super) fn removed(environment: &Environment) -> Vec<RemovedApiVersion> {
    environment.objects.iter().filter_map(|it| of_object(environment, it)).collect()
}

fn of_object(environment: &Environment, object: &Object) -> Option<RemovedApiVersion> {
    let api = object.node.get("apiVersion")?;
    let version = api.as_str()?;
    let of_kind = |kinds: &[&str]| kinds.is_empty() || kinds.contains(&object.kind());
    let (_, _, minor, instead) =
        REMOVED.iter().find(|(it, kinds, ..)| *it == version && of_kind(kinds))?;
    let release = environment.release_of(object);
    let is_ours = release.is_some_and(|it| it.family.is_some())
        || is_named_in(object.name())
        || workload::container(&object.node).is_some();
    is_ours.then(|| RemovedApiVersion {
        kind: object.kind().to_owned(),
        name: object.name().to_owned(),
        api_version: version.to_owned(),
        by: Version::new(1, *minor, 0),
        instead: *instead,
        means_the_same: means_the_same(&object.node, version),
        origin: api.origin.or(&release.map_or_else(|| object.anchor(), |it| it.anchor.clone())),
    })
}

/// Whether `object` of a removed version means the same in the one that took its place.
fn means_the_same(object: &Node, version: &str) -> bool {
    match version {
        "apiregistration.k8s.io/v1beta1" | "rbac.authorization.k8s.io/v1beta1" => true,
        // An empty selector selects no pods there, and all pods in `policy/v1`.
        "policy/v1beta1" => {
            let labels = object.at("spec.selector.matchLabels").and_then(Node::as_map);
            labels.is_some_and(|it| !it.is_empty())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, pipeline::analyze, tests::fixture};

    fn removed(files: &str) -> Vec<String> {
        let (_, clusters) = analyze(&fixture(files), &Config::default());
        let all = clusters.iter().flat_map(|it| &it.removed_api_versions);
        all.map(|it| format!("{} {} {}", it.kind, it.api_version, it.by)).collect()
    }

    #[test]
    fn only_what_is_ours_counts_and_only_the_kinds_that_went() {
        let found = removed(
            "
            //- ms.yaml
            apiVersion: extensions/v1beta1
            kind: Deployment
            metadata: {name: metrics-server, namespace: kube-system}
            spec:
              template:
                spec:
                  containers: [{name: ms, image: example.com/metrics-server:v0.3.1}]
            ---
            apiVersion: policy/v1beta1
            kind: PodDisruptionBudget
            metadata: {name: web, namespace: web}
            ---
            apiVersion: policy/v1beta1
            kind: Eviction
            metadata: {name: metrics-server, namespace: kube-system}
            ---
            apiVersion: rbac.authorization.k8s.io/v1beta1
            kind: ClusterRole
            metadata: {name: kubelet-csr-approver}
            ",
        );
        let rbac = "ClusterRole rbac.authorization.k8s.io/v1beta1 1.22.0";
        assert_eq!(found, ["Deployment extensions/v1beta1 1.16.0", rbac]);
    }
}
