//! `diff`: what differs between two trees in what every environment would run.

use std::path::Path;

use super::{
    CommandResult, Failure, Run,
    open::{is_repository, open_tree, root_here, root_of, there},
    shown,
};
use crate::{
    baseline::Baseline,
    cli::{Format, Verbosity},
    compare::{ComparedTree, compare, files_that_differ, objects_that_differ},
    config::Config,
    finding::Finding,
    pipeline::{self, is_ours, survey},
    report::{self, Compared},
    resolve::environment::Environment,
    settings::subjects,
    settle::{self, Scope},
    source::Sources,
    suppress::Applied,
};

impl Run<'_, '_> {
    pub(super) fn diff(&mut self, base: &Path, head: Option<&Path>) -> CommandResult {
        let head = match head {
            Some(_) if self.options.root.is_some() => {
                let message = "the root of the tree as it is stands twice: --root and HEAD";
                return Err(Failure::Plain(message.to_owned()));
            }
            Some(head) => there(head)?,
            None => root_here(self.options)?,
        };
        let base = there(base)?;
        for (one, other) in [(&base, &head), (&head, &base)] {
            // What is no repository of its own may be compared with another such part.
            if root_of(one) != *one
                && is_repository(other)
                && !is_hidden_in(one, other)
                && self.options.detail > Verbosity::Quiet
            {
                let (one, root) = (one.display(), root_of(one));
                self.say(&shown(&format!(
                    "note: `{one}` is a part of `{}`, and is compared as if it were all\n",
                    root.display()
                )));
            }
        }
        let progress = self.progress();
        progress.stage("comparing");
        let options = self.options;
        let open = |dir, other| open_tree(options, dir, other, &progress);
        let (base_tree, head_tree) = rayon::join(|| open(&base, &head), || open(&head, &base));
        let (mut base_tree, mut head_tree) = (base_tree?, head_tree?);
        // Where one of them shows pedantic notes, the other is to know them.
        let pedantic = options.pedantic || base_tree.1.pedantic || head_tree.1.pedantic;
        (base_tree.1.pedantic, head_tree.1.pedantic) = (pedantic, pedantic);
        let (mut old, mut new) = rayon::join(|| Judged::new(base_tree), || Judged::new(head_tree));
        let mut comparison = compare(&old.tree.environments, &new.tree.environments);
        let (was, now) = (old.baseline(), new.baseline());
        comparison.appear = new.unknown_to(was);
        comparison.disappear = old.unknown_to(now);
        let (base, head) = (&old.tree.sources, &new.tree.sources);
        if comparison.changes_nothing() {
            comparison.others =
                objects_that_differ((&old.tree, &old.environments), (&new.tree, &new.environments));
        }
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
        if compared.comparison.environments.is_empty() && options.detail > Verbosity::Quiet {
            self.say("note: neither tree has an environment with anything to compare\n");
        }
        let fails = |it: &Finding| options.fail_on.is_some_and(|least| it.severity >= least);
        Ok(u8::from(compared.comparison.appear.iter().any(fails)))
    }
}

/// Whether `one` lies in `other`, and is not looked into there.
fn is_hidden_in(one: &Path, other: &Path) -> bool {
    let rest = one.strip_prefix(other).unwrap_or(Path::new(""));
    rest.iter().any(|it| it.to_string_lossy().starts_with('.'))
}

/// A tree with what its environments come to, and what is found in each.
struct Judged {
    tree: ComparedTree,
    config: Config,
    environments: Vec<Environment>,
    found: Applied,
}

impl Judged {
    fn new((sources, config): (Sources, Config)) -> Self {
        let (environments, clusters) = survey(&sources, &config);
        let findings = pipeline::found(&sources, &clusters);
        let found = settle::judge(&sources, &config, &environments, findings);
        let ours = environments.iter().zip(&clusters).filter(|(it, of)| is_ours(it, of));
        let ours = ours.map(|(it, cluster)| (it.name.clone(), subjects(it, cluster))).collect();
        Self { tree: ComparedTree { environments: ours, sources }, config, environments, found }
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
