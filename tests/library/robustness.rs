//! Hostile and broken input ends with a diagnostic: no panic, no endless work, nothing hidden.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use rayon::prelude::*;
use serde_json::Value;

use super::{
    common::{files, fixture},
    config_in,
    scenarios::{sarif, scenario, scenarios},
};
use crate::{
    config::{self, Config},
    pipeline::{analyze, check},
    relevance::look,
    report::{self, Report},
    settle::{Scope, settle},
    source::{Skip, Sources, Text},
};

/// Far above what any of these takes, far below what unbounded work would.
const PATIENCE: Duration = Duration::from_mins(2);

/// Checks a repository that holds `files`; what the findings say, as `path: rule: message`.
#[track_caller]
pub(super) fn findings<P: AsRef<str>, T: AsRef<[u8]>>(files: &[(P, T)]) -> Vec<String> {
    shown(files, true)
}

/// The same, `pedantic` or as it is without.
#[track_caller]
fn shown<P: AsRef<str>, T: AsRef<[u8]>>(files: &[(P, T)], pedantic: bool) -> Vec<String> {
    let start = Instant::now();
    let listing = files.iter().map(|(path, bytes)| {
        let (path, bytes) = (path.as_ref().to_owned(), bytes.as_ref());
        let text =
            String::from_utf8(bytes.to_vec()).map_or(Text::Skipped(Skip::Binary), Text::Utf8);
        (path.clone(), look(&path, bytes), Some(text))
    });
    let nothing_more = std::sync::Arc::new(|_: &str| Err(Skip::Binary));
    let sources = Sources::new(listing.collect(), IndexMap::new(), nothing_more);
    let config = Config { pedantic, ..config_in(&sources) };
    let (environments, clusters) = analyze(&sources, &config);
    let settled = settle(&sources, &config, &environments, check(&clusters), &Scope::all());
    let environments = environments.into_iter().map(|it| it.name).collect();
    let report = Report { findings: settled.findings, environments, ..Report::of(&sources) };
    let log = serde_json::from_str(&report::sarif(&report, None)).unwrap();
    assert!(start.elapsed() < PATIENCE, "it took {:?}", start.elapsed());
    texts(&log)
}

fn texts(sarif: &Value) -> Vec<String> {
    let results = sarif["runs"][0]["results"].as_array().unwrap().iter();
    results
        .map(|it| {
            let place = &it["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            let (rule, message) = (&it["ruleId"], &it["message"]["text"]);
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!("{}: {}: {}", text(place), text(rule), text(message))
        })
        .collect()
}

/// A finding of that rule in that file.
#[track_caller]
pub(super) fn assert_found(findings: &[String], path: &str, rule: &str) {
    let start = format!("{path}: {rule}: ");
    assert!(
        findings.iter().any(|it| it.starts_with(&start)),
        "no {start}\n{}",
        findings.join("\n")
    );
}

pub(super) const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: metrics-server}}
  template:
    metadata: {labels: {k8s-app: metrics-server}}
    spec:
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
          args: [--cert-dir=/tmp, --kubelet-insecure-tls]
";

/// But for its chart.
pub(super) const RELEASE: &str = "
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: metrics-server, namespace: kube-system}
spec:
  interval: 1h
";

#[test]
fn every_broken_file_is_named_and_hides_no_other() {
    let found = texts(&sarif(&scenario("broken")));
    for path in [
        "yaml/unclosed.yaml",
        "yaml/tabs.yaml",
        "yaml/bad-indentation.yaml",
        "yaml/second-document.yaml",
        "yaml/unknown-alias.yaml",
    ] {
        assert_found(&found, path, "syntax");
    }
    assert_found(&found, "overlay/metrics-server.yaml", "kubelet-insecure-tls");
    assert_found(&found, "bytes/bom-and-crlf.yaml", "kubelet-insecure-tls");
    assert_found(&found, "bytes/no-final-newline.yaml", "kubelet-insecure-tls");
    let is_mistake = |it: &String| it.starts_with("templates/") && it.contains("syntax");
    assert!(!found.iter().any(is_mistake), "a template is no mistake");
}

#[test]
fn a_chain_of_ten_thousand_layers_ends() {
    let mut files = vec![("layer-0/metrics-server.yaml".to_owned(), DEPLOYMENT.to_owned())];
    files.push((
        "layer-0/kustomization.yaml".to_owned(),
        "resources: [metrics-server.yaml]\n".to_owned(),
    ));
    for layer in 1..10_000 {
        let text = format!("resources: [../layer-{}]\n", layer - 1);
        files.push((format!("layer-{layer}/kustomization.yaml"), text));
    }
    let found = findings(&files);
    assert!(!found.is_empty(), "nothing is said of a chain that is too long to follow");
}

