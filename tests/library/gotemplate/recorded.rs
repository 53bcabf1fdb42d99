//! What Helm 4.3.1 prints of small templates, recorded in `expressions.txt`: one a line, and behind
//! `=>` what it prints, as JSON, or `refused`. In a template `⏎` is a line break. `but` says why that
//! is something else here, which mostly means that it is not known.
//!
//! `HELM=/path/to/helm UPDATE=1 cargo test --lib recorded` asks Helm again.

use std::{fs, path::Path};

use super::{
    super::{nowhere, roots},
    NoHost, theirs,
};
use crate::{
    resolve::gotemplate::{GoError, GoMap, GoValue, MarkedText, TemplateSet},
    source::Sources,
};

/// A line of the record.
struct Expression<'a> {
    /// As it is written.
    template: &'a str,
    printed: Option<String>,
    but: Option<&'a str>,
}

impl<'a> Expression<'a> {
    /// Nothing for a comment.
    fn read(line: &'a str) -> Option<Self> {
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (template, rest) = line.rsplit_once(" => ").unwrap_or((line, ""));
        let (printed, but) = match rest.rsplit_once(" but ") {
            Some((printed, but)) => (printed, Some(but)),
            None => (rest, None),
        };
        Some(Self { template, printed: serde_json::from_str(printed).ok(), but })
    }

    fn written(&self) -> String {
        let printed = self.printed.as_ref();
        let printed = printed.map_or("refused".to_owned(), |it| serde_json::json!(it).to_string());
        let but = self.but.map(|it| format!(" but {it}")).unwrap_or_default();
        format!("{} => {printed}{but}", self.template)
    }
}

fn template(line: &str) -> String {
    line.replace('⏎', "\n")
}

fn ours(values: &GoValue, text: &str) -> Result<MarkedText, Box<GoError>> {
    let mut dot = GoMap::default();
    dot.set("Values", values.copied());
    let mut set = TemplateSet::default();
    set.add("t", MarkedText::value(text, &nowhere()))
        .map_err(|it| Box::new(GoError::new(&*it.message, &it.at)))?;
    set.execute("t", &GoValue::map(dot, &nowhere()), &NoHost)
}

#[test]
fn recorded_templates_print_what_helm_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library/gotemplate");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("it can be read");
    let (values, record) = (read("values.yaml"), read("expressions.txt"));
    let program = std::env::var_os("HELM").filter(|_| std::env::var_os("UPDATE").is_some());
    if let Some(program) = program {
        let lines = record.lines().filter_map(Expression::read);
        let templates: Vec<_> = lines.map(|it| template(it.template)).collect();
        let mut printed = theirs(program.as_ref(), &values, &templates).into_iter();
        let renew = |line| match Expression::read(line) {
            Some(it) => Expression { printed: printed.next().flatten(), ..it }.written() + "\n",
            None => format!("{line}\n"),
        };
        let renewed: String = record.lines().map(renew).collect();
        fs::write(folder.join("expressions.txt"), renewed).expect("it can be written");
        return;
    }
    let sources = Sources::in_memory([("values.yaml", values)]);
    let values = GoValue::of(&roots(&sources, "values.yaml")[0]);
    let mut wrong = Vec::new();
    for line in record.lines() {
        let Some(expected) = Expression::read(line) else { continue };
        let got = ours(&values, &template(expected.template));
        let same = match (&got, &expected.printed) {
            (Ok(text), Some(it)) => text.unknown_part().is_none() && text.as_str() == it,
            (Err(error), None) => !error.bound,
            _ => false,
        };
        if same == expected.but.is_some() {
            let got = got.map_or_else(
                |it| format!("refused: {}", it.message),
                |it| {
                    let why =
                        it.unknown_part().map(|it| format!(" unknown: {it}")).unwrap_or_default();
                    format!("{:?}{why}", it.as_str())
                },
            );
            wrong.push(format!("{line}\n    here: {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
