//! The configuration file, `.metrics-server-lint.yaml`, with the place of every setting.

use std::sync::OnceLock;

use globset::{Glob, GlobSet, GlobSetBuilder};
use semver::Version;

use crate::{
    finding::{Finding, Findings, Severity},
    nearest::{BY_THEIR_IDS, nearest},
    scalar::Dialect,
    source::{self, FileId, Sources},
    tree::{Node, Origin, Via},
};

/// The file's name at the root of a repository.
pub(crate) const FILE: &str = ".metrics-server-lint.yaml";

/// The usual name of a file of known findings, which is none of the repository's own.
pub(crate) const BASELINE: &str = ".metrics-server-lint-baseline.json";

/// Files that somebody may take for the configuration, and that is not read from them: the name in
/// another spelling, with another ending or in a directory where other tools look.
pub(crate) fn mistaken(sources: &Sources) -> impl Iterator<Item = &str> {
    let is_like = |path: &str| {
        let name = source::file_name(path).trim_start_matches('.').to_lowercase();
        let (stem, ending) = name.split_once('.').unwrap_or((&name, ""));
        let stem: String = stem.chars().filter(|it| it.is_alphanumeric()).collect();
        let is_name = stem
            .strip_prefix("metricsserverlint")
            .is_some_and(|it| matches!(it, "" | "er" | "rc" | "config"));
        let is_place = matches!(source::parent(path), "" | ".config" | ".github");
        is_name && is_place && matches!(ending, "" | "yaml" | "yml" | "json" | "toml")
    };
    let paths = sources.iter().map(|(_, it)| &*it.path);
    paths.filter(move |it| *it != FILE && is_like(it))
}

/// What the configuration file says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    /// `environments`, in order; the first that matches an environment counts.
    pub environments: Vec<EnvironmentConfig>,
    /// The globs of all of them, and which each is of.
    pub globs: OnceLock<(GlobSet, Vec<usize>)>,
    /// `rules`
    pub rules: Vec<Level>,
    /// `overrides`, in order; of those that say something of a finding the last counts.
    pub overrides: Vec<Override>,
    /// `exclude`: paths in which nothing is reported and from which nothing starts.
    pub exclude: Globs,
    /// Paths that somebody named on the command line.
    pub named: Vec<String>,
    /// Those of them that are looked into although `exclude` says otherwise.
    pub included: Vec<String>,
    /// `pedantic`: whether what nobody has to mend is shown too.
    pub pedantic: bool,
}

/// How bad the findings of one rule are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Level {
    /// The rule's id.
    pub rule: String,
    /// `None` is off.
    pub severity: Option<Severity>,
}

/// `overrides[]`: how bad findings in some files are.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    /// `files`: over the path of where to edit.
    pub files: Globs,
    /// `rules`
    pub rules: Vec<Level>,
}

/// `environments.<name>`
#[derive(Debug, Clone)]
pub(crate) struct EnvironmentConfig {
    /// The name; the environment's own name when `entry` is set.
    pub name: String,
    /// `match`: globs over environment names and entry paths. None means the name itself, as a whole
    /// environment name or as the last directory of one.
    pub globs: Globs,
    /// `entry`: a directory that a Flux Kustomization outside the repository points at.
    pub entry: Option<(String, Origin)>,
    /// `kubelets`: the files that say how its kubelets are set up, wherever these lie.
    pub kubelets: Globs,
    /// `nodes`
    pub nodes: Option<(u64, Origin)>,
    /// `pods-per-node`
    pub pods_per_node: Option<(u64, Origin)>,
    /// `kubernetes`: the version, `1.31` as `1.31.0`.
    pub kubernetes: Option<(Version, Origin)>,
    /// `local`
    pub local: Option<(bool, Origin)>,
    /// `rules`
    pub rules: Vec<Level>,
    /// Where the name is.
    pub origin: Origin,
}

/// The rule that reports what is wrong with the configuration itself.
pub(crate) const RULE: &str = "configuration";

/// So many environments, and so many overrides, are read: each is held against all that there is.
const MOST_ENTRIES: usize = 2_000;

/// So many wildcards are read: what a pattern takes grows with them.
const MOST_WILDCARDS: usize = 10_000;

/// Patterns over paths or names: each matches what it says and everything below.
#[derive(Debug, Clone, Default)]
pub(crate) struct Globs {
    patterns: Vec<(String, Origin)>,
    /// Two for each pattern.
    set: GlobSet,
}

/// What `pattern` matches, and what lies below that.
fn both(pattern: &str) -> Option<[Glob; 2]> {
    let below = Glob::new(&format!("{}/**", pattern.trim_end_matches('/'))).ok()?;
    Some([Glob::new(pattern).ok()?, below])
}

