//! Several commands at a time: each happens whole, as if they came one after another.

use std::sync::Arc;

use chassis_testing::{Databases, on_every_database};
use payment::domain::{Charge, Currency, Key, Method, Money, OrderId, PaymentId};
use payment::store;
use proptest::collection::vec;
use squall_host::{Env, real::Real};
use tokio::task::JoinSet;

use crate::model::{Command, Contents, Model, command};

on_every_database! {
    whatever_is_asked_at_once_happens_in_some_order,
    a_void_among_charges_leaves_no_money_taken,
}

/// What one caller asked, and was answered.
type History = Vec<(Command, PaymentId, String)>;

async fn whatever_is_asked_at_once_happens_in_some_order(databases: &Databases) {
    let callers = vec(vec(command(), 1..5), 2..5);
    databases.for_all((vec(command(), 0..6), callers), async |(before, callers)| {
        let store = store::open(&Env::new(Real::new()), &databases.empty().await).await.expect("it opens");
        let mut model = Model::default();
        for (at, command) in before.iter().enumerate() {
            let id = PaymentId::new(format!("before_{at}"));
            assert_eq!(command.on(&*store, &id).await, Ok(model.answers(command, &id)));
        }
        let mut asking = JoinSet::new();
        for (caller, commands) in callers.into_iter().enumerate() {
            let store = Arc::clone(&store);
            asking.spawn(async move {
                let mut history = History::new();
                for (at, command) in commands.into_iter().enumerate() {
                    let id = PaymentId::new(format!("caller_{caller}_{at}"));
                    let answer = command.on(&*store, &id).await.expect("nothing is in its way for long");
                    history.push((command, id, answer));
                }
                history
            });
        }
        let histories = asking.join_all().await;
        let mut rest: Vec<&[(Command, PaymentId, String)]> = histories.iter().map(Vec::as_slice).collect();
        let contents = Contents::of(&*store).await;
        assert!(is_explained(&model, &mut rest, &contents), "no order explains {histories:#?} and {contents:#?}");
    });
}

/// Whether some order of what the callers asked, each one's in his own, has those answers and leaves those contents.
fn is_explained(model: &Model, rest: &mut [&[(Command, PaymentId, String)]], contents: &Contents) -> bool {
    if rest.iter().all(|history| history.is_empty()) {
        return model.contents() == *contents;
    }
    (0..rest.len()).any(|caller| {
        let history = rest[caller];
        let Some(((command, id, answer), later)) = history.split_first() else { return false };
        let mut model = model.clone();
        let answers = model.answers(command, id) == *answer;
        rest[caller] = later;
        let explained = answers && is_explained(&model, rest, contents);
        rest[caller] = history;
        explained
    })
}

/// Whichever comes first, the charges or the void, in the end nothing is kept.
async fn a_void_among_charges_leaves_no_money_taken(databases: &Databases) {
    let store = store::open(&Env::new(Real::new()), &databases.empty().await).await.expect("it opens");
    let money = Money::new(1, Currency::new("EUR").expect("a currency")).expect("money");
    for round in 0..100 {
        let order = OrderId::new(format!("order-{round}")).expect("a name");
        let mut asking = JoinSet::new();
        for n in 0..4 {
            let (store, order_id) = (Arc::clone(&store), order.clone());
            let (key, id) = (Key::new(format!("key-{round}-{n}")), PaymentId::new(format!("pay_{round}_{n}")));
            let charge = Charge { order_id, money, method: Method::Ok };
            asking.spawn(async move { store.charge(key.expect("a name"), charge, id, 0).await.map(drop) });
        }
        let (voiding, closed) = (Arc::clone(&store), order.clone());
        asking.spawn(async move { voiding.refund(closed, 0).await.map(drop) });
        assert!(asking.join_all().await.iter().all(Result::is_ok));
        let account = store.account(order).await.expect("it answers").expect("it is known");
        assert!(account.captures.iter().all(|capture| capture.refunded), "{account:?}");
    }
    databases.assert_no_deadlock(store).await;
}
