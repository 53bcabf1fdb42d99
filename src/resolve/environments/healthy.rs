//! Which environments need not be built, since their autoscalers certainly have what they need.
//!
//! There is one for each program, and all that may be found in it is a container without a request, a
//! target that is not there, or a second autoscaler. Texts tell that none of this is so in a fraction
//! of the time that building takes; where they leave a doubt, it is built.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use memchr::memmem;
use rayon::prelude::*;

use crate::{
    literals::Literals,
    source::{self, FileId, Sources},
};

/// What the texts of files say, for those that may be asked about.
pub(super) struct Texts<'s> {
    sources: &'s Sources,
    texts: BTreeMap<FileId, Said>,
}

/// What one file says.
#[derive(Debug, Default)]
struct Said {
    /// Whether it needs more than a look: something in it may take requests away, move or rename
    /// objects or bring others, or a container has no CPU request.
    doubtful: bool,
    /// What it says of memory.
    memory: OfMemory,
    /// Whether it puts objects into a namespace.
    moves: bool,
    /// What autoscalers refer to.
    targets: Vec<Named>,
    /// What they may refer to.
    workloads: Vec<Named>,
}

/// What a file says of memory.
#[derive(Debug, Default)]
struct OfMemory {
    /// Whether something may be scaled by it.
    measured: bool,
    /// Whether a container does not request it.
    lacking: bool,
}

/// An object by what is written of it; its API group may be unsaid by who refers to it.
#[derive(Debug)]
struct Named {
    group: Option<String>,
    kind: String,
    namespace: Option<String>,
    name: String,
}

/// What nobody can follow without building, or what is judged by more than requests.
const DOUBTS: &[&str] = &[
    "VerticalPodAutoscaler",
    "ContainerResource",
    "containerName",
    "kind: Application",
    "kind: ResourceSet",
    "$patch",
    ": null",
    ": ~",
    "<<:",
    "/metadata/name",
    "namePrefix:",
    "nameSuffix:",
    "allowNameChange",
    "allowKindChange",
    "helmCharts:",
    "helmChartInflationGenerator:",
    "generators:",
    "transformers:",
    "replacements:",
    "configurations:",
    "openapi:",
    "vars:",
    // As JSON is written.
    "\"kind\"",
    "\"image\"",
    "'kind'",
    "'image'",
];

/// What else is looked at.
const WORDS: &[&str] = &[
    "/spec",
    "HelmRelease",
    "memory",
    "namespace",
    "Namespace",
    "scaleTargetRef",
    "image",
    "requests",
    "cpu",
    "resources",
    "containers",
];

/// Those of [`WORDS`] that a document says in which requests may be lacking.
const OF_REQUESTS: [&str; 6] = ["image", "containers", "requests", "cpu", "memory", "resources"];

static SAID: LazyLock<Literals> = LazyLock::new(|| Literals::new(&[DOUBTS, WORDS]));

/// The kinds whose pods an autoscaler scales.
const SCALED: &[&str] = &["Deployment", "StatefulSet", "ReplicaSet", "Rollout"];

/// Kinds that may hold images and that nothing scales.
const UNSCALED: &[&str] = &[
    "ConfigMap",
    "CronJob",
    "CustomResourceDefinition",
    "DaemonSet",
    "HelmRelease",
    "ImageRepository",
    "Job",
    "Pod",
    "Secret",
];

impl<'s> Texts<'s> {
    /// Reads `files`, each once.
    pub(super) fn new(sources: &'s Sources, files: &BTreeSet<FileId>) -> Self {
        let said = files.par_iter().map(|file| (*file, Said::read(sources.text(*file))));
        Self { sources, texts: said.collect() }
    }

