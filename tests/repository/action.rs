//! The GitHub Action: its steps as `action.yml` has them, run by bash as the runner does it, against a
//! release and an API on this machine. `ACTION_BASH=/path/to/bash cargo test action` takes another bash,
//! such as the 3.2 of macOS.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use flate2::Crc;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{
    common::{files, program, repository},
    tidy::generated,
};

/// What the scripts use of a system. Nothing else is on their PATH: no `gh`, unless a test makes one.
const TOOLS: [&str; 23] = [
    "basename",
    "bash",
    "cat",
    "chmod",
    "curl",
    "dirname",
    "env",
    "git",
    "grep",
    "gzip",
    "head",
    "jq",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sed",
    "sha256sum",
    "tar",
    "tr",
    "unzip",
    "wc",
    "touch",
];

/// A program of a release, which says how it is called. `STATUS` is how its check ends, `DIFF` what its
/// `diff` prints.
const STAND_IN: &str = r#"#!/usr/bin/env bash
if [ -n "${INPUT_GITHUB_TOKEN:-}${GH_TOKEN:-}${TOKEN:-}" ]; then echo "the program has the token" >&2; exit 9; fi
case "$1" in
  --version) echo "metrics-server-lint VERSION" ;;
  check)
    printf '<%s>' "$@"; echo
    for it; do case "$it" in --format=sarif:*) echo '{}' > "${it#--format=sarif:}" ;; esac; done
    exit "${STATUS:-0}" ;;
  diff) printf '<%s>' "$@" >&2; printf '%s\n' "${DIFF:-### nothing}" ;;
esac
"#;

/// A `gh` whose attestations are right, and which keeps comments in a file.
const GH: &str = r#"#!/usr/bin/env bash
printf '%s|%s\n' "$*" "$GH_TOKEN" >> "$PLACE/gh.log"
case "$*" in
  *--help*) echo '--cert-identity string' ;;
  attestation*) echo '[{}]' ;;
  'api user '*) echo "${LOGIN:?}" ;;
  'api --paginate '*) jq -r "${@: -1}" "$PLACE/comments.json" ;;
  'api --method '*) for it; do case "$it" in body=@*) cat "${it#body=@}" > "$PLACE/written" ;; esac; done ;;
  *) exit 1 ;;
esac
"#;

fn version() -> String {
    format!("v{}", env!("CARGO_PKG_VERSION"))
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// A tool of this system.
fn tool(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|it| it.join(name)).find(|it| it.is_file())
}

/// Serves the files of a directory, and remembers what was asked for, with the token.
fn serve(dir: PathBuf) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let requests = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &dir, &requests);
        }
    });
    (address, asked)
}

