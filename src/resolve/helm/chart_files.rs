//! `.Files`: what else lies in a chart, as `pkg/engine/files.go` of Helm shows it to templates.

use std::{rc::Rc, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use globset::GlobBuilder;

use crate::{
    resolve::{
        gotemplate::{GoData, GoMap, GoObject, GoValue, MarkedText},
        helm::{package::Package, parsed::text_of},
    },
    source::Sources,
    tree::{Origin, Reason, Via},
};

/// The files of a chart that are no templates, or some of them.
#[derive(Debug, Default)]
pub(super) struct ChartFiles(Vec<ChartFile>);

#[derive(Debug, Clone)]
struct ChartFile {
    name: Arc<str>,
    text: Result<MarkedText, Reason>,
    bytes: Result<Arc<[u8]>, Reason>,
    at: Origin,
}

impl ChartFiles {
    pub(super) fn of(sources: &Sources, package: &Package) -> Self {
        let files = package.files.iter().map(|it| ChartFile {
            name: it.name.as_str().into(),
            text: text_of(sources, it),
            bytes: it.bytes(sources),
            at: it.place(),
        });
        Self(files.collect())
    }

    fn get(&self, name: &str) -> GoValue {
        match self.0.iter().find(|it| &*it.name == name) {
            Some(file) => file.value(),
            None => GoValue::string("", &nowhere()),
        }
    }

    fn matching(&self, pattern: &str) -> Self {
        let glob = GlobBuilder::new(pattern).literal_separator(true).empty_alternates(true).build();
        let glob = glob.map(|it| it.compile_matcher());
        let matches = |it: &&ChartFile| glob.as_ref().map_or(true, |glob| glob.is_match(&*it.name));
        Self(self.0.iter().filter(matches).cloned().collect())
    }

    /// The files by their names without their directories.
    fn by_name(&self, value: impl Fn(&ChartFile) -> GoValue) -> GoValue {
        let mut map = GoMap::default();
        for file in &self.0 {
            map.set(file.name.rsplit('/').next().unwrap_or_default(), value(file));
        }
        let at = self.0.first().map_or_else(nowhere, |it| it.at.clone());
        let text = MarkedText::yaml(&GoValue::map(map, &at).node());
        GoValue::text(if self.0.is_empty() { MarkedText::value("{}", &at) } else { text }, &at)
    }
}

impl ChartFile {
    fn value(&self) -> GoValue {
        match &self.text {
            Ok(text) => GoValue::text(text.clone(), &self.at),
            Err(why) => GoValue::unknown(why.clone(), &self.at),
        }
    }

    fn encoded(&self) -> GoValue {
        match &self.bytes {
            Ok(bytes) => GoValue::string(STANDARD.encode(bytes), &self.at),
            Err(why) => GoValue::unknown(why.clone(), &self.at),
        }
    }
}

impl GoObject for ChartFiles {
    fn field(&self, name: &str, arguments: &[GoValue]) -> Option<GoValue> {
        let object = |files: Self| {
            let at = files.0.first().map_or_else(nowhere, |it| it.at.clone());
            GoValue::new(GoData::Object(Rc::new(files)), &at)
        };
        let asked = match arguments {
            [] => None,
            [asked] => match &asked.data {
                GoData::Text(text) => match text.unknown_part() {
                    Some(why) => return Some(GoValue::unknown(why.clone(), &asked.origin)),
                    None => Some(text.as_str()),
                },
                GoData::Unknown(why) => return Some(GoValue::unknown(why.clone(), &asked.origin)),
                _ => return None,
            },
            _ => return None,
        };
        Some(match (name, asked) {
            ("Get" | "GetBytes", Some(name)) => self.get(name),
            ("Glob", Some(pattern)) => object(self.matching(pattern)),
            ("Lines", Some(name)) => {
                let value = self.get(name);
                let GoData::Text(text) = &value.data else { return Some(value) };
                let whole = text.as_str();
                let lines = match whole.strip_suffix('\n').unwrap_or(whole) {
                    "" if whole.is_empty() => Vec::new(),
                    all => text.part_of(all).split("\n"),
                };
                let lines = lines.into_iter().map(|it| GoValue::text(it, &value.origin));
                GoValue::list(lines.collect(), &value.origin)
            }
            ("AsConfig", None) => self.by_name(ChartFile::value),
            ("AsSecrets", None) => self.by_name(ChartFile::encoded),
            (name, None) => self.entries()?.into_iter().find(|(it, _)| **it == *name)?.1,
            _ => return None,
        })
    }

    fn entries(&self) -> Option<Vec<(Arc<str>, GoValue)>> {
        Some(self.0.iter().map(|it| (it.name.clone(), it.value())).collect())
    }
}

fn nowhere() -> Origin {
    Origin::at(Via::Written, None)
}
