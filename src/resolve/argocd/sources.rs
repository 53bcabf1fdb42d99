//! What the sources of an Application give: objects, or a chart with values.

use std::borrow::Cow;

use globset::GlobSet;

use crate::{
    parse::{self, Dialect},
    problem::{Problem, ProblemKind},
    resolve::{
        Release,
        argocd::{Argo, brought, chart, edits, made},
        helm, kustomize, layout,
        tools::{self, Reached},
    },
    source::{self, FileId},
    tree::{Kind, Map, Node, Origin, Why},
};

/// What deploying an Application gives.
#[derive(Debug, Default)]
pub(super) struct Deployed {
    pub(super) objects: Vec<Node>,
    pub(super) releases: Vec<Release>,
    pub(super) problems: Vec<Problem>,
    pub(super) reached: Reached,
    /// Whether what cannot be told may be about what we judge.
    pub(super) concerns: bool,
}

/// How Argo CD makes manifests of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Helm,
    Kustomize,
    Directory,
    Plugin,
}

/// Builds every source of `application`.
pub(super) fn deploy(argo: &Argo<'_>, application: &Node) -> Deployed {
    let mut deployed = Deployed::default();
    let Some(spec) = application.get("spec") else { return deployed };
    if let Some(why) = spec.unknown() {
        deployed.problems.push(Problem::new(ProblemKind::Unresolved, &spec.origin, &**why));
        return deployed;
    }
    let all = sources(spec);
    for source in &all {
        let source = overridden(argo, application, source);
        let part = Part { argo, application, spec, source: &source, all: &all };
        part.deploy(&mut deployed);
    }
    // What nothing but this Application refers to is read by it alone.
    reach(argo, application, &mut deployed.reached);
    deployed
}

/// Adds what deploying `application` reads, without building anything.
pub(super) fn reach(argo: &Argo<'_>, application: &Node, reached: &mut Reached) {
    let Some(spec) = application.get("spec") else { return };
    let all = sources(spec);
    for source in &all {
        let part = Part { argo, application, spec, source, all: &all };
        part.reach(reached);
    }
}

/// `spec.sources`, which counts even next to `spec.source`.
fn sources(spec: &Node) -> Vec<Node> {
    match spec.get("sources").map(Node::items) {
        Some(several) if !several.is_empty() => several.to_vec(),
        _ => spec.get("source").into_iter().cloned().collect(),
    }
}

/// A source with what `.argocd-source.yaml` and `.argocd-source-<application>.yaml` in its
/// directory change.
fn overridden(argo: &Argo<'_>, application: &Node, source: &Node) -> Node {
    let Some(path) = source.str_at("path").and_then(|path| source::join("", path)) else {
        return source.clone();
    };
    let mut changed = source.clone();
    let name = application.str_at("metadata.name").unwrap_or_default();
    for file in [".argocd-source.yaml".to_owned(), format!(".argocd-source-{name}.yaml")] {
        let Some(file) = source::join(&path, &file).and_then(|it| argo.context.sources.find(&it))
        else {
            continue;
        };
        for root in argo.context.sources.documents(file, Dialect::Sigs).roots().take(1) {
            let mut over = root.clone();
            if let Some(map) = over.as_map_mut() {
                // Argo CD drops what would make it another source.
                const FIXED: [&str; 4] = ["path", "chart", "repoURL", "targetRevision"];
                map.retain(|key, _| !FIXED.contains(&key));
            }
            changed = helm::merge(&changed, &over);
        }
    }
    changed
}

/// One source in its Application.
struct Part<'r, 'a> {
    argo: &'r Argo<'a>,
    application: &'r Node,
    spec: &'r Node,
    source: &'r Node,
    all: &'r [Node],
}

impl Part<'_, '_> {
    fn deploy(&self, deployed: &mut Deployed) {
        if let Some(why) = self.source.unknown() {
            let problem = Problem::new(ProblemKind::Unresolved, &self.source.origin, &**why);
            return deployed.problems.push(problem);
        }
        if let Some(chart) = self.source.get("chart").filter(|it| !it.is_null()) {
            let release = self.release(chart, None, deployed);
            return deployed.releases.push(release);
        }
        // An OCI artefact is a chart when it is asked to be one by its values.
        let url = self.source.get("repoURL");
        if let Some(url) = url.filter(|url| {
            url.as_str().is_some_and(|it| it.starts_with("oci://"))
                && self.source.get("ref").is_none()
        }) {
            let release = self.release(url, None, deployed);
            return deployed.releases.push(release);
        }
        let Some(path) = self.source.get("path") else {
            if self.source.get("ref").is_none() && self.source.get("repoURL").is_some() {
                self.build(&self.source.clone(), "", deployed);
            }
            return;
        };
        if let Some(why) = path.unknown() {
            let problem = Problem::new(ProblemKind::Unresolved, &path.origin, &**why);
            return deployed.problems.push(problem);
        }
        let written = self.environment(path.as_str().unwrap_or_default());
        match source::join("", &written) {
            Some(dir) => self.build(path, &dir, deployed),
            None => deployed.problems.push(Problem::new(
                ProblemKind::BuildFails,
                &path.origin,
                format!("Argo CD refuses the path `{written}`, which leaves the repository"),
            )),
        }
    }

