//! What the model says of a metrics-server, and what it cannot say.

use super::{fixture, unindented};
use crate::{
    config::Config,
    finding::Severity,
    model::{Fact, MetricsServer},
    pipeline::{analyze, check},
    source::Sources,
    tree::Origin,
};

fn server(files: &str) -> MetricsServer {
    server_in(&fixture(files))
}

fn server_in(sources: &Sources) -> MetricsServer {
    let (_, clusters) = analyze(sources, &Config::default());
    clusters.into_iter().find_map(|mut it| it.metrics_servers.pop()).expect("one")
}

#[test]
fn flags_that_a_shell_or_the_environment_passes_are_unknown() {
    let insecure = |container: &str| {
        let deployment = "
            //- ms.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server}
            spec:
              template:
                spec:
                  containers:
                  - {name: metrics-server, image: x/metrics-server:v0.7.2, CONTAINER}
        ";
        server(&deployment.replace("CONTAINER", container)).kubelet_insecure_tls.clone()
    };
    let unknown = [
        "command: [/bin/sh, -c, exec /metrics-server --kubelet-insecure-tls]",
        "args: [$(TLS)], env: [{name: TLS, value: --kubelet-insecure-tls}]",
        "args: [--kubelet-insecure-tls=$(TLS)], envFrom: [{configMapRef: {name: tls}}]",
    ];
    for container in unknown {
        assert!(matches!(insecure(container), Fact::Unknown(..)), "{container}");
    }
    let known = [
        "args: [--v=$(LEVEL)], env: [{name: LEVEL, value: '2'}]",
        "args: [--v=$$(TLS)], env: [{name: TLS, value: '2'}]",
    ];
    for container in known {
        assert!(matches!(insecure(container), Fact::Known(false, _)), "{container}");
    }
}

#[test]
fn what_an_unknown_layer_may_switch_off_is_unknown_and_not_absent() {
    let server = server(
        "
        //- release.yaml
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          chart:
            spec:
              chart: metrics-server
              version: 3.12.2
              sourceRef: {kind: HelmRepository, name: metrics-server}
          valuesFrom: [{kind: Secret, name: hidden}]
        ",
    );
    assert!(matches!(server.pdb_min_available, Fact::Unknown(..)));
    assert!(matches!(server.pdb_max_unavailable, Fact::Unknown(..)));
    assert!(matches!(server.api_service_insecure_skip_tls_verify, Fact::Unknown(..)));
    assert!(matches!(server.api_service_ca_bundle, Fact::Unknown(..)));
}

/// What is known of an image, its repository and its tag: `?` for what is not.
fn image(server: &MetricsServer) -> [String; 3] {
    [&server.image, &server.image_repository, &server.image_tag]
        .map(|it| it.value().map_or("?", String::as_str).to_owned())
}

