//! Which rule speaks of which way to break metrics: the table of `docs/failure-modes.md`.
//!
//! The statements are those of four texts that people find when metrics are missing (a blog post on
//! securing metrics-server, the page of a platform's service catalogue, a walk through kubeadm, a guide
//! to troubleshooting) and of upstream's own documents.

use std::collections::BTreeSet;

use crate::tidy::{generated, rule_pages};

use self::Answer::{Nothing, Rules};

/// What answers a statement.
enum Answer {
    /// These rules.
    Rules(&'static [&'static str]),
    /// No rule, and why.
    Nothing(&'static str),
}

/// A subject, and the statements about it with what answers them.
type Subject = (&'static str, &'static [(&'static str, Answer)]);

/// By subject: each statement, and what answers it.
const MODES: &[Subject] = &[
    (
        "Certificates of kubelets",
        &[
            (
                "`--kubelet-insecure-tls` is set because every guide says so",
                Rules(&["kubelet-insecure-tls"]),
            ),
            (
                "Kubelets sign their own serving certificates: `x509: cannot validate certificate`",
                Rules(&["serving-certificates-not-bootstrapped"]),
            ),
            (
                "`serverTLSBootstrap` is set, and requests stay `Pending`",
                Rules(&["serving-bootstrap-without-approver"]),
            ),
            (
                "`serverTLSBootstrap` stands in the wrong document, or is spelt as a flag",
                Rules(&["serving-bootstrap-in-wrong-place"]),
            ),
            (
                "The certificates can be verified, and the flag is kept",
                Rules(&["insecure-tls-unneeded"]),
            ),
            (
                "An approver runs, and nothing requests certificates from it",
                Rules(&["approver-without-requests"]),
            ),
            ("The approver denies every request", Rules(&["approver-denies-all"])),
            (
                "The approver approves too much, or changes from day to day",
                Rules(&["approver-too-permissive"]),
            ),
            ("An authority is given, and verification is off", Rules(&["conflicting-flags"])),
            (
                "A serving certificate on a node is expired",
                Nothing("it is on the node, not in the repository"),
            ),
            (
                "Requests for certificates were never approved by hand",
                Nothing("their state is in the cluster"),
            ),
        ],
    ),
    (
        "Reaching kubelets",
        &[
            (
                "Names of nodes do not resolve inside of pods: `no such host`",
                Rules(&["hostname-before-internal-ip"]),
            ),
            (
                "The order of address types is passed a second time, and changes nothing",
                Rules(&["address-types-have-no-effect"]),
            ),
            (
                "Kubelets measure so rarely that pods have no metrics",
                Rules(&["kubelet-samples-rarely"]),
            ),
            ("Nodes are left out by a selector", Rules(&["nodes-left-out"])),
            ("A type of address is misspelt", Rules(&["invalid-flag-value"])),
            (
                "Kubelets refuse: no token review, no authorization, no server",
                Rules(&["kubelet-refuses-metrics-server"]),
            ),
            ("Kubelets authorize everybody", Rules(&["kubelet-authorizes-everybody"])),
            ("Port 10255 is read, or opened", Rules(&["read-only-port"])),
            (
                "A network policy keeps pods or nodes from talking to each other",
                Rules(&["network-policy-blocks-metrics"]),
            ),
            (
                "A firewall of the cloud blocks port 10250",
                Nothing("security groups lie outside of what is read"),
            ),
            (
                "The role allows what another version asks for: `403` from every node",
                Rules(&["rbac-for-another-version"]),
            ),
        ],
    ),
    (
        "The Metrics API",
        &[
            ("`Metrics API not available`: nothing registers it", Rules(&["apiservice-missing"])),
            (
                "The API server has no authority to verify metrics-server with",
                Rules(&["apiservice-cannot-be-verified"]),
            ),
            (
                "The API server does not verify metrics-server",
                Rules(&["apiservice-insecure-skip-tls-verify"]),
            ),
            (
                "An authority and `insecureSkipTLSVerify` exclude each other",
                Rules(&["ca-bundle-with-insecure-skip"]),
            ),
            (
                "The Service has no endpoints, or the APIService names another",
                Rules(&["service-does-not-reach-metrics-server"]),
            ),
            (
                "metrics-server listens on one port, probes and Service use another",
                Rules(&["secure-port-mismatch"]),
            ),
            (
                "A service mesh takes mutual TLS alone, which the API server does not speak",
                Rules(&["mesh-blocks-the-api"]),
            ),
            ("The API server asks a proxy for metrics-server", Rules(&["api-server-proxy"])),
            ("Two programs serve the Metrics API", Rules(&["second-metrics-server"])),
        ],
    ),
    (
        "Starting",
        &[
            ("The program does not know a flag", Rules(&["unknown-flag"])),
            ("A flag is given twice, with two values", Rules(&["flag-given-twice"])),
            ("An argument is no flag, or no text", Rules(&["argument-is-not-a-flag"])),
            (
                "A value has no unit, or is none: `--metric-resolution=15`",
                Rules(&["invalid-flag-value"]),
            ),
            ("Metrics are to be newer than 10 seconds", Rules(&["metric-resolution-too-small"])),
            (
                "Metrics are minutes old, and the release times out before there are any",
                Rules(&["metric-resolution-too-large"]),
            ),
            (
                "A certificate, key or authority is not mounted: `no such file or directory`",
                Rules(&["certificate-file-not-mounted"]),
            ),
            (
                "`bind: permission denied`, or `exec: operation not permitted`",
                Rules(&["privileged-port"]),
            ),
            (
                "A probe is missing, asks the wrong question, or fails at once",
                Rules(&["fragile-probe"]),
            ),
            (
                "The RoleBinding is moved out of kube-system: `extension-apiserver-authentication is forbidden`",
                Rules(&["auth-reader-outside-kube-system"]),
            ),
            ("There is no place to write its certificate to", Rules(&["no-writable-cert-dir"])),
            (
                "On the network of the host its port is the kubelet's",
                Rules(&["host-network-takes-kubelet-port"]),
            ),
            ("On Fargate its port is the kubelet's", Rules(&["fargate-port-10250"])),
            (
                "EKS' add-on listens on 10251, which a security group does not open",
                Nothing("the rules of a group are spread over modules and the cloud's defaults"),
            ),
            ("The image does not exist", Rules(&["image-does-not-exist"])),
            (
                "The image lies in a registry that is no more",
                Rules(&["image-from-retired-registry"]),
            ),
            (
                "The image is of another version than the chart is made for",
                Rules(&["image-differs-from-chart"]),
            ),
            ("The chart waits for a certificate that nothing makes", Rules(&["tls-type-unknown"])),
            ("A path of upstream's repository is gone", Rules(&["upstream-path-moved"])),
            (
                "The chart cannot be fetched: no such version, no such repository",
                Rules(&["unknown-chart-version", "chart-repository-is-gone"]),
            ),
            ("The version is for a newer Kubernetes", Rules(&["incompatible-kubernetes-version"])),
            (
                "Kubernetes does not have the version of an API any more",
                Rules(&["removed-api-version"]),
            ),
        ],
    ),
    (
        "Resources and availability",
        &[
            (
                "It is killed for its memory as the cluster grows: `OOMKilled`",
                Rules(&["memory-limit-too-low"]),
            ),
            (
                "After merging with the chart's defaults a limit is below its request",
                Rules(&["limit-below-request"]),
            ),
            (
                "It requests less memory than the nodes need, and is evicted",
                Rules(&["memory-request-below-guidance"]),
            ),
            ("A CPU limit has it throttled: probes time out", Rules(&["cpu-limit-tight"])),
            ("The resizer gives it 35 MiB: `OOMKilled`", Rules(&["resizer-too-small"])),
            (
                "The resizer has no volume, or may change nothing: `forbidden`",
                Rules(&["resizer-cannot-work"]),
            ),
            (
                "Production has less memory than development",
                Nothing(
                    "how large either cluster is decides; where nodes are known, `memory-limit-too-low` is about each",
                ),
            ),
            ("An amount is none: `64MB`", Rules(&["invalid-quantity"])),
            (
                "It is evicted, or not scheduled, before others",
                Rules(&["priority-class-not-critical"]),
            ),
            (
                "GKE has no quota for the class: `insufficient quota to match these scopes`",
                Rules(&["critical-priority-refused"]),
            ),
            (
                "Flux gives up before the first metrics: `timeout waiting`",
                Rules(&["helmrelease-timeout"]),
            ),
            ("One of several replicas answers everything", Rules(&["aggregator-routing-missing"])),
            ("A rollout takes the last replica away", Rules(&["rollout-may-interrupt-metrics"])),
            (
                "A rollout waits for a node without a replica, or replicas for nodes",
                Rules(&["rollout-cannot-finish"]),
            ),
            (
                "Pods stay `Pending`: only control planes are asked for",
                Rules(&["node-selector-without-toleration"]),
            ),
            (
                "All replicas share a node, or are evicted at once",
                Rules(&["more-replicas-without-spread"]),
            ),
            ("It has rights that it does not need", Rules(&["weakened-security-context"])),
            ("A budget blocks every drain", Rules(&["pdb-blocks-drains"])),
            ("A budget protects nothing", Rules(&["pdb-protects-nothing"])),
            ("An affinity or a spread selects nothing", Rules(&["affinity-matches-nothing"])),
        ],
    ),
    (
        "Autoscaling",
        &[
            (
                "`missing request for cpu`: an autoscaler over containers without requests",
                Rules(&["hpa-target-without-requests"]),
            ),
            ("Two autoscalers pull at one workload", Rules(&["vpa-fights-hpa"])),
            (
                "A consumer of metrics is deployed without metrics-server",
                Nothing("the platform may bring it; `show` says what there is"),
            ),
        ],
    ),
    (
        "The repository",
        &[
            (
                "A value is written under a key that the chart does not read",
                Rules(&["unknown-values-key"]),
            ),
            (
                "A value is of another type than the chart's templates need",
                Rules(&["wrong-value-type"]),
            ),
            (
                "A ServiceMonitor is asked for, and none is made",
                Rules(&["service-monitor-without-metrics"]),
            ),
            (
                "A field of a kustomization is none of kustomize's: `postBuild`, a misspelt one",
                Rules(&["build-fails"]),
            ),
            ("Argo CD says `OutOfSync` for ever", Rules(&["argo-never-in-sync"])),
            ("What is deployed changes without a commit", Rules(&["moving-version"])),
            ("A variable of the environment is not defined", Rules(&["env-var-undefined"])),
            (
                "A variable of the environment is defined, and nothing uses it",
                Rules(&["variable-is-never-used"]),
            ),
            (
                "A variable is defined twice, or keeps quotes and comments",
                Rules(&["variable-defined-twice", "value-keeps-comment-or-quotes"]),
            ),
            (
                "Variables come from a generated ConfigMap whose name has a hash",
                Rules(&["substitution-source-has-hash"]),
            ),
            ("`dependsOn` names what is not there", Rules(&["dependency-not-found"])),
            ("The build is refused", Rules(&["build-fails", "syntax"])),
        ],
    ),
];

#[test]
fn every_failure_mode_has_rules_or_a_reason() {
    let pages = rule_pages();
    let mut named = BTreeSet::new();
    let mut text = String::new();
    for (subject, modes) in MODES {
        text += &format!("\n## {subject}\n\n| what happens | rules |\n|---|---|\n");
        for (statement, answer) in *modes {
            let answer = match answer {
                Nothing(why) => format!("none: {why}"),
                Rules(ids) => {
                    named.extend(ids.iter().copied());
                    let links = ids.iter().map(|id| format!("[`{id}`](../rules/{id}.md)"));
                    links.collect::<Vec<_>>().join(", ")
                }
            };
            text += &format!("| {statement} | {answer} |\n");
        }
    }
    let unknown: Vec<_> = named.iter().filter(|id| !pages.contains_key(**id)).collect();
    assert!(unknown.is_empty(), "there are no rules {unknown:?}");
    let judging = pages.iter().filter(|(_, [_, category, _])| category != "input");
    let missing: Vec<_> = judging.map(|(id, _)| id).filter(|id| !named.contains(&***id)).collect();
    assert!(missing.is_empty(), "no failure mode names {missing:?}");
    generated("docs/failure-modes.md", "modes", &text);
}
