//! What may install a chart or a values file of the repository in a way that nobody can tell: an
//! installer that is not read in full, or a command in a script.
//!
//! Nothing is evaluated. What names the path, or a path of which it may be one, may install it.

use std::{
    collections::BTreeSet,
    sync::{LazyLock, OnceLock},
};

use regex::Regex;

use crate::{
    ascii,
    problem::Problem,
    relevance::is_script,
    resolve::{
        command::{self, Means, MeantBy},
        helm, prepared,
    },
    source::{self, FileId, Sources},
    tree::{Node, Origin, Reason},
};

/// What is not read in full.
pub(crate) struct Unread<'a> {
    sources: &'a Sources,
    /// Files of installers that are not understood.
    installers: BTreeSet<FileId>,
    /// Those and Terraform's code, when something asks for them: what it makes of several releases is
    /// not told one by one, and what a module or a resource of another provider makes of values not at
    /// all.
    files: OnceLock<(Vec<Installer<'a>>, MeantBy)>,
    /// Scripts that call Helm.
    scripts: OnceLock<(Vec<HelmScript>, MeantBy)>,
}

/// A file that may pass something to Helm.
struct Installer<'a> {
    file: FileId,
    /// Whether it sets single values.
    sets: bool,
    /// Its words, each once.
    words: BTreeSet<&'a str>,
}

/// A script that calls Helm.
struct HelmScript {
    file: FileId,
    commands: Vec<HelmCommand>,
}

/// A command that calls Helm.
struct HelmCommand {
    /// Its text, with `*` where something is filled in.
    text: String,
    /// The values files that it passes, in order.
    files: Vec<String>,
}

/// What may be passed beside some values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Passed {
    /// Layers below them: what they do not say is not known.
    Below,
    /// Anything: nothing of them is known.
    Over,
}

impl<'a> Unread<'a> {
    /// Of a repository in which the installers at `places` are not understood.
    pub(crate) fn new(sources: &'a Sources, places: impl Iterator<Item = &'a Origin>) -> Self {
        let installers = places.filter_map(|it| Some(it.written_at()?.file)).collect();
        Self { sources, installers, files: OnceLock::new(), scripts: OnceLock::new() }
    }

