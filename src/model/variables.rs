//! The variables of Flux that are meant for metrics-server.

use crate::{
    model::{Fact, VariableUse},
    resolve::environment::{self, Environment},
    tree::Node,
};

/// Those of `environment` that are about what we judge.
pub(super) fn of(environment: &Environment) -> Vec<VariableUse> {
    // What is built from outside the repository may use any of them.
    let is_all = !environment.problems.iter().any(|it| it.unseen.objects);
    let about = environment.variables.iter().filter_map(|it| Some((it, it.used?)));
    about.map(|(it, used)| variable(it, (used || is_all).then_some(used))).collect()
}

fn variable(it: &environment::DefinedVariable, is_used: Option<bool>) -> VariableUse {
    VariableUse {
        name: it.name.clone(),
        value: text(&it.value),
        source: it.source.clone(),
        is_used,
        overridden: it.overridden.as_ref().map(text),
        origin: it.value.origin.clone(),
    }
}

fn text(node: &Node) -> Fact<String> {
    match (node.as_str(), node.unknown()) {
        (Some(text), _) => Fact::Known(text.to_owned(), node.origin.clone()),
        (None, Some(why)) => Fact::Unknown(why.clone(), Some(node.origin.clone())),
        (None, None) => Fact::Absent(Some(node.origin.clone())),
    }
}
