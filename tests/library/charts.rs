//! Charts that are there, loaded and rendered without a Helm to compare with.

use std::io::Write as _;

use insta::assert_snapshot;

use super::{common::fixture::files, nowhere};
use crate::{
    emit,
    resolve::{
        environment::ClusterVersion,
        helm::{
            ApiVersions,
            package::{self, Package},
            render::{self, ChartInstallation, ChartRendering},
        },
    },
    source::Sources,
    tree::{Map, Node},
};

/// The release `app` of the chart in `chart/` with the values of `user.yaml`, if there are any, by a
/// tool that builds dependencies itself.
fn rendered(sources: &Sources) -> ChartRendering {
    rendered_by(sources, |package, release| match package.select(release.values) {
        Ok(package) => render::render_selected(sources, &package, release),
        Err(problem) => ChartRendering { problems: vec![problem], ..ChartRendering::default() },
    })
}

fn rendered_by(
    sources: &Sources,
    render: impl FnOnce(Package, &ChartInstallation<'_>) -> ChartRendering,
) -> ChartRendering {
    let values = match sources.find("user.yaml") {
        Some(_) => super::roots(sources, "user.yaml").remove(0),
        None => Node::new(Map::default(), nowhere()),
    };
    let release = ChartInstallation {
        name: "app",
        namespace: "web",
        values: &values,
        at: &nowhere(),
        kubernetes: None,
        apis: ApiVersions::Template,
        skips_schema: false,
        needs_all: true,
    };
    match package::load(sources, "chart", &nowhere()) {
        Ok(package) => render(package, &release),
        Err(problem) => ChartRendering { problems: vec![problem], ..ChartRendering::default() },
    }
}

/// Objects, then what is missing, then problems with their places.
fn told(sources: &Sources, rendering: &ChartRendering) -> String {
    let mut told = Vec::new();
    for manifest in &rendering.manifests {
        let perhaps = manifest.perhaps.as_ref().map(|it| format!("# perhaps: {it}\n"));
        told.push(perhaps.unwrap_or_default() + &emit::yaml(&manifest.node));
    }
    let missing = rendering.missing.iter().map(|it| format!("missing: {}\n", it.to_json()["name"]));
    told.extend(missing);
    told.extend(rendering.problems.iter().map(|it| {
        let at = it
            .at
            .written_at()
            .map(|span| format!("{}:{}", sources[span.file].path, sources.start(span).line));
        format!("{}: {} {}\n", it.kind.rule(), it.message, at.unwrap_or_default())
    }));
    told.join("---\n")
}

fn tell(text: &str) -> String {
    let sources = super::fixture(text);
    told(&sources, &rendered(&sources))
}

/// An archive of `files`.
pub(super) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    zipped(&tar_of(files))
}

fn tar_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(text.len()).expect("it is short"));
        header.set_mode(0o644);
        // `set_path` refuses what leads out.
        header.as_gnu_mut().expect("it is one").name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        archive.append(&header, text.as_bytes()).expect("it is written");
    }
    archive.into_inner().expect("it is written")
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(bytes).expect("it is written");
    zipped.finish().expect("it is written")
}

fn with_archive(text: &str, path: &str, bytes: Vec<u8>) -> Sources {
    Sources::of_bytes(files(&[], text), vec![(path.to_owned(), bytes)])
}

#[test]
fn values_have_the_methods_and_the_type_of_helm() {
    let printed = |expression: &str| {
        let told = tell(&format!(
            "//- chart/Chart.yaml\nname: c\nversion: 1.0.0\n//- chart/values.yaml\nm: {{a: {{b: x}}}}\n\
             //- chart/templates/a.yaml\nx: {{{{ {expression} }}}}\n"
        ));
        told.trim_end().trim_start_matches("x: ").to_owned()
    };
    for (expression, expected) in [
        ("dig `m` `a` `b` `` .Values.AsMap", "x"),
        ("dig `a` `b` `` .Values.m", "x"),
        ("(.Values.Table `m.a`).b", "x"),
        (".Values.PathValue `m.a.b`", "x"),
        ("(.Values.YAML | fromYaml).m.a.b", "x"),
        ("set .Values.AsMap `n` `y` | len | print .Values.n", "y2"),
        ("typeOf .Values", "common.Values"),
        ("typeOf .Values.m", "map[string]interface {}"),
        ("typeOf .Capabilities.APIVersions", "common.VersionSet"),
        ("typeOf .Files", "engine.files"),
        ("kindOf .Values", "map"),
        ("keys .Values | first", "m"),
    ] {
        assert_eq!(printed(expression), expected, "{expression}");
    }
    for expression in [
        "dig `m` `` .Values",
        "dig `Values` `m` `` $",
        ".Values.Table `m.a.b`",
        ".Values.PathValue `m.a`",
        ".Values.PathValue `no`",
    ] {
        assert!(printed(expression).contains("build-fails"), "{expression}");
    }
}

