//! Commands that install something, in scripts, build files and pipelines.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{LazyLock, OnceLock},
};

use regex::Regex;

use crate::{ascii, data::words, resolve::names::environment_of, source, tree::Node};

/// Programs, what they are told when they deal with what they name, and what becomes of that.
const INSTALL: &[(&str, &str, &str)] = &[
    ("helm[23]?", r#"[\s"',](?:upgrade|install)[\s"',]"#, "installed"),
    ("helm[23]?", r#"[\s"',]template[\s"',]"#, "rendered"),
    ("kubectl|oc|kubecolor", r#"[\s"',](?:apply|create|replace)[\s"',]"#, "installed"),
    ("kubectl|oc|kubecolor", r#"[\s"',](?:patch|set)[\s"',]"#, "changed"),
    ("kustomize", r"\sbuild\s", "built"),
    ("minikube", r"addons\s+enable\s|--addons[\s=]", "installed"),
    (r"microk8s", r"\senable\s", "installed"),
    (r"microk8s\.enable", r"\s", "installed"),
    ("eksctl|aws", r"\s(?:create|update)[-\s]addon\s", "installed"),
    ("flux|argocd", r"\screate\s(?:\s*(?:helmrelease|hr|kustomization)\s)?", "installed"),
    ("arkade|tanzu", r"\sinstall\s", "installed"),
    ("curl|wget|Invoke-WebRequest", r"metrics-server\S*\.ya?ml\b", "installed"),
];

/// How often one command may name a program before it is none: each time what follows is looked at.
const MAX_NAMED: usize = 8;

/// What may stand before a command on its line where not all is commands: keys, assignments, words
/// of a shell.
const BEFORE_COMMAND: &str = r#"^\s*(?:(?:-|!|@|sudo|then|do|else|if|while|until|time|exec|[\w.]+\s*:?=\s*\S*|[\w. -]+["']?:(?:\s*[|>]-?)?|\$\(|["'`({\[])\s*)*$"#;

/// What finds the programs of each of [`INSTALL`], and what these are told, once a line names one.
static COMMANDS: [OnceLock<Option<(Regex, Regex)>>; INSTALL.len()] =
    [const { OnceLock::new() }; INSTALL.len()];

static BEFORE: LazyLock<Option<Regex>> = LazyLock::new(|| ascii::pattern(BEFORE_COMMAND));

/// A command that installs something, or changes it.
pub(super) struct Installation<'a> {
    /// Where in its line it starts.
    pub at: usize,
    /// From the program to the end of the command.
    pub command: &'a str,
    /// What it does with what it names, as a participle.
    pub verb: &'static str,
}

/// The commands in a line that install or change something. Where not `all` lines are commands, one
/// is where a command begins.
pub(super) fn installing(line: &str, all: bool) -> impl Iterator<Item = Installation<'_>> {
    commands(line).flat_map(move |(begins, command)| {
        INSTALL.iter().zip(&COMMANDS).filter_map(move |(&(programs, told, verb), known)| {
            let mut words = programs.split('|').filter_map(|it| it.split(['[', '\\']).next());
            if !words.any(|it| command.contains(it)) {
                return None;
            }
            let patterns = || {
                let program = format!(r#"(?:^|[\s"'`(@/=\[,])({programs})[\s"',]"#);
                Some((ascii::pattern(&program)?, ascii::pattern(told)?))
            };
            let (program, told) = known.get_or_init(patterns).as_ref()?;
            let named = program.captures_iter(command).take(MAX_NAMED);
            named.filter_map(|it| it.get(1)).find_map(|found| {
                let (before, command) = command.split_at(found.start());
                let is_run = match all {
                    true => !is_said(before),
                    false => BEFORE.as_ref().is_some_and(|it| it.is_match(before)),
                };
                let at = begins + found.start();
                (is_run && told.is_match(command)).then_some(Installation { at, command, verb })
            })
        })
    })
}

/// The commands of a line, each with where it starts: an `&` alone may be of an address.
fn commands(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = line.match_indices([';', '|', '&']).filter(|(at, end)| {
        *end != "&" || line[at + 1..].starts_with(['&', ' ']) || line[..*at].ends_with('&')
    });
    let ends = ends.map(|(at, _)| at).chain([line.len()]);
    ends.scan(0, |start, end| {
        let begins = *start;
        *start = end + 1;
        Some((begins, line.get(begins..end).unwrap_or_default()))
    })
}

/// Whether a command only shows the rest to a person.
pub(super) fn is_said(before: &str) -> bool {
    let words =
        ["echo", "printf", "print", "log", "info", "warn", "error", "usage", "say", "Write-Host"];
    let mut said = before.split(|it: char| !it.is_alphanumeric() && it != '-');
    said.any(|it| words.contains(&it)) && !before.contains('>') && !before.contains("tee ")
}

/// The lines of `text` that are no comments, each with where it starts: together with those that a
/// backslash continues, or that begin with an option, as in a folded block of YAML.
pub(super) fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut lines: Vec<(usize, &str)> = Vec::new();
    let mut open = None;
    for (at, line) in source::lines(text) {
        let mut first = line.trim_start().chars();
        let is_option =
            first.next() == Some('-') && first.next().is_some_and(|it| !it.is_whitespace());
        if is_option && open.is_none() {
            open = lines.pop().map(|(start, _)| start);
        }
        let start = open.unwrap_or(at);
        // Nothing continues a comment.
        let ends = is_comment(&text[start..]) || !line.trim_end().ends_with(['\\', '`']);
        open = (!ends).then_some(start);
        if open.is_none() {
            lines.push((start, &text[start..at + line.len()]));
        }
    }
    lines.extend(open.map(|start| (start, &text[start..])));
    lines.retain(|(_, line)| !is_comment(line));
    lines
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with(['#', ';']) || line.starts_with("//")
}

/// How a word may mean a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Means {
    /// It is that path.
    Exactly,
    /// It is with something filled in.
    Perhaps,
}

/// How a word of `text`, a command or a file in `dir`, may mean `path`.
pub(crate) fn means_any(dir: &str, text: &str, path: &str) -> Option<Means> {
    means_one(dir, words(text), path)
}

/// How one of `words` of a command or a file in `dir` may mean `path`.
pub(super) fn means_one<'a>(
    dir: &str,
    words: impl Iterator<Item = &'a str>,
    path: &str,
) -> Option<Means> {
    words.filter_map(|word| means(dir, word, path)).max()
}

