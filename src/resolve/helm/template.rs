//! What a chart's templates see, and what Go's templates make of it.
//!
//! The charts are modelled in Rust rather than rendered from their text, so that every value keeps
//! its origin. What a template does to a value is one of the few operations here: hand it on
//! (`toYaml`), print it without quotes (`{{ . }}`, which YAML then reads again), print it with
//! quotes, test it, or go through it.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::{
    data::charts::{self, Behaviour, KnownChart, ValueKey},
    parse, placeholder,
    problem::Problem,
    resolve::{
        environment::Release,
        helm::print::{go_text, typed},
    },
    scalar::{self, Dialect, Scalar, Value},
    source::Sources,
    tree::{Kind, Map, Node, Origin, Reason},
};

/// A result, or what makes Helm refuse the release.
pub(super) type Rendering<T> = Result<T, Problem>;

/// What the templates of one release see.
pub(super) struct HelmScope<'a> {
    pub(super) sources: &'a Sources,
    pub(super) release: &'a Release,
    pub(super) chart: &'static KnownChart,
    /// `.Values`
    pub(super) values: Node,
    /// Those of them that the templates read; a copy in the repository may read others.
    pub(super) keys: Option<Arc<ValueKey>>,
    /// `.Chart.Name`
    pub(super) name: &'a str,
    /// The version whose templates are used.
    pub(super) model: semver::Version,
    /// `.Chart.Version`
    pub(super) version: Node,
    /// `.Chart.AppVersion`
    pub(super) app_version: Node,
    /// Where the chart's own text is reported.
    pub(super) own: Origin,
}

/// Where a template prints a value: what is YAML in the one place need not be in the other.
#[derive(Clone, Copy)]
pub(super) enum TextPlace {
    /// After `- `.
    Item,
    /// After `key: `.
    Value,
}

/// What stands at a key of a rendered mapping.
pub(super) enum TemplateField {
    /// This.
    Is(Node),
    /// What the template itself writes there.
    Own(Kind),
    /// Nothing, and the value of the user's that decides it, if one does.
    Not(Option<Origin>),
}

