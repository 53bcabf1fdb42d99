//! What `dependsOn` names and nothing defines: Flux waits for it for ever
//! (`internal/controller/kustomization_controller.go`, `helmrelease_controller.go`).

use std::collections::BTreeSet;

use crate::{
    nearest::nearest,
    problem::{Problem, ProblemKind},
    resolve::{
        context::Context,
        environment::{EntryKind, Environment, Object, Unit},
    },
    scalar::Dialect,
    source::{self, Sources},
    tree::Node,
};

/// The dependencies of Flux's objects in `environment` that certainly no object is.
///
/// Nobody can tell where something may define objects that are not in sight, nor where another
/// environment of the repository defines one of that name, which the same cluster may run.
pub(super) fn unmet(context: &Context<'_>, environment: &Environment) -> Vec<Problem> {
    let is_hidden = environment.entry.kind != EntryKind::Flux
        || environment.problems.iter().any(may_hide)
        || environment.objects.iter().any(|it| {
            it.kind() == "ResourceSet" || is_flux(it) && it.node.str_at("metadata.name").is_none()
        });
    let dependent = || {
        let waits = |it: &&Object| !it.suspended && !it.node.is_true_at("spec.suspend");
        environment.objects.iter().filter(|it| is_flux(it)).filter(waits)
    };
    if is_hidden || dependent().all(|it| it.node.items_at("spec.dependsOn").is_empty()) {
        return Vec::new();
    }
    let flux = environment.objects.iter().filter(|it| is_flux(it));
    let units = environment.units.iter().map(|it| it.id.clone());
    let known: BTreeSet<String> =
        flux.map(|it| Unit::of_object(&it.node).id).chain(units).collect();
    let unmet = dependent().flat_map(|object| {
        let named = object.node.items_at("spec.dependsOn").iter();
        named.filter_map(|it| problem(context.sources, object, it, &known))
    });
    unmet.collect()
}

/// Whether objects may be missing because of `problem`.
fn may_hide(problem: &Problem) -> bool {
    problem.unseen.objects
        || (problem.kind == ProblemKind::Syntax || problem.kind.fails_build()) && !problem.tolerated
}

fn is_flux(object: &Object) -> bool {
    let flux = ["kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"];
    flux.contains(&object.group()) && matches!(object.kind(), "Kustomization" | "HelmRelease")
}

/// That `object` waits for what `dependency` names, if none of `known` is it.
fn problem(
    sources: &Sources,
    object: &Object,
    dependency: &Node,
    known: &BTreeSet<String>,
) -> Option<Problem> {
    let name = dependency.get("name")?;
    let called = name.as_str()?;
    let space = match dependency.look("namespace").ok()? {
        Some(node) => node.as_str()?,
        None => object.namespace(),
    };
    let kind = object.kind();
    let wanted = Unit::of(kind, space, called).id;
    if known.contains(&wanted) {
        return None;
    }
    let same_kind = || known.iter().filter_map(|it| it.strip_prefix(kind)?.trim().split_once('/'));
    let elsewhere = same_kind().find(|(_, name)| *name == called).map(|(space, _)| space);
    if elsewhere.is_none() && is_defined(sources, kind, called) {
        return None;
    }
    let message =
        format!("Flux waits for ever for the {kind} `{space}/{called}`, which is not defined");
    let problem = Problem::new(ProblemKind::DependencyNotFound, &name.origin, message);
    let problem = problem.about(Unit::of_object(&object.node).id + " " + &wanted);
    let mut problem = match elsewhere {
        Some(space) => problem.help(format!("add namespace: {space}, where there is one")),
        None => {
            let here = same_kind().filter(|(it, _)| *it == space).map(|(_, name)| name);
            let here = here.filter(|name| *name != object.name());
            problem.help(nearest(called, here).map_or_else(
                || "name what has to be there first, or remove the dependency".to_owned(),
                |it| format!("did you mean {it}?"),
            ))
        }
    };
    problem.unit = object.unit;
    Some(problem)
}

/// Whether any file of the repository defines an object of that kind and name.
fn is_defined(sources: &Sources, kind: &str, name: &str) -> bool {
    let has = |text: &str, it: &str| memchr::memmem::find(text.as_bytes(), it.as_bytes()).is_some();
    let mut files = sources.iter().filter(|(_, it)| source::is_yaml(&it.path));
    files.any(|(file, _)| {
        let text = sources.text(file);
        has(text, kind)
            && has(text, name)
            && sources
                .documents(file, Dialect::Sigs)
                .roots()
                .any(|it| it.object_kind() == kind && it.object_name() == name)
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Config,
        pipeline::{analyze, check},
        tests::fixture,
    };

    /// What is said of dependencies in a cluster whose Kustomizations are `apps`, with more files.
    fn unmet(apps: &str, files: &str) -> Vec<String> {
        let sources = fixture(&format!(
            "
//- clusters/a/flux-system/gotk-sync.yaml
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: flux-system, namespace: flux-system}}
spec: {{path: ./clusters/a, sourceRef: {{kind: GitRepository, name: flux-system}}}}
//- clusters/a/apps.yaml
{apps}
//- apps/ms.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {{name: metrics-server}}
{files}"
        ));
        let (_, clusters) = analyze(&sources, &Config::default());
        let found = check(&clusters).into_iter();
        found
            .filter(|it| it.rule == "dependency-not-found")
            .map(|it| format!("{}; {}", it.message, it.help.unwrap_or_default()))
            .collect()
    }

    fn app(name: &str, rest: &str) -> String {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
             metadata: {{name: {name}, namespace: flux-system}}\n\
             spec: {{path: ./apps, sourceRef: {{kind: GitRepository, name: flux-system}}{rest}}}\n---\n"
        )
    }

    #[test]
    fn what_waits_for_nothing_is_told() {
        let waits = |on: &str| app("ms", &format!(", dependsOn: [{{{on}}}]")) + &app("crds", "");
        assert!(unmet(&waits("name: crds"), "").is_empty());
        assert!(unmet(&waits("name: crds, namespace: flux-system"), "").is_empty());
        let said = unmet(&waits("name: crd"), "");
        assert_eq!(
            said,
            ["Flux waits for ever for the Kustomization `flux-system/crd`, which is not defined; \
              did you mean crds?"]
        );
        let said = unmet(&waits("name: crds, namespace: apps"), "");
        assert_eq!(
            said,
            ["Flux waits for ever for the Kustomization `apps/crds`, which is not defined; \
              add namespace: flux-system, where there is one"]
        );
    }

    #[test]
    fn what_may_be_elsewhere_is_not() {
        let apps = app("ms", ", dependsOn: [{name: infra}]");
        let elsewhere = format!("//- bootstrap/infra.yaml\n{}", app("infra", ""));
        assert!(unmet(&apps, &elsewhere).is_empty());
        let remote = "//- apps/kustomization.yaml\nresources: [ms.yaml, github.com/a/b?ref=v1]\n";
        assert!(unmet(&apps, remote).is_empty());
        assert!(unmet(&app("ms", ", dependsOn: [{name: infra}], suspend: true"), "").is_empty());
        assert_eq!(unmet(&apps, "").len(), 1);
    }
}
