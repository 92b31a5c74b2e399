//! Latency bounds, as `gate` and `fast` ask them.

use std::{collections::BTreeMap, time::Duration};

use squall_scenario::model::{Bound, Percentile};

use crate::{
    case::Case,
    evidence::Operation,
    measure::{self, percentile},
};

/// Latencies of operations from their intended starts, ascending, in microseconds.
#[derive(Debug)]
pub(super) struct Latencies {
    ascending: Vec<u64>,
}

impl Latencies {
    /// Of these operations; one that never ended, or that the cap dropped, took for ever.
    pub(super) fn of<'o, 'r: 'o>(operations: impl Iterator<Item = &'o Operation<'r>>, dropped: usize) -> Latencies {
        let took = operations.map(|operation| operation.ended.as_ref().map_or(u64::MAX, |end| end.latency_us));
        let mut ascending: Vec<u64> = took.chain(std::iter::repeat_n(u64::MAX, dropped)).collect();
        ascending.sort_unstable();
        Latencies { ascending }
    }

    pub(super) fn len(&self) -> usize {
        self.ascending.len()
    }
}

/// What bounds came to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// One phrase for each bound that is not met.
    pub(super) unmet: Vec<String>,
    /// One phrase for each that is.
    pub(super) met: Vec<String>,
    /// One phrase for each that this backend cannot judge.
    pub(super) not_judged: Vec<String>,
}

/// Asks each bound of the latencies; the figures are in milliseconds.
pub(super) fn judge(
    case: &Case<'_, '_>,
    latencies: &Latencies,
    bounds: &[(Percentile, Bound<Duration>)],
) -> (Judged, BTreeMap<String, f64>) {
    let (mut judged, mut figures) = (Judged::default(), BTreeMap::new());
    for (which, bound) in bounds {
        let Some(found) = percentile(&latencies.ascending, which.0) else { continue };
        let name = format!("p{}", which.0);
        let asked = measure::bound(bound, |limit| measure::time(measure::us(*limit)));
        let said = format!("{name} {}, {asked} asked", measure::time(found));
        if case.cannot_time(bound.limit) {
            judged.not_judged.push(format!("{name} {asked}: simulation does not judge times under 10ms"));
        } else if bound.is_met_by(&Duration::from_micros(found)) {
            judged.met.push(said);
        } else {
            judged.unmet.push(said);
        }
        if found != u64::MAX {
            figures.insert(format!("{name}_ms"), found as f64 / 1e3);
        }
    }
    (judged, figures)
}
