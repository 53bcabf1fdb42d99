//! Applications that a chart of the repository renders: applications of applications as charts.
//!
//! Only templates without control flow are read, and only for the Applications in them.

use crate::{
    problem::Problem,
    resolve::{
        context::Context,
        environment::Release,
        helm,
        layout::{self, is_application},
        template::{self, TemplateScope},
    },
    scalar::{Dialect, Scalar},
    source::{self, Text},
    tree::{Node, Origin},
};

/// The Applications in the templates of the chart in `dir`.
pub(super) fn applications(
    context: &Context<'_>,
    dir: &str,
    release: &Release,
    problems: &mut Vec<Problem>,
) -> Vec<Node> {
    let sources = context.sources;
    let Some(templates) = source::join(dir, "templates") else { return Vec::new() };
    let mut found = Vec::new();
    let mut scope: Option<TemplateScope<'_>> = None;
    for file in sources.below(&templates) {
        if !layout::is_yaml(&sources[file].path) {
            continue;
        }
        let Text::Utf8(text) = sources.load(file) else { continue };
        if !text.contains("argoproj.io/") {
            continue;
        }
        let scope = scope.get_or_insert_with(|| TemplateScope {
            sources,
            params: params(context, dir, release),
            go: true,
            strict: false,
        });
        let documents =
            scope.holes(text).and_then(|holes| template::fill_file(sources, file, &holes));
        match documents {
            Ok(documents) => found.extend(documents.into_iter().filter(is_application)),
            Err(why) if text.contains("metrics-server") => {
                let at = Origin::start_of(file);
                problems.push(Problem::unresolved(&at, &*why));
            }
            Err(_) => {}
        }
    }
    found
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
