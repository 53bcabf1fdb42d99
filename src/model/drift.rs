//! What Argo CD applies and the cluster then has otherwise, so that the two are never the same.

use semver::Version;

use crate::{
    data::Family,
    model::{Drift, DriftCause, chart, index::ObjectIndex, release, workload},
    resolve::environment::Release,
    tree::{Node, Origin},
};

/// The first versions of the chart with `tls`, and of those the last with fields that are null in what
/// it renders.
const TLS: Version = Version::new(3, 13, 0);
const NULLS: Version = Version::new(3, 13, 1);

/// What the Application of `release` never brings in sync and does not ignore; nothing where nobody
/// can tell.
pub(super) fn drifts(index: &ObjectIndex<'_>, release: &Release) -> Vec<Drift> {
    let Some(version) = chart::exact(release) else { return Vec::new() };
    let of_ours = release.family == Some(Family::KubernetesSigs) && release.directory.is_none();
    let application = release::installer(index, release, "Application");
    let Some(application) = application.filter(|_| of_ours && release.via == "argo-cd") else {
        return Vec::new();
    };
    let Ok(ignored) = application.node.look("spec.ignoreDifferences") else { return Vec::new() };
    let ignored = ignored.map(Node::items).unwrap_or_default();
    if ignored.iter().any(|it| it.look("kind").is_err()) {
        return Vec::new();
    }
    let is_ignored = |kind: &str| {
        ignored.iter().filter_map(|it| it.str_at("kind")).any(|it| it == kind || it.contains('*'))
    };
    let mut found = in_values(release, &version);
    found.retain(|it| !is_ignored(it.kind));
    found
}

fn in_values(release: &Release, version: &Version) -> Vec<Drift> {
    let boolean =
        |path| release::value(release, std::slice::from_ref(version), path, workload::boolean);
    let is_on = |path| boolean(path).known().filter(|(it, _)| **it).map(|(_, at)| at.clone());
    let mut found = Vec::new();
    let mut differs = |kind, field, cause, fixed_in, origin: &Origin| {
        found.push(Drift { kind, field, cause, fixed_in, origin: origin.or(&release.anchor) });
    };
    let tls = release::value(release, std::slice::from_ref(version), "tls.type", workload::text);
    let tls_is = |kind: &str| tls.known().filter(|(it, _)| *it == kind).map(|(_, at)| at);
    if let Some(at) = tls_is("helm") {
        differs("APIService", "spec.caBundle", DriftCause::MadeAnew, None, at);
    }
    let own_issuer = boolean("tls.certManager.existingIssuer.enabled").value() == Some(&false);
    let annotated = release.values.look("additionalAnnotations");
    if let Some(at) = tls_is("cert-manager").filter(|_| own_issuer && annotated == Ok(None))
        && (TLS..=NULLS).contains(version)
    {
        differs("Issuer", "metadata.annotations", DriftCause::Null, Some("3.14.0"), at);
    }
    if is_on("apiService.create").is_some() && *version <= TLS {
        let annotated = release.values.look("apiService.annotations");
        if *version == TLS
            && annotated == Ok(None)
            && tls_is("cert-manager").is_none()
            && tls.value().is_some()
        {
            let (cause, at) = (DriftCause::Null, &release.anchor);
            differs("APIService", "metadata.annotations", cause, Some("3.13.1"), at);
        } else if let Some((false, at)) = boolean("apiService.insecureSkipTLSVerify").known() {
            let cause = DriftCause::False;
            differs("APIService", "spec.insecureSkipTLSVerify", cause, Some("3.13.1"), at);
        }
    }
    if let Some(at) = is_on("addonResizer.enabled") {
        differs("Deployment", "resources", DriftCause::Resized, None, &at);
    }
    found
}
