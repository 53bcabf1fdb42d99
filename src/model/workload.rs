//! Facts out of a pod's specification.

pub(crate) mod flag;

use std::sync::LazyLock;

use semver::Version;

use crate::{
    model::{Arg, Container, Cpu, Fact, IntOrPercent, Memory, Resources, fact::has_hole},
    source::Sources,
    tree::{self, Kind, Node, Origin},
};

/// What stands at `path` below `node`, read by `read`, which says why it is refused.
///
/// A null is absent, as Kubernetes' decoder has it; what is taken away on the way remembers by what.
/// A text that something has yet to fill in is unknown.
pub(super) fn fact<T>(
    node: &Node,
    path: &str,
    read: impl FnOnce(&Node) -> Result<T, String>,
) -> Fact<T> {
    match node.look(path) {
        Err((why, origin)) => Fact::Unknown(why, Some(origin)),
        Ok(None) => Fact::Absent(removed(node, path)),
        Ok(Some(value)) if value.is_null() => Fact::Absent(Some(value.origin.clone())),
        Ok(Some(value)) => match yet_to_fill_in(value).map_or_else(|| read(value), Err) {
            Ok(it) => Fact::Known(it, value.origin.clone()),
            Err(why) => Fact::refused(value, why),
        },
    }
}

/// Why a value is not the text that is written, if something has yet to fill in a part of it.
fn yet_to_fill_in(node: &Node) -> Option<String> {
    let text = &node.as_scalar()?.text;
    has_hole(text).then(|| not_filled(text))
}

/// Whether something has yet to fill in a part of a value.
pub(super) fn is_yet_to_fill_in(node: &Node) -> bool {
    yet_to_fill_in(node).is_some()
}

fn not_filled(text: &str) -> String {
    format!("nothing in the repository fills in `{text}`")
}

/// What took `path`, or a part of the way to it, away.
fn removed(mut node: &Node, path: &str) -> Option<Origin> {
    for key in path.split('.') {
        let map = node.as_map()?;
        match map.get(key) {
            Some(value) => node = value,
            None => return map.removed(key).cloned(),
        }
    }
    None
}

/// The text of a scalar, whatever its type: what a program or a quantity sees.
fn raw(node: &Node) -> Result<&str, String> {
    node.as_scalar().map(|it| &*it.text).ok_or_else(|| "this is not a single value".to_owned())
}

pub(super) fn text(node: &Node) -> Result<String, String> {
    node.as_str().map(str::to_owned).ok_or_else(|| "this is not text".to_owned())
}

pub(super) fn boolean(node: &Node) -> Result<bool, String> {
    node.as_bool().ok_or_else(|| "this is not a boolean".to_owned())
}

pub(super) fn number(node: &Node) -> Result<i128, String> {
    // A float without a fraction becomes a whole number on its way through JSON.
    let number = node.to_json().as_i64().map(i128::from);
    number.ok_or_else(|| "this is not a whole number".to_owned())
}

/// What `ValidateNonnegativeField` and the type itself allow: no more than 32 bits have.
pub(super) fn count(node: &Node) -> Result<i128, String> {
    let count = number(node)?;
    let fits = i32::try_from(count).is_ok_and(|it| it >= 0);
    fits.then_some(count).ok_or_else(|| format!("{count} is no number of pods"))
}

pub(super) fn port(node: &Node) -> Result<i128, String> {
    let port = number(node)?;
    (1..=65535).contains(&port).then_some(port).ok_or_else(|| format!("{port} is no port"))
}

/// `ValidatePositiveIntOrPercent` of `pkg/apis/apps/validation`: a text has to be a percentage.
pub(super) fn int_or_percent(node: &Node) -> Result<IntOrPercent, String> {
    match node.as_str() {
        Some(text) => IntOrPercent::share(text)
            .ok_or_else(|| format!("`{text}` is neither a number nor a percentage")),
        None => count(node).map(|it| IntOrPercent::Int(i64::try_from(it).unwrap_or(i64::MAX))),
    }
}

