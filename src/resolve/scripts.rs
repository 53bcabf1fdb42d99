//! Scripts, build files and pipelines: what their commands install, as far as these are literal.
//!
//! Nothing is run. A variable is known that one place of the file sets, and a command that is not
//! understood is left to the notes about what is not read.

mod ansible;
mod build;
mod carriers;
mod files;
mod helm;
mod kubectl;
mod values;

use std::collections::BTreeMap;

use self::{
    build::{CommandStep, Doing},
    carriers::CommandBlock,
    kubectl::ObjectPatch,
    values::{ShellArgument, ShellScope, ShellVariables},
};
use crate::{
    parse,
    problem::Problem,
    relevance::is_script,
    resolve::{
        command,
        context::Context,
        environment::Release,
        install::{Discovery, Reached},
        layout::Layout,
        shell::{self, ShellCommand},
    },
    source::{self, FileId, Relevance, Sources, Span},
    tree::{Node, Origin},
};

/// The commands that start a cluster on the machine that runs them, and whose that is.
const LOCAL: &[(&str, &str)] = &[
    ("kind create cluster", "kind"),
    ("minikube start", "minikube"),
    ("k3d cluster create", "k3d"),
    ("colima start", "colima"),
    ("ctlptl create cluster", "ctlptl"),
];

/// The environments of scripts that install something of ours.
pub(crate) fn environments(context: &Context<'_>, layout: &Layout<'_>) -> Discovery {
    let mut found = Discovery::default();
    // As a command names it: its last two directories, or the only one from here.
    let named = |dir: &str| match source::parent(dir) {
        "" => format!("./{dir}"),
        above => format!("{}/{}", source::file_name(above), source::file_name(dir)),
    };
    let charts: Vec<String> = layout.own_charts().into_iter().map(named).collect();
    for (file, source) in context.sources.iter() {
        let apart = layout.is_excluded(file) || command::is_aside(&source.path);
        // What a chart of the repository says its installer need not say.
        let names_chart = || {
            let text = context.sources.text(file);
            is_script(&source.path) && charts.iter().any(|it| text.contains(&**it))
        };
        let speaks = matches!(source.relevance, Relevance::Script | Relevance::Subject);
        if apart || !(speaks || !charts.is_empty() && names_chart()) {
            continue;
        }
        let mut add = |sessions: Vec<Session<'_>>| {
            for (environment, reached) in build::together(&source.path, sessions) {
                // What is applied where it lies is judged there.
                let empty = environment.objects.is_empty() && environment.releases.is_empty();
                if empty && environment.problems.is_empty() {
                    continue;
                }
                found.environments.push(environment);
                found.reached.files.extend(reached.files);
                found.reached.dirs.extend(reached.dirs);
            }
        };
        if carriers::may_hold(context.sources, file) {
            let (blocks, variables) = carriers::read(context.sources, file);
            let run = |it| Session::run(context, layout, file, &variables, it);
            add(blocks.iter().map(run).collect());
        } else if !ansible::tasks(context.sources, file).is_empty() {
            let known = ansible::AnsibleVariables::of(context.sources, file);
            let variables = known.of_shell();
            add(vec![ansible::run(context, layout, file, &variables, &known)]);
        }
    }
    found
}

/// What a file or a pipe holds.
#[derive(Debug, Clone)]
enum CommandOutput {
    /// What is at an address.
    Url(ShellArgument),
    Objects(Vec<Node>),
    /// What `helm template` prints.
    Release(Box<Release>, Vec<Problem>),
    /// A file or a directory of the repository.
    Path(ShellArgument),
    /// What kustomize builds there.
    Build(ShellArgument),
    Unknown,
}

/// The options and words of a command.
#[derive(Debug, Default)]
struct CommandLine {
    positional: Vec<ShellArgument>,
    flags: Vec<(String, Option<ShellArgument>)>,
    /// Where any others may stand.
    wild: Option<Origin>,
}

