//! Every field of an object that the model reads is a setting, so that `diff` tells of it and a fix that
//! changes it is none.

use std::collections::BTreeSet;

use crate::{
    compare::{NamedSubjects, compare, is_compared},
    pipeline::survey,
    settings::subjects,
};

/// Something of every kind that there is.
const OBJECTS: &str = "
//- k8s/server.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec:
  replicas: 2
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector: {matchLabels: {k8s-app: metrics-server}}
  template:
    metadata: {labels: {k8s-app: metrics-server, tier: one}}
    spec:
      serviceAccountName: metrics-server
      priorityClassName: system-cluster-critical
      hostNetwork: false
      nodeSelector: {kubernetes.io/os: linux}
      tolerations: [{key: dedicated, operator: Exists}]
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a]}]}]
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          labelSelector: {matchLabels: {k8s-app: metrics-server}}
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.8.0
          workingDir: /work
          args: [--cert-dir=/tmp, --secure-port=10250, --metric-resolution=15s, --v=2]
          ports: [{name: https, containerPort: 10250}]
          livenessProbe:
            httpGet: {path: /livez, port: https, scheme: HTTPS}
            failureThreshold: 4
          readinessProbe:
            httpGet: {path: /readyz, port: https, scheme: HTTPS}
            failureThreshold: 5
          resources: {requests: {cpu: 100m, memory: 200Mi}, limits: {cpu: 300m, memory: 400Mi}}
          securityContext:
            readOnlyRootFilesystem: true
            runAsNonRoot: true
            runAsUser: 1000
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
            seccompProfile: {type: RuntimeDefault}
          volumeMounts: [{name: tmp, mountPath: /tmp}]
        - name: beside
          image: example/beside:1
          resources: {requests: {memory: 20Mi}}
      volumes: [{name: tmp, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: metrics-server, namespace: kube-system}
spec:
  selector: {k8s-app: metrics-server}
  ports: [{port: 443, targetPort: https}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: metrics-server, namespace: kube-system, port: 443}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: budget, namespace: kube-system}
spec:
  minAvailable: 1
  selector: {matchLabels: {k8s-app: metrics-server}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: policy, namespace: kube-system}
spec:
  podSelector: {matchLabels: {k8s-app: metrics-server}}
  ingress: [{ports: [{port: 10250}]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [nodes/metrics], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: metrics-server, namespace: kube-system}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: auth, namespace: kube-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: extension-apiserver-authentication-reader}
subjects: [{kind: ServiceAccount, name: metrics-server, namespace: kube-system}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: apps}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 3
  maxReplicas: 9
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: example/web:1, resources: {requests: {cpu: 250m}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: kubelet-csr-approver, namespace: kube-system}
spec:
  selector: {matchLabels: {app: approver}}
  template:
    metadata: {labels: {app: approver}}
    spec:
      containers:
        - name: approver
          image: postfinance/kubelet-csr-approver:v1.2.10
          env: [{name: PROVIDER_REGEX, value: ^node$}]
//- k8s/kubelet.yaml
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
serverTLSBootstrap: true
tlsCertFile: /pki/kubelet.crt
readOnlyPort: 10255
address: 10.0.0.1
port: 10250
enableServer: true
maxPods: 110
authentication: {webhook: {enabled: true}, anonymous: {enabled: false}}
authorization: {mode: Webhook}
";

