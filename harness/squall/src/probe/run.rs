//! A probing under way: from the plain operations to every broken answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use squall_contract::violation::Violation;
use squall_engine::{Case as Play, Gone, NotHeld};
use squall_record::{Outcome, Plan, Record};
use squall_scenario::{
    model::{Breaker, Call},
    route,
};
use squall_verdict::State;
use tokio::time::{Instant, sleep};

use super::{
    Played, Probed, Probing, Progress,
    case::{self, Case, Column, Reached, Way},
    judge::{self, Doubt, Finding, Law, Made, Next, Told},
    stands::{Lent, Stands},
    target::Target,
};

/// How many calls that come of others are followed.
const DEPTH: usize = 4;
/// How long nothing may go on before what a plain operation set going counts as over.
const QUIET: Duration = Duration::from_millis(300);
/// How long a strike may keep a case waiting for a call that comes after the operation was answered.
const STRIKES_WITHIN: Duration = Duration::from_secs(3);
/// What settling may take beside being quiet.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// A probing under way.
pub(super) struct Run<'p> {
    with: &'p Probing,
    law: Arc<Law>,
    stands: &'p Stands<'p>,
    tell: &'p dyn Fn(Progress),
    targets: Vec<Target>,
    /// By the call, in words.
    reached: BTreeMap<String, (Call, Reached)>,
    /// What becomes of the operation when a target's answer comes as it is declared.
    usually: BTreeMap<usize, Told>,
    played: Vec<Played>,
    known: usize,
    tried: Vec<String>,
    notes: Vec<String>,
}

/// A case that was played, with its record if there is one.
struct Shown {
    case: Case,
    finding: Finding,
    record: Option<(Record, Arc<Plan>)>,
    /// Whether this is the second time, for the first may have been a busy machine's doing.
    again: bool,
}

