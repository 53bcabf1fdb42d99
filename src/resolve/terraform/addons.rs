//! Modules of the registry that install metrics-server, or any chart, from a table: what they make
//! of their arguments is a `helm_release`.

use semver::Version;

use super::operators::why_unknown;
use crate::{
    data::version::{Constraint, lenient},
    scalar::Scalar,
    tree::{Map, Node, Origin, Reason, Via},
};

/// A module that is not in the repository, and what it makes of its arguments.
struct KnownModule {
    /// What `source` says of it: parts of it, one of which is there.
    sources: &'static [&'static str],
    /// What switches it on, and whether it is on where that is not set.
    switches: &'static [(&'static str, bool)],
    /// The arguments of the release, and the paths of those of the module that they are. What is
    /// `values` of several is all of them.
    arguments: &'static [(&'static str, &'static str)],
    /// What the release has where nothing is set.
    defaults: &'static [(&'static str, &'static str)],
    /// The chart's version where none is set, by the version of the module that has it first.
    versions: &'static [(&'static str, &'static str)],
    /// What the module sets itself of the chart's values.
    own: &'static [&'static str],
}

const NAME: (&str, &str) = ("name", "metrics-server");
const CHART: (&str, &str) = ("chart", "metrics-server");
const SIGS: (&str, &str) = ("repository", "https://kubernetes-sigs.github.io/metrics-server/");

