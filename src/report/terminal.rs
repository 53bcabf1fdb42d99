//! What the other end of a stream can show.

#![expect(clippy::disallowed_methods, reason = "what a terminal shows depends on the surroundings")]

use std::{
    env,
    io::IsTerminal,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use supports_hyperlinks::supports_hyperlinks;

use crate::cli::Color;

/// How text may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TerminalOptions {
    /// Whether to color it.
    pub color: bool,
    /// Whether to draw with more than ASCII.
    pub unicode: bool,
    /// How wide it may be, in columns.
    pub width: usize,
    /// The name of this machine, where text may have links to its files.
    pub links: Option<&'static str>,
}

/// The name of this machine.
static HOST: OnceLock<String> = OnceLock::new();

fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// What the other end of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// How text may look there, unless the user wants other colors.
    look: TerminalOptions,
    /// Whether it is a terminal, and no file or pipe.
    pub terminal: bool,
    /// Whether somebody watches what moves there.
    pub watched: bool,
}

impl Screen {
    /// A file or a pipe.
    pub(crate) const NONE: Self =
        Self { look: TerminalOptions::PLAIN, terminal: false, watched: false };

    /// What `stream` and the environment variables say.
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let terminal = stream.is_terminal();
        let set = |name| env::var_os(name).is_some_and(|it| !it.is_empty());
        let term = env::var("TERM").ok();
        let dumb = term.as_deref() == Some("dumb");
        let says = |name| env::var(name).ok().filter(|it| !it.is_empty());
        let is_off = |it: &str| matches!(it, "0" | "false");
        let wanted = says("FORCE_COLOR");
        let refused = set("NO_COLOR") || wanted.as_deref().is_some_and(is_off);
        let forced = wanted.or_else(|| says("CLICOLOR_FORCE")).is_some_and(|it| !is_off(&it));
        let color = !refused && (forced || terminal && !dumb);
        let width = terminal.then(terminal_size::terminal_size).flatten();
        let width = width.map(|(width, _)| usize::from(width.0));
        let width = width.or_else(|| says("COLUMNS")?.parse().ok()).unwrap_or(100);
        // Narrower than this nothing can be read, wider than this nothing is.
        let width = width.clamp(40, 120);
        let console = dumb || term.as_deref() == Some("linux");
        let unicode = is_utf8_locale() && !(terminal && console);
        // Nobody watches a build log.
        let watched = terminal && env::var_os("CI").is_none() && term.is_some() && !dumb;
        let links = (terminal || set("FORCE_HYPERLINK")) && supports_hyperlinks();
        let links = links.then(|| HOST.get_or_init(host).as_str());
        Self { look: TerminalOptions { color, unicode, width, links }, terminal, watched }
    }

    /// How text may look there when `color` is what the user wants.
    pub(crate) fn look(self, color: Color) -> TerminalOptions {
        let color = match color {
            Color::Auto => self.look.color,
            Color::Always => true,
            Color::Never => false,
        };
        TerminalOptions { color, links: self.look.links.filter(|_| color), ..self.look }
    }
}

impl TerminalOptions {
    /// What a pipe or a file gets.
    pub(crate) const PLAIN: Self = Self { color: false, unicode: true, width: 100, links: None };

    /// The look of tables: where nothing says how wide they may be, they are wide.
    pub(crate) fn of_tables(self) -> Self {
        if self.width == Self::PLAIN.width { Self { width: 120, ..self } } else { self }
    }

    /// The look of lines that programs read one by one: none is broken.
    pub(crate) fn unbroken(self) -> Self {
        Self { width: usize::MAX, ..self }
    }

    /// `text` with the ANSI attributes `code`, if colors are on.
    pub(super) fn paint(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() && !code.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Without any locale, as in most containers, the reader is a log viewer or a modern terminal.
fn is_utf8_locale() -> bool {
    let mut names = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let locale = names.find_map(|name| env::var(name).ok().filter(|it| !it.is_empty()));
    locale.is_none_or(|it| {
        let it = it.to_ascii_lowercase();
        it.contains("utf-8") || it.contains("utf8")
    })
}

/// A bar on standard error that appears when the work takes longer than people like to wait.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    files: AtomicU64,
    /// The thread that waits, and what ends its waiting.
    waiting: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Work longer than this gets a bar.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// A bar is for a standard error that somebody watches.
    pub(crate) fn start(watched: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        let waiting = watched.then(|| {
            let (done, until) = mpsc::channel();
            let bar = bar.clone();
            let thread = thread::spawn(move || {
                if until.recv_timeout(Self::PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(Duration::from_millis(100));
                }
            });
            (done, thread)
        });
        Self { bar, files: AtomicU64::new(0), waiting }
    }

    /// Another file was looked at.
    pub(crate) fn file(&self) {
        let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        if files.is_multiple_of(1024) {
            self.bar.set_message(format!("{files} files"));
        }
    }

    /// What comes now.
    pub(crate) fn stage(&self, name: &'static str) {
        self.bar.set_message(name);
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.waiting.take() {
            drop(done);
            // A thread that only waits and draws has nothing to tell.
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}
