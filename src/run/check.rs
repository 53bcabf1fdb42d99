//! `check`: what is wrong, at the line to edit.

use std::{collections::BTreeSet, mem::ManuallyDrop, path::Path};

use super::{
    CommandResult, Failure, Run,
    fix::{Mended, elsewhere},
    open::{
        Opened, below_git, chosen, followed, open, open_stdin, open_tree, read_named, refuse_part,
    },
    shown,
};
use crate::{
    baseline::Baseline,
    cli::{CheckOptions, Command, Format, KnownOptions, Options, Verbosity},
    config::Config,
    discover,
    finding::Finding,
    fix,
    model::Cluster,
    pipeline::{self, concerns, is_ours, survey},
    report::{self, Progress, Report, Workflow},
    resolve::environment::Environment,
    rules,
    settle::{self, Scope},
    source::{FileId, Relevance, Sources},
    suppress::Applied,
};

impl Run<'_, '_> {
    pub(super) fn check(&mut self, check: &CheckOptions) -> CommandResult {
        let options = self.options;
        let progress = self.progress();
        let KnownOptions { baseline: file, write_baseline, since } = &check.known;
        let (file, since) = (file.as_deref(), since.as_deref());
        let (read, written) = if *write_baseline { (None, file) } else { (file, None) };
        let Opened { root, sources, config, mut scope } =
            open_for(check, options, &self.streams.workflow, &progress)?;
        // The process ends with this command: to give its memory back bit by bit takes time.
        let mut sources = ManuallyDrop::new(sources);
        let mut known = Vec::from_iter(read.map(|it| read_baseline(&root, it)).transpose()?);
        progress.stage("resolving the environments");
        let mut seen = ManuallyDrop::new(Seen::of(check, &sources, &config, &scope));
        if check.list_files {
            drop(progress);
            return self.write(|_, _| report::files(&sources, &config, &scope).into());
        }
        scope.environments = seen.named(&check.environment)?;
        progress.stage("checking");
        let judged = seen.judge(&sources, &config, !is_stdin(check));
        if let Some(file) = written {
            known.push(seen.baseline(&sources, &config, &scope, &judged));
            list_in(&root, file, &known[0])?;
        }
        if let Some(dir) = since {
            refuse_part(&sources, &root, dir)?;
            let (sources, theirs) = open_tree(options, dir, &root, &progress)?;
            known.push(all_of(&sources, theirs, config.pedantic));
        }
        let settle = |sources: &Sources, seen: &Seen, judged| {
            let (environments, mut known) = (&seen.environments, known.clone());
            let settled =
                settle::select(sources, &config, environments, judged, &scope, &mut known);
            (settled, known)
        };
        let (mut settled, mut left) = settle(&sources, &seen, judged);
        let mut mended = None;
        if check.fixes.mends() {
            progress.stage("mending");
            let mut all = Mended::new(&sources);
            while let Some(next) = all.mend(check, &sources, &config, &scope, &seen, &settled) {
                *sources = next;
                *seen = Seen::new(check, &sources, &config, &BTreeSet::new());
                let judged = seen.judge(&sources, &config, !is_stdin(check));
                (settled, left) = settle(&sources, &seen, judged);
            }
            mended = Some(all);
        }
        // What mends each is found by resolving again, which takes its time.
        let asked = self.shows_fixes();
        let is_shown = options.outputs.iter().any(|it| it.format.shows_fixes(asked));
        let untried =
            if is_shown { seen.fixes(&sources, &config, &mut settled.findings) } else { 0 };
        progress.finish();
        let mut counts = settled.known.iter().copied();
        let concerned = seen.concerned(&sources, &scope);
        let (environments, untouched) = seen.counted(&scope, &concerned, &settled.findings);
        let is_told = options.detail > Verbosity::Quiet && !is_stdin(check) && !check.fixes.diff;
        let beyond = (scope.is_of_paths() && is_told)
            .then(|| seen.everywhere(&sources, &config, &scope, concerned, &mut known.clone()))
            .map(|all| beyond(all, &settled.findings));
        let report = Report {
            environments,
            untouched,
            elsewhere: elsewhere(mended.as_ref(), &sources, &scope, &settled.findings),
            findings: settled.findings,
            suppressed: settled.suppressed,
            pedantic: settled.pedantic,
            less_severe: settled.less_severe,
            baseline: file.and_then(|_| counts.next()),
            since: since.and_then(|_| counts.next()),
            fixed: mended.as_ref().map(|it| it.all.clone()),
            is_patch: check.fixes.diff,
            ..Report::of(&sources)
        };
        let is_empty = report.is_empty();
        if let Some(mended) = mended.as_ref().filter(|_| check.fixes.diff) {
            return self.print_patch(mended, &report);
        }
        if let Some(mended) = &mended {
            mended.write(&root, &sources).map_err(Failure::Plain)?;
        }
        self.write_report(&report)?;
        self.tell_untried(if check.fixes.mends() { 0 } else { untried });
        if is_empty && !is_stdin(check) {
            self.tell_repositories(&sources);
            self.tell_where_to_look(&sources);
        }
        if let (Some(file), Some(baseline)) = (file, left.first()) {
            self.tell_baseline(file, baseline, scope.is_all() && !is_stdin(check));
        }
        self.tell_beyond(
            &beyond.unwrap_or_default(),
            &report.environments,
            scope.environments.is_none(),
        );
        self.tell_mistaken(report.sources);
        if self.tell_unread(&sources, &scope) && !check.force_exclude {
            return Ok(2);
        }
        let fails = options.fail_on.is_some_and(|least| report.has(least));
        Ok(u8::from(fails || is_empty && check.fail_on_empty))
    }

