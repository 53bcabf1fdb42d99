//! Pods of EKS that run on Fargate, where each is its own node, with a kubelet beside it.

use super::{lower::namespace_of, selector::has_all, workload::pod_labels};
use crate::{
    resolve::environment::Object,
    tree::{Node, Origin},
};

/// A selector of a Fargate profile.
#[derive(Debug, Clone)]
pub(crate) struct FargateProfile {
    /// The profile's name.
    pub name: String,
    /// `namespace`, and `labels`, if any.
    pub selector: Node,
}

/// What says that the pods of `object` run on Fargate: a profile that takes them, or they say so.
pub(super) fn evidence(object: &Object, profiles: &[FargateProfile]) -> Option<(String, Origin)> {
    let labels = pod_labels(&object.node);
    let own = labels.as_ref().and_then(|it| it.get("eks.amazonaws.com/fargate-profile"));
    if let Some(own) = own {
        return Some(("this label has them run on Fargate".to_owned(), own.origin.clone()));
    }
    let takes = |it: &&FargateProfile| {
        let namespace = it.selector.str_at("namespace");
        let fits = match it.selector.look("labels") {
            Ok(Some(wanted)) => has_all(wanted, labels.as_ref()).ok(),
            Ok(None) => Some(true),
            Err(_) => None,
        };
        namespace == Some(namespace_of(object)) && fits == Some(true)
    };
    let profile = profiles.iter().find(takes)?;
    let at = profile.selector.get("namespace").unwrap_or(&profile.selector).origin.clone();
    Some((format!("the Fargate profile {} takes these pods", profile.name), at))
}
