//! Paths of files, by their names alone: where they lead, and what is in such files.

use super::STDIN;

/// `relative` seen from the directory `dir`, without `.` and `..`; `None` when it leaves the root.
///
/// An absolute path has no meaning in a repository and is `None` too.
pub(crate) fn join(dir: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in dir.split('/').chain(relative.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What the paths of all that lies in `dir` begin with; `""` is the root.
pub(crate) fn inside(dir: &str) -> String {
    if dir.is_empty() { String::new() } else { format!("{dir}/") }
}

/// The directory that holds `path`; `""` is the root.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// Whether `path` is `outer`, or lies in that directory; `""` is the root.
pub(crate) fn is_within(path: &str, outer: &str) -> bool {
    let rest = path.strip_prefix(outer);
    outer.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What follows the last dot.
pub(crate) fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// What the names of templates end with after the name of what they make: those of Jinja, which
/// makejinja, Ansible and copier use, of Go and Helmfile, of Terraform, of ERB, and of several.
pub(crate) const SUFFIXES: [&str; 11] = [
    ".j2",
    ".jinja2",
    ".jinja",
    ".tmpl",
    ".gotmpl",
    ".tpl",
    ".tftpl",
    ".erb",
    ".template",
    ".mustache",
    ".envsubst",
];

/// Whether the file at `path` is written for readers.
pub(crate) fn is_prose(path: &str) -> bool {
    matches!(extension(path), "md" | "markdown" | "txt" | "rst" | "adoc")
}

/// Whether the file at `path` says what Git leaves out.
pub(crate) fn is_list_of_patterns(path: &str) -> bool {
    file_name(path) == ".gitignore" || is_within(path, ".git")
}

/// Whether a file of that name is YAML.
pub(crate) fn is_yaml(path: &str) -> bool {
    matches!(extension(path), "yaml" | "yml" | "json")
        || file_name(path) == "Kustomization"
        || path == STDIN
}

/// The path of what is made of the file at `path`: of `a.yaml.j2`, `a.yaml`.
pub(crate) fn rendered(path: &str) -> &str {
    template_of(path).map_or(path, |(made, _)| made)
}

/// What the file at `path` makes, if it is a template of YAML, and which of [`SUFFIXES`] says so.
pub(super) fn template_of(path: &str) -> Option<(&str, &'static str)> {
    let (made, suffix) = path.rsplit_once('.')?;
    let suffix = SUFFIXES.iter().find(|it| it[1..] == *suffix)?;
    is_yaml(made).then_some((made, *suffix))
}

/// The last component of `path`.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
