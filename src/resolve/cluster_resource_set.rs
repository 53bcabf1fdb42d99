//! `ClusterResourceSet` of Cluster API: manifests in ConfigMaps and Secrets, for the clusters that it
//! selects.
//!
//! The reference is `core/reconcilers/clusterresourceset` of Cluster API, which applies what it can.

use std::collections::BTreeMap;

use crate::{
    parse, placeholder,
    problem::Problem,
    resolve::{
        config_data,
        context::Context,
        environment::{Environment, Object, Unit},
        layout, template,
    },
    scalar::Dialect,
    source::{Relevance, Sources},
    tree::{Node, Reason, Via},
};

/// What a Secret of a set has to be.
const SECRET_TYPE: &str = "addons.cluster.x-k8s.io/resource-set";

/// Adds what the `ClusterResourceSet`s among the environment's objects apply.
pub(crate) fn releases(context: &Context<'_>, environment: &mut Environment) {
    let objects = environment.objects.iter();
    let sets: Vec<Object> = objects
        .filter(|it| it.group() == "addons.cluster.x-k8s.io" && it.kind() == "ClusterResourceSet")
        .cloned()
        .collect();
    // Sets may share what they apply.
    let mut known: BTreeMap<[String; 3], Vec<Node>> = BTreeMap::new();
    for set in sets {
        let start = environment.begin();
        let mut problems: Vec<Problem> = selects_nothing(&set.node).into_iter().collect();
        for item in set.node.items_at("spec.resources") {
            if environment.is_full() {
                problems.push(Environment::too_full(set.name(), &item.origin));
                break;
            }
            let objects = match find(context.sources, environment, &set, item) {
                Ok(holder) => {
                    let [kind, namespace] = [holder.object_kind(), holder.object_namespace()];
                    let key = [kind, namespace, holder.object_name()].map(str::to_owned);
                    let read = || held(context.sources, &holder, &mut problems);
                    known.entry(key).or_insert_with(read).clone()
                }
                Err(problem) => {
                    problems.extend(problem);
                    continue;
                }
            };
            let object = |node: Node| {
                let node = node.through(Via::Applied, item.origin.written_at());
                Object { suspended: set.suspended, ..Object::new(node) }
            };
            let objects: Vec<Object> = objects.into_iter().map(object).collect();
            environment.hold(&objects);
            environment.objects.extend(objects);
        }
        environment.problems.append(&mut problems);
        let mut unit = Unit::of_object(&set.node);
        unit.after.extend(environment.applies(&set));
        environment.end(start, unit);
    }
}

/// That `set` is refused because it selects no clusters (`internal/webhooks/clusterresourceset.go`).
fn selects_nothing(set: &Node) -> Option<Problem> {
    let selector = set.look("spec.clusterSelector").ok()?;
    let says = |it: &Node| {
        it.unknown().is_some() || it.entries().next().is_some() || !it.items().is_empty()
    };
    let terms = ["matchLabels", "matchExpressions"];
    let selects = |it: &Node| {
        it.unknown().is_some() || terms.iter().filter_map(|term| it.get(term)).any(says)
    };
    if selector.is_some_and(selects) {
        return None;
    }
    let at = selector.map_or(set.object_anchor(), |it| &it.origin);
    let why = "Cluster API refuses a ClusterResourceSet whose clusterSelector is empty";
    Some(Problem::refused(at, why).help("select the clusters by a label"))
}

/// The ConfigMap or Secret that `item` of `set` names: among the objects that are applied with the
/// set, else the only one in the repository.
///
/// # Errors
/// That it is not there; nothing, when the item names nothing.
fn find(
    sources: &Sources,
    environment: &Environment,
    set: &Object,
    item: &Node,
) -> Result<Node, Option<Problem>> {
    let (Some(kind), Some(name)) = (item.str_at("kind"), item.str_at("name")) else {
        let why = item.unknown().map(|it| format!("what this set applies cannot be told: {it}"));
        return Err(why.map(|it| Problem::unresolved(&item.origin, it).hiding_objects()));
    };
    let is_it = |node: &&Node| {
        let namespaces = [node.object_namespace(), set.namespace()];
        node.object_kind() == kind
            && node.object_name() == name
            && (namespaces[0] == namespaces[1] || namespaces.contains(&""))
    };
    if let Some(found) = environment.objects.iter().map(|it| &it.node).find(is_it) {
        return Ok(found.clone());
    }
    let speaking = sources.iter().filter(|(file, it)| {
        it.relevance == Relevance::Subject
            && layout::is_yaml(&it.path)
            && sources.text(*file).contains(name)
    });
    let roots = speaking.flat_map(|(file, _)| sources.documents(file, Dialect::Sigs).roots());
    let mut found = layout::objects(roots).filter(is_it);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(template::placeholders(sources, only)),
        (found, _) => {
            let why = match found {
                Some(_) => format!("the repository has several {kind}s `{name}`"),
                None => format!("the {kind} `{name}` is not in the repository"),
            };
            Err(Some(Problem::unresolved(&item.origin, why)))
        }
    }
}

