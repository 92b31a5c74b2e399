//! Quantities read back as they are written, whatever they are.

use std::time::Duration;

use proptest::prelude::*;
use squall_scenario::model::{BadQuantity, Bound, ByteRate, ByteSize, Comparison, Percentile, Quantity, Rate, Share};

fn read<T: Quantity>(text: &str) -> T {
    T::read(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn quantities_mean_what_people_mean() {
    let duration = read::<Duration>;
    assert_eq!(duration("250ms"), Duration::from_millis(250));
    assert_eq!(duration("1.5s"), Duration::from_millis(1_500));
    assert_eq!(duration("1m30s"), Duration::from_secs(90));
    assert_eq!(duration("2h"), Duration::from_secs(7_200));
    assert_eq!(duration("500us"), Duration::from_micros(500));
    assert_eq!(duration("0s"), Duration::ZERO);
    assert_eq!(read::<Rate>("40/s").0, 40.0);
    assert_eq!(read::<Rate>("30/m").0, 0.5);
    assert_eq!(read::<Share>("99%").0, 0.99);
    assert_eq!(read::<Share>("0.5%").0, 0.005);
    assert_eq!(read::<ByteRate>("100kB/s").0, 100_000.0);
    assert_eq!(read::<ByteSize>("1.5MB"), ByteSize(1_500_000));
    assert_eq!((ByteSize(32_000_000).show(), ByteSize(1_500).show()), ("32MB".to_owned(), "1500B".to_owned()));
    assert_eq!("p99.9".parse(), Ok(Percentile(99.9)));
    let bound: Bound<Share> = ">= 99%".parse().unwrap();
    assert_eq!(bound, Bound { comparison: Comparison::AtLeast, limit: Share(0.99) });
    assert!(bound.is_met_by(&Share(0.99)) && !bound.is_met_by(&Share(0.98)));
    assert_eq!("<300ms".parse::<Bound<Duration>>().unwrap().to_string(), "< 300ms");
}

#[test]
fn what_is_no_quantity_names_the_remedy() {
    let remedy = |error: BadQuantity| match error {
        BadQuantity::MissingUnit { remedy, .. } | BadQuantity::MissingSign { remedy, .. } => remedy,
        BadQuantity::Unreadable { example, .. } => format!("like {example}"),
    };
    assert_eq!(remedy(Duration::read("20").unwrap_err()), "20s");
    assert_eq!(remedy(Duration::read("800").unwrap_err()), "800ms");
    assert_eq!(remedy(Duration::read("-5").unwrap_err()), "5s");
    assert_eq!(remedy(Duration::read("5 s").unwrap_err()), "like 250ms");
    assert_eq!(remedy(Duration::read("5sec").unwrap_err()), "like 250ms");
    assert_eq!(remedy(Duration::read("1s1m").unwrap_err()), "like 250ms");
    assert_eq!(remedy(Duration::read("99999999999h").unwrap_err()), "like 250ms");
    assert_eq!(remedy(Rate::read("20").unwrap_err()), "20/s");
    assert_eq!(remedy(Rate::read("0/s").unwrap_err()), "like 40/s");
    assert_eq!(remedy(Share::read("0.99").unwrap_err()), "99%");
    assert_eq!(remedy(Share::read("99").unwrap_err()), "99%");
    assert_eq!(remedy(Share::read("101%").unwrap_err()), "like 99%");
    assert_eq!(remedy("99%".parse::<Bound<Share>>().unwrap_err()), ">= 99%");
    assert_eq!(remedy("300".parse::<Bound<Duration>>().unwrap_err()), "<= 300ms");
    assert_eq!(remedy(">= 99".parse::<Bound<Share>>().unwrap_err()), "99%");
    for text in ["p", "p0", "p101", "99", "p9x", "P99"] {
        assert!(text.parse::<Percentile>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_duration_reads_back(micros in 0u64..1 << 50) {
        let duration = Duration::from_micros(micros);
        prop_assert_eq!(read::<Duration>(&duration.show()), duration);
    }

    #[test]
    fn a_rate_reads_back(rate in 1e-3..1e6f64) {
        prop_assert_eq!(read::<Rate>(&Rate(rate).show()), Rate(rate));
    }

    #[test]
    fn a_rate_of_bytes_reads_back(rate in 1u32..) {
        let rate = ByteRate(f64::from(rate));
        prop_assert_eq!(read::<ByteRate>(&rate.show()), rate);
    }

    #[test]
    fn a_share_reads_back_and_reads_as_it_was_written(thousandths in 0u32..=100_000) {
        let text = format!("{}%", f64::from(thousandths) / 1_000.0);
        let share = read::<Share>(&text);
        prop_assert_eq!(&share.show(), &text);
        prop_assert_eq!(read::<Share>(&share.show()), share);
    }

    #[test]
    fn a_bound_reads_back(millis in 0u64..1 << 40, sign in 0usize..4) {
        let comparison = [Comparison::Less, Comparison::AtMost, Comparison::More, Comparison::AtLeast][sign];
        let bound = Bound { comparison, limit: Duration::from_millis(millis) };
        prop_assert_eq!(bound.to_string().parse::<Bound<Duration>>(), Ok(bound));
    }

    #[test]
    fn a_percentile_reads_back(tenths in 1u32..=1_000) {
        let percentile = Percentile(f64::from(tenths) / 10.0);
        prop_assert_eq!(percentile.to_string().parse::<Percentile>(), Ok(percentile));
    }

    #[test]
    fn any_text_is_a_quantity_or_a_mistake(text in any::<String>(), near in "[0-9.]{0,6}(ms|s|m|%|/s|kB/s)?[0-9]{0,3}") {
        for text in [text, near] {
            let _ = (Duration::read(&text), Rate::read(&text), Share::read(&text), ByteRate::read(&text), f64::read(&text));
            let _ = (text.parse::<Bound<Duration>>(), text.parse::<Percentile>());
        }
    }
}
