//! Drives one saga: asks the machine, writes, sends, writes.
//!
//! ```text
//!   ┌──────────────▶ Saga::next ── Ended ──▶ out
//!   │                    │ Send
//!   │                    ▼
//!   │   Store::write [.., Intent]      nothing leaves before this is on disk
//!   │                    ▼
//!   │   Participants::perform          killed here, the next life finds the intent
//!   │                    ▼
//!   └── Result ──────────┘             written with whatever comes next, before anything else is sent
//! ```
//!
//! One call's worth of attempts decides a forward step: what it leaves undecided is undone. An undo has no such bound.
//! It is called again after a pause until it is done, each time as a new demand with attempts of its own.

use std::{sync::Arc, time::Duration};

use chassis::{context::Context, metrics::Metrics, mutant, outbox::Bell};
use squall_host::Env;
use tokio::{sync::watch, time::sleep};

use crate::{
    event,
    participants::Participants,
    saga::{Action, End, Entry, Next, Outcome, Saga},
    store::{Claim, OpenSaga, Page, Store, Written},
};

/// How patiently sagas are undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pacing {
    /// The pause after the first round of an undo that came to nothing; it doubles from there.
    pub first_gap: Duration,
    /// The longest such pause.
    pub longest_gap: Duration,
    /// After how many such rounds in a row a person should look.
    pub patience: u32,
    /// How long a claim holds without being prolonged.
    pub lease: Duration,
}

/// How far a saga is, for those who wait for it in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It runs.
    Running,
    /// It will be cancelled, and its undoing has to wait for a participant.
    UndoWaits,
    /// Its end is on disk.
    Ended,
}

/// What every driver of this process uses.
#[derive(Clone)]
pub struct Driver {
    /// The host.
    pub env: Env,
    /// Where it writes.
    pub store: Arc<dyn Store>,
    /// Whom it calls.
    pub participants: Arc<dyn Participants>,
    /// How patiently.
    pub pacing: Pacing,
    /// Rung when an event was written.
    pub bell: Bell,
    /// What it counts in.
    pub metrics: Metrics,
}

impl Driver {
    /// Drives a saga to its end, or until another instance has taken it over.
    pub async fn run(self, open: OpenSaga, told: watch::Sender<Stage>) {
        let context = Context::resume(&self.env, &open.order.context);
        let order_id = open.order.order_id.clone();
        let saga = match Saga::replay(&open.log) {
            Ok(saga) => saga,
            Err(error) => {
                // Guessing would be worse than stopping: a person must read this log.
                tracing::error!(%error, order_id, "a saga log is damaged; the order stays pending");
                self.flag(&open).await;
                return;
            }
        };
        let run = Run { driver: self, open, saga, unwritten: Vec::new(), page: 0, flagged: false, told };
        context.scope(run.drive()).await;
    }

    async fn flag(&self, open: &OpenSaga) {
        let page = self.page(1, Vec::new(), true);
        if let Err(error) = self.store.write(open.claim.clone(), page).await {
            tracing::warn!(%error, "the store could not answer");
        }
    }

    fn page(&self, number: i64, entries: Vec<Entry>, needs_attention: bool) -> Page {
        let now_ms = self.env.unix_ms();
        let lease_until_ms = now_ms + millis(self.pacing.lease);
        Page { number, entries, event: None, needs_attention, now_ms, lease_until_ms }
    }
}

struct Run {
    driver: Driver,
    open: OpenSaga,
    saga: Saga,
    /// Entries that the machine has taken in and the disk has not. Nothing is sent while there are any.
    unwritten: Vec<Entry>,
    /// The number of the last page.
    page: i64,
    /// Whether a person has been called.
    flagged: bool,
    told: watch::Sender<Stage>,
}

/// The claim was lost: another instance drives this saga now.
struct TakenOver;

impl Run {
    async fn drive(mut self) {
        let order_id = self.open.order.order_id.clone();
        loop {
            let turn = match self.saga.next() {
                Next::Ended(end) => {
                    let outcome = match end {
                        End::Confirmed => "confirmed",
                        End::Cancelled => "cancelled",
                    };
                    tracing::info!(order_id, outcome, "the saga ended");
                    self.driver.metrics.add("sagas_ended_total", "Sagas ended.", &[("outcome", outcome)], 1);
                    self.told.send_replace(Stage::Ended);
                    return;
                }
                Next::BeginUndo(cause) => {
                    tracing::info!(order_id, ?cause, "the saga goes backwards");
                    self.note(Entry::UndoBegan(cause));
                    self.undo_begins().await
                }
                Next::Confirm => self.end(Entry::Confirmed).await,
                Next::Cancel => self.end(Entry::Cancelled).await,
                Next::Send(action) => self.send(action).await,
            };
            if turn.is_err() {
                tracing::warn!(order_id, "another instance has taken the saga over");
                return;
            }
        }
    }

