//! Which cluster commands are for, where they say it.

use std::collections::BTreeSet;

use super::{
    CommandLine, Session,
    argument::{HOLE, ShellArgument},
};
use crate::{resolve::shell::ShellCommand, tree::Node};

/// The variables that say it to kubectl and Helm (`helm help` of Helm 4 lists them).
const VARIABLES: [&str; 2] = ["KUBECONFIG", "HELM_KUBECONTEXT"];

/// What commands that choose one for those after them are called, and before which option its name stands;
/// without one it is the next word.
const CHOOSING: &[(&str, Option<&str>)] = &[
    ("kubectl config use-context", None),
    ("oc config use-context", None),
    ("kubectx", None),
    ("gcloud container clusters get-credentials", None),
    ("doctl kubernetes cluster kubeconfig save", None),
    ("aws eks update-kubeconfig", Some("--name")),
    ("az aks get-credentials", Some("--name")),
    ("az aks get-credentials", Some("-n")),
];

impl Session<'_> {
    /// Notes the variables that `command` of `code` sets, for itself or for those after it.
    pub(super) fn set_places(&mut self, code: &Node, command: &ShellCommand) {
        self.given.clear();
        let (assigned, lasts) = command.assigned();
        for (name, _, word) in assigned {
            let Some(key) = VARIABLES.iter().find(|it| **it == name) else { continue };
            let value = called(&self.scope.argument(code, &word));
            match lasts {
                true => self.places.entry(key).or_default().set(&self.branch, value),
                false => drop(self.given.insert(key, value)),
            }
        }
    }

    /// Notes which cluster `program` chooses with `arguments`.
    pub(super) fn choose_cluster(&mut self, program: &str, arguments: &[ShellArgument]) {
        let texts = || arguments.iter().filter_map(ShellArgument::text);
        for (command, option) in CHOOSING {
            let mut words = command.split(' ');
            let count = command.matches(' ').count();
            if words.next() != Some(program) || !words.eq(texts().take(count)) {
                continue;
            }
            let options = CommandLine::new(self.context, &arguments[count..], &[]);
            let name = match option {
                Some(option) => options.value(option),
                None => options.positional.first(),
            };
            if let Some(name) = name.map(called) {
                self.places.entry("context").or_default().set(&self.branch, name);
            }
        }
    }

    /// Calls what the commands are for by the name of the environment that they deploy to, where that is told
    /// or nothing else is.
    pub(super) fn deploy_to(&mut self, environment: &ShellArgument) {
        let name = called(environment);
        let clusters: BTreeSet<_> = self.steps.iter().map(|it| it.cluster.clone()).collect();
        for step in &mut self.steps {
            step.cluster = match step.cluster.take() {
                Some(cluster) if environment.text.is_none() => Some(cluster),
                Some(cluster) if clusters.len() > 1 => Some(format!("{name}, {cluster}")),
                _ => Some(name.clone()),
            };
        }
    }

    /// What the cluster is called that a command with these options is for, if something says that.
    pub(super) fn cluster_of(&self, options: &CommandLine) -> Option<String> {
        let option = |names: &[&str]| names.iter().find_map(|it| options.value(it)).map(called);
        let set = |key: &str| {
            self.given.get(key).cloned().or_else(|| {
                let (found, is_sure) = self.places.get(key)?.at(&self.branch);
                let one = found.first().filter(|_| found.len() == 1 && is_sure);
                Some(one.map_or_else(|| format!("${key}"), |it| Clone::clone(*it)))
            })
        };
        let context = option(&["--kube-context", "--context", "--cluster"]);
        let context = context.or_else(|| set("HELM_KUBECONTEXT")).or_else(|| set("context"));
        let config = option(&["--kubeconfig"]).or_else(|| set("KUBECONFIG"));
        let parts: Vec<String> =
            [config, context].into_iter().flatten().filter(|it| !it.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// What `name` calls a cluster: what nobody can tell is what it is written as.
fn called(name: &ShellArgument) -> String {
    let (shape, names) = &name.shape;
    let mut called = String::new();
    let mut names = names.iter();
    for (index, text) in shape.split(HOLE).enumerate() {
        if index > 0 {
            called += &format!("${}", names.next().map_or("", String::as_str));
        }
        called += text;
    }
    called.trim_start_matches(|it: char| it.is_control() || it == '/').to_owned()
}
