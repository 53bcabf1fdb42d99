//! Clusters that objects of another cluster select, to install add-ons there: `ClusterResourceSet` and
//! `HelmChartProxy` of Cluster API; and those that releases name.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    problem::{Problem, UnitId},
    resolve::{
        context::{Context, Purpose},
        environment::{EntryKind, EntryPoint, Environment, Object, Release, RemoteCluster, Unit},
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
        let addons = addons(environment);
        let clusters = clusters(environment, &addons);
        let applied = matches!(environment.entry.kind, EntryKind::Flux | EntryKind::ArgoCd);
        if clusters.len() < if applied { 1 } else { 2 } {
            continue;
        }
        let mut homes = vec![BTreeSet::new(); environment.units.len()];
        let mut selected = Vec::new();
        for (home, (name, selecting)) in clusters.into_iter().enumerate() {
            for unit in units(environment, selecting.iter().filter_map(|it| addons.get(*it))) {
                homes[unit].insert(home);
            }
            let origin = selecting.first().and_then(|it| addons.get(*it)).map(Object::anchor);
            selected.push((name, origin));
        }
        let definitions = Definitions::of(context, environment);
        let mut parts = divide(context, environment, &selected, &homes);
        for (part, (names, _)) in parts.iter_mut().zip(&selected) {
            part.objects.extend(definitions.of_clusters(names));
        }
        found.append(&mut parts);
        if !applied && context.purpose == Purpose::Judge {
            environment.objects.retain(|it| !defines_clusters(it));
        }
    }
    environments.append(&mut found);
}

/// Gives what is deployed to other clusters, as a `kubeConfig` or a `kubeContext` says, to environments of
/// these, with what defines their nodes, where that is here too.
pub(super) fn elsewhere(context: &Context<'_>, environments: &mut Vec<Environment>) {
    let mut names: BTreeSet<String> = environments.iter().map(|it| it.name.clone()).collect();
    let mut found = Vec::new();
    environments.retain_mut(|environment| {
        let units = &environment.units;
        let all: BTreeSet<RemoteCluster> =
            units.iter().filter_map(|it| it.cluster.clone()).collect();
        if all.is_empty() {
            return true;
        }
        let all: Vec<RemoteCluster> = all.into_iter().collect();
        let homes: Vec<BTreeSet<usize>> = units
            .iter()
            .map(|it| it.cluster.iter().filter_map(|it| all.binary_search(it).ok()).collect())
            .collect();
        let defined = defined_here(environment);
        let definitions = Definitions::of(context, environment);
        let mut called: BTreeMap<&str, usize> = BTreeMap::new();
        for cluster in &all {
            *called.entry(&cluster.name).or_default() += 1;
        }
        let mut origins = vec![None; all.len()];
        let releases = environment.releases.iter().map(|it| (it.unit, &it.anchor));
        let objects = environment.objects.iter().map(|it| (it.unit, it.node.object_anchor()));
        for (unit, origin) in releases.chain(objects) {
            for home in unit.and_then(|it| homes.get(it.index())).into_iter().flatten() {
                origins[*home].get_or_insert_with(|| origin.clone());
            }
        }
        let shown = all.iter().zip(origins).map(|(cluster, origin)| {
            let is_one = called.get(&*cluster.name) == Some(&1)
                && !names.contains(&name_of(environment, &cluster.name));
            (if is_one { cluster.name.clone() } else { cluster.id.clone() }, origin)
        });
        let shown: Vec<(String, Option<Origin>)> = shown.collect();
        let mut parts = divide(context, environment, &shown, &homes);
        for (part, cluster) in parts.iter_mut().zip(&all) {
            if let Some(name) = defined.get(&cluster.id) {
                part.objects.extend(definitions.of_clusters(name));
            }
        }
        names.extend(parts.iter().map(|it| it.name.clone()));
        found.append(&mut parts);
        // Where each release names its cluster, nothing is left.
        !environment.objects.is_empty()
            || !environment.releases.is_empty()
            || !environment.problems.is_empty()
    });
    environments.append(&mut found);
}

/// What the environment of a cluster is called that something in `environment` is deployed to.
fn name_of(environment: &Environment, cluster: &str) -> String {
    format!("{} ({cluster})", environment.name)
}

