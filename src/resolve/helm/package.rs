//! Charts that are there, as Helm loads them: from directories and from archives.
//!
//! `pkg/chart/v2/loader` of Helm 4.

use std::{io::Read as _, sync::Arc};

use flate2::read::MultiGzDecoder;

use crate::{
    data::version,
    parse::{self, Documents},
    placeholder,
    problem::Problem,
    resolve::helm::{dependencies, ignore::HelmIgnore, layer},
    scalar::{Dialect, Scalar},
    source::{self, FileId, Sources, Text},
    tree::{Node, Origin, Reason, Via},
};

/// Charts may lie in one another, but not without end.
const MAX_DEPTH: usize = 8;

/// More charts than this in one another are not loaded.
const MAX_CHARTS: usize = 256;

/// More files than this in one chart are not loaded.
const MAX_FILES: usize = 20_000;

/// How many lines of `.helmignore` are held against each of them.
const MAX_RULES: usize = 500;

/// What the archives of one chart may come to, in bytes (`MaxDecompressedChartSize`).
const MAX_UNPACKED: u64 = 100 << 20;

/// What one file may come to (`MaxDecompressedFileSize`).
const MAX_UNPACKED_FILE: u64 = 5 << 20;

/// A chart with all that lies in it.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// The chart's name; its alias where another chart depends on it by one.
    pub name: String,
    /// `Chart.yaml`
    pub metadata: Node,
    /// `values.yaml`
    pub values: Node,
    /// `values.schema.json`
    pub schema: Option<Packed>,
    /// What lies in `templates/`, by paths seen from the chart.
    pub templates: Vec<Packed>,
    /// What else lies in it, `crds/` included.
    pub files: Vec<Packed>,
    /// `dependencies` of `Chart.yaml` or `requirements.yaml`, unless none are listed.
    pub dependencies: Option<Vec<Node>>,
    /// The charts in it, in the order of their names; once [`Package::select`] has chosen, those
    /// that are not switched off, in Helm's order.
    pub charts: Vec<Package>,
    /// The entries of `dependencies` that are not there, and why it is not known whether they are
    /// switched on.
    pub missing: Vec<(Node, Option<Reason>)>,
    /// Why it is not known whether it is switched on.
    pub perhaps: Option<Reason>,
    /// Whether it lies beside the chart that it is part of once the dependencies of that are built.
    pub beside: bool,
}

/// A file of a chart.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// Its path seen from the chart.
    pub name: String,
    /// What it holds.
    pub content: PackedContent,
}

/// What a file of a chart holds.
#[derive(Debug, Clone)]
pub(crate) enum PackedContent {
    /// What this file of the repository does.
    File(FileId),
    /// These bytes of an archive that comes to count at this place.
    Packed(Arc<[u8]>, Origin),
}

/// Loads the chart in the directory `dir`; `at` is what names it.
///
/// # Errors
/// Helm refuses it, or it cannot be read.
pub(crate) fn load(sources: &Sources, dir: &str, at: &Origin) -> Result<Package, Problem> {
    ChartLoader::new(sources, at).directory(dir, MAX_DEPTH)
}

/// Loads the chart in the archive `file`; `at` is what names it.
///
/// # Errors
/// Helm refuses it, or it cannot be read.
pub(crate) fn load_archive(
    sources: &Sources,
    file: FileId,
    at: &Origin,
) -> Result<Package, Problem> {
    let default = Origin::at(Via::ChartDefault, at.written_at());
    ChartLoader::new(sources, at).archive(&PackedContent::File(file), &default, MAX_DEPTH)
}

struct ChartLoader<'a> {
    sources: &'a Sources,
    /// What names the chart.
    at: &'a Origin,
    /// The bytes that archives may still come to.
    budget: u64,
    /// The charts that may still be loaded.
    charts: usize,
}

impl<'a> ChartLoader<'a> {
    fn new(sources: &'a Sources, at: &'a Origin) -> Self {
        Self { sources, at, budget: MAX_UNPACKED, charts: MAX_CHARTS }
    }

    fn refused(&self, why: impl Into<Reason>) -> Problem {
        Problem::refused(self.at, why)
    }

