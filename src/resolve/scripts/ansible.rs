//! Tasks of Ansible: `kubernetes.core.helm` and `k8s`, files that are put somewhere to be applied, and
//! commands.
//!
//! Variables are known that one place defines: the defaults of the role, `group_vars`, the play.

use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use regex::Regex;

use super::{
    Choice, CommandOutput, Session,
    argument::ShellArgument,
    build::Doing,
    carriers::{self, word_of},
    kubectl::ObjectPatch,
    values::{SetVariables, ShellVariables},
};
use crate::{
    ascii, parse,
    problem::Problem,
    resolve::{
        command,
        context::Context,
        helm,
        helm::strvals,
        install::{self, ChartReference},
        kustomize::PatchKind,
        layout::{self, Layout},
        template::{self, Hole},
    },
    scalar::Dialect,
    source::{self, FileId, Sources},
    tree::{Kind, Map, Node, Origin, Via},
};

/// Where plays and blocks hold tasks.
const TASKS: &[&str] =
    &["pre_tasks", "tasks", "block", "rescue", "always", "post_tasks", "handlers"];

/// How deep blocks may stand in one another, and variables in variables.
const MAX_DEPTH: usize = 8;

/// Texts are filled in no more often than this for one file.
const MAX_WORK: usize = 50_000;

/// How many items of a loop are followed.
const MAX_ITEMS: usize = 50;

/// What variables hold, by name: `None` where several places say something else.
type RoleVariables = BTreeMap<String, Option<Node>>;

/// The variables of the tasks in a file.
#[derive(Debug, Default, Clone)]
pub(super) struct AnsibleVariables {
    /// What the role, the play and the tasks set, and the inventory not, or otherwise.
    own: RoleVariables,
    inventory: Arc<Inventory>,
    /// What counts where nothing else is set.
    defaults: RoleVariables,
    work: Cell<usize>,
}

/// What inventories say: `group_vars` and `host_vars` wherever they lie.
#[derive(Debug, Default)]
struct Inventory {
    variables: RoleVariables,
    /// The same for commands.
    shell: Arc<SetVariables>,
}

impl Inventory {
    fn of(sources: &Sources) -> Self {
        let mut variables = RoleVariables::new();
        let files =
            sources.iter().filter(|(_, it)| layout::is_yaml(&it.path) && is_inventory(&it.path));
        for (name, value) in files.flat_map(|(file, _)| read(sources, file)) {
            add(&mut variables, name, value);
        }
        let mut shell = ShellVariables::default();
        for (name, it) in &variables {
            set(&mut shell, name, it.as_ref());
        }
        Self { variables, shell: Arc::new(shell.into_set()) }
    }
}

/// What the file `from` defines.
fn read(sources: &Sources, from: FileId) -> impl Iterator<Item = (&str, &Node)> {
    let roots = sources.documents(from, Dialect::Sigs).roots();
    roots.flat_map(Node::entries).map(|(name, entry)| (name, &entry.value))
}

fn add(variables: &mut RoleVariables, name: &str, value: &Node) {
    match variables.get_mut(name) {
        None => drop(variables.insert(name.to_owned(), Some(value.clone()))),
        Some(known) if is_same(known.as_ref(), value) => {}
        Some(known) => *known = None,
    }
}

fn is_same(known: Option<&Node>, value: &Node) -> bool {
    known.is_some_and(|it| it.to_json() == value.to_json())
}

/// Sets a variable for commands, for which it has to be text.
fn set(variables: &mut ShellVariables, name: &str, value: Option<&Node>) {
    match value {
        Some(value) => carriers::set(value, name, variables),
        None => variables.set(name, None),
    }
}

fn is_inventory(path: &str) -> bool {
    source::parent(path).split('/').any(|it| it == "group_vars" || it == "host_vars")
}

/// The tasks in `file`, if it holds any.
pub(super) fn tasks(sources: &Sources, file: FileId) -> &[Node] {
    let path = &sources[file].path;
    let text = sources.text(file);
    if !layout::is_yaml(path) || !text.contains("- ") || starts_with_key(text) {
        return &[];
    }
    let root = sources.documents(file, Dialect::Sigs).roots().next();
    let is_task = |it: &Node| {
        let names = ["hosts", "block", "name", "when", "loop", "tags"];
        names.iter().any(|key| it.get(key).is_some())
    };
    root.map(Node::items).filter(|it| it.first().is_some_and(is_task)).unwrap_or_default()
}

