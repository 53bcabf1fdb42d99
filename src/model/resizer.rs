//! The addon-resizer beside metrics-server, `pod_nanny`, which rewrites its requests and limits.

use super::{
    Fact, Memory, access,
    index::ObjectIndex,
    lower::namespace_of,
    workload::{self, fact, flag::Flags, flag::integer, text},
};
use crate::{
    resolve::environment::Object,
    source::Sources,
    tree::{Node, Origin},
};

/// What resizes a metrics-server, as `addon-resizer/nanny/main/pod_nanny.go` of
/// `kubernetes/autoscaler` is told.
#[derive(Debug, Clone)]
pub(crate) struct Resizer {
    /// Its image.
    pub origin: Origin,
    /// `--memory`, or `baseMemory` of its configuration.
    pub base: Fact<Memory>,
    /// `--extra-memory`, or `memoryPerNode` of its configuration.
    pub per_node: Fact<Memory>,
    /// `--minClusterSize`: the smallest cluster that it reckons with; absent where it counts nodes one
    /// by one.
    pub smallest: Fact<i128>,
    /// Where a chart's release asks for it, or sets its amounts.
    pub asked: Option<Origin>,
    /// A volume that it mounts and that the pod does not have.
    pub undeclared: Option<String>,
    /// The namespace in which its role is bound, and the binding, where that is not the pod's.
    pub bound_elsewhere: Option<(String, Origin)>,
}

/// The resizer of the metrics-server that `object` runs.
pub(super) fn resizer(
    sources: &Sources,
    index: &ObjectIndex<'_>,
    object: &Object,
) -> Option<Resizer> {
    let container = workload::resizer(&object.node)?;
    let args = workload::args(sources, container);
    let flags = Flags::new(&args);
    let memory = |flag: &str, key: &str| {
        let parse = |text: &String| Memory::parse(text).ok_or_else(|| format!("`{text}` is none"));
        match configured(index, object, container, &flags, key) {
            Fact::Absent(_) => flags.text(flag).read(parse),
            own => own.read(parse),
        }
    };
    let smallest = match flags.text("estimator") {
        Fact::Known(it, at) if it == "exponential" => match flags.text("minClusterSize") {
            Fact::Absent(_) => Fact::Known(16, at),
            size => size.read(|it| integer(it).ok_or_else(|| "it is no number".to_owned())),
        },
        Fact::Known(..) | Fact::Absent(_) => Fact::Absent(None),
        untold => untold.map(|_| 0),
    };
    let release = index.environment.release_of(object);
    let asked = ["nanny.memory", "nanny.extraMemory", "enabled"].iter().find_map(|key| {
        let value = release?.values.at(&format!("addonResizer.{key}"))?;
        value.origin.written_at().map(|_| value.origin.clone())
    });
    Some(Resizer {
        origin: container.get("image").unwrap_or(container).origin.clone(),
        base: memory("memory", "baseMemory"),
        per_node: memory("extra-memory", "memoryPerNode"),
        smallest,
        asked,
        undeclared: undeclared(&object.node, container),
        bound_elsewhere: bound_elsewhere(index, object),
    })
}

/// What its `NannyConfiguration` says of `key`, which wins over flags.
fn configured(
    index: &ObjectIndex<'_>,
    object: &Object,
    container: &Node,
    flags: &Flags<'_>,
    key: &str,
) -> Fact<String> {
    let dir = flags.text("config-dir");
    let Some((dir, at)) = dir.known() else { return dir };
    let mounted = |it: &&Node| {
        it.str_at("mountPath")
            .is_some_and(|it| it.trim_end_matches('/') == dir.trim_end_matches('/'))
    };
    let volume = container.items_at("volumeMounts").iter().find(mounted);
    let named = volume.and_then(|it| it.str_at("name"));
    let volumes = workload::volumes(&object.node).unwrap_or_default();
    let map = volumes
        .iter()
        .find(|it| named.is_some() && it.str_at("name") == named)
        .and_then(|it| it.str_at("configMap.name"));
    let called = |name| index.named("ConfigMap", namespace_of(object), name);
    let Some(map) = map.and_then(|name| called(name).into_iter().next()) else {
        return Fact::Unknown("its configuration is not in sight".into(), Some(at.clone()));
    };
    fact(&map.node, "data.NannyConfiguration", text).and_then(|text, at| {
        let value = text.lines().find_map(|it| it.strip_prefix(key)?.strip_prefix(':'));
        match value.map(|it| it.trim().trim_matches(['"', '\''])).filter(|it| !it.is_empty()) {
            Some(value) => Fact::Known(value.to_owned(), at.clone()),
            None => Fact::Absent(None),
        }
    })
}

/// A volume that `container` mounts and that the pod certainly does not have.
fn undeclared(workload: &Node, container: &Node) -> Option<String> {
    let volumes = workload::volumes(workload)?;
    if volumes.iter().any(|it| it.look("name").is_err()) {
        return None;
    }
    let has = |name: &str| volumes.iter().any(|it| it.str_at("name") == Some(name));
    let mounts = container.look("volumeMounts").ok()??.items();
    mounts.iter().filter_map(|it| it.str_at("name")).find(|it| !has(it)).map(str::to_owned)
}

/// Where the role that the nanny of `object` needs is bound, if that is only in other namespaces.
fn bound_elsewhere(index: &ObjectIndex<'_>, object: &Object) -> Option<(String, Origin)> {
    let account = workload::in_pods(&object.node, "spec.serviceAccountName");
    let account = object.node.str_at(&account)?;
    let own = namespace_of(object);
    let is_account =
        |it: &Node| it.str_at("name") == Some(account) && it.str_at("namespace") == Some(own);
    let bindings = index.bindings(access::names_of(own, account));
    let mut bound = bindings.into_iter().filter(|it| {
        it.kind() == "RoleBinding"
            && it.node.str_at("roleRef.name").is_some_and(|it| it.contains("nanny"))
            && it.node.items_at("subjects").iter().any(is_account)
    });
    let first = bound.next()?;
    let elsewhere = |it: &Object| !it.namespace().is_empty() && it.namespace() != own;
    let all = elsewhere(first) && bound.all(elsewhere);
    all.then(|| (first.namespace().to_owned(), first.anchor()))
}
