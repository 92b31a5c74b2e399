//! What every implementation of the store must hold, tried on SQLite in memory.

use chassis::context::{StoredContext, TraceParent};
use squall_host::real::Real;

use super::*;
use crate::{
    domain::Item,
    event,
    saga::{Action, Cause, End, Outcome, Saga, Step},
};

const RESERVE: Action = Action::Do(Step::Reserve);
const RELEASE: Action = Action::Undo(Step::Reserve);

async fn store() -> SqliteStore {
    let env = Env::new(Real::seeded(1));
    SqliteStore::open(&env, &DatabaseUrl("sqlite::memory:".to_owned())).await.unwrap()
}

fn lease(owner: &str, life: i64, until_ms: i64) -> Lease {
    Lease { owner: owner.to_owned(), life, until_ms }
}

fn new(n: u32, quantity: i64) -> NewOrder {
    let traceparent = TraceParent { trace_id: 7, span_id: 9, flags: 1 };
    NewOrder {
        order_id: format!("o{n}"),
        idempotency_key: format!("k{n}"),
        request: OrderRequest {
            customer_id: if n.is_multiple_of(2) { "ada" } else { "grace" }.to_owned(),
            items: vec![Item { sku: "widget".to_owned(), quantity }],
            payment_method: "pm_ok".to_owned(),
        },
        amount: 499 * quantity,
        currency: "EUR".to_owned(),
        context: StoredContext { traceparent, correlation: "basket".to_owned() },
        now_ms: 1_000,
    }
}

async fn placed(store: &SqliteStore, n: u32, lease: Lease) -> OpenSaga {
    match store.place(new(n, 2), lease).await.unwrap() {
        Placed::New(open) => *open,
        other => panic!("it is new: {other:?}"),
    }
}

fn page(number: i64, entries: &[Entry]) -> Page {
    let entries = entries.to_vec();
    Page { number, entries, event: None, needs_attention: false, now_ms: 2_000, lease_until_ms: 9_000 }
}

async fn entries(store: &SqliteStore, order_id: &str) -> Vec<(Entry, i64)> {
    let rows = store.saga_log(order_id.to_owned()).await.unwrap().unwrap();
    rows.into_iter().map(|row| (row.entry, row.times)).collect()
}

#[tokio::test]
async fn a_key_stands_for_one_request() {
    let store = store().await;
    let open = placed(&store, 1, lease("a", 1, 5_000)).await;
    let known = store.place(NewOrder { order_id: "other".into(), ..new(1, 2) }, lease("a", 1, 5_000)).await.unwrap();
    assert_eq!(known, Placed::Known(Box::new(open.order.clone())));
    assert_eq!(store.place(new(1, 3), lease("a", 1, 5_000)).await.unwrap(), Placed::KeyReused);
    assert_eq!(store.order_by_key("k1".into()).await.unwrap(), Some(open.order));
}

#[tokio::test]
async fn a_page_written_again_is_written_once() {
    let store = store().await;
    let open = placed(&store, 1, lease("a", 1, 5_000)).await;
    for _ in 0..2 {
        let written = store.write(open.claim.clone(), page(1, &[Entry::Intent(RESERVE)])).await.unwrap();
        assert_eq!(written, Written::Yes);
    }
    assert_eq!(entries(&store, "o1").await, [(Entry::Intent(RESERVE), 1)]);
}

#[tokio::test]
async fn an_end_comes_with_its_event_and_nothing_comes_after_it() {
    let store = store().await;
    let open = placed(&store, 1, lease("a", 1, 5_000)).await;
    let mut end = page(1, &[Entry::Confirmed]);
    end.event = Some(event::of(&open.order, End::Confirmed, 2_000));
    // Twice, as after a commit of unknown fate.
    for _ in 0..2 {
        assert_eq!(store.write(open.claim.clone(), end.clone()).await.unwrap(), Written::Yes);
    }
    let pending = store.pending(10).await.unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!((pending[0].event.kind.as_str(), &pending[0].context), ("order.confirmed", &open.order.context));
    assert_eq!(store.write(open.claim, page(2, &[Entry::Cancelled])).await.unwrap(), Written::ClaimLost);
    store.delivered(pending[0].position).await.unwrap();
    assert_eq!(store.pending(10).await.unwrap(), []);
    let summary = store.summary().await.unwrap();
    assert_eq!((summary.confirmed, summary.confirmed_total, summary.confirmed_quantity), (1, 998, 2));
}

