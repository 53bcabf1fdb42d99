//! From objects to the model. Never fails: a wrong shape is an unknown or absent part.

use std::sync::OnceLock;

use semver::{Prerelease, Version};

use crate::{
    model::{
        ApiService, Approver, Cluster, Fact, IntOrPercent, MetricsServer, MetricsServerFacts,
        approver, chart, nodes, platform, serving,
        workload::{self, fact, flag},
    },
    resolve::environment::{EntryKind, Environment, Object},
    source::Sources,
    tree::{Node, Origin, Reason, Via},
};

/// The typed view of `environment`.
///
/// `elsewhere` keeps what the whole repository says of approvers, which one environment may ask for.
pub(crate) fn lower(
    sources: &Sources,
    environment: &Environment,
    elsewhere: &OnceLock<Vec<Approver>>,
) -> Cluster {
    let platform = platform::facts(sources, environment, || {
        elsewhere.get_or_init(|| approver::elsewhere(sources))
    });
    let api_services: Vec<ApiService> =
        environment.objects.iter().filter_map(api_service).collect();
    let metrics_servers: Vec<MetricsServer> = environment
        .objects
        .iter()
        .filter_map(|object| metrics_server(sources, object, environment, &api_services))
        .chain(platform.bundled)
        .collect();
    let suspended = !metrics_servers.is_empty() && metrics_servers.iter().all(|it| it.suspended);
    let settings = environment.settings.as_ref();
    let local = match settings.and_then(|it| it.local.as_ref()) {
        Some((local, origin)) => local.then(|| ("configured as local".to_owned(), origin.clone())),
        None => platform.local,
    };
    let (nodes, pods_per_node) = nodes::count(&platform.pools, settings);
    let serving = serving::state(&platform.kubelets, &platform.approvers);
    Cluster {
        environment: environment.name.clone(),
        assumed: environment.entry.kind == EntryKind::Values || suspended,
        local,
        nodes,
        pods_per_node,
        kubernetes: match settings.and_then(|it| it.kubernetes.as_ref()) {
            Some((version, origin)) => Fact::Known(version.clone(), origin.clone()),
            None => Fact::Absent(None),
        },
        metrics_servers,
        charts: environment.releases.iter().filter_map(chart::installed).collect(),
        kubelets: platform.kubelets,
        approvers: platform.approvers,
        api_services,
        serving,
        problems: [environment.problems.clone(), platform.problems].concat(),
    }
}

/// An APIService that serves the Metrics API.
fn api_service(object: &Object) -> Option<ApiService> {
    let node = &object.node;
    let group = match node.look("spec.group") {
        Ok(group) => group.and_then(Node::as_str),
        // The name is the version and the group: kube-aggregator validates that.
        Err(_) => object.name().split_once('.').map(|(_, group)| group),
    };
    if object.kind() != "APIService" || group != Some("metrics.k8s.io") {
        return None;
    }
    let name = fact(node, "spec.service.name", workload::text);
    let namespace = fact(node, "spec.service.namespace", workload::text);
    let service = match (&namespace, &name) {
        (Fact::Known(namespace, _), Fact::Known(name, origin)) => {
            Fact::Known(format!("{namespace}/{name}"), origin.clone())
        }
        (told, _) | (_, told) if told.untold().is_some() => told.clone(),
        _ => Fact::Absent(None),
    };
    Some(ApiService {
        name: object.name().to_owned(),
        insecure_skip_tls_verify: fact(node, "spec.insecureSkipTLSVerify", workload::boolean)
            .or_default(false, kubernetes_default()),
        ca_bundle: fact(node, "spec.caBundle", workload::text),
        service,
        anchor: object.anchor(),
    })
}

