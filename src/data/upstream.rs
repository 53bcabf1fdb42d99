//! Where metrics-server's releases have their images, and what its repository holds where: manifests, and
//! its chart.

use semver::Version;

/// The repository of the images, with a tag for each release from [`FIRST_IMAGE`] on:
/// `registry.k8s.io/images/k8s-staging-metrics-server/images.yaml` of `kubernetes/k8s.io` lists them.
pub(crate) const IMAGE: &str = "registry.k8s.io/metrics-server/metrics-server";

/// The first version with its image at [`IMAGE`].
pub(crate) const FIRST_IMAGE: Version = Version::new(0, 3, 7);

/// Each directory, the first release that has it and the last; none where the newest still has it.
type Directory = (&'static str, Version, Option<Version>);

/// `git ls-tree -rd` of every tag of `kubernetes-sigs/metrics-server` from 0.3.0 to 0.9.0.
const DIRECTORIES: &[Directory] = &[
    (CHART, Version::new(0, 6, 0), None),
    ("deploy/1.7", Version::new(0, 3, 0), Some(Version::new(0, 3, 7))),
    ("deploy/1.8+", Version::new(0, 3, 0), Some(Version::new(0, 3, 7))),
    ("manifests/autoscale", Version::new(0, 4, 0), Some(Version::new(0, 6, 4))),
    ("manifests/base", Version::new(0, 4, 0), None),
    ("manifests/components/autoscale", Version::new(0, 7, 0), None),
    ("manifests/components/high-availability", Version::new(0, 7, 0), None),
    ("manifests/components/release", Version::new(0, 7, 0), None),
    ("manifests/high-availability", Version::new(0, 6, 0), Some(Version::new(0, 6, 4))),
    ("manifests/high-availability-1.21+", Version::new(0, 6, 3), Some(Version::new(0, 6, 4))),
    ("manifests/overlays/release", Version::new(0, 7, 0), None),
    ("manifests/overlays/release-ha", Version::new(0, 7, 0), None),
    ("manifests/overlays/release-ha-1.21+", Version::new(0, 7, 0), None),
    ("manifests/release", Version::new(0, 4, 0), Some(Version::new(0, 6, 4))),
];

/// Where the chart is.
const CHART: &str = "charts/metrics-server";

/// What the tags of the chart's releases start with; the rest is its version.
const CHART_TAG: &str = "metrics-server-helm-chart-";

/// The version of the chart at the tags of metrics-server's own releases, where it has the templates and
/// values of that version: `git diff metrics-server-helm-chart-VERSION TAG -- charts/metrics-server`. At
/// 0.7.0 and 0.8.0 it has some of the next.
const CHARTS: [(&str, &str); 9] = [
    ("v0.6.0", "3.7.0"),
    ("v0.6.1", "3.8.0"),
    ("v0.6.2", "3.8.2"),
    ("v0.6.3", "3.8.4"),
    ("v0.6.4", "3.10.0"),
    ("v0.7.1", "3.12.0"),
    ("v0.7.2", "3.12.1"),
    ("v0.8.1", "3.13.0"),
    ("v0.9.0", "3.13.1"),
];

/// The owners that the repository had and has; GitHub leads from the first to the second.
const REPOSITORIES: [&str; 2] =
    ["kubernetes-sigs/metrics-server", "kubernetes-incubator/metrics-server"];

/// What `url` names in metrics-server's repository: the revision, `""` where it names none, and the
/// path. Of `git`'s and kustomize's URLs, and of those of raw files.
pub(crate) fn place(url: &str) -> Option<(&str, &str)> {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let (host, rest) = REPOSITORIES.iter().find_map(|it| address.split_once(it))?;
    let raw = match host.contains("raw.githubusercontent.com") {
        true => rest.strip_prefix('/'),
        false => rest.strip_prefix("/raw/"),
    };
    if let Some(raw) = raw {
        let raw =
            ["refs/heads/", "refs/tags/"].iter().find_map(|it| raw.strip_prefix(it)).unwrap_or(raw);
        return raw.split_once('/');
    }
    let path = rest.strip_prefix(".git").unwrap_or(rest).trim_matches('/');
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let revision = pairs.find_map(|(key, value)| matches!(key, "ref" | "version").then_some(value));
    host.contains("github.com").then_some((revision.unwrap_or_default(), path))
}

/// Whether `url` is that of metrics-server's repository, and of nothing in it.
pub(crate) fn is_repository(url: &str) -> bool {
    place(url).is_some_and(|(_, path)| path.is_empty())
}

/// Whether `path` in the git repository at `url` is a chart of metrics-server, by those who publish it:
/// metrics-server's own, and Bitnami's.
pub(crate) fn is_chart(url: &str, path: &str) -> bool {
    let path = path.trim_start_matches("./").trim_matches('/');
    let bitnami = url.contains("github.com") && url.contains("bitnami/charts");
    (is_repository(url) && path == CHART) || (bitnami && path == "bitnami/metrics-server")
}

/// The version of the chart at `revision`, where one is certain.
pub(crate) fn chart_version(revision: &str) -> Option<&str> {
    let tag = revision.strip_prefix("refs/tags/").unwrap_or(revision);
    let known = || CHARTS.iter().find(|(release, _)| *release == tag).map(|(_, version)| *version);
    tag.strip_prefix(CHART_TAG).filter(|it| Version::parse(it).is_ok()).or_else(known)
}

/// The file that a release attaches which is what `directory` of the repository builds.
pub(crate) fn attached(directory: &str) -> Option<&'static str> {
    match directory {
        "manifests/release" | "manifests/overlays/release" => Some("components.yaml"),
        "manifests/overlays/release-ha" => Some("high-availability.yaml"),
        "manifests/overlays/release-ha-1.21+" => Some("high-availability-1.21+.yaml"),
        _ => None,
    }
}

