//! `helm upgrade`, `helm install` and `helm template`.

use super::{
    CommandLine, CommandOutput, Doing, Session, ShellArgument,
    argument::{CURRENT, HERE, ROOT},
};
use crate::{
    data::Family,
    parse,
    problem::Problem,
    resolve::{
        environment::Release,
        helm::{
            self,
            strvals::{self, Notation},
        },
        install,
    },
    scalar::Dialect,
    source,
    tree::{Kind, Map, Node, Reason},
};

/// Options of Helm 4 without a value of their own (`helm upgrade --help`), and those of Helm 3.
pub(super) const SWITCHES: &[&str] = &[
    "--atomic",
    "--cleanup-on-fail",
    "--create-namespace",
    "--debug",
    "--dependency-update",
    "--devel",
    "--disable-openapi-validation",
    "--dry-run",
    "--enable-dns",
    "--force",
    "--force-conflicts",
    "--force-replace",
    "--force-update",
    "--generate-name",
    "--hide-notes",
    "--hide-secret",
    "--include-crds",
    "--insecure-skip-tls-verify",
    "--install",
    "--is-upgrade",
    "--kube-insecure-skip-tls-verify",
    "--no-hooks",
    "--no-update",
    "--pass-credentials",
    "--plain-http",
    "--release-name",
    "--render-subchart-notes",
    "--replace",
    "--reset-then-reuse-values",
    "--reset-values",
    "--reuse-values",
    "--rollback-on-failure",
    "--skip-crds",
    "--skip-schema-validation",
    "--skip-tests",
    "--take-ownership",
    "--untar",
    "--validate",
    "--verify",
    "--wait",
    "--wait-for-jobs",
    "-g",
    "-i",
];

/// Options with values, in the order in which Helm merges them, whatever their order is
/// (`pkg/cli/values/options.go`).
const LAYERS: [&str; 6] =
    ["--values", "--set-json", "--set", "--set-string", "--set-file", "--set-literal"];

/// The place of `--set` among these.
const SET: usize = 2;

/// What each option of values is given, by its layer.
type ValueOptions<'o> = Vec<(&'static str, &'o ShellArgument)>;

/// The options of values in the order in which Helm merges them: those that a word may override that
/// nobody can tell, and those that override whatever that sets with `--set`, since they stand behind it.
fn layers(options: &CommandLine) -> (ValueOptions<'_>, ValueOptions<'_>) {
    let flags = options.flags.iter().enumerate();
    let mut all: Vec<(usize, usize, &ShellArgument)> = flags
        .filter_map(|(at, (name, value))| {
            let name = if name == "-f" { "--values" } else { &**name };
            Some((LAYERS.iter().position(|it| *it == name)?, at, value.as_ref()?))
        })
        .collect();
    all.sort_by_key(|it| it.0);
    let wild = options.wild.as_ref().map_or(usize::MAX, |it| it.1);
    let before = all.iter().filter(|it| it.1 < wild).map(|it| it.0).max().unwrap_or(0);
    let (sure, open): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| {
        // Of a list, others may be among what nobody can tell.
        let is_whole = !it.2.head.split('=').next().is_some_and(|key| key.contains('['));
        it.1 >= wild && it.0 >= before.max(SET) && is_whole
    });
    let named = |(layer, _, value): (usize, usize, _)| (LAYERS[layer], value);
    (open.into_iter().map(named).collect(), sure.into_iter().map(named).collect())
}