    /// Writes the report in each form; that nothing was there to check is told to everybody.
    fn write_report(&mut self, report: &Report<'_>) -> CommandResult {
        let options = self.options;
        let is_empty = report.is_empty();
        let files = self.streams.workflow.files.clone();
        let (whole, plain) = (report, report.without_fixes());
        // What one form holds does not depend on which others there are.
        let asked = self.shows_fixes();
        self.write(|format, look| {
            let report = if format.shows_fixes(asked) { whole } else { &plain };
            let summarizes = !is_empty && options.detail > Verbosity::Quiet;
            let summary = if summarizes { report::summary(report, look) } else { String::new() };
            let text = || report::text(report, look, options.detail) + &summary;
            match format {
                Format::Concise => (report::concise(report, look) + &summary).into(),
                Format::Text | Format::Yaml => text().into(),
                Format::Github => {
                    (report::without_commands(&text()) + &report::github(report, None)).into()
                }
                _ => report::for_programs(format, report, None, files.as_deref()).into(),
            }
        })?;
        self.summarize(report, None);
        if is_empty || options.only_files() && options.detail > Verbosity::Quiet {
            let look = self.streams.err_screen.look(options.color);
            self.say(&report::summary(report, look));
        }
        Ok(0)
    }

    /// Whether somebody asks what mends the findings.
    fn shows_fixes(&self) -> bool {
        let Command::Check(check) = &self.options.command else { return false };
        check.fixes.show_fixes || check.fixes.mends()
    }

    /// Writes what would be mended as a patch, and how much that is on the side.
    fn print_patch(&mut self, mended: &Mended, report: &Report<'_>) -> CommandResult {
        let patch = mended.patch(report.sources);
        self.write(|_, _| patch.clone().into())?;
        if self.options.detail > Verbosity::Quiet {
            let look = self.streams.err_screen.look(self.options.color);
            self.say(&report::summary(report, look));
        }
        let fails = self.options.fail_on.is_some_and(|least| report.has(least));
        Ok(u8::from(!patch.is_empty() || fails))
    }

    /// Says of how many findings nobody knows whether there is a fix.
    fn tell_untried(&mut self, untried: usize) {
        if untried > 0 && self.options.detail > Verbosity::Quiet {
            let findings = report::count(untried, "finding");
            self.say(&format!(
                "note: nobody looked for fixes of {findings} more: --fix and --diff do\n"
            ));
        }
    }