    /// Builds the directory `dir`, which `at` names.
    fn build(&self, at: &Node, dir: &str, deployed: &mut Deployed) {
        if let Err(why) = self.checked_out(dir) {
            let at = self.source.get("repoURL").unwrap_or(at);
            if self.concerns(dir) {
                deployed.concerns = true;
                deployed.problems.push(Problem::new(ProblemKind::Unresolved, &at.origin, &*why));
            }
            return;
        }
        if !self.argo.context.sources.is_dir(dir) {
            let message = format!("`{dir}` is not a directory of this repository");
            deployed.problems.push(Problem::new(ProblemKind::BuildFails, &at.origin, message));
            return;
        }
        match self.tool(dir) {
            Tool::Helm => {
                let release = self.release(at, Some(dir), deployed);
                let context = self.argo.context;
                let inner = chart::applications(context, dir, &release, &mut deployed.problems);
                deployed.objects.extend(inner);
                deployed.releases.push(release);
            }
            Tool::Kustomize => self.kustomize(dir, deployed),
            Tool::Directory => {
                for (_, node) in self.manifests(dir, Some(&mut deployed.problems)) {
                    deployed.objects.push(node);
                }
            }
            Tool::Plugin => {
                let at = self.source.get("plugin").unwrap_or(at);
                let message =
                    "what a configuration management plugin makes is not in the repository";
                deployed.problems.push(Problem::new(ProblemKind::Unresolved, &at.origin, message));
            }
        }
    }

