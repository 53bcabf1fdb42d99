//! ApplicationSets: what their generators give, and the Applications made of it.
//!
//! `list` and `git` generators, and `matrix` and `merge` of them, are in the repository. Others ask
//! a cluster or a service: their one instance stands for all, its parameters unknown.

mod render;

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    data::subject::is_named_in,
    problem::Problem,
    resolve::{
        argocd::{
            Argo,
            set::render::{SetTemplate, normalized},
        },
        gotemplate::TemplateWork,
        helm,
        install::is_blank,
    },
    scalar::{Dialect, Scalar},
    source::{
        self,
        pattern::{PathPattern, of_any},
    },
    tree::{Entry, Map, Node, Origin, Reason},
};

/// No set has more instances in practice; one that has is cut off and says so.
const MAX_INSTANCES: usize = 2_000;

/// How many parameters one `merge` may merge others into.
const MAX_MERGED: usize = 2_000_000;

/// How deep `matrix` and `merge` may nest; Argo CD allows one level.
const MAX_DEPTH: usize = 3;

/// The Applications that the ApplicationSet `set` makes, and what cannot be told of them; its templates
/// add to `work`.
pub(super) fn instances(
    argo: &Argo<'_>,
    set: &Node,
    work: &TemplateWork,
) -> (Vec<Node>, Vec<Problem>) {
    let go = set.is_true_at("spec.goTemplate");
    let options = set.items_at("spec.goTemplateOptions");
    let strict = options.iter().any(|it| it.as_str() == Some("missingkey=error"));
    let mut generation = Generation { argo, go, strict, problems: Vec::new(), work };
    let mut applications = Vec::new();
    for generator in set.items_at("spec.generators") {
        let over = generator.entries().find_map(|(_, it)| it.value.get("template"));
        let template = match (set.at("spec.template"), over) {
            (Some(template), Some(over)) => helm::merge(template, &without_blanks(over)),
            (Some(template), None) => template.clone(),
            (None, _) => continue,
        };
        for params in generation.params(generator, 0) {
            if applications.len() >= MAX_INSTANCES {
                generation.cut(generator);
                break;
            }
            applications.push(instance(set, &generation.scope(&params), &template));
        }
    }
    (applications, generation.problems)
}

fn instance(set: &Node, scope: &SetTemplate<'_>, template: &Node) -> Node {
    let mut application = scope.render(template);
    let text = |text: &str| Node::new(Scalar::string(text), set.origin.clone());
    let Some(map) = application.as_map_mut() else { return application };
    map.set("apiVersion", text("argoproj.io/v1alpha1"));
    map.set("kind", text("Application"));
    let own = map.get("metadata").cloned();
    let mut metadata = own.unwrap_or_else(|| Node::new(Map::default(), set.origin.clone()));
    if let Some(metadata) = metadata.as_map_mut() {
        if let Some(namespace) = set.at("metadata.namespace") {
            metadata.set("namespace", namespace.clone());
        }
        // An instance whose name only a cluster can tell is called after its set.
        if metadata.get("name").is_none_or(|name| name.as_str().is_none())
            && let Some(name) = set.at("metadata.name")
        {
            metadata.set("name", name.clone());
        }
    }
    map.set("metadata", metadata);
    match set.at("spec.templatePatch") {
        Some(patch) => patched(application, patch, scope),
        None => application,
    }
}

/// `spec.templatePatch` over an instance: a strategic merge, in which lists are replaced and nulls
/// delete. A patch that cannot be read leaves nothing certain.
fn patched(mut application: Node, patch: &Node, scope: &SetTemplate<'_>) -> Node {
    let over = scope.yaml(patch);
    match crate::parse::embedded(scope.sources, &over, Dialect::Sigs).roots().next().cloned() {
        // What is in conditions of which none holds.
        None => application,
        Some(over) if over.as_map().is_some() => {
            let project = application.at("spec.project").cloned();
            let mut patched = without_nulls(&helm::merge(&application, &over));
            if let (Some(project), Some(spec)) = (project, patched.at_mut("spec")) {
                spec.set("project", project);
            }
            patched
        }
        Some(over) => {
            let why = over.unknown().map_or("it is no mapping", |it| &**it);
            let why = format!("the ApplicationSet's `templatePatch` is not evaluated: {why}");
            application.set("spec", Node::unknown_value(why, &patch.origin));
            application
        }
    }
}

/// `node` without the keys whose values are null.
fn without_nulls(node: &Node) -> Node {
    kept(node, &Node::is_null)
}

/// `node` without what Go takes for no value: the template of a generator leaves that to the set's.
fn without_blanks(node: &Node) -> Node {
    kept(node, &is_blank)
}

