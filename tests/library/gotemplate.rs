//! Go templates: hostile ones end, and random ones print what a real Helm prints, the program that
//! `HELM` names.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};

mod recorded;

use super::{common::fixture::directory, roots};
use crate::{
    problem::ProblemKind,
    resolve::gotemplate::{
        FunctionCall, GoError, GoHost, GoMap, GoValue, MarkedText, MissingKey, TemplateSet,
    },
    source::Sources,
};

/// Far above what any of these takes, far below what unbounded work would.
const PATIENCE: Duration = Duration::from_mins(1);

struct NoHost;

impl GoHost for NoHost {
    fn function(&self, _: &FunctionCall<'_>) -> Option<Result<GoValue, Box<GoError>>> {
        None
    }

    fn missing(&self) -> MissingKey {
        MissingKey::NoValue
    }
}

/// What `t.yaml` prints of `v.yaml`, in which a text that begins with `unknown` is unknown.
pub(crate) fn printed_of(sources: &Sources) -> Result<MarkedText, Box<GoError>> {
    let values = roots(sources, "v.yaml")[0].rewrite(&mut |node| {
        let why = node.as_str()?.strip_prefix("unknown ")?;
        Some(crate::tree::Node::unknown_value(why, &node.origin))
    });
    let values = GoValue::of(&values);
    let mut dot = GoMap::default();
    dot.set("Values", values.clone());
    let dot = GoValue::map(dot, &values.origin);
    let file = sources.find("t.yaml").expect("it is there");
    let mut set = TemplateSet::default();
    set.add("t", MarkedText::file(sources.text(file), file)).map_err(|it| {
        let bound = it.kind == ProblemKind::Unresolved;
        Box::new(GoError { bound, ..GoError::new(&*it.message, &it.at) })
    })?;
    set.execute("t", &dot, &NoHost)
}

fn printed(values: &str, template: &str) -> Result<MarkedText, Box<GoError>> {
    let text = printed_of(&Sources::in_memory([("v.yaml", values), ("t.yaml", template)]))?;
    text.documents();
    Ok(text)
}