    /// Whether the source is what lies here.
    fn checked_out(&self, dir: &str) -> Result<(), Why> {
        let url = self.source.get("repoURL");
        if let Some(why) = url.and_then(Node::unknown) {
            return Err(why.clone());
        }
        let url = url.and_then(Node::as_str).unwrap_or_default();
        let exists = !dir.is_empty() && self.argo.context.sources.is_dir(dir);
        // An address that an overlay puts in, which no file shows next to a path.
        let unseen = exists && !self.argo.repository.has_seen(url);
        if !self.argo.is_ours(url) && !unseen {
            return Err(format!("`{url}` is not known to be this repository").into());
        }
        match self.source.str_at("targetRevision") {
            Some(revision) if is_pinned(revision) => Err(format!(
                "it is deployed from the revision `{revision}`, which may not be what lies here"
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// Whether a source of another repository may be about what we judge.
    fn concerns(&self, dir: &str) -> bool {
        let texts =
            [self.source.str_at("repoURL"), Some(dir), self.application.str_at("metadata.name")];
        let sources = self.argo.context.sources;
        let here = !dir.is_empty()
            && sources.below(dir).any(|it| sources[it].relevance == source::Relevance::Subject);
        here || texts.into_iter().flatten().any(|it| it.contains("metrics-server"))
    }

    fn tool(&self, dir: &str) -> Tool {
        let given = |key: &str| {
            self.source.get(key).is_some_and(|it| {
                it.unknown().is_some() || it.as_map().is_some_and(|it| !it.is_empty())
            })
        };
        let chart = source::join(dir, "Chart.yaml");
        if given("plugin") {
            Tool::Plugin
        } else if given("helm") {
            Tool::Helm
        } else if given("kustomize") {
            Tool::Kustomize
        } else if given("directory") {
            Tool::Directory
        } else if chart.is_some_and(|it| self.argo.context.sources.find(&it).is_some()) {
            Tool::Helm
        } else if self.argo.layout.has_kustomization(dir) {
            Tool::Kustomize
        } else {
            Tool::Directory
        }
    }

    fn kustomize(&self, dir: &str, deployed: &mut Deployed) {
        let closure = self.argo.layout.closure(dir, true);
        let nested = self.argo.layout.argo.iter().any(|(file, _)| closure.files.contains(file));
        let render = self.argo.context.purpose == crate::resolve::Purpose::Render;
        if !(closure.matters || nested || render) {
            return;
        }
        let options = kustomize::Options {
            // `kustomize.buildOptions` of a cluster's Argo CD may allow both, and an Application
            // that its own Argo CD refuses would have been noticed.
            unrestricted: true,
            helm: true,
            generate: false,
            left_out: None,
            edits: self.source.get("kustomize").and_then(edits::of),
        };
        let build = kustomize::build(self.argo.context, dir, &options);
        deployed.objects.extend(build.objects);
        deployed.problems.extend(build.problems);
    }

    /// The manifests of a directory source, in path order.
    fn manifests(&self, dir: &str, mut problems: Option<&mut Vec<Problem>>) -> Vec<(FileId, Node)> {
        let options = self.source.get("directory");
        let option = |key: &str| options.and_then(|it| it.get(key));
        let recurse = option("recurse").and_then(Node::as_bool).unwrap_or(false);
        let globs = |key: &str| option(key).and_then(Node::as_str).filter(|it| !it.is_empty());
        let (include, exclude) = (globs("include").map(patterns), globs("exclude").map(patterns));
        let sources = self.argo.context.sources;
        let mut found = Vec::new();
        for file in sources.below(dir) {
            let path = sources[file].path.as_str();
            let relative = path.get(dir.len()..).unwrap_or_default().trim_start_matches('/');
            let extension = relative.rsplit_once('.').map(|(_, it)| it);
            let here = recurse || !relative.contains('/');
            let wanted = include.as_ref().is_none_or(|it| it.is_match(relative))
                && !exclude.as_ref().is_some_and(|it| it.is_match(relative));
            match extension {
                Some("yaml" | "yml" | "json") if here && wanted => {}
                Some("jsonnet") if here && wanted => {
                    if let Some(problems) = problems.as_deref_mut() {
                        let at = Origin::written(source::Span { file, start: 0, end: 0 });
                        let message = "jsonnet is not evaluated";
                        problems.push(Problem::new(ProblemKind::Unresolved, &at, message));
                    }
                    continue;
                }
                _ => continue,
            }
            // A file that says nothing of interest is not worth parsing.
            if sources[file].relevance == source::Relevance::None
                && self.argo.context.purpose == crate::resolve::Purpose::Judge
            {
                continue;
            }
            let documents = sources.documents(file, Dialect::Sigs);
            if let (Some(error), Some(problems)) = (documents.error(), problems.as_deref_mut()) {
                let span = error.span.unwrap_or(source::Span { file, start: 0, end: 0 });
                let at = Origin::written(span);
                problems.push(Problem::new(ProblemKind::Syntax, &at, error.message.clone()));
            }
            let objects = layout::objects(documents.roots());
            let objects = objects.filter(|it| it.str_at("kind").is_some());
            found.extend(objects.map(|it| (file, it.clone())));
        }
        found
    }

    fn reach(&self, reached: &mut Reached) {
        for file in self.values_files() {
            reached.files.insert(file);
        }
        let path = self.source.get("path").filter(|_| self.source.get("chart").is_none());
        let Some(path) = path.and_then(Node::as_str) else { return };
        let Some(dir) = source::join("", &self.environment(path)) else { return };
        if self.checked_out(&dir).is_err() || !self.argo.context.sources.is_dir(&dir) {
            return;
        }
        match self.tool(&dir) {
            Tool::Helm => reached.files.extend(self.argo.context.sources.below(&dir)),
            Tool::Kustomize => reached.extend(self.argo.layout.closure(&dir, true)),
            Tool::Directory => {
                reached.files.extend(self.manifests(&dir, None).into_iter().map(|(file, _)| file));
            }
            Tool::Plugin => {}
        }
    }

    /// `text` with the build environment's variables that are known.
    fn environment<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains("ARGOCD_") {
            return Cow::Borrowed(text);
        }
        let name = self.application.str_at("metadata.name");
        let known = [
            ("ARGOCD_APP_NAMESPACE", self.spec.str_at("destination.namespace")),
            ("ARGOCD_APP_NAME", name),
            ("ARGOCD_APP_PROJECT_NAME", self.spec.str_at("project")),
            ("ARGOCD_APP_SOURCE_PATH", self.source.str_at("path")),
            ("ARGOCD_APP_SOURCE_REPO_URL", self.source.str_at("repoURL")),
            ("ARGOCD_APP_SOURCE_TARGET_REVISION", self.source.str_at("targetRevision")),
        ];
        let mut text = text.to_owned();
        for (variable, value) in known {
            let Some(value) = value else { continue };
            text = text.replace(&format!("${{{variable}}}"), value);
            text = text.replace(&format!("${variable}"), value);
        }
        Cow::Owned(text)
    }
}

impl Part<'_, '_> {
    /// The release of a chart, `dir` when it lies here, with the values of every layer.
    fn release(&self, chart: &Node, dir: Option<&str>, deployed: &mut Deployed) -> Release {
        let text = |path: &str| self.application.str_at(path).unwrap_or_default();
        let name = match self.source.str_at("helm.releaseName") {
            Some(name) if !name.is_empty() => self.environment(name).into_owned(),
            _ => text("metadata.name").to_owned(),
        };
        let namespace = match self.source.str_at("helm.namespace") {
            Some(namespace) if !namespace.is_empty() => namespace,
            _ => text("spec.destination.namespace"),
        };
        let version = match dir {
            None => self.source.get("targetRevision").filter(|it| it.as_str() != Some("")).cloned(),
            Some(_) => None,
        };
        let chart_name = match dir {
            Some(dir) => dir.to_owned(),
            None => chart.as_str().unwrap_or_default().to_owned(),
        };
        let anchor = version.as_ref().map_or_else(|| chart.origin.clone(), |it| it.origin.clone());
        let repository = self.source.str_at("repoURL").unwrap_or_default();
        let values = self.values(dir, deployed);
        tools::Chart { name: &chart_name, repository, directory: dir, version }
            .release("argo-cd", name, namespace, values, anchor)
    }

    /// The layers of values in the order in which Argo CD passes them: files, then the object or
    /// the text, then parameters.
    fn values(&self, dir: Option<&str>, deployed: &mut Deployed) -> Node {
        let empty = Node::new(Map::default(), self.source.origin.clone());
        let Some(helm) = self.source.get("helm") else { return empty };
        if helm.unknown().is_some() {
            return helm.clone();
        }
        let mut values = Node::new(Map::default(), helm.origin.clone());
        let ignore = helm.get("ignoreMissingValueFiles").and_then(Node::as_bool).unwrap_or(false);
        for entry in helm.get("valueFiles").map(Node::items).unwrap_or_default() {
            let layer = match self.locate(dir, entry) {
                Ok(files) if files.is_empty() && ignore => continue,
                Ok(files) if files.is_empty() => {
                    let message =
                        "this values file does not exist, so Argo CD cannot render the chart";
                    let problem = Problem::new(ProblemKind::BuildFails, &entry.origin, message);
                    deployed.problems.push(problem);
                    unknown("a values file does not exist", entry)
                }
                Ok(files) => {
                    let mut layer = Node::new(Map::default(), entry.origin.clone());
                    for file in files {
                        deployed.reached.files.insert(file);
                        match tools::values_file(self.argo.context, file, &entry.origin) {
                            Ok(over) => layer = helm::merge(&layer, &over),
                            Err(problem) => {
                                layer = unknown("a values file cannot be read", entry);
                                deployed.problems.push(problem);
                            }
                        }
                    }
                    layer
                }
                Err(why) => {
                    let problem = Problem::new(ProblemKind::Unresolved, &entry.origin, &*why);
                    deployed.problems.push(problem);
                    unknown(&why, entry)
                }
            };
            values = helm::merge(&values, &brought(&layer, entry));
        }
        let inline = match helm.get("valuesObject").filter(|it| !it.is_null()) {
            Some(object) => Some(object.clone()),
            None => helm.get("values").map(|it| self.inline(it, deployed)),
        };
        if let Some(inline) = inline {
            values = helm::merge(&values, &inline);
        }
        self.parameters(helm, values, deployed)
    }

    /// `helm.values`: text that is YAML, unless an ApplicationSet's template was already read.
    fn inline(&self, values: &Node, deployed: &mut Deployed) -> Node {
        if values.as_scalar().is_none() {
            return values.clone();
        }
        let documents = parse::embedded(self.argo.context.sources, values, Dialect::Sigs);
        match helm::layer(&documents, &values.origin) {
            Ok(layer) => layer,
            Err(problem) => {
                deployed.problems.push(problem);
                unknown("the values cannot be read", values)
            }
        }
    }

    /// `--set` and `--set-string`, the strings after the others.
    fn parameters(&self, helm: &Node, mut values: Node, deployed: &mut Deployed) -> Node {
        let parameters = helm.get("parameters").map(Node::items).unwrap_or_default();
        // For one name the last entry counts, in the place of the first.
        let mut last: indexmap::IndexMap<&str, &Node> = indexmap::IndexMap::new();
        for parameter in parameters {
            if let Some(name) = parameter.str_at("name") {
                last.insert(name, parameter);
            }
        }
        for strings in [false, true] {
            for (name, parameter) in &last {
                let forced = parameter.get("forceString").and_then(Node::as_bool).unwrap_or(false);
                if forced != strings {
                    continue;
                }
                let nothing = made("", parameter);
                let value = parameter.get("value").unwrap_or(&nothing);
                let text = value.as_scalar().map(|it| self.environment(&it.text).into_owned());
                // Commas are part of the value unless it is a list.
                let text = text.map(|it| {
                    if it.starts_with('{') {
                        it
                    } else {
                        it.replace("\\,", ",").replace(',', "\\,")
                    }
                });
                let value = match text {
                    Some(text) => made(text, value),
                    None => value.clone(),
                };
                deployed.problems.extend(tools::set(&mut values, name, &value, forced).err());
            }
        }
        for parameter in helm.get("fileParameters").map(Node::items).unwrap_or_default() {
            let Some(name) = parameter.str_at("name") else { continue };
            let value = unknown("it is the content of a file", parameter);
            deployed.problems.extend(tools::set(&mut values, name, &value, true).err());
        }
        values
    }

    fn values_files(&self) -> Vec<FileId> {
        let path = self.source.str_at("path").filter(|_| self.source.get("chart").is_none());
        let dir = path.and_then(|path| source::join("", path));
        let entries = self.source.at("helm.valueFiles").map(Node::items).unwrap_or_default();
        entries.iter().filter_map(|it| self.locate(dir.as_deref(), it).ok()).flatten().collect()
    }

    /// The files that an entry of `valueFiles` names; none when there is none.
    fn locate(&self, dir: Option<&str>, entry: &Node) -> Result<Vec<FileId>, Why> {
        if let Some(why) = entry.unknown() {
            return Err(why.clone());
        }
        let written = entry.as_str().unwrap_or_default();
        let text = self.environment(written);
        if text.contains("$ARGOCD_") || text.contains("${ARGOCD_") {
            return Err(format!("`{written}` depends on what only Argo CD knows").into());
        }
        let reference = text.strip_prefix('$').and_then(|it| it.split_once('/'));
        let path = if let Some((name, path)) = reference {
            let from = self.all.iter().find(|it| it.str_at("ref") == Some(name));
            let Some(from) = from else {
                return Err(format!("no source has `ref: {name}`").into());
            };
            Part { source: from, ..*self }.checked_out("")?;
            source::join("", path)
        } else if text.contains("://") {
            return Err(format!("`{written}` is not in the repository").into());
        } else if let Some(dir) = dir {
            self.checked_out(dir)?;
            match text.strip_prefix('/') {
                Some(path) => source::join("", path),
                None => source::join(dir, &text),
            }
        } else {
            return Err(format!("`{written}` is a file of the chart").into());
        };
        let Some(path) = path else { return Ok(Vec::new()) };
        let sources = self.argo.context.sources;
        if !path.contains(['*', '?', '[']) {
            return Ok(sources.find(&path).into_iter().collect());
        }
        let Some(pattern) = tools::pattern(&path) else { return Ok(Vec::new()) };
        Ok(sources.iter().filter(|(_, it)| pattern.is_match(&it.path)).map(|(it, _)| it).collect())
    }
}

/// A layer that may hold anything.
fn unknown(why: &str, at: &Node) -> Node {
    Node::new(Kind::Unknown(why.into()), at.origin.clone())
}

/// `{a.yaml,b.yaml}` or a single pattern, relative to the source's directory.
fn patterns(text: &str) -> GlobSet {
    let mut builder = globset::GlobSetBuilder::new();
    if let Ok(glob) = globset::Glob::new(text) {
        builder.add(glob);
    }
    builder.build().unwrap_or_else(|_| GlobSet::empty())
}

/// Whether a revision names one commit for good: a whole hash, or a version.
fn is_pinned(revision: &str) -> bool {
    let hash = revision.len() == 40 && revision.bytes().all(|it| it.is_ascii_hexdigit());
    let version = revision.strip_prefix('v').unwrap_or(revision);
    hash || semver::Version::parse(version).is_ok()
}
