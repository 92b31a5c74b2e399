//! Calls at once, from several instances: who wins is open, and what then holds is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use order::{
    domain::Status,
    saga::{Cause, Entry},
    store::{Cancellation, NewOrder, OpenSaga, Placed, Store, StoreError, Whose, Written},
};
use tokio::task::JoinSet;

use crate::{
    backing::Backing,
    on_every_database,
    samples::{RELEASE, RESERVE, end, entries, lease, new, page, placed},
};

on_every_database! {
    of_many_who_place_under_one_key_one_places_it,
    a_key_with_two_bodies_at_once_is_one_order,
    each_lapsed_order_is_taken_over_once,
    a_page_that_two_write_at_once_is_written_once,
    a_page_and_a_take_over_at_once_are_one_before_the_other,
    a_cancellation_and_a_page_at_once_are_one_before_the_other,
    an_end_is_never_seen_without_its_event,
    events_of_many_writers_are_delivered_by_many_relays_in_order_and_none_is_lost,
    leases_are_prolonged_while_pages_are_written_and_orders_taken_over,
}

/// How often each race is run.
const ROUNDS: u32 = 12;

/// So many instances on one database.
async fn instances(backing: &Backing, count: usize) -> Vec<Arc<dyn Store>> {
    let mut stores = Vec::new();
    for _ in 0..count {
        stores.push(backing.open().await);
    }
    stores
}

/// What all of them answer, asked at once.
async fn at_once<T: Send + 'static>(
    works: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let works: JoinSet<T> = works.into_iter().collect();
    works.join_all().await
}

async fn of_many_who_place_under_one_key_one_places_it(backing: &Backing) {
    let stores = instances(backing, 3).await;
    for round in 0..ROUNDS {
        let placings = (0..9_u32).map(|n| {
            let store = stores[n as usize % 3].clone();
            let new = NewOrder { order_id: format!("{round}.{n}"), ..new(round, 2) };
            async move { store.place(new, lease("a", 1, 5_000)).await.unwrap() }
        });
        let (mut new, mut known) = (Vec::new(), BTreeSet::new());
        for placed in at_once(placings).await {
            match placed {
                Placed::New(open) => new.push(open.order.order_id),
                Placed::Known(order) => drop(known.insert(order.order_id)),
                Placed::KeyReused => panic!("all are equal"),
            }
        }
        assert_eq!((new.len(), &known), (1, &new.iter().cloned().collect()));
    }
    assert_eq!(stores[0].summary().await.unwrap().pending, i64::from(ROUNDS));
}

async fn a_key_with_two_bodies_at_once_is_one_order(backing: &Backing) {
    let stores = instances(backing, 2).await;
    for round in 0..ROUNDS {
        let placings = (0..2_u32).map(|n| {
            let store = stores[n as usize].clone();
            let new = NewOrder { order_id: format!("{round}.{n}"), ..new(round, 1 + i64::from(n)) };
            async move { store.place(new, lease("a", 1, 5_000)).await.unwrap() }
        });
        let answers = at_once(placings).await;
        assert_eq!(answers.iter().filter(|placed| matches!(placed, Placed::New(_))).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|placed| matches!(placed, Placed::KeyReused)).count(), 1, "{answers:?}");
    }
}

async fn each_lapsed_order_is_taken_over_once(backing: &Backing) {
    let stores = instances(backing, 3).await;
    let orders = 40_u32;
    for n in 0..orders {
        let open = placed(&*stores[0], n, lease("dead", 1, 5_000)).await;
        stores[0].write(open.claim, page(1, &[Entry::Intent(RESERVE)])).await.unwrap();
    }
    let takings = (0..3_usize).map(|n| {
        let (store, lease) = (stores[n].clone(), lease(&format!("i{n}"), 10 + n as i64, 99_000));
        async move {
            let mut all: Vec<OpenSaga> = Vec::new();
            // Passed over because another has it in hand is not "none left" before that one has committed.
            while any_is_left(&*store).await {
                all.extend(store.take_over(lease.clone(), Whose::Expired { now_ms: 9_001 }, 4).await.unwrap());
            }
            all
        }
    });
    let taken: Vec<OpenSaga> = at_once(takings).await.into_iter().flatten().collect();
    let ids: BTreeSet<&str> = taken.iter().map(|open| open.order.order_id.as_str()).collect();
    assert_eq!((taken.len(), ids.len()), (orders as usize, orders as usize));
    for open in &taken {
        assert_eq!((open.claim.number, open.log.as_slice()), (2, &[Entry::Intent(RESERVE)][..]));
    }
}

