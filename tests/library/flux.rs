//! Flux's trees of Kustomizations, `postBuild` and HelmReleases: what comes out, and from where.

use serde_json::json;

use crate::{
    config::Config,
    problem::{Problem, ProblemKind},
    resolve::{
        context::{Context, Purpose},
        environment::{EntryKind, Environment, Object},
        flux::{post_build, releases, resolve},
        layout::Layout,
    },
    scalar::Dialect,
    source::Sources,
    tree::{Node, Origin, Via},
};

fn context<'a>(sources: &'a Sources, config: &'a Config, purpose: Purpose) -> Context<'a> {
    Context::new(sources, config, purpose)
}

fn environment(objects: &[Node]) -> Environment {
    Environment {
        objects: objects.iter().cloned().map(Object::new).collect(),
        ..Environment::new("test", EntryKind::Flux, Origin::at(Via::Written, None))
    }
}

fn objects(sources: &Sources, path: &str) -> Vec<Node> {
    let file = sources.find(path).expect("the file is there");
    sources.documents(file, Dialect::Kyaml).roots().cloned().collect()
}

/// `via text` for each step, where `text` is what stands in the file there.
fn way(sources: &Sources, node: &Node) -> Vec<String> {
    let step = |step: crate::tree::Step| {
        let text = step.span.map_or("", |span| sources.slice(span));
        format!("{} {}", step.via.id(), text.lines().next().unwrap_or_default())
    };
    node.origin.steps().map(step).collect()
}

fn place(sources: &Sources, problem: &Problem) -> String {
    problem.at.written_at().map_or_else(String::new, |span| sources.slice(span).to_owned())
}

const FLUX: &str = "
kind: Kustomization
metadata: {namespace: flux-system}
spec:
  postBuild:
    substituteFrom:
      - {kind: ConfigMap, name: vars}
      - {kind: Secret, name: secrets}
    substitute:
      INLINE: here
";

const VARS: &str = "
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

fn built(purpose: Purpose, object: &str) -> (Sources, Node, Vec<Problem>) {
    let sources =
        Sources::in_memory([("flux.yaml", FLUX), ("vars.yaml", VARS), ("x.yaml", object)]);
    let config = Config::default();
    let flux = objects(&sources, "flux.yaml").remove(0);
    let mut all = objects(&sources, "x.yaml");
    all.extend(objects(&sources, "vars.yaml"));
    let mut problems = Vec::new();
    let context = context(&sources, &config, purpose);
    let built = post_build(&context, &flux, &all, &mut problems);
    let first = built.expect("it builds").into_iter().next().expect("an object");
    (sources, first, problems)
}

#[test]
fn values_are_substituted_and_know_by_what() {
    let (sources, object, problems) = built(
        Purpose::Judge,
        "kind: X
spec:
  memory: \"${LIMIT}\"
  replicas: '${COUNT}'
  args: ['--limit=${LIMIT}', --plain, '${INLINE}']
  token: ${TOKEN}
  hidden: a ${HIDDEN} b
  default: ${NONE:=7}
  dollars: $${LIMIT} $LIMIT
",
    );
    assert_eq!(problems, []);
    let spec = object.get("spec").expect("a spec");
    assert_eq!(
        spec.to_json(),
        json!({"memory": "256Mi", "replicas": 3, "args": ["--limit=256Mi", "--plain", "here"],
            "token": "secret", "hidden": null, "default": 7, "dollars": "${LIMIT} $LIMIT"})
    );
    assert_eq!(
        way(&sources, spec.get("memory").expect("it is there")),
        ["substituted \"${LIMIT}\"", "written 256Mi"]
    );
    let args = spec.get("args").expect("it is there").items();
    assert_eq!(way(&sources, &args[0]), ["substituted '--limit=${LIMIT}'", "written 256Mi"]);
    assert_eq!(way(&sources, &args[1]), ["written --plain"]);
    assert_eq!(way(&sources, &args[2]), ["substituted '${INLINE}'", "written here"]);
    assert_eq!(way(&sources, spec.get("default").expect("it is there")), ["written ${NONE:=7}"]);
    let hidden = spec.get("hidden").and_then(Node::unknown).expect("it is unknown");
    assert_eq!(&**hidden, "the Secret `secrets` is encrypted");
}

