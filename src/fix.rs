//! Fixes that are proved: an edit is made in memory, the whole repository is resolved again, and only
//! what mends its finding and changes nothing else is offered.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use rayon::prelude::*;

use crate::{
    compare::{Comparison, NamedSubjects, SubjectChange, TreeSide, compare},
    config::Config,
    discover, edit,
    finding::{ANY_SETTING, Applicability, Edit, Finding, Fix, NewSubject},
    model::Cluster,
    pipeline,
    resolve::environment::Environment,
    scalar::Dialect,
    settings::{self, SubjectKind},
    settle,
    source::{self, FileId, Sources, Span},
    suppress::{self, Applied},
    tree::Node,
};

/// How often a repository is resolved again at most, to find the fixes of one run.
const MOST: usize = 64;

/// A repository as it is resolved and judged.
pub(crate) struct Prover<'a> {
    sources: &'a Sources,
    config: &'a Config,
    environments: &'a [Environment],
    clusters: &'a [Cluster],
    settings: Vec<NamedSubjects>,
    found: BTreeMap<FindingKey, usize>,
    /// Those that nobody has to mend.
    pedantic: BTreeSet<FindingKey>,
}

/// What says that two findings of different trees are the same one: rule, subject, variant and the
/// environment; the place is another where something above it changes.
type FindingKey = (&'static str, String, &'static str, Option<String>);

impl<'a> Prover<'a> {
    pub(crate) fn new(
        sources: &'a Sources,
        config: &'a Config,
        environments: &'a [Environment],
        clusters: &'a [Cluster],
    ) -> Self {
        let named = environments.iter().zip(clusters);
        let settings = named.map(|(it, of)| (it.name.clone(), settings::subjects(it, of)));
        let settings = settings.collect();
        let (mut found, mut pedantic) = (BTreeMap::new(), BTreeSet::new());
        let mut all = pipeline::found(sources, clusters);
        all.extend(settle::unmatched(sources, config, environments));
        let Applied { kept, suppressed } = suppress::apply(sources, all);
        for finding in kept.iter().chain(&suppressed) {
            for key in keys(finding) {
                *found.entry(key.clone()).or_default() += 1;
                pedantic.extend(finding.pedantic.then_some(key));
            }
        }
        Self { sources, config, environments, clusters, settings, found, pedantic }
    }

    /// Gives those of `findings` the fixes that mend them, each by itself: what holds only together with
    /// others is none to who makes one of them. How many were not tried. Those that have nothing to do
    /// with each other are proved at once.
    pub(crate) fn offer(&self, findings: &mut [Finding]) -> usize {
        let mut candidates = self.candidates(findings, |_, _| true);
        let untried = candidates.split_off(candidates.len().min(MOST)).len();
        let all: &[Finding] = findings;
        let proved = self.apart(all, candidates).into_par_iter().flat_map_iter(|group| {
            let holds = |it: &Candidate| self.holds(all, &[it]);
            match group.len() > 1 && self.holds(all, &group.iter().collect::<Vec<_>>()) {
                true => group,
                false => group.into_iter().filter(holds).collect(),
            }
        });
        let proved: Vec<Candidate> = proved.collect();
        for Candidate { finding, fix } in proved {
            findings[finding].fix = Some(fix);
        }
        untried
    }

    /// The edits of as many of `findings` as can be mended at once, and how many these are; of those
    /// that are `wanted`.
    pub(crate) fn edits(
        &self,
        findings: &[Finding],
        wanted: impl Fn(&Finding, &Fix) -> bool,
    ) -> (Vec<Edit>, usize) {
        let groups = self.proved(findings, self.candidates(findings, wanted));
        let (all, first): (Vec<&Candidate>, _) =
            (groups.iter().flatten().collect(), groups.first());
        let group = match (groups.len(), first) {
            (0, _) | (_, None) => return (Vec::new(), 0),
            (1, Some(first)) => first.iter().collect(),
            (_, Some(first)) => match self.holds(findings, &all) {
                true => all,
                false => first.iter().collect(),
            },
        };
        (merged(&group).unwrap_or_default(), group.len())
    }