#[test]
fn a_part_of_an_image_is_known_without_the_whole() {
    let release = |version: &str, values: &str| {
        let release = "
            //- release.yaml
            apiVersion: helm.toolkit.fluxcd.io/v2
            kind: HelmRelease
            metadata: {name: metrics-server, namespace: kube-system}
            spec:
              chart:
                spec:
                  chart: metrics-server
                  version: 'VERSION'
                  sourceRef: {kind: HelmRepository, name: metrics-server}
              VALUES
            ---
            apiVersion: source.toolkit.fluxcd.io/v1
            kind: HelmRepository
            metadata: {name: metrics-server, namespace: kube-system}
            spec: {url: https://kubernetes-sigs.github.io/metrics-server/}
        ";
        image(&server(&release.replace("VERSION", version).replace("VALUES", values)))
    };
    let name = "eu.example.com/metrics-server";
    let repository = "values: {image: {repository: eu.example.com/metrics-server}}";
    assert_eq!(release(">=3.12.0", repository), ["?", name, "?"]);
    assert_eq!(release("99.0.0", repository), ["?", name, "?"], "a version of the future");
    let unknown = "values: {image: {repository: eu.example.com/metrics-server, tag: '${TAG}'}}";
    assert_eq!(release("3.12.2", unknown), ["?", name, "?"]);
    // The chart's own registry changed.
    let tag = "values: {image: {tag: v0.6.4}}";
    assert_eq!(release(">=3.8.0 <3.13.0", tag), ["?", "?", "v0.6.4"]);
    assert_eq!(release("99.0.0", tag), ["?", "?", "v0.6.4"]);
    let hidden = "valuesFrom: [{kind: Secret, name: hidden}]";
    assert_eq!(release("3.12.2", hidden), ["?", "?", "?"]);
}

#[test]
fn what_fills_a_part_of_an_image_in_leaves_the_others() {
    let sources = fixture(
        "
        //- cluster/apps.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: apps, namespace: flux-system}
        spec:
          path: ./apps
          sourceRef: {kind: GitRepository, name: flux-system}
          postBuild: {substitute: {TAG: v0.8.0}}
        //- apps/kustomization.yaml
        resources: [ms.yaml]
        images:
        - name: a.io/metrics-server
          newTag: ${TAG}
        //- apps/ms.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server}
        spec:
          template:
            spec:
              containers:
              - {name: metrics-server, image: a.io/metrics-server:v0.7.2}
        ",
    );
    let server = server_in(&sources);
    let parts = ["a.io/metrics-server:v0.8.0", "a.io/metrics-server", "v0.8.0"];
    assert_eq!(image(&server), parts);
    let at = |fact: &Fact<String>| {
        let span = fact.origin().and_then(Origin::written_at).expect("it is written");
        (sources[span.file].path.clone(), sources.slice(span).to_owned())
    };
    assert_eq!(at(&server.image_tag), ("cluster/apps.yaml".into(), "v0.8.0".into()));
    let whole = "a.io/metrics-server:v0.7.2".to_owned();
    assert_eq!(at(&server.image_repository), ("apps/ms.yaml".into(), whole));
}

/// The worst finding of a limit below its request, applied by a Flux Kustomization.
fn worst(suspend: &str) -> Option<Severity> {
    let files = "
        //- cluster/apps.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: apps, namespace: flux-system}
        spec:
          path: ./apps
          sourceRef: {kind: GitRepository, name: flux-system}
          suspend: SUSPEND
        //- apps/ms.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server}
        spec:
          template:
            spec:
              containers:
              - name: metrics-server
                image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
                resources: {requests: {memory: 2Mi}, limits: {memory: 1Mi}}
    ";
    let (_, clusters) = analyze(&fixture(&files.replace("SUSPEND", suspend)), &Config::default());
    let findings = check(&clusters);
    findings.iter().filter(|it| it.rule == "limit-below-request").map(|it| it.severity).max()
}

#[test]
fn what_is_suspended_is_no_error() {
    assert_eq!(worst("false"), Some(Severity::Error));
    assert_eq!(worst("true"), Some(Severity::Warning));
}

/// A metrics-server of one manifest, with what stands in its specification beside the pods, its
/// image, and what stands in its file after it.
fn manifest(spec: &str, image: &str, more: &str) -> Sources {
    let files = "
        //- ms.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          SPEC
          template:
            metadata: {labels: {app: metrics-server}}
            spec:
              containers:
              - {name: metrics-server, image: 'IMAGE'}
        ---
        MORE
    ";
    let files = unindented(files);
    let files = files.replace("SPEC", spec).replace("IMAGE", image);
    fixture(&files.replace("MORE\n", &unindented(more)))
}

const IMAGE: &str = "registry.k8s.io/metrics-server/metrics-server:v0.7.2";

#[test]
fn an_image_that_something_fills_in_is_unknown_and_the_name_decides() {
    let parts = |text: &str| image(&server_in(&manifest("", text, "")));
    for placeholder in
        ["{{ image }}", "[[ .Image ]]", "<image>", "@@IMAGE@@", "__IMAGE__", "%IMAGE%", "#{IMAGE}#"]
    {
        assert_eq!(parts(placeholder), ["?", "?", "?"], "{placeholder}");
    }
    assert_eq!(parts("{{ registry }}/{{ name }}:v0.7.2"), ["?", "?", "v0.7.2"]);
    assert_eq!(parts("a.io/metrics-server:{{ tag }}"), ["?", "a.io/metrics-server", "?"]);
    assert_eq!(parts("a.io/metrics-server:__TAG__"), ["?", "a.io/metrics-server", "?"]);
    assert_eq!(parts("a.io/{{ name }}"), ["?", "?", "?"]);
}

#[test]
fn an_argument_that_something_fills_in_is_unknown() {
    let of = |arg: &str| {
        let args = format!("{IMAGE}', args: ['{arg}'], x: '");
        server_in(&manifest("", &args, "")).facts
    };
    let port = of("--secure-port=<port>");
    assert!(port.secure_port.is_unknown() && !port.kubelet_insecure_tls.is_unknown());
    let types = of("--kubelet-preferred-address-types={{ types }}");
    assert!(types.kubelet_preferred_address_types.is_unknown());
    assert!(of("{{ flags }}").kubelet_insecure_tls.is_unknown());
}

#[test]
fn the_defaults_of_a_rolling_update_are_those_of_no_other_strategy() {
    let of = |strategy: &str| {
        let server = server_in(&manifest(&format!("strategy: {strategy}"), IMAGE, ""));
        let show = |it: &Fact<_>| it.value().map_or("?".to_owned(), ToString::to_string);
        [show(&server.strategy_max_unavailable), show(&server.strategy_max_surge)]
    };
    assert_eq!(of("{type: '${TYPE}'}"), ["?", "?"]);
    assert_eq!(of("'${STRATEGY}'"), ["?", "?"]);
    assert_eq!(of("{type: '${TYPE}', rollingUpdate: {maxUnavailable: 0}}"), ["0", "?"]);
    assert_eq!(of("{rollingUpdate: {maxSurge: 150%}}"), ["25%", "150%"]);
}

#[test]
fn numbers_that_kubernetes_refuses_are_invalid() {
    let replicas = |text: &str| server_in(&manifest(&format!("replicas: {text}"), IMAGE, ""));
    for text in ["-1", "'2'", "1.5", "two", "2147483648"] {
        assert!(matches!(replicas(text).replicas, Fact::Invalid { .. }), "{text}");
    }
    assert_eq!(replicas("2.0").replicas.value(), Some(&2));
    let unavailable = |text: &str| {
        let strategy = format!("strategy: {{rollingUpdate: {{maxUnavailable: {text}}}}}");
        server_in(&manifest(&strategy, IMAGE, "")).strategy_max_unavailable.clone()
    };
    for text in ["'1'", "-1", "101%", "half", "0.5"] {
        assert!(matches!(unavailable(text), Fact::Invalid { .. }), "{text}");
    }
    assert!(unavailable("<n>").is_unknown());
}

#[test]
fn what_an_autoscaler_sets_is_unknown() {
    let replicas = |kind: &str, target: &str| {
        let more = format!(
            "
            apiVersion: x/v1
            kind: {kind}
            metadata: {{name: x, namespace: kube-system}}
            spec: {{scaleTargetRef: {target}}}
            "
        );
        server_in(&manifest("replicas: 2", IMAGE, &more)).replicas.value().copied()
    };
    let hpa = "HorizontalPodAutoscaler";
    assert_eq!(replicas(hpa, "{kind: Deployment, name: metrics-server}"), None);
    assert_eq!(replicas(hpa, "{kind: StatefulSet, name: metrics-server}"), Some(2));
    assert_eq!(replicas(hpa, "{kind: Deployment, name: other}"), Some(2));
    assert_eq!(replicas("ScaledObject", "{name: metrics-server}"), None);
}

#[test]
fn an_api_service_is_the_one_of_the_service_that_it_names() {
    let insecure = |more: &str| {
        server_in(&manifest("", IMAGE, more)).api_service_insecure_skip_tls_verify.value().copied()
    };
    let registration = "
        apiVersion: apiregistration.k8s.io/v1
        kind: APIService
        metadata: {name: v1beta1.metrics.k8s.io}
        spec:
          group: metrics.k8s.io
          insecureSkipTLSVerify: true
          service: {name: NAME, namespace: monitoring}
    ";
    let service = "
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: NAME, namespace: kube-system}
        spec: {selector: {app: APP}}
    ";
    assert_eq!(insecure(&registration.replace("NAME", "metrics-server")), Some(true));
    assert_eq!(insecure(&registration.replace("NAME", "prometheus-adapter")), None);
    let with = |app: &str| {
        let registration = registration.replace("monitoring", "kube-system");
        insecure(&format!("{registration}{service}").replace("NAME", "m").replace("APP", app))
    };
    assert_eq!(with("metrics-server"), Some(true));
    assert_eq!(with("adapter"), None);
}