/// `sort` of `manifest_sorter.go` reads a `SimpleHead` of each manifest, of which `SplitManifests` takes
/// the white space before it.
#[test]
fn what_is_no_manifest_is_refused() {
    let refused = |manifest: &str| {
        let told = tell(&format!(
            "//- chart/Chart.yaml\nname: c\nversion: 1.0.0\n//- chart/templates/a.yaml\n{manifest}\n"
        ));
        told.lines().find(|it| it.starts_with("build-fails")).map(str::to_owned)
    };
    for (manifest, what) in [
        ("[{kind: A}]", "no manifest: `.` is a list, not a mapping"),
        ("kind: A\n---\njust text", "no manifest: `.` is a scalar, not a mapping"),
        ("kind: [A]", "no manifest: `kind` is a list, not a text"),
        ("metadata: {name: {a: b}}", "no manifest: `metadata.name` is a mapping, not a text"),
        ("metadata: a", "no manifest: `metadata` is a scalar, not a mapping"),
        ("metadata: {annotations: {a: [b]}}", "no manifest: `a` is a list, not a text"),
        ("  kind: A\n  apiVersion: v1", "not YAML"),
        ("kind: A\n---\n\n  kind: B\n  apiVersion: v1", "not YAML"),
    ] {
        let told = refused(manifest).expect(manifest);
        assert!(told.contains(&format!("what `c/templates/a.yaml` prints is {what}")), "{told}");
    }
    for manifest in [
        "{}",
        "null",
        "metadata: {name: 5, annotations: {a: 1, b: null}}",
        "kind: A\nmetadata: null",
        "# what it is\n  kind: A\n  apiVersion: v1",
    ] {
        assert_eq!(refused(manifest), None, "{manifest}");
    }
}