impl CommandLine {
    fn new(context: &Context<'_>, arguments: &[ShellArgument], switches: &[&str]) -> Self {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument.wild {
                options.wild.get_or_insert_with(|| argument.origin.clone());
                continue;
            }
            let head = argument.head.as_str();
            if head == "--" {
                continue;
            }
            if !head.starts_with('-') || head == "-" {
                options.positional.push(argument.clone());
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

impl ShellArgument {
    /// The parts between commas.
    fn parts(&self, sources: &Sources) -> Vec<Self> {
        let Some(text) = self.text.as_deref().filter(|it| it.contains(',')) else {
            return vec![self.clone()];
        };
        let mut start = 0;
        let part = |it: &str| {
            let rest = self.after(sources, start);
            start += it.len() + 1;
            Self { text: Some(it.to_owned()), head: it.to_owned(), ..rest }
        };
        text.split(',').map(part).collect()
    }
}

/// What the commands of a block come to, one after the other.
struct Session<'a> {
    context: &'a Context<'a>,
    layout: &'a Layout<'a>,
    scope: ShellScope<'a>,
    name: String,
    file: FileId,
    /// Where paths may start, the first one first.
    dirs: Vec<String>,
    /// The addresses of chart repositories by their aliases.
    repositories: BTreeMap<String, Node>,
    /// What the commands write, by the names of files.
    made: BTreeMap<String, (CommandOutput, Vec<Span>)>,
    steps: Vec<CommandStep>,
    /// How many conditions there were.
    conditions: usize,
    /// The conditions around all commands of a text.
    around: Vec<(usize, usize)>,
    /// The branch and the place of the command that runs, and those that print what it reads.
    branch: Vec<(usize, usize)>,
    at: Vec<Span>,
    reached: Reached,
    /// The tool that starts a cluster on the machine that runs the commands.
    local: Option<(&'static str, Origin)>,
}

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
            scope: ShellScope { sources: context.sources, variables },
            name,
            file,
            dirs: Vec::new(),
            repositories: BTreeMap::new(),
            made: BTreeMap::new(),
            steps: Vec::new(),
            conditions: 0,
            around: Vec::new(),
            branch: Vec::new(),
            at: Vec::new(),
            reached: Reached::default(),
            local: None,
        }
    }

    fn run(
        context: &'a Context<'a>,
        layout: &'a Layout<'a>,
        file: FileId,
        variables: &'a ShellVariables,
        block: &CommandBlock,
    ) -> Self {
        let mut session = Self::new(context, layout, file, variables, block.name.clone());
        session.local.clone_from(&block.local);
        let own = source::parent(&context.sources[file].path);
        for part in &block.parts {
            session.dirs = vec![own.to_owned(), String::new()];
            if let Some(dir) = &part.dir {
                session.enter(dir);
            }
            session.commands(&part.code, part.braces);
        }
        session
    }

    /// Runs the commands in `code`.
    fn commands(&mut self, code: &Node, braces: bool) {
        let commands = shell::commands(code.as_scalar().map_or("", |it| &*it.text), braces);
        // Numbers of conditions are those of one text.
        let before = self.conditions;
        self.conditions += 1 + commands.len() * 2;
        let mut output = CommandOutput::Unknown;
        for command in &commands {
            let input = match (&command.document, command.piped) {
                (Some((document, filled)), _) => self.document(code, document, *filled),
                (None, true) => output,
                (None, false) => CommandOutput::Unknown,
            };
            if !command.piped {
                self.at.clear();
            }
            let (first, last) = (command.words.first(), command.words.last());
            if let (Some(first), Some(last)) = (first, last) {
                let range = first.range.start..last.range.end.max(first.range.end);
                let at = parse::part(self.context.sources, code, range);
                self.at.extend(at.written_at());
            }
            let own = command.branch.iter().map(|(id, arm)| (id + before, *arm));
            self.branch = self.around.iter().copied().chain(own).collect();
            output = self.command(code, command, input);
            if let Some(file) = &command.output {
                let file = self.scope.argument(code, file);
                self.write(&file, std::mem::replace(&mut output, CommandOutput::Unknown));
            }
        }
    }

    /// Runs one command, which reads `input`, and gives what it prints.
    fn command(
        &mut self,
        code: &Node,
        command: &ShellCommand,
        input: CommandOutput,
    ) -> CommandOutput {
        const WRAPPERS: [&str; 9] =
            ["sudo", "env", "time", "exec", "command", "nohup", "microk8s", "k3s", "-E"];
        let arguments = self.scope.arguments(code, command);
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
        let program = program.text().map_or("", source::file_name);
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
        let words = || arguments.iter().filter(|it| !it.head.starts_with('-'));
        match program {
            "cd" | "pushd" => {
                if let Some(dir) = words().next() {
                    self.enter(dir);
                }
            }
            "helm" | "helm3" | "helm4" => {
                return self.helm(&CommandLine::new(self.context, arguments, helm::SWITCHES));
            }
            "kubectl" | "oc" | "kubecolor" | "k" | "microk8s.kubectl" => {
                let options = CommandLine::new(self.context, arguments, kubectl::SWITCHES);
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
                return match (words().next(), input) {
                    (Some(file), CommandOutput::Unknown) => self.content(file),
                    (_, input) => input,
                };
            }
            "tee" => {
                words().for_each(|it| self.write(it, input.clone()));
                return input;
            }
            "cp" | "mv" | "ln" => {
                if let [from, into] = &*words().collect::<Vec<_>>() {
                    let content = self.content(from);
                    self.write(into, content);
                }
            }
            "curl" | "wget" => return self.fetch(program, arguments),
            // What else names a file may change it.
            _ if !matches!(program, "echo" | "ls" | "test" | "[" | "[[" | "grep" | "rm") => {
                words().for_each(|it| self.touch(it));
            }
            _ => {}
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
            Some(file) => self.write(file, content),
            None if by_name => {
                let name = source::file_name(&url.head).to_owned();
                let file = ShellArgument { text: Some(name.clone()), head: name, ..url.clone() };
                self.write(&file, content);
            }
            None => return content,
        }
        CommandOutput::Unknown
    }

    /// The place of the command that runs.
    fn here(&self) -> Origin {
        self.at.last().map_or_else(|| Origin::start_of(self.file), |it| Origin::written(*it))
    }

    fn did(&mut self, doing: Doing) {
        self.steps.push(CommandStep { doing, branch: self.branch.clone(), at: self.at.clone() });
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
        let mut found: Vec<String> =
            check(&clusters).into_iter().filter(|it| !it.local).map(shown).collect();
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
        let patch = "kubectl -n kube-system patch deployment metrics-server --patch '
spec: {template: {spec: {containers: [{name: metrics-server, resources: {requests: {memory: 1mb}}}]}}}'";
        let found = findings(&format!("\n//- a.sh\nkubectl apply -f {URL}\n{patch}\n"));
        assert_eq!(found, ["invalid-quantity a.sh:3"]);
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
