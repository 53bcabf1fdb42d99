//! What is known of findings: those that a file lists, or that another tree has.
//!
//! A finding is known by what it is about and by what is written at the place to edit, never by the
//! line's number or its neighbours: what moves within a file stays known.

mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Value as Json, json};

use crate::{
    finding::{Finding, Findings, Severity},
    problem::ProblemKind,
    rules,
    scalar::Dialect,
    source::{self, FileId, Sources, Span},
    tree::{Node, Origin},
};

/// The rule that reports what is wrong with the file itself.
pub(crate) const RULE: &str = "baseline";

/// The version of the file's form.
const VERSION: i64 = 1;

/// What findings have in common that are the same at two times; those that differ in their file only
/// stand side by side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FindingIdentity {
    /// The rule's id.
    pub rule: String,
    /// [`Finding::subject`]
    pub subject: String,
    /// [`Finding::variant`]
    pub variant: String,
    /// What is written at the place to edit, see [`words::words`].
    pub line: String,
    /// The file to edit.
    pub path: String,
}

/// What is known of one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownFinding<'a> {
    pub identity: &'a FindingIdentity,
    /// The environments that have it, or none.
    pub environments: Vec<&'a str>,
    /// How often each of them has it.
    pub count: usize,
}

impl fmt::Display for KnownFinding<'_> {
    /// On one line: `a.yaml: rule: the line to edit (dev, prod)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FindingIdentity { path, rule, subject, line, .. } = self.identity;
        let what = if line.is_empty() { subject } else { line };
        let parts = [path, rule, what].into_iter().filter(|it| !it.is_empty());
        let text = parts.map(String::as_str).collect::<Vec<_>>().join(": ");
        let hides = |it: char| it.is_control();
        f.write_str(&text.replace(hides, "\u{fffd}"))?;
        match &*self.environments {
            [] => Ok(()),
            names => write!(f, " ({})", names.join(", ").replace(hides, "\u{fffd}")),
        }
    }
}

/// How often each finding is known in each environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Baseline {
    /// All environments that there were, also those without findings.
    environments: BTreeSet<String>,
    /// The environment is `""` for what belongs to none.
    known: BTreeMap<(FindingIdentity, String), usize>,
}

impl FindingIdentity {
    pub(crate) fn of(sources: &Sources, finding: &Finding) -> Self {
        // One cause is one finding, wherever it is met.
        let cause = finding.rule == ProblemKind::Unresolved.rule() && !finding.subject.is_empty();
        let span = finding.primary().filter(|_| !cause).map(|it| it.span);
        Self {
            path: span.map_or("", |it| &*sources[it.file].path).to_owned(),
            rule: finding.rule.to_owned(),
            subject: finding.subject.clone(),
            variant: finding.variant.to_owned(),
            line: span.map_or_else(String::new, |it| words::words(sources, it)),
        }
    }

    /// Whether the other is the same when files have been renamed.
    fn is_like(&self, other: &Self) -> bool {
        let Self { path: _, rule, subject, variant, line } = other;
        [&self.rule, &self.subject, &self.variant, &self.line] == [rule, subject, variant, line]
    }

    /// What stands before all that are like it.
    fn before_like(&self) -> Self {
        Self { path: String::new(), ..self.clone() }
    }
}

