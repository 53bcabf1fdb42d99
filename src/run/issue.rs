//! `report`: what somebody posts with an issue.

use std::path::PathBuf;

use super::{
    CommandResult, Run,
    open::{Opened, chosen, open},
    show::of_scope,
};
use crate::{
    cli::Verbosity,
    pipeline::{found, survey},
    report::{self, IssueReport, Report},
    settle,
};

/// GitHub takes no longer issue.
const LONGEST_ISSUE: usize = 65_536;

impl Run<'_, '_> {
    pub(super) fn issue(
        &mut self,
        paths: &[PathBuf],
        environments: &[String],
        kept: &[String],
    ) -> CommandResult {
        let progress = self.progress();
        let Opened { sources, mut config, mut scope, .. } = open(self.options, paths, &progress)?;
        progress.stage("resolving the environments");
        // As `show` does; what nobody has to mend may be what the issue is about.
        let (all, clusters) = survey(&sources, &config);
        config.pedantic = true;
        let mut findings = found(&sources, &clusters);
        findings.extend(settle::unmatched(&sources, &config, &all));
        let judged = settle::judge(&sources, &config, &all, findings);
        let names: Vec<_> = all.iter().map(|it| it.name.clone()).collect();
        if !environments.is_empty() {
            scope.environments = Some(chosen(environments, names.iter().map(String::as_str))?);
        }
        let settled = settle::select(&sources, &config, &all, judged, &scope, &mut []);
        let (mut shown, mut problems) = of_scope(&sources, &scope, all, clusters);
        if let Some(names) = &scope.environments {
            shown.retain(|(it, _)| names.contains(&it.name));
            problems.clear();
        }
        progress.finish();
        let told = Report {
            findings: settled.findings,
            suppressed: settled.suppressed,
            environments: names,
            ..Report::of(&sources)
        };
        let typed: Vec<_> = self.arguments.iter().skip(1).map(|it| it.to_string_lossy()).collect();
        let (text, struck) = report::issue(&IssueReport {
            found: &told,
            environments: &shown,
            problems: &problems,
            command: &typed.join(" "),
            kept,
        });
        self.write(|_, _| text.clone().into())?;
        if self.options.detail > Verbosity::Quiet {
            let issues = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues/new/choose");
            let long = match text.len() > LONGEST_ISSUE {
                true => {
                    "note: it is too long for an issue: attach it as a file, or narrow it with PATH or \
                         --environment\n"
                }
                false => "",
            };
            self.say(&format!(
                "note: struck out: {struck}; read it before you post it\n{long}note: post it at {issues}\n"
            ));
        }
        Ok(0)
    }
}
