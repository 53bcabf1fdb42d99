//! Clusters that objects of another cluster select, to install add-ons there: `ClusterResourceSet` and
//! `HelmChartProxy` of Cluster API; and those that releases name.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    problem::UnitId,
    resolve::{
        context::{Context, Purpose},
        environment::{EntryKind, Environment, Object, Unit},
        names::settings_for,
    },
    tree::{Node, Origin},
};

/// Gives what the add-ons of each environment install to environments of the clusters that they select,
/// with what defines the nodes of these. What nobody deploys stays together where it can be one
/// cluster, which then is the one that it defines.
pub(super) fn apart(context: &Context<'_>, environments: &mut Vec<Environment>) {
    let mut found = Vec::new();
    for environment in environments.iter_mut() {
        let addons: Vec<Object> =
            environment.objects.iter().filter(|it| is_addon(it)).cloned().collect();
        let clusters = clusters(environment, &addons);
        let applied = matches!(environment.entry.kind, EntryKind::Flux | EntryKind::ArgoCd);
        if clusters.len() < if applied { 1 } else { 2 } {
            continue;
        }
        for (name, selecting) in &clusters {
            let units = units(environment, selecting.iter().filter_map(|it| addons.get(*it)));
            let origin = selecting.first().and_then(|it| addons.get(*it)).map(Object::anchor);
            let is_there = |unit: usize| units.contains(&unit);
            let mut part = part_of(context, environment, name, origin, is_there);
            if context.purpose == Purpose::Judge {
                part.objects.extend(definitions(environment, name));
            }
            found.push(part);
        }
        let units = units(environment, addons.iter());
        restrict(environment, |unit| unit.is_none_or(|it| !units.contains(&it.index())));
        if !applied && context.purpose == Purpose::Judge {
            environment.objects.retain(|it| !defines_clusters(it));
        }
    }
    environments.append(&mut found);
}

/// Gives what is deployed to other clusters, as a `kubeConfig` or a `kubeContext` says, to environments of
/// these.
pub(super) fn elsewhere(context: &Context<'_>, environments: &mut Vec<Environment>) {
    let mut found = Vec::new();
    environments.retain_mut(|environment| {
        let clusters: BTreeSet<String> =
            environment.units.iter().filter_map(|it| it.cluster.clone()).collect();
        for name in &clusters {
            let is_there = |unit: usize| {
                environment.units.get(unit).is_some_and(|it| it.cluster.as_ref() == Some(name))
            };
            let mut releases = environment.releases.iter();
            let first = releases.find(|it| it.unit.is_some_and(|it| is_there(it.index())));
            let origin = first.map(|it| it.anchor.clone());
            found.push(part_of(context, environment, name, origin, is_there));
        }
        if clusters.is_empty() {
            return true;
        }
        let here: BTreeSet<usize> = (0..environment.units.len())
            .filter(|it| environment.units[*it].cluster.is_none())
            .collect();
        restrict(environment, |unit| unit.is_none_or(|it| here.contains(&it.index())));
        // Where each release names its cluster, nothing is left.
        !environment.objects.is_empty()
            || !environment.releases.is_empty()
            || !environment.problems.is_empty()
    });
    environments.append(&mut found);
}

/// The environment of the cluster `name` with those units of `environment` that are there.
fn part_of(
    context: &Context<'_>,
    environment: &Environment,
    name: &str,
    origin: Option<Origin>,
    is_there: impl Fn(usize) -> bool,
) -> Environment {
    let mut part = environment.clone();
    restrict(&mut part, |unit| unit.is_some_and(|it| is_there(it.index())));
    let origin = origin.unwrap_or_else(|| environment.entry.origin.clone());
    let name = format!("{} ({name})", environment.name);
    Environment {
        settings: settings_for(context.config, &name, "").cloned(),
        objects: part.objects,
        releases: part.releases,
        problems: part.problems,
        units: part.units,
        ..Environment::new(name, EntryKind::Other, origin)
    }
}

fn is_addon(object: &Object) -> bool {
    object.group() == "addons.cluster.x-k8s.io"
        && matches!(object.kind(), "ClusterResourceSet" | "HelmChartProxy")
}

fn defines_clusters(object: &Object) -> bool {
    object.group().ends_with("cluster.x-k8s.io") && !is_addon(object)
}

fn is_cluster(object: &Object) -> bool {
    object.group() == "cluster.x-k8s.io" && object.kind() == "Cluster"
}

