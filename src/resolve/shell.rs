//! Commands of a shell, read without running them: their words as far as these are literal, and in which
//! branches they stand.

mod commands;
mod lexer;

use std::{ops::Range, sync::Arc};

use self::{commands::CommandReader, lexer::Lexer};

/// How many words of a text are read: what is longer is no script that a person wrote.
const MAX_WORDS: usize = 50_000;

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WordPiece {
    /// Text as it is.
    Text(String),
    /// A variable, and what it is where nothing sets it.
    Variable(String, Option<String>),
    /// What a command prints, or an expression of the language around it.
    Computed(String),
}

/// A word, or the text of a here-document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Its parts and their places in the text.
    pub pieces: Vec<(WordPiece, Range<usize>)>,
    /// Its place in the text, without quotes around all of it.
    pub range: Range<usize>,
    /// Whether any of it is in quotes, so that it stays one word.
    pub quoted: bool,
    /// The words of an array that is assigned.
    pub items: Option<Vec<Word>>,
}

impl Word {
    /// Its text, if that is literal.
    pub(super) fn literal(&self) -> Option<&str> {
        match &*self.pieces {
            [] => Some(""),
            [(WordPiece::Text(text), _)] => Some(text),
            _ => None,
        }
    }

    /// What it assigns as `NAME=value`, and whether to what the name has already.
    pub(super) fn assignment(&self) -> Option<(&str, bool, Word)> {
        let (WordPiece::Text(first), place) = self.pieces.first()? else { return None };
        let (name, value) = first.split_once('=')?;
        let (name, adds) = name.strip_suffix('+').map_or((name, false), |it| (it, true));
        let starts = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
        if !starts || !name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_') {
            return None;
        }
        let mut word = self.clone();
        match value.is_empty() {
            true => drop(word.pieces.remove(0)),
            false => word.pieces[0].0 = WordPiece::Text(value.to_owned()),
        }
        // Where the first part is in quotes, its place is that without them.
        let start =
            word.pieces.first().map_or(place.end, |(_, it)| it.end - value.len().min(it.len()));
        let is_one = word.literal().is_some() && !value.is_empty();
        word.range.start = if is_one { start } else { word.range.start };
        Some((name, adds, word))
    }
}

/// A command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ShellCommand {
    /// Its words, what it assigns before them included.
    pub words: Vec<Word>,
    /// The arms of the conditions and loops that it stands in, each by the number of the condition.
    pub branch: Vec<(usize, usize)>,
    /// The function whose body it is in.
    pub function: Option<Arc<FunctionDefinition>>,
    /// The groups that it is in, the innermost first.
    pub groups: Vec<Arc<ShellGroup>>,
    /// Whether it never runs, since one before it leaves.
    pub is_dead: bool,
    /// Whether it reads what the one before it prints.
    pub piped: bool,
    /// Where its output goes.
    pub output: Option<Word>,
    /// Whether that stays behind what is there.
    pub appends: bool,
    /// The text of its here-document, and whether that is filled in.
    pub document: Option<(Word, bool)>,
}

/// Commands that write into one file, or that run apart, so that they change nothing for others: those in
/// brackets, in a pipe, and those that nothing waits for (`Command Execution Environment` of bash's manual).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShellGroup {
    number: usize,
    pub apart: bool,
    /// Where their output goes, and whether that stays behind what is there.
    pub output: Option<Word>,
    pub appends: bool,
    /// How many of the arms around its commands are around all of it.
    pub depth: usize,
}

/// The body of a function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FunctionDefinition {
    pub name: String,
    /// Its number: one may be defined again.
    pub number: usize,
    /// How many of the arms around its commands are around the definition.
    pub depth: usize,
}