    /// Says how much is found in `environments`, which are `all` that there are, whose places are not among
    /// what is named.
    fn tell_beyond(&mut self, beyond: &[Finding], environments: &[String], all: bool) {
        let is_there = |name: &&String| beyond.iter().any(|it| it.environments.contains(*name));
        let names: Vec<_> = environments.iter().filter(is_there).collect();
        if self.options.detail == Verbosity::Quiet || names.is_empty() {
            return;
        }
        let (of, name) = match &*names {
            [name] => ((*name).clone(), name.as_str()),
            all => (report::count(all.len(), "environment"), "NAME"),
        };
        let findings = report::count(beyond.len(), "finding");
        let hint = if all { format!(": see --environment {name}") } else { String::new() };
        self.say(&shown(&format!("note: {findings} more of {of}, written elsewhere{hint}\n")));
    }

    /// Says which files are named and not looked into; whether there are any. Who names files one by one
    /// is told; a hook names all that changed.
    fn tell_unread(&mut self, sources: &Sources, scope: &Scope) -> bool {
        let mut any = false;
        for path in not_looked_into(sources, scope) {
            self.say(&shown(&format!(
                "`{path}` is not looked into: nothing says what kind of file it is\n"
            )));
            any = true;
        }
        any
    }

    /// Says which entries of the baseline in `file` are of nothing that is there; `left` holds those that
    /// were not met, and `is_all` says whether all of them could have been.
    fn tell_baseline(&mut self, file: &Path, left: &Baseline, is_all: bool) {
        if self.options.detail == Verbosity::Quiet {
            return;
        }
        let (gone, unknown): (Vec<_>, Vec<_>) =
            left.entries().into_iter().partition(|it| rules::find(&it.identity.rule).is_some());
        let file = file.display();
        let mut rules: Vec<_> =
            unknown.iter().map(|it| format!("`{}`", it.identity.rule)).collect();
        rules.dedup();
        if !rules.is_empty() {
            let rules = rules.join(", ");
            self.say(&format!(
                "note: `{file}` lists findings of rules that there are not: {rules}\n"
            ));
        }
        if gone.is_empty() || !is_all {
            return;
        }
        let count = match gone.len() {
            1 => "1 finding of it is".to_owned(),
            count => format!("{count} findings of it are"),
        };
        self.say(&format!("note: `{file}`: {count} gone, renew it with --write-baseline\n"));
        if self.options.detail == Verbosity::Verbose {
            let lines = gone.iter().map(|it| format!("  gone: {it}\n"));
            self.say(&lines.collect::<String>());
        }
    }
}

/// The repository as it is resolved.
pub(super) struct Seen {
    pub(super) environments: Vec<Environment>,
    pub(super) clusters: Vec<Cluster>,
    /// Whether there are others, which have nothing to do with what is asked about.
    some: bool,
}

impl Seen {
    /// Everything, or that what is named has no part in it.
    fn of(check: &CheckOptions, sources: &Sources, config: &Config, scope: &Scope) -> Self {
        let seen = Self::new(check, sources, config, &asked(check, sources, scope));
        if seen.some {
            let judged = seen.judge(sources, config, true);
            let settled =
                settle::select(sources, config, &seen.environments, judged, scope, &mut []);
            // What is found may be found elsewhere, too.
            if !settled.is_empty() || !seen.concerned(sources, scope).is_empty() {
                return Self::new(check, sources, config, &BTreeSet::new());
            }
        }
        seen
    }

    /// For who asks about these files, if there are any.
    fn new(
        check: &CheckOptions,
        sources: &Sources,
        config: &Config,
        files: &BTreeSet<FileId>,
    ) -> Self {
        // Whoever names environments may name one in which nothing is found.
        let ((environments, clusters), some) = match check.environment.is_empty() {
            true => pipeline::analyze_for(sources, config, files),
            false => (survey(sources, config), false),
        };
        Self { environments, clusters, some }
    }

    /// Those of the environments that are called by one of `names`; nothing where none is.
    fn named(&self, names: &[String]) -> Result<Option<BTreeSet<String>>, Failure> {
        if names.is_empty() {
            return Ok(None);
        }
        let ours = self.environments.iter().zip(&self.clusters);
        let ours = ours.filter(|(it, of)| is_ours(it, of));
        chosen(names, ours.map(|(environment, _)| &*environment.name)).map(Some)
    }

