//! The transactions against a small model, over random sequences of commands: repeats, reused keys, and
//! refunds before, between and after charges.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rusqlite::{Connection, TransactionBehavior};

use super::transactions;
use crate::domain::{Charge, Currency, Key, Method, Money, OrderId, Outcome, PaymentId, Status, Summary};
use crate::store::{Charged, Refunded};

#[derive(Debug, Clone)]
enum Command {
    Charge { key: u8, order: u8, amount: i64, method: Method },
    Refund { order: u8 },
}

fn command() -> impl Strategy<Value = Command> {
    let method = prop_oneof![4 => Just(Method::Ok), 1 => Just(Method::Declined), 1 => Just(Method::Insufficient)];
    prop_oneof![
        3 => (0u8..8, 0u8..4, 1i64..3, method)
            .prop_map(|(key, order, amount, method)| Command::Charge { key, order, amount, method }),
        1 => (0u8..4).prop_map(|order| Command::Refund { order }),
    ]
}

fn order(n: u8) -> OrderId {
    OrderId::new(format!("order-{n}")).expect("a name")
}

fn money(amount: i64) -> Money {
    Money::new(amount, Currency::new("EUR").expect("a currency")).expect("money")
}

/// What was asked under each key and how it ended, and which orders are closed; everything else follows.
#[derive(Default)]
struct Model {
    charges: BTreeMap<u8, (Charge, PaymentId, Outcome)>,
    closed: BTreeSet<u8>,
}

impl Model {
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
        let orders = || 0u8..4;
        let closed = || orders().filter(|n| self.closed.contains(n));
        Summary {
            captured: orders().flat_map(|n| self.captured(n)).sum(),
            refunded: closed().flat_map(|n| self.captured(n)).sum(),
            payments: orders().flat_map(|n| self.captured(n)).count() as i64,
            voided: closed().filter(|n| self.captured(*n).count() == 0).count() as i64,
        }
    }
}

fn database() -> Connection {
    let db = Connection::open_in_memory().expect("a database in memory");
    super::MIGRATIONS.iter().for_each(|migration| db.execute_batch(migration.sql).expect("the schema is sound"));
    db
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_sequence_of_commands_does_what_the_model_says(commands in prop::collection::vec(command(), 1..60)) {
        let mut db = database();
        let mut model = Model::default();
        for (at, command) in commands.into_iter().enumerate() {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("a transaction");
            let (did, says) = match command.clone() {
                Command::Charge { key, order: n, amount, method } => {
                    let asked = Charge { order_id: order(n), money: money(amount), method };
                    let id = PaymentId::new(format!("pay_{at:04}"));
                    let name = Key::new(format!("key-{key}")).expect("a name");
                    let did = transactions::charge(&tx, &name, &asked, &id, at as i64).expect("sound");
                    (format!("{did:?}"), format!("{:?}", model.charge(key, n, asked, id)))
                }
                Command::Refund { order: n } => {
                    let did = transactions::refund(&tx, &order(n), at as i64).expect("sound");
                    (format!("{did:?}"), format!("{:?}", model.refund(n)))
                }
            };
            tx.commit().expect("committed");
            prop_assert_eq!(did, says, "{:?}", command);

            let tx = db.transaction().expect("a transaction");
            let summary = transactions::summary(&tx).expect("sound");
            prop_assert!(summary.captured - summary.refunded >= 0, "{:?}", summary);
            prop_assert_eq!(summary, model.summary(), "{:?}", command);
            for n in 0..4 {
                let Some(account) = transactions::account(&tx, &order(n)).expect("sound") else { continue };
                prop_assert_eq!(account.closed, model.closed.contains(&n));
                let mut amounts: Vec<i64> = account.captures.iter().map(|capture| capture.money.amount()).collect();
                let mut said: Vec<i64> = model.captured(n).collect();
                amounts.sort_unstable();
                said.sort_unstable();
                prop_assert_eq!(amounts, said);
                let kept = account.captures.iter().any(|capture| !capture.refunded);
                prop_assert_eq!(kept, account.status() == Status::Captured, "kept money and the status agree");
            }
        }
    }
}

#[test]
fn only_what_was_captured_can_be_refunded() {
    let db = database();
    db.execute("INSERT INTO orders (order_id, closed, at_ms) VALUES ('o', 0, 0)", []).expect("an order");
    let charge = "INSERT INTO charges (idempotency_key, payment_id, order_id, amount, currency, payment_method, outcome, \
                  refunded, at_ms) VALUES ('k', 'p', 'o', 1, 'EUR', 'pm_declined', 'card-declined', ?1, 0)";
    assert!(db.execute(charge, [1]).is_err());
    assert!(db.execute(charge, [0]).is_ok());
}