    /// The installers that have a word which may mean `path`.
    fn files(&self, path: &str) -> impl Iterator<Item = &Installer<'a>> {
        let (files, meant) = self.files.get_or_init(|| {
            let code = self.sources.iter().filter(|(_, it)| source::extension(&it.path) == "tf");
            let files = self.installers.iter().copied().chain(code.map(|(file, _)| file));
            let files: Vec<_> = files.filter_map(|it| Installer::read(self.sources, it)).collect();
            let mut meant = MeantBy::default();
            for (at, it) in files.iter().enumerate() {
                meant.add(at, self.dir(it.file), it.words.iter().copied());
            }
            (files, meant)
        });
        meant.of(path).into_iter().filter_map(|at| files.get(at))
    }

    /// The scripts that have a word which may mean `path`, read when something asks for them.
    fn scripts(&self, path: &str) -> impl Iterator<Item = &HelmScript> {
        let (scripts, meant) = self.scripts.get_or_init(|| {
            let files = self.sources.iter().filter(|(_, it)| prepared::runs_commands(&it.path));
            let calls = files.map(|(file, it)| {
                let calls = calls_of_helm(self.sources.text(file), is_script(&it.path));
                HelmScript { file, commands: calls.into_iter().map(HelmCommand::new).collect() }
            });
            let scripts: Vec<_> = calls.filter(|it| !it.commands.is_empty()).collect();
            let mut meant = MeantBy::default();
            for (at, HelmScript { file, commands }) in scripts.iter().enumerate() {
                let words = commands.iter().flat_map(|it| command::words(&it.text));
                meant.add(at, self.dir(*file), words);
                let names = commands.iter().flat_map(|it| &it.files);
                names.for_each(|it| meant.add_files(at, source::file_name(it)));
            }
            (scripts, meant)
        });
        meant.of(path).into_iter().filter_map(|at| scripts.get(at))
    }

    /// The directory of a file.
    fn dir(&self, file: FileId) -> &'a str {
        source::parent(&self.sources[file].path)
    }

    /// `values`, which stand at `path`, a values file or the directory of a chart, as they are
    /// known when something that is not read may install them; and what is to be said of it.
    pub(super) fn hide(&self, path: &str, values: Node) -> (Node, Option<Problem>) {
        let found = self.files(path).map(|it| (it.file, self.passed_by_file(it, path)));
        let scripts = self.scripts(path).map(|HelmScript { file, commands }| {
            let passed = commands.iter().filter_map(|it| self.passed_by_command(*file, it, path));
            (*file, passed.max())
        });
        let found = found.chain(scripts).filter_map(|(file, passed)| Some((passed?, file)));
        let Some((passed, file)) = found.max() else { return (values, None) };
        let installer = &self.sources[file].path;
        let why: Reason =
            format!("`{installer}` may install it with other values, and is not read in full")
                .into();
        let at = Origin::start_of(file);
        let unknown = Node::unknown_value(why, &at);
        let values = match passed {
            Passed::Below => helm::merge(&unknown, &values),
            Passed::Over => helm::merge(&values, &unknown),
        };
        let message = format!("it may install `{path}` in a way that is not read");
        (values, Some(Problem::unresolved(&at, message)))
    }

    fn passed_by_file(&self, it: &Installer<'_>, path: &str) -> Option<Passed> {
        let is_itself = self.sources[it.file].path == path;
        let words = || it.words.iter().copied();
        if is_itself { None } else { self.passed(it.file, words, path, it.sets) }
    }

    fn passed_by_command(&self, file: FileId, command: &HelmCommand, path: &str) -> Option<Passed> {
        let bare = |it: &&str| it.starts_with('*') && !it.contains('/');
        let is_file = |it: &&str| command.files.iter().any(|file| file == it);
        let mut before = "";
        let sets = words(&command.text).any(|it| {
            let is_name = NAMING.contains(&std::mem::replace(&mut before, it));
            it.starts_with("--set") || bare(&it) && !is_file(&it) && !is_name
        });
        // A single file that is passed alone is what it is taken for, and so is each that a pattern
        // can mean; the one that is common to them is known with it.
        let Some((_, others)) = self.passes(file, command, path) else {
            let words = || command::words(&command.text);
            let passed = self.passed(file, words, path, sets)?;
            return (passed == Passed::Over || command.files.len() > 1).then_some(passed);
        };
        match sets {
            true => Some(Passed::Over),
            false => (!others.is_empty()).then_some(Passed::Below),
        }
    }

    /// Whether `command` passes the `values.yaml` beside the values file at `path` below it, and what
    /// else it passes; `None` when it does not pass that file.
    fn passes<'c>(
        &self,
        file: FileId,
        command: &'c HelmCommand,
        path: &str,
    ) -> Option<(bool, Vec<&'c str>)> {
        let dir = self.dir(file);
        let at = command.files.iter().rposition(|it| covers(dir, it, path))?;
        let common = |it: &str| {
            super::common_of(path).any(|common| common != path && covers(dir, it, &common))
        };
        let (below, over) = command.files.split_at(at);
        let is_layered = below.iter().any(|it| common(it));
        let others = below.iter().filter(|it| !common(it)).chain(&over[1..]);
        Some((is_layered, others.map(String::as_str).collect()))
    }

    /// Whether the values file at `path` is never passed alone: every command that passes it has
    /// another of the repository over it.
    pub(super) fn is_common(&self, path: &str) -> bool {
        let dir = source::parent(path);
        let scripts = self.scripts(path).flat_map(|HelmScript { file, commands }| {
            let from = self.dir(*file);
            commands.iter().filter_map(move |it| {
                let at = it.files.iter().rposition(|it| covers(from, it, path))?;
                Some((from, &it.files[at + 1..]))
            })
        });
        let mut over = scripts.map(|(from, files)| {
            let mut beside = self
                .sources
                .below(dir)
                .filter(|it| files.iter().any(|file| covers(from, file, &self.sources[*it].path)));
            beside.any(|it| super::is_values(self.sources, it))
        });
        over.next().is_some_and(|first| first && over.all(|it| it))
    }

    /// Whether the `values.yaml` beside the values file at `path` is a layer below it; `None` when no
    /// command says so, or not all say the same.
    pub(super) fn is_layered(&self, path: &str) -> Option<bool> {
        let mut told = self.scripts(path).flat_map(|HelmScript { file, commands }| {
            commands.iter().filter_map(|it| Some(self.passes(*file, it, path)?.0))
        });
        let first = told.next()?;
        told.all(|it| it == first).then_some(first)
    }

    /// What is passed to Helm beside what stands at `path`, when one of `words` names it.
    fn passed<'w, I: Iterator<Item = &'w str>>(
        &self,
        file: FileId,
        words: impl Fn() -> I,
        path: &str,
        sets: bool,
    ) -> Option<Passed> {
        let dir = self.dir(file);
        let means = command::means_one(dir, words(), path)?;
        // What takes the files of this name takes nothing over them.
        let name = source::file_name(path);
        let by_name = words().any(|it| source::file_name(it) == name);
        let over = sets || self.sources.is_chart(path) || (means == Means::Perhaps && !by_name);
        Some(if over { Passed::Over } else { Passed::Below })
    }
}

impl<'a> Installer<'a> {
    /// `None` when it passes nothing.
    fn read(sources: &'a Sources, file: FileId) -> Option<Self> {
        let text = sources.text(file);
        let passes = match text.contains("argoproj.io/") {
            true => text.contains("helm:"),
            false => text.contains("values") || text.contains("set"),
        };
        let sets = text.lines().any(|it| {
            let key = it.trim_start().trim_start_matches("- ");
            ["set", "parameters:", "valuesObject:"].iter().any(|word| key.starts_with(word))
        });
        passes.then(|| Self { file, sets, words: command::words(text).collect() })
    }
}

