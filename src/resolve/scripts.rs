//! Scripts, build files and pipelines: what their commands install, as far as these are literal.
//!
//! Nothing is run. A variable is known that one place of the file sets, and a command that is not
//! understood is left to the notes about what is not read.

mod added;
mod ansible;
mod argument;
mod build;
mod carriers;
mod cluster;
mod files;
mod gitlab;
mod helm;
mod jobs;
mod kubectl;
mod programs;
mod recipes;
mod run;
mod values;
mod written;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use self::{
    argument::ShellArgument,
    build::{CommandStep, Doing},
    carriers::CommandBlock,
    kubectl::ObjectPatch,
    run::ShellFunction,
    values::{ShellFrame, ShellScope, ShellVariables},
    written::{BranchPath, BranchedValue, WrittenText},
};
use crate::{
    literals::Literals,
    problem::Problem,
    relevance::is_script,
    resolve::{
        bounds::Held,
        command,
        context::Context,
        environment::{EntryKind, Environment, Release},
        install::{Discovery, Reached},
        layout::{self, Layout},
        prepared, shell,
    },
    source::{self, FileId, Relevance, Sources, Span},
    tree::{Node, Origin, Via},
};

/// The environments of scripts that install something of ours.
pub(crate) fn environments(context: &Context<'_>, layout: &Layout<'_>) -> Discovery {
    let mut found = Discovery::default();
    let charts = NamedCharts::new(layout);
    let mut held = Held::default();
    let pipeline = gitlab::pipeline(context.sources);
    for (file, source) in context.sources.iter() {
        let is_part = pipeline.as_ref().is_some_and(|it| it.files.contains(&file));
        let pipeline = pipeline.as_ref().filter(|it| it.file == file);
        let apart = layout.is_excluded(file) || command::is_aside(&source.path) || is_part;
        let is_ours = |it: FileId| {
            matches!(context.sources[it].relevance, Relevance::Script | Relevance::Subject)
        };
        let mut parts = pipeline.iter().flat_map(|it| &it.files).copied();
        let speaks = is_ours(file)
            || parts.any(is_ours)
            || is_script(&source.path) && charts.are_told_in(context.sources, file);
        if apart || !(speaks || charts.may_be_in(context.sources, file)) {
            continue;
        }
        if held.is_full() {
            let at = Origin::start_of(file);
            found.environments.push(Held::left_out(&source.path, EntryKind::Other, &at));
            found.reached.files.insert(file);
            continue;
        }
        let mut add = |sessions: Vec<Session<'_>>| {
            for (mut environment, reached) in build::together(&source.path, sessions) {
                let is_ours = |it: &FileId| context.sources[*it].relevance == Relevance::Subject;
                environment.aside = !speaks && !reached.files.iter().any(is_ours);
                // A word may mean anything else.
                if !speaks && !charts.are_installed_by(&environment) {
                    continue;
                }
                // What is applied where it lies is judged there.
                let empty = environment.objects.is_empty() && environment.releases.is_empty();
                if empty && environment.problems.is_empty() {
                    continue;
                }
                if pipeline.is_some_and(|it| it.is_cut) {
                    let message = "this pipeline takes in more files than are looked at";
                    let problem = Problem::unresolved(&Origin::start_of(file), message);
                    environment.problems.push(problem);
                }
                held.add(&environment);
                found.environments.push(environment);
                found.reached.files.extend(reached.files);
                found.reached.dirs.extend(reached.dirs);
            }
        };
        if carriers::may_hold(context.sources, file) {
            let (blocks, variables) = carriers::read(context.sources, file, pipeline);
            let run = |block| {
                Session::each(|it| Session::run(context, layout, file, &variables, block, it))
            };
            add(blocks.iter().flat_map(run).collect());
        } else if !ansible::tasks(context.sources, file).is_empty() {
            let known = ansible::AnsibleVariables::of(context.sources, file);
            let variables = known.of_shell();
            add(Session::each(|it| ansible::run(context, layout, file, &variables, &known, it)));
        }
    }
    found
}

/// The charts of the repository that say what their installers need not say, as commands name them.
struct NamedCharts {
    /// Those that speak of our subject, by their last two directories, or the only one from here.
    told: Option<Literals>,
    /// These, those that make others deploy something, and those that scale workloads, by the ends of
    /// their paths.
    all: Option<Literals>,
    dirs: BTreeSet<String>,
}

impl NamedCharts {
    fn new(layout: &Layout<'_>) -> Self {
        let shown = |dir: &str| match source::parent(dir) {
            "" => format!("./{dir}"),
            above => format!("{}/{}", source::file_name(above), source::file_name(dir)),
        };
        let own = layout.own_charts();
        let told: Vec<String> = own.iter().copied().map(shown).collect();
        let dirs = own.iter().map(|it| (*it).to_owned());
        let dirs = dirs.chain(layout.deploying_charts().iter().cloned());
        let scaling = layout.scaling_charts().into_iter().map(str::to_owned);
        let dirs: BTreeSet<String> = dirs.chain(scaling).collect();
        let names: BTreeSet<&str> = dirs.iter().map(|it| source::file_name(it)).collect();
        let before = |name: &&str| [' ', '/', '"', '\''].map(|it| format!("{it}{name}"));
        let all: Vec<String> = names.iter().filter(|it| !it.is_empty()).flat_map(before).collect();
        Self { told: literals(&told), all: literals(&all), dirs }
    }

    /// Whether a file names one that speaks of our subject, whatever it does with it.
    fn are_told_in(&self, sources: &Sources, file: FileId) -> bool {
        self.told.as_ref().is_some_and(|it| it.are_in(sources.text(file)))
    }

    /// Whether an environment has one.
    fn are_installed_by(&self, environment: &Environment) -> bool {
        let mut dirs = environment.releases.iter().filter_map(|it| it.directory.as_ref());
        dirs.any(|it| self.dirs.contains(it))
    }

    /// Whether a file may install one: it runs Helm, and has such a word.
    fn may_be_in(&self, sources: &Sources, file: FileId) -> bool {
        self.all.as_ref().is_some_and(|it| {
            let path = &sources[file].path;
            (prepared::runs_commands(path) || ansible::may_be_tasks(path))
                && layout::is_text(sources, file)
                && sources.text(file).contains("helm")
                && it.are_in(sources.text(file))
        })
    }
}

fn literals(words: &[String]) -> Option<Literals> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    (!words.is_empty()).then(|| Literals::new(&[&words]))
}

/// What a file or a pipe holds.
#[derive(Debug, Clone)]
enum CommandOutput {
    /// What is at an address.
    Url(ShellArgument),
    Objects(Vec<Node>),
    Text(Arc<WrittenText>),
    /// What `helm template` prints.
    Release(Box<Release>, Vec<Problem>),
    /// A file or a directory of the repository.
    Path(ShellArgument),
    /// What kustomize builds there.
    Build(ShellArgument),
    Unknown,
}

impl CommandOutput {
    /// What a command prints that prints nothing.
    fn nothing() -> Self {
        Self::Text(Arc::default())
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

/// The options and words of a command.
#[derive(Debug, Default)]
struct CommandLine {
    positional: Vec<ShellArgument>,
    flags: Vec<(String, Option<ShellArgument>)>,
    /// The first word that may be any others, and how many options stand before the last of these.
    wild: Option<(ShellArgument, usize)>,
}

impl CommandLine {
    fn new(context: &Context<'_>, arguments: &[ShellArgument], switches: &[&str]) -> Self {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument.wild {
                let count = options.flags.len();
                options.wild.get_or_insert_with(|| (argument.clone(), count)).1 = count;
                continue;
            }
            let mut argument = Cow::Borrowed(argument);
            // Switches may stand behind one dash, the last with its value (`pflag`, `getopt`).
            while let Some((switch, rest)) = argument.head.split_at_checked(2)
                && switches.contains(&switch)
                && !rest.is_empty()
                && !rest.starts_with('=')
            {
                let rest = argument.after(context.sources, 2).behind("-");
                options.flags.push((switch.to_owned(), None));
                argument = Cow::Owned(rest);
            }
            let head = argument.head.as_str();
            if head == "--" {
                continue;
            }
            if !head.starts_with('-') || head == "-" {
                options.positional.push(argument.into_owned());
                continue;
            }
            let length = if head.starts_with("--") { head.find('=') } else { Some(2) };
            let name = length.map_or(head, |it| head.get(..it).unwrap_or(head));
            let rest = head.get(name.len()..).unwrap_or_default();
            let value = match () {
                () if rest.starts_with('=') => {
                    Some(argument.after(context.sources, name.len() + 1))
                }
                () if switches.contains(&name) => None,
                () if rest.is_empty() && argument.text.is_some() => arguments.next().cloned(),
                () => Some(argument.after(context.sources, name.len())),
            };
            options.flags.push((name.to_owned(), value));
        }
        options
    }

    /// The last value of an option.
    fn value(&self, name: &str) -> Option<&ShellArgument> {
        self.flags.iter().rev().find(|(it, _)| it == name)?.1.as_ref()
    }

