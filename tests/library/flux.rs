//! Flux's trees of Kustomizations, `postBuild` and HelmReleases: what comes out, and from where.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::json;

use super::{common::fixture::files, fixture, nowhere, unindented, ways, with};
use crate::{
    config::Config,
    pipeline::analyze,
    problem::ProblemKind,
    resolve::{
        self,
        context::{Context, Purpose},
        environment::{EntryKind, Environment, Object, Release},
        flux::{post_build, releases, resolve},
        layout::Layout,
    },
    scalar::Dialect,
    source::{Relevance, Sources, Text},
    tree::Node,
};

fn environment(objects: &[Node]) -> Environment {
    Environment {
        objects: objects.iter().cloned().map(Object::new).collect(),
        ..Environment::new("test", EntryKind::Flux, nowhere())
    }
}

fn objects(sources: &Sources, path: &str) -> Vec<Node> {
    let file = sources.find(path).expect("the file is there");
    sources.documents(file, Dialect::Kyaml).roots().cloned().collect()
}

const SUBSTITUTE: &str = "\
spec:
  postBuild:
    substituteFrom:
      - {kind: ConfigMap, name: vars}
      - {kind: Secret, name: secrets}
    substitute:
      INLINE: here
";

const VARS: &str = "\
kind: ConfigMap
metadata: {name: vars, namespace: flux-system}
data:
  LIMIT: 256Mi
  COUNT: \"3\"
  INLINE: there
---
kind: Secret
metadata: {name: secrets, namespace: flux-system}
data: {TOKEN: c2VjcmV0}
stringData: {HIDDEN: 'ENC[AES256_GCM,data:x]'}
";

/// What becomes of `object` in a Kustomization with the variables of [`SUBSTITUTE`] and [`VARS`].
fn substituted(purpose: Purpose, object: &str) -> String {
    substituted_by(SUBSTITUTE, purpose, object)
}

/// What becomes of `object` beside [`VARS`] in a Kustomization with `spec`; then what is wrong.
fn substituted_by(spec: &str, purpose: Purpose, object: &str) -> String {
    let kustomization =
        format!("kind: Kustomization\nmetadata: {{namespace: flux-system}}\n{spec}");
    let object = unindented(object);
    let files = [("flux.yaml", &*kustomization), ("vars.yaml", VARS), ("x.yaml", &object)];
    let sources = Sources::in_memory(files);
    let flux = objects(&sources, "flux.yaml").remove(0);
    let all = ["x.yaml", "vars.yaml"].map(|path| objects(&sources, path)).concat();
    let mut problems = Vec::new();
    let config = Config::default();
    let context = Context::new(&sources, &config, purpose);
    let text = match post_build(&context, &flux, &all, &mut problems) {
        Ok(built) => ways::values(&sources, &built[0]),
        Err(problem) => {
            problems.push(problem);
            String::new()
        }
    };
    text + &ways::problems(&sources, &problems)
}

