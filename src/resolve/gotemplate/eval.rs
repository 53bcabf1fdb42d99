//! Runs a template: Go's `text/template/exec.go`, over values that may be unknown.

mod operands;

use std::{iter, mem, ops::Range, rc::Rc, sync::Arc};

use super::{
    GoHost, TemplateSet,
    parse::{self, Action, Pipeline},
    text::{Ghost, MarkedText},
    value::{GoData, GoValue},
};
use crate::{
    problem::Problem,
    tree::{Origin, Reason, Via},
};

/// What one run may cost; what takes more is taken for a loop. A byte that is made costs two.
const MAX_WORK: usize = 160_000_000;

/// The same for all templates of a set, and of what counts together with it: one that does too much leaves
/// the others enough.
pub(super) const MAX_ALL_WORK: usize = 20 * MAX_WORK;

/// What an action costs, and a value in a list or a map that is looked through.
pub(super) const STEP: usize = 100;

/// How often a template may fail that goes on: each failure is kept with its places.
const MAX_FAILURES: usize = 1000;

/// Templates, blocks and parentheses may be in one another to this depth.
const MAX_DEPTH: usize = 100;

/// Lists and maps may be in one another to this depth.
const MAX_NESTING: usize = 100;

/// A template that includes itself does so this often where nobody can tell whether it is run.
const MAX_UNCERTAIN: usize = 4;

/// What ends a template.
#[derive(Debug, Clone)]
pub(crate) struct GoError {
    pub message: String,
    pub at: Origin,
    /// The templates that led there, innermost first, each with where it was called.
    pub way: Vec<(String, Origin)>,
    /// Whether it is our bound rather than what Go would say.
    pub bound: bool,
    /// Whether it is what the template says itself, by `fail`.
    pub said: bool,
}

impl GoError {
    pub(crate) fn new(message: impl Into<String>, at: &Origin) -> Self {
        let (message, at) = (message.into(), at.clone());
        Self { message, at, way: Vec::new(), bound: false, said: false }
    }

    /// As what keeps a chart or a file from being rendered.
    pub(crate) fn problem(&self) -> Problem {
        let message = self.message.clone();
        let mut problem = match self.bound {
            // What it had printed is left out with the rest.
            true => Problem::unresolved(&self.at, message).hiding_objects(),
            false => Problem::refused(&self.at, message),
        };
        for (name, at) in self.way.iter().take(4) {
            problem = problem.also(at, format!("`{name}` is included here"));
        }
        problem
    }
}

/// A result, or what ends the template.
pub(super) type Evaluated<T> = Result<T, Box<GoError>>;

pub(super) fn fail<T>(message: impl Into<String>, at: &Origin) -> Evaluated<T> {
    Err(Box::new(GoError::new(message, at)))
}

/// What is more than is worked through.
pub(super) fn bound<T>(message: &str, at: &Origin) -> Evaluated<T> {
    Err(Box::new(GoError { bound: true, ..GoError::new(message, at) }))
}

/// What an action leads to.
enum Flow {
    Next,
    Break,
    Continue,
}

/// One run of a template.
pub(crate) struct Execution<'a> {
    pub(super) set: &'a TemplateSet,
    pub(super) host: &'a dyn GoHost,
    work: usize,
    depth: usize,
    /// What texts define that are templates themselves, for as long as they run.
    pub(super) local: Vec<Rc<(parse::Parsed, Arc<MarkedText>)>>,
    /// The templates that are run now, outermost first.
    names: Vec<String>,
    /// The innermost of them.
    frame: Frame,
    /// Why it cannot be told whether what is run now is run at all.
    uncertain: Option<Reason>,
    /// Why the loop that is run now may have been left.
    left: Option<Reason>,
    /// What went wrong, where what fails is unknown and the rest goes on.
    failures: Option<Vec<GoError>>,
}

/// A template that is run.
struct Frame {
    text: Arc<MarkedText>,
    /// What `.` is.
    dot: GoValue,
    /// The variables, innermost last.
    variables: Vec<(String, GoValue)>,
    /// What it printed so far.
    out: MarkedText,
}

impl Frame {
    fn origin(&self, at: &Range<usize>) -> Origin {
        let none = || Origin::at(Via::Written, None);
        self.text.origin_of(at.clone()).unwrap_or_else(none)
    }

    fn variable(&mut self, name: &str, at: &Range<usize>) -> Evaluated<&mut GoValue> {
        match self.variables.iter().rposition(|(it, _)| it == name) {
            Some(index) => Ok(&mut self.variables[index].1),
            None => fail(format!("the variable `{name}` is not defined"), &self.origin(at)),
        }
    }

