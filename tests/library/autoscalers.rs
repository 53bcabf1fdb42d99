//! Environments that are there for autoscalers alone: they change nothing about others.

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
    finding::Severity,
    pipeline::{analyze, check},
};

const SERVER: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec: {template: {spec: {containers: [{name: metrics-server, image: registry.k8s.io/metrics-server/metrics-server:v0.7.2}]}}}
";

/// A Deployment whose container requests nothing.
const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, image: registry.example.org/web:1}]}}}
";

/// The same with a request.
const GOOD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, image: registry.example.org/web:1, resources: {requests: {cpu: 1}}}]}}}
";

const SCALER: &str = "\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
";

const PARTS: &[(&str, &str)] =
    &[("SERVER", SERVER), ("WEB", WEB), ("GOOD", GOOD), ("SCALER", SCALER)];

/// The environments of a repository, with the numbers of their kubelets and autoscalers, and
/// whether the first one's workload is known.
fn environments(text: &str) -> String {
    let sources = fixture_with(PARTS, text);
    let (environments, clusters) = analyze(&sources, &Config::default());
    let lines = environments.iter().zip(&clusters).map(|(environment, cluster)| {
        let first = cluster.autoscalers.first();
        let workload = first.is_some_and(|it| it.workload.value().is_some());
        let numbers = (cluster.kubelets.len(), cluster.autoscalers.len());
        format!("{} {numbers:?} {workload}", environment.name)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_scales_takes_no_name_and_no_nodes_from_others() {
    assert_snapshot!(environments("
        //- clusters/a/services/kustomization.yaml
        resources: [ms.yaml]
        //- clusters/a/services/ms.yaml
        SERVER
        //- clusters/a/apps/kustomization.yaml
        resources: [web.yaml, scaler.yaml]
        //- clusters/a/apps/web.yaml
        WEB
        //- clusters/a/apps/scaler.yaml
        SCALER
    "), @"
    clusters/a (0, 0) false
    clusters/a/apps (0, 1) true
    ");
    assert_snapshot!(environments("
        //- kind.yaml
        apiVersion: kind.x-k8s.io/v1alpha4
        kind: Cluster
        nodes: [{role: control-plane}]
        //- web/kustomization.yaml
        resources: [web.yaml, scaler.yaml]
        //- web/web.yaml
        WEB
        //- web/scaler.yaml
        SCALER
    "), @"
    default (1, 0) false
    web (0, 1) true
    ");
}

#[test]
fn a_label_of_a_platform_is_no_cluster_beside_autoscalers() {
    assert_snapshot!(environments("
        //- web/kustomization.yaml
        resources: [account.yaml, web.yaml, scaler.yaml]
        //- web/account.yaml
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: web, annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::1:role/web'}}
        //- web/web.yaml
        WEB
        //- web/scaler.yaml
        SCALER
    "), @"web (0, 1) true");
}

#[test]
fn loose_manifests_are_of_one_cluster_within_their_directory() {
    assert_snapshot!(environments("
        //- a/web.yaml
        WEB
        //- a/scaler.yaml
        SCALER
        //- b/scaler.yaml
        SCALER
        //- c/web.yaml
        WEB
        //- d/metrics-server.yaml
        SERVER
        //- d/web.yaml
        WEB
        //- d/scaler.yaml
        SCALER
        //- e/kustomization.yaml
        resources: [web.yaml]
        //- e/web.yaml
        WEB
        //- e/scaler.yaml
        SCALER
        //- chart/Chart.yaml
        {name: chart, version: 1.0.0}
        //- chart/templates/web.yaml
        WEB
        //- chart/templates/scaler.yaml
        SCALER
    "), @"
    a (0, 1) true
    b (0, 1) false
    chart (0, 1) true
    default (0, 1) true
    ");
}

#[test]
fn what_a_chart_packs_beside_its_templates_nobody_applies() {
    let found = |dir: &str| {
        let files = format!("//- {dir}/web.yaml\nWEB\n//- {dir}/scaler.yaml\nSCALER\n");
        let chart = "apiVersion: v2\nname: a\nversion: 1.0.0\n";
        let charts = format!("//- charts/a/Chart.yaml\n{chart}//- Chart.yaml\n{chart}");
        environments(&format!("{files}{charts}"))
    };
    for dir in ["charts/a/files", "charts/a/ci/more", "charts/a", "files/more"] {
        assert_eq!(found(dir), "", "{dir}");
    }
    for dir in ["charts/a/crds", "charts", "deploy"] {
        assert!(found(dir).starts_with(dir), "{dir}");
    }
}

/// The files of an overlay that makes a namespace of its base, with a `LimitRange` of it.
fn overlay_with_range(name: &str, limits: &str) -> String {
    format!(
        "
        //- base/kustomization.yaml
        resources: [web.yaml, scaler.yaml]
        //- base/web.yaml
        WEB
        //- base/scaler.yaml
        SCALER
        //- overlays/b/kustomization.yaml
        namespace: b
        resources: [../../base]
        //- overlays/{name}/kustomization.yaml
        namespace: {name}
        resources: [../../base, lr.yaml]
        //- overlays/{name}/lr.yaml
        apiVersion: v1
        kind: LimitRange
        metadata: {{name: x}}
        spec: {{limits: [{{type: Container, {limits}}}]}}"
    )
}

#[test]
fn a_limit_range_gives_requests_in_its_namespace_alone() {
    let lacking = |files: &str| {
        let sources = fixture_with(PARTS, files);
        let (_, clusters) = analyze(&sources, &Config::default());
        let found = check(&clusters).into_iter();
        let found = found.filter(|it| it.rule == "hpa-target-without-requests");
        let mut names: Vec<_> = found.flat_map(|it| it.environments).collect();
        names.sort();
        names.join(" ")
    };
    let cpu = "default: {cpu: 100m}";
    assert_eq!(lacking(&overlay_with_range("a", cpu)), "overlays/b");
    let memory = "default: {memory: 500Mi}";
    assert_eq!(lacking(&overlay_with_range("a", memory)), "overlays/a overlays/b");
    // What nothing builds may be applied to any of them, unless it gives something else.
    let loose = |limits: &str| {
        let files = overlay_with_range("a", limits);
        files.replace("[../../base, lr.yaml]", "[../../base]").replace("overlays/a/lr", "more/lr")
    };
    assert_eq!(lacking(&loose(cpu)), "");
    assert_eq!(lacking(&loose(memory)), "overlays/a overlays/b");
    // Another overlay of the same namespace may be of the same cluster.
    let same = overlay_with_range("a", cpu).replace("namespace: a", "namespace: b");
    assert_eq!(lacking(&same), "");
}

#[test]
fn the_file_that_scales_may_speak_of_metrics_server() {
    assert_snapshot!(environments("
        //- web/web.yaml
        WEB
        //- web/scaler.yaml
        # needs metrics-server
        SCALER
    "), @"default (0, 1) true");
}

#[test]
fn what_does_not_build_beside_autoscalers_is_not_ours() {
    assert_snapshot!(environments("
        //- web/kustomization.yaml
        resources: [web.yaml, scaler.yaml, gone.yaml, 'https://example.org/more.yaml']
        //- web/web.yaml
        WEB
        //- web/scaler.yaml
        SCALER
    "), @"web (0, 1) false");
    let dir = directory(&files(
        PARTS,
        "
        //- web/kustomization.yaml
        resources: [scaler.yaml, gone.yaml]
        //- web/scaler.yaml
        SCALER
    ",
    ));
    let said = program("check --pedantic --root", &[dir.path(), dir.path()]);
    // That a part of it is not judged is worth a note to who asks for such, and no more.
    let note =
        "note[unresolved]: what scales here is judged only in part: there is no web/gone.yaml";
    assert!(
        said.out.starts_with(note) && said.out.ends_with("\n1 note in 1 environment (2 files)\n")
    );
    assert_eq!(said.status, 0);
    let said = program("check -q --root", &[dir.path(), dir.path()]);
    assert_eq!((said.out.as_str(), said.status), ("", 0));
}

#[test]
fn environments_of_healthy_autoscalers_are_one_line() {
    let dir = directory(&files(
        PARTS,
        "
        //- api/web.yaml
        GOOD
        //- api/scaler.yaml
        SCALER
        //- shop/web.yaml
        GOOD
        //- shop/scaler.yaml
        SCALER
    ",
    ));
    let paths = [dir.path(), dir.path()];
    assert_snapshot!(program("show --root", &paths).out, @"
    no environment with metrics-server, kubelet configuration or approvers

    only autoscalers: api, shop
    ");
    let said = program("check --fail-on-empty --root", &paths);
    assert!(said.err.starts_with("found no environment with metrics-server"), "{}", said.err);
    assert_eq!(said.status, 1);
}

/// What is found in a cluster whose applications are each a Kustomization of their own, as they are after
/// `flux bootstrap`.
fn found_in_cluster(applications: &str) -> String {
    let names = ["server", "apps", "more", "others"];
    let each = names.map(|name| {
        format!(
            "---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec: {{path: ./{name}, sourceRef: {{kind: GitRepository, name: flux-system}}}}
"
        )
    });
    let each = each.concat();
    let parts = [PARTS, &[("EACH", &*each)]].concat();
    let cluster = "
        //- clusters/a/flux-system/gotk-sync.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: flux-system, namespace: flux-system}
        spec: {path: ./clusters/a, sourceRef: {kind: GitRepository, name: flux-system}}
        //- clusters/a/all.yaml
        EACH
        //- server/ms.yaml
        SERVER
        //- others/ns.yaml
        apiVersion: v1
        kind: Namespace
        metadata: {name: others}";
    let sources = fixture_with(&parts, &format!("{cluster}{applications}"));
    let (environments, clusters) = analyze(&sources, &Config::default());
    assert_eq!(environments.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["clusters/a"]);
    let found = check(&clusters).into_iter().filter(|it| it.severity == Severity::Error);
    let found = found.map(|it| format!("{}: {}", it.rule, it.message));
    found.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_scales_is_judged_in_a_kustomization_of_its_own() {
    let lacks = found_in_cluster(
        "
        //- apps/web.yaml
        WEB
        //- apps/scaler.yaml
        SCALER",
    );
    assert_snapshot!(lacks, @"hpa-target-without-requests: the autoscaler web targets 80 % of the CPU request, but container web has none");
    let elsewhere = found_in_cluster(
        "
        //- more/web.yaml
        WEB
        //- apps/scaler.yaml
        SCALER",
    );
    assert_eq!(elsewhere, lacks);
    let has = found_in_cluster(
        "
        //- apps/web.yaml
        GOOD
        //- apps/scaler.yaml
        SCALER",
    );
    assert_eq!(has, "");
}

#[test]
fn what_is_scaled_may_be_in_a_kustomization_that_is_left_out() {
    // A chart, or a prefix of the name, may make it.
    assert_eq!(
        found_in_cluster(
            "
        //- more/kustomization.yaml
        namePrefix: w
        resources: [web.yaml]
        //- more/web.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: eb}
        //- apps/scaler.yaml
        SCALER"
        ),
        ""
    );
}

#[test]
fn a_build_that_fails_is_told_of_where_something_scales() {
    let told = |files: &str| {
        let (_, clusters) = analyze(&fixture_with(PARTS, files), &Config::default());
        let found = check(&clusters).into_iter();
        let lines = found.map(|it| {
            let environments: Vec<_> = it.environments.iter().cloned().collect();
            let (rule, severity) = (it.rule, it.severity.id());
            format!("{severity} {rule} {} {}: {}", it.pedantic, environments.join(" "), it.message)
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let whole = "
        //- base/kustomization.yaml
        resources: [web.yaml, scaler.yaml]
        //- base/web.yaml
        WEB
        //- base/scaler.yaml
        SCALER
        //- overlays/prod/kustomization.yaml
        resources: [../../base]
    ";
    let note = "note unresolved true overlays/prod: what scales here is judged only in part: ";
    for (from, to) in [("../../base]", "../../base, ../nothing]"), ("[web", "[web.yaml, web")] {
        let found = told(&whole.replace(from, to));
        assert_eq!(found.lines().filter(|it| it.starts_with(note)).count(), 1, "{found}");
    }
    // What needs no look otherwise is built where something is missing.
    let healthy = whole.replace("WEB", "GOOD");
    assert_eq!(told(&healthy), "");
    let found = told(&healthy.replace("../../base]", "../../base, ../nothing]"));
    assert!(found.starts_with(note), "{found}");
    let found = told(whole);
    assert!(found.starts_with("error hpa-target-without-requests"), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn what_fails_where_something_scales_is_not_ours() {
    assert_eq!(
        found_in_cluster(
            "
        //- apps/kustomization.yaml
        resources: [scaler.yaml, gone.yaml]
        //- apps/scaler.yaml
        SCALER"
        ),
        ""
    );
}

#[test]
fn a_chart_is_judged_with_the_values_of_whoever_installs_it() {
    let chart = "
        //- charts/web/Chart.yaml
        {apiVersion: v2, name: web, version: 1.0.0}
        //- charts/web/values.yaml
        resources: {}
        //- charts/web/templates/web.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              containers:
                - {name: web, image: nginx, resources: {{ toJson .Values.resources }}}
        //- charts/web/templates/scaler.yaml
        apiVersion: autoscaling/v2
        kind: HorizontalPodAutoscaler
        metadata: {name: web}
        spec:
          scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
          maxReplicas: 3
          metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
    ";
    let lacking = |installer: &str| {
        let (_, clusters) =
            analyze(&fixture_with(&[], &format!("{chart}{installer}")), &Config::default());
        let found = check(&clusters).into_iter();
        let found = found.filter(|it| it.rule == "hpa-target-without-requests");
        found.flat_map(|it| it.environments).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(lacking(""), "charts/web");
    let helmfile = "
        //- helmfile.yaml
        releases:
          - {name: web, namespace: web, chart: ./charts/web, values: [{resources: {requests: {cpu: 1}}}]}
    ";
    let script = "
        //- up.sh
        helm upgrade -i web ./charts/web --set resources.requests.cpu=1
    ";
    let terraform = "
        //- main.tf
        resource \"helm_release\" \"web\" {
          name   = \"web\"
          chart  = \"${path.module}/charts/web\"
          values = [yamlencode({ resources = { requests = { cpu = 1 } } })]
        }
    ";
    for (installer, name) in [(helmfile, "default"), (script, "up.sh"), (terraform, "default")] {
        assert_eq!(lacking(installer), "", "{installer}");
        let without = installer.replace("cpu", "memory");
        assert_eq!(lacking(&without), name, "{without}");
    }
}