/// Takes what is in units that have `homes` out of `environment`: the environments of these, which are
/// indices of `clusters`, names with the places that say them.
fn divide(
    context: &Context<'_>,
    environment: &mut Environment,
    clusters: &[(String, Option<Origin>)],
    homes: &[BTreeSet<usize>],
) -> Vec<Environment> {
    let units = std::mem::take(&mut environment.units);
    let objects = std::mem::take(&mut environment.objects);
    let releases = std::mem::take(&mut environment.releases);
    let problems = std::mem::take(&mut environment.problems);
    // Files, what starts a cluster, and what Flux knows there are of the cluster that manages the others.
    let rest = Environment {
        files: std::mem::take(&mut environment.files),
        variables: std::mem::take(&mut environment.variables),
        commands: std::mem::take(&mut environment.commands),
        local: environment.local.take(),
        ..environment.clone()
    };
    let mut all: Vec<Environment> = vec![rest];
    all.extend(clusters.iter().map(|(name, origin)| {
        let name = name_of(environment, name);
        let origin = origin.clone().unwrap_or_else(|| environment.entry.origin.clone());
        Environment {
            settings: settings_for(context.config, &name, "").cloned(),
            name,
            entry: EntryPoint { kind: EntryKind::Other, origin },
            ..environment.clone()
        }
    }));
    let homes = |unit: Option<UnitId>| -> Vec<usize> {
        let homes = unit.and_then(|it| homes.get(it.index())).into_iter().flatten();
        let homes: Vec<usize> = homes.map(|it| it + 1).collect();
        if homes.is_empty() { vec![0] } else { homes }
    };
    // Where each unit and each release is in its environment.
    let (mut ids, mut places) = (BTreeMap::new(), BTreeMap::new());
    for (index, unit) in units.into_iter().enumerate() {
        let id = UnitId::at(index);
        for home in homes(Some(id)) {
            ids.insert((home, id), UnitId::at(all[home].units.len()));
            all[home].units.push(unit.clone());
        }
    }
    let unit_in = |home: usize, id: Option<UnitId>| ids.get(&(home, id?)).copied();
    for (index, release) in releases.into_iter().enumerate() {
        for home in homes(release.unit) {
            places.insert((home, index), all[home].releases.len());
            let unit = unit_in(home, release.unit);
            all[home].releases.push(Release { unit, ..release.clone() });
        }
    }
    for object in objects {
        for home in homes(object.unit) {
            let release = object.release.and_then(|it| places.get(&(home, it)).copied());
            let unit = unit_in(home, object.unit);
            all[home].objects.push(Object { release, unit, ..object.clone() });
        }
    }
    for problem in problems {
        for home in homes(problem.unit) {
            let unit = unit_in(home, problem.unit);
            all[home].problems.push(Problem { unit, ..problem.clone() });
        }
    }
    let parts = all.split_off(1);
    if let Some(rest) = all.pop() {
        *environment = rest;
    }
    parts
}

/// The clusters that objects of `environment` define, by what their `kubeConfig` is called, which Cluster
/// API keeps in the Secret `NAME-kubeconfig` (`util/secret`). Not those in which add-ons install
/// something too, since that is apart.
fn defined_here(environment: &Environment) -> BTreeMap<String, String> {
    let selected = clusters(environment, &addons(environment));
    let selected: BTreeSet<&str> = selected.iter().flat_map(|(it, _)| it.split(", ")).collect();
    let defined = environment.objects.iter().filter(|it| is_cluster(it));
    let defined = defined.filter(|it| !selected.contains(it.name()));
    let secret = |it: &Object| format!("{}-kubeconfig", it.name());
    let called = |it: &Object| RemoteCluster::of("Secret", it.namespace(), &secret(it), "").id;
    defined.map(|it| (called(it), it.name().to_owned())).collect()
}

