//! Charges, captures and refunds: the types, their bounds and the laws between them. Pure.
//!
//! ```text
//!  charge (by idempotency key)        refund (by order)
//! ─────▶ captured ──────────────────────▶ refunded in full, order closed
//!   └──▶ declined, insufficient funds     nothing captured: voided, order closed
//!   └──▶ refused: the order is closed     captured − refunded ≥ 0, always
//! ```

use chassis::name::NotAName;

/// The largest amount of one payment, in minor units of its currency.
/// Ninety million of the largest payments fit into the sums.
pub const AMOUNT_MAX: i64 = 100_000_000_000;

/// Why a request does not say anything this service can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// A name is empty, too long, or holds something unprintable.
    #[error(transparent)]
    Name(#[from] NotAName),
    /// An amount is not within 1 and [`AMOUNT_MAX`].
    #[error("`amount` is `{given}`: give a whole number of minor units from 1 to {AMOUNT_MAX}")]
    Amount {
        /// What the request said.
        given: i64,
    },
    /// A currency is not an ISO 4217 code that money is paid in.
    #[error("`currency` is `{given}`: give an ISO 4217 code, such as `EUR`")]
    Currency {
        /// What the request said, shortened.
        given: String,
    },
    /// A payment method is not one of the test methods.
    #[error("`payment_method` is `{given}`: give `pm_ok`, `pm_declined` or `pm_insufficient`")]
    Method {
        /// What the request said, shortened.
        given: String,
    },
}

/// What of a refused text is repeated to whoever sent it.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 32;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

chassis::name! {
    /// What the order service calls an order.
    pub struct OrderId, "order_id"
}
chassis::name! {
    /// What the caller calls one wish to pay; however often it is sent, it is done once.
    pub struct Key, "Idempotency-Key"
}

/// What this service calls one payment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PaymentId(String);

impl PaymentId {
    /// The name of a payment, which the caller makes sure is no other's.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An ISO 4217 code of a currency that money is paid in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Currency(&'static str);

/// The active codes of ISO 4217 (list one), less funds, metals, units of account and test codes.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD \
    CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL \
    HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA \
    MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB \
    RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU \
    UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

impl Currency {
    /// The currency of a code, written in capitals.
    pub fn new(code: &str) -> Result<Self, Mistake> {
        CURRENCIES
            .split_ascii_whitespace()
            .find(|known| *known == code)
            .map(Self)
            .ok_or_else(|| Mistake::Currency { given: shortened(code) })
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0
    }
}

/// An amount of money that can be paid: 1 to [`AMOUNT_MAX`] minor units of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    amount: i64,
    currency: Currency,
}

impl Money {
    /// The money, if the amount is within its bounds.
    pub fn new(amount: i64, currency: Currency) -> Result<Self, Mistake> {
        if (1..=AMOUNT_MAX).contains(&amount) {
            Ok(Self { amount, currency })
        } else {
            Err(Mistake::Amount { given: amount })
        }
    }

    /// In minor units.
    pub fn amount(self) -> i64 {
        self.amount
    }

    /// What the amount is counted in.
    pub fn currency(self) -> Currency {
        self.currency
    }
}

/// The test payment methods; the bank behind them always answers the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `pm_ok`: the bank pays.
    Ok,
    /// `pm_declined`: the bank declines the card.
    Declined,
    /// `pm_insufficient`: the account is empty.
    Insufficient,
}

impl Method {
    /// Every method, for tables and documents.
    pub const ALL: [Method; 3] = [Method::Ok, Method::Declined, Method::Insufficient];

    /// The word for it in requests and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Method::Ok => "pm_ok",
            Method::Declined => "pm_declined",
            Method::Insufficient => "pm_insufficient",
        }
    }

    /// The method a word stands for.
    pub fn new(word: &str) -> Result<Self, Mistake> {
        Self::ALL
            .into_iter()
            .find(|method| method.word() == word)
            .ok_or_else(|| Mistake::Method { given: shortened(word) })
    }
}

/// What is asked under one idempotency key. The same key with another `Charge` is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// For which order.
    pub order_id: OrderId,
    /// How much.
    pub money: Money,
    /// By which method.
    pub method: Method,
}

/// How a charge ended. It is kept with its key, and repeated to whoever asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The money was taken.
    Captured,
    /// The bank declined the card; no money was taken.
    Declined,
    /// The account was empty; no money was taken.
    Insufficient,
    /// The order was refunded or voided before; no money was taken.
    Voided,
}

impl Outcome {
    /// Every outcome, for tables and documents.
    pub const ALL: [Outcome; 4] = [Outcome::Captured, Outcome::Declined, Outcome::Insufficient, Outcome::Voided];

    /// The word for it in problems and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Captured => "captured",
            Outcome::Declined => "card-declined",
            Outcome::Insufficient => "insufficient-funds",
            Outcome::Voided => "payment-voided",
        }
    }

    /// The outcome a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// How a charge ends that comes under a new key.