/// The objects in the data of `holder`, in the order of its keys.
fn held(sources: &Sources, holder: &Node, problems: &mut Vec<Problem>) -> Vec<Node> {
    if holder.object_kind() == "Secret"
        && let Ok(kind) = holder.look("type")
        && kind.and_then(Node::as_str) != Some(SECRET_TYPE)
    {
        let at = kind.map_or(holder.object_anchor(), |it| &it.origin);
        let why = format!("Cluster API applies only Secrets of the type {SECRET_TYPE}");
        let problem = Problem::refused(at, why).help(format!("set its type to {SECRET_TYPE}"));
        problems.push(Problem { tolerated: true, ..problem });
    }
    let mut data = config_data::of(holder);
    data.entries.sort_unstable_keys();
    if let Some(why) = data.open {
        problems.push(Problem::unresolved(holder.object_anchor(), &*why).hiding_objects());
    }
    let mut objects = Vec::new();
    for value in data.entries.values() {
        match manifests(sources, value, problems) {
            Ok(found) => objects.extend(found),
            Err(why) => {
                problems.push(Problem::unresolved(&value.origin, &*why).hiding_objects());
            }
        }
    }
    objects
}

/// The objects in one text.
///
/// # Errors
/// Why nobody can tell.
fn manifests(
    sources: &Sources,
    value: &Node,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Node>, Reason> {
    let documents = parse::embedded(sources, value, Dialect::Sigs);
    if let Some(error) = documents.error() {
        let text = value.as_scalar().map_or("", |it| &it.text);
        if placeholder::is_template(text) {
            return Err("this text is a template, which is not evaluated".into());
        }
        problems.push(Problem::syntax(error, &value.origin));
    }
    // A list in JSON is as good as a stream.
    let roots = documents.roots();
    let roots = roots.flat_map(|it| it.as_list().unwrap_or(std::slice::from_ref(it)));
    let (mut objects, mut hidden) = (Vec::new(), None);
    for object in layout::objects(roots) {
        match object.look("kind") {
            Ok(Some(_)) => objects.push(object.clone()),
            Ok(None) => {}
            Err((why, _)) => hidden = Some(why),
        }
    }
    let unknown = hidden.map(|why| Problem::unresolved(&value.origin, &*why).hiding_objects());
    problems.extend(unknown);
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Config,
        finding::Finding,
        pipeline::{analyze, check},
        source::Span,
        tests::fixture,
    };

    /// Where a metrics-server is told not to verify kubelets, and what is not read or refused:
    /// `path:line rule`.
    fn found(files: &str) -> Vec<String> {
        let sources = fixture(files);
        let (_, clusters) = analyze(&sources, &Config::default());
        let insecure = |it: &Finding| it.rule == "kubelet-insecure-tls";
        let findings = check(&clusters).into_iter().filter(insecure);
        let findings = findings.filter_map(|it| Some((it.primary()?.span, it.rule)));
        let problems = clusters.iter().flat_map(|it| &it.problems).filter(|it| it.concerns);
        // Which settings are unknown is told by other tests.
        let problems = problems.filter(|it| !it.message.contains(" cannot be told: "));
        let problems = problems.filter_map(|it| Some((it.at.written_at()?, it.kind.rule())));
        let line = |(span, rule): (Span, &str)| {
            format!("{}:{} {rule}", sources[span.file].path, sources.start(span).line)
        };
        findings.chain(problems).map(line).collect()
    }

    const SET: &str = "
        //- clusters/a/set.yaml
        apiVersion: addons.cluster.x-k8s.io/v1beta2
        kind: ClusterResourceSet
        metadata: {name: addons, namespace: capi}
        spec:
          clusterSelector: {matchLabels: {addons: enabled}}
          resources: [{kind: KIND, name: addons}, {kind: ConfigMap, name: cni}]
        ---
        apiVersion: v1
        kind: KIND
        metadata: {name: addons, namespace: capi}
    ";

    /// A Deployment in the data of an object.
    const TEXT: &str = "
          namespace.yaml: 'kind: Namespace'
          metrics.yaml: |
            kind: ServiceAccount
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server, namespace: kube-system}
            spec:
              replicas: ${REPLICAS}
              template:
                spec:
                  containers:
                  - image: registry.k8s.io/metrics-server/metrics-server:v0.8.0
                    args: [--v=2, --kubelet-insecure-tls]
    ";

    /// The set and an object of that kind, with what follows its metadata.
    fn set(kind: &str, rest: &str) -> Vec<String> {
        found(&format!("{}{}", SET.trim_end().replace("KIND", kind), rest.trim_end()))
    }

    #[test]
    fn what_a_config_map_or_a_secret_holds_is_judged_there() {
        let at = |line: u32| format!("clusters/a/set.yaml:{line} kubelet-insecure-tls");
        assert_eq!(set("ConfigMap", &format!("\n        data:{TEXT}")), [at(25)]);
        // What is beside a document that nobody can tell is known.
        let more = TEXT.replace("kind: ServiceAccount\n", "${MORE}\n");
        let one = set("ConfigMap", &format!("\n        data:{more}"));
        assert_eq!(one[..1], [at(25)], "{one:?}");
        let kind = "\n        type: addons.cluster.x-k8s.io/resource-set";
        assert_eq!(set("Secret", &format!("{kind}\n        stringData:{TEXT}")), [at(26)]);
        let encoded = "
        data:
          metrics.json: |
            W3sia2luZCI6IkRlcGxveW1lbnQiLCJhcGlWZXJzaW9uIjoiYXBwcy92MSIsIm1ldGFkYXRhIjp7Im5hbWUi
            OiJtZXRyaWNzLXNlcnZlciJ9LCJzcGVjIjp7InRlbXBsYXRlIjp7InNwZWMiOnsiY29udGFpbmVycyI6W3si
            aW1hZ2UiOiJhL21ldHJpY3Mtc2VydmVyIiwiYXJncyI6WyItLWt1YmVsZXQtaW5zZWN1cmUtdGxzIl19XX19
            fX1d
        ";
        assert_eq!(set("Secret", &format!("{kind}{encoded}")), [at(14)]);
        let refused = "clusters/a/set.yaml:10 build-fails";
        let untyped = set("Secret", &format!("\n        stringData:{TEXT}"));
        assert_eq!(untyped, [at(25), refused.to_owned()]);
    }

    #[test]
    fn a_set_that_selects_no_clusters_is_refused() {
        let with = |selector: &str| {
            let set = SET.replace("KIND", "ConfigMap");
            let set = set.replace("{matchLabels: {addons: enabled}}", selector);
            found(&format!("{}\n        data:{}", set.trim_end(), TEXT.trim_end()))
        };
        let insecure = "clusters/a/set.yaml:25 kubelet-insecure-tls".to_owned();
        let refused = "clusters/a/set.yaml:5 build-fails".to_owned();
        for selector in ["{}", "{matchLabels: {}}", "{matchExpressions: []}"] {
            assert_eq!(with(selector), [insecure.clone(), refused.clone()], "{selector}");
        }
        let some = "{matchExpressions: [{key: a, operator: Exists}]}";
        assert_eq!(with(some), [insecure]);
    }

    #[test]
    fn what_is_not_there_is_said_when_it_is_called_like_ours() {
        let set = SET.replace("KIND", "ConfigMap");
        assert!(found(&set).is_empty());
        let gone = set.replacen("name: cni", "name: metrics-server", 1);
        assert_eq!(found(&gone), ["clusters/a/set.yaml:6 unresolved"]);
    }

    #[test]
    fn what_a_kustomization_generates_or_lies_elsewhere_is_judged_in_its_file() {
        let deployment = "
            //- clusters/a/files/ms.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server}
            spec: {template: {spec: {containers: [{image: a/metrics-server, args: [
              --kubelet-insecure-tls]}]}}}
            //- clusters/a/kustomization.yaml
            resources: [set.yaml]
            secretGenerator:
            - name: ms
              type: addons.cluster.x-k8s.io/resource-set
              files: [files/ms.yaml]
              options: {disableNameSuffixHash: true}
        ";
        let set = "
            //- clusters/a/set.yaml
            apiVersion: addons.cluster.x-k8s.io/v1beta1
            kind: ClusterResourceSet
            metadata: {name: addons}
            spec: {clusterSelector: {matchLabels: {a: b}}, resources: [{kind: Secret, name: ms}]}
        ";
        let expected = ["clusters/a/files/ms.yaml:5 kubelet-insecure-tls"];
        assert_eq!(found(&format!("{set}{deployment}")), expected);
        let elsewhere = "
            //- addons/ms.yaml
            apiVersion: v1
            kind: Secret
            type: addons.cluster.x-k8s.io/resource-set
            metadata: {name: ms}
            stringData:
              metrics-server.yaml: |
                kind: Deployment
                metadata: {name: metrics-server}
                spec: {template: {spec: {containers: [{image: a/metrics-server, args: [
                  --kubelet-insecure-tls]}]}}}
        ";
        let expected = ["addons/ms.yaml:10 kubelet-insecure-tls"];
        assert_eq!(found(&format!("{set}{elsewhere}")), expected);
    }
}
