//! What consumers rely on, each played to the consumer's code; and the contracts that stand in the repository.

use libtest_mimic::{Arguments, Failed, Trial};
use squall_contract_tests::{
    consumer::{self, Case},
    files,
};
use squall_host::{Env, real::Real};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = consumer::cases().into_iter().map(consumer_test).collect();
    trials.push(Trial::test("the contracts are what the consumers write", contracts_are_what_the_consumers_write));
    trials.push(Trial::test("somebody relies on every interaction", somebody_relies_on_every_interaction));
    libtest_mimic::run(&arguments, trials).exit();
}

fn consumer_test(case: Case) -> Trial {
    Trial::test(case.title(), move || {
        let folder = tempfile::tempdir()?;
        Ok(awaited(case.play(Env::new(Real::new()), folder.path()))?)
    })
}

fn contracts_are_what_the_consumers_write() -> Result<(), Failed> {
    let written = awaited(files::write())?;
    let stand = files::read(&files::folder())?;
    files::stale(&stand, &written).map_or(Ok(()), |wrong| Err(wrong.into()))
}

fn somebody_relies_on_every_interaction() -> Result<(), Failed> {
    let orphans = files::orphans(&files::read(&files::folder())?)?;
    if orphans.is_empty() {
        return Ok(());
    }
    let remedy = format!("take them out with `{}`", files::RENEW);
    Err(format!("no consumer relies on these any more; {remedy}:\n  {}", orphans.join("\n  ")).into())
}

fn awaited<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}
