//! Where environments start, and what belongs to them.

mod attach;
mod built;
mod healthy;
mod loose;
mod places;
mod reaching;
mod selected;
mod variables;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rayon::prelude::*;

use self::loose::Loose;
use crate::{
    config::{Config, EnvironmentConfig},
    data::{
        groups::{self, Role},
        subject::is_named_in,
    },
    resolve::{
        bounds::Held,
        context::Context,
        environment::{EntryKind, Environment},
        flux,
        install::{Declared, Discovery},
        installers::Installers,
        layout::{self, Closure, FluxKustomization, Layout},
        names::{environment_dir, environment_of, environment_or_unnamed, settings_for},
    },
    source::{self, FileId, Relevance, Sources},
    tree::{Kind, Node, Origin},
};

/// A place from which an environment is resolved.
struct Start<'a> {
    name: String,
    kind: EntryKind,
    origin: Origin,
    /// The path that globs of the configuration may match.
    path: String,
    /// Flux Kustomizations to resolve, made up for a directory that no object names.
    roots: Vec<Root>,
    settings: Option<&'a EnvironmentConfig>,
    /// As [`Environment::aside`].
    aside: bool,
    /// What is applied with its roots.
    beside: Loose,
    /// What it reaches, if that is all and only autoscalers matter in it.
    scales: Option<BTreeSet<FileId>>,
    /// What its roots reach.
    closures: Vec<Arc<Closure>>,
}

enum Root {
    /// As an index into [`Layout::flux`].
    Object(usize),
    Dir(String),
}

/// Every environment of the repository that concerns us, in order of their names.
pub(crate) fn resolve(context: &Context<'_>) -> Vec<Environment> {
    resolve_for(context, &BTreeSet::new()).0
}

/// The same for somebody who asks about these files, unless there are none; and whether environments that
/// have nothing to do with these are left out.
pub(crate) fn resolve_for(
    context: &Context<'_>,
    files: &BTreeSet<FileId>,
) -> (Vec<Environment>, bool) {
    let layout = Layout::new(context.sources, context.config);
    let mut installers = Installers::new(context, &layout);
    let (mut starts, mut reached, beside) = starts(context, &layout, &installers);
    if context.spares {
        let scaled = starts.iter().filter_map(|it| it.scales.as_ref());
        let texts = healthy::Texts::new(context.sources, &scaled.flatten().copied().collect());
        // What names something that is not there fails, and is not as a whole what its texts say.
        let leads_out = |it: &Start<'_>| it.closures.iter().any(|it| it.leads_out);
        let may_lack = |it: &Start<'_>| {
            it.scales.as_ref().is_none_or(|files| leads_out(it) || !texts.are_healthy(files))
        };
        starts = starts.into_par_iter().filter(may_lack).collect();
    }
    let some = reaching::leave(context, &layout, &installers, &mut starts, files);
    let resolve = |start: &Start<'_>| {
        let (environment, dirs) = resolve_start(context, &layout, start);
        let found = installers.complete(&environment);
        (environment, found, built::beyond(&layout, start, &dirs))
    };
    let leave_out = |start: &Start<'_>| {
        let left_out = Held::left_out(&start.name, start.kind, &start.origin);
        let settings = start.settings.cloned();
        (Environment { settings, ..left_out }, Discovery::default(), Closure::default())
    };
    let resolved = Held::each(&starts, resolve, leave_out, |(environment, found, _)| {
        [environment].into_iter().chain(&found.environments).collect()
    });
    let beyond: Vec<&Closure> = resolved.iter().map(|(_, _, beyond)| beyond).collect();
    reached.extend(beyond.iter().flat_map(|it| &it.files));
    let built = built::by_others(&starts, &beyond);
    let resolved = starts.iter().zip(resolved).enumerate();
    let resolved = resolved.filter(|(index, _)| !built.contains(index));
    let resolved = resolved.map(|(_, (start, (it, found, _)))| (start.path.as_str(), it, found));
    let resolved = resolved.collect();
    let (mut environments, unread, more) = installers.finish(resolved, beside);
    if some {
        let names: BTreeSet<&str> = starts.iter().map(|it| &*it.name).collect();
        environments.retain(|it| names.contains(&*it.name));
    } else {
        reached.extend(more.files);
        let (reached, built) = (&mut reached, &more.dirs);
        attach::charts_of_applications(
            context,
            &layout,
            &installers,
            reached,
            &unread,
            &mut environments,
        );
        attach::loose(context, &layout, &installers, reached, built, &unread, &mut environments);
    }
    selected::apart(context, &mut environments);
    selected::elsewhere(context, &mut environments);
    variables::look_for_uses(context, &mut environments);
    for environment in &mut environments {
        if environment.settings.is_none() {
            environment.settings = settings_for(context.config, &environment.name, "").cloned();
        }
    }
    rename_aside(&mut environments);
    environments.sort_by(|a, b| a.name.cmp(&b.name));
    (environments, some)
}

