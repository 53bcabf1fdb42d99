//! Symbolic links to files and directories: who follows them sees what they lead to where they are.

use super::fixture;
use crate::{config::Config, pipeline::analyze, source::Sources};

/// The environments with what each metrics-server of theirs has: version of the chart, replicas.
fn servers(sources: &Sources) -> Vec<String> {
    let (_, clusters) = analyze(sources, &Config::default());
    let of = |it: &crate::model::Cluster| {
        let servers = it.metrics_servers.iter().map(|server| {
            let version = server.facts.image_tag.known().map(|(it, _)| it.clone());
            let replicas = server.facts.replicas.known().map(|(it, _)| it.to_string());
            format!(" {}/{}", version.unwrap_or_default(), replicas.unwrap_or_default())
        });
        let problems = it.problems.iter().map(|it| format!(" {}", it.message));
        format!("{}:{}", it.environment, servers.chain(problems).collect::<String>())
    };
    clusters.iter().map(of).collect()
}

const RELEASE: &str = "
            resource \"helm_release\" \"ms\" {
              name       = \"metrics-server\"
              repository = \"https://kubernetes-sigs.github.io/metrics-server/\"
              chart      = \"metrics-server\"
              version    = local.version
              namespace  = \"kube-system\"
            }";

#[test]
fn code_that_directories_share_is_theirs() {
    let files = format!(
        "
            //- live/a/main.tf
            locals {{ version = \"3.12.2\" }}
            //- live/b/main.tf
            locals {{ version = \"3.13.0\" }}
            //- shared/ms.tf{RELEASE}
        "
    );
    let sources = fixture(&files);
    let linked = [("live/a/ms.tf", "shared/ms.tf"), ("live/b/ms.tf", "shared/ms.tf")];
    assert_eq!(servers(&sources.linked(&linked)), ["live/a: v0.7.2/1", "live/b: v0.8.0/1"]);
    // What a directory has besides is read with what it shares.
    let both = format!(
        "{files}\n            //- shared/own.tf\n            locals {{ version = \"3.11.0\" }}\n"
    );
    let found = servers(&fixture(&both).linked(&linked));
    assert_eq!(found, ["live/a: v0.7.2/1", "live/b: v0.8.0/1", "shared: v0.6.4/1"]);
    // Where all is shared, it is the same code twice.
    let all = format!("//- live/a/all.tf\nlocals {{ version = \"3.12.2\" }}{RELEASE}\n");
    let found = servers(&fixture(&all).linked(&[("live/b/all.tf", "live/a/all.tf")]));
    assert_eq!(found, ["live/a: v0.7.2/1", "live/b: v0.7.2/1"]);
}

#[test]
fn helmfile_follows_links() {
    let to_files = [
        ("values/ms/_helpers.tpl", "shared/_helpers.tpl"),
        ("values/ms/ms.yaml.gotmpl", "shared/ms.yaml.gotmpl"),
    ];
    assert_eq!(servers(&fixture(HELMFILE).linked(&to_files)), ["default: v0.8.0/2"]);
    let to_dir = [("values/ms", "shared")];
    assert_eq!(servers(&fixture(HELMFILE).linked(&to_dir)), ["default: v0.8.0/2"]);
    let helper = [("other/values/_helpers.tpl", "shared/_helpers.tpl")];
    let moved =
        HELMFILE.replace("shared/ms.", "other/values/ms.").replace("values/ms/*", "other/values/*");
    assert_eq!(servers(&fixture(&moved).linked(&helper)), ["default: v0.8.0/2"]);
}

const HELMFILE: &str = "
            //- helmfile.yaml
            repositories:
              - {name: ms, url: https://kubernetes-sigs.github.io/metrics-server/}
            releases:
              - name: metrics-server
                namespace: kube-system
                chart: ms/metrics-server
                version: 3.13.0
                values: [values/ms/*.yaml.gotmpl]
            //- shared/_helpers.tpl
            {{ define \"count\" }}2{{ end }}
            //- shared/ms.yaml.gotmpl
            replicas: {{ include \"count\" . }}
            ";

#[test]
fn a_template_that_a_chart_links_to_is_that_charts() {
    let files = "
            //- helmfile.yaml
            releases: [{name: ms, namespace: kube-system, chart: ./chart}]
            //- chart/Chart.yaml
            {apiVersion: v2, name: c, version: 0.1.0}
            //- shared/ms.yaml
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: metrics-server, namespace: {{ .Release.Namespace }}}
            spec:
              replicas: 3
              template:
                spec:
                  containers:
                  - name: metrics-server
                    image: registry.k8s.io/metrics-server/metrics-server:v0.8.0
            ";
    for link in [("chart/templates/ms.yaml", "shared/ms.yaml"), ("chart/templates", "shared")] {
        assert_eq!(servers(&fixture(files).linked(&[link])), ["default: v0.8.0/3"], "{link:?}");
    }
}

#[test]
fn an_inventory_that_links_to_its_variables_has_its_hosts() {
    let nodes = |links: &[(&str, &str)]| {
        let sources = fixture(
            "
            //- shared/group_vars/k8s_cluster/addons.yml
            metrics_server_enabled: true
            //- inventory/dev/hosts.ini
            [kube_node]
            n[1:3]
            //- inventory/prod/hosts.ini
            [kube_node]
            n[1:5]
            ",
        );
        let (_, clusters) = analyze(&sources.linked(links), &Config::default());
        let [cluster] = &*clusters else { panic!("{clusters:?}") };
        cluster.nodes.known().map(|(it, _)| it.min)
    };
    let prod = ("inventory/prod/group_vars", "shared/group_vars");
    let dev = ("inventory/dev/group_vars", "shared/group_vars");
    assert_eq!(nodes(&[prod]), Some(5));
    assert_eq!(
        nodes(&[("inventory/dev/group_vars/k8s_cluster", "shared/group_vars/k8s_cluster")]),
        None
    );
    assert_eq!(nodes(&[dev, prod]), None, "they are variables of both");
}
