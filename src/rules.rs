//! The rules. One rule is one page in `rules/`, and one function here unless the pipeline itself
//! finds what it reports.

mod address_types_have_no_effect;
mod affinity_matches_nothing;
mod aggregator_routing_missing;
mod api_server_proxy;
mod apiservice_cannot_be_verified;
mod apiservice_insecure_skip_tls_verify;
mod apiservice_missing;
mod approver_denies_all;
mod approver_too_permissive;
mod approver_without_requests;
mod argo_never_in_sync;
mod argument_is_not_a_flag;
mod auth_reader_outside_kube_system;
mod ca_bundle_with_insecure_skip;
mod certificate_file_not_mounted;
mod chart_repository_is_gone;
mod conflicting_flags;
mod cpu_limit_tight;
mod critical_priority_refused;
mod fargate_port_10250;
mod flag_given_twice;
mod fragile_probe;
mod helmrelease_timeout;
mod host_network_takes_kubelet_port;
mod hostname_before_internal_ip;
mod hpa_target_without_requests;
mod image_differs_from_chart;
mod image_does_not_exist;
mod image_from_retired_registry;
mod incompatible_kubernetes_version;
mod insecure_tls_unneeded;
mod invalid_flag_value;
mod invalid_quantity;
mod kubelet_authorizes_everybody;
mod kubelet_insecure_tls;
mod kubelet_refuses_metrics_server;
mod kubelet_samples_rarely;
mod limit_below_request;
mod memory_limit_too_low;
mod memory_request_below_guidance;
mod mesh_blocks_the_api;
mod metric_resolution_too_large;
mod metric_resolution_too_small;
mod more_replicas_without_spread;
mod moving_version;
mod network_policy_blocks_metrics;
mod no_writable_cert_dir;
mod node_selector_without_toleration;
mod nodes_left_out;
mod page;
mod pdb_blocks_drains;
mod pdb_protects_nothing;
mod priority_class_not_critical;
mod privileged_port;
mod rbac_for_another_version;
mod read_only_port;
mod removed_api_version;
mod resizer_cannot_work;
mod resizer_too_small;
mod rollout_cannot_finish;
mod rollout_may_interrupt_metrics;
mod second_metrics_server;
mod secure_port_mismatch;
mod service_does_not_reach_metrics_server;
mod service_monitor_without_metrics;
mod serving_bootstrap_in_wrong_place;
mod serving_bootstrap_without_approver;
mod serving_certificates_not_bootstrapped;
mod tls_type_unknown;
mod unknown_chart_version;
mod unknown_flag;
mod unknown_values_key;
mod variable_defined_twice;
mod variable_is_never_used;
mod vpa_fights_hpa;
mod weakened_security_context;
mod wrong_value_type;

use std::{ops::Deref, sync::OnceLock};

pub(crate) use page::{Category, RulePage};

use crate::{
    finding::{ANY_SETTING, Change, Finding, Findings, Severity},
    model::{Carrier, Cluster, ServingState, serving},
    problem::{Problem, ProblemKind},
    tree::Origin,
};

/// What a rule's function looks like.
pub(crate) type Check = fn(&Cluster, &mut Findings);

/// Names every rule: its page in `rules/`, and its function when it has one.
///
/// The modules are declared above, not here, because rustfmt does not look into macros; one that
/// is missing here is dead code, which the compiler reports.
macro_rules! rules {
    ($($id:literal $(=> $module:ident)?,)*) => {
        /// All rules, in the order of their ids.
        pub(crate) static RULES: [Rule; [$($id),*].len()] = [$(
            Rule::new(
                $id,
                include_str!(concat!("../rules/", $id, ".md")),
                rules!(@check $($module)?),
            ),
        )*];
    };
    (@check) => { None };
    (@check $module:ident) => { Some($module::check) };
}

