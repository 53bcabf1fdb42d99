//! The house rules that a machine can check. Each test names the rule it keeps.
//!
//! Parts of the README are generated, and renewed together with the marks in the rules' pages: see
//! CONTRIBUTING.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
    sync::LazyLock,
};

use regex::Regex;

use crate::common::{files, program, repository};

/// Longer modules become folders. What a module's own tests take does not count.
const LONGEST_MODULE: usize = 650;

/// The files that a person wrote: neither built nor recorded.
pub(crate) fn written() -> Vec<(String, String)> {
    let skipped = [
        "target/",
        ".git/",
        "testdata/",
        "tests/schema/target/",
        "fuzz/target/",
        "editors/vscode/node_modules/",
        "editors/vscode/out/",
    ];
    let kinds = ["rs", "md", "toml", "yml", "yaml", "py", "ts", "sh"];
    files(repository(), |path| {
        let kind = path.rsplit('.').next().unwrap_or_default();
        let others = ["justfile", "editors/vscode/package.json"];
        let scripts = [".ci/", "packaging/", "action/"].iter().any(|it| path.starts_with(it));
        let known = kinds.contains(&kind) || others.contains(&path) || scripts;
        known && !skipped.iter().any(|it| path.starts_with(it))
    })
    .into_iter()
    .map(|path| {
        let text = fs::read_to_string(repository().join(&path)).unwrap();
        (path, text)
    })
    .collect()
}

fn sources() -> Vec<(String, String)> {
    written().into_iter().filter(|(path, _)| path.starts_with("src/")).collect()
}

/// The modules without their tests.
fn product() -> Vec<(String, String)> {
    let before_tests = |text: String| {
        let product = text.split("\n#[cfg(test)]\n").next().unwrap_or_default();
        product.to_owned()
    };
    sources().into_iter().map(|(path, text)| (path, before_tests(text))).collect()
}

/// Every line that `pattern` matches, as `path:line: text`.
fn matches(files: &[(String, String)], pattern: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    files
        .iter()
        .flat_map(|(path, text)| text.lines().zip(1..).map(move |(line, at)| (path, line, at)))
        .filter(|(_, line, _)| pattern.is_match(line))
        .map(|(path, line, at)| format!("{path}:{at}: {}", line.trim()))
        .collect()
}