    /// What the rules mean to be edited for those of `findings` that are `wanted`.
    fn candidates(
        &self,
        findings: &[Finding],
        wanted: impl Fn(&Finding, &Fix) -> bool,
    ) -> Vec<Candidate> {
        // Of what is assumed, nothing that mends it is certain.
        let named = self.environments.iter().zip(self.clusters);
        let assumed: BTreeSet<&String> =
            named.filter(|(_, of)| of.assumed).map(|(it, _)| &it.name).collect();
        let candidate = |(at, finding): (usize, &Finding)| {
            let proposal = finding.proposal.as_ref()?;
            let edits = edit::edits(self.sources, &proposal.changes)?;
            let is_assumed = finding.environments.iter().any(|it| assumed.contains(it));
            let applicability = match is_assumed {
                true => Applicability::Unsafe,
                false => proposal.applicability,
            };
            let fix = Fix { edits, applicability };
            wanted(finding, &fix).then_some(Candidate { finding: at, fix })
        };
        findings.iter().enumerate().filter_map(candidate).collect()
    }

    /// Groups of `candidates` of which none concerns an environment that has a finding of another, or
    /// that anything in a file of another's edits reaches.
    fn apart(&self, findings: &[Finding], candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
        if candidates.len() < 2 {
            return vec![candidates];
        }
        let files: BTreeSet<FileId> =
            candidates.iter().flat_map(|it| it.fix.edits.iter().map(|it| it.span.file)).collect();
        let reached = |it: &Environment| {
            let nodes = it.objects.iter().flat_map(|it| it.node.walk());
            let steps = nodes.flat_map(|it| it.origin.steps()).filter_map(|it| it.span);
            steps.map(|it| it.file).filter(|it| files.contains(it)).collect()
        };
        let reached: Vec<(&str, BTreeSet<FileId>)> =
            self.environments.par_iter().map(|it| (&*it.name, reached(it))).collect();
        let mut groups: Vec<(BTreeSet<&str>, Vec<Candidate>)> = Vec::new();
        for candidate in candidates {
            let edited = |file: &FileId| candidate.fix.edits.iter().any(|it| it.span.file == *file);
            let others = reached.iter().filter(|(_, files)| files.iter().any(edited));
            let own = findings[candidate.finding].environments.iter().map(String::as_str);
            let concerned: BTreeSet<&str> = others.map(|(name, _)| *name).chain(own).collect();
            let is_apart = |it: &&mut (BTreeSet<&str>, _)| {
                !concerned.is_empty() && it.0.is_disjoint(&concerned)
            };
            match groups.iter_mut().find(is_apart) {
                Some((all, group)) => {
                    all.extend(concerned);
                    group.push(candidate);
                }
                None => groups.push((concerned, vec![candidate])),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// Those of `candidates` that hold, in groups of which each holds as a whole.
    fn proved(&self, findings: &[Finding], candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
        let mut waiting = vec![candidates];
        let (mut proved, mut times) = (Vec::new(), 0);
        while let Some(mut group) = waiting.pop().filter(|_| times < MOST) {
            if group.is_empty() {
                continue;
            }
            times += 1;
            if self.holds(findings, &group.iter().collect::<Vec<_>>()) {
                proved.push(group);
            } else if group.len() > 1 {
                let rest = group.split_off(group.len() / 2);
                waiting.extend([rest, group]);
            }
        }
        proved
    }

    /// Whether the edits of `group` mend what they are of, and change nothing else.
    fn holds(&self, findings: &[Finding], group: &[&Candidate]) -> bool {
        let Some(edits) = merged(group) else { return false };
        let sources = discover::edited(self.sources, texts(self.sources, &edits));
        // What takes no resolving first.
        if !repeats_no_more_than(self.sources, &sources, &edits)
            || !reads_as_before(self.sources, &sources, &edits)
        {
            return false;
        }
        let (environments, clusters) = pipeline::analyze(&sources, self.config);
        let now = Prover::new(&sources, self.config, &environments, &clusters);
        let mended: Vec<&Finding> = group.iter().map(|it| &findings[it.finding]).collect();
        let comparison = compare(&self.settings, &now.settings);
        self.finds_no_more_than(&now, &comparison)
            && mended.iter().all(|it| self.is_gone(&now, it))
            && Self::brings_what_is_meant(&comparison, &mended)
            && Self::settings_are_those_of(&comparison, &mended)
            && self.others_are_same(&now, &mended)
    }

    /// Whether nothing is found in `now` that was not found before, but for what nobody has to mend of
    /// what was not there before.
    fn finds_no_more_than(&self, now: &Self, comparison: &Comparison) -> bool {
        let is_new = |subject: &str| comparison.subjects.iter().any(|it| it.name == subject);
        now.found.iter().all(|(key, count)| {
            self.found.get(key).is_some_and(|it| it >= count)
                || now.pedantic.contains(key) && is_new(&key.1)
        })
    }

    /// Whether nothing comes or goes, but for what the fixes are to bring, where their findings are.
    fn brings_what_is_meant(comparison: &Comparison, mended: &[&Finding]) -> bool {
        let is_meant = |change: &SubjectChange, environment: &String| {
            let brings = |it: &&Finding| it.proposal.as_ref().and_then(|it| it.brings);
            let mut bring = mended.iter().filter(|it| brings(it).map(kind_of) == Some(change.kind));
            change.side == TreeSide::Head && bring.any(|it| it.environments.contains(environment))
        };
        comparison.names.is_empty()
            && (comparison.subjects.iter())
                .all(|it| it.environments.iter().all(|name| is_meant(it, name)))
    }

    fn is_gone(&self, now: &Self, finding: &Finding) -> bool {
        let count = |judged: &Self, key: &FindingKey| judged.found.get(key).copied().unwrap_or(0);
        keys(finding).all(|key| count(now, &key) < count(self, &key).max(1))
    }

    /// Whether only the settings changed that the fixes are about, and only where their findings are.
    fn settings_are_those_of(comparison: &Comparison, mended: &[&Finding]) -> bool {
        let is_meant = |name: &str, environment: &String| {
            mended.iter().any(|finding| {
                let meant = finding.proposal.as_ref().map_or(&[][..], |it| &it.settings);
                meant
                    .iter()
                    .any(|it| it == ANY_SETTING || settings::normal(it) == settings::normal(name))
                    && finding.environments.contains(environment)
            })
        };
        let mut settings = comparison.settings.iter();
        settings.all(|it| it.environments.iter().all(|name| is_meant(&it.name, name)))
    }

    /// Whether the objects of the environments that have none of these findings are what they were.
    fn others_are_same(&self, now: &Self, mended: &[&Finding]) -> bool {
        let concerned: BTreeSet<&String> = mended.iter().flat_map(|it| &it.environments).collect();
        let pairs = self.environments.iter().zip(now.environments);
        self.environments.len() == now.environments.len()
            && pairs.filter(|(it, _)| !concerned.contains(&it.name)).all(|(was, is)| {
                let mut objects = was.objects.iter().zip(&is.objects);
                was.objects.len() == is.objects.len()
                    && objects.all(|(was, is)| was.node.is_same(&is.node))
            })
    }
}

fn kind_of(subject: NewSubject) -> SubjectKind {
    match subject {
        NewSubject::ApiService => SubjectKind::ApiService,
    }
}

/// Whether no file of `edits` comes to have a key twice, of which one would count for nothing.
fn repeats_no_more_than(was: &Sources, now: &Sources, edits: &[Edit]) -> bool {
    let repeated = |sources: &Sources, file| {
        let documents = &sources.documents(file, Dialect::Sigs).list;
        documents.iter().map(|it| it.repeated.len()).sum::<usize>()
    };
    edits.iter().map(|it| it.span.file).all(|it| repeated(now, it) <= repeated(was, it))
}

/// Whether everything in the files of `edits` that is in none of them is read as it was.
fn reads_as_before(was: &Sources, now: &Sources, edits: &[Edit]) -> bool {
    edits.chunk_by(|one, next| one.span.file == next.span.file).all(|edits| {
        let (mut removed, mut added) = (0, 0);
        let ranges = edits.iter().map(|Edit { span, text }| {
            let start = span.start as usize - removed + added;
            (removed, added) = (removed + span.range().len(), added + text.len());
            (span.range(), start..start + text.len())
        });
        let (before, after): (Vec<_>, Vec<_>) = ranges.unzip();
        let Some(Edit { span, .. }) = edits.first() else { return true };
        !source::is_yaml(&was[span.file].path)
            || outside(was, span.file, &before).eq(outside(now, span.file, &after))
    })
}

/// The keys and scalars of a file of which no byte is in `ranges`, in order as these are.
fn outside<'a>(
    sources: &'a Sources,
    file: FileId,
    ranges: &'a [Range<usize>],
) -> impl Iterator<Item = &'a str> {
    let is_outside = move |at: Span| {
        let at = at.range();
        let next = ranges.partition_point(|it| it.end <= at.start);
        !at.is_empty() && ranges.get(next).is_none_or(|it| it.start >= at.end)
    };
    let nodes = sources.documents(file, Dialect::Sigs).roots().flat_map(Node::walk);
    nodes.flat_map(move |node| {
        let scalar = node.as_scalar().filter(|_| node.origin.written_at().is_some_and(is_outside));
        let keys = node.entries().filter(move |(_, it)| it.key.is_some_and(is_outside));
        scalar.map(|it| &*it.text).into_iter().chain(keys.map(|(key, _)| key))
    })
}

/// A fix that is not proved yet.
struct Candidate {
    /// Which of the findings it mends.
    finding: usize,
    fix: Fix,
}

/// The edits of all of a group, in order; nothing where two of them are about the same bytes, or one is
/// put where another one takes something away.
fn merged(group: &[&Candidate]) -> Option<Vec<Edit>> {
    let mut edits: Vec<(&Edit, usize)> =
        group.iter().flat_map(|it| it.fix.edits.iter().map(|edit| (edit, it.finding))).collect();
    edits.sort();
    // What goes may be what the other one is put below.
    let is_torn = |pair: &[(&Edit, usize)]| {
        let ((one, of_one), (next, of_next)) = (pair[0], pair[1]);
        let goes = one.text.is_empty() && !one.span.range().is_empty();
        let comes = next.span.range().is_empty() && one.span.file == next.span.file;
        of_one != of_next && goes && comes && one.span.end == next.span.start
    };
    if edits.windows(2).any(is_torn) {
        return None;
    }
    edit::merged(edits.into_iter().map(|(edit, _)| edit.clone()).collect())
}

/// The files that `edits` are of, and what they hold then.
pub(crate) fn texts(sources: &Sources, edits: &[Edit]) -> Vec<(FileId, String)> {
    let files = edits.chunk_by(|one, next| one.span.file == next.span.file);
    let text = |edits: &[Edit]| {
        let file = edits.first()?.span.file;
        let whole = Span::new(file, 0..sources.text(file).len());
        Some((file, edit::edited(sources, whole, edits)))
    };
    files.filter_map(text).collect()
}

fn keys(finding: &Finding) -> impl Iterator<Item = FindingKey> + '_ {
    let environments = finding.environments.iter().cloned().map(Some);
    let nowhere = finding.environments.is_empty().then_some(None);
    environments
        .chain(nowhere)
        .map(|environment| (finding.rule, finding.subject.clone(), finding.variant, environment))
}
