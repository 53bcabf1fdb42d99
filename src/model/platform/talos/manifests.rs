//! Manifests that Talos deploys when it makes a cluster.

use crate::{
    data::subject::{What, is_server_named_in},
    model::{
        approver,
        platform::{Input, Platform},
    },
    problem::Problem,
    resolve::{environment::Object, kustomize::remote, layout, template::placeholders},
    tree::Node,
};

/// What Talos deploys when it makes the cluster with such `parts` of a configuration: manifests that it
/// fetches, and those that are written out.
pub(in crate::model::platform) fn deployed<'a>(
    input: &Input<'_>,
    parts: impl IntoIterator<Item = &'a Node>,
    platform: &mut Platform,
) {
    for part in parts {
        let (url, document) = match part.object_kind() {
            "KubeExternalManifestConfig" => (part.get("url"), None),
            "KubeInlineManifestConfig" => (None, Some(part)),
            _ => (None, None),
        };
        for url in listed(part, "extraManifests").into_iter().chain(url) {
            if platform.is_new(&url.origin) {
                fetched(input, url, platform);
            }
        }
        for manifest in listed(part, "inlineManifests").into_iter().chain(document) {
            let Some(contents) = manifest.get("contents").or_else(|| manifest.get("manifest"))
            else {
                continue;
            };
            if platform.is_new(&contents.origin) {
                let name = manifest.str_at("name").unwrap_or_default();
                written_out(input, name, contents, platform);
            }
        }
    }
}

/// Adds what Talos fetches from `url`.
fn fetched(input: &Input<'_>, url: &Node, platform: &mut Platform) {
    let Some(text) = url.as_str() else { return };
    if let Some(approver) = approver::remote(text, &url.origin) {
        platform.approvers.push(approver);
    } else if is_server_named_in(text) {
        let (found, problem) = remote::known(input.sources, url);
        platform.manifests.extend(found.into_iter().map(Object::new));
        platform.problems.extend(problem);
    }
}

/// Adds the objects in `contents`, manifests that are called `name`.
fn written_out(input: &Input<'_>, name: &str, contents: &Node, platform: &mut Platform) {
    if let Some(why) = contents.unknown().filter(|_| What::of(name).is_some()) {
        let why = format!("what Talos deploys as {name} cannot be told: {why}");
        platform.problems.push(Problem::unresolved(&contents.origin, why));
    }
    let found = input.embedded(contents, &mut platform.problems);
    let found = layout::objects(found.iter()).filter(|it| it.get("kind").is_some());
    let found: Vec<Object> = found.map(|it| Object::new(placeholders(input.sources, it))).collect();
    platform.approvers.extend(approver::of_objects(&found));
    platform.manifests.extend(found);
}

