//! `lsp`: the language server on standard input and output.

use std::{
    io::{self, BufReader, Write as _},
    path::{Path, PathBuf},
};

use super::{
    Failure,
    open::{add_file, is_repository, real, root_of},
};
use crate::{
    cli::Options,
    discover,
    lsp::{self, Buffers, Disk, EditorOptions},
    source::{Sources, Text},
};

/// Serves an editor until it has enough; the exit status.
pub(super) fn lsp(options: &Options) -> u8 {
    // Nobody may read it.
    let complain = |why: &str| drop(writeln!(io::stderr(), "{}: {why}", env!("CARGO_PKG_NAME")));
    let input = BufReader::new(io::stdin());
    // Who closed the editor does not wait for what is being resolved.
    let leave = |ended: bool| std::process::exit(i32::from(!ended));
    u8::from(!lsp::run(input, io::stdout(), complain, &Workspace { options }, leave))
}

/// The repositories of an editor, as they are on the disk.
struct Workspace<'a> {
    options: &'a Options,
}

impl Disk for Workspace<'_> {
    fn root(&self, path: &Path) -> PathBuf {
        if let Some(root) = &self.options.root {
            // Not where links lead: the editor calls its files by this name.
            return std::path::absolute(root).unwrap_or_else(|_| root.clone());
        }
        root_of(path)
    }

    fn is_repository(&self, root: &Path) -> bool {
        self.options.root.is_none() && is_repository(root)
    }

    fn has(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn open(&self, root: &Path, buffers: &Buffers) -> Result<(Sources, EditorOptions), String> {
        let plain = |failure| match failure {
            Failure::Plain(message) | Failure::Found(_, message, _) => message,
        };
        let place = real(root).map_err(plain)?;
        let mut sources = discover::open(&place, &[], &[], &|| ()).map_err(|it| it.to_string())?;
        // What is on the disk and not listed is not judged, whoever looks at it.
        let is_unsaved = |path: &str| sources.written(path).is_none() && !place.join(path).exists();
        let unsaved =
            buffers.iter().filter(|(path, _)| is_unsaved(path) && !sources.is_ignored(path));
        let unsaved = unsaved.map(|(path, it)| (path.clone(), it.text.to_string()));
        for (path, text) in unsaved.collect::<Vec<_>>() {
            sources.add(path, Text::Utf8(text));
        }
        let config = self.options.config.as_deref();
        let config =
            config.map(|it| add_file(&mut sources, &place, it)).transpose().map_err(plain)?;
        Ok((sources, EditorOptions { config, pedantic: self.options.pedantic }))
    }
}
