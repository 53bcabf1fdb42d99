//! The API groups of objects that concern us, and what their objects are to us: each group once.

/// What the objects of an API group are to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// They say which files belong together, so that they are read in every run.
    Connects,
    /// They install something, or are configuration of what builds files.
    Installs,
    /// They configure kubelets, perhaps in texts that they hold, and define nodes thereby.
    ConfiguresKubelets,
    /// They define a cluster's nodes.
    DefinesNodes,
    /// They define the nodes of the cluster that they are applied to, and of no other.
    DefinesOwnNodes,
    /// They say something of a cluster, but do not make its nodes.
    DescribesCluster,
    /// They change how many pods a workload has, or what the pods ask for.
    Scales,
    /// They say which platform the cluster is of, no more: a file is not worth reading for that.
    TellsPlatform,
}

/// The ends of groups' names and their roles; the first that fits counts.
const GROUPS: &[(&str, Role)] = &[
    ("kustomize.toolkit.fluxcd.io", Role::Connects),
    ("source.extensions.fluxcd.io", Role::Connects),
    ("fluxcd.controlplane.io", Role::Connects),
    ("argoproj.io", Role::Connects),
    ("fluxcd.io", Role::Installs),
    ("kustomize.config.k8s.io", Role::Installs),
    ("helm.cattle.io", Role::Installs),
    ("fleet.cattle.io", Role::Installs),
    ("kubeadm.k8s.io", Role::ConfiguresKubelets),
    ("kubelet.config.k8s.io", Role::ConfiguresKubelets),
    ("kind.x-k8s.io", Role::ConfiguresKubelets),
    // Add-ons for the clusters that are defined are what they run.
    ("addons.cluster.x-k8s.io", Role::DescribesCluster),
    ("cluster.x-k8s.io", Role::ConfiguresKubelets),
    ("core.gardener.cloud", Role::DefinesNodes),
    ("eksctl.io", Role::DefinesNodes),
    ("k0sproject.io", Role::DefinesNodes),
    ("k3d.io", Role::DefinesNodes),
    ("kops", Role::DefinesNodes),
    ("kops.k8s.io", Role::DefinesNodes),
    ("kubeone.io", Role::DefinesNodes),
    ("kubeone.k8c.io", Role::DefinesNodes),
    ("config.openshift.io", Role::DefinesOwnNodes),
    ("machine.openshift.io", Role::DefinesOwnNodes),
    ("machineconfiguration.openshift.io", Role::DefinesOwnNodes),
    ("node.eks.aws", Role::DefinesNodes),
    ("provisioning.cattle.io", Role::DefinesNodes),
    ("karpenter.k8s.aws", Role::DescribesCluster),
    ("skaffold", Role::DescribesCluster),
    ("upgrade.cattle.io", Role::DescribesCluster),
    ("autoscaling", Role::Scales),
    ("autoscaling.k8s.io", Role::Scales),
    ("keda.sh", Role::Scales),
    ("eks.amazonaws.com", Role::TellsPlatform),
    ("networking.gke.io", Role::TellsPlatform),
];

/// What objects of `group` are to us; what stands before its name, such as a quote, does not count.
pub(crate) fn role(group: &str) -> Option<Role> {
    let ends = |suffix: &str| {
        let before = group.strip_suffix(suffix).map(|it| it.chars().next_back());
        before.is_some_and(|it| it.is_none_or(|it| !it.is_alphanumeric() && it != '-'))
    };
    GROUPS.iter().find(|(suffix, _)| ends(suffix)).map(|(_, role)| *role)
}

/// The ends of the names of the groups that have that role.
pub(crate) fn that(role: Role) -> impl Iterator<Item = &'static str> {
    GROUPS.iter().filter(move |(_, it)| *it == role).map(|(suffix, _)| *suffix)
}

#[cfg(test)]
mod tests {
    use super::{Role, role};

    #[test]
    fn the_end_of_a_name_at_its_dots() {
        assert_eq!(role("bootstrap.cluster.x-k8s.io"), Some(Role::ConfiguresKubelets));
        assert_eq!(role("addons.cluster.x-k8s.io"), Some(Role::DescribesCluster));
        assert_eq!(role(": \"kops.k8s.io"), Some(Role::DefinesNodes));
        assert_eq!(role("image.toolkit.fluxcd.io"), Some(Role::Installs));
        assert_eq!(role(": autoscaling"), Some(Role::Scales));
        assert_eq!(role("mykops"), None);
        assert_eq!(role("apps"), None);
    }
}
