//! What a repository makes of little ends, and it is said where: nothing before that is hidden.

use std::fmt::Write as _;

use super::robustness::{DEPLOYMENT, RELEASE, assert_found, findings};

/// Something that is said of all that is left out, once.
#[track_caller]
fn assert_said(found: &[String], what: &str) {
    let said: Vec<_> = found.iter().filter(|it| it.contains(what)).collect();
    assert_eq!(said.len(), 1, "{what}: {said:?}\n{}", found.join("\n"));
}

/// `count` lines that `line` makes.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

fn file(path: &str, text: impl Into<String>) -> (String, String) {
    (path.to_owned(), text.into())
}

#[test]
fn environments_that_hold_too_much_together_end() {
    let base = lines(1_500, |it| {
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{it}}}\ndata: {{a: b}}\n")
    });
    let mut files = vec![
        file("base/kustomization.yaml", "resources: [all.yaml]"),
        file("base/all.yaml", format!("{DEPLOYMENT}{base}")),
        file(
            ".metrics-server-lint.yaml",
            "environments: {last: {match: [clusters/099/services], rules: {unresolved: off}}}",
        ),
    ];
    for at in 0..100 {
        let text = format!("resources: [../../../base]\nnamespace: n{at}\n");
        files.push((format!("clusters/{at:03}/services/kustomization.yaml"), text));
    }
    let found = findings(&files);
    assert_found(&found, "base/all.yaml", "kubelet-insecure-tls");
    assert_said(&found, "it is not resolved");
    assert_found(&found, "clusters/058/services/kustomization.yaml", "unresolved");
    // What the configuration says of one that is left out counts.
    assert_said(&found, "in 41 of 100 environments");
}

#[test]
fn releases_with_large_values_end() {
    let releases = lines(60, |it| {
        format!(
            "- {{name: metrics-server, namespace: n{it}, chart: ms/metrics-server, version: 3.12.2, \
             values: [v.yaml]}}\n"
        )
    });
    let repository =
        "repositories: [{name: ms, url: 'https://kubernetes-sigs.github.io/metrics-server/'}]";
    let values = lines(20_000, |it| format!("k{it}: v\n"));
    let found = findings(&[
        file("helmfile.yaml", format!("{repository}\nreleases:\n{releases}")),
        file("v.yaml", format!("args: [--kubelet-insecure-tls]\n{values}")),
    ]);
    assert_found(&found, "v.yaml", "kubelet-insecure-tls");
    assert_said(&found, "it is not looked at");
    let unknown = found.iter().filter(|it| it.contains("has no value k"));
    assert_eq!(unknown.count(), 100, "the keys that are told apart");
    assert!(found.iter().any(|it| it.contains("more than 100 values")));
}

#[test]
fn layers_of_values_without_number_end() {
    let many = lines(201, |_| "v.yaml, ".to_owned());
    let fleet = |files: &str| {
        let chart =
            "chart: metrics-server, repo: 'https://kubernetes-sigs.github.io/metrics-server/'";
        findings(&[
            file(
                "fleet.yaml",
                format!("helm: {{{chart}, version: 3.12.2, valuesFiles: [{files}]}}"),
            ),
            file("v.yaml", "args: [--kubelet-insecure-tls]"),
        ])
    };
    assert_found(&fleet("v.yaml"), "v.yaml", "kubelet-insecure-tls");
    let found = fleet(&many);
    assert_said(&found, "more than 200 layers of values are not read");
    assert!(
        !found.iter().any(|it| it.contains("kubelet-insecure-tls: ")),
        "of values nobody knows"
    );

    let from = lines(201, |_| "{kind: ConfigMap, name: ms-values}, ".to_owned());
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ms-values, namespace: kube-system}\n";
    let chart =
        "{chart: metrics-server, version: 3.12.2, sourceRef: {kind: HelmRepository, name: x}}";
    let release = format!("{RELEASE}  chart: {{spec: {chart}}}\n  valuesFrom: [{from}]\n{map}");
    assert_said(&findings(&[file("release.yaml", release)]), "more than 200 layers of values");
}

/// What is found of a release of the chart in `files`, beside a metrics-server that has nothing to do with it.
fn of_chart(mut files: Vec<(String, String)>) -> Vec<String> {
    let chart = "{chart: ./chart, sourceRef: {kind: GitRepository, name: x}}";
    files.push(file("a/release.yaml", format!("{RELEASE}  chart: {{spec: {chart}}}\n")));
    files.push(file("b/metrics-server.yaml", DEPLOYMENT));
    let found = findings(&files);
    assert_found(&found, "b/metrics-server.yaml", "kubelet-insecure-tls");
    found
}

#[test]
fn what_a_chart_imports_and_prints_ends() {
    let imports = lines(200, |it| format!("{{child: x, parent: p{it}}}, "));
    let values = lines(5_000, |it| format!("  k{it}: v\n"));
    let of = "dependencies: [{name: part, version: 1.0.0, repository: 'file://../part', import-values: [";
    let found = of_chart(vec![
        file("chart/Chart.yaml", format!("name: chart\nversion: 1.0.0\n{of}{imports}]}}]\n")),
        file("chart/templates/ms.yaml", DEPLOYMENT),
        file("chart/charts/part/Chart.yaml", "name: part\nversion: 1.0.0\n"),
        file("chart/charts/part/values.yaml", format!("x:\n{values}")),
    ]);
    assert_said(&found, "values are imported from charts");

    let mut files = vec![
        file("chart/Chart.yaml", "name: chart\nversion: 1.0.0\n"),
        file("chart/values.yaml", format!("x:\n{values}")),
        file("chart/templates/ms.yaml", DEPLOYMENT),
    ];
    let printed = "data: {a: 'x'}\n{{ range $k, $v := .Values.x }}\n# {{ $k }} {{ $v }}\n{{ end }}";
    for at in 0..100 {
        files.push((
            format!("chart/templates/t{at}.yaml"),
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{at}}}\n{printed}"),
        ));
    }
    assert_said(&of_chart(files), "its templates print too much");
}

