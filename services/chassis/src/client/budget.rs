//! [`Budget`]: a bound on the share of retries, so that an outage is not met with a multiple of the load.

/// Each call earns a fifth of a retry, each retry spends one. Up to [`Budget::MOST`] are saved, so that a short outage
/// after a calm time is met with all retries that the bounds allow.
#[derive(Debug)]
pub struct Budget {
    fifths: u32,
}

impl Budget {
    /// The most retries that can be saved up, and what a new budget holds.
    pub const MOST: u32 = 100;
    const FIFTHS: u32 = 5;

    /// A call was made.
    pub fn earn(&mut self) {
        self.fifths = (self.fifths + 1).min(Self::MOST * Self::FIFTHS);
    }

    /// Spends a retry; false if there is none to spend.
    pub fn spend(&mut self) -> bool {
        let left = self.fifths.checked_sub(Self::FIFTHS);
        self.fifths = left.unwrap_or(self.fifths);
        left.is_some()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget { fifths: Self::MOST * Self::FIFTHS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_long_outage_one_call_in_five_is_tried_again() {
        let mut budget = Budget::default();
        while budget.spend() {}
        let retried = (0..1_000)
            .filter(|_| {
                budget.earn();
                budget.spend()
            })
            .count();
        assert_eq!(retried, 200);
    }

    #[test]
    fn a_calm_time_saves_up_no_more_than_the_most() {
        let mut budget = Budget::default();
        (0..100_000).for_each(|_| budget.earn());
        let mut spent = 0;
        while budget.spend() {
            spent += 1;
        }
        assert_eq!(spent, Budget::MOST);
    }
}
