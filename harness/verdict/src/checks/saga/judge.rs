//! The clauses of `saga`.

use squall_scenario::model::{Saga, UndoOrder};

use super::{
    ending::{self, Ending, Ends},
    fate::{self, Fate},
    instance::{self, Instance, Instances},
};
use crate::{
    case::Case,
    checks,
    measure::{self, count, time},
    verdict::{CheckVerdict, Citation, Clause, State},
};

/// What `saga` asks.
#[derive(Debug)]
pub struct Asked<'s> {
    /// The operation that starts them.
    pub of: &'s str,
    /// The bound on settling, in microseconds.
    pub settles_within_us: Option<u64>,
}

/// How one saga was found.
enum Found {
    Done,
    Undone,
    NeverBegan,
    /// What is wrong, and the evidence.
    Wrong(String, Vec<Citation>),
    /// Why it cannot be known.
    Unknown(String),
}

/// Judges every saga that an operation started.
pub fn judge(case: &Case<'_, '_>, asked: &Asked<'_>) -> CheckVerdict {
    let name = format!("saga {}", asked.of);
    let inconclusive = |why: String| CheckVerdict::new("saga", name.clone(), State::Inconclusive, why);
    let Some(saga) = case.system.saga_of(asked.of) else {
        return inconclusive(format!("the system file declares no saga that {} starts", asked.of));
    };
    let ends = match saga.ends.as_ref().map(Ends::new).transpose() {
        Ok(ends) => ends,
        Err(why) => return inconclusive(why),
    };
    let found = match instance::instances(case, saga) {
        Ok(found) => found,
        Err(why) => return inconclusive(why),
    };
    if found.list.is_empty() {
        return inconclusive(format!("no {} was submitted", asked.of));
    }
    if found.step_calls > 0 && found.keyed == 0 {
        return inconclusive(format!("none of the {} of its steps carries a key", count(found.step_calls, "call")));
    }
    let bench = Bench { case, saga, found, ends };
    let (whole, tally) = bench.ends_whole();
    let mut clauses = vec![whole];
    if saga.order == UndoOrder::Reverse && saga.steps.len() > 1 {
        clauses.push(bench.undone_in_reverse());
    }
    clauses.extend(asked.settles_within_us.map(|bound| bench.settles_within(bound)));
    let mut check = checks::of_clauses("saga", name, clauses);
    for (name, value) in tally {
        check = check.figure(name, value as f64);
    }
    check
}

struct Bench<'c, 'a, 'r> {
    case: &'c Case<'a, 'r>,
    saga: &'c Saga,
    found: Instances<'c, 'r>,
    ends: Option<Ends>,
}