/// The clusters in which `addons` install something, each with those that do: the names of those that
/// have the same, or what has to be true of one that no object defines.
fn clusters(environment: &Environment, addons: &[Object]) -> Vec<(String, BTreeSet<usize>)> {
    let selectors: Vec<Option<&Node>> =
        addons.iter().map(|it| it.node.at("spec.clusterSelector")).collect();
    let mut named: BTreeMap<BTreeSet<usize>, Vec<&str>> = BTreeMap::new();
    for cluster in environment.objects.iter().filter(|it| is_cluster(it)) {
        let labels = cluster.node.at("metadata.labels");
        let selecting = (0..addons.len()).filter(|it| selects(selectors[*it], labels)).collect();
        named.entry(selecting).or_default().push(cluster.name());
    }
    let known: BTreeSet<usize> = named.keys().flatten().copied().collect();
    let mut unnamed: Vec<(String, BTreeSet<usize>)> = Vec::new();
    for first in (0..addons.len()).filter(|it| !known.contains(it)) {
        let mut together = BTreeSet::from([first]);
        for other in (0..addons.len()).filter(|it| !known.contains(it)) {
            if together.iter().all(|it| agree(selectors[*it], selectors[other])) {
                together.insert(other);
            }
        }
        if unnamed.iter().all(|(_, it)| !together.is_subset(it)) {
            unnamed.push((words(selectors[first]), together));
        }
    }
    let named = named.into_iter().filter(|(selecting, _)| !selecting.is_empty());
    named.map(|(selecting, names)| (names.join(", "), selecting)).chain(unnamed).collect()
}

/// Whether a cluster with such `labels` is selected, as far as anybody can tell.
fn selects(selector: Option<&Node>, labels: Option<&Node>) -> bool {
    let is_open = labels.is_some_and(|it| it.unknown().is_some());
    let label = |key: &str| labels.and_then(|it| it.get(key));
    let is = |label: &Node, value: &Node| match (label.as_scalar(), value.as_scalar()) {
        (Some(label), Some(value)) => label.text == value.text,
        _ => true,
    };
    let pairs = selector.and_then(|it| it.get("matchLabels")).into_iter().flat_map(Node::entries);
    let mut pairs = pairs.map(|(key, entry)| label(key).map_or(is_open, |it| is(it, &entry.value)));
    let expressions = selector.map(|it| it.items_at("matchExpressions")).unwrap_or_default();
    let mut expressions = expressions.iter().map(|it| {
        let label = it.str_at("key").and_then(label);
        let is_one = label.map(|label| it.items_at("values").iter().any(|value| is(label, value)));
        match it.str_at("operator") {
            Some("In") => is_one.unwrap_or(is_open),
            Some("NotIn") => is_one != Some(true) || label.is_some_and(|it| it.unknown().is_some()),
            Some("Exists") => label.is_some() || is_open,
            Some("DoesNotExist") => label.is_none(),
            _ => true,
        }
    });
    pairs.all(|it| it) && expressions.all(|it| it)
}

/// Whether one cluster may have all labels that both selectors name.
fn agree(a: Option<&Node>, b: Option<&Node>) -> bool {
    let labels = |it: Option<&Node>| it.and_then(|it| it.get("matchLabels")).cloned();
    let (Some(a), Some(b)) = (labels(a), labels(b)) else { return true };
    a.entries().all(|(key, entry)| match (entry.value.as_scalar(), b.get(key)) {
        (Some(value), Some(other)) => other.as_scalar().is_none_or(|it| it.text == value.text),
        _ => true,
    })
}

/// What a selector demands.
fn words(selector: Option<&Node>) -> String {
    let labels = selector.and_then(|it| it.get("matchLabels")).into_iter().flat_map(Node::entries);
    let pairs = labels.filter_map(|(key, it)| Some(format!("{key}={}", it.value.as_str()?)));
    let pairs: Vec<String> = pairs.collect();
    if pairs.is_empty() { "selected clusters".to_owned() } else { pairs.join(",") }
}

/// The units of `addons`, and those that they install.
fn units<'a>(
    environment: &Environment,
    addons: impl Iterator<Item = &'a Object>,
) -> BTreeSet<usize> {
    let mut ids: BTreeSet<String> = addons.map(|it| Unit::of_object(&it.node).id).collect();
    let mut found = BTreeSet::new();
    loop {
        let new = environment.units.iter().enumerate().filter(|(index, unit)| {
            !found.contains(index)
                && (ids.contains(&unit.id) || unit.after.iter().any(|it| ids.contains(it)))
        });
        let new: Vec<(usize, String)> = new.map(|(index, unit)| (index, unit.id.clone())).collect();
        if new.is_empty() {
            return found;
        }
        for (index, id) in new {
            found.insert(index);
            ids.insert(id);
        }
    }
}