    /// Whether a switch is on.
    fn has(&self, name: &str) -> bool {
        let off = ["false", "none"];
        let mut all = self.flags.iter().filter(|(it, _)| it == name);
        let is_off = |it: &ShellArgument| it.text().is_some_and(|it| off.contains(&it));
        all.next_back().is_some_and(|(_, value)| !value.as_ref().is_some_and(is_off))
    }
}

/// What the commands of a block come to, one after the other.
struct Session<'a> {
    context: &'a Context<'a>,
    layout: &'a Layout<'a>,
    scope: ShellScope<'a>,
    name: String,
    file: FileId,
    /// Where paths may start, the first one first; where that was before, and what `popd` goes back to.
    dirs: Vec<String>,
    left: Vec<String>,
    pushed: Vec<Vec<String>>,
    /// The addresses of chart repositories by their aliases.
    repositories: BTreeMap<String, Node>,
    /// What the commands write, by the names of files.
    made: BTreeMap<String, BranchedValue<(CommandOutput, Vec<Span>)>>,
    steps: Vec<CommandStep>,
    /// How many conditions there were.
    conditions: usize,
    /// The conditions around all commands of a text, and how many of a command's own are among them.
    around: BranchPath,
    around_own: usize,
    /// The branch and the place of the command that runs, and those that print what it reads.
    branch: BranchPath,
    at: Vec<Span>,
    reached: Reached,
    /// The values files that were read since something was done.
    read: BTreeSet<FileId>,
    /// What says for which cluster the commands after it are, and the one that runs; and which that is.
    places: BTreeMap<&'static str, BranchedValue<String>>,
    given: BTreeMap<&'static str, String>,
    cluster: Option<String>,
    /// The tool that starts a cluster on the machine that runs the commands.
    local: Option<(&'static str, Origin)>,
    functions: BTreeMap<String, ShellFunction>,
    /// Whether some command is called by a name that nobody can tell.
    calls_any: bool,
    /// What the function that is being called reads.
    input: CommandOutput,
    /// How many functions are being called, files sourced and subshells open, and how many commands were
    /// run.
    calls: usize,
    sources: usize,
    subshells: usize,
    ran: usize,
    /// Where more commands are than are run.
    cut: Option<Origin>,
    /// The files whose commands were run as if they stood here.
    sourced: BTreeSet<FileId>,
    /// Commands that nothing runs.
    unused: Vec<Span>,
    /// What variables are that may be something else each time, for this possible environment.
    chosen: Choice,
    /// What else they may be: then it is one of several.
    choices: Vec<Choice>,
}

/// What variables are in one of several environments, by name.
type Choice = BTreeMap<String, String>;

/// How many environments the commands of one block may have.
const MAX_CHOICES: usize = 50;

impl<'a> Session<'a> {
    fn new(
        context: &'a Context<'a>,
        layout: &'a Layout<'a>,
        file: FileId,
        variables: &'a ShellVariables,
        name: String,
    ) -> Self {
        Self {
            context,
            layout,
            scope: ShellScope { sources: context.sources, variables, frame: ShellFrame::default() },
            name,
            file,
            dirs: Vec::new(),
            left: Vec::new(),
            pushed: Vec::new(),
            repositories: BTreeMap::new(),
            made: BTreeMap::new(),
            steps: Vec::new(),
            conditions: 0,
            around: Vec::new(),
            around_own: 0,
            branch: Vec::new(),
            at: Vec::new(),
            reached: Reached::default(),
            read: BTreeSet::new(),
            places: BTreeMap::new(),
            given: BTreeMap::new(),
            cluster: None,
            local: None,
            functions: BTreeMap::new(),
            calls_any: false,
            input: CommandOutput::Unknown,
            calls: 0,
            sources: 0,
            subshells: 0,
            ran: 0,
            cut: None,
            sourced: BTreeSet::new(),
            unused: Vec::new(),
            chosen: Choice::new(),
            choices: Vec::new(),
        }
    }

    /// What `run` comes to in each environment that the choices of its commands make possible.
    fn each(run: impl Fn(&Choice) -> Self) -> Vec<Self> {
        let (mut done, mut open) = (Vec::new(), vec![Choice::new()]);
        while let Some(chosen) = open.pop() {
            let mut session = run(&chosen);
            session.choices.retain(|it| it.keys().any(|name| !chosen.contains_key(name)));
            let is_one = session.choices.is_empty();
            if is_one || done.len() + open.len() + session.choices.len() > MAX_CHOICES {
                done.push(session);
                continue;
            }
            let more = |it: &Choice| {
                chosen.iter().chain(it).map(|(name, value)| (name.clone(), value.clone())).collect()
            };
            open.extend(session.choices.iter().rev().map(more));
        }
        done
    }

    /// Takes `chosen` for what variables are.
    fn choose(&mut self, chosen: &Choice) {
        self.chosen.clone_from(chosen);
        let at = Origin::at(Via::Written, None);
        let named = chosen.iter().map(|(name, it)| (name.clone(), ShellArgument::plain(it, &at)));
        self.scope.frame.named.extend(named);
    }

    fn run(
        context: &'a Context<'a>,
        layout: &'a Layout<'a>,
        file: FileId,
        variables: &'a ShellVariables,
        block: &'a CommandBlock,
        chosen: &Choice,
    ) -> Self {
        let mut session = Self::new(context, layout, file, variables, block.name.clone());
        session.choose(chosen);
        for (name, value) in block.variables.iter().filter(|(it, _)| !chosen.contains_key(it)) {
            let own = match value {
                Some(value) => {
                    session.scope.argument(value, &carriers::word_of(value).unwrap_or_default())
                }
                // It may be any number of words.
                None => {
                    let unknown = ShellArgument::unknown(name, &Origin::at(Via::Written, None));
                    ShellArgument { wild: true, ..unknown }
                }
            };
            session.scope.frame.named.insert(name.clone(), own);
        }
        // Before any of its commands run (`environment:name` of GitLab's `CI/CD YAML syntax reference`).
        let environment = block.environment.as_ref().map(|it| session.argument_of(it));
        if let Some(name) = environment.clone() {
            session.scope.frame.named.entry("CI_ENVIRONMENT_NAME".to_owned()).or_insert(name);
        }
        session.local.clone_from(&block.local);
        session.cut.clone_from(&block.cut);
        let own = source::parent(&context.sources[file].path);
        let mut conditions: BTreeMap<&str, usize> = BTreeMap::new();
        for part in &block.parts {
            // Steps that one condition is for are in one branch.
            let condition = part.condition.as_ref().map(|it| {
                let text = it.as_scalar().map_or("", |it| &it.text);
                *conditions.entry(text).or_insert_with(|| {
                    session.conditions += 1;
                    session.conditions
                })
            });
            session.around = condition.map(|it| (it, 0)).into_iter().collect();
            session.scope.variables = &part.variables;
            if !part.continues {
                session.scope.frame.added.clear();
                session.dirs = vec![own.to_owned(), String::new()];
                if let Some(dir) = &part.dir {
                    session.enter(Some(&session.argument_of(dir)));
                }
            }
            session.commands(&part.code, part.braces);
        }
        session.around.clear();
        session.rest();
        if let Some(environment) = &environment {
            session.deploy_to(environment);
        }
        session
    }

    /// A text of a task or a step as a word of a command.
    fn argument_of(&self, node: &Node) -> ShellArgument {
        let word = node.as_str().and_then(|it| shell::words(it).into_iter().next());
        self.scope.argument(node, &word.unwrap_or_default())
    }

    /// The place of the command that runs.
    fn here(&self) -> Origin {
        self.at.last().map_or_else(|| Origin::start_of(self.file), |it| Origin::written(*it))
    }

    fn did(&mut self, doing: Doing) {
        let (branch, cluster) = (self.branch.clone(), self.cluster.clone());
        let (at, block) = (self.at.clone(), self.name.clone());
        let read = std::mem::take(&mut self.read);
        self.steps.push(CommandStep { doing, branch, at, cluster, block, read });
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Config,
        finding::Finding,
        pipeline::{analyze, check},
        tests::fixture,
    };

    /// What is found in a repository, but for what upstream has by default and what is expected in a
    /// local cluster: `rule path:line`.
    pub(super) fn findings(files: &str) -> Vec<String> {
        let sources = fixture(files);
        let (_, clusters) = analyze(&sources, &Config::default());
        let shown = |it: Finding| {
            let at = it.labels[0].span;
            format!("{} {}:{}", it.rule, sources[at.file].path, sources.start(at).line)
        };
        let common = ["apiservice-insecure-skip-tls-verify", "moving-version"];
        // Which settings are unknown is told by other tests.
        let is_told = |it: &Finding| !it.local && !it.message.contains(" cannot be told: ");
        let mut found: Vec<String> =
            check(&clusters).into_iter().filter(is_told).map(shown).collect();
        found.retain(|it| !common.iter().any(|rule| it.starts_with(rule)));
        found.sort();
        found
    }

    const HELM: &str = "helm upgrade -i metrics-server metrics-server/metrics-server --version 3.12.2 -n kube-system";

    const INSECURE: &str = "--set args={--kubelet-insecure-tls}";

    const URL: &str = "https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.7.2/components.yaml";

