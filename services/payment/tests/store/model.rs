//! What a store is to do, in a page. The model keeps what was asked under each key and how it ended, and which orders are
//! closed; everything else follows.

use std::collections::{BTreeMap, BTreeSet};

use payment::domain::{Charge, Currency, Key, Method, Money, OrderId, Outcome, PaymentId, Status, Summary};
use payment::store::{Charged, Refunded, Store, StoreError};
use proptest::prelude::*;

const KEYS: u8 = 8;
const ORDERS: u8 = 4;

/// What is asked of a store. There are few of each kind of name, so that repeats, reused keys, and refunds before, between
/// and after charges are drawn.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    Charge { key: u8, order: u8, amount: i64, method: Method },
    Refund { order: u8 },
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    let method = prop_oneof![4 => Just(Method::Ok), 1 => Just(Method::Declined), 1 => Just(Method::Insufficient)];
    prop_oneof![
        3 => (0..KEYS, 0..ORDERS, 1i64..3, method)
            .prop_map(|(key, order, amount, method)| Command::Charge { key, order, amount, method }),
        1 => (0..ORDERS).prop_map(|order| Command::Refund { order }),
    ]
}

impl Command {
    /// What a store answers; `id` names the payment, if it comes to be one.
    pub(crate) async fn on(&self, store: &dyn Store, id: &PaymentId) -> Result<String, StoreError> {
        Ok(match *self {
            Command::Charge { key, .. } => {
                let key = Key::new(format!("key-{key}")).expect("a name");
                format!("{:?}", store.charge(key, self.charge(), id.clone(), 0).await?)
            }
            Command::Refund { order: n } => format!("{:?}", store.refund(order(n), 0).await?),
        })
    }

    fn charge(&self) -> Charge {
        match *self {
            Command::Charge { order: n, amount, method, .. } => {
                Charge { order_id: order(n), money: money(amount), method }
            }
            Command::Refund { .. } => unreachable!("a refund charges nothing"),
        }
    }
}

/// All that a store holds: the sums; and of each order whether it is closed and what was captured, by payment.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents(Summary, Vec<Option<(bool, BTreeMap<PaymentId, i64>)>>);

impl Contents {
    pub(crate) async fn of(store: &dyn Store) -> Self {
        let summary = store.summary().await.expect("it answers");
        assert!(summary.captured - summary.refunded >= 0, "{summary:?}");
        let mut accounts = Vec::new();
        for n in 0..ORDERS {
            let account = store.account(order(n)).await.expect("it answers");
            accounts.push(account.map(|account| {
                let kept = account.captures.iter().any(|capture| !capture.refunded);
                assert_eq!(kept, account.status() == Status::Captured, "kept money and the status agree");
                let captures = account.captures.into_iter();
                (account.closed, captures.map(|capture| (capture.payment_id, capture.money.amount())).collect())
            }));
        }
        Contents(summary, accounts)
    }
}

fn order(n: u8) -> OrderId {
    OrderId::new(format!("order-{n}")).expect("a name")
}

fn money(amount: i64) -> Money {
    Money::new(amount, Currency::new("EUR").expect("a currency")).expect("money")
}

#[derive(Clone, Default)]
pub(crate) struct Model {
    charges: BTreeMap<u8, (Charge, PaymentId, Outcome)>,
    closed: BTreeSet<u8>,
}

impl Model {
    /// What a store answers to this.
    pub(crate) fn answers(&mut self, command: &Command, id: &PaymentId) -> String {
        match *command {
            Command::Charge { key, order, .. } => {
                format!("{:?}", self.charge(key, order, command.charge(), id.clone()))
            }
            Command::Refund { order } => format!("{:?}", self.refund(order)),
        }
    }

    /// What a store holds by now.
    pub(crate) fn contents(&self) -> Contents {
        let account = |n: u8| {
            let mut asked = self.charges.values().filter(|(charge, ..)| charge.order_id == order(n)).peekable();
            let closed = self.closed.contains(&n);
            (closed || asked.peek().is_some()).then(|| {
                let captured = asked.filter(|(.., outcome)| *outcome == Outcome::Captured);
                (closed, captured.map(|(charge, id, _)| (id.clone(), charge.money.amount())).collect())
            })
        };
        Contents(self.summary(), (0..ORDERS).map(account).collect())
    }

    fn charge(&mut self, key: u8, n: u8, charge: Charge, id: PaymentId) -> Charged {
        if let Some((asked, id, outcome)) = self.charges.get(&key) {
            return if *asked == charge { Charged::Before(id.clone(), *outcome) } else { Charged::KeyReused };
        }
        let outcome = match charge.method {
            _ if self.closed.contains(&n) => Outcome::Voided,
            Method::Ok => Outcome::Captured,
            Method::Declined => Outcome::Declined,
            Method::Insufficient => Outcome::Insufficient,
        };
        self.charges.insert(key, (charge, id.clone(), outcome));
        Charged::Now(id, outcome)
    }

    fn captured(&self, n: u8) -> impl Iterator<Item = i64> {
        let captured = self
            .charges
            .values()
            .filter(move |(charge, _, outcome)| charge.order_id == order(n) && *outcome == Outcome::Captured);
        captured.map(|(charge, ..)| charge.money.amount())
    }

    fn refund(&mut self, n: u8) -> Refunded {
        self.closed.insert(n);
        Refunded { amount: self.captured(n).sum(), captures: self.captured(n).count() }
    }

    fn summary(&self) -> Summary {
        let orders = || 0..ORDERS;
        let closed = || orders().filter(|n| self.closed.contains(n));
        Summary {
            captured: orders().flat_map(|n| self.captured(n)).sum(),
            refunded: closed().flat_map(|n| self.captured(n)).sum(),
            payments: orders().flat_map(|n| self.captured(n)).count() as i64,
            voided: closed().filter(|n| self.captured(*n).count() == 0).count() as i64,
        }
    }
}
