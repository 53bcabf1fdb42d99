//! Random kustomizations, built by us and by `kubectl kustomize` when that is on the machine.
//!
//! `PROPTEST_CASES` says how many of each kind; a few by default, for each one runs a program. A case
//! that failed becomes a folder of `testdata/kustomize-cases`.

use std::{env, fs, path::Path, process::Command, sync::LazyLock};

use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};
use serde_json::Value;

use super::common::fixture::{Files, directory};
use crate::{
    config::Config,
    problem::ProblemKind,
    resolve::{
        context::{Context, Purpose},
        kustomize::{self, BuildOptions},
    },
    scalar::Dialect,
    source::Sources,
    tree::Node,
};

/// The objects of a build, sorted, or nothing when it is refused.
type Built = Option<Vec<String>>;

fn ours(files: &Files, dir: &str) -> (Built, String) {
    let sources = Sources::in_memory(files.iter().cloned());
    let config = Config::default();
    let context = Context::new(&sources, &config, Purpose::Judge);
    let build = kustomize::build(&context, dir, &BuildOptions::default());
    match build.problems.iter().find(|it| it.kind == ProblemKind::BuildFails) {
        Some(problem) => (None, problem.message.to_string()),
        None => (Some(sorted(build.objects.iter().map(Node::to_json))), String::new()),
    }
}

fn theirs(files: &Files, dir: &str) -> (Built, String) {
    let root = directory(files);
    let mut kubectl = Command::new("kubectl");
    // It ends before there is anything to collect.
    kubectl.arg("kustomize").arg(root.path().join(dir)).env("GOGC", "off");
    let output = kubectl.output();
    let output = output.expect("kubectl runs");
    if !output.status.success() {
        return (None, String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).expect("text");
    let sources = Sources::in_memory([("out.yaml", text)]);
    let file = sources.find("out.yaml").expect("it is there");
    let objects = sources.documents(file, Dialect::Sigs).roots();
    (Some(sorted(objects.map(Node::to_json))), String::new())
}

fn sorted(objects: impl Iterator<Item = Value>) -> Vec<String> {
    let mut texts: Vec<String> = objects.map(|it| normal(it).to_string()).collect();
    texts.sort();
    texts
}

/// Numbers that are equal look equal, and so do maps.
fn normal(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(k, v)| (k, normal(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.into_iter().collect()
        }
        other => other,
    }
}

/// Runs `strategy`'s cases through both, unless kubectl is missing.
fn compare(strategy: impl Strategy<Value = Files>) {
    static MISSING: LazyLock<bool> =
        LazyLock::new(|| Command::new("kubectl").arg("version").arg("--client").output().is_err());
    if *MISSING {
        println!("skipped: kubectl is not on the PATH");
        return;
    }
    let cases = env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(8);
    // The same cases in every run: a failure is a change of ours. More of them find what is rarer.
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_126),
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&strategy, |files| {
        let (wanted, error) = theirs(&files, "overlay");
        let (got, problem) = ours(&files, "overlay");
        let mut shown = String::new();
        for (path, text) in &files {
            shown.extend(["--- ", path, "\n", text, "\n"]);
        }
        prop_assert_eq!(got, wanted, "{}\nkubectl: {}\nours: {}", shown, error, problem);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A scalar in some notation. In braces go-yaml writes nothing at all as an empty string: left out.
fn scalar() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "1",
        "2",
        "\"1\"",
        "'2'",
        "a",
        "b",
        "\"b\"",
        "true",
        "\"true\"",
        "yes",
        "\"no\"",
        "null",
        "~",
        "010",
        "1e3",
        "1_000",
        ".5",
        "2001-01-01",
        "\"2001-01-01\"",
        "100m",
        "!!str 3",
        "\"\"",
        "0x1F",
    ])
    .prop_map(str::to_owned)
}

/// Any value, in flow notation.
fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            3 => map(inner.clone()),
            1 => prop::collection::vec(inner.prop_filter("items", |it| !it.is_empty()), 0..3)
                .prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    })
}

fn map(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::btree_map(prop::sample::select(vec!["k", "l", "m", "n"]), inner, 0..3)
        .prop_map(|map| flow(map.into_iter().map(|(key, value)| (key, Some(value)))))
}

fn flow<'a>(fields: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let fields: Vec<String> =
        fields.into_iter().filter_map(|(key, value)| Some(format!("{key}: {}", value?))).collect();
    format!("{{{}}}", fields.join(", "))
}

fn maybe<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.5, strategy)
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}

fn list(items: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec(items, 0..4).prop_map(|items| format!("[{}]", items.join(", ")))
}

/// Sometimes a directive, in patches.
fn directive(patch: bool) -> BoxedStrategy<Option<String>> {
    if patch {
        prop::option::weighted(0.1, one_of(&["delete", "replace", "merge"])).boxed()
    } else {
        Just(None).boxed()
    }
}

/// The value of a merge key, which a patch may forget.
fn key(patch: bool, words: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    let forgets = move |(word, forgets): (String, bool)| (!patch || !forgets).then_some(word);
    (one_of(words), prop::bool::weighted(0.1)).prop_map(forgets)
}