/// What grows without an end ends in a bound.
#[test]
fn hostile_templates_end() {
    const VALUES: &str = "
loop: '{{ tpl .Values.loop . }}'
one: '{{ . }}'
u: unknown condition
";
    for template in [
        "{{ define `a` }}{{ include `a` . }}{{ end }}{{ include `a` . }}",
        "{{ define `a` }}x{{ template `a` . }}{{ end }}{{ template `a` . }}",
        "{{ define `a` }}{{ include `a` . }}{{ include `a` . | quote }}{{ end }}{{ include `a` . }}",
        "{{ tpl .Values.loop . }}",
        "{{ $x := `x` }}{{ range until 100 }}{{ $x = print $x $x }}{{ end }}{{ $x }}",
        "{{ $x := list 1 }}{{ range until 100 }}{{ $x = list $x $x }}{{ end }}{{ toYaml $x }}",
        "{{ $x := dict }}{{ range until 90 }}{{ $x = dict `a` $x `b` $x }}{{ end }}{{ toJson $x }}",
        "{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ has $x $x }}",
        "{{ $x := list 1 }}{{ range until 60 }}{{ $x = concat $x $x }}{{ end }}",
        "{{ $x := dict }}{{ range until 60 }}{{ $x = deepCopy (dict `a` $x `b` $x) }}{{ end }}",
        "{{ $x := list }}{{ range until 20000 }}{{ $x = list $x }}{{ end }}{{ $x }}",
        "{{ $x := dict }}{{ $y := dict `x` $x }}{{ $_ := set $x `y` $y }}{{ $x }}",
        "{{ $x := dict }}{{ $_ := merge $x (dict `y` (dict `x` $x)) }}{{ toYaml $x }}",
        "{{ repeat 9999999999999 `x` }}",
        "{{ range until 1000 }}{{ $x := repeat 900000 `x` }}{{ end }}",
        "{{ replace `x` (repeat 90000 `x`) (repeat 90000 `x`) }}",
        "{{ join (repeat 90000 `x`) (until 9000) }}",
        "{{ indent 10000 (repeat 90000 `\n`) }}",
        "{{ regexReplaceAll `x` (repeat 90000 `x`) (repeat 900 `x`) }}",
        "{{ range until 90000 }}{{ range until 90000 }}{{ end }}{{ end }}",
        "{{ range 1000000000000 }}{{ end }}",
        "{{ $l := list }}{{ range until 90000 }}{{ $l = append $l . }}{{ end }}",
        "{{ $d := dict }}{{ range until 9000 }}{{ $_ := set $d (print .) (keys $d) }}{{ end }}",
        "{{ uniq (until 90000) }}",
        "{{ mustUniq (until 90000) }}",
        "{{ $l := list }}{{ range until 90000 }}{{ $l = mustPush $l . }}{{ end }}",
        "{{ regexReplaceAll `^.*$` (repeat 1000000 `x`) (repeat 100000 `$0`) }}",
        "{{ $x := repeat 1500000 `\"` }}{{ quote (print $x $x) }}",
        "{{ $x := until 90000 }}{{ range $x }}{{ $_ := len $x }}{{ end }}",
        "{{ $x := until 1000 }}{{ range until 300 }}{{ $_ := without (list $x $x $x $x) $x $x $x $x }}{{ end }}",
        "{{ range until 90 }}{{ $_ := regexMatch `(?i)[a-z]{1,40}` `a` }}{{ $_ := regexMatch `\\pL{9}` `a` }}{{ end }}",
    ] {
        let start = Instant::now();
        let error = printed(VALUES, template).expect_err(template);
        assert!(error.bound, "{template}: {}", error.message);
        assert!(error.problem().unseen.objects, "{template}");
        assert!(start.elapsed() < PATIENCE, "{template} took {:?}", start.elapsed());
    }
}

/// Charts read a megabyte of definitions, and read it again, to set a label in each.
#[test]
fn large_texts_are_read_as_yaml() {
    let text = printed(
        "a: 1",
        "{{ $t := repeat 20000 `- what a field of a definition is for, in a line of its own\n` }}\
         {{ range until 3 }}{{ len (fromYamlArray $t) }} {{ end }}",
    );
    assert_eq!(text.expect("it is read").as_str(), "20000 20000 20000 ");
}

/// How long a chart of 40 templates takes: `cargo test --release forty -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, of programs that are built to be fast"]
fn forty_templates_take_ten_milliseconds() {
    const VALUES: &str = "
name: metrics-server
image: {repository: registry.k8s.io/metrics-server/metrics-server, tag: v0.8.0}
replicas: 2
labels: {app: metrics, tier: control-plane}
args: [--cert-dir=/tmp, --kubelet-use-node-status-port, --metric-resolution=15s]
resources: {requests: {cpu: 100m, memory: 200Mi}, limits: {memory: 400Mi}}
tolerations: []
";
    const HELPERS: &str = r#"
{{- define "name" }}{{ .Values.name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- define "labels" -}}
app.kubernetes.io/name: {{ include "name" . }}
{{ toYaml .Values.labels }}
{{- end }}"#;
    const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "name" . }}
  labels: {{- include "labels" . | nindent 4 }}
