//! The monitor: every state that a right breaker may be in, given what its caller did and saw.
//!
//! ```text
//!            must or may trip                  a call starts after the cool-down
//!  Closed ─────────────────────▶ Open ◀──────────────┐───────────────▶ Half
//!     ▲                           ▲                                      │
//!     │                           └────────── a trial failed ────────────┤
//!     └──────────────────────────── a trial succeeded ───────────────────┘
//! ```
//!
//! A call that no state lets start is a leak, or one trial too many. What the proxy's lines leave open (the order
//! of what ended within a tick, what becomes of calls from before a trip) makes several states, not a guess.

use squall_scenario::model::{Breaker, Counts};

use super::{
    outcomes::{CallerLife, Ending, Event},
    trips::{self, Past, Trip},
};
use crate::{evidence::At, measure, tolerance::Tolerance};

/// Fewer demands turned away than this may have any reason.
const TURNED_AWAY_MIN: usize = 3;

/// A state that the breaker may be in.
#[derive(Clone, Debug, PartialEq)]
enum May {
    /// It lets everything through, since this time.
    Closed { since_us: u64 },
    /// It lets nothing through; it tripped between these times.
    Open { earliest: At, latest_us: u64 },
    /// It lets trials through.
    Half { trials: Vec<Running>, good: u32, bad: u32 },
    /// Anything, while the caller felt failures that left no call.
    Anything,
}

/// A trial that goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Running {
    row: usize,
    ends_us: u64,
}

/// A time during which a right breaker was open, for certain.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// The line of the failure that tripped it at the latest.
    pub tripped: At,
    /// The earliest time at which it may have tripped.
    pub earliest_us: u64,
    /// When the first trial started, or this life or the record ended.
    pub until_us: u64,
    /// Whether it had been open just before: a trial failed.
    pub again: bool,
    /// Calls that started although it was open, by position among all calls.
    pub leaks: Vec<usize>,
}

/// The first call after a cool-down, for certain in half-open.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// When it started.
    pub from_us: u64,
    /// When it ended.
    pub until_us: u64,
    /// Its position among all calls.
    pub row: usize,
    /// Calls that started beside it beyond what half-open lets through, by position.
    pub excess: Vec<usize>,
}

/// What is known of the breaker in one life of one instance.
#[derive(Clone, Debug, Default)]
pub struct LifeWatch {
    /// The instance.
    pub instance: u32,
    /// How many lives it had before.
    pub life: u32,
    /// From when, in microseconds.
    pub from_us: u64,
    /// Until when.
    pub until_us: u64,
    /// When it was open, for certain.
    pub openings: Vec<Opening>,
    /// Trials, for certain.
    pub trials: Vec<Trial>,
    /// When it may have been open or half-open.
    pub may_refuse: Vec<(u64, u64)>,
    /// When each call that the breaker decided on started, and its position.
    pub starts: Vec<(u64, usize)>,
    /// The longest run of failures that the caller saw.
    pub longest_run: usize,
    /// How many failures it saw.
    pub failures: usize,
}

impl LifeWatch {
    /// Whether the breaker may have been open or half-open at some time of `[from, until]`.
    pub fn may_refuse_in(&self, from: u64, until: u64) -> bool {
        self.may_refuse.iter().any(|(a, b)| *a <= until && from <= *b)
    }

    /// Whether a call that the breaker decided on started within `[from, until]`.
    pub fn starts_in(&self, from: u64, until: u64) -> bool {
        let first = self.starts.partition_point(|(us, _)| *us < from);
        self.starts.get(first).is_some_and(|(us, _)| *us <= until)
    }
}

/// Watches one life.
pub fn watch(
    life: &CallerLife,
    policy: &Breaker,
    tolerance: Tolerance,
    at_most: u32,
    record_ends_us: u64,
) -> LifeWatch {
    let mut past = Vec::with_capacity(life.events.len() / 2);
    for event in &life.events {
        if let Event::Ended { at, started_us, ending, last, .. } = *event {
            past.push(Past { us: at.us, started_us, ending, last });
        }
    }
    let mut monitor = Monitor {
        policy,
        tick_us: tolerance.tick_us,
        order_us: tolerance.order_us,
        refused: &life.refused,
        running: Vec::new(),
        last_us: 0,
        cool_us: measure::us(policy.cool_down),
        at_once_max: policy.trials as usize * if policy.counts == Counts::Calls { at_most.max(1) as usize } else { 1 },
        past: &past,
        now: 0,
        states: vec![May::Closed { since_us: 0 }],
        watch: LifeWatch {
            instance: life.instance,
            life: life.life,
            from_us: life.from_us,
            until_us: life.until_us,
            longest_run: trips::longest_run(&past),
            failures: past.iter().filter(|call| call.ending == Ending::Bad).count(),
            ..LifeWatch::default()
        },
    };
    let mut blind = life.blind.iter().copied().peekable();
    let mut blind_until: Option<(u64, u64)> = None;
    for event in &life.events {
        let us = event.at().us;
        while let Some((from, until)) = blind.next_if(|(from, _)| *from <= us) {
            let (since, before) = blind_until.unwrap_or((from, until));
            blind_until = Some((since, before.max(until)));
            monitor.go_blind(from);
        }
        if let Some((from, until)) = blind_until.filter(|(_, until)| *until < us) {
            monitor.see_again(from, until);
            blind_until = None;
        }
        monitor.take(event);
    }
    for (from, _) in blind {
        monitor.go_blind(from);
    }
    let until_us = life.until_us.min(record_ends_us);
    if monitor.running.iter().all(|ends_us| *ends_us < until_us) {
        monitor.see_opening(until_us);
    }
    monitor.watch
}

