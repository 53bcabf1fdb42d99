//! What a pipeline says of itself, so that a report can name and link to the files and reach the page
//! of its run.

#![expect(clippy::disallowed_methods, reason = "pipelines say where they run by variables")]

use std::{env, path::PathBuf};

/// What is known of the pipeline that runs this, and how it names files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workflow {
    /// The Markdown file that GitHub shows on the page of the run.
    pub summary: Option<PathBuf>,
    /// The address below which the files of this commit are.
    pub files: Option<String>,
    /// Whether files are known by their paths from the root of Git.
    pub in_git: bool,
    /// Whether a runner reads what is printed for commands: `GITHUB_ACTIONS`, which Forgejo and Gitea set
    /// too.
    pub listens: bool,
}

impl Workflow {
    /// What the variables of GitHub Actions or GitLab CI say.
    pub(crate) fn here() -> Self {
        let text = |name| env::var(name).ok().filter(|it| !it.is_empty());
        let github = || {
            let [server, repository, commit] =
                ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA"].map(text);
            Some(format!("{}/{}/blob/{}/", server?, repository?, commit?))
        };
        let gitlab = || {
            let [project, commit] = ["CI_PROJECT_URL", "CI_COMMIT_SHA"].map(text);
            Some(format!("{}/-/blob/{}/", project?, commit?))
        };
        let summary = text("GITHUB_STEP_SUMMARY").map(PathBuf::from);
        let listens = text("GITHUB_ACTIONS").is_some();
        Self { summary, files: github().or_else(gitlab), in_git: true, listens }
    }
}