#[test]
fn a_chain_of_scripts_that_source_one_another_ends() {
    let script = |at: usize| format!("kubectl apply -f metrics-server.yaml\n. ./{}.sh\n", at + 1);
    let mut files: Vec<_> = (0..3_000).map(|at| (format!("{at}.sh"), script(at))).collect();
    files.push(("metrics-server.yaml".to_owned(), DEPLOYMENT.to_owned()));
    assert_found(&findings(&files), "metrics-server.yaml", "kubelet-insecure-tls");
}

#[test]
fn a_circle_is_reported_at_a_reference_of_it() {
    let found = findings(&fixture::files(
        &[("DEPLOYMENT", DEPLOYMENT)],
        "
        //- a/kustomization.yaml
        resources: [../b, metrics-server.yaml]
        //- a/metrics-server.yaml
        DEPLOYMENT
        //- b/kustomization.yaml
        resources: [../c]
        //- c/kustomization.yaml
        resources: [../a]
        ",
    ));
    assert!(found.iter().any(|it| it.contains("/kustomization.yaml: ")), "{found:?}");
}

#[test]
fn a_flux_tree_that_contains_itself_ends() {
    findings(&fixture::files(
        &[("DEPLOYMENT", DEPLOYMENT)],
        "
        //- clusters/a/b.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: b, namespace: flux-system}
        spec: {path: ./clusters/b, sourceRef: {kind: GitRepository, name: flux-system}}
        //- clusters/b/a.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: a, namespace: flux-system}
        spec: {path: ./clusters/a, sourceRef: {kind: GitRepository, name: flux-system}}
        //- clusters/b/metrics-server.yaml
        DEPLOYMENT
        ",
    ));
}

#[test]
fn substitutions_that_grow_end() {
    let mut variables = String::from("A0=metrics-server\n");
    for step in 1..60 {
        let before = step - 1;
        writeln!(variables, "A{step}=${{A{before}}}${{A{before}}}").unwrap();
    }
    let nested = "${X:=".repeat(2_000) + "1" + &"}".repeat(2_000);
    let deployment = DEPLOYMENT.replace("--cert-dir=/tmp", &format!("'${{A59}}', '{nested}'"));
    findings(&fixture::files(
        &[("VARIABLES", &variables), ("DEPLOYMENT", &deployment)],
        "
        //- clusters/prod/sync.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: apps, namespace: flux-system}
        spec:
          path: ./apps
          sourceRef: {kind: GitRepository, name: flux-system}
          postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}]}
        //- clusters/prod/kustomization.yaml
        resources: [sync.yaml]
        configMapGenerator: [{name: vars, namespace: flux-system, envs: [vars.env]}]
        generatorOptions: {disableNameSuffixHash: true}
        //- clusters/prod/vars.env
        VARIABLES
        //- apps/metrics-server.yaml
        DEPLOYMENT
        ",
    ));
}

#[test]
fn large_files_end() {
    let items = format!("# metrics-server\n[{}]\n", "1, ".repeat(300_000));
    let documents = "---\nkind: x # metrics-server\n".repeat(50_000);
    let keys: Vec<String> = (0..100_000).map(|at| format!("key{at}: v")).collect();
    let keys = keys.join("\n");
    let files = [
        ("items.yaml", items),
        ("documents.yaml", documents),
        ("keys.yaml", format!("# metrics-server\n{keys}")),
        ("line.env", format!("METRICS_SERVER_MEMORY_LIMIT={}\n", "9".repeat(1_000_000))),
        ("deployment.yaml", DEPLOYMENT.to_owned()),
    ];
    let found = findings(&files);
    assert_found(&found, "deployment.yaml", "kubelet-insecure-tls");
}

