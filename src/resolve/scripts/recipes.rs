//! Makefiles and justfiles: their recipes, and what is set beside these.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use regex::Regex;

use super::{
    carriers::{CodePart, CommandBlock, slice},
    values::{self, ShellVariables},
};
use crate::{
    ascii,
    resolve::shell::{self, Word},
    scalar::{Scalar, Style},
    source::{self, FileId, Sources},
    tree::Node,
};

/// Whether the file called `name` is a Makefile or a justfile, or part of one.
pub(super) fn is_build_file(name: &str) -> bool {
    is_just(name)
        || matches!(name, "Makefile" | "makefile" | "GNUmakefile")
        || source::extension(name) == "mk"
}

fn is_just(name: &str) -> bool {
    matches!(name, "justfile" | "Justfile") || source::extension(name) == "just"
}

static HEADER: LazyLock<Option<Regex>> =
    LazyLock::new(|| ascii::pattern(r"^@?([\w$(){}./%-]+)[^:#]*:(?:[^=]|$)"));

/// What takes in other files: make's words, and just's.
const INCLUDING: [&str; 5] = ["include", "-include", "sinclude", "import", "import?"];

/// `Target-specific Variable Values` of make's manual: the prerequisites of a target have them, too.
static OF_TARGET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    ascii::pattern(
        r"^[^\s:=#][^:=#]*::?\s*(?:(?:export|override|private)\s+)*([A-Za-z_]\w*)\s*[:?+!]*=",
    )
});

static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    ascii::pattern(r"^(?:export\s+|override\s+)*([A-Za-z_]\w*)\s*([:?+!]*=)\s*(.*?)\s*$")
});

/// How many files a Makefile or a justfile may take in.
const MAX_INCLUDED: usize = 50;

/// The recipes of a Makefile or a justfile, and what is set beside them.
pub(super) fn read(
    sources: &Sources,
    file: FileId,
    variables: &mut ShellVariables,
) -> Vec<CommandBlock> {
    let mut reader = RecipeReader {
        sources,
        variables,
        braces: is_just(source::file_name(&sources[file].path)),
        blocks: Vec::new(),
        open: None,
        dir: None,
        next_dir: None,
        block_dir: None,
        texts: BTreeMap::new(),
        conditions: 0,
        first: file,
        read: BTreeSet::from([file]),
    };
    reader.read(file);
    let (dir, mut blocks) = (reader.dir, reader.blocks);
    for part in blocks.iter_mut().flat_map(|it| &mut it.parts) {
        part.dir = part.dir.take().or_else(|| dir.clone());
    }
    blocks
}

struct RecipeReader<'a> {
    sources: &'a Sources,
    /// The file that is run: make looks for others from there, just from who names them.
    first: FileId,
    variables: &'a mut ShellVariables,
    /// Whether it is just's, which fills in `{{ … }}`.
    braces: bool,
    blocks: Vec<CommandBlock>,
    /// Where the recipe starts and ends that is read.
    open: Option<(usize, usize)>,
    /// Where the recipes of just run, the next one, and that which is read.
    dir: Option<Node>,
    next_dir: Option<Node>,
    block_dir: Option<Node>,
    texts: BTreeMap<String, Option<MadeText>>,
    conditions: usize,
    read: BTreeSet<FileId>,
}

