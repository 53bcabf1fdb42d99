//! Commands, one after the other: loops are gone through and functions are called where that can be told.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CommandLine, CommandOutput, Session,
    added::AddedValue,
    build::CommandStep,
    helm, kubectl,
    values::{self, ShellArgument, ShellFrame},
};
use crate::{
    parse,
    resolve::shell::{self, ShellCommand, Word},
    source::{self, Span},
    tree::{Node, Origin, Via},
};

/// How deep functions may call, and files source, each other.
const MAX_CALLS: usize = 16;

/// How many items of a loop are gone through.
const MAX_ITEMS: usize = 50;

/// How many commands are run for one block.
const MAX_COMMANDS: usize = 20_000;

/// The commands that start a cluster on the machine that runs them, and whose that is.
const LOCAL: &[(&str, &str)] = &[
    ("kind create cluster", "kind"),
    ("minikube start", "minikube"),
    ("k3d cluster create", "k3d"),
    ("colima start", "colima"),
    ("ctlptl create cluster", "ctlptl"),
];

/// What only passes the command behind it on.
const WRAPPERS: [&str; 9] =
    ["sudo", "env", "time", "exec", "command", "nohup", "microk8s", "k3s", "-E"];

/// A function of a shell.
#[derive(Debug, Default)]
pub(super) struct ShellFunction {
    body: Vec<(Node, ShellCommand)>,
    is_called: bool,
}

/// The next of `commands` as long as they are `inside` of something.
fn next_while<'c>(
    commands: &mut std::slice::Iter<'c, (Node, ShellCommand)>,
    inside: impl Fn(&ShellCommand) -> bool,
) -> &'c [(Node, ShellCommand)] {
    let all = commands.as_slice();
    let (found, rest) = all.split_at(all.iter().take_while(|it| inside(&it.1)).count());
    *commands = rest.iter();
    found
}