/// The words of a command or of code that may be paths.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| it.is_whitespace() || "\"'=,()[]:".contains(it))
}

/// How a word in a file in `dir` may mean `path`: exactly, or with something filled in.
fn means(dir: &str, word: &str, path: &str) -> Option<Means> {
    let meant = Meant::of(dir, word)?;
    let mut names = meant.names.iter().flatten();
    if meant.is_filled_in {
        return names.any(|it| path.starts_with(&**it)).then_some(Means::Perhaps);
    }
    // The command may run in some other directory.
    let inner = |it: &str| path.strip_suffix(it).is_some_and(|it| it.ends_with('/'));
    names.any(|it| it == path || meant.is_inner && inner(it)).then_some(Means::Exactly)
}

/// What a word in a file may mean.
struct Meant {
    /// From the root, and from the directory of the file.
    names: [Option<String>; 2],
    /// Whether these only begin what is meant.
    is_filled_in: bool,
    /// Whether these may be below any directory.
    is_inner: bool,
}

impl Meant {
    /// `None` where `word`, in a file in `dir`, is no path.
    fn of(dir: &str, word: &str) -> Option<Self> {
        let word = word.trim_start_matches("${path.module}/").trim_start_matches("$values/");
        let end = ["{{", "[[", "$", "*"].iter().filter_map(|it| word.find(it)).min();
        let literal = &word[..end.unwrap_or(word.len())];
        let is_inner = literal.contains('/');
        let is_path = is_inner || (end.is_none() && literal.contains('.'));
        let from = |dir: &str| source::join(dir, literal).filter(|it| !it.is_empty());
        let is_filled_in = end.is_some();
        is_path.then(|| Self { names: [from(""), from(dir)], is_filled_in, is_inner })
    }
}

/// Which of many texts have a word that may mean a path, by what their words begin or end with.
#[derive(Default)]
pub(super) struct MeantBy {
    /// By the last of the names of what a word means.
    last: BTreeMap<Box<str>, Vec<usize>>,
    /// By what a word begins with that something is filled into.
    start: BTreeMap<Box<str>, Vec<usize>>,
    /// How long what is in `start` is at most.
    longest: usize,
}