impl RecipeReader<'_> {
    fn read(&mut self, file: FileId) {
        let sources = self.sources;
        let is_one_shell = sources.text(file).contains(".ONESHELL");
        let mut continues = false;
        for (start, line) in source::lines(sources.text(file)) {
            let is_recipe = line.starts_with('\t') || self.braces && line.starts_with(' ');
            if is_recipe || self.open.is_some() && (continues || line.trim().is_empty()) {
                let (first, _) = self.open.unwrap_or((start, start));
                self.open = Some((first, start + line.len()));
                continues = line.trim_end().ends_with('\\');
                continue;
            }
            continues = false;
            self.close(file, is_one_shell);
            self.line(file, start, line);
        }
        self.close(file, is_one_shell);
    }

    /// Ends the recipe that is open: each of its lines has a shell of its own, unless just is given a script
    /// (`Recipe Execution` of make's manual, `Shebang Recipes` of just's).
    fn close(&mut self, file: FileId, is_one_shell: bool) {
        let Some((start, end)) = self.open.take() else { return };
        let Some(block) = self.blocks.last_mut() else { return };
        let text = self.sources.text(file).get(start..end).unwrap_or_default();
        let is_one = is_one_shell || self.braces && text.trim_start().starts_with("#!");
        let mut first = start;
        for (at, line) in source::lines(text) {
            let next = start + at + line.len();
            if next < end && (is_one || line.trim_end().ends_with('\\')) {
                continue;
            }
            let code = slice(self.sources, file, first..next.min(end));
            let part = CodePart::new(code, self.braces);
            block.parts.push(CodePart { dir: self.block_dir.clone(), ..part });
            first = next;
        }
    }

    /// Reads a line that is of no recipe.
    fn line(&mut self, file: FileId, start: usize, line: &str) {
        // Blanks before a directive mean nothing to make, and a tab is of a recipe.
        let inner = if self.braces { line } else { line.trim_start_matches(' ') };
        let start = start + line.len() - inner.len();
        let bare = inner.trim_end();
        match bare.split([' ', '(', '\t']).next() {
            Some("ifeq" | "ifneq" | "ifdef" | "ifndef") => self.conditions += 1,
            Some("endif") => self.conditions = self.conditions.saturating_sub(1),
            Some(word) if INCLUDING.contains(&word) => {
                return self.include(file, &bare[word.len()..]);
            }
            _ => {}
        }
        let is_directory = |it: &(&str, &str)| self.braces && matches!(it.0.trim(), "set" | "[");
        if let Some((before, value)) = bare.split_once("working-directory").filter(is_directory) {
            let from = start + bare.len() - value.trim_start_matches([' ', ':', '=']).len();
            let code = slice(self.sources, file, from..start + bare.trim_end_matches(']').len());
            let place = if before.trim() == "set" { &mut self.dir } else { &mut self.next_dir };
            *place = Some(code);
        } else if let Some(found) = ASSIGNED.as_ref().and_then(|it| it.captures(bare)) {
            let [name, sign, value] = [1, 2, 3].map(|it| found.get(it));
            let (Some(name), Some(sign), Some(value)) = (name, sign, value) else { return };
            let is_known = !bare.ends_with('\\') && self.conditions == 0;
            let code = slice(self.sources, file, start + value.start()..start + value.end());
            self.assign(name.as_str(), sign.as_str(), &code, is_known);
        } else if let Some(name) = self.of_target(bare) {
            self.variables.set(name, None);
            self.texts.insert(name.to_owned(), None);
        } else if let Some(found) = HEADER.as_ref().and_then(|it| it.captures(bare)) {
            let name = found.get(1).map_or("", |it| it.as_str()).to_owned();
            // What just hands over to a recipe is its own.
            let after = found.get(1).map_or("", |it| &bare[it.end()..]);
            let own = if self.braces { parameters(after) } else { Vec::new() };
            let variables = own.into_iter().map(|it| (it, None)).collect();
            self.blocks.push(CommandBlock { name, variables, ..CommandBlock::default() });
            self.block_dir = self.next_dir.take();
        }
    }

    /// The variable that a line of a Makefile sets for some targets.
    fn of_target<'l>(&self, line: &'l str) -> Option<&'l str> {
        let found = OF_TARGET.as_ref().filter(|_| !self.braces)?.captures(line)?;
        found.get(1).map(|it| it.as_str())
    }

    /// Notes that `name` is set to `code`, which `is_known` unless it goes on or stands under a condition.
    fn assign(&mut self, name: &str, sign: &str, code: &Node, is_known: bool) {
        let value = code.as_str().unwrap_or_default();
        // All of it is one value, which a shell may take apart later.
        let text = match self.braces {
            true => value.to_owned(),
            false => format!("\"{}\"", value.replace('"', "\\\"")),
        };
        let literal = !value.ends_with('\\') && sign != "+=" && sign != "!=";
        let words = shell::words(&text);
        let word = match &*words {
            // A shell takes quotes away that make leaves, and make what is behind a mark of comments.
            [_] if !self.braces && value.contains(['"', '\'', '\\', '#']) => None,
            [word] if literal => Some(moved(word, usize::from(!self.braces), value)),
            [] if literal => Some(Word::default()),
            _ => None,
        };
        let text = is_known.then_some(code);
        let made = self.texts.remove(name);
        let adds = sign == "+=";
        let made = match (made, text, adds) {
            (None, Some(text), false) => Some(vec![text.clone()]),
            (Some(Some(made)), Some(text), true) if made.len() < MAX_ADDED => {
                Some(added(made, text, name, self.variables))
            }
            _ => None,
        };
        if !adds || made.is_none() {
            self.variables.set(name, word.map(|it| (code, it)));
        }
        self.texts.insert(name.to_owned(), made);
        if sign == "?=" {
            self.variables.note_default(name);
        }
    }

    /// Reads what is set in the files that `file` takes in by these `words`; what is not there may set
    /// anything (`Including Other Makefiles` of make's manual).
    fn include(&mut self, file: FileId, words: &str) {
        let from = if self.braces { file } else { self.first };
        let own = source::parent(&self.sources[from].path);
        for word in shell::words(words) {
            let places = values::paths(own, &[own.to_owned(), String::new()], word.literal());
            let found = places.iter().find_map(|it| self.sources.find(it));
            match found.filter(|_| self.read.len() <= MAX_INCLUDED) {
                Some(found) if self.read.insert(found) => {
                    // Its recipes are its own.
                    let blocks = std::mem::take(&mut self.blocks);
                    self.read(found);
                    self.blocks = blocks;
                }
                Some(_) => {}
                None => {
                    self.variables.doubt();
                    self.texts.values_mut().for_each(|it| *it = None);
                }
            }
        }
    }
}

