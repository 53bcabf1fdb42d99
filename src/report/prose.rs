//! Markdown as a terminal shows it: the pages of rules.

use std::mem;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::report::TerminalOptions;

const BOLD: &str = "1";
const CODE: &str = "36";
const LINK: &str = "4";

/// `markdown` without its markup: headings and code stand out by their color and place.
pub(super) fn prose(markdown: &str, look: TerminalOptions) -> String {
    let mut page = Page {
        look,
        out: String::new(),
        words: Vec::new(),
        glued: false,
        style: "",
        lists: Vec::new(),
        mark: String::new(),
        links: Vec::new(),
        code: None,
        table: Vec::new(),
    };
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        page.add(event);
    }
    page.flush();
    page.out
}

/// A page as far as it is written.
struct Page {
    look: TerminalOptions,
    out: String,
    /// The words of the block that is read, as they are shown, and how many columns they take.
    words: Vec<(String, usize)>,
    /// Whether the next piece of text belongs to the last word.
    glued: bool,
    /// What text is painted with.
    style: &'static str,
    /// For each list around, the number of its next item; none of one that is not numbered.
    lists: Vec<Option<u64>>,
    /// What stands before the next line, since it starts an item.
    mark: String,
    /// Where the links around lead.
    links: Vec<String>,
    /// The text of the block of code that is read.
    code: Option<String>,
    /// The rows of the table that is read.
    table: Vec<Vec<(String, usize)>>,
}

impl Page {
    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.text(&text),
            },
            // A flag and its value are one thing to copy, so they stay in one line.
            Event::Code(code) => self.word(&code, CODE),
            Event::SoftBreak | Event::HardBreak => self.glued = false,
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::Table(_) => self.gap(),
            Tag::Heading { .. } => {
                self.gap();
                self.style = BOLD;
            }
            Tag::CodeBlock(_) => {
                self.flush();
                self.gap();
                self.code = Some(String::new());
            }
            Tag::List(first) => {
                self.flush();
                if self.lists.is_empty() {
                    self.gap();
                }
                self.lists.push(first);
            }
            Tag::Item => {
                self.mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_owned(),
                };
            }
            Tag::Strong => self.style = BOLD,
            Tag::Link { dest_url, .. } => {
                self.links.push(dest_url.into_string());
                self.style = LINK;
            }
            Tag::TableHead | Tag::TableRow => self.table.push(Vec::new()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.style = "";
                self.flush();
            }
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
            }
            TagEnd::CodeBlock => self.code(),
            TagEnd::Strong => self.style = "",
            TagEnd::Link => self.link(),
            TagEnd::TableCell => {
                let words = mem::take(&mut self.words);
                let width = words.iter().map(|(_, width)| width + 1).sum::<usize>();
                let words: Vec<String> = words.into_iter().map(|(word, _)| word).collect();
                if let Some(row) = self.table.last_mut() {
                    row.push((words.join(" "), width.saturating_sub(1)));
                }
                self.glued = false;
            }
            TagEnd::Table => self.rows(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        for (index, part) in text.split(' ').enumerate() {
            self.glued &= index == 0;
            if !part.is_empty() {
                self.word(part, self.style);
            }
        }
    }

    /// Adds text that is never broken.
    fn word(&mut self, text: &str, style: &str) {
        let (shown, columns) = (self.look.paint(style, text), text.chars().count());
        match self.words.last_mut().filter(|_| self.glued) {
            Some((word, width)) => {
                *word += &shown;
                *width += columns;
            }
            None => self.words.push((shown, columns)),
        }
        self.glued = true;
    }

    /// Says where a link leads, unless its text does, or only a reader of the pages' folder can follow it.
    fn link(&mut self) {
        self.style = "";
        let target = self.links.pop().filter(|it| it.contains("://"));
        let says_it = |target: &String| self.words.iter().any(|(it, _)| it.contains(&**target));
        if let Some(target) = target.filter(|it| !says_it(it)) {
            self.glued = false;
            self.word(&format!("({target})"), "");
        }
    }

    fn code(&mut self) {
        let code = self.code.take().unwrap_or_default();
        let indent = " ".repeat(self.indent() + 4);
        for line in code.lines() {
            if !line.is_empty() {
                self.out += &indent;
                self.out += &self.look.paint(CODE, line);
            }
            self.out.push('\n');
        }
    }

    fn rows(&mut self) {
        let rows = mem::take(&mut self.table);
        let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| cells(column).map(|(_, width)| *width).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, row) in rows.iter().enumerate() {
            let mut line = String::new();
            for ((cell, width), most) in row.iter().zip(&widths) {
                let style = if index == 0 { BOLD } else { "" };
                line += &self.look.paint(style, cell);
                line += &" ".repeat(most - width + 2);
            }
            self.out += line.trim_end();
            self.out.push('\n');
        }
    }

    /// How far what is in the lists around is indented.
    fn indent(&self) -> usize {
        self.lists.iter().map(|it| if it.is_some() { 3 } else { 2 }).sum()
    }

    /// An empty line, unless there is one.
    fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Writes the words that were read.
    fn flush(&mut self) {
        self.glued = false;
        let words = mem::take(&mut self.words);
        if words.is_empty() {
            return;
        }
        let indent = self.indent();
        let mark = mem::take(&mut self.mark);
        self.out += &format!("{mark:>indent$}");
        let mut column = indent;
        for (index, (word, width)) in words.iter().enumerate() {
            if index > 0 && column + 1 + width > self.look.width {
                self.out.push('\n');
                self.out += &" ".repeat(indent);
                column = indent;
            } else if index > 0 {
                self.out.push(' ');
                column += 1;
            }
            self.out += word;
            column += width;
        }
        self.out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_shown_without_its_markup() {
        let page = "\
It is **wrong** with `--a b`, see
[the docs](https://a.example/b) or
<https://c.example>, not [that](other.md).

## What to do

1. First.

   ```yaml
   a: 1

   b: 2
   ```
2. Second, which is so long that it does not fit into one line of them all.

- x
- y
  - z

| written | means |
|---|---|
| `a`, `b` | c |
";
        let look = TerminalOptions { width: 50, ..TerminalOptions::PLAIN };
        let plain = prose(page, look);
        insta::assert_snapshot!(plain, @r"
        It is wrong with --a b, see the docs
        (https://a.example/b) or https://c.example, not
        that.

        What to do

        1. First.

               a: 1

               b: 2

        2. Second, which is so long that it does not fit
           into one line of them all.

        - x
        - y
          - z

        written  means
        a, b     c
        ");
        let colored = prose(page, TerminalOptions { color: true, ..look });
        let escapes = regex::Regex::new("\x1b\\[[0-9;]*m").expect("a pattern");
        assert_eq!(escapes.replace_all(&colored, ""), plain);
        assert!(colored.contains("\x1b[1mWhat\x1b[0m \x1b[1mto\x1b[0m"), "{colored}");
    }
}