/// [`int_or_percent`] that may not be more than all: `IsNotMoreThan100Percent`.
pub(super) fn int_or_part(node: &Node) -> Result<IntOrPercent, String> {
    match int_or_percent(node)? {
        IntOrPercent::Percent(share @ 101..) => Err(format!("{share}% is more than all")),
        part => Ok(part),
    }
}

pub(super) fn cpu(node: &Node) -> Result<Cpu, String> {
    parsed(node, Cpu::parse, "not an amount of CPU")
}

pub(super) fn memory(node: &Node) -> Result<Memory, String> {
    parsed(node, Memory::parse, "not an amount of memory")
}

/// What `parse` makes of a scalar as it is written, or of the number that YAML reads there (`0x10`).
fn parsed<T>(node: &Node, parse: fn(&str) -> Option<T>, else_it_is: &str) -> Result<T, String> {
    let text = raw(node)?;
    // `Quantity.UnmarshalJSON` of `k8s.io/apimachinery` takes blanks around it away.
    parse(text.trim())
        .or_else(|| parse(&number(node).ok()?.to_string()))
        .ok_or_else(|| format!("`{text}` is {else_it_is}"))
}

/// Where `path` of the pods of `workload` is written in it: a Pod is its own, and the kinds of others
/// (those of Argo Rollouts and OpenShift) keep their template where Kubernetes' own do.
pub(super) fn in_pods(workload: &Node, path: &str) -> String {
    match workload.object_kind() {
        "Pod" => path.to_owned(),
        "CronJob" => format!("spec.jobTemplate.spec.template.{path}"),
        _ => format!("spec.template.{path}"),
    }
}

/// The labels of the pods of `workload`, unknown where nobody can tell whether there are any.
pub(super) fn pod_labels(workload: &Node) -> Option<Node> {
    workload.perhaps_at(&in_pods(workload, "metadata.labels"))
}

/// The containers of the pods of `workload`.
pub(super) fn containers(workload: &Node) -> &[Node] {
    workload.items_at(&in_pods(workload, "spec.containers"))
}

/// The volumes of the pods of `workload`; `None` where nobody can tell whether there are any.
pub(super) fn volumes(workload: &Node) -> Option<&[Node]> {
    let volumes = workload.look(&in_pods(workload, "spec.volumes")).ok()?;
    Some(volumes.map(Node::items).unwrap_or_default())
}

/// The container of a workload that runs metrics-server: known by its image, or by its name when
/// the image cannot be told, or is another but for the flags. The workload's name is that of its only
/// container.
pub(super) fn container(workload: &Node) -> Option<&Node> {
    let containers = containers(workload);
    let by_image = containers.iter().find(|it| it.str_at("image").is_some_and(is_metrics_server));
    let unknown = |it: &&Node| whole_image(it).is_unknown();
    let named = |it: &&Node| it.str_at("name") == Some("metrics-server");
    // A mirror may call the image otherwise; no other program has its flags.
    let told = |it: &&Node| {
        let mut items = it.items_at("command").iter().chain(it.items_at("args"));
        items.any(|it| raw(it).is_ok_and(has_own_flag))
    };
    let by_name = || containers.iter().filter(named).find(|it| unknown(it) || told(it));
    let is_called_so = workload.object_name() == "metrics-server";
    let only = || match containers {
        [one] | [one, Node { kind: Kind::Unknown(_), .. }] => Some(one),
        _ => None,
    };
    let by_object = || only().filter(|it| is_called_so && unknown(it));
    by_image.or_else(by_name).or_else(by_object)
}

/// Whether an argument is a flag of metrics-server's own.
fn has_own_flag(text: &str) -> bool {
    [
        "--metric-resolution",
        "--kubelet-insecure-tls",
        "--kubelet-preferred-address-types",
        "--kubelet-use-node-status-port",
    ]
    .iter()
    .any(|flag| text.starts_with(flag))
}

/// What a container asks for.
pub(super) fn resources(container: &Node) -> Resources {
    Resources {
        cpu_request: fact(container, "resources.requests.cpu", cpu),
        cpu_limit: fact(container, "resources.limits.cpu", cpu),
        memory_request: fact(container, "resources.requests.memory", memory),
        memory_limit: fact(container, "resources.limits.memory", memory),
    }
}