fn container(patch: bool) -> impl Strategy<Value = String> {
    let port = (
        key(patch, &["80", "443", "\"80\""]),
        maybe(one_of(&["TCP", "UDP"])),
        maybe(one_of(&["x", "y"])),
        directive(patch),
    )
        .prop_map(|(number, protocol, name, directive)| {
            flow([
                ("containerPort", number),
                ("protocol", protocol),
                ("name", name),
                ("$patch", directive),
            ])
        });
    let variable = (key(patch, &["A", "B"]), maybe(value()), directive(patch)).prop_map(
        |(name, value, directive)| flow([("name", name), ("value", value), ("$patch", directive)]),
    );
    (
        key(patch, &["a", "b", "c"]),
        maybe(scalar()),
        maybe(list(one_of(&["--x=1", "--y", "\"3\""]))),
        maybe(list(port)),
        maybe(list(variable)),
        maybe(value()),
        directive(patch),
    )
        .prop_map(|(name, image, args, ports, env, resources, directive)| {
            flow([
                ("name", name),
                ("image", image),
                ("args", args),
                ("ports", ports),
                ("env", env),
                ("resources", resources),
                ("$patch", directive),
            ])
        })
}

fn deployment(patch: bool) -> impl Strategy<Value = String> {
    let spread = (key(patch, &["h", "z"]), key(patch, &["X", "Y"]), maybe(scalar())).prop_map(
        |(key, when, skew)| {
            flow([("topologyKey", key), ("whenUnsatisfiable", when), ("maxSkew", skew)])
        },
    );
    let volume = (one_of(&["v", "w"]), maybe(value()))
        .prop_map(|(name, source)| flow([("name", Some(name)), ("emptyDir", source)]));
    let pod = (
        maybe(list(container(patch))),
        maybe(list(spread)),
        maybe(list(volume)),
        maybe(list(value().prop_filter("items", |it| !it.is_empty()))),
        directive(patch),
    )
        .prop_map(|(containers, spread, volumes, tolerations, directive)| {
            flow([
                ("containers", containers),
                ("topologySpreadConstraints", spread),
                ("volumes", volumes),
                ("tolerations", tolerations),
                ("$patch", directive),
            ])
        });
    (
        maybe(pod),
        maybe(scalar()),
        maybe(value()),
        maybe(list(one_of(&["f", "g", "h"]))),
        maybe(map(one_of(&["x", "\"1\"", "z"]))),
    )
        .prop_map(|(pod, replicas, strategy, finalizers, labels)| {
            let template = pod.map(|pod| format!("{{spec: {pod}}}"));
            let spec =
                flow([("replicas", replicas), ("strategy", strategy), ("template", template)]);
            let metadata =
                flow([("name", Some("x".into())), ("finalizers", finalizers), ("labels", labels)]);
            format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {metadata}\nspec: {spec}\n")
        })
}

fn release() -> impl Strategy<Value = String> {
    (map(value()), maybe(value())).prop_map(|(values, chart)| {
        let spec = flow([("values", Some(values)), ("chart", chart)]);
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: x}}\nspec: {spec}\n"
        )
    })
}

fn patched(base: String, patches: &[String], target: &str) -> Files {
    let mut files = vec![("overlay/base.yaml".to_owned(), base)];
    let mut kustomization = "resources: [base.yaml]\npatches:\n".to_owned();
    for (at, patch) in patches.iter().enumerate() {
        kustomization.extend(["- path: p", &at.to_string(), ".yaml\n", target]);
        files.push((format!("overlay/p{at}.yaml"), patch.clone()));
    }
    files.push(("overlay/kustomization.yaml".into(), kustomization));
    files
}

#[test]
fn strategic_merge_of_deployments() {
    let patches = prop::collection::vec(deployment(true), 1..3);
    compare((deployment(false), patches).prop_map(|(base, patches)| patched(base, &patches, "")));
}

#[test]
fn strategic_merge_of_other_objects() {
    let patches = prop::collection::vec(release(), 1..3);
    compare((release(), patches).prop_map(|(base, patches)| patched(base, &patches, "")));
}

#[test]
fn json_patches_among_others() {
    let pointer = one_of(&[
        "/spec/values",
        "/spec/values/k",
        "/spec/values/k/l",
        "/spec/values/l",
        "/spec/values/l/0",
        "/spec/values/k/-",
        "/spec/values/m/1",
        "/spec/chart",
        "/metadata/labels",
        "spec/values",
        "/spec/values/n/-1",
        "/metadata/name",
        "/spec/values/m/k",
    ]);
    let pointer = pointer.boxed();
    let pointer = move || pointer.clone();
    let operation = (
        one_of(&["add", "remove", "replace", "move", "copy", "test", "add", "replace"]),
        pointer(),
        pointer(),
        value(),
    )
        .prop_map(|(op, path, from, value)| {
            format!("- {{op: {op}, path: {path:?}, from: {from:?}, value: {value}}}\n")
        });
    let json = prop::collection::vec(operation, 1..4).prop_map(|it| it.concat());
    let patches = prop::collection::vec(prop_oneof![2 => json, 1 => release()], 1..4);
    let target = "  target: {kind: HelmRelease}\n";
    compare((release(), patches).prop_map(move |(base, patches)| patched(base, &patches, target)));
}

