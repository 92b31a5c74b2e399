//! What a decision of the circuit breaker costs: one permit and one result.

use std::{hint::black_box, time::Duration};

use chassis::{
    client::{Breaker, Outcome},
    policy::{BreakerPolicy, Trips},
};
use criterion::{Criterion, criterion_group, criterion_main};

fn decisions(c: &mut Criterion) {
    let share = Trips::Share { share: 0.5, window: Duration::from_secs(10), minimum: 10 };
    for (name, trips) in [("consecutive", Trips::Consecutive(5)), ("share", share)] {
        let mut breaker = Breaker::new(BreakerPolicy { trips, ..BreakerPolicy::default() });
        let mut now = Duration::ZERO;
        // 1,000 results a second, so that the window holds 10,000.
        c.bench_function(&format!("breaker/closed/{name}"), |b| {
            b.iter(|| {
                now += Duration::from_millis(1);
                let permit = breaker.admit(black_box(now));
                if let Ok(permit) = permit {
                    breaker.finish(now, permit, Outcome::Success, Duration::from_millis(3));
                }
            });
        });
    }
    let policy =
        BreakerPolicy { trips: Trips::Consecutive(1), cool_down: Duration::MAX / 2, ..BreakerPolicy::default() };
    let mut open = Breaker::new(policy);
    if let Ok(permit) = open.admit(Duration::ZERO) {
        open.finish(Duration::ZERO, permit, Outcome::Failure, Duration::ZERO);
    }
    c.bench_function("breaker/open", |b| b.iter(|| open.admit(black_box(Duration::from_secs(1))).is_err()));
}

criterion_group!(benches, decisions);
criterion_main!(benches);