impl Globs {
    /// The set of `patterns`, each with where it is written; what is no pattern matches nothing.
    pub(crate) fn new(patterns: Vec<(String, Origin)>) -> Self {
        let mut globs = GlobSetBuilder::new();
        let is_glob = |(pattern, _): &(String, Origin)| {
            both(pattern).is_some_and(|[itself, below]| {
                globs.add(itself).add(below);
                true
            })
        };
        let patterns = patterns.into_iter().filter(is_glob).collect();
        Self { patterns, set: globs.build().unwrap_or_else(|_| GlobSet::empty()) }
    }

    /// Whether there is no pattern.
    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether one of them is written with `word` in it.
    pub(crate) fn name(&self, word: &str) -> bool {
        self.patterns.iter().any(|(pattern, _)| pattern.contains(word))
    }

    /// Whether one of them matches.
    pub(crate) fn is_match(&self, path: &str) -> bool {
        self.set.is_match(path)
    }

    /// The patterns that match none of `paths`, each with where it is written.
    pub(crate) fn unmatched<'a>(
        &self,
        paths: impl Iterator<Item = &'a str>,
    ) -> Vec<&(String, Origin)> {
        let mut unmatched: Vec<_> = self.patterns.iter().map(Some).collect();
        let mut matches = Vec::new();
        for path in paths.filter(|_| !self.is_empty()) {
            self.set.matches_into(path, &mut matches);
            for at in &matches {
                if let Some(it) = unmatched.get_mut(at / 2) {
                    *it = None;
                }
            }
        }
        unmatched.into_iter().flatten().collect()
    }
}

impl Config {
    /// The first of `environments` without an entry whose globs match `text`. All are asked at once,
    /// since there may be as many of them as there are environments.
    pub(crate) fn first_matching(&self, text: &str) -> Option<usize> {
        let (set, of) = self.globs.get_or_init(|| {
            let (mut all, mut of) = (GlobSetBuilder::new(), Vec::new());
            let environments = self.environments.iter().enumerate();
            for (at, it) in environments.filter(|(_, it)| it.entry.is_none()) {
                for glob in it.globs.patterns.iter().filter_map(|(it, _)| both(it)).flatten() {
                    all.add(glob);
                    of.push(at);
                }
            }
            (all.build().unwrap_or_default(), of)
        });
        set.matches(text).into_iter().filter_map(|it| of.get(it).copied()).min()
    }

    /// Whether nothing is reported in the file at `path`, and nothing starts from it.
    pub(crate) fn is_excluded(&self, path: &str) -> bool {
        self.exclude.is_match(path) && !self.included.iter().any(|it| source::is_within(path, it))
    }
}

/// What the configuration in `file` says; `rules` are the names of those that it may set severities
/// for, each with the rule's id.
///
/// # Errors
/// Everything that is wrong with it, each thing where it is written.
pub(crate) fn parse(
    sources: &Sources,
    file: FileId,
    rules: &[(&str, &str)],
) -> Result<Config, Vec<Finding>> {
    let mut reader = Reader {
        sources,
        rules,
        found: Findings::of(RULE, |_| Severity::Error, None),
        wildcards: 0,
    };
    let mut config = Config::default();
    let documents = sources.documents(file, Dialect::Sigs);
    if let Some(error) = documents.error() {
        let start = source::Span::new(file, 0..sources.line_range(file, 1).end);
        let origin = Origin::written(error.span.unwrap_or(start));
        reader.found.at(&origin, "", error.message.clone());
    }
    for span in documents.list.iter().flat_map(|it| &it.repeated) {
        let key = sources.slice(*span);
        reader.found.at(&Origin::written(*span), "", format!("`{key}` is set before"));
    }
    let mut roots = documents.roots();
    if let Some(root) = roots.next() {
        reader.root(root, &mut config);
    }
    if let Some(second) = roots.next() {
        reader.found.at(&second.origin, "", "the configuration is one document");
    }
    match reader.found.into_vec() {
        found if found.is_empty() => Ok(config),
        found => Err(found),
    }
}

struct Reader<'a> {
    sources: &'a Sources,
    rules: &'a [(&'a str, &'a str)],
    found: Findings,
    /// The wildcards of all patterns so far.
    wildcards: usize,
}