/// Leaves of `environment` only what is in units that are to be kept.
fn restrict(environment: &mut Environment, keeps: impl Fn(Option<UnitId>) -> bool) {
    let mut left = 0;
    let places: Vec<Option<usize>> = environment
        .releases
        .iter()
        .map(|it| {
            let place = keeps(it.unit).then_some(left);
            left += usize::from(place.is_some());
            place
        })
        .collect();
    environment.releases.retain(|it| keeps(it.unit));
    environment.problems.retain(|it| keeps(it.unit));
    environment.objects.retain(|it| keeps(it.unit));
    for object in &mut environment.objects {
        object.release = object.release.and_then(|it| places.get(it).copied().flatten());
    }
}

/// What defines clusters in `environment`, but for what is of another one than those that are called
/// `names`.
fn definitions(environment: &Environment, names: &str) -> Vec<Object> {
    let is_other = |name: &str| names.split(", ").all(|it| it != name);
    let all = || environment.objects.iter().filter(|it| defines_clusters(it));
    let clusters: BTreeSet<&str> = all().filter(|it| is_cluster(it)).map(Object::name).collect();
    let of = |it: &Object| {
        let label = it.node.at("metadata.labels").and_then(|it| it.get(CLUSTER_NAME));
        let name = label.or_else(|| it.node.at("spec.clusterName")).and_then(Node::as_str);
        if is_cluster(it) { Some(it.name().to_owned()) } else { name.map(ToOwned::to_owned) }
    };
    let is_foreign =
        |it: &Object| of(it).is_some_and(|it| clusters.contains(&*it) && is_other(&it));
    let paths = ["spec.controlPlaneRef.name", "spec.template.spec.bootstrap.configRef.name"];
    let meant = |foreign: bool| -> BTreeSet<&str> {
        let theirs = all().filter(|it| is_foreign(it) == foreign);
        theirs.flat_map(|it| paths.iter().filter_map(|path| it.node.str_at(path))).collect()
    };
    let (theirs, ours) = (meant(true), meant(false));
    let is_ours =
        |it: &&Object| !is_foreign(it) && (!theirs.contains(it.name()) || ours.contains(it.name()));
    all().filter(is_ours).cloned().collect()
}

/// The label that says which cluster an object of Cluster API is for.
const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";

#[cfg(test)]
mod tests {
    use crate::{config::Config, pipeline::analyze, tests::fixture};

    /// Each environment with its metrics-servers' tags and the groups of its kubelets.
    fn told(files: &str) -> Vec<String> {
        let (_, clusters) = analyze(&fixture(files), &Config::default());
        let told = clusters.iter().map(|it| {
            let tag = |it: &crate::model::MetricsServer| it.image_tag.value().cloned();
            let tags: Vec<String> = it.metrics_servers.iter().filter_map(tag).collect();
            let kubelets: Vec<&str> = it.kubelets.iter().map(|it| &*it.group).collect();
            format!("{}: {} | {}", it.environment, tags.join(" "), kubelets.join(" "))
        });
        told.collect()
    }

    /// A set for clusters with that label, which brings a metrics-server with that tag.
    fn set(name: &str, label: &str, tag: &str) -> String {
        format!(
            "---\n\
             apiVersion: addons.cluster.x-k8s.io/v1beta1\nkind: ClusterResourceSet\nmetadata: {{name: {name}}}\n\
             spec: {{clusterSelector: {{matchLabels: {{{label}}}}}, resources: [{{kind: ConfigMap, name: {name}}}]}}\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  a.yaml: |\n    \
             {{kind: Deployment, apiVersion: apps/v1, metadata: {{name: metrics-server}}, spec: {{template: {{spec: {{\n    \
             containers: [{{image: 'a/metrics-server:{tag}'}}]}}}}}}}}\n"
        )
    }