#[test]
fn templates_without_measure_end() {
    let line = format!("# metrics-server\na: {}\n", "{{ x }}".repeat(600_000));
    let commented = format!("metrics-server: {{{{ y }}}} #{}\n", "{{ x }}".repeat(600_000));
    let mut nested = "# metrics-server\n".to_owned();
    for at in 0..2_900 {
        writeln!(nested, "{{% if x %}}\na{at}: [b\n{{% else %}}\nb: {}", "c".repeat(600)).unwrap();
    }
    // Each scalar is held against each of the control lines.
    let lines = "{% if x %}\n- a\n{% endif %}\n".repeat(2_900);
    let scalars = format!("# metrics-server\n- [{}]\n{lines}", "1, ".repeat(300_000));
    let found = findings(&[
        ("line.yaml", line),
        ("commented.yaml", commented),
        ("nested.yaml", nested),
        ("scalars.yaml", scalars),
        ("deployment.yaml", DEPLOYMENT.to_owned()),
    ]);
    assert_found(&found, "deployment.yaml", "kubelet-insecure-tls");
}

#[test]
fn comments_without_number_end() {
    let comments = "# metrics-server-lint: ignore[\n".repeat(20_000);
    let found = findings(&[("comments.yaml", format!("{comments}a: 1\n"))]);
    assert_found(&found, "comments.yaml", "unused-suppression");
}

#[test]
fn metrics_servers_and_arguments_without_number_end() {
    let many = (0..3000).map(|at| DEPLOYMENT.replace("kube-system", &format!("n{at}")));
    let flags: Vec<String> = (0..100_000).map(|at| format!("--flag-{at}=1")).collect();
    let found = findings(&[
        ("clusters/a/many.yaml", many.collect::<Vec<_>>().join("---\n")),
        ("clusters/b/flags.yaml", DEPLOYMENT.replace("--cert-dir=/tmp", &flags.join(", "))),
        ("clusters/c/one.yaml", DEPLOYMENT.to_owned()),
    ]);
    // What is beyond is told, and hides nothing elsewhere.
    assert_found(&found, "clusters/c/one.yaml", "kubelet-insecure-tls");
    let insecure = found.iter().filter(|it| it.contains("many.yaml: kubelet-insecure-tls"));
    assert_eq!(insecure.count(), 100);
    for said in ["many.yaml: unresolved: there are more", "flags.yaml: unresolved: which flags"] {
        assert!(found.iter().any(|it| it.contains(said)), "{said}");
    }
}

/// A metrics-server that is built by the rest of a kustomization in `entries` is judged, and it is said
/// once that what is made is nested too deeply.
#[track_caller]
fn assert_too_deep(entries: &str) {
    let found = findings(&[
        ("kustomization.yaml", format!("resources: [all.yaml]\n{entries}").as_str()),
        ("all.yaml", DEPLOYMENT),
        ("rules.yaml", &format!("labels: [{{path: {}a, create: true}}]", "a/".repeat(9_999))),
    ]);
    let deep = found.iter().filter(|it| it.contains("nested too deeply")).count();
    assert_eq!(deep, 1, "{found:#?}");
}

#[test]
fn paths_without_measure_make_no_trees_of_their_depth() {
    let (dots, slashes) = ("a.".repeat(9_999) + "a", "a/".repeat(9_999) + "a");
    let target = "options: {create: true}, select: {kind: Deployment}";
    assert_too_deep(&format!(
        "replacements:\n- source: {{kind: Deployment, fieldPath: metadata.name}}\n  \
         targets: [{{{target}, fieldPaths: [{dots}]}}]"
    ));
    assert_too_deep(&format!(
        "labels: [{{pairs: {{a: b}}, fields: [{{path: {slashes}, create: true}}]}}]"
    ));
    assert_too_deep("labels: [{pairs: {a: b}}]\nconfigurations: [rules.yaml]");
    let mut patch = "patches:\n- target: {kind: Deployment}\n  patch: |\n".to_owned();
    for _ in 0..3_000 {
        patch += "    - {op: add, path: /a, value: {}}\n    - {op: move, from: /b, path: /a/c}\n    \
                  - {op: move, from: /a, path: /b}\n";
    }
    let patch = patch.replacen("    - {op: move, from: /b, path: /a/c}\n", "", 1);
    assert_too_deep(&patch);
}

#[test]
fn templates_that_read_what_is_nested_without_measure_end() {
    let found = findings(&[
        ("Chart.yaml", "{apiVersion: v2, name: c, version: 1.0.0}".to_owned()),
        ("templates/a.yaml", format!("a: {{{{ .Values{} }}}}", ".a".repeat(50_000))),
        ("templates/ms.yaml", DEPLOYMENT.to_owned()),
    ]);
    assert_found(&found, "templates/ms.yaml", "kubelet-insecure-tls");
}

