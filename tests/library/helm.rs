//! Values in, objects and origins out.

use insta::assert_snapshot;
use serde_json::json;

use super::{common::fixture::files, nowhere, roots, unindented, ways, with};
use crate::{
    data::Family,
    problem::ProblemKind,
    resolve::{
        environment::Release,
        helm::{Expanded, Installed, Rendered, expand, install, layer, merge},
    },
    scalar::{Dialect, Scalar},
    source::Sources,
    tree::{Map, Node, Origin},
};

/// A release of a chart from a repository, with `values` from `values.yaml` and its version from
/// `release.yaml`.
fn rendered(family: Family, version: &str, values: &str) -> (Sources, Rendered) {
    let release = format!("{{name: metrics-server, version: \"{version}\"}}");
    let values = unindented(values);
    let sources = Sources::in_memory([("release.yaml", release), ("values.yaml", values)]);
    let version = roots(&sources, "release.yaml")[0].get("version").expect("a version").clone();
    let release = Release {
        family: Some(family),
        anchor: version.origin.clone(),
        version: Some(version),
        values: values_of(&sources, "values.yaml"),
        ..in_directory(None)
    };
    let rendered = with(&sources, |context| whole(install(context, release)));
    (sources, rendered)
}

fn sigs(version: &str, values: &str) -> (Sources, Rendered) {
    rendered(Family::KubernetesSigs, version, values)
}

/// The values in the file at `path`.
pub(crate) fn values_of(sources: &Sources, path: &str) -> Node {
    let file = sources.find(path).expect("it is there");
    layer(sources.documents(file, Dialect::Sigs), &nowhere()).expect("values")
}

/// A release named `metrics-server` in `kube-system` of the chart in `directory`, without values.
pub(crate) fn in_directory(directory: Option<&str>) -> Release {
    Release {
        name: "metrics-server".into(),
        namespace: "kube-system".into(),
        is_anywhere: false,
        via: "helm-release",
        family: None,
        chart: "metrics-server".into(),
        repository: None,
        directory: directory.map(Into::into),
        modified: None,
        reads: None,
        below: Vec::new(),
        alias: None,
        version: None,
        values: Node::new(Map::default(), nowhere()),
        anchor: nowhere(),
        shell: false,
        beside: Vec::new(),
        kubernetes: None,
        skips_schema: false,
        needs_all: true,
        suspended: false,
        work: 0,
        unit: None,
    }
}

/// All that a release comes to.
pub(crate) fn whole(installed: Installed) -> Rendered {
    let objects = installed.parts.into_iter().flat_map(|(_, objects)| objects).collect();
    Rendered { objects, problems: installed.problems }
}

fn object<'a>(rendered: &'a Rendered, kind: &str) -> &'a Node {
    let found = rendered.objects.iter().find(|it| it.object_kind() == kind);
    found.unwrap_or_else(|| panic!("no {kind}: {:?}", rendered.problems))
}

fn container(rendered: &Rendered) -> &Node {
    &object(rendered, "Deployment").items_at("spec.template.spec.containers")[0]
}

/// What the objects have at `paths`, each of which starts with a kind; `Server` is the container.
fn told((sources, rendered): &(Sources, Rendered), paths: &[&str]) -> String {
    let at = |path: &&str| {
        let (kind, path) = path.split_once('.').expect("a kind and a path");
        let node = if kind == "Server" { container(rendered) } else { object(rendered, kind) };
        ways::values_at(sources, node, path)
    };
    paths.iter().map(at).collect()
}

