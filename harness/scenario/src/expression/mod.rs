//! Expressions: CEL over what operations answered and what was read.
//!
//! An expression is compiled once and evaluated often. Beside CEL's own functions there are
//! `sum(list)`, also written `list.sum()`, and, in invariants, `calls(route, class)`.

pub(crate) mod references;
pub(crate) mod stack;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use cel::{Context, Env, Program, extractors::This};
use serde_json::Value as Json;

use crate::model::Expression;
use references::References;
use stack::on_a_deep_stack;

/// The longest expression, in bytes.
pub const BYTES_MAX: usize = 2_000;
/// How deep brackets may nest in an expression.
pub const NESTING_MAX: usize = 24;
/// How deep the tree of an expression may be: it is walked by recursion.
const DEPTH_MAX: usize = 200;
/// How deep loops may nest: the time that they take grows with their product.
const LOOPS_MAX: usize = 3;
/// How deep a tree is evaluated where it stands: a level takes some 30 KiB of stack when CEL is not optimised,
/// and the stacks of tests and services have 2 MiB.
const DEPTH_IN_PLACE: usize = 16;

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Counts calls that the wire saw, for `calls('POST payment /payments', '2xx')`: route, then class of status.
pub type Calls = Arc<dyn Fn(&str, &str) -> Result<u64, String> + Send + Sync>;

/// An expression that is known to compile.
pub struct Compiled {
    text: String,
    program: Program,
    references: References,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compiled").field(&self.text).finish()
    }
}

/// The text is not an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an expression: {why}")]
pub struct BadExpression {
    /// The expression.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
    /// Where, in bytes from its beginning, if that is known.
    pub at: Option<usize>,
}

/// An expression had no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` has no value: {why}")]
pub struct EvalError {
    /// The expression.
    pub text: String,
    /// Why.
    pub why: String,
}

/// Compiles an expression, within bounds of length and nesting.
pub fn compile(expression: &Expression) -> Result<Compiled, BadExpression> {
    let text = expression.0.as_str();
    let bad = |why: String, at| Err(BadExpression { text: shortened(text), why, at });
    if text.trim().is_empty() {
        return bad("it is empty".to_owned(), None);
    }
    if text.len() > BYTES_MAX {
        return bad(format!("it is longer than {BYTES_MAX} bytes"), None);
    }
    if let Some(at) = too_deep(text) {
        return bad(format!("its brackets nest more than {NESTING_MAX} deep"), Some(at));
    }
    match on_a_deep_stack(|| compile_here(text)) {
        Ok(compiled) => Ok(compiled),
        Err((why, at)) => bad(why, at),
    }
}

/// How many compiled expressions are remembered.
const REMEMBERED_MAX: usize = 1_024;

static REMEMBERED: LazyLock<Mutex<BTreeMap<String, Arc<Compiled>>>> = LazyLock::new(Mutex::default);

/// Compiles an expression, or remembers that it was: for callers that have no place to keep it.
pub fn compile_once(expression: &Expression) -> Result<Arc<Compiled>, BadExpression> {
    let remembered = || REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(compiled) = remembered().get(&expression.0) {
        return Ok(Arc::clone(compiled));
    }
    let compiled = Arc::new(compile(expression)?);
    let mut remembered = remembered();
    if remembered.len() >= REMEMBERED_MAX {
        remembered.clear();
    }
    remembered.insert(expression.0.clone(), Arc::clone(&compiled));
    Ok(compiled)
}

fn compile_here(text: &str) -> Result<Compiled, (String, Option<usize>)> {
    let program = STANDARD.compile(text).map_err(|errors| {
        let first = errors.errors.first();
        let why =
            first.map_or_else(|| errors.to_string(), |e| e.msg.trim_start_matches("Syntax error: ").replace('\n', " "));
        (why, first.and_then(|e| offset(text, e.pos)))
    })?;
    let references = References::of(program.expression());
    if references.depth > DEPTH_MAX {
        return Err((format!("it is more than {DEPTH_MAX} operators deep"), None));
    }
    if references.loops > LOOPS_MAX {
        return Err((format!("its loops (`all`, `map`, …) nest more than {LOOPS_MAX} deep"), None));
    }
    Ok(Compiled { text: text.to_owned(), program, references })
}

/// Where brackets nest deeper than they may, quotes respected.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0usize, None);
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(characters.next()),
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING_MAX {
            return Some(at);
        }
    }
    None
}

/// The byte at a line and column, both from 1.
fn offset(text: &str, (line, column): (isize, isize)) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let rest = text.get(start..)?;
    let within = rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
    Some(start + within)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

