use crate::{
    finding::Findings,
    model::{Cluster, Fact, MetricsServer, Pod},
    tree::Origin,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some(pod) = &server.pod else { continue };
        if !weakened(server, pod, findings) {
            lacking(server, pod, findings);
        }
    }
}

/// Reports rights that somebody gives to metrics-server, and whether there are any.
fn weakened(server: &MetricsServer, pod: &Pod, findings: &mut Findings) -> bool {
    let security = &pod.security;
    let is =
        |fact: &Fact<bool>, value| fact.known().filter(|it| *it.0 == value).map(|it| it.1.clone());
    let mut given: Vec<(&str, Origin)> = Vec::new();
    let mut give = |what, at: Option<Origin>| {
        // What a chart or a platform chose is theirs to answer for.
        let written = at.filter(|it| it.written_at().is_some() && !it.is_default());
        given.extend(written.map(|at| (what, at)));
    };
    give("is privileged", is(&security.privileged, true));
    give("may become root", is(&security.allow_privilege_escalation, true));
    give("may run as root", is(&security.run_as_non_root, false));
    let root = security.run_as_user.known().filter(|(user, _)| **user == 0);
    give("runs as root", root.map(|it| it.1.clone()));
    give("may write to its root file system", is(&security.read_only_root_filesystem, false));
    let seccomp = security.seccomp_profile.known().filter(|(it, _)| *it == "Unconfined");
    give("may use every system call", seccomp.map(|it| it.1.clone()));
    let Some(((what, at), others)) = given.split_first() else { return false };
    let finding = findings.at(
        at,
        &server.subject(),
        format!("metrics-server {what}, and needs no such right"),
    );
    finding
        .variant("given")
        .help("leave the security context to the chart or to upstream's manifest");
    for (what, at) in others {
        finding.also(at, format!("it {what}"));
    }
    true
}

/// Reports what the Pod Security Standard `restricted` demands and is not there.
fn lacking(server: &MetricsServer, pod: &Pod, findings: &mut Findings) {
    let security = &pod.security;
    let mut lacks = Vec::new();
    if security.allow_privilege_escalation.is_absent() {
        lacks.push("allowPrivilegeEscalation: false");
    }
    let drops = |it: &String| it.split(' ').any(|it| it == "ALL");
    if security.capabilities_dropped.is_absent()
        || security.capabilities_dropped.value().is_some_and(|it| !drops(it))
    {
        lacks.push("capabilities: {drop: [ALL]}");
    }
    if security.run_as_non_root.is_absent() {
        lacks.push("runAsNonRoot: true");
    }
    if security.seccomp_profile.is_absent() {
        lacks.push("seccompProfile: {type: RuntimeDefault}");
    }
    if lacks.is_empty() {
        return;
    }
    let message = "the Pod Security Standard restricted refuses metrics-server";
    findings
        .at(&server.anchor, &server.subject(), message)
        .variant("lacking")
        .help(format!("add {} to its securityContext", lacks.join(", ")))
        .pedantic();
}
