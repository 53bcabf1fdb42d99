//! `explain`: a rule's page, and what the rule finds here.

use std::path::Path;

use super::{
    CommandResult, Run,
    open::{Opened, is_repository, open, real, root_of},
};
use crate::{
    cli::OutputTarget,
    pipeline::{self, analyze, is_ours},
    report::{self, Report},
    rules::{self, Rule},
    selection::{RuleSelector, Selection},
    settle,
};

impl Run<'_, '_> {
    pub(super) fn explain(&mut self, what: RuleSelector) -> CommandResult {
        let RuleSelector::Rule(id) = what else {
            let terminal = self.streams.out_screen.terminal;
            return self.write(|_, look| {
                let look = if terminal { look } else { look.unbroken() };
                report::rules(look, |it| what.means(it)).into()
            });
        };
        let Some(rule) = rules::find(id) else { return Ok(0) };
        self.write(|_, look| report::explain(rule, look).into())?;
        if let Some(root) = &self.options.root {
            real(root)?;
        }
        self.tell_here(rule);
        Ok(0)
    }

    /// Says what the rule finds in the repository that is named, or that somebody at a terminal is in;
    /// nothing where that cannot be told. The page is there already.
    fn tell_here(&mut self, rule: &Rule) {
        let options = self.options;
        let [target @ OutputTarget { file: None, .. }] = &*options.outputs else { return };
        let is_inside = || real(Path::new(".")).is_ok_and(|it| is_repository(&root_of(&it)));
        let is_here = || self.streams.out_screen.terminal && is_inside();
        if options.root.is_none() && !is_here() {
            return;
        }
        let progress = self.progress();
        let Ok(Opened { sources, config, mut scope, .. }) = open(options, &[], &progress) else {
            return;
        };
        progress.stage("looking for what it finds here");
        let (environments, clusters) = analyze(&sources, &config);
        let ours = environments.iter().zip(&clusters).filter(|(it, of)| is_ours(it, of));
        let names = ours.map(|(environment, _)| environment.name.clone()).collect();
        scope.rules = Selection { select: vec![RuleSelector::Rule(rule.id)], ignore: Vec::new() };
        let findings = pipeline::found(&sources, &clusters);
        let judged = settle::judge(&sources, &config, &environments, findings);
        let mut settled = settle::select(&sources, &config, &environments, judged, &scope, &mut []);
        settled.findings.retain(|it| it.rule == rule.id);
        drop(progress);
        if settled.findings.is_empty() {
            return;
        }
        let report =
            Report { findings: settled.findings, environments: names, ..Report::of(&sources) };
        let screen = self.streams.out_screen;
        let look = screen.look(options.color);
        let look = if screen.terminal { look } else { look.unbroken() };
        // Whoever reads has seen enough.
        let _ = self.write_to(target, report::here(&report, look).as_bytes());
    }
}
