//! What no environment reaches: which of it are environments, and to which the rest belongs.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{
    built,
    loose::{Groups, Loose, sets},
    places::{self, ClusterPlace, home},
};
use crate::{
    config::{Config, Globs},
    data::kinds::AUTOSCALERS,
    resolve::{
        bounds::Held,
        context::Context,
        environment::{EntryKind, Environment, UNNAMED},
        helm,
        install::{Called, Reached},
        installers::{self, Installers},
        layout::{self, Layout},
        names::{environment_of, environment_or_unnamed, settings_for},
        values_file::{self, Unread},
    },
    scalar::Dialect,
    source::{self, FileId, Relevance, Source, Sources},
    tree::Origin,
};

/// Files that no environment reaches: charts, values files and manifests become environments of
/// their own, manifests by the directory they lie in, and what defines a cluster's nodes goes to
/// the environment of that cluster.
pub(super) fn loose(
    context: &Context<'_>,
    layout: &Layout<'_>,
    installers: &Installers<'_>,
    reached: &BTreeSet<FileId>,
    built: &BTreeSet<String>,
    unread: &[Origin],
    environments: &mut Vec<Environment>,
) {
    let sources = context.sources;
    let LooseFiles { mut charts, scaling, values, mut others, .. } =
        loose_files(context, layout, reached);
    let inside = built::inside(sources, layout, built, environments);
    charts.retain(|it| !layout.has_kustomization(it) || !inside(it));
    let scaled = scaled(layout, sources, reached, &mut others);
    let mut manifests = Groups::new();
    let mut definitions = Vec::new();
    for file in others {
        let path = &sources[file].path;
        let mut found = Loose::default();
        found.add(sources, file);
        definitions.push((path.as_str(), found.take_definitions()));
        if layout::is_packed(sources, path) {
            continue;
        }
        manifests.entry(environment_or_unnamed(path)).or_default().push((path, found));
    }
    for (name, loose) in sets(manifests) {
        let name = not_built(environments, name);
        if let Some(environment) = loose.written(context, &name) {
            installers.apply(environment, environments);
        }
    }
    // A chart or a values file is for itself only when none of the others installs it.
    let problems: Vec<Origin> =
        environments.iter().flat_map(|it| &it.problems).map(|it| it.at.clone()).collect();
    let unread = Unread::new(sources, unread.iter().chain(&problems));
    let scaling = scaling.difference(&charts).copied().collect();
    attach_charts(context, &unread, charts, environments);
    attach_scaling(context, &unread, scaling, environments);
    let names: BTreeSet<String> = environments.iter().map(|it| it.name.clone()).collect();
    definitions.retain(|(path, _)| !names.contains(*path));
    // The chart beside one may have been installed with it.
    let alone = values.into_iter().filter(|file| {
        let path = &sources[*file].path;
        !names.contains(path) && !values_file::is_for_no_cluster(context, path)
    });
    let of_values = Held::each(
        &alone.collect::<Vec<_>>(),
        |file| values_file::environment(context, &unread, *file),
        |file| {
            let (path, at) = (&sources[*file].path, Origin::start_of(*file));
            Some(Held::left_out(path, EntryKind::Values, &at))
        },
        |made| made.iter().collect(),
    );
    environments.extend(of_values.into_iter().flatten());
    // What defines nodes is none of an environment that is not about them.
    let aside: Vec<Environment> = environments.extract_if(.., |it| it.aside).collect();
    attach_definitions(context, layout, installers.called(), definitions, environments);
    environments.extend(aside);
    parse_loose(sources, scaled.values().flatten().copied());
    for (dir, files) in scaled {
        let mut found = Loose::default();
        for file in files {
            found.add(sources, file);
        }
        let name = if dir.is_empty() { UNNAMED } else { dir };
        let found = found.found(context, name);
        environments.extend(found.map(|it| Environment { aside: true, ..it }));
    }
}

/// Parses `files` in all threads, which then are looked at one by one.
fn parse_loose(sources: &Sources, files: impl Iterator<Item = FileId>) {
    let files: Vec<FileId> = files.filter(|it| layout::is_yaml(&sources[*it].path)).collect();
    files.par_iter().for_each(|it| {
        sources.documents(*it, Dialect::Sigs);
    });
}

