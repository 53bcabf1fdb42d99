//! Work grows with what there is to do and not with its square. It is counted, not timed: how often a
//! value of a mapping, or the text of a file, is asked for.

use std::fmt::Write as _;

use super::{common::fixture::files, config_in};
use crate::{
    pipeline::analyze,
    source::{Sources, work::done},
};

/// What judging the fixture `text` takes.
fn work(text: &str) -> u64 {
    let sources = Sources::in_memory(files(&[], text));
    let config = config_in(&sources);
    // What several threads share, one of them does here: each counts for itself.
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    alone.install(|| {
        let before = done();
        analyze(&sources, &config);
        done() - before
    })
}

/// That four times as much of what `text` makes is no more than five times the work.
#[track_caller]
fn assert_linear(text: impl Fn(usize) -> String) {
    let (small, large) = (work(&text(20)), work(&text(80)));
    assert!(small > 20, "it does nothing");
    assert!(large <= 5 * small, "{small} for a quarter of what takes {large}");
}

/// `count` metrics-servers with all that they have: each in a namespace of its own, or all in one.
fn servers(count: usize, apart: bool) -> String {
    let mut text = "//- all.yaml\n".to_owned();
    for at in 0..count {
        let (home, name) = match apart {
            true => (format!("namespace-{at}"), "metrics-server".to_owned()),
            false => ("kube-system".to_owned(), format!("metrics-server-{at}")),
        };
        writeln!(
            text,
            "
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {home}}}
spec:
  template:
    metadata:
      labels: {{k8s-app: {name}, sidecar.istio.io/inject: 'true'}}
    spec:
      serviceAccountName: {name}
      containers:
        - name: metrics-server-nanny
          image: registry.k8s.io/autoscaling/addon-resizer:1.8.23
          args: [--config-dir=/etc/config]
          volumeMounts: [{{name: config, mountPath: /etc/config}}]
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
          args: [--cert-dir=/tmp]
      volumes: [{{name: config, configMap: {{name: {name}}}}}]
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/hostname
              labelSelector: {{matchExpressions: [{{key: k8s-app, operator: In, values: [{name}]}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {home}}}
spec:
  selector: {{k8s-app: {name}}}
  ports: [{{port: 443, targetPort: https}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {{name: v1beta1.metrics.k8s.io}}
spec:
  group: metrics.k8s.io
  service: {{name: adapter-{at}, namespace: {home}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {name}-{at}}}
roleRef: {{kind: ClusterRole, name: role-{at}}}
subjects: [{{kind: ServiceAccount, name: {name}, namespace: {home}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: role-{at}}}
rules: [{{apiGroups: [''], resources: [nodes/metrics], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}, namespace: {home}}}
roleRef: {{kind: Role, name: {name}-nanny}}
subjects: [{{kind: ServiceAccount, name: {name}, namespace: {home}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, namespace: {home}}}
data: {{NannyConfiguration: 'baseMemory: 40Mi'}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: {name}, namespace: {home}}}
spec: {{selector: {{matchLabels: {{k8s-app: {name}}}}}, mtls: {{mode: STRICT}}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: {name}, namespace: {home}}}
spec:
  minAvailable: 1
  selector: {{matchLabels: {{k8s-app: {name}}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}, namespace: {home}}}
spec: {{podSelector: {{matchLabels: {{k8s-app: {name}}}}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: {name}, namespace: {home}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}
"
        )
        .unwrap();
    }
    text
}

#[test]
fn metrics_servers_do_not_look_at_each_others_objects() {
    assert_linear(|count| servers(count, true));
    assert_linear(|count| servers(count, false));
}

#[test]
fn an_entry_of_a_kustomization_does_not_look_at_those_before_it() {
    assert_linear(|count| {
        let mut text = "//- kustomization.yaml\nresources:\n- kubelet.yaml\n".to_owned();
        for at in 0..count {
            writeln!(text, "- {at}.yaml").unwrap();
        }
        for at in 0..count {
            writeln!(
                text,
                "//- {at}.yaml
apiVersion: v1
kind: ConfigMap
metadata: {{name: config-{at}}}"
            )
            .unwrap();
        }
        text + "//- kubelet.yaml
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
"
    });
}

#[test]
fn code_is_read_once_for_all_values_files() {
    assert_linear(|count| {
        let mut text = String::new();
        for at in 0..count {
            writeln!(
                text,
                "//- {at}/metrics-server/values.yaml
apiService: {{insecureSkipTLSVerify: true}}
defaultArgs: []"
            )
            .unwrap();
            // A values file is much more work than code is.
            for part in 0..100 {
                writeln!(text, "//- {at}/{part}.tf\nresource other release {{ values = x }}")
                    .unwrap();
            }
        }
        text
    });
}

#[test]
fn releases_do_not_look_at_each_others_objects() {
    assert_linear(|count| {
        let mut text = "//- all.yaml\n".to_owned();
        for at in 0..count {
            writeln!(
                text,
                "
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: metrics-server, namespace: namespace-{at}}}
spec:
  chart:
    spec:
      chart: metrics-server
      version: 3.13.0
      sourceRef: {{kind: HelmRepository, name: metrics-server}}
  values: {{tls: {{type: existingSecret}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: metrics-server, namespace: namespace-{at}}}
spec: {{url: https://kubernetes-sigs.github.io/metrics-server}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {{name: metrics-server, namespace: namespace-{at}}}
spec: {{target: {{name: metrics-server}}}}
"
            )
            .unwrap();
        }
        text
    });
}

#[test]
fn schemas_of_custom_resources_are_not_read_for_autoscalers() {
    let text = |count| {
        let mut text = "//- kustomization.yaml
resources: [all.yaml]
commonLabels: {app: web}
//- all.yaml
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: webs.example.com}
spec:
  versions:
"
        .to_owned();
        for at in 0..count {
            writeln!(text, "  - {{name: v{at}, schema: {{openAPIV3Schema: {{}}}}}}").unwrap();
        }
        text
    };
    assert_eq!(work(&text(20)), work(&text(80)));
}

#[test]
fn charts_are_rendered_in_time_that_grows_with_their_templates() {
    assert_linear(|count| {
        let template = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  labels: {{- include \"labels\" . | nindent 4 }}
spec:
  template:
    spec:
      containers:
      - name: NAME
        image: {{ printf \"registry.k8s.io/NAME/NAME:%s\" .Values.tag | quote }}
";
        let mut text = "
//- chart/Chart.yaml
{apiVersion: v2, name: shop, version: 1.0.0}
//- chart/values.yaml
{labels: {team: shop}, tag: v0.7.2}
//- chart/templates/_labels.tpl
{{- define \"labels\" }}{{ toYaml .Values.labels }}{{ end }}
"
        .to_owned();
        for name in (0..count).map(|it| format!("shop-{it}")).chain(["metrics-server".to_owned()]) {
            write!(text, "//- chart/templates/{name}.yaml\n{}", template.replace("NAME", &name))
                .unwrap();
        }
        text
    });
}
