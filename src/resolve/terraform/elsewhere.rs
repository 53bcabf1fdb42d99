//! What Terraform installs that is not read: modules and manifests from elsewhere, lists of charts,
//! and what Terragrunt passes.
//!
//! Nothing is evaluated: it is enough that code which installs something names our subject.

use std::{collections::BTreeSet, ops::Range, sync::LazyLock};

use hcl_edit::{
    Span as _,
    expr::Expression,
    structure::{Attribute, Block, Body},
};
use regex::Regex;

use super::{Module, addons, calls::Code, code, evaluate::written, label};
use crate::{
    ascii,
    data::{
        kinds::WORKLOADS,
        subject::{What, is_named_in, is_server_named_in},
    },
    problem::Problem,
    source::{self, FileId, Relevance, Sources, Span, pattern::PathPattern},
    tree::Origin,
};

/// Resources and data sources that bring manifests or charts into a cluster, and the attributes that
/// say which.
const RESOURCES: &[(&str, &[&str])] = &[
    ("argocd_application", &["chart", "path", "repo_url"]),
    ("helm_template", &["chart"]),
    ("rancher2_app_v2", &["chart_name"]),
    ("http", &["url"]),
    ("kubectl_manifest", &["yaml_body", "for_each"]),
    ("kubectl_file_documents", &["content"]),
    ("kubectl_path_documents", &["pattern"]),
    ("kubernetes_manifest", &["manifest", "for_each"]),
    ("kubernetes_deployment", &["image"]),
    ("kubernetes_deployment_v1", &["image"]),
];

/// Arguments of modules that install nothing, or that are read with the cluster.
const ASIDE: &[&str] = &["addons", "cluster_addons", "depends_on", "providers", "tags", "version"];

/// How many texts are read to learn what the releases of a module install.
const MAX_TEXTS: usize = 500;

impl Module {
    /// What blocks of this module install of our concern that the repository does not show.
    /// Many resources are one installation. The blocks at `understood` are read.
    pub(super) fn elsewhere(
        &self,
        sources: &Sources,
        understood: &BTreeSet<(FileId, usize)>,
    ) -> Vec<Problem> {
        let blocks =
            self.files.iter().flat_map(|(file, body)| body.blocks().map(move |it| (*file, it)));
        let start = |it: &Block| it.ident.span().unwrap_or_default().start;
        let blocks = blocks.filter(|(file, it)| !understood.contains(&(*file, start(it))));
        let mut said = BTreeSet::new();
        let problems = blocks.filter_map(|(file, block)| match block.ident.as_str() {
            "module" => module(sources, file, block),
            "resource" | "data" => {
                let (what, problem) = self.resource(sources, file, block)?;
                said.insert(what).then_some(problem)
            }
            _ => None,
        });
        problems.collect()
    }

    fn resource(&self, sources: &Sources, file: FileId, block: &Block) -> Option<(What, Problem)> {
        let kind = label(block, 0)?;
        let (_, names) = RESOURCES.iter().find(|(it, _)| *it == kind)?;
        if is_never(block) {
            return None;
        }
        let attributes = attributes(&block.body).into_iter();
        let says = attributes.filter(|it| names.contains(&it.key.as_str())).find(|it| {
            let text = text(sources, file, it);
            // What lies here is judged as any manifest.
            let is_here = || self.files_in(sources, text).next().is_some();
            let subject = mention(text).is_some() && !is_named_only(text, is_kubelets);
            subject && deploys(text) && !is_here()
        })?;
        let what = What::of(text(sources, file, says))?;
        let why = match kind {
            // It reads, and something else installs.
            "http" => {
                format!("{} fetched by `http`, and what becomes of it is not read", what.is())
            }
            _ => format!("{} installed by `{kind}`, which is not read", what.is()),
        };
        Some((what, Problem::unresolved(&written(file, says.span()), why)))
    }

    /// What of our concern the releases whose charts are not written in their blocks may install:
    /// something that an expression of one names, or what it refers to.
    pub(super) fn listed(&self, sources: &Sources, code: &Code) -> Option<Problem> {
        let releases = self.blocks("resource").filter(|(_, it)| {
            let name = match label(it, 0) {
                Some("helm_release") => it.body.get_attribute("chart"),
                Some("aws_eks_addon") => it.body.get_attribute("addon_name"),
                _ => None,
            };
            name.is_some_and(|it| it.value.as_str().is_none())
        });
        let names = ["addon_name", "chart", "for_each", "repository", "name"];
        let spans = releases.flat_map(|(file, block)| expressions(file, block, &names));
        let span = self.named_from(sources, code, spans.collect())?;
        let what = What::of(sources.slice(span))?;
        let why = format!("{} in a list of charts, which is not read", what.is());
        Some(Problem::unresolved(&Origin::written(span), why))
    }

