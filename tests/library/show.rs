//! The effective settings of environments, side by side and one by one.

use insta::assert_snapshot;
use unicode_width::UnicodeWidthStr as _;

use super::{common::program, directory, fixture, scenarios::scenario, written::read};
use crate::{
    cli::Verbosity,
    pipeline::analyze,
    report::{TerminalOptions, has_setting, show, show_markdown},
    source::Sources,
};

fn shown(name: &str, width: usize) -> String {
    let (sources, environments) = read(&scenario(name).dir);
    let look = TerminalOptions { width, ..TerminalOptions::PLAIN };
    show(&sources, &environments, &[], look, Verbosity::Normal)
}

#[test]
fn environments_stand_side_by_side() {
    assert_snapshot!("show_flux_platform_120", shown("flux_platform", 120));
    assert_snapshot!("show_flux_platform_80", shown("flux_platform", 80));
    assert_snapshot!("show_argo_cd_sites_100", shown("argo_cd_sites", 100));
    assert_snapshot!("show_kubeadm_60", shown("kubeadm_self_signed", 60));
}

#[test]
fn what_differs_is_for_a_wiki_too() {
    let (sources, environments) = read(&scenario("argo_cd_sites").dir);
    assert_snapshot!("show_markdown", show_markdown(&sources, &environments, &[]));
}

#[test]
fn colors_are_all_that_colors_change() {
    let (sources, environments) = read(&scenario("flux_platform").dir);
    let shown = |color| {
        let look = TerminalOptions { color, width: 90, ..TerminalOptions::PLAIN };
        show(&sources, &environments, &[], look, Verbosity::Normal)
    };
    let escapes = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
    assert_eq!(escapes.replace_all(&shown(true), ""), shown(false));
    assert_ne!(shown(true), shown(false));
}

/// Two stages that differ in what nobody should have to read, and one that is like the second.
const ODD: &str = "
//- base/kustomization.yaml
resources: [server.yaml]
//- base/server.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec:
  template:
    spec:
      priorityClassName: \"a\\e[31m\\u202eb\"
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.8.0
          args: [--kubelet-insecure-tls, --v=2, '--広い=広い広い広い広い広い広い広い広い']
//- a\u{1b}[31m/kustomization.yaml
resources: [../base]
replicas: [{name: metrics-server, count: 2}]
//- stages/b/kustomization.yaml
resources: [../../base]
replicas: [{name: metrics-server, count: 3}]
//- stages/c/kustomization.yaml
resources: [../../base]
replicas: [{name: metrics-server, count: 3}]
";

fn odd(look: TerminalOptions) -> String {
    let sources = fixture(ODD);
    let (environments, clusters) = analyze(&sources, &super::config_in(&sources));
    let environments: Vec<_> = environments.into_iter().zip(clusters).collect();
    show(&sources, &environments, &[], look, Verbosity::Normal)
}

#[test]
fn nothing_reaches_the_terminal_but_text_of_its_width() {
    for width in [60, 80, 100, 120] {
        let text = odd(TerminalOptions { width, ..TerminalOptions::PLAIN });
        for line in text.lines() {
            assert!(line.width() <= width, "{width}: {line}");
            assert!(line.chars().all(|it| !it.is_control() && it != '\u{202e}'), "{line:?}");
        }
        assert!(text.contains("stages/b, stages/c"), "{text}");
    }
    assert_snapshot!("show_odd_100", odd(TerminalOptions::PLAIN));
}