/// Whether the file at `path` may hold tasks, by where these lie
/// (<https://docs.ansible.com/ansible/latest/tips_tricks/sample_setup.html>).
pub(super) fn may_be_tasks(path: &str) -> bool {
    let is_place = |it: &str| {
        ["ansible", "playbook", "tasks", "handlers", "roles"].iter().any(|word| it.contains(word))
    };
    layout::is_yaml(path)
        && (path.split('/').any(is_place) || source::file_name(path) == "site.yml")
}

/// Whether `text` is one document and starts, after comments, with what a list cannot start with: a name
/// or a quote.
fn starts_with_key(text: &str) -> bool {
    if text.match_indices("\n---").any(|(at, _)| !text[..at].lines().all(is_comment)) {
        return false;
    }
    let mut lines = text.lines().filter(|it| !is_comment(it)).map(str::trim);
    let start = lines.find(|it| *it != "---").unwrap_or_default();
    start.starts_with(|it: char| it.is_alphanumeric() || matches!(it, '"' | '\''))
}

fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// What the tasks in `file` come to.
pub(super) fn run<'a>(
    context: &'a Context<'a>,
    layout: &'a Layout<'a>,
    file: FileId,
    variables: &'a ShellVariables,
    known: &AnsibleVariables,
    chosen: &Choice,
) -> Session<'a> {
    let mut session = Session::new(context, layout, file, variables, String::new());
    session.choose(chosen);
    let mut known = known.clone();
    let at = Origin::at(Via::Written, None);
    let chosen = chosen.iter().map(|(name, it)| (name.clone(), Some(Node::new(&**it, at.clone()))));
    known.own.extend(chosen);
    let own = source::parent(&context.sources[file].path);
    let role = source::parent(own);
    let places = [format!("{role}/files"), format!("{role}/templates"), role.to_owned()];
    let beside = [own.to_owned(), format!("{own}/files"), format!("{own}/templates")];
    session.dirs = places.into_iter().chain(beside).chain([String::new()]).collect();
    for dir in &mut session.dirs {
        *dir = dir.trim_start_matches('/').to_owned();
    }
    session.tasks(tasks(context.sources, file), &known, 0);
    session
}

impl AnsibleVariables {
    /// The variables of the tasks in `file`.
    pub(super) fn of(sources: &Sources, file: FileId) -> Self {
        let role = source::parent(source::parent(&sources[file].path));
        let inventory = sources.keep(Inventory::of);
        let mut variables = Self { inventory, ..Self::default() };
        let of_role = |name: &str| {
            let files = sources.below(&(source::inside(role) + name));
            let is_its = |it: &str| layout::is_yaml(it) && !is_inventory(it);
            let files: Vec<_> = files.filter(|it| is_its(&sources[*it].path)).collect();
            files.into_iter().flat_map(|it| read(sources, it))
        };
        of_role("defaults").for_each(|(name, it)| add(&mut variables.defaults, name, it));
        of_role("vars").for_each(|(name, it)| variables.add(name, it));
        for node in tasks(sources, file).iter().flat_map(Node::walk) {
            for key in ["vars", "set_fact", "ansible.builtin.set_fact"] {
                let entries = node.get(key).into_iter().flat_map(Node::entries);
                entries.for_each(|(name, entry)| variables.add(name, &entry.value));
            }
            if let Some(name) = node.str_at("register") {
                variables.own.insert(name.to_owned(), None);
            }
        }
        variables
    }

    /// Adds what a place beside the inventory sets.
    fn add(&mut self, name: &str, value: &Node) {
        match self.inventory.variables.get(name).filter(|_| !self.own.contains_key(name)) {
            None => add(&mut self.own, name, value),
            Some(known) if is_same(known.as_ref(), value) => {}
            Some(_) => drop(self.own.insert(name.to_owned(), None)),
        }
    }

    fn get(&self, name: &str) -> Option<&Node> {
        let set = self.own.get(name).or_else(|| self.inventory.variables.get(name));
        set.or_else(|| self.defaults.get(name))?.as_ref()
    }

