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
mod synchronization;
mod transport;
mod values;

pub(crate) use analysis::{Buffers, Disk, EditorOptions};
pub(crate) use transport::run;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, Scope},
};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{
    CodeActionParams, CompletionParams, Diagnostic, DidChangeWatchedFilesRegistrationOptions,
    ExecuteCommandParams, FileSystemWatcher, GlobPattern, GotoDefinitionParams, Hover,
    HoverContents, HoverParams, InitializeParams, InlayHintParams, MarkupContent, MarkupKind,
    MessageType, PublishDiagnosticsParams, ReferenceParams, Registration, RegistrationParams,
    ShowDocumentParams, ShowMessageParams, TextDocumentPositionParams, Uri,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use self::analysis::{Analysis, Buffer};
use crate::{
    discover, rules,
    source::{FileId, Sources, Span},
};

/// The command that shows a rule's page.
const EXPLAIN: &str = "metrics-server-lint.explain";

/// Speaks with an editor until it has enough; whether it said so before it went.
///
/// `told` counts what it is told. `leave` is called at the end, before what is being resolved for nobody
/// is waited for: it need not come back.
pub(crate) fn serve(
    connection: Connection,
    disk: &dyn Disk,
    told: &AtomicUsize,
    leave: &dyn Fn(bool),
) -> bool {
    let Connection { sender, receiver } = connection;
    // Nobody is told anything any more when the editor is gone.
    let send = |message: Message| {
        told.fetch_add(1, Ordering::SeqCst);
        drop(sender.send(message));
    };
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
        let (act, jobs) = mpsc::channel::<ActionJob>();
        let to_server = tell.clone();
        scope.spawn(move || {
            for job in jobs {
                let is_cancelled = Arc::clone(&job.is_cancelled);
                let _ = to_server.send(Event::Acted(job.answer(), is_cancelled));
            }
        });
        let state = EditorState::default();
        let mut server = Server { scope, tell, act, disk, send: &send, state };
        let ended = server.serve(events);
        // What nobody waits for any more is not looked for.
        server.state.acting.values().for_each(|it| it.store(true, Ordering::Relaxed));
        leave(ended);
        ended
    })
}

/// What happens.
enum Event {
    /// The editor says something.
    Said(Message),
    /// Repositories are resolved.
    Resolved(Resolved),
    /// What can be done about findings is found, for who asked with this to cancel it.
    Acted(Response, Arc<AtomicBool>),
    /// The editor is gone.
    Gone,
}

/// What comes of resolving.
struct Resolved {
    /// The edits that it knows.
    edits: u64,
    folders: Vec<(PathBuf, Result<Known, String>)>,
}

/// A request for code actions.
struct ActionJob {
    id: RequestId,
    known: Known,
    file: FileId,
    params: CodeActionParams,
    with_versions: bool,
    is_cancelled: Arc<AtomicBool>,
}

impl ActionJob {
    fn answer(self) -> Response {
        let Self { id, known: Known { analysis, options, .. }, .. } = self;
        let actions = || {
            let within = analysis.files().span(self.file, self.params.range);
            let only = self.params.context.only.as_deref();
            let wanted = || !self.is_cancelled.load(Ordering::Relaxed);
            actions::actions(&analysis, &options, within, only, wanted)
        };
        match catch_unwind(AssertUnwindSafe(actions)) {
            Ok(mut actions) => {
                if self.with_versions {
                    return Response::new_ok(id, actions);
                }
                actions.iter_mut().for_each(actions::without_versions);
                let mut answer = serde_json::to_value(actions).unwrap_or_default();
                // The changes of several files are in a map without an order.
                answer.sort_all_objects();
                Response::new_ok(id, answer)
            }
            Err(_) => {
                let code = ErrorCode::InternalError as i32;
                Response::new_err(id, code, "an internal error".to_owned())
            }
        }
    }
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
    /// What the editor opened of it; nothing where it opened but a file.
    opened: BTreeSet<PathBuf>,
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
    /// The code actions that are looked for, by what asked for them.
    acting: BTreeMap<RequestId, Arc<AtomicBool>>,
    /// What the editor shows.
    shown: BTreeMap<String, Shown>,
    asked: i32,
}

