//! What a template says if every condition takes one of its sides.

use super::{Branch, Masked, is_named, marks};
use crate::{
    parse::{Documents, documents},
    scalar::Dialect,
    source::FileId,
};

/// Conditions with more sides are not told apart.
const MAX_SIDES: usize = 4;

/// The text of a template as each of the sides of its conditions makes it, the first sides of all of
/// them first; none where there is nothing instead of anything. What is there or not may be there in
/// each of them.
pub(in crate::parse) fn sides(
    path: &str,
    text: &str,
    file: FileId,
    dialect: Dialect,
) -> Vec<Documents> {
    let marks = marks(text, false, is_named(path));
    let Some(whole) = Masked::new(text, &marks) else { return Vec::new() };
    let why = format!("{path} is a template, which is not evaluated").into();
    let alternatives: Vec<&Branch> =
        whole.branches.iter().filter(|it| it.has_alternative()).collect();
    // What a loop makes is there any number of times.
    let are_conditions = alternatives.iter().all(|it| ["if", "unless"].contains(&it.opening.1));
    // Without an `else`, nothing is one side more.
    let nothing = |it: &Branch| usize::from(!it.turns && !it.otherwise);
    let count = alternatives.iter().map(|it| it.nth + 1 + nothing(it)).max().unwrap_or(0);
    if !are_conditions || count > MAX_SIDES {
        return Vec::new();
    }
    let read = |side: usize| {
        let mut masked = Masked::new(text, &marks)?;
        masked.take(side);
        let mut read = documents(&masked.text, file, dialect);
        if read.error().is_some() {
            return None;
        }
        for document in &mut read.list {
            masked.unmask(document, &why);
        }
        Some(read)
    };
    (0..count).map(read).collect::<Option<_>>().unwrap_or_default()
}

impl Masked<'_> {
    /// Leaves of every condition only the `side`, or the last one of fewer: what is in it is there.
    fn take(&mut self, side: usize) {
        let is_taken = |it: &Branch| it.nth == side || it.nth < side && it.otherwise;
        let alternatives = self.branches.iter().filter(|it| it.has_alternative());
        let left: Vec<_> =
            alternatives.filter(|it| !is_taken(it)).map(|it| it.range.clone()).collect();
        for range in left {
            self.put(range, "");
        }
        let outer = |branch: Option<usize>| {
            let mut outwards = self.outwards(branch);
            outwards.find(|it| self.branches.get(*it).is_some_and(|it| !it.has_alternative()))
        };
        let turns = self.turns.iter().map(|(start, branch)| (*start, outer(*branch))).collect();
        let outers: Vec<_> = self.branches.iter().map(|it| outer(it.outer)).collect();
        self.turns = turns;
        self.branches.iter_mut().zip(outers).for_each(|(it, outer)| it.outer = outer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn every_condition_takes_the_same_side() {
        let read = |text: &str| {
            let sources = Sources::in_memory([("a.yaml", text)]);
            let file = sources.find("a.yaml").expect("it is there");
            let sides = sides("a.yaml", text, file, Dialect::Sigs);
            let roots = sides.iter().flat_map(|it| it.roots().map(|it| it.to_json().to_string()));
            roots.collect::<Vec<_>>()
        };
        let jinja = "a: 0\n{% if x %}\nb: 1\n{% elif y %}\nb: 2\n{% else %}\nb: 3\n{% endif %}\n\
                     c:\n{% if z %}\n- d\n{% else %}\n- e\n{% endif %}\n";
        assert_eq!(
            read(jinja),
            [
                r#"{"a":0,"b":1,"c":["d"]}"#,
                r#"{"a":0,"b":2,"c":["e"]}"#,
                r#"{"a":0,"b":3,"c":["e"]}"#
            ]
        );
        let go = "a: 0\n{{ if .x }}\nb: 1\n{{ else if .y }}\nb: 2\n{{ end }}\n";
        assert_eq!(read(go), [r#"{"a":0,"b":1}"#, r#"{"a":0,"b":2}"#, r#"{"a":0}"#]);
        for none in ["a: 0\n{% if x %}\nb: 1\n{% endif %}\n", "a: {{ x }}\n", "a: 0\n"] {
            assert!(read(none).is_empty(), "{none}");
        }
        let text = "{% for x in y %}\na: 1\n{% else %}\na: 2\n{% endfor %}\n";
        assert!(read(text).is_empty(), "any number of times");
    }
}
