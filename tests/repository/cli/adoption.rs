//! How a repository with old findings begins: what is known already, and what is shown of the rest.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::FLAG;
use crate::common::{
    Output,
    fixture::{directory, files},
    program,
};

/// A metrics-server with one finding, a warning.
fn flag() -> String {
    let address = "            - --kubelet-preferred-address-types=InternalIP\n";
    FLAG.replace("            - --cert-dir", &format!("{address}            - --cert-dir"))
}

fn repository(text: &str) -> TempDir {
    directory(&files(&[("FLAG", &flag())], text))
}

/// Two environments over one base with one finding.
fn overlays() -> TempDir {
    repository(
        "
        //- base/kustomization.yaml
        resources: [ms.yaml]
        //- base/ms.yaml
        FLAG
        //- clusters/dev/kustomization.yaml
        resources: [../../base]
        //- clusters/prod/kustomization.yaml
        resources: [../../base]
        ",
    )
}

fn write(dir: &TempDir, path: &str, text: &str) {
    let path = dir.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// `check` with what `arguments` add.
fn check(arguments: &str, dir: &TempDir) -> Output {
    program(&format!("check --fail-on note {arguments} --root"), &[dir.path()])
}

/// With a baseline that is in the repository.
fn with_baseline(arguments: &str, dir: &TempDir) -> Output {
    let file = dir.path().join(".metrics-server-lint-baseline.json");
    check(&format!("--baseline {} {arguments}", file.display()), dir)
}

fn baseline(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join(".metrics-server-lint-baseline.json")).unwrap()
}

/// What a repository holds is not what its user typed: a link in it leads nowhere else.
#[cfg(unix)]
#[test]
fn files_that_are_named_are_regular_and_no_links_out_of_the_repository() {
    let (dir, outside) = (overlays(), TempDir::new().unwrap());
    let place = |path: &str| dir.path().join(path).display().to_string();
    let secret = outside.path().join("secret.json");
    fs::write(&secret, "{secret words").unwrap();
    std::os::unix::fs::symlink(&secret, place("base.json")).unwrap();
    std::os::unix::fs::symlink(outside.path(), place("linked")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", place("zero.json")).unwrap();
    fs::write(outside.path().join("large.json"), " ".repeat((8 << 20) + 1)).unwrap();
    let large = outside.path().join("large.json").display().to_string();
    for (path, said) in [
        (place("base.json"), "leads out of the repository"),
        (place("linked/secret.json"), "leads out of the repository"),
        (place("zero.json"), "leads out of the repository"),
        (place("clusters"), "no regular file"),
        ("/dev/zero".to_owned(), "no regular file"),
        (large, "larger than 8 MiB"),
    ] {
        for option in ["--baseline", "--config"] {
            let output = check(&format!("{option} {path}"), &dir);
            assert_eq!(output.status, 2, "{option} {path}: {}", output.err);
            assert!(output.err.contains(said), "{option} {path}: {}", output.err);
            assert!(!output.err.contains("secret words"), "{}", output.err);
        }
    }
    let written = check(&format!("--write-baseline --baseline {}", place("base.json")), &dir);
    assert!(written.err.contains("leads out of the repository"), "{}", written.err);
    assert_eq!(fs::read_to_string(&secret).unwrap(), "{secret words");
    // What is named may lie elsewhere.
    let elsewhere = outside.path().join("base.json").display().to_string();
    assert_eq!(check(&format!("--write-baseline --baseline {elsewhere}"), &dir).status, 0);
    assert_eq!(check(&format!("--baseline {elsewhere}"), &dir).status, 0);
}

#[test]
fn what_a_baseline_lists_is_not_reported() {
    let dir = overlays();
    assert_eq!(check("", &dir).status, 1);
    let missing = with_baseline("", &dir);
    assert_eq!(missing.status, 2);
    assert!(missing.err.contains("--write-baseline creates"), "{}", missing.err);
    let written = with_baseline("--write-baseline", &dir);
    assert_eq!(written.status, 0, "{}{}", written.out, written.err);
    insta::assert_snapshot!(baseline(&dir), @r#"
    {
      "version": 1,
      "environments": [
        "clusters/dev",
        "clusters/prod"
      ],
      "findings": [
        {
          "path": "base/ms.yaml",
          "rule": "kubelet-insecure-tls",
          "line": "--kubelet-insecure-tls",
          "subject": "kube-system/metrics-server",
          "environments": [
            "clusters/dev",
            "clusters/prod"
          ]
        }
      ]
    }
    "#);
    let again = with_baseline("", &dir);
    assert_eq!(again.status, 0);
    assert!(again.out.starts_with("nothing new in 2 environments"), "{}", again.out);
    assert!(again.out.contains("1 in the baseline"), "{}", again.out);
    assert_eq!(again.err, "");
    let json = with_baseline("--format json", &dir).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["summary"]["baseline"], &json["findings"]),
        (&1.into(), &serde_json::json!([]))
    );
    // The file is none of the repository's.
    let before = baseline(&dir);
    with_baseline("--write-baseline", &dir);
    assert_eq!(baseline(&dir), before);
    assert!(!check("--list-files", &dir).out.contains("baseline"));
}