impl HelmScope<'_> {
    /// Whether the templates are at least this new.
    pub(super) fn since(&self, major: u64, minor: u64, patch: u64) -> bool {
        self.model >= semver::Version::new(major, minor, patch)
    }

    /// Whether the templates do what `behaviour` says.
    pub(super) fn does(&self, behaviour: Behaviour) -> bool {
        self.chart.does(behaviour, &self.model)
    }

    /// Whether the templates read the value at `path`.
    pub(super) fn reads(&self, path: &str) -> bool {
        self.chart.reads(path, &self.model)
    }

    /// What the template itself says.
    pub(super) fn own(&self, value: impl Into<Json>) -> Node {
        charts::from_json(&value.into(), &self.own)
    }

    /// A name that the release is looked for by: what is missing is reported at the release.
    pub(super) fn named(&self, name: String) -> Node {
        Node::new(name, self.release.anchor.clone())
    }

    /// `.Values.a.b`; null when it is not there, or when no template reads it.
    ///
    /// # Errors
    /// A template cannot look into what is not a mapping.
    pub(super) fn get(&self, path: &str) -> Rendering<Node> {
        if self.keys.as_ref().is_some_and(|keys| !keys.has(path)) {
            return Ok(Node::new(Scalar::null(), self.own.clone()));
        }
        let mut node = self.values.clone();
        let mut walked = 0;
        for key in path.split('.') {
            let next = match &node.kind {
                Kind::Unknown(_) => return Ok(node),
                Kind::Map(map) => match (map.get(key), &map.open) {
                    (Some(value), _) => value.clone(),
                    (None, Some(why)) => Node::unknown_value(why.clone(), &node.origin),
                    (None, None) => {
                        let by = map.removed(key).unwrap_or(&self.own);
                        Node::new(Scalar::null(), by.clone())
                    }
                },
                _ => {
                    let parent = path[..walked].trim_end_matches('.');
                    return Err(not_a_map(&node, parent, path));
                }
            };
            walked += key.len() + 1;
            node = next;
        }
        Ok(node)
    }

    /// `{{ with .Values.a.b }}{{ toYaml . }}{{ end }}`
    pub(super) fn given(&self, path: &str) -> Rendering<TemplateField> {
        let node = self.get(path)?;
        Ok(TemplateField::when(&node, typed(&node)))
    }

    /// `{{ toYaml .Values.a.b }}`
    pub(super) fn whole(&self, path: &str) -> Rendering<Node> {
        Ok(typed(&self.get(path)?))
    }

    /// `{{ with .Values.a.b }}{{ . }}{{ end }}`
    pub(super) fn given_text(&self, path: &str) -> Rendering<TemplateField> {
        let node = self.get(path)?;
        Ok(TemplateField::when(&node, self.print(&node)?))
    }

    /// `{{ if .Values.a.b }}…{{ end }}`: `field`, decided by the value.
    pub(super) fn when(&self, path: &str, field: impl Into<Json>) -> Rendering<TemplateField> {
        let node = self.get(path)?;
        let field = charts::from_json(&field.into(), &node.origin);
        Ok(TemplateField::when(&node, field))
    }

    /// `{{ .Values.a.b }}`, without quotes: YAML reads again what is printed.
    pub(super) fn printed(&self, path: &str) -> Rendering<Node> {
        self.print(&self.get(path)?)
    }

    /// `key: {{ . }}`, without quotes.
    pub(super) fn print(&self, node: &Node) -> Rendering<Node> {
        self.print_at(TextPlace::Value, "", node)
    }

    /// `{{ . }}` behind `before`, without quotes.
    pub(super) fn print_at(&self, place: TextPlace, before: &str, node: &Node) -> Rendering<Node> {
        match go_text(node) {
            Ok(text) => self.parsed(place, &format!("{before}{text}"), &node.origin),
            Err(why) => Ok(Node::unknown_value(why, &node.origin)),
        }
    }

    /// `{{ . | quote }}`
    pub(super) fn quote(node: &Node) -> Node {
        Node::new(go_text(node), node.origin.clone())
    }

    /// `{{ range .Values.a.b }}- {{ . }}{{ end }}`: each item without quotes.
    ///
    /// An unknown item stands for any number of them.
    pub(super) fn range(&self, path: &str) -> Rendering<Vec<Node>> {
        let node = self.get(path)?;
        let item = |it: &Node| self.print_at(TextPlace::Item, "", it);
        match &node.kind {
            Kind::Unknown(_) => Ok(vec![node]),
            Kind::List(items) => items.iter().map(item).collect(),
            Kind::Map(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                let open =
                    map.open.iter().map(|why| Ok(Node::unknown_value(why.clone(), &node.origin)));
                let known = entries.into_iter().map(|(_, entry)| item(&entry.value));
                open.chain(known).collect()
            }
            Kind::Scalar(_) if node.is_null() => Ok(Vec::new()),
            Kind::Scalar(scalar) => {
                let message = format!("`{path}` must be a list, and is `{}`", scalar.text);
                let problem = Problem::wrong_type(&node.origin, message).about(path);
                Err(problem.help(format!("write {path}: [\"{}\"]", scalar.text)))
            }
        }
    }

    /// `text` that a template prints at `place`, as YAML reads it.
    pub(super) fn parsed(&self, place: TextPlace, text: &str, origin: &Origin) -> Rendering<Node> {
        let plain = |it: u8| it.is_ascii_alphanumeric() || b"_./:=,+-".contains(&it);
        let inner = text.trim_start_matches('-');
        let simple = text.bytes().all(plain)
            && inner.bytes().next().is_some_and(|it| it.is_ascii_alphanumeric() || it == b'/')
            && !inner.ends_with(':');
        if simple {
            let printed = Node::new(Scalar::plain(text), origin.clone());
            return Ok(match printed.value() {
                Some(Value::Float(_)) if text.contains('e') => {
                    let why = format!("the chart prints `{text}`, which some readers refuse");
                    Node::unknown_value(why, origin)
                }
                Some(Value::Float(_)) => printed,
                _ => typed(&printed),
            });
        }
        if text.contains('\n') {
            let why = "the chart prints this value, which has several lines, without quotes";
            return Ok(Node::unknown_value(why, origin));
        }
        let line = match place {
            TextPlace::Item => format!("- {text}"),
            TextPlace::Value => format!("value: {text}"),
        };
        let line = Node::new(line, origin.clone());
        let documents = parse::embedded(self.sources, &line, Dialect::Sigs);
        let root = documents.roots().next().filter(|_| documents.error().is_none());
        let value = root.and_then(|root| match (place, root.items(), root.as_map()) {
            (TextPlace::Item, [item], _) => Some(item),
            (TextPlace::Value, _, Some(map)) if map.len() == 1 => map.get("value"),
            _ => None,
        });
        let Some(value) = value else {
            if placeholder::has_hole(text) {
                return Ok(Node::unknown_value(format!("nothing here fills in `{text}`"), origin));
            }
            let message = format!("the chart prints `{text}` without quotes: not YAML");
            return Err(Problem::refused(origin, message));
        };
        Ok(typed(value).relocated(origin))
    }

    /// `{{ .Values.a.b }}`, if there is such a value in this version of the chart.
    pub(super) fn printed_if_read(&self, path: &str) -> Rendering<TemplateField> {
        Ok(if self.reads(path) { self.printed(path)?.into() } else { TemplateField::Not(None) })
    }

    /// `{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}`
    pub(super) fn short_name(&self) -> Rendering<Node> {
        self.of_name(|name| self.cut(name))
    }

    /// What `make` makes of `{{ default .Chart.Name .Values.nameOverride }}`.
    fn of_name(&self, make: impl Fn(&str) -> String) -> Rendering<Node> {
        let letters = self.does(Behaviour::ShortNameOfLetters);
        let make = |name: &str| if letters { make(&name.replace('-', "")) } else { make(name) };
        let name = self.get("nameOverride")?;
        let given = || Ok(Node::new(make(&string(&name, "nameOverride")?), name.origin.clone()));
        either(&name, given, || Ok(self.named(make(self.name))))
    }

    /// `name` as the helpers cut it.
    fn cut(&self, name: &str) -> String {
        if self.does(Behaviour::ShortName) { name.chars().take(24).collect() } else { cut(name) }
    }

    /// `{{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}`
    pub(super) fn chart_label(&self) -> Node {
        map_text(&self.version, |it| format!("{}-{}", self.name, it.replace('+', "_")))
    }

    /// The name of nearly everything: `fullnameOverride`, the release's name if that holds the
    /// chart's, else both.
    pub(super) fn full_name(&self) -> Rendering<Node> {
        let whole = self.get("fullnameOverride")?;
        let release = &self.release.name;
        let both = self.does(Behaviour::ShortName);
        let full = |name: &str| match release.contains(name) && !both {
            true => self.cut(release),
            false => self.cut(&format!("{release}-{name}")),
        };
        let given =
            || Ok(Node::new(cut(&string(&whole, "fullnameOverride")?), whole.origin.clone()));
        either(&whole, given, || self.of_name(full))
    }
}