/// `node` without the keys of maps whose values are `gone`.
fn kept(node: &Node, gone: &impl Fn(&Node) -> bool) -> Node {
    node.rewrite(&mut |node| {
        let mut map = node.as_map()?.clone();
        map.retain(|_, entry| {
            entry.value = kept(&entry.value, gone);
            !gone(&entry.value)
        });
        Some(Node::new(map, node.origin.clone()))
    })
}

struct Generation<'r, 'a> {
    argo: &'r Argo<'a>,
    go: bool,
    strict: bool,
    problems: Vec<Problem>,
    /// What its templates did, and those of others.
    work: &'r TemplateWork,
}

impl Generation<'_, '_> {
    fn problem(&mut self, at: &Origin, message: impl Into<Reason>) {
        self.problems.push(Problem::unresolved(at, message));
    }

    /// Takes note that more comes of `generator` than is looked at.
    fn cut(&mut self, generator: &Node) {
        let message = format!("only the first {MAX_INSTANCES} instances are looked at");
        self.problems.push(Problem::unresolved(&generator.origin, message).hiding_all());
    }

    /// The parameters that `generator` gives, one map an instance.
    fn params(&mut self, generator: &Node, depth: usize) -> Vec<Node> {
        let mut all = Vec::new();
        for (kind, entry) in generator.entries().filter(|(key, _)| *key != "selector") {
            let config = &entry.value;
            let mut params = match kind {
                "list" => self.list(config),
                "git" => self.git(config),
                "matrix" if depth < MAX_DEPTH => self.matrix(config, depth),
                "merge" if depth < MAX_DEPTH => self.merged(config, depth),
                _ => {
                    let at = entry.key.map_or_else(|| config.origin.clone(), Origin::written);
                    let why = format!("what the `{kind}` generator gives is not in the repository");
                    self.problem(&at, why.clone());
                    let map = Map::open(Some(why.into()));
                    vec![Node::new(map, at)]
                }
            };
            if let Some(values) = config.get("values").filter(|_| kind != "list") {
                for params in &mut params {
                    let scope = self.scope(params);
                    let values = scope.render(values);
                    params.set("values", values);
                }
            }
            all.extend(params);
        }
        if let Some(selector) = generator.get("selector") {
            all.retain(|it| selects(selector, it));
        }
        all
    }

