//! The transactions against a small model, over random sequences of commands: repeats, late arrivals and
//! events beside calls included. The model keeps what was asked and derives the stock from it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rusqlite::{Connection, TransactionBehavior};

use super::transactions;
use crate::domain::{Items, OrderId, Quantity, Receipt, Reservation, Sku, Status, Stock};
use crate::store::{Change, Committed, Consumed, Effect, Event, Received, Released, Reserved};

#[derive(Debug, Clone)]
enum Command {
    Receive { sku: u8, receipt: u8, quantity: i64 },
    Reserve { order: u8, items: Vec<(u8, i64)> },
    Commit { order: u8 },
    Release { order: u8 },
    Consume { id: u8, change: Change, order: u8 },
}

fn command() -> impl Strategy<Value = Command> {
    let change = prop_oneof![Just(Change::Confirmed), Just(Change::Cancelled)];
    prop_oneof![
        2 => (0u8..3, 0u8..4, 1i64..8).prop_map(|(sku, receipt, quantity)| Command::Receive { sku, receipt, quantity }),
        4 => (0u8..5, prop::collection::vec((0u8..3, 1i64..4), 1..3))
            .prop_map(|(order, items)| Command::Reserve { order, items }),
        2 => (0u8..5).prop_map(|order| Command::Commit { order }),
        1 => (0u8..5).prop_map(|order| Command::Release { order }),
        2 => (0u8..8, change, 0u8..5).prop_map(|(id, change, order)| Command::Consume { id, change, order }),
    ]
}

fn sku(n: u8) -> Sku {
    Sku::new(format!("sku-{n}")).expect("a name")
}

fn order(n: u8) -> OrderId {
    OrderId::new(format!("order-{n}")).expect("a name")
}

fn units(n: i64) -> Quantity {
    Quantity::new(n).expect("a quantity")
}

fn items(listed: &[(u8, i64)]) -> Items {
    Items::new(listed.iter().map(|(n, q)| (sku(*n), units(*q)))).expect("items")
}

/// Deliveries and reservations, as they were told; everything else follows.
#[derive(Default)]
struct Model {
    receipts: BTreeMap<(u8, u8), i64>,
    reservations: BTreeMap<u8, (Status, Option<Items>)>,
    inbox: BTreeSet<u8>,
}

impl Model {
    fn stock(&self, n: u8) -> Stock {
        let received =
            self.receipts.iter().filter(|((sku, _), _)| *sku == n).map(|(_, quantity)| quantity).sum::<i64>();
        let of = |wanted: Status| {
            let standing = self.reservations.values().filter(|(status, _)| *status == wanted);
            let all = standing.filter_map(|(_, items)| items.as_ref()).flat_map(Items::iter);
            all.filter(|(name, _)| **name == sku(n)).map(|(_, quantity)| quantity.units()).sum::<i64>()
        };
        let (reserved, sold) = (of(Status::Held), of(Status::Committed));
        Stock { received, on_hand: received - reserved - sold, reserved, sold }
    }

    fn receive(&mut self, sku: u8, receipt: u8, quantity: i64) -> Received {
        match self.receipts.get(&(sku, receipt)) {
            Some(known) if *known == quantity => Received::Repeated,
            Some(known) => Received::OtherQuantity(units(*known)),
            None => {
                self.receipts.insert((sku, receipt), quantity);
                Received::New
            }
        }
    }

    fn reserve(&mut self, n: u8, wanted: Items) -> Reserved {
        match self.reservations.get(&n) {
            Some((Status::Released, _)) => Reserved::WasReleased,
            Some((status, known)) if *known == Some(wanted.clone()) => Reserved::Repeated(*status),
            Some(_) => Reserved::OtherItems,
            None => {
                let short = (0..3).map(|n| (sku(n), self.stock(n).on_hand)).find_map(|(name, on_hand)| {
                    let (_, wanted) = wanted.iter().find(|(wanted, _)| **wanted == name)?;
                    (wanted.units() > on_hand).then_some(Reserved::Short { sku: name, wanted, on_hand })
                });
                short.unwrap_or_else(|| {
                    self.reservations.insert(n, (Status::Held, Some(wanted)));
                    Reserved::Held
                })
            }
        }
    }