#[tokio::test]
async fn an_instance_that_slept_through_its_lease_can_write_nothing_more() {
    let store = store().await;
    let open = placed(&store, 1, lease("a", 1, 5_000)).await;
    let expired = |now_ms| store.take_over(lease("b", 2, 20_000), Whose::Expired { now_ms }, 10);
    assert_eq!(expired(5_000).await.unwrap(), [], "not yet");
    let taken = expired(5_001).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(store.write(open.claim, page(1, &[Entry::Intent(RESERVE)])).await.unwrap(), Written::ClaimLost);
    let written = store.write(taken[0].claim.clone(), page(1, &[Entry::Intent(RESERVE)])).await.unwrap();
    assert_eq!(written, Written::Yes);
    assert_eq!(store.prolong(lease("a", 1, 99_000)).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.prolong(lease("b", 2, 99_000)).await.unwrap(), ["o1"]);
    assert_eq!(store.take_over(lease("a", 1, 99_000), Whose::Expired { now_ms: 98_000 }, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_new_life_takes_over_its_own_at_once_and_nobody_elses() {
    let store = store().await;
    placed(&store, 1, lease("a", 1, 5_000)).await;
    placed(&store, 2, lease("b", 2, 5_000)).await;
    let taken = store.take_over(lease("a", 3, 9_000), Whose::OwnOfEarlierLives, 10).await.unwrap();
    assert_eq!(taken.iter().map(|open| open.order.order_id.as_str()).collect::<Vec<_>>(), ["o1"]);
    assert_eq!(store.take_over(lease("a", 3, 9_000), Whose::OwnOfEarlierLives, 10).await.unwrap(), []);
    let orphan = |order_id: &str| Whose::Orphan { order_id: order_id.to_owned() };
    assert_eq!(store.take_over(lease("a", 3, 9_000), orphan("o1"), 1).await.unwrap().len(), 1);
    assert_eq!(store.take_over(lease("a", 3, 9_000), orphan("o2"), 1).await.unwrap(), []);
}

#[tokio::test]
async fn a_cancellation_stops_what_goes_forward_and_nothing_else() {
    let store = store().await;
    let open = placed(&store, 1, lease("a", 1, 5_000)).await;
    assert_eq!(store.request_cancellation("nobody".into()).await.unwrap(), Cancellation::Unknown);
    assert!(matches!(store.request_cancellation("o1".into()).await.unwrap(), Cancellation::Accepted(_)));
    for forward in [Entry::Intent(RESERVE), Entry::Confirmed] {
        let written = store.write(open.claim.clone(), page(1, &[forward])).await.unwrap();
        assert_eq!(written, Written::CancellationRequested);
    }
    assert_eq!(entries(&store, "o1").await, []);
    let undo = [Entry::UndoBegan(Cause::Requested), Entry::Cancelled];
    assert_eq!(store.write(open.claim, page(1, &undo)).await.unwrap(), Written::Yes);
    let order = store.order("o1".into()).await.unwrap().unwrap();
    assert_eq!((order.progress.status, order.progress.cause), (Status::Cancelled, Some(Cause::Requested)));
    assert!(matches!(store.request_cancellation("o1".into()).await.unwrap(), Cancellation::Cancelled(_)));
}

#[tokio::test]
async fn rounds_of_an_undo_are_counted_and_come_back_as_a_log() {
    let store = store().await;
    let open = placed(&store, 1, lease("a", 1, 5_000)).await;
    let begun = [Entry::Intent(RESERVE), Entry::UndoBegan(Cause::Requested)];
    store.write(open.claim.clone(), page(1, &begun)).await.unwrap();
    for round in 0..10 {
        let outcome = if round % 2 == 0 { Outcome::NothingSent } else { Outcome::Indeterminate };
        let rows = [Entry::Intent(RELEASE), Entry::Result(RELEASE, outcome)];
        let mut page = page(2 + round, &rows);
        page.needs_attention = true;
        store.write(open.claim.clone(), page).await.unwrap();
    }
    assert_eq!(store.summary().await.unwrap().needs_attention, 1);
    let times: Vec<i64> = entries(&store, "o1").await.into_iter().map(|(_, times)| times).collect();
    assert_eq!(times, [1, 1, 10, 5, 5]);
    let taken = store.take_over(lease("a", 2, 9_000), Whose::OwnOfEarlierLives, 10).await.unwrap();
    let saga = Saga::replay(&taken[0].log).unwrap();
    assert_eq!(saga.fruitless(), 10);
}

#[tokio::test]
async fn a_list_is_newest_first_and_filtered() {
    let store = store().await;
    for n in 1..=4 {
        placed(&store, n, lease("a", 1, 5_000)).await;
    }
    let ids = |filter: Filter| async {
        let orders = store.list(filter).await.unwrap();
        orders.into_iter().map(|(seq, order)| (seq, order.order_id)).collect::<Vec<_>>()
    };
    let all = ids(Filter { limit: 10, ..Filter::default() }).await;
    assert_eq!(all.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["o4", "o3", "o2", "o1"]);
    let of_ada = Filter { customer_id: Some("ada".into()), limit: 10, ..Filter::default() };
    assert_eq!(ids(of_ada.clone()).await.len(), 2);
    assert_eq!(ids(Filter { before: Some(all[1].0), limit: 1, ..Filter::default() }).await, [all[2].clone()]);
    assert_eq!(ids(Filter { status: Some(Status::Confirmed), ..of_ada }).await, []);
}
