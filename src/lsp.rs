//! The language server: a repository is judged with what stands in the editor's buffers, as if that were
//! saved, and what is known of its lines is told where they are written.
//!
//! One thread takes what the editor says and answers; another one resolves. Requests wait until what
//! they are about is resolved, so that no answer is of another text; edits never wait.

mod actions;
mod analysis;
mod capabilities;
mod completion;
mod place;
mod values;

pub(crate) use analysis::{Disk, EditorOptions};

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::{self, Scope},
};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{
    CodeActionParams, CompletionParams, Diagnostic, DidChangeTextDocumentParams,
    DidChangeWatchedFilesParams, DidChangeWatchedFilesRegistrationOptions,
    DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DidSaveTextDocumentParams, ExecuteCommandParams, FileSystemWatcher, GlobPattern,
    GotoDefinitionParams, Hover, HoverContents, HoverParams, InitializeParams, InlayHintParams,
    MarkupContent, MarkupKind, MessageType, PublishDiagnosticsParams, ReferenceParams,
    Registration, RegistrationParams, ShowDocumentParams, ShowMessageParams,
    TextDocumentPositionParams, Uri,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use self::analysis::Analysis;
use crate::{
    discover, rules,
    source::{FileId, Sources, Span},
};

/// The command that shows a rule's page.
const EXPLAIN: &str = "metrics-server-lint.explain";

/// Speaks with an editor until it has enough; whether it said so before it went.
pub(crate) fn serve(connection: Connection, disk: &dyn Disk) -> bool {
    let Connection { sender, receiver } = connection;
    // Nobody is told anything any more when the editor is gone.
    let send = |message: Message| drop(sender.send(message));
    thread::scope(|scope| {
        let (tell, events) = mpsc::channel();
        let from_editor = tell.clone();
        scope.spawn(move || {
            for message in receiver {
                if from_editor.send(Event::Said(message)).is_err() {
                    return;
                }
            }
            let _ = from_editor.send(Event::Gone);
        });
        let mut server = Server { scope, tell, disk, send: &send, state: EditorState::default() };
        for event in events {
            match event {
                Event::Said(message) => match server.hear(message) {
                    Said::More => {}
                    Said::Enough => return server.state.phase == Phase::Closed,
                },
                Event::Resolved(done) => server.take(done),
                Event::Gone => return false,
            }
            server.go_on();
        }
        false
    })
}

/// What happens.
enum Event {
    /// The editor says something.
    Said(Message),
    /// Repositories are resolved.
    Resolved(Resolved),
    /// The editor is gone.
    Gone,
}

/// What comes of resolving.
struct Resolved {
    /// The edits that it knows.
    edits: u64,
    /// The versions of the buffers that it knows.
    versions: BTreeMap<PathBuf, i32>,
    folders: Vec<(PathBuf, Result<Known, String>)>,
}

/// Whether the editor has more to say.
enum Said {
    More,
    Enough,
}

/// How far the editor and the server are with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Unknown,
    Open,
    Closed,
}

/// What is known of a repository.
#[derive(Clone)]
struct Known {
    /// As it is on the disk.
    base: Arc<Sources>,
    options: EditorOptions,
    /// As it is in the editor.
    analysis: Arc<Analysis>,
}

/// A repository that the editor works in.
#[derive(Default)]
struct Folder {
    known: Option<Known>,
    /// Why it could not be resolved the last time.
    failure: Option<String>,
    /// Whether a text of it changed.
    is_stale: bool,
    /// Whether a file of it may have changed.
    is_old: bool,
}

/// A file in the editor.
struct Buffer {
    text: Arc<str>,
    version: i32,
}

#[derive(Default)]
struct EditorState {
    phase: Phase,
    client: Client,
    /// By their roots, as the editor calls them.
    folders: BTreeMap<PathBuf, Folder>,
    buffers: BTreeMap<PathBuf, Buffer>,
    /// How many edits there were.
    edits: u64,
    is_resolving: bool,
    /// What waits until as many edits are resolved.
    waiting: Vec<(u64, Request)>,
    /// The versions of the texts that were resolved last.
    versions: BTreeMap<PathBuf, i32>,
    /// What the editor shows.
    shown: BTreeMap<String, (Uri, Vec<Diagnostic>)>,
    asked: i32,
}