/// What a start comes to, and the directories that Flux builds for it.
fn resolve_start(
    context: &Context<'_>,
    layout: &Layout<'_>,
    start: &Start<'_>,
) -> (Environment, BTreeSet<String>) {
    let mut environment = Environment::new(start.name.clone(), start.kind, start.origin.clone());
    environment.settings = start.settings.cloned();
    environment.aside = start.aside;
    start.beside.clone().join(&mut environment);
    let roots: Vec<Node> = start
        .roots
        .iter()
        .map(|root| match root {
            Root::Object(index) => layout.flux[*index].node.clone(),
            Root::Dir(dir) => kustomization_of(dir, &start.origin),
        })
        .collect();
    let dirs = flux::resolve(context, Some(layout), &roots, &mut environment);
    (environment, dirs)
}

/// A Flux Kustomization that builds `dir`, for an entry that is no object of the repository.
fn kustomization_of(dir: &str, origin: &Origin) -> Node {
    let node = |kind: Kind| Node::new(kind, origin.clone());
    let text = |text: &str| node(text.into());
    let metadata = [("name", text("entry")), ("namespace", text("flux-system"))];
    let spec = [("path", text(&format!("./{dir}")))];
    node(
        [
            ("apiVersion", text("kustomize.toolkit.fluxcd.io/v1")),
            ("kind", text("Kustomization")),
            ("metadata", node(metadata.into())),
            ("spec", node(spec.into())),
        ]
        .into(),
    )
}

/// Where environments start, every file that they reach, and what is beside the objects that others
/// start from.
fn starts<'a>(
    context: &Context<'a>,
    layout: &Layout<'a>,
    installers: &Installers<'_>,
) -> (Vec<Start<'a>>, BTreeSet<FileId>, Vec<(Relevance, Environment)>) {
    let config: &'a Config = context.config;
    let mut search = Search {
        layout,
        installers,
        starts: Vec::new(),
        files: installers.reached().files.clone(),
        dirs: installers.reached().dirs.clone(),
        flux: BTreeSet::new(),
        declared: installers.declared().clone(),
    };
    // What comes first takes what it reaches: what a person says, what Flux says, what is left.
    search.configured(config);
    search.flux_kustomizations(context.sources);
    search.kustomizations();
    let (mut starts, mut files, declared) = (search.starts, search.files, search.declared);
    distinguish(&mut starts);
    for start in &mut starts {
        if start.settings.is_none() {
            start.settings = settings_for(config, &start.name, &start.path);
        }
    }
    let mut beside = Vec::new();
    // What something builds is deployed with that.
    let declared: Vec<_> = declared.into_iter().filter(|(file, _)| files.insert(*file)).collect();
    for (file, names) in declared {
        let source = &context.sources[file];
        let found = Loose::beside(context.sources, file);
        let mut names = names.into_iter();
        let name = match (names.next(), names.next()) {
            (Some(name), None) => name,
            _ => environment_or_unnamed(&source.path).to_owned(),
        };
        match starts.iter_mut().find(|it| it.name == name) {
            Some(start) => {
                start.aside &= found.is_empty() || source.relevance != Relevance::Subject;
                start.beside.append(found);
                start.scales = None;
            }
            None => {
                let found = found.written(context, &name);
                beside.extend(found.map(|it| (source.relevance, it)));
            }
        }
    }
    (starts, files, beside)
}

/// The search for places where environments start, and what those found so far reach.
struct Search<'s, 'a> {
    layout: &'s Layout<'a>,
    installers: &'s Installers<'s>,
    starts: Vec<Start<'a>>,
    files: BTreeSet<FileId>,
    /// Directories with a kustomization.
    dirs: BTreeSet<String>,
    /// Flux Kustomizations, as indices into [`Layout::flux`].
    flux: BTreeSet<usize>,
    declared: Declared,
}

