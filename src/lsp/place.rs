//! Places as editors know them: addresses of files, and columns that count the units of UTF-16.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use lsp_types::{Location, Position, Range, Uri};

use crate::source::{FileId, Sources, Span};

/// The files of a repository, as an editor knows them.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    /// Where the repository is.
    pub(super) root: &'a Path,
    /// What is in it.
    pub(super) sources: &'a Sources,
}

impl Files<'_> {
    /// The place of a byte: line and column from 0, the column in units of UTF-16.
    pub(super) fn position(self, file: FileId, byte: u32) -> Position {
        let starts = self.sources.line_starts(file);
        let line = starts.partition_point(|start| *start <= byte).saturating_sub(1);
        let start = starts.get(line).copied().unwrap_or(0);
        let text = self.sources.text(file);
        let before = text.get(start as usize..byte as usize).unwrap_or_default();
        // Editors take it for a mark of the file, not for a character of it.
        let before = before.strip_prefix('\u{feff}').unwrap_or(before);
        let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        Position { line: number(line), character: number(before.encode_utf16().count()) }
    }

    /// The byte at a place; that of the line's end where the line is shorter.
    pub(super) fn byte(self, file: FileId, position: Position) -> u32 {
        let line = self.sources.line_range(file, position.line.saturating_add(1));
        let text = self.sources.text(file).get(line.clone()).unwrap_or_default();
        let text = text.trim_end_matches(['\n', '\r']);
        let mark = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
        let (mut units, mut at) = (0, mark);
        for character in text.get(mark..).unwrap_or_default().chars() {
            if units >= position.character as usize {
                break;
            }
            units += character.len_utf16();
            at += character.len_utf8();
        }
        u32::try_from(line.start + at).unwrap_or(u32::MAX)
    }

    /// What a span covers.
    pub(super) fn range(self, span: Span) -> Range {
        let at = |byte| self.position(span.file, byte);
        Range { start: at(span.start), end: at(span.end) }
    }

    /// The bytes that a range covers.
    pub(super) fn span(self, file: FileId, range: Range) -> Span {
        let (start, end) = (self.byte(file, range.start), self.byte(file, range.end));
        Span { file, start: start.min(end), end: start.max(end) }
    }

    /// The place of a span.
    pub(super) fn location(self, span: Span) -> Option<Location> {
        let uri = self.uri(&self.sources[span.file].path)?;
        Some(Location { uri, range: self.range(span) })
    }

    /// The address of the file at `path`, relative to the root, or absolute.
    pub(super) fn uri(self, path: &str) -> Option<Uri> {
        uri(self.root, path)
    }
}

/// The address of the file at `path`, relative to `root`, or absolute.
pub(super) fn uri(root: &Path, path: &str) -> Option<Uri> {
    let place = root.join(path);
    let text = place.to_str()?.replace('\\', "/");
    let mut address = "file://".to_owned();
    // A drive has no slash before it.
    if !text.starts_with('/') {
        address.push('/');
    }
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                address.push(char::from(byte));
            }
            byte => _ = write!(address, "%{byte:02X}"),
        }
    }
    Uri::from_str(&address).ok()
}

/// The file that an address is of; nothing for what is no file.
pub(super) fn path(uri: &Uri) -> Option<PathBuf> {
    let text = uri.as_str().strip_prefix("file://")?;
    // Whatever host it is on, it is this one.
    let text = text.get(text.find('/')?..)?;
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit =
            |it: Option<u8>| char::from(it?).to_digit(16).and_then(|it| u8::try_from(it).ok());
        match byte {
            b'%' => bytes.push(digit(rest.next())? * 16 + digit(rest.next())?),
            byte => bytes.push(byte),
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let drive = text.as_bytes().get(2) == Some(&b':');
    Some(PathBuf::from(if drive { text.get(1..)? } else { &text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_units_of_utf_16() {
        let sources = Sources::in_memory([("a.yaml", "\u{feff}a: 🦀é # b\r\nc: 1\n")]);
        let file = sources.find("a.yaml").expect("it is there");
        let files = Files { root: Path::new("/"), sources: &sources };
        let text = sources.text(file);
        for (what, line, character) in
            [("a:", 0, 0), ("🦀", 0, 3), ("é", 0, 5), ("#", 0, 7), ("1", 1, 3)]
        {
            let at = u32::try_from(text.find(what).expect("it is in there")).expect("it is short");
            let place = Position { line, character };
            assert_eq!(files.position(file, at), place, "{what}");
            assert_eq!(files.byte(file, place), at, "{what}");
        }
        let end = Position { line: 0, character: 99 };
        assert_eq!(files.byte(file, end) as usize, text.find('\r').expect("it ends in both"));
        let after = Position { line: 99, character: 0 };
        assert_eq!(files.byte(file, after) as usize, text.len());
    }

    #[test]
    fn addresses_lead_to_files_and_back() {
        for place in ["/a b/ü#?.yaml", "/c/100%25.yaml"] {
            let uri = uri(Path::new("/"), place).expect("an address");
            assert_eq!(path(&uri), Some(PathBuf::from(place)), "{}", uri.as_str());
        }
        let of = |text: &str| path(&Uri::from_str(text).expect("an address"));
        assert_eq!(of("file:///c%3A/a.yaml"), Some(PathBuf::from("c:/a.yaml")));
        assert_eq!(of("file://host/a.yaml"), Some(PathBuf::from("/a.yaml")));
        for other in ["untitled:Untitled-1", "https://example.com/a.yaml", "file:///%zz"] {
            let parsed = Uri::from_str(other);
            assert_eq!(parsed.ok().as_ref().and_then(path), None, "{other}");
        }
    }
}
