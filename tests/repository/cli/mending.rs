//! What `--fix` writes, and what it leaves alone.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::repository;
use crate::common::program;

/// A release with two values that can be mended.
const VALUES: &str = "
    //- release.yaml
    apiVersion: source.toolkit.fluxcd.io/v1
    kind: HelmRepository
    metadata: {name: metrics-server, namespace: kube-system}
    spec: {url: 'https://kubernetes-sigs.github.io/metrics-server/'}
    ---
    apiVersion: helm.toolkit.fluxcd.io/v2
    kind: HelmRelease
    metadata: {name: metrics-server, namespace: kube-system}
    spec:
      chart:
        spec:
          chart: metrics-server
          version: 3.12.2
          sourceRef: {kind: HelmRepository, name: metrics-server}
      values:
        args: # as often as it can
          - --metric-resolution=5s # often
        podLabel: {team: a}
    ";

/// A repository with it, and its file.
fn release() -> (TempDir, PathBuf) {
    let dir = repository(VALUES);
    let file = dir.path().join("release.yaml");
    (dir, file)
}

#[test]
fn a_patch_is_printed_and_nothing_is_written() {
    let (dir, file) = release();
    let before = fs::read_to_string(&file).unwrap();
    let output = program("check --diff --root", &[dir.path()]);
    let lines =
        "-      - --metric-resolution=5s # often\n+      - --metric-resolution=15s # often\n";
    assert!(output.status == 1 && output.out.contains(lines), "{}", output.out);
    assert!(output.err.contains("1 fixed by the patch"), "{}", output.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    // A patch is no report; what is left counts as after `--fix`.
    let refused = program("check --diff --format json --root", &[dir.path()]);
    assert!(refused.status == 2 && refused.err.contains("leave --format out"), "{}", refused.err);
    let left = before.replace("=5s", "=15s");
    fs::write(&file, left.replace("podLabel: {team: a}", "podLabel: [x]")).unwrap();
    let output = program("check --diff --root", &[dir.path()]);
    assert_eq!((output.status, &*output.out), (1, ""), "{}", output.err);
}

#[test]
fn what_needs_no_person_is_written() {
    let (dir, file) = release();
    let text = fs::read_to_string(&file).unwrap();
    let output = program("check --fix --root", &[dir.path()]);
    let text = text.replace("=5s #", "=15s #");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let counts = "1 fixed; 1 more with --unsafe-fixes";
    assert!(output.status == 1 && output.out.contains(counts), "{}", output.out);
    let output = program("check --fix --unsafe-fixes --root", &[dir.path()]);
    assert_eq!(fs::read_to_string(&file).unwrap(), text.replace("podLabel:", "podLabels:"));
    assert!(output.status == 0 && output.out.contains("1 fixed"), "{}", output.out);
    let line = 1 + text.lines().position(|it| it.contains("podLabel:")).unwrap();
    let said = format!("fixed release.yaml:{line} (unknown-values-key)\n");
    assert!(output.out.starts_with(&said), "{}", output.out);
    let output = program("check --unsafe-fixes --root", &[dir.path()]);
    assert_eq!(output.status, 2, "{}", output.err);
}

/// Line ends and a byte order mark stay as they are.
#[test]
fn what_is_around_an_edit_stays() {
    let (dir, file) = release();
    let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, windows(&text)).unwrap();
    program("check --fix --root", &[dir.path()]);
    assert_eq!(fs::read_to_string(&file).unwrap(), windows(&text.replace("=5s #", "=15s #")));
}

/// Git and patch end lines at nothing but a line feed; what cannot be named in a patch would spoil all of
/// it.
#[test]
#[cfg(target_os = "linux")]
fn a_patch_is_one_that_git_takes() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let (dir, file) = release();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace('\n', "\r").replace("often\r", "often\n")).unwrap();
    let output = program("check --diff --unsafe-fixes --root", &[dir.path()]);
    let lines = output.out.split_inclusive('\n').skip(1);
    assert!(lines.clone().all(|it| it.starts_with([' ', '+', '-', '@'])), "{:?}", output.out);
    // What is no name in UTF-8 is looked at, and left alone.
    let odd = dir.path().join(OsStr::from_bytes(b"\xff.yaml"));
    let other = text.replace("name: metrics-server, namespace: kube", "name: ms, namespace: kube");
    fs::write(&odd, &other).unwrap();
    let output = program("check --diff --unsafe-fixes --root", &[dir.path()]);
    assert_eq!(output.out.matches("diff --git").count(), 1, "{}", output.out);
    let output = program("check --fix --root", &[dir.path()]);
    assert_eq!(output.status, 1, "{}", output.err);
    assert_eq!(fs::read_to_string(&odd).unwrap(), other);
}