    /// Whether nothing can be found about the autoscalers in an environment of `files`.
    pub(super) fn are_healthy(&self, files: &BTreeSet<FileId>) -> bool {
        let all = files.iter().filter_map(|it| Some((*it, self.texts.get(it)?)));
        let all: Vec<(FileId, &Said)> = all.collect();
        let any = |says: fn(&Said) -> bool| all.iter().any(|(_, it)| says(it));
        if any(|it| it.doubtful) || any(|it| it.memory.measured) && any(|it| it.memory.lacking) {
            return false;
        }
        let moves = any(|it| it.moves);
        let dir = |file: FileId| source::parent(&self.sources[file].path);
        let is_there = |from: FileId, target: &Named| {
            // What moves one object of a directory moves all of them.
            let mut near = all.iter().filter(|(file, _)| !moves || dir(*file) == dir(from));
            near.any(|(_, it)| it.workloads.iter().any(|it| target.is(it)))
        };
        all.iter().all(|(file, it)| it.targets.iter().all(|target| is_there(*file, target)))
    }
}

impl Said {
    fn read(text: &str) -> Self {
        let text = without_comments(text);
        let mut words: Vec<&str> = Vec::new();
        for (_, word) in SAID.found(&text) {
            if DOUBTS.contains(&word) {
                return Self { doubtful: true, ..Self::default() };
            }
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let says = |word: &str| words.contains(&word);
        let measured = says("memory")
            && places(&text, "memory").any(|at| {
                !text.get(at + "memory".len()..).is_some_and(|rest| rest.starts_with(':'))
            });
        let mut said = Self {
            doubtful: says("/spec")
                && text.lines().any(|it| it.contains("/spec/") && it.contains("/resources"))
                || says("HelmRelease")
                    && ["GitRepository", "Bucket", "chartRef", "git:"]
                        .iter()
                        .any(|it| text.contains(it)),
            memory: OfMemory { measured, lacking: false },
            moves: says("namespace")
                && (text.contains("\nnamespace:") || text.starts_with("namespace:"))
                || says("Namespace") && text.contains("targetNamespace:"),
            ..Self::default()
        };
        for document in text.split("\n---") {
            said.add(document, &says);
        }
        said.doubtful |=
            says("scaleTargetRef") && places(&text, "scaleTargetRef").count() != said.targets.len();
        said
    }

    /// Adds a document of a text that `says` some of [`WORDS`].
    fn add(&mut self, document: &str, says: &impl Fn(&str) -> bool) {
        let says_of_requests = OF_REQUESTS.iter().any(|it| says(it));
        let top = |key: &str| {
            let found = document.lines().find_map(|it| it.strip_prefix(key)?.strip_prefix(':'));
            found.map(scalar)
        };
        let kind = top("kind").unwrap_or_default();
        let is_scaled = SCALED.contains(&kind);
        if !is_scaled && !says("scaleTargetRef") && !says_of_requests {
            return;
        }
        let metadata = mappings(document, "metadata").find(|(at, _)| {
            *at == 0 || document.get(..*at).is_some_and(|before| before.ends_with('\n'))
        });
        let metadata = metadata.and_then(|(_, entries)| entries).unwrap_or_default();
        let namespace = get(&metadata, "namespace").map(str::to_owned);
        let name = get(&metadata, "name");
        let targets = says("scaleTargetRef") && name.is_some();
        for (_, target) in mappings(document, "scaleTargetRef").filter(|_| targets) {
            let target = target.unwrap_or_default();
            let Some(name) = get(&target, "name") else { continue };
            self.targets.push(Named {
                group: get(&target, "apiVersion").map(group),
                kind: get(&target, "kind").unwrap_or("Deployment").to_owned(),
                namespace: namespace.clone(),
                name: name.to_owned(),
            });
        }
        if UNSCALED.contains(&kind) {
            return;
        }
        if let (true, Some(name)) = (is_scaled, name) {
            self.workloads.push(Named {
                group: top("apiVersion").map(group),
                kind: kind.to_owned(),
                namespace,
                name: name.to_owned(),
            });
        }
        if !says_of_requests {
            return;
        }
        let images = keys(document, "image").count();
        let requests: Vec<_> = mappings(document, "requests").filter_map(|(_, it)| it).collect();
        // A quantity is known by its first character; what else may stand there is not looked into.
        let with = |resource: &str| {
            let has = |it: &&Vec<(&str, &str)>| {
                get(it, resource)
                    .is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit() || it == '.'))
            };
            requests.iter().filter(has).count()
        };
        let is_empty =
            |key: &str| mappings(document, key).any(|(_, it)| it.is_some_and(|it| it.is_empty()));
        self.doubtful |= with("cpu") < images
            || images > 0 && document.contains("{{")
            // A patch of what has no schema replaces lists.
            || images == 0 && document.contains("containers:") && top("apiVersion") != Some("apps/v1")
            // What is written without a value takes away what was there.
            || ["requests", "cpu", "memory"].iter().any(|it| is_empty(it))
            || kind != "Kustomization" && kind != "Component" && is_empty("resources");
        self.memory.lacking |= with("memory") < images;
    }
}