/// Whether any order still lies with the dead.
async fn any_is_left(store: &dyn Store) -> bool {
    !store.prolong(lease("dead", 1, 5_000)).await.unwrap().is_empty()
}

async fn a_page_that_two_write_at_once_is_written_once(backing: &Backing) {
    let stores = instances(backing, 2).await;
    for round in 0..ROUNDS {
        let open = placed(&*stores[0], round, lease("a", 1, 5_000)).await;
        let end = end(1, &open.order, Entry::Confirmed);
        let writings = (0..4_usize).map(|n| {
            let (store, claim, end) = (stores[n % 2].clone(), open.claim.clone(), end.clone());
            async move { store.write(claim, end).await.unwrap() }
        });
        assert_eq!(at_once(writings).await, [Written::Yes; 4]);
        assert_eq!(entries(&*stores[0], &open.order.order_id).await, [(Entry::Confirmed, 1)]);
    }
    assert_eq!(stores[0].backlog().await.unwrap().undelivered, i64::from(ROUNDS), "an event for each end");
}

async fn a_page_and_a_take_over_at_once_are_one_before_the_other(backing: &Backing) {
    let stores = instances(backing, 2).await;
    for round in 0..4 * ROUNDS {
        let open = placed(&*stores[0], round, lease("a", 1, 5_000)).await;
        let order_id = open.order.order_id.clone();
        let ends = round % 2 == 0;
        let page = if ends { end(1, &open.order, Entry::Confirmed) } else { page(1, &[Entry::Intent(RESERVE)]) };
        let write = {
            let (store, claim, page) = (stores[0].clone(), open.claim.clone(), page.clone());
            async move { store.write(claim, page).await.unwrap() }
        };
        let take = {
            let (store, lease) = (stores[1].clone(), lease("a", 2 + i64::from(round), 9_000));
            // A new life of the same instance, which waits for what the old one has under way.
            async move { store.take_over(lease, Whose::OwnOfEarlierLives, 999).await.unwrap() }
        };
        let (written, taken) = tokio::join!(write, take);
        let taken = taken.into_iter().find(|open| open.order.order_id == order_id).map(|open| open.log);
        // Whoever takes over sees all that was acknowledged, and nothing that has ended.
        match (written, ends) {
            (Written::Yes, true) => assert_eq!(taken, None),
            (Written::Yes, false) => assert_eq!(taken, Some(page.entries)),
            (Written::ClaimLost, _) => assert_eq!(taken, Some(vec![])),
            (Written::CancellationRequested, _) => panic!("nobody asked"),
        }
        let late = self::page(2, &[Entry::Intent(RELEASE)]);
        assert_eq!(stores[0].write(open.claim, late).await.unwrap(), Written::ClaimLost);
    }
}

async fn a_cancellation_and_a_page_at_once_are_one_before_the_other(backing: &Backing) {
    let stores = instances(backing, 2).await;
    for round in 0..ROUNDS {
        let open = placed(&*stores[0], round, lease("a", 1, 5_000)).await;
        let order_id = open.order.order_id.clone();
        let write = {
            let (store, claim, end) = (stores[0].clone(), open.claim.clone(), end(1, &open.order, Entry::Confirmed));
            async move { store.write(claim, end).await.unwrap() }
        };
        let cancel = {
            let (store, order_id) = (stores[1].clone(), order_id.clone());
            async move { store.request_cancellation(order_id).await.unwrap() }
        };
        let (written, cancelled) = tokio::join!(write, cancel);
        let status = stores[0].order(order_id).await.unwrap().unwrap().progress.status;
        match (written, cancelled) {
            (Written::Yes, Cancellation::Confirmed(_)) => assert_eq!(status, Status::Confirmed),
            (Written::CancellationRequested, Cancellation::Accepted(_)) => assert_eq!(status, Status::Pending),
            other => panic!("both had their way, or neither: {other:?}"),
        }
    }
}

