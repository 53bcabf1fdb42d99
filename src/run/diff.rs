//! `diff`: what differs between two trees in what every environment would run.

use std::path::{Path, PathBuf};

use super::{
    CommandResult, Failure, Run,
    open::{open_tree, real, root_of},
};
use crate::{
    baseline::Baseline,
    cli::{Format, Options},
    compare::{ComparedTree, compare, files_that_differ},
    config::Config,
    finding::Finding,
    model,
    pipeline::{self, is_ours, survey},
    report::{self, Compared, Progress},
    resolve::environment::Environment,
    rules,
    settings::subjects,
    settle::{self, Scope},
    suppress::Applied,
};

impl Run<'_, '_> {
    pub(super) fn diff(&mut self, base: &Path, head: Option<&Path>) -> CommandResult {
        let head = match head {
            Some(head) => there(head)?,
            None => root_of(&real(Path::new("."))?),
        };
        let base = there(base)?;
        let progress = self.progress();
        progress.stage("comparing");
        let options = self.options;
        let (old, new) = rayon::join(
            || Judged::new(options, &base, &head, &progress),
            || Judged::new(options, &head, &base, &progress),
        );
        let (mut old, mut new) = (old?, new?);
        let mut comparison = compare(&old.tree, &new.tree);
        let (was, now) = (old.baseline(), new.baseline());
        comparison.appear = new.unknown_to(was);
        comparison.disappear = old.unknown_to(now);
        let (base, head) = (&old.tree.sources, &new.tree.sources);
        comparison.files = comparison.is_empty().then(|| files_that_differ(base, head));
        progress.finish();
        let compared = Compared { base, head, comparison };
        let (terminal, detail) = (self.streams.out_screen.terminal, options.detail);
        self.write(|format, look| match format {
            Format::Json => report::diff_json(&compared).into(),
            Format::Markdown => report::diff_markdown(&compared).into(),
            _ if terminal => report::diff(&compared, look, detail).into(),
            _ => report::diff(&compared, look.of_tables(), detail).into(),
        })?;
        let fails = |it: &Finding| options.fail_on.is_some_and(|least| it.severity >= least);
        Ok(u8::from(compared.comparison.appear.iter().any(fails)))
    }
}

/// `path`, if there is something.
fn there(path: &Path) -> Result<PathBuf, Failure> {
    if path.exists() {
        return real(path);
    }
    let shown = path.display();
    Err(Failure::Plain(format!(
        "there is no directory `{shown}`; a revision of Git is to be checked out first: \
         `git worktree add ../base {shown}`"
    )))
}

/// A tree with what its environments come to, and what is found in each.
struct Judged {
    tree: ComparedTree,
    config: Config,
    environments: Vec<Environment>,
    found: Applied,
}

impl Judged {
    /// The tree in `dir`, without `other` where that lies in it, as checkouts in pipelines do.
    fn new(
        options: &Options,
        dir: &Path,
        other: &Path,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let (sources, mut config) = open_tree(options, dir, other, progress)?;
        config.pedantic |= options.pedantic;
        let (environments, clusters) = survey(&sources, &config);
        let mut findings = pipeline::check(&clusters);
        findings.extend(rules::problems(&model::unjudged(&sources, &clusters), None));
        let found = settle::judge(&sources, &config, &environments, findings);
        let ours = environments.iter().zip(&clusters).filter(|(it, of)| is_ours(it, of));
        let ours = ours.map(|(it, cluster)| (it.name.clone(), subjects(it, cluster))).collect();
        Ok(Self { tree: ComparedTree { environments: ours, sources }, config, environments, found })
    }

    fn baseline(&self) -> Baseline {
        let names = self.environments.iter().map(|it| &*it.name);
        Baseline::of(&self.tree.sources, names, &self.found.kept)
    }

    /// What is found and is not in `known`, as it is reported.
    fn unknown_to(&mut self, known: Baseline) -> Vec<Finding> {
        let Self { tree, config, environments, found } = self;
        let (found, all) = (std::mem::take(found), Scope::all());
        settle::select(&tree.sources, config, environments, found, &all, &mut [known]).findings
    }
}
