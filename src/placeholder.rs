//! Text that something else replaces before a cluster reads it, by how it is written.

use std::sync::LazyLock;

use regex::Regex;

/// A notation for what is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// `${…}`: Flux, Fleet, Terraform, shells.
    Dollar,
    /// `{{…}}`: Go templates and Jinja.
    Braces,
    /// `{%…%}`: statements of Jinja.
    Statement,
    /// `{#…#}`: comments of Jinja.
    Comment,
    /// `#{…}#`, as most people have makejinja write what Jinja writes `{{…}}`: YAML sees a comment.
    HashBraces,
    /// `#%…%#`: the statements with that.
    HashStatement,
    /// `#|…#|`, or `#|…|#`: the comments with that.
    HashComment,
    /// `<%…%>`: ERB.
    Erb,
    /// `[[…]]`: Go templates whose delimiters are others.
    Brackets,
    /// `%{…}`: Terraform's directives.
    Directive,
    /// `ENC[…]`: a value that SOPS encrypted, always as a whole.
    Encrypted,
}

impl Placeholder {
    /// Whether `text` has one.
    pub(crate) fn is_in(self, text: &str) -> bool {
        let opening = self.opening().as_bytes();
        match self {
            Self::Encrypted => text.as_bytes().starts_with(opening),
            _ => memchr::memmem::find(text.as_bytes(), opening).is_some(),
        }
    }

    /// What it starts with.
    pub(crate) fn opening(self) -> &'static str {
        match self {
            Self::Dollar => "${",
            Self::Braces => "{{",
            Self::Statement => "{%",
            Self::Comment => "{#",
            Self::HashBraces => "#{",
            Self::HashStatement => "#%",
            Self::HashComment => "#|",
            Self::Erb => "<%",
            Self::Brackets => "[[",
            Self::Directive => "%{",
            Self::Encrypted => "ENC[",
        }
    }

    /// What it ends with.
    pub(crate) fn closing(self) -> &'static str {
        match self {
            Self::Dollar | Self::Directive => "}",
            Self::Braces => "}}",
            Self::Statement => "%}",
            Self::Comment => "#}",
            Self::HashBraces => "}#",
            Self::HashStatement => "%#",
            Self::HashComment => "#|",
            Self::Erb => "%>",
            Self::Brackets => "]]",
            Self::Encrypted => "]",
        }
    }

    /// What is inside of it, given what follows its opening; `None` when it is none.
    pub(crate) fn inside(self, rest: &str) -> Option<&str> {
        let inside = match self {
            Self::Dollar | Self::Directive => {
                let mut depth = 0_usize;
                let end = rest.bytes().position(|it| {
                    depth += usize::from(it == b'{');
                    let closes = it == b'}' && depth == 0;
                    depth = depth.saturating_sub(usize::from(it == b'}'));
                    closes
                })?;
                &rest[..end]
            }
            // Lists in a list look alike.
            Self::Brackets if !rest.starts_with([' ', '-', '.', '$']) => return None,
            // Some write `#|…|#`; the next comment would then end it.
            Self::HashComment => {
                let ends = [self.closing(), "|#"].into_iter().filter_map(|it| rest.find(it));
                &rest[..ends.min()?]
            }
            _ => rest.split_once(self.closing())?.0,
        };
        match self {
            Self::Comment | Self::HashComment => Some(inside),
            Self::HashBraces | Self::HashStatement if inside.contains('\n') => None,
            _ => (!inside.contains(self.opening())).then_some(inside),
        }
    }
}

/// What starts an action of a Go template that gives no value.
pub(crate) const CONTROL: [&str; 9] =
    ["if", "else", "end", "range", "with", "define", "block", "break", "continue"];

/// Whether a value has a part that something fills in: `${…}`, `{{…}}`.
pub(crate) fn has_placeholder(text: &str) -> bool {
    [Placeholder::Dollar, Placeholder::Braces].iter().any(|it| it.is_in(text))
}

/// Whether `text` has a mark that people write for a script to replace: `<version>`, `@@VERSION@@`,
/// `__VERSION__`.
pub(crate) fn has_mark(text: &str) -> bool {
    static MARK: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new("<[^<>]+>|@@[^@]+@@|__[A-Z0-9]+(?:_[A-Z0-9]+)*__").ok());
    let may = ["<", "@@", "__"].iter().any(|it| text.contains(it));
    may && MARK.as_ref().is_some_and(|it| it.is_match(text))
}

/// Whether something has yet to fill in a part of `text`, in whichever notation.
pub(crate) fn has_hole(text: &str) -> bool {
    let holes = [Placeholder::Dollar, Placeholder::HashBraces, Placeholder::HashStatement];
    is_template(text) || has_mark(text) || holes.iter().any(|it| it.is_in(text))
}

/// Whether `text` is a template of another language rather than YAML: Go, Jinja, ERB.
pub(crate) fn is_template(text: &str) -> bool {
    use Placeholder::{Braces, Brackets, Erb, Statement};
    [Braces, Statement, Erb, Brackets].iter().any(|it| it.is_in(text))
}
