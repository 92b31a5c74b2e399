//! Quantities as people write them: `250ms`, `40/s`, `99%`, `>= 99%`. Durations are `std::time::Duration`.

use std::{fmt, str::FromStr, time::Duration};

/// Operations a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// A share of one: `99%` is 0.99.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(pub f64);

/// Bytes a second; 1 kB is 1,000 bytes.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct ByteRate(pub f64);

/// Bytes; 1 kB is 1,000 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Which way a bound points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// A bound on a quantity: `>= 99%`, `<= 300ms`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound<T> {
    /// Which way it points.
    pub comparison: Comparison,
    /// The limit.
    pub limit: T,
}

impl<T: PartialOrd> Bound<T> {
    /// Whether a value meets the bound.
    pub fn is_met_by(&self, value: &T) -> bool {
        match self.comparison {
            Comparison::Less => value < &self.limit,
            Comparison::AtMost => value <= &self.limit,
            Comparison::More => value > &self.limit,
            Comparison::AtLeast => value >= &self.limit,
        }
    }
}

/// A percentile by name: `p99` is 99, `p99.9` is 99.9.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percentile(pub f64);

/// The text was not the quantity that is due.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuantity {
    /// A bare number where a unit is needed.
    #[error("`{text}` has no unit: write it as `{remedy}`")]
    MissingUnit {
        /// What stands there.
        text: String,
        /// The same with the likeliest unit.
        remedy: String,
    },
    /// A bound without its sign.
    #[error("`{text}` says no direction: write it as `{remedy}`")]
    MissingSign {
        /// What stands there.
        text: String,
        /// The same with the likeliest sign.
        remedy: String,
    },
    /// Anything else.
    #[error("`{text}` is not {what}: write it like `{example}`")]
    Unreadable {
        /// What stands there.
        text: String,
        /// What is due.
        what: &'static str,
        /// How one is written.
        example: &'static str,
    },
}

/// Something that is written as a number with a unit.
pub trait Quantity: Sized + PartialOrd {
    /// What it is, with its article.
    const WHAT: &'static str;
    /// How one is written.
    const EXAMPLE: &'static str;
    /// The unit that a bare number most likely meant.
    const LIKELIEST_UNIT: &'static str;
    /// The direction in which a bound on it most likely points.
    const LIKELIEST_SIGN: &'static str;

    /// Reads one. Errors say what to write instead.
    fn read(text: &str) -> Result<Self, BadQuantity>;
    /// Writes it so that [`Quantity::read`] reads the same.
    fn show(&self) -> String;
}

fn unreadable<T: Quantity>(text: &str) -> BadQuantity {
    let bare = text.strip_prefix('-').unwrap_or(text);
    if !T::LIKELIEST_UNIT.is_empty() && split_number(bare).is_some_and(|(_, unit)| unit.is_empty()) {
        // Nobody waits 800 seconds for an answer.
        let is_millis = T::LIKELIEST_UNIT == "s" && bare.parse::<f64>().is_ok_and(|number| number >= 100.0);
        let unit = if is_millis { "ms" } else { T::LIKELIEST_UNIT };
        return BadQuantity::MissingUnit { text: text.to_owned(), remedy: format!("{bare}{unit}") };
    }
    BadQuantity::Unreadable { text: text.to_owned(), what: T::WHAT, example: T::EXAMPLE }
}

/// The decimal number at the beginning of a text, and what follows it.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let well_formed = number.starts_with(|c: char| c.is_ascii_digit())
        && number.ends_with(|c: char| c.is_ascii_digit())
        && number.matches('.').count() <= 1
        && number.len() <= 20;
    well_formed.then_some((number, rest))
}

const UNITS: [(&str, u64); 5] =
    [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];

impl Quantity for Duration {
    const WHAT: &'static str = "a duration";
    const EXAMPLE: &'static str = "250ms";
    const LIKELIEST_UNIT: &'static str = "s";
    const LIKELIEST_SIGN: &'static str = "<=";