/// Why `path` is not in metrics-server's repository at `revision`, as a clause; `None` where it is, or
/// nobody can tell.
pub(crate) fn moved(revision: &str, path: &str) -> Option<String> {
    let path = path.replace("%2B", "+");
    let is_in =
        |dir: &str| path.strip_prefix(dir).is_some_and(|it| it.is_empty() || it.starts_with('/'));
    let (dir, first, last) = DIRECTORIES.iter().find(|(dir, ..)| is_in(dir))?;
    if matches!(revision, "" | "master" | "main" | "HEAD") {
        return last.as_ref().map(|last| format!("v{last} was the last with {dir}"));
    }
    let release = Version::parse(revision.strip_prefix('v')?).ok()?;
    match last {
        Some(last) if release > *last => Some(format!("v{last} was the last with {dir}")),
        _ if release < *first => Some(format!("v{first} is the first with {dir}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_tell_the_version_of_the_chart() {
        for (revision, version) in [
            ("metrics-server-helm-chart-3.12.2", Some("3.12.2")),
            ("refs/tags/metrics-server-helm-chart-3.13.0", Some("3.13.0")),
            ("metrics-server-helm-chart-3.14.0", Some("3.14.0")),
            ("metrics-server-helm-chart-*", None),
            ("v0.7.2", Some("3.12.1")),
            ("v0.8.0", None),
            ("master", None),
        ] {
            assert_eq!(chart_version(revision), version, "{revision}");
        }
        let newest: Vec<&str> = CHARTS.iter().map(|(release, _)| *release).collect();
        assert!(newest.is_sorted());
        assert!(moved("v0.5.2", CHART).is_some());
    }

    #[test]
    fn what_is_where_in_which_release() {
        let of = |url| place(url).and_then(|(revision, path)| moved(revision, path));
        let moved = [
            "https://raw.githubusercontent.com/kubernetes-sigs/metrics-server/master/deploy/1.8%2B/auth-reader.yaml",
            "https://github.com/kubernetes-incubator/metrics-server//deploy/1.8+?ref=master",
            "github.com/kubernetes-sigs/metrics-server/manifests/release?ref=v0.7.0",
            "https://github.com/kubernetes-sigs/metrics-server.git//manifests/overlays/release?ref=v0.6.4",
            "https://github.com/kubernetes-sigs/metrics-server/raw/v0.4.0/deploy/1.7/auth-reader.yaml",
        ];
        for url in moved {
            assert!(of(url).is_some(), "{url}");
        }
        let there = [
            "https://raw.githubusercontent.com/kubernetes-sigs/metrics-server/v0.3.6/deploy/1.8+/auth-reader.yaml",
            "https://github.com/kubernetes-sigs/metrics-server//manifests/release?ref=v0.6.4",
            "https://github.com/kubernetes-sigs/metrics-server//manifests/base?ref=master",
            "https://github.com/kubernetes-sigs/metrics-server//manifests/release?ref=release-0.6",
            "https://github.com/kubernetes-sigs/metrics-server//manifests/release?ref=0a1b2c3",
            "https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml",
            "https://github.com/example/metrics-server-fork//manifests/release?ref=v0.7.0",
        ];
        for url in there {
            assert_eq!(of(url), None, "{url}");
        }
    }
}