#[test]
fn bytes_that_are_written_as_base64_are_decoded() {
    let with = |arg: &str| DEPLOYMENT.replace("--kubelet-insecure-tls", arg);
    let hidden = with("!!binary LS1rdWJlbGV0LWluc2VjdXJlLXRscw==");
    assert_found(&findings(&[("ms.yaml", &hidden)]), "ms.yaml", "kubelet-insecure-tls");
    let kustomization = ("kustomization.yaml", "resources: [ms.yaml]".to_owned());
    let found = findings(&[kustomization, ("ms.yaml", hidden.clone())]);
    assert_found(&found, "ms.yaml", "kubelet-insecure-tls");
    let chart = ("Chart.yaml", "{apiVersion: v2, name: c, version: 1.0.0}".to_owned());
    let values = "f: !!binary LS1rdWJlbGV0LWluc2VjdXJlLXRscw==".to_owned();
    let template = ("templates/ms.yaml", with("{{ .Values.f }}"));
    let found = findings(&[chart, template, ("values.yaml", values)]);
    assert!(found.iter().any(|it| it.contains("kubelet-insecure-tls")), "{found:#?}");
    for odd in ["!!binary '*'", "!!binary /w=="] {
        let found = findings(&[("ms.yaml", with(odd))]);
        assert!(!found.iter().any(|it| it.contains("kubelet-insecure-tls")), "{found:#?}");
    }
}

#[test]
fn values_that_json_does_not_have_are_refused() {
    for value in [".inf", "[-.Inf]", "{a: .nan}"] {
        let found = findings(&[
            ("Chart.yaml", "{apiVersion: v2, name: c, version: 1.0.0}"),
            ("templates/ms.yaml", DEPLOYMENT),
            ("values.yaml", &format!("f: {value}")),
        ]);
        assert!(found.iter().any(|it| it.contains("infinity")), "{found:#?}");
    }
}

#[test]
fn what_kustomize_takes_of_json_patches_and_env_files_is_taken() {
    let built = |entries: &str| {
        findings(&[
            ("kustomization.yaml", &*format!("resources: [ms.yaml]\n{entries}")),
            ("ms.yaml", DEPLOYMENT),
            ("a.env", "=G\nA=b\n"),
        ])
    };
    let refuses = |entries: &str| built(entries).iter().any(|it| it.contains("build-fails"));
    let target = "target: {kind: Deployment, version: v1, group: apps, name: metrics-server}";
    for (operation, expected) in [
        ("{op: add, path: \"\", value: {}}", true),
        ("{op: replace, path: a, value: {}}", true),
        ("{op: copy, from: /spec, path: \"\"}", true),
        ("{op: test, path: \"/kind\", value: Deployment}", false),
    ] {
        let entries = format!("patches:\n- {target}\n  patch: |\n    - {operation}\n");
        assert_eq!(refuses(&entries), expected, "{operation}");
    }
    let empty = |field: &str| format!("{field}: [{{{target}, patch: \"[]\"}}]");
    assert!(refuses(&empty("patchesJson6902")) && !refuses(&empty("patches")));
    assert!(!refuses("configMapGenerator: [{name: g, envs: [a.env]}]"));
}

/// What is hidden behind a limit may be metrics-server, and that is said without being asked.
#[test]
fn no_limit_hides_a_metrics_server_silently() {
    let chart = |name: &str| format!("{{apiVersion: v2, name: {name}, version: 1.0.0}}");
    let ignored = vec![
        ("Chart.yaml".to_owned(), chart("c")),
        (".helmignore".to_owned(), "x\n".repeat(501)),
        ("templates/ms.yaml".to_owned(), DEPLOYMENT.to_owned()),
    ];
    let mut nested = vec![("Chart.yaml".to_owned(), chart("c"))];
    let mut dir = String::new();
    for at in 0..10 {
        dir += &format!("charts/d{at}/");
        nested.push((format!("{dir}Chart.yaml"), chart(&format!("d{at}"))));
    }
    nested.push((format!("{dir}templates/ms.yaml"), DEPLOYMENT.to_owned()));
    let mut many = vec![("Chart.yaml".to_owned(), chart("c"))];
    for at in 0..300 {
        many.push((format!("charts/d{at}/Chart.yaml"), chart(&format!("d{at}"))));
    }
    many.push(("charts/d0/templates/ms.yaml".to_owned(), DEPLOYMENT.to_owned()));
    let values = vec![
        ("Chart.yaml".to_owned(), chart("c")),
        ("values.yaml".to_owned(), format!("a: [{}]", "1,".repeat(500_001))),
        ("templates/ms.yaml".to_owned(), DEPLOYMENT.to_owned()),
    ];
    let million = "1,".repeat(1_000_001);
    let before = vec![("a.yaml".to_owned(), format!("a: [{million}]\n---\n{DEPLOYMENT}"))];
    let inside = DEPLOYMENT.replace("--kubelet-insecure-tls", &million);
    let inside = vec![("a.yaml".to_owned(), inside)];
    for (files, said) in [
        (ignored, "more than 500 lines"),
        (nested, "too deeply"),
        (many, "more than 256 charts are in one another"),
        (values, "500000 values"),
        (before, "after a million values"),
        (inside, "after a million values"),
    ] {
        let found = shown(&files, false);
        assert!(found.iter().any(|it| it.contains(said)), "{said}: {found:#?}");
    }
}