#[test]
fn what_moves_stays_known() {
    let dir = overlays();
    with_baseline("--write-baseline", &dir);
    let known = |what: &str| {
        let run = with_baseline("-v", &dir);
        assert_eq!((run.status, &*run.err), (0, ""), "{what}: {}", run.out);
    };
    let moved = flag()
        .replace("          args:\n", "          # why\n          args:\n            - --v=2\n");
    write(&dir, "base/ms.yaml", &format!("# a\n# b\n{moved}"));
    known("lines above it");
    write(&dir, "base/ms.yaml", &flag().replace("insecure-tls", "insecure-tls   # a lab"));
    known("a comment beside it");
    fs::rename(dir.path().join("base"), dir.path().join("common")).unwrap();
    for stage in ["dev", "prod"] {
        let text = "resources: [../../common]\n";
        write(&dir, &format!("clusters/{stage}/kustomization.yaml"), text);
    }
    known("its file has another name");
    fs::rename(dir.path().join("clusters/prod"), dir.path().join("clusters/live")).unwrap();
    known("its environment has another name");
    write(&dir, "common/ms.yaml", &flag().replace("tls\n", "tls=true\n"));
    assert_eq!(with_baseline("", &dir).status, 1, "the line says something else");
}

#[test]
fn neighbours_make_nothing_new() {
    let dir = overlays();
    // Without --cert-dir the finding is that of the list, which starts with its first item.
    let read_only = "          securityContext: {readOnlyRootFilesystem: true}\n";
    let text = flag()
        .replace("            - --cert-dir=/tmp\n", "")
        .replace("          livenessProbe", &format!("{read_only}          livenessProbe"));
    write(&dir, "base/ms.yaml", &text);
    let written = with_baseline("--write-baseline", &dir);
    assert_eq!(written.status, 0, "{}", written.out);
    let line = "\"line\": \"Deployment/metrics-server.spec.template.spec.containers[metrics-server].args\"";
    assert!(baseline(&dir).contains(line), "{}", baseline(&dir));
    let known = |what: &str, text: &str| {
        write(&dir, "base/ms.yaml", text);
        let run = with_baseline("-v", &dir);
        assert_eq!((run.status, &*run.err), (0, ""), "{what}: {}", run.out);
    };
    let flag = "            - --kubelet-insecure-tls\n";
    let port = "            - --secure-port=10250\n";
    known("above", &text.replace(flag, &format!("            - --v=2\n{flag}")));
    known("below", &text.replace(port, &format!("{port}            - --v=2\n")));
    known("reordered", &text.replace(flag, "").replace(port, &format!("{port}{flag}")));
    let flow = "          args: [--kubelet-preferred-address-types=InternalIP, --v=2, --kubelet-insecure-tls, --secure-port=10250]\n";
    let start = text.find("          args:\n").unwrap();
    let end = text.find(port).unwrap() + port.len();
    known("on one line", &format!("{}{flow}{}", &text[..start], &text[end..]));
    known(
        "beside another container",
        &text.replace(
            "      containers:\n",
            "      containers:\n        - {name: proxy, image: a.io/b:v1}\n",
        ),
    );
    let renamed = text.replace("name: metrics-server\n", "name: server\n");
    write(&dir, "base/ms.yaml", &renamed);
    assert_eq!(with_baseline("", &dir).status, 1, "the list of another container");
}