fn answer(mut stream: TcpStream, dir: &Path, asked: &Mutex<Vec<String>>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let lines: Vec<String> =
        lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let Some(path) = lines.first().and_then(|it| it.split(' ').nth(1)) else { return };
    let token = lines.iter().find_map(|it| it.strip_prefix("Authorization: "));
    asked.lock().unwrap().push(format!("{path} {}", token.unwrap_or_default()).trim().to_owned());
    let (status, body) = match fs::read(dir.join(path.trim_start_matches('/'))) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // Who breaks off early wants no more.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

/// A runner, with a release for it and the pull request `o/r#7`.
struct Runner {
    dir: TempDir,
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    variables: BTreeMap<String, String>,
    /// What expressions of `action.yml` can name.
    context: BTreeMap<String, String>,
}

/// What became of the steps.
#[derive(Debug, Default)]
struct Outcome {
    status: i32,
    said: String,
    outputs: BTreeMap<String, String>,
    uploaded: Option<String>,
    summary: String,
}

impl Outcome {
    #[track_caller]
    fn says(&self, what: &str) {
        assert!(self.said.contains(what), "`{what}` is not said in\n{}", self.said);
    }
}

impl Runner {
    /// None where this system cannot run the scripts at all.
    fn new() -> Option<Self> {
        let missing: Vec<&str> = ["bash", "curl", "tar", "gzip", "git", "sha256sum"]
            .into_iter()
            .filter(|name| tool(name).is_none())
            .collect();
        if !missing.is_empty() {
            assert!(env::var_os("CI").is_none(), "{missing:?} not found on this system");
            eprintln!("skipped: {missing:?} not found on this system");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["bin", "www", "temp", "tools", "checkout/clusters", "checkout/de ploy"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["a b.yaml", "-known.json", "c.yaml"] {
            fs::write(at("checkout").join(name), "").unwrap();
        }
        for name in TOOLS {
            if let Some(path) = tool(name) {
                symlink(path, at("bin").join(name)).unwrap();
            }
        }
        if let Some(bash) = env::var_os("ACTION_BASH").filter(|it| !it.is_empty()) {
            fs::remove_file(at("bin/bash")).unwrap();
            symlink(bash, at("bin/bash")).unwrap();
        }
        let (address, asked) = serve(at("www"));
        let text = |name: &str| at(name).display().to_string();
        let variables = [
            ("PATH", text("bin")),
            ("HOME", text("temp")),
            ("PLACE", text("")),
            ("GITHUB_ACTION_PATH", repository().display().to_string()),
            ("GITHUB_API_URL", format!("{address}/api")),
            ("GITHUB_EVENT_NAME", "pull_request".to_owned()),
            ("GITHUB_OUTPUT", text("output")),
            ("GITHUB_REF", "refs/pull/7/merge".to_owned()),
            ("GITHUB_REPOSITORY", "o/r".to_owned()),
            ("GITHUB_SHA", "1".repeat(40)),
            ("GITHUB_STEP_SUMMARY", text("summary")),
            ("GITHUB_WORKSPACE", text("checkout")),
            ("RUNNER_ARCH", "X64".to_owned()),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_TEMP", text("temp")),
            ("RUNNER_TOOL_CACHE", text("tools")),
        ];
        let context = [
            ("github.token", "secret"),
            ("github.action_repository", "metrics-server-lint/metrics-server-lint"),
            ("github.event.pull_request.number", "7"),
            ("github.event.pull_request.head.repo.full_name", "o/r"),
            ("github.event.pull_request.base.sha", "ba5e0000ba5e0000ba5e0000ba5e0000ba5e0000"),
        ];
        let own = |it: (&str, String)| (it.0.to_owned(), it.1);
        let runner = Self {
            address,
            asked,
            variables: variables.map(own).into(),
            context: context.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            dir,
        };
        runner.release("x86_64-unknown-linux-musl", &version());
        Some(runner)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Puts a program on the PATH.
    fn command(&self, name: &str, text: &str) {
        let path = self.at("bin").join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn without(&self, name: &str) {
        fs::remove_file(self.at("bin").join(name)).unwrap();
    }

    /// Serves a release whose program says that it is of this version.
    fn release(&self, target: &str, says: &str) {
        let (tag, folder) = (version(), self.at("www/releases").join(version()));
        let name = format!("metrics-server-lint-{tag}-{target}");
        let is_windows = target.contains("windows");
        let program = STAND_IN.replace("VERSION", says.trim_start_matches('v'));
        let archive = name.clone() + if is_windows { ".zip" } else { ".tar.gz" };
        fs::create_dir_all(folder.join(&name)).unwrap();
        if is_windows {
            let entry = format!("{name}/metrics-server-lint.exe");
            fs::write(folder.join(&archive), zip(&entry, program.as_bytes())).unwrap();
        } else {
            fs::write(folder.join(&name).join("metrics-server-lint"), program).unwrap();
            let mut tar = Command::new("tar");
            tar.arg("-C").arg(&folder).arg("-czf").arg(folder.join(&archive)).arg(&name);
            assert!(tar.status().unwrap().success());
        }
        let sum = sha256(&fs::read(folder.join(&archive)).unwrap());
        let sums = format!("{}  other.tar.gz\n{sum} *{archive}\r\n", "0".repeat(64));
        fs::write(folder.join("SHA256SUMS"), sums).unwrap();
    }

    fn archive(&self) -> PathBuf {
        let name = format!("metrics-server-lint-{}-x86_64-unknown-linux-musl.tar.gz", version());
        self.at("www/releases").join(version()).join(name)
    }

    /// Makes the workspace a repository whose HEAD is a merge of two commits, of which the first is
    /// served as what it holds, and returns that.
    fn merge(&mut self) -> String {
        let script = "git init -q -b main . && git config user.email a@b && git config user.name a && \
            mkdir -p clusters && echo old > clusters/a && git add . && git commit -q -m base && \
            git checkout -q -b topic && echo new > clusters/a && git commit -q -a -m topic && \
            git checkout -q main && git merge -q --no-ff -m merge topic";
        let (head, base) = self.git(script);
        self.variable("GITHUB_SHA", &head);
        self.serve_base(&base);
        base
    }

    /// Makes one more commit.
    fn commit(&self, message: &str) -> (String, String) {
        self.git(&format!("git commit -q --allow-empty -m '{message}'"))
    }

    /// Runs a script in the workspace: what HEAD is then, and its first parent.
    fn git(&self, script: &str) -> (String, String) {
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("{script} && git rev-parse HEAD HEAD^1")]);
        let out = bash.current_dir(self.at("checkout")).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let out = String::from_utf8(out.stdout).unwrap();
        let (head, parent) = out.trim().split_once('\n').unwrap();
        (head.to_owned(), parent.to_owned())
    }

    /// Serves a tree as the API does, in a directory of another name.
    fn serve_base(&self, sha: &str) {
        let folder = self.at("www/api/repos/o/r/tarball");
        fs::create_dir_all(folder.join("o-r-123/clusters")).unwrap();
        fs::write(folder.join("o-r-123/clusters/a"), "old\n").unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(&folder).arg("-czf").arg(folder.join(sha)).arg("o-r-123");
        assert!(tar.status().unwrap().success());
    }

    /// What was asked for since the last time.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn gh_calls(&self) -> String {
        fs::read_to_string(self.at("gh.log")).unwrap_or_default()
    }

    /// Runs the action, with inputs by their names and the program of the release unless they name one.
    fn act(&mut self, inputs: &[(&str, &str)]) -> Outcome {
        let action = action();
        for (name, input) in action["inputs"].as_mapping().unwrap() {
            let name = name.as_str().unwrap();
            let default = self.expand(input["default"].as_str().unwrap_or_default());
            self.context.insert(format!("inputs.{name}"), default);
        }
        let releases = format!("{}/releases", self.address);
        for (name, value) in [("releases", &*releases)].iter().chain(inputs) {
            let known = self.context.insert(format!("inputs.{name}"), (*value).to_owned());
            assert!(known.is_some(), "there is no input {name}");
        }
        self.context.retain(|name, _| !name.starts_with("steps."));
        let _ = fs::remove_file(self.at("summary"));
        let mut outcome = Outcome::default();
        for step in action["runs"]["steps"].as_sequence().unwrap() {
            self.step(step, &mut outcome);
        }
        for (name, output) in action["outputs"].as_mapping().unwrap() {
            let value = self.expand(output["value"].as_str().unwrap());
            outcome.outputs.insert(name.as_str().unwrap().to_owned(), value);
        }
        outcome.summary = fs::read_to_string(self.at("summary")).unwrap_or_default();
        outcome
    }

    fn step(&mut self, step: &serde_yaml::Value, outcome: &mut Outcome) {
        let when = step["if"].as_str().unwrap_or("${{ success() }}");
        if !self.holds(when, outcome.status == 0) {
            return;
        }
        let Some(script) = step["run"].as_str() else {
            outcome.uploaded = Some(self.expand(step["with"]["sarif_file"].as_str().unwrap()));
            return;
        };
        let _ = fs::remove_file(self.at("output"));
        let mut bash = Command::new(self.at("bin/bash"));
        bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]);
        bash.env_clear().envs(&self.variables).current_dir(self.at("checkout"));
        for (name, value) in step["env"].as_mapping().unwrap() {
            bash.env(name.as_str().unwrap(), self.expand(value.as_str().unwrap()));
        }
        let run = bash.output().unwrap();
        for text in [&run.stdout, &run.stderr] {
            outcome.said += &String::from_utf8_lossy(text);
        }
        let id = step["id"].as_str().unwrap_or_default();
        for line in fs::read_to_string(self.at("output")).unwrap_or_default().lines() {
            let (name, value) = line.split_once('=').unwrap();
            self.context.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
        }
        if outcome.status == 0 {
            outcome.status = run.status.code().unwrap();
        }
    }

    /// The value of `${{ name }}`, or the text itself.
    fn expand(&self, text: &str) -> String {
        match text.strip_prefix("${{ ").and_then(|it| it.strip_suffix(" }}")) {
            Some(name) => self.context.get(name).cloned().unwrap_or_default(),
            None => text.to_owned(),
        }
    }

    /// Whether a condition of a step holds. Without a function that says otherwise, nothing may have
    /// failed before.
    fn holds(&self, condition: &str, success: bool) -> bool {
        let condition = condition.trim_start_matches("${{ ").trim_end_matches(" }}");
        let mut parts: Vec<&str> = condition.split(" && ").collect();
        if !parts.contains(&"!cancelled()") {
            parts.push("success()");
        }
        parts.into_iter().all(|part| {
            let is = |name: &str, value: &str| {
                self.context.get(name).map_or("", |it| it) == value.trim_matches('\'')
            };
            match (part.split_once(" == "), part.split_once(" != ")) {
                (Some((name, value)), _) => is(name, value),
                (_, Some((name, value))) => !is(name, value),
                _ if part == "!cancelled()" => true,
                _ => {
                    assert_eq!(part, "success()", "the runner of the tests knows no other");
                    success
                }
            }
        })
    }
}

fn action() -> serde_yaml::Value {
    let action = fs::read_to_string(repository().join("action.yml")).unwrap();
    serde_yaml::from_str(&action).unwrap()
}