#[test]
fn patterns_and_indexes_without_measure_end() {
    findings(&fixture::files(
        &[("DEPLOYMENT", DEPLOYMENT)],
        "
        //- kustomization.yaml
        resources: [metrics-server.yaml]
        patches:
          - target: {kind: Deployment, name: '(((((a{1,100}){1,100}){1,100}){1,100}){1,100})'}
            patch: '- {op: remove, path: /spec}'
          - target: {kind: Deployment}
            patch: '- {op: add, path: /spec/template/spec/containers/99999999999999999999/args, value: x}'
          - target: {kind: Deployment}
            patch: '- {op: copy, from: /spec, path: /spec/template/spec/again}'
        replicas: [{name: metrics-server, count: 9223372036854775807}]
        //- metrics-server.yaml
        DEPLOYMENT
        ",
    ));
}

/// Each directory in `0..depth` includes the next one on two ways, which `file` makes different.
fn diamond(depth: usize, file: impl Fn(&str, usize) -> String) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for level in 0..depth {
        files.push((format!("{level}/kustomization.yaml"), file("", level)));
        for way in ["a", "b"] {
            files.push((format!("{level}/{way}/kustomization.yaml"), file(way, level + 1)));
        }
    }
    files
}

#[test]
fn bases_that_double_on_every_level_end() {
    let mut files = diamond(40, |way, level| match way {
        "" => "resources: [a, b]\n".to_owned(),
        way => format!("namePrefix: {way}-\nresources: [../../{level}]\n"),
    });
    files.push(("40/metrics-server.yaml".into(), DEPLOYMENT.into()));
    for resources in ["metrics-server.yaml", "metrics-server.yaml, missing.yaml"] {
        files.push(("40/kustomization.yaml".into(), format!("resources: [{resources}]\n")));
        let found = findings(&files);
        files.pop();
        let large = found.iter().filter(|it| it.contains("too many objects")).count();
        assert_eq!(large, 1, "{found:#?}");
        assert_found(&found, "40/metrics-server.yaml", "kubelet-insecure-tls");
    }
}

#[test]
fn ways_that_double_but_add_nothing_end() {
    let mut files = diamond(40, |way, level| match way {
        "" => "resources: [a, b]\n".to_owned(),
        _ => format!("resources: [../../{level}]\n"),
    });
    files.push(("40/kustomization.yaml".into(), "resources: [metrics-server.yaml]\n".into()));
    files.push(("40/metrics-server.yaml".into(), DEPLOYMENT.into()));
    assert_found(&findings(&files), "40/metrics-server.yaml", "kubelet-insecure-tls");
}

#[test]
fn components_that_double_on_every_level_end() {
    let mut files = diamond(40, |way, level| match way {
        "" => "kind: Component\ncomponents: [a, b]\n".to_owned(),
        way => format!("kind: Component\nnamePrefix: {way}\ncomponents: [../../{level}]\n"),
    });
    files.push(("40/kustomization.yaml".into(), "kind: Component\nnameSuffix: x\n".into()));
    let top = "resources: [metrics-server.yaml]\ncomponents: [../0]\n";
    files.push(("top/kustomization.yaml".into(), top.into()));
    files.push(("top/metrics-server.yaml".into(), DEPLOYMENT.into()));
    let found = findings(&files);
    assert_found(&found, "top/metrics-server.yaml", "kubelet-insecure-tls");
}