    fn commit(&mut self, n: u8) -> Committed {
        match self.reservations.get_mut(&n) {
            None => Committed::Unknown,
            Some((Status::Released, _)) => Committed::WasReleased,
            Some((Status::Committed, _)) => Committed::Repeated,
            Some((status, _)) => {
                *status = Status::Committed;
                Committed::Sold
            }
        }
    }

    fn release(&mut self, n: u8) -> Released {
        match self.reservations.get_mut(&n) {
            None => {
                self.reservations.insert(n, (Status::Released, None));
                Released::Tombstone
            }
            Some((Status::Committed, _)) => Released::WasCommitted,
            Some((Status::Released, _)) => Released::Repeated,
            Some((status, _)) => {
                *status = Status::Released;
                Released::PutBack
            }
        }
    }

    fn consume(&mut self, id: u8, change: Change, n: u8) -> Consumed {
        if !self.inbox.insert(id) {
            return Consumed::Before;
        }
        Consumed::Now(match change {
            Change::Confirmed => Effect::from(self.commit(n)),
            Change::Cancelled => Effect::from(self.release(n)),
        })
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
        for command in commands {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("a transaction");
            let (did, says) = match command.clone() {
                Command::Receive { sku: n, receipt, quantity } => {
                    let name = Receipt::new(format!("receipt-{receipt}")).expect("a name");
                    let did = transactions::receive(&tx, &sku(n), &name, units(quantity), 0).expect("sound");
                    (format!("{did:?}"), format!("{:?}", model.receive(n, receipt, quantity)))
                }
                Command::Reserve { order: n, items: listed } => {
                    let did = transactions::reserve(&tx, &order(n), &items(&listed), 0).expect("sound");
                    (format!("{did:?}"), format!("{:?}", model.reserve(n, items(&listed))))
                }
                Command::Commit { order: n } => {
                    let did = transactions::commit(&tx, &order(n), 0).expect("sound");
                    (format!("{did:?}"), format!("{:?}", model.commit(n)))
                }
                Command::Release { order: n } => {
                    let did = transactions::release(&tx, &order(n), 0).expect("sound");
                    (format!("{did:?}"), format!("{:?}", model.release(n)))
                }
                Command::Consume { id, change, order: n } => {
                    let event = Event { source: "order".into(), id: id.to_string(), change, order: order(n) };
                    let did = transactions::consume(&tx, &event, 0).expect("sound");
                    (format!("{did:?}"), format!("{:?}", model.consume(id, change, n)))
                }
            };
            tx.commit().expect("committed");
            prop_assert_eq!(did, says, "{:?}", command);

            let tx = db.transaction().expect("a transaction");
            for n in 0..3 {
                let stock = transactions::stock_of(&tx, &sku(n)).expect("sound").unwrap_or_default();
                prop_assert!(stock.is_conserved(), "{:?}", stock);
                prop_assert_eq!(stock, model.stock(n), "{:?}", command);
            }
            for n in 0..5 {
                let known = transactions::reservation(&tx, &order(n)).expect("sound");
                let said = model.reservations.get(&n).cloned();
                prop_assert_eq!(known, said.map(|(status, items)| Reservation { status, items }));
            }
        }
    }
}

#[test]
fn no_statement_can_break_the_law_of_conservation() {
    let db = database();
    db.execute("INSERT INTO stock (sku, received, on_hand, reserved, sold) VALUES ('a', 5, 3, 2, 0)", [])
        .expect("lawful");
    for unlawful in ["on_hand = 4", "sold = 1", "received = 6", "on_hand = 6, reserved = -1"] {
        let refused = db.execute(&format!("UPDATE stock SET {unlawful}"), []);
        assert!(refused.is_err(), "{unlawful}");
    }
}