/// The metrics-server that `object` runs, if it runs one.
///
/// The defaults of its flags are those of `cmd/metrics-server/app/options` and `pkg/utils` in
/// `kubernetes-sigs/metrics-server`; that of `--secure-port` is `SecureServingOptions`' in
/// `k8s.io/apiserver`.
fn metrics_server(
    sources: &Sources,
    object: &Object,
    environment: &Environment,
    api_services: &[ApiService],
) -> Option<MetricsServer> {
    let daemon = match object.kind() {
        "Deployment" => false,
        "DaemonSet" => true,
        _ => return None,
    };
    let node = &object.node;
    let pod = node.at("spec.template.spec")?;
    let container = workload::container(node)?;
    let release = object.release.and_then(|index| environment.releases.get(index));
    let namespace = match object.namespace() {
        "" => "default",
        namespace => namespace,
    };
    let [image, image_repository, image_tag] = workload::image(container);
    let version = workload::version(&image_tag);
    let args = workload::args(sources, container);
    let flags = flag::Flags::new(&args);
    let rollout = Rollout::of(node, daemon);
    let resource = |path: &str| format!("resources.{path}");
    let budget = disruption_budget(environment, namespace, node);
    let budgeted = |path| match &budget {
        Ok(Some(budget)) => fact(budget, path, workload::int_or_percent),
        Ok(None) => Fact::Absent(None),
        Err((why, at)) => Fact::Unknown(why.clone(), Some(at.clone())),
    };
    let serves = |it: &&ApiService| {
        it.service
            .value()
            .is_none_or(|service| service.split_once('/').is_some_and(|(at, _)| at == namespace))
    };
    let api_service = match api_services {
        [only] => Some(only),
        several => several.iter().find(serves),
    };
    let facts = MetricsServerFacts {
        kind: Fact::Known(object.kind().to_owned(), object.anchor()),
        kubelet_insecure_tls: flags.boolean("kubelet-insecure-tls", false),
        kubelet_certificate_authority: flags.text("kubelet-certificate-authority"),
        kubelet_preferred_address_types: flags.list("kubelet-preferred-address-types").or_default(
            "Hostname,InternalDNS,InternalIP,ExternalDNS,ExternalIP".to_owned(),
            flag::default_origin(),
        ),
        kubelet_use_node_status_port: flags.boolean("kubelet-use-node-status-port", false),
        kubelet_request_timeout: flags.request_timeout(&version),
        metric_resolution: flags.duration("metric-resolution", Some(60)),
        secure_port: flags.number("secure-port", 443),
        container_port: workload::https_port(container),
        host_network: fact(pod, "hostNetwork", workload::boolean)
            .or_default(false, kubernetes_default()),
        replicas: if daemon {
            Fact::Absent(None)
        } else {
            fact(node, "spec.replicas", workload::number).or_default(1, kubernetes_default())
        },
        strategy_type: rollout.strategy,
        strategy_max_unavailable: rollout.max_unavailable,
        strategy_max_surge: rollout.max_surge,
        pdb_min_available: budgeted("spec.minAvailable"),
        pdb_max_unavailable: budgeted("spec.maxUnavailable"),
        priority_class: fact(pod, "priorityClassName", workload::text),
        cpu_request: fact(container, &resource("requests.cpu"), workload::cpu),
        cpu_limit: fact(container, &resource("limits.cpu"), workload::cpu),
        memory_request: fact(container, &resource("requests.memory"), workload::memory),
        memory_limit: fact(container, &resource("limits.memory"), workload::memory),
        tls_cert_file: flags.text("tls-cert-file"),
        api_service_insecure_skip_tls_verify: api_service
            .map_or(Fact::Absent(None), |it| it.insecure_skip_tls_verify.clone()),
        api_service_ca_bundle: api_service.map_or(Fact::Absent(None), |it| it.ca_bundle.clone()),
        image,
        image_repository,
        image_tag,
        args,
    };
    Some(MetricsServer {
        name: object.name().to_owned(),
        namespace: namespace.to_owned(),
        via: release.map_or("manifest", |it| it.via),
        chart: release.map(|it| (it.chart.clone(), chart::version(it))),
        anchor: release.map_or_else(|| object.anchor(), |it| it.anchor.clone()),
        managed: false,
        suspended: object.suspended || release.is_some_and(|it| it.suspended),
        resizer: workload::resizer(node),
        versions: match version.value() {
            Some(version) => vec![Version { pre: Prerelease::EMPTY, ..version.clone() }],
            None => release.map(chart::programs).unwrap_or_default(),
        },
        facts,
    })
}

/// How the pods of a workload are replaced.
struct Rollout {
    strategy: Fact<String>,
    max_unavailable: Fact<IntOrPercent>,
    max_surge: Fact<IntOrPercent>,
}

impl Rollout {
    /// What Kubernetes fills in is what `SetDefaults_Deployment` and `SetDefaults_DaemonSet` of
    /// `pkg/apis/apps/v1/defaults.go` do: a quarter and a quarter, or one after the other.
    fn of(workload: &Node, daemon: bool) -> Self {
        let (field, unavailable, surge) = if daemon {
            ("spec.updateStrategy", IntOrPercent::Int(1), IntOrPercent::Int(0))
        } else {
            ("spec.strategy", IntOrPercent::Percent(25), IntOrPercent::Percent(25))
        };
        let strategy = fact(workload, &format!("{field}.type"), workload::text)
            .or_default("RollingUpdate".to_owned(), kubernetes_default());
        let rolling = |name: &str, default: IntOrPercent| {
            if strategy.value().is_some_and(|it| it != "RollingUpdate") {
                return Fact::Absent(None);
            }
            fact(workload, &format!("{field}.rollingUpdate.{name}"), workload::int_or_percent)
                .or_default(default, kubernetes_default())
        };
        let max_unavailable = rolling("maxUnavailable", unavailable);
        let max_surge = rolling("maxSurge", surge);
        Self { strategy, max_unavailable, max_surge }
    }
}

fn kubernetes_default() -> Origin {
    Origin::at(Via::KubernetesDefault, None)
}