impl Session<'_> {
    /// Runs the commands in `code`.
    pub(super) fn commands(&mut self, code: &Node, braces: bool) {
        let commands = shell::commands(code.as_scalar().map_or("", |it| &*it.text), braces);
        // Numbers of conditions are those of one text.
        let (before, mut last) = (self.conditions, 0);
        let mut main = Vec::new();
        for mut command in commands {
            for (id, _) in &mut command.branch {
                last = last.max(*id);
                *id += before;
            }
            match &command.function {
                Some(name) => {
                    let function = self.functions.entry(name.clone()).or_default();
                    function.body.push((code.clone(), command));
                }
                None => main.push((code.clone(), command)),
            }
        }
        self.conditions += last + 1;
        self.sequence(&main);
    }

    /// Runs the functions that nothing calls, unless it is their text that would: those of a library
    /// are for others, and a name that is put together may be any.
    pub(super) fn rest(&mut self) {
        let is_program = self.functions.values().any(|it| it.is_called) || !self.steps.is_empty();
        let is_unused = is_program && !self.calls_any;
        let names: Vec<String> = self.functions.keys().cloned().collect();
        for name in names {
            let Some(function) = self.functions.get(&name).filter(|it| !it.is_called) else {
                continue;
            };
            let body = function.body.clone();
            if is_unused {
                let places = body.iter().filter_map(|(code, it)| self.place(code, it));
                let places: Vec<Span> = places.collect();
                self.unused.extend(places);
            } else {
                self.scope.frame.is_uncalled = true;
                self.sequence(&body);
                self.scope.frame.is_uncalled = false;
            }
        }
    }

    /// Where `command` of `code` stands.
    fn place(&self, code: &Node, command: &ShellCommand) -> Option<Span> {
        let (first, last) = (command.words.first()?, command.words.last()?);
        let range = first.range.start..last.range.end.max(first.range.end);
        parse::part(self.context.sources, code, range).written_at()
    }

    /// Runs the commands of one subshell, which reads `input`: what they set and where they go is that of
    /// no other.
    fn apart(
        &mut self,
        input: CommandOutput,
        commands: impl Iterator<Item = (Node, ShellCommand)>,
    ) -> CommandOutput {
        let body: Vec<_> = commands
            .map(|(code, mut command)| {
                command.subshells.remove(0);
                (code, command)
            })
            .collect();
        let input = std::mem::replace(&mut self.input, input);
        let (frame, dirs, places) =
            (self.scope.frame.clone(), self.dirs.clone(), self.places.clone());
        let output = self.sequence(&body);
        (self.scope.frame, self.dirs, self.places, self.input) = (frame, dirs, places, input);
        output
    }

    /// Runs `commands` one after the other, and gives what the last one prints.
    fn sequence(&mut self, commands: &[(Node, ShellCommand)]) -> CommandOutput {
        let (around, mut output) = (self.around.clone(), CommandOutput::Unknown);
        let mut commands = commands.iter();
        while let Some((code, command)) = commands.next() {
            self.ran += 1;
            if self.ran > MAX_COMMANDS {
                return CommandOutput::Unknown;
            }
            if let Some(shell) = command.subshells.first() {
                let body = next_while(&mut commands, |it| it.subshells.first() == Some(shell));
                let input = if command.piped { output } else { self.input.clone() };
                let first = (code.clone(), ShellCommand { piped: false, ..command.clone() });
                output = self.apart(input, std::iter::once(first).chain(body.iter().cloned()));
                continue;
            }
            let input = match (&command.document, command.piped) {
                (Some((document, filled)), _) => self.document(code, document, *filled),
                (None, true) => output,
                // In a function, what its call reads.
                (None, false) => self.input.clone(),
            };
            if !command.piped {
                self.at.clear();
            }
            let place = self.place(code, command);
            self.at.extend(place);
            self.branch = around.iter().chain(&command.branch).copied().collect();
            self.scope.frame.branch.clone_from(&self.branch);
            if command.words.first().and_then(Word::literal) == Some("for") {
                let body = next_while(&mut commands, |it| it.branch.starts_with(&command.branch));
                self.repeat(code, command, body);
                output = CommandOutput::Unknown;
                continue;
            }
            output = self.command(code, command, input);
            if let Some(file) = &command.output {
                let file = self.scope.argument(code, file);
                let content = std::mem::replace(&mut output, CommandOutput::Unknown);
                self.write(&file, content, command.appends);
            }
        }
        output
    }

    /// Runs `body` for each item of the loop that `head` begins. Items for which the same is installed
    /// are different clusters.
    fn repeat(&mut self, code: &Node, head: &ShellCommand, body: &[(Node, ShellCommand)]) {
        let mut words = self.scope.arguments(code, head);
        let name = words.get(1).and_then(|it| it.text()).unwrap_or_default().to_owned();
        let items = words.split_off(words.len().min(3));
        let is_told = |it: &ShellArgument| it.text.is_some() && !it.head.contains(['*', '(']);
        if let Some(chosen) = self.chosen.get(&name) {
            let item = ShellArgument::plain(chosen, &Origin::at(Via::Written, None));
            return self.with(&name, item, body);
        }
        if items.is_empty() || items.len() > MAX_ITEMS || !items.iter().all(is_told) {
            self.sequence(body);
            return;
        }
        let start = self.steps.len();
        let (mut installed, mut again) = (BTreeSet::<String>::new(), false);
        for item in &items {
            let before = self.steps.len();
            self.with(&name, item.clone(), body);
            let names: BTreeSet<String> =
                self.steps[before..].iter().flat_map(CommandStep::names).collect();
            again |= !installed.is_disjoint(&names);
            installed.extend(names);
        }
        if again && self.choices.is_empty() {
            self.steps.truncate(start);
            let choice = |it: &ShellArgument| {
                BTreeMap::from([(name.clone(), it.text.clone().unwrap_or_default())])
            };
            self.choices = items.iter().map(choice).collect();
        }
    }

    /// Runs `body` where `name` is `item`.
    fn with(&mut self, name: &str, item: ShellArgument, body: &[(Node, ShellCommand)]) {
        let before = self.scope.frame.named.insert(name.to_owned(), item);
        self.scope.frame.branched.remove(name);
        self.sequence(body);
        match before {
            Some(before) => drop(self.scope.frame.named.insert(name.to_owned(), before)),
            None => drop(self.scope.frame.named.remove(name)),
        }
    }

    /// Calls the function `name`, which reads `input`, if there is one that does not run already.
    fn call(&mut self, name: &str, arguments: &[ShellArgument], input: &CommandOutput) -> bool {
        let Some(function) = self.functions.get_mut(name) else { return false };
        function.is_called = true;
        let body = std::mem::take(&mut function.body);
        if self.calls < MAX_CALLS {
            let frame = ShellFrame {
                named: self.scope.frame.named.clone(),
                positional: Some(arguments.to_vec()),
                added: std::mem::take(&mut self.scope.frame.added),
                branched: self.scope.frame.branched.clone(),
                ..ShellFrame::default()
            };
            let frame = std::mem::replace(&mut self.scope.frame, frame);
            let around = std::mem::replace(&mut self.around, self.branch.clone());
            let input = std::mem::replace(&mut self.input, input.clone());
            self.calls += 1;
            self.sequence(&body);
            self.calls -= 1;
            let inner = std::mem::replace(&mut self.scope.frame, frame);
            (self.around, self.input) = (around, input);
            self.scope.frame.added = inner.added;
            for (name, value) in inner.outer.into_iter().rev() {
                match value {
                    Some(value) => drop(self.scope.frame.added.insert(name, value)),
                    None => drop(self.scope.frame.added.remove(&name)),
                }
            }
        }
        if let Some(function) = self.functions.get_mut(name) {
            function.body = body;
        }
        true
    }

    /// Sets what `command` assigns: what a function is called with may be gone later, and what a file sets
    /// that is taken in, or what is added to something, is that from here on.
    fn assign(&mut self, code: &Node, command: &ShellCommand) {
        let first = command.words.first().and_then(Word::literal).unwrap_or_default();
        let declares = values::declaring(command);
        let assigned = command.words.iter().skip(declares).map_while(Word::assignment);
        let is_alone = declares > 0 || command.words.iter().all(|it| it.assignment().is_some());
        let all = self.calls > 0 || self.sources > 0;
        for (name, adds, word) in assigned {
            if self.scope.variables.is_added(name) {
                // Before another command it is set for that one only.
                if !is_alone {
                    continue;
                }
                if self.calls > 0 && matches!(first, "local" | "declare" | "typeset") {
                    let outer = self.scope.frame.added.get(name).cloned();
                    self.scope.frame.outer.push((name.to_owned(), outer));
                }
                self.add(code, name, adds, &word);
                continue;
            }
            if word.items.is_some() || !(all || self.scope.frame.named.contains_key(name)) {
                continue;
            }
            let mut value = self.scope.argument(code, &word);
            // What it is chosen to be is one of what it may be.
            let is_sure = command.branch.is_empty() && !adds;
            let is_one = value.text.is_some() && value.shape.1.is_empty();
            if !(is_sure && is_one) && self.chosen.contains_key(name) {
                continue;
            }
            if !is_sure {
                value = ShellArgument { text: None, head: String::new(), ..value };
            }
            self.scope.frame.named.insert(name.to_owned(), value);
            let branched = &mut self.scope.frame.branched;
            match self.sources > 0 && !self.branch.is_empty() {
                true => drop(branched.insert(name.to_owned(), self.branch.clone())),
                false => drop(branched.remove(name)),
            }
        }
    }

    /// Sets `name` to `word` of `code`, behind what it is if that `adds` to it.
    fn add(&mut self, code: &Node, name: &str, adds: bool, word: &Word) {
        let parts = match &word.items {
            Some(items) => {
                let words = ShellCommand { words: items.clone(), ..ShellCommand::default() };
                self.scope.arguments(code, &words)
            }
            None => vec![self.scope.argument(code, word)],
        };
        let parts = parts.into_iter().filter(|it| word.items.is_some() || it.text() != Some(""));
        let value = AddedValue { parts: parts.collect(), is_list: word.items.is_some() };
        let frame = &mut self.scope.frame;
        let value = match (adds, frame.added(name)) {
            _ if self.scope.variables.is_changed(name) => {
                AddedValue::unknown(name, &Origin::at(Via::Written, None))
            }
            (false, _) => value,
            (true, Some(before)) => before.with(value),
            (true, None) => {
                let origin = Origin::at(Via::Written, None);
                AddedValue::unknown(name, &origin).with(value)
            }
        };
        frame.added.entry(name.to_owned()).or_default().set(&self.branch, value);
    }

    /// Runs one command, which reads `input`, and gives what it prints.
    fn command(
        &mut self,
        code: &Node,
        command: &ShellCommand,
        input: CommandOutput,
    ) -> CommandOutput {
        self.assign(code, command);
        self.set_places(code, command);
        let named = command.words.iter().position(|it| it.assignment().is_none());
        let named = named.and_then(|it| command.words.get(it..)).unwrap_or_default();
        if let Some((echo, words)) = named.split_first()
            && echo.literal() == Some("echo")
        {
            return self.echoed(code, words);
        }
        let arguments = self.scope.arguments(code, command);
        self.execute(&arguments, input)
    }

    /// Notes the cluster that `program` starts with `arguments` on the machine that runs it.
    fn start_cluster(&mut self, program: &str, arguments: &[ShellArgument]) {
        if let Some((_, tool)) = LOCAL.iter().find(|(it, _)| {
            let mut words = it.split(' ');
            words.next() == Some(program)
                && words.eq(arguments
                    .iter()
                    .filter_map(ShellArgument::text)
                    .take(it.matches(' ').count()))
        }) {
            let here = self.here();
            self.local.get_or_insert((tool, here));
        }
    }

    /// Runs the command of these words.
    pub(super) fn execute(
        &mut self,
        arguments: &[ShellArgument],
        input: CommandOutput,
    ) -> CommandOutput {
        let is_before = |it: &&ShellArgument| {
            it.head.contains('=') && !it.head.starts_with('-')
                || it.text().is_some_and(|it| WRAPPERS.contains(&it))
        };
        let mut skipped = arguments.iter().take_while(is_before).count();
        let mut words = arguments[skipped..].iter().map(ShellArgument::text);
        if [words.next(), words.next()] == [Some(Some("minikube")), Some(Some("kubectl"))] {
            skipped += 1;
        }
        let Some((program, arguments)) = arguments[skipped..].split_first() else {
            return input;
        };
        let program = program.program();
        self.calls_any |= program.is_none();
        let program = program.unwrap_or_default();
        self.start_cluster(program, arguments);
        self.choose_cluster(program, arguments);
        let words = || arguments.iter().filter(|it| !it.head.starts_with('-'));
        match program {
            "cd" | "pushd" => {
                if let Some(dir) = words().next() {
                    self.enter(dir);
                }
            }
            "shift" => {
                let count = arguments.first().and_then(|it| it.text()?.parse().ok()).unwrap_or(1);
                if let Some(frame) = &mut self.scope.frame.positional {
                    frame.drain(..usize::min(count, frame.len()));
                }
            }
            "source" | "." => {
                let files = arguments.first().map(|it| self.paths(it)).unwrap_or_default();
                let found = files.iter().find_map(|it| self.context.sources.find(it));
                let found = found.filter(|_| self.sources < MAX_CALLS);
                if let Some(found) = found.filter(|it| self.sourced.insert(*it)) {
                    let around = std::mem::replace(&mut self.around, self.branch.clone());
                    self.sources += 1;
                    self.commands(&parse::whole(self.context.sources, found), false);
                    self.sources -= 1;
                    self.around = around;
                }
            }
            "helm" | "helm3" | "helm4" => {
                let options = CommandLine::new(self.context, arguments, helm::SWITCHES);
                self.cluster = self.cluster_of(&options);
                return self.helm(&options, &input);
            }
            "kubectl" | "oc" | "kubecolor" | "k" | "microk8s.kubectl" => {
                let options = CommandLine::new(self.context, arguments, kubectl::SWITCHES);
                self.cluster = self.cluster_of(&options);
                return self.kubectl(&options, &input);
            }
            "kustomize" => {
                let options = CommandLine::new(self.context, arguments, kubectl::SWITCHES);
                if let [build, place] = &*options.positional
                    && build.text() == Some("build")
                {
                    return CommandOutput::Build(place.clone());
                }
            }
            "cat" => {
                let files: Vec<&ShellArgument> = words().collect();
                return match (&*files, input) {
                    ([file], CommandOutput::Unknown) => self.content(file),
                    ([_, _, ..], CommandOutput::Unknown) => {
                        let contents: Vec<_> = files.iter().map(|it| self.content(it)).collect();
                        self.joined(&contents)
                    }
                    (_, input) => input,
                };
            }
            "tee" => {
                let appends = |it: &ShellArgument| matches!(&*it.head, "-a" | "--append");
                let appends = arguments.iter().any(appends);
                words().for_each(|it| self.write(it, input.clone(), appends));
                return input;
            }
            "cp" | "mv" | "ln" => {
                if let [from, into] = &*words().collect::<Vec<_>>() {
                    let content = self.content(from);
                    self.write(into, content, false);
                }
            }
            "curl" | "wget" => return self.fetch(program, arguments),
            "echo" | "ls" | "test" | "[" | "[[" | "grep" | "rm" => {}
            _ if self.call(program, arguments, &input) => {}
            _ => {
                // What else names a file may change it, and what names a function may call it.
                words().for_each(|it| self.touch(it));
                let is_function = |it: &ShellArgument| {
                    it.text().is_some_and(|it| self.functions.contains_key(it))
                };
                if let Some(at) = arguments.iter().position(is_function)
                    && let Some(name) = arguments[at].text()
                {
                    self.call(name, &arguments[at + 1..], &input);
                }
            }
        }
        CommandOutput::Unknown
    }

    /// What a download prints, or writes into the file that it names.
    fn fetch(&mut self, program: &str, arguments: &[ShellArgument]) -> CommandOutput {
        let mut words = arguments.iter();
        let Some(url) = words.find(|it| it.head.contains("://")) else {
            return CommandOutput::Unknown;
        };
        let content = CommandOutput::Url(url.clone());
        let is_into = |it: &ShellArgument| {
            let long = matches!(&*it.head, "--output" | "--output-document");
            let letter = if program == "curl" { 'o' } else { 'O' };
            long || it.head.starts_with('-')
                && !it.head.starts_with("--")
                && it.head.ends_with(letter)
        };
        let into = arguments.iter().position(is_into).and_then(|it| arguments.get(it + 1));
        let by_name = program == "wget"
            || arguments.iter().any(|it| {
                it.head == "--remote-name"
                    || !it.head.starts_with("--")
                        && it.head.starts_with('-')
                        && it.head.ends_with('O')
            });
        match into {
            Some(file) if file.text() == Some("-") => return content,
            Some(file) => self.write(file, content, false),
            None if by_name => {
                let name = source::file_name(&url.head);
                let file = ShellArgument::plain(name, &url.origin);
                self.write(&file, content, false);
            }
            None => return content,
        }
        CommandOutput::Unknown
    }
}
