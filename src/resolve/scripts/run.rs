//! Commands, one after the other: loops are gone through and functions are called where that can be told.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CommandLine, CommandOutput, Session,
    added::AddedValue,
    argument::ShellArgument,
    build::CommandStep,
    helm, kubectl,
    values::ShellFrame,
    written::{BranchPath, BranchedValue},
};
use crate::{
    parse,
    resolve::shell::{self, ShellCommand, ShellGroup, Word},
    source::Span,
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

/// What prints nothing and leaves files as they are.
const SILENT: [&str; 25] = [
    ":", "true", "false", "test", "[", "[[", "set", "shopt", "export", "local", "readonly",
    "declare", "typeset", "unset", "read", "mapfile", "trap", "wait", "sleep", "mkdir", "chmod",
    "chown", "return", "exit", "alias",
];

/// A function of a shell.
#[derive(Debug, Default)]
pub(super) struct ShellFunction {
    /// What it is in the branches that define it.
    definitions: BranchedValue<FunctionBody>,
    is_called: bool,
}

/// The commands of a function, and how many of the conditions around them are around the definition.
#[derive(Debug, Default)]
struct FunctionBody {
    commands: Vec<(Node, ShellCommand)>,
    depth: usize,
}

/// What commands print, each with the number of the conditions that it stands below.
type PrintedOutputs = Vec<(usize, CommandOutput)>;

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
        let (mut main, mut bodies) = (Vec::new(), BTreeMap::<usize, (String, FunctionBody)>::new());
        for mut command in commands {
            for (id, _) in &mut command.branch {
                last = last.max(*id);
                *id += before;
            }
            let target = match &command.function {
                Some(function) => {
                    let body = FunctionBody { depth: function.depth, ..FunctionBody::default() };
                    let new = || (function.name.clone(), body);
                    &mut bodies.entry(function.number).or_insert_with(new).1.commands
                }
                None => &mut main,
            };
            target.push((code.clone(), command));
        }
        self.conditions += last + 1;
        for (name, body) in bodies.into_values() {
            let own = body.commands.first().and_then(|(_, it)| it.branch.get(..body.depth));
            let branch: BranchPath =
                self.around.iter().chain(own.unwrap_or_default()).copied().collect();
            self.functions.entry(name).or_default().definitions.set(&branch, body);
        }
        let own = std::mem::replace(&mut self.around_own, 0);
        self.sequence(&main, CommandOutput::Unknown);
        self.around_own = own;
    }

    /// Runs the functions that nothing calls, unless it is their text that would: those of a library
    /// are for others, and a name that is put together may be any.
    pub(super) fn rest(&mut self) {
        let is_program = self.functions.values().any(|it| it.is_called) || !self.steps.is_empty();
        let is_unused = is_program && !self.calls_any;
        let names: Vec<String> = self.functions.keys().cloned().collect();
        for name in names {
            let Some(function) = self.functions.get_mut(&name).filter(|it| !it.is_called) else {
                continue;
            };
            let definitions = std::mem::take(&mut function.definitions);
            for (branch, body) in definitions.all() {
                if is_unused {
                    let places = body.commands.iter().filter_map(|(code, it)| self.place(code, it));
                    let places: Vec<Span> = places.collect();
                    self.unused.extend(places);
                } else {
                    self.scope.frame.is_uncalled = true;
                    self.body(branch.clone(), body);
                    self.scope.frame.is_uncalled = false;
                }
            }
        }
    }

    /// Where `command` of `code` stands.
    fn place(&self, code: &Node, command: &ShellCommand) -> Option<Span> {
        let (first, last) = (command.words.first()?, command.words.last()?);
        let range = first.range.start..last.range.end.max(first.range.end);
        parse::part(self.context.sources, code, range).written_at()
    }

    /// Runs a body of a function below the conditions `around`.
    fn body(&mut self, around: BranchPath, body: &FunctionBody) -> PrintedOutputs {
        let around = std::mem::replace(&mut self.around, around);
        let own = std::mem::replace(&mut self.around_own, body.depth);
        let printed = self.sequence(&body.commands, CommandOutput::Unknown);
        (self.around, self.around_own) = (around, own);
        printed
    }

    /// The conditions around what has `branch` in its text.
    fn below(&self, branch: &[(usize, usize)]) -> BranchPath {
        let own = branch.get(self.around_own..).unwrap_or_default();
        self.around.iter().chain(own).copied().collect()
    }

    /// What commands below `depth` conditions print that printed all of `printed`: whether what stands in
    /// a branch is among it nobody can tell.
    fn output(&self, printed: PrintedOutputs, depth: usize) -> CommandOutput {
        match printed.iter().all(|it| it.0 == depth) {
            true => {
                let all: Vec<_> = printed.into_iter().map(|it| it.1).collect();
                self.joined(&all)
            }
            false => CommandOutput::Unknown,
        }
    }

    /// Runs the commands of one group, the first of which reads `input`. Where they run apart, what they
    /// set and where they go is that of no other.
    fn group(
        &mut self,
        group: &ShellGroup,
        body: &[(Node, ShellCommand)],
        input: CommandOutput,
    ) -> CommandOutput {
        let Some((code, first)) = body.first() else { return CommandOutput::Unknown };
        let branch = self.below(first.branch.get(..group.depth).unwrap_or(&first.branch));
        let before = first.piped.then(|| std::mem::replace(&mut self.input, input.clone()));
        let kept = group.apart.then(|| {
            let frame = self.scope.frame.clone();
            // Copying takes its time, too.
            self.ran += (frame.named.len() + frame.added.len()) / 100;
            (frame, self.dirs.clone(), self.pushed.clone(), self.places.clone())
        });
        self.subshells += usize::from(group.apart);
        let printed = self.sequence(body, input);
        self.subshells -= usize::from(group.apart);
        let mut output = self.output(printed, group.depth);
        if let Some(file) = &group.output {
            let file = self.scope.argument(code, file);
            let content = std::mem::replace(&mut output, CommandOutput::nothing());
            self.branch = branch;
            self.write(&file, content, group.appends);
        }
        if let Some(before) = before {
            self.input = before;
        }
        if let Some((frame, dirs, pushed, mut places)) = kept {
            // A context is chosen in a file.
            places.extend(self.places.remove("context").map(|it| ("context", it)));
            (self.scope.frame, self.dirs, self.pushed, self.places) = (frame, dirs, pushed, places);
        }
        output
    }

    /// Runs `commands` one after the other, the first of which reads `input` where it is piped.
    fn sequence(
        &mut self,
        commands: &[(Node, ShellCommand)],
        input: CommandOutput,
    ) -> PrintedOutputs {
        let mut printed = PrintedOutputs::new();
        let (mut output, mut depth) = (input, None);
        let mut commands = commands.iter();
        while let Some((code, command)) = commands.next() {
            self.ran += 1;
            if self.ran > MAX_COMMANDS {
                let place = self.place(code, command).map(Origin::written);
                self.cut = self.cut.take().or(place);
                output = CommandOutput::Unknown;
                break;
            }
            let place = self.place(code, command);
            if command.is_dead {
                self.unused.extend(place);
                continue;
            }
            let before = std::mem::replace(&mut output, CommandOutput::Unknown);
            let input = match (&command.document, command.piped) {
                (_, true) => before,
                (_, false) => {
                    printed.extend(depth.zip(Some(before)).filter(|it| !it.1.is_nothing()));
                    // In a function, what its call reads.
                    self.input.clone()
                }
            };
            depth = Some(command.branch.len());
            if let Some(group) = command.groups.last() {
                let rest = next_while(&mut commands, |it| it.groups.last() == Some(group));
                let rest = rest.iter().cloned();
                let body = std::iter::once((code.clone(), command.clone())).chain(rest);
                let inner = |(code, mut command): (Node, ShellCommand)| {
                    command.groups.pop();
                    (code, command)
                };
                output = self.group(group, &body.map(inner).collect::<Vec<_>>(), input);
                depth = Some(group.depth);
                continue;
            }
            let input = match &command.document {
                Some((document, filled)) => self.document(code, document, *filled),
                None => input,
            };
            if !command.piped {
                self.at.clear();
            }
            self.at.extend(place);
            self.branch = self.below(&command.branch);
            self.scope.frame.branch.clone_from(&self.branch);
            if command.words.first().and_then(Word::literal) == Some("for") {
                let body = next_while(&mut commands, |it| it.branch.starts_with(&command.branch));
                if !self.repeat(code, command, body) {
                    output = CommandOutput::nothing();
                }
                continue;
            }
            output = self.command(code, command, &input);
            if let Some(file) = &command.output {
                let file = self.scope.argument(code, file);
                let content = std::mem::replace(&mut output, CommandOutput::nothing());
                self.write(&file, content, command.appends);
            }
        }
        printed.extend(depth.zip(Some(output)).filter(|it| !it.1.is_nothing()));
        printed
    }

    /// Runs `body` for each item of the loop that `head` begins. Items for which the same is installed
    /// are different clusters. Tells whether it may print something.
    fn repeat(&mut self, code: &Node, head: &ShellCommand, body: &[(Node, ShellCommand)]) -> bool {
        let mut words = self.scope.arguments(code, head);
        let name = words.get(1).and_then(|it| it.text()).unwrap_or_default().to_owned();
        let items = words.split_off(words.len().min(3));
        let is_told = |it: &ShellArgument| it.text.is_some() && !it.head.contains(['*', '(']);
        if let Some(chosen) = self.chosen.get(&name) {
            let item = ShellArgument::plain(chosen, &Origin::at(Via::Written, None));
            return self.with(&name, item, body);
        }
        if items.is_empty() || items.len() > MAX_ITEMS || !items.iter().all(is_told) {
            return !self.sequence(body, CommandOutput::Unknown).is_empty();
        }
        let (start, mut prints) = (self.steps.len(), false);
        let (mut installed, mut again) = (BTreeSet::<String>::new(), false);
        for item in &items {
            let before = self.steps.len();
            prints |= self.with(&name, item.clone(), body);
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
        prints
    }

    /// Runs `body` where `name` is `item`, and tells whether it may print something.
    fn with(&mut self, name: &str, item: ShellArgument, body: &[(Node, ShellCommand)]) -> bool {
        let before = self.scope.frame.named.insert(name.to_owned(), item);
        self.scope.frame.branched.remove(name);
        let printed = self.sequence(body, CommandOutput::Unknown);
        match before {
            Some(before) => drop(self.scope.frame.named.insert(name.to_owned(), before)),
            None => drop(self.scope.frame.named.remove(name)),
        }
        !printed.is_empty()
    }

    /// Calls the function `name`, which reads `input`, and gives what it prints, if there is one.
    fn call(
        &mut self,
        name: &str,
        arguments: &[ShellArgument],
        input: &CommandOutput,
    ) -> Option<CommandOutput> {
        let function = self.functions.get_mut(name)?;
        function.is_called = true;
        // While it runs it cannot be called again.
        let definitions = std::mem::take(&mut function.definitions);
        let mut output = CommandOutput::Unknown;
        if self.calls < MAX_CALLS {
            let frame = ShellFrame {
                named: self.scope.frame.named.clone(),
                positional: Some(arguments.to_vec()),
                added: std::mem::take(&mut self.scope.frame.added),
                branched: self.scope.frame.branched.clone(),
                ..ShellFrame::default()
            };
            let frame = std::mem::replace(&mut self.scope.frame, frame);
            let here = self.branch.clone();
            let input = std::mem::replace(&mut self.input, input.clone());
            self.calls += 1;
            for (branch, body) in definitions.all() {
                let own = branch.iter().filter(|it| !here.contains(it));
                let printed = self.body(here.iter().chain(own).copied().collect(), body);
                output = match definitions.all().len() {
                    1 => self.output(printed, body.depth),
                    _ => CommandOutput::Unknown,
                };
            }
            self.calls -= 1;
            self.branch = here;
            let inner = std::mem::replace(&mut self.scope.frame, frame);
            self.input = input;
            self.scope.frame.added = inner.added;
            for (name, value) in inner.outer.into_iter().rev() {
                match value {
                    Some(value) => drop(self.scope.frame.added.insert(name, value)),
                    None => drop(self.scope.frame.added.remove(&name)),
                }
            }
        }
        if let Some(function) = self.functions.get_mut(name) {
            function.definitions = definitions;
        }
        Some(output)
    }

    /// Sets what `command` assigns: what a function is called with may be gone later, and what a file sets
    /// that is taken in, or what is added to something, is that from here on.
    fn assign(&mut self, code: &Node, command: &ShellCommand) {
        let (assigned, lasts) = command.assigned();
        let is_added = |it: &&str| self.scope.variables.is_added(it);
        for name in command.local().filter(|it| self.calls > 0 && is_added(it)) {
            let outer = self.scope.frame.added.remove(name);
            self.scope.frame.outer.push((name.to_owned(), outer));
        }
        let all = self.calls > 0 || self.sources > 0 || self.subshells > 0;
        for (name, adds, word) in assigned {
            if self.scope.variables.is_added(name) {
                // Before another command it is set for that one only.
                if lasts {
                    self.add(code, name, adds, &word);
                }
                continue;
            }
            if word.items.is_some() || !(all || self.scope.frame.named.contains_key(name)) {
                continue;
            }
            let mut value = self.scope.argument(code, &word);
            // What it is chosen to be is one of what it may be.
            let is_sure = command.is_sure() && !adds;
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
        input: &CommandOutput,
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
        input: &CommandOutput,
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
            return CommandOutput::nothing();
        };
        let program = program.program();
        self.calls_any |= program.is_none();
        let program = program.unwrap_or_default();
        self.start_cluster(program, arguments);
        self.choose_cluster(program, arguments);
        if let Some(output) = self.file_program(program, arguments, input) {
            return output;
        }
        match program {
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
                return self.helm(&options, input);
            }
            "kubectl" | "oc" | "kubecolor" | "k" | "microk8s.kubectl" => {
                let options = CommandLine::new(self.context, arguments, kubectl::SWITCHES);
                self.cluster = self.cluster_of(&options);
                return self.kubectl(&options, input);
            }
            "kustomize" => {
                let options = CommandLine::new(self.context, arguments, kubectl::SWITCHES);
                if let [build, place] = &*options.positional
                    && build.text() == Some("build")
                {
                    return CommandOutput::Build(place.clone());
                }
            }
            "echo" | "ls" | "grep" => {}
            _ => return self.other(program, arguments, input),
        }
        CommandOutput::Unknown
    }

    /// Runs a function, or a program of which no more is known than that.
    fn other(
        &mut self,
        program: &str,
        arguments: &[ShellArgument],
        input: &CommandOutput,
    ) -> CommandOutput {
        if let Some(output) = self.call(program, arguments, input) {
            return output;
        }
        if SILENT.contains(&program) {
            return CommandOutput::nothing();
        }
        // What else names a file may change it, and what names a function may call it.
        arguments.iter().filter(|it| !it.head.starts_with('-')).for_each(|it| self.touch(it));
        let is_function =
            |it: &ShellArgument| it.text().is_some_and(|it| self.functions.contains_key(it));
        if let Some(at) = arguments.iter().position(is_function)
            && let Some(name) = arguments[at].text()
        {
            self.call(name, &arguments[at + 1..], input);
        }
        CommandOutput::Unknown
    }
}