#[test]
fn an_undefined_variable_is_reported_where_it_is_used() {
    let object = "kind: X
spec:
  a: 'x ${NONE} ${LIMIT} ${NONE}'
  b: |
    line
    more ${OTHER}
";
    let (sources, judged, problems) = built(Purpose::Judge, object);
    assert!(judged.at("spec.a").expect("it is there").unknown().is_some());
    let undefined: Vec<_> = problems
        .iter()
        .map(|it| (it.kind, place(&sources, it), it.at.written_at().map_or(0, |it| it.start)))
        .collect();
    let at = |text: &str, from: usize| {
        u32::try_from(from + object[from..].find(text).expect("it is there")).expect("small")
    };
    let first = at("${NONE}", 0);
    let kind = ProblemKind::EnvVarUndefined;
    assert_eq!(
        undefined,
        [
            (kind, "${NONE}".into(), first),
            (kind, "${NONE}".into(), at("${NONE}", first as usize + 1)),
            (kind, "${OTHER}".into(), at("${OTHER}", 0)),
        ]
    );
    let also: Vec<_> = problems[0]
        .also
        .iter()
        .filter_map(|(origin, _)| origin.written_at())
        .map(|span| sources.slice(span))
        .collect();
    assert_eq!(also[..2], ["vars", "there"], "the source and the last variable in it");

    let (_, rendered, problems) = built(Purpose::Render, object);
    assert_eq!(rendered.at("spec.a").map(Node::to_json), Some("x  256Mi".into()));
    assert_eq!(problems.len(), 3);
}

#[test]
fn what_breaks_the_whole_kustomization() {
    let sources = Sources::in_memory([
        ("flux.yaml", FLUX),
        ("vars.yaml", VARS),
        ("bad.yaml", "kind: X\na: 'see ${a.b} there'\n"),
        ("quote.yaml", "kind: X\na: '- ${QUOTE}'\n"),
        ("name.yaml", "spec: {postBuild: {substitute: {not-a-name: x}}}"),
        ("quoted.yaml", "spec: {postBuild: {substitute: {QUOTE: \"it's\"}}}"),
    ]);
    let config = Config::default();
    let context = context(&sources, &config, Purpose::Judge);
    let refused = |flux: &str, object: &str| {
        let flux = objects(&sources, flux).remove(0);
        let mut all = objects(&sources, object);
        all.extend(objects(&sources, "vars.yaml"));
        let problem = post_build(&context, &flux, &all, &mut Vec::new()).expect_err("it fails");
        (problem.kind, place(&sources, &problem))
    };
    let kind = ProblemKind::BuildFails;
    assert_eq!(refused("flux.yaml", "bad.yaml"), (kind, "${a.b}".into()));
    assert_eq!(refused("name.yaml", "bad.yaml"), (kind, "x".into()));
    assert_eq!(refused("quoted.yaml", "quote.yaml"), (kind, "${QUOTE}".into()));
}

#[test]
fn variables_that_are_not_in_the_repository_are_unknown_not_missing() {
    let sources = Sources::in_memory([(
        "x.yaml",
        "kind: X
a: ${A}
b: ${B:=default}
c: ${C}
---
spec: {postBuild: {substitute: {C: c}, substituteFrom: [{kind: ConfigMap, name: terraform}]}}
",
    )]);
    let config = Config::default();
    let all = objects(&sources, "x.yaml");
    let mut problems = Vec::new();
    let context = context(&sources, &config, Purpose::Judge);
    let built = post_build(&context, &all[1], &all[..1], &mut problems).expect("it builds");
    assert!(built[0].get("a").and_then(Node::unknown).is_some());
    assert!(built[0].get("b").and_then(Node::unknown).is_some());
    assert_eq!(built[0].str_at("c"), Some("c"));
    let problems: Vec<_> = problems.iter().map(|it| (it.kind, place(&sources, it))).collect();
    assert_eq!(problems, [(ProblemKind::Unresolved, "terraform".into())]);
}

#[test]
fn a_missing_source_is_no_matter_until_an_expression_may_ask_it() {
    let sources = Sources::in_memory([(
        "x.yaml",
        "kind: X
a: ${A}
---
spec: {postBuild: {substitute: {A: a}, substituteFrom: [{kind: Secret, name: cluster-secrets}]}}
",
    )]);
    let config = Config::default();
    let all = objects(&sources, "x.yaml");
    let mut problems = Vec::new();
    let context = context(&sources, &config, Purpose::Judge);
    let built = post_build(&context, &all[1], &all[..1], &mut problems).expect("it builds");
    assert_eq!(built[0].str_at("a"), Some("a"));
    assert!(problems.is_empty());
}

