//! `render`: the objects of a kustomization or an environment, as built.

use std::path::Path;

use super::{
    CommandResult, Failure, Run,
    open::{Opened, open},
};
use crate::{
    cli::{Format, Options, Verbosity},
    problem::Problem,
    report,
    resolve::{
        self,
        context::{Context, Purpose},
        environment::Environment,
        kustomize,
        layout::Layout,
    },
    rules,
    source::Sources,
    tree::Node,
};

impl Run<'_, '_> {
    pub(super) fn render_kustomization(
        &mut self,
        path: Option<&Path>,
        unrestricted: bool,
        origins: bool,
    ) -> CommandResult {
        let options = self.options;
        let paths = path.map(Path::to_owned);
        let progress = self.progress();
        let Opened { sources, config, scope, .. } = open(options, paths.as_slice(), &progress)?;
        progress.stage("building");
        let dir = scope.paths.first().cloned().unwrap_or_default();
        if !sources.is_dir(&dir) {
            return Err(Failure::Plain(format!("`{dir}` is not a directory with files in it")));
        }
        let layout = Layout::new(&sources, &config);
        if !layout.has_kustomization(&dir) {
            return Err(no_kustomization(options, path, &layout, &dir));
        }
        let context = Context::new(&sources, &config, Purpose::Render);
        let how = kustomize::BuildOptions { unrestricted, ..kustomize::BuildOptions::default() };
        let build = kustomize::build(&context, &dir, &how);
        drop(progress);
        let objects: Vec<&Node> = build.objects.iter().collect();
        // kustomize prints all or nothing.
        let refused = build.problems.iter().any(Problem::is_refusal);
        let objects = if refused { &[] } else { &objects[..] };
        self.finish_render(sources, objects, &build.problems, origins)
    }

    pub(super) fn render_environment(&mut self, name: &str, origins: bool) -> CommandResult {
        let progress = self.progress();
        let Opened { sources, config, .. } = open(self.options, &[], &progress)?;
        progress.stage("resolving the environments");
        let context = Context::new(&sources, &config, Purpose::Render);
        let environments = resolve::resolve(&context);
        drop(progress);
        let environment = named(&environments, name)?;
        let Environment { objects, problems, .. } = environment;
        let objects: Vec<&Node> = objects
            .iter()
            .filter(|it| it.release.is_none() && !it.suspended)
            .map(|it| &it.node)
            .collect();
        let status = self.finish_render(sources, &objects, problems, origins)?;
        // A release that is refused is refused where it is installed; what applies it is built.
        let is_release = |it: &Problem| environment.unit_of(it).is_some_and(|it| it.release);
        let builds = problems.iter().filter(|it| it.is_refusal()).all(is_release);
        Ok(if builds { status } else { 2 })
    }

    /// Writes what was built, and tells on the side what was not; exit status 1 when the real tool
    /// would have refused a part.
    ///
    /// # Errors
    /// Why nothing was built.
    pub(super) fn finish_render(
        &mut self,
        sources: Sources,
        objects: &[&Node],
        problems: &[Problem],
        origins: bool,
    ) -> CommandResult {
        let refused = problems.iter().filter(|it| it.is_refusal());
        let refused: Vec<Problem> = refused.cloned().collect();
        if !refused.is_empty() && objects.is_empty() {
            return Err(Failure::Found(Box::new(sources), rules::problems(&refused, None)));
        }
        let options = self.options;
        let told = if options.detail > Verbosity::Quiet { problems } else { &refused };
        if !options.has(Format::Json) && !told.is_empty() {
            self.tell(&sources, rules::problems(told, None));
        }
        self.write(|format, _| match format {
            Format::Json => report::render_json(&sources, objects, problems, origins).into(),
            _ => report::render_yaml(&sources, objects, origins).into(),
        })?;
        Ok(u8::from(!refused.is_empty()))
    }
}

/// That `dir`, which was called `path`, has no kustomization, and which directories in it have one
/// that nothing includes.
fn no_kustomization(
    options: &Options,
    path: Option<&Path>,
    layout: &Layout<'_>,
    dir: &str,
) -> Failure {
    let called = path.or(options.root.as_deref()).unwrap_or(Path::new("."));
    let included = layout.included_dirs();
    let others = layout.roots().filter(|it| !included.contains(it));
    let others = others.filter_map(|it| it.strip_prefix(dir)).map(|it| {
        let below = it.trim_start_matches('/');
        let path = if called == Path::new(".") { below.into() } else { called.join(below) };
        format!("`render {}`", path.display())
    });
    let others: Vec<String> = others.take(3).collect();
    let hint = if others.is_empty() { "" } else { ": try " };
    let (called, others) = (called.display(), others.join(" or "));
    Failure::Plain(format!("there is no kustomization file in {called}{hint}{others}"))
}

/// The environment of that name, or the only one whose last directories are that.
fn named<'a>(environments: &'a [Environment], name: &str) -> Result<&'a Environment, Failure> {
    let below = format!("/{name}");
    let exact = environments.iter().find(|it| it.name == name);
    let mut ending = environments.iter().filter(|it| it.name.ends_with(&below));
    let found = exact.or_else(|| ending.next().filter(|_| ending.next().is_none()));
    found.ok_or_else(|| {
        let names: Vec<&str> = environments.iter().map(|it| it.name.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Failure::Plain(format!("there is no environment `{name}`; there are: {names}"))
    })
}
