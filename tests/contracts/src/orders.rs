//! Orders for examples and for the order service's store.

use std::sync::Arc;

use chassis::{Context, StoreError};
use order::{
    domain::{Item, Order, OrderRequest},
    event,
    saga::{Action, Cause, End, Entry, Outcome, Step},
    store::{Lease, NewOrder, OpenSaga, Page, Placed, Store, Written},
};
use squall_host::Env;

use crate::consumer::pattern;

/// The order of the examples, as the saga's client sees it.
pub fn example(env: &Env) -> Order {
    new(env, pattern::ORDER, "basket-1").order()
}

fn new(env: &Env, order_id: &str, idempotency_key: &str) -> NewOrder {
    NewOrder {
        order_id: order_id.to_owned(),
        idempotency_key: idempotency_key.to_owned(),
        request: OrderRequest {
            customer_id: "ada".to_owned(),
            items: vec![Item { sku: pattern::SKU.to_owned(), quantity: 2 }],
            payment_method: "pm_ok".to_owned(),
        },
        amount: 998,
        currency: "EUR".to_owned(),
        context: Context::start(env).stored(),
        now_ms: env.unix_ms(),
    }
}

/// Places an order of this name and key as the service does, and drives its saga to `end`, page by page as the driver
/// writes them; without an end it stays under way, in the hands of another instance.
pub async fn write(
    env: &Env,
    store: &Arc<dyn Store>,
    order_id: &str,
    idempotency_key: &str,
    end: Option<End>,
) -> Result<(), StoreError> {
    let now_ms = env.unix_ms();
    let lease_until_ms = now_ms + 3_600_000;
    let lease = Lease { owner: "elsewhere".to_owned(), life: 1, until_ms: lease_until_ms };
    let Placed::New(open) = store.place(new(env, order_id, idempotency_key), lease).await? else {
        return Err(StoreError::Bug(format!("order `{order_id}` or its key is there already")));
    };
    let OpenSaga { order, claim, .. } = *open;
    for (number, entries) in (1..).zip(pages(end)) {
        let ends = matches!(entries.last(), Some(Entry::Confirmed | Entry::Cancelled));
        let event = end.filter(|_| ends).map(|end| event::of(&order, end, now_ms));
        let page = Page { number, entries, event, needs_attention: false, now_ms, lease_until_ms };
        let written = store.write(claim.clone(), page).await?;
        if written != Written::Yes {
            return Err(StoreError::Bug(format!("page {number} of order `{order_id}`: {written:?}")));
        }
    }
    Ok(())
}

/// A saga log in pages: nothing is sent before its intent is on disk.
fn pages(end: Option<End>) -> Vec<Vec<Entry>> {
    let (reserve, release) = (Action::Do(Step::Reserve), Action::Undo(Step::Reserve));
    let charge = Action::Do(Step::Charge);
    let done = |action| Entry::Result(action, Outcome::Done);
    match end {
        None => vec![vec![Entry::Intent(reserve)]],
        Some(End::Confirmed) => vec![
            vec![Entry::Intent(reserve)],
            vec![done(reserve), Entry::Intent(charge)],
            vec![done(charge), Entry::Confirmed],
        ],
        Some(End::Cancelled) => vec![
            vec![Entry::Intent(reserve)],
            vec![done(reserve), Entry::UndoBegan(Cause::Requested), Entry::Intent(release)],
            vec![done(release), Entry::Cancelled],
        ],
    }
}
