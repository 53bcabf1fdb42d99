//! Whether anything uses the variables that are meant for metrics-server.
//!
//! Flux' expressions are only one way: scripts, `replacements` of kustomize and other environments may
//! use them too. So one is unused only if no file says its name but to define it.

use std::collections::BTreeSet;

use crate::{
    ascii,
    data::subject::is_named_in,
    resolve::{
        context::Context,
        environment::{DefinedVariable, Environment},
    },
    source::{self, Sources},
};

/// Sets [`DefinedVariable::used`] of the variables that are about metrics-server by their name, or by that of
/// what defines them.
pub(super) fn look_for_uses(context: &Context<'_>, environments: &mut [Environment]) {
    let sources = context.sources;
    let mut wanted: Vec<&mut DefinedVariable> = environments
        .iter_mut()
        .flat_map(|it| &mut it.variables)
        .filter(|it| is_about_us(sources, it))
        .collect();
    let names: BTreeSet<&str> = wanted.iter().map(|it| &*it.name).collect();
    let used = used(sources, &names);
    for variable in &mut wanted {
        variable.used = Some(used.contains(&variable.name));
    }
}

fn is_about_us(sources: &Sources, variable: &DefinedVariable) -> bool {
    let file =
        variable.value.origin.written_at().map(|it| source::file_name(&sources[it.file].path));
    [Some(&*variable.name), Some(&*variable.source), file].into_iter().flatten().any(is_named_in)
}

/// Those of `names` that a file says where it does not define them.
fn used(sources: &Sources, names: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let any: Vec<String> = names.iter().map(|it| regex::escape(it)).collect();
    let word = ascii::pattern(&format!(r"\b(?:{})\b", any.join("|")));
    let (false, Some(word)) = (names.is_empty(), word) else { return used };
    for (file, it) in sources.iter() {
        if source::is_prose(&it.path) {
            continue;
        }
        let text = sources.text(file);
        // Most files say none of them.
        if !word.is_match(text) {
            continue;
        }
        for line in text.lines() {
            let line = without_comment(line);
            let found = word.find_iter(line);
            let found = found.filter(|it| !is_definition(&line[..it.start()], &line[it.end()..]));
            used.extend(found.map(|it| it.as_str().to_owned()));
        }
    }
    used
}

/// Whether a name between `before` and `after` is one that gets a value there: `NAME=1`, `NAME: 1`.
fn is_definition(before: &str, after: &str) -> bool {
    let after = after.trim_start_matches(['"', '\'']).trim_start();
    let is_expression = before.trim_end_matches(['{', '(']).ends_with('$');
    !is_expression && after.starts_with(['=', ':'])
}

fn without_comment(line: &str) -> &str {
    let line = line.find(" #").map_or(line, |at| &line[..at]);
    let is_comment = ["#", "//"].iter().any(|it| line.trim_start().starts_with(it));
    if is_comment { "" } else { line }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::source::Sources;

    #[test]
    fn a_use_is_more_than_a_definition() {
        let used = |path: &str, text: &str| {
            let sources = Sources::in_memory([(path, text)]);
            !super::used(&sources, &BTreeSet::from(["A_B", "A_B_C"])).is_empty()
        };
        for (path, text) in [
            ("x.yaml", "memory: ${A_B}"),
            ("x.yaml", "memory: ${A_B:=64Mi}"),
            ("x.yaml", "fieldPath: data.A_B"),
            ("x.sh", "echo $A_B"),
            ("x.py", "os.environ['A_B']"),
            ("x.yaml", "x: 1\n  - A_B"),
        ] {
            assert!(used(path, text), "{text}");
        }
        for (path, text) in [
            ("x.env", "A_B=1\nexport A_B_C=2"),
            ("x.yaml", "data:\n  A_B: 64Mi\n  \"A_B_C\": x"),
            ("x.yaml", "literals: [A_B=1]"),
            ("x.yaml", "memory: 64Mi # ${A_B}\n# ${A_B}"),
            ("x.yaml", "memory: ${A_BB}"),
            ("x.md", "set ${A_B}"),
        ] {
            assert!(!used(path, text), "{text}");
        }
    }
}