impl Session<'_> {
    /// Runs Helm with `options`, which reads `input`. What it renders is the result.
    pub(super) fn helm(&mut self, options: &CommandLine, input: &CommandOutput) -> CommandOutput {
        let names: Vec<Option<&str>> = options.positional.iter().map(|it| it.text()).collect();
        match *names {
            [Some("repo"), Some("add"), Some(alias), Some(_), ..] => {
                let url = options.positional[3].node();
                self.repositories.insert(alias.to_owned(), url);
            }
            [Some("upgrade" | "install"), ..] if !options.has("--dry-run") => {
                if let Some((release, problems)) = self.release(options, input) {
                    self.did(Doing::Release(Box::new(release), problems));
                }
            }
            [Some("template"), ..] => {
                if let Some((release, problems)) = self.release(options, input) {
                    return CommandOutput::Release(Box::new(release), problems);
                }
            }
            _ => {}
        }
        CommandOutput::Unknown
    }

    /// The release that a command makes, unless nobody can tell of which chart.
    fn release(
        &mut self,
        options: &CommandLine,
        input: &CommandOutput,
    ) -> Option<(Release, Vec<Problem>)> {
        let named = !options.has("--generate-name") && !options.has("-g");
        let (name, chart) = match &*options.positional {
            [_, name, chart] if named => (name.text().map(str::to_owned), chart),
            [_, chart] => (None, chart),
            _ => return None,
        };
        let text = chart.text.as_deref()?;
        let directory = self.paths(chart).into_iter().find(|it| self.context.sources.is_chart(it));
        let is_path = text.starts_with(['.', '/', CURRENT, HERE, ROOT]);
        let is_archive = source::extension(text) == "tgz" && !text.contains("://");
        if directory.is_none() && (is_path || is_archive) {
            return None;
        }
        let mut problems = Vec::new();
        let values = self.values(options, input, &mut problems);
        let alias = text.split_once('/').map(|(alias, _)| alias);
        let repository = match options.value("--repo") {
            Some(url) => Some(url.node()),
            None => alias.and_then(|it| self.repositories.get(it).cloned()),
        };
        let reference = install::ChartReference {
            name: directory.as_deref().unwrap_or(text),
            repository: repository.as_ref(),
            directory: directory.as_deref(),
            // What else is passed may name one.
            version: options
                .value("--version")
                .map(ShellArgument::node)
                .or_else(|| options.wild.as_ref().map(|(it, _)| it.node())),
        };
        // Where a namespace is not told, nothing is to be said of it.
        let namespace = options.value("--namespace").or_else(|| options.value("-n"));
        let namespace = namespace.map_or("default", |it| it.text().unwrap_or("kube-system"));
        let name = name.unwrap_or_else(|| text.rsplit('/').next().unwrap_or(text).to_owned());
        let mut release = reference.release("script", name, namespace, values, &chart.origin);
        release = self::named(release);
        if let Some(renderer) = options.value("--post-renderer") {
            let why: Reason = "what a post-renderer makes of its objects is not known".into();
            problems.push(Problem::unresolved(&renderer.origin, &*why));
            release.modified = Some(why);
        }
        Some((release, problems))
    }

    /// The values that a command passes.
    fn values(
        &mut self,
        options: &CommandLine,
        input: &CommandOutput,
        problems: &mut Vec<Problem>,
    ) -> Node {
        let at = self.here();
        let mut values = Node::new(Map::default(), at.clone());
        let reused =
            ["--reuse-values", "--reset-then-reuse-values"].iter().any(|it| options.has(it));
        if reused {
            values = Node::unknown_value("the values of the release before this are kept", &at);
        }
        let (open, sure) = layers(options);
        for (layer, value) in open {
            self.set_layer(&mut values, layer, value, input, problems);
        }
        if let Some((wild, _)) = &options.wild {
            let why = wild.untold();
            values = helm::merge(&values, &Node::unknown_value(why.clone(), &wild.origin));
            problems.push(Problem::unresolved(&wild.origin, why));
        }
        for (layer, value) in sure {
            self.set_layer(&mut values, layer, value, input, problems);
        }
        values
    }

    /// Sets in `values` what an option of `layer` does.
    fn set_layer(
        &mut self,
        values: &mut Node,
        layer: &str,
        value: &ShellArgument,
        input: &CommandOutput,
        problems: &mut Vec<Problem>,
    ) {
        let sources = self.context.sources;
        if layer == "--values" {
            for part in value.parts(sources) {
                let read = self.values_of(&part, input);
                let map = read.as_ref().ok().and_then(Node::as_map);
                let open = map.and_then(|it| it.open.clone());
                problems.extend(open.map(|why| Problem::unresolved(&part.origin, &*why)));
                let read = install::layer(read, &part.origin, problems);
                *values = helm::merge(values, &read);
            }
            return;
        }
        let (key, rest) = value.head.split_once('=').unwrap_or((&value.head, ""));
        let result = match value.text() {
            Some(text) if layer == "--set-json" && text.trim_start().starts_with('{') => {
                match serde_json::from_str::<serde_json::Value>(text) {
                    Ok(_) => {
                        if let Some(json) = self.embedded(value, 0) {
                            *values = helm::merge(values, &json);
                        }
                        Ok(())
                    }
                    Err(_) => Err("it is no JSON".to_owned()),
                }
            }
            Some(text) if layer == "--set-json" => {
                let read = strvals::parse(text, Notation::Json, &value.origin);
                match (read, self.embedded(value, key.len() + 1)) {
                    // What stands in it has places of its own.
                    (Ok(read), Some(json)) if read.len() == 1 => set(values, key, &json),
                    _ => strvals::set(values, text, Notation::Json, &value.origin),
                }
            }
            Some(text) if layer != "--set-file" => {
                let notation = match layer {
                    "--set-string" => Notation::Strings,
                    "--set-literal" => Notation::Literal,
                    _ => Notation::Typed,
                };
                strvals::set(values, text, notation, &value.origin)
            }
            // Which value is set can be told, but not what to.
            _ if !key.is_empty() && key.len() < value.head.len() && !rest.contains(',') => {
                let node = Node { kind: Kind::Unknown(value.untold()), ..value.node() };
                set(values, key, &node)
            }
            _ => {
                *values = helm::merge(values, &Node::unknown_value(value.untold(), &value.origin));
                Ok(())
            }
        };
        if let Err(why) = result {
            let why = format!("Helm refuses to set `{key}`: {why}");
            *values = helm::merge(values, &Node::unknown_value(&*why, &value.origin));
            problems.push(Problem::refused(&value.origin, why).about(key));
        }
    }

    /// The JSON that `value` holds from `start` on, with its places.
    fn embedded(&self, value: &ShellArgument, start: usize) -> Option<Node> {
        let sources = self.context.sources;
        let text = value.after(sources, start).node();
        parse::embedded(sources, &text, Dialect::Sigs).roots().next().cloned()
    }
}

/// `release`, whose chart is known by the alias that metrics-server's own documentation gives to the
/// repository of its chart.
pub(super) fn named(release: Release) -> Release {
    let is_it = release.repository.is_none() && release.chart == "metrics-server/metrics-server";
    let family = release.family.or(is_it.then_some(Family::KubernetesSigs));
    Release { family, ..release }
}

/// Sets what `key` means to `value`.
fn set(values: &mut Node, key: &str, value: &Node) -> Result<(), String> {
    let assignments = strvals::parse(&format!("{key}=x"), Notation::Strings, &value.origin)?;
    assignments.iter().try_for_each(|it| strvals::assign(values, &it.path, value.clone()))
}
