//! What is posted with an issue says nothing that its author would not.

use std::{collections::BTreeSet, fs};

use proptest::{prelude::*, sample::select};
use serde_json::Value as Json;

use super::{
    common::{
        fixture::{Files, directory, files},
        program,
    },
    scenarios::{scenario, scenarios},
};

/// What every private word holds, and no other one.
const MARK: &str = "zq";

/// What a repository is full of that says something, with a letter for each private word.
const REPOSITORY: &str = "
//- clusters/@a/flux-system/gotk-sync.yaml
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: @b, namespace: @c}
spec: {url: 'https://@d.example/@e/@f.git'} # @g says so
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: @b, namespace: @c}
spec:
  path: ./clusters/@a
  sourceRef: {kind: GitRepository, name: @b}
//- clusters/@a/apps.yaml
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: @h, namespace: @c}
spec:
  path: ./@i/metrics
  sourceRef: {kind: GitRepository, name: @b}
  postBuild:
    substitute: {@j: 64Mi, memory: '@k'}
    substituteFrom: [{kind: Secret, name: @l}, {kind: ConfigMap, name: @m}]
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: @n, namespace: @c}
spec: {path: ./@o/@p, sourceRef: {kind: GitRepository, name: @b}}
//- @i/metrics/release.yaml
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: @q, namespace: @r}
spec:
  chart:
    spec:
      chart: metrics-server
      version: 3.12.2
      sourceRef: {kind: HelmRepository, name: @s, namespace: @c}
  values:
    replicas: '@t'
    @u: {@v: '@w'}
    image: {repository: '@d.example:5000/@e/metrics-server', tag: 'v0.7.2-@x'}
    args: ['--kubelet-insecure-tls', '--@y=@z', '--metric-resolution=@k', '--tls-cert-file=/@a/@b.pem']
    priorityClassName: '@t'
    nodeSelector: {@u: '@v'}
    podLabels: {'@d.example/@w': '@x'}
    resources: {limits: {memory: '${@j}', cpu: '${@y:=@z}'}, requests: {memory: '@k'}}
//- @i/metrics/repository.yaml
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: @s, namespace: @c}
spec: {url: 'https://@b:@c@charts.@d.example/@e'}
//- overlays/@a/kustomization.yaml
namespace: @r
namePrefix: '@h'
resources: [../../base, ../@o, 'https://@d.example/@e//@f?ref=@g']
components: [../../@p]
configMapGenerator: [{name: @q, envs: [@s.env], literals: ['@t=@u']}]
patches:
- path: @v.yaml
- target: {kind: Deployment, name: @w}
  patch: |
    - {op: replace, path: /spec/@x, value: '@y'}
@z: true
//- base/kustomization.yaml
resources: [server.yaml, @a.yaml]
//- base/@a.yaml
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: @b, namespace: @c}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: @d}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
kind: '@e'
apiVersion: '@f/v1'
metadata: {name: @g}
//- base/server.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: @h}
spec:
  template:
    metadata: {annotations: {'@i': '@j'}}
    spec:
      serviceAccountName: @k
      containers:
      - name: '@l'
        image: '@m/@n:@o'
        args: [--cert-dir=/@p, '@q', --@r, '--kubelet-request-timeout=@s']
        env: [{name: @t, value: '@u'}]
        resources: {limits: {memory: @v}}
//- argo/@w.yaml
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: @x, namespace: @y}
spec:
  destination: {server: 'https://@z.@a.example:6443', namespace: @b}
  source: {repoURL: 'https://kubernetes-sigs.github.io/metrics-server', chart: metrics-server,
    targetRevision: '@c', helm: {releaseName: @d, parameters: [{name: @e, value: '@f'}], valueFiles: [@g.yaml]}}
