//! A repository in memory, and the stages that it goes through.

use std::{io::ErrorKind, sync::Arc};

use indexmap::IndexMap;

use super::{
    output::{assert_json, assert_plain, assert_written, written},
    places::{assert_documents, assert_origin, assert_span, assert_tree},
};
use crate::{
    cli::Verbosity,
    config::{self, Config},
    discover, emit,
    finding::{Edit, Finding},
    fix::{self, MOST_MADE, Prover},
    model::{self, Cluster},
    parse, pipeline,
    report::{self, IssueReport, Report, TerminalOptions},
    resolve::{
        self,
        context::{Context, Purpose},
        environment::{ClusterVersion, Environment},
        helm::{
            ApiVersions, package,
            render::{self, ChartInstallation},
        },
        kustomize,
        layout::Layout,
    },
    rules,
    scalar::Dialect,
    settle::{self, Scope},
    source::{self, FileId, FirstLook, Relevance, Skip, Sources, Span, Text},
    tree::{Map, Node, Origin, Via},
};

/// The files of a repository as one text, in which a line `//- path` starts each.
#[derive(Debug, Clone, Default)]
pub struct Archive(pub Vec<(String, Vec<u8>)>);

impl Archive {
    /// The files that `bytes` hold; what stands before the first of them is no part of any.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for line in bytes.split_inclusive(|it| *it == b'\n') {
            let path = line.strip_prefix(b"//- ").and_then(|it| str::from_utf8(it).ok());
            // As the paths of a listing are: from the root, without `.` and `..`.
            match (path.and_then(|it| source::join("", it.trim())), files.last_mut()) {
                (Some(path), _) if !path.is_empty() => files.push((path, Vec::new())),
                (_, Some((_, text))) => text.extend_from_slice(line),
                (_, None) => {}
            }
        }
        Self(files)
    }
}

/// A repository in memory with the configuration that lies in it.
pub struct StagedRepository {
    sources: Sources,
    config: Config,
    /// What is wrong with that.
    refused: Vec<Finding>,
}

/// What the environments of a repository come to.
pub struct StagedEnvironments<'a> {
    repository: &'a StagedRepository,
    environments: Vec<Environment>,
}

/// What is found in a repository.
pub struct StagedFindings<'a> {
    repository: &'a StagedRepository,
    environments: Vec<Environment>,
    clusters: Vec<Cluster>,
    findings: Vec<Finding>,
}

impl StagedRepository {
    /// That of these files, as a walk would have found them.
    #[must_use]
    pub fn new(files: Archive) -> Self {
        let Archive(files) = files;
        let listing = files.into_iter().map(|(path, bytes)| {
            let look = match discover::is_candidate(&path) && !discover::is_hidden(&path) {
                true => crate::relevance::look(&path, &bytes),
                false => FirstLook::default(),
            };
            (path, look, Some(Text::of(bytes)))
        });
        let missing = Skip::Unreadable(ErrorKind::NotFound);
        let load = Arc::new(move |_: &str| Err(missing));
        Self::of_sources(Sources::new(listing.collect(), IndexMap::new(), load))
    }

    /// That of these files, whatever is in them.
    pub(super) fn of_sources(sources: Sources) -> Self {
        let file = sources.find(config::FILE);
        let config = file.map(|it| config::parse(&sources, it, &rules::names())).transpose();
        let (config, refused) = match config {
            Ok(config) => (config.unwrap_or_default(), Vec::new()),
            Err(found) => (Config::default(), found),
        };
        Self { sources, config, refused }
    }

    /// The files.
    pub(super) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Parses every file that can matter; how many documents these have.
    #[must_use]
    pub fn parse(&self) -> usize {
        let parsed = |(file, it): (FileId, &source::Source)| {
            let text = self.sources.text(file);
            parse::file(&it.path, text, file, Dialect::Sigs).list.len()
        };
        let matter = self.sources.iter().filter(|(_, it)| it.relevance > Relevance::None);
        matter.map(parsed).sum()
    }

