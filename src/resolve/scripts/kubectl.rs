//! `kubectl apply` and `kubectl patch`.

use super::{CommandLine, CommandOutput, Doing, Session};
use crate::{
    data::subject::What,
    problem::{Problem, ProblemKind},
    resolve::kustomize::{self, PatchKind},
    tree::{Map, Node},
};

/// Options of kubectl 1.37 without a value of their own.
pub(super) const SWITCHES: &[&str] = &[
    "--all",
    "--allow-missing-template-keys",
    "--dry-run",
    "--enable-helm",
    "--force",
    "--force-conflicts",
    "--insecure-skip-tls-verify",
    "--local",
    "--openapi-patch",
    "--overwrite",
    "--prune",
    "--record",
    "--recursive",
    "--save-config",
    "--server-side",
    "--show-managed-fields",
    "--validate",
    "--wait",
    "-R",
];

/// A patch of one object.
#[derive(Debug, Clone)]
pub(super) struct ObjectPatch {
    /// Its kind as a command names it: `deployment`, `deploy`, `deployments.apps`.
    pub kind: String,
    pub name: String,
    pub namespace: Option<String>,
    pub patch: Node,
    pub way: PatchKind,
}

impl ObjectPatch {
    /// Whether `object` is what it is for.
    pub(super) fn is_for(&self, object: &Node) -> bool {
        let kind = object.object_kind().to_ascii_lowercase();
        let named = self.kind.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let short = matches!(
            (&*named, &*kind),
            ("deploy", "deployment")
                | ("ds", "daemonset")
                | ("svc", "service")
                | ("cm", "configmap")
        );
        let is_kind = short || named == kind || named.strip_suffix('s') == Some(&kind);
        let namespace = object.object_namespace();
        let is_there = match &self.namespace {
            Some(own) => namespace.is_empty() || namespace == own,
            None => true,
        };
        is_kind && object.object_name() == self.name && is_there
    }
}

impl Session<'_> {
    /// Runs kubectl with `options`, which reads `input`. What it prints is the result.
    pub(super) fn kubectl(
        &mut self,
        options: &CommandLine,
        input: &CommandOutput,
    ) -> CommandOutput {
        let mut words = options.positional.iter().filter_map(|it| it.text());
        match words.next() {
            Some(_) if options.has("--dry-run") => {}
            Some("apply" | "create" | "replace") if words.next().is_none() => {
                for (name, value) in &options.flags {
                    let Some(value) = value else { continue };
                    match &**name {
                        "-f" | "--filename" if value.text() == Some("-") => self.apply(input),
                        "-f" | "--filename" => {
                            for part in value.parts(self.context.sources) {
                                let content = self.taken(&part);
                                self.apply(&content);
                            }
                        }
                        "-k" | "--kustomize" => self.apply(&CommandOutput::Build(value.clone())),
                        _ => {}
                    }
                }
            }
            Some("kustomize") => {
                let build = options.positional.get(1);
                return build.map_or(CommandOutput::Unknown, |it| CommandOutput::Build(it.clone()));
            }
            Some("patch") => {
                if let Some(patch) = self.patch(options) {
                    self.did(Doing::Patch(Box::new(patch)));
                }
            }
            _ => {}
        }
        CommandOutput::Unknown
    }

    fn patch(&self, options: &CommandLine) -> Option<ObjectPatch> {
        let words: Vec<&str> = options.positional.iter().filter_map(|it| it.text()).collect();
        let (kind, name) = match *words {
            [_, kind, name] => (kind, name),
            [_, object] => object.split_once('/')?,
            _ => return None,
        };
        let way = match options.value("--type").map(|it| it.text()) {
            None | Some(Some("strategic")) => PatchKind::Strategic,
            Some(Some("merge")) => PatchKind::Merge,
            Some(Some("json")) => PatchKind::Json,
            Some(_) => return None,
        };
        let text = options.value("-p").or_else(|| options.value("--patch"));
        let patch = match (text, options.value("--patch-file")) {
            (Some(text), _) => text.node(),
            (None, Some(file)) => self.text_of(file).unwrap_or_else(|| {
                Node::unknown_value("the file of this patch is not read", &file.origin)
            }),
            (None, None) => return None,
        };
        let namespace = options.value("-n").or_else(|| options.value("--namespace"));
        let namespace = namespace.and_then(|it| it.text()).map(str::to_owned);
        Some(ObjectPatch { kind: kind.to_owned(), name: name.to_owned(), namespace, patch, way })
    }

    /// Applies `content`.
    pub(super) fn apply(&mut self, content: &CommandOutput) {
        let doing = match content {
            CommandOutput::Release(release, problems) => {
                Doing::Release(release.clone(), problems.clone())
            }
            CommandOutput::Objects(objects) => Doing::Objects(objects.clone(), Vec::new()),
            CommandOutput::Text(text) => match text.documents(self.context.sources) {
                [] => return,
                objects => Doing::Objects(objects.to_vec(), Vec::new()),
            },
            CommandOutput::Url(url) => match self.remote(url) {
                Some(doing) => doing,
                None => return,
            },
            CommandOutput::Build(place) => {
                let dirs = self.paths(place);
                let local = dirs.into_iter().find(|it| self.layout.has_kustomization(it));
                match (local, self.remote(place)) {
                    (Some(dir), _) => Doing::Build(dir),
                    (None, Some(doing)) => doing,
                    (None, None) => return,
                }
            }
            CommandOutput::Path(place) => {
                let files = self.manifests(place);
                if files.is_empty() {
                    return;
                }
                Doing::Files(files)
            }
            CommandOutput::Unknown => return,
        };
        self.did(doing);
    }

    /// What applying `url` comes to, if that is something of ours that is known.
    fn remote(&self, url: &super::ShellArgument) -> Option<Doing> {
        let text = url.text().filter(|it| it.contains("://") || it.contains("github.com"))?;
        What::of(text)?;
        let mut kustomization = Node::new(Map::default(), url.origin.clone());
        kustomization.set("resources", Node::new(vec![url.node()], url.origin.clone()));
        let build = kustomize::transform(self.context, Vec::new(), &kustomization);
        let untold = |it: &Problem| it.kind == ProblemKind::Unresolved;
        if build.objects.is_empty() && build.problems.iter().all(untold) {
            return None;
        }
        Some(Doing::Objects(build.objects, build.problems))
    }
}
