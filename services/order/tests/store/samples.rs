//! What is written in these tests.

use chassis::context::{StoredContext, TraceParent};
use order::{
    domain::{Item, Order, OrderRequest},
    event,
    saga::{Action, Cause, End, Entry, Next, Outcome, Refusal, Saga, Step},
    store::{Lease, NewOrder, OpenSaga, Page, Placed, Store},
};

pub(crate) const RESERVE: Action = Action::Do(Step::Reserve);
pub(crate) const RELEASE: Action = Action::Undo(Step::Reserve);

pub(crate) fn lease(owner: &str, life: i64, until_ms: i64) -> Lease {
    Lease { owner: owner.to_owned(), life, until_ms }
}

/// The n-th order: of `ada` or `grace` in turn.
pub(crate) fn new(n: u32, quantity: i64) -> NewOrder {
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

pub(crate) async fn placed(store: &dyn Store, n: u32, lease: Lease) -> OpenSaga {
    match store.place(new(n, 2), lease).await.expect("it is placed") {
        Placed::New(open) => *open,
        other => panic!("it is new: {other:?}"),
    }
}

pub(crate) fn page(number: i64, entries: &[Entry]) -> Page {
    let entries = entries.to_vec();
    Page { number, entries, event: None, needs_attention: false, now_ms: 2_000, lease_until_ms: 9_000 }
}

/// A page that ends the order, with its event.
pub(crate) fn end(number: i64, order: &Order, entry: Entry) -> Page {
    let end = if entry == Entry::Confirmed { End::Confirmed } else { End::Cancelled };
    let mut page = page(number, &[entry]);
    page.event = Some(event::of(order, end, page.now_ms));
    page
}

pub(crate) async fn entries(store: &dyn Store, order_id: &str) -> Vec<(Entry, i64)> {
    let rows = store.saga_log(order_id.to_owned()).await.expect("it reads").expect("there is such an order");
    rows.into_iter().map(|row| (row.entry, row.times)).collect()
}

pub(crate) fn refusal() -> Refusal {
    Refusal {
        status: 402,
        problem: "card-declined".to_owned(),
        detail: "„nein“, said the bank \u{1f3e6}, 'no'\u{0}".to_owned(),
        sku: None,
        after_doubt: false,
    }
}

/// What a driver writes next who has seen all of `saga`, if its call comes back so; nothing after the end.
pub(crate) fn next_entries(saga: &Saga, outcome: &Outcome) -> Vec<Entry> {
    match saga.next() {
        Next::Ended(_) => Vec::new(),
        Next::Confirm => vec![Entry::Confirmed],
        Next::Cancel => vec![Entry::Cancelled],
        Next::BeginUndo(cause) => vec![Entry::UndoBegan(cause)],
        Next::Send(action) => vec![Entry::Intent(action), Entry::Result(action, outcome.clone())],
    }
}

/// What it writes instead when it was told that a cancellation was asked for.
pub(crate) fn goes_backwards() -> Vec<Entry> {
    vec![Entry::UndoBegan(Cause::Requested)]
}
