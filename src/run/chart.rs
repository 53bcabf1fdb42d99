//! `render` of a chart: what `helm template` prints.

use std::path::Path;

use super::{
    CommandResult, Failure, Run,
    open::{Opened, add_file, open_chart},
    render::refused,
};
use crate::{
    cli::ChartOptions,
    data::kustomization,
    problem::Problem,
    resolve::{
        environment::ClusterVersion,
        helm::{
            self, ApiVersions, package,
            render::{self, ChartInstallation, ChartRendering},
            strvals,
        },
    },
    scalar::Dialect,
    tree::{Map, Node, Origin, Via},
};

impl Run<'_, '_> {
    pub(super) fn render_chart(
        &mut self,
        path: &Path,
        chart: &ChartOptions,
        origins: bool,
    ) -> CommandResult {
        let progress = self.progress();
        let Opened { root, mut sources, scope, .. } = open_chart(self.options, path, &progress)?;
        progress.stage("rendering");
        let mut layers = Vec::new();
        for file in &chart.values {
            layers.push(add_file(&mut sources, &root, file)?);
        }
        let dir = scope.paths.first().cloned().unwrap_or_default();
        let archive = sources.find(&dir).filter(|_| !sources.is_dir(&dir));
        let Some(metadata) = archive.or_else(|| sources.find_from(&dir, "Chart.yaml")) else {
            let why = format!("`Chart.yaml` of `{dir}` is not among the files that are read");
            return Err(Failure::Plain(why));
        };
        let at = Origin::start_of(metadata);
        let nowhere = Origin::at(Via::Written, None);
        let mut values = Node::new(Map::default(), nowhere.clone());
        for shown in layers {
            let Some(file) = sources.find(&shown) else { continue };
            match helm::layer(sources.documents(file, Dialect::Sigs), &Origin::start_of(file)) {
                Ok(layer) => values = helm::merge(&values, &layer),
                Err(problem) => {
                    return Err(refused(sources, &[problem]));
                }
            }
        }
        for set in &chart.set {
            strvals::set(&mut values, set, strvals::Notation::Typed, &nowhere)
                .map_err(|why| Failure::Plain(format!("`--set {set}`: {why}")))?;
        }
        let package = match archive {
            Some(file) => package::load_archive(&sources, file, &at),
            None => package::load(&sources, &dir, &at),
        };
        let release = ChartInstallation {
            name: chart.release_name.as_deref().unwrap_or("release-name"),
            namespace: chart.namespace.as_deref().unwrap_or("default"),
            values: &values,
            at: &nowhere,
            kubernetes: chart.kube_version.clone().map(|version| ClusterVersion {
                version,
                exact: true,
                origin: nowhere.clone(),
            }),
            apis: ApiVersions::Template,
            skips_schema: false,
            needs_all: true,
        };
        let rendering = match package {
            Ok(package) => render::render(&sources, package, &release),
            Err(problem) => ChartRendering { problems: vec![problem], ..ChartRendering::default() },
        };
        drop(progress);
        let ChartRendering { manifests, definitions, missing, problems, work: _ } = rendering;
        let mut problems = problems;
        // What the command line says has no place: what is wrong with it is told at the chart.
        for problem in problems.iter_mut().filter(|it| it.at.steps().all(|it| it.span.is_none())) {
            problem.at = at.clone();
        }
        problems.extend(missing.iter().map(|it| {
            let name = it.str_at("name").unwrap_or_default();
            let message =
                format!("the chart `{name}` is not in `charts/`: what it makes is unknown");
            Problem::unresolved(&it.origin, message).hiding_objects()
        }));
        let definitions = definitions.into_iter().filter(|_| chart.include_crds);
        let manifests = manifests.into_iter().map(|it| match it.perhaps {
            Some(why) => it.node.perhaps(why, false),
            None => it.node,
        });
        let mut objects: Vec<Node> = definitions.chain(manifests).collect();
        if problems.iter().any(Problem::is_refusal) {
            objects.clear();
        }
        let objects: Vec<&Node> = objects.iter().collect();
        self.finish_render(sources, &objects, &problems, origins)
    }
}

/// Whether `render` of `path` is about a chart: its archive, or a directory that is no kustomization
/// unless `options` are those of charts.
pub(super) fn is_chart(path: &Path, options: &ChartOptions) -> bool {
    let has = |name: &str| path.join(name).is_file();
    path.is_file() && path.extension().is_some_and(|it| it == "tgz")
        || has("Chart.yaml")
            && (!options.is_empty() || !kustomization::FILES.iter().any(|it| has(it)))
}
