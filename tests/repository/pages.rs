//! What some pages of the documents show is what the program prints.
//!
//! Such a page is one repository that grows: a paragraph that is a path in backticks and a colon names the
//! file that the block below it holds, also anew. A `console` block that starts with
//! `$ metrics-server-lint` shows what is printed with the files so far. `UPDATE=1 cargo test` writes it.

use std::{env, fs, path::Path, process::Command};

use crate::{
    common::{files, repository},
    tidy::{generated, rule_pages},
};

/// What the program prints in `dir`, with nothing of the surroundings that could change it.
fn printed(dir: &Path, arguments: &str, page: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metrics-server-lint"));
    command.current_dir(dir).args(arguments.split_whitespace()).env_clear();
    let output = command.output().expect("the program runs");
    assert_ne!(output.status.code(), Some(2), "{page}: {arguments}");
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).concat();
    said.trim_end().to_owned() + "\n"
}

/// The page with what is printed now, and how many times something is.
fn renewed(page: &str, text: &str) -> (String, usize) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".git")).unwrap();
    let (mut out, mut shown, mut named) = (String::new(), 0, None);
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        out += line;
        let words = line.trim_end();
        if !words.starts_with("```") {
            let path = words.strip_prefix('`').and_then(|it| it.strip_suffix("`:"));
            let path = path.filter(|it| !it.contains('`'));
            named = path.map(str::to_owned).or(named.filter(|_| words.is_empty()));
            continue;
        }
        let block: String = lines.by_ref().take_while(|it| it.trim_end() != "```").collect();
        let command = block.lines().next().and_then(|it| it.strip_prefix("$ metrics-server-lint "));
        if let Some(path) = named.take() {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &block).unwrap();
            out += &block;
        } else if let Some(command) = command.filter(|_| words == "```console") {
            let said = printed(dir.path(), command, page);
            out += &format!("$ metrics-server-lint {command}\n{said}");
            shown += 1;
        } else {
            out += &block;
        }
        out += "```\n";
    }
    (out, shown)
}

#[test]
fn the_pages_show_what_is_printed() {
    let in_folder = files(&repository().join("docs/start"), |path| path.ends_with(".md"));
    assert!(!in_folder.is_empty());
    let pages = in_folder.into_iter().map(|it| format!("start/{it}"));
    for page in pages.chain(["fixes.md", "how-it-decides.md"].map(str::to_owned)) {
        let path = repository().join("docs").join(&page);
        let text = fs::read_to_string(&path).unwrap();
        let (renewed, shown) = renewed(&page, &text);
        assert!(shown > 0, "docs/{page} shows nothing");
        if renewed == text {
            continue;
        }
        assert!(
            env::var_os("UPDATE").is_some(),
            "docs/{page} is not true any more; `UPDATE=1 cargo test pages` writes\n{renewed}"
        );
        fs::write(path, renewed).unwrap();
    }
}

#[test]
fn the_page_about_fixes_names_the_rules_that_have_one() {
    let mut table = String::from("| rule | edit | what is wrong |\n|---|---|---|\n");
    for (id, [.., title]) in rule_pages() {
        let path = format!("rules/{id}.md");
        let page = fs::read_to_string(repository().join(&path)).unwrap();
        let kinds = [("safe", "\nAfter `check --fix`:\n"), ("unsafe", "--unsafe-fixes`:\n")];
        let kinds = kinds.iter().filter(|(_, line)| page.contains(line)).map(|(kind, _)| *kind);
        let kinds: Vec<&str> = kinds.collect();
        if !kinds.is_empty() {
            table += &format!("| [`{id}`](../{path}) | {} | {title} |\n", kinds.join(", "));
        }
    }
    generated("docs/fixes.md", "fixes", &table);
}