    fn scope<'s>(&'s self, params: &Node) -> SetTemplate<'s> {
        SetTemplate {
            sources: self.argo.context.sources,
            params: params.clone(),
            go: self.go,
            strict: self.strict,
            work: self.work,
        }
    }

    fn list(&mut self, config: &Node) -> Vec<Node> {
        let mut elements = config.items_at("elements").to_vec();
        if let Some(text) = config.get("elementsYaml") {
            let documents = crate::parse::embedded(self.argo.context.sources, text, Dialect::Sigs);
            match documents.roots().next().and_then(Node::as_list) {
                Some(more) => elements.extend(more.iter().cloned()),
                None => self.problem(&text.origin, "`elementsYaml` is not a list"),
            }
        }
        elements.retain(|it| it.as_map().is_some());
        elements
    }

    fn git(&mut self, config: &Node) -> Vec<Node> {
        let url = config.str_at("repoURL").unwrap_or_default();
        let (argo, sources) = (self.argo, self.argo.context.sources);
        if !argo.is_ours(url) && !argo.repository.is_ours_by_itself(sources, config) {
            let at = config.get("repoURL").map_or(&config.origin, |it| &it.origin).clone();
            let why = format!("`{url}` is not known to be this repository");
            // What lies there may be told by the paths that are wanted.
            let items = ["directories", "files"].into_iter().flat_map(|it| config.items_at(it));
            let mut wanted = items.filter(|it| !it.is_true_at("exclude"));
            let named = wanted.find_map(|it| it.str_at("path").filter(|it| is_named_in(it)));
            let problem = Problem::unresolved(&at, &*why).about(named.unwrap_or_default());
            self.problems.push(problem);
            return vec![Node::new(Map::open(Some(why.into())), at)];
        }
        let fields = ["directories", "files"].map(|it| config.items_at(it));
        let mut items = fields.iter().copied().flatten();
        // What another generator fills in may be unknown.
        if let Some((why, at)) = items.find_map(|it| {
            let path = it.get("path")?;
            Some((path.unknown()?.clone(), &path.origin))
        }) {
            self.problem(at, &*why);
            return vec![Node::new(Map::open(Some(why)), at.clone())];
        }
        let prefix = config.str_at("pathParamPrefix");
        match fields {
            [[], files] => self.git_files(&patterns(files, PathPattern::of_git), prefix),
            [directories, _] => {
                self.git_directories(&patterns(directories, PathPattern::new), prefix)
            }
        }
    }

    fn git_directories(&self, patterns: &[GitPattern], prefix: Option<&str>) -> Vec<Node> {
        let sources = self.argo.context.sources;
        // As it is, and as it will be.
        let named = of_any(including(patterns), |it| it.candidate_dirs(sources)).into_iter();
        let named = named.filter(|it| !is_hidden(it));
        let named = named.map(|dir| [Cow::Borrowed(dir), sources.made_of(dir)]);
        let picked = |dir: Cow<'_, str>| Some((picked(patterns, &dir)?, dir.into_owned()));
        let matching = named.filter_map(|it| it.into_iter().find_map(picked));
        let params = matching
            .map(|(at, dir)| Node::new(self.path_params(&dir, None, prefix, at), at.clone()));
        params.collect()
    }

    fn git_files(&self, patterns: &[GitPattern], prefix: Option<&str>) -> Vec<Node> {
        let sources = self.argo.context.sources;
        let mut params = Vec::new();
        for file in of_any(including(patterns), |it| it.candidates(sources)) {
            let own = source::rendered(&sources[file].path);
            let mut names = [Cow::Borrowed(own), sources.made_of(own)].into_iter();
            let Some((at, path)) = names.find_map(|it| Some((picked(patterns, &it)?, it))) else {
                continue;
            };
            let documents = sources.documents(file, Dialect::Sigs);
            let start = Origin::start_of(file);
            let nothing = Node::new(Map::default(), start.clone());
            let first = documents.list.first().and_then(|it| it.root.as_ref().ok());
            let first = first.filter(|it| !it.is_null()).unwrap_or(&nothing);
            let single = [first.clone()];
            for content in first.as_list().unwrap_or(&single) {
                let Some(content) = content.as_map() else { continue };
                let mut map = content.clone();
                let dir = source::parent(&path);
                let name = Some(source::file_name(&path));
                map.extend(&self.path_params(dir, name, prefix, at));
                params.push(Node::new(map, start.clone()));
            }
        }
        params
    }

    fn path_params(
        &self,
        dir: &str,
        file: Option<&str>,
        prefix: Option<&str>,
        origin: &Origin,
    ) -> Map {
        let text = |text: &str| Node::new(Scalar::string(text), origin.clone());
        let dir = if dir.is_empty() { "." } else { dir };
        let base = source::file_name(dir);
        let mut fields = vec![
            ("path", text(dir)),
            ("basename", text(base)),
            ("basenameNormalized", text(&normalized(base))),
        ];
        if let Some(file) = file {
            fields.push(("filename", text(file)));
            fields.push(("filenameNormalized", text(&normalized(file))));
        }
        let segments: Vec<Node> = dir.split('/').map(text).collect();
        if self.go {
            fields.push(("segments", Node::new(segments, origin.clone())));
            let path = Node::new(fields.into_iter().collect::<Map>(), origin.clone());
            let Some(prefix) = prefix else { return Map::from_iter([("path", path)]) };
            return Map::from_iter([(prefix, Node::new([("path", path)], origin.clone()))]);
        }
        let prefix = prefix.map_or_else(String::new, |it| format!("{it}."));
        let mut flat = Map::default();
        for (name, value) in fields {
            match name {
                "path" => flat.set(format!("{prefix}path"), value),
                name => flat.set(format!("{prefix}path.{name}"), value),
            }
        }
        for (index, segment) in segments.into_iter().enumerate() {
            flat.set(format!("{prefix}path[{index}]"), segment);
        }
        flat
    }

    /// Every combination of what two generators give; the second may use what the first gives.
    fn matrix(&mut self, config: &Node, depth: usize) -> Vec<Node> {
        let [first, second] = config.items_at("generators") else {
            self.problem(&config.origin, "a `matrix` generator has two generators");
            return Vec::new();
        };
        let mut all = Vec::new();
        for outer in self.params(first, depth + 1) {
            let second = self.scope(&outer).render(second);
            for inner in self.params(&second, depth + 1) {
                if all.len() >= MAX_INSTANCES {
                    self.cut(config);
                    return all;
                }
                // Of Go templates' parameters the first generator's count.
                all.push(if self.go { union(&inner, &outer) } else { union(&outer, &inner) });
            }
        }
        all
    }

    /// What the first generator gives, changed by what the others give for the same keys.
    fn merged(&mut self, config: &Node, depth: usize) -> Vec<Node> {
        let keys: Vec<&str> =
            config.items_at("mergeKeys").iter().filter_map(Node::as_str).collect();
        let mut generators = config.items_at("generators").iter();
        let Some(base) = generators.next() else { return Vec::new() };
        // What a map has at each of the keys, if it has all of them.
        let merged_by = |params: &Node| -> Option<Vec<_>> {
            let text = |key: &&str| {
                let value = params.get(key).or_else(|| params.at(key))?;
                value.as_scalar().map(|it| it.text.clone())
            };
            keys.iter().map(text).collect::<Option<_>>().filter(|_| !keys.is_empty())
        };
        let mut all = self.params(base, depth + 1);
        let mut places: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, params) in all.iter().enumerate() {
            if let Some(values) = merged_by(params) {
                places.entry(values).or_default().push(index);
            }
        }
        let mut left = MAX_MERGED;
        for generator in generators {
            for over in self.params(generator, depth + 1) {
                let same = merged_by(&over).and_then(|it| places.get(&it));
                for index in same.into_iter().flatten() {
                    left = left.saturating_sub(all[*index].entries().count());
                    if left == 0 {
                        let message = "what comes after is not merged: there is too much of it";
                        let problem = Problem::unresolved(&generator.origin, message);
                        self.problems.push(problem.hiding_all());
                        return all;
                    }
                    all[*index] = helm::merge(&all[*index], &over);
                }
            }
        }
        all
    }
}

