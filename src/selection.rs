//! Which rules a run is about: `--select` and `--ignore`.

use crate::{
    finding::Finding,
    nearest::nearest,
    rules::{self, Category, Rule},
};

/// What stands for rules on the command line: an id, a category, or `pedantic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleSelector {
    /// The rule of that id.
    Rule(&'static str),
    /// All rules of the category.
    Category(Category),
    /// Every finding that nobody has to mend.
    Pedantic,
}

/// The rules that a run is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Only these; all when there is none.
    pub select: Vec<RuleSelector>,
    /// Not these.
    pub ignore: Vec<RuleSelector>,
}

/// So many names are told to who writes a part of them.
const MOST_NAMED: usize = 6;

impl RuleSelector {
    /// All that can be written, each with what it is.
    pub(crate) fn names() -> Vec<(&'static str, String)> {
        let rules = rules::RULES.iter().map(|it| (it.id, it.title.to_owned()));
        let of = |it: Category| (it.id(), format!("all rules about {}", it.id()));
        let pedantic = ("pedantic", "what nobody has to mend".to_owned());
        rules.chain(Category::ALL.map(of)).chain([pedantic]).collect()
    }

    /// What `text` stands for.
    ///
    /// # Errors
    /// That it stands for nothing, and what may be meant.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "pedantic" {
            return Ok(Self::Pedantic);
        }
        if let Some(category) = Category::ALL.into_iter().find(|it| it.id() == text) {
            return Ok(Self::Category(category));
        }
        if let Some(rule) = rules::find(text) {
            return Ok(Self::Rule(rule.id));
        }
        let names = || Self::names().into_iter().map(|(name, _)| name);
        let no = "there is no rule or category of that name";
        if let Some(near) = nearest(text, names()) {
            return Err(format!("{no}; write `{near}`"));
        }
        let word = text.to_lowercase();
        let having: Vec<String> = names()
            .filter(|it| !word.is_empty() && it.contains(&word))
            .map(|it| format!("`{it}`"))
            .collect();
        Err(match having.len() {
            1..=MOST_NAMED => format!("{no}; `{word}` is in {}", having.join(", ")),
            _ => format!("{no}; `rules` lists them"),
        })
    }

    /// Whether it stands for `rule`.
    pub(crate) fn means(self, rule: &Rule) -> bool {
        match self {
            Self::Rule(id) => rule.id == id,
            Self::Category(category) => rule.category == category,
            Self::Pedantic => rule.pedantic,
        }
    }

    fn selects(self, finding: &Finding) -> bool {
        match self {
            Self::Rule(id) => finding.rule == id,
            Self::Category(category) => category_of(finding) == Some(category),
            Self::Pedantic => finding.pedantic,
        }
    }

    /// Whether it asks for `finding` although nobody has to mend that.
    fn asks_for(self, finding: &Finding) -> bool {
        match self {
            Self::Rule(id) => finding.rule == id && rules::find(id).is_some_and(Rule::judges),
            Self::Category(_) => false,
            Self::Pedantic => finding.pedantic,
        }
    }
}

impl Selection {
    /// Whether the run is about `finding`. What could not be read is no matter of choice: it says
    /// why a rule that was chosen is silent. A rule that is selected by its id is not ignored with its
    /// category.
    pub(crate) fn has(&self, finding: &Finding) -> bool {
        let select = |list: &[RuleSelector]| list.iter().any(|it| it.selects(finding));
        let names = |list: &[RuleSelector]| list.contains(&RuleSelector::Rule(finding.rule));
        let chosen = self.select.is_empty()
            || select(&self.select)
            || category_of(finding) == Some(Category::Input);
        let ignored = if names(&self.select) { names(&self.ignore) } else { select(&self.ignore) };
        chosen && !ignored
    }

    /// Whether `finding` is asked for by name although nobody has to mend it.
    pub(crate) fn asks_for(&self, finding: &Finding) -> bool {
        self.select.iter().any(|it| it.asks_for(finding))
    }
}

/// What the rule of `finding` is about; none where the configuration itself is wrong.
fn category_of(finding: &Finding) -> Option<Category> {
    rules::find(finding.rule).map(|it| it.category)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_categories_and_pedantic_are_selectors() {
        let of = |text| RuleSelector::parse(text);
        assert_eq!(of("unknown-flag"), Ok(RuleSelector::Rule("unknown-flag")));
        assert_eq!(of("security"), Ok(RuleSelector::Category(Category::Security)));
        assert_eq!(of("pedantic"), Ok(RuleSelector::Pedantic));
        let wrong = of("unknown-flags").unwrap_err();
        assert!(wrong.ends_with("write `unknown-flag`"), "{wrong}");
        assert!(of("securty").unwrap_err().ends_with("write `security`"));
    }

    #[test]
    fn a_part_of_a_name_tells_which_names_have_it() {
        let told = |text| RuleSelector::parse(text).unwrap_err();
        let no = "there is no rule or category of that name";
        assert_eq!(told("kubelet-insecure-tsl"), format!("{no}; write `kubelet-insecure-tls`"));
        assert_eq!(
            told("insecure-tls"),
            format!("{no}; `insecure-tls` is in `insecure-tls-unneeded`, `kubelet-insecure-tls`")
        );
        assert_eq!(told("-"), format!("{no}; `rules` lists them"));
        assert_eq!(told(""), format!("{no}; `rules` lists them"));
    }
}
