use crate::{
    finding::{Change, Findings},
    model::Cluster,
};

/// The registry with the same images under the same names as `registry.k8s.io`.
const FROZEN: &str = "k8s.gcr.io";

/// What a repository of a retired registry begins with, and what became of it.
/// <https://kubernetes.io/blog/2023/03/10/image-registry-redirect/>
const RETIRED: &[(&str, &str)] = &[
    ("k8s.gcr.io/", "is frozen since April 2023, and only redirects to registry.k8s.io"),
    ("gcr.io/google_containers/", "is the registry that Kubernetes had before k8s.gcr.io"),
    ("gcr.io/google-containers/", "is the registry that Kubernetes had before k8s.gcr.io"),
    ("gcr.io/k8s-staging-metrics-server/", "has builds for tests, which are taken away again"),
    ("docker.io/bitnamilegacy/", "gets no updates"),
    ("bitnamilegacy/", "gets no updates"),
];

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some((repository, origin)) = server.image_repository.known() else { continue };
        let retired = RETIRED.iter().find(|(prefix, _)| repository.starts_with(prefix));
        let Some((prefix, became)) = retired else { continue };
        let registry = prefix.trim_end_matches('/');
        let finding = findings.at(
            &origin.or(&server.anchor),
            &server.subject(),
            format!("metrics-server's image is from {registry}, which {became}"),
        );
        if origin.is_default() {
            finding.help(match server.chart {
                Some(_) => "use version 3.8.4 or newer of the chart of kubernetes-sigs, or set image.repository",
                None => "use the manifests of v0.6.3 or newer",
            });
        } else {
            finding.help("use registry.k8s.io/metrics-server/metrics-server");
            if registry == FROZEN {
                let host = Change::part(origin, FROZEN, "registry.k8s.io");
                finding.safe_fix(&["image", "image_repository"], [host]);
            }
        }
    }
}