impl<'a> Search<'_, 'a> {
    fn reach(&mut self, closure: &Closure) {
        self.files.extend(&closure.files);
        self.dirs.extend(closure.dirs.iter().cloned());
        self.flux.extend(&closure.flux);
    }

    /// Whether a closure speaks of our subject, and whether it scales workloads.
    fn says(&self, closure: &Closure) -> (bool, bool) {
        let most = self.installers.relevance(closure);
        (
            closure.matters || most == Relevance::Subject,
            closure.scales || most == Relevance::Scaling,
        )
    }

    /// The directories that the configuration says something outside the repository builds.
    fn configured(&mut self, config: &'a Config) {
        for settings in &config.environments {
            let Some((entry, origin)) = &settings.entry else { continue };
            let dir = source::join("", entry.trim_start_matches('/')).unwrap_or_default();
            let closure = self.layout.closure(&dir, true);
            self.reach(&closure);
            self.starts.push(Start {
                name: settings.name.clone(),
                kind: EntryKind::Flux,
                origin: origin.clone(),
                path: dir.clone(),
                roots: vec![Root::Dir(dir)],
                settings: Some(settings),
                aside: false,
                beside: Loose::default(),
                scales: None,
                closures: vec![closure],
            });
        }
    }

    /// Flux Kustomizations that nothing else builds, those of one directory together.
    fn flux_kustomizations(&mut self, sources: &Sources) {
        let layout = self.layout;
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in outermost(layout) {
            let flux = &layout.flux[index];
            let apart = layout.is_excluded(flux.file) || layout.is_parked(flux);
            if !self.flux.contains(&index) && !apart {
                let dir = source::parent(&sources[flux.file].path);
                groups.entry(environment_dir(dir)).or_default().push(index);
            }
        }
        // A file may hold any number of Kustomizations.
        let mut besides = BTreeMap::<FileId, Relevance>::new();
        let mut beside = |file: FileId| {
            *besides.entry(file).or_insert_with(|| match Loose::beside(sources, file).is_empty() {
                true => Relevance::None,
                false => sources[file].relevance,
            })
        };
        for (dir, members) in together(layout, groups) {
            let (mut matters, mut scales) = (false, false);
            let (mut files, mut closures) = (BTreeSet::new(), Vec::new());
            for flux in members.iter().map(|index| &layout.flux[*index]) {
                let closure = built_by(layout, flux);
                // What it builds may be elsewhere; then its name or path says what that is.
                let named = is_named_in(flux.node.object_name())
                    || flux.node.str_at("spec.path").is_some_and(is_named_in);
                let (speaks, its) = self.says(&closure);
                let most = beside(flux.file);
                matters |= speaks || flux.dir.is_none() || named || most == Relevance::Subject;
                scales |= its || most == Relevance::Scaling;
                files.extend(&closure.files);
                files.insert(flux.file);
                self.reach(&closure);
                closures.push(closure);
                self.declared.entry(flux.file).or_default().insert(dir.clone());
            }
            self.flux.extend(&members);
            let Some(first) = members.first().filter(|_| matters || scales) else { continue };
            let files_of = members.iter().map(|index| layout.flux[*index].file);
            let beside = Loose::variables(layout, sources, files_of, &self.files);
            self.starts.push(Start {
                name: dir.clone(),
                kind: EntryKind::Flux,
                origin: layout.flux[*first].node.object_anchor().clone(),
                path: dir,
                roots: members.iter().copied().map(Root::Object).collect(),
                settings: None,
                aside: !matters,
                beside,
                scales: (!matters).then_some(files),
                closures,
            });
        }
    }

    /// Kustomizations that nothing includes. Those of a cycle all include each other; the first in
    /// path order then stands for them.
    fn kustomizations(&mut self) {
        let layout = self.layout;
        let included = layout.included_dirs();
        let roots = layout.roots().filter(|it| !self.dirs.contains(*it));
        let (inner, outer): (Vec<_>, Vec<_>) = roots.partition(|it| included.contains(it));
        let first = leading(layout, &outer);
        for dir in first.into_iter().chain(outer).chain(inner) {
            let Some(file) = layout.kustomization(dir).filter(|_| !self.dirs.contains(dir)) else {
                continue;
            };
            let closure = layout.closure(dir, true);
            let (matters, scales) = self.says(&closure);
            let files = (scales && !matters).then(|| closure.files.clone());
            self.reach(&closure);
            if (matters || scales) && !layout.is_excluded(file) {
                self.starts.push(Start {
                    name: environment_dir(dir),
                    kind: EntryKind::Kustomization,
                    origin: Origin::start_of(file),
                    path: dir.to_owned(),
                    roots: vec![Root::Dir(dir.to_owned())],
                    settings: None,
                    aside: !matters,
                    beside: Loose::default(),
                    scales: files,
                    closures: vec![closure],
                });
            }
        }
    }
}

/// The groups of Flux Kustomizations that are of one cluster: those that lie in one environment by
/// their directories, unless two objects have one name, which one cluster cannot have.
fn together(
    layout: &Layout<'_>,
    groups: BTreeMap<String, Vec<usize>>,
) -> BTreeMap<String, Vec<usize>> {
    let mut places: BTreeMap<String, Vec<(String, Vec<usize>)>> = BTreeMap::new();
    for (dir, members) in groups {
        let inside = format!("{dir}/");
        let place = environment_of(&inside).unwrap_or(&dir).to_owned();
        places.entry(place).or_default().push((dir, members));
    }
    let mut together = BTreeMap::new();
    for (place, groups) in places {
        let mut names = BTreeSet::new();
        let mut is_new = |index: &usize| {
            let node = layout.flux[*index].node;
            names.insert((node.object_namespace(), node.object_name()))
        };
        let all = || groups.iter().flat_map(|(_, members)| members);
        if groups.len() > 1 && all().all(&mut is_new) {
            together.insert(place, all().copied().collect());
        } else {
            together.extend(groups);
        }
    }
    together
}

