//! Go templates with provenance: an engine that keeps, for every byte it prints, where that came from.
//!
//! Values may be unknown. What depends on one is unknown, and nothing else is: what stands under a
//! condition that nobody can tell may be there or not, a text keeps what is known around the unknown
//! part of it. Semantics are those of Go's `text/template`; who uses it, Helm, Helmfile or Argo CD,
//! adds functions and says what the template sees.

mod eval;
mod functions;
mod parse;
mod read;
mod reads;
mod text;
mod value;

use std::{
    cell::Cell,
    sync::{Arc, OnceLock},
};

use indexmap::IndexMap;

pub(crate) use eval::GoError;
pub(crate) use functions::FunctionCall;
pub(crate) use read::PrintedDocument;
pub(crate) use reads::{both, reads_of};
pub(crate) use text::MarkedText;
pub(crate) use value::{GoData, GoMap, GoObject, GoValue};

use crate::{
    data::charts::ValueKey,
    problem::Problem,
    tree::{Node, Origin, Reason, Via},
};

/// What the templates of several sets did so far, which count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct TemplateWork(Cell<usize>);

impl TemplateWork {
    /// Of all that those of a chart may do, the part that is left to each of `count`, which do not know
    /// of each other.
    pub(crate) fn share(count: usize) -> Self {
        Self(Cell::new(eval::MAX_ALL_WORK - eval::MAX_ALL_WORK / count.max(1)))
    }

    /// How much was done.
    pub(crate) fn done(&self) -> usize {
        self.0.get()
    }

    /// Whether nothing more is run.
    pub(crate) fn is_all(&self) -> bool {
        self.0.get() > eval::MAX_ALL_WORK
    }
}

/// What a program that uses templates adds to them.
pub(crate) trait GoHost {
    /// What a function of its own gives, or one that it does not have; nothing when it is another.
    fn function(&self, call: &FunctionCall<'_>) -> Option<Result<GoValue, Box<GoError>>>;

    /// Whether it has a function that is none of Go, Sprig or Helm.
    fn has(&self, _function: &str) -> bool {
        false
    }

    /// What becomes of a key that a map does not have.
    fn missing(&self) -> MissingKey {
        MissingKey::Empty
    }

    /// Why a template that is not there may be elsewhere.
    fn elsewhere(&self) -> Option<Reason> {
        None
    }
}

/// What a key is that a map does not have: the option `missingkey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingKey {
    /// Nothing: `<no value>` is taken out of what is printed.
    Empty,
    /// `<no value>`, as everything that is nil; Helm takes it out of whole templates.
    NoValue,
    /// An error (`missingkey=error`), unless whoever runs the program passes a value.
    Unknown,
}

/// A template as it is parsed, for any number of sets.
#[derive(Debug, Clone)]
pub(crate) struct ParsedTemplate(Arc<ParsedText>);

#[derive(Debug)]
struct ParsedText {
    text: Arc<MarkedText>,
    parsed: parse::Parsed,
    /// The functions that it calls and that are none of Go, Sprig or Helm, each with where.
    others: Vec<(String, Origin)>,
    /// The values that it reads, once somebody asks.
    reads: OnceLock<ValueKey>,
}

impl ParsedTemplate {
    /// Parses `text`.
    ///
    /// # Errors
    /// It is no template.
    pub(crate) fn new(text: MarkedText) -> Result<Self, Problem> {
        let nowhere = Origin::at(Via::Written, None);
        let mut parsed = parse::parse(&text, &nowhere).map_err(|it| it.problem())?;
        let functions = std::mem::take(&mut parsed.functions).into_iter();
        let origin = |at| text.origin_of(at).unwrap_or_else(|| nowhere.clone());
        let others = functions.filter(|it| !functions::has(&it.0)).map(|(it, at)| (it, origin(at)));
        let others = others.collect();
        let reads = OnceLock::new();
        Ok(Self(Arc::new(ParsedText { text: Arc::new(text), parsed, others, reads })))
    }
}