    /// A cluster with that label.
    fn cluster(name: &str, label: &str) -> String {
        format!(
            "---\napiVersion: cluster.x-k8s.io/v1beta1\nkind: Cluster\nmetadata: {{name: {name}, labels: {{{label}}}}}\n\
             spec: {{controlPlaneRef: {{name: {name}}}}}\n---\n\
             apiVersion: controlplane.cluster.x-k8s.io/v1beta1\nkind: KubeadmControlPlane\n\
             metadata: {{name: {name}}}\nspec: {{replicas: 1}}\n"
        )
    }

    #[test]
    fn sets_that_cannot_be_for_one_cluster_are_apart() {
        let manifests = |parts: &[String]| told(&format!("//- a.yaml\n{}", parts.concat()));
        let (dev, prod) = (set("a", "env: dev", "v1"), set("b", "env: prod", "v2"));
        let one = [dev.clone(), cluster("x", "env: dev")];
        assert_eq!(manifests(&one), ["default: v1 | control plane"]);
        let any = [dev.clone(), set("b", "tier: front", "v2")];
        assert_eq!(manifests(&any), ["default: v1 v2 | "]);
        let two = [dev.clone(), prod.clone()];
        assert_eq!(manifests(&two), ["default (env=dev): v1 | ", "default (env=prod): v2 | "]);
        let clusters = [dev, prod, cluster("x", "env: dev"), cluster("z", "env: prod")];
        let expected = ["default (x): v1 | control plane", "default (z): v2 | control plane"];
        assert_eq!(manifests(&clusters), expected);
    }

    #[test]
    fn what_manages_clusters_is_another_one() {
        let flux = "
            //- clusters/m/flux.yaml
            apiVersion: kustomize.toolkit.fluxcd.io/v1
            kind: Kustomization
            metadata: {name: a, namespace: flux-system}
            spec: {path: ./capi, sourceRef: {kind: GitRepository, name: flux-system}}
            //- capi/ms.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server}
            spec: {template: {spec: {containers: [{image: 'a/metrics-server:v1'}]}}}
            //- capi/work.yaml
        ";
        let files = [
            crate::tests::unindented(flux),
            set("a", "env: dev", "v2"),
            set("b", "cni: x", "v3"),
            cluster("x", "env: dev"),
        ];
        let expected = [
            "clusters/m: v1 | ",
            "clusters/m (cni=x): v3 | ",
            "clusters/m (x): v2 | control plane",
        ];
        assert_eq!(told(&files.concat()), expected);
    }

    #[test]
    fn what_goes_to_other_clusters_is_there() {
        let release = |name: &str, context: &str, version: &str| {
            format!(
                "- {{name: {name}, {context}chart: ms/metrics-server, version: {version}, \
                 namespace: kube-system}}\n"
            )
        };
        let helmfile = |before: &str, releases: &[String]| {
            let releases = releases.concat();
            told(&format!(
                "//- helmfile.yaml\n{before}repositories:\n\
                 - {{name: ms, url: 'https://kubernetes-sigs.github.io/metrics-server/'}}\n\
                 releases:\n{releases}"
            ))
        };
        let [a, b] = ["a", "b"].map(|it| format!("kubeContext: {it}, "));
        let both = [release("x", &a, "3.12.1"), release("x", &b, "3.12.2")];
        assert_eq!(helmfile("", &both), ["default (a): v0.7.1 | ", "default (b): v0.7.2 | "]);
        let one = [release("x", "", "3.12.1"), release("y", &b, "3.12.2")];
        assert_eq!(helmfile("", &one), ["default: v0.7.1 | ", "default (b): v0.7.2 | "]);
        // What all have is the environment's own.
        let defaults = "helmDefaults: {kubeContext: b}\n";
        assert_eq!(helmfile(defaults, &one), ["default: v0.7.1 v0.7.2 | "]);

        let release = |name: &str, config: &str, version: &str| {
            format!(
                "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n\
                 metadata: {{name: {name}, namespace: kube-system}}\n\
                 spec: {{{config}chart: {{spec: {{chart: metrics-server, version: {version}, \
                 sourceRef: {{kind: HelmRepository, name: ms}}}}}}}}\n"
            )
        };
        let remote = release("y", "kubeConfig: {secretRef: {name: far}}, ", "3.12.2");
        let files = [
            "//- hr.yaml\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n\
             metadata: {name: ms, namespace: kube-system}\n\
             spec: {url: 'https://kubernetes-sigs.github.io/metrics-server/'}\n"
                .to_owned(),
            release("x", "", "3.12.1"),
            remote,
        ];
        assert_eq!(told(&files.concat()), ["default: v0.7.1 | ", "default (far): v0.7.2 | "]);
    }
}