/// The values of the one HelmRelease in `spec`, beside ConfigMaps `a` and `b`.
fn values(spec: &str) -> Node {
    let text = format!(
        "
kind: ConfigMap
apiVersion: v1
metadata: {{name: a, namespace: apps}}
data:
  values.yaml: |
    replicas: 2
    args: [--a]
    resources: {{limits: {{memory: 1Gi}}}}
  r: '7'
  t: '\"true\"'
---
kind: ConfigMap
apiVersion: v1
metadata: {{name: b, namespace: apps}}
data: {{values.yaml: 'args: [--b]'}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: metrics-server, namespace: apps}}
spec:
  targetNamespace: kube-system
  chart: {{spec: {{chart: metrics-server, version: 3.12.2}}}}
{spec}"
    );
    let sources = Sources::in_memory([("x.yaml", text)]);
    let config = Config::default();
    let mut environment = environment(&objects(&sources, "x.yaml"));
    releases(&context(&sources, &config, Purpose::Judge), &mut environment);
    let release = environment.releases.first().expect("a release");
    assert_eq!(release.name, "kube-system-metrics-server");
    assert_eq!(release.namespace, "kube-system");
    release.values.clone()
}

#[test]
fn later_values_win_and_inline_ones_over_all() {
    assert_eq!(
        values(
            "  valuesFrom: [{kind: ConfigMap, name: a}, {kind: ConfigMap, name: b}]
  values: {replicas: 4}
"
        )
        .to_json(),
        json!({"replicas": 4, "args": ["--b"], "resources": {"limits": {"memory": "1Gi"}}})
    );
}

#[test]
fn whether_a_target_path_wins_depends_on_what_is_shared() {
    let at = |path: &str| format!("{{kind: ConfigMap, name: a, valuesKey: r, targetPath: {path}}}");
    // At the top inline values win again at the end.
    let top = format!("  valuesFrom: [{}]\n  values: {{replicas: 2}}\n", at("replicas"));
    assert_eq!(values(&top).to_json(), json!({"replicas": 2}));
    // In a map that only the inline values have, the path wins.
    let nested = format!("  valuesFrom: [{}]\n  values: {{m: {{x: 1, y: 1}}}}\n", at("m.x"));
    assert_eq!(values(&nested).to_json(), json!({"m": {"x": 7, "y": 1}}));
    // In a map that an earlier reference has too, inline values win.
    let both = format!(
        "  valuesFrom: [{{kind: ConfigMap, name: a}}, {}]
  values: {{resources: {{limits: {{memory: 2Gi}}}}, args: [--c]}}\n",
        at("resources.limits.memory")
    );
    assert_eq!(
        values(&both).to_json(),
        json!({"replicas": 2, "args": ["--c"], "resources": {"limits": {"memory": "2Gi"}}})
    );
    let quoted = "  valuesFrom: [{kind: ConfigMap, name: a, valuesKey: t, targetPath: p.a\\.b}]\n";
    assert_eq!(values(quoted).to_json(), json!({"p": {"a.b": "true"}}));
}

#[test]
fn values_that_are_not_in_the_repository_are_unknown() {
    let values = values(
        "  valuesFrom: [{kind: ConfigMap, name: b}, {kind: Secret, name: none, optional: true}]
  values: {replicas: 2}
",
    );
    assert_eq!(values.look("replicas").map(|it| it.map(Node::to_json)), Ok(Some(2.into())));
    assert!(values.look("args").is_err());
    assert!(values.look("resources").is_err());
}

const GOTK: &str = "apiVersion: source.toolkit.fluxcd.io/v1
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
";

