//! What installs metrics-server or an approver, or configures kubelets, by commands or in files of tools
//! that are not read: nobody is to take silence for approval.

mod ansible;
mod manifest;
mod tools;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::LazyLock,
};

use rayon::prelude::*;
use regex::Regex;

use crate::{
    ascii,
    data::subject::{APPROVERS, SERVER, What},
    literals::Literals,
    problem::Problem,
    relevance::is_script,
    resolve::command::{self, Installation},
    source::{self, FileId, Relevance, Source, Sources, Span},
    tree::Origin,
};

/// An installation or configuration that is not read.
#[derive(Debug)]
pub(crate) struct UnreadInstallation {
    /// What is installed or configured.
    pub what: What,
    /// Where.
    pub file: FileId,
    /// Whether it takes nothing of this repository: what is read may not be the same.
    pub apart: bool,
    /// The note.
    pub problem: Problem,
}

/// What a script says that configures kubelets.
const CONFIGURES: &[&str] = &["serverTLSBootstrap", "rotate-server-certificates"];

/// What names anything that [`found`] finds.
static SAID: LazyLock<Literals> = LazyLock::new(|| Literals::new(&[SERVER, APPROVERS, CONFIGURES]));

/// Each installation or configuration in the repository that is not read.
///
/// `is_read` says whether a command in a directory, at that place, is judged already: as what it
/// installs, or by the values file that it names.
pub(crate) fn found(
    sources: &Sources,
    is_read: &(dyn Fn(&str, &str, Span) -> bool + Sync),
) -> Vec<UnreadInstallation> {
    let files = sources.iter().filter(|(_, it)| {
        matches!(it.relevance, Relevance::Script | Relevance::Subject)
            && !command::is_aside(&it.path)
    });
    let files: BTreeSet<FileId> = files.map(|(file, _)| file).chain(programs(sources)).collect();
    files.into_par_iter().flat_map_iter(|file| of_file(sources, file, is_read)).collect()
}

/// The programs of Pulumi and of the CDKs: most programs manage no clusters, so that only those of a
/// project that does are read.
pub(crate) fn programs(sources: &Sources) -> impl Iterator<Item = FileId> {
    const PROJECTS: [&str; 5] =
        ["Pulumi.yaml", "Pulumi.yml", "cdk.json", "cdk8s.yaml", "cdktf.json"];
    let is_project = |it: &&Source| PROJECTS.contains(&source::file_name(&it.path));
    let projects = sources.iter().map(|(_, it)| it).filter(is_project);
    let programs = projects.flat_map(|it| sources.below(source::parent(&it.path)));
    let is_own = |path: &str| {
        tools::is_program(path) && !path.contains("node_modules/") && !command::is_aside(path)
    };
    programs.filter(move |it| is_own(&sources[*it].path))
}

fn of_file(
    sources: &Sources,
    file: FileId,
    is_read: &(dyn Fn(&str, &str, Span) -> bool + Sync),
) -> Vec<UnreadInstallation> {
    let (path, text) = (&*sources[file].path, sources.text(file));
    // Most files only speak of kubelets or nodes, and those that name it do so in few lines.
    if !SAID.are_in(text) {
        return Vec::new();
    }
    let (dir, is_script) = (source::parent(path), is_script(path));
    let mut found: Vec<UnreadInstallation> = Vec::new();
    let names = Names::of(text);
    let mut add = |what: What, apart: bool, done: &str, at: Origin| {
        if let Some(known) = found.iter_mut().find(|it| it.what == what) {
            known.apart |= apart;
            return;
        }
        let message = format!("{} {done}", what.is());
        found.push(UnreadInstallation {
            what,
            file,
            apart,
            problem: Problem::unresolved(&at, message),
        });
    };
    let at = |range: Range<usize>| Origin::written(Span::new(file, range));
    for (what, at) in ansible::found(sources, file) {
        if !at.written_at().is_some_and(|it| is_read(dir, "", it)) {
            add(what, true, &unread("Ansible"), at);
        }
    }
    for (what, by, at) in manifest::found(sources, file) {
        add(what, true, &unread(by), at);
    }
    let tools = tools::of(path, text);
    for (start, line) in command::lines(text) {
        let filled = names.filled(line);
        if !SAID.are_in(&*filled.text) && !names.server(line) {
            continue;
        }
        let bare = line.trim_start();
        let whole = {
            let start = start + line.len() - bare.len();
            start..start + first_line(bare)
        };
        for Installation { at: filled_at, command, verb } in
            command::installing(&filled.text, is_script)
        {
            let begin = filled.place(filled_at);
            let what = if names.server(command) { Some(What::Server) } else { What::of(command) };
            if let Some(what) = what
                && !command.contains("--dry-run")
                && !is_read(dir, command, Span::new(file, start + begin..start + begin + 1))
            {
                let start = start + begin;
                let apart = !takes_from(sources, dir, command);
                let done = format!("{verb} by {} in a way that is not read", by(path));
                let end = filled.place(filled_at + command.len());
                add(what, apart, &done, at(start..start + first_line(&line[begin..end])));
            }
        }
        for (tool, says) in &tools {
            let key = says.find(line).filter(|_| !line.contains("disable"));
            if let Some(what) = key.and_then(|it| What::of(&line[it.start()..])) {
                add(what, true, &unread(tool.by), at(whole.clone()));
            }
        }
        if is_script && CONFIGURES.iter().any(|it| line.contains(it)) && !command::is_said(line) {
            let done = format!("configured by {} in a way that is not read", by(path));
            add(What::Kubelets, true, &done, at(whole));
        }
    }
    found
}

