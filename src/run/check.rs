//! `check`: what is wrong, at the line to edit.

use std::path::PathBuf;

use super::{
    CommandResult, Run,
    open::{Opened, open},
};
use crate::{
    cli::{Format, Verbosity},
    discover,
    finding::Finding,
    model::{self, Cluster},
    pipeline::{self, analyze, is_ours},
    report::{self, Report},
    resolve::environment::Environment,
    rules,
    settle::{self, Scope},
    source::{Relevance, Sources},
};

impl Run<'_, '_> {
    pub(super) fn check(
        &mut self,
        paths: &[PathBuf],
        fail_on_empty: bool,
        force_exclude: bool,
    ) -> CommandResult {
        let options = self.options;
        let progress = self.progress();
        let Opened { sources, config, scope } = open(options, paths, &progress)?;
        progress.stage("resolving the environments");
        let (environments, clusters) = analyze(&sources, &config);
        progress.stage("checking");
        let mut findings = pipeline::check(&clusters);
        findings.extend(rules::problems(&model::unjudged(&sources, &clusters), None));
        findings.extend(settle::unmatched(&sources, &config, &environments));
        let settled = settle::settle(&sources, &config, &environments, findings, &scope);
        let elapsed = progress.finish();
        // One that only scales workloads counts where something is found in it.
        let counts = |(environment, cluster): &(&Environment, &Cluster)| {
            let mut found = settled.findings.iter();
            is_ours(environment, cluster)
                && (!cluster.only_scales()
                    || cluster.autoscalers.is_empty()
                    || found.any(|it| it.environments.contains(&environment.name)))
        };
        let report = Report {
            sources: &sources,
            environments: environments
                .iter()
                .zip(&clusters)
                .filter(counts)
                .map(|(environment, _)| environment.name.clone())
                .collect(),
            findings: settled.findings,
            suppressed: settled.suppressed,
            pedantic: settled.pedantic,
        };
        let is_empty = report.environments.is_empty();
        self.write(|format, look| match format {
            Format::Sarif => report::sarif(&report).into(),
            Format::Json => report::json(&report).into(),
            Format::Text | Format::Yaml => {
                let elapsed = (!is_empty).then_some(elapsed);
                report::text(&report, look, options.detail, elapsed).into()
            }
        })?;
        // That nothing was there to check is told to everybody.
        if is_empty || options.only_files() && options.detail > Verbosity::Quiet {
            let look = self.streams.err_screen.look(options.color);
            self.say(&report::summary(&report, look, elapsed));
        }
        self.tell_mistaken(report.sources);
        let mut unread = false;
        for path in not_looked_into(report.sources, &scope) {
            self.say(&format!(
                "`{path}` is not looked into: nothing says what kind of file it is\n"
            ));
            // Who names files one by one is told; a hook names all that changed.
            unread = !force_exclude;
        }
        if unread {
            return Ok(2);
        }
        let fails = |it: &Finding| options.fail_on.is_some_and(|least| it.severity >= least);
        Ok(u8::from(report.findings.iter().any(fails) || is_empty && fail_on_empty))
    }
}

/// The files that the user names and that nobody looked into: there is no telling what they are.
fn not_looked_into<'a>(sources: &Sources, scope: &'a Scope) -> impl Iterator<Item = &'a String> {
    scope.paths.iter().filter(|path| {
        let file = sources.find(path).filter(|it| sources[*it].relevance == Relevance::None);
        file.is_some_and(|it| !sources[it].is_loaded() && !discover::is_candidate(path))
    })
}
