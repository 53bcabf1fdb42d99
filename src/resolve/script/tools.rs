//! The tools that install things and whose files are not read.

use std::sync::OnceLock;

use regex::Regex;

use crate::{
    ascii,
    resolve::layout,
    source::{extension, file_name, parent, rendered},
};

/// A tool, by what its files are called and say.
pub(super) struct UnreadTool {
    /// What it is called.
    pub by: &'static str,
    /// Whether a file may be one of its, by its path.
    is_in: fn(&str) -> bool,
    /// What its files say, at least one of these; nothing where their names are enough.
    marks: &'static [&'static str],
    /// What stands before the name of what a line installs, one of these.
    line: &'static [&'static str],
}

/// Keys whose values say what is installed.
const KEY: &str = r#"(?i)\b[\w-]*(?:chart|release|name|addons?|repo|repository|url|path|source|src|template|externalId|files?)["']?\s*[:=]"#;

/// What is listed, or has a key of its own.
const LISTED: &str = r#"(?i)^\s*(?:-\s+)?["'\[]?[\w./:@?=&+-]*(?:metrics[-_]?server|kubelet-(?:csr|serving-cert)-approver)"#;

/// What is listed.
const ITEM: &str = r#"^\s*-\s+["']?[\w./:@?=&+-]*metrics-server"#;

/// Calls and arguments by which programs install charts and manifests.
const CALL: &str = r#"(?i)\b(?:chart|files?|path|repo|url|addonName)["']?\s*[:=]|\w*(?:Chart|Release|ConfigFile|ConfigGroup|Directory|Addon|Include|Manifest)\w*\("#;