#[test]
fn names_that_grow_on_every_level_end() {
    let mut objects = DEPLOYMENT.to_owned();
    for at in 0..500 {
        let object = format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{at}}}\n");
        objects.push_str(&object);
    }
    let mut files = vec![("120/metrics-server.yaml".to_owned(), objects)];
    files.push(("120/kustomization.yaml".into(), "resources: [metrics-server.yaml]\n".into()));
    for level in 0..120 {
        let text = format!("namePrefix: level-{level}-\nresources: [../{}]\n", level + 1);
        files.push((format!("{level}/kustomization.yaml"), text));
    }
    assert_found(&findings(&files), "120/metrics-server.yaml", "kubelet-insecure-tls");
}

/// The only thing said of a build with `entries` is what it cannot tell.
#[track_caller]
fn assert_too_large(entries: &str) {
    let data = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: data}\n\
                data: {a: {b: c}, text: 'x,y', json: '{\"a\": {\"b\": \"c\"}}'}\n";
    let found = findings(&[
        ("kustomization.yaml", format!("resources: [all.yaml]\n{entries}")),
        ("all.yaml", format!("{DEPLOYMENT}{data}")),
    ]);
    let large = found.iter().filter(|it| it.contains("larger than an object")).count();
    assert_eq!(large, 1, "{found:#?}");
    assert_found(&found, "all.yaml", "kubelet-insecure-tls");
}

#[test]
fn patches_that_copy_what_was_copied_end() {
    let mut entries = "patches:\n- target: {kind: ConfigMap}\n  patch: |-\n".to_owned();
    for at in 0..60 {
        writeln!(entries, "    - {{op: copy, from: /data, path: /data/again{at}}}").unwrap();
    }
    assert_too_large(&entries);
}

#[test]
fn replacements_that_copy_what_was_copied_end() {
    for (from, to) in [
        ("data", "fieldPaths: [data.AGAIN], options: {create: true}"),
        ("data.text", "fieldPaths: [data.text], options: {delimiter: ',', index: -1}"),
        ("data", "fieldPaths: [data.json.AGAIN], options: {create: true}"),
    ] {
        let mut entries = "replacements:\n".to_owned();
        for at in 0..60 {
            let to = to.replace("AGAIN", &format!("again{at}"));
            writeln!(
                entries,
                "- source: {{kind: ConfigMap, fieldPath: {from}}}\n  \
                 targets: [{{select: {{kind: ConfigMap}}, {to}}}]",
            )
            .unwrap();
        }
        assert_too_large(&entries);
    }
}

/// `count` ConfigMaps beside a metrics-server, built by the rest of a kustomization in `entries`: what is
/// said at `path`.
#[track_caller]
fn of_many_objects(count: usize, entries: &str, path: &str, said: &str) {
    let mut objects = DEPLOYMENT.to_owned();
    for at in 0..count {
        let object = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c";
        writeln!(objects, "{object}{at}}}\ndata: {{a: {{b: c}}}}").unwrap();
    }
    let found = findings(&[
        ("kustomization.yaml", &*format!("resources: [all.yaml]\n{entries}")),
        ("all.yaml", &objects),
        ("large.txt", &"x".repeat(1_000_000)),
    ]);
    let told = found.iter().filter(|it| it.starts_with(path) && it.contains(said)).count();
    assert_eq!(told, 1, "{found:#?}");
    assert_found(&found, "all.yaml", "kubelet-insecure-tls");
}

const TOO_MUCH: &str = "too much is changed here";

#[test]
fn copies_in_many_objects_end() {
    let mut entries = "patches:\n- target: {kind: ConfigMap}\n  patch: |-\n".to_owned();
    for at in 0..10 {
        writeln!(entries, "    - {{op: copy, from: /data, path: /data/again{at}}}").unwrap();
    }
    of_many_objects(1_000, &entries, "kustomization.yaml", TOO_MUCH);
}

#[test]
fn replacements_in_many_objects_end() {
    let mut entries = "replacements:\n".to_owned();
    for at in 0..300 {
        writeln!(
            entries,
            "- source: {{kind: ConfigMap, name: c{at}, fieldPath: data}}\n  targets: \
             [{{select: {{kind: ConfigMap}}, fieldPaths: [spec.again{at}], options: {{create: true}}}}]"
        )
        .unwrap();
    }
    of_many_objects(1_000, &entries, "kustomization.yaml", TOO_MUCH);
}