/// The parameters of a recipe of just, whose header goes on with `text`.
fn parameters(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in shell::words(text) {
        let text = text.get(word.range).unwrap_or_default();
        let name = text.trim_start_matches(['+', '*', '$']);
        let length = name.find(|it: char| !(it.is_ascii_alphanumeric() || "_-".contains(it)));
        let (name, rest) = name.split_at(length.unwrap_or(name.len()));
        if !name.is_empty() {
            found.push(name.to_owned());
        }
        if rest.starts_with(':') || rest.ends_with(':') && !rest.contains(":=") {
            break;
        }
    }
    found
}

/// The texts that a variable of make is put together from.
type MadeText = Vec<Node>;

/// How often something may be added to a variable of make.
const MAX_ADDED: usize = 100;

/// `made`, which is what the variable `name` is, with `text` behind it.
fn added(mut made: MadeText, text: &Node, name: &str, variables: &mut ShellVariables) -> MadeText {
    // `Appending More Text to Variables` of make's manual: with a space between them.
    made.push(Node::new(Scalar::string(" "), text.origin.clone()));
    made.push(text.clone());
    let all: String = made.iter().filter_map(Node::as_str).collect();
    let place = text.origin.of_texts(made.iter().cloned());
    let scalar = Scalar { text: all.as_str().into(), style: Style::Literal, tag: None };
    let quoted = format!("\"{}\"", all.replace('"', "\\\""));
    match &*shell::words(&quoted) {
        [word] => variables.replace(name, &Node::new(scalar, place), moved(word, 1, &all)),
        _ => variables.set(name, None),
    }
    made
}

