//! Numbers as reports say them: percentiles, shares, durations.

use std::time::Duration;

use squall_scenario::model::{Bound, Comparison};

/// The nearest-rank percentile of an ascending list; `None` of an empty one.
///
/// Hyndman and Fan's definition 1: the smallest value with at least `percentile` percent at or below it.
pub fn percentile(ascending: &[u64], percentile: f64) -> Option<u64> {
    let rank = (percentile / 100.0 * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.clamp(1, ascending.len().max(1)) - 1).copied()
}

/// Microseconds of a duration.
pub fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A length of time as a reader likes it: `340ms`, `1.24s`.
pub fn time(us: u64) -> String {
    match us {
        u64::MAX => "for ever".to_owned(),
        0..1_000 => format!("{us}µs"),
        1_000..10_000 => trimmed(us as f64 / 1e3, 1, "ms"),
        10_000..1_000_000 => format!("{}ms", (us + 500) / 1_000),
        1_000_000..100_000_000 => trimmed(us as f64 / 1e6, 2, "s"),
        _ => trimmed(us as f64 / 1e6, 0, "s"),
    }
}

fn trimmed(value: f64, digits: usize, unit: &str) -> String {
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// A share as percent: `99.5%`.
pub fn percent(share: f64) -> String {
    trimmed(share * 100.0, 1, "%")
}

/// A bound as it was written: `>= 99%`.
pub fn bound<T: PartialOrd>(bound: &Bound<T>, limit: impl Fn(&T) -> String) -> String {
    let sign = match bound.comparison {
        Comparison::Less => "<",
        Comparison::AtMost => "<=",
        Comparison::More => ">",
        Comparison::AtLeast => ">=",
    };
    format!("{sign} {}", limit(&bound.limit))
}

/// A number of things with its noun: `1 call`, `3 calls`, `2 retries`.
pub fn count(n: usize, one: &str) -> String {
    match (n, one.strip_suffix('y')) {
        (1, _) => format!("1 {one}"),
        (n, Some(stem)) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{n} {stem}ies"),
        (n, _) if one.ends_with('s') => format!("{n} {one}es"),
        (n, _) => format!("{n} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let list: Vec<u64> = (1..=100).collect();
        for (asked, expected) in [(50.0, 50), (99.0, 99), (99.1, 100), (100.0, 100), (0.0, 1)] {
            assert_eq!(percentile(&list, asked), Some(expected), "p{asked}");
        }
        assert_eq!(percentile(&[], 99.0), None);
        assert_eq!(percentile(&[7], 50.0), Some(7));
    }

    #[test]
    fn times_read_as_people_write_them() {
        let read = [0, 999, 1_500, 34_400, 999_400, 1_240_000, 20_000_000, 123_000_000].map(time);
        assert_eq!(read, ["0µs", "999µs", "1.5ms", "34ms", "999ms", "1.24s", "20s", "123s"]);
    }

    #[test]
    fn shares_and_counts_read_as_people_write_them() {
        assert_eq!([percent(0.995), percent(1.0), percent(0.0)], ["99.5%", "100%", "0%"]);
        let counts = [count(1, "retry"), count(2, "retry"), count(0, "call"), count(3, "process")];
        assert_eq!(counts, ["1 retry", "2 retries", "0 calls", "3 processes"]);
    }
}
