//! `show`: the effective settings of every environment.

use std::path::PathBuf;

use super::{
    CommandResult, Run,
    open::{Opened, open},
};
use crate::{
    cli::Format,
    model,
    pipeline::{is_ours, survey},
    report::{self, TerminalOptions},
    tree::Origin,
};

impl Run<'_, '_> {
    pub(super) fn show(&mut self, paths: &[PathBuf]) -> CommandResult {
        let progress = self.progress();
        let Opened { sources, config, scope, .. } = open(self.options, paths, &progress)?;
        progress.stage("resolving the environments");
        let (environments, clusters) = survey(&sources, &config);
        progress.finish();
        let mut problems = model::unjudged(&sources, &clusters);
        let (mut shown, others): (Vec<_>, Vec<_>) = environments
            .into_iter()
            .zip(clusters)
            .partition(|(environment, cluster)| is_ours(environment, cluster));
        // What is not shown may be our subject, and not be understood.
        let others = others.into_iter().flat_map(|(_, cluster)| cluster.problems);
        problems.extend(others.filter(|it| it.concerns));
        let in_scope =
            |at: &Origin| at.written_at().is_none_or(|span| scope.covers(&sources[span.file].path));
        shown.retain(|(environment, _)| in_scope(&environment.entry.origin));
        problems.retain(|it| in_scope(&it.at));
        self.tell_repositories(&sources);
        self.tell_mistaken(&sources);
        let (detail, terminal) = (self.options.detail, self.streams.out_screen.terminal);
        self.write(|format, look| match format {
            Format::Json => report::show_json(&sources, &shown, &problems).into(),
            // Nothing breaks the lines of a table that is piped.
            _ if !terminal || look == TerminalOptions::PLAIN => {
                let look = TerminalOptions { width: 120, ..look };
                report::show(&sources, &shown, &problems, look, detail).into()
            }
            _ => report::show(&sources, &shown, &problems, look, detail).into(),
        })
    }
}