#[test]
fn an_environment_that_is_gone_is_another_once_and_as_a_whole() {
    let dir = overlays();
    // What dev has of its own tells it from others.
    let object = |name: &str| flag().replace("metrics-server, namespace: kube-system", name);
    for (path, text) in [
        ("clusters/dev/kustomization.yaml", "resources: [../../base, b.yaml, c.yaml]\n"),
        ("clusters/dev/b.yaml", &object("metrics-server, namespace: b")),
        ("clusters/dev/c.yaml", &object("metrics-server, namespace: c")),
    ] {
        write(&dir, path, text);
    }
    with_baseline("--write-baseline", &dir);
    let moved = |from: &str, to: &str| {
        fs::rename(dir.path().join(from), dir.path().join(to)).unwrap();
    };
    moved("clusters/dev", "clusters/lab");
    assert_eq!(with_baseline("", &dir).status, 0, "it has another name");
    write(&dir, "clusters/edge/kustomization.yaml", "resources: [../../base]\n");
    let run = with_baseline("-q", &dir);
    assert!(run.out.contains("(in 1 of 3 environments: clusters/edge)"), "{}", run.out);
    assert_eq!(run.out.lines().count(), 1, "{}", run.out);
    fs::remove_dir_all(dir.path().join("clusters/lab")).unwrap();
    assert_eq!(with_baseline("", &dir).status, 1, "a part of what is gone");
    // Of two that may be prod nobody can tell which it is.
    for stage in ["eu", "us"] {
        write(&dir, &format!("clusters/{stage}/kustomization.yaml"), "resources: [../../base]\n");
    }
    fs::remove_dir_all(dir.path().join("clusters/prod")).unwrap();
    fs::remove_dir_all(dir.path().join("clusters/edge")).unwrap();
    let run = with_baseline("-q", &dir);
    assert!(run.out.contains("kubelet-insecure-tls") && run.status == 1, "{}", run.out);
    fs::create_dir(dir.path().join("sites")).unwrap();
    moved("clusters/eu", "sites/prod");
    let run = with_baseline("-q", &dir);
    assert!(run.out.contains("(in 1 of 2 environments: clusters/us)"), "{}", run.out);
}

#[test]
fn an_environment_that_comes_to_have_it_is_new() {
    let dir = overlays();
    with_baseline("--write-baseline", &dir);
    write(&dir, "clusters/edge/kustomization.yaml", "resources: [../../base]\n");
    let run = with_baseline("-q", &dir);
    assert!(run.out.contains("(in 1 of 3 environments: clusters/edge)"), "{}", run.out);
    assert_eq!(run.status, 1);
}

#[test]
fn what_is_fixed_or_of_another_rule_is_said() {
    let dir = overlays();
    with_baseline("--write-baseline", &dir);
    write(&dir, "base/ms.yaml", &flag().replace("            - --kubelet-insecure-tls\n", ""));
    let run = with_baseline("", &dir);
    assert_eq!(run.status, 0);
    assert!(
        run.err.contains("1 finding of it is gone, renew it with --write-baseline"),
        "{}",
        run.err
    );
    assert!(!run.err.contains("base/ms.yaml"), "{}", run.err);
    let told = with_baseline("-v", &dir).err;
    let line = "gone: base/ms.yaml: kubelet-insecure-tls: --kubelet-insecure-tls (clusters/dev, clusters/prod)";
    assert!(told.contains(line), "{told}");
    assert_eq!(with_baseline("-q", &dir).err, "");
    // Who looks at a part only cannot tell.
    assert_eq!(with_baseline("--ignore security", &dir).err, "");
    let other = baseline(&dir).replace("kubelet-insecure-tls\",", "kubelet-is-purple\",");
    write(&dir, ".metrics-server-lint-baseline.json", &other);
    let told = with_baseline("", &dir).err;
    assert!(told.contains("rules that there are not: `kubelet-is-purple`"), "{told}");
    assert!(!told.contains("gone"), "{told}");
}

