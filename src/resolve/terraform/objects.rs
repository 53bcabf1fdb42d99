//! What Terraform applies without Helm: manifests, Applications of Argo CD, and the typed resources
//! of the provider of Kubernetes.

use super::{evaluate::TerraformScope, label};
use crate::{
    data::{subject::is_named_in, upstream},
    problem::Problem,
    resolve::{environment::Object, kustomize::remote},
    scalar::Scalar,
    tree::{Entry, Map, Node},
};

/// The typed resources that an installation of metrics-server has, without `kubernetes_` and `_v1`,
/// and what they are.
const TYPED: &[(&str, &str, &str)] = &[
    ("api_service", "apiregistration.k8s.io/v1", "APIService"),
    ("cluster_role", "rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("cluster_role_binding", "rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("config_map", "v1", "ConfigMap"),
    ("daemonset", "apps/v1", "DaemonSet"),
    ("daemon_set", "apps/v1", "DaemonSet"),
    ("deployment", "apps/v1", "Deployment"),
    ("pod_disruption_budget", "policy/v1", "PodDisruptionBudget"),
    ("role", "rbac.authorization.k8s.io/v1", "Role"),
    ("role_binding", "rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("service", "v1", "Service"),
    ("service_account", "v1", "ServiceAccount"),
];

/// Blocks of which there may be several, and the lists that they make.
const LISTS: &[(&str, &str)] = &[
    ("container", "containers"),
    ("env", "env"),
    ("env_from", "envFrom"),
    ("file_parameter", "fileParameters"),
    ("image_pull_secrets", "imagePullSecrets"),
    ("init_container", "initContainers"),
    ("match_expressions", "matchExpressions"),
    ("parameter", "parameters"),
    ("port", "ports"),
    ("rule", "rules"),
    ("source", "sources"),
    ("subject", "subjects"),
    ("toleration", "tolerations"),
    ("topology_spread_constraint", "topologySpreadConstraints"),
    ("volume", "volumes"),
    ("volume_mount", "volumeMounts"),
];

/// Maps whose keys are data.
const DATA: &[&str] = &[
    "annotations",
    "data",
    "labels",
    "limits",
    "match_labels",
    "node_selector",
    "requests",
    "values",
];

/// Words of names that are not written as camel case has them.
const WORDS: &[(&str, &str)] = &[
    ("ip", "IP"),
    ("ipc", "IPC"),
    ("pid", "PID"),
    ("tls", "TLS"),
    ("url", "URL"),
    ("urls", "URLs"),
];

/// Whether resources of `kind` are objects that are read here, or lead to some.
pub(super) fn is_read(kind: &str) -> bool {
    matches!(kind, "argocd_application" | "http" | "kubectl_manifest" | "kubernetes_manifest")
        || typed(kind).is_some()
}

fn typed(kind: &str) -> Option<(&'static str, &'static str)> {
    let name = kind.strip_prefix("kubernetes_")?;
    let name = name.trim_end_matches("_v1").trim_end_matches("_v2");
    let (_, version, kind) = TYPED.iter().find(|(it, ..)| *it == name)?;
    Some((version, kind))
}

/// The objects that a resource of `kind` with the arguments `body` applies, and what is to be said of
/// them; `None` where nobody can tell what they are.
pub(super) fn objects(
    scope: &TerraformScope<'_>,
    kind: &str,
    body: &Node,
) -> Option<(Vec<Node>, Option<Problem>)> {
    let object = match kind {
        // What is fetched is applied by another resource.
        "http" => {
            let url = body.get("url")?;
            upstream::place(url.as_str()?)?;
            let kinds = ["kubectl_manifest", "kubernetes_manifest"];
            let mut resources = scope.module.blocks("resource");
            let applies =
                resources.any(|(_, it)| label(it, 0).is_some_and(|it| kinds.contains(&it)));
            return applies.then(|| remote::known(scope.sources, url));
        }
        "kubectl_manifest" => scope.decoded(body.get("yaml_body")?),
        "kubernetes_manifest" => scope.decoded(body.get("manifest")?),
        "argocd_application" => of("argoproj.io/v1alpha1", "Application", &application(body)),
        _ => {
            let (version, kind) = typed(kind)?;
            of(version, kind, &converted(body))
        }
    };
    let is_object = object.str_at("kind").is_some() && object.str_at("apiVersion").is_some();
    is_object.then(|| (vec![object], None))
}

/// Whether an object may be of our concern: it names our subject, or installs something.
pub(super) fn concerns(object: &Object) -> bool {
    let installs = ["Application", "ApplicationSet", "HelmChart", "HelmRelease"];
    let named = |it: &Node| it.as_scalar().is_some_and(|it| is_named_in(&it.text));
    installs.contains(&object.kind()) || object.node.walk().any(named)
}

/// `body` as an object of that kind.
fn of(version: &str, kind: &str, body: &Node) -> Node {
    let text = |it: &str| Node::new(Scalar::string(it), body.origin.clone());
    let mut map = Map::default();
    map.set("apiVersion", text(version));
    map.set("kind", text(kind));
    for (key, entry) in body.entries() {
        // What Terraform itself asks for.
        if !matches!(key, "cascade" | "count" | "depends_on" | "for_each" | "provider" | "wait") {
            map.insert(key, entry.clone());
        }
    }
    Node::new(map, body.origin.clone())
}

/// The object that an `argocd_application` describes.
fn application(body: &Node) -> Node {
    let mut object = converted(body);
    // One source is written as several are.
    let sources = object.items_at("spec.sources").to_vec();
    if let Some(spec) = object.at_mut("spec")
        && let [source] = &sources[..]
    {
        if let Some(map) = spec.as_map_mut() {
            map.remove("sources");
        }
        spec.set("source", source.clone());
    }
    object
}

/// `node`, blocks as Terraform has them, as Kubernetes has what they describe.
fn converted(node: &Node) -> Node {
    let Some(map) = node.as_map() else { return node.clone() };
    let mut all = Map::open(map.open.clone());
    for (key, Entry { key: place, value }) in map.iter() {
        let blocks = value.as_list().filter(|it| it.iter().any(|it| it.as_map().is_some()));
        let list = LISTS.iter().find(|(it, _)| *it == key);
        let (name, value) = match (blocks, list) {
            _ if DATA.contains(&key) => {
                let of_block = blocks.and_then(<[Node]>::first);
                (camel(key), of_block.unwrap_or(value).clone())
            }
            (Some(blocks), Some((_, plural))) => {
                let items: Vec<Node> = blocks.iter().map(converted).collect();
                ((*plural).to_owned(), Node::new(items, value.origin.clone()))
            }
            (Some([first, ..]), None) => (camel(key), converted(first)),
            _ => (camel(key), converted(value)),
        };
        all.insert(name, Entry { key: *place, value });
    }
    Node::new(all, node.origin.clone())
}

/// `image_pull_policy` as `imagePullPolicy`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut all = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        match WORDS.iter().find(|(it, _)| *it == word) {
            Some((_, word)) => all += word,
            None => {
                all.extend(letters.next().map(|it| it.to_ascii_uppercase()));
                all.extend(letters);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::camel;

    #[test]
    fn names_are_those_of_kubernetes() {
        for (name, expected) in [
            ("insecure_skip_tls_verify", "insecureSkipTLSVerify"),
            ("repo_url", "repoURL"),
            ("run_as_non_root", "runAsNonRoot"),
            ("args", "args"),
            ("host_pid", "hostPID"),
            ("cluster_ip", "clusterIP"),
        ] {
            assert_eq!(camel(name), expected);
        }
    }
}
