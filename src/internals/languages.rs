//! The languages that are read, one entry for each.

use indexmap::IndexMap;

use super::{
    halves,
    places::{assert_documents, assert_origin, assert_span, assert_tree},
    repository::StagedRepository,
};
use crate::{
    emit, parse,
    resolve::{
        flux::envsubst,
        gotemplate::{
            self, FunctionCall, GoError, GoHost, GoMap, GoValue, MarkedText, MissingKey,
            TemplateSet,
        },
        helm::strvals,
        kustomize::{self, PatchKind},
    },
    scalar::Dialect,
    source::{FileId, Relevance, Skip, Sources, Text},
    tree::{Map, Node, Origin, Via},
};

/// No text of these comes to more, whatever it was made of.
const MOST: usize = 8 * 1024 * 1024;

/// Files of these names in memory, each of our subject.
fn of(files: &[(&str, &str)]) -> Sources {
    let file = |(path, text): &(&str, &str)| {
        ((*path).to_owned(), Relevance::Subject.into(), Some(Text::Utf8((*text).to_owned())))
    };
    let nothing_more = std::sync::Arc::new(|_: &str| Err(Skip::Binary));
    Sources::new(files.iter().map(file).collect(), IndexMap::new(), nothing_more)
}

fn root(sources: &Sources, file: FileId) -> Option<Node> {
    sources.documents(file, Dialect::Sigs).roots().next().cloned()
}

fn nowhere() -> Origin {
    Origin::at(Via::Written, None)
}

/// YAML as every dialect and every stage reads it, YAML inside of it, and templates of it.
pub fn yaml(text: &str) {
    for path in ["a.yaml", "values.yaml.gotmpl"] {
        let sources = of(&[(path, text)]);
        let Some(file) = sources.find(path) else { continue };
        for dialect in [Dialect::Sigs, Dialect::Kyaml] {
            let documents = sources.documents(file, dialect);
            assert_documents(&sources, documents);
            for side in parse::sides(&sources, file, dialect) {
                assert_documents(&sources, &side);
            }
            for root in documents.roots() {
                for scalar in
                    root.walk().filter(|it| it.as_str().is_some_and(|it| it.contains('\n')))
                {
                    assert_documents(&sources, &parse::embedded(&sources, scalar, dialect));
                }
                let written = emit::yaml(root);
                let again = parse::offsets(&written, Dialect::Sigs);
                assert!(again.error().is_none(), "{written:?}: {:?}", again.error());
            }
        }
        assert_documents(&sources, sources.outline(file));
        for comment in parse::comments(text, file, true) {
            assert_span(&sources, comment);
            assert!(sources.slice(comment).starts_with('#'), "{comment:?} is no comment");
        }
    }
}

/// A file of variables.
pub fn env(text: &str) {
    let sources = of(&[("a.env", text)]);
    let Some(file) = sources.find("a.env") else { return };
    for variable in parse::env::parse(text, file) {
        assert_span(&sources, variable.key_span);
        assert_span(&sources, variable.value_span);
        assert_eq!(sources.slice(variable.key_span), variable.key);
        assert_eq!(sources.slice(variable.value_span), variable.value);
        assert!(variable.value.starts_with(parse::env::before_comment(variable.value)));
    }
}

/// Flux's expressions in the second half, with the variables of the first.
pub fn envsubst(text: &str) {
    let (variables, template) = halves(text);
    let variables: IndexMap<String, &str> = parse::env::parse(variables, FileId::NONE)
        .map(|it| (it.key.to_owned(), it.value))
        .collect();
    let result = envsubst::substitute(template, &variables);
    match &result {
        Err(error) => assert!(template.is_char_boundary(error.at), "{error:?}"),
        Ok(output) => {
            assert!(output.text.len() <= MOST, "{} bytes", output.text.len());
            let (mut read, mut written) = (0, 0);
            for it in &output.filled {
                assert!(
                    it.input.start >= read && it.output.start >= written,
                    "{it:?}: out of order"
                );
                assert!(template.get(it.input.clone()).is_some_and(|it| it.starts_with("${")));
                assert!(output.text.get(it.output.clone()).is_some(), "{it:?}: no text");
                (read, written) = (it.input.end, it.output.end);
            }
            // A NUL is the end to whoever reads it.
            if !template.contains(['$', '\0']) {
                assert_eq!(output.text, template);
            }
        }
    }
    assert_eq!(result, envsubst::substitute(template, &variables), "the second time");
}