/// A pattern of a git generator, where it stands, and whether it excludes what it matches.
struct GitPattern(PathPattern, Origin, bool);

/// Whether `dir` lies in a hidden directory, or is one.
fn is_hidden(dir: &str) -> bool {
    dir.split('/').any(|it| it.starts_with('.'))
}

/// Those that exclude nothing.
fn including(patterns: &[GitPattern]) -> impl Iterator<Item = &PathPattern> {
    patterns.iter().filter(|it| !it.2).map(|it| &it.0)
}

fn patterns(items: &[Node], pattern: impl Fn(&str) -> Option<PathPattern>) -> Vec<GitPattern> {
    let of = |it: &Node| {
        let path = it.get("path")?;
        Some(GitPattern(pattern(path.as_str()?)?, path.origin.clone(), it.is_true_at("exclude")))
    };
    items.iter().filter_map(of).collect()
}

/// Where the pattern stands that picks `path`, unless one excludes it.
fn picked<'p>(patterns: &'p [GitPattern], path: &str) -> Option<&'p Origin> {
    let matching = |exclude| {
        let mut all = patterns.iter().filter(move |it| it.2 == exclude);
        all.find(|it| it.0.is_match(path))
    };
    matching(false).filter(|_| matching(true).is_none()).map(|it| &it.1)
}

/// Both maps in one; what only a cluster can tell of either stays open.
fn union(first: &Node, second: &Node) -> Node {
    let mut both = first.clone();
    let open = [first, second].into_iter().find_map(|it| it.as_map()?.open.clone());
    for (key, entry) in second.entries() {
        let value = match both.get(key) {
            Some(old) => helm::merge(old, &entry.value),
            None => entry.value.clone(),
        };
        if let Some(map) = both.as_map_mut() {
            map.insert(key, Entry { key: entry.key, value });
        }
    }
    if let Some(map) = both.as_map_mut() {
        map.open = open;
    }
    Node::new(both.kind, second.origin.clone())
}

/// Whether parameters match a label selector; what cannot be told does.
fn selects(selector: &Node, params: &Node) -> bool {
    let open = params.as_map().is_some_and(|it| it.open.is_some());
    let text = |key: &str| -> Option<String> {
        let node = params.get(key).or_else(|| params.at(key))?;
        node.as_scalar().map(|it| it.text.to_string())
    };
    let labels = selector.get("matchLabels").into_iter().flat_map(Node::entries);
    let mut wanted = labels.map(|(key, it)| (key, it.value.as_scalar().map(|it| &*it.text)));
    let matches = wanted.all(|(key, value)| match text(key) {
        Some(text) => value == Some(text.as_str()),
        None => open,
    });
    let expressions = selector.items_at("matchExpressions");
    matches
        && expressions.iter().all(|expression| {
            let Some(key) = expression.str_at("key") else { return true };
            let values = expression.items_at("values");
            let listed = |text: &str| {
                values.iter().any(|node| node.as_scalar().is_some_and(|it| &*it.text == text))
            };
            match (expression.str_at("operator"), text(key)) {
                (_, None) if open => true,
                (Some("In"), value) => value.is_some_and(|it| listed(&it)),
                (Some("NotIn"), value) => value.is_none_or(|it| !listed(&it)),
                (Some("Exists"), value) => value.is_some(),
                (Some("DoesNotExist"), value) => value.is_none(),
                _ => true,
            }
        })
}
