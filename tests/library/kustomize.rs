//! Builds as a user writes them: what comes out, and where each value was written.

use crate::{
    config::Config,
    problem::{Problem, ProblemKind},
    resolve::{
        context::{Context, Purpose},
        kustomize::{Build, Options, build, transform},
    },
    source::Sources,
    tree::{Map, Node, Origin, Via},
};

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: metrics-server
  namespace: kube-system
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: metrics-server
        image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
        args: [--secure-port=10250]
        resources:
          limits: {memory: 200Mi}
";

/// What a build in `dir` of these files does, and the files to look its places up.
fn built(files: &[(&str, &str)], dir: &str, options: &Options) -> (Sources, Build) {
    let sources = Sources::in_memory(files.iter().map(|(path, text)| (*path, *text)));
    let config = Config::default();
    let context = Context::new(&sources, &config, Purpose::Judge);
    let build = build(&context, dir, options);
    (sources, build)
}

/// The only object of a build of `kustomization` over [`DEPLOYMENT`].
fn overlay(kustomization: &str) -> (Sources, Node) {
    let text = format!("resources: [deployment.yaml]\n{kustomization}");
    let files = [("deployment.yaml", DEPLOYMENT), ("kustomization.yaml", text.as_str())];
    let (sources, build) = built(&files, "", &Options::default());
    assert_eq!(build.problems, []);
    (sources, build.objects.into_iter().next().expect("an object"))
}

fn container(object: &Node) -> &Node {
    &object.at("spec.template.spec.containers").expect("containers").items()[0]
}

/// `path: via text -> via text`, the last of which is where a person edits.
fn way(sources: &Sources, node: &Node) -> String {
    let steps = node.origin.steps().map(|step| {
        let text = step.span.map_or("?", |span| sources.slice(span).lines().next().unwrap_or(""));
        format!("{} {text}", step.via.id())
    });
    steps.collect::<Vec<_>>().join(" -> ")
}

/// The message of the refusal, and the text at its place.
fn refusal(files: &[(&str, &str)], dir: &str) -> (String, String) {
    let (sources, build) = built(files, dir, &Options::default());
    assert_eq!(build.objects, []);
    let [Problem { kind: ProblemKind::BuildFails, message, at, .. }] = &build.problems[..] else {
        panic!("one refusal: {:?}", build.problems)
    };
    let at = at.written_at().map_or("", |span| sources.slice(span));
    (message.clone(), at.lines().next().unwrap_or("").to_owned())
}

#[test]
fn an_inline_patch_is_edited_inside_the_kustomization() {
    let (sources, object) = overlay(
        "patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata:\n      \
         name: metrics-server\n      namespace: kube-system\n    spec:\n      template:\n        spec:\n          \
         containers:\n          - name: metrics-server\n            args: [--kubelet-insecure-tls]\n            \
         resources:\n              limits:\n                memory: 300Mi\n",
    );
    let container = container(&object);
    let memory = container.at("resources.limits.memory").expect("memory");
    assert_eq!(way(&sources, memory), "patched 200Mi -> written 300Mi");
    // A list without keys is replaced.
    let args = container.get("args").expect("args");
    assert_eq!(args.items().len(), 1);
    assert_eq!(way(&sources, &args.items()[0]), "written --kubelet-insecure-tls");
    let image = container.get("image").expect("an image");
    assert!(way(&sources, image).starts_with("written registry"));
}

#[test]
fn what_a_patch_takes_away_is_remembered() {
    let (sources, object) = overlay(
        "patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: \
         metrics-server, namespace: kube-system}\n    spec: {replicas: null}\n",
    );
    let spec = object.get("spec").and_then(Node::as_map).expect("a spec");
    assert!(spec.get("replicas").is_none());
    let by = spec.removed("replicas").and_then(Origin::written_at).expect("a place");
    assert_eq!(sources.slice(by), "null");
}

#[test]
fn a_json_patch_is_edited_at_its_value() {
    let (sources, object) = overlay(
        "patches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: replace\n      path: /spec/replicas\n      \
         value: 2\n    - {op: add, path: /spec/template/spec/containers/0/args/-, value: --v=2}\n    - {op: \
         remove, path: /spec/template/spec/containers/0/image}\n",
    );
    assert_eq!(way(&sources, object.at("spec.replicas").expect("some")), "patched 1 -> written 2");
    let container = container(&object);
    assert_eq!(way(&sources, &container.get("args").expect("args").items()[1]), "written --v=2");
    let removed = container.as_map().and_then(|it| it.removed("image")).expect("a place");
    assert!(sources.slice(removed.written_at().expect("a span")).starts_with("{op"));
}