/// What the editor can do.
#[derive(Default)]
struct Client {
    watches: bool,
    shows_documents: bool,
}

struct Server<'s, 'e> {
    scope: &'s Scope<'s, 'e>,
    tell: mpsc::Sender<Event>,
    disk: &'e dyn Disk,
    send: &'e (dyn Fn(Message) + Sync),
    state: EditorState,
}

impl Server<'_, '_> {
    fn hear(&mut self, message: Message) -> Said {
        match message {
            Message::Request(request) => self.asked(request),
            Message::Notification(it) if it.method == "exit" => return Said::Enough,
            Message::Notification(it) => self.told(it),
            Message::Response(_) => {}
        }
        Said::More
    }

    fn asked(&mut self, request: Request) {
        let refused = |code: ErrorCode, why: &str| {
            Message::Response(Response::new_err(request.id.clone(), code as i32, why.to_owned()))
        };
        match (self.state.phase, &*request.method) {
            (Phase::Unknown, "initialize") => self.initialize(request),
            (Phase::Unknown, _) => {
                (self.send)(refused(ErrorCode::ServerNotInitialized, "initialize comes first"));
            }
            (Phase::Closed, _) => {
                (self.send)(refused(ErrorCode::InvalidRequest, "it is shut down"));
            }
            (Phase::Open, "shutdown") => {
                self.state.phase = Phase::Closed;
                for (_, waiting) in std::mem::take(&mut self.state.waiting) {
                    self.cancel(waiting.id);
                }
                self.reply(request.id, Value::Null);
            }
            (Phase::Open, "workspace/executeCommand") => self.explain(request),
            (Phase::Open, "initialize") => {
                (self.send)(refused(ErrorCode::InvalidRequest, "it is initialized"));
            }
            (Phase::Open, method) if ANSWERED.contains(&method) => {
                self.state.waiting.push((self.state.edits, request));
            }
            (Phase::Open, method) => {
                let why = format!("nothing is known of `{method}`");
                (self.send)(refused(ErrorCode::MethodNotFound, &why));
            }
        }
    }

    fn initialize(&mut self, request: Request) {
        let Some(params) = self.read::<InitializeParams>(&request) else { return };
        let workspace = params.capabilities.workspace.as_ref();
        let watches = workspace.and_then(|it| it.did_change_watched_files?.dynamic_registration);
        let window = params.capabilities.window.as_ref();
        let shows = window.and_then(|it| Some(it.show_document.as_ref()?.support));
        self.state.client = Client {
            watches: watches.unwrap_or_default(),
            shows_documents: shows.unwrap_or_default(),
        };
        #[expect(deprecated, reason = "older editors say it so")]
        let root = params.root_uri;
        let folders = params.workspace_folders.filter(|it| !it.is_empty());
        let folders = folders.map_or_else(
            || root.into_iter().collect::<Vec<_>>(),
            |it| it.into_iter().map(|it| it.uri).collect(),
        );
        for path in folders.iter().filter_map(place::path) {
            self.add(&path);
        }
        self.state.phase = Phase::Open;
        let info = json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") });
        self.reply(request.id, json!({ "capabilities": capabilities::all(), "serverInfo": info }));
    }