spec:
  {{- if .Values.replicas }}
  replicas: {{ .Values.replicas | int }}
  {{- end }}
  selector:
    matchLabels: {{- include "labels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "labels" . | nindent 8 }}
    spec:
      containers:
        - name: {{ include "name" . | quote }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default "latest" }}"
          args:
            {{- range .Values.args }}
            - {{ . }}
            {{- end }}
          resources: {{- toYaml .Values.resources | nindent 12 }}
      {{- with .Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
"#;
    let sources = Sources::in_memory([("v.yaml", VALUES), ("h", HELPERS), ("t", DEPLOYMENT)]);
    let text = |path: &str| {
        let file = sources.find(path).expect("it is there");
        MarkedText::file(sources.text(file), file)
    };
    let render = || {
        let mut dot = GoMap::default();
        dot.set("Values", GoValue::of(&roots(&sources, "v.yaml")[0]));
        let dot = GoValue::map(dot, &super::nowhere());
        let mut set = TemplateSet::default();
        set.add("helpers", text("h")).expect("it is a template");
        for number in 0..40 {
            set.add(&number.to_string(), text("t")).expect("it is a template");
        }
        let printed = (0..40).map(|it| set.execute(&it.to_string(), &dot, &NoHost));
        printed.map(|it| it.expect("it is printed").documents().len()).sum::<usize>()
    };
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        assert_eq!(render(), 40);
        times.push(start.elapsed());
    }
    times.sort();
    println!("{:?}", times[10]);
    assert!(cfg!(debug_assertions) || times[10] < Duration::from_millis(10));
}

/// What recurs under a condition that nobody can tell is unknown, and takes no time either.
#[test]
fn recursion_that_may_not_be_is_unknown() {
    let both = "{{ include `a` . }}";
    let template = format!(
        "{{{{ define `a` }}}}{{{{ if .Values.u }}}}{both}{both}{{{{ end }}}}x{{{{ end }}}}a: {both}"
    );
    let start = Instant::now();
    let text = printed("u: unknown condition", &template).expect("it is printed");
    assert_eq!(text.unknown_part().map(|it| &**it), Some("condition"));
    assert!(start.elapsed() < PATIENCE);
}

/// A map that is changed under a condition that nobody can tell, by whichever name, is not known.
#[test]
fn what_may_be_merged_is_unknown() {
    for name in ["merge", "mustMerge", "mergeOverwrite", "mustMergeOverwrite"] {
        let template = format!(
            "{{{{ $d := dict `a` 1 }}}}\
             {{{{ if .Values.u }}}}{{{{ $_ := {name} $d (dict `a` 2 `b` 3) }}}}{{{{ end }}}}\
             {{{{ $d.b }}}}"
        );
        let text = printed("u: unknown condition", &template).expect("it is printed");
        assert_eq!(text.unknown_part().map(|it| &**it), Some("condition"), "{name}");
    }
}

/// Go gives the keys of a map, and what stands at them, in another order each time.
#[test]
fn what_depends_on_the_order_of_keys_is_unknown() {
    let told = |template: &str| {
        let text = printed("m: {b: 1, a: 2}", template).expect("it is printed");
        text.unknown_part().map(ToString::to_string)
    };
    for expression in [
        "keys .Values.m | first",
        "values .Values.m | last",
        "index (keys .Values.m) 0",
        "keys .Values.m | join `,`",
        "keys .Values.m | uniq | toYaml",
        "append (keys .Values.m) `z` | toJson",
        "dict `k` (keys .Values.m) | toJson",
        "slice (keys .Values.m) 0 1",
        "deepEqual (keys .Values.m) (keys .Values.m)",
        "range keys .Values.m }}{{ . }}{{ end",
        "$x := `` }}{{ range keys .Values.m }}{{ $x = . }}{{ end }}{{ $x",
    ] {
        let why = Some("the keys of a map have another order each time");
        assert_eq!(told(&format!("{{{{ {expression} }}}}")).as_deref(), why, "{expression}");
    }
}

/// A copy of a map of which a part is unknown has the rest.
#[test]
fn copies_keep_what_is_known() {
    for copy in ["deepCopy .Values", "mustDeepCopy .Values", "merge (dict) .Values"] {
        let template = format!("{{{{ (index ({copy}) `a`).b }}}}");
        let text = printed("u: unknown condition\na: {b: 1, u: unknown too}", &template);
        assert_eq!(text.expect("it is printed").as_str(), "1", "{copy}");
    }
}

/// Deep values and odd texts end as they should: no panic, no overflow.
#[test]
fn odd_templates_are_refused_or_printed() {
    let deep = |open: &str, close: &str| [open.repeat(5000), close.repeat(5000)].concat();
    for template in [
        deep("{{ if 1 }}", "{{ end }}"),
        format!("{{{{ {} }}}}", deep("(", "1)")),
        format!("{{{{ `x` {} }}}}", "| quote ".repeat(300)),
        "{{ if 0 }}".to_owned() + &"{{ else if 0 }}x".repeat(5000) + "{{ end }}",
        "{{ $x := list }}{{ range until 20000 }}{{ $x = list $x }}{{ end }}".to_owned(),
        "{{ fromYaml (repeat 10000 `[`) }}".to_owned(),
        "{{ printf `%1000000000d` 1 }}{{ printf `%.1000000000f` 1.5 }}".to_owned(),
        "{{ substr -5 -3 `abc` }}{{ trunc -9223372036854775808 `abc` }}{{ substr 1 2 `é` }}"
            .to_owned(),
        "{{ mod -9223372036854775808 -1 }}".to_owned(),
        "{{ untilStep -9223372036854775807 9223372036854775807 9223372036854775807 }}".to_owned(),
        "{{ seq 0 9223372036854775807 1 }}".to_owned(),
        "{{ round 1.5 999999999 }}{{ chunk -1 (list 1 2) }}".to_owned(),
        "{{ regexMatch `((((a{100}){100}){100}){100})` `a` }}".to_owned(),
    ] {
        let _ = printed("a: 1", &template);
    }
}

fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(default),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_127),
        ..ProptestConfig::default()
    }
}