fn addons(environment: &Environment) -> Vec<Object> {
    environment.objects.iter().filter(|it| is_addon(it)).cloned().collect()
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

/// What defines clusters in an environment, by the clusters that it is of.
#[derive(Default)]
struct Definitions {
    objects: Vec<Object>,
    /// Indices of those that are of one cluster or of some.
    of: BTreeMap<String, Vec<usize>>,
    /// Of those that say of no cluster that they are its.
    of_all: Vec<usize>,
}

impl Definitions {
    /// Those in `environment`; none for what is not judged, since they are no objects of those clusters.
    fn of(context: &Context<'_>, environment: &Environment) -> Self {
        let mut found = Self::default();
        if context.purpose != Purpose::Judge {
            return found;
        }
        let objects = environment.objects.iter().filter(|it| defines_clusters(it)).cloned();
        found.objects = objects.collect();
        let all = found.objects.iter();
        let clusters: BTreeSet<&str> = all.filter(|it| is_cluster(it)).map(Object::name).collect();
        let of = |it: &Object| -> Option<String> {
            let label = it.node.at("metadata.labels").and_then(|it| it.get(CLUSTER_NAME));
            let name = label.or_else(|| it.node.at("spec.clusterName")).and_then(Node::as_str);
            let name = if is_cluster(it) { Some(it.name()) } else { name };
            name.filter(|it| clusters.contains(it)).map(ToOwned::to_owned)
        };
        let paths = ["spec.controlPlaneRef.name", "spec.template.spec.bootstrap.configRef.name"];
        // Whose are those that refer to what is called so.
        let mut meant: BTreeMap<&str, BTreeSet<Option<String>>> = BTreeMap::new();
        for it in &found.objects {
            for name in paths.iter().filter_map(|path| it.node.str_at(path)) {
                meant.entry(name).or_default().insert(of(it));
            }
        }
        for (index, it) in found.objects.iter().enumerate() {
            let referring = || meant.get(it.name()).cloned().unwrap_or_default();
            let its = of(it).map_or_else(referring, |name| BTreeSet::from([Some(name)]));
            if its.is_empty() || its.contains(&None) {
                found.of_all.push(index);
            } else {
                its.into_iter()
                    .flatten()
                    .for_each(|it| found.of.entry(it).or_default().push(index));
            }
        }
        found
    }

    /// What is of the clusters that are called `names`, in order.
    fn of_clusters(&self, names: &str) -> impl Iterator<Item = Object> {
        let own = names.split(", ").filter_map(|it| self.of.get(it)).flatten();
        let all: BTreeSet<usize> = own.chain(&self.of_all).copied().collect();
        let its = all.into_iter().filter_map(|it| self.objects.get(it));
        // What deploys them is a unit of the cluster that manages theirs.
        its.map(|it| Object { release: None, unit: None, ..it.clone() })
    }
}

/// The label that says which cluster an object of Cluster API is for.
const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";

#[cfg(test)]
mod tests {
    use super::*;
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
        // What the environment says is before it, and after what a release says.
        let environment =
            |it: &str| format!("environments: {{prod: {{kubeContext: {it}}}}}\n---\n");
        assert_eq!(helmfile(&environment("b"), &one), ["prod: v0.7.1 v0.7.2 | "]);
        let before = environment("c") + defaults;
        assert_eq!(helmfile(&before, &one), ["prod (b): v0.7.2 | ", "prod (c): v0.7.1 | "]);

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

    /// A HelmRelease of the chart, in that namespace.
    fn release(namespace: &str, secret: &str, version: &str) -> String {
        format!(
            "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n\
             metadata: {{name: x, namespace: {namespace}}}\n\
             spec: {{kubeConfig: {{secretRef: {{{secret}}}}}, chart: {{spec: {{\
             chart: metrics-server, version: {version}, \
             sourceRef: {{kind: HelmRepository, name: ms, namespace: a}}}}}}}}\n"
        )
    }

    const REPOSITORY: &str = "//- a.yaml\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n\
        metadata: {name: ms, namespace: a}\n\
        spec: {url: 'https://kubernetes-sigs.github.io/metrics-server/'}\n";

    #[test]
    fn clusters_of_one_name_are_several() {
        let of = |parts: &[String]| told(&(REPOSITORY.to_owned() + &parts.concat()));
        let [a, b] = ["a", "b"].map(|it| release(it, "name: k", "3.12.1"));
        let expected = ["default (Secret a/k): v0.7.1 | ", "default (Secret b/k): v0.7.1 | "];
        assert_eq!(of(&[a.clone(), b]), expected);
        let key = release("a", "name: k, key: b", "3.12.2").replace("name: x", "name: z");
        let expected = ["default (Secret a/k b): v0.7.2 | ", "default (Secret a/k): v0.7.1 | "];
        assert_eq!(of(&[a.clone(), key]), expected);
        let same = release("a", "name: k", "3.12.2").replace("name: x", "name: z");
        assert_eq!(of(&[a, same]), ["default (k): v0.7.1 v0.7.2 | "]);
    }

    /// A hub's Kustomization that applies `path` to the cluster of the Secret `to`.
    fn applied(name: &str, path: &str, to: &str, version: &str) -> String {
        let config = match to {
            "" => String::new(),
            to => format!("kubeConfig: {{secretRef: {{name: {to}}}}}, "),
        };
        format!(
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
             metadata: {{name: {name}, namespace: flux-system}}\n\
             spec: {{{config}path: {path}, sourceRef: {{kind: GitRepository, name: flux-system}}, \
             postBuild: {{substitute: {{VERSION: {version}}}, substituteFrom: [{{kind: ConfigMap, name: vars, \
             optional: true}}]}}}}\n"
        )
    }

    #[test]
    fn what_kustomizations_apply_to_other_clusters_is_there() {
        let release = release("a", "name: k", "'${VERSION}'");
        let here = release.replace("kubeConfig: {secretRef: {name: k}}, ", "");
        let of = |hub: &str, more: &str| {
            let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n\
                metadata: {name: flux-system, namespace: flux-system}\n\
                spec: {url: 'ssh://git@example.org/a/b'}\n";
            let hub = format!("//- clusters/hub/a.yaml\n{source}{hub}");
            told(&format!("{hub}{}\n{more}", REPOSITORY.replace("a.yaml", "ms/a.yaml") + &here))
        };
        let hub = applied("a", "./ms", "a", "3.12.1") + &applied("b", "./ms", "b", "3.12.2");
        let both = ["clusters/hub (a): v0.7.1 | ", "clusters/hub (b): v0.7.2 | "];
        assert_eq!(of(&hub, ""), both);
        let own = applied("c", "./ms", "", "3.12.0");
        let all = [&["clusters/hub: v0.7.0 | "], &both[..]].concat();
        assert_eq!(of(&(hub + &own), ""), all);
        // What there is of a name in one cluster is nothing to another, nor are Kustomizations.
        let variables = "---\napiVersion: v1\nkind: ConfigMap\n\
            metadata: {name: vars, namespace: flux-system}\ndata: {VERSION: 3.11.0}\n";
        let nested = applied("up", "./ms", "", "3.12.2") + variables;
        let nested = format!("//- spoke/k.yaml\n{}", nested.trim_start_matches("---\n"));
        let up = applied("up", "./spoke", "a", "x") + &applied("b", "./ms", "b", "3.12.1");
        let expected = ["clusters/hub (a): v0.7.2 | ", "clusters/hub (b): v0.7.1 | "];
        assert_eq!(of(&up, &nested), expected);
    }

    #[test]
    fn a_cluster_that_is_defined_beside_its_releases_has_its_nodes() {
        let of = |parts: &[String]| told(&(REPOSITORY.to_owned() + &parts.concat()));
        let cluster =
            cluster("x", "a: b").replace("name: x, labels", "name: x, namespace: a, labels");
        let its = release("a", "name: x-kubeconfig", "3.12.2");
        let parts = of(&[cluster.clone(), its]);
        assert!(
            parts.contains(&"default (x-kubeconfig): v0.7.2 | control plane".to_owned()),
            "{parts:?}"
        );
        let other = release("b", "name: x-kubeconfig", "3.12.2");
        let parts = of(&[cluster, other]);
        assert!(parts.contains(&"default (x-kubeconfig): v0.7.2 | ".to_owned()), "{parts:?}");
    }

    #[test]
    fn what_is_known_of_all_is_known_of_each_part() {
        let files = REPOSITORY.to_owned()
            + &release("a", "name: k", "3.12.1")
            + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n";
        let sources = fixture(&files);
        let config = Config::default();
        let context = Context::new(&sources, &config, Purpose::Judge);
        let mut environments = crate::resolve::environments::resolve(&context);
        let mut environment = environments.remove(0);
        (environment.is_partial, environment.aside) = (true, true);
        let homes = vec![BTreeSet::from([1]); environment.units.len()];
        let parts = divide(
            &context,
            &mut environment,
            &[("p".to_owned(), None), ("q".to_owned(), None)],
            &homes,
        );
        assert!(parts.iter().all(|it| it.is_partial && it.aside));
    }
}
