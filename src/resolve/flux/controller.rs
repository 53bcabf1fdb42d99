//! Which kustomize-controller applies the Kustomizations of an environment, as far as that decides
//! what becomes of a variable that nothing defines.

use semver::Version;

use crate::{
    data::version::{self, Constraint},
    source::{self, Sources},
    tree::{Node, Origin},
};

/// The feature gate that makes the controller refuse undefined variables.
const GATE: &str = "StrictPostBuildSubstitutions=";

/// The gate is on by default from kustomize-controller 1.9.0 (its CHANGELOG), which comes with Flux
/// 2.9.
const STRICT_CONTROLLER: Version = Version::new(1, 9, 0);
const STRICT_FLUX: Version = Version::new(2, 9, 0);

/// The controller, as far as the repository tells.
#[derive(Debug, Default, Clone)]
pub(super) struct Controller {
    gate: Option<Told>,
    version: Option<Told>,
}

/// Something that says what the controller does.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Whether it refuses undefined variables; `None` where versions are allowed that differ.
    pub(super) strict: Option<bool>,
    /// What says so: `kustomize-controller v1.8.5`, `Flux 2.8.x`.
    pub(super) what: String,
    pub(super) at: Origin,
}

impl Controller {
    /// Learns from objects of the environment; the first that says something counts, unless another
    /// one contradicts it.
    pub(super) fn learn<'n>(&mut self, objects: impl IntoIterator<Item = &'n Node>) {
        for node in objects {
            if self.gate.is_none() {
                self.gate = gate(node);
            }
            let Some(told) = told(node) else { continue };
            match &mut self.version {
                Some(known) if known.strict != told.strict => known.strict = None,
                Some(_) => {}
                unknown => *unknown = Some(told),
            }
        }
    }

    /// What the manifests of `flux install` anywhere in the repository say: every cluster's is
    /// looked at, so they have to agree.
    fn of_repository(sources: &Sources) -> Self {
        let mut controller = Self::default();
        for (file, it) in sources.iter() {
            if source::file_name(&it.path) == "gotk-components.yaml" {
                controller.learn(sources.outline(file).roots());
            }
        }
        controller
    }

    /// Takes what the repository installs somewhere for it, as far as the environment itself said nothing.
    pub(super) fn or_installed(self, sources: &Sources) -> Self {
        struct InstalledController(Controller);
        let installed = sources.keep(|it| InstalledController(Self::of_repository(it)));
        let InstalledController(others) = &*installed;
        Self {
            gate: self.gate.or_else(|| others.gate.clone()),
            version: self.version.or_else(|| others.version.clone()),
        }
    }

    /// What says most about it.
    pub(super) fn told(&self) -> Option<&Told> {
        self.gate.as_ref().or(self.version.as_ref()).filter(|it| it.strict.is_some())
    }

    /// Whether it is known to put nothing in place of a variable that nothing defines.
    pub(super) fn is_lenient(&self) -> bool {
        self.told().is_some_and(|it| it.strict == Some(false))
    }

    /// Whether it is known to refuse a variable that nothing defines.
    pub(super) fn is_strict(&self) -> bool {
        self.told().is_some_and(|it| it.strict == Some(true))
    }

    /// One that puts nothing in place of what nothing defines.
    #[cfg(test)]
    pub(super) fn lenient() -> Self {
        let at = Origin::at(crate::tree::Via::Written, None);
        let told = Told { strict: Some(false), what: "an old controller".into(), at };
        Self { gate: None, version: Some(told) }
    }
}

/// What the gate is set to by an argument or by the text of a patch.
fn gate(node: &Node) -> Option<Told> {
    let (group, kind) = (node.api_group(), node.object_kind());
    let sets = (kind == "Deployment" && node.object_name() == "kustomize-controller")
        || (kind == "Kustomization" && group == "kustomize.toolkit.fluxcd.io")
        || kind == "FluxInstance";
    if !sets {
        return None;
    }
    node.walk().find_map(|it| {
        let (_, value) = it.as_scalar()?.text.split_once(GATE)?;
        let strict = value.starts_with("true");
        let what = format!("kustomize-controller with {GATE}{strict}");
        Some(Told { strict: Some(strict), what, at: it.origin.clone() })
    })
}