/// The templates that can include one another.
#[derive(Debug, Clone, Default)]
pub(crate) struct TemplateSet {
    /// By name: where it is, and which of those that are defined there it is, unless it is all of that.
    templates: IndexMap<String, (ParsedTemplate, Option<usize>)>,
    /// The functions that are called somewhere and are none of Go, Sprig or Helm.
    others: IndexMap<String, Origin>,
    /// What was done in all that were run: a chart may have any number of them.
    work: Cell<usize>,
}

impl TemplateSet {
    /// [`TemplateSet::execute`] of a set without a name for it, which counts together with others.
    ///
    /// # Errors
    /// What ends it, and that those did all that may be done.
    pub(crate) fn execute_after(
        &self,
        work: &TemplateWork,
        dot: &GoValue,
        host: &dyn GoHost,
    ) -> Result<MarkedText, Reason> {
        self.work.set(work.done());
        let text = self.execute("", dot, host);
        work.0.set(self.work());
        text.map_err(|it| it.message.into())
    }

    /// How much was done in all that were run.
    pub(crate) fn work(&self) -> usize {
        self.work.get()
    }

    /// Adds the template `name` and those that it defines, which replace any of the same name.
    ///
    /// # Errors
    /// It is no template.
    pub(crate) fn add(&mut self, name: &str, text: MarkedText) -> Result<(), Problem> {
        self.insert(name, &ParsedTemplate::new(text)?);
        Ok(())
    }

    /// [`TemplateSet::add`], of what is parsed.
    pub(crate) fn insert(&mut self, name: &str, template: &ParsedTemplate) {
        let ParsedText { text, parsed, others, .. } = &*template.0;
        for (function, at) in others {
            self.others.entry(function.clone()).or_insert_with(|| at.clone());
        }
        for (index, (name, body)) in parsed.defines.iter().enumerate() {
            let is_blank = parse::is_blank(body, text.as_str());
            if !(is_blank && self.templates.contains_key(name)) {
                self.templates.insert(name.clone(), (template.clone(), Some(index)));
            }
        }
        self.templates.insert(name.to_owned(), (template.clone(), None));
    }

    /// What the template `name` prints of `dot`.
    ///
    /// # Errors
    /// What ends it: the message of `fail`, a field of nothing, a bound.
    pub(crate) fn execute(
        &self,
        name: &str,
        dot: &GoValue,
        host: &dyn GoHost,
    ) -> Result<MarkedText, Box<GoError>> {
        self.check(host)?;
        let text = eval::Execution::new(self, host).template(name, dot, &dot.origin)?;
        Ok(if host.missing() == MissingKey::Empty { text.without_no_value() } else { text })
    }

    /// Go refuses templates that call what is no function, even where that is never run.
    fn check(&self, host: &dyn GoHost) -> Result<(), Box<GoError>> {
        match self.others.iter().find(|(name, _)| !host.has(name)) {
            Some((name, at)) => functions::none(name, at),
            None => Ok(()),
        }
    }

    /// Whether there is a template of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.templates.contains_key(name)
    }

    /// [`TemplateSet::execute`], in which what fails is unknown and the rest goes on; and what failed.
    pub(crate) fn execute_all(
        &self,
        name: &str,
        dot: &GoValue,
        host: &dyn GoHost,
    ) -> (MarkedText, Vec<GoError>) {
        if let Err(error) = self.check(host) {
            return (MarkedText::default(), vec![*error]);
        }
        let mut run = eval::Execution::new(self, host).going_on();
        let text = run.template(name, dot, &dot.origin);
        let mut failures = run.failures();
        let text = text.unwrap_or_else(|error| {
            failures.push(*error);
            MarkedText::default()
        });
        (text, failures)
    }

    fn find(&self, name: &str) -> Option<(&[parse::Action], &Arc<MarkedText>)> {
        let (ParsedTemplate(template), defined) = self.templates.get(name)?;
        let body = match defined {
            Some(index) => &template.parsed.defines.get(*index)?.1,
            None => &template.parsed.body,
        };
        Some((body, &template.text))
    }
}