/// The manifests that no environment reaches in each directory where one of them scales workloads:
/// nothing else says what these are. Where some of a directory are among `others`, all are.
fn scaled<'a>(
    layout: &Layout<'a>,
    sources: &'a Sources,
    reached: &BTreeSet<FileId>,
    others: &mut Vec<FileId>,
) -> BTreeMap<&'a str, Vec<FileId>> {
    let is_loose = |file: FileId| {
        let path = &sources[file].path;
        layout::is_yaml(path)
            && !layout::is_kustomization(path)
            && !layout.is_template_dir(file)
            && !layout::is_packed(sources, path)
            && !layout.is_excluded(file)
            && !reached.contains(&file)
    };
    let speaking: BTreeSet<FileId> = others.iter().copied().collect();
    let says = |file, word: &str| sources.text(file).contains(word);
    let is_scaler = |file: FileId| match sources[file].relevance {
        Relevance::Scaling => is_loose(file),
        Relevance::Subject => {
            speaking.contains(&file) && AUTOSCALERS.iter().any(|it| says(file, it))
        }
        _ => false,
    };
    let dirs: BTreeSet<&str> = sources
        .iter()
        .filter(|(file, _)| is_scaler(*file))
        .map(|(_, it)| source::parent(&it.path))
        .filter(|dir| !layout.has_kustomization(dir))
        .collect();
    let mut scaled = BTreeMap::new();
    for dir in dirs {
        let beside = |file: &FileId| {
            is_loose(*file) && layout::is_text(sources, *file) && says(*file, "apiVersion")
        };
        let files: Vec<FileId> = sources.files_in(dir).filter(beside).collect();
        if files.iter().any(|it| speaking.contains(it)) {
            others.extend(files);
        } else {
            scaled.insert(dir, files);
        }
    }
    others.sort_unstable();
    others.dedup();
    scaled
}

/// Files that no environment reaches and that speak of our subject, by what they are.
#[derive(Default)]
struct LooseFiles<'a> {
    /// The directories of charts that install it.
    charts: BTreeSet<&'a str>,
    /// The directories of charts that scale workloads.
    scaling: BTreeSet<&'a str>,
    /// The directories of charts that make other installers deploy something.
    deploying: BTreeSet<&'a str>,
    /// Whether there are any files, also such as count with what they belong to.
    is_some: bool,
    /// Values files.
    values: Vec<FileId>,
    /// Manifests, and what else tells of a cluster.
    others: Vec<FileId>,
}

fn loose_files<'a>(
    context: &Context<'a>,
    layout: &Layout<'a>,
    reached: &BTreeSet<FileId>,
) -> LooseFiles<'a> {
    let sources = context.sources;
    let mut found = LooseFiles::default();
    let unreached = |it: &(FileId, &Source)| !reached.contains(&it.0);
    let scaling = sources.iter().filter(|(_, it)| it.relevance == Relevance::Scaling);
    let scaling = scaling.filter(unreached);
    let charts = scaling.filter_map(|(file, _)| layout.chart_of(file));
    found.scaling.extend(charts.map(|it| layout::outermost(sources, it)));
    let is_loose = |(file, source): &(FileId, &Source)| {
        (source.relevance == Relevance::Subject || layout.charts_of(*file).next().is_some())
            && !layout.is_excluded(*file)
            && layout::is_text(sources, *file)
    };
    // A template may lie elsewhere, where a symbolic link of the chart leads to.
    let linked: BTreeMap<FileId, &str> = sources
        .linked_below("templates")
        .into_iter()
        .filter(|(chart, _)| sources.is_chart(chart))
        .map(|(chart, file)| (file, chart))
        .collect();
    let loose: Vec<(FileId, Option<&str>)> = sources
        .iter()
        .filter(is_loose)
        .filter(unreached)
        .map(|(file, _)| (file, layout.chart_of(file).or_else(|| linked.get(&file).copied())))
        .collect();
    found.is_some = !loose.is_empty();
    let parsed = loose.iter().filter(|(_, chart)| chart.is_none()).map(|(file, _)| *file);
    parse_loose(sources, parsed);
    for (file, chart) in loose {
        let source = &sources[file];
        let name = source::file_name(&source.path);
        if let Some(dir) = chart {
            if helm::template_of_it(sources, file).is_some() {
                found.charts.insert(layout::outermost(sources, dir));
            }
            if layout::is_gitops(sources, file) {
                found.deploying.insert(dir);
            }
        } else if name == "Chart.yaml" || values_file::lists_charts(sources, &source.path) {
            found.charts.insert(layout::outermost(sources, source::parent(&source.path)));
        } else if values_file::is_charts_own(sources, &source.path) {
            // What it says counts with its chart, which may be for what is packed in it.
            let dir = source::parent(&source.path);
            let parts = source::join(dir, "charts").unwrap_or_default();
            if sources.below(&parts).any(|it| source::extension(&sources[it].path) == "tgz") {
                found.charts.insert(layout::outermost(sources, dir));
            }
        } else if layout::is_kustomization(&source.path) || name == crate::config::FILE {
            // What these say counts with what they belong to.
        } else if values_file::is_values(sources, file) {
            found.values.push(file);
        } else if let Some(dir) = printed_by(sources, &source.path) {
            found.charts.insert(layout::outermost(sources, dir));
        } else {
            found.others.push(file);
        }
    }
    found.charts.extend(holding_archives(sources));
    found
}