#[test]
fn a_broken_baseline_is_said_where_it_is() {
    let dir = overlays();
    for (text, said) in [
        ("", "1:1"),
        ("{\"version\": 1,\n\"findings\": [}", "2:13"),
        ("{\"version\": 7}", "1:13"),
        ("{\"version\": 1,\n \"findings\": [{\"path\": 1}]}", "2:24"),
        ("{\"version\": 1,\n \"findings\": [{\"rule\": \"x\", \"count\": -1}]}", "2:38"),
        ("{}", "1:1"),
        ("{\"version\": 1}", "1:1"),
        // The form of `--format json` of a run that found nothing.
        ("{\"version\": 1, \"findings\": [], \"environments\": [],\n\"summary\": {}}", "2:12"),
    ] {
        write(&dir, ".metrics-server-lint-baseline.json", text);
        let run = with_baseline("-q", &dir);
        assert_eq!((run.status, &*run.out), (2, ""), "{text}");
        assert!(
            run.err.contains(&format!("baseline.json:{said}: error[baseline]: ")),
            "{}",
            run.err
        );
    }
    assert_eq!(with_baseline("--write-baseline", &dir).status, 0);
    for arguments in [
        "--write-baseline",
        "--baseline x --write-baseline --select security",
        "--baseline x --write-baseline --list-files",
    ] {
        assert_eq!(check(arguments, &dir).status, 2, "{arguments}");
    }
    let part = dir.path().join("clusters");
    let run = program("check --baseline x --write-baseline --root", &[dir.path(), &part]);
    assert!(run.status == 2 && run.err.contains("whole repository"), "{}", run.err);
}

#[test]
fn only_what_a_base_does_not_have_is_reported() {
    let (base, head) = (overlays(), overlays());
    let since = |dir: &Path| check(&format!("-q --since {}", dir.display()), &head);
    assert_eq!(since(base.path()).status, 0);
    write(&head, "clusters/edge/kustomization.yaml", "resources: [../../base]\n");
    let run = since(base.path());
    assert!(run.out.contains("in 1 of 3 environments: clusters/edge"), "{}", run.out);
    assert_eq!(run.status, 1);
    // Each tree has its own configuration.
    write(&head, ".metrics-server-lint.yaml", "exclude: [clusters/edge]\n");
    assert_eq!(since(base.path()).status, 0);
    write(&base, ".metrics-server-lint.yaml", "rules: {kubelet-insecure-tls: off}\n");
    assert_eq!(since(base.path()).status, 1);
    write(&base, ".metrics-server-lint.yaml", "rulez: {}\n");
    let run = since(base.path());
    assert!(
        run.status == 2 && run.err.contains(".metrics-server-lint.yaml:1: there is no"),
        "{}",
        run.err
    );
    for (dir, said) in [
        (head.path().join("nowhere"), "there is no directory"),
        (head.path().join("base/ms.yaml"), "is not a directory"),
        (head.path().to_owned(), "is the repository itself"),
        ("/nowhere".into(), "there is no directory `/nowhere`\n"),
        ("origin/main".into(), "`git worktree add ../base origin/main`"),
    ] {
        let run = since(&dir);
        assert!(run.status == 2 && run.err.contains(said), "{}", run.err);
    }
    let empty = repository("");
    assert!(since(empty.path()).err.contains("holds no files"));
}

#[test]
fn pedantic_notes_of_a_base_are_old() {
    let (base, head) = (overlays(), overlays());
    for dir in [&base, &head] {
        for (name, path) in [("apps", "apps"), ("ours", "base")] {
            let object = format!(
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
                 metadata: {{name: {name}, namespace: flux-system}}\n\
                 spec: {{interval: 1m, prune: true, path: ./{path}, \
                 sourceRef: {{kind: GitRepository, name: flux-system}}}}\n"
            );
            write(dir, &format!("clusters/web/{name}.yaml"), &object);
        }
        write(dir, "apps/kustomization.yaml", "resources: [nowhere.yaml]\n");
    }
    let run = check("-q --pedantic", &head);
    assert!(run.out.contains("nowhere.yaml"), "{}", run.out);
    let run = check(&format!("-q --pedantic --since {}", base.path().display()), &head);
    assert_eq!((run.status, &*run.out), (0, ""));
}

#[test]
fn a_base_inside_of_the_repository_is_no_part_of_it() {
    let head = overlays();
    for (path, text) in [
        ("x/base/kustomization.yaml", "resources: [ms.yaml]\n"),
        ("x/base/ms.yaml", &flag()),
        ("x/clusters/dev/kustomization.yaml", "resources: [../../base]\n"),
    ] {
        write(&head, path, text);
    }
    let own = ["x", "clusters/prod"].map(|it| head.path().join(it));
    for part in &own {
        let run = check(&format!("--since {}", part.display()), &head);
        assert_eq!((run.status, &*run.out), (2, ""), "{}", run.err);
        assert!(run.err.contains("is a part of the repository, which would not"), "{}", run.err);
    }
    assert!(check("", &head).out.contains("in 3 environments"));
    // What is no part of it anyway may be another version: a checkout, what git ignores.
    write(&head, ".gitignore", "x/\n");
    assert_eq!(check(&format!("--since {}", own[0].display()), &head).status, 1);
    fs::remove_file(head.path().join(".gitignore")).unwrap();
    write(&head, "x/.git", "gitdir: elsewhere\n");
    let run = check(&format!("--since {}", head.path().join("x").display()), &head);
    assert!(run.out.contains("1 warning in 2 environments"), "{}", run.out);
    assert!(run.out.contains("in 1 of 2 environments: clusters/prod"), "{}", run.out);
    assert!(run.out.contains("1 before"), "{}", run.out);
}