/// Helm's `--set`, a line each, in the values of the first half.
pub fn strvals(text: &str) {
    let (values, lines) = halves(text);
    let sources = of(&[("values.yaml", values)]);
    let values = sources.find("values.yaml").and_then(|it| root(&sources, it));
    let values = values.unwrap_or_else(|| Node::new(Map::default(), nowhere()));
    for notation in [strvals::Notation::Typed, strvals::Notation::Strings] {
        let (mut one, mut other) = (values.clone(), values.clone());
        for line in lines.lines() {
            let first = strvals::set(&mut one, line, notation, &nowhere());
            assert_eq!(first, strvals::set(&mut other, line, notation, &nowhere()));
        }
        assert!(one.is_same(&other), "the second time it is another");
        assert_tree(&sources, &one);
    }
}

/// Terraform's language, in a module with a file of variables in the first half.
pub fn hcl(text: &str) {
    let (variables, code) = halves(text);
    let files = of(&[("terraform.tfvars", variables), ("main.tf", code)]);
    StagedRepository::of_sources(files).judge(false);
}

/// The patch in the second half, as each kind of patch, of the object in the first.
pub fn patch(text: &str) {
    let (object, patch) = halves(text);
    let sources = of(&[("object.yaml", object), ("patch.yaml", patch)]);
    let [Some(object), Some(patch)] = ["object.yaml", "patch.yaml"].map(|it| sources.find(it))
    else {
        return;
    };
    let Some(object) = root(&sources, object) else { return };
    let patch = parse::whole(&sources, patch);
    for kind in [PatchKind::Json, PatchKind::Merge, PatchKind::Strategic] {
        let result = kustomize::patched(&sources, &object, &patch, kind);
        match &result {
            Ok(patched) => {
                assert_tree(&sources, patched);
                for scalar in patched.walk().filter(|it| it.as_scalar().is_some()) {
                    assert!(scalar.origin.written_at().is_some(), "{scalar:?} comes from nowhere");
                }
                emit::yaml(patched);
            }
            Err(problem) => assert_origin(&sources, &problem.at),
        }
        let again = kustomize::patched(&sources, &object, &patch, kind);
        match (&result, &again) {
            (Ok(one), Ok(other)) => assert!(one.is_same(other), "the second time it is another"),
            _ => assert_eq!(result.is_ok(), again.is_ok()),
        }
    }
}

/// The Go template in the second half, with the values in the first, of which texts that begin with
/// `unknown ` are unknown.
pub fn template(text: &str) {
    let (values, template) = halves(text);
    let sources = of(&[("values.yaml", values), ("a.tpl", template)]);
    let [Some(values), Some(file)] = ["values.yaml", "a.tpl"].map(|it| sources.find(it)) else {
        return;
    };
    let values = root(&sources, values).unwrap_or_else(|| Node::new(Map::default(), nowhere()));
    let values = values.rewrite(&mut |node| {
        let why = node.as_str()?.strip_prefix("unknown ")?;
        Some(Node::unknown_value(why, &node.origin))
    });
    // A template may change what it is given.
    let dot = || {
        let mut dot = GoMap::default();
        dot.set("Values", GoValue::of(&values));
        GoValue::map(dot, &values.origin)
    };
    let mut set = TemplateSet::default();
    gotemplate::reads_of(template);
    match set.add("t", MarkedText::file(template, file)) {
        Ok(()) => {
            let first = set.execute("t", &dot(), &Nobody);
            match &first {
                Ok(printed) => assert_printed(&sources, printed),
                Err(error) => assert_origin(&sources, &error.at),
            }
            let texts = [first, set.execute("t", &dot(), &Nobody)];
            let [one, other] =
                texts.map(|it| it.map(|it| it.as_str().to_owned()).map_err(|it| it.message));
            assert_eq!(one, other, "the second time");
            let (printed, errors) = set.execute_all("t", &dot(), &Nobody);
            assert_printed(&sources, &printed);
            for error in &errors {
                assert_origin(&sources, &error.at);
            }
        }
        Err(problem) => assert_origin(&sources, &problem.at),
    }
}

fn assert_printed(sources: &Sources, printed: &MarkedText) {
    assert!(printed.as_str().len() <= MOST, "{} bytes", printed.as_str().len());
    for document in printed.documents() {
        match document.root {
            Ok(root) => assert_tree(sources, &root),
            Err((_, at)) => assert_origin(sources, &at),
        }
    }
}

/// Nobody's functions.
struct Nobody;

impl GoHost for Nobody {
    fn function(&self, _: &FunctionCall<'_>) -> Option<Result<GoValue, Box<GoError>>> {
        None
    }

    fn missing(&self) -> MissingKey {
        MissingKey::NoValue
    }
}