    const PATCH: &str = r#"kubectl patch -n kube-system deploy/metrics-server --type=json -p '[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--kubelet-insecure-tls"}]'"#;

    const NOTHING: [&str; 0] = [];

    #[test]
    fn what_is_added_to_a_file_stays_behind_what_is_there() {
        let cat = |way: &str, text: &str| format!("cat {way} ms.yaml <<EOF\n{text}\nEOF\n");
        let found = |made: &str| {
            findings(&format!("\n//- a.sh\n{made}{HELM} -f ms.yaml\n//- own.yaml\nreplicas: 1\n"))
        };
        let first = cat(">", "args:\n  - --kubelet-insecure-tls");
        let expected = ["kubelet-insecure-tls a.sh:3"];
        let more = "resources: {requests: {memory: 200mb}}";
        let both = ["invalid-quantity a.sh:6", "kubelet-insecure-tls a.sh:3"];
        assert_eq!(found(&(first.clone() + &cat(">>", more))), both);
        for last in [
            "tee -a ms.yaml <<EOF\nreplicas: 1\nEOF\n".to_owned(),
            "echo 'replicas: 1' >> ms.yaml\n".to_owned(),
            "echo -n \"replicas: $N\" >>ms.yaml\n".to_owned(),
            "echo replicas: 1 | tee --append ms.yaml\n".to_owned(),
            "cat own.yaml >> ms.yaml\n".to_owned(),
            "cat ms.yaml own.yaml > a.yaml; cp a.yaml ms.yaml\n".to_owned(),
        ] {
            assert_eq!(found(&(first.clone() + &last)), expected, "{last}");
        }
        let own = format!("cp own.yaml ms.yaml\n{}", cat(">>", more));
        assert_eq!(found(&own), ["invalid-quantity a.sh:3"]);
        let last =
            format!("echo args: > ms.yaml\n{}", "echo '- --kubelet-insecure-tls' >> ms.yaml\n");
        assert_eq!(found(&last), ["kubelet-insecure-tls a.sh:2"]);
        let branches = format!("if x; then\n{first}else\n{}fi\n", cat(">", "replicas: 1"));
        for unknown in [
            format!("{first}date >> ms.yaml\n"),
            format!("{first}if x; then echo 'args: []' >> ms.yaml; fi\n"),
            branches,
        ] {
            let line = unknown.lines().count() + 1;
            assert_eq!(found(&unknown), [format!("unresolved a.sh:{line}")], "{unknown}");
        }
    }

    #[test]
    fn a_short_variable_of_a_document_hides_nothing_but_itself() {
        for name in ["$R", "${REPLICAS}"] {
            let text = format!("replicas: {name}\nargs: [--kubelet-insecure-tls]\nname: '{name}'");
            let script = format!("cat > v.yaml <<EOF\n{text}\nEOF\n{HELM} -f v.yaml");
            let found = findings(&format!("\n//- a.sh\n{script}\n"));
            assert!(found.contains(&"kubelet-insecure-tls a.sh:3".to_owned()), "{found:?}");
        }
    }

    #[test]
    fn what_is_added_to_a_variable_is_passed_too() {
        let helm = HELM.replace("--version 3.12.2", "");
        let array = "A=(--version 3.12.2)\nA+=(-f v.yaml --set replicas=1)\n";
        let own = "A+=(--set 'args={--kubelet-insecure-tls}')\n";
        let files = "//- v.yaml\nresources: {requests: {memory: 200mb}}\n";
        let found = |script: String| findings(&format!("\n//- a.sh\n{script}\n{files}"));
        let both = ["invalid-quantity v.yaml:1", "kubelet-insecure-tls a.sh:3"];
        assert_eq!(found(format!("{array}{own}{helm} \"${{A[@]}}\"")), both);
        // What is added later, or to another one of the name, is not.
        let first = "invalid-quantity v.yaml:1";
        assert_eq!(found(format!("{array}{helm} \"${{A[@]}}\"\n{own}")), [first]);
        let function = format!("f() {{ local A=()\n{own}}}\n");
        assert_eq!(found(format!("{function}{array}f\n{helm} \"${{A[@]}}\"")), [first]);
        let local = format!("f() {{ local A=(--debug)\n{own}{helm} \"${{A[@]}}\"; }}\nf");
        assert_eq!(found(local), ["kubelet-insecure-tls a.sh:2"]);
        let option = "f() { local -a A=(-f v.yaml)\n[ $1 = x ] && A+=(--wait)\n";
        let option = format!("{option}{HELM} \"${{A[@]}}\"; }}\nf x");
        assert_eq!(found(option), ["unresolved a.sh:2"]);
        // What it was before stands before what is added.
        let some = ["kubelet-insecure-tls a.sh:1", "unresolved a.sh:2"];
        assert_eq!(found(format!("{own}{HELM} \"${{A[@]}}\"")), some);
        // Nor is what is set for one command, or something else changes.
        for changed in ["unset F", "read -r F", "printf -v F %s \"$1\"", "F+=' x' helm version"] {
            let text = format!("F='--wait'\nF+=' {INSECURE}'\n{changed}\n{HELM} $F");
            let insecure = found(text).contains(&"kubelet-insecure-tls a.sh:2".to_owned());
            assert_eq!(insecure, changed.starts_with("F+="), "{changed}");
        }
        // What a branch adds may be anything that is passed.
        let branch = format!("{array}if x; then\n{own}fi\n{helm} \"${{A[@]}}\"");
        assert_eq!(found(branch), ["unresolved a.sh:4"]);
        let text = format!("F='-f v.yaml'\nF+=' {INSECURE}'\n{HELM} $F");
        assert_eq!(found(text), ["invalid-quantity v.yaml:1", "kubelet-insecure-tls a.sh:2"]);
        assert_eq!(found(format!("F+=' {INSECURE}'\n{HELM} $F")), some);
        // Without brackets a list is its first word.
        for (items, is_all) in [("$A", false), ("\"$A\"", false), ("${A[*]}", true)] {
            let text = format!("A=(--wait)\nA+=({INSECURE})\n{HELM} {items}");
            assert_eq!(found(text).is_empty(), !is_all, "{items}");
            let text = format!("A=(--wait {INSECURE})\n{HELM} {items}");
            assert_eq!(found(text).is_empty(), !is_all, "{items}");
        }
        let make = format!("F := -f v.yaml\nF += {INSECURE}\nms:\n\t{HELM} $(F)");
        let found = findings(&format!("\n//- Makefile\n{make}\n{files}"));
        assert_eq!(found, ["invalid-quantity v.yaml:1", "kubelet-insecure-tls Makefile:2"]);
    }

    #[test]
    fn what_a_subshell_sets_is_gone_behind_it() {
        let found = |script: &str| findings(&format!("\n//- a.sh\n{script}\n"));
        let added = format!("E=--wait\nE+=' {INSECURE}'");
        assert_eq!(found(&format!("{added}\n{HELM} $E")), ["kubelet-insecure-tls a.sh:2"]);
        let inside = format!("E=--wait\n( E+=' {INSECURE}' )\n{HELM} $E");
        assert_eq!(found(&inside), NOTHING);
        let values = "//- sub/v.yaml\nargs: [--kubelet-insecure-tls]\n";
        let there = found(&format!("( cd sub; {HELM} -f v.yaml )\n{values}"));
        assert_eq!(there, ["kubelet-insecure-tls sub/v.yaml:1"]);
        let back =
            format!("( cd sub; helm version )\n{HELM} -f v.yaml\n//- v.yaml\nreplicas: two\n");
        assert_eq!(found(&back), ["wrong-value-type v.yaml:1"]);
        // What it prints is what the next one reads.
        let template = HELM.replace("upgrade -i", "template");
        let piped = found(&format!("({template} {INSECURE}) | kubectl apply -f -"));
        assert_eq!(piped, ["kubelet-insecure-tls a.sh:1"]);
    }

    #[test]
    fn what_runs_apart_changes_no_variable() {
        let found = |changes: &str| {
            let function = format!("f() {{ E+=' {INSECURE}'; }}\nE=--wait");
            findings(&format!(
                "\n//- a.sh\n{function}\n{changes}\n{HELM} $E\n//- a.env\nE={INSECURE}\n"
            ))
        };
        for changes in ["f", "{ f; }", "true && f", "f > log"] {
            assert_eq!(found(changes), ["kubelet-insecure-tls a.sh:1"], "{changes}");
        }
        for apart in [
            "f | cat",
            "true | f",
            "{ f; } | cat",
            "{ true; f; } 2>&1 | tee log",
            "for i in a; do f; done | cat",
            "f &",
            "true && f &",
            "{ f; } &",
            "(((f)))",
            "(f; cd x) && true",
        ] {
            assert_eq!(found(apart), NOTHING, "{apart}");
        }
        // What is set nowhere else may be anything.
        let alone = |text: &str| {
            let script = format!("\n//- a.sh\n{text}\n{HELM} $E\n//- a.env\nE='{INSECURE}'\n");
            findings(&script)
        };
        assert_eq!(alone(". ./a.env"), ["kubelet-insecure-tls a.env:1"]);
        for apart in ["(. ./a.env)", ". ./a.env | cat", &format!("(E='{INSECURE}')")] {
            assert_eq!(alone(apart), ["unresolved a.sh:2"], "{apart}");
        }
    }