#[test]
fn what_is_less_severe_is_counted_and_fails_all_the_same() {
    let dir = overlays();
    let run = check("--min-severity error", &dir);
    assert_eq!(run.status, 1);
    assert!(run.out.starts_with("nothing found in 2 environments"), "{}", run.out);
    assert!(run.out.contains("1 less severe not shown, see --min-severity"), "{}", run.out);
    let lenient = program("check --min-severity error --fail-on error --root", &[dir.path()]);
    assert_eq!(lenient.status, 0);
    assert!(check("--min-severity warning", &dir).out.starts_with("warning["));
    assert_eq!(check("--min-severity fatal", &dir).status, 2);
    assert!(check("--min-severity warn", &dir).err.contains("write `warning`"));
}

#[test]
fn a_run_is_about_the_environments_that_are_named() {
    let dir = overlays();
    write(&dir, "clusters/prod/ms.yaml", "x: [\n");
    write(&dir, "clusters/clean/kustomization.yaml", "resources: [hpa.yaml]\n");
    write(&dir, "unrelated/metrics-server.yaml", "{\n");
    for (name, said) in [
        ("dev", "in 1 environment ("),
        ("clusters/dev", "in 1 environment ("),
        ("clusters/*", "in 2 environments ("),
        ("pr?d", "in 1 environment ("),
    ] {
        let run = check(&format!("--environment {name}"), &dir);
        assert!(run.out.contains("1 warning") && run.out.contains(said), "{name}: {}", run.out);
        assert!(!run.out.contains("syntax"), "{}", run.out);
    }
    assert!(check("--environment dev --environment prod", &dir).out.contains("in 2 environments"));
    for name in ["de", "usters/dev", "DEV"] {
        let run = check(&format!("--environment {name}"), &dir);
        assert_eq!(run.status, 2, "{name}");
        let said =
            format!("there is no environment `{name}`; there are: clusters/dev, clusters/prod");
        assert!(run.err.contains(&said), "{}", run.err);
    }
}

#[test]
fn files_are_listed_with_why() {
    let dir = repository(
        "
        //- .git/HEAD
        ref: refs/heads/main
        //- .gitignore
        gen/
        //- .hidden/a.yaml
        FLAG
        //- gen/a.yaml
        FLAG
        //- a.yaml
        FLAG
        //- b.yaml
        b: 1
        //- c.png
        c
        //- lab/a.yaml
        FLAG
        //- inner/.git
        gitdir: x
        //- inner/a.yaml
        FLAG
        //- .metrics-server-lint.yaml
        exclude: [lab]
        ",
    );
    let run = check("--list-files", &dir);
    assert_eq!((run.status, &*run.err), (0, ""));
    let lines = [
        ".gitignore\tnot: it is no kind of file that is looked into",
        ".hidden/a.yaml\tnot: its directory is hidden",
        ".metrics-server-lint.yaml\tthe configuration",
        "a.yaml\tlooked into: it may be about metrics-server or kubelets' certificates",
        "b.yaml\tnot: nothing in it is about metrics-server",
        "c.png\tnot: it is no kind of file that is looked into",
        "gen/\tnot: git ignores it",
        "inner/a.yaml\tnot: `inner` is a repository of its own",
        "lab/a.yaml\tread for others: `exclude` says to report nothing here; it may be about \
         metrics-server or kubelets' certificates",
    ];
    assert_eq!(run.out.lines().collect::<Vec<_>>(), lines);
    assert_eq!(check("--list-files --format json", &dir).status, 2);
    let part = program("check --list-files", &[&dir.path().join("lab")]);
    let line =
        "lab/a.yaml\tlooked into: it may be about metrics-server or kubelets' certificates\n";
    assert_eq!(part.out, line);
}