/// An archive with one file, not compressed, as zip has it: the file, the directory, its end.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(content);
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    let length = u16::try_from(name.len()).unwrap().to_le_bytes();
    // From the version that is needed to the length of what else is known: the same in both places.
    let mut facts = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    facts.extend(crc.sum().to_le_bytes());
    facts.extend([size, size].concat());
    facts.extend([length, [0, 0]].concat());
    let mut out = [b"PK\x03\x04", &*facts, name.as_bytes(), content].concat();
    let start = u32::try_from(out.len()).unwrap();
    let entry = [b"PK\x01\x02\x14\x00", &*facts, &[0; 14], name.as_bytes()].concat();
    out.extend(&entry);
    out.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    out.extend(u32::try_from(entry.len()).unwrap().to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// What bash 3.2 does not have, or has otherwise. Only the bash of macOS would tell.
#[test]
fn scripts_of_the_action_are_for_the_bash_of_macos() {
    let newer = regex::Regex::new(
        r"mapfile|readarray|(declare|local|typeset) -[AgnI]|,,?\}|\^\^?\}|&>>|\|&|coproc|;;?&|=~ [^$]|\[-1\]|wait -n|printf '%\(|\$\{[A-Za-z_]+@",
    )
    .unwrap();
    for file in files(&repository().join("action"), |_| true) {
        let text = fs::read_to_string(repository().join("action").join(&file)).unwrap();
        for line in text.lines().filter(|it| !it.trim_start().starts_with('#')) {
            assert!(!newer.is_match(line), "{file}: {line}");
        }
    }
    for line in ["mapfile -t x", "${x,,}", "declare -A x", "[[ $x =~ (a|b) ]]", "${x[-1]}"] {
        assert!(newer.is_match(line), "{line}");
    }
}

#[test]
fn inputs_of_the_action_are_never_part_of_a_script() {
    let action = action();
    let used = serde_yaml::to_string(&action["runs"]).unwrap();
    let read = regex::Regex::new(r"\$\{?(INPUT_[A-Z_]+)").unwrap();
    for step in action["runs"]["steps"].as_sequence().unwrap() {
        let script = step["run"].as_str().unwrap_or_default();
        assert!(!script.contains("${{"), "an expression in a script can become code: {script}");
        let Some(file) = script.split('/').next_back().filter(|it| !it.is_empty()) else {
            continue;
        };
        let file = format!("action/{}", file.trim_end_matches('"'));
        assert_eq!(script.trim(), format!("bash \"$GITHUB_ACTION_PATH/{file}\""));
        // What a script reads is what its step gives it.
        let text = fs::read_to_string(repository().join(&file)).unwrap();
        for name in step["env"].as_mapping().unwrap().keys() {
            let name = name.as_str().unwrap();
            assert!(
                text.contains(&format!("${name}")) || text.contains(&format!("${{{name}")),
                "{file}: {name} is not read"
            );
        }
        for name in read.captures_iter(&text) {
            assert!(
                !step["env"][&name[1]].is_null(),
                "{file} reads {}, which is not given",
                &name[1]
            );
        }
    }
    for input in action["inputs"].as_mapping().unwrap().keys() {
        let name = input.as_str().unwrap();
        assert!(used.contains(&format!("inputs.{name} ")), "the input {name} is not used");
    }
}

/// Inputs, how the action ends, and what it says.
type Case = (&'static str, &'static [(&'static str, &'static str)], i32, &'static [&'static str]);

const CASES: [Case; 32] = [
    (
        "nothing",
        &[],
        0,
        &[
            "<check><--format=github><--><.>",
            "origin unknown",
            "attestation not verified::gh is not on the PATH",
        ],
    ),
    ("paths", &[("paths", "clusters\na b\n")], 0, &["<--format=github><--><clusters><a b>"]),
    (
        "what systems leave at the ends of lines",
        &[("paths", "\r\n clusters \r\n\ta b\t\r\n\r\n")],
        0,
        &["<--><clusters><a b>"],
    ),
    (
        "a root takes the place of the default path",
        &[("root", " de ploy\r")],
        0,
        &["<--root=de ploy><-->\n"],
    ),
    (
        "a root, and a path",
        &[("root", "."), ("paths", "clusters")],
        0,
        &["<--root=.><--><clusters>"],
    ),
    ("every format of the program", &[("format", " Concise\r\n")], 0, &["<--format=concise>"]),
    (
        "switches",
        &[("pedantic", "True"), ("fail-on-empty", " TRUE\r")],
        0,
        &["<--pedantic><--fail-on-empty>"],
    ),
    (
        "switches that are off",
        &[("pedantic", "False"), ("fail-on-empty", ""), ("comment", "false")],
        0,
        &["<check><--format=github><--><.>"],
    ),
    (
        "severities",
        &[("fail-on", "Never"), ("min-severity", "Error ")],
        0,
        &["<--fail-on=never>", "<--min-severity=error>"],
    ),
    (
        "rules",
        &[("select", "Security, input"), ("ignore", "pedantic\r")],
        0,
        &["<--select=security,input><--ignore=pedantic>"],
    ),
    (
        "texts that look like options",
        &[("config", "a b.yaml"), ("baseline", "-known.json")],
        0,
        &["<--config=a b.yaml><--baseline=-known.json>"],
    ),
    (
        "environments",
        &[("environment", "prod\n\n dev*\r\n")],
        0,
        &["<--environment=prod><--environment=dev*><-->"],
    ),
    (
        "what is typed is not run",
        &[
            ("select", "$(touch x)`id`;\"'"),
            ("environment", "$(id)\n*"),
            ("paths", "$(touch x)\n;id"),
        ],
        0,
        &[
            "<--select=$(touchx)`id`;\"'><--environment=$(id)><--environment=*><--><$(touch x)><;id>",
        ],
    ),
    ("a directory to compare with", &[("since", "clusters")], 0, &["<--since=clusters>"]),
    (
        "this release by name",
        &[("version", concat!(" v", env!("CARGO_PKG_VERSION"), "\r\n"))],
        0,
        &["<check>"],
    ),
    ("no attestation wanted", &[("attestation", "Never")], 0, &["origin unknown"]),
    (
        "an attestation that nobody can verify",
        &[("attestation", "required")],
        2,
        &[
            "::error title=metrics-server-lint%3A the attestation cannot be verified::gh is not on the PATH;",
        ],
    ),
    (
        "a release that is not there",
        &[("version", "v9.9.9")],
        2,
        &[
            "::error title=metrics-server-lint%3A there is no SHA256SUMS::http://",
            "/releases/v9.9.9/SHA256SUMS does not exist (HTTP 404)",
        ],
    ),
    (
        "not a switch",
        &[("pedantic", "yes")],
        2,
        &[
            "::error title=metrics-server-lint%3A the input pedantic is wrong::`yes`: allowed is true, false\n",
        ],
    ),
    (
        "not a format",
        &[("format", "yaml")],
        2,
        &["the input format is wrong::`yaml`: allowed is text, concise, json"],
    ),
    ("two formats", &[("format", "text\njson")], 2, &["the input format is wrong::`textjson`"]),
    (
        "not a severity",
        &[("fail-on", "fatal"), ("min-severity", "never")],
        2,
        &[
            "the input fail-on is wrong::`fatal`: allowed is error, warning, note, never",
            "the input min-severity is wrong::`never`",
        ],
    ),
    (
        "a version that is no tag",
        &[("version", "0.2.0")],
        2,
        &["the input version is wrong::`0.2.0`: allowed is a tag of a release, such as v1.2.3"],
    ),
    (
        "a version that is a path",
        &[("version", "v1.2.3\n/../../x")],
        2,
        &["the input version is wrong::`v1.2.3%0A/../../x`"],
    ),
    (
        "a version below a path",
        &[("version", "../v1.2.3")],
        2,
        &["the input version is wrong::`../v1.2.3`"],
    ),
    (
        "an address that is none",
        &[("releases", "file:///etc")],
        2,
        &["the input releases is wrong::`file:///etc`"],
    ),
    (
        "an address with a command",
        &[("releases", "https://example.com/$(id)")],
        2,
        &["the input releases is wrong"],
    ),
    (
        "a category that ends a comment",
        &[("category", "a --> b")],
        2,
        &["the input category is wrong::`a --> b`"],
    ),
    (
        "a token that is none",
        &[("github-token", "a\"\nurl = \"x")],
        2,
        &["the input github-token is wrong::`***`"],
    ),
    (
        "a program that is not there",
        &[("program", "clusters")],
        2,
        &["the input program is wrong::`clusters`: there is no such program"],
    ),
    (
        "a base that is not there",
        &[("since", "../no\r\nwhere")],
        2,
        &["the input since is wrong::`../no%0D%0Awhere`"],
    ),
    (
        "what is wrong is no command",
        &[("attestation", "x\n::add-mask::y%")],
        2,
        &["the input attestation is wrong::`x::add-mask::y%25`"],
    ),
];