impl Named {
    /// Whether `object` is what this refers to.
    fn is(&self, object: &Self) -> bool {
        let same_group = self.group.is_none() || self.group == object.group;
        same_group
            && (&self.kind, &self.namespace, &self.name)
                == (&object.kind, &object.namespace, &object.name)
    }
}

/// The group of an `apiVersion`.
fn group(version: &str) -> String {
    version.split_once('/').map_or("", |(group, _)| group).to_owned()
}

fn without_comments(text: &str) -> Cow<'_, str> {
    if !text.contains('#') {
        return text.into();
    }
    let code = text.lines().map(|line| match line.trim_start().starts_with('#') {
        true => "",
        false => line.split_once(" #").map_or(line, |(code, _)| code),
    });
    code.collect::<Vec<_>>().join("\n").into()
}

/// Where `word` stands in `text`.
fn places(text: &str, word: &str) -> impl Iterator<Item = usize> {
    memmem::find_iter(text.as_bytes(), word)
}

/// Where `key` is written as a key in `text`, each time with what follows the colon.
fn keys<'t>(text: &'t str, key: &str) -> impl Iterator<Item = (usize, &'t str)> {
    places(text, key).filter_map(move |at| {
        let before = text.get(..at)?.chars().next_back();
        let starts = before.is_none_or(|it| it.is_whitespace() || matches!(it, '{' | ','));
        let rest = text.get(at + key.len()..)?.strip_prefix(':')?;
        (starts && rest.starts_with([' ', '\n', '\r'])).then_some((at, rest))
    })
}

/// Where `key` is in `text`, each time with the entries of its mapping: `None` for what is no mapping
/// or a nested one in one line, and no entries for what is empty.
fn mappings<'t>(
    text: &'t str,
    key: &str,
) -> impl Iterator<Item = (usize, Option<Vec<(&'t str, &'t str)>>)> {
    keys(text, key).map(move |(at, rest)| (at, mapping(text, at, rest)))
}

fn mapping<'t>(text: &'t str, at: usize, rest: &'t str) -> Option<Vec<(&'t str, &'t str)>> {
    let (line, below) = rest.split_once('\n').unwrap_or((rest, ""));
    let of = |part: &'t str| entry(part).unwrap_or((part, ""));
    if let Some(flow) = line.trim_start().strip_prefix('{') {
        let (inside, _) = flow.split_once('}')?;
        return (!inside.contains('{')).then(|| inside.split(',').map(of).collect());
    }
    if !line.trim().is_empty() {
        return None;
    }
    let column = at - text.get(..at)?.rfind('\n').map_or(0, |it| it + 1);
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = below.lines().filter(|it| !it.trim().is_empty()).peekable();
    let first = *lines.peek().unwrap_or(&"");
    if first.trim_start().starts_with('-') && indent(first) >= column {
        return None;
    }
    let inside = lines.take_while(|it| indent(it) > column);
    Some(inside.filter(|it| indent(it) == indent(first)).map(of).collect())
}

fn entry(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once(':')?;
    Some((key.trim(), scalar(value)))
}