impl HelmCommand {
    fn new(command: &str) -> Self {
        let text = match &*HOLE {
            Some(hole) => hole.replace_all(command, "*").into_owned(),
            None => command.to_owned(),
        };
        let mut files = Vec::new();
        let mut is_next = false;
        for word in words(&text) {
            let option = ["--values", "-f"].iter().find_map(|it| word.strip_prefix(it));
            let listed = match option {
                Some("") => None,
                Some(value) => value.strip_prefix('='),
                None => is_next.then_some(word),
            };
            files.extend(listed.into_iter().flat_map(|it| it.split(',')).map(bare_path));
            is_next = option == Some("");
        }
        Self { text, files }
    }
}

/// Options whose values are no values of a chart.
const NAMING: [&str; 5] = ["--namespace", "-n", "--version", "--kube-context", "--timeout"];

/// What shells and pipelines fill in.
static HOLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    ascii::pattern(r"\$\{\{[^{}]*\}\}|\{\{[^{}]*\}\}|\$\{[^{}]*\}|\$\([^()]*\)|\$\w+")
});

/// The words of a command, without quotes around them.
fn words(command: &str) -> impl Iterator<Item = &str> {
    command.split_whitespace().map(|it| it.trim_matches(['"', '\'']))
}

/// A path as a command has it, without quotes in it.
fn bare_path(path: &str) -> String {
    path.replace(['"', '\''], "")
}

/// Whether `path` is one of those that `word`, in a command of a script in `dir`, can be: `*` is
/// anything within a name.
fn covers(dir: &str, word: &str, path: &str) -> bool {
    let from = |dir: &str| source::join(dir, word).is_some_and(|it| fits(&it, path));
    // The command may run in some other directory.
    let inner = || {
        let pattern = word.trim_start_matches("./");
        let names = pattern.contains('/') && !pattern.starts_with(['*', '.', '/']);
        names && path.match_indices('/').any(|(at, _)| fits(pattern, &path[at + 1..]))
    };
    from(dir) || !word.starts_with('*') && (from("") || inner())
}

/// Whether `path` is what `pattern` comes to when something within a name is put for each `*`.
fn fits(pattern: &str, path: &str) -> bool {
    pattern.matches('/').count() == path.matches('/').count()
        && pattern.split('/').zip(path.split('/')).all(|(pattern, name)| fits_name(pattern, name))
}

/// The same of one name: each part between two `*` is looked for once, from where the last one ends.
fn fits_name(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let (first, last) = (parts.next().unwrap_or_default(), parts.next_back());
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = last else { return rest.is_empty() };
    // Something stands for each `*`.
    let after_one = |text: &str| text.chars().next().map_or(0, char::len_utf8);
    for part in parts {
        let Some(found) = rest.get(after_one(rest)..).filter(|_| !rest.is_empty()) else {
            return false;
        };
        let Some((_, after)) = found.split_once(part) else { return false };
        rest = after;
    }
    rest.strip_suffix(last).is_some_and(|filled| !filled.is_empty())
}

/// The commands in `text` that have Helm install something; a line is one where `all` are.
fn calls_of_helm(text: &str, all: bool) -> Vec<&str> {
    if !text.contains("helm") {
        return Vec::new();
    }
    let commands =
        command::lines(text).into_iter().flat_map(|(_, it)| command::installing(it, all));
    commands.map(|it| first(it.command).trim_end()).filter(|it| it.starts_with("helm")).collect()
}

/// A command without the options that a folded block of YAML has on lines of their own: a pipeline
/// fills in there which values file of several it takes, and each is judged as if it were.
fn first(command: &str) -> &str {
    let mut breaks = command.match_indices('\n').map(|(at, _)| &command[..at]);
    breaks.find(|it| !it.trim_end().ends_with('\\')).unwrap_or(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_whole() {
        let call = "helm upgrade --install ms \\\n  ./ms --set a=b";
        let script =
            format!("# helm install x \\\nhelm repo add x\necho helm install x\n{call}; ls");
        assert_eq!(calls_of_helm(&script, true), [call]);
        let pipeline = "steps:\n- run: helm upgrade ms ./ms\n- name: how to helm install it\n";
        assert_eq!(calls_of_helm(pipeline, false), ["helm upgrade ms ./ms"]);
    }

    #[test]
    fn something_stands_for_each_hole_of_a_name() {
        for (pattern, path) in [
            ("a/values-*.yaml", "a/values-prod.yaml"),
            ("*/v.yaml", "a/v.yaml"),
            ("v-*-*.yaml", "v-a-b-c.yaml"),
            ("v**.yaml", "vab.yaml"),
            ("v.yaml", "v.yaml"),
            ("*", "ä"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("a/values-*.yaml", "a/values-.yaml"),
            ("*/v.yaml", "a/b/v.yaml"),
            ("v**.yaml", "va.yaml"),
            ("v-*.yaml", "v-a/b.yaml"),
            ("v.yaml", "w.yaml"),
            ("*", ""),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
        // A bound on the work: every way to cut this name up would take for ever.
        let (pattern, name) = ("a*".repeat(40), "a".repeat(2000));
        assert!(!fits(&format!("{pattern}.yml"), &format!("{name}.yaml")));
    }
}
