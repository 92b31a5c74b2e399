//! Several commands at a time: each happens whole, as if they came one after another.

use std::sync::Arc;

use chassis_testing::{Databases, on_every_database};
use inventory::domain::{Items, OrderId, Quantity, Receipt, Sku};
use inventory::store::{self, Reserved, Store};
use proptest::collection::vec;
use squall_host::{Env, real::Real};
use tokio::task::JoinSet;

use crate::model::{Command, Contents, Model, command};

on_every_database! {
    whatever_is_asked_at_once_happens_in_some_order,
    orders_for_the_same_few_units_never_oversell,
}

/// What one caller asked, and was answered.
type History = Vec<(Command, String)>;

async fn whatever_is_asked_at_once_happens_in_some_order(databases: &Databases) {
    let callers = vec(vec(command(), 1..5), 2..5);
    databases.for_all((vec(command(), 0..8), callers), async |(before, callers)| {
        let store = store::open(&Env::new(Real::new()), &databases.empty().await).await.expect("it opens");
        let mut model = Model::default();
        for command in &before {
            assert_eq!(command.on(&*store).await, Ok(model.answers(command)));
        }
        let mut asking = JoinSet::new();
        for commands in callers {
            let store = Arc::clone(&store);
            asking.spawn(async move {
                let mut history = History::new();
                for command in commands {
                    let answer = command.on(&*store).await.expect("nothing is in its way for long");
                    history.push((command, answer));
                }
                history
            });
        }
        let histories = asking.join_all().await;
        let mut rest: Vec<&[(Command, String)]> = histories.iter().map(Vec::as_slice).collect();
        let contents = Contents::of(&*store).await;
        assert!(is_explained(&model, &mut rest, &contents), "no order explains {histories:#?} and {contents:#?}");
    });
}

/// Whether some order of what the callers asked, each one's in his own, has those answers and leaves those contents.
fn is_explained(model: &Model, rest: &mut [&[(Command, String)]], contents: &Contents) -> bool {
    if rest.iter().all(|history| history.is_empty()) {
        return model.contents() == *contents;
    }
    (0..rest.len()).any(|caller| {
        let history = rest[caller];
        let Some(((command, answer), later)) = history.split_first() else { return false };
        let mut model = model.clone();
        let answers = model.answers(command) == *answer;
        rest[caller] = later;
        let explained = answers && is_explained(&model, rest, contents);
        rest[caller] = history;
        explained
    })
}

/// Many orders want several of the same SKUs, each listing them in an order of its own; there is enough for some.
async fn orders_for_the_same_few_units_never_oversell(databases: &Databases) {
    const SKUS: u8 = 4;
    const UNITS: i64 = 20;
    let orders = vec(vec((0..SKUS, 1i64..4), 1..5), 30..60);
    databases.for_all(orders, async |orders| {
        let store = store::open(&Env::new(Real::new()), &databases.empty().await).await.expect("it opens");
        let sku = |n: u8| Sku::new(format!("sku-{n}")).expect("a name");
        let units = |n| Quantity::new(n).expect("a quantity");
        for n in 0..SKUS {
            let receipt = Receipt::new("r").expect("a name");
            store.receive(sku(n), receipt, units(UNITS), 0).await.expect("it answers");
        }
        let mut asking = JoinSet::new();
        for (n, listed) in orders.iter().enumerate() {
            let wanted = Items::new(listed.iter().map(|(n, q)| (sku(*n), units(*q)))).expect("items");
            let (store, order) = (Arc::clone(&store), OrderId::new(format!("order-{n}")).expect("a name"));
            asking.spawn(reserve_and_end(store, order, wanted, n));
        }
        let left: Vec<(Items, bool)> = asking.join_all().await.into_iter().flatten().collect();
        for n in 0..SKUS {
            let stock = store.stock_of(sku(n)).await.expect("it answers").expect("it arrived");
            let of = |sold: bool| {
                let ended = left.iter().filter(|(_, was_sold)| *was_sold == sold);
                let items = ended.flat_map(|(items, _)| items.iter()).filter(|(name, _)| **name == sku(n));
                items.map(|(_, quantity)| quantity.units()).sum::<i64>()
            };
            assert!(stock.is_conserved(), "{stock:?}");
            assert_eq!((stock.received, stock.reserved, stock.sold), (UNITS, of(false), of(true)));
        }
        databases.assert_no_deadlock(store).await;
    });
}

/// Reserves; a third of what is held is sold, a third is put back. What is left of it: its items, and whether they are sold.
async fn reserve_and_end(store: Arc<dyn Store>, order: OrderId, wanted: Items, n: usize) -> Option<(Items, bool)> {
    match store.reserve(order.clone(), wanted.clone(), 0).await.expect("nothing is in its way for long") {
        Reserved::Held => {}
        Reserved::Short { .. } => {
            let left = store.reservation(order).await.expect("it answers");
            assert_eq!(left, None, "a shortage leaves nothing behind");
            return None;
        }
        other => panic!("it is new: {other:?}"),
    }
    match n % 3 {
        0 => {
            store.commit(order, 0).await.expect("nothing is in its way for long");
            Some((wanted, true))
        }
        1 => {
            store.release(order, 0).await.expect("nothing is in its way for long");
            None
        }
        _ => Some((wanted, false)),
    }
}
