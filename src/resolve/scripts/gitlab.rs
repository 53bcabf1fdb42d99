//! Pipelines of GitLab that are written in several files (`include:local` and `!reference` of its `CI/CD YAML
//! syntax reference`).

use std::collections::BTreeSet;

use crate::{
    resolve::layout,
    scalar::Dialect,
    source::{FileId, Sources},
    tree::{Entry, Map, Node, Origin},
};

/// The pipeline of a repository.
const PIPELINE: &str = ".gitlab-ci.yml";

/// How many files a pipeline may take in.
const MAX_INCLUDED: usize = 150;

/// How many patterns of paths a file may take in.
const MAX_PATTERNS: usize = 50;

/// How deep files may take in others, and references lead to others.
const MAX_DEPTH: usize = 10;

/// How many lines the scripts of a job may have.
const MAX_LINES: usize = 2_000;

/// The pipeline of a repository, with what it takes in.
#[derive(Debug)]
pub(super) struct IncludingPipeline {
    pub file: FileId,
    pub root: Node,
    pub files: BTreeSet<FileId>,
    /// Whether it takes in more than is looked at.
    pub is_cut: bool,
}

/// The pipeline of the repository, if it takes other files in.
pub(super) fn pipeline(sources: &Sources) -> Option<IncludingPipeline> {
    let file = sources.find(PIPELINE)?;
    if !sources.text(file).contains("include") {
        return None;
    }
    let nothing = Node::new(Map::default(), Origin::start_of(file));
    let mut pipeline =
        IncludingPipeline { file, root: nothing, files: BTreeSet::from([file]), is_cut: false };
    pipeline.root = read(sources, file, &mut pipeline, 0)?;
    pipeline.files.remove(&file);
    (!pipeline.files.is_empty()).then_some(pipeline)
}

/// The pipeline in `file`: what it says counts more than what it takes in, of which the last does. What is
/// taken in under conditions (`rules`) takes nothing's place.
fn read(
    sources: &Sources,
    file: FileId,
    pipeline: &mut IncludingPipeline,
    depth: usize,
) -> Option<Node> {
    let documents = sources.documents(file, Dialect::Sigs);
    // The first one may be a header: `spec:` with inputs.
    let own = documents.roots().last()?.clone();
    let mut all: Option<Node> = None;
    let (taken, is_cut) = own.get("include").map(|it| included(sources, it)).unwrap_or_default();
    pipeline.is_cut |= is_cut;
    for (included, is_sure) in taken {
        if pipeline.files.contains(&included) {
            continue;
        }
        if depth == MAX_DEPTH || pipeline.files.len() > MAX_INCLUDED {
            pipeline.is_cut = true;
            break;
        }
        pipeline.files.insert(included);
        if let Some(more) = read(sources, included, pipeline, depth + 1) {
            all = Some(match all {
                None => more,
                Some(all) if is_sure => merged(&all, &more),
                Some(all) => merged(&more, &all),
            });
        }
    }
    Some(all.map_or(own.clone(), |it| merged(&it, &own)))
}

/// The files of the repository that `include` names, each with whether it is taken in whatever holds; and
/// whether it names more patterns than are looked at.
fn included(sources: &Sources, include: &Node) -> (Vec<(FileId, bool)>, bool) {
    let (mut found, mut patterns) = (Vec::new(), 0);
    for one in std::iter::once(include).chain(include.items()) {
        let is_sure = one.get("rules").is_none();
        let local = one.get("local");
        let local = local.iter().flat_map(|it| std::iter::once(*it).chain(it.items()));
        for path in std::iter::once(one).chain(local).filter_map(Node::as_str) {
            let path = path.trim_start_matches('/');
            if path.contains("://") || path.contains('$') {
                continue;
            }
            if !path.contains('*') {
                found.extend(sources.find(path).map(|it| (it, is_sure)));
                continue;
            }
            patterns += 1;
            if patterns > MAX_PATTERNS {
                return (found, true);
            }
            // `**` are any directories, and `*` is none.
            let pattern = globset::GlobBuilder::new(path).literal_separator(true).build();
            let Ok(pattern) = pattern.map(|it| it.compile_matcher()) else { continue };
            let all = sources.iter().filter(|(_, it)| layout::is_yaml(&it.path));
            let matching = all.filter(|(_, it)| pattern.is_match(&*it.path));
            found.extend(matching.map(|(file, _)| (file, is_sure)));
        }
    }
    (found, false)
}

/// `base` with what `over` has in its place.
fn merged(base: &Node, over: &Node) -> Node {
    let (Some(all), Some(_)) = (base.as_map(), over.as_map()) else { return over.clone() };
    let mut all = Map::clone(all);
    for (key, entry) in over.entries() {
        let value = match all.get(key) {
            Some(known) => merged(known, &entry.value),
            None => entry.value.clone(),
        };
        all.insert(key, Entry { key: entry.key, value });
    }
    Node::new(all, over.origin.clone())
}