    fn directory(&mut self, dir: &str, depth: usize) -> Result<Package, Problem> {
        let rules = match self.sources.find_from(dir, ".helmignore") {
            Some(file) if self.sources.text(file).lines().nth(MAX_RULES).is_some() => {
                let why =
                    format!("more than {MAX_RULES} lines: what the chart leaves out is not known");
                return Err(Problem::unresolved(&Origin::start_of(file), why));
            }
            Some(file) => HelmIgnore::parse(self.sources.text(file)).map_err(|why| {
                Problem::refused(&Origin::start_of(file), format!("Helm refuses the file: {why}"))
            })?,
            None => HelmIgnore::default(),
        };
        // Helm follows symbolic links (`internal/sympath`).
        let files = self.sources.seen_below(dir).into_iter().map(|(path, file)| Packed {
            name: path.strip_prefix(dir).unwrap_or(&path).trim_start_matches('/').to_owned(),
            content: PackedContent::File(file),
        });
        let files = files.filter(|it| !rules.ignores(&it.name)).collect();
        let mut package = self.files(files, dir, None, depth)?;
        // What a chart's own neighbours are is packed into it when its dependencies are built.
        for node in package.dependencies.clone().unwrap_or_default() {
            let repository = node.str_at("repository").unwrap_or_default();
            let beside = repository.strip_prefix("file://").and_then(|it| source::join(dir, it));
            let beside = beside.filter(|it| self.sources.is_chart(it));
            if let Some(beside) = beside
                && !package.charts.iter().any(|it| dependencies::is_meant(it, &node))
            {
                let chart = self.directory(&beside, self.deeper(depth)?)?;
                package.charts.push(Package { beside: true, ..chart });
            }
        }
        Ok(package)
    }

    /// The chart in an archive, whose files come to count at `place`.
    fn archive(
        &mut self,
        content: &PackedContent,
        place: &Origin,
        depth: usize,
    ) -> Result<Package, Problem> {
        let bytes = match content {
            PackedContent::File(file) => {
                let path = &self.sources[*file].path;
                let why = |it| Problem::unresolved(self.at, format!("`{path}` {it}"));
                Arc::from(self.sources.bytes(*file).map_err(why)?)
            }
            PackedContent::Packed(bytes, _) => bytes.clone(),
        };
        let files = self.unpack(&bytes, place)?;
        self.files(files, "", Some(place), depth)
    }