    /// Resolves every environment. Files are parsed once for all calls: the first one takes longer.
    #[must_use]
    pub fn resolve(&self) -> StagedEnvironments<'_> {
        let context = Context::new(&self.sources, &self.config, Purpose::Judge);
        StagedEnvironments { repository: self, environments: resolve::resolve(&context) }
    }

    /// Renders the chart in `dir` with its own values; how many objects it makes.
    #[must_use]
    pub fn render_chart(&self, dir: &str) -> usize {
        let at = Origin::at(Via::Written, None);
        let Ok(package) = package::load(&self.sources, dir, &at) else { return 0 };
        let values = Node::new(Map::default(), at.clone());
        let kubernetes: Option<ClusterVersion> = None;
        let release = ChartInstallation {
            name: "release-name",
            namespace: "default",
            values: &values,
            at: &at,
            kubernetes,
            apis: ApiVersions::Template,
            skips_schema: false,
            needs_all: true,
        };
        let rendering = render::render(&self.sources, package, &release);
        for manifest in &rendering.manifests {
            assert_tree(&self.sources, &manifest.node);
        }
        rendering.manifests.len()
    }

    /// Builds every kustomization that nothing includes; the objects as they are written.
    #[must_use]
    pub fn render(&self) -> String {
        let context = Context::new(&self.sources, &self.config, Purpose::Render);
        let layout = Layout::new(&self.sources, &self.config);
        let options = kustomize::BuildOptions::default();
        let included = layout.included_dirs();
        let mut out = String::new();
        for dir in layout.roots().filter(|it| !included.contains(it)) {
            let build = kustomize::build(&context, dir, &options);
            build.objects.iter().for_each(|it| assert_tree(&self.sources, it));
            build.problems.iter().for_each(|it| assert_origin(&self.sources, &it.at));
            let objects: Vec<&Node> = build.objects.iter().collect();
            out += &report::render_yaml(&self.sources, &objects, true);
            assert_json(&report::render_json(&self.sources, &objects, &build.problems, true));
        }
        out
    }

    /// Goes through all stages, and all forms of what they come to when it `writes`.
    pub(super) fn judge(&self, writes: bool) -> String {
        let resolved = self.resolve();
        resolved.assert_places();
        let judged = resolved.check();
        judged.assert_places();
        if writes {
            judged.assert_written();
        }
        judged.write("sarif")
    }
}

impl<'a> StagedEnvironments<'a> {
    /// How many environments there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.environments.len()
    }

    /// Lowers and judges every environment.
    #[must_use]
    pub fn check(self) -> StagedFindings<'a> {
        let Self { repository, environments } = self;
        let StagedRepository { sources, config, refused } = repository;
        let clusters = model::lower(sources, &environments);
        let mut found = pipeline::found(sources, &clusters);
        found.extend(settle::unmatched(sources, config, &environments));
        found.extend(refused.iter().cloned());
        let judged = settle::judge(sources, config, &environments, found);
        let scope = Scope::all();
        let settled = settle::select(sources, config, &environments, judged, &scope, &mut []);
        StagedFindings { repository, environments, clusters, findings: settled.findings }
    }

    fn assert_places(&self) {
        let sources = &self.repository.sources;
        for environment in &self.environments {
            assert_origin(sources, &environment.entry.origin);
            for object in &environment.objects {
                assert_tree(sources, &object.node);
            }
            for release in &environment.releases {
                assert_tree(sources, &release.values);
                assert_origin(sources, &release.anchor);
            }
            for problem in &environment.problems {
                assert_origin(sources, &problem.at);
            }
        }
    }
}

