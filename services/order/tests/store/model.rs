//! Any calls, one after another, against a store that is a page of Rust: each answer is the model's.

use std::sync::Arc;

use order::{
    domain::{Order, Status},
    saga::{Action, Entry, Outcome, Saga, Step},
    store::{
        Backlog, Cancellation, Claim, Filter, Lease, LogRow, NewOrder, OpenSaga, Page, Placed, Store, Summary, Whose,
        Written,
    },
};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::{
    backing::Backing,
    on_every_database,
    samples::{end, lease, new, next_entries, page, refusal},
};

on_every_database! { any_calls_are_answered_as_the_model_answers_them }

/// One call. Orders are chosen by number, modulo how many there are.
#[derive(Debug, Clone)]
enum Asked {
    Place { n: u32, quantity: i64, who: usize, until_ms: i64 },
    Write(Asking),
    Cancel { n: usize },
    TakeOver { who: usize, whose: Taking, until_ms: i64, limit: u32 },
    Prolong { who: usize, until_ms: i64 },
    Deliver { nth: usize },
}

#[derive(Debug, Clone)]
struct Asking {
    n: usize,
    /// Under a claim that was lost.
    stale: bool,
    /// The page that was written last, once more.
    again: bool,
    /// The intent alone, as if its writer died then.
    intent_only: bool,
    outcome: Outcome,
    attention: bool,
    until_ms: i64,
}

#[derive(Debug, Clone)]
enum Taking {
    Own,
    Expired { now_ms: i64 },
    Orphan { n: usize },
}

/// Two lives of one instance, and another instance.
const WHO: [(&str, i64); 3] = [("a", 1), ("a", 2), ("b", 3)];

fn held_by(who: usize, until_ms: i64) -> Lease {
    let (owner, life) = WHO[who];
    lease(owner, life, until_ms)
}

fn any_call() -> impl Strategy<Value = Asked> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Done),
        1 => Just(Outcome::Refused(refusal())),
        1 => Just(Outcome::NothingSent),
        1 => Just(Outcome::Indeterminate),
    ];
    let often_not = || prop::bool::weighted(0.15);
    let asking = (0..5_usize, often_not(), often_not(), often_not(), outcome, any::<bool>(), 0..9_i64);
    let asking = asking.prop_map(|(n, stale, again, intent_only, outcome, attention, until_ms)| {
        Asked::Write(Asking { n, stale, again, intent_only, outcome, attention, until_ms })
    });
    let taking = prop_oneof![
        Just(Taking::Own),
        (0..9_i64).prop_map(|now_ms| Taking::Expired { now_ms }),
        (0..5_usize).prop_map(|n| Taking::Orphan { n }),
    ];
    prop_oneof![
        3 => (0..5_u32, 1..3_i64, 0..3_usize, 0..9_i64)
            .prop_map(|(n, quantity, who, until_ms)| Asked::Place { n, quantity, who, until_ms }),
        10 => asking,
        1 => (0..5_usize).prop_map(|n| Asked::Cancel { n }),
        2 => (0..3_usize, taking, 0..9_i64, 1..4_u32)
            .prop_map(|(who, whose, until_ms, limit)| Asked::TakeOver { who, whose, until_ms, limit }),
        1 => (0..3_usize, 0..9_i64).prop_map(|(who, until_ms)| Asked::Prolong { who, until_ms }),
        1 => (0..3_usize).prop_map(|nth| Asked::Deliver { nth }),
    ]
}

/// One order in the model.
struct Kept {
    order: Order,
    lease: Lease,
    claim: i64,
    page: i64,
    cancel_asked: bool,
    /// Everything that was ever written.
    history: Vec<Entry>,
    rows: Vec<LogRow>,
    /// Its event, and whether it was delivered.
    event: Option<bool>,
}

impl Kept {
    fn is_pending(&self) -> bool {
        self.order.progress.status == Status::Pending
    }

    fn saga(&self) -> Saga {
        Saga::replay(&self.history).expect("only what the machine wants is written")
    }

    /// The page that is asked for.
    fn page(&self, asking: &Asking, now_ms: i64) -> Page {
        let mut entries = match self.history.last() {
            Some(Entry::Intent(action)) if !asking.intent_only => vec![Entry::Result(*action, asking.outcome.clone())],
            _ => next_entries(&self.saga(), &asking.outcome),
        };
        if asking.intent_only {
            entries.truncate(1);
        }
        let number = if asking.again { self.page } else { self.page + 1 };
        let mut page = match entries.as_slice() {
            [entry @ (Entry::Confirmed | Entry::Cancelled)] => end(number, &self.order, entry.clone()),
            entries => page(number, entries),
        };
        (page.now_ms, page.lease_until_ms, page.needs_attention) = (now_ms, asking.until_ms, asking.attention);
        page
    }

