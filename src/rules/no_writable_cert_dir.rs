use crate::{
    finding::{Change, Findings, Severity},
    model::{Cluster, Fact, MetricsServer, Pod, is_below},
};

/// What `MaybeDefaultWithSelfSignedCerts` of `k8s.io/apiserver/pkg/server/options/serving.go` needs
/// unless a certificate or a key is passed.
pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        if let Some(pod) = &server.pod {
            check_server(server, pod, findings);
        }
    }
}

/// Why nothing can be written to the container's own file system.
#[derive(PartialEq)]
enum Closed {
    ReadOnly,
    /// Not to what is root's.
    NotRoot,
}

fn check_server(server: &MetricsServer, pod: &Pod, findings: &mut Findings) {
    let given =
        |fact: &Fact<String>| !fact.is_absent() && fact.value().is_none_or(|it| !it.is_empty());
    if given(&server.tls_cert_file) || given(&server.tls_private_key_file) {
        return;
    }
    let Some((dir, at)) = server.cert_dir.known() else { return };
    let (Some(closed), Some(path)) = (closed(server, pod), absolute(server, pod, dir)) else {
        return;
    };
    if closed == Closed::NotRoot && EVERYBODYS.iter().any(|it| is_below(&path, it)) {
        return;
    }
    if pod.mounts.value().is_none() {
        return;
    }
    let deepest = pod.mount_of(&path);
    if is_below(&path, "/dev/shm") || deepest.is_some_and(|it| it.writable != Some(false)) {
        return;
    }
    let why = match (deepest, &closed) {
        (Some(mount), _) => format!("{} is mounted read-only", mount.path),
        (None, Closed::ReadOnly) => "the root file system is read-only".to_owned(),
        (None, Closed::NotRoot) => "it does not run as root".to_owned(),
    };
    let writable = writable(pod);
    let unsaid = dir == DEFAULT;
    let mut changes = Vec::new();
    let (place, message, help) = if unsaid {
        // A list that was replaced lost the port together with the directory.
        let port = server.secure_port.value().filter(|it| **it < 1024 && server.is_not_root());
        let port_too =
            port.map(|port| format!(", and without --secure-port it may not listen on {port}"));
        let declared = server.container_port.value().filter(|it| **it > 1023);
        let secure_port = port.map(|_| format!("--secure-port={}", declared.unwrap_or(&10250)));
        let flags = secure_port.as_ref().map(|it| format!(" and {it}")).unwrap_or_default();
        let list = server.args.origin().unwrap_or(at).or(&server.anchor);
        let missing = server.lacks("cert-dir");
        let message = format!(
            "without --cert-dir metrics-server cannot write its certificate, since {why}{}",
            port_too.unwrap_or_default()
        );
        let mount = match (writable, &closed) {
            (None, Closed::ReadOnly) => ", and mount an emptyDir there",
            _ => "",
        };
        if let Some(dir) = writable {
            let flags = [format!("--cert-dir={dir}")].into_iter().chain(secure_port);
            changes.extend(flags.map(|it| Change::item(&list, it)));
        }
        (missing, message, format!("add --cert-dir={}{flags}{mount}", writable.unwrap_or("/tmp")))
    } else {
        let message = format!("metrics-server cannot write its certificate to {path}, since {why}");
        let help = match writable {
            Some(dir) => format!("use --cert-dir={dir}, or mount an emptyDir at {path}"),
            None => format!("mount an emptyDir at {path}"),
        };
        (at.or(&server.anchor), message, help)
    };
    // What took the mount out or closed the file system does not fit what a base passes.
    let security = &pod.security;
    let denies = match (deepest, &closed) {
        (Some(mount), _) => Some(&mount.origin),
        (None, Closed::ReadOnly) => security.read_only_root_filesystem.origin(),
        (None, Closed::NotRoot) => security.run_as_user.origin(),
    };
    let unmounts = pod.mounts.origin().filter(|_| deepest.is_none());
    let later = [unmounts, denies].into_iter().flatten().find(|it| it.is_later_than(&place));
    let (place, passed) = match later {
        Some(later) => (later.clone(), Some(place)),
        None => (place, None),
    };
    let finding = findings.at(&place, &server.subject(), message);
    finding.variant(if unsaid { "unsaid" } else { "" }).help(help);
    if !changes.is_empty() {
        finding.unsafe_fix(&["cert_dir", "secure_port"], changes);
    }
    if let Some(passed) = passed {
        finding.also(&passed, if unsaid { "no --cert-dir is passed here" } else { "passed here" });
    }
    // A build of one's own may have another user.
    let said =
        security.run_as_user.value().is_some() || security.run_as_non_root.value() == Some(&true);
    if closed == Closed::NotRoot && !said {
        finding.at_most(Severity::Warning);
    }
    let says = match (deepest, closed) {
        (Some(mount), _) => Some((&mount.origin, "mounted here")),
        (None, Closed::ReadOnly) => {
            let at = security.read_only_root_filesystem.origin();
            at.map(|at| (at, "the root file system is read-only"))
        }
        (None, Closed::NotRoot) => {
            security.run_as_user.origin().map(|at| (at, "metrics-server is not root"))
        }
    };
    if let Some((at, text)) = says {
        finding.also(at, text);
    }
}

/// `SecureServingOptions`' default, in the directory in which the program starts.
const DEFAULT: &str = "apiserver.local.config/certificates";

/// Where everybody may write, also in an image that holds nothing but the program.
const EVERYBODYS: [&str; 3] = ["/tmp", "/var/tmp", "/home"];

/// Whether the container's own file system is closed; nothing where nobody can tell, or it is open.
fn closed(server: &MetricsServer, pod: &Pod) -> Option<Closed> {
    match pod.security.read_only_root_filesystem.value() {
        Some(true) => Some(Closed::ReadOnly),
        _ => server.is_not_root().then_some(Closed::NotRoot),
    }
}

/// The directory from the root on; nothing where nobody knows where the program starts.
fn absolute(server: &MetricsServer, pod: &Pod, dir: &str) -> Option<String> {
    let (dir, from) = match (dir.strip_prefix('/'), &pod.working_dir) {
        (Some(dir), _) => (dir, "/"),
        (None, Fact::Known(from, _)) => (dir, from.as_str()),
        // Upstream's image starts it at the root.
        (None, Fact::Absent(_)) if server.has_upstream_image() => (dir, "/"),
        (None, _) => return None,
    };
    Some(format!("{}/{dir}", from.trim_end_matches('/')))
}

/// A directory that is mounted to be written to.
fn writable(pod: &Pod) -> Option<&str> {
    let mut mounts = pod.mounts.value()?.iter().filter(|it| it.writable == Some(true));
    let tmp = mounts.clone().find(|it| it.path == "/tmp");
    tmp.or_else(|| mounts.next()).map(|it| &*it.path)
}