    /// Keeps what a condition that does not hold would have printed: only what the template itself
    /// writes there, as keys, for which nothing is run.
    fn ghost(&mut self, then: &[Action], value: &GoValue) {
        let mut ghost = MarkedText::default();
        for action in then {
            match action {
                Action::Text(range) => ghost.push_part(&self.text, range.clone()),
                Action::Print(_) if ghost.as_str().ends_with(':') => ghost.push_made(" x"),
                Action::Print(_) => ghost.push_made("x"),
                _ => {}
            }
        }
        if ghost.as_str().contains(':') {
            let (at, by) = (self.out.len(), value.origin.clone());
            self.out.ghosts.push(Ghost { at, text: ghost.into(), by });
        }
    }
}

impl<'a> Execution<'a> {
    pub(super) fn new(set: &'a TemplateSet, host: &'a dyn GoHost) -> Self {
        let (local, names) = (Vec::new(), Vec::new());
        let (uncertain, left, failures) = (None, None, None);
        let dot = GoValue::nil(&Origin::at(Via::Written, None));
        let (text, variables, out) = (Arc::default(), Vec::new(), MarkedText::default());
        let frame = Frame { text, dot, variables, out };
        Self { set, host, work: 0, depth: 0, local, names, frame, uncertain, left, failures }
    }

    /// The same, which goes on where something fails.
    pub(super) fn going_on(self) -> Self {
        Self { failures: Some(Vec::new()), ..self }
    }

    /// What went wrong.
    pub(super) fn failures(self) -> Vec<GoError> {
        self.failures.unwrap_or_default()
    }

    /// What the template `name` prints of `dot`.
    pub(super) fn template(
        &mut self,
        name: &str,
        dot: &GoValue,
        at: &Origin,
    ) -> Evaluated<MarkedText> {
        let set = self.set;
        let local = self.local.iter().rev().find_map(|it| {
            let index = it.0.defines.iter().rposition(|(defined, _)| defined == name)?;
            Some((Rc::clone(it), index))
        });
        let found = match &local {
            Some((local, index)) => local.0.defines.get(*index).map(|it| (&*it.1, &local.1)),
            None => set.find(name),
        };
        let Some((body, text)) = found else {
            if let Some(why) = self.host.elsewhere() {
                return Ok(MarkedText::unknown(&why, at));
            }
            return fail(format!("there is no template \"{name}\""), at);
        };
        if let Some(why) = &self.uncertain
            && self.names.iter().filter(|it| *it == name).count() >= MAX_UNCERTAIN
        {
            // What ends the recursion cannot be told either.
            return Ok(MarkedText::unknown(why, at));
        }
        self.body(body, text, name, dot, at)
    }

    /// What the actions of `body`, which stand in `text`, print of `dot`.
    pub(super) fn body(
        &mut self,
        body: &[Action],
        text: &Arc<MarkedText>,
        name: &str,
        dot: &GoValue,
        at: &Origin,
    ) -> Evaluated<MarkedText> {
        self.deeper(at)?;
        self.names.push(name.to_owned());
        let variables = vec![("$".to_owned(), dot.clone())];
        let (text, dot, out) = (Arc::clone(text), dot.clone(), MarkedText::default());
        let outer = mem::replace(&mut self.frame, Frame { text, dot, variables, out });
        let result = self.actions(body);
        let out = mem::replace(&mut self.frame, outer).out;
        self.names.pop();
        self.depth -= 1;
        match result {
            Ok(_) if out.is_cut => bound("the template prints too much", at),
            Ok(_) => Ok(out),
            Err(mut error) => {
                error.way.push((name.to_owned(), at.clone()));
                Err(error)
            }
        }
    }