impl MeantBy {
    /// Adds the text `at`, later than those before it, which lies in `dir`.
    pub(super) fn add<'w>(&mut self, at: usize, dir: &str, words: impl Iterator<Item = &'w str>) {
        for meant in words.filter_map(|it| Meant::of(dir, it)) {
            for name in meant.names.iter().flatten() {
                match meant.is_filled_in {
                    true => self.add_start(at, name),
                    false => note(&mut self.last, source::file_name(name), at),
                }
            }
        }
    }

    /// Adds that the text `at` may mean the files of a name, in which `*` is anything.
    pub(super) fn add_files(&mut self, at: usize, name: &str) {
        match name.contains('*') {
            true => self.add_start(at, ""),
            false => note(&mut self.last, name, at),
        }
    }

    fn add_start(&mut self, at: usize, start: &str) {
        self.longest = self.longest.max(start.len());
        note(&mut self.start, start, at);
    }

    /// The texts of which a word may mean `path`, in order: no other one does.
    pub(super) fn of(&self, path: &str) -> BTreeSet<usize> {
        let starts = (0..=path.len().min(self.longest)).filter_map(|end| path.get(..end));
        let starts = starts.filter_map(|it| self.start.get(it));
        let exact = self.last.get(source::file_name(path));
        starts.chain(exact).flatten().copied().collect()
    }
}

fn note(texts: &mut BTreeMap<Box<str>, Vec<usize>>, name: &str, at: usize) {
    let texts = texts.entry(name.into()).or_default();
    if texts.last() != Some(&at) {
        texts.push(at);
    }
}

/// Whether what is at `path` is written for readers or tests rather than for a cluster.
pub(super) fn is_aside(path: &str) -> bool {
    let docs = ["doc", "docs", "documentation"];
    let lists = [words::TESTS, words::EXAMPLES, &docs];
    // `clusters/test` is a cluster.
    let place = environment_of(path).map_or(0, str::len);
    let mut words = path[place..].split(|it: char| !it.is_alphanumeric());
    words.any(|it| lists.iter().any(|list| list.contains(&it)))
}

/// Whether a module of Ansible with these arguments takes something away: those of Helm have names of their own
/// for `state`.
pub(crate) fn is_absent(arguments: &Node) -> bool {
    let states = ["state", "release_state", "repo_state"];
    states.iter().any(|it| arguments.str_at(it) == Some("absent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_a_path_from_the_root_or_from_its_file_or_with_something_filled_in() {
        let of = |word| means("deploy", word, "charts/ms/values.yaml");
        for word in [
            "charts/ms/values.yaml",
            "../charts/ms/values.yaml",
            "./ms/values.yaml",
            "$values/charts/ms/values.yaml",
        ] {
            assert_eq!(of(word), Some(Means::Exactly), "{word}");
        }
        for word in ["charts/{{", "../charts/${NAME}/values.yaml", "charts/*"] {
            assert_eq!(of(word), Some(Means::Perhaps), "{word}");
        }
        for word in ["", "values.yaml", "ms", "{{", "charts", "./", "charts/other/values.yaml"] {
            assert_eq!(of(word), None, "{word}");
        }
    }

    #[test]
    fn a_command_ends_where_another_begins() {
        let of = |line| -> Vec<(usize, &str, &str)> {
            installing(line, true).map(|it| (it.at, it.command, it.verb)).collect()
        };
        assert_eq!(
            of("cd x && helm upgrade -i a b; kubectl patch deploy/a -p x|cat"),
            [
                (8, "helm upgrade -i a b", "installed"),
                (29, "kubectl patch deploy/a -p x", "changed")
            ]
        );
        let address = "kubectl apply -f https://x/y?a=1&b=2";
        assert_eq!(of(address), [(0, address, "installed")]);
        assert_eq!(of("echo helm install a & helm install b").len(), 1);
        assert_eq!(of("helm list"), []);
        // Whatever a line holds, each command is looked at a few times.
        assert_eq!(of(&"helm x ".repeat(100_000)), []);
    }
}