/// The charts in which an archive of metrics-server's lies: Helm installs what is in `charts/`, listed or
/// not.
fn holding_archives(sources: &Sources) -> impl Iterator<Item = &str> {
    sources.iter().filter_map(|(_, source)| {
        let (folder, name) = (source::parent(&source.path), source::file_name(&source.path));
        let dir = source::parent(folder);
        let is_held = source::extension(name) == "tgz"
            && name.starts_with("metrics-server-")
            && source::file_name(folder) == "charts"
            && sources.is_chart(dir);
        is_held.then(|| layout::outermost(sources, dir))
    })
}

/// The directory of the chart around the file at `path` that prints it: a line of its templates reads
/// it, or something in its folder, with `.Files`.
fn printed_by<'p>(sources: &Sources, path: &'p str) -> Option<&'p str> {
    let dir = layout::chart_around(sources, path)?;
    let inner = path[dir.len()..].trim_start_matches('/');
    let folder = inner.split_once('/').map_or(inner.to_owned(), |(it, _)| format!("{it}/"));
    if folder == "crds/" || folder == "charts/" {
        return None;
    }
    let templates = source::join(dir, "templates")?;
    let prints = |file| {
        layout::is_text(sources, file)
            && sources.text(file).lines().any(|it| it.contains(".Files") && it.contains(&folder))
    };
    sources.below(&templates).any(prints).then_some(dir)
}

/// Adds what charts make others deploy that nothing in the repository installs: somebody does, so as
/// to start a cluster.
pub(super) fn charts_of_applications(
    context: &Context<'_>,
    layout: &Layout<'_>,
    installers: &Installers<'_>,
    reached: &mut BTreeSet<FileId>,
    unread: &[Origin],
    environments: &mut Vec<Environment>,
) {
    let sources = context.sources;
    let found = loose_files(context, layout, reached);
    // Manifests that nothing refers to are applied all the same.
    let applied: BTreeSet<&str> =
        found.others.iter().flat_map(|it| layout.charts_of(*it)).collect();
    let problems = environments.iter().flat_map(|it| &it.problems).map(|it| it.at.clone());
    let problems: Vec<Origin> = problems.collect();
    let unread = Unread::new(sources, unread.iter().chain(&problems));
    let mut installed = values_file::installed(sources, environments);
    let mut charts: Vec<DeployingChart<'_>> = Vec::new();
    let mut held = Held::default();
    // What speaks of our subject and is read by nobody is perhaps what others of these deploy.
    let silent = layout.deploying_charts().iter().filter(|dir| {
        let file = sources.find_from(dir, "Chart.yaml").filter(|_| found.is_some);
        file.is_some_and(|it| !values_file::is_for_no_cluster(context, &sources[it].path))
    });
    let silent: BTreeSet<&str> = silent.map(String::as_str).collect();
    for dir in found.deploying.union(&silent).filter(|it| !applied.contains(*it)) {
        if installed.contains(*dir) {
            continue;
        }
        let mut chart = DeployingChart { dir, ..DeployingChart::default() };
        for environment in values_file::deploying(context, &unread, dir) {
            if held.is_full() {
                let (name, at) = (&environment.name, &environment.entry.origin);
                chart.environments.push(Held::left_out(name, EntryKind::Values, at));
                break;
            }
            let aside = !found.deploying.contains(dir);
            let environment = Environment { aside, ..environment };
            let before = chart.environments.len();
            let more = installers.deploy(environment, &mut chart.environments);
            chart.environments.iter().skip(before).for_each(|it| held.add(it));
            chart.reached.files.extend(more.files);
            chart.reached.dirs.extend(more.dirs);
        }
        if chart.environments.iter().all(|it| it.aside) {
            continue;
        }
        chart.installed = values_file::installed(sources, &chart.environments);
        installed.extend(chart.installed.iter().cloned());
        // What a later one deploys is no start.
        charts.retain(|it| !chart.installed.contains(it.dir));
        charts.push(chart);
    }
    let mut dirs = BTreeSet::new();
    for chart in charts {
        reached.extend(chart.reached.files);
        dirs.extend(chart.reached.dirs);
        chart.environments.into_iter().for_each(|it| installers::join(environments, it));
    }
    // An overlay that one has built is part of that.
    environments.retain(|it| {
        let file = it.entry.origin.written_at().map(|it| it.file);
        let dir = file.map(|file| source::parent(&sources[file].path));
        it.entry.kind != EntryKind::Kustomization || !dir.is_some_and(|it| dirs.contains(it))
    });
}

