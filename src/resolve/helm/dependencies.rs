//! The charts that a chart depends on: which of them are installed, and with which values.
//!
//! `pkg/chart/v2/util/dependencies.go` and `pkg/chart/common/util/coalesce.go` of Helm 4.

use crate::{
    data::version::{self, Constraint},
    problem::Problem,
    resolve::helm::{coalesce, merge, package::Package, render::MOST_VALUES},
    tree::{Entry, MAX_DEPTH, Map, Node, Origin, Reason},
};

/// The name by which values and templates know the chart of an entry of `dependencies`.
pub(crate) fn key(entry: &Node) -> &str {
    let alias = entry.str_at("alias").filter(|it| !it.is_empty());
    alias.or_else(|| entry.str_at("name")).unwrap_or_default()
}

/// Whether `chart` is the one that an entry of `dependencies` names, in a version that it allows.
pub(crate) fn is_meant(chart: &Package, entry: &Node) -> bool {
    let text = |node: &Node, key: &str| {
        let scalar = node.get(key).and_then(Node::as_scalar);
        scalar.map(|it| it.text.to_string()).unwrap_or_default()
    };
    let allows = || {
        let constraint = Constraint::parse(&text(entry, "version"))?;
        Some(constraint.holds(&version::lenient(&text(&chart.metadata, "version"))?))
    };
    entry.str_at("name") == Some(&chart.name) && allows() == Some(true)
}

/// Leaves open what else is in `values` and in the mappings in it.
fn open(values: &mut Node, why: &Reason) {
    let Some(map) = values.as_map_mut() else { return };
    map.open = Some(why.clone());
    map.iter_mut().for_each(|(_, it)| open(&mut it.value, why));
}

impl Package {
    /// The chart with those below it that `values`, the user's, do not switch off, by the names by
    /// which they are depended on, and with the values that it imports from them
    /// (`ProcessDependencies`).
    ///
    /// # Errors
    /// Helm refuses values for a chart that are no mapping.
    pub(crate) fn select(mut self, values: &Node) -> Result<Self, Problem> {
        self.switch(values, "")?;
        self.import()?;
        Ok(self)
    }

    /// Keeps the charts that `over` does not switch off, in which its own values stand at `path`.
    fn switch(&mut self, over: &Node, path: &str) -> Result<(), Problem> {
        // What lies below a chart that lists none is not looked at.
        let Some(mut entries) = self.dependencies.take() else { return Ok(()) };
        let is_listed = |it: &&Self| entries.iter().any(|entry| is_meant(it, entry));
        let (listed, mut charts): (Vec<_>, Vec<_>) = self.charts.iter().partition(is_listed);
        let mut charts: Vec<Self> = charts.drain(..).cloned().collect();
        let is_there =
            |entry: &Node| self.charts.iter().any(|it| entry.str_at("name") == Some(&it.name));
        for entry in &entries {
            match listed.iter().find(|it| is_meant(it, entry)) {
                Some(&chart) => charts.push(Self { name: key(entry).to_owned(), ..chart.clone() }),
                // Of a version that is not meant, Helm says nothing.
                None if is_there(entry) => {}
                None => self.missing.push((entry.clone(), None)),
            }
        }
        self.charts = charts;
        let values = self.complete(over)?;
        let states = entries.iter().map(|it| (key(it).to_owned(), is_enabled(it, &values, path)));
        let states: Vec<(String, Result<bool, Reason>)> = states.collect();
        let state = |name: &str| {
            let state = states.iter().find(|(it, _)| it == name);
            state.map_or(Ok(true), |(_, state)| state.clone())
        };
        entries.retain(|it| state(key(it)) != Ok(false));
        for entry in &mut entries {
            if let Some(alias) = entry.get("alias").filter(|it| it.as_str() != Some("")).cloned() {
                entry.set("name", alias);
            }
        }
        self.charts.retain(|it| state(&it.name) != Ok(false));
        self.missing.retain(|(entry, _)| state(key(entry)) != Ok(false));
        for (entry, perhaps) in &mut self.missing {
            *perhaps = state(key(entry)).err();
        }
        for chart in &mut self.charts {
            chart.perhaps = state(&chart.name).err();
            chart.switch(&values, &format!("{path}{}.", chart.name))?;
        }
        // To Helm, none that is left is the same as none that is listed.
        self.dependencies = Some(entries).filter(|it| !it.is_empty());
        Ok(())
    }
}