///
/// `closed` is whether the order was refunded or voided before: then nobody would ever give the money back.
pub fn outcome(charge: &Charge, closed: bool) -> Outcome {
    match (closed, charge.method) {
        (true, _) => Outcome::Voided,
        (false, Method::Ok) => Outcome::Captured,
        (false, Method::Declined) => Outcome::Declined,
        (false, Method::Insufficient) => Outcome::Insufficient,
    }
}

/// Money taken for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// The number of the payment.
    pub payment_id: PaymentId,
    /// How much was taken.
    pub money: Money,
    /// Whether all of it was given back.
    pub refunded: bool,
}

/// Everything known of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whether the order was refunded or voided: it takes no further charge.
    pub closed: bool,
    /// Every capture, in the order in which they were taken.
    pub captures: Vec<Capture>,
}

impl Account {
    /// Where the order's money stands, in the word of the answers.
    pub fn status(&self) -> Status {
        match (self.closed, self.captures.is_empty()) {
            (false, false) => Status::Captured,
            (false, true) => Status::Declined,
            (true, false) => Status::Refunded,
            (true, true) => Status::Voided,
        }
    }
}

/// Where the money of an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Money was taken and is kept.
    Captured,
    /// Every charge was declined; another may still come.
    Declined,
    /// All that was taken was given back; no further charge is taken.
    Refunded,
    /// Nothing was taken, and nothing will be.
    Voided,
}

impl Status {
    /// Every status, for documents.
    pub const ALL: [Status; 4] = [Status::Captured, Status::Declined, Status::Refunded, Status::Voided];

    /// The word for it in answers.
    pub fn word(self) -> &'static str {
        match self {
            Status::Captured => "captured",
            Status::Declined => "declined",
            Status::Refunded => "refunded",
            Status::Voided => "voided",
        }
    }
}

/// Sums over all orders, in minor units whatever their currency: an amount only where all payments share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// What was ever taken, in minor units.
    pub captured: i64,
    /// What of it was given back, in minor units.
    pub refunded: i64,
    /// How many payments were captured.
    pub payments: i64,
    /// How many orders were voided with nothing to give back.
    pub voided: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use chassis::name::NAME_CHARS_MAX;

    #[test]
    fn currencies_are_codes_in_capitals() {
        for good in ["EUR", "USD", "JPY", "ZWG"] {
            assert_eq!(Currency::new(good).map(Currency::code), Ok(good));
        }
        for bad in ["", "eur", "EU", "EURO", "EUR USD", "XXX", "XTS", "ABC", " EUR"] {
            assert_eq!(Currency::new(bad), Err(Mistake::Currency { given: bad.into() }));
        }
    }

    #[test]
    fn the_currencies_are_three_capitals_each_once_and_in_order() {
        let codes: Vec<&str> = CURRENCIES.split_ascii_whitespace().collect();
        assert!(codes.iter().all(|c| c.len() == 3 && c.bytes().all(|b| b.is_ascii_uppercase())));
        assert!(codes.windows(2).all(|w| w[0] < w[1]), "sorted, none twice");
    }

    #[test]
    fn amounts_are_bounded() {
        let eur = Currency::new("EUR").expect("a currency");
        for bad in [i64::MIN, -1, 0, AMOUNT_MAX + 1, i64::MAX] {
            assert_eq!(Money::new(bad, eur), Err(Mistake::Amount { given: bad }));
        }
        assert!(Money::new(1, eur).is_ok() && Money::new(AMOUNT_MAX, eur).is_ok());
    }

    #[test]
    fn names_are_bounded_and_visible() {
        assert!(Key::new("x".repeat(NAME_CHARS_MAX)).is_ok());
        for bad in ["", "a b", "a\n", "ä", &"x".repeat(NAME_CHARS_MAX + 1)] {
            assert_eq!(Key::new(bad), Err(NotAName { field: "Idempotency-Key" }), "{bad:?}");
        }
    }

    #[test]
    fn a_long_mistake_is_repeated_shortened() {
        let mistake = Method::new(&"p".repeat(1_000_000)).expect_err("no such method");
        assert!(mistake.to_string().len() < 200, "{}", mistake.to_string().len());
    }

    #[test]
    fn words_survive() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::from_word(outcome.word()), Some(outcome));
        }
        for method in Method::ALL {
            assert_eq!(Method::new(method.word()), Ok(method));
        }
    }

    #[test]
    fn a_closed_order_takes_no_money_by_any_method() {
        for method in Method::ALL {
            let charge = Charge {
                order_id: OrderId::new("o").expect("a name"),
                money: Money::new(1, Currency::new("EUR").expect("a currency")).expect("money"),
                method,
            };
            assert_eq!(outcome(&charge, true), Outcome::Voided);
            assert_eq!(outcome(&charge, false) == Outcome::Captured, method == Method::Ok);
        }
    }
}
