//! Helm: layers of values, and what the charts that we know make of them.

mod bitnami;
mod builtin;
mod chart;
mod chart_files;
mod chart_object;
mod chart_values;
mod dependencies;
mod family;
mod ignore;
mod kubernetes_sigs;
mod local;
mod object;
pub(crate) mod package;
mod parsed;
mod print;
pub(crate) mod render;
mod schema;
mod stable;
pub(crate) mod strvals;
mod template;
mod values;
mod versions;

use semver::Version;

pub(crate) use builtin::ApiVersions;
pub(crate) use family::{family, recognize_values};
#[cfg(test)]
pub(crate) use local::{Expanded, expand};
pub(crate) use local::{deploys, keys, template_of_it};
pub(crate) use template::truth;
pub(crate) use values::{coalesce, layer, merge};

pub(crate) use self::object::identity_only;
use self::template::HelmScope;
use crate::{
    data::{
        Family,
        charts::{self, KnownChart},
        kinds::is_cluster_scoped,
        subject::is_server_named_in,
        version::Constraint,
    },
    problem::Problem,
    resolve::{context::Context, environment::Release},
    tree::{Node, Origin, Reason, Via},
};

/// The objects that a chart renders.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rendered {
    /// The objects, canonical; a value that nobody can tell is `Kind::Unknown`. Such an item of a
    /// list stands for any number of items.
    pub objects: Vec<Node>,
    /// What cannot be told, and what Helm would refuse.
    pub problems: Vec<Problem>,
}

/// What a release comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Installed {
    /// The release, and those of the charts that its chart depends on, each with its objects.
    pub parts: Vec<(Release, Vec<Node>)>,
    /// What cannot be told, and what Helm would refuse.
    pub problems: Vec<Problem>,
}

/// Renders `release` as it is installed: what names no namespace lands in the release's.
///
/// Nothing and an `unresolved` problem when its chart is not one that we know.
pub(crate) fn install(context: &Context<'_>, release: Release) -> Installed {
    let mut installed = template(context, release);
    for (release, objects) in &mut installed.parts {
        for object in objects {
            land(object, release);
        }
    }
    installed
}

/// Puts an object that names no namespace into that of `release`.
fn land(object: &mut Node, release: &Release) {
    let cluster_wide = object.str_at("kind").is_some_and(is_cluster_scoped);
    if !cluster_wide
        && object.at("metadata.namespace").is_none()
        && let Some(metadata) = object.at_mut("metadata")
    {
        let namespace = release.namespace.as_str();
        metadata.set("namespace", Node::new(namespace, release.anchor.clone()));
    }
}

/// Renders `release` as `helm template` does: [`install`], but objects keep to what they name.
///
/// A chart in the repository is looked up there: it may be a copy of one that we know, or depend
/// on one.
pub(crate) fn template(context: &Context<'_>, release: Release) -> Installed {
    let expanded = local::expand(context, &release);
    let mut all = Installed { parts: Vec::new(), problems: expanded.problems };
    if expanded.nested || expanded.releases.is_empty() {
        let shell = expanded.nested && !expanded.more && all.problems.is_empty();
        let version = expanded.version.or_else(|| release.version.clone());
        let (reads, below) = (expanded.reads, expanded.below);
        let root = Release { reads, below, version, shell, ..release };
        all.parts.push((root, expanded.objects));
    }
    for (release, objects) in expanded.releases {
        let rendered = match (objects, release.family) {
            (Some(objects), _) => Rendered { objects, problems: Vec::new() },
            (None, Some(family)) => of_family(context, &release, family),
            (None, None) => not_known(&release),
        };
        all.problems.extend(rendered.problems);
        all.parts.push((release, rendered.objects));
    }
    if let Some((release, _)) = all.parts.first_mut() {
        release.work = expanded.work;
    }
    for (release, objects) in &mut all.parts {
        if let Some(why) = &release.modified {
            for object in objects {
                *object = identity_only(object, why, None);
            }
        }
    }
    all
}

/// Renders `release`, whose chart is of `family`, in every version that it may be of.
///
/// Values that the newest chart refuses tell that a version which nobody knows is an older one.
fn of_family(context: &Context<'_>, release: &Release, family: Family) -> Rendered {
    let chart = charts::chart(family);
    let candidates = candidates(chart, release);
    let mut renderings = Vec::new();
    let mut refusal = None;
    for candidate in &candidates {
        match candidate.render(context, release, family) {
            Ok(objects) => renderings.push((&candidate.model, objects)),
            Err(problem) => refusal = Some(problem),
        }
    }
    if renderings.is_empty()
        && let Some(Candidate { guess: Some(why), .. }) = candidates.first()
    {
        renderings.extend(chart.versions().rev().find_map(|model| {
            let older = Candidate { model: model.clone(), guess: Some(why.clone()) };
            Some((model, older.render(context, release, family).ok()?))
        }));
    }
    // Where some versions name the release's namespace and others leave it to whoever installs them,
    // none of them is in another.
    let names = |(_, objects): &(&Version, Vec<Node>)| {
        let mut deployments = objects.iter().filter(|it| it.object_kind() == "Deployment");
        deployments.any(|it| it.at("metadata.namespace").is_some())
    };
    let naming = renderings.iter().filter(|it| names(it)).count();
    if naming > 0 && naming < renderings.len() {
        for object in renderings.iter_mut().flat_map(|(_, objects)| objects) {
            land(object, release);
        }
    }
    let objects = if renderings.is_empty() { Vec::new() } else { versions::common(renderings) };
    let refusal = refusal.filter(|_| objects.is_empty());
    Rendered { objects, problems: refusal.into_iter().collect() }
}