/// The modules: their code of the versions that are named, on GitHub.
const MODULES: &[KnownModule] = &[
    // aws-ia/terraform-aws-eks-blueprints-addons, main.tf, v1.0.0 to v1.24.3
    KnownModule {
        sources: &["aws-ia/eks-blueprints-addons/aws", "terraform-aws-eks-blueprints-addons"],
        switches: &[("enable_metrics_server", false), ("create_kubernetes_resources", true)],
        arguments: &[
            ("name", "metrics_server.name"),
            ("namespace", "metrics_server.namespace"),
            ("chart", "metrics_server.chart"),
            ("version", "metrics_server.chart_version"),
            ("repository", "metrics_server.repository"),
            ("values", "metrics_server.values"),
            ("set", "metrics_server.set"),
            ("set_sensitive", "metrics_server.set_sensitive"),
        ],
        defaults: &[NAME, CHART, ("namespace", "kube-system"), SIGS],
        versions: &[("1.0.0", "3.10.0"), ("1.5.0", "3.11.0"), ("1.16.0", "3.12.0")],
        own: &[],
    },
    // aws-ia/terraform-aws-eks-blueprints, modules/kubernetes-addons, v4.0.2 to v4.32.1
    KnownModule {
        sources: &["terraform-aws-eks-blueprints//modules/kubernetes-addons"],
        switches: &[("enable_metrics_server", false)],
        arguments: &[
            ("name", "metrics_server_helm_config.name"),
            ("namespace", "metrics_server_helm_config.namespace"),
            ("chart", "metrics_server_helm_config.chart"),
            ("version", "metrics_server_helm_config.version"),
            ("repository", "metrics_server_helm_config.repository"),
            ("values", "metrics_server_helm_config.values"),
            ("set", "metrics_server_helm_config.set"),
            ("set_sensitive", "metrics_server_helm_config.set_sensitive"),
        ],
        defaults: &[NAME, CHART, ("namespace", "kube-system"), SIGS],
        versions: &[("4.0.0", "3.8.1"), ("4.1.0", "3.8.2")],
        own: &[],
    },
    // aws-ia/terraform-aws-eks-blueprints-addon, main.tf, v1.1.1
    KnownModule {
        sources: &["aws-ia/eks-blueprints-addon/aws", "terraform-aws-eks-blueprints-addon"],
        switches: &[("create", true), ("create_release", true)],
        arguments: &[
            ("name", "name"),
            ("namespace", "namespace"),
            ("chart", "chart"),
            ("version", "chart_version"),
            ("repository", "repository"),
            ("values", "values"),
            ("set", "set"),
            ("set_sensitive", "set_sensitive"),
        ],
        defaults: &[],
        versions: &[],
        own: &[],
    },
    // terraform-module/terraform-helm-release, main.tf
    KnownModule {
        sources: &["terraform-module/release/helm", "terraform-module/terraform-helm-release"],
        switches: &[("app.deploy", true)],
        arguments: &[
            ("name", "app.name"),
            ("namespace", "namespace"),
            ("chart", "app.chart"),
            ("version", "app.version"),
            ("repository", "repository"),
            ("values", "values"),
            ("set", "set"),
            ("set_sensitive", "set_sensitive"),
        ],
        defaults: &[],
        versions: &[],
        own: &[],
    },
    // cloudposse/terraform-aws-helm-release, main.tf
    KnownModule {
        sources: &["cloudposse/helm-release/aws", "cloudposse/terraform-aws-helm-release"],
        switches: &[("enabled", true)],
        arguments: &[
            ("name", "release_name"),
            ("namespace", "kubernetes_namespace"),
            ("chart", "chart"),
            ("version", "chart_version"),
            ("repository", "repository"),
            ("values", "values"),
            ("set", "set"),
            ("set_sensitive", "set_sensitive"),
        ],
        defaults: &[],
        versions: &[],
        own: &[],
    },
    // particuleio/terraform-kubernetes-addons, metrics-server.tf
    KnownModule {
        sources: &["particuleio/addons/kubernetes", "particuleio/terraform-kubernetes-addons"],
        switches: &[("metrics-server.enabled", false)],
        arguments: &[
            ("name", "metrics-server.name"),
            ("namespace", "metrics-server.namespace"),
            ("chart", "metrics-server.chart"),
            ("version", "metrics-server.chart_version"),
            ("repository", "metrics-server.repository"),
            ("values", "metrics-server.extra_values"),
        ],
        defaults: &[NAME, CHART, ("namespace", "metrics-server"), SIGS],
        versions: &[],
        own: &["apiService", "priorityClassName"],
    },
    // DNXLabs/terraform-aws-eks-metrics-server, helm.tf
    KnownModule {
        sources: &["DNXLabs/eks-metrics-server/aws", "DNXLabs/terraform-aws-eks-metrics-server"],
        switches: &[("enabled", true)],
        arguments: &[
            ("name", "helm_chart_name"),
            ("namespace", "namespace"),
            ("chart", "helm_chart_release_name"),
            ("version", "helm_chart_version"),
            ("repository", "helm_chart_repo"),
            ("values", "settings"),
        ],
        defaults: &[
            NAME,
            CHART,
            ("namespace", "kube-system"),
            ("repository", "https://charts.bitnami.com/bitnami"),
        ],
        versions: &[],
        own: &[],
    },
    // lablabs/terraform-aws-eks-metrics-server, main.tf and variables-addon.tf
    KnownModule {
        sources: &["lablabs/eks-metrics-server/aws", "lablabs/terraform-aws-eks-metrics-server"],
        switches: &[("enabled", true), ("helm_enabled", true)],
        arguments: &[
            ("name", "helm_release_name"),
            ("namespace", "namespace"),
            ("chart", "helm_chart_name"),
            ("version", "helm_chart_version"),
            ("repository", "helm_repo_url"),
            ("values", "values"),
        ],
        defaults: &[NAME, CHART, ("namespace", "kube-system"), SIGS],
        versions: &[],
        own: &[],
    },
    // massdriver-cloud/terraform-modules, k8s-metrics-server/main.tf
    KnownModule {
        sources: &["massdriver-cloud/terraform-modules//k8s-metrics-server"],
        switches: &[],
        arguments: &[
            ("name", "release"),
            ("namespace", "namespace"),
            ("values", "helm_additional_values"),
        ],
        defaults: &[CHART, SIGS],
        versions: &[],
        own: &["commonLabels", "podLabels"],
    },
];