#[track_caller]
fn nothing(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn nothing_is_left_to_do_or_to_debug() {
    let found = matches(&sources(), r"\b(todo|unimplemented|dbg)!|\b(XXX|FIXME)\b");
    nothing(&found, "finish it or leave it out");
}

#[test]
fn product_code_does_not_panic_on_purpose() {
    let found = matches(&product(), r"\.unwrap\(\)|\.expect\(|\bpanic!|\bunreachable!|\bunsafe \{");
    nothing(&found, "broken input is data, not a panic");
}

#[test]
fn exceptions_are_expected_and_say_why() {
    let rust: Vec<_> = written().into_iter().filter(|(path, _)| path.ends_with(".rs")).collect();
    nothing(&matches(&rust, r"#!?\[allow\("), "an `expect` tells when it is not needed any more");
    let bare = Regex::new(r"#!?\[expect\([^\]]*\)\]").unwrap();
    let mut found = Vec::new();
    for (path, text) in &rust {
        let without = bare.find_iter(text).filter(|it| !it.as_str().contains("reason"));
        found.extend(without.map(|it| format!("{path}: {}", it.as_str())));
    }
    nothing(&found, "an exception says why");
}

/// The modules of the library, from the highest floor to the lowest: imports lead down them.
const FLOORS: &[&[&str]] = &[
    &["internals"],
    &["run"],
    &["lsp"],
    &["report"],
    &["fix"],
    &["compare"],
    &["pipeline"],
    &["cli"],
    &["settle"],
    &["suppress", "selection", "baseline"],
    &["rules"],
    &["sizing", "settings"],
    &["model"],
    &["resolve"],
    &["discover"],
    &["relevance"],
    &["config"],
    &["edit"],
    &["emit"],
    &["data"],
    &["finding", "problem"],
    &["parse"],
    &["tree"],
    &["source"],
    &["scalar"],
    &["ascii", "literals", "nearest", "placeholder"],
];

/// The modules of `src/resolve/`. Those of one floor know nothing of each other.
const RESOLVE_FLOORS: &[&[&str]] = &[
    &["environments"],
    &["installers"],
    &[
        "argocd",
        "cluster_resource_set",
        "fleet",
        "flux",
        "helm_chart",
        "helm_chart_proxy",
        "helmfile",
        "terraform",
        "values_file",
        "script",
        "scripts",
    ],
    &["kustomize"],
    &["install"],
    &["helm"],
    &["prepared"],
    &["template", "ytt", "command", "shell", "gotemplate"],
    &["config_data"],
    &["layout"],
    &["bounds", "names"],
    &["environment"],
    &["context"],
];

/// What looks up all the same, and why it may.
const UPWARDS: &[(&str, &str, &str)] = &[
    ("source", "parse", "a file keeps what it was parsed into, for whoever asks next"),
    (
        "context",
        "kustomize",
        "it keeps the layers that were built, for whichever overlay comes next",
    ),
];

#[test]
fn imports_lead_down() {
    let modules = product();
    let mut needed = BTreeSet::new();
    let mut found = floors(&modules, "src/", "crate::", FLOORS, &mut needed);
    found.extend(floors(&modules, "src/resolve/", "crate::resolve::", RESOLVE_FLOORS, &mut needed));
    nothing(&found, "a module knows only of those on lower floors");
    for (from, to, _) in UPWARDS {
        assert!(needed.contains(&(*from, *to)), "{from} looks up to {to} no more: take it out");
    }
}

/// The documents show the floors as they are.
#[test]
fn the_floors_are_documented() {
    let text = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## Floors\n").nth(1).expect("a section");
    let block = section.split("```").nth(1).expect("a block").trim_start_matches("text");
    let (all, of_resolve) = block.split_once("resolve/:").expect("two orders");
    for (written, floors) in [(all, FLOORS), (of_resolve, RESOLVE_FLOORS)] {
        let written = written.split('│').map(|floor| {
            let modules: BTreeSet<&str> = floor.split(',').map(str::trim).collect();
            modules
        });
        let floors = floors.iter().map(|floor| floor.iter().copied().collect::<BTreeSet<_>>());
        assert_eq!(written.collect::<Vec<_>>(), floors.collect::<Vec<_>>());
    }
}

/// Every path below `root` in a module of `folder` that leads to the same floor or a higher one.
fn floors(
    modules: &[(String, String)],
    folder: &str,
    root: &str,
    floors: &[&'static [&'static str]],
    needed: &mut BTreeSet<(&'static str, &'static str)>,
) -> Vec<String> {
    let floor = |module: &str| {
        let at = floors.iter().position(|it| it.contains(&module))?;
        Some((at, *floors[at].iter().find(|it| **it == module)?))
    };
    let mut found = Vec::new();
    for (path, text) in modules {
        let Some(rest) = path.strip_prefix(folder) else { continue };
        let module = rest.split(['/', '.']).next().unwrap();
        let Some((own, module)) = floor(module) else {
            // The roots declare the modules; every other one has its floor.
            if !["main", "lib", "resolve"].contains(&module) {
                found.push(format!("{path}: `{module}` is on no floor"));
            }
            continue;
        };
        for used in paths_below(text, root) {
            let Some((theirs, used)) = floor(&used) else {
                found.push(format!("{path}: `{root}{used}` is on no floor"));
                continue;
            };
            if module == used || own < theirs {
                continue;
            }
            match UPWARDS.iter().find(|(from, to, _)| (*from, *to) == (module, used)) {
                Some((from, to, _)) => {
                    needed.insert((*from, *to));
                }
                None => found.push(format!("{path}: {module} uses {used}")),
            }
        }
    }
    found
}

