use crate::{
    finding::{Findings, Severity},
    model::{Cluster, Weakness},
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for approver in &cluster.approvers {
        for (weakness, at) in &approver.weaknesses {
            let finding = findings
                .at(
                    &at.or(&approver.origin),
                    &format!("approver {}", approver.name),
                    format!("{}: {weakness}", approver.name),
                )
                .variant(weakness.id())
                .help(help(weakness));
            // Talos' own guide has people name this branch.
            if *weakness == Weakness::Branch && approver.name == "kubelet-serving-cert-approver" {
                finding.at_most(Severity::Note);
            }
        }
    }
}

/// What to do about one weakness.
fn help(weakness: &Weakness) -> String {
    match weakness {
        Weakness::NoTag(_) | Weakness::MovingTag(_) => {
            "pin the image to a release or digest".into()
        }
        Weakness::Branch => "pin the URL to a release tag".into(),
        Weakness::Unmaintained => "use one that is maintained, such as kubelet-csr-approver".into(),
        Weakness::Blind => {
            "approve with a program that checks names and addresses, such as kubelet-csr-approver"
                .into()
        }
        Weakness::NoPattern(name) | Weakness::AnyName(name) => {
            format!("set {name} to a pattern that the names of your nodes match, and no others")
        }
        Weakness::PartOfName(name) => format!("write {name} as ^…$"),
        Weakness::AnyAddress => {
            "set providerIpPrefixes (PROVIDER_IP_PREFIXES) to the nodes' network".into()
        }
        Weakness::OtherNode => "remove bypassHostnameCheck (BYPASS_HOSTNAME_CHECK)".into(),
    }
}