/// A platform repository: defaults for all clusters, overridden for one.
const PLATFORM: [(&str, &str); 8] = [
    ("clusters/prod/flux-system/gotk-sync.yaml", GOTK),
    ("clusters/prod/flux-system/kustomization.yaml", "resources: [gotk-sync.yaml]\n"),
    (
        "clusters/prod/kustomization.yaml",
        "resources: [flux-system, ../../base/services]
configMapGenerator:
  - name: cluster-vars
    namespace: flux-system
    behavior: merge
    envs: [environment.env]
    options: {disableNameSuffixHash: true}
",
    ),
    ("clusters/prod/environment.env", "# prod\nMEMORY_LIMIT=256Mi\n"),
    (
        "base/services/kustomization.yaml",
        "resources: [metrics-server.yaml]
configMapGenerator:
  - name: cluster-vars
    namespace: flux-system
    envs: [environment.env]
    options: {disableNameSuffixHash: true}
",
    ),
    ("base/services/environment.env", "CHART=3.12.2\nMEMORY_LIMIT=128Mi\nCPU_LIMIT=100m\n"),
    (
        "base/services/metrics-server.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: metrics-server, namespace: flux-system}
spec:
  path: ./apps/metrics-server
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild:
    substituteFrom:
      - {kind: ConfigMap, name: cluster-vars}
",
    ),
    (
        "apps/metrics-server/helmrelease.yaml",
        "apiVersion: helm.toolkit.fluxcd.io/v2
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
",
    ),
];

fn platform(files: &[(&str, &str)], purpose: Purpose) -> (Sources, Environment) {
    let sources = Sources::in_memory(files.iter().copied());
    let config = Config::default();
    let root = objects(&sources, "clusters/prod/flux-system/gotk-sync.yaml").remove(1);
    let mut environment = environment(&[]);
    let context = context(&sources, &config, purpose);
    resolve(&context, None, &[root], &mut environment);
    releases(&context, &mut environment);
    (sources, environment)
}

#[test]
fn a_value_leads_through_the_tree_to_the_env_file() {
    let (sources, environment) = platform(&PLATFORM, Purpose::Judge);
    assert_eq!(environment.problems, []);
    let release = environment.releases.first().expect("a release");
    assert_eq!(release.version.as_ref().and_then(Node::as_str), Some("3.12.2"));
    assert_eq!(sources.slice(release.anchor.written_at().expect("it is written")), "3.12.2");
    let limits = release.values.at("resources.limits").expect("limits");
    assert_eq!(
        way(&sources, limits.get("cpu").expect("a limit")),
        ["substituted ${CPU_LIMIT}", "written 100m"]
    );
    assert_eq!(
        way(&sources, limits.get("memory").expect("a limit")),
        ["substituted ${MEMORY_LIMIT}", "overridden 128Mi", "written 256Mi"]
    );
    let written = limits.at("memory").and_then(|it| it.origin.written_at()).expect("a place");
    assert_eq!(sources[written.file].path, "clusters/prod/environment.env");
    assert_eq!(sources.start(written).line, 2);
}

#[test]
fn variables_may_come_from_a_sibling_that_is_found_later() {
    let sibling = "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: zz-vars, namespace: flux-system}
spec:
  path: ./vars
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild: {substitute: {SIZE: 64Mi}}
";
    let vars = "apiVersion: v1
kind: ConfigMap
metadata: {name: cluster-vars, namespace: flux-system}
data: {CHART: 3.12.1, CPU_LIMIT: 50m, MEMORY_LIMIT: '${SIZE}'}
";
    let mut files: Vec<_> = PLATFORM
        .into_iter()
        .filter(|(path, _)| {
            !path.ends_with("environment.env") && *path != "clusters/prod/kustomization.yaml"
        })
        .collect();
    for (path, text) in &mut files {
        if *path == "base/services/kustomization.yaml" {
            *text = "resources: [metrics-server.yaml, vars.yaml]\n";
        }
    }
    files.push(("clusters/prod/kustomization.yaml", "resources: [../../base/services]\n"));
    files.push(("base/services/vars.yaml", sibling));
    files.push(("vars/vars.yaml", vars));
    let (sources, environment) = platform(&files, Purpose::Judge);
    assert_eq!(environment.problems, []);
    let release = environment.releases.first().expect("a release");
    let limit = release.values.at("resources.limits.memory").expect("a limit");
    assert_eq!(limit.as_str(), Some("64Mi"));
    assert_eq!(
        way(&sources, limit),
        ["substituted ${MEMORY_LIMIT}", "substituted '${SIZE}'", "written 64Mi"]
    );
}