/// All that a rule may name: the model, what it computes with, and what a finding is made of.
const OF_RULES: &[&str] = &["data", "finding", "model", "nearest", "sizing", "tree"];

#[test]
fn a_rule_sees_the_model_only() {
    let mut found = Vec::new();
    for (path, text) in product() {
        if !path.starts_with("src/rules/") || path == "src/rules/page.rs" {
            continue;
        }
        let modules = paths_below(&text, "crate::").into_iter();
        found.extend(modules.filter(|it| !OF_RULES.contains(&&**it)).map(|it| (path.clone(), it)));
        let types = paths_below(&text, "crate::tree::").into_iter();
        found.extend(types.filter(|it| it != "Origin" && it != "Via").map(|it| (path.clone(), it)));
    }
    let found: Vec<String> = found.iter().map(|(path, name)| format!("{path}: {name}")).collect();
    nothing(&found, "a rule sees the model, never YAML, files or spans");
}

/// What follows `root` in the paths that `text` names, by `use` or in place.
fn paths_below(text: &str, root: &str) -> BTreeSet<String> {
    static USE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^\s*(?:pub(?:\(\w+\))? )?use ([^;]+);").unwrap());
    static IN_PLACE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bcrate(::\w+)+").unwrap());
    let code: Vec<&str> = text.lines().filter(|it| !it.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut paths: Vec<String> =
        IN_PLACE.find_iter(&code).map(|it| it.as_str().to_owned()).collect();
    for tree in USE.captures_iter(&code) {
        flatten("", &tree[1], &mut paths);
    }
    let below = paths.iter().filter_map(|it| it.strip_prefix(root));
    below.map(|it| it.split("::").next().unwrap_or_default().to_owned()).collect()
}

/// The paths of a `use` tree after `prefix`.
fn flatten(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let (mut depth, mut start) = (0_usize, 0);
    let end = [(tree.len(), ',')];
    for (at, it) in tree.char_indices().chain(end) {
        match it {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = tree[start..at].trim();
                start = at + 1;
                match branch.split_once('{') {
                    Some((path, inner)) => {
                        flatten(
                            &format!("{prefix}{path}"),
                            inner.strip_suffix('}').unwrap_or(inner),
                            paths,
                        );
                    }
                    None if branch.is_empty() => {}
                    None => paths.push(format!("{prefix}{branch}")),
                }
            }
            _ => {}
        }
    }
}

/// A type that other modules see has a name of its own; helpers that none sees may have short ones.
#[test]
fn a_type_name_means_one_thing() {
    let declared =
        Regex::new(r"(?m)^(pub(?:\([a-z]+\))? )?(?:struct|enum|type|trait) (\w+)").unwrap();
    let mut types: BTreeMap<String, Vec<(bool, String)>> = BTreeMap::new();
    for (path, text) in product() {
        for found in declared.captures_iter(&text) {
            let place = (found.get(1).is_some(), path.clone());
            types.entry(found[2].to_owned()).or_default().push(place);
        }
    }
    let shared = types
        .into_iter()
        .filter(|(_, places)| places.len() > 1 && places.iter().any(|(is_visible, _)| *is_visible));
    let shared: Vec<_> = shared.map(|(name, places)| format!("{name}: {places:?}")).collect();
    nothing(&shared, "a type that other modules see has a name of its own");
}

#[test]
fn modules_are_short() {
    let mut found = Vec::new();
    for (path, text) in product() {
        let lines = text.lines().count();
        if lines > LONGEST_MODULE {
            found.push(format!("{path}: {lines} lines"));
        }
    }
    nothing(&found, &format!("a module over {LONGEST_MODULE} lines becomes a folder"));
}