/// Those of `dirs` that have Flux build others of them, and that none of the others leads to: they
/// are what a cluster starts from, as its `flux-system`.
fn leading<'d>(layout: &Layout<'_>, dirs: &[&'d str]) -> Vec<&'d str> {
    if layout.flux.is_empty() {
        return Vec::new();
    }
    let dirs = dirs.iter().copied();
    let dirs: Vec<&str> = dirs.filter(|it| !layout.closure(it, false).flux.is_empty()).collect();
    let index: BTreeMap<&str, usize> = dirs.iter().copied().zip(0..).collect();
    let next = dirs.iter().map(|dir| {
        let reached = layout.closure(dir, true);
        reached.dirs.iter().filter_map(|it| index.get(&**it).copied()).collect()
    });
    let next: Vec<BTreeSet<usize>> = next.collect();
    layout::starts(&BTreeSet::new(), &next).into_iter().map(|it| dirs[it]).collect()
}

/// What a Flux Kustomization reaches by the directory that it builds.
fn built_by(layout: &Layout<'_>, flux: &FluxKustomization<'_>) -> Arc<Closure> {
    flux.dir.as_ref().map_or_else(Arc::default, |dir| layout.closure(dir, true))
}

/// The Flux Kustomizations that nothing else in the repository builds.
fn outermost(layout: &Layout<'_>) -> BTreeSet<usize> {
    if layout.flux.is_empty() {
        return BTreeSet::new();
    }
    // Many may build one directory.
    let mut dirs: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut closures: Vec<Arc<Closure>> = Vec::new();
    let groups = layout.flux.iter().map(|flux| {
        *dirs.entry(flux.dir.as_deref()).or_insert_with(|| {
            let closure = flux.dir.as_ref().map(|dir| layout.closure(dir, false));
            closures.push(closure.unwrap_or_default());
            closures.len() - 1
        })
    });
    let groups: Vec<usize> = groups.collect();
    // An overlay that nothing includes is built by a Flux Kustomization outside the repository.
    let included = layout.included_dirs();
    let dirs: BTreeSet<&str> =
        closures.iter().flat_map(|it| &it.dirs).map(String::as_str).collect();
    let overlays = layout.roots().filter(|dir| !included.contains(dir) && !dirs.contains(dir));
    let built = layout.closure_of_all(overlays, false).flux;
    let next: Vec<&BTreeSet<usize>> = closures.iter().map(|it| &it.flux).collect();
    layout::shared_starts(&groups, &built, &next).into_iter().collect()
}

/// Gives starts of one name names that differ; those that are aside give way.
fn distinguish(starts: &mut [Start<'_>]) {
    let mut count: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for start in starts.iter() {
        let [main, all] = count.entry(start.name.clone()).or_default();
        *main += usize::from(!start.aside);
        *all += 1;
    }
    let is_one_of_several = |it: &Start<'_>| {
        count.get(&it.name).is_some_and(|[main, all]| *if it.aside { all } else { main } > 1)
    };
    for start in starts.iter_mut().filter(|it| is_one_of_several(it)) {
        if start.settings.is_none() && !start.path.is_empty() {
            start.name.clone_from(&start.path);
        }
    }
}

/// Gives environments that are aside names that no other one has.
fn rename_aside(environments: &mut [Environment]) {
    let mut taken: BTreeSet<String> =
        environments.iter().filter(|it| !it.aside).map(|it| it.name.clone()).collect();
    for environment in environments.iter_mut().filter(|it| it.aside) {
        while !taken.insert(environment.name.clone()) {
            environment.name += " (autoscalers)";
        }
    }
}

/// Whether an object says how a cluster's nodes are made rather than what they run.
pub(crate) fn defines_nodes(node: &Node) -> bool {
    let version = node.str_at("apiVersion").unwrap_or_default();
    let role = version.split_once('/').and_then(|(group, _)| groups::role(group));
    let kubelet_config = node.str_at("kind") == Some("ConfigMap")
        && node.str_at("metadata.name").is_some_and(|it| it.starts_with("kubelet-config"));
    kubelet_config
        || matches!(
            role,
            Some(Role::ConfiguresKubelets | Role::DefinesNodes | Role::DefinesOwnNodes)
        )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::tests::{fixture_with, with};

    /// A Kustomization of Flux, but for its path.
    const FLUX: &str = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: x}
spec:
  sourceRef: {kind: GitRepository, name: flux-system}
";

    const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server}
