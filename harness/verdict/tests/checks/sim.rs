//! A caller with a circuit breaker, simulated: right ones of several makes, and ones with a real bug each.
//!
//! Written from the rules, not from the monitor, so that the two can contradict each other.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use serde_json::json;
use squall_record::Outcome;

use crate::{
    shop::{self, CHARGE, RESERVE, TO_INVENTORY, TO_PAYMENT},
    story::{Reply, Shot, Story},
};

/// What trips the breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trips {
    Consecutive(u32),
    Share { percent: u32, window_ms: u64, minimum: u32 },
}

/// A bug that a real breaker had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    NeverOpens,
    OpensLate {
        failures_more: u32,
    },
    LeaksWhileOpen {
        every: u32,
    },
    NeverHalfOpens,
    UnboundedHalfOpen,
    /// A trial that ends so wedges it for ever.
    WedgedBy(Ending),
    /// A trial that fails by a closed connection closes it.
    RefusedTrialCloses,
    /// A demand that it turns away while half-open counts as a failed trial.
    OwnRejectionFails,
    /// It opens at this time, for nothing.
    OpensAt(u64),
    /// All instances share one.
    Shared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Good,
    Neutral,
    Status503,
    Reset,
    Closed,
    HungUp,
}

impl Ending {
    fn is_bad(self) -> bool {
        !matches!(self, Ending::Good | Ending::Neutral)
    }
}

/// How right breakers differ.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Make {
    /// Outcomes of calls from before the last change of state are left out.
    pub(crate) ignores_stale: bool,
    /// A 4xx is neither success nor failure.
    pub(crate) ignores_neutral: bool,
    /// It takes all trials to close, or to open again; else the first decides.
    pub(crate) asks_all_trials: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) trips: Trips,
    pub(crate) counts_calls: bool,
    pub(crate) cool_ms: u64,
    pub(crate) trials: u32,
    pub(crate) at_most: u32,
    pub(crate) make: Make,
    pub(crate) bug: Option<Bug>,
    pub(crate) instances: u32,
    pub(crate) demand_gap_ms: u64,
    pub(crate) lasts_ms: u64,
    /// From, until, percent that fails, how.
    pub(crate) outages: Vec<(u64, u64, u32, Ending)>,
    /// Only this instance feels the outages.
    pub(crate) felt_by: Option<u32>,
    pub(crate) base_failures_permille: u32,
    pub(crate) took_ms: (u64, u64),
    pub(crate) bad_took_ms: (u64, u64),
    /// The most by which a proxy's line is off, in microseconds.
    pub(crate) lag_us: u64,
    pub(crate) expect: String,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            seed: 1,
            trips: Trips::Consecutive(3),
            counts_calls: false,
            cool_ms: 1_000,
            trials: 1,
            at_most: 1,
            make: Make { ignores_stale: true, ignores_neutral: false, asks_all_trials: false },
            bug: None,
            instances: 1,
            demand_gap_ms: 25,
            lasts_ms: 12_000,
            outages: vec![(2_000, 6_000, 100, Ending::Status503)],
            felt_by: None,
            base_failures_permille: 0,
            took_ms: (4, 8),
            bad_took_ms: (4, 8),
            lag_us: 2_000,
            expect: "- breaker: { on: order -> payment, of: down, opens_within: 1s, closes_within: 3s }".to_owned(),
        }
    }
}

/// xorshift64*, so that a seed tells the whole story.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { (self.next() >> 11) % limit }
    }
    fn between(&mut self, (low, high): (u64, u64)) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Closed,
    Open { since: u64 },
    Half { running: u32, good: u32, bad: u32 },
}

struct Breaker {
    state: State,
    generation: u32,
    failures: u32,
    past: Vec<(u64, bool)>,
    asked: u32,
    wedged: bool,
    opened_for_nothing: bool,
}

impl Breaker {
    fn new() -> Breaker {
        let state = State::Closed;
        Breaker { state, generation: 0, failures: 0, past: vec![], asked: 0, wedged: false, opened_for_nothing: false }
    }

    fn become_state(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        self.failures = 0;
        self.past.clear();
    }

    /// Whether a call may start; with the generation it belongs to.
    fn ask(&mut self, setup: &Setup, now: u64) -> Option<u32> {
        self.asked += 1;
        if let Some(Bug::OpensAt(ms)) = setup.bug
            && now >= ms * 1_000
            && !self.opened_for_nothing
        {
            self.opened_for_nothing = true;
            self.become_state(State::Open { since: now });
        }
        match self.state {
            State::Closed => Some(self.generation),
            State::Open { since } => {
                if matches!(setup.bug, Some(Bug::LeaksWhileOpen { every }) if self.asked.is_multiple_of(every)) {
                    return Some(self.generation);
                }
                if now < since + setup.cool_ms * 1_000 || setup.bug == Some(Bug::NeverHalfOpens) {
                    return None;
                }
                self.become_state(State::Half { running: 1, good: 0, bad: 0 });
                Some(self.generation)
            }
            State::Half { .. } if self.wedged => None,
            State::Half { running, good, bad } => {
                if running < setup.trials || setup.bug == Some(Bug::UnboundedHalfOpen) {
                    self.state = State::Half { running: running + 1, good, bad };
                    return Some(self.generation);
                }
                if setup.bug == Some(Bug::OwnRejectionFails) {
                    self.become_state(State::Open { since: now });
                }
                None
            }
        }
    }