/// A text of the objects, what takes its place, and the setting that then is another.
const CHANGES: [(&str, &str, &str); 64] = [
    ("replicas: 2", "replicas: 4", "replicas"),
    ("type: RollingUpdate", "type: Recreate", "strategy_type"),
    ("maxUnavailable: 0", "maxUnavailable: 1", "strategy_max_unavailable"),
    ("maxSurge: 1", "maxSurge: 2", "strategy_max_surge"),
    ("tier: one", "tier: two", "pod_labels"),
    ("serviceAccountName: metrics-server", "serviceAccountName: other", "service_account"),
    ("system-cluster-critical", "system-node-critical", "priority_class"),
    ("hostNetwork: false", "hostNetwork: true", "host_network"),
    ("kubernetes.io/os: linux", "kubernetes.io/arch: arm64", "node_selector"),
    ("key: dedicated", "key: other", "tolerations"),
    ("values: [a]", "values: [b]", "node_affinity"),
    ("kubernetes.io/hostname", "topology.kubernetes.io/zone", "spread"),
    ("DoNotSchedule", "ScheduleAnyway", "spread"),
    ("metrics-server:v0.8.0", "metrics-server:v0.7.2", "image"),
    ("workingDir: /work", "workingDir: /other", "working_dir"),
    ("--cert-dir=/tmp", "--cert-dir=/var", "cert_dir"),
    ("--secure-port=10250", "--secure-port=4443", "secure_port"),
    ("--metric-resolution=15s", "--metric-resolution=30s", "metric_resolution"),
    ("--v=2", "--v=3", "--v"),
    ("name: https, containerPort: 10250", "name: https, containerPort: 4443", "ports"),
    ("path: /livez", "path: /healthz", "liveness_path"),
    ("/livez, port: https, scheme: HTTPS", "/livez, port: https, scheme: HTTP", "liveness_scheme"),
    ("failureThreshold: 5", "failureThreshold: 6", "readiness_failures"),
    ("/readyz, port: https", "/readyz, port: 10250", "readiness_port"),
    ("containerPort: 10250", "containerPort: 4443", "container_port"),
    (
        "port: https, scheme: HTTPS}\n            failureThreshold: 4",
        "port: 10250, scheme: HTTPS}\n            failureThreshold: 4",
        "liveness_port",
    ),
    ("failureThreshold: 4", "failureThreshold: 6", "liveness_failures"),
    ("path: /readyz", "path: /livez", "readiness_path"),
    (
        "scheme: HTTPS}\n            failureThreshold: 5",
        "scheme: HTTP}\n            failureThreshold: 5",
        "readiness_scheme",
    ),
    ("requests: {cpu: 100m, memory: 200Mi}", "requests: {cpu: 101m, memory: 200Mi}", "cpu_request"),
    (
        "requests: {cpu: 100m, memory: 200Mi}",
        "requests: {cpu: 100m, memory: 201Mi}",
        "memory_request",
    ),
    ("limits: {cpu: 300m", "limits: {cpu: 301m", "cpu_limit"),
    ("memory: 400Mi", "memory: 401Mi", "memory_limit"),
    ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "read_only_root_filesystem"),
    ("runAsUser: 1000", "runAsUser: 1001", "run_as_user"),
    ("drop: [ALL]", "drop: [KILL]", "capabilities_dropped"),
    ("RuntimeDefault", "Unconfined", "seccomp_profile"),
    ("name: tmp, mountPath: /tmp", "name: tmp, mountPath: /cache", "mounts"),
    ("memory: 20Mi", "memory: 21Mi", "containers_beside"),
    ("port: 443, targetPort: https", "port: 443, targetPort: 10250", "services"),
    (
        "insecureSkipTLSVerify: true",
        "insecureSkipTLSVerify: false",
        "api_service_insecure_skip_tls_verify",
    ),
    ("namespace: kube-system, port: 443", "namespace: kube-system, port: 8443", "api_service_port"),
    ("minAvailable: 1", "minAvailable: 2", "pdb_min_available"),
    ("ports: [{port: 10250}]", "ports: [{port: 443}]", "network_policies"),
    ("resources: [nodes/metrics]", "resources: [nodes/stats]", "rights"),
    ("kind: ClusterRole, name: reader", "kind: ClusterRole, name: other", "cluster_roles"),
    ("extension-apiserver-authentication-reader", "view", "auth_readers"),
    ("kind: Deployment, name: web", "kind: StatefulSet, name: web", "target"),
    ("minReplicas: 3", "minReplicas: 4", "min_replicas"),
    ("maxReplicas: 9", "maxReplicas: 10", "max_replicas"),
    ("averageUtilization: 70", "averageUtilization: 80", "metrics"),
    ("averageUtilization: 70", "averageUtilization: 80", "shares"),
    ("maxReplicas: 9", "maxReplicas: 9\n  behavior: {scaleDown: {selectPolicy: Max}}", "behavior"),
    ("verbs: [get]", "verbs: [get, list]", "rights"),
    ("cpu: 250m", "cpu: 500m", "requests"),
    ("value: ^node$", "value: .*", "weaknesses"),
    ("serverTLSBootstrap: true", "serverTLSBootstrap: false", "server_tls_bootstrap"),
    ("/pki/kubelet.crt", "/pki/other.crt", "tls_cert_file"),
    ("readOnlyPort: 10255", "readOnlyPort: 0", "read_only_port"),
    ("address: 10.0.0.1", "address: 10.0.0.2", "address"),
    ("enableServer: true", "enableServer: false", "enable_server"),
    ("maxPods: 110", "maxPods: 250", "max_pods"),
    ("anonymous: {enabled: false}", "anonymous: {enabled: true}", "anonymous_authentication"),
    ("authorization: {mode: Webhook}", "authorization: {mode: AlwaysAllow}", "authorization_mode"),
];

/// What follows from other settings, and what only a platform or a chart has.
const DERIVED: [&str; 16] = [
    "kind",
    "image_repository",
    "image_tag",
    "carrier",
    "installed_by",
    "certain_to_run",
    "signed_by_default_by",
    "disruption_budgets",
    "serving_certificates",
    "api_service_target",
    "probes_taken_away",
    "is_of_another_program",
    "run_as_non_root",
    "allow_privilege_escalation",
    "webhook_authentication",
    "port",
];

fn settings_of(objects: &str) -> Vec<NamedSubjects> {
    let sources = super::fixture(objects);
    let (environments, clusters) = survey(&sources, &super::config_in(&sources));
    let all = environments.iter().zip(&clusters);
    all.map(|(it, cluster)| (it.name.clone(), subjects(it, cluster))).collect()
}

#[test]
fn every_field_that_is_read_is_a_setting() {
    let base = settings_of(OBJECTS);
    let mut missing = Vec::new();
    for (old, new, setting) in CHANGES {
        assert_eq!(OBJECTS.matches(old).count(), 1, "{old}");
        let head = settings_of(&OBJECTS.replace(old, new));
        let comparison = compare(&base, &head);
        let told: BTreeSet<&str> = comparison.settings.iter().map(|it| &*it.name).collect();
        if !told.contains(setting) {
            missing.push(format!("{old} → {new}: {setting} is not among {told:?}"));
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_setting_of_the_objects_is_changed_here() {
    let changed: BTreeSet<&str> = CHANGES.iter().map(|(_, _, setting)| *setting).collect();
    let base = settings_of(OBJECTS);
    let written = base.iter().flat_map(|(_, subjects)| subjects).flat_map(|subject| {
        let settings = subject.settings.iter().filter(|it| is_compared(it));
        settings.filter(|it| it.fact.origin().is_some_and(|it| !it.is_default()))
    });
    let forgotten: BTreeSet<&str> = written
        .map(|it| &*it.name)
        .filter(|it| !changed.contains(it) && !DERIVED.contains(it))
        .collect();
    assert_eq!(forgotten, BTreeSet::new());
}
