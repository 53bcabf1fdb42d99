//! Programs that read and write files, and those that go elsewhere.

use super::{
    CommandLine, CommandOutput, Session,
    argument::{AWAY, ShellArgument},
};
use crate::source;

impl Session<'_> {
    /// Runs `program` if that is one of those; what it prints.
    pub(super) fn file_program(
        &mut self,
        program: &str,
        arguments: &[ShellArgument],
        input: &CommandOutput,
    ) -> Option<CommandOutput> {
        let is_word = |it: &&ShellArgument| !it.head.starts_with('-') || it.head == "-";
        let words: Vec<&ShellArgument> = arguments.iter().filter(is_word).collect();
        match program {
            "cd" => self.enter(words.first().copied()),
            "pushd" => {
                self.pushed.push(self.dirs.clone());
                self.enter(words.first().copied());
                return Some(CommandOutput::Unknown);
            }
            "popd" => {
                let before = self.pushed.pop();
                self.dirs = before.unwrap_or_else(|| vec![AWAY.to_string()]);
                return Some(CommandOutput::Unknown);
            }
            "rm" => words.into_iter().for_each(|it| self.remove(it)),
            "touch" => {
                for file in words {
                    let is_there = self.key(file).is_some_and(|it| self.made.contains_key(&it))
                        || self.found(file).is_some();
                    if !is_there {
                        self.write(file, CommandOutput::nothing(), false);
                    }
                }
            }
            "cp" | "mv" | "ln" => {
                let target = |it: &ShellArgument| matches!(&*it.head, "-t" | "--target-directory");
                let target = arguments.iter().position(target);
                let into = match target.and_then(|it| arguments.get(it + 1)) {
                    Some(into) => Some(into),
                    None => words.last().copied(),
                };
                let Some(into) = into else { return Some(CommandOutput::nothing()) };
                let from: Vec<_> =
                    words.into_iter().filter(|it| !std::ptr::eq(*it, into)).collect();
                let is_dir = target.is_some() || from.len() > 1;
                for from in from {
                    let content = self.content(from);
                    self.write(&self.inside(from, into, is_dir), content, false);
                    if program == "mv" {
                        self.remove(from);
                    }
                }
            }
            "cat" => {
                let content = |it: &&ShellArgument| match it.text() {
                    Some("-") => input.clone(),
                    _ => self.content(it),
                };
                return Some(match &*words {
                    [] => input.clone(),
                    files => self.joined(&files.iter().map(content).collect::<Vec<_>>()),
                });
            }
            "tee" => {
                let appends = |it: &ShellArgument| matches!(&*it.head, "-a" | "--append");
                let appends = arguments.iter().any(appends);
                for file in words {
                    self.write(file, input.clone(), appends);
                }
                return Some(input.clone());
            }
            "curl" | "wget" => return Some(self.fetch(program, arguments)),
            _ => return None,
        }
        Some(CommandOutput::nothing())
    }

    /// The file that `from` becomes in `into`, which may be a directory, or is one.
    fn inside(&self, from: &ShellArgument, into: &ShellArgument, is_dir: bool) -> ShellArgument {
        let (Some(from), Some(text)) = (&from.text, &into.text) else { return into.clone() };
        let is_dir = is_dir
            || text.ends_with(['/', '.'])
            || self.paths(into).iter().any(|it| self.context.sources.is_dir(it));
        match is_dir {
            true => {
                let name = source::file_name(from.trim_end_matches('/'));
                ShellArgument::plain(
                    &format!("{}/{name}", text.trim_end_matches('/')),
                    &into.origin,
                )
            }
            false => into.clone(),
        }
    }

    /// Goes where `cd` goes: what is not in the repository is elsewhere, in a place of its name.
    pub(super) fn enter(&mut self, dir: Option<&ShellArgument>) {
        let before = self.dirs.clone();
        let is_back = dir.is_some_and(|it| it.text() == Some("-"));
        let paths = match dir {
            Some(_) if is_back => self.left.clone(),
            Some(dir) => self.paths(dir),
            None => Vec::new(),
        };
        let is_there = |it: &&String| self.context.sources.is_dir(it);
        let there: Vec<String> = paths.iter().filter(is_there).cloned().collect();
        self.dirs = match (there.is_empty(), paths.is_empty()) {
            (false, _) => there,
            (true, false) => paths,
            (true, true) => {
                let name = dir.map_or("", |it| it.text.as_ref().unwrap_or(&it.raw));
                vec![format!("{AWAY}/{}", name.replace("..", ""))]
            }
        };
        self.left = before;
    }

    /// Notes that `file`, or all that is in it, is gone; what matches a pattern may be.
    fn remove(&mut self, file: &ShellArgument) {
        let Some(key) = self.key(file) else { return };
        let (start, is_pattern) = match key.find(['*', '?', '[']) {
            Some(at) => (key[..at].to_owned(), true),
            None => (format!("{key}/"), false),
        };
        let end = key.rsplit(['*', '?', ']']).next().filter(|_| is_pattern).unwrap_or_default();
        let from = self.made.range(start.clone()..).map(|it| it.0);
        let below = from.take_while(|it| it.starts_with(&start)).filter(|it| it.ends_with(end));
        let below: Vec<String> = below.cloned().collect();
        for key in below {
            let content =
                if is_pattern { CommandOutput::Unknown } else { CommandOutput::nothing() };
            self.note(key, content);
        }
        if !is_pattern {
            self.note(key, CommandOutput::nothing());
        }
    }

    /// Notes what the file is now that is called `key`.
    fn note(&mut self, key: String, content: CommandOutput) {
        let at = self.at.clone();
        self.made.entry(key).or_default().set(&self.branch, (content, at));
    }

    /// What a download prints, or writes into the files that it names.
    fn fetch(&mut self, program: &str, arguments: &[ShellArgument]) -> CommandOutput {
        let is_curl = program == "curl";
        let switches = if is_curl { CURL } else { WGET };
        let options = CommandLine::new(self.context, arguments, switches);
        let (into, dirs) = match is_curl {
            true => (["-o", "--output"], ["--output-dir", "--output-dir"]),
            false => (["-O", "--output-document"], ["-P", "--directory-prefix"]),
        };
        let [into, dir] = [into, dirs].map(|it| it.iter().find_map(|it| options.value(it)));
        let urls = options.positional.iter().chain(options.value("--url"));
        let urls: Vec<&ShellArgument> = urls.filter(|it| it.head.contains("://")).collect();
        let by_name = ["-O", "--remote-name", "--remote-name-all"].iter().any(|it| options.has(it));
        let content = match &*urls {
            [url] => CommandOutput::Url((*url).clone()),
            _ => CommandOutput::Unknown,
        };
        match into {
            Some(file) if file.text() == Some("-") => return content,
            Some(file) => {
                let file = match dir.filter(|_| is_curl) {
                    Some(dir) => self.inside(file, dir, true),
                    None => file.clone(),
                };
                self.write(&file, content, false);
            }
            None if by_name || !is_curl => {
                for url in urls {
                    let name = ShellArgument::plain(source::file_name(&url.head), &url.origin);
                    let file = dir.map_or(name.clone(), |dir| self.inside(&name, dir, true));
                    self.write(&file, CommandOutput::Url(url.clone()), false);
                }
            }
            None => return content,
        }
        CommandOutput::Unknown
    }
}

