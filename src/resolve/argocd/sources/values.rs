//! The chart that a source installs, with its layers of values.

use super::{Deployed, SourcePart};
use crate::{
    problem::Problem,
    resolve::{
        argocd::made,
        environment::{ClusterVersion, Release},
        helm, install, prepared,
    },
    source::{self, FileId, pattern::PathPattern},
    tree::{Map, Node, Origin, Reason, Via},
};

impl SourcePart<'_, '_> {
    /// The release of a chart, `dir` when it lies here, with the values of every layer.
    pub(super) fn release(
        &self,
        chart: &Node,
        dir: Option<&str>,
        deployed: &mut Deployed,
    ) -> Release {
        let text = |path: &str| self.application.str_at(path).unwrap_or_default();
        let name = match self.source.str_at("helm.releaseName") {
            Some(name) if !name.is_empty() => self.environment(name).into_owned(),
            _ => text("metadata.name").to_owned(),
        };
        let namespace = match self.source.str_at("helm.namespace") {
            Some(namespace) if !namespace.is_empty() => namespace,
            _ => text("spec.destination.namespace"),
        };
        let version = match dir {
            None => self.source.get("targetRevision").filter(|it| it.as_str() != Some("")).cloned(),
            Some(_) => None,
        };
        let chart_name = match dir {
            Some(dir) => dir.to_owned(),
            None => chart.as_str().unwrap_or_default().to_owned(),
        };
        let repository = self.source.get("repoURL");
        let values = self.values(dir, deployed);
        let reference =
            install::ChartReference { name: &chart_name, repository, directory: dir, version };
        let skips = self.source.at("helm.skipSchemaValidation");
        Release {
            kubernetes: self.source.at("helm.kubeVersion").and_then(ClusterVersion::told),
            skips_schema: skips.is_some_and(|it| it.as_bool() != Some(false)),
            needs_all: false,
            ..reference.release("argo-cd", name, namespace, values, &chart.origin)
        }
    }

    /// The layers of values in the order in which Argo CD passes them: files, then the object or
    /// the text, then parameters.
    fn values(&self, dir: Option<&str>, deployed: &mut Deployed) -> Node {
        let empty = Node::new(Map::default(), self.source.origin.clone());
        let Some(helm) = self.source.get("helm") else { return empty };
        if helm.unknown().is_some() {
            return helm.clone();
        }
        let listed = helm.items_at("valueFiles");
        let (listed, unread) = install::layers(listed, &mut deployed.problems);
        let mut values = unread.unwrap_or_else(|| Node::new(Map::default(), helm.origin.clone()));
        let ignore = helm.is_true_at("ignoreMissingValueFiles");
        for entry in listed {
            let layer = match self.locate(dir, entry) {
                Ok(files) if files.is_empty() && ignore => continue,
                Ok(files) if files.is_empty() => {
                    deployed.problems.push(self.missing(dir, entry));
                    Node::unknown_value("a values file does not exist", &entry.origin)
                }
                Ok(files) => {
                    let mut layer = Node::new(Map::default(), entry.origin.clone());
                    for file in files {
                        deployed.reached.files.insert(file);
                        match install::read_values(self.argo.context.sources, file, &entry.origin) {
                            Ok(over) => layer = helm::merge(&layer, &over),
                            Err(problem) => {
                                layer = Node::unknown_value(
                                    "a values file cannot be read",
                                    &entry.origin,
                                );
                                deployed.problems.push(problem);
                            }
                        }
                    }
                    layer
                }
                Err(why) => {
                    let problem = Problem::unresolved(&entry.origin, &*why);
                    deployed.problems.push(problem);
                    Node::unknown_value(why, &entry.origin)
                }
            };
            values = helm::merge(&values, &layer.through(Via::Values, entry.origin.written_at()));
        }
        let inline = match helm.get("valuesObject").filter(|it| !it.is_null()) {
            Some(object) => Some(object.clone()),
            None => helm.get("values").map(|it| self.inline(it, deployed)),
        };
        if let Some(inline) = inline {
            values = helm::merge(&values, &inline);
        }
        self.parameters(dir, helm, values, deployed)
    }

    /// `helm.values`: text that is YAML, unless an ApplicationSet's template was already read.
    fn inline(&self, values: &Node, deployed: &mut Deployed) -> Node {
        if values.as_map().is_some() {
            return values.clone();
        }
        install::values_text(self.argo.context.sources, values, &mut deployed.problems)
    }

