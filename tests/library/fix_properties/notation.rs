//! Values as YAML in any of its notations: with comments, quotes, brackets, anchors and line ends of
//! all kinds.

use serde_json::{Map, Value};

/// The decisions that a case is made of; the plainest ones where none are left.
pub(super) struct Choices(std::vec::IntoIter<u8>);

impl Choices {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self(bytes.into_iter())
    }

    pub(super) fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().unwrap_or_default()) % count
    }

    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A file of these documents.
pub(super) fn file(choices: &mut Choices, documents: &[Value]) -> String {
    let mut text = String::new();
    for (at, document) in documents.iter().enumerate() {
        if at > 0 || choices.once_in(3) {
            text += "---\n";
        }
        text += &Notation::document(choices, document);
    }
    if choices.once_in(6) {
        text.truncate(text.trim_end().len());
    }
    if choices.once_in(3) {
        text = text.replace('\n', "\r\n");
    }
    if choices.once_in(6) { format!("\u{feff}{text}") } else { text }
}

/// One document as it is written.
pub(super) struct Notation<'a> {
    choices: &'a mut Choices,
    out: String,
    /// What has an anchor, and may get an alias.
    anchored: Vec<Value>,
    /// How many comments there are, each of which is like no other.
    comments: usize,
}

impl<'a> Notation<'a> {
    pub(super) fn document(choices: &'a mut Choices, value: &Value) -> String {
        let mut notation = Self { choices, out: String::new(), anchored: Vec::new(), comments: 0 };
        notation.block(value, 0, false);
        notation.own_line(0);
        notation.out
    }

    fn block(&mut self, value: &Value, indent: usize, mut goes_on: bool) {
        match value {
            Value::Array(items) => {
                for item in items {
                    self.start(indent, &mut goes_on);
                    self.out.push('-');
                    self.after(item, indent, true);
                }
            }
            Value::Object(map) => {
                let merged = self.merged(map);
                if let Some(at) = merged {
                    self.start(indent, &mut goes_on);
                    self.out += &format!("<<: *a{at}");
                    self.end_of_line();
                }
                let own = |key: &String| {
                    merged.is_none_or(|at| self.anchored[at].get(key.as_str()).is_none())
                };
                let own: Vec<_> = map.iter().filter(|(key, _)| own(key)).collect();
                for (key, value) in own {
                    self.start(indent, &mut goes_on);
                    let key =
                        if self.choices.once_in(12) { format!("\"{key}\"") } else { key.clone() };
                    self.out.extend([&key, ":"]);
                    self.after(value, indent, false);
                }
            }
            scalar => self.after(scalar, indent, false),
        }
    }

    /// A part of the map that is written already, and may be merged into it.
    fn merged(&mut self, map: &Map<String, Value>) -> Option<usize> {
        let is_part = |it: &Value| {
            let part = it.as_object().filter(|part| !part.is_empty() && part.len() < map.len());
            part.is_some_and(|part| part.iter().all(|(key, it)| map.get(key) == Some(it)))
        };
        let at = self.anchored.iter().position(is_part)?;
        self.choices.once_in(2).then_some(at)
    }

    fn start(&mut self, indent: usize, goes_on: &mut bool) {
        if !std::mem::take(goes_on) {
            self.own_line(indent);
            self.out += &" ".repeat(indent);
        }
    }