fn scalar(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

fn get<'t>(entries: &[(&'t str, &'t str)], key: &str) -> Option<&'t str> {
    let found = entries.iter().find(|(its, _)| *its == key);
    found.map(|(_, value)| *value).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Config,
        pipeline::{analyze, survey},
        tests::fixture,
    };

    const PROGRAM: &str = "\
//- web/base/kustomization.yaml
resources: [web.yaml, scaler.yaml, job.yaml]
//- web/base/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          resources:
            requests:
              cpu: 100m
              memory: 64Mi
        - image: registry.example.org/proxy:1
          name: proxy
          resources:
            requests: {cpu: 50m}
//- web/base/job.yaml
apiVersion: batch/v1
kind: CronJob
metadata: {name: report}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: a}]}}}}}
//- web/base/scaler.yaml
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: web
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: web
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 75}}
//- web/prod/kustomization.yaml
namespace: web
resources: [../base]
patches:
  - target: {kind: Deployment, name: web}
    patch: |
      - op: replace
        path: /spec/replicas
        value: 3
";

    /// Whether the program is built when `from` is replaced by `to` in it.
    #[track_caller]
    fn is_built(from: &str, to: &str) -> bool {
        assert!(PROGRAM.contains(from), "nothing is {from}");
        let sources = fixture(&PROGRAM.replace(from, to));
        assert_eq!(survey(&sources, &Config::default()).0.len(), 1, "it is shown");
        !analyze(&sources, &Config::default()).0.is_empty()
    }

    #[test]
    fn what_has_all_that_its_autoscalers_need_is_not_built() {
        assert!(!is_built("", ""));
        assert!(!is_built("kind: Deployment\n    name: web", "kind: Deployment\n    name: 'web'"));
        assert!(!is_built("cpu: 100m", "cpu: \"1\" # request"));
        assert!(!is_built("{cpu: 50m}", "{memory: 1Gi, cpu: .5}"));
    }

    #[test]
    fn what_may_lack_a_request_is_built() {
        assert!(is_built("requests: {cpu: 50m}", "limits: {memory: 1Gi}"));
        assert!(is_built("requests: {cpu: 50m}", "# requests: {cpu: 50m}"));
        assert!(is_built("cpu: 100m", "ephemeral-storage: 1Gi"));
        assert!(is_built("cpu: 100m", "cpu:"));
        assert!(is_built("cpu: 100m", "cpu: ${CPU}"));
        assert!(is_built("name: cpu,", "name: memory,"));
    }

    #[test]
    fn what_may_change_requests_is_built() {
        assert!(is_built(
            "path: /spec/replicas",
            "path: /spec/template/spec/containers/0/resources"
        ));
        let patch = "patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web}
      spec:
        template:
          spec:
            containers:
              - name: web
";
        let with = |rest: &str| format!("{patch}                {rest}\n  - patch: |\n");
        assert!(is_built("patch: |\n", &with("resources: null")));
        assert!(is_built("patch: |\n", &with("resources:")));
        assert!(is_built("patch: |\n", &with("$patch: delete")));
        assert!(is_built("patch: |\n", &with("image: other")));
    }

    #[test]
    fn what_may_miss_its_target_is_built() {
        assert!(is_built("kind: Deployment\n    name: web", "kind: Deployment\n    name: wep"));
        assert!(is_built("kind: Deployment\n    name: web", "kind: StatefulSet\n    name: web"));
        assert!(is_built("    apiVersion: apps/v1\n", "    apiVersion: extensions/v1beta1\n"));
        assert!(is_built(
            "  name: web\nspec:\n  scale",
            "  name: web\n  namespace: a\nspec:\n  scale"
        ));
        assert!(is_built("resources: [../base]", "resources: [../base]\nnamePrefix: a-"));
    }

    #[test]
    fn what_else_may_change_requests_is_built() {
        assert!(is_built("kind: CronJob", "kind: VerticalPodAutoscaler"));
    }

    #[test]
    fn what_is_in_another_directory_is_there_unless_namespaces_are_set() {
        let away = "web/base/web.yaml";
        let there = |text: &str| {
            let text = text.replace(away, "web/base/parts/web.yaml");
            let text = text.replace("[web.yaml", "[parts/web.yaml");
            !analyze(&fixture(&text), &Config::default()).0.is_empty()
        };
        assert!(there(PROGRAM));
        assert!(!there(&PROGRAM.replace("namespace: web\n", "")));
    }
}
