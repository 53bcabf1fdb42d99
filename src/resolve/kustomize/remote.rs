//! Entries that lead out of the repository: metrics-server's own manifests are known, the rest is
//! not.

use std::sync::LazyLock;

use indexmap::IndexMap;

use crate::{
    data::{self, upstream},
    parse,
    problem::{Problem, ProblemKind},
    resolve::{
        context::Context,
        install,
        kustomize::{
            Build,
            layer::Layer,
            load::Loader,
            resource::{Resource, all_objects},
            transform,
            value::text,
        },
    },
    scalar::{Dialect, Scalar},
    source::Sources,
    tree::{self, Node, Origin, Reason, ReasonKind, Via},
};

/// Adds what is known of the remote `entry`.
pub(super) fn include(loader: &Loader<'_>, entry: &Node, layer: &mut Layer) {
    let (found, problem) = known(loader.context.sources, entry);
    if !found.is_empty() {
        layer.append(found.into_iter().map(Resource::new).collect(), &entry.origin);
    }
    if let Some(problem) = problem {
        layer.part::<()>(Err(problem.into()));
    }
}

/// The objects that `entry`, which leads out of the repository, is known to lead to, and what is to be
/// said of it.
pub(crate) fn known(sources: &Sources, entry: &Node) -> (Vec<Node>, Option<Problem>) {
    let url = text(Some(entry));
    let moved = |(revision, path)| install::moved(&entry.origin, revision, path);
    if let Some(problem) = upstream::place(url).and_then(moved) {
        return (Vec::new(), Some(problem));
    }
    let origin = Origin::at(Via::UpstreamManifest, entry.origin.written_at());
    let nothing = |problem| (Vec::new(), Some(problem));
    match recognise(url) {
        Some((Revision::Tag(tag), file)) => released(sources, tag, file, &entry.origin),
        Some((Revision::Newest, file)) => {
            (newest(sources, file, &origin), Some(moving(&entry.origin, url)))
        }
        None if is_of_branch(url) => nothing(moving(&entry.origin, url).hiding_objects()),
        None => {
            let why = format!("{url} is not in the repository");
            nothing(Problem::unresolved(&entry.origin, why).hiding_objects())
        }
    }
}

/// The objects of the release `tag`'s `file`, which stands `at`, or that nobody knows them.
fn released(sources: &Sources, tag: &str, file: &str, at: &Origin) -> (Vec<Node>, Option<Problem>) {
    let origin = Origin::at(Via::UpstreamManifest, at.written_at());
    match manifest(sources, tag, file, &origin) {
        Some(found) => (found, None),
        None => {
            let why = format!("the release {tag} of metrics-server is not known");
            (Vec::new(), Some(Problem::unresolved(at, why)))
        }
    }
}

/// What metrics-server's repository has at a revision in a directory, which is named `at`, for a
/// controller that checks it out: what it builds, with `edits`, the fields that the controller adds to
/// its kustomization.
pub(crate) fn checked_out(
    context: &Context<'_>,
    revision: Option<&Node>,
    (directory, at): (&str, &Origin),
    edits: Option<&Node>,
) -> Build {
    let failed = |problem| Build { problems: vec![problem], ..Build::default() };
    let (at_path, at) = (at, revision.map_or(at, |it| &it.origin));
    let revision = match revision.map(|it| (it.as_str(), it.unknown())) {
        Some((_, Some(why))) => {
            return failed(Problem::unresolved(at, why.clone()).hiding_objects());
        }
        Some((told, None)) => told.unwrap_or_default(),
        None => "",
    };
    if let Some(problem) = install::moved(at_path, revision, directory) {
        return failed(problem);
    }
    let tag = revision.strip_prefix("refs/tags/").unwrap_or(revision);
    let file = upstream::attached(directory).filter(|_| !is_branch(tag));
    // What these name is in that repository, too.
    let patches = |it: &Node| it.items_at("patches").iter().any(|it| it.get("path").is_some());
    let reads = |it: &Node| it.get("components").is_some() || patches(it);
    let Some(file) = file.filter(|_| !edits.is_some_and(reads)) else {
        let revision = if revision.is_empty() { "its newest revision" } else { revision };
        let why = format!(
            "what metrics-server's repository has in `{directory}` at {revision} is not known"
        );
        return failed(Problem::unresolved(at, why).hiding_objects());
    };
    match released(context.sources, tag, file, at) {
        (_, Some(problem)) => failed(problem.hiding_objects()),
        (objects, None) => match edits {
            Some(edits) => transform(context, objects, edits),
            None => Build { objects, ..Build::default() },
        },
    }
}

