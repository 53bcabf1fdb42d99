//! Builds as a user writes them: what comes out, and where each value was written.

use std::fmt::Write as _;

use insta::assert_snapshot;

use super::{fixture_with, nowhere, roots, unindented, ways, with};
use crate::{
    resolve::kustomize::{Build, BuildOptions, build, transform},
    source::{Sources, Span},
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

/// A repository in which the line `DEPLOYMENT` stands for [`DEPLOYMENT`].
fn repository(text: &str) -> Sources {
    fixture_with(&[("DEPLOYMENT", DEPLOYMENT)], text)
}

/// What a build of the directory `dir` of a repository comes to.
fn built(dir: &str, text: &str) -> String {
    built_with(&BuildOptions::default(), dir, text)
}

fn built_with(options: &BuildOptions, dir: &str, text: &str) -> String {
    let sources = repository(text);
    shown(&sources, &with(&sources, |context| build(context, dir, options)))
}

/// What a build of [`DEPLOYMENT`] with the fields of `kustomization` comes to.
fn overlay(kustomization: &str) -> String {
    let (sources, build) = overlaid(kustomization);
    shown(&sources, &build)
}

fn overlaid(kustomization: &str) -> (Sources, Build) {
    let kustomization = format!("resources: [deployment.yaml]\n{}", unindented(kustomization));
    let files = [("deployment.yaml", DEPLOYMENT), ("kustomization.yaml", &kustomization)];
    let sources = Sources::in_memory(files);
    let build = with(&sources, |context| build(context, "", &BuildOptions::default()));
    (sources, build)
}

/// The objects of a build with their values, without those that are as the Deployment has them; and
/// what is wrong.
fn shown(sources: &Sources, build: &Build) -> String {
    let mut text = String::new();
    for object in &build.objects {
        _ = writeln!(text, "{} {}", object.object_kind(), object.object_name());
        let values = ways::values_if(sources, object, &|origin| {
            let in_deployment = |span: Span| sources[span.file].path.ends_with("deployment.yaml");
            origin.step.via != Via::Written || !origin.step.span.is_some_and(in_deployment)
        });
        let is_type = |it: &&str| it.starts_with("apiVersion: ") || it.starts_with("kind: ");
        for line in values.lines().filter(|it| !is_type(it)) {
            _ = writeln!(text, "  {line}");
        }
    }
    text + &ways::problems(sources, &build.problems)
}

#[test]
fn an_inline_patch_is_edited_inside_the_kustomization() {
    // A list without keys is replaced.
    assert_snapshot!(overlay("
        patches:
        - patch: |-
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              name: metrics-server
              namespace: kube-system
            spec:
              template:
                spec:
                  containers:
                  - name: metrics-server
                    args: [--kubelet-insecure-tls]
                    resources:
                      limits:
                        memory: 300Mi
    "), @"
    Deployment metrics-server
      spec.template.spec.containers[0].name: metrics-server  deployment.yaml:11 patched < kustomization.yaml:13
      spec.template.spec.containers[0].args:
        - --kubelet-insecure-tls  kustomization.yaml:14
      spec.template.spec.containers[0].resources.limits.memory: 300Mi  deployment.yaml:15 patched `200Mi` < kustomization.yaml:17
    ");
}

#[test]
fn what_a_patch_takes_away_is_remembered() {
    let (sources, build) = overlaid(
        "
        patches:
        - patch: |-
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server, namespace: kube-system}
            spec: {replicas: null}
        ",
    );
    let spec = build.objects[0].get("spec").and_then(Node::as_map).expect("a spec");
    assert!(spec.get("replicas").is_none());
    let by = spec.removed("replicas").and_then(Origin::written_at).expect("a place");
    assert_eq!(sources.slice(by), "null");
}

#[test]
fn a_json_patch_is_edited_at_its_value() {
    let kustomization = "
        patches:
        - target: {kind: Deployment}
          patch: |-
            - op: replace
              path: /spec/replicas
              value: 2
            - {op: add, path: /spec/template/spec/containers/0/args/-, value: --v=2}
            - {op: remove, path: /spec/template/spec/containers/0/image}
    ";
    assert_snapshot!(overlay(kustomization), @"
    Deployment metrics-server
      spec.replicas: 2  deployment.yaml:7 patched `1` < kustomization.yaml:7
      spec.template.spec.containers[0].args:
        - --secure-port=10250  deployment.yaml:13
        - --v=2  kustomization.yaml:8
    ");
    let (sources, build) = overlaid(kustomization);
    let container = &build.objects[0].items_at("spec.template.spec.containers")[0];
    let removed = container.as_map().and_then(|it| it.removed("image")).expect("a place");
    assert!(sources.slice(removed.written_at().expect("a span")).starts_with("{op"));
}

#[test]
fn transformers_are_edited_at_their_field() {
    assert_snapshot!(overlay("
        namespace: monitoring
        namePrefix: prod-
        replicas:
        - name: metrics-server
          count: 3
        images:
        - name: registry.k8s.io/metrics-server/metrics-server
          newTag: v0.8.0
    "), @"
    Deployment prod-metrics-server
      metadata.name: prod-metrics-server  deployment.yaml:4 transformed `metrics-server` < kustomization.yaml:3 `prod-`
      metadata.namespace: monitoring  deployment.yaml:5 transformed `kube-system` < kustomization.yaml:2
      spec.replicas: 3  deployment.yaml:7 transformed `1` < kustomization.yaml:6
      spec.template.spec.containers[0].image: registry.k8s.io/metrics-server/metrics-server:v0.8.0  deployment.yaml:12 transformed `registry.k8s.io/metrics-server/metrics-server:v0.7.2` < kustomization.yaml:9 `v0.8.0`
    ");
}

#[test]
fn generated_values_are_edited_where_they_are_read() {
    assert_snapshot!(built("prod", r#"
        //- base/kustomization.yaml
        configMapGenerator:
        - name: vars
          envs: [a.env]
        //- base/a.env
        A=1
        B=2
        //- prod/kustomization.yaml
        resources: [../base]
        generatorOptions: {disableNameSuffixHash: true}
        configMapGenerator:
        - name: vars
          behavior: merge
          literals: ['B="3"']
          files: [c=c.txt]
        //- prod/c.txt
        text
    "#), @r#"
    ConfigMap vars
      metadata.name: vars  base/kustomization.yaml:2
      data.A: "1"  base/kustomization.yaml:3 generated `a.env` < base/a.env:1 `1`
      data.B: "3"  base/a.env:2 overridden `2` < prod/kustomization.yaml:6 generated `'B="3"'` < prod/kustomization.yaml:6 `3`
      data.c: "text\n"  prod/kustomization.yaml:7 generated `c=c.txt` < prod/c.txt:1 `text`
    "#);
}

#[test]
fn replacements_are_edited_at_their_source() {
    // ConfigMaps come first.
    assert_snapshot!(overlay("
        configMapGenerator:
        - name: z
          options: {disableNameSuffixHash: true}
          literals: [port=4443]
        replacements:
        - source: {kind: ConfigMap, name: z, fieldPath: data.port}
          targets:
          - select: {kind: Deployment}
            fieldPaths: ['spec.template.spec.containers.[name=metrics-server].args.0']
            options: {delimiter: '=', index: 1}
    "), @r#"
    ConfigMap z
      metadata.name: z  kustomization.yaml:3
      data.port: "4443"  kustomization.yaml:5 generated `port=4443` < kustomization.yaml:5 `4443`
    Deployment metrics-server
      spec.template.spec.containers[0].args:
        - --secure-port=4443  kustomization.yaml:10 replaced `'spec.template.spec.containers.[name=metrics-server].args.0'` < kustomization.yaml:5 generated `port=4443` < kustomization.yaml:5 `4443`
    "#);
}

#[test]
fn variables_are_edited_at_their_source() {
    assert_snapshot!(built("", "
        //- kustomization.yaml
        resources: [pod.yaml, map.yaml]
        vars:
        - name: IMAGE
          objref: {apiVersion: v1, kind: ConfigMap, name: z}
          fieldref: {fieldPath: data.a}
        //- pod.yaml
        apiVersion: v1
        kind: Pod
        metadata: {name: pod}
        spec: {containers: [{name: c, args: [--image=$(IMAGE)]}]}
        //- map.yaml
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: z}
        data: {a: there}
    "), @"
    ConfigMap z
      metadata.name: z  map.yaml:3
      data.a: there  map.yaml:4
    Pod pod
      metadata.name: pod  pod.yaml:3
      spec.containers[0].name: c  pod.yaml:4
      spec.containers[0].args:
        - --image=there  pod.yaml:4 replaced `--image=$(IMAGE)` < map.yaml:4 `there`
    ");
}

#[test]
fn references_follow_names_only_where_kustomize_knows_of_them() {
    assert_snapshot!(built("", "
        //- kustomization.yaml
        resources: [all.yaml]
        namePrefix: p-
        configMapGenerator:
        - name: values
          literals: [a=b]
        //- all.yaml
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: r}
        spec: {valuesFrom: [{kind: ConfigMap, name: values}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: pod}
        spec: {containers: [{name: c, envFrom: [{configMapRef: {name: values}}]}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: s}
        ---
        apiVersion: apiregistration.k8s.io/v1
        kind: APIService
        metadata: {name: v1beta1.metrics.k8s.io}
        spec: {service: {name: s, namespace: default}}
    "), @"
    ConfigMap p-values-4h2mbtbbt6
      metadata.name: p-values-4h2mbtbbt6  kustomization.yaml:2 transformed `p-` < kustomization.yaml:4 `values`
      data.a: b  kustomization.yaml:5 generated `a=b` < kustomization.yaml:5
    Service p-s
      metadata.name: p-s  all.yaml:13 transformed `s` < kustomization.yaml:2 `p-`
    APIService v1beta1.metrics.k8s.io
      metadata.name: v1beta1.metrics.k8s.io  all.yaml:17
      spec.service.name: p-s  all.yaml:18 transformed `s` < all.yaml:13 transformed `s` < kustomization.yaml:2 `p-`
      spec.service.namespace: default  all.yaml:18
    HelmRelease p-r
      metadata.name: p-r  all.yaml:3 transformed `r` < kustomization.yaml:2 `p-`
      spec.valuesFrom[0].kind: ConfigMap  all.yaml:4
      spec.valuesFrom[0].name: values  all.yaml:4
    Pod p-pod
      metadata.name: p-pod  all.yaml:8 transformed `pod` < kustomization.yaml:2 `p-`
      spec.containers[0].name: c  all.yaml:9
      spec.containers[0].envFrom[0].configMapRef.name: p-values-4h2mbtbbt6  all.yaml:9 transformed `values` < kustomization.yaml:2 transformed `p-` < kustomization.yaml:4 `values`
    ");
}

#[test]
fn a_component_works_on_what_its_parent_has() {
    assert_snapshot!(built("", "
        //- deployment.yaml
        DEPLOYMENT
        //- kustomization.yaml
        resources: [deployment.yaml]
        components: [c]
        namePrefix: p-
        //- c/kustomization.yaml
        apiVersion: kustomize.config.k8s.io/v1alpha1
        kind: Component
        replicas: [{name: metrics-server, count: 5}]
    "), @"
    Deployment p-metrics-server
      metadata.name: p-metrics-server  deployment.yaml:4 transformed `metrics-server` < kustomization.yaml:3 `p-`
      spec.replicas: 5  deployment.yaml:7 transformed `1` < c/kustomization.yaml:3
    ");
}

#[test]
fn a_file_that_is_listed_twice_is_one_mistake() {
    let files = "
        //- all.yaml
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: a}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: metrics-server}
        //- kustomization.yaml
        resources: [all.yaml, all.yaml]
    ";
    let built = built("", files);
    assert_eq!(built.matches("build-fails").count(), 1, "{built}");
    assert!(built.contains("Service metrics-server is defined twice"), "{built}");
}

#[test]
fn refusals_stand_at_their_cause() {
    let resources = ["[d.yaml, gone.yaml]", "[d.yaml, d.yaml]", "[../d.yaml]", "[.]"];
    let fields = [
        "replica: []",
        "images: [{name: a, newTag: 1.10}]",
        "namespace: n",
        "replicas: [{name: other, count: 1}]",
        "patches: [{path: p.yaml}]",
        "patches: [{target: {kind: A}, patch: '[{op: add}]'}]",
        "kind: Kustomisation",
        "configMapGenerator: [{name: a, literals: [a=1, a=2]}]",
        "components: [d.yaml]",
        "helmCharts: [{name: a}]",
    ];
    let kustomizations = resources.map(|it| format!("{{resources: {it}}}")).into_iter();
    let kustomizations =
        kustomizations.chain(fields.map(|it| format!("{{resources: [d.yaml], {it}}}")));
    let refused = kustomizations.map(|kustomization| {
        let files = "
            //- d.yaml
            DEPLOYMENT
            //- kustomization.yaml
            KUSTOMIZATION
        ";
        let built = built("", &files.replace("KUSTOMIZATION", &kustomization));
        built[built.find("build-fails").expect("a refusal")..].to_owned()
    });
    assert_snapshot!(refused.collect::<String>(), @"
    build-fails: there is no gone.yaml in the repository  kustomization.yaml:1:22 `gone.yaml`
    build-fails: Deployment kube-system/metrics-server is defined twice in this build  kustomization.yaml:1:22 `d.yaml`
      first here  d.yaml:4:9 `metrics-server`
      again here  d.yaml:4:9 `metrics-server`
    build-fails: ../d.yaml lies outside the repository  kustomization.yaml:1:14 `../d.yaml`
    build-fails: the root of the repository includes itself in a cycle  kustomization.yaml:1:14 `.`
    build-fails: kustomize knows no field `replica` here  kustomization.yaml:1:23 `replica`
    build-fails: kustomize expects a string here  kustomization.yaml:1:50 `1.10`
    build-fails: kustomize expects a string here  kustomization.yaml:1:34 `n`
    build-fails: nothing that has replicas is called other  kustomization.yaml:1:41 `other`
    build-fails: there is no file p.yaml in the repository  kustomization.yaml:1:40 `p.yaml`
    build-fails: this is no patch: what starts with `[` has to be JSON  kustomization.yaml:1:60 `'[{op: add}]'`
    build-fails: kind should be Kustomization or Component  kustomization.yaml:1:29 `Kustomisation`
    build-fails: this generator sets a twice  kustomization.yaml:1:72 `2`
      first here  kustomization.yaml:1:67 `1`
    build-fails: a component is a directory  kustomization.yaml:1:36 `d.yaml`
    build-fails: kustomize inflates charts only with --enable-helm  kustomization.yaml:1:36 `{name: a}`
    ");
}

#[test]
fn what_is_fetched_hides_only_what_it_may_change() {
    let hides = |field: &str| {
        let field = field.replace("URL", "'https://example.com/x.yaml'");
        let text = format!(
            "
            //- deployment.yaml
            DEPLOYMENT
            //- kustomization.yaml
            resources: [deployment.yaml]
            {field}
            "
        );
        let built = built("", &text);
        assert!(!built.contains("build-fails"), "{built}");
        assert!(built.contains("unresolved: "), "{built}");
        built.contains("  metadata.*: unknown: ")
    };
    for field in [
        "patchesStrategicMerge: [URL]",
        "patches: [{path: URL}]",
        "replacements: [{path: URL}]",
        "transformers: [URL]",
        "transformers: ['{apiVersion: example.com/v1, kind: Own, metadata: {name: a}}']",
        "components: [URL]",
    ] {
        assert!(hides(field), "{field}");
    }
    for field in [
        "configMapGenerator: [{name: a, files: [URL]}]",
        "secretGenerator: [{name: a, envs: [URL]}]",
        "patches: [{path: URL, target: {kind: Service}}]",
        "patchesJson6902: [{path: URL, target: {version: v1, kind: Service, name: a}}]",
        "configurations: [URL]",
        "crds: [URL]",
        "openapi: {path: URL}",
        "generators: [URL]",
        "validators: [URL]",
    ] {
        assert!(!hides(field), "{field}");
    }
}

#[test]
fn what_git_ignores_is_made_before_the_build() {
    let built = built(
        "",
        "
        //- .gitignore
        .env
        /secrets/
        //- deployment.yaml
        DEPLOYMENT
        //- kustomization.yaml
        resources: [deployment.yaml, secrets/token.yaml]
        configMapGenerator: [{name: a, envs: [.env]}]
        secretGenerator: [{name: b, files: [secrets/kubeconfig]}]
    ",
    );
    assert_eq!(
        (built.matches("build-fails").count(), built.matches("unresolved: ").count()),
        (0, 3)
    );
}

#[test]
fn what_another_version_of_the_file_would_build_is_judged() {
    let file = |version: &str| {
        built(
            "",
            &format!(
                "
                //- kustomization.yaml
                apiVersion: {version}
                namespace: monitoring
                resources: [base]
                //- base/kustomization.yaml
                resources: [deployment.yaml]
                //- base/deployment.yaml
                DEPLOYMENT
                "
            ),
        )
    };
    let right = file("kustomize.config.k8s.io/v1beta1");
    let wrong = file("kustomize.config.k8s.io/v1");
    assert!(right.contains("monitoring"), "{right}");
    assert!(wrong.contains("apiVersion should be kustomize.config.k8s.io/v1beta1"), "{wrong}");
    assert!(right.lines().all(|it| wrong.contains(it)), "{wrong}");
}

#[test]
fn what_does_not_depend_on_a_refusal_is_built() {
    assert_snapshot!(built("", "
        //- deployment.yaml
        DEPLOYMENT
        //- kustomization.yaml
        resources: [gone.yaml, deployment.yaml, other, objects.yaml]
        configMapGenerator:
        - {name: a, files: [gone.conf], literals: [b=c]}
        - {name: e, envs: [gone.env, 'https://example.com/e.env']}
        patches:
        - {path: gone-patch.yaml, target: {kind: Service}}
        - {path: 'https://example.com/patch.yaml', target: {kind: Service}}
        - target: {kind: Service, name: broken}
          patch: |-
            - {op: remove, path: /spec/ports/7}
        - patch: |-
            {apiVersion: v1, kind: Service, metadata: {name: gone}}
        - patch: |-
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: metrics-server, namespace: kube-system}, spec: {replicas: 2}}
        images: [{name: registry.k8s.io/metrics-server/metrics-server, newTag: v0.8.0}]
        //- objects.yaml
        apiVersion: v1
        kind: Service
        metadata: {name: broken}
        spec: {ports: [{port: 443}]}
        ---
        apiVersion: v1
        kind: Service
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: n}
        //- other/kustomization.yaml
        resources: [cycle]
        replcas: []
        //- other/cycle/kustomization.yaml
        resources: [..]
    "), @r#"
    Namespace n
      metadata.name: "n"  objects.yaml:11 `n`
    ConfigMap a
      metadata.name: a  kustomization.yaml:3
      data.b: c  kustomization.yaml:3 generated `b=c` < kustomization.yaml:3
      data.gone.conf: unknown: there is no file gone.conf in the repository  kustomization.yaml:3 `gone.conf`
    ConfigMap e
      metadata.name: e  kustomization.yaml:4
      data.*: unknown: https://example.com/e.env is not in the repository
    Service broken
      metadata.name: broken  objects.yaml:3
      metadata.*: unknown: https://example.com/patch.yaml is not in the repository
      spec: unknown: https://example.com/patch.yaml is not in the repository  objects.yaml:4 `{ports: [{port: 443}]}`
      *: unknown: https://example.com/patch.yaml is not in the repository
    Deployment metrics-server
      spec.replicas: 2  deployment.yaml:7 patched `1` < kustomization.yaml:14
      spec.template.spec.containers[0].image: registry.k8s.io/metrics-server/metrics-server:v0.8.0  deployment.yaml:12 transformed `registry.k8s.io/metrics-server/metrics-server:v0.7.2` < kustomization.yaml:15 `v0.8.0`
    build-fails: there is no gone.yaml in the repository  kustomization.yaml:1:13 `gone.yaml`
    build-fails: other includes itself in a cycle  other/cycle/kustomization.yaml:1:13 `..`
    build-fails: kustomize knows no field `replcas` here  other/kustomization.yaml:2:1 `replcas`
    build-fails: this Service has no metadata.name  objects.yaml:6:1 `apiVersion: v1`
    build-fails: there is no file gone.conf in the repository  kustomization.yaml:3:21 `gone.conf`
    build-fails: there is no file gone.env in the repository  kustomization.yaml:4:20 `gone.env`
    unresolved: https://example.com/e.env is not in the repository  kustomization.yaml:4:30 `'https://example.com/e.env'`
    build-fails: there is no file gone-patch.yaml in the repository  kustomization.yaml:6:10 `gone-patch.yaml`
    unresolved: https://example.com/patch.yaml is not in the repository  kustomization.yaml:7:10 `'https://example.com/patch.yaml'`
    "#);
}

#[test]
fn a_patch_of_something_unknown_makes_known_what_it_writes() {
    assert_snapshot!(built("", "
        //- deployment.yaml
        DEPLOYMENT
        //- kustomization.yaml
        resources: [deployment.yaml]
        patches:
        - {path: 'https://example.com/patch.yaml', target: {kind: Deployment}}
        - patch: |-
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server, namespace: kube-system}
            spec:
              replicas: 2
              template: {spec: {hostNetwork: true, containers: [{name: metrics-server, args: [--v=2]}]}}
        - target: {kind: Deployment}
          patch: |-
            - {op: add, path: /spec/template/spec/containers/0/args/-, value: --v=3}
            - {op: add, path: /spec/template/spec/priorityClassName, value: system-cluster-critical}
            - {op: remove, path: /spec/strategy}
            - {op: test, path: /spec/paused, value: false}
    "), @"
    Deployment metrics-server
      metadata.*: unknown: https://example.com/patch.yaml is not in the repository
      spec.replicas: 2  deployment.yaml:7 patched `1` < kustomization.yaml:9
      spec.template.spec.containers[0].name: metrics-server  deployment.yaml:11 patched < kustomization.yaml:10
      spec.template.spec.containers[0].args:
        - --v=2  kustomization.yaml:10
        - --v=3  kustomization.yaml:13
      spec.template.spec.containers[0].*: unknown: https://example.com/patch.yaml is not in the repository
      spec.template.spec.hostNetwork: true  deployment.yaml:10 patched `containers:` < kustomization.yaml:10
      spec.template.spec.priorityClassName: system-cluster-critical  kustomization.yaml:14
      spec.template.spec.*: unknown: https://example.com/patch.yaml is not in the repository
      spec.template.*: unknown: https://example.com/patch.yaml is not in the repository
      spec.*: unknown: https://example.com/patch.yaml is not in the repository
      *: unknown: https://example.com/patch.yaml is not in the repository
    unresolved: https://example.com/patch.yaml is not in the repository  kustomization.yaml:3:10 `'https://example.com/patch.yaml'`
    ");
}

#[test]
fn layers_that_hold_cycles_are_built_a_bounded_number_of_times() {
    let all = (0..40).map(|it| format!("../{it}")).collect::<Vec<_>>().join(", ");
    let dirs =
        (0..40).map(|it| (format!("{it}/kustomization.yaml"), format!("resources: [{all}]")));
    let sources = Sources::in_memory(dirs);
    let build = with(&sources, |context| build(context, "0", &BuildOptions::default()));
    assert!(!build.problems.is_empty() && build.objects.is_empty());
}

#[test]
fn a_field_may_be_misspelt() {
    let (_, build) = overlaid("resource: [d.yaml]");
    assert_eq!(build.problems[0].help.as_deref(), Some("did you mean `resources`?"));
}

#[test]
fn files_stay_inside_their_kustomization_unless_the_build_is_unrestricted() {
    let files = "
        //- deployment.yaml
        DEPLOYMENT
        //- a/kustomization.yaml
        resources: [../deployment.yaml]
    ";
    assert_snapshot!(built("a", files), @"build-fails: deployment.yaml lies outside a  a/kustomization.yaml:1:13 `../deployment.yaml`");
    let options = BuildOptions { unrestricted: true, ..BuildOptions::default() };
    assert_snapshot!(built_with(&options, "a", files), @"Deployment metrics-server");
}

#[test]
fn a_directory_without_kustomization_is_built_as_flux_builds_it() {
    let namespace = Node::new("flux", nowhere());
    let edits = Map::from_iter([("namespace".to_owned(), namespace)]);
    let options = BuildOptions {
        generate: true,
        unrestricted: true,
        edits: Some(Node::new(edits, nowhere())),
        ..BuildOptions::default()
    };
    assert_snapshot!(built_with(&options, "apps", "
        //- apps/deployment.yaml
        DEPLOYMENT
        //- apps/sub/kustomization.yaml
        resources: [deep/b.yaml]
        nameSuffix: -x
        //- apps/sub/deep/b.yaml
        apiVersion: v1
        kind: Service
        metadata: {name: other}
        //- apps/sub/unused.yaml
        not: an object
        //- apps/notes.txt
        no manifest
    "), @"
    Service other-x
      metadata.name: other-x  apps/sub/deep/b.yaml:3 transformed `other` < apps/sub/kustomization.yaml:2 `-x`
      metadata.namespace: flux  apps/sub/deep/b.yaml:3 transformed `{name: other}`
    Deployment metrics-server
      metadata.namespace: flux  apps/deployment.yaml:5 transformed `kube-system`
    ");
}

#[test]
fn a_post_renderer_patches_what_it_is_given() {
    let sources = repository(
        r#"
        //- deployment.yaml
        DEPLOYMENT
        //- kustomization.yaml
        patches:
        - target: {kind: Deployment}
          patch: '[{"op": "replace", "path": "/spec/replicas", "value": 2}]'
        "#,
    );
    let objects = roots(&sources, "deployment.yaml");
    let renderer = &roots(&sources, "kustomization.yaml")[0];
    let build = with(&sources, |context| transform(context, objects, renderer));
    assert_snapshot!(shown(&sources, &build), @"
    Deployment metrics-server
      spec.replicas: 2  deployment.yaml:7 patched `1` < kustomization.yaml:3
    ");
}

#[test]
fn circles_and_endless_chains_end_at_a_reference() {
    assert_snapshot!(built("a", "
        //- a/kustomization.yaml
        resources: [../b]
        //- b/kustomization.yaml
        resources: [../a]
    "), @"build-fails: a includes itself in a cycle  b/kustomization.yaml:1:13 `../a`");
    assert_snapshot!(built("a", "
        //- kustomization.yaml
        resources: [a]
        //- a/kustomization.yaml
        resources: [..]
    "), @"build-fails: the root of the repository includes itself in a cycle  a/kustomization.yaml:1:13 `..`");
    let chain: Vec<_> = (0..10_000)
        .map(|at| format!("//- d{at}/kustomization.yaml\nresources: [../d{}]\n", at + 1))
        .collect();
    let refusal = built("d0", &chain.concat());
    assert!(refusal.starts_with("unresolved: no more than 128 kustomizations"), "{refusal}");
    assert!(refusal.contains(" `../d"), "{refusal}");
}

#[test]
fn what_is_nested_without_end_ends() {
    let deep = "[".repeat(20_000) + "1" + &"]".repeat(20_000);
    let files = "
        //- x.yaml
        apiVersion: v1
        kind: X
        metadata: {name: x}
        spec: DEEP
        //- kustomization.yaml
        resources: [x.yaml]
        patches: [{path: x.yaml}]
        images: [{name: a}]
    ";
    assert!(!built("", &files.replace("DEEP", &deep)).is_empty());
}

#[test]
fn a_directive_in_what_a_patch_adds_is_never_part_of_the_object() {
    // kubectl 1.37 (kustomize 5.8) prints the same.
    assert_snapshot!(overlay("
        patches:
        - patch: |-
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server, namespace: kube-system}
            spec: {template: {spec: {containers: [{name: more, ports: [
              {containerPort: 80, protocol: TCP}, {containerPort: 443, $patch: delete}]}]}}}
    "), @"
    Deployment metrics-server
      spec.template.spec.containers[0].name: more  kustomization.yaml:7
      spec.template.spec.containers[0].ports[0].containerPort: 80  kustomization.yaml:8
      spec.template.spec.containers[0].ports[0].protocol: TCP  kustomization.yaml:8
      spec.template.spec.containers[0].ports[1].containerPort: 443  kustomization.yaml:8
    ");
}

#[test]
fn templates_are_built_around_their_marks() {
    assert_snapshot!(built("app", "
        //- app/kustomization.yaml.j2
        resources:
        - ./settings.yaml
        {% if monitoring %}
        - ./more.yaml
        {% endif %}
        //- app/settings.yaml.j2
        # comment
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data:
          known: 'yes'
          {% if debug %}
          level: debug
          {% endif %}
          host: {{ host }}
        //- app/more.yaml
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: more}
    "), @r#"
    ConfigMap more
      metadata.name: more  app/more.yaml:3
    ConfigMap settings
      metadata.name: settings  app/settings.yaml.j2:4
      data.known: "yes"  app/settings.yaml.j2:6 `'yes'`
      data.level: unknown: it depends on `{% if debug %}`, which is not evaluated  app/settings.yaml.j2:8 `debug`
      data.host: unknown: app/settings.yaml.j2 is a template, which is not evaluated  app/settings.yaml.j2:10 `{{ host }}`
    unresolved: app/kustomization.yaml.j2 is a template, which is not evaluated  app/kustomization.yaml.j2:3:1 `{% if monitoring %}`
    unresolved: app/settings.yaml.j2 is a template, which is not evaluated  app/settings.yaml.j2:7:3 `{% if debug %}`
    "#);
}

#[test]
fn a_path_that_leads_nowhere_is_said_where_it_leads_and_what_was_meant() {
    let helped = |written: &str| {
        let sources = repository(&format!(
            "
            //- apps/ms.yaml
            DEPLOYMENT
            //- apps/kustomization.yaml
            resources: [ms.yaml]
            //- clusters/prod/x/kustomization.yaml
            resources: ['{written}']
            //- clusters/prod/x/server.yaml
            DEPLOYMENT
            "
        ));
        let options = BuildOptions { unrestricted: true, ..BuildOptions::default() };
        let build = with(&sources, |context| build(context, "clusters/prod/x", &options));
        let [problem] = &build.problems[..] else { panic!("{:?}", build.problems) };
        format!("{}; {}", problem.message, problem.help.as_deref().unwrap_or("-"))
    };
    let said = ["../../apps", "../../apps/ms.yaml", "serve.yaml", "./server.yml", "blog.yaml"];
    assert_snapshot!(said.map(helped).join("\n"), @"
    there is no clusters/apps in the repository; write `../../../apps`
    there is no clusters/apps/ms.yaml in the repository; write `../../../apps/ms.yaml`
    there is no clusters/prod/x/serve.yaml in the repository; write `server.yaml`
    there is no clusters/prod/x/server.yml in the repository; write `./server.yaml`
    there is no clusters/prod/x/blog.yaml in the repository; -
    ");
    // A directory that holds this one is no base of it, and nothing lies above the root.
    let said = ["../../../clusters/prdo", "../../../../apps/../other", "../cluster"];
    assert_snapshot!(said.map(helped).join("\n"), @"
    there is no clusters/prdo in the repository; -
    ../../../../apps/../other lies outside the repository; -
    there is no clusters/prod/cluster in the repository; -
    ");
}

/// Compared with kustomize 5.8.1 and Helm 4.3.1.
#[test]
fn helm_merges_all_documents_of_a_values_file_and_kustomize_reads_the_first() {
    let replicas_and_args = |entry: &str| {
        let kustomization = format!(
            "helmCharts:
  - name: metrics-server
    repo: https://kubernetes-sigs.github.io/metrics-server
    version: 3.12.2
    releaseName: ms
{entry}"
        );
        let values = "replicas: 2\n---\nargs: [--kubelet-insecure-tls]\nrevisionHistoryLimit: 3\n";
        let sources = crate::source::Sources::in_memory([
            ("kustomization.yaml", kustomization.as_str()),
            ("v.yaml", values),
        ]);
        let (_, clusters) = crate::pipeline::analyze(&sources, &crate::config::Config::default());
        let mut servers = clusters.into_iter().flat_map(|it| it.metrics_servers);
        let server = servers.next().expect("one");
        (server.replicas.value().copied(), server.kubelet_insecure_tls.value().copied())
    };
    let both = (Some(2), Some(true));
    assert_eq!(replicas_and_args("    valuesFile: v.yaml\n"), both);
    assert_eq!(replicas_and_args("    additionalValuesFiles: [v.yaml]\n"), both);
    for merge in ["merge", "override"] {
        let inline = format!(
            "    valuesFile: v.yaml\n    valuesInline: {{podLabels: {{a: b}}}}\n    valuesMerge: {merge}\n"
        );
        assert_eq!(replicas_and_args(&inline), (Some(2), Some(false)), "{merge}");
    }
}

/// What the one metrics-server has that charts of kustomizations install: the namespace of its release, its
/// replicas, and whether it verifies certificates.
fn inflated(files: &[(&str, &str)]) -> (String, Option<i128>, Option<bool>) {
    let sources = Sources::in_memory(files.iter().copied());
    let (environments, clusters) =
        crate::pipeline::analyze(&sources, &crate::config::Config::default());
    let [environment] = &environments[..] else { panic!("one environment") };
    let [release] = &environment.releases[..] else { panic!("one release") };
    let server = &clusters[0].metrics_servers[0];
    let insecure = server.kubelet_insecure_tls.value().copied();
    (release.namespace.clone(), server.replicas.value().copied(), insecure)
}

/// Compared with kustomize 5.5.0 and 5.8.1.
#[test]
fn a_chart_of_the_old_field_has_what_kustomize_takes_over() {
    let kustomization = "helmChartInflationGenerator:
- chartName: metrics-server
  chartRepoUrl: https://kubernetes-sigs.github.io/metrics-server/
  chartVersion: 3.12.2
  releaseName: metrics-server
  releaseNamespace: kube-system
  values: v.yaml
  valuesLocal: {replicas: 2}
";
    let files =
        [("kustomization.yaml", kustomization), ("v.yaml", "args: [--kubelet-insecure-tls]")];
    assert_eq!(inflated(&files), ("default".to_owned(), Some(2), Some(true)));
    let built = overlay("helmCharts: [{name: a, values: v.yaml}]");
    assert!(built.contains("build-fails"), "{built}");
}

/// Compared with kustomize 5.8.1.
#[test]
fn a_generator_inflates_charts_too() {
    let config = "apiVersion: builtin
kind: HelmChartInflationGenerator
metadata: {name: ms}
name: metrics-server
repo: https://kubernetes-sigs.github.io/metrics-server/
version: 3.12.2
releaseName: metrics-server
valuesInline: {args: [--kubelet-insecure-tls]}
valuesFile: v.yaml
";
    let namespaced = config.to_owned() + "namespace: kube-system\n";
    let namespace = |config: &str| {
        let kustomization = ("kustomization.yaml", "{namespace: other, generators: [g.yaml]}");
        let found = inflated(&[kustomization, ("g.yaml", config), ("v.yaml", "replicas: 2")]);
        assert_eq!(found, (found.0.clone(), Some(2), Some(true)));
        found.0
    };
    assert_eq!(namespace(config), "default");
    assert_eq!(namespace(&namespaced), "kube-system");
    // One that stands in the kustomization itself reads its values all the same.
    let inline = format!("generators:\n- |\n  {}", namespaced.trim_end().replace('\n', "\n  "));
    let values = "args: [--kubelet-insecure-tls, --v=2]\nreplicas: 2";
    let found = inflated(&[("kustomization.yaml", &inline), ("v.yaml", values)]);
    assert_eq!(found, ("kube-system".to_owned(), Some(2), Some(true)));
}

/// Compared with kustomize 5.5.0 and 5.8.1.
#[test]
fn keys_that_kustomize_writes_itself_have_no_quotes() {
    let refused = |kustomization: &str| {
        let built = built(
            "",
            &format!(
                "//- kustomization.yaml\n{kustomization}\n//- r.yaml\n{{apiVersion: v1, kind: ConfigMap, \
                 metadata: {{name: a, labels: {{'8': x}}}}, data: {{'9': x}}}}\n//- a.env\n7=x\n"
            ),
        );
        built.contains("without quotes")
    };
    for key in ["8443", "true", "2001-01-01", "1.5", "~", "0x10", ".inf"] {
        assert!(
            refused(&format!("configMapGenerator: [{{name: g, literals: ['{key}=1']}}]")),
            "{key}"
        );
    }
    for key in ["yes", "a", "12:30:45", "1a"] {
        assert!(
            !refused(&format!("configMapGenerator: [{{name: g, literals: ['{key}=1']}}]")),
            "{key}"
        );
    }
    assert!(refused("secretGenerator: [{name: g, literals: ['8443=1']}]"));
    assert!(refused("configMapGenerator: [{name: g, envs: [a.env]}]"));
    assert!(refused("configMapGenerator: [{name: g, files: ['1=a.env']}]"));
    assert!(refused(
        "configMapGenerator: [{name: g, literals: [a=1], options: {labels: {'8': x}}}]"
    ));
    assert!(refused("{resources: [r.yaml], commonAnnotations: {'8': x}}"));
    assert!(refused("{resources: [r.yaml], labels: [{pairs: {'7': x}}]}"));
    let merged = "configMapGenerator: [{name: a, behavior: merge, literals: [a=1]}]";
    assert!(refused(&format!("{{resources: [r.yaml], {merged}}}")));
    assert!(!refused("{resources: [r.yaml]}"));
    assert!(!refused("{resources: [r.yaml], labels: [{pairs: {'8': y}}]}"), "the key is there");
}

/// Compared with kustomize 5.5.0 and 5.8.1.
#[test]
fn a_key_may_be_tagged_as_a_string() {
    let is_refused = |entry: &str| {
        let text = "//- kustomization.yaml\nresources: [r.yaml]\n//- r.yaml\napiVersion: v1\n\
                    kind: ConfigMap\nmetadata: {name: a}\ndata:\n  ";
        built("", &format!("{text}{entry}\n")).contains("is not a string")
    };
    for entry in ["!!str 8443: x", "!!str &a 8443: x", "&a !!str true: x", "? !!str 8443\n  : x"] {
        assert!(!is_refused(entry), "{entry}");
    }
    for entry in ["8443: x", "&a 8443: x", "! 8443: x", "!!int 8443: x", "a: !!str 1\n  8443: x"] {
        assert!(is_refused(entry), "{entry}");
    }
}