const VALUES: &str = "
s: hello
e: ''
num: 3
f: 2.5
t: true
l: [a, b, '']
m: {b: 1, a: x, c: {d: e}}
empty: {}
multi: |
  one
  two
";

/// A pipeline of values and functions, some of which do not fit.
fn pipeline() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        ".Values.s",
        ".Values.e",
        ".Values.num",
        ".",
        "$.Values.s",
        ".Values.f",
        ".Values.t",
        ".Values.l",
        ".Values.m",
        ".Values.empty",
        ".Values.multi",
        ".Values.missing",
        "3",
        "-1",
        "2.5",
        "`x`",
        "``",
        "true",
        "(list 1 `a`)",
        "(dict `a` 1)",
        ".Values.m.c.d",
        ".Values.missing.x",
        "(.Values.missing).x",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        let one = prop::sample::select(vec![
            "quote", "squote", "toYaml", "toJson", "toString", "title", "upper", "trim", "len", "kindOf",
            "typeOf", "not", "empty", "int", "float64", "add1", "b64enc", "print", "first", "last",
            "rest", "uniq", "compact", "sortAlpha", "keys", "values", "nindent 2", "trunc 3",
            "default `d`", "hasKey (dict `x` 1)", "contains `a`", "replace `l` `r`", "join `,`",
            "splitList `l`", "trimSuffix `o`", "has `a`", "append (list 1)", "dig `c` `d` ``",
            "index (list 1 2 3)", "eq 3", "ne `x`", "gt 2", "and 1", "or 0", "ternary 1 2",
            "coalesce nil", "printf `%v`", "printf `%s-%d` `a`", "cat `x`", "merge (dict `b` 2)",
            "wrap 3", "abbrev 4", "camelcase", "snakecase", "substr 1 3", "splitn `l` 2", "int64", "indent 3",
            "toPrettyJson", "fromJson", "set (dict) `k`", "kindIs `string`", "typeOf", "addf 1.5", "mulf 2.5",
            "divf 3.0", "sub 1", "max 2", "lower", "trunc -2", "printf `%5v|%-4v|` 1", "printf `%q`",
            "printf `%x`", "printf `%.2f`", "regexReplaceAll `l` `abl`", "prepend (list)", "initial", "reverse",
            "without (list 1 `a`)", "pluck `a`", "nospace", "tpl `<{{ . }}>`", "html", "urlquery", "ge 2",
            "mergeOverwrite (dict `a` 2)", "omit (dict `s` 1 `x` 2)", "fromYaml", "deepCopy", "indent 1",
        ]);
        prop_oneof![
            4 => (inner.clone(), one).prop_map(|(value, function)| format!("({value} | {function})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(list {a} {b})")),
            1 => (inner.clone(), inner).prop_map(|(a, b)| format!("(dict `k` {a} `j` {b})")),
        ]
    })
}

