//! What a client asks for, and what it costs.

use serde::{Deserialize, Serialize};

use crate::catalogue::Catalogue;

/// So many of one SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What.
    pub sku: String,
    /// How many, from 1.
    pub quantity: i64,
}

/// The body of `POST /api/v1/orders`. Two requests with one idempotency key must be equal in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// Who orders.
    pub customer_id: String,
    /// What is ordered, each SKU once.
    pub items: Vec<Item>,
    /// How it is paid; payment knows the names.
    pub payment_method: String,
}

/// Well-formed, and still not an order that we take. Answered with 422.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    /// A text is empty or too long, or holds what nobody writes and not every database takes.
    #[error("`{field}` must have 1 to {max} characters, none of them a control character")]
    Text {
        /// Which.
        field: &'static str,
        /// The most that it may have.
        max: usize,
    },
    /// No item, or too many.
    #[error("`items` must have 1 to {ITEMS_MAX} entries")]
    Items,
    /// A quantity out of bounds.
    #[error("`quantity` of `{0}` must be from 1 to {QUANTITY_MAX}")]
    Quantity(String),
    /// One SKU in two items.
    #[error("`{0}` is listed twice: add its quantities up")]
    Twice(String),
    /// We do not sell it.
    #[error("`{sku}` is not for sale: choose from {skus}")]
    NotForSale {
        /// What was asked for.
        sku: String,
        /// What is for sale.
        skus: String,
    },
}

const TEXT_MAX: usize = 128;
const ITEMS_MAX: usize = 100;
const QUANTITY_MAX: i64 = 1_000_000;

impl OrderRequest {
    /// What all of it costs, in minor units of the catalogue's currency, or why we do not take it.
    pub fn price(&self, catalogue: &Catalogue) -> Result<i64, Unacceptable> {
        check_text("customer_id", &self.customer_id)?;
        check_text("payment_method", &self.payment_method)?;
        if !(1..=ITEMS_MAX).contains(&self.items.len()) {
            return Err(Unacceptable::Items);
        }
        let mut amount = 0;
        for (n, item) in self.items.iter().enumerate() {
            if self.items[..n].iter().any(|earlier| earlier.sku == item.sku) {
                return Err(Unacceptable::Twice(item.sku.clone()));
            }
            if !(1..=QUANTITY_MAX).contains(&item.quantity) {
                return Err(Unacceptable::Quantity(item.sku.clone()));
            }
            let price = catalogue.price(&item.sku).ok_or_else(|| Unacceptable::NotForSale {
                sku: item.sku.clone(),
                skus: catalogue.skus().map(|sku| format!("`{sku}`")).collect::<Vec<_>>().join(", "),
            })?;
            // At most 100 * 10^6 * 10^9 = 10^17: no overflow.
            amount += price * item.quantity;
        }
        Ok(amount)
    }

    /// Pieces of all SKUs together.
    pub fn quantity(&self) -> i64 {
        self.items.iter().map(|item| item.quantity).sum()
    }
}

fn check_text(field: &'static str, text: &str) -> Result<(), Unacceptable> {
    if (1..=TEXT_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(Unacceptable::Text { field, max: TEXT_MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(items: &[(&str, i64)]) -> OrderRequest {
        OrderRequest {
            customer_id: "ada".into(),
            items: items.iter().map(|(sku, quantity)| Item { sku: (*sku).into(), quantity: *quantity }).collect(),
            payment_method: "pm_ok".into(),
        }
    }

    #[test]
    fn a_price_is_the_sum_of_its_pieces() {
        let price = |items: &[(&str, i64)]| request(items).price(&Catalogue::default());
        assert_eq!(price(&[("widget", 2), ("gadget", 1)]), Ok(2 * 499 + 1299));
        assert_eq!(price(&[]), Err(Unacceptable::Items));
        assert_eq!(price(&[("widget", 0)]), Err(Unacceptable::Quantity("widget".into())));
        assert_eq!(price(&[("widget", 1), ("widget", 1)]), Err(Unacceptable::Twice("widget".into())));
        let unknown = price(&[("gizmo", 1)]).unwrap_err().to_string();
        assert_eq!(unknown, "`gizmo` is not for sale: choose from `gadget`, `widget`");
    }

    #[test]
    fn a_customers_name_is_a_text_that_every_database_takes() {
        for (name, taken) in [("ada", true), ("Zoë \u{1f469}", true), ("", false), ("a\u{0}", false), ("a\nb", false)]
        {
            let request = OrderRequest { customer_id: name.into(), ..request(&[("widget", 1)]) };
            assert_eq!(request.price(&Catalogue::default()).is_ok(), taken, "{name:?}");
        }
    }

    #[test]
    fn the_dearest_order_that_we_take_does_not_overflow() {
        let skus: Vec<_> = (0..ITEMS_MAX).map(|n| format!("sku{n}")).collect();
        let entries: Vec<_> = skus.iter().map(|sku| format!("{sku}={}", crate::catalogue::PRICE_MAX)).collect();
        let catalogue: Catalogue = format!("EUR:{}", entries.join(",")).parse().unwrap();
        let items: Vec<_> = skus.iter().map(|sku| (sku.as_str(), QUANTITY_MAX)).collect();
        assert_eq!(request(&items).price(&catalogue), Ok(100_000_000_000_000_000));
    }
}
