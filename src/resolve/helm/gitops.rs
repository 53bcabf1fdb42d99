//! What a chart of the repository makes other installers deploy: applications of applications as
//! charts, HelmReleases in a chart's templates.
//!
//! Only templates without control flow are read.

use crate::{
    data::{
        groups::{self, Role},
        subject::is_named_in,
    },
    problem::Problem,
    resolve::{
        context::Context,
        environment::Release,
        helm,
        layout::{self, is_application},
        template::{self, TemplateScope},
    },
    scalar::{Dialect, Scalar},
    source::{self, FileId, Text},
    tree::{Node, Origin},
};

/// The objects that install or connect something in the templates of the chart in `dir`, and what
/// cannot be told of them when that may be about what we judge.
pub(crate) fn gitops(
    context: &Context<'_>,
    dir: &str,
    release: &Release,
) -> (Vec<Node>, Vec<Problem>) {
    let sources = context.sources;
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let Some(templates) = source::join(dir, "templates") else { return (found, problems) };
    let mut scope: Option<TemplateScope<'_>> = None;
    for file in sources.below(&templates).filter(|it| is_gitops(context, *it)) {
        let scope = scope.get_or_insert_with(|| TemplateScope {
            sources,
            params: params(context, dir, release),
            go: true,
            strict: false,
        });
        let documents = scope
            .holes(sources.text(file))
            .and_then(|holes| template::fill_file(sources, file, &holes));
        match documents {
            Ok(documents) => found.extend(documents.into_iter().filter(installs)),
            Err(why) => {
                if let Some(what) = concern(context, dir, file) {
                    let message = format!("what this template deploys, perhaps {what}: {why}");
                    problems.push(Problem::unresolved(&Origin::start_of(file), message));
                }
            }
        }
    }
    (found, problems)
}

/// Whether a file holds objects that install or connect something.
pub(crate) fn is_gitops(context: &Context<'_>, file: FileId) -> bool {
    let sources = context.sources;
    let Text::Utf8(text) = sources.load(file) else { return false };
    layout::is_yaml(&sources[file].path)
        && ["fluxcd.io/", "argoproj.io/", "cattle.io/"].iter().any(|it| text.contains(it))
        && ["Application", "ApplicationSet", "HelmRelease", "HelmChart", "Kustomization"]
            .iter()
            .any(|kind| text.contains(&format!("kind: {kind}")))
}

/// Whether other installers read an object.
fn installs(node: &Node) -> bool {
    let role = groups::role(node.api_group());
    is_application(node)
        || (node.api_group() != "argoproj.io"
            && matches!(role, Some(Role::Connects | Role::Installs)))
}

/// What of our subject a template of the chart in `dir` may be about.
fn concern(context: &Context<'_>, dir: &str, file: FileId) -> Option<String> {
    let sources = context.sources;
    let names = |it: &FileId| is_named_in(sources.text(*it));
    let values = sources.find_from(dir, "values.yaml");
    if [Some(file), values].iter().flatten().any(names) {
        return Some("metrics-server".into());
    }
    let mut charts = sources.below(dir).filter(|it| sources[*it].path.ends_with("/Chart.yaml"));
    let chart = charts.find(|it| source::parent(&sources[*it].path) != dir && names(it))?;
    Some(format!("metrics-server of {}", source::parent(&sources[chart].path)))
}

/// What the templates may refer to.
fn params(context: &Context<'_>, dir: &str, release: &Release) -> Node {
    let sources = context.sources;
    let at = &release.anchor;
    let own = sources.find_from(dir, "values.yaml");
    let own = own.and_then(|file| sources.documents(file, Dialect::Sigs).roots().next());
    let values = match own {
        Some(own) => helm::coalesce(&release.values, own),
        None => release.values.clone(),
    };
    let text = |text: &str| Node::new(Scalar::string(text), at.clone());
    let about = [("Name", text(&release.name)), ("Namespace", text(&release.namespace))];
    let about = Node::new(about, at.clone());
    Node::new([("Values", values), ("Release", about)], at.clone())
}