impl Baseline {
    /// What knows `findings`, each of one environment at most; `environments` are all that there are.
    pub(crate) fn of<'a>(
        sources: &Sources,
        environments: impl IntoIterator<Item = &'a str>,
        findings: &[Finding],
    ) -> Self {
        let environments = environments.into_iter().map(str::to_owned).collect();
        let found = grouped(sources, findings).into_iter();
        Self { environments, known: found.map(|(key, places)| (key, places.len())).collect() }
    }

    /// Parts `findings`, each of one environment at most, into those that it does not know and those that
    /// it does, and keeps what it knows that none of them is.
    ///
    /// Where a file or an environment has another name now, what it had is known under that. An
    /// environment that comes to have a finding that others have is not known to have it.
    pub(crate) fn part<'a>(
        &mut self,
        sources: &Sources,
        environments: impl IntoIterator<Item = &'a str>,
        findings: Vec<Finding>,
    ) -> (Vec<Finding>, Vec<Finding>) {
        let now: BTreeSet<&str> = environments.into_iter().collect();
        let (mut known, mut others) = (BTreeSet::new(), Vec::new());
        for (key, places) in grouped(sources, &findings) {
            let mut none = 0;
            let count = self.known.get_mut(&key).unwrap_or(&mut none);
            for place in places {
                if let Some(less) = count.checked_sub(1) {
                    *count = less;
                    known.insert((key.clone(), place));
                } else {
                    others.push((key.clone(), place));
                }
            }
        }
        self.known.retain(|_, count| *count > 0);
        let is_gone = |path: &str| sources.find(path).is_none();
        let renamed = self.renamed(&now, others.iter().map(|(key, _)| key), is_gone);
        for ((identity, environment), place) in others {
            let before = match renamed.get(&environment) {
                Some(before) => before,
                None if environment.is_empty() || self.environments.contains(&environment) => {
                    &environment
                }
                None => continue,
            };
            let mut same = self
                .known
                .range_mut((identity.before_like(), String::new())..)
                .take_while(|((it, _), _)| it.is_like(&identity));
            let same = same.find(|((old, there), count)| {
                **count > 0 && there == before && (old.path == identity.path || is_gone(&old.path))
            });
            if let Some((_, count)) = same {
                *count -= 1;
                known.insert(((identity, environment), place));
            }
        }
        self.known.retain(|_, count| *count > 0);
        let is_known = |it: &Finding| known.contains(&(key(sources, it), place(it)));
        let (known, new) = findings.into_iter().partition(is_known);
        (new, known)
    }

    /// The environments that have another name `now`, each with the old one: most of what the old one
    /// had is among its `others`, the findings that are not known. One that is gone has become one at
    /// most; where two may be that one, it is none.
    fn renamed<'k>(
        &self,
        now: &BTreeSet<&str>,
        others: impl Iterator<Item = &'k Key>,
        is_gone: impl Fn(&str) -> bool,
    ) -> BTreeMap<String, String> {
        let mut had: BTreeMap<&str, Vec<&FindingIdentity>> = BTreeMap::new();
        for (identity, environment) in self.known.keys() {
            if !now.contains(&**environment) && !environment.is_empty() {
                had.entry(environment).or_default().push(identity);
            }
        }
        let mut has: BTreeMap<&str, BTreeSet<&FindingIdentity>> = BTreeMap::new();
        for (identity, environment) in others {
            if !self.environments.contains(environment) && !environment.is_empty() {
                has.entry(environment).or_default().insert(identity);
            }
        }
        let is_same = |old: &FindingIdentity, new: &FindingIdentity| {
            old.is_like(new) && (old.path == new.path || is_gone(&old.path))
        };
        let became = |old: &str, new: &str| {
            let (Some(had), Some(has)) = (had.get(old), has.get(new)) else { return false };
            let stays = |it: &&&FindingIdentity| {
                has.range::<FindingIdentity, _>(&it.before_like()..)
                    .take_while(|new| it.is_like(new))
                    .any(|new| is_same(it, new))
            };
            had.iter().filter(stays).count() * 2 > had.len()
        };
        let pairs = had.keys().flat_map(|old| has.keys().map(|new| (*old, *new)));
        let pairs: BTreeSet<(&str, &str)> = pairs.filter(|(old, new)| became(old, new)).collect();
        let mut renamed = BTreeMap::new();
        // A directory that moves keeps its own name.
        for moved in [true, false] {
            let may_be = |old: &str, new: &str| {
                pairs.contains(&(old, new))
                    && (!moved || source::file_name(old) == source::file_name(new))
            };
            let mut left: Vec<&str> = had.keys().copied().collect();
            left.retain(|old| renamed.values().all(|it| it != old));
            for (at, old) in left.iter().enumerate() {
                let is_free = |new: &&&str| !renamed.contains_key(**new) && may_be(old, new);
                let news: Vec<&str> = has.keys().filter(is_free).copied().collect();
                let Some(new) = news.first() else { continue };
                let as_well = left[at..].iter().filter(|it| may_be(it, new)).count();
                if news.len() <= as_well {
                    renamed.insert((*new).to_owned(), (*old).to_owned());
                }
            }
        }
        renamed
    }

    /// What it knows, in the order of the files.
    pub(crate) fn entries(&self) -> Vec<KnownFinding<'_>> {
        let mut entries: Vec<KnownFinding<'_>> = Vec::new();
        for ((identity, environment), count) in &self.known {
            let alike = |it: &&mut KnownFinding<'_>| it.identity == identity && it.count == *count;
            let environment = Some(&**environment).filter(|it| !it.is_empty());
            match entries.iter_mut().rev().take_while(|it| it.identity == identity).find(alike) {
                Some(entry) => entry.environments.extend(environment),
                None => entries.push(KnownFinding {
                    identity,
                    environments: environment.into_iter().collect(),
                    count: *count,
                }),
            }
        }
        entries.sort_by_key(|it| &it.identity.path);
        entries
    }

    /// It as the text of a file.
    pub(crate) fn to_json(&self) -> String {
        let findings =
            self.entries().into_iter().map(|KnownFinding { identity, environments, count }| {
                let FindingIdentity { path, rule, subject, variant, line } = identity;
                let mut entry = json!({ "path": path, "rule": rule, "line": line });
                let more = [
                    ("subject", Some(json!(subject)).filter(|_| !subject.is_empty())),
                    ("variant", Some(json!(variant)).filter(|_| !variant.is_empty())),
                    (
                        "environments",
                        Some(json!(environments)).filter(|_| !environments.is_empty()),
                    ),
                    ("count", Some(json!(count)).filter(|_| count > 1)),
                ];
                if let Json::Object(members) = &mut entry {
                    let more =
                        more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
                    members.extend(more);
                }
                entry
            });
        let findings: Vec<Json> = findings.collect();
        let all = json!({
            "version": VERSION,
            "environments": self.environments,
            "findings": findings,
        });
        format!("{all:#}\n")
    }

    /// What the file lists.
    ///
    /// # Errors
    /// Everything that is wrong with it, each thing where it is written.
    pub(crate) fn parse(sources: &Sources, file: FileId) -> Result<Self, Vec<Finding>> {
        let mut reader = Reader { found: Findings::of(RULE, |_| Severity::Error, None) };
        let documents = sources.documents(file, Dialect::Sigs);
        let start = Origin::written(Span::new(file, 0..sources.line_range(file, 1).end));
        if let Some(error) = documents.error() {
            let at = error.span.map_or(start, Origin::written);
            reader.found.at(&at, "", error.message.clone());
            return Err(reader.found.into_vec());
        }
        let baseline = match documents.roots().next() {
            Some(root) => reader.root(root),
            None => {
                reader.found.at(&start, "", "this is no baseline: nothing is in it");
                Self::default()
            }
        };
        match reader.found.into_vec() {
            found if found.is_empty() => Ok(baseline),
            found => Err(found),
        }
    }
}