    #[test]
    fn what_stands_behind_a_command_that_leaves_may_not_run() {
        let write = "echo 'args: [--kubelet-insecure-tls]' >> v.yaml";
        let found = |script: &str| {
            findings(&format!(
                "\n//- a.sh\necho 'replicas: 1' > v.yaml\n{script}\n{HELM} -f v.yaml\n"
            ))
        };
        for sure in [
            write.to_owned(),
            format!("f() {{ {write}; return; }}; f"),
            format!("command -v helm || exit 1; {write}"),
            format!("if [ x ]; then echo no >&2; exit 1; fi; {write}"),
            format!("[ x ] || {{ echo no; exit 0; }}; {write}"),
            format!("if [ x ]; then exit; fi; {write}"),
            format!("make x && {write}"),
            format!("f() {{ [ x ] && return; true; }}; f; {write}"),
            format!("(exit); {write}"),
            format!("while true; do break; done; {write}"),
        ] {
            assert_eq!(found(&sure), ["kubelet-insecure-tls a.sh:2"], "{sure}");
        }
        for maybe in [
            format!("! grep x y && {write}"),
            format!("grep -q x y && {write}"),
            format!("(( X > 1 )) && {write}"),
            format!("[ x ] && {{ true; {write}; }}"),
            format!("[ x ] || {{ true; {write}; }}"),
            format!("f() {{ [ x ] || return; {write}; }}; f"),
            format!("f() {{ if [ x ]; then return 0; fi; {write}; }}; f"),
            format!("f() {{ case $1 in a) ;; *) return;; esac; {write}; }}; f"),
            format!("f() {{ [ x ] && {{ true; return; }}; if true; then {write}; fi; }}; f"),
            format!("for i in a b; do [ x ] && continue; {write}; done"),
            format!("([ x ] && exit; {write})"),
        ] {
            let line = maybe.lines().count() + 2;
            assert_eq!(found(&maybe), [format!("unresolved a.sh:{line}")], "{maybe}");
        }
        for never in [
            format!("f() {{ return; {write}; }}; f"),
            format!("f() {{ {{ true; return; }}; {write}; }}; f"),
            format!("(exit 1; {write})"),
            format!("for i in a; do break; {write}; done"),
        ] {
            assert_eq!(found(&never), NOTHING, "{never}");
        }
        let rest = format!("\n//- a.sh\n{HELM}\nexit 0\n{HELM} {INSECURE}\n");
        assert_eq!(findings(&rest), NOTHING);
        // What is patched only if nothing leaves before may be as it was.
        let patch = |leaves: &str| {
            findings(&format!("\n//- a.sh\nkubectl apply -f {URL}\n{leaves}\n{PATCH}\n"))
        };
        assert_eq!(patch("[ x ] || exit 0"), NOTHING);
        assert_eq!(patch("[ x ] || exit 1"), ["kubelet-insecure-tls a.sh:3"]);
    }

    #[test]
    fn a_group_prints_what_its_commands_print() {
        let found = |script: &str| findings(&format!("\n//- a.sh\n{script}\n"));
        let both = "echo 'replicas: 1'; cd .; echo 'args: [--kubelet-insecure-tls]'";
        for group in
            [format!("{{ {both}; }}"), format!("( {both} )"), format!("f() {{ {both}; }}; f")]
        {
            let written = found(&format!("{group} > v.yaml\n{HELM} -f v.yaml"));
            assert_eq!(written, ["kubelet-insecure-tls a.sh:1"], "{group}");
            let piped = found(&format!("{group} | {HELM} -f -"));
            assert_eq!(piped, ["kubelet-insecure-tls a.sh:1"], "{group}");
        }
        for untold in [
            format!("{{ {both}; date; }}"),
            format!("{{ {both}; if x; then echo 'args: []'; fi; }}"),
            format!("for i in a; do {both}; done"),
        ] {
            let written = found(&format!("{untold} > v.yaml\n{HELM} -f v.yaml"));
            assert_eq!(written, ["unresolved a.sh:2"], "{untold}");
        }
        // What goes elsewhere is not printed.
        let other = found(&format!(
            "{{ {both} > w.yaml; echo 'replicas: 1'; }} > v.yaml\n{HELM} -f v.yaml"
        ));
        assert_eq!(other, NOTHING);
    }

    #[test]
    fn a_file_is_where_it_is_written() {
        let write = "echo 'args: [--kubelet-insecure-tls]' > v.yaml";
        let found = |script: &str| {
            findings(&format!(
                "\n//- a.sh\necho 'replicas: 1' > v.yaml\n{script}\n{HELM} -f v.yaml\n//- there/a\n"
            ))
        };
        for here in [
            write.to_owned(),
            format!("cd there; cd ..; {write}"),
            format!("mkdir x; cd x; cd ..; {write}"),
            format!("cd /tmp; cd -; {write}"),
            format!("pushd \"$X\"; popd; {write}"),
            format!("(cd there); {write}"),
            format!("cd x; cd ..; cd y; {write}; cd ..; cp y/v.yaml ."),
            format!("cd there; {write}; mv v.yaml ../; cd .."),
            "cd x; echo 'args: [--kubelet-insecure-tls]' > ../v.yaml; cd ..".to_owned(),
        ] {
            assert_eq!(found(&here), ["kubelet-insecure-tls a.sh:2"], "{here}");
        }
        for elsewhere in [
            format!("(cd there; {write})"),
            format!("(cd nowhere && {write})"),
            format!("(cd \"$X\" && {write})"),
            format!("(cd \"$X\"; cd ../..; {write})"),
            format!("(cd; {write})"),
            format!("pushd x; {write}; popd"),
            format!("cd /tmp; {write}; cd -"),
        ] {
            assert_eq!(found(&elsewhere), NOTHING, "{elsewhere}");
        }
        let away = findings(&format!("\n//- a.sh\ncd \"$X\"\n{write}\n{HELM} -f v.yaml\n"));
        assert_eq!(away, ["kubelet-insecure-tls a.sh:2"]);
    }

    #[test]
    fn what_is_removed_is_gone() {
        let write = "echo 'args: [--kubelet-insecure-tls]' > d/v.yaml";
        let found = |script: &str| {
            findings(&format!("\n//- a.sh\n{write}\n{script}\n{HELM} -f d/v.yaml\n"))
        };
        for kept in
            ["rm -f w.yaml", "rm -rf \"$X\"", "rm d/*.json", "touch d/v.yaml", "chmod 600 d/v.yaml"]
        {
            assert_eq!(found(kept), ["kubelet-insecure-tls a.sh:1"], "{kept}");
        }
        for gone in [
            "rm d/v.yaml",
            "rm -rf ./d",
            "mv d/v.yaml e",
            "rm d/*",
            "[ x ] && rm d/v.yaml",
            ": > d/v.yaml",
        ] {
            assert_eq!(found(gone), ["unresolved a.sh:3"], "{gone}");
        }
        assert_eq!(found("rm d/v.yaml; echo 'replicas: 1' >> d/v.yaml"), NOTHING);
    }

    #[test]
    fn what_may_be_written_is_not_known() {
        let args = "echo 'args: [--kubelet-insecure-tls]'";
        let found = |script: &str| findings(&format!("\n//- a.sh\n{script}\n"));
        let branch = format!("if x; then {args} > v.yaml; fi\n{HELM} -f v.yaml");
        assert_eq!(found(&branch), ["unresolved a.sh:2"]);
        let inside = format!("if x; then {args} > v.yaml; {HELM} -f v.yaml; fi");
        assert_eq!(found(&inside), ["kubelet-insecure-tls a.sh:1"]);
        // What is added to a file that may be there is known, but not what else is in it.
        let added = format!("{args} >> v.yaml\n{HELM} -f v.yaml");
        assert_eq!(found(&added), ["kubelet-insecure-tls a.sh:1", "unresolved a.sh:2"]);
        let defaults = |file: &str| {
            let sources = fixture(&format!("\n//- a.sh\n{args} {file}\n{HELM} -f v.yaml\n"));
            let (_, clusters) = analyze(&sources, &Config::default());
            clusters[0].metrics_servers[0].replicas.value().copied()
        };
        assert_eq!(defaults("> v.yaml"), Some(1));
        assert_eq!(defaults(">> v.yaml"), None);
        let below = format!("echo '  - --kubelet-insecure-tls' >> v.yaml\n{HELM} -f v.yaml");
        assert_eq!(found(&below), ["unresolved a.sh:2"]);
    }