#[test]
fn transformers_are_edited_at_their_field() {
    let (sources, object) = overlay(
        "namespace: monitoring\nnamePrefix: prod-\nreplicas:\n- name: metrics-server\n  count: 3\nimages:\n- name: \
         registry.k8s.io/metrics-server/metrics-server\n  newTag: v0.8.0\n",
    );
    let way_of = |path| way(&sources, object.at(path).expect("a value"));
    assert_eq!(way_of("metadata.namespace"), "transformed kube-system -> written monitoring");
    assert_eq!(way_of("metadata.name"), "transformed metrics-server -> written prod-");
    assert_eq!(way_of("spec.replicas"), "transformed 1 -> written 3");
    let image = container(&object).get("image").expect("an image");
    assert_eq!(image.as_str(), Some("registry.k8s.io/metrics-server/metrics-server:v0.8.0"));
    assert_eq!(
        way(&sources, image),
        "transformed registry.k8s.io/metrics-server/metrics-server:v0.7.2 -> written v0.8.0"
    );
}

#[test]
fn generated_values_are_edited_where_they_are_read() {
    let files = [
        ("base/kustomization.yaml", "configMapGenerator:\n- name: vars\n  envs: [a.env]\n"),
        ("base/a.env", "A=1\nB=2\n"),
        (
            "prod/kustomization.yaml",
            "resources: [../base]\ngeneratorOptions: {disableNameSuffixHash: true}\nconfigMapGenerator:\n- \
             name: vars\n  behavior: merge\n  literals: ['B=\"3\"']\n  files: [c=c.txt]\n",
        ),
        ("prod/c.txt", "text\n"),
    ];
    let (sources, build) = built(&files, "prod", &Options::default());
    assert_eq!(build.problems, []);
    let object = &build.objects[0];
    assert_eq!(object.str_at("metadata.name"), Some("vars"));
    let way_of = |key| way(&sources, object.get("data").and_then(|it| it.get(key)).expect("a key"));
    assert_eq!(way_of("A"), "generated a.env -> written 1");
    assert_eq!(way_of("B"), "overridden 2 -> generated 'B=\"3\"' -> written 3");
    assert_eq!(way_of("c"), "generated c=c.txt -> written text");
}

#[test]
fn replacements_and_variables_are_edited_at_their_source() {
    let (sources, object) = overlay(
        "configMapGenerator:\n- name: z\n  options: {disableNameSuffixHash: true}\n  literals: [port=4443]\n\
         replacements:\n- source: {kind: ConfigMap, name: z, fieldPath: data.port}\n  targets:\n  - select: {kind: \
         Deployment}\n    fieldPaths: ['spec.template.spec.containers.[name=metrics-server].args.0']\n    options: \
         {delimiter: '=', index: 1}\n",
    );
    // ConfigMaps come first.
    assert_eq!(object.str_at("kind"), Some("ConfigMap"));
    let (sources, build) = {
        let text = "resources: [deployment.yaml, map.yaml]\nvars:\n- name: IMAGE\n  objref: {apiVersion: v1, kind: \
                    ConfigMap, name: z}\n  fieldref: {fieldPath: data.a}\n";
        let deployment = DEPLOYMENT.replace("--secure-port=10250", "--image=$(IMAGE)");
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: z}\ndata: {a: there}\n";
        let files = [
            ("deployment.yaml", deployment.as_str()),
            ("map.yaml", map),
            ("kustomization.yaml", text),
        ];
        drop(sources);
        built(&files, "", &Options::default())
    };
    assert_eq!(build.problems, []);
    let deployment = build.objects.iter().find(|it| it.str_at("kind") == Some("Deployment"));
    let argument = &container(deployment.expect("one")).get("args").expect("args").items()[0];
    assert_eq!(argument.as_str(), Some("--image=there"));
    assert_eq!(way(&sources, argument), "replaced --image=$(IMAGE) -> written there");
}

