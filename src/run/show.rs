//! `show`: the effective settings of every environment.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    CommandResult, Failure, Run, one_line,
    open::{Opened, chosen, open},
};
use crate::{
    cli::Format,
    model::{self, Cluster},
    nearest::nearest,
    pipeline::{concerns, is_ours, survey},
    problem::Problem,
    report,
    resolve::environment::Environment,
    settings,
    settle::Scope,
    source::{self, Sources},
    tree::Origin,
};

impl Run<'_, '_> {
    pub(super) fn show(&mut self, what: &[PathBuf], environments: &[String]) -> CommandResult {
        let (paths, words): (Vec<_>, Vec<_>) = what.iter().cloned().partition(|it| it.exists());
        let words: Vec<String> = words.iter().map(|it| it.display().to_string()).collect();
        let progress = self.progress();
        let Opened { sources, config, scope, .. } = open(self.options, &paths, &progress)?;
        progress.stage("resolving the environments");
        let (all, clusters) = survey(&sources, &config);
        progress.finish();
        let (mut shown, mut problems) = of_scope(&sources, &scope, all, clusters);
        let asked = ShowRequest::new(&shown, &words, environments)?;
        if let Some(names) = &asked.environments {
            shown.retain(|(environment, _)| names.contains(&environment.name));
            problems.clear();
        }
        self.tell_repositories(&sources);
        self.tell_mistaken(&sources);
        let (detail, terminal) = (self.options.detail, self.streams.out_screen.terminal);
        let settings = &asked.settings;
        if let Some(name) = settings.iter().find(|name| !report::has_setting(&shown, name)) {
            return Err(Failure::Plain(format!("no environment here has a setting `{name}`")));
        }
        let each = |told: &dyn Fn(&str) -> String| {
            settings.iter().map(|name| told(name)).collect::<Vec<_>>().join("\n").into()
        };
        self.write(|format, look| {
            let look = if terminal { look } else { look.of_tables() };
            match format {
                Format::Json if settings.is_empty() => {
                    report::show_json(&sources, &shown, &problems).into()
                }
                Format::Json => report::show_settings_json(&sources, &shown, settings).into(),
                Format::Markdown if settings.is_empty() => {
                    report::show_markdown(&sources, &shown, &problems).into()
                }
                Format::Markdown => {
                    each(&|name| report::show_setting_markdown(&sources, &shown, name))
                }
                _ if settings.is_empty() => {
                    report::show(&sources, &shown, &problems, look, detail).into()
                }
                _ => each(&|name| report::show_setting(&sources, &shown, name, look)),
            }
        })
    }
}

/// Those of the environments that `scope` is about and that say something of our subject, and the
/// problems that are of none of them.
pub(super) fn of_scope(
    sources: &Sources,
    scope: &Scope,
    all: Vec<Environment>,
    clusters: Vec<Cluster>,
) -> (Vec<(Environment, Cluster)>, Vec<Problem>) {
    let mut problems = model::unjudged(sources, &clusters);
    let (mut shown, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .zip(clusters)
        .partition(|(environment, cluster)| is_ours(environment, cluster));
    // What is not shown may be our subject, and not be understood.
    let others = others.into_iter().flat_map(|(_, cluster)| cluster.problems);
    problems.extend(others.filter(|it| it.concerns));
    let in_scope =
        |at: &Origin| at.written_at().is_none_or(|span| scope.covers(&sources[span.file].path));
    shown.retain(|(environment, cluster)| concerns(sources, scope, environment, cluster));
    problems.retain(|it| in_scope(&it.at));
    (shown, problems)
}

/// What is asked for, but for paths.
struct ShowRequest {
    /// The names of environments; `None` is all.
    environments: Option<BTreeSet<String>>,
    /// The names of settings.
    settings: Vec<String>,
}

impl ShowRequest {
    /// What `words` that are no paths mean, and the `environments` that are asked for as such.
    ///
    /// # Errors
    /// What is neither an environment nor a setting.
    fn new(
        shown: &[(Environment, Cluster)],
        words: &[String],
        environments: &[String],
    ) -> Result<Self, Failure> {
        let names = || shown.iter().map(|(it, _)| &*it.name);
        let mut asked = chosen(environments, names())?;
        let known = settings_of(shown);
        let mut settings = Vec::new();
        for word in words {
            if let Ok(mut found) = chosen(std::slice::from_ref(word), names()) {
                asked.append(&mut found);
            } else if known.iter().any(|it| settings::normal(it) == settings::normal(word)) {
                settings.push(word.clone());
            } else {
                let word = word.replace('_', "-");
                let last = names().map(source::file_name);
                let near = nearest(&word, names().chain(last).chain(known.iter().map(|it| &**it)));
                let near = near.map_or_else(String::new, |it| format!(" (did you mean `{it}`?)"));
                let names = one_line(&names().collect::<Vec<_>>().join(", "));
                return Err(Failure::Plain(format!(
                    "`{word}` is no path, environment or setting{near}; environments are: {names}; \
                     `show --help` lists settings"
                )));
            }
        }
        let environments = Some(asked).filter(|it| !it.is_empty());
        Ok(Self { environments, settings })
    }
}

/// The names of all settings that there may be or that there are.
fn settings_of(shown: &[(Environment, Cluster)]) -> Vec<String> {
    let all =
        shown.iter().flat_map(|(environment, cluster)| settings::subjects(environment, cluster));
    let there = all.flat_map(|it| it.settings).map(|it| it.name.replace('_', "-"));
    settings::names().into_iter().chain(there).collect()
}