#[test]
fn every_combination_of_inputs_does_what_it_says_or_says_what_is_wrong() {
    let Some(mut runner) = Runner::new() else { return };
    for (name, inputs, status, says) in CASES {
        let outcome = runner.act(inputs);
        assert_eq!(outcome.status, status, "{name}: {}", outcome.said);
        for what in says {
            assert!(
                outcome.said.contains(what),
                "{name}: `{what}` is not said in\n{}",
                outcome.said
            );
        }
        let requests = runner.requests();
        if outcome.said.contains(" is wrong::") {
            assert!(
                requests.is_empty() && !outcome.said.contains("<check>"),
                "{name}: {requests:?}"
            );
        }
        assert!(
            !runner.at("checkout/x").exists() && !runner.at("temp/x").exists(),
            "{name} was run"
        );
        assert!(!outcome.said.contains("secret"), "{name}: the token is told");
        let _ = fs::remove_dir_all(runner.at("tools"));
    }
}

#[test]
fn the_version_is_that_of_the_package_beside_the_action() {
    let Some(mut runner) = Runner::new() else { return };
    fs::create_dir_all(runner.at("action/action")).unwrap();
    for file in files(&repository().join("action"), |_| true) {
        let to = runner.at("action/action").join(&file);
        fs::copy(repository().join("action").join(&file), to).unwrap();
    }
    let path = runner.at("action").display().to_string();
    runner.variable("GITHUB_ACTION_PATH", &path);
    let other = "[dependencies.other]\nversion = \"9.9.9\"\n";
    let own =
        format!("[package]\nname = \"x\"\nversion = \"{}\" # own\n", env!("CARGO_PKG_VERSION"));
    for manifest in [format!("{other}{own}"), format!("{own}{other}")] {
        fs::write(runner.at("action/Cargo.toml"), manifest).unwrap();
        let outcome = runner.act(&[]);
        assert_eq!(outcome.status, 0, "{}", outcome.said);
    }
    fs::write(runner.at("action/Cargo.toml"), format!("[package]\nname = \"x\"\n{other}")).unwrap();
    let outcome = runner.act(&[]);
    outcome.says("no version::The Cargo.toml beside action.yml has none");
    assert_eq!(outcome.status, 2);
}

#[test]
fn all_wrong_inputs_are_told_at_once() {
    let Some(mut runner) = Runner::new() else { return };
    let outcome = runner.act(&[
        ("upload-sarif", "1"),
        ("comment", "on"),
        ("fail-on-empty", "no"),
        ("version", "latest"),
        ("attestation", "sometimes"),
        ("root", "nowhere"),
        ("config", "no.yaml"),
        ("baseline", "no.json"),
    ]);
    assert_eq!(outcome.said.matches("::error ").count(), 8, "{}", outcome.said);
    assert_eq!(outcome.status, 2);
}

#[test]
fn the_formats_and_severities_are_those_of_the_program() {
    let help = program("check --help", &[]).out;
    let formats = regex::Regex::new(r"(?s)--format.*?(text(?:,\s+[a-z]+)+);").unwrap();
    let formats = formats.captures(&help).unwrap()[1].to_owned();
    let script = fs::read_to_string(repository().join("action/inputs.sh")).unwrap();
    let words: Vec<&str> = formats.split(',').map(str::trim).collect();
    assert!(
        script.contains(&format!("one_of format \"$INPUT_FORMAT\" {}\n", words.join(" "))),
        "{formats}"
    );
    for (option, words) in
        [("fail-on", "error warning note never"), ("min-severity", "error warning note")]
    {
        assert!(
            script
                .lines()
                .any(|it| it.contains(&format!("one_of {option} ")) && it.ends_with(words))
        );
        for word in words.split(' ') {
            let testdata = repository().join("testdata/flux-platform");
            let run = program(&format!("check --{option} {word}"), &[&testdata]);
            assert!(run.status < 2, "{option} {word}: {}", run.err);
        }
    }
}

