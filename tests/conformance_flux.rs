//! Cases made with the real tools, read from the folder that `CONFORMANCE_DIR` names.
//!
//! Without that variable there is nothing to do: the cases are no part of this repository.

use std::{fs, path::PathBuf};

use indexmap::IndexMap;
use metrics_server_lint::resolve::flux::envsubst;
use serde_json::Value;

fn folder() -> Option<PathBuf> {
    std::env::var_os("CONFORMANCE_DIR").map(PathBuf::from)
}

fn lines(name: &str) -> Vec<Value> {
    let Some(folder) = folder() else { return Vec::new() };
    let text = fs::read_to_string(folder.join(name)).expect("the cases are readable");
    text.lines().map(|line| serde_json::from_str(line).expect("a case is JSON")).collect()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

fn variables(case: &Value) -> IndexMap<String, String> {
    let entries = case["vars"].as_object().expect("variables");
    let value = |it: &Value| it.as_str().expect("a variable is text").replace('\n', "");
    entries.iter().map(|(key, it)| (key.clone(), value(it))).collect()
}

/// Fails with every case that went wrong, not only the first.
fn all_pass(failures: &[String], of: usize) {
    assert!(of > 0 || folder().is_none(), "there are cases");
    assert!(failures.is_empty(), "{} of {of}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn substitution_of_text() {
    let cases = lines("envsubst.jsonl");
    let mut failures = Vec::new();
    for case in &cases {
        let result = envsubst::substitute(text(case, "template"), &variables(case));
        let strict = case["strict"] == true;
        let got = match &result {
            Err(error) => Err(error.message.to_owned()),
            Ok(output) => match output.filled.iter().flat_map(|it| &it.missing).next() {
                Some(name) if strict => Err(format!("variable not set (strict mode): {name:?}")),
                _ => Ok(output.text.as_str()),
            },
        };
        let expected = match case.get("error") {
            Some(error) => Err(error.as_str().expect("text").to_owned()),
            None => Ok(text(case, "output")),
        };
        if got != expected {
            failures.push(format!("{}: {got:?}, not {expected:?}", text(case, "template")));
        }
    }
    all_pass(&failures, cases.len());
}