/// Whether a dependency is installed: by the first of its conditions that is a boolean among the
/// `values`, where those of the chart stand at `path`, else by the tags.
fn is_enabled(entry: &Node, values: &Node, path: &str) -> Result<bool, Reason> {
    let conditions = entry.str_at("condition").unwrap_or_default().trim().split(',');
    for condition in conditions.filter(|it| !it.is_empty()) {
        let value = values.look(&format!("{path}{condition}")).map_err(|(why, _)| why)?;
        if let Some(enabled) = value.and_then(Node::as_bool) {
            return Ok(enabled);
        }
    }
    let mut any_false = false;
    for tag in entry.items_at("tags").iter().filter_map(Node::as_str) {
        let tags = values.look("tags").map_err(|(why, _)| why)?;
        match tags.and_then(|it| it.get(tag)?.as_bool()) {
            Some(true) => return Ok(true),
            Some(false) => any_false = true,
            None => {}
        }
    }
    Ok(!any_false)
}

impl Package {
    /// The values of the chart and of those below it: the user's, `over`, completed by their own
    /// (`CoalesceValues`).
    ///
    /// # Errors
    /// Helm refuses values for a chart that are no mapping.
    pub(crate) fn complete(&self, over: &Node) -> Result<Node, Problem> {
        // A null among the chart's own is none, but for a null of the user's.
        let mut values = coalesce(over, &without_nulls(&self.values));
        for (key, _) in self.values.entries().filter(|(_, it)| it.value.is_null()) {
            if let Some(by) = over.get(key).filter(|it| it.is_null())
                && let Some(map) = values.as_map_mut()
            {
                map.remove_by(key, by.origin.clone());
            }
        }
        for chart in &self.charts {
            let below = chart.complete(&with_globals(self.below(chart, over)?, &values))?;
            values.set(&chart.name, below);
        }
        Ok(values)
    }

    /// `values` as templates see them: Helm puts those of a chart itself below its name, also of one that
    /// is not here.
    pub(crate) fn with_unknown_defaults(&self, mut values: Node) -> Node {
        for (entry, _) in &self.missing {
            let name = key(entry);
            let nothing = || Node::new(Map::default(), entry.origin.clone());
            let mut below = values.get(name).cloned().unwrap_or_else(nothing);
            open(&mut below, &format!("the chart {name} is not in the repository").into());
            values.set(name, below);
        }
        for chart in &self.charts {
            if let Some(below) = values.get(&chart.name).cloned() {
                values.set(&chart.name, chart.with_unknown_defaults(below));
            }
        }
        values
    }

    /// What reaches `chart` of the values of the one above it, and `over` these.
    ///
    /// A null of the user's deletes what the chart below has; one of the chart above does only where
    /// the user sets something beside it.
    fn below(&self, chart: &Self, over: &Node) -> Result<Node, Problem> {
        let name = &*chart.name;
        let own = self.values.get(name);
        let empty = |at: &Origin| Node::new(Map::default(), at.clone());
        let below = match (over.look(name), own) {
            (Err((why, at)), _) => return Ok(Node::unknown_value(why, &at)),
            (Ok(None), None) => return Ok(empty(&self.values.origin)),
            (Ok(None), Some(own)) if own.is_null() => return Ok(empty(&own.origin)),
            (Ok(None), Some(own)) => without_nulls(own),
            (Ok(Some(over)), Some(_)) if over.is_null() => return Ok(empty(&over.origin)),
            (Ok(Some(over)), Some(own)) if own.as_map().is_some() => merge(own, over),
            (Ok(Some(over)), _) => over.clone(),
        };
        table(name, below)
    }

