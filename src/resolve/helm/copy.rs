//! Whether a copy of a chart still is one.

use indexmap::IndexSet;
use semver::Version;

use crate::{
    data::{
        charts::{self, KnownChart, ValueKey},
        version,
    },
    resolve::{context::Context, environment::Release, helm::local::in_chart},
    tree::Reason,
};

/// Flags that a template of the chart writes itself.
const FLAGS: &[&str] = &[
    "--authorization-always-allow-paths",
    "--cert-dir",
    "--config-dir",
    "--container",
    "--deployment",
    "--estimator",
    "--kubelet-preferred-address-types",
    "--kubelet-use-node-status-port",
    "--minClusterSize",
    "--poll-period",
    "--secure-port",
    "--threshold",
    "--tls-cert-file",
    "--tls-private-key-file",
    "--use-metrics",
];

/// Values that the templates read although the chart does not have them.
const READ: &[&str] = &[
    "addonResizer.nanny.storage",
    "additionalAnnotations",
    "tls.certManager.existingIssuer.group",
];

/// Values that the chart has although not all of its versions read them.
const NOT_READ: &[&str] = &["tls.certManager.annotations", "tls.certManager.labels"];

/// Why the templates of a vendored chart cannot be told to be those of its version, if so.
///
/// The files must be those of that version; they must read all values that it has and no others;
/// and they must pass no other flags. What somebody changes in a vendored chart is one of these:
/// a file more, a value that is fixed, a flag that is written in.
pub(super) fn modified(context: &Context<'_>, dir: &str, release: &Release) -> Option<Reason> {
    let version = release.version.as_ref()?.as_scalar()?;
    let why = || -> Reason {
        let chart = format!("{} {}", release.chart, version.text);
        format!(
            "the templates in `{dir}` are not those of the chart {chart}: what they make is unknown"
        )
        .into()
    };
    let Some(version) = version::lenient(&version.text) else { return Some(why()) };
    let Some(chart) = release.family.map(charts::chart) else { return Some(why()) };
    (!is_copy(context, dir, chart, &version)).then(why)
}

fn is_copy(context: &Context<'_>, dir: &str, chart: &KnownChart, version: &Version) -> bool {
    let Some(known) = chart.templates(version) else { return false };
    let folder = in_chart(dir, "templates");
    let mut count = 0;
    let mut read = IndexSet::new();
    for file in context.sources.below(&folder) {
        let path = context.sources[file].path.strip_prefix(&folder).unwrap_or_default();
        let name = path.trim_start_matches('/');
        if name == "NOTES.txt" || name.starts_with("tests/") {
            continue;
        }
        let template = context.sources.text(file);
        if !known.contains(&name) || flags(template).any(|flag| !FLAGS.contains(&flag)) {
            return false;
        }
        count += 1;
        read.extend(values(template));
    }
    let keys = chart.keys(version);
    let missing = |path: &str| {
        let whole = |above: &&str| path.strip_prefix(*above).is_some_and(|it| it.starts_with('.'));
        !NOT_READ.contains(&path) && !read.contains(path) && !read.iter().any(whole)
    };
    let strange = |path: &&str| !READ.contains(path) && !keys.has(path);
    count == known.len() && !read.iter().any(strange) && !leaves(&keys).iter().any(|it| missing(it))
}

/// The dotted paths after `.Values.` in a template.
fn values(template: &str) -> impl Iterator<Item = &str> {
    template.match_indices(".Values.").map(|(at, mark)| {
        let path = &template[at + mark.len()..];
        let end = path.find(|it: char| !it.is_ascii_alphanumeric() && it != '.' && it != '_');
        path[..end.unwrap_or(path.len())].trim_end_matches('.')
    })
}

/// The flags that a template writes, without their values.
fn flags(template: &str) -> impl Iterator<Item = &str> {
    template.match_indices("--").filter_map(|(at, _)| {
        let text = &template[at..];
        let end = text.find(|it: char| !it.is_ascii_alphanumeric() && it != '-');
        let flag = &text[..end.unwrap_or(text.len())];
        let starts = !template[..at].ends_with(|it: char| it.is_ascii_alphanumeric() || it == '-');
        (starts && !flag.trim_matches('-').is_empty()).then_some(flag)
    })
}

/// The dotted paths of what is not a mapping of the chart's own keys.
fn leaves(keys: &ValueKey) -> Vec<String> {
    let ValueKey::Map(children) = keys else { return vec![String::new()] };
    let children = children.iter().filter(|(name, _)| *name != "global");
    children
        .flat_map(|(name, key)| {
            leaves(key).into_iter().map(move |rest| match rest.as_str() {
                "" => name.clone(),
                rest => format!("{name}.{rest}"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_reads_and_passes() {
        let template = "
            {{- with .Values.image.tag }}
            - --secure-port={{ int .Values.port }}
            - --v=2
            ---
            a: {{ .Values.args }}-{{ .Values.a.b. }}
            {{/* a -- b */}}
        ";
        let read: Vec<_> = values(template).collect();
        assert_eq!(read, ["image.tag", "port", "args", "a.b"]);
        let passed: Vec<_> = flags(template).collect();
        assert_eq!(passed, ["--secure-port", "--v"]);
    }
}
