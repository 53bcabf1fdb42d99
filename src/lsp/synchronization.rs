//! What the editor tells of its files and folders.

use std::path::{Path, PathBuf};

use lsp_server::{Notification, RequestId};
use lsp_types::{
    DidChangeTextDocumentParams, DidChangeWatchedFilesParams, DidChangeWorkspaceFoldersParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, DidSaveTextDocumentParams, Uri,
};

use super::{Buffer, Folder, Known, Phase, Server, params, place};
use crate::discover;

impl Server<'_, '_> {
    pub(super) fn on_notification(&mut self, it: Notification) {
        if self.state.phase != Phase::Open {
            return;
        }
        match &*it.method {
            "initialized" => self.watch(),
            "textDocument/didOpen" => {
                let Some(DidOpenTextDocumentParams { text_document: it }) = params(it.params)
                else {
                    return;
                };
                self.edit(&it.uri, Some((it.text, it.version)));
            }
            "textDocument/didChange" => {
                let Some(mut it) = params::<DidChangeTextDocumentParams>(it.params) else { return };
                // Each change holds the whole text.
                let Some(last) = it.content_changes.pop() else { return };
                self.edit(&it.text_document.uri, Some((last.text, it.text_document.version)));
            }
            "textDocument/didClose" => {
                let Some(it) = params::<DidCloseTextDocumentParams>(it.params) else { return };
                self.edit(&it.text_document.uri, None);
            }
            "textDocument/didSave" => {
                let Some(it) = params::<DidSaveTextDocumentParams>(it.params) else { return };
                self.renew(&it.text_document.uri);
            }
            "workspace/didChangeWatchedFiles" => {
                let Some(it) = params::<DidChangeWatchedFilesParams>(it.params) else { return };
                for change in &it.changes {
                    self.renew(&change.uri);
                }
            }
            "workspace/didChangeWorkspaceFolders" => {
                let Some(it) = params::<DidChangeWorkspaceFoldersParams>(it.params) else { return };
                for path in it.event.removed.iter().filter_map(|it| place::path(&it.uri)) {
                    self.remove(&path);
                }
                for path in it.event.added.iter().filter_map(|it| place::path(&it.uri)) {
                    self.open(&path);
                }
                self.show();
            }
            "$/cancelRequest" => {
                let Some(id) = it.params.get("id") else { return };
                let Some(id) = params::<RequestId>(id.clone()) else { return };
                let waiting = &mut self.state.waiting;
                let is_waiting = waiting.extract_if(.., |(_, it)| it.id == id).count() > 0;
                if is_waiting || self.state.acting.contains_key(&id) {
                    self.cancel(id);
                }
            }
            _ => {}
        }
    }

    /// Works in the repository around the directory `path`, until the editor closes it.
    pub(super) fn open(&mut self, path: &Path) {
        self.add(path).opened.insert(path.to_owned());
    }

    /// Works in the repository around `path` from now on.
    fn add(&mut self, path: &Path) -> &mut Folder {
        self.state.edits += 1;
        let root = self.disk.root(path);
        let folder = self.state.folders.entry(root).or_default();
        (folder.is_stale, folder.is_old) = (true, true);
        folder
    }

    /// Works no more in the repository around the directory `path`, unless something else of it is open.
    fn remove(&mut self, path: &Path) {
        // The disk may call another root by now.
        let mut folders = self.state.folders.iter_mut();
        let Some(root) =
            folders.find_map(|(root, it)| it.opened.remove(path).then(|| root.clone()))
        else {
            return;
        };
        self.leave_unless_open(&root);
    }

    /// Works no more in a repository of which neither a directory nor a file is open.
    fn leave_unless_open(&mut self, root: &PathBuf) {
        let is_in_it = |path: &PathBuf| self.folder(path).is_some_and(|(it, _)| it == root);
        let is_opened = self.state.folders.get(root).is_some_and(|it| !it.opened.is_empty());
        if !is_opened && !self.state.buffers.keys().any(is_in_it) {
            self.state.folders.remove(root);
        }
    }

    fn edit(&mut self, uri: &Uri, text: Option<(String, i32)>) {
        let Some(path) = place::path(uri) else { return };
        // A file beside others that nobody opened as a repository says nothing of them.
        if self.folder(&path).is_none() {
            let root = self.disk.root(&path);
            if !self.disk.is_repository(&root) {
                return;
            }
            self.add(&path);
        }
        let buffers = &mut self.state.buffers;
        let before = match text {
            Some((text, version)) => {
                let text = text.into();
                buffers.insert(path.clone(), Buffer { text, version })
            }
            None => buffers.remove(&path),
        };
        let is_closed = !buffers.contains_key(&path);
        let is_opened = before.is_none() && !is_closed;
        self.state.edits += 1;
        let Some((root, _)) = self.folder(&path) else { return };
        let (root, own) = (root.clone(), discover::relative(root, &path));
        let Some(folder) = self.state.folders.get_mut(&root) else { return };
        folder.is_stale = true;
        let is_known = |it: &Known| own.is_some_and(|own| it.base.written(&own).is_some());
        // What was not there when the repository was read may be there now, and what is closed may be
        // there no more.
        let is_gone = is_closed && !self.disk.has(&path);
        folder.is_old |= is_gone || is_opened && !folder.known.as_ref().is_some_and(is_known);
        if is_closed {
            self.leave_unless_open(&root);
            self.show();
        }
    }

    /// Reads the repository around `uri` again.
    fn renew(&mut self, uri: &Uri) {
        let Some(path) = place::path(uri) else { return };
        let Some(root) = self.folder(&path).map(|(root, _)| root.clone()) else { return };
        let Some(folder) = self.state.folders.get_mut(&root) else { return };
        (folder.is_stale, folder.is_old) = (true, true);
        self.state.edits += 1;
    }

    /// The innermost repository that `path` is in.
    pub(super) fn folder(&self, path: &Path) -> Option<(&PathBuf, &Folder)> {
        self.state.folders.iter().rev().find(|(root, _)| path.starts_with(root))
    }
}