/// The containers of a workload but `one`.
pub(super) fn beside(workload: &Node, one: &Node) -> Vec<Container> {
    let others = containers(workload).iter().filter(|it| !std::ptr::eq(*it, one));
    others.map(described).collect()
}

/// A container as far as its resources go.
pub(super) fn described(container: &Node) -> Container {
    let named = container.get("resources").or_else(|| container.get("name"));
    Container {
        name: container.str_at("name").unwrap_or_default().to_owned(),
        anchor: named.unwrap_or(container).origin.clone(),
        resources: resources(container),
    }
}

/// The container that changes metrics-server's resources to fit the cluster.
pub(super) fn resizer(workload: &Node) -> Option<&Node> {
    containers(workload).iter().find(|it| {
        let (repository, _) = split_image(it.str_at("image").unwrap_or_default());
        repository.rsplit('/').next().is_some_and(|name| name.starts_with("addon-resizer"))
    })
}

/// Whether an image is metrics-server's, by the last component of its repository.
pub(crate) fn is_metrics_server(image: &str) -> bool {
    const BEFORE: [&str; 4] = ["", "hardened-k8s-", "mirrored-", "k8s-"];
    const AFTER: [&str; 6] = ["", "-amd64", "-arm", "-arm64", "-ppc64le", "-s390x"];
    let (repository, _) = split_image(image);
    let name = repository.rsplit_once('/').map_or(repository, |(_, name)| name);
    name.split_once("metrics-server")
        .is_some_and(|(before, after)| BEFORE.contains(&before) && AFTER.contains(&after))
}

/// An image's repository and tag; a digest is neither.
fn split_image(image: &str) -> (&str, Option<&str>) {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let name = image.rfind('/').map_or(0, |at| at + 1);
    match image[name..].rfind(':') {
        Some(at) => (&image[..name + at], Some(&image[name + at + 1..])),
        None => (image, None),
    }
}

/// Whether `text` may stand in an image, as the grammar of `distribution/reference` has it: anything
/// else is for something to replace.
fn is_of_an_image(text: &str) -> bool {
    !has_hole(text) && text.chars().all(|it| it.is_ascii_alphanumeric() || "._-/:@".contains(it))
}

/// A container's image, which is unknown as long as something has to fill a part of it in.
fn whole_image(container: &Node) -> Fact<String> {
    fact(container, "image", text).and_then(|image, origin| match is_of_an_image(image) {
        true => Fact::Known(image.clone(), origin.clone()),
        false => Fact::Unknown(not_filled(image).into(), Some(origin.clone())),
    })
}

/// A container's image, its repository and its tag; either may be known when the whole is not.
pub(super) fn image(container: &Node) -> [Fact<String>; 3] {
    let image = whole_image(container);
    let written = container.get("image").filter(|_| image.is_unknown());
    let parts = written.map(|it| it.origin.parts()).unwrap_or_default();
    let part = |name: &str| {
        let Some((_, part)) = parts.iter().find(|(it, _)| *it == name) else {
            let (repository, tag) = split_image(written?.as_str()?);
            let text = if name == "tag" { tag? } else { tag.map(|_| repository)? };
            let origin = written?.origin.clone();
            return is_of_an_image(text).then(|| Fact::Known(text.to_owned(), origin));
        };
        match part.unknown() {
            Some(why) => Some(Fact::Unknown(why.clone(), Some(part.origin.clone()))),
            None => {
                let text = raw(part).ok().filter(|it| is_of_an_image(it))?;
                Some(Fact::Known(text.to_owned(), part.origin.clone()))
            }
        }
    };
    let known = |text: &str, origin: &Origin| Fact::Known(text.to_owned(), origin.of(text));
    let repository = part("repository").unwrap_or_else(|| image.clone());
    let repository = repository.and_then(|image, origin| known(split_image(image).0, origin));
    let tag = part("tag").unwrap_or_else(|| {
        image.and_then(|image, origin| match split_image(image).1 {
            Some(tag) => known(tag, origin),
            None if image.contains('@') => {
                let why = "the image is pinned by its digest alone";
                Fact::Unknown(why.into(), Some(origin.clone()))
            }
            None => known("latest", origin),
        })
    });
    [image, repository, tag]
}

