//! From objects to the model. Never fails: a wrong shape is a problem and an absent part.

use crate::{
    config::Config,
    model::{Cluster, Fact, Serving, ServingState},
    resolve::Environment,
};

/// The typed view of `environment`.
pub fn lower(environment: &Environment, config: &Config) -> Cluster {
    let _ = config;
    Cluster {
        environment: environment.name.clone(),
        local: None,
        nodes: Fact::Absent(None),
        pods_per_node: Fact::Absent(None),
        kubernetes: Fact::Absent(None),
        metrics_servers: Vec::new(),
        releases: Vec::new(),
        kubelets: Vec::new(),
        approvers: Vec::new(),
        api_services: Vec::new(),
        serving: Serving { state: ServingState::Unknown, evidence: Vec::new() },
        problems: environment.problems.clone(),
    }
}