rules! {
    "address-types-have-no-effect" => address_types_have_no_effect,
    "affinity-matches-nothing" => affinity_matches_nothing,
    "aggregator-routing-missing" => aggregator_routing_missing,
    "api-server-proxy" => api_server_proxy,
    "apiservice-cannot-be-verified" => apiservice_cannot_be_verified,
    "apiservice-insecure-skip-tls-verify" => apiservice_insecure_skip_tls_verify,
    "apiservice-missing" => apiservice_missing,
    "approver-denies-all" => approver_denies_all,
    "approver-too-permissive" => approver_too_permissive,
    "approver-without-requests" => approver_without_requests,
    "argo-never-in-sync" => argo_never_in_sync,
    "argument-is-not-a-flag" => argument_is_not_a_flag,
    "auth-reader-outside-kube-system" => auth_reader_outside_kube_system,
    "build-fails",
    "ca-bundle-with-insecure-skip" => ca_bundle_with_insecure_skip,
    "certificate-file-not-mounted" => certificate_file_not_mounted,
    "chart-repository-is-gone" => chart_repository_is_gone,
    "conflicting-flags" => conflicting_flags,
    "cpu-limit-tight" => cpu_limit_tight,
    "critical-priority-refused" => critical_priority_refused,
    "dependency-not-found",
    "env-var-undefined",
    "fargate-port-10250" => fargate_port_10250,
    "flag-given-twice" => flag_given_twice,
    "fragile-probe" => fragile_probe,
    "helmrelease-timeout" => helmrelease_timeout,
    "host-network-takes-kubelet-port" => host_network_takes_kubelet_port,
    "hostname-before-internal-ip" => hostname_before_internal_ip,
    "hpa-target-without-requests" => hpa_target_without_requests,
    "image-differs-from-chart" => image_differs_from_chart,
    "image-does-not-exist" => image_does_not_exist,
    "image-from-retired-registry" => image_from_retired_registry,
    "incompatible-kubernetes-version" => incompatible_kubernetes_version,
    "insecure-tls-unneeded" => insecure_tls_unneeded,
    "invalid-flag-value" => invalid_flag_value,
    "invalid-quantity" => invalid_quantity,
    "kubelet-authorizes-everybody" => kubelet_authorizes_everybody,
    "kubelet-insecure-tls" => kubelet_insecure_tls,
    "kubelet-refuses-metrics-server" => kubelet_refuses_metrics_server,
    "kubelet-samples-rarely" => kubelet_samples_rarely,
    "limit-below-request" => limit_below_request,
    "memory-limit-too-low" => memory_limit_too_low,
    "memory-request-below-guidance" => memory_request_below_guidance,
    "mesh-blocks-the-api" => mesh_blocks_the_api,
    "metric-resolution-too-large" => metric_resolution_too_large,
    "metric-resolution-too-small" => metric_resolution_too_small,
    "more-replicas-without-spread" => more_replicas_without_spread,
    "moving-version" => moving_version,
    "network-policy-blocks-metrics" => network_policy_blocks_metrics,
    "no-writable-cert-dir" => no_writable_cert_dir,
    "node-selector-without-toleration" => node_selector_without_toleration,
    "nodes-left-out" => nodes_left_out,
    "pdb-blocks-drains" => pdb_blocks_drains,
    "pdb-protects-nothing" => pdb_protects_nothing,
    "priority-class-not-critical" => priority_class_not_critical,
    "privileged-port" => privileged_port,
    "rbac-for-another-version" => rbac_for_another_version,
    "read-only-port" => read_only_port,
    "removed-api-version" => removed_api_version,
    "resizer-cannot-work" => resizer_cannot_work,
    "resizer-too-small" => resizer_too_small,
    "rollout-cannot-finish" => rollout_cannot_finish,
    "rollout-may-interrupt-metrics" => rollout_may_interrupt_metrics,
    "second-metrics-server" => second_metrics_server,
    "secure-port-mismatch" => secure_port_mismatch,
    "service-does-not-reach-metrics-server" => service_does_not_reach_metrics_server,
    "service-monitor-without-metrics" => service_monitor_without_metrics,
    "serving-bootstrap-in-wrong-place" => serving_bootstrap_in_wrong_place,
    "serving-bootstrap-without-approver" => serving_bootstrap_without_approver,
    "serving-certificates-not-bootstrapped" => serving_certificates_not_bootstrapped,
    "substitution-source-has-hash",
    "syntax",
    "tls-type-unknown" => tls_type_unknown,
    "unknown-chart-version" => unknown_chart_version,
    "unknown-flag" => unknown_flag,
    "unknown-values-key" => unknown_values_key,
    "unmatched-environment",
    "unmatched-pattern",
    "unresolved",
    "unused-suppression",
    "upstream-path-moved",
    "value-keeps-comment-or-quotes",
    "variable-defined-twice" => variable_defined_twice,
    "variable-is-never-used" => variable_is_never_used,
    "vpa-fights-hpa" => vpa_fights_hpa,
    "weakened-security-context" => weakened_security_context,
    "wrong-value-type" => wrong_value_type,
}

