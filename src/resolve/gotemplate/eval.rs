//! Runs a template: Go's `text/template/exec.go`, over values that may be unknown.

mod operands;

use std::{ops::Range, rc::Rc};

use super::{
    GoHost, TemplateSet,
    parse::{self, Action, Pipeline},
    text::{Ghost, MarkedText},
    value::{GoData, GoValue},
};
use crate::{
    problem::Problem,
    source::Span,
    tree::{Origin, Reason},
};

/// What one run may cost; what takes more is taken for a loop. A byte that is made costs two.
const MAX_WORK: usize = 64_000_000;

/// What an action costs, and a value in a list or a map that is looked through.
const STEP: usize = 100;

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
        let make = if self.bound { Problem::unresolved } else { Problem::refused };
        let mut problem = make(&self.at, self.message.clone());
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
    pub(super) local: Vec<Rc<(parse::Parsed, MarkedText)>>,
    /// The templates that are run now, outermost first.
    names: Vec<String>,
    /// Why it cannot be told whether what is run now is run at all.
    uncertain: Option<Reason>,
    /// Why the loop that is run now may have been left.
    left: Option<Reason>,
    /// What went wrong, where what fails is unknown and the rest goes on.
    failures: Option<Vec<GoError>>,
}

/// The variables of a template, innermost last.
struct GoVariables(Vec<(String, GoValue)>);

/// The template whose actions are run, and its text.
#[derive(Clone, Copy)]
struct Place<'a> {
    text: &'a MarkedText,
}

impl Place<'_> {
    fn origin(self, at: &Range<usize>) -> Origin {
        let none = || Origin::at(crate::tree::Via::Written, None);
        self.text.origin_of(at.clone()).unwrap_or_else(none)
    }

    /// Where it is written, if a file of the repository holds it.
    fn span(self, at: &Range<usize>) -> Option<Span> {
        self.text.file_span(at)
    }
}

