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
        let opening = match self {
            Self::Dollar => "${",
            Self::Braces => "{{",
            Self::Statement => "{%",
            Self::Erb => "<%",
            Self::Brackets => "[[",
            Self::Directive => "%{",
            Self::Encrypted => return text.starts_with("ENC["),
        };
        memchr::memmem::find(text.as_bytes(), opening.as_bytes()).is_some()
    }
}

/// Whether a value has a part that something fills in: `${…}`, `{{…}}`.
pub(crate) fn has_placeholder(text: &str) -> bool {
    [Placeholder::Dollar, Placeholder::Braces].iter().any(|it| it.is_in(text))
}

/// Whether `text` has a mark that people write for a script to replace: `<version>`, `@@VERSION@@`,
/// `__VERSION__`.
pub(crate) fn has_mark(text: &str) -> bool {
    static MARK: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new("<[^<>]+>|@@[^@]+@@|__[A-Z0-9]+(?:_[A-Z0-9]+)*__").ok());
    MARK.as_ref().is_some_and(|it| it.is_match(text))
}

/// Whether `text` is a template of another language rather than YAML: Go, Jinja, ERB.
pub(crate) fn is_template(text: &str) -> bool {
    use Placeholder::{Braces, Brackets, Erb, Statement};
    [Braces, Statement, Erb, Brackets].iter().any(|it| it.is_in(text))
}
