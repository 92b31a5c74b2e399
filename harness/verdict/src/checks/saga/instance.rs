//! Instances: the calls of each saga that ran, found by trace and by key.

use std::collections::{BTreeSet, HashMap};

use squall_record::KeyPlace;
use squall_scenario::model::Saga;

use super::key::Key;
use crate::{
    case::Case,
    evidence::{Call, Operation},
};

/// One saga that an operation started, or was meant to.
#[derive(Clone, Debug)]
pub struct Instance<'c, 'r> {
    /// The operation.
    pub operation: &'c Operation<'r>,
    /// The keys that its calls carry, and those that it kept and some call carries.
    pub keys: BTreeSet<String>,
    /// Its calls, a row for each step of the saga.
    pub steps: Vec<StepCalls<'c, 'r>>,
}

/// The calls of one step, each list in the order of sending.
#[derive(Clone, Debug, Default)]
pub struct StepCalls<'c, 'r> {
    /// Those that do it.
    pub does: Vec<&'c Call<'r>>,
    /// Those that undo it.
    pub undoes: Vec<&'c Call<'r>>,
}

impl<'c, 'r> Instance<'c, 'r> {
    /// Every call of it, in no order.
    pub fn calls(&self) -> impl Iterator<Item = &'c Call<'r>> {
        self.steps.iter().flat_map(|step| step.does.iter().chain(&step.undoes).copied())
    }

    /// Whether any of its calls was seen.
    pub fn is_seen(&self) -> bool {
        self.steps.iter().any(|step| !step.does.is_empty() || !step.undoes.is_empty())
    }

    /// Whether something of it was undone.
    pub fn is_compensated(&self) -> bool {
        self.steps.iter().flat_map(|step| &step.undoes).any(|call| call.took_effect())
    }
}

/// All instances of a saga.
#[derive(Debug)]
pub struct Instances<'c, 'r> {
    /// One for each operation that starts the saga.
    pub list: Vec<Instance<'c, 'r>>,
    /// Calls of the saga's steps.
    pub step_calls: usize,
    /// How many of them carry a key.
    pub keyed: usize,
    /// Whether the saga's calls carry the traces of operations.
    pub traced: bool,
}

/// One call of a step.
struct StepCall {
    row: usize,
    step: usize,
    undoes: bool,
    key: Option<String>,
}

/// Finds the instances of a saga. The error is an expression that does not compile.
pub fn instances<'c, 'r>(case: &'c Case<'_, 'r>, saga: &'c Saga) -> Result<Instances<'c, 'r>, String> {
    let calls = &case.evidence.calls;
    let found = step_calls(case, saga)?;
    let mut by_key: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_row: HashMap<usize, usize> = HashMap::with_capacity(found.len());
    for (index, call) in found.iter().enumerate() {
        by_row.insert(call.row, index);
        if let Some(key) = &call.key {
            by_key.entry(key).or_default().push(index);
        }
    }
    let keyed = found.iter().filter(|call| call.key.is_some()).count();
    let mut traced = false;
    let mut list = Vec::new();
    for operation in case.evidence.operations.named(&saga.started_by) {
        let mut mine: BTreeSet<usize> = BTreeSet::new();
        let mut keys: BTreeSet<String> = BTreeSet::new();
        for row in calls.rows_of_trace(operation.trace) {
            if let Some(index) = by_row.get(&row) {
                mine.insert(*index);
                keys.extend(found[*index].key.clone());
                traced = true;
            }
        }
        keys.extend(
            operation.kept.values().filter_map(KeyPlace::text).filter(|kept| by_key.contains_key(kept.as_str())),
        );
        for key in &keys {
            mine.extend(by_key.get(key.as_str()).into_iter().flatten());
        }
        let mut steps = vec![StepCalls::default(); saga.steps.len()];
        for index in mine {
            let StepCall { row, step, undoes, .. } = found[index];
            let list = if undoes { &mut steps[step].undoes } else { &mut steps[step].does };
            list.push(&calls.rows()[row]);
        }
        list.push(Instance { operation, keys, steps });
    }
    Ok(Instances { list, step_calls: found.len(), keyed, traced })
}

/// Every call that does or undoes a step, in the order of sending.
fn step_calls(case: &Case<'_, '_>, saga: &Saga) -> Result<Vec<StepCall>, String> {
    let mut routes = HashMap::new();
    for (step, declared) in saga.steps.iter().enumerate() {
        routes.insert(declared.does.to_string(), (step, false, &declared.does, Key::new(&declared.key)?));
        if let Some(undo) = &declared.undo {
            routes.insert(undo.call.to_string(), (step, true, &undo.call, Key::new(&undo.key)?));
        }
    }
    let mut found = Vec::new();
    for (row, call) in case.evidence.calls.iter().enumerate() {
        if call.edge.is_client() {
            continue;
        }
        if let Some((step, undoes, pattern, key)) = call.route.and_then(|route| routes.get(route)) {
            found.push(StepCall { row, step: *step, undoes: *undoes, key: key.of(pattern, call) });
        }
    }
    Ok(found)
}

/// Why an operation without any call of its saga may be left out: it certainly started none.
///
/// `None` where that is not certain.
pub fn never_began(case: &Case<'_, '_>, instance: &Instance<'_, '_>, traced: bool) -> Option<&'static str> {
    let operation = instance.operation;
    let mut sent = case.evidence.calls.of_trace(operation.trace).filter(|call| call.edge.is_client()).peekable();
    if sent.peek().is_some() && sent.all(|call| !call.forwarded) {
        return Some("it never reached the service");
    }
    // From here on, silence counts only where calls can be told to belong to an operation.
    if !traced {
        return None;
    }
    if operation.outcome() == squall_record::Outcome::Refused {
        return Some("it was refused before any step");
    }
    // `find` was answered after everything had settled, and there is nothing to find.
    operation.was_not_found().then_some("the service does not know it")
}