#[test]
fn other_repositories_are_not_looked_for_here() {
    let other = "apiVersion: source.toolkit.fluxcd.io/v1
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
";
    let mut files: Vec<_> = PLATFORM.to_vec();
    for (path, text) in &mut files {
        if *path == "base/services/metrics-server.yaml" {
            *text = other;
        }
    }
    let (sources, environment) = platform(&files, Purpose::Judge);
    assert!(environment.releases.is_empty());
    let problem = environment.problems.first().expect("a problem");
    assert_eq!(
        (problem.kind, place(&sources, problem).as_str()),
        (ProblemKind::Unresolved, "other")
    );
}

#[test]
fn what_does_not_concern_us_is_built_only_when_something_asks_for_it() {
    let children = "apiVersion: kustomize.toolkit.fluxcd.io/v1
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
";
    let settings = "apiVersion: v1
kind: ConfigMap
metadata: {name: cluster-vars, namespace: flux-system}
data: {CHART: 3.12.1, CPU_LIMIT: 50m, MEMORY_LIMIT: 32Mi}
";
    let blog = "apiVersion: v1\nkind: Service\nmetadata: {name: blog, namespace: blog}\n";
    let mut files = PLATFORM.to_vec();
    for (path, text) in &mut files {
        if path.ends_with("kustomization.yaml") && !path.contains("flux-system") {
            *text = if path.starts_with("base") {
                "resources: [metrics-server.yaml, children.yaml]\n"
            } else {
                "resources: [../../base/services]\n"
            };
        }
    }
    files.push(("base/services/children.yaml", children));
    files.push(("settings/settings.yaml", settings));
    files.push(("apps/blog/service.yaml", blog));
    let sources = Sources::in_memory(files);
    let config = Config::default();
    let layout = Layout::new(&sources, &config);
    let root = objects(&sources, "clusters/prod/flux-system/gotk-sync.yaml").remove(1);
    let resolved = |purpose| {
        let mut environment = environment(&[]);
        let context = context(&sources, &config, purpose);
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
    let instance = "apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec:
  sync: {kind: OCIRepository, url: 'oci://example.com/fleet', path: clusters/prod}
";
    let mut files = PLATFORM.to_vec();
    files[0] = ("flux/instance.yaml", instance);
    files[1] = ("clusters/prod/flux-system/kustomization.yaml", "resources: []\n");
    let sources = Sources::in_memory(files);
    let config = Config::default();
    let environments = crate::resolve::resolve(&context(&sources, &config, Purpose::Judge));
    let names: Vec<_> = environments.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["flux"]);
    let environment = &environments[0];
    assert_eq!(environment.problems, []);
    let limit = environment.releases[0].values.at("resources.limits.memory").expect("a limit");
    assert_eq!(limit.as_str(), Some("256Mi"));
}

#[test]
fn what_the_artifact_leaves_out_is_not_built() {
    let broken = "not: an object\n";
    let mut files = PLATFORM.to_vec();
    files.push(("apps/metrics-server/.gitlab-ci.yml", broken));
    files.push(("apps/metrics-server/drafts/values.yaml", broken));
    files.push(("apps/.sourceignore", "# not yet\ndrafts/\n"));
    let (_, environment) = platform(&files, Purpose::Judge);
    assert_eq!(environment.problems, []);
    assert_eq!(environment.releases.len(), 1);

    files.push(("apps/metrics-server/values.yaml", broken));
    let (sources, environment) = platform(&files, Purpose::Judge);
    let problem = environment.problems.first().expect("a problem");
    let at = problem.at.written_at().expect("a place");
    assert_eq!(sources[at.file].path, "apps/metrics-server/values.yaml");
}

#[test]
fn an_artifact_generator_moves_the_root() {
    let generator = "apiVersion: source.extensions.fluxcd.io/v1beta1
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
";
    let mut files = PLATFORM.to_vec();
    for (path, text) in &mut files {
        if *path == "base/services/metrics-server.yaml" {
            *text = generator;
        }
    }
    let sources = Sources::in_memory(files);
    let config = Config::default();
    let environments = crate::resolve::resolve(&context(&sources, &config, Purpose::Judge));
    let names: Vec<_> = environments.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["clusters/prod"]);
    assert_eq!(environments[0].problems, []);
    let limit = environments[0].releases[0].values.at("resources.limits.memory");
    assert_eq!(limit.and_then(Node::as_str), Some("256Mi"));
}

