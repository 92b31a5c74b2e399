//! What the shop sells, and for how much.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// Prices by SKU, in minor units (cents) of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    currency: String,
    prices: BTreeMap<String, i64>,
}

/// The text was not a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACatalogue {
    /// An entry is not of the form `sku=price`.
    #[error("`{0}` is no entry: write it as `widget=499`, the price in minor units from 1 to 1000000000")]
    Entry(String),
    /// One SKU has two prices.
    #[error("`{0}` has two prices: keep one")]
    Twice(String),
    /// The currency is not a code of ISO 4217.
    #[error("`{0}` is no currency: write it as `EUR`, three capital letters before a colon")]
    Currency(String),
    /// Nothing is for sale.
    #[error("nothing is for sale: write at least one entry, as in `EUR:widget=499`")]
    Empty,
}

/// The dearest single piece, in minor units. With it no order that we accept overflows an amount.
pub const PRICE_MAX: i64 = 1_000_000_000;

impl Catalogue {
    /// What one piece of it costs, in minor units; `None` if we do not sell it.
    pub fn price(&self, sku: &str) -> Option<i64> {
        self.prices.get(sku).copied()
    }

    /// The currency of every price, a code of ISO 4217.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Every SKU for sale, in order.
    pub fn skus(&self) -> impl Iterator<Item = &str> {
        self.prices.keys().map(String::as_str)
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        let prices = [("gadget", 1299), ("widget", 499)];
        Catalogue {
            currency: "EUR".into(),
            prices: prices.into_iter().map(|(sku, price)| (sku.to_owned(), price)).collect(),
        }
    }
}

impl fmt::Display for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.currency)?;
        for (n, (sku, price)) in self.prices.iter().enumerate() {
            write!(f, "{}{sku}={price}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Catalogue {
    type Err = NotACatalogue;

    fn from_str(text: &str) -> Result<Self, NotACatalogue> {
        let (currency, entries) = text.split_once(':').ok_or_else(|| NotACatalogue::Currency(text.to_owned()))?;
        let currency = currency.trim();
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(NotACatalogue::Currency(currency.to_owned()));
        }
        let mut prices = BTreeMap::new();
        for entry in entries.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let wrong = || NotACatalogue::Entry(entry.to_owned());
            let (sku, price) = entry.split_once('=').ok_or_else(wrong)?;
            let price: i64 = price.trim().parse().map_err(|_| wrong())?;
            let sku = sku.trim();
            if sku.is_empty() || !(1..=PRICE_MAX).contains(&price) {
                return Err(wrong());
            }
            if prices.insert(sku.to_owned(), price).is_some() {
                return Err(NotACatalogue::Twice(sku.to_owned()));
            }
        }
        if prices.is_empty() {
            return Err(NotACatalogue::Empty);
        }
        Ok(Catalogue { currency: currency.to_owned(), prices })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_its_text_says() {
        assert_eq!("EUR:widget=499,gadget=1299".parse(), Ok(Catalogue::default()));
        assert_eq!(Catalogue::default().to_string(), "EUR:gadget=1299,widget=499");
    }

    #[test]
    fn a_mistake_is_named_with_its_remedy() {
        let mistake = |text: &str| text.parse::<Catalogue>().unwrap_err().to_string();
        assert!(mistake("EUR:widget").starts_with("`widget` is no entry"));
        assert!(mistake("EUR:widget=0").starts_with("`widget=0` is no entry"));
        assert!(mistake("EUR:widget=1,widget=2").starts_with("`widget` has two prices"));
        assert!(mistake("euro:widget=1").starts_with("`euro` is no currency"));
        assert!(mistake("EUR:").starts_with("nothing is for sale"));
    }
}