/// That a tool installs something whose files are not read.
fn unread(by: &str) -> String {
    format!("installed by {by}, which is not read")
}

/// Whether a command in `dir` installs what the repository has, or may: a path with something filled in.
fn takes_from(sources: &Sources, dir: &str, command: &str) -> bool {
    let by_helm = command.starts_with("helm");
    command::words(command).any(|word| {
        // The first words of Helm are names, which directories may have, too.
        if by_helm && !word.contains('/') {
            return false;
        }
        let filled_in = word.contains(['$', '{']) && word.contains('/') && !word.contains("://");
        let paths = [source::join(dir, word), source::join("", word)];
        let is_here = |path: &String| match by_helm {
            true => sources.is_chart(path),
            false => sources.find(path).is_some() || sources.below(path).next().is_some(),
        };
        filled_in || (!word.is_empty() && paths.iter().flatten().any(is_here))
    })
}

/// Names that a file gives to something of our concern.
struct Names<'a> {
    /// Those of what is called `metrics-server`.
    servers: BTreeSet<&'a str>,
    /// What is assigned to variables, with what is assigned to those in it.
    values: BTreeMap<&'a str, String>,
}

/// Longer values of variables are not put together.
const MAX_VALUE: usize = 1000;

impl<'a> Names<'a> {
    fn of(text: &'a str) -> Self {
        let of_line = |line: &'a str| {
            let head = line.rfind("metrics-server").map_or("", |at| &line[..at]);
            NAMES.iter().filter_map(move |it| Some(it.captures(head)?.get(1)?.as_str()))
        };
        let servers = text.lines().flat_map(of_line).collect();
        let mut this = Self { servers, values: BTreeMap::new() };
        for line in text.lines().filter(|it| it.contains(['=', ':'])) {
            let assigned = ASSIGNED.as_ref().and_then(|it| it.captures(line));
            let Some(assigned) = assigned else { continue };
            let (Some(name), Some(value)) = (assigned.get(1), assigned.get(2)) else { continue };
            let value = this.filled(value.as_str().trim_matches(['"', '\''])).text;
            if SAID.are_in(&*value) && value.len() <= MAX_VALUE {
                this.values.insert(name.as_str(), value.into_owned());
            }
        }
        this
    }

    /// Whether a command refers to one of them.
    fn server(&self, command: &str) -> bool {
        command.match_indices(['$', '{', '(']).any(|(at, _)| {
            let after = command[at + 1..].trim_start_matches([' ', '.']);
            self.servers.contains(&after[..name_length(after)])
        })
    }

    /// `line` with the values of its variables.
    fn filled<'t>(&self, line: &'t str) -> FilledLine<'t> {
        let mut filled = FilledLine { text: line.into(), places: Vec::new() };
        if self.values.is_empty() {
            return filled;
        }
        let (mut text, mut rest) = (String::new(), 0);
        for (at, _) in line.match_indices('$') {
            let after = &line[at + 1..];
            let inner = after.trim_start_matches(['{', '(']);
            let brackets = after.len() - inner.len();
            let length = name_length(inner);
            let closed = inner[length..].starts_with(['}', ')']);
            let value = self.values.get(&inner[..length]).filter(|_| brackets <= 1);
            let Some(value) = value.filter(|_| closed || brackets == 0) else { continue };
            text += &line[rest..at];
            let start = text.len();
            text += value;
            rest = at + 1 + 2 * brackets + length;
            filled.places.push((start..text.len(), at..rest));
        }
        if rest > 0 {
            text += &line[rest..];
            filled.text = text.into();
        }
        filled
    }
}