#[test]
fn sets_that_apply_one_large_configmap_end() {
    let mut map =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ms}\ndata:\n  a.yaml: |\n".to_owned();
    let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n".repeat(1_000);
    for line in format!("{DEPLOYMENT}{other}").lines() {
        let _ = writeln!(map, "    {line}");
    }
    let of = "apiVersion: addons.cluster.x-k8s.io/v1beta1\nkind: ClusterResourceSet\n";
    let resources = "{name: ms, kind: ConfigMap}, ".repeat(20);
    let mut files = vec![file("map.yaml", map)];
    for at in 0..10 {
        let selector = "clusterSelector: {matchLabels: {a: b}}";
        let text = format!(
            "{of}metadata: {{name: s{at}}}\nspec: {{{selector}, resources: [{resources}]}}"
        );
        files.push((format!("set-{at}.yaml"), text));
    }
    let found = findings(&files);
    assert_found(&found, "map.yaml", "kubelet-insecure-tls");
    assert_said(&found, "it is not looked at");
}

#[test]
fn combinations_of_generators_end() {
    let list = |key: &str| {
        let elements: Vec<_> = (0..50).map(|it| format!("{{{key}: '{it}'}}")).collect();
        format!("      - list: {{elements: [{}]}}\n", elements.join(","))
    };
    let set = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: s}}\nspec:\n  generators:\n  - matrix:\n      \
         generators:\n{}{}  template:\n    metadata: {{name: 'a-{{{{b}}}}'}}\n    spec:\n      source: {{repoURL: https://kubernetes-sigs.github.io/metrics-server/, \
         chart: metrics-server, targetRevision: 3.12.2, helm: {{values: 'args: [--kubelet-insecure-tls]'}}}}\n      \
         destination: {{namespace: kube-system, name: 'c-{{{{a}}}}-{{{{b}}}}'}}\n",
        list("a"),
        list("b")
    );
    let found = findings(&[file("set.yaml", set)]);
    assert_said(&found, "only the first 2000 instances are looked at");
    assert_found(&found, "set.yaml", "kubelet-insecure-tls");
}

#[test]
fn uses_of_a_module_end() {
    let release = "resource \"helm_release\" \"a\" {\n  name = \"metrics-server\"\n  chart = \"metrics-server\"\n  \
        repository = \"https://kubernetes-sigs.github.io/metrics-server/\"\n  namespace = \"kube-system\"\n  version = \"3.12.2\"\n  \
        values = [yamlencode({ args = [\"--kubelet-insecure-tls\"] })]\n}\n";
    let mut files = vec![file("ms/main.tf", release)];
    for at in 0..501 {
        let call = "module \"a\" {\n  source = \"../ms\"\n}\n";
        files.push((format!("cluster-{at}/main.tf"), call.to_owned()));
    }
    let found = findings(&files);
    assert_said(&found, "only the first 500 uses of this module are looked at");
    assert_found(&found, "ms/main.tf", "kubelet-insecure-tls");
}

#[test]
fn a_chart_that_installs_itself_ends() {
    let release = |name: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: '{name}', namespace: flux-system}}\n\
             spec: {{chart: {{spec: {{chart: ./c, sourceRef: {{kind: GitRepository, name: flux-system}}}}}}}}\n"
        )
    };
    let found = findings(&[
        file("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        file("c/templates/again.yaml", release("{{ .Release.Name }}x")),
        file("release.yaml", format!("{DEPLOYMENT}---\n{}", release("a"))),
    ]);
    assert_said(&found, "charts that install charts are followed 8 times");
    assert_found(&found, "release.yaml", "kubelet-insecure-tls");
}

#[test]
fn scripts_that_all_source_one_another_end() {
    let all = lines(60, |it| format!(". ./s{it}.sh\n"));
    let install = "helm upgrade --install metrics-server ms/metrics-server --set 'args={--kubelet-insecure-tls}'\n";
    let files: Vec<_> =
        (0..60).map(|it| (format!("s{it}.sh"), format!("{all}V{it}=x\n{install}"))).collect();
    let found = findings(&files);
    for script in ["s0.sh", "s59.sh"] {
        assert_found(&found, script, "unresolved");
    }
}

#[test]
fn a_configmap_of_variables_is_read_once_for_a_kustomization() {
    let map = |name: &str| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: flux-system}}\n\
             data: {{FLAG: --{name}}}\n"
        )
    };
    let kustomization = |path: &str, from: &str| {
        format!(
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
             metadata: {{name: k, namespace: flux-system}}\nspec:\n  path: {path}\n  prune: true\n  \
             interval: 1m\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n  \
             postBuild: {{substituteFrom: [{from}]}}\n"
        )
    };
    let of = |name: &str| format!("{{kind: ConfigMap, name: {name}}}, ");
    let server = DEPLOYMENT.replace("--kubelet-insecure-tls", "'${FLAG}'");
    let maps = map("kubelet-insecure-tls") + &map("other");
    let from = (of("other") + &of("kubelet-insecure-tls")).repeat(1_000);
    let found = findings(&[
        file("clusters/a.yaml", maps + &kustomization("./ms", &from)),
        file("ms/metrics-server.yaml", &*server),
    ]);
    assert!(found.iter().any(|it| it.contains("kubelet-insecure-tls: ")), "{}", found.join("\n"));
}
