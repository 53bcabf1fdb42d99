//! How a file can matter, judged by its name and its bytes before any parsing.

use std::sync::LazyLock;

use crate::{
    data::{
        groups::{self, Role},
        kustomization,
        subject::{APPROVERS, OTHERS, SERVER, is_server_named_in},
    },
    literals::Literals,
    source::{self, FirstLook, Relevance},
};

/// What a file that concerns us says somewhere: it names our subject, or tells of platforms.
const SUBJECT: &[&[&str]] = &[SERVER, APPROVERS, OTHERS, PLATFORM];

/// What installers and platforms say: who signs the kubelets' certificates, how many nodes there are.
const PLATFORM: &[&str] = &[
    "kubelet-serving",
    "KUBELET_EXTRA_ARGS",
    "bin/kubelet",
    "kubelet-arg",
    "/machine/kubelet",
    "kubelet_rotate_server_certificates",
    "kubelet_csr_approver",
    "siderolabs/",
    "talosVersion",
    "clusterEndpoint",
    "write-kubeconfig-mode",
    "rke2-",
    "tls-san",
    "controlplane",
    "k3s_server",
    "k3s_version",
    "k3sArgs",
    "aws-auth",
    "baseDomain:",
    // It may change manifests that do not say that it does.
    "#@overlay/match",
];

/// A part of each of [`SUBJECT`] and of what is asked of all files: few and short, so that nearly all
/// files of a repository are rejected at the speed of reading them. The search gets slower with every one.
const HINTS: &[&str] = &[
    "metrics-s",
    "metrics_s",
    "METRICS_S",
    "metricss",
    "metricsS",
    "MetricsS",
    "metrics.k",
    "metric-res",
    "ubelet",
    "KUBELET_",
    "serverTLS",
    "rotate-server",
    "siderolabs/",
    "talosV",
    "clusterEndp",
    "kubeconfig-mode",
    "rke2-",
    "tls-san",
    "controlplane",
    "k3s",
    "aws-auth",
    "baseDomain",
    "#@overlay",
    "node-csr-a",
    "Hetzner",
    "HCloudM",
    "certificate approve",
    "certificate_signing",
    "LimitRange",
    "VerticalPodA",
];

/// The same for Terraform, of which there is less, beside metrics-server's names.
const TERRAFORM: &[&str] = &[
    "kubelet",
    "aws_eks_",
    "terraform-aws-modules/eks",
    "azurerm_kubernetes_cluster",
    "google_container_",
    "digitalocean_kubernetes_",
    "talos_machine_configuration",
    "kind_cluster",
];

/// How the file at `path` can matter, judged by its name and its bytes.
pub(crate) fn look(path: &str, text: &[u8]) -> FirstLook {
    // Words in UTF-16 are those in UTF-8 with NULs between their letters.
    if memchr::memchr(0, text).is_some() {
        let text: Vec<u8> = text.iter().copied().filter(|it| *it != 0).collect();
        // Who asks is told that it is no text.
        return look(path, &text).relevance.into();
    }
    let path = source::rendered(path);
    let name = source::file_name(path);
    if is_script(path) {
        let said = look_at(text);
        return FirstLook { relevance: said.relevance.min(Relevance::Script), ..said };
    }
    // Terraform's releases may take their charts from lists, and modules from those that call them.
    let connects = source::extension(name) == "tf"
        && (is_in(text, b"helm_release") || is_in(text, b"module \""));
    let least = if is_plumbing(name) || connects {
        Relevance::Plumbing
    } else if is_talconfig(name) || is_about_it(path) && !is_in(text, b"apiVersion") {
        // What is no object is perhaps a values file, which need not say whose.
        Relevance::Subject
    } else {
        Relevance::None
    };
    let said = match source::extension(name) {
        "tf" | "tfvars" | "hcl" => match TERRAFORM_WORDS.are_in(text) {
            // What else it says is not known: the words are others.
            true => Relevance::Subject.into(),
            false => Relevance::None.into(),
        },
        _ => look_at(text),
    };
    FirstLook { relevance: said.relevance.max(least), ..said }
}

/// Whether it is the file of talhelper, which defines the nodes of a cluster whatever it says of them
/// (`--config-file` of <https://budimanjojo.github.io/talhelper/latest/reference/genconfig>).
fn is_talconfig(name: &str) -> bool {
    matches!(name, "talconfig.yaml" | "talconfig.yml")
}

/// Whether a path names metrics-server: its directory, or the file itself.
pub(crate) fn is_about_it(path: &str) -> bool {
    let path = source::rendered(path);
    let yaml = source::is_yaml(path);
    yaml && path.split('/').any(is_server_named_in)
}

fn is_in(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}

static HINT_WORDS: LazyLock<Literals> = LazyLock::new(|| Literals::new(&[HINTS]));
static SUBJECT_WORDS: LazyLock<Literals> = LazyLock::new(|| Literals::new(SUBJECT));
static TERRAFORM_WORDS: LazyLock<Literals> = LazyLock::new(|| Literals::new(&[SERVER, TERRAFORM]));

