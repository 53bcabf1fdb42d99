//! What environments are called, and what the configuration says of the ones of a name.

use crate::{
    config::{Config, EnvironmentConfig},
    resolve::environment::UNNAMED,
    source,
};

/// Whether a directory of that name holds one directory an environment, as repositories commonly
/// have it.
fn is_marker(segment: &str) -> bool {
    matches!(
        segment,
        "cluster"
            | "clusters"
            | "stage"
            | "stages"
            | "environment"
            | "environments"
            | "env"
            | "envs"
            | "overlay"
            | "overlays"
    )
}

/// Whether a directory's name says what is in an environment, not which one it is.
fn is_technical(segment: &str) -> bool {
    matches!(
        segment,
        "flux-system" | "services" | "base" | "apps" | "flux" | "kubernetes" | "bootstrap"
    )
}

/// The directory that stands for the environment of `dir`: without the technical directories at
/// its end.
pub(super) fn environment_dir(dir: &str) -> String {
    let mut dir = dir;
    while let Some((rest, last)) = dir.rsplit_once('/') {
        if !is_technical(last) {
            break;
        }
        dir = rest;
    }
    if dir.is_empty() { UNNAMED } else { dir }.to_owned()
}

/// The environment that a path lies in by its directories: `clusters/prod`, `envs/dev`.
pub(super) fn environment_of(path: &str) -> Option<&str> {
    environment_of_dir(source::parent(path))
}

/// The same for a directory.
pub(super) fn environment_of_dir(dir: &str) -> Option<&str> {
    let mut after_marker = false;
    let mut end = 0;
    for segment in dir.split('/') {
        end += segment.len();
        if is_marker(segment) {
            after_marker = true;
        } else if after_marker {
            return Some(&dir[..end]);
        }
        end += 1;
    }
    None
}

/// [`environment_of`] `path`, or the one of all that lies in none.
pub(super) fn environment_or_unnamed(path: &str) -> &str {
    environment_of(path).unwrap_or(UNNAMED)
}

/// What the configuration says of the environment `name` that starts at `path`.
pub(super) fn settings_for<'a>(
    config: &'a Config,
    name: &str,
    path: &str,
) -> Option<&'a EnvironmentConfig> {
    let matched = [name, path].iter().filter_map(|it| config.first_matching(it)).min();
    let named = config.environments.iter().position(|settings| {
        if settings.entry.is_some() || !settings.globs.is_empty() {
            return false;
        }
        let last = |path: &str| source::file_name(path) == settings.name;
        // `Makefile (prod)` is one of the environments of a Makefile.
        let one_of = name.strip_suffix(')').and_then(|it| it.rsplit_once(" ("));
        let is_one = one_of.is_some_and(|(_, it)| it == settings.name);
        name == settings.name || is_one || last(name) || last(path)
    });
    config.environments.get(matched.into_iter().chain(named).min()?)
}