impl StagedFindings<'_> {
    /// How many findings there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.findings.len()
    }

    /// The findings in the format of this name.
    #[must_use]
    pub fn write(&self, format: &str) -> String {
        written(&self.report(), format)
    }

    fn report(&self) -> Report<'_> {
        let environments = self.environments.iter().map(|it| it.name.clone()).collect();
        let findings = self.findings.clone();
        Report { findings, environments, ..Report::of(&self.repository.sources) }
    }

    fn assert_places(&self) {
        let sources = &self.repository.sources;
        for finding in &self.findings {
            assert!(finding.primary().is_some(), "{finding:?} is nowhere");
            finding.labels.iter().for_each(|it| assert_span(sources, it.span));
        }
    }

    /// Every form of what is found, of what `show` shows, and of what is posted with an issue.
    fn assert_written(&self) {
        let sources = &self.repository.sources;
        let report = self.report();
        assert_written(&report);
        let shown = self.environments.iter().cloned().zip(self.clusters.iter().cloned());
        let shown: Vec<_> = shown.collect();
        let problems = model::unjudged(sources, &self.clusters);
        assert_json(&report::show_json(sources, &shown, &problems));
        for detail in [Verbosity::Normal, Verbosity::Verbose] {
            let look = TerminalOptions::PLAIN.of_tables();
            assert_plain(&report::show(sources, &shown, &problems, look, detail));
        }
        assert_plain(&report::show_markdown(sources, &shown, &problems));
        let (text, _) = report::issue(&IssueReport {
            found: &report,
            environments: &shown,
            problems: &problems,
            command: "check",
            kept: &[],
        });
        assert_json(&text);
    }
}

/// Every stage over the repository that `bytes` are an [`Archive`] of, and every form of the result.
pub fn repository(bytes: &[u8]) {
    let archive = Archive::of(bytes);
    let repository = StagedRepository::new(archive.clone());
    let found = repository.judge(true);
    let rendered = repository.render();
    let dirs: Vec<&str> = repository.sources.directories().collect();
    for dir in dirs.into_iter().filter(|it| repository.sources.is_chart(it)) {
        let _ = repository.render_chart(dir);
    }
    // What takes as long once more is done of some.
    if bytes.len().is_multiple_of(4) {
        let again = StagedRepository::new(archive);
        assert_eq!(rendered, again.render(), "the second time");
        assert_eq!(found, again.judge(false), "the second time");
    }
}

/// What is offered as a fix in the repository that `bytes` are an [`Archive`] of can be made, and
/// leaves YAML what it was.
pub fn fixes(bytes: &[u8]) {
    let StagedRepository { sources, config, .. } = &StagedRepository::new(Archive::of(bytes));
    let (environments, clusters) = pipeline::analyze(sources, config);
    let found = pipeline::found(sources, &clusters);
    let judged = settle::judge(sources, config, &environments, found);
    let settled = settle::select(sources, config, &environments, judged, &Scope::all(), &mut []);
    let mut findings = settled.findings;
    let prover = Prover::new(sources, config, &environments, &clusters);
    prover.offer(&mut findings, MOST_MADE);
    for fix in findings.iter().filter_map(|it| it.fix.as_ref()) {
        assert!(!fix.edits.is_empty(), "a fix of nothing");
        assert_edits(sources, &fix.edits);
    }
    let (edits, mended) = prover.edits(&findings, |_, _| true);
    assert_eq!(mended.is_empty(), edits.is_empty());
    assert_edits(sources, &edits);
    let report = Report { findings, ..Report::of(sources) };
    assert_written(&report);
}

/// The edits are of what is there and do not overlap; what was YAML is YAML with them.
fn assert_edits(sources: &Sources, edits: &[Edit]) {
    for edit in edits {
        assert_span(sources, edit.span);
    }
    for pair in edits.windows(2) {
        let (one, next) = (pair[0].span, pair[1].span);
        assert!(one.file < next.file || one.file == next.file && one.end <= next.start, "{pair:?}");
    }
    let mended = discover::edited(sources, fix::texts(sources, edits));
    for Edit { span: Span { file, .. }, .. } in edits {
        let was = sources.documents(*file, Dialect::Sigs);
        let is = mended.documents(*file, Dialect::Sigs);
        assert_documents(&mended, is);
        assert!(was.error().is_some() || is.error().is_none(), "{:?}", is.error());
        assert_ne!(sources.text(*file), mended.text(*file), "an edit of nothing");
        is.roots().for_each(|it| drop(emit::yaml(it)));
    }
}
