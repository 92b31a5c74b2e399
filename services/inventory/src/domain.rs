//! Stock, receipts and reservations: the types, their bounds and the laws between them. Pure.
//!
//! ```text
//!   receive          hold             sell
//! ─────────▶ on hand ─────▶ reserved ─────▶ sold
//!               ▲               │
//!               └── put back ───┘        received = on hand + reserved + sold, always
//! ```

use std::collections::BTreeMap;

use chassis::name::NotAName;

/// The most units that one receipt, or one item of one reservation, may name.
pub const QUANTITY_MAX: i64 = 1_000_000;
/// The most units of one SKU that may ever be received. Sums over every SKU stay far from overflow.
pub const RECEIVED_MAX: i64 = 1_000_000_000_000;
/// The most items that one reservation may list.
pub const ITEMS_MAX: usize = 100;

/// Why a request does not say anything this service can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// A name is empty, too long, or holds something unprintable.
    #[error(transparent)]
    Name(#[from] NotAName),
    /// A quantity is not within 1 and [`QUANTITY_MAX`].
    #[error("`quantity` is `{given}`: give a whole number from 1 to {QUANTITY_MAX}")]
    Quantity {
        /// What the request said.
        given: i64,
    },
    /// A reservation without items, or with more than [`ITEMS_MAX`].
    #[error("`items` lists {given}: give 1 to {ITEMS_MAX} items")]
    Items {
        /// How many items the request listed.
        given: usize,
    },
}

chassis::name! {
    /// What an article is called.
    pub struct Sku, "sku"
}
chassis::name! {
    /// What the order service calls an order; at most one reservation exists for it.
    pub struct OrderId, "order_id"
}
chassis::name! {
    /// What the deliverer calls one delivery; the key that makes telling it twice harmless.
    pub struct Receipt, "receipt"
}

/// A number of units, 1 to [`QUANTITY_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i64);

impl Quantity {
    /// The quantity, if it is within its bounds.
    pub fn new(units: i64) -> Result<Self, Mistake> {
        if (1..=QUANTITY_MAX).contains(&units) { Ok(Self(units)) } else { Err(Mistake::Quantity { given: units }) }
    }

    /// The number of units.
    pub fn units(self) -> i64 {
        self.0
    }
}

/// What one order wants: at least one SKU, each once, in the order of their names.
///
/// A SKU listed twice counts as one item with the sum, so that two ways of writing one wish are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Items(BTreeMap<Sku, Quantity>);

impl Items {
    /// The items of a request, merged by SKU.
    pub fn new(listed: impl IntoIterator<Item = (Sku, Quantity)>) -> Result<Self, Mistake> {
        let mut merged: BTreeMap<Sku, Quantity> = BTreeMap::new();
        let mut given = 0;
        for (sku, quantity) in listed {
            given += 1;
            let so_far = merged.get(&sku).map_or(0, |q| q.units());
            merged.insert(sku, Quantity::new(so_far + quantity.units())?);
        }
        if (1..=ITEMS_MAX).contains(&given) { Ok(Self(merged)) } else { Err(Mistake::Items { given }) }
    }

    /// The items in the order of their SKUs.
    pub fn iter(&self) -> impl Iterator<Item = (&Sku, Quantity)> {
        self.0.iter().map(|(sku, quantity)| (sku, *quantity))
    }
}

/// How many units of one SKU are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stock {
    /// Units that ever arrived.
    pub received: i64,
    /// Units that may be promised.
    pub on_hand: i64,
    /// Units promised to orders that have not ended.
    pub reserved: i64,
    /// Units of confirmed orders.
    pub sold: i64,
}

impl Stock {
    /// The law: nothing appears and nothing is lost.
    pub fn is_conserved(&self) -> bool {
        self.on_hand >= 0
            && self.reserved >= 0
            && self.sold >= 0
            && self.received == self.on_hand + self.reserved + self.sold
    }

    /// The stock after a delivery, or nothing where more than [`RECEIVED_MAX`] would have arrived.
    pub fn receive(self, quantity: Quantity) -> Option<Self> {
        let units = quantity.units();
        (self.received <= RECEIVED_MAX - units).then(|| Self {
            received: self.received + units,
            on_hand: self.on_hand + units,
            ..self
        })
    }

