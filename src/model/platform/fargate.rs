//! Which pods EKS runs on Fargate: the profiles of an eksctl `ClusterConfig`.

use crate::model::{
    fargate::FargateProfile,
    platform::{Input, Platform},
};

pub(super) fn carrier(input: &Input<'_>, platform: &mut Platform) {
    for document in input.kind("eksctl.io", "ClusterConfig") {
        for profile in document.node.items_at("fargateProfiles") {
            let name = profile.str_at("name").unwrap_or_default();
            let selectors = profile.items_at("selectors").iter();
            platform.fargate.extend(
                selectors.map(|it| FargateProfile { name: name.to_owned(), selector: it.clone() }),
            );
        }
    }
}