/// The same of what is certainly text, by its bytes alone.
pub(crate) fn look_at(text: &[u8]) -> FirstLook {
    let hints = HINT_WORDS.are_in(text);
    if hints && SUBJECT_WORDS.are_in(text) {
        return Relevance::Subject.into();
    }
    let finder = memchr::memmem::find_iter(text, b"apiVersion");
    let groups = finder.map(|at| of_group(&text[at + "apiVersion".len()..]));
    FirstLook { relevance: groups.max().unwrap_or_default(), is_silent: !hints }
}

/// How an object matters, given what follows its `apiVersion`.
fn of_group(rest: &[u8]) -> Relevance {
    let end = rest.iter().take(120).position(|it| matches!(it, b'/' | b'\n')).unwrap_or(0);
    let group = str::from_utf8(&rest[..end]).unwrap_or_default();
    match groups::role(group) {
        Some(
            Role::ConfiguresKubelets
            | Role::DefinesNodes
            | Role::DefinesOwnNodes
            | Role::DescribesCluster,
        ) => Relevance::Subject,
        Some(Role::Connects | Role::Installs) => Relevance::Plumbing,
        Some(Role::Scales) => Relevance::Scaling,
        Some(Role::TellsPlatform) | None => Relevance::None,
    }
}

/// What the names of programs and build files end with.
pub(crate) const SCRIPT_EXTENSIONS: [&str; 14] = [
    "sh",
    "bash",
    "zsh",
    "fish",
    "ps1",
    "bat",
    "cmd",
    "mk",
    "just",
    "jsonnet",
    "libsonnet",
    "cue",
    "nix",
    "Tiltfile",
];

/// Build files that are always called so.
pub(crate) const SCRIPT_NAMES: [&str; 8] = [
    "Makefile",
    "makefile",
    "GNUmakefile",
    "justfile",
    "Justfile",
    "Tiltfile",
    "Vagrantfile",
    "Jenkinsfile",
];

/// Whether the file at `path` is a program of a shell, a build file or the like, by its name.
pub(crate) fn is_script(path: &str) -> bool {
    let (dir, name) = (source::parent(path), source::file_name(path));
    SCRIPT_EXTENSIONS.contains(&source::extension(name))
        || SCRIPT_NAMES.contains(&name)
        || (!name.contains('.')
            && matches!(source::file_name(dir), "scripts" | "script" | "hack" | "bin" | "ci"))
}

/// Files that connect others whatever they say.
fn is_plumbing(name: &str) -> bool {
    kustomization::FILES.contains(&name)
        || matches!(name, "Chart.yaml" | "fleet.yaml")
        || name.starts_with("helmfile")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::subject::{APPROVING, GIVING_REQUESTS, METRICS_API};

    #[test]
    fn most_files_are_rejected_by_their_bytes() {
        let relevance_of = |text: &[u8]| look_at(text).relevance;
        assert_eq!(relevance_of(b"kind: Deployment"), Relevance::None);
        assert_eq!(
            relevance_of(b"apiVersion: kustomize.toolkit.fluxcd.io/v1"),
            Relevance::Plumbing
        );
        assert_eq!(relevance_of(b"fluxcd.io metrics-server"), Relevance::Subject);
        assert_eq!(relevance_of(b"{\"apiVersion\": \"kops.k8s.io/v1alpha2\"}"), Relevance::Subject);
        assert_eq!(relevance_of(b"apiVersion: apps/v1\nargs: [--kubelet-dir]"), Relevance::None);
        assert_eq!(relevance_of(b"---\napiVersion: autoscaling/v2\n"), Relevance::Scaling);
        assert_eq!(relevance_of(b"apiVersion: \"keda.sh/v1alpha1\""), Relevance::Scaling);
    }

    #[test]
    fn the_file_of_talhelper_defines_nodes_whatever_it_says() {
        let relevance = |path: &str| look(path, b"clusterName: x\n").relevance;
        for path in ["talconfig.yaml", "talos/talconfig.yml", "templates/talconfig.yaml.j2"] {
            assert_eq!(relevance(path), Relevance::Subject, "{path}");
        }
        assert_eq!(relevance("talos/my-talconfig.yaml"), Relevance::None);
    }

    #[test]
    fn a_path_that_names_it_is_enough_for_what_may_be_values() {
        let relevance = |path: &str, text: &[u8]| look(path, text).relevance;
        let of = |path| relevance(path, b"replicas: 2\n");
        for path in [
            "metrics-server/values.yaml",
            "values/metrics-server.yaml",
            "metrics-server-values.yml",
            "apps/metrics-server/prod.yaml",
            "a/values.metrics_server.json",
        ] {
            assert_eq!(of(path), Relevance::Subject, "{path}");
        }
        for path in ["metrics/values.yaml", "metrics-server-exporter/values.yaml"] {
            assert_eq!(of(path), Relevance::None, "{path}");
        }
        let object = relevance("metrics-server/namespace.yaml", b"apiVersion: v1\n");
        assert_eq!(object, Relevance::None);
        let build = relevance("metrics-server/kustomization.yaml", b"resources: [a.yaml]\n");
        assert_eq!(build, Relevance::Plumbing);
    }

    #[test]
    fn a_hint_is_in_every_word() {
        let asked = [APPROVING, GIVING_REQUESTS, &[METRICS_API]];
        for word in SUBJECT.iter().chain(&asked).copied().flatten() {
            assert!(HINTS.iter().any(|hint| word.contains(hint)), "{word}");
        }
    }
}