    /// What is found; of `all` the repository also what the configuration names and is not there.
    fn judge(&self, sources: &Sources, config: &Config, all: bool) -> Applied {
        let mut findings = pipeline::found(sources, &self.clusters);
        if all {
            findings.extend(settle::unmatched(sources, config, &self.environments));
        }
        settle::judge(sources, config, &self.environments, findings)
    }

    /// What a person who asks for `scope` accepts of what was `judged`.
    fn baseline(
        &self,
        sources: &Sources,
        config: &Config,
        scope: &Scope,
        judged: &Applied,
    ) -> Baseline {
        let shown = judged.kept.iter().filter(|it| scope.shows(config, it));
        let shown: Vec<Finding> = shown.cloned().collect();
        Baseline::of(sources, names(&self.environments), &shown)
    }

    /// The names of the environments that `scope` is about and that say something of our subject: of
    /// those `concerned`, or of all where these are none. Where its paths are of none, no names, and that
    /// it is so.
    fn counted(
        &self,
        scope: &Scope,
        concerned: &BTreeSet<String>,
        findings: &[Finding],
    ) -> (Vec<String>, bool) {
        let is_counted = |(environment, cluster): &(&Environment, &Cluster)| {
            let chosen = scope.environments.as_ref();
            // One that only scales workloads counts where something is found in it.
            let mut found = findings.iter().map(|it| &it.environments);
            is_ours(environment, cluster)
                && chosen.is_none_or(|it| it.contains(&environment.name))
                && (!cluster.only_autoscales() || found.any(|it| it.contains(&environment.name)))
        };
        let pairs = self.environments.iter().zip(&self.clusters).filter(is_counted);
        let all: Vec<String> = pairs.map(|(environment, _)| environment.name.clone()).collect();
        let some: Vec<String> = all.iter().filter(|it| concerned.contains(*it)).cloned().collect();
        let is_touched = !scope.is_of_paths() || !concerned.is_empty() || !findings.is_empty();
        match (is_touched, some.is_empty()) {
            (false, _) => (Vec::new(), self.some || !all.is_empty()),
            (true, true) => (all, false),
            (true, false) => (some, false),
        }
    }

    /// The names of the environments in which the paths of `scope` have a part.
    fn concerned(&self, sources: &Sources, scope: &Scope) -> BTreeSet<String> {
        let mut pairs: Vec<_> = self.environments.iter().zip(&self.clusters).collect();
        if scope.is_of_paths() {
            pairs.retain(|(environment, cluster)| concerns(sources, scope, environment, cluster));
        }
        pairs.into_iter().map(|(environment, _)| environment.name.clone()).collect()
    }

    /// What is found in the environments that are `concerned`, wherever that is.
    fn everywhere(
        &self,
        sources: &Sources,
        config: &Config,
        scope: &Scope,
        mut concerned: BTreeSet<String>,
        known: &mut [Baseline],
    ) -> Vec<Finding> {
        if let Some(chosen) = &scope.environments {
            concerned.retain(|it| chosen.contains(it));
        }
        let judged = self.judge(sources, config, true);
        let (paths, environments) = (vec![String::new()], Some(concerned));
        let scope = Scope { paths, environments, ..scope.clone() };
        settle::select(sources, config, &self.environments, judged, &scope, known).findings
    }

    /// Gives those of `findings` that can be mended their fixes; how many were not tried.
    fn fixes(&self, sources: &Sources, config: &Config, findings: &mut [Finding]) -> usize {
        if findings.iter().all(|it| it.proposal.is_none()) {
            return 0;
        }
        let (environments, clusters) = (&self.environments, &self.clusters);
        fix::Prover::new(sources, config, environments, clusters).offer(findings, fix::MOST_MADE)
    }
}

/// Those of `all` that are not among those `shown`.
fn beyond(mut all: Vec<Finding>, shown: &[Finding]) -> Vec<Finding> {
    let key = |it: &Finding| (it.rule, it.subject.clone(), it.primary().map(|it| it.span));
    let shown: BTreeSet<_> = shown.iter().map(key).collect();
    all.retain(|it| !shown.contains(&key(it)));
    all
}