async fn an_end_is_never_seen_without_its_event(backing: &Backing) {
    let stores = instances(backing, 3).await;
    let mut opens = Vec::new();
    for n in 0..30 {
        opens.push(placed(&*stores[0], n, lease("a", 1, 5_000)).await);
    }
    let all = opens.len();
    let writer = {
        let store = stores[0].clone();
        async move {
            for open in opens {
                let end = end(1, &open.order, Entry::Confirmed);
                assert_eq!(store.write(open.claim, end).await.unwrap(), Written::Yes);
            }
        }
    };
    let reader = {
        let (store, other) = (stores[1].clone(), stores[2].clone());
        async move {
            loop {
                // In this order: an event may come after the figure was read, and must not be missing before.
                let confirmed = store.summary().await.unwrap().confirmed as usize;
                let events = other.pending(1_000).await.unwrap().len();
                assert!(events >= confirmed, "{confirmed} ends and {events} events");
                if confirmed == all {
                    return;
                }
            }
        }
    };
    tokio::join!(writer, reader);
}

/// What relays delivered, by order: the numbers of its events.
type Delivered = BTreeMap<String, Vec<i64>>;

/// Delivers until it has been told that all is written, and nothing is left.
async fn relay(store: Arc<dyn Store>, written: tokio::sync::watch::Receiver<bool>) -> Delivered {
    let mut delivered = Delivered::new();
    loop {
        let all_was_written = *written.borrow();
        let heads = store.pending(8).await.unwrap();
        if heads.is_empty() && all_was_written {
            return delivered;
        }
        for head in heads {
            let number = head.event.data.as_i64().unwrap();
            delivered.entry(head.event.subject.unwrap()).or_default().push(number);
            store.delivered(head.position).await.unwrap();
        }
    }
}

async fn events_of_many_writers_are_delivered_by_many_relays_in_order_and_none_is_lost(backing: &Backing) {
    const EVENTS: i64 = 8;
    let stores = instances(backing, 3).await;
    let (tell, told) = tokio::sync::watch::channel(false);
    let relays: JoinSet<Delivered> = stores.iter().map(|store| relay(store.clone(), told.clone())).collect();
    let writings = (0..6_u32).map(|n| {
        let store = stores[n as usize % 3].clone();
        async move {
            let open = placed(&*store, n, lease("a", 1, 5_000)).await;
            for number in 1..=EVENTS {
                let mut page = page(number, &[]);
                page.event = end(number, &open.order, Entry::Confirmed).event;
                page.event.as_mut().unwrap().data = number.into();
                assert_eq!(store.write(open.claim.clone(), page).await.unwrap(), Written::Yes);
            }
        }
    });
    at_once(writings).await;
    tell.send_replace(true);
    let mut reached = BTreeMap::<String, BTreeSet<i64>>::new();
    for (order_id, numbers) in relays.join_all().await.into_iter().flatten() {
        // More than one relay may deliver an event; each of them does it in order.
        assert!(numbers.is_sorted(), "{order_id}: {numbers:?}");
        reached.entry(order_id).or_default().extend(numbers);
    }
    assert_eq!(reached.len(), 6);
    assert!(reached.values().all(|numbers| numbers.iter().copied().eq(1..=EVENTS)), "{reached:?}");
}

/// The calls that hold more than one row at once, against those that hold one.
async fn leases_are_prolonged_while_pages_are_written_and_orders_taken_over(backing: &Backing) {
    let stores = instances(backing, 3).await;
    for n in 0..12 {
        placed(&*stores[0], n, lease("a", 1, 5_000)).await;
    }
    let works = (0..3_usize).map(|n| {
        let store = stores[n].clone();
        async move {
            for life in 0..15 {
                let lease = lease(["a", "b", "a"][n], 100 * (n as i64 + 1) + life, 5_000);
                let whose = if n == 1 { Whose::Expired { now_ms: 9_001 } } else { Whose::OwnOfEarlierLives };
                for open in store.take_over(lease.clone(), whose, 6).await? {
                    store.write(open.claim, page(1, &[Entry::UndoBegan(Cause::Requested)])).await?;
                }
                store.prolong(lease).await?;
            }
            Ok(())
        }
    });
    let results: Vec<Result<(), StoreError>> = at_once(works).await;
    assert_eq!(results, [Ok(()), Ok(()), Ok(())], "nobody waits in a circle, or for ever");
}