    #[test]
    fn a_step_with_a_condition_may_not_run() {
        let found = |steps: &[&str]| {
            let steps = steps.join("\n    - ");
            findings(&format!(
                "\n//- .github/workflows/a.yaml\njobs:\n  up:\n    steps:\n    - {steps}\n    - run: {HELM} -f w.yaml\n"
            ))
        };
        let plain = "run: 'echo replicas: 2 > w.yaml'";
        let written = "run: 'echo \"args: [--kubelet-insecure-tls]\" > w.yaml'";
        let under = |condition: &str| format!("{{if: \"{condition}\", {written}}}");
        assert_eq!(found(&[plain, written]), ["kubelet-insecure-tls .github/workflows/a.yaml:5"]);
        for condition in ["github.ref == 'refs/heads/x'", "failure()"] {
            let may = found(&[plain, &under(condition)]);
            assert_eq!(may, ["unresolved .github/workflows/a.yaml:6"], "{condition}");
        }
        // One that always holds, or holds where nothing failed, is none.
        for condition in ["always()", "success()"] {
            let runs = found(&[plain, &under(condition)]);
            assert_eq!(runs, ["kubelet-insecure-tls .github/workflows/a.yaml:5"], "{condition}");
        }
    }

    #[test]
    fn what_else_is_passed_may_name_the_version() {
        let helm = HELM.replace("--version 3.12.2", "");
        let moves = |rest: &str| {
            let sources = fixture(&format!("\n//- a.sh\n{helm} {rest}\n"));
            let (_, clusters) = analyze(&sources, &Config::default());
            check(&clusters).iter().any(|it| it.rule == "moving-version")
        };
        assert!(moves(""));
        for rest in ["$OPTS", "\"$@\"", "\"${OPTS[@]}\"", "--wait ${OPTS}"] {
            assert!(!moves(rest), "{rest}");
        }
    }

    #[test]
    fn what_stands_behind_options_that_nobody_can_tell_overrides_them() {
        let found = |options: &str| {
            findings(&format!("\n//- a.sh\n{HELM} {options}\n//- v.yaml\nreplicas: two\n"))
        };
        let (note, refused) = ("unresolved a.sh:1", "wrong-value-type a.sh:1");
        for known in [
            "$A --set replicas=two",
            "-f v.yaml --set replicas=1 $A --set-string replicas=two",
            "\"$@\" --set image.tag=$A --set replicas=two",
            "$A --set replicas=two -f v.yaml",
        ] {
            assert_eq!(found(known), [note, refused], "{known}");
        }
        for unknown in [
            "--set replicas=two $A",
            "-f v.yaml $A",
            "$A -f v.yaml",
            "$A --set-json replicas=\\\"two\\\"",
            "$A --set replicas=two \"$@\"",
            // What stands before it in the list.
            "$A --set args[1]=--kubelet-insecure-tls",
            // `--set-string` is read after `--set`, wherever it stands.
            "--set-string replicas=1 $A --set replicas=two",
        ] {
            assert_eq!(found(unknown), [note], "{unknown}");
        }
    }

    #[test]
    fn a_job_of_circleci_runs_in_its_directory() {
        let found = |at: &str| {
            findings(&format!(
                "\n//- .circleci/config.yml\njobs:\n  up:\n    working_directory: {at}\n    steps:\n      - run: {HELM} -f v.yaml\n\
                 //- sub/v.yaml\nreplicas: two\n//- v.yaml\nreplicas: 1\n"
            ))
        };
        assert_eq!(found("sub"), ["wrong-value-type sub/v.yaml:1"]);
        assert_eq!(found("."), NOTHING);
    }

    #[test]
    fn a_file_that_is_not_there_may_set_what_is_set_before() {
        let found = |script: &str| {
            findings(&format!("\n//- a.sh\n{script}\n{HELM} --set replicas=$R\n//- b.env\nS=1\n"))
        };
        let refused = |line: usize| [format!("wrong-value-type a.sh:{line}")];
        for source in
            ["source b.env", "source ~/.bashrc", ". \"$HOME/.env\"", ". venv/bin/activate"]
        {
            assert_eq!(found(&format!("R=two\n{source}")), refused(1), "{source}");
        }
        for source in ["source .env", ". ./envs/$ENV.env", "[ -f \"$FILE\" ] && source \"$FILE\" x"]
        {
            assert_eq!(found(&format!("R=two\n{source}")), NOTHING, "{source}");
            assert_eq!(found(&format!("{source}\nR=two")), refused(2), "{source}");
        }
    }

    #[test]
    fn each_cluster_that_commands_name_is_an_environment() {
        let files = "//- lab.yaml\nargs: [--kubelet-insecure-tls]\n//- prod.yaml\nreplicas: 2\n";
        let names = |script: &str| {
            let sources = fixture(&format!("\n//- a.sh\n{script}\n{files}"));
            let (_, clusters) = analyze(&sources, &Config::default());
            let found = check(&clusters);
            assert!(found.iter().any(|it| it.rule == "kubelet-insecure-tls"), "{script}");
            clusters.into_iter().map(|it| it.environment).collect::<Vec<String>>()
        };
        let both = ["a.sh (lab)", "a.sh (prod)"];
        let up = |it: &str| format!("{HELM} -f {it}.yaml");
        let each = |it: fn(&str, &str) -> String| {
            ["lab", "prod"].map(|name| it(name, &format!("{HELM} -f {name}.yaml"))).join("\n")
        };
        for script in [
            each(|name, up| format!("{up} --kube-context {name}")),
            each(|name, up| format!("kubectl config use-context {name}\n{up}")),
            each(|name, up| format!("aws eks update-kubeconfig --region x --name {name}\n{up}")),
            each(|name, up| format!("KUBECONFIG={name} {up}")),
            each(|name, up| format!("export KUBECONFIG={name}\n{up}")),
            each(|name, up| format!("export KUBECONFIG={name} HOME\n{up}")),
            each(|name, up| {
                format!(
                    "{} | kubectl apply --context={name} -f -",
                    up.replace("upgrade -i", "template")
                )
            }),
            format!(
                "up() {{ local e=$1; {HELM} --kube-context \"$e\" -f $e.yaml; }}\nup lab\nup prod"
            ),
            format!("for e in lab prod; do {HELM} --kube-context $e -f $e.yaml; done"),
        ] {
            assert_eq!(names(&script), both, "{script}");
        }
        // One is what all is for, whatever it is called.
        assert_eq!(names(&format!("kubectl config use-context x\n{}", up("lab"))), ["a.sh"]);
        // An installation is that of the last command for the same.
        assert_eq!(names(&format!("{}\n{}", up("prod"), up("lab"))), ["a.sh"]);
        // What a named cluster has, too, is of another one.
        let beside = |it: &str| format!("{}\n{} --kube-context prod", up("lab"), up(it));
        assert_eq!(names(&beside("prod")), ["a.sh", "a.sh (prod)"]);
        let other = "helm upgrade -i x a/x --kube-context prod";
        assert_eq!(names(&format!("{}\n{other}", up("lab"))), ["a.sh"]);
    }

    #[test]
    fn a_job_has_what_it_extends_and_nothing_of_others() {
        let memory = "--kube-context $C --set resources.limits.memory=${M:-300Mi}";
        let gitlab = format!(
            "\n//- .gitlab-ci.yml\n.up:\n  variables: {{M: 400Mi}}\n  script: ['{HELM} {memory}']\n\
            a:\n  extends: .up\n  variables: {{C: a, M: 100Mi}}\nb:\n  extends: [.up]\n  variables: {{C: b}}\n"
        );
        assert_eq!(findings(&gitlab), ["limit-below-request .gitlab-ci.yml:6"]);
        let environments = |text: &str| {
            let sources = fixture(text);
            let (_, clusters) = analyze(&sources, &Config::default());
            let memory = |it: crate::model::Cluster| {
                let limit =
                    it.metrics_servers[0].memory_limit.value().map_or(0, |it| it.bytes >> 20);
                format!("{} {limit}Mi", it.environment)
            };
            clusters.into_iter().map(memory).collect::<Vec<String>>()
        };
        assert_eq!(environments(&gitlab), [".gitlab-ci.yml (a) 100Mi", ".gitlab-ci.yml (b) 400Mi"]);
        let job = |name: &str, env: &str| {
            format!(
                "  {name}:\n    env: {{C: {name}{env}}}\n    steps: [{{run: '{HELM} {memory}'}}]\n"
            )
        };
        let path = ".github/workflows/up.yaml";
        let github = format!("\n//- {path}\njobs:\n{}{}", job("a", ", M: 100Mi"), job("b", ""));
        let expected = [format!("{path} (a) 100Mi"), format!("{path} (b) 300Mi")];
        assert_eq!(environments(&github), expected);
        let matrix = format!(
            "\n//- {path}\njobs:\n  up:\n    strategy: {{matrix: {{include: [{{c: a, m: 100Mi}}, {{c: b, m: 300Mi}}]}}}}\n    \
            steps: [{{run: '{HELM} --kube-context ${{{{ matrix.c }}}} --set resources.limits.memory=${{{{ matrix.m }}}}'}}]\n"
        );
        assert_eq!(environments(&matrix), expected);
        let dir = format!(
            "\n//- {path}\njobs:\n  up:\n    strategy: {{matrix: {{c: [a]}}}}\n    \
            steps: [{{run: '{HELM} -f v.yaml', working-directory: 'x/${{{{ matrix.c }}}}'}}]\n\
            //- x/a/v.yaml\nresources: {{limits: {{memory: 100Mi}}}}\n"
        );
        assert_eq!(environments(&dir), [format!("{path} 100Mi")]);
        let each = format!(
            "\n//- .gitlab-ci.yml\nup:\n  parallel: {{matrix: [{{C: [a, b], M: [100Mi, 400Mi]}}]}}\n  script: ['{HELM} --kube-context $C {memory}']\n"
        );
        assert_eq!(
            environments(&each),
            [
                ".gitlab-ci.yml (a, 100Mi) 100Mi",
                ".gitlab-ci.yml (a, 400Mi) 400Mi",
                ".gitlab-ci.yml (b, 100Mi) 100Mi",
                ".gitlab-ci.yml (b, 400Mi) 400Mi",
            ]
        );
        let job = "extends: .m\n  ";
        let extended =
            each.replace("up:", ".m:").replace("  script", &format!("up:\n  {job}script"));
        assert_eq!(environments(&extended), environments(&each));
        let named = format!(
            "\n//- {path}\njobs:\n  x: {{environment: a, env: {{C: r, M: 100Mi}}, steps: [{{run: '{HELM} {memory}'}}]}}\n  \
            y: {{environment: {{name: b}}, env: {{C: s, M: 300Mi}}, steps: [{{run: '{HELM} {memory}'}}]}}\n"
        );
        assert_eq!(environments(&named), expected);
        let parallel = format!(
            "\n//- .gitlab-ci.yml\nup:\n  parallel: {{matrix: [{{C: a, M: 100Mi}}, {{C: b, M: [400Mi]}}]}}\n  script: ['{HELM} {memory}']\n"
        );
        assert_eq!(environments(&parallel), environments(&gitlab));
    }

