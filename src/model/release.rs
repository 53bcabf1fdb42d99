//! How long what installs a chart waits for it.

use super::{
    Duration, Fact,
    workload::{boolean, fact, text},
};
use crate::{
    resolve::environment::{Environment, Release, Unit},
    tree::{Origin, Via},
};

/// How long Flux waits until what `release` installs is ready; absent where nothing waits.
///
/// As `api/v2/helmrelease_types.go` of `fluxcd/helm-controller` has it: an action's own timeout, else
/// that of the release, else 5 minutes; `disableWait` is each action's own.
pub(super) fn timeout(environment: &Environment, release: &Release) -> Fact<Duration> {
    let unit = release.unit.and_then(|it| environment.units.get(it.index()));
    let mut objects = environment.objects.iter().filter(|it| it.kind() == "HelmRelease");
    let Some(object) =
        objects.find(|it| unit.is_some_and(|unit| Unit::of_object(&it.node).id == unit.id))
    else {
        return Fact::Absent(None);
    };
    let duration = |path: &str| {
        fact(&object.node, path, |it| {
            let text = text(it)?;
            Duration::parse(&text).ok_or_else(|| format!("`{text}` is no duration"))
        })
    };
    let default = Duration::parse("5m").unwrap_or_else(|| Duration::seconds(300));
    let built_in = Origin::at(Via::PlatformDefault, None);
    for action in ["install", "upgrade"] {
        match fact(&object.node, &format!("spec.{action}.disableWait"), boolean) {
            Fact::Known(true, _) => continue,
            Fact::Unknown(why, at) => return Fact::Unknown(why, at),
            _ => {}
        }
        return match duration(&format!("spec.{action}.timeout")) {
            Fact::Absent(_) => duration("spec.timeout").or_default(default, built_in),
            own => own,
        };
    }
    Fact::Absent(None)
}
