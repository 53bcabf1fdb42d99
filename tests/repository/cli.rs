//! The program as it is used: arguments, exit statuses, and what goes where.
//!
//! What depends on the process itself is tested with one: [`process`].

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::common::{
    fixture::{directory, files},
    program,
};

mod adoption;
mod editor;
mod mending;
mod pipelines;
mod process;
mod shells;
mod silence;
mod writing;

const FLAG: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: metrics-server}}
  template:
    metadata: {labels: {k8s-app: metrics-server}}
    spec:
      priorityClassName: system-cluster-critical
      containers:
        - name: metrics-server
          image: registry.k8s.io/metrics-server/metrics-server:v0.7.2
          args:
            - --kubelet-insecure-tls
            - --cert-dir=/tmp
            - --secure-port=10250
          livenessProbe: {httpGet: {path: /livez, port: 10250, scheme: HTTPS}}
          readinessProbe: {httpGet: {path: /readyz, port: 10250, scheme: HTTPS}}
";

/// A directory with the files of `text`, in which the line `FLAG` stands for [`FLAG`].
fn repository(text: &str) -> TempDir {
    directory(&files(&[("FLAG", FLAG)], text))
}

/// A directory with one finding.
fn flagged() -> TempDir {
    directory(&[("a.yaml".to_owned(), FLAG.to_owned())])
}

/// Exit status of the program with `arguments` and a path.
fn status(arguments: &str, path: &Path) -> u8 {
    program(arguments, &[path]).status
}

fn stdout(arguments: &str, path: &Path) -> String {
    program(arguments, &[path]).out
}

#[test]
fn the_status_says_what_was_found() {
    let clean = repository(
        "
        //- a.yaml
        a: 1
        ",
    );
    assert_eq!(status("check", clean.path()), 0);
    let found = flagged();
    let status = |arguments| status(arguments, found.path());
    assert_eq!(status("check"), 1);
    assert_eq!(status("check --fail-on error"), 0);
    assert_eq!(status("--fail-on never check"), 0);
    assert_eq!(status("check --format sarif"), 0);
    assert_eq!(status("check --format sarif --fail-on warning"), 1);
    assert_eq!(status("check --format json"), 1);
}

#[test]
fn what_cannot_be_done_is_said() {
    let dir = repository(
        "
        //- a.yaml
        FLAG
        //- b/c.yaml
        c: 1
        ",
    );
    let (file, below) = (dir.path().join("a.yaml"), dir.path().join("b"));
    let empty = repository("");
    for (arguments, paths, said) in [
        ("check nowhere", &[][..], "cannot read `nowhere`"),
        ("check --root nowhere", &[], "cannot read `nowhere`"),
        ("check --root", &[&*file], "is not a directory"),
        ("check --config nowhere", &[dir.path()], "cannot read `nowhere`"),
        ("check --root", &[&*below, &*file], "lies outside the repository"),
        ("check --format xml", &[], "invalid value 'xml'"),
        ("show --format sarif", &[], "`show` has no such format"),
        ("explain kubelet-insecure-tsl", &[], "write `kubelet-insecure-tls`"),
        ("explain KUBELET-INSECURE-TLS", &[], "write `kubelet-insecure-tls`"),
        ("man chek", &[], "there is no command `chek`"),
        ("render --environment nowhere --root", &[dir.path()], "no environment `nowhere`"),
        ("render --root", &[empty.path(), empty.path()], "there is no kustomization file"),
        ("--nonsense", &[], "unexpected argument"),
    ] {
        let output = program(arguments, paths);
        assert_eq!(output.status, 2, "{arguments}");
        assert!(output.err.contains(said), "{arguments}: {}", output.err);
        assert_eq!(output.out, "", "{arguments}");
    }
}

