use semver::Version;

use crate::{
    data::flags,
    finding::{Findings, Severity},
    model::{Argument, Cluster, MetricsServer, Pod, is_below},
    tree::Origin,
};

/// The flags that name a file which metrics-server reads before it serves.
const FILES: [&str; 12] = [
    "audit-policy-file",
    "audit-webhook-config-file",
    "authentication-kubeconfig",
    "authorization-kubeconfig",
    "client-ca-file",
    "kubeconfig",
    "kubelet-certificate-authority",
    "kubelet-client-certificate",
    "kubelet-client-key",
    "requestheader-client-ca-file",
    "tls-cert-file",
    "tls-private-key-file",
];

/// Where the image has files of its own, and where Kubernetes or an injector puts some that no
/// manifest mounts.
const ALWAYS: [&str; 8] =
    ["/dev", "/etc/pki", "/etc/ssl", "/proc", "/run/secrets", "/usr", "/var/run/secrets", "/vault"];

/// A file that a flag names.
struct NamedFile<'a> {
    flag: &'a str,
    path: &'a str,
    at: &'a Origin,
}

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        if let Some(pod) = server.pod.as_ref().filter(|it| it.mounts.value().is_some()) {
            check_server(server, pod, findings);
        }
    }
}

fn check_server(server: &MetricsServer, pod: &Pod, findings: &mut Findings) {
    let is_there = |it: &NamedFile<'_>| {
        ALWAYS.iter().any(|dir| is_below(it.path, dir)) || pod.mount_of(it.path).is_some()
    };
    let mut missing = files(server);
    missing.retain(|it| !is_there(it));
    while let Some(NamedFile { flag, path, at }) = missing.first() {
        let dir = dir_of(path);
        let message = format!(
            "nothing is mounted at {path}, which --{flag} names: metrics-server does not start"
        );
        let finding =
            findings.at(&at.or(&server.anchor), &format!("{} --{flag}", server.subject()), message);
        finding.help(format!("mount a Secret or ConfigMap with the file at {dir}"));
        for other in missing.iter().skip(1).filter(|it| dir_of(it.path) == dir) {
            finding.also(other.at, format!("--{} is in the same directory", other.flag));
        }
        if !server.has_upstream_image() {
            // A build of one's own may hold the file.
            finding.at_most(Severity::Warning);
        }
        let dir = dir.to_owned();
        missing.retain(|it| dir_of(it.path) != dir);
    }
}

/// The files that flags name by their whole path; none when some flag may be any.
fn files(server: &MetricsServer) -> Vec<NamedFile<'_>> {
    let mut files: Vec<NamedFile<'_>> = Vec::new();
    for passed in server.arguments() {
        match passed {
            Argument::Untold(arg) if arg.text.is_empty() => return Vec::new(),
            Argument::Untold(arg) => {
                let flag = arg.text.trim_start_matches('-').trim_end_matches('=');
                files.retain(|it| it.flag != flag);
            }
            Argument::Flag { name, value, .. } if FILES.contains(&name) => {
                // The last one counts.
                files.retain(|it| it.flag != name);
                let has = |version: &Version| flags::accepts(version, name) != Some(false);
                let Some((path, arg)) = value.filter(|(_, arg)| arg.unknown.is_none()) else {
                    continue;
                };
                if path.starts_with('/') && !path.contains("$(") && server.versions.iter().all(has)
                {
                    files.push(NamedFile { flag: name, path, at: &arg.origin });
                }
            }
            _ => {}
        }
    }
    files
}

fn dir_of(path: &str) -> &str {
    path.rsplit_once('/').map(|(dir, _)| dir).filter(|it| !it.is_empty()).unwrap_or("/")
}