    #[test]
    fn a_recipe_has_its_own_parameters() {
        let set = "--set resources.limits.memory={{ m }}";
        for header in ["ms m:", "ms c +m='100Mi': x", "@ms c=\"a b\" $m=m:"] {
            let just = format!("\n//- justfile\nm := \"100Mi\"\n{header}\n    {HELM} {set}\n");
            assert_eq!(findings(&just), NOTHING, "{header}");
        }
        let just = format!("\n//- justfile\nm := \"100Mi\"\nms c: m\n    {HELM} {set}\n");
        assert_eq!(findings(&just), ["limit-below-request justfile:1"]);
    }

    #[test]
    fn what_stands_behind_a_test_may_not_be_done() {
        let set = "--set resources.limits.memory=$M";
        for test in ["[ -n \"$1\" ]", "[[ $1 = lab ]]", "test $1"] {
            assert_eq!(
                findings(&format!("\n//- a.sh\n{test} && M=100Mi\n{HELM} {set}\n")),
                NOTHING
            );
        }
        let sure = format!("\n//- a.sh\ncd . && M=100Mi\n{HELM} {set}\n");
        assert_eq!(findings(&sure), ["limit-below-request a.sh:1"]);
    }

    #[test]
    fn what_a_loop_sources_is_of_its_item() {
        let files = "//- a.env\nM=100Mi\n//- b.env\nM=300Mi\n";
        let set = "--set resources.limits.memory=$M";
        let found = |script: String| findings(&format!("\n//- up.sh\n{script}\n{files}"));
        let body = format!("source \"./$c.env\"; {HELM} {set}");
        assert_eq!(
            found(format!("for c in a b; do {body}; done")),
            ["limit-below-request a.env:1"]
        );
        let function = format!("up() {{ c=$1; {body} --kube-context $c; }}\nup a; up b");
        assert_eq!(found(function), ["limit-below-request a.env:1"]);
        // What a branch takes in is that only there, unless it is the only one that there is.
        let sourced = |it: &str| format!("c={it}; source \"./$c.env\"");
        let both = format!("if x; then {}; else {}; fi\n{HELM} {set}", sourced("b"), sourced("a"));
        assert_eq!(found(both), NOTHING);
        let one = format!("[ -f a.env ] && source ./a.env\n{HELM} {set}");
        assert_eq!(found(one), ["limit-below-request a.env:1"]);
        // What is set again after it is not what it says.
        assert_eq!(found(format!("source ./a.env\nM=300Mi\n{HELM} {set}")), NOTHING);
        assert_eq!(found(format!("source ./a.env\nif x; then M=300Mi; fi\n{HELM} {set}")), NOTHING);
    }

    #[test]
    fn a_variable_of_a_task_is_filled_in() {
        let task = format!(
            "\n//- Taskfile.yaml\ntasks:\n  up:\n    vars: {{V: 'values/{{{{ .CLUSTER }}}}.yaml'}}\n    cmds:\n    - {HELM} -f {{{{ .V }}}}\n"
        );
        let values = "//- values/lab.yaml\nargs: [--kubelet-insecure-tls]\n";
        assert_eq!(
            findings(&format!("{task}{values}")),
            ["kubelet-insecure-tls values/lab.yaml:1"]
        );
        assert_eq!(findings(&task), ["unresolved Taskfile.yaml:3"]);
    }

    #[test]
    fn what_a_script_reads_in_is_not_the_name_of_the_variable() {
        let reads = [
            "read -p 'Memory: ' mem",
            "read -r name mem",
            "read mem other third",
            "IFS=, read -r name mem",
        ];
        for read in reads {
            let script = format!(
                "//- install.sh\n{read}\n{HELM} --set resources.limits.memory=$mem {INSECURE}\n"
            );
            assert_eq!(findings(&script), ["kubelet-insecure-tls install.sh:2"], "{read}");
        }
        // What a loop over one word sets is known.
        let small = format!(
            "//- install.sh\nfor mem in mem; do\n{HELM} --set resources.limits.memory=$mem\ndone\n"
        );
        assert_eq!(findings(&small), ["invalid-quantity install.sh:1"]);
    }

    #[test]
    fn a_release_has_the_chart_the_version_and_the_values_of_its_command() {
        let found = findings(
            r#"
            //- up/bootstrap.sh
            SCRIPT_DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
            VERSION=3.12.2
            args=(--namespace kube-system --version "${VERSION}")
            helm repo add ms https://kubernetes-sigs.github.io/metrics-server/
            helm upgrade --install metrics-server ms/metrics-server "${args[@]}" \
              -f "$SCRIPT_DIR/values/ms.yaml" \
              --set 'args={--kubelet-insecure-tls,--metric-resolution=5s}'
            //- up/values/ms.yaml
            args: [--this-is-replaced]
            resources: {requests: {memory: 200mb}}
            "#,
        );
        assert_eq!(
            found,
            [
                "invalid-quantity up/values/ms.yaml:2",
                "kubelet-insecure-tls up/bootstrap.sh:7",
                "metric-resolution-too-small up/bootstrap.sh:7",
            ]
        );
    }

    #[test]
    fn commands_are_found_wherever_they_stand() {
        let helm = format!("{HELM} {INSECURE}");
        for (path, text, line) in [
            ("Makefile", format!("V := 1\nms: x\n\t@{helm}\n"), 3),
            ("justfile", format!("ms ns=\"x\":\n    @{helm}\n"), 2),
            ("Taskfile.yml", format!("tasks:\n  ms:\n    cmds:\n    - cmd: {helm}\n"), 4),
            (
                ".github/workflows/up.yml",
                format!("jobs:\n  a:\n    steps:\n    - run: |\n        x\n        {helm}\n"),
                6,
            ),
            (".github/actions/up/action.yml", format!("runs:\n  steps:\n  - run: {helm}\n"), 3),
            (".gitlab-ci.yml", format!("up:\n  script:\n  - {helm}\n"), 3),
            ("azure-pipelines.yml", format!("steps:\n- bash: |\n    {helm}\n"), 3),
            ("Jenkinsfile", format!("node {{\n  sh '''\n  {helm}\n  '''\n}}\n"), 3),
            ("mise.toml", format!("[tasks.ms]\nrun = \"{helm}\"\n"), 2),
            (
                "main.tf",
                format!(
                    "resource x y {{\n  provisioner z {{\n    command = \"{helm}\"\n  }}\n}}\n"
                ),
                3,
            ),
            ("cloud-init.yaml", format!("#cloud-config\nruncmd:\n- {helm}\n"), 3),
            ("bin/up", format!("#!/bin/sh\n{helm}\n"), 2),
            ("package.json", format!("{{\"scripts\": {{\n\"ms\": \"{helm}\"}}}}\n"), 2),
            (
                ".circleci/config.yml",
                format!(
                    "jobs: {{a: {{steps: [up]}}}}\ncommands: {{up: {{steps: [{{run: \"{helm}\"}}]}}}}\n"
                ),
                2,
            ),
        ] {
            let found = findings(&format!("\n//- {path}\n{text}"));
            assert_eq!(found, [format!("kubelet-insecure-tls {path}:{line}")], "{text}");
        }
    }

    #[test]
    fn what_a_build_file_sets_is_filled_in() {
        let found = findings(
            "
            //- Makefile
            CHART_VERSION ?= 3.12.2
            FLAGS := --set args={--kubelet-insecure-tls} --set replicas=1
            ms:
            	helm upgrade --install metrics-server metrics-server/metrics-server \\
            		--version $(CHART_VERSION) -n kube-system $(FLAGS)
            ",
        );
        assert_eq!(found, ["kubelet-insecure-tls Makefile:2"]);
    }