//- @h/kubelet.yaml
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
serverTLSBootstrap: '@i'
clusterDomain: '@j'
//- @k/@l.sh
helm upgrade --install @m '@n/metrics-server' --kube-context @o -n @p --set 'args={--@q}' -f @r.yaml
kubectl --context @s apply -f https://@t.example/metrics-server/@u.yaml
//- terraform/main.tf
resource \"helm_release\" \"@v\" {
  name       = \"@w\"
  chart      = \"metrics-server\"
  repository = \"https://@x.example/@y\"
  namespace  = var.@z
  values     = [file(\"@a.yaml\"), yamlencode({ \"@b\" = local.@c })]
}
//- broken/@d.yaml
kind: Deployment # metrics-server of @e
metadata: {name: '@f
//- .metrics-server-lint.yaml
environments:
  clusters/@a: {nodes: 30}
  '@g': {nodes: 3}
";

/// `REPOSITORY` with these words.
fn repository(words: &[String]) -> Files {
    let mut text = REPOSITORY.to_owned();
    for (letter, word) in ('a'..='z').zip(words) {
        text = text.replace(&format!("@{letter}"), word);
    }
    files(&[], &text)
}

/// The report of `files`, which says none of their private words.
fn report(files: &Files, arguments: &str) -> Json {
    let dir = directory(files);
    let output = program(&format!("report {arguments} --root"), &[dir.path()]);
    let told = format!("{}{}", output.out, output.err);
    let leaks: Vec<&str> =
        told.lines().filter(|it| it.to_lowercase().contains(MARK)).take(3).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert_eq!(output.status, 0, "{}", output.err);
    serde_json::from_str(&output.out).unwrap()
}

/// Words as people choose them, each with the mark in every part that another one could know.
fn word() -> impl Strategy<Value = String> {
    let shape = select(vec![
        "zq#",
        "zq-#",
        "zq#-prod",
        "metrics-server-zq#",
        "ZQ_#",
        "prod.zq#",
        "zqé#",
        "zq#zq",
        "v1-zq#",
        "kube-system-zq#",
        "10zq#",
        "zq+#",
    ]);
    (shape, "[a-z0-9]{1,6}").prop_map(|(shape, letters)| shape.replace('#', &letters))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_private_word_is_reported(words in proptest::collection::vec(word(), 26)) {
        let report = report(&repository(&words), "");
        // There is something to say nothing of.
        prop_assert!(!report["show"]["environments"].as_array().unwrap().is_empty());
        prop_assert!(!report["check"]["findings"].as_array().unwrap().is_empty());
    }
}

/// Every name in the repositories of others is somebody's.
#[test]
fn no_name_of_a_scenario_is_reported() {
    const PUBLIC: [&str; 12] = [
        "kustomization",
        "metrics-server",
        "values",
        "Chart",
        "charts",
        "templates",
        "fleet",
        "kubelet",
        "kube-system",
        "flux-system",
        "helmfile",
        "cluster",
    ];
    for scenario in scenarios() {
        let paths = walkdir::WalkDir::new(&scenario.dir).sort_by_file_name().into_iter();
        let paths = paths.map(Result::unwrap).filter(|it| it.file_type().is_file());
        let mut files: Files = Vec::new();
        let mut names = BTreeSet::new();
        for path in paths {
            let Ok(text) = fs::read_to_string(path.path()) else { continue };
            let path = path.path().strip_prefix(&scenario.dir).unwrap().display().to_string();
            names.extend(path.split('/').filter_map(|it| it.split('.').next()).map(str::to_owned));
            files.push((path, text));
        }
        names.retain(|it| it.len() > 2 && !PUBLIC.contains(&&**it));
        let all = names.iter().map(|it| regex::escape(it)).collect::<Vec<_>>().join("|");
        if all.is_empty() {
            continue;
        }
        let name = regex::Regex::new(&format!(r"\b(?:{all})\b")).unwrap();
        let marked = |it: &str| name.replace_all(it, "zq${0}zq").into_owned();
        let files = files.iter().map(|(path, text)| (marked(path), marked(text))).collect();
        report(&files, "");
    }
}

#[test]
fn one_word_is_one_stand_in() {
    let words: Vec<String> = ('a'..='z').map(|it| format!("zq{it}")).collect();
    let files = repository(&words);
    let all = report(&files, "");
    assert_eq!(all.as_object().unwrap().keys().next().unwrap(), "format");
    let text = all.to_string();
    for kept in [
        "kube",
        "metrics-server",
        "3.12.2",
        "--kubelet-insecure-tls",
        "helm-release",
        "64Mi",
        "HelmRelease",
        "kustomization.yaml",
        "gotk-sync.yaml",
        "kubernetes-sigs.github.io",
    ] {
        assert!(text.contains(kept), "{kept}");
    }
    // The environment is called by the directory in which it starts.
    let first = &all["show"]["environments"][0];
    let (name, file) = (first["name"].as_str().unwrap(), first["entry"]["file"].as_str().unwrap());
    assert!(file.starts_with(&format!("{name}/")), "{first}");
    assert!(all["redacted"].as_object().unwrap().values().all(Json::is_u64));
}

#[test]
fn a_word_that_is_kept_stays_and_one_environment_is_enough() {
    let dir = scenario("flux_platform").dir;
    let told = |arguments: &str| program(&format!("report {arguments} --root"), &[&dir]);
    let json: Json = serde_json::from_str(&told("--environment prod").out).unwrap();
    assert_eq!(json["show"]["environments"].as_array().unwrap().len(), 1);
    assert!(!told("").out.contains("testdata"));
    let words: Vec<String> = ('a'..='z').map(|it| format!("zq{it}")).collect();
    let own = directory(&repository(&words));
    let kept = program("report --keep zqi --root", &[own.path()]);
    assert!(kept.out.contains("zqi/metrics/release.yaml"), "{}", kept.out);
    assert!(!kept.out.contains("zqa"), "{}", kept.out);
    assert!(kept.err.contains("read it before you post it"), "{}", kept.err);
    assert_eq!(told("-q").err, "");
    let wrong = told("--environment nowhere");
    assert_eq!(wrong.status, 2);
    assert!(wrong.out.contains("\"error\"") && !wrong.out.contains("nowhere"), "{}", wrong.out);
}

#[test]
fn the_schema_has_what_is_there() {
    let schema: Json =
        serde_json::from_str(include_str!("../../schema/issue.schema.json")).unwrap();
    let words: Vec<String> = ('a'..='z').map(|it| format!("zq{it}")).collect();
    let all = report(&repository(&words), "");
    let known: BTreeSet<&String> = schema["properties"].as_object().unwrap().keys().collect();
    for key in all.as_object().unwrap().keys() {
        assert!(known.contains(key), "{key} is not in the schema");
    }
}