    fn unpack(&mut self, bytes: &[u8], place: &Origin) -> Result<Vec<Packed>, Problem> {
        let broken = |_| Problem::refused(self.at, "the archive of the chart is broken");
        let mut archive = tar::Archive::new(MultiGzDecoder::new(bytes).take(self.budget));
        let mut files = Vec::new();
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = String::from_utf8_lossy(&entry.path_bytes()).replace('\\', "/");
            // Everything lies in one directory, which is called as the chart is or otherwise.
            let inner = path.split_once('/').and_then(|(_, it)| source::join("", it));
            let Some(name) = inner.filter(|it| !it.is_empty() && !path.starts_with('/')) else {
                let why = "the archive of the chart holds files outside of the chart's directory";
                return Err(self.refused(why));
            };
            let size = entry.size();
            if size > MAX_UNPACKED_FILE || size > self.budget || files.len() > MAX_FILES {
                return Err(self.refused("the archive of the chart is larger than Helm reads"));
            }
            self.budget -= size;
            let mut content = Vec::new();
            entry.by_ref().take(size).read_to_end(&mut content).map_err(broken)?;
            let content = PackedContent::Packed(content.into(), place.clone());
            files.push(Packed { name, content });
        }
        Ok(files)
    }

    /// The chart that consists of `files`: those of the directory `dir`, or of an archive or another
    /// chart, whose values come to count at `place`.
    fn files(
        &mut self,
        files: Vec<Packed>,
        dir: &str,
        place: Option<&Origin>,
        depth: usize,
    ) -> Result<Package, Problem> {
        let too_many = || {
            let message = format!("more than {MAX_CHARTS} charts are in one another");
            Problem::unresolved(self.at, message)
        };
        self.charts = self.charts.checked_sub(1).ok_or_else(too_many)?;
        let find = |name: &str| files.iter().find(|it| it.name == name);
        let Some(chart) = find("Chart.yaml") else {
            return Err(self.refused("there is no `Chart.yaml` in the chart"));
        };
        let metadata =
            self.document(chart)?.ok_or_else(|| self.refused("`Chart.yaml` is empty"))?;
        let metadata = yet_to_fill_in(metadata);
        let Some(name) = metadata.str_at("name").map(str::to_owned) else {
            let why = "`Chart.yaml` has no `name`, which Helm refuses";
            return Err(Problem::refused(&metadata.origin, why));
        };
        let required = match find("requirements.yaml") {
            Some(old) => self.document(old)?,
            None => None,
        };
        let listed = required.as_ref().and_then(|it| it.get("dependencies"));
        let listed = listed.or_else(|| metadata.get("dependencies"));
        let dependencies = listed.and_then(Node::as_list).map(<[Node]>::to_vec);
        validate(&metadata, dependencies.as_deref().unwrap_or_default())?;
        let nowhere = Origin::at(Via::Written, None);
        let values = match find("values.yaml") {
            Some(file) => layer(&self.documents(file)?, &nowhere)?,
            None => layer(&Documents::default(), &nowhere)?,
        };
        let values = match place {
            Some(_) => values.map_origins(&|it| Origin::at(Via::ChartDefault, it.written_at())),
            None => values,
        };
        let mut files = files;
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let mut package = Package {
            name,
            metadata,
            values,
            schema: None,
            templates: Vec::new(),
            files: Vec::new(),
            dependencies,
            charts: Vec::new(),
            missing: Vec::new(),
            perhaps: None,
            beside: false,
        };
        let mut charts: Vec<(String, Vec<Packed>)> = Vec::new();
        let is_v1 = package.metadata.str_at("apiVersion").is_none_or(|it| it != "v2");
        for file in files {
            match &*file.name {
                "Chart.yaml" | "Chart.lock" | "values.yaml" => {}
                "values.schema.json" => package.schema = Some(file),
                "requirements.yaml" | "requirements.lock" if !is_v1 => {}
                name if name.starts_with("templates/") => package.templates.push(file),
                name if name.starts_with("charts/") && source::extension(name) != "prov" => {
                    let name = &name["charts/".len()..];
                    let (chart, inner) = name.split_once('/').unwrap_or((name, ""));
                    let (chart, name) = (chart.to_owned(), inner.to_owned());
                    let file = Packed { name, ..file };
                    match charts.last_mut().filter(|(it, _)| *it == chart) {
                        Some((_, files)) => files.push(file),
                        None => charts.push((chart, vec![file])),
                    }
                }
                _ => package.files.push(file),
            }
        }
        let entries = package.dependencies.iter().flatten();
        let entries: Vec<(String, Origin)> = entries
            .filter_map(|it| Some((it.str_at("name")?.to_owned(), it)))
            .map(|(name, it)| (name, it.get("version").unwrap_or(it).origin.clone()))
            .collect();
        for (folder, files) in charts {
            if folder.starts_with(['_', '.']) {
                continue;
            }
            // A person changes which version is unpacked, not what was.
            let entry = entries.iter().find(|(name, _)| folder.starts_with(&**name));
            let at = entry.map_or(&package.metadata.origin, |(_, at)| at);
            let packed = Origin::at(Via::ChartDefault, at.written_at());
            let depth = self.deeper(depth)?;
            let dir = source::join(dir, &format!("charts/{folder}")).unwrap_or_default();
            let packed = place.unwrap_or(&packed);
            let is_archive = source::extension(&folder) == "tgz";
            let chart = match files.first().filter(|it| is_archive && it.name.is_empty()) {
                Some(file) => self.archive(&file.content, packed, depth)?,
                None => {
                    let mut files = files;
                    files.retain(|it| !it.name.is_empty());
                    self.files(files, &dir, Some(packed), depth)?
                }
            };
            package.charts.push(chart);
        }
        Ok(package)
    }

    fn deeper(&self, depth: usize) -> Result<usize, Problem> {
        let too_deep =
            || Problem::unresolved(self.at, "the charts depend on one another too deeply");
        depth.checked_sub(1).ok_or_else(too_deep)
    }

    /// The first document of `file`.
    fn document(&self, file: &Packed) -> Result<Option<Node>, Problem> {
        let documents = self.documents(file)?;
        match documents.error() {
            Some(error) => Err(Problem::syntax(error, self.at)),
            None => Ok(documents.roots().next().cloned()),
        }
    }

    fn documents(&self, file: &Packed) -> Result<Documents, Problem> {
        match &file.content {
            PackedContent::File(id) => {
                file.text(self.sources).map_err(|it| Problem::unresolved(self.at, &*it))?;
                Ok(self.sources.documents(*id, Dialect::Sigs).clone())
            }
            PackedContent::Packed(_, place) => {
                let text = file.text(self.sources);
                let text = text.map_err(|it| Problem::unresolved(self.at, &*it))?;
                let node = Node::new(Scalar::string(text), place.clone());
                Ok(parse::embedded(self.sources, &node, Dialect::Sigs))
            }
        }
    }
}