/// Nothing is called mended that is not: what may not be written is said, and no report leaves it out.
#[test]
fn what_may_not_be_written_is_said() {
    let (dir, file) = release();
    let before = fs::read_to_string(&file).unwrap();
    let mut mode = fs::metadata(&file).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(&file, mode).unwrap();
    let output = program("check --fix --root", &[dir.path()]);
    assert_eq!((output.status, &*output.out), (2, ""), "{}", output.err);
    assert!(output.err.contains("`release.yaml` is left alone"), "{}", output.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}

/// A values file that nobody names is of a chart that we assume: a person has to look.
#[test]
fn what_is_assumed_is_not_mended_unasked() {
    let text = "\n//- metrics-server/values.yaml\nargs: [--metric-resolution=5s]\n";
    let dir = repository(text);
    let output = program("check --fix --root", &[dir.path()]);
    assert!(output.out.contains("0 fixed; 1 more with --unsafe-fixes"), "{}", output.out);
    program("check --fix --unsafe-fixes --root", &[dir.path()]);
    let file = dir.path().join("metrics-server/values.yaml");
    assert_eq!(fs::read_to_string(&file).unwrap(), "args: [--metric-resolution=15s]\n");
}

/// The file of variables has no comments behind values, and lines that end as on Windows.
#[test]
fn a_comment_in_a_value_comes_to_stand_above_it() {
    let dir = repository(
        "
        //- clusters/dev/flux-system/gotk-sync.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: flux-system, namespace: flux-system}
        spec: {path: ./clusters/dev, sourceRef: {kind: GitRepository, name: flux-system}}
        //- clusters/dev/kustomization.yaml
        resources: [flux-system/gotk-sync.yaml, apps.yaml]
        generatorOptions: {disableNameSuffixHash: true}
        configMapGenerator: [{name: vars, namespace: flux-system, envs: [a.env]}]
        //- clusters/dev/apps.yaml
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: apps, namespace: flux-system}
        spec:
          path: ./apps
          sourceRef: {kind: GitRepository, name: flux-system}
          postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}]}
        //- apps/metrics-server.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: metrics-server, namespace: kube-system}
        spec:
          selector: {matchLabels: {k8s-app: metrics-server}}
          template:
            metadata: {labels: {k8s-app: metrics-server}}
            spec:
              priorityClassName: ${CLASS}-critical
              containers:
                - name: metrics-server
                  image: registry.k8s.io/metrics-server/metrics-server:v0.8.0
        ",
    );
    let file = dir.path().join("clusters/dev/a.env");
    fs::write(&file, "CLASS=system-cluster   # as upstream\r\nB=1\r\n").unwrap();
    program("check --pedantic --fix --root", &[dir.path()]);
    let fixed = fs::read_to_string(&file).unwrap();
    assert_eq!(fixed, "# as upstream\r\nCLASS=system-cluster\r\nB=1\r\n");
    // A value that is replaced keeps what stands behind it.
    let server = dir.path().join("apps/metrics-server.yaml");
    let text = fs::read_to_string(&server).unwrap().replace("${CLASS}-critical", "a");
    let text =
        text.trim_end().to_owned() + "\n          args:\n            - --metric-resolution=${B}\n";
    fs::write(&server, text).unwrap();
    for (old, new) in [("5s # why", "15s # why"), ("5s\t# a 'b'", "15s\t# a 'b'"), ("5s", "15s")] {
        fs::write(&file, format!("CLASS=a\nB={old}\n")).unwrap();
        program("check --fix --root", &[dir.path()]);
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("CLASS=a\nB={new}\n"));
    }
    // The line ends of the file are those of a new line, too.
    fs::write(
        &server,
        fs::read_to_string(&server).unwrap().replace(" a\n", " ${CLASS}-critical\n"),
    )
    .unwrap();
    fs::write(&file, "B=15s\r\nCLASS=\"system-cluster\" # a \"b\"").unwrap();
    program("check --pedantic --fix --root", &[dir.path()]);
    let fixed = "B=15s\r\n# a \"b\"\r\nCLASS=system-cluster";
    assert_eq!(fs::read_to_string(&file).unwrap(), fixed);
    // A byte order mark stays where it is.
    fs::write(&file, "\u{feff}CLASS=system-cluster # a\nB=15s\n").unwrap();
    program("check --pedantic --fix --root", &[dir.path()]);
    let fixed = "\u{feff}# a\nCLASS=system-cluster\nB=15s\n";
    assert_eq!(fs::read_to_string(&file).unwrap(), fixed);
}