#[test]
fn kustomizations_that_wait_for_each_other_end() {
    let child = |name: &str, from: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  path: ./{name}
  sourceRef: {{kind: GitRepository, name: flux-system}}
  postBuild: {{substituteFrom: [{{kind: ConfigMap, name: {from}}}]}}
"
        )
    };
    let vars = |name: &str| {
        format!(
            "apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, namespace: flux-system}}
data: {{A: '${{A}}', B: b}}
"
        )
    };
    let sources = Sources::in_memory([
        ("clusters/prod/flux-system/gotk-sync.yaml".to_owned(), GOTK.to_owned()),
        (
            "clusters/prod/ab.yaml".to_owned(),
            child("a", "from-b") + "---\n" + &child("b", "from-a"),
        ),
        (
            "clusters/prod/none.yaml".to_owned(),
            child("none", "nobody") + "---\n" + &child("c", "from-c"),
        ),
        ("a/vars.yaml".to_owned(), vars("from-a")),
        ("b/vars.yaml".to_owned(), vars("from-b")),
        ("c/vars.yaml".to_owned(), vars("from-c")),
        ("none/vars.yaml".to_owned(), vars("unused")),
    ]);
    let config = Config::default();
    let root = objects(&sources, "clusters/prod/flux-system/gotk-sync.yaml").remove(1);
    let mut environment = environment(&[]);
    resolve(&context(&sources, &config, Purpose::Judge), None, &[root], &mut environment);
    let unresolved: Vec<_> = environment
        .problems
        .iter()
        .filter(|it| it.kind == ProblemKind::Unresolved)
        .map(|it| place(&sources, it))
        .collect();
    // One of the two goes first, without what the other would make.
    assert_eq!(unresolved, ["nobody", "from-b"]);
    let maps: Vec<_> = environment
        .objects
        .iter()
        .filter(|it| it.kind() == "ConfigMap")
        .map(Object::name)
        .collect();
    assert_eq!(maps, ["from-a", "from-b", "from-c", "unused"]);
}

#[test]
fn unknown_fields_vanish_only_from_the_file_that_flux_rewrites() {
    let mut files = PLATFORM.to_vec();
    for (path, text) in &mut files {
        if *path == "clusters/prod/kustomization.yaml" {
            *text = "resources: [../../base/services]\npostBuild: {substitute: {A: b}}\n";
        }
    }
    let (_, environment) = platform(&files, Purpose::Judge);
    assert_eq!(environment.problems, []);
    assert_eq!(environment.releases.len(), 1);

    for (path, text) in &mut files {
        if *path == "base/services/kustomization.yaml" {
            *text = "resources: [metrics-server.yaml]\npostBuild: {}\n";
        }
    }
    let (sources, environment) = platform(&files, Purpose::Judge);
    let problem = environment.problems.first().expect("a problem");
    assert_eq!(
        (problem.kind, place(&sources, problem).as_str()),
        (ProblemKind::BuildFails, "postBuild")
    );
}

#[test]
fn symbolic_links_are_not_in_an_artifact() {
    let listing = PLATFORM
        .into_iter()
        .map(|(path, text)| {
            let path = path.replace("apps/", "real/");
            let text = crate::source::Text::Utf8(text.to_owned());
            (path, crate::source::Relevance::Subject, Some(text))
        })
        .collect();
    let links = [("apps".to_owned(), "real".to_owned())].into_iter().collect();
    let load = Box::new(|_: &str| crate::source::Text::Utf8(String::new()));
    let sources = Sources::new(listing, links, load);
    let config = Config::default();
    let root = objects(&sources, "clusters/prod/flux-system/gotk-sync.yaml").remove(1);
    let mut environment = environment(&[]);
    resolve(&context(&sources, &config, Purpose::Judge), None, &[root], &mut environment);
    let problem = environment.problems.first().expect("a problem");
    assert_eq!(problem.kind, ProblemKind::BuildFails);
    assert_eq!(place(&sources, problem), "./apps/metrics-server");
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
                let context = context(&sources, &config, purpose);
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
            let context = context(&sources, &config, Purpose::Judge);
            let after = post_build(&context, &flux, &before, &mut Vec::new()).expect("it builds");
            prop_assert_eq!(after[0].get("a"), before[0].get("a"));
            prop_assert_eq!(after[0].get("b").map(Node::to_json), Some(json!(1)));
        }
    }
}