/// The blocks of a page in that language.
fn blocks<'a>(page: &'a str, language: &str) -> impl Iterator<Item = &'a str> {
    let blocks = page.split("```").skip(1).step_by(2);
    let start = format!("{language}\n");
    blocks.filter_map(move |it| it.strip_prefix(&*start))
}

#[test]
fn the_page_on_adoption_can_be_followed() {
    let page = include_str!("../../../docs/adoption.md");
    let (base, head) = (overlays(), overlays());
    fs::create_dir(base.path().join("legacy")).unwrap();
    fs::write(base.path().join("legacy/a.yaml"), "a: 1\n").unwrap();
    fs::create_dir(head.path().join("legacy")).unwrap();
    fs::write(head.path().join("legacy/a.yaml"), "a: 1\n").unwrap();
    let mut commands = 0;
    let here = |word: &str| match word.trim_matches('"') {
        "../base" => base.path().display().to_string(),
        ".metrics-server-lint-baseline.json" => head.path().join(word).display().to_string(),
        word => word.to_owned(),
    };
    let lines = blocks(page, "sh").flat_map(str::lines);
    for command in lines.filter_map(|it| it.strip_prefix("metrics-server-lint ")) {
        let words: Vec<String> = command.split(' ').map(here).collect();
        let run = program(&format!("{} --root", words.join(" ")), &[head.path()]);
        assert_eq!(run.status, 0, "{command}: {}{}", run.out, run.err);
        commands += 1;
    }
    assert!(commands > 8);
    let configuration =
        blocks(page, "yaml").find(|it| it.starts_with("# .metrics-server-lint.yaml"));
    write(&head, ".metrics-server-lint.yaml", configuration.unwrap());
    let run = program("check -q --fail-on error --root", &[head.path()]);
    assert_eq!((run.status, &*run.err), (1, ""));
    assert!(run.out.contains("error[kubelet-insecure-tls]"), "{}", run.out);
    assert!(run.out.contains("in 1 of 2 environments: clusters/prod"), "{}", run.out);
    assert_eq!(run.out.lines().count(), 1, "every setting counts: {}", run.out);
}

/// An option that does nothing is an error, and a name does nothing to a terminal.
#[test]
#[cfg(unix)]
fn what_would_be_passed_over_is_said() {
    let dir = overlays();
    write(&dir, "prod/kustomization.yaml", "resources: [../base]\n");
    let odd = "esc\u{1b}[31m\u{202e}\nx";
    write(&dir, &format!("{odd}/kustomization.yaml"), "resources: [../base]\n");
    let twice = program("diff --root", &[dir.path(), dir.path(), dir.path()]);
    assert_eq!(twice.status, 2);
    assert!(twice.err.contains("stands twice: --root and HEAD"), "{}", twice.err);
    let config = dir.path().join("config.yaml");
    let written = program("init -o", &[&config, Path::new("--root"), dir.path()]);
    let unknown = program("show nope --root", &[dir.path()]);
    for told in [&written.err, &unknown.err] {
        assert!(told.contains(r"esc\u{1b}[31m\u{202e}\nx"), "{told}");
    }
}

/// Who names an overlay is told that its base has findings, too.
#[test]
fn what_is_written_elsewhere_is_counted() {
    let dir = overlays();
    let path = dir.path().join("clusters/prod");
    let root = Path::new("--root");
    let output = program("check", &[&path, root, dir.path()]);
    assert_eq!(output.status, 0, "{}", output.out);
    assert!(output.out.starts_with("nothing found in 1 environment ("), "{}", output.out);
    let told = " more of clusters/prod, written elsewhere: see --environment clusters/prod\n";
    assert!(output.err.starts_with("note: ") && output.err.ends_with(told), "{}", output.err);
    assert_eq!(program("check -q", &[&path, root, dir.path()]).err, "");
    let all = program("check --environment clusters/prod --root", &[dir.path()]);
    assert!(all.status == 1 && all.err.is_empty(), "{}", all.err);
    // What has a part in no environment takes none away.
    write(&dir, "other/values.yaml", "a: 1\n");
    let other = program("check --fail-on-empty", &[&dir.path().join("other"), root, dir.path()]);
    assert_eq!((other.status, &*other.err), (0, ""), "{}", other.out);
}