const TOOLS: &[UnreadTool] = &[
    objects(
        "Crossplane",
        &["helm.crossplane.io", "helm.m.crossplane.io", "kubernetes.crossplane.io"],
    ),
    objects("Crossplane", &["eks.aws."]),
    objects("Sveltos", &["projectsveltos.io"]),
    UnreadTool { line: &[r"(?i)\bchartname\s*:"], ..objects("k0s", &["k0sproject.io"]) },
    objects("the Helm Operator", &["apiVersion: helm.fluxcd.io/"]),
    objects("Rancher", &["apiVersion: catalog.cattle.io/", "apiVersion: project.cattle.io/"]),
    objects("an Addons object of kOps", &["kind: Addons"]),
    UnreadTool { line: &[r"\bname\s*:"], ..objects("a chart in a HelmChart", &["chartContent:"]) },
    objects("CloudFormation", &["AWS::EKS::Addon"]),
    objects("a controller of AWS", &["eks.services.k8s.aws"]),
    objects("Carvel", &["packaging.carvel.dev", "kappctrl.k14s.io"]),
    objects("KubeVela", &["core.oam.dev"]),
    objects("Plural", &["deployments.plural.sh"]),
    objects("Kubermatic", &["kubermatic.k8c.io"]),
    UnreadTool { line: &[r"\bchart\s*:"], ..objects("KubeOne", &["KubeOneCluster"]) },
    UnreadTool { line: &[KEY, LISTED], ..objects("Zarf", &["ZarfPackageConfig"]) },
    UnreadTool {
        line: &[r"\b(?:remoteChart|chartPath)\s*:", ITEM],
        ..objects("Skaffold", &["skaffold/"])
    },
    // What else is monitored has names, too.
    UnreadTool { line: &[r"\bprovider\s*:"], ..objects("RKE", &["monitoring:"]) },
    UnreadTool {
        line: &[r"\bname\s*:", ITEM],
        ..objects("RKE", &["addons_include:", "addons: |"])
    },
    UnreadTool { is_in: is_settings, line: &[KEY, LISTED], ..objects("Helmsman", &["helmRepos"]) },
    named("helmwave", |it| file_name(it).starts_with("helmwave.yml")),
    named("Reckoner", |it| matches!(file_name(it), "course.yml" | "course.yaml")),
    named("Porter", |it| file_name(it) == "porter.yaml"),
    objects("vendir", &["vendir.k14s.io"]),
    named("Salt", |it| extension(it) == "sls"),
    // Its add-ons are settings of the cluster: most files that say so are named for it.
    UnreadTool {
        is_in: |it| layout::is_yaml(it) && it.contains("microk8s"),
        line: &[ITEM, r"\bname\s*:"],
        ..objects("MicroK8s", &["addons:"])
    },
    UnreadTool {
        line: &[ITEM, r"\bname\s*:"],
        ..objects(
            "MicroK8s",
            &["persistentClusterToken:", "extraKubeletArgs:", "addonRepositories:"],
        )
    },
    named("DevSpace", |it| file_name(it) == "devspace.yaml"),
    named("Garden", |it| {
        ["garden.yml", "garden.yaml"].iter().any(|name| {
            file_name(it).strip_suffix(name).is_some_and(|it| it.is_empty() || it.ends_with('.'))
        })
    }),
    UnreadTool {
        line: &[r"(?i)\b(?:chart(?:name)?|addons)\s*:"],
        ..named("a pipeline", is_pipeline)
    },
    UnreadTool { line: &[r"\bchart(?:_ref|_name)?\s*:"], ..named("Ansible", is_variables) },
    UnreadTool { line: &[r"\b(?:chart|repo)\s*:"], ..objects("Pulumi", &["kubernetes:helm.sh/"]) },
    program("Pulumi", &["pulumi"]),
    program("the CDK of AWS", &["aws-cdk", "aws_cdk", "eks-blueprints"]),
    program("cdk8s", &["cdk8s"]),
    program("the CDK of Terraform", &["cdktf"]),
    UnreadTool {
        line: &[r#""(?:chart|source|url|repository)"\s*:"#],
        ..named("Terraform in JSON", |it| it.ends_with(".tf.json"))
    },
    UnreadTool {
        line: &[r"image|chart|import|helm|\.new\(|name:"],
        ..named("jsonnet", |it| matches!(extension(it), "jsonnet" | "libsonnet"))
    },
    named("CUE", |it| extension(it) == "cue"),
    UnreadTool {
        line: &[r"(?i)chart|\breleases\b|\brepo\b"],
        ..named("Nix", |it| extension(it) == "nix")
    },
    UnreadTool {
        line: &[r"helm_resource\(|helm_remote\(|k8s_yaml\(|helm\("],
        ..named("Tilt", |it| file_name(it) == "Tiltfile" || extension(it) == "Tiltfile")
    },
];

/// A tool that is known by what its YAML says.
const fn objects(by: &'static str, marks: &'static [&'static str]) -> UnreadTool {
    UnreadTool { by, is_in: layout::is_yaml, marks, line: &[KEY] }
}

/// A tool that is known by the names of its files.
const fn named(by: &'static str, is_in: fn(&str) -> bool) -> UnreadTool {
    UnreadTool { by, is_in, marks: &[], line: &[KEY, LISTED] }
}

/// A library of a language that infrastructure is written in.
const fn program(by: &'static str, marks: &'static [&'static str]) -> UnreadTool {
    UnreadTool { by, is_in: is_program, marks, line: &[CALL] }
}

/// What stands before the name of what a line installs, of each of [`TOOLS`] that a file needs.
static LINES: [OnceLock<Option<Regex>>; TOOLS.len()] = [const { OnceLock::new() }; TOOLS.len()];

/// The tools whose file that at `path`, which says `text`, may be, each with what stands before the name
/// of what a line installs.
pub(super) fn of(path: &str, text: &str) -> Vec<(&'static UnreadTool, &'static Regex)> {
    let says =
        |it: &UnreadTool| it.marks.is_empty() || it.marks.iter().any(|mark| text.contains(mark));
    let tools = TOOLS.iter().zip(LINES.iter());
    let tools = tools.filter(|(it, _)| (it.is_in)(path) && says(it));
    let line = |it: &UnreadTool| ascii::pattern(&it.line.join("|"));
    tools.filter_map(|(it, known)| Some((it, known.get_or_init(|| line(it)).as_ref()?))).collect()
}

/// Whether the file at `path` is a program in a language that infrastructure is written in.
pub(super) fn is_program(path: &str) -> bool {
    matches!(extension(path), "ts" | "js" | "py" | "go")
}

/// Whether the file at `path` holds variables of Ansible.
fn is_variables(path: &str) -> bool {
    let dirs = ["defaults", "vars", "group_vars", "host_vars"];
    layout::is_yaml(path) && parent(path).split('/').any(|it| dirs.contains(&it))
}

fn is_settings(path: &str) -> bool {
    layout::is_yaml(path) || extension(rendered(path)) == "toml"
}

/// Whether the file at `path` is a pipeline, whose steps may be other programs' than a shell's.
fn is_pipeline(path: &str) -> bool {
    let names = ["azure-pipelines", "bitbucket-pipelines", ".gitlab-ci", ".drone", ".woodpecker"];
    let name = file_name(path);
    layout::is_yaml(path)
        && (path.contains(".github/workflows/") || names.iter().any(|it| name.starts_with(it)))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use crate::{resolve::script::found, tests::fixture};

    /// The lines at which something is installed, and by what: `path:line tool`.
    fn told(files: &str) -> String {
        let sources = fixture(files);
        let lines = found(&sources, &|_, _, _| false).into_iter().map(|it| {
            let line = it.problem.at.written_at().map_or(0, |it| sources.start(it).line);
            let by = it.problem.message.split(" by ").nth(1).unwrap_or_default().to_owned();
            format!(
                "{}:{line} {}\n",
                sources[it.file].path,
                by.trim_end_matches(", which is not read")
                    .trim_end_matches(" in a way that is not read")
            )
        });
        lines.collect()
    }

    #[test]
    fn each_tool_is_told_by_what_its_files_say() {
        assert_snapshot!(told(r#"
            //- a.tgz.yaml
            apiVersion: helm.m.crossplane.io/v1beta1
            spec: {forProvider: {chart: {url: https://x/metrics-server-3.12.2.tgz}}}
            //- b.yaml
            apiVersion: config.projectsveltos.io/v1beta1
            spec: {policyRefs: [{kind: ConfigMap, name: metrics-server}]}
            //- k0sctl.yaml
            apiVersion: k0sctl.k0sproject.io/v1beta1
            spec: {k0s: {config: {spec: {
              images: {metricsserver: {image: registry.k8s.io/metrics-server/metrics-server}},
              extensions: {helm: {charts: [
              {chartname: ms/metrics-server}]}}}}}}
            //- cluster.yml
            nodes: [{address: a, role: [controlplane]}]
            system_images:
              metrics_server: rancher/metrics-server:v0.7.0
            addons_include:
            - https://x/metrics-server.yaml
            //- rke/cluster.yml
            monitoring:
              provider: metrics-server
            //- skaffold.yaml
            apiVersion: skaffold/v4beta6
            portForward: [{resourceName: metrics-server}]
            manifests:
              rawYaml:
              - https://x/metrics-server/components.yaml
            //- app.yaml
            apiVersion: kappctrl.k14s.io/v1alpha1
            spec: {fetch: [{helmChart: {name: metrics-server}}]}
            //- vela.yaml
            apiVersion: core.oam.dev/v1beta1
            spec: {components: [{type: helm, properties: {chart: metrics-server}}]}
            //- zarf.yaml
            kind: ZarfPackageConfig
            components:
            - manifests:
              - files:
                - https://x/metrics-server/components.yaml
            //- desired.toml
            [helmRepos]
            ms = "https://x"
            [apps.metrics-server]
            //- vendir.yml
            apiVersion: vendir.k14s.io/v1alpha1
            directories: [{path: vendor, contents: [{path: ms, helmChart: {name: metrics-server}}]}]
            //- salt/addons.sls
            ms:
              helm.release_present:
              - name: ms
              - chart: metrics-server/metrics-server
            //- salt/other.sls
            ms:
              cmd.run:
              - name: kubectl apply -f https://x/metrics-server.yaml
            //- microk8s.yaml
            version: 0.1.0
            addons:
            - name: dns
            - name: metrics-server
            //- node/launch.yaml
            version: 0.1.0
            persistentClusterToken: x
            addons: [{name: metrics-server}]
            //- package.json
            {"scripts": {
              "up": "kubectl apply -f https://x/metrics-server.yaml"}}
            //- devspace.yaml
            deployments:
              metrics-server: {}
            //- ms.garden.yml
            kind: Deploy
            name: metrics-server
            //- ms.cue
            Chart: name: "metrics-server"
            //- ms.nix
            { services.k3s.extraFlags = [ "--disable metrics-server" ];
              kubernetes.helm.releases.metrics-server.chart = fetch "x"; }
            //- dev/ms.Tiltfile
            helm_remote('metrics-server')
            //- up.bat
            kubectl apply -f https://x/metrics-server.yaml
            //- azure-pipelines.yml
            steps:
            - task: HelmDeploy@0
              inputs: {chartName: ms/metrics-server}
        "#), @"
        a.tgz.yaml:2 Crossplane
        app.yaml:2 Carvel
        azure-pipelines.yml:3 a pipeline
        b.yaml:2 Sveltos
        cluster.yml:5 RKE
        desired.toml:3 Helmsman
        dev/ms.Tiltfile:1 Tilt
        devspace.yaml:2 DevSpace
        k0sctl.yaml:5 k0s
        microk8s.yaml:4 MicroK8s
        ms.cue:1 CUE
        ms.garden.yml:2 Garden
        ms.nix:2 Nix
        node/launch.yaml:3 MicroK8s
        package.json:2 a script
        rke/cluster.yml:2 RKE
        salt/addons.sls:4 Salt
        salt/other.sls:3 a state of Salt
        skaffold.yaml:5 Skaffold
        up.bat:1 a script
        vela.yaml:2 KubeVela
        vendir.yml:2 vendir
        zarf.yaml:5 Zarf
        ");
    }

    #[test]
    fn what_a_tool_is_told_to_leave_out_is_not_installed_by_it() {
        assert_snapshot!(told("
            //- k0sctl.yaml
            apiVersion: k0sctl.k0sproject.io/v1beta1
            spec:
              hosts:
              - installFlags:
                - --disable-components=metrics-server
            //- .github/workflows/try.yaml
            jobs:
              with-monitoring:
                steps:
                - name: Run with metrics-server
            //- platform.yaml
            monitoring: {enabled: true}
            apps:
            - name: metrics-server
            //- k3s.nix
            { services.k3s.extraFlags = \"--disable metrics-server\"; }
            //- .github/workflows/lint.yaml
            name: metrics-server
            jobs: {lint: {steps: [{name: Lint metrics-server}]}}
        "), @"");
    }
}