#[test]
fn references_follow_names_only_where_kustomize_knows_of_them() {
    let files = [
        (
            "kustomization.yaml",
            "resources: [all.yaml]\nnamePrefix: p-\nconfigMapGenerator:\n- name: values\n  literals: [a=b]\n",
        ),
        (
            "all.yaml",
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec:\n  valuesFrom: \
             [{kind: ConfigMap, name: values}]\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec:\n  \
             containers: [{name: c, envFrom: [{configMapRef: {name: values}}]}]\n---\napiVersion: v1\nkind: \
             Service\nmetadata: {name: s}\n---\napiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: \
             {name: v1beta1.metrics.k8s.io}\nspec: {service: {name: s, namespace: default}}\n",
        ),
    ];
    let (_, build) = built(&files, "", &Options::default());
    assert_eq!(build.problems, []);
    let object =
        |kind| build.objects.iter().find(|it| it.str_at("kind") == Some(kind)).expect("one");
    let generated = object("ConfigMap").str_at("metadata.name").expect("a name");
    assert!(generated.starts_with("p-values-") && generated.len() == "p-values-".len() + 10);
    let pod = &object("Pod").at("spec.containers").expect("some").items()[0];
    assert_eq!(
        pod.get("envFrom").expect("some").items()[0].str_at("configMapRef.name"),
        Some(generated)
    );
    let release = object("HelmRelease").at("spec.valuesFrom").expect("some");
    assert_eq!(release.items()[0].str_at("name"), Some("values"));
    assert_eq!(object("APIService").str_at("spec.service.name"), Some("p-s"));
    assert_eq!(object("APIService").str_at("metadata.name"), Some("v1beta1.metrics.k8s.io"));
}

#[test]
fn a_component_works_on_what_its_parent_has() {
    let files = [
        ("deployment.yaml", DEPLOYMENT),
        ("kustomization.yaml", "resources: [deployment.yaml]\ncomponents: [c]\nnamePrefix: p-\n"),
        (
            "c/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nreplicas: [{name: metrics-server, \
             count: 5}]\n",
        ),
    ];
    let (_, build) = built(&files, "", &Options::default());
    assert_eq!(build.problems, []);
    assert_eq!(build.objects[0].at("spec.replicas").and_then(Node::as_int), Some(5));
}

#[test]
fn refusals_stand_at_their_cause() {
    let at = |kustomization: &str| {
        let files = [("d.yaml", DEPLOYMENT), ("kustomization.yaml", kustomization)];
        refusal(&files, "")
    };
    for (kustomization, place) in [
        ("resources: [d.yaml, gone.yaml]\n", "gone.yaml"),
        ("resources: [d.yaml]\nreplica: []\n", "replica"),
        ("resources: [d.yaml]\nimages: [{name: a, newTag: 1.10}]\n", "1.10"),
        ("resources: [d.yaml]\nnamespace: n\n", "n"),
        ("resources: [d.yaml]\nreplicas: [{name: other, count: 1}]\n", "other"),
        ("resources: [d.yaml, d.yaml]\n", "d.yaml"),
        ("resources: [../d.yaml]\n", "../d.yaml"),
        ("resources: [d.yaml]\npatches: [{path: p.yaml}]\n", "p.yaml"),
        ("resources: [d.yaml]\nkind: Kustomisation\n", "Kustomisation"),
        ("resources: [d.yaml]\nconfigMapGenerator: [{name: a, literals: [a=1, a=2]}]\n", "2"),
        ("resources: [d.yaml]\ncomponents: [d.yaml]\n", "d.yaml"),
        ("resources: [d.yaml]\nhelmCharts: [{name: a}]\n", "{name: a}"),
        ("resources: [.]\n", "."),
    ] {
        assert_eq!(at(kustomization).1, place, "{kustomization}");
    }
    let help = built(
        &[("d.yaml", DEPLOYMENT), ("kustomization.yaml", "resource: [d.yaml]\n")],
        "",
        &Options::default(),
    );
    assert_eq!(help.1.problems[0].help.as_deref(), Some("did you mean `resources`?"));
}

#[test]
fn files_stay_inside_their_kustomization_unless_the_build_is_unrestricted() {
    let files = [("d.yaml", DEPLOYMENT), ("a/kustomization.yaml", "resources: [../d.yaml]\n")];
    let (message, place) = refusal(&files, "a");
    assert_eq!((message.as_str(), place.as_str()), ("d.yaml lies outside a", "../d.yaml"));
    let options = Options { unrestricted: true, ..Options::default() };
    let (_, build) = built(&files, "a", &options);
    assert_eq!(build.objects.len(), 1);
}