#[test]
fn nothing_speaks_of_one_machine() {
    // Put together, so that this file does not speak of them either.
    let places =
        [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["arti", "factory"]].map(|it| it.concat());
    let mut all = written();
    for path in files(&repository().join("testdata"), |_| true) {
        if let Ok(text) = fs::read_to_string(repository().join("testdata").join(&path)) {
            all.push((format!("testdata/{path}"), text));
        }
    }
    nothing(&matches(&all, &places.join("|")), "what is in the repository holds on every machine");
}

#[test]
fn text_is_plain() {
    let found: Vec<String> = written()
        .iter()
        .filter(|(_, text)| !text.ends_with('\n') || text.ends_with("\n\n") || text.contains('\r'))
        .map(|(path, _)| path.clone())
        .collect();
    nothing(&found, "a file ends with one line break, and has no carriage return");
    let code: Vec<_> = written().into_iter().filter(|(path, _)| !path.ends_with(".snap")).collect();
    nothing(&matches(&code, r"[ \t]+$|^\t"), "no blanks at the end of a line, no tabs");
}

#[test]
fn only_some_files_touch_the_world() {
    let found: Vec<String> = matches(&sources(), "disallowed_methods")
        .into_iter()
        .filter(|line| {
            ![
                "src/main.rs",
                "src/run.rs",
                "src/discover.rs",
                "src/report/terminal.rs",
                "src/report/workflow.rs",
            ]
            .iter()
            .any(|place| line.starts_with(place))
        })
        .collect();
    nothing(&found, "only main, run, discover, report/terminal and report/workflow do I/O");
}

#[test]
fn the_bans_stand() {
    let clippy = fs::read_to_string(repository().join("clippy.toml")).unwrap();
    for ban in [
        "std::fs::read",
        "std::fs::read_to_string",
        "std::fs::File::open",
        "std::fs::write",
        "std::path::Path::exists",
        "std::env::var",
        "std::env::current_dir",
        "std::net::TcpStream::connect",
        "std::process::Command::new",
        "std::time::SystemTime::now",
        "std::collections::HashMap",
    ] {
        assert!(clippy.contains(&format!("path = \"{ban}\"")), "clippy.toml does not ban {ban}");
    }
    let deny = fs::read_to_string(repository().join("deny.toml")).unwrap();
    for ban in ["serde_yaml", "serde_yml", "libyml"] {
        assert!(deny.contains(&format!("crate = \"{ban}\"")), "deny.toml does not ban {ban}");
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let code = Regex::new("(?ms)^```.*?^```$").unwrap();
    let mut found = Vec::new();
    for (path, text) in written().iter().filter(|(path, _)| path.ends_with(".md")) {
        let dir = Path::new(path).parent().unwrap();
        for link in link.captures_iter(&code.replace_all(text, "")) {
            let target = link[1].split('#').next().unwrap_or_default();
            let foreign = target.is_empty() || target.contains("://");
            if !foreign && !repository().join(dir).join(target).exists() {
                found.push(format!("{path}: {target}"));
            }
        }
    }
    nothing(&found, "a link leads to a file of the repository");
}

/// Who sets another address in Cargo.toml sees here where else it stands.
#[test]
fn the_project_has_one_address() {
    let own = env!("CARGO_PKG_REPOSITORY");
    let (host, path) = own.strip_prefix("https://").unwrap().split_once('/').unwrap();
    let name = path.rsplit('/').next().unwrap();
    let address = Regex::new(&format!(r"(\buses: +|[a-z]+\.[a-z]+/)([\w.-]+/{name})\b")).unwrap();
    // Besides that, where its files and its container are.
    let hosts = [host, "githubusercontent.com", "ghcr.io"];
    let is_ours = |before: &str, found: &str| {
        let at = |host: &&str| before == format!("{host}/");
        found == path && (before.starts_with("uses:") || hosts.iter().any(at))
    };
    let mut found = matches(&written(), &["OWN", "ER/"].concat());
    for (file, text) in written() {
        let others = address.captures_iter(&text).filter(|it| !is_ours(&it[1], &it[2]));
        found.extend(others.map(|it| format!("{file}: {}", &it[0])));
    }
    nothing(&found, &format!("the project is at {own}"));
    let manifest = fs::read_to_string(repository().join("editors/vscode/package.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["repository"]["url"], own);
    let is_other = |text: &str| address.captures_iter(text).any(|it| !is_ours(&it[1], &it[2]));
    for (text, other) in [
        (format!("uses: {path}@v1"), false),
        (format!("see {own}/blob/main"), false),
        (format!("uses: somebody/{name}@v1"), true),
        (format!("https://gitlab.com/{path}"), true),
        (format!("https://{host}/somebody/{name}.git"), true),
    ] {
        assert_eq!(is_other(&text), other, "{text}");
    }
}

#[test]
fn every_format_is_documented() {
    let help = program("check --help", &[]).out;
    let formats = Regex::new(r"(?s)--format.*?(text(?:,\s+[a-z]+)+);").unwrap();
    let formats = formats.captures(&help).unwrap()[1].to_owned();
    let text = fs::read_to_string(repository().join("docs/formats.md")).unwrap();
    let names = formats.split(',').map(str::trim);
    let missing: Vec<&str> = names.filter(|it| !text.contains(&format!("\n| [`{it}`]("))).collect();
    assert_eq!(missing, [""; 0], "of {formats}");
}

/// Id, severity and title of every rule, from its page.
pub(crate) fn rule_pages() -> BTreeMap<String, [String; 3]> {
    let folder = repository().join("rules");
    files(&folder, |path| path.ends_with(".md") && path != "README.md")
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(folder.join(&path)).unwrap();
            let line = |start: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(start));
                line.unwrap_or_else(|| panic!("rules/{path} has no line `{start}`"))
                    .trim()
                    .to_owned()
            };
            let pedantic = text.contains("\npedantic: true\n");
            let severity = line("severity:") + if pedantic { ", pedantic" } else { "" };
            let facts = [severity, line("category:"), line("# ")];
            (path.trim_end_matches(".md").to_owned(), facts)
        })
        .collect()
}