/// A release with a value that another directory defines.
const SUBSTITUTED: &str = "
    //- clusters/prod/sync.yaml
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata: {name: apps, namespace: flux-system}
    spec:
      path: ./apps
      sourceRef: {kind: GitRepository, name: flux-system}
      postBuild: {substitute: {RESOLUTION: 5s}}
    ";

/// Whoever names files means these: what another one needs is said, and not done.
#[test]
fn what_is_not_named_is_not_written() {
    let release =
        VALUES.replace("release.yaml", "apps/release.yaml").replace("=5s", "=${RESOLUTION}");
    let dir = repository(&(release + SUBSTITUTED));
    let file = dir.path().join("clusters/prod/sync.yaml");
    let before = fs::read_to_string(&file).unwrap();
    let apps = dir.path().join("apps");
    let output = program("check --fix --unsafe-fixes --root", &[dir.path(), &apps]);
    let said = "1 fixed; 1 not fixed, outside of what is checked: `clusters/prod/sync.yaml`";
    assert!(output.out.contains(said), "{}", output.out);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let output = program("check --fix --root", &[dir.path()]);
    assert!(output.out.contains("1 fixed"), "{}", output.out);
    assert_eq!(fs::read_to_string(&file).unwrap(), before.replace("5s", "15s"));
}

/// The rights of a file are its own, also where the process would give others.
#[cfg(unix)]
#[test]
fn a_file_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    for mode in [0o600, 0o644, 0o755] {
        let (dir, file) = release();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        program("check --fix --root", &[dir.path()]);
        assert!(fs::read_to_string(&file).unwrap().contains("=15s"));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, mode);
    }
}

/// A link that leads out of the repository is not followed, and one inside stays one.
#[cfg(unix)]
#[test]
fn links_stay_links_and_lead_nowhere_else() {
    use std::os::unix::fs::symlink;
    let (dir, file) = release();
    let outside = tempfile::tempdir().unwrap();
    let real = outside.path().join("release.yaml");
    fs::rename(&file, &real).unwrap();
    symlink(&real, &file).unwrap();
    let before = fs::read_to_string(&real).unwrap();
    program("check --fix --root", &[dir.path()]);
    assert_eq!(fs::read_to_string(&real).unwrap(), before);
    let inside = dir.path().join("real.yaml");
    fs::remove_file(&file).unwrap();
    fs::write(&inside, &before).unwrap();
    symlink("real.yaml", &file).unwrap();
    program("check --fix --root", &[dir.path()]);
    assert_eq!(fs::read_to_string(&inside).unwrap(), before.replace("=5s", "=15s"));
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
}

/// A base that others share keeps its request: the stage that has more nodes gets one of its own.
#[test]
fn a_variable_of_a_base_is_overridden_where_it_counts() {
    let dir = repository(
        "
        //- .metrics-server-lint.yaml
        environments: {'clusters/prod': {nodes: 300}}
        //- clusters/prod/kustomization.yaml
        resources: [../../base]
        configMapGenerator:
          - name: sizes
            behavior: merge
            envs: [sizes.env]
        replacements: &sizes
          - source: {kind: ConfigMap, name: sizes, fieldPath: data.LIMIT}
            targets:
              - select: {kind: Deployment}
                fieldPaths: [spec.template.spec.containers.0.resources.limits.memory]
          - source: {kind: ConfigMap, name: sizes, fieldPath: data.REQUEST}
            targets:
              - select: {kind: Deployment}
                fieldPaths: [spec.template.spec.containers.0.resources.requests.memory]
        //- clusters/prod/sizes.env
        # more
        LIMIT=256Mi
        //- base/kustomization.yaml
        resources: [deployment.yaml]
        configMapGenerator:
          - name: sizes
            envs: [sizes.env]
        generatorOptions: {disableNameSuffixHash: true}
        //- base/sizes.env
        REQUEST=128Mi
        LIMIT=128Mi
        //- base/deployment.yaml
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
                  args: [--cert-dir=/tmp, --secure-port=10250]
                  resources:
                    limits: {memory: x}
                    requests: {memory: x}
    ",
    );
    let patch = program("check --diff --unsafe-fixes --root", &[dir.path()]).out;
    let lines = ["-LIMIT=256Mi", "+LIMIT=600Mi", "+REQUEST=600Mi"];
    let changed = patch.lines().filter(|it| it.starts_with(['-', '+']) && it.contains('='));
    assert_eq!(changed.collect::<Vec<_>>(), lines, "{patch}");
    assert!(!patch.contains("base/"), "{patch}");
}
