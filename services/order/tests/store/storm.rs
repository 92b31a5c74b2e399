//! Any calls, from several instances at once, over few orders. Each instance does what the saga of an order demands as far
//! as it knows it; what the database lets through must then be one saga for each order, whole, with one end and one event.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use order::{
    domain::Status,
    saga::{Action, Entry, Outcome, Saga},
    store::{Cancellation, Claim, Filter, Lease, OpenSaga, Page, Placed, Store, Whose, Written},
};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::{
    backing::Backing,
    on_every_database,
    samples::{end, goes_backwards, lease, new, next_entries, page, refusal},
};

on_every_database! { whatever_instances_do_at_once_each_order_has_one_saga }

const ORDERS: u32 = 3;

/// One thing that an instance does.
#[derive(Debug, Clone)]
enum Deed {
    /// Places an order, or asks for it again.
    Place {
        n: u32,
    },
    /// Writes the next page of one that it holds; twice at once, as if the first had been given up.
    Write {
        nth: usize,
        outcome: Outcome,
        intent_only: bool,
        twice: bool,
    },
    TakeOver {
        own: bool,
        limit: u32,
    },
    Prolong,
    Cancel {
        n: u32,
    },
    Relay,
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let outcome = prop_oneof![
        5 => Just(Outcome::Done),
        1 => Just(Outcome::Refused(refusal())),
        1 => Just(Outcome::Indeterminate),
    ];
    let write = (0..ORDERS as usize, outcome, prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    prop_oneof![
        3 => (0..ORDERS).prop_map(|n| Deed::Place { n }),
        12 => write.prop_map(|(nth, outcome, intent_only, twice)| Deed::Write { nth, outcome, intent_only, twice }),
        3 => (prop::bool::weighted(0.3), 1..4_u32).prop_map(|(own, limit)| Deed::TakeOver { own, limit }),
        1 => Just(Deed::Prolong),
        1 => (0..ORDERS).prop_map(|n| Deed::Cancel { n }),
        1 => Just(Deed::Relay),
    ]
}

/// An order as the instance knows it that believes it holds it.
struct Held {
    open: OpenSaga,
    saga: Saga,
    in_flight: Option<Action>,
    page: i64,
}

impl Held {
    fn of(open: OpenSaga) -> Held {
        let saga = Saga::replay(&open.log).expect("what is taken over is a saga");
        Held { open, saga, in_flight: None, page: 0 }
    }

    fn page(&self, entries: &[Entry], now_ms: i64) -> Page {
        let number = self.page + 1;
        let mut page = match entries {
            [entry @ (Entry::Confirmed | Entry::Cancelled)] => end(number, &self.open.order, entry.clone()),
            entries => page(number, entries),
        };
        (page.now_ms, page.lease_until_ms) = (now_ms, 5_000);
        page
    }
}

/// What an instance was told.
#[derive(Default)]
struct Told {
    /// Pages that were acknowledged: their orders, stamps and entries.
    written: Vec<(String, i64, Vec<Entry>)>,
    claims: Vec<Claim>,
    /// Orders whose cancellation was accepted.
    accepted: BTreeSet<String>,
    /// Events that it delivered: order and kind.
    delivered: BTreeSet<(String, String)>,
}

struct Instance {
    store: Arc<dyn Store>,
    lease: Lease,
    held: BTreeMap<String, Held>,
    /// Stamps each page with a time of its own, so that the page is known again in the log.
    clock: Arc<AtomicI64>,
    told: Told,
}

impl Instance {
    async fn live(mut self, deeds: Vec<Deed>) -> Told {
        for deed in deeds {
            match deed {
                Deed::Place { n } => {
                    if let Placed::New(open) = self.store.place(new(n, 2), self.lease.clone()).await.unwrap() {
                        self.hold(*open);
                    }
                }
                Deed::Write { nth, outcome, intent_only, twice } => self.write(nth, &outcome, intent_only, twice).await,
                Deed::TakeOver { own: true, limit } => self.take_over(Whose::OwnOfEarlierLives, limit).await,
                Deed::TakeOver { own: false, limit } => {
                    self.take_over(Whose::Expired { now_ms: i64::MAX }, limit).await
                }
                Deed::Prolong => drop(self.store.prolong(self.lease.clone()).await.unwrap()),
                Deed::Cancel { n } => {
                    let order_id = format!("o{n}");
                    if let Cancellation::Accepted(_) = self.store.request_cancellation(order_id.clone()).await.unwrap()
                    {
                        self.told.accepted.insert(order_id);
                    }
                }
                Deed::Relay => self.relay().await,
            }
        }
        self.told
    }

    fn hold(&mut self, open: OpenSaga) {
        self.told.claims.push(open.claim.clone());
        self.held.insert(open.order.order_id.clone(), Held::of(open));
    }

    async fn take_over(&mut self, whose: Whose, limit: u32) {
        for open in self.store.take_over(self.lease.clone(), whose, limit).await.unwrap() {
            self.hold(open);
        }
    }

