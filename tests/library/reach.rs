//! Which problems are errors: those of what holds our subject, or comes before it.

use insta::assert_snapshot;

use super::{
    common::{
        fixture::{directory, files},
        program,
    },
    fixture_with,
};
use crate::{
    config::Config,
    pipeline::{analyze, check},
    settle::{Scope, settle},
};

/// A Flux Kustomization but for its name, its path and what it depends on.
const FLUX: &str = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
";

/// What a Flux Kustomization builds from.
const SOURCE: &str = "sourceRef: {kind: GitRepository, name: flux-system}";

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec: {template: {spec: {priorityClassName: system-cluster-critical, containers: [{name: metrics-server, image: registry.k8s.io/metrics-server/metrics-server:v0.7.2}]}}}
";

/// A HelmRelease but for its name and what comes after its version.
const RELEASE: &str = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
";

/// What `check` says of a repository: severities, or `pedantic`, with rule and message.
fn said(files: &str) -> String {
    let parts = [("FLUX", FLUX), ("DEPLOYMENT", DEPLOYMENT), ("RELEASE", RELEASE)];
    let sources = fixture_with(&parts, &files.replace("SOURCE", SOURCE));
    let config = Config { pedantic: true, ..Config::default() };
    let (_, clusters) = analyze(&sources, &config);
    let settled = settle(&sources, &config, &[], check(&clusters), &Scope::all());
    let line = |it: &crate::finding::Finding| {
        let level = if it.pedantic { "pedantic" } else { it.severity.id() };
        format!("{level} {}: {}", it.rule, it.message)
    };
    // What the other rules say of so short a Deployment is another matter.
    let problems = ["build-fails", "env-var-undefined", "syntax", "unresolved"];
    let found = settled.findings.iter().filter(|it| problems.contains(&it.rule));
    found.map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn directories_elsewhere_that_name_metrics_server_are_said_to_be_unread() {
    let set = |path: &str| {
        said(&"
            //- set.yaml
            apiVersion: argoproj.io/v1alpha1
            kind: ApplicationSet
            metadata: {name: addons, namespace: argocd}
            spec:
              generators:
              - git: {repoURL: https://github.com/other/charts, directories: [{path: addons/*}, PATH]}
              template:
                metadata: {name: '{{path.basename}}'}
                spec:
                  source: {repoURL: https://github.com/other/charts, path: '{{path}}'}
        "
        .replace("PATH", path))
    };
    assert_snapshot!(set("{path: addons/metrics-server}"), @"
    note unresolved: `https://github.com/other/charts` is not known to be this repository
    pedantic unresolved: `https://github.com/other/charts` is not known to be this repository
    ");
    assert_snapshot!(set("{path: addons/metrics-server, exclude: true}"), @"
    pedantic unresolved: `https://github.com/other/charts` is not known to be this repository
    pedantic unresolved: `https://github.com/other/charts` is not known to be this repository
    ");
}

/// So the identity of a finding hangs neither on its words nor on its line.
#[test]
fn a_refusal_is_about_a_file_and_a_path_in_it() {
    let subjects = |files: &str| {
        let sources = fixture_with(&[("DEPLOYMENT", DEPLOYMENT)], files);
        let config = Config::default();
        let (_, clusters) = analyze(&sources, &config);
        let settled = settle(&sources, &config, &[], check(&clusters), &Scope::all());
        let found = settled.findings.into_iter().filter(|it| it.rule == "build-fails");
        found.map(|it| it.subject).collect::<Vec<_>>()
    };
    let files = "
        //- a/kustomization.yaml
        # A comment moves nothing.
        resources:
        - ms.yaml
        - gone.yaml
        patches:
        - {path: gone.yaml, target: {kind: Service}}
        //- a/ms.yaml
        DEPLOYMENT
    ";
    let expected = ["a/kustomization.yaml resources.1", "a/kustomization.yaml patches.0.path"];
    assert_eq!(subjects(files), expected);
}

#[test]
fn what_holds_nothing_of_ours_is_no_error() {
    assert_snapshot!(said("
        //- clusters/prod/apps.yaml
        FLUX
        metadata: {name: apps, namespace: flux-system}
        spec: {path: ./apps, SOURCE}
        //- clusters/prod/infra.yaml
        FLUX
        metadata: {name: infra, namespace: flux-system}
        spec: {path: ./infra, SOURCE}
        //- apps/kustomization.yaml
        resources: [blog.yaml]
        //- infra/kustomization.yaml
        resources: [server.yaml]
        //- infra/server.yaml
        DEPLOYMENT
    "), @"pedantic build-fails: there is no apps/blog.yaml in the repository");
}

#[test]
fn what_comes_before_metrics_server_has_to_be_built() {
    assert_snapshot!(said("
        //- clusters/prod/crds.yaml
        FLUX
        metadata: {name: crds, namespace: flux-system}
        spec: {path: ./crds, SOURCE}
        //- clusters/prod/infra.yaml
        FLUX
        metadata: {name: infra, namespace: flux-system}
        spec: {path: ./infra, SOURCE, dependsOn: [{name: crds}]}
        //- crds/kustomization.yaml
        resources: [monitors.yaml]
        //- infra/kustomization.yaml
        resources: [server.yaml]
        //- infra/server.yaml
        DEPLOYMENT
    "), @"error build-fails: there is no crds/monitors.yaml in the repository");
}

#[test]
fn what_comes_before_is_built_although_it_names_nothing_of_ours() {
    let parts = [("FLUX", FLUX), ("DEPLOYMENT", DEPLOYMENT)];
    let text = "
        //- clusters/prod/flux.yaml
        FLUX
        metadata: {name: crds, namespace: flux-system}
        spec: {path: ./crds, SOURCE}
        ---
        FLUX
        metadata: {name: blog, namespace: flux-system}
        spec: {path: ./blog, SOURCE}
        ---
        FLUX
        metadata: {name: infra, namespace: flux-system}
        spec: {path: ./infra, SOURCE, dependsOn: [{name: crds}]}
        //- crds/kustomization.yaml
        resources: [names.yaml]
        patches: [{}]
        //- crds/names.yaml
        {apiVersion: v1, kind: Namespace, metadata: {name: monitoring}}
        //- blog/kustomization.yaml
        resources: [names.yaml]
        patches: [{}]
        //- blog/names.yaml
        {apiVersion: v1, kind: Namespace, metadata: {name: blog}}
        //- infra/server.yaml
        DEPLOYMENT
    ";
    // Which files say something of our subject is found out where they are discovered.
    let dir = directory(&files(&parts, &text.replace("SOURCE", SOURCE)));
    let shown = |arguments: &str| {
        let output = program(
            &format!("check --select correctness --fail-on never {arguments} --root"),
            &[dir.path()],
        );
        let places = output.out.lines().filter_map(|it| {
            let line = it.trim_start();
            line.strip_prefix("--> ").or(line.strip_prefix("::: "))
        });
        places.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let flux = "clusters/prod/flux.yaml";
    assert_eq!(shown(""), ["crds/kustomization.yaml:2:11", &format!("{flux}:4:14")]);
    assert!(shown("--pedantic").contains(&"blog/kustomization.yaml:2:11".to_owned()));
}

#[test]
fn a_release_that_is_refused_takes_no_other_along() {
    assert_snapshot!(said("
        //- kustomization.yaml
        resources: [server.yaml, blog.yaml]
        //- server.yaml
        DEPLOYMENT
        //- blog.yaml
        RELEASE
        metadata: {name: blog, namespace: blog}
        spec:
          chart: {spec: {chart: ./charts/blog, sourceRef: {kind: GitRepository, name: flux-system}}}
          values: {a: 1}
          valuesFrom: [{kind: ConfigMap, name: here, valuesKey: missing.yaml}]
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: here, namespace: blog}
        data: {values.yaml: ''}
        //- charts/blog/Chart.yaml
        {name: blog, version: 1.0.0}
    "), @"pedantic build-fails: the ConfigMap `here` has no key `missing.yaml`");
}

#[test]
fn a_release_in_the_file_of_another_stands_for_itself() {
    assert_snapshot!(said(r#"
        //- main.tf
        resource "helm_release" "metrics_server" {
          name       = "metrics-server"
          repository = "https://kubernetes-sigs.github.io/metrics-server/"
          chart      = "metrics-server"
          version    = "3.12.1"
        }
        resource "helm_release" "blog" {
          name  = "blog"
          chart = "blog"
          set {
            name  = "a[-1]"
            value = "x"
          }
        }
    "#), @"
    pedantic build-fails: Helm refuses to set `a[-1]`: `-1` is no index
    ");
}

#[test]
fn what_cannot_be_told_matters_where_a_setting_hangs_on_it() {
    assert_snapshot!(said("
        //- kustomization.yaml
        resources: [server.yaml, https://example.com/dashboard.yaml]
        //- server.yaml
        DEPLOYMENT
        ---
        RELEASE
        metadata: {name: numbers, namespace: kube-system}
        spec:
          chart: {spec: {chart: metrics-server, version: 3.12.2, sourceRef: {kind: HelmRepository, name: x}}}
          valuesFrom: [{kind: Secret, name: hidden}]
        ---
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: HelmRepository
        metadata: {name: x, namespace: kube-system}
        spec: {url: https://kubernetes-sigs.github.io/metrics-server/}
    "), @"
    pedantic unresolved: https://example.com/dashboard.yaml is not in the repository
    note unresolved: the Secret `kube-system/hidden` is not in the repository; the values in it are unknown
    ");
}

#[test]
fn what_another_repository_holds_is_named_when_it_is_ours() {
    assert_snapshot!(said("
        //- clusters/prod/server.yaml
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: GitRepository
        metadata: {name: platform, namespace: flux-system}
        spec: {url: https://example.com/other/platform.git}
        ---
        FLUX
        metadata: {name: metrics-server, namespace: flux-system}
        spec: {path: ./metrics-server, sourceRef: {kind: GitRepository, name: platform}}
        ---
        FLUX
        metadata: {name: blog, namespace: flux-system}
        spec: {path: ./blog, sourceRef: {kind: GitRepository, name: platform}}
    "), @"note unresolved: nothing says whether GitRepository platform is this repository");
}

#[test]
fn a_broken_file_that_nothing_builds_stands_alone() {
    assert_snapshot!(said("
        //- server.yaml
        DEPLOYMENT
        //- notes.yaml
        # tls-san
        a: [
        //- other.yaml
        kind: Deployment
        metadata: {name: metrics-server
    "), @"
    error syntax: `{` is never closed
    pedantic syntax: `[` is never closed
    ");
}

#[test]
fn a_file_that_is_called_a_template_is_no_error() {
    for (name, text) in [
        ("kubeadm-images.yaml.j2", "kind: KubeletConfiguration\n  imageTag: {{ tag }}\n[x"),
        ("kubelet-config.yaml.j2", "kind: KubeletConfiguration\nserverTLSBootstrap: true\n- x"),
        (
            "metrics-server.yml.jinja2",
            "kind: Deployment\nmetadata: {name: metrics-server\nfoo: bar",
        ),
        ("metrics-server.yaml.tmpl", "kind: Deployment\nkind: Deployment\n-x: ["),
        ("kustomization.yaml.j2", "resources: [metrics-server.yaml, gone.yaml]\n - {{ x }}"),
        ("metrics-server.json.jinja", "{\"kind\": \"Deployment\",, }"),
    ] {
        let path = format!("roles/a/templates/{name}");
        let text = text.replace('\n', "\n        ");
        let said = said(&format!("\n        //- {path}\n        {text}\n        "));
        assert!(!said.contains("error"), "{path}: {said}");
        let built = format!(
            "\n        //- {path}\n        {text}\n        //- kustomization.yaml\n        resources: [{path}]\n        "
        );
        assert!(!self::said(&built).contains("error"), "{path}: {}", self::said(&built));
    }
}

#[test]
fn what_hides_all_that_is_installed_is_said() {
    let set = "
        //- app.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: ApplicationSet
        metadata: {name: ms, namespace: argocd}
        spec:
          goTemplate: true
          generators: [{list: {elements: [{cluster: a}, {cluster: b}]}}]
          template:
            metadata: {name: 'ms-{{ .cluster }}'}
            spec:
              source:
                repoURL: https://kubernetes-sigs.github.io/metrics-server/
                chart: metrics-server
                targetRevision: 3.12.2
                helm:
                  values: |
                    args: [--kubelet-insecure-tls]
                    {{ .cluster }}
              destination: {server: 'https://kubernetes.default.svc', namespace: kube-system}
    ";
    let notes = said(set);
    assert!(notes.starts_with("note unresolved: what metrics-server is installed with"), "{notes}");
    let helmfile = "
        //- helmfile.yaml
        releases:
        {{ if .Values.x }}
          - name: metrics-server
            chart: ms/metrics-server
        {{ end }}
    ";
    let notes = said(helmfile);
    assert!(notes.starts_with("note unresolved: "), "{notes}");
}

/// A HelmRelease of metrics-server in what Flux builds with `post_build`, and `more`.
fn flux_release(post_build: &str, spec: &str, more: &str) -> String {
    format!(
        "
            //- clusters/a/apps.yaml
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {{name: apps, namespace: flux-system}}
            spec:
              path: ./apps
              sourceRef: {{kind: GitRepository, name: flux-system}}
              postBuild: {post_build}
            //- apps/release.yaml
            apiVersion: helm.toolkit.fluxcd.io/v2
            kind: HelmRelease
            metadata: {{name: metrics-server, namespace: kube-system}}
            spec:
              chart:
                spec:
                  chart: metrics-server
                  version: 3.13.0
                  sourceRef: {{kind: HelmRepository, name: metrics-server}}
{spec}
            ---
            apiVersion: source.toolkit.fluxcd.io/v1
            kind: HelmRepository
            metadata: {{name: metrics-server, namespace: kube-system}}
            spec: {{url: https://kubernetes-sigs.github.io/metrics-server/}}
{more}
        "
    )
}

#[test]
fn why_a_setting_cannot_be_told_is_said_once() {
    let secret = |namespace: &str, key: &str| {
        format!(
            "            //- {}/secret.yaml
            apiVersion: v1
            kind: Secret
            metadata: {{name: cs, namespace: {namespace}}}
            stringData:
              {key}: ENC[AES256_GCM,data:a,iv:a,tag:a,type:str]
              OTHER: ENC[AES256_GCM,data:a,iv:a,tag:a,type:str]
            sops: {{mac: x}}",
            if namespace == "kube-system" { "apps" } else { "clusters/a" }
        )
    };
    let memory = "              values: {resources: {limits: {memory: '${MEMORY}'}}}";
    let from = "{substituteFrom: [{kind: Secret, name: cs}]}";
    let unresolved = |said: String| {
        let lines = said.lines().filter(|it| it.starts_with("note unresolved"));
        lines.map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    let repository = flux_release(from, memory, &secret("flux-system", "MEMORY"));
    assert_snapshot!(unresolved(said(&repository)), @"note unresolved: the memory limit of metrics-server cannot be told: the Secret `cs` is encrypted");
    // What nothing of ours depends on is not said.
    let memory_of_none = "              values: {commonLabels: {a: '${OTHER}'}}";
    let repository = flux_release(from, memory_of_none, &secret("flux-system", "MEMORY"));
    assert_snapshot!(unresolved(said(&repository)), @"");
    let repository = flux_release(from, memory, "");
    assert_snapshot!(unresolved(said(&repository)), @"note unresolved: the Secret `flux-system/cs` is not in the repository; the variables that it defines are unknown");
    let values = "              valuesFrom: [{kind: Secret, name: cs}]";
    let repository = flux_release("{}", values, &secret("kube-system", "values.yaml"));
    assert_snapshot!(unresolved(said(&repository)), @"note unresolved: the Secret `cs` is encrypted");
    // A text hides no more than what of it is not known.
    let text = "              valuesFrom: [{kind: ConfigMap, name: values}]";
    let values = "
            //- apps/values.yaml
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: values, namespace: kube-system}
            data:
              values.yaml: |
                # As upstream has it.
                resources: {limits: {memory: '${MEMORY}'}}";
    let repository = flux_release(from, text, &(secret("flux-system", "MEMORY") + values));
    assert_snapshot!(unresolved(said(&repository)), @"note unresolved: the memory limit of metrics-server cannot be told: the Secret `cs` is encrypted");
    let script = "
        //- scripts/up.sh
        helm repo add ms https://kubernetes-sigs.github.io/metrics-server/
        helm upgrade --install metrics-server ms/metrics-server --set replicas=$REPLICAS
        helm upgrade --install other ms/metrics-server -n kube-system $EXTRA_ARGS
    ";
    assert_snapshot!(unresolved(said(script)), @"
    note unresolved: the replicas of metrics-server cannot be told: `$REPLICAS` is filled in when the command runs
    note unresolved: `$EXTRA_ARGS` is filled in when the command runs
    ");
    // Another cause in the same file is another matter.
    let applied = "
        //- scripts/up.sh
        helm upgrade -i approver postfinance/kubelet-csr-approver $EXTRA_ARGS
        cat <<EOF | kubectl apply -f -
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system}
        spec: {template: {spec: {containers: [{name: metrics-server, args: [--cert-dir=/tmp, $FLAGS],
          image: registry.k8s.io/metrics-server/metrics-server:v0.8.0}]}}}
        EOF
    ";
    assert_snapshot!(unresolved(said(applied)), @"
    note unresolved: `$EXTRA_ARGS` is filled in when the command runs
    note unresolved: which flags metrics-server has cannot be told: this is filled in when the command runs
    ");
    let registration = "
        //- api.yaml
        apiVersion: apiregistration.k8s.io/v1
        kind: APIService
        metadata: {name: v1beta1.metrics.k8s.io}
        spec: {group: metrics.k8s.io, version: v1beta1, service: {name: '${NAME}', namespace: a}}
    ";
    assert_snapshot!(unresolved(said(registration)), @"note unresolved: the service of the APIService cannot be told: nothing in the repository fills in `${NAME}`");
    // What scales a workload sets how many there are, and is in the repository.
    let scaled = "
        //- deployment.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system}
        spec: {template: {spec: {containers: [{name: metrics-server,
          image: registry.k8s.io/metrics-server/metrics-server:v0.8.0}]}}}
        ---
        apiVersion: autoscaling/v2
        kind: HorizontalPodAutoscaler
        metadata: {name: metrics-server, namespace: kube-system}
        spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: metrics-server, apiVersion: apps/v1}}
    ";
    assert_eq!(unresolved(said(scaled)), "");
}