/// The program's version, from a tag such as `v0.7.2`.
pub(super) fn version(tag: &Fact<String>) -> Fact<Version> {
    tag.read(|tag| {
        Version::parse(tag.strip_prefix('v').unwrap_or(tag))
            .map_err(|_| format!("the tag `{tag}` does not tell the version"))
    })
}

/// So many arguments of a container are read.
const MOST_ARGS: usize = 1000;

/// Why a longer list of arguments is not read.
pub(super) static TOO_MANY_ARGS: LazyLock<String> =
    LazyLock::new(|| format!("more than {MOST_ARGS} arguments are not read"));

/// The items that something took out of a container's `args`.
pub(super) fn removed_args(container: &Node) -> Vec<(String, Origin)> {
    let removed = container.as_map().into_iter().flat_map(|it| it.removed_items("args"));
    removed.map(|(text, by)| (text.to_owned(), by.clone())).collect()
}

/// A container's `command` without the program, and its `args`.
///
/// An item that cannot be told keeps what is written before its placeholder; the whole is
/// [`Fact::Unknown`] only when the list is.
pub(super) fn args(sources: &Sources, container: &Node) -> Fact<Vec<Arg>> {
    let mut args = Vec::new();
    let mut origin = None;
    for field in ["command", "args"] {
        let list = match container.look(field) {
            Err((why, origin)) => return Fact::Unknown(why, Some(origin)),
            Ok(None) => continue,
            Ok(Some(list)) if list.as_list().is_none() && !list.is_null() => {
                return Fact::refused(list, "Kubernetes takes a list of texts");
            }
            Ok(Some(list)) => list,
        };
        let items = list.items();
        if items.len() > MOST_ARGS {
            return Fact::Unknown((&**TOO_MANY_ARGS).into(), Some(list.origin.clone()));
        }
        // The program itself, unless someone wrote only flags there.
        let program = field == "command"
            && items.first().is_some_and(|it| raw(it).is_ok_and(|it| !it.starts_with('-')));
        if let Some(shell) = items.first().filter(|it| program && is_shell(it)) {
            let why = "a shell starts metrics-server".into();
            return Fact::Unknown(why, Some(shell.origin.clone()));
        }
        for item in items.iter().skip(usize::from(program)) {
            let (text, unknown) = match (&item.kind, raw(item)) {
                (Kind::Unknown(why), _) => {
                    let flag = tree::flag_of(item);
                    let flag = flag.or_else(|| Some(known_flag(sources, &item.origin)?.to_owned()));
                    (flag.unwrap_or_default(), Some(why.clone()))
                }
                (_, Ok(text)) if reads_environment(container, text) => {
                    (before_value(text), Some("it is set by the container's environment".into()))
                }
                // Kubernetes leaves a `$(NAME)` as it is that no variable defines.
                (_, Ok(text)) if has_hole(&text.replace("$(", "")) => {
                    (before_value(text), yet_to_fill_in(item).map(Into::into))
                }
                (_, Ok(text)) => (text.to_owned(), None),
                _ => (item.to_json().to_string(), None),
            };
            // A null is an empty text to Kubernetes' decoder.
            let text = if item.is_null() { String::new() } else { text };
            let is_text = item.is_null() || item.as_str().is_some() || unknown.is_some();
            let (origin, perhaps) = (item.origin.clone(), item.if_there().is_some());
            args.push(Arg { text, origin, unknown, perhaps, is_text });
        }
        origin = Some(list.origin.clone());
    }
    match origin {
        Some(origin) => Fact::Known(args, origin),
        None => Fact::Absent(removed(container, "args")),
    }
}

/// The `--flag=` of an argument whose value something fills in.
fn before_value(text: &str) -> String {
    let flag = text.split_once('=').filter(|(name, _)| !has_hole(name));
    flag.map(|(name, _)| format!("{name}=")).unwrap_or_default()
}

/// Whether a program is a shell, whose script passes the flags.
fn is_shell(program: &Node) -> bool {
    let name = raw(program).ok().and_then(|it| it.rsplit('/').next());
    name.is_some_and(|it| ["sh", "ash", "bash", "dash"].contains(&it))
}

