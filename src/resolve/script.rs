//! What installs metrics-server or an approver, or configures kubelets, by commands or in files of tools
//! that are not read: nobody is to take silence for approval.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::{
    data::{subject::APPROVERS, words},
    problem::Problem,
    relevance::is_script,
    resolve::command,
    source::{self, FileId, Relevance, Sources, Span},
    tree::Origin,
};

/// What is installed or configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// metrics-server.
    Server,
    /// What approves the kubelets' certificates.
    Approver,
    /// The kubelets, as far as their serving certificates go.
    Kubelets,
}

/// Tools whose files are not read: what their files say, and the line that installs.
const TOOLS: &[(&str, &str, &str)] = &[
    ("helm.crossplane.io", "Crossplane", r"\bname\s*:"),
    ("config.projectsveltos.io", "Sveltos", r"\b(?:chartName|releaseName)\s*:"),
    ("k0s.k0sproject.io", "k0s", r"\bchartname\s*:"),
    ("eksctl.io/", "eksctl", r"\bname\s*:"),
    ("apiVersion: helm.fluxcd.io/", "the Helm Operator", r"\bname\s*:"),
    ("apiVersion: catalog.cattle.io/", "Rancher", r"\bname\s*:"),
    ("kind: ClusterResourceSet", "a ClusterResourceSet", r"\bname\s*:"),
    ("packaging.carvel.dev", "Carvel", r"\brefName\s*:"),
    ("ZarfPackageConfig", "Zarf", r"\bname\s*:"),
    ("skaffold/", "Skaffold", r"\b(?:remoteChart|chartPath)\s*:"),
    ("monitoring:", "RKE", r"\bprovider\s*:"),
    ("chart_ref", "Ansible", r"\bchart_ref\s*:"),
    ("kubernetes.core.k8s", "Ansible", r"\b(?:src|url)\s*:\s*\S+://"),
    ("get_url", "Ansible", r"\burl\s*:"),
];

/// Each installation or configuration in the repository that is not read: what, and the note.
///
/// `is_read` says whether the values file of that name is judged already.
pub(crate) fn found(
    sources: &Sources,
    is_read: &dyn Fn(&str) -> bool,
) -> Vec<(What, FileId, Problem)> {
    let files = sources.iter().filter(|(_, it)| {
        matches!(it.relevance, Relevance::Script | Relevance::Subject) && !is_aside(&it.path)
    });
    files
        .flat_map(|(file, source)| of_file(sources.text(file), file, &source.path, is_read))
        .collect()
}

fn of_file(
    text: &str,
    file: FileId,
    path: &str,
    is_read: &dyn Fn(&str) -> bool,
) -> Vec<(What, FileId, Problem)> {
    let mut found: Vec<(What, FileId, Problem)> = Vec::new();
    let names = Names::of(text);
    let mut add = |what: What, by: &str, at: Range<usize>| {
        if found.iter().any(|(it, ..)| *it == what) {
            return;
        }
        let message = match what {
            What::Server => format!("metrics-server is installed by {by}, which is not read"),
            What::Approver => format!("an approver is installed by {by}, which is not read"),
            What::Kubelets => format!("kubelets are configured by {by}, which is not read"),
        };
        let at = Origin::written(Span::new(file, at));
        found.push((what, file, Problem::unresolved(&at, message)));
    };
    if source::extension(path) == "tf" {
        for (by, at) in blocks(text) {
            add(What::Server, by, at);
        }
    }
    let tool = TOOLS.iter().zip(TOOL_LINES.iter()).find(|((mark, ..), _)| text.contains(mark));
    for (start, line) in command::lines(text) {
        let bare = line.trim_start();
        for (at, command) in command::installing(line, is_script(path)) {
            let what = match () {
                () if names.server(command) => What::Server,
                () if APPROVERS.iter().any(|it| command.contains(it)) => What::Approver,
                () => continue,
            };
            if command.contains("--set") || !is_read(command) {
                add(what, by(path), start + at..start + at + first_line(command));
            }
        }
        if let Some(((_, by, _), Some(says))) = tool
            && line.contains("metrics-server")
            && says.find(line).is_some_and(|it| line[it.end()..].contains("metrics-server"))
        {
            let at = start + line.len() - bare.len();
            add(What::Server, by, at..at + first_line(bare));
        }
        if is_code(path) && installs_in_code(path, line) {
            let at = start + line.len() - bare.len();
            add(What::Server, by(path), at..at + first_line(bare));
        }
        let configures = ["serverTLSBootstrap", "rotate-server-certificates"];
        if is_script(path)
            && configures.iter().any(|it| line.contains(it))
            && !command::is_said(line)
        {
            let at = start + line.len() - bare.len();
            add(What::Kubelets, by(path), at..at + first_line(bare));
        }
    }
    found
}

