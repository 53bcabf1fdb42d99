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

/// What tells an environment from the others that start there: `prod` of `Makefile (prod)`.
pub(crate) fn in_brackets(name: &str) -> Option<&str> {
    Some(name.strip_suffix(')')?.rsplit_once(" (")?.1)
}

/// What the configuration says of the environment `name` that starts at `path`.
pub(super) fn settings_for<'a>(
    config: &'a Config,
    name: &str,
    path: &str,
) -> Option<&'a EnvironmentConfig> {
    settings_for_any(config, name, [path])
}

/// The same of one that starts at several paths: what comes first in the configuration.
pub(super) fn settings_for_any<'a, 'p>(
    config: &'a Config,
    name: &str,
    paths: impl IntoIterator<Item = &'p str>,
) -> Option<&'a EnvironmentConfig> {
    let first = paths.into_iter().filter_map(|path| settings_index(config, name, path)).min();
    config.environments.get(first?)
}

fn settings_index(config: &Config, name: &str, path: &str) -> Option<usize> {
    let matched = [name, path].iter().filter_map(|it| config.first_matching(it)).min();
    let named = config.environments.iter().position(|settings| {
        if settings.entry.is_some() || !settings.globs.is_empty() {
            return false;
        }
        let last = |path: &str| source::file_name(path) == settings.name;
        let is_one = in_brackets(name) == Some(&settings.name);
        name == settings.name || is_one || last(name) || last(path)
    });
    matched.into_iter().chain(named).min()
}