    fn done(&mut self, setup: &Setup, now: u64, generation: u32, ending: Ending) {
        if generation != self.generation && (setup.make.ignores_stale || !matches!(self.state, State::Closed)) {
            return;
        }
        match self.state {
            State::Closed => self.counted(setup, now, ending),
            State::Open { .. } => {}
            State::Half { running, good, bad } => {
                if setup.bug == Some(Bug::WedgedBy(ending)) {
                    self.wedged = true;
                    return;
                }
                let running = running.saturating_sub(1);
                let all = if setup.make.asks_all_trials { setup.trials } else { 1 };
                if ending == Ending::Closed && setup.bug == Some(Bug::RefusedTrialCloses) {
                    self.become_state(State::Closed);
                } else if ending == Ending::Neutral && setup.make.ignores_neutral {
                    self.state = State::Half { running, good, bad };
                } else if ending.is_bad() {
                    if bad + 1 >= all {
                        self.become_state(State::Open { since: now });
                    } else {
                        self.state = State::Half { running, good, bad: bad + 1 };
                    }
                } else if good + 1 >= all {
                    self.become_state(State::Closed);
                } else {
                    self.state = State::Half { running, good: good + 1, bad };
                }
            }
        }
    }

    fn counted(&mut self, setup: &Setup, now: u64, ending: Ending) {
        if ending == Ending::Neutral && setup.make.ignores_neutral {
            return;
        }
        self.failures = if ending.is_bad() { self.failures + 1 } else { 0 };
        self.past.push((now, ending.is_bad()));
        let late = if let Some(Bug::OpensLate { failures_more }) = setup.bug { failures_more } else { 0 };
        let trips = match setup.trips {
            Trips::Consecutive(threshold) => self.failures >= threshold + late,
            Trips::Share { percent, window_ms, minimum } => {
                self.past.retain(|(at, _)| at + window_ms * 1_000 > now);
                let bad = self.past.iter().filter(|(_, bad)| *bad).count() as u32;
                self.past.len() as u32 >= minimum + late && bad * 100 >= percent * self.past.len() as u32
            }
        };
        if trips && setup.bug != Some(Bug::NeverOpens) {
            self.become_state(State::Open { since: now });
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Submit,
    Try { attempt: u32, permit: Option<u32> },
    End { attempt: u32, permit: u32, ending: u8, started: u64, line: u64 },
}

const ENDINGS: [Ending; 6] =
    [Ending::Good, Ending::Neutral, Ending::Status503, Ending::Reset, Ending::Closed, Ending::HungUp];

/// The system file with this breaker on `order -> payment`.
fn system(setup: &Setup) -> String {
    let counts = if setup.counts_calls { "calls" } else { "attempts" };
    let trips = match setup.trips {
        Trips::Consecutive(n) => format!("consecutive: {n}"),
        Trips::Share { percent, window_ms, minimum } => {
            format!("share: {percent}%, window: {window_ms}ms, minimum: {minimum}")
        }
    };
    let (cool, trials, at_most) = (setup.cool_ms, setup.trials, setup.at_most);
    shop::SYSTEM
        .replace(
            "breaker: { counts: attempts, consecutive: 3, cool_down: 1s, trials: 1 }",
            &format!("breaker: {{ counts: {counts}, {trips}, cool_down: {cool}ms, trials: {trials} }}"),
        )
        .replace("attempts: { at_most: 3,", &format!("attempts: {{ at_most: {at_most},"))
        .replace("  order:\n", &format!("  order:\n    instances: {}\n", setup.instances))
}

/// Runs the caller and tells its story.
pub(crate) fn run(setup: &Setup) -> Story {
    let seconds = setup.lasts_ms.div_ceil(1_000);
    let faults = if setup.outages.is_empty() {
        String::new()
    } else {
        "- { name: down, on: order -> payment, match: { probability: 50% }, inject: { respond: { status: 503 } }, from: 1s, for: 1s }".to_owned()
    };
    let scenario = shop::scenario(&faults, &setup.expect).replace("for: 20s", &format!("for: {seconds}s"));
    let mut story = Story::new(&system(setup), &scenario);
    let mut random = Random(setup.seed | 1);
    let mut breakers: BTreeMap<u32, Breaker> = (0..setup.instances).map(|i| (i, Breaker::new())).collect();
    let mut heap: BinaryHeap<Reverse<(u64, u64, u32, Step)>> = BinaryHeap::new();
    let mut order = 0;
    let demands = setup.lasts_ms / setup.demand_gap_ms;
    for n in 0..demands {
        heap.push(Reverse((n * setup.demand_gap_ms * 1_000, n, n as u32, Step::Submit)));
        order = n;
    }
    while let Some(Reverse((now, _, n, step))) = heap.pop() {
        let instance = n % setup.instances;
        let at = if setup.bug == Some(Bug::Shared) { 0 } else { instance };
        let breaker = breakers.get_mut(&at).expect("a breaker");
        let mut push = |at: u64, step: Step| {
            order += 1;
            heap.push(Reverse((at, order, n, step)));
        };
        match step {
            Step::Submit => {
                let body = json!({ "order_id": shop::key(n) });
                let shot = Shot::new(TO_INVENTORY, RESERVE, 0, Reply::Answer(201));
                let shot = Shot { operation: Some(Story::load(n)), caller: instance, body, ..shot };
                story.submitted(Story::load(n), "place-order", now / 1_000);
                story.call_us(shot, now + 500, now + 1_500);
                push(now + 2_000, Step::Try { attempt: 1, permit: None });
            }
            Step::Try { attempt, permit } => {
                let permit = match permit {
                    Some(held) => Some(held),
                    None => breaker.ask(setup, now),
                };
                let Some(permit) = permit else {
                    finish(&mut story, n, now, instance, 503);
                    continue;
                };
                let ending = ending_at(setup, &mut random, now / 1_000, instance);
                let took = match ending {
                    Ending::HungUp => 800_000,
                    ending if ending.is_bad() => random.between(setup.bad_took_ms) * 1_000 + random.below(1_000),
                    _ => random.between(setup.took_ms) * 1_000 + random.below(1_000),
                };
                let line = now + random.below(setup.lag_us);
                let ending = ENDINGS.iter().position(|known| *known == ending).expect("one of them") as u8;
                push(now + took, Step::End { attempt, permit, ending, started: now, line });
            }
            Step::End { attempt, permit, ending, line, .. } => {
                let ending = ENDINGS[usize::from(ending)];
                // A hang-up reaches the proxy late, an answer leaves it early.
                let lag = random.below(setup.lag_us);
                let seen = if ending == Ending::HungUp { now + lag } else { now.saturating_sub(lag).max(line) };
                let reply = match ending {
                    Ending::Good => Reply::Answer(201),
                    Ending::Neutral => Reply::Answer(402),
                    Ending::Status503 => Reply::Injected(503, "down"),
                    Ending::Reset => Reply::Lost(201, "down"),
                    Ending::Closed => Reply::NotForwarded,
                    Ending::HungUp => Reply::HungUpBy("down"),
                };
                let shot = Shot::new(TO_PAYMENT, CHARGE, 0, reply);
                let body = json!({ "order_id": shop::key(n) });
                let key = Some(shop::key(n));
                let shot = Shot { operation: Some(Story::load(n)), caller: instance, attempt, body, key, ..shot };
                story.call_us(shot, line, seen);
                let again = ending.is_bad() && attempt < setup.at_most;
                if !setup.counts_calls || !again {
                    breaker.done(setup, now, permit, ending);
                }
                if again {
                    let permit = setup.counts_calls.then_some(permit);
                    push(now + random.between((25_000, 120_000)), Step::Try { attempt: attempt + 1, permit });
                } else {
                    let status = match ending {
                        Ending::Good => 201,
                        Ending::Neutral => 402,
                        _ => 503,
                    };
                    finish(&mut story, n, now, instance, status);
                }
            }
        }
    }
    if let (Some(first), Some(last)) = (setup.outages.first(), setup.outages.last()) {
        story.fault("down", first.0, last.1, 100, 60);
    }
    story
}

fn ending_at(setup: &Setup, random: &mut Random, ms: u64, instance: u32) -> Ending {
    let felt = setup.felt_by.is_none_or(|only| only == instance);
    for (from, until, percent, ending) in &setup.outages {
        if felt && (*from..*until).contains(&ms) && random.below(100) < u64::from(*percent) {
            return *ending;
        }
    }
    match random.below(1_000) {
        draw if draw < u64::from(setup.base_failures_permille) => {
            [Ending::Status503, Ending::Reset, Ending::HungUp][(draw % 3) as usize]
        }
        draw if draw >= 990 => Ending::Neutral,
        _ => Ending::Good,
    }
}

fn finish(story: &mut Story, n: u32, now_us: u64, instance: u32, status: u16) {
    let id = Story::load(n);
    let body = json!({ "order_id": shop::key(n) });
    // The client's own call says which instance took it.
    let shot = Shot::new("client -> order", shop::PLACE, 0, Reply::Json(status, body.clone()));
    story.call_us(Shot { operation: Some(id), callee: instance, ..shot }, now_us, now_us + 500);
    let outcome = if status == 201 { Outcome::Succeeded } else { Outcome::Refused };
    story.outcome(id, now_us / 1_000, 1, outcome, Some((status, body)));
}