/// A finding's identity and its environment.
type Key = (FindingIdentity, String);

fn key(sources: &Sources, finding: &Finding) -> Key {
    let environment = finding.environments.first().cloned().unwrap_or_default();
    (FindingIdentity::of(sources, finding), environment)
}

fn place(finding: &Finding) -> Option<Span> {
    finding.primary().map(|it| it.span)
}

/// The places at which each is found.
fn grouped(sources: &Sources, findings: &[Finding]) -> BTreeMap<Key, BTreeSet<Option<Span>>> {
    let mut groups: BTreeMap<Key, BTreeSet<Option<Span>>> = BTreeMap::new();
    for finding in findings {
        groups.entry(key(sources, finding)).or_default().insert(place(finding));
    }
    groups
}

struct Reader {
    found: Findings,
}

impl Reader {
    fn root(&mut self, root: &Node) -> Baseline {
        let mut baseline = Baseline::default();
        let version = root.get("version").and_then(Node::as_int);
        if version != Some(VERSION.into()) {
            let at = root.get("version").unwrap_or(root);
            let message = match version {
                Some(other) => format!("version {other} of a baseline is not known here"),
                None => "this is no baseline: it has no `version`".to_owned(),
            };
            self.found.at(&at.origin, "", message).help("write it anew with --write-baseline");
            return baseline;
        }
        // The other forms of JSON have the same version.
        if let Some(other) = ["summary", "error", "changes"].iter().find_map(|it| root.get(it)) {
            let message = "this is a report of `--format json`, no baseline";
            self.found.at(&other.origin, "", message).help("write one with --write-baseline");
            return baseline;
        }
        for key in ["environments", "findings"] {
            if root.get(key).is_none() {
                self.found.at(&root.origin, "", format!("`{key}` is missing here"));
            }
        }
        baseline.environments = self.texts(root, "environments").into_iter().collect();
        for entry in self.list(root, "findings") {
            let [path, rule, line, subject, variant] =
                ["path", "rule", "line", "subject", "variant"].map(|key| self.text(entry, key));
            if rule.is_empty() {
                self.found.at(&entry.origin, "", "`rule` is missing here");
            }
            let rule = rules::find(&rule).map_or(rule, |it| it.id.to_owned());
            let count = match entry.get("count") {
                None => 1,
                Some(it) => self.count(it),
            };
            let mut environments = self.texts(entry, "environments");
            if environments.is_empty() {
                environments.push(String::new());
            }
            let identity = FindingIdentity { rule, subject, variant, line, path };
            for environment in environments {
                let known = baseline.known.entry((identity.clone(), environment)).or_default();
                *known = known.saturating_add(count);
            }
        }
        baseline
    }