    /// The stock after a promise, or nothing where it is short.
    pub fn hold(self, quantity: Quantity) -> Option<Self> {
        let units = quantity.units();
        (self.on_hand >= units).then(|| Self { on_hand: self.on_hand - units, reserved: self.reserved + units, ..self })
    }

    /// The stock after a promise is kept, or nothing where less was promised.
    pub fn sell(self, quantity: Quantity) -> Option<Self> {
        let units = quantity.units();
        (self.reserved >= units).then(|| Self { reserved: self.reserved - units, sold: self.sold + units, ..self })
    }

    /// The stock after a promise is taken back, or nothing where less was promised.
    pub fn put_back(self, quantity: Quantity) -> Option<Self> {
        let units = quantity.units();
        (self.reserved >= units).then(|| Self {
            reserved: self.reserved - units,
            on_hand: self.on_hand + units,
            ..self
        })
    }
}

/// Where the reservation of an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The units are promised to the order.
    Held,
    /// The order was confirmed; the units are sold. Final.
    Committed,
    /// The order was undone, or never came so far. Final: a reservation that arrives later is refused.
    Released,
}

impl Status {
    /// Every status, for tables and documents.
    pub const ALL: [Status; 3] = [Status::Held, Status::Committed, Status::Released];

    /// The word for it in answers and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Status::Held => "held",
            Status::Committed => "committed",
            Status::Released => "released",
        }
    }

    /// The status a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// What is known of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Where it stands.
    pub status: Status,
    /// What was reserved; nothing for a tombstone, whose order was released before it ever reserved.
    pub items: Option<Items>,
}

/// What is to be done about a request to reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToReserve {
    /// Nothing is known of the order: hold the units if there are enough.
    Hold,
    /// The same was reserved before: answer as then.
    Repeat,
    /// The order holds other items: refuse.
    OtherItems,
    /// The order was released before: refuse, for nobody would ever release it again.
    WasReleased,
}

/// Decides a request to reserve `wanted` for an order of which `known` is known.
pub fn to_reserve(known: Option<&Reservation>, wanted: &Items) -> ToReserve {
    match known {
        None => ToReserve::Hold,
        Some(Reservation { status: Status::Released, .. }) => ToReserve::WasReleased,
        Some(Reservation { items, .. }) if items.as_ref() == Some(wanted) => ToReserve::Repeat,
        Some(_) => ToReserve::OtherItems,
    }
}

/// What is to be done about a request to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToCommit {
    /// Held: the units are sold.
    Sell,
    /// Committed before.
    Repeat,
    /// Nothing was ever reserved for the order: nothing can be sold.
    Unknown,
    /// The order was released before: its units may be promised to others by now.
    WasReleased,
}

/// Decides a request to commit an order whose reservation stands at `known`.
pub fn to_commit(known: Option<Status>) -> ToCommit {
    match known {
        None => ToCommit::Unknown,
        Some(Status::Held) => ToCommit::Sell,
        Some(Status::Committed) => ToCommit::Repeat,
        Some(Status::Released) => ToCommit::WasReleased,
    }
}

/// What is to be done about a request to release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToRelease {
    /// Held: the units go back.
    PutBack,
    /// Released before.
    Repeat,
    /// Nothing is known of the order: remember the release, so that a late reservation is refused.
    LeaveTombstone,
    /// The order was confirmed: its units are sold.
    WasCommitted,
}