    fn read(text: &str) -> Result<Duration, BadQuantity> {
        let wrong = || unreadable::<Duration>(text);
        let (mut left, mut nanos, mut largest) = (text, 0u64, u64::MAX);
        while !left.is_empty() {
            let (number, rest) = split_number(left).ok_or_else(wrong)?;
            let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let (unit, after) = rest.split_at(end);
            let (_, size) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            if size >= largest {
                return Err(wrong());
            }
            (largest, left) = (size, after);
            nanos = scaled(number, size).and_then(|n| nanos.checked_add(n)).ok_or_else(wrong)?;
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_nanos(nanos)) }
    }

    fn show(&self) -> String {
        let mut left = self.as_nanos();
        let mut text = String::new();
        for (unit, size) in UNITS {
            let count = left / u128::from(size);
            if count > 0 {
                text.push_str(&format!("{count}{unit}"));
                left -= count * u128::from(size);
            }
        }
        if text.is_empty() { "0s".to_owned() } else { text }
    }
}

/// A decimal number times a whole one, exactly; `None` beyond 64 bits.
fn scaled(number: &str, size: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut sum = whole.parse::<u64>().ok()?.checked_mul(size)?;
    let mut place = size;
    for digit in fraction.bytes() {
        place /= 10;
        sum = sum.checked_add(place * u64::from(digit - b'0'))?;
    }
    Some(sum)
}

impl Quantity for Rate {
    const WHAT: &'static str = "a rate";
    const EXAMPLE: &'static str = "40/s";
    const LIKELIEST_UNIT: &'static str = "/s";
    const LIKELIEST_SIGN: &'static str = ">=";

    fn read(text: &str) -> Result<Rate, BadQuantity> {
        let wrong = || unreadable::<Rate>(text);
        let (number, unit) = split_number(text).ok_or_else(wrong)?;
        let seconds = match unit {
            "/s" => 1.0,
            "/m" => 60.0,
            "/h" => 3_600.0,
            _ => return Err(wrong()),
        };
        let rate = number.parse::<f64>().map_err(|_| wrong())? / seconds;
        if rate > 0.0 && rate <= 1e6 { Ok(Rate(rate)) } else { Err(wrong()) }
    }

    fn show(&self) -> String {
        format!("{}/s", self.0)
    }
}

impl Quantity for Share {
    const WHAT: &'static str = "a share";
    const EXAMPLE: &'static str = "99%";
    const LIKELIEST_UNIT: &'static str = "%";
    const LIKELIEST_SIGN: &'static str = ">=";

    fn read(text: &str) -> Result<Share, BadQuantity> {
        let wrong = || match text.parse::<f64>() {
            // `0.99` most likely means 99 %, not 0.99 %.
            Ok(share) if share > 0.0 && share < 1.0 => {
                BadQuantity::MissingUnit { text: text.to_owned(), remedy: Share(share).show() }
            }
            _ => unreadable::<Share>(text),
        };
        let (number, unit) = split_number(text).ok_or_else(wrong)?;
        let share = number.parse::<f64>().map_err(|_| wrong())? / 100.0;
        if unit == "%" && share <= 1.0 { Ok(Share(share)) } else { Err(wrong()) }
    }

    fn show(&self) -> String {
        let shortest = (0..=17).map(|places| format!("{:.places$}", self.0 * 100.0));
        let exact = shortest.into_iter().find(|text| text.parse::<f64>().is_ok_and(|p| p / 100.0 == self.0));
        format!("{}%", exact.unwrap_or_else(|| (self.0 * 100.0).to_string()))
    }
}

impl Quantity for ByteRate {
    const WHAT: &'static str = "a rate of bytes";
    const EXAMPLE: &'static str = "100kB/s";
    const LIKELIEST_UNIT: &'static str = "kB/s";
    const LIKELIEST_SIGN: &'static str = ">=";