impl Compiled {
    /// The expression's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names that the expression asks for; those it declares itself (`s` in `list.all(s, …)`) left out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.references.names.iter().map(String::as_str)
    }

    pub(crate) fn references(&self) -> &References {
        &self.references
    }

    /// The value of the expression. Only the names that it asks for are converted.
    pub fn eval(&self, names: &BTreeMap<String, Json>) -> Result<Json, EvalError> {
        self.eval_with(names, None)
    }

    /// The value of the expression, with a source for `calls(route, class)`.
    pub fn eval_with(&self, names: &BTreeMap<String, Json>, calls: Option<&Calls>) -> Result<Json, EvalError> {
        let value = self.evaluate(names, calls)?;
        value.json().map_err(|_| self.failed("its value is not JSON"))
    }

    /// Whether the expression is true; a value that is no boolean is an error.
    pub fn is_true(&self, names: &BTreeMap<String, Json>) -> Result<bool, EvalError> {
        self.is_true_with(names, None)
    }

    /// Whether the expression is true, with a source for `calls(route, class)`.
    pub fn is_true_with(&self, names: &BTreeMap<String, Json>, calls: Option<&Calls>) -> Result<bool, EvalError> {
        match self.evaluate(names, calls)? {
            cel::Value::Bool(boolean) => Ok(boolean),
            other => Err(self.failed(&format!("it is due to be true or false, and is {}", other.type_of()))),
        }
    }

    fn evaluate(&self, names: &BTreeMap<String, Json>, calls: Option<&Calls>) -> Result<cel::Value, EvalError> {
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        for name in &self.references.names {
            if let Some(value) = names.get(name) {
                context.add_variable_from_value(name.as_str(), converted(value));
            }
        }
        if self.references.functions.contains("sum") {
            context.add_function("sum", sum).map_err(|error| self.failed(&error.to_string()))?;
        }
        if let Some(calls) = calls.filter(|_| self.references.functions.contains("calls")) {
            let calls = Arc::clone(calls);
            let count = move |route: Arc<String>, class: Arc<String>| match calls(&route, &class) {
                Ok(count) => Ok(cel::Value::Int(i64::try_from(count).unwrap_or(i64::MAX))),
                Err(why) => Err(cel::ExecutionError::function_error("calls", why)),
            };
            context.add_function("calls", count).map_err(|error| self.failed(&error.to_string()))?;
        }
        let value = if self.references.depth <= DEPTH_IN_PLACE {
            self.program.execute(&context)
        } else {
            on_a_deep_stack(|| self.program.execute(&context))
        };
        value.map_err(|error| self.failed(&in_words(&error)))
    }

    fn failed(&self, why: &str) -> EvalError {
        EvalError { text: shortened(&self.text), why: why.to_owned() }
    }
}

/// What went wrong, without the debug text of whole bodies that some of CEL's errors carry.
fn in_words(error: &cel::ExecutionError) -> String {
    use cel::ExecutionError as Error;
    let kind = |value: &cel::Value| value.type_of().to_string();
    match error {
        Error::NoSuchKey(key) => format!("there is no `{key}`"),
        Error::UndeclaredReference(name) => format!("there is no `{name}`"),
        Error::ValuesNotComparable(a, b) => format!("{} and {} cannot be compared", kind(a), kind(b)),
        Error::UnsupportedBinaryOperator(operator, a, b) => {
            format!("`{operator}` does not go with {} and {}", kind(a), kind(b))
        }
        Error::UnsupportedIndex(index, of) => format!("{} cannot be indexed by {}", kind(of), kind(index)),
        Error::UnsupportedTargetType { target } => format!("a function does not take {}", kind(target)),
        Error::NotSupportedAsMethod { method, target } => format!("{} has no `{method}`", kind(target)),
        Error::DivisionByZero(_) | Error::RemainderByZero(_) => "it divides by zero".to_owned(),
        Error::Overflow(..) => "a number is too large".to_owned(),
        Error::IndexOutOfBounds(_) => "an index is out of bounds".to_owned(),
        other => shortened(&other.to_string()),
    }
}

/// The sum of a list of numbers; 0 for an empty one.
fn sum(This(list): This<Arc<Vec<cel::Value>>>) -> Result<cel::Value, cel::ExecutionError> {
    let wrong = |why: &str| Err(cel::ExecutionError::function_error("sum", why));
    let (mut whole, mut real, mut is_real) = (0i64, 0f64, false);
    for value in list.iter() {
        match value {
            cel::Value::Int(n) => match whole.checked_add(*n) {
                Some(more) => whole = more,
                None => return wrong("the sum is too large"),
            },
            cel::Value::UInt(n) => match i64::try_from(*n).ok().and_then(|n| whole.checked_add(n)) {
                Some(more) => whole = more,
                None => return wrong("the sum is too large"),
            },
            cel::Value::Float(n) => (real, is_real) = (real + n, true),
            other => return wrong(&format!("{} cannot be added", other.type_of())),
        }
    }
    Ok(if is_real { cel::Value::Float(real + whole as f64) } else { cel::Value::Int(whole) })
}

/// JSON as CEL has it: every integer that fits is an `int`, because `uint` does not mix with literals.
fn converted(value: &Json) -> cel::Value {
    match value {
        Json::Null => cel::Value::Null,
        Json::Bool(boolean) => cel::Value::Bool(*boolean),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => cel::Value::Int(whole),
            (None, Some(whole), _) => cel::Value::UInt(whole),
            (None, None, real) => cel::Value::Float(real.unwrap_or(f64::NAN)),
        },
        Json::String(text) => cel::Value::String(Arc::new(text.clone())),
        Json::Array(items) => cel::Value::List(Arc::new(items.iter().map(converted).collect())),
        Json::Object(fields) => {
            let fields: std::collections::HashMap<String, cel::Value> =
                fields.iter().map(|(name, value)| (name.clone(), converted(value))).collect();
            fields.into()
        }
    }
}