impl TemplateField {
    /// `field` if `condition` is true to a template.
    pub(super) fn when(condition: &Node, field: Node) -> Self {
        match truth(condition) {
            Ok(true) => Self::Is(field),
            Ok(false) => {
                let written = !condition.origin.is_default();
                Self::Not(written.then(|| condition.origin.clone()))
            }
            Err(why) => Self::Is(Node::unknown_value(why, &condition.origin)),
        }
    }
}

impl From<Node> for TemplateField {
    fn from(node: Node) -> Self {
        Self::Is(node)
    }
}

impl From<Fields> for TemplateField {
    fn from(fields: Fields) -> Self {
        Self::Is(fields.node())
    }
}

impl<T: Into<Kind>> From<T> for TemplateField {
    fn from(own: T) -> Self {
        Self::Own(own.into())
    }
}

/// A mapping in the making.
pub(super) struct Fields {
    map: Map,
    origin: Origin,
    /// Where the text of the template is reported.
    own: Origin,
}

impl Fields {
    /// What a template of `scope` itself writes.
    pub(super) fn of(scope: &HelmScope<'_>) -> Self {
        Self { map: Map::default(), origin: scope.own.clone(), own: scope.own.clone() }
    }

    /// The same mapping at `origin`.
    #[must_use]
    pub(super) fn at(self, origin: &Origin) -> Self {
        Self { origin: origin.clone(), ..self }
    }

    #[must_use]
    pub(super) fn set(mut self, key: &str, field: impl Into<TemplateField>) -> Self {
        match field.into() {
            TemplateField::Is(node) => self.map.set(key, node),
            TemplateField::Own(kind) => self.map.set(key, Node::new(kind, self.own.clone())),
            TemplateField::Not(None) => {}
            TemplateField::Not(Some(by)) => {
                self.map.set(key, Node::new(Scalar::null(), by.clone()));
                self.map.remove_by(key, by);
            }
        }
        self
    }

    /// The same with every entry of `more`, which may be anything: only a mapping has entries.
    #[must_use]
    pub(super) fn all(mut self, more: &Node) -> Self {
        for (key, entry) in more.entries() {
            self.map.set(key, entry.value.clone());
        }
        match &more.kind {
            Kind::Map(map) => self.map.open = self.map.open.or_else(|| map.open.clone()),
            Kind::Unknown(why) => self.map.open = Some(why.clone()),
            _ => {}
        }
        self
    }