/// The items of a list below `cluster` that a patch adds, in whichever way.
fn listed<'a>(part: &'a Node, key: &str) -> Vec<&'a Node> {
    let operations = part.items().iter().flat_map(|operation| {
        let (path, value) = (operation.str_at("path"), operation.get("value"));
        let rest = path.and_then(|it| it.strip_prefix("/cluster"));
        match (rest.map(|it| it.strip_prefix('/').unwrap_or(it)), value) {
            (Some(""), Some(value)) => value.items_at(key),
            (Some(rest), Some(value)) if rest == key => value.items(),
            (Some(rest), Some(value)) if rest.split('/').next() == Some(key) => {
                std::slice::from_ref(value)
            }
            _ => &[],
        }
    });
    let cluster = part.get("cluster").map(|it| it.items_at(key)).unwrap_or_default();
    cluster.iter().chain(operations).collect()
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Config,
        pipeline::analyze,
        tests::{fixture, unindented},
        tree::Origin,
    };

    /// Each metrics-server with its tag, whether it verifies kubelets, and the line that says so; and
    /// what is not known, with its line.
    fn told(files: &str) -> Vec<String> {
        let sources = fixture(files);
        let (_, clusters) = analyze(&sources, &Config::default());
        let line = |it: &Origin| sources.start(it.written_at().expect("a place")).line;
        let servers = clusters.iter().flat_map(|it| &it.metrics_servers).map(|it| {
            let tag = it.image_tag.value().map_or("?", |it| it);
            let insecure = it.kubelet_insecure_tls.value().copied();
            format!("{} {tag} {insecure:?}", line(&it.anchor))
        });
        let problems = clusters.iter().flat_map(|it| &it.problems);
        let problems = problems.map(|it| format!("{} {}", line(&it.at), it.kind.rule()));
        let approvers = clusters.iter().flat_map(|it| &it.approvers);
        let approvers = approvers.map(|it| format!("{} {}", line(&it.origin), it.name));
        servers.chain(problems).chain(approvers).collect()
    }

    const URL: &str = "https://github.com/kubernetes-sigs/metrics-server/releases";

    #[test]
    fn what_talos_fetches_is_known_by_its_release() {
        let list = |url: &str| {
            told(&format!("//- talos/patch.yaml\ncluster:\n  extraManifests:\n  - {url}\n"))
        };
        assert_eq!(
            list(&format!("{URL}/download/v0.7.2/components.yaml")),
            ["3 v0.7.2 Some(false)"]
        );
        let latest = list(&format!("{URL}/latest/download/high-availability.yaml"));
        assert_eq!(latest, ["3 ? Some(false)", "3 moving-version"]);
        assert_eq!(list("https://example.com/metrics-server.yaml"), ["3 unresolved"]);
        assert!(list("https://example.com/cni.yaml").is_empty());
    }

    #[test]
    fn each_notation_deploys_and_none_does_so_twice() {
        let release = format!("{URL}/download/v0.8.0/components.yaml");
        let talconfig = |patch: &str| {
            told(&format!(
                "//- talconfig.yaml\nclusterName: a\ntalosVersion: v1.9.0\n\
                 nodes: [{{hostname: a, controlPlane: true}}, {{hostname: b}}]\n\
                 patches:\n- |-\n  - {{op: add, {patch}}}\n"
            ))
        };
        let known = ["6 v0.8.0 Some(false)"];
        let list = talconfig(&format!("path: /cluster/extraManifests, value: ['{release}']"));
        assert_eq!(list, known);
        let item = talconfig(&format!("path: /cluster/extraManifests/-, value: '{release}'"));
        assert_eq!(item, known);
        let all = talconfig(&format!("path: /cluster, value: {{extraManifests: ['{release}']}}"));
        assert_eq!(all, known);
        let document = format!(
            "//- a.yaml\napiVersion: v1alpha1\nkind: KubeExternalManifestConfig\n\
             name: metrics-server\nurl: {release}\n"
        );
        assert_eq!(told(&document), ["4 v0.8.0 Some(false)"]);
        let terraform = format!(
            "//- main.tf\ndata \"talos_machine_configuration\" \"a\" {{\n  config_patches = \
             [yamlencode({{ cluster = {{ extraManifests = [\n    \"{release}\"\n  ] }} }})]\n}}\n"
        );
        assert_eq!(told(&terraform), ["3 v0.8.0 Some(false)"]);
        let applied = "resource \"talos_machine_configuration_apply\"";
        let applied = terraform.replace("data \"talos_machine_configuration\"", applied);
        assert_eq!(told(&applied), ["3 v0.8.0 Some(false)"]);
    }

    #[test]
    fn what_is_written_out_is_judged_where_it_is() {
        let manifests = "
            kind: Namespace
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server, namespace: kube-system}
            spec: {template: {spec: {containers: [
              {image: 'a/metrics-server:${TAG}', args: [--kubelet-insecure-tls]}]}}}
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: kubelet-serving-cert-approver}
            spec: {template: {spec: {containers: [{image: a/kubelet-serving-cert-approver}]}}}";
        let manifests = unindented(manifests);
        let indented = |by: usize| manifests.trim().replace('\n', &format!("\n{}", " ".repeat(by)));
        let omni = format!(
            "//- omni.yaml\nkind: Cluster\nname: a\ntalos: {{version: v1.9.0}}\npatches:\n\
             - name: addons\n  inline: {{cluster: {{inlineManifests: [{{name: a, contents: {:?}}}]}}}}\n",
            indented(0)
        );
        assert_eq!(told(&omni).len(), 3);
        let patch = format!(
            "//- patch.yaml\ncluster:\n  inlineManifests:\n  - name: a\n    contents: |\n      {}\n",
            indented(6)
        );
        let expected = ["9 ? Some(true)", "11 unresolved", "15 kubelet-serving-cert-approver"];
        assert_eq!(told(&patch), expected);
        let resource = format!(
            "//- omni.yaml\nmetadata: {{type: ConfigPatches.omni.sidero.dev, id: a}}\nspec:\n  data: |\n    \
             apiVersion: v1alpha1\n    kind: KubeInlineManifestConfig\n    name: a\n    manifest: |\n      {}\n",
            indented(6)
        );
        assert_eq!(told(&resource).len(), 3);
    }
}
