//! `render`: the objects of a kustomization or an environment, as built.

use std::{collections::BTreeSet, path::Path};

use super::{
    CommandResult, Failure, Run,
    open::{Opened, chosen, open},
};
use crate::{
    cli::{Format, Options, Verbosity},
    emit,
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
    tree::{Node, ReasonKind},
};

impl Run<'_, '_> {
    pub(super) fn render_kustomization(
        &mut self,
        path: Option<&Path>,
        unrestricted: bool,
        origins: bool,
    ) -> CommandResult {
        let options = self.options;
        if let Some(path) = path.filter(|it| !it.exists()) {
            let path = path.display();
            return Err(Failure::Plain(format!(
                "there is nothing at `{path}`; an environment goes by its name, `render --environment NAME`, \
                 and `show` lists them"
            )));
        }
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
        let environment = one_of(&environments, name)?;
        let Environment { objects, problems, .. } = environment;
        let objects: Vec<&Node> = objects
            .iter()
            .filter(|it| it.release.is_none() && !it.suspended)
            .map(|it| &it.node)
            .collect();
        let installed = environment.objects.iter().filter_map(|it| it.release);
        let releases: BTreeSet<usize> = installed.collect();
        let status = self.finish_render(sources, &objects, problems, origins)?;
        if !releases.is_empty() && self.options.detail > Verbosity::Quiet {
            let has_chart =
                |it: &usize| environment.releases.get(*it).is_some_and(|it| it.directory.is_some());
            let where_to_look = match releases.iter().any(has_chart) {
                true => "see `render CHART`",
                false => "no chart of it is in the repository",
            };
            let brings = if releases.len() == 1 { "brings" } else { "bring" };
            let releases = report::count(releases.len(), "Helm release");
            self.say(&format!("note: what {releases} {brings} is left out: {where_to_look}\n"));
        }
        // A release that is refused is refused where it is installed; what applies it is built.
        let is_release = |it: &Problem| environment.unit_of(it).is_some_and(|it| it.release);
        let builds = problems.iter().filter(|it| it.is_refusal()).all(is_release);
        Ok(if builds { status } else { 2 })
    }

    /// Writes what was built, and tells on the side what was not; exit status 1 when that is not all of
    /// it: the real tool would have refused a part, or nobody can tell one.
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
            return Err(self::refused(sources, &refused));
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
        let untold = objects.iter().filter(|it| is_untold(it)).count();
        // What is refused was said.
        let missing = problems.iter().any(|it| it.unseen.objects && !it.is_refusal());
        let tells = options.detail > Verbosity::Quiet;
        if untold > 0 && tells {
            let (all, unknown) = (objects.len(), emit::UNKNOWN);
            self.say(&format!(
                "note: `{unknown}` stands for what cannot be told, in {untold} of {all} objects\n"
            ));
        }
        if missing && tells {
            self.say("note: there may be more objects, which cannot be told\n");
        }
        Ok(u8::from(!refused.is_empty() || untold > 0 || missing))
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
    let called = called.display();
    let hint = match others.is_empty() {
        true => "; all that is applied to an environment is `render --environment NAME`".to_owned(),
        false => format!(": try {}", others.join(" or ")),
    };
    Failure::Plain(format!("there is no kustomization file in {called}{hint}"))
}

/// Whether a part of `node` is unknown, or there may be more in it.
fn is_untold(node: &Node) -> bool {
    let open = |it: &Node| it.as_map().is_some_and(|it| it.open.is_some());
    // What is random is as well known as the tool itself knows it.
    let untold = |it: &Node| it.unknown().is_some_and(|it| it.kind() != ReasonKind::Random);
    node.walk().any(|it| untold(it) || open(it))
}

/// That nothing is rendered because of `problems`.
pub(super) fn refused(sources: Sources, problems: &[Problem]) -> Failure {
    let first = problems.first().map_or("", |it| &it.message);
    let more = match problems.len() {
        0 | 1 => String::new(),
        all => format!(", and {} more", all - 1),
    };
    let what = format!("nothing is rendered: {first}{more}");
    Failure::Found(Box::new(sources), what, rules::problems(problems, None))
}

/// The environment that is called `name`, if that is one.
fn one_of<'a>(environments: &'a [Environment], name: &str) -> Result<&'a Environment, Failure> {
    let called = chosen(&[name.to_owned()], environments.iter().map(|it| &*it.name))?;
    let mut found = environments.iter().filter(|it| called.contains(&it.name));
    match (found.next(), found.next()) {
        (Some(environment), None) => Ok(environment),
        _ => {
            let names = called.into_iter().collect::<Vec<_>>().join(", ");
            Err(Failure::Plain(format!(
                "`{name}` is what several environments are called, and one is rendered: {names}"
            )))
        }
    }
}
