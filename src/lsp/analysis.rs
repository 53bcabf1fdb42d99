//! A repository with what stands in an editor's buffers: resolved, judged, settled.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr as _,
    sync::{Arc, OnceLock},
};

use lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag,
    NumberOrString, Uri,
};

use super::{place::Files, values::Passages};
use crate::{
    config::{self, Config},
    discover,
    finding::{Edit, Finding, Severity},
    fix,
    model::Cluster,
    pipeline::{self, is_ours},
    report::{Report, told},
    resolve::environment::Environment,
    rules,
    settle::{self, Scope},
    source::Sources,
};

/// A repository as it is in the editor.
pub(super) struct Analysis {
    /// Its root, as the editor calls it.
    pub(super) root: PathBuf,
    /// Its files, with the texts of the editor.
    pub(super) sources: Sources,
    /// Its configuration; the default where that cannot be used.
    pub(super) config: Config,
    /// What is resolved.
    pub(super) environments: Vec<Environment>,
    /// What that comes to, one for each environment.
    pub(super) clusters: Vec<Cluster>,
    /// What is wrong, each thing once.
    pub(super) findings: Vec<Finding>,
    /// The versions of the editor's texts, by their paths.
    versions: BTreeMap<String, i32>,
    passages: OnceLock<Passages>,
}

/// A file in the editor.
#[derive(Debug, Clone)]
pub(crate) struct Buffer {
    /// What it holds.
    pub(crate) text: Arc<str>,
    /// What the editor calls that.
    pub(crate) version: i32,
}

/// Files in the editor, by their paths in a repository.
pub(crate) type Buffers = BTreeMap<String, Buffer>;

/// What the server asks of the disk.
pub(crate) trait Disk: Sync {
    /// The root of the repository that a file or a directory is in, by the name that it is given.
    fn root(&self, path: &Path) -> PathBuf;

    /// Whether somebody works in that directory as in a repository of its own.
    fn is_repository(&self, root: &Path) -> bool;

    /// Whether a file is there.
    fn has(&self, path: &Path) -> bool;

    /// The repository at that root, with those of the `buffers` that are not saved yet, and what it is
    /// judged with.
    ///
    /// # Errors
    /// Why it cannot be read, as a sentence.
    fn open(&self, root: &Path, buffers: &Buffers) -> Result<(Sources, EditorOptions), String>;
}

/// What a repository is judged with, whatever it holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct EditorOptions {
    /// The file of `--config` among the sources, if one is named.
    pub(crate) config: Option<String>,
    /// Whether notes count that nobody has to act on.
    pub(crate) pedantic: bool,
}

impl Analysis {
    /// The repository at `root` with what the editor holds of its files.
    pub(super) fn of(
        root: &Path,
        base: &Sources,
        buffers: &Buffers,
        options: &EditorOptions,
    ) -> Self {
        let known = buffers.iter();
        let known = known.filter_map(|(path, it)| Some((base.written(path)?, it.text.to_string())));
        let versions = buffers.iter().map(|(path, it)| (path.clone(), it.version)).collect();
        Self { versions, ..Self::judged(root, discover::typed(base, known), options) }
    }

    /// The same with these edits.
    pub(super) fn with(&self, edits: &[Edit], options: &EditorOptions) -> Self {
        let texts = fix::texts(&self.sources, edits);
        Self::judged(&self.root, discover::edited(&self.sources, texts), options)
    }

    fn judged(root: &Path, sources: Sources, options: &EditorOptions) -> Self {
        let file = sources.find(options.config.as_deref().unwrap_or(config::FILE));
        let read = file.map(|file| config::parse(&sources, file, &rules::names()));
        let (mut config, wrong) = match read {
            None => (Config::default(), Vec::new()),
            Some(Ok(config)) => (config, Vec::new()),
            Some(Err(wrong)) => (Config::default(), wrong),
        };
        config.pedantic |= options.pedantic;
        let (environments, clusters) = pipeline::analyze(&sources, &config);
        let mut found = pipeline::found(&sources, &clusters);
        found.extend(settle::unmatched(&sources, &config, &environments));
        let judged = settle::judge(&sources, &config, &environments, found);
        let scope = Scope::all();
        let settled = settle::select(&sources, &config, &environments, judged, &scope, &mut []);
        let mut findings = settled.findings;
        findings.extend(wrong);
        Self {
            root: root.to_owned(),
            sources,
            config,
            environments,
            clusters,
            findings,
            versions: BTreeMap::new(),
            passages: OnceLock::new(),
        }
    }

    /// Its files, as the editor knows them.
    pub(super) fn files(&self) -> Files<'_> {
        Files { root: &self.root, sources: &self.sources }
    }

    /// Which version of the file at `path` this is of, if it is in the editor.
    pub(super) fn version(&self, path: &str) -> Option<i32> {
        self.versions.get(path).copied()
    }

    /// Where values come through.
    pub(super) fn passages(&self) -> &Passages {
        self.passages.get_or_init(|| Passages::of(&self.environments, &self.clusters))
    }

    /// What the editor shows of each file, by its path; files without findings have none.
    pub(super) fn diagnostics(&self) -> BTreeMap<&str, Vec<Diagnostic>> {
        let report = self.report();
        let mut all: BTreeMap<&str, Vec<Diagnostic>> = BTreeMap::new();
        for finding in &self.findings {
            let Some(primary) = finding.primary() else { continue };
            let path = &*self.sources[primary.span.file].path;
            all.entry(path).or_default().extend(self.diagnostic(&report, finding));
        }
        all
    }

    /// What the editor shows of a finding.
    pub(super) fn diagnostic_of(&self, finding: &Finding) -> Option<Diagnostic> {
        self.diagnostic(&self.report(), finding)
    }

    fn report(&self) -> Report<'_> {
        let ours = self.environments.iter().zip(&self.clusters).filter(|(it, of)| is_ours(it, of));
        let environments = ours.map(|(it, _)| it.name.clone()).collect();
        Report { environments, ..Report::of(&self.sources) }
    }

    fn diagnostic(&self, report: &Report<'_>, finding: &Finding) -> Option<Diagnostic> {
        let rule = rules::find(finding.rule);
        let page = rule.and_then(|it| Uri::from_str(&it.page()).ok());
        let lines = [report.sentence(finding)].into_iter().chain(Report::remarks(finding));
        let others = finding.labels.iter().skip(1).filter_map(|label| {
            Some(DiagnosticRelatedInformation {
                location: self.files().location(label.span)?,
                message: told(label).to_owned(),
            })
        });
        let others: Vec<_> = others.collect();
        let is_needless = finding.rule == "unused-suppression";
        Some(Diagnostic {
            range: self.files().range(finding.primary()?.span),
            severity: Some(match finding.severity {
                Severity::Error => DiagnosticSeverity::ERROR,
                Severity::Warning => DiagnosticSeverity::WARNING,
                Severity::Note => DiagnosticSeverity::INFORMATION,
            }),
            code: Some(NumberOrString::String(finding.rule.to_owned())),
            code_description: page.map(|href| CodeDescription { href }),
            source: Some(env!("CARGO_PKG_NAME").to_owned()),
            message: lines.collect::<Vec<_>>().join("\n"),
            related_information: (!others.is_empty()).then_some(others),
            tags: is_needless.then(|| vec![DiagnosticTag::UNNECESSARY]),
            data: None,
        })
    }
}