    /// Where the texts at `spans`, or what they refer to, first name our subject; the nearest of it.
    fn named_from(&self, sources: &Sources, code: &Code, spans: Vec<Span>) -> Option<Span> {
        let mut known: BTreeSet<Span> = spans.iter().copied().collect();
        let mut texts: Vec<(&Self, Span)> = spans.into_iter().map(|it| (self, it)).collect();
        let mut next = 0;
        while let Some(&(module, span)) = texts.get(next).filter(|_| next < MAX_TEXTS) {
            next += 1;
            let text = sources.slice(span);
            if let Some(range) = mention(text).filter(|it| !is_kubelets(&text[it.clone()])) {
                return Some(span.part(range));
            }
            let mut found: Vec<(&Self, Span)> = Vec::new();
            for reference in REFERENCE.iter().flat_map(|it| it.captures_iter(text)) {
                let name = reference.get(2).map_or("", |it| it.as_str());
                if reference.get(1).is_some_and(|it| it.as_str() == "local") {
                    found.extend(module.local(name).and_then(spanned).map(|it| (module, it)));
                } else {
                    found.extend(module.given(sources, code, name));
                }
            }
            found.extend(module.files_in(sources, text).map(|it| (module, whole(sources, it))));
            found.retain(|(_, span)| known.insert(*span));
            texts.append(&mut found);
        }
        None
    }

    /// What `var.name` may be: its default, what callers pass, files of variables.
    fn given<'m>(&'m self, sources: &Sources, code: &'m Code, name: &str) -> Vec<(&'m Self, Span)> {
        let default = self.default(name).and_then(spanned).map(|it| (self, it));
        let mut all: Vec<(&Self, Span)> = default.into_iter().collect();
        for (caller, file, block) in code.callers(&self.dir) {
            let passed = expressions(file, block, &[name, "for_each"]);
            all.extend(passed.into_iter().map(|it| (caller, it)));
        }
        let files = sources.seen_in(&self.dir).into_iter();
        let files = files.filter(|(path, _)| source::extension(path) == "tfvars");
        let files = files.filter(|(_, it)| sources.text(*it).contains(name));
        all.extend(files.map(|(_, it)| (self, whole(sources, it))));
        all
    }

    /// The files of the repository that `text` names.
    fn files_in<'a>(
        &'a self,
        sources: &'a Sources,
        text: &'a str,
    ) -> impl Iterator<Item = FileId> + 'a {
        let paths = FILE.iter().flat_map(|it| it.captures_iter(text));
        let paths = paths.filter_map(|it| Some(it.get(1)?.as_str().trim_start_matches('/')));
        // Where Terraform runs is this directory or one above it.
        let above = std::iter::successors(Some(&*self.dir), |it| {
            (!it.is_empty()).then(|| source::parent(it))
        });
        let dirs: Vec<&str> = above.collect();
        let paths = paths.flat_map(move |path| {
            let joined = dirs.iter().map(|it| source::join(it, path).unwrap_or_default());
            joined.collect::<Vec<_>>()
        });
        paths.flat_map(|path| {
            // A path is a pattern that only it matches.
            PathPattern::new(&path).into_iter().flat_map(|it| it.files(sources))
        })
    }
}

/// What a module from elsewhere may install, by the arguments that say so. The add-ons of an EKS
/// cluster are read with the cluster.
fn module(sources: &Sources, file: FileId, block: &Block) -> Option<Problem> {
    let source = block.body.get_attribute("source")?.value.as_str()?;
    let is_read = addons::is_known(source) || source.contains("terraform-aws-modules/eks/aws");
    if source.starts_with('.') || is_never(block) || is_read {
        return None;
    }
    let text = |it: &Attribute| text(sources, file, it);
    let is_off =
        |it: &Attribute| is_server_named_in(it.key.as_str()) && it.value.as_bool() == Some(false);
    let off = block.body.attributes().any(is_off);
    let mut attributes = block.body.attributes().filter(|it| !ASIDE.contains(&it.key.as_str()));
    let says = attributes.find(|it| {
        let named = mention(text(it)).is_some();
        named && !(off && is_named_only(text(it), is_server_named_in))
    })?;
    let name = label(block, 0).unwrap_or_default();
    let why = format!(
        "the module `{name}` ({source}) is not in the repository: what it installs is unknown"
    );
    Some(Problem::unresolved(&written(file, says.key.span()), why))
}

