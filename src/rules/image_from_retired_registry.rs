use semver::Version;

use crate::{
    data::upstream::{FIRST_IMAGE, IMAGE},
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
            finding.help(format!("use {IMAGE}{}", of_tags(server.image_tag.value())));
            if registry == FROZEN {
                let host = Change::part(origin, FROZEN, "registry.k8s.io");
                finding.safe_fix(&["image", "image_repository"], [host]);
            }
        }
    }
}

/// What to know of the tags at [`IMAGE`] for who has a `tag` that is not among them.
fn of_tags(tag: Option<&String>) -> String {
    let Some(tag) = tag else { return String::new() };
    let version = tag.strip_prefix('v').and_then(|it| Version::parse(it).ok());
    match version {
        Some(it) if Version::new(it.major, it.minor, it.patch) < FIRST_IMAGE => {
            format!(", whose first tag is v{FIRST_IMAGE}")
        }
        Some(it) if it.pre.is_empty() => String::new(),
        _ => ", whose tags are those of releases, such as v0.8.1".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Config,
        pipeline::{analyze, check},
        tests::fixture,
    };

    #[test]
    fn the_help_names_no_image_that_does_not_exist() {
        for (image, tags) in [
            ("k8s.gcr.io/metrics-server-amd64:v0.3.6", ", whose first tag is v0.3.7"),
            ("gcr.io/google_containers/metrics-server-amd64:v0.2.1", ", whose first tag is v0.3.7"),
            ("k8s.gcr.io/metrics-server/metrics-server:v0.6.1", ""),
            (
                "docker.io/bitnamilegacy/metrics-server:0.7.2-debian-12-r3",
                ", whose tags are those of releases, such as v0.8.1",
            ),
        ] {
            let file = format!(
                "//- a.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: metrics-server}}\n\
                spec: {{template: {{spec: {{containers: [{{name: metrics-server, image: '{image}'}}]}}}}}}\n"
            );
            let (_, clusters) = analyze(&fixture(&file), &Config::default());
            let mut found = check(&clusters).into_iter();
            let found =
                found.find(|it| it.rule == "image-from-retired-registry").expect("a finding");
            let help = format!("use registry.k8s.io/metrics-server/metrics-server{tags}");
            assert_eq!(found.help, Some(help), "{image}");
        }
    }
}