    fn told(&mut self, it: Notification) {
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
                    self.state.folders.remove(&self.disk.root(&path));
                }
                for path in it.event.added.iter().filter_map(|it| place::path(&it.uri)) {
                    self.add(&path);
                }
                self.show();
            }
            "$/cancelRequest" => {
                let Some(id) = it.params.get("id") else { return };
                let Some(id) = params::<RequestId>(id.clone()) else { return };
                let waiting = &mut self.state.waiting;
                let found = waiting.extract_if(.., |(_, it)| it.id == id);
                for (_, request) in found.collect::<Vec<_>>() {
                    self.cancel(request.id);
                }
            }
            _ => {}
        }
    }

    fn cancel(&self, id: RequestId) {
        let (code, why) = (ErrorCode::RequestCanceled as i32, "nobody wants it any more");
        (self.send)(Message::Response(Response::new_err(id, code, why.to_owned())));
    }

    /// Works in the repository around `path` from now on.
    fn add(&mut self, path: &Path) {
        let root = self.disk.root(path);
        let folder = self.state.folders.entry(root).or_default();
        (folder.is_stale, folder.is_old) = (true, true);
        self.state.edits += 1;
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
        let is_opened = before.is_none();
        self.state.edits += 1;
        let Some((root, _)) = self.folder(&path) else { return };
        let (root, own) = (root.clone(), discover::relative(root, &path));
        let Some(folder) = self.state.folders.get_mut(&root) else { return };
        folder.is_stale = true;
        let is_known = |it: &Known| own.is_some_and(|own| it.base.find(&own).is_some());
        // What was not there when the repository was read may be there now.
        folder.is_old |= is_opened && !folder.known.as_ref().is_some_and(is_known);
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
    fn folder(&self, path: &Path) -> Option<(&PathBuf, &Folder)> {
        self.state.folders.iter().rev().find(|(root, _)| path.starts_with(root))
    }

    /// Resolves what changed, or answers what waits for it.
    fn go_on(&mut self) {
        if self.state.is_resolving {
            return;
        }
        if self.state.folders.values().any(|it| it.is_stale) {
            return self.resolve();
        }
        for (_, request) in std::mem::take(&mut self.state.waiting) {
            self.answer(request);
        }
    }

    fn resolve(&mut self) {
        let (disk, tell, edits) = (self.disk, self.tell.clone(), self.state.edits);
        let mut jobs = Vec::new();
        for (root, folder) in self.state.folders.iter_mut().filter(|(_, it)| it.is_stale) {
            let known = folder.known.clone().filter(|_| !folder.is_old);
            (folder.is_stale, folder.is_old) = (false, false);
            let texts = self.state.buffers.iter().filter_map(|(path, it)| {
                Some((discover::relative(root, path)?, Arc::clone(&it.text)))
            });
            jobs.push((root.clone(), known, texts.collect::<BTreeMap<_, _>>()));
        }
        self.state.is_resolving = true;
        let buffers = self.state.buffers.iter();
        let versions = buffers.map(|(path, it)| (path.clone(), it.version)).collect();
        self.scope.spawn(move || {
            let folders = jobs.into_iter().map(|(root, known, texts)| {
                let resolve = || -> Result<Known, String> {
                    let (base, options) = match known {
                        Some(Known { base, options, .. }) => (base, options),
                        None => disk.open(&root).map(|(base, it)| (Arc::new(base), it))?,
                    };
                    let analysis = Arc::new(Analysis::of(&root, &base, &texts, &options));
                    Ok(Known { base, options, analysis })
                };
                // The editor is to be told what is left of its other repositories.
                let done = catch_unwind(AssertUnwindSafe(resolve));
                let known = done.unwrap_or_else(|_| Err("an internal error".to_owned()));
                (root, known)
            });
            // The server may have ended.
            let _ = tell.send(Event::Resolved(Resolved {
                edits,
                versions,
                folders: folders.collect(),
            }));
        });
    }

    fn take(&mut self, done: Resolved) {
        self.state.is_resolving = false;
        for (root, known) in done.folders {
            let Some(folder) = self.state.folders.get_mut(&root) else { continue };
            match known {
                Ok(known) => (folder.known, folder.failure) = (Some(known), None),
                Err(why) => {
                    folder.known = None;
                    // It is said once, however often somebody types.
                    if folder.failure.as_ref() != Some(&why) {
                        let message = format!("`{}` is not checked: {why}", root.display());
                        folder.failure = Some(why);
                        self.say(MessageType::ERROR, message);
                    }
                }
            }
        }
        self.state.versions = done.versions;
        self.show();
        // What was asked before an edit is about what is resolved now.
        let waiting = &mut self.state.waiting;
        let ready: Vec<_> = waiting.extract_if(.., |(edits, _)| *edits <= done.edits).collect();
        for (_, request) in ready {
            self.answer(request);
        }
    }

    /// Shows what is found in each file, and no more what is found no more.
    fn show(&mut self) {
        let mut now: BTreeMap<String, (Uri, Vec<Diagnostic>)> = BTreeMap::new();
        for (root, folder) in &self.state.folders {
            let Some(known) = &folder.known else { continue };
            for (path, found) in known.analysis.diagnostics() {
                let Some(uri) = place::uri(root, path) else { continue };
                now.entry(uri.as_str().to_owned()).or_insert((uri, Vec::new())).1.extend(found);
            }
        }
        let before = std::mem::take(&mut self.state.shown);
        let gone = before.iter().filter(|(it, _)| !now.contains_key(*it));
        let gone = gone.map(|(_, (uri, _))| (uri, Vec::new()));
        let is_new = |(it, (_, found)): &(&String, &(Uri, Vec<Diagnostic>))| {
            before.get(*it).is_none_or(|(_, before)| before != found)
        };
        let new = now.iter().filter(is_new).map(|(_, (uri, found))| (uri, found.clone()));
        for (uri, diagnostics) in gone.chain(new) {
            let version = place::path(uri).and_then(|it| self.state.versions.get(&it).copied());
            self.notify(
                "textDocument/publishDiagnostics",
                PublishDiagnosticsParams { uri: uri.clone(), diagnostics, version },
            );
        }
        self.state.shown = now;
    }

    fn answer(&self, request: Request) {
        match &*request.method {
            "textDocument/hover" => self.give(request, |it: &HoverParams| {
                let at = &it.text_document_position_params;
                let (known, file, byte) = self.at(at)?;
                let (value, span) = hover(&known.analysis, file, byte)?;
                let content = MarkupContent { kind: MarkupKind::Markdown, value };
                let range = known.analysis.files().range(span);
                Some(Hover { contents: HoverContents::Markup(content), range: Some(range) })
            }),
            "textDocument/definition" => self.give(request, |it: &GotoDefinitionParams| {
                let (known, file, byte) = self.at(&it.text_document_position_params)?;
                let analysis = &known.analysis;
                Some(analysis.passages().definition(analysis.files(), file, byte))
            }),
            "textDocument/references" => self.give(request, |it: &ReferenceParams| {
                let (known, file, byte) = self.at(&it.text_document_position)?;
                let (analysis, with_own) = (&known.analysis, it.context.include_declaration);
                Some(analysis.passages().references(analysis.files(), file, byte, with_own))
            }),
            "textDocument/inlayHint" => self.give(request, |it: &InlayHintParams| {
                let (known, file) = self.file(&it.text_document.uri)?;
                let span = known.analysis.files().span(file, it.range);
                Some(known.analysis.passages().hints(known.analysis.files(), span))
            }),
            "textDocument/completion" => self.give(request, |it: &CompletionParams| {
                let (known, file, byte) = self.at(&it.text_document_position)?;
                Some(completion::completion(&known.analysis, &known.options, file, byte))
            }),
            "textDocument/codeAction" => self.act(request),
            _ => self.reply(request.id, Value::Null),
        }
    }

    /// Answers with what `answer` makes of the parameters.
    fn give<P: DeserializeOwned, T: Serialize>(
        &self,
        request: Request,
        answer: impl FnOnce(&P) -> Option<T>,
    ) {
        if let Some(params) = self.read::<P>(&request) {
            self.reply(request.id, answer(&params));
        }
    }

    /// Answers aside what can be done about findings: that resolves again.
    fn act(&self, request: Request) {
        let Some(params) = self.read::<CodeActionParams>(&request) else { return };
        let found = self.file(&params.text_document.uri);
        let Some((known, file)) = found.map(|(known, file)| (known.clone(), file)) else {
            return self.reply(request.id, Value::Null);
        };
        let send = self.send;
        self.scope.spawn(move || {
            let Known { analysis, options, .. } = known;
            let within = analysis.files().span(file, params.range);
            let only = params.context.only.as_deref();
            let actions = || actions::actions(&analysis, &options, within, only);
            let answer = match catch_unwind(AssertUnwindSafe(actions)) {
                Ok(actions) => Response::new_ok(request.id, actions),
                Err(_) => {
                    let code = ErrorCode::InternalError as i32;
                    Response::new_err(request.id, code, "an internal error".to_owned())
                }
            };
            send(Message::Response(answer));
        });
    }

    /// Shows the page of a rule: in a browser, else what it says in short.
    fn explain(&mut self, request: Request) {
        let Some(params) = self.read::<ExecuteCommandParams>(&request) else { return };
        let id = params.arguments.first().and_then(Value::as_str);
        let rule = id.filter(|_| params.command == EXPLAIN).and_then(rules::find);
        let Some(rule) = rule else {
            let (code, why) = (ErrorCode::InvalidParams as i32, "there is no such command or rule");
            let answer = Response::new_err(request.id, code, why.to_owned());
            return (self.send)(Message::Response(answer));
        };
        match rule.page().parse::<Uri>() {
            Ok(uri) if self.state.client.shows_documents => {
                let params = ShowDocumentParams {
                    uri,
                    external: Some(true),
                    take_focus: None,
                    selection: None,
                };
                self.ask("window/showDocument", params);
            }
            _ => self.say(MessageType::INFO, format!("{}: {}", rule.title, rule.summary)),
        }
        self.reply(request.id, Value::Null);
    }

    /// Asks to be told of files that change.
    fn watch(&mut self) {
        if !self.state.client.watches {
            return;
        }
        let watchers = discover::patterns()
            .into_iter()
            .map(|it| FileSystemWatcher { glob_pattern: GlobPattern::String(it), kind: None });
        let options = DidChangeWatchedFilesRegistrationOptions { watchers: watchers.collect() };
        let registration = Registration {
            id: "files".to_owned(),
            method: "workspace/didChangeWatchedFiles".to_owned(),
            register_options: serde_json::to_value(options).ok(),
        };
        let registrations = vec![registration];
        self.ask("client/registerCapability", RegistrationParams { registrations });
    }

    /// The repository and the file that an address is of.
    fn file(&self, uri: &Uri) -> Option<(&Known, FileId)> {
        let path = place::path(uri)?;
        let (root, folder) = self.folder(&path)?;
        let known = folder.known.as_ref()?;
        Some((known, known.analysis.sources.find(&discover::relative(root, &path)?)?))
    }

    /// The same with the byte at a position.
    fn at(&self, at: &TextDocumentPositionParams) -> Option<(&Known, FileId, u32)> {
        let (known, file) = self.file(&at.text_document.uri)?;
        Some((known, file, known.analysis.files().byte(file, at.position)))
    }

    /// The parameters of a request, which is refused where they are none.
    fn read<P: DeserializeOwned>(&self, request: &Request) -> Option<P> {
        match serde_json::from_value(request.params.clone()) {
            Ok(params) => Some(params),
            Err(error) => {
                let (id, code) = (request.id.clone(), ErrorCode::InvalidParams as i32);
                (self.send)(Message::Response(Response::new_err(id, code, error.to_string())));
                None
            }
        }
    }

    fn reply(&self, id: RequestId, answer: impl Serialize) {
        (self.send)(Message::Response(Response::new_ok(id, answer)));
    }

    fn notify(&self, method: &str, params: impl Serialize) {
        (self.send)(Message::Notification(Notification::new(method.to_owned(), params)));
    }

    fn ask(&mut self, method: &str, params: impl Serialize) {
        self.state.asked += 1;
        let id = RequestId::from(self.state.asked);
        (self.send)(Message::Request(Request::new(id, method.to_owned(), params)));
    }

    fn say(&self, typ: MessageType, message: String) {
        self.notify("window/showMessage", ShowMessageParams { typ, message });
    }
}

/// What is answered once it is resolved.
const ANSWERED: [&str; 6] = [
    "textDocument/hover",
    "textDocument/definition",
    "textDocument/references",
    "textDocument/inlayHint",
    "textDocument/completion",
    "textDocument/codeAction",
];

/// What is known of a byte, and of how much around it: the values of its line, and the flag that it is in.
fn hover(analysis: &Analysis, file: FileId, byte: u32) -> Option<(String, Span)> {
    let flag = completion::flag_at(&analysis.sources, file, byte);
    match (analysis.passages().hover(analysis.files(), file, byte), flag) {
        (Some((values, span)), Some((about, _))) => Some((format!("{about}\n\n{values}"), span)),
        (values, flag) => values.or(flag),
    }
}

fn params<P: DeserializeOwned>(params: Value) -> Option<P> {
    serde_json::from_value(params).ok()
}
