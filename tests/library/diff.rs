//! What differs between two trees in what every environment would run.

use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;

use super::{common::program, directory};
use crate::{
    cli::Verbosity,
    compare::{ComparedTree, compare},
    discover,
    pipeline::survey,
    report::{Compared, TerminalOptions, diff, diff_json, diff_markdown},
    settings::subjects,
};

const FLUX: &str = "
//- clusters/dev/kustomization.yaml
resources: [../../base]
patches:
  - target: {kind: HelmRelease}
    path: patch.yaml
//- clusters/dev/patch.yaml
kind: HelmRelease
metadata: {name: metrics-server}
spec:
  values:
    replicas: 1
//- clusters/prod/kustomization.yaml
resources: [../../base]
patches:
  - target: {kind: HelmRelease}
    path: patch.yaml
//- clusters/prod/patch.yaml
kind: HelmRelease
metadata: {name: metrics-server}
spec:
  values:
    replicas: 2
    resources:
      limits:
        memory: 256Mi
//- base/kustomization.yaml
resources: [release.yaml, repository.yaml]
//- base/repository.yaml
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: metrics-server, namespace: kube-system}
spec: {url: 'https://kubernetes-sigs.github.io/metrics-server/'}
//- base/release.yaml
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: metrics-server, namespace: kube-system}
spec:
  chart:
    spec:
      chart: metrics-server
      version: 3.12.2
      sourceRef: {kind: HelmRepository, name: metrics-server}
  values:
    args: [--kubelet-insecure-tls]
";

/// Two trees: `FLUX`, and what becomes of it when each of `changes` replaces its first text by its second.
fn trees(changes: &[(&str, &str)]) -> (TempDir, TempDir) {
    let mut head = FLUX.to_owned();
    for (old, new) in changes {
        assert!(head.contains(old), "{old}");
        head = head.replacen(old, new, 1);
    }
    (directory(FLUX), directory(&head))
}

fn told((base, head): &(TempDir, TempDir), arguments: &str) -> String {
    let output = program(&format!("diff {arguments}"), &[base.path(), head.path()]);
    assert_eq!((output.status, &*output.err), (0, ""));
    output.out
}

fn json(trees: &(TempDir, TempDir)) -> Value {
    serde_json::from_str(&told(trees, "--format json")).unwrap()
}