/// `metadata` with the versions unknown that whoever packs the chart fills in: `${VERSION}`, or
/// `[[ .Version ]]` of `giantswarm/architect`, which YAML takes for a list in a list.
fn yet_to_fill_in(mut metadata: Node) -> Node {
    for field in ["version", "appVersion"] {
        let Some(value) = metadata.get(field) else { continue };
        let text = match (value.as_scalar(), value.as_list()) {
            (Some(text), _) => placeholder::has_hole(&text.text).then(|| text.text.to_string()),
            (None, Some([inner])) => match inner.as_list() {
                Some([name]) => name.as_scalar().map(|it| format!("[[ {} ]]", it.text)),
                _ => None,
            },
            (None, _) => None,
        };
        if let Some(text) = text {
            let why = format!("nothing in the repository fills in `{text}`");
            let value = Node::unknown_value(why, &value.origin);
            metadata.set(field, value);
        }
    }
    metadata
}

/// # Errors
/// Helm refuses a chart without a version, and one that depends twice on the same name
/// (`Metadata.Validate`).
fn validate(metadata: &Node, dependencies: &[Node]) -> Result<(), Problem> {
    let version = metadata.get("version");
    let is_semantic = |it: &Node| {
        it.unknown().is_some()
            || it.as_scalar().is_some_and(|it| version::lenient(&it.text).is_some())
    };
    if !version.is_some_and(is_semantic) {
        let at = metadata.get("version").map_or(&metadata.origin, |it| &it.origin);
        return Err(Problem::refused(at, "Helm refuses a chart without a semantic version"));
    }
    for (index, entry) in dependencies.iter().enumerate() {
        let key = dependencies::key(entry);
        if dependencies[..index].iter().any(|it| dependencies::key(it) == key) {
            let why = format!("more than one dependency is called `{key}`, which Helm refuses");
            return Err(Problem::refused(&entry.origin, why));
        }
    }
    Ok(())
}

impl Packed {
    /// Where it is.
    pub(crate) fn place(&self) -> Origin {
        match &self.content {
            PackedContent::File(file) => Origin::start_of(*file),
            PackedContent::Packed(_, place) => place.clone(),
        }
    }

    /// Its text.
    ///
    /// # Errors
    /// Why there is none, as a clause.
    pub(crate) fn text<'a>(&'a self, sources: &'a Sources) -> Result<&'a str, Reason> {
        let text = match &self.content {
            PackedContent::File(file) => match sources.load(*file) {
                Text::Utf8(text) => text,
                Text::Skipped(why) => {
                    return Err(format!("`{}` {why}", sources[*file].path).into());
                }
            },
            PackedContent::Packed(bytes, _) => std::str::from_utf8(bytes)
                .map_err(|_| Reason::from(format!("`{}` is not text in UTF-8", self.name)))?,
        };
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// Its bytes.
    ///
    /// # Errors
    /// Why they cannot be read, as a clause.
    pub(crate) fn bytes(&self, sources: &Sources) -> Result<Arc<[u8]>, Reason> {
        match &self.content {
            PackedContent::Packed(bytes, _) => Ok(bytes.clone()),
            PackedContent::File(file) => {
                let why = |it| Reason::from(format!("`{}` {it}", sources[*file].path));
                sources.bytes(*file).map(Arc::from).map_err(why)
            }
        }
    }
}

impl Package {
    /// # Errors
    /// Helm refuses a chart while one that it lists is not in `charts/`, also where that is switched
    /// off (`CheckDependencies`). Tools that build dependencies themselves never do.
    pub(crate) fn is_built(&self) -> Result<(), Problem> {
        let is_there = |entry: &&Node| {
            let mut charts = self.charts.iter().filter(|it| !it.beside);
            charts.any(|it| entry.str_at("name") == Some(&it.name))
        };
        let missing: Vec<&Node> =
            self.dependencies.iter().flatten().filter(|it| !is_there(it)).collect();
        let [first, ..] = *missing else { return Ok(()) };
        let names = missing.iter().filter_map(|it| it.get("name")?.as_scalar());
        let names: Vec<String> = names.map(|it| format!("`{}`", it.text)).collect();
        let message = format!(
            "Helm refuses the chart, which lists what is not in `charts/`: {}",
            names.join(", ")
        );
        let at = first.get("name").map_or(&first.origin, |it| &it.origin);
        Err(Problem::refused(at, message).help("run `helm dependency build`"))
    }

    /// Whether its templates are only there for others to use.
    pub(crate) fn is_library(&self) -> bool {
        self.metadata.str_at("type") == Some("library")
    }
}
