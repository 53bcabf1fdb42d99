use semver::Version;

use crate::{
    finding::Findings,
    model::{Cluster, MetricsServer, ReleaseFacts},
    nearest::nearest,
};

/// What `templates/deployment.yaml` and `templates/certificate.yaml` of the chart ask for.
const TYPES: [&str; 4] = ["metrics-server", "helm", "cert-manager", "existingSecret"];

/// The program of the first chart of which it is not known that `templates/apiservice.yaml` forgets
/// the Secret that it looked up: a second `$existing :=` hides the first.
const MAY_LOOK_UP: Version = Version::new(0, 9, 0);

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let Some(release) = &server.release else { continue };
        check_type(server, release, cluster.unseen.is_some(), findings);
        check_lookup(server, release, findings);
    }
}

/// A type that is none, or a Secret without a name: both mount a Secret that is called as the
/// release is, and that nothing makes.
fn check_type(
    server: &MetricsServer,
    release: &ReleaseFacts,
    has_unseen: bool,
    findings: &mut Findings,
) {
    let Some((kind, origin)) = release.tls_type.known().filter(|(_, it)| !it.is_default()) else {
        return;
    };
    let is_unnamed = release.tls_existing_secret_name.value().is_some_and(String::is_empty)
        || release.tls_existing_secret_name.is_absent();
    let is_known = TYPES.contains(&&**kind);
    if has_unseen || !release.tls_secret.is_absent() {
        return;
    }
    let secret = &server.name;
    let (at, variant, message, help) = match &**kind {
        _ if !is_known => (
            origin,
            "type",
            format!(
                "`{kind}` is no type of certificate: the pods wait for the Secret {secret}, which nothing makes"
            ),
            match meant(kind) {
                Some(meant) => format!("write tls.type: {meant}"),
                None => format!("use {}", TYPES.join(", ")),
            },
        ),
        "existingSecret" if is_unnamed => (
            origin,
            "name",
            format!(
                "tls.existingSecret has no name: the pods wait for the Secret {secret}, which nothing makes"
            ),
            "name the Secret in tls.existingSecret.name".to_owned(),
        ),
        _ => return,
    };
    findings.at(&at.or(&server.anchor), &server.subject(), message).variant(variant).help(help);
}

/// The type that is meant by `text`: the same letters, or nearly.
fn meant(text: &str) -> Option<&'static str> {
    let plain = |it: &str| it.replace(['-', '_'], "").to_lowercase();
    let same = TYPES.into_iter().find(|it| plain(it) == plain(text));
    let is_secret = || plain(text).contains("secret").then_some("existingSecret");
    same.or_else(is_secret).or_else(|| nearest(text, TYPES))
}

/// A Secret whose certificate the chart does not put into the APIService, although it is told to.
fn check_lookup(server: &MetricsServer, release: &ReleaseFacts, findings: &mut Findings) {
    let is_of = |kind: &str| release.tls_type.value().is_some_and(|it| it == kind);
    let forgets = release.chart_app_version.value().is_some_and(|it| *it < MAY_LOOK_UP);
    let (Some((true, lookup)), Some(registration), Some(origin)) = (
        release.tls_existing_secret_lookup.known(),
        &server.registration,
        release.tls_type.origin(),
    ) else {
        return;
    };
    let verifies = registration.insecure_skip_tls_verify.value() == Some(&false);
    if !is_of("existingSecret") || !forgets || !verifies || !registration.authority.is_absent() {
        return;
    }
    let at = if lookup.is_default() { origin } else { lookup };
    let finding = findings.at(
        &at.or(&server.anchor),
        &server.subject(),
        "the chart looks the Secret up and forgets it: the API server has no authority to verify \
         metrics-server with",
    );
    finding.variant("lookup").help("write the certificate's authority into apiService.caBundle");
    if let Some(skip) = registration.insecure_skip_tls_verify.origin() {
        finding.also(skip, "the API server verifies");
    }
}