/// A template with conditions, loops and variables around such pipelines.
fn template() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => pipeline().prop_map(|it| format!("{{{{ {it} }}}}")),
        1 => prop::sample::select(vec!["a: ", "\n  b\n", " ", "x"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a + &b),
            (pipeline(), inner.clone(), inner.clone()).prop_map(|(it, a, b)| format!(
                "{{{{- if {it} }}}}{a}{{{{ else -}}}}{b}{{{{ end }}}}"
            )),
            (pipeline(), inner.clone())
                .prop_map(|(it, a)| format!("{{{{ with {it} -}}}}{a}{{{{ . }}}}{{{{- end }}}}")),
            (pipeline(), inner.clone()).prop_map(|(it, a)| {
                format!(
                    "{{{{ range $k, $v := {it} }}}}{{{{ $k }}}}={a}{{{{ else }}}}none{{{{ end }}}}"
                )
            }),
            (pipeline(), inner.clone(), inner.clone()).prop_map(|(it, a, b)| format!(
                "{{{{ with {it} }}}}{a}{{{{ else with .Values.s -}}}} {b}{{{{ . }}}}{{{{ end -}}}}\n"
            )),
            (pipeline(), pipeline(), inner.clone(), inner.clone()).prop_map(|(it, other, a, b)| {
                format!("{{{{ if {it} }}}}{a}{{{{ else if {other} }}}}{b}{{{{ else }}}}-{{{{ end }}}}")
            }),
            (pipeline(), pipeline(), inner.clone()).prop_map(|(it, left, a)| format!(
                "{{{{ range {it} }}}}{{{{ if {left} }}}}{{{{ break }}}}{{{{ end }}}}{a}{{{{ end }}}}"
            )),
            (pipeline(), inner.clone()).prop_map(|(it, a)| format!(
                "{{{{ range $x := {it} }}}}{{{{ if not $x }}}}{{{{ continue }}}}{{{{ end }}}}{a}{{{{ end }}}}"
            )),
            (pipeline(), 0..2).prop_map(|(it, name)| {
                format!("{{{{- include `d{name}@` {it} | quote -}}}}{{{{- /* why */ -}}}}")
            }),
            (pipeline(), 0..2).prop_map(|(it, name)| format!("{{{{ template `d{name}@` {it} }}}}")),
            (pipeline(), inner.clone()).prop_map(|(it, a)| {
                format!("{{{{ block `b@{}` {it} }}}}{a}{{{{ end }}}}", a.len() + 1000 * it.len())
            }),
            (pipeline(), inner).prop_map(|(it, a)| {
                format!(
                    "{{{{ $x := 1 }}}}{{{{ if {it} }}}}{{{{ $x = 2 }}}}{a}{{{{ end }}}}{{{{ $x }}}}"
                )
            }),
        ]
    })
}