/// Where blocks of Terraform that are not read have metrics-server installed, and by what.
fn blocks(text: &str) -> impl Iterator<Item = (&'static str, Range<usize>)> {
    BLOCKS.iter().flat_map(move |[block, skipped, installs]| {
        block.captures_iter(text).filter_map(move |found| {
            let (whole, kind) = (found.get(0)?, found.get(1)?.as_str());
            let by = if kind == "module" { "a module" } else { "an argocd_application" };
            if kind == "module" && skipped.is_match(whole.as_str()) {
                return None;
            }
            let at = installs.captures(whole.as_str())?.get(1)?;
            Some((by, whole.start() + at.start()..whole.start() + at.end()))
        })
    })
}

/// A block that may install charts, what says that its code is in the repository or that there is
/// none of it, and what installs metrics-server.
static BLOCKS: LazyLock<Option<[Regex; 3]>> = LazyLock::new(|| {
    let block = r#"(?ms)^(module|resource "argocd_application") [^\n]*\{[ \t]*$.*?^\}"#;
    let skipped = r#"(?m)^[ \t]*(?:source[ \t]*=[ \t]*"\.|count[ \t]*=[ \t]*0[ \t]*$)"#;
    let installs = r"(?m)^[ \t]*((?:chart(?:_name)?|source)[ \t]*=[^\n#]*metrics-server[^\s#]*|enable_metrics_server[ \t]*=[ \t]*true\b)";
    Some([Regex::new(block).ok()?, Regex::new(skipped).ok()?, Regex::new(installs).ok()?])
});

/// Names that a file gives to something that is called `metrics-server`.
struct Names<'a>(Vec<&'a str>);

impl<'a> Names<'a> {
    fn of(text: &'a str) -> Self {
        let captures = NAMES.iter().flat_map(|it| it.captures_iter(text));
        Self(captures.filter_map(|it| Some(it.get(1)?.as_str())).collect())
    }

    /// Whether a command is about metrics-server.
    fn server(&self, command: &str) -> bool {
        let refers = |name: &&str| {
            command.match_indices(*name).any(|(at, _)| {
                let before = command[..at].trim_end_matches([' ', '.']);
                let after = command[at + name.len()..].chars().next();
                before.ends_with(['$', '{', '('])
                    && !after.is_some_and(|it| it.is_alphanumeric() || it == '_')
            })
        };
        command.contains("metrics-server") || self.0.iter().any(refers)
    }
}

static NAMES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let assigned = r"(?m)^[ \t]*(?:export |local |readonly |- )?([A-Za-z_]\w*)[ \t]*(?:[:?]?=|:)[^\n]*metrics-server";
    let looped = r"\bfor ([A-Za-z_]\w*) in [^\n]*metrics-server";
    [assigned, looped].into_iter().flat_map(Regex::new).collect()
});

static TOOL_LINES: LazyLock<Vec<Option<Regex>>> =
    LazyLock::new(|| TOOLS.iter().map(|(_, _, line)| Regex::new(line).ok()).collect());

/// The length of the first line of `text`, without what continues it.
fn first_line(text: &str) -> usize {
    let line = text.lines().next().unwrap_or_default();
    line.trim_end_matches(['\\', ' ', '\t']).len()
}

/// Whether `path` is a program that makes manifests.
fn is_code(path: &str) -> bool {
    matches!(source::extension(path), "jsonnet" | "libsonnet")
        || source::file_name(path) == "Tiltfile"
}