/// Options of curl without a value of their own that scripts use (`curl --help all`).
const CURL: &[&str] = &[
    "--compressed",
    "--create-dirs",
    "--fail",
    "--fail-with-body",
    "--globoff",
    "--http1.1",
    "--insecure",
    "--ipv4",
    "--location",
    "--no-progress-meter",
    "--progress-bar",
    "--remote-header-name",
    "--remote-name",
    "--remote-name-all",
    "--retry-all-errors",
    "--retry-connrefused",
    "--show-error",
    "--silent",
    "--ssl-reqd",
    "--tlsv1.2",
    "--tlsv1.3",
    "--verbose",
    "-#",
    "-4",
    "-6",
    "-J",
    "-L",
    "-O",
    "-S",
    "-f",
    "-g",
    "-k",
    "-q",
    "-s",
    "-v",
];

/// Those of wget (`wget --help`).
const WGET: &[&str] = &[
    "--continue",
    "--https-only",
    "--no-cache",
    "--no-check-certificate",
    "--no-clobber",
    "--no-hsts",
    "--no-verbose",
    "--quiet",
    "--show-progress",
    "--timestamping",
    "--verbose",
    "-4",
    "-6",
    "-N",
    "-c",
    "-q",
    "-v",
];

#[cfg(test)]
mod tests {
    use crate::resolve::scripts::tests::findings;

    const URL: &str = "https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.7.2/components.yaml";

    #[test]
    fn a_download_is_what_its_options_write() {
        let found = |fetch: &str, file: &str| {
            let fetch = fetch.replace("URL", URL);
            let patch = "kubectl patch -n kube-system deploy/metrics-server --type=json -p \
                '[{\"op\":\"add\",\"path\":\"/spec/template/spec/containers/0/args/-\",\"value\":\"--kubelet-insecure-tls\"}]'";
            let apply = match file {
                "" => format!("{fetch} | kubectl apply -f -"),
                file => format!("{fetch}\nkubectl apply -f {file}"),
            };
            findings(&format!("\n//- a.sh\n{apply}\n{patch}\n"))
        };
        for (fetch, file) in [
            ("wget -qO- URL", ""),
            ("wget -O - -q URL", ""),
            ("wget --output-document=x.yaml URL", "x.yaml"),
            ("wget -nv -P in URL", "in/components.yaml"),
            ("curl -sSfL URL", ""),
            ("curl -H 'Referer: https://a.b' --proxy http://c:1 URL", ""),
            ("curl -fsSLo x.yaml URL", "x.yaml"),
            ("curl --output=x.yaml URL", "x.yaml"),
            ("curl -ox.yaml -sL --url URL", "x.yaml"),
            ("curl -LO URL -O https://a.b/c.yaml", "components.yaml"),
            ("curl --create-dirs --output-dir in -O URL", "in/components.yaml"),
        ] {
            let line = if file.is_empty() { 2 } else { 3 };
            let insecure = format!("kubelet-insecure-tls a.sh:{line}");
            assert!(found(fetch, file).contains(&insecure), "{fetch}");
            let of_other = found(fetch, "other.yaml");
            assert!(!of_other.iter().any(|it| it.starts_with("kubelet-insecure-tls")), "{fetch}");
        }
    }
}