#[test]
fn a_chart_makes_objects_in_the_order_of_helm() {
    let told = tell(
        r#"
        //- chart/Chart.yaml
        {apiVersion: v2, name: web, version: 1.2.3, appVersion: 1.10}
        //- chart/values.yaml
        replicas: 2
        text: '{{ .Release.Name }}-{{ .Chart.AppVersion }}'
        //- chart/templates/_helpers.tpl
        {{- define "web.name" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
        //- chart/templates/NOTES.txt
        {{ .Release.Name }}: it runs
        //- chart/templates/deployment.yaml
        kind: Deployment
        metadata: {name: {{ include "web.name" . }}, namespace: {{ .Release.Namespace }}}
        spec:
          replicas: {{ .Values.replicas }}
        ---
        ---
        kind: Service
        metadata: {name: {{ .Template.Name | base }}}
        //- chart/templates/job.yaml
        kind: Job
        metadata: {name: hook, annotations: {helm.sh/hook: "pre-install, post-upgrade"}}
        ---
        kind: Job
        metadata: {name: old-hook, annotations: {helm.sh/hook: crd-install}}
        ---
        kind: ConfigMap
        data:
          text: |
            {{ tpl .Values.text . }}
          files: {{ range $name, $_ := .Files.Glob "files/*" }}{{ $name }} {{ end }}
          {{- (.Files.Glob "files/**").AsConfig | nindent 2 }}
          last: |-
            {{ .Files.Get "files/a.txt" }}
        //- chart/files/a.txt
        of a
        //- chart/files/deep/b.txt
        of b
        //- chart/files/deep/b.bak
        of b, once
        //- chart/.helmignore
        *.bak
        "#,
    );
    assert_snapshot!(told);
}

/// Dashboards, rules and definitions are most of many charts.
#[test]
fn what_nobody_asks_about_is_not_read_unless_all_is_needed() {
    let sources = super::fixture(
        "
        //- chart/Chart.yaml
        apiVersion: v2
        name: c
        version: 1.0.0
        //- chart/templates/a.yaml
        kind: ConfigMap
        metadata: {name: dashboards}
        ---
        kind: ConfigMap
        metadata: {name: kubelet-config}
        ---
        kind: CustomResourceDefinition
        metadata: {name: a}
        spec: {description: a kubelet with serverTLSBootstrap}
        ---
        kind: List
        items:
        - kind: ConfigMap
        ---
        metadata: {name: b}
        kind: \"PrometheusRule\"
        ---
        kind: Service
        metadata: {name: s}
        //- chart/crds/b.yaml
        kind: CustomResourceDefinition
        metadata: {name: b}
        ",
    );
    let kinds = |needs_all| {
        let rendering = rendered_by(&sources, |package, release| {
            let ChartInstallation { kubernetes, apis, .. } = release;
            let (kubernetes, apis) = (kubernetes.clone(), *apis);
            let release = ChartInstallation { kubernetes, apis, needs_all, ..*release };
            render::render_selected(&sources, &package, &release)
        });
        let nodes = rendering.manifests.iter().map(|it| &it.node).chain(&rendering.definitions);
        let named = nodes.map(|it| format!("{} {}", it.object_kind(), it.object_name()));
        named.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(kinds(false), "ConfigMap kubelet-config, Service s, List ");
    let all = "ConfigMap dashboards, ConfigMap kubelet-config, CustomResourceDefinition a, \
               Service s, List , PrometheusRule b, CustomResourceDefinition b";
    assert_eq!(kinds(true), all);
}

#[test]
fn what_a_release_may_depend_on_is_told() {
    let chart = |user: &str| {
        tell(&format!(
            r#"
            //- chart/Chart.yaml
            apiVersion: v2
            name: top
            version: 1.0.0
            dependencies:
              - {{name: there, version: 1.x, condition: there.enabled}}
              - {{name: there, version: 1.x, alias: twice, tags: [more], import-values: [web]}}
              - {{name: elsewhere, version: 1.0.0, repository: "https://example.com", condition: elsewhere.enabled}}
              - {{name: beside, version: 1.0.0, repository: "file://../beside"}}
            //- chart/values.yaml
            there: {{enabled: false}}
            global: {{zone: a}}
            elsewhere: {{enabled: true, x: 1}}
            //- chart/templates/a.yaml
            kind: A
            port: {{{{ .Values.port }}}}
            below: {{{{ hasKey .Subcharts "there" }}}}
            //- chart/charts/there/Chart.yaml
            {{apiVersion: v2, name: there, version: 1.4.0}}
            //- chart/charts/there/values.yaml
            exports: {{web: {{port: 8080}}}}
            //- chart/charts/there/templates/b.yaml
            kind: B
            name: {{{{ .Chart.Name }}}} {{{{ .Values.global.zone }}}}
            //- chart/charts/_left/out
            //- beside/Chart.yaml
            {{apiVersion: v2, name: beside, version: 1.0.0, type: library}}
            //- beside/templates/c.yaml
            kind: C
            //- user.yaml
            {user}
            "#
        ))
    };
    assert_snapshot!(chart("tags: {more: true}"));
    assert_snapshot!(chart(
        "{there: {enabled: true}, tags: {more: false}, elsewhere: {enabled: false}}"
    ));
    assert_snapshot!(chart("{there: text}"));
}

/// Helm puts the values of the chart itself below its name.
#[test]
fn the_values_of_a_dependency_that_is_elsewhere_are_not_known() {
    let told = tell(
        "
        //- chart/Chart.yaml
        apiVersion: v2
        name: top
        version: 1.0.0
        dependencies:
          - {name: bit, version: 1.0.0, repository: 'https://example.com', alias: fb}
          - {name: dash, version: 1.0.0, repository: 'https://example.com'}
        //- chart/values.yaml
        dash: {port: 80, server: {ha: {}}}
        //- chart/templates/a.yaml
        kind: A
        a: {{ .Values.fb.policy.enabled }}
        b: {{ index .Values \"dash\" \"image\" \"tag\" }}
        b2: {{ index .Values \"dash\" \"server\" \"service\" \"port\" }}
        b3: {{ .Values.dash.server.ha.role.name }}
        c: {{ .Values.dash.port }}
        d: {{ .Values.none }}
        ",
    );
    assert!(told.contains("c: 80") && told.contains("d: null"), "{told}");
    let unknown = told.lines().filter(|it| it.starts_with(['a', 'b']) && it.contains(": <unknown"));
    assert!(unknown.clone().count() == 4 && !told.contains("nil has no field"), "{told}");
}

/// Helm 4.3.1 and 3 look for names only, and at what is switched off too.
#[test]
fn what_is_not_in_charts_is_refused_until_it_is_built() {
    let sources = super::fixture(
        "
        //- chart/Chart.yaml
        apiVersion: v2
        name: top
        version: 1.0.0
        dependencies:
          - {name: there, alias: other, version: 2.x}
          - {name: off, version: 1.0.0, condition: off.enabled}
          - {name: beside, version: 1.0.0, repository: 'file://../beside'}
        //- chart/values.yaml
        off: {enabled: false}
        //- chart/charts/folder/Chart.yaml
        {apiVersion: v2, name: there, version: 1.4.0}
        //- beside/Chart.yaml
        {apiVersion: v2, name: beside, version: 1.0.0}
        ",
    );
    let rendering =
        rendered_by(&sources, |package, release| render::render(&sources, package, release));
    assert_snapshot!(
        told(&sources, &rendering),
        @"build-fails: Helm refuses the chart, which lists what is not in `charts/`: `off`, `beside` chart/Chart.yaml:6"
    );
}

/// As Helm 4.3.1 and 3.17 refuse it: also since `global` reaches each chart.
#[test]
fn values_are_held_against_the_schemas_of_all_charts() {
    let chart = |user: &str| {
        tell(&format!(
            r#"
            //- chart/Chart.yaml
            {{apiVersion: v2, name: top, version: 1.0.0}}
            //- chart/values.yaml
            replicas: 1
            //- chart/values.schema.json
            {{"properties": {{"replicas": {{"type": "integer"}}}}}}
            //- chart/templates/a.yaml
            kind: A
            replicas: {{{{ add .Values.replicas 1 }}}}
            image: {{{{ required "an image" .Values.image }}}}
            //- chart/charts/sub/Chart.yaml
            {{apiVersion: v2, name: sub, version: 1.4.0}}
            //- chart/charts/sub/values.schema.json
            {{"properties": {{"a": true}}, "additionalProperties": false}}
            {user}
            "#
        ))
    };
    // Where nobody wrote any values the chart says it.
    let nothing_set = chart("");
    let said = "`sub.global` is not among the keys that are allowed, which `values.schema.json` \
                of `sub` refuses chart/values.yaml:1";
    assert!(nothing_set.contains(said), "{nothing_set}");
    assert_snapshot!(chart("//- user.yaml\n            {replicas: two, sub: {a: 1, b: 2}}"), @"
    image: <unknown>
    kind: A
    replicas: 1
    ---
    build-fails: `replicas` is a string, not an integer, which `values.schema.json` of `top` refuses user.yaml:1
    ---
    build-fails: `sub.b` is not among the keys that are allowed, which `values.schema.json` of `sub` refuses user.yaml:1
    ---
    build-fails: `sub.global` is not among the keys that are allowed, which `values.schema.json` of `sub` refuses user.yaml:1
    ");
}

#[test]
fn a_version_that_is_filled_in_later_is_unknown() {
    let chart = |version: &str| {
        tell(&format!(
            "
//- chart/Chart.yaml
name: app
version: {version}
//- chart/templates/a.yaml
kind: A
metadata: {{name: a, labels: {{version: '{{{{ .Chart.Version }}}}', chart: '{{{{ .Chart.Name }}}}'}}}}
"
        ))
    };
    let known = chart("1.2.3");
    for version in
        ["[[ .Version ]]", "'[[ .Version ]]'", "${VERSION}", "'{{ .Version }}'", "0.0.0-@@SHA@@"]
    {
        let told = chart(version);
        assert!(told.contains("chart: app") && !told.contains("refuses"), "{version}: {told}");
        assert_ne!(told, known, "{version}");
    }
    for version in ["[[1], [2]]", "[1.2.3]", "next", "{a: b}"] {
        assert!(
            chart(version).contains("Helm refuses a chart without a semantic version"),
            "{version}"
        );
    }
}

#[test]
fn a_chart_may_be_packed() {
    let packed = |version: &str| {
        archive(&[
            ("sub/Chart.yaml", &format!("{{apiVersion: v2, name: sub, version: {version}}}")),
            ("sub/values.yaml", "a: 1\n"),
            ("sub/templates/a.yaml", "kind: A\na: {{ .Values.a }}\nb: {{ .Chart.Version }}\n"),
        ])
    };
    let chart = "
        //- chart/Chart.yaml
        apiVersion: v2
        name: top
        version: 1.0.0
        dependencies:
          - {name: sub, version: 2.0.0}
        ";
    let sources = with_archive(chart, "chart/charts/sub-2.0.0.tgz", packed("2.0.0"));
    let rendering = rendered(&sources);
    assert_snapshot!(told(&sources, &rendering));
    let at = rendering.manifests[0].node.at("a").expect("a value").origin.written_at();
    let at = at.expect("a person changes the version");
    assert_eq!(sources.slice(at), "2.0.0");
}

#[test]
fn an_archive_may_be_zipped_in_parts() {
    let files =
        [("x/Chart.yaml", "{name: x, version: 1.0.0}"), ("x/templates/a.yaml", "kind: ConfigMap")];
    let tar = tar_of(&files);
    let (first, second) = tar.split_at(700);
    let sources = with_archive("//- a\n", "x.tgz", [zipped(first), zipped(second)].concat());
    let file = sources.find("x.tgz").expect("it is listed");
    let package = package::load_archive(&sources, file, &nowhere()).expect("Helm reads it");
    assert_eq!(package.templates.len(), 1);
}

#[test]
fn a_packed_metrics_server_is_installed_though_nothing_lists_it() {
    let packed = archive(&[
        ("metrics-server/Chart.yaml", "{apiVersion: v2, name: metrics-server, version: 1.0.0}"),
        ("metrics-server/templates/a.yaml", super::robustness::DEPLOYMENT),
    ]);
    let chart = "//- Chart.yaml\n{apiVersion: v2, name: c, version: 1.0.0}\n";
    let sources = with_archive(chart, "charts/metrics-server-1.0.0.tgz", packed);
    let (_, clusters) = crate::pipeline::analyze(&sources, &crate::config::Config::default());
    assert!(clusters.iter().any(|it| !it.metrics_servers.is_empty()));
}

#[test]
fn a_hostile_archive_is_refused() {
    let load = |bytes: Vec<u8>| -> Result<Package, String> {
        let sources = with_archive("//- a\n", "x.tgz", bytes);
        let file = sources.find("x.tgz").expect("it is listed");
        package::load_archive(&sources, file, &nowhere()).map_err(|it| it.message.to_string())
    };
    let chart = ("x/Chart.yaml", "{name: x, version: 1.0.0}");
    assert!(load(archive(&[chart])).is_ok());
    for (path, said) in [
        ("x/../../etc/passwd", "outside"),
        ("/etc/passwd", "outside"),
        ("passwd", "outside"),
        ("x/charts/y/Chart.yaml", "no `name`"),
        ("x/charts/y.tgz", "broken"),
    ] {
        let error = load(archive(&[chart, (path, "{}")])).expect_err(path);
        assert!(error.contains(said), "{path}: {error}");
    }
    let large = "a".repeat(6 << 20);
    let error = load(archive(&[chart, ("x/large", &large)])).expect_err("it is too large");
    assert!(error.contains("larger"), "{error}");
    assert!(load(b"no archive".to_vec()).is_err());
    assert!(load(archive(&[("x/a", "")])).is_err());
}

/// What Helm 4.3.1 prints of the same chart.
#[test]
fn templates_mean_what_they_mean_to_go() {
    let told = tell(
        r#"
        //- chart/Chart.yaml
        {apiVersion: v2, name: go, version: 1.0.0}
        //- chart/values.yaml
        proxy:
        //- chart/templates/a.yaml
        kind: A
        {{- define "proxy" }}[{{ .Values.proxy }}]{{ end }}
        printed: "{{ .Values.proxy }}"
        included: {{ include "proxy" . | len }}
        evaluated: {{ tpl "<{{ .Values.proxy }}>" . | len }}
        bar: {{ "x" | quote | }}
        hexadecimal: {{ mulf 1.1 0x1F }}
        nothing: {{ ((.Values.a).b).c.d | default "none" }}
        pattern: {{ regexMatch "^[\\w-\\.]+$" "a-b.c" }} {{ regexMatch "(" "a" }}
        clean: {{ list (clean "/a/./b/../../..") (clean "../a//") (clean "") | join " " }}
        sums: {{ sha1sum "a" | trunc 8 }}
        "#,
    );
    assert_snapshot!(told);
}

/// What Helm 4.3.1 prints of the same chart: `common.VersionSet`, `common.Values` and a nil
/// `map[string]string` are lists and maps to what looks at them.
#[test]
fn lists_and_maps_with_methods_are_lists_and_maps() {
    let told = tell(
        r#"
        //- chart/Chart.yaml
        {apiVersion: v2, name: methods, version: 1.0.0}
        //- chart/values.yaml
        a: {b: c}
        //- chart/templates/a.yaml
        kind: A
        {{- $apis := dict "apis" .Capabilities.APIVersions }}
        has: {{ has "apps/v1" .Capabilities.APIVersions }} {{ has "x/v1" $apis.apis }} {{ $apis.apis.Has "v1" }}
        ends: {{ first .Capabilities.APIVersions }} {{ index .Capabilities.APIVersions 5 }} {{ kindOf $apis.apis }}
        length: {{ len .Capabilities.APIVersions }}
        printed: {{ .Capabilities.APIVersions | toString | trunc 6 | quote }}
        json: {{ dict "a" .Capabilities.APIVersions | toJson | trunc 9 | quote }}
        {{- range $index, $api := .Capabilities.APIVersions }}
        {{- if eq $index 5 }}
        range: {{ $api }}
        {{- end }}
        {{- end }}
        values: {{ dig "a" "b" "d" .Values.AsMap }} {{ dig "a" "x" "d" .Values.AsMap }}
        annotations: <{{ .Chart.Annotations.a }}{{ index .Chart.Annotations "b" }}> {{ .Chart.Annotations | toJson }}
        pluck: {{ pluck "a" (dict "b" 1) (dict "a" 2) .Values | toJson | quote }}
        "#,
    );
    for line in [
        "has: true false true",
        "ends: v1 apps/v1 slice",
        "length: 57",
        "printed: '[v1 ad'",
        r#"json: '{"a":["v1'"#,
        "range: apps/v1",
        "values: c d",
        "annotations: <> null",
        r#"pluck: '[2,{"b":"c"}]'"#,
    ] {
        assert!(told.contains(line), "{line} is not in\n{told}");
    }
}

/// What a password is nobody can tell, but that there is one.
#[test]
fn what_is_made_at_random_is_something() {
    let told = tell(
        r#"
        //- chart/Chart.yaml
        {apiVersion: v2, name: secret, version: 1.0.0}
        //- chart/templates/a.yaml
        {{- $password := "" }}
        {{- if not $password }}{{ $password = randAlphaNum 10 }}{{ end }}
        kind: Secret
        data:
          {{- if $password }}
          password: {{ $password | b64enc | quote }}
          {{- end }}
          {{- if randAlphaNum 0 }}
          other: x
          {{- end }}
          known: {{ empty (randAlpha 3) }}
        "#,
    );
    assert_snapshot!(told);
}

/// `checkIfInstallable` and `IsCompatibleRange` of Helm.
#[test]
fn what_helm_installs_nowhere_or_not_there_is_refused() {
    let told = |chart: &str, version: Option<&str>| {
        let head = "//- chart/Chart.yaml\napiVersion: v2\nname: c\nversion: 1.0.0\n";
        let templates = "//- chart/templates/a.yaml\nkind: A\n";
        let sources = super::fixture(&format!("{head}{chart}\n{templates}"));
        let rendering = rendered_by(&sources, |package, release| {
            let node = |text| Node::new(text, nowhere());
            let kubernetes = version.and_then(|it| ClusterVersion::told(&node(it)));
            let apis = release.apis;
            let release = ChartInstallation { kubernetes, apis, ..*release };
            render::render_selected(&sources, &package, &release)
        });
        told(&sources, &rendering).trim_end().to_owned()
    };
    let refused = "build-fails: a library chart cannot be installed chart/Chart.yaml:4";
    assert_eq!(told("type: library", None), refused);
    let needs = "kubeVersion: '>=1.30.0-0'";
    let refused = "build-fails: the chart is for Kubernetes >=1.30.0-0, and this is";
    assert_eq!(told(needs, Some("1.28.3")), format!("{refused} 1.28.3 chart/Chart.yaml:4"));
    for version in [None, Some("1.30.0"), Some("1.31.2")] {
        assert_eq!(told(needs, version), "kind: A");
    }
}
