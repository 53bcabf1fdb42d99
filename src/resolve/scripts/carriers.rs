//! Where commands stand in files: scripts as a whole, the recipes of make and just, the steps of pipelines,
//! strings in other code.

use std::{collections::BTreeSet, rc::Rc, sync::LazyLock};

use regex::Regex;

use super::{
    argument::ShellArgument,
    gitlab::{self, IncludingPipeline},
    jobs, recipes,
    values::{self, ShellFrame, ShellScope, ShellVariables},
};
use crate::{
    ascii, parse, relevance,
    resolve::{
        layout, prepared,
        shell::{self, ShellCommand, Word, WordPiece},
    },
    scalar::{Dialect, Scalar, Style},
    source::{self, FileId, Sources, Span},
    tree::{Node, Origin},
};

/// Commands that run in one place, one part after the other.
#[derive(Debug, Default)]
pub(super) struct CommandBlock {
    /// What it is called in its file: a target, a job.
    pub name: String,
    pub parts: Vec<CodePart>,
    /// What it sets for itself, and not for the others of its file; `None` what its steps set to
    /// something different.
    pub variables: Vec<(String, Option<Node>)>,
    /// The only ones of what the file sets that it takes over, if not all.
    pub taken: Option<Rc<BTreeSet<String>>>,
    /// The tool that starts the cluster on the machine that runs it, and what says so.
    pub local: Option<(&'static str, Origin)>,
    /// What its job deploys to, by name.
    pub environment: Option<Node>,
    /// The script of it that has more commands than are looked at.
    pub cut: Option<Origin>,
    /// Whether the last of its parts are those of `before_script`.
    pub prepared: bool,
}

/// Commands of one shell.
#[derive(Debug)]
pub(super) struct CodePart {
    /// Their text.
    pub code: Node,
    /// Where they run.
    pub dir: Option<Node>,
    /// What has to hold for them to run.
    pub condition: Option<Node>,
    /// Whether `{{ … }}` is filled in before.
    pub braces: bool,
    /// Whether they run in the shell of the part before them, in the directory where that is by then.
    pub continues: bool,
    /// What is set in that shell, and around it.
    pub variables: Rc<ShellVariables>,
}

impl CodePart {
    /// One that runs where the file is, whatever holds.
    pub(super) fn new(code: Node, braces: bool) -> Self {
        Self {
            code,
            dir: None,
            condition: None,
            braces,
            continues: false,
            variables: Rc::default(),
        }
    }
}

/// Whether a file that speaks of our subject may hold commands.
pub(super) fn may_hold(sources: &Sources, file: FileId) -> bool {
    let path = &*sources[file].path;
    let says = |word: &str| sources.text(file).contains(word);
    match source::extension(path) {
        "tf" => says("provisioner") || says("user_data"),
        "yaml" | "yml" if says("#cloud-config") => true,
        _ => prepared::runs_commands(path),
    }
}

/// The commands of a file, which may be a `pipeline` of several, and what it sets.
pub(super) fn read(
    sources: &Sources,
    file: FileId,
    pipeline: Option<&IncludingPipeline>,
) -> (Vec<CommandBlock>, ShellVariables) {
    let path = &*sources[file].path;
    let mut variables = ShellVariables::default();
    let name = source::file_name(path);
    let mut blocks = match source::extension(name) {
        "jsonnet" | "libsonnet" => Vec::new(),
        _ if name == "Jenkinsfile" => strings(sources, file),
        _ if name == "Tiltfile" || name == "Vagrantfile" => Vec::new(),
        "toml" | "tf" => strings(sources, file),
        _ if name == "package.json" => package(sources, file),
        _ if recipes::is_build_file(name) => recipes::read(sources, file, &mut variables),
        _ if layout::is_yaml(path) => {
            let documents = sources.documents(file, Dialect::Sigs);
            let roots = match pipeline {
                Some(pipeline) => vec![&pipeline.root],
                None => documents.roots().collect(),
            };
            steps(sources, &roots, is_taskfile(path), &mut variables)
        }
        _ if relevance::is_script(path) => vec![whole(sources, file)],
        _ => Vec::new(),
    };
    let variables = variables.around();
    let mut left = MAX_SOURCED_TEXT;
    for block in &mut blocks {
        let handed = block.handed();
        for (name, value) in &mut block.variables {
            *value = value.take().filter(|_| !handed.contains(name));
        }
        for parts in block.parts.chunk_by_mut(|_, next| next.continues) {
            let mut shell = variables.shell();
            shell.take_over(block.taken.clone());
            for name in &handed {
                shell.set(name, None);
            }
            let mut read = (BTreeSet::from([file]), left);
            for part in &*parts {
                let code = (&part.code, part.braces, false);
                read_variables(sources, file, code, &mut shell, &mut read);
            }
            left = read.1;
            let shell = Rc::new(shell);
            for part in parts {
                part.variables = Rc::clone(&shell);
            }
        }
    }
    (blocks, variables)
}

impl CommandBlock {
    /// The variables that its steps hand over to those after them, in the files that GitHub
    /// (`Workflow commands`) and `CircleCI` (`Setting environment variables`) have for it.
    fn handed(&self) -> BTreeSet<String> {
        const FILES: [&str; 2] = ["GITHUB_ENV", "BASH_ENV"];
        let mut names = BTreeSet::new();
        for part in &self.parts {
            let text = part.code.as_scalar().map_or("", |it| &*it.text);
            if !FILES.iter().any(|it| text.contains(it)) {
                continue;
            }
            let prints = |it: &&ShellCommand| {
                let program = it.words.first().and_then(Word::literal);
                it.document.is_some() || matches!(program, Some("echo" | "printf"))
            };
            for command in shell::commands(text, part.braces).iter().filter(prints) {
                let document = command.document.iter().map(|it| &it.0);
                let pieces = command.words.iter().chain(document).flat_map(|it| &it.pieces);
                let texts = pieces.filter_map(|(it, _)| match it {
                    WordPiece::Text(text) => Some(&**text),
                    _ => None,
                });
                let lines = texts.flat_map(str::lines);
                // `NAME=value`, or `NAME<<EOF` above lines of it.
                let assigned = lines.filter_map(|it| Some(it.split_at(it.find(['=', '<'])?).0));
                let name = |it: &str| it.trim().trim_start_matches("export ").to_owned();
                names.extend(assigned.map(name));
            }
        }
        names
    }
}

/// What pipelines call the directory in which something runs: GitHub, `CircleCI`, Azure, Task.
const DIRECTORIES: [&str; 4] =
    ["working-directory", "working_directory", "workingDirectory", "dir"];

/// From how many files a shell may take variables.
const MAX_SOURCED: usize = 50;

/// How much text all shells of a file may take variables from; what is begun is read.
const MAX_SOURCED_TEXT: usize = 1 << 20;

/// Notes what the code of `file` sets that may have braces and run apart, itself or in the files that it
/// takes in, unless these are among those that were `read`, as long as more may be.
fn read_variables(
    sources: &Sources,
    file: FileId,
    (code, braces, apart): (&Node, bool, bool),
    variables: &mut ShellVariables,
    read: &mut (BTreeSet<FileId>, usize),
) {
    let text = code.as_scalar().map_or("", |it| &*it.text);
    for command in shell::commands(text, braces).iter().filter(|it| !it.is_dead) {
        variables.read(code, command, apart);
        let [first, other, ..] = &*command.words else { continue };
        if !matches!(first.literal(), Some("source" | ".")) {
            continue;
        }
        let frame = ShellFrame::default();
        let path = ShellScope { sources, variables, frame }.argument(code, other);
        let own = source::parent(&sources[file].path);
        let places = values::paths(own, &[own.to_owned(), String::new()], path.text.as_deref());
        let found = places.iter().find_map(|it| sources.find(it));
        if found.is_none() && is_of_repository(&path) {
            variables.doubt();
        }
        let Some(found) = found.filter(|it| read.0.insert(*it)) else { continue };
        if read.0.len() > MAX_SOURCED || read.1 == 0 {
            variables.lose();
        } else {
            read.1 = read.1.saturating_sub(sources.text(found).len());
            let code = (&parse::whole(sources, found), false, apart || command.is_apart());
            read_variables(sources, found, code, variables, read);
        }
    }
}

/// Whether what a shell sources may be the repository's, such as a file that git ignores; what Python's
/// `venv` has to be sourced sets no more than its own.
fn is_of_repository(path: &ShellArgument) -> bool {
    let raw = path.raw.trim_matches(['"', '\'']);
    let is_elsewhere = raw.starts_with(['/', '~', '<'])
        || ["$HOME/", "${HOME}/"].iter().any(|it| raw.starts_with(it))
        || raw.ends_with("/activate");
    !is_elsewhere
}

fn whole(sources: &Sources, file: FileId) -> CommandBlock {
    let part = CodePart::new(parse::whole(sources, file), false);
    CommandBlock { parts: vec![part], ..CommandBlock::default() }
}

/// The text of `file` at `range`.
pub(super) fn slice(sources: &Sources, file: FileId, range: std::ops::Range<usize>) -> Node {
    let text = sources.text(file).get(range.clone()).unwrap_or_default();
    let scalar = Scalar { text: text.into(), style: Style::Literal, tag: None };
    Node::new(scalar, Origin::written(Span::new(file, range)))
}

/// Keys whose values are commands.
const COMMANDS: &[&str] = &[
    "run",
    "script",
    "before_script",
    "after_script",
    "bash",
    "sh",
    "command",
    "commands",
    "cmd",
    "cmds",
    "inlineScript",
    "runcmd",
    "shell",
];

/// Those that are lists of commands of one shell: GitLab's (`script` goes on where `before_script` ended),
/// those of Drone and Woodpecker, and cloud-init's.
const ONE_SHELL: [&str; 5] = ["before_script", "script", "after_script", "commands", "runcmd"];

/// Actions that start a cluster on the machine that runs them.
const ACTIONS: &[(&str, &str)] = &[
    ("helm/kind-action", "kind"),
    ("engineerd/setup-kind", "kind"),
    ("setup-minikube", "minikube"),
    ("k3d-action", "k3d"),
    ("setup-k3d", "k3d"),
];

pub(super) fn is_taskfile(path: &str) -> bool {
    source::file_name(path).to_ascii_lowercase().starts_with("taskfile")
}

/// The scripts of a package of npm.
fn package(sources: &Sources, file: FileId) -> Vec<CommandBlock> {
    let roots = sources.documents(file, Dialect::Sigs).roots();
    let scripts = roots.filter_map(|it| it.get("scripts")).flat_map(Node::entries);
    let block = |(name, entry): (&str, &crate::tree::Entry)| {
        let part = CodePart::new(entry.value.clone(), false);
        CommandBlock { name: name.to_owned(), parts: vec![part], ..CommandBlock::default() }
    };
    scripts.map(block).collect()
}

/// The jobs of a pipeline, the tasks of a Taskfile, and what they set.
fn steps(
    sources: &Sources,
    roots: &[&Node],
    taskfile: bool,
    variables: &mut ShellVariables,
) -> Vec<CommandBlock> {
    let mut blocks = Vec::new();
    for root in roots.iter().copied().filter(|it| it.get("apiVersion").is_none()) {
        for (name, entry) in SETTING.iter().filter_map(|it| root.get(it)).flat_map(Node::entries) {
            set(&entry.value, name, variables);
        }
        for (name, _) in root.get("workflow").into_iter().flat_map(jobs::set_by_rules) {
            variables.set(name, None);
        }
        // What one task hands over to another is that one's.
        for called in root.walk().filter(|it| taskfile && it.get("task").is_some()) {
            for (name, entry) in called.get("vars").into_iter().flat_map(Node::entries) {
                set(&entry.value, name, variables);
            }
        }
        let jobs = ["jobs", "tasks"].into_iter().find_map(|it| root.get(it));
        // Commands of CircleCI are steps that its jobs have in common.
        let shared = jobs.and_then(|_| root.get("commands")).into_iter().flat_map(Node::entries);
        let extended = jobs::extended(root);
        let all = jobs.unwrap_or(root).entries();
        let several = all.filter(|(_, it)| jobs::has_matrix(&it.value)).count() > 1;
        let by_default = if jobs.is_none() { jobs::defaults(root) } else { Vec::new() };
        for (key, entry) in jobs.unwrap_or(root).entries().chain(shared) {
            if extended.contains(key) || jobs::is_default(key, &by_default) {
                continue;
            }
            let chain = jobs::chain(root, &entry.value);
            let dir = [&entry.value, root].into_iter().find_map(|it| {
                let by_default = it.at("defaults.run.working-directory");
                let own = || DIRECTORIES.iter().find_map(|key| it.get(key));
                by_default.or_else(own).filter(|it| it.as_str().is_some())
            });
            let place = CodePlace { sources, root, dir, condition: None, braces: taskfile };
            let own = jobs::variables(sources, root, &chain);
            let taken = jobs::taken(&chain).map(Rc::new);
            let matrix = chain.iter().rev().find(|it| jobs::has_matrix(it)).copied();
            let environment = jobs::environment(&chain).cloned();
            for (label, chosen) in jobs::matrix(matrix.unwrap_or(&entry.value)) {
                let name = match (label.is_empty(), several) {
                    (true, _) => key.to_owned(),
                    (false, true) => format!("{key}, {label}"),
                    (false, false) => label,
                };
                let environment = environment.clone();
                let taken = taken.clone();
                let mut block =
                    CommandBlock { name, taken, environment, ..CommandBlock::default() };
                block.variables = chosen.into_iter().map(|(name, it)| (name, Some(it))).collect();
                block.variables.extend(own.iter().cloned());
                for (key, node) in jobs::scripts(&chain, &by_default) {
                    collect(key, node, place, &mut block);
                }
                let others = entry.value.entries().filter(|(key, _)| !jobs::is_script(key));
                match entry.value.as_map() {
                    Some(_) => {
                        others.for_each(|(key, it)| collect(key, &it.value, place, &mut block));
                    }
                    None => collect(key, &entry.value, place, &mut block),
                }
                if !block.parts.is_empty() {
                    blocks.push(block);
                }
            }
        }
    }
    blocks
}

/// The keys below which variables are set.
pub(super) const SETTING: [&str; 3] = ["env", "variables", "vars"];

/// Notes what `name` is set to.
pub(super) fn set(value: &Node, name: &str, variables: &mut ShellVariables) {
    variables.set(name, word_of(value).map(|word| (value, word)));
}

/// The text of `value` as a word.
pub(super) fn word_of(value: &Node) -> Option<Word> {
    let text = &*value.as_scalar()?.text;
    let pieces = shell::words(&format!("\"{}\"", text.replace('"', "\\\""))).into_iter().next();
    Some(match pieces.filter(|_| text.contains(['$', '{'])) {
        Some(word) => Word { range: 0..text.len(), ..word },
        None => Word {
            pieces: vec![(WordPiece::Text(text.to_owned()), 0..text.len())],
            range: 0..text.len(),
            quoted: true,
            items: None,
        },
    })
}

/// What is around commands in a file.
#[derive(Clone, Copy)]
struct CodePlace<'n> {
    sources: &'n Sources,
    root: &'n Node,
    dir: Option<&'n Node>,
    condition: Option<&'n Node>,
    braces: bool,
}

