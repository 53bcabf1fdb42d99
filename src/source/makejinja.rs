//! What makejinja renders, and where to: <https://github.com/mirkolenz/makejinja>.

use std::borrow::Cow;

use serde::Deserialize;

use super::{FirstLook, Load, Sources, Text, file_name, is_within, join, parent};

/// `makejinja.toml`.
#[derive(Deserialize)]
struct MakejinjaFile {
    makejinja: Option<MakejinjaSettings>,
}

/// Its settings that say where things lie, both from the directory that it is run in.
#[derive(Deserialize)]
struct MakejinjaSettings {
    inputs: Vec<String>,
    output: String,
}

/// A directory of templates, and the one that holds what they make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RenderedInput {
    from: String,
    into: String,
}

impl Sources {
    /// The place of `path`, which a deployer takes from the root of the repository; `None` outside
    /// of it. What only makejinja will put there is where its templates are.
    pub(crate) fn below_root(&self, path: &str) -> Option<String> {
        let path = join("", path)?;
        let is_there = |path: &str| self.is_dir(path) || self.find(path).is_some();
        if is_there(&path) {
            return Some(path);
        }
        let rendered = self.makejinja.get_or_init(|| self.all_rendered());
        let made = |it: &RenderedInput| moved(&path, &it.into, &it.from);
        let made = rendered.iter().filter_map(made).find(|it| is_there(it));
        Some(made.unwrap_or(path))
    }

    /// Where `path` will be when makejinja has rendered it; `path` itself where it renders nothing.
    pub(crate) fn made_of<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let rendered = self.makejinja.get_or_init(|| self.all_rendered());
        let made = rendered.iter().find_map(|it| moved(path, &it.from, &it.into));
        made.map_or(Cow::Borrowed(path), Cow::Owned)
    }

    /// Whether [`Self::made_of`] is another path for any.
    pub(crate) fn moves_files(&self) -> bool {
        !self.makejinja.get_or_init(|| self.all_rendered()).is_empty()
    }

    /// What is rendered, that which counts first: of a file in several inputs, makejinja takes the
    /// last.
    fn all_rendered(&self) -> Vec<RenderedInput> {
        let files = self.iter().filter(|(_, it)| file_name(&it.path) == "makejinja.toml");
        let rendered = files.flat_map(|(file, it)| read(self.text(file), parent(&it.path)));
        rendered.collect()
    }
}

/// Which of the files in `listing`, which is in order, makejinja renders to others of them: these count.
/// Empty where nothing has its settings.
pub(super) fn made(listing: &[(String, FirstLook, Option<Text>)], load: &Load) -> Vec<bool> {
    let settings = listing.iter().filter(|(path, ..)| file_name(path) == "makejinja.toml");
    let rendered: Vec<RenderedInput> = settings
        .flat_map(|(path, _, text)| match text {
            Some(Text::Utf8(text)) => read(text, parent(path)),
            Some(Text::Skipped(_)) => Vec::new(),
            None => match load(path).map(Text::of) {
                Ok(Text::Utf8(text)) => read(&text, parent(path)),
                _ => Vec::new(),
            },
        })
        .collect();
    if rendered.is_empty() {
        return Vec::new();
    }
    let is_listed = |path: &str| listing.binary_search_by(|it| it.0.as_str().cmp(path)).is_ok();
    let is_made = |path: &str| {
        let outputs =
            rendered.iter().filter_map(|it| moved(super::rendered(path), &it.from, &it.into));
        outputs.into_iter().any(|it| it != path && is_listed(&it))
    };
    listing.iter().map(|(path, ..)| is_made(path)).collect()
}

/// The place below `to` of what lies at `path` below `from`.
fn moved(path: &str, from: &str, to: &str) -> Option<String> {
    let rest = is_within(path, from).then(|| &path[from.len()..])?;
    join(to, rest.trim_start_matches('/'))
}

/// What the file with this text in `dir` renders.
fn read(text: &str, dir: &str) -> Vec<RenderedInput> {
    let Some(settings) = toml::from_str(text).ok().and_then(|it: MakejinjaFile| it.makejinja)
    else {
        return Vec::new();
    };
    let Some(into) = join(dir, &settings.output) else { return Vec::new() };
    let from = settings.inputs.iter().rev().filter_map(|it| join(dir, it));
    from.map(|from| RenderedInput { from, into: into.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use crate::{source::Relevance, tests::fixture};

    #[test]
    fn where_what_is_made_of_a_template_is_there_that_counts() {
        let sources = fixture(
            "
            //- makejinja.toml
            [makejinja]
            inputs = [\"templates\", \"over\"]
            output = \".\"
            //- apps/ms.yaml
            # metrics-server
            //- apps/other.yaml
            # metrics-server
            //- over/apps/other.yaml
            # metrics-server
            //- templates/apps/alone.yaml.j2
            # metrics-server
            //- templates/apps/ms.yaml.j2
            # metrics-server
            ",
        );
        let ours = sources.iter().filter(|(_, it)| it.relevance == Relevance::Subject);
        let ours: Vec<&str> = ours.map(|(_, it)| &*it.path).collect();
        assert_eq!(ours, ["apps/ms.yaml", "apps/other.yaml", "templates/apps/alone.yaml.j2"]);
    }

    #[test]
    fn what_a_path_will_hold_is_where_its_templates_are() {
        let settings = "[makejinja]\ninputs = [\"./over\", \"in\"]\n";
        let sources = fixture(&format!(
            "\
//- makejinja.toml
{settings}output = \"./\"
jinja_suffix = \".j2\"
//- over/apps/a/x.yaml
a: 1
//- in/apps/b/x.yaml.j2
a: {{{{ b }}}}
//- there/x.yaml
a: 1
//- in/there/x.yaml
a: 1
//- sub/makejinja.toml
{settings}output = \"out\"
//- sub/in/c/x.yaml.j2
a: 1
//- other/makejinja.toml
[makejinja]
inputs = 3
"
        ));
        let at = |path: &str| sources.below_root(path).unwrap_or_default();
        assert_eq!(at("./apps/a"), "over/apps/a");
        assert_eq!(at("apps/b/"), "in/apps/b");
        assert_eq!(at("apps"), "in/apps", "the last input counts");
        assert_eq!(at("apps/b/x.yaml"), "in/apps/b/x.yaml");
        assert_eq!(at("there"), "there", "what is there is not looked for");
        assert_eq!(at("sub/out/c"), "sub/in/c");
        assert_eq!(at("sub/outer/c"), "sub/outer/c");
        assert_eq!(at("."), "");
        assert_eq!(sources.below_root("../x"), None);
        let made = |path| sources.made_of(path).into_owned();
        assert_eq!(made("in/apps/b"), "apps/b");
        assert_eq!(made("sub/in/c"), "sub/out/c");
        assert_eq!(made("inner/apps"), "inner/apps");
    }
}