#[test]
fn a_container_is_known_by_its_flags_whatever_its_image_is_called() {
    let servers = |container: &str| {
        let sources = fixture(&format!(
            "
            //- a.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {{name: metrics-server, namespace: kube-system}}
            spec: {{template: {{spec: {{containers: [{container}]}}}}}}
        "
        ));
        let (_, clusters) = analyze(&sources, &Config::default());
        clusters.iter().map(|it| it.metrics_servers.len()).sum::<usize>()
    };
    let flag = "args: [--kubelet-insecure-tls]";
    assert_eq!(servers(&format!("{{name: metrics-server, image: 'mirror/ms:1', {flag}}}")), 1);
    assert_eq!(servers(&format!("{{name: other, image: 'mirror/ms:1', {flag}}}")), 0);
    assert_eq!(servers("{name: metrics-server, image: 'mirror/ms:1', args: [--port=1]}"), 0);
}

#[test]
fn an_argument_that_nobody_can_tell_is_said() {
    let said = |args: &str| {
        let sources = fixture(&format!("
            //- a.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {{name: metrics-server, namespace: kube-system}}
            spec: {{template: {{spec: {{containers: [{{name: metrics-server, image: metrics-server:v0.8.0, {args}}}]}}}}}}
        "));
        let (_, clusters) = analyze(&sources, &Config::default());
        let problems = clusters.iter().flat_map(|it| &it.problems);
        problems.filter(|it| it.concerns).map(|it| it.message.to_string()).collect::<Vec<_>>()
    };
    let why = "which flags metrics-server has cannot be told: ";
    let extra = ["nothing in the repository fills in `${extra}`"].map(|it| format!("{why}{it}"));
    assert_eq!(said("args: [--v=2, '${extra}', '${more}']"), extra);
    assert_eq!(said("command: [sh, -c, x]"), [format!("{why}a shell starts metrics-server")]);
    let one = "the metric resolution of metrics-server cannot be told: nothing in the repository fills \
               in `--metric-resolution=${resolution}`";
    assert_eq!(said("args: ['--metric-resolution=${resolution}']"), [one]);
}

#[test]
fn whatever_keeps_its_pods_running_is_a_metrics_server() {
    let of = |kind: &str, spec: &str| {
        server(&format!(
            "
            //- ms.yaml
            apiVersion: x/v1
            kind: {kind}
            metadata: {{name: ms, labels: {{app: ms}}}}
            spec: {spec}
            ---
            apiVersion: v1
            kind: Service
            metadata: {{name: ms}}
            spec: {{selector: {{app: ms}}}}
            "
        ))
    };
    let pod = "{serviceAccountName: sa, containers: [{image: x/metrics-server:v0.7.2, args: [--secure-port=4443]}]}";
    let template = format!("{{template: {{metadata: {{labels: {{app: ms}}}}, spec: {pod}}}}}");
    let kinds = ["StatefulSet", "ReplicaSet", "Rollout", "DeploymentConfig", "Pod"];
    for kind in kinds {
        let is_pod = kind == "Pod";
        let server = of(kind, if is_pod { pod } else { &template });
        assert_eq!(server.secure_port.value(), Some(&4443), "{kind}");
        assert_eq!(server.account.value().map(String::as_str), Some("sa"), "{kind}");
        assert_eq!(server.replicas.value(), (!is_pod).then_some(&1), "{kind}");
        assert!(server.strategy_type.is_absent(), "{kind}");
        assert!(matches!(&server.services[..], [one] if !one.selects_others), "{kind}");
    }
    assert_eq!(
        of("DaemonSet", &template).strategy_type.value().map(String::as_str),
        Some("RollingUpdate")
    );
}

#[test]
fn a_patch_for_what_may_be_called_otherwise_makes_unknown_what_it_changes() {
    let release = |renderer: &str| {
        let release = "
            //- metrics-server.yaml
            apiVersion: source.toolkit.fluxcd.io/v1
            kind: HelmRepository
            metadata: {name: it, namespace: kube-system}
            spec: {url: 'https://kubernetes-sigs.github.io/metrics-server'}
            ---
            apiVersion: helm.toolkit.fluxcd.io/v2
            kind: HelmRelease
            metadata: {name: metrics-server, namespace: kube-system}
            spec:
              chart:
                spec:
                  chart: metrics-server
                  version: 3.12.2
                  sourceRef: {kind: HelmRepository, name: it}
              valuesFrom: [{kind: Secret, name: values}]
              values: {replicas: 3, args: [--kubelet-insecure-tls]}
              postRenderers: [{kustomize: {patches: [PATCH]}}]
        ";
        server(&release.replace("PATCH", renderer))
    };
    let operation = r#"[{"op": "replace", "path": "/spec/replicas", "value": 2}]"#;
    let json = format!("{{target: {{kind: Deployment, NAME}}, patch: '{operation}'}}");
    let merge = "{patch: '{apiVersion: apps/v1, kind: Deployment, \
        metadata: {name: metrics-server, namespace: kube-system}, spec: {replicas: 2}}'}";
    for patch in [&json.replace("NAME", "name: metrics-.*"), merge] {
        let server = release(patch);
        assert!(server.replicas.is_unknown(), "{patch}: {:?}", server.replicas);
        assert_eq!(server.kubelet_insecure_tls.value(), Some(&true), "{patch}");
    }
    let server = release(&json.replace(", NAME", ""));
    assert_eq!(server.replicas.value(), Some(&2), "its kind is known");
    let server = release(&json.replace("NAME", "namespace: default"));
    assert_eq!(server.replicas.value(), Some(&3), "its namespace is known");
}

#[test]
fn an_object_is_where_it_is_written_whoever_renames_it() {
    let place = |overlay: &str| {
        let sources = fixture(&format!(
            "
            //- base/kustomization.yaml
            resources: [deployment.yaml]
            //- base/deployment.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              name: metrics-server
            spec:
              template:
                spec:
                  containers:
                    - name: metrics-server
                      image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
            //- stage/kustomization.yaml
            resources: [../base]
            namePrefix: a-
            //- prod/kustomization.yaml
            {overlay}
            "
        ));
        let at = server_in(&sources).anchor.written_at().expect("a place");
        format!("{}:{}", sources[at.file].path, sources.start(at).line)
    };
    let own = "base/deployment.yaml:4";
    assert_eq!(place("{resources: [../base], nameSuffix: -prod}"), own);
    assert_eq!(place("{resources: [../stage], nameSuffix: -prod}"), own, "twice");
    assert_eq!(place("{resources: [../base], namespace: other}"), own);
    let patch = "[{op: replace, path: /metadata/name, value: other}]";
    assert_eq!(
        place(&format!(
            "{{resources: [../base], patches: [{{patch: '{patch}', target: {{kind: Deployment}}}}]}}"
        )),
        own
    );
}

#[test]
fn a_tag_replaces_one_that_is_not_known() {
    let tag = |version: &str, image: &str| {
        let server = server(&format!(
            "
            //- kustomization.yaml
            helmCharts:
              - name: metrics-server
                repo: https://kubernetes-sigs.github.io/metrics-server/
                version: {version}
                releaseName: metrics-server
            images: [{{name: registry.k8s.io/metrics-server/metrics-server, {image}}}]
            "
        ));
        let known = |it: &Fact<String>| it.value().cloned().unwrap_or_else(|| "unknown".into());
        format!("{}:{}", known(&server.image_repository), known(&server.image_tag))
    };
    let image = "registry.k8s.io/metrics-server/metrics-server";
    assert_eq!(tag("3.12.2", "newTag: 0.7.2"), format!("{image}:0.7.2"));
    assert_eq!(tag("3.12.x", "newTag: 0.7.2"), format!("{image}:0.7.2"));
    assert_eq!(tag("3.12.x", "newName: a.io/b, newTag: v1"), "a.io/b:v1");
    assert_eq!(tag("3.12.x", "tagSuffix: -debug"), format!("{image}:unknown"));
}

#[test]
fn a_chart_is_inflated_over_values_that_cannot_be_read() {
    for values in ["args: [--a", "- replicas: 2", "{% if %}{{"] {
        let sources = fixture(&format!(
            "
            //- kustomization.yaml
            helmCharts:
              - name: metrics-server
                repo: https://kubernetes-sigs.github.io/metrics-server/
                version: 3.12.2
                releaseName: metrics-server
                valuesFile: values.yaml
                valuesInline: {{replicas: 3}}
            //- values.yaml
            {values}
            "
        ));
        let server = server_in(&sources);
        assert_eq!(server.replicas.value(), Some(&3), "{values}");
        assert!(server.kubelet_insecure_tls.is_unknown(), "{values}");
    }
}