/// `word`, which was read from text with `quote` more before it, with the place of all of `text`.
fn moved(word: &Word, quote: usize, text: &str) -> Word {
    let end = text.len();
    let range = match word.literal() {
        Some(literal) if quote == 0 || literal.len() == end => {
            word.range.start.saturating_sub(quote)..word.range.end.saturating_sub(quote)
        }
        _ => 0..end,
    };
    Word { range, ..word.clone() }
}

#[cfg(test)]
mod tests {
    use crate::resolve::scripts::tests::findings;

    const UP: &str = "helm upgrade -i metrics-server metrics-server/metrics-server --version 3.12.2 -n kube-system";

    #[test]
    fn make_looks_for_files_from_where_it_runs() {
        let files = "//- b.mk\nR = two\n//- mk/a.mk\ninclude b.mk\n//- mk/b.mk\nR = 1\n";
        let make = format!("\n//- Makefile\ninclude mk/a.mk\nup:\n\t{UP} --set replicas=$(R)\n");
        assert_eq!(findings(&format!("{make}{files}")), ["wrong-value-type b.mk:1"]);
    }

    #[test]
    fn what_others_may_set_is_unknown() {
        let found = |set: &str, files: &str| {
            findings(&format!(
                "\n//- Makefile\n{set}\nup:\n\t{UP} --set replicas=$(R)\n//- more.mk\nR = 1\n//- other.mk\nS = 1\nno:\n\ttrue\n{files}"
            ))
        };
        let refused = |line: usize| [format!("wrong-value-type Makefile:{line}")];
        assert_eq!(found("R = two", ""), refused(1));
        assert_eq!(found("R = two\ninclude other.mk", ""), refused(1));
        assert_eq!(found("-include .env\nR = two", ""), refused(2));
        for may in [
            "up: R = 1",
            "dev prod: export R := 1",
            "dev::R=1",
            "include more.mk",
            "-include more.mk other.mk",
            "sinclude .env",
            "include $(ENV).mk",
            "include\tmore.mk",
            "ifdef A\n  include more.mk\nendif",
            "ifdef A\n  R = 1\nendif",
            "R = \"2\"",
            "R = 2 # two",
        ] {
            assert_eq!(found(&format!("R = two\n{may}"), ""), [""; 0], "{may}");
            let added = found(&format!("R = t\n{may}\nR += wo"), "");
            assert_eq!(added, [""; 0], "{may}");
        }
        // One that takes itself in is read once.
        assert_eq!(
            found("R = two\ninclude Makefile self.mk", "//- self.mk\ninclude self.mk\n"),
            refused(1)
        );
    }

    #[test]
    fn each_line_of_a_recipe_has_its_own_shell() {
        let files =
            "//- v.yaml\nreplicas: 1\n//- sub/v.yaml\nresources: {requests: {memory: 200mb}}\n";
        let found = |path: &str, text: &str| {
            findings(&format!(
                "\n//- {path}\n{}\n{files}",
                text.replace("UP", &format!("{UP} -f v.yaml"))
            ))
        };
        let there = ["invalid-quantity sub/v.yaml:1"];
        assert_eq!(found("Makefile", "up:\n\tcd sub\n\tUP"), [""; 0]);
        assert_eq!(found("Makefile", "up:\n\tcd sub && \\\n\tUP"), there);
        assert_eq!(found("Makefile", ".ONESHELL:\nup:\n\tcd sub\n\tUP"), there);
        assert_eq!(found("Makefile", "up:\n\t[ $A ] || exit 0\n\tcd sub && UP"), there);
        assert_eq!(found("justfile", "up:\n  cd sub\n  UP"), [""; 0]);
        assert_eq!(found("justfile", "up:\n  #!/bin/sh\n  cd sub\n  UP"), there);
        assert_eq!(found("justfile", "up:\n  UP\nset working-directory := 'sub'"), there);
        assert_eq!(found("justfile", "[working-directory: \"sub\"]\nup:\n  UP"), there);
    }
}