/// Objects that refer to each other by name.
const WORKLOADS: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      serviceAccountName: sa
      containers:
      - name: c
        image: reg/x:v1
        envFrom: [{configMapRef: {name: cm}}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: sa}
---
apiVersion: v1
kind: Service
metadata: {name: svc}
spec: {selector: {a: b}, z: 0}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.x}
spec: {service: {name: svc, namespace: one}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: crb}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cr}
subjects: [{kind: ServiceAccount, name: sa, namespace: one}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: hpa}
spec: {scaleTargetRef: {kind: Deployment, name: web, apiVersion: apps/v1}}
";

#[test]
fn overlays_over_bases() {
    let layer = (
        maybe(one_of(&["p-", "q-"])),
        maybe(one_of(&["-s", "-t"])),
        maybe(one_of(&["one", "two", "default"])),
        maybe(one_of(&["merge", "replace", "create"])),
        prop::collection::btree_map(one_of(&["A", "B", "C"]), one_of(&["1", "x y", "'q'", ""]), 0..3),
        maybe(one_of(&["includeSelectors: true", "includeTemplates: true", "includeSelectors: false"])),
        maybe(one_of(&["newTag: v2", "newName: other/x", "digest: sha256:abc", "newTag: \"3\""])),
        maybe(one_of(&["web", "p-web", "web-s", "none"])),
        any::<bool>(),
        maybe(one_of(&["web", "p-web"])),
    )
        .prop_map(|(prefix, suffix, namespace, behavior, data, labels, image, replicas, hash, patch)| {
            let mut text = String::new();
            let mut line = |key: &str, value: Option<String>| {
                text.extend(value.map(|it| format!("{key}: {it}\n")));
            };
            line("namePrefix", prefix);
            line("nameSuffix", suffix);
            line("namespace", namespace);
            line("labels", labels.map(|it| format!("[{{pairs: {{l: m}}, {it}}}]")));
            line("images", image.map(|it| format!("[{{name: reg/x, {it}}}]")));
            line("replicas", replicas.map(|it| format!("[{{name: {it}, count: 4}}]")));
            line("generatorOptions", (!hash).then(|| "{disableNameSuffixHash: true}".to_owned()));
            let literals: Vec<String> =
                data.iter().map(|(key, value)| format!("\"{key}={value}\"")).collect();
            line("configMapGenerator", behavior.map(|it| {
                format!("[{{name: cm, behavior: {it}, literals: [{}]}}]", literals.join(", "))
            }));
            line("patches", patch.map(|it| {
                format!("[{{target: {{name: {it}}}, patch: '[{{\"op\": \"add\", \"path\": \"/spec/z\", \"value\": 1}}]'}}]")
            }));
            text
        });
    let layer = layer.boxed();
    let layer = move || layer.clone();
    compare((layer(), layer(), maybe(layer())).prop_map(move |(base, overlay, component)| {
        let generator = if base.contains("configMapGenerator") {
            ""
        } else {
            "configMapGenerator: [{name: cm, literals: [A=0, D=4]}]\n"
        };
        let base = base
            .replace("behavior: merge", "behavior: create")
            .replace("behavior: replace", "behavior: create");
        let mut files = vec![
            ("base/all.yaml".to_owned(), WORKLOADS.to_owned()),
            ("base/kustomization.yaml".into(), format!("resources: [all.yaml]\n{generator}{base}")),
        ];
        let mut overlay = format!("resources: [../base]\n{overlay}");
        if let Some(component) = component {
            overlay += "components: [../component]\n";
            let head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
            files.push(("component/kustomization.yaml".into(), format!("{head}{component}")));
        }
        files.push(("overlay/kustomization.yaml".into(), overlay));
        files
    }));
}

/// Cases that failed once: `overlay/` of each is built, `expected.json` has the objects or is absent.
#[test]
fn cases_that_failed_once() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/kustomize-cases");
    let mut count = 0;
    for case in fs::read_dir(&dir).unwrap() {
        let case = case.unwrap().path();
        let mut files = Files::new();
        for file in walkdir::WalkDir::new(&case).into_iter().map(Result::unwrap) {
            if file.file_type().is_file() {
                let path = file.path().strip_prefix(&case).unwrap().to_string_lossy().into_owned();
                files.push((path, fs::read_to_string(file.path()).unwrap()));
            }
        }
        let expected = fs::read_to_string(case.join("expected.json")).ok().map(|text| {
            let objects: Vec<Value> = serde_json::from_str(&text).unwrap();
            sorted(objects.into_iter())
        });
        let (got, problem) = ours(&files, "overlay");
        assert_eq!(got, expected, "{}: {problem}", case.display());
        count += 1;
    }
    assert!(count > 0);
}