/// The arguments of the `helm_release` that a module from elsewhere makes of its own, which are
/// `body`, and why nobody can tell whether it does, if so; `None` where it certainly installs
/// nothing.
pub(super) fn release(source: &str, body: &Node) -> Option<(Node, Option<Reason>)> {
    let known = known(source)?;
    let mut perhaps = None;
    for (switch, default) in known.switches {
        match taken(body, switch) {
            Ok(it) => match it.map_or(Some(*default), |it| truth(&it)) {
                Some(true) => {}
                Some(false) => return None,
                None => perhaps = Some("it is computed".into()),
            },
            Err((why, _)) => perhaps = Some(why),
        }
    }
    let at =
        body.get("version").or_else(|| body.get("source")).map_or(&body.origin, |it| &it.origin);
    let default = |it: &str| Node::new(it, Origin::at(Via::PlatformDefault, at.written_at()));
    let mut release: Map = known.defaults.iter().map(|(it, value)| (*it, default(value))).collect();
    let own = known.own.iter().map(|it| (*it, Node::unknown_value("the module sets it", at)));
    let mut values = vec![Node::new(own.collect::<Map>(), at.clone())];
    for (name, path) in known.arguments {
        let value = match taken(body, path) {
            Ok(Some(value)) => value,
            Err((why, at)) if release.get(name).is_none() => Node::unknown_value(why, &at),
            _ => continue,
        };
        match (*name, value.as_list()) {
            ("values", Some(list)) => values.extend_from_slice(list),
            ("values", None) => values.push(value),
            _ => release.set(*name, value),
        }
    }
    if release.get("version").is_none() && !known.defaults.is_empty() {
        release.set("version", version(known, source, body.get("version"), at));
    }
    release.set("values", Node::new(values, body.origin.clone()));
    Some((Node::new(release, body.origin.clone()), perhaps))
}

/// Whether the table has the module that is from `source`.
pub(super) fn is_known(source: &str) -> bool {
    known(source).is_some()
}

fn known(source: &str) -> Option<&'static KnownModule> {
    let path = source.split('?').next().unwrap_or_default().replace(".git", "");
    // `git::https://github.com/a/b`, `a/b/aws//modules/c`: the words of it between slashes.
    let is_in = |part: &str| {
        path.match_indices(part).any(|(at, _)| {
            let before = path[..at].chars().next_back();
            let after = path[at + part.len()..].chars().next();
            [before, after].iter().all(|it| it.is_none_or(|it| "/:".contains(it)))
        })
    };
    MODULES.iter().find(|it| it.sources.iter().any(|it| is_in(it)))
}

/// What stands at `path` of `body`; nothing where it is not set, or null.
///
/// # Errors
/// Why nobody can tell, and where.
fn taken(body: &Node, path: &str) -> Result<Option<Node>, (Reason, Origin)> {
    Ok(body.look(path)?.filter(|it| !it.is_null()).cloned())
}

/// Whether a switch is on; a number is, but for 0.
fn truth(node: &Node) -> Option<bool> {
    node.as_bool().or_else(|| node.as_int().map(|it| it != 0)).or(match node.as_str() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    })
}

/// The version of the chart that all versions of the module have which are allowed.
fn version(known: &KnownModule, source: &str, version: Option<&Node>, at: &Origin) -> Node {
    let unknown = |why: Reason| Node::unknown_value(why, at);
    let asked = match version {
        Some(node) => node.as_str().ok_or_else(|| why_unknown(&[node])),
        None => {
            Ok(source.split_once('?').and_then(|(_, it)| it.split_once('=')).map_or("", |it| it.1))
        }
    };
    let asked = match asked {
        Ok(it) => it.replacen("~> ", "~>", 1),
        Err(why) => return unknown(why),
    };
    // With two numbers only the first one is fixed.
    let asked = match asked.strip_prefix("~>") {
        Some(it) if it.matches('.').count() < 2 => format!("^{it}"),
        Some(it) => format!("~{it}"),
        None => asked,
    };
    let constraint = Constraint::parse(&asked).filter(|_| !asked.is_empty());
    let rows: Vec<(Version, &str)> =
        known.versions.iter().filter_map(|(from, chart)| Some((lenient(from)?, *chart))).collect();
    let of = |it: &Version| rows.iter().rev().find(|(from, _)| from <= it).map(|(_, chart)| *chart);
    let major = rows.first().map_or(0, |(it, _)| it.major);
    let versions =
        (0..40).flat_map(|minor| (0..10).map(move |patch| Version::new(major, minor, patch)));
    let mut charts: Vec<&str> = versions
        .filter(|it| constraint.as_ref().is_some_and(|constraint| constraint.holds(it)))
        .filter_map(|it| of(&it))
        .collect();
    charts.dedup();
    match charts[..] {
        [chart] => {
            let at = Origin::at(Via::PlatformDefault, at.written_at());
            Node::new(Scalar::string(chart), at)
        }
        _ => unknown("the module decides which version of the chart it installs".into()),
    }
}