    /// The same, but keys that are not set are unknown.
    #[must_use]
    pub(super) fn open(mut self, why: Reason) -> Self {
        self.map.open = Some(why);
        self
    }

    pub(super) fn node(self) -> Node {
        Node::new(self.map, self.origin)
    }
}

/// Text made of the text of `node`.
pub(super) fn map_text(node: &Node, f: impl FnOnce(&str) -> String) -> Node {
    Node::new(go_text(node).map(|text| f(&text)), node.origin.clone())
}

/// The image of a `repository` and a tag or, after `@`, a digest: texts, of which one may be unknown.
/// A person edits it at `main`.
pub(super) fn image_of(repository: &Node, sign: char, version: &Node, main: &Origin) -> Node {
    let kind = match (&repository.kind, &version.kind) {
        (Kind::Scalar(repository), Kind::Scalar(version)) => {
            format!("{}{sign}{}", repository.text, version.text).into()
        }
        (Kind::Scalar(_), unknown) | (unknown, _) => unknown.clone(),
    };
    let named = if sign == '@' { "digest" } else { "tag" };
    Node::new(kind, main.joined([("repository", repository.clone()), (named, version.clone())]))
}

/// The items of a list; of an unknown one, one unknown item.
pub(super) fn items(node: &Node) -> Vec<Node> {
    match &node.kind {
        Kind::Unknown(_) => vec![node.clone()],
        _ => node.items().to_vec(),
    }
}

/// Whether a template takes `node` for true: not for false, zero, or what is empty.
pub(crate) fn truth(node: &Node) -> Result<bool, Reason> {
    match &node.kind {
        Kind::Unknown(why) => Err(why.clone()),
        Kind::List(items) => Ok(!items.is_empty()),
        Kind::Map(map) => match &map.open {
            Some(why) if map.is_empty() => Err(why.clone()),
            _ => Ok(!map.is_empty()),
        },
        Kind::Scalar(scalar) => Ok(match scalar::sigs(scalar) {
            Value::Null => false,
            Value::Bool(it) => it,
            Value::Int(it) => it != 0,
            Value::Float(it) => it != 0.0,
            Value::Str(text) => !text.is_empty(),
        }),
    }
}

/// `{{ if node }}…{{ else }}…{{ end }}`; unknown if nobody can tell.
pub(super) fn either(
    node: &Node,
    yes: impl FnOnce() -> Rendering<Node>,
    no: impl FnOnce() -> Rendering<Node>,
) -> Rendering<Node> {
    match truth(node) {
        Ok(true) => yes(),
        Ok(false) => no(),
        Err(why) => Ok(Node::unknown_value(why, &node.origin)),
    }
}

/// Text, where a template function takes nothing else.
fn string(node: &Node, path: &str) -> Rendering<String> {
    node.as_str().map(str::to_owned).ok_or_else(|| {
        Problem::wrong_type(&node.origin, format!("`{path}` must be text, and is not")).about(path)
    })
}

/// That a template looks for `path` below `parent`, where there is something else than a map.
fn not_a_map(node: &Node, parent: &str, path: &str) -> Problem {
    let key = path[parent.len()..].trim_start_matches('.');
    if node.origin.is_default() {
        let message = format!("the chart reads `{path}`, but its own `{parent}` is not a map");
        return Problem::refused(&node.origin, message).about(path);
    }
    let (message, help) = match node.as_bool() {
        Some(value) if key == "enabled" => (
            format!("the chart reads `{path}`, but `{parent}` is not a map"),
            format!("write {parent}: {{enabled: {value}}}"),
        ),
        _ if node.is_null() => (
            format!("the chart reads `{path}`, but `{parent}` is empty"),
            format!("indent what belongs to {parent} below it, or remove it"),
        ),
        _ => (
            format!("the chart reads `{path}`, but `{parent}` is not a map"),
            format!("write {key} below {parent}"),
        ),
    };
    Problem::wrong_type(&node.origin, message).about(path).help(help)
}

/// `trunc 63 | trimSuffix "-"`
fn cut(name: &str) -> String {
    let mut end = name.len().min(63);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let name = &name[..end];
    name.strip_suffix('-').unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut() {
        assert_eq!(cut("metrics-server"), "metrics-server");
        assert_eq!(cut(&"a".repeat(80)), "a".repeat(63));
        assert_eq!(cut(&format!("{}-b", "a".repeat(62))), "a".repeat(62));
    }
}