#[test]
fn the_first_run_downloads_and_the_second_does_not() {
    let Some(mut runner) = Runner::new() else { return };
    let first = runner.act(&[]);
    assert_eq!(first.status, 0, "{}", first.said);
    assert_eq!(runner.requests().len(), 2);
    let place = format!("metrics-server-lint/{}/x64", env!("CARGO_PKG_VERSION"));
    let installed = runner.at("tools").join(&place).join("metrics-server-lint");
    assert_eq!(first.outputs["program"], installed.display().to_string());
    assert_eq!(first.outputs["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&*first.outputs["exit-code"], &*first.outputs["sarif-file"]), ("0", ""));
    // The way in which the runner's own tools say that one is whole.
    assert!(runner.at("tools").join(format!("{place}.complete")).exists());
    let second = runner.act(&[]);
    second.says("from the cache");
    assert_eq!((second.status, runner.requests()), (0, Vec::new()));
    // What is damaged, not whole, or of another place is installed again.
    fs::write(&installed, "#!/bin/sh\nexit 0\n").unwrap();
    assert_eq!((runner.act(&[]).status, runner.requests().len()), (0, 2));
    fs::remove_file(runner.at("tools").join(format!("{place}.complete"))).unwrap();
    assert_eq!((runner.act(&[]).status, runner.requests().len()), (0, 2));
    fs::rename(runner.at("www/releases"), runner.at("www/mirror")).unwrap();
    let mirror = format!("{}/mirror/", runner.address);
    assert_eq!(runner.act(&[("releases", &mirror)]).status, 0);
    assert_eq!(runner.requests()[0], format!("/mirror/{}/SHA256SUMS", version()));
    let left: Vec<_> =
        fs::read_dir(runner.at("tools/metrics-server-lint").join(env!("CARGO_PKG_VERSION")))
            .unwrap()
            .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    // Who requires an attestation is not given what came without one.
    assert_eq!(runner.act(&[("releases", &mirror), ("attestation", "required")]).status, 2);
    // Where there is no tool cache, it is the temporary directory.
    runner.variables.remove("RUNNER_TOOL_CACHE");
    let third = runner.act(&[("releases", &mirror)]);
    assert!(
        third.outputs["program"].starts_with(&runner.at("temp").display().to_string()),
        "{}",
        third.said
    );
}

#[test]
fn what_is_not_the_release_is_not_installed() {
    let Some(mut runner) = Runner::new() else { return };
    let (archive, sums) = (runner.archive(), runner.archive().with_file_name("SHA256SUMS"));
    let right = fs::read(&archive).unwrap();
    let mut refused = |what: &str| {
        let outcome = runner.act(&[]);
        assert_eq!(outcome.status, 2, "{}", outcome.said);
        outcome.says(what);
        assert!(!outcome.said.contains("<check>"));
        let version = runner.at("tools/metrics-server-lint").join(env!("CARGO_PKG_VERSION"));
        let left: Vec<_> = fs::read_dir(version).into_iter().flatten().flatten().collect();
        assert!(!left.iter().any(|it| it.path().extension().is_some()), "{left:?}");
    };
    fs::write(&archive, [&right[..], b"x"].concat()).unwrap();
    refused("wrong checksum::");
    let half = &right[..right.len() / 2];
    fs::write(&archive, half).unwrap();
    refused("wrong checksum::");
    let listed = archive.file_name().unwrap().to_str().unwrap();
    fs::write(&sums, format!("{}  {listed}\n", sha256(half))).unwrap();
    refused("cannot be unpacked::");
    fs::write(&sums, format!("{}  {listed}.sig\n<html>\n", sha256(half))).unwrap();
    refused("no checksum of metrics-server-lint-");
    fs::write(&sums, format!("{}  {listed}\n", sha256(half))).unwrap();
    fs::remove_file(&archive).unwrap();
    refused("there is no metrics-server-lint-");
    runner.release("x86_64-unknown-linux-musl", "v0.0.1");
    let outcome = runner.act(&[]);
    outcome.says("holds the version 0.0.1.");
    assert_eq!(outcome.status, 2);
    // Nor is it in the cache afterwards.
    let outcome = runner.act(&[]);
    outcome.says("holds the version 0.0.1.");
    assert_eq!(outcome.outputs["program"], "");
    runner.release("x86_64-unknown-linux-musl", &version());
    assert_eq!(runner.act(&[]).status, 0);
}

#[test]
fn every_runner_gets_the_archive_of_its_system() {
    let Some(mut runner) = Runner::new() else { return };
    for (os, arch, target) in [
        ("Linux", "ARM64", "aarch64-unknown-linux-musl"),
        ("macOS", "X64", "x86_64-apple-darwin"),
        ("macOS", "ARM64", "aarch64-apple-darwin"),
    ] {
        runner.variable("RUNNER_OS", os);
        runner.variable("RUNNER_ARCH", arch);
        runner.release(target, &version());
        let outcome = runner.act(&[]);
        assert_eq!(outcome.status, 0, "{}", outcome.said);
        assert!(runner.requests()[1].ends_with(&format!("{target}.tar.gz")));
        fs::remove_dir_all(runner.at("tools")).unwrap();
    }
    for (os, arch) in [("Linux", "ARM"), ("Linux", "X86"), ("FreeBSD", "X64")] {
        runner.variable("RUNNER_OS", os);
        runner.variable("RUNNER_ARCH", arch);
        let outcome = runner.act(&[]);
        outcome.says(&format!(
            "no release for {os} on {arch}::There are releases for Linux, macOS and Windows"
        ));
        assert_eq!((outcome.status, runner.requests().len()), (2, 0));
    }
}

#[test]
fn a_runner_of_windows_gets_a_zip_and_paths_with_slashes() {
    let Some(mut runner) = Runner::new() else { return };
    if tool("unzip").is_none() {
        eprintln!("skipped: no unzip on this system");
        return;
    }
    runner.release("x86_64-pc-windows-msvc", &version());
    runner.variable("RUNNER_OS", "Windows");
    for name in ["RUNNER_TEMP", "RUNNER_TOOL_CACHE"] {
        let path = runner.variables[name].replace('/', "\\");
        runner.variable(name, &path);
    }
    let outcome = runner.act(&[("upload-sarif", "true")]);
    assert_eq!(outcome.status, 0, "{}", outcome.said);
    assert!(outcome.outputs["program"].ends_with("x64/metrics-server-lint.exe"));
    assert!(!outcome.outputs["sarif-file"].contains('\\') && outcome.uploaded.is_some());
    // Git for Windows has cygpath, and without unzip there is the tar of Windows.
    fs::remove_dir_all(runner.at("tools")).unwrap();
    fs::create_dir_all(runner.at("windows/System32")).unwrap();
    fs::rename(runner.at("bin/unzip"), runner.at("windows/System32/unzip")).unwrap();
    let tar = "#!/usr/bin/env bash\n[ \"$1\" = -xf ] && exec \"${0%/*}/unzip\" -q \"$2\" \"$3\"\n";
    runner.command("../windows/System32/tar.exe", tar);
    let system = runner.at("windows").display().to_string().replace('/', "\\");
    runner.variable("SYSTEMROOT", &system);
    runner.command(
        "cygpath",
        "#!/usr/bin/env bash\n[ \"$1 $2\" = '-m --' ] && echo \"${3//\\\\//}\"\n",
    );
    let outcome = runner.act(&[]);
    assert_eq!(outcome.status, 0, "{}", outcome.said);
}

#[test]
fn checksums_are_checked_with_what_the_system_has() {
    let Some(mut runner) = Runner::new() else { return };
    let sha256sum = tool("sha256sum").unwrap();
    runner.without("sha256sum");
    let outcome = runner.act(&[]);
    outcome.says("nothing to check a checksum with::Neither sha256sum nor shasum is on the PATH.");
    assert_eq!(outcome.status, 2);
    let shasum =
        format!("#!/usr/bin/env bash\n[ \"$*\" = '-a 256' ] && exec {}\n", sha256sum.display());
    runner.command("shasum", &shasum);
    let outcome = runner.act(&[]);
    assert_eq!(outcome.status, 0, "{}", outcome.said);
    runner.without("curl");
    assert_eq!(runner.act(&[]).status, 2);
    runner.act(&[]).says("curl is missing::");
}

#[test]
fn a_program_that_is_there_is_used_as_it_is() {
    let Some(mut runner) = Runner::new() else { return };
    runner.command("../checkout/own program", &STAND_IN.replace("VERSION", "7.0.0"));
    runner.without("curl");
    let outcome = runner.act(&[("program", "own program")]);
    assert_eq!((outcome.status, runner.requests()), (0, Vec::new()), "{}", outcome.said);
    assert_eq!(outcome.outputs["version"], "7.0.0");
    assert_eq!(
        outcome.outputs["program"],
        runner.at("checkout/own program").canonicalize().unwrap().display().to_string()
    );
    runner.command("../checkout/own program", "#!/usr/bin/env bash\nexit 3\n");
    runner.act(&[("program", "own program")]).says("the program does not run::");
}

#[test]
fn an_attestation_is_verified_where_it_can_be() {
    let Some(mut runner) = Runner::new() else { return };
    let gh = |verify: &str| {
        format!(
            "#!/usr/bin/env bash\ncase \"$*\" in *--help*) echo --cert-identity ;; *) {verify} ;; esac\n"
        )
    };
    runner.command("gh", GH);
    let outcome = runner.act(&[("attestation", "required")]);
    outcome.says("origin attested");
    assert_eq!(outcome.status, 0);
    let asked = "attestation verify metrics-server-lint-";
    assert!(
        runner.gh_calls().contains(asked)
            && runner
                .gh_calls()
                .contains("--repo metrics-server-lint/metrics-server-lint --cert-identity https://github.com/metrics-server-lint/metrics-server-lint/.github/workflows/release.yml@refs/tags/"),
        "{}",
        runner.gh_calls()
    );
    // It is known of what is in the cache.
    runner.act(&[("attestation", "required")]).says("from the cache");
    for (gh, says) in [
        (
            gh("echo '\nError: verifying with issuer \"sigstore.dev\"' >&2; exit 1"),
            "verifying with issuer",
        ),
        (
            gh(
                "echo 'failed to fetch attestations from o/r: HTTP 404: Not Found (https://api.github.com/x)' >&2; exit 1",
            ),
            "HTTP 404",
        ),
        // The versions before 2.67.
        (gh("exit 0"), "no attestation is of the right kind"),
        (gh("echo strange >&2; exit 1"), "strange"),
    ] {
        runner.command("gh", &gh);
        fs::remove_dir_all(runner.at("tools")).unwrap();
        let outcome = runner.act(&[]);
        outcome.says("is refused::");
        outcome.says(says);
        assert_eq!(outcome.status, 2, "{}", outcome.said);
        assert_eq!(runner.act(&[("attestation", "never")]).status, 0);
    }
    for (gh, inputs, says) in [
        (
            "#!/usr/bin/env bash\necho 'unknown command \"attestation\" for \"gh\"' >&2; exit 1\n"
                .to_owned(),
            [].as_slice(),
            "this gh is too old",
        ),
        (gh("exit 4"), &[], "gh cannot ask for it"),
        (
            gh("echo 'failed to fetch: HTTP 403: Forbidden' >&2; exit 1"),
            &[],
            "gh cannot ask for it: failed to fetch",
        ),
        (
            gh("echo 'failed to create TUF client: tuf refresh failed' >&2; exit 1"),
            &[],
            "gh cannot ask for it: failed to create TUF client",
        ),
        (
            gh(
                "echo 'error creating Sigstore verifier: no valid Sigstore verifiers could be initialized' >&2; exit 1",
            ),
            &[],
            "gh cannot ask for it: error creating",
        ),
        (gh("exit 1"), &[("github-token", "")], "gh needs a token"),
    ] {
        runner.command("gh", &gh);
        fs::remove_dir_all(runner.at("tools")).unwrap();
        let outcome = runner.act(inputs);
        outcome.says("::notice title=metrics-server-lint%3A attestation not verified::");
        outcome.says(says);
        assert_eq!(outcome.status, 0, "{}", outcome.said);
        let required = [inputs, &[("attestation", "required")]].concat();
        let outcome = runner.act(&required);
        outcome.says("the attestation cannot be verified::");
        assert_eq!(outcome.status, 2, "{}", outcome.said);
    }
    // A server of an enterprise has none, and gh would ask it with a token that is not for GitHub.
    runner.command("gh", "#!/usr/bin/env bash\nexit 1\n");
    runner.variable("GITHUB_SERVER_URL", "https://github.example");
    runner
        .act(&[("attestation", "required")])
        .says("a GitHub Enterprise Server has no attestations");
}

#[test]
fn a_fork_of_the_action_downloads_its_own_releases() {
    let Some(mut runner) = Runner::new() else { return };
    let address = runner.address.clone();
    runner.variable("GITHUB_SERVER_URL", &address);
    runner.context.insert("github.action_repository".to_owned(), "some/fork".to_owned());
    fs::create_dir_all(runner.at("www/some/fork/releases")).unwrap();
    fs::rename(runner.at("www/releases"), runner.at("www/some/fork/releases/download")).unwrap();
    let outcome = runner.act(&[("releases", "")]);
    assert_eq!(outcome.status, 0, "{}", outcome.said);
    runner.context.insert("github.action_repository".to_owned(), String::new());
    let own = format!("{address}/metrics-server-lint/metrics-server-lint/releases/download/");
    runner.act(&[("releases", "")]).says(&own);
}

#[test]
fn the_action_fails_with_its_check_and_still_uploads() {
    let Some(mut runner) = Runner::new() else { return };
    runner.variable("STATUS", "1");
    let outcome = runner.act(&[("upload-sarif", "true")]);
    assert_eq!((outcome.status, &*outcome.outputs["exit-code"]), (1, "1"), "{}", outcome.said);
    assert_eq!(outcome.uploaded.as_ref(), Some(&outcome.outputs["sarif-file"]));
    assert!(Path::new(&outcome.outputs["sarif-file"]).is_file());
    assert_eq!(runner.act(&[]).uploaded, None);
    // What could not be judged has no findings, and an upload of none would close all alerts.
    runner.variable("STATUS", "2");
    let outcome = runner.act(&[("upload-sarif", "true")]);
    assert_eq!((outcome.status, &*outcome.outputs["sarif-file"], outcome.uploaded), (2, "", None));
    // The token of a fork cannot upload.
    runner.variable("STATUS", "1");
    let fork = "github.event.pull_request.head.repo.full_name".to_owned();
    for (repository, event, uploads) in [
        ("f/r", "pull_request", false),
        ("", "pull_request", false),
        ("f/r", "pull_request_target", true),
    ] {
        runner.context.insert(fork.clone(), repository.to_owned());
        runner.variable("GITHUB_EVENT_NAME", event);
        let outcome = runner.act(&[("upload-sarif", "true")]);
        assert_eq!((outcome.status, outcome.uploaded.is_some()), (1, uploads), "{}", outcome.said);
        assert_eq!(
            outcome.said.contains("no upload::The token of a fork's pull request"),
            !uploads
        );
        assert_ne!(outcome.outputs["sarif-file"], "");
    }
}

/// The base that the program was given, which is to hold this.
#[track_caller]
fn base_holds(outcome: &Outcome, path: &str, content: &str) {
    let (_, base) =
        outcome.said.split_once("<--since=").unwrap_or_else(|| panic!("{}", outcome.said));
    let base = Path::new(base.split_once('>').unwrap().0);
    assert_eq!(fs::read_to_string(base.join(path)).unwrap(), content);
}

#[test]
fn the_base_is_what_the_pull_request_is_merged_into() {
    let Some(mut runner) = Runner::new() else { return };
    let base = runner.merge();
    let since = [("since", " base\r")];
    let outcome = runner.act(&since);
    assert_eq!(outcome.status, 0, "{}", outcome.said);
    base_holds(&outcome, "clusters/a", "old\n");
    assert!(runner.requests().contains(&format!("/api/repos/o/r/tarball/{base} Bearer secret")));
    // The root is where the program finds it, and so is its other version.
    for inputs in [[("root", "clusters"), since[0]], [("paths", "clusters/a"), since[0]]] {
        fs::write(runner.at("checkout/clusters/.metrics-server-lint.yaml"), "").unwrap();
        base_holds(&runner.act(&inputs), "a", "old\n");
    }
    // A root that the base does not have: all of it is new.
    fs::create_dir(runner.at("checkout/more")).unwrap();
    let outcome = runner.act(&[("root", "more"), since[0]]);
    outcome.says("the base has no more::");
    assert!(outcome.status == 0 && !outcome.said.contains("--since"), "{}", outcome.said);
    // What would be two outputs is none.
    fs::create_dir(runner.at("checkout/a\nb=c")).unwrap();
    let outcome = runner.act(&[("root", "a\nb=c"), since[0]]);
    outcome.says("the output head has several lines::");
    assert_eq!(outcome.status, 2);
    // Another commit than the merge: where the branches parted, says the API.
    runner.variable("GITHUB_SHA", &"2".repeat(40));
    let parted = "c".repeat(40);
    runner.serve_base(&parted);
    let answers =
        |answer: &str| format!("#!/usr/bin/env bash\necho \"$*\" >> \"$PLACE/gh.log\"\n{answer}\n");
    runner.command("gh", &answers(&format!("echo {parted}")));
    runner.requests();
    assert_eq!(runner.act(&since).status, 0);
    assert!(runner.requests().contains(&format!("/api/repos/o/r/tarball/{parted} Bearer secret")));
    assert!(
        runner
            .gh_calls()
            .contains("api repos/o/r/compare/ba5e0000ba5e0000ba5e0000ba5e0000ba5e0000...")
    );
    // Nor is it the merge of this pull request where the event is about the base branch.
    let (head, _) = runner.commit("plain\n\nparent 0123");
    runner.variable("GITHUB_SHA", &head);
    runner.variable("GITHUB_REF", "refs/heads/main");
    assert_eq!(runner.act(&since).status, 0);
    assert!(runner.requests().contains(&format!("/api/repos/o/r/tarball/{parted} Bearer secret")));
    // Else that of the event, and it is said; so where the commit is no merge, whatever its message says.
    let event = "ba5e0000ba5e0000ba5e0000ba5e0000ba5e0000";
    runner.serve_base(event);
    runner.variable("GITHUB_REF", "refs/pull/7/merge");
    runner.act(&since).says(&format!("so {event} is compared with"));
    runner.variable("GITHUB_SHA", &"2".repeat(40));
    runner.command("gh", &answers("echo '{\"message\": \"Not Found\"}'; exit 1"));
    runner.act(&since).says(&format!("so {event} is compared with"));
    // A base that cannot be had, and an archive that is none.
    fs::remove_file(runner.at("www/api/repos/o/r/tarball").join(event)).unwrap();
    let outcome = runner.act(&since);
    outcome.says("the base cannot be downloaded::http://");
    assert!(outcome.status == 2 && !outcome.said.contains("<check>"), "{}", outcome.said);
    fs::write(runner.at("www/api/repos/o/r/tarball").join(event), "no archive").unwrap();
    runner.act(&since).says("the base cannot be unpacked::");
    // Where nothing is merged, everything is reported.
    runner.context.insert("github.event.pull_request.number".to_owned(), String::new());
    runner.variable("GITHUB_EVENT_NAME", "push");
    let outcome = runner.act(&[since[0], ("comment", "true")]);
    outcome.says("no base::The event push has no pull request");
    assert!(outcome.status == 0 && !outcome.said.contains("--since"), "{}", outcome.said);
}

#[test]
fn without_a_directory_of_git_the_api_says_what_was_merged() {
    let Some(mut runner) = Runner::new() else { return };
    let parent = "d".repeat(40);
    runner.serve_base(&parent);
    // What a repository holds may look like a directory of Git.
    runner.merge();
    runner.git("mv .git/* . && rm -r .git && git config core.bare true");
    runner.variable("GITHUB_SHA", &"1".repeat(40));
    runner.command(
        "gh",
        &format!(
            "#!/usr/bin/env bash\necho \"$*\" >> \"$PLACE/gh.log\"\necho {parent}; echo {}\n",
            "e".repeat(40)
        ),
    );
    let outcome = runner.act(&[("since", "base"), ("attestation", "never")]);
    base_holds(&outcome, "clusters/a", "old\n");
    assert_eq!(
        runner.gh_calls(),
        format!("api repos/o/r/commits/{} --jq .parents[].sha\n", "1".repeat(40))
    );
}

#[test]
fn nothing_of_the_repository_is_run() {
    let Some(mut runner) = Runner::new() else { return };
    runner.merge();
    runner.command("gh", GH);
    runner.variable("LOGIN", "me");
    fs::write(runner.at("comments.json"), "[]").unwrap();
    let trap = format!("#!/bin/sh\necho caught >> {}\n", runner.at("caught").display());
    let mut traps: Vec<String> = ["post-checkout", "post-merge", "pre-auto-gc", "fsmonitor"]
        .map(|it| format!("../checkout/.git/hooks/{it}"))
        .into();
    traps.extend(
        TOOLS
            .iter()
            .chain(&["gh", "shasum", "metrics-server-lint"])
            .map(|it| format!("../checkout/{it}")),
    );
    traps.extend(["action/lib.sh", ".curlrc", ".bashrc"].map(|it| format!("../checkout/{it}")));
    fs::create_dir_all(runner.at("checkout/action")).unwrap();
    for path in &traps {
        runner.command(path, &trap);
    }
    let mut git = Command::new("git");
    git.args(["config", "core.fsmonitor", ".git/hooks/fsmonitor"])
        .current_dir(runner.at("checkout"));
    assert!(git.status().unwrap().success());
    runner.variable("DIFF", "### something\n\nchanges");
    let outcome = runner.act(&[("since", "base"), ("comment", "true"), ("upload-sarif", "true")]);
    assert_eq!(outcome.status, 0, "{}", outcome.said);
    assert!(runner.at("written").exists() && !runner.at("caught").exists());
}

#[test]
fn a_comment_is_made_once_and_then_kept_up_to_date() {
    let Some(mut runner) = Runner::new() else { return };
    if tool("jq").is_none() {
        eprintln!("skipped: no jq on this system, which stands for that of gh");
        return;
    }
    runner.merge();
    runner.command("gh", GH);
    runner.variable("LOGIN", "me");
    let inputs = [
        ("comment", "True "),
        ("category", "a/b"),
        ("attestation", "never"),
        ("config", "c.yaml"),
        ("pedantic", "true"),
    ];
    let mut written = |comments: &str, diff: &str| {
        fs::write(runner.at("comments.json"), comments).unwrap();
        runner.variable("DIFF", diff);
        let _ = fs::remove_file(runner.at("gh.log"));
        let _ = fs::remove_file(runner.at("written"));
        // What is found makes the check fail, and the comment is written all the same.
        runner.variable("STATUS", "1");
        let outcome = runner.act(&inputs);
        assert_eq!((outcome.status, &*outcome.summary), (1, ""), "{}", outcome.said);
        outcome.says("<diff><--format=markdown><--config=c.yaml><--pedantic><--><");
        outcome
            .says(&format!("/tree><{}>", runner.at("checkout").canonicalize().unwrap().display()));
        assert!(!outcome.said.contains("--since"));
        let calls = runner.gh_calls();
        let how = calls.lines().find(|it| it.contains("--method")).unwrap_or_default();
        let how = how.split(" -F ").next().unwrap_or_default().to_owned();
        (how, fs::read_to_string(runner.at("written")).unwrap_or_default())
    };
    let (nothing, something) = ("### nothing changes", "### one setting changes\n\n| a | b |");
    let marker = "<!-- metrics-server-lint: a/b -->";
    let made = (
        "api --method POST repos/o/r/issues/7/comments".to_owned(),
        format!("{marker}\n{something}\n"),
    );
    let kept = |id: u32| format!("api --method PATCH repos/o/r/issues/comments/{id}");
    let comment = |id: u32, kind: &str, login: &str, body: &str| {
        serde_json::json!({"id": id, "user": {"type": kind, "login": login}, "body": body})
            .to_string()
    };
    assert_eq!(written("[]", something), made);
    assert_eq!(written("[]", nothing), (String::new(), String::new()));
    // Anybody may write the marker, and other runs have other ones.
    let others = [
        comment(1, "User", "somebody", &format!("{marker}\nspoofed")),
        comment(2, "Bot", "bot", "<!-- metrics-server-lint: a -->\nother"),
        comment(3, "Bot", "bot", &format!("> {marker}")),
    ];
    assert_eq!(written(&format!("[{}]", others.join(",")), something), made);
    let own = [others.join(","), comment(4, "Bot", "bot", &format!("{marker}\nold"))].join(",");
    assert_eq!(written(&format!("[{own}]"), something), (kept(4), made.1.clone()));
    // What does not change any more is said where something else was said.
    assert_eq!(written(&format!("[{own}]"), nothing), (kept(4), format!("{marker}\n{nothing}\n")));
    let mine = comment(5, "User", "me", &format!("{marker}\nold"));
    assert_eq!(written(&format!("[{mine}]"), something).0, kept(5));
    let long = format!("### long\n{}", "| \u{e4} |\n".repeat(12_000));
    let (_, body) = written("[]", &long);
    assert!(body.len() <= 65_536 && body.len() > 64_000, "{}", body.len());
    assert!(
        body.contains("\n| \u{e4} |\n\n_This is cut: a comment holds 65,536 characters."),
        "{}",
        &body[body.len() - 300..]
    );
}

#[test]
fn a_comment_that_cannot_be_written_is_in_the_summary() {
    let Some(mut runner) = Runner::new() else { return };
    runner.merge();
    runner.variable("DIFF", "### one setting changes\n\n| a | b |");
    let inputs = [("comment", "true"), ("attestation", "never")];
    for (gh, says) in [
        (None, "no comment::Comments are written with gh, which is not on the PATH"),
        (
            Some(
                "case \"$*\" in *POST*) echo 'gh: Resource not accessible by integration (HTTP 403)' >&2; exit 1 ;; esac",
            ),
            "no comment::GitHub refuses it: gh: Resource not accessible by integration (HTTP 403)",
        ),
        (
            Some("echo 'gh: Not Found (HTTP 404)' >&2; exit 1"),
            "(HTTP 404) A job needs `permissions: pull-requests: write`",
        ),
    ] {
        if let Some(gh) = gh {
            runner.command("gh", &format!("#!/usr/bin/env bash\n{gh}\n"));
        }
        let outcome = runner.act(&inputs);
        outcome.says("::warning title=metrics-server-lint%3A ");
        outcome.says(says);
        assert_eq!(
            (outcome.status, &*outcome.summary),
            (0, "### one setting changes\n\n| a | b |\n"),
            "{}",
            outcome.said
        );
    }
}

/// Puts a repository that has findings into `dir`.
fn put_repository(dir: &Path) {
    let from = repository().join("testdata/flux-platform");
    for file in files(&from, |_| true) {
        let to = dir.join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from.join(&file), to).unwrap();
    }
}

/// The stand-in takes whatever it is given; the program does not.
#[test]
fn the_program_knows_what_the_action_asks_of_it() {
    let Some(mut runner) = Runner::new() else { return };
    let checkout = runner.at("checkout");
    put_repository(&checkout);
    let options = "check --write-baseline --fail-on never --root {0} --baseline {0}/known.json";
    let root = checkout.display().to_string();
    assert_eq!(program(&options.replace("{0}", &root), &[]).status, 0);
    runner.merge();
    let outcome = runner.act(&[
        ("program", env!("CARGO_BIN_EXE_metrics-server-lint")),
        ("paths", "clusters\napps"),
        ("since", "base"),
        ("comment", "true"),
        ("upload-sarif", "true"),
        ("fail-on", "error"),
        ("fail-on-empty", "true"),
        ("min-severity", "note"),
        ("pedantic", "true"),
        ("root", "."),
        ("config", ".metrics-server-lint.yaml"),
        ("select", "availability"),
        ("ignore", "pedantic"),
        ("environment", "clusters/*"),
    ]);
    assert_eq!((outcome.status, &*outcome.outputs["exit-code"]), (1, "1"), "{}", outcome.said);
    outcome.says("::error file=clusters/stages/prod/services/environment.env,line=7,");
    assert!(outcome.uploaded.is_some() && outcome.outputs["version"] == env!("CARGO_PKG_VERSION"));
    assert!(
        outcome.summary.contains("### metrics-server-lint: 2 environments appear"),
        "{}",
        outcome.summary
    );
    let outcome = runner.act(&[
        ("program", env!("CARGO_BIN_EXE_metrics-server-lint")),
        ("baseline", "known.json"),
        ("format", "concise"),
    ]);
    assert_eq!(outcome.status, 0, "{}", outcome.said);
}

/// What the comment takes for nothing is what the program prints where nothing changes.
#[test]
fn a_diff_of_nothing_is_a_heading_and_nothing_else() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put_repository(one.path());
    put_repository(other.path());
    let lines = || {
        let out = program("diff --format markdown", &[one.path(), other.path()]).out;
        out.lines().filter(|it| !it.is_empty()).count()
    };
    assert_eq!(lines(), 1);
    let path = other.path().join("clusters/stages/prod/services/environment.env");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("# a comment\n{text}")).unwrap();
    assert_eq!(lines(), 1);
    fs::write(&path, text.replace("256Mi", "768Mi")).unwrap();
    assert!(lines() > 1);
}

#[test]
fn the_page_of_the_action_lists_its_inputs_and_outputs() {
    let action = action();
    let mut table = "| input | default | |\n|---|---|---|\n".to_owned();
    for (name, input) in action["inputs"].as_mapping().unwrap() {
        let default = input["default"].as_str().unwrap();
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        table += &format!(
            "| `{}` | {default} | {} |\n",
            name.as_str().unwrap(),
            input["description"].as_str().unwrap()
        );
    }
    generated("docs/action.md", "inputs", &table);
    let mut table = "| output | |\n|---|---|\n".to_owned();
    for (name, output) in action["outputs"].as_mapping().unwrap() {
        table += &format!(
            "| `{}` | {} |\n",
            name.as_str().unwrap(),
            output["description"].as_str().unwrap()
        );
    }
    generated("docs/action.md", "outputs", &table);
}