/// Which rule says more than which other about one place: the first stays.
pub(crate) const OUTRANKS: &[(&str, &str)] = &[
    ("ca-bundle-with-insecure-skip", "apiservice-insecure-skip-tls-verify"),
    ("image-differs-from-chart", "rbac-for-another-version"),
    ("image-does-not-exist", "image-from-retired-registry"),
    ("image-does-not-exist", "moving-version"),
    ("image-from-retired-registry", "moving-version"),
    ("invalid-flag-value", "address-types-have-no-effect"),
    ("invalid-flag-value", "hostname-before-internal-ip"),
    ("invalid-quantity", "limit-below-request"),
    ("invalid-quantity", "memory-limit-too-low"),
    ("no-writable-cert-dir", "privileged-port"),
    ("no-writable-cert-dir", "secure-port-mismatch"),
    ("resizer-cannot-work", "resizer-too-small"),
    ("secure-port-mismatch", "privileged-port"),
];

/// One rule: what its page says of it is read when somebody asks.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The page's name, which is what people write to configure or suppress it.
    pub id: &'static str,
    /// The text of its page.
    pub source: &'static str,
    read: OnceLock<RulePage>,
    check: Option<Check>,
}

impl Deref for Rule {
    type Target = RulePage;

    fn deref(&self) -> &RulePage {
        self.read.get_or_init(|| {
            page::parse(self.id, self.source).unwrap_or_else(|_| RulePage::unreadable())
        })
    }
}

/// The ids of all rules, in order.
pub(crate) fn ids() -> Vec<&'static str> {
    RULES.iter().map(|rule| rule.id).collect()
}

/// Every name that a rule may be written by, its former ones included, and its id.
pub(crate) fn names() -> Vec<(&'static str, &'static str)> {
    let names = |rule: &'static Rule| rule.former().chain([rule.id]).map(|name| (name, rule.id));
    RULES.iter().flat_map(names).collect()
}

/// The rule that is called `id`, or was.
pub(crate) fn find(id: &str) -> Option<&'static Rule> {
    called(&RULES, id)
}

fn called<'a>(rules: &'a [Rule], id: &str) -> Option<&'a Rule> {
    let former = || rules.iter().find(|rule| rule.former().any(|it| it == id));
    rules.iter().find(|rule| rule.id == id).or_else(former)
}

/// How bad what the rule `id` finds is by itself.
fn severity(id: &str) -> Severity {
    find(id).map_or(Severity::Error, |rule| rule.severity)
}

impl Rule {
    const fn new(id: &'static str, source: &'static str, check: Option<Check>) -> Self {
        Self { id, source, read: OnceLock::new(), check }
    }

    /// What it was called before.
    fn former(&self) -> impl Iterator<Item = &str> {
        // Few were called otherwise: the pages of the others need not be read for that.
        let has_any =
            self.source.split("\n---\n").next().is_some_and(|it| it.contains("\naliases:"));
        let aliases = has_any.then(|| self.aliases.iter().map(String::as_str));
        aliases.into_iter().flatten()
    }

    /// Where its page is to be read: a page of the site, which `site/build.py` makes.
    pub(crate) fn page(&self) -> String {
        format!("{}rules/{}.html", env!("CARGO_PKG_HOMEPAGE"), self.id)
    }

    /// Whether it judges what environments hold, as opposed to reporting what the pipeline met.
    pub(crate) fn judges(&self) -> bool {
        self.check.is_some()
    }

    /// What this rule finds in `cluster`.
    ///
    /// The rules about [`Problem`]s find nothing here: see [`problems`].
    pub(crate) fn check(&self, cluster: &Cluster) -> Vec<Finding> {
        let Some(check) = self.check else { return Vec::new() };
        let mut findings = Findings::of(self.id, severity, Some(&cluster.environment));
        check(cluster, &mut findings);
        let mut findings = findings.into_vec();
        if !findings.is_empty() && self.pedantic {
            for finding in &mut findings {
                finding.pedantic();
            }
        }
        findings
    }
}

/// The findings that `problems` of `environment` are; `None` is for files that belong to none.
pub(crate) fn problems(problems: &[Problem], environment: Option<&str>) -> Vec<Finding> {
    problems.iter().flat_map(|problem| of_problem(problem, environment)).collect()
}

fn of_problem(problem: &Problem, environment: Option<&str>) -> Vec<Finding> {
    let id = problem.kind.rule();
    let mut findings = Findings::of(id, severity, environment);
    let finding = findings.at(&problem.at, &problem.subject, &*problem.message);
    if problem.tolerated {
        finding.at_most(Severity::Warning);
    }
    for (origin, label) in &problem.also {
        finding.also(origin, label);
    }
    if let Some(help) = &problem.help {
        finding.help(&**help);
    }
    if !problem.concerns {
        finding.pedantic();
    }
    match problem.kind {
        ProblemKind::SourceHasHash => {
            let off = Change::beside(&problem.at, 1, "options.disableNameSuffixHash", true);
            finding.safe_fix(&[ANY_SETTING], [off]);
        }
        ProblemKind::KeepsComment => {
            finding.safe_fix(&[ANY_SETTING], [Change::bare(&problem.at)]);
        }
        // They may be meant.
        ProblemKind::KeepsQuotes => {
            finding.unsafe_fix(&[ANY_SETTING], [Change::bare(&problem.at)]);
        }
        _ => {}
    }
    findings.into_vec()
}