impl Reader<'_> {
    fn root(&mut self, root: &Node, config: &mut Config) {
        let known = ["environments", "rules", "overrides", "exclude", "pedantic"];
        for (key, value) in self.keys(root, &known) {
            match key {
                "environments" => {
                    let names = self.entries(value, "a mapping from names to their settings");
                    let beyond = names.get(MOST_ENTRIES).map(|(_, at, _)| at);
                    self.too_many(beyond, "environments", MOST_ENTRIES);
                    let names = names.iter().take(MOST_ENTRIES);
                    config.environments = names.map(|it| self.environment(it)).collect();
                }
                "rules" => config.rules = self.rules(value),
                "overrides" => match value.as_list() {
                    Some(items) => {
                        let beyond = items.get(MOST_ENTRIES).map(|it| &it.origin);
                        self.too_many(beyond, "overrides", MOST_ENTRIES);
                        let items = items.iter().take(MOST_ENTRIES);
                        config.overrides = items.map(|it| self.files(it)).collect();
                    }
                    None if value.is_null() => {}
                    None => {
                        self.wrong(value, "a list of mappings with `files` and `rules`");
                    }
                },
                "exclude" => config.exclude = self.globs(value),
                _ => config.pedantic = self.boolean(value).unwrap_or_default(),
            }
        }
    }

    /// Says that what is at `beyond` is too much, if anything is.
    fn too_many(&mut self, beyond: Option<&Origin>, what: &str, most: usize) {
        if let Some(at) = beyond {
            self.found.at(at, "", format!("only the first {most} {what} are read"));
        }
    }

    fn environment(&mut self, (name, key, value): &(String, Origin, Node)) -> EnvironmentConfig {
        let mut environment = EnvironmentConfig {
            name: name.clone(),
            globs: Globs::default(),
            entry: None,
            kubelets: Globs::default(),
            nodes: None,
            pods_per_node: None,
            kubernetes: None,
            local: None,
            rules: Vec::new(),
            origin: key.clone(),
        };
        let known = [
            "match",
            "entry",
            "kubelets",
            "nodes",
            "pods-per-node",
            "kubernetes",
            "local",
            "rules",
        ];
        for (key, value) in self.keys(value, &known) {
            let origin = configured(value);
            match key {
                "match" => environment.globs = self.globs(value),
                "entry" => environment.entry = self.directory(value).map(|it| (it, origin)),
                "kubelets" => environment.kubelets = self.globs(value),
                "nodes" => environment.nodes = self.count(value).map(|it| (it, origin)),
                "pods-per-node" => {
                    environment.pods_per_node = self.count(value).map(|it| (it, origin));
                }
                "kubernetes" => environment.kubernetes = self.version(value).map(|it| (it, origin)),
                "rules" => environment.rules = self.rules(value),
                _ => environment.local = self.boolean(value).map(|it| (it, origin)),
            }
        }
        environment
    }

    /// One of `overrides`.
    fn files(&mut self, value: &Node) -> Override {
        let mut read = Override { files: Globs::default(), rules: Vec::new() };
        let keys = ["files", "rules"];
        let found = self.keys(value, &keys);
        if let Some(missing) =
            keys.iter().find(|key| value.as_map().is_some() && value.get(key).is_none())
        {
            self.found.at(&value.origin, missing, format!("`{missing}` is missing here"));
        }
        for (key, value) in found {
            match key {
                "files" => read.files = self.globs(value),
                _ => read.rules = self.rules(value),
            }
        }
        read
    }

    fn rules(&mut self, value: &Node) -> Vec<Level> {
        let rules = self.entries(value, "a mapping from rules to severities");
        rules.into_iter().filter_map(|it| self.rule(it)).collect()
    }

    fn rule(&mut self, (rule, key, value): (String, Origin, Node)) -> Option<Level> {
        let Some((_, id)) = self.rules.iter().find(|(name, _)| *name == rule) else {
            let finding = self.found.at(&key, &rule, format!("there is no rule `{rule}`"));
            if let Some(near) = nearest(&rule, self.rules.iter().map(|(name, _)| *name)) {
                finding.help(format!("write `{near}`"));
            } else {
                finding.help(BY_THEIR_IDS);
            }
            return None;
        };
        let rule = (*id).to_owned();
        // `off` is a boolean to YAML 1.1; here it is a word.
        let level = value.as_scalar().map_or("", |scalar| &*scalar.text);
        if level == "off" {
            return Some(Level { rule, severity: None });
        }
        let severity = Severity::parse(level);
        if severity.is_none() {
            let meant = meant(level);
            let finding = self.wrong(&value, "`error`, `warning`, `note` or `off`");
            if let Some(meant) = meant {
                finding.help(format!("write `{meant}`"));
            }
        }
        severity.map(|it| Level { rule, severity: Some(it) })
    }

    /// The values of the keys of `map` that are in `known`; others are reported.
    fn keys<'n>(&mut self, map: &'n Node, known: &[&'static str]) -> Vec<(&'static str, &'n Node)> {
        if map.as_map().is_none() && !map.is_null() {
            self.wrong(map, &format!("a mapping with the keys {}", list(known)));
        }
        let mut values = Vec::new();
        for (key, entry) in map.entries() {
            if let Some(known) = known.iter().find(|it| **it == key) {
                values.push((*known, &entry.value));
                continue;
            }
            let help = match nearest(key, known.iter().copied()) {
                Some(near) => format!("write `{near}`"),
                None => format!("use {}", list(known)),
            };
            let message = format!("there is no setting `{key}` here");
            self.found.at(&entry.origin(), key, message).help(help);
        }
        values
    }

    /// The entries of a mapping whose keys the user chooses: name, where it is, and value.
    fn entries(&mut self, map: &Node, what: &str) -> Vec<(String, Origin, Node)> {
        if map.as_map().is_none() && !map.is_null() {
            self.wrong(map, what);
        }
        let entries = map.entries().map(|(key, entry)| {
            let at = entry.key.map_or_else(|| configured(&entry.value), Origin::written);
            (key.to_owned(), at, entry.value.clone())
        });
        entries.collect()
    }

    fn globs(&mut self, value: &Node) -> Globs {
        let items = value.as_list().unwrap_or(std::slice::from_ref(value));
        let mut globs = Vec::new();
        for item in items {
            let wildcards = item.as_str().map_or(0, |it| it.matches(['*', '?', '[', '{']).count());
            let before = self.wildcards;
            self.wildcards = before.saturating_add(wildcards);
            if self.wildcards > MOST_WILDCARDS {
                let beyond = (before <= MOST_WILDCARDS).then_some(&item.origin);
                self.too_many(beyond, "wildcards", MOST_WILDCARDS);
                continue;
            }
            match item.as_str().filter(|it| !it.is_empty()) {
                Some(glob) if Glob::new(glob).is_err() => {
                    self.found.at(&item.origin, "", format!("`{glob}` is not a pattern"));
                }
                Some(glob) => globs.push((glob.to_owned(), item.origin.clone())),
                None => {
                    self.wrong(item, "a pattern such as `clusters/*`, or a list of them");
                }
            }
        }
        Globs::new(globs)
    }

    fn directory(&mut self, value: &Node) -> Option<String> {
        let Some(path) = value.as_str() else {
            self.wrong(value, "a directory of the repository");
            return None;
        };
        let Some(dir) = source::join("", path) else {
            let message = format!("`{path}` leads out of the repository");
            self.found.at(&value.origin, "", message);
            return None;
        };
        if !self.sources.is_dir(&dir) {
            self.found.at(&value.origin, "", format!("there is no directory `{path}`"));
            return None;
        }
        Some(dir)
    }

    fn boolean(&mut self, value: &Node) -> Option<bool> {
        let boolean = value.as_bool();
        if boolean.is_none() {
            self.wrong_unless_bare(value, "`true` or `false`");
        }
        boolean
    }

    fn count(&mut self, value: &Node) -> Option<u64> {
        let count = value.as_int().and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0);
        if count.is_none() {
            self.wrong_unless_bare(value, "a whole number above 0");
        }
        count
    }

    fn version(&mut self, value: &Node) -> Option<Version> {
        // Without quotes `1.30` is a number; what is meant is how it is written.
        let text = value.as_scalar().map_or("", |scalar| &*scalar.text);
        let text = text.strip_prefix('v').unwrap_or(text);
        let full = if text.matches('.').count() == 1 { format!("{text}.0") } else { text.into() };
        let version = Version::parse(&full).ok();
        if version.is_none() {
            self.wrong(value, "a version of Kubernetes such as `1.31`");
        }
        version
    }

    /// The same of what quotes may have made a text.
    fn wrong_unless_bare(&mut self, value: &Node, expected: &str) {
        let is_quoted = value.as_scalar().is_some_and(|it| it.style.is_quoted());
        let finding = self.wrong(value, expected);
        if is_quoted {
            finding.message += " in quotes, which is a text";
            finding.help("write it without quotes");
        }
    }

    fn wrong(&mut self, value: &Node, expected: &str) -> &mut Finding {
        let found = match value.as_scalar() {
            _ if value.is_null() => "nothing".to_owned(),
            Some(scalar) => format!("`{}`", scalar.text),
            None if value.as_map().is_some() => "a mapping".to_owned(),
            None => "a list".to_owned(),
        };
        self.found.at(&value.origin, "", format!("expected {expected}, found {found}"))
    }
}

/// The severity that other linters call so.
pub(crate) fn meant(level: &str) -> Option<&'static str> {
    Some(match &*level.to_ascii_lowercase() {
        "error" | "err" | "critical" | "high" | "deny" => "error",
        "warning" | "warn" | "medium" => "warning",
        "note" | "notice" | "info" | "information" | "hint" | "low" => "note",
        "off" | "false" | "no" | "none" | "ignore" | "disable" | "disabled" | "allow" => "off",
        other => nearest(other, ["error", "warning", "note", "off"])?,
    })
}

fn configured(value: &Node) -> Origin {
    Origin::at(Via::Configured, value.origin.written_at())
}

fn list(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|it| format!("`{it}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