/// The length of the name that `text` starts with.
fn name_length(text: &str) -> usize {
    text.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(text.len())
}

/// A line of a script with the values of its variables.
struct FilledLine<'a> {
    text: Cow<'a, str>,
    /// Where each value is, and its variable in the line as it is written.
    places: Vec<(Range<usize>, Range<usize>)>,
}

impl FilledLine<'_> {
    /// Where in the line as it is written is what is at `at` in the text.
    fn place(&self, at: usize) -> usize {
        let before = self.places.partition_point(|(value, _)| value.start <= at);
        let Some((value, variable)) = before.checked_sub(1).and_then(|it| self.places.get(it))
        else {
            return at;
        };
        if at < value.end { variable.start } else { variable.end + (at - value.end) }
    }
}

static NAMES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    // In what stands before `metrics-server` on its line.
    let assigned = format!("^{ASSIGNS}");
    let looped = r"\bfor ([A-Za-z_]\w*) in ";
    [&*assigned, looped].into_iter().filter_map(ascii::pattern).collect()
});

/// What assigns something to a variable.
const ASSIGNS: &str = r"[ \t]*(?:export |local |readonly |- )?([A-Za-z_]\w*)[ \t]*(?:[:?]?=|:)";

/// The same with one word that is assigned.
static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    ascii::pattern(&format!(r#"^{ASSIGNS}[ \t]*("[^"]*"|'[^']*'|[^\s"']+)[ \t]*(?:#.*)?$"#))
});

/// The length of the first line of `text`, without what continues it.
fn first_line(text: &str) -> usize {
    let line = text.lines().next().unwrap_or_default();
    line.trim_end_matches(['\\', ' ', '\t']).len()
}

