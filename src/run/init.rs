//! `init`: a configuration with the environments that are found, to be filled in.

use std::{cmp::Reverse, fmt::Write as _, fs, io::Write as _};

use super::{
    CommandResult, Failure, Run, one_line,
    open::{open, root_here},
};
use crate::{
    config, emit,
    pipeline::{is_ours, survey},
    report::count,
    tree::{Kind, Node, Origin, Via},
};

/// What is written of each environment.
const SETTINGS: [&str; 5] = [
    "# nodes: 300              # how many nodes there are",
    "# pods-per-node: 50       # how many pods run on one of them",
    "# kubernetes: \"1.31\"      # their version",
    "# local: true             # it only exists on somebody's machine",
    "# rules: {kubelet-insecure-tls: error}    # or warning, note, off",
];

/// What is written of everything else.
const REST: &str = "\
# rules: {priority-class-not-critical: \"off\"}
# overrides: [{files: [\"legacy/**\"], rules: {unknown-flag: warning}}]
# exclude: [examples]         # nothing is reported there
";

impl Run<'_, '_> {
    /// Writes the configuration, and says where; one that is there stays.
    pub(super) fn init(&mut self) -> CommandResult {
        let options = self.options;
        let root = root_here(options)?;
        let own = root.join(config::FILE);
        let file = options.output.as_deref().unwrap_or(&own);
        let is_printed = file.as_os_str() == "-";
        let shown = if file == own { config::FILE.to_owned() } else { file.display().to_string() };
        if !is_printed && file.exists() {
            return Err(Failure::Plain(format!("`{shown}` is there already, and stays as it is")));
        }
        let progress = self.progress();
        let opened = open(options, &[root], &progress)?;
        progress.stage("resolving the environments");
        let (environments, clusters) = survey(&opened.sources, &opened.config);
        drop(progress);
        let pairs = environments.iter().zip(&clusters);
        let ours = pairs.filter(|(it, cluster)| is_ours(it, cluster) && !cluster.only_autoscales());
        let mut names: Vec<&str> = ours.map(|(environment, _)| &*environment.name).collect();
        // The first entry that matches an environment counts, also by its last directory alone.
        names.sort_by_key(|it| (Reverse(it.matches('/').count()), *it));
        let text = configuration(&names);
        if is_printed {
            return self.write(|_, _| text.clone().into());
        }
        let written = fs::File::create_new(file).and_then(|mut it| it.write_all(text.as_bytes()));
        written.map_err(|error| Failure::Plain(format!("cannot write `{shown}`: {error}")))?;
        let told = format!("wrote `{shown}` with {}", count(names.len(), "environment"));
        let names = names.iter().map(|it| one_line(it));
        let lines = [told].into_iter().chain(names).collect::<Vec<_>>();
        self.say(&format!("{}\n", lines.join("\n  ")));
        Ok(0)
    }
}

fn configuration(names: &[&str]) -> String {
    let names = names.iter().map(|it| key(it));
    let names = if names.len() == 0 { vec!["# prod".to_owned()] } else { names.collect() };
    let mut text = concat!(
        "# yaml-language-server: $schema=",
        env!("CARGO_PKG_REPOSITORY"),
        "/raw/main/schema/config.schema.json\n",
        "# What the repository does not say of itself. Every setting is optional.\n",
        "environments:\n",
    )
    .to_owned();
    for name in names {
        let _ = writeln!(text, "  {name}:");
        for setting in SETTINGS {
            let _ = writeln!(text, "    {setting}");
        }
    }
    text + REST
}

/// `name` as a key of YAML, in quotes where it needs them.
fn key(name: &str) -> String {
    let node = Node::new(Kind::from(name), Origin::at(Via::Written, None));
    let plain = emit::yaml(&node);
    match plain.trim_end() {
        plain if plain.lines().count() == 1 => plain.to_owned(),
        _ => serde_json::Value::from(name).to_string(),
    }
}