#[test]
fn a_chart_is_rendered_as_helm_template_does() {
    let dir = repository(
        "
        //- app/Chart.yaml
        {apiVersion: v2, name: app, version: 1.0.0}
        //- app/values.yaml
        replicas: 1
        port: 80
        //- app/templates/a.yaml
        kind: A
        metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
        replicas: {{ .Values.replicas }}
        port: {{ .Values.port }}
        secret: {{ randAlphaNum 8 }}
        version: {{ .Capabilities.KubeVersion.Version }}
        //- prod.yaml
        replicas: 3
        //- broken.yaml
        - 1
        //- refuses/Chart.yaml
        {apiVersion: v2, name: refuses, version: 1.0.0}
        //- refuses/templates/a.yaml
        {{ required \"a is needed\" .Values.a }}
        //- empty/Chart.yaml
        #
        //- checked/Chart.yaml
        {apiVersion: v2, name: checked, version: 1.0.0}
        //- checked/values.schema.json
        {\"required\": [\"a\"]}
        ",
    );
    let at = |path: &str| dir.path().join(path);
    let arguments = "render --release-name x --namespace web --set port=81 --kube-version 1.33 \
                     --origins --root";
    let paths = [dir.path(), Path::new("--values"), &*at("prod.yaml"), &*at("app")];
    let output = program(arguments, &paths);
    let expected = [
        "kind: A # app/templates/a.yaml:1",
        "metadata:",
        "  name: x # written",
        "  namespace: web # written",
        "port: 81 # written",
        "replicas: 3 # prod.yaml:1",
        "secret: <unknown> # unknown: `randAlphaNum` gives something else each time",
        "version: v1.33.0 # written",
    ];
    assert_eq!(output.out.lines().collect::<Vec<_>>(), expected, "{}", output.err);
    // What is random is nothing that is missing; without a version something is.
    assert_eq!((output.status, &*output.err), (0, ""));
    let output = program("render", &[&*at("app")]);
    let said = "note: `<unknown>` stands for what cannot be told, in 1 of 1 objects\n";
    assert!(output.status == 1 && output.err.ends_with(said), "{}", output.err);
    let json = program("render --format json", &[&*at("refuses")]).out;
    assert!(
        json.contains("\"message\": \"nothing is rendered: ") && json.contains("a is needed"),
        "{json}"
    );
    // What no line says is told where the chart begins.
    for name in ["empty", "checked"] {
        let output = program("render --root", &[dir.path(), &*at(name)]);
        assert_eq!(output.status, 2, "{}", output.err);
        assert!(output.err.contains(&format!("--> {name}/Chart.yaml")), "{}", output.err);
    }
    let json = program("render --format json", &[&*at("app")]).out;
    assert!(json.contains("\"/version\": \"the version of Kubernetes is not known\""), "{json}");
    for (arguments, paths, said) in [
        ("render --values", &[at("broken.yaml"), at("app")][..], "not a mapping"),
        ("render", &[at("refuses")], "a is needed"),
        ("render --set a", &[at("app")], "--set a"),
        ("render --set a=b", &[at("plain")], "is no chart"),
        ("render --environment app", &[at("app")], "name one of them"),
        ("render --environment app --set a=b --root", &[at("app")], "leave options for charts out"),
        ("render --kube-version new", &[at("app")], "no version"),
    ] {
        let paths: Vec<&Path> = paths.iter().map(|it| &**it).collect();
        let output = program(arguments, &paths);
        assert_eq!(output.status, 2, "{arguments}");
        assert!(output.err.contains(said), "{arguments}: {}", output.err);
    }
}

#[test]
fn what_else_can_be_rendered_is_said() {
    let dir = repository(
        "
        //- base/kustomization.yaml
        resources: []
        //- clusters/dev/kustomization.yaml
        resources: [../../base]
        //- clusters/prod/kustomization.yaml
        resources: [../../base]
        ",
    );
    let said = |path: &str| program("render", &[&*dir.path().join(path)]).err.replace('\\', "/");
    assert!(
        said("prod").contains("/prod`; an environment goes by its name, `render --environment ")
    );
    let clusters = dir.path().join("clusters");
    let rendered = |name| format!("`render {}`", clusters.join(name).display()).replace('\\', "/");
    let (dev, prod) = (rendered("dev"), rendered("prod"));
    assert!(
        said("clusters").ends_with(&format!(": try {dev} or {prod}\n")),
        "{}",
        said("clusters")
    );
    assert!(said("").starts_with("error: there is no kustomization file in "), "{}", said(""));
    assert_eq!(said("base"), "");
}

#[test]
fn show_says_what_is_found_and_not_read() {
    let dir = repository(
        "
        //- up.sh
        helm upgrade --install metrics-server $CHARTS/metrics-server --set replicas=2
        ",
    );
    let told =
        "unresolved: metrics-server is installed by a script in a way that is not read (up.sh:1)";
    assert!(stdout("show", dir.path()).ends_with(&format!("\n{told}\n")));
    let json: serde_json::Value =
        serde_json::from_str(&stdout("show --format json", dir.path())).unwrap();
    assert_eq!(json["problems"][0]["file"], "up.sh");
}

#[test]
fn an_environment_is_named_in_one_way_whatever_is_done_with_it() {
    let dir = repository(
        "
        //- clusters/prod/server.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system}
        spec: {template: {spec: {containers: [{name: metrics-server, image: metrics-server:v0.7.2}]}}}
        //- clusters/prod/kustomization.yaml
        resources: [server.yaml]
        //- clusters/test/kustomization.yaml
        resources: [../prod]
        //- prod/kustomization.yaml
        resources: [../clusters/prod]
        ",
    );
    let run = |command: &str, name: &str| {
        program(&format!("{command} --environment {name} --root"), &[dir.path()])
    };
    for command in ["render", "show", "check"] {
        for name in ["prod", "clusters/test", "test", "t?st", "clusters/*"] {
            let output = run(command, name);
            assert_ne!(output.status, 2, "{command} {name}: {}", output.err);
        }
        let output = run(command, "tset");
        assert_eq!(output.status, 2, "{command}");
        let said = "error: there is no environment `tset`; there are: clusters/test, prod; did you mean `test`?\n";
        assert_eq!(output.err, said, "{command}");
    }
    assert!(run("show", "prod").out.starts_with("prod\n"), "{}", run("show", "prod").out);
    let output = run("render", "*");
    assert!(output.status == 2 && output.err.contains("several environments"), "{}", output.err);
}

#[test]
fn what_builds_is_printed_though_a_release_is_refused() {
    let dir = repository(
        "
        //- kustomization.yaml
        resources: [server.yaml, release.yaml]
        //- server.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system}
        spec: {template: {spec: {containers: [{name: metrics-server, image: metrics-server:v0.7.2}]}}}
        //- release.yaml
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata: {name: metrics-server, namespace: edge}
        spec:
          chart: {spec: {chart: metrics-server, version: 3.12.2, sourceRef: {kind: HelmRepository, name: x}}}
          valuesFrom: [{kind: ConfigMap, name: settings, valuesKey: gone.yaml}]
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, namespace: edge}
        data: {values.yaml: 'replicas: 2'}
        ",
    );
    let output = program("render --environment default --root", &[dir.path()]);
    assert_eq!(output.status, 1, "{}", output.err);
    assert!(output.err.contains("has no key `gone.yaml`"), "{}", output.err);
    let kinds: Vec<&str> = output.out.lines().filter_map(|it| it.strip_prefix("kind: ")).collect();
    assert_eq!(kinds, ["ConfigMap", "Deployment", "HelmRelease"]);
}

#[test]
fn help_that_was_asked_for_is_the_answer() {
    for arguments in ["--help", "check --help", "help show", "--version"] {
        let output = program(arguments, &[]);
        assert_eq!((output.status, output.err.as_str()), (0, ""), "{arguments}");
        assert!(output.out.contains("metrics-server-lint"), "{arguments}: {}", output.out);
    }
}

#[test]
fn a_broken_configuration_is_shown_where_it_is_broken() {
    let dir = repository(
        "
        //- a.yaml
        FLAG
        //- .metrics-server-lint.yaml
        rules:
          kubelet-insecure-tsl: off
        //- deep/er.yaml
        a: 1
        ",
    );
    let output = program("check", &[dir.path()]);
    assert_eq!(output.status, 2);
    assert_eq!(
        output.err,
        "\
error[configuration]: there is no rule `kubelet-insecure-tsl`
 --> .metrics-server-lint.yaml:2:3
  |
2 |   kubelet-insecure-tsl: off
  |   ^^^^^^^^^^^^^^^^^^^^
  |
  = help: write `kubelet-insecure-tls`

"
    );
    let log: serde_json::Value =
        serde_json::from_str(&stdout("check --format sarif", dir.path())).expect("JSON");
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(
        invocation["toolExecutionNotifications"][0]["message"]["text"],
        "there is no rule `kubelet-insecure-tsl`"
    );
    // The configuration is found from below.
    assert_eq!(status("check", &dir.path().join("deep")), 2);
}

#[test]
fn what_is_no_configuration_is_said() {
    let said = |name: &str| {
        let dir = repository(&format!("\n//- a.yaml\nFLAG\n//- {name}\nrules: {{}}\n"));
        let told = program("check -q --format=json", &[dir.path()]).err;
        assert_eq!(told, program("show", &[dir.path()]).err);
        told
    };
    for name in [
        ".metrics-server-lint.yml",
        ".metrics-server-lint.json",
        ".metrics-server-lint.toml",
        "metrics-server-lint.yaml",
        ".metrics_server_lint.yaml",
        ".metrics-server-linter.yaml",
        ".metrics-server-lintrc",
        ".config/metrics-server-lint.yaml",
    ] {
        let told = said(name);
        assert!(told.contains(&format!("`{name}` is not read")), "{name}: {told}");
    }
    for name in
        [".metrics-server-lint.yaml", "metrics-server.yaml", "docs/metrics-server-lint.yaml"]
    {
        assert_eq!(said(name), "", "{name}");
    }
    // Beside the one that is read, and not where somebody names another.
    let both = "
        //- a.yaml
        FLAG
        //- .metrics-server-lint.yaml
        rules: {kubelet-insecure-tls: off}
        //- .metrics-server-lint.yml
        rules: {}
    ";
    let dir = repository(both);
    assert!(program("check", &[dir.path()]).err.contains("`.metrics-server-lint.yml` is not read"));
    let config = format!("--config={}/.metrics-server-lint.yml", dir.path().display());
    assert_eq!(program("check -q", &[dir.path(), Path::new(&config)]).err, "");
}

#[test]
fn a_configuration_may_lie_outside() {
    let dir = repository(
        "
        //- repository/a.yaml
        FLAG
        //- off.yaml
        rules: {kubelet-insecure-tls: off}
        //- broken.yaml
        rulez: {}
        ",
    );
    let root = dir.path().join("repository");
    let with = |config: &str| {
        let config = format!("--config={}", dir.path().join(config).display());
        program("check --root", &[&root, Path::new(&config)])
    };
    assert_eq!(status("check --root", &root), 1);
    assert_eq!(with("off.yaml").status, 0);
    let text = with("broken.yaml").err;
    assert!(text.contains("broken.yaml:1:1") && text.contains("write `rules`"), "{text}");
}

#[test]
fn paths_are_a_filter() {
    let dir = repository(
        "
        //- a/a.yaml
        FLAG
        //- b/b.yaml
        b: 1
        //- .git/x
        ",
    );
    let [a, b] = ["a", "b"].map(|it| dir.path().join(it));
    assert_eq!(status("check", &a), 1);
    assert_eq!(program("check", &[&b.join("b.yaml"), &a.join("a.yaml")]).status, 1);
    assert_eq!(status("check", &b), 0);
}

#[test]
fn what_is_named_is_looked_into() {
    let dir = repository(
        "
        //- .gitignore
        rendered/
        //- .deploy/lab/a.yaml
        FLAG
        //- rendered/a.yaml
        FLAG
        //- examples/a.yaml
        FLAG
        //- examples/more/.hidden/a.yaml
        FLAG
        //- other/notes.txt
        FLAG
        //- .git/a.yaml
        FLAG
        //- .metrics-server-lint.yaml
        exclude: [examples]
        ",
    );
    let check = |arguments: &str, path: &str| {
        let output = program(&format!("check -q {arguments}"), &[&dir.path().join(path)]);
        let found = output.out.lines().filter(|it| it.contains("kubelet-insecure-tls"));
        (found.count(), output.err)
    };
    assert_eq!(check("", "").0, 0);
    for path in [
        ".deploy",
        ".deploy/lab",
        ".deploy/lab/a.yaml",
        "rendered",
        "rendered/a.yaml",
        "examples",
        "examples/a.yaml",
        "examples/more/.hidden",
    ] {
        assert_eq!(check("", path).0, 1, "{path}");
        assert_eq!(check("--force-exclude", path).0, 0, "{path}");
    }
    let (found, said) = check("", "other/notes.txt");
    assert_eq!(found, 0);
    let notes = dir.path().join("other/notes.txt");
    assert_eq!(status("check", &notes), 2);
    assert_eq!(status("check --force-exclude", &notes), 0);
    assert!(said.contains("`other/notes.txt` is not looked into"), "{said}");
    let refused = program("check", &[&dir.path().join(".git")]);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("`.git` is git's own"), "{}", refused.err);
}

#[test]
fn that_there_is_nothing_to_check_is_said_to_everybody() {
    let empty = repository(
        "
        //- a.yaml
        a: 1
        ",
    );
    let said = "found no environment with metrics-server (1 file";
    for arguments in ["check", "check -q", "check --format json", "check --format sarif"] {
        let output = program(arguments, &[empty.path()]);
        assert_eq!(output.status, 0, "{arguments}");
        assert!(output.err.starts_with(said), "{arguments}: {}", output.err);
        assert!(!output.out.contains(said), "{arguments}: {}", output.out);
        let failing = format!("{arguments} --fail-on-empty --fail-on never");
        assert_eq!(status(&failing, empty.path()), 1, "{arguments}");
    }
    let found = program("check --fail-on-empty --fail-on never", &[flagged().path()]);
    assert_eq!((found.status, &*found.err), (0, ""));
}

#[test]
fn what_cannot_be_read_is_found() {
    let with = |name: &str, bytes: &[u8]| {
        let dir = repository("");
        fs::write(dir.path().join(name), bytes).expect("a file");
        let output = program("check -q", &[dir.path()]);
        output.out.trim().to_owned()
    };
    let latin = [FLAG.as_bytes(), b"# caf\xe9\n"].concat();
    let wide: Vec<u8> =
        std::iter::once(0xfeff).chain(FLAG.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let wider: Vec<u8> = ['\u{feff}']
        .into_iter()
        .chain(FLAG.chars())
        .map(u32::from)
        .flat_map(u32::to_le_bytes)
        .collect();
    // The word is where two pieces meet that are read one after the other.
    let large = [&vec![b'\n'; (1 << 20) - 7], FLAG.as_bytes(), &vec![b'\n'; 8 << 20]].concat();
    for (name, bytes, said) in [
        ("a.yaml", &latin, "a.yaml:1:1: error[syntax]: a.yaml is not text in UTF-8, so"),
        ("a.env", &latin, "a.env:1:1: note[unresolved]: a.env is not text in UTF-8, so"),
        ("a.yaml", &wide, "a.yaml:1:1: note[unresolved]: a.yaml is in UTF-16, not in UTF-8, so"),
        ("a.yaml", &wider, "a.yaml:1:1: note[unresolved]: a.yaml is in UTF-32, not in UTF-8, so"),
        ("a.yaml", &large, "a.yaml:1:1: note[unresolved]: a.yaml is larger than 8 MiB, so"),
    ] {
        let found = with(name, bytes);
        assert!(found.starts_with(said), "{found}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
    assert_eq!(with("a.yaml", b"caf\xe9: 1\n"), "");
    assert_eq!(with("a.txt", &latin), "");
}

#[test]
fn a_severity_that_somebody_sets_is_obeyed() {
    let of = |configuration: &str| {
        let dir = repository(&format!(
            "
            //- lab/values.yaml
            args: [--kubelet-insecure-tls, --kubelet-prefered-address-types=InternalIP]
            image: {{tag: v0.7.1}}
            //- .metrics-server-lint.yaml
            {configuration}
            "
        ));
        let output = program("check -q --fail-on error", &[dir.path()]);
        let levels = output.out.lines().filter(|it| it.contains("kubelet-insecure-tls]"));
        let levels = levels.filter_map(|it| it.split(' ').nth(1)?.split('[').next());
        format!("{} {}", output.status, levels.collect::<String>())
    };
    assert_eq!(of("{}"), "0 warning");
    assert_eq!(of("rules: {kubelet-insecure-tls: error}"), "1 error");
    assert_eq!(of("environments: {lab: {rules: {kubelet-insecure-tls: error}}}"), "1 error");
    assert_eq!(of("overrides: [{files: lab, rules: {kubelet-insecure-tls: 'off'}}]"), "0 ");
    // It is expected there, unless it is said of that environment.
    let local = "environments: {lab: {local: true, rules: {}}}";
    let everywhere = format!("{local}\n            rules: {{kubelet-insecure-tls: error}}");
    assert_eq!(of(&everywhere), "0 ");
    assert_eq!(of(&local.replace("{}", "{kubelet-insecure-tls: error}")), "1 error");
}

#[test]
fn output_goes_to_a_file() {
    let dir = flagged();
    let file = dir.path().join("out.json");
    let output = program("check --format json --root", &[dir.path(), Path::new("--output"), &file]);
    assert_eq!(output.out, "");
    assert!(output.err.contains("1 warning"), "a summary is for who waits: {}", output.err);
    let text = fs::read_to_string(file).expect("the file");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["findings"][0]["rule"], "kubelet-insecure-tls");
    assert_eq!(status("check --output no/such/dir", dir.path()), 2);
}

#[test]
fn colors_are_for_those_who_want_them() {
    let dir = flagged();
    assert!(!stdout("check", dir.path()).contains('\x1b'));
    assert!(!stdout("check --color never", dir.path()).contains('\x1b'));
    assert!(stdout("--color always check", dir.path()).contains('\x1b'));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let dir = repository(
        "
        //- a.yaml
        FLAG
        //- b.yaml
        FLAG
        //- c/d.yaml
        FLAG
        ",
    );
    for arguments in ["check --format sarif", "check --format json", "show", "show --format json"] {
        let [one, other] = [(); 2].map(|()| stdout(arguments, dir.path()));
        assert_eq!(one, other, "{arguments}");
        assert!(!one.is_empty());
    }
}

#[test]
fn suppressed_findings_are_gone() {
    let text = FLAG.replace(
        "--kubelet-insecure-tls",
        "--kubelet-insecure-tls # metrics-server-lint: ignore[kubelet-insecure-tls] lab",
    );
    let dir = directory(&[("a.yaml".to_owned(), text)]);
    let only = "check --select kubelet-insecure-tls";
    assert_eq!(status(&format!("{only} --fail-on note"), dir.path()), 0);
    assert!(stdout(only, dir.path()).contains("1 suppressed"));
    assert_eq!(stdout(&format!("{only} -q"), dir.path()), "");
}

#[test]
fn explain_says_what_a_rule_finds_here() {
    let dir = repository(
        "
        //- a.yaml
        FLAG
        //- b/values.yaml
        image: {repository: registry.k8s.io/metrics-server/metrics-server, tag: v0.8.0}
        ",
    );
    let page = program("explain kubelet-insecure-tls", &[]).out;
    let here = program("explain kubelet-insecure-tls --root", &[dir.path()]);
    let told = "\nHere: 1 finding in 1 of 2 environments\n  a.yaml:14:15: metrics-server does not \
                verify the kubelets' certificates (in 1 of 2 environments: default)\n";
    assert_eq!((here.status, here.out), (0, format!("{page}{told}")));
    // Nothing where it finds nothing.
    let there = program("explain kubelet-insecure-tls --root", &[&dir.path().join("b")]);
    assert_eq!((there.status, &*there.out, &*there.err), (0, &*page, ""));
    let nowhere = program("explain kubelet-insecure-tls --root", &[&dir.path().join("no")]);
    assert_eq!((nowhere.status, &*nowhere.out), (2, &*page));
    assert!(nowhere.err.contains("cannot read"), "{}", nowhere.err);
}

#[test]
fn explain_of_a_category_lists_its_rules() {
    let listed = program("explain security", &[]).out;
    assert!(listed.contains("\nkubelet-insecure-tls "), "{listed}");
    assert!(!listed.contains("unknown-flag"), "{listed}");
    assert!(program("explain pedantic", &[]).out.contains("\naggregator-routing-missing "));
    assert!(program("explain build-fails", &[]).out.starts_with("build-fails: "));
}

#[test]
fn a_page_has_no_markup() {
    for rule in program("rules -q", &[]).out.lines().skip(1) {
        let id = rule.split(' ').next().unwrap();
        let page = program(&format!("explain {id}"), &[]).out;
        let marked =
            page.lines().find(|it| it.contains("```") || it.contains("](") || it.starts_with('#'));
        assert_eq!(marked, None, "{id}");
        assert!(!page.contains("\n\n\n"), "{id}:\n{page}");
    }
}

#[test]
fn a_run_is_about_the_rules_that_are_selected() {
    let flagged = flagged();
    assert_eq!(status("check --select kubelet-insecure-tls", flagged.path()), 1);
    assert_eq!(status("check --select availability,performance", flagged.path()), 0);
    assert_eq!(status("check --ignore kubelet-insecure-tls", flagged.path()), 0);
    assert_eq!(status("check --ignore security", flagged.path()), 0);
    // An id says more than a category; what is said of the same is ignored.
    let id = "kubelet-insecure-tls";
    assert_eq!(status(&format!("check --select {id} --ignore security"), flagged.path()), 1);
    assert_eq!(status(&format!("check --select security --ignore {id}"), flagged.path()), 0);
    assert_eq!(status(&format!("check --select {id} --ignore {id}"), flagged.path()), 0);
    assert_eq!(status("check --select availability --select security", flagged.path()), 1);
    fs::write(flagged.path().join(".metrics-server-lint.yaml"), format!("rules: {{{id}: off}}"))
        .unwrap();
    assert_eq!(status(&format!("check --select {id}"), flagged.path()), 0);
    let run = program("check --select kubelet-insecure-tsl", &[flagged.path()]);
    assert_eq!(run.status, 2);
    assert!(run.err.contains("write `kubelet-insecure-tls`"), "{}", run.err);
}