/// The version of the controller or of Flux that `node` installs.
fn told(node: &Node) -> Option<Told> {
    let of_flux = |version: &Node| {
        let text = version.as_str()?;
        let strict = Constraint::parse(text.trim_start_matches('v')).and_then(|it| agreed(&it));
        Some(Told { strict, what: format!("Flux {text}"), at: version.origin.clone() })
    };
    match node.object_kind() {
        "Deployment" if node.object_name() == "kustomize-controller" => {
            let containers = node.items_at("spec.template.spec.containers").iter();
            let mut images = containers.filter_map(|it| it.get("image"));
            images.find_map(|image| {
                let (_, tag) = image.as_str()?.rsplit_once("kustomize-controller:")?;
                let tag = tag.split('@').next().unwrap_or(tag);
                let strict = version::lenient(tag).map(|it| it >= STRICT_CONTROLLER);
                let what = format!("kustomize-controller {tag}");
                Some(Told { strict, what, at: image.origin.clone() })
            })
        }
        "FluxInstance" => of_flux(node.at("spec.distribution.version")?),
        "OCIRepository" if node.str_at("spec.url")?.ends_with("/flux-manifests") => {
            of_flux(node.at("spec.ref.tag")?)
        }
        // The chart that makes a FluxInstance.
        "HelmRelease" => of_flux(node.at("spec.values.instance.distribution.version")?),
        _ => None,
    }
}

/// Whether the versions of Flux that a constraint allows refuse undefined variables, if all do the
/// same.
fn agreed(constraint: &Constraint) -> Option<bool> {
    let holds =
        |major: u64, minor: u64, patch: u64| constraint.holds(&Version::new(major, minor, patch));
    let any = |minors: std::ops::Range<u64>| {
        minors
            .flat_map(|minor| (0..50).map(move |patch| (minor, patch)))
            .any(|(minor, patch)| holds(STRICT_FLUX.major, minor, patch))
    };
    let older = any(0..STRICT_FLUX.minor);
    let newer = any(STRICT_FLUX.minor..50) || holds(STRICT_FLUX.major + 1, 0, 0);
    (older != newer).then_some(newer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{fixture, roots};

    fn is_strict(object: &str) -> Option<bool> {
        let sources = fixture(&format!("//- a.yaml\n{object}"));
        let mut controller = Controller::default();
        controller.learn(&roots(&sources, "a.yaml"));
        controller.told().and_then(|it| it.strict)
    }

    #[test]
    fn what_installs_flux_says_whether_undefined_variables_are_refused() {
        let instance = |version: &str| {
            is_strict(&format!(
                "kind: FluxInstance\nspec: {{distribution: {{version: {version}}}}}"
            ))
        };
        assert_eq!(instance("2.8.x"), Some(false));
        assert_eq!(instance("v2.9.1"), Some(true));
        assert_eq!(instance("'>=2.9'"), Some(true));
        assert_eq!(instance("2.x"), None);
        let deployment = |tag: &str| {
            let image = format!("ghcr.io/fluxcd/kustomize-controller:{tag}");
            let pod = format!("{{spec: {{containers: [{{image: '{image}'}}]}}}}");
            let name = "metadata: {name: kustomize-controller}";
            is_strict(&format!("kind: Deployment\n{name}\nspec: {{template: {pod}}}"))
        };
        assert_eq!(deployment("v1.8.5"), Some(false));
        assert_eq!(deployment("v1.9.2@sha256:0"), Some(true));
        assert_eq!(deployment("latest"), None);
        let manifests = "url: oci://ghcr.io/fluxcd/flux-manifests, ref: {tag: v2.4.0}";
        assert_eq!(is_strict(&format!("kind: OCIRepository\nspec: {{{manifests}}}")), Some(false));
        let patch = "{patches: [{patch: '--feature-gates=StrictPostBuildSubstitutions=true'}]}";
        let distribution = "distribution: {version: 2.7.x}";
        let spec = format!("spec: {{{distribution}, kustomize: {patch}}}");
        assert_eq!(is_strict(&format!("kind: FluxInstance\n{spec}")), Some(true));
    }
}