    /// Those that are text, for commands.
    pub(super) fn of_shell(&self) -> ShellVariables {
        let mut variables = ShellVariables::inside(Arc::clone(&self.inventory.shell));
        let is_set =
            |it: &str| self.own.contains_key(it) || self.inventory.variables.contains_key(it);
        let defaults = self.defaults.iter().filter(|(name, _)| !is_set(name));
        let all = self.own.iter().chain(defaults);
        all.for_each(|(name, it)| set(&mut variables, name, it.as_ref()));
        variables
    }

    /// `node` with what its expressions come to; unknown where nobody can tell.
    fn fill(&self, node: &Node, depth: usize) -> Node {
        node.rewrite(&mut |node| {
            let text = &*node.as_scalar()?.text;
            if !text.contains("{{") && !text.contains("{%") {
                return None;
            }
            let why = || format!("`{text}` is filled in when Ansible runs").into();
            self.work.set(self.work.get() + 1);
            if text.contains("{%") || depth > MAX_DEPTH || self.work.get() > MAX_WORK {
                return Some(Node::new(Kind::Unknown(why()), node.origin.clone()));
            }
            let ranges = template::between(text, "{{", "}}");
            let filled = |expression: &str| self.value(expression, depth);
            if let [range] = &*ranges
                && range.len() == text.trim().len()
            {
                return Some(match filled(&text[range.clone()]) {
                    Some(value) => {
                        let span = node.origin.written_at();
                        value.map_origins(&|it| it.through(Via::Values, span))
                    }
                    None => Node::new(Kind::Unknown(why()), node.origin.clone()),
                });
            }
            let hole = |range: std::ops::Range<usize>| {
                let fill = filled(&text[range.clone()]).filter(|it| it.as_scalar().is_some());
                let bare = fill.map(|it| {
                    let text = it.as_scalar().map_or("", |it| &*it.text).to_owned();
                    Node::new(crate::scalar::Scalar::plain(text), it.origin)
                });
                Hole { range, fill: bare.ok_or_else(why) }
            };
            let holes: Vec<Hole> = ranges.into_iter().map(hole).collect();
            Some(joined(node, text, &holes))
        })
    }

    /// What an expression between braces comes to, if that is a variable.
    fn value(&self, expression: &str, depth: usize) -> Option<Node> {
        let inner = expression.trim_start_matches("{{").trim_end_matches("}}");
        let inner = inner.trim_matches(['-', ' ']);
        let (path, filter) = inner.split_once('|').unwrap_or((inner, ""));
        let (path, filter) = (path.trim(), filter.trim());
        let (name, rest) = path.split_once('.').map_or((path, None), |(it, rest)| (it, Some(rest)));
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '.';
        let passes = matches!(filter, "" | "string" | "int" | "bool" | "trim");
        if !path.chars().all(is_name) || !(passes || filter.starts_with("default(")) {
            return None;
        }
        let value = self.get(name)?;
        let value = rest.map_or(Some(value), |rest| value.at(rest))?;
        Some(self.fill(value, depth + 1))
    }
}

/// `node`, whose text is `text`, with its holes filled; unknown when one of them is.
fn joined(node: &Node, text: &str, holes: &[Hole]) -> Node {
    let (mut filled, mut origin, mut at) = (String::new(), None, 0);
    for hole in holes {
        let fill = match &hole.fill {
            Ok(fill) => fill,
            Err(why) => return Node::unknown_value(why.clone(), &node.origin),
        };
        filled += text.get(at..hole.range.start).unwrap_or_default();
        filled += fill.as_scalar().map_or("", |it| &*it.text);
        let span = node.origin.written_at();
        origin.get_or_insert_with(|| fill.origin.through(Via::Values, span));
        at = hole.range.end;
    }
    filled += text.get(at..).unwrap_or_default();
    Node::new(filled, origin.unwrap_or_else(|| node.origin.clone()))
}

static LOOKUP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    ascii::pattern(
        r#"lookup\(\s*['"](?:ansible\.builtin\.)?(file|template|url)['"]\s*,\s*['"]([^'"]+)['"]"#,
    )
});