/// The label that a selector at `at` asks for, as the pods with `labels` have it: with their value, or
/// that value under their key. Nothing where it asks for several, or for what they do not have at all.
fn own_label(selector: &str, labels: &str, at: &Origin, path: &[&str]) -> Option<Change> {
    let (key, value) = selector.split_once(": ").filter(|(_, value)| !value.contains(", "))?;
    let path = [path, &[key]].concat();
    let pairs: Vec<_> = labels.split(", ").filter_map(|it| it.split_once(": ")).collect();
    if let Some((_, own)) = pairs.iter().find(|(it, _)| *it == key) {
        return Change::entry(at, &path, *own);
    }
    let mut same = pairs.iter().filter(|(_, it)| *it == value);
    let (own, None) = (same.next()?.0, same.next()) else { return None };
    Change::other_below(at, &path, own, value)
}

/// Whether the files tell of one cluster at most, so that what one says concerns the other: a
/// directory that nothing builds may define several.
fn is_one(cluster: &Cluster) -> bool {
    let mut clusters = cluster.kubelets.iter().map(|kubelet| &kubelet.cluster);
    clusters.next().is_none_or(|first| clusters.all(|other| other == first))
}

/// Kubelets whose state one place decides.
struct Kubelets {
    /// The place.
    at: Origin,
    /// Other places that say the same of the same nodes, by saying nothing.
    also: Vec<Origin>,
    /// The groups of nodes, in words.
    groups: String,
    /// What carries their configuration.
    carrier: Carrier,
    /// Whether the place says it; else it is one that could say otherwise.
    is_said: bool,
}

/// The kubelets in `state`, by the place that decides it.
///
/// Files of one kind that define the same nodes of one cluster, one for each version perhaps, and do
/// not speak of certificates are one cause.
fn kubelets_in(cluster: &Cluster, state: ServingState) -> Vec<Kubelets> {
    let mut places: Vec<Kubelets> = Vec::new();
    let mut silent = Vec::new();
    for kubelet in &cluster.kubelets {
        let (its, _, at) = serving::kubelet_state(kubelet, &cluster.approvers);
        if its != state {
            continue;
        }
        if let Some(place) = places.iter_mut().find(|it| it.at.written_at() == at.written_at()) {
            place.groups.push_str(", ");
            place.groups.push_str(&kubelet.group);
            continue;
        }
        let nodes = (&kubelet.cluster, kubelet.carrier, &kubelet.group);
        let is_silent = at.written_at() == kubelet.anchor.written_at();
        let same = silent.iter().find(|(it, _)| is_silent && *it == nodes);
        if let Some(first) = same.and_then(|(_, index): &(_, usize)| places.get_mut(*index)) {
            first.also.push(at);
            continue;
        }
        if is_silent {
            silent.push((nodes, places.len()));
        }
        let groups = kubelet.group.clone();
        let (also, carrier, is_said) = (Vec::new(), kubelet.carrier, !is_silent);
        places.push(Kubelets { at, also, groups, carrier, is_said });
    }
    places
}

/// What is wrong with the pages, one line each; empty in every build that passed its tests.
#[cfg(test)]
pub(crate) fn broken() -> Vec<String> {
    RULES.iter().filter_map(|rule| page::parse(rule.id, rule.source).err()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_found_by_what_it_was_called() {
        let page = "---\nseverity: note\ncategory: input\nconfidence: high\naliases: [old]\nsince: 0.1.0\n---\n# A\n\nB.\n";
        let rules = [Rule::new("new", page, None)];
        assert_eq!(called(&rules, "old").map(|it| it.id), Some("new"));
        assert_eq!(called(&rules, "new").map(|it| it.id), Some("new"));
        assert!(called(&rules, "other").is_none());
    }

    #[test]
    fn names_are_of_one_rule_each_and_ranks_of_two() {
        let mut names: Vec<_> = names().into_iter().map(|(name, _)| name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        for (specific, general) in OUTRANKS {
            assert!(specific != general && find(specific).is_some() && find(general).is_some());
            assert!(!OUTRANKS.contains(&(general, specific)), "{specific} and {general}");
        }
    }
}