/// That metrics-server's `url` is another version from time to time.
fn moving(at: &Origin, url: &str) -> Problem {
    let message = format!("{url} is another version from time to time");
    Problem::new(ProblemKind::MovingVersion, at, message)
        .help("name a release, as in releases/download/v0.8.1/components.yaml or ?ref=v0.8.1")
}

enum Revision<'a> {
    Tag(&'a str),
    /// Whatever is newest when it is fetched.
    Newest,
}

/// Which release of metrics-server, and which of its files, `url` means.
fn recognise(url: &str) -> Option<(Revision<'_>, &'static str)> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = path.strip_prefix("git::").unwrap_or(path);
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let path = path.strip_prefix("git@").unwrap_or(path);
    let (host, rest) = path.split_once(['/', ':'])?;
    let rest = match host {
        "github.com" | "www.github.com" => rest,
        _ => return None,
    };
    let rest = rest.strip_prefix(REPOSITORY)?;
    if let Some(file) = rest.strip_prefix("/releases/latest/download/") {
        return Some((Revision::Newest, known_file(file)?));
    }
    if let Some(rest) = rest.strip_prefix("/releases/download/") {
        let (tag, file) = rest.split_once('/')?;
        return Some((Revision::Tag(tag), known_file(file)?));
    }
    // A directory in git, whose build is what a release attaches.
    let rest = rest.strip_prefix(".git").unwrap_or(rest);
    let file = upstream::attached(rest.trim_start_matches('/').trim_end_matches('/'))?;
    let tag = reference(query).filter(|it| !is_branch(it))?;
    Some((Revision::Tag(tag), file))
}

/// Where metrics-server's repository is at GitHub.
const REPOSITORY: &str = "kubernetes-sigs/metrics-server";

/// The revision that the query of a URL names.
fn reference(query: &str) -> Option<&str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| matches!(key, "ref" | "version").then_some(value))
}

fn is_branch(revision: &str) -> bool {
    revision.is_empty() || matches!(revision, "master" | "main" | "HEAD")
}

/// Whether `url` is of a branch of metrics-server's repository, of which nothing is known.
fn is_of_branch(url: &str) -> bool {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let Some((host, rest)) = path.split_once(REPOSITORY) else { return false };
    if host.contains("raw.githubusercontent.com") || rest.starts_with("/raw/") {
        let revision = rest.trim_start_matches("/raw").trim_start_matches("/refs/heads");
        return revision.split('/').nth(1).is_some_and(is_branch);
    }
    // A directory in git.
    let is_directory = rest.starts_with("//") || rest.starts_with(".git");
    let is_directory = is_directory || rest.starts_with("/manifests/");
    host.contains("github.com") && is_directory && reference(query).is_none_or(is_branch)
}

fn known_file(name: &str) -> Option<&'static str> {
    ["components.yaml", "high-availability.yaml", "high-availability-1.21+.yaml"]
        .into_iter()
        .find(|known| *known == name.replace("%2B", "+"))
}

struct Manifests {
    /// Tag and file, and which documents it holds; in the order of the releases.
    files: Vec<(&'static str, &'static str, Vec<usize>)>,
    documents: Vec<&'static str>,
}

static MANIFESTS: LazyLock<Manifests> = LazyLock::new(|| {
    let text = data::MANIFESTS;
    let mut documents = text.split("---\n");
    let table = documents.next().unwrap_or_default();
    let files = table.lines().filter_map(|line| {
        let mut words = line.trim_start_matches("# ").split(' ');
        let tag = words.next().filter(|it| it.starts_with('v'))?;
        let file = words.next()?;
        Some((tag, file, words.filter_map(|it| it.parse().ok()).collect()))
    });
    Manifests { files: files.collect(), documents: documents.collect() }
});