/// Whether a line of such a program has metrics-server among its manifests.
fn installs_in_code(path: &str, line: &str) -> bool {
    let marks: &[&str] = match source::file_name(path) {
        "Tiltfile" => &["helm_resource(", "helm_remote(", "k8s_yaml(", "helm("],
        _ => &["image", "chart", "import", "helm", ".new(", "name:"],
    };
    line.contains("metrics-server") && marks.iter().any(|it| line.contains(it))
}

/// Whether what is at `path` is written for readers or tests rather than for a cluster.
fn is_aside(path: &str) -> bool {
    let docs = ["doc", "docs", "documentation"];
    let lists = [words::TESTS, words::EXAMPLES, &docs];
    let mut words = path.split(|it: char| !it.is_alphanumeric());
    words.any(|it| lists.iter().any(|list| list.contains(&it)))
}

/// What a program is called, by its path.
fn by(path: &str) -> &'static str {
    let name = source::file_name(path);
    match source::extension(name) {
        "tf" | "hcl" => "a command of Terraform",
        "jsonnet" | "libsonnet" => "jsonnet",
        _ if path.contains(".github/workflows/") => "a workflow",
        _ if name.to_ascii_lowercase().contains("makefile") => "a Makefile",
        _ if name == "Tiltfile" => "Tilt",
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
        let found = found(&sources, &|it| it.contains("read.yaml"));
        let lines = found.into_iter().map(|(_, file, problem)| {
            let line = problem.at.written_at().map_or(0, |it| sources.start(it).line);
            format!("{}:{line} {}\n", sources[file].path, problem.message)
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
            //- addons.tf
            module "addons" {
              source                = "aws-ia/eks-blueprints-addons/aws"
              enable_metrics_server = true
            }
            //- application.tf
            resource "argocd_application" "metrics_server" {
              spec {
                source {
                  chart = "metrics-server"
                }
              }
            }
            //- crs.yaml
            kind: ClusterResourceSet
            spec: {resources: [{kind: ConfigMap, name: metrics-server}]}
            //- play.yml
            - hosts: all
              tasks:
              - kubernetes.core.helm:
                  name: ms
                  chart_ref: metrics-server/metrics-server
            //- x.jsonnet
            { x: helm.template('ms', 'charts/metrics-server', {}) }
            //- crossplane.yaml
            apiVersion: helm.crossplane.io/v1beta1
            kind: Release
            spec: {forProvider: {chart: {name: metrics-server}}}
        "#), @"
        .github/workflows/up.yaml:1 metrics-server is installed by a workflow, which is not read
        .gitlab-ci.yml:4 metrics-server is installed by a script, which is not read
        Makefile:4 metrics-server is installed by a Makefile, which is not read
        addons.tf:3 metrics-server is installed by a module, which is not read
        application.tf:4 metrics-server is installed by an argocd_application, which is not read
        cloud-init.yaml:2 metrics-server is installed by a script, which is not read
        cloud-init.yaml:3 an approver is installed by a script, which is not read
        crossplane.yaml:3 metrics-server is installed by Crossplane, which is not read
        crs.yaml:2 metrics-server is installed by a ClusterResourceSet, which is not read
        hack/setup:2 metrics-server is installed by a script, which is not read
        hack/setup:4 an approver is installed by a script, which is not read
        hack/setup:5 kubelets are configured by a script, which is not read
        justfile:2 metrics-server is installed by a script, which is not read
        main.tf:3 metrics-server is installed by a command of Terraform, which is not read
        play.yml:5 metrics-server is installed by Ansible, which is not read
        scripts/minikube.ps1:1 metrics-server is installed by a script, which is not read
        x.jsonnet:1 metrics-server is installed by jsonnet, which is not read
        ");
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
            //- main.tf
            module "metrics_server" {
              source = "./modules/chart"
              chart  = "metrics-server"
            }
            module "addons" {
              source                = "aws-ia/eks-blueprints-addons/aws"
              enable_metrics_server = false
            }
            //- images.yaml
            images: [registry.k8s.io/metrics-server/metrics-server:v0.7.2]
        "#), @"");
    }
}
