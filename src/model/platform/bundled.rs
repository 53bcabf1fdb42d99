//! What a person sets of the metrics-server that a platform brings along: the values of its chart,
//! which is that of kubernetes-sigs or takes the same ones. What is not set the platform decides.

use crate::{
    model::{
        ClusterId, Fact, MetricsServer,
        platform::{Input, Platform},
        workload::{self, fact, flag::Flags},
    },
    tree::Node,
};

/// Takes from `values`, a map or YAML in a text, what they say of the metrics-server of `cluster`.
pub(super) fn configure(
    input: &Input<'_>,
    cluster: &ClusterId,
    values: Option<&Node>,
    platform: &mut Platform,
) {
    let Some(values) = values else { return };
    let documents = input.embedded(values, &mut platform.problems);
    for (_, server) in platform.bundled.iter_mut().filter(|(it, _)| it == cluster) {
        for values in &documents {
            set(input, server, values);
        }
    }
}

fn set(input: &Input<'_>, server: &mut MetricsServer, values: &Node) {
    let facts = &mut server.facts;
    written(&mut facts.replicas, fact(values, "replicas", workload::count));
    written(&mut facts.priority_class, fact(values, "priorityClassName", workload::text));
    written(&mut facts.host_network, fact(values, "hostNetwork.enabled", workload::boolean));
    written(&mut facts.container_port, fact(values, "containerPort", workload::number));
    written(&mut facts.strategy_type, fact(values, "updateStrategy.type", workload::text));
    written(&mut facts.cpu_request, fact(values, "resources.requests.cpu", workload::cpu));
    written(&mut facts.cpu_limit, fact(values, "resources.limits.cpu", workload::cpu));
    let memory = |path| fact(values, path, workload::memory);
    written(&mut facts.memory_request, memory("resources.requests.memory"));
    written(&mut facts.memory_limit, memory("resources.limits.memory"));
    let amount = |path: &str| fact(values, path, workload::int_or_part);
    let rolling = |name| amount(&format!("updateStrategy.rollingUpdate.{name}"));
    written(&mut facts.strategy_max_unavailable, rolling("maxUnavailable"));
    written(&mut facts.strategy_max_surge, rolling("maxSurge"));
    if values.is_true_at("podDisruptionBudget.enabled") {
        written(&mut facts.pdb_min_available, amount("podDisruptionBudget.minAvailable"));
        written(&mut facts.pdb_max_unavailable, amount("podDisruptionBudget.maxUnavailable"));
    }
    written(&mut facts.image_repository, fact(values, "image.repository", workload::text));
    written(&mut facts.image_tag, fact(values, "image.tag", workload::text));
    let skip = fact(values, "apiService.insecureSkipTLSVerify", workload::boolean);
    written(&mut facts.api_service_insecure_skip_tls_verify, skip);
    // `args` come after the chart's own arguments, and win.
    let args = workload::args(input.sources, values);
    let flags = Flags::new(&args);
    written(&mut facts.kubelet_insecure_tls, flags.boolean("kubelet-insecure-tls", false));
    written(&mut facts.metric_resolution, flags.duration("metric-resolution", None));
    written(&mut facts.kubelet_request_timeout, flags.duration("kubelet-request-timeout", None));
    written(&mut facts.kubelet_certificate_authority, flags.text("kubelet-certificate-authority"));
    written(&mut facts.tls_cert_file, flags.text("tls-cert-file"));
    let node_port = flags.boolean("kubelet-use-node-status-port", false);
    written(&mut facts.kubelet_use_node_status_port, node_port);
}

/// Puts `new` in the place of `old` where it is written, if only as something that cannot be told.
fn written<T>(old: &mut Fact<T>, new: Fact<T>) {
    match new {
        Fact::Absent(_) => {}
        Fact::Known(_, origin) if origin.is_default() => {}
        new => *old = new,
    }
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, pipeline::analyze, tests::fixture};

    /// What is known of the bundled metrics-server, each fact with its line.
    fn known(file: &str) -> Vec<String> {
        let sources = fixture(file);
        let (_, clusters) = analyze(&sources, &Config::default());
        let servers: Vec<_> = clusters.iter().flat_map(|it| &it.metrics_servers).collect();
        let [server] = &servers[..] else { panic!("{} servers", servers.len()) };
        let facts = server.facts().into_iter().filter_map(|(name, fact)| {
            let (value, at) = fact.known().map(|(it, at)| (it.to_string(), at.written_at()))?;
            Some(format!("{name} {value} {}", sources.start(at?).line))
        });
        facts.collect()
    }

    #[test]
    fn an_add_on_has_what_its_configuration_says() {
        let addon = r#"
            //- main.tf
            resource "aws_eks_addon" "metrics_server" {
              addon_name = "metrics-server"
              configuration_values = jsonencode({
                replicas  = 3
                args      = ["--kubelet-insecure-tls", "--metric-resolution=30s"]
                resources = { limits = { memory = var.memory, cpu = "200m" } }
              })
            }
        "#;
        let expected = [
            "kubelet_insecure_tls true 5",
            "metric_resolution 30s 5",
            "replicas 3 4",
            "cpu_limit 200m 6",
        ];
        assert_eq!(known(addon), expected);
        let module = r#"
            //- main.tf
            module "eks" {
              source = "terraform-aws-modules/eks/aws"
              addons = {
                metrics-server = {
                  configuration_values = <<-EOT
                    priorityClassName: system-node-critical
                    podDisruptionBudget: {enabled: true, maxUnavailable: 1}
                  EOT
                }
              }
            }
        "#;
        assert_eq!(
            known(module),
            ["pdb_max_unavailable 1 7", "priority_class system-node-critical 6"]
        );
        let eksctl = "
            //- cluster.yaml
            apiVersion: eksctl.io/v1alpha5
            kind: ClusterConfig
            metadata: {name: main}
            addons:
              - name: metrics-server
                configurationValues: |-
                  {\"hostNetwork\": {\"enabled\": true}}
        ";
        assert_eq!(known(eksctl), ["host_network true 7"]);
    }

    #[test]
    fn a_chart_of_rke2_has_what_its_configuration_says() {
        let config = "
            //- config.yaml
            apiVersion: helm.cattle.io/v1
            kind: HelmChartConfig
            metadata: {name: rke2-metrics-server, namespace: kube-system}
            spec:
              valuesContent: |-
                args: ['--kubelet-insecure-tls=true']
                resources: {requests: {memory: 100Mi}}
            //- rke2/config.yaml
            tls-san: [a]
            write-kubeconfig-mode: '0644'
            cni: cilium";
        assert_eq!(known(config), ["kubelet_insecure_tls true 6", "memory_request 100Mi 7"]);
    }
}