    #[test]
    fn items_of_a_script_share_a_shell() {
        let values = "//- deploy/v.yaml\nargs: [--kubelet-insecure-tls]\n";
        let found = |path: &str, text: &str| findings(&format!("\n//- {path}\n{text}\n{values}"));
        let insecure = ["kubelet-insecure-tls deploy/v.yaml:1"];
        for (path, text) in [
            (".gitlab-ci.yml", format!("a:\n  script:\n    - cd deploy\n    - {HELM} -f v.yaml")),
            (
                ".gitlab-ci.yml",
                format!("a:\n  before_script: [cd deploy]\n  script:\n    - {HELM} -f v.yaml"),
            ),
            (
                ".woodpecker.yml",
                format!("steps:\n- name: a\n  commands:\n    - cd deploy\n    - {HELM} -f v.yaml"),
            ),
        ] {
            assert_eq!(found(path, &text), insecure, "{text}");
        }
        let last = format!("a:\n  script: [cd deploy]\n  after_script:\n    - {HELM} -f v.yaml");
        assert!(found(".gitlab-ci.yml", &last).contains(&"unresolved .gitlab-ci.yml:4".to_owned()));
        let task = format!(
            "version: 3\ntasks:\n  a:\n    cmds:\n      - cd deploy\n      - {HELM} -f v.yaml"
        );
        assert!(found("Taskfile.yml", &task).contains(&"unresolved Taskfile.yml:6".to_owned()));
    }

    #[test]
    fn what_is_copied_with_others_is_in_the_directory() {
        let values = "//- v.yaml\nargs: [--kubelet-insecure-tls]\n//- out/v.yaml\nreplicas: two\n";
        let found = |copy: &str| {
            findings(&format!(
                "\n//- a.sh\n{copy}\n{HELM} -f out/v.yaml\n{values}//- w.yaml\na: b\n"
            ))
        };
        for copy in ["cp v.yaml w.yaml out/", "cp w.yaml v.yaml out", "cp -t out v.yaml"] {
            assert_eq!(found(copy), ["kubelet-insecure-tls v.yaml:1"], "{copy}");
        }
        let other = found("cp v.yaml elsewhere");
        assert!(other.contains(&"wrong-value-type out/v.yaml:1".to_owned()), "{other:?}");
    }

    #[test]
    fn programs_may_be_paths_and_variables() {
        for (set, program) in [
            ("HELM ?= $(TOOLS)/helm", "@$(HELM)"),
            ("TOOLS := $(shell pwd)/bin", "$(TOOLS)/helm"),
            ("", "$(HELM)"),
            ("", "${HELM_BIN}"),
            ("", "./bin/helm"),
        ] {
            let helm = HELM.replacen("helm", program, 1);
            let found = findings(&format!("\n//- Makefile\n{set}\nms:\n\t{helm} {INSECURE}\n"));
            assert_eq!(found, ["kubelet-insecure-tls Makefile:3"], "{set} {program}");
        }
        for program in ["$(RUN)", "$(HELM_DIFF)", "$(HELMFILE)", "$(TOOLS)/$(X)"] {
            let helm = HELM.replacen("helm", program, 1);
            let found = findings(&format!("\n//- Makefile\nms:\n\t{helm} {INSECURE}\n"));
            assert_eq!(found, NOTHING, "{program}");
        }
    }

    #[test]
    fn a_patch_changes_what_the_script_applied() {
        for apply in [
            format!("kubectl apply -f {URL}"),
            "kubectl apply -k 'https://github.com/kubernetes-sigs/metrics-server//manifests/overlays/release?ref=v0.7.2'".to_owned(),
            format!("curl -sL {URL} | kubectl apply -f -"),
            format!("wget -q {URL} && kubectl apply -f components.yaml"),
            HELM.to_owned(),
            format!("{HELM} | kubectl apply -f -").replace("upgrade -i", "template"),
        ] {
            let found = findings(&format!("\n//- a.sh\n{apply}\n{PATCH}\n"));
            assert_eq!(found, ["kubelet-insecure-tls a.sh:2"], "{apply}");
            let found = findings(&format!("\n//- a.sh\n{apply}\nif x; then {PATCH}; fi\n"));
            assert_eq!(found, NOTHING, "{apply}");
        }
        // A list of operations may be YAML.
        let bare = PATCH.replace("\"--kubelet-insecure-tls\"", " --kubelet-insecure-tls");
        let found = findings(&format!("\n//- a.sh\nkubectl apply -f {URL}\n{bare}\n"));
        assert_eq!(found, ["kubelet-insecure-tls a.sh:2"]);
        let patch = "kubectl -n kube-system patch deployment metrics-server --patch '
spec: {template: {spec: {containers: [{name: metrics-server, resources: {requests: {memory: 1mb}}}]}}}'";
        let found = findings(&format!("\n//- a.sh\nkubectl apply -f {URL}\n{patch}\n"));
        assert_eq!(found, ["invalid-quantity a.sh:3"]);
    }

    #[test]
    fn a_patch_may_be_a_here_document_in_a_word() {
        let patched = |patch: &str| {
            let command = "kubectl patch -n kube-system deploy/metrics-server --type=json";
            findings(&format!("\n//- a.sh\nkubectl apply -f {URL}\n{command} {patch}\n"))
        };
        let operation = "- op: add\n  path: /spec/template/spec/containers/0/args/-\n  value: --kubelet-insecure-tls";
        for end in ["'EOF'", "EOF"] {
            let patch = format!("--patch \"$(cat <<{end}\n{operation}\nEOF\n)\"");
            assert_eq!(patched(&patch), ["kubelet-insecure-tls a.sh:5"], "{end}");
        }
        for unknown in ["-p \"$PATCH\"", "-p \"$(cat patch.json)\"", "--patch-file gone.json"] {
            assert_eq!(patched(unknown), ["unresolved a.sh:2"], "{unknown}");
        }
    }

    #[test]
    fn values_may_be_what_a_command_reads() {
        let insecure = "args: [--kubelet-insecure-tls]";
        let found = |script: &str| findings(&format!("\n//- a.sh\n{script}\n"));
        let document = format!("{HELM} --values - <<EOF\n{insecure}\nEOF");
        assert_eq!(found(&document), ["kubelet-insecure-tls a.sh:2"]);
        assert_eq!(found(&format!("make-values | {HELM} -f -")), ["unresolved a.sh:1"]);
        let piped = format!("cat v.yaml | {HELM} -f -\n//- v.yaml\n{insecure}");
        assert_eq!(found(&piped), ["kubelet-insecure-tls v.yaml:1"]);
    }