/// What a release of a chart that we do not know comes to: a problem if it may be ours to judge.
fn not_known(release: &Release) -> Rendered {
    let name = release.chart.rsplit('/').next().unwrap_or_default();
    let problem = is_server_named_in(name).then(|| {
        // Several are called so, and each has versions of its own.
        let why = match name {
            "metrics-server" => "may be any chart of that name",
            _ => "is not a metrics-server chart that this tool knows",
        };
        let message = format!("`{}` {why}: what it installs is unknown", release.chart);
        let problem = Problem::unresolved(&release.anchor, message);
        match name {
            "metrics-server" => problem.help("name its repository, or one of its versions"),
            _ => problem,
        }
    });
    Rendered { objects: Vec::new(), problems: problem.into_iter().collect() }
}

/// A version that a release may be of.
#[derive(Debug)]
struct Candidate {
    /// The version whose templates are used.
    model: Version,
    /// Why the chart's own values are not known, if they are not.
    guess: Option<Reason>,
}

/// The versions that `release` may be of, oldest first; never empty for a chart with any version.
fn candidates(chart: &KnownChart, release: &Release) -> Vec<Candidate> {
    let Some(newest) = chart.newest() else { return Vec::new() };
    let guess = |model: &Version, why: String| {
        vec![Candidate { model: model.clone(), guess: Some(why.into()) }]
    };
    let any = |models: Vec<Version>| -> Vec<Candidate> {
        models.into_iter().map(|model| Candidate { model, guess: None }).collect()
    };
    let text = match release.version.as_ref().map(|it| (it.unknown(), it.as_scalar())) {
        // An archive goes back to what clusters do not take any more: nobody has one of those, and what
        // the others have in common is what never changed.
        Some((Some(why), _)) if chart.is_closed() => return guess(newest, why.to_string()),
        // What nobody can tell may be any of them; where none is named, it is the newest.
        Some((Some(_), _)) => return any(chart.versions().cloned().collect()),
        None | Some((None, None)) => "*",
        Some((None, Some(scalar))) => &*scalar.text,
    };
    let Some(constraint) = Constraint::parse(text) else {
        return guess(newest, format!("`{text}` does not tell the chart's version"));
    };
    if let Some(exact) = constraint.exact() {
        if chart.app_version(exact).is_some() {
            return vec![Candidate { model: exact.clone(), guess: None }];
        }
        let newer = exact > newest;
        let what =
            if newer { "is newer than this tool knows" } else { "is not known to this tool" };
        let why: Reason = format!("chart {exact} {what}").into();
        let around = chart.around(exact).into_iter();
        return around.map(|model| Candidate { model, guess: Some(why.clone()) }).collect();
    }
    let known = any(chart.allowed(&constraint));
    if known.is_empty() {
        return guess(newest, format!("this tool knows no chart version that `{text}` allows"));
    }
    known
}

impl Candidate {
    fn render(
        &self,
        context: &Context<'_>,
        release: &Release,
        family: Family,
    ) -> template::Rendering<Vec<Node>> {
        let chart = charts::chart(family);
        // Where no version is written, a default stands nowhere.
        let at = release.version.as_ref().and_then(|it| it.origin.written_at());
        let own = Origin::at(Via::ChartDefault, at);
        let defaults = match (&release.directory, &self.guess) {
            (Some(dir), None) => local::defaults(context, dir)?,
            (Some(dir), Some(why)) => charts::keys_only(&local::defaults(context, dir)?, why),
            (None, guess) => chart.defaults(&self.model, &own, guess.as_ref()),
        };
        let fact = |known: &Version| match &self.guess {
            None => Node::new(known.to_string(), own.clone()),
            Some(why) => Node::unknown_value(why.clone(), &own),
        };
        let version = fact(&self.model);
        let app_version = fact(chart.app_version(&self.model).unwrap_or(&self.model));
        // What a copy reads its templates say.
        let keys = release.directory.is_none().then(|| chart.keys(&self.model));
        let scope = HelmScope {
            sources: context.sources,
            release,
            chart,
            keys,
            values: coalesce(&release.values, &defaults),
            name: release.alias.as_deref().unwrap_or("metrics-server"),
            model: self.model.clone(),
            version,
            app_version,
            own,
        };
        match family {
            Family::KubernetesSigs => kubernetes_sigs::render(&scope),
            Family::Bitnami => bitnami::render(&scope),
            Family::Stable => stable::render(&scope),
        }
    }
}