impl<'a> Execution<'a> {
    pub(super) fn new(set: &'a TemplateSet, host: &'a dyn GoHost) -> Self {
        let names = Vec::new();
        let local = Vec::new();
        Self {
            set,
            host,
            work: 0,
            depth: 0,
            names,
            local,
            uncertain: None,
            left: None,
            failures: None,
        }
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
        text: &MarkedText,
        name: &str,
        dot: &GoValue,
        at: &Origin,
    ) -> Evaluated<MarkedText> {
        self.deeper(at)?;
        self.names.push(name.to_owned());
        let mut variables = GoVariables(vec![("$".to_owned(), dot.clone())]);
        let mut out = MarkedText::default();
        let result = self.actions(body, Place { text }, dot, &mut variables, &mut out);
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

    fn step(&mut self, place: Place<'_>, at: &Range<usize>) -> Evaluated<()> {
        self.work += STEP;
        if self.work > MAX_WORK {
            return bound("the template runs too long", &place.origin(at));
        }
        Ok(())
    }

    /// Counts what is made or looked through, so that what doubles takes neither time nor memory.
    pub(super) fn work(&mut self, cost: usize, at: &Origin) -> Evaluated<()> {
        self.work = self.work.saturating_add(cost);
        if self.work > MAX_WORK {
            return bound("the template makes too much", at);
        }
        Ok(())
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
    pub(super) fn weigh(&mut self, value: &GoValue, at: &Origin) -> Evaluated<()> {
        self.weigh_in(value, 0, at)
    }

    fn weigh_in(&mut self, value: &GoValue, depth: usize, at: &Origin) -> Evaluated<()> {
        if depth > MAX_NESTING {
            return bound("its values nest too deeply", at);
        }
        self.work(STEP, at)?;
        match &value.data {
            GoData::Text(text) => self.work(text.cost(), at),
            GoData::List(items) => items.iter().try_for_each(|it| self.weigh_in(it, depth + 1, at)),
            GoData::Map(map) => {
                let map = map.borrow();
                map.entries.values().try_for_each(|(_, it)| self.weigh_in(it, depth + 1, at))
            }
            _ => Ok(()),
        }
    }

    /// A value, or, where the rest goes on, what is unknown because it fails.
    fn gone_on(
        &mut self,
        value: Evaluated<GoValue>,
        place: Place<'_>,
        at: &Range<usize>,
    ) -> Evaluated<GoValue> {
        let error = match (value, &self.uncertain) {
            (Err(error), None) if !error.bound => error,
            (value, _) => return value,
        };
        let Some(failures) = &mut self.failures else { return Err(error) };
        let origin = place.origin(at);
        let value = match error.said {
            true => GoValue::nil(&origin),
            false => GoValue::unknown(&*error.message, &origin),
        };
        failures.push(*error);
        Ok(value)
    }

    fn actions(
        &mut self,
        actions: &[Action],
        place: Place<'_>,
        dot: &GoValue,
        variables: &mut GoVariables,
        out: &mut MarkedText,
    ) -> Evaluated<Flow> {
        for (index, action) in actions.iter().enumerate() {
            if let Some(why) = self.left.clone().filter(|_| self.uncertain.is_none()) {
                // Whether the loop is left before this nobody can tell.
                let rest = &actions[index..];
                self.perhaps(&why, true, out, |run, out| {
                    run.actions(rest, place, dot, variables, out)
                })?;
                return Ok(Flow::Next);
            }
            let depth = self.depth;
            match action {
                Action::Text(range) => {
                    self.step(place, range)?;
                    out.push_part(place.text, range.clone());
                }
                Action::Print(pipeline) => {
                    self.step(place, &pipeline.at)?;
                    let value = self.pipeline(pipeline, place, dot, variables);
                    let value = self.gone_on(value, place, &pipeline.at)?;
                    self.depth = depth;
                    if pipeline.variables.is_empty() {
                        self.weigh(&value, &value.origin)?;
                        let printed = value.printed(false);
                        let printed = printed.through(place.span(&pipeline.at));
                        out.push(&printed);
                    }
                }
                Action::Branch { with, condition, then, other } => {
                    self.step(place, &condition.at)?;
                    let scope = variables.0.len();
                    let value = self.pipeline(condition, place, dot, variables);
                    let value = self.gone_on(value, place, &condition.at)?;
                    self.depth = depth;
                    let inner = if *with { &value } else { dot };
                    let flow =
                        self.branch(&value, [(then, inner), (other, dot)], place, variables, out);
                    variables.0.truncate(scope);
                    match flow? {
                        Flow::Next => {}
                        flow => return Ok(flow),
                    }
                }
                Action::Range { over, body, other } => {
                    self.step(place, &over.at)?;
                    let scope = variables.0.len();
                    self.range(over, body, other, place, dot, variables, out)?;
                    variables.0.truncate(scope);
                }
                Action::Template { name, dot: argument, at } => {
                    self.step(place, at)?;
                    let origin = place.origin(at);
                    let argument = match argument {
                        Some(it) => self.pipeline(it, place, dot, variables)?,
                        None => GoValue::nil(&origin),
                    };
                    let text = self.template(name, &argument, &origin);
                    let text = text.map(|it| GoValue::text(it, &origin));
                    let text = self.gone_on(text, place, at)?.printed(false);
                    self.work(text.cost(), &origin)?;
                    out.push(&text);
                }
                Action::Break => return Ok(Flow::Break),
                Action::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::Next)
    }

    /// The side that `value` decides for. Where nobody can tell, both may be there; of what is not
    /// there is kept what it would have been.
    fn branch(
        &mut self,
        value: &GoValue,
        [(then, inner), (other, outer)]: [(&[Action], &GoValue); 2],
        place: Place<'_>,
        variables: &mut GoVariables,
        out: &mut MarkedText,
    ) -> Evaluated<Flow> {
        self.deeper(&value.origin)?;
        let flow = match value.truth() {
            Ok(truth) => {
                let (side, dot) = if truth { (then, inner) } else { (other, outer) };
                if !truth && self.uncertain.is_none() {
                    Self::ghost(then, value, place, out);
                }
                self.actions(side, place, dot, variables, out)?
            }
            Err(why) => {
                let sides = [(then, inner, true), (other, outer, false)];
                for (side, dot, then) in sides {
                    self.perhaps(&why, then, out, |run, out| {
                        run.actions(side, place, dot, variables, out)
                    })?;
                }
                Flow::Next
            }
        };
        self.depth -= 1;
        Ok(flow)
    }

    /// Adds to `out` what `f` prints where nobody can tell whether it is run; with it the loop around
    /// it may have been left.
    fn perhaps(
        &mut self,
        why: &Reason,
        then: bool,
        out: &mut MarkedText,
        f: impl FnOnce(&mut Self, &mut MarkedText) -> Evaluated<Flow>,
    ) -> Evaluated<()> {
        let (start, mut text) = (out.len(), MarkedText::default());
        if let Some(flow) = self.uncertainly(why, |run| f(run, &mut text))? {
            out.push(&text);
            out.perhaps_from(start, why, then);
            if !matches!(flow, Flow::Next) {
                self.left = Some(why.clone());
            }
        }
        Ok(())
    }

    /// Runs `f` where nobody can tell whether it is run: what it changes is unknown. Where it fails, it
    /// is not run in anything that works.
    fn uncertainly<T>(
        &mut self,
        why: &Reason,
        f: impl FnOnce(&mut Self) -> Evaluated<T>,
    ) -> Evaluated<Option<T>> {
        let (before, depth, names) = (self.uncertain.clone(), self.depth, self.names.len());
        self.uncertain.get_or_insert_with(|| why.clone());
        let result = f(self);
        self.names.truncate(names);
        (self.uncertain, self.depth) = (before, depth);
        match result {
            Err(error) if error.bound => Err(error),
            result => Ok(result.ok()),
        }
    }

    /// Keeps what a condition that does not hold would have printed.
    fn ghost(then: &[Action], value: &GoValue, place: Place<'_>, out: &mut MarkedText) {
        // Only what the template itself writes there, as keys: nothing is run for it.
        let mut ghost = MarkedText::default();
        for action in then {
            match action {
                Action::Text(range) => ghost.push_part(place.text, range.clone()),
                Action::Print(_) if ghost.as_str().ends_with(':') => ghost.push_made(" x"),
                Action::Print(_) => ghost.push_made("x"),
                _ => {}
            }
        }
        if ghost.as_str().contains(':') {
            let (at, by) = (out.len(), value.origin.clone());
            out.ghosts.push(Ghost { at, text: ghost.into(), by });
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one action and where it is run")]
    fn range(
        &mut self,
        over: &Pipeline,
        body: &[Action],
        other: &[Action],
        place: Place<'_>,
        dot: &GoValue,
        variables: &mut GoVariables,
        out: &mut MarkedText,
    ) -> Evaluated<()> {
        let value = self.operands_of(over, place, dot, variables);
        let value = self.gone_on(value, place, &over.at)?.opened();
        let origin = value.origin.clone();
        let left = self.left.take();
        self.deeper(&origin)?;
        let mut each = |run: &mut Self, key: GoValue, item: GoValue, out: &mut MarkedText| {
            run.step(place, &over.at)?;
            let scope = variables.0.len();
            match &over.variables[..] {
                [one] => run.bind(over, one, &item, place, variables)?,
                [first, second] => {
                    run.bind(over, first, &key, place, variables)?;
                    run.bind(over, second, &item, place, variables)?;
                }
                _ => {}
            }
            let flow = match item.is_perhaps() {
                None => run.actions(body, place, &item, variables, out),
                Some(why) => {
                    run.perhaps(&why, true, out, |run, out| {
                        run.actions(body, place, &item, variables, out)
                    })?;
                    Ok(Flow::Next)
                }
            };
            variables.0.truncate(scope);
            flow
        };
        let mut any = false;
        match &value.data {
            GoData::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    any = true;
                    let key = i64::try_from(index).unwrap_or(i64::MAX);
                    let key = GoValue::new(GoData::Int(key), &item.origin);
                    if let Flow::Break = each(self, key, item.clone(), out)? {
                        break;
                    }
                }
            }
            GoData::Map(map) => {
                let keys = map.borrow().sorted();
                for key in keys {
                    any = true;
                    let Some((at, item)) = map.borrow().entries.get(&key).cloned() else {
                        continue;
                    };
                    let at = at.map_or_else(|| item.origin.clone(), Origin::written);
                    let key = GoValue::string(&*key, &at);
                    if let Flow::Break = each(self, key, item, out)? {
                        break;
                    }
                }
                let open = map.borrow().open.clone();
                if let Some(why) = open {
                    any = true;
                    let unknown = GoValue::unknown(why, &origin);
                    each(self, unknown.clone(), unknown, out)?;
                }
            }
            GoData::Int(_) | GoData::Int64(_) if over.variables.len() > 1 => {
                let message = "range over a number has one variable";
                return fail(message, &place.origin(&over.at));
            }
            GoData::Int(count) | GoData::Int64(count) => {
                for index in 0..*count {
                    any = true;
                    let index = match &value.data {
                        GoData::Int(_) => GoData::Int(index),
                        _ => GoData::Int64(index),
                    };
                    let index = GoValue::new(index, &origin);
                    if let Flow::Break = each(self, index.clone(), index, out)? {
                        break;
                    }
                }
            }
            GoData::Unknown(why) => {
                any = true;
                let unknown = GoValue::unknown(why.clone(), &origin);
                each(self, unknown.clone(), unknown, out)?;
            }
            GoData::Nil => {}
            _ => {
                let printed = value.printed(true);
                let message = format!("range cannot iterate over {}", printed.as_str());
                return fail(message, &place.origin(&over.at));
            }
        }
        self.left = left;
        if !any {
            self.actions(other, place, dot, variables, out)?;
        }
        self.depth -= 1;
        Ok(())
    }
}
