//! What differs between two trees, for programs: see `docs/json.md`.

use serde_json::{Value as Json, json};

use super::Compared;
use crate::{
    compare::{Comparison, EnvironmentChange, NameChange, SettingChange, SubjectChange, TreeSide},
    report::{
        json::{finding_json, object, place_json, pretty},
        show::{datum_json, fact_json},
    },
};

/// What differs, as JSON.
pub(crate) fn diff_json(compared: &Compared<'_>) -> String {
    let Comparison { environments, names, subjects, settings, appear, disappear, others, files } =
        &compared.comparison;
    let appear: Vec<Json> = appear.iter().map(|it| finding_json(compared.head, it)).collect();
    let disappear: Vec<Json> = disappear.iter().map(|it| finding_json(compared.base, it)).collect();
    pretty(&json!({
        "version": 1,
        "environments": environments,
        "environment_changes": names.iter().map(environment_json).collect::<Json>(),
        "subject_changes": subjects.iter().map(|it| subject_json(compared, it)).collect::<Json>(),
        "setting_changes": settings.iter().map(|it| setting_json(compared, it)).collect::<Json>(),
        "summary": {
            "settings": settings.len(),
            "appear": appear.len(),
            "disappear": disappear.len(),
            "other_objects": others,
            "files": files,
        },
        "findings": { "appear": appear, "disappear": disappear },
    }))
}

fn environment_json(it: &EnvironmentChange) -> Json {
    let (change, was) = match &it.change {
        NameChange::Appears => ("appears", None),
        NameChange::Disappears => ("disappears", None),
        NameChange::WasCalled(was) | NameChange::ProbablyWas(was) => ("renamed", Some(was)),
    };
    object([json!({ "name": it.name, "change": change, "was": was, "holds": it.holds })])
}

fn subject_json(compared: &Compared<'_>, it: &SubjectChange) -> Json {
    let change = if it.side == TreeSide::Head { "appears" } else { "disappears" };
    object([
        json!({
            "change": change,
            "kind": it.kind.words(),
            "name": it.name,
            "environments": it.environments,
        }),
        place_json(compared.of(it.side), it.at),
    ])
}

fn setting_json(compared: &Compared<'_>, it: &SettingChange) -> Json {
    let cause = it.cause.map(|(side, at)| {
        let tree = if side == TreeSide::Head { "head" } else { "base" };
        object([json!({ "tree": tree }), place_json(compared.of(side), Some(at))])
    });
    json!({
        "environments": it.environments,
        "kind": it.kind.words(),
        "subject": it.subject,
        "setting": it.name,
        "old": fact_json(compared.base, &it.old.map(datum_json)),
        "new": fact_json(compared.head, &it.new.map(datum_json)),
        "cause": cause,
        "follows": it.follows,
    })
}