/// What Terragrunt passes to modules of our concern, in the files of HCL that have `inputs`.
/// What `is_read` is understood.
pub(super) fn inputs(
    sources: &Sources,
    is_read: impl Fn(FileId) -> bool,
) -> Vec<(FileId, Problem)> {
    let of = |file: FileId| {
        let body = code::of_file(sources, file).ok()?;
        let source = body.get_blocks("terraform").find_map(|it| it.body.get_attribute("source"));
        let remote = source.filter(|it| it.value.as_str().is_none_or(|it| !it.starts_with('.')));
        let attributes = remote.into_iter().chain(body.get_attribute("inputs"));
        let (span, range) = attributes.into_iter().find_map(|it| {
            let span = Span::new(file, it.value.span()?);
            Some((span, mention(sources.slice(span))?))
        })?;
        let why = "what Terragrunt passes to a module is not read: what it installs is unknown";
        Some((file, Problem::unresolved(&Origin::written(span.part(range)), why)))
    };
    let files = sources.iter().filter(|(_, it)| {
        it.relevance == Relevance::Subject && source::extension(&it.path) == "hcl"
    });
    files.filter(|(file, _)| !is_read(*file)).filter_map(|(file, _)| of(file)).collect()
}

/// Where the values of the attributes `names` of `block` stand.
fn expressions(file: FileId, block: &Block, names: &[&str]) -> Vec<Span> {
    let attributes = names.iter().filter_map(|it| block.body.get_attribute(it));
    attributes.filter_map(|it| spanned((file, &it.value))).collect()
}

fn spanned((file, expression): (FileId, &Expression)) -> Option<Span> {
    Some(Span::new(file, expression.span()?))
}

/// The attributes of a body and of the blocks in it.
fn attributes(body: &Body) -> Vec<&Attribute> {
    let inner = body.blocks().flat_map(|it| attributes(&it.body));
    body.attributes().chain(inner).collect()
}

fn text<'s>(sources: &'s Sources, file: FileId, attribute: &Attribute) -> &'s str {
    attribute.span().map_or("", |span| sources.slice(Span::new(file, span)))
}

fn whole(sources: &Sources, file: FileId) -> Span {
    Span::new(file, 0..sources.text(file).len())
}

/// Whether there is none of what a block describes.
fn is_never(block: &Block) -> bool {
    let count = block.body.get_attribute("count").and_then(|it| it.value.as_number().copied());
    count.is_some_and(|it| it.as_u64() == Some(0))
}

/// Where a text of code or YAML first names our subject, outside of comments, as something that is
/// not switched off.
fn mention(text: &str) -> Option<Range<usize>> {
    source::lines(text).find_map(|(start, line)| {
        let code = line.split(" #").next().unwrap_or(line);
        let bare = code.trim();
        if !is_named_in(bare) || bare.starts_with(['#', ';']) || bare.starts_with("//") {
            return None;
        }
        let rest = &text[start + code.len()..];
        let inner = if bare.ends_with(['{', ':']) { rest.split('}').next() } else { Some(bare) };
        if inner.is_some_and(|it| OFF.as_ref().is_some_and(|off| off.is_match(it))) {
            return None;
        }
        let start = start + code.len() - code.trim_start().len();
        Some(start..start + bare.len())
    })
}

/// Whether all lines that name our subject are such as `of` says.
fn is_named_only(text: &str, of: impl Fn(&str) -> bool) -> bool {
    text.lines().filter(|it| is_named_in(it)).all(of)
}

fn is_kubelets(line: &str) -> bool {
    What::of(line).is_none()
}

/// Whether manifests, where they are written out, run something: a setting of it does not.
fn deploys(text: &str) -> bool {
    let mut kinds = KIND.iter().flat_map(|it| it.captures_iter(text)).peekable();
    let installs = ["APIService", "HelmRelease", "HelmChart", "Application"];
    kinds.peek().is_none()
        || kinds
            .filter_map(|it| it.get(1))
            .any(|it| WORKLOADS.contains(&it.as_str()) || installs.contains(&it.as_str()))
}

static REFERENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| ascii::pattern(r"\b(local|var)\.([\w-]+)"));
static FILE: LazyLock<Option<Regex>> =
    LazyLock::new(|| ascii::pattern(r#""(?:\$\{path\.\w+\})?([^"$\s:]+\.(?:ya?ml|json|tfvars))""#));
static OFF: LazyLock<Option<Regex>> = LazyLock::new(|| {
    ascii::pattern(
        r"(?:^|[\s{,])\S*(?i:metrics[-_]?server|csr)\S*\s*[=:]\s*false\b|\b(?:enabled?|create|deploy|install)\s*[=:]\s*false\b",
    )
});
static KIND: LazyLock<Option<Regex>> =
    LazyLock::new(|| ascii::pattern(r#"\bkind"?\s*[:=]\s*"?(\w+)"#));