    fn write(&mut self, claim: i64, page: &Page) -> Written {
        if claim == self.claim && page.number <= self.page {
            return Written::Yes;
        }
        if claim != self.claim || !self.is_pending() {
            return Written::ClaimLost;
        }
        if self.cancel_asked && page.goes_forward() {
            return Written::CancellationRequested;
        }
        for entry in &page.entries {
            self.append(entry, page.now_ms);
            match entry {
                Entry::Confirmed => self.order.progress.status = Status::Confirmed,
                Entry::Cancelled => self.order.progress.status = Status::Cancelled,
                Entry::UndoBegan(cause) => self.order.progress.cause = Some(cause.clone()),
                Entry::Intent(_) | Entry::Result(..) => {}
            }
        }
        self.order.progress.needs_attention = page.needs_attention;
        self.order.ended_at_ms = (!self.is_pending()).then_some(page.now_ms);
        (self.page, self.lease.until_ms) = (page.number, page.lease_until_ms);
        if page.event.is_some() {
            self.event = Some(false);
        }
        Written::Yes
    }

    fn append(&mut self, entry: &Entry, now_ms: i64) {
        self.history.push(entry.clone());
        let alike = |row: &&mut LogRow| match (&row.entry, entry) {
            (Entry::Intent(Action::Undo(a)), Entry::Intent(Action::Undo(b))) => a == b,
            (Entry::Result(Action::Undo(a), x), Entry::Result(Action::Undo(b), y)) => (a, x.name()) == (b, y.name()),
            _ => false,
        };
        if let Some(row) = self.rows.iter_mut().find(alike) {
            (row.times, row.last_at_ms) = (row.times + 1, now_ms);
            return;
        }
        let key = match entry {
            Entry::Intent(action) => Some(self.order.call_key(*action)),
            _ => None,
        };
        self.rows.push(LogRow { entry: entry.clone(), key, times: 1, first_at_ms: now_ms, last_at_ms: now_ms });
    }
}

/// The database as the model has it: orders in the order of their placing.
#[derive(Default)]
struct Model(Vec<Kept>);

impl Model {
    fn place(&mut self, new: &NewOrder, lease: Lease) -> Placed {
        if let Some(kept) = self.0.iter().find(|kept| kept.order.idempotency_key == new.idempotency_key) {
            let equal = kept.order.request == new.request;
            return if equal { Placed::Known(Box::new(kept.order.clone())) } else { Placed::KeyReused };
        }
        let order = new.clone().order();
        let claim = Claim { order_id: order.order_id.clone(), number: 1 };
        let placed = Placed::New(Box::new(OpenSaga { order: order.clone(), claim, log: Vec::new() }));
        let (history, rows) = (Vec::new(), Vec::new());
        self.0.push(Kept { order, lease, claim: 1, page: 0, cancel_asked: false, history, rows, event: None });
        placed
    }

    /// The places of those that are taken over.
    fn take_over(&mut self, lease: &Lease, whose: &Whose, limit: u32) -> Vec<usize> {
        let due = |kept: &Kept| match whose {
            Whose::OwnOfEarlierLives => kept.lease.owner == lease.owner && kept.lease.life != lease.life,
            Whose::Expired { now_ms } => kept.lease.until_ms < *now_ms && kept.lease.life != lease.life,
            Whose::Orphan { order_id } => kept.order.order_id == *order_id && kept.lease.life == lease.life,
        };
        let due = (0..self.0.len()).filter(|at| self.0[*at].is_pending() && due(&self.0[*at]));
        let due: Vec<usize> = due.take(limit as usize).collect();
        for at in &due {
            let kept = &mut self.0[*at];
            (kept.lease, kept.claim, kept.page) = (lease.clone(), kept.claim + 1, 0);
        }
        due
    }

    fn prolong(&mut self, lease: &Lease) -> Vec<String> {
        let held =
            |kept: &&mut Kept| kept.is_pending() && (&kept.lease.owner, kept.lease.life) == (&lease.owner, lease.life);
        let prolong = |kept: &mut Kept| {
            kept.lease.until_ms = lease.until_ms;
            kept.order.order_id.clone()
        };
        self.0.iter_mut().filter(held).map(prolong).collect()
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for kept in &self.0 {
            match kept.order.progress.status {
                Status::Pending => {
                    summary.pending += 1;
                    summary.needs_attention += i64::from(kept.order.progress.needs_attention);
                }
                Status::Cancelled => summary.cancelled += 1,
                Status::Confirmed => {
                    summary.confirmed += 1;
                    summary.confirmed_total += kept.order.amount;
                    summary.confirmed_quantity += kept.order.request.quantity();
                }
            }
        }
        summary
    }
}