    async fn write(&mut self, nth: usize, outcome: &Outcome, intent_only: bool, twice: bool) {
        let count = self.held.len().max(1);
        let Some((order_id, held)) = self.held.iter_mut().nth(nth % count) else { return };
        let order_id = order_id.clone();
        let mut entries = match held.in_flight {
            Some(action) => vec![Entry::Result(action, outcome.clone())],
            None => next_entries(&held.saga, outcome),
        };
        if intent_only {
            entries.truncate(1);
        }
        let page = held.page(&entries, self.clock.fetch_add(1, Ordering::SeqCst));
        let write = || self.store.write(held.open.claim.clone(), page.clone());
        let answers = if twice { tokio::join!(write(), write()) } else { (write().await, Ok(Written::ClaimLost)) };
        let answers = [answers.0.unwrap(), answers.1.unwrap()];
        let is_written = answers.contains(&Written::Yes);
        let is_refused = answers.contains(&Written::CancellationRequested);
        assert!(!(is_written && is_refused), "a page that was refused was not written before: {answers:?}");
        if is_written {
            entries.iter().for_each(|entry| held.saga.apply(entry).expect("the machine wants it"));
            held.in_flight = match entries.last() {
                Some(Entry::Intent(action)) => Some(*action),
                _ => None,
            };
            held.page += 1;
            self.told.written.push((order_id.clone(), page.now_ms, entries));
        }
        if is_refused {
            // As the driver does: what was refused did not happen, and the saga goes backwards.
            let entries = goes_backwards();
            let page = held.page(&entries, self.clock.fetch_add(1, Ordering::SeqCst));
            if self.store.write(held.open.claim.clone(), page.clone()).await.unwrap() == Written::Yes {
                held.saga.apply(&entries[0]).expect("it goes backwards once");
                held.page += 1;
                self.told.written.push((order_id, page.now_ms, entries));
                return;
            }
        }
        let is_lost = answers[0] == Written::ClaimLost || (twice && answers[1] == Written::ClaimLost) || is_refused;
        if is_lost || held.saga.end().is_some() {
            self.held.remove(&order_id);
        }
    }

    async fn relay(&mut self) {
        for head in self.store.pending(2).await.unwrap() {
            self.told.delivered.insert((head.event.subject.unwrap(), head.event.kind));
            self.store.delivered(head.position).await.unwrap();
        }
    }

    /// Takes over all that is left and brings it to its end.
    async fn finish(mut self) -> Told {
        self.take_over(Whose::Expired { now_ms: i64::MAX }, 100).await;
        while !self.held.is_empty() {
            self.write(0, &Outcome::Done, false, false).await;
        }
        for _ in 0..ORDERS {
            self.relay().await;
        }
        self.told
    }
}

async fn whatever_instances_do_at_once_each_order_has_one_saga(backing: &Backing) {
    let deeds = prop::collection::vec(prop::collection::vec(any_deed(), 4..24), 2..5);
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(backing.open().await);
    }
    tokio::task::block_in_place(|| {
        // What is drawn is a fraction of what happens, so a failure is not made smaller: it may not come again.
        let config = ProptestConfig { cases: 64, max_shrink_iters: 0, ..ProptestConfig::default() };
        TestRunner::new(config).run(&deeds, |deeds| {
            tokio::runtime::Handle::current().block_on(storm(backing, &stores, deeds));
            Ok(())
        })
    })
    .unwrap();
}

async fn storm(backing: &Backing, stores: &[Arc<dyn Store>], deeds: Vec<Vec<Deed>>) {
    backing.empty().await;
    let clock = Arc::new(AtomicI64::new(1_000_000));
    let instance = |n: usize| Instance {
        store: stores[n % stores.len()].clone(),
        // The first and the last share a name, as two lives of one instance do.
        lease: lease(["a", "b", "c"][n % 3], n as i64, 5_000),
        held: BTreeMap::new(),
        clock: clock.clone(),
        told: Told::default(),
    };
    let lives: tokio::task::JoinSet<Told> =
        deeds.into_iter().enumerate().map(|(n, deeds)| instance(n).live(deeds)).collect();
    let mut all = lives.join_all().await;
    all.push(instance(99).finish().await);
    check(&*stores[0], &all).await;
}

async fn check(store: &dyn Store, all: &[Told]) {
    let claims: Vec<_> =
        all.iter().flat_map(|told| &told.claims).map(|claim| (&claim.order_id, claim.number)).collect();
    assert_eq!(claims.iter().collect::<BTreeSet<_>>().len(), claims.len(), "no claim is given twice: {claims:?}");
    assert_eq!(store.pending(100).await.unwrap(), []);
    let delivered: Vec<_> =
        all.iter().flat_map(|told| told.delivered.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut ends = Vec::new();
    for (_, order) in store.list(Filter { limit: 100, ..Filter::default() }).await.unwrap() {
        let (order_id, status) = (order.order_id, order.progress.status);
        ends.push((order_id.clone(), format!("order.{}", status.name())));
        let accepted = all.iter().any(|told| told.accepted.contains(&order_id));
        assert!(status == Status::Cancelled || (status == Status::Confirmed && !accepted), "{order_id}: {status:?}");
        let rows = store.saga_log(order_id.clone()).await.unwrap().unwrap();
        let written = || all.iter().flat_map(|told| &told.written).filter(|(of, ..)| *of == order_id);
        let stamped: BTreeSet<_> = written().map(|(_, stamp, _)| *stamp).collect();
        assert!(rows.iter().all(|row| stamped.contains(&row.first_at_ms)), "only what was acknowledged: {rows:#?}");
        let acknowledged = written().flat_map(|(_, stamp, entries)| entries.iter().map(move |entry| (*stamp, entry)));
        let mut times = 0;
        for (stamp, entry) in acknowledged {
            let is_there = |row: &&order::store::LogRow| row.first_at_ms <= stamp && stamp <= row.last_at_ms;
            assert!(
                rows.iter().any(|row| row.entry == *entry && is_there(&row)),
                "{entry:?} at {stamp} is lost: {rows:#?}"
            );
            times += 1;
        }
        assert_eq!(rows.iter().map(|row| row.times).sum::<i64>(), times, "each once: {rows:#?}");
    }
    ends.sort_unstable();
    assert_eq!(delivered, ends, "one event for each end, and one end for each order");
}
