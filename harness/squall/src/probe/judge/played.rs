//! A case as it was seen, and the first that is wrong with it.

use squall_contract::{book::Judged, matching};
use squall_record::{Answer, EdgeKind, Outcome, Record};
use squall_verdict::{
    CheckVerdict, State,
    case::Case as Judging,
    checks::saga::{self, ending, ending::Ending, ending::Ends},
    evidence::{Call, Operation},
};

use super::{
    super::case::{BROKEN, Case, Column},
    Doubt, End, Law, Next, Told, died,
};

/// How many lines of evidence are told of one finding.
const LINES_AT_MOST: usize = 16;

/// A case as it was seen.
pub(super) struct Played<'a, 'r> {
    pub(super) law: &'a Law,
    pub(super) judging: &'a Judging<'a, 'r>,
    pub(super) record: &'r Record,
    pub(super) operation: &'a Operation<'r>,
    /// The calls that it is about.
    pub(super) struck: Vec<&'a Call<'r>>,
    /// The checks of a whole run that make sense of a single operation.
    pub(super) checks: Vec<CheckVerdict>,
}

/// What was found, and what else may have done it.
pub(super) struct Found {
    pub(super) state: State,
    pub(super) why: String,
    pub(super) doubt: Doubt,
}

impl Found {
    fn violated(why: String, doubt: Doubt) -> Found {
        Found { state: State::Violated, why, doubt }
    }

    fn unknown(why: String, doubt: Doubt) -> Found {
        Found { state: State::Inconclusive, why, doubt }
    }
}

/// What a call is to the operation's saga.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// It does this step.
    Does(String),
    /// It undoes this step.
    Undoes(String),
    /// It is none of a saga's calls and changes something.
    Changes,
    /// It only reads, or tells of what is over: a consumer may do without.
    None,
}