/// The files that are asked about, if it is these alone and nothing else has to be known.
fn asked(check: &CheckOptions, sources: &Sources, scope: &Scope) -> BTreeSet<FileId> {
    let KnownOptions { baseline, since, .. } = &check.known;
    let is_more = check.fail_on_empty
        || check.list_files
        || is_stdin(check)
        || baseline.is_some()
        || since.is_some();
    let files = scope.paths.iter().map(|it| sources.find(it));
    files.collect::<Option<_>>().filter(|_| !is_more).unwrap_or_default()
}

fn is_stdin(check: &CheckOptions) -> bool {
    check.paths.iter().any(|it| it.as_os_str() == "-")
}

/// What `check` reads.
///
/// # Errors
/// What cannot be read, and options that do not go together.
fn open_for(
    check: &CheckOptions,
    options: &Options,
    workflow: &Workflow,
    progress: &Progress,
) -> Result<Opened, Failure> {
    let refused = |why: &str| Err(Failure::Plain(why.to_owned()));
    let mut outputs = options.outputs.iter();
    if check.fixes.diff && outputs.any(|it| it.format != Format::Text) {
        return refused("--diff prints a patch and no report: leave --format out");
    }
    if check.fixes.unsafe_fixes && !check.fixes.mends() {
        return refused("--unsafe-fixes goes with --fix or --diff");
    }
    if is_stdin(check) {
        let known = &check.known;
        if check.paths.len() > 1
            || known.since.is_some()
            || known.write_baseline
            || check.list_files
            || check.fixes.mends()
        {
            return refused(
                "`-`, standard input, stands alone: no paths, --since, --write-baseline, \
                 --list-files, --fix or --diff",
            );
        }
        return open_stdin(options);
    }
    let mut opened = open(options, &check.paths, progress)?;
    if workflow.in_git {
        opened.sources.below_git = below_git(&opened.root);
    }
    if check.known.write_baseline && !opened.scope.is_all() {
        return refused("a baseline is of the whole repository: leave out the paths");
    }
    Ok(opened)
}

/// Everything that is found in another tree, with what nobody has to mend if that is asked for here.
fn all_of(sources: &Sources, mut config: Config, pedantic: bool) -> Baseline {
    // Else who asks for it is shown old notes of that kind as new.
    config.pedantic |= pedantic;
    let config = &config;
    let (environments, clusters) = survey(sources, config);
    let seen = Seen { environments, clusters, some: false };
    let judged = seen.judge(sources, config, true);
    Baseline::of(sources, names(&seen.environments), &judged.kept)
}

fn names(environments: &[Environment]) -> impl Iterator<Item = &str> {
    environments.iter().map(|it| &*it.name)
}

/// Lists the findings of `baseline` in the file.
fn list_in(root: &Path, file: &Path, baseline: &Baseline) -> Result<(), Failure> {
    if file.exists() {
        followed(root, file)?;
    }
    super::fix::write_whole(file, baseline.to_json().as_bytes())
}

/// The findings that the file lists.
fn read_baseline(root: &Path, file: &Path) -> Result<Baseline, Failure> {
    let shown = file.display().to_string();
    let text = read_named(root, file).map_err(|failure| match failure {
        Failure::Plain(message) => {
            Failure::Plain(format!("{message}; --write-baseline creates a baseline"))
        }
        found @ Failure::Found(..) => found,
    })?;
    let sources = Sources::of_one(&shown, text);
    let Some(file) = sources.find(&shown) else { return Ok(Baseline::default()) };
    let parsed = Baseline::parse(&sources, file);
    let what = "the baseline cannot be used";
    parsed.map_err(|found| Failure::Found(Box::new(sources), what.to_owned(), found))
}

/// The files that the user names and that nobody looked into: there is no telling what they are.
fn not_looked_into<'a>(sources: &Sources, scope: &'a Scope) -> impl Iterator<Item = &'a String> {
    scope.paths.iter().filter(|path| {
        let file = sources.find(path).filter(|it| sources[*it].relevance == Relevance::None);
        file.is_some_and(|it| !sources[it].is_loaded() && !discover::is_candidate(path))
    })
}