/// Asks the store and the model, and compares. `n` is the number of the call.
async fn ask(store: &dyn Store, model: &mut Model, asked: &Asked, n: i64) {
    match asked {
        Asked::Place { n, quantity, who, until_ms } => {
            let (new, lease) = (new(*n, *quantity), held_by(*who, *until_ms));
            assert_eq!(store.place(new.clone(), lease.clone()).await, Ok(model.place(&new, lease)));
        }
        Asked::Write(asking) => {
            let count = model.0.len().max(1);
            let Some(kept) = model.0.get_mut(asking.n % count) else { return };
            let page = kept.page(asking, n);
            let number = if asking.stale { kept.claim - 1 } else { kept.claim };
            let claim = Claim { order_id: kept.order.order_id.clone(), number };
            let written = store.write(claim, page.clone()).await;
            assert_eq!(written, Ok(kept.write(number, &page)), "{page:?}");
        }
        Asked::Cancel { n } => {
            let count = model.0.len().max(1);
            let Some(kept) = model.0.get_mut(n % count) else { return };
            let order = Box::new(kept.order.clone());
            let answer = match order.progress.status {
                Status::Pending => Cancellation::Accepted(order),
                Status::Confirmed => Cancellation::Confirmed(order),
                Status::Cancelled => Cancellation::Cancelled(order),
            };
            kept.cancel_asked |= kept.is_pending();
            assert_eq!(store.request_cancellation(kept.order.order_id.clone()).await, Ok(answer));
        }
        Asked::TakeOver { who, whose, until_ms, limit } => {
            let lease = held_by(*who, *until_ms);
            let whose = match whose {
                Taking::Own => Whose::OwnOfEarlierLives,
                Taking::Expired { now_ms } => Whose::Expired { now_ms: *now_ms },
                Taking::Orphan { n } => Whose::Orphan { order_id: format!("o{n}") },
            };
            let taken = store.take_over(lease.clone(), whose.clone(), *limit).await.expect("it answers");
            let due = model.take_over(&lease, &whose, *limit);
            assert_eq!(taken.len(), due.len(), "{whose:?}");
            for (taken, at) in taken.iter().zip(due) {
                let kept = &model.0[at];
                assert_eq!((&taken.order, taken.claim.number), (&kept.order, kept.claim));
                assert_same(&Saga::replay(&taken.log).expect("a log that the machine accepts"), &kept.saga());
            }
        }
        Asked::Prolong { who, until_ms } => {
            let lease = held_by(*who, *until_ms);
            assert_eq!(store.prolong(lease.clone()).await, Ok(model.prolong(&lease)));
        }
        Asked::Deliver { nth } => {
            let pending = store.pending(100).await.expect("it answers");
            let Some(head) = pending.get(*nth) else { return };
            store.delivered(head.position).await.expect("it answers");
            let of = |kept: &&mut Kept| Some(&kept.order.order_id) == head.event.subject.as_ref();
            let kept = model.0.iter_mut().find(of).expect("an event is of an order");
            assert_eq!(kept.event.replace(true), Some(false), "it was due");
        }
    }
}

/// Rounds of an undo are counted, so the machine is not the same to the bit: but it does the same.
fn assert_same(saga: &Saga, known: &Saga) {
    assert_eq!((saga.next(), saga.undoing(), saga.end()), (known.next(), known.undoing(), known.end()));
    assert_eq!((saga.fruitless(), saga.needs_attention(99)), (known.fruitless(), known.needs_attention(99)));
    assert_eq!(Step::ALL.map(|step| saga.is_in_doubt(step)), Step::ALL.map(|step| known.is_in_doubt(step)));
}

/// Everything that can be read is as the model has it.
async fn assert_agree(store: &dyn Store, model: &Model) {
    let newest_first: Vec<Order> = model.0.iter().rev().map(|kept| kept.order.clone()).collect();
    let listed = store.list(Filter { limit: 100, ..Filter::default() }).await.expect("it answers");
    assert_eq!(listed.into_iter().map(|(_, order)| order).collect::<Vec<_>>(), newest_first);
    let summary = model.summary();
    assert_eq!(store.summary().await, Ok(summary));
    let undelivered = model.0.iter().filter(|kept| kept.event == Some(false)).count() as i64;
    let backlog = Backlog { pending: summary.pending, needs_attention: summary.needs_attention, undelivered };
    assert_eq!(store.backlog().await, Ok(backlog));
    for kept in &model.0 {
        let rows = store.saga_log(kept.order.order_id.clone()).await.expect("it answers").expect("it is there");
        assert_eq!(rows, kept.rows);
    }
}

async fn any_calls_are_answered_as_the_model_answers_them(backing: &Backing) {
    let calls = prop::collection::vec((any_call(), any::<bool>()), 1..50);
    let stores = [backing.open().await, backing.open().await];
    tokio::task::block_in_place(|| {
        let mut runner = TestRunner::new(ProptestConfig { cases: 48, ..ProptestConfig::default() });
        runner.run(&calls, |calls| {
            tokio::runtime::Handle::current().block_on(compare(backing, &stores, &calls));
            Ok(())
        })
    })
    .unwrap();
}

async fn compare(backing: &Backing, stores: &[Arc<dyn Store>; 2], calls: &[(Asked, bool)]) {
    backing.empty().await;
    let mut model = Model::default();
    for (n, (asked, at_the_other)) in (0..).zip(calls) {
        ask(&*stores[usize::from(*at_the_other)], &mut model, asked, n).await;
    }
    assert_agree(&*stores[0], &model).await;
}