#[test]
fn the_rules_folder_is_the_list_of_rules() {
    let listed = program("rules", &[]).out;
    let pages = rule_pages();
    for id in pages.keys() {
        assert!(listed.split_whitespace().any(|word| word == id), "`rules` does not list {id}");
        assert_eq!(program(&format!("explain {id}"), &[]).status, 0, "`explain {id}` fails");
    }
    let count = listed.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(count >= pages.len(), "`rules` lists {count} rules, rules/ has {}", pages.len());
}

/// Replaces what stands between `<!-- name -->` and `<!-- /name -->` in the document `path`, or
/// asserts it.
#[track_caller]
pub(crate) fn generated(path: &str, name: &str, content: &str) {
    let document = path;
    let path = repository().join(path);
    let readme = fs::read_to_string(&path).unwrap();
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = readme.split_once(&open).unwrap();
    let (current, after) = rest.split_once(&close).unwrap();
    if current == content {
        return;
    }
    assert!(
        env::var_os("UPDATE").is_some(),
        "{document}: the part `{name}` is not true any more; `UPDATE=1 cargo test rules` writes\n{content}"
    );
    fs::write(path, format!("{before}{open}{content}{close}{after}")).unwrap();
}

#[test]
fn the_documents_show_the_rules_and_what_they_find() {
    let mut table =
        String::from("| rule | severity | category | what is wrong |\n|---|---|---|---|\n");
    for (id, [severity, category, title]) in rule_pages() {
        table += &format!("| [`{id}`](../rules/{id}.md) | {severity} | {category} | {title} |\n");
    }
    generated("docs/rules.md", "rules", &table);
    let output = program("check", &[&repository().join("testdata/flux-platform")]);
    let text = output.out;
    generated("docs/usage.md", "output", &format!("```text\n{}\n```\n", text.trim_end()));
}
