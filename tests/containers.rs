//! Every scenario of the catalogue holds as containers too, one named test a file; and those that only containers can
//! play can fail.

use libtest_mimic::Trial;
use squall::{Backend, Status::Inconclusive, facade::Played};
use squall_tests::{ended, scenario, trial, violated_by};

/// A scenario with something changed, and what must come of it.
fn changed(
    name: &'static str,
    from: &'static str,
    to: &'static str,
    ask: impl FnOnce(Played) -> Result<(), String> + Send + 'static,
) -> Trial {
    let play = move || scenario(name).backend(Backend::Container).with_scenario_text(from, to);
    trial(format!("{name} is not held with `{to}`"), play, ask)
}

fn main() -> std::process::ExitCode {
    squall_tests::container_main(|| {
        let mut trials = match squall::suite::trials(squall_tests::SCENARIOS.as_ref(), Backend::Container) {
            Ok(trials) => trials,
            Err(why) => vec![Trial::test("the catalogue can be read", move || Err(why.into()))],
        };
        trials.extend([
            changed("database/slow", "<= 2500ms", "<= 5ms", violated_by("fast")),
            changed("database/partitioned-from-payment", "compensation: 1", "compensation: 1000", ended(Inconclusive)),
            changed("database/restarted", "restart: 2", "restart: 20", ended(Inconclusive)),
            changed("resource/memory-limit", "limit: 24MB", "limit: 2GB", ended(Inconclusive)),
            changed("resource/cpu-throttled", "limit: 10%", "limit: 90%", ended(Inconclusive)),
        ]);
        trials
    })
}