/// Adds the commands in `node`, which stands at `key`.
fn collect<'n>(key: &str, node: &'n Node, place: CodePlace<'n>, block: &mut CommandBlock) {
    if COMMANDS.contains(&key) {
        let prepared = std::mem::replace(&mut block.prepared, key == "before_script");
        let (lines, is_cut) = gitlab::lines(place.sources, place.root, node);
        block.cut = block.cut.take().or(is_cut.then(|| node.origin.clone()));
        for (index, code) in lines.into_iter().enumerate() {
            let (dir, condition) = (place.dir.cloned(), place.condition.cloned());
            let continues =
                index > 0 && ONE_SHELL.contains(&key) || prepared && index == 0 && key == "script";
            let part = CodePart::new(code.clone(), place.braces);
            block.parts.push(CodePart { dir, condition, continues, ..part });
        }
    }
    if key == "uses"
        && let Some((_, tool)) =
            ACTIONS.iter().find(|(it, _)| node.as_str().is_some_and(|text| text.contains(it)))
    {
        block.local.get_or_insert_with(|| (tool, node.origin.clone()));
    }
    let place =
        CodePlace { dir: DIRECTORIES.iter().find_map(|it| node.get(it)).or(place.dir), ..place };
    for item in node.items().iter().filter(|it| it.as_map().is_some()) {
        // What holds where nothing failed is no condition.
        let holds = |it: &&Node| {
            it.as_str().is_some_and(|it| it.contains("always()") || it.contains("success()"))
        };
        let condition = item.get("if").filter(|it| !holds(it)).or(place.condition);
        collect("", item, CodePlace { condition, ..place }, block);
    }
    for (key, entry) in node.entries() {
        collect(key, &entry.value, place, block);
    }
}

/// Strings that are commands, in code of other languages: what they are called, and their marks.
static STRING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    ascii::pattern(
        r#"(?ms)\b(?:run|command|sh|script|inline)\b\s*[=(:]?\s*\[?\s*(?:script\s*:\s*)?(?:'''(.*?)'''|"""(.*?)"""|<<-?(\w+)\n(.*?)^\s*\w+$|"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)')"#,
    )
});

fn strings(sources: &Sources, file: FileId) -> Vec<CommandBlock> {
    let mut block = CommandBlock::default();
    for found in STRING.iter().flat_map(|it| it.captures_iter(sources.text(file))) {
        if let Some(text) = [1, 2, 4, 5, 6].into_iter().find_map(|it| found.get(it)) {
            let code = slice(sources, file, text.range());
            block.parts.push(CodePart::new(code, false));
        }
    }
    if block.parts.is_empty() { Vec::new() } else { vec![block] }
}