    /// What stands behind a key or a dash.
    fn after(&mut self, value: &Value, indent: usize, is_item: bool) {
        if let Some(at) = self.anchored.iter().position(|it| it == value)
            && self.choices.once_in(2)
        {
            self.out += &format!(" *a{at}");
            return self.end_of_line();
        }
        // A list of flags, and a flag, are what others stand beside that are the same.
        let often = value.is_array() || value.as_str().is_some_and(|it| it.contains("=5s"));
        let anchor = self.choices.once_in(if often { 4 } else { 16 });
        let anchor = anchor.then_some(self.anchored.len());
        if let Some(at) = anchor {
            self.out += &format!(" &a{at}");
            // Its number is taken, whatever is anchored in it.
            self.anchored.push(Value::Null);
        }
        let is_empty = match value {
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => true,
        };
        match value {
            Value::Array(_) | Value::Object(_) if !is_empty && !self.choices.once_in(6) => {
                let deeper = match (value, is_item) {
                    (Value::Array(_), false) => self.choices.one_of(&[2, 0, 4]),
                    (Value::Array(_), true) => 2,
                    _ => self.choices.one_of(&[2, 4, 3]),
                };
                if is_item && anchor.is_none() && value.is_object() {
                    self.out += &" ".repeat(deeper - 1);
                    self.block(value, indent + deeper, true);
                } else {
                    self.end_of_line();
                    self.block(value, indent + deeper, false);
                }
            }
            Value::Array(items) if !is_empty && self.choices.once_in(3) => {
                self.out += " [";
                self.end_of_line();
                for item in items {
                    self.own_line(indent + 4);
                    let item = self.flow(item);
                    self.out.extend([&" ".repeat(indent + 4), &*item, ","]);
                    self.end_of_line();
                }
                self.out.extend([&" ".repeat(indent + 2), "]"]);
                self.end_of_line();
            }
            Value::String(text) if text.contains('\n') => self.lines(text, "|", indent),
            Value::String(text) if !text.is_empty() && self.choices.once_in(16) => {
                let mark = self.choices.one_of(&["|-", ">-"]);
                self.lines(text, mark, indent);
            }
            _ => {
                let text = self.flow_of_its_own(value);
                self.out.extend([" ", &*text]);
                self.end_of_line();
            }
        }
        if let Some(at) = anchor {
            self.anchored[at] = value.clone();
        }
    }

    fn lines(&mut self, text: &str, mark: &str, indent: usize) {
        self.out.extend([" ", mark]);
        self.end_of_line();
        for line in text.lines() {
            self.out.extend([&*" ".repeat(indent + 2), line, "\n"]);
        }
    }

    /// A value on one line, which may be an alias.
    fn flow(&mut self, value: &Value) -> String {
        if let Some(at) = self.anchored.iter().position(|it| it == value)
            && self.choices.once_in(3)
        {
            return format!("*a{at}");
        }
        self.flow_of_its_own(value)
    }

    /// The same, which is no alias itself.
    fn flow_of_its_own(&mut self, value: &Value) -> String {
        let space = if self.choices.once_in(4) { " " } else { "" };
        match value {
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|it| self.flow(it)).collect();
                format!("[{space}{}{space}]", items.join(", "))
            }
            Value::Object(map) => {
                let entries: Vec<_> =
                    map.iter().map(|(key, it)| format!("{key}: {}", self.flow(it))).collect();
                format!("{{{space}{}{space}}}", entries.join(", "))
            }
            Value::String(text) => match self.choices.below(4) {
                0 | 1 if is_plain(text) => text.clone(),
                2 if !text.contains(['\'', '\n']) => format!("'{text}'"),
                _ => value.to_string(),
            },
            other => other.to_string(),
        }
    }

    fn own_line(&mut self, indent: usize) {
        if self.choices.once_in(12) {
            let comment = self.comment();
            self.out.extend([&*" ".repeat(indent), &*comment, "\n"]);
        }
    }

    fn end_of_line(&mut self) {
        if self.choices.once_in(10) {
            let comment = self.comment();
            self.out.extend([" ", &*comment]);
        }
        self.out.push('\n');
    }

    fn comment(&mut self) -> String {
        self.comments += 1;
        let said = self.choices.one_of(&[
            "",
            ": [a, &b",
            " it's \"so",
            " - --v=3",
            " ]",
            " 'x: *a0",
            "",
            "",
            "",
            " metrics-server-lint: ignore[metric-resolution-too-small]",
            " metrics-server-lint: ignore[unknown-flag, argument-is-not-a-flag]",
            " metrics-server-lint: ignore[priority-class-not-critical]",
        ]);
        let number = self.comments;
        match said.starts_with(" metrics") {
            true => format!("#{said} c{number}"),
            false => format!("# c{number}{said}"),
        }
    }
}

/// Whether a text stands without quotes, in brackets too.
fn is_plain(text: &str) -> bool {
    let is_word = |it: char| it.is_ascii_alphanumeric() || "-=/.:".contains(it);
    let is_name = text.contains(|it: char| it.is_ascii_alphabetic()) || text.contains('.');
    is_name && text.chars().all(is_word) && !text.ends_with(':') && text.parse::<f64>().is_err()
}