#[derive(Debug)]
enum ShellToken {
    Word(Word),
    Operator(&'static str),
    Redirection(&'static str),
    Document(Word, bool),
}

/// The commands in `text`. With `braces`, `{{ … }}` is filled in before a shell sees it.
pub(super) fn commands(text: &str, braces: bool) -> Vec<ShellCommand> {
    let mut lexer = Lexer::new(text, 0, braces);
    let mut reader = CommandReader::new();
    let mut count = 0;
    while let Some(token) = lexer.token() {
        count += 1;
        if count > MAX_WORDS {
            break;
        }
        reader.take(token);
    }
    reader.finish()
}

/// The words of `text`, none of them a command's.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut lexer = Lexer::new(text, 0, true);
    let tokens = std::iter::from_fn(|| lexer.token()).take(MAX_WORDS);
    let words =
        tokens.filter_map(|it| if let ShellToken::Word(word) = it { Some(word) } else { None });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::{commands::MAX_DEPTH, *};

    /// The commands as their words between bars, what is not literal as `$`.
    fn read(text: &str) -> Vec<String> {
        let shown = |word: &Word| word.literal().map_or("$".to_owned(), str::to_owned);
        let line = |it: &ShellCommand| it.words.iter().map(shown).collect::<Vec<_>>().join("|");
        commands(text, true).iter().map(line).collect()
    }

    #[test]
    fn words_end_as_in_a_shell() {
        let text = "@helm upgrade -i a \\\n  'b c'\"d\" --set \"x={a,\\\"b\\\"}\" # no\nkubectl apply -f - | tee x; y";
        assert_eq!(
            read(text),
            ["helm|upgrade|-i|a|b cd|--set|x={a,\"b\"}", "kubectl|apply|-f|-", "tee|x", "y"]
        );
        let text = "a $X \"${Y:-z}\" $(b c) `d` '${{ env.Z }}' {{ w }} '$q'";
        assert_eq!(read(text), ["a|$|$|$|$|$|$|$q"]);
        assert_eq!(
            read("if [ a ]; then b; else c; fi && for x in y; do d; done"),
            ["[|a|]", "b", "c", "for|x|in|y", "d"]
        );
        assert_eq!(read("case $x in a|b) c ;; *) d ;; esac; e"), ["c", "d", "e"]);
        assert_eq!(read("f() { a; }\nx=(a 'b c' \"$d\")"), ["a", "x="]);
    }

    #[test]
    fn a_branch_says_what_excludes_what() {
        let found = commands("a; if b; then c; else d; fi; e || f; g", false);
        let branches: Vec<_> = found.iter().map(|it| it.branch.clone()).collect();
        assert_eq!(branches[0], []);
        assert_eq!(branches[2], [(1, 0)]);
        assert_eq!(branches[3], [(1, 1)]);
        assert_eq!(branches[4], []);
        assert_eq!(branches[5], [(2, 1)]);
        assert_eq!(branches[6], []);
    }

    #[test]
    fn what_leaves_is_a_condition_of_what_follows() {
        let branches = |text: &str| {
            let shown = |it: &ShellCommand| match it.is_dead {
                true => "dead".to_owned(),
                false => format!("{}", it.branch.len()),
            };
            commands(text, false).iter().map(shown).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(branches("a || return; b; if c; then d; fi; e"), "0 1 1 2 2 1");
        assert_eq!(branches("if a; then exit 0; b; else c; fi; d"), "1 1 dead 1 1");
        assert_eq!(branches("if a; then exit 1; b; fi; d"), "1 1 dead 0");
        assert_eq!(branches("f() { a || return; b; }; c"), "0 1 1 0");
        assert_eq!(branches("while a; do b || break; c; done; d"), "1 1 2 2 0");
        assert_eq!(branches("{ return; }; a; (b; exit; c)"), "0 dead dead dead dead");
    }

    #[test]
    fn a_function_has_the_commands_between_its_braces() {
        let text = "a() { b; { c; }; }\nfunction d {\n e\n}\nfunction f() {\n(g); }; h (i); j";
        let found = commands(text, false);
        let shown = |it: &ShellCommand| {
            let name = it.words[0].literal().unwrap_or_default();
            format!("{name}:{}", it.function.as_ref().map_or("", |it| &it.name))
        };
        let found: Vec<String> = found.iter().map(shown).collect();
        assert_eq!(found, ["b:a", "c:a", "e:d", "g:f", "h:", "i:", "j:"]);
    }

    #[test]
    fn arms_that_are_too_deep_exclude_each_other() {
        let text = format!("{} a; else b; fi; c{}; d", "if x; then ".repeat(60), "; fi".repeat(59));
        let branch = |name: &str| {
            let found = commands(&text, false);
            let command = found.into_iter().find(|it| it.words[0].literal() == Some(name));
            command.map(|it| it.branch).unwrap_or_default()
        };
        assert_eq!(branch("d"), []);
        assert_eq!(branch("a").len(), MAX_DEPTH + 1);
        assert_eq!(branch("a")[..MAX_DEPTH], branch("c")[..MAX_DEPTH]);
        let last = ["a", "b", "c"].map(|it| branch(it)[MAX_DEPTH]);
        assert!(last[0] != last[1] && last[1] != last[2] && last[0] != last[2]);
    }

    #[test]
    fn here_documents_are_the_text_after_the_line() {
        let text = "cat <<'EOF' > a.yaml\na: $b\nEOF\nkubectl apply -f - <<-X\n\tc: ${d}\n\tX\ne";
        let found = commands(text, false);
        assert_eq!(found.len(), 3);
        let (document, filled) = found[0].document.as_ref().expect("a document");
        assert_eq!((document.literal(), *filled), (Some("a: $b\n"), false));
        assert_eq!(found[0].output.as_ref().and_then(Word::literal), Some("a.yaml"));
        let (document, filled) = found[1].document.as_ref().expect("a document");
        assert_eq!((&text[document.range.clone()], *filled), ("\tc: ${d}\n", true));
        assert_eq!(found[2].words[0].literal(), Some("e"));
    }

    #[test]
    fn a_here_document_that_a_word_prints_is_its_text() {
        let word = |text: &str| commands(text, false).swap_remove(0).words.swap_remove(1);
        let text = "a \"$(cat <<'EOF'\nb: (\n  $c\nEOF\n)\" d";
        assert_eq!(word(text).literal(), Some("b: (\n  $c"));
        assert_eq!(&text[word(text).range], "b: (\n  $c");
        let filled = word("a \"x$(cat <<EOF\nb $c\n\nEOF\n)y\"");
        let pieces: Vec<WordPiece> = filled.pieces.into_iter().map(|(it, _)| it).collect();
        let text = |it: &str| WordPiece::Text(it.to_owned());
        let variable = WordPiece::Variable("c".to_owned(), None);
        assert_eq!(pieces, [text("xb "), variable, text("y")]);
        for other in ["$(cat <<X | b\nX\n)", "$(cat <<X\nb)", "$(cat b)", "$(cat <<<b)"] {
            assert_eq!(word(&format!("a \"{other}\"")).literal(), None, "{other}");
        }
    }

    #[test]
    fn whatever_a_text_is_it_is_read_to_its_end() {
        for text in [
            "'", "\"", "$(", "${", "`", "<<", "<<EOF", "a\\", "((", "))", ";;", "case", "é'é",
            "x=(", "${{", "<<E\né", "&>", "\\é",
        ] {
            commands(text, true);
        }
        commands(&("a || return\n".repeat(60) + "x || function f { y; } &"), true);
        commands(&"((".repeat(100_000), true);
        commands(&"if ".repeat(100_000), true);
        commands(&"x=(".repeat(100_000), true);
        commands(&"<< ".repeat(100_000), true);
        commands(&"$(".repeat(20_000), true);
        commands(&"\"$(cat <<".repeat(20_000), true);
    }
}
