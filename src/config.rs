//! The configuration file, `.metrics-server-lint.yaml`, with the place of every setting.

use globset::{Glob, GlobSet, GlobSetBuilder};
use semver::Version;

use crate::{
    finding::{Finding, Findings, Severity},
    nearest::nearest,
    scalar::Dialect,
    source::{self, FileId, Sources},
    tree::{Node, Origin, Via},
};

/// The file's name at the root of a repository.
pub(crate) const FILE: &str = ".metrics-server-lint.yaml";

/// What the configuration file says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    /// `environments`, in order; the first that matches an environment counts.
    pub environments: Vec<EnvironmentConfig>,
    /// `rules`: id, severity (`None` is off), and where it says so.
    pub rules: Vec<(String, Option<Severity>, Origin)>,
    /// `exclude`: globs of paths in which nothing is reported and from which nothing starts.
    pub exclude: Vec<String>,
    /// `pedantic`: whether what nobody has to mend is shown too.
    pub pedantic: bool,
}

/// `environments.<name>`
#[derive(Debug, Clone)]
pub(crate) struct EnvironmentConfig {
    /// The name; the environment's own name when `entry` is set.
    pub name: String,
    /// `match`: globs over environment names and entry paths. None means the name itself, as a whole
    /// environment name or as the last directory of one.
    pub globs: Vec<String>,
    /// `entry`: a directory that a Flux Kustomization outside the repository points at.
    pub entry: Option<(String, Origin)>,
    /// `nodes`
    pub nodes: Option<(u64, Origin)>,
    /// `pods-per-node`
    pub pods_per_node: Option<(u64, Origin)>,
    /// `kubernetes`: the version, `1.31` as `1.31.0`.
    pub kubernetes: Option<(Version, Origin)>,
    /// `local`
    pub local: Option<(bool, Origin)>,
    /// Where the name is.
    pub origin: Origin,
}

/// The rule that reports what is wrong with the configuration itself.
pub(crate) const RULE: &str = "configuration";

/// A set of `patterns` over paths or names: each matches what it says and everything below.
pub(crate) fn globs(patterns: &[String]) -> GlobSet {
    let mut globs = GlobSetBuilder::new();
    for pattern in patterns {
        let below = format!("{}/**", pattern.trim_end_matches('/'));
        // `read` refused what is no pattern.
        [pattern.as_str(), &below].into_iter().flat_map(Glob::new).for_each(|glob| {
            globs.add(glob);
        });
    }
    globs.build().unwrap_or_else(|_| GlobSet::empty())
}

/// What the configuration in `file` says; `rules` are the ids that it may set severities for.
///
/// # Errors
/// Everything that is wrong with it, each thing where it is written.
pub(crate) fn parse(
    sources: &Sources,
    file: FileId,
    rules: &[&str],
) -> Result<Config, Vec<Finding>> {
    let mut reader = Reader { sources, rules, found: Findings::of(RULE, Severity::Error, None) };
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
    rules: &'a [&'a str],
    found: Findings,
}

impl Reader<'_> {
    fn root(&mut self, root: &Node, config: &mut Config) {
        for (key, value) in self.keys(root, &["environments", "rules", "exclude", "pedantic"]) {
            match key {
                "environments" => {
                    let names = self.entries(value, "a mapping from names to their settings");
                    config.environments =
                        names.into_iter().map(|it| self.environment(&it)).collect();
                }
                "rules" => {
                    let rules = self.entries(value, "a mapping from rules to severities");
                    config.rules = rules.into_iter().filter_map(|it| self.rule(&it)).collect();
                }
                "exclude" => config.exclude = self.globs(value),
                _ => config.pedantic = self.boolean(value).unwrap_or_default(),
            }
        }
    }

    fn environment(&mut self, (name, key, value): &(String, Origin, Node)) -> EnvironmentConfig {
        let mut environment = EnvironmentConfig {
            name: name.clone(),
            globs: Vec::new(),
            entry: None,
            nodes: None,
            pods_per_node: None,
            kubernetes: None,
            local: None,
            origin: key.clone(),
        };
        let known = ["match", "entry", "nodes", "pods-per-node", "kubernetes", "local"];
        for (key, value) in self.keys(value, &known) {
            let origin = configured(value);
            match key {
                "match" => environment.globs = self.globs(value),
                "entry" => environment.entry = self.directory(value).map(|it| (it, origin)),
                "nodes" => environment.nodes = self.count(value).map(|it| (it, origin)),
                "pods-per-node" => {
                    environment.pods_per_node = self.count(value).map(|it| (it, origin));
                }
                "kubernetes" => environment.kubernetes = self.version(value).map(|it| (it, origin)),
                _ => environment.local = self.boolean(value).map(|it| (it, origin)),
            }
        }
        environment
    }

    fn rule(
        &mut self,
        (id, key, value): &(String, Origin, Node),
    ) -> Option<(String, Option<Severity>, Origin)> {
        if !self.rules.contains(&id.as_str()) {
            let finding = self.found.at(key, id, format!("there is no rule `{id}`"));
            if let Some(near) = nearest(id, self.rules.iter().copied()) {
                finding.help(format!("write `{near}`"));
            }
            return None;
        }
        // `off` is a boolean to YAML 1.1; here it is a word.
        let level = value.as_scalar().map_or("", |scalar| &*scalar.text);
        let severity = match (level, Severity::parse(level)) {
            ("off", _) => None,
            (_, Some(severity)) => Some(severity),
            _ => {
                self.wrong(value, "`error`, `warning`, `note` or `off`");
                return None;
            }
        };
        Some((id.clone(), severity, configured(value)))
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
            let at = entry.key.map_or_else(|| entry.value.origin.clone(), Origin::written);
            let help = match nearest(key, known.iter().copied()) {
                Some(near) => format!("write `{near}`"),
                None => format!("use {}", list(known)),
            };
            self.found.at(&at, key, format!("there is no setting `{key}` here")).help(help);
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

    fn globs(&mut self, value: &Node) -> Vec<String> {
        let items = value.as_list().unwrap_or(std::slice::from_ref(value));
        let mut globs = Vec::new();
        for item in items {
            match item.as_str().filter(|it| !it.is_empty()) {
                Some(glob) if Glob::new(glob).is_err() => {
                    self.found.at(&item.origin, "", format!("`{glob}` is not a pattern"));
                }
                Some(glob) => globs.push(glob.to_owned()),
                None => self.wrong(item, "a pattern such as `clusters/*`, or a list of them"),
            }
        }
        globs
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
            self.wrong(value, "`true` or `false`");
        }
        boolean
    }

    fn count(&mut self, value: &Node) -> Option<u64> {
        let count = value.as_int().and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0);
        if count.is_none() {
            self.wrong(value, "a whole number above 0");
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

    fn wrong(&mut self, value: &Node, expected: &str) {
        let found = match value.as_scalar() {
            _ if value.is_null() => "nothing".to_owned(),
            Some(scalar) => format!("`{}`", scalar.text),
            None if value.as_map().is_some() => "a mapping".to_owned(),
            None => "a list".to_owned(),
        };
        self.found.at(&value.origin, "", format!("expected {expected}, found {found}"));
    }
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
