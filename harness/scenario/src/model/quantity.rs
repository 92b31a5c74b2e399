//! Quantities as people write them: `250ms`, `40/s`, `99%`, `>= 99%`. Durations are `std::time::Duration`.

/// Operations a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// A share of one: `99%` is 0.99.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(pub f64);

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