/// The same of several versions is one finding, and is not elsewhere where one of them is named.
#[test]
fn what_is_shown_is_not_elsewhere() {
    let dir = repository("//- ms/v0.6.0/ms.yaml\nFLAG\n//- ms/v0.7.0/ms.yaml\nFLAG\n");
    for version in ["v0.6.0", "v0.7.0"] {
        write(&dir, &format!("ms/{version}/kustomization.yaml"), "resources: [ms.yaml]\n");
        let path = dir.path().join("ms").join(version);
        let output = program("check --pedantic", &[&path, Path::new("--root"), dir.path()]);
        assert!(output.status == 1 && output.err.is_empty(), "{}", output.err);
    }
}

#[test]
fn init_writes_what_changes_nothing() {
    let dir = overlays();
    write(&dir, "prod/kustomization.yaml", "resources: [../base]\n");
    write(&dir, "charts/app/Chart.yaml", "{apiVersion: v2, name: app, version: 1.0.0}\n");
    write(&dir, "charts/app/templates/a.yaml", &flag());
    let findings = |dir: &TempDir| check("-q --pedantic", dir).out;
    let before = findings(&dir);
    let init = |arguments: &str| program(&format!("init {arguments} --root"), &[dir.path()]);
    let own = dir.path().join("base/kustomization.yaml");
    let (text, own) = (fs::read_to_string(&own).unwrap(), own);
    let refused = init(&format!("-o {}", own.display()));
    assert_eq!((refused.status, fs::read_to_string(&own).unwrap()), (2, text), "it stays");
    let printed = init("-o -");
    insta::assert_snapshot!(printed.out, @r#"
    # yaml-language-server: $schema=https://github.com/metrics-server-lint/metrics-server-lint/raw/main/schema/config.schema.json
    # What the repository does not say of itself. Every setting is optional.
    environments:
      charts/app:
        # nodes: 300              # how many nodes there are
        # pods-per-node: 50       # how many pods run on one of them
        # kubernetes: "1.31"      # their version
        # local: true             # it only exists on somebody's machine
        # rules: {kubelet-insecure-tls: error}    # or warning, note, off
      clusters/dev:
        # nodes: 300              # how many nodes there are
        # pods-per-node: 50       # how many pods run on one of them
        # kubernetes: "1.31"      # their version
        # local: true             # it only exists on somebody's machine
        # rules: {kubelet-insecure-tls: error}    # or warning, note, off
      clusters/prod:
        # nodes: 300              # how many nodes there are
        # pods-per-node: 50       # how many pods run on one of them
        # kubernetes: "1.31"      # their version
        # local: true             # it only exists on somebody's machine
        # rules: {kubelet-insecure-tls: error}    # or warning, note, off
      prod:
        # nodes: 300              # how many nodes there are
        # pods-per-node: 50       # how many pods run on one of them
        # kubernetes: "1.31"      # their version
        # local: true             # it only exists on somebody's machine
        # rules: {kubelet-insecure-tls: error}    # or warning, note, off
    # rules: {priority-class-not-critical: "off"}
    # overrides: [{files: ["legacy/**"], rules: {unknown-flag: warning}}]
    # exclude: [examples]         # nothing is reported there
    "#);
    let run = init("");
    assert_eq!((run.status, &*run.out), (0, ""), "{}", run.err);
    assert_eq!(
        run.err,
        "wrote `.metrics-server-lint.yaml` with 4 environments\n  charts/app\n  clusters/dev\n  clusters/prod\n  prod\n"
    );
    let file = dir.path().join(".metrics-server-lint.yaml");
    assert_eq!(fs::read_to_string(&file).unwrap(), printed.out);
    assert_eq!(findings(&dir), before);
    fs::write(&file, "pedantic: true\n").unwrap();
    let again = init("");
    assert_eq!((again.status, &*again.out), (2, ""));
    assert!(again.err.contains("is there already, and stays as it is"), "{}", again.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), "pedantic: true\n");
    // What is a comment there is right, too.
    let filled = printed.out.replace("# nodes", "nodes").replace("# kub", "kub");
    fs::write(&file, filled.replace("# local", "local").replace("# rules", "rules")).unwrap();
    assert_eq!(check("", &dir).status, 1);
    // Nothing to find is no reason to write nothing.
    let empty = repository("");
    assert_eq!(program("init --root", &[empty.path()]).status, 0);
    assert_eq!(check("", &empty).status, 0);
}