/// What a program is called, by its path.
fn by(path: &str) -> &'static str {
    let name = source::file_name(path);
    match source::extension(name) {
        "tf" | "hcl" => "a command of Terraform",
        "sls" => "a state of Salt",
        _ if path.contains(".github/workflows/") => "a workflow",
        _ if name.to_ascii_lowercase().contains("makefile") => "a Makefile",
        _ => "a script",
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::tests::fixture;

    /// What is found in a repository: `path:line message`.
    fn notes(files: &str) -> String {
        let sources = fixture(files);
        let found = found(&sources, &|_, it, _| it.contains("read.yaml") && !it.contains("--set"));
        let lines = found.into_iter().map(|it| {
            let line = it.problem.at.written_at().map_or(0, |it| sources.start(it).line);
            format!("{}:{line} {}\n", sources[it.file].path, it.problem.message)
        });
        lines.collect()
    }

    #[test]
    fn what_installs_is_said() {
        assert_snapshot!(notes(r#"
            //- Makefile
            CHART := metrics-server/metrics-server
            up:
            	helm repo add metrics-server https://kubernetes-sigs.github.io/metrics-server/
            	helm upgrade --install ms $(CHART) -f values.yaml
            //- hack/setup
            #!/bin/sh
            kubectl apply \
              -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml
            helm install kubelet-csr-approver kubelet-csr-approver/kubelet-csr-approver
            echo "serverTLSBootstrap: true" >> /var/lib/kubelet/config.yaml
            //- justfile
            up:
              for c in cilium metrics-server; do helm upgrade -i $c charts/$c; done
            //- scripts/url.sh
            VERSION=v0.8.1
            BASE='https://github.com/kubernetes-sigs/metrics-server'  # upstream
            export MANIFEST="${BASE}/releases/download/$VERSION/components.yaml"
            true; curl -sL "$MANIFEST" | sed s/a/b/ | kubectl apply -f -
            readonly APPROVER=https://x/kubelet-csr-approver.yaml
            echo "$APPROVER"; kubectl apply -f ${APPROVER}
            //- scripts/command.sh
            UP="kubectl create ns a; kubectl apply -f metrics-server.yaml"
            $UP
            //- scripts/minikube.ps1
            minikube start --addons=ingress,metrics-server
            //- .github/workflows/up.yaml
            jobs: {up: {steps: [{run: "curl -L https://x/metrics-server/components.yaml | kubectl apply -f -"}]}}
            //- .gitlab-ci.yml
            up:
              script:
              - >-
                helm upgrade --install metrics-server metrics-server/metrics-server
                -f read.yaml
                --set replicas=2
            //- cloud-init.yaml
            runcmd:
            - sudo kubectl apply -f https://x/metrics-server/components.yaml
            - [kubectl, apply, -f, approver/kubelet-csr-approver.yaml]
            //- main.tf
            resource "null_resource" "x" {
              provisioner "local-exec" {
                command = "kubectl apply -f https://x/metrics-server.yaml"
              }
            }
            //- play.yml
            - hosts: all
              tasks:
              - kubernetes.core.helm:
                  name: ms
                  chart_ref: metrics-server/metrics-server
            //- roles/ms/tasks/main.yml
            - name: Wait for metrics-server
              command: kubectl wait --for=condition=Available deployment/metrics-server
            - block:
              - name: Install it
                k8s:
                  src: "{{ metrics_server_manifest }}"
            //- group_vars/all.yml
            charts:
            - {name: metrics-server, chart_ref: metrics-server/metrics-server}
            //- index.ts
            import * as k8s from "@pulumi/kubernetes";
            new k8s.helm.v3.Release("ms", {
              chart: "metrics-server",
            });
            //- addons.py
            import pulumi_kubernetes as k8s
            k8s.yaml.ConfigFile("approver", file="https://x/kubelet-csr-approver.yaml")
            //- Pulumi.yaml
            runtime: yaml
            resources:
              ms: {type: "kubernetes:helm.sh/v3:Release", properties: {chart: metrics-server}}
            //- main.tf.json
            {"resource": {"helm_release": {"x": {"chart": "metrics-server"}}}}
            //- x.jsonnet
            { x: helm.template('ms', 'charts/metrics-server', {}) }
            //- crossplane.yaml
            apiVersion: helm.crossplane.io/v1beta1
            kind: Release
            spec: {forProvider: {chart: {name: metrics-server}}}
        "#), @"
        .github/workflows/up.yaml:1 metrics-server is installed by a workflow in a way that is not read
        .gitlab-ci.yml:4 metrics-server is installed by a script in a way that is not read
        Makefile:4 metrics-server is installed by a Makefile in a way that is not read
        Pulumi.yaml:3 metrics-server is installed by Pulumi, which is not read
        addons.py:2 an approver is installed by Pulumi, which is not read
        cloud-init.yaml:2 metrics-server is installed by a script in a way that is not read
        cloud-init.yaml:3 an approver is installed by a script in a way that is not read
        crossplane.yaml:3 metrics-server is installed by Crossplane, which is not read
        group_vars/all.yml:2 metrics-server is installed by Ansible, which is not read
        hack/setup:2 metrics-server is installed by a script in a way that is not read
        hack/setup:4 an approver is installed by a script in a way that is not read
        hack/setup:5 kubelets are configured by a script in a way that is not read
        index.ts:3 metrics-server is installed by Pulumi, which is not read
        justfile:2 metrics-server is installed by a script in a way that is not read
        main.tf:3 metrics-server is installed by a command of Terraform in a way that is not read
        main.tf.json:1 metrics-server is installed by Terraform in JSON, which is not read
        play.yml:5 metrics-server is installed by Ansible, which is not read
        roles/ms/tasks/main.yml:6 metrics-server is installed by Ansible, which is not read
        scripts/command.sh:1 metrics-server is installed by a script in a way that is not read
        scripts/minikube.ps1:1 metrics-server is installed by a script in a way that is not read
        scripts/url.sh:4 metrics-server is installed by a script in a way that is not read
        scripts/url.sh:6 an approver is installed by a script in a way that is not read
        x.jsonnet:1 metrics-server is installed by jsonnet, which is not read
        ");
    }

    #[test]
    fn what_objects_install_is_said() {
        assert_snapshot!(notes(r#"
            //- job.yaml
            kind: Job
            spec:
              template:
                spec:
                  containers:
                  - image: alpine/helm
                    command: [helm]
                    args:
                    - upgrade
                    - --install
                    - metrics-server
                    - metrics-server/metrics-server
            //- init.yaml
            kind: Deployment
            spec: {template: {spec: {initContainers: [
              {image: x/kubectl, command: [sh, -c, kubectl apply -f https://x/kubelet-csr-approver.yaml]}]}}}
            //- clusters/addons.yaml
            kind: ConfigMap
            data:
              metrics.yaml: |
                kind: DaemonSet
                metadata:
                  name: metrics-server
            //- addons/addon.yaml
            kind: Addons
            spec: {addons: [{name: metrics-server, manifest: v0.7.2.yaml}]}
            //- chart.yaml
            kind: HelmChart
            metadata: {name: metrics-server}
            spec: {chartContent: H4sIAAAA}
            //- stack.json
            {"Type": "AWS::EKS::Addon", "Properties": {
              "AddonName": "metrics-server"}}
            //- stack.yaml
            Ms:
              Type: AWS::EKS::Addon
              Properties:
                AddonName: metrics-server
            //- upbound.yaml
            apiVersion: eks.aws.upbound.io/v1beta1
            spec: {forProvider: {addonName: metrics-server}}
            //- ack.yaml
            apiVersion: eks.services.k8s.aws/v1alpha1
            spec: {name: metrics-server}
            //- cdktf/cdktf.json
            {"language": "typescript"}
            //- cdktf/main.ts
            import { Release } from "@cdktf/provider-helm/lib/release";
            new Release(this, "ms", { chart: "metrics-server" });
        "#), @"
        ack.yaml:2 metrics-server is installed by a controller of AWS, which is not read
        addons/addon.yaml:2 metrics-server is installed by an Addons object of kOps, which is not read
        cdktf/main.ts:2 metrics-server is installed by the CDK of Terraform, which is not read
        chart.yaml:2 metrics-server is installed by a chart in a HelmChart, which is not read
        clusters/addons.yaml:6 metrics-server is installed by manifests in a ConfigMap, which is not read
        init.yaml:3 an approver is installed by the command of a container, which is not read
        job.yaml:11 metrics-server is installed by the command of a container, which is not read
        stack.json:2 metrics-server is installed by CloudFormation, which is not read
        stack.yaml:4 metrics-server is installed by CloudFormation, which is not read
        upbound.yaml:2 metrics-server is installed by Crossplane, which is not read
        ");
        assert_snapshot!(notes(r#"
            //- job.yaml
            kind: Job
            spec: {template: {spec: {containers: [
              {image: x/kubectl, command: [kubectl, wait, --for=condition=Available, deployment/metrics-server]},
              {image: x/kubectl, command: [kubectl, apply, -f, /manifests], args: [--v=2]},
              {image: x/metrics-server, args: [--metric-resolution=15s]}]}}}
            //- dashboards.yaml
            kind: ConfigMap
            data:
              board.json: '{"title": "metrics-server", "kind": "Deployment"}'
              rules.yaml: |
                groups: [{name: metrics-server, rules: [{alert: MetricsServerDown}]}]
              app.yaml: |
                kind: Deployment
                metadata: {name: other, annotations: {needs: metrics-server}}
            //- addons/labels.yaml
            kind: Deployment
            metadata: {labels: {k8s-addon: metrics-server.addons.k8s.io}}
            //- vpc.yaml
            Type: AWS::EKS::Addon
            Properties: {AddonName: vpc-cni}
        "#), @"");
    }

    #[test]
    fn what_only_mentions_it_is_not() {
        assert_snapshot!(notes(r#"
            //- a.sh
            # helm install metrics-server metrics-server/metrics-server
            echo "now run: kubectl apply -f metrics-server.yaml"
            log_info "helm install metrics-server"
            helm repo add metrics-server https://kubernetes-sigs.github.io/metrics-server/
            kubectl -n kube-system rollout status deployment/metrics-server
            kubectl wait --for=condition=Available deployment/metrics-server
            kubectl delete deployment metrics-server; kubectl apply -f other.yaml
            docker pull registry.k8s.io/metrics-server/metrics-server:v0.7.2
            helm upgrade --install metrics-server metrics-server/metrics-server -f read.yaml
            k3s server --disable metrics-server
            //- .gitlab-ci.yml
            up:
              script:
              - >-
                helm upgrade --install metrics-server metrics-server/metrics-server
                -f read.yaml
            //- tests/e2e.sh
            helm install metrics-server metrics-server/metrics-server
            //- .github/ISSUE_TEMPLATE/bug.yaml
            body:
            - value: Did you run kubectl apply -f metrics-server.yaml?
            //- values.yaml
            metricsServer: {enabled: false}
            //- tasks/main.yml
            - name: Is metrics-server there?
              kubernetes.core.k8s_info: {kind: Deployment, name: metrics-server}
            - name: Remove metrics-server
              kubernetes.core.helm: {name: metrics-server, state: absent}
            - name: Install other things instead of metrics-server
              copy: {src: other.yaml, dest: /opt}
            //- index.ts
            import * as pulumi from "@pulumi/pulumi";
            // chart: "metrics-server" comes later
            const hint = "install metrics-server first";
            //- client.py
            chart = "metrics-server"
            //- images.yaml
            images: [registry.k8s.io/metrics-server/metrics-server:v0.7.2]
        "#), @"");
    }
}
