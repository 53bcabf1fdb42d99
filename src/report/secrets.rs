//! What must not be shown: what Secrets hold, and the files that they are generated from.

use std::collections::BTreeSet;

use crate::{
    finding::Finding,
    scalar::Dialect,
    source::{self, FileId, Relevance, Sources, Span},
    tree::Node,
};

/// The places whose text is secret.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    files: BTreeSet<FileId>,
    /// In order, of which none reaches into the next one.
    spans: Vec<Span>,
}

impl Secrets {
    /// The secrets that `findings` could show.
    pub(super) fn find(sources: &Sources, findings: &[Finding]) -> Self {
        let mut secrets = Self::default();
        if findings.is_empty() {
            return secrets;
        }
        let labels = findings.iter().flat_map(|it| &it.labels);
        let shown: BTreeSet<FileId> = labels.map(|it| it.span.file).collect();
        let looked_into = sources.iter().filter(|(_, it)| it.relevance > Relevance::None);
        let files: BTreeSet<FileId> =
            looked_into.map(|(file, _)| file).chain(shown.iter().copied()).collect();
        for file in files {
            let text = sources.text(file).as_bytes();
            let says = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
            if shown.contains(&file) && says("Secret") || says("secretGenerator") {
                for root in sources.documents(file, Dialect::Sigs).roots() {
                    secrets.add(sources, file, root);
                }
            }
        }
        secrets.spans.sort();
        secrets.spans.dedup_by(|next, last| {
            let meets = next.file == last.file && next.start <= last.end;
            if meets {
                last.end = last.end.max(next.end);
            }
            meets
        });
        secrets
    }

    /// Whether there is something in the text at `span` that must not be shown.
    pub(super) fn touch(&self, span: Span) -> bool {
        let touches = |it: &Span| it.start <= span.end && span.start <= it.end;
        let before = |it: &Span| (it.file, it.end) < (span.file, span.start);
        let next = self.spans.get(self.spans.partition_point(before));
        self.files.contains(&span.file)
            || next.is_some_and(|it| it.file == span.file && touches(it))
    }

    fn add(&mut self, sources: &Sources, file: FileId, root: &Node) {
        if root.str_at("kind") == Some("Secret") {
            let values = ["data", "stringData"].into_iter().filter_map(|it| root.get(it));
            self.spans.extend(values.filter_map(|it| it.origin.written_at()));
        }
        let dir = source::parent(&sources[file].path);
        for generator in root.items_at("secretGenerator") {
            let literals = generator.get("literals").and_then(|it| it.origin.written_at());
            self.spans.extend(literals);
            let lists = ["envs", "files"].into_iter().filter_map(|it| generator.get(it));
            let listed = lists.flat_map(Node::items).chain(generator.get("env"));
            for entry in listed.filter_map(Node::as_str) {
                let path = entry.split_once('=').map_or(entry, |(_, path)| path);
                self.files.extend(sources.find_from(dir, path));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{Findings, Severity},
        tests::fixture,
        tree::Origin,
    };

    #[test]
    fn secrets_and_what_they_are_generated_from() {
        let sources = fixture(
            "
            //- a/kustomization.yaml
            secretGenerator:
            - envs: [s.env]
              literals: [K=hush]
            //- a/s.env
            K=hush
            //- secret.yaml
            kind: Secret
            metadata: {name: open}
            stringData: {k: hush}
            //- map.yaml
            kind: ConfigMap # like a Secret
            data: {k: open}
            ",
        );
        let mut findings = Findings::of("x", |_| Severity::Note, None);
        for (file, _) in sources.iter() {
            findings.at(&Origin::start_of(file), "", "");
        }
        let secrets = Secrets::find(&sources, &findings.into_vec());
        let mut seen = Vec::new();
        for (file, source) in sources.iter() {
            for word in ["hush", "open"] {
                for (at, _) in sources.text(file).match_indices(word) {
                    let start = u32::try_from(at).expect("short");
                    let span = Span { file, start, end: start + 4 };
                    assert_eq!(secrets.touch(span), word == "hush", "{}: {word}", source.path);
                    seen.push(word);
                }
            }
        }
        assert_eq!(seen.len(), 5);
    }
}
