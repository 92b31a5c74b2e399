//! What a store is to do, in a page. The model keeps what was asked, and derives the stock from it.

use std::collections::{BTreeMap, BTreeSet};

use inventory::domain::{Items, OrderId, Quantity, Receipt, Reservation, Sku, Status, Stock};
use inventory::store::{Change, Committed, Consumed, Effect, Event, Received, Released, Reserved, Store, StoreError};
use proptest::prelude::*;

const SKUS: u8 = 3;
const ORDERS: u8 = 5;

/// What is asked of a store. There are few of each kind of name, so that repeats, late arrivals and events beside calls
/// are drawn.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    Receive { sku: u8, receipt: u8, quantity: i64 },
    Reserve { order: u8, items: Vec<(u8, i64)> },
    Commit { order: u8 },
    Release { order: u8 },
    Consume { id: u8, change: Change, order: u8 },
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    let change = prop_oneof![Just(Change::Confirmed), Just(Change::Cancelled)];
    prop_oneof![
        2 => (0..SKUS, 0u8..4, 1i64..8).prop_map(|(sku, receipt, quantity)| Command::Receive { sku, receipt, quantity }),
        4 => (0..ORDERS, prop::collection::vec((0..SKUS, 1i64..4), 1..3))
            .prop_map(|(order, items)| Command::Reserve { order, items }),
        2 => (0..ORDERS).prop_map(|order| Command::Commit { order }),
        1 => (0..ORDERS).prop_map(|order| Command::Release { order }),
        2 => (0u8..8, change, 0..ORDERS).prop_map(|(id, change, order)| Command::Consume { id, change, order }),
    ]
}

impl Command {
    /// What a store answers.
    pub(crate) async fn on(&self, store: &dyn Store) -> Result<String, StoreError> {
        Ok(match self.clone() {
            Command::Receive { sku: n, receipt, quantity } => {
                let receipt = Receipt::new(format!("receipt-{receipt}")).expect("a name");
                format!("{:?}", store.receive(sku(n), receipt, units(quantity), 0).await?)
            }
            Command::Reserve { order: n, items: listed } => {
                format!("{:?}", store.reserve(order(n), items(&listed), 0).await?)
            }
            Command::Commit { order: n } => format!("{:?}", store.commit(order(n), 0).await?),
            Command::Release { order: n } => format!("{:?}", store.release(order(n), 0).await?),
            Command::Consume { id, change, order: n } => {
                let event = Event { source: "order".into(), id: id.to_string(), change, order: order(n) };
                format!("{:?}", store.consume(event, 0).await?)
            }
        })
    }
}

/// All that a store holds: its stock, and the reservation of each order.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents(Vec<(Sku, Stock)>, Vec<Option<Reservation>>);

impl Contents {
    pub(crate) async fn of(store: &dyn Store) -> Self {
        let stock = store.stock().await.expect("it answers");
        for (sku, stock) in &stock {
            assert!(stock.is_conserved(), "{stock:?}");
            assert_eq!(store.stock_of(sku.clone()).await.expect("it answers"), Some(*stock));
        }
        let mut reservations = Vec::new();
        for n in 0..ORDERS {
            reservations.push(store.reservation(order(n)).await.expect("it answers"));
        }
        Contents(stock, reservations)
    }
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
#[derive(Clone, Default)]
pub(crate) struct Model {
    receipts: BTreeMap<(u8, u8), i64>,
    reservations: BTreeMap<u8, (Status, Option<Items>)>,
    inbox: BTreeSet<u8>,
}

impl Model {
    /// What a store answers to this.
    pub(crate) fn answers(&mut self, command: &Command) -> String {
        match command.clone() {
            Command::Receive { sku, receipt, quantity } => format!("{:?}", self.receive(sku, receipt, quantity)),
            Command::Reserve { order, items: listed } => format!("{:?}", self.reserve(order, items(&listed))),
            Command::Commit { order } => format!("{:?}", self.commit(order)),
            Command::Release { order } => format!("{:?}", self.release(order)),
            Command::Consume { id, change, order } => format!("{:?}", self.consume(id, change, order)),
        }
    }

    /// What a store holds by now.
    pub(crate) fn contents(&self) -> Contents {
        let arrived = |n: &u8| self.receipts.keys().any(|(sku, _)| sku == n);
        let stock = (0..SKUS).filter(arrived).map(|n| (sku(n), self.stock(n))).collect();
        let reservation =
            |(status, items): &(Status, Option<Items>)| Reservation { status: *status, items: items.clone() };
        Contents(stock, (0..ORDERS).map(|n| self.reservations.get(&n).map(reservation)).collect())
    }

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
                let short = (0..SKUS).map(|n| (sku(n), self.stock(n).on_hand)).find_map(|(name, on_hand)| {
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