    fn deeper(&mut self, at: &Origin) -> Evaluated<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return bound("its templates include one another too deeply", at);
        }
        Ok(())
    }

    fn step(&mut self, at: &Range<usize>) -> Evaluated<()> {
        match self.does(STEP) {
            true => Ok(()),
            false => bound("the templates run too long", &self.frame.origin(at)),
        }
    }

    /// Counts what is done; whether that is within limits.
    fn does(&mut self, cost: usize) -> bool {
        self.work = self.work.saturating_add(cost);
        let all = self.set.work.get().saturating_add(cost);
        self.set.work.set(all);
        self.work <= MAX_WORK && all <= MAX_ALL_WORK
    }

    /// What was counted so far.
    pub(super) fn worked(&self) -> usize {
        self.work
    }

    /// Counts what is made or looked through, so that what doubles takes neither time nor memory.
    pub(super) fn work(&mut self, cost: usize, at: &Origin) -> Evaluated<()> {
        match self.does(cost) {
            true => Ok(()),
            false => bound("the templates make too much", at),
        }
    }

    /// Counts a text or a list that was made.
    pub(super) fn made(&mut self, value: &GoValue, at: &Origin) -> Evaluated<()> {
        match &value.data {
            GoData::Text(text) if text.is_cut => bound("the text is too long", at),
            GoData::Text(text) => self.work(text.cost(), at),
            GoData::List(items) => self.work(40 * items.len(), at),
            _ => Ok(()),
        }
    }

    /// Counts all that is in `value`, before anything looks through it.
    pub(super) fn weigh(&mut self, value: &GoValue, depth: usize, at: &Origin) -> Evaluated<()> {
        if depth > MAX_NESTING {
            return bound("its values nest too deeply", at);
        }
        self.work(STEP, at)?;
        match &value.data {
            GoData::Text(text) => self.work(text.cost(), at),
            GoData::List(items) => items.iter().try_for_each(|it| self.weigh(it, depth + 1, at)),
            GoData::Map(map) => {
                let map = map.borrow();
                map.entries.values().try_for_each(|(_, it)| self.weigh(it, depth + 1, at))
            }
            GoData::Object(object) => match object.map() {
                Some(map) => self.weigh(&map, depth, at),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// A value, or, where the rest goes on, what is unknown because it fails.
    fn gone_on(&mut self, value: Evaluated<GoValue>, at: &Range<usize>) -> Evaluated<GoValue> {
        let error = match (value, &self.uncertain) {
            (Err(error), None) if !error.bound => error,
            (value, _) => return value,
        };
        let Some(failures) = &mut self.failures else { return Err(error) };
        let origin = self.frame.origin(at);
        if failures.len() >= MAX_FAILURES {
            return bound("the templates fail too often", &origin);
        }
        let value = match error.said {
            true => GoValue::nil(&origin),
            false => GoValue::unknown(&*error.message, &origin),
        };
        failures.push(*error);
        Ok(value)
    }

    /// The value of the pipeline of an action; its variables take it where it `binds`.
    fn value(&mut self, pipeline: &Pipeline, binds: bool) -> Evaluated<GoValue> {
        self.step(&pipeline.at)?;
        let depth = self.depth;
        let value = match binds {
            true => self.pipeline(pipeline),
            false => self.commands(pipeline),
        };
        self.depth = depth;
        self.gone_on(value, &pipeline.at)
    }

    fn actions(&mut self, actions: &[Action]) -> Evaluated<Flow> {
        for (index, action) in actions.iter().enumerate() {
            if let Some(why) = self.left.clone().filter(|_| self.uncertain.is_none()) {
                // Whether the loop is left before this nobody can tell.
                let rest = &actions[index..];
                self.perhaps(&why, true, |run| run.actions(rest))?;
                return Ok(Flow::Next);
            }
            let scope = self.frame.variables.len();
            match action {
                Action::Text(range) => {
                    self.step(range)?;
                    self.frame.out.push_part(&self.frame.text, range.clone());
                }
                Action::Print(pipeline) => {
                    let value = self.value(pipeline, true)?;
                    if pipeline.variables.is_empty() {
                        self.weigh(&value, 0, &value.origin)?;
                        let span = self.frame.text.file_span(&pipeline.at);
                        self.frame.out.push(&value.printed(false).through(span));
                    }
                }
                Action::Branch { with, condition, then, other } => {
                    let value = self.value(condition, true)?;
                    let inner = if *with { &value } else { &self.frame.dot }.clone();
                    let flow = self.branch(&value, then, inner, other);
                    self.frame.variables.truncate(scope);
                    match flow? {
                        Flow::Next => {}
                        flow => return Ok(flow),
                    }
                }
                Action::Range { over, body, other } => {
                    self.range(over, body, other)?;
                    self.frame.variables.truncate(scope);
                }
                Action::Template { name, dot, at } => {
                    self.step(at)?;
                    let origin = self.frame.origin(at);
                    let dot = match dot {
                        Some(it) => self.pipeline(it)?,
                        None => GoValue::nil(&origin),
                    };
                    let text = self.template(name, &dot, &origin);
                    let text = text.map(|it| GoValue::text(it, &origin));
                    let text = self.gone_on(text, at)?.printed(false);
                    self.work(text.cost(), &origin)?;
                    self.frame.out.push(&text);
                }
                Action::Break => return Ok(Flow::Break),
                Action::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::Next)
    }

    /// Runs actions for which `.` is `dot`.
    fn inside(&mut self, actions: &[Action], dot: GoValue) -> Evaluated<Flow> {
        let outer = mem::replace(&mut self.frame.dot, dot);
        let flow = self.actions(actions);
        self.frame.dot = outer;
        flow
    }

    /// The side that `value` decides for. Where nobody can tell, both may be there; of what is not
    /// there is kept what it would have been.
    fn branch(
        &mut self,
        value: &GoValue,
        then: &[Action],
        inner: GoValue,
        other: &[Action],
    ) -> Evaluated<Flow> {
        self.deeper(&value.origin)?;
        let flow = match value.truth() {
            Ok(true) => self.inside(then, inner)?,
            Ok(false) => {
                if self.uncertain.is_none() {
                    self.frame.ghost(then, value);
                }
                self.actions(other)?
            }
            Err(why) => {
                self.perhaps(&why, true, |run| run.inside(then, inner))?;
                self.perhaps(&why, false, |run| run.actions(other))?;
                Flow::Next
            }
        };
        self.depth -= 1;
        Ok(flow)
    }

    /// Runs `f` where nobody can tell whether it is run: what it changes is unknown, what it prints may
    /// be there, `then` if the condition holds, and with it the loop around it may have been left.
    /// Where it fails, it is not run in anything that works.
    fn perhaps(
        &mut self,
        why: &Reason,
        then: bool,
        f: impl FnOnce(&mut Self) -> Evaluated<Flow>,
    ) -> Evaluated<()> {
        let (before, depth, out) =
            (self.uncertain.clone(), self.depth, mem::take(&mut self.frame.out));
        self.uncertain.get_or_insert_with(|| why.clone());
        let flow = f(self);
        (self.uncertain, self.depth) = (before, depth);
        let text = mem::replace(&mut self.frame.out, out);
        match flow {
            Err(error) if error.bound => return Err(error),
            Err(_) => {}
            Ok(flow) => {
                let start = self.frame.out.len();
                self.frame.out.push(&text);
                self.frame.out.perhaps_from(start, why, then);
                if !matches!(flow, Flow::Next) {
                    self.left = Some(why.clone());
                }
            }
        }
        Ok(())
    }

    fn range(&mut self, over: &Pipeline, body: &[Action], other: &[Action]) -> Evaluated<()> {
        let value = self.value(over, false)?;
        // In which round an item comes nobody can tell then.
        let disorder = value.disorder();
        let value = if disorder.is_none() { value.opened() } else { value };
        let origin = &value.origin;
        let left = self.left.take();
        self.deeper(origin)?;
        let twice = |it: GoValue| (it.clone(), it);
        let unknown = |why: Reason| twice(GoValue::unknown(why, origin));
        let number = |index: i64, at: &Origin| {
            let index = disorder.clone().map_or(GoData::Int(index), GoData::Unknown);
            GoValue::new(index, at)
        };
        let items: Box<dyn Iterator<Item = (GoValue, GoValue)>> = match &value.data {
            GoData::List(items) => {
                let numbered = (0..).zip(items.iter());
                Box::new(numbered.map(|(index, it)| (number(index, &it.origin), it.clone())))
            }
            GoData::Map(map) => {
                let keys = map.borrow().sorted();
                // What is run may change it.
                let entry = move |key: Arc<str>| {
                    let (at, item) = map.borrow().entries.get(&key).cloned()?;
                    let at = at.map_or_else(|| item.origin.clone(), Origin::written);
                    Some((GoValue::string(&*key, &at), item))
                };
                let others = iter::once_with(move || map.borrow().open.clone().map(unknown));
                Box::new(keys.into_iter().filter_map(entry).chain(others.flatten()))
            }
            GoData::Int(_) | GoData::Int64(_) if over.variables.len() > 1 => {
                let message = "range over a number has one variable";
                return fail(message, &self.frame.origin(&over.at));
            }
            GoData::Int(count) => {
                Box::new((0..*count).map(|it| twice(GoValue::new(GoData::Int(it), origin))))
            }
            GoData::Int64(count) => {
                Box::new((0..*count).map(|it| twice(GoValue::new(GoData::Int64(it), origin))))
            }
            GoData::Unknown(why) => Box::new(iter::once(unknown(why.clone()))),
            GoData::Nil => Box::new(iter::empty()),
            _ => {
                let printed = value.printed(true);
                let message = format!("range cannot iterate over {}", printed.as_str());
                return fail(message, &self.frame.origin(&over.at));
            }
        };
        let mut any = false;
        for item in items {
            any = true;
            if let Flow::Break = self.round(over, body, item, disorder.as_ref())? {
                break;
            }
        }
        self.left = left;
        if !any {
            self.actions(other)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// One round of a loop.
    fn round(
        &mut self,
        over: &Pipeline,
        body: &[Action],
        (key, item): (GoValue, GoValue),
        disorder: Option<&Reason>,
    ) -> Evaluated<Flow> {
        self.step(&over.at)?;
        let scope = self.frame.variables.len();
        let values = if over.variables.len() > 1 { vec![&key, &item] } else { vec![&item] };
        for (name, value) in over.variables.iter().zip(values) {
            self.bind(over, name, value)?;
        }
        let flow = match disorder.cloned().or_else(|| item.is_perhaps()) {
            None => self.inside(body, item)?,
            Some(why) => {
                self.perhaps(&why, true, |run| run.inside(body, item))?;
                Flow::Next
            }
        };
        self.frame.variables.truncate(scope);
        Ok(flow)
    }
}