    /// Writes the intent, makes the call, takes the result in.
    async fn send(&mut self, action: Action) -> Result<(), TakenOver> {
        if !self.write_and(Entry::Intent(action)).await? {
            return Ok(());
        }
        let outcome = self.driver.participants.perform(&self.open.order, action).await;
        let outcome = mutated(action, outcome);
        let labels = [("call", action.name()), ("outcome", outcome.name())];
        self.driver.metrics.add("saga_calls_total", "Calls that sagas made.", &labels, 1);
        let fruitless = matches!(action, Action::Undo(_)) && outcome != Outcome::Done;
        self.note(Entry::Result(action, outcome));
        if fruitless {
            self.write().await?;
            self.told.send_replace(Stage::UndoWaits);
            self.call_for_attention();
            sleep(self.pause()).await;
        } else if matches!(action, Action::Undo(_)) {
            self.flagged = false;
        }
        Ok(())
    }

    /// Writes an end, and the event that tells of it, in one transaction.
    async fn end(&mut self, end: Entry) -> Result<(), TakenOver> {
        if self.write_and(end).await? {
            self.driver.bell.ring();
        }
        Ok(())
    }

    fn note(&mut self, entry: Entry) {
        self.saga.apply(&entry).expect("the machine asked for it");
        self.unwritten.push(entry);
    }

    /// Notes `entry` and writes. False if a cancellation has been asked for meanwhile and `entry` would have gone
    /// forward: then it did not happen, and the saga goes backwards.
    async fn write_and(&mut self, entry: Entry) -> Result<bool, TakenOver> {
        let before = self.saga.clone();
        self.note(entry);
        if self.write().await? {
            return Ok(true);
        }
        self.saga = before;
        self.unwritten.pop();
        tracing::info!(order_id = self.open.order.order_id, "the saga goes backwards: its cancellation was asked for");
        self.note(Entry::UndoBegan(crate::saga::Cause::Requested));
        Ok(false)
    }

    /// Writes what is unwritten, however often it takes. False if it was refused for a cancellation.
    async fn write(&mut self) -> Result<bool, TakenOver> {
        let needs_attention = self.saga.needs_attention(self.driver.pacing.patience);
        let mut page = self.driver.page(self.page + 1, self.unwritten.clone(), needs_attention);
        page.event = match self.unwritten.last() {
            Some(Entry::Confirmed) => Some(event::of(&self.open.order, End::Confirmed, page.now_ms)),
            Some(Entry::Cancelled) => Some(event::of(&self.open.order, End::Cancelled, page.now_ms)),
            _ => None,
        };
        match self.written(page).await {
            Written::Yes => {
                self.page += 1;
                self.unwritten.clear();
                Ok(true)
            }
            Written::CancellationRequested => Ok(false),
            Written::ClaimLost => Err(TakenOver),
        }
    }

    async fn written(&self, page: Page) -> Written {
        let claim: &Claim = &self.open.claim;
        let mut failures = 0;
        loop {
            match self.driver.store.write(claim.clone(), page.clone()).await {
                Ok(written) => return written,
                Err(error) => {
                    tracing::error!(%error, order_id = claim.order_id, "the saga log could not be written; trying again");
                    failures += 1;
                    sleep(self.gap(failures)).await;
                }
            }
        }
    }

    fn call_for_attention(&mut self) {
        if self.flagged || !self.saga.needs_attention(self.driver.pacing.patience) {
            return;
        }
        self.flagged = true;
        let rounds = self.saga.fruitless();
        tracing::error!(
            order_id = self.open.order.order_id,
            rounds,
            "an undo comes to nothing and needs attention; it is tried on without end"
        );
        self.driver.metrics.add(
            "sagas_needing_attention_total",
            "Sagas whose undo came to nothing again and again.",
            &[],
            1,
        );
    }

    fn pause(&self) -> Duration {
        self.gap(self.saga.fruitless())
    }

    /// Exponential from the first gap to the longest, the upper half of each drawn, so that sagas which failed
    /// together do not come back together.
    fn gap(&self, failures: u32) -> Duration {
        let Pacing { first_gap, longest_gap, .. } = self.driver.pacing;
        let gap = first_gap.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest_gap);
        let half = gap / 2;
        half + Duration::from_micros(self.driver.env.random_below(half.as_micros() as u64 + 1))
    }

    /// Nothing to do when an undo begins; a deliberate mistake has its place here.
    async fn undo_begins(&mut self) -> Result<(), TakenOver> {
        if !mutant::is("compensation-lost-on-crash") {
            return Ok(());
        }
        // The end is written before anything is undone, and a crash from here on leaves what stands standing.
        self.unwritten.push(Entry::Cancelled);
        self.write().await?;
        self.driver.bell.ring();
        while let Next::Send(action) = self.saga.next() {
            let outcome = self.driver.participants.perform(&self.open.order, action).await;
            for entry in [Entry::Intent(action), Entry::Result(action, outcome)] {
                self.saga.apply(&entry).expect("the machine asked for it");
            }
            sleep(self.pause().min(Duration::from_millis(u64::from(self.saga.fruitless()) * 100))).await;
        }
        self.saga.apply(&Entry::Cancelled).expect("everything is undone");
        Ok(())
    }
}

/// The outcome as it is, unless a deliberate mistake takes an answer that did not come for a no.
fn mutated(action: Action, outcome: Outcome) -> Outcome {
    let taken_for_failure = mutant::is("timeout-taken-for-failure")
        && matches!((action, &outcome), (Action::Do(_), Outcome::Indeterminate));
    if taken_for_failure { Outcome::NothingSent } else { outcome }
}

/// Whole milliseconds, as they are stored.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