impl<'r> Played<'_, 'r> {
    /// The first that is wrong, else what is not known.
    pub(super) fn found(&self, case: &Case, usually: Option<&Told>, next: &Next) -> Found {
        let mut unknown = Vec::new();
        let wrong = self
            .is_met(case)
            .and_then(|()| self.is_answered(case, usually, &mut unknown))
            .and_then(|()| self.is_well_afterwards(next, &mut unknown));
        match wrong {
            Err(found) => found,
            Ok(()) if unknown.is_empty() => Found { state: State::Held, why: String::new(), doubt: Doubt::None },
            Ok(()) => Found { state: State::Inconclusive, why: unknown.join("; "), doubt: Doubt::None },
        }
    }

    /// The consumer has met the broken answer, and lives.
    fn is_met(&self, case: &Case) -> Result<(), Found> {
        if let Some((who, how)) = died(self.record) {
            return match who == self.law.consumer {
                true => Err(Found::violated(format!("`{who}` ended: {how}"), Doubt::None)),
                false => Err(Found::unknown(format!("`{who}`, which the consumer asks, ended: {how}"), Doubt::None)),
            };
        }
        match self.not_struck(case) {
            Some(why) => Err(Found::unknown(why, Doubt::Late)),
            None => Ok(()),
        }
    }

    /// It has answered its client in time, as it promises, and rightly.
    fn is_answered(&self, case: &Case, usually: Option<&Told>, unknown: &mut Vec<String>) -> Result<(), Found> {
        let ended = self.operation.ended.as_ref();
        let Some(answer) = ended.and_then(|end| end.answer) else {
            let why = ended.and_then(|end| end.error).map(|why| format!(": {why}")).unwrap_or_default();
            let within = self.law.deadline;
            let why = format!("the client was given no answer{why} (it may take {within:?})");
            return Err(Found::violated(why, Doubt::Late));
        };
        match self.own_contract(answer) {
            Some((State::Violated, why)) => return Err(Found::violated(why, Doubt::None)),
            Some((_, why)) => unknown.push(why),
            None => {}
        }
        if answer.status >= 500 && self.operation.outcome() == Outcome::Indeterminate {
            let status = answer.status;
            let why = format!(
                "the client was given {status}, which the system file lists neither as a success nor as a refusal"
            );
            return Err(Found::violated(why, Doubt::Late));
        }
        let told = self.told();
        if let Some(why) = self.wrong_success(case, &told) {
            return Err(Found::violated(why, Doubt::None));
        }
        if case.column == Column::AsDeclared || case.forbidden {
            return Ok(());
        }
        match usually {
            None => unknown.push("what becomes of it while nothing is broken was not seen".to_owned()),
            Some(usually) if *usually != told => {
                let why = format!(
                    "the contract allows it, and it changes what becomes of the operation: {}, and unbroken {}",
                    told.in_words(),
                    usually.in_words()
                );
                return Err(Found::violated(why, Doubt::Late));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Once the answers are whole again all settles as it should be, and the next operation succeeds.
    fn is_well_afterwards(&self, next: &Next, unknown: &mut Vec<String>) -> Result<(), Found> {
        match &self.judging.evidence.settled {
            None => unknown.push("it was not waited for".to_owned()),
            Some(settled) if !settled.settled => {
                let what = settled.still_open.first().map(|line| format!(": {line}")).unwrap_or_default();
                let why = format!("it did not settle once the answers were whole again{what}");
                return Err(Found::violated(why, Doubt::Late));
            }
            Some(_) => {}
        }
        for check in &self.checks {
            let why = || format!("{}: {}", check.name, check.summary);
            match (check.state, check.kind) {
                (State::Violated, "invariant") => return Err(Found::violated(why(), Doubt::Shared)),
                (State::Violated, _) => return Err(Found::violated(why(), Doubt::None)),
                (State::Inconclusive, _) => unknown.push(why()),
                _ => {}
            }
        }
        match next {
            Next::Succeeded => Ok(()),
            Next::Failed(why) => Err(Found::violated(format!("the consumer does not recover: {why}"), Doubt::Late)),
        }
    }

    /// Why nobody has met the broken answer.
    fn not_struck(&self, case: &Case) -> Option<String> {
        let (method, path) = (&case.call.method, &case.call.path);
        if self.struck.is_empty() {
            return Some(format!("the call never came: {method} {path}, by {}", case.way.told));
        }
        if case.does.is_none() || self.broken().next().is_some() {
            return None;
        }
        let decided = self.struck.iter().flat_map(|call| call.decisions);
        let why = decided.filter(|decision| decision.fault == BROKEN).find_map(|decision| decision.why_not.clone());
        Some(format!(
            "its answer could not be broken: {}",
            why.unwrap_or_else(|| "the call came when all was healed".to_owned())
        ))
    }

    fn broken(&self) -> impl Iterator<Item = &&Call<'r>> {
        self.struck.iter().filter(|call| call.hit_by(BROKEN))
    }

    /// Whether the consumer was given a whole success as well, by repeating the call.
    fn was_given_a_whole_one(&self) -> bool {
        let is_whole = |call: &&&Call<'_>| !call.hit() && call.seen_to_succeed();
        self.struck.iter().any(|call| is_whole(&call)) || self.has_looked()
    }

    /// Whether the consumer has read something of the same callee since, and may have learned there what it needs.
    fn has_looked(&self) -> bool {
        let Some(broken) = self.broken().find_map(|call| Some((call.ended?.0, call))) else { return false };
        let (ended, broken) = broken;
        let mut after = self.judging.evidence.calls.iter().filter(|call| call.edge == broken.edge);
        after.any(|call| call.started > ended && call.only_reads() && !call.hit() && call.seen_to_succeed())
    }

    /// What the consumer's own contract says of its answer.
    fn own_contract(&self, answer: &Answer) -> Option<(State, String)> {
        let Law { book, consumer, .. } = self.law;
        if !book.knows(consumer) {
            return None;
        }
        let mut calls = self.judging.evidence.calls.of_trace(self.operation.trace);
        let asked = calls.find(|call| call.edge.is_client() && call.edge.to == *consumer)?;
        let asked = matching::Call { method: asked.method, target: asked.path };
        match book.judge(consumer, &asked, &matching::Answer::from(answer)) {
            Judged::Held(_) => None,
            Judged::NotSeen(_) => Some((State::Inconclusive, "its answer was not kept whole".to_owned())),
            Judged::Uncovered => {
                let why = format!("no pact says what `{consumer}` may answer to {} {}", asked.method, asked.target);
                Some((State::Inconclusive, why))
            }
            Judged::Broken { closest, mismatches } => {
                let why = mismatches.first().map(ToString::to_string).unwrap_or_default();
                Some((State::Violated, format!("its answer breaks its own contract, “{closest}”: {why}")))
            }
        }
    }

    /// A success that no answer stands for.
    fn wrong_success(&self, case: &Case, told: &Told) -> Option<String> {
        if !case.forbidden || self.was_given_a_whole_one() {
            return None;
        }
        let succeeded = self.operation.outcome() == Outcome::Succeeded;
        let call = format!("{} {}", case.call.method, case.call.path);
        match (self.part(case), told.end) {
            (Part::Does(step), End::Done) => {
                Some(format!("wrong success: the saga ended done, and every answer to `{step}` ({call}) was broken"))
            }
            (Part::Does(step), End::Unasked) if succeeded => Some(format!(
                "wrong success: the operation succeeded, and every answer to `{step}` ({call}) was broken"
            )),
            (Part::Undoes(step), End::Undone) => Some(format!(
                "wrong success: the saga ended undone, and every answer to the undoing of `{step}` ({call}) was broken"
            )),
            (Part::Changes, End::Unasked) if succeeded => {
                Some(format!("wrong success: the operation succeeded, and every answer to {call} was broken"))
            }
            _ => None,
        }
    }

    fn part(&self, case: &Case) -> Part {
        for step in self.law.system.saga_of(self.operation.name).iter().flat_map(|saga| &saga.steps) {
            if step.does == case.call {
                return Part::Does(step.name.clone());
            }
            if step.undo.as_ref().is_some_and(|undo| undo.call == case.call) {
                return Part::Undoes(step.name.clone());
            }
        }
        let changes = |call: &&&Call<'_>| call.edge.kind == EdgeKind::Calls && !call.only_reads();
        if self.struck.iter().any(|call| changes(&call)) { Part::Changes } else { Part::None }
    }

    pub(super) fn told(&self) -> Told {
        Told { outcome: self.operation.outcome(), status: self.operation.status(), end: self.end() }
    }

    fn end(&self) -> End {
        let operation = self.operation;
        let Some(saga) = self.law.system.saga_of(operation.name) else { return End::Unasked };
        let Some(ends) = &saga.ends else { return End::Unasked };
        let Ok(ends) = Ends::new(ends) else { return End::Open };
        let Ok(instances) = saga::instances(self.judging, saga) else { return End::Open };
        let Some(instance) = instances.list.iter().find(|instance| instance.operation.id == operation.id) else {
            return End::Open;
        };
        match ending::of(self.judging, saga, Some(&ends), instance) {
            Ending::Done(_) => End::Done,
            Ending::Undone(_) => End::Undone,
            _ => End::Open,
        }
    }

    /// Whether what the case left would be in the way of the next one.
    pub(super) fn spoils(&self) -> bool {
        let evidence = self.judging.evidence;
        let is_settled = evidence.settled.as_ref().is_some_and(|settled| settled.settled);
        let is_answered = self.operation.ended.as_ref().is_some_and(|end| end.answer.is_some());
        let holds = |check: &CheckVerdict| check.kind != "invariant" || check.state == State::Held;
        died(self.record).is_some() || !is_settled || !is_answered || !self.checks.iter().all(holds)
    }

    /// What the consumer answered, in words.
    pub(super) fn answered(&self) -> String {
        let Some(end) = &self.operation.ended else { return "nothing yet".to_owned() };
        let said = match (end.answer, end.error) {
            (Some(answer), _) => {
                let body = answer.body.json.as_ref().map(ToString::to_string).or_else(|| answer.body.text.clone());
                let body: String = body.unwrap_or_default().chars().take(200).collect();
                format!("{} {body}", answer.status)
            }
            (None, error) => error.unwrap_or("nothing").to_owned(),
        };
        let took = end.latency_us / 1000;
        format!("{said}  after {took} ms: {}", self.told().in_words())
    }

    /// The calls of the consumer, as they went.
    pub(super) fn lines(&self) -> Vec<String> {
        let evidence = self.judging.evidence;
        let calls = evidence.calls.iter().filter(|call| call.edge.is_client() || call.edge.from == self.law.consumer);
        let cited = calls.map(|call| evidence.cite_call(call, ""));
        let mut lines: Vec<String> =
            cited.map(|line| format!("{:7.3}s  {}", line.at_us as f64 / 1e6, line.text)).collect();
        let more = lines.len().saturating_sub(LINES_AT_MOST);
        lines.truncate(LINES_AT_MOST);
        if more > 0 {
            lines.push(format!("and {more} more calls"));
        }
        lines
    }
}