/// The documents that a template prints of what nobody can tell, for that reason.
///
/// # Errors
/// It cannot be run, or what it prints is not YAML.
pub(crate) fn of_unknown(text: MarkedText, why: &str) -> Result<Vec<Node>, Reason> {
    let at = Origin::at(Via::Written, None);
    let mut set = TemplateSet::default();
    set.add("", text).map_err(|it| Reason::from(&*it.message))?;
    let printed = set.execute("", &GoValue::unknown(why, &at), &NoHost);
    let printed = printed.map_err(|it| Reason::from(&*it.message))?;
    let documents = printed.documents().into_iter().map(|document| match document.root {
        Ok(root) => Ok(root),
        Err((error, _)) => {
            Err(format!("it is not YAML around its placeholders: {}", error.message).into())
        }
    });
    documents.collect()
}

/// Nobody's functions.
struct NoHost;

impl GoHost for NoHost {
    fn function(&self, _: &FunctionCall<'_>) -> Option<Result<GoValue, Box<GoError>>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Sources, tests::printed_of};

    /// Two files, `v.yaml` and `t.yaml`, and what the one prints of the other.
    struct Printed {
        sources: Sources,
        text: Result<MarkedText, Box<GoError>>,
    }

    fn print(values: &str, template: &str) -> Printed {
        let sources = Sources::in_memory([("v.yaml", values), ("t.yaml", template)]);
        let text = printed_of(&sources);
        Printed { sources, text }
    }

    impl Printed {
        /// The first document: each value with where it is written, as `file:line`.
        fn told(&self) -> String {
            let text = self.text.as_ref().expect("it is printed");
            let documents = text.documents();
            let [document] = &documents[..] else { panic!("one document: {:?}", text.as_str()) };
            let root = document.root.as_ref().expect("it is YAML");
            let mut told = Vec::new();
            self.tell(root, "", &mut told);
            told.join("\n")
        }

        fn tell(&self, node: &Node, path: &str, told: &mut Vec<String>) {
            let at = |origin: &Origin| {
                let places = origin.steps().filter_map(|it| it.span).map(|span| {
                    format!("{}:{}", self.sources[span.file].path, self.sources.start(span).line)
                });
                places.collect::<Vec<_>>().join(" < ").replace(".yaml", "")
            };
            if let Some(map) = node.as_map() {
                for (key, entry) in map.iter() {
                    self.tell(&entry.value, &format!("{path}.{key}"), told);
                }
                told.extend(map.open.as_ref().map(|why| format!("{path}.*: ? {why}")));
                let removed = map.all_removed().iter();
                told.extend(removed.map(|(key, by)| format!("{path}.{key}: not, {}", at(by))));
            } else if let Some(items) = node.as_list() {
                for (index, item) in items.iter().enumerate() {
                    self.tell(item, &format!("{path}[{index}]"), told);
                }
            } else {
                let value = match (node.unknown(), node.if_there()) {
                    (Some(why), Some(it)) => format!("? {why}, perhaps {}", it.to_json()),
                    (Some(why), None) => format!("? {why}"),
                    (None, _) => node.to_json().to_string(),
                };
                told.push(format!("{path}: {value}  {}", at(&node.origin)));
            }
        }
    }

    #[test]
    fn what_templates_read() {
        let template = "
            {{ .Values.image.tag | default .Chart.AppVersion }}{{ with .Values.a }}{{ .b }}{{ end }}
            {{- if and .Values.c.d (eq .Values.e.f 1) }}{{ toYaml .Values.whole }}{{ end }}
            {{- range .Values.list }}{{ .x }}{{ end }}{{ index .Values \"dashed-key\" \"y\" }}
            {{ $x := .Values.kept }}{{ include \"i\" .Values.passed }}{{ (.Values.g).h }}
            {{ define \"n\" }}{{ .root.Values.named | quote }}{{ end }}{{ dig \"q\" \"\" .Values.p }}
        ";
        let mut told = Vec::new();
        tell_reads("", &reads_of(template).expect("a template"), &mut told);
        let expected =
            "named image.tag a.b c.d e.f whole.* list.* dashed-key.y kept.* passed.* g.h p.q";
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn what_a_function_gives_back_is_read_as_that_is() {
        let read = |template: &str| {
            let mut told = Vec::new();
            tell_reads("", &reads_of(template).expect("a template"), &mut told);
            told.join(" ")
        };
        assert_eq!(read("{{ .Values.a | default dict | toYaml }}"), "a.*");
        assert_eq!(
            read("{{ toYaml (required `x` .Values.a) }}{{ or .Values.b 1 | quote }}"),
            "a.* b"
        );
        assert_eq!(read("{{ $x := get .Values.a .key | default dict }}"), "a.*");
        assert_eq!(
            read("{{ get .Values.a .key | quote }}{{ get .Values.b `c` | quote }}"),
            "a.* b.c"
        );
        assert_eq!(read("{{ (.Values.a | default dict).b | quote }}"), "a.*");
        assert_eq!(read("{{ with .Values.a | default dict }}{{ .b }}{{ end }}"), "a.*");
        assert_eq!(read("{{ if .Values.a | default dict }}{{ end }}{{ not .Values.b }}"), "a b");
    }

    fn tell_reads(path: &str, key: &ValueKey, told: &mut Vec<String>) {
        match key {
            ValueKey::Map(keys) if !keys.is_empty() => {
                let dot = if path.is_empty() { "" } else { "." };
                for (name, key) in keys {
                    tell_reads(&format!("{path}{dot}{name}"), key, told);
                }
            }
            ValueKey::Map(_) => told.push(path.to_owned()),
            _ => told.push(format!("{path}.*")),
        }
    }

    #[test]
    fn values_keep_their_lines() {
        let printed = print(
            "image:\n  repository: a.io/b\n  tag: v1\nreplicas: 2\nresources:\n  limits:\n    cpu: 1\nargs:\n- --a\n- --b\n",
            "{{- define \"name\" }}m-{{ .Values.replicas }}{{ end -}}\nname: {{ include \"name\" . | quote }}\nimage: \"{{ .Values.image.repository }}:{{ .Values.image.tag }}\"\nfixed: here\nresources:\n  {{- toYaml .Values.resources | nindent 2 }}\nargs:\n  - --fixed\n  {{- range .Values.args }}\n  - {{ . }}\n  {{- end }}\n",
        );
        insta::assert_snapshot!(printed.told());
    }

    #[test]
    fn what_is_json_keeps_its_lines() {
        let values = "m:\n  b: 2\n  args:\n  - --a\n  - '<b>'\n  none: {}\n";
        for function in ["toJson", "toRawJson", "toPrettyJson", "toJson | fromJson | toPrettyJson"]
        {
            let template = format!("x: 1\nm: {{{{ .Values.m | {function} }}}}\n");
            let told = print(values, &template).told();
            let lines: Vec<_> = told.lines().map(|it| it.replace(" t:2 < v", " v")).collect();
            let expected = [
                ".x: 1  t:1",
                ".m.args[0]: \"--a\"  v:4",
                ".m.args[1]: \"<b>\"  v:5",
                ".m.b: 2  v:2",
            ];
            assert_eq!(lines, expected, "{function}");
        }
    }

    #[test]
    fn what_is_unknown_hides_what_it_may_change() {
        let printed = print(
            "flag: 'unknown a secret'\nport: 'unknown a variable'\nmore: 'unknown a file'\n",
            "a: 1\nargs:\n  - --port={{ .Values.port }}\n  - --b\n  {{- with .Values.more }}\n  {{- toYaml . | nindent 2 }}\n  {{- end }}\n{{- if .Values.flag }}\nb: 2\n{{- else }}\nc: 3\n{{- end }}\nlabels:\n  x: y\n  {{- toYaml .Values.more | nindent 2 }}\nwhole:\n  {{- toYaml .Values.more | nindent 2 }}\n",
        );
        insta::assert_snapshot!(printed.told());
    }

    #[test]
    fn both_sides_of_what_nobody_can_tell_are_looked_at() {
        let told = |template: &str| print("u: 'unknown secret'", template).told();
        let both = "{{- if .Values.u }}\na: 1\nb: x\n{{- else }}\na: 2\nb: x\nc: 3\n{{- end }}\n";
        let text = format!("z: 0\n{both}");
        assert_eq!(
            told(&text),
            ".z: 0  t:1\n.a: ? secret  t:3\n.b: \"x\"  t:4\n.c: ? secret, perhaps 3  t:8"
        );
        let other = "a:\n{{- if .Values.u }}\n  - x\n{{- else }}\n  b: c\n{{- end }}\nd: 1\n";
        assert_eq!(told(other), ".a: ? secret  t:3\n.d: 1  t:7");
        let chain = "z: 0\n{{- if .Values.u }}\na: 1\n{{- else if eq .Values.u `x` }}\na: 2\n{{- else }}\na: 1\n{{- end }}\n";
        assert_eq!(told(chain), ".z: 0  t:1\n.a: ? secret  t:3");
        let failing = "a: 1\n{{- if .Values.u }}\nb: 1\n{{ fail `never` }}\n{{- end }}\n";
        assert_eq!(told(failing), ".a: 1  t:1");
        let changed = "{{- $d := dict `k` 1 `o` 1 }}{{- if .Values.u }}{{ $_ := unset $d `k` }}{{ $_ := set $d `n` 1 }}{{ end -}}\nk: {{ $d.k }}\nm: {{ hasKey $d `n` }}\no: {{ $d.o }}\n";
        assert_eq!(
            told(changed),
            ".k: ? secret  t:2 < t:1\n.m: ? secret  t:3 < t:1\n.o: 1  t:4 < t:1"
        );
    }

    #[test]
    fn conditions_may_be_deep() {
        let conditions = (0..90).map(|it| format!("{{{{- if .Values.u }}}}\na{it}: 1\n"));
        let inner = conditions.collect::<Vec<_>>().concat();
        let told = print(
            "u: 'unknown secret'",
            &("z: 0\n".to_owned() + &inner + &"{{- end }}".repeat(90)),
        )
        .told();
        assert_eq!(told.lines().count(), 91, "{told}");
        assert!(told.lines().skip(1).all(|it| it.contains("? secret, perhaps 1")), "{told}");
    }

    #[test]
    fn what_is_nothing_on_one_side_may_be_there() {
        let told = |template: &str| print("u: 'unknown secret'", template).told();
        let map = "data:\n{{- if .Values.u }}\n  a: 1\n{{- end }}\nz: 0\n";
        assert_eq!(told(map), ".data: ? secret, perhaps {\"a\":1}  t:3\n.z: 0  t:5");
        let text = "a: {{ if .Values.u }}x{{ end }}\nb:\n{{- with .Values.u }}\n- 1\n{{- end }}\n";
        assert_eq!(told(text), ".a: ? secret, perhaps \"x\"  t:1\n.b: ? secret, perhaps [1]  t:4");
    }

    #[test]
    fn what_is_no_template_is_refused_and_what_is_too_deep_is_not_known() {
        let error = |template: &str| *print("a: 1", template).text.expect_err("it is none");
        let never = error("{{ if .Values.b }}{{ nosuch 1 }}{{ end }}a: 1\n");
        assert_eq!((&*never.message, never.bound), ("there is no function `nosuch`", false));
        let deep = "{{ if 1 }}".repeat(200) + &"{{ end }}".repeat(200);
        assert!(error(&deep).bound && !error("{{ if 1 }}").bound);
    }

    #[test]
    fn bytes_that_are_no_text_are_unknown() {
        let told = |template: &str| print("a: 1", template).told();
        assert_eq!(told(r#"a: {{ "\xff" }}"#), ".a: ? this text is not UTF-8  t:1");
        assert_eq!(told(r#"a: {{ "\xc3\xa9" }}"#), ".a: \"é\"  t:1");
    }

    #[test]
    fn what_follows_a_loop_that_may_have_been_left_is_not_known() {
        let printed = print(
            "u: 'unknown a secret'\nl: [a, b]\n",
            "args:\n{{- range .Values.l }}\n{{- if $.Values.u }}{{ break }}{{ end }}\n- --{{ . }}=1\n\
             {{- end }}\nb: 2\n",
        );
        let told = printed.told();
        assert!(!told.contains("[0]: \"--a=1\"") && !told.contains("[1]: \"--b=1\""), "{told}");
        assert!(told.ends_with(".b: 2  t:6"), "{told}");
    }

    #[test]
    fn a_later_map_fills_no_key_that_an_unknown_one_may_have() {
        let printed = print(
            "u: 'unknown a secret'\nd: {k: 1}\n",
            "a: {{ index (merge (dict) .Values.u .Values.d) \"k\" }}\n",
        );
        assert_eq!(printed.told(), ".a: ? a secret  t:1 < v:2");
    }

    #[test]
    fn what_a_condition_leaves_out_is_told() {
        let printed = print(
            "priority: \"\"\nhost: {enabled: false}\n",
            "spec:\n  a: 1\n  {{- with .Values.priority }}\n  priorityClassName: {{ . }}\n  {{- end }}\n  {{- if .Values.host.enabled }}\n  hostNetwork: true\n  {{- end }}\n",
        );
        insta::assert_snapshot!(printed.told());
    }

    #[test]
    fn what_all_templates_of_a_set_do_is_counted() {
        let nowhere = Origin::at(Via::Written, None);
        let mut set = TemplateSet::default();
        set.add("a", MarkedText::made_of("{{ range until 9 }}x{{ end }}")).expect("a template");
        let run = || set.execute("a", &GoValue::nil(&nowhere), &NoHost).is_ok();
        assert!(run());
        let once = set.work.get();
        assert!(once > 0 && run() && set.work.get() == 2 * once);
        set.work.set(usize::MAX - once);
        assert!(!run());
        // What others did counts, and adds to what others may do.
        let run = |work: &TemplateWork| {
            let mut set = TemplateSet::default();
            set.add("", MarkedText::made_of("{{ range until 9 }}x{{ end }}")).expect("a template");
            set.execute_after(work, &GoValue::nil(&nowhere), &NoHost).is_ok()
        };
        let (all, none) = (TemplateWork::default(), TemplateWork::share(usize::MAX));
        assert!(run(&all) && all.done() == once && run(&all) && all.done() == 2 * once);
        assert!(!none.is_all() && !run(&none) && none.is_all() && !run(&none));
    }

    #[test]
    fn what_fails_over_and_over_ends() {
        for (template, last) in [
            ("{{ range until 9000 }}{{ fail `x` }}{{ end }}", "the templates fail too often"),
            (
                "{{ range until 9 }}{{ until 1000000 }}{{ end }}",
                "`until` fails: the list is too long",
            ),
        ] {
            let mut set = TemplateSet::default();
            set.add("a", MarkedText::made_of(template)).expect("a template");
            let nowhere = Origin::at(Via::Written, None);
            let (_, failures) = set.execute_all("a", &GoValue::nil(&nowhere), &NoHost);
            assert_eq!(failures.last().map(|it| &*it.message), Some(last));
            assert!(failures.len() < 2000, "{} failures", failures.len());
        }
    }
}
