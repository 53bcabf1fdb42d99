//! Where commands stand in files: scripts as a whole, the recipes of make and just, the steps of pipelines,
//! strings in other code.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use regex::Regex;

use super::{
    gitlab::{self, IncludingPipeline},
    jobs,
    values::{self, ShellFrame, ShellScope, ShellVariables},
};
use crate::{
    ascii, parse, relevance,
    resolve::{
        layout, prepared,
        shell::{self, Word},
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
    /// The tool that starts the cluster on the machine that runs it, and what says so.
    pub local: Option<(&'static str, Origin)>,
    /// What its job deploys to, by name.
    pub environment: Option<Node>,
    /// Whether the last of its parts are those of `before_script`.
    prepared: bool,
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
}

impl CodePart {
    /// One that runs where the file is, whatever holds.
    fn new(code: Node, braces: bool) -> Self {
        Self { code, dir: None, condition: None, braces, continues: false }
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
    let blocks = match source::extension(name) {
        "jsonnet" | "libsonnet" => Vec::new(),
        _ if name == "Jenkinsfile" => strings(sources, file),
        _ if name == "Tiltfile" || name == "Vagrantfile" => Vec::new(),
        "toml" | "tf" => strings(sources, file),
        _ if name == "package.json" => package(sources, file),
        _ if is_build_file(name) => recipes(sources, file, &mut variables),
        _ if layout::is_yaml(path) => {
            let documents = sources.documents(file, Dialect::Sigs);
            let roots = match pipeline {
                Some(pipeline) => vec![&pipeline.root],
                None => documents.roots().collect(),
            };
            steps(&roots, is_taskfile(path), &mut variables)
        }
        _ if relevance::is_script(path) => vec![whole(sources, file)],
        _ => Vec::new(),
    };
    let mut read = BTreeSet::from([file]);
    for part in blocks.iter().flat_map(|it| &it.parts) {
        let code = (&part.code, part.braces, false);
        read_variables(sources, file, code, &mut variables, &mut read);
    }
    (blocks, variables)
}

/// From how many files a script may take variables.
const MAX_SOURCED: usize = 50;

/// Notes what the code of `file` sets that may have braces and run apart, itself or in the files that it
/// takes in, unless these are among those that were `read`.
fn read_variables(
    sources: &Sources,
    file: FileId,
    (code, braces, apart): (&Node, bool, bool),
    variables: &mut ShellVariables,
    read: &mut BTreeSet<FileId>,
) {
    let text = code.as_scalar().map_or("", |it| &*it.text);
    let commands = shell::commands(text, braces);
    variables.read(code, &commands, apart);
    for command in commands.iter().filter(|it| !it.is_dead) {
        let [first, other] = &*command.words else { continue };
        if !matches!(first.literal(), Some("source" | ".")) {
            continue;
        }
        let frame = ShellFrame::default();
        let path = ShellScope { sources, variables, frame }.argument(code, other);
        let own = source::parent(&sources[file].path);
        let places = values::paths(own, &[own.to_owned(), String::new()], path.text.as_deref());
        let found = places.iter().find_map(|it| sources.find(it));
        let Some(found) = found.filter(|it| read.insert(*it)) else { continue };
        if read.len() > MAX_SOURCED {
            variables.lose();
        } else {
            let code = (&parse::whole(sources, found), false, apart || command.is_apart());
            read_variables(sources, found, code, variables, read);
        }
    }
}

fn whole(sources: &Sources, file: FileId) -> CommandBlock {
    let part = CodePart::new(parse::whole(sources, file), false);
    CommandBlock { parts: vec![part], ..CommandBlock::default() }
}

/// The text of `file` at `range`.
fn slice(sources: &Sources, file: FileId, range: std::ops::Range<usize>) -> Node {
    let text = sources.text(file).get(range.clone()).unwrap_or_default();
    let scalar = Scalar { text: text.into(), style: Style::Literal, tag: None };
    Node::new(scalar, Origin::written(Span::new(file, range)))
}

fn is_build_file(name: &str) -> bool {
    is_just(name)
        || matches!(name, "Makefile" | "makefile" | "GNUmakefile")
        || source::extension(name) == "mk"
}

fn is_just(name: &str) -> bool {
    matches!(name, "justfile" | "Justfile") || source::extension(name) == "just"
}

static HEADER: LazyLock<Option<Regex>> =
    LazyLock::new(|| ascii::pattern(r"^@?([\w$(){}./%-]+)[^:#]*:(?:[^=]|$)"));

static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    ascii::pattern(r"^(?:export\s+|override\s+)*([A-Za-z_]\w*)\s*([:?+!]*=)\s*(.*?)\s*$")
});

/// The recipes of a Makefile or a justfile, and what is set beside them.
fn recipes(sources: &Sources, file: FileId, variables: &mut ShellVariables) -> Vec<CommandBlock> {
    let braces = is_just(source::file_name(&sources[file].path));
    let mut blocks: Vec<CommandBlock> = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    let close = |open: &mut Option<(usize, usize)>, blocks: &mut Vec<CommandBlock>| {
        if let (Some((start, end)), Some(block)) = (open.take(), blocks.last_mut()) {
            block.parts.push(CodePart::new(slice(sources, file, start..end), braces));
        }
    };
    let mut continues = false;
    let (mut texts, mut conditions) = (BTreeMap::<String, Option<MadeText>>::new(), 0_usize);
    for (start, line) in source::lines(sources.text(file)) {
        let is_recipe = line.starts_with('\t') || braces && line.starts_with(' ');
        if is_recipe || continues && open.is_some() || line.trim().is_empty() && open.is_some() {
            let (first, _) = open.unwrap_or((start, start));
            open = Some((first, start + line.len()));
            continues = line.trim_end().ends_with('\\');
            continue;
        }
        continues = false;
        close(&mut open, &mut blocks);
        let bare = line.trim_end();
        match bare.split([' ', '(']).next() {
            Some("ifeq" | "ifneq" | "ifdef" | "ifndef") => conditions += 1,
            Some("endif") => conditions = conditions.saturating_sub(1),
            _ => {}
        }
        let assigned = ASSIGNED.as_ref().and_then(|it| it.captures(bare));
        if let Some(found) = assigned {
            let [name, sign, value] = [1, 2, 3].map(|it| found.get(it));
            let (Some(name), Some(sign), Some(value)) = (name, sign, value) else { continue };
            let code = slice(sources, file, start + value.start()..start + value.end());
            // All of it is one value, which a shell may take apart later.
            let text = if braces {
                value.as_str().to_owned()
            } else {
                format!("\"{}\"", value.as_str().replace('"', "\\\""))
            };
            let literal =
                !value.as_str().ends_with('\\') && sign.as_str() != "+=" && sign.as_str() != "!=";
            let words = shell::words(&text);
            let value = match &*words {
                [word] if literal => Some(moved(word, usize::from(!braces), value.as_str())),
                [] if literal => Some(Word::default()),
                _ => None,
            };
            let is_known = !line.trim_end().ends_with('\\') && conditions == 0;
            let text = is_known.then_some(&code);
            let made = texts.remove(name.as_str());
            let adds = sign.as_str() == "+=";
            let made = match (made, text, adds) {
                (None, Some(text), false) => Some(vec![text.clone()]),
                (Some(Some(made)), Some(text), true) if made.len() < MAX_ADDED => {
                    Some(added(made, text, name.as_str(), variables))
                }
                _ => None,
            };
            if !adds || made.is_none() {
                variables.set(name.as_str(), value.map(|it| (&code, it)));
            }
            texts.insert(name.as_str().to_owned(), made);
            if sign.as_str() == "?=" {
                variables.note_default(name.as_str());
            }
        } else if let Some(found) = HEADER.as_ref().and_then(|it| it.captures(bare)) {
            let name = found.get(1).map_or("", |it| it.as_str()).to_owned();
            // What just hands over to a recipe is its own.
            let after = found.get(1).map_or("", |it| &bare[it.end()..]);
            let own = if braces { parameters(after) } else { Vec::new() };
            let variables = own.into_iter().map(|it| (it, None)).collect();
            blocks.push(CommandBlock { name, variables, ..CommandBlock::default() });
        }
    }
    close(&mut open, &mut blocks);
    blocks
}

/// The parameters of a recipe of just, whose header goes on with `text`.
fn parameters(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in shell::words(text) {
        let text = text.get(word.range).unwrap_or_default();
        let name = text.trim_start_matches(['+', '*', '$']);
        let length = name.find(|it: char| !(it.is_ascii_alphanumeric() || "_-".contains(it)));
        let (name, rest) = name.split_at(length.unwrap_or(name.len()));
        if !name.is_empty() {
            found.push(name.to_owned());
        }
        if rest.starts_with(':') || rest.ends_with(':') && !rest.contains(":=") {
            break;
        }
    }
    found
}

/// The texts that a variable of make is put together from.
type MadeText = Vec<Node>;

/// How often something may be added to a variable of make.
const MAX_ADDED: usize = 100;

/// `made`, which is what the variable `name` is, with `text` behind it.
fn added(mut made: MadeText, text: &Node, name: &str, variables: &mut ShellVariables) -> MadeText {
    // `Appending More Text to Variables` of make's manual: with a space between them.
    made.push(Node::new(Scalar::string(" "), text.origin.clone()));
    made.push(text.clone());
    let all: String = made.iter().filter_map(Node::as_str).collect();
    let place = text.origin.of_texts(made.iter().cloned());
    let scalar = Scalar { text: all.as_str().into(), style: Style::Literal, tag: None };
    let quoted = format!("\"{}\"", all.replace('"', "\\\""));
    match &*shell::words(&quoted) {
        [word] => variables.replace(name, &Node::new(scalar, place), moved(word, 1, &all)),
        _ => variables.set(name, None),
    }
    made
}

/// `word`, which was read from text with `quote` more before it, with the place of all of `text`.
fn moved(word: &Word, quote: usize, text: &str) -> Word {
    let end = text.len();
    let range = match word.literal() {
        Some(literal) if quote == 0 || literal.len() == end => {
            word.range.start.saturating_sub(quote)..word.range.end.saturating_sub(quote)
        }
        _ => 0..end,
    };
    Word { range, ..word.clone() }
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
fn steps(roots: &[&Node], taskfile: bool, variables: &mut ShellVariables) -> Vec<CommandBlock> {
    let mut blocks = Vec::new();
    for root in roots.iter().copied().filter(|it| it.get("apiVersion").is_none()) {
        for (name, entry) in SETTING.iter().filter_map(|it| root.get(it)).flat_map(Node::entries) {
            set(&entry.value, name, variables);
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
        for (key, entry) in jobs.unwrap_or(root).entries().chain(shared) {
            if extended.contains(key) {
                continue;
            }
            let chain = jobs::chain(root, &entry.value);
            let defaults = ["defaults.run.working-directory", "working-directory", "dir"];
            let dir = [&entry.value, root].into_iter().find_map(|it| {
                defaults.iter().find_map(|path| it.at(path)).filter(|it| it.as_str().is_some())
            });
            let place = CodePlace { root, dir, condition: None, braces: taskfile };
            let own = jobs::variables(root, &chain);
            let environment = jobs::environment(&chain).cloned();
            for (label, chosen) in jobs::matrix(&entry.value) {
                let name = match (label.is_empty(), several) {
                    (true, _) => key.to_owned(),
                    (false, true) => format!("{key}, {label}"),
                    (false, false) => label,
                };
                let environment = environment.clone();
                let mut block = CommandBlock { name, environment, ..CommandBlock::default() };
                block.variables = chosen.into_iter().map(|(name, it)| (name, Some(it))).collect();
                block.variables.extend(own.iter().cloned());
                for (key, node) in jobs::scripts(&chain) {
                    collect(key, node, place, &mut block);
                }
                collect(key, &entry.value, place, &mut block);
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
            pieces: vec![(shell::WordPiece::Text(text.to_owned()), 0..text.len())],
            range: 0..text.len(),
            quoted: true,
            items: None,
        },
    })
}

/// What is around commands in a file.
#[derive(Clone, Copy)]
struct CodePlace<'n> {
    root: &'n Node,
    dir: Option<&'n Node>,
    condition: Option<&'n Node>,
    braces: bool,
}

/// Adds the commands in `node`, which stands at `key`.
fn collect<'n>(key: &str, node: &'n Node, place: CodePlace<'n>, block: &mut CommandBlock) {
    if COMMANDS.contains(&key) {
        let prepared = std::mem::replace(&mut block.prepared, key == "before_script");
        for (index, code) in gitlab::lines(place.root, node).into_iter().enumerate() {
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
    let own = ["working-directory", "working_directory", "workingDirectory", "dir"];
    let place = CodePlace { dir: own.iter().find_map(|it| node.get(it)).or(place.dir), ..place };
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
