//! Text that something else replaces before a cluster reads it, by how it is written.

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

/// Whether `text` is a template of another language rather than YAML: Go, Jinja, ERB.
pub(crate) fn is_template(text: &str) -> bool {
    use Placeholder::{Braces, Brackets, Erb, Statement};
    [Braces, Statement, Erb, Brackets].iter().any(|it| it.is_in(text))
}