/// Decides a request to release an order whose reservation stands at `known`.
pub fn to_release(known: Option<Status>) -> ToRelease {
    match known {
        None => ToRelease::LeaveTombstone,
        Some(Status::Held) => ToRelease::PutBack,
        Some(Status::Released) => ToRelease::Repeat,
        Some(Status::Committed) => ToRelease::WasCommitted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chassis::name::NAME_CHARS_MAX;
    use proptest::prelude::*;

    fn sku(text: &str) -> Sku {
        Sku::new(text).expect("a name")
    }

    fn units(n: i64) -> Quantity {
        Quantity::new(n).expect("a quantity")
    }

    #[test]
    fn names_are_bounded_and_visible() {
        for good in ["a", "order/7?x=%2F", &"x".repeat(NAME_CHARS_MAX)] {
            assert!(OrderId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\n", "ä", "\u{7f}", &"x".repeat(NAME_CHARS_MAX + 1)] {
            assert_eq!(OrderId::new(bad), Err(NotAName { field: "order_id" }), "{bad:?}");
        }
    }

    #[test]
    fn quantities_are_bounded() {
        for bad in [i64::MIN, -1, 0, QUANTITY_MAX + 1, i64::MAX] {
            assert_eq!(Quantity::new(bad), Err(Mistake::Quantity { given: bad }));
        }
        assert!(Quantity::new(1).is_ok() && Quantity::new(QUANTITY_MAX).is_ok());
    }

    #[test]
    fn a_sku_listed_twice_is_one_item_with_the_sum() {
        let twice = Items::new([(sku("b"), units(2)), (sku("a"), units(1)), (sku("b"), units(3))]);
        let once = Items::new([(sku("a"), units(1)), (sku("b"), units(5))]);
        assert_eq!(twice, once);
    }

    #[test]
    fn a_sum_over_the_bound_is_refused() {
        let both = Items::new([(sku("a"), units(QUANTITY_MAX)), (sku("a"), units(1))]);
        assert_eq!(both, Err(Mistake::Quantity { given: QUANTITY_MAX + 1 }));
    }

    #[test]
    fn none_and_too_many_items_are_refused() {
        assert_eq!(Items::new([]), Err(Mistake::Items { given: 0 }));
        let many = (0..=ITEMS_MAX).map(|n| (sku(&format!("s{n}")), units(1)));
        assert_eq!(Items::new(many), Err(Mistake::Items { given: ITEMS_MAX + 1 }));
    }

    #[test]
    fn every_status_survives_its_word() {
        for status in Status::ALL {
            assert_eq!(Status::from_word(status.word()), Some(status));
        }
        assert_eq!(Status::from_word("sold"), None);
    }

    #[test]
    fn a_final_status_is_final() {
        assert_eq!(to_commit(Some(Status::Released)), ToCommit::WasReleased);
        assert_eq!(to_release(Some(Status::Committed)), ToRelease::WasCommitted);
        let items = Items::new([(sku("a"), units(1))]).expect("items");
        let tombstone = Reservation { status: Status::Released, items: None };
        let undone = Reservation { status: Status::Released, items: Some(items.clone()) };
        assert_eq!(to_reserve(Some(&tombstone), &items), ToReserve::WasReleased);
        assert_eq!(to_reserve(Some(&undone), &items), ToReserve::WasReleased);
    }

    proptest! {
        #[test]
        fn no_move_breaks_the_law(moves in prop::collection::vec((0u8..4, 1i64..=QUANTITY_MAX), 0..60)) {
            let mut stock = Stock::default();
            for (kind, n) in moves {
                let moved = match kind {
                    0 => stock.receive(units(n)),
                    1 => stock.hold(units(n)),
                    2 => stock.sell(units(n)),
                    _ => stock.put_back(units(n)),
                };
                if let Some(next) = moved {
                    prop_assert!(next.is_conserved(), "{stock:?} -> {next:?}");
                    stock = next;
                }
            }
        }

        #[test]
        fn putting_back_undoes_holding(on_hand in 0i64..RECEIVED_MAX, n in 1i64..=QUANTITY_MAX) {
            let stock = Stock { received: on_hand, on_hand, ..Stock::default() };
            match stock.hold(units(n)) {
                Some(held) => prop_assert_eq!(held.put_back(units(n)), Some(stock)),
                None => prop_assert!(on_hand < n),
            }
        }
    }

    #[test]
    fn no_more_is_received_than_the_bound() {
        let full = Stock { received: RECEIVED_MAX, sold: RECEIVED_MAX, ..Stock::default() };
        assert_eq!(full.receive(units(1)), None);
    }
}
