//! Fixes that are proved: an edit is made in memory, the whole repository is resolved again, and only
//! what mends its finding and changes nothing else is offered.

use std::{
    cmp::Reverse,
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
    relevance::is_script,
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

/// So much may be made again in all to find the fixes that are shown, in values, fields and findings, which
/// is some three seconds: as much as one environment may hold. Few repositories come to a twentieth of it.
pub(crate) const MOST_MADE: usize = 600_000;

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
    /// others is none to who makes one of them. How many were not tried, since there are many, or since so
    /// much as `most` is made again before. Those that have nothing to do with each other are proved at once.
    pub(crate) fn offer(&self, findings: &mut [Finding], most: usize) -> usize {
        let mut candidates = self.candidates(findings, |_, _| true);
        let mut untried = candidates.split_off(candidates.len().min(MOST)).len();
        if candidates.is_empty() {
            return untried;
        }
        let all: &[Finding] = findings;
        let mut waiting = self.apart(all, candidates);
        // One proof there is always.
        let mut times = (most / self.weight().max(1)).max(1);
        let mut proved = Vec::new();
        while !waiting.is_empty() && times > 0 {
            // One proof is of the more the larger the group is. What is proved at once does not depend on
            // how many threads there are.
            waiting.sort_by_key(|it| Reverse(it.len()));
            let later = waiting.split_off(waiting.len().min(times));
            times -= waiting.len();
            let tried = waiting.into_par_iter().map(|group| self.holding(all, group));
            let tried: Vec<Tried<'a>> = tried.collect();
            waiting = later;
            for Tried { holding, halves } in tried {
                proved.extend(holding);
                waiting.extend(halves);
            }
        }
        untried += waiting.iter().map(Vec::len).sum::<usize>();
        for Candidate { finding, fix } in proved {
            findings[finding].fix = Some(fix);
        }
        untried
    }

    /// How much is made again for one proof: values and fields, and findings.
    fn weight(&self) -> usize {
        let environments: usize = self.environments.par_iter().map(Environment::weight).sum();
        environments + self.found.values().sum::<usize>()
    }

    /// Those of a group of [`Self::apart`] that hold, each by itself.
    fn holding(&self, findings: &[Finding], mut group: Vec<Apart<'a>>) -> Tried<'a> {
        let tried: Vec<&Candidate> = group.iter().map(|it| &it.candidate).collect();
        let is_of = |it: &Apart<'_>, name: &String| it.concerned.contains(&**name);
        let faults = match self.faults(findings, &tried) {
            Faults::None => BTreeSet::new(),
            Faults::In(names)
                if names.iter().all(|name| group.iter().any(|it| is_of(it, name))) =>
            {
                names
            }
            // What cannot be said to be the fault of any.
            _ if group.len() > 1 => {
                let rest = group.split_off(group.len() / 2);
                return Tried { holding: Vec::new(), halves: vec![group, rest] };
            }
            _ => return Tried::default(),
        };
        let blameless = group.into_iter().filter(|it| !faults.iter().any(|name| is_of(it, name)));
        Tried { holding: blameless.map(|it| it.candidate).collect(), halves: Vec::new() }
    }

    /// The edits of as many of `findings` as can be mended at once, and which these are; of those that
    /// are `wanted`.
    pub(crate) fn edits<'f>(
        &self,
        findings: &'f [Finding],
        wanted: impl Fn(&Finding, &Fix) -> bool,
    ) -> (Vec<Edit>, Vec<&'f Finding>) {
        let groups = self.proved(findings, self.candidates(findings, wanted));
        let (all, first): (Vec<&Candidate>, _) =
            (groups.iter().flatten().collect(), groups.first());
        let group = match (groups.len(), first) {
            (0, _) | (_, None) => return Default::default(),
            (1, Some(first)) => first.iter().collect(),
            (_, Some(first)) => match self.holds(findings, &all) {
                true => all,
                false => first.iter().collect(),
            },
        };
        let mended = group.iter().map(|it| &findings[it.finding]).collect();
        (merged(&group).unwrap_or_default(), mended)
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
            if edits.iter().any(|it| is_code(&self.sources[it.span.file].path)) {
                return None;
            }
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
    fn apart(&self, findings: &[Finding], candidates: Vec<Candidate>) -> Vec<Vec<Apart<'a>>> {
        let files: BTreeSet<FileId> =
            candidates.iter().flat_map(|it| it.fix.edits.iter().map(|it| it.span.file)).collect();
        let reached = |it: &Environment| {
            let nodes = it.objects.iter().flat_map(|it| it.node.walk());
            let steps = nodes.flat_map(|it| it.origin.steps()).filter_map(|it| it.span);
            steps.map(|it| it.file).filter(|it| files.contains(it)).collect()
        };
        let reached: Vec<(&'a str, BTreeSet<FileId>)> =
            self.environments.par_iter().map(|it| (&*it.name, reached(it))).collect();
        let mut groups: Vec<Vec<Apart<'a>>> = Vec::new();
        for candidate in candidates {
            let edited = |file: &FileId| candidate.fix.edits.iter().any(|it| it.span.file == *file);
            let own = &findings[candidate.finding].environments;
            let concerned: BTreeSet<&'a str> = (reached.iter())
                .filter(|(name, files)| own.contains(*name) || files.iter().any(edited))
                .map(|(name, _)| *name)
                .collect();
            let is_apart = |group: &&mut Vec<Apart<'_>>| {
                !concerned.is_empty() && group.iter().all(|it| it.concerned.is_disjoint(&concerned))
            };
            match groups.iter_mut().find(is_apart) {
                Some(group) => group.push(Apart { candidate, concerned }),
                None => groups.push(vec![Apart { candidate, concerned }]),
            }
        }
        groups
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
        matches!(self.faults(findings, group), Faults::None)
    }

    /// Where the edits of `group` do not mend what they are of, or change something else.
    fn faults(&self, findings: &[Finding], group: &[&Candidate]) -> Faults {
        let Some(edits) = merged(group) else { return Faults::Anywhere };
        let sources = discover::edited(self.sources, texts(self.sources, &edits));
        // What takes no resolving first.
        if !repeats_no_more_than(self.sources, &sources, &edits)
            || !reads_as_before(self.sources, &sources, &edits)
        {
            return Faults::Anywhere;
        }
        let (environments, clusters) = pipeline::analyze(&sources, self.config);
        let now = Prover::new(&sources, self.config, &environments, &clusters);
        let mended: Vec<&Finding> = group.iter().map(|it| &findings[it.finding]).collect();
        let comparison = compare(&self.settings, &now.settings);
        if !comparison.names.is_empty() || self.environments.len() != now.environments.len() {
            return Faults::Anywhere;
        }
        let mut faults = self.finds_more_than_before(&now, &comparison);
        faults.extend(mended.iter().flat_map(|it| self.remains(&now, it)));
        let settled = Self::unmeant(&comparison, &mended).into_iter().map(Some);
        faults.extend(settled.chain(self.others_that_differ(&now, &mended).map(Some)));
        match faults.into_iter().collect::<Option<BTreeSet<String>>>() {
            None => Faults::Anywhere,
            Some(faults) if faults.is_empty() => Faults::None,
            Some(faults) => Faults::In(faults),
        }
    }

    /// The environments of what is found in `now` and was not found before, but for what nobody has to
    /// mend of what was not there before.
    fn finds_more_than_before(
        &self,
        now: &Self,
        comparison: &Comparison,
    ) -> BTreeSet<Option<String>> {
        let is_new = |subject: &str| comparison.subjects.iter().any(|it| it.name == subject);
        let is_more = |(key, count): &(&FindingKey, &usize)| {
            self.found.get(key).is_none_or(|it| it < count)
                && !(now.pedantic.contains(key) && is_new(&key.1))
        };
        now.found.iter().filter(is_more).map(|(key, _)| key.3.clone()).collect()
    }

    /// The environments in which `finding` is found as it was.
    fn remains(&self, now: &Self, finding: &Finding) -> impl Iterator<Item = Option<String>> {
        let count = |judged: &Self, key: &FindingKey| judged.found.get(key).copied().unwrap_or(0);
        keys(finding).filter(move |key| count(now, key) >= count(self, key).max(1)).map(|key| key.3)
    }

    /// The environments in which something comes or goes that the fixes are not to bring, or a setting
    /// changes that they are not about.
    fn unmeant(comparison: &Comparison, mended: &[&Finding]) -> BTreeSet<String> {
        let brings = |finding: &Finding, change: &SubjectChange| {
            let brings = finding.proposal.as_ref().and_then(|it| it.brings);
            change.side == TreeSide::Head && brings.map(kind_of) == Some(change.kind)
        };
        let changes = |finding: &Finding, name: &str| {
            let meant = finding.proposal.as_ref().map_or(&[][..], |it| &it.settings);
            let is_it = |it: &str| settings::normal(it) == settings::normal(name);
            meant.iter().any(|it| it == ANY_SETTING || is_it(it))
        };
        let mut unmeant = BTreeSet::new();
        let mut note = |environments: &[String], is_meant: &dyn Fn(&Finding) -> bool| {
            let is_unmeant = |name: &&String| {
                !mended.iter().any(|it| is_meant(it) && it.environments.contains(*name))
            };
            unmeant.extend(environments.iter().filter(is_unmeant).cloned());
        };
        for change in &comparison.subjects {
            note(&change.environments, &|it| brings(it, change));
        }
        for change in &comparison.settings {
            note(&change.environments, &|it| changes(it, &change.name));
        }
        unmeant
    }

    /// The environments that have none of these findings and whose objects are not what they were.
    fn others_that_differ(&self, now: &Self, mended: &[&Finding]) -> impl Iterator<Item = String> {
        let concerned: BTreeSet<&String> = mended.iter().flat_map(|it| &it.environments).collect();
        let pairs = self.environments.iter().zip(now.environments);
        let differ = pairs.filter(move |(was, is)| {
            let mut objects = was.objects.iter().zip(&is.objects);
            !concerned.contains(&was.name)
                && (was.objects.len() != is.objects.len()
                    || !objects.all(|(was, is)| was.node.is_same(&is.node)))
        });
        differ.map(|(was, _)| was.name.clone())
    }
}

/// Whether what the file at `path` says is put together by code, which somebody has to read who edits it.
fn is_code(path: &str) -> bool {
    is_script(path) || matches!(source::extension(path), "hcl" | "tf" | "tfvars")
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

/// A fix of a group whose others have nothing to do with the environments that it concerns.
struct Apart<'a> {
    candidate: Candidate,
    concerned: BTreeSet<&'a str>,
}

/// What comes of trying a group.
#[derive(Default)]
struct Tried<'a> {
    holding: Vec<Candidate>,
    /// Groups that are to be tried instead.
    halves: Vec<Vec<Apart<'a>>>,
}

/// What is wrong with an edit.
enum Faults {
    None,
    /// Something in these environments.
    In(BTreeSet<String>),
    /// Something that cannot be told to be of an environment.
    Anywhere,
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