/// The PodDisruptionBudget whose selector matches the pods of `workload`.
///
/// # Errors
/// No selector is known to match, and this one may: why it cannot be told, and where that is.
fn disruption_budget<'a>(
    environment: &'a Environment,
    namespace: &str,
    workload: &Node,
) -> Result<Option<&'a Node>, (Reason, Origin)> {
    let labels = workload.at("spec.template.metadata.labels");
    let mut unknown = None;
    for object in environment.objects.iter().filter(|it| it.kind() == "PodDisruptionBudget") {
        let node = &object.node;
        let here = match object.namespace() {
            "" => "default",
            namespace => namespace,
        };
        if here != namespace {
            continue;
        }
        let wanted = match node.look("spec.selector.matchLabels") {
            Ok(wanted) => wanted.and_then(Node::as_map),
            Err(found) => {
                unknown.get_or_insert(found);
                continue;
            }
        };
        let matches = wanted.is_some_and(|wanted| {
            !wanted.is_empty()
                && node.at("spec.selector.matchExpressions").is_none()
                && wanted.iter().all(|(key, it)| {
                    labels.and_then(|labels| labels.get(key)).and_then(Node::as_str)
                        == it.value.as_str()
                        && it.value.as_str().is_some()
                })
        });
        if matches {
            return Ok(Some(node));
        }
    }
    unknown.map_or(Ok(None), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        finding::Severity,
        model::{Fact, MetricsServer},
        pipeline::{analyze, check},
        tests::fixture,
    };

    fn server(files: &str) -> MetricsServer {
        let (_, clusters) = analyze(&fixture(files), &Config::default());
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
    fn image(files: &[(&str, &str)]) -> [String; 3] {
        let sources = Sources::in_memory(files.iter().copied());
        let (_, clusters) = analyze(&sources, &Config::default());
        let server = clusters.iter().find_map(|it| it.metrics_servers.first()).expect(files[0].1);
        [&server.image, &server.image_repository, &server.image_tag]
            .map(|it| it.value().map_or("?", String::as_str).to_owned())
    }

    #[test]
    fn a_part_of_an_image_is_known_without_the_whole() {
        let release = |version: &str, values: &str| {
            let release = format!(
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n\
                 metadata: {{name: metrics-server, namespace: kube-system}}\n\
                 spec:\n  chart: {{spec: {{chart: metrics-server, version: '{version}', \
                 sourceRef: {{kind: HelmRepository, name: metrics-server}}}}}}\n  {values}\n---\n\
                 apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n\
                 metadata: {{name: metrics-server, namespace: kube-system}}\n\
                 spec: {{url: https://kubernetes-sigs.github.io/metrics-server/}}\n"
            );
            image(&[("release.yaml", &release)])
        };
        let name = "eu.example.com/metrics-server";
        let repository = format!("values: {{image: {{repository: {name}}}}}");
        assert_eq!(release(">=3.12.0", &repository), ["?", name, "?"]);
        assert_eq!(release("99.0.0", &repository), ["?", name, "?"], "a version of the future");
        let unknown = format!("values: {{image: {{repository: {name}, tag: '${{TAG}}'}}}}");
        assert_eq!(release("3.12.2", &unknown), ["?", name, "?"]);
        // The chart's own registry changed.
        let tag = "values: {image: {tag: v0.6.4}}";
        assert_eq!(release(">=3.8.0 <3.13.0", tag), ["?", "?", "v0.6.4"]);
        assert_eq!(release("99.0.0", tag), ["?", "?", "v0.6.4"]);
        let hidden = "valuesFrom: [{kind: Secret, name: hidden}]";
        assert_eq!(release("3.12.2", hidden), ["?", "?", "?"]);
    }

    #[test]
    fn what_fills_a_part_of_an_image_in_leaves_the_others() {
        let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
             metadata: {name: apps, namespace: flux-system}\n\
             spec: {path: ./apps, postBuild: {substitute: {TAG: v0.8.0}}}\n";
        let kustomization = "resources: [ms.yaml]\nimages:\n- name: a.io/metrics-server\n  \
             newTag: ${TAG}\n";
        let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: metrics-server}\n\
             spec: {template: {spec: {containers: [{name: metrics-server, \
             image: a.io/metrics-server:v0.7.2}]}}}\n";
        let apps = [("apps/kustomization.yaml", kustomization), ("apps/ms.yaml", deployment)];
        let filled = [&apps[..], &[("cluster/apps.yaml", flux)]].concat();
        let parts = ["a.io/metrics-server:v0.8.0", "a.io/metrics-server", "v0.8.0"];
        assert_eq!(image(&filled), parts);
        let sources = Sources::in_memory(filled);
        let (_, clusters) = analyze(&sources, &Config::default());
        let server = clusters.iter().find_map(|it| it.metrics_servers.first()).expect("one");
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
            spec: {path: ./apps, suspend: SUSPEND}
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
        let (_, clusters) =
            analyze(&fixture(&files.replace("SUSPEND", suspend)), &Config::default());
        let findings = check(&clusters);
        findings.iter().filter(|it| it.rule == "limit-below-request").map(|it| it.severity).max()
    }

    #[test]
    fn what_is_suspended_is_no_error() {
        assert_eq!(worst("false"), Some(Severity::Error));
        assert_eq!(worst("true"), Some(Severity::Warning));
    }
}