impl<'p> Run<'p> {
    /// Nothing is played yet.
    pub(super) fn new(
        with: &'p Probing,
        law: Law,
        stands: &'p Stands<'p>,
        tell: &'p dyn Fn(Progress),
        targets: Vec<Target>,
    ) -> Self {
        Run {
            with,
            law: Arc::new(law),
            stands,
            tell,
            targets,
            reached: BTreeMap::new(),
            usually: BTreeMap::new(),
            played: Vec::new(),
            known: 0,
            tried: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Run<'_> {
    /// Plays all there is.
    ///
    /// # Errors
    /// A system does not come up, or is lost.
    pub(super) async fn all(&mut self) -> Result<(), NotHeld> {
        self.plainly().await?;
        self.explore().await?;
        let cases = case::put_together(self.broken());
        self.known += cases.len();
        self.play_all(cases, false).await?;
        Ok(())
    }

    /// What came of it.
    pub(super) fn close(mut self, interrupted: bool) -> Probed {
        let wanted = self.targets.iter().enumerate().filter(|(_, target)| target.wanted);
        // Who was interrupted had not looked everywhere.
        let missed = wanted.filter(|(_, target)| !interrupted && !self.is_reached(target));
        let unreached = missed.map(|(place, _)| place).collect();
        self.played.sort_by_key(|played| (played.case.of.first().copied(), played.case.column));
        Probed {
            consumer: self.with.consumer.clone(),
            targets: self.targets,
            played: self.played,
            unreached,
            tried: self.tried,
            notes: self.notes,
            deadline: self.law.deadline,
            interrupted,
        }
    }

    /// Every operation that asks the consumer, with nothing broken: which calls it makes, and which invariants hold.
    async fn plainly(&mut self) -> Result<(), NotHeld> {
        let operations = self.law.system.operations.iter().filter(|of| of.call.service == self.with.consumer);
        let operations: Vec<String> = operations.map(|operation| operation.name.clone()).collect();
        let mut is_first = true;
        for operation in operations {
            let lent = self.stands.lend().await?;
            let plan = Arc::clone(lent.stand.plan());
            let played = lent.stand.play(self.play(&operation, Vec::new(), QUIET, &lent)).await;
            let record = match played {
                Ok(record) => record,
                Err(Gone::Case(why)) => {
                    self.stands.give_back(lent);
                    self.notes.push(format!("operation `{operation}` is not played: {why}"));
                    continue;
                }
                Err(Gone::Stand) => return self.lost(lent).await,
            };
            self.tried.push(operation.clone());
            match judge::outcome_of(&record) {
                Some((Outcome::Succeeded, _)) => self.stands.give_back(lent),
                other => {
                    self.stands.discard(lent).await?;
                    let how = other.map_or("no answer".to_owned(), |(_, said)| said);
                    self.notes.push(format!(
                        "operation `{operation}` does not succeed though nothing is broken ({how}), so it leads nowhere"
                    ));
                    continue;
                }
            }
            if std::mem::take(&mut is_first) {
                let (asked, notes) = judge::invariants_of(&self.law, &plan, &record);
                self.notes.extend(notes);
                // Nobody else has it yet.
                if let Some(law) = Arc::get_mut(&mut self.law) {
                    law.invariants = asked;
                }
            }
            let made = judge::calls_of(&self.law, &plan, &record);
            let way = Way { operation: operation.clone(), strikes: Vec::new(), told: operation, calls: made.len() };
            self.reach(&way, &made);
        }
        Ok(())
    }

    /// Answers every call as it may be answered, until no more calls come of it.
    async fn explore(&mut self) -> Result<(), NotHeld> {
        let mut explored = BTreeSet::new();
        for _ in 0..DEPTH {
            let fresh: Vec<String> = self.reached.keys().filter(|call| !explored.contains(*call)).cloned().collect();
            if fresh.is_empty() {
                break;
            }
            let cases: Vec<Case> = fresh.iter().flat_map(|name| self.leads_of(&self.reached[name])).collect();
            explored.extend(fresh);
            let cases = case::put_together(cases);
            self.known += cases.iter().filter(|case| self.counts(case)).count();
            let mut ways = Vec::new();
            for Shown { case, record, .. } in self.play_all(cases, true).await? {
                let Some((record, plan)) = record else { continue };
                let made = judge::calls_of(&self.law, &plan, &record);
                ways.push((case.as_way(&self.with.consumer, made.len()), made));
            }
            // The fewest calls first, so that what is found twice is found on the shortest way.
            ways.sort_by_key(|(way, _)| way.calls);
            for (way, made) in ways {
                self.reach(&way, &made);
            }
        }
        Ok(())
    }

    /// What may be answered to a call: each declared answer that is wanted. While something wanted is not reached, every
    /// other that may lead there as well: those that are not wanted, and the callee's own answer broken.
    fn leads_of(&self, (call, reached): &(Call, Reached)) -> Vec<Case> {
        let seeks = self.targets.iter().any(|target| target.wanted && !self.is_reached(target));
        let mut leads = Vec::new();
        for (place, target) in self.targets.iter().enumerate().filter(|(_, target)| target.call.as_ref() == Some(call))
        {
            if target.wanted || seeks {
                leads.push(Case::declared(place, target, call, reached));
            }
            let is_own = reached.status == Some(target.declared.status);
            let empty = target.broken.iter().find(|broken| broken.violation == Violation::Empty);
            let empty = empty.filter(|_| seeks && is_own);
            leads.extend(empty.and_then(|broken| Case::broken(place, broken, call, reached).ok()));
        }
        leads
    }

    fn is_reached(&self, target: &Target) -> bool {
        target.call.as_ref().is_some_and(|call| self.reached.contains_key(&call.to_string()))
    }

    /// Whether a case that is played to find ways is one of those that were asked for.
    fn counts(&self, case: &Case) -> bool {
        case.column == Column::AsDeclared && case.of.iter().any(|place| self.targets[*place].wanted)
    }

    /// Takes in which calls a way leads to; the first way to each stays.
    fn reach(&mut self, way: &Way, made: &[Made]) {
        for Made { callee, method, target, status } in made {
            for known in self.targets.iter_mut().filter(|known| known.provider == *callee) {
                known.learn(&self.law.book, method, target);
            }
            let calls = self.targets.iter().filter_map(|known| known.call.as_ref());
            let Some(call) = route::find(calls, method, callee, target).cloned() else { continue };
            let reached = || (call.clone(), Reached { way: way.clone(), status: *status });
            let (_, known) = self.reached.entry(call.to_string()).or_insert_with(reached);
            // The first of several attempts may have had no answer.
            if known.way == *way {
                known.status = known.status.or(*status);
            }
        }
    }

    /// Every broken answer of every target that something leads to.
    fn broken(&mut self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (place, target) in self.targets.iter().enumerate().filter(|(_, target)| target.wanted) {
            let Some((call, reached)) = target.call.as_ref().and_then(|call| self.reached.get(&call.to_string()))
            else {
                continue;
            };
            for broken in &target.broken {
                match Case::broken(place, broken, call, reached) {
                    Ok(case) => cases.push(case),
                    Err(why) => {
                        let name = &target.interaction.description;
                        self.notes.push(format!("`{}` of “{name}” is not played: {why}", broken.name));
                    }
                }
            }
        }
        cases
    }

    /// Plays cases side by side. Of those that are only `explored` the declared answers count that were asked for.
    async fn play_all(&mut self, cases: Vec<Case>, explored: bool) -> Result<Vec<Shown>, NotHeld> {
        let mut shown = Vec::new();
        let mut failed = None;
        {
            let this = &*self;
            let mut counted = Progress { played: this.played.len(), of: this.known, violated: this.violated() };
            let mut playing =
                stream::iter(cases).map(|case| this.play_one(case)).buffer_unordered(this.with.jobs.max(1));
            while let Some(ended) = playing.next().await {
                match ended {
                    Ok(one) => {
                        if !explored || this.counts(&one.case) {
                            counted.played += 1;
                            counted.violated += usize::from(one.finding.state == State::Violated);
                            (this.tell)(counted);
                        }
                        shown.push(one);
                    }
                    // The others come down in order before it is told.
                    Err(why) => {
                        this.with.ground.interrupt.stop();
                        failed = failed.or(Some(why));
                    }
                }
            }
        }
        for Shown { case, finding, again, .. } in &shown {
            if *again && finding.state == State::Held {
                let (column, call) = (case.column, &case.call);
                self.notes.push(format!(
                    "{column} of {} {} was played twice: what was seen first may have been a busy machine's doing",
                    call.method, call.path
                ));
            }
            if case.column == Column::AsDeclared {
                let told = finding.told.iter().flat_map(|told| case.of.iter().map(|place| (*place, told.clone())));
                self.usually.extend(told);
            }
            if !explored || self.counts(case) {
                self.played.push(Played { case: case.clone(), finding: finding.clone() });
            }
        }
        match failed {
            Some(why) => Err(why),
            None => Ok(shown),
        }
    }

    fn violated(&self) -> usize {
        self.played.iter().filter(|played| played.finding.state == State::Violated).count()
    }

    /// Plays a case. Where something else may have done what was found, it is played once more, on a system of its own.
    async fn play_one(&self, case: Case) -> Result<Shown, NotHeld> {
        let lent = self.stands.lend().await?;
        let before = lent.cases;
        let mut shown = self.play_on(case.clone(), lent).await?;
        match shown.finding.doubt {
            Doubt::Late => {
                let again = self.play_on(case, self.stands.lend_fresh().await?).await?;
                Ok(Shown { again: true, ..again })
            }
            Doubt::Shared if before > 0 => {
                let again = self.play_on(case, self.stands.lend_fresh().await?).await?;
                if again.finding.state == State::Violated {
                    return Ok(again);
                }
                let why = &mut shown.finding.why;
                why.push_str(" (on a system of its own it holds: a case before it may have done it, late)");
                Ok(shown)
            }
            Doubt::Shared | Doubt::None => Ok(shown),
        }
    }

    /// Plays a case on this system, looks how the next operation fares, and judges.
    async fn play_on(&self, case: Case, lent: Lent<'_>) -> Result<Shown, NotHeld> {
        let plan = Arc::clone(lent.stand.plan());
        let play = self.play(&case.way.operation, case.strikes(&self.with.consumer), STRIKES_WITHIN, &lent);
        let record = match lent.stand.play(play).await {
            Ok(record) => record,
            Err(Gone::Case(why)) => {
                self.stands.give_back(lent);
                return Ok(Shown { case, finding: Finding::unplayed(why), record: None, again: false });
            }
            Err(Gone::Stand) => return self.lost(lent).await,
        };
        let next = match judge::has_died(&record) {
            true => Next::Succeeded,
            false => match self.next(&case.way.operation, &lent).await {
                Ok(next) => next,
                Err(Gone::Case(why)) => Next::Failed(why),
                Err(Gone::Stand) => return self.lost(lent).await,
            },
        };
        let usually = case.of.first().and_then(|place| self.usually.get(place));
        let finding = judge::judge(&self.law, &plan, &case, &record, usually, &next);
        match finding.spoils {
            true => self.stands.discard(lent).await?,
            false => self.stands.give_back(lent),
        }
        Ok(Shown { case, finding, record: Some((record, plan)), again: false })
    }

    /// Sends the operation with nothing broken until it succeeds: a breaker may have opened, and must close again.
    async fn next(&self, operation: &str, lent: &Lent<'_>) -> Result<Next, Gone> {
        let until = Instant::now() + self.recovers_within();
        loop {
            // What it sets going is told from the next case by its trace, and not waited for.
            let settle_within = Duration::ZERO;
            let play = Play { settle_within, ..self.play(operation, Vec::new(), Duration::ZERO, lent) };
            let record = lent.stand.play(play).await?;
            match judge::outcome_of(&record) {
                Some((Outcome::Succeeded, _)) => return Ok(Next::Succeeded),
                _ if judge::has_died(&record) => {
                    return Ok(Next::Failed("it ended at the operation after it".to_owned()));
                }
                ended if Instant::now() >= until => {
                    let how = ended.map_or("no answer".to_owned(), |(_, said)| said);
                    let within = self.recovers_within();
                    return Ok(Next::Failed(format!(
                        "{operation} with nothing broken does not succeed within {within:?}: {how}"
                    )));
                }
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// As long as the consumer's breakers may stay open, and a little.
    fn recovers_within(&self) -> Duration {
        let service = self.law.system.service(&self.with.consumer);
        let breakers = service.into_iter().flat_map(|service| &service.calls).filter_map(|upstream| upstream.breaker);
        let cool_down = breakers.map(|Breaker { cool_down, .. }| cool_down).max().unwrap_or_default();
        cool_down + SETTLES_WITHIN
    }

    fn play(&self, operation: &str, strikes: Vec<squall_engine::Strike>, linger: Duration, lent: &Lent<'_>) -> Play {
        let plan = Arc::clone(lent.stand.plan());
        let law = Arc::clone(&self.law);
        let settle_within = 2 * Duration::from_micros(plan.quiet_us) + SETTLES_WITHIN;
        let enough = Arc::new(move |facts: &[squall_record::Fact]| judge::is_enough(&law, &plan, facts));
        Play { operation: operation.to_owned(), strikes, linger, settle_within, enough }
    }

    /// Tells why a system is gone, once it is down.
    async fn lost<T>(&self, lent: Lent<'_>) -> Result<T, NotHeld> {
        self.stands.discard(lent).await?;
        Err(NotHeld::Interrupted)
    }
}