/// What is shown of a file.
#[derive(Clone, PartialEq)]
struct Shown {
    uri: Uri,
    /// The one that it is about, if the file is in the editor.
    version: Option<i32>,
    diagnostics: Vec<Diagnostic>,
}

/// What the editor can do.
#[expect(clippy::struct_excessive_bools, reason = "each is a capability of the protocol")]
#[derive(Default)]
struct Client {
    watches: bool,
    shows_documents: bool,
    /// Edits may say which version of a file they are of.
    versions_edits: bool,
    /// It asks for hints again when it is told so.
    refreshes_hints: bool,
}

struct Server<'s, 'e> {
    scope: &'s Scope<'s, 'e>,
    tell: mpsc::Sender<Event>,
    act: mpsc::Sender<ActionJob>,
    disk: &'e dyn Disk,
    send: &'e (dyn Fn(Message) + Sync),
    state: EditorState,
}

impl Server<'_, '_> {
    /// Takes what happens until the editor has enough; whether it said so before it went.
    fn serve(&mut self, events: mpsc::Receiver<Event>) -> bool {
        for event in events {
            match event {
                Event::Said(message) => match self.on_message(message) {
                    Said::More => {}
                    Said::Enough => return self.state.phase == Phase::Closed,
                },
                Event::Resolved(done) => self.take(done),
                Event::Acted(response, of) => {
                    // Who cancelled it has an answer, and may have asked again by the same name.
                    let waiting = self.state.acting.get(&response.id);
                    if waiting.is_some_and(|it| Arc::ptr_eq(it, &of)) {
                        self.state.acting.remove(&response.id);
                        (self.send)(Message::Response(response));
                    }
                }
                Event::Gone => return false,
            }
            self.go_on();
        }
        false
    }

    fn on_message(&mut self, message: Message) -> Said {
        match message {
            Message::Request(request) => self.on_request(request),
            Message::Notification(it) if it.method == "exit" => return Said::Enough,
            Message::Notification(it) => self.on_notification(it),
            Message::Response(_) => {}
        }
        Said::More
    }