/// A chart that makes other installers deploy something, and what that comes to.
#[derive(Default)]
struct DeployingChart<'a> {
    dir: &'a str,
    environments: Vec<Environment>,
    reached: Reached,
    /// The directories of the charts that these install.
    installed: BTreeSet<String>,
}

/// Adds the environments of charts in directories that no environment installs from.
fn attach_charts(
    context: &Context<'_>,
    unread: &Unread<'_>,
    dirs: BTreeSet<&str>,
    environments: &mut Vec<Environment>,
) {
    let sources = context.sources;
    let installed = values_file::installed(sources, environments);
    let chart = |dir: &str| source::join(dir, "Chart.yaml").unwrap_or_default();
    let dirs = dirs.into_iter().filter(|dir| {
        !installed.contains(*dir) && !values_file::is_for_no_cluster(context, &chart(dir))
    });
    let found = Held::each(
        &dirs.collect::<Vec<_>>(),
        |dir| {
            let environments = values_file::chart(context, unread, dir);
            let mut parts = values_file::installed(sources, &environments);
            parts.remove(*dir);
            ((*dir, environments), parts)
        },
        |dir| {
            let at = sources.find(&chart(dir)).map(Origin::start_of);
            let name = if dir.is_empty() { &chart(dir) } else { *dir };
            let left_out = at.map(|at| Held::left_out(name, EntryKind::Values, &at));
            ((*dir, left_out.into_iter().collect()), BTreeSet::new())
        },
        |((_, environments), _)| environments.iter().collect(),
    );
    let (found, parts): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    // One may depend on another.
    let parts: BTreeSet<String> = parts.into_iter().flatten().collect();
    let whole = found.into_iter().filter(|(dir, _)| !parts.contains(*dir));
    environments.extend(whole.flat_map(|(_, environments)| environments));
}

/// Adds the environments of charts that nothing installs, and that do nothing of ours but scale what
/// they run.
fn attach_scaling(
    context: &Context<'_>,
    unread: &Unread<'_>,
    dirs: BTreeSet<&str>,
    environments: &mut Vec<Environment>,
) {
    let mut found = Vec::new();
    attach_charts(context, unread, dirs, &mut found);
    let installed = values_file::installed(context.sources, environments);
    let is_installed = |it: &Environment| {
        let mut dirs = it.releases.iter().filter_map(|it| it.directory.as_deref());
        dirs.any(|dir| installed.contains(dir))
    };
    found.retain(|it| {
        it.objects.iter().any(|it| AUTOSCALERS.contains(&it.kind())) && !is_installed(it)
    });
    environments.extend(found.into_iter().map(|it| Environment {
        aside: true,
        // What else is wrong with it is no business of ours.
        problems: Vec::new(),
        ..it
    }));
}

