//! Templates of YAML: what stands in a condition is unknown, what stands outside is judged.

use insta::assert_snapshot;

use super::{fixture, unindented};
use crate::{
    config::Config,
    pipeline::{analyze, check},
    problem::Problem,
    settle::{Scope, settle},
};

/// What `check` says of a repository: level, rule, file and line.
fn said(files: &str) -> String {
    let sources = fixture(files);
    let config = Config { pedantic: true, ..Config::default() };
    let (_, clusters) = analyze(&sources, &config);
    let settled = settle(&sources, &config, &[], check(&clusters), &Scope::all());
    let line = |it: &crate::finding::Finding| {
        let level = if it.pedantic { "pedantic" } else { it.severity.id() };
        let place = it
            .primary()
            .map(|it| format!("{}:{}", sources[it.span.file].path, sources.start(it.span).line));
        format!("{level} {} {}", it.rule, place.unwrap_or_default())
    };
    settled.findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn whatever_a_template_of_yaml_is_called_after_the_file_that_it_makes_it_is_judged() {
    let templates = [
        ("tpl", "${replicas}"),
        ("tftpl", "${replicas}"),
        ("gotmpl", "{{ .Values.replicas }}"),
        ("erb", "<%= @replicas %>"),
        ("mustache", "{{replicas}}"),
    ];
    for (suffix, hole) in templates {
        let found = said(&format!(
            "
            //- apps/ms.yaml.{suffix}
            apiVersion: apps/v1
            kind: Deployment
            metadata: {{name: metrics-server, namespace: kube-system}}
            spec:
              replicas: {hole}
              template:
                spec:
                  containers:
                  - {{image: x/metrics-server:v0.7.2, args: [--metric-resolution=5s]}}
            //- apps/kubelet.yml.{suffix}
            kind: KubeletConfiguration
            apiVersion: kubelet.config.k8s.io/v1beta1
            clusterDNS: [{hole}]
            serverTLSBootstrap: true
            "
        ));
        let resolution = format!("error metric-resolution-too-small apps/ms.yaml.{suffix}:9");
        assert!(found.contains(&resolution), "{found}");
        assert!(found.contains("warning serving-bootstrap-without-approver"), "{found}");
    }
    // Parts of templates are called so as well.
    assert_eq!(
        said(
            "
        //- apps/_metrics-server.tpl
        kind: Deployment
        metadata: {name: metrics-server}
    "
        ),
        ""
    );
}

#[test]
fn what_stands_outside_of_a_condition_is_judged() {
    assert_snapshot!(said("
        //- apps/metrics-server.yaml.j2
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          template:
            spec:
              priorityClassName: system-cluster-critical
              containers:
                - name: metrics-server
                  image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
                  args:
                    - --metric-resolution=5s
                    - --kubelet-preferred-address-types=InternalIP
                    {% if insecure %}
                    - --kubelet-insecure-tls
                    {% endif %}
                    - --cert-dir=/tmp
                  {% if small %}
                  resources:
                    requests: {memory: 200Mi}
                    limits: {memory: 100Mi}
                  {% endif %}
    "), @"
    error metric-resolution-too-small apps/metrics-server.yaml.j2:12
    warning fragile-probe apps/metrics-server.yaml.j2:3
    warning privileged-port apps/metrics-server.yaml.j2:12
    pedantic weakened-security-context apps/metrics-server.yaml.j2:3
    note unresolved apps/metrics-server.yaml.j2:14
    ");
}

#[test]
fn an_image_that_a_condition_renames_keeps_its_tag() {
    let sources = fixture("
        //- kustomization.yaml
        resources: [metrics-server.yaml]
        {{ if .mirror }}
        images:
          - {name: metrics-server, newName: '{{ .mirror }}/metrics-server'}
        {{ end }}
        //- metrics-server.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server}
        spec: {template: {spec: {containers: [{name: metrics-server, image: 'metrics-server:v0.7.2'}]}}}
    ");
    let (_, clusters) = analyze(&sources, &Config::default());
    let server = &clusters[0].metrics_servers[0];
    assert_eq!(server.image_tag.value().map(String::as_str), Some("v0.7.2"));
    assert!(server.image_repository.is_unknown());
    assert!(server.args.is_absent(), "the rest of it is known");
}

#[test]
fn a_setting_of_kubelets_in_a_condition_is_not_told() {
    for settings in [
        "machine:\n  type: worker\n  kubelet:\n    {% if x %}\n    extraArgs:\n      \
         rotate-server-certificates: true\n    {% endif %}\n",
        "machine:\n  type: worker\n  {% if x %}\n  kubelet:\n    extraArgs: \
         {rotate-server-certificates: true}\n  {% endif %}\n",
        "machine:\n  type: worker\n  kubelet:\n    extraConfig:\n      {% if x %}\n      \
         serverTLSBootstrap: true\n      {% endif %}\n",
    ] {
        let told = said(&format!("//- talos/worker.yaml.j2\nversion: v1alpha1\n{settings}"));
        assert!(told.starts_with("note unresolved talos/worker.yaml.j2:"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn kubeadm_files_for_several_versions_are_one_cause() {
    let file = |version: &str| {
        format!(
            "
            //- kubeadm/{version}.yaml.j2
            apiVersion: kubeadm.k8s.io/{version}
            kind: InitConfiguration
            {{% if taints %}}
            nodeRegistration:
              criSocket: {{{{ socket }}}}
            {{% endif %}}"
        )
    };
    assert_snapshot!(said(&["v1beta2", "v1beta3", "v1beta4"].map(file).concat()), @"
    warning serving-certificates-not-bootstrapped kubeadm/v1beta2.yaml.j2:2
    pedantic unresolved kubeadm/v1beta2.yaml.j2:3
    pedantic unresolved kubeadm/v1beta3.yaml.j2:3
    pedantic unresolved kubeadm/v1beta4.yaml.j2:3
    ");
}

#[test]
fn a_template_that_cannot_be_read_is_a_note_where_it_names_our_subject() {
    assert_snapshot!(said("
        //- templates/addons.yaml.j2
        {% if addons %}
        a:
          - metrics-server
         b: {}
        {% endif %}
        //- templates/cache.yaml.j2
        {% if cache %}
        a:
          - kubelet.config.k8s.io
         b: {}
        {% endif %}
        //- templates/one-of-two.yaml.j2
        {% if old %}
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server}
        ---
        {% else %}
        apiVersion: v1
        kind: List
        {% endif %}
    "), @"
    note unresolved templates/addons.yaml.j2:1
    note unresolved templates/one-of-two.yaml.j2:1
    ");
}

#[test]
fn marks_of_makejinja_that_yaml_takes_for_comments() {
    assert_snapshot!(said("
        //- templates/apps/metrics-server/kustomization.yaml.j2
        resources:
          - ./release.yaml
        #% if false %#
          - ./more.yaml
        #% endif %#
        //- templates/apps/metrics-server/release.yaml.j2
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          interval: 1h
          chart:
            spec: {chart: metrics-server, version: 3.12.2, sourceRef: {kind: HelmRepository, name: metrics-server}}
          values:
            replicas: #{ 2 if nodes | length > 1 else 1 }#
            #% if insecure %#
            args: [--kubelet-insecure-tls]
            #% endif %#
        ---
        apiVersion: source.toolkit.fluxcd.io/v1
        kind: HelmRepository
        metadata: {name: metrics-server, namespace: kube-system}
        spec: {url: 'https://kubernetes-sigs.github.io/metrics-server/'}
        //- templates/apps/metrics-server/more.yaml
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: more}
    "), @"
    note unresolved templates/apps/metrics-server/kustomization.yaml.j2:3
    pedantic apiservice-insecure-skip-tls-verify templates/apps/metrics-server/release.yaml.j2:7
    note unresolved templates/apps/metrics-server/release.yaml.j2:9
    ");
}

#[test]
fn a_deployer_finds_what_makejinja_will_put_at_its_path() {
    let settings = "
        //- makejinja.toml
        [makejinja]
        inputs = [\"templates/overrides\", \"templates/config\"]
        output = \"./\"
        jinja_suffix = \".j2\"
        //- templates/config/kubernetes/apps/ms/release.yaml.j2
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server}
        spec:
          replicas: #{ replicas }#
          template:
            spec:
              containers: [{image: x/metrics-server:v0.7.2, args: [--metric-resolution=5s]}]
    ";
    let flux = "
        //- templates/config/kubernetes/flux/apps.yaml.j2
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: apps, namespace: flux-system}
        spec:
          path: ./kubernetes/apps
          targetNamespace: kube-system
          sourceRef: {kind: GitRepository, name: flux-system}
    ";
    let argo = "
        //- templates/config/kubernetes/argo/apps.yaml.j2
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: apps, namespace: argocd}
        spec:
          source: {repoURL: https://git.example.com/fleet, path: kubernetes/apps/ms}
          destination: {namespace: kube-system, name: in-cluster}
    ";
    let set = "
        //- templates/config/kubernetes/argo/set.yaml
        apiVersion: argoproj.io/v1alpha1
        kind: ApplicationSet
        metadata: {name: apps, namespace: argocd}
        spec:
          generators:
            - git:
                repoURL: https://git.example.com/fleet
                directories: [{path: kubernetes/apps/*}]
          template:
            metadata: {name: '{{path.basename}}'}
            spec:
              source: {repoURL: https://git.example.com/fleet, path: '{{path}}'}
              destination: {namespace: kube-system, name: in-cluster}
    ";
    let named = set.replace("kubernetes/apps/*", "templates/config/kubernetes/apps/*");
    for deployer in [flux, argo, set, &named] {
        let sources = fixture(&format!("{settings}{deployer}"));
        let (environments, clusters) = analyze(&sources, &Config::default());
        assert_eq!(environments.len(), 1, "{deployer}");
        let lost = |it: &Problem| it.message.contains("not in the repository");
        assert!(!environments[0].problems.iter().any(lost), "{deployer}");
        assert_eq!(clusters[0].metrics_servers.len(), 1, "{deployer}");
        // Only the deployer says where it goes.
        assert_eq!(clusters[0].metrics_servers[0].namespace, "kube-system");
    }
}

#[test]
fn what_a_template_names_is_made_with_it() {
    let nowhere = |files: &str| said(files).lines().filter(|it| it.starts_with("error")).count();
    for entry in ["./#{ foo }#/x.yaml", "${FOO}/x.yaml", "../${FOO}/y.yaml", "{{ .x }}/y.yaml"] {
        let files = format!(
            "
            //- kustomization.yaml
            resources: [ms.yaml, '{entry}']
            //- ms.yaml
            {{apiVersion: v1, kind: ServiceAccount, metadata: {{name: metrics-server}}}}
        "
        );
        assert_eq!(nowhere(&files), 0, "{entry}");
    }
    let flux = |file: &str| {
        format!("
            //- {file}
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {{name: metrics-server, namespace: flux-system}}
            spec: {{path: ./made/metrics-server, sourceRef: {{kind: GitRepository, name: flux-system}}}}
        ")
    };
    assert_eq!(nowhere(&flux("ks.yaml.j2")), 0);
    assert_eq!(nowhere(&flux("ks.yaml")), 1, "a file of its own is what it is");
}

#[test]
fn a_patch_that_is_a_placeholder_may_change_anything() {
    let sources = fixture("
        //- kustomization.yaml
        resources: [ms.yaml]
        patches: [{path: p.yaml}]
        //- p.yaml
        {{ patch }}
        //- ms.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server}
        spec: {template: {spec: {containers: [{name: metrics-server, image: 'metrics-server:v0.7.2'}]}}}
    ");
    let (_, clusters) = analyze(&sources, &Config::default());
    let mut servers = clusters.iter().flat_map(|it| &it.metrics_servers);
    assert!(servers.all(|it| it.image_tag.is_unknown()), "its tag may be another");
    assert!(clusters.iter().all(|it| it.problems.iter().all(|it| !it.is_refusal())));
}

#[test]
fn what_a_condition_leaves_as_it_is_is_known() {
    let server = |files: &str| {
        let (_, clusters) = analyze(&fixture(files), &Config::default());
        clusters.into_iter().find_map(|mut it| it.metrics_servers.pop()).expect("one")
    };
    // Of a condition in values the chart's defaults, below it too.
    for (open, close) in [
        ("{% if x %}", "{% endif %}"),
        ("#% if x %#", "#% endif %#"),
        ("{{- if .x }}", "{{- end }}"),
    ] {
        let server = server(&format!(
            "
            //- metrics-server.yaml
            apiVersion: source.toolkit.fluxcd.io/v1
            kind: HelmRepository
            metadata: {{name: it, namespace: kube-system}}
            spec: {{url: 'https://kubernetes-sigs.github.io/metrics-server'}}
            ---
            apiVersion: helm.toolkit.fluxcd.io/v2
            kind: HelmRelease
            metadata: {{name: metrics-server, namespace: kube-system}}
            spec:
              chart:
                spec:
                  chart: metrics-server
                  version: 3.12.2
                  sourceRef: {{kind: HelmRepository, name: it}}
              {open}
              values:
                args: [--kubelet-insecure-tls]
                replicas: 1
                apiService: {{insecureSkipTLSVerify: false}}
                resources: {{requests: {{cpu: 5m}}}}
              {close}
            "
        ));
        let unknown = [
            server.kubelet_insecure_tls.is_unknown(),
            server.api_service_insecure_skip_tls_verify.is_unknown(),
            server.cpu_request.is_unknown(),
        ];
        assert_eq!(unknown, [true; 3], "{open}");
        assert_eq!(server.replicas.value(), Some(&1), "{open}");
        assert!(server.memory_request.value().is_some(), "{open}: the default");
        assert!(server.metric_resolution.value().is_some(), "{open}: no other argument");
    }
    // Of one in a patch what is patched.
    let patched = server(
        "
        //- kustomization.yaml
        namespace: {{ ns }}
        resources: [ms.yaml]
        patches: [{path: patch.yaml}]
        //- patch.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: base}
        spec:
          template:
            spec:
              containers:
                - name: metrics-server
                  {% if x %}
                  resources: {requests: {cpu: 5m}}
                  {% endif %}
        //- ms.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: base}
        spec:
          template:
            spec:
              containers:
                - name: metrics-server
                  image: metrics-server:v0.7.2
                  resources: {requests: {cpu: 1m, memory: 200Mi}}
    ",
    );
    assert!(patched.cpu_request.is_unknown());
    assert!(patched.memory_request.value().is_some());
    assert_eq!(patched.namespace, "{{ ns }}", "a name in two namespaces is two names");
}

#[test]
fn what_a_kustomization_includes_may_change_any_object() {
    for (line, changed) in [("{% include 'x' %}", true), ("  {% include 'x' %}", false)] {
        let sources = fixture(&format!(
            "
            //- kustomization.yaml
            resources:
              - ms.yaml
            {line}
            //- ms.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {{name: metrics-server}}
            spec: {{template: {{spec: {{containers: [{{name: metrics-server, image: 'metrics-server:v0.7.2'}}]}}}}}}
            "
        ));
        let (_, clusters) = analyze(&sources, &Config::default());
        let mut servers = clusters.iter().flat_map(|it| &it.metrics_servers);
        assert_eq!(servers.any(|it| it.image_tag.value().is_some()), !changed, "{line}");
        assert_eq!(clusters[0].problems.len(), 1, "{line}: one note");
    }
}

#[test]
fn what_stands_outside_of_conditions_of_an_application_set_is_known() {
    let of = |values: &str| {
        let set = "
            //- set.yaml
            apiVersion: argoproj.io/v1alpha1
            kind: ApplicationSet
            metadata: {name: it, namespace: argocd}
            spec:
              goTemplate: true
              generators:
              - matrix:
                  generators:
                  - clusters: {}
                  - list: {elements: [{name: a, n: '3'}]}
              template:
                metadata: {name: metrics-server}
                spec:
                  destination: {namespace: kube-system, name: '{{ .name }}'}
                  source:
                    repoURL: https://kubernetes-sigs.github.io/metrics-server
                    chart: metrics-server
                    targetRevision: 3.12.2
                    helm:
                      values: |
        ";
        let values = unindented(values).replace('\n', "\n              ");
        let text = format!("{}              {}", unindented(set), values.trim_end());
        let (_, clusters) = analyze(&fixture(&text), &Config::default());
        clusters.into_iter().find_map(|mut it| it.metrics_servers.pop()).expect("one")
    };
    let server = of("
        args:
          - --kubelet-insecure-tls
          {{- if .debug }}
          - --v={{ .n }}
          {{- end }}
        {{- if .small }}
        resources: {requests: {cpu: 5m}}
        priorityClassName: low
        {{- else }}
        priorityClassName: high
        {{- end }}
        {{- /* why */}}
        replicas: {{ .n }}
    ");
    assert_eq!(server.kubelet_insecure_tls.value(), Some(&true));
    assert_eq!(server.replicas.value(), Some(&3));
    assert!(server.priority_class.is_unknown() && server.cpu_request.is_unknown());
    assert!(server.memory_request.value().is_some(), "the chart's default");
    let server = of("
        args:
          - --metric-resolution=5s
          {{- range .more }}
          - {{ .n }}
          {{- end }}
        replicas: 3
    ");
    assert!(server.metric_resolution.is_unknown(), "a later argument may set it again");
    assert_eq!(server.replicas.value(), Some(&3));
    for other in ["{{- else if .y }}\nreplicas: 2\n{{- else }}", "{{- with .y }}", "{{- end }}"] {
        let values =
            format!("{{{{- if .x }}}}\nreplicas: 3\n{other}\nreplicas: 3\n{{{{- end }}}}\n");
        assert!(of(&values).replicas.is_unknown(), "{other}");
    }
}

/// A kustomization with `lines` beside metrics-server's Deployment, a component and two patches: what
/// the one metrics-server in it comes to.
fn kustomized(lines: &str) -> crate::model::MetricsServer {
    let component = |replicas: usize| {
        format!(
            "apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
  - target: {{kind: Deployment}}
    patch: |
      - {{op: add, path: /spec/replicas, value: {replicas}}}
      - {{op: add, path: /spec/template/spec/priorityClassName, value: critical}}
"
        )
    };
    let server = |name: &str, cpu: &str| {
        format!(
            "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: base}}
spec:
  template:
    spec:
      containers:
        - name: metrics-server
          image: metrics-server:v0.7.2
          args: [--kubelet-insecure-tls]
          resources: {{requests: {{cpu: {cpu}, memory: 200Mi}}}}
"
        )
    };
    let files = [
        ("kustomization.yaml", lines.to_owned()),
        ("ms.yaml", server("metrics-server", "1m")),
        ("other.yaml", server("metrics-server", "2m")),
        ("a/kustomization.yaml", component(2)),
        ("b/kustomization.yaml", component(3)),
    ];
    let named = |it: &(&str, String)| it.0 != "other.yaml" || lines.contains(it.0);
    let sources = crate::source::Sources::in_memory(files.into_iter().filter(named));
    let (_, clusters) = analyze(&sources, &Config::default());
    assert!(clusters.iter().all(|it| it.problems.iter().all(|it| !it.is_refusal())), "{lines}");
    let mut servers: Vec<_> = clusters.into_iter().flat_map(|it| it.metrics_servers).collect();
    assert_eq!(servers.len(), 1, "{lines}");
    servers.remove(0)
}

#[test]
fn of_two_sides_of_a_condition_what_both_build_is_known() {
    for (open, turn, close) in [
        ("{% if x %}", "{% else %}", "{% endif %}"),
        ("#% if x %#", "#% else %#", "#% endif %#"),
        ("{{- if .x }}", "{{- else }}", "{{- end }}"),
    ] {
        let components = [
            format!("{open}\ncomponents: [a]\n{turn}\ncomponents: [b]\n{close}"),
            format!("components:\n  {open}\n  - a\n  {turn}\n  - b\n  {close}"),
        ];
        for lines in components {
            let server = kustomized(&format!("resources: [ms.yaml]\n{lines}\n"));
            assert!(server.replicas.is_unknown(), "{lines}");
            assert_eq!(server.priority_class.value().map(|it| &**it), Some("critical"), "{lines}");
            assert_eq!(server.kubelet_insecure_tls.value(), Some(&true), "{lines}");
            assert!(server.cpu_request.value().is_some(), "{lines}");
        }
        let lines =
            format!("resources:\n  {open}\n  - ms.yaml\n  {turn}\n  - other.yaml\n  {close}\n");
        let server = kustomized(&lines);
        assert!(server.cpu_request.is_unknown() && server.memory_request.value().is_some());
        let lines = format!(
            "resources: [ms.yaml]\nreplicas:\n  {open}\n  - {{name: metrics-server, count: 2}}\n  {turn}\n  - {{name: metrics-server, count: 2}}\n  {close}\n"
        );
        assert_eq!(kustomized(&lines).replicas.value(), Some(&2));
    }
    // Without an `else`, none of them is one side more.
    let lines = "resources: [ms.yaml]\n{% if x %}\ncomponents: [a]\n{% elif y %}\ncomponents: [b]\n{% endif %}\n";
    assert!(kustomized(lines).priority_class.is_unknown());
}

#[test]
fn a_namespace_in_a_condition_is_one_that_a_template_decides() {
    for lines in [
        "{% if x %}\nnamespace: other\n{% endif %}",
        "{{ if .x }}\nnamespace: \"other\"\n{{ end }}",
        "{% if x %}\nnamespace: other\n{% else %}\nnamespace: another\n{% endif %}",
        "{% if x %}\nnamePrefix: a-\nnamespace: other\n{% else %}\nnamePrefix: b-\n{% endif %}",
    ] {
        let server = kustomized(&format!("resources: [ms.yaml]\n{lines}\n"));
        assert_eq!(server.namespace, "{% … %}other", "{lines}");
        assert_eq!(server.kubelet_insecure_tls.value(), Some(&true), "{lines}");
    }
}