    fn on_request(&mut self, request: Request) {
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
                let waiting = std::mem::take(&mut self.state.waiting);
                let acting: Vec<_> = self.state.acting.keys().cloned().collect();
                for id in waiting.into_iter().map(|(_, it)| it.id).chain(acting) {
                    self.cancel(id);
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
        let versions = workspace.and_then(|it| it.workspace_edit.as_ref()?.document_changes);
        let refreshes = workspace.and_then(|it| it.inlay_hint.as_ref()?.refresh_support);
        self.state.client = Client {
            watches: watches.unwrap_or_default(),
            shows_documents: shows.unwrap_or_default(),
            versions_edits: versions.unwrap_or_default(),
            refreshes_hints: refreshes.unwrap_or_default(),
        };
        #[expect(deprecated, reason = "older editors say it so")]
        let (root, path) = (params.root_uri, params.root_path.filter(|it| !it.is_empty()));
        let old = path.filter(|_| root.is_none()).map(PathBuf::from);
        let folders = params.workspace_folders.filter(|it| !it.is_empty());
        let folders = folders.map_or_else(
            || root.into_iter().collect::<Vec<_>>(),
            |it| it.into_iter().map(|it| it.uri).collect(),
        );
        let old = old.filter(|_| folders.is_empty());
        for path in folders.iter().filter_map(place::path).chain(old) {
            self.open(&path);
        }
        self.state.phase = Phase::Open;
        let info = json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") });
        self.reply(request.id, json!({ "capabilities": capabilities::all(), "serverInfo": info }));
    }

    fn cancel(&mut self, id: RequestId) {
        if let Some(is_cancelled) = self.state.acting.remove(&id) {
            is_cancelled.store(true, Ordering::Relaxed);
        }
        let (code, why) = (ErrorCode::RequestCanceled as i32, "nobody wants it any more");
        (self.send)(Message::Response(Response::new_err(id, code, why.to_owned())));
    }

    /// Resolves what changed, or answers what waits for it.
    fn go_on(&mut self) {
        if self.state.is_resolving || self.state.phase == Phase::Closed {
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
            let texts = self
                .state
                .buffers
                .iter()
                .filter_map(|(path, it)| Some((discover::relative(root, path)?, it.clone())));
            jobs.push((root.clone(), known, texts.collect::<Buffers>()));
        }
        self.state.is_resolving = true;
        self.scope.spawn(move || {
            let folders = jobs.into_iter().map(|(root, known, texts)| {
                let resolve = || -> Result<Known, String> {
                    let (base, options) = match known {
                        Some(Known { base, options, .. }) => (base, options),
                        None => disk.open(&root, &texts).map(|(base, it)| (Arc::new(base), it))?,
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
            let _ = tell.send(Event::Resolved(Resolved { edits, folders: folders.collect() }));
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
        self.show();
        if self.state.client.refreshes_hints {
            self.ask("workspace/inlayHint/refresh", Value::Null);
        }
        // What was asked before an edit is about what is resolved now.
        let waiting = &mut self.state.waiting;
        let ready: Vec<_> = waiting.extract_if(.., |(edits, _)| *edits <= done.edits).collect();
        for (_, request) in ready {
            self.answer(request);
        }
    }

    /// Shows what is found in each file, and no more what is found no more.
    fn show(&mut self) {
        let mut now: BTreeMap<String, Shown> = BTreeMap::new();
        for (root, folder) in &self.state.folders {
            let Some(known) = &folder.known else { continue };
            for (path, found) in known.analysis.diagnostics() {
                let Some(uri) = place::uri(root, path) else { continue };
                let version = known.analysis.version(path);
                let all = now.entry(uri.as_str().to_owned());
                let none = Shown { uri, version, diagnostics: Vec::new() };
                all.or_insert(none).diagnostics.extend(found);
            }
        }
        let before = std::mem::take(&mut self.state.shown);
        // An editor may have dropped what was said of a version that it had left behind.
        let new = now.iter().filter(|(it, shown)| before.get(*it) != Some(*shown));
        let new = new.map(|(_, shown)| shown.clone()).collect::<Vec<_>>();
        let gone = before.into_iter().filter(|(it, _)| !now.contains_key(it));
        let none = |uri| Shown { uri, version: None, diagnostics: Vec::new() };
        let gone = gone.map(|(_, it)| none(it.uri));
        for Shown { uri, version, diagnostics } in gone.chain(new) {
            self.notify(
                "textDocument/publishDiagnostics",
                PublishDiagnosticsParams { uri, diagnostics, version },
            );
        }
        self.state.shown = now;
    }

    fn answer(&mut self, request: Request) {
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

    /// Has somebody look for what can be done about findings, one request after the other: each
    /// resolves again.
    fn act(&mut self, request: Request) {
        let Some(params) = self.read::<CodeActionParams>(&request) else { return };
        let found = self.file(&params.text_document.uri);
        let Some((known, file)) = found.map(|(known, file)| (known.clone(), file)) else {
            return self.reply(request.id, Value::Null);
        };
        let is_cancelled = Arc::new(AtomicBool::new(false));
        self.state.acting.insert(request.id.clone(), Arc::clone(&is_cancelled));
        let with_versions = self.state.client.versions_edits;
        let job = ActionJob { id: request.id, known, file, params, with_versions, is_cancelled };
        // It ends with the server.
        let _ = self.act.send(job);
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
        Some((known, known.analysis.sources.written(&discover::relative(root, &path)?)?))
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