#[test]
fn values_are_substituted_and_know_by_what() {
    assert_snapshot!(substituted(Purpose::Judge, r#"
        kind: X
        spec:
          memory: "${LIMIT}"
          replicas: '${COUNT}'
          args: ['--limit=${LIMIT}', --plain, '${INLINE}']
          token: ${TOKEN}
          hidden: a ${HIDDEN} b
          default: ${NONE:=7}
          dollars: $${LIMIT} $LIMIT
    "#), @r#"
    kind: X  x.yaml:1
    spec.args:
      - --limit=256Mi  x.yaml:5 substituted `'--limit=${LIMIT}'` < vars.yaml:4 `256Mi`
      - --plain  x.yaml:5
      - here  x.yaml:5 substituted `'${INLINE}'` < flux.yaml:9
    spec.default: 7  x.yaml:8 `${NONE:=7}`
    spec.dollars: ${LIMIT} $LIMIT  x.yaml:9 `$${LIMIT} $LIMIT`
    spec.hidden: unknown: the Secret `secrets` is encrypted  x.yaml:7 substituted `a ${HIDDEN} b` < vars.yaml:11 `'ENC[AES256_GCM,data:x]'`
    spec.memory: 256Mi  x.yaml:3 substituted `"${LIMIT}"` < vars.yaml:4
    spec.replicas: 3  x.yaml:4 substituted `'${COUNT}'` < vars.yaml:5 `"3"`
    spec.token: secret  x.yaml:6 substituted `${TOKEN}` < vars.yaml:10 `c2VjcmV0`
    "#);
}

#[test]
fn an_undefined_variable_is_reported_where_it_is_used() {
    let told = |purpose| {
        let object = "
            kind: X
            spec:
              a: 'x ${NONE} ${LIMIT} ${NONE}'
              b: |
                line
                more ${OTHER}
        ";
        let text = substituted(purpose, object);
        text.lines().filter(|it| !it.starts_with(' ')).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(told(Purpose::Judge), @"
    kind: X  x.yaml:1
    spec.a: unknown: nothing defines the variable `NONE`  x.yaml:3 substituted `'x ${NONE} ${LIMIT} ${NONE}'` < vars.yaml:4 `256Mi`
    spec.b: unknown: nothing defines the variable `OTHER`  x.yaml:5 `line`
    env-var-undefined: no substitution source defines `NONE`  x.yaml:3:9 `${NONE}`
    env-var-undefined: no substitution source defines `NONE`  x.yaml:3:26 `${NONE}`
    env-var-undefined: no substitution source defines `OTHER`  x.yaml:6:10 `${OTHER}`
    ");
    assert_snapshot!(told(Purpose::Render), @r#"
    kind: X  x.yaml:1
    spec.a: x  256Mi  x.yaml:3 substituted `'x ${NONE} ${LIMIT} ${NONE}'` < vars.yaml:4 `256Mi`
    spec.b: "line\nmore \n"  x.yaml:5 `line`
    env-var-undefined: no substitution source defines `NONE`, and an old controller puts nothing there in X  x.yaml:3:9 `${NONE}`
    env-var-undefined: no substitution source defines `NONE`, and an old controller puts nothing there in X  x.yaml:3:26 `${NONE}`
    env-var-undefined: no substitution source defines `OTHER`, and an old controller puts nothing there in X  x.yaml:6:10 `${OTHER}`
    "#);
}

#[test]
fn an_undefined_variable_leads_to_where_it_could_be_defined() {
    assert_snapshot!(substituted(Purpose::Judge, "a: ${NONE}"), @"
    a: unknown: nothing defines the variable `NONE`  x.yaml:1 `${NONE}`
    env-var-undefined: no substitution source defines `NONE`  x.yaml:1:4 `${NONE}`
      the ConfigMap `vars` is searched  flux.yaml:6:33 `vars`
      variables of the ConfigMap `vars` are defined here  vars.yaml:6:11 `there`
      the Secret `secrets` is searched  flux.yaml:7:30 `secrets`
      variables of the Secret `secrets` are defined here  vars.yaml:11:22 `'ENC[AES256_GCM,data:x]'`
      variables are defined here  flux.yaml:9:7 `INLINE: here`
    ");
}

#[test]
fn what_breaks_the_whole_kustomization() {
    assert_snapshot!(substituted(Purpose::Judge, "
        kind: X
        a: 'see ${a.b} there'
    "), @"build-fails: Flux cannot substitute this expression: missing closing brace  x.yaml:2:9 `${a.b}`");
    let spec = "spec: {postBuild: {substitute: {not-a-name: x}}}";
    assert_snapshot!(substituted_by(spec, Purpose::Judge, "kind: X"), @"
    build-fails: `not-a-name` cannot be the name of a variable  flux.yaml:3:45 `x`
      this substitutes it, and fails  flux.yaml:3:19 `{substitute: {not-a-name: x}}`
    ");
    let spec = r#"spec: {postBuild: {substitute: {QUOTE: "it's"}}}"#;
    assert_snapshot!(substituted_by(spec, Purpose::Judge, "
        kind: X
        a: '- ${QUOTE}'
    "), @r#"
    build-fails: what the substitution here leaves cannot be read: only a comment can follow a quoted text  x.yaml:2:7 `${QUOTE}`
      this value is put there  flux.yaml:3:40 `"it's"`
    "#);
}

#[test]
fn variables_that_are_not_in_the_repository_are_unknown_not_missing() {
    let from = "{substitute: {C: c}, substituteFrom: [{kind: ConfigMap, name: terraform}]}";
    let spec = format!("spec: {{postBuild: {from}}}");
    assert_snapshot!(substituted_by(&spec, Purpose::Judge, "
        kind: X
        a: ${A}
        b: ${B:=default}
        c: ${C}
    "), @"
    a: unknown: the ConfigMap `flux-system/terraform` is not in the repository  x.yaml:2 `${A}`
    b: unknown: the ConfigMap `flux-system/terraform` is not in the repository  x.yaml:3 `${B:=default}`
    c: c  x.yaml:4 substituted `${C}` < flux.yaml:3
    kind: X  x.yaml:1
    unresolved: the ConfigMap `flux-system/terraform` is not in the repository; the variables that it defines are unknown  flux.yaml:3:81 `terraform`
    ");
}

#[test]
fn a_missing_source_is_no_matter_until_an_expression_may_ask_it() {
    let from = "{substitute: {A: a}, substituteFrom: [{kind: Secret, name: cluster-secrets}]}";
    let spec = format!("spec: {{postBuild: {from}}}");
    assert_snapshot!(substituted_by(&spec, Purpose::Judge, "
        kind: X
        a: ${A}
    "), @"
    a: a  x.yaml:2 substituted `${A}` < flux.yaml:3
    kind: X  x.yaml:1
    ");
}

const CONFIG_MAPS: &str = r#"kind: ConfigMap
apiVersion: v1
metadata: {name: a, namespace: apps}
data:
  values.yaml: |
    replicas: 2
    args: [--a]
    resources: {limits: {memory: 1Gi}}
  r: '7'
  t: '"true"'
---
kind: ConfigMap
apiVersion: v1
metadata: {name: b, namespace: apps}
data: {values.yaml: 'args: [--b]'}
---
kind: ConfigMap
apiVersion: v1
metadata: {name: broken, namespace: apps}
data: {values.yaml: 'args: [--b'}
---
"#;

/// The values of a HelmRelease with `values`, beside the ConfigMaps `a` and `b`.
fn values(values: &str) -> String {
    let release = "
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: metrics-server, namespace: apps}
        spec:
          targetNamespace: kube-system
          chart: {spec: {chart: metrics-server, version: 3.12.2}}
    ";
    let values = unindented(values).replace('\n', "\n  ");
    let release = format!("{}  {}", unindented(release), values.trim_end());
    let sources = Sources::in_memory([("maps.yaml", CONFIG_MAPS), ("ms.yaml", &release)]);
    let all = ["maps.yaml", "ms.yaml"].map(|path| objects(&sources, path)).concat();
    let mut environment = environment(&all);
    with(&sources, |context| releases(context, &mut environment));
    let release = environment.releases.first().expect("a release");
    assert_eq!(release.name, "kube-system-metrics-server");
    assert_eq!(release.namespace, "kube-system");
    ways::values(&sources, &release.values)
}

#[test]
fn later_values_win_and_inline_ones_over_all() {
    assert_snapshot!(values("
        valuesFrom: [{kind: ConfigMap, name: a}, {kind: ConfigMap, name: b}]
        values: {replicas: 4}
    "), @"
    replicas: 4  maps.yaml:6 overridden `2` < ms.yaml:8
    args:
      - --b  ms.yaml:7 values `{kind: ConfigMap, name: b}` < maps.yaml:15
    resources.limits.memory: 1Gi  ms.yaml:7 values `{kind: ConfigMap, name: a}` < maps.yaml:8
    ");
}

#[test]
fn whether_a_target_path_wins_depends_on_what_is_shared() {
    // At the top inline values win again at the end.
    assert_snapshot!(values("
        valuesFrom: [{kind: ConfigMap, name: a, valuesKey: r, targetPath: replicas}]
        values: {replicas: 2}
    "), @"replicas: 2  maps.yaml:9 overridden `'7'` < ms.yaml:8");
    // In a map that only the inline values have, the path wins.
    assert_snapshot!(values("
        valuesFrom: [{kind: ConfigMap, name: a, valuesKey: r, targetPath: m.x}]
        values: {m: {x: 1, y: 1}}
    "), @"
    m.x: 7  ms.yaml:8 overridden `1` < ms.yaml:7 values `m.x` < maps.yaml:9 `'7'`
    m.y: 1  ms.yaml:8
    ");
    // In a map that an earlier reference has too, inline values win.
    assert_snapshot!(values("
        valuesFrom:
        - {kind: ConfigMap, name: a}
        - {kind: ConfigMap, name: a, valuesKey: r, targetPath: resources.limits.memory}
        values: {resources: {limits: {memory: 2Gi}}, args: [--c]}
    "), @"
    replicas: 2  ms.yaml:8 values `{kind: ConfigMap, name: a}` < maps.yaml:6
    args:
      - --c  ms.yaml:10
    resources.limits.memory: 2Gi  maps.yaml:9 overridden `'7'` < ms.yaml:10
    ");
    assert_snapshot!(values(r"
        valuesFrom: [{kind: ConfigMap, name: a, valuesKey: t, targetPath: p.a\.b}]
    "), @r#"p.a.b: "true"  ms.yaml:7 values `p.a\.b` < maps.yaml:10 `'"true"'`"#);
}

#[test]
fn values_that_are_not_in_the_repository_are_unknown() {
    assert_snapshot!(values("
        valuesFrom: [{kind: ConfigMap, name: b}, {kind: Secret, name: none, optional: true}]
        values: {replicas: 2}
    "), @"
    replicas: 2  ms.yaml:8
    *: unknown: the Secret `apps/none` is not in the repository
    ");
}

#[test]
fn what_flux_refuses_of_values_is_unknown_below_those_inline() {
    for refused in [
        "{kind: ConfigMap, name: a, valuesKey: t}",
        "{kind: ConfigMap, name: a, valuesKey: none}",
        "{kind: ConfigMap, name: broken}",
        "{kind: Certificate, name: a}",
    ] {
        let values = values(&format!(
            "valuesFrom: [{{kind: ConfigMap, name: a}}, {refused}]\nvalues: {{replicas: 4}}\n"
        ));
        let [replicas, rest] = &values.lines().collect::<Vec<_>>()[..] else {
            panic!("{refused}: {values}");
        };
        assert!(replicas.starts_with("replicas: 4 "), "{refused}: {replicas}");
        assert!(rest.starts_with("*: unknown: "), "{refused}: {rest}");
    }
    // Of a path only what it leads to is not known.
    assert_snapshot!(values("
        valuesFrom:
        - {kind: ConfigMap, name: a}
        - {kind: ConfigMap, name: a, valuesKey: none, targetPath: image.tag}
        - {kind: ConfigMap, name: a, valuesKey: r, targetPath: replicas.count}
        - {kind: ConfigMap, name: a, valuesKey: r, targetPath: 'args['}
        values: {args: [--c]}
    "), @"
    replicas: unknown: `count` is looked for in something that is no mapping  maps.yaml:6 overridden `2` < ms.yaml:10 `replicas.count`
    args:
      - --c  ms.yaml:12
    resources.limits.memory: 1Gi  ms.yaml:8 values `{kind: ConfigMap, name: a}` < maps.yaml:8
    image.tag: unknown: the ConfigMap `a` has no key `none`  ms.yaml:9 values `image.tag` < ms.yaml:9 `{kind: ConfigMap, name: a, valuesKey: none, targetPath: image.tag}`
    ");
    assert_snapshot!(values("
        valuesFrom: [{kind: ConfigMap, name: b}]
        values: |
          replicas: 4
    "), @"
    args:
      - --b  ms.yaml:7 values `{kind: ConfigMap, name: b}` < maps.yaml:15
    ");
}

/// A platform repository: defaults for all clusters, overridden for one.
const PLATFORM: &str = "
//- clusters/prod/flux-system/gotk-sync.yaml
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {url: 'ssh://git@github.com/acme/fleet', ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  path: ./clusters/prod
  sourceRef: {kind: GitRepository, name: flux-system}
//- clusters/prod/flux-system/kustomization.yaml
resources: [gotk-sync.yaml]
//- clusters/prod/kustomization.yaml
resources: [flux-system, ../../base/services]
configMapGenerator:
  - name: cluster-vars
    namespace: flux-system
    behavior: merge
    envs: [environment.env]
    options: {disableNameSuffixHash: true}
//- clusters/prod/environment.env
# prod
MEMORY_LIMIT=256Mi
//- base/services/kustomization.yaml
resources: [metrics-server.yaml]
configMapGenerator:
  - name: cluster-vars
    namespace: flux-system
    envs: [environment.env]
    options: {disableNameSuffixHash: true}
//- base/services/environment.env
CHART=3.12.2
MEMORY_LIMIT=128Mi
CPU_LIMIT=100m
//- base/services/metrics-server.yaml
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: metrics-server, namespace: flux-system}
spec:
  path: ./apps/metrics-server
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild:
    substituteFrom:
      - {kind: ConfigMap, name: cluster-vars}
//- apps/metrics-server/helmrelease.yaml
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: metrics-server, namespace: kube-system}
spec:
  chart:
    spec:
      chart: metrics-server
      version: ${CHART}
      sourceRef: {kind: HelmRepository, name: metrics-server}
  values:
    resources:
      limits:
        cpu: ${CPU_LIMIT}
        memory: ${MEMORY_LIMIT}
";

/// [`PLATFORM`] with other files, or files with another text.
fn platform(changes: &str) -> Sources {
    let all = [PLATFORM, changes].map(|text| files(&[], text)).concat();
    Sources::in_memory(all.into_iter().collect::<BTreeMap<_, _>>())
}

/// What the Kustomization in `gotk-sync.yaml` makes a cluster run.
fn built(sources: &Sources) -> Environment {
    let root = objects(sources, "clusters/prod/flux-system/gotk-sync.yaml").remove(1);
    let mut environment = environment(&[]);
    with(sources, |context| {
        resolve(context, None, &[root], &mut environment);
        releases(context, &mut environment);
    });
    environment
}

/// The releases of [`PLATFORM`] with `changes`, and what is wrong.
fn run(changes: &str) -> String {
    let sources = platform(changes);
    ways::releases(&sources, &[built(&sources)])
}

/// The same of the environments that are found from nothing.
fn run_all(changes: &str) -> String {
    let sources = platform(changes);
    let environments = with(&sources, resolve::resolve);
    ways::releases(&sources, &environments)
}

/// What the replicas of the first release are, and what is missing.
fn replicas(files: &str) -> String {
    let sources = fixture(&format!(
        "
        //- clusters/a/apps.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {{name: apps, namespace: flux-system}}
        spec:
          path: ./apps
          sourceRef: {{kind: GitRepository, name: flux-system}}
          postBuild: {{substituteFrom: [{{kind: ConfigMap, name: vars}}]}}
        //- apps/ms.yaml
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {{name: metrics-server, namespace: kube-system}}
        spec:
          chart: {{spec: {{chart: metrics-server, sourceRef: {{kind: HelmRepository, name: x}}}}}}
          values: {{replicas: '${{COUNT}}'}}
        {files}"
    ));
    let environments = with(&sources, resolve::resolve);
    let lines = environments.iter().map(|it| {
        let replicas = |it: &Node| it.get("replicas")?.as_scalar().map(|it| it.text.to_string());
        let releases = it.releases.iter().map(|it| replicas(&it.values));
        let missing = it.problems.iter().filter(|it| it.message.contains("vars"));
        format!("{} {:?} {}", it.name, releases.collect::<Vec<_>>(), missing.count())
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn variables_may_lie_beside_what_nothing_here_builds() {
    let vars = "
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: vars, namespace: flux-system}
        data: {COUNT: '2'}
        ";
    let at = |path: &str| format!("//- {path}{vars}");
    assert_eq!(replicas(&at("clusters/a/vars.yaml")), "clusters/a [Some(\"2\")] 0");
    // Two that are applied together would not have one name.
    let twice = at("clusters/a/vars.yaml") + &at("clusters/a/old.yaml");
    assert_eq!(replicas(&twice), "clusters/a [None] 1");
    assert_eq!(replicas(&at("clusters/b/vars.yaml")), "clusters/a [None] 1");
    let chosen = "//- clusters/a/kustomization.yaml\n        resources: [apps.yaml]\n        ";
    assert_eq!(replicas(&(chosen.to_owned() + &at("clusters/a/vars.yaml"))), "clusters/a [None] 1");
}

#[test]
fn a_value_leads_through_the_tree_to_the_env_file() {
    assert_snapshot!(run(""), @"
    test:
      metrics-server 3.12.2  apps/metrics-server/helmrelease.yaml:8 substituted `${CHART}` < base/services/environment.env:1 `3.12.2`
        resources.limits.cpu: 100m  apps/metrics-server/helmrelease.yaml:13 substituted `${CPU_LIMIT}` < base/services/environment.env:3
        resources.limits.memory: 256Mi  apps/metrics-server/helmrelease.yaml:14 substituted `${MEMORY_LIMIT}` < base/services/environment.env:2 overridden `128Mi` < clusters/prod/environment.env:2
    ");
}

#[test]
fn variables_may_come_from_a_sibling_that_is_found_later() {
    assert_snapshot!(run("
        //- clusters/prod/kustomization.yaml
        resources: [../../base/services]
        //- base/services/kustomization.yaml
        resources: [metrics-server.yaml, vars.yaml]
        //- base/services/vars.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: zz-vars, namespace: flux-system}
        spec:
          path: ./vars
          sourceRef: {kind: GitRepository, name: flux-system}
          postBuild: {substitute: {SIZE: 64Mi}}
        //- vars/vars.yaml
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: cluster-vars, namespace: flux-system}
        data: {CHART: 3.12.1, CPU_LIMIT: 50m, MEMORY_LIMIT: '${SIZE}'}
    "), @"
    test:
      metrics-server 3.12.1  apps/metrics-server/helmrelease.yaml:8 substituted `${CHART}` < vars/vars.yaml:4 `3.12.1`
        resources.limits.cpu: 50m  apps/metrics-server/helmrelease.yaml:13 substituted `${CPU_LIMIT}` < vars/vars.yaml:4
        resources.limits.memory: 64Mi  apps/metrics-server/helmrelease.yaml:14 substituted `${MEMORY_LIMIT}` < vars/vars.yaml:4 substituted `'${SIZE}'` < base/services/vars.yaml:7
    ");
}

#[test]
fn other_repositories_are_not_looked_for_here() {
    assert_snapshot!(run("
        //- base/services/metrics-server.yaml
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: GitRepository
        metadata: {name: other, namespace: flux-system}
        spec: {url: 'https://github.com/acme/other'}
        ---
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: other, namespace: flux-system}
        spec:
          path: ./apps/metrics-server
          sourceRef: {kind: GitRepository, name: other}
    "), @"
    test:
    unresolved: GitRepository `other` is another repository, which is not read: github.com/acme/other  base/services/metrics-server.yaml:11:42 `other`
    ");
}

#[test]
fn a_path_that_is_here_too_is_of_the_repository_that_the_source_names() {
    let child = |name: &str, path: &str, source: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec: {{path: ./{path}, sourceRef: {{kind: GitRepository, name: {source}}}}}
"
        )
    };
    let git = |name: &str, url: &str| {
        format!(
            "apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: {name}, namespace: flux-system}}
spec: {{url: '{url}'}}
"
        )
    };
    let sync =
        "sync: {kind: GitRepository, url: 'ssh://git@example.com/acme/fleet', path: clusters/a}";
    let instance = format!(
        "apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {{name: flux, namespace: flux-system}}
spec: {{{sync}}}
"
    );
    let environments = |ours: &str| {
        let all = [
            format!("//- clusters/a/all.yaml\n{ours}---\n"),
            child("infra", "infra", "flux-system"),
            format!("//- infra/team.yaml\n{}---\n", git("team", "https://example.com/acme/team")),
            child("team", "apps", "team"),
            // This one leads to what builds it, and what that holds.
            format!("---\n{}", child("clusters", "clusters", "team")),
            "//- apps/ms.yaml\napiVersion: apps/v1\nkind: Deployment\n".to_owned(),
            "metadata: {name: metrics-server, namespace: kube-system}\n".to_owned(),
        ];
        let sources = fixture(&all.concat());
        let environments = with(&sources, resolve::resolve).into_iter();
        let lines = environments.map(|it| {
            let has = it.objects.iter().any(|it| it.kind() == "Deployment");
            let problems: Vec<&str> = it.problems.iter().map(|it| &*it.message).collect();
            format!("{} {has} {problems:?}", it.name)
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let bootstrapped = [
        git("flux-system", "https://example.com/acme/fleet.git"),
        child("flux-system", "clusters/a", "flux-system"),
    ];
    let apart = environments(&bootstrapped.join("---\n"));
    assert_snapshot!(apart, @r#"
    clusters/a false ["GitRepository `team` is another repository, which is not read: example.com/acme/team", "GitRepository `team` is another repository, which is not read: example.com/acme/team"]
    default true []
    "#);
    assert_eq!(environments(&instance), apart);
}

#[test]
fn what_does_not_concern_us_is_built_only_when_something_asks_for_it() {
    let sources = platform(
        "
        //- clusters/prod/kustomization.yaml
        resources: [../../base/services]
        //- base/services/kustomization.yaml
        resources: [metrics-server.yaml, children.yaml]
        //- base/services/children.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: blog, namespace: flux-system}
        spec:
          path: ./apps/blog
          sourceRef: {kind: GitRepository, name: flux-system}
        ---
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: settings, namespace: flux-system}
        spec:
          path: ./settings
          sourceRef: {kind: GitRepository, name: flux-system}
        //- settings/settings.yaml
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: cluster-vars, namespace: flux-system}
        data: {CHART: 3.12.1, CPU_LIMIT: 50m, MEMORY_LIMIT: 32Mi}
        //- apps/blog/service.yaml
        apiVersion: v1
        kind: Service
        metadata: {name: blog, namespace: blog}
        ",
    );
    let config = Config::default();
    let layout = Layout::new(&sources, &config);
    let root = objects(&sources, "clusters/prod/flux-system/gotk-sync.yaml").remove(1);
    let resolved = |purpose| {
        let mut environment = environment(&[]);
        let context = Context::new(&sources, &config, purpose);
        resolve(&context, Some(&layout), std::slice::from_ref(&root), &mut environment);
        releases(&context, &mut environment);
        assert_eq!(environment.problems, []);
        let limit = environment.releases[0].values.at("resources.limits.memory").cloned();
        assert_eq!(limit.expect("a limit").as_str(), Some("32Mi"));
        environment.objects.iter().any(|it| it.name() == "blog" && it.kind() == "Service")
    };
    assert!(!resolved(Purpose::Judge));
    assert!(resolved(Purpose::Render));
}

#[test]
fn the_operator_makes_the_first_kustomization() {
    assert_snapshot!(run_all("
        //- flux/instance.yaml
        apiVersion: fluxcd.controlplane.io/v1
        kind: FluxInstance
        metadata: {name: flux, namespace: flux-system}
        spec:
          sync: {kind: OCIRepository, url: 'oci://example.com/fleet', path: clusters/prod}
        //- clusters/prod/flux-system/gotk-sync.yaml
        //- clusters/prod/flux-system/kustomization.yaml
        resources: []
    "), @"
    flux:
      metrics-server 3.12.2  apps/metrics-server/helmrelease.yaml:8 substituted `${CHART}` < base/services/environment.env:1 `3.12.2`
        resources.limits.cpu: 100m  apps/metrics-server/helmrelease.yaml:13 substituted `${CPU_LIMIT}` < base/services/environment.env:3
        resources.limits.memory: 256Mi  apps/metrics-server/helmrelease.yaml:14 substituted `${MEMORY_LIMIT}` < base/services/environment.env:2 overridden `128Mi` < clusters/prod/environment.env:2
    ");
}

#[test]
fn what_an_artifact_was_pushed_from_is_not_taken_for_the_root() {
    let pushed = |kind: &str, path: &str| {
        let sources = fixture(&format!(
            "
            //- flux/instance.yaml
            apiVersion: fluxcd.controlplane.io/v1
            kind: FluxInstance
            metadata: {{name: flux, namespace: flux-system}}
            spec: {{sync: {{kind: {kind}, url: 'oci://example.com/fleet', path: '{path}'}}}}
            //- apps/release.yaml
            apiVersion: helm.toolkit.fluxcd.io/v2
            kind: HelmRelease
            metadata: {{name: metrics-server, namespace: kube-system}}
            spec: {{chart: {{spec: {{chart: metrics-server, version: 3.12.2}}}}}}
            //- compose.yaml
            services: {{web: {{image: web}}}}
            "
        ));
        let (environments, _) = analyze(&sources, &Config::default());
        let all = || environments.iter().flat_map(|it| &it.problems);
        let releases = environments.iter().map(|it| it.releases.len()).sum::<usize>();
        (all().filter(|it| it.kind.fails_build()).count(), releases)
    };
    assert_eq!(pushed("OCIRepository", "./"), (0, 1));
    assert_eq!(pushed("Bucket", ""), (0, 1));
    assert_eq!(pushed("GitRepository", "./"), (1, 1), "compose.yaml holds no object");
    assert_eq!(pushed("OCIRepository", "./apps"), (0, 1));
}

/// Where metrics-server is installed in a cluster whose artifact holds `path`, with more files.
fn pushed(path: &str, more: &str) -> Vec<String> {
    let sources = fixture(&format!(
        "
//- deploy/clusters/a/flux/instance.yaml
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {{name: flux, namespace: flux-system}}
spec: {{sync: {{kind: OCIRepository, url: 'oci://example.com/fleet', path: {path}}}}}
//- deploy/clusters/a/apps.yaml
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: apps, namespace: flux-system}}
spec:
  path: ./apps/metrics
  sourceRef: {{kind: OCIRepository, name: flux-system}}
  postBuild: {{substitute: {{VERSION: 3.12.2}}}}
//- deploy/apps/metrics/release.yaml
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: metrics-server, namespace: kube-system}}
spec: {{chart: {{spec: {{chart: metrics-server, version: '${{VERSION}}'}}}}}}
{}",
        unindented(more)
    ));
    let environments = with(&sources, resolve::resolve);
    let version =
        |it: &Release| it.version.as_ref().and_then(Node::as_str).unwrap_or("?").to_owned();
    let named = environments.iter().map(|it| {
        let versions: Vec<String> = it.releases.iter().map(version).collect();
        format!("{} {}", it.name, versions.join(" "))
    });
    named.collect()
}

#[test]
fn an_artifact_is_pushed_from_the_only_directory_that_has_its_paths() {
    assert_eq!(pushed("clusters/a", ""), ["deploy/clusters/a 3.12.2"]);
    let all = pushed("./", "");
    assert_eq!(all, ["deploy/clusters/a ${VERSION} 3.12.2"], "its root builds all, as it is");
    let hidden = "
        //- .old/clusters/a/none.yaml
        //- .old/apps/metrics/none.yaml
        ";
    assert_eq!(pushed("clusters/a", hidden), ["deploy/clusters/a 3.12.2"]);
    let twice = "
        //- other/clusters/a/none.yaml
        //- other/apps/metrics/none.yaml
        ";
    assert!(pushed("clusters/a", twice).iter().all(|it| !it.contains("3.12.2")));
    let at_root = "
        //- clusters/a/none.yaml
        ";
    assert!(pushed("clusters/a", at_root).iter().all(|it| !it.contains("3.12.2")));
}

#[test]
fn what_a_generator_makes_of_an_artifact_is_found_where_that_was_pushed_from() {
    let generated = "
        //- deploy/clusters/a/more.yaml
        apiVersion: source.extensions.fluxcd.io/v1beta1
        kind: ArtifactGenerator
        metadata: {name: parts, namespace: flux-system}
        spec:
          sources: [{alias: repo, kind: OCIRepository, name: flux-system}]
          artifacts:
            - name: other
              copy: [{from: '@repo/apps/other/', to: '@artifact/apps/other/'}]
        ---
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: other, namespace: flux-system}
        spec: {path: ./apps/other, sourceRef: {kind: ExternalArtifact, name: other}}
        //- deploy/apps/other/release.yaml
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: kubelet-csr-approver, namespace: kube-system}
        spec: {chart: {spec: {chart: kubelet-csr-approver, version: 1.2.3}}}
        ";
    assert_eq!(pushed("clusters/a", generated), ["deploy/clusters/a 3.12.2 1.2.3"]);
}

#[test]
fn an_instance_gets_its_namespace_from_what_builds_it() {
    assert_snapshot!(run_all("
        //- flux/kustomization.yaml
        namespace: flux-system
        resources: [instance.yaml]
        //- flux/instance.yaml
        apiVersion: fluxcd.controlplane.io/v1
        kind: FluxInstance
        metadata: {name: flux}
        spec:
          sync: {kind: GitRepository, url: 'https://example.com/fleet.git', path: ./clusters/prod}
        //- clusters/prod/flux-system/gotk-sync.yaml
        //- clusters/prod/flux-system/kustomization.yaml
        resources: []
    "), @"
    flux:
      metrics-server 3.12.2  apps/metrics-server/helmrelease.yaml:8 substituted `${CHART}` < base/services/environment.env:1 `3.12.2`
        resources.limits.cpu: 100m  apps/metrics-server/helmrelease.yaml:13 substituted `${CPU_LIMIT}` < base/services/environment.env:3
        resources.limits.memory: 256Mi  apps/metrics-server/helmrelease.yaml:14 substituted `${MEMORY_LIMIT}` < base/services/environment.env:2 overridden `128Mi` < clusters/prod/environment.env:2
    ");
}

#[test]
fn what_the_artifact_leaves_out_is_not_built() {
    assert_snapshot!(run("
        //- apps/metrics-server/.gitlab-ci.yml
        not: an object
        //- apps/metrics-server/drafts/values.yaml
        not: an object
        //- apps/.sourceignore
        # not yet
        drafts/
    "), @"
    test:
      metrics-server 3.12.2  apps/metrics-server/helmrelease.yaml:8 substituted `${CHART}` < base/services/environment.env:1 `3.12.2`
        resources.limits.cpu: 100m  apps/metrics-server/helmrelease.yaml:13 substituted `${CPU_LIMIT}` < base/services/environment.env:3
        resources.limits.memory: 256Mi  apps/metrics-server/helmrelease.yaml:14 substituted `${MEMORY_LIMIT}` < base/services/environment.env:2 overridden `128Mi` < clusters/prod/environment.env:2
    ");
    assert_snapshot!(run("
        //- apps/metrics-server/values.yaml
        not: an object
    "), @"
    test:
      metrics-server 3.12.2  apps/metrics-server/helmrelease.yaml:8 substituted `${CHART}` < base/services/environment.env:1 `3.12.2`
        resources.limits.cpu: 100m  apps/metrics-server/helmrelease.yaml:13 substituted `${CPU_LIMIT}` < base/services/environment.env:3
        resources.limits.memory: 256Mi  apps/metrics-server/helmrelease.yaml:14 substituted `${MEMORY_LIMIT}` < base/services/environment.env:2 overridden `128Mi` < clusters/prod/environment.env:2
    build-fails: this object has no kind  apps/metrics-server/values.yaml:1:1 `not: an object`
      built because Kustomization metrics-server (base/services/metrics-server.yaml:3) has path ./apps/metrics-server  base/services/metrics-server.yaml:5:9 `./apps/metrics-server`
    ");
}

#[test]
fn what_is_here_and_left_out_of_the_artifact_is_told() {
    let refused = |files: &str| {
        let sources = fixture(&format!(
            "
        //- clusters/a/apps.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {{name: apps, namespace: flux-system}}
        spec: {{path: ./apps, sourceRef: {{kind: GitRepository, name: flux-system}}}}
        //- apps/kustomization.yaml
        # metrics-server
        configMapGenerator: [{{name: x, files: [logo.png, notes.txt]}}]
        //- apps/notes.txt
        x
        {files}"
        ));
        let environments = with(&sources, resolve::resolve);
        let problems = environments.iter().flat_map(|it| &it.problems);
        let problems = problems.filter(|it| it.is_refusal());
        let lines = problems
            .map(|it| format!("{} ({})", it.message, it.help.as_deref().unwrap_or_default()));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(
        refused("//- apps/logo.png\n        x"),
        @"source-controller leaves apps/logo.png out by default, by `*.png` (add the line `!/apps/logo.png` to .sourceignore, or give it another ending)"
    );
    assert_snapshot!(refused(
        "//- apps/logo.png
        x
        //- apps/.sourceignore
        !logo.png
        notes.*"
    ), @"Flux leaves apps/notes.txt out of what it builds from, as apps/.sourceignore says (take the pattern for it out of apps/.sourceignore)");
    assert!(refused("").starts_with("there is no file apps/logo.png in the repository"));
}

#[test]
fn an_artifact_generator_moves_the_root() {
    assert_snapshot!(run_all("
        //- base/services/metrics-server.yaml
        apiVersion: source.extensions.fluxcd.io/v1beta1
        kind: ArtifactGenerator
        metadata: {name: flux-system, namespace: flux-system}
        spec:
          sources: [{alias: repo, kind: GitRepository, name: flux-system}]
          artifacts:
            - name: apps
              copy: [{from: '@repo/apps/**', to: '@artifact/'}]
        ---
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: metrics-server, namespace: flux-system}
        spec:
          path: ./metrics-server
          sourceRef: {kind: ExternalArtifact, name: apps}
          postBuild:
            substituteFrom: [{kind: ConfigMap, name: cluster-vars}]
    "), @"
    clusters/prod:
      metrics-server 3.12.2  apps/metrics-server/helmrelease.yaml:8 substituted `${CHART}` < base/services/environment.env:1 `3.12.2`
        resources.limits.cpu: 100m  apps/metrics-server/helmrelease.yaml:13 substituted `${CPU_LIMIT}` < base/services/environment.env:3
        resources.limits.memory: 256Mi  apps/metrics-server/helmrelease.yaml:14 substituted `${MEMORY_LIMIT}` < base/services/environment.env:2 overridden `128Mi` < clusters/prod/environment.env:2
    ");
}

#[test]
fn what_one_object_cannot_have_substituted_leaves_the_others() {
    assert_snapshot!(run("
        //- apps/metrics-server/other.yaml
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: other}
        data: {a: 'see ${a.b}', b: plain}
    "), @"
    test:
      metrics-server 3.12.2  apps/metrics-server/helmrelease.yaml:8 substituted `${CHART}` < base/services/environment.env:1 `3.12.2`
        resources.limits.cpu: 100m  apps/metrics-server/helmrelease.yaml:13 substituted `${CPU_LIMIT}` < base/services/environment.env:3
        resources.limits.memory: 256Mi  apps/metrics-server/helmrelease.yaml:14 substituted `${MEMORY_LIMIT}` < base/services/environment.env:2 overridden `128Mi` < clusters/prod/environment.env:2
    build-fails: Flux cannot substitute this expression: missing closing brace  apps/metrics-server/other.yaml:4:16 `${a.b}`
    ");
}

#[test]
fn what_becomes_of_an_undefined_variable_depends_on_the_controller() {
    let with = |version: &str| {
        let sources = platform(&format!(
            "
            //- clusters/prod/flux-system/gotk-components.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {{name: kustomize-controller, namespace: flux-system}}
            spec:
              template:
                spec:
                  containers: [{{image: 'ghcr.io/fluxcd/kustomize-controller:{version}'}}]
            //- apps/metrics-server/other.yaml
            apiVersion: v1
            kind: ConfigMap
            metadata: {{name: other}}
            data: {{a: '${{NONE}}'}}
            "
        ));
        let environment = built(&sources);
        let mut problems = environment.problems.iter();
        let problem = problems.find(|it| it.kind == ProblemKind::EnvVarUndefined);
        let problem = problem.expect("nothing defines it");
        let map = environment.objects.iter().find(|it| it.name() == "other").expect("it is there");
        let value = map.node.at("data.a").expect("a key");
        (problem.message.to_string(), problem.is_refusal(), value.is_null())
    };
    let said = "no substitution source defines `NONE`, and kustomize-controller";
    assert_eq!(
        with("v1.8.5"),
        (format!("{said} v1.8.5 puts nothing there in ConfigMap other"), false, true)
    );
    assert_eq!(with("v1.9.2"), (format!("{said} v1.9.2 refuses that"), true, false));
}

#[test]
fn what_is_built_before_its_turn_is_what_its_turn_has() {
    let files = |name: &str| {
        format!(
            "
            //- {name}/kustomization.yaml
            resources: [{name}.yaml]
            //- {name}/{name}.yaml
            apiVersion: v1
            kind: ConfigMap
            metadata: {{name: {name}}}
            data: {{note: metrics-server}}
            "
        )
    };
    let child = |name: &str, path: &str, source: &str| {
        format!(
            "---
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {{name: {name}, namespace: flux-system}}
            spec: {{path: ./{path}, sourceRef: {{kind: GitRepository, name: {source}}}}}
            "
        )
    };
    let text = format!(
        "
        //- clusters/prod/flux-system/gotk-sync.yaml
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: GitRepository
        metadata: {{name: flux-system, namespace: flux-system}}
        spec: {{url: 'https://example.com/ours'}}
        {}
        //- clusters/prod/apps.yaml
        {}{}{}{}
        //- first/kustomization.yaml
        resources: [other.yaml]
        //- first/other.yaml
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: GitRepository
        metadata: {{name: other, namespace: flux-system}}
        spec: {{url: 'https://example.com/theirs/ours'}} # not metrics-server
        {}{}",
        child("flux-system", "clusters/prod", "flux-system"),
        child("a", "first", "flux-system"),
        child("b", "second", "other"),
        child("c", "third", "flux-system"),
        child("d", "third", "flux-system"),
        files("second"),
        files("third"),
    );
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let sources = fixture(&lines.join("\n"));
    let environments = with(&sources, resolve::resolve);
    let [environment] = &*environments else { panic!("{environments:?}") };
    let maps = environment.objects.iter().filter(|it| it.kind() == "ConfigMap");
    let names: Vec<&str> = maps.map(|it| it.node.object_name()).collect();
    // That `other` is another repository, and none that is called so too, is known once `a` is built.
    assert_eq!(names, ["third"]);
    let mut problems = environment.problems.iter();
    assert!(problems.any(|it| it.message.contains("is another repository")), "{environment:?}");
}

#[test]
fn kustomizations_that_wait_for_each_other_end() {
    let kustomization = |name: &str, from: &str, makes: &str| {
        let files = "
            //- clusters/prod/NAME.yaml
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {name: NAME, namespace: flux-system}
            spec:
              path: ./NAME
              sourceRef: {kind: GitRepository, name: flux-system}
              postBuild: {substituteFrom: [{kind: ConfigMap, name: FROM}]}
            //- NAME/vars.yaml
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: MAKES, namespace: flux-system}
            data: {A: '${A}', B: b}
        ";
        unindented(files).replace("NAME", name).replace("FROM", from).replace("MAKES", makes)
    };
    let all = "
        //- clusters/prod/kustomization.yaml
        resources: [a.yaml, b.yaml, none.yaml, c.yaml]
    ";
    let sources = platform(
        &[
            unindented(all),
            kustomization("a", "from-b", "from-a"),
            kustomization("b", "from-a", "from-b"),
            kustomization("none", "nobody", "unused"),
            kustomization("c", "from-c", "from-c"),
        ]
        .concat(),
    );
    let environment = built(&sources);
    let maps = environment.objects.iter().filter(|it| it.kind() == "ConfigMap");
    let maps: Vec<_> = maps.map(Object::name).collect();
    assert_eq!(maps, ["from-a", "from-b", "from-c", "unused"]);
    // One of the two goes first, without what the other would make.
    assert_snapshot!(ways::releases(&sources, &[environment]), @"
    test:
    unresolved: the ConfigMap `flux-system/nobody` is not in the repository; the variables that it defines are unknown  clusters/prod/none.yaml:7:56 `nobody`
    unresolved: the ConfigMap `flux-system/from-b` is not in the repository; the variables that it defines are unknown  clusters/prod/a.yaml:7:56 `from-b`
    ");
}

#[test]
fn unknown_fields_vanish_only_from_the_file_that_flux_rewrites() {
    assert_snapshot!(run("
        //- clusters/prod/kustomization.yaml
        resources: [../../base/services]
        postBuild: {substitute: {A: b}}
    "), @"
    test:
      metrics-server 3.12.2  apps/metrics-server/helmrelease.yaml:8 substituted `${CHART}` < base/services/environment.env:1 `3.12.2`
        resources.limits.cpu: 100m  apps/metrics-server/helmrelease.yaml:13 substituted `${CPU_LIMIT}` < base/services/environment.env:3
        resources.limits.memory: 128Mi  apps/metrics-server/helmrelease.yaml:14 substituted `${MEMORY_LIMIT}` < base/services/environment.env:2
    ");
    assert_snapshot!(run("
        //- clusters/prod/kustomization.yaml
        resources: [../../base/services]
        postBuild: {substitute: {A: b}}
        //- base/services/kustomization.yaml
        resources: [metrics-server.yaml]
        postBuild: {}
    "), @"
    test:
      metrics-server unknown: the ConfigMap `flux-system/cluster-vars` is not in the repository  apps/metrics-server/helmrelease.yaml:8 `${CHART}`
        resources.limits.cpu: unknown: the ConfigMap `flux-system/cluster-vars` is not in the repository  apps/metrics-server/helmrelease.yaml:13 `${CPU_LIMIT}`
        resources.limits.memory: unknown: the ConfigMap `flux-system/cluster-vars` is not in the repository  apps/metrics-server/helmrelease.yaml:14 `${MEMORY_LIMIT}`
    build-fails: kustomize knows no field `postBuild` here  base/services/kustomization.yaml:2:1 `postBuild`
      built because Kustomization flux-system (clusters/prod/flux-system/gotk-sync.yaml:8) has path ./clusters/prod  clusters/prod/flux-system/gotk-sync.yaml:10:9 `./clusters/prod`
    unresolved: the ConfigMap `flux-system/cluster-vars` is not in the repository; the variables that it defines are unknown  base/services/metrics-server.yaml:9:33 `cluster-vars`
    unresolved: `metrics-server` may be any chart of that name: what it installs is unknown  apps/metrics-server/helmrelease.yaml:8:16 `${CHART}`
    ");
}

#[test]
fn symbolic_links_are_not_in_an_artifact() {
    let listing = files(&[], &PLATFORM.replace("//- apps/", "//- real/")).into_iter();
    let listing =
        listing.map(|(path, text)| (path, Relevance::Subject.into(), Some(Text::Utf8(text))));
    let links = [("apps".to_owned(), "real".to_owned())].into_iter().collect();
    let load = std::sync::Arc::new(|_: &str| Ok(Vec::new()));
    let sources = Sources::new(listing.collect(), links, load);
    assert_snapshot!(ways::releases(&sources, &[built(&sources)]), @"
    test:
    build-fails: `apps/metrics-server` leads through a symbolic link, which Flux leaves out  base/services/metrics-server.yaml:5:9 `./apps/metrics-server`
    ");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        let parts = ["${", "}", "$", "A", "B", ":=", ":", "#", "%", "/", "^", ",", "\\", "é", " "];
        let parts = [&parts[..], &["${A}", "${B:-x}", "$${A}", ": ", "\n", "'", "\"", "{", "*"]];
        proptest::collection::vec(proptest::sample::select(parts.concat()), 0..8)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        /// Whatever stands in an object and in a variable: a result or a problem with a place.
        #[test]
        fn nothing_breaks(key in text(), value in text(), variable in text()) {
            let object = json!({"kind": "X", "a": {key: [value.clone(), {"b": value}]}});
            let flux = json!({"spec": {"postBuild": {"substitute": {"A": variable, "B": ""}}}});
            let sources = Sources::in_memory([
                ("object.yaml", object.to_string()),
                ("flux.yaml", flux.to_string()),
            ]);
            let config = Config::default();
            let flux = objects(&sources, "flux.yaml").remove(0);
            let object = objects(&sources, "object.yaml");
            for purpose in [Purpose::Judge, Purpose::Render] {
                let mut problems = Vec::new();
                let context = Context::new(&sources, &config, purpose);
                if let Err(problem) = post_build(&context, &flux, &object, &mut problems) {
                    problems.push(problem);
                }
                prop_assert!(problems.iter().all(|it| it.at.written_at().is_some()));
            }
        }

        /// Without an expression nothing changes, origins included.
        #[test]
        fn what_has_no_expression_stays(value in "[a-c$ :#'\"{-]{0,9}") {
            prop_assume!(!value.contains("${") && !value.contains("$$"));
            let object = json!({"kind": "X", "a": value, "b": "${A}"});
            let flux = json!({"spec": {"postBuild": {"substitute": {"A": "1"}}}});
            let sources = Sources::in_memory([
                ("object.yaml", object.to_string()),
                ("flux.yaml", flux.to_string()),
            ]);
            let config = Config::default();
            let flux = objects(&sources, "flux.yaml").remove(0);
            let before = objects(&sources, "object.yaml");
            let context = Context::new(&sources, &config, Purpose::Judge);
            let after = post_build(&context, &flux, &before, &mut Vec::new()).expect("it builds");
            prop_assert_eq!(after[0].get("a"), before[0].get("a"));
            prop_assert_eq!(after[0].get("b").map(Node::to_json), Some(json!(1)));
        }
    }
}