#[test]
fn layers_that_add_to_one_configmap_end() {
    let keys =
        |layer: usize| -> Vec<String> { (0..1000).map(|at| format!("k{layer}x{at}=v")).collect() };
    let layer = |at: usize| {
        let (below, behavior) = match at {
            0 => ("all.yaml".to_owned(), "create"),
            _ => (format!("../{}", at - 1), "merge"),
        };
        let generator =
            format!("name: c, behavior: {behavior}, literals: [{}]", keys(at).join(", "));
        let text = format!("resources: [{below}]\nconfigMapGenerator: [{{{generator}}}]\n");
        (format!("{at}/kustomization.yaml"), text)
    };
    let mut files: Vec<(String, String)> = (0..60).map(layer).collect();
    files.push(("0/all.yaml".to_owned(), DEPLOYMENT.to_owned()));
    let found = findings(&files);
    assert_eq!(found.iter().filter(|it| it.contains(TOO_MUCH)).count(), 1, "{found:#?}");
    assert_found(&found, "0/all.yaml", "kubelet-insecure-tls");
}

#[test]
fn entries_for_many_objects_end() {
    let patch =
        "- {target: {kind: Config.*}, patch: '- {op: test, path: /kind, value: ConfigMap}'}\n";
    of_many_objects(
        1_000,
        &format!("patches:\n{}", patch.repeat(250)),
        "kustomization.yaml",
        TOO_MUCH,
    );
}

#[test]
fn generated_objects_without_measure_end() {
    let files: Vec<_> = (0..20).map(|at| format!("k{at}=large.txt")).collect();
    let large = format!("configMapGenerator:\n- {{name: large, files: [{}]}}\n", files.join(", "));
    of_many_objects(1, &large, "large.txt", "what is generated here is larger than an object");
    let mut many = "configMapGenerator:\n".to_owned();
    (0..100).for_each(|at| writeln!(many, "- {{name: l{at}, files: [large.txt]}}").unwrap());
    of_many_objects(1, &many, "kustomization.yaml", TOO_MUCH);
}

#[test]
fn variables_in_many_objects_end() {
    let sync = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
                metadata: {name: apps, namespace: flux-system}\nspec:\n  path: ./apps\n  \
                sourceRef: {kind: GitRepository, name: flux-system}\n  \
                postBuild: {substitute: {L: LARGE}}\n";
    let mut files = vec![
        ("clusters/prod/sync.yaml".to_owned(), sync.replace("LARGE", &"x".repeat(1_000_000))),
        ("apps/a.yaml".to_owned(), DEPLOYMENT.to_owned()),
    ];
    for at in 0..100 {
        let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c";
        files
            .push((format!("apps/c{at}.yaml"), format!("{object}{at}}}\ndata: {{a: '${{L}}'}}\n")));
    }
    let found = findings(&files);
    let told = found.iter().any(|it| it.contains("what is substituted is more than is read"));
    assert!(told, "{found:#?}");
    assert_found(&found, "apps/a.yaml", "kubelet-insecure-tls");
}

#[test]
fn what_a_chart_ignores_has_an_end() {
    let rules: Vec<_> = (0..20_000).map(|at| format!("*a*b*{at}")).collect();
    let found = findings(&[
        ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("c/.helmignore", &*rules.join("\n")),
        ("c/templates/a.yaml", DEPLOYMENT),
        ("a.yaml", DEPLOYMENT),
    ]);
    assert!(found.iter().any(|it| it.contains("more than 500 lines")), "{found:#?}");
    assert_found(&found, "a.yaml", "kubelet-insecure-tls");
}

#[test]
fn documents_without_number_end() {
    let file = format!("{DEPLOYMENT}{}", "---\na: b\n".repeat(300_000));
    let found = findings(&[("a.yaml", file)]);
    assert_found(&found, "a.yaml", "kubelet-insecure-tls");
    assert!(found.iter().any(|it| it.contains("nothing is read after a million values")));
}

/// Every scenario, with files cut off, without a line, and with bytes that belong nowhere.
#[test]
fn conditions_of_terraform_that_double_end() {
    let doubled = |of: &str| -> String {
        let local =
            |it: usize| format!("  {of}{it} = var.x ? local.{of}{0} : local.{of}{0}\n", it + 1);
        (0..28).map(local).collect()
    };
    let text = format!(
        r#"
variable "x" {{}}
locals {{
{}{}
  text28 = yamlencode({{ args = ["--kubelet-insecure-tls"] }})
  list28 = [local.text28]
}}
resource "helm_release" "text" {{
  name   = "metrics-server"
  chart  = "metrics-server/metrics-server"
  values = [local.text0]
}}
resource "helm_release" "list" {{
  name   = "metrics-server"
  chart  = "metrics-server/metrics-server"
  values = local.list0
}}
"#,
        doubled("text"),
        doubled("list"),
    );
    findings(&[("main.tf", text)]);
}