    fn list<'n>(&mut self, map: &'n Node, key: &str) -> &'n [Node] {
        let value = map.get(key);
        if let Some(wrong) = value.filter(|it| it.as_list().is_none()) {
            self.found.at(&wrong.origin, "", format!("`{key}` is a list"));
        }
        value.map_or(&[], Node::items)
    }

    fn texts(&mut self, map: &Node, key: &str) -> Vec<String> {
        let items = self.list(map, key).iter();
        items.map(|it| self.string(it, key)).collect()
    }

    fn text(&mut self, map: &Node, key: &str) -> String {
        map.get(key).map_or_else(String::new, |it| self.string(it, key))
    }

    fn string(&mut self, value: &Node, key: &str) -> String {
        if value.as_str().is_none() {
            self.found.at(&value.origin, "", format!("`{key}` is text"));
        }
        value.as_str().unwrap_or_default().to_owned()
    }

    fn count(&mut self, value: &Node) -> usize {
        let count = value.as_int().and_then(|it| usize::try_from(it).ok());
        if count.is_none() {
            self.found.at(&value.origin, "", "`count` is a whole number");
        }
        count.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A finding at each `BAD` of the file.
    fn found(sources: &Sources) -> Vec<Finding> {
        let mut findings =
            Findings::of("kubelet-insecure-tls", |_| Severity::Warning, Some("prod"));
        for (file, _) in sources.iter() {
            for (at, it) in sources.text(file).match_indices("BAD") {
                findings.at(&Origin::written(Span::new(file, at..at + it.len())), "", "");
            }
        }
        findings.into_vec()
    }

    /// How many findings of `text` are new to who knows those of `before`, and how many of those are
    /// gone.
    fn compared(before: &str, text: &str) -> (usize, usize) {
        let [old, new] = [before, text].map(|it| Sources::in_memory([("a.yaml", it)]));
        let mut baseline = Baseline::of(&old, ["prod"], &found(&old));
        let (found, _) = baseline.part(&new, ["prod"], found(&new));
        (found.len(), baseline.entries().iter().map(|it| it.count).sum())
    }

    #[test]
    fn equal_lines_are_counted() {
        assert_eq!(compared("- BAD\n- BAD\n", "- BAD\n- BAD\n"), (0, 0));
        assert_eq!(compared("- BAD\n", "- BAD\nx: 1\n- BAD\n"), (1, 0));
        assert_eq!(compared("- BAD\n- BAD\n- BAD\n", "- BAD\n"), (0, 2));
    }

    #[test]
    fn what_stands_in_quotes_is_no_comment() {
        assert_eq!(compared("BAD # old\n", "BAD # new\n"), (0, 0));
        assert_eq!(compared("BAD: '1 # 5s'\n", "BAD: '1 # 3s'\n"), (1, 1));
    }

    #[test]
    fn a_line_is_its_words() {
        assert_eq!(compared("a:   BAD # why\n", "\n\n    a: BAD\n"), (0, 0));
        assert_eq!(compared("a: BAD\n", "b: BAD\n"), (1, 1));
        // What a program writes on one line changes elsewhere.
        let long = |other: &str| format!("{{{} a: BAD}}", format!("{other}: 1, ").repeat(60));
        assert_eq!(compared(&long("b"), &long("c")), (0, 0));
    }

    #[test]
    fn what_is_written_is_read() {
        let sources = Sources::in_memory([("a.yaml", "- \"BAD\\tx\"\n- BAD\n- BAD\n")]);
        let baseline = Baseline::of(&sources, ["prod", "é: #"], &found(&sources));
        let text = baseline.to_json();
        let file = Sources::in_memory([("b.json", &*text)]);
        let read = Baseline::parse(&file, file.find("b.json").unwrap());
        assert_eq!(read.unwrap(), baseline, "{text}");
    }
}