/// What `!reference [job, key]` in the pipeline `root` means; a list without that tag is none.
pub(super) fn referenced<'n>(sources: &Sources, root: &'n Node, node: &Node) -> Option<&'n Node> {
    let path: Option<Vec<&str>> = node.as_list()?.iter().map(Node::as_str).collect();
    let path = path.filter(|it| it.len() > 1)?;
    let at = node.origin.written_at()?;
    let before = sources.text(at.file).get(..at.start as usize)?;
    let is_tagged = before.trim_end().ends_with("!reference");
    path.iter().filter(|_| is_tagged).try_fold(root, |at, key| at.get(key))
}

/// The commands in `node`, a script of the pipeline `root`, in which lists may stand and references; and
/// whether there are more than are looked at.
pub(super) fn lines<'n>(
    sources: &Sources,
    root: &'n Node,
    node: &'n Node,
) -> (Vec<&'n Node>, bool) {
    let (mut found, mut seen) = (Vec::new(), 0);
    let mut open = vec![(node, 0)];
    while let Some((node, depth)) = open.pop() {
        seen += 1;
        if seen > MAX_LINES {
            return (found, true);
        }
        if node.as_str().is_some() {
            found.push(node);
        } else if depth <= MAX_DEPTH {
            let below = referenced(sources, root, node).filter(|_| depth > 0);
            match below {
                Some(below) => open.push((below, depth + 1)),
                None => open.extend(node.items().iter().rev().map(|it| (it, depth + 1))),
            }
        }
    }
    (found, false)
}

#[cfg(test)]
mod tests {
    use crate::resolve::scripts::tests::findings;

    const JOB: &str = "before_script: [helm repo add ms https://kubernetes-sigs.github.io/metrics-server/]
  script: ['helm upgrade -i metrics-server ms/metrics-server --version 3.12.2 -n kube-system $E']\n";

    #[test]
    fn a_pipeline_has_what_it_takes_in() {
        let found = |include: &str, path: &str| {
            findings(&format!(
                "\n//- .gitlab-ci.yml\n{include}\nup:\n  extends: .up\n  variables: {{E: '--set args={{--kubelet-insecure-tls}}'}}\n\
                //- {path}\n.up:\n  {JOB}"
            ))
        };
        for include in [
            "include: /ci/up.yml",
            "include: [ci/up.yml]",
            "include: {local: /ci/up.yml}",
            "include:\n- project: a/b\n  file: /x.yml\n- local: '/ci/*.yml'",
            "include: [{local: '**/up.yml'}]",
        ] {
            let line = include.lines().count() + 3;
            let expected = [format!("kubelet-insecure-tls .gitlab-ci.yml:{line}")];
            assert_eq!(found(include, "ci/up.yml"), expected, "{include}");
        }
        for other in ["include: {remote: 'https://a.b/ci/up.yml'}", "include: [{local: '/*.yml'}]"]
        {
            let unread = found(other, "ci/up.yml");
            assert!(!unread.iter().any(|it| it.starts_with("kubelet")), "{unread:?}");
        }
    }

    #[test]
    fn a_pipeline_counts_more_than_what_it_takes_in() {
        let files = format!(
            "\n//- .gitlab-ci.yml\ninclude: [/a.yml, /b.yml]\nup: {{variables: {{E: --wait}}}}\n\
            //- a.yml\ninclude: /.gitlab-ci.yml\nup:\n  variables: {{E: '--set replicas=two', F: x}}\n  {JOB}\
            //- b.yml\nother:\n  variables: {{E: '--set replicas=0.5'}}\n  script: [!reference [up, before_script], !reference [up, script]]\n"
        );
        assert_eq!(findings(&files), ["wrong-value-type b.yml:2"]);
    }

    #[test]
    fn what_is_taken_in_under_conditions_takes_no_place() {
        let found = |rules: &str| {
            findings(&format!(
                "\n//- .gitlab-ci.yml\ninclude: [/a.yml, {{local: /b.yml{rules}}}]\n\
                //- a.yml\nvariables: {{E: --wait}}\nup:\n  {JOB}\
                //- b.yml\nvariables: {{E: '--set args={{--kubelet-insecure-tls}}'}}\n"
            ))
        };
        assert_eq!(found(", rules: [{if: $DEV}]"), [""; 0]);
        assert_eq!(found(""), ["kubelet-insecure-tls b.yml:1"]);
    }

    #[test]
    fn a_pipeline_that_takes_in_too_much_says_so() {
        let patterns = "- '/ci/*.yml'\n".repeat(60);
        let found = findings(&format!(
            "\n//- .gitlab-ci.yml\ninclude:\n- a.yml\n{patterns}up:\n  {JOB}//- a.yml\nvariables: {{E: --wait}}\n"
        ));
        assert_eq!(found, ["unresolved .gitlab-ci.yml:1"]);
    }