    /// `--set` and `--set-string`, the strings after the others, and `--set-file`.
    fn parameters(
        &self,
        dir: Option<&str>,
        helm: &Node,
        mut values: Node,
        deployed: &mut Deployed,
    ) -> Node {
        let parameters = helm.items_at("parameters");
        // For one name the last entry counts, in the place of the first.
        let mut last: indexmap::IndexMap<&str, &Node> = indexmap::IndexMap::new();
        for parameter in parameters {
            if let Some(name) = parameter.str_at("name") {
                last.insert(name, parameter);
            }
        }
        for strings in [false, true] {
            for (name, parameter) in &last {
                let forced = parameter.is_true_at("forceString");
                if forced != strings {
                    continue;
                }
                let nothing = made("", parameter);
                let value = parameter.get("value").unwrap_or(&nothing);
                let text = value.as_scalar().map(|it| self.environment(&it.text).into_owned());
                // Commas are part of the value unless it is a list.
                let text = text.map(|it| {
                    if it.starts_with('{') {
                        it
                    } else {
                        it.replace("\\,", ",").replace(',', "\\,")
                    }
                });
                let value = match text {
                    Some(text) => made(text, value),
                    None => value.clone(),
                };
                deployed.problems.extend(install::set(&mut values, name, &value, forced).err());
            }
        }
        for parameter in helm.items_at("fileParameters") {
            let Some(name) = parameter.str_at("name") else { continue };
            let value = self.content(dir, parameter, deployed);
            deployed.problems.extend(install::put(&mut values, name, &value).err());
        }
        values
    }

    /// The content of the file that one of `helm.fileParameters` names: `--set-file`.
    fn content(&self, dir: Option<&str>, parameter: &Node, deployed: &mut Deployed) -> Node {
        let unknown = || Node::unknown_value("it is the content of a file", &parameter.origin);
        let Some(path) = parameter.get("path") else { return unknown() };
        match self.locate(dir, path).as_deref() {
            Ok([file]) => {
                deployed.reached.files.insert(*file);
                Node::new(self.argo.context.sources.text(*file), Origin::start_of(*file))
            }
            Ok([]) => {
                deployed.problems.push(self.missing(dir, path));
                unknown()
            }
            Ok(_) => unknown(),
            Err(why) => {
                deployed.problems.push(Problem::unresolved(&path.origin, &**why));
                unknown()
            }
        }
    }

    /// That there is no file of the name `entry`.
    fn missing(&self, dir: Option<&str>, entry: &Node) -> Problem {
        let name = entry.as_str().unwrap_or("this values file");
        let message = format!("{name} does not exist, so Argo CD cannot render the chart");
        let written = match name.split_once('/') {
            Some((of, rest)) if of.starts_with('$') => source::join("", rest),
            _ => source::join(dir.unwrap_or_default(), name),
        };
        let path = written.unwrap_or_default();
        prepared::leads_nowhere(self.argo.context.sources, &entry.origin, &path, message)
    }

    pub(super) fn values_files(&self) -> Vec<FileId> {
        let path = self.source.str_at("path").filter(|_| self.source.get("chart").is_none());
        let dir = path.and_then(|path| self.argo.context.sources.below_root(path));
        let parameters = self.source.items_at("helm.fileParameters").iter();
        let contents = parameters.filter_map(|it| it.get("path"));
        let entries = self.source.items_at("helm.valueFiles").iter().chain(contents);
        entries.filter_map(|it| self.locate(dir.as_deref(), it).ok()).flatten().collect()
    }

    /// The files that an entry of `valueFiles` names; none when there is none.
    fn locate(&self, dir: Option<&str>, entry: &Node) -> Result<Vec<FileId>, Reason> {
        if let Some(why) = entry.unknown() {
            return Err(why.clone());
        }
        let written = entry.as_str().unwrap_or_default();
        let text = self.environment(written);
        if text.contains("$ARGOCD_") || text.contains("${ARGOCD_") {
            return Err(format!("`{written}` depends on what only Argo CD knows").into());
        }
        let reference = text.strip_prefix('$').and_then(|it| it.split_once('/'));
        let path = if let Some((name, path)) = reference {
            let from = self.all.iter().find(|it| it.str_at("ref") == Some(name));
            let Some(from) = from else {
                return Err(format!("no source has `ref: {name}`").into());
            };
            SourcePart { source: from, ..*self }.checked_out("")?;
            self.argo.context.sources.below_root(path)
        } else if text.contains("://") {
            return Err(format!("`{written}` is not in the repository").into());
        } else if let Some(dir) = dir {
            self.checked_out(dir)?;
            match text.strip_prefix('/') {
                Some(path) => self.argo.context.sources.below_root(path),
                None => source::join(dir, &text),
            }
        } else {
            return Err(format!("`{written}` is a file of the chart").into());
        };
        let Some(path) = path else { return Ok(Vec::new()) };
        let sources = self.argo.context.sources;
        if !path.contains(['*', '?', '[']) {
            return Ok(sources.find(&path).into_iter().collect());
        }
        let pattern = PathPattern::new(&path);
        Ok(pattern.into_iter().flat_map(|it| it.files(sources)).collect())
    }
}