/// Gives what defines nodes to the environments of their clusters. What belongs to none of them is an
/// environment by its directory.
fn attach_definitions(
    context: &Context<'_>,
    layout: &Layout<'_>,
    called: &Called,
    definitions: Vec<(&str, Loose)>,
    environments: &mut Vec<Environment>,
) {
    let mut builders: BTreeMap<&str, Vec<FileId>> = BTreeMap::new();
    for flux in &layout.flux {
        if let Some(dir) = &flux.dir {
            builders.entry(dir).or_default().push(flux.file);
        }
    }
    // What installs something may be far from where it is run.
    let roots = called.values().flatten().map(|it| (&*it.environment, &*it.dir));
    let roots: BTreeMap<&str, &str> = roots.collect();
    let place = |it: &Environment| {
        ClusterPlace::new(context.sources, &builders, it, roots.get(&*it.name).copied())
    };
    let places: Vec<ClusterPlace> = environments.iter().map(place).collect();
    let names = environments.iter().enumerate().map(|(index, it)| (it.name.clone(), index));
    let names: BTreeMap<String, usize> = names.collect();
    let told = told(context.config, environments);
    let (mut homeless, mut apart) = (Groups::new(), Groups::new());
    for (path, found) in definitions.into_iter().filter(|(_, it)| !it.is_empty()) {
        let says_so = told.iter().filter(|(_, it)| it.is_match(path)).map(|(index, _)| *index);
        let (mut homes, mut others) = (says_so.collect::<BTreeSet<_>>(), BTreeSet::new());
        if homes.is_empty() && found.is_of_its_own_cluster() {
            homes.extend(home(&places, path, |it| it.is_beside(path)));
            if homes.is_empty() {
                apart.entry(environment_or_unnamed(path)).or_default().push((path, found));
                continue;
            }
        } else if homes.is_empty() {
            (homes, others) = places::homes(&places, &names, called, path);
        }
        for index in homes {
            found.clone().join(&mut environments[index]);
        }
        for name in others {
            homeless.entry(name).or_default().push((path, found.clone()));
        }
    }
    let mut homeless = sets(homeless);
    // One definition of a cluster and one set of manifests are one cluster.
    if let ([place], 1) = (&*places, homeless.len())
        && environment_of(&place.path()).is_none()
        && let (Some(environment), Some((_, found))) = (environments.first_mut(), homeless.pop())
    {
        found.join(environment);
    }
    for (name, loose) in homeless {
        let same = |it: &&mut Environment| {
            it.name.strip_suffix(NOT_BUILT).unwrap_or(&it.name) == name
                && it.entry.kind == EntryKind::Manifests
        };
        match environments.iter_mut().find(same) {
            Some(environment) => loose.join(environment),
            None => {
                let name = not_built(environments, name);
                environments.extend(loose.found(context, &name));
            }
        }
    }
    for (name, loose) in sets(apart) {
        // What defines the cluster beside them may just have got its environment.
        match environments[places.len()..].iter_mut().find(|it| it.name == name) {
            Some(environment) => loose.join(environment),
            None => {
                let dir = loose.dir(context.sources);
                let is_taken = environments.iter().any(|it| it.name == name);
                let name = if is_taken && !dir.is_empty() { dir } else { name };
                let name = not_built(environments, name);
                environments.extend(loose.found(context, &name));
            }
        }
    }
}

/// The files of which the configuration says that they set up the kubelets of one of the `environments`.
fn told<'c>(config: &'c Config, environments: &[Environment]) -> Vec<(usize, &'c Globs)> {
    if config.environments.iter().all(|it| it.kubelets.is_empty()) {
        return Vec::new();
    }
    let all = environments.iter().enumerate().filter_map(|(index, it)| {
        let settings = match &it.settings {
            Some(known) => config.environments.iter().find(|it| it.name == known.name),
            None => settings_for(config, &it.name, ""),
        };
        Some((index, &settings?.kubelets))
    });
    all.collect()
}

/// What tells an environment of manifests from the one of its name that something builds.
const NOT_BUILT: &str = " (not built)";

/// The name of what nothing refers to beside the `environments` that something builds.
fn not_built(environments: &[Environment], name: &str) -> String {
    let taken = environments.iter().any(|it| it.name == name && !it.aside);
    if taken { format!("{name}{NOT_BUILT}") } else { name.to_owned() }
}
