//! What templates see of the cluster: its version and its APIs.

use std::rc::Rc;

use semver::Version;

use crate::{
    data::version::Constraint,
    resolve::{
        environment::ClusterVersion,
        gotemplate::{FunctionCall, GoData, GoError, GoMap, GoObject, GoValue},
    },
    tree::{Origin, Reason, ReasonKind},
};

/// That the cluster's version is not known.
pub(super) fn no_version() -> Reason {
    Reason::from("the version of Kubernetes is not known").of_kind(ReasonKind::KubernetesVersion)
}

/// The minor versions that a cluster may have; the last one stands for those to come.
const MINORS: [u64; 16] = [25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 99];

/// What is known of the APIs of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiVersions {
    /// Those that `helm template` takes it to have.
    Template,
    /// Those of its version; which others there are nobody can tell.
    Cluster,
}

/// The minor versions that a cluster may have, of which something says the version.
pub(super) fn minors(known: Option<&ClusterVersion>) -> Vec<u64> {
    known.map_or_else(|| MINORS.to_vec(), |it| vec![it.version.minor])
}

/// `.Capabilities.KubeVersion`; of one that is known in part its parts.
pub(super) fn kube_version(known: &ClusterVersion) -> GoValue {
    let ClusterVersion { version, exact, origin } = known;
    if *exact {
        let version = KubeVersion { version: version.clone(), at: origin.clone() };
        return GoValue::new(GoData::Object(Rc::new(version)), origin);
    }
    let mut parts = GoMap::default();
    parts.set("Major", GoValue::string(version.major.to_string(), origin));
    parts.set("Minor", GoValue::string(version.minor.to_string(), origin));
    for whole in ["Version", "GitVersion", "String"] {
        parts.set(whole, GoValue::unknown(no_version(), origin));
    }
    GoValue::map(parts, origin)
}

/// `.Capabilities.KubeVersion`
#[derive(Debug)]
struct KubeVersion {
    version: Version,
    at: Origin,
}

impl GoObject for KubeVersion {
    fn type_and_kind(&self) -> (&'static str, &'static str) {
        ("common.KubeVersion", "struct")
    }

    fn field(&self, name: &str, _: &[GoValue]) -> Option<GoValue> {
        let text = match name {
            "Version" | "GitVersion" | "String" => format!("v{}", self.version),
            "Major" => self.version.major.to_string(),
            "Minor" => self.version.minor.to_string(),
            _ => return None,
        };
        Some(GoValue::string(text, &self.at))
    }

    fn printed(&self) -> Option<String> {
        Some(format!("v{}", self.version))
    }
}

/// `.Capabilities.APIVersions`
#[derive(Debug)]
pub(super) struct Apis {
    known: ApiVersions,
    kubernetes: Option<ClusterVersion>,
    at: Origin,
}

impl Apis {
    pub(super) fn new(known: ApiVersions, kubernetes: Option<ClusterVersion>, at: &Origin) -> Self {
        let at = kubernetes.as_ref().map_or(at, |it| &it.origin).clone();
        Self { known, kubernetes, at }
    }

    fn has(&self, name: &str) -> Result<bool, Reason> {
        let version = |it: &&Built| it.0 == name;
        if self.known == ApiVersions::Template {
            return Ok(BUILT_IN.iter().any(|it| version(&it)));
        }
        let unknown =
            || Reason::from(format!("whether the cluster has the API `{name}` is not known"));
        let (api, kind) = match name.match_indices('/').nth(1) {
            Some((at, _)) => (&name[..at], Some(&name[at + 1..])),
            None => (name, None),
        };
        let &(_, since, until) = BUILT_IN.iter().find(|it| it.0 == api).ok_or_else(unknown)?;
        let holds = |minor: u64| since <= minor && minor < until;
        let has = match &self.kubernetes {
            Some(it) => holds(it.version.minor),
            None => {
                let has = holds(MINORS[0]);
                let all = MINORS.iter().all(|it| holds(*it) == has);
                all.then_some(has).ok_or_else(no_version)?
            }
        };
        match kind {
            // Which kinds came and went with a version is not told here.
            Some(kind) if has && !STABLE_KINDS.contains(&kind) => Err(unknown()),
            _ => Ok(has),
        }
    }
}

impl GoObject for Apis {
    fn type_and_kind(&self) -> (&'static str, &'static str) {
        ("common.VersionSet", "slice")
    }

    fn field(&self, name: &str, arguments: &[GoValue]) -> Option<GoValue> {
        let ("Has", [asked]) = (name, arguments) else { return None };
        let has = match &asked.data {
            GoData::Text(text) if text.unknown_part().is_none() => self.has(text.as_str()),
            _ => Err(no_version()),
        };
        Some(match has {
            Ok(has) => GoValue::new(GoData::Bool(has), &self.at),
            Err(why) => GoValue::unknown(why, &self.at),
        })
    }

    /// Which others a cluster has nobody can tell.
    fn items(&self) -> Option<Result<Vec<GoValue>, Reason>> {
        let all = || BUILT_IN.iter().map(|it| GoValue::string(it.0, &self.at)).collect();
        Some(match self.known {
            ApiVersions::Template => Ok(all()),
            ApiVersions::Cluster => {
                Err("which APIs the cluster has is not known".to_owned().into())
            }
        })
    }
}

