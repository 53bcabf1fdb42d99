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
pub const FILE: &str = ".metrics-server-lint.yaml";

/// What the configuration file says.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `environments`, in order; the first that matches an environment counts.
    pub environments: Vec<EnvironmentConfig>,
    /// `rules`: id, severity (`None` is off), and where it says so.
    pub rules: Vec<(String, Option<Severity>, Origin)>,
    /// `exclude`: globs of paths in which nothing is reported and from which nothing starts.
    pub exclude: Vec<String>,
}

/// `environments.<name>`
#[derive(Debug, Clone)]
pub struct EnvironmentConfig {
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
pub const RULE: &str = "configuration";

/// A set of `patterns` over paths or names: each matches what it says and everything below.
pub fn globs(patterns: &[String]) -> GlobSet {
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
pub fn read(sources: &Sources, file: FileId, rules: &[&str]) -> Result<Config, Vec<Finding>> {
    let mut reader = Reader { sources, rules, found: Findings::of(RULE, Severity::Error, None) };
    let mut config = Config::default();
    let documents = sources.documents(file, Dialect::Sigs);
    if let Some(error) = documents.error() {
        let whole = sources.line_range(file, 1);
        let start = source::Span { file, start: 0, end: u32::try_from(whole.end).unwrap_or(0) };
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
        for (key, value) in self.keys(root, &["environments", "rules", "exclude"]) {
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
                _ => config.exclude = self.globs(value),
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
                _ => match value.as_bool() {
                    Some(it) => environment.local = Some((it, origin)),
                    None => self.wrong(value, "`true` or `false`"),
                },
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

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [&str; 2] = ["kubelet-insecure-tls", "memory-limit-too-low"];

    fn sources(text: &str) -> Sources {
        Sources::in_memory([(FILE, text), ("clusters/prod/a.yaml", "")])
    }

    fn config(text: &str) -> Config {
        let sources = sources(text);
        read(&sources, sources.find(FILE).expect("the file"), &RULES).expect(text)
    }

    /// The place of each error with its message and its help.
    fn errors(text: &str) -> Vec<String> {
        let sources = sources(text);
        let errors = read(&sources, sources.find(FILE).expect("the file"), &RULES).expect_err(text);
        let lines = errors.iter().map(|it| {
            let at = sources.start(it.primary().expect("a label").span);
            let help = it.help.as_deref().unwrap_or("-");
            format!("{}:{} {}; {help}", at.line, at.column, it.message)
        });
        lines.collect()
    }

    #[test]
    fn everything_at_once() {
        let text = "environments:
  prod: &prod
    match: clusters/prod*
    entry: ./clusters/prod
    nodes: 300
    pods-per-node: 60
    kubernetes: 1.30
  dev: {<<: *prod, local: yes, kubernetes: v1.31.2}
rules: {kubelet-insecure-tls: off, memory-limit-too-low: error}
exclude: [vendor/, '*.tmpl.yaml']
";
        let config = config(text);
        let [prod, dev] = &*config.environments else { panic!("two environments") };
        assert_eq!((&*prod.name, &*prod.globs), ("prod", &["clusters/prod*".to_owned()][..]));
        assert_eq!(prod.entry.as_ref().map(|it| &*it.0), Some("clusters/prod"));
        assert_eq!(prod.nodes.as_ref().map(|it| it.0), Some(300));
        assert_eq!(prod.kubernetes.as_ref().map(|it| it.0.to_string()), Some("1.30.0".into()));
        assert_eq!(dev.nodes.as_ref().map(|it| it.0), Some(300));
        assert_eq!(dev.local.as_ref().map(|it| it.0), Some(true));
        assert_eq!(dev.kubernetes.as_ref().map(|it| it.0.to_string()), Some("1.31.2".into()));
        let rules: Vec<_> = config.rules.iter().map(|(id, level, _)| (&**id, *level)).collect();
        let expected =
            [("kubelet-insecure-tls", None), ("memory-limit-too-low", Some(Severity::Error))];
        assert_eq!(rules, expected);
        let excludes = globs(&config.exclude);
        assert!(excludes.is_match("vendor/a/b.yaml") && excludes.is_match("a/x.tmpl.yaml"));
        assert!(!excludes.is_match("x.yaml") && !excludes.is_match("a/vendor/b.yaml"));
    }

    #[test]
    fn a_setting_says_where_it_is() {
        let sources = sources("environments: {prod: {nodes: 300}}");
        let config =
            read(&sources, sources.find(FILE).expect("the file"), &RULES).expect("it is valid");
        let (_, origin) = config.environments[0].nodes.as_ref().expect("nodes");
        assert_eq!(origin.step.via, Via::Configured);
        assert_eq!(sources.slice(origin.written_at().expect("a span")), "300");
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        assert!(config("# nothing yet\n").environments.is_empty());
        assert!(config("environments:\nrules:\n").environments.is_empty());
    }

    #[test]
    fn the_schema_has_the_settings_that_there_are() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../schema/config.schema.json")).expect("JSON");
        let keys = |properties: &serde_json::Value| -> Vec<String> {
            properties.as_object().expect("properties").keys().cloned().collect()
        };
        let top = &schema["properties"];
        let environment = &top["environments"]["additionalProperties"]["properties"];
        assert_eq!(keys(top), ["environments", "rules", "exclude"]);
        let settings = keys(environment).join(": {}, ");
        // Each is known, and none of them is a mapping.
        let errors = errors(&format!("environments: {{prod: {{{settings}: {{}}}}}}"));
        assert_eq!(errors.len(), 6, "{errors:?}");
        assert!(errors.iter().all(|it| it.contains("found a mapping")), "{errors:?}");
    }

    #[test]
    fn what_is_wrong_is_said_where_it_is() {
        assert_eq!(
            errors("enviroments: {}"),
            ["1:1 there is no setting `enviroments` here; write `environments`"]
        );
        assert_eq!(
            errors("environments:\n  prod:\n    node: 3\n    colour: red"),
            [
                "3:5 there is no setting `node` here; write `nodes`",
                "4:5 there is no setting `colour` here; use `match`, `entry`, `nodes`, \
                 `pods-per-node`, `kubernetes` or `local`",
            ]
        );
        assert_eq!(
            errors("environments: {a: {nodes: many, kubernetes: new, local: 1, entry: nowhere}}"),
            [
                "1:27 expected a whole number above 0, found `many`; -",
                "1:45 expected a version of Kubernetes such as `1.31`, found `new`; -",
                "1:57 expected `true` or `false`, found `1`; -",
                "1:67 there is no directory `nowhere`; -",
            ]
        );
        assert_eq!(
            errors("rules: {kubelet-insecure-tsl: note, kubelet-insecure-tls: fatal}"),
            [
                "1:9 there is no rule `kubelet-insecure-tsl`; write `kubelet-insecure-tls`",
                "1:59 expected `error`, `warning`, `note` or `off`, found `fatal`; -",
            ]
        );
        assert_eq!(
            errors("- a"),
            [
                "1:1 expected a mapping with the keys `environments`, `rules` or `exclude`, found a list; -"
            ]
        );
        assert_eq!(errors("exclude: '[a'"), ["1:10 `[a` is not a pattern; -"]);
        assert_eq!(errors("exclude: a\nexclude: b"), ["2:1 `exclude` is set before; -"]);
        assert_eq!(errors("environments: [").len(), 1);
        assert_eq!(
            errors("environments: {a: {entry: ../b}}"),
            ["1:27 `../b` leads out of the repository; -"]
        );
    }
}