impl<'c, 'r> Bench<'c, '_, 'r> {
    fn ends_whole(&self) -> (Clause, Vec<(&'static str, usize)>) {
        let (mut done, mut undone, mut never) = (0, 0, 0);
        let (mut wrong, mut unknown) = (Vec::new(), Vec::new());
        for instance in &self.found.list {
            match self.judge_one(instance) {
                Found::Done => done += 1,
                Found::Undone => undone += 1,
                Found::NeverBegan => never += 1,
                Found::Wrong(why, cited) => wrong.push((instance, why, cited)),
                Found::Unknown(why) => unknown.push((instance, why)),
            }
        }
        let compensated = self.found.list.iter().filter(|instance| instance.is_compensated()).count();
        let (state, summary, evidence) = if let Some((instance, why, _)) = wrong.first() {
            let others = match wrong.len() {
                1 => String::new(),
                n => format!(", and {} more are wrong", count(n - 1, "saga")),
            };
            let evidence = wrong.iter().take(3).flat_map(|(_, _, cited)| cited.clone()).collect();
            (State::Violated, format!("{}: {why}{others}", self.name_of(instance)), evidence)
        } else if let Some((instance, why)) = unknown.first() {
            let others = match unknown.len() {
                1 => String::new(),
                n => format!(", and {} more cannot be known", count(n - 1, "saga")),
            };
            let at = instance.operation.started;
            let cited = self.case.evidence.cite(at, format!("{} was submitted", instance.operation.id));
            (State::Inconclusive, format!("{}: {why}{others}", self.name_of(instance)), vec![cited])
        } else {
            let never = if never > 0 { format!(", {never} never began") } else { String::new() };
            let by_key = if self.found.traced || self.found.step_calls == 0 {
                ""
            } else {
                "; told apart by key, for their calls carry no trace"
            };
            (State::Held, format!("{done} done, {undone} undone{never}{by_key}"), Vec::new())
        };
        let clause = Clause { name: "ends_whole", state, decides: true, summary, evidence };
        let tally = vec![
            ("sagas_done", done),
            ("sagas_undone", undone),
            ("sagas_never_began", never),
            ("sagas_compensated", compensated),
            ("sagas_wrong", wrong.len()),
            ("sagas_unknown", unknown.len()),
        ];
        (clause, tally)
    }

    fn name_of(&self, instance: &Instance<'_, '_>) -> String {
        match instance.keys.iter().next() {
            Some(key) => format!("{} {key} ({})", self.saga.name, instance.operation.id),
            None => format!("{} {}", self.saga.name, instance.operation.id),
        }
    }

    fn judge_one(&self, instance: &Instance<'c, 'r>) -> Found {
        let ending = ending::of(self.case, self.saga, self.ends.as_ref(), instance);
        if !instance.is_seen() {
            return self.judge_unseen(instance, ending);
        }
        let fates: Vec<Fate<'_, '_>> = instance.steps.iter().map(fate::of).collect();
        match ending {
            Ending::Done(at) => self.all_stand(instance, &fates).map_or(Found::Done, |(why, mut cited)| {
                cited.push(self.case.evidence.cite(at, format!("{} was read: done", self.saga.name)));
                Found::Wrong(why, cited)
            }),
            Ending::Undone(at) => self.none_stands(instance, &fates, "it ended undone", Some((at, "undone"))),
            Ending::NotFound(at) => {
                self.none_stands(instance, &fates, "its service does not know it", Some((at, "not found")))
            }
            Ending::Neither(at) => {
                let mut cited = self.cite_steps(instance);
                cited
                    .push(self.case.evidence.cite(at, format!("{} was read: neither done nor undone", self.saga.name)));
                Found::Wrong("it is stuck, neither done nor undone".to_owned(), cited)
            }
            Ending::Unasked => match self.all_stand(instance, &fates) {
                None => Found::Done,
                Some(_) => self.none_stands(instance, &fates, "not all of it stands", None),
            },
            Ending::Unknown(why) => self.unknown_end(instance, &fates, why),
        }
    }

    /// Some of it stands and some does not: that is wrong whatever the end was.
    fn unknown_end(&self, instance: &Instance<'c, 'r>, fates: &[Fate<'_, '_>], why: String) -> Found {
        let all = self.all_stand(instance, fates);
        match (all, self.none_stands(instance, fates, "not all of it stands", None)) {
            (Some(_), wrong @ Found::Wrong(..)) => wrong,
            _ => Found::Unknown(why),
        }
    }

    fn judge_unseen(&self, instance: &Instance<'c, 'r>, ending: Ending) -> Found {
        let began = instance::never_began(self.case, instance, self.found.traced);
        match ending {
            Ending::Done(at) if self.found.traced || self.found.keyed > 0 => Found::Wrong(
                "it ended done, and no call of any step was ever sent".to_owned(),
                vec![self.case.evidence.cite(at, format!("{} was read: done", self.saga.name))],
            ),
            Ending::Undone(_) => Found::Undone,
            Ending::NotFound(_) => Found::NeverBegan,
            Ending::Neither(at) => Found::Wrong(
                "it is stuck, neither done nor undone".to_owned(),
                vec![self.case.evidence.cite(at, format!("{} was read: neither done nor undone", self.saga.name))],
            ),
            Ending::Unasked | Ending::Unknown(_) if began.is_some() => Found::NeverBegan,
            Ending::Unasked | Ending::Done(_) => {
                Found::Unknown("no call of it was seen, and no key of it was learned".to_owned())
            }
            Ending::Unknown(why) => Found::Unknown(format!("no call of it was seen, and {why}")),
        }
    }

    /// What is wrong if every step is to stand once.
    fn all_stand(&self, instance: &Instance<'c, 'r>, fates: &[Fate<'_, '_>]) -> Option<(String, Vec<Citation>)> {
        for (step, fate) in fates.iter().enumerate() {
            let name = &self.saga.steps[step].name;
            let why = match fate.effects {
                0 if fate.unknown => format!("it ended done, yet whether `{name}` was done was never learned"),
                0 => format!("it ended done, yet `{name}` was never done"),
                1 if fate.undone.is_some() => format!("it ended done, yet `{name}` was undone"),
                1 => continue,
                n => format!("`{name}` was done {n} times, under different keys"),
            };
            return Some((why, self.cite_step(instance, step)));
        }
        None
    }

    /// What is wrong if no step is to stand.
    fn none_stands(
        &self,
        instance: &Instance<'c, 'r>,
        fates: &[Fate<'_, '_>],
        because: &str,
        read: Option<(crate::evidence::At, &str)>,
    ) -> Found {
        let mut doubtful = None;
        for (step, fate) in fates.iter().enumerate() {
            let declared = &self.saga.steps[step];
            if declared.undo.is_none() || fate.undone.is_some() || !(fate.needs_undoing() || fate.doubtful) {
                continue;
            }
            let name = &declared.name;
            let proven = fate.effects == 0 && (fate.nothing_there || self.is_read_as_absent(instance, step));
            let why = match fate.effects {
                0 if proven => continue,
                0 if fate.unknown && fate.first_undo.is_some() => {
                    format!("{because}, yet `{name}` may have been done, and no undo of it sent since succeeded")
                }
                0 if fate.unknown => format!("{because}, yet `{name}` may have been done and was never undone"),
                0 => {
                    doubtful = Some(format!("`{name}` was answered 5xx and not undone: it may have been done"));
                    continue;
                }
                _ if fate.first_undo.is_some() => {
                    format!("{because}, yet `{name}` stands: no undo of it sent since succeeded")
                }
                _ => format!("{because}, yet `{name}` stands: it was never undone"),
            };
            let mut cited = self.cite_step(instance, step);
            cited.extend(
                read.map(|(at, how)| self.case.evidence.cite(at, format!("{} was read: {how}", self.saga.name))),
            );
            return Found::Wrong(why, cited);
        }
        match doubtful {
            Some(why) => Found::Unknown(why),
            None => Found::Undone,
        }
    }

    /// Whether a final read for this operation, at the step's own service, found nothing.
    fn is_read_as_absent(&self, instance: &Instance<'_, '_>, step: usize) -> bool {
        let service = &self.saga.steps[step].does.service;
        let reads = self
            .case
            .system
            .reads
            .iter()
            .filter(|read| read.each.as_ref() == Some(&self.saga.started_by) && read.call.service == *service);
        reads.into_iter().any(|read| {
            let taken = self.case.evidence.reads.each(&read.name, instance.operation.id);
            taken.and_then(|taken| taken.answer).is_some_and(|answer| matches!(answer.status, 404 | 410))
        })
    }

    fn cite_step(&self, instance: &Instance<'c, 'r>, step: usize) -> Vec<Citation> {
        let name = &self.saga.steps[step].name;
        let StepRemarks { does, undoes } = StepRemarks::of(name);
        let calls = &instance.steps[step];
        let does = calls.does.iter().map(|call| self.case.evidence.cite_call(call, &keyed(&does, call)));
        let undoes = calls.undoes.iter().map(|call| self.case.evidence.cite_call(call, &undoes));
        does.take(4).chain(undoes.take(4)).collect()
    }

    fn cite_steps(&self, instance: &Instance<'c, 'r>) -> Vec<Citation> {
        (0..instance.steps.len()).flat_map(|step| self.cite_step(instance, step)).collect()
    }

    fn undone_in_reverse(&self) -> Clause {
        let clause =
            |state, summary, evidence| Clause { name: "undone_in_reverse", state, decides: true, summary, evidence };
        let mut undone = 0;
        for instance in &self.found.list {
            let fates: Vec<Fate<'_, '_>> = instance.steps.iter().map(fate::of).collect();
            let needed = |fate: &&(usize, Fate<'_, '_>)| fate.1.needs_undoing() && fate.1.first_undo.is_some();
            let fates: Vec<(usize, Fate<'_, '_>)> = fates.into_iter().enumerate().collect();
            let needed: Vec<&(usize, Fate<'_, '_>)> = fates.iter().filter(needed).collect();
            undone += usize::from(needed.len() > 1);
            for pair in needed.windows(2) {
                let [(earlier, first), (later, second)] = pair else { continue };
                if first.first_undo < second.first_undo {
                    let (earlier_name, later_name) = (&self.saga.steps[*earlier].name, &self.saga.steps[*later].name);
                    let why = format!("{}: `{earlier_name}` was undone before `{later_name}`", self.name_of(instance));
                    let mut cited = self.cite_step(instance, *earlier);
                    cited.extend(self.cite_step(instance, *later));
                    return clause(State::Violated, why, cited);
                }
            }
        }
        match undone {
            0 => clause(State::NotExercised, "no saga had two steps to undo".to_owned(), Vec::new()),
            n => clause(
                State::Held,
                format!("{} of two steps or more undone, last step first", count(n, "saga")),
                Vec::new(),
            ),
        }
    }

    fn settles_within(&self, bound: u64) -> Clause {
        let clause =
            |state, summary, evidence| Clause { name: "settles_within", state, decides: true, summary, evidence };
        let healed = self.case.evidence.last_heal();
        let mut slowest: Option<(u64, &Instance<'_, '_>, Citation)> = None;
        for instance in self.found.list.iter().filter(|instance| instance.is_seen()) {
            let counts_from = healed.map_or(0, |at| at.us).max(instance.operation.started.us);
            let Some(last) = instance.calls().max_by_key(|call| call.ended.map_or(call.started, |(at, _)| at)) else {
                continue;
            };
            let ended = last.ended.map_or(last.started, |(at, _)| at);
            let took = ended.us.saturating_sub(counts_from);
            if slowest.as_ref().is_none_or(|(known, ..)| took > *known) {
                slowest = Some((took, instance, self.case.evidence.cite_call(last, "its last call")));
            }
        }
        let asked = time(bound);
        match slowest {
            None => clause(State::NotExercised, "no saga sent a call".to_owned(), Vec::new()),
            Some((took, instance, cited)) if took > self.case.evidence.tolerance.of_bound(bound) => {
                let summary =
                    format!("{} sent its last call after {}, {asked} allowed", self.name_of(instance), time(took));
                clause(State::Violated, summary, vec![cited])
            }
            Some((took, ..)) => {
                clause(State::Held, format!("the slowest settled in {}, {asked} allowed", time(took)), Vec::new())
            }
        }
    }
}

struct StepRemarks {
    does: String,
    undoes: String,
}

impl StepRemarks {
    fn of(name: &str) -> StepRemarks {
        StepRemarks { does: name.to_owned(), undoes: format!("undo of {name}") }
    }
}

fn keyed(remark: &str, call: &crate::evidence::Call<'_>) -> String {
    match call.idempotency_key() {
        Some(key) => format!("{remark}, idempotency key {key}"),
        None => remark.to_owned(),
    }
}

/// The bound of a scenario's `settles_within`.
pub fn bound_us(bound: Option<std::time::Duration>) -> Option<u64> {
    bound.map(measure::us)
}