#[test]
fn a_value_keeps_its_place_and_a_default_has_the_version_s() {
    let rendered = sigs(
        "3.12.2",
        "
        resources: {limits: {memory: 64Mi}}
        replicas: 2
        ",
    );
    assert_snapshot!(told(&rendered, &["Server.resources", "Deployment.spec.replicas"]), @r#"
    resources.limits.memory: 64Mi  values.yaml:1
    resources.requests.cpu: 100m  release.yaml:1 chart-default `"3.12.2"`
    resources.requests.memory: 200Mi  release.yaml:1 chart-default `"3.12.2"`
    spec.replicas: 2  values.yaml:2
    "#);
}

#[test]
fn arguments_keep_their_places() {
    let rendered = sigs(
        "3.13.1",
        "
        args:
          - --kubelet-insecure-tls
        containerPort: 4443
        metrics: {enabled: true}
        ",
    );
    assert_snapshot!(told(&rendered, &["Server.args"]), @r#"
    args:
      - --secure-port=4443  values.yaml:3 `4443`
      - --cert-dir=/tmp  release.yaml:1 chart-default `"3.13.1"`
      - --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname  release.yaml:1 chart-default `"3.13.1"`
      - --kubelet-use-node-status-port  release.yaml:1 chart-default `"3.13.1"`
      - --metric-resolution=15s  release.yaml:1 chart-default `"3.13.1"`
      - --authorization-always-allow-paths=/metrics  values.yaml:4 `true`
      - --kubelet-insecure-tls  values.yaml:2
    "#);
}

#[test]
fn what_is_taken_away_remembers_by_what() {
    for values in ["resources: null", "resources: {requests: null}"] {
        let (sources, rendered) = sigs("3.12.2", values);
        let container = container(&rendered).as_map().expect("a map");
        assert_eq!(container.get("resources"), None, "{values}");
        let by = container.removed("resources").and_then(Origin::written_at).expect("a place");
        assert!(values.contains(sources.slice(by)), "{values}");
    }
}

#[test]
fn unquoted_items_are_read_again() {
    let (_, rendered) = sigs("3.12.2", "args: ['--v=2 # more', 3, 'on', 'a: b', '--x=1e3', ~]");
    let args = container(&rendered).get("args").expect("arguments").to_json();
    let user = &args.as_array().expect("a list")[5..];
    assert_eq!(json!(user), json!(["--v=2", 3, true, {"a": "b"}, "--x=1e3", null]));
}

#[test]
fn the_combinations_that_helm_refuses() {
    let refused = |values| {
        let (sources, rendered) = sigs("3.12.2", values);
        assert!(rendered.objects.is_empty(), "{values}");
        ways::problems(&sources, &rendered.problems)
    };
    let refused = [
        "hostNetwork: true",
        "args: --kubelet-insecure-tls",
        "podDisruptionBudget: null",
        "args: ['--x: : y']",
        "nameOverride: 3",
        "extraVolumes: {a: b}",
    ]
    .map(refused);
    assert_snapshot!(refused.concat(), @"
    wrong-value-type: the chart reads `hostNetwork.enabled`, but `hostNetwork` is not a map  values.yaml:1:14 `true`
    wrong-value-type: `args` must be a list, and is `--kubelet-insecure-tls`  values.yaml:1:7 `--kubelet-insecure-tls`
    wrong-value-type: the chart reads `podDisruptionBudget.enabled`, but `podDisruptionBudget` is empty  values.yaml:1:22 `null`
    build-fails: the chart prints `--x: : y` without quotes: not YAML  values.yaml:1:8 `'--x: : y'`
    wrong-value-type: `nameOverride` must be text, and is not  values.yaml:1:15 `3`
    wrong-value-type: `extraVolumes` must be a list  values.yaml:1:15 `{a: b}`
    ");
}

#[test]
fn a_version_that_nobody_knows_may_be_any() {
    let told = |family: Family, is_named: bool| {
        let sources = Sources::in_memory([("values.yaml", "args: [--kubelet-insecure-tls]")]);
        let values = values_of(&sources, "values.yaml");
        let version = is_named.then(|| Node::unknown_value("a variable", &nowhere()));
        let family = Some(family);
        let release = Release { family, version, values, ..in_directory(None) };
        let rendered = with(&sources, |context| whole(install(context, release)));
        let paths = ["Deployment.apiVersion", "Server.imagePullPolicy", "Server.args"];
        told(&(sources, rendered), &paths)
    };
    assert_snapshot!(told(Family::KubernetesSigs, true), @r"
    apiVersion: apps/v1  chart-default
    imagePullPolicy: IfNotPresent  chart-default
    args:
      - unknown: it differs between chart versions 3.5.0 and 3.14.0  chart-default
      - --cert-dir=/tmp  chart-default
      - unknown: it differs between chart versions 3.5.0 and 3.14.0  chart-default
      - --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname  chart-default
      - --kubelet-use-node-status-port  chart-default
      - unknown: it differs between chart versions 3.5.0 and 3.14.0  chart-default
      - --kubelet-insecure-tls  values.yaml:1
    ");
    // One that is not named is the newest.
    let newest = told(Family::KubernetesSigs, false);
    assert!(newest.contains("- --secure-port=10250 "), "{newest}");
    // An archive has versions that no cluster takes.
    let archived = told(Family::Stable, true);
    assert!(archived.contains("apiVersion: apps/v1 "), "{archived}");
}

#[test]
fn a_range_tells_what_its_versions_agree_on() {
    let paths = ["Server.image", "Server.resources.requests"];
    assert_snapshot!(told(&sigs("3.12.x", "{}"), &paths), @r#"
    image: unknown: it differs between chart versions 3.12.1 and 3.12.2
    resources.requests.cpu: 100m  release.yaml:1 chart-default `"3.12.x"`
    resources.requests.memory: 200Mi  release.yaml:1 chart-default `"3.12.x"`
    "#);
    assert_snapshot!(told(&sigs("3.10.0 - 3.11.0", "{}"), &["Server.args", "Server.resources.requests"]), @r#"
    args:
      - --secure-port=10250  release.yaml:1 chart-default `"3.10.0 - 3.11.0"`
      - --cert-dir=/tmp  release.yaml:1 chart-default `"3.10.0 - 3.11.0"`
      - --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname  release.yaml:1 chart-default `"3.10.0 - 3.11.0"`
      - --kubelet-use-node-status-port  release.yaml:1 chart-default `"3.10.0 - 3.11.0"`
      - --metric-resolution=15s  release.yaml:1 chart-default `"3.10.0 - 3.11.0"`
    resources.requests: unknown: it differs between chart versions 3.10.0 and 3.11.0
    "#);
    assert_snapshot!(told(&sigs(">=3.0.0", "image: {tag: v0.7.2}"), &paths), @r#"
    image: registry.k8s.io/metrics-server/metrics-server:v0.7.2  values.yaml:1 `v0.7.2`
    resources.requests.cpu: 100m  release.yaml:1 chart-default `">=3.0.0"`
    resources.requests.memory: 200Mi  release.yaml:1 chart-default `">=3.0.0"`
    "#);
}

/// Charts before 3.8.3 leave their objects to the release's namespace, which the others name.
#[test]
fn of_a_range_all_objects_are_in_one_namespace() {
    for range in ["3.8.2", "3.8.3", "3.8.x", ">=3.8.0 <3.9.0"] {
        let (_, rendered) = sigs(range, "replicas: 2");
        for kind in ["Deployment", "Service", "ServiceAccount"] {
            assert_eq!(object(&rendered, kind).object_namespace(), "kube-system", "{range} {kind}");
        }
        assert_eq!(object(&rendered, "APIService").object_namespace(), "");
    }
}

#[test]
fn of_a_newer_chart_only_what_is_set_is_known() {
    let rendered = sigs(
        "3.99.0",
        "
        args: [--kubelet-insecure-tls]
        resources: {limits: {memory: 1Gi}}
        ",
    );
    let paths = [
        "Server.image",
        "Server.args",
        "Server.resources.limits.memory",
        "Server.resources.requests.memory",
        "Deployment.spec.template.spec.hostNetwork",
        "APIService.spec.insecureSkipTLSVerify",
    ];
    assert_snapshot!(told(&rendered, &paths), @r#"
    image: unknown: chart 3.99.0 is newer than this tool knows
    args:
      - unknown: chart 3.99.0 is newer than this tool knows  release.yaml:1 chart-default `"3.99.0"`
      - unknown: chart 3.99.0 is newer than this tool knows  release.yaml:1 chart-default `"3.99.0"`
      - unknown: chart 3.99.0 is newer than this tool knows  release.yaml:1 chart-default `"3.99.0"`
      - unknown: chart 3.99.0 is newer than this tool knows  release.yaml:1 chart-default `"3.99.0"`
      - unknown: chart 3.99.0 is newer than this tool knows  release.yaml:1 chart-default `"3.99.0"`
      - --kubelet-insecure-tls  values.yaml:1
    resources.limits.memory: 1Gi  values.yaml:2
    resources.requests.memory: unknown: chart 3.99.0 is newer than this tool knows
    spec.template.spec.hostNetwork: unknown: chart 3.99.0 is newer than this tool knows
    spec.insecureSkipTLSVerify: unknown: chart 3.99.0 is newer than this tool knows
    "#);
}

#[test]
fn unknown_values_stay_unknown() {
    let sources = Sources::in_memory([("values.yaml", "replicas: 3")]);
    let secret = Node::unknown_value("it is encrypted", &nowhere());
    let release = Release {
        family: Some(Family::KubernetesSigs),
        version: Some(Node::new(Scalar::string("3.12.2"), nowhere())),
        values: merge(&secret, &values_of(&sources, "values.yaml")),
        ..in_directory(None)
    };
    let rendered = with(&sources, |context| whole(install(context, release)));
    let paths = [
        "Server.image",
        "Server.resources.requests.cpu",
        "Server.securityContext",
        "Deployment.spec.replicas",
        "Deployment.spec.template.spec.priorityClassName",
        "PodDisruptionBudget.spec",
    ];
    assert_snapshot!(told(&(sources, rendered), &paths), @"
    image: unknown: it is encrypted
    resources.requests.cpu: unknown: it is encrypted
    securityContext: unknown: it is encrypted
    spec.replicas: 3  values.yaml:1
    spec.template.spec.priorityClassName: unknown: it is encrypted
    spec: unknown: it is encrypted
    ");
}

#[test]
fn bitnami_takes_an_unquoted_false_for_true() {
    let insecure = |it: &str| {
        let values = format!("apiService: {{create: true, insecureSkipTLSVerify: {it}}}");
        let rendered = rendered(Family::Bitnami, "7.4.13", &values);
        told(&rendered, &["APIService.spec.insecureSkipTLSVerify"])
    };
    assert_snapshot!(insecure("false"), @"spec.insecureSkipTLSVerify: true  values.yaml:1 `false`");
    assert_snapshot!(insecure("'false'"), @"spec.insecureSkipTLSVerify: false  values.yaml:1 `'false'`");
}

#[test]
fn bitnami_charts_took_arguments_in_several_forms() {
    let map = "extraArgs: {kubelet-insecure-tls: false, v: 2}";
    let args = [
        ("3.0.2", "extraArguments: [--kubelet-insecure-tls]"),
        ("4.5.0", map),
        // An empty value is none from then on, so that `false` switches the flag on.
        ("4.5.1", map),
        ("5.11.9", map),
        ("6.4.2", "extraArgs: [--kubelet-insecure-tls]"),
    ];
    let args = args.map(|(version, values)| {
        let paths = ["Server.command", "Server.args"];
        format!("{version}\n{}", told(&rendered(Family::Bitnami, version, values), &paths))
    });
    assert_snapshot!(args.concat(), @r#"
    3.0.2
    command:
      - metrics-server  release.yaml:1 chart-default `"3.0.2"`
      - --secure-port=8443  release.yaml:1 chart-default `"3.0.2"`
      - --kubelet-insecure-tls  values.yaml:1
    args: absent
    4.5.0
    command:
      - metrics-server  release.yaml:1 chart-default `"4.5.0"`
      - --secure-port=8443  release.yaml:1 chart-default `"4.5.0"`
      - --kubelet-insecure-tls=false  values.yaml:1 `false`
      - --v=2  values.yaml:1 `2`
    args: absent
    4.5.1
    command:
      - metrics-server  release.yaml:1 chart-default `"4.5.1"`
      - --secure-port=8443  release.yaml:1 chart-default `"4.5.1"`
      - --kubelet-insecure-tls  values.yaml:1 `false`
      - --v=2  values.yaml:1 `2`
    args: absent
    5.11.9
    command:
      - metrics-server  release.yaml:1 chart-default `"5.11.9"`
    args:
      - --secure-port=8443  release.yaml:1 chart-default `"5.11.9"`
      - --kubelet-insecure-tls  values.yaml:1 `false`
      - --v=2  values.yaml:1 `2`
    6.4.2
    command:
      - metrics-server  release.yaml:1 chart-default `"6.4.2"`
    args:
      - --secure-port=8443  release.yaml:1 chart-default `"6.4.2"`
      - --kubelet-insecure-tls  values.yaml:1
    "#);
}

#[test]
fn a_chart_ignores_what_its_templates_do_not_read() {
    let values = "
        replicas: 3
        hostNetwork: {enabled: true}
        priorityClassName: system-cluster-critical
        podDisruptionBudget: {enabled: true}
    ";
    let paths = [
        "Deployment.spec.replicas",
        "Deployment.spec.template.spec.hostNetwork",
        "Deployment.spec.template.spec.priorityClassName",
    ];
    let told = ["1.1.0", "2.2.0", "2.7.0"].map(|version| {
        let rendered = rendered(Family::Stable, version, values);
        let budget = rendered.1.objects.iter().any(|it| it.object_kind() == "PodDisruptionBudget");
        format!("{version}, budget: {budget}\n{}", told(&rendered, &paths))
    });
    assert_snapshot!(told.concat(), @"
    1.1.0, budget: false
    spec.replicas: absent
    spec.template.spec.hostNetwork: absent
    spec.template.spec.priorityClassName: absent
    2.2.0, budget: false
    spec.replicas: 3  values.yaml:1
    spec.template.spec.hostNetwork: true  values.yaml:2
    spec.template.spec.priorityClassName: absent
    2.7.0, budget: true
    spec.replicas: 3  values.yaml:1
    spec.template.spec.hostNetwork: true  values.yaml:2
    spec.template.spec.priorityClassName: system-cluster-critical  values.yaml:3
    ");
}

#[test]
fn of_a_version_that_does_not_exist_flags_are_known() {
    let paths = ["Server.command", "Server.args", "Server.image", "Deployment.spec.replicas"];
    let values = "extraArgs: {kubelet-insecure-tls: true}";
    // It has neighbours; the next one is newer than all, and the newest would refuse the map.
    let told = ["4.3.9", "9.0.0"].map(|version| {
        format!("{version}\n{}", told(&rendered(Family::Bitnami, version, values), &paths))
    });
    assert_snapshot!(told.concat(), @r#"
    4.3.9
    command:
      - metrics-server  release.yaml:1 chart-default `"4.3.9"`
      - --secure-port=8443  release.yaml:1 chart-default `"4.3.9"`
      - --kubelet-insecure-tls=true  values.yaml:1 `true`
    args: null  release.yaml:1 chart-default `"4.3.9"`
    image: unknown: chart 4.3.9 is not known to this tool
    spec.replicas: unknown: it differs between chart versions 4.3.2 and 4.4.0
    9.0.0
    command:
      - metrics-server  release.yaml:1 chart-default `"9.0.0"`
    args:
      - --secure-port=8443  release.yaml:1 chart-default `"9.0.0"`
      - --kubelet-insecure-tls=true  values.yaml:1 `true`
    image: unknown: chart 9.0.0 is newer than this tool knows
    spec.replicas: 1  release.yaml:1 chart-default `"9.0.0"`
    "#);
}

#[test]
fn charts_that_helm_cannot_render_are_refused() {
    let refused = [
        (Family::Bitnami, "2.4.0", ""),
        (Family::Bitnami, "7.4.13", "image: {tag: ''}"),
        (Family::Bitnami, "5.3.0", "podDisruptionBudget: {enabled: true}"),
        (Family::Bitnami, "7.4.13", "extraVolumes: [{name: a, emptyDir: {}}]"),
        (Family::Stable, "2.4.0", "extraVolumes: [{name: a, emptyDir: {}}]"),
        (Family::Stable, "2.8.0", "service: {labels: {a: b}}"),
    ];
    let messages = refused.map(|(family, version, values)| {
        let rendered = rendered(family, version, values).1;
        assert!(rendered.objects.is_empty(), "{version}: {:?}", rendered.objects);
        let messages: String = rendered.problems.iter().map(|it| &*it.message).collect();
        format!("{version}: {messages}\n")
    });
    assert_snapshot!(messages.concat(), @"
    2.4.0: the chart reads `metrics.image.pullSecrets`, but its own `metrics` is not a map
    7.4.13: the chart prints an image without a tag, unquoted: not YAML
    5.3.0: this version of the chart cannot make a PodDisruptionBudget
    7.4.13: the chart wants `extraVolumeMounts` for `extraVolumes`
    2.4.0: this version of the chart indents `extraVolumes` too deep: not YAML
    2.8.0: this version of the chart indents `service.labels` too deep: not YAML
    ");
}

#[test]
fn a_number_that_is_printed_with_an_exponent_is_not_told() {
    let large = rendered(Family::KubernetesSigs, "3.8.2", "replicas: 10000000");
    assert_snapshot!(told(&large, &["Deployment.spec.replicas"]), @"spec.replicas: unknown: the chart prints `1e+07`, which some readers refuse");
}

const UMBRELLA: &str = "
//- addons/Chart.yaml
apiVersion: v2
name: addons
version: 1.0.0
dependencies:
  - name: metrics-server
    alias: ms
    version: 3.x
    repository: https://kubernetes-sigs.github.io/metrics-server/
    condition: ms.enabled,addons.metrics
    tags: [monitoring]
";

/// What [`UMBRELLA`] with more files installs, whose values `user.yaml` has.
fn umbrella(more: &str) -> (Sources, Expanded) {
    let sources = Sources::in_memory([UMBRELLA, more].map(|it| files(&[], it)).concat());
    let release =
        Release { values: values_of(&sources, "user.yaml"), ..in_directory(Some("addons")) };
    let expanded = with(&sources, |context| expand(context, &release));
    (sources, expanded)
}

#[test]
fn an_umbrella_hands_on_values() {
    let (sources, expanded) = umbrella(
        "
        //- addons/values.yaml
        ms: {replicas: 2, resources: {limits: {memory: 1Gi}}}
        global: {a: 1}
        //- addons/Chart.lock
        dependencies:
          - name: metrics-server
            version: 3.12.2
            repository: https://kubernetes-sigs.github.io/metrics-server/
        //- user.yaml
        ms: {replicas: 3, resources: {requests: null}}
        replicas: 9
        ",
    );
    let [(release, _)] = expanded.releases.as_slice() else { panic!("{expanded:?}") };
    assert_eq!(release.family, Some(Family::KubernetesSigs));
    let version = release.version.as_ref().expect("a version");
    // As the lock file pins it.
    let pinned = format!("{}  {}", ways::value(version), ways::way_of(&sources, version));
    assert_snapshot!(pinned, @"3.12.2  addons/Chart.yaml:7 `3.x`");
    let rendered = with(&sources, |context| whole(install(context, release.clone())));
    let paths = ["Deployment.metadata.name", "Deployment.spec.replicas", "Server.resources"];
    assert_snapshot!(told(&(sources, rendered), &paths), @"
    metadata.name: metrics-server-ms  addons/Chart.yaml:7 `3.x`
    spec.replicas: 3  addons/values.yaml:1 overridden `2` < user.yaml:1
    resources.limits.memory: 1Gi  addons/values.yaml:1
    ");
}

#[test]
fn conditions_and_tags_decide_what_an_umbrella_installs() {
    let with_values = |user: &str| umbrella(&format!("//- user.yaml\n{user}")).1;
    for (user, count) in [
        ("{}", 1),
        ("ms: {enabled: false}", 0),
        ("{ms: {enabled: 'false'}, addons: {metrics: false}}", 0),
        ("addons: {metrics: false}", 0),
        ("tags: {monitoring: false}", 0),
        ("{tags: {monitoring: false}, ms: {enabled: true}}", 1),
        ("{tags: {monitoring: true}, ms: {enabled: false}}", 0),
    ] {
        let expanded = with_values(user);
        assert_eq!(expanded.releases.len(), count, "{user}");
        assert!(expanded.releases.iter().all(|(it, _)| !it.suspended), "{user}");
    }
    let expanded = with_values("ms: 3");
    assert!(expanded.releases.is_empty());
    assert_eq!(expanded.problems[0].kind, ProblemKind::WrongValueType);
}

/// A chart whose file lists nothing.
const BARE: &str = "
//- addons/Chart.yaml
{apiVersion: v2, name: addons, version: 1.0.0}
";

/// What [`BARE`] with more files installs: chart, directory, version and values of each.
fn bare(more: &str) -> Vec<String> {
    let sources = Sources::in_memory([BARE, more].map(|it| files(&[], it)).concat());
    let expanded = with(&sources, |context| expand(context, &in_directory(Some("addons"))));
    assert!(expanded.problems.is_empty(), "{expanded:?}");
    let told = expanded.releases.iter().map(|(it, _)| {
        let version = it.version.as_ref().and_then(Node::as_str).unwrap_or_default();
        let dir = it.directory.as_deref().unwrap_or_default();
        format!("{} {version} in {dir}: {}", it.chart, it.values.to_json())
    });
    told.collect()
}

#[test]
fn a_chart_in_charts_is_installed_though_nothing_lists_it() {
    let values = "
//- addons/values.yaml
metrics-server: {replicas: 2}
global: {region: eu}";
    let chart =
        |path: &str| format!("//- {path}/Chart.yaml\n{{name: metrics-server, version: 3.12.2}}");
    // The key is what the chart is called, whatever its directory is.
    assert_eq!(
        bare(&format!("{values}\n{}", chart("addons/charts/ms"))),
        [r#"metrics-server 3.12.2 in addons/charts/ms: {"replicas":2,"global":{"region":"eu"}}"#]
    );
    // One of a chart in between, which is not listed either.
    let between = "
//- addons/charts/mid/Chart.yaml
{name: mid, version: 1.0.0}
//- addons/values.yaml
mid: {metrics-server: {replicas: 3}}";
    assert_eq!(
        bare(&format!("{between}\n{}", chart("addons/charts/mid/charts/metrics-server"))),
        [r#"metrics-server 3.12.2 in addons/charts/mid/charts/metrics-server: {"replicas":3}"#]
    );
    // Helm passes over these.
    assert!(bare(&format!("{values}\n{}", chart("addons/charts/_ms"))).is_empty());
    assert!(bare(&format!("{values}\n{}", chart("addons/other/ms"))).is_empty());
}

#[test]
fn a_library_in_a_copy_of_a_chart_makes_it_no_umbrella() {
    let sources = Sources::in_memory(files(
        &[],
        "
        //- c/Chart.yaml
        name: metrics-server
        version: 7.2.0
        home: https://bitnami.com
        dependencies:
        - {name: common, version: 2.x.x, repository: oci://registry-1.docker.io/bitnamicharts}
        //- c/charts/common/Chart.yaml
        {name: common, version: 2.20.0, type: library}
        ",
    ));
    let expanded = with(&sources, |context| expand(context, &in_directory(Some("c"))));
    let families: Vec<_> = expanded.releases.iter().map(|(it, _)| it.family).collect();
    assert_eq!(families, [Some(Family::Bitnami)]);
}

#[test]
fn a_template_of_ones_own_is_rendered() {
    let sources = Sources::in_memory(files(
        &[],
        "
        //- addons/Chart.yaml
        {apiVersion: v2, name: addons, version: 1.0.0}
        //- addons/values.yaml
        metrics: {enabled: true, resolution: 10s, args: [--kubelet-insecure-tls]}
        //- addons/templates/_helpers.tpl
        {{ define \"addons.name\" }}{{ .Release.Name }}-metrics-server{{ end }}
        //- addons/templates/server.yaml
        {{- if .Values.metrics.enabled }}
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: {{ include \"addons.name\" . }}}
        spec:
          {{- with .Values.metrics.priority }}
          priority: {{ . }}
          {{- end }}
          template:
            spec:
              containers:
                - name: metrics-server
                  args:
                    - --cert-dir=/tmp
                    - --metric-resolution={{ .Values.metrics.resolution }}
                    {{- toYaml .Values.metrics.args | nindent 12 }}
        {{- end }}
        ",
    ));
    let rendered = with(&sources, |context| whole(install(context, in_directory(Some("addons")))));
    assert!(rendered.problems.is_empty(), "{:?}", rendered.problems);
    assert_snapshot!(told(&(sources, rendered), &["Deployment.metadata.name", "Server.args"]), @"
    metadata.name: metrics-server-metrics-server  addons/templates/_helpers.tpl:1 rendered `.Release.Name`
    args:
      - --cert-dir=/tmp  addons/templates/server.yaml:14
      - --metric-resolution=10s  addons/templates/server.yaml:15 rendered `.Values.metrics.resolution` < addons/values.yaml:1 `10s`
      - --kubelet-insecure-tls  addons/templates/server.yaml:16 rendered `toYaml .Values.metrics.args | nindent 12` < addons/values.yaml:1
    ");
}

/// A copy of metrics-server's chart, but for its templates.
const VENDORED: &str = r#"
//- c/Chart.yaml
apiVersion: v2
name: metrics-server
version: 3.12.2
appVersion: 0.7.2
home: https://github.com/kubernetes-sigs/metrics-server
//- c/values.yaml
replicas: 1
image: {repository: mirror.example.com/metrics-server, tag: ""}
hostNetwork: {enabled: false}
podDisruptionBudget: {enabled: false}
addonResizer: {enabled: false}
serviceMonitor: {enabled: false}
metrics: {enabled: false}
serviceAccount: {create: true}
rbac: {create: true}
apiService: {create: true}
service: {port: 443}
containerPort: 10250
"#;

#[test]
fn a_vendored_chart_has_its_defaults_in_the_repository() {
    let of = |template: &str| {
        let all = Sources::in_memory(files(&[], &format!("{VENDORED}\n{template}")));
        let rendered = with(&all, |context| whole(install(context, in_directory(Some("c")))));
        told(&(all, rendered), &["Server.image", "Deployment.spec.replicas"])
    };
    // Without templates it is the chart of its version.
    assert_snapshot!(of(""), @"
    image: mirror.example.com/metrics-server:v0.7.2  c/Chart.yaml:3 chart-default `3.12.2`
    spec.replicas: 1  c/values.yaml:1 chart-default
    ");
    // What is changed in it counts.
    let changed = "
//- c/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server}
spec:
  replicas: {{ add .Values.replicas 1 }}
  template:
    spec:
      containers:
        - {name: metrics-server, image: \"{{ .Values.image.repository }}:ours\"}";
    assert_snapshot!(of(changed), @"
    image: mirror.example.com/metrics-server:ours  c/templates/deployment.yaml:9 rendered `.Values.image.repository` < c/values.yaml:2 `mirror.example.com/metrics-server`
    spec.replicas: 2  c/templates/deployment.yaml:5 rendered `add .Values.replicas 1` < c/values.yaml:1 `1`
    ");
}