    /// Takes over what it imports from the charts below it (`processImportValues`).
    fn import(&mut self) -> Result<(), Problem> {
        for chart in &mut self.charts {
            chart.import()?;
        }
        let Some(entries) = &self.dependencies else { return Ok(()) };
        let imports = entries.iter().flat_map(|it| {
            it.items_at("import-values")
                .iter()
                .map(move |from| (it.str_at("name").unwrap_or_default(), from))
        });
        let own = self.merged(&Node::new(Map::default(), self.values.origin.clone()))?;
        let mut imported = Node::new(Map::default(), self.values.origin.clone());
        let mut left = MOST_VALUES;
        for (key, from) in imports {
            let (child, parent) = match from.as_str() {
                Some(name) => (format!("exports.{name}"), "."),
                None => {
                    let child = from.str_at("child").unwrap_or_default().to_owned();
                    (child, from.str_at("parent").unwrap_or_default())
                }
            };
            let table =
                own.get(key).and_then(|it| if child == "." { Some(it) } else { it.at(&child) });
            if let Some(table) = table.filter(|it| it.as_map().is_some()) {
                let Some(rest) = left.checked_sub(table.walk().take(left + 1).count()) else {
                    let why = format!("more than {MOST_VALUES} values are imported from charts");
                    return Err(Problem::unresolved(&from.origin, why).hiding_objects());
                };
                left = rest;
                if parent.split('.').count() + table.depth() > MAX_DEPTH {
                    let why = "the values that are imported from charts are nested too deeply";
                    return Err(Problem::unresolved(&from.origin, why).hiding_objects());
                }
                imported = merge(&nested(parent, table.clone()), &imported);
            }
        }
        self.values = merge(&imported, &own);
        Ok(())
    }

    /// Its own values and those of the charts below it, nulls included (`MergeValues`).
    fn merged(&self, over: &Node) -> Result<Node, Problem> {
        let mut values = merge(&self.values, over);
        for chart in &self.charts {
            let below = match values.get(&chart.name) {
                Some(below) => table(&chart.name, below.clone())?,
                None => Node::new(Map::default(), values.origin.clone()),
            };
            let below = chart.merged(&with_globals(below, &values))?;
            values.set(&chart.name, below);
        }
        Ok(values)
    }
}

/// `values` of the chart called `name`, unless they certainly are none.
pub(super) fn table(name: &str, values: Node) -> Result<Node, Problem> {
    if values.as_map().is_some() || values.unknown().is_some() {
        return Ok(values);
    }
    let message = format!("`{name}` takes the values of a chart, and is not a map");
    Err(Problem::wrong_type(&values.origin, message).about(name))
}

/// `values` without nulls, but for those in lists.
fn without_nulls(values: &Node) -> Node {
    let mut values = values.clone();
    if values.walk().any(Node::is_null)
        && let Some(map) = values.as_map_mut()
    {
        map.retain(|_, entry| !entry.value.is_null());
        for (_, entry) in map.iter_mut() {
            entry.value = without_nulls(&entry.value);
        }
    }
    values
}

/// `table` at `path`; `.` is the place itself.
fn nested(path: &str, table: Node) -> Node {
    if path == "." {
        return table;
    }
    path.rsplit('.').fold(table, |inner, key| {
        let origin = inner.origin.clone();
        Node::new([(key, inner)], origin)
    })
}

/// `values` of a chart with `global` of those `above` it, which win (`coalesceGlobals`).
pub(super) fn with_globals(mut values: Node, above: &Node) -> Node {
    let own = match values.look("global") {
        Ok(None) => Node::new(Map::default(), values.origin.clone()),
        Ok(Some(own)) => own.clone(),
        Err(_) => return values,
    };
    let merged = match (own.as_map(), above.look("global")) {
        (Some(own_map), Ok(Some(global))) => match global.as_map() {
            Some(global_map) => {
                let mut map = own_map.clone();
                for (key, entry) in global_map.iter() {
                    let (old, is_map) = (own_map.get(key), entry.value.as_map().is_some());
                    let value = match old {
                        // What is a map on one side only stays as the chart below has it.
                        Some(old)
                            if old.as_map().is_some() != is_map
                                && (is_map || old.as_map().is_some()) =>
                        {
                            continue;
                        }
                        Some(old) if is_map => merge(old, &entry.value),
                        _ => entry.value.clone(),
                    };
                    map.insert(key, Entry { key: entry.key, value });
                }
                Node::new(map, own.origin.clone())
            }
            None => return values,
        },
        (Some(_), Ok(None)) => own,
        (Some(_), Err((why, at))) => Node::unknown_value(why, &at),
        (None, _) => return values,
    };
    values.set("global", merged);
    values
}