/// A file of a chart: a template, and two that it may include; `@` stands for what is its own.
fn file() -> impl Strategy<Value = String> {
    (template(), template(), template()).prop_map(|(main, one, two)| {
        let inner = |it: String| it.replace("`d0@`", "`d1@`");
        format!(
            "{{{{ define `d0@` }}}}{}{{{{ end }}}}{main}{{{{ define `d1@` }}}}{}{{{{ end -}}}}\n",
            inner(one),
            two.replace("`d0@`", "`e@`").replace("`d1@`", "`e@`")
        )
    })
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn random_templates_do_no_harm(template in file(), at in any::<prop::sample::Index>()) {
        let unknown = VALUES.replace("s: hello", "s: unknown s").replace("c: {d: e}", "c: unknown c");
        let _ = printed(VALUES, &template);
        let _ = printed(&unknown, &template);
        // A template that was cut off is broken in any way.
        let mut cut = at.index(template.len() + 1);
        while !template.is_char_boundary(cut) {
            cut -= 1;
        }
        let _ = printed(&unknown, &template[..cut]);
    }

    /// What is printed although something is unknown is printed as well once that is known.
    #[test]
    fn what_is_known_stays_when_more_is_known(template in file()) {
        let unknown = VALUES.replace("s: hello", "s: unknown s").replace("num: 3", "num: unknown n");
        if let (Ok(before), Ok(after)) = (printed(&unknown, &template), printed(VALUES, &template))
            && before.unknown_part().is_none()
        {
            prop_assert_eq!(before.as_str(), after.as_str(), "{}", template);
        }
    }
}

/// What Helm prints of each template, or nothing where it refuses.
fn theirs(program: &Path, values: &str, templates: &[String]) -> Vec<Option<String>> {
    let render = |templates: &[String]| -> Option<Vec<String>> {
        let mut files = vec![
            ("Chart.yaml".to_owned(), "apiVersion: v2\nname: a\nversion: 0.1.0\n".to_owned()),
            ("values.yaml".to_owned(), values.to_owned()),
        ];
        let mut all = "texts: {{ list".to_owned();
        for (index, template) in templates.iter().enumerate() {
            files.push((format!("templates/_{index}.tpl"), template.clone()));
            all += &format!(
                " (include \"a/templates/_{index}.tpl\" (dict `Values` (deepCopy .Values)))"
            );
        }
        files.push(("templates/all.yaml".to_owned(), all + " | toJson }}"));
        let chart = directory(&files);
        let output = Command::new(program).args(["template", "a"]).arg(chart.path()).output();
        let output = output.expect("Helm runs");
        if !output.status.success() {
            return None;
        }
        let text = String::from_utf8(output.stdout).expect("text");
        fs::write(chart.path().join("out.yaml"), &text).expect("it can be written");
        let sources = Sources::in_memory([("out.yaml", text)]);
        let texts = roots(&sources, "out.yaml")[0].items_at("texts").to_vec();
        Some(texts.iter().map(|it| it.as_str().unwrap_or_default().to_owned()).collect())
    };
    match (render(templates), templates) {
        (Some(texts), _) => texts.into_iter().map(Some).collect(),
        (None, [] | [_]) => vec![None; templates.len()],
        (None, _) => {
            let (first, second) = templates.split_at(templates.len() / 2);
            let half = |it| theirs(program, values, it);
            let (first, second) = rayon::join(|| half(first), || half(second));
            [first, second].concat()
        }
    }
}

#[test]
fn random_templates_print_what_helm_prints() {
    let Some(program) = std::env::var_os("HELM") else {
        println!("skipped: HELM names no program");
        return;
    };
    let batch = prop::collection::vec(file(), 40);
    let outcome = TestRunner::new(cases(8)).run(&batch, |templates| {
        let own = |(index, it): (usize, &String)| it.replace('@', &index.to_string());
        let templates: Vec<_> = templates.iter().enumerate().map(own).collect();
        for (template, expected) in
            templates.iter().zip(theirs(program.as_ref(), VALUES, &templates))
        {
            match (printed(VALUES, template), expected) {
                (Ok(text), Some(_)) if text.unknown_part().is_some() => {}
                (Ok(text), Some(expected)) => {
                    prop_assert_eq!(text.as_str(), expected, "{}", template);
                }
                (Ok(text), None) => prop_assert!(
                    text.unknown_part().is_some(),
                    "Helm refuses {template}, which prints {}",
                    text.as_str()
                ),
                (Err(_), None) => {}
                (Err(error), Some(text)) => {
                    prop_assert!(false, "{template}\n{}\nHelm: {text}", error.message);
                }
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
