//! `lsp`: the language server on standard input and output.

use std::path::{Path, PathBuf};

use lsp_server::Connection;

use super::{
    Failure,
    open::{add_file, is_repository, real, root_of},
};
use crate::{
    cli::Options,
    discover,
    lsp::{self, Disk, EditorOptions},
    source::Sources,
};

/// Serves an editor until it has enough; the exit status.
pub(super) fn lsp(options: &Options) -> u8 {
    let (connection, threads) = Connection::stdio();
    let ended = lsp::serve(connection, &Workspace { options });
    // What cannot be read or written ends it, too.
    u8::from(!(threads.join().is_ok() && ended))
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

    fn open(&self, root: &Path) -> Result<(Sources, EditorOptions), String> {
        let plain = |failure| match failure {
            Failure::Plain(message) | Failure::Found(_, message, _) => message,
        };
        let place = real(root).map_err(plain)?;
        let mut sources = discover::open(&place, &[], &[], &|| ()).map_err(|it| it.to_string())?;
        let config = self.options.config.as_deref();
        let config =
            config.map(|it| add_file(&mut sources, &place, it)).transpose().map_err(plain)?;
        Ok((sources, EditorOptions { config, pedantic: self.options.pedantic }))
    }
}