/// Whether the kubelet replaces a `$(NAME)` in `text` by a variable of the container.
///
/// `$$(NAME)` is an escape, and what nothing defines stays as it is.
fn reads_environment(container: &Node, text: &str) -> bool {
    let mut pieces = text.split("$(").peekable();
    while let (Some(before), Some(after)) = (pieces.next(), pieces.peek()) {
        let escaped = before.len() - before.trim_end_matches('$').len();
        let Some((name, _)) = after.split_once(')').filter(|_| escaped % 2 == 0) else { continue };
        let defined = match container.look("env") {
            Err(_) => true,
            Ok(env) => env.map(Node::items).unwrap_or_default().iter().any(|it| {
                it.look("name").map_or(true, |it| it.and_then(Node::as_str) == Some(name))
            }),
        };
        let many = container.look("envFrom").map_or(true, |it| it.is_some());
        if defined || many {
            return true;
        }
    }
    false
}

/// The `--flag=` that stands before the placeholder of an item that cannot be told.
fn known_flag<'a>(sources: &'a Sources, origin: &Origin) -> Option<&'a str> {
    let written = origin.steps().filter_map(|step| step.span).map(|span| sources.slice(span));
    written.map(|text| text.trim_start_matches(['"', '\''])).find_map(|text| {
        let (before, _) = text.split_once("${")?;
        let end = before.find('=').filter(|_| before.starts_with("--"))?;
        before.get(..=end)
    })
}

/// The container's port named `https`, or its only one.
pub(super) fn https_port(container: &Node) -> Fact<i128> {
    let ports = match container.look("ports") {
        Err((why, origin)) => return Fact::Unknown(why, Some(origin)),
        Ok(None) => return Fact::Absent(None),
        Ok(Some(ports)) => ports.items(),
    };
    let named = ports.iter().find(|it| it.str_at("name") == Some("https"));
    match (named, ports) {
        (Some(port), _) | (None, [port]) => fact(port, "containerPort", self::port),
        _ => match ports.iter().find_map(|it| it.look("name").err()) {
            Some((why, origin)) => Fact::Unknown(why, Some(origin)),
            None => Fact::Absent(None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::Dialect;

    #[test]
    fn images() {
        assert!(is_metrics_server("registry.k8s.io/metrics-server/metrics-server:v0.7.2"));
        assert!(is_metrics_server("localhost:5000/metrics-server"));
        assert!(is_metrics_server("k8s.gcr.io/metrics-server-amd64:v0.3.6@sha256:00"));
        assert!(!is_metrics_server("registry.k8s.io/metrics-server/exporter:v1"));
        assert!(!is_metrics_server("registry.k8s.io/autoscaling/addon-resizer:1.8.23"));
        assert_eq!(split_image("localhost:5000/a"), ("localhost:5000/a", None));
    }
    #[test]
    fn what_kubernetes_refuses_is_invalid_and_what_is_filled_in_is_unknown() {
        let memory = |written: &str| {
            let sources = Sources::in_memory([("a.yaml", written)]);
            let file = sources.find("a.yaml").expect("it is there");
            let root = sources.documents(file, Dialect::Sigs).roots().next().cloned();
            fact(&root.expect("a document"), "memory", memory)
        };
        for (written, text) in [
            ("memory: 256MB", "256MB"),
            ("memory: 64 Mi", "64 Mi"),
            ("memory: [1Gi]", r#"["1Gi"]"#),
            ("memory: {limit: 1Gi}", r#"{"limit":"1Gi"}"#),
        ] {
            let Fact::Invalid { text: found, why, .. } = memory(written) else {
                panic!("{written}");
            };
            assert_eq!(found, text);
            assert!(!why.is_empty());
        }
        for written in [
            "memory: '{{ memory }}'",
            "memory: $(MEMORY)Mi",
            "memory: ['{% if big %}1Gi{% endif %}']",
            "memory: {limit: '${LIMIT}'}",
        ] {
            assert!(memory(written).is_unknown(), "{written}");
        }
        assert!(memory("memory: null").is_absent());
        assert!(memory("memory: 0x100000").value().is_some_and(|it| it.bytes == 1 << 20));
    }
}