/// The tags of the releases that attach `file`, oldest first.
#[cfg(test)]
pub(crate) fn tags_with(file: &str) -> impl Iterator<Item = &'static str> {
    MANIFESTS.files.iter().filter(move |(_, name, _)| *name == file).map(|(tag, ..)| *tag)
}

/// The objects of a release's `file`, all at `origin`.
fn manifest(sources: &Sources, tag: &str, file: &str, origin: &Origin) -> Option<Vec<Node>> {
    let (tag, _, places) =
        MANIFESTS.files.iter().find(|(known, name, _)| *known == tag && *name == file)?;
    let documents: Vec<&str> =
        places.iter().filter_map(|at| MANIFESTS.documents.get(*at).copied()).collect();
    let text = documents.join("---\n").replace("$TAG", tag);
    let node = Node::new(Scalar::string(text), origin.clone());
    let documents = parse::embedded(sources, &node, Dialect::Kyaml);
    all_objects(&documents, origin).ok()
}

/// What all releases since 0.6, the first with all its files, have in common; the rest is unknown.
fn newest(sources: &Sources, file: &str, origin: &Origin) -> Vec<Node> {
    let why = Reason::from("which release of metrics-server this is depends on the day");
    let why = why.of_kind(ReasonKind::Version);
    let mut tags = MANIFESTS.files.iter().filter(|(_, name, _)| *name == file);
    let Some((newest, ..)) = tags.next_back() else { return Vec::new() };
    let mut common = manifest(sources, newest, file, origin).unwrap_or_default();
    for (tag, ..) in tags.filter(|(tag, ..)| *tag >= "v0.6.0") {
        let others: IndexMap<String, Node> = manifest(sources, tag, file, origin)
            .unwrap_or_default()
            .into_iter()
            .map(|it| (Resource::new(it.clone()).id().describe(), it))
            .collect();
        for object in &mut common {
            let id = Resource::new(object.clone()).id().describe();
            if let Some(other) = others.get(&id) {
                *object = tree::join(object, other, &why);
            }
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use crate::{
        problem::ProblemKind,
        resolve::kustomize::{Build, BuildOptions, build},
        tests::{fixture, with},
        tree::{self, Node, Via},
    };

    fn builds(files: &str) -> Build {
        with(&fixture(files), |context| build(context, "", &BuildOptions::default()))
    }

    fn deployment(build: &Build) -> Option<&Node> {
        build.objects.iter().find(|it| it.str_at("kind") == Some("Deployment"))
    }

    #[test]
    fn released_manifests_are_known() {
        for url in [
            "https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.7.2/components.yaml",
            "github.com/kubernetes-sigs/metrics-server//manifests/overlays/release?ref=v0.7.2",
            "https://github.com/kubernetes-sigs/metrics-server.git//manifests/overlays/release?ref=v0.7.2",
        ] {
            let build = builds(&format!("//- kustomization.yaml\nresources: ['{url}']"));
            assert_eq!(build.problems, [], "{url}");
            let deployment = deployment(&build).expect("a Deployment");
            let container = &deployment.items_at("spec.template.spec.containers")[0];
            assert_eq!(
                container.str_at("image"),
                Some("registry.k8s.io/metrics-server/metrics-server:v0.7.2")
            );
            let origin = &container.get("image").expect("an image").origin;
            assert_eq!(origin.last().via, Via::UpstreamManifest);
            assert!(origin.written_at().is_some());
        }
    }

    #[test]
    fn what_is_not_pinned_is_unknown_where_releases_differ() {
        let build = builds(
            "
            //- kustomization.yaml
            resources:
            - https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml
            ",
        );
        assert_eq!(build.problems[0].kind, ProblemKind::MovingVersion);
        let deployment = deployment(&build).expect("a Deployment");
        assert_eq!(deployment.str_at("metadata.name"), Some("metrics-server"));
        let container = &deployment.items_at("spec.template.spec.containers")[0];
        assert!(container.get("image").expect("an image").unknown().is_some());
        let flags = container.items_at("args").iter().filter_map(tree::flag_of);
        assert!(flags.into_iter().any(|it| it == "--secure-port="));
        assert_eq!(container.str_at("name"), Some("metrics-server"));
    }

    #[test]
    fn of_what_is_not_pinned_each_argument_has_its_place() {
        let args = |operations: &str| {
            let build = builds(&format!(
                "
            //- kustomization.yaml
            resources:
            - https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml
            patches:
            - target: {{kind: Deployment, name: metrics-server}}
              patch: |-
                [{operations}]
            "
            ));
            let problems = build.problems.iter().filter(|it| it.kind != ProblemKind::MovingVersion);
            assert_eq!(problems.count(), 0, "{operations}");
            let deployment = deployment(&build).expect("a Deployment");
            let args = deployment.items_at("spec.template.spec.containers")[0].items_at("args");
            let text = |it: &Node| it.as_str().map(str::to_owned).or_else(|| tree::flag_of(it));
            args.iter().map(|it| text(it).unwrap_or_default()).collect::<Vec<_>>()
        };
        let at = "/spec/template/spec/containers/0/args";
        let all = args("");
        assert_eq!(all.len(), 5);
        assert_eq!(all[1], "--secure-port=");
        let changed = |at: usize, with: &[&str]| {
            let mut all = all.clone();
            all.splice(at..=at, with.iter().map(|it| (*it).to_owned()));
            all
        };
        let put = |at, it| changed(at, &[it]);
        let replace = |at_index| {
            format!(r#"{{"op": "replace", "path": "{at}/{at_index}", "value": "--v=2"}}"#)
        };
        assert_eq!(args(&replace("2")), put(2, "--v=2"));
        assert_eq!(args(&replace("1")), put(1, "--v=2"));
        assert_eq!(args(&replace("-1")), put(4, "--v=2"));
        assert_eq!(args(&format!(r#"{{"op": "remove", "path": "{at}/3"}}"#)), changed(3, &[]));
        let last = &all[4];
        let test = format!(r#"{{"op": "test", "path": "{at}/4", "value": "{last}"}}"#);
        assert_eq!(args(&format!("{test}, {}", replace("4"))), put(4, "--v=2"));
    }

    #[test]
    fn branches_of_metrics_server_move_and_tags_and_others_do_not() {
        let kind = |url: &str| {
            let build = builds(&format!("//- kustomization.yaml\nresources: ['{url}']"));
            build.problems.first().map(|it| it.kind)
        };
        for url in [
            "github.com/kubernetes-sigs/metrics-server//manifests/overlays/release?ref=master",
            "https://github.com/kubernetes-sigs/metrics-server.git//manifests/base",
            "https://github.com/kubernetes-sigs/metrics-server/manifests/components/release",
            "https://raw.githubusercontent.com/kubernetes-sigs/metrics-server/master/manifests/a.yaml",
            "https://raw.githubusercontent.com/kubernetes-sigs/metrics-server/refs/heads/main/a.yaml",
        ] {
            assert_eq!(kind(url), Some(ProblemKind::MovingVersion), "{url}");
        }
        for url in [
            "https://raw.githubusercontent.com/kubernetes-sigs/metrics-server/v0.7.2/a.yaml",
            "github.com/kubernetes-sigs/metrics-server//manifests/base?ref=v0.7.2",
            "github.com/example/fork//metrics-server?ref=master",
        ] {
            assert_eq!(kind(url), Some(ProblemKind::Unresolved), "{url}");
        }
        let gone = "https://github.com/kubernetes-sigs/metrics-server/manifests/release";
        assert_eq!(kind(gone), Some(ProblemKind::UpstreamPathMoved));
    }

    #[test]
    fn other_remotes_are_unresolved_and_the_rest_goes_on() {
        let build = builds(
            "
            //- kustomization.yaml
            resources: ['https://example.com/x.yaml']
            patches:
            - patch: |-
                apiVersion: v1
                kind: Service
                metadata: {name: far}
            configMapGenerator:
            - name: near
              literals: [a=b]
            ",
        );
        assert_eq!(build.problems.len(), 1);
        assert_eq!(build.problems[0].kind, ProblemKind::Unresolved);
        assert_eq!(build.objects.len(), 1);
    }
}