#[test]
fn a_directory_without_kustomization_is_built_as_flux_builds_it() {
    let other = DEPLOYMENT.replace("name: metrics-server\n  namespace", "name: other\n  namespace");
    let files = [
        ("apps/a.yaml", DEPLOYMENT),
        ("apps/sub/kustomization.yaml", "resources: [deep/b.yaml]\nnameSuffix: -x\n"),
        ("apps/sub/deep/b.yaml", other.as_str()),
        ("apps/sub/unused.yaml", "not: an object\n"),
        ("apps/notes.txt", "no manifest"),
    ];
    let edits = Map::from_iter([(
        "namespace".to_owned(),
        Node::new("flux", Origin::at(Via::Written, None)),
    )]);
    let options = Options {
        generate: true,
        unrestricted: true,
        edits: Some(Node::new(edits, Origin::at(Via::Written, None))),
        ..Options::default()
    };
    let (_, build) = built(&files, "apps", &options);
    assert_eq!(build.problems, []);
    let names: Vec<_> = build.objects.iter().filter_map(|it| it.str_at("metadata.name")).collect();
    assert_eq!(names, ["metrics-server", "other-x"]);
    assert!(build.objects.iter().all(|it| it.str_at("metadata.namespace") == Some("flux")));
}

#[test]
fn a_post_renderer_patches_what_it_is_given() {
    let sources = Sources::in_memory([
        ("d.yaml", DEPLOYMENT),
        (
            "k.yaml",
            "patches:\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"remove\", \"path\": \"/spec/replicas\"}]'\n",
        ),
    ]);
    let config = Config::default();
    let context = Context::new(&sources, &config, Purpose::Judge);
    let root = |path| {
        let file = sources.find(path).expect("it is there");
        sources.documents(file, crate::scalar::Dialect::Sigs).roots().next().cloned().expect("one")
    };
    let build = transform(&context, vec![root("d.yaml")], &root("k.yaml"));
    assert_eq!(build.problems, []);
    assert!(build.objects[0].at("spec.replicas").is_none());
}

#[test]
fn circles_and_endless_chains_end_at_a_reference() {
    let circle = [
        ("a/kustomization.yaml", "resources: [../b]\n"),
        ("b/kustomization.yaml", "resources: [../a]\n"),
    ];
    assert_eq!(refusal(&circle, "a").1, "../a");
    let parent =
        [("kustomization.yaml", "resources: [a]\n"), ("a/kustomization.yaml", "resources: [..]\n")];
    assert_eq!(refusal(&parent, "a").1, "..");
    let chain: Vec<(String, String)> = (0..10_000)
        .map(|at| (format!("d{at}/kustomization.yaml"), format!("resources: [../d{}]\n", at + 1)))
        .collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let (message, place) = refusal(&chain, "d0");
    assert!(message.contains("kustomizations include one another"), "{message}");
    assert!(place.starts_with("../d"));
}

#[test]
fn what_is_nested_without_end_ends() {
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let object = format!("apiVersion: v1\nkind: X\nmetadata: {{name: x}}\nspec: {deep}\n");
    let files = [
        ("x.yaml", object.as_str()),
        (
            "kustomization.yaml",
            "resources: [x.yaml]\npatches: [{path: x.yaml}]\nimages: [{name: a}]\n",
        ),
    ];
    let (_, build) = built(&files, "", &Options::default());
    assert!(build.problems.len() + build.objects.len() > 0);
}

#[test]
fn a_directive_in_what_a_patch_adds_is_never_part_of_the_object() {
    let (_, object) = overlay(
        "patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    \
         metadata: {name: metrics-server, namespace: kube-system}\n    \
         spec: {template: {spec: {containers: [{name: more, ports: [\
         {containerPort: 80, protocol: TCP}, {containerPort: 443, $patch: delete}]}]}}}\n",
    );
    let more = &object.at("spec.template.spec.containers").expect("containers").items()[0];
    let ports = more.get("ports").expect("ports").to_json();
    // kubectl 1.37 (kustomize 5.8) prints the same.
    let expected = serde_json::json!([
        {"containerPort": 80, "protocol": "TCP"}, {"containerPort": 443}
    ]);
    assert_eq!(ports, expected);
}