    #[test]
    fn a_patch_takes_the_manifest_that_the_script_applies() {
        let manifest = "apiVersion: apps/v1\nkind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec: {template: {spec: {containers: [{name: metrics-server, args: [--cert-dir=/tmp],
  image: 'registry.k8s.io/metrics-server/metrics-server:v0.7.2'}]}}}\n";
        let files =
            format!("\n//- x/ms.yaml\n{manifest}//- x/up.sh\nkubectl apply -f ms.yaml\n{PATCH}\n");
        let found = findings(&files);
        let first = found.iter().filter(|it| it.starts_with("kubelet-insecure-tls"));
        assert_eq!(first.collect::<Vec<_>>(), ["kubelet-insecure-tls x/up.sh:2"]);
    }

    #[test]
    fn what_differs_between_branches_is_unknown() {
        let found = |script: String| findings(&format!("\n//- a.sh\n{script}\n"));
        let insecure = format!("{HELM} {INSECURE}");
        assert_eq!(found(format!("if x; then\n{insecure}\nelse\n{HELM}\nfi")), NOTHING);
        assert_eq!(found(format!("{insecure} || {HELM}")), NOTHING);
        let once = found(format!("if x; then\n{insecure}\nfi"));
        assert_eq!(once, ["kubelet-insecure-tls a.sh:2"]);
        assert_eq!(found(format!("{insecure}\n{HELM}")), NOTHING, "the last one counts");
        assert_eq!(found(format!("{insecure} $MORE")), ["unresolved a.sh:1"]);
    }

    #[test]
    fn what_a_here_document_holds_is_read() {
        let script = format!(
            "cat > /tmp/v.yaml <<EOF\nargs: [--kubelet-insecure-tls]\nreplicas: ${{N}}\nEOF\n{HELM} -f /tmp/v.yaml"
        );
        let found = findings(&format!("\n//- a.sh\n{script}\n"));
        assert_eq!(found, ["kubelet-insecure-tls a.sh:2"]);
    }

    #[test]
    fn a_cluster_that_the_commands_start_is_local() {
        let found = |start: &str| findings(&format!("\n//- dev.sh\n{start}\n{HELM} {INSECURE}\n"));
        for start in ["kind create cluster --name x", "minikube start", "k3d cluster create dev"] {
            assert_eq!(found(start), NOTHING, "{start}");
        }
        for start in ["kind create cluster", "x"] {
            let tasks = format!("  up: {{cmds: [{start}]}}\n  ms: {{cmds: ['{HELM} {INSECURE}']}}");
            let found = findings(&format!("\n//- Taskfile.yml\ntasks:\n{tasks}\n"));
            assert_eq!(found.is_empty(), start != "x", "the tasks of a file share the cluster");
        }
        assert_eq!(found("echo kind create cluster"), ["kubelet-insecure-tls dev.sh:2"]);
        let path = ".github/workflows/up.yaml";
        let job = |uses: &str| {
            let steps = format!("    - uses: {uses}\n    - run: {HELM} {INSECURE}");
            findings(&format!("\n//- {path}\njobs:\n  a:\n    steps:\n{steps}\n"))
        };
        assert_eq!(job("helm/kind-action@v1"), NOTHING);
        assert_eq!(job("azure/setup-kubectl@v4"), [format!("kubelet-insecure-tls {path}:5")]);
    }

    #[test]
    fn each_values_file_that_a_name_may_mean_is_an_environment() {
        let values = "args: [--kubelet-insecure-tls]";
        let expected = |path: &str| [format!("kubelet-insecure-tls {path}:1")];
        let files =
            |dev: &str, prod: &str| format!("//- {dev}\n{values}\n//- {prod}\nreplicas: 1\n");
        for (path, text) in [
            ("deploy/up.sh", format!("{HELM} -f \"values-$1.yaml\"\n")),
            ("deploy/up.sh", format!("E=${{1:-prod}}\nf() {{ {HELM} -f values-$E.yaml; }}; f\n")),
            (
                "deploy/up.sh",
                format!("for e in prod dev; do {HELM} --values=values-$e.yaml; done\n"),
            ),
            (
                "deploy/up.sh",
                format!("case $1 in a) E=dev;; b) E=prod;; esac\n{HELM} -f values-$E.yaml\n"),
            ),
            ("deploy/Makefile", format!("E ?= prod\nup:\n\t{HELM} -f values-$(E).yaml\n")),
            ("deploy/justfile", format!("up e=\"prod\":\n  {HELM} -f values-{{{{e}}}}.yaml\n")),
            (".gitlab-ci.yml", format!("up:\n  script:\n  - {HELM} -f deploy/values-$E.yaml\n")),
            (
                "deploy/site.yml",
                "- name: x\n  kubernetes.core.helm: {name: metrics-server, chart_version: 3.12.2,\n    release_namespace: kube-system, chart_ref: metrics-server/metrics-server,\n    values_files: ['values-{{ e }}.yaml']}\n".to_owned(),
            ),
        ] {
            let files = files("deploy/values-dev.yaml", "deploy/values-prod.yaml");
            let found = findings(&format!("\n//- {path}\n{text}{files}"));
            assert_eq!(found, expected("deploy/values-dev.yaml"), "{text}");
        }
        let script = format!("\n//- up.sh\n{HELM} -f $CLUSTER/ms.yaml -f $CLUSTER/extra.yaml\n");
        let files = files("dev/ms.yaml", "prod/ms.yaml");
        let found = findings(&format!("{script}{files}//- dev/extra.yaml\nargs: []\n"));
        assert_eq!(found, ["unresolved up.sh:1"], "it is not there for one of them");
    }

    #[test]
    fn a_job_has_its_own_variables() {
        let job = |it: &str| {
            format!("{it}:\n  variables: {{F: {it}.yaml, OUT: $F}}\n  script: ['{HELM} -f $OUT']\n")
        };
        let files = "//- dev.yaml\nargs: [--kubelet-insecure-tls]\n//- prod.yaml\nreplicas: 1\n";
        let jobs = format!("\n//- .gitlab-ci.yml\n{}{}{files}", job("dev"), job("prod"));
        assert_eq!(findings(&jobs), ["kubelet-insecure-tls dev.yaml:1"]);
    }

    #[test]
    fn what_a_name_may_mean_is_not_any_file() {
        let values = "//- other/values.yaml\nargs: [--kubelet-insecure-tls]\n";
        let found = findings(&format!("\n//- up.sh\n{HELM} -f $DIR/values.yaml\n{values}"));
        assert_eq!(found, ["kubelet-insecure-tls other/values.yaml:1", "unresolved up.sh:1"]);
        let chart =
            "//- charts/prod/Chart.yaml\nname: x\n//- charts/prod/values.yaml\nargs: [--x]\n";
        let found = findings(&format!("\n//- up.sh\n{HELM} -f charts/$ENV/values.yaml\n{chart}"));
        assert_eq!(found, ["unresolved up.sh:1"]);
    }

    #[test]
    fn a_function_installs_what_it_is_called_with() {
        let function = "up() { local name=$1 version=\"$2\"; shift 2; helm upgrade -i $name metrics-server/$name \
            --version $version -n kube-system \"$@\"; }";
        let found = |script: String| findings(&format!("\n//- a.sh\n{function}\n{script}\n"));
        let call = format!("up metrics-server 3.12.2 {INSECURE}");
        let expected = ["kubelet-insecure-tls a.sh:2"];
        assert_eq!(found(call.clone()), expected);
        assert_eq!(found(format!("retry 3 {call}")), expected);
        assert_eq!(found(format!("up cilium 1.16.0\n{call}"))[..], ["kubelet-insecure-tls a.sh:3"]);
        assert_eq!(found(format!("all() {{ {call}\n}}; all")), expected);
        assert_eq!(found(format!("all() {{ {call}\n}}; up metrics-server 3.12.2")), NOTHING);
        assert_eq!(found(format!("all() {{ {call}\n}}; \"$1\"")), expected);
        assert_eq!(found(format!("all() {{ {call}\n}}; case $1 in x) all;; esac")), expected);
        assert_eq!(found("up metrics-server 3.12.2".to_owned()), NOTHING);
    }

    #[test]
    fn a_function_reads_what_is_given_to_its_call() {
        let template = HELM.replace("upgrade -i", "template");
        let function = "k() { echo $1; kubectl --context a \"$@\"; }; all() { k \"$@\"; }";
        for call in ["k apply -f -", "retry 3 k apply -f -", "all apply -f -"] {
            let script = format!("\n//- a.sh\n{function}\n{template} {INSECURE} | {call}\n");
            assert_eq!(findings(&script), ["kubelet-insecure-tls a.sh:2"], "{call}");
        }
        let file = format!("\n//- a.sh\n{function}\n{template} {INSECURE}\nk apply -f -\n");
        assert_eq!(findings(&file), NOTHING);
    }

    #[test]
    fn a_library_is_for_those_that_take_it_in() {
        let library = format!("//- lib/ms.sh\nVERSION=3.12.2\nup() {{ {HELM} \"$@\"; }}\n");
        let found = |script: &str| findings(&format!("\n//- a.sh\n{script}\n{library}"));
        let script = "source \"$(dirname \"$0\")/lib/ms.sh\"\nup";
        assert_eq!(found(&format!("{script} {INSECURE}")), ["kubelet-insecure-tls a.sh:2"]);
        assert_eq!(found(script), NOTHING);
        let versions = "//- versions.env\nFLAGS='--set args={--kubelet-insecure-tls}'\n";
        let found = findings(&format!("\n//- a.sh\n. ./versions.env\n{HELM} $FLAGS\n{versions}"));
        assert_eq!(found, ["kubelet-insecure-tls versions.env:1"]);
    }

    #[test]
    fn a_loop_installs_each_of_its_items() {
        let script = "
            //- a.sh
            for name in cilium metrics-server; do
              helm upgrade -i $name $name/$name --version 3.12.2 -n kube-system -f $name.yaml
            done
            //- metrics-server.yaml
            args: [--kubelet-insecure-tls]
            //- cilium.yaml
            args: [--x]
        ";
        assert_eq!(findings(script), ["kubelet-insecure-tls metrics-server.yaml:1"]);
    }

    #[test]
    fn a_directory_of_the_machine_is_no_value() {
        let found =
            findings(&format!("\n//- a.sh\n{HELM} --set replicas=$PWD --set args[0]=$WORKSPACE\n"));
        assert_eq!(found, NOTHING);
        let values = "//- x/v.yaml\nargs: [--kubelet-insecure-tls]\n";
        let found = findings(&format!("\n//- x/a.sh\n{HELM} -f $PWD/v.yaml\n{values}"));
        assert_eq!(found, ["kubelet-insecure-tls x/v.yaml:1"]);
    }

    #[test]
    fn what_is_not_certain_is_not_guessed() {
        for script in [
            format!("{HELM} {INSECURE} --dry-run"),
            format!("{HELM} {INSECURE} | sed s/a/b/ | kubectl apply -f -")
                .replace("upgrade -i", "template"),
            format!("V=--kubelet-insecure-tls; V=; {HELM} --set args={{$V}}"),
            format!("helm upgrade -i $NAME $CHART {INSECURE} # metrics-server"),
            format!(
                "wget {URL}\nsed -i s/a/b/ components.yaml\nkubectl apply -f components.yaml\n{PATCH}"
            ),
        ] {
            assert_eq!(findings(&format!("\n//- a.sh\n{script}\n")), NOTHING, "{script}");
        }
    }
}