#[test]
fn one_setting_is_told_with_its_whole_way() {
    let dir = scenario("flux_platform").dir;
    let told = |arguments: &str| program(&format!("show {arguments} --root"), &[&dir]);
    let limit = told("memory-limit").out;
    for name in ["memory_limit", "Memory-Limit"] {
        assert_eq!(told(name).out, limit);
    }
    let others = ["kubelet-port --environment prod", "serving-certificates", "args prod"];
    let others = others.map(|it| told(it).out).join("\n");
    assert_snapshot!([limit, others].join("\n"), @"
    memory limit of kube-system/metrics-server
      clusters/stages/dev
        64Mi
          --> clusters/stages/dev/services/environment.env:6:29
          over base/services/environment.env:20:29  this is overridden
          ::: apps/base/metrics-server/helmrelease.yaml:42:17  substituted here by Flux
      clusters/stages/prod
        256Mi
          --> clusters/stages/prod/services/environment.env:7:29
          over base/services/environment.env:20:29  this is overridden
          ::: apps/base/metrics-server/helmrelease.yaml:42:17  substituted here by Flux

    kubelet port of kube-system/metrics-server
      clusters/stages/prod
        10250
          --> metrics-server's default

    serving certificates
      clusters/stages/dev
        self signed
        kind cluster (control plane): each kubelet signs its own by default, clusters/stages/dev/kind.yaml:3
        kind cluster (workers): each kubelet signs its own by default, clusters/stages/dev/kind.yaml:3
      clusters/stages/prod
        unknown, since nothing in sight says how the kubelets get them

    args of kube-system/metrics-server
      clusters/stages/prod
        --secure-port=10250
          --> base/services/environment.env:15:30  the chart's default
        --cert-dir=/tmp
          --> base/services/environment.env:15:30  the chart's default
        --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname
          --> base/services/environment.env:15:30  the chart's default
        --kubelet-use-node-status-port
          --> base/services/environment.env:15:30  the chart's default
        --metric-resolution=15s
          --> base/services/environment.env:15:30  the chart's default
        --kubelet-insecure-tls
          --> apps/base/metrics-server/helmrelease.yaml:28:9
        --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname
          --> apps/base/metrics-server/helmrelease.yaml:29:9
        --metric-resolution=15s
          --> apps/base/metrics-server/helmrelease.yaml:30:9
    ");
    let (_, environments) = read(&dir);
    assert!(!has_setting(&environments, "nonsense") && has_setting(&environments, "Memory limit"));
}

#[test]
fn every_format_has_the_setting_that_is_asked_for_alone() {
    let dir = scenario("flux_platform").dir;
    let told = |arguments: &str| program(&format!("show {arguments} --root"), &[&dir]).out;
    let json = told("memory-limit --format json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 2);
    let values = json["settings"].as_array().unwrap().iter().map(|it| {
        assert_eq!(
            (&it["setting"], &it["kind"]),
            (&"memory_limit".into(), &"metrics-server".into())
        );
        (it["environment"].as_str().unwrap(), it["fact"]["value"].as_str().unwrap())
    });
    let values: Vec<_> = values.collect();
    assert_eq!(values, [("clusters/stages/dev", "64Mi"), ("clusters/stages/prod", "256Mi")]);
    let json = told("args --environment prod --format json");
    assert_eq!(json.matches("\"args\"").count(), 8, "{json}");
    assert_snapshot!(told("memory-limit nodes --format markdown"), @"
    ### memory limit of kube-system/metrics-server

    | environments | value | written at |
    | --- | --- | --- |
    | clusters/stages/dev | `64Mi` | `clusters/stages/dev/services/environment.env:6` |
    | clusters/stages/prod | `256Mi` | `clusters/stages/prod/services/environment.env:7` |

    ### nodes

    | environments | value | written at |
    | --- | --- | --- |
    | clusters/stages/dev | `3` | `clusters/stages/dev/kind.yaml:6` |
    | clusters/stages/prod | `300` | `.metrics-server-lint.yaml:5` |
    ");
    let kind = directory(
        "//- kind.yaml\nkind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes: [{role: worker}]\n",
    );
    let output = program("show memory-limit --format json --root", &[kind.path()]);
    let json: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(output.status, 2);
    assert!(json["error"]["message"].as_str().unwrap().contains("memory-limit"), "{json}");
}

#[test]
fn check_and_show_are_about_the_same_environments() {
    let scenarios = ["flux_platform", "argo_cd_sites", "kustomize_overlay"];
    for dir in scenarios.map(|it| scenario(it).dir) {
        let dirs = walkdir::WalkDir::new(&dir).into_iter().map(Result::unwrap);
        for at in dirs.filter(|it| it.file_type().is_dir()).map(walkdir::DirEntry::into_path) {
            let json = |arguments: &str| -> serde_json::Value {
                let output = program(&format!("{arguments} --format json --root"), &[&dir, &at]);
                serde_json::from_str(&output.out).unwrap()
            };
            let (shown, found) = (json("show"), json("check --pedantic"));
            let shown: Vec<&str> = shown["environments"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["name"].as_str().unwrap())
                .collect();
            for it in found["findings"].as_array().unwrap() {
                let environments = it["environments"].as_array().unwrap();
                let told = environments.iter().any(|it| shown.contains(&it.as_str().unwrap()));
                assert!(told || environments.is_empty(), "{}: {it:#} {shown:?}", at.display());
            }
        }
    }
    let dir = scenario("flux_platform").dir;
    let shown = |path: &str| {
        let json = program("show --format json --root", &[&dir, &dir.join(path)]).out;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let names = json["environments"].as_array().unwrap().iter();
        names.map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (dev, prod) = ("clusters/stages/dev", "clusters/stages/prod");
    assert_eq!(shown("apps/base/metrics-server"), [dev, prod]);
    assert_eq!(shown("base/services/environment.env"), [dev, prod]);
    assert_eq!(shown("clusters/stages/prod/services/environment.env"), [prod]);
    assert_eq!(shown(dev), [dev]);
}

#[test]
fn words_are_paths_environments_or_settings() {
    let dir = scenario("flux_platform").dir;
    let told = |arguments: &str| program(&format!("show {arguments} --root"), &[&dir]);
    let prod = told("prod");
    assert!(prod.out.starts_with("clusters/stages/prod\n"), "{}", prod.out);
    assert_eq!(told("--environment clusters/stages/prod").out, prod.out);
    assert_eq!(told("--environment prod --environment dev").out, told("").out);
    for (arguments, said) in [
        ("prdo", "`prdo` is no path, environment or setting (did you mean `prod`?"),
        ("memory-limt", "did you mean `memory-limit`?"),
        ("--environment prdo", "there is no environment `prdo`; there are: clusters/stages/"),
        ("--environment prdo", "did you mean `prod`?"),
    ] {
        let output = told(arguments);
        assert_eq!((output.status, &*output.out), (2, ""));
        assert!(output.err.contains(said), "{}", output.err);
    }
    let help = program("show --help", &[]).out;
    assert!(help.contains("memory-limit") && help.contains("tls-type"), "{help}");
}

#[test]
fn what_is_unknown_is_told_once() {
    let dir = directory(
        "
        //- clusters/prod/release.yaml
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          chart:
            spec:
              chart: metrics-server
              version: 3.13.0
              sourceRef: {kind: HelmRepository, name: metrics-server}
          valuesFrom: [{kind: Secret, name: sizes}]
          values:
            args: [--kubelet-insecure-tls]
        ",
    );
    let text = program("show --root", &[dir.path()]).out;
    assert_eq!(text.matches("unknown, since").count(), 1, "{text}");
}

#[test]
fn one_cause_is_told_once() {
    let release = |name: &str, namespace: &str| {
        format!(
            "
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  chart: {{spec: {{chart: metrics-server, version: 3.13.0, sourceRef: {{kind: HelmRepository, name: x}}}}}}
  valuesFrom: [{{kind: Secret, name: {name}-values}}]"
        )
    };
    let all = ["a", "b", "c", "d"].map(|it| release(it, "kube-system")).concat();
    let dir = directory(&format!(
        "//- one/releases.yaml\n{all}\n//- two/release.yaml\n{}",
        release("e", "x")
    ));
    let told = |arguments: &str| program(&format!("show {arguments} --root"), &[dir.path()]).out;
    let text = told("");
    let lines = text.replace("\n  ", " ");
    let lines: Vec<&str> = lines.lines().filter(|it| it.starts_with("unresolved: ")).collect();
    let once = "unresolved: the Secret `kube-system/a-values` is not in the repository; the values in it are \
                unknown (one/releases.yaml:8), and 4 more like it (-v)";
    assert_eq!(lines, [once], "{text}");
    assert!(told("-v").matches("\n  unresolved: ").count() == 5, "{}", told("-v"));
    assert!(told("--format markdown").contains("and 4 more like it"));
    // What is missing is named without backticks.
    let missing = |of: &str| format!("- https://example.org/{of}.yaml\n");
    let files = format!(
        "//- kustomization.yaml\nresources:\n- metrics-server.yaml\n{}//- metrics-server.yaml\n{}",
        ["a", "b/c", "d"].map(missing).concat(),
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: metrics-server}\n"
    );
    let dir = directory(&files);
    let text = program("show --root", &[dir.path()]).out;
    assert!(text.contains("unresolved: https://example.org/a.yaml is not in the"), "{text}");
    assert!(text.replace("\n  ", " ").contains("and 2 more like it (-v)"), "{text}");
    assert_eq!(text.matches("unresolved: ").count(), 1, "{text}");
}

#[test]
fn nothing_is_said_of_nothing() {
    let sources = Sources::in_memory([("a.txt", "")]);
    let none = "no environment with metrics-server, kubelet configuration or approvers\n";
    assert_eq!(show(&sources, &[], &[], TerminalOptions::PLAIN, Verbosity::Normal), none);
    assert_eq!(show_markdown(&sources, &[], &[]), none);
}