impl Session<'_> {
    fn tasks(&mut self, tasks: &[Node], known: &AnsibleVariables, depth: usize) {
        for task in tasks.iter().filter(|_| depth < MAX_DEPTH) {
            let around = self.around.len();
            if task.get("when").is_some() {
                self.conditions += 1;
                self.around.push((self.conditions, 0));
            }
            for inner in TASKS {
                self.tasks(task.items_at(inner), known, depth + 1);
            }
            let looped = ["loop", "with_items"].into_iter().find_map(|it| task.get(it));
            let items = looped.map(|it| known.fill(it, 0));
            match items.as_ref().map(Node::items).filter(|it| !it.is_empty()) {
                Some(items) => {
                    for item in items.iter().take(MAX_ITEMS) {
                        let mut known = known.clone();
                        known.own.insert("item".to_owned(), Some(item.clone()));
                        self.task(task, &known);
                    }
                }
                None => self.task(task, known),
            }
            self.around.truncate(around);
        }
    }

    fn task(&mut self, task: &Node, known: &AnsibleVariables) {
        for (name, entry) in task.entries() {
            self.at = task.origin.written_at().into_iter().collect();
            self.branch.clone_from(&self.around);
            let module = name.rsplit('.').next().unwrap_or(name);
            let (raw, filled) = (&entry.value, known.fill(&entry.value, 0));
            let absent = command::is_absent(&filled);
            // As `plugins/doc_fragments/helm_common_options.py` and `k8s_auth_options.py` call it.
            let places = ["kubeconfig", "kubeconfig_path", "kube_context", "context"];
            let places = places.iter().filter_map(|it| Some(filled.get(it)?.as_str()?.to_owned()));
            self.cluster = Some(places.collect::<Vec<_>>().join(", ")).filter(|it| !it.is_empty());
            match module {
                "helm" if !absent => self.helm_module(raw, &filled),
                "helm_repository" if !absent => {
                    // Each with its alias (`plugins/modules/helm_repository.py`).
                    let either = |name, alias| filled.get(name).or_else(|| filled.get(alias));
                    let name = either("repo_name", "name").and_then(Node::as_str);
                    if let (Some(name), Some(url)) = (name, either("repo_url", "url")) {
                        self.repositories.insert(name.to_owned(), url.clone());
                    }
                }
                "k8s" if !absent => self.k8s_module(raw, &filled, known),
                "k8s_json_patch" => {
                    self.object_patch(&filled, filled.get("patch"), PatchKind::Json);
                }
                "get_url" | "copy" | "template" => self.put(module, raw, known),
                "command" | "shell" => {
                    let code = ["cmd", "_raw_params"].into_iter().find_map(|it| raw.get(it));
                    let code = code.unwrap_or(raw);
                    match filled.get("argv").filter(|_| raw.get("argv").is_some()) {
                        Some(words) => {
                            let argument = |it: &Node| {
                                self.scope.argument(it, &word_of(it).unwrap_or_default())
                            };
                            let words: Vec<_> = words.items().iter().map(argument).collect();
                            self.given.clear();
                            self.execute(&words, &CommandOutput::Unknown);
                        }
                        None => self.commands(code, true),
                    }
                }
                _ => {}
            }
        }
    }

    fn helm_module(&mut self, raw: &Node, it: &Node) {
        let field = |names: [&str; 2]| names.into_iter().find_map(|name| it.get(name));
        let Some(chart) = it.get("chart_ref").filter(|it| it.as_str().is_some()) else { return };
        let text = chart.as_str().unwrap_or_default();
        let mut problems = Vec::new();
        let mut values = Node::new(Map::default(), it.origin.clone());
        // Files come first (`plugins/modules/helm.py`).
        for (raw, entry) in raw.items_at("values_files").iter().zip(it.items_at("values_files")) {
            let is_told = entry.as_str().is_some() && self.chosen.is_empty();
            let file = self.argument_of(if is_told { entry } else { raw });
            let read = self.values_of(&file, &CommandOutput::Unknown);
            let read = install::layer(read, &raw.origin, &mut problems);
            values = helm::merge(&values, &read);
        }
        if let Some(own) = field(["release_values", "values"]).filter(|it| !it.is_null()) {
            values = helm::merge(&values, own);
        }
        for entry in it.items_at("set_values") {
            let strings = entry.str_at("value_type") == Some("string");
            let Some(value) = entry.get("value") else { continue };
            let set = match value.as_str() {
                Some(text)
                    if matches!(entry.str_at("value_type"), None | Some("raw" | "string")) =>
                {
                    strvals::set(&mut values, text, strvals::Notation::of(strings), &value.origin)
                }
                _ => {
                    let why = "what this sets is not read";
                    values = helm::merge(&values, &Node::unknown_value(why, &value.origin));
                    Ok(())
                }
            };
            if let Err(why) = set {
                problems.push(Problem::refused(&value.origin, format!("Helm refuses this: {why}")));
            }
        }
        let place = self.argument_of(chart);
        let directory = self.paths(&place).into_iter().find(|it| self.context.sources.is_chart(it));
        let alias = text.split_once('/').map(|(alias, _)| alias);
        let repository = it.get("chart_repo_url").cloned();
        let repository = repository.or_else(|| self.repositories.get(alias?).cloned());
        let reference = ChartReference {
            name: directory.as_deref().unwrap_or(text),
            repository: repository.as_ref(),
            directory: directory.as_deref(),
            version: it.get("chart_version").cloned(),
        };
        let name = field(["release_name", "name"]).and_then(Node::as_str);
        let namespace = field(["release_namespace", "namespace"]);
        let namespace = namespace.map_or("default", |it| it.as_str().unwrap_or("kube-system"));
        let name = name.unwrap_or_else(|| source::file_name(text));
        let release = reference.release("ansible", name, namespace, values, &chart.origin);
        let release = super::helm::named(release);
        self.did(Doing::Release(Box::new(release), problems));
    }

    fn k8s_module(&mut self, raw: &Node, filled: &Node, known: &AnsibleVariables) {
        let mut definition = ["definition", "resource_definition", "inline"].into_iter();
        let definition = definition.find_map(|it| Some((raw.get(it)?, filled.get(it)?)));
        if filled.str_at("state") == Some("patched") {
            let definition = definition.map(|(_, it)| it);
            return self.object_patch(filled, definition, PatchKind::Strategic);
        }
        if let Some((raw, filled)) = definition {
            let text = raw.as_str().unwrap_or_default();
            if let Some(found) = LOOKUP.as_ref().and_then(|it| it.captures(text)) {
                let [way, path] = [1, 2].map(|it| found.get(it).map_or("", |it| it.as_str()));
                let place = ShellArgument::plain(path, &raw.origin);
                let content = match way {
                    "url" => CommandOutput::Url(place),
                    "template" => self.template(&place, known),
                    _ => CommandOutput::Path(place),
                };
                return self.apply(&content);
            }
            let objects = match filled.as_str() {
                Some(_) => parse::embedded(self.context.sources, filled, Dialect::Sigs)
                    .roots()
                    .cloned()
                    .collect(),
                None if filled.as_list().is_some() => filled.items().to_vec(),
                None => vec![filled.clone()],
            };
            return self.apply(&CommandOutput::Objects(objects));
        }
        let template = raw.get("template").map(|it| it.get("path").unwrap_or(it));
        if let Some(place) = template {
            let place = self.argument_of(place);
            let content = self.template(&place, known);
            self.apply(&content);
        }
        if let Some(place) = raw.get("src") {
            let place = self.argument_of(place);
            let content = self.taken(&place);
            self.apply(&content);
        }
    }

    fn object_patch(&mut self, of: &Node, patch: Option<&Node>, way: PatchKind) {
        let Some(patch) = patch else { return };
        let said = |own: &str, inner: &str| {
            of.str_at(own).or_else(|| patch.str_at(inner)).map(str::to_owned)
        };
        let Some(kind) = said("kind", "kind") else { return };
        let Some(name) = said("name", "metadata.name") else { return };
        let namespace = said("namespace", "metadata.namespace");
        let patch = ObjectPatch { kind, name, namespace, patch: patch.clone(), way };
        self.did(Doing::Patch(Box::new(patch)));
    }

    /// Notes what a task writes to a node.
    fn put(&mut self, module: &str, it: &Node, known: &AnsibleVariables) {
        let Some(into) = it.get("dest") else { return };
        let from = ["url", "src"].into_iter().find_map(|key| it.get(key));
        let content = match (from, it.get("content")) {
            (Some(url), _) if module == "get_url" => CommandOutput::Url(self.argument_of(url)),
            (Some(from), _) if module == "template" => {
                let place = self.argument_of(from);
                self.template(&place, known)
            }
            (Some(from), _) => CommandOutput::Path(self.argument_of(from)),
            (None, Some(content)) => {
                let filled = known.fill(content, 0);
                let documents = parse::embedded(self.context.sources, &filled, Dialect::Sigs);
                CommandOutput::Objects(documents.roots().cloned().collect())
            }
            (None, None) => return,
        };
        let into = self.argument_of(into);
        self.write(&into, content, false);
    }

    /// The objects of a template, filled in.
    fn template(&mut self, place: &ShellArgument, known: &AnsibleVariables) -> CommandOutput {
        let sources = self.context.sources;
        let Some(file) = self.paths(place).iter().find_map(|it| sources.find(it)) else {
            return CommandOutput::Unknown;
        };
        let documents = sources.documents(file, Dialect::Sigs);
        if documents.error().is_some() || documents.template.is_some() {
            return CommandOutput::Path(place.clone());
        }
        self.reads([file]);
        CommandOutput::Objects(
            layout::objects(documents.roots()).map(|it| known.fill(it, 0)).collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{resolve::scripts::tests::findings, tests::fixture};

    #[test]
    fn the_words_of_a_command_may_be_a_list() {
        let words = "helm, upgrade, -i, metrics-server, metrics-server/metrics-server";
        let set = "--set, 'args={--kubelet-insecure-tls}'";
        let play = |command: &str| {
            format!("\n//- play.yml\n- hosts: x\n  vars: {{v: 3.12.2}}\n  tasks:\n  - {command}\n")
        };
        let expected = ["kubelet-insecure-tls play.yml:4"];
        let list = format!("command: {{argv: [{words}, '--version={{{{ v }}}}', {set}]}}");
        assert_eq!(findings(&play(&list)), expected);
        assert_eq!(findings(&play(&format!("ansible.builtin.{list}"))), expected);
        let text = format!("command: {{cmd: \"{words} {set}\"}}").replace(',', "");
        assert_eq!(findings(&play(&text)), expected);
    }

    #[test]
    fn a_list_starts_with_no_name() {
        for text in ["a: 1\n- b", "# list\n---\n'a': 1", "\n\n  apiVersion: v1", "---\r\na: [- b]"]
        {
            assert!(starts_with_key(text), "{text}");
        }
        for text in [
            "- a",
            "---\n- a",
            "--- # all\n- a",
            "\u{feff}- a",
            "%YAML 1.2\n---\n- a",
            "[{a: 1}]",
            "{% if a %}\n- a",
            "",
            "null\n---\n- a",
            "a: b: c\n---\n- a",
        ] {
            assert!(!starts_with_key(text), "{text}");
        }
    }

    const HELM: &str =
        "kubernetes.core.helm: {name: metrics-server, release_namespace: kube-system,
    chart_ref: metrics-server/metrics-server, chart_version: 3.12.2,";

    #[test]
    fn a_role_has_its_defaults_unless_another_place_says_more() {
        let values = "values: {args: ['--metric-resolution={{ resolution }}']}";
        let role = format!(
            "\n//- roles/ms/tasks/main.yml\n- name: x\n  {HELM} {values}}}\n//- roles/ms/defaults/main.yml\nresolution: 5s\n"
        );
        let small = "metric-resolution-too-small";
        assert_eq!(findings(&role), [format!("{small} roles/ms/defaults/main.yml:1")]);
        let all = format!("{role}//- group_vars/all.yml\nresolution: 6s\n");
        assert_eq!(findings(&all), [format!("{small} group_vars/all.yml:1")]);
        let two = format!("{all}//- group_vars/x.yml\nresolution: 20s\n");
        assert!(findings(&two).iter().all(|it| !it.starts_with(small)));
    }

    #[test]
    fn an_inventory_is_shared_and_beats_defaults_alone() {
        let sources = fixture(
            "
            //- group_vars/all/v.yml
            {a: 1, b: 1, c: 1}
            //- roles/r/defaults/main.yml
            {a: 2, d: 2}
            //- roles/r/tasks/main.yml
            - {name: x, set_fact: {b: 2, c: 1}}
            //- roles/s/tasks/main.yml
            - {name: x}
            ",
        );
        let of = |path| AnsibleVariables::of(&sources, sources.find(path).unwrap());
        let (r, s) = (of("roles/r/tasks/main.yml"), of("roles/s/tasks/main.yml"));
        let text = |it: &AnsibleVariables, name| it.get(name).and_then(Node::as_int);
        let all = |it| ["a", "b", "c", "d"].map(|name| text(it, name));
        assert_eq!(all(&r), [Some(1), None, Some(1), Some(2)]);
        assert_eq!(all(&s), [Some(1), Some(1), Some(1), None]);
        assert!(Arc::ptr_eq(&r.inventory, &s.inventory));
        // What many roles do not set takes none of them anything.
        assert!(s.own.is_empty() && s.of_shell().into_set().is_empty());
    }

    #[test]
    fn a_repository_is_known_by_either_name_of_an_argument() {
        let found = |repository: &str, release: &str| {
            findings(&format!(
                "
            //- roles/ms/tasks/main.yml
            - name: repository
              kubernetes.core.helm_repository: {{{repository}}}
            - name: release
              kubernetes.core.helm:
                release_name: metrics-server
                chart_ref: stable/metrics-server
                chart_version: 2.11.4
                release_namespace: kube-system
                {release}
            "
            ))
        };
        let gone = |repository: &str, release: &str| {
            found(repository, release).iter().any(|it| it.starts_with("chart-repository-is-gone"))
        };
        let url = "https://charts.helm.sh/stable";
        for (name, address) in
            [("name", "repo_url"), ("repo_name", "repo_url"), ("repo_name", "url")]
        {
            assert!(gone(&format!("{name}: stable, {address}: '{url}'"), ""), "{name} {address}");
        }
        let absent = format!("repo_name: stable, repo_url: '{url}', repo_state: absent");
        assert!(!gone(&absent, ""));
        let repository = format!("name: stable, url: '{url}'");
        assert!(!found(&repository, "").is_empty());
        assert_eq!(found(&repository, "release_state: absent"), [""; 0]);
    }

    #[test]
    fn a_loop_installs_each_of_its_items() {
        let found = findings(
            "
            //- site.yml
            - hosts: all
              tasks:
              - kubernetes.core.helm:
                  name: '{{ item.name }}'
                  chart_ref: '{{ item.chart }}'
                  chart_version: '{{ item.version }}'
                  release_namespace: kube-system
                  release_values: '{{ item.values }}'
                loop:
                - {name: cilium, chart: cilium/cilium, version: 1.16.0, values: {}}
                - name: metrics-server
                  chart: metrics-server/metrics-server
                  version: 3.12.2
                  values: {args: [--kubelet-insecure-tls]}
            ",
        );
        assert_eq!(found, ["kubelet-insecure-tls site.yml:14"]);
    }

    #[test]
    fn what_is_put_somewhere_is_what_is_applied_there() {
        let url = "https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.7.2/components.yaml";
        let patch = r#"command: kubectl -n kube-system patch deploy metrics-server --type=json -p '[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--kubelet-insecure-tls"}]'"#;
        for apply in [
            format!(
                "get_url: {{url: '{url}', dest: '{{{{ dir }}}}/ms.yaml'}}\n- shell: kubectl apply -f {{{{dir}}}}/ms.yaml"
            ),
            format!("kubernetes.core.k8s:\n    src: {url}"),
            format!("ansible.builtin.shell: curl -L {url} | kubectl apply -f -"),
        ] {
            let tasks = format!("\n//- tasks/ms.yml\n- name: x\n  {apply}\n- {patch}\n");
            let line = tasks.lines().count() - 2;
            let expected = format!("kubelet-insecure-tls tasks/ms.yml:{line}");
            assert_eq!(findings(&tasks), [expected], "{apply}");
            assert_eq!(findings(&format!("{tasks}  when: insecure\n")), [""; 0], "{apply}");
        }
    }
}