";

    /// The environments of a repository as `name kind entry-path`.
    fn environments(files: &str) -> String {
        let sources = fixture_with(&[("FLUX", FLUX), ("DEPLOYMENT", DEPLOYMENT)], files);
        let path = |origin: &Origin| origin.written_at().map_or("", |it| &sources[it.file].path);
        let environments = with(&sources, resolve).into_iter();
        let lines = environments
            .map(|it| format!("{} {} {}", it.name, it.entry.kind.id(), path(&it.entry.origin)));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_flux_tree_starts_where_nothing_builds_it() {
        assert_snapshot!(environments("
            //- clusters/prod/flux-system/gotk-sync.yaml
            FLUX
              path: ./clusters/prod
            //- clusters/prod/flux-system/kustomization.yaml
            resources: [gotk-sync.yaml]
            //- clusters/prod/apps.yaml
            FLUX
              path: ./apps
            //- apps/ms.yaml
            DEPLOYMENT
        "), @"clusters/prod flux-kustomization clusters/prod/flux-system/gotk-sync.yaml");
    }

    /// A cluster whose Flux Kustomizations get other paths than are written in `base`.
    const PATCHED: &str = "
//- workloads/ms/ms.yaml
DEPLOYMENT
//- clusters/base/ms.yaml
FLUX
  path: ./workloads/ms
//- clusters/base/kustomization.yaml
resources: [ms.yaml]
//- clusters/prod/gotk-sync.yaml
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system}
spec: {path: ./clusters/prod, sourceRef: {kind: GitRepository, name: flux-system}}
//- clusters/prod/kustomization.yaml
resources: [gotk-sync.yaml, ../base]
patches:
- target: {kind: Kustomization, name: x}
  patch: '- {op: replace, path: /spec/path, value: ./workloads/prod}'
";

    #[test]
    fn what_a_patched_path_leads_to_is_built() {
        let found = |rest: &str| environments(&format!("{PATCHED}{rest}"));
        let expected = "clusters/prod flux-kustomization clusters/prod/gotk-sync.yaml";
        let deployed = "//- workloads/prod/ms.yaml\nDEPLOYMENT\n";
        assert_eq!(found(deployed), expected);
        let overlay = "//- workloads/prod/kustomization.yaml\nresources: [ms.yaml]\n";
        assert_eq!(found(&format!("{deployed}{overlay}")), expected);
        let inner = "
//- workloads/prod/apps.yaml
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps}
spec: {path: ./apps, sourceRef: {kind: GitRepository, name: flux-system}}
//- apps/ms.yaml
DEPLOYMENT
";
        assert_eq!(found(inner), expected);
        let elsewhere = "//- workloads/test/ms.yaml\nDEPLOYMENT\n";
        let expected = format!("{expected}\ndefault manifests workloads/test/ms.yaml");
        assert_eq!(found(&format!("{deployed}{elsewhere}")), expected);
    }

    #[test]
    fn what_a_substituted_path_leads_to_is_built() {
        assert_snapshot!(environments("
            //- clusters/prod/apps.yaml
            FLUX
              path: ./apps
              postBuild: {substitute: {TIER: prod}}
            //- apps/ms.yaml
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {name: ms}
            spec: {path: './workloads/${TIER}', sourceRef: {kind: GitRepository, name: flux-system}}
            //- workloads/prod/ms.yaml
            DEPLOYMENT
        "), @"clusters/prod flux-kustomization clusters/prod/apps.yaml");
    }

    #[test]
    fn what_components_of_a_flux_kustomization_add_is_built() {
        assert_snapshot!(environments("
            //- clusters/prod/apps.yaml
            FLUX
              path: ./apps
              components: [../parts]
            //- apps/kustomization.yaml
            resources: [ms.yaml]
            //- apps/ms.yaml
            DEPLOYMENT
            //- parts/kustomization.yaml
            kind: Component
            resources: [more.yaml]
            //- parts/more.yaml
            apiVersion: v1
            kind: Service
            metadata: {name: metrics-server}
        "), @"clusters/prod flux-kustomization clusters/prod/apps.yaml");
    }

    #[test]
    fn an_overlay_that_nothing_includes_is_an_environment() {
        assert_snapshot!(environments("
            //- base/services/kustomization.yaml
            resources: [ms.yaml]
            //- base/services/ms.yaml
            FLUX
              path: ./apps
            //- clusters/stages/dev/services/kustomization.yaml
            resources: [../../../../base/services]
            //- clusters/stages/prod/services/kustomization.yaml
            resources: [../../../../base/services]
            //- apps/ms.yaml
            DEPLOYMENT
            //- other/kustomization.yaml
            resources: [x.yaml]
        "), @"
        clusters/stages/dev kustomization clusters/stages/dev/services/kustomization.yaml
        clusters/stages/prod kustomization clusters/stages/prod/services/kustomization.yaml
        ");
    }

    #[test]
    fn a_chart_beside_a_kustomization_is_an_environment_unless_that_is_made_of_it() {
        let chart = "
            //- ms/Chart.yaml
            {apiVersion: v2, name: ms, version: 1.0.0, dependencies: [
              {name: metrics-server, version: 3.12.2, repository: 'https://kubernetes-sigs.github.io/metrics-server/'}]}
            //- ms/values.yaml
            metrics-server: {replicas: 1}
            //- ms/ns.yaml
            {apiVersion: v1, kind: Namespace, metadata: {name: metrics-server}}
            //- ms/made.yaml
            DEPLOYMENT
            //- ms/generator.yaml
            {apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: x}, name: metrics-server}
            //- ms/plugin.yaml
            {apiVersion: acme.org/v1, kind: Other, metadata: {name: x}}
            //- other/kustomization.yaml
            resources: [../ms]
            //- ms/kustomization.yaml
            KUSTOMIZATION
            ";
        let argo = "
            //- apps/app.yaml
            apiVersion: argoproj.io/v1alpha1
            kind: Application
            metadata: {name: ms, namespace: argocd}
            spec:
              destination: {name: prod, namespace: kube-system}
              source: {repoURL: 'https://github.com/acme/platform.git', path: ms}
            ";
        let in_kustomization =
            format!("{argo}//- apps/kustomization.yaml\n            resources: [app.yaml]\n");
        let inflated = "[{name: metrics-server, version: 3.12.2}]";
        for (kustomization, more, is_one) in [
            ("resources: [ns.yaml]", "", true),
            ("{resources: [ns.yaml], helmCharts: []}", "", true),
            ("{resources: [ns.yaml], generators: [plugin.yaml]}", "", true),
            ("{resources: [ns.yaml], namePrefix: metrics-server-}", "", true),
            ("resources: [ns.yaml]", argo, false),
            ("resources: [ns.yaml]", &in_kustomization, false),
            (&format!("helmCharts: {inflated}"), "", false),
            (&format!("helmChartInflationGenerator: {inflated}"), "", false),
            ("generators: [generator.yaml]", "", false),
            ("resources: [ns.yaml, made.yaml]", "", false),
            // A post-renderer of Helm has its input written there.
            ("resources: [ns.yaml, all.yaml]", "", false),
        ] {
            let files =
                chart.replace("KUSTOMIZATION", kustomization) + more.trim_start_matches('\n');
            let found = environments(&files);
            assert_eq!(found.contains("values-file ms/"), is_one, "{kustomization}: {found}");
        }
    }

    #[test]
    fn charts_of_a_kustomization_are_inflated_unless_flux_builds_it() {
        let chart = "
            //- ms/kustomization.yaml
            helmCharts:
            - {name: metrics-server, repo: 'https://kubernetes-sigs.github.io/metrics-server/',
               version: 3.12.2, releaseName: metrics-server, namespace: kube-system}
        ";
        let flux = "
            //- clusters/a/ms.yaml
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {name: ms, namespace: flux-system}
            spec: {path: ./ms, sourceRef: {kind: GitRepository, name: flux-system}}
        ";
        for (files, is_inflated) in [(chart.to_owned(), true), (format!("{chart}{flux}"), false)] {
            let sources = fixture_with(&[], &files);
            let environments = with(&sources, resolve);
            let objects = environments.iter().flat_map(|it| &it.objects);
            assert_eq!(objects.filter(|it| it.kind() == "Deployment").count() == 1, is_inflated);
            let mut problems = environments.iter().flat_map(|it| &it.problems);
            assert_eq!(problems.any(|it| it.message.starts_with("Flux builds")), !is_inflated);
        }
    }

    #[test]
    fn a_kustomization_without_a_source_is_the_text_of_a_patch() {
        assert_snapshot!(environments("
            //- apps/patch.yaml
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {name: metrics-server}
            spec: {suspend: true}
            //- clusters/a/ms.yaml
            DEPLOYMENT
            //- .pre-commit-config.yaml
            repos: []
        "), @"
        clusters/a manifests clusters/a/ms.yaml
        default manifests apps/patch.yaml
        ");
    }

    #[test]
    fn a_release_without_a_chart_is_the_text_of_a_patch() {
        let release = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: metrics-server, namespace: kube-system}
";
        let of = |spec: &str| environments(&format!("//- apps/dev/patch.yaml\n{release}{spec}\n"));
        for patch in ["", "spec: {values: {a: 1}}", "spec: {chart: {spec: {version: 3.12.2}}}"] {
            assert_eq!(of(patch), "", "{patch}");
        }
        for spec in ["{chart: {spec: {chart: a}}}", "{chartRef: {name: a}}", "${SPEC}"] {
            let found = of(&format!("spec: {spec}"));
            assert_eq!(found, "default manifests apps/dev/patch.yaml", "{spec}");
        }
        let kustomization = "//- dev/kustomization.yaml\nresources: [a.yaml]\n//- dev/a.yaml\n";
        let sources = fixture_with(&[], &format!("{kustomization}{release}"));
        let environments = with(&sources, resolve);
        let mut problems = environments.iter().flat_map(|it| &it.problems);
        assert!(
            problems.any(|it| it.message.ends_with("names no chart")),
            "what is built is refused"
        );
    }

    #[test]
    fn what_is_parked_beside_a_bootstrapped_cluster_starts_nothing() {
        assert_snapshot!(environments("
            //- clusters/a/flux-system/gotk-sync.yaml
            FLUX
              path: ./clusters/a
            //- clusters/a/ms.yaml
            DEPLOYMENT
            //- parked/gone.yaml
            FLUX
              path: ./gone
        "), @"clusters/a flux-kustomization clusters/a/flux-system/gotk-sync.yaml");
    }

    #[test]
    fn a_cycle_is_still_somebodys_environment() {
        assert_snapshot!(environments("
            //- a/kustomization.yaml
            resources: [../b] # metrics-server
            //- b/kustomization.yaml
            resources: [../a]
        "), @"a kustomization a/kustomization.yaml");
    }

    #[test]
    fn a_kustomization_that_is_not_yaml_is_not_silent() {
        assert_snapshot!(environments("
            //- overlay/kustomization.yaml
            resources: [../base
            //- base/kustomization.yaml
            resources: [ms.yaml]
            //- base/ms.yaml
            DEPLOYMENT
        "), @"overlay kustomization overlay/kustomization.yaml");
    }

    #[test]
    fn loose_manifests_that_cannot_be_of_one_cluster_are_apart() {
        assert_snapshot!(environments("
            //- deploy/new/apps/ms.yaml
            DEPLOYMENT
            //- deploy/old/ms.yaml
            DEPLOYMENT
            //- kubelet.yaml
            apiVersion: kubelet.config.k8s.io/v1beta1
            kind: KubeletConfiguration
        "), @"
        default manifests kubelet.yaml
        deploy/new manifests deploy/new/apps/ms.yaml
        deploy/old manifests deploy/old/ms.yaml
        ");
        assert_snapshot!(environments("
            //- a/one.yaml
            DEPLOYMENT
            //- a/two.yaml
            DEPLOYMENT
            //- a/three.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server, namespace: '${X}'}
            //- b/ms.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server, namespace: other}
        "), @"
        a manifests a/three.yaml
        a/one.yaml manifests a/one.yaml
        a/two.yaml manifests a/two.yaml
        default manifests b/ms.yaml
        ");
        assert_snapshot!(environments("
            //- ms.yaml
            DEPLOYMENT
            //- old/ms.yaml
            DEPLOYMENT
        "), @"
        default manifests ms.yaml
        old manifests old/ms.yaml
        ");
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: metrics-server}\n";
        let twice = format!("//- a/ms.yaml\n{namespace}//- b/ms.yaml\n{namespace}");
        assert_snapshot!(environments(&twice), @"default manifests a/ms.yaml");
    }

    #[test]
    fn loose_manifests_are_environments_by_their_directories() {
        assert_snapshot!(environments("
            //- clusters/a/ms.yaml
            DEPLOYMENT
            //- envs/b/ms.yaml
            DEPLOYMENT
            //- kubelet.yaml
            apiVersion: kubelet.config.k8s.io/v1beta1
            kind: KubeletConfiguration
        "), @"
        clusters/a manifests clusters/a/ms.yaml
        default manifests kubelet.yaml
        envs/b manifests envs/b/ms.yaml
        ");
    }

    #[test]
    fn what_starts_flux_takes_what_it_builds_beside_it() {
        assert_snapshot!(environments("
            //- clusters/a/flux-system/kustomization.yaml
            resources: [sync.yaml]
            //- clusters/a/flux-system/sync.yaml
            FLUX
            spec: {path: ./clusters/a, sourceRef: {kind: GitRepository, name: flux-system}}
            //- clusters/a/kustomization.yaml
            resources: [apps.yaml]
            //- clusters/a/apps.yaml
            FLUX
            spec: {path: ./apps, sourceRef: {kind: GitRepository, name: flux-system}}
            //- apps/ms.yaml
            DEPLOYMENT
        "), @"clusters/a kustomization clusters/a/flux-system/kustomization.yaml");
    }

    #[test]
    fn a_chart_that_loose_manifests_install_is_no_environment() {
        assert_snapshot!(environments("
            //- charts/ms/Chart.yaml
            {name: ms, version: 1.0.0}
            //- charts/ms/templates/ms.yaml
            DEPLOYMENT
            //- clusters/a/release.yaml
            apiVersion: helm.toolkit.fluxcd.io/v2
            kind: HelmRelease
            metadata: {name: metrics-server, namespace: kube-system}
            spec:
              chart:
                spec: {chart: ./charts/ms, sourceRef: {kind: GitRepository, name: flux-system}}
        "), @"clusters/a manifests clusters/a/release.yaml");
    }

    #[test]
    fn flux_kustomizations_of_one_cluster_are_one_environment() {
        let files = |second: &str| {
            format!(
                "
            //- clusters/x/infrastructure/ks.yaml
            FLUX
            spec: {{path: ./infra, sourceRef: {{kind: GitRepository, name: flux-system}}}}
            //- clusters/x/workloads/ks.yaml
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {{name: {second}}}
            spec: {{path: ./apps, sourceRef: {{kind: GitRepository, name: flux-system}}}}
            //- apps/ms.yaml
            DEPLOYMENT
            //- infra/ms.yaml
            DEPLOYMENT
        "
            )
        };
        let one = "clusters/x flux-kustomization clusters/x/infrastructure/ks.yaml";
        assert_eq!(environments(&files("y")).trim(), one);
        assert_eq!(environments(&files("x")).lines().count(), 2, "one cluster cannot have both");
    }

    #[test]
    fn what_is_beside_the_objects_that_start_an_environment_is_part_of_it() {
        let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application
metadata: {name: web}\nspec:\n  destination: {name: in-cluster}
  source: {repoURL: 'https://x.test', chart: x}";
        let set = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: web}
spec: {generators: [{list: {elements: []}}], template: {}}";
        let flux = format!("{FLUX}  path: ./web");
        let substituted = format!(
            "{flux}\n  postBuild: {{substituteFrom: [{{kind: ConfigMap, name: vars}}]}}\n---
apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: vars}}\ndata: {{N: x}}"
        );
        let both = format!("{application}\n---\n{flux}");
        let web = "//- web/ns.yaml\napiVersion: v1\nkind: Namespace\nmetadata: {name: '${N:=x}'}";
        for start in [application, set, &flux, &substituted, &both] {
            for file in
                [format!("{start}\n---\n{DEPLOYMENT}"), format!("{DEPLOYMENT}\n---\n{start}")]
            {
                let path = "clusters/a/all.yaml";
                let sources = fixture_with(&[], &format!("//- {path}\n{file}\n{web}"));
                let environments = with(&sources, resolve);
                let [environment] = &*environments else { panic!("{environments:?}\n{file}") };
                assert_eq!(environment.name, "clusters/a");
                let deployments = environment.objects.iter().filter(|it| it.kind() == "Deployment");
                assert_eq!(deployments.count(), 1, "{file}");
                let mut problems = environment.problems.iter();
                assert!(!problems.any(|it| it.message.contains("vars")), "{file}");
            }
        }
    }

    #[test]
    fn what_builds_its_own_file_has_what_is_in_it_once() {
        let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application
metadata: {name: web}\nspec:\n  destination: {name: in-cluster}
  source: {repoURL: 'https://x.test/own', path: clusters/a}";
        let flux = format!("{FLUX}  path: ./clusters/a");
        for start in [application, &flux] {
            let file = format!("//- clusters/a/all.yaml\n{start}\n---\n{DEPLOYMENT}");
            let sources = fixture_with(&[], &file);
            let environments = with(&sources, resolve);
            let objects = environments.iter().flat_map(|it| &it.objects);
            assert_eq!(objects.filter(|it| it.kind() == "Deployment").count(), 1, "{start}");
        }
    }

    /// The environment whose files `path` is among, when all are resolved.
    fn home_of(path: &str, files: &str) -> Option<String> {
        let sources = fixture_with(&[("FLUX", FLUX), ("DEPLOYMENT", DEPLOYMENT)], files);
        let file = sources.find(path).expect("it is there");
        let environments = with(&sources, resolve).into_iter();
        let mut with_it = environments.filter(|it| it.files.contains(&file));
        with_it.next().map(|it| it.name)
    }

    const K3S: &str = "
            //- k3s/config.yaml
            write-kubeconfig-mode: '0644'
            ";

    #[test]
    fn one_definition_of_a_cluster_belongs_to_one_set_of_manifests() {
        let manifests = "
            //- clusters/a/ms.yaml
            DEPLOYMENT
            ";
        let home = |more: &str| home_of("k3s/config.yaml", &format!("{K3S}\n{more}"));
        assert_eq!(home(manifests).as_deref(), Some("clusters/a"));
        let two = "
            //- clusters/b/ms.yaml
            DEPLOYMENT
            ";
        assert_eq!(home(&format!("{manifests}\n{two}")).as_deref(), Some("default"));
        // The other way round: the definition says which cluster it is, the manifests do not.
        let defined = "
            //- clusters/a/k3s.yaml
            write-kubeconfig-mode: '0644'
            //- manifests/ms.yaml
            DEPLOYMENT
            ";
        assert_eq!(home_of("clusters/a/k3s.yaml", defined).as_deref(), Some("default"));
        let another = "
            //- clusters/a/k3s.yaml
            write-kubeconfig-mode: '0644'
            //- clusters/b/ms.yaml
            DEPLOYMENT
            ";
        assert_eq!(home_of("clusters/a/k3s.yaml", another).as_deref(), Some("clusters/a"));
    }

    #[test]
    fn what_is_parked_in_a_directory_that_flux_builds_is_no_other_cluster() {
        let files = |parked: &str| {
            format!(
                "{K3S}
            //- cluster/ks.yaml
            FLUX
              path: ./apps
            //- apps/kustomization.yaml
            resources: [ms.yaml]
            //- apps/ms.yaml
            DEPLOYMENT
            //- {parked}/ks.yaml
            FLUX
              path: ./web
            //- web/kustomization.yaml
            resources: [cm.yaml]
            //- web/cm.yaml
            apiVersion: v1
            kind: ConfigMap
            metadata: {{name: x}}
            data: {{text: metrics-server}}
            "
            )
        };
        let home = |parked: &str| home_of("k3s/config.yaml", &files(parked));
        assert_eq!(home("apps/web").as_deref(), Some("cluster"));
        assert_eq!(home("apps/web/deep").as_deref(), Some("cluster"));
        assert_eq!(home("second").as_deref(), Some("default"), "it may be another cluster's");
    }

    #[test]
    fn what_only_holds_a_word_is_no_other_cluster() {
        let home = home_of(
            "k3s/config.yaml",
            &format!(
                "{K3S}
            //- apps/kustomization.yaml
            resources: [ms.yaml]
            //- apps/ms.yaml
            DEPLOYMENT
            //- disabled/kustomization.yaml
            resources: [cm.yaml]
            //- disabled/cm.yaml
            apiVersion: v1
            kind: ConfigMap
            metadata: {{name: x}}
            data: {{image: ghcr.io/siderolabs/installer}}
            "
            ),
        );
        assert_eq!(home.as_deref(), Some("apps"));
    }
}