struct Monitor<'p> {
    policy: &'p Breaker,
    tick_us: u64,
    order_us: u64,
    /// When demands were submitted, and when they were turned away.
    refused: &'p [(u64, u64)],
    /// When the calls in flight end.
    running: Vec<u64>,
    /// When a call last started or ended.
    last_us: u64,
    cool_us: u64,
    at_once_max: usize,
    past: &'p [Past],
    now: usize,
    states: Vec<May>,
    watch: LifeWatch,
}

impl Monitor<'_> {
    fn take(&mut self, event: &Event) {
        match *event {
            Event::Started { at, row, first, ends_us } => self.started(at, first, Running { row, ends_us }),
            Event::Ended { at, row, ending, last, .. } => {
                self.ended(at, row, ending, last);
                self.now += 1;
            }
        }
    }

    /// From here on the caller feels failures that leave no call.
    fn go_blind(&mut self, at_us: u64) {
        self.close_opening(at_us);
        self.become_states(vec![May::Anything], at_us);
    }

    /// It no longer does; what it became meanwhile is open.
    fn see_again(&mut self, from_us: u64, until_us: u64) {
        let half = May::Half { trials: Vec::new(), good: 0, bad: 0 };
        let open = May::Open { earliest: At { us: from_us, n: 0 }, latest_us: until_us };
        self.become_states(vec![May::Closed { since_us: from_us }, open, half], until_us);
    }

    fn started(&mut self, at: At, first: bool, call: Running) {
        let was_in_flight = self.running.len();
        self.running.retain(|ends_us| *ends_us >= at.us);
        let is_idle = was_in_flight == 0 || self.running.is_empty();
        self.running.push(call.ends_us);
        if !first {
            return;
        }
        self.watch.starts.push((at.us, call.row));
        if is_idle {
            self.see_opening(at.us);
        }
        let was_open = self.is_open();
        self.last_us = self.last_us.max(at.us);
        let mut next = Vec::with_capacity(self.states.len());
        for state in &self.states {
            if let Some(state) = self.let_in(state, at.us, call) {
                push_new(&mut next, state);
            }
        }
        if next.is_empty() {
            self.accuse(call.row);
            return;
        }
        let is_trial = was_open && next.iter().all(|state| matches!(state, May::Half { .. }));
        if is_trial {
            self.close_opening(at.us);
            self.watch.trials.push(Trial { from_us: at.us, until_us: call.ends_us, row: call.row, excess: Vec::new() });
        } else if was_open && !next.iter().all(|state| matches!(state, May::Open { .. })) {
            self.close_opening(at.us);
        }
        self.become_states(next, at.us);
    }

    /// Demand that was turned away while nothing was in flight shows a breaker open that only may have been:
    /// closed, it would have let these calls start. Asked when a call starts, and at the end.
    fn see_opening(&mut self, us: u64) {
        let survived = self.states.iter().filter_map(|state| match state {
            May::Open { earliest, .. } if earliest.n > 0 && us + self.tick_us >= earliest.us + self.cool_us => {
                Some(*earliest)
            }
            _ => None,
        });
        let Some(tripped) = survived.min() else { return };
        let is_known = !self.states.iter().any(|state| matches!(state, May::Closed { .. } | May::Anything));
        let from = self.refused.partition_point(|(submitted, _)| *submitted <= self.last_us);
        let until = self.refused.partition_point(|(submitted, _)| *submitted <= us).max(from);
        // One that was turned away later may have met what begins now.
        let turned_away = self.refused[from..until].iter().filter(|(_, ended)| *ended <= us).count();
        if is_known || turned_away < TURNED_AWAY_MIN {
            return;
        }
        let open = self.states.iter().filter(|state| matches!(state, May::Open { .. })).cloned().collect();
        self.become_states(open, us);
        let (earliest_us, until_us) = (tripped.us, us.max(tripped.us));
        self.watch.openings.push(Opening { tripped, earliest_us, until_us, again: false, leaks: Vec::new() });
    }

    /// The state after it let a call start; `None` where it would not have.
    fn let_in(&self, state: &May, us: u64, call: Running) -> Option<May> {
        match state {
            May::Closed { .. } | May::Anything => Some(state.clone()),
            // Decided before it tripped.
            May::Open { latest_us, .. } if us <= latest_us + self.tick_us => Some(state.clone()),
            May::Open { earliest, .. } => (us + self.tick_us >= earliest.us + self.cool_us).then(|| May::Half {
                trials: vec![call],
                good: 0,
                bad: 0,
            }),
            May::Half { trials, good, bad } => {
                let mut trials: Vec<Running> =
                    trials.iter().copied().filter(|trial| trial.ends_us > us + self.tick_us).collect();
                trials.push(call);
                (trials.len() <= self.at_once_max).then_some(May::Half { trials, good: *good, bad: *bad })
            }
        }
    }

    /// No right breaker would have let this call start.
    fn accuse(&mut self, row: usize) {
        if self.states.iter().any(|state| matches!(state, May::Half { .. })) {
            if let Some(trial) = self.watch.trials.last_mut() {
                trial.excess.push(row);
            }
        } else if let Some(opening) = self.watch.openings.last_mut() {
            opening.leaks.push(row);
        }
    }

    fn ended(&mut self, at: At, row: Option<usize>, ending: Ending, last: bool) {
        self.last_us = self.last_us.max(at.us);
        let was_open = self.is_open();
        let again = !self.states.iter().any(|state| matches!(state, May::Closed { .. } | May::Anything));
        let mut next = Vec::with_capacity(self.states.len() + 1);
        for state in &self.states {
            match state {
                May::Closed { since_us } => self.closed_saw(*since_us, at, &mut next),
                // What began before it tripped does not matter to it.
                May::Open { .. } | May::Anything => push_new(&mut next, state.clone()),
                May::Half { trials, good, bad } => {
                    let mine = row.is_some_and(|row| trials.iter().any(|trial| trial.row == row));
                    self.half_saw((trials, *good, *bad), mine.then_some(row).flatten(), at, (ending, last), &mut next);
                }
            }
        }
        self.become_states(next, at.us);
        if self.is_open() && !was_open {
            let earliest = self.states.iter().filter_map(|state| match state {
                May::Open { earliest, .. } => Some(earliest.us),
                _ => None,
            });
            let earliest_us = earliest.min().unwrap_or(at.us);
            let until_us = self.watch.until_us;
            self.watch.openings.push(Opening { tripped: at, earliest_us, until_us, again, leaks: Vec::new() });
        }
    }

    fn closed_saw(&self, since_us: u64, at: At, next: &mut Vec<May>) {
        let trip = trips::tripped(&self.policy.trips, self.past, self.now, since_us, self.order_us);
        if trip != Trip::Must {
            push_new(next, May::Closed { since_us });
        }
        if trip != Trip::No {
            push_new(next, May::Open { earliest: at, latest_us: at.us });
        }
    }

    fn half_saw(
        &self,
        (trials, good, bad): (&[Running], u32, u32),
        mine: Option<usize>,
        at: At,
        (ending, last): (Ending, bool),
        next: &mut Vec<May>,
    ) {
        let stay = |good, bad| {
            let trials = trials.iter().copied().filter(|trial| Some(trial.row) != mine).collect();
            May::Half { trials, good, bad }
        };
        let opened = May::Open { earliest: at, latest_us: at.us };
        let closed = May::Closed { since_us: at.us };
        if mine.is_none() {
            // A call from before the trip: some breakers take it for a trial's end, others leave it out.
            push_new(next, May::Half { trials: trials.to_vec(), good, bad });
            match ending {
                Ending::Bad | Ending::Hidden => push_new(next, opened),
                Ending::Good => push_new(next, closed),
                Ending::Neutral | Ending::Doubtful => {
                    push_new(next, opened);
                    push_new(next, closed);
                }
            }
            return;
        }
        match ending {
            Ending::Bad | Ending::Hidden => {
                // One failed trial is enough for some; all trials must have failed for others.
                if bad + 1 < self.policy.trials || good > 0 || !last {
                    push_new(next, stay(good, bad + u32::from(last)));
                }
                push_new(next, opened);
            }
            Ending::Good => {
                if good + 1 < self.policy.trials {
                    push_new(next, stay(good + 1, bad));
                }
                push_new(next, closed);
            }
            Ending::Neutral | Ending::Doubtful => {
                if ending == Ending::Doubtful {
                    push_new(next, opened);
                }
                push_new(next, stay(good, bad));
                push_new(next, closed);
            }
        }
    }

    /// Whether every right breaker is open now.
    fn is_open(&self) -> bool {
        self.states.iter().all(|state| matches!(state, May::Open { .. }))
    }

    fn close_opening(&mut self, us: u64) {
        if self.is_open()
            && let Some(opening) = self.watch.openings.last_mut()
        {
            opening.until_us = opening.until_us.min(us);
        }
    }

    fn become_states(&mut self, next: Vec<May>, us: u64) {
        let refuses = |states: &[May]| states.iter().any(|state| !matches!(state, May::Closed { .. }));
        match (refuses(&self.states), refuses(&next)) {
            (false, true) => self.watch.may_refuse.push((us, u64::MAX)),
            (true, false) => {
                if let Some(last) = self.watch.may_refuse.last_mut() {
                    last.1 = us;
                }
            }
            _ => {}
        }
        self.states = next;
    }
}

fn push_new(states: &mut Vec<May>, state: May) {
    if !states.contains(&state) {
        states.push(state);
    }
}