#[test]
fn what_one_environment_changes_is_told_with_its_line() {
    let trees = trees(&[("memory: 256Mi", "memory: 512Mi")]);
    assert_snapshot!(told(&trees, ""), @"
    1 setting changes in 1 of 2 environments

    clusters/prod
      kube-system/metrics-server
        ~ memory limit  256Mi → 512Mi  clusters/prod/patch.yaml:8
    ");
    let json = json(&trees);
    assert_eq!(json["setting_changes"].as_array().unwrap().len(), 1);
    let change = &json["setting_changes"][0];
    assert_eq!(change["environments"], serde_json::json!(["clusters/prod"]));
    assert_eq!(change["cause"]["file"], "clusters/prod/patch.yaml");
    assert_eq!(change["cause"]["line"], 8);
    assert_eq!(
        (&change["old"]["value"], &change["new"]["value"]),
        (&"256Mi".into(), &"512Mi".into())
    );
}

#[test]
fn what_is_not_written_any_more_is_told_where_it_was() {
    let trees = trees(&[("    resources:\n      limits:\n        memory: 256Mi\n", "")]);
    assert_snapshot!(told(&trees, ""), @"
    1 setting changes in 1 of 2 environments

    clusters/prod
      kube-system/metrics-server
        - memory limit  256Mi → not set  was at clusters/prod/patch.yaml:8
    ");
}

#[test]
fn a_refactoring_changes_nothing() {
    let moved = [
        ("base/release.yaml", "base/metrics-server.yaml"),
        (
            "resources: [release.yaml, repository.yaml]",
            "resources:\n- metrics-server.yaml\n- repository.yaml",
        ),
    ];
    let trees = trees(&moved);
    assert_snapshot!(told(&trees, ""), @"
    No effective setting changes; 3 files differ
    ");
    assert!(
        told(&trees, "--format markdown").contains("No effective setting changes; 3 files differ")
    );
    let same = (directory(FLUX), directory(FLUX));
    assert_eq!(told(&same, ""), "No effective setting changes; the trees are the same\n");
}

#[test]
fn values_are_compared_by_what_they_mean() {
    let deployment = |labels: &str, args: &str, rest: &str| {
        format!(
            "
//- server.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {{name: metrics-server, namespace: kube-system}}
spec:
  selector: {{matchLabels: {{k8s-app: metrics-server}}}}
  template:
    metadata: {{labels: {{{labels}}}}}
    spec:
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.8.0
          args: [{args}]
          resources: {{{rest}}}
"
        )
    };
    let old = deployment(
        "k8s-app: metrics-server, tier: system",
        "--metric-resolution=60s, --contention-profiling, --audit-log-maxsize=0x10, --kubelet-insecure-tls",
        "requests: {cpu: '0.5', memory: 1024Mi}, limits: {memory: 2147483648}",
    );
    let same = deployment(
        "tier: system, k8s-app: metrics-server",
        "--kubelet-insecure-tls=1, --metric-resolution=1m, --contention-profiling=T, --audit-log-maxsize=16",
        "requests: {cpu: 500m, memory: 1Gi}, limits: {memory: 2Gi}",
    );
    let trees = (directory(&old), directory(&same));
    let text = told(&trees, "");
    assert!(text.starts_with("No effective setting changes; "), "{text}");
    let less = deployment(
        "tier: system, k8s-app: metrics-server",
        "--kubelet-insecure-tls=1, --metric-resolution=61s, --contention-profiling=F, --audit-log-maxsize=10",
        "requests: {cpu: 500m, memory: 1G}, limits: {memory: 2Gi}",
    );
    let trees = (directory(&old), directory(&less));
    let changes = json(&trees)["setting_changes"].clone();
    let names: Vec<&str> =
        changes.as_array().unwrap().iter().map(|it| it["setting"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["--contention-profiling", "--audit-log-maxsize", "metric_resolution", "memory_request"]
    );
}

#[test]
fn a_new_version_of_a_chart_changes_its_defaults() {
    let trees = trees(&[("version: 3.12.2", "version: 3.13.0")]);
    assert_snapshot!(told(&trees, ""), @r#"
    1 setting changes with 5 defaults in both environments

    all environments: clusters/dev, clusters/prod
      kube-system/metrics-server
        ~ chart version  3.12.2 → 3.13.0  base/release.yaml:8
          and with it 5 defaults
          ~ image
              - registry.k8s.io/metrics-server/metrics-server:v0.7.2
              + registry.k8s.io/metrics-server/metrics-server:v0.8.0
          ~ chart app version           0.7.2 → 0.8.0
          + tls type                    not set → metrics-server
          + tls existing secret name    not set → ""
          + tls existing secret lookup  not set → true
    "#);
    let json = json(&trees);
    let all = json["setting_changes"].as_array().unwrap();
    let following = all.iter().filter(|it| it["follows"] == true);
    assert_eq!((following.count(), all.len()), (5, 6));
    assert!(all.iter().all(|it| it["environments"].as_array().unwrap().len() == 2));
}

#[test]
fn what_becomes_unknown_says_why() {
    let trees = trees(&[("    replicas: 2\n", "    replicas: ${REPLICAS}\n")]);
    let unknown = [(
        "kind: HelmRelease\nmetadata: {name: metrics-server}\nspec:\n  values:\n    replicas: 2\n",
        "kind: HelmRelease\nmetadata: {name: metrics-server}\nspec:\n  valuesFrom: [{kind: Secret, name: sizes}]\n  values:\n    replicas: 2\n",
    )];
    let told = [told(&trees, ""), told(&self::trees(&unknown), "")].join("\n");
    assert_snapshot!(told, @"
    1 setting changes in 1 of 2 environments; 1 finding appears

    clusters/prod
      kube-system/metrics-server
        ~ replicas  2 → unknown
            nothing in the repository fills in `${REPLICAS}`
            clusters/prod/patch.yaml:5

    findings that appear
      + note[unresolved]: the replicas of metrics-server cannot be told: nothing in the repository fills in `${REPLICAS}`
        clusters/prod/patch.yaml:5
        in clusters/prod

    64 settings change in 1 of 2 environments; 2 findings appear; 1 finding disappears

    clusters/prod
      kube-system, name unknown
        + containers beside  not set → unknown  base/release.yaml:11
        ~ cpu request        100m (default) → unknown
            the Secret `kube-system/sizes` is not in the repository
            clusters/prod/patch.yaml:8
        ~ memory request     200Mi (default) → unknown
            the Secret `kube-system/sizes` is not in the repository
            clusters/prod/patch.yaml:8
        + cpu limit          not set → unknown
            the Secret `kube-system/sizes` is not in the repository
            clusters/prod/patch.yaml:9
        + spread             not set → unknown  what keeps its pods apart cannot be told
        ~ services
            - kube-system/metrics-server (app.kubernetes.io/instance: metrics-server, app.kubernetes.io/name:
              metrics-server; 443 to https)
            + unknown
            the Secret `kube-system/sizes` is not in the repository
            was at base/release.yaml:8
        ~ 55 settings become unknown: the Secret `kube-system/sizes` is not in the repository  base/release.yaml:11
            image, kubelet certificate authority, kubelet client certificate, kubelet client key, kubelet completely
            insecure, kubelet port, kubelet preferred address types, kubelet use node status port, kubelet request timeout,
            metric resolution, secure port, container port, +43
        ~ 3 settings become unknown: its account is unknown  was at base/release.yaml:8
            cluster roles, auth readers, rights

    findings that appear
      + warning[kubelet-insecure-tls]: metrics-server does not verify the kubelets' certificates
        base/release.yaml:11
        in clusters/prod
      + note[unresolved]: the Secret `kube-system/sizes` is not in the repository; the values in it are unknown
        clusters/prod/patch.yaml:4
        in clusters/prod

    findings that disappear
      - warning[kubelet-insecure-tls]: metrics-server does not verify the kubelets' certificates
        base/release.yaml:11
        in clusters/prod
    ");
}

#[test]
fn environments_come_go_and_get_other_names() {
    let trees = trees(&[
        ("//- clusters/dev/k", "//- clusters/test/k"),
        ("//- clusters/dev/p", "//- clusters/test/p"),
    ]);
    let (base, head) = (directory(FLUX), directory(FLUX));
    std::fs::remove_dir_all(head.path().join("clusters/dev")).unwrap();
    let [gone, come] = [told(&(base, head), ""), told(&trees, "")];
    assert_snapshot!([gone, come].join("\n"), @"
    1 environment disappears; 1 finding disappears

    - environment clusters/dev with kube-system/metrics-server, APIService v1beta1.metrics.k8s.io

    findings that disappear
      - warning[kubelet-insecure-tls]: metrics-server does not verify the kubelets' certificates
        base/release.yaml:11
        in clusters/dev

    1 environment is renamed and nothing else

    ~ environment clusters/test was called clusters/dev; all in it is the same
    ");
}

/// As many environments as `stages`, each of a name and two settings of its own.
fn stages(stages: &[(&str, &str, &str)]) -> TempDir {
    let stages = stages.iter().map(|(name, replicas, memory)| {
        format!(
            "//- {name}/kustomization.yaml
resources: [{}base]
patches:
  - target: {{kind: HelmRelease}}
    patch: |
      kind: HelmRelease
      metadata: {{name: metrics-server}}
      spec: {{values: {{replicas: {replicas}, resources: {{limits: {{memory: {memory}}}}}}}}}
",
            "../".repeat(name.split('/').count())
        )
    });
    let base = FLUX.split_once("//- base/kustomization.yaml").unwrap().1;
    directory(&format!("{}//- base/kustomization.yaml{base}", stages.collect::<String>()))
}

#[test]
fn an_environment_with_another_name_and_a_change_is_one_if_no_other_is_like_it() {
    let told = |old: &[(&str, &str, &str)], new: &[(&str, &str, &str)]| {
        let text = told(&(stages(old), stages(new)), "");
        text.lines().filter(|it| !it.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let text = told(
        &[("dev", "1", "128Mi"), ("sites/a", "2", "256Mi")],
        &[("dev", "1", "128Mi"), ("places/a", "2", "512Mi")],
    );
    assert_eq!(
        text,
        [
            "1 environment is renamed and changed; 1 setting changes in 1 of 2 environments",
            "~ environment places/a was probably called sites/a",
            "places/a",
            "  kube-system/metrics-server",
            "    ~ memory limit  256Mi → 512Mi  places/a/kustomization.yaml:7",
        ],
        "{text:#?}"
    );
    // Two that are as like, and one that is not like it.
    for new in
        [&[("places/b", "2", "512Mi"), ("places/c", "2", "512Mi")][..], &[("places/a", "3", "1Gi")]]
    {
        let text = told(&[("sites/a", "2", "256Mi")], new);
        assert!(text.iter().any(|it| it.starts_with("- environment sites/a with")), "{text:#?}");
    }
}

#[test]
fn many_environments_with_other_names_are_paired_by_what_few_share() {
    let sites = |dir: &str, memory: usize| -> Vec<(String, String)> {
        let site = |it: usize| (format!("{dir}/site-{it}"), format!("{}Mi", it + memory));
        (100..160).map(site).collect()
    };
    let (old, new) = (sites("sites", 0), sites("places", 1000));
    let stages = |all: &[(String, String)]| {
        stages(&all.iter().map(|(name, memory)| (&**name, "2", &**memory)).collect::<Vec<_>>())
    };
    let json = json(&(stages(&old), stages(&new)));
    let changes = json["environment_changes"].as_array().unwrap();
    assert_eq!(changes.len(), 60);
    for it in changes {
        let (name, was) = (it["name"].as_str().unwrap(), it["was"].as_str().unwrap());
        assert_eq!(name.replace("places", "sites"), was);
    }
}

#[test]
fn a_finding_that_moves_is_no_change() {
    let trees = trees(&[("apiVersion: helm", "# The API.\n\napiVersion: helm")]);
    assert_snapshot!(told(&trees, ""), @"No effective setting changes; 1 file differs");
}

#[test]
fn what_fails_fits_the_schema_and_says_why() {
    let (good, broken, empty) = (
        directory(FLUX),
        directory("//- .metrics-server-lint.yaml\nenvironments: [\n"),
        directory("//- a.txt\na\n"),
    );
    let nowhere = good.path().join("nowhere");
    let schema: Value =
        serde_json::from_str(include_str!("../../schema/diff.schema.json")).unwrap();
    let error = &schema["properties"]["error"];
    for (paths, said) in [
        ([good.path(), broken.path()], ".metrics-server-lint.yaml:1"),
        ([broken.path(), good.path()], ".metrics-server-lint.yaml:1"),
        ([nowhere.as_path(), good.path()], "there is no directory"),
    ] {
        let output = program("diff --format json", &paths);
        assert_eq!(output.status, 2);
        let json: Value = serde_json::from_str(&output.out).unwrap();
        assert!(
            schema["required"]
                .as_array()
                .unwrap()
                .iter()
                .all(|it| json.get(it.as_str().unwrap()).is_some())
        );
        assert!(
            error["required"]
                .as_array()
                .unwrap()
                .iter()
                .all(|it| json["error"].get(it.as_str().unwrap()).is_some())
        );
        assert!(schema["properties"].as_object().unwrap().keys().any(|it| it == "error"));
        assert!(json["error"]["message"].as_str().unwrap().contains(said), "{json:#}");
        assert_eq!(json.as_object().unwrap().len(), 2);
    }
    let other = directory("//- a.txt\nb\n");
    let output = program("diff --format json", &[empty.path(), other.path()]);
    let json: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!((output.status, &json["environments"]), (0, &serde_json::json!([])));
    assert_eq!(output.err, "note: neither tree has an environment with anything to compare\n");
}

#[test]
fn new_findings_fail_when_asked_to() {
    let (base, head) = trees(&[("memory: 256Mi", "memory: 100Mi")]);
    let status = |arguments: &str, first: &TempDir, second: &TempDir| {
        program(&format!("diff {arguments}"), &[first.path(), second.path()]).status
    };
    assert_eq!(status("", &base, &head), 0);
    assert_eq!(status("--fail-on note", &base, &head), 1);
    assert_eq!(status("--fail-on note", &head, &base), 0);
}

#[test]
fn the_base_may_lie_inside_the_new_tree() {
    let outer = directory(FLUX);
    let base = outer.path().join("base-branch");
    let (from, _) = trees(&[]);
    let copied = std::process::Command::new("cp").arg("-r").args([from.path(), &base]).status();
    assert!(copied.unwrap().success());
    let output = program("diff", &[&base, outer.path()]);
    assert_eq!(output.out, "No effective setting changes; the trees are the same\n");
    let output = program("diff main", &[]);
    assert_eq!(output.status, 2);
    assert!(output.err.contains("git worktree add ../base main"), "{}", output.err);
}

#[test]
fn what_differs_for_programs_and_comments() {
    let trees = trees(&[
        ("memory: 256Mi", "memory: 100Mi"),
        ("version: 3.12.2", "version: 3.13.0"),
        ("replicas: 1", "replicas: 3"),
    ]);
    assert_snapshot!("diff_markdown", told(&trees, "--format markdown"));
    assert_snapshot!("diff_json", told(&trees, "--format json"));
    assert_snapshot!("diff_text", told(&trees, ""));
    let tree = |dir: &TempDir| {
        let sources = discover::open(dir.path(), &[], &[], &|| ()).unwrap();
        let (environments, clusters) = survey(&sources, &super::config_in(&sources));
        let environments = environments.iter().zip(&clusters);
        let environments =
            environments.map(|(it, cluster)| (it.name.clone(), subjects(it, cluster))).collect();
        ComparedTree { sources, environments }
    };
    let (base, head) = (tree(&trees.0), tree(&trees.1));
    let compared = Compared {
        base: &base.sources,
        head: &head.sources,
        comparison: compare(&base.environments, &head.environments),
    };
    let look = TerminalOptions { color: true, unicode: false, width: 80, links: None };
    let colored = diff(&compared, look, Verbosity::Normal);
    assert_snapshot!("diff_text_colored_80", colored.replace('\u{1b}', "^"));
    let plain = diff(&compared, TerminalOptions { color: false, ..look }, Verbosity::Normal);
    assert!(plain.is_ascii() && plain.lines().all(|it| it.len() <= 80), "{plain}");
    assert!(diff_json(&compared).ends_with("}\n") && diff_markdown(&compared).len() < 65_536);
}

#[test]
fn the_schema_has_the_fields_that_there_are() {
    let approver = "//- clusters/prod/approver.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: kubelet-csr-approver, namespace: kube-system}
spec:
  template:
    spec: {containers: [{name: kubelet-csr-approver, image: 'ghcr.io/postfinance/kubelet-csr-approver:v1.2.10'}]}
//- clusters/prod/kustomization.yaml
resources: [approver.yaml, ../../base]
";
    let trees = trees(&[
        ("memory: 256Mi", "memory: 100Mi"),
        ("//- clusters/dev/k", "//- clusters/test/k"),
        ("//- clusters/dev/p", "//- clusters/test/p"),
        ("//- clusters/prod/kustomization.yaml\nresources: [../../base]\n", approver),
    ]);
    let json = json(&trees);
    let schema: Value =
        serde_json::from_str(include_str!("../../schema/diff.schema.json")).unwrap();
    let types = &schema["$defs"];
    let setting = &json["setting_changes"][0];
    for (value, schema) in [
        (&json, &schema),
        (&json["summary"], &schema["properties"]["summary"]),
        (&json["environment_changes"][0], &types["environment_change"]),
        (&json["subject_changes"][0], &types["subject_change"]),
        (setting, &types["setting_change"]),
        (&setting["cause"], &types["setting_change"]["properties"]["cause"]["anyOf"][1]),
        (&setting["new"], &types["fact"]),
        (&setting["new"]["origin"][0], &types["step"]),
    ] {
        let known = schema["properties"].as_object().unwrap();
        let value = value.as_object().unwrap_or_else(|| panic!("{json:#}"));
        assert!(value.keys().all(|it| known.contains_key(it)), "{value:?} {known:?}");
        for required in schema["required"].as_array().unwrap() {
            assert!(value.contains_key(required.as_str().unwrap()), "{required} {value:?}");
        }
    }
}

#[test]
fn what_differs_and_is_not_judged_is_told_apart() {
    let text = |period: u32, resolution: &str| {
        directory(&format!(
            "
            //- server.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {{name: metrics-server, namespace: kube-system}}
            spec:
              template:
                spec:
                  containers:
                    - name: metrics-server
                      image: registry.k8s.io/metrics-server/metrics-server:v0.8.0
                      args: [--secure-port=10250, --metric-resolution={resolution}]
                      readinessProbe:
                        httpGet: {{path: /readyz, port: 10250, scheme: HTTPS}}
                        periodSeconds: {period}
            "
        ))
    };
    let same = (text(10, "15s"), text(10, "0m15s"));
    assert_snapshot!(told(&same, ""), @"
    No effective setting changes; 1 file differs
    ");
    let other = (text(10, "15s"), text(20, "0m15s"));
    assert_snapshot!(told(&other, ""), @"
    What is judged stays the same; 1 object differs otherwise; 1 file differs

      ~ Deployment kube-system/metrics-server
    ");
    assert_eq!(
        json(&other)["summary"]["other_objects"][0],
        "Deployment kube-system/metrics-server"
    );
}