/// `semverCompare` with the version of a cluster that is not known, where all versions agree.
pub(super) fn compare_unknown(
    call: &FunctionCall<'_>,
    minors: &[u64],
) -> Option<Result<GoValue, Box<GoError>>> {
    let [constraint, version] = &call.values[..] else { return None };
    let (GoData::Text(text), GoData::Unknown(why)) = (&constraint.data, &version.data) else {
        return None;
    };
    if why.kind() != ReasonKind::KubernetesVersion || text.unknown_part().is_some() {
        return None;
    }
    let constraint = Constraint::parse(text.as_str())?;
    // The first of a minor version and one that is never reached.
    let patches = [0, 99];
    let all = minors.iter().flat_map(|minor| patches.map(|it| Version::new(1, *minor, it)));
    let mut all = all.map(|it| constraint.holds(&it));
    let first = all.next()?;
    all.all(|it| it == first).then(|| Ok(GoValue::new(GoData::Bool(first), &version.origin)))
}

/// An API version, the minor version of Kubernetes that first has it, and the one that has it no
/// more.
type Built = (&'static str, u64, u64);

const NEVER: u64 = u64::MAX;

/// Kinds that each version of their group has.
const STABLE_KINDS: &[&str] = &[
    "CronJob",
    "DaemonSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "Ingress",
    "IngressClass",
    "Job",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "StatefulSet",
];

/// What `helm template` of Helm 4.3 takes for the APIs of a cluster: those of its client; and which
/// versions have them. What is not on by default is in none.
/// <https://kubernetes.io/docs/reference/using-api/deprecation-guide/>
const BUILT_IN: &[Built] = &[
    ("v1", 0, NEVER),
    ("admissionregistration.k8s.io/v1", 16, NEVER),
    ("admissionregistration.k8s.io/v1alpha1", NEVER, NEVER),
    ("admissionregistration.k8s.io/v1beta1", 0, 22),
    ("internal.apiserver.k8s.io/v1alpha1", NEVER, NEVER),
    ("apps/v1", 9, NEVER),
    ("apps/v1beta1", 0, 16),
    ("apps/v1beta2", 0, 16),
    ("authentication.k8s.io/v1", 0, NEVER),
    ("authentication.k8s.io/v1alpha1", NEVER, NEVER),
    ("authentication.k8s.io/v1beta1", 0, 22),
    ("authorization.k8s.io/v1", 0, NEVER),
    ("authorization.k8s.io/v1beta1", 0, 22),
    ("autoscaling/v1", 0, NEVER),
    ("autoscaling/v2", 23, NEVER),
    ("batch/v1", 0, NEVER),
    ("batch/v1beta1", 0, 25),
    ("certificates.k8s.io/v1", 19, NEVER),
    ("certificates.k8s.io/v1beta1", 0, 22),
    ("certificates.k8s.io/v1alpha1", NEVER, NEVER),
    ("coordination.k8s.io/v1alpha2", NEVER, NEVER),
    ("coordination.k8s.io/v1beta1", 0, 22),
    ("coordination.k8s.io/v1", 14, NEVER),
    ("discovery.k8s.io/v1", 21, NEVER),
    ("discovery.k8s.io/v1beta1", 17, 25),
    ("events.k8s.io/v1", 19, NEVER),
    ("events.k8s.io/v1beta1", 0, 25),
    ("extensions/v1beta1", 0, 22),
    ("flowcontrol.apiserver.k8s.io/v1", 29, NEVER),
    ("flowcontrol.apiserver.k8s.io/v1beta1", 20, 26),
    ("flowcontrol.apiserver.k8s.io/v1beta2", 23, 29),
    ("flowcontrol.apiserver.k8s.io/v1beta3", 26, 32),
    ("lifecycle.k8s.io/v1alpha1", NEVER, NEVER),
    ("networking.k8s.io/v1", 7, NEVER),
    ("networking.k8s.io/v1beta1", 0, 22),
    ("node.k8s.io/v1", 20, NEVER),
    ("node.k8s.io/v1alpha1", NEVER, NEVER),
    ("node.k8s.io/v1beta1", 14, 25),
    ("policy/v1", 21, NEVER),
    ("policy/v1beta1", 0, 25),
    ("rbac.authorization.k8s.io/v1", 8, NEVER),
    ("rbac.authorization.k8s.io/v1beta1", 0, 22),
    ("rbac.authorization.k8s.io/v1alpha1", NEVER, NEVER),
    ("resource.k8s.io/v1", 34, NEVER),
    ("resource.k8s.io/v1beta2", NEVER, NEVER),
    ("resource.k8s.io/v1beta1", NEVER, NEVER),
    ("resource.k8s.io/v1alpha3", NEVER, NEVER),
    ("scheduling.k8s.io/v1alpha3", NEVER, NEVER),
    ("scheduling.k8s.io/v1beta1", 0, 22),
    ("scheduling.k8s.io/v1", 14, NEVER),
    ("storage.k8s.io/v1beta1", 0, 27),
    ("storage.k8s.io/v1", 6, NEVER),
    ("storage.k8s.io/v1alpha1", NEVER, NEVER),
    ("storagemigration.k8s.io/v1", NEVER, NEVER),
    ("storagemigration.k8s.io/v1beta1", NEVER, NEVER),
    ("apiextensions.k8s.io/v1beta1", 0, 22),
    ("apiextensions.k8s.io/v1", 16, NEVER),
];
