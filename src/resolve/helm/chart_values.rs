//! `.Values`, and what else is `common.Values`: a map with methods, as `pkg/chart/common/values.go` of
//! Helm 4 has them.

use std::rc::Rc;

use super::chart_files::asked;
use crate::resolve::gotemplate::{GoData, GoObject, GoValue, MarkedText};

/// A map with the methods of `common.Values`; others may have the same without them.
#[derive(Debug)]
pub(super) struct ChartValues(GoValue);

impl ChartValues {
    /// What is no map stays what it is.
    pub(super) fn of(values: GoValue) -> GoValue {
        match &values.data {
            GoData::Map(_) => {
                let origin = values.origin.clone();
                GoValue::new(GoData::Object(Rc::new(Self(values))), &origin)
            }
            _ => values,
        }
    }

    /// What stands at `path` in maps; nothing where there is none.
    fn at(&self, path: &str) -> Option<GoValue> {
        let mut value = self.0.clone();
        for key in path.split('.') {
            value = match value.data {
                GoData::Unknown(_) => break,
                _ => value.key(key)?,
            };
        }
        Some(value)
    }
}

impl GoObject for ChartValues {
    /// A method counts before a key.
    fn field(&self, name: &str, arguments: &[GoValue]) -> Option<GoValue> {
        let path = match asked(arguments) {
            Ok(path) => path,
            Err(value) => return value,
        };
        let found = path.and_then(|it| self.at(it));
        match (name, path, found) {
            ("AsMap", None, _) => Some(self.0.clone()),
            ("YAML", None, _) => {
                let mut text = MarkedText::yaml(&self.0.printed_node());
                text.push_made("\n");
                Some(GoValue::text(text, &self.0.origin))
            }
            ("Table" | "PathValue", _, Some(it)) if matches!(it.data, GoData::Unknown(_)) => {
                Some(it)
            }
            ("Table", _, Some(it)) if matches!(it.data, GoData::Map(_)) => Some(Self::of(it)),
            ("PathValue", _, Some(it)) if !it.is_nil() && !matches!(it.data, GoData::Map(_)) => {
                Some(it)
            }
            ("AsMap" | "YAML" | "Table" | "PathValue" | "Encode", ..) => None,
            (key, None, _) => self.0.key(key),
            _ => None,
        }
    }

    fn type_and_kind(&self) -> (&'static str, &'static str) {
        ("common.Values", "map")
    }

    fn map(&self) -> Option<GoValue> {
        Some(self.0.clone())
    }
}
