//! The tables of data that the program has are what people wrote as YAML. `UPDATE=1 cargo test` writes
//! them.

use std::{env, fs};

use serde_json::Value;

use crate::common::repository;

/// In `src/data`.
const TABLES: [&str; 4] = ["flags", "charts/bitnami", "charts/kubernetes-sigs", "charts/stable"];

#[test]
fn tables_are_what_people_wrote() {
    for table in TABLES {
        let file = repository().join("src/data").join(table);
        let written = fs::read_to_string(file.with_extension("yaml")).unwrap();
        let written: Value = serde_yaml::from_str(&written).unwrap();
        // Each part on its line, so that a change shows what changed.
        let parts = written.as_object().unwrap().iter();
        let parts = parts.map(|(key, part)| format!("{}:{part}", Value::from(key.as_str())));
        let text = format!("{{\n{}\n}}\n", parts.collect::<Vec<_>>().join(",\n"));
        let read = file.with_extension("json");
        if env::var_os("UPDATE").is_some() {
            fs::write(&read, &text).unwrap();
        }
        assert!(
            fs::read_to_string(&read).is_ok_and(|it| it == text),
            "src/data/{table}.yaml changed; `UPDATE=1 cargo test` writes what the program reads"
        );
    }
}