    #[test]
    fn variables_that_are_referred_to_take_the_place_of_all() {
        let found = |variables: &str| {
            findings(&format!(
                "\n//- .gitlab-ci.yml\n.base:\n  variables: {{E: '--set args={{--kubelet-insecure-tls}}'}}\n\
                .other: {{variables: {{E: --wait}}}}\n.none: {{variables: {{F: x}}}}\nup:\n  extends: .base\n  \
                {variables}\n  {JOB}"
            ))
        };
        assert_eq!(found("image: x"), ["kubelet-insecure-tls .gitlab-ci.yml:2"]);
        assert_eq!(found("variables: !reference [.other, variables]"), [""; 0]);
        for untold in ["[.none, variables]", "[.gone, variables]"] {
            let line = found(&format!("variables: !reference {untold}"));
            assert_eq!(line, ["unresolved .gitlab-ci.yml:9"], "{untold}");
        }
    }

    #[test]
    fn jobs_have_what_a_pipeline_has_by_default() {
        let found = |top: &str, job: &str| {
            findings(&format!(
                "\n//- .gitlab-ci.yml\n{top}\nup:\n  {job}\n  script: ['helm upgrade -i metrics-server \
                metrics-server/metrics-server --version 3.12.2 -n kube-system -f v.yaml --set replicas=$R']\n\
                //- v.yaml\nreplicas: 1\n//- sub/v.yaml\nresources: {{requests: {{memory: 200mb}}}}\n"
            ))
            .into_iter()
            .filter(|it| !it.starts_with("unresolved"))
            .collect::<Vec<String>>()
        };
        let there = ["invalid-quantity sub/v.yaml:1"];
        let enter = "before_script: [cd sub]";
        assert_eq!(found(enter, "image: x"), there);
        assert_eq!(found(&format!("default: {{{enter}}}"), "image: x"), there);
        assert_eq!(
            found(&format!("default: {{{enter}}}"), "inherit: {default: [before_script]}"),
            there
        );
        assert_eq!(found(&format!("{enter}\n.a: {{before_script: []}}"), "extends: .a"), [""; 0]);
        for own in ["before_script: []", "inherit: {default: false}", "inherit: {default: [image]}"]
        {
            assert_eq!(found(enter, own), [""; 0], "{own}");
        }
        let set = "variables: {R: two}";
        let refused = ["wrong-value-type .gitlab-ci.yml:1"];
        assert_eq!(found(set, "image: x"), refused);
        assert_eq!(found(set, "inherit: {variables: [R]}"), refused);
        // Some runs of it have that, or all do not.
        for own in [
            "inherit: {variables: false}",
            "inherit: {variables: [S]}",
            "rules: [{if: $A, variables: {R: 1}}, {if: $B}]",
        ] {
            assert_eq!(found(set, own), [""; 0], "{own}");
        }
        let workflow = "workflow: {rules: [{if: $A, variables: {R: 1}}]}";
        assert_eq!(found(&format!("{set}\n{workflow}"), "image: x"), [""; 0]);
    }

    #[test]
    fn what_one_shell_sets_another_does_not_have() {
        let found = |job: &str| {
            let job = job.replace(
                "UP",
                "helm upgrade -i metrics-server metrics-server/metrics-server \
                --version 3.12.2 -n kube-system --set replicas=$R",
            );
            findings(&format!(
                "\n//- .gitlab-ci.yml\nother: {{script: [export R=two]}}\nup:\n{job}\n"
            ))
        };
        assert_eq!(
            found("  script: [UP]\n  before_script: [export R=two]"),
            ["wrong-value-type .gitlab-ci.yml:4"]
        );
        assert_eq!(found("  script: [UP]"), [""; 0]);
        assert_eq!(found("  script: [export R=two]\n  after_script: [UP]"), [""; 0]);
        let github = |file: &str| {
            let write = format!("echo \"R=two\" >> {file}");
            findings(&format!(
                "\n//- .github/workflows/x.yml\njobs:\n  up:\n    env: {{R: two}}\n    steps:\n    - run: {write}\n    \
                - run: helm upgrade -i metrics-server metrics-server/metrics-server --version 3.12.2 --set replicas=$R\n"
            ))
        };
        assert_eq!(github("x"), ["wrong-value-type .github/workflows/x.yml:3"]);
        for file in ["$GITHUB_ENV", "\"${GITHUB_ENV}\""] {
            assert_eq!(github(file), [""; 0], "{file}");
        }
    }

    #[test]
    fn a_list_is_no_reference_without_its_tag() {
        let found = |tag: &str| {
            findings(&format!(
                "\n//- .gitlab-ci.yml\n.up:\n  {JOB}up:\n  variables: {{E: '--set replicas=two'}}\n  \
                script:\n  - {tag} [.up, before_script]\n  - {tag} [.up, script]\n"
            ))
        };
        let untold = |it: &String| it.starts_with("unresolved");
        assert!(found("!reference").iter().any(|it| it.starts_with("wrong-value-type")));
        assert!(found("").iter().all(untold));
    }

    #[test]
    fn a_script_that_is_too_long_says_so() {
        let lines = "  - echo\n".repeat(super::MAX_LINES);
        let script = format!(
            "  script:\n  - helm upgrade -i metrics-server metrics-server/metrics-server --version 3.12.2\n{lines}"
        );
        let found = findings(&format!("\n//- .gitlab-ci.yml\nup:\n{script}"));
        assert_eq!(found, ["unresolved .gitlab-ci.yml:3"]);
    }
}