    fn read(text: &str) -> Result<ByteRate, BadQuantity> {
        let wrong = || unreadable::<ByteRate>(text);
        let (number, unit) = split_number(text).ok_or_else(wrong)?;
        let size = match unit {
            "B/s" => 1.0,
            "kB/s" => 1e3,
            "MB/s" => 1e6,
            "GB/s" => 1e9,
            _ => return Err(wrong()),
        };
        let rate = number.parse::<f64>().map_err(|_| wrong())? * size;
        if rate > 0.0 { Ok(ByteRate(rate)) } else { Err(wrong()) }
    }

    fn show(&self) -> String {
        format!("{}B/s", self.0)
    }
}

impl Quantity for ByteSize {
    const WHAT: &'static str = "an amount of bytes";
    const EXAMPLE: &'static str = "32MB";
    const LIKELIEST_UNIT: &'static str = "MB";
    const LIKELIEST_SIGN: &'static str = "<=";

    fn read(text: &str) -> Result<ByteSize, BadQuantity> {
        let wrong = || unreadable::<ByteSize>(text);
        let (number, unit) = split_number(text).ok_or_else(wrong)?;
        let (_, size) = BYTES.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        scaled(number, size).map(ByteSize).ok_or_else(wrong)
    }

    fn show(&self) -> String {
        let whole = BYTES.into_iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        let (unit, size) = whole.unwrap_or(("B", 1));
        format!("{}{unit}", self.0 / size)
    }
}

const BYTES: [(&str, u64); 4] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("B", 1)];

impl Quantity for f64 {
    const WHAT: &'static str = "a number";
    const EXAMPLE: &'static str = "1.5";
    const LIKELIEST_UNIT: &'static str = "";
    const LIKELIEST_SIGN: &'static str = "<=";

    fn read(text: &str) -> Result<f64, BadQuantity> {
        match split_number(text) {
            Some((number, "")) => number.parse().map_err(|_| unreadable::<f64>(text)),
            _ => Err(unreadable::<f64>(text)),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl<T: Quantity> FromStr for Bound<T> {
    type Err = BadQuantity;

    fn from_str(text: &str) -> Result<Bound<T>, BadQuantity> {
        use Comparison::{AtLeast, AtMost, Less, More};
        let signs = [("<=", AtMost), (">=", AtLeast), ("<", Less), (">", More)];
        let Some((comparison, rest)) = signs.into_iter().find_map(|(s, c)| Some((c, text.strip_prefix(s)?))) else {
            let number = match T::read(text) {
                Ok(_) => text.to_owned(),
                Err(BadQuantity::MissingUnit { remedy, .. }) => remedy,
                Err(wrong) => return Err(wrong),
            };
            let remedy = format!("{} {number}", T::LIKELIEST_SIGN);
            return Err(BadQuantity::MissingSign { text: text.to_owned(), remedy });
        };
        Ok(Bound { comparison, limit: T::read(rest.trim_start())? })
    }
}

impl<T: Quantity> fmt::Display for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.comparison, self.limit.show())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::More => ">",
            Comparison::AtLeast => ">=",
        })
    }
}

impl FromStr for Percentile {
    type Err = BadQuantity;

    fn from_str(text: &str) -> Result<Percentile, BadQuantity> {
        let wrong = || BadQuantity::Unreadable { text: text.to_owned(), what: "a percentile", example: "p99" };
        let (number, rest) = text.strip_prefix('p').and_then(split_number).ok_or_else(wrong)?;
        match number.parse::<f64>() {
            Ok(percentile) if rest.is_empty() && percentile > 0.0 && percentile <= 100.0 => Ok(Percentile(percentile)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

/// Each quantity is displayed as it is written.
macro_rules! written_as_shown {
    ($($quantity:ty),*) => {$(
        impl fmt::Display for $quantity {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.show())
            }
        }
        impl FromStr for $quantity {
            type Err = BadQuantity;
            fn from_str(text: &str) -> Result<Self, BadQuantity> {
                <$quantity>::read(text)
            }
        }
    )*};
}
written_as_shown!(Rate, Share, ByteRate, ByteSize);