#[test]
fn no_damage_to_a_scenario_makes_it_panic() {
    scenarios().par_iter().filter(|it| it.name != "broken").for_each(|scenario| {
        let texts: Vec<(String, Vec<u8>)> = files(&scenario.dir, |_| true)
            .into_iter()
            .map(|path| (path.clone(), fs::read(scenario.dir.join(path)).unwrap()))
            .collect();
        for damage in 0..2_usize {
            let damaged = |(at, (path, text)): (usize, &(String, Vec<u8>))| {
                // Without its configuration nothing is done.
                let how = if path == config::FILE { 0 } else { damage + at % 7 };
                (path.clone(), damaged(text, how))
            };
            findings(&texts.iter().enumerate().map(damaged).collect::<Vec<_>>());
        }
    });
}

fn damaged(text: &[u8], how: usize) -> Vec<u8> {
    let middle = text.len() / 2;
    match how {
        0 => text.to_vec(),
        1 => text[..middle].to_vec(),
        2 => text.split(|it| *it == b'\n').skip(3).collect::<Vec<_>>().join(&b'\n'),
        3 => [&text[..middle], b"\t\xff\xfe${", &text[middle..]].concat(),
        4 => String::from_utf8_lossy(text).replace(": ", ": [").into_bytes(),
        5 => String::from_utf8_lossy(text).replace("- ", "-\n").into_bytes(),
        6 => String::from_utf8_lossy(text)
            .replace("metadata:", "metadata: &a\n  <<: *a")
            .into_bytes(),
        7 => [text, b"\n---\n", text].concat(),
        8 => String::from_utf8_lossy(text).replace(['0', '1', '3'], "${N}").into_bytes(),
        _ => String::from_utf8_lossy(text).replace("name:", "name: null #").into_bytes(),
    }
}

#[test]
fn a_chart_of_ones_own_is_not_judged_by_the_values_of_one_that_is_called_the_same() {
    let chart = "{chart: ./ms, sourceRef: {kind: GitRepository, name: flux-system}}";
    let release = format!("{RELEASE}  chart: {{spec: {chart}}}\n  values: {{count: 2}}\n");
    // Versions of three families.
    for (version, template) in [
        ("1.1.0", "templates/deployment.yaml"),
        ("2.8.0", "templates/metrics-server-deployment.yaml"),
        ("3.12.2", "templates/all.yaml"),
        ("5.0.0", "templates/deployment.yaml"),
    ] {
        let found = findings(&[
            ("ms/Chart.yaml", &*format!("name: metrics-server\nversion: {version}\n")),
            ("ms/values.yaml", "count: 1\nserviceMonitor: {on: true}\n"),
            (
                &*format!("ms/{template}"),
                "kind: Deployment\nspec: {replicas: {{ .Values.count }}}\n",
            ),
            ("release.yaml", &*release),
        ]);
        assert!(found.is_empty(), "{version}: {found:?}");
    }
}

/// What is found in a chart with `values` that depends on metrics-server's, as `entry` says.
fn of_umbrella(entry: &str, values: &str) -> Vec<String> {
    let chart = format!(
        "name: ms\nversion: 0.1.0\ndependencies:\n- name: metrics-server\n  version: 3.12.2\n  \
         repository: https://kubernetes-sigs.github.io/metrics-server/\n{entry}"
    );
    let found = findings(&[("ms/Chart.yaml", &*chart), ("ms/values.yaml", values)]);
    found.into_iter().filter(|it| !it.contains("apiservice-insecure-skip-tls-verify")).collect()
}

#[test]
fn values_that_keep_metrics_server_from_being_installed_need_not_name_it() {
    for values in ["a: [b\n", "- a\n"] {
        let found = of_umbrella("", values);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("ms/values.yaml: "), "{found:?}");
    }
}

#[test]
fn values_below_the_name_of_a_chart_that_has_an_alias_reach_nobody() {
    let found = |values| of_umbrella("  alias: ms2\n", values);
    assert_eq!(
        found("metrics-server: {replicas: 1}\n"),
        [
            "ms/values.yaml: unknown-values-key: metrics-server has the alias ms2, so no chart reads this. Fix: call it ms2."
        ]
    );
    let nothing: [&str; 0] = [];
    assert_eq!(found("ms2: {replicas: 1}\n"), nothing);
}
