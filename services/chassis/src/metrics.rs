//! [`Metrics`]: counters, gauges and histograms in Prometheus' text format.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A service's metrics. Clones are the same ones.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<&'static str, Family>>>);

struct Family {
    help: &'static str,
    series: Series,
}

enum Series {
    Counter(BTreeMap<String, u64>),
    Gauge(BTreeMap<String, f64>),
    Histogram(BTreeMap<String, Histogram>),
}

/// Upper bounds of a histogram's buckets, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Default)]
struct Histogram {
    /// How many fell into each bucket, not cumulated.
    counts: [u64; BUCKETS.len()],
    total: u64,
    sum_seconds: f64,
}

/// Names and values that tell the series of one metric apart.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

impl Metrics {
    /// Adds `n` to the counter `name`; a counter exists, as 0, from its first `add(…, 0)`.
    pub fn add(&self, name: &'static str, help: &'static str, labels: Labels<'_>, n: u64) {
        self.with(
            name,
            help,
            || Series::Counter(BTreeMap::new()),
            |series| {
                if let Series::Counter(counters) = series {
                    *counters.entry(written(labels)).or_default() += n;
                }
            },
        );
    }

    /// Sets the gauge `name`.
    pub fn set(&self, name: &'static str, help: &'static str, labels: Labels<'_>, value: f64) {
        self.with(
            name,
            help,
            || Series::Gauge(BTreeMap::new()),
            |series| {
                if let Series::Gauge(gauges) = series {
                    gauges.insert(written(labels), value);
                }
            },
        );
    }

    /// Counts a duration in the histogram `name`.
    pub fn observe(&self, name: &'static str, help: &'static str, labels: Labels<'_>, took: Duration) {
        self.with(
            name,
            help,
            || Series::Histogram(BTreeMap::new()),
            |series| {
                if let Series::Histogram(histograms) = series {
                    let seconds = took.as_secs_f64();
                    let histogram = histograms.entry(written(labels)).or_default();
                    if let Some(bucket) = BUCKETS.iter().position(|bound| seconds <= *bound) {
                        histogram.counts[bucket] += 1;
                    }
                    histogram.total += 1;
                    histogram.sum_seconds += seconds;
                }
            },
        );
    }

    /// All of them as Prometheus reads them, sorted by name and labels.
    pub fn render(&self) -> String {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (name, family) in families.iter() {
            family.render(name, &mut text);
        }
        text
    }

    fn with(
        &self,
        name: &'static str,
        help: &'static str,
        empty: impl FnOnce() -> Series,
        change: impl FnOnce(&mut Series),
    ) {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut families.entry(name).or_insert_with(|| Family { help, series: empty() }).series);
    }
}

impl Family {
    fn render(&self, name: &str, text: &mut String) {
        let kind = match &self.series {
            Series::Counter(_) => "counter",
            Series::Gauge(_) => "gauge",
            Series::Histogram(_) => "histogram",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", self.help);
        match &self.series {
            Series::Counter(counters) => {
                for (labels, value) in counters {
                    let _ = writeln!(text, "{name}{} {value}", braced(labels));
                }
            }
            Series::Gauge(gauges) => {
                for (labels, value) in gauges {
                    let _ = writeln!(text, "{name}{} {value}", braced(labels));
                }
            }
            Series::Histogram(histograms) => {
                for (labels, histogram) in histograms {
                    histogram.render(name, labels, text);
                }
            }
        }
    }
}

impl Histogram {
    fn render(&self, name: &str, labels: &str, text: &mut String) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut below = 0;
        for (bound, count) in BUCKETS.iter().zip(self.counts) {
            below += count;
            let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", self.total);
        let _ = writeln!(text, "{name}_sum{} {}", braced(labels), self.sum_seconds);
        let _ = writeln!(text, "{name}_count{} {}", braced(labels), self.total);
    }
}

fn written(labels: Labels<'_>) -> String {
    let mut text = String::new();
    for (n, (name, value)) in labels.iter().enumerate() {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{}{name}=\"{value}\"", if n == 0 { "" } else { "," });
    }
    text
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_written_as_prometheus_reads_them() {
        let metrics = Metrics::default();
        metrics.add("calls_total", "Calls made.", &[("to", "payment")], 2);
        metrics.add("calls_total", "Calls made.", &[("to", "pay\"ment\n")], 1);
        metrics.set("open_sagas", "Sagas not ended.", &[], 3.0);
        metrics.observe("took_seconds", "How long.", &[("route", "/x")], Duration::from_millis(3));
        metrics.observe("took_seconds", "How long.", &[("route", "/x")], Duration::from_secs(9));
        insta::assert_snapshot!(metrics.render(), @r#"
        # HELP calls_total Calls made.
        # TYPE calls_total counter
        calls_total{to="pay\"ment\n"} 1
        calls_total{to="payment"} 2
        # HELP open_sagas Sagas not ended.
        # TYPE open_sagas gauge
        open_sagas 3
        # HELP took_seconds How long.
        # TYPE took_seconds histogram
        took_seconds_bucket{route="/x",le="0.001"} 0
        took_seconds_bucket{route="/x",le="0.0025"} 0
        took_seconds_bucket{route="/x",le="0.005"} 1
        took_seconds_bucket{route="/x",le="0.01"} 1
        took_seconds_bucket{route="/x",le="0.025"} 1
        took_seconds_bucket{route="/x",le="0.05"} 1
        took_seconds_bucket{route="/x",le="0.1"} 1
        took_seconds_bucket{route="/x",le="0.25"} 1
        took_seconds_bucket{route="/x",le="0.5"} 1
        took_seconds_bucket{route="/x",le="1"} 1
        took_seconds_bucket{route="/x",le="5"} 1
        took_seconds_bucket{route="/x",le="+Inf"} 2
        took_seconds_sum{route="/x"} 9.003
        took_seconds_count{route="/x"} 2
        "#);
    }
}
